// SPDX-License-Identifier: GPL-2.0-only
/* What the network device receives: packets for programs, from flows and answers. */
#include <linux/etherdevice.h>

#include "netdev.h"

/* Packets that wait for the NAPI on their way to programs. */
#define ATW_RXQ_MAX	1024

/**
 * atw_netdev_receive() - a packet for programs
 * @nd: the device
 * @skb: begins with its IP header; taken. NULL: there is none
 *
 * Context: any, also inside of a transmit.
 * Return: false if it is lost: there was no memory or no room, or the device is down.
 */
bool atw_netdev_receive(struct atw_netdev *nd, struct sk_buff *skb)
{
	struct net_device *dev = nd->dev;
	struct ethhdr *eth;

	if (!skb)
		return false;
	if (skb_cow_head(skb, ETH_HLEN))
		goto drop;
	skb_reset_network_header(skb);
	eth = skb_push(skb, ETH_HLEN);
	/* Anybody but us: the other end of a wire that nobody else is on. */
	ether_addr_copy(eth->h_dest, dev->dev_addr);
	ether_addr_copy(eth->h_source, dev->dev_addr);
	eth->h_source[0] |= 2;
	eth->h_source[ETH_ALEN - 1] ^= 1;
	eth->h_proto = htons(ETH_P_IP);
	skb->protocol = eth_type_trans(skb, dev);
	if (!netif_running(dev) ||
	    skb_queue_len_lockless(&nd->rxq) >= ATW_RXQ_MAX)
		goto drop;
	local_bh_disable();
	dev_sw_netstats_rx_add(dev, skb->len);
	skb_queue_tail(&nd->rxq, skb);
	napi_schedule(&nd->napi);
	local_bh_enable();
	return true;

drop:
	dev_core_stats_rx_dropped_inc(dev);
	kfree_skb(skb);
	return false;
}
