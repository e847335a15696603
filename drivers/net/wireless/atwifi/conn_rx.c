// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the module says of connections: payloads, and events.
 *
 * All of it runs in the receive path, which alone calls the owners' ops->rx; but for what came
 * before a connect was answered, which the channel's thread hands over then.
 */
#include <linux/jiffies.h>
#include <linux/skbuff.h>

#include "conn_priv.h"
#include "id.h"
#include "timing.h"

/* Memory of one piece besides its bytes. */
#define ATW_PACKET_COST		64
/*
 * Memory of what cannot be handed over yet: as a socket's. All of a table have
 * atw_conns.rx.unread, and those that have left theirs atw_unlisted. A server that accepts nobody
 * is not to have all of what is its user's.
 */
#define ATW_RX_KEEP_MAX		(1024 * 1024)
#define ATW_RX_KEEP_SERVED	(2 * ATW_RX_KEEP_MAX)
/* A lost child that nobody reads is deleted by the module within its own poll;
 * after this, and what others have printed, it is not going to be.
 */
#define ATW_AUTODEL_TIMEOUT	(HZ / 2)

/* May the module speak of a number that is nobody's, or has that lost a digit? */
static bool atw_conns_knows_of(struct atw_conns *cs, u32 id)
{
	return cs->learned.no_conid || atw_dialect_gives(cs->ch->dialect, id) ||
	       atw_conns_is_recent(cs, id);
}

/*
 * The module speaks of what it has, perhaps, not told the number of yet. That is remembered,
 * unless something has the number by now: then it is that, with a reference.
 */
static struct atw_conn *atw_conns_note_orphan(struct atw_conns *cs, u32 id)
{
	struct atw_conn *c;

	spin_lock(&cs->lock);
	c = atw_conns_find(cs, id);
	if (c)
		refcount_inc(&c->ref);
	else if (id <= ATW_ID_MAX)
		__set_bit(id, cs->ids.orphans);
	spin_unlock(&cs->lock);
	return c;
}

/*
 * The module said what nobody understands. It was a whole line, so nobody's bytes can be in
 * it. What it has is compared with what it should have, once a second at most: it may say
 * such things all the time.
 */
static void atw_conns_explain(struct atw_conns *cs)
{
	atomic64_inc(&cs->counts.unexplained);
	atw_sched_set(cs->sched, ATW_DO_COMPARE);
}

/*
 * The module speaks of a connection for which it was asked, and has not said that it has it: of
 * one that had its number just before it may have had that to say all the time.
 */
static void atw_conn_dispute(struct atw_conns *cs, struct atw_conn *c)
{
	lockdep_assert_held(&c->lock);

	c->rx.disputed |= c->rx.reused && atw_conn_is_opening(c) && atw_channel_connects(cs->ch);
}

/**
 * atw_conns_drop_payload() - nobody gets the payload that is being received
 * @cs: the connections
 *
 * Context: the receive path, or when the channel is stopped.
 */
void atw_conns_drop_payload(struct atw_conns *cs)
{
	kfree_skb(cs->rx.skb);
	cs->rx.skb = NULL;
	atw_conn_put(cs->rx.conn);
	cs->rx.conn = NULL;
}

/**
 * atw_conns_payload() - where the bytes of a payload go
 * @ctx: the connections
 * @id: whose
 * @len: bytes, at most ATW_PAYLOAD_MAX
 *
 * Context: the receive path.
 * Return: the place, or NULL: they are of no use.
 */
u8 *atw_conns_payload(void *ctx, u32 id, u32 len)
{
	struct atw_conns *cs = ctx;
	bool settled = !atw_channel_is_unsettled(cs->ch);
	struct atw_conn *c = atw_conns_get(cs, id);
	struct sk_buff *skb = NULL;
	bool wanted;

	lockdep_assert_held(&cs->ch->rx_lock);

	/* What was left by a payload that never ended is of no use. */
	atw_conns_drop_payload(cs);

	/* What nobody asked for is nobody's: who was asked for has got nothing, and
	 * ends by that.
	 */
	if (cs->ch->answer && id != cs->rx.reading) {
		atw_conn_put(c);
		atw_conns_explain(cs);
		return NULL;
	}
	if (cs->ch->answer)
		cs->rx.read_data = true;
	if (!c && settled)
		c = atw_conns_guess_child(cs, id);
	if (!c)
		c = atw_conns_note_orphan(cs, id);

	if (!c) {
		if (!atw_conns_knows_of(cs, id) && settled)
			atw_conns_damage(cs);
		else if (!atw_conns_knows_of(cs, id))
			atw_conns_add_stale(cs, id);	/* what it sends next is not its first */
		return NULL;
	}

	spin_lock(&c->lock);
	wanted = atw_conn_wanted(c) && !c->err && atw_conn_is_live(c);
	atw_conn_dispute(cs, c);
	spin_unlock(&c->lock);
	/* Else a remote may have sent it to himself: streams have ended, datagrams are lost. */
	if (wanted && settled)
		skb = alloc_skb(len, GFP_KERNEL | __GFP_NOWARN);
	if (!skb) {
		spin_lock(&c->lock);
		if (wanted && atw_conn_is_stream(c))
			atw_conn_reset(c, &cs->counts.overflows);
		spin_unlock(&c->lock);
		atw_conn_put(c);
		return NULL;
	}
	atw_conns_note_use(cs, c);
	cs->rx.conn = c;
	cs->rx.skb = skb;
	skb_put(skb, len);
	atw_conn_throttle(cs, c, skb);
	return skb->data;
}

/*
 * Can the module have data that it does not print by itself? The receive path, or the
 * channel's thread, which has told the module its mode.
 */
static bool atw_conns_may_keep(const struct atw_conns *cs)
{
	return cs->mode.passive || jiffies - cs->mode.since < atw_timing.mode_settle;
}

/**
 * struct atw_blocked_cb - in skb->cb of what is held back
 * @after: bytes that were announced after it and before the next one
 */
struct atw_blocked_cb {
	u32	after;
};

#define ATW_BLOCKED_CB(skb)	((struct atw_blocked_cb *)(skb)->cb)

/* What deleted connections had is free, a while after the last of them. */
static void atw_conns_forget_zombies(struct atw_conns *cs)
{
	struct atw_kept *k = &cs->kept;

	spin_lock(&cs->lock);
	if (k->zombies && jiffies - k->zombie_since > atw_timing.delete_linger) {
		atomic_sub(k->zombies, &k->bytes);
		k->zombies = 0;
	}
	spin_unlock(&cs->lock);
}

/* It seems to keep what it was told to print. */
static void atw_conns_note_passive(struct atw_conns *cs)
{
	atomic64_inc(&cs->counts.passive);
	atw_sched_set(cs->sched, ATW_DO_RECV_MODE);
}

/*
 * Is an announcement what is left of the header of a payload, whose bytes then seem to be the
 * module's words? One that prints what it receives has no announcements, unless it has
 * forgotten that: then what it has dropped since is not known. One of nothing has a reading
 * of its own where a datagram may have been empty.
 */
static bool atw_conns_is_header(struct atw_conns *cs, const struct atw_conn *c, u32 len)
{
	return cs->mode.active && !atw_conns_may_keep(cs) &&
	       (len || (c && atw_conn_is_stream(c)));
}

/* @len bytes wait in the module. */
static void atw_conn_pending(struct atw_conns *cs, struct atw_conn *c, u32 len)
{
	struct sk_buff *last;

	lockdep_assert_held(&c->lock);

	atw_conn_disturb(cs, c);
	/* That is no announcement. */
	if (!len) {
		c->rx.fetch |= !cs->mode.active || atw_conns_may_keep(cs);
		return;
	}
	if (!cs->mode.passive)
		atw_conns_note_passive(cs);
	last = skb_peek_tail(&c->rx.blocked);
	if (last)
		ATW_BLOCKED_CB(last)->after += len;
	else
		c->rx.announced += len;
	c->rx.empties = 0;
	c->rx.fetch = true;
	c->rx.kept += len + ATW_PACKET_COST;
	/* As long as its memory is not full it drops nothing. */
	if (atomic_add_return(len + ATW_PACKET_COST, &cs->kept.bytes) <= ATW_KEPT_SOFT ||
	    !atw_conn_is_live(c))
		return;
	if (!atw_conn_is_server(c)) {
		atw_conn_reset(c, &cs->counts.overflows);
	} else if (!c->serve.renew && atw_conn_is_open(c)) {
		atomic64_inc(&cs->counts.overflows);
		c->serve.renew = true;
	}
}

/* A piece of @len bytes was fetched. */
static void atw_conn_unpending(struct atw_conns *cs, struct atw_conn *c, u32 len)
{
	int cost = min_t(int, c->rx.kept, len + ATW_PACKET_COST);

	lockdep_assert_held(&c->lock);

	c->rx.announced -= len;
	c->rx.empties = 0;
	c->rx.kept -= cost;
	atomic_sub(cost, &cs->kept.bytes);
}

/* Bytes that cannot be handed over yet are put into @queue, unless there is no room. */
static bool atw_conn_keep(struct atw_conn *c, struct sk_buff_head *queue,
			  struct sk_buff *skb)
{
	struct atw_conn *server = c->child.server;

	lockdep_assert_held(&c->lock);

	if (!c->conns || c->rx.size + skb->truesize > ATW_RX_KEEP_MAX)
		return false;
	if (server && atomic_read(&server->serve.kept) + skb->truesize > ATW_RX_KEEP_SERVED)
		return false;
	if (!atw_budget_take(&c->conns->rx.unread, atw_conn_payer(c), skb->truesize))
		return false;
	if (server)
		atomic_add(skb->truesize, &server->serve.kept);
	c->rx.size += skb->truesize;
	__skb_queue_tail(queue, skb);
	return true;
}

/* There is no room for these bytes. A datagram may be lost. */
static void atw_conn_overflow(struct atw_conns *cs, struct atw_conn *c, struct sk_buff *skb)
{
	kfree_skb(skb);
	if (atw_conn_is_stream(c))
		atw_conn_reset(c, &cs->counts.overflows);
}

/*
 * As long as the module has not said that it has opened a connection, what comes under its
 * number may be of another one, which the module had given that number before.
 */
static void atw_conn_hand_over(struct atw_conns *cs, struct atw_conn *c,
			       struct sk_buff *skb)
{
	bool now = c->owner && !atw_conn_is_opening(c);

	if (!(now ? c->ops->rx(c, skb) : atw_conn_keep(c, &c->rx.backlog, skb)))
		atw_conn_overflow(cs, c, skb);
}

/**
 * atw_conn_release_early() - hand over what came before the module had said that it is open
 * @cs: the connections
 * @c: the connection, whose lock is held
 */
void atw_conn_release_early(struct atw_conns *cs, struct atw_conn *c)
{
	struct sk_buff *skb;

	lockdep_assert_held(&c->lock);

	while ((skb = __skb_dequeue(&c->rx.backlog))) {
		atw_conn_unkeep(c, skb->truesize);
		if (c->owner && !c->err)
			atw_conn_hand_over(cs, c, skb);
		else
			kfree_skb(skb);
	}
}

/**
 * atw_conn_forget_early() - what came under its number was of another connection
 * @cs: the connections
 * @c: the connection, which the module has not opened; its lock is held
 */
void atw_conn_forget_early(struct atw_conns *cs, struct atw_conn *c)
{
	lockdep_assert_held(&c->lock);

	atw_conn_purge(c, &c->rx.backlog);
	atw_conn_purge(c, &c->rx.blocked);
	atw_conn_purge(c, &c->rx.unverified);
	atw_conn_forget_kept(cs, c);
	c->rx.fetch = false;
	c->rx.fetched_last = false;
	c->rx.disputed = false;
	c->remote_closed = false;
	c->close = ATW_CLOSE_NONE;
	c->auto_deleted = false;
}

/**
 * atw_conn_release_blocked() - hand over what has no older bytes before it any more
 * @cs: the connections
 * @c: the connection, whose lock is held
 */
void atw_conn_release_blocked(struct atw_conns *cs, struct atw_conn *c)
{
	struct sk_buff *skb;

	lockdep_assert_held(&c->lock);

	while (c->rx.announced <= 0 && (skb = __skb_dequeue(&c->rx.blocked))) {
		atw_conn_unkeep(c, skb->truesize);
		c->rx.announced += ATW_BLOCKED_CB(skb)->after;
		if (atw_conn_wanted(c) && !c->err)
			atw_conn_hand_over(cs, c, skb);
		else
			kfree_skb(skb);
	}
}

/*
 * Bytes for @c, in the order in which the module got them. Returns them if nobody wants
 * them.
 */
static struct sk_buff *atw_conn_deliver(struct atw_conns *cs,
					struct atw_conn *c,
					struct sk_buff *skb, bool answer)
{
	u32 len = skb->len;

	lockdep_assert_held(&c->lock);

	atw_conn_disturb(cs, c);
	if (!atw_conn_wanted(c) || c->err || !atw_conn_is_usable(c) || atw_conn_is_waiting(c))
		return skb;
	/* What is said behind an end may be of the next one. */
	if (c->close != ATW_CLOSE_NONE && !answer)
		return skb;
	c->rx.bytes += len;
	if (answer) {
		atw_conn_hand_over(cs, c, skb);
		atw_conn_unpending(cs, c, len);
		atw_conn_release_blocked(cs, c);
	} else if (c->rx.announced <= 0 || !atw_conn_is_stream(c)) {
		atw_conn_hand_over(cs, c, skb);
	} else {
		/* Older ones wait in a module that was passive until now. */
		ATW_BLOCKED_CB(skb)->after = 0;
		if (!atw_conn_keep(c, &c->rx.blocked, skb))
			atw_conn_overflow(cs, c, skb);
	}
	return NULL;
}

/**
 * atw_conn_believe() - payloads are their remote's, as far as that goes
 * @cs: the connections
 * @c: the connection, whose lock is held
 * @doubt: what is doubted of them no more, bits of enum atw_doubt
 * @query: of those that came before this query
 *
 * What is in no doubt then, and comes after nothing that is, is handed over.
 *
 * Context: the receive path, or another that holds its lock.
 */
void atw_conn_believe(struct atw_conns *cs, struct atw_conn *c,
		      unsigned int doubt, unsigned int query)
{
	struct sk_buff *skb;
	bool answer;

	lockdep_assert_held(&cs->ch->rx_lock);
	lockdep_assert_held(&c->lock);

	skb_queue_walk(&c->rx.unverified, skb)
		if (atw_query_is_newer(query, ATW_UNVERIFIED_CB(skb)->query))
			ATW_UNVERIFIED_CB(skb)->doubt &= ~doubt;
	while ((skb = skb_peek(&c->rx.unverified)) && !ATW_UNVERIFIED_CB(skb)->doubt) {
		__skb_unlink(skb, &c->rx.unverified);
		atw_conn_unkeep(c, skb->truesize);
		answer = ATW_UNVERIFIED_CB(skb)->answer;
		kfree_skb(atw_conn_deliver(cs, c, skb, answer));
	}
}

/**
 * atw_conn_received() - bytes, or a datagram, that the module got for a connection
 * @cs: the connections
 * @c: the connection, whose lock is held
 * @skb: the bytes, which nobody has asked for
 *
 * That the module got more for it tells that it had not restarted.
 *
 * Context: the receive path.
 * Return: NULL, or @skb: nobody wants it.
 */
struct sk_buff *atw_conn_received(struct atw_conns *cs, struct atw_conn *c,
				  struct sk_buff *skb)
{
	atw_conn_believe(cs, c, ATW_DOUBT_BOOT, cs->audit.query + 1);
	return atw_conn_deliver(cs, c, skb, false);
}

/*
 * A payload that may not be its remote's alone, or that comes after such a one: it is
 * handed over when the module was asked.
 */
static void atw_conn_doubt(struct atw_conns *cs, struct atw_conn *c,
			   struct sk_buff *skb, unsigned int doubt)
{
	ATW_UNVERIFIED_CB(skb)->query = cs->audit.query;
	ATW_UNVERIFIED_CB(skb)->doubt = doubt;
	ATW_UNVERIFIED_CB(skb)->answer = cs->ch->answer;
	if (atw_conn_keep(c, &c->rx.unverified, skb))
		atw_sched_set(cs->sched, ATW_DO_RECONCILE);
	else
		atw_conn_overflow(cs, c, skb);
}

/*
 * The module connects a client anew by itself, some time after its remote has closed, and
 * under the same number. What it keeps until it is fetched may come so late that it is of
 * that one: its table tells. Half of the time is left for the word that the remote has
 * closed, which may have waited behind a long answer, or in the tty layer.
 */
static bool atw_conn_may_be_anew(const struct atw_conns *cs, const struct atw_conn *c)
{
	/* However long ago: what lies far back lies ahead one day where jiffies have 32 bits. */
	return c->remote_closed && atw_conn_is_stream(c) && !atw_conn_is_child(c) &&
	       (cs->learned.anew_soon || jiffies - c->closed_at > atw_timing.tt_trust / 2);
}

/**
 * atw_conns_payload_end() - the payload that was being received is over
 * @ctx: the connections
 * @ev: ATW_EV_PAYLOAD_END, it is good; ATW_EV_PAYLOAD_BAD, or ATW_EV_DOUBTFUL
 *
 * Context: the receive path.
 */
void atw_conns_payload_end(void *ctx, const struct atw_event *ev)
{
	bool good = ev->type == ATW_EV_PAYLOAD_END;
	struct atw_conns *cs = ctx;
	struct atw_conn *c = cs->rx.conn;
	struct sk_buff *skb = cs->rx.skb;
	unsigned int doubt = ev->doubt;

	cs->rx.conn = NULL;
	cs->rx.skb = NULL;
	/* What follows may be its remote's words. */
	if (ev->type == ATW_EV_PAYLOAD_BAD)
		atw_conns_damage(cs);
	if (!c)
		return;

	spin_lock(&c->lock);
	if (atw_conn_may_be_anew(cs, c))
		doubt |= ATW_DOUBT_ANEW;
	if (ev->type == ATW_EV_DOUBTFUL || (good && atw_tt_stale(cs, c))) {
		atomic64_inc(&cs->counts.damaged);
		if (atw_conn_is_stream(c))
			atw_conn_end(c, -ECONNRESET, 0);
	} else if (good && skb) {
		atw_conn_believe(cs, c, ATW_DOUBT_BOOT, cs->audit.query + 1);
		if (doubt || !skb_queue_empty(&c->rx.unverified)) {
			atw_conn_doubt(cs, c, skb, doubt);
			skb = NULL;
		} else {
			skb = atw_conn_deliver(cs, c, skb, cs->ch->answer);
		}
		/* A comparison leaves the end of one that is receiving to that. */
		if (c->remote_closed && !c->err && atw_conn_is_open(c))
			atw_conn_remote_end(cs, c);
	}
	spin_unlock(&c->lock);
	kfree_skb(skb);
	atw_conn_put(c);
}

/**
 * atw_conns_boot() - the module says what it says at its start
 * @cs: the connections
 * @boot: what follows from that
 *
 * It is asked what it has, a moment later: most say that they are ready, too. A line
 * of a banner may be a remote's, where bytes were lost: nothing is ended for that
 * alone.
 *
 * Context: the receive path.
 */
void atw_conns_boot(struct atw_conns *cs, enum atw_boot boot)
{
	lockdep_assert_held(&cs->ch->rx_lock);

	cs->audit.boot_at = jiffies;
	cs->audit.boot = max(cs->audit.boot, boot);
	atw_sched_set(cs->sched, ATW_DO_BOOT);
}

/*
 * A stream that has no network any more, or another address, ends as one whose remote has
 * closed. Of the network the module may tell later, or not at all: it is asked, once for all
 * that have ended by then. Nobody wants to know it of what nobody wants.
 */
static bool atw_conn_is_to_ask(struct atw_conns *cs, struct atw_conn *c)
{
	if (c->close == ATW_CLOSE_SURE || !atw_conn_is_open(c) || !atw_conn_is_stream(c) ||
	    !atw_conn_wanted(c))
		return false;
	if (c->close == ATW_CLOSE_NONE) {
		c->close = ATW_CLOSE_TOLD;
		atw_sched_set(cs->sched, ATW_DO_ENDS);
		/* A remote that keeps the module busy is not to keep the ends of others. */
		atw_channel_alarm(cs->ch, atw_timing.end);
	}
	return true;
}

/* How long it may take until the module has said that it has deleted a child. */
static unsigned long atw_conns_autodel_time(const struct atw_conns *cs)
{
	/* It waits for what each of the others prints. There may be one more in a moment. */
	u32 prints = min_t(u32, data_race(cs->n) + 1, ATW_PRINTS_MAX);

	return ATW_AUTODEL_TIMEOUT + atw_channel_wire_time(cs->ch, prints * ATW_PRINT_MAX);
}

/**
 * atw_conn_remote_end() - the peer of a connection is gone
 * @cs: the connections
 * @c: the connection
 *
 * In order, unless bytes of ours were on the way, or it is being deleted: what the module
 * kept of it is lost by that.
 *
 * Context: @c->lock is held.
 */
void atw_conn_remote_end(struct atw_conns *cs, struct atw_conn *c)
{
	lockdep_assert_held(&c->lock);

	if (atw_conn_is_waiting(c) || atw_conn_is_server(c))
		return;
	atw_conn_disturb(cs, c);
	/* Most firmware deletes a child by itself, and may give its number to
	 * another one at once: to delete it then would hit that one.
	 */
	if (atw_conn_is_child(c) && !c->remote_closed && !READ_ONCE(cs->fw)->keeps_lost)
		atw_conn_pause(c, atw_conns_autodel_time(cs));
	/* What a passive module has of it is fetched, announced or not. */
	if (atw_conns_may_keep(cs) && atw_conn_is_open(c) &&
	    !c->rx.fetched_last && atw_conn_is_stream(c)) {
		c->rx.fetched_last = true;
		c->rx.fetch = true;
	}
	if (!c->remote_closed)
		c->closed_at = jiffies;
	WRITE_ONCE(c->remote_closed, true);
	/* The thread tells, after what comes first: whether a send that runs
	 * was a success decides if this is an end in order; and what was
	 * announced is fetched.
	 */
	if (c->rx.announced > 0 && atw_conn_is_open(c) && atw_conn_is_stream(c))
		c->rx.fetch = true;
	if (atw_conn_is_opening(c) || c->rx.fetch || c->tx.sending ||
	    !skb_queue_empty(&c->rx.unverified) ||
	    (c->id != ATW_NO_ID && cs->rx.reading == c->id))
		return;
	if (!atw_conns_has_link(cs))
		atw_conn_end(c, -ENETDOWN, 0);
	else if (c->tx.queued || atw_tt_is_cut(cs, c))
		atw_conn_end(c, -ECONNRESET, 0);
	else if (!atw_conn_is_to_ask(cs, c))
		atw_conn_end(c, 0, 0);
}

/**
 * atw_conn_end_sure() - it is not for want of a network that the peer is gone, if it is
 * @cs: the connections
 * @c: the connection
 *
 * Context: @c->lock is held.
 */
void atw_conn_end_sure(struct atw_conns *cs, struct atw_conn *c)
{
	lockdep_assert_held(&c->lock);

	if (!c->remote_closed || c->err)
		return;
	c->close = ATW_CLOSE_SURE;
	atw_conn_remote_end(cs, c);
}

/**
 * atw_conns_ask_ends() - the module is about to be asked for its network
 * @cs: the connections
 *
 * Context: the channel's thread.
 * Return: false: nothing has ended for which it is to be.
 */
bool atw_conns_ask_ends(struct atw_conns *cs)
{
	struct atw_conn *c;
	bool any = false;

	spin_lock(&cs->lock);
	list_for_each_entry(c, &cs->list, node) {
		spin_lock(&c->lock);
		if (c->close == ATW_CLOSE_TOLD)
			c->close = ATW_CLOSE_ASKED;
		any |= c->close == ATW_CLOSE_ASKED && atw_conn_is_open(c);
		spin_unlock(&c->lock);
	}
	spin_unlock(&cs->lock);
	return any;
}

/**
 * atw_conns_answer_ends() - the module was asked for its network
 * @cs: the connections, of which atw_conns_ask_ends() has told
 * @sure: it has the network, and the address, that it had; else it is to be asked again
 *
 * Context: the channel's thread.
 */
void atw_conns_answer_ends(struct atw_conns *cs, bool sure)
{
	struct atw_conn *c;

	spin_lock(&cs->lock);
	list_for_each_entry(c, &cs->list, node) {
		spin_lock(&c->lock);
		if (c->close == ATW_CLOSE_ASKED && sure)
			atw_conn_end_sure(cs, c);
		else if (c->close == ATW_CLOSE_ASKED)
			c->close = ATW_CLOSE_TOLD;
		spin_unlock(&c->lock);
	}
	spin_unlock(&cs->lock);
	if (!sure)
		atw_channel_alarm(cs->ch, atw_timing.end);
}

/**
 * atw_conns_note_asking() - the module is asked for its network, or has been
 * @cs: the connections
 * @asking: it is: an end is not believed for want of an answer meanwhile
 *
 * Context: the channel's thread.
 */
void atw_conns_note_asking(struct atw_conns *cs, bool asking)
{
	spin_lock(&cs->lock);
	cs->audit.asking = asking;
	spin_unlock(&cs->lock);
}

/**
 * atw_conns_end_late() - ends for which the module could not be asked are believed
 * @cs: the connections
 * @busy: it cannot be, and has said nothing of its network; else they wait on
 *
 * Context: process context.
 */
void atw_conns_end_late(struct atw_conns *cs, bool busy)
{
	struct atw_conn *c;
	bool more = false;

	spin_lock(&cs->lock);
	list_for_each_entry(c, &cs->list, node) {
		spin_lock(&c->lock);
		if (busy && !cs->audit.asking && c->close == ATW_CLOSE_TOLD &&
		    jiffies - c->closed_at >= atw_timing.end)
			atw_conn_end_sure(cs, c);
		more |= c->close == ATW_CLOSE_TOLD && atw_conn_is_open(c);
		spin_unlock(&c->lock);
	}
	spin_unlock(&cs->lock);
	if (more)
		atw_channel_alarm(cs->ch, atw_timing.end);
}

/**
 * atw_conns_hear() - an event that concerns connections
 * @cs: the connections
 * @ev: the event
 *
 * Context: the receive path.
 */
void atw_conns_hear(struct atw_conns *cs, const struct atw_event *ev)
{
	bool settled, flood = false;
	struct atw_conn *c;

	switch (ev->type) {
	case ATW_EV_EMPTY:
		/* There are no bytes in that, whoever it was for. */
		if (ev->id == cs->rx.reading)
			cs->rx.read_empty = true;
		else
			atw_conns_explain(cs);
		break;
	case ATW_EV_UNEXPECTED:
		atw_conns_explain(cs);
		return;
	case ATW_EV_DAMAGE:
		atw_conns_damage(cs);
		return;
	case ATW_EV_CHILD:
		atw_conns_accepted(cs, ev->id, ev->id2);
		return;
	default:
		break;
	}

	if (ev->type == ATW_EV_DOUBTFUL && ev->id == ATW_NO_ID) {
		atw_conns_end_doubtful(cs);
		return;
	}
	if (ev->type == ATW_EV_DOUBTFUL && cs->rx.conn) {
		atw_conns_payload_end(cs, ev);
		return;
	}
	c = atw_conns_get(cs, ev->id);
	if (ev->type == ATW_EV_PENDING && atw_conns_is_header(cs, c, ev->len)) {
		if (c && ev->len)
			atw_conns_note_passive(cs);
		atw_conn_put(c);
		atw_conns_damage(cs);
		return;
	}
	settled = !atw_channel_is_unsettled(cs->ch);
	if (!c && ev->type == ATW_EV_PENDING && ev->len && settled)
		c = atw_conns_guess_child(cs, ev->id);
	/* A remote may say so. What the module's table says of it is about to be looked at. */
	if (!settled && ev->type != ATW_EV_PENDING && ev->type != ATW_EV_DOUBTFUL) {
		atw_conn_put(c);
		return;
	}
	/* That is said of what was deleted before, whoever has asked for that. */
	if (!c && ev->type != ATW_EV_AUTODEL)
		c = atw_conns_note_orphan(cs, ev->id);
	if (!c) {
		/* A header that lost its comma makes an announcement of digits. */
		if (ev->type == ATW_EV_PENDING && !atw_conns_knows_of(cs, ev->id))
			atw_conns_damage(cs);
		if ((ev->type == ATW_EV_PENDING && ev->len) || ev->type == ATW_EV_RECONNECT)
			atw_conns_add_stale(cs, ev->id);
		return;
	}
	if (ev->type == ATW_EV_PENDING)
		atw_conns_forget_zombies(cs);
	spin_lock(&c->lock);
	/*
	 * A module that has restarted has nothing to say of what it had before. But nor does
	 * it say that something is doubtful: that is how its words look to us.
	 */
	if (ev->type != ATW_EV_DOUBTFUL)
		atw_conn_believe(cs, c, ATW_DOUBT_BOOT, cs->audit.query + 1);
	switch (ev->type) {
	case ATW_EV_DOUBTFUL:
		atw_conn_disbelieve(cs, c);
		break;
	case ATW_EV_DISCONNECT:
		atw_conn_dispute(cs, c);
		atw_conn_remote_end(cs, c);
		break;
	case ATW_EV_RECONNECT:
		/* So soon that neither time nor a look at it tells in other modes. */
		if (c->remote_closed && jiffies - c->closed_at < atw_timing.tt_trust / 2)
			cs->learned.anew_soon = true;
		/* Another stream under the same id: nothing of it may pass, but by a network. */
		if (c->close != ATW_CLOSE_NONE)
			atw_conn_end_sure(cs, c);
		atw_conn_end(c, -ECONNRESET, 0);
		break;
	case ATW_EV_AUTODEL:
		atw_conn_auto_deleted(cs, c);
		break;
	case ATW_EV_PENDING:
		atw_conn_dispute(cs, c);
		atw_conn_pending(cs, c, ev->len);
		flood = atomic_read(&cs->kept.bytes) > ATW_KEPT_HARD;
		break;
	default:
		break;
	}
	spin_unlock(&c->lock);
	atw_conn_put(c);
	if (flood)
		atw_conns_end_several(cs, -ECONNRESET, ATW_END_STREAMS);
	atw_sched_set(cs->sched, ATW_DO_CONNS);
}
