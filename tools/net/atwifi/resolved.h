/* SPDX-License-Identifier: GPL-2.0-only */
/* systemd-resolved, by D-Bus; nothing where this was built without it. */
#ifndef ATWIFI_RESOLVED_H
#define ATWIFI_RESOLVED_H

#include <netinet/in.h>
#include <stdbool.h>

struct event_base;

#ifdef HAVE_LIBSYSTEMD
bool resolved_begin(struct event_base *base, void (*restarted)(void));
void resolved_end(void);
void resolved_ask_again(void);
int resolved_set(int ifindex, const struct in_addr *servers, unsigned int n,
		 const struct in_addr *told, unsigned int n_told);
int resolved_get(int ifindex, struct in_addr *servers);
#else
static inline bool resolved_begin(struct event_base *base, void (*restarted)(void))
{
	return true;
}

static inline void resolved_end(void)
{
}

static inline void resolved_ask_again(void)
{
}

static inline int resolved_set(int ifindex, const struct in_addr *servers, unsigned int n,
			       const struct in_addr *told, unsigned int n_told)
{
	return -1;
}

static inline int resolved_get(int ifindex, struct in_addr *servers)
{
	return -1;
}
#endif

#endif
