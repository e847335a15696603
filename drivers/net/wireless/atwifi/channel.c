// SPDX-License-Identifier: GPL-2.0-only
/*
 * The AT channel.
 *
 * One kthread per module writes, and it alone: it runs one command, waits for
 * its end, and asks its user what to do next. The receive path, which the
 * transport calls one at a time in process context, feeds the parser and
 * either completes the command that is running or tells the user of an event.
 * It never waits for an answer. What both sides share is under atw_channel.lock.
 *
 * What passes here may be the network of a disk, or of a swap file: what either side allocates
 * must not wait for that to be written, by which it would wait for itself.
 */
#include <linux/device.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>

#include "channel.h"
#include "timing.h"
#include "trace.h"

/* A module that is busy does not tell when it is so no more: it is asked again. */
#define ATW_BUSY_PAUSE		(HZ / 10)
/* What the module says that it does not know is asked so often, until it says the
 * same twice: a line that was damaged on the way is not known either.
 */
#define ATW_UNKNOWN_TRIES	3
/* Nothing interrupts that: who takes the device away waits for it. */
#define ATW_DRAIN_TIMEOUT	(HZ / 4)
/* Nor for the rest of a payload, which is a fifth of a second of the wire at most. */
#define ATW_REST_TIMEOUT	(HZ / 2)
/* Some UART drivers tell of room late: without a word the thread tries again after so long. */
#define ATW_ROOM_TIMEOUT	(HZ / 4)
/* Of the module's flash, which is guaranteed for some 100,000. */
#define ATW_STORES_PER_HOUR	100
/* Silence after which a payload that could be torn is taken as it stands. */
#define ATW_TEAR_SILENCE	(HZ / 16 + 1)
/* Nor so long in the middle of a payload where it is asked: an answer to AT is waited
 * for longer.
 */
#define ATW_ANSWER_SILENCE	(HZ / 5)

static bool atw_channel_gone(const struct atw_channel *ch)
{
	return test_bit(ATW_CH_DEAD, &ch->flags) || kthread_should_stop();
}

/* Has the receive path brought what the running command waits for? */
static bool atw_channel_answered(struct atw_channel *ch, bool prompt)
{
	return test_bit(ATW_CH_FINAL, &ch->flags) || test_bit(ATW_CH_RESET, &ch->flags) ||
	       (prompt && test_bit(ATW_CH_PROMPT, &ch->flags)) || atw_channel_gone(ch);
}

/*
 * Does the answer come soon, or never? One that has started again knows of no command. A prompt
 * has to wait for what else is being printed, and without it nobody knows what the module takes
 * for the payload.
 */
static bool atw_channel_hurries(const struct atw_channel *ch)
{
	const struct atw_cmd *cmd = ch->cmd;

	if (test_bit(ATW_CH_BANNER, &ch->flags))
		return true;
	return cmd && cmd->lost && READ_ONCE(*cmd->lost) &&
	       (!cmd->payload || test_bit(ATW_CH_PROMPT, &ch->flags));
}

/*
 * What was asked before is not what a barrier waits for, see atw_channel_settle(); nor is what a
 * barrier has waited for in vain an answer to what is asked after it.
 */
static bool atw_channel_is_answer(const struct atw_cmd *cmd,
				  const struct atw_event *ev)
{
	if (!cmd->barrier)
		return ev->type != ATW_EV_UNKNOWN || !strstarts(ev->text, "Unknown cmd:" ATW_NONCE);
	return ev->type == ATW_EV_BUSY ||
	       (ev->type == ATW_EV_UNKNOWN && strstr(ev->text, cmd->barrier));
}

/* Is it only that the line of a send is understood? Its prompt is still to come. */
static bool atw_channel_goes_on(const struct atw_channel *ch, const struct atw_event *ev)
{
	lockdep_assert_held(&ch->lock);

	return ch->dialect->ok_before_prompt && ev->type == ATW_EV_OK && ch->cmd &&
	       ch->cmd->payload && !test_bit(ATW_CH_PROMPT, &ch->flags);
}

/**
 * atw_channel_unsettle() - what seems to be the module's words may be a remote's
 * @ch: the channel
 *
 * Until atw_channel_settle() has succeeded no answer but that is one, no command's.
 *
 * Context: any.
 */
void atw_channel_unsettle(struct atw_channel *ch)
{
	if (!test_bit(ATW_CH_LOOKING, &ch->flags))
		set_bit(ATW_CH_UNSETTLED, &ch->flags);
}

/**
 * atw_channel_is_unsettled() - may it be a remote who speaks?
 * @ch: the channel
 *
 * Context: any; it changes in the receive path, or where the module has been silent.
 */
bool atw_channel_is_unsettled(const struct atw_channel *ch)
{
	return test_bit(ATW_CH_UNSETTLED, &ch->flags);
}

/**
 * atw_channel_connects() - does a command run for which no connection was told yet?
 * @ch: the channel
 *
 * Context: process context.
 */
bool atw_channel_connects(struct atw_channel *ch)
{
	bool connects;

	spin_lock(&ch->lock);
	connects = ch->cmd && ch->cmd->id == ATW_NO_ID;
	spin_unlock(&ch->lock);
	return connects;
}

/* An answer came that nobody awaits. */
static void atw_channel_note_stray(struct atw_channel *ch)
{
	lockdep_assert_held(&ch->rx_lock);

	WRITE_ONCE(ch->strays, ch->strays + 1);
}

/*
 * Complete the running command. An answer that nobody awaits is dropped; it may be
 * what is left of a payload that was not what it looked like.
 */
static void atw_channel_final(struct atw_channel *ch, const struct atw_event *ev)
{
	static const struct atw_event doubt = { .type = ATW_EV_DOUBTFUL, .id = ATW_NO_ID };
	bool asked = false;

	lockdep_assert_held(&ch->rx_lock);

	spin_lock(&ch->lock);
	if (atw_channel_goes_on(ch, ev)) {
		asked = true;
	} else if (ch->cmd && ch->final == ATW_EV_NONE &&
		   atw_channel_is_answer(ch->cmd, ev)) {
		if (ev->type == ATW_EV_UNKNOWN)
			strscpy(ch->said, ev->text, sizeof(ch->said));
		/* What comes behind that the module says itself. */
		if (ev->type == ATW_EV_UNKNOWN && ch->cmd->barrier)
			clear_bit(ATW_CH_UNSETTLED, &ch->flags);
		ch->parser.expect_final = false;
		ch->parser.expect_soon = false;
		ch->final = atw_channel_is_unsettled(ch) && !ch->cmd->barrier ? ATW_EV_DAMAGE :
										 ev->type;
		ch->cmd->code = ch->final == ATW_EV_ERROR ? ev->code : 0;
		set_bit(ATW_CH_FINAL, &ch->flags);
		wake_up(&ch->wait);
		asked = true;
	}
	spin_unlock(&ch->lock);
	if (asked)
		return;
	atw_channel_note_stray(ch);
	ch->ops->event(ch->ctx, &doubt);
}

/* A line of the running command's answer, perhaps. */
static bool atw_channel_row(struct atw_channel *ch, const struct atw_event *ev)
{
	bool known;

	spin_lock(&ch->lock);
	known = ch->cmd && ch->cmd->row && ch->final == ATW_EV_NONE &&
		!atw_channel_is_unsettled(ch) && ch->cmd->row(ch->cmd, ev->text);
	spin_unlock(&ch->lock);
	return known;
}

/*
 * What names of networks were to end with: nobody who has called one so can have known it.
 * An echo of it says nothing: the rest of the names may come behind that.
 */
static bool atw_channel_ends_names(struct atw_channel *ch, const struct atw_event *ev)
{
	const char *complaint = strstr(ev->text, "Unknown cmd:");
	struct atw_event unknown = *ev;
	bool ends;

	spin_lock(&ch->lock);
	ends = complaint && ch->parser.name && ch->cmd && ch->cmd->barrier &&
	       strstr(complaint, ch->cmd->barrier);
	spin_unlock(&ch->lock);
	if (!ends)
		return false;
	ch->parser.name = false;
	unknown.type = ATW_EV_UNKNOWN;
	atw_channel_final(ch, &unknown);
	return true;
}

/* Is a line the echo of the running command? Others may begin with "AT" as well. */
static bool atw_channel_is_echo(struct atw_channel *ch, const struct atw_event *ev)
{
	size_t len = strlen(ev->text);
	bool echo;

	spin_lock(&ch->lock);
	echo = ch->cmd && len + 2 == ch->cmd->line.len && !memcmp(ev->text, ch->cmd->line.buf, len);
	spin_unlock(&ch->lock);
	return echo;
}

/*
 * Does a payload end with what nobody else can know, and the module says only when it is
 * asked? Then it is short of as many bytes as that has.
 */
static bool atw_channel_has_barrier(struct atw_channel *ch, const struct atw_event *ev)
{
	const u8 *sink = ch->parser.sink;
	bool has = false;
	size_t n;

	spin_lock(&ch->lock);
	if (sink && ch->cmd && ch->cmd->barrier) {
		n = strlen(ch->cmd->barrier);
		has = ev->len >= n && !memcmp(sink + ev->len - n, ch->cmd->barrier, n);
	}
	spin_unlock(&ch->lock);
	return has;
}

/* A certificate: its bytes go to a place of our own, as commands end early. */
static void atw_channel_cert(struct atw_channel *ch, const struct atw_event *ev)
{
	bool end = ev->type == ATW_EV_CERT_END;

	spin_lock(&ch->lock);
	if (ch->cmd && ch->cmd->data) {
		ch->cmd->data_id = ev->id;
		ch->cmd->data_len = ev->len;
		ch->cmd->data_end = end;
		if (end && ev->len <= min(ch->cmd->data_size, sizeof(ch->data)))
			memcpy(ch->cmd->data, ch->data, ev->len);
	}
	spin_unlock(&ch->lock);
	if (!end)
		atw_parser_sink(&ch->parser, ev->len <= sizeof(ch->data) ?
					     ch->data : NULL);
}

/* A connection is open. One that nobody has asked for may be the begin of transparent mode. */
static void atw_channel_connected(struct atw_channel *ch, const struct atw_event *ev)
{
	bool ours;

	spin_lock(&ch->lock);
	ours = ch->cmd && ch->cmd->opens &&
	       (ch->cmd->wants == ATW_NO_ID || ch->cmd->wants == ev->id);
	if (ch->cmd)
		ch->cmd->id = ev->id;
	spin_unlock(&ch->lock);
	if (!ours)
		ch->ops->event(ch->ctx, ev);
}

static void atw_channel_event(struct atw_channel *ch, const struct atw_event *ev)
{
	static const struct atw_event unexpected = { .type = ATW_EV_UNEXPECTED, .id = ATW_NO_ID };
	static const struct atw_event damage = { .type = ATW_EV_DAMAGE, .id = ATW_NO_ID };
	struct atw_event doubtful = { .type = ATW_EV_DOUBTFUL, .id = ev->id };
	struct atw_event end;

	lockdep_assert_held(&ch->rx_lock);

	trace_atw_event(ch->dev, ev->type, ev->id, ev->len);
	switch (ev->type) {
	case ATW_EV_OK:
	case ATW_EV_ERROR:
	case ATW_EV_UNKNOWN:
	case ATW_EV_BUSY:
		atw_channel_final(ch, ev);
		break;
	case ATW_EV_PROMPT:
		ch->parser.expect_prompt = false;
		spin_lock(&ch->lock);
		ch->is_raw = ch->cmd && ch->cmd->raw;
		set_bit(ATW_CH_PROMPT, &ch->flags);
		spin_unlock(&ch->lock);
		wake_up(&ch->wait);
		break;
	case ATW_EV_CONNECTED:
		atw_channel_connected(ch, ev);
		break;
	case ATW_EV_INFO:
		atw_channel_row(ch, ev);
		break;
	case ATW_EV_BANNER:
		if (atw_channel_row(ch, ev))
			break;
		set_bit(ATW_CH_BANNER, &ch->flags);
		ch->ops->event(ch->ctx, ev);
		break;
	case ATW_EV_LINE:
		if (atw_channel_ends_names(ch, ev))
			break;
		/* What is left of a print is a line as well. */
		if (!atw_channel_row(ch, ev) && !ch->parser.name)
			ch->ops->event(ch->ctx, &damage);
		break;
	case ATW_EV_UNEXPECTED:
		if (!ev->text || !atw_channel_row(ch, ev))
			ch->ops->event(ch->ctx, &unexpected);
		break;
	case ATW_EV_ECHO:
		ch->ops->event(ch->ctx, atw_channel_is_echo(ch, ev) ? ev :
								     &unexpected);
		break;
	case ATW_EV_PAYLOAD:
		trace_atw_payload(ch->dev, false, ev->id, ev->len);
		ch->answer = ev->answer;
		atw_parser_sink(&ch->parser, ch->ops->payload(ch->ctx, ev->id, ev->len) ?:
					     ch->scratch);
		break;
	case ATW_EV_PAYLOAD_END:
		end = *ev;
		if (!ch->dialect->framed)
			end.doubt |= ATW_DOUBT_FRAME;
		if (atw_channel_has_barrier(ch, ev))
			ch->ops->event(ch->ctx, &doubtful);
		else
			ch->ops->payload_end(ch->ctx, &end);
		break;
	case ATW_EV_PAYLOAD_BAD:
		ch->ops->payload_end(ch->ctx, ev);
		break;
	case ATW_EV_CERT:
	case ATW_EV_CERT_END:
		atw_channel_cert(ch, ev);
		break;
	case ATW_EV_READY:
		/* Where it may be a remote who says so no command ends by that, as by a banner. */
		set_bit(atw_channel_is_unsettled(ch) ? ATW_CH_BANNER : ATW_CH_RESET, &ch->flags);
		ch->ops->event(ch->ctx, ev);
		wake_up(&ch->wait);
		break;
	default:
		ch->ops->event(ch->ctx, ev);
		break;
	}
}

/* Has a payload begun that is not over? */
static bool atw_channel_in_payload(const struct atw_channel *ch)
{
	return ch->parser.state == ATW_PS_PAYLOAD || ch->parser.state == ATW_PS_CLOSE;
}

/* Have atw_channel_stall() look when a payload may have stopped, if one has begun. */
static void atw_channel_watch(struct atw_channel *ch)
{
	long left = (long)(ch->rx_last + atw_timing.payload_silence + 1 - jiffies);

	lockdep_assert_held(&ch->rx_lock);

	/* Nothing is begun that whoever stops the channel would have to wait for. */
	if (!test_bit(ATW_CH_DEAD, &ch->flags) && atw_channel_in_payload(ch))
		schedule_delayed_work(&ch->stall, max(left, 1L));
}

/* Bytes for the parser, up to the prompt of a raw command. Returns how many. */
static size_t atw_channel_parse(struct atw_channel *ch, const u8 *buf, size_t len)
{
	bool hurried = atw_channel_hurries(ch);
	struct atw_event ev;
	size_t used = 0;

	lockdep_assert_held(&ch->rx_lock);

	do {
		used += ch->dialect->parse(&ch->parser, buf + used, len - used, &ev);
		if (ev.type != ATW_EV_NONE)
			atw_channel_event(ch, &ev);
	} while (!ch->is_raw && (used < len || ev.type != ATW_EV_NONE));
	if (ch->parser.state == ATW_PS_TEAR)
		atw_channel_kick(ch);
	else if (atw_channel_hurries(ch) != hurried)
		wake_up(&ch->wait);
	if (ch->ops->stalled)
		atw_channel_watch(ch);
	if (ch->is_raw && atw_parse_pending(&ch->parser)) {
		/* The prompt came within another print: what is whose? */
		atw_parser_restart(&ch->parser);
		ch->parser.tears = true;
		ch->ops->raw(ch->ctx, NULL, 0);
	}
	return used;
}

/**
 * atw_channel_cooked() - what comes is the module's words again
 * @ch: the channel
 * @buf: what came already
 * @len: how many bytes
 *
 * Context: from atw_channel_ops.raw.
 */
void atw_channel_cooked(struct atw_channel *ch, const u8 *buf, size_t len)
{
	ch->is_raw = false;
	atw_channel_parse(ch, buf, len);
}

/**
 * atw_channel_receive() - bytes from the UART
 * @ch: the channel
 * @buf: the bytes
 * @len: how many
 *
 * All are consumed: neither kind of transport would offer them again in time. The order
 * of the bytes is that of the calls.
 * Context: process context; may sleep for memory, never for an answer.
 */
void atw_channel_receive(struct atw_channel *ch, const u8 *buf, size_t len)
{
	unsigned int noio = memalloc_noio_save();
	size_t n = 0;

	mutex_lock(&ch->rx_lock);
	if (test_bit(ATW_CH_DEAD, &ch->flags))
		goto unlock;
	atomic64_add(len, &ch->rx_bytes);
	atw_channel_not_silent(ch);
	if (!ch->is_raw)
		n = atw_channel_parse(ch, buf, len);
	if (n < len)
		ch->ops->raw(ch->ctx, buf + n, len - n);
unlock:
	mutex_unlock(&ch->rx_lock);
	memalloc_noio_restore(noio);
}

/* Bytes were lost or damaged at this place. */
static void atw_channel_lost(struct atw_channel *ch)
{
	struct atw_event ev;

	lockdep_assert_held(&ch->rx_lock);

	if (test_bit(ATW_CH_DEAD, &ch->flags))
		return;
	if (ch->is_raw) {
		ch->ops->raw(ch->ctx, NULL, 0);
		return;
	}
	atw_parse_lost(&ch->parser, &ev);
	atw_channel_event(ch, &ev);
	atw_channel_parse(ch, NULL, 0);
}

/**
 * atw_channel_rx_error() - the UART has lost or damaged bytes at this place
 * @ch: the channel
 *
 * Context: as atw_channel_receive(), and in order with it.
 */
void atw_channel_rx_error(struct atw_channel *ch)
{
	unsigned int noio = memalloc_noio_save();

	mutex_lock(&ch->rx_lock);
	/* What was lost was said just now: behind a silence, if there was one. */
	atw_channel_not_silent(ch);
	atw_channel_lost(ch);
	mutex_unlock(&ch->rx_lock);
	memalloc_noio_restore(noio);
}

/**
 * atw_channel_heard() - when something came last
 * @ch: the channel
 *
 * Context: any.
 * Return: jiffies; where rx_lock is not held it may have come since then.
 */
unsigned long atw_channel_heard(const struct atw_channel *ch)
{
	return READ_ONCE(ch->rx_last);
}

/**
 * atw_channel_silent() - has nothing come for a while?
 * @ch: the channel
 * @silence: jiffies
 *
 * Context: any; but what is to be done about it must be done under the lock under
 * which it was asked, the channel's rx_lock: what comes next waits for that.
 */
bool atw_channel_silent(const struct atw_channel *ch, long silence)
{
	return time_after_eq(jiffies, atw_channel_heard(ch) + silence);
}

/**
 * atw_channel_not_silent() - that nothing was received was not the module's silence
 * @ch: the channel
 *
 * Context: the receive path.
 */
void atw_channel_not_silent(struct atw_channel *ch)
{
	lockdep_assert_held(&ch->rx_lock);

	WRITE_ONCE(ch->rx_last, jiffies);
}

/**
 * atw_channel_unstick() - the module does not answer
 * @ch: the channel
 *
 * Where bytes of a payload were lost, and those that announce the next one with
 * them, answers are counted as payload. A module that fell silent within one has
 * no more of it to say.
 *
 * Context: the channel's thread, between commands.
 */
void atw_channel_unstick(struct atw_channel *ch)
{
	mutex_lock(&ch->rx_lock);
	if (atw_channel_in_payload(ch) && atw_channel_silent(ch, ATW_ANSWER_SILENCE))
		atw_channel_lost(ch);
	mutex_unlock(&ch->rx_lock);
}

/* Is there a payload with two readings? The receive path kicks when there is. */
static bool atw_channel_may_tear(const struct atw_channel *ch)
{
	return READ_ONCE(ch->parser.state) == ATW_PS_TEAR;
}

/* A payload with two readings is decided by silence, for which the receive
 * path is not called.
 */
static void atw_channel_poll_tear(struct atw_channel *ch)
{
	struct atw_event ev;

	if (!atw_channel_may_tear(ch))
		return;
	mutex_lock(&ch->rx_lock);
	/* What came until now was not silence. */
	if (!test_bit(ATW_CH_DEAD, &ch->flags) && atw_channel_silent(ch, ATW_TEAR_SILENCE) &&
	    atw_parse_idle(&ch->parser, &ev)) {
		atw_channel_event(ch, &ev);
		atw_channel_parse(ch, NULL, 0);
	}
	mutex_unlock(&ch->rx_lock);
}

/*
 * A payload that does not go on for a while: a module that resets there says so within the
 * payload, where nobody hears it.
 */
static void atw_channel_stall(struct work_struct *work)
{
	struct atw_channel *ch = container_of(work, struct atw_channel, stall.work);
	unsigned int noio = memalloc_noio_save();

	mutex_lock(&ch->rx_lock);
	if (test_bit(ATW_CH_DEAD, &ch->flags) || !atw_channel_in_payload(ch))
		goto out;
	if (atw_channel_silent(ch, atw_timing.payload_silence))
		ch->ops->stalled(ch->ctx);
	else
		atw_channel_watch(ch);
out:
	mutex_unlock(&ch->rx_lock);
	memalloc_noio_restore(noio);
}

static void atw_channel_ring(struct work_struct *work)
{
	struct atw_channel *ch = container_of(work, struct atw_channel, alarm.work);

	ch->ops->alarm(ch->ctx);
}

/**
 * atw_channel_alarm() - have the user look at something, even if the thread is busy then
 * @ch: the channel
 * @delay: in so many jiffies; an alarm that is set already stays as it is
 *
 * Context: any; the receive path, the thread, or atw_channel_ops.alarm itself.
 */
void atw_channel_alarm(struct atw_channel *ch, unsigned long delay)
{
	if (ch->ops->alarm)
		schedule_delayed_work(&ch->alarm, delay);
}

/**
 * atw_channel_write_wakeup() - the UART has room again
 * @ch: the channel
 *
 * Some drivers say so whenever something has moved: the thread is woken only where it
 * waits for that.
 *
 * Context: any.
 */
void atw_channel_write_wakeup(struct atw_channel *ch)
{
	if (test_and_clear_bit(ATW_CH_FULL, &ch->flags))
		wake_up(&ch->wait);
}

/**
 * atw_channel_kick() - have the thread look for work
 * @ch: the channel
 *
 * Context: any.
 */
void atw_channel_kick(struct atw_channel *ch)
{
	/* Who takes it back sees what it is about: this is a full barrier, as it is there. */
	test_and_set_bit(ATW_CH_KICKED, &ch->flags);
	wake_up(&ch->wait);
}

/**
 * atw_channel_has_work() - have the thread look for work when it has done what it does
 * @ch: the channel
 *
 * As atw_channel_kick(); but where the thread has been told and has not rested since then it
 * is not woken again: that would be while it waits for the module, and for nothing.
 *
 * Context: any.
 */
void atw_channel_has_work(struct atw_channel *ch)
{
	if (!test_and_set_bit(ATW_CH_KICKED, &ch->flags))
		wake_up(&ch->wait);
}

/* Has the module ended a send of which it cannot have all bytes? */
static bool atw_channel_is_premature(struct atw_channel *ch)
{
	struct atw_transport *t = ch->transport;

	return ch->cmd->payload && t->ops->unsent && t->ops->unsent(t);
}

/*
 * Has the module ended the send whose bytes are being written? Not where it may have been a
 * remote who has said so: the rest would be taken from what is said to the module next.
 */
static bool atw_channel_ended(struct atw_channel *ch)
{
	bool ended;

	spin_lock(&ch->lock);
	ended = ch->cmd && test_bit(ATW_CH_PROMPT, &ch->flags) &&
		test_bit(ATW_CH_FINAL, &ch->flags) && ch->final != ATW_EV_DAMAGE;
	spin_unlock(&ch->lock);
	return ended;
}

/*
 * Is the thread to write no more? The rest of a payload for which the module has asked is
 * written yet: what is said to the module next would be taken for it, and go to the remote.
 */
static bool atw_channel_is_cut(struct atw_channel *ch)
{
	if (!atw_channel_gone(ch))
		return false;
	if (!ch->cmd || !ch->cmd->payload || !test_bit(ATW_CH_PROMPT, &ch->flags))
		return true;
	if (!ch->rest_by)
		ch->rest_by = get_jiffies_64() + ATW_REST_TIMEOUT;
	return time_after64(get_jiffies_64(), ch->rest_by);
}

static int atw_channel_write(struct atw_channel *ch, const u8 *buf, size_t len)
{
	struct atw_transport *t = ch->transport;
	unsigned long stall = jiffies + atw_timing.write_stall;
	ssize_t n;

	while (len) {
		if (atw_channel_is_cut(ch))
			return -ENODEV;
		if (test_bit(ATW_CH_RESET, &ch->flags))
			return -ECONNRESET;
		if (atw_channel_ended(ch))
			return -EPROTO;
		/* Room that there is from here on is told: both sides have full barriers. */
		test_and_set_bit(ATW_CH_FULL, &ch->flags);
		n = t->ops->write(t, buf, len);
		/* An adapter that is gone says so before its tty is: it is no end of ours. */
		if (n < 0)
			return n == -ENODEV ? -EIO : n;
		if (n) {
			buf += n;
			len -= n;
			atomic64_add(n, &ch->tx_bytes);
			stall = jiffies + atw_timing.write_stall;
			continue;
		}
		if (time_after(jiffies, stall))
			return -ETIMEDOUT;
		wait_event_idle_timeout(ch->wait, !test_bit(ATW_CH_FULL, &ch->flags) ||
					test_bit(ATW_CH_RESET, &ch->flags) ||
					atw_channel_ended(ch) || atw_channel_is_cut(ch),
					ATW_ROOM_TIMEOUT);
	}
	clear_bit(ATW_CH_FULL, &ch->flags);
	return 0;
}

/*
 * What the module says to others before its answer takes its time on the line, and that is not
 * one for which it has been waited. It is bounded: a remote may never stop.
 */
static unsigned long atw_channel_heeded(const struct atw_channel *ch, u64 since)
{
	u64 bytes = atomic64_read(&ch->rx_bytes) - since;

	return atw_channel_wire_time(ch, min_t(u64, bytes, ATW_PRINTS_MAX * ATW_PRINT_MAX));
}

/* When a module that is silent from now on has been waited for long enough. */
static unsigned long atw_channel_limit(struct atw_channel *ch, unsigned long start,
				       long timeout, long patience)
{
	unsigned long last = atw_channel_heard(ch);
	unsigned long end = start + timeout;

	if (patience > timeout && time_after(last, start))
		end = last + timeout;
	if (time_after(end, start + max(timeout, patience)))
		end = start + patience;
	return end;
}

static int atw_channel_await(struct atw_channel *ch, bool prompt, long timeout,
			     long patience)
{
	u64 heard = atomic64_read(&ch->rx_bytes);
	unsigned long start = jiffies;
	unsigned long end, hurried = 0;
	bool hurry = false, tear, was;
	long left;

	while (!atw_channel_answered(ch, prompt)) {
		was = hurry;
		hurry = atw_channel_hurries(ch);
		if (hurry && !was) {
			hurried = jiffies + atw_timing.hurry;
			heard = atomic64_read(&ch->rx_bytes);
		}
		end = atw_channel_limit(ch, start, timeout, patience);
		if (hurry && time_after(end, hurried))
			end = hurried;
		left = (long)(end + atw_channel_heeded(ch, heard) - jiffies);
		if (left <= 0) {
			/* The receive path may have it already, behind something else. */
			mutex_lock(&ch->rx_lock);
			mutex_unlock(&ch->rx_lock);
			if (atw_channel_answered(ch, prompt))
				break;
			return -ETIMEDOUT;
		}
		tear = atw_channel_may_tear(ch);
		/* The receive path wakes for each of these; silence, which ends a tear, is none. */
		wait_event_idle_timeout(ch->wait, atw_channel_answered(ch, prompt) ||
					atw_channel_hurries(ch) != hurry ||
					(!tear && atw_channel_may_tear(ch)),
					tear ? min_t(long, left, ATW_TEAR_SILENCE) : left);
		atw_channel_poll_tear(ch);
	}
	if (atw_channel_gone(ch))
		return -ENODEV;
	if (test_bit(ATW_CH_RESET, &ch->flags))
		return -ECONNRESET;
	return 0;
}

static bool atw_channel_is_astray(const struct atw_cmd *cmd)
{
	return cmd->astray && READ_ONCE(*cmd->astray);
}

static int atw_channel_write_payload(struct atw_channel *ch, struct atw_cmd *cmd)
{
	struct sk_buff *skb = cmd->payload;
	u32 left = cmd->payload_len;
	u32 off = cmd->payload_off;
	u32 n;
	int err;

	ch->owed = left;
	while (left) {
		if (atw_channel_is_astray(cmd)) {
			err = atw_channel_fill(ch, left);
			if (!err)
				ch->owed = 0;
			return err;
		}
		/* Bytes may be put behind the last ones of @left, which are no less by that. */
		n = min(left, data_race(skb->len) - off);
		err = atw_channel_write(ch, skb->data + off, n);
		if (err)
			return err;
		left -= n;
		cmd->sent += n;
		ch->owed = left;
		off = 0;
		/* Whoever appends does so behind the bytes of this command. */
		if (left)
			skb = skb->next;
	}
	return 0;
}

/* Is the final line of the running command no refusal, or may the module not have said it? */
static bool atw_channel_is_ok(struct atw_channel *ch)
{
	bool ok;

	spin_lock(&ch->lock);
	ok = ch->final == ATW_EV_OK || ch->final == ATW_EV_DAMAGE;
	spin_unlock(&ch->lock);
	return ok;
}

static int atw_channel_once(struct atw_channel *ch, struct atw_cmd *cmd)
{
	int err;

	err = atw_channel_write(ch, (const u8 *)cmd->line.buf, cmd->line.len);
	if (err)
		return err;
	if (cmd->payload) {
		ch->owed = cmd->payload_len;
		err = atw_channel_await(ch, true, atw_timing.prompt, 0);
		if (err)
			return err;
		if (!test_bit(ATW_CH_PROMPT, &ch->flags)) {
			/* That is no answer to this: the module may be about to ask for it. */
			if (atw_channel_is_ok(ch))
				return -EPROTO;
			ch->owed = 0;
			return 0;
		}
		err = atw_channel_write_payload(ch, cmd);
		/* It took a shorter length than was said, and waits for no more. */
		if (err == -EPROTO)
			ch->owed = 0;
		if (err)
			return err;
	}
	if (cmd->raw) {
		err = atw_channel_await(ch, true, cmd->timeout, 0);
		if (err)
			return err;
		/* The prompt is the answer, and there is no other success. */
		spin_lock(&ch->lock);
		if (test_bit(ATW_CH_PROMPT, &ch->flags))
			ch->final = ATW_EV_OK;
		else if (ch->final == ATW_EV_OK)
			err = -EPROTO;
		spin_unlock(&ch->lock);
		return err;
	}
	err = atw_channel_await(ch, false, cmd->timeout +
				atw_channel_wire_time(ch, cmd->payload_len), cmd->patience);
	if (!err && atw_channel_is_premature(ch))
		err = -EPROTO;
	return err;
}

/* Run a command once. Returns as atw_channel_exec(). */
static int atw_channel_attempt(struct atw_channel *ch, struct atw_cmd *cmd)
{
	struct atw_parser *p = &ch->parser;
	enum atw_event_type final;
	int err;

	cmd->code = 0;
	cmd->id = ATW_NO_ID;
	cmd->sent = 0;
	ch->rest_by = 0;
	cmd->data_id = 0;
	cmd->data_len = 0;
	cmd->data_end = false;
	mutex_lock(&ch->rx_lock);
	spin_lock(&ch->lock);
	ch->final = ATW_EV_NONE;
	clear_bit(ATW_CH_FINAL, &ch->flags);
	clear_bit(ATW_CH_PROMPT, &ch->flags);
	clear_bit(ATW_CH_BANNER, &ch->flags);
	ch->cmd = cmd;
	spin_unlock(&ch->lock);
	p->expect_prompt = cmd->payload || cmd->raw;
	p->expect_final = true;
	p->expect_soon = cmd->timeout <= atw_timing.soon;
	p->name = cmd->names && cmd->barrier;
	mutex_unlock(&ch->rx_lock);

	if (cmd->begin)
		cmd->begin(cmd);
	trace_atw_command(ch->dev, cmd->line.buf, cmd->line.len);
	err = atw_channel_once(ch, cmd);

	mutex_lock(&ch->rx_lock);
	p->expect_prompt = false;
	p->expect_final = false;
	p->expect_soon = false;
	/* An error that has come since then has ended it, and nobody settles it. */
	p->name = cmd->names && err == -ETIMEDOUT && !cmd->code;
	spin_lock(&ch->lock);
	ch->cmd = NULL;
	final = ch->final;
	spin_unlock(&ch->lock);
	/* Nobody awaited it any more when it came. */
	if (err == -ETIMEDOUT && final != ATW_EV_NONE)
		atw_channel_note_stray(ch);
	mutex_unlock(&ch->rx_lock);

	if (err) {
		if (err == -ETIMEDOUT)
			atomic64_inc(&ch->timeouts);
	} else {
		switch (final) {
		case ATW_EV_OK:
			ch->owed = 0;
			break;
		case ATW_EV_UNKNOWN:
			err = -EOPNOTSUPP;
			break;
		case ATW_EV_DAMAGE:
			err = -EPROTO;
			break;
		case ATW_EV_BUSY:
			atomic64_inc(&ch->busy);
			err = -EBUSY;
			break;
		default:
			err = -EREMOTEIO;
			break;
		}
	}
	trace_atw_final(ch->dev, err, cmd->code);
	return err;
}

/* Does the module answer properly to what every one knows? */
static int atw_channel_check(struct atw_channel *ch)
{
	struct atw_cmd cmd = { .timeout = atw_timing.cmd };
	int err;

	atw_line_start(&cmd.line, "AT");
	atw_line_end(&cmd.line);
	atomic64_inc(&ch->commands);
	err = atw_channel_attempt(ch, &cmd);
	return atw_cmd_refused(err) || err == -EBUSY ? -EPROTO : err;
}

/* Run a command whose line is whole. Returns as atw_channel_exec(). */
static int atw_channel_repeat(struct atw_channel *ch, struct atw_cmd *cmd)
{
	unsigned long busy_end = jiffies + atw_timing.busy;
	unsigned int unknown = 0;
	int err;

	atomic64_inc(&ch->commands);
	for (;;) {
		err = atw_channel_attempt(ch, cmd);
		/* Bytes of a payload may have gone: then it must not be
		 * repeated, whatever was said.
		 */
		if (cmd->sent || atw_channel_is_astray(cmd))
			return err;
		if (err == -EBUSY && !time_after(jiffies, busy_end)) {
			err = atw_channel_sleep(ch, ATW_BUSY_PAUSE);
		} else if (err == -EOPNOTSUPP && !cmd->barrier) {
			if (unknown && !strcmp(ch->said_before, ch->said))
				return err;
			if (++unknown == ATW_UNKNOWN_TRIES)
				return -EPROTO;
			/* Not on the stack: see atw_channel_wipe(). */
			strscpy(ch->said_before, ch->said, sizeof(ch->said_before));
			err = atw_channel_check(ch);
		} else {
			return err;
		}
		if (err)
			return err;
	}
}

/**
 * atw_channel_exec() - run a command and wait for its end
 * @ch: the channel
 * @cmd: the command, whose line is ended here; its out fields are filled
 *
 * A command that the module dropped because it was busy is sent again for up
 * to ten seconds: nothing of it was executed. Nor was anything of one that it does
 * not know, which may be because a byte of it was lost on the way: the module is
 * believed when it says the same twice, and answers AT in between.
 *
 * Context: the channel's thread; sleeps.
 * Return: 0; -EREMOTEIO, it failed with cmd->code; -EOPNOTSUPP, the module does
 * not know it; -EBUSY; -ETIMEDOUT, no answer; -EPROTO, the command was not
 * understood, or an answer that cannot be one to this, or that may be a remote's words, see
 * atw_channel_unsettle(): what has come of it is not known; -ECONNRESET, the module has
 * started again; -ENODEV, the channel is being stopped; what the UART's driver
 * returned; or the error of the line, which was not written then.
 */
int atw_channel_exec(struct atw_channel *ch, struct atw_cmd *cmd)
{
	return atw_line_end(&cmd->line) ?: atw_channel_repeat(ch, cmd);
}

/**
 * atw_channel_confirm() - run a command on whose refusal something is built
 * @ch: the channel
 * @cmd: the command, one that may be run twice
 *
 * A line of which a byte was lost on the way may be refused as well: a refusal is
 * believed when it comes twice.
 *
 * Context and return: as atw_channel_exec().
 */
int atw_channel_confirm(struct atw_channel *ch, struct atw_cmd *cmd)
{
	int err = atw_channel_exec(ch, cmd);

	return err == -EREMOTEIO ? atw_channel_repeat(ch, cmd) : err;
}

/**
 * atw_channel_may_store() - may a command be run that writes to the module's flash?
 * @ch: the channel
 *
 * For what nobody asks for: a module that restarts for ever, or lies, is not to have its
 * own worn out.
 *
 * Context: the channel's thread.
 * Return: true if so; it is counted. false: there were too many in this hour.
 */
bool atw_channel_may_store(struct atw_channel *ch)
{
	if (jiffies - ch->stored_since >= atw_timing.store) {
		ch->stored_since = jiffies;
		ch->stored = 0;
	}
	if (ch->stored > ATW_STORES_PER_HOUR)
		return false;
	if (ch->stored++ < ATW_STORES_PER_HOUR)
		return true;
	dev_warn(ch->dev,
		 "%u writes to the module's flash within an hour, no more until it is over\n",
		 ATW_STORES_PER_HOUR);
	return false;
}

/**
 * atw_channel_nonce() - a command that no module knows and nobody can guess
 * @buf: for its text
 *
 * A module that complains about it has answered all that came before.
 */
void atw_channel_nonce(char buf[ATW_NONCE_LEN])
{
	snprintf(buf, ATW_NONCE_LEN, ATW_NONCE "%08X%08X", get_random_u32(), get_random_u32());
}

/*
 * Wait until all that was asked before is answered, or, as not every module names what it does
 * not know, until it is silent; but for the end of @names only where something closes a payload.
 */
static int atw_channel_quiet(struct atw_channel *ch, bool names)
{
	struct atw_cmd cmd = { .timeout = 2 * HZ, .names = names };
	char nonce[ATW_NONCE_LEN];
	bool silence;
	int err;

	atw_channel_nonce(nonce);
	cmd.barrier = nonce;
	atw_line_start(&cmd.line, nonce);
	err = atw_channel_exec(ch, &cmd);
	if (err == -EOPNOTSUPP)
		err = 0;
	silence = err == -ETIMEDOUT && (names || ch->dialect->framed);
	if (silence)
		err = atw_channel_idle(ch, HZ / 10, 2 * HZ);
	mutex_lock(&ch->rx_lock);
	/* It may have gone on since, and what announced that may be lost. */
	if (silence && !err && !atw_channel_silent(ch, HZ / 10))
		err = -ETIMEDOUT;
	if (names)
		ch->parser.name = err == -ETIMEDOUT;
	else if (silence && !err)
		clear_bit(ATW_CH_UNSETTLED, &ch->flags);
	mutex_unlock(&ch->rx_lock);
	return err;
}

/**
 * atw_channel_settle() - wait until nothing comes any more that was said before
 * @ch: the channel
 *
 * What comes after this was not in the module's hands before it: no remote can have
 * chosen what ends it, neither the answer to a question that nobody can guess, nor,
 * from a module that does not name what it does not know, silence. Where nothing closes a
 * payload that may be because one has swallowed the answer.
 *
 * Context: as atw_channel_exec().
 * Return: 0; -ETIMEDOUT, it kept talking; or as atw_channel_exec().
 */
int atw_channel_settle(struct atw_channel *ch)
{
	return atw_channel_quiet(ch, false);
}

/**
 * atw_channel_settle_names() - the same, where a command with names has not ended
 * @ch: the channel
 *
 * Whatever comes until then is taken for names: there may be any word among them. So is
 * what comes after this where it returns -ETIMEDOUT: the module is within a print, and is
 * to be brought up anew, which ends that as well.
 *
 * Context and return: as atw_channel_settle().
 */
int atw_channel_settle_names(struct atw_channel *ch)
{
	return atw_channel_quiet(ch, true);
}

/**
 * atw_channel_run() - run a command that is the same in all sets, or a set's own
 * @ch: the channel
 * @line: the command without CR LF, one that may be run twice
 * @timeout: jiffies
 *
 * Context and return: as atw_channel_confirm().
 */
int atw_channel_run(struct atw_channel *ch, const char *line, long timeout)
{
	struct atw_cmd cmd = { .timeout = timeout };

	atw_line_start(&cmd.line, line);
	return atw_channel_confirm(ch, &cmd);
}

/**
 * atw_channel_ask() - run a command that has no parameters
 * @ch: the channel
 * @verb: which, one that may be run twice
 * @timeout: jiffies
 * @row: for the lines of its answer, see struct atw_cmd; NULL: it has none
 * @priv: for that
 *
 * Context and return: as atw_channel_confirm().
 */
int atw_channel_ask(struct atw_channel *ch, enum atw_verb verb, long timeout,
		    bool (*row)(struct atw_cmd *cmd, const char *text), void *priv)
{
	struct atw_cmd cmd = { .timeout = timeout, .row = row, .priv = priv };

	atw_line_verb(&cmd.line, ch->dialect, verb);
	return atw_channel_confirm(ch, &cmd);
}

/**
 * atw_channel_raw() - write bytes that are no command, for recovery
 * @ch: the channel
 * @buf: the bytes
 * @len: how many
 *
 * Context: the channel's thread; sleeps.
 * Return: 0, or as atw_channel_exec().
 */
int atw_channel_raw(struct atw_channel *ch, const void *buf, size_t len)
{
	int err = atw_channel_write(ch, buf, len);

	if (!err && ch->transport->ops->drain)
		ch->transport->ops->drain(ch->transport, ATW_DRAIN_TIMEOUT);
	return err;
}

/**
 * atw_channel_fill() - give the module what it may be waiting for of a payload
 * @ch: the channel
 * @n: how many bytes
 *
 * Line ends harm nobody when they turn out to be too many: an empty line has no answer.
 *
 * Context: the channel's thread; sleeps.
 * Return: 0, or as atw_channel_exec().
 */
int atw_channel_fill(struct atw_channel *ch, u32 n)
{
	u8 crlf[64];
	u32 i;
	int err = 0;

	for (i = 0; i < sizeof(crlf); i++)
		crlf[i] = i & 1 ? '\n' : '\r';
	for (; n && !err; n -= i) {
		i = min_t(u32, n, sizeof(crlf));
		err = atw_channel_raw(ch, crlf, i);
	}
	return err;
}

/**
 * atw_channel_farewell() - the last bytes of a channel that is being stopped
 * @ch: the channel
 * @buf: the bytes
 * @len: how many, few: they are lost where the UART has no room for them
 *
 * Context: from atw_channel_ops.last.
 */
void atw_channel_farewell(struct atw_channel *ch, const void *buf, size_t len)
{
	const struct atw_transport_ops *ops = ch->transport->ops;

	if (ops->write(ch->transport, buf, len) > 0 && ops->drain)
		ops->drain(ch->transport, HZ / 10);
}

/**
 * atw_channel_sleep() - wait, but not past the end of the channel
 * @ch: the channel
 * @timeout: jiffies
 *
 * Context: the channel's thread.
 * Return: 0, or -ENODEV when the channel is being stopped.
 */
int atw_channel_sleep(struct atw_channel *ch, long timeout)
{
	wait_event_idle_timeout(ch->wait, atw_channel_gone(ch), timeout);
	return atw_channel_gone(ch) ? -ENODEV : 0;
}

/**
 * atw_channel_set_tears() - does the firmware print between the parts of a payload?
 * @ch: the channel
 * @tears: it is known to; else it is not known, as long as it is not seen
 *
 * Context: the channel's thread.
 */
void atw_channel_set_tears(struct atw_channel *ch, bool tears)
{
	mutex_lock(&ch->rx_lock);
	ch->parser.tears = tears;
	mutex_unlock(&ch->rx_lock);
}

/**
 * atw_channel_wipe() - forget what may be secrets of what the module has said
 * @ch: the channel
 *
 * Context: the channel's thread.
 */
void atw_channel_wipe(struct atw_channel *ch)
{
	struct atw_parser *p = &ch->parser;

	mutex_lock(&ch->rx_lock);
	memzero_explicit(p->line + p->line_len, sizeof(p->line) - p->line_len);
	mutex_unlock(&ch->rx_lock);
	spin_lock(&ch->lock);
	memzero_explicit(ch->said, sizeof(ch->said));
	spin_unlock(&ch->lock);
	memzero_explicit(ch->said_before, sizeof(ch->said_before));
}

/**
 * atw_channel_wait() - wait for ATW_CH_TOLD, which the receive path sets, with a kick
 * @ch: the channel
 * @timeout: jiffies
 *
 * Context: the channel's thread.
 * Return: 0; -ETIMEDOUT; -ECONNRESET, the module has started again; -ENODEV.
 */
int atw_channel_wait(struct atw_channel *ch, long timeout)
{
	wait_event_idle_timeout(ch->wait, test_bit(ATW_CH_TOLD, &ch->flags) ||
				test_bit(ATW_CH_RESET, &ch->flags) || atw_channel_gone(ch),
				timeout);
	if (atw_channel_gone(ch))
		return -ENODEV;
	if (test_bit(ATW_CH_RESET, &ch->flags))
		return -ECONNRESET;
	return test_and_clear_bit(ATW_CH_TOLD, &ch->flags) ? 0 : -ETIMEDOUT;
}

/**
 * atw_channel_idle() - wait until the module is silent
 * @ch: the channel
 * @quiet: jiffies of silence
 * @limit: jiffies to wait for it at most
 *
 * Context: the channel's thread.
 * Return: 0; -ETIMEDOUT, it kept talking; -ENODEV.
 */
int atw_channel_idle(struct atw_channel *ch, long quiet, long limit)
{
	unsigned long start = jiffies;
	long left;

	for (;;) {
		/* A line that the receive path has stopped is not silent: that is over then. */
		mutex_lock(&ch->rx_lock);
		/* What lies far back would lie ahead one day where jiffies have 32 bits. */
		left = quiet - min(jiffies - atw_channel_heard(ch), jiffies - start);
		mutex_unlock(&ch->rx_lock);
		if (left <= 0)
			return 0;
		if (time_after(jiffies, start + limit))
			return -ETIMEDOUT;
		if (atw_channel_sleep(ch, left))
			return -ENODEV;
	}
}

/**
 * atw_channel_restart() - forget what the module was saying
 * @ch: the channel
 *
 * For the begin of a bring-up: no connection is live then.
 * Context: the channel's thread, or another while that is paused.
 */
void atw_channel_restart(struct atw_channel *ch)
{
	mutex_lock(&ch->rx_lock);
	atw_parser_restart(&ch->parser);
	ch->is_raw = false;
	clear_bit(ATW_CH_RESET, &ch->flags);
	set_bit(ATW_CH_LOOKING, &ch->flags);
	clear_bit(ATW_CH_UNSETTLED, &ch->flags);
	mutex_unlock(&ch->rx_lock);
}

static int atw_channel_thread(void *data)
{
	struct atw_channel *ch = data;
	long timeout;

	/* As long as it runs. */
	memalloc_noio_save();
	for (;;) {
		if (atw_channel_gone(ch)) {
			if (ch->ops->last)
				ch->ops->last(ch->ctx);
			wait_event_idle(ch->wait, kthread_should_park() ||
					kthread_should_stop());
			if (kthread_should_stop())
				return 0;
			kthread_parkme();
			continue;
		}
		atw_channel_poll_tear(ch);
		if (ch->ops->work(ch->ctx)) {
			cond_resched();
			continue;
		}
		/*
		 * As long as it is set nobody wakes the thread for work, and a command waits for
		 * its answer alone. Pairs with the wake-up: what was queued before a kick that is
		 * taken back here is seen in the next round.
		 */
		if (test_and_clear_bit(ATW_CH_KICKED, &ch->flags))
			continue;
		timeout = ch->ops->next_work(ch->ctx);
		if (atw_channel_may_tear(ch))
			timeout = min_t(long, timeout, ATW_TEAR_SILENCE);
		wait_event_idle_timeout(ch->wait, test_bit(ATW_CH_KICKED, &ch->flags) ||
					atw_channel_gone(ch), timeout);
	}
}

/**
 * atw_channel_start() - make a channel and its thread, which does nothing yet
 * @ch: zeroed memory
 * @ops: what to call
 * @ctx: for @ops
 * @t: the transport, open
 * @dev: for messages and traces
 *
 * Context: process context.
 * Return: 0 or -errno; after an error nothing is left to undo.
 */
int atw_channel_start(struct atw_channel *ch, const struct atw_channel_ops *ops,
		      void *ctx, struct atw_transport *t, struct device *dev)
{
	struct task_struct *thread;

	ch->ops = ops;
	ch->ctx = ctx;
	ch->transport = t;
	ch->dialect = t->dialect ?: &atw_at_combo;
	ch->dev = dev;
	init_waitqueue_head(&ch->wait);
	mutex_init(&ch->rx_lock);
	spin_lock_init(&ch->lock);
	atw_parser_init(&ch->parser);
	INIT_DELAYED_WORK(&ch->stall, atw_channel_stall);
	INIT_DELAYED_WORK(&ch->alarm, atw_channel_ring);
	ch->rx_last = jiffies;
	ch->stored_since = jiffies;

	thread = kthread_create(atw_channel_thread, ch, "%s", dev_name(dev));
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	ch->thread = thread;
	return 0;
}

/**
 * atw_channel_go() - let the thread begin
 * @ch: the channel, after atw_channel_start()
 *
 * Context: any.
 */
void atw_channel_go(struct atw_channel *ch)
{
	wake_up_process(ch->thread);
}

/**
 * atw_channel_halt() - have both sides end what they do, and begin nothing
 * @ch: the channel, which is to be paused or stopped then
 *
 * Context: as atw_channel_stop(), but waits for nothing.
 */
void atw_channel_halt(struct atw_channel *ch)
{
	mutex_lock(&ch->rx_lock);
	set_bit(ATW_CH_DEAD, &ch->flags);
	mutex_unlock(&ch->rx_lock);
	wake_up(&ch->wait);
}

/**
 * atw_channel_stop() - end the thread and the receive path's calls
 * @ch: the channel
 *
 * A command that runs ends with -ENODEV. When this returns neither side calls
 * into the user any more, though the transport may still deliver bytes.
 *
 * Context: process context; not the channel's thread or receive path.
 */
void atw_channel_stop(struct atw_channel *ch)
{
	atw_channel_halt(ch);
	kthread_stop(ch->thread);
	cancel_delayed_work_sync(&ch->stall);
	cancel_delayed_work_sync(&ch->alarm);
}

/**
 * atw_channel_pause() - as atw_channel_stop(), until atw_channel_resume()
 * @ch: the channel, after atw_channel_start()
 *
 * The thread is not running when this returns: its user's data is the caller's.
 *
 * Context: as atw_channel_stop().
 */
void atw_channel_pause(struct atw_channel *ch)
{
	atw_channel_halt(ch);
	kthread_park(ch->thread);
	cancel_delayed_work_sync(&ch->stall);
	cancel_delayed_work_sync(&ch->alarm);
}

/**
 * atw_channel_resume() - go on after atw_channel_pause()
 * @ch: the channel
 *
 * What the module was saying when it was paused is forgotten.
 *
 * Context: process context.
 */
void atw_channel_resume(struct atw_channel *ch)
{
	atw_channel_restart(ch);
	mutex_lock(&ch->rx_lock);
	clear_bit(ATW_CH_DEAD, &ch->flags);
	mutex_unlock(&ch->rx_lock);
	kthread_unpark(ch->thread);
}
