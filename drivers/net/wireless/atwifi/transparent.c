// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transparent mode: one connection has the UART for itself.
 *
 * What the remote sends comes as it is, without the header that each piece has in
 * command mode. Nothing else comes with it: no count, no end of the connection, no
 * answer to what is written. So what is to be sent goes the ordinary way: the mode is
 * left, the bytes are sent by a command, the mode is entered again. The program does not
 * notice. Datagrams alone are written in the mode, see atw_tt_take(), but for these:
 *
 * - a '+', see atw_tt_may_carry();
 * - more than ATW_TT_BUDGET bytes in a row. Nothing holds the host back when the module is
 *   slow: its ring of 2048 bytes overflows in silence;
 * - what comes behind others before it is known that the module has sent those, see
 *   atw_tt_room(): it reads nothing while its network takes nothing.
 *
 * Leaving is by "+++" between silences, and must be certain: a remote may send what
 * looks like the module's OK. So the OK alone is not believed. A command follows
 * that no module knows, with a random name; when the module complains about that
 * name it has left, and all that came before is divided by the only OK in it.
 *
 * A client that is lost is connected again by the module after three seconds,
 * under the same number, and most firmware says nothing of it in this mode. Hence
 * the mode is left once a second to look for the connection, and nothing is taken
 * from it that is not between two looks of less than three seconds.
 *
 * Firmware that mixes its events into the data is asked not to. Where it cannot be
 * asked, data that looks like an event ends the connection: it may be one.
 *
 * The mode lasts as long as nobody else needs the module. It is left for any other
 * command, and entered again when there is none.
 *
 * Datagrams have no boundaries in it. What would end a stream costs them the bytes that
 * it concerns, and what may be the module's own words is not delivered. A server that
 * answers its last peer can do so in this mode alone: what it sends waits for that.
 *
 * What a server has accepted is alone with that server. Others may connect to it all the
 * time, and the module does not tell their bytes apart: so it must tell of them before,
 * and the connection ends when it does.
 */
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "conn_priv.h"
#include "error.h"
#include "timing.h"
#include "trace.h"

/* The module wants more than 20 ms of silence before "+++" where its source is known. */
#define ATW_TT_GUARD		(msecs_to_jiffies(50) + 1)
/*
 * So often it is written where it may have been read together with what was sent before it. Each
 * waits for longer than networks take, for two that are read together are none either.
 */
#define ATW_TT_ESCAPES		2
/* How soon after a look bytes may go, for "+++" has to wait for them. */
#define ATW_TT_PROVED		(HZ * 4 / 10)
/* No other work for so long, and the mode is worth its price. */
#define ATW_TT_SETTLE		(HZ / 5)
/* What is on its way to the module leaves in this part of a second. */
#define ATW_TT_PER_SECOND	4
/* Who takes the device away waits for this and the guard behind it, and cannot be
 * interrupted. It is shorter than some want before "+++", and much longer than any
 * was seen to need.
 */
#define ATW_TT_STOP_GUARD	(HZ / 2)
/* So much is passed on at a time: no program has less room for a datagram. */
#define ATW_TT_SLICE		(ATW_DGRAM_MAX - ATW_TT_TAIL_MAX)
/* A print comes in one piece: after a silence what began like one is none. */
#define ATW_TT_PIECE		(msecs_to_jiffies(40) + 1)

/* Its bytes can no longer be told from others, or may be missing: datagrams go on. */
static void atw_tt_break(struct atw_conns *cs)
{
	struct atw_conn *c = cs->tt.conn;

	if (!c || !atw_conn_is_stream(c))
		return;
	spin_lock(&c->lock);
	if (atw_conn_is_live(c))
		atomic64_inc(&cs->counts.resets);
	atw_conn_end(c, -ECONNRESET, 0);
	spin_unlock(&c->lock);
}

/*
 * Data for the connection; takes @skb. For a slow program nothing more is taken from the
 * UART for a moment, which does not make older what is here.
 */
static void atw_tt_deliver(struct atw_conns *cs, struct sk_buff *skb)
{
	struct atw_conn *c = cs->tt.conn;
	bool stale;

	lockdep_assert_held(&cs->ch->rx_lock);

	if (!c || !skb->len) {
		kfree_skb(skb);
		return;
	}
	atw_conns_note_use(cs, c);
	stale = atw_tt_stale(cs, c);
	if (!stale)
		atw_conn_throttle(cs, c, skb);
	spin_lock(&c->lock);
	if (atw_conn_is_live(c) && stale)
		atw_conn_reset(c, &cs->counts.damaged);
	skb = atw_conn_received(cs, c, skb);
	spin_unlock(&c->lock);
	kfree_skb(skb);
}

/* Keep bytes until it is clear what they are. */
static void atw_tt_keep(struct atw_conns *cs, const u8 *buf, size_t len)
{
	struct atw_tt *tt = &cs->tt;
	size_t n;

	while (len) {
		if (tt->hold_len == ATW_TT_HOLD) {
			/* Too much: only the module's words are of use now. */
			atomic64_inc(&cs->counts.overflows);
			atw_tt_break(cs);
			n = ATW_TT_TAIL_MAX;
			memmove(tt->hold, tt->hold + tt->hold_len - n, n);
			tt->hold_len = n;
			tt->escape_at = 0;
			tt->searched = 0;
			tt->skip = 0;
		}
		n = min_t(size_t, len, ATW_TT_HOLD - tt->hold_len);
		memcpy(tt->hold + tt->hold_len, buf, n);
		tt->hold_len += n;
		buf += n;
		len -= n;
	}
}

/* Pass on what is data, up to what may be none. Returns how many bytes that are. */
static size_t atw_tt_scan_data(struct atw_conns *cs, const u8 *buf, size_t len)
{
	struct atw_tt *tt = &cs->tt;
	struct sk_buff *skb;
	size_t used, n;

	skb = alloc_skb(len + ATW_TT_TAIL_MAX, GFP_KERNEL | __GFP_NOWARN);
	if (!skb) {
		atw_tt_break(cs);
		return len;
	}
	used = atw_tt_scan(&tt->scan, buf, len, skb->data, &n);
	skb_put(skb, n);
	atw_tt_deliver(cs, skb);
	return used;
}

/*
 * It was left: the first @len bytes are data, unless the firmware mixes its events
 * with that. A banner is none of the module's, for it has not restarted.
 */
static void atw_tt_release(struct atw_conns *cs, size_t len)
{
	struct atw_tt *tt = &cs->tt;
	size_t off = tt->skip, end = len, n;
	struct sk_buff *skb;
	long event = -1;

	if (tt->scan.events)
		event = atw_tt_find_event(tt->hold, len);
	if (event >= 0)
		end = event;
	while (off < end) {
		n = min_t(size_t, end - off, ATW_DGRAM_MAX);
		skb = alloc_skb(n, GFP_KERNEL | __GFP_NOWARN);
		if (!skb) {
			atw_tt_break(cs);
			return;
		}
		skb_put_data(skb, tt->hold + off, n);
		atw_tt_deliver(cs, skb);
		off += n;
	}
	if (event < 0)
		return;
	/* Whatever it is: some of it was taken for data. */
	if (off > end)
		atw_tt_break(cs);
	/* Where it tells of accepted connections alone it says nothing of ends. */
	tt->ended = tt->conn && tt->told != ATW_VERB_TELL_ACCEPTS &&
		    atw_tt_is_end(tt->hold + event, len - event, tt->conn->id);
	tt->doubt = !tt->ended;
}

/*
 * Is what is waited for behind "+++", where it was looked for? What was searched is not searched
 * again: a remote may send as much as it likes, in small pieces.
 */
static bool atw_tt_hears(struct atw_tt *tt, long where)
{
	if (where >= 0)
		return true;
	/* It may have begun with the last bytes. */
	if (tt->hold_len > tt->searched + ATW_TT_TAIL_MAX)
		tt->searched = tt->hold_len - ATW_TT_TAIL_MAX;
	return false;
}

/* "+++" was sent: look for what says that it was understood. */
static void atw_tt_listen(struct atw_conns *cs)
{
	struct atw_tt *tt = &cs->tt;
	size_t behind = 0;
	long ok;

	if (tt->phase == ATW_TT_LEAVING &&
	    atw_tt_hears(tt, atw_tt_find_ok(tt->hold, tt->hold_len, tt->searched, &behind))) {
		tt->phase = ATW_TT_HEARD;
		set_bit(ATW_CH_TOLD, &cs->ch->flags);
		atw_channel_kick(cs->ch);
	}
	if (!tt->marker[0] ||
	    !atw_tt_hears(tt, atw_tt_find(tt->hold, tt->hold_len, tt->searched, tt->marker)))
		return;
	ok = atw_tt_split(tt->hold, tt->hold_len, tt->escape_at, tt->marker, &behind);
	tt->phase = ATW_TT_OUT;
	tt->unchecked = true;
	if (ok >= 0) {
		atw_tt_release(cs, ok);
	} else {
		/* The remote talks like a module. */
		atomic64_inc(&cs->counts.damaged);
		atw_tt_break(cs);
		atw_sched_set(cs->sched, ATW_DO_LINK);
	}
	atw_channel_cooked(cs->ch, tt->hold + behind, tt->hold_len - behind);
	tt->hold_len = 0;
	set_bit(ATW_CH_TOLD, &cs->ch->flags);
	atw_channel_kick(cs->ch);
}

/**
 * atw_tt_receive() - bytes came in transparent mode
 * @ctx: the connections
 * @buf: the bytes; NULL: some were lost here
 * @len: how many
 *
 * Context: the receive path.
 */
void atw_tt_receive(void *ctx, const u8 *buf, size_t len)
{
	struct atw_conns *cs = ctx;
	struct atw_tt *tt = &cs->tt;
	size_t used = 0;

	lockdep_assert_held(&cs->ch->rx_lock);

	if (!buf) {
		atomic64_inc(&cs->counts.damaged);
		atw_tt_break(cs);
		return;
	}
	if (tt->phase == ATW_TT_OUT)
		return;		/* where the module is, is not known */
	while (!tt->hold_len && !tt->scan.hit && used < len)
		used += atw_tt_scan_data(cs, buf + used,
					 min_t(size_t, len - used, ATW_TT_SLICE));
	if (!tt->hold_len && !tt->scan.hit) {
		/* What is left has to be passed on some time. */
		if (tt->scan.tail_len > tt->scan.given)
			atw_sched_set(cs->sched, ATW_DO_CONNS);
		return;
	}
	if (!tt->hold_len) {
		/* What the scanner has not passed on is kept, with all that follows it. */
		atw_tt_keep(cs, tt->scan.tail, tt->scan.tail_len);
		tt->skip = tt->scan.given;
		if (tt->phase == ATW_TT_IN) {
			tt->phase = ATW_TT_SUSPECT;
			atw_sched_set(cs->sched, ATW_DO_CONNS);
		}
	}
	atw_tt_keep(cs, buf + used, len - used);
	if (tt->phase >= ATW_TT_LEAVING)
		atw_tt_listen(cs);
}

/* A datagram socket need not be connected; what matters is that it is there. */
static bool atw_tt_row_is_ours(const struct atw_conns *cs,
			       const struct atw_conn *c)
{
	const struct atw_sock_row *row = atw_rows_find(cs, c->id, false);

	if (!row)
		return false;
	return atw_conn_is_stream(c) ? row->status == ATW_SOCK_CONNECTED :
				       row->status != ATW_SOCK_DELETED;
}

/**
 * atw_tt_check() - is the connection that has the mode still there, and the same?
 * @cs: the connections
 *
 * Context: the channel's thread, in command mode.
 * Return: 0, it is known now; or as atw_channel_exec().
 */
int atw_tt_check(struct atw_conns *cs)
{
	u64 before = get_jiffies_64();
	struct atw_tt *tt = &cs->tt;
	bool others;
	int err;

	err = atw_conns_query(cs);
	if (err)
		return err;
	/* Who was accepted in the mode is not announced again, and sends already. */
	others = tt->unchecked && atw_conn_is_child(tt->conn) &&
		 atw_conns_find_unknown(cs, true);
	mutex_lock(&cs->ch->rx_lock);
	tt->doubt |= others;
	if (!atw_tt_row_is_ours(cs, tt->conn)) {
		tt->lost = true;
		/* Whether for want of a network is to be known first. */
		atw_sched_set(cs->sched, ATW_DO_LINK);
		atw_sched_set(cs->sched, ATW_DO_TT_END);
	} else if (atw_tt_stale(cs, tt->conn)) {
		atomic64_inc(&cs->counts.damaged);
		atw_tt_break(cs);
	} else {
		tt->proof = before;
		tt->unproved = 0;
	}
	tt->unchecked = false;
	mutex_unlock(&cs->ch->rx_lock);
	return 0;
}

/* It is not known where the module is, nor what its remote has got. */
static void atw_tt_fail(struct atw_conns *cs)
{
	mutex_lock(&cs->ch->rx_lock);
	atw_tt_break(cs);
	cs->tt.phase = ATW_TT_OUT;
	mutex_unlock(&cs->ch->rx_lock);
	cs->tt.spoiled = true;
	atw_sched_set(cs->sched, ATW_DO_RESET);
}

/* Jiffies for which nothing may be written before "+++". */
static long atw_tt_silence(const struct atw_conns *cs)
{
	unsigned long guard = cs->fw->short_guard ? ATW_TT_GUARD : atw_timing.tt_guard;

	return (long)(cs->tt.sent + guard - jiffies);
}

static int atw_tt_escape(struct atw_conns *cs)
{
	/* What the module has begun to print comes before its answer. */
	long print = atw_channel_wire_time(cs->ch, ATW_PRINT_MAX);
	long timeout = atw_timing.tt_ok, silence = atw_tt_silence(cs);
	struct atw_tt *tt = &cs->tt;
	unsigned int tries = 1;
	struct atw_line line;
	unsigned long quiet;
	char name[ATW_NONCE_LEN];
	int err;

	if (silence > 0) {
		err = atw_channel_sleep(cs->ch, silence);
		if (err)
			return err;
	}

	mutex_lock(&cs->ch->rx_lock);
	/* It sends what it got before it looks at that. */
	if (tt->unproved) {
		timeout = atw_timing.tt_drain;
		tries = ATW_TT_ESCAPES;
	}
	tt->phase = ATW_TT_LEAVING;
	tt->scan.leaving = true;
	tt->escape_at = tt->hold_len;
	tt->searched = tt->hold_len;
	clear_bit(ATW_CH_TOLD, &cs->ch->flags);
	tt->marker[0] = '\0';
	mutex_unlock(&cs->ch->rx_lock);

	do {
		trace_atw_command(cs->ch->dev, ATW_TT_ESCAPE, strlen(ATW_TT_ESCAPE));
		err = atw_channel_raw(cs->ch, ATW_TT_ESCAPE, strlen(ATW_TT_ESCAPE));
		/* Of one that the UART has not taken whole no second one is made. */
		if (err)
			return err;
		quiet = jiffies;
		err = atw_channel_wait(cs->ch, timeout + print);
	} while (err == -ETIMEDOUT && --tries);
	/*
	 * If it was not the module's, "+++" must not be disturbed: but for longer would be too
	 * long between two looks.
	 */
	if (!err && time_before(jiffies, quiet + ATW_TT_GUARD))
		err = atw_channel_sleep(cs->ch, (long)(quiet + ATW_TT_GUARD -
						       jiffies));
	if (err)
		return err;

	atw_channel_nonce(name);
	atw_line_start(&line, name);
	atw_line_end(&line);
	mutex_lock(&cs->ch->rx_lock);
	snprintf(tt->marker, sizeof(tt->marker), "Unknown cmd:%s\r\n", name);
	mutex_unlock(&cs->ch->rx_lock);
	trace_atw_command(cs->ch->dev, line.buf, line.len);
	err = atw_channel_raw(cs->ch, line.buf, line.len);
	if (!err)
		err = atw_channel_wait(cs->ch, atw_timing.cmd + print);
	return err;
}

/**
 * atw_tt_leave() - have the module take commands
 * @cs: the connections
 *
 * When it cannot be left the connection ends with an error, and the module is
 * started over: its remote must not take for a good end what it has got.
 *
 * Context: the channel's thread; sleeps for a few guard times.
 */
void atw_tt_leave(struct atw_conns *cs)
{
	struct atw_tt *tt = &cs->tt;
	int err;

	if (!atw_tt_inside(cs))
		return;
	err = atw_tt_escape(cs);
	trace_atw_final(cs->ch->dev, err, 0);
	if (err) {
		if (err != -ENODEV)
			atw_tt_fail(cs);
		return;
	}
	tt->enter_after = get_jiffies_64() + ATW_TT_SETTLE;
	if (!atw_tt_check(cs) || !(tt->doubt || tt->ended))
		return;
	/* What was dropped is not made good by a question without an answer. */
	mutex_lock(&cs->ch->rx_lock);
	atw_tt_break(cs);
	mutex_unlock(&cs->ch->rx_lock);
}

/* Does the server that has accepted it go on? */
static bool atw_tt_is_served(struct atw_conns *cs, const struct atw_conn *c)
{
	struct atw_conn *server = c->child.server;
	bool open;

	lockdep_assert_held(&cs->lock);

	if (!server || list_empty(&server->node))
		return false;
	spin_lock(&server->lock);
	open = server->owner && atw_conn_is_open(server) && server->wish == ATW_WISH_STAY;
	spin_unlock(&server->lock);
	return open;
}

/**
 * atw_tt_is_alone() - is there nothing but this connection, and its server if it has one?
 * @cs: the connections
 * @c: one that has, or is to have, transparent mode
 *
 * Context: the channel's thread.
 * Return: true if so.
 */
bool atw_tt_is_alone(struct atw_conns *cs, struct atw_conn *c)
{
	bool alone;

	spin_lock(&cs->lock);
	alone = !list_empty(&c->node) && !cs->ids.nstale;
	if (atw_conn_is_child(c))
		alone = alone && cs->n == 2 && atw_tt_is_served(cs, c);
	else
		alone = alone && cs->n == 1;
	spin_unlock(&cs->lock);
	return alone && atw_conns_has_link(cs) && !cs->mode.passive;
}

/**
 * atw_tt_is_fit() - is nothing on its way that the mode could not carry?
 * @c: the connection that has, or is to have, it
 *
 * Context: the channel's thread.
 * Return: 0; -ENOTCONN, it is about to end; -EAGAIN, something is.
 */
int atw_tt_is_fit(struct atw_conn *c)
{
	bool goes;
	int err = 0;

	spin_lock(&c->lock);
	goes = c->wish != ATW_WISH_STAY &&
	       !(c->wish == ATW_WISH_DRAIN && atw_conn_is_raw_only(c) && c->tx.queued);
	if (!atw_conn_is_open(c) || goes || c->err || c->remote_closed)
		err = -ENOTCONN;
	else if (c->rx.fetch || c->serve.renew || c->rx.announced > 0 ||
		 !skb_queue_empty(&c->rx.unverified) || !skb_queue_empty(&c->rx.blocked))
		err = -EAGAIN;
	spin_unlock(&c->lock);
	return err;
}

/* May the connection that has the mode, or is to have it again, keep it? */
static bool atw_tt_may_stay(struct atw_conns *cs)
{
	return atw_tt_is_alone(cs, cs->tt.conn) && !atw_tt_is_fit(cs->tt.conn);
}

/*
 * What may be written at once. As long as it is on its way the mode cannot be left.
 *
 * A module that waits for its network reads what has come meanwhile in one go, and "+++" is none
 * then: it goes to the remote as data. Behind what was written in one go it stands alone, however
 * long that takes. Where it comes late enough for most networks, and every message to the last
 * peer would have to wait for as long, those may follow others.
 */
static u32 atw_tt_room(const struct atw_conns *cs)
{
	const struct atw_tt *tt = &cs->tt;
	u32 room = ATW_TT_BUDGET - tt->unproved;

	if (tt->unproved && (cs->fw->short_guard || !atw_conn_is_raw_only(tt->conn)))
		return 0;
	return cs->ch->baud ? min(room, cs->ch->baud / 10 / ATW_TT_PER_SECOND) : room;
}

/*
 * Take what waits to be sent, if all of it can go in transparent mode, or a part of it
 * where it goes so or not at all: a copy to @buf. Returns false if the mode is to be left
 * for it.
 *
 * Nothing of a stream goes so. A remote that does not read keeps the module from looking at
 * what is behind that: at "+++", and at the commands that follow it when the remote has said
 * what the module would say. It would be told of everybody's.
 */
static bool atw_tt_take(struct atw_conns *cs, u8 *buf, u32 *len)
{
	u32 off, part, room = atw_tt_room(cs), n = 0;
	struct atw_tt *tt = &cs->tt;
	struct atw_conn *c = tt->conn;
	struct sk_buff *skb;
	bool may;

	spin_lock(&c->lock);
	if (atw_conn_is_stream(c))
		may = !c->tx.queued;
	else
		may = c->tx.queued <= room || (room && atw_conn_is_raw_only(c));
	off = c->tx.off;
	skb_queue_walk(&c->tx.q, skb) {
		if (!may || n == room)
			break;
		part = min(skb->len - off, room - n);
		memcpy(buf + n, skb->data + off, part);
		n += part;
		off = 0;
	}
	may = may && atw_tt_may_carry(buf, n) &&
	      (!n || atw_conn_is_raw_only(c) ||
	       time_before64(get_jiffies_64(), tt->proof + ATW_TT_PROVED));
	c->tx.sending = may && n;
	if (c->tx.sending)
		c->tx.new_flow = false;
	*len = n;
	spin_unlock(&c->lock);
	return may;
}

/*
 * Is something to be sent for which there is no other way? Who waits for the module would
 * else, by asking again and again, keep it from ever being sent: the mode is left after that.
 */
static bool atw_tt_must_send(const struct atw_conns *cs)
{
	struct atw_conn *c = cs->tt.conn;

	return atw_conn_is_raw_only(c) && atw_conn_unsent(c) && atw_tt_room(cs) &&
	       !atw_tt_is_fit(c);
}

/* Write to the one connection. Returns false if that is not the way. */
static bool atw_tt_send(struct atw_conns *cs, bool *sent)
{
	struct atw_tt *tt = &cs->tt;
	struct atw_conn *c = tt->conn;
	struct sk_buff_head done;
	u8 *buf;
	u32 n;
	int err;

	buf = kmalloc(ATW_TT_BUDGET, GFP_KERNEL);
	if (!buf)
		return false;
	if (!atw_tt_take(cs, buf, &n)) {
		kfree(buf);
		return false;
	}
	*sent = n;
	if (!n)
		goto free;

	trace_atw_payload(cs->ch->dev, true, c->id, n);
	err = atw_channel_raw(cs->ch, buf, n);
	atw_conns_note_use(cs, c);
	/* Nobody tells when they have left: USB adapters have buffers of their own. */
	tt->sent = jiffies + atw_channel_wire_time(cs->ch, n);
	tt->unproved += n;
	__skb_queue_head_init(&done);
	spin_lock(&c->lock);
	c->tx.sending = false;
	/* Whoever stops the channel says why it ends. */
	if (err != -ENODEV)
		atw_conn_sent(c, n, &done);
	atw_conn_send_over(c, err);
	spin_unlock(&c->lock);
	__skb_queue_purge(&done);
	if (err)
		atw_conns_command_failed(cs, err);
free:
	kfree(buf);
	return true;
}

/**
 * atw_tt_do_end() - the connection that had transparent mode is not there any more
 * @cs: the connections
 *
 * Context: the channel's thread.
 * Return: false if that is known already.
 */
bool atw_tt_do_end(struct atw_conns *cs)
{
	struct atw_tt *tt = &cs->tt;
	struct atw_conn *c = tt->conn;

	if (!c || !tt->lost)
		return false;
	tt->lost = false;
	if (!atw_conn_is_stream(c)) {
		/* It is opened anew, or its owner is told, where the module does not have it. */
		atw_tt_drop(cs);
		atw_sched_set(cs->sched, ATW_DO_RECONCILE);
		return true;
	}
	mutex_lock(&cs->ch->rx_lock);
	spin_lock(&c->lock);
	/* It has ended in order, as far as that can be known. */
	if (atw_tt_is_cut(cs, c))
		atw_conn_end(c, atw_conns_has_link(cs) ? -ECONNRESET : -ENETDOWN, 0);
	else
		atw_conn_remote_end(cs, c);
	/* The module was asked for its network since then. */
	atw_conn_end_sure(cs, c);
	spin_unlock(&c->lock);
	mutex_unlock(&cs->ch->rx_lock);
	return true;
}

/**
 * atw_tt_drop() - no connection is to have the mode any more
 * @cs: the connections
 *
 * A stream of which it was not asked since then whether it is the same ends with an error:
 * nobody will ask any more.
 *
 * What could be sent in no other way is lost, and nothing is sent until its owner has said
 * that commands will do: they are for another peer.
 *
 * Context: the channel's thread, or when that has ended.
 */
void atw_tt_drop(struct atw_conns *cs)
{
	struct atw_tt *tt = &cs->tt;
	struct atw_conn *c = tt->conn;

	mutex_lock(&cs->ch->rx_lock);
	if (tt->unchecked || tt->doubt)
		atw_tt_break(cs);
	tt->conn = NULL;
	mutex_unlock(&cs->ch->rx_lock);
	if (!c)
		return;
	spin_lock(&c->lock);
	if (atw_conn_is_raw_only(c)) {
		atw_conn_purge_tx(c);
		c->tx.no_way = true;
	}
	c->transparent = 0;
	spin_unlock(&c->lock);
	atw_conn_put(c);
}

/* Data that an opening may begin with has waited long enough. */
static void atw_tt_flush(struct atw_conns *cs)
{
	struct atw_tt *tt = &cs->tt;
	struct sk_buff *skb;

	mutex_lock(&cs->ch->rx_lock);
	if (tt->phase == ATW_TT_IN && tt->scan.tail_len > tt->scan.given &&
	    atw_channel_silent(cs->ch, ATW_TT_PIECE)) {
		skb = alloc_skb(ATW_TT_TAIL_MAX, GFP_KERNEL | __GFP_NOWARN);
		if (skb) {
			skb_put(skb, atw_tt_scan_flush(&tt->scan, skb->data));
			atw_tt_deliver(cs, skb);
		} else {
			atw_tt_break(cs);
		}
	}
	mutex_unlock(&cs->ch->rx_lock);
}

/* When to look at the mode again, if nothing happens before. */
static void atw_tt_look_later(struct atw_conns *cs)
{
	const struct atw_tt *tt = &cs->tt;
	unsigned long when = tt->proof + atw_timing.tt_look;

	mutex_lock(&cs->ch->rx_lock);
	if (tt->scan.tail_len > tt->scan.given)
		when = atw_channel_heard(cs->ch) + ATW_TT_PIECE;
	mutex_unlock(&cs->ch->rx_lock);
	atw_sched_at(cs->sched, ATW_DO_CONNS, when);
}

/*
 * The module gave no answer to that when the mode was left, and may since have connected
 * anew: nothing is sent before it has.
 */
static void atw_tt_check_again(struct atw_conns *cs)
{
	int err = atw_tt_check(cs);

	if (!err || err == -ENODEV)
		return;
	mutex_lock(&cs->ch->rx_lock);
	atw_tt_break(cs);
	mutex_unlock(&cs->ch->rx_lock);
}

/**
 * atw_tt_carry() - what there is to do for the connection that is to have the mode
 * @cs: the connections, one of which is to have it
 *
 * In the mode that is all that can be done for connections.
 *
 * Context: the channel's thread.
 * Return: false if there was nothing to do.
 */
bool atw_tt_carry(struct atw_conns *cs)
{
	struct atw_tt *tt = &cs->tt;
	bool sent = false;
	bool look;

	if (!atw_tt_inside(cs)) {
		if (!atw_conn_is_open(tt->conn)) {
			atw_tt_drop(cs);
		} else if (tt->unchecked && atw_conn_is_stream(tt->conn)) {
			atw_tt_check_again(cs);
			return true;
		} else if (atw_conn_unsent(tt->conn) && !atw_conn_is_raw_only(tt->conn)) {
			tt->enter_after = get_jiffies_64() + ATW_TT_SETTLE;
		}
		return false;
	}
	atw_tt_flush(cs);
	look = time_after_eq64(get_jiffies_64(), tt->proof + atw_timing.tt_look);
	if (!look && atw_tt_phase(cs) == ATW_TT_IN &&
	    (atw_tt_may_stay(cs) || atw_tt_must_send(cs)) && atw_tt_send(cs, &sent)) {
		if (!sent)
			atw_tt_look_later(cs);
		return sent;
	}
	atw_tt_leave(cs);
	/* Only to look: what else there is to do is done in between. */
	if (look || atw_conn_is_raw_only(tt->conn))
		tt->enter_after = 0;
	return true;
}

/*
 * Have the module keep its events back, where it knows how; but tell of others that it
 * accepts, where their bytes would be taken for those of the connection.
 */
static int atw_tt_hush(struct atw_conns *cs)
{
	bool children = atw_conn_is_child(cs->tt.conn);
	enum atw_verb verb = children ? ATW_VERB_TELL_ACCEPTS : ATW_VERB_HUSH;
	int err;

	if (cs->tt.told != verb) {
		/* Which it keeps back nobody knows until it has answered. */
		cs->tt.told = ATW_VERB_RESET;
		err = atw_channel_ask(cs->ch, verb, atw_timing.cmd, NULL, NULL);
		if (err && !atw_cmd_refused(err)) {
			atw_conns_command_failed(cs, err);
			return err;
		}
		cs->tt.quiet = !err;
		cs->tt.told = verb;
	}
	return children && !cs->tt.quiet ? -EOPNOTSUPP : 0;
}

static enum atw_verb atw_tt_verb(struct atw_conn *c)
{
	if (c->type != ATW_TYPE_UDP_SERVER)
		return ATW_VERB_TRANSPARENT;
	return atw_conn_is_raw_only(c) ? ATW_VERB_TT_LAST : ATW_VERB_TT_FIRST;
}

/**
 * atw_tt_do_enter() - enter transparent mode
 * @cs: the connections, one of which is to have it
 *
 * Context: the channel's thread, in command mode.
 * Return: 0; -ENOTCONN, the connection is lost; -EOPNOTSUPP, it was accepted, and the
 * module does not tell of others; -ENOMEM; or as atw_channel_exec().
 */
int atw_tt_do_enter(struct atw_conns *cs)
{
	struct atw_cmd cmd = { .timeout = atw_timing.cmd, .raw = true };
	struct atw_tt *tt = &cs->tt;
	int err;

	if (!tt->hold)
		tt->hold = kvmalloc(ATW_TT_HOLD, GFP_KERNEL);
	if (!tt->hold)
		return -ENOMEM;
	err = atw_tt_hush(cs);
	if (err)
		return err;
	if (time_after_eq64(get_jiffies_64(), tt->proof + ATW_TT_PROVED) || tt->unchecked) {
		err = atw_tt_check(cs);
		if (err || tt->lost)
			return err ?: -ENOTCONN;
	}

	mutex_lock(&cs->ch->rx_lock);
	/* Another one may have been accepted since that was asked for. */
	if (atw_conn_is_child(tt->conn) && !atw_tt_is_alone(cs, tt->conn)) {
		mutex_unlock(&cs->ch->rx_lock);
		return -EBUSY;
	}
	atw_tt_scan_init(&tt->scan, !tt->quiet || tt->told == ATW_VERB_TELL_ACCEPTS);
	tt->hold_len = 0;
	tt->skip = 0;
	tt->ended = false;
	tt->doubt = false;
	tt->unchecked = true;
	tt->phase = ATW_TT_IN;
	mutex_unlock(&cs->ch->rx_lock);

	atw_line_verb(&cmd.line, cs->ch->dialect, atw_tt_verb(tt->conn));
	err = atw_channel_exec(cs->ch, &cmd);
	tt->sent = jiffies;
	if (!err) {
		atomic64_inc(&tt->entries);
		return 0;
	}
	if (atw_cmd_refused(err) || err == -EBUSY) {
		mutex_lock(&cs->ch->rx_lock);
		tt->phase = ATW_TT_OUT;
		tt->unchecked = false;
		tt->doubt = false;
		mutex_unlock(&cs->ch->rx_lock);
	} else if (err != -ENODEV) {
		/* Where it is now is not known. */
		atw_tt_fail(cs);
	}
	return err == -EREMOTEIO ? cs->ch->dialect->error(cmd.code)->err : err;
}

/**
 * atw_tt_enter() - there is no other work: enter transparent mode again
 * @cs: the connections
 *
 * Context: the channel's thread.
 * Return: true if it was tried.
 */
bool atw_tt_enter(struct atw_conns *cs)
{
	struct atw_tt *tt = &cs->tt;
	int err;

	if (!tt->conn || tt->lost || atw_tt_inside(cs))
		return false;
	if (time_before64(get_jiffies_64(), tt->enter_after)) {
		atw_sched_at(cs->sched, ATW_DO_ENTER, tt->enter_after);
		return false;
	}
	/* Whatever is in the way has the connections looked at when it goes. */
	if (!atw_tt_may_stay(cs))
		return false;
	err = atw_tt_do_enter(cs);
	if (err)
		tt->enter_after = get_jiffies_64() + atw_timing.tt_retry;
	return true;
}

/**
 * atw_tt_stop() - the device goes away
 * @ctx: the connections
 *
 * Who looks for the module next does not know what mode it is in, and what it
 * writes to find out must not go to a remote.
 *
 * Context: the channel's thread, which ends.
 */
void atw_tt_stop(void *ctx)
{
	struct atw_conns *cs = ctx;
	long silence = atw_tt_silence(cs);

	if (!atw_tt_inside(cs) || cs->tt.phase >= ATW_TT_LEAVING)
		return;
	if (silence > 0)
		schedule_timeout_idle(min_t(long, silence, ATW_TT_STOP_GUARD));
	atw_channel_farewell(cs->ch, ATW_TT_ESCAPE, strlen(ATW_TT_ESCAPE));
	schedule_timeout_idle(ATW_TT_GUARD);
}

/**
 * atw_tt_forget() - the module has started again, or the device goes away
 * @cs: the connections, all of which were ended
 *
 * What transparent mode has taken is free then.
 *
 * Context: the channel's thread, or when that has ended.
 */
void atw_tt_forget(struct atw_conns *cs)
{
	atw_tt_drop(cs);
	mutex_lock(&cs->ch->rx_lock);
	cs->tt.phase = ATW_TT_OUT;
	cs->tt.unchecked = false;
	kvfree(cs->tt.hold);
	cs->tt.hold = NULL;
	mutex_unlock(&cs->ch->rx_lock);
	cs->tt.lost = false;
	cs->tt.told = ATW_VERB_RESET;
}
