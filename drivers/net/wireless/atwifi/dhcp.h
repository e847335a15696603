/* SPDX-License-Identifier: GPL-2.0-only */
/* DHCP, answered by the device itself. Pure: no state of the kernel's. */
#ifndef _ATWIFI_DHCP_H
#define _ATWIFI_DHCP_H

#include <linux/if_ether.h>
#include <linux/types.h>

#include "lease.h"

#define ATW_DHCP_SERVER_PORT	67
#define ATW_DHCP_CLIENT_PORT	68
#define ATW_DHCP_REPLY_MAX	576

/**
 * struct atw_dhcp_reply - what to send
 * @len: bytes of @buf
 * @daddr: to this address, in host order
 */
struct atw_dhcp_reply {
	u8	buf[ATW_DHCP_REPLY_MAX];
	size_t	len;
	u32	daddr;
};

u32 atw_dhcp_mask(const struct atw_lease *lease);
u32 atw_dhcp_broadcast(const struct atw_lease *lease);
u32 atw_dhcp_server(const struct atw_lease *lease);
bool atw_dhcp_answer(const struct atw_lease *lease, const u8 *mac,
		     const u8 *buf, size_t len, struct atw_dhcp_reply *reply);

#endif
