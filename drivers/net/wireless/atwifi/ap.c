// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module as an access point, beside what else it does, until it restarts: nothing of it
 * is in its flash, or stays in the kernel's memory.
 */
#include <linux/string.h>

#include "error.h"
#include "format.h"
#include "parse.h"
#include "query.h"
#include "timing.h"

/* By AT+WAP, the module's own default. */
#define ATW_AP_CLIENTS		3

static void atw_ap_line(struct atw_line *l, const struct atw_module *m,
			const struct atw_query_ap *q)
{
	atw_line_verb(l, m->ch.dialect, ATW_VERB_SET_AP);
	atw_line_str(l, m->conns.fw, q->ap.ssid);
	atw_line_str(l, m->conns.fw, q->ap.password);
	atw_line_uint(l, q->channel);
	atw_line_uint(l, ATW_AP_CLIENTS);
	atw_line_uint(l, q->hidden);
}

static int atw_ap_end(struct atw_module *m, struct atw_query *q, u32 mode)
{
	if (!(mode & ATW_MODE_AP))
		return 0;
	/* One that was nothing else would not be there at all. */
	return atw_query_set_mode(m, q, (mode & ~ATW_MODE_AP) ?: ATW_MODE_STATION, false);
}

static int atw_ap_begin(struct atw_module *m, struct atw_query_ap *q, u32 mode)
{
	struct atw_cmd cmd = { .timeout = atw_timing.raw };
	struct atw_query undo = { 0 };
	int err = 0;

	if (!(mode & ATW_MODE_AP))
		err = atw_query_set_mode(m, &q->query, mode | ATW_MODE_AP, false);
	if (err)
		return err;
	atw_ap_line(&cmd.line, m, q);
	err = atw_query_exec(m, &cmd, &q->query);
	memzero_explicit(&cmd.line, sizeof(cmd.line));
	/* Where it does not understand it may repeat it. */
	atw_channel_wipe(&m->ch);
	if (atw_query_refused(&q->query, err))
		atw_ap_end(m, &undo, mode ^ ATW_MODE_AP);
	return err;
}

int atw_query_ap(struct atw_module *m, void *arg)
{
	struct atw_query_ap *q = arg;
	struct atw_line line;
	int err = 0;
	u32 mode;

	if (q->ap.ssid[0]) {
		/* Before anything is changed. */
		atw_ap_line(&line, m, q);
		err = atw_line_end(&line);
		memzero_explicit(&line, sizeof(line));
	}
	if (err) {
		q->query.why = atw_query_unsayable(m, q->ap.ssid, q->ap.password);
		return err;
	}
	if (q->ap.ssid[0])
		err = atw_query_may_send(m, &q->query);
	if (!err)
		err = atw_query_get_mode(m, &q->query, &mode);
	if (err)
		return err;
	err = q->ap.ssid[0] ? atw_ap_begin(m, q, mode) : atw_ap_end(m, &q->query, mode);
	/* The radio is one: the network that it is in may be lost. */
	atw_sched_set(&m->sched, ATW_DO_LINK);
	return err;
}

static bool atw_ap_row(struct atw_cmd *cmd, const char *text)
{
	struct atw_query_ap_status *q = cmd->priv;
	u8 station[6];
	bool known;

	/* It tells the password, also where it is not understood: nobody else is to see it. */
	if (atw_answer_value(cmd->line.buf, text)) {
		atw_parse_ap(text, &q->ap, &q->hidden);
		return true;
	}
	if (!atw_parse_ap_station(text, &known, station))
		return false;
	if (known && q->n < ATW_AP_STATIONS)
		memcpy(q->station[q->n++], station, sizeof(station));
	return true;
}

int atw_query_ap_status(struct atw_module *m, void *arg)
{
	struct atw_query_ap_status *q = arg;
	u32 mode;
	int err;

	/* Not all firmware says that it is none where it is asked which. */
	err = atw_query_get_mode(m, &q->query, &mode);
	if (err || !(mode & ATW_MODE_AP))
		return err;
	err = atw_query_ask(m, &q->query, ATW_VERB_GET_AP, atw_ap_row, q);
	/* The answer tells the password. */
	atw_channel_wipe(&m->ch);
	if (m->ch.dialect->error(q->query.code)->outcome == ATW_NO_RADIO) {
		q->query.code = 0;
		return 0;
	}
	return err ?: q->ap.channel ? 0 : -EPROTO;
}
