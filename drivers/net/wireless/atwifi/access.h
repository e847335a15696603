/* SPDX-License-Identifier: GPL-2.0-only */
/* Who may have sockets of the family. */
#ifndef _ATWIFI_ACCESS_H
#define _ATWIFI_ACCESS_H

#include <linux/spinlock.h>
#include <linux/sysctl.h>
#include <linux/types.h>
#include <linux/uidgid.h>

struct net;

/**
 * struct atw_access - whom a network namespace allows sockets
 * @lock: protects @low and @high; innermost
 * @low: the first group
 * @high: the last one; below @low: none
 * @table: what sysctl shows, constant; empty entry at its end for older kernels
 * @header: its registration, constant
 */
struct atw_access {
	spinlock_t		lock;
	kgid_t			low;
	kgid_t			high;
	struct ctl_table	table[2];
	struct ctl_table_header	*header;
};

bool atw_access_allowed(struct atw_access *a, struct net *net);
int atw_access_init(struct atw_access *a, struct net *net);
void atw_access_exit(struct atw_access *a);

#endif
