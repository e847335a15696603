// SPDX-License-Identifier: GPL-2.0-only
/* Connections are asked for, opened in the module, and deleted there. */
#include <linux/bitmap.h>
#include <linux/device.h>
#include <linux/jiffies.h>
#include <linux/slab.h>

#include "cert.h"
#include "conn_priv.h"
#include "error.h"
#include "format.h"
#include "id.h"
#include "timing.h"

/* Some firmware deletes in the background, and does not tell when a socket is free again. */
#define ATW_OPEN_RETRY		(HZ / 5)
/* A number that the module has given to something unknown is not tried for ever. */
#define ATW_OPEN_TRIES		3
/* So many sockets most modules have. */
#define ATW_SOCKETS_USUAL	5U

/**
 * atw_conn_open() - ask for a connection or a server
 * @cs: the device's connections
 * @spec: which
 * @ops: what to tell the owner
 * @owner: for @ops
 *
 * The outcome is told by @ops->opened, perhaps before this returns.
 *
 * Context: any that may allocate with GFP_KERNEL; the caller holds a reference
 * to the device.
 * Return: the connection with a reference for the owner, or an error pointer:
 * -ENOMEM; -ENODEV, the device is going away; -ENOBUFS, its user has too many.
 */
struct atw_conn *atw_conn_open(struct atw_conns *cs,
			       const struct atw_conn_spec *spec,
			       const struct atw_conn_ops *ops, void *owner)
{
	struct atw_conn *c = atw_conn_alloc(spec->type, GFP_KERNEL_ACCOUNT);
	int err;

	if (!c)
		return ERR_PTR(-ENOMEM);
	c->ops = ops;
	c->owner = owner;
	c->addr = spec->addr;
	c->port = spec->port;
	c->keepalive = spec->keepalive;
	c->unverified = spec->unverified;
	c->share = spec->share;
	c->serve.backlog = clamp(spec->backlog, 1U, ATW_BACKLOG_MAX);
	strscpy(c->name, spec->name, sizeof(c->name));

	spin_lock(&cs->lock);
	if (cs->gone || atw_conns_are_full(cs, c->share)) {
		err = cs->gone ? -ENODEV : -ENOBUFS;
		spin_unlock(&cs->lock);
		kfree(c);
		return ERR_PTR(err);
	}
	c->queued = atw_conns_now(cs);
	atw_conns_link(cs, c);
	atw_conns_recall_silence(cs, c);
	spin_unlock(&cs->lock);
	atw_sched_set(cs->sched, ATW_DO_CONNS);
	return c;
}

/**
 * atw_conns_delete() - delete a connection in the module and forget it
 * @cs: the connections
 * @c: the connection; it stays listed where that is not certain
 *
 * Context: the channel's thread.
 */
void atw_conns_delete(struct atw_conns *cs, struct atw_conn *c)
{
	bool stuck = atw_conn_is_child(c) && cs->fw->keeps_lost;
	u32 id = atw_conn_id(c);
	int err = 0;

	if (id != ATW_NO_ID)
		err = atw_conns_delete_id(cs, id);
	/* An answer that stayed away is looked for by the sync; the id must
	 * not be used again before the module has said that it is free.
	 */
	if (err) {
		/* Nor is it to be used, and nobody is to wait for that. */
		spin_lock(&c->lock);
		if (err != -ENODEV)
			atw_conn_disturb(cs, c);
		spin_unlock(&c->lock);
		return;
	}
	spin_lock(&cs->lock);
	spin_lock(&c->lock);
	atw_conn_yielded(cs, c);
	atw_conns_unlink(cs, c);
	/* Who waits for a socket may try at once. */
	cs->pace.open_after = 0;
	spin_unlock(&c->lock);
	spin_unlock(&cs->lock);
	if (stuck && c->child.server)
		atw_conn_renew(c->child.server);
	atw_conn_put(c);
}

/* The module's own name for a connection that it was not told to number. */
static int atw_conns_renumber(struct atw_conns *cs, struct atw_conn *c, u32 id)
{
	int err = 0;

	spin_lock(&cs->lock);
	spin_lock(&c->lock);
	if (id > ATW_ID_MAX || cs->ids.by_id[id] || test_bit(id, cs->ids.orphans) ||
	    (!cs->learned.no_conid && (cs->learned.conid_known || atw_id_near(id, c->id)))) {
		/* SOCKETSEND keeps an id in one byte, bytes that came before the
		 * name are gone, as is what was said of it, and what was given an
		 * id has none of its own: the word was damaged.
		 */
		err = -ECONNABORTED;
	} else {
		atw_conns_unname(cs, c);
		atw_conn_forget_early(cs, c);
		c->id = id;
		cs->ids.by_id[id] = c;
	}
	spin_unlock(&c->lock);
	spin_unlock(&cs->lock);
	if (err && id != ATW_NO_ID)
		atw_conns_add_stale(cs, id);
	return err;
}

/*
 * The number of a connection that the module has numbered without a word of that: the only one
 * of its kind that it has listed just now and nobody knows. ATW_NO_ID: there is none, it has
 * ended since then, or there are others.
 */
static u32 atw_conns_untold_id(struct atw_conns *cs, const struct atw_conn *c)
{
	const struct atw_rows *rows = &cs->audit.rows;
	const struct atw_sock_row *row = rows->row;
	u32 id = ATW_NO_ID;
	unsigned int n = 0;

	spin_lock(&cs->lock);
	for (; row < rows->row + rows->n; row++) {
		if (row->type != c->type || row->status == ATW_SOCK_DELETED ||
		    atw_conns_find(cs, row->id) || atw_conns_is_going(cs, row->id))
			continue;
		id = atw_row_is_live(c, row) ? row->id : ATW_NO_ID;
		n++;
	}
	spin_unlock(&cs->lock);
	return n == 1 && !rows->more ? id : ATW_NO_ID;
}

/**
 * struct atw_try - a connect in the module
 * @cs: the connections
 * @since: when it was asked for last, see atw_conns_now(): the time in which it was busy, or
 *	something else was asked, is not the remote's silence
 */
struct atw_try {
	const struct atw_conns	*cs;
	u64			since;
};

static void atw_conns_connect_begins(struct atw_cmd *cmd)
{
	struct atw_try *t = cmd->priv;

	t->since = atw_conns_now(t->cs);
}

static int atw_conns_connect(struct atw_conns *cs, struct atw_conn *c,
			     struct atw_cmd *cmd, struct atw_try *t)
{
	const struct atw_opening opening = {
		.type = c->type,
		.name = c->name,
		.addr = c->addr,
		.port = c->port,
		.keepalive = c->keepalive,
		.id = cs->learned.no_conid ? ATW_NO_ID : c->id,
	};

	memset(cmd, 0, sizeof(*cmd));
	cmd->timeout = atw_timing.connect;
	cmd->begin = atw_conns_connect_begins;
	cmd->opens = true;
	cmd->wants = opening.id;
	cmd->priv = t;
	cs->ch->dialect->open(&cmd->line, &opening);
	return atw_channel_exec(cs->ch, cmd);
}

/*
 * May a TLS client connect? Without a CA the module takes whoever is there for
 * the remote: that must have been asked for.
 */
static int atw_conns_check_ca(struct atw_conns *cs, struct atw_conn *c)
{
	u8 *buf;
	int n;

	if (c->type != ATW_TYPE_SSL_CLIENT || c->unverified || cs->learned.ca_known)
		return 0;
	buf = kmalloc(ATW_CERT_MAX, GFP_KERNEL);
	n = buf ? atw_cert_read(cs->ch, ATW_CERT_CA, buf, ATW_CERT_MAX) :
		  -ENOMEM;
	kfree(buf);
	cs->learned.ca_known = n > 0 || n == -EMSGSIZE;
	if (cs->learned.ca_known)
		return 0;
	/* It has answered, and nothing that proves that there is one. */
	if (!n || n == -EOPNOTSUPP || n == -EIO)
		return -EKEYREJECTED;
	return n;
}

/* Has the module refused it, for that? */
static bool atw_conns_refused_for(const struct atw_conns *cs, int err, const struct atw_cmd *cmd,
				  enum atw_outcome outcome)
{
	return err == -EREMOTEIO && cs->ch->dialect->error(cmd->code)->outcome == outcome;
}

/* Let a connect wait for a socket that is being deleted. */
static bool atw_conns_postpone(struct atw_conns *cs, struct atw_conn *c)
{
	bool wait;

	spin_lock(&cs->lock);
	spin_lock(&c->lock);
	wait = c->owner && !c->err;
	if (wait) {
		atw_conn_event(c, ATW_CONN_EV_AGAIN);
		if (c->ops->asked)
			c->ops->asked(c, false);
		atw_conns_unname(cs, c);
		/* What the module said was of that number. */
		atw_conn_forget_early(cs, c);
		cs->pace.open_after = get_jiffies_64() + ATW_OPEN_RETRY;
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
	u32 id = atw_conn_id(c);
	bool again;

	spin_lock(&c->lock);
	again = ++c->tx.refused < ATW_OPEN_TRIES;
	spin_unlock(&c->lock);
	again = again && atw_conns_postpone(cs, c);
	if (!again) {
		spin_lock(&cs->lock);
		spin_lock(&c->lock);
		atw_conns_unname(cs, c);
		spin_unlock(&c->lock);
		spin_unlock(&cs->lock);
	}
	atw_conns_add_stale(cs, id);
	return again;
}

/*
 * The module says that a port is in use there. Firmware that has no servers says it of
 * every port: nothing in the module can have this one, if it has opened no server.
 */
static int atw_conns_bind_errno(struct atw_conns *cs, const struct atw_conn *c)
{
	bool never = cs->proved.may_not_serve && !cs->proved.serves;
	const char *why = never ? "its firmware has no servers in station mode" :
				  "it is in use there";

	/* One that was there before is tried again, which is no news. */
	if (!c->serve.lasting)
		dev_warn_ratelimited(cs->ch->dev, "the module does not serve port %u: %s\n",
				     c->port, why);
	return never ? -EOPNOTSUPP : -EADDRINUSE;
}

/* Give it a number, and tell its owner that it is asked for. Returns false if it is not. */
static bool atw_conns_begin_open(struct atw_conns *cs, struct atw_conn *c)
{
	bool begins;

	spin_lock(&cs->lock);
	spin_lock(&c->lock);
	begins = atw_conn_is_waiting(c);
	if (begins) {
		c->id = atw_conns_new_id(cs, &c->rx.reused);
		begins = c->id != ATW_NO_ID;
		if (!begins && c->serve.lasting)
			atw_conn_pause(c, atw_timing.reopen);
		else if (!begins && c->rx.reused)
			/* There is one when the module has deleted it, and is silent of it. */
			atw_conn_pause(c, ATW_OPEN_RETRY);
		else if (!begins)
			atw_conn_end(c, -ENOBUFS, 0);
	}
	if (begins) {
		cs->ids.by_id[c->id] = c;
		bitmap_zero(cs->ids.orphans, ATW_ID_MAX + 1);
		atw_conn_event(c, ATW_CONN_EV_ASKED);
		if (c->owner && c->ops->asked)
			c->ops->asked(c, true);
	}
	spin_unlock(&c->lock);
	spin_unlock(&cs->lock);
	return begins;
}

/* Ask for it, once more where it may be the line that the module does not like. */
static int atw_conns_ask_for(struct atw_conns *cs, struct atw_conn *c, struct atw_cmd *cmd,
			     struct atw_try *t)
{
	int err;

	memset(cmd, 0, sizeof(*cmd));
	err = atw_conns_check_ca(cs, c) ?: atw_conns_connect(cs, c, cmd, t);
	/* The line was sound when it was written. */
	if (atw_conns_refused_for(cs, err, cmd, ATW_BAD_LINE) ||
	    atw_conns_refused_for(cs, err, cmd, ATW_LONG_LINE))
		err = atw_conns_connect(cs, c, cmd, t);
	/* Firmware from before the parameter of its number was added says so each time. */
	if (atw_conns_refused_for(cs, err, cmd, ATW_BAD_LINE) && !cs->learned.no_conid &&
	    !cs->learned.conid_known) {
		cs->learned.no_conid = true;
		err = atw_conns_connect(cs, c, cmd, t);
		if (err)
			cs->learned.no_conid = false;
	}
	return err;
}

/*
 * It is open, by a word of the module under number @id. Returns 0; -ECONNABORTED, which number
 * it has cannot be known; -ENODEV, the channel is being stopped.
 */
static int atw_conns_take_number(struct atw_conns *cs, struct atw_conn *c, u32 id)
{
	int err;

	if (id != ATW_NO_ID) {
		cs->learned.conid_told |= BIT(c->type);
	} else if (cs->learned.conid_told & BIT(c->type)) {
		/* A payload that is in doubt may have that word in place of its own bytes. */
		atw_conns_command_failed(cs, -EPROTO);
		return -ECONNABORTED;
	} else if (cs->learned.no_conid) {
		err = atw_conns_query(cs);
		if (err)
			return err == -ENODEV ? err : -ECONNABORTED;
		id = atw_conns_untold_id(cs, c);
	} else {
		return 0;
	}
	if (id != c->id)
		return atw_conns_renumber(cs, c, id);
	cs->learned.conid_known = true;
	return 0;
}

/* How many sockets of the module are, or may be, in use? */
static unsigned int atw_conns_sockets(const struct atw_conns *cs)
{
	const struct atw_conn *c;
	unsigned int n = 0;

	lockdep_assert_held(&cs->lock);

	list_for_each_entry(c, &cs->list, node)
		n += atw_conn_has_socket(c);
	return n;
}

/*
 * Why has a connect failed? Where the firmware gives no reason it has no socket for it, if it
 * said so at once and has as many as it ever had; else it is most likely the remote's doing, if
 * one was asked.
 */
static const struct atw_error *atw_conns_reason(struct atw_conns *cs, const struct atw_conn *c,
						u32 code, bool late)
{
	static const struct atw_error full = { -ENOBUFS, "no socket left", ATW_NO_SOCKET };
	static const struct atw_error remote = { -ECONNREFUSED, "cannot connect",
						 ATW_NOT_CONNECTED };

	if (code)
		return cs->ch->dialect->error(code);
	if (!late && !atw_conns_query(cs) &&
	    cs->audit.rows.n >= max(cs->proved.sockets, ATW_SOCKETS_USUAL))
		return &full;
	return atw_conn_is_stream(c) ? &remote : cs->ch->dialect->error(0);
}

/* What has come of it: @err for its owner, @code of the module; @silent: nobody answered. */
static void atw_conns_end_open(struct atw_conns *cs, struct atw_conn *c, int err, u32 code,
			       bool silent)
{
	spin_lock(&cs->lock);
	if (silent && !atw_conn_is_server(c))
		atw_conns_add_silence(cs, c, err, code);
	spin_lock(&c->lock);
	c->query = cs->audit.query;
	/* Of what came under its number nobody knows which of the two it was. */
	if (!err && c->rx.disputed)
		err = -ECONNABORTED;
	if (err && c->serve.lasting && c->owner && !c->err) {
		/* A server that was open before is opened again. */
		atw_conns_unname(cs, c);
		atw_conn_forget_early(cs, c);
		atw_conn_event(c, ATW_CONN_EV_AGAIN);
		atw_conn_pause(c, atw_timing.reopen);
	} else if (err) {
		atomic64_inc(&cs->counts.failed);
		atw_conn_end(c, err, code);
		/* Whether it exists is not known after a time-out, or an answer that may be none;
		 * or it does, under a number that cannot be used.
		 */
		if (((err == -ETIMEDOUT || err == -EPROTO) && !code) || err == -ECONNABORTED)
			atw_conn_event(c, ATW_CONN_EV_UNWANTED);
		else
			atw_conn_event(c, ATW_CONN_EV_GONE);
	} else if (c->err) {
		atw_conn_event(c, ATW_CONN_EV_UNWANTED);
	} else {
		atomic64_inc(&cs->counts.opened);
		cs->pace.slots_short = false;
		c->tx.refused = 0;
		atw_conn_event(c, ATW_CONN_EV_OPENED);
		if (c->owner && !c->serve.lasting)
			c->ops->opened(c, 0, 0);
		atw_conn_release_early(cs, c);
		c->serve.lasting = atw_conn_is_server(c);
		cs->proved.serves |= c->serve.lasting;
		cs->proved.sockets = max(cs->proved.sockets, atw_conns_sockets(cs));
		if (c->remote_closed)
			atw_conn_remote_end(cs, c);
	}
	spin_unlock(&c->lock);
	spin_unlock(&cs->lock);
}

/* Is something else ended for it? */
static bool atw_conns_make_room(struct atw_conns *cs, const struct atw_conn *c)
{
	u16 has[ATW_SHARES / 2] = { 0 };

	if (!cs->ops)
		return false;
	spin_lock(&cs->lock);
	atw_conns_count_sockets(cs, has);
	spin_unlock(&cs->lock);
	return cs->ops->no_slot(cs, c->share, has);
}

/**
 * atw_conns_do_open() - open a connection or a server in the module
 * @cs: the connections
 * @c: the connection, of which the owner is told the outcome
 *
 * Context: the channel's thread.
 */
void atw_conns_do_open(struct atw_conns *cs, struct atw_conn *c)
{
	struct atw_try t = { .cs = cs, .since = atw_conns_now(cs) };
	const struct atw_error *error;
	bool soon, late, silent = false;
	struct atw_cmd cmd;
	int err;

	if (!atw_conns_begin_open(cs, c))
		return;
	err = atw_conns_ask_for(cs, c, &cmd, &t);
	late = atw_conns_now(cs) - t.since > jiffies_to_nsecs(atw_timing.connect_late);
	error = err == -EREMOTEIO ? atw_conns_reason(cs, c, cmd.code, late) : NULL;
	if (error && error->outcome == ATW_ID_TAKEN &&
	    atw_conns_number_taken(cs, c))
		return;
	if (!err)
		err = atw_conns_take_number(cs, c, cmd.id);
	/* Whoever stops the channel says what becomes of it. */
	if (err == -ENODEV && atw_conns_postpone(cs, c))
		return;
	if (error && error->outcome == ATW_NO_SOCKET) {
		cs->pace.slots_short = true;
		soon = jiffies - cs->audit.deleted < atw_timing.delete_linger;
		if (atw_conns_make_room(cs, c))
			soon = true;
		if (soon && atw_conns_postpone(cs, c))
			return;
	}
	if (error) {
		err = error->outcome == ATW_PORT_TAKEN ? atw_conns_bind_errno(cs, c) : error->err;
		silent = late && (error->outcome == ATW_NOT_CONNECTED ||
				  error->outcome == ATW_NO_SUCH_NAME);
		if (late && error->outcome == ATW_NOT_CONNECTED)
			err = -ETIMEDOUT;
	} else if (err == -ECONNABORTED) {
		/* What it has in place of that is deleted; else nothing is wrong with it. */
		atw_sched_set(cs->sched, ATW_DO_RECONCILE);
	} else if (err && err != -EKEYREJECTED) {
		/* That there is no CA is nothing that is wrong with the module. */
		atw_conns_command_failed(cs, err);
	}
	atw_conns_end_open(cs, c, err, cmd.code, silent);
}
