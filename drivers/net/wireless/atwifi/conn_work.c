// SPDX-License-Identifier: GPL-2.0-only
/* What the channel's thread does next for connections, a few commands at a time. */
#include <linux/jhash.h>
#include <linux/jiffies.h>

#include "conn_priv.h"

/* Small messages that may overtake a bulk transfer before it has its turn. */
#define ATW_NEW_FLOW_RUN	8
/* Payload goes first, but a connect need not wait for its end. */
#define ATW_OPEN_PATIENCE	(HZ / 2)
/* A banner is over after so long. */
#define ATW_BANNER_TIME		HZ
/* Remotes are told apart by a hash. */
#define ATW_PLACES		64
/* What a module says may have all of it compared, but not more often. */
#define ATW_COMPARE_PAUSE	HZ

enum atw_task { ATW_TASK_NONE, ATW_TASK_DELETE, ATW_TASK_FETCH, ATW_TASK_SEND,
		ATW_TASK_RENEW, ATW_TASK_OPEN };

/**
 * struct atw_pick - what to do next for connections
 * @task: what
 * @crowd: who else there is, where it is a send
 * @at: when to look again, if it is nothing, in jiffies
 * @later: that is known
 */
struct atw_pick {
	enum atw_task		task;
	enum atw_crowd		crowd;
	unsigned long		at;
	bool			later;
};

/* Nothing can be done for something before. */
static void atw_pick_later(struct atw_pick *pick, unsigned long at)
{
	if (!pick->later || time_before(at, pick->at))
		pick->at = at;
	pick->later = true;
}

/**
 * struct atw_sends - connections that have something to send
 * @n: all of them
 * @share: of the user who has had the least, which is the next
 * @new_flow: the first of that user that was idle before
 * @bulk: the first of the others of that user
 * @quiet: streams that have nothing to send
 * @chats: streams that have sent a small message lately
 */
struct atw_sends {
	unsigned int		n;
	unsigned int		quiet;
	unsigned int		chats;
	struct atw_share	*share;
	struct atw_conn		*new_flow;
	struct atw_conn		*bulk;
};

static void atw_sends_add(struct atw_conns *cs, struct atw_sends *sends,
			  struct atw_conn *c)
{
	struct atw_share *share = atw_conns_sender(cs, c);

	sends->n++;
	if (!sends->share || share->sent < sends->share->sent) {
		sends->share = share;
		sends->new_flow = NULL;
		sends->bulk = NULL;
	}
	if (share != sends->share)
		return;
	if (c->tx.new_flow && !sends->new_flow)
		sends->new_flow = c;
	if (!c->tx.new_flow && !sends->bulk)
		sends->bulk = c;
}

/* Of the user's: small messages before bulk, as long as they are not too many. */
static struct atw_conn *atw_sends_next(struct atw_conns *cs,
				       const struct atw_sends *sends)
{
	if (sends->new_flow && (!sends->bulk || cs->pace.new_flow_run < ATW_NEW_FLOW_RUN)) {
		cs->pace.new_flow_run++;
		return sends->new_flow;
	}
	cs->pace.new_flow_run = 0;
	return sends->bulk;
}

/* Who else there is for the one that is next, and is to be made room for. */
static enum atw_crowd atw_sends_crowd(const struct atw_sends *sends, enum atwifi_prefer prefer,
				      const struct atw_conn *c)
{
	bool chats = sends->chats > atw_conn_chats(c);

	switch (prefer) {
	case ATWIFI_PREFER_THROUGHPUT:
		break;
	case ATWIFI_PREFER_LATENCY:
		if (chats || sends->quiet || sends->n > 1)
			return ATW_CROWD_CHAT;
		break;
	default:
		if (chats)
			return ATW_CROWD_CHAT;
		if (sends->quiet)
			return ATW_CROWD_QUIET;
	}
	return sends->n > 1 ? ATW_CROWD_BULK : ATW_CROWD_NONE;
}

/* Since when, or from when on, a connect may want the module. */
static u64 atw_open_due(const struct atw_conns *cs, const struct atw_conn *c)
{
	return max(c->queued, cs->shares.of[c->share].owes);
}

/* When the last connect of its user was over. */
static u64 atw_open_last(const struct atw_conns *cs, const struct atw_conn *c)
{
	return max(cs->shares.of[c->share & ~1].owes, cs->shares.of[c->share | 1].owes);
}

/*
 * Of two that want to connect, the one that is due first. Each connect of a user, however
 * quick it was, has the others of his wait from its end: they are not all before another
 * user's that came a moment later. Where a socket is waited for it is for the user who has
 * the fewest, of those who need not wait for others; of two who have as many it is for the one
 * who has waited for longer since he was given one: somebody who always wants another one has
 * asked for it before anybody else does.
 */
static struct atw_conn *atw_opens_next(struct atw_conns *cs, struct atw_conn *a,
				       struct atw_conn *b, const u16 has[ATW_SHARES / 2])
{
	u64 due, other;

	if (!a)
		return b;
	due = atw_open_due(cs, a);
	other = atw_open_due(cs, b);
	if (cs->pace.slots_short && a->share / 2 != b->share / 2 &&
	    max(due, other) <= atw_conns_now(cs)) {
		if (has[a->share / 2] != has[b->share / 2])
			return has[a->share / 2] < has[b->share / 2] ? a : b;
		due = atw_open_last(cs, a);
		other = atw_open_last(cs, b);
	}
	return due <= other ? a : b;
}

/* Which of a few places a remote falls into: two that fall together share one. */
static unsigned int atw_conn_place(const struct atw_conn *c)
{
	return jhash_2words(c->addr, c->port, jhash(c->name, strlen(c->name), 0)) % ATW_PLACES;
}

/*
 * Of those of a user that want to connect, the one whose remote has the fewest connections
 * of his: a browser wants six to each host at the same time, and needs one to each. @first
 * is the one that is due, and is passed over a few times at most: others may go on coming.
 */
static struct atw_conn *atw_opens_spread(struct atw_conns *cs, struct atw_conn *first)
{
	struct atw_share *share = &cs->shares.of[first->share];
	struct atw_conn *c, *best = first;
	u8 has[ATW_PLACES] = { 0 };
	bool waits;

	lockdep_assert_held(&cs->lock);

	list_for_each_entry(c, &cs->list, node)
		has[atw_conn_place(c)] += c->share == first->share && atw_conn_is_known(c);
	list_for_each_entry(c, &cs->list, node) {
		spin_lock(&c->lock);
		waits = atw_conn_is_waiting(c) && !atw_conn_is_paused(c);
		spin_unlock(&c->lock);
		if (waits && c->share == first->share &&
		    has[atw_conn_place(c)] < has[atw_conn_place(best)])
			best = c;
	}
	if (best == first || share->passed++ >= ATW_PASSED_MAX) {
		share->passed = 0;
		best = first;
	}
	return best;
}

/* May it connect now? @payload: others have some on its way, in whatever direction. */
static bool atw_conns_may_open(struct atw_conns *cs, struct atw_conn *c, bool payload,
			       struct atw_pick *pick)
{
	u64 hold;

	/* That it is up is told. */
	if (!cs->link_up)
		return false;
	if (time_before64(get_jiffies_64(), cs->pace.open_after)) {
		atw_pick_later(pick, cs->pace.open_after);
		return false;
	}
	if (payload && time_before64(get_jiffies_64(), cs->pace.next_open)) {
		atw_pick_later(pick, cs->pace.next_open);
		return false;
	}
	hold = atw_conns_hold(cs, c->share);
	if (hold)
		atw_pick_later(pick, jiffies + nsecs_to_jiffies(hold) + 1);
	return !hold;
}

/*
 * Does the module know nothing of it, and nobody wait for it? One that nobody has looked at
 * yet holds a place at its server, which has it.
 */
static bool atw_conn_is_over_with(const struct atw_conn *c)
{
	return atw_conn_is_dead(c) && !(c->child.server && c->child.stage == ATW_CHILD_NEW);
}

/*
 * What there is to do when nothing is to be deleted. What waits in the module goes at once,
 * but not for ever: others have a turn in between. Of connects @open is the one that is due.
 */
static struct atw_conn *atw_conns_choose(struct atw_conns *cs, struct atw_conn *fetch,
					 struct atw_conn *open, const struct atw_sends *sends,
					 struct atw_pick *pick)
{
	bool turn = !fetch || cs->pace.fetched;
	struct atw_conn *c;

	lockdep_assert_held(&cs->lock);

	if (turn && open && atw_conns_may_open(cs, open, fetch || sends->n, pick)) {
		pick->task = ATW_TASK_OPEN;
		return atw_opens_spread(cs, open);
	}
	if (turn && sends->n && !time_before64(get_jiffies_64(), cs->pace.send_after)) {
		c = atw_sends_next(cs, sends);
		pick->task = ATW_TASK_SEND;
		pick->crowd = atw_sends_crowd(sends, READ_ONCE(cs->pace.prefer), c);
	} else if (fetch) {
		c = fetch;
		pick->task = ATW_TASK_FETCH;
	} else {
		if (sends->n)
			atw_pick_later(pick, cs->pace.send_after);
		return NULL;
	}
	list_move_tail(&c->turn, &cs->turns);
	return c;
}

/*
 * What to do next: delete first, then bytes that wait in the module, then one connect, at
 * once when there is no other payload and after some patience when there is; then sends, those
 * of the user who has had the least. Returns with a reference.
 *
 * What is dead is forgotten on the way: programs make as much of it as they like, which is
 * to cost nobody a turn.
 */
static struct atw_conn *atw_conns_pick(struct atw_conns *cs, struct atw_pick *pick)
{
	struct atw_conn *c, *next, *best = NULL, *fetch = NULL, *open = NULL;
	struct atw_sends sends = { 0 };
	u16 has[ATW_SHARES / 2] = { 0 };
	LIST_HEAD(dead);

	spin_lock(&cs->lock);
	atw_conns_count_sockets(cs, has);
	list_for_each_entry_safe(c, next, &cs->turns, turn) {
		spin_lock(&c->lock);
		if (atw_conn_is_open(c) && atw_conn_finished(c))
			atw_conn_end(c, 0, 0);
		if (atw_conn_is_open(c) && c->wish == ATW_WISH_YIELD) {
			c->wish = ATW_WISH_STAY;
			if (atw_conn_is_quiet(cs, c) && atw_conn_is_stream(c))
				atw_conn_event(c, ATW_CONN_EV_YIELD);
		}
		if (atw_conn_is_waiting(c) && atw_conn_finished(c)) {
			atw_conn_end(c, -ECONNABORTED, 0);
			atw_conn_event(c, ATW_CONN_EV_GONE);
		}
		if (atw_conn_expires(c))
			atw_pick_later(pick, c->close_by + 1);
		if (atw_conn_is_open(c) && atw_conn_is_stream(c)) {
			sends.quiet += !c->tx.queued;
			sends.chats += atw_conn_chats(c);
		}
		if (atw_conn_is_over_with(c)) {
			atw_conns_unlink(cs, c);
			list_add(&c->node, &dead);
		} else if (atw_conn_is_paused(c) && (atw_conn_is_closing(c) ||
						     atw_conn_is_waiting(c))) {
			atw_pick_later(pick, c->not_before);
		} else if (atw_conn_is_closing(c) ||
			   atw_conn_is_yielding(c)) {
			best = c;
			pick->task = ATW_TASK_DELETE;
		} else if (atw_conn_is_open(c) && c->serve.renew) {
			best = c;
			pick->task = ATW_TASK_RENEW;
		} else if (c->rx.fetch && atw_conn_is_open(c) && !fetch) {
			fetch = c;
			if (atw_conn_has_sends(c))
				atw_sends_add(cs, &sends, c);
		} else if (atw_conn_is_open(c) && atw_conn_has_sends(c)) {
			atw_sends_add(cs, &sends, c);
		} else if (atw_conn_is_waiting(c)) {
			open = atw_opens_next(cs, open, c, has);
		}
		spin_unlock(&c->lock);
		if (best)
			break;
	}
	if (!best)
		best = atw_conns_choose(cs, fetch, open, &sends, pick);
	cs->pace.fetched = pick->task == ATW_TASK_FETCH;
	if (best)
		refcount_inc(&best->ref);
	spin_unlock(&cs->lock);
	atw_conns_put_list(&dead);
	return best;
}

/* What lingers had no chance to send meanwhile. */
static void atw_conns_give_time(struct atw_conns *cs, unsigned long time)
{
	struct atw_conn *c;

	spin_lock(&cs->lock);
	list_for_each_entry(c, &cs->list, node) {
		spin_lock(&c->lock);
		if (!atw_conn_wanted(c))
			c->close_by += time;
		spin_unlock(&c->lock);
	}
	spin_unlock(&cs->lock);
}

/**
 * atw_conns_do_stale() - delete one of those that the module has and nobody here knows
 * @cs: the connections
 *
 * Context: the channel's thread.
 * Return: false if there is none.
 */
bool atw_conns_do_stale(struct atw_conns *cs)
{
	struct atw_conn *c;
	u32 id;

	spin_lock(&cs->lock);
	id = atw_conns_next_stale(cs);
	spin_unlock(&cs->lock);
	if (id == ATW_NO_ID)
		return false;
	c = atw_conns_get(cs, id);
	if (!c)
		atw_conns_delete_id(cs, id);
	else
		atw_conn_put(c);
	atw_conns_set_deleting(cs, ATW_NO_ID);
	atw_sched_set(cs->sched, ATW_DO_STALE);
	return true;
}

/**
 * atw_conns_do_recv_mode() - tell the module the receive mode once more
 * @cs: the connections
 *
 * Context: the channel's thread.
 * Return: true.
 */
bool atw_conns_do_recv_mode(struct atw_conns *cs)
{
	atw_conns_command_failed(cs, atw_conns_set_active(cs));
	return true;
}

/**
 * atw_conns_do_boot() - part of a banner was heard, which is to be over
 * @cs: the connections
 *
 * Context: the channel's thread.
 * Return: false: no command was run.
 */
bool atw_conns_do_boot(struct atw_conns *cs)
{
	unsigned long over;
	bool heard;

	mutex_lock(&cs->ch->rx_lock);
	heard = cs->audit.boot != ATW_BOOT_NO;
	over = cs->audit.boot_at + ATW_BANNER_TIME;
	mutex_unlock(&cs->ch->rx_lock);
	if (!heard)
		return false;
	if (time_before(jiffies, over))
		atw_sched_at(cs->sched, ATW_DO_BOOT, over);
	else
		atw_sched_set(cs->sched, ATW_DO_COMPARE);
	return false;
}

/**
 * atw_conns_do_compare() - compare all that there is, once a second at most
 * @cs: the connections
 *
 * Context: the channel's thread.
 * Return: false: no command was run.
 */
bool atw_conns_do_compare(struct atw_conns *cs)
{
	u64 now = get_jiffies_64();

	if (time_before64(now, cs->audit.compare_after)) {
		atw_sched_at(cs->sched, ATW_DO_COMPARE, cs->audit.compare_after);
		return false;
	}
	cs->audit.compare_after = now + ATW_COMPARE_PAUSE + 1;
	atw_sched_set(cs->sched, ATW_DO_RECONCILE);
	/* After that: one that has restarted has lost its network, too. */
	atw_sched_at(cs->sched, ATW_DO_LINK, jiffies);
	return false;
}

/**
 * atw_conns_do_unknown() - look again at ids that were unknown the last time
 * @cs: the connections
 *
 * Context: the channel's thread.
 * Return: false: no command was run.
 */
bool atw_conns_do_unknown(struct atw_conns *cs)
{
	if (!cs->audit.nunknown)
		return false;
	/* If it does not say what it has, it is asked again. */
	atw_sched_at(cs->sched, ATW_DO_UNKNOWN, jiffies + HZ);
	atw_sched_set(cs->sched, ATW_DO_RECONCILE);
	return false;
}

/* There is nothing to do for the connections just now. */
static bool atw_conns_rest(struct atw_conns *cs, const struct atw_pick *pick)
{
	if (pick->later)
		atw_sched_at(cs->sched, ATW_DO_CONNS, pick->at);
	if (cs->tt.conn)
		atw_sched_set(cs->sched, ATW_DO_ENTER);
	return atw_conns_recount(cs);
}

/**
 * atw_conns_do_next() - do the next piece of work for the connections
 * @cs: the connections
 *
 * Context: the channel's thread; runs at most a few commands.
 * Return: false if there was nothing to do.
 */
bool atw_conns_do_next(struct atw_conns *cs)
{
	unsigned long start = jiffies;
	struct atw_pick pick = { 0 };
	struct atw_conn *c;
	u64 now;

	atw_sched_clear(cs->sched, ATW_DO_CONNS);
	if (cs->tt.conn && atw_tt_carry(cs))
		return true;
	if (atw_tt_inside(cs))
		return false;
	c = atw_conns_pick(cs, &pick);
	now = atw_conns_now(cs);
	if (!c)
		return atw_conns_rest(cs, &pick);
	switch (pick.task) {
	case ATW_TASK_DELETE:
		atw_conns_delete(cs, c);
		break;
	case ATW_TASK_FETCH:
		atw_conns_fetch(cs, c);
		break;
	case ATW_TASK_SEND:
		atw_conns_do_send(cs, c, pick.crowd);
		spin_lock(&cs->lock);
		atw_conns_charge_send(cs, c, now);
		spin_unlock(&cs->lock);
		break;
	case ATW_TASK_RENEW:
		atw_conns_do_renew(cs, c);
		break;
	case ATW_TASK_OPEN:
		if (atw_conns_still_there(cs, c))
			break;
		atw_conns_do_open(cs, c);
		spin_lock(&cs->lock);
		atw_conns_charge_open(cs, c, now);
		spin_unlock(&cs->lock);
		atw_conns_give_time(cs, jiffies - start);
		cs->pace.next_open = get_jiffies_64() + ATW_OPEN_PATIENCE;
		break;
	default:
		break;
	}
	atw_conn_put(c);
	return true;
}
