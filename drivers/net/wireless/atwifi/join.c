// SPDX-License-Identifier: GPL-2.0-only
/*
 * The network that a module is to be in.
 *
 * After a start, and when an access point comes back, a module joins by itself what it has
 * stored, if its firmware can and nobody has told it otherwise. Where it does not within some
 * seconds the driver has it join the network that it was told to join last. For this the
 * password is in the kernel's memory, from a join that went well until the network is left,
 * another one is joined, or the device is gone. While its radio is blocked it joins nothing.
 */
#include <linux/device.h>
#include <linux/etherdevice.h>
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "error.h"
#include "firmware.h"
#include "join.h"
#include "module.h"
#include "timing.h"

/*
 * Each time it waits twice as long as before, up to three quarters of an hour: some firmware
 * writes each network that it joins to its flash.
 */
#define ATW_JOIN_DOUBLE		8U

static void atw_join_line(struct atw_line *l, const struct atw_module *m,
			  const struct atw_join *join)
{
	const struct atw_firmware *fw = READ_ONCE(m->conns.fw);
	char bssid[3 * ETH_ALEN];

	atw_line_verb(l, m->ch.dialect, ATW_VERB_JOIN);
	atw_line_str(l, fw, join->ssid);
	atw_line_str(l, fw, join->password);
	if (fw->joins_by_bssid && !is_zero_ether_addr(join->bssid)) {
		snprintf(bssid, sizeof(bssid), "%pM", join->bssid);
		atw_line_str(l, fw, bssid);
	}
}

/**
 * atw_join_check() - can the firmware be told of a network?
 * @m: the module
 * @join: the network
 *
 * Context: any; outside of the channel's thread it may be another firmware by the time that
 *	it is told.
 * Return: 0, -EINVAL or -ENAMETOOLONG.
 */
int atw_join_check(const struct atw_module *m, const struct atw_join *join)
{
	struct atw_line line;
	int err;

	atw_join_line(&line, m, join);
	err = atw_line_end(&line);
	memzero_explicit(&line, sizeof(line));
	return err;
}

/**
 * atw_join_exec() - have it join a network
 * @m: the module
 * @join: the network
 * @code: out: its number of a failure, 0 for none
 *
 * Context: the channel's thread.
 * Return: as atw_join_check() and atw_channel_exec().
 */
int atw_join_exec(struct atw_module *m, const struct atw_join *join, u32 *code)
{
	struct atw_cmd cmd = { .timeout = atw_timing.raw };
	int err;

	atw_join_line(&cmd.line, m, join);
	err = atw_channel_exec(&m->ch, &cmd);
	if (!cmd.line.err) {
		atw_conns_command_failed(&m->conns, err);
		/* Whatever has become of it, the network of before may be lost. */
		atw_sched_set(&m->sched, ATW_DO_LINK);
	}
	*code = cmd.code;
	memzero_explicit(&cmd.line, sizeof(cmd.line));
	/* Where it does not understand it may repeat it. */
	atw_channel_wipe(&m->ch);
	return err;
}

/**
 * atw_join_forget() - nobody sees any more to the network that it was in
 * @m: the module
 *
 * Context: the channel's thread, or after it has ended.
 */
void atw_join_forget(struct atw_module *m)
{
	kfree_sensitive(m->join);
	m->join = NULL;
	m->managed = false;
	m->silenced = false;
}

/**
 * atw_join_out() - it is out of its network, which it may join by itself
 * @m: the module
 *
 * It gets some time for that, more each time that it was told to in vain.
 *
 * Context: the channel's thread.
 */
void atw_join_out(struct atw_module *m)
{
	unsigned long pause = atw_timing.rejoin << min(m->joins, ATW_JOIN_DOUBLE);

	atw_sched_clear(&m->sched, ATW_DO_JOIN);
	atw_sched_at(&m->sched, ATW_DO_JOIN, jiffies + pause);
}

/**
 * atw_join_keep() - it is to be in a network from now on
 * @m: the module
 * @join: the network, which it has joined
 *
 * Without memory it is the module's alone to see to that.
 *
 * Context: the channel's thread.
 */
void atw_join_keep(struct atw_module *m, const struct atw_join *join)
{
	atw_join_forget(m);
	m->join = kmemdup(join, sizeof(*join), GFP_KERNEL);
	m->joins = 0;
	m->refused = false;
	m->joining = false;
	atw_join_out(m);
}

/**
 * atw_join_look() - the module has told how its link is
 * @m: the module, whose state is as it was before
 * @up: it has joined
 *
 * Context: the channel's thread.
 */
void atw_join_look(struct atw_module *m, bool up)
{
	bool refused = m->joining && m->status == ATW_WIFI_BAD_PASSWORD;
	u64 now = get_jiffies_64();

	if (m->status != ATW_WIFI_CONNECTING)
		m->joining = false;
	if (up && m->state != ATW_MODULE_JOINED)
		m->in_since = now;
	if (up) {
		m->silenced = false;
		m->refused = false;
	} else if (m->state == ATW_MODULE_JOINED) {
		/* Where it was for a moment only, somebody throws it out. */
		if (time_after64(now, m->in_since + atw_timing.steady))
			m->joins = 0;
		atw_join_out(m);
	}
	/* Anybody may have an access point of the same name: that does not cost the password. */
	if (refused && !m->refused)
		dev_warn_ratelimited(m->dev,
				     "the network refuses its password: tell it again by atwctl join\n");
	m->refused |= refused;
}

/**
 * atw_join_wanted() - is it out of the network that it is to be in?
 * @m: the module; one that enters transparent mode by itself joins by itself, too
 *
 * Context: the channel's thread.
 */
bool atw_join_wanted(const struct atw_module *m)
{
	bool told = m->join && m->autott != ATW_AUTOTT_STORED;

	return (told || m->silenced) && m->state == ATW_MODULE_DOWN && !READ_ONCE(m->barred);
}

/**
 * atw_join_again() - have it join its network again, if it is out of it
 * @m: the module
 *
 * Context: the channel's thread.
 * Return: true if it was told to.
 */
bool atw_join_again(struct atw_module *m)
{
	u32 code = 0;
	int err;

	if (!atw_join_wanted(m))
		return false;
	/* What it has stored itself it joins when it starts. */
	if (!m->join || m->autott == ATW_AUTOTT_STORED) {
		m->silenced = false;
		atw_channel_ask(&m->ch, ATW_VERB_RESET, atw_timing.cmd, NULL, NULL);
		return true;
	}
	/* Some firmware may store where it was last. */
	if (!atw_channel_may_store(&m->ch)) {
		atw_join_out(m);
		return false;
	}
	err = atw_join_exec(m, m->join, &code);
	m->joining = !err || err == -EREMOTEIO;
	/* After an update its firmware may be another one. */
	if (err == -EINVAL || err == -ENAMETOOLONG) {
		atw_join_forget(m);
		return true;
	}
	if (err && !m->joins)
		dev_warn_ratelimited(m->dev,
				     "cannot join the network again (%s): trying again\n",
				     code ? m->ch.dialect->error(code)->text : "no reason given");
	m->joins++;
	/* From the end of that on: it may have taken longer than the pause. */
	atw_join_out(m);
	return true;
}
