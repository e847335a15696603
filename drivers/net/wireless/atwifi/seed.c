// SPDX-License-Identifier: GPL-2.0
/*
 * Servers and their seeds: connections that the module has accepted.
 *
 * A server is a connection that the driver names and that lasts: when the module
 * has lost it, by a reset or otherwise, it is opened again. A seed is made by the
 * module. Until somebody accepts it, it stands in its server's queue, which holds
 * the reference that is the owner's later, and keeps what it receives.
 *
 * The module numbers seeds itself, mostly counting up from 1. One damaged digit
 * can make one seed's number of another's, and nothing that the module says shows
 * it. What can be kept is that servers do not weaken what was promised to the
 * connections that the driver names: a seed whose number is one damaged byte away
 * from such a connection's is not let in, and the driver gives no number that is
 * so near to a seed's.
 *
 * Some builds do not announce seeds. Bytes for a number that nobody knows may
 * then be a seed's first, or somebody else's after damage. They are kept while the
 * module is asked; if it does not have that seed all streams end.
 */
#include <linux/device.h>
#include <linux/jiffies.h>
#include <linux/slab.h>

#include "conn_priv.h"
#include "timing.h"
#include "trace.h"

/* Memory of what cannot be handed over yet: as a socket's. */
#define ATW_EARLY_MAX		(1024 * 1024)
/* Some firmware resets all clients of a server after a seed of it was deleted.
 * A driver in the field deletes the server then, waits until it is not listed
 * any more, and for 3 s, and looks every 750 ms.
 */
#define ATW_RENEW_POLL		(HZ * 3 / 4)
/* From here on a module that counts in one byte is restarted when it is idle. */
#define ATW_HIGH_ID		200

/**
 * atw_conns_add_past() - remember the number of a seed that is gone
 * @cs: the connections
 * @id: the number
 *
 * Context: @cs->lock is held.
 */
void atw_conns_add_past(struct atw_conns *cs, u32 id)
{
	lockdep_assert_held(&cs->lock);

	cs->past[cs->next_past].id = id;
	cs->past[cs->next_past].since = jiffies;
	cs->next_past = (cs->next_past + 1) % ARRAY_SIZE(cs->past);
}

/*
 * Is this number one damaged byte away from one that the driver gave to something
 * that receives bytes?
 */
static bool atw_conns_near_named(struct atw_conns *cs, u32 id)
{
	struct atw_conn *c;

	lockdep_assert_held(&cs->lock);

	list_for_each_entry(c, &cs->list, node)
		if (c->id && !atw_conn_is_seed(c) && !atw_conn_is_listener(c) &&
		    READ_ONCE(c->state) <= ATW_CONN_OPEN &&
		    !READ_ONCE(c->remote_closed) &&
		    atw_id_near(c->id, id))
			return true;
	return false;
}

/**
 * atw_conns_near_seed() - is a number one damaged byte away from a seed's?
 * @cs: the connections
 * @id: the number
 *
 * Context: @cs->lock is held.
 * Return: true if so.
 */
bool atw_conns_near_seed(struct atw_conns *cs, u32 id)
{
	struct atw_conn *c;

	lockdep_assert_held(&cs->lock);

	list_for_each_entry(c, &cs->list, node)
		if (c->id && atw_conn_is_seed(c) && atw_id_near(c->id, id))
			return true;
	return false;
}

/* Is it about to be deleted, as nothing of ours? */
static bool atw_conns_is_foreign(struct atw_conns *cs, u32 id)
{
	unsigned int i;

	lockdep_assert_held(&cs->lock);

	for (i = 0; i < cs->nforeign; i++)
		if (cs->foreign[i] == id)
			return true;
	return false;
}

/* Is what has this number about to be deleted, or being deleted? */
static bool atw_conns_is_going(struct atw_conns *cs, u32 id)
{
	lockdep_assert_held(&cs->lock);

	return cs->deleting == id || atw_conns_is_foreign(cs, id);
}

/**
 * atw_conns_past() - may the module still speak of this number?
 * @cs: the connections
 * @id: the number
 *
 * Not when it is one damaged byte away from a connection's that lives, unless it is
 * one that was announced and is about to be deleted.
 *
 * Return: true if so.
 */
bool atw_conns_past(struct atw_conns *cs, u32 id)
{
	bool past = false;
	unsigned int i;

	spin_lock(&cs->lock);
	for (i = 0; i < ARRAY_SIZE(cs->past); i++)
		past |= cs->past[i].id == id &&
			jiffies - cs->past[i].since < atw_timing.past;
	past = past && !atw_conns_near_named(cs, id) &&
	       !atw_conns_near_seed(cs, id);
	past |= atw_conns_is_going(cs, id);
	spin_unlock(&cs->lock);
	return past;
}

/**
 * atw_conn_early() - bytes that cannot be handed over yet
 * @c: the connection
 * @queue: its queue for them
 * @skb: the bytes; taken if there is room
 *
 * Context: @c->lock is held.
 * Return: false if there is no room.
 */
bool atw_conn_early(struct atw_conn *c, struct sk_buff_head *queue,
		    struct sk_buff *skb)
{
	lockdep_assert_held(&c->lock);

	if (c->early_size + skb->truesize > ATW_EARLY_MAX)
		return false;
	c->early_size += skb->truesize;
	__skb_queue_tail(queue, skb);
	return true;
}

static void atw_conn_purge_early(struct atw_conn *c)
{
	struct sk_buff *skb;

	lockdep_assert_held(&c->lock);

	while ((skb = __skb_dequeue(&c->early))) {
		c->early_size -= skb->truesize;
		kfree_skb(skb);
	}
}

/**
 * atw_conn_disown() - a seed whose server is not known will never be accepted
 * @c: the seed, or a connection of another kind, which this is nothing to
 *
 * Gives the server's reference back; the caller has another. An announcement that
 * comes later is too late: bytes were thrown away.
 *
 * Context: atw_conns.lock and @c->lock are held.
 */
void atw_conn_disown(struct atw_conn *c)
{
	lockdep_assert_held(&c->lock);

	if (!c->waits || c->server)
		return;
	c->waits = false;
	c->ready = true;
	atw_conn_purge_early(c);
	refcount_dec(&c->ref);
}

/* A seed that nobody will accept: give the queue's reference back. */
static void atw_conn_drop_seed(struct atw_conn *c)
{
	spin_lock(&c->lock);
	c->waits = false;
	c->ready = true;
	atw_conn_purge_early(c);
	spin_unlock(&c->lock);
	atw_conn_close(c, true, 0);
	atw_conn_put(c);
}

/**
 * atw_conn_drop_seeds() - reset what waits to be accepted
 * @server: a server, or another connection, which has none
 *
 * Context: any.
 */
void atw_conn_drop_seeds(struct atw_conn *server)
{
	struct atw_conn *c, *next;
	LIST_HEAD(seeds);

	spin_lock(&server->lock);
	list_splice_init(&server->seeds, &seeds);
	server->nseeds = 0;
	spin_unlock(&server->lock);
	list_for_each_entry_safe(c, next, &seeds, accept) {
		list_del_init(&c->accept);
		atw_conn_drop_seed(c);
	}
}

/**
 * atw_conn_set_backlog() - how many may wait to be accepted
 * @server: a server
 * @backlog: so many, within what is reasonable
 *
 * Context: any.
 */
void atw_conn_set_backlog(struct atw_conn *server, unsigned int backlog)
{
	spin_lock(&server->lock);
	server->backlog = clamp(backlog, 1U, ATW_BACKLOG_MAX);
	spin_unlock(&server->lock);
}

/**
 * atw_conn_acceptable() - would atw_conn_accept() find one?
 * @server: a server
 *
 * Context: any.
 */
bool atw_conn_acceptable(struct atw_conn *server)
{
	struct atw_conn *c;
	bool found = false;

	spin_lock(&server->lock);
	list_for_each_entry(c, &server->seeds, accept)
		found |= READ_ONCE(c->ready);
	spin_unlock(&server->lock);
	return found;
}

/**
 * atw_conn_accept() - take a connection that a server has accepted
 * @server: the server
 * @ops: what to tell the owner; ->opened() is not called
 * @owner: for @ops
 *
 * What it has received is handed over by @ops->rx before this returns, and
 * @ops->closed is called if it has ended.
 *
 * Context: any.
 * Return: the connection with a reference for the owner, or NULL.
 */
struct atw_conn *atw_conn_accept(struct atw_conn *server,
				 const struct atw_conn_ops *ops, void *owner)
{
	struct atw_conn *c, *found = NULL;
	struct sk_buff *skb;
	int err = 0;

	spin_lock(&server->lock);
	list_for_each_entry(c, &server->seeds, accept) {
		if (READ_ONCE(c->ready)) {
			found = c;
			list_del_init(&c->accept);
			server->nseeds--;
			break;
		}
	}
	spin_unlock(&server->lock);
	if (!found)
		return NULL;

	c = found;
	spin_lock(&c->lock);
	c->ops = ops;
	c->owner = owner;
	c->waits = false;
	while ((skb = __skb_dequeue(&c->early))) {
		c->early_size -= skb->truesize;
		if (!ops->rx(c, skb)) {
			kfree_skb(skb);
			atw_conn_purge_early(c);
			err = -ECONNRESET;
		}
	}
	if (c->state > ATW_CONN_OPEN)
		ops->closed(c, err ?: c->err, 0);
	else if (err)
		atw_conn_end(c, err, 0);
	atw_conn_kick(c);
	spin_unlock(&c->lock);
	return c;
}

/* Let a seed wait in its server's queue, if there is room. */
static bool atw_conn_attach(struct atw_conns *cs, struct atw_conn *server,
			    struct atw_conn *c)
{
	bool ok;

	lockdep_assert_held(&cs->lock);

	spin_lock(&server->lock);
	ok = server->owner && server->state <= ATW_CONN_OPEN &&
	     server->state != ATW_CONN_WAITING &&
	     server->nseeds < server->backlog;
	if (ok) {
		spin_lock_nested(&c->lock, SINGLE_DEPTH_NESTING);
		refcount_inc(&server->ref);
		c->server = server;
		list_add_tail(&c->accept, &server->seeds);
		server->nseeds++;
		spin_unlock(&c->lock);
	}
	spin_unlock(&server->lock);
	return ok;
}

/*
 * Make a seed known under its number and to its server, if that is known. Returns
 * false if it must not live; it is the caller's then.
 */
static bool atw_conns_add_seed(struct atw_conns *cs, struct atw_conn *server,
			       struct atw_conn *c, u32 id)
{
	lockdep_assert_held(&cs->lock);

	/* Is the number one with which the promises can be kept? Of what is foreign,
	 * bytes may have been thrown away.
	 */
	if (cs->gone || atw_conns_near_named(cs, id) ||
	    atw_conns_is_foreign(cs, id) || (cs->narrow && id > ATW_ID_MAX))
		return false;
	c->state = ATW_CONN_OPEN;
	c->waits = true;
	c->id = id;
	c->query = cs->query;
	if (id <= ATW_ID_MAX)
		cs->by_id[id] = c;
	atw_conns_link(cs, c);
	if (server && !atw_conn_attach(cs, server, c)) {
		spin_lock(&c->lock);
		atw_conns_unlink(cs, c);
		spin_unlock(&c->lock);
		return false;
	}
	cs->look = true;
	return true;
}

/* The module has given a seed's number to another: the first one is gone. */
static void atw_conns_supersede(struct atw_conns *cs, struct atw_conn *c)
{
	lockdep_assert_held(&cs->lock);

	spin_lock(&c->lock);
	if (c->state <= ATW_CONN_OPEN)
		cs->resets++;
	atw_conn_end(c, -ECONNRESET, 0);
	c->state = ATW_CONN_DEAD;
	atw_conns_unname(cs, c);
	spin_unlock(&c->lock);
}

/**
 * atw_conns_seed() - the module has accepted a connection
 * @cs: the connections
 * @id: its number
 * @server_id: its server's
 *
 * Context: the receive path.
 */
void atw_conns_seed(struct atw_conns *cs, u32 id, u32 server_id)
{
	struct atw_conn *server = atw_conns_get(cs, server_id);
	struct atw_conn *old, *c = NULL;
	bool damaged = false;
	bool ok = false;

	cs->seeds_told = true;
	if (server && atw_conn_is_listener(server))
		c = atw_conn_alloc(server->type == ATW_TYPE_TCP_SERVER ?
				   ATW_TYPE_TCP_SEED : ATW_TYPE_SSL_SEED,
				   GFP_KERNEL);
	if (!c)
		goto out;

	spin_lock(&cs->lock);
	cs->high_id = max(cs->high_id, id);
	old = atw_conns_find(cs, id);
	if (old && !atw_conn_is_seed(old)) {
		/* A number of ours: that is not what the module said. */
		damaged = true;
	} else if (old && !old->server && old->waits) {
		/* Its first bytes came before its announcement. */
		ok = atw_conn_attach(cs, server, old);
		cs->look = true;
		cs->accepted += ok;
		ok = true;
	} else if (old && !old->server &&
		   READ_ONCE(old->state) <= ATW_CONN_CLOSING) {
		/* They were thrown away, and it is about to be deleted. */
		cs->refused++;
	} else {
		if (old)
			atw_conns_supersede(cs, old);
		/* Which of two is being deleted cannot be told. */
		if (cs->deleting == id)
			cs->reconcile = true;
		ok = atw_conns_add_seed(cs, server, c, id);
		if (ok)
			c = NULL;
		cs->accepted += ok;
		cs->refused += !ok;
	}
	spin_unlock(&cs->lock);
out:
	kfree(c);
	if (server)
		atw_conn_put(server);
	if (damaged)
		atw_conns_damage(cs);
	else if (!ok)
		atw_conns_add_foreign(cs, id);
	atw_channel_kick(cs->ch);
}

/* Is there a server that could have unannounced seeds? The only one, in @only. */
static bool atw_conns_has_listener(struct atw_conns *cs, struct atw_conn **only)
{
	struct atw_conn *c;
	unsigned int n = 0;

	lockdep_assert_held(&cs->lock);

	list_for_each_entry(c, &cs->list, node) {
		if (!atw_conn_is_listener(c) || !c->owner ||
		    c->state > ATW_CONN_OPEN)
			continue;
		if (only)
			*only = c;
		n++;
	}
	return only ? n == 1 : n;
}

/* Seeds whose server is still to be asked for: a module has few at a time. */
static unsigned int atw_conns_guesses(struct atw_conns *cs)
{
	struct atw_conn *c;
	unsigned int n = 0;

	lockdep_assert_held(&cs->lock);

	list_for_each_entry(c, &cs->list, node)
		n += READ_ONCE(c->waits) && !READ_ONCE(c->server);
	return n;
}

/**
 * atw_conns_guess_seed() - may bytes for a number unknown be a seed's first?
 * @cs: the connections
 * @id: the number
 *
 * Context: the receive path.
 * Return: a seed of a server unknown, with a reference; NULL if it cannot be.
 */
struct atw_conn *atw_conns_guess_seed(struct atw_conns *cs, u32 id)
{
	bool lost, refused = false;
	struct atw_conn *c;

	if (READ_ONCE(cs->seeds_told) || !READ_ONCE(cs->purged))
		return NULL;
	c = atw_conn_alloc(ATW_TYPE_TCP_SEED, GFP_KERNEL);
	spin_lock(&cs->lock);
	lost = !c || atw_conns_guesses(cs) >= ATW_GUESSES_MAX;
	if (lost || !atw_conns_has_listener(cs, NULL) ||
	    atw_conns_find(cs, id) || atw_conns_is_going(cs, id))
		goto no_seed;
	refused = !atw_conns_add_seed(cs, NULL, c, id);
	if (refused)
		goto no_seed;
	refcount_inc(&c->ref);
	cs->high_id = max(cs->high_id, id);
	spin_unlock(&cs->lock);
	atw_channel_kick(cs->ch);
	return c;

no_seed:
	spin_unlock(&cs->lock);
	kfree(c);
	/* What else comes for this number would be taken for its beginning. */
	if (refused)
		atw_conns_add_foreign(cs, id);
	if (lost) {
		WRITE_ONCE(cs->purged, false);
		WRITE_ONCE(cs->need_reset, true);
		atw_conns_damage(cs);
	}
	return NULL;
}

static const struct atw_sock_row *atw_rows_find(const struct atw_conns *cs,
						u32 id)
{
	const struct atw_rows *rows = &cs->rows;
	unsigned int i;

	for (i = 0; i < rows->n; i++)
		if (rows->row[i].id == id &&
		    (rows->row[i].type == ATW_TYPE_TCP_SEED ||
		     rows->row[i].type == ATW_TYPE_SSL_SEED))
			return &rows->row[i];
	return NULL;
}

/**
 * atw_conns_adopt() - find the server of a seed that was not announced
 * @cs: the connections
 * @c: the seed, to which the caller has a reference
 * @row: what the module's table says of it, or NULL
 *
 * Where there is none it is disowned, and closed.
 *
 * Context: the channel's thread.
 * Return: true if it has a server, also by an announcement since the module was asked.
 */
bool atw_conns_adopt(struct atw_conns *cs, struct atw_conn *c,
		     const struct atw_sock_row *row)
{
	struct atw_conn *server = NULL;
	bool ok;

	spin_lock(&cs->lock);
	if (c->server) {
		spin_unlock(&cs->lock);
		return true;
	}
	if (row && row->status != ATW_SOCK_DELETED) {
		server = atw_conns_find(cs, row->server);
	} else if (READ_ONCE(c->remote_closed) || READ_ONCE(c->auto_deleted)) {
		/* It came and went before it could be asked for. */
		if (!atw_conns_has_listener(cs, &server))
			server = NULL;
	}
	ok = server && atw_conn_is_listener(server) &&
	     atw_conn_attach(cs, server, c);
	cs->accepted += ok;
	cs->refused += !ok;
	if (!ok) {
		/* As one: else it could be announced in between. */
		spin_lock(&c->lock);
		atw_conn_disown(c);
		spin_unlock(&c->lock);
	}
	spin_unlock(&cs->lock);
	/* Bytes of one that is gone, or of another connection. */
	if (!server && !row && !atw_conns_past(cs, READ_ONCE(c->id)))
		atw_conns_damage(cs);
	if (!ok)
		atw_conn_close(c, true, 0);
	return ok;
}

/* What the module's table says of a seed; it may be accepted now. */
static void atw_conns_settle(struct atw_conns *cs, struct atw_conn *c)
{
	const struct atw_sock_row *row = atw_rows_find(cs, READ_ONCE(c->id));
	struct atw_conn *server;

	if (!atw_conns_adopt(cs, c, row))
		return;
	server = c->server;
	spin_lock(&c->lock);
	if (row)
		c->type = row->type;
	if (row && row->addr && row->rport > 0) {
		c->addr = row->addr;
		c->port = row->rport;
	} else if (row) {
		cs->no_peers = true;
	}
	spin_unlock(&c->lock);
	spin_lock(&server->lock);
	WRITE_ONCE(c->ready, true);
	if (server->owner && server->ops->seed)
		server->ops->seed(server);
	spin_unlock(&server->lock);
}

/* The next seed that cannot be accepted yet, with a reference. */
static struct atw_conn *atw_conns_unready(struct atw_conns *cs, bool asked)
{
	struct atw_conn *c, *found = NULL;

	spin_lock(&cs->lock);
	list_for_each_entry(c, &cs->list, node) {
		if (!atw_conn_is_seed(c) || READ_ONCE(c->ready))
			continue;
		/* It came after the question: that tells nothing of it. */
		if (asked && c->query == cs->query) {
			cs->look = true;
			continue;
		}
		refcount_inc(&c->ref);
		found = c;
		break;
	}
	spin_unlock(&cs->lock);
	return found;
}

/**
 * atw_conns_look() - learn what there is to know of new seeds
 * @cs: the connections
 *
 * Context: the channel's thread.
 */
void atw_conns_look(struct atw_conns *cs)
{
	bool ask = false;
	struct atw_conn *c;

	spin_lock(&cs->lock);
	list_for_each_entry(c, &cs->list, node)
		if (atw_conn_is_seed(c) && !c->ready)
			ask |= !c->server || !cs->no_peers;
	spin_unlock(&cs->lock);
	if (ask && atw_conns_query(cs))
		ask = false;
	/* What was said at another time, or only in part, tells nothing of them. */
	if (!ask)
		cs->rows.n = 0;
	while ((c = atw_conns_unready(cs, ask))) {
		atw_conns_settle(cs, c);
		atw_conn_put(c);
	}
}

/**
 * atw_conn_auto_deleted() - the module says that it has deleted a connection
 * @cs: the connections
 * @c: the connection
 *
 * That may be late: the number may be another's by now.
 *
 * Context: the receive path; @c->lock is held.
 */
void atw_conn_auto_deleted(struct atw_conns *cs, struct atw_conn *c)
{
	lockdep_assert_held(&c->lock);

	if (!atw_conn_is_seed(c) || c->state == ATW_CONN_OPEN) {
		c->auto_deleted = true;
		WRITE_ONCE(cs->reconcile, true);
	} else if (c->state == ATW_CONN_CLOSING) {
		c->state = ATW_CONN_DEAD;
	}
}

static bool atw_conns_is_ours(struct atw_conns *cs, u32 server_id)
{
	struct atw_conn *server = atw_conns_find(cs, server_id);

	return server && atw_conn_is_listener(server) && server->owner;
}

/**
 * atw_conns_find_strangers() - what has the module that nobody here knows?
 * @cs: the connections, which it was asked for
 *
 * It is deleted. A seed may be about to be announced: it is when it is still not
 * known the next time.
 *
 * Context: the channel's thread.
 */
void atw_conns_find_strangers(struct atw_conns *cs)
{
	const struct atw_rows *rows = &cs->rows;
	const struct atw_sock_row *row;
	unsigned int i, j, n = 0;
	u32 strange[ARRAY_SIZE(cs->strange)];
	bool delete, clean = true;

	for (i = 0; i < rows->n; i++) {
		row = &rows->row[i];
		if (row->status == ATW_SOCK_DELETED)
			continue;
		spin_lock(&cs->lock);
		delete = !atw_conns_find(cs, row->id);
		if (delete && atw_rows_find(cs, row->id) &&
		    atw_conns_is_ours(cs, row->server)) {
			for (j = 0; j < cs->nstrange; j++)
				if (cs->strange[j] == row->id)
					break;
			delete = j < cs->nstrange &&
				 row->status != ATW_SOCK_CONNECTING;
			if (!delete && n < ARRAY_SIZE(strange))
				strange[n++] = row->id;
		}
		spin_unlock(&cs->lock);
		if (delete)
			atw_conns_add_foreign(cs, row->id);
		clean &= !delete;
	}
	/* What it refused to delete was not there. */
	if (clean)
		cs->undeleted = 0;
	spin_lock(&cs->lock);
	memcpy(cs->strange, strange, n * sizeof(strange[0]));
	cs->nstrange = n;
	cs->strange_at = jiffies + atw_timing.strange;
	spin_unlock(&cs->lock);
}

/**
 * atw_conns_keep_servers() - the module has lost everything
 * @cs: the connections
 *
 * Servers wait to be opened again; who waited to be accepted is gone.
 *
 * Context: the channel's thread.
 */
void atw_conns_keep_servers(struct atw_conns *cs)
{
	struct atw_conn *c;

	spin_lock(&cs->lock);
	list_for_each_entry(c, &cs->list, node) {
		if (!c->lasting)
			continue;
		atw_conn_drop_seeds(c);
		spin_lock(&c->lock);
		if (c->owner) {
			atw_conns_unname(cs, c);
			atw_conn_purge_tx(c);
			c->state = ATW_CONN_WAITING;
			c->paused = false;
			c->renew = false;
			c->old_id = 0;
			c->announced = 0;
			c->fetch = false;
			atomic_sub(xchg(&c->hoard, 0), &cs->hoard);
			atw_conn_drop_unsure(c);
		}
		spin_unlock(&c->lock);
	}
	spin_unlock(&cs->lock);
}

/**
 * atw_conn_renew() - a server may have to be opened anew
 * @server: the server
 *
 * Context: the channel's thread.
 */
void atw_conn_renew(struct atw_conn *server)
{
	spin_lock(&server->lock);
	server->renew = server->owner && server->state == ATW_CONN_OPEN;
	spin_unlock(&server->lock);
}

/**
 * atw_conns_renew() - delete a server in order to open it anew
 * @cs: the connections
 * @server: the server
 *
 * Context: the channel's thread.
 */
void atw_conns_renew(struct atw_conns *cs, struct atw_conn *server)
{
	u32 id = READ_ONCE(server->id);
	int err = atw_conns_delete_id(cs, id);

	spin_lock(&cs->lock);
	spin_lock(&server->lock);
	server->renew = false;
	if (!err && server->owner && server->state == ATW_CONN_OPEN) {
		server->old_id = id;
		atw_conns_unname(cs, server);
		server->state = ATW_CONN_WAITING;
		atw_conn_pause(server, atw_timing.renew);
	}
	spin_unlock(&server->lock);
	spin_unlock(&cs->lock);
}

/**
 * atw_conns_still_there() - does the module still have what was to go?
 * @cs: the connections
 * @server: a server that is to be opened anew
 *
 * Context: the channel's thread.
 * Return: true if so; it is to be asked again later.
 */
bool atw_conns_still_there(struct atw_conns *cs, struct atw_conn *server)
{
	bool there = true;
	unsigned int i;

	if (!server->old_id)
		return false;
	if (!atw_conns_query(cs)) {
		there = false;
		for (i = 0; i < cs->rows.n; i++)
			there |= cs->rows.row[i].id == server->old_id;
	}
	spin_lock(&server->lock);
	if (there)
		atw_conn_pause(server, ATW_RENEW_POLL);
	else
		server->old_id = 0;
	spin_unlock(&server->lock);
	return there;
}

/**
 * atw_conns_may_send() - does a send go where it should?
 * @cs: the connections
 * @c: the connection; it is ended if not
 *
 * Some firmware keeps the number of a send in one byte. Where that would be the
 * number of another connection the send must not be tried.
 *
 * Context: the channel's thread.
 * Return: true if so.
 */
bool atw_conns_may_send(struct atw_conns *cs, struct atw_conn *c)
{
	u32 id = READ_ONCE(c->id);
	bool may;

	if (id <= ATW_ID_MAX)
		return true;
	spin_lock(&cs->lock);
	may = !cs->narrow && !cs->by_id[id & 0xff];
	spin_unlock(&cs->lock);
	if (may)
		return true;
	spin_lock(&c->lock);
	cs->resets++;
	atw_conn_end(c, -ECONNRESET, 0);
	spin_unlock(&c->lock);
	return false;
}

/**
 * atw_conns_recount() - have a module that runs out of numbers begin anew
 * @cs: the connections; there is nothing else to do
 *
 * Firmware that keeps the number of a send in one byte counts seeds up beyond
 * that, and cannot send to them then. Only a restart brings it back to 1; it is
 * done while there is nothing but servers, if possible in time.
 *
 * Context: the channel's thread.
 * Return: true if it was restarted.
 */
bool atw_conns_recount(struct atw_conns *cs)
{
	bool busy = false;
	struct atw_conn *c;

	if (!cs->narrow || READ_ONCE(cs->high_id) < ATW_HIGH_ID)
		return false;
	spin_lock(&cs->lock);
	list_for_each_entry(c, &cs->list, node)
		busy |= !atw_conn_is_server(c) || c->nseeds;
	spin_unlock(&cs->lock);
	if (busy)
		return false;
	dev_info(cs->ch->dev, "the module has used up its connection numbers, restarting it\n");
	cs->high_id = 0;
	atw_channel_run(cs->ch, "AT+RST", 5 * HZ);
	cs->restarted = true;
	return true;
}
