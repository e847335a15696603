// SPDX-License-Identifier: GPL-2.0-only
/*
 * The UART between host and module: at which rate they talk, and whether RTS
 * and CTS are used.
 *
 * The module stores each new rate before it is known to work, so that one that
 * does not would be found again after every start. Nothing is changed that our
 * own UART cannot do, and what does not work is taken back.
 */
#include <linux/device.h>
#include <linux/jiffies.h>
#include <linux/string.h>

#include "timing.h"
#include "uart.h"

/* An answer to AT takes the module's 2 ms poll and the bytes' own time. */
#define ATW_AT_TIMEOUT		(HZ * 3 / 10)
/* Of a question and its answer at a new rate: 200 bytes and more. */
#define ATW_VERIFY_ROUNDS	4
/* Each takes a second. */
#define ATW_TAKE_BACK_TRIES	8
/* A module that tells of another rate than these does not tell. */
#define ATW_BAUD_MIN		1200
#define ATW_BAUD_MAX		5000000
/* The setting for RTS and CTS. */
#define ATW_FLOW_BOTH		3

/* Rates that modules are found at, the most usual ones first. */
static const unsigned int atw_rates[] = {
	115200, 921600, 460800, 230400, 57600, 9600, 38400, 19200,
	1000000, 1500000, 2000000, 3000000, 4000000,
};

static unsigned int atw_uart_rate(struct atw_module *m)
{
	struct atw_transport *t = m->ch.transport;

	return t->ops->get_baud ? t->ops->get_baud(t) : 0;
}

static bool atw_uart_set_rate(struct atw_module *m, unsigned int baud)
{
	struct atw_transport *t = m->ch.transport;
	int set;

	if (!t->ops->set_baud)
		return false;
	set = t->ops->set_baud(t, baud);
	/* A UART tolerates 2 % together with the other side's error. */
	return set > 0 && abs(set - (int)baud) <= (int)baud / 50;
}

static bool atw_uart_is_raw(struct atw_module *m)
{
	bool raw;

	mutex_lock(&m->ch.rx_lock);
	raw = m->raw;
	mutex_unlock(&m->ch.rx_lock);
	return raw;
}

/* Does the module answer at the present rate? */
static int atw_uart_answers(struct atw_module *m, int tries)
{
	int err = -ETIMEDOUT;

	while (tries--) {
		err = atw_channel_run(&m->ch, "AT", ATW_AT_TIMEOUT);
		/* It may be a remote who has answered. */
		if (atw_uart_is_raw(m))
			return -ECONNRESET;
		/* Whatever it said, it was to us and it was whole. */
		if (atw_cmd_refused(err))
			err = 0;
		if (err == -ECONNRESET) {
			/* It is just starting: once more, when it is done. */
			atw_channel_restart(&m->ch);
			err = atw_channel_idle(&m->ch, HZ / 4, atw_timing.boot);
			if (err == -ENODEV)
				return err;
			atw_channel_restart(&m->ch);
			err = -ETIMEDOUT;
			continue;
		}
		/* One that is not understood is not answered. */
		if (err == -EPROTO)
			err = -ETIMEDOUT;
		if (err != -ETIMEDOUT)
			break;
		atw_channel_unstick(&m->ch);
	}
	if (err)
		return err;
	/* An answer to an earlier try must not be taken for a later one's. */
	err = atw_channel_idle(&m->ch, HZ / 20 + 1, HZ);
	return err == -ENODEV ? err : 0;
}

/* Leave transparent mode, and a payload that was announced by somebody. */
static int atw_uart_escape(struct atw_module *m, u32 filler)
{
	u32 n;
	int err;

	err = atw_channel_sleep(&m->ch, atw_timing.escape_guard) ?:
	      atw_channel_raw(&m->ch, "+++", 3) ?:
	      atw_channel_sleep(&m->ch, atw_timing.escape_guard) ?:
	      atw_channel_raw(&m->ch, "\r\n", 2) ?:
	      atw_uart_answers(m, 3);
	/* A payload ends only by its bytes. */
	while (err == -ETIMEDOUT && filler) {
		n = min_t(u32, filler, 1024);
		filler -= n;
		err = atw_channel_fill(&m->ch, n) ?: atw_uart_answers(m, 2);
	}
	return err;
}

static int atw_uart_reset(struct atw_module *m)
{
	struct atw_transport *t = m->ch.transport;
	int err;

	if (!t->ops->reset)
		return -EOPNOTSUPP;
	err = t->ops->reset(t);
	if (err)
		return err;
	err = atw_channel_sleep(&m->ch, HZ / 10);
	if (err)
		return err;
	atw_channel_idle(&m->ch, HZ, atw_timing.boot);
	atw_channel_restart(&m->ch);
	m->ch.owed = 0;
	return 0;
}

/**
 * atw_uart_find() - find the rate at which the module answers
 * @m: the module
 *
 * Whatever it was left in ends with that.
 *
 * Context: the channel's thread; sleeps, for minutes where nobody is there.
 * Return: 0; -ETIMEDOUT, it does not answer at any rate; or as
 * atw_channel_exec().
 */
int atw_uart_find(struct atw_module *m)
{
	unsigned int first = m->baud ?: atw_uart_rate(m);
	u32 filler = m->failures ? 65536 : 4096;
	unsigned int rate;
	int pass, i, err;

	/* A module that has just started gives no CTS. */
	if (m->ch.transport->rtscts)
		m->ch.transport->ops->set_flow(m->ch.transport, false);
	if (first)
		atw_uart_set_rate(m, first);
	/* What is said to one that waits for bytes of a payload goes to a remote. */
	err = m->ch.owed ? atw_uart_reset(m) : 0;
	if (err == -ENODEV)
		return err;
	/* What is said to one that may be in transparent mode goes to a remote, who may answer. */
	err = m->autott == ATW_AUTOTT_NONE ? atw_uart_answers(m, 3) : atw_uart_escape(m, 0);
	if (err != -ETIMEDOUT)
		return err;
	err = atw_uart_reset(m);
	if (err == -ENODEV)
		return err;
	if (!err) {
		err = atw_uart_answers(m, 3);
		if (err != -ETIMEDOUT)
			return err;
	}
	err = atw_uart_escape(m, filler);
	if (err != -ETIMEDOUT || !m->ch.transport->ops->set_baud)
		return err;

	for (pass = 0; pass < 2; pass++) {
		for (i = -1; i < (int)ARRAY_SIZE(atw_rates); i++) {
			/* A tty that is being closed takes no rate, and makes one wait. */
			err = atw_channel_sleep(&m->ch, 0);
			if (err)
				return err;
			rate = i < 0 ? m->ch.transport->max_baud : atw_rates[i];
			if (!rate || rate == first ||
			    !atw_uart_set_rate(m, rate))
				continue;
			err = pass ? atw_uart_escape(m, 1024) :
				     atw_uart_answers(m, 2);
			if (err != -ETIMEDOUT)
				return err;
			/* It may only have been slow to come back. */
			if (!pass || !first || !atw_uart_set_rate(m, first))
				continue;
			err = atw_uart_answers(m, 1);
			if (err != -ETIMEDOUT)
				return err;
		}
		if (first && atw_uart_set_rate(m, first)) {
			err = atw_uart_answers(m, 2);
			if (err != -ETIMEDOUT)
				return err;
		}
	}
	return -ETIMEDOUT;
}

/* The first number that is told. */
static bool atw_uart_row(struct atw_cmd *cmd, const char *text)
{
	const char *value = atw_answer_value(cmd->line.buf, text);

	return value && atw_parse_uint(&value, INT_MAX, cmd->priv);
}

/* @val: 0 if none is told. */
static int atw_uart_ask(struct atw_module *m, enum atw_verb verb, long timeout,
			u32 *val)
{
	*val = 0;
	return atw_channel_ask(&m->ch, verb, timeout, atw_uart_row, val);
}

static int atw_uart_tell_rate(struct atw_module *m, unsigned int baud,
			      long timeout)
{
	struct atw_cmd cmd = { .timeout = timeout };
	int err;

	atw_line_verb(&cmd.line, m->ch.dialect, ATW_VERB_SET_RATE);
	atw_line_uint(&cmd.line, baud);
	atw_line_uint(&cmd.line, 8);
	atw_line_uint(&cmd.line, 1);
	atw_line_uint(&cmd.line, 0);
	err = atw_channel_confirm(&m->ch, &cmd);
	/* The OK came at the old rate, the switch follows shortly. */
	return err ?: atw_channel_sleep(&m->ch, HZ / 10);
}

/* Are both understood at the new rate, not just once? */
static int atw_uart_verify(struct atw_module *m, unsigned int baud)
{
	int err = atw_uart_answers(m, 3);
	u32 has;
	int i;

	for (i = 0; i < ATW_VERIFY_ROUNDS && !err; i++) {
		err = atw_uart_ask(m, ATW_VERB_GET_RATE, ATW_AT_TIMEOUT, &has);
		if (!err && has != baud)
			err = -EBADMSG;
	}
	return err;
}

/*
 * The module is at a rate that does not work. It may hear us though we do not
 * hear it, or one time out of some: it is told without regard to what it says.
 */
static int atw_uart_take_back(struct atw_module *m, unsigned int from,
			      unsigned int to)
{
	int tries, err;

	for (tries = 0; tries < ATW_TAKE_BACK_TRIES; tries++) {
		atw_uart_set_rate(m, from);
		/* Ends what it may have made of what it got before. */
		err = atw_channel_raw(&m->ch, "\r\n", 2);
		if (!err)
			err = atw_uart_tell_rate(m, to, ATW_AT_TIMEOUT);
		if (err == -ENODEV)
			return err;
		err = atw_channel_sleep(&m->ch, HZ / 10);
		if (err)
			return err;
		atw_uart_set_rate(m, to);
		err = atw_uart_answers(m, 2);
		if (err != -ETIMEDOUT)
			return err;
	}
	return -ETIMEDOUT;
}

/*
 * Has our UART that rate? It may say so and stay at the one it had: serdev does
 * not tell which one was set. Then the module, which is there, still answers.
 */
static int atw_uart_has_rate(struct atw_module *m, unsigned int baud)
{
	int err = -EOPNOTSUPP;

	if (atw_uart_set_rate(m, baud)) {
		err = atw_uart_answers(m, 2);
		if (!err)
			err = -EOPNOTSUPP;
	}
	/* One that is being taken away takes no rate, either. */
	if (atw_channel_sleep(&m->ch, 0))
		return -ENODEV;
	atw_uart_set_rate(m, m->baud);
	/* What it was sent at that rate is noise to it. */
	return err == -ETIMEDOUT ? atw_uart_answers(m, 3) : err;
}

/**
 * atw_uart_raise() - have both at the rate that is wanted, if that works
 * @m: the module, which answers
 *
 * A rate that did not work is not tried again until the device is made anew:
 * each try would wear out the module's flash.
 *
 * Context: the channel's thread; sleeps.
 * Return: 0, also when they stay at the rate they had; or as atw_channel_exec().
 */
int atw_uart_raise(struct atw_module *m)
{
	unsigned int want = m->ch.transport->max_baud;
	unsigned int old = atw_uart_rate(m);
	u32 has;
	int err;

	if (old)
		m->baud = old;
	m->wire_baud = m->baud;
	err = atw_uart_ask(m, ATW_VERB_GET_RATE, atw_timing.cmd, &has);
	if (err)
		return atw_cmd_refused(err) ? 0 : err;
	if (has < ATW_BAUD_MIN || has > ATW_BAUD_MAX)
		has = 0;
	if (!old)
		m->baud = has;
	if (has)
		m->wire_baud = has;
	/* What is in its flash is written only when it differs. */
	if (!want || want == m->bad_baud || has == want || (old && old == want) ||
	    !m->ch.transport->ops->set_baud)
		return 0;

	if (!atw_channel_may_store(&m->ch))
		return 0;
	err = atw_uart_has_rate(m, want);
	if (err == -EOPNOTSUPP) {
		m->bad_baud = want;
		dev_warn(m->dev, "this UART has no %u baud, staying at %u\n",
			 want, m->baud);
		return 0;
	}
	if (err)
		return err;
	err = atw_uart_tell_rate(m, want, atw_timing.cmd);
	if (atw_cmd_refused(err)) {
		m->bad_baud = want;
		dev_info(m->dev, "the module refuses %u baud, staying at %u\n",
			 want, m->baud);
		return 0;
	}
	if (err)
		return err;
	atw_uart_set_rate(m, want);
	err = atw_uart_verify(m, want);
	if (!err) {
		m->baud = want;
		m->wire_baud = want;
	}
	if (!err || err == -ENODEV || err == -ECONNRESET)
		return err;
	m->bad_baud = want;
	dev_warn(m->dev, "%u baud does not work on this UART, back to %u\n",
		 want, m->baud);
	err = atw_uart_take_back(m, want, m->baud);
	if (err == -ETIMEDOUT)
		dev_err(m->dev, "the module does not hear that, it stays at %u baud: set it back by hand, or shorten the wires\n",
			want);
	return err;
}

/**
 * atw_uart_flow() - have both use RTS and CTS, where they are wired
 * @m: the module, which answers
 *
 * First the module, since before that nobody gives us CTS; it answers when it
 * has ours, which is given as long as we do not use it.
 *
 * Context: the channel's thread; sleeps.
 * Return: 0, also when they are not used; or as atw_channel_exec().
 */
int atw_uart_flow(struct atw_module *m)
{
	struct atw_transport *t = m->ch.transport;
	u32 has;
	int err;

	if (!t->rtscts || m->no_flow)
		return 0;
	err = atw_uart_ask(m, ATW_VERB_GET_FLOW, atw_timing.cmd, &has);
	if (!err && has != ATW_FLOW_BOTH && !atw_channel_may_store(&m->ch))
		return 0;
	if (!err && has != ATW_FLOW_BOTH)
		err = atw_channel_ask(&m->ch, ATW_VERB_FLOW, atw_timing.cmd, NULL, NULL);
	if (atw_cmd_refused(err)) {
		m->no_flow = true;
		dev_warn(m->dev, "the module's firmware has no flow control, RTS and CTS are not used\n");
		return 0;
	}
	if (!err) {
		t->ops->set_flow(t, true);
		err = atw_uart_answers(m, 3);
	}
	if (err != -ETIMEDOUT)
		return err;
	m->no_flow = true;
	dev_warn(m->dev, "no answer by RTS and CTS, they are not used: check that both are wired, crosswise\n");
	t->ops->set_flow(t, false);
	/* What had waited for CTS has its answers first. */
	err = atw_uart_answers(m, 3);
	if (!err)
		err = atw_channel_ask(&m->ch, ATW_VERB_NO_FLOW, atw_timing.cmd, NULL, NULL);
	return err == -ETIMEDOUT ? atw_uart_answers(m, 3) : err;
}
