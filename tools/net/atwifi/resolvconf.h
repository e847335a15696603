/* SPDX-License-Identifier: GPL-2.0-only */
/* resolvconf(8), a script that takes its time. */
#ifndef ATWIFI_RESOLVCONF_H
#define ATWIFI_RESOLVCONF_H

#include <netinet/in.h>

struct event_base;

void resolvconf_begin(struct event_base *base);
void resolvconf_tell(const char *ifname, const struct in_addr *servers, unsigned int n);
void resolvconf_end(void);

#endif
