// SPDX-License-Identifier: GPL-2.0-only
/*
 * Servers and their children: connections that the module has accepted.
 *
 * A server is a connection that the driver names and that lasts: when the module
 * has lost it, by a reset or otherwise, it is opened again. A child is made by the
 * module. Until somebody accepts it, it stands in its server's queue, which holds
 * the reference that is the owner's later, and keeps what it receives.
 *
 * The module numbers children itself, mostly counting up from 1. One damaged digit
 * can make one child's number of another's, and nothing that the module says shows
 * it. What can be kept is that servers do not weaken what was promised to the
 * connections that the driver names: a child whose number is one damaged byte away
 * from such a connection's is not let in, and the driver gives no number that is
 * so near to a child's.
 *
 * Some builds do not announce children. Bytes for a number that nobody knows may
 * then be a child's first, or somebody else's after damage. They are kept while the
 * module is asked; if it does not have that child, and has not said of it either that it
 * is gone, all streams end.
 */
#include <linux/device.h>
#include <linux/jiffies.h>
#include <linux/slab.h>

#include "conn_priv.h"
#include "timing.h"

/* Some firmware resets all clients of a server after a child of it was deleted.
 * A driver in the field deletes the server then, waits until it is not listed
 * any more, and for 3 s, and looks every 750 ms: the module does not tell.
 */
#define ATW_RENEW_POLL		(HZ * 3 / 4)
/* Half a minute. Where that port is taken yet the server is opened again later. */
#define ATW_RENEW_POLLS		40
/* From here on a module that counts in one byte is restarted when it is idle. */
#define ATW_HIGH_ID		200

/**
 * atw_conn_set_backlog() - how many may wait to be accepted
 * @server: a server
 * @backlog: so many, within what is reasonable
 *
 * Context: process context.
 */
void atw_conn_set_backlog(struct atw_conn *server, unsigned int backlog)
{
	spin_lock(&server->lock);
	server->serve.backlog = clamp(backlog, 1U, ATW_BACKLOG_MAX);
	spin_unlock(&server->lock);
}

/* The first in a server's queue that may be accepted, or NULL. */
static struct atw_conn *atw_conn_first_ready(struct atw_conn *server)
{
	struct atw_conn *c;
	bool ready;

	lockdep_assert_held(&server->lock);

	list_for_each_entry(c, &server->serve.children, child.node) {
		spin_lock_nested(&c->lock, SINGLE_DEPTH_NESTING);
		ready = c->child.stage == ATW_CHILD_READY;
		spin_unlock(&c->lock);
		if (ready)
			return c;
	}
	return NULL;
}

/* As atw_conn_waits() and others, for those who do not hold the child's lock. */
static enum atw_child_stage atw_conn_stage(struct atw_conn *c)
{
	enum atw_child_stage stage;

	spin_lock(&c->lock);
	stage = c->child.stage;
	spin_unlock(&c->lock);
	return stage;
}

/**
 * atw_conn_acceptable() - would atw_conn_accept() find one?
 * @server: a server
 *
 * Context: process context.
 */
bool atw_conn_acceptable(struct atw_conn *server)
{
	bool found;

	spin_lock(&server->lock);
	found = atw_conn_first_ready(server);
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
 * Context: process context.
 * Return: the connection with a reference for the owner, or NULL.
 */
struct atw_conn *atw_conn_accept(struct atw_conn *server,
				 const struct atw_conn_ops *ops, void *owner)
{
	struct sk_buff *skb;
	struct atw_conn *c;
	int err = 0;

	spin_lock(&server->lock);
	c = atw_conn_first_ready(server);
	if (c) {
		list_del_init(&c->child.node);
		server->serve.nchildren--;
	}
	spin_unlock(&server->lock);
	if (!c)
		return NULL;

	spin_lock(&c->lock);
	c->ops = ops;
	c->owner = owner;
	c->child.stage = ATW_CHILD_TAKEN;
	while ((skb = __skb_dequeue(&c->rx.backlog))) {
		atw_conn_unkeep(c, skb->truesize);
		if (!ops->rx(c, skb)) {
			if (c->conns)
				atomic64_inc(&c->conns->counts.overflows);
			kfree_skb(skb);
			atw_conn_purge(c, &c->rx.backlog);
			err = -ECONNRESET;
		}
	}
	if (!atw_conn_is_live(c))
		ops->closed(c, err ?: c->err, 0);
	else if (err)
		atw_conn_end(c, err, 0);
	atw_conn_kick(c);
	spin_unlock(&c->lock);
	return c;
}

/* Let a child wait in its server's queue, if there is room. */
static bool atw_conn_attach(struct atw_conns *cs, struct atw_conn *server,
			    struct atw_conn *c)
{
	bool ok;

	lockdep_assert_held(&cs->lock);

	spin_lock(&server->lock);
	ok = server->owner && atw_conn_is_usable(server) &&
	     !atw_conn_is_waiting(server) &&
	     server->serve.nchildren < server->serve.backlog;
	if (ok) {
		spin_lock_nested(&c->lock, SINGLE_DEPTH_NESTING);
		refcount_inc(&server->ref);
		atw_budget_move(&cs->rx.unread, c->share, server->share, c->rx.size);
		atomic_add(c->rx.size, &server->serve.kept);
		c->child.server = server;
		list_add_tail(&c->child.node, &server->serve.children);
		server->serve.nchildren++;
		spin_unlock(&c->lock);
	}
	spin_unlock(&server->lock);
	return ok;
}

/*
 * Make a child known under its number and to its server, if that is known. Returns
 * false if it must not live; it is the caller's then.
 */
static bool atw_conns_add_child(struct atw_conns *cs, struct atw_conn *server,
				struct atw_conn *c, u32 id)
{
	lockdep_assert_held(&cs->lock);

	/* Is the number one with which the promises can be kept? Of what is stale,
	 * bytes may have been thrown away. One that was not announced is asked for first.
	 */
	if (cs->gone || (server && atw_conns_near_named(cs, id)) ||
	    atw_conns_is_stale(cs, id) || (atw_conns_narrow_ids(cs) && id > ATW_ID_MAX) ||
	    !atw_conns_spare_numbers(cs, id))
		return false;
	spin_lock(&c->lock);
	atw_conn_event(c, ATW_CONN_EV_ACCEPTED);
	c->child.stage = ATW_CHILD_NEW;
	c->id = id;
	c->query = cs->audit.query;
	spin_unlock(&c->lock);
	if (id <= ATW_ID_MAX)
		cs->ids.by_id[id] = c;
	atw_conns_link(cs, c);
	if (server && !atw_conn_attach(cs, server, c)) {
		spin_lock(&c->lock);
		atw_conns_unlink(cs, c);
		spin_unlock(&c->lock);
		return false;
	}
	atw_sched_set(cs->sched, ATW_DO_ACCEPTED);
	return true;
}

/* Has it carried bytes, in whatever direction? */
static bool atw_conn_is_used(const struct atw_conn *c)
{
	lockdep_assert_held(&c->lock);

	return c->rx.bytes || c->tx.bytes || !skb_queue_empty(&c->rx.unverified);
}

/*
 * The module has given a child's number to another: the first one is gone. Returns whether the
 * other one may have bytes of the first one's: they are on their way to it, or it is the first
 * one, of which the module speaks late, or twice.
 */
static bool atw_conns_supersede(struct atw_conns *cs, struct atw_conn *c)
{
	bool mixed;

	lockdep_assert_held(&cs->lock);

	spin_lock(&c->lock);
	mixed = c->tx.sending || (!atw_conn_is_dead(c) && !c->remote_closed &&
				  !c->auto_deleted && atw_conn_is_used(c));
	WRITE_ONCE(c->tx.astray, true);
	/* It has had all, and there is a network, by which the other one has come. */
	if (c->close != ATW_CLOSE_NONE && !c->rx.fetch)
		atw_conn_end(c, 0, 0);
	if (atw_conn_is_live(c))
		atomic64_inc(&cs->counts.resets);
	atw_conn_end(c, -ECONNRESET, 0);
	atw_conn_event(c, ATW_CONN_EV_GONE);
	atw_conns_unname(cs, c);
	spin_unlock(&c->lock);
	return mixed;
}

/**
 * atw_conns_accepted() - the module has accepted a connection
 * @cs: the connections
 * @id: its number
 * @server_id: its server's
 *
 * Context: the receive path.
 */
void atw_conns_accepted(struct atw_conns *cs, u32 id, u32 server_id)
{
	struct atw_conn *old, *server, *c = NULL;
	bool damaged = false;
	bool ok = false;

	/* It may be a remote who says so. If it is not, that one's first bytes may be lost. */
	if (atw_channel_is_unsettled(cs->ch)) {
		atomic64_inc(&cs->counts.refused);
		atw_conns_add_stale(cs, id);
		return;
	}
	server = atw_conns_get(cs, server_id);
	cs->learned.children_told = true;
	/* It speaks in transparent mode, too, and what it says there cannot be told apart. */
	if (cs->tt.conn && atw_tt_inside(cs))
		cs->tt.doubt = true;
	if (server && atw_conn_is_listener(server))
		c = atw_conn_alloc(server->type == ATW_TYPE_TCP_SERVER ?
				   ATW_TYPE_TCP_CHILD : ATW_TYPE_SSL_CHILD,
				   GFP_KERNEL);

	spin_lock(&cs->lock);
	old = atw_conns_find(cs, id);
	if (c)
		cs->learned.high_id = max(cs->learned.high_id, id);
	if (!c) {
		/* There is no such server, or no memory: who had that number has lost it. */
		if (old && atw_conn_is_child(old))
			atw_conns_supersede(cs, old);
		atomic64_inc(&cs->counts.refused);
	} else if (old && !atw_conn_is_child(old) && atw_conn_is_opening(old)) {
		/* It had given the number before it was asked for it, and is to say so. */
		spin_lock(&old->lock);
		old->rx.disputed = true;
		spin_unlock(&old->lock);
		atomic64_inc(&cs->counts.refused);
	} else if (old && !atw_conn_is_child(old)) {
		/* A number of ours: that is not what the module said. */
		damaged = true;
	} else if (old && !old->child.server && atw_conn_is_live(old) &&
		   old->close == ATW_CLOSE_NONE && atw_conn_stage(old) == ATW_CHILD_NEW) {
		/* Its first bytes came before its announcement. */
		ok = !atw_conns_near_named(cs, id) && atw_conn_attach(cs, server, old);
		atw_sched_set(cs->sched, ATW_DO_ACCEPTED);
		atomic64_add(ok, &cs->counts.accepted);
		ok = true;
	} else if (old && !old->child.server &&
		   !atw_conn_is_dead(old)) {
		/* They were thrown away, and it is about to be deleted. */
		atomic64_inc(&cs->counts.refused);
	} else {
		/* Who may have, or lack, bytes that were another's is not let in. */
		ok = !old || !atw_conns_supersede(cs, old);
		/* Which of two is being deleted cannot be told. */
		if (cs->ids.deleting == id)
			atw_sched_set(cs->sched, ATW_DO_RECONCILE);
		ok = ok && atw_conns_add_child(cs, server, c, id);
		if (ok)
			c = NULL;
		atomic64_add(ok, &cs->counts.accepted);
		atomic64_add(!ok, &cs->counts.refused);
	}
	spin_unlock(&cs->lock);
	kfree(c);
	atw_conn_put(server);
	if (damaged)
		atw_conns_damage(cs);
	else if (!ok)
		atw_conns_add_stale(cs, id);
}

/* Is there a server that could have unannounced children? The only one, in @only. */
static bool atw_conns_has_listener(struct atw_conns *cs, struct atw_conn **only)
{
	struct atw_conn *c;
	unsigned int n = 0;

	lockdep_assert_held(&cs->lock);

	list_for_each_entry(c, &cs->list, node) {
		if (!atw_conn_is_listener(c) || !c->owner ||
		    !atw_conn_is_usable(c))
			continue;
		if (only)
			*only = c;
		n++;
	}
	return only ? n == 1 : n;
}

/* Children whose server is still to be asked for: a module has few at a time. */
static unsigned int atw_conns_guesses(struct atw_conns *cs)
{
	struct atw_conn *c;
	unsigned int n = 0;

	lockdep_assert_held(&cs->lock);

	list_for_each_entry(c, &cs->list, node)
		n += !c->child.server && atw_conn_stage(c) == ATW_CHILD_NEW;
	return n;
}

/**
 * atw_conns_guess_child() - may bytes for a number unknown be a child's first?
 * @cs: the connections
 * @id: the number
 *
 * Context: the receive path.
 * Return: a child of a server unknown, with a reference; NULL if it cannot be.
 */
struct atw_conn *atw_conns_guess_child(struct atw_conns *cs, u32 id)
{
	bool many, lost = false, refused = false;
	struct atw_conn *c;

	if (cs->learned.children_told || !cs->learned.purged)
		return NULL;
	c = atw_conn_alloc(ATW_TYPE_TCP_CHILD, GFP_KERNEL);
	spin_lock(&cs->lock);
	if (!atw_conns_has_listener(cs, NULL) ||
	    atw_conns_find(cs, id) || atw_conns_is_going(cs, id))
		goto no_child;
	many = atw_conns_guesses(cs) >= ATW_GUESSES_MAX;
	lost = !c || (many && atw_conns_near_named(cs, id));
	refused = !lost && (many || !atw_conns_add_child(cs, NULL, c, id));
	if (lost || refused)
		goto no_child;
	refcount_inc(&c->ref);
	cs->learned.high_id = max(cs->learned.high_id, id);
	spin_unlock(&cs->lock);
	return c;

no_child:
	spin_unlock(&cs->lock);
	kfree(c);
	/* What else comes for this number would be taken for its beginning. */
	if (refused)
		atw_conns_add_stale(cs, id);
	if (lost) {
		cs->learned.purged = false;
		atw_sched_set(cs->sched, ATW_DO_RESET);
		atw_conns_damage(cs);
	}
	return NULL;
}

/**
 * atw_conns_adopt() - find the server of a child that was not announced
 * @cs: the connections
 * @c: the child, to which the caller has a reference
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
	bool ok, over;

	spin_lock(&cs->lock);
	spin_lock(&c->lock);
	/* Has the module said that its remote is gone, or that it has deleted it? */
	over = c->remote_closed || c->auto_deleted;
	spin_unlock(&c->lock);
	if (c->child.server) {
		spin_unlock(&cs->lock);
		return true;
	}
	if (row && row->status != ATW_SOCK_DELETED) {
		server = atw_conns_find(cs, row->server);
	} else if (over) {
		/* It came and went before it could be asked for. */
		if (!atw_conns_has_listener(cs, &server))
			server = NULL;
	}
	ok = server && atw_conn_is_listener(server) && !atw_conns_near_named(cs, c->id) &&
	     atw_conn_attach(cs, server, c);
	atomic64_add(ok, &cs->counts.accepted);
	atomic64_add(!ok, &cs->counts.refused);
	if (!ok) {
		/* As one: else it could be announced in between. */
		spin_lock(&c->lock);
		atw_conn_disown(c);
		spin_unlock(&c->lock);
	}
	spin_unlock(&cs->lock);
	/*
	 * Bytes of one that is gone, or of another connection. Where the module has named it
	 * once more it was there, though nobody knows at which server.
	 */
	if (!server && !row && !over && !atw_conns_is_recent(cs, atw_conn_id(c)))
		atw_conns_damage(cs);
	if (!ok)
		atw_conn_close(c, true, 0);
	return ok;
}

/* What the module's table says of a child; it may be accepted now. */
static void atw_conns_settle(struct atw_conns *cs, struct atw_conn *c)
{
	const struct atw_sock_row *row = atw_rows_find(cs, atw_conn_id(c), true);
	struct atw_conn *server;

	if (!atw_conns_adopt(cs, c, row))
		return;
	server = c->child.server;
	spin_lock(&c->lock);
	if (row)
		c->type = row->type;
	if (row && row->addr && row->rport > 0) {
		c->addr = row->addr;
		c->port = row->rport;
	} else if (row) {
		cs->learned.no_peers = true;
	}
	spin_unlock(&c->lock);
	spin_lock(&server->lock);
	spin_lock_nested(&c->lock, SINGLE_DEPTH_NESTING);
	if (c->child.stage == ATW_CHILD_NEW)
		c->child.stage = ATW_CHILD_READY;
	spin_unlock(&c->lock);
	if (server->owner && server->ops->incoming)
		server->ops->incoming(server);
	spin_unlock(&server->lock);
}

/* The next child that cannot be accepted yet, with a reference. */
static struct atw_conn *atw_conns_unready(struct atw_conns *cs, bool asked)
{
	struct atw_conn *c, *found = NULL;

	spin_lock(&cs->lock);
	list_for_each_entry(c, &cs->list, node) {
		if (atw_conn_stage(c) != ATW_CHILD_NEW)
			continue;
		/* It came after the question: that tells nothing of it. */
		if (asked && c->query == cs->audit.query) {
			atw_sched_set(cs->sched, ATW_DO_ACCEPTED);
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
 * atw_conns_do_accepted() - learn what there is to know of new children
 * @cs: the connections
 *
 * Context: the channel's thread.
 * Return: true.
 */
bool atw_conns_do_accepted(struct atw_conns *cs)
{
	bool ask = false;
	struct atw_conn *c;
	int err;

	spin_lock(&cs->lock);
	list_for_each_entry(c, &cs->list, node)
		if (atw_conn_stage(c) == ATW_CHILD_NEW)
			ask |= !c->child.server || !cs->learned.no_peers;
	spin_unlock(&cs->lock);
	err = ask ? atw_conns_query(cs) : 0;
	/* Whoever stops the channel says what becomes of them. */
	if (err == -ENODEV)
		return true;
	if (err)
		ask = false;
	/* What was said at another time, or only in part, tells nothing of them. */
	if (!ask)
		cs->audit.rows.n = 0;
	while ((c = atw_conns_unready(cs, ask))) {
		atw_conns_settle(cs, c);
		atw_conn_put(c);
	}
	return true;
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

	if (!atw_conn_is_child(c) || atw_conn_is_open(c)) {
		c->auto_deleted = true;
		/* Where its remote has closed nothing else follows from it. */
		if (c->close == ATW_CLOSE_NONE)
			atw_sched_set(cs->sched, ATW_DO_RECONCILE);
		return;
	}
	/* It was to give way, and has. */
	atw_conn_yielded(cs, c);
	if (atw_conn_is_closing(c))
		atw_conn_event(c, ATW_CONN_EV_GONE);
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
	server->serve.renew = server->owner && atw_conn_is_open(server);
	spin_unlock(&server->lock);
}

/**
 * atw_conns_do_renew() - delete a server in order to open it anew
 * @cs: the connections
 * @server: the server
 *
 * Context: the channel's thread.
 */
void atw_conns_do_renew(struct atw_conns *cs, struct atw_conn *server)
{
	u32 id = atw_conn_id(server);
	int err = atw_conns_delete_id(cs, id);

	spin_lock(&cs->lock);
	spin_lock(&server->lock);
	server->serve.renew = false;
	if (!err && server->owner && atw_conn_is_open(server)) {
		atw_conn_leave_kept(cs, server);
		atw_conns_lose_server(cs, server);
		server->serve.old_id = id;
		server->serve.polls = 0;
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
 * Its number may be a client's by now, and there are modules that go on listing what they
 * have deleted: neither is waited for.
 *
 * Context: the channel's thread.
 * Return: true if so; it is to be asked again later.
 */
bool atw_conns_still_there(struct atw_conns *cs, struct atw_conn *server)
{
	u32 id = server->serve.old_id;
	bool there;

	if (id == ATW_NO_ID)
		return false;
	there = atw_conns_query(cs) || atw_rows_find(cs, id, false);
	spin_lock(&cs->lock);
	there &= !atw_conns_find(cs, id);
	spin_unlock(&cs->lock);
	spin_lock(&server->lock);
	if (there && server->serve.polls++ < ATW_RENEW_POLLS)
		atw_conn_pause(server, ATW_RENEW_POLL);
	else
		server->serve.old_id = ATW_NO_ID;
	there = server->serve.old_id != ATW_NO_ID;
	spin_unlock(&server->lock);
	return there;
}

/**
 * atw_conns_recount() - have a module that runs out of numbers begin anew
 * @cs: the connections; there is nothing else to do
 *
 * Firmware that keeps the number of a send in one byte counts children up beyond
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

	if (!atw_conns_narrow_ids(cs))
		return false;
	spin_lock(&cs->lock);
	busy = cs->learned.high_id < ATW_HIGH_ID;
	list_for_each_entry(c, &cs->list, node)
		busy |= !atw_conn_is_server(c) || c->serve.nchildren;
	spin_unlock(&cs->lock);
	if (busy)
		return false;
	dev_info_ratelimited(cs->ch->dev,
			     "the module has used up its connection numbers, restarting it\n");
	spin_lock(&cs->lock);
	cs->learned.high_id = 0;
	spin_unlock(&cs->lock);
	atw_channel_ask(cs->ch, ATW_VERB_RESET, 5 * HZ, NULL, NULL);
	/* What it says of that is no news. */
	atw_sched_set(cs->sched, ATW_DO_BRING_UP);
	return true;
}
