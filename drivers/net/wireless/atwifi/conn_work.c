// SPDX-License-Identifier: GPL-2.0
/* What the channel's thread does next for connections, a few commands at a time. */
#include <linux/jiffies.h>

#include "conn_priv.h"

/* Small messages that may overtake a bulk transfer before it has its turn. */
#define ATW_FRESH_RUN		8
/* Payload goes first, but a connect need not wait for its end. */
#define ATW_OPEN_PATIENCE	(HZ / 2)
/* A banner is over after so long. */
#define ATW_BANNER_TIME		HZ

/* Is there something about a start of the module that is to be looked into now? */
static bool atw_conns_boot_is_due(const struct atw_conns *cs)
{
	return READ_ONCE(cs->boot) &&
	       time_after_eq(jiffies, READ_ONCE(cs->boot_at) + ATW_BANNER_TIME);
}

enum atw_task { ATW_TASK_NONE, ATW_TASK_REAP, ATW_TASK_DELETE, ATW_TASK_FETCH,
		ATW_TASK_SEND, ATW_TASK_RENEW, ATW_TASK_OPEN };

/**
 * struct atw_sends - connections that have something to send
 * @n: all of them
 * @share: of the user who has had the least, which is the next
 * @fresh: the first of that user that was idle before
 * @bulk: the first of the others of that user
 * @quiet: streams that have nothing to send
 * @chats: streams that have sent a small message lately
 */
struct atw_sends {
	unsigned int		n;
	unsigned int		quiet;
	unsigned int		chats;
	struct atw_share	*share;
	struct atw_conn		*fresh;
	struct atw_conn		*bulk;
};

static void atw_sends_add(struct atw_conns *cs, struct atw_sends *sends,
			  struct atw_conn *c)
{
	struct atw_share *share = atw_conns_sender(cs, c);

	sends->n++;
	if (!sends->share || share->sent < sends->share->sent) {
		sends->share = share;
		sends->fresh = NULL;
		sends->bulk = NULL;
	}
	if (share != sends->share)
		return;
	if (c->fresh && !sends->fresh)
		sends->fresh = c;
	if (!c->fresh && !sends->bulk)
		sends->bulk = c;
}

/* Of the user's: small messages before bulk, as long as they are not too many. */
static struct atw_conn *atw_sends_next(struct atw_conns *cs,
				       const struct atw_sends *sends)
{
	if (sends->fresh && (!sends->bulk || cs->fresh_run < ATW_FRESH_RUN)) {
		cs->fresh_run++;
		return sends->fresh;
	}
	cs->fresh_run = 0;
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
	return max(c->queued, cs->share[c->share].owes);
}

/*
 * Of two that want to connect, the one that is due first. Each connect of a user, however
 * quick it was, has the others of his wait from its end: they are not all before another
 * user's that came a moment later.
 */
static struct atw_conn *atw_opens_next(struct atw_conns *cs, struct atw_conn *a,
				       struct atw_conn *b)
{
	return a && atw_open_due(cs, a) <= atw_open_due(cs, b) ? a : b;
}

/* May it connect now? */
static bool atw_conns_may_open(struct atw_conns *cs, struct atw_conn *c, bool sends)
{
	unsigned long look;
	u64 hold;

	if (!cs->link_up || time_before(jiffies, cs->open_after) ||
	    (sends && time_before(jiffies, cs->next_open)))
		return false;
	hold = atw_conns_hold_open(cs, c);
	if (!hold)
		return true;
	look = jiffies + nsecs_to_jiffies(hold) + 1;
	if (time_before(look, cs->next_look))
		cs->next_look = look;
	return false;
}

/*
 * What to do next: forget and delete first, then bytes that wait in the
 * module, then one connect, at once when there is nothing to send and after some
 * patience when there is; then sends, those of the user who has had the least. Returns
 * with a reference.
 */
static struct atw_conn *atw_conns_pick(struct atw_conns *cs,
				       enum atw_task *task, enum atw_crowd *crowd)
{
	struct atw_conn *c, *best = NULL, *fetch = NULL, *open = NULL;
	struct atw_sends sends = { 0 };

	*task = ATW_TASK_NONE;
	spin_lock(&cs->lock);
	cs->next_look = jiffies + HZ;
	/* What lies far back would lie ahead one day where jiffies have 32 bits. */
	if (time_after(jiffies, cs->send_after))
		cs->send_after = jiffies;
	if (time_after(jiffies, cs->open_after))
		cs->open_after = jiffies;
	if (time_after(jiffies, cs->next_open))
		cs->next_open = jiffies;
	list_for_each_entry(c, &cs->list, node) {
		spin_lock(&c->lock);
		if (c->state == ATW_CONN_OPEN && atw_conn_finished(c))
			atw_conn_end(c, 0, 0);
		if (c->state == ATW_CONN_OPEN && c->wish == ATW_WISH_YIELD) {
			c->wish = ATW_WISH_STAY;
			if (atw_conn_is_quiet(cs, c) && atw_conn_is_stream(c))
				atw_conn_set_state(c, ATW_CONN_YIELDING);
		}
		if (c->state == ATW_CONN_WAITING && atw_conn_finished(c)) {
			atw_conn_end(c, -ECONNABORTED, 0);
			atw_conn_set_state(c, ATW_CONN_DEAD);
		}
		if (time_after_eq(jiffies, c->not_before))
			c->paused = false;
		if (c->state == ATW_CONN_OPEN && atw_conn_is_stream(c)) {
			sends.quiet += !c->tx_queued;
			if (!atw_conn_chats(c))
				c->chat_until = jiffies;
			sends.chats += atw_conn_chats(c);
		}
		if (c->state == ATW_CONN_DEAD) {
			best = c;
			*task = ATW_TASK_REAP;
		} else if (c->paused && (c->state == ATW_CONN_CLOSING ||
					 c->state == ATW_CONN_WAITING)) {
			if (time_before(c->not_before, cs->next_look))
				cs->next_look = c->not_before;
		} else if (c->state == ATW_CONN_CLOSING ||
			   c->state == ATW_CONN_YIELDING) {
			best = c;
			*task = ATW_TASK_DELETE;
		} else if (c->fetch && c->state == ATW_CONN_OPEN && !fetch) {
			fetch = c;
			if (c->tx_queued)
				atw_sends_add(cs, &sends, c);
		} else if (c->state == ATW_CONN_OPEN && c->tx_queued) {
			atw_sends_add(cs, &sends, c);
		} else if (c->state == ATW_CONN_OPEN && c->renew) {
			best = c;
			*task = ATW_TASK_RENEW;
		} else if (c->state == ATW_CONN_WAITING) {
			open = atw_opens_next(cs, open, c);
		}
		spin_unlock(&c->lock);
		if (best)
			break;
	}
	/* At once, but not for ever: others want to send. */
	if (!best && fetch && !(cs->fetched && sends.n)) {
		best = fetch;
		*task = ATW_TASK_FETCH;
		list_move_tail(&best->node, &cs->list);
	}
	cs->fetched = best && *task == ATW_TASK_FETCH;
	if (!best && open && atw_conns_may_open(cs, open, sends.n)) {
		best = open;
		*task = ATW_TASK_OPEN;
	}
	if (!best && sends.n && time_before(jiffies, cs->send_after)) {
		if (time_before(cs->send_after, cs->next_look))
			cs->next_look = cs->send_after;
	} else if (!best && sends.n) {
		best = atw_sends_next(cs, &sends);
		*crowd = atw_sends_crowd(&sends, READ_ONCE(cs->prefer), best);
		*task = ATW_TASK_SEND;
		list_move_tail(&best->node, &cs->list);
	}
	if (best)
		refcount_inc(&best->ref);
	spin_unlock(&cs->lock);
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
 * atw_conns_work() - do the next piece of work for the connections
 * @cs: the connections
 *
 * Context: the channel's thread; runs at most a few commands.
 * Return: false if there was nothing to do.
 */
bool atw_conns_work(struct atw_conns *cs)
{
	unsigned long start = jiffies;
	enum atw_crowd crowd;
	enum atw_task task;
	struct atw_conn *c;
	u32 id = 0;
	u64 now;

	if (atw_tt_work(cs))
		return true;
	if (atw_tt_inside(cs))
		return false;
	spin_lock(&cs->lock);
	if (cs->nforeign) {
		id = cs->foreign[--cs->nforeign];
		cs->deleting = id;
	}
	spin_unlock(&cs->lock);
	if (id) {
		c = atw_conns_get(cs, id);
		if (!c)
			atw_conns_delete_id(cs, id);
		else
			atw_conn_put(c);
		WRITE_ONCE(cs->deleting, 0);
		return true;
	}
	if (READ_ONCE(cs->need_recvcfg)) {
		WRITE_ONCE(cs->need_recvcfg, false);
		atw_conns_command_failed(cs, atw_conns_set_active(cs));
		return true;
	}
	if (READ_ONCE(cs->look)) {
		WRITE_ONCE(cs->look, false);
		atw_conns_look(cs);
		return true;
	}
	if (cs->nstrange && time_after(jiffies, cs->strange_at)) {
		cs->strange_at = jiffies + HZ;
		WRITE_ONCE(cs->reconcile, true);
	}
	if (time_after(jiffies, cs->next_compare))
		cs->next_compare = jiffies;
	if (atw_conns_boot_is_due(cs))
		WRITE_ONCE(cs->compare, true);
	if (READ_ONCE(cs->compare) && time_after_eq(jiffies, cs->next_compare)) {
		WRITE_ONCE(cs->compare, false);
		cs->next_compare = jiffies + HZ;
		WRITE_ONCE(cs->ask_link, true);
		WRITE_ONCE(cs->reconcile, true);
	}
	/* What a remote sends may ask for it again and again: others have a turn. */
	if (READ_ONCE(cs->reconcile) && !cs->reconciled) {
		WRITE_ONCE(cs->reconcile, false);
		atw_conns_reconcile(cs);
		cs->reconciled = true;
		return true;
	}
	cs->reconciled = false;

	c = atw_conns_pick(cs, &task, &crowd);
	now = atw_conns_now(cs);
	if (!c)
		return READ_ONCE(cs->reconcile) || atw_conns_recount(cs);
	switch (task) {
	case ATW_TASK_REAP:
		spin_lock(&cs->lock);
		spin_lock(&c->lock);
		atw_conns_unlink(cs, c);
		spin_unlock(&c->lock);
		spin_unlock(&cs->lock);
		atw_conn_put(c);
		break;
	case ATW_TASK_DELETE:
		atw_conns_delete(cs, c);
		break;
	case ATW_TASK_FETCH:
		atw_conns_fetch(cs, c);
		break;
	case ATW_TASK_SEND:
		atw_conns_send(cs, c, crowd);
		spin_lock(&cs->lock);
		atw_conns_charge_send(cs, c, now);
		spin_unlock(&cs->lock);
		break;
	case ATW_TASK_RENEW:
		atw_conns_renew(cs, c);
		break;
	case ATW_TASK_OPEN:
		if (atw_conns_still_there(cs, c))
			break;
		atw_conns_open(cs, c);
		spin_lock(&cs->lock);
		atw_conns_charge_open(cs, c, now);
		spin_unlock(&cs->lock);
		atw_conns_give_time(cs, jiffies - start);
		cs->next_open = jiffies + ATW_OPEN_PATIENCE;
		break;
	default:
		break;
	}
	atw_conn_put(c);
	return true;
}

/**
 * atw_conns_next_work() - when to look again without a kick
 * @cs: the connections
 *
 * Return: jiffies; connections that linger are looked at once a second.
 */
long atw_conns_next_work(struct atw_conns *cs)
{
	long retry = (long)(cs->open_after - jiffies);
	long look = (long)(cs->next_look - jiffies);
	bool any;

	spin_lock(&cs->lock);
	any = !list_empty(&cs->list) || READ_ONCE(cs->boot);
	spin_unlock(&cs->lock);
	if (!any)
		return 60 * HZ;
	look = clamp_t(long, look, 1, HZ);
	look = min(look, atw_tt_next_work(cs));
	return retry > 0 ? min(retry, look) : look;
}
