// SPDX-License-Identifier: GPL-2.0
/*
 * The module as a whole.
 *
 * Bring-up and recovery are one path, and it assumes nothing: the module may
 * be off, at another rate, in the middle of a payload that a former host
 * announced, in transparent mode, busy with a connect, or just starting. All of
 * it runs in the channel's thread; boot never waits for it.
 */
#include <linux/device.h>
#include <linux/jiffies.h>
#include <linux/string.h>

#include "module.h"

#define ATW_CMD_TIMEOUT		(5 * HZ)
/* An answer to AT takes the module's 2 ms poll and the bytes' own time. */
#define ATW_AT_TIMEOUT		(HZ * 3 / 10)
/* The guard of "+++": the vendor asks for 1 s; 1.2 s is used in the field. */
#define ATW_ESCAPE_GUARD	(HZ * 12 / 10)
/* From reset to "ready": hosts in the field wait 1 s to 3 s. */
#define ATW_BOOT_TIMEOUT	(3 * HZ)
/* The module may be blocked in a send for long; then it answers after it. */
#define ATW_SYNC_TRIES		20
#define ATW_LINK_POLL_DOWN	(2 * HZ)
#define ATW_LINK_POLL_UP	(30 * HZ)
#define ATW_RETRY_MIN		(2 * HZ)
#define ATW_RETRY_MAX		(60 * HZ)

/* Rates that modules are found at, the most usual ones first. */
static const unsigned int atw_rates[] = {
	115200, 921600, 460800, 230400, 57600, 9600, 38400, 19200,
	1000000, 1500000, 2000000,
};

const char *atw_module_state_name(const struct atw_module *m)
{
	switch (READ_ONCE(m->state)) {
	case ATW_MODULE_JOINED:
		return "joined";
	case ATW_MODULE_DOWN:
		return "down";
	default:
		return "probing";
	}
}

static unsigned int atw_module_rate(struct atw_module *m)
{
	struct atw_transport *t = m->ch.transport;

	return t->ops->get_baud ? t->ops->get_baud(t) : 0;
}

static bool atw_module_set_rate(struct atw_module *m, unsigned int baud)
{
	struct atw_transport *t = m->ch.transport;
	int set;

	if (!t->ops->set_baud)
		return false;
	set = t->ops->set_baud(t, baud);
	/* A UART tolerates 2 % together with the other side's error. */
	return set > 0 && abs(set - (int)baud) <= (int)baud / 50;
}

/* Does the module answer at the present rate? */
static int atw_module_answers(struct atw_module *m, int tries)
{
	int err = -ETIMEDOUT;

	while (tries--) {
		err = atw_channel_run(&m->ch, "AT", ATW_AT_TIMEOUT);
		/* Whatever it said, it was to us and it was whole. */
		if (err == -EREMOTEIO || err == -EOPNOTSUPP)
			err = 0;
		if (err == -ECONNRESET) {
			/* It is just starting: once more, when it is done. */
			atw_channel_restart(&m->ch);
			err = atw_channel_idle(&m->ch, HZ / 4, ATW_BOOT_TIMEOUT);
			if (err == -ENODEV)
				return err;
			err = -ETIMEDOUT;
			continue;
		}
		if (err != -ETIMEDOUT)
			break;
	}
	if (err)
		return err;
	/* An answer to an earlier try must not be taken for a later one's. */
	err = atw_channel_idle(&m->ch, HZ / 20 + 1, HZ);
	return err == -ENODEV ? err : 0;
}

/* Leave transparent mode, and a payload that was announced by somebody. */
static int atw_module_escape(struct atw_module *m, u32 filler)
{
	u8 crlf[64];
	u32 n;
	int err;

	for (n = 0; n < sizeof(crlf); n++)
		crlf[n] = n & 1 ? '\n' : '\r';
	err = atw_channel_sleep(&m->ch, ATW_ESCAPE_GUARD);
	if (!err)
		err = atw_channel_raw(&m->ch, "+++", 3);
	if (!err)
		err = atw_channel_sleep(&m->ch, ATW_ESCAPE_GUARD);
	if (!err)
		err = atw_channel_raw(&m->ch, "\r\n", 2);
	if (!err)
		err = atw_module_answers(m, 3);
	/*
	 * A payload ends only by its bytes. Line ends harm nobody when they
	 * turn out to be too many: an empty line has no answer.
	 */
	while (err == -ETIMEDOUT && filler) {
		n = min_t(u32, filler, 1024);
		filler -= n;
		err = 0;
		while (n && !err) {
			err = atw_channel_raw(&m->ch, crlf,
					      min_t(u32, n, sizeof(crlf)));
			n -= min_t(u32, n, sizeof(crlf));
		}
		if (!err)
			err = atw_module_answers(m, 2);
	}
	return err;
}

static int atw_module_reset(struct atw_module *m)
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
	atw_channel_idle(&m->ch, HZ, ATW_BOOT_TIMEOUT);
	atw_channel_restart(&m->ch);
	return 0;
}

/* Find the rate at which the module answers. */
static int atw_module_find(struct atw_module *m)
{
	unsigned int first = m->baud ?: atw_module_rate(m);
	u32 filler = m->failures ? 65536 : 4096;
	unsigned int rate;
	int pass, i, err;

	if (first)
		atw_module_set_rate(m, first);
	err = atw_module_answers(m, 3);
	if (err != -ETIMEDOUT)
		return err;
	err = atw_module_reset(m);
	if (err == -ENODEV)
		return err;
	if (!err) {
		err = atw_module_answers(m, 3);
		if (err != -ETIMEDOUT)
			return err;
	}
	err = atw_module_escape(m, filler);
	if (err != -ETIMEDOUT || !m->ch.transport->ops->set_baud)
		return err;

	for (pass = 0; pass < 2; pass++) {
		for (i = -1; i < (int)ARRAY_SIZE(atw_rates); i++) {
			rate = i < 0 ? m->ch.transport->max_baud : atw_rates[i];
			if (!rate || rate == first ||
			    !atw_module_set_rate(m, rate))
				continue;
			err = pass ? atw_module_escape(m, 1024) :
				     atw_module_answers(m, 2);
			if (err != -ETIMEDOUT)
				return err;
		}
	}
	if (first)
		atw_module_set_rate(m, first);
	return -ETIMEDOUT;
}

static bool atw_module_version_row(struct atw_cmd *cmd, const char *text,
				   size_t len)
{
	struct atw_module *m = cmd->priv;

	if (!strncmp(text, "at version:", 11))
		strscpy(m->at_version, text + 11, sizeof(m->at_version));
	else if (!strncmp(text, "firmware version:", 17))
		strscpy(m->firmware, text + 17, sizeof(m->firmware));
	else
		return false;
	return true;
}

static int atw_module_identify(struct atw_module *m)
{
	struct atw_cmd cmd = {
		.timeout = ATW_CMD_TIMEOUT,
		.row = atw_module_version_row,
		.priv = m,
	};
	int err;

	m->firmware[0] = '\0';
	m->at_version[0] = '\0';
	atw_line_start(&cmd.line, "AT+GMR");
	atw_line_end(&cmd.line);
	err = atw_channel_exec(&m->ch, &cmd);
	if (strstr(m->firmware, "V4.18_P1.0."))
		m->profile = ATW_PROFILE_BW20;
	else if (!strncmp(m->at_version, "release/", 8) &&
		 !strstr(m->firmware, "P23."))
		m->profile = ATW_PROFILE_CLASSIC;
	else
		m->profile = ATW_PROFILE_MIDDLEWARE;
	return err == -EREMOTEIO || err == -EOPNOTSUPP ? 0 : err;
}

static bool atw_module_uart_row(struct atw_cmd *cmd, const char *text,
				size_t len)
{
	unsigned int *baud = cmd->priv;
	const char *p = text + 9;
	u32 val;

	if (strncmp(text, "+UARTCFG:", 9) || !atw_parse_uint(&p, INT_MAX, &val))
		return false;
	*baud = val;
	return true;
}

/* Raise the rate to the one that is wanted, if that works in both directions. */
static int atw_module_raise(struct atw_module *m)
{
	unsigned int want = m->ch.transport->max_baud;
	unsigned int old = atw_module_rate(m);
	unsigned int has = 0;
	struct atw_cmd cmd = {
		.timeout = ATW_CMD_TIMEOUT,
		.row = atw_module_uart_row,
		.priv = &has,
	};
	int err;

	atw_line_start(&cmd.line, "AT+UARTCFG?");
	atw_line_end(&cmd.line);
	err = atw_channel_exec(&m->ch, &cmd);
	if (err)
		return err == -EREMOTEIO || err == -EOPNOTSUPP ? 0 : err;
	m->baud = old ?: has;
	/* What is in its flash is written only when it differs. */
	if (!want || has == want || (old && old == want) ||
	    !m->ch.transport->ops->set_baud)
		return 0;

	memset(&cmd, 0, sizeof(cmd));
	cmd.timeout = ATW_CMD_TIMEOUT;
	atw_line_start(&cmd.line, "AT+UARTCFG=");
	atw_line_uint(&cmd.line, want);
	atw_line_uint(&cmd.line, 8);
	atw_line_uint(&cmd.line, 1);
	atw_line_uint(&cmd.line, 0);
	atw_line_end(&cmd.line);
	err = atw_channel_exec(&m->ch, &cmd);
	if (err == -EREMOTEIO || err == -EOPNOTSUPP) {
		dev_info(m->dev, "the module refuses %u baud, staying at %u\n",
			 want, m->baud);
		return 0;
	}
	if (err)
		return err;
	/* The OK came at the old rate, the switch follows shortly. */
	err = atw_channel_sleep(&m->ch, HZ / 10);
	if (err)
		return err;
	if (atw_module_set_rate(m, want)) {
		err = atw_module_answers(m, 3);
		if (!err)
			err = atw_module_identify(m);
		if (!err) {
			m->baud = want;
			return 0;
		}
		if (err != -ETIMEDOUT)
			return err;
	}
	dev_warn(m->dev, "%u baud does not work on this UART, back to %u\n",
		 want, m->baud);
	atw_module_set_rate(m, m->baud);
	return atw_module_answers(m, 3);
}

static bool atw_module_link_row(struct atw_cmd *cmd, const char *text,
				size_t len)
{
	return atw_parse_wifi_status(text, cmd->priv);
}

/* Ask for the state of the Wi-Fi link and tell who must know. */
static int atw_module_query_link(struct atw_module *m)
{
	struct atw_wifi_status st = { 0 };
	struct atw_cmd cmd = {
		.timeout = ATW_CMD_TIMEOUT,
		.row = atw_module_link_row,
		.priv = &st,
	};
	bool up;
	int err;

	WRITE_ONCE(m->link_event, false);
	atw_line_start(&cmd.line, "AT+WJAP?");
	atw_line_end(&cmd.line);
	err = atw_channel_exec(&m->ch, &cmd);
	if (err && err != -EREMOTEIO && err != -EOPNOTSUPP)
		return err;
	/* Firmware that cannot be asked is taken to be joined: the first
	 * connect will tell.
	 */
	up = err == -EOPNOTSUPP || (!err && st.status == 3);
	/* An event that came meanwhile is newer than the answer. */
	if (READ_ONCE(m->link_event))
		return 0;

	if (up)
		WRITE_ONCE(m->addr, st.addr);
	WRITE_ONCE(m->gateway, st.gateway);
	if (st.has_mac)
		memcpy(m->mac, st.mac, sizeof(m->mac));
	if (up && m->state != ATW_MODULE_JOINED) {
		dev_info(m->dev, "joined, address %pI4h\n", &st.addr);
		atw_conns_set_link(&m->conns, true);
		WRITE_ONCE(m->state, ATW_MODULE_JOINED);
	} else if (!up && m->state != ATW_MODULE_DOWN) {
		if (m->state == ATW_MODULE_JOINED)
			dev_info(m->dev, "the Wi-Fi link is lost\n");
		WRITE_ONCE(m->state, ATW_MODULE_DOWN);
		WRITE_ONCE(m->addr, 0);
		atw_conns_set_link(&m->conns, false);
	}
	m->next_link = jiffies + (up ? ATW_LINK_POLL_UP : ATW_LINK_POLL_DOWN);
	return 0;
}

static int atw_module_setup(struct atw_module *m)
{
	bool was_found = m->bringups;
	int err;

	err = atw_module_find(m);
	if (err)
		return err;
	err = atw_channel_run(&m->ch, "ATE0", ATW_CMD_TIMEOUT);
	if (err && err != -EREMOTEIO && err != -EOPNOTSUPP)
		return err;
	m->echo_off = !err;
	err = atw_module_identify(m);
	if (err)
		return err;
	err = atw_module_raise(m);
	if (err)
		return err;
	atw_conns_set_rate(&m->conns, m->baud);
	err = atw_conns_set_active(&m->conns);
	if (err)
		return err;
	err = atw_conns_purge(&m->conns);
	if (err == -EBUSY) {
		dev_warn(m->dev, "old sockets cannot be deleted, restarting the module\n");
		atw_channel_run(&m->ch, "AT+RST", ATW_CMD_TIMEOUT);
		return -ECONNRESET;
	}
	if (err)
		return err;
	if (!was_found)
		dev_info(m->dev, "module found, firmware %s, %u baud\n",
			 m->firmware[0] ? m->firmware : "unknown", m->baud);
	WRITE_ONCE(m->state, ATW_MODULE_DOWN);
	return atw_module_query_link(m);
}

static void atw_module_bring_up(struct atw_module *m)
{
	unsigned long pause;
	int tries, err;

	WRITE_ONCE(m->state, ATW_MODULE_PROBING);
	WRITE_ONCE(m->addr, 0);
	m->echo_off = false;
	atw_conns_fail_all(&m->conns, -ECONNRESET);

	for (tries = 0; tries < 3; tries++) {
		WRITE_ONCE(m->restart, false);
		m->conns.need_reset = false;
		m->conns.need_sync = false;
		m->conns.reconcile = false;
		atw_channel_restart(&m->ch);
		/* A module that is starting is left to its banner. */
		err = atw_channel_idle(&m->ch, HZ / 10, ATW_BOOT_TIMEOUT);
		if (err == -ENODEV)
			return;
		err = atw_module_setup(m);
		/* It started again under our hands: once more. */
		if (err != -ECONNRESET)
			break;
	}
	m->conns.need_reset = false;
	if (err == -ENODEV)
		return;
	if (!err) {
		m->bringups++;
		m->failures = 0;
		m->told = false;
		return;
	}

	WRITE_ONCE(m->state, ATW_MODULE_PROBING);
	WRITE_ONCE(m->restart, true);
	pause = min_t(unsigned long, ATW_RETRY_MAX,
		      ATW_RETRY_MIN << min(m->failures, 5U));
	m->failures++;
	m->next_probe = jiffies + pause;
	if (!m->told)
		dev_warn(m->dev,
			 "no answer from the module at any usual rate (%d): check power, wiring and that nothing else uses the port; trying again\n",
			 err);
	m->told = true;
}

/* An answer stayed away: is anybody there, and what is left? */
static void atw_module_sync(struct atw_module *m)
{
	int tries, err = -ETIMEDOUT;

	m->conns.need_sync = false;
	/* If it waits for bytes of a payload they are never to come. */
	if (m->ch.owed) {
		m->conns.need_reset = true;
		return;
	}
	for (tries = 0; tries < ATW_SYNC_TRIES && err == -ETIMEDOUT; tries++)
		err = atw_channel_run(&m->ch, "AT", HZ);
	if (err == -EREMOTEIO || err == -EOPNOTSUPP)
		err = 0;
	if (!err)
		err = atw_channel_idle(&m->ch, HZ / 10, 2 * HZ);
	if (err)
		m->conns.need_reset = true;
	else
		m->conns.reconcile = true;
}

static bool atw_module_work(void *ctx)
{
	struct atw_module *m = ctx;

	if (m->conns.need_reset && !m->restart) {
		dev_warn(m->dev, "the module does not answer as it should, starting over\n");
		WRITE_ONCE(m->restart, true);
		m->next_probe = jiffies;
	}
	if (READ_ONCE(m->restart)) {
		if (m->state == ATW_MODULE_PROBING &&
		    time_before(jiffies, m->next_probe))
			return false;
		atw_module_bring_up(m);
		return true;
	}
	if (m->conns.need_sync) {
		atw_module_sync(m);
		return true;
	}
	if (READ_ONCE(m->link_event) || time_after(jiffies, m->next_link)) {
		m->next_link = jiffies + ATW_LINK_POLL_DOWN;
		if (atw_module_query_link(m) == -ETIMEDOUT)
			m->conns.need_sync = true;
		return true;
	}
	return atw_conns_work(&m->conns);
}

static long atw_module_next_work(void *ctx)
{
	struct atw_module *m = ctx;
	long left;

	if (READ_ONCE(m->restart))
		left = (long)(m->next_probe - jiffies);
	else
		left = min((long)(m->next_link - jiffies) + 1,
			   atw_conns_next_work(&m->conns));
	return clamp_t(long, left, 1, ATW_RETRY_MAX);
}

static void atw_module_event(void *ctx, const struct atw_event *ev)
{
	struct atw_module *m = ctx;

	switch (ev->type) {
	case ATW_EV_ECHO:
		/* It came back without our settings: the banner was missed. */
		if (!m->echo_off)
			break;
		fallthrough;
	case ATW_EV_READY:
		if (m->state != ATW_MODULE_PROBING) {
			m->reboots++;
			dev_warn_ratelimited(m->dev, "the module has restarted\n");
		}
		WRITE_ONCE(m->ch.reset, true);
		WRITE_ONCE(m->restart, true);
		m->next_probe = jiffies;
		atw_channel_kick(&m->ch);
		break;
	case ATW_EV_WIFI_DISCONNECT:
		atw_conns_set_link(&m->conns, false);
		fallthrough;
	case ATW_EV_WIFI_CONNECT:
	case ATW_EV_WIFI_GOT_IP:
		WRITE_ONCE(m->link_event, true);
		atw_channel_kick(&m->ch);
		break;
	default:
		atw_conns_event(&m->conns, ev);
		break;
	}
}

static u8 *atw_module_payload(void *ctx, u32 id, u32 len)
{
	struct atw_module *m = ctx;

	return atw_conns_payload(&m->conns, id, len);
}

static const struct atw_channel_ops atw_module_channel_ops = {
	.work = atw_module_work,
	.next_work = atw_module_next_work,
	.event = atw_module_event,
	.payload = atw_module_payload,
};

/**
 * atw_module_start() - begin to look for the module
 * @m: zeroed memory
 * @t: the open transport
 * @dev: for messages
 *
 * Context: process context; does not wait for the module.
 * Return: 0 or -errno.
 */
int atw_module_start(struct atw_module *m, struct atw_transport *t,
		     struct device *dev)
{
	m->dev = dev;
	m->restart = true;
	m->next_probe = jiffies;
	m->next_link = jiffies;
	atw_conns_init(&m->conns, &m->ch);
	return atw_channel_start(&m->ch, &atw_module_channel_ops, m, t, dev);
}

/**
 * atw_module_stop() - end all work and all connections
 * @m: the module
 *
 * When this returns nothing is called in the transport any more.
 *
 * Context: process context; waits for the command that is being written.
 */
void atw_module_stop(struct atw_module *m)
{
	atw_channel_stop(&m->ch);
	atw_conns_gone(&m->conns);
}
