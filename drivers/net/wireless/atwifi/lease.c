// SPDX-License-Identifier: GPL-2.0
/*
 * What the module knows of the network that it joined.
 */
#include <linux/jiffies.h>

#include "lease.h"
#include "module.h"

static bool atw_lease_dns_row(struct atw_cmd *cmd, const char *text, size_t len)
{
	struct atw_lease *lease = cmd->priv;

	if (!atw_parse_dns(text, lease->dns))
		return false;
	/* The ones that there are come first. */
	if (!lease->dns[0]) {
		lease->dns[0] = lease->dns[1];
		lease->dns[1] = 0;
	}
	return true;
}

static bool atw_lease_dhcp_row(struct atw_cmd *cmd, const char *text,
			       size_t len)
{
	struct atw_lease *lease = cmd->priv;

	return atw_parse_dhcp(text, &lease->mask);
}

static void atw_lease_row(struct atw_module *m, struct atw_lease *lease,
			  const char *line,
			  bool (*row)(struct atw_cmd *cmd, const char *text,
				      size_t len))
{
	struct atw_cmd cmd = {
		.timeout = ATW_CMD_TIMEOUT,
		.row = row,
		.priv = lease,
	};
	int err;

	atw_line_start(&cmd.line, line);
	atw_line_end(&cmd.line);
	err = atw_channel_confirm(&m->ch, &cmd);
	/* Not all firmware can be asked. */
	atw_conns_command_failed(&m->conns, err);
}

/**
 * atw_lease_query() - ask for what the link's state does not tell
 * @m: the module, which has just joined
 *
 * Context: the channel's thread.
 */
void atw_lease_query(struct atw_module *m)
{
	struct atw_lease lease = { 0 };

	atw_lease_row(m, &lease, "AT+WDNS?", atw_lease_dns_row);
	atw_lease_row(m, &lease, "AT+WSDHCP?", atw_lease_dhcp_row);
	WRITE_ONCE(m->mask, lease.mask);
	WRITE_ONCE(m->dns[0], lease.dns[0]);
	WRITE_ONCE(m->dns[1], lease.dns[1]);
}
