/* SPDX-License-Identifier: GPL-2.0-only */
/* What the network device layer of older kernels calls otherwise, or lacks. */
#ifndef _ATWIFI_COMPAT_NET_H
#define _ATWIFI_COMPAT_NET_H

#include <linux/netdevice.h>
#include <linux/version.h>

/* Not to be moved to another network namespace. */
static inline void atw_net_set_immutable(struct net_device *dev)
{
#ifdef ATW_NETNS_IMMUTABLE
	dev->netns_immutable = true;
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	dev->netns_local = true;
#else
	dev->features |= NETIF_F_NETNS_LOCAL;
#endif
}

/*
 * The counters of each processor: from 6.7 on, and some later release of 6.1 and of 6.6, the
 * core makes them when the device is registered, and frees them.
 */
static inline int atw_net_alloc_stats(struct net_device *dev)
{
#ifdef ATW_PCPU_STAT_TYPE
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
	return 0;
#else
	dev->tstats = netdev_alloc_pcpu_stats(struct pcpu_sw_netstats);
	return dev->tstats ? 0 : -ENOMEM;
#endif
}

/* Nobody counts any more. */
static inline void atw_net_free_stats(struct net_device *dev)
{
#ifndef ATW_PCPU_STAT_TYPE
	free_percpu(dev->tstats);
#endif
}

/* No IPv6 of its own, whatever its MTU is; before 6.2 a small one is all there is. */
static inline void atw_net_no_addrconf(struct net_device *dev)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
	dev->priv_flags |= IFF_NO_ADDRCONF;
#endif
}

#endif
