/* SPDX-License-Identifier: GPL-2.0 */
/* What other daemons know, by D-Bus; nothing where this was built without it. */
#ifndef ATWIFI_BUS_H
#define ATWIFI_BUS_H

#include <stdint.h>

#include "secrets.h"

struct sd_bus;

#ifdef HAVE_LIBSYSTEMD
struct sd_bus *bus_connect(uint64_t usec);
void bus_secrets(struct secrets *s);
#else
static inline void bus_secrets(struct secrets *s)
{
	(void)s;
}
#endif

#endif
