// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is sent: one command for it at a time, by the channel's thread, of a size that the
 * module has memory for.
 */
#include <linux/device.h>
#include <linux/jiffies.h>
#include <linux/skbuff.h>

#include "conn_priv.h"
#include "error.h"
#include "format.h"
#include "timing.h"
#include "trace.h"

/* A quantum has at least so many bytes, however slow the wire is. */
#define ATW_QUANTUM_MIN		256
/* What a wire whose rate is not known is taken for. */
#define ATW_QUANTUM_BAUD	921600
/* A message is small up to here, if nothing waits behind it. */
#define ATW_MESSAGE_MAX		256
/* Refused for want of memory, no less than this is tried ... */
#define ATW_CHUNK_SMALL		128
/* ... but the same again, for two seconds. */
#define ATW_NOMEM_PAUSE		(HZ / 10)
#define ATW_NOMEM_TRIES		20
/* After so many sends of full size a larger one is tried. */
#define ATW_CHUNK_GOOD		64

/*
 * Into so many quanta a second of the wire is divided. One costs the one that has it
 * some 5 ms beside its bytes, for the prompt, the answers and the module's polls, and
 * others the time that it takes: who is alone has long ones, and who shares the module
 * with somebody at a keyboard short ones.
 */
static const u8 atw_quanta[] = {
	[ATW_CROWD_NONE] = 5,
	[ATW_CROWD_BULK] = 8,
	[ATW_CROWD_QUIET] = 20,
	[ATW_CROWD_CHAT] = 50,
};

static u32 atw_conns_quantum(struct atw_conns *cs, struct atw_conn *c, enum atw_crowd crowd)
{
	u32 rate = (cs->ch->baud ?: ATW_QUANTUM_BAUD) / 10;
	u32 quantum = max_t(u32, rate / atw_quanta[crowd], ATW_QUANTUM_MIN);

	lockdep_assert_held(&c->lock);

	if (!atw_conn_is_stream(c))
		return skb_peek(&c->tx.q)->len;
	return min3(c->tx.queued, min(quantum, cs->ch->dialect->send_max), cs->pace.chunk);
}

/* Take @n bytes off the queue; what is empty by that is to be freed unlocked. */
static void atw_conn_consume(struct atw_conn *c, u32 n, struct sk_buff_head *done)
{
	struct sk_buff *skb;
	u32 part;

	lockdep_assert_held(&c->lock);

	while (n && (skb = skb_peek(&c->tx.q))) {
		part = min(n, skb->len - c->tx.off);
		n -= part;
		c->tx.off += part;
		c->tx.queued -= part;
		if (c->tx.off == skb->len) {
			__skb_unlink(skb, &c->tx.q);
			__skb_queue_tail(done, skb);
			c->tx.off = 0;
		}
	}
}

/**
 * atw_conn_sent() - the module has taken bytes
 * @c: the connection, whose lock is held
 * @n: how many
 * @done: the buffers that are empty by that, to be freed without the lock
 */
void atw_conn_sent(struct atw_conn *c, u32 n, struct sk_buff_head *done)
{
	atw_conn_consume(c, n, done);
	c->tx.bytes += n;
}

/**
 * atw_conn_send_over() - a send has ended, and all that follows from that is done
 * @c: the connection, whose lock is held
 * @err: 0 if it was a success
 */
void atw_conn_send_over(struct atw_conn *c, int err)
{
	lockdep_assert_held(&c->lock);

	if (c->wish == ATW_WISH_GO || !atw_conn_is_live(c))
		atw_conn_purge_tx(c);
	else if (!err && c->owner)
		c->ops->tx_done(c);
}

/*
 * Can what is next go within a line, which saves a turn? Copies it; returns its
 * length, 0 if not.
 */
static u32 atw_conns_line_data(struct atw_conns *cs, struct atw_conn *c, u32 len,
			       char *buf)
{
	struct sk_buff *skb = skb_peek(&c->tx.q);
	u32 off = c->tx.off, got = 0, n;

	lockdep_assert_held(&c->lock);

	/* What was refused so goes the other way. */
	if (!cs->ch->dialect->verb[ATW_VERB_SEND_LINE] || c->tx.refused ||
	    cs->learned.lines_refused >= ATW_LINES_REFUSED || len > ATW_LINE_DATA_MAX)
		return 0;
	while (got < len) {
		n = min(len - got, skb->len - off);
		memcpy(buf + got, skb->data + off, n);
		got += n;
		off = 0;
		skb = skb->next;
	}
	return atw_data_fits_line(buf, len) ? len : 0;
}

/* A send of @n bytes was refused before one of them had gone: again later? */
static bool atw_conns_send_again(struct atw_conns *cs, struct atw_conn *c,
				 const struct atw_cmd *cmd, u32 n, int err,
				 enum atw_outcome outcome)
{
	lockdep_assert_held(&c->lock);

	/*
	 * A line that is not known, or not taken, sends nothing. That of one may have
	 * been damaged; none for so many is one that the firmware cannot read.
	 */
	if (!cmd->payload &&
	    (err == -EOPNOTSUPP || (err == -EREMOTEIO && outcome >= ATW_UNSUPPORTED &&
				    outcome <= ATW_LONG_LINE))) {
		c->tx.refused++;
		if (err == -EOPNOTSUPP)
			cs->learned.lines_refused = ATW_LINES_REFUSED;
		else
			cs->learned.lines_refused++;
		return true;
	}
	if (err != -EREMOTEIO || cmd->sent || outcome != ATW_NO_MEMORY)
		return false;
	if (atw_conn_is_stream(c) && n > ATW_CHUNK_SMALL) {
		/* Ask for less. */
		cs->pace.chunk = max_t(u32, min(cs->pace.chunk, n) / 2, ATW_CHUNK_SMALL);
		cs->pace.chunk_max = cs->pace.chunk;
		cs->pace.chunk_good = 0;
		return true;
	}
	/* Less is of no use: ask later. */
	cs->pace.send_after = get_jiffies_64() + ATW_NOMEM_PAUSE;
	return ++c->tx.refused < ATW_NOMEM_TRIES;
}

/*
 * All bytes of a send were written, and no answer came. If it was the first of its
 * size that may be the reason: some firmware loses what is longer than it splits by
 * itself. There is no more to be had than to learn of it once. But a module that waits for a
 * remote that does not read says nothing, either: it takes no commands meanwhile, and when he
 * reads on it answers the send before those, if not as the patience for it ended. @strays:
 * answers that nobody had awaited any more before it.
 */
static void atw_conns_swallowed(struct atw_conns *cs, u32 n, unsigned int strays)
{
	s64 unexplained = atomic64_read(&cs->counts.unexplained);

	if (n <= max_t(u32, cs->proved.chunk, ATW_CHUNK_MIN))
		return;
	if (atw_channel_run(cs->ch, "AT", HZ) || atw_channel_settle(cs->ch) ||
	    atw_channel_strays(cs->ch) != strays ||
	    atomic64_read(&cs->counts.unexplained) != unexplained)
		return;
	cs->proved.small_sends = true;
	cs->pace.chunk = ATW_CHUNK_MIN;
	cs->pace.chunk_max = ATW_CHUNK_MIN;
	cs->pace.chunk_limit = ATW_CHUNK_MIN;
	dev_warn(cs->ch->dev,
		 "no answer to the first send of %u bytes, from now on %u are sent at a time\n",
		 n, ATW_CHUNK_MIN);
}

/*
 * Does the module have the remote of a connection yet, according to its table? If he is gone, a
 * refused send may be his doing.
 */
static bool atw_conns_has_remote(struct atw_conns *cs, struct atw_conn *c, u32 id)
{
	const struct atw_sock_row *row;

	if (atw_conns_query(cs))
		return false;
	row = atw_rows_find(cs, id, atw_conn_is_child(c));
	return row && row->status == ATW_SOCK_CONNECTED && !READ_ONCE(c->remote_closed);
}

/*
 * Why was a send refused? Where the firmware gives no reason, and the remote is there yet, it
 * most likely had no memory. Of a line, which needs next to none, it may not understand any;
 * whether it has sent what was in this one is not known.
 */
static enum atw_outcome atw_conns_refusal(struct atw_conns *cs, struct atw_conn *c,
					  const struct atw_cmd *cmd, u32 id)
{
	if (!cmd->code && cmd->sent)
		return ATW_NOT_SENT;
	/* A number that it has cut short would be refused as well. */
	if (cmd->code || id > ATW_ID_MAX || !atw_conns_has_remote(cs, c, id))
		return cs->ch->dialect->error(cmd->code)->outcome;
	if (cmd->payload)
		return ATW_NO_MEMORY;
	cs->learned.lines_refused++;
	return ATW_FAILED;
}

/*
 * A send was refused, of more than all firmware takes. Where that may be the reason everybody
 * sends less, until as many of those were a success as it takes to try for more.
 */
static void atw_conns_too_much(struct atw_conns *cs, struct atw_conn *c, u32 id)
{
	if (!atw_conns_has_remote(cs, c, id))
		return;
	cs->pace.chunk = ATW_CHUNK_MIN;
	cs->pace.chunk_max = ATW_CHUNK_MIN;
	cs->pace.chunk_good = 0;
}

/* A send of full size was a success: try for more. */
static void atw_conns_grow(struct atw_conns *cs)
{
	cs->pace.chunk = min(2 * cs->pace.chunk, cs->pace.chunk_max);
	if (cs->pace.chunk < cs->pace.chunk_max || cs->pace.chunk_max >= cs->pace.chunk_limit)
		return;
	/* What it once had no memory for it may have now. */
	if (++cs->pace.chunk_good < ATW_CHUNK_GOOD)
		return;
	cs->pace.chunk_good = 0;
	cs->pace.chunk_max = min(2 * cs->pace.chunk_max, cs->pace.chunk_limit);
}

/*
 * Does a send go where it should? Some firmware keeps the number of a send in one byte.
 * Where that would be the number of another connection the send must not be tried, and
 * the connection is ended, unless another number was seen to be kept as a whole.
 */
static bool atw_conns_send_is_safe(struct atw_conns *cs, struct atw_conn *c)
{
	u32 id = atw_conn_id(c);
	bool may;

	/* Without one it has ended, which is seen before it is sent. */
	if (id == ATW_NO_ID || id <= ATW_ID_MAX)
		return true;
	spin_lock(&cs->lock);
	may = cs->learned.wide_ids ||
	      (!atw_conns_narrow_ids(cs) && !cs->ids.by_id[id & 0xff] &&
	       !atw_conns_is_going(cs, id & 0xff));
	spin_unlock(&cs->lock);
	if (may)
		return true;
	spin_lock(&c->lock);
	atw_conn_reset(c, &cs->counts.resets);
	spin_unlock(&c->lock);
	return false;
}

/*
 * What comes of a send with a number of more than a byte tells whether the module keeps all of
 * it. One that does not had nothing under the rest of it, see atw_conns_send_is_safe(): it would
 * have refused what it took. What it refused may be its remote's doing, of whom its table tells:
 * if he is connected yet, the module was looking for another.
 */
static void atw_conns_learn_ids(struct atw_conns *cs, struct atw_conn *c, u32 id, int err,
				enum atw_outcome outcome)
{
	if (!err)
		cs->learned.wide_ids = true;
	if (!cs->learned.wide_ids && err == -EREMOTEIO && outcome != ATW_NO_MEMORY &&
	    atw_conns_has_remote(cs, c, id))
		cs->learned.narrow_ids = true;
}

/**
 * atw_conns_do_send() - send the next piece of what a connection has queued
 * @cs: the connections
 * @c: the connection
 * @crowd: who else there is
 *
 * Context: the channel's thread.
 */
void atw_conns_do_send(struct atw_conns *cs, struct atw_conn *c, enum atw_crowd crowd)
{
	struct atw_cmd cmd = {
		.timeout = atw_timing.send,
		.patience = atw_timing.send_patience,
		.lost = &c->remote_closed,
		.astray = &c->tx.astray,
	};
	char data[ATW_LINE_DATA_MAX];
	struct sk_buff_head done;
	bool full, swallowed = false, too_much = false;
	enum atw_outcome outcome;
	unsigned int strays;
	u32 id, n;
	int err;

	if (!atw_conns_send_is_safe(cs, c))
		return;
	__skb_queue_head_init(&done);
	spin_lock(&c->lock);
	if (!atw_conn_is_open(c) || !c->tx.queued) {
		spin_unlock(&c->lock);
		return;
	}
	n = atw_conns_quantum(cs, c, crowd);
	full = n >= cs->pace.chunk && c->tx.queued > cs->pace.chunk;
	id = c->id;
	if (atw_conns_line_data(cs, c, n, data)) {
		atw_line_verb(&cmd.line, cs->ch->dialect, ATW_VERB_SEND_LINE);
		atw_line_uint(&cmd.line, id);
		atw_line_uint(&cmd.line, n);
		atw_line_data(&cmd.line, data, n);
	} else {
		cmd.payload = skb_peek(&c->tx.q);
		cmd.payload_off = c->tx.off;
		cmd.payload_len = n;
		atw_line_verb(&cmd.line, cs->ch->dialect, ATW_VERB_SEND);
		atw_line_uint(&cmd.line, id);
		atw_line_uint(&cmd.line, n);
	}
	c->tx.sending = true;
	/* A request before an upload is none of a chat: with it, the upload is the bulk. */
	if (c->tx.queued > ATW_MESSAGE_MAX)
		c->tx.chat_until = 0;
	else if (c->tx.new_flow)
		c->tx.chat_until = get_jiffies_64() + ATW_CHAT;
	c->tx.new_flow = false;
	spin_unlock(&c->lock);

	trace_atw_payload(cs->ch->dev, true, id, n);
	strays = atw_channel_strays(cs->ch);
	err = atw_channel_exec(cs->ch, &cmd);
	outcome = err == -EREMOTEIO ? atw_conns_refusal(cs, c, &cmd, id) : ATW_FAILED;

	spin_lock(&c->lock);
	c->tx.sending = false;
	if (!err && !c->tx.astray) {
		atw_conn_sent(c, n, &done);
		c->tx.refused = 0;
		if (!cmd.payload)
			cs->learned.lines_refused = 0;
		cs->proved.chunk = max(cs->proved.chunk, n);
		if (full)
			atw_conns_grow(cs);
	} else if (!atw_conns_send_again(cs, c, &cmd, n, err, outcome)) {
		too_much = err == -EREMOTEIO && outcome == ATW_NOT_SENT && n > ATW_CHUNK_MIN;
		swallowed = err == -ETIMEDOUT && cmd.sent == n && !c->remote_closed;
		if (atw_conn_is_server(c) || (err == -EPROTO && !atw_conn_is_stream(c))) {
			/* A datagram is lost, no more. */
			atw_conn_consume(c, n, &done);
			c->tx.refused = 0;
		} else if (err != -ENODEV && !(c->remote_closed && c->rx.fetch)) {
			/*
			 * Whoever stops the channel says why it ends then. A remote who is gone
			 * ends it, as bytes for him are left, when all that the module has of
			 * him is fetched.
			 */
			atomic64_add(atw_conn_is_live(c), &cs->counts.resets);
			atw_conn_end(c, -ECONNRESET, cmd.code);
		}
	}
	if (c->remote_closed)
		atw_conn_remote_end(cs, c);
	atw_conn_send_over(c, err);
	spin_unlock(&c->lock);

	/* Outside: the last of them may free the socket. */
	__skb_queue_purge(&done);
	if (err)
		atw_conns_command_failed(cs, err);
	if (swallowed)
		atw_conns_swallowed(cs, n, strays);
	if (too_much)
		atw_conns_too_much(cs, c, id);
	/* What goes within a line has another way through the firmware. */
	if (cmd.payload && id > ATW_ID_MAX)
		atw_conns_learn_ids(cs, c, id, err, outcome);
}
