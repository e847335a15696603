// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that read more slowly than the serial line is.
 *
 * The module cannot be told to stop for one of its connections. What a program does not
 * read is kept for it up to a limit, past which its connection ends. From three quarters of
 * that on nothing is taken from the UART for a moment before each piece, if the transport can
 * hold what the module sends meanwhile.
 *
 * All others wait for as long, so that the line is not stopped for longer than it was free
 * before: by the clock, or, where it carries more than its rate says, as a pty does, by the
 * time that its bytes take at that rate. So whatever somebody does, half of the line is left.
 * What that half carries for a program that takes much at a time, and nothing in between, has
 * the last quarter of its memory: whoever reads half as fast as a line of that rate carries is
 * not reset, unless he takes more than that at a time. Who has stopped is.
 */
#include <linux/jiffies.h>
#include <linux/wait.h>

#include "conn_priv.h"

/*
 * At a time. It is less than anybody waits for what the module says: for the word that an
 * accepted connection is deleted, see ATW_AUTODEL_TIMEOUT, or for what is left of an answer. The
 * former may come after several of these.
 */
#define ATW_THROTTLE_MAX	(NSEC_PER_SEC / 4)

/* Is there room for a payload, or nobody any more who wants it? */
static bool atw_conn_has_room(struct atw_conn *c, const struct sk_buff *skb)
{
	bool room;

	spin_lock(&c->lock);
	room = !c->owner || !c->ops->room || c->err || !atw_conn_is_live(c) ||
	       c->ops->room(c, skb);
	spin_unlock(&c->lock);
	return room;
}

/* How long the line may be stopped now, in ns. */
static u64 atw_conns_may_throttle(struct atw_conns *cs)
{
	struct atw_throttle *th = &cs->rx.throttle;
	u64 bytes = atomic64_read(&cs->ch->rx_bytes);
	u32 second = atw_conns_per_second(cs);
	u64 now = atw_conns_now(cs);
	u64 free = now - th->since;

	if (second)
		free = max(free, (bytes - th->bytes) * ((u32)NSEC_PER_SEC / second));
	th->debt -= min(th->debt, free);
	th->since = now;
	th->bytes = bytes;
	return ATW_THROTTLE_MAX - th->debt;
}

/* What the module was about to say of children that it deletes was not read meanwhile. */
static void atw_conns_wait_for_words(struct atw_conns *cs, unsigned long time)
{
	struct atw_conn *c;

	spin_lock(&cs->lock);
	list_for_each_entry(c, &cs->list, node) {
		spin_lock(&c->lock);
		/* Also where it has become due meanwhile. */
		if (atw_conn_is_child(c) && time_before64(get_jiffies_64(), c->not_before + time))
			c->not_before += time;
		spin_unlock(&c->lock);
	}
	spin_unlock(&cs->lock);
}

/**
 * atw_conn_throttle() - take nothing from the UART until a slow program has room
 * @cs: the connections
 * @c: its connection
 * @skb: what is about to come for it
 *
 * If it has none in time, the payload goes into what there is beyond the mark, or ends the
 * connection where that is full.
 *
 * Context: the receive path, or another that holds the channel's rx_lock, which it waits for;
 * sleeps, but no longer than ATW_THROTTLE_MAX.
 */
void atw_conn_throttle(struct atw_conns *cs, struct atw_conn *c, const struct sk_buff *skb)
{
	struct atw_throttle *th = &cs->rx.throttle;
	struct atw_transport *t = cs->ch->transport;
	unsigned long most;
	u64 now, took;

	lockdep_assert_held(&cs->ch->rx_lock);

	if (!t->ops->throttle || !atw_conn_is_stream(c) || atw_conn_has_room(c, skb))
		return;
	most = nsecs_to_jiffies(atw_conns_may_throttle(cs));
	if (!most || !t->ops->throttle(t, true))
		return;
	atomic64_inc(&cs->counts.throttled);
	wait_event_idle_timeout(c->rx.room, atw_conn_has_room(c, skb), most);
	t->ops->throttle(t, false);
	now = atw_conns_now(cs);
	took = now - th->since;
	th->debt = min(th->debt + took, (u64)ATW_THROTTLE_MAX);
	th->since = now;
	atw_conns_wait_for_words(cs, nsecs_to_jiffies(took));
	atw_channel_not_silent(cs->ch);
}

/**
 * atw_conn_read() - the owner has taken something of what had come, or takes no more
 * @c: the connection
 *
 * Context: any.
 */
void atw_conn_read(struct atw_conn *c)
{
	if (wq_has_sleeper(&c->rx.room))
		wake_up(&c->rx.room);
}
