// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looking for networks; joining one, which the module then does again by itself after
 * each start, and leaving it; and what it is in.
 */
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "error.h"
#include "format.h"
#include "parse.h"
#include "query.h"
#include "timing.h"

/* Those of AT+WSCAN's list, by AT+WSCANOPT; the module begins with more of these bits. */
#define ATW_SCAN_COLUMNS	0x1f

static bool atw_wifi_mode_row(struct atw_cmd *cmd, const char *text)
{
	const char *value = atw_answer_value(cmd->line.buf, text);
	u32 *mode = cmd->priv, n;

	if (!value || !atw_parse_uint(&value, ATW_MODE_MAX, &n) || *value)
		return false;
	*mode = n;
	return true;
}

/**
 * atw_query_get_mode() - is it a station, an access point, or both?
 * @m: the module
 * @q: the begin of the query
 * @mode: out: bits, ATW_MODE_*
 *
 * Context: the channel's thread.
 * Return: as all of them.
 */
int atw_query_get_mode(struct atw_module *m, struct atw_query *q, u32 *mode)
{
	int err;

	*mode = U32_MAX;
	err = atw_query_ask(m, q, ATW_VERB_GET_MODE, atw_wifi_mode_row, mode);
	return err ?: *mode == U32_MAX ? -EPROTO : 0;
}

/**
 * atw_query_set_mode() - have it be a station, an access point, or both
 * @m: the module
 * @q: the begin of the query
 * @mode: bits, ATW_MODE_*
 * @store: after its next start, too
 *
 * Context: the channel's thread.
 * Return: as all of them.
 */
int atw_query_set_mode(struct atw_module *m, struct atw_query *q, u32 mode, bool store)
{
	struct atw_cmd cmd = { .timeout = atw_timing.raw };

	atw_line_verb(&cmd.line, m->ch.dialect, ATW_VERB_SET_MODE);
	atw_line_uint(&cmd.line, mode);
	atw_line_uint(&cmd.line, store);
	return atw_query_exec(m, &cmd, q);
}

/* Whether it joins the network that it is in, or was in last, after each start. */
static int atw_wifi_set_auto(struct atw_module *m, struct atw_query *q, bool on)
{
	struct atw_cmd cmd = { .timeout = atw_timing.raw };

	atw_line_verb(&cmd.line, m->ch.dialect, ATW_VERB_SET_AUTO);
	atw_line_uint(&cmd.line, on);
	return atw_query_exec(m, &cmd, q);
}

static bool atw_wifi_auto_row(struct atw_cmd *cmd, const char *text)
{
	const char *value = atw_answer_value(cmd->line.buf, text);
	bool *off = cmd->priv;

	*off = *off || (value && !strcmp(value, "0"));
	return value;
}

/* Has it heard it, and done it or refused to? Else it had no time, or nobody knows. */
static bool atw_wifi_has_heard(const struct atw_query *q, int err)
{
	return !err || (err != -EBUSY && err != -EPROTO && atw_query_refused(q, err));
}

/* It is stored: what is so already is not written again. */
static int atw_wifi_no_auto(struct atw_module *m, struct atw_query *q)
{
	bool off = false;
	int err;

	err = atw_query_ask(m, q, ATW_VERB_GET_AUTO, atw_wifi_auto_row, &off);
	if (off || !atw_wifi_has_heard(q, err))
		return err;
	q->code = 0;
	return atw_wifi_set_auto(m, q, false);
}

/* Why has it not joined? By its state, which some firmware has one for. */
static int atw_wifi_reason(const struct atw_module *m, struct atw_query *q)
{
	const struct atw_error *error = m->ch.dialect->error(q->code);

	if (m->status != ATW_WIFI_BAD_PASSWORD) {
		/* Most firmware has one number for this, whatever the network did not like. */
		if (error->outcome == ATW_NOT_LET_IN)
			q->why = "the network has not let the module in: is its password right?";
		return error->err;
	}
	q->code = 0;
	q->why = "the network refuses this password";
	return -EKEYREJECTED;
}

/* Some firmware tells, but not in its answer. */
static int atw_wifi_why(struct atw_module *m, struct atw_query *q)
{
	int err = atw_module_query_link(m);

	atw_conns_command_failed(&m->conns, err);
	if (err == -ENODEV || err == -ECONNRESET)
		return err;
	return err ? m->ch.dialect->error(q->code)->err : atw_wifi_reason(m, q);
}

/* In words that outlive the request: what answers it points to them. Of a name, of a password. */
#define ATW_CONTROL(byte)									\
	[0x##byte] = {										\
		"a module cannot be told of the control character 0x" #byte " in a name",	\
		"a module cannot be told of the control character 0x" #byte " in a password",	\
	}

static const char *const atw_wifi_controls[][2] = {
	ATW_CONTROL(01), ATW_CONTROL(02), ATW_CONTROL(03), ATW_CONTROL(04),
	ATW_CONTROL(05), ATW_CONTROL(06), ATW_CONTROL(07), ATW_CONTROL(08),
	ATW_CONTROL(09), ATW_CONTROL(0a), ATW_CONTROL(0b), ATW_CONTROL(0c),
	ATW_CONTROL(0d), ATW_CONTROL(0e), ATW_CONTROL(0f), ATW_CONTROL(10),
	ATW_CONTROL(11), ATW_CONTROL(12), ATW_CONTROL(13), ATW_CONTROL(14),
	ATW_CONTROL(15), ATW_CONTROL(16), ATW_CONTROL(17), ATW_CONTROL(18),
	ATW_CONTROL(19), ATW_CONTROL(1a), ATW_CONTROL(1b), ATW_CONTROL(1c),
	ATW_CONTROL(1d), ATW_CONTROL(1e), ATW_CONTROL(1f), ATW_CONTROL(7f),
};

/**
 * atw_query_unsayable() - why can the firmware not be told of a network?
 * @m: the module
 * @ssid: its name
 * @password: and password, or ""
 *
 * Context: as atw_join_check().
 * Return: words that name what is in the way.
 */
const char *atw_query_unsayable(const struct atw_module *m, const char *ssid,
				const char *password)
{
	const struct atw_firmware *fw = READ_ONCE(m->conns.fw);
	char c = atw_line_unsayable(fw, ssid);
	bool name = c;

	if (!c)
		c = atw_line_unsayable(fw, password);
	switch (c) {
	case 0:
		return "this firmware cannot be told so long a name or password";
	case ',':
		return name ? "this firmware cannot be told of a comma in a name" :
			      "this firmware cannot be told of a comma in a password";
	case '"':
		return name ? "this firmware cannot be told of a quote in a name" :
			      "this firmware cannot be told of a quote in a password";
	case '\\':
		return name ? "this firmware cannot be told of this backslash in a name" :
			      "this firmware cannot be told of this backslash in a password";
	default:
		return atw_wifi_controls[(unsigned char)c][!name];
	}
}

/* Be out of the network, for now. */
static int atw_wifi_out(struct atw_module *m, struct atw_query *q, u32 mode)
{
	struct atw_cmd cmd = { .timeout = atw_timing.raw };
	int err;

	atw_line_verb(&cmd.line, m->ch.dialect, ATW_VERB_LEAVE);
	err = atw_query_exec(m, &cmd, q);
	/* Elsewhere it is what the command does. */
	if (err == -EOPNOTSUPP)
		err = atw_query_set_mode(m, q, mode & ~ATW_MODE_STATION, false) ?:
		      atw_query_set_mode(m, q, mode, false);
	atw_sched_set(&m->sched, ATW_DO_LINK);
	return err;
}

static bool atw_wifi_is_given_up(struct atw_query_join *q)
{
	return q->given_up && q->given_up(q);
}

/* Has it told how it is? Where an event has come since, that is to be asked anew. */
static bool atw_wifi_has_told(const struct atw_module *m)
{
	return !atw_sched_is_set(&m->sched, ATW_DO_LINK);
}

static bool atw_wifi_is_in(const struct atw_module *m)
{
	return m->state == ATW_MODULE_JOINED || m->status == ATW_WIFI_NO_ADDRESS;
}

/* A name that cannot be read may be this one's. */
static bool atw_wifi_is_of(const struct atw_module *m, const struct atw_join *join)
{
	return !m->net.ssid[0] || !strcmp(m->net.ssid, join->ssid);
}

/*
 * It has said OK, which some firmware does to begin with. Who is told that a join has failed
 * goes by that. It is asked until then, for no event tells that a network refuses its password.
 * Returns 1 if the network has let it in, 0 if that is not known yet.
 */
static int atw_wifi_settle(struct atw_module *m, struct atw_query_join *q, u32 mode,
			   enum atw_wifi_state was)
{
	unsigned long end = jiffies + atw_timing.settle;
	struct atw_query left = { 0 };
	int err;

	do {
		err = atw_module_query_link(m);
		atw_conns_command_failed(&m->conns, err);
		if (err == -ENODEV || err == -ECONNRESET)
			return err;
		if (!err && atw_wifi_has_told(m)) {
			if (atw_wifi_is_in(m) && atw_wifi_is_of(m, &q->join))
				return 1;
			/* What it says before it has begun is about the network of before. */
			if (m->status == ATW_WIFI_CONNECTING)
				was = m->status;
			else if (m->status == ATW_WIFI_BAD_PASSWORD && m->status != was)
				break;
		}
		if (atw_wifi_is_given_up(q))
			return 0;
		err = atw_channel_sleep(&m->ch, HZ / 4);
	} while (!err && time_before(jiffies, end));
	if (err || !atw_wifi_has_told(m) || m->status == ATW_WIFI_CONNECTING)
		return err;
	/* It would be out of the network of before by now. */
	if (atw_wifi_is_in(m))
		return 1;
	err = atw_wifi_reason(m, &q->query);
	/* It would go on trying. */
	atw_wifi_out(m, &left, mode);
	return err;
}

/* It has said that it has failed, and some firmware goes on trying. */
static int atw_wifi_failed(struct atw_module *m, struct atw_query *q, u32 mode)
{
	struct atw_query left = { 0 };
	int err = atw_wifi_why(m, q);

	if (err != -ENODEV && err != -ECONNRESET && !atw_wifi_is_in(m))
		atw_wifi_out(m, &left, mode);
	return err;
}

int atw_query_join(struct atw_module *m, void *arg)
{
	enum atw_wifi_state was = m->status;
	struct atw_query_join *q = arg;
	struct atw_query other = { 0 };
	int in, err;
	u32 mode;

	/* Before anything is changed. */
	err = atw_join_check(m, &q->join);
	if (err) {
		q->query.why = atw_query_unsayable(m, q->join.ssid, q->join.password);
		return err;
	}
	if (atw_wifi_is_given_up(q))
		return -EINTR;
	err = atw_query_may_send(m, &q->query);
	if (!err)
		err = atw_query_get_mode(m, &q->query, &mode);
	/* An access point is there until it restarts: it is not stored beside the station. */
	if (!err && !(mode & ATW_MODE_STATION))
		err = atw_query_set_mode(m, &q->query, mode | ATW_MODE_STATION,
					 !(mode & ATW_MODE_AP));
	if (err)
		return err;
	if (q->once) {
		atw_join_forget(m);
		m->managed = true;
	}
	if (q->begun)
		q->begun(q);
	/* What it says from now on is about this one. */
	m->joining = false;
	err = atw_join_exec(m, &q->join, &q->query.code);
	if (err == -EREMOTEIO)
		return atw_wifi_failed(m, &q->query, mode | ATW_MODE_STATION);
	/* It may still join it, and then would not be told of the one of before. */
	if (err == -ETIMEDOUT && m->join && atw_wifi_is_given_up(q))
		atw_wifi_out(m, &other, mode | ATW_MODE_STATION);
	if (err)
		return err;
	if (q->once) {
		err = atw_wifi_no_auto(m, &other);
		/* It has joined all the same, or is about to. */
		return atw_wifi_has_heard(&other, err) ? 0 : err;
	}
	in = atw_wifi_settle(m, q, mode | ATW_MODE_STATION, was);
	if (in < 0)
		return in;
	/*
	 * Who wanted that does not any more. What it is to join by itself is as it was; where
	 * there is nothing it stays, since it may be reached by no other network.
	 */
	if ((m->join || !in) && atw_wifi_is_given_up(q))
		return atw_wifi_out(m, &q->query, mode | ATW_MODE_STATION);
	atw_join_keep(m, &q->join);
	/* What may fail yet is tried again, and not stored. */
	return in ? atw_wifi_set_auto(m, &q->query, true) : 0;
}

static int atw_wifi_leave(struct atw_module *m, struct atw_query *q)
{
	struct atw_query refused = { 0 };
	int err, stays;
	u32 mode;

	err = atw_query_get_mode(m, q, &mode);
	if (err || !(mode & ATW_MODE_STATION))
		return err;
	/* Where it will join it by itself again, it can be out of it until then. */
	stays = atw_wifi_no_auto(m, &refused);
	if (stays && !atw_query_refused(&refused, stays))
		return stays;
	err = atw_wifi_out(m, q, mode);
	if (err || stays == -EOPNOTSUPP)
		return err;
	*q = refused;
	return stays;
}

int atw_query_leave(struct atw_module *m, void *arg)
{
	bool managed = m->managed;
	struct atw_query *q = arg;
	int err;

	/* It is not to be in it, whatever comes of this. */
	atw_join_forget(m);
	err = atw_wifi_leave(m, q);
	/* Else it is let go, see below. */
	m->managed = managed && !atw_wifi_has_heard(q, err);
	return err;
}

/**
 * atw_query_let_go() - have it be out of what a program has had it join
 * @m: the module
 * @arg: the query
 *
 * Unless somebody else has told it since where to be, or that it is to leave.
 *
 * Context: the channel's thread.
 * Return: as all of them.
 */
int atw_query_let_go(struct atw_module *m, void *arg)
{
	struct atw_query *q = arg;
	u32 mode;
	int err;

	if (!m->managed)
		return 0;
	err = atw_query_get_mode(m, q, &mode);
	if (!err && mode & ATW_MODE_STATION)
		err = atw_wifi_out(m, q, mode);
	/* Else it is told again. */
	if (atw_wifi_has_heard(q, err))
		atw_join_forget(m);
	return err;
}

/**
 * atw_query_silence() - have it be out of its network for as long as its radio is blocked
 * @m: the module
 * @arg: the query
 *
 * Nothing is stored, and what it is to be in stays what it was.
 *
 * Context: the channel's thread.
 * Return: as all of them.
 */
int atw_query_silence(struct atw_module *m, void *arg)
{
	struct atw_query *q = arg;
	u32 mode;
	int err;

	/* It may have waited for its turn until that was over. */
	if (!READ_ONCE(m->barred))
		return 0;
	m->silenced = !m->managed;
	err = atw_query_get_mode(m, q, &mode);
	return err ?: atw_wifi_out(m, q, mode);
}

static bool atw_wifi_scan_row(struct atw_cmd *cmd, const char *text)
{
	return atw_query_name_row(cmd->priv, text);
}

static int atw_wifi_scan(struct atw_module *m, struct atw_query_scan *q)
{
	struct atw_cmd cmd = {
		.timeout = atw_timing.raw,
		.row = atw_wifi_scan_row,
		.priv = &q->names,
		.lost = &m->ch.parser.name,
		.names = true,
	};
	int settled, err;

	memset(&q->names, 0, sizeof(q->names));
	q->names.module = m;
	if (q->ssid[0]) {
		atw_line_verb(&cmd.line, m->ch.dialect, ATW_VERB_SCAN_FOR);
		atw_line_str(&cmd.line, m->conns.fw, q->ssid);
		if (cmd.line.err)
			q->query.why = atw_query_unsayable(m, q->ssid, "");
	} else {
		atw_line_verb(&cmd.line, m->ch.dialect, ATW_VERB_SCAN);
	}
	err = atw_query_exec(m, &cmd, &q->query);
	if (err != -ETIMEDOUT || q->query.code)
		return err;
	settled = atw_query_settle_names(m);
	/* The last row was damaged, and what ends the list taken for more of it. */
	return q->names.scan.name ? settled : err;
}

/* "0x0f": a bit for each column. */
static bool atw_wifi_columns_row(struct atw_cmd *cmd, const char *text)
{
	const char *value = atw_answer_value(cmd->line.buf, text);
	u8 *columns = cmd->priv;

	return value && !kstrtou8(value, 0, columns);
}

/* Rows without all columns do not tell where a name ends. */
static int atw_wifi_all_columns(struct atw_module *m, struct atw_query *q)
{
	u8 columns = ATW_SCAN_COLUMNS;
	int err;

	err = atw_query_ask(m, q, ATW_VERB_GET_COLUMNS, atw_wifi_columns_row, &columns);
	/* Where nobody can ask, nobody can have chosen them. */
	if (err == -EOPNOTSUPP)
		return 0;
	if (err || (columns & ATW_SCAN_COLUMNS) == ATW_SCAN_COLUMNS)
		return err;
	return atw_query_ask(m, q, ATW_VERB_ALL_COLUMNS, NULL, NULL);
}

int atw_query_scan(struct atw_module *m, void *arg)
{
	struct atw_query_scan *q = arg;
	int err;

	err = atw_query_may_send(m, &q->query) ?: atw_query_may_scan(m, &q->query);
	if (!err)
		err = atw_wifi_all_columns(m, &q->query);
	if (err)
		return err;
	err = atw_wifi_scan(m, q);
	if (!err && q->names.scan.partial)
		err = -EPROTO;
	/* What was accepted meanwhile may have got words of a name. */
	atw_conns_end_several(&m->conns, -ECONNRESET, ATW_END_STREAMS);
	return err;
}

static bool atw_wifi_signal_row(struct atw_cmd *cmd, const char *text)
{
	return atw_parse_signal(text, cmd->priv);
}

/* Not all firmware can be asked all that, nor has it an answer at any time. */
static int atw_wifi_if_known(int err, const struct atw_query *q)
{
	return atw_wifi_has_heard(q, err) ? 0 : err;
}

static int atw_wifi_signal(struct atw_module *m, struct atw_query *q, s8 *rssi)
{
	int err = atw_query_ask(m, q, ATW_VERB_SIGNAL, atw_wifi_signal_row, rssi);

	return atw_wifi_if_known(err, q);
}

int atw_query_signal(struct atw_module *m, void *arg)
{
	struct atw_query_signal *q = arg;

	return atw_wifi_signal(m, &q->query, &q->rssi);
}

static bool atw_wifi_country_row(struct atw_cmd *cmd, const char *text)
{
	return atw_parse_country(text, cmd->priv);
}

int atw_query_country(struct atw_module *m, void *arg)
{
	struct atw_query_country *q = arg;
	int err;

	strscpy(q->country, "00", sizeof(q->country));
	err = atw_query_ask(m, &q->query, ATW_VERB_COUNTRY, atw_wifi_country_row, q->country);
	return atw_wifi_if_known(err, &q->query);
}

int atw_query_status(struct atw_module *m, void *arg)
{
	struct atw_query_status *q = arg;
	struct atw_query_dns dns = { 0 };
	int err;

	/* What is cached may be half a minute old. */
	err = atw_module_query_link(m);
	atw_conns_command_failed(&m->conns, err);
	if (err)
		return err;
	q->joined = m->state == ATW_MODULE_JOINED;
	q->net = m->net;
	q->addr = m->lease.addr;
	q->gateway = m->lease.gateway;
	if (!q->joined)
		return 0;
	err = atw_wifi_signal(m, &q->query, &q->net.rssi);
	if (err)
		return err;
	err = atw_wifi_if_known(atw_query_dns(m, &dns), &dns.query);
	memcpy(q->server, dns.server, sizeof(q->server));
	return err;
}
