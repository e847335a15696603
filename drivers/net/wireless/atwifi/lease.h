/* SPDX-License-Identifier: GPL-2.0 */
/* What the module knows of the network that it joined. */
#ifndef _ATWIFI_LEASE_H
#define _ATWIFI_LEASE_H

#include "parse.h"

struct atw_module;

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

void atw_lease_query(struct atw_module *m);

#endif
