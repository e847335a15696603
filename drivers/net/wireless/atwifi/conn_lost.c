// SPDX-License-Identifier: GPL-2.0-only
/* The module, its network or the device is lost, and connections end by that. */
#include <linux/skbuff.h>

#include "conn_priv.h"

/*
 * The module has lost everything: servers wait to be opened again; who waited to be
 * accepted is gone.
 */
static void atw_conns_keep_servers(struct atw_conns *cs)
{
	struct atw_conn *c;

	spin_lock(&cs->lock);
	list_for_each_entry(c, &cs->list, node) {
		if (!c->serve.lasting)
			continue;
		atw_conn_drop_children(c);
		spin_lock(&c->lock);
		/* What has ended stays so: its owner was told. */
		if (c->owner && atw_conn_is_live(c))
			atw_conns_lose_server(cs, c);
		spin_unlock(&c->lock);
	}
	spin_unlock(&cs->lock);
}

/**
 * atw_conns_fail_all() - end and forget every connection, by -ECONNRESET
 * @cs: the connections, which the module no longer has
 *
 * Context: the channel's thread.
 */
void atw_conns_fail_all(struct atw_conns *cs)
{
	struct atw_conn *c, *next;
	LIST_HEAD(dead);

	atw_conns_keep_servers(cs);
	atw_conns_end_several(cs, -ECONNRESET, ATW_END_ALL);
	atw_tt_forget(cs);
	mutex_lock(&cs->ch->rx_lock);
	spin_lock(&cs->lock);
	list_for_each_entry_safe(c, next, &cs->list, node) {
		spin_lock(&c->lock);
		/* One that came since then waits for the module. */
		if (!atw_conn_is_waiting(c)) {
			atw_conns_unlink(cs, c);
			list_add(&c->node, &dead);
		}
		spin_unlock(&c->lock);
	}
	cs->ids.nstale = 0;
	cs->audit.nunknown = 0;
	memset(&cs->learned, 0, sizeof(cs->learned));
	atw_conns_forget_recent(cs);
	atw_conns_forget_silence(cs);
	spin_unlock(&cs->lock);
	mutex_unlock(&cs->ch->rx_lock);
	atw_conns_put_list(&dead);
}

/**
 * atw_conns_gone() - the device goes away: end everything with -ENODEV
 * @cs: the connections; the channel is stopped
 *
 * Context: process context.
 */
void atw_conns_gone(struct atw_conns *cs)
{
	struct atw_conn *c;

	atw_conns_drop_payload(cs);
	spin_lock(&cs->lock);
	cs->gone = true;
	while (!list_empty(&cs->list)) {
		c = list_first_entry(&cs->list, struct atw_conn, node);
		spin_lock(&c->lock);
		c->tx.sending = false;
		atw_conn_end(c, -ENODEV, 0);
		c->err = c->err ?: -ENODEV;
		atw_conns_unlink(cs, c);
		spin_unlock(&c->lock);
		spin_unlock(&cs->lock);
		atw_conn_put(c);
		spin_lock(&cs->lock);
	}
	spin_unlock(&cs->lock);
	/* What had the mode has ended by now. */
	atw_tt_forget(cs);
}

/**
 * atw_conns_note_link() - whether connections may be opened
 * @cs: the connections; where there is no link, all are about to end
 * @up: joined, with an address
 *
 * Context: process context.
 */
void atw_conns_note_link(struct atw_conns *cs, bool up)
{
	spin_lock(&cs->lock);
	if (!up || !cs->link_up)
		atw_conns_forget_silence(cs);
	WRITE_ONCE(cs->link_up, up);
	spin_unlock(&cs->lock);
}

/**
 * atw_conns_set_link() - the Wi-Fi link came or went
 * @cs: the connections
 * @up: joined, with an address
 *
 * Without a link the module would connect lost streams again by itself, and
 * what was on the way is lost: they end here. So does what waits to be opened, each
 * time that this is told: it would wait for as long as there is no network.
 *
 * Context: any process context.
 */
void atw_conns_set_link(struct atw_conns *cs, bool up)
{
	/* Before anything is ended: what comes after that is not opened. */
	atw_conns_note_link(cs, up);
	if (!up)
		atw_conns_end_several(cs, -ENETDOWN, ATW_END_LINK);
	atw_sched_set(cs->sched, ATW_DO_CONNS);
}
