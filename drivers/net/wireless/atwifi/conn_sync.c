// SPDX-License-Identifier: GPL-2.0-only
/* What the module has is compared with what it should have. */
#include <linux/jiffies.h>

#include "conn_priv.h"
#include "timing.h"

/**
 * atw_conns_delete_old() - delete every socket that the module has
 * @cs: the connections, none of them live
 *
 * A host that restarted finds the sockets of its former life: they would
 * deliver bytes that nobody asked for, and count against the module's few.
 *
 * Context: the channel's thread.
 * Return: 0; -EBUSY, some do not go; or as atw_channel_exec().
 */
int atw_conns_delete_old(struct atw_conns *cs)
{
	const struct atw_rows *rows = &cs->audit.rows;
	unsigned int i, left;
	int round, err = 0;

	for (round = 0; round < 4; round++) {
		err = atw_conns_query(cs);
		if (err)
			break;
		left = 0;
		for (i = 0; i < rows->n && !err; i++) {
			/* Deletion may go on in the background, or be left to the host. */
			if (rows->row[i].status != ATW_SOCK_DELETED)
				left++;
			else if (round)
				continue;
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
	if (atw_cmd_refused(err))
		return 0;
	mutex_lock(&cs->ch->rx_lock);
	cs->learned.purged = !err;
	mutex_unlock(&cs->ch->rx_lock);
	return err;
}

/* The module does not have @c as it should. */
static void atw_conns_missing(struct atw_conns *cs, struct atw_conn *c)
{
	lockdep_assert_held(&cs->lock);
	lockdep_assert_held(&c->lock);

	if (c->serve.lasting && c->owner)
		atw_conns_lose_server(cs, c);
	else if (c->auto_deleted)
		atw_conn_remote_end(cs, c);
	else
		atw_conn_reset(c, &cs->counts.resets);
}

/*
 * Has it an end, and nothing that was connected anew under its number since then? A client is
 * to be connected from the moment that it is lost until it is connected anew.
 */
static bool atw_row_is_over(const struct atw_sock_row *row)
{
	switch (row->status) {
	case ATW_SOCK_LOST:
	case ATW_SOCK_CONNECTING:
	case ATW_SOCK_FAILED:
	case ATW_SOCK_DELETED:
		return true;
	default:
		return false;
	}
}

/**
 * atw_row_is_live() - has the module a connection, by its table, as it was opened?
 * @c: the connection
 * @row: what the table says of it
 *
 * Context: any.
 * Return: true if so.
 */
bool atw_row_is_live(const struct atw_conn *c, const struct atw_sock_row *row)
{
	return !atw_row_is_over(row) ||
	       (!atw_conn_is_stream(c) && row->status != ATW_SOCK_DELETED);
}

/*
 * The module has told what it has, before which it had printed the payload that is
 * in doubt. A restarted one has nothing. @passed: all that it had printed before has
 * come, and was damage if the payload was not what it looked like. @again: its answer
 * was lost, and it will be asked again when the line is in order.
 */
static void atw_conns_settle(struct atw_conns *cs, struct atw_conn *c,
			     const struct atw_sock_row *row, bool passed, bool again)
{
	/* The barrier was one before the query. */
	unsigned int barrier = cs->audit.query - 1;

	lockdep_assert_held(&c->lock);

	if (skb_queue_empty(&c->rx.unverified))
		return;
	if (row)
		atw_conn_believe(cs, c, ATW_DOUBT_BOOT, cs->audit.query);
	if (row && atw_row_is_over(row))
		atw_conn_believe(cs, c, ATW_DOUBT_ANEW, cs->audit.query);
	if (passed)
		atw_conn_believe(cs, c, ATW_DOUBT_FRAME, barrier);
	if ((!again && atw_conn_doubted(c, ATW_DOUBT_BOOT | ATW_DOUBT_ANEW, cs->audit.query)) ||
	    atw_conn_doubted(c, ATW_DOUBT_FRAME, barrier))
		atw_conn_disbelieve(cs, c);
	else if (!skb_queue_empty(&c->rx.unverified) && !again)
		/* It came while the module was being asked. */
		atw_sched_set(cs->sched, ATW_DO_RECONCILE);
	if (c->remote_closed && !c->err && cs->rx.conn != c)
		atw_conn_remote_end(cs, c);
}

/*
 * See to it that of what came until now nothing is still to come, where a payload may hold what
 * is none of it.
 */
static bool atw_conns_barrier(struct atw_conns *cs)
{
	struct atw_conn *c;
	bool doubt = false;

	atw_conns_begin_query(cs);
	spin_lock(&cs->lock);
	list_for_each_entry(c, &cs->list, node) {
		spin_lock(&c->lock);
		doubt |= atw_conn_doubted(c, ATW_DOUBT_FRAME, cs->audit.query);
		spin_unlock(&c->lock);
	}
	spin_unlock(&cs->lock);
	return !doubt || !atw_channel_settle(cs->ch);
}

static bool atw_conns_is_ours(struct atw_conns *cs, u32 server_id)
{
	struct atw_conn *server = atw_conns_find(cs, server_id);

	return server && atw_conn_is_listener(server) && server->owner;
}

/* May this, which nobody knows, be known or gone the next time? */
static bool atw_row_may_settle(struct atw_conns *cs, const struct atw_sock_row *row, bool told)
{
	unsigned int i;

	lockdep_assert_held(&cs->lock);

	if (row->status != ATW_SOCK_DELETED &&
	    !(atw_rows_find(cs, row->id, true) && atw_conns_is_ours(cs, row->server)))
		return false;
	if (row->status == ATW_SOCK_CONNECTING)
		return true;
	if (told && row->status != ATW_SOCK_DELETED)
		return false;
	for (i = 0; i < cs->audit.nunknown; i++)
		if (cs->audit.unknown[i] == row->id)
			return false;
	return true;
}

/**
 * atw_conns_find_unknown() - what has the module, by its table, that nobody here knows?
 * @cs: the connections, whose rows were filled just now
 * @told: what was accepted was announced before, where nobody heard it
 *
 * It is deleted. A child may be about to be announced, or to go: it is when it is still
 * there, and not known, the next time.
 *
 * Context: the channel's thread.
 * Return: true if any of it is connected.
 */
bool atw_conns_find_unknown(struct atw_conns *cs, bool told)
{
	const struct atw_rows *rows = &cs->audit.rows;
	u32 unknown[ARRAY_SIZE(cs->audit.unknown)];
	const struct atw_sock_row *row;
	bool delete, clean = true, found = false, futile = false, patient = true;
	unsigned long pause = atw_timing.unknown;
	unsigned int i, n = 0;

	for (i = 0; i < rows->n; i++) {
		row = &rows->row[i];
		/* Deletion may go on in the background. That of a child may be left to the host. */
		if (row->status == ATW_SOCK_DELETED && !atw_rows_find(cs, row->id, true))
			continue;
		spin_lock(&cs->lock);
		delete = !atw_conns_find(cs, row->id);
		if (delete && atw_row_may_settle(cs, row, told)) {
			delete = false;
			patient &= row->status == ATW_SOCK_DELETED;
			if (n < ARRAY_SIZE(unknown))
				unknown[n++] = row->id;
		}
		spin_unlock(&cs->lock);
		if (delete)
			atw_conns_add_stale(cs, row->id);
		futile |= delete && row->status == ATW_SOCK_DELETED;
		clean &= !delete;
		found |= delete && row->status == ATW_SOCK_CONNECTED;
	}
	/* What it refused to delete was not there. */
	if (clean)
		cs->audit.undeleted = 0;
	/* There are modules that go on listing what they have deleted, and refuse it then. */
	if (clean && !n)
		cs->audit.futile = 0;
	else if (futile)
		cs->audit.futile++;
	spin_lock(&cs->lock);
	memcpy(cs->audit.unknown, unknown, n * sizeof(unknown[0]));
	cs->audit.nunknown = n;
	spin_unlock(&cs->lock);
	/* What carries bytes, or is about to, is not to wait for those. */
	if (patient)
		pause <<= min(cs->audit.futile, 5U);
	if (n)
		atw_sched_at(cs->sched, ATW_DO_UNKNOWN, jiffies + pause);
	return found;
}

/**
 * atw_conns_unheard() - what the module announces from now on may not be heard
 * @cs: the connections
 *
 * Nor may what a remote sends first: until atw_conns_heard() bytes for a number unknown
 * are nobody's, since others may have been before them.
 *
 * Context: the channel's thread.
 * Return: false if they are nobody's anyway: atw_conns_heard() is not needed.
 */
bool atw_conns_unheard(struct atw_conns *cs)
{
	bool purged;

	mutex_lock(&cs->ch->rx_lock);
	purged = cs->learned.purged;
	cs->learned.purged = false;
	mutex_unlock(&cs->ch->rx_lock);
	return purged;
}

/**
 * atw_conns_heard() - all is heard again after atw_conns_unheard()
 * @cs: the connections
 *
 * What was accepted in between is deleted; where that cannot be told the module is brought
 * up anew.
 *
 * Context: the channel's thread.
 */
void atw_conns_heard(struct atw_conns *cs)
{
	s64 damaged = atomic64_read(&cs->counts.damaged);
	int err = atw_conns_query(cs);
	bool sure;

	if (err == -ENODEV)
		return;
	if (!err)
		atw_conns_find_unknown(cs, true);
	mutex_lock(&cs->ch->rx_lock);
	/* Bytes for a number unknown that came meanwhile may be those of one not listed yet. */
	sure = !err && !cs->audit.rows.more && damaged == atomic64_read(&cs->counts.damaged);
	cs->learned.purged = sure;
	mutex_unlock(&cs->ch->rx_lock);
	if (!sure)
		atw_sched_set(cs->sched, ATW_DO_RESET);
}

/**
 * atw_conns_do_reconcile() - compare what the module has with what we think it has
 * @cs: the connections
 *
 * Context: the channel's thread.
 * Return: true.
 */
bool atw_conns_do_reconcile(struct atw_conns *cs)
{
	const struct atw_rows *rows = &cs->audit.rows;
	const struct atw_sock_row *row;
	bool told, again, passed, had = false, lacks = false;
	struct atw_conn *c;
	int err;

	mutex_lock(&cs->ch->rx_lock);
	cs->audit.boot_asked = max(cs->audit.boot_asked, cs->audit.boot);
	cs->audit.boot = ATW_BOOT_NO;
	mutex_unlock(&cs->ch->rx_lock);
	passed = atw_conns_barrier(cs);
	err = atw_conns_query(cs);
	told = !err && !rows->more;
	/* Each of these has the line looked after, and then there is one more comparison. */
	again = !cs->audit.unanswered &&
		(err == -ETIMEDOUT || err == -EBUSY || err == -EPROTO);
	cs->audit.unanswered = again;
	/* Whoever stops the channel says what becomes of them all. */
	if (err == -ENODEV)
		return true;

	mutex_lock(&cs->ch->rx_lock);
	spin_lock(&cs->lock);
	list_for_each_entry(c, &cs->list, node) {
		spin_lock(&c->lock);
		row = told ? atw_rows_find(cs, c->id, false) : NULL;
		atw_conns_settle(cs, c, row, passed, again);
		if (told && atw_conn_is_known(c) && c->close == ATW_CLOSE_NONE &&
		    c->query != cs->audit.query) {
			had = true;
			/* One that was closed in order has none, either. */
			lacks |= !row && !c->auto_deleted && !c->remote_closed;
			/* What the remote has closed stays until all that it sent is fetched. */
			if (!row || !(c->remote_closed || atw_row_is_live(c, row)))
				atw_conns_missing(cs, c);
			else if (c->remote_closed && !c->auto_deleted && cs->rx.conn != c)
				/* As long as something is to come it does nothing. */
				atw_conn_remote_end(cs, c);
			c->auto_deleted = false;
		}
		spin_unlock(&c->lock);
	}
	spin_unlock(&cs->lock);
	/* A payload that came meanwhile, and looks as if it had swallowed a row, may have. */
	if (lacks)
		atw_conns_end_doubtful(cs);
	mutex_unlock(&cs->ch->rx_lock);
	if (!told) {
		/* An answer that stayed away is asked for again. Another one settles that, too:
		 * what the module has some other day tells nothing of a start.
		 */
		if (!err || atw_cmd_refused(err))
			cs->audit.boot_asked = ATW_BOOT_NO;
		return true;
	}
	if (!rows->n && (cs->audit.boot_asked == ATW_BOOT_SAID || (cs->audit.boot_asked && had)))
		atw_sched_set(cs->sched, ATW_DO_RESTARTED);
	cs->audit.boot_asked = ATW_BOOT_NO;
	atw_conns_find_unknown(cs, false);
	return true;
}
