/* SPDX-License-Identifier: GPL-2.0-only */
/* The generic-netlink family: Documentation/netlink/specs/atwifi.yaml. */
#ifndef _ATWIFI_GENL_H
#define _ATWIFI_GENL_H

/* Its multicast groups. */
#define ATW_GENL_EVENTS		0

struct genl_family;
struct workqueue_struct;

extern struct genl_family atw_genl_family;
extern struct workqueue_struct *atw_genl_wq;

int atw_genl_init(void);
void atw_genl_exit(void);

#endif
