// SPDX-License-Identifier: GPL-2.0-only
/*
 * The states of a connection, and what leads from one to another.
 *
 *	                 AGAIN
 *	    ,------------<----------------<-----------.
 *	    |                    |                    |
 *	    v      ASKED         |       OPENED       |       YIELD
 *	 WAITING ----------> OPENING -------------> OPEN ----------> YIELDING
 *	    |  |                 |                   ^ |                 |
 *	    |  |       UNWANTED  |     ACCEPTED      | |  END            |  END
 *	    |  `-----------------|-------------------' |                 |
 *	    |  END               v                     v                 v
 *	    |                 CLOSING <----------------<-----------------'
 *	    |                    |
 *	    v        GONE        v
 *	  DEAD <-----------------'	and GONE leads there from everywhere
 *
 * A connection is made in WAITING; of an accepted one the module has told, so that it
 * leaves that state before anybody sees it. An end is one: nothing leads from CLOSING or
 * DEAD to a state in which it carries bytes, for its owner was told. What ends while its
 * connect runs stays in OPENING until the module has answered: until then it cannot be
 * deleted there.
 *
 * A server that was open goes back to WAITING when the module has lost it.
 */
#include "conn_priv.h"

/*
 * Where an event leads. One that comes in a state in which there is nothing to it leads
 * nowhere: several contexts speak of a connection at the same time, and whoever is late
 * has no say.
 */
static enum atw_conn_state atw_conn_next(enum atw_conn_state state, enum atw_conn_ev ev)
{
	switch (ev) {
	case ATW_CONN_EV_ASKED:
		return state == ATW_CONN_WAITING ? ATW_CONN_OPENING : state;
	case ATW_CONN_EV_OPENED:
		return state == ATW_CONN_OPENING ? ATW_CONN_OPEN : state;
	case ATW_CONN_EV_ACCEPTED:
		return state == ATW_CONN_WAITING ? ATW_CONN_OPEN : state;
	case ATW_CONN_EV_UNWANTED:
		return state == ATW_CONN_OPENING ? ATW_CONN_CLOSING : state;
	case ATW_CONN_EV_AGAIN:
		return atw_conn_state_is_usable(state) ? ATW_CONN_WAITING : state;
	case ATW_CONN_EV_YIELD:
		return state == ATW_CONN_OPEN ? ATW_CONN_YIELDING : state;
	case ATW_CONN_EV_END:
		if (state == ATW_CONN_WAITING)
			return ATW_CONN_DEAD;
		return state == ATW_CONN_OPEN || state == ATW_CONN_YIELDING ? ATW_CONN_CLOSING :
									     state;
	case ATW_CONN_EV_GONE:
		return ATW_CONN_DEAD;
	default:
		return state;
	}
}

/**
 * atw_conn_kick() - have the channel's thread look at a connection
 * @c: the connection, whose lock is held
 *
 * One that has left the table has nobody to look at it: its device may be gone.
 *
 * Context: any.
 */
void atw_conn_kick(struct atw_conn *c)
{
	lockdep_assert_held(&c->lock);

	if (c->conns)
		atw_sched_set(c->conns->sched, ATW_DO_CONNS);
}

/**
 * atw_conn_event() - something has happened that changes a connection's state
 * @c: the connection
 * @ev: what
 *
 * The only way for a state to change. Owners are told by those who call this.
 *
 * Context: @c->lock is held.
 * Return: false if it leads nowhere from the state that the connection has.
 */
bool atw_conn_event(struct atw_conn *c, enum atw_conn_ev ev)
{
	enum atw_conn_state next = atw_conn_next(c->state, ev);
	bool changes;

	lockdep_assert_held(&c->lock);

	changes = next != c->state;
	if (changes)
		WRITE_ONCE(c->state, next);
	if (ev == ATW_CONN_EV_AGAIN)
		c->serve.life++;
	atw_conn_kick(c);
	return changes;
}
