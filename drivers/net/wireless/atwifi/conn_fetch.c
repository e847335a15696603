// SPDX-License-Identifier: GPL-2.0-only
/* The receive mode of the module, and fetching what waits in a passive one. */
#include <linux/jiffies.h>

#include "conn_priv.h"
#include "format.h"
#include "timing.h"

/* Bytes that were announced and not fetched yet; what is in doubt was fetched. */
static s64 atw_conn_unfetched(const struct atw_conn *c)
{
	s64 left = c->rx.announced;
	struct sk_buff *skb;

	lockdep_assert_held(&c->lock);

	skb_queue_walk(&c->rx.unverified, skb)
		if (ATW_UNVERIFIED_CB(skb)->answer)
			left -= skb->len;
	return left;
}

/* The module has nothing for @c. */
static void atw_conn_fetched(struct atw_conns *cs, struct atw_conn *c)
{
	lockdep_assert_held(&c->lock);

	if (atw_conn_unfetched(c) <= 0) {
		/* What is in doubt yet has it wait. */
		atw_conn_release_blocked(cs, c);
	} else if (!c->rx.empties++) {
		/* The announcement may have been printed before the answer. */
		c->rx.fetch = true;
	} else if (atw_conn_is_stream(c)) {
		/* It has dropped what it had announced. */
		atw_conn_reset(c, &cs->counts.damaged);
	} else {
		/* Datagrams may be lost; what they took of its memory is free. */
		atw_conn_forget_kept(cs, c);
	}
}

/*
 * Datagrams are lost, no more: what has been sent to a server does not end it. If the module
 * has lost that, too, it is opened again.
 */
static void atw_conn_not_fetched(struct atw_conns *cs, struct atw_conn *c)
{
	atw_conn_forget_kept(cs, c);
	atw_sched_set(cs->sched, ATW_DO_RECONCILE);
}

/**
 * atw_conns_fetch() - get what waits in a module in passive mode, one piece of it
 * @cs: the connections
 * @c: the connection
 *
 * The answer names the connection: it must be the one that was asked for.
 *
 * Context: the channel's thread.
 */
void atw_conns_fetch(struct atw_conns *cs, struct atw_conn *c)
{
	struct atw_cmd cmd = { .timeout = atw_timing.cmd };
	int err;
	u32 id;

	spin_lock(&c->lock);
	c->rx.fetch = false;
	id = c->id;
	spin_unlock(&c->lock);
	/* It has ended since it was chosen. */
	if (id == ATW_NO_ID)
		return;
	mutex_lock(&cs->ch->rx_lock);
	cs->rx.read_empty = false;
	cs->rx.read_data = false;
	cs->rx.reading = id;
	mutex_unlock(&cs->ch->rx_lock);
	atw_line_verb(&cmd.line, cs->ch->dialect, ATW_VERB_READ);
	atw_line_uint(&cmd.line, id);
	err = atw_channel_confirm(cs->ch, &cmd);
	atw_conns_command_failed(cs, err);

	mutex_lock(&cs->ch->rx_lock);
	spin_lock(&c->lock);
	/* As long as that is set an end that is told waits for us. */
	cs->rx.reading = ATW_NO_ID;
	if (!err && cs->rx.read_data)
		c->rx.fetch = true;
	else if (!err && cs->rx.read_empty)
		atw_conn_fetched(cs, c);
	else if (err == -EREMOTEIO && c->remote_closed && atw_conn_unfetched(c) <= 0)
		atw_conn_release_blocked(cs, c);	/* it is gone already */
	else if (err != -ENODEV && atw_conn_is_server(c))
		atw_conn_not_fetched(cs, c);
	else if (err != -ENODEV)
		atw_conn_end(c, -ECONNRESET, cmd.code);
	if (!c->rx.fetch && c->remote_closed)
		atw_conn_remote_end(cs, c);
	spin_unlock(&c->lock);
	mutex_unlock(&cs->ch->rx_lock);
}

/* The receive mode is, or is to be, another one. */
static void atw_conns_set_mode(struct atw_conns *cs, bool active, bool passive, bool changes)
{
	mutex_lock(&cs->ch->rx_lock);
	cs->mode.active = active;
	WRITE_ONCE(cs->mode.passive, passive);
	if (changes)
		cs->mode.since = jiffies;
	mutex_unlock(&cs->ch->rx_lock);
}

static int atw_conns_tell_mode(struct atw_conns *cs)
{
	bool passive = cs->mode.passive;
	enum atw_verb verb = passive ? ATW_VERB_PASSIVE : ATW_VERB_ACTIVE;
	int err = atw_channel_ask(cs->ch, verb, atw_timing.cmd, NULL, NULL);
	bool active = !err && !passive;

	atw_conns_set_mode(cs, active, passive, active != cs->mode.active);
	/* As long as it is not certain an announcement is believed, see atw_conns_is_header(). */
	if (err == -EPROTO)
		atw_sched_set(cs->sched, ATW_DO_RECV_MODE);
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
		atw_conns_set_mode(cs, false, cs->mode.passive, false);
		return 0;
	}
	err = atw_conns_tell_mode(cs);
	return atw_cmd_refused(err) ? 0 : err;
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
	bool was = cs->mode.passive;
	int err;

	/* What is on its way is not taken for a module that forgot its mode. */
	atw_conns_set_mode(cs, cs->mode.active, passive, passive);
	err = atw_conns_tell_mode(cs);
	if (!err)
		return 0;
	if (atw_cmd_refused(err)) {
		atw_conns_set_mode(cs, cs->mode.active, was, false);
		return -EOPNOTSUPP;
	}
	atw_conns_command_failed(cs, err);
	return err;
}
