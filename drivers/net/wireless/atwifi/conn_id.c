// SPDX-License-Identifier: GPL-2.0-only
/* Numbers of connections: which there are, which were, and which are to be deleted. */
#include <linux/jiffies.h>

#include "conn_priv.h"
#include "id.h"
#include "timing.h"

/* So many of the fifteen that the driver gives no child is to take from others. */
#define ATW_SPARE_NUMBERS	3

/**
 * atw_conns_find() - look a number up
 * @cs: the connections
 * @id: the module's number
 *
 * Context: @cs->lock is held.
 * Return: the connection, or NULL.
 */
struct atw_conn *atw_conns_find(struct atw_conns *cs, u32 id)
{
	struct atw_conn *c;

	lockdep_assert_held(&cs->lock);

	if (id == ATW_NO_ID)
		return NULL;
	if (id <= ATW_ID_MAX)
		return cs->ids.by_id[id];
	/* A child's, of which there are a few. */
	list_for_each_entry(c, &cs->list, node)
		if (c->id == id)
			return c;
	return NULL;
}

/**
 * atw_conns_get() - look a number up
 * @cs: the connections
 * @id: the module's number
 *
 * Return: the connection with a reference, or NULL.
 */
struct atw_conn *atw_conns_get(struct atw_conns *cs, u32 id)
{
	struct atw_conn *c;

	spin_lock(&cs->lock);
	c = atw_conns_find(cs, id);
	if (c)
		refcount_inc(&c->ref);
	spin_unlock(&cs->lock);
	return c;
}

/* Until when a number rests, however many others are deleted after it. */
static u64 *atw_conns_rest_end(struct atw_conns *cs, u32 id)
{
	lockdep_assert_held(&cs->lock);

	return &cs->ids.rests[id > ATW_ID_MAX][id % (ATW_ID_MAX + 1)];
}

/*
 * Nothing has a number any more that the module has given. It is nobody's then, and after that
 * rests as one of ours does.
 */
static void atw_conns_add_recent(struct atw_conns *cs, u32 id)
{
	*atw_conns_rest_end(cs, id) = get_jiffies_64() + atw_timing.recent + atw_timing.rest;
}

/**
 * atw_conns_free_id() - nothing has the number of a connection any more
 * @cs: the connections
 * @c: the connection
 *
 * Context: @cs->lock is held.
 */
void atw_conns_free_id(struct atw_conns *cs, struct atw_conn *c)
{
	lockdep_assert_held(&cs->lock);

	if (c->id == ATW_NO_ID)
		return;
	if (c->id <= ATW_ID_MAX && cs->ids.by_id[c->id] == c)
		cs->ids.by_id[c->id] = NULL;
	if (atw_conn_is_child(c))
		atw_conns_add_recent(cs, c->id);
	else
		*atw_conns_rest_end(cs, c->id) = get_jiffies_64() + atw_timing.rest;
}

/**
 * atw_conns_unname() - the module knows the number of a connection no longer
 * @cs: the connections
 * @c: the connection, which may get another
 *
 * Context: @cs->lock and @c->lock are held.
 */
void atw_conns_unname(struct atw_conns *cs, struct atw_conn *c)
{
	lockdep_assert_held(&c->lock);

	atw_conns_free_id(cs, c);
	c->id = ATW_NO_ID;
}

/**
 * atw_conns_near_named() - is a number one damaged byte away from one of ours?
 * @cs: the connections
 * @id: the number
 *
 * Ours are those that the driver gave to something that receives bytes.
 *
 * Context: @cs->lock is held.
 * Return: true if so.
 */
bool atw_conns_near_named(struct atw_conns *cs, u32 id)
{
	struct atw_conn *c;
	bool near = false;

	lockdep_assert_held(&cs->lock);

	/* Those that are few are all near each other. */
	if (!cs->ch->dialect->code_words)
		return false;
	list_for_each_entry(c, &cs->list, node) {
		spin_lock(&c->lock);
		near |= c->id != ATW_NO_ID && !atw_conn_is_child(c) && !atw_conn_is_listener(c) &&
			atw_conn_is_live(c) && !c->remote_closed && atw_id_near(c->id, id);
		spin_unlock(&c->lock);
	}
	return near;
}

/* Is this number one damaged byte away from a child's? */
static bool atw_conns_near_child(struct atw_conns *cs, u32 id)
{
	struct atw_conn *c;

	lockdep_assert_held(&cs->lock);

	if (!cs->ch->dialect->code_words)
		return false;
	list_for_each_entry(c, &cs->list, node)
		if (c->id != ATW_NO_ID && atw_conn_is_child(c) && atw_id_near(c->id, id))
			return true;
	return false;
}

/**
 * atw_conns_spare_numbers() - are there numbers for others beside that of a child?
 * @cs: the connections
 * @id: the child's number
 *
 * As long as it is there the driver gives none that is near it. Whoever connects to a server
 * chooses when: six of theirs could be near all that there are.
 *
 * Context: @cs->lock is held.
 * Return: false if it is near some that are free, and too few others are.
 */
bool atw_conns_spare_numbers(struct atw_conns *cs, u32 id)
{
	const struct atw_dialect *d = cs->ch->dialect;
	unsigned int spare = 0;
	bool near = false;
	u32 i;

	lockdep_assert_held(&cs->lock);

	if (!d->code_words)
		return true;
	for (i = d->first_id; i <= d->last_id; i++) {
		if (!atw_dialect_gives(d, i) || cs->ids.by_id[i] || atw_conns_near_child(cs, i))
			continue;
		if (atw_id_near(i, id))
			near = true;
		else
			spare++;
	}
	return !near || spare >= ATW_SPARE_NUMBERS;
}

/**
 * atw_conns_new_id() - an id for a new connection
 * @cs: the connections
 * @reused: out: it has been another one's just now; without an id: there is one in a moment
 *
 * In turn, so that what the module still says of a deleted one does not meet its
 * successor; where all of them have been others' just now, the one that has rested for
 * longest. A module that counts up gives such numbers to children, too: what it still
 * has, or may still speak of, is nobody else's.
 *
 * Context: @cs->lock is held.
 * Return: the id; ATW_NO_ID, all are in use, or must not be just now.
 */
u32 atw_conns_new_id(struct atw_conns *cs, bool *reused)
{
	const struct atw_dialect *d = cs->ch->dialect;
	u64 now = get_jiffies_64(), least = U64_MAX, rests;
	u32 id = cs->ids.next, best = ATW_NO_ID;
	u32 i;

	lockdep_assert_held(&cs->lock);

	*reused = false;
	for (i = d->first_id; i <= d->last_id; i++) {
		id = id < d->last_id ? id + 1 : d->first_id;
		if (!atw_dialect_gives(d, id) || cs->ids.by_id[id] ||
		    atw_conns_near_child(cs, id))
			continue;
		*reused = true;
		rests = *atw_conns_rest_end(cs, id);
		if (atw_conns_is_going(cs, id) || time_before64(now + atw_timing.rest, rests))
			continue;
		*reused = time_before64(now, rests);
		if (!*reused || rests < least) {
			least = rests;
			best = id;
		}
		if (!*reused)
			break;
	}
	if (best != ATW_NO_ID)
		cs->ids.next = best;
	return best;
}

/**
 * atw_conns_set_deleting() - a number is being deleted from now on
 * @cs: the connections
 * @id: the number, or ATW_NO_ID
 *
 * Of what was being deleted until then the module may yet speak, as of all that is gone.
 */
void atw_conns_set_deleting(struct atw_conns *cs, u32 id)
{
	spin_lock(&cs->lock);
	if (id == ATW_NO_ID && cs->ids.deleting != id && !atw_conns_find(cs, cs->ids.deleting))
		atw_conns_add_recent(cs, cs->ids.deleting);
	cs->ids.deleting = id;
	spin_unlock(&cs->lock);
}

/**
 * atw_conns_is_stale() - is it about to be deleted, as nothing of ours?
 * @cs: the connections
 * @id: its number
 *
 * Context: @cs->lock is held.
 * Return: true if so.
 */
bool atw_conns_is_stale(struct atw_conns *cs, u32 id)
{
	unsigned int i;

	lockdep_assert_held(&cs->lock);

	for (i = 0; i < cs->ids.nstale; i++)
		if (id >= cs->ids.stale[i].first && id <= cs->ids.stale[i].last)
			return true;
	return false;
}

/**
 * atw_conns_is_going() - is it about to be deleted, or being deleted?
 * @cs: the connections
 * @id: its number
 *
 * Context: @cs->lock is held.
 * Return: true if so.
 */
bool atw_conns_is_going(struct atw_conns *cs, u32 id)
{
	lockdep_assert_held(&cs->lock);

	return cs->ids.deleting == id || atw_conns_is_stale(cs, id);
}

/**
 * atw_conns_is_recent() - may the module still speak of this number?
 * @cs: the connections
 * @id: the number
 *
 * Not when it is one damaged byte away from that of a connection that the driver has made,
 * unless it is one that was announced and is about to be deleted. Children are all near each
 * other, and what damage makes of their numbers is not promised: who connects to a server is
 * not to end what others have by going on when he was disconnected.
 *
 * Return: true if so.
 */
bool atw_conns_is_recent(struct atw_conns *cs, u32 id)
{
	bool recent;

	spin_lock(&cs->lock);
	recent = atw_conns_is_going(cs, id) ||
		 (time_before64(get_jiffies_64(), *atw_conns_rest_end(cs, id)) &&
		  !atw_conns_near_named(cs, id));
	spin_unlock(&cs->lock);
	return recent;
}

/**
 * atw_conns_forget_recent() - the module speaks of none that are gone
 * @cs: the connections
 *
 * Context: @cs->lock is held.
 */
void atw_conns_forget_recent(struct atw_conns *cs)
{
	lockdep_assert_held(&cs->lock);

	memset(cs->ids.rests, 0, sizeof(cs->ids.rests));
}

/*
 * Is it the next of the last range? A module counts up, and remotes connect as often as they
 * like while its thread waits for something: what was let in between is no gap.
 */
static bool atw_conns_extend_stale(struct atw_conns *cs, u32 id)
{
	struct atw_id_range *r;
	u32 next;

	lockdep_assert_held(&cs->lock);

	if (!cs->ids.nstale)
		return false;
	r = &cs->ids.stale[cs->ids.nstale - 1];
	next = r->last;
	if (id < next)
		return false;
	do {
		next++;
	} while (next < id && atw_conns_find(cs, next));
	if (next == id)
		r->last = id;
	return next == id;
}

/**
 * atw_conns_add_stale() - have something deleted that the module has
 * @cs: the connections
 * @id: its number
 *
 * What its remote sends until then is nobody's, see atw_conns_is_going().
 */
void atw_conns_add_stale(struct atw_conns *cs, u32 id)
{
	bool known;

	spin_lock(&cs->lock);
	known = atw_conns_is_stale(cs, id) || atw_conns_extend_stale(cs, id);
	if (!known && cs->ids.nstale == ARRAY_SIZE(cs->ids.stale))
		atw_sched_set(cs->sched, ATW_DO_RECONCILE);	/* it is found again then */
	else if (!known)
		cs->ids.stale[cs->ids.nstale++] = (struct atw_id_range){ id, id };
	spin_unlock(&cs->lock);
	atw_sched_set(cs->sched, ATW_DO_STALE);
}

/**
 * atw_conns_next_stale() - the number of what is to be deleted next
 * @cs: the connections
 *
 * Context: @cs->lock is held.
 * Return: the number, which is that of what is being deleted then; or ATW_NO_ID.
 */
u32 atw_conns_next_stale(struct atw_conns *cs)
{
	struct atw_id_range *r;

	lockdep_assert_held(&cs->lock);

	if (!cs->ids.nstale)
		return ATW_NO_ID;
	/* From its beginning, so that the next to come is the next of it. */
	r = &cs->ids.stale[cs->ids.nstale - 1];
	cs->ids.deleting = r->first;
	if (r->first++ == r->last)
		cs->ids.nstale--;
	return cs->ids.deleting;
}
