// SPDX-License-Identifier: GPL-2.0-only
/* What all that has commands run for connections has in common: deleting, asking, failing. */
#include <linux/jiffies.h>

#include "conn_priv.h"
#include "format.h"
#include "timing.h"

/*
 * So many deletions in a row without a success, each of the last that there was to delete: of a
 * range of those who came and went the module may have none any more.
 */
#define ATW_UNDELETED_MAX	32

/**
 * atw_conns_command_failed() - what a command's end means for the module
 * @cs: the connections
 * @err: from atw_channel_exec()
 *
 * Context: the channel's thread.
 */
void atw_conns_command_failed(struct atw_conns *cs, int err)
{
	/* A payload that looks as if it had swallowed an answer, or the prompt, may
	 * have done so.
	 */
	if (err == -ETIMEDOUT || err == -EPROTO)
		atw_conns_end_doubtful(cs);
	if (err == -ETIMEDOUT || err == -EBUSY || err == -EPROTO)
		atw_sched_set(cs->sched, ATW_DO_SYNC);
	else if (err && !atw_cmd_refused(err) && err != -ENODEV && err != -ENOMEM)
		atw_sched_set(cs->sched, ATW_DO_RESET);
}

/**
 * atw_conns_delete_id() - delete something in the module
 * @cs: the connections
 * @id: its number
 *
 * Context: the channel's thread.
 * Return: 0, it is not there any more, or what the module's table says of it is about
 * to be looked at; or as atw_channel_exec(), and the module is looked after then.
 */
int atw_conns_delete_id(struct atw_conns *cs, u32 id)
{
	struct atw_cmd cmd = { .timeout = atw_timing.cmd };
	int err;

	atw_line_verb(&cmd.line, cs->ch->dialect, ATW_VERB_DELETE);
	atw_line_uint(&cmd.line, id);
	atw_conns_set_deleting(cs, id);
	err = atw_channel_exec(cs->ch, &cmd);
	atw_conns_set_deleting(cs, ATW_NO_ID);
	cs->audit.deleted = jiffies;
	if (!err) {
		cs->audit.undeleted = 0;
		if (cs->ops)
			cs->ops->freed(cs);
		return 0;
	}
	cs->audit.undeleted += !READ_ONCE(cs->ids.nstale);
	if (err == -EOPNOTSUPP || cs->audit.undeleted > ATW_UNDELETED_MAX) {
		cs->audit.undeleted = 0;
		atw_sched_set(cs->sched, ATW_DO_RESET);
	}
	/*
	 * It knows nothing of the id, which is what was wanted; or a digit was lost
	 * on the way. In its table the id is a stranger's then.
	 */
	if (err == -EREMOTEIO) {
		atw_sched_set(cs->sched, ATW_DO_RECONCILE);
		return 0;
	}
	/* There is no module that cannot delete: it is not in its senses. */
	if (err == -EOPNOTSUPP)
		err = -EPROTO;
	atw_conns_command_failed(cs, err);
	return err;
}

/**
 * atw_conns_begin_query() - what comes from now on is newer than what came before
 * @cs: the connections
 *
 * Context: the channel's thread.
 */
void atw_conns_begin_query(struct atw_conns *cs)
{
	mutex_lock(&cs->ch->rx_lock);
	spin_lock(&cs->lock);
	cs->audit.query++;
	spin_unlock(&cs->lock);
	mutex_unlock(&cs->ch->rx_lock);
}

static bool atw_conns_row(struct atw_cmd *cmd, const char *text)
{
	struct atw_conns *cs = cmd->priv;
	struct atw_rows *rows = &cs->audit.rows;
	struct atw_sock_row row;

	if (!cs->ch->dialect->sock_row(text, &row))
		return false;
	if (rows->n == ATW_ROWS_MAX)
		rows->more = true;
	else
		rows->row[rows->n++] = row;
	return true;
}

/**
 * atw_conns_query() - ask the module what it has
 * @cs: the connections; fills their rows
 *
 * Context: the channel's thread.
 * Return: 0, or as atw_channel_exec().
 */
int atw_conns_query(struct atw_conns *cs)
{
	struct atw_cmd cmd = {
		.timeout = atw_timing.cmd,
		.row = atw_conns_row,
		.priv = cs,
	};
	int err;

	cs->audit.rows.n = 0;
	cs->audit.rows.more = false;
	atw_conns_begin_query(cs);
	atw_line_verb(&cmd.line, cs->ch->dialect, ATW_VERB_LIST);
	err = atw_channel_confirm(cs->ch, &cmd);
	if (err)
		atw_conns_command_failed(cs, err);
	return err;
}

/**
 * atw_rows_find() - what the module has said of a number, when it was asked last
 * @cs: the connections
 * @id: the number
 * @child: as an accepted connection's; of what was deleted it may be listed yet
 *
 * Context: the channel's thread.
 * Return: its row, or NULL.
 */
const struct atw_sock_row *atw_rows_find(const struct atw_conns *cs, u32 id, bool child)
{
	const struct atw_sock_row *row = cs->audit.rows.row;
	const struct atw_sock_row *end = row + cs->audit.rows.n;

	for (; row < end; row++)
		if (row->id == id && (!child || row->type == ATW_TYPE_TCP_CHILD ||
				      row->type == ATW_TYPE_SSL_CHILD))
			return row;
	return NULL;
}
