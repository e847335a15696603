// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module as a whole.
 *
 * Bring-up and recovery are one path, and it assumes nothing: the module may
 * be off, at another rate, in the middle of a payload that a former host
 * announced, in transparent mode, busy with a connect, or just starting. All of
 * it runs in the channel's thread; boot never waits for it.
 */
#include <linux/device.h>
#include <linux/etherdevice.h>
#include <linux/jiffies.h>
#include <linux/string.h>

#include "firmware.h"
#include "timing.h"
#include "uart.h"

/* One that restarts is set up anew so often without a pause. */
#define ATW_MODULE_TRIES	3

static void atw_module_set_echo(struct atw_module *m, bool off)
{
	mutex_lock(&m->ch.rx_lock);
	m->echo_off = off;
	mutex_unlock(&m->ch.rx_lock);
}

static void atw_module_set_state(struct atw_module *m, enum atw_module_state state)
{
	WRITE_ONCE(m->state, state);
}

static void atw_module_set_lease(struct atw_module *m, const struct atw_lease *lease)
{
	write_seqlock_bh(&m->lease_lock);
	m->lease = *lease;
	write_sequnlock_bh(&m->lease_lock);
}

/**
 * atw_module_lease() - how the module's network is to be used
 * @m: the module
 *
 * Context: any but hard interrupts.
 * Return: all of it, as it was told at one time.
 */
struct atw_lease atw_module_lease(const struct atw_module *m)
{
	struct atw_lease lease;
	unsigned int seq;

	do {
		seq = read_seqbegin(&m->lease_lock);
		lease = m->lease;
	} while (read_seqretry(&m->lease_lock, seq));
	return lease;
}

static struct atw_module *atw_conns_module(struct atw_conns *cs)
{
	return container_of(cs, struct atw_module, conns);
}

/* The module's words for everybody to print: in the log, in files, on terminals. */
static void atw_module_set_text(char text[ATW_VERSION_MAX], const char *said)
{
	char clean[ATW_VERSION_MAX];
	size_t i;

	strscpy(clean, said, sizeof(clean));
	for (i = 0; clean[i]; i++)
		if (clean[i] < ' ' || clean[i] >= 0x7f)
			clean[i] = '?';
	strscpy(text, clean, ATW_VERSION_MAX);
}

static bool atw_module_version_row(struct atw_cmd *cmd, const char *text)
{
	struct atw_module *m = cmd->priv;
	char *const version[] = { m->at_version, m->sdk_version, m->firmware };
	unsigned int i;
	size_t n;

	for (i = 0; i < ARRAY_SIZE(version); i++) {
		n = str_has_prefix(text, m->ch.dialect->version[i]);
		if (n)
			atw_module_set_text(version[i], text + n);
	}
	/* It is asked when there are no connections: whatever else some firmware
	 * says of itself, it is no piece of a payload.
	 */
	return true;
}

static int atw_module_identify(struct atw_module *m)
{
	const struct atw_firmware *fw;
	char before[ATW_VERSION_MAX];
	bool same;
	int err;

	strscpy(before, m->firmware, sizeof(before));
	m->firmware[0] = '\0';
	m->at_version[0] = '\0';
	m->sdk_version[0] = '\0';
	err = atw_channel_ask(&m->ch, ATW_VERB_VERSIONS, atw_timing.cmd, atw_module_version_row, m);
	fw = m->ch.dialect->firmware(m->at_version, m->firmware);
	same = !strcmp(before, m->firmware);
	atw_conns_set_firmware(&m->conns, fw, same);
	m->conns.proved.may_not_serve = atw_firmware_is_on(fw->servers_doubted_on,
							   m->sdk_version);
	if (atw_firmware_tears(fw, m->at_version))
		atw_channel_set_tears(&m->ch, true);
	else if (m->firmware[0] && !same)
		atw_channel_set_tears(&m->ch, false);
	return atw_cmd_refused(err) ? 0 : err;
}

/**
 * struct atw_link_query - the question for the network
 * @m: the module
 * @link: its answer
 */
struct atw_link_query {
	struct atw_module	*m;
	struct atw_link		*link;
};

static bool atw_module_link_row(struct atw_cmd *cmd, const char *text)
{
	struct atw_link_query *q = cmd->priv;
	struct atw_channel *ch = &q->m->ch;
	bool row;

	q->link->name = ch->parser.name;
	row = ch->dialect->link_row(q->link, text);
	/* A last line of a name that tells of another module may be a remote's words. */
	if (ch->parser.name && q->link->whole && is_valid_ether_addr(q->m->mac) &&
	    !ether_addr_equal(q->m->mac, q->link->st.mac))
		row = false;
	WRITE_ONCE(ch->parser.name, q->link->name);
	return row;
}

/* All of the answer comes at once: where a name has no last line it is waited for no longer. */
static int atw_module_ask_link_once(struct atw_module *m, struct atw_link *link)
{
	struct atw_link_query q = { .m = m, .link = link };
	struct atw_cmd cmd = {
		.timeout = atw_timing.cmd,
		.row = atw_module_link_row,
		.priv = &q,
		.lost = &link->cut,
	};
	int err;

	memset(link, 0, sizeof(*link));
	atw_line_verb(&cmd.line, m->ch.dialect, ATW_VERB_LINK);
	err = atw_channel_confirm(&m->ch, &cmd);
	/* As if it did not know the question. */
	if (err == -EREMOTEIO && m->ch.dialect->error(cmd.code)->outcome == ATW_UNSUPPORTED)
		err = -EOPNOTSUPP;
	/* The password is behind the name. */
	atw_channel_wipe(&m->ch);
	/* What was taken for a name may have been anything. */
	if (link->rows && !link->whole && !link->bare && link->room >= 0 && err == -ETIMEDOUT)
		atw_channel_rx_error(&m->ch);
	return err;
}

/* Has it another address than before? All streams are lost by that, and it is a few digits. */
static bool atw_module_has_moved(const struct atw_module *m, const struct atw_link *link)
{
	return m->state == ATW_MODULE_JOINED && m->lease.addr && link->st.addr &&
	       m->lease.addr != link->st.addr;
}

/* Has it joined, and no address by its answer? */
static bool atw_module_has_none(const struct atw_link *link)
{
	return link->whole && link->st.status == ATW_WIFI_JOINED && !link->st.addr;
}

/* Bytes may have been lost or garbled: is it the module's own hardware address? */
static bool atw_module_doubts_link(struct atw_module *m, const struct atw_link *link)
{
	if (!link->whole)
		return link->cut;
	if (atw_module_has_moved(m, link) ||
	    (m->state == ATW_MODULE_JOINED && atw_module_has_none(link)))
		return true;
	return link->st.has_mac && is_valid_ether_addr(m->mac) &&
	       !ether_addr_equal(m->mac, link->st.mac);
}

/* What is in doubt is asked for once more, and what is said twice is believed. */
static int atw_module_ask_link(struct atw_module *m, struct atw_link *link)
{
	int err, tries = 0;

	atw_conns_note_asking(&m->conns, true);
	do {
		err = atw_module_ask_link_once(m, link);
	} while (err != -ENODEV && err != -ECONNRESET && atw_module_doubts_link(m, link) &&
		 !tries++);
	atw_conns_note_asking(&m->conns, false);
	if (err == -ENODEV || err == -ECONNRESET)
		return err;
	if (atw_module_has_none(link))
		link->st.status = ATW_WIFI_NO_ADDRESS;
	/* Where it has not joined, there is nothing to be known. */
	if (link->cut && (link->whole || link->st.status == ATW_WIFI_JOINED) && !m->name_told) {
		if (link->whole)
			dev_warn(m->dev, "the network's name has ends of lines in it: rename it\n");
		else
			dev_warn(m->dev, "what the module says of its network is not understood\n");
		m->name_told = true;
	}
	atw_lease_check(&link->st);
	return link->cut && !link->whole ? 0 : err;
}

/* Has it joined a network, by the answer to that? @err: what has become of the question. */
static bool atw_module_is_up(const struct atw_link *link, int err)
{
	/* Firmware that cannot be asked is taken to be joined: the first connect will tell. */
	return err == -EOPNOTSUPP ||
	       (!err && (link->whole || link->cut) && link->st.status == ATW_WIFI_JOINED);
}

/**
 * atw_module_query_link() - ask for the state of the Wi-Fi link and tell who must know
 * @m: the module
 *
 * Context: the channel's thread.
 * Return: 0, or what atw_channel_exec() returns where that is no answer.
 */
int atw_module_query_link(struct atw_module *m)
{
	struct atw_wifi_status st;
	struct atw_lease lease;
	struct atw_link link;
	bool up, anew, moved;
	int err;

	/* Who sees that there is nothing to be asked sees that it is being asked. */
	atw_conns_note_asking(&m->conns, true);
	atw_sched_clear(&m->sched, ATW_DO_LINK);
	/* An event can be lost on the line, and not every restart is told. */
	atw_sched_at(&m->sched, ATW_DO_LINK, jiffies + atw_timing.link_down);
	err = atw_module_ask_link(m, &link);
	if (err && !atw_cmd_refused(err))
		return err;
	st = link.st;
	m->status = st.status;
	up = atw_module_is_up(&link, err);
	/* No more of an answer can be read than how the link is, and it was asked twice. */
	m->unread = err == -EOPNOTSUPP || (!err && link.cut && !link.whole);
	/* What cannot be read tells of nothing new. */
	if (up && !link.whole && m->state == ATW_MODULE_JOINED) {
		st.addr = m->lease.addr;
		st.gateway = m->lease.gateway;
		link.net = m->net;
	}
	/* An event that came meanwhile is newer than the answer. */
	if (atw_sched_is_set(&m->sched, ATW_DO_LINK))
		return 0;

	/* It may have joined another network since it was asked, or the same again. */
	anew = up && (m->state != ATW_MODULE_JOINED || m->lease.addr != st.addr ||
		      memcmp(m->net.bssid, link.net.bssid, sizeof(m->net.bssid)));
	/* It says no more of the old address, or that its remotes have closed. */
	if (up && atw_module_has_moved(m, &link))
		atw_conns_end_several(&m->conns, -ENETDOWN, ATW_END_STREAMS);
	lease = m->lease;
	lease.addr = up ? st.addr : 0;
	lease.gateway = st.gateway;
	m->net = link.net;
	atw_join_look(m, up);
	if (st.has_mac)
		memcpy(m->mac, st.mac, sizeof(m->mac));
	if (anew)
		atw_lease_query(m, &lease);
	moved = memcmp(&m->lease, &lease, sizeof(lease));
	atw_module_set_lease(m, &lease);
	if (up && m->state != ATW_MODULE_JOINED) {
		dev_info_ratelimited(m->dev, "joined, address %pI4h\n", &st.addr);
		atw_conns_set_link(&m->conns, true);
		atw_module_set_state(m, ATW_MODULE_JOINED);
		m->ops->event(m, ATWIFI_EVENT_LINK_UP);
	} else if (up) {
		/* It may have been away for less time than it takes to ask. */
		if (!atw_conns_has_link(&m->conns))
			atw_conns_set_link(&m->conns, true);
		if (moved)
			m->ops->event(m, ATWIFI_EVENT_ADDRESS);
	} else {
		if (m->state == ATW_MODULE_JOINED) {
			dev_info_ratelimited(m->dev, "the Wi-Fi link is lost\n");
			m->ops->event(m, ATWIFI_EVENT_LINK_DOWN);
		}
		atw_module_set_state(m, ATW_MODULE_DOWN);
		atw_conns_set_link(&m->conns, false);
	}
	/* Not every restart is told. */
	if (up && atw_conns_are_there(&m->conns))
		atw_sched_set(&m->sched, ATW_DO_RECONCILE);
	if (up || (link.cut && !link.whole))
		atw_sched_at(&m->sched, ATW_DO_LINK, jiffies + atw_timing.link_up);
	m->ops->changed(m);
	return 0;
}

static bool atw_module_autott_row(struct atw_cmd *cmd, const char *text)
{
	return atw_parse_autott(text, cmd->priv);
}

/**
 * atw_module_set_autott() - does it enter transparent mode by itself?
 * @m: the module
 * @autott: whether
 *
 * Context: the channel's thread.
 */
void atw_module_set_autott(struct atw_module *m, enum atw_autott_state autott)
{
	mutex_lock(&m->ch.rx_lock);
	m->autott = autott;
	mutex_unlock(&m->ch.rx_lock);
}

/*
 * Does it enter transparent mode by itself when it has joined? Then it may be in that already,
 * and a remote may have answered: it is taken out of it before anything else. It is not
 * told where to join either, whose password may be written just when it enters the mode.
 */
static int atw_module_ask_autott(struct atw_module *m)
{
	struct atw_autott tt = { 0 };
	int err;

	err = atw_channel_ask(&m->ch, ATW_VERB_GET_AUTOTT, atw_timing.cmd,
			      atw_module_autott_row, &tt);
	if (err && !atw_cmd_refused(err))
		return err;
	if (!tt.type || m->autott != ATW_AUTOTT_NONE) {
		if (!tt.type)
			atw_module_set_autott(m, ATW_AUTOTT_NONE);
		return 0;
	}
	atw_module_set_autott(m, ATW_AUTOTT_STORED);
	dev_warn(m->dev, "the module enters transparent mode by itself, see atwctl autott\n");
	return -ECONNRESET;
}

/*
 * It was asked AT until it answered: what else it has to say of that may come behind a payload
 * of a connection of its former life, and is not to be taken for what it is asked from here on.
 */
static int atw_module_settle(struct atw_module *m)
{
	return m->ch.dialect->framed ? atw_channel_settle(&m->ch) : 0;
}

static int atw_module_setup(struct atw_module *m)
{
	const struct atw_setup *setup = m->ch.dialect->setup;
	bool was_found = atomic64_read(&m->bringups);
	int err;

	err = atw_uart_find(m) ?: atw_module_settle(m) ?: atw_module_ask_autott(m);
	if (err)
		return err;
	/* That it has started is why we are here. If it starts again from here
	 * on, the next command tells.
	 */
	atw_sched_clear(&m->sched, ATW_DO_RESTARTED);
	for (; setup->line; setup++) {
		err = atw_channel_run(&m->ch, setup->line, atw_timing.cmd);
		if (err && !atw_cmd_refused(err))
			return err;
		if (setup->echo_off)
			atw_module_set_echo(m, !err);
	}
	if (m->conns.tt.spoiled) {
		m->conns.tt.spoiled = false;
		atw_channel_ask(&m->ch, ATW_VERB_RESET, atw_timing.cmd, NULL, NULL);
		return -ECONNRESET;
	}
	err = atw_module_identify(m);
	if (err)
		return err;
	err = atw_uart_raise(m);
	if (!err)
		err = atw_uart_flow(m);
	if (err)
		return err;
	atw_conns_set_rate(&m->conns, m->wire_baud);
	err = atw_conns_set_active(&m->conns);
	if (err)
		return err;
	err = atw_conns_delete_old(&m->conns);
	if (err == -EBUSY) {
		dev_warn_ratelimited(m->dev, "old sockets cannot be deleted, restarting the module\n");
		atw_channel_ask(&m->ch, ATW_VERB_RESET, atw_timing.cmd, NULL, NULL);
		return -ECONNRESET;
	}
	if (err)
		return err;
	/* The network device gets it when it is made, joined or not. */
	if (!is_valid_ether_addr(m->mac))
		atw_lease_query_mac(m);
	if (!was_found)
		dev_info(m->dev, "module found, firmware %s, %u baud\n",
			 m->firmware[0] ? m->firmware : "unknown", m->baud);
	atw_module_set_state(m, ATW_MODULE_DOWN);
	atw_join_out(m);
	m->ops->event(m, ATWIFI_EVENT_FOUND);
	return atw_module_query_link(m);
}

/* Nothing is to be expected of it: only what lasts is left, until it is brought up. */
static void atw_module_lose(struct atw_module *m, enum atw_module_state state)
{
	bool found = m->state == ATW_MODULE_DOWN || m->state == ATW_MODULE_JOINED;
	struct atw_lease lease = m->lease;

	if (found && time_after64(get_jiffies_64(), m->up_since + atw_timing.steady)) {
		m->brief = 0;
		m->warned = false;
	}
	if (m->state == ATW_MODULE_JOINED)
		m->ops->event(m, ATWIFI_EVENT_LINK_DOWN);
	atw_module_set_state(m, state);
	/* It has no address, whatever else is remembered of its network. */
	lease.addr = 0;
	atw_module_set_lease(m, &lease);
	memset(&m->net, 0, sizeof(m->net));
	/* It may have started again. */
	if (m->autott == ATW_AUTOTT_OVER)
		atw_module_set_autott(m, ATW_AUTOTT_STORED);
	atw_module_set_echo(m, false);
	m->ops->changed(m);
	atw_requests_refuse(&m->requests, -ENETDOWN);
	atw_conns_note_link(&m->conns, false);
	atw_conns_fail_all(&m->conns);
}

/* How long to leave it alone after something has failed so often before. */
static unsigned long atw_module_pause(unsigned int n)
{
	return min_t(unsigned long, atw_timing.retry_max, atw_timing.retry_min << min(n, 5U));
}

static void atw_module_warn_restless(struct atw_module *m)
{
	if (!m->warned)
		dev_warn(m->dev,
			 "the module restarts again and again: check its supply; trying again\n");
	m->warned = true;
}

/*
 * Begin at the beginning. Nothing is left of the receive path that has seen another state,
 * and would have something done for what was before.
 */
static void atw_module_begin(struct atw_module *m)
{
	static const enum atw_todo former[] = {
		ATW_DO_RESTARTED, ATW_DO_RESET, ATW_DO_BRING_UP, ATW_DO_SYNC, ATW_DO_BOOT,
		ATW_DO_JOIN, ATW_DO_RECONCILE,
	};
	unsigned int i;

	atw_channel_restart(&m->ch);
	for (i = 0; i < ARRAY_SIZE(former); i++)
		atw_sched_clear(&m->sched, former[i]);
	mutex_lock(&m->ch.rx_lock);
	m->conns.audit.boot = ATW_BOOT_NO;
	if (m->raw)
		m->autott = ATW_AUTOTT_OVER;
	m->raw = false;
	mutex_unlock(&m->ch.rx_lock);
	m->conns.audit.boot_asked = ATW_BOOT_NO;
	/* It is looked for, at other rates too: what it prints takes who knows how long. */
	atw_conns_set_rate(&m->conns, 0);
	atw_module_set_echo(m, false);
}

static bool atw_module_do_bring_up(struct atw_conns *cs)
{
	struct atw_module *m = atw_conns_module(cs);
	int tries, err;

	atw_module_lose(m, ATW_MODULE_PROBING);
	for (tries = 0; tries < ATW_MODULE_TRIES; tries++) {
		atw_module_begin(m);
		/* A module that is starting is left to its banner. */
		err = atw_channel_idle(&m->ch, HZ / 10, atw_timing.boot);
		if (err == -ENODEV)
			break;
		atw_channel_restart(&m->ch);
		err = atw_module_setup(m);
		/* It started again under our hands: once more. */
		if (err != -ECONNRESET)
			break;
	}
	atw_sched_clear(&m->sched, ATW_DO_RESET);
	if (err == -ENODEV) {
		/* Unless it is only the UART that says so, nobody will look then. */
		atw_sched_at(&m->sched, ATW_DO_BRING_UP, jiffies + atw_timing.retry_max);
		return true;
	}
	if (!err) {
		/* Who sees that sees its address, too. Pairs with atw_netdev_work(). */
		atomic64_inc_return_release(&m->bringups);
		m->up_since = get_jiffies_64();
		m->failures = 0;
		m->restless = false;
		if (!m->brief)
			m->warned = false;
		atw_channel_found(&m->ch);
		atw_requests_refuse(&m->requests, 0);
		m->ops->changed(m);
		return true;
	}

	atw_module_set_state(m, ATW_MODULE_PROBING);
	atw_sched_at(&m->sched, ATW_DO_BRING_UP, jiffies + atw_module_pause(m->failures));
	m->restless = err == -ECONNRESET;
	if (!m->failures++) {
		if (err == -ECONNRESET)
			atw_module_warn_restless(m);
		else
			dev_warn(m->dev,
				 "no answer from the module at any usual rate (%d): check power, wiring and that nothing else uses the port; trying again\n",
				 err);
		m->ops->event(m, ATWIFI_EVENT_LOST);
	}
	return true;
}

/* Is anybody there? */
static int atw_module_try(struct atw_module *m, unsigned long patience)
{
	int tries = patience / HZ;
	int err = -ETIMEDOUT;

	/* If it waits for bytes of a payload they are never to come. */
	if (m->ch.owed)
		return -ETIMEDOUT;
	while (tries-- && (err == -ETIMEDOUT || err == -EPROTO)) {
		err = atw_channel_run(&m->ch, "AT", HZ);
		if (err == -ETIMEDOUT)
			atw_channel_unstick(&m->ch);
		/* It may be a remote who has answered: what follows tells. */
		if (err == -EPROTO && atw_channel_is_unsettled(&m->ch))
			err = 0;
	}
	if (err && !atw_cmd_refused(err))
		return err;
	/* It has answered AT, but that may have been the answer to something else. */
	return atw_channel_settle(&m->ch);
}

/* An answer stayed away: is anybody there, and what is left? */
static void atw_module_sync(struct atw_module *m, unsigned long patience)
{
	int err;

	atw_sched_clear(&m->sched, ATW_DO_SYNC);
	atw_conns_end_doubtful(&m->conns);
	/* No end is believed before it is known. */
	atw_conns_note_asking(&m->conns, true);
	err = atw_module_try(m, patience);
	atw_sched_set(&m->sched, err ? ATW_DO_RESET : ATW_DO_RECONCILE);
	atw_conns_note_asking(&m->conns, false);
}

/*
 * It was brought up, and that is over: once more, at once. One that does not stay up is
 * left alone for longer and longer, or it would be all that this machine does.
 */
static void atw_module_over(struct atw_module *m)
{
	unsigned long pause = 0;

	atw_module_lose(m, ATW_MODULE_PROBING);
	if (m->brief++ >= ATW_MODULE_TRIES) {
		m->restless = true;
		pause = atw_module_pause(m->brief - ATW_MODULE_TRIES - 1);
		atw_module_warn_restless(m);
	}
	atw_sched_at(&m->sched, ATW_DO_BRING_UP, jiffies + pause);
}

static bool atw_module_do_restarted(struct atw_conns *cs)
{
	struct atw_module *m = atw_conns_module(cs);

	/* We have told it to, and this is one more word of that. */
	if (atw_sched_is_set(&m->sched, ATW_DO_BRING_UP))
		return false;
	if (m->state != ATW_MODULE_PROBING) {
		atomic64_inc(&m->reboots);
		dev_warn_ratelimited(m->dev, "the module has restarted\n");
		m->ops->event(m, ATWIFI_EVENT_RESTARTED);
		atw_module_over(m);
	} else if (!m->restless) {
		atw_sched_set(&m->sched, ATW_DO_BRING_UP);
	}
	return false;
}

static bool atw_module_do_reset(struct atw_conns *cs)
{
	struct atw_module *m = atw_conns_module(cs);

	if (atw_sched_is_pending(&m->sched, ATW_DO_BRING_UP))
		return false;
	dev_warn_ratelimited(m->dev, "the module does not answer as it should, starting over\n");
	atw_module_over(m);
	return false;
}

/**
 * atw_module_charge() - a user had the module for a name, or an echo
 * @m: the module
 * @share: the user's
 * @since: when that began
 *
 * Context: the channel's thread.
 */
void atw_module_charge(struct atw_module *m, u8 share, u64 since)
{
	spin_lock(&m->conns.lock);
	atw_conns_charge(&m->conns, share, since);
	spin_unlock(&m->conns.lock);
	/* That there was no answer has more to come, before anybody has the module. */
	m->blamed = atw_sched_is_set(&m->sched, ATW_DO_SYNC) ? share + 1 : 0;
}

/**
 * atw_module_bar() - is its radio blocked?
 * @m: the module
 * @barred: it joins nothing
 *
 * Context: any, one at a time.
 */
void atw_module_bar(struct atw_module *m, bool barred)
{
	if (m->barred == barred)
		return;
	WRITE_ONCE(m->barred, barred);
	dev_info(m->dev, "the radio is %sblocked by rfkill\n", barred ? "" : "not ");
	atw_sched_set(&m->sched, ATW_DO_JOIN);
}

static bool atw_module_do_sync(struct atw_conns *cs)
{
	struct atw_module *m = atw_conns_module(cs);
	u64 since = atw_conns_now(cs);

	atw_module_sync(m, atw_timing.sync);
	if (m->blamed)
		atw_module_charge(m, m->blamed - 1, since);
	return true;
}

static bool atw_module_do_link(struct atw_conns *cs)
{
	struct atw_module *m = atw_conns_module(cs);
	int err = atw_module_query_link(m);

	if (err == -ETIMEDOUT)
		atw_module_sync(m, atw_timing.sync_asked);
	else
		atw_conns_command_failed(cs, err);
	return true;
}

/* Streams have ended: was it because it has lost its network, or has another address? */
static bool atw_module_do_ends(struct atw_conns *cs)
{
	struct atw_module *m = atw_conns_module(cs);
	struct atw_link link;
	bool up;
	int err;

	if (!atw_conns_ask_ends(cs))
		return false;
	/* It has no answer from which more could be seen than from its events. */
	if (m->unread) {
		atw_conns_answer_ends(cs, true);
		return true;
	}
	err = atw_module_ask_link(m, &link);
	if (err && !atw_cmd_refused(err)) {
		atw_sched_at(&m->sched, ATW_DO_ENDS, jiffies + atw_timing.link_down);
		atw_conns_answer_ends(cs, false);
		if (err == -ETIMEDOUT)
			atw_module_sync(m, atw_timing.sync_asked);
		else
			atw_conns_command_failed(cs, err);
		return true;
	}
	up = atw_module_is_up(&link, err);
	/* An event that came meanwhile is newer than the answer. */
	if (up && link.st.addr == m->lease.addr && !atw_sched_is_set(&m->sched, ATW_DO_LINK)) {
		atw_conns_answer_ends(cs, true);
		return true;
	}
	if (!up)
		atw_conns_set_link(cs, false);
	/* That tells all who must know, and then there may be nothing left to be asked. */
	atw_conns_answer_ends(cs, false);
	atw_sched_set(&m->sched, ATW_DO_LINK);
	atw_sched_set(&m->sched, ATW_DO_ENDS);
	return true;
}

static bool atw_module_do_join(struct atw_conns *cs)
{
	return atw_join_again(atw_conns_module(cs));
}

static bool atw_module_wants_join(struct atw_conns *cs)
{
	return atw_join_wanted(atw_conns_module(cs));
}

/* Do one request of those that @job is for, and come back if there are others. */
static bool atw_module_next_request(struct atw_conns *cs, enum atw_todo job, bool idle)
{
	struct atw_module *m = atw_conns_module(cs);
	bool done = atw_requests_run(&m->requests, m, idle);

	/* Behind one that waits there is nothing yet for others that wait. */
	if (atw_requests_wait_for(&m->requests, idle, done))
		atw_sched_set(&m->sched, job);
	return done;
}

static bool atw_module_do_request(struct atw_conns *cs)
{
	return atw_module_next_request(cs, ATW_DO_REQUEST, false);
}

static bool atw_module_wants_request(struct atw_conns *cs)
{
	return atw_requests_wait_for(&atw_conns_module(cs)->requests, false, true);
}

static bool atw_module_do_idle_request(struct atw_conns *cs)
{
	return atw_module_next_request(cs, ATW_DO_IDLE_REQUEST, true);
}

static bool atw_module_wants_idle_request(struct atw_conns *cs)
{
	return atw_requests_wait_for(&atw_conns_module(cs)->requests, true, true);
}

/* A request that is to be called again waits for some of that. */
static bool atw_module_do_conns(struct atw_conns *cs)
{
	struct atw_module *m = atw_conns_module(cs);
	bool done = atw_conns_do_next(cs);

	if (atw_requests_wait_for(&m->requests, false, true))
		atw_sched_set(&m->sched, ATW_DO_REQUEST);
	return done;
}

/* When each is done is said by its place in enum atw_todo. */
static const struct atw_agenda atw_module_agenda = {
	.job = {
		[ATW_DO_RESTARTED]	= { atw_module_do_restarted, .raw = true },
		[ATW_DO_RESET]		= { atw_module_do_reset, .raw = true },
		[ATW_DO_BRING_UP]	= { atw_module_do_bring_up, .raw = true, .bars = true },
		[ATW_DO_SYNC]		= { atw_module_do_sync },
		[ATW_DO_LINK]		= { atw_module_do_link },
		[ATW_DO_ENDS]		= { atw_module_do_ends, .turns = true },
		[ATW_DO_TT_END]		= { atw_tt_do_end },
		[ATW_DO_REQUEST]	= { atw_module_do_request, atw_module_wants_request,
					    .turns = true },
		[ATW_DO_JOIN]		= { atw_module_do_join, atw_module_wants_join },
		[ATW_DO_STALE]		= { atw_conns_do_stale, .turns = true },
		[ATW_DO_RECV_MODE]	= { atw_conns_do_recv_mode, .turns = true },
		[ATW_DO_ACCEPTED]	= { atw_conns_do_accepted, .turns = true },
		[ATW_DO_BOOT]		= { atw_conns_do_boot, .raw = true },
		[ATW_DO_COMPARE]	= { atw_conns_do_compare, .raw = true },
		[ATW_DO_UNKNOWN]	= { atw_conns_do_unknown, .raw = true },
		[ATW_DO_RECONCILE]	= { atw_conns_do_reconcile, .turns = true },
		[ATW_DO_CONNS]		= { atw_module_do_conns, .raw = true },
		[ATW_DO_IDLE_REQUEST]	= { atw_module_do_idle_request,
					    atw_module_wants_idle_request },
		[ATW_DO_ENTER]		= { atw_tt_enter, .raw = true, .idle = true },
	},
	.is_raw = atw_tt_inside,
	.leave = atw_tt_leave,
};

static bool atw_module_work(void *ctx)
{
	return atw_sched_run(&atw_conns_module(ctx)->sched, ctx);
}

static long atw_module_next_work(void *ctx)
{
	return atw_sched_next(&atw_conns_module(ctx)->sched);
}

/* It fell silent within a payload: if it has restarted, its answer tells. */
static void atw_module_stalled(void *ctx)
{
	atw_sched_set(&atw_conns_module(ctx)->sched, ATW_DO_LINK);
}

/* Streams have ended, and it may have had no time to be asked for its network. */
static void atw_module_alarm(void *ctx)
{
	struct atw_module *m = atw_conns_module(ctx);
	bool busy;

	/* No command begins meanwhile, and nothing that the module says is told. */
	mutex_lock(&m->ch.rx_lock);
	/* Else it is about to be; or it has said something of that, and is to be in any case. */
	busy = atw_channel_connects(&m->ch) && !atw_sched_is_set(&m->sched, ATW_DO_LINK);
	atw_conns_end_late(ctx, busy);
	mutex_unlock(&m->ch.rx_lock);
}

/*
 * It has started again by itself: no command runs any more, and the thread does the rest.
 * The receive path writes nothing else, as all that is about bring-ups is the thread's.
 */
static void atw_module_rebooted(struct atw_module *m)
{
	lockdep_assert_held(&m->ch.rx_lock);

	set_bit(ATW_CH_RESET, &m->ch.flags);
	atw_sched_set(&m->sched, ATW_DO_RESTARTED);
	/* Nor does a command wait any longer. */
	atw_channel_kick(&m->ch);
}

/*
 * It has a connection that nobody has asked it for. Where it may enter transparent mode by
 * itself that is what it does next: nothing more is written to it, for a remote would get that,
 * and nothing is believed, for it is he who speaks.
 */
static void atw_module_connected(struct atw_module *m)
{
	lockdep_assert_held(&m->ch.rx_lock);

	if (m->autott != ATW_AUTOTT_STORED)
		return;
	m->raw = true;
	atw_channel_unsettle(&m->ch);
	set_bit(ATW_CH_RESET, &m->ch.flags);
	atw_sched_set(&m->sched, ATW_DO_RESET);
	atw_channel_kick(&m->ch);
}

static void atw_module_event(void *ctx, const struct atw_event *ev)
{
	struct atw_module *m = atw_conns_module(ctx);
	bool settled = !atw_channel_is_unsettled(&m->ch);

	switch (ev->type) {
	case ATW_EV_ECHO:
		/* It came back without our settings: the banner was missed. Where a remote may
		 * have said so the command that is next when that is over has an echo as well.
		 */
		if (m->echo_off && settled)
			atw_module_rebooted(m);
		break;
	case ATW_EV_READY:
	case ATW_EV_BANNER:
		/* It may go on to say that it is ready, or not; a remote may say that it is.
		 * While it is looked for there is nothing to be lost, and it will not answer
		 * what it was asked.
		 */
		if ((ev->type == ATW_EV_READY && settled) ||
		    atw_module_state(m) == ATW_MODULE_PROBING)
			atw_module_rebooted(m);
		else
			atw_conns_boot(&m->conns, ATW_BOOT_SAID);
		break;
	case ATW_EV_UNEXPECTED:
		/* While it is looked for it may be anything. */
		if (atw_module_state(m) == ATW_MODULE_PROBING)
			break;
		atw_conns_hear(&m->conns, ev);
		break;
	case ATW_EV_CONNECTED:
		atw_module_connected(m);
		break;
	case ATW_EV_WIFI_DISCONNECT:
		/* Where it may be a remote who says so the module is only asked. */
		if (settled)
			atw_conns_set_link(&m->conns, false);
		atw_sched_set(&m->sched, ATW_DO_LINK);
		break;
	case ATW_EV_WIFI_CONNECT:
	case ATW_EV_WIFI_GOT_IP:
		/* Twice without an end in between. */
		if (atw_conns_has_link(&m->conns))
			atw_conns_boot(&m->conns, ATW_BOOT_MAYBE);
		m->ops->associated(m);
		atw_sched_set(&m->sched, ATW_DO_LINK);
		break;
	default:
		atw_conns_hear(&m->conns, ev);
		break;
	}
}

static const struct atw_channel_ops atw_module_channel_ops = {
	.work = atw_module_work,
	.next_work = atw_module_next_work,
	.stalled = atw_module_stalled,
	.alarm = atw_module_alarm,
	.event = atw_module_event,
	.payload = atw_conns_payload,
	.payload_end = atw_conns_payload_end,
	.last = atw_tt_stop,
	.raw = atw_tt_receive,
};

/**
 * atw_module_init() - make what others may look at, before they can
 * @m: zeroed memory
 * @dev: for messages
 * @ops: whom to tell
 *
 * Requests are refused from here on, until the module was found.
 *
 * Context: any.
 */
void atw_module_init(struct atw_module *m, struct device *dev,
		     const struct atw_module_ops *ops)
{
	m->dev = dev;
	m->ops = ops;
	seqlock_init(&m->lease_lock);
	atw_sched_init(&m->sched, &m->ch, &atw_module_agenda);
	atw_sched_at(&m->sched, ATW_DO_BRING_UP, jiffies);
	atw_conns_init(&m->conns, &m->ch, &m->sched);
	atw_requests_init(&m->requests);
}

/**
 * atw_module_start() - make ready to look for the module
 * @m: the module, after atw_module_init()
 * @t: the open transport
 *
 * It is looked for after atw_channel_go(); nothing is told of it before.
 *
 * Context: process context.
 * Return: 0 or -errno.
 */
int atw_module_start(struct atw_module *m, struct atw_transport *t)
{
	return atw_channel_start(&m->ch, &atw_module_channel_ops, &m->conns, t, m->dev);
}

/**
 * atw_module_stop() - end all work and all connections
 * @m: the module
 *
 * When this returns nothing is called in the transport any more.
 *
 * Context: process context; waits for the command that is being written.
 */
void atw_module_stop(struct atw_module *m)
{
	atw_channel_stop(&m->ch);
	atw_join_forget(m);
	atw_requests_refuse(&m->requests, -ENODEV);
	atw_conns_gone(&m->conns);
}

/**
 * atw_module_doze() - begin to let go of the module, as atw_module_sleep()
 * @m: the module, for which that is called then
 *
 * Context: process context; waits for nothing.
 */
void atw_module_doze(struct atw_module *m)
{
	/* A request that runs is to end with that. */
	atw_requests_refuse(&m->requests, -ENETDOWN);
	atw_channel_halt(&m->ch);
}

/**
 * atw_module_sleep() - let go of the module, until atw_module_wake()
 * @m: the module, after atw_module_start()
 *
 * Whoever waits for it gets an error, and nothing is read from its line or written to
 * it. It is told nothing, but is not left in transparent mode: what lasts may serve to
 * wake the machine.
 *
 * Context: process context; waits for the thread, as atw_module_stop() does.
 */
void atw_module_sleep(struct atw_module *m)
{
	atw_module_doze(m);
	atw_channel_pause(&m->ch);
	atw_module_lose(m, ATW_MODULE_ASLEEP);
}

/**
 * atw_module_wake() - look for the module again after atw_module_sleep()
 * @m: the module
 *
 * Context: process context; does not wait for the module.
 */
void atw_module_wake(struct atw_module *m)
{
	atw_module_set_state(m, ATW_MODULE_PROBING);
	atw_sched_at(&m->sched, ATW_DO_BRING_UP, jiffies);
	atw_channel_resume(&m->ch);
}

/**
 * atw_module_queue() - have the channel's thread do a request, and do not wait
 * @m: the module; the caller's reference to its device may end before the request
 * @request: the request, never queued before
 *
 * Context: any but hard interrupts.
 * Return: as atw_requests_add(). After an error the request is not done; after
 * success it may not be either, when the module or the device goes away.
 */
int atw_module_queue(struct atw_module *m, struct atw_request *request)
{
	bool idle = request->idle;
	int err = atw_requests_add(&m->requests, request);

	if (!err)
		atw_sched_set(&m->sched, idle ? ATW_DO_IDLE_REQUEST : ATW_DO_REQUEST);
	return err;
}

/**
 * atw_module_hurry() - requests that are for idle times have waited for long enough
 * @m: the module
 *
 * Context: any but hard interrupts.
 */
void atw_module_hurry(struct atw_module *m)
{
	atw_requests_hurry(&m->requests);
	atw_sched_set(&m->sched, ATW_DO_REQUEST);
}

/**
 * atw_module_request() - have the channel's thread do a request, and wait for its end
 * @m: the module, of a device to which the caller has a reference
 * @request: the request, never queued before
 * @timeout: jiffies; a connect that runs may keep the thread for two minutes
 *
 * Context: process context, not the channel's thread; a fatal signal ends it.
 * Return: as atw_requests_add() and atw_requests_wait().
 */
int atw_module_request(struct atw_module *m, struct atw_request *request, long timeout)
{
	int err;

	if (WARN_ON_ONCE(current == m->ch.thread))
		return -EDEADLK;
	err = atw_module_queue(m, request);
	return err ?: atw_requests_wait(&m->requests, request, timeout);
}

/**
 * atw_module_exec() - run a command in a request
 * @m: the module
 * @cmd: the command
 *
 * A module that does not answer is looked after when the request has ended.
 *
 * Context and return: as atw_channel_exec().
 */
int atw_module_exec(struct atw_module *m, struct atw_cmd *cmd)
{
	int err = atw_channel_exec(&m->ch, cmd);

	if (!cmd->line.err)
		atw_conns_command_failed(&m->conns, err);
	return err;
}

struct atw_module_transparent {
	struct atw_module	*module;
	struct atw_conn		*conn;
	u8			how;
	u64			until;
};

static int atw_module_transparent_request(struct atw_module *m, void *arg)
{
	struct atw_module_transparent *t = arg;
	int err = atw_tt_set(&m->conns, t->conn, t->how);
	u64 now = get_jiffies_64();

	if (err != -EINPROGRESS)
		return err;
	t->until = t->until ?: now + atw_timing.tt_wait;
	if (time_after_eq64(now, t->until))
		return -EBUSY;
	atw_sched_at(&m->sched, ATW_DO_REQUEST, t->until);
	return err;
}

static void atw_module_transparent_release(void *arg)
{
	struct atw_module_transparent *t = arg;

	clear_bit(ATW_ASKED_TRANSPARENT, &t->module->asked);
	atw_conn_put(t->conn);
}

/**
 * atw_module_set_transparent() - give transparent mode to a connection, or take it
 * @m: the module, of a device to which the caller has a reference
 * @c: the connection
 * @how: bits of ATW_TT_*; 0: take it
 *
 * Anybody's socket may ask: one request waits at a time, or they would take all the
 * places of an administrator's. The mode is for one connection anyway.
 *
 * Context: as atw_module_request().
 * Return: as atw_tt_set() and atw_module_request(); -EBUSY, another request waits.
 */
int atw_module_set_transparent(struct atw_module *m, struct atw_conn *c, u8 how)
{
	struct atw_module_transparent *t;
	struct atw_request *request;
	int err;

	if (test_and_set_bit(ATW_ASKED_TRANSPARENT, &m->asked))
		return -EBUSY;
	request = atw_request_new(sizeof(*t), atw_module_transparent_request);
	if (!request) {
		clear_bit(ATW_ASKED_TRANSPARENT, &m->asked);
		return -ENOMEM;
	}
	refcount_inc(&c->ref);
	request->release = atw_module_transparent_release;
	t = (struct atw_module_transparent *)request->arg;
	t->module = m;
	t->conn = c;
	t->how = how;
	err = atw_module_request(m, request, atw_timing.request);
	atw_request_put(request);
	return err;
}

static int atw_module_recv_mode_request(struct atw_module *m, void *arg)
{
	return atw_conns_set_recv_mode(&m->conns, *(bool *)arg);
}

/**
 * atw_module_set_recv_mode() - choose the receive mode
 * @m: the module, of a device to which the caller has a reference
 * @passive: what the module receives stays in it until it is fetched
 * @timeout: jiffies
 *
 * Context: as atw_module_request().
 * Return: as atw_conns_set_recv_mode() and atw_module_request().
 */
int atw_module_set_recv_mode(struct atw_module *m, bool passive, long timeout)
{
	struct atw_request *request = atw_request_new(sizeof(passive),
						      atw_module_recv_mode_request);
	int err;

	if (!request)
		return -ENOMEM;
	*(bool *)request->arg = passive;
	err = atw_module_request(m, request, timeout);
	atw_request_put(request);
	return err;
}
