// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the control interface asks of a module.
 *
 * What the module may write to its flash is asked for first, and written only
 * where it is another one.
 */
#include <linux/string.h>

#include "error.h"
#include "join.h"
#include "query.h"
#include "raw.h"
#include "timing.h"

/**
 * atw_query_exec() - run a command of a query
 * @m: the module
 * @cmd: the command
 * @q: the begin of the query
 *
 * Context: the channel's thread.
 * Return: as all of them.
 */
int atw_query_exec(struct atw_module *m, struct atw_cmd *cmd, struct atw_query *q)
{
	int err = atw_module_exec(m, cmd);

	q->code = cmd->code;
	return err == -EREMOTEIO ? m->ch.dialect->error(cmd->code)->err : err;
}

/**
 * atw_query_ask() - run the command of a query that only asks
 * @m: the module
 * @q: the begin of the query
 * @verb: the command
 * @row: for the lines of the answer, see struct atw_cmd
 * @priv: for that
 *
 * Context: the channel's thread.
 * Return: as all of them.
 */
int atw_query_ask(struct atw_module *m, struct atw_query *q, enum atw_verb verb,
		  bool (*row)(struct atw_cmd *cmd, const char *text), void *priv)
{
	struct atw_cmd cmd = {
		.timeout = atw_timing.cmd,
		.row = row,
		.priv = priv,
	};

	atw_line_verb(&cmd.line, m->ch.dialect, verb);
	return atw_query_exec(m, &cmd, q);
}

/**
 * atw_query_refused() - has the module answered that it does not do it?
 * @q: the begin of the query
 * @err: what atw_query_exec() has returned
 *
 * Return: true if it has, with a number or without; else it is done, or the module is gone.
 */
bool atw_query_refused(const struct atw_query *q, int err)
{
	return q->code || (err && err != -ENODEV && err != -ECONNRESET && err != -ETIMEDOUT);
}

/**
 * atw_query_may_send() - may its radio be used?
 * @m: the module
 * @q: the begin of the query
 *
 * Context: the channel's thread.
 * Return: 0 or -ERFKILL.
 */
int atw_query_may_send(const struct atw_module *m, struct atw_query *q)
{
	if (!READ_ONCE(m->barred))
		return 0;
	q->why = "its radio is blocked, see rfkill";
	return -ERFKILL;
}

static bool atw_query_dns_row(struct atw_cmd *cmd, const char *text)
{
	return atw_parse_dns(text, cmd->priv);
}

int atw_query_dns(struct atw_module *m, void *arg)
{
	struct atw_query_dns *q = arg;
	struct atw_cmd cmd = { .timeout = atw_timing.cmd };
	u32 has[ATW_DNS_MAX] = { 0 };
	int i, err;

	err = atw_query_ask(m, &q->query, ATW_VERB_GET_DNS, atw_query_dns_row, has);
	if (err)
		return err;
	if (!q->set) {
		memcpy(q->server, has, sizeof(has));
		return 0;
	}
	if (!memcmp(q->server, has, sizeof(has)))
		return 0;

	atw_line_verb(&cmd.line, m->ch.dialect, ATW_VERB_SET_DNS);
	for (i = 0; i < ATW_DNS_MAX && q->server[i]; i++)
		atw_line_host(&cmd.line, "", q->server[i]);
	return atw_query_exec(m, &cmd, &q->query);
}

static bool atw_query_resolve_row(struct atw_cmd *cmd, const char *text)
{
	const char *value = atw_answer_value(cmd->line.buf, text);

	return value && atw_parse_addr(value, cmd->priv);
}

/* The module does nothing else until it has an address, or has given up. */
int atw_query_resolve(struct atw_module *m, void *arg)
{
	struct atw_query_resolve *q = arg;
	u64 now = atw_conns_now(&m->conns);
	struct atw_cmd cmd = {
		.timeout = atw_timing.resolve,
		.row = atw_query_resolve_row,
		.priv = &q->addr,
	};
	int err;

	if (m->state != ATW_MODULE_JOINED)
		return -ENETDOWN;
	if (q->limited && atw_conns_must_wait(&m->conns, q->share)) {
		q->query.why = "this user has kept others waiting, who are next";
		return -EBUSY;
	}
	atw_line_verb(&cmd.line, m->ch.dialect, ATW_VERB_RESOLVE);
	atw_line_host(&cmd.line, q->host, 0);
	err = atw_query_exec(m, &cmd, &q->query);
	if (q->limited)
		atw_module_charge(m, q->share, now);
	if (!err && !q->addr)
		err = -EPROTO;
	return err;
}

static bool atw_query_autott_row(struct atw_cmd *cmd, const char *text)
{
	struct atw_autott *has = cmd->priv;
	struct atw_autott tt;

	if (!atw_parse_autott(text, &tt))
		return false;
	tt.known = true;
	*has = tt;
	return true;
}

int atw_query_autott(struct atw_module *m, void *arg)
{
	struct atw_cmd cmd = { .timeout = atw_timing.cmd };
	struct atw_query_autott *q = arg;
	struct atw_autott has = { 0 };
	int err;

	err = atw_query_ask(m, &q->query, ATW_VERB_GET_AUTOTT, atw_query_autott_row, &has);
	if (err)
		return err;
	if (!has.known)
		return -EPROTO;
	if (!q->set) {
		q->type = has.type;
		strscpy(q->host, has.host, sizeof(q->host));
		q->port = has.port;
		return 0;
	}
	/* Where it is off it does not matter what it would be. */
	if (q->type != has.type || (q->type && (q->port != has.port ||
						strcmp(q->host, has.host)))) {
		atw_line_verb(&cmd.line, m->ch.dialect, ATW_VERB_SET_AUTOTT);
		atw_line_uint(&cmd.line, q->type);
		if (q->host[0])
			atw_line_host(&cmd.line, q->host, 0);
		if (q->type)
			atw_line_uint(&cmd.line, q->port);
		err = atw_query_exec(m, &cmd, &q->query);
	}
	if (!err && !q->type) {
		atw_module_set_autott(m, ATW_AUTOTT_NONE);
		/* It was told nothing where it is out. */
		atw_join_out(m);
	}
	return err;
}

/**
 * atw_query_name_row() - read a line of an answer with the names of networks in it
 * @names: the answer
 * @text: the line
 *
 * Context: as atw_cmd.row.
 * Return: true if it is one of the answer; until a name ends so are those that follow.
 */
bool atw_query_name_row(struct atw_query_names *names, const char *text)
{
	bool row = atw_scan_line(&names->scan, text);

	WRITE_ONCE(names->module->ch.parser.name, names->scan.name);
	return row;
}

/**
 * atw_query_settle_names() - wait for the end of an answer with names that was not told
 * @m: the module; it is brought up anew where it goes on talking
 *
 * Context: the channel's thread.
 * Return: as atw_channel_settle_names().
 */
int atw_query_settle_names(struct atw_module *m)
{
	/* Who was accepted may have been taken for names, and what he has sent since then. */
	bool purged = atw_conns_unheard(&m->conns);
	int err = atw_channel_settle_names(&m->ch);

	if (err == -ETIMEDOUT || (err && err != -ENODEV && purged))
		atw_sched_set(&m->sched, ATW_DO_RESET);
	else if (!err && purged)
		atw_conns_heard(&m->conns);
	return err;
}

static bool atw_query_raw_row(struct atw_cmd *cmd, const char *text)
{
	struct atw_query_raw *q = cmd->priv;
	size_t len = strlen(text);

	/* Shown is whatever comes; known is only what the command can print. */
	if (len > U8_MAX || len + 1 > sizeof(q->rows) - q->used) {
		q->more = true;
	} else {
		q->rows[q->used++] = len;
		memcpy(q->rows + q->used, text, len);
		q->used += len;
	}
	if (q->names.module && atw_query_name_row(&q->names, text))
		return true;
	return atw_raw_is_row(q->line, text);
}

static int atw_query_is_stream(const struct atw_conn_info *info, void *arg)
{
	return atw_conn_state_is_live(info->state) && info->id != ATW_NO_ID &&
	       info->type != ATW_TYPE_UDP_CLIENT &&
	       info->type != ATW_TYPE_UDP_SERVER &&
	       info->type != ATW_TYPE_TCP_SERVER &&
	       info->type != ATW_TYPE_SSL_SERVER;
}

/**
 * atw_query_may_scan() - may the module print the names of networks?
 * @m: the module
 * @q: the begin of the query
 *
 * Afterwards streams are to be ended: what was accepted meanwhile may have got words of
 * a name.
 *
 * Context: the channel's thread.
 * Return: 0 or -EBUSY.
 */
int atw_query_may_scan(struct atw_module *m, struct atw_query *q)
{
	if (!atw_conns_for_each(&m->conns, atw_query_is_stream, NULL))
		return 0;
	q->why = "a network's name could write into a connection that is open";
	return -EBUSY;
}

int atw_query_raw(struct atw_module *m, void *arg)
{
	struct atw_query_raw *q = arg;
	struct atw_cmd cmd = {
		.timeout = atw_timing.raw,
		.row = atw_query_raw_row,
		.priv = q,
	};
	bool scan = atw_raw_is_scan(q->line);
	int err = atw_raw_sends(q->line) ? atw_query_may_send(m, &q->query) : 0;

	if (!err && scan)
		err = atw_query_may_scan(m, &q->query);
	if (err)
		return err;
	/* Who does that by hand is not to be contradicted. */
	if (atw_raw_is_join(q->line))
		atw_join_forget(m);
	if (scan) {
		q->names.module = m;
		cmd.lost = &m->ch.parser.name;
		cmd.names = true;
	}
	atw_line_start(&cmd.line, q->line);
	err = atw_query_exec(m, &cmd, &q->query);
	if (scan && err == -ETIMEDOUT && !q->query.code)
		atw_query_settle_names(m);
	if (scan)
		atw_conns_end_several(&m->conns, -ECONNRESET, ATW_END_STREAMS);
	/* It may hold a password. */
	memzero_explicit(&cmd.line, sizeof(cmd.line));
	return err;
}

/* Some firmware has a word for a failure. */
static bool atw_query_ping_row(struct atw_cmd *cmd, const char *text)
{
	return atw_answer_value(cmd->line.buf, text);
}

/**
 * atw_query_ping() - have the module send one echo request
 * @m: the module
 * @addr: to this IPv4 address, in host order
 *
 * Context: the channel's thread; blocks the module until the reply has come or
 * it has given up.
 * Return: 0; -EREMOTEIO, there was none; or as atw_channel_exec().
 */
int atw_query_ping(struct atw_module *m, u32 addr)
{
	struct atw_cmd cmd = {
		.timeout = atw_timing.ping,
		.row = atw_query_ping_row,
	};

	atw_line_verb(&cmd.line, m->ch.dialect, ATW_VERB_PING);
	atw_line_host(&cmd.line, "", addr);
	atw_line_uint(&cmd.line, 1);
	return atw_module_exec(m, &cmd);
}
