// SPDX-License-Identifier: GPL-2.0-only
/*
 * UDP of unmodified programs.
 *
 * A program's datagrams from one port to one remote are a flow, with a
 * connection of the module that is opened for the first of them and closed when
 * none has passed for a while. Datagrams keep their boundaries. One that the
 * module could not send whole is refused with the error that a router would
 * send; one that it may have cut is dropped: the program cannot tell, but of name
 * servers' answers, which can say it themselves.
 *
 * All is done by the flow's work, and what others tell it is in two queues and a
 * few flags, so that there is no lock but those of the queues. Queueing the work
 * orders what was written before for it.
 */
#include <linux/icmp.h>
#include <linux/ip.h>
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/udp.h>
#include <net/ip.h>

#include "conn.h"
#include "dev.h"
#include "netdev.h"
#include "packet.h"
#include "timing.h"

/* Datagrams that wait for the module, and for the device's receive path. */
#define ATW_UDP_UP_MAX		32
#define ATW_UDP_DOWN_MAX	64
/* Datagrams that the connection is given at a time: what it has is in no budget any more. */
#define ATW_UDP_SENT_MAX	2
#define ATW_DNS_PORT		53

/**
 * enum atw_udp_talk - whose turn it is
 * @ATW_UDP_ANSWERED: nobody waits for anything
 * @ATW_UDP_SENDING: the module is to send what the program has sent
 * @ATW_UDP_ASKED: it has, and the remote has not answered yet
 */
enum atw_udp_talk {
	ATW_UDP_ANSWERED,
	ATW_UDP_SENDING,
	ATW_UDP_ASKED,
};

/**
 * enum atw_udp_bit - what others have said of a flow, behind enum atw_flow_bit
 * @ATW_UDP_BIT_OPENED: @err is valid
 * @ATW_UDP_BIT_CLOSED: the connection has ended
 * @ATW_UDP_BIT_YIELDING: it is to end soon, if it is still idle
 */
enum atw_udp_bit {
	ATW_UDP_BIT_OPENED = ATW_FLOW_BIT_KIND,
	ATW_UDP_BIT_CLOSED,
	ATW_UDP_BIT_YIELDING,
};

/**
 * struct atw_udp - a flow of UDP
 * @flow: what all kinds have
 * @up: packets for the remote
 * @down: datagrams from the remote
 * @conn: with a reference; the work's alone, as what follows up to @since
 * @since: when it began to wait for a socket of the module
 * @used: when the last datagram passed; written by the work alone, as the next two. Who asks
 *	how much the flow is worth looks at them without a lock: it guesses in any case
 * @talk: whose turn it is; released after @asked was written
 * @asked: when it became ATW_UDP_ASKED
 * @err: outcome of the connect
 */
struct atw_udp {
	struct atw_flow		flow;
	struct sk_buff_head	up;
	struct sk_buff_head	down;
	struct atw_conn		*conn;
	unsigned long		since;
	unsigned long		used;
	unsigned long		asked;
	enum atw_udp_talk	talk;
	int			err;
};

static struct atw_udp *to_atw_udp(struct atw_flow *flow)
{
	return container_of(flow, struct atw_udp, flow);
}

/* What the connection tells; its lock is held. */

static void atw_udp_opened(struct atw_conn *c, int err, u32 code)
{
	struct atw_udp *u = c->owner;

	u->err = err;
	/* For the acquire of the work: @err comes first. */
	smp_mb__before_atomic();
	set_bit(ATW_UDP_BIT_OPENED, &u->flow.flags);
	atw_flow_wake(&u->flow);
}

/* It is as long as what was cut. Something may still be made of it. */
static bool atw_udp_mend(const struct atw_udp *u, struct sk_buff *skb)
{
	size_t len;

	if (u->flow.key.rport != htons(ATW_DNS_PORT))
		return false;
	len = atw_packet_dns_cut(skb->data, skb->len);
	if (!len)
		return false;
	skb_trim(skb, len);
	atomic64_inc(&u->flow.nd->counters.dns_truncated);
	return true;
}

static bool atw_udp_rx(struct atw_conn *c, struct sk_buff *skb)
{
	struct atw_udp *u = c->owner;
	struct atw_netdev *nd = u->flow.nd;

	if (skb->len >= ATW_DGRAM_MAX && !atw_udp_mend(u, skb)) {
		atomic64_inc(&nd->counters.udp_maybe_cut);
		kfree_skb(skb);
	} else if (skb_queue_len_lockless(&u->down) >= ATW_UDP_DOWN_MAX) {
		atomic64_inc(&nd->counters.udp_dropped);
		kfree_skb(skb);
	} else {
		skb_queue_tail(&u->down, skb);
		atw_flow_wake(&u->flow);
	}
	return true;
}

static void atw_udp_closed(struct atw_conn *c, int err, u32 code)
{
	struct atw_udp *u = c->owner;

	set_bit(ATW_UDP_BIT_CLOSED, &u->flow.flags);
	atw_flow_wake(&u->flow);
}

static void atw_udp_tx_done(struct atw_conn *c)
{
	struct atw_udp *u = c->owner;

	atw_flow_wake(&u->flow);
}

static const struct atw_conn_ops atw_udp_conn_ops = {
	.opened		= atw_udp_opened,
	.rx		= atw_udp_rx,
	.closed		= atw_udp_closed,
	.tx_done	= atw_udp_tx_done,
};

/* The flow's work */

static void atw_udp_release_conn(struct atw_udp *u, bool abort)
{
	if (!u->conn)
		return;
	atw_conn_close(u->conn, abort, HZ);
	atw_conn_put(u->conn);
	u->conn = NULL;
}

static struct sk_buff *atw_udp_dequeue(struct atw_udp *u)
{
	struct sk_buff *skb = skb_dequeue(&u->up);

	if (skb)
		atw_budget_give(&u->flow.nd->tx_budget, u->flow.share, skb->truesize);
	return skb;
}

/* @err: what to answer to those that were not sent, 0: nothing */
static void atw_udp_drop(struct atw_udp *u, int err)
{
	struct atw_netdev *nd = u->flow.nd;
	struct sk_buff *skb, *answer;

	atw_udp_release_conn(u, err);
	while ((skb = atw_udp_dequeue(u))) {
		if (err) {
			answer = atw_packet_icmp_error(skb, ICMP_HOST_UNREACH,
						       0);
			atw_netdev_receive(nd, answer);
		}
		atomic64_inc(&nd->counters.udp_dropped);
		kfree_skb(skb);
	}
	atw_flow_del(&u->flow);
	atw_flows_retry(&nd->flows);
}

static int atw_udp_connect(struct atw_udp *u)
{
	const struct atw_conn_spec spec = {
		.type = ATW_TYPE_UDP_CLIENT,
		.name = "",
		.addr = ntohl(u->flow.key.raddr),
		.port = ntohs(u->flow.key.rport),
		.share = u->flow.share,
	};
	struct atw_conn *c;

	clear_bit(ATW_UDP_BIT_OPENED, &u->flow.flags);
	clear_bit(ATW_UDP_BIT_CLOSED, &u->flow.flags);
	c = atw_conn_open(&u->flow.nd->adev->module.conns, &spec,
			  &atw_udp_conn_ops, u);
	if (IS_ERR(c))
		return PTR_ERR(c);
	u->conn = c;
	return 0;
}

/* The work alone writes both; others ask by them how much the flow is worth. */
static void atw_udp_use(struct atw_udp *u)
{
	WRITE_ONCE(u->used, jiffies);
}

static void atw_udp_set_talk(struct atw_udp *u, enum atw_udp_talk talk)
{
	/* For the acquire of atw_udp_worth(), which looks at @asked then. */
	smp_store_release(&u->talk, talk);
}

static void atw_udp_down(struct atw_udp *u)
{
	const struct atw_flow_key *key = &u->flow.key;
	struct sk_buff *skb;

	while ((skb = skb_dequeue(&u->down))) {
		atw_udp_use(u);
		atw_udp_set_talk(u, ATW_UDP_ANSWERED);
		atw_netdev_receive(u->flow.nd,
				   atw_packet_udp(key->raddr, key->rport,
						  key->laddr, key->lport,
						  skb->data, skb->len));
		consume_skb(skb);
	}
}

/* One while another is on its way. */
static void atw_udp_up(struct atw_udp *u)
{
	struct sk_buff *skb;

	/* Who asks again after a long time is as patient as at first. */
	if (!skb_queue_empty(&u->up) &&
	    (u->talk == ATW_UDP_ANSWERED ||
	     jiffies - u->used >= atw_timing.udp_patience))
		atw_udp_set_talk(u, ATW_UDP_SENDING);
	while (atw_conn_view(u->conn).dgrams < ATW_UDP_SENT_MAX &&
	       (skb = atw_udp_dequeue(u))) {
		atw_udp_use(u);
		__skb_pull(skb, skb_transport_offset(skb) +
				sizeof(struct udphdr));
		/* An empty one is none to the module. */
		if (!skb->len || skb_linearize(skb) ||
		    atw_conn_send(u->conn, skb)) {
			atomic64_inc(&u->flow.nd->counters.udp_dropped);
			kfree_skb(skb);
		}
	}
	if (u->talk == ATW_UDP_SENDING && !atw_conn_unsent(u->conn)) {
		WRITE_ONCE(u->asked, jiffies);
		atw_udp_set_talk(u, ATW_UDP_ASKED);
	}
}

/* The module has no socket left: wait for one. */
static void atw_udp_wait(struct atw_udp *u)
{
	struct atw_netdev *nd = u->flow.nd;

	if (!atw_flow_is_waiting(&u->flow)) {
		u->since = jiffies;
		atomic64_inc(&nd->counters.waits);
	}
	atw_flow_wait(&u->flow);
}

/* Is it the first of those that wait, or does none? */
static bool atw_udp_may_connect(struct atw_udp *u)
{
	bool may = atw_flow_try(&u->flow);

	if (may || atw_flow_is_waiting(&u->flow))
		return may;
	atw_udp_wait(u);
	return atw_flow_try(&u->flow);
}

static unsigned long atw_udp_idle_limit(const struct atw_udp *u)
{
	return u->flow.key.rport == htons(ATW_DNS_PORT) ? atw_timing.udp_idle_dns :
							   atw_timing.udp_idle;
}

static enum atw_flow_worth atw_udp_worth(struct atw_flow *flow, unsigned long *idle)
{
	struct atw_udp *u = to_atw_udp(flow);

	*idle = atw_since(&u->used);
	if (!test_bit(ATW_UDP_BIT_OPENED, &u->flow.flags) || !skb_queue_empty_lockless(&u->up))
		return ATW_FLOW_NEEDED;
	/* Then @asked can be seen. */
	switch (smp_load_acquire(&u->talk)) {
	case ATW_UDP_ANSWERED:
		return ATW_FLOW_ANSWERED;
	case ATW_UDP_ASKED:
		/* Patience ends: there is no answer to who only tells. */
		return jiffies - READ_ONCE(u->asked) < atw_timing.udp_patience ?
		       ATW_FLOW_SOON : ATW_FLOW_UNANSWERED;
	default:
		return ATW_FLOW_NEEDED;
	}
}

/* It is to end for another one: is it still idle? */
static bool atw_udp_may_yield(struct atw_udp *u)
{
	unsigned long idle;

	return skb_queue_empty(&u->down) &&
	       atw_udp_worth(&u->flow, &idle) <= ATW_FLOW_UNANSWERED;
}

static void atw_udp_step(struct atw_flow *flow)
{
	struct atw_udp *u = to_atw_udp(flow);
	unsigned long limit = atw_udp_idle_limit(u);
	/* Once, for it may be opened meanwhile, or have failed. */
	bool opened = u->conn && test_bit_acquire(ATW_UDP_BIT_OPENED, &u->flow.flags);
	int err = 0;

	if (atw_flow_is_gone(&u->flow))
		return;
	if (test_bit(ATW_FLOW_BIT_ENDING, &u->flow.flags) ||
	    (test_and_clear_bit(ATW_UDP_BIT_YIELDING, &u->flow.flags) && atw_udp_may_yield(u))) {
		if (u->talk != ATW_UDP_ANSWERED)
			atomic64_inc(&u->flow.nd->counters.udp_unanswered);
		atw_udp_drop(u, 0);
		return;
	}
	if (!u->conn && atw_flow_is_waiting(&u->flow) && jiffies - u->since > atw_timing.udp_wait) {
		atw_udp_drop(u, -EHOSTUNREACH);
		return;
	}
	if (!u->conn && atw_udp_may_connect(u)) {
		err = atw_udp_connect(u);
	} else if (opened && u->err) {
		err = u->err;
		atw_udp_release_conn(u, true);
		if (err == -ENOBUFS) {
			atw_udp_wait(u);
			err = 0;
		}
	} else if (opened) {
		if (atw_flow_is_waiting(&u->flow)) {
			atw_flow_done_waiting(&u->flow);
			atw_flows_retry(&u->flow.nd->flows);
		}
		atw_udp_down(u);
		/* Whatever the reason was, the next datagram opens it again. */
		if (test_bit(ATW_UDP_BIT_CLOSED, &u->flow.flags)) {
			atw_udp_drop(u, 0);
			return;
		}
		atw_udp_up(u);
		if (jiffies - u->used > limit) {
			atw_udp_drop(u, 0);
			return;
		}
	}
	if (err)
		atw_udp_drop(u, err);
	else
		atw_flow_tick(&u->flow, atw_flow_is_waiting(&u->flow) ? ATW_FLOW_TICK : limit + 1);
}

/* The table's calls */

static void atw_udp_yield(struct atw_flow *flow)
{
	set_bit(ATW_UDP_BIT_YIELDING, &flow->flags);
	atw_flow_wake(flow);
}

static void atw_udp_release(struct atw_flow *flow)
{
	struct atw_udp *u = to_atw_udp(flow);
	struct sk_buff *skb;

	while ((skb = atw_udp_dequeue(u)))
		kfree_skb(skb);
	skb_queue_purge(&u->down);
	kfree_rcu(u, flow.rcu);
}

static const struct atw_flow_ops atw_udp_flow_ops = {
	.step		= atw_udp_step,
	.yield		= atw_udp_yield,
	.worth		= atw_udp_worth,
	.release	= atw_udp_release,
};

/* The transmit path */

static struct atw_flow *atw_udp_new(struct atw_netdev *nd, const struct atw_flow_key *key, u8 share)
{
	struct atw_udp *u;

	u = kzalloc(sizeof(*u), GFP_ATOMIC | __GFP_NOWARN);
	if (!u)
		return NULL;
	atw_flow_init(&u->flow, nd, key, share, &atw_udp_flow_ops);
	skb_queue_head_init(&u->up);
	skb_queue_head_init(&u->down);
	u->used = jiffies;
	if (atw_flow_add(&u->flow)) {
		atw_flow_put(&u->flow);
		return NULL;
	}
	atomic64_inc(&nd->counters.udp_flows);
	return &u->flow;
}

/**
 * atw_udp_xmit() - a datagram from a program, or a fragment of one
 * @nd: the device
 * @skb: begins with its IP header, which was checked; taken
 *
 * Context: softirq, RCU read-side critical section.
 */
void atw_udp_xmit(struct atw_netdev *nd, struct sk_buff *skb)
{
	struct atw_flow_key key = { .proto = IPPROTO_UDP };
	const struct udphdr *uh;
	struct sk_buff_head *up;
	struct sk_buff *answer;
	struct atw_flow *flow;
	u8 share;
	int len;

	len = atw_packet_udp_len(skb);
	if (len > ATW_DGRAM_MAX) {
		atomic64_inc(&nd->counters.udp_too_long);
		answer = atw_packet_icmp_error(skb, ICMP_FRAG_NEEDED,
					       ATW_NETDEV_MTU);
		atw_netdev_receive(nd, answer);
		goto drop;
	}
	if (len < 0)
		goto drop_counted;

	uh = (const void *)ip_hdr(skb) + ip_hdrlen(skb);
	key.laddr = ip_hdr(skb)->saddr;
	key.raddr = ip_hdr(skb)->daddr;
	key.lport = uh->source;
	key.rport = uh->dest;
	flow = atw_flow_get(&nd->flows, &key);
	share = flow ? flow->share : atw_flow_share(skb, true);
	/* Before there is a flow: one that no datagram waits in would have no work to end it. */
	if (!atw_budget_take(&nd->tx_budget, share, skb->truesize))
		goto put;
	flow = flow ?: atw_udp_new(nd, &key, share);
	if (!flow)
		goto give;
	up = &to_atw_udp(flow)->up;
	if (skb_queue_len_lockless(up) >= ATW_UDP_UP_MAX)
		goto give;
	/* Its sender is charged until it is sent. */
	skb_scrub_packet(skb, true);
	skb_queue_tail(up, skb);
	atw_flow_wake(flow);
	atw_flow_put(flow);
	return;
give:
	atw_budget_give(&nd->tx_budget, share, skb->truesize);
put:
	if (flow)
		atw_flow_put(flow);
drop_counted:
	atomic64_inc(&nd->counters.udp_dropped);
drop:
	kfree_skb(skb);
}
