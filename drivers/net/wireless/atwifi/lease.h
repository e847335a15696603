/* SPDX-License-Identifier: GPL-2.0-only */
/* What the module knows of the network that it joined. */
#ifndef _ATWIFI_LEASE_H
#define _ATWIFI_LEASE_H

#include "parse.h"

struct atw_module;

/* Can a host have that address? Not loopback, multicast, broadcast, "this network". */
static inline bool atw_addr_is_host(u32 addr)
{
	u8 first = addr >> 24;

	return first && first != 127 && first >> 4 != 14 && addr != 0xffffffff;
}

/**
 * struct atw_lease - how the network is to be used, addresses in host order
 * @addr: the module's own, 0: it has none
 * @gateway: 0: not known
 * @mask: 0: not known; firmware tells it for a static address alone
 * @dns: servers, those that are not known are 0, at the end
 */
struct atw_lease {
	u32	addr;
	u32	gateway;
	u32	mask;
	u32	dns[ATW_DNS_MAX];
};

void atw_lease_check(struct atw_wifi_status *st);
void atw_lease_query(struct atw_module *m, struct atw_lease *lease);
void atw_lease_query_mac(struct atw_module *m);

#endif
