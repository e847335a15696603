// SPDX-License-Identifier: GPL-2.0-only
/*
 * Relays.
 *
 * A relay moves bytes between a connected TCP socket of the kernel and a
 * connection of the module. All is done by one work item, which socket and
 * connection queue when there is something to do. So nothing here needs a lock
 * but the queue of received buffers.
 *
 * Towards the module there is back-pressure: the socket is only read while the
 * connection has room, and the rest is the TCP window. From the module there is
 * none; what a program does not read waits here up to a limit, one for each and
 * one for all, of which nobody has more than is still free. Past that the stream ends with an
 * error. The program gets what had come before it gets the error.
 *
 * The module has no half-close. When the program has sent its FIN, it may have
 * closed its socket or just be done with sending. In the first case the
 * connection is closed. In the second, or when it cannot be known, the remote
 * is heard out until it closes. When it has been silent for a while it is given
 * up, with an error: that was no end.
 */
#include <linux/jiffies.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <net/tcp.h>

#include "compat_sock.h"
#include "relay.h"
#include "timing.h"

/* What waits for a program that reads too slowly. */
#define ATW_RELAY_RX_MAX	(1024 * 1024)
/* What waits for the module: it is fed without a pause by twice of a send. */
#define ATW_RELAY_TX_MIN	2048
#define ATW_RELAY_TX_MAX	32768
/* While something is on its way a few bytes wait for more to go with them. */
#define ATW_RELAY_TX_FEW	512
#define ATW_RELAY_CHUNK		min_t(size_t, SKB_WITH_OVERHEAD(PAGE_SIZE), 4096)
/* So often a close() behind a program's FIN is looked for: TCP sends nothing, and tells nobody. */
#define ATW_RELAY_TICK		HZ
/* How soon memory is asked for once more. */
#define ATW_RELAY_SOON		(HZ / 10)
/*
 * A program's machine that is gone must not keep a socket of the module. One that acknowledges
 * is there, also if the program does not read: TCP_USER_TIMEOUT would not tell the two apart.
 */
#define ATW_RELAY_KEEPIDLE	120
#define ATW_RELAY_KEEPINTVL	15
#define ATW_RELAY_KEEPCNT	4

/* For what moves data; it goes on without memory for another thread. */
struct workqueue_struct *atw_relay_wq;
/* For what may wait for others, or for the RTNL. */
struct workqueue_struct *atw_netdev_wq;

static void atw_relay_wake(struct atw_relay *r)
{
	refcount_inc(&r->ref);
	/* If it was queued already, that has a reference. */
	if (mod_delayed_work(atw_relay_wq, &r->work, 0))
		atw_relay_put(r);
}

/* Look again after a while, unless that is sooner anyway. */
static void atw_relay_tick(struct atw_relay *r, unsigned long delay)
{
	refcount_inc(&r->ref);
	if (!queue_delayed_work(atw_relay_wq, &r->work, delay))
		atw_relay_put(r);
}

/* A word comes before the bit that tells of it, for which the work may be waiting. */
static void atw_relay_set(struct atw_relay *r, enum atw_relay_bit bit)
{
	/* Pairs with the acquire in atw_relay_has(). */
	smp_mb__before_atomic();
	set_bit(bit, &r->flags);
}

static bool atw_relay_has(const struct atw_relay *r, enum atw_relay_bit bit)
{
	return test_bit_acquire(bit, &r->flags);
}

/* It is not idle. Others look at that without a lock: an old time will do. */
static void atw_relay_touch(struct atw_relay *r)
{
	WRITE_ONCE(r->moved, jiffies);
}

static void atw_relay_hear(struct atw_relay *r)
{
	WRITE_ONCE(r->heard, jiffies);
}

/**
 * atw_relay_put() - give a reference back
 * @r: the relay
 *
 * Context: any.
 */
void atw_relay_put(struct atw_relay *r)
{
	if (!refcount_dec_and_test(&r->ref))
		return;
	if (r->peer)
		sock_put(r->peer);
	kfree_rcu(r, rcu);
}

/* What the connection tells; its lock is held. */

static void atw_relay_asked(struct atw_conn *c, bool asked)
{
	struct atw_relay *r = c->owner;

	assign_bit(ATW_RELAY_BIT_TRIED, &r->flags, asked);
}

static void atw_relay_opened(struct atw_conn *c, int err, u32 code)
{
	struct atw_relay *r = c->owner;

	r->open_err = err;
	assign_bit(ATW_RELAY_BIT_UNASKED, &r->flags, err && !atw_conn_is_opening(c));
	atw_relay_set(r, ATW_RELAY_BIT_OPENED);
	atw_relay_wake(r);
}

static bool atw_relay_fits(const struct atw_relay *r, const struct sk_buff *skb,
			   unsigned int limit)
{
	return r->rx_mem + skb->truesize <= limit;
}

/* What all of them have together is none of this one's doing. */
static bool atw_relay_room(struct atw_conn *c, const struct sk_buff *skb)
{
	struct atw_relay *r = c->owner;
	bool room;

	spin_lock_bh(&r->rxq.lock);
	room = atw_rx_merges(skb_peek_tail(&r->rxq), skb) ||
	       atw_relay_fits(r, skb, atw_rx_mark(ATW_RELAY_RX_MAX));
	spin_unlock_bh(&r->rxq.lock);
	return room;
}

static bool atw_relay_rx(struct atw_conn *c, struct sk_buff *skb)
{
	struct atw_relay *r = c->owner;
	bool merged = false, room = true;
	struct sk_buff *tail;

	if (!skb->len) {
		consume_skb(skb);
		return true;
	}
	spin_lock_bh(&r->rxq.lock);
	tail = skb_peek_tail(&r->rxq);
	if (atw_rx_merges(tail, skb)) {
		skb_put_data(tail, skb->data, skb->len);
		merged = true;
	} else if (atw_relay_fits(r, skb, ATW_RELAY_RX_MAX) &&
		   atw_budget_take(r->budget, r->share, skb->truesize)) {
		r->rx_mem += skb->truesize;
		__skb_queue_tail(&r->rxq, skb);
	} else {
		room = false;
	}
	spin_unlock_bh(&r->rxq.lock);
	if (merged)
		consume_skb(skb);
	if (room)
		atw_relay_wake(r);
	return room;
}

static void atw_relay_closed(struct atw_conn *c, int err, u32 code)
{
	struct atw_relay *r = c->owner;

	r->close_err = err;
	/* From here on a program that does not read has a while. */
	atw_relay_touch(r);
	atw_relay_set(r, ATW_RELAY_BIT_CLOSED);
	atw_relay_wake(r);
}

static void atw_relay_tx_done(struct atw_conn *c)
{
	atw_relay_wake(c->owner);
}

static void atw_relay_whose(struct atw_conn *c, struct atw_conn_info *info)
{
	const struct atw_relay *r = c->owner;

	if (!r->peer)
		return;
	info->inode = sock_i_ino(r->peer);
	info->uid = READ_ONCE(r->peer->sk_uid);
}

static const struct atw_conn_ops atw_relay_conn_ops = {
	.asked		= atw_relay_asked,
	.opened		= atw_relay_opened,
	.rx		= atw_relay_rx,
	.room		= atw_relay_room,
	.closed		= atw_relay_closed,
	.tx_done	= atw_relay_tx_done,
	.whose		= atw_relay_whose,
};

/* What the socket tells, from softirqs mostly. */

static void atw_relay_sk_event(struct sock *sk)
{
	read_lock_bh(&sk->sk_callback_lock);
	if (sk->sk_user_data)
		atw_relay_wake(sk->sk_user_data);
	read_unlock_bh(&sk->sk_callback_lock);
}

static void atw_relay_hold_sock(struct atw_relay *r, struct socket *sock)
{
	struct sock *sk = sock->sk;

	sock_set_keepalive(sk);
	tcp_sock_set_keepidle(sk, ATW_RELAY_KEEPIDLE);
	tcp_sock_set_keepintvl(sk, ATW_RELAY_KEEPINTVL);
	tcp_sock_set_keepcnt(sk, ATW_RELAY_KEEPCNT);
	tcp_sock_set_nodelay(sk);

	r->sock = sock;
	r->there = jiffies;
	atw_relay_touch(r);
	write_lock_bh(&sk->sk_callback_lock);
	r->data_ready = sk->sk_data_ready;
	r->write_space = sk->sk_write_space;
	r->state_change = sk->sk_state_change;
	sk->sk_user_data = r;
	sk->sk_data_ready = atw_relay_sk_event;
	sk->sk_write_space = atw_relay_sk_event;
	sk->sk_state_change = atw_relay_sk_event;
	write_unlock_bh(&sk->sk_callback_lock);
}

/**
 * atw_relay_detach() - have the socket back
 * @r: the relay
 *
 * Context: process context; in &struct atw_relay_ops->ended alone.
 * Return: the socket, for the owner to release; NULL: it never had one.
 */
struct socket *atw_relay_detach(struct atw_relay *r)
{
	struct socket *sock = r->sock;
	struct sock *sk;

	if (!sock)
		return NULL;
	sk = sock->sk;
	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_user_data = NULL;
	sk->sk_data_ready = r->data_ready;
	sk->sk_write_space = r->write_space;
	sk->sk_state_change = r->state_change;
	write_unlock_bh(&sk->sk_callback_lock);
	r->sock = NULL;
	return sock;
}

/* Give the connection up, and what came from it. */
static void atw_relay_release_conn(struct atw_relay *r, bool abort)
{
	if (r->conn) {
		atw_conn_close(r->conn, abort, 0);
		atw_conn_put(r->conn);
		r->conn = NULL;
	}
	/* Nothing comes any more. The budget may be gone before the relay is. */
	skb_queue_purge(&r->rxq);
	atw_budget_give(r->budget, r->share, r->rx_mem);
	r->rx_mem = 0;
}

/* Of one that ends with an error: was it the program's side? */
static bool atw_relay_is_aborted(const struct atw_relay *r, int err)
{
	if (err == -EHOSTDOWN)
		return true;
	/* TCP closes by itself after a reset, or when nobody answers. */
	if (!r->sock || READ_ONCE(r->sock->sk->sk_state) != TCP_CLOSE)
		return false;
	/* Then @close_err can be seen. */
	return !(atw_relay_has(r, ATW_RELAY_BIT_CLOSED) && r->close_err);
}

/* End the connection and tell the owner; nothing is done after that. */
static void atw_relay_over(struct atw_relay *r, int err)
{
	bool aborted = err && atw_relay_is_aborted(r, err);
	bool told = r->stage == ATW_RELAY_OPEN;

	atw_relay_release_conn(r, err);
	r->stage = ATW_RELAY_OVER;
	if (told)
		r->ops->ended(r, err, aborted);
	else
		r->ops->opened(r, err, test_bit(ATW_RELAY_BIT_UNASKED, &r->flags));
}

/* A byte passes; @asked: of the program. */
static void atw_relay_moved(struct atw_relay *r, bool asked)
{
	atw_relay_touch(r);
	assign_bit(ATW_RELAY_BIT_ASKED, &r->flags, asked);
}

/*
 * Remote -> program. Returns 1 when all is written, 0 when the socket has no
 * room, of which it will tell, or -errno.
 */
static int atw_relay_down(struct atw_relay *r)
{
	struct sk_buff *skb;
	int n;

	/* Without this all that is acknowledged would wake us from now on. */
	clear_bit(SOCK_NOSPACE, &r->sock->flags);
	while ((skb = skb_dequeue(&r->rxq))) {
		struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
		struct kvec iov = { .iov_base = skb->data, .iov_len = skb->len };

		atw_relay_hear(r);
		n = kernel_sendmsg(r->sock, &msg, &iov, 1, skb->len);
		if (n > 0)
			atw_relay_moved(r, false);
		if (n < 0 || n < skb->len) {
			if (n > 0)
				__skb_pull(skb, n);
			skb_queue_head(&r->rxq, skb);
			return n < 0 && n != -EAGAIN ? n : 0;
		}
		spin_lock_bh(&r->rxq.lock);
		r->rx_mem -= skb->truesize;
		spin_unlock_bh(&r->rxq.lock);
		atw_budget_give(r->budget, r->share, skb->truesize);
		consume_skb(skb);
		if (r->conn)
			atw_conn_read(r->conn);
	}
	return 1;
}

/* Program -> remote, as long as there is room. */
static int atw_relay_up(struct atw_relay *r)
{
	struct sock *sk = r->sock->sk;
	struct sk_buff *skb;
	bool full, ended;
	u32 unsent, few;
	size_t len;
	int n;

	while (!atw_relay_has(r, ATW_RELAY_BIT_FIN_IN) &&
	       !atw_relay_has(r, ATW_RELAY_BIT_LOST)) {
		struct msghdr msg = { .msg_flags = MSG_DONTWAIT };
		struct kvec iov;

		unsent = atw_conn_unsent(r->conn);
		full = unsent >= r->tx_max;
		few = full ? INT_MAX : unsent ? ATW_RELAY_TX_FEW : 1;
		lock_sock(sk);
		/* TCP tells of no less; when the module has taken what it has, that wakes us. */
		WRITE_ONCE(sk->sk_rcvlowat, few);
		len = max(tcp_inq(sk), 0);
		ended = (sk->sk_shutdown & RCV_SHUTDOWN) || sk->sk_err || sk->sk_state == TCP_CLOSE;
		release_sock(sk);
		if (full || (len ? len < few : !ended))
			return 0;

		/* With none, it is the end that is read. */
		len = clamp_t(size_t, len, 1, min_t(size_t, ATW_RELAY_CHUNK, r->tx_max - unsent));
		skb = alloc_skb(len, GFP_KERNEL);
		if (!skb) {
			atw_relay_tick(r, ATW_RELAY_SOON);
			return 0;
		}
		iov.iov_base = skb->data;
		iov.iov_len = len;
		n = kernel_recvmsg(r->sock, &msg, &iov, 1, len, MSG_DONTWAIT);
		if (n <= 0) {
			kfree_skb(skb);
			if (!n) {
				atw_relay_hear(r);
				assign_bit(ATW_RELAY_BIT_UNSENT, &r->flags, unsent);
				atw_relay_set(r, ATW_RELAY_BIT_FIN_IN);
			}
			return n && n != -EAGAIN ? n : 0;
		}
		skb_put(skb, n);
		atw_relay_moved(r, true);
		if (atw_conn_send(r->conn, skb)) {
			/* Why, is about to be told; it may be an end in order. */
			kfree_skb(skb);
			atw_relay_set(r, ATW_RELAY_BIT_LOST);
			return 0;
		}
	}
	return 0;
}

/* Does a program's socket want nothing more? */
static bool atw_relay_is_closed(const struct sock *peer)
{
	/* close() says so before it sends the FIN, shutdown(SHUT_WR) does not. */
	return READ_ONCE(peer->sk_shutdown) & RCV_SHUTDOWN ||
	       READ_ONCE(peer->sk_state) == TCP_CLOSE;
}

/* The same of a server's, which did not exist when the relay began. */
static bool atw_relay_server_closed(const struct atw_relay *r)
{
	const struct inet_sock *inet = inet_sk(r->sock->sk);
	bool closed = false;
	struct sock *sk;

	rcu_read_lock_bh();
	sk = atw_inet_lookup_established(sock_net(r->sock->sk),
					 inet->inet_saddr, inet->inet_sport,
					 inet->inet_daddr,
					 ntohs(inet->inet_dport),
					 r->sock->sk->sk_bound_dev_if);
	if (sk) {
		/* What is left of it when it waits for the remote's FIN. */
		closed = sk_fullsock(sk) ? atw_relay_is_closed(sk) :
					   sk->sk_state == TCP_TIME_WAIT;
		sock_gen_put(sk);
	}
	rcu_read_unlock_bh();
	return closed;
}

/* Does the program want nothing more of the remote? */
static bool atw_relay_unwanted(const struct atw_relay *r)
{
	return r->peer ? atw_relay_is_closed(r->peer) :
			 atw_relay_server_closed(r);
}

/*
 * The program has sent its FIN, the remote is open. Returns 1 when the program
 * has closed, 0 as long as the remote is to be heard out, or -errno.
 */
static int atw_relay_linger(struct atw_relay *r)
{
	/* As long as the module has not taken all there can be no answer. */
	bool unsent = atw_conn_unsent(r->conn);

	if (unsent)
		atw_relay_hear(r);
	assign_bit(ATW_RELAY_BIT_UNSENT, &r->flags, unsent);
	if (atw_relay_unwanted(r))
		return 1;
	/* It may have more to say: that would be no end in order. */
	return jiffies - r->heard > atw_timing.relay_linger ? -ETIMEDOUT : 0;
}

/*
 * What is to be done when the remote has closed and has been read out. Returns
 * 1 when nothing more is to be waited for, 0, or -errno.
 */
static int atw_relay_finish(struct atw_relay *r)
{
	bool fin_out = atw_relay_has(r, ATW_RELAY_BIT_FIN_OUT);
	struct sock *sk = r->sock->sk;
	u32 unacked, unsent, end;
	bool fin_in, late;

	lock_sock(sk);
	/* Each byte that comes now is one too many, see atw_relay_up(). */
	WRITE_ONCE(sk->sk_rcvlowat, 1);
	fin_in = sock_flag(sk, SOCK_DONE);
	late = atw_relay_has(r, ATW_RELAY_BIT_LOST) ||
	       (!atw_relay_has(r, ATW_RELAY_BIT_FIN_IN) && tcp_inq(sk) > 0);
	end = tcp_sk(sk)->write_seq;
	unacked = end - tcp_sk(sk)->snd_una;
	/* What was sent can be lost on its way to another machine, and after a reset for good. */
	unsent = r->peer ? end - tcp_sk(sk)->snd_nxt : unacked;
	/* What is acknowledged wakes us. */
	set_bit(SOCK_NOSPACE, &r->sock->flags);
	/* No reset would follow a FIN. */
	if (!fin_out && !late && !unsent) {
		/* What comes from here on TCP resets itself, as a remote's own would. */
		WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);
		sk->sk_prot->shutdown(sk, SEND_SHUTDOWN);
		atw_relay_set(r, ATW_RELAY_BIT_FIN_OUT);
		/* Without memory for its FIN TCP never sends one: that takes a reset, too. */
		late = tcp_sk(sk)->write_seq == end;
		if (late)
			atw_relay_set(r, ATW_RELAY_BIT_LOST);
		atw_relay_hear(r);
	}
	release_sock(sk);
	/* Nobody takes what the program has sent: it must learn of that by a
	 * reset, but not before it has what the remote had sent.
	 */
	if (late)
		return unacked ? 0 : -EPIPE;
	if (!fin_out)
		return 0;
	/* Nothing is lost if only the last FIN is not acknowledged. */
	return fin_in && unacked <= 1 &&
	       jiffies - r->heard > atw_timing.relay_last;
}

/* Since when does the program's machine not acknowledge what it was sent? 0: it does. */
static unsigned long atw_relay_unanswered(struct atw_relay *r)
{
	struct sock *sk = r->sock->sk;
	u32 unacked, answered;

	lock_sock(sk);
	unacked = tcp_sk(sk)->write_seq - tcp_sk(sk)->snd_una;
	answered = tcp_sk(sk)->rcv_tstamp;
	release_sock(sk);
	if (!unacked || answered != r->answered) {
		r->answered = answered;
		r->there = jiffies;
	}
	return unacked ? max(jiffies - r->there, 1UL) : 0;
}

/*
 * Another one needs the socket of the module. Nothing of this one may be lost by that:
 * what comes while it is being deleted makes its end an error.
 */
static void atw_relay_do_yield(struct atw_relay *r)
{
	struct sock *sk = r->sock->sk;
	bool quiet;

	lock_sock(sk);
	quiet = sk->sk_state == TCP_ESTABLISHED && tcp_inq(sk) <= 0 &&
		tcp_sk(sk)->write_seq == tcp_sk(sk)->snd_una;
	release_sock(sk);
	if (quiet && skb_queue_empty_lockless(&r->rxq) && !atw_conn_unsent(r->conn))
		atw_conn_yield(r->conn);
	else
		atw_relay_touch(r);
}

/*
 * The connection has failed. What had come before is intact: does the program have all of
 * it, or does it take no more? @drained: from atw_relay_down().
 */
static bool atw_relay_has_all(struct atw_relay *r, int drained)
{
	struct sock *sk = r->sock->sk;
	u32 unacked, una;
	bool gone;

	lock_sock(sk);
	gone = (1 << sk->sk_state) & (TCPF_CLOSE | TCPF_SYN_SENT);
	una = tcp_sk(sk)->snd_una;
	unacked = tcp_sk(sk)->write_seq - una;
	/* What is acknowledged wakes us. */
	set_bit(SOCK_NOSPACE, &r->sock->flags);
	release_sock(sk);
	if (una != r->una)
		atw_relay_touch(r);
	r->una = una;
	return gone || drained < 0 || (drained && !unacked) ||
	       jiffies - r->moved > atw_timing.relay_linger;
}

/*
 * Nobody tells that the program's machine has fallen silent; nor that TCP has memory, where
 * nothing is on its way that would make room.
 */
static void atw_relay_look(struct atw_relay *r, bool closed, bool drained, bool unanswered)
{
	if (unanswered)
		atw_relay_tick(r, closed ? atw_timing.relay_last + 1 : atw_timing.relay_look);
	else if (!drained)
		atw_relay_tick(r, ATW_RELAY_SOON);
}

static void atw_relay_move(struct atw_relay *r)
{
	struct sock *sk = r->sock->sk;
	/* Then @close_err can be seen. */
	bool closed = atw_relay_has(r, ATW_RELAY_BIT_CLOSED);
	unsigned long unanswered;
	int err, drained;

	/* It tells when it is connected, or cannot be. */
	if (READ_ONCE(sk->sk_state) == TCP_SYN_SENT) {
		if (!(closed && r->close_err))
			return;
	} else if (!atw_relay_has(r, ATW_RELAY_BIT_UP)) {
		/* Until now it was not idle. */
		atw_relay_touch(r);
		atw_relay_set(r, ATW_RELAY_BIT_UP);
	}
	drained = atw_relay_down(r);
	if (closed && r->close_err) {
		if (atw_relay_has_all(r, drained))
			atw_relay_over(r, r->close_err);
		else
			atw_relay_look(r, true, drained, atw_relay_unanswered(r));
		return;
	}
	err = drained < 0 ? drained : 0;
	if (!err && !closed)
		err = atw_relay_up(r);
	if (atw_relay_has(r, ATW_RELAY_BIT_YIELD)) {
		clear_bit(ATW_RELAY_BIT_YIELD, &r->flags);
		if (!err && !closed)
			atw_relay_do_yield(r);
	}
	if (!err && closed && drained > 0)
		err = atw_relay_finish(r);

	if (!err && !closed && atw_relay_has(r, ATW_RELAY_BIT_FIN_IN))
		err = atw_relay_linger(r);
	if (err > 0 && !closed) {
		/* What is queued for the remote goes, and nothing comes. */
		atw_relay_release_conn(r, false);
		atw_relay_set(r, ATW_RELAY_BIT_CLOSED);
		closed = true;
		err = atw_relay_finish(r);
	}
	unanswered = atw_relay_unanswered(r);
	if (!err && READ_ONCE(sk->sk_state) == TCP_CLOSE) {
		/* Both FINs are acknowledged; or it was reset or timed out. */
		err = atw_relay_has(r, ATW_RELAY_BIT_FIN_OUT) ? sock_error(sk) : -ECONNRESET;
		atw_relay_over(r, err);
	} else if (err) {
		atw_relay_over(r, min(err, 0));
	} else if (unanswered > atw_timing.relay_gone) {
		atw_relay_over(r, -EHOSTDOWN);
	} else if (atw_relay_has(r, ATW_RELAY_BIT_FIN_IN) && !closed) {
		atw_relay_tick(r, ATW_RELAY_TICK);
	} else {
		atw_relay_look(r, closed, drained, unanswered);
	}
}

static void atw_relay_run(struct work_struct *work)
{
	struct atw_relay *r = container_of(to_delayed_work(work),
					   struct atw_relay, work);
	/* Memory may be freed by what it moves, see channel.c. */
	unsigned int noio = memalloc_noio_save();

	/* Where it is ready, what was set before the start can be seen. */
	if (r->stage == ATW_RELAY_OVER || !atw_relay_has(r, ATW_RELAY_BIT_READY))
		goto put;
	if (atw_relay_has(r, ATW_RELAY_BIT_ABORT)) {
		atw_relay_over(r, -ECANCELED);
		goto put;
	}
	/* Then @open_err can be seen. */
	if (r->stage == ATW_RELAY_OPENING && atw_relay_has(r, ATW_RELAY_BIT_OPENED)) {
		if (r->open_err) {
			atw_relay_over(r, r->open_err);
			goto put;
		}
		r->stage = ATW_RELAY_OPEN;
		r->ops->opened(r, 0, false);
	}
	if (r->stage == ATW_RELAY_OPENING)
		goto put;
	if (atw_relay_has(r, ATW_RELAY_BIT_ATTACHED))
		atw_relay_move(r);
	else if (atw_relay_has(r, ATW_RELAY_BIT_CLOSED) && r->close_err)	/* as above */
		atw_relay_over(r, r->close_err);
put:
	atw_relay_put(r);
	memalloc_noio_restore(noio);
}

/**
 * atw_relay_tx_max() - how much of a stream may wait for the module, as it is sent
 * @cs: the connections
 *
 * Return: bytes, two of the longest turns of a connection, within bounds.
 */
u32 atw_relay_tx_max(const struct atw_conns *cs)
{
	u32 second = atw_conns_per_second(cs);

	return second ? clamp_t(u32, second * 2 / 5, ATW_RELAY_TX_MIN, ATW_RELAY_TX_MAX) :
			ATW_RELAY_TX_MAX;
}

static struct atw_relay *atw_relay_alloc(struct atw_conns *cs, u8 share,
					 struct atw_budget *budget,
					 const struct atw_relay_ops *ops)
{
	struct atw_relay *r = kzalloc(sizeof(*r), GFP_KERNEL);

	if (!r)
		return NULL;
	refcount_set(&r->ref, 1);
	r->budget = budget;
	r->share = share;
	r->tx_max = atw_relay_tx_max(cs);
	r->ops = ops;
	skb_queue_head_init(&r->rxq);
	INIT_DELAYED_WORK(&r->work, atw_relay_run);
	return r;
}

/**
 * atw_relay_open() - open a connection that is to be relayed
 * @cs: the device's connections
 * @addr: the remote's IPv4 address in host order
 * @port: the remote's port in host order
 * @share: whose it is, see atw_share_index()
 * @peer: the other end of the socket that will be attached, if it is on this
 *	machine and known, else NULL; a reference is taken over
 * @budget: bounds what waits for programs; stays until the owner's last call
 * @ops: what to tell the owner
 * @owner: for @ops
 *
 * Context: may sleep for memory; the caller holds a reference to the device.
 * Return: the relay with a reference for the owner, or an error pointer as
 * atw_conn_open(); @peer is released then.
 */
struct atw_relay *atw_relay_open(struct atw_conns *cs, u32 addr, u16 port,
				 u8 share, struct sock *peer,
				 struct atw_budget *budget,
				 const struct atw_relay_ops *ops, void *owner)
{
	const struct atw_conn_spec spec = {
		.type = ATW_TYPE_TCP_CLIENT,
		.name = "",
		.addr = addr,
		.port = port,
		.keepalive = ATW_RELAY_KEEPALIVE,
		.share = share,
	};
	struct atw_relay *r = atw_relay_alloc(cs, share, budget, ops);
	struct atw_conn *c;

	if (!r) {
		if (peer)
			sock_put(peer);
		return ERR_PTR(-ENOMEM);
	}
	r->peer = peer;
	r->owner = owner;

	c = atw_conn_open(cs, &spec, &atw_relay_conn_ops, r);
	if (IS_ERR(c)) {
		atw_relay_put(r);
		return ERR_CAST(c);
	}
	r->conn = c;
	atw_relay_set(r, ATW_RELAY_BIT_READY);
	/* It may have opened before that could be seen. */
	atw_relay_wake(r);
	return r;
}

/**
 * atw_relay_attach() - here is the socket
 * @r: the relay, which has told that it is open
 * @sock: connected, with no users; taken over
 *
 * Context: process context; only once for a relay.
 */
void atw_relay_attach(struct atw_relay *r, struct socket *sock)
{
	atw_relay_hold_sock(r, sock);
	atw_relay_set(r, ATW_RELAY_BIT_ATTACHED);
	atw_relay_wake(r);
}

/**
 * atw_relay_accept() - relay a connection that a server has accepted
 * @cs: the device's connections
 * @server: the server
 * @budget: as for atw_relay_open(), or until atw_relay_refuse()
 * @ops: what to tell the owner; ->opened() is not called
 *
 * Nothing is told before atw_relay_start().
 *
 * Context: process context.
 * Return: the relay, for atw_relay_start() or atw_relay_refuse(); -EAGAIN, none
 * waits to be accepted; -ENOMEM, one may wait still.
 */
struct atw_relay *atw_relay_accept(struct atw_conns *cs, struct atw_conn *server,
				   struct atw_budget *budget,
				   const struct atw_relay_ops *ops)
{
	struct atw_relay *r = atw_relay_alloc(cs, ATW_SHARE_REMOTE, budget, ops);

	if (!r)
		return ERR_PTR(-ENOMEM);
	r->stage = ATW_RELAY_OPEN;
	r->conn = atw_conn_accept(server, &atw_relay_conn_ops, r);
	if (!r->conn) {
		atw_relay_put(r);
		return ERR_PTR(-EAGAIN);
	}
	return r;
}

/**
 * atw_relay_start() - begin to relay what was accepted
 * @r: the relay, from atw_relay_accept()
 * @owner: for its ops; the reference is the owner's now
 * @sock: with no users, connected or about to be: when that fails it is the
 *	end; taken over
 *
 * Context: process context.
 */
void atw_relay_start(struct atw_relay *r, void *owner, struct socket *sock)
{
	r->owner = owner;
	/* Whom the remote has connected to owes it nothing yet. */
	atw_relay_set(r, ATW_RELAY_BIT_ASKED);
	atw_relay_attach(r, sock);
	atw_relay_set(r, ATW_RELAY_BIT_READY);
	atw_relay_wake(r);
}

/**
 * atw_relay_refuse() - disconnect what was accepted
 * @r: the relay, from atw_relay_accept() and not started; it is gone then
 *
 * Context: process context.
 */
void atw_relay_refuse(struct atw_relay *r)
{
	atw_relay_release_conn(r, true);
	atw_relay_put(r);
}

/**
 * atw_relay_tried() - was the module asked for the connection?
 * @r: the relay, from atw_relay_open()
 *
 * Context: any.
 * Return: false: it is still to be asked, others go first.
 */
bool atw_relay_tried(const struct atw_relay *r)
{
	return atw_relay_has(r, ATW_RELAY_BIT_TRIED);
}

/**
 * atw_relay_abort() - end both sides at once
 * @r: the relay
 *
 * Context: any; the end is told later.
 */
void atw_relay_abort(struct atw_relay *r)
{
	atw_relay_set(r, ATW_RELAY_BIT_ABORT);
	atw_relay_wake(r);
}

/**
 * atw_relay_yield() - end for another one, if nothing is on its way
 * @r: the relay, whose connection another one needs
 *
 * Context: any; the end is told later.
 */
void atw_relay_yield(struct atw_relay *r)
{
	atw_relay_set(r, ATW_RELAY_BIT_YIELD);
	atw_relay_wake(r);
}

/**
 * atw_relay_spare() - could its connection be given up?
 * @r: the relay
 *
 * Context: any; an RCU read-side critical section is enough to keep it.
 * Return: jiffies since the program sent its FIN or the remote was heard, 0:
 * the program has not sent one, or bytes of it wait for the module.
 */
unsigned long atw_relay_spare(struct atw_relay *r)
{
	/* Then @heard is no older than the FIN and the bytes before it. */
	bool spare = atw_relay_has(r, ATW_RELAY_BIT_FIN_IN) &&
		     !atw_relay_has(r, ATW_RELAY_BIT_UNSENT) &&
		     !atw_relay_has(r, ATW_RELAY_BIT_CLOSED);

	return spare ? atw_since(&r->heard) : 0;
}

/**
 * atw_relay_idle() - for how long has no byte passed?
 * @r: the relay
 * @asked: set if the last one was the program's, else it was the remote's
 *
 * Context: as atw_relay_spare().
 * Return: jiffies; 0: a byte has just passed, it is about to end, or it is not open yet.
 */
unsigned long atw_relay_idle(struct atw_relay *r, bool *asked)
{
	/* Then it is @moved of what is open. */
	bool up = atw_relay_has(r, ATW_RELAY_BIT_UP);

	*asked = atw_relay_has(r, ATW_RELAY_BIT_ASKED);
	return up && !atw_relay_has(r, ATW_RELAY_BIT_FIN_IN) &&
	       !atw_relay_has(r, ATW_RELAY_BIT_CLOSED) &&
	       !atw_relay_has(r, ATW_RELAY_BIT_YIELD) ? atw_since(&r->moved) : 0;
}

int atw_relay_init(void)
{
	atw_relay_wq = alloc_workqueue("atwifi", WQ_UNBOUND | WQ_HIGHPRI | WQ_MEM_RECLAIM, 0);
	if (!atw_relay_wq)
		return -ENOMEM;
	atw_netdev_wq = alloc_workqueue("atwifi_netdev", WQ_UNBOUND | WQ_HIGHPRI, 0);
	if (!atw_netdev_wq) {
		destroy_workqueue(atw_relay_wq);
		return -ENOMEM;
	}
	return 0;
}

void atw_relay_exit(void)
{
	destroy_workqueue(atw_netdev_wq);
	destroy_workqueue(atw_relay_wq);
}
