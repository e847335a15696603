// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the module knows of the network that it joined.
 */
#include <linux/etherdevice.h>
#include <linux/jiffies.h>
#include <linux/string.h>

#include "lease.h"
#include "module.h"
#include "timing.h"

static bool atw_lease_dns_row(struct atw_cmd *cmd, const char *text)
{
	struct atw_lease *lease = cmd->priv;
	int i;

	if (!atw_parse_dns(text, lease->dns))
		return false;
	/* A resolver of this machine is not the network's to choose. */
	for (i = 0; i < ATW_DNS_MAX; i++)
		if (!atw_addr_is_host(lease->dns[i]))
			lease->dns[i] = 0;
	/* The ones that there are come first. */
	if (!lease->dns[0]) {
		lease->dns[0] = lease->dns[1];
		lease->dns[1] = 0;
	}
	return true;
}

static bool atw_lease_dhcp_row(struct atw_cmd *cmd, const char *text)
{
	struct atw_lease *lease = cmd->priv;

	return atw_parse_dhcp(text, &lease->mask);
}

static bool atw_lease_mac_row(struct atw_cmd *cmd, const char *text)
{
	struct atw_module *m = cmd->priv;
	u8 mac[ETH_ALEN] __aligned(2);

	if (!atw_parse_sta_mac(text, mac))
		return false;
	if (is_valid_ether_addr(mac))
		memcpy(m->mac, mac, sizeof(m->mac));
	return true;
}

/* Not all firmware can be asked. */
static void atw_lease_row(struct atw_module *m, void *priv, enum atw_verb verb,
			  bool (*row)(struct atw_cmd *cmd, const char *text))
{
	int err = atw_channel_ask(&m->ch, verb, atw_timing.cmd, row, priv);

	atw_conns_command_failed(&m->conns, err);
}

/**
 * atw_lease_check() - forget what cannot be true
 * @st: what the module says of its link
 *
 * Routes and neighbours are made of it.
 */
void atw_lease_check(struct atw_wifi_status *st)
{
	if (!atw_addr_is_host(st->addr))
		st->addr = 0;
	if (!atw_addr_is_host(st->gateway) || st->gateway == st->addr)
		st->gateway = 0;
	if (!is_valid_ether_addr(st->mac))
		st->has_mac = false;
}

/**
 * atw_lease_query_mac() - ask for the hardware address
 * @m: the module, joined or not
 *
 * Context: the channel's thread.
 */
void atw_lease_query_mac(struct atw_module *m)
{
	atw_lease_row(m, m, ATW_VERB_MAC, atw_lease_mac_row);
}

/**
 * atw_lease_query() - ask for what the link's state does not tell
 * @m: the module, which has just joined
 * @lease: what that tells; the rest is added
 *
 * Context: the channel's thread.
 */
void atw_lease_query(struct atw_module *m, struct atw_lease *lease)
{
	lease->mask = 0;
	memset(lease->dns, 0, sizeof(lease->dns));
	atw_lease_row(m, lease, ATW_VERB_GET_DNS, atw_lease_dns_row);
	atw_lease_row(m, lease, ATW_VERB_LEASE, atw_lease_dhcp_row);
	/* No host has the first or the last address of a network. */
	if (~lease->mask > 1 && (!(lease->addr & ~lease->mask) ||
				 !(~lease->addr & ~lease->mask)))
		lease->mask = 0;
}
