/* SPDX-License-Identifier: GPL-2.0-only */
/* The network device: programs that know nothing of modules. */
#ifndef _ATWIFI_NETDEV_H
#define _ATWIFI_NETDEV_H

#include <linux/atomic.h>
#include <linux/ip.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <linux/udp.h>
#include <linux/workqueue.h>

#include "budget.h"
#include "flow.h"
#include "relay.h"

struct atw_dev;
struct atw_wiphy;
struct rtable;

/* The longest packet that the module can carry as it is: TCP is cut by itself. */
#define ATW_NETDEV_MTU		(ATW_DGRAM_MAX + sizeof(struct iphdr) + \
				 sizeof(struct udphdr))

/**
 * struct atw_proxy - the sockets behind the device, see flow_tcp.c
 * @sock: the listener; written in process context, with @sk
 * @sk: its socket for the transmit path; RCU; NULL: there is none any more
 * @data_ready: its callback before it was ours
 * @accept: takes the sockets that it accepted, again where there was no memory for one
 * @hook: takes what these send
 * @incoming: connections of remotes that there are
 */
struct atw_proxy {
	struct socket		*sock;
	struct sock __rcu	*sk;
	void			(*data_ready)(struct sock *sk);
	struct delayed_work	accept;
	struct nf_hook_ops	hook;
	atomic_t		incoming;
};

/**
 * struct atw_netdev_counters - what ethtool -S shows
 *
 * Written from several contexts without a lock.
 */
struct atw_netdev_counters {
	atomic64_t	tcp_flows;
	atomic64_t	tcp_incoming;
	atomic64_t	tcp_refused;
	atomic64_t	tcp_unreachable;
	atomic64_t	tcp_timed_out;
	atomic64_t	tcp_given_up;
	atomic64_t	tcp_resets;
	atomic64_t	tcp_aborts;
	atomic64_t	tcp_unfinished;
	atomic64_t	udp_flows;
	atomic64_t	udp_too_long;
	atomic64_t	udp_maybe_cut;
	atomic64_t	dns_truncated;
	atomic64_t	udp_dropped;
	atomic64_t	udp_unanswered;
	atomic64_t	evictions;
	atomic64_t	waits;
	atomic64_t	probes;
	atomic64_t	dhcp_replies;
	atomic64_t	pings;
};

/**
 * enum atw_netdev_bit - what becomes of a network device
 * @ATW_NETDEV_BIT_REGISTERED: it is
 * @ATW_NETDEV_BIT_ASLEEP: so is its module: what is sent is dropped
 * @ATW_NETDEV_BIT_DYING: its work does nothing any more. Set before the work is cancelled, so
 *	that it need not be seen at once; who answers an echo looks at it under RCU, for
 *	which whoever frees the device waits
 */
enum atw_netdev_bit {
	ATW_NETDEV_BIT_REGISTERED,
	ATW_NETDEV_BIT_ASLEEP,
	ATW_NETDEV_BIT_DYING,
};

/**
 * struct atw_netdev - the private part of the net_device
 * @dev: the net_device
 * @adev: the device it belongs to, which outlives it
 * @wiphy: what Wi-Fi programs see, or NULL
 * @napi: the receive path, and the transmit path's second half
 * @rxq: what waits for the former
 * @txq: what waits for the latter
 * @local: the route of packets that are for the sockets behind the device
 * @flows: what it carries
 * @proxy: its TCP
 * @rx_budget: of streams for programs that do not read
 * @tx_budget: of datagrams for the module, which machines behind this one send
 *	without being charged for them
 * @pingq: echo requests for @ping_work
 * @ping_work: makes requests of them
 * @pinging: users of whom there is one, which is over when the bit is cleared
 * @pinged: when each user's last was over; none of his is sent for @pinged.pause after that;
 *	both written by the channel's thread before the bit is cleared
 * @evicted: when a flow was ended for another one; the channel's thread's alone
 * @work: follows the module's state
 * @addr: address of the module when it joined, host order; the work's alone
 * @flags: enum atw_netdev_bit, by atomic operations
 * @counters: see there
 */
struct atw_netdev {
	struct net_device		*dev;
	struct atw_dev			*adev;
	struct atw_wiphy		*wiphy;
	struct napi_struct		napi;
	struct sk_buff_head		rxq;
	struct sk_buff_head		txq;
	struct rtable			*local;
	struct atw_flows		flows;
	struct atw_proxy		proxy;
	struct atw_budget		rx_budget;
	struct atw_budget		tx_budget;
	struct sk_buff_head		pingq;
	struct work_struct		ping_work;
	DECLARE_BITMAP(pinging, ATW_SHARES);
	struct {
		unsigned long		at;
		unsigned long		pause;
	}				pinged[ATW_SHARES];
	unsigned long			evicted;
	struct delayed_work		work;
	u32				addr;
	unsigned long			flags;
	struct atw_netdev_counters	counters;
};

#if IS_ENABLED(CONFIG_ATWIFI_NETDEV)
struct atw_netdev *atw_netdev_create(struct atw_dev *adev);
void atw_netdev_destroy(struct atw_netdev *nd);
void atw_netdev_free(struct atw_netdev *nd);
void atw_netdev_changed(struct atw_netdev *nd);
void atw_netdev_associated(struct atw_netdev *nd);
void atw_netdev_hurry(struct atw_netdev *nd);
bool atw_netdev_no_slot(struct atw_netdev *nd, u8 share, const u16 *has);
void atw_netdev_freed(struct atw_netdev *nd);
#else
static inline struct atw_netdev *atw_netdev_create(struct atw_dev *adev)
{
	return NULL;
}

static inline void atw_netdev_destroy(struct atw_netdev *nd)
{
}

static inline void atw_netdev_free(struct atw_netdev *nd)
{
}

static inline void atw_netdev_changed(struct atw_netdev *nd)
{
}

static inline void atw_netdev_associated(struct atw_netdev *nd)
{
}

static inline bool atw_netdev_no_slot(struct atw_netdev *nd, u8 share, const u16 *has)
{
	return false;
}

static inline void atw_netdev_freed(struct atw_netdev *nd)
{
}

static inline void atw_netdev_hurry(struct atw_netdev *nd)
{
}
#endif

/* netdev_rx.c */
bool atw_netdev_receive(struct atw_netdev *nd, struct sk_buff *skb);

/* flow_tcp.c */
int atw_tcp_start(struct atw_netdev *nd);
void atw_tcp_stop(struct atw_netdev *nd);
void atw_tcp_stopped(struct atw_netdev *nd);
void atw_tcp_xmit(struct atw_netdev *nd, struct sk_buff *skb);
bool atw_tcp_icmp(struct atw_netdev *nd, struct sk_buff *skb);
int atw_tcp_incoming(struct atw_netdev *nd, struct atw_conn *server,
		     __be32 addr, __be16 port);

/* flow_udp.c */
void atw_udp_xmit(struct atw_netdev *nd, struct sk_buff *skb);

#endif
