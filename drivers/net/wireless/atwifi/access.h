/* SPDX-License-Identifier: GPL-2.0 */
/* Who may have sockets of the family. */
#ifndef _ATWIFI_ACCESS_H
#define _ATWIFI_ACCESS_H

#include <linux/types.h>

struct net;

bool atw_access_allowed(struct net *net);
int atw_access_init(void);
void atw_access_exit(void);

#endif
