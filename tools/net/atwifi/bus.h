/* SPDX-License-Identifier: GPL-2.0-only */
/* What other daemons know, by D-Bus; nothing where this was built without it. */
#ifndef ATWIFI_BUS_H
#define ATWIFI_BUS_H

#include <netinet/in.h>
#include <stdint.h>

#include "secrets.h"

struct link_device;
struct sd_bus;
struct sd_bus_message;

/* For so long a daemon is waited for, and who has not answered is asked again after that. */
#define BUS_CALL_USEC	1000000
#define BUS_RETRY_S	10

#ifdef HAVE_LIBSYSTEMD
uint64_t bus_now(void);
uint64_t bus_left_until(uint64_t end);
struct sd_bus *bus_connect(uint64_t usec);
struct sd_bus_message *bus_call(struct sd_bus *bus, struct sd_bus_message *m, uint64_t usec);
struct sd_bus_message *bus_get(struct sd_bus *bus, const char *whom, const char *path,
			       const char *interface, const char *name, const char *type,
			       uint64_t usec);
void bus_secrets(struct secrets *s);
int bus_servers(const struct link_device *dev, struct in_addr *servers);
#else
static inline void bus_secrets(struct secrets *s)
{
}

static inline int bus_servers(const struct link_device *dev, struct in_addr *servers)
{
	return -1;
}
#endif

#endif
