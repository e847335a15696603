// SPDX-License-Identifier: GPL-2.0-only
/*
 * The network device.
 *
 * To the kernel it is a plain Ethernet device without ARP that speaks IPv4.
 * What is sent through it is sorted here, behind a NAPI, so that a program's
 * packet never enters TCP again from inside of a transmit: TCP and UDP become
 * connections of the module (flow_tcp.c, flow_udp.c), the rest is answered as a
 * network would. What comes for programs is received by the device like what
 * comes from a wire.
 */
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/icmp.h>
#include <linux/if_arp.h>
#include <linux/inetdevice.h>
#include <linux/iopoll.h>
#include <linux/ip.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rtnetlink.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/tcp.h>

#include "cfg80211.h"
#include "compat_net.h"
#include "dev.h"
#include "dhcp.h"
#include "netdev.h"
#include "packet.h"
#include "query.h"
#include "timing.h"

/* Packets that wait for the NAPI on their way from programs. */
#define ATW_TXQ_MAX	1024
/* How long the last packets for programs, resets among them, may take to be received; in us. */
#define ATW_RXQ_FLUSH	1000000
/* The part of the module's time, inverse, that echo requests of a user may have. */
#define ATW_PING_PART	4
/* For so long there is none of a user's for whom it is not the time for one. */
#define ATW_PING_PAUSE	(4 * HZ)
/* Flows are ended for others one at a time. */
#define ATW_EVICT_PAUSE	(HZ / 5)

static bool atw_netdev_is_unicast(const struct atw_netdev *nd, const struct sk_buff *skb)
{
	struct atw_lease lease = atw_module_lease(&nd->adev->module);

	return atw_packet_is_unicast(skb, htonl(atw_dhcp_broadcast(&lease)));
}

/* Is it to the DHCP server that the device is? Answers it then. */
static bool atw_netdev_dhcp(struct atw_netdev *nd, struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);
	struct atw_dhcp_reply *reply;
	unsigned int off = ip_hdrlen(skb);
	const struct udphdr *uh;
	struct atw_lease lease;
	size_t len;

	if (iph->protocol != IPPROTO_UDP || ip_is_fragment(iph) ||
	    !pskb_may_pull(skb, off + sizeof(*uh)))
		return false;
	iph = ip_hdr(skb);
	uh = (const void *)iph + off;
	lease = atw_module_lease(&nd->adev->module);
	if (uh->dest != htons(ATW_DHCP_SERVER_PORT) ||
	    (!ipv4_is_lbcast(iph->daddr) &&
	     iph->daddr != htonl(atw_dhcp_server(&lease))))
		return false;
	len = ntohs(uh->len);
	if (len < sizeof(*uh) || len > skb->len - off || skb_linearize(skb))
		return true;
	reply = kmalloc(sizeof(*reply), GFP_ATOMIC);
	if (!reply)
		return true;
	if (atw_dhcp_answer(&lease, nd->dev->dev_addr,
			    skb->data + off + sizeof(*uh), len - sizeof(*uh),
			    reply)) {
		atomic64_inc(&nd->counters.dhcp_replies);
		atw_netdev_receive(nd,
				   atw_packet_udp(htonl(atw_dhcp_server(&lease)),
						  htons(ATW_DHCP_SERVER_PORT),
						  htonl(reply->daddr),
						  htons(ATW_DHCP_CLIENT_PORT),
						  reply->buf, reply->len));
	}
	kfree(reply);
	return true;
}

/**
 * struct atw_ping - an echo request that the module is to send
 * @nd: the device
 * @skb: the request
 */
struct atw_ping {
	struct atw_netdev	*nd;
	struct sk_buff		*skb;
};

/* Whose it is, see atw_share_index(): its socket is let go of. */
static u8 *atw_netdev_ping_share(struct sk_buff *skb)
{
	return (u8 *)skb->cb;
}

static void atw_netdev_ping_over(struct atw_netdev *nd, struct sk_buff *skb)
{
	clear_bit(*atw_netdev_ping_share(skb), nd->pinging);
	kfree_skb(skb);
}

/* None of this user's for so long. */
static void atw_netdev_ping_rest(struct atw_netdev *nd, u8 share, unsigned long pause)
{
	WRITE_ONCE(nd->pinged[share].pause, pause);
	WRITE_ONCE(nd->pinged[share].at, jiffies);
}

static int atw_netdev_ping_run(struct atw_module *m, void *arg)
{
	u64 since = atw_conns_now(&m->conns);
	unsigned long start = jiffies;
	struct atw_ping *ping = arg;
	struct atw_netdev *nd = ping->nd;
	u8 share = *atw_netdev_ping_share(ping->skb);
	int err;

	err = atw_query_ping(m, ntohl(ip_hdr(ping->skb)->daddr));
	atw_netdev_ping_rest(nd, share, (jiffies - start) * (ATW_PING_PART - 1));
	atw_module_charge(m, share, since);
	if (err)
		return err;
	rcu_read_lock();
	if (!test_bit(ATW_NETDEV_BIT_DYING, &nd->flags)) {
		atomic64_inc(&nd->counters.pings);
		atw_netdev_receive(nd, atw_packet_icmp_echo_reply(ping->skb));
	}
	rcu_read_unlock();
	return 0;
}

static void atw_netdev_ping_release(void *arg)
{
	struct atw_ping *ping = arg;

	atw_netdev_ping_over(ping->nd, ping->skb);
}

/* Requests are made where memory may be waited for. */
static void atw_netdev_ping_work(struct work_struct *work)
{
	struct atw_netdev *nd = container_of(work, struct atw_netdev,
					     ping_work);
	struct atw_request *request;
	struct atw_ping *ping;
	struct sk_buff *skb;
	u8 share;

	while ((skb = skb_dequeue(&nd->pingq))) {
		/* The module leaves transparent mode for what is asked. */
		share = *atw_netdev_ping_share(skb);
		if (atw_conns_must_wait(&nd->adev->module.conns, share)) {
			atw_netdev_ping_rest(nd, share, ATW_PING_PAUSE);
			atw_netdev_ping_over(nd, skb);
			continue;
		}
		request = atw_request_new(sizeof(*ping), atw_netdev_ping_run);
		if (!request) {
			atw_netdev_ping_over(nd, skb);
			continue;
		}
		ping = (struct atw_ping *)request->arg;
		ping->nd = nd;
		ping->skb = skb;
		request->idle = true;
		request->release = atw_netdev_ping_release;
		/* Refused, it is lost, as on a network. */
		atw_module_queue(&nd->adev->module, request);
		atw_request_put(request);
	}
}

/* May one of this user's be sent? Then no other of his may, until it is over. */
static bool atw_netdev_may_ping(struct atw_netdev *nd, u8 share)
{
	unsigned long at = READ_ONCE(nd->pinged[share].at);

	return jiffies - at >= READ_ONCE(nd->pinged[share].pause) &&
	       !test_and_set_bit(share, nd->pinging);
}

/* Is it an echo request? Takes it then. */
static bool atw_netdev_ping(struct atw_netdev *nd, struct sk_buff *skb)
{
	unsigned int off = ip_hdrlen(skb);
	const struct icmphdr *icmph;
	u8 share;

	if (ip_hdr(skb)->protocol != IPPROTO_ICMP ||
	    ip_is_fragment(ip_hdr(skb)) ||
	    !pskb_may_pull(skb, off + sizeof(*icmph)))
		return false;
	icmph = (const void *)ip_hdr(skb) + off;
	if (icmph->type != ICMP_ECHO || icmph->code)
		return false;
	share = atw_flow_share(skb, false);
	/* What the module sends is not this one: its remote cannot check it. */
	if (nf_ip_checksum(skb, NF_INET_LOCAL_IN, off, 0) || !atw_netdev_may_ping(nd, share)) {
		kfree_skb(skb);
		return true;
	}
	atw_packet_take(skb);
	*atw_netdev_ping_share(skb) = share;
	skb_queue_tail(&nd->pingq, skb);
	queue_work(atw_netdev_wq, &nd->ping_work);
	return true;
}

/*
 * Is it not meant to go as far as the module would send it? The module has a TTL of its
 * own. The first router answers what a router answers; what is to find the next ones is
 * refused, since no word of theirs would come back, and each would take a socket.
 */
static bool atw_netdev_expires(struct atw_netdev *nd, struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);
	u8 type = ICMP_DEST_UNREACH;
	u8 code = ICMP_PKT_FILTERED;
	struct atw_lease lease;

	if (iph->ttl > ATW_PACKET_PROBE_TTL || iph->protocol == IPPROTO_ICMP)
		return false;
	lease = atw_module_lease(&nd->adev->module);
	if (iph->ttl <= 1 && (ntohl(iph->daddr) ^ lease.addr) & atw_dhcp_mask(&lease)) {
		type = ICMP_TIME_EXCEEDED;
		code = ICMP_EXC_TTL;
	} else if (!atw_packet_is_probe(skb)) {
		return false;
	}
	atomic64_inc(&nd->counters.probes);
	atw_netdev_receive(nd, atw_packet_icmp(skb, htonl(atw_dhcp_server(&lease)), type, code, 0));
	return true;
}

/* A packet with an Ethernet header, as it was transmitted. */
static void atw_netdev_sort(struct atw_netdev *nd, struct sk_buff *skb)
{
	const struct iphdr *iph;

	/* It may stay in a socket: that is no time to hold its sender's pages. */
	if (skb_orphan_frags_rx(skb, GFP_ATOMIC) || !atw_packet_check(skb))
		goto unknown;
	/* An answer to a macvlan's program would not reach it: no socket is spent on one. */
	if (!ether_addr_equal(eth_hdr(skb)->h_source, nd->dev->dev_addr)) {
		dev_core_stats_tx_dropped_inc(nd->dev);
		goto unknown;
	}
	if (atw_netdev_dhcp(nd, skb) || !atw_netdev_is_unicast(nd, skb) ||
	    atw_netdev_expires(nd, skb))
		goto unknown;
	if (atw_netdev_ping(nd, skb))
		return;
	if (ip_hdr(skb)->protocol == IPPROTO_ICMP && atw_tcp_icmp(nd, skb))
		return;
	iph = ip_hdr(skb);
	if (iph->protocol == IPPROTO_TCP) {
		/* No TCP of today makes fragments. */
		if (ip_is_fragment(iph))
			goto unknown;
		atw_tcp_xmit(nd, skb);
		return;
	}
	if (iph->protocol == IPPROTO_UDP) {
		atw_udp_xmit(nd, skb);
		return;
	}
	atw_netdev_receive(nd, atw_packet_icmp_error(skb, ICMP_PROT_UNREACH, 0));
unknown:
	/* Neighbours' noise, IPv6 among it: no reason to count errors. */
	consume_skb(skb);
}

static int atw_netdev_poll(struct napi_struct *napi, int budget)
{
	struct atw_netdev *nd = container_of(napi, struct atw_netdev, napi);
	struct sk_buff *skb;
	int done = 0;

	while (done < budget && (skb = skb_dequeue(&nd->rxq))) {
		netif_receive_skb(skb);
		done++;
	}
	while (done < budget && (skb = skb_dequeue(&nd->txq))) {
		rcu_read_lock();
		atw_netdev_sort(nd, skb);
		rcu_read_unlock();
		done++;
	}
	if (done < budget && napi_complete_done(napi, done) &&
	    !(skb_queue_empty(&nd->rxq) && skb_queue_empty(&nd->txq)))
		napi_schedule(napi);
	return done;
}

static netdev_tx_t atw_netdev_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct atw_netdev *nd = netdev_priv(dev);

	/* A device without a queue is not stopped: that would be taken for a mistake. */
	if (test_bit(ATW_NETDEV_BIT_ASLEEP, &nd->flags) ||
	    skb_queue_len_lockless(&nd->txq) >= ATW_TXQ_MAX) {
		dev_core_stats_tx_dropped_inc(dev);
		kfree_skb(skb);
		return NETDEV_TX_OK;
	}
	skb_reset_mac_header(skb);
	skb_dst_force(skb);
	skb_tx_timestamp(skb);
	dev_sw_netstats_tx_add(dev, skb_is_gso(skb) ? skb_shinfo(skb)->gso_segs : 1, skb->len);
	skb_queue_tail(&nd->txq, skb);
	napi_schedule(&nd->napi);
	return NETDEV_TX_OK;
}

static int atw_netdev_open(struct net_device *dev)
{
	struct atw_netdev *nd = netdev_priv(dev);

	napi_enable(&nd->napi);
	/* Some may have come since it was stopped. */
	local_bh_disable();
	napi_schedule(&nd->napi);
	local_bh_enable();
	return 0;
}

/* The flows stay: programs do not notice a device that comes back soon. */
static int atw_netdev_stop(struct net_device *dev)
{
	struct atw_netdev *nd = netdev_priv(dev);

	napi_disable(&nd->napi);
	skb_queue_purge(&nd->rxq);
	skb_queue_purge(&nd->txq);
	return 0;
}

static int atw_netdev_init(struct net_device *dev)
{
	struct atw_netdev *nd = netdev_priv(dev);

	nd->local = rt_dst_alloc(dev, RTCF_LOCAL, RTN_LOCAL, true);
	return nd->local ? 0 : -ENOMEM;
}

static void atw_netdev_uninit(struct net_device *dev)
{
	struct atw_netdev *nd = netdev_priv(dev);

	/* A socket that is being freed may have it a little longer. */
	dst_dev_put(&nd->local->dst);
	dst_release(&nd->local->dst);
	/* What came while it was being stopped. */
	skb_queue_purge(&nd->rxq);
	skb_queue_purge(&nd->txq);
}

static const struct net_device_ops atw_netdev_ops = {
	.ndo_init		= atw_netdev_init,
	.ndo_uninit		= atw_netdev_uninit,
	.ndo_open		= atw_netdev_open,
	.ndo_stop		= atw_netdev_stop,
	.ndo_start_xmit		= atw_netdev_xmit,
	.ndo_get_stats64	= dev_get_tstats64,
	.ndo_validate_addr	= eth_validate_addr,
};

static const struct {
	char		name[ETH_GSTRING_LEN];
	size_t		offset;
} atw_netdev_stats[] = {
#define ATW_STAT(_name)	{ #_name, offsetof(struct atw_netdev_counters, _name) +		\
			  ATW_IS_COUNTER(struct atw_netdev_counters, _name) }
	ATW_STAT(tcp_flows),
	ATW_STAT(tcp_incoming),
	ATW_STAT(tcp_refused),
	ATW_STAT(tcp_unreachable),
	ATW_STAT(tcp_timed_out),
	ATW_STAT(tcp_given_up),
	ATW_STAT(tcp_resets),
	ATW_STAT(tcp_aborts),
	ATW_STAT(tcp_unfinished),
	ATW_STAT(udp_flows),
	ATW_STAT(udp_too_long),
	ATW_STAT(udp_maybe_cut),
	ATW_STAT(dns_truncated),
	ATW_STAT(udp_dropped),
	ATW_STAT(udp_unanswered),
	ATW_STAT(evictions),
	ATW_STAT(waits),
	ATW_STAT(probes),
	ATW_STAT(dhcp_replies),
	ATW_STAT(pings),
#undef ATW_STAT
};

static void atw_netdev_get_drvinfo(struct net_device *dev,
				   struct ethtool_drvinfo *info)
{
	const struct atw_netdev *nd = netdev_priv(dev);

	strscpy(info->driver, KBUILD_MODNAME, sizeof(info->driver));
	/* The thread may be writing it: it always ends within its array. */
	strscpy(info->fw_version, nd->adev->module.firmware,
		sizeof(info->fw_version));
	strscpy(info->bus_info, dev_name(&nd->adev->dev),
		sizeof(info->bus_info));
}

/*
 * The names of those that are not the flows' counters, before the names of these:
 * what there is now, and counters of the module, whose sockets have a part in them
 * too.
 */
static const char atw_netdev_others[][ETH_GSTRING_LEN] = {
	"flows_tcp",
	"flows_udp",
	"ids_in_use",
	"resets",
	"overflows",
	"damaged",
	"yielded",
};

static int atw_netdev_count_id(const struct atw_conn_info *info, void *arg)
{
	u64 *n = arg;

	*n += info->id != ATW_NO_ID;
	return 0;
}

static int atw_netdev_get_sset_count(struct net_device *dev, int sset)
{
	if (sset != ETH_SS_STATS)
		return -EOPNOTSUPP;
	return ARRAY_SIZE(atw_netdev_others) + ARRAY_SIZE(atw_netdev_stats);
}

static void atw_netdev_get_strings(struct net_device *dev, u32 sset, u8 *data)
{
	size_t i;

	if (sset != ETH_SS_STATS)
		return;
	memcpy(data, atw_netdev_others, sizeof(atw_netdev_others));
	data += sizeof(atw_netdev_others);
	for (i = 0; i < ARRAY_SIZE(atw_netdev_stats); i++)
		memcpy(data + i * ETH_GSTRING_LEN, atw_netdev_stats[i].name,
		       ETH_GSTRING_LEN);
}

static void atw_netdev_get_stats(struct net_device *dev,
				 struct ethtool_stats *stats, u64 *data)
{
	struct atw_netdev *nd = netdev_priv(dev);
	struct atw_conns *cs = &nd->adev->module.conns;
	u64 ids = 0;
	size_t i;

	*data++ = atw_flows_count(&nd->flows, IPPROTO_TCP);
	*data++ = atw_flows_count(&nd->flows, IPPROTO_UDP);
	atw_conns_for_each(cs, atw_netdev_count_id, &ids);
	*data++ = ids;
	*data++ = atomic64_read(&cs->counts.resets);
	*data++ = atomic64_read(&cs->counts.overflows);
	*data++ = atomic64_read(&cs->counts.damaged);
	*data++ = atomic64_read(&cs->counts.yielded);
	for (i = 0; i < ARRAY_SIZE(atw_netdev_stats); i++)
		data[i] = atomic64_read((const void *)&nd->counters +
					atw_netdev_stats[i].offset);
}

static const struct ethtool_ops atw_netdev_ethtool_ops = {
	.get_drvinfo		= atw_netdev_get_drvinfo,
	.get_link		= ethtool_op_get_link,
	.get_ts_info		= ethtool_op_get_ts_info,
	.get_sset_count		= atw_netdev_get_sset_count,
	.get_strings		= atw_netdev_get_strings,
	.get_ethtool_stats	= atw_netdev_get_stats,
};

static void atw_netdev_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &atw_netdev_ops;
	dev->ethtool_ops = &atw_netdev_ethtool_ops;
	dev->flags |= IFF_NOARP;
	dev->flags &= ~IFF_MULTICAST;
	/* Frames of others, and answers to them, would not find their way. */
	dev->priv_flags |= IFF_NO_QUEUE | IFF_DONT_BRIDGE;
	/* What is sent is changed. */
	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
	netif_keep_dst(dev);
	dev->features = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HW_CSUM |
			NETIF_F_HIGHDMA | NETIF_F_ALL_TSO;
	dev->hw_features = dev->features;
	dev->hw_enc_features = dev->features;
	dev->features |= NETIF_F_VLAN_CHALLENGED;
	/* Less than IPv6 needs, which the module has not. */
	dev->mtu = ATW_NETDEV_MTU;
	/* With less TCP makes fragments of its smallest segments. */
	dev->min_mtu = sizeof(struct iphdr) + sizeof(struct tcphdr) + TCP_MIN_SND_MSS;
	dev->max_mtu = ETH_MAX_MTU;
	atw_net_no_addrconf(dev);
	atw_net_set_immutable(dev);
}

static int atw_netdev_register(struct atw_netdev *nd)
{
	const struct atw_module *m = &nd->adev->module;
	struct net_device *dev = nd->dev;
	struct in_device *in_dev;
	int err;

	if (is_valid_ether_addr(m->mac))
		eth_hw_addr_set(dev, m->mac);
	else
		eth_hw_addr_random(dev);
	netif_carrier_off(dev);
	err = atw_wiphy_register(nd->wiphy);
	if (err)
		dev_err(m->dev, "programs for Wi-Fi will not see it: error %d\n", err);

	rtnl_lock();
	err = register_netdevice(dev);
	if (err == -EEXIST && dev->reg_state == NETREG_UNINITIALIZED) {
		/* Somebody has given this name to another one. */
		strscpy(dev->name, "atw%d", IFNAMSIZ);
		err = register_netdevice(dev);
	}
	/*
	 * Without a carrier nothing that is sent would come to us, to be
	 * answered: the routes must be seen to be of no use.
	 */
	in_dev = err ? NULL : __in_dev_get_rtnl(dev);
	if (in_dev)
		IN_DEV_CONF_SET(in_dev, IGNORE_ROUTES_WITH_LINKDOWN, 1);
	rtnl_unlock();
	if (err)
		goto err_wiphy;

	err = atw_tcp_start(nd);
	if (err)
		goto err_unregister;
	atw_wiphy_start(nd->wiphy);
	return 0;

err_unregister:
	/* Datagrams may have passed already. */
	atw_flows_end(&nd->flows);
	unregister_netdev(dev);
err_wiphy:
	atw_wiphy_unregister(nd->wiphy);
	return err;
}

/* Register the device when the module was found, and follow its link. */
static void atw_netdev_work(struct work_struct *work)
{
	struct atw_netdev *nd = container_of(to_delayed_work(work),
					     struct atw_netdev, work);
	struct atw_module *m = &nd->adev->module;
	u32 addr = atw_module_addr(m);
	bool up = atw_module_state(m) == ATW_MODULE_JOINED;
	int err;

	if (test_bit(ATW_NETDEV_BIT_DYING, &nd->flags))
		return;
	if (atw_module_state(m) == ATW_MODULE_ASLEEP) {
		set_bit(ATW_NETDEV_BIT_ASLEEP, &nd->flags);
		netif_carrier_off(nd->dev);
		return;
	}
	if (!test_bit(ATW_NETDEV_BIT_REGISTERED, &nd->flags)) {
		/* It answers before its address is known. Pairs with atw_module_do_bring_up(). */
		if (!atomic64_read_acquire(&m->bringups))
			return;
		err = atw_netdev_register(nd);
		if (err) {
			dev_err(m->dev, "no network device: error %d\n", err);
			/* It can be registered only once. */
			set_bit(ATW_NETDEV_BIT_DYING, &nd->flags);
			return;
		}
		set_bit(ATW_NETDEV_BIT_REGISTERED, &nd->flags);
		WRITE_ONCE(nd->adev->ifindex, nd->dev->ifindex);
	}
	clear_bit(ATW_NETDEV_BIT_ASLEEP, &nd->flags);
	if (!up) {
		netif_carrier_off(nd->dev);
	} else if (netif_carrier_ok(nd->dev) && addr != nd->addr) {
		/* Who has asked for the address must ask again. */
		netif_carrier_off(nd->dev);
		queue_delayed_work(atw_netdev_wq, &nd->work, atw_timing.bounce);
	} else {
		netif_carrier_on(nd->dev);
	}
	nd->addr = addr;
}

/**
 * atw_netdev_changed() - the module's state or address has changed
 * @nd: the device
 *
 * Context: the channel's thread, or while that is paused.
 */
void atw_netdev_changed(struct atw_netdev *nd)
{
	atw_wiphy_changed(nd->wiphy);
	/* A bounce that is going on ends with what is known then. */
	queue_delayed_work(atw_netdev_wq, &nd->work, 0);
}

/**
 * atw_netdev_associated() - the module says that it is in a network
 * @nd: the device
 *
 * Context: any but hard interrupts.
 */
void atw_netdev_associated(struct atw_netdev *nd)
{
	atw_wiphy_associated(nd->wiphy);
}

/**
 * atw_netdev_hurry() - have what has changed be done at once, for who waits for it
 * @nd: the device; atw_netdev_wq is to be flushed then
 *
 * Context: any.
 */
void atw_netdev_hurry(struct atw_netdev *nd)
{
	mod_delayed_work(atw_netdev_wq, &nd->work, 0);
}

/**
 * atw_netdev_no_slot() - a socket of the module is needed
 * @nd: the device
 * @share: by this user, whatever he needs it for
 * @has: how many each user has, see atw_conns_count_sockets()
 *
 * A flow that is of little use is ended for it.
 *
 * Context: the channel's thread.
 * Return: whether one will be free soon.
 */
bool atw_netdev_no_slot(struct atw_netdev *nd, u8 share, const u16 *has)
{
	int err;

	if (jiffies - nd->evicted < ATW_EVICT_PAUSE)
		return true;
	err = atw_flows_evict(&nd->flows, share, has, READ_ONCE(nd->adev->yield_after) * HZ);
	if (err)
		return err == -EAGAIN;
	nd->evicted = jiffies;
	atomic64_inc(&nd->counters.evictions);
	return true;
}

/**
 * atw_netdev_freed() - the module may have a socket again
 * @nd: the device
 *
 * Context: the channel's thread.
 */
void atw_netdev_freed(struct atw_netdev *nd)
{
	atw_flows_retry(&nd->flows);
}

/**
 * atw_netdev_create() - make the network device of a module
 * @adev: the device, named
 *
 * It is registered when the module was found: then its address is known.
 *
 * Context: process context.
 * Return: the device for atw_netdev_destroy(); NULL, where the driver was built without
 * one; or ERR_PTR(-ENOMEM).
 */
struct atw_netdev *atw_netdev_create(struct atw_dev *adev)
{
	struct atw_netdev *nd;
	struct net_device *dev;

	dev = alloc_netdev(sizeof(*nd), dev_name(&adev->dev), NET_NAME_ENUM,
			   atw_netdev_setup);
	if (!dev)
		return ERR_PTR(-ENOMEM);
	dev_net_set(dev, adev->net);
	SET_NETDEV_DEV(dev, &adev->dev);
	nd = netdev_priv(dev);
	nd->dev = dev;
	nd->adev = adev;
	skb_queue_head_init(&nd->rxq);
	skb_queue_head_init(&nd->txq);
	netif_napi_add(dev, &nd->napi, atw_netdev_poll);
	atw_flows_begin(&nd->flows);
	skb_queue_head_init(&nd->pingq);
	INIT_WORK(&nd->ping_work, atw_netdev_ping_work);
	nd->evicted = jiffies - ATW_EVICT_PAUSE;
	INIT_DELAYED_WORK(&nd->work, atw_netdev_work);
	nd->wiphy = atw_wiphy_create(adev, dev);
	if (atw_net_alloc_stats(dev) || (IS_ENABLED(CONFIG_ATWIFI_CFG80211) && !nd->wiphy)) {
		atw_netdev_free(nd);
		return ERR_PTR(-ENOMEM);
	}
	return nd;
}

/**
 * atw_netdev_destroy() - take it away
 * @nd: the device
 *
 * All flows are ended: programs see resets. The module's channel must still
 * run, or be about to be stopped.
 *
 * Context: process context; takes the RTNL.
 */
void atw_netdev_destroy(struct atw_netdev *nd)
{
	bool empty;

	set_bit(ATW_NETDEV_BIT_DYING, &nd->flags);
	cancel_delayed_work_sync(&nd->work);
	WRITE_ONCE(nd->adev->ifindex, 0);
	if (test_bit(ATW_NETDEV_BIT_REGISTERED, &nd->flags)) {
		atw_tcp_stop(nd);
		atw_flows_end(&nd->flows);
		/* What is left of works finds that it is over. */
		flush_workqueue(atw_relay_wq);
		atw_tcp_stopped(nd);
		/* Programs are to hear of it before the device is gone. */
		read_poll_timeout(skb_queue_empty_lockless, empty, empty, 1000,
				  ATW_RXQ_FLUSH, false, &nd->rxq);
		unregister_netdev(nd->dev);
		atw_wiphy_unregister(nd->wiphy);
	}
	cancel_work_sync(&nd->ping_work);
	skb_queue_purge(&nd->pingq);
}

/**
 * atw_netdev_free() - free its memory
 * @nd: the device; the channel's thread has ended, and nobody calls atw_netdev_changed()
 *
 * Context: process context.
 */
void atw_netdev_free(struct atw_netdev *nd)
{
	struct atw_wiphy *wiphy = nd->wiphy;

	cancel_delayed_work_sync(&nd->work);
	cancel_delayed_work_sync(&nd->flows.look);
	atw_net_free_stats(nd->dev);
	free_netdev(nd->dev);
	atw_wiphy_free(wiphy);
}
