// SPDX-License-Identifier: GPL-2.0-only
/* A connection is given transparent mode, or it is taken from it. */
#include <linux/jiffies.h>

#include "conn_priv.h"
#include "timing.h"

/* Is there something beside this connection and its server, and all that about to go? */
static bool atw_conns_closing(struct atw_conns *cs, const struct atw_conn *but)
{
	unsigned int going, others;
	struct atw_conn *c;

	spin_lock(&cs->lock);
	others = cs->ids.nstale;
	going = others;
	list_for_each_entry(c, &cs->list, node) {
		if (c == but || c == but->child.server)
			continue;
		others++;
		spin_lock(&c->lock);
		going += !atw_conn_is_usable(c) || atw_conn_finished(c);
		spin_unlock(&c->lock);
	}
	spin_unlock(&cs->lock);
	return others && others == going;
}

/* Can a connection of this kind have the mode so? */
static int atw_tt_suits(const struct atw_conn *c, u8 how)
{
	u8 may = ATW_TT_ON;

	switch (c->type) {
	case ATW_TYPE_TCP_CLIENT:
	case ATW_TYPE_SSL_CLIENT:
		break;
	case ATW_TYPE_UDP_SERVER:
		may |= ATW_TT_LAST_PEER;
		fallthrough;
	case ATW_TYPE_UDP_CLIENT:
		may |= ATW_TT_NO_BOUNDARIES;
		break;
	case ATW_TYPE_TCP_CHILD:
	case ATW_TYPE_SSL_CHILD:
		if (!(how & ATW_TT_FRAGILE))
			return -EOPNOTSUPP;
		may |= ATW_TT_FRAGILE;
		break;
	default:
		return -EOPNOTSUPP;
	}
	return how & ~may ? -EINVAL : 0;
}

/*
 * Does the module say at all that it has accepted something? Some builds do not. Nor is a client
 * noticed, by a look once a second, that is connected anew at once.
 */
static bool atw_tt_is_told(struct atw_conns *cs, const struct atw_conn *c)
{
	bool told;

	mutex_lock(&cs->ch->rx_lock);
	told = atw_conn_is_child(c) ? cs->learned.children_told : !cs->learned.anew_soon;
	mutex_unlock(&cs->ch->rx_lock);
	return told;
}

/* May a connection have the mode now? Nothing is left by one that may not. */
static int atw_tt_may_have(struct atw_conns *cs, struct atw_conn *c, u8 how)
{
	struct atw_tt *tt = &cs->tt;
	int err;

	err = atw_tt_suits(c, how);
	if (err)
		return err;
	if (cs->mode.passive || (atw_conn_is_stream(c) && !atw_tt_is_told(cs, c)))
		return -EOPNOTSUPP;
	if (tt->conn && tt->conn != c && atw_conn_is_open(tt->conn))
		return -EBUSY;
	err = atw_tt_is_fit(c);
	if (err == -ENOTCONN)
		return err;
	if (!atw_tt_is_alone(cs, c))
		return atw_conns_closing(cs, c) ? -EINPROGRESS : -EBUSY;
	return err ? -EINPROGRESS : 0;
}

/*
 * It has the mode from now on, unless that cannot be entered. What was queued when there
 * was another way for it goes that way before.
 */
static int atw_tt_claim(struct atw_conns *cs, struct atw_conn *c, u8 how)
{
	struct atw_tt *tt = &cs->tt;
	bool later;

	if (tt->conn == c && c->transparent == how)
		return 0;
	spin_lock(&c->lock);
	later = how & ATW_TT_LAST_PEER && !atw_conn_is_raw_only(c) && c->tx.queued;
	spin_unlock(&c->lock);
	if (later)
		return -EINPROGRESS;
	atw_tt_drop(cs);
	spin_lock(&c->lock);
	/* Somebody may have sent since then. */
	later = how & ATW_TT_LAST_PEER && c->tx.queued;
	if (!later) {
		c->transparent = how;
		c->tx.no_way = false;
	}
	spin_unlock(&c->lock);
	if (later)
		return -EINPROGRESS;
	refcount_inc(&c->ref);
	mutex_lock(&cs->ch->rx_lock);
	tt->conn = c;
	tt->lost = false;
	tt->unproved = 0;
	tt->proof = 0;
	tt->enter_after = 0;
	tt->unchecked = false;
	tt->doubt = false;
	mutex_unlock(&cs->ch->rx_lock);
	return 0;
}

/**
 * atw_tt_set() - give transparent mode to a connection, or take it
 * @cs: the connections
 * @c: the connection
 * @how: bits of ATW_TT_*; 0: take it
 *
 * Context: the channel's thread, in command mode.
 * Return: 0; -EINPROGRESS, something is on its way, or is to be deleted, first, and this
 * is to be called again when others had their turn; -EOPNOTSUPP, the connection is of a
 * kind that the module or the driver does not do it for, or the receive mode is passive;
 * -EINVAL, it cannot have it so; -EBUSY, there are other connections or servers;
 * -ENOTCONN; -ENOMEM; or as atw_channel_exec().
 */
int atw_tt_set(struct atw_conns *cs, struct atw_conn *c, u8 how)
{
	struct atw_tt *tt = &cs->tt;
	int err;

	atw_tt_do_end(cs);
	if (!how) {
		/* It may have got no answer when the mode was left. */
		if (tt->conn == c && tt->unchecked && !atw_tt_check(cs))
			atw_tt_do_end(cs);
		if (tt->conn == c)
			atw_tt_drop(cs);
		spin_lock(&c->lock);
		c->tx.no_way = false;
		err = c->err;
		spin_unlock(&c->lock);
		return err;
	}
	err = atw_tt_may_have(cs, c, how);
	if (!err)
		err = atw_tt_claim(cs, c, how);
	if (err)
		return err;
	err = atw_tt_do_enter(cs);
	if (err && tt->conn == c && !tt->lost)
		atw_tt_drop(cs);
	return err;
}
