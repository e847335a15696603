// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP of unmodified programs.
 *
 * The kernel's own TCP ends a program's connection, on a socket behind the
 * network device; a relay moves the bytes between that socket and a connection
 * of the module. There is no TCP state here.
 *
 * Up: a program's SYN is held, and what it repeats dropped, while the module
 * connects. When the remote has accepted, the SYN is handed to TCP together
 * with a listener, which is in no table: nobody else reaches it. The listener
 * is transparent, so the socket that it accepts has the remote's address. When
 * the remote has not accepted, the program is told what a router or the remote
 * itself would have said. All later segments go straight to TCP: routing,
 * netfilter and taps have seen them when they left.
 *
 * Down: a hook at LOCAL_OUT takes what these sockets send, and the device
 * receives it. The sockets of a device are known by a mark, which all that they
 * send inherits, what is sent for them without a socket too, together with the
 * flow, so that a user's equal mark does no harm.
 *
 * What fails ends with a reset for the program, which may wait for nothing but that. TCP
 * sends it once, and without memory not at all: the hook sees whether it came by, and the
 * flow stays until one has.
 *
 * A flow is driven by its work, its relay's calls and accepted sockets, under
 * a mutex; the transmit path shares the held SYN and the state with them.
 *
 * Connections that the module has accepted go the other way round: a socket
 * behind the device, with the address of the remote, connects to a program. The
 * program's machine sees what a NIC would have received.
 */
#include <linux/icmp.h>
#include <linux/ip.h>
#include <linux/netfilter_ipv4.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <net/inet_hashtables.h>
#include <net/inet_timewait_sock.h>
#include <net/ip.h>
#include <net/protocol.h>
#include <net/tcp.h>

#include "compat_sock.h"
#include "dev.h"
#include "netdev.h"
#include "packet.h"
#include "timing.h"

/* With the number of the device added: networks of two may be the same. */
#define ATW_PROXY_MARK		0x61740000
#define ATW_PROXY_BACKLOG	1024
/* What the socket of the kernel may hold for a program that reads slowly. */
#define ATW_PROXY_SNDBUF	(256 * 1024)
/*
 * And of what a program sends: little, since that is acknowledged, and waits for the UART then.
 * Two segments keep TCP going.
 */
#define ATW_PROXY_RCVBUF_MIN	4096
#define ATW_PROXY_RCVBUF_MAX	(128 * 1024)
/* How soon a socket is accepted for which there was no memory. */
#define ATW_TCP_ACCEPT_RETRY	(HZ / 10)
/* A SYN is repeated after three seconds at most, and then after twice as long each time. */
#define ATW_TCP_REPEAT		(4 * HZ)
/* A program that is to be connected to is not far: 1, 2 and 4 s. */
#define ATW_TCP_SYNS		2
/* What the module has accepted; it has a few sockets in truth. */
#define ATW_TCP_INCOMING_MAX	64

/**
 * enum atw_tcp_state - of a flow
 * @ATW_TCP_NEW: is to connect
 * @ATW_TCP_QUEUED: the relay exists, others use the module
 * @ATW_TCP_CONNECTING: the module was asked, the relay has not told the outcome
 * @ATW_TCP_WAITING: the module has no socket left
 * @ATW_TCP_SILENT: the remote did not answer
 * @ATW_TCP_UP: the SYN was handed to TCP
 */
enum atw_tcp_state {
	ATW_TCP_NEW,
	ATW_TCP_QUEUED,
	ATW_TCP_CONNECTING,
	ATW_TCP_WAITING,
	ATW_TCP_SILENT,
	ATW_TCP_UP,
};

/**
 * enum atw_tcp_bit - what others have said of a flow, behind enum atw_flow_bit
 * @ATW_TCP_BIT_ATTACHED: the socket is with the relay
 * @ATW_TCP_BIT_YIELDING: it is to end soon, if it is of little use
 * @ATW_TCP_BIT_RESET: a reset is on its way to the program
 * @ATW_TCP_BIT_UNTOLD: it is over, and no reset is
 */
enum atw_tcp_bit {
	ATW_TCP_BIT_ATTACHED = ATW_FLOW_BIT_KIND,
	ATW_TCP_BIT_YIELDING,
	ATW_TCP_BIT_RESET,
	ATW_TCP_BIT_UNTOLD,
};

/**
 * struct atw_tcp - a flow of TCP
 * @flow: what all kinds have
 * @mutex: protects what is not said to be protected otherwise; outside the
 *	table's lock
 * @lock: protects @syn, @isn, @asked_first and @asked_last, and @state and
 *	ATW_TCP_BIT_ATTACHED together with @mutex; taken in softirqs
 * @state: how far it is
 * @syn: the one that is held; NULL: it is with TCP, or nobody waits for its answer
 * @isn: its number
 * @asked_first: when the first one with that number came
 * @asked_last: when the last of them came
 * @peer: the program's socket, if it is one of this machine; with a reference.
 *	Constant
 * @relay: with a reference; NULL: there is none now. Written under @mutex; who asks how
 *	much it is worth looks at it under RCU
 * @since: when @state was entered, or ATW_TCP_BIT_UNTOLD was set
 * @end: with that: the number of the byte that the program waits for
 * @incoming: the remote has connected, not the program. Constant
 */
struct atw_tcp {
	struct atw_flow		flow;
	struct mutex		mutex;
	spinlock_t		lock;
	enum atw_tcp_state	state;
	struct sk_buff		*syn;
	u32			isn;
	unsigned long		asked_first;
	unsigned long		asked_last;
	struct sock		*peer;
	struct atw_relay	*relay;
	unsigned long		since;
	u32			end;
	bool			incoming;
};

static struct atw_tcp *to_atw_tcp(struct atw_flow *flow)
{
	return container_of(flow, struct atw_tcp, flow);
}

static void atw_tcp_set_relay(struct atw_tcp *t, struct atw_relay *r)
{
	WRITE_ONCE(t->relay, r);
}

static void atw_tcp_set_state(struct atw_tcp *t, enum atw_tcp_state state)
{
	lockdep_assert_held(&t->mutex);

	spin_lock_bh(&t->lock);
	t->state = state;
	spin_unlock_bh(&t->lock);
	t->since = jiffies;
}

/* Of the sockets behind this device, and no other one. */
static u32 atw_tcp_mark(const struct atw_netdev *nd)
{
	return ATW_PROXY_MARK + nd->dev->ifindex;
}

/* The socket behind the device that has the flow's addresses, or NULL. */
static struct sock *atw_tcp_lookup(const struct atw_flow *flow)
{
	struct net_device *dev = flow->nd->dev;
	struct net *net = dev_net(dev);

	return atw_inet_lookup_established(net, flow->key.laddr,
					   flow->key.lport, flow->key.raddr,
					   ntohs(flow->key.rport),
					   dev->ifindex);
}

/*
 * Hand a packet to a protocol, for the sockets behind the device. @sk: to this
 * one, whatever the tables say, which @destructor lets go of.
 */
static void atw_tcp_deliver(struct atw_netdev *nd, struct sk_buff *skb, u8 proto,
			    struct sock *sk,
			    void (*destructor)(struct sk_buff *skb))
{
	const struct net_protocol *handler;

	atw_packet_take(skb);
	skb->dev = nd->dev;
	skb->skb_iif = nd->dev->ifindex;
	skb_dst_set_noref(skb, &nd->local->dst);
	memset(IPCB(skb), 0, sizeof(*IPCB(skb)));
	__skb_pull(skb, ip_hdrlen(skb));
	skb_reset_transport_header(skb);
	if (sk) {
		skb->sk = sk;
		skb->destructor = destructor;
	}
	handler = rcu_dereference(inet_protos[proto]);
	if (handler)
		handler->handler(skb);
	else
		kfree_skb(skb);
}

/* Returns whether there was one. */
static bool atw_tcp_free_syn(struct atw_tcp *t)
{
	struct sk_buff *syn;

	spin_lock_bh(&t->lock);
	syn = t->syn;
	t->syn = NULL;
	spin_unlock_bh(&t->lock);
	kfree_skb(syn);
	return syn;
}

/* Nobody waits for the connection any more, nor for a word of what becomes of it. */
static void atw_tcp_give_up(struct atw_tcp *t)
{
	if (atw_tcp_free_syn(t))
		atomic64_inc(&t->flow.nd->counters.tcp_given_up);
}

/* Out of the table: nothing that belongs to it may be sent after this. */
static void atw_tcp_drop(struct atw_tcp *t)
{
	struct sock *sk;

	lockdep_assert_held(&t->mutex);

	if (atw_flow_is_gone(&t->flow))
		return;
	atw_tcp_free_syn(t);
	/*
	 * Its answers would go astray, and the program may use its port again
	 * before the time is over: nothing of the old flow can come, there is
	 * no network between the program and us.
	 */
	rcu_read_lock_bh();
	sk = atw_tcp_lookup(&t->flow);
	if (sk && sk->sk_state == TCP_TIME_WAIT)
		inet_twsk_deschedule_put(inet_twsk(sk));
	else if (sk)
		sock_gen_put(sk);
	rcu_read_unlock_bh();
	atw_flow_del(&t->flow);
}

/*
 * Release the socket behind the device. Where that is not the end for the program, it is
 * reset: TCP says so once, and not at all without memory.
 */
static void atw_tcp_release_sock(struct atw_tcp *t, struct socket *sock, bool reset)
{
	struct sock *sk = sock->sk;

	lockdep_assert_held(&t->mutex);

	clear_bit(ATW_TCP_BIT_RESET, &t->flow.flags);
	lock_sock(sk);
	reset = reset && !((1 << sk->sk_state) & (TCPF_CLOSE | TCPF_SYN_SENT));
	t->end = tcp_sk(sk)->snd_nxt;
	release_sock(sk);
	sock_no_linger(sk);
	sock_release(sock);
	if (!reset || test_bit(ATW_TCP_BIT_RESET, &t->flow.flags))
		return;
	set_bit(ATW_TCP_BIT_UNTOLD, &t->flow.flags);
	t->since = jiffies;
}

/* Say what TCP could not say. Returns false where that is lost, too. */
static bool atw_tcp_reset(struct atw_tcp *t)
{
	const struct atw_flow_key *key = &t->flow.key;
	const struct tcphdr th = {
		.source = key->rport, .dest = key->lport, .seq = htonl(t->end), .rst = 1,
	};

	return atw_netdev_receive(t->flow.nd, atw_packet_segment(key->raddr, key->laddr, &th));
}

/*
 * Out of the table, when the program knows that it is over. Where that is to be soon it is
 * told once more, and not waited for.
 */
static void atw_tcp_finish(struct atw_tcp *t)
{
	lockdep_assert_held(&t->mutex);

	if (!test_bit(ATW_TCP_BIT_UNTOLD, &t->flow.flags) || atw_tcp_reset(t) ||
	    test_bit(ATW_FLOW_BIT_ENDING, &t->flow.flags) ||
	    time_after(jiffies, t->since + atw_timing.relay_gone))
		atw_tcp_drop(t);
	else
		atw_flow_tick(&t->flow, ATW_FLOW_TICK);
}

/* Has the program given its connect up? */
static bool atw_tcp_given_up(const struct atw_tcp *t)
{
	return t->peer && READ_ONCE(t->peer->sk_state) != TCP_SYN_SENT;
}

/*
 * Has a machine behind this one not repeated its SYN for longer than any does that still
 * wants the connection? The module is not asked to connect for it then.
 */
static bool atw_tcp_is_forsaken(struct atw_tcp *t)
{
	unsigned long patience;
	bool forsaken;

	lockdep_assert_held(&t->mutex);

	if (t->peer || (t->relay && atw_relay_tried(t->relay)))
		return false;
	spin_lock_bh(&t->lock);
	patience = 2 * (t->asked_last - t->asked_first) + ATW_TCP_REPEAT;
	forsaken = t->syn && time_after(jiffies, t->asked_last + patience);
	spin_unlock_bh(&t->lock);
	return forsaken;
}

/* Tell the program that its connect has failed. */
static void atw_tcp_reject(struct atw_tcp *t, int err)
{
	bool no_net = err == -ENETDOWN || err == -ENODEV || err == -ECANCELED;
	struct atw_netdev *nd = t->flow.nd;
	struct sk_buff *answer = NULL;

	spin_lock_bh(&t->lock);
	if (t->syn && !atw_tcp_given_up(t)) {
		if (err == -ECONNREFUSED) {
			atomic64_inc(&nd->counters.tcp_refused);
			answer = atw_packet_reset(t->syn);
		} else {
			atomic64_inc(&nd->counters.tcp_unreachable);
			answer = atw_packet_icmp_error(t->syn, no_net ? ICMP_NET_UNREACH :
							       ICMP_HOST_UNREACH, 0);
		}
	}
	spin_unlock_bh(&t->lock);
	atw_netdev_receive(nd, answer);
	atw_tcp_drop(t);
}

/*
 * What a program sends is acknowledged when it is here: with what waits for the module
 * already it is what the serial line takes in a second, so that a program is not told for
 * longer that something is with the remote which may yet be lost.
 */
static int atw_tcp_rcvbuf(const struct atw_netdev *nd)
{
	const struct atw_conns *cs = &nd->adev->module.conns;
	u32 second = atw_conns_per_second(cs);

	if (!second)
		return ATW_PROXY_RCVBUF_MAX;
	/* What TCP keeps of a stream needs little more than its bytes, where these are many. */
	return clamp_t(u32, max(second, atw_relay_tx_max(cs)) - atw_relay_tx_max(cs),
		       ATW_PROXY_RCVBUF_MIN, ATW_PROXY_RCVBUF_MAX);
}

/* The relay's calls */

static void atw_tcp_connected(struct atw_tcp *t)
{
	struct atw_netdev *nd = t->flow.nd;
	struct sk_buff *syn;
	struct sock *lsk;

	lockdep_assert_held(&t->mutex);

	t->since = jiffies;
	local_bh_disable();
	rcu_read_lock();
	lsk = rcu_dereference(nd->proxy.sk);
	spin_lock(&t->lock);
	t->state = ATW_TCP_UP;
	syn = t->syn;
	t->syn = NULL;
	spin_unlock(&t->lock);
	/* The rate may be another one than when the listener was made. */
	if (lsk)
		WRITE_ONCE(lsk->sk_rcvbuf, atw_tcp_rcvbuf(nd));
	if (syn && lsk)
		atw_tcp_deliver(nd, syn, IPPROTO_TCP, lsk, sock_pfree);
	else
		kfree_skb(syn);
	rcu_read_unlock();
	local_bh_enable();
	atw_flow_tick(&t->flow, atw_timing.tcp_handshake);
}

/* The module has no socket left: wait for one. */
static void atw_tcp_wait(struct atw_tcp *t)
{
	lockdep_assert_held(&t->mutex);

	if (t->state != ATW_TCP_WAITING)
		atomic64_inc(&t->flow.nd->counters.waits);
	/* It may try several times; it began to wait at the first. */
	spin_lock_bh(&t->lock);
	t->state = ATW_TCP_WAITING;
	spin_unlock_bh(&t->lock);
	atw_flow_wait(&t->flow);
	atw_flow_tick(&t->flow, ATW_FLOW_TICK);
}

static void atw_tcp_opened(struct atw_relay *r, int err, bool unasked)
{
	struct atw_tcp *t = r->owner;
	struct atw_netdev *nd = t->flow.nd;

	mutex_lock(&t->mutex);
	if (err) {
		atw_tcp_set_relay(t, NULL);
		atw_relay_put(r);
	}
	switch (err) {
	case 0:
		atomic64_inc(&nd->counters.tcp_flows);
		atw_flow_done_waiting(&t->flow);
		if (test_bit(ATW_FLOW_BIT_ENDING, &t->flow.flags))
			atw_relay_abort(r);
		else
			atw_tcp_connected(t);
		break;
	case -ENOBUFS:
		atw_tcp_wait(t);
		break;
	case -ETIMEDOUT:
		atw_flow_done_waiting(&t->flow);
		/* It was silent to somebody else, however long this one had to wait. */
		if (unasked) {
			atw_tcp_reject(t, -EHOSTUNREACH);
			break;
		}
		/* Nor would there be an answer on a network. */
		atomic64_inc(&nd->counters.tcp_timed_out);
		atw_tcp_set_state(t, ATW_TCP_SILENT);
		atw_flow_tick(&t->flow, ATW_FLOW_TICK);
		break;
	default:
		atw_tcp_reject(t, err);
		break;
	}
	mutex_unlock(&t->mutex);
	/* The next one that waits may find something that can be ended for it. */
	if (err != -ENOBUFS)
		atw_flows_retry(&nd->flows);
	if (err)
		atw_flow_put(&t->flow);
}

static void atw_tcp_ended(struct atw_relay *r, int err, bool aborted)
{
	struct atw_tcp *t = r->owner;
	struct atw_netdev *nd = t->flow.nd;
	struct socket *sock;

	mutex_lock(&t->mutex);
	/* Without a socket there is nobody else who could have ended it. */
	if (aborted || (err == -ECANCELED && !test_bit(ATW_TCP_BIT_ATTACHED, &t->flow.flags)))
		atomic64_inc(&nd->counters.tcp_aborts);
	else if (err)
		atomic64_inc(&nd->counters.tcp_resets);
	/* It may have been attached since the relay was over. */
	sock = atw_relay_detach(r);
	if (sock)
		atw_tcp_release_sock(t, sock, err);
	atw_tcp_set_relay(t, NULL);
	atw_relay_put(r);
	/* A socket that is still to be accepted must be reset first. */
	if (test_bit(ATW_TCP_BIT_ATTACHED, &t->flow.flags) ||
	    test_bit(ATW_FLOW_BIT_ENDING, &t->flow.flags))
		atw_tcp_finish(t);
	mutex_unlock(&t->mutex);
	atw_flows_retry(&nd->flows);
	atw_flow_put(&t->flow);
}

static const struct atw_relay_ops atw_tcp_relay_ops = {
	.opened	= atw_tcp_opened,
	.ended	= atw_tcp_ended,
};

/* The flow's work */

static void atw_tcp_connect(struct atw_tcp *t)
{
	const struct atw_flow_key *key = &t->flow.key;
	struct atw_relay *r;

	lockdep_assert_held(&t->mutex);

	if (t->peer)
		sock_hold(t->peer);
	/* The relay's, until it has told the outcome or the end. */
	refcount_inc(&t->flow.ref);
	r = atw_relay_open(&t->flow.nd->adev->module.conns, ntohl(key->raddr),
			   ntohs(key->rport), t->flow.share, t->peer,
			   &t->flow.nd->rx_budget, &atw_tcp_relay_ops, t);
	if (IS_ERR(r)) {
		atw_flow_put(&t->flow);
		atw_tcp_reject(t, PTR_ERR(r));
		return;
	}
	atw_tcp_set_relay(t, r);
	if (t->state == ATW_TCP_NEW)
		atw_tcp_set_state(t, ATW_TCP_QUEUED);
	atw_flow_tick(&t->flow, ATW_FLOW_TICK);
}

/* Another one needs the socket of the module. */
static void atw_tcp_step_yield(struct atw_tcp *t)
{
	lockdep_assert_held(&t->mutex);

	if (!test_and_clear_bit(ATW_TCP_BIT_YIELDING, &t->flow.flags))
		return;
	/* Its program may have asked something since it was chosen. */
	if (t->relay && atw_relay_spare(t->relay) > ATW_FLOW_UNUSED)
		atw_relay_abort(t->relay);
	else if (t->relay)
		atw_relay_yield(t->relay);
}

/* Is its socket still to be accepted? Without memory for that it is tried again. */
static bool atw_tcp_is_unaccepted(struct atw_tcp *t)
{
	struct sock *sk;
	bool there;

	rcu_read_lock_bh();
	sk = atw_tcp_lookup(&t->flow);
	there = sk && sk_fullsock(sk);
	if (sk)
		sock_gen_put(sk);
	rcu_read_unlock_bh();
	return there;
}

static void atw_tcp_step(struct atw_tcp *t)
{
	unsigned long age = jiffies - t->since;
	unsigned long next = ATW_FLOW_TICK;
	enum atw_tcp_state now;

	lockdep_assert_held(&t->mutex);

	if (atw_flow_is_gone(&t->flow))
		return;
	if (test_bit(ATW_FLOW_BIT_ENDING, &t->flow.flags)) {
		if (t->relay)
			atw_relay_abort(t->relay);
		else if (test_bit(ATW_TCP_BIT_UNTOLD, &t->flow.flags))
			atw_tcp_finish(t);
		else
			atw_tcp_reject(t, -ECANCELED);
		return;
	}
	if (t->state != ATW_TCP_UP && (atw_tcp_given_up(t) || atw_tcp_is_forsaken(t))) {
		atw_tcp_give_up(t);
		/* The module may be about to say that it is open. */
		set_bit(ATW_FLOW_BIT_ENDING, &t->flow.flags);
		if (t->relay) {
			atw_relay_abort(t->relay);
		} else {
			atw_tcp_drop(t);
			/* It may have been its turn. */
			atw_flows_retry(&t->flow.nd->flows);
		}
		return;
	}
	switch (t->state) {
	case ATW_TCP_NEW:
		if (atw_flow_try(&t->flow)) {
			atw_tcp_connect(t);
			return;
		}
		/* Of those that wait it may be the first. */
		atw_tcp_wait(t);
		fallthrough;
	case ATW_TCP_WAITING:
		if (t->relay)
			break;
		if (age > atw_timing.tcp_wait)
			atw_tcp_reject(t, -EHOSTUNREACH);
		else if (atw_flow_try(&t->flow))
			atw_tcp_connect(t);
		break;
	case ATW_TCP_QUEUED:
	case ATW_TCP_CONNECTING:
		/* That others go first is not the remote's silence. */
		now = atw_relay_tried(t->relay) ? ATW_TCP_CONNECTING : ATW_TCP_QUEUED;
		if (t->state != now) {
			atw_tcp_set_state(t, now);
			break;
		}
		if (age <= atw_timing.tcp_silence)
			break;
		set_bit(ATW_FLOW_BIT_ENDING, &t->flow.flags);
		atw_relay_abort(t->relay);
		return;
	case ATW_TCP_SILENT:
		if (age > atw_timing.tcp_silence)
			atw_tcp_drop(t);
		break;
	case ATW_TCP_UP:
		if (test_bit(ATW_TCP_BIT_UNTOLD, &t->flow.flags)) {
			atw_tcp_finish(t);
			return;
		}
		if (test_bit(ATW_TCP_BIT_ATTACHED, &t->flow.flags)) {
			atw_tcp_step_yield(t);
			return;
		}
		next = max(atw_timing.tcp_handshake, age + ATW_FLOW_TICK) - age;
		if (age < atw_timing.tcp_handshake || atw_tcp_is_unaccepted(t))
			break;
		atomic64_inc(&t->flow.nd->counters.tcp_unfinished);
		set_bit(ATW_FLOW_BIT_ENDING, &t->flow.flags);
		if (t->relay)
			atw_relay_abort(t->relay);
		else
			atw_tcp_drop(t);
		return;
	}
	if (!atw_flow_is_gone(&t->flow))
		atw_flow_tick(&t->flow, next);
}

static void atw_tcp_run(struct atw_flow *flow)
{
	struct atw_tcp *t = to_atw_tcp(flow);

	mutex_lock(&t->mutex);
	atw_tcp_step(t);
	mutex_unlock(&t->mutex);
}

/* The table's calls */

static void atw_tcp_yield(struct atw_flow *flow)
{
	set_bit(ATW_TCP_BIT_YIELDING, &flow->flags);
	atw_flow_wake(flow);
}

/* What does an idle stream to a service mean to its program? @port: of the service. */
static enum atw_flow_worth atw_tcp_port_worth(__be16 port)
{
	switch (ntohs(port)) {
	case 80:	/* HTTP */
	case 443:
	case 3128:
	case 8000:
	case 8080:
	case 8443:
		return ATW_FLOW_WEB;
	case 22:	/* somebody sits there, or things are told as they happen */
	case 23:
	case 1883:
	case 3389:
	case 5222:
	case 5900:
	case 8883:
		return ATW_FLOW_LASTING;
	default:
		return ATW_FLOW_IDLE;
	}
}

static enum atw_flow_worth atw_tcp_worth(struct atw_flow *flow, unsigned long *idle)
{
	struct atw_tcp *t = to_atw_tcp(flow);
	/* With softirqs off its memory stays, though it may end meanwhile. */
	struct atw_relay *r = READ_ONCE(t->relay);
	bool asked;

	if (!r)
		return ATW_FLOW_NEEDED;
	*idle = atw_relay_spare(r);
	if (*idle)
		return ATW_FLOW_HALF_CLOSED;
	*idle = atw_relay_idle(r, &asked);
	if (!*idle)
		return ATW_FLOW_NEEDED;
	/* The server owes an answer. */
	if (asked != t->incoming)
		return ATW_FLOW_LASTING;
	return atw_tcp_port_worth(t->incoming ? flow->key.lport : flow->key.rport);
}

static void atw_tcp_release(struct atw_flow *flow)
{
	struct atw_tcp *t = to_atw_tcp(flow);

	kfree_skb(t->syn);
	if (t->peer)
		sock_put(t->peer);
	if (t->incoming)
		atomic_dec(&flow->nd->proxy.incoming);
	kfree_rcu(t, flow.rcu);
}

static const struct atw_flow_ops atw_tcp_flow_ops = {
	.step		= atw_tcp_run,
	.yield		= atw_tcp_yield,
	.worth		= atw_tcp_worth,
	.release	= atw_tcp_release,
};

/* The transmit path */

static struct sock *atw_tcp_peer(struct sk_buff *skb)
{
	struct sock *sk = skb->sk;

	if (!sk || !sk_fullsock(sk) || sk->sk_protocol != IPPROTO_TCP ||
	    sk->sk_state != TCP_SYN_SENT ||
	    !refcount_inc_not_zero(&sk->sk_refcnt))
		return NULL;
	return sk;
}

static struct atw_tcp *atw_tcp_alloc(struct atw_netdev *nd,
				     const struct atw_flow_key *key, u8 share,
				     gfp_t gfp)
{
	struct atw_tcp *t = kzalloc(sizeof(*t), gfp | __GFP_NOWARN);

	if (!t)
		return NULL;
	atw_flow_init(&t->flow, nd, key, share, &atw_tcp_flow_ops);
	mutex_init(&t->mutex);
	spin_lock_init(&t->lock);
	t->since = jiffies;
	return t;
}

/* A SYN: make a flow of it, which keeps it. */
static void atw_tcp_new(struct atw_netdev *nd, const struct atw_flow_key *key,
			struct sk_buff *skb, u32 isn)
{
	struct atw_tcp *t;

	/* A damaged one may name a port that nobody wanted. */
	if (nf_ip_checksum(skb, NF_INET_LOCAL_IN, ip_hdrlen(skb), IPPROTO_TCP))
		goto drop;
	t = atw_tcp_alloc(nd, key, atw_flow_share(skb, false), GFP_ATOMIC);
	if (!t)
		goto drop;
	t->peer = atw_tcp_peer(skb);
	t->isn = isn;
	t->asked_first = jiffies;
	t->asked_last = jiffies;
	atw_packet_take(skb);
	t->syn = skb;
	/* With too many, or at the end, it is lost: the program repeats it. */
	if (!atw_flow_add(&t->flow))
		atw_flow_wake(&t->flow);
	atw_flow_put(&t->flow);
	return;
drop:
	kfree_skb(skb);
}

static void atw_tcp_refuse(struct atw_netdev *nd, struct sk_buff *syn)
{
	struct sk_buff *answer;

	atomic64_inc(&nd->counters.tcp_unreachable);
	/* A reset that is not signed would not be believed. */
	answer = atw_packet_icmp_error(syn, ICMP_PROT_UNREACH, 0);
	atw_netdev_receive(nd, answer);
}

static bool atw_tcp_is_syn(const struct tcphdr *th)
{
	return th->syn && !th->ack && !th->rst && !th->fin;
}

/* There was a reset before the socket was accepted: TCP tells nobody of that. */
static void atw_tcp_check_unaccepted(struct atw_tcp *t)
{
	struct sock *sk = atw_tcp_lookup(&t->flow);

	if (sk)
		sock_gen_put(sk);
	else
		atw_flow_end_soon(&t->flow);
}

/*
 * A segment of a flow whose SYN is with TCP. It is for the flow's socket alone:
 * TCP, asked to find one, would offer it to the listeners of others. Until the
 * socket was accepted our own goes with what has none: the last part of a
 * handshake that is all in a SYN cookie.
 */
static void atw_tcp_segment(struct atw_netdev *nd, struct atw_tcp *t,
			    struct sk_buff *skb, const struct tcphdr *th)
{
	struct sock *sk = atw_tcp_lookup(&t->flow);
	bool attached = test_bit(ATW_TCP_BIT_ATTACHED, &t->flow.flags);
	bool rst = th->rst;

	if (sk && sk->sk_state == TCP_TIME_WAIT && atw_tcp_is_syn(th)) {
		/* The next one from that port, before this one has ended. */
		sock_gen_put(sk);
	} else if (sk) {
		atw_tcp_deliver(nd, skb, IPPROTO_TCP, sk, sock_edemux);
		if (rst && !attached)
			atw_tcp_check_unaccepted(t);
		return;
	} else if (attached) {
		if (!rst && !atw_tcp_is_syn(th))
			atw_netdev_receive(nd, atw_packet_reset(skb));
	} else if (rst) {
		atw_flow_end_soon(&t->flow);
	} else {
		sk = rcu_dereference(nd->proxy.sk);
		if (sk) {
			atw_tcp_deliver(nd, skb, IPPROTO_TCP, sk, sock_pfree);
			return;
		}
	}
	consume_skb(skb);
}

/*
 * A segment of a flow whose SYN is held. Returns false if the SYN is with TCP already.
 * The newest SYN is kept: a machine behind this one may have begun anew on that port. What
 * another socket of this machine begins is a flow of its own, since one belongs to its socket
 * and ends with it: the SYN is repeated. So is what begins anew where the remote was silent:
 * that was the answer to who had begun before.
 */
static bool atw_tcp_hold(struct atw_tcp *t, struct sk_buff **skb, const struct tcphdr *th)
{
	u32 seq = ntohl(th->seq);
	bool anew, over = false;

	spin_lock(&t->lock);
	if (t->state == ATW_TCP_UP) {
		spin_unlock(&t->lock);
		return false;
	}
	anew = t->syn && atw_tcp_is_syn(th) && seq != t->isn;
	if (anew && (t->state == ATW_TCP_SILENT || (t->peer && t->peer != (*skb)->sk))) {
		over = true;
	} else if (t->syn && atw_tcp_is_syn(th)) {
		if (anew)
			t->asked_first = jiffies;
		t->asked_last = jiffies;
		t->isn = seq;
		atw_packet_take(*skb);
		swap(t->syn, *skb);
	} else if (t->syn && th->rst && seq - t->isn <= 1) {
		over = !nf_ip_checksum(*skb, NF_INET_LOCAL_IN, ip_hdrlen(*skb), IPPROTO_TCP);
	}
	spin_unlock(&t->lock);
	if (over) {
		atw_tcp_give_up(t);
		atw_flow_end_soon(&t->flow);
	}
	return true;
}

/**
 * atw_tcp_xmit() - a segment from a program
 * @nd: the device
 * @skb: begins with its IP header, which was checked; taken
 *
 * Context: softirq, RCU read-side critical section.
 */
void atw_tcp_xmit(struct atw_netdev *nd, struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);
	struct atw_flow_key key = {
		.laddr = iph->saddr,
		.raddr = iph->daddr,
		.proto = IPPROTO_TCP,
	};
	const struct tcphdr *th;
	struct atw_flow *flow;
	struct atw_tcp *t;

	th = atw_packet_tcp(skb);
	if (!th)
		goto drop;
	/*
	 * It may be kept for long, and nobody is charged: no TCP has more than a packet of it, nor
	 * needs a large one.
	 */
	if (atw_tcp_is_syn(th) && (skb_is_gso(skb) || skb->len > ATW_NETDEV_MTU))
		goto drop;
	key.lport = th->source;
	key.rport = th->dest;

	flow = atw_flow_get(&nd->flows, &key);
	if (!flow) {
		if (th->rst)
			goto drop;
		if (atw_tcp_is_syn(th) && atw_packet_is_signed(th)) {
			atw_tcp_refuse(nd, skb);
			goto drop;
		}
		if (atw_tcp_is_syn(th)) {
			atw_tcp_new(nd, &key, skb, ntohl(th->seq));
			return;
		}
		/* It was ended: by a reset, or before we were there. */
		atw_netdev_receive(nd, atw_packet_reset(skb));
		goto drop;
	}
	t = to_atw_tcp(flow);
	if (atw_tcp_hold(t, &skb, th))
		consume_skb(skb);
	else
		atw_tcp_segment(nd, t, skb, th);
	atw_flow_put(flow);
	return;
drop:
	kfree_skb(skb);
}

/**
 * atw_tcp_icmp() - an error from a program's machine
 * @nd: the device
 * @skb: an ICMP packet, which was checked; taken if it is of use
 *
 * A firewall that rejects a connection says so in this way, and a router before
 * a link with a smaller MTU.
 *
 * Context: softirq, RCU read-side critical section.
 * Return: false if nothing behind the device is meant.
 */
bool atw_tcp_icmp(struct atw_netdev *nd, struct sk_buff *skb)
{
	struct {
		struct icmphdr	icmp;
		struct iphdr	iph;
		__be16		port[2];
	} __packed buf, *p;
	struct atw_flow_key key = { .proto = IPPROTO_TCP };

	/* What a later fragment begins with is no header. */
	if (ip_is_fragment(ip_hdr(skb)))
		return false;
	p = skb_header_pointer(skb, ip_hdrlen(skb), sizeof(buf), &buf);
	if (!p || p->icmp.type != ICMP_DEST_UNREACH || p->iph.version != 4 ||
	    p->iph.ihl != 5 || p->iph.protocol != IPPROTO_TCP)
		return false;
	key.laddr = p->iph.daddr;
	key.raddr = p->iph.saddr;
	key.rport = p->port[0];
	key.lport = p->port[1];
	if (!atw_flow_known(&nd->flows, &key))
		return false;
	atw_tcp_deliver(nd, skb, IPPROTO_ICMP, NULL, NULL);
	return true;
}

/* Has a socket behind the device sent it, whatever has become of its flow? */
static bool atw_tcp_is_own(const struct atw_netdev *nd, struct sk_buff *skb)
{
	const struct sock *sk = skb_to_full_sk(skb);

	return sk && sk_fullsock(sk) && sk->sk_kern_sock &&
	       READ_ONCE(sk->sk_bound_dev_if) == nd->dev->ifindex;
}

/* What the sockets behind the device send. */
static unsigned int atw_tcp_hook(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	const struct iphdr *iph = ip_hdr(skb);
	struct atw_netdev *nd = priv;
	struct atw_flow_key key = {
		.laddr = iph->daddr,
		.raddr = iph->saddr,
		.proto = IPPROTO_TCP,
	};
	const struct tcphdr *th;
	struct atw_flow *flow;
	struct tcphdr buf;
	bool rst;

	if (likely(skb->mark != atw_tcp_mark(nd)) ||
	    iph->protocol != IPPROTO_TCP)
		return NF_ACCEPT;
	th = skb_header_pointer(skb, ip_hdrlen(skb), sizeof(buf), &buf);
	if (!th)
		return NF_ACCEPT;
	key.lport = th->dest;
	key.rport = th->source;
	/* What is sent after the end of its flow is for nobody. */
	if (!atw_flow_known(&nd->flows, &key))
		return atw_tcp_is_own(nd, skb) ? NF_DROP : NF_ACCEPT;

	rst = th->rst;
	atw_packet_take(skb);
	if (atw_netdev_receive(nd, skb) && rst) {
		flow = atw_flow_get(&nd->flows, &key);
		if (flow) {
			set_bit(ATW_TCP_BIT_RESET, &flow->flags);
			atw_flow_put(flow);
		}
	}
	return NF_STOLEN;
}

/* A socket behind the device: what it sends is known by its mark. */
static int atw_tcp_socket(struct atw_netdev *nd, struct socket **res)
{
	struct socket *sock;
	struct sock *sk;
	int err;

	err = sock_create_kern(dev_net(nd->dev), AF_INET, SOCK_STREAM,
			       IPPROTO_TCP, &sock);
	if (err)
		return err;
	sk = sock->sk;
	err = sock_bindtoindex(sk, nd->dev->ifindex, true);
	if (err) {
		sock_release(sock);
		return err;
	}
	sock_set_mark(sk, atw_tcp_mark(nd));
	lock_sock(sk);
	sk->sk_reuse = SK_CAN_REUSE;
	/* The module knows no urgent data: it keeps its place in the stream. */
	sock_set_flag(sk, SOCK_URGINLINE);
	sk->sk_userlocks |= SOCK_SNDBUF_LOCK | SOCK_RCVBUF_LOCK;
	sk->sk_sndbuf = ATW_PROXY_SNDBUF;
	sk->sk_rcvbuf = atw_tcp_rcvbuf(nd);
	atw_sock_set_transparent(sk);
	release_sock(sk);
	*res = sock;
	return 0;
}

/* The listener */

static void atw_tcp_listener_ready(struct sock *sk)
{
	struct atw_netdev *nd;

	read_lock_bh(&sk->sk_callback_lock);
	nd = sk->sk_user_data;
	/* What it accepts inherits this; that is nothing to accept from. */
	if (nd && sk->sk_state == TCP_LISTEN)
		mod_delayed_work(atw_relay_wq, &nd->proxy.accept, 0);
	read_unlock_bh(&sk->sk_callback_lock);
}

static void atw_tcp_accepted(struct atw_netdev *nd, struct socket *sock)
{
	const struct inet_sock *inet = inet_sk(sock->sk);
	struct atw_flow_key key = {
		.laddr = inet->inet_daddr,
		.raddr = inet->inet_rcv_saddr,
		.lport = inet->inet_dport,
		.rport = inet->inet_sport,
		.proto = IPPROTO_TCP,
	};
	struct atw_flow *flow;
	struct atw_tcp *t;

	write_lock_bh(&sock->sk->sk_callback_lock);
	sock->sk->sk_user_data = NULL;
	sock->sk->sk_data_ready = nd->proxy.data_ready;
	write_unlock_bh(&sock->sk->sk_callback_lock);

	rcu_read_lock();
	flow = atw_flow_get(&nd->flows, &key);
	rcu_read_unlock();
	if (!flow) {
		sock_no_linger(sock->sk);
		sock_release(sock);
		return;
	}
	t = to_atw_tcp(flow);
	mutex_lock(&t->mutex);
	/* What nobody has read of yet begins behind the SYN. */
	if (t->state != ATW_TCP_UP || tcp_sk(sock->sk)->copied_seq != t->isn + 1) {
		/* It is the last flow's from that port, which is over. */
		sock_no_linger(sock->sk);
		sock_release(sock);
	} else if (t->relay && !test_bit(ATW_TCP_BIT_ATTACHED, &t->flow.flags)) {
		atw_relay_attach(t->relay, sock);
		set_bit(ATW_TCP_BIT_ATTACHED, &t->flow.flags);
	} else {
		/* The remote was gone first. */
		atw_tcp_release_sock(t, sock, true);
		if (!t->relay)
			atw_tcp_finish(t);
	}
	mutex_unlock(&t->mutex);
	atw_flow_put(flow);
}

/* Returns why there are no more. */
static int atw_tcp_accept_all(struct atw_netdev *nd)
{
	struct socket *sock;
	int err;

	while (!(err = kernel_accept(nd->proxy.sock, &sock, O_NONBLOCK)))
		atw_tcp_accepted(nd, sock);
	return err;
}

static void atw_tcp_accept(struct work_struct *work)
{
	struct atw_netdev *nd = container_of(to_delayed_work(work), struct atw_netdev,
					     proxy.accept);
	unsigned int noio = memalloc_noio_save();

	/* One waits, and nobody else would come back to it. */
	if (atw_tcp_accept_all(nd) == -ENOMEM)
		queue_delayed_work(atw_relay_wq, &nd->proxy.accept, ATW_TCP_ACCEPT_RETRY);
	memalloc_noio_restore(noio);
}

static int atw_tcp_listen(struct atw_netdev *nd)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	struct socket *sock;
	struct sock *sk;
	int err;

	err = atw_tcp_socket(nd, &sock);
	if (err)
		return err;
	sk = sock->sk;

	write_lock_bh(&sk->sk_callback_lock);
	nd->proxy.data_ready = sk->sk_data_ready;
	sk->sk_user_data = nd;
	sk->sk_data_ready = atw_tcp_listener_ready;
	write_unlock_bh(&sk->sk_callback_lock);

	/* A port of its own, which nobody is told. */
	err = kernel_bind(sock, (struct sockaddr_unsized *)&any, sizeof(any));
	if (!err)
		err = kernel_listen(sock, ATW_PROXY_BACKLOG);
	if (err)
		goto release;
	/* What TCP is not told to give to it does not find it. */
	lock_sock(sk);
	local_bh_disable();
	sk->sk_prot->unhash(sk);
	local_bh_enable();
	release_sock(sk);
	nd->proxy.sock = sock;
	rcu_assign_pointer(nd->proxy.sk, sk);
	return 0;
release:
	sock_release(sock);
	return err;
}

/* What the module has accepted */

/* Let @sock, which has the remote's address, connect for a new flow. */
static int atw_tcp_dial(struct atw_netdev *nd, struct atw_relay *r,
			const struct atw_flow_key *key, struct socket *sock)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = key->laddr,
		.sin_port = key->lport,
	};
	struct atw_tcp *t = atw_tcp_alloc(nd, key, ATW_SHARE_REMOTE, GFP_KERNEL);
	int err;

	if (!t)
		return -ENOMEM;
	t->incoming = atomic_add_unless(&nd->proxy.incoming, 1,
					ATW_TCP_INCOMING_MAX);
	t->state = ATW_TCP_UP;
	set_bit(ATW_TCP_BIT_ATTACHED, &t->flow.flags);
	mutex_lock(&t->mutex);
	/* From here on what it sends finds its way. */
	err = t->incoming ? atw_flow_add(&t->flow) : -ENOBUFS;
	if (err)
		goto unlock;
	err = kernel_connect(sock, (struct sockaddr_unsized *)&to, sizeof(to),
			     O_NONBLOCK);
	if (err == -EINPROGRESS)
		err = 0;
	if (err) {
		atw_tcp_drop(t);
		goto unlock;
	}
	/* Our reference is the relay's. */
	atw_tcp_set_relay(t, r);
	atomic64_inc(&nd->counters.tcp_incoming);
	atw_relay_start(r, t, sock);
unlock:
	mutex_unlock(&t->mutex);
	if (err)
		atw_flow_put(&t->flow);
	return err;
}

/* Bind @sock to the remote's address, or to nobody's if the module does not tell that. */
static int atw_tcp_bind_remote(struct socket *sock, u32 addr, u16 port,
			       struct atw_flow_key *key)
{
	struct sockaddr_in from = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(addr ?: INADDR_DUMMY),
		.sin_port = htons(addr ? port : 0),
	};
	int err;

	/* What can be no remote's address must not get past the checks of one. */
	if (!atw_addr_is_host(ntohl(from.sin_addr.s_addr)))
		return -EADDRNOTAVAIL;
	err = kernel_bind(sock, (struct sockaddr_unsized *)&from, sizeof(from));
	if (err == -EADDRINUSE) {
		/* A server of this machine has the port: who it is matters more. */
		from.sin_port = 0;
		err = kernel_bind(sock, (struct sockaddr_unsized *)&from,
				  sizeof(from));
	}
	if (err)
		return err;
	key->raddr = from.sin_addr.s_addr;
	key->rport = inet_sk(sock->sk)->inet_sport;
	return 0;
}

/**
 * atw_tcp_incoming() - have the next one that a server has accepted connect
 * @nd: the device
 * @server: the server
 * @addr: to this address, 0: there is none
 * @port: and port
 *
 * To all but the program it is as if the remote had connected over a network.
 *
 * Context: process context; not after atw_tcp_stop().
 * Return: 0; -EAGAIN, none waits; -ENOMEM, one may wait still; else -errno, it
 * was disconnected.
 */
int atw_tcp_incoming(struct atw_netdev *nd, struct atw_conn *server,
		     __be32 addr, __be16 port)
{
	struct atw_flow_key key = {
		.laddr = addr,
		.lport = port,
		.proto = IPPROTO_TCP,
	};
	struct socket *sock;
	struct atw_relay *r;
	int err;

	r = atw_relay_accept(&nd->adev->module.conns, server, &nd->rx_budget, &atw_tcp_relay_ops);
	if (IS_ERR(r))
		return PTR_ERR(r);
	err = addr && rcu_access_pointer(nd->proxy.sk) ?
	      atw_tcp_socket(nd, &sock) : -ENETUNREACH;
	if (err)
		goto refuse;
	tcp_sock_set_syncnt(sock->sk, ATW_TCP_SYNS);
	err = atw_tcp_bind_remote(sock, r->conn->addr, r->conn->port, &key) ?:
	      atw_tcp_dial(nd, r, &key, sock);
	if (!err)
		return 0;
	sock_release(sock);
refuse:
	atw_relay_refuse(r);
	/* -ENOMEM would say that one may wait still: this one is gone. */
	return err == -ENOMEM ? -ENOBUFS : err;
}

/**
 * atw_tcp_start() - prepare to carry TCP
 * @nd: the device, registered
 *
 * Context: process context.
 * Return: 0 or -errno.
 */
int atw_tcp_start(struct atw_netdev *nd)
{
	struct nf_hook_ops *hook = &nd->proxy.hook;
	int err;

	INIT_DELAYED_WORK(&nd->proxy.accept, atw_tcp_accept);
	hook->hook = atw_tcp_hook;
	hook->priv = nd;
	hook->pf = NFPROTO_IPV4;
	hook->hooknum = NF_INET_LOCAL_OUT;
	hook->priority = NF_IP_PRI_FIRST;
	err = nf_register_net_hook(dev_net(nd->dev), hook);
	if (err)
		return err;
	err = atw_tcp_listen(nd);
	if (err)
		nf_unregister_net_hook(dev_net(nd->dev), hook);
	return err;
}

/**
 * atw_tcp_stop() - accept no more; to be called before the flows are ended
 * @nd: the device
 *
 * Context: process context.
 */
void atw_tcp_stop(struct atw_netdev *nd)
{
	struct sock *sk = nd->proxy.sock->sk;

	rcu_assign_pointer(nd->proxy.sk, NULL);
	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_user_data = NULL;
	sk->sk_data_ready = nd->proxy.data_ready;
	write_unlock_bh(&sk->sk_callback_lock);
	cancel_delayed_work_sync(&nd->proxy.accept);
	/* What waits ends with its flow, which sees to it that the program hears of that. */
	atw_tcp_accept_all(nd);
	/* Resets what has come since, while the hook is there. */
	sock_release(nd->proxy.sock);
}

/**
 * atw_tcp_stopped() - undo the rest; to be called after the flows are ended
 * @nd: the device; the hook may run until a grace period has passed
 *
 * Context: process context.
 */
void atw_tcp_stopped(struct atw_netdev *nd)
{
	nf_unregister_net_hook(dev_net(nd->dev), &nd->proxy.hook);
}
