// SPDX-License-Identifier: GPL-2.0
/*
 * What the channel's thread does for connections, a few commands at a time: which of
 * them is next, opening and deleting, fetching, and comparing what the module has
 * with what it should have.
 */
#include <linux/device.h>
#include <linux/jiffies.h>
#include <linux/slab.h>

#include "cert.h"
#include "conn_priv.h"
#include "error.h"
#include "format.h"
#include "timing.h"

/* Small messages that may overtake a bulk transfer before it has its turn. */
#define ATW_FRESH_RUN		8
#define ATW_OPEN_RETRY		(HZ / 5)
/* Payload goes first, but a connect need not wait for its end. */
#define ATW_OPEN_PATIENCE	(HZ / 2)
/* A number that the module has given to something unknown is not tried for ever. */
#define ATW_OPEN_TRIES		3
/* So many deletions in a row without a success: more than can be queued. */
#define ATW_UNDELETED_MAX	32
/* A banner is over after so long. */
#define ATW_BANNER_TIME		HZ

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
		cs->need_sync = true;
	else if (err && err != -EREMOTEIO && err != -EOPNOTSUPP &&
		 err != -ENODEV && err != -ENOMEM)
		cs->need_reset = true;
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

	atw_line_start(&cmd.line, "AT+SOCKETDEL=");
	atw_line_uint(&cmd.line, id);
	atw_line_end(&cmd.line);
	WRITE_ONCE(cs->deleting, id);
	err = atw_channel_exec(cs->ch, &cmd);
	WRITE_ONCE(cs->deleting, 0);
	cs->deleted = jiffies;
	if (!err) {
		cs->undeleted = 0;
		return 0;
	}
	if (err == -EOPNOTSUPP || ++cs->undeleted > ATW_UNDELETED_MAX) {
		cs->undeleted = 0;
		cs->need_reset = true;
	}
	/*
	 * It knows nothing of the id, which is what was wanted; or a digit was lost
	 * on the way. In its table the id is a stranger's then.
	 */
	if (err == -EREMOTEIO) {
		WRITE_ONCE(cs->reconcile, true);
		return 0;
	}
	/* There is no module that cannot delete: it is not in its senses. */
	if (err == -EOPNOTSUPP)
		err = -EPROTO;
	atw_conns_command_failed(cs, err);
	return err;
}

static bool atw_conns_row(struct atw_cmd *cmd, const char *text, size_t len)
{
	struct atw_rows *rows = cmd->priv;
	struct atw_sock_row row;

	if (!atw_parse_sock_row(text, &row))
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
		.priv = &cs->rows,
	};
	int err;

	cs->rows.n = 0;
	cs->rows.more = false;
	spin_lock(&cs->lock);
	cs->query++;
	spin_unlock(&cs->lock);
	atw_line_start(&cmd.line, "AT+SOCKET?");
	atw_line_end(&cmd.line);
	err = atw_channel_confirm(cs->ch, &cmd);
	if (err)
		atw_conns_command_failed(cs, err);
	return err;
}

/**
 * atw_conns_purge() - delete every socket that the module has
 * @cs: the connections, none of them live
 *
 * A host that restarted finds the sockets of its former life: they would
 * deliver bytes that nobody asked for, and count against the module's few.
 *
 * Context: the channel's thread.
 * Return: 0; -EBUSY, some do not go; or as atw_channel_exec().
 */
int atw_conns_purge(struct atw_conns *cs)
{
	const struct atw_rows *rows = &cs->rows;
	unsigned int i, left;
	int round, err = 0;

	for (round = 0; round < 4; round++) {
		err = atw_conns_query(cs);
		if (err)
			break;
		left = 0;
		for (i = 0; i < rows->n && !err; i++) {
			/* Deletion may go on in the background. */
			if (rows->row[i].status == ATW_SOCK_DELETED)
				continue;
			left++;
			err = atw_conns_delete_id(cs, rows->row[i].id);
		}
		if (err || (!left && !rows->more))
			break;
		err = -EBUSY;
		if (round == 3)
			break;
		if (round && atw_channel_sleep(cs->ch, HZ)) {
			err = -ENODEV;
			break;
		}
		err = 0;
	}
	/* Not to have a table is all right, and tells nothing. */
	if (err == -EOPNOTSUPP || err == -EREMOTEIO)
		return 0;
	WRITE_ONCE(cs->purged, !err);
	return err;
}

/* The module does not have @c as it should. */
static void atw_conns_missing(struct atw_conns *cs, struct atw_conn *c)
{
	lockdep_assert_held(&cs->lock);
	lockdep_assert_held(&c->lock);

	if (c->lasting && c->owner) {
		atw_conns_unname(cs, c);
		c->state = ATW_CONN_WAITING;
	} else if (c->auto_deleted) {
		atw_conn_remote_end(cs, c);
	} else {
		cs->resets++;
		atw_conn_end(c, -ECONNRESET, 0);
	}
}

static bool atw_row_is_live(const struct atw_conn *c,
			    const struct atw_sock_row *row)
{
	switch (row->status) {
	case ATW_SOCK_DELETED:
		return false;
	case ATW_SOCK_LOST:
	case ATW_SOCK_CONNECTING:
	case ATW_SOCK_FAILED:
		return !atw_conn_is_stream(c);
	default:
		return true;
	}
}

/*
 * The module has told what it has, before which it had printed the payload that is
 * in doubt. A restarted one has nothing. @marked: all that it had printed before has
 * come, and was damage if the payload was not what it looked like.
 */
static void atw_conns_settle(struct atw_conns *cs, struct atw_conn *c, bool there,
			     bool marked)
{
	/* The mark was one before the query. */
	unsigned int mark = cs->query - 1;

	lockdep_assert_held(&c->lock);

	if (skb_queue_empty(&c->unsure))
		return;
	if (there)
		atw_conn_believe(cs, c, ATW_DOUBT_BOOT, cs->query);
	if (marked)
		atw_conn_believe(cs, c, ATW_DOUBT_FRAME, mark);
	if (atw_conn_doubted(c, ATW_DOUBT_BOOT, cs->query) ||
	    atw_conn_doubted(c, ATW_DOUBT_FRAME, mark)) {
		cs->damaged++;
		if (atw_conn_is_stream(c))
			atw_conn_end(c, -ECONNRESET, 0);
		else
			atw_conn_drop_unsure(c);
		return;
	}
	if (!skb_queue_empty(&c->unsure))
		/* It came while the module was being asked. */
		WRITE_ONCE(cs->reconcile, true);
	else if (c->remote_closed)
		atw_conn_remote_end(cs, c);
}

/* Is there a payload that may hold what is none of it? */
static bool atw_conns_is_in_doubt(struct atw_conns *cs)
{
	struct atw_conn *c;
	bool doubt = false;

	lockdep_assert_held(&cs->lock);

	list_for_each_entry(c, &cs->list, node) {
		spin_lock(&c->lock);
		doubt |= atw_conn_doubted(c, ATW_DOUBT_FRAME, cs->query);
		spin_unlock(&c->lock);
	}
	return doubt;
}

/* See to it that of what came until now nothing is still to come. */
static bool atw_conns_mark(struct atw_conns *cs)
{
	bool doubt;

	spin_lock(&cs->lock);
	cs->query++;
	doubt = atw_conns_is_in_doubt(cs);
	spin_unlock(&cs->lock);
	return !doubt || !atw_channel_settle(cs->ch);
}

/* Compare what the module has with what we think it has. */
static void atw_conns_reconcile(struct atw_conns *cs)
{
	const struct atw_rows *rows = &cs->rows;
	const struct atw_sock_row *row;
	bool told, marked, had = false;
	struct atw_conn *c;
	unsigned int i;

	cs->boot_asked = max(cs->boot_asked, xchg(&cs->boot, ATW_BOOT_NO));
	marked = atw_conns_mark(cs);
	told = !atw_conns_query(cs) && !rows->more;

	mutex_lock(&cs->ch->rx_lock);
	spin_lock(&cs->lock);
	list_for_each_entry(c, &cs->list, node) {
		spin_lock(&c->lock);
		row = NULL;
		for (i = 0; told && i < rows->n && !row; i++)
			if (rows->row[i].id == c->id)
				row = &rows->row[i];
		atw_conns_settle(cs, c, row, marked);
		if (told && c->state == ATW_CONN_OPEN &&
		    c->query != cs->query) {
			had = true;
			if (!row || !atw_row_is_live(c, row))
				atw_conns_missing(cs, c);
			c->auto_deleted = false;
		}
		spin_unlock(&c->lock);
	}
	spin_unlock(&cs->lock);
	mutex_unlock(&cs->ch->rx_lock);
	if (!told)
		return;
	cs->rebooted |= !rows->n && (cs->boot_asked == ATW_BOOT_SAID ||
				     (cs->boot_asked && had));
	cs->boot_asked = ATW_BOOT_NO;
	atw_conns_find_strangers(cs);
}

/* Is there something about a start of the module that is to be looked into now? */
static bool atw_conns_boot_is_due(const struct atw_conns *cs)
{
	return READ_ONCE(cs->boot) &&
	       time_after_eq(jiffies, READ_ONCE(cs->boot_at) + ATW_BANNER_TIME);
}

/* Delete one connection in the module and forget it. */
static void atw_conns_delete(struct atw_conns *cs, struct atw_conn *c)
{
	bool stuck = atw_conn_is_seed(c) && cs->profile == ATW_PROFILE_BW20;
	u32 id = READ_ONCE(c->id);
	bool quiet;
	int err = 0;

	if (id)
		err = atw_conns_delete_id(cs, id);
	/* An answer that stayed away is looked for by the sync; the id must
	 * not be used again before the module has said that it is free.
	 */
	if (err)
		return;
	spin_lock(&cs->lock);
	spin_lock(&c->lock);
	if (c->state == ATW_CONN_YIELDING) {
		quiet = atw_conn_is_quiet(cs, c);
		cs->yielded += quiet;
		cs->resets += !quiet;
		atw_conn_end(c, quiet ? 0 : -ECONNRESET, 0);
	}
	atw_conns_unlink(cs, c);
	/* Who waits for a socket may try at once. */
	cs->open_after = jiffies;
	spin_unlock(&c->lock);
	spin_unlock(&cs->lock);
	if (stuck && c->server)
		atw_conn_renew(c->server);
	atw_conn_put(c);
}

/* The module has nothing for @c. */
static void atw_conn_fetched(struct atw_conns *cs, struct atw_conn *c)
{
	lockdep_assert_held(&c->lock);

	if (c->announced <= 0) {
		atw_conn_release_held(cs, c);
	} else if (!c->empties++) {
		/* The announcement may have been printed before the answer. */
		c->fetch = true;
	} else if (atw_conn_is_stream(c)) {
		/* It has dropped what it had announced. */
		cs->damaged++;
		atw_conn_end(c, -ECONNRESET, 0);
	} else {
		/* Datagrams may be lost; what they took of its memory is free. */
		c->announced = 0;
		atomic_sub(xchg(&c->hoard, 0), &cs->hoard);
	}
}

/*
 * Get what waits in a module in passive mode, one piece of it, at once. The answer
 * names the connection: it must be the one that was asked for.
 */
static void atw_conns_fetch(struct atw_conns *cs, struct atw_conn *c)
{
	struct atw_cmd cmd = { .timeout = atw_timing.cmd };
	int err;
	u32 id;

	spin_lock(&c->lock);
	c->fetch = false;
	id = c->id;
	spin_unlock(&c->lock);
	WRITE_ONCE(cs->read_empty, false);
	WRITE_ONCE(cs->read_data, false);
	WRITE_ONCE(cs->reading, id);
	atw_line_start(&cmd.line, "AT+SOCKETREAD=");
	atw_line_uint(&cmd.line, id);
	atw_line_end(&cmd.line);
	err = atw_channel_confirm(cs->ch, &cmd);
	atw_conns_command_failed(cs, err);

	spin_lock(&c->lock);
	/* As long as that is set an end that is told waits for us. */
	WRITE_ONCE(cs->reading, 0);
	if (!err && READ_ONCE(cs->read_data))
		c->fetch = true;
	else if (!err && READ_ONCE(cs->read_empty))
		atw_conn_fetched(cs, c);
	else if (err == -EREMOTEIO && c->remote_closed && c->announced <= 0)
		atw_conn_release_held(cs, c);	/* it is gone already */
	else if (err != -ENODEV)
		atw_conn_end(c, -ECONNRESET, cmd.code);
	if (!c->fetch && c->remote_closed)
		atw_conn_remote_end(cs, c);
	spin_unlock(&c->lock);
}

/* The module's own name for a connection that it was not told to number. */
static int atw_conns_renumber(struct atw_conns *cs, struct atw_conn *c, u32 id)
{
	int err = 0;

	spin_lock(&cs->lock);
	spin_lock(&c->lock);
	if (!id || id > ATW_ID_MAX || cs->by_id[id] || cs->orphan_id == id ||
	    (!cs->no_conid && (cs->conid_known || atw_id_near(id, c->id)))) {
		/* SOCKETSEND keeps an id in one byte, bytes that came before the
		 * name are gone, and what was given an id has none of its own:
		 * the word was damaged.
		 */
		err = -ECONNABORTED;
	} else {
		atw_conns_unname(cs, c);
		c->id = id;
		cs->by_id[id] = c;
	}
	spin_unlock(&c->lock);
	spin_unlock(&cs->lock);
	if (err && id)
		atw_conns_add_foreign(cs, id);
	return err;
}

static int atw_conns_connect(struct atw_conns *cs, struct atw_conn *c,
			     struct atw_cmd *cmd)
{
	memset(cmd, 0, sizeof(*cmd));
	cmd->timeout = atw_timing.connect;
	atw_line_start(&cmd->line, "AT+SOCKET=");
	atw_line_uint(&cmd->line, c->type);
	if (!atw_conn_is_server(c))
		atw_line_host(&cmd->line, c->name, c->addr);
	atw_line_uint(&cmd->line, c->port);
	/* Firmware that does not know the one does not know the other: it came later. */
	if (!cs->no_conid) {
		atw_line_uint(&cmd->line, c->keepalive);
		atw_line_uint(&cmd->line, c->id);
	}
	atw_line_end(&cmd->line);
	return atw_channel_exec(cs->ch, cmd);
}

/**
 * atw_conns_ca_changed() - what the module has stored for TLS may have changed
 * @cs: the connections
 *
 * Context: the channel's thread.
 */
void atw_conns_ca_changed(struct atw_conns *cs)
{
	cs->ca_known = false;
}

/*
 * May a TLS client connect? Without a CA the module takes whoever is there for
 * the remote: that must have been asked for.
 */
static int atw_conns_check_ca(struct atw_conns *cs, struct atw_conn *c)
{
	u8 *buf;
	int n;

	if (c->type != ATW_TYPE_SSL_CLIENT || c->unverified || cs->ca_known)
		return 0;
	buf = kmalloc(ATW_CERT_MAX, GFP_KERNEL);
	n = buf ? atw_cert_read(cs->ch, ATW_CERT_CA, buf, ATW_CERT_MAX) :
		  -ENOMEM;
	kfree(buf);
	cs->ca_known = n > 0 || n == -EMSGSIZE;
	if (cs->ca_known)
		return 0;
	/* It has answered, and nothing that proves that there is one. */
	if (!n || n == -EOPNOTSUPP || n == -EIO)
		return -EKEYREJECTED;
	return n;
}

/* Does the module not like the line? */
static bool atw_conns_line_refused(int err, const struct atw_cmd *cmd)
{
	return err == -EREMOTEIO && cmd->code >= ATW_ERR_PARAM_COUNT &&
	       cmd->code <= ATW_ERR_PARAM_LENGTH;
}

/* Was it refused for the number that it was to have? */
static bool atw_conns_conid_refused(const struct atw_conns *cs, int err,
				    const struct atw_cmd *cmd)
{
	return atw_conns_line_refused(err, cmd) && !cs->no_conid &&
	       !cs->conid_known && cmd->code != ATW_ERR_PARAM_LENGTH;
}

/* Let a connect wait for a socket that is being deleted. */
static bool atw_conns_postpone(struct atw_conns *cs, struct atw_conn *c)
{
	bool wait;

	spin_lock(&cs->lock);
	spin_lock(&c->lock);
	wait = c->owner && !c->err;
	if (wait) {
		c->state = ATW_CONN_WAITING;
		atw_conns_unname(cs, c);
		cs->open_after = jiffies + ATW_OPEN_RETRY;
	}
	spin_unlock(&c->lock);
	spin_unlock(&cs->lock);
	return wait;
}

/*
 * Something in the module has the number of @c, and nobody here knows of it: it is
 * deleted, which it is not as long as the number is @c's. Returns true if @c is to
 * have another one.
 */
static bool atw_conns_number_taken(struct atw_conns *cs, struct atw_conn *c)
{
	u32 id = READ_ONCE(c->id);
	bool again;

	spin_lock(&c->lock);
	again = ++c->refused < ATW_OPEN_TRIES;
	spin_unlock(&c->lock);
	again = again && atw_conns_postpone(cs, c);
	if (!again) {
		spin_lock(&cs->lock);
		atw_conns_unname(cs, c);
		spin_unlock(&cs->lock);
	}
	atw_conns_add_foreign(cs, id);
	return again;
}

/*
 * Error 104 says that a port is in use there. Firmware that has no servers says it of
 * every port: nothing in the module can have this one, if it has opened no server.
 */
static int atw_conns_bind_errno(struct atw_conns *cs, const struct atw_conn *c)
{
	bool never = cs->may_not_serve && !cs->serves;
	const char *why = never ? "its firmware has no servers in station mode" :
				  "it is in use there";

	/* One that was there before is tried again, which is no news. */
	if (!c->lasting)
		dev_warn_ratelimited(cs->ch->dev, "the module does not serve port %u: %s\n",
				     c->port, why);
	return never ? -EOPNOTSUPP : -EADDRINUSE;
}

static void atw_conns_open(struct atw_conns *cs, struct atw_conn *c)
{
	u64 start = atw_conns_now(cs);
	bool soon, late = false;
	struct atw_cmd cmd;
	int err;

	spin_lock(&cs->lock);
	spin_lock(&c->lock);
	if (c->state != ATW_CONN_WAITING) {
		spin_unlock(&c->lock);
		spin_unlock(&cs->lock);
		return;
	}
	c->id = atw_conns_new_id(cs);
	if (!c->id) {
		if (c->lasting)
			atw_conn_pause(c, atw_timing.reopen);
		else
			atw_conn_end(c, -ENOBUFS, 0);
		spin_unlock(&c->lock);
		spin_unlock(&cs->lock);
		return;
	}
	cs->by_id[c->id] = c;
	cs->orphan_id = 0;
	c->state = ATW_CONN_OPENING;
	spin_unlock(&c->lock);
	spin_unlock(&cs->lock);

	memset(&cmd, 0, sizeof(cmd));
	err = atw_conns_check_ca(cs, c);
	if (!err)
		err = atw_conns_connect(cs, c, &cmd);
	else if (err == -EKEYREJECTED)
		goto done;
	/* The line was sound when it was written. */
	if (atw_conns_line_refused(err, &cmd))
		err = atw_conns_connect(cs, c, &cmd);
	/* Firmware from before the parameter was added says so each time. */
	if (atw_conns_conid_refused(cs, err, &cmd)) {
		cs->no_conid = true;
		err = atw_conns_connect(cs, c, &cmd);
		if (err)
			cs->no_conid = false;
	}
	if (err == -EREMOTEIO && cmd.code == ATW_ERR_CONID_USED &&
	    atw_conns_number_taken(cs, c))
		return;
	/* Whoever stops the channel says what becomes of it. */
	if (err == -ENODEV && atw_conns_postpone(cs, c))
		return;
	if (!err && cmd.id == c->id)
		cs->conid_known = true;
	else if (!err && (cmd.id || cs->no_conid))
		err = atw_conns_renumber(cs, c, cmd.id);
	if (err == -EREMOTEIO && cmd.code == ATW_ERR_SOCKET_CREATE) {
		soon = jiffies - cs->deleted < atw_timing.delete_linger;
		if (cs->starved && cs->starved(cs))
			soon = true;
		if (soon && atw_conns_postpone(cs, c))
			return;
	}
	if (err == -EREMOTEIO) {
		err = cmd.code == ATW_ERR_SOCKET_BIND ? atw_conns_bind_errno(cs, c) :
							atw_error_to_errno(cmd.code);
		late = atw_conns_now(cs) - start >
		       jiffies_to_nsecs(atw_timing.connect_late);
		if (late && cmd.code == ATW_ERR_SOCKET_CONNECT)
			err = -ETIMEDOUT;
	} else if (err) {
		atw_conns_command_failed(cs, err);
	}

done:
	spin_lock(&cs->lock);
	if (late && !atw_conn_is_server(c))
		atw_conns_add_silence(cs, c, err, cmd.code);
	spin_lock(&c->lock);
	c->query = cs->query;
	if (err && c->lasting && c->owner && !c->err) {
		/* It was there and will be again. */
		atw_conns_unname(cs, c);
		c->state = ATW_CONN_WAITING;
		atw_conn_pause(c, atw_timing.reopen);
	} else if (err) {
		cs->failed++;
		atw_conn_end(c, err, cmd.code);
		/* Whether it exists is not known after a time-out; or it does,
		 * under a number that cannot be used.
		 */
		c->state = (err == -ETIMEDOUT && !cmd.code) ||
			   err == -ECONNABORTED ? ATW_CONN_CLOSING :
						  ATW_CONN_DEAD;
	} else if (c->err) {
		c->state = ATW_CONN_CLOSING;
	} else {
		cs->opened++;
		c->refused = 0;
		c->state = ATW_CONN_OPEN;
		if (c->owner && !c->lasting)
			c->ops->opened(c, 0, 0);
		c->lasting = atw_conn_is_server(c);
		cs->serves |= c->lasting;
		if (c->remote_closed)
			atw_conn_remote_end(cs, c);
	}
	spin_unlock(&c->lock);
	spin_unlock(&cs->lock);
}

enum atw_task { ATW_TASK_NONE, ATW_TASK_REAP, ATW_TASK_DELETE, ATW_TASK_FETCH,
		ATW_TASK_SEND, ATW_TASK_RENEW, ATW_TASK_OPEN };

/**
 * struct atw_sends - connections that have something to send
 * @n: all of them
 * @share: of the user who has had the least, which is the next
 * @fresh: the first of that user that was idle before
 * @bulk: the first of the others of that user
 * @quiet: streams that have nothing to send
 * @chats: streams that have sent a small message lately
 */
struct atw_sends {
	unsigned int		n;
	unsigned int		quiet;
	unsigned int		chats;
	struct atw_share	*share;
	struct atw_conn		*fresh;
	struct atw_conn		*bulk;
};

static void atw_sends_add(struct atw_conns *cs, struct atw_sends *sends,
			  struct atw_conn *c)
{
	struct atw_share *share = atw_conns_sender(cs, c);

	sends->n++;
	if (!sends->share || share->sent < sends->share->sent) {
		sends->share = share;
		sends->fresh = NULL;
		sends->bulk = NULL;
	}
	if (share != sends->share)
		return;
	if (c->fresh && !sends->fresh)
		sends->fresh = c;
	if (!c->fresh && !sends->bulk)
		sends->bulk = c;
}

/* Of the user's: small messages before bulk, as long as they are not too many. */
static struct atw_conn *atw_sends_next(struct atw_conns *cs,
				       const struct atw_sends *sends)
{
	if (sends->fresh && (!sends->bulk || cs->fresh_run < ATW_FRESH_RUN)) {
		cs->fresh_run++;
		return sends->fresh;
	}
	cs->fresh_run = 0;
	return sends->bulk;
}

/* Who else there is for the one that is next. */
static enum atw_crowd atw_sends_crowd(const struct atw_sends *sends,
				      const struct atw_conn *c)
{
	if (sends->chats > atw_conn_chats(c))
		return ATW_CROWD_CHAT;
	if (sends->quiet)
		return ATW_CROWD_QUIET;
	return sends->n > 1 ? ATW_CROWD_BULK : ATW_CROWD_NONE;
}

/* Of two that want to connect, the one whose user has let others wait the least. */
static struct atw_conn *atw_opens_next(struct atw_conns *cs, struct atw_conn *a,
				       struct atw_conn *b)
{
	return a && cs->share[a->share].owes <= cs->share[b->share].owes ? a : b;
}

/* May it connect now? */
static bool atw_conns_may_open(struct atw_conns *cs, struct atw_conn *c, bool sends)
{
	unsigned long look;
	u64 hold;

	if (!cs->link_up || time_before(jiffies, cs->open_after) ||
	    (sends && time_before(jiffies, cs->next_open)))
		return false;
	hold = atw_conns_hold_open(cs, c);
	if (!hold)
		return true;
	look = jiffies + nsecs_to_jiffies(hold) + 1;
	if (time_before(look, cs->next_look))
		cs->next_look = look;
	return false;
}

/*
 * What to do next: forget and delete first, then bytes that wait in the
 * module, then one connect, at once when there is nothing to send and after some
 * patience when there is; then sends, those of the user who has had the least. Returns
 * with a reference.
 */
static struct atw_conn *atw_conns_pick(struct atw_conns *cs,
				       enum atw_task *task, enum atw_crowd *crowd)
{
	struct atw_conn *c, *best = NULL, *fetch = NULL, *open = NULL;
	struct atw_sends sends = { 0 };

	*task = ATW_TASK_NONE;
	spin_lock(&cs->lock);
	cs->next_look = jiffies + HZ;
	/* What lies far back would lie ahead one day where jiffies have 32 bits. */
	if (time_after(jiffies, cs->send_after))
		cs->send_after = jiffies;
	if (time_after(jiffies, cs->open_after))
		cs->open_after = jiffies;
	if (time_after(jiffies, cs->next_open))
		cs->next_open = jiffies;
	list_for_each_entry(c, &cs->list, node) {
		spin_lock(&c->lock);
		if (c->state == ATW_CONN_OPEN && atw_conn_finished(c))
			atw_conn_end(c, 0, 0);
		if (c->state == ATW_CONN_OPEN && c->wish == ATW_WISH_YIELD) {
			c->wish = ATW_WISH_STAY;
			if (atw_conn_is_quiet(cs, c) && atw_conn_is_stream(c))
				c->state = ATW_CONN_YIELDING;
		}
		if (c->state == ATW_CONN_WAITING && atw_conn_finished(c)) {
			atw_conn_end(c, -ECONNABORTED, 0);
			c->state = ATW_CONN_DEAD;
		}
		if (time_after_eq(jiffies, c->not_before))
			c->paused = false;
		if (c->state == ATW_CONN_OPEN && atw_conn_is_stream(c)) {
			sends.quiet += !c->tx_queued;
			if (!atw_conn_chats(c))
				c->chat_until = jiffies;
			sends.chats += atw_conn_chats(c);
		}
		if (c->state == ATW_CONN_DEAD) {
			best = c;
			*task = ATW_TASK_REAP;
		} else if (c->paused && (c->state == ATW_CONN_CLOSING ||
					 c->state == ATW_CONN_WAITING)) {
			if (time_before(c->not_before, cs->next_look))
				cs->next_look = c->not_before;
		} else if (c->state == ATW_CONN_CLOSING ||
			   c->state == ATW_CONN_YIELDING) {
			best = c;
			*task = ATW_TASK_DELETE;
		} else if (c->fetch && c->state == ATW_CONN_OPEN && !fetch) {
			fetch = c;
			if (c->tx_queued)
				atw_sends_add(cs, &sends, c);
		} else if (c->state == ATW_CONN_OPEN && c->tx_queued) {
			atw_sends_add(cs, &sends, c);
		} else if (c->state == ATW_CONN_OPEN && c->renew) {
			best = c;
			*task = ATW_TASK_RENEW;
		} else if (c->state == ATW_CONN_WAITING) {
			open = atw_opens_next(cs, open, c);
		}
		spin_unlock(&c->lock);
		if (best)
			break;
	}
	/* At once, but not for ever: others want to send. */
	if (!best && fetch && !(cs->fetched && sends.n)) {
		best = fetch;
		*task = ATW_TASK_FETCH;
		list_move_tail(&best->node, &cs->list);
	}
	cs->fetched = best && *task == ATW_TASK_FETCH;
	if (!best && open && atw_conns_may_open(cs, open, sends.n)) {
		best = open;
		*task = ATW_TASK_OPEN;
	}
	if (!best && sends.n && time_before(jiffies, cs->send_after)) {
		if (time_before(cs->send_after, cs->next_look))
			cs->next_look = cs->send_after;
	} else if (!best && sends.n) {
		best = atw_sends_next(cs, &sends);
		*crowd = atw_sends_crowd(&sends, best);
		*task = ATW_TASK_SEND;
		list_move_tail(&best->node, &cs->list);
	}
	if (best)
		refcount_inc(&best->ref);
	spin_unlock(&cs->lock);
	return best;
}

/* What lingers had no chance to send meanwhile. */
static void atw_conns_give_time(struct atw_conns *cs, unsigned long time)
{
	struct atw_conn *c;

	spin_lock(&cs->lock);
	list_for_each_entry(c, &cs->list, node) {
		spin_lock(&c->lock);
		if (!atw_conn_wanted(c))
			c->close_by += time;
		spin_unlock(&c->lock);
	}
	spin_unlock(&cs->lock);
}

/**
 * atw_conns_closing() - are all but the one of transparent mode about to go?
 * @cs: the connections
 *
 * Return: false also if there are no others.
 */
bool atw_conns_closing(struct atw_conns *cs)
{
	unsigned int going = 0, others = 0;
	struct atw_conn *c;

	spin_lock(&cs->lock);
	list_for_each_entry(c, &cs->list, node) {
		if (c == cs->tt.conn)
			continue;
		others++;
		spin_lock(&c->lock);
		going += c->state > ATW_CONN_OPEN || atw_conn_finished(c);
		spin_unlock(&c->lock);
	}
	spin_unlock(&cs->lock);
	return others && others == going;
}

static int atw_conns_tell_mode(struct atw_conns *cs)
{
	bool passive = READ_ONCE(cs->want_passive);
	int err = atw_channel_run(cs->ch, passive ? "AT+SOCKETRECVCFG=0" :
						    "AT+SOCKETRECVCFG=1",
				  atw_timing.cmd);
	if (cs->active && (err || passive))
		WRITE_ONCE(cs->mode_since, jiffies);
	if (!cs->active && !err && !passive)
		WRITE_ONCE(cs->mode_since, jiffies);
	cs->active = !err && !passive;
	return err;
}

/**
 * atw_conns_set_active() - have the module print what it receives, or not
 * @cs: the connections
 *
 * There is no query for the mode. In passive mode the module drops what it has
 * no memory for without a word, so the mode should be certain. Where it is not, what
 * is announced is fetched.
 *
 * Context: the channel's thread.
 * Return: 0, also where the firmware has no such mode, or its flash was written too
 * often; or as atw_channel_exec().
 */
int atw_conns_set_active(struct atw_conns *cs)
{
	int err;

	if (!atw_channel_may_store(cs->ch)) {
		cs->active = false;
		return 0;
	}
	err = atw_conns_tell_mode(cs);
	return err == -EREMOTEIO || err == -EOPNOTSUPP ? 0 : err;
}

/**
 * atw_conns_set_recv_mode() - choose the receive mode
 * @cs: the connections
 * @passive: what the module receives stays in it until it is fetched
 *
 * It is kept until it is changed, over restarts of the module too. Streams go on;
 * what the module has yet is fetched before what it prints then.
 *
 * Context: the channel's thread.
 * Return: 0; -EOPNOTSUPP, the firmware has no modes; or as atw_channel_exec().
 */
int atw_conns_set_recv_mode(struct atw_conns *cs, bool passive)
{
	bool was = READ_ONCE(cs->want_passive);
	int err;

	/* What is on its way is not taken for a module that forgot its mode. */
	WRITE_ONCE(cs->want_passive, passive);
	if (passive)
		WRITE_ONCE(cs->mode_since, jiffies);
	err = atw_conns_tell_mode(cs);
	if (!err)
		return 0;
	if (err == -EREMOTEIO || err == -EOPNOTSUPP) {
		WRITE_ONCE(cs->want_passive, was);
		return -EOPNOTSUPP;
	}
	atw_conns_command_failed(cs, err);
	return err;
}

/**
 * atw_conns_work() - do the next piece of work for the connections
 * @cs: the connections
 *
 * Context: the channel's thread; runs at most a few commands.
 * Return: false if there was nothing to do.
 */
bool atw_conns_work(struct atw_conns *cs)
{
	unsigned long start = jiffies;
	enum atw_crowd crowd;
	enum atw_task task;
	struct atw_conn *c;
	u32 id = 0;
	u64 now;

	if (atw_tt_work(cs))
		return true;
	if (atw_tt_inside(cs))
		return false;
	spin_lock(&cs->lock);
	if (cs->nforeign) {
		id = cs->foreign[--cs->nforeign];
		cs->deleting = id;
	}
	spin_unlock(&cs->lock);
	if (id) {
		c = atw_conns_get(cs, id);
		if (!c)
			atw_conns_delete_id(cs, id);
		else
			atw_conn_put(c);
		WRITE_ONCE(cs->deleting, 0);
		return true;
	}
	if (READ_ONCE(cs->need_recvcfg)) {
		WRITE_ONCE(cs->need_recvcfg, false);
		atw_conns_command_failed(cs, atw_conns_set_active(cs));
		return true;
	}
	if (READ_ONCE(cs->look)) {
		WRITE_ONCE(cs->look, false);
		atw_conns_look(cs);
		return true;
	}
	if (cs->nstrange && time_after(jiffies, cs->strange_at)) {
		cs->strange_at = jiffies + HZ;
		WRITE_ONCE(cs->reconcile, true);
	}
	if (time_after(jiffies, cs->next_compare))
		cs->next_compare = jiffies;
	if (atw_conns_boot_is_due(cs))
		WRITE_ONCE(cs->compare, true);
	if (READ_ONCE(cs->compare) && time_after_eq(jiffies, cs->next_compare)) {
		WRITE_ONCE(cs->compare, false);
		cs->next_compare = jiffies + HZ;
		WRITE_ONCE(cs->ask_link, true);
		WRITE_ONCE(cs->reconcile, true);
	}
	/* What a remote sends may ask for it again and again: others have a turn. */
	if (READ_ONCE(cs->reconcile) && !cs->reconciled) {
		WRITE_ONCE(cs->reconcile, false);
		atw_conns_reconcile(cs);
		cs->reconciled = true;
		return true;
	}
	cs->reconciled = false;

	c = atw_conns_pick(cs, &task, &crowd);
	now = atw_conns_now(cs);
	if (!c)
		return READ_ONCE(cs->reconcile) || atw_conns_recount(cs);
	switch (task) {
	case ATW_TASK_REAP:
		spin_lock(&cs->lock);
		spin_lock(&c->lock);
		atw_conns_unlink(cs, c);
		spin_unlock(&c->lock);
		spin_unlock(&cs->lock);
		atw_conn_put(c);
		break;
	case ATW_TASK_DELETE:
		atw_conns_delete(cs, c);
		break;
	case ATW_TASK_FETCH:
		atw_conns_fetch(cs, c);
		break;
	case ATW_TASK_SEND:
		atw_conns_send(cs, c, crowd);
		spin_lock(&cs->lock);
		atw_conns_charge_send(cs, c, now);
		spin_unlock(&cs->lock);
		break;
	case ATW_TASK_RENEW:
		atw_conns_renew(cs, c);
		break;
	case ATW_TASK_OPEN:
		if (atw_conns_still_there(cs, c))
			break;
		atw_conns_open(cs, c);
		spin_lock(&cs->lock);
		atw_conns_charge_open(cs, c, now);
		spin_unlock(&cs->lock);
		atw_conns_give_time(cs, jiffies - start);
		cs->next_open = jiffies + ATW_OPEN_PATIENCE;
		break;
	default:
		break;
	}
	atw_conn_put(c);
	return true;
}

/**
 * atw_conns_next_work() - when to look again without a kick
 * @cs: the connections
 *
 * Return: jiffies; connections that linger are looked at once a second.
 */
long atw_conns_next_work(struct atw_conns *cs)
{
	long retry = (long)(cs->open_after - jiffies);
	long look = (long)(cs->next_look - jiffies);
	bool any;

	spin_lock(&cs->lock);
	any = !list_empty(&cs->list) || READ_ONCE(cs->boot);
	spin_unlock(&cs->lock);
	if (!any)
		return 60 * HZ;
	look = clamp_t(long, look, 1, HZ);
	look = min(look, atw_tt_next_work(cs));
	return retry > 0 ? min(retry, look) : look;
}
