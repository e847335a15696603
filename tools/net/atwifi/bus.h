/* SPDX-License-Identifier: GPL-2.0-only */
/* What other daemons know, by D-Bus; nothing where this was built without it. */
#ifndef ATWIFI_BUS_H
#define ATWIFI_BUS_H

#include <netinet/in.h>
#include <stdint.h>

#include "secrets.h"

struct sd_bus;

#ifdef HAVE_LIBSYSTEMD
struct sd_bus *bus_connect(uint64_t usec);
void bus_secrets(struct secrets *s);
int bus_servers(const char *ifname, struct in_addr *servers);
#else
static inline void bus_secrets(struct secrets *s)
{
	(void)s;
}

static inline int bus_servers(const char *ifname, struct in_addr *servers)
{
	(void)ifname;
	(void)servers;
	return -1;
}
#endif

#endif
