/* SPDX-License-Identifier: GPL-2.0-only */
/* A packet of the fuzzer's comes in a raw frame: it has no route. */
#ifndef FUZZ_NET_ROUTE_H
#define FUZZ_NET_ROUTE_H

#include <stddef.h>

#define RTCF_BROADCAST	0x10000000
#define RTCF_MULTICAST	0x20000000

struct rtable {
	unsigned int	rt_flags;
};

struct sk_buff;

static inline const struct rtable *skb_rtable(const struct sk_buff *skb)
{
	(void)skb;
	return NULL;
}

#endif
