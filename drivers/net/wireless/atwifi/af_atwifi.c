// SPDX-License-Identifier: GPL-2.0-only
/*
 * AF_ATWIFI: sockets whose TCP and UDP run in the Wi-Fi module.
 *
 * A socket owns at most one connection (struct atw_conn). System calls run
 * under lock_sock(); the connection calls back from the channel's thread with
 * its own lock held, where lock_sock() cannot be taken. Hence this rule: while
 * a connection is attached, its callbacks write the state that it decides
 * (sk_state, sk_err, failed, sk_shutdown) under atw_sock.lock, and system calls
 * reset that state only when none is attached. Once atw_conn_close() has
 * returned there are no callbacks.
 *
 * A system call that sleeps lets lock_sock() go, and another thread may have
 * given the socket another connection when it goes on: that one is not what it
 * was called for. So it takes the count of atw_sock.detached before, and ends
 * if that has changed, with -EPIPE as TCP's do.
 *
 * Nesting: lock_sock() > conn->lock > atw_sock.lock, receive queue's lock.
 *
 * States: TCP_CLOSE, TCP_SYN_SENT while the module connects or begins to serve,
 * TCP_ESTABLISHED, TCP_CLOSE_WAIT after the remote has closed, and TCP_LISTEN. The
 * module deletes a connection that the remote closed, so nothing can be sent then.
 */
#include <linux/cache.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/proc_fs.h>
#include <linux/sched/signal.h>
#include <linux/security.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sockios.h>
#include <linux/uaccess.h>
#include <net/ip.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include <net/sock.h>
#include <net/tcp_states.h>

#include <asm/ioctls.h>

#include <linux/atwifi.h>

#include "access.h"
#include "budget.h"
#include "compat_sock.h"
#include "conn.h"
#include "dev.h"
#include "format.h"
#include "module.h"
#include "port.h"
#include "timing.h"

/* So many bytes of small writes share a buffer, as long as it waits. */
#define ATW_TX_ROOM	SKB_WITH_OVERHEAD(1024)
/* So few bytes are copied into it, and need none of their own. */
#define ATW_TX_SMALL	128
/* Bytes of one buffer to send: with its overhead it fills a page. */
#define ATW_TX_CHUNK	min_t(size_t, SKB_WITH_OVERHEAD(PAGE_SIZE), 4096)

/*
 * The module has no flow control towards the remote that the host could use:
 * what comes must be taken. A reader that is late by less than this loses
 * nothing.
 */
#define ATW_RCVBUF	(1024 * 1024)
/* Nor does it help to ask for less: a stream that is full is reset. */
#define ATW_RCVBUF_MIN	(256 * 1024)
/*
 * What the sockets of a network namespace keep unread: what a remote has sent before it closed
 * may stay for as long as there are descriptors.
 */
#define ATW_RCVBUF_ALL	(32 * 1024 * 1024)

/* What a stream may be told of transparent mode, and what a datagram socket. */
#define ATW_TT_STREAM	(ATW_TT_ON | ATW_TT_FRAGILE)
#define ATW_TT_DGRAM	(ATW_TT_ON | ATW_TT_NO_BOUNDARIES | ATW_TT_LAST_PEER)

/* So many ports are tried where the driver chooses, and the module has what it chose. */
#define ATW_PORT_TRIES	8

#define ATW_KEEPINTVL_DEFAULT	60
#define ATW_KEEPINTVL_MAX	7200

static ushort family = AF_ATWIFI;
module_param(family, ushort, 0444);
MODULE_PARM_DESC(family, "number of the address family");

/**
 * struct atw_sock - an AF_ATWIFI socket
 * @sk: must be first
 * @lock: protects what callbacks and /proc share with system calls: @conn and
 *	@peer (written under lock_sock() too), @used, @local_addr, @failed, @chosen,
 *	@module_error, @established, and sk_state, sk_shutdown of @sk
 * @conn: the connection, holds a reference
 * @detached: counts the connections that it had before; written under
 *	lock_sock(), and looked at without it by who waits: a wake-up follows each change.
 *	sk_disconnects would be it, but is not in each 6.1
 * @unopened: error for which the last of these was not opened, 0: it was ended for
 *	another reason; lock_sock()
 * @peer: its remote; satw_port is 0 if there never was one
 * @local_addr: address of the module when it was opened; not of a server, see
 *	atw_served_addr()
 * @port: what bind() has chosen; written under lock_sock()
 * @chosen: listen() has, and it did not serve there yet
 * @accepted_port: that of the server which has accepted it, 0: none has
 * @served: a datagram was received, that is, of a server: there is somebody to answer;
 *	lock_sock(), and so is @life
 * @life: as in struct atw_rx_cb of the last one
 * @failed: error that ended the connection, or that it was not opened for. The first is
 *	repeated to each reader of a stream, so that an end that is an error is never taken for
 *	the end of the data
 * @module_error: see ATW_MODULE_ERROR
 * @established: the connection was open once
 * @connecting: a connect() began it and has not yet told of its success
 * @keepintvl: see ATW_KEEPINTVL
 * @unverified: see ATW_TLS_UNVERIFIED
 * @sending: the message that a stream is about to read, or of which a part is queued, NULL:
 *	none; what other threads send comes after the rest of it. Written under lock_sock(),
 *	and looked at as @detached
 * @share: whose memory it is in atw_net.unread
 * @rx_bytes: unread bytes of a stream; written under the receive queue's lock, and looked at
 *	as @detached
 * @taken: bytes of streams that were read from it; lock_sock()
 * @device: see ATW_BINDTODEVICE
 * @used: name of the device that the connection was opened on
 */
struct atw_sock {
	struct sock		sk;
	spinlock_t		lock;
	struct atw_conn		*conn;
	u32			detached;
	int			unopened;
	struct sockaddr_atw	peer;
	__be32			local_addr;
	struct atw_port		port;
	bool			chosen;
	u16			accepted_port;
	bool			served;
	u32			life;
	int			failed;
	u32			module_error;
	bool			established;
	bool			connecting;
	u32			keepintvl;
	bool			unverified;
	const struct msghdr	*sending;
	u8			share;
	u32			rx_bytes;
	u32			taken;
	char			device[IFNAMSIZ];
	char			used[IFNAMSIZ];
};

/**
 * struct atw_rx_cb - in skb->cb of what was received
 * @off: of a stream: bytes that were read of it
 * @life: of a datagram: atw_conn_serve.life in which it came
 */
struct atw_rx_cb {
	u32	off;
	u32	life;
};

#define ATW_RX_CB(skb)	((struct atw_rx_cb *)(skb)->cb)

/**
 * struct atw_net - the sockets of a network namespace
 * @lock: protects changes of @socks, which are read under RCU; within lock_sock(), outside
 *	all other locks here
 * @socks: all of them
 * @stream_ports: of those that are streams
 * @dgram_ports: of the others
 * @access: who may have some
 * @unread: memory of what all have not read
 */
struct atw_net {
	struct mutex		lock;
	struct hlist_head	socks;
	struct atw_ports	stream_ports;
	struct atw_ports	dgram_ports;
	struct atw_access	access;
	struct atw_budget	unread;
};

static unsigned int atw_net_id;

static struct atw_net *atw_net(const struct net *net)
{
	return net_generic(net, atw_net_id);
}

static struct atw_sock *atw_sk(const struct sock *sk)
{
	return (struct atw_sock *)sk;
}

static bool atw_is_stream(const struct sock *sk)
{
	return sk->sk_type == SOCK_STREAM;
}

/*
 * The state that a callback has set, and with it what the callback has written
 * before: why the socket is closed, above all.
 */
static int atw_state(const struct sock *sk)
{
	/* Pairs with the release in atw_set_state(). */
	return smp_load_acquire(&sk->sk_state);
}

static void atw_set_state(struct sock *sk, int state)
{
	lockdep_assert_held(&atw_sk(sk)->lock);
	/* Pairs with the acquire in atw_state(). */
	smp_store_release(&sk->sk_state, state);
}

/*
 * What callbacks write, and programs look at without a lock: to wait for it, in poll(),
 * and before they begin something. Each change is followed by a wake-up.
 */
static void atw_set_err(struct sock *sk, int err)
{
	WRITE_ONCE(sk->sk_err, -err);
}

static bool atw_has_err(const struct sock *sk)
{
	return READ_ONCE(sk->sk_err);
}

static void atw_set_shut(struct sock *sk, int how)
{
	WRITE_ONCE(sk->sk_shutdown, how);
}

static int atw_shut(const struct sock *sk)
{
	return READ_ONCE(sk->sk_shutdown);
}

/* Bytes of a stream that can be read: @n more. */
static void atw_rx_count(struct sock *sk, int n)
{
	struct atw_sock *as = atw_sk(sk);

	lockdep_assert_held(&sk->sk_receive_queue.lock);
	WRITE_ONCE(as->rx_bytes, as->rx_bytes + n);
}

static u32 atw_rx_bytes(const struct atw_sock *as)
{
	return READ_ONCE(as->rx_bytes);
}

/* Whoever has the socket may give it to another user, see fchown(). */
static kuid_t atw_uid(const struct sock *sk)
{
	return READ_ONCE(sk->sk_uid);
}

/* Callbacks of the connection */

static void atw_sk_opened(struct atw_conn *c, int err, u32 code)
{
	struct atw_sock *as = c->owner;
	struct sock *sk = &as->sk;

	spin_lock(&as->lock);
	if (err) {
		as->module_error = code;
		as->failed = err;
		atw_set_err(sk, err);
		atw_set_state(sk, TCP_CLOSE);
	} else if (atw_is_stream(sk) && as->port.number) {
		as->chosen = false;
		atw_set_state(sk, TCP_LISTEN);
	} else {
		as->established = true;
		atw_set_state(sk, TCP_ESTABLISHED);
	}
	spin_unlock(&as->lock);

	sk->sk_state_change(sk);
	if (err)
		sk_error_report(sk);
	else
		sk_wake_async(sk, SOCK_WAKE_IO, POLL_OUT);
}

static void atw_sk_closed(struct atw_conn *c, int err, u32 code)
{
	struct atw_sock *as = c->owner;
	struct sock *sk = &as->sk;

	spin_lock(&as->lock);
	as->failed = err;
	if (err) {
		as->module_error = code;
		atw_set_err(sk, err);
	}
	if (atw_is_stream(sk)) {
		atw_set_shut(sk, SHUTDOWN_MASK);
		atw_set_state(sk, err ? TCP_CLOSE : TCP_CLOSE_WAIT);
	} else {
		/* The next datagram opens it again. */
		atw_set_state(sk, TCP_CLOSE);
	}
	spin_unlock(&as->lock);

	sk->sk_state_change(sk);
	if (err)
		sk_error_report(sk);
	else
		sk_wake_async(sk, SOCK_WAKE_WAITD, POLL_HUP);
}

/* Memory that unread bytes of a stream may take. */
static int atw_rcvbuf(const struct sock *sk)
{
	return max(READ_ONCE(sk->sk_rcvbuf), ATW_RCVBUF_MIN);
}

static void atw_rx_free(struct sk_buff *skb)
{
	struct sock *sk = skb->sk;

	atw_budget_give(&atw_net(sock_net(sk))->unread, atw_sk(sk)->share, skb->truesize);
	sock_rfree(skb);
}

/* Charge it to the socket. False: there is no room for more of its user's. */
static bool atw_rx_own(struct sock *sk, struct sk_buff *skb)
{
	if (!atw_budget_take_of(&atw_net(sock_net(sk))->unread, ATW_RCVBUF_ALL,
				atw_sk(sk)->share, skb->truesize))
		return false;
	skb_set_owner_r(skb, sk);
	skb->destructor = atw_rx_free;
	return true;
}

static void atw_rx_dgram(struct sock *sk, struct sk_buff *skb)
{
	/* No filter is asked about streams: none of their bytes may be missing. */
	if (atomic_read(&sk->sk_rmem_alloc) + skb->truesize > READ_ONCE(sk->sk_rcvbuf) ||
	    sk_filter(sk, skb) || !atw_rx_own(sk, skb)) {
		atomic_inc(&sk->sk_drops);
		kfree_skb(skb);
		return;
	}

	__net_timestamp(skb);
	sock_skb_set_dropcount(sk, skb);
	skb_queue_tail(&sk->sk_receive_queue, skb);
	sk->sk_data_ready(sk);
}

/* Has the socket room for one more within so many bytes? */
static bool atw_rx_fits(const struct sock *sk, const struct sk_buff *skb, unsigned int limit)
{
	return atomic_read(&sk->sk_rmem_alloc) + skb->truesize <= limit;
}

static bool atw_rx_stream(struct sock *sk, struct sk_buff *skb)
{
	struct sk_buff_head *queue = &sk->sk_receive_queue;
	bool merged = false;
	struct sk_buff *tail;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	tail = skb_peek_tail(queue);
	if (atw_rx_merges(tail, skb)) {
		skb_put_data(tail, skb->data, skb->len);
		merged = true;
	} else if (!atw_rx_fits(sk, skb, atw_rcvbuf(sk)) || !atw_rx_own(sk, skb)) {
		spin_unlock_irqrestore(&queue->lock, flags);
		/* The caller frees it and resets the connection. */
		atomic_inc(&sk->sk_drops);
		return false;
	}
	atw_rx_count(sk, skb->len);
	if (!merged) {
		ATW_RX_CB(skb)->off = 0;
		__skb_queue_tail(queue, skb);
	}
	spin_unlock_irqrestore(&queue->lock, flags);

	if (merged)
		consume_skb(skb);
	sk->sk_data_ready(sk);
	return true;
}

static bool atw_sk_rx(struct atw_conn *c, struct sk_buff *skb)
{
	struct atw_sock *as = c->owner;
	struct sock *sk = &as->sk;

	if (!skb->len || (atw_shut(sk) & RCV_SHUTDOWN)) {
		consume_skb(skb);
		return true;
	}
	if (atw_is_stream(sk))
		return atw_rx_stream(sk, skb);
	ATW_RX_CB(skb)->life = c->serve.life;
	atw_rx_dgram(sk, skb);
	return true;
}

static bool atw_sk_room(struct atw_conn *c, const struct sk_buff *skb)
{
	struct atw_sock *as = c->owner;
	struct sock *sk = &as->sk;
	struct sk_buff_head *queue = &sk->sk_receive_queue;
	unsigned long flags;
	bool room;

	if (!atw_is_stream(sk) || (atw_shut(sk) & RCV_SHUTDOWN))
		return true;
	spin_lock_irqsave(&queue->lock, flags);
	room = atw_rx_merges(skb_peek_tail(queue), skb) ||
	       atw_rx_fits(sk, skb, atw_rx_mark(atw_rcvbuf(sk)));
	spin_unlock_irqrestore(&queue->lock, flags);
	return room;
}

static void atw_sk_tx_done(struct atw_conn *c)
{
	struct atw_sock *as = c->owner;

	as->sk.sk_write_space(&as->sk);
}

static void atw_sk_incoming(struct atw_conn *server)
{
	struct atw_sock *as = server->owner;

	as->sk.sk_data_ready(&as->sk);
}

static void atw_sk_whose(struct atw_conn *c, struct atw_conn_info *info)
{
	struct atw_sock *as = c->owner;

	info->inode = sock_i_ino(&as->sk);
	info->uid = atw_uid(&as->sk);
}

static const struct atw_conn_ops atw_sk_conn_ops = {
	.opened		= atw_sk_opened,
	.rx		= atw_sk_rx,
	.room		= atw_sk_room,
	.closed		= atw_sk_closed,
	.tx_done	= atw_sk_tx_done,
	.incoming	= atw_sk_incoming,
	.whose		= atw_sk_whose,
};

/* The connection with a reference, or NULL. */
static struct atw_conn *atw_sk_conn(struct atw_sock *as)
{
	struct atw_conn *conn;

	spin_lock(&as->lock);
	conn = as->conn;
	if (conn)
		refcount_inc(&conn->ref);
	spin_unlock(&as->lock);
	return conn;
}

/* Opening and closing */

static int atw_user_addr(const struct sock *sk, const void *uaddr, int len,
			 struct sockaddr_atw *addr)
{
	const struct sockaddr_atw *in = uaddr;
	size_t room, n;
	int err;

	if (len < ATW_ADDRLEN_MIN || len > (int)sizeof(*addr))
		return -EINVAL;
	if (in->satw_family != sk->sk_family)
		return -EAFNOSUPPORT;
	if (!in->satw_port)
		return -EINVAL;

	/* All that was not given is zero: addresses are compared as memory. */
	memset(addr, 0, sizeof(*addr));
	addr->satw_family = in->satw_family;
	addr->satw_port = in->satw_port;

	room = len - offsetof(struct sockaddr_atw, satw_name);
	n = strnlen(in->satw_name, room);
	if (!n) {
		addr->satw_addr = in->satw_addr;
		return in->satw_addr ? 0 : -EINVAL;
	}
	if (n >= sizeof(addr->satw_name))
		return -ENAMETOOLONG;
	err = atw_check_host(in->satw_name, n);
	if (err)
		return err;
	memcpy(addr->satw_name, in->satw_name, n);
	return 0;
}

static void atw_purge_rx(struct sock *sk)
{
	struct sk_buff_head *queue = &sk->sk_receive_queue;
	struct sk_buff_head list;

	__skb_queue_head_init(&list);
	spin_lock_irq(&queue->lock);
	skb_queue_splice_init(queue, &list);
	atw_rx_count(sk, -(int)atw_sk(sk)->rx_bytes);
	spin_unlock_irq(&queue->lock);
	__skb_queue_purge(&list);
}

static void atw_tx_set_sender(struct atw_sock *as, const struct msghdr *msg)
{
	WRITE_ONCE(as->sending, msg);
}

/* Let go of the connection without waiting. lock_sock() is held. */
static void atw_drop_conn(struct atw_sock *as, bool abort)
{
	struct atw_conn *conn = as->conn;

	if (!conn)
		return;

	atw_conn_close(conn, abort, atw_timing.linger);
	WRITE_ONCE(as->detached, as->detached + 1);
	/* What is being sent on it has no end but an error. */
	atw_tx_set_sender(as, NULL);
	as->unopened = 0;
	spin_lock(&as->lock);
	as->conn = NULL;
	as->established = false;
	atw_set_state(&as->sk, TCP_CLOSE);
	spin_unlock(&as->lock);
	as->connecting = false;
	atw_conn_put(conn);
	/* Whoever waits in another thread must look again. */
	as->sk.sk_state_change(&as->sk);
}

/*
 * Has the socket let the connection go that was its own when @detached was the
 * count? Sure under lock_sock() only.
 */
static bool atw_is_detached(const struct atw_sock *as, u32 detached)
{
	return READ_ONCE(as->detached) != detached;
}

/* What the module is to make of this socket. */
static enum atw_sock_type atw_conn_type(const struct sock *sk, bool server)
{
	if (!atw_is_stream(sk))
		return server ? ATW_TYPE_UDP_SERVER : ATW_TYPE_UDP_CLIENT;
	if (sk->sk_protocol == ATWPROTO_TLS)
		return server ? ATW_TYPE_SSL_SERVER : ATW_TYPE_SSL_CLIENT;
	return server ? ATW_TYPE_TCP_SERVER : ATW_TYPE_TCP_CLIENT;
}

/*
 * Begin a connection to @peer, or a server if that has no port; none is attached,
 * lock_sock() is held.
 */
static int atw_open(struct atw_sock *as, const struct sockaddr_atw *peer)
{
	struct sock *sk = &as->sk;
	bool server = !peer->satw_port;
	struct atw_conn_spec spec = {
		.type = atw_conn_type(sk, server),
		.name = peer->satw_name,
		.addr = ntohl(peer->satw_addr),
		.port = server ? as->port.number : ntohs(peer->satw_port),
		.backlog = sk->sk_max_ack_backlog,
		.unverified = as->unverified,
		.share = atw_share_index(atw_uid(sk), 0, 0,
					 !atw_is_stream(sk)),
	};
	struct atw_conn *conn;
	struct atw_dev *adev;
	int err = 0;

	adev = atw_dev_find(sock_net(sk), as->device[0] ? as->device : NULL);
	if (!adev)
		return -ENODEV;
	if (atw_module_state(&adev->module) != ATW_MODULE_JOINED) {
		err = -ENETDOWN;
		goto put;
	}
	if (atw_is_stream(sk) && sock_flag(sk, SOCK_KEEPOPEN))
		spec.keepalive = as->keepintvl;

	/* What is left of another remote is not of this one; nor bytes of a stream. */
	if (atw_is_stream(sk) || memcmp(&as->peer, peer, sizeof(*peer)))
		atw_purge_rx(sk);
	spin_lock(&as->lock);
	as->peer = *peer;
	as->local_addr = htonl(atw_module_addr(&adev->module));
	strscpy(as->used, dev_name(&adev->dev), sizeof(as->used));
	as->failed = 0;
	as->module_error = 0;
	as->established = false;
	as->served = false;
	atw_set_err(sk, 0);
	/* What a program does not want of datagrams is no matter of this connection. */
	if (atw_is_stream(sk))
		atw_set_shut(sk, 0);
	atw_set_state(sk, TCP_SYN_SENT);
	spin_unlock(&as->lock);

	conn = atw_conn_open(&adev->module.conns, &spec, &atw_sk_conn_ops, as);
	spin_lock(&as->lock);
	if (IS_ERR(conn)) {
		err = PTR_ERR(conn);
		atw_set_state(sk, TCP_CLOSE);
	} else {
		as->conn = conn;
	}
	spin_unlock(&as->lock);
put:
	atw_dev_put(adev);
	return err;
}

/*
 * Wait for a word that the condition may be true, or until the time is over. lock_sock() is
 * held, and let go meanwhile.
 */
#define atw_sk_wait(_sk, _timeo, _condition)				\
	do {								\
		DEFINE_WAIT_FUNC(_wait, woken_wake_function);		\
		wait_queue_head_t *_queue = sk_sleep(_sk);		\
									\
		add_wait_queue(_queue, &_wait);				\
		sk_wait_event(_sk, _timeo, _condition, &_wait);		\
		remove_wait_queue(_queue, &_wait);			\
	} while (0)

/* May who waits for the socket go on doing so? 0; -EAGAIN, there is no time; or a signal. */
static int atw_may_wait(long timeo)
{
	if (!timeo)
		return -EAGAIN;
	return signal_pending(current) ? sock_intr_errno(timeo) : 0;
}

/*
 * Wait until the connect that runs has ended: 0, -EAGAIN, a signal, or
 * -EPIPE: another thread has ended it, and what there is now is not ours.
 */
static int atw_wait_connect(struct sock *sk, long *timeo)
{
	struct atw_sock *as = atw_sk(sk);
	u32 detached = as->detached;
	int err;

	while (atw_state(sk) == TCP_SYN_SENT) {
		err = atw_may_wait(*timeo);
		if (err)
			return err;
		atw_sk_wait(sk, timeo, atw_state(sk) != TCP_SYN_SENT ||
			    atw_is_detached(as, detached));
		if (atw_is_detached(as, detached))
			return -EPIPE;
	}
	return 0;
}

/*
 * The connection that was waited for has come to its end before it was opened: tell why,
 * the others that wait for it too. lock_sock() is held.
 */
static int atw_not_opened(struct atw_sock *as)
{
	int err = sock_error(&as->sk);

	/* SO_ERROR may have told another thread before. */
	if (!err)
		err = as->failed ?: -ECONNABORTED;
	atw_drop_conn(as, true);
	as->unopened = err;
	return err;
}

/* The same for who waited while another thread had it end, see atw_wait_connect(). */
static int atw_why_ended(const struct atw_sock *as)
{
	return as->unopened ?: -ECONNABORTED;
}

static struct atw_ports *atw_sk_ports(const struct sock *sk)
{
	struct atw_net *an = atw_net(sock_net(sk));

	return atw_is_stream(sk) ? &an->stream_ports : &an->dgram_ports;
}

static void atw_drop_port(struct atw_sock *as)
{
	atw_port_drop(atw_sk_ports(&as->sk), &as->port);
}

/* A port that nobody asked for is not kept where the module could not serve. */
static void atw_drop_chosen(struct atw_sock *as)
{
	if (as->chosen)
		atw_drop_port(as);
	as->chosen = false;
}

/*
 * connect() with AF_UNSPEC: the socket is as new, or as after bind(). As with
 * UDP, datagrams go on to come to the port that was bound.
 */
static void atw_disconnect(struct sock *sk)
{
	struct atw_sock *as = atw_sk(sk);

	if (!atw_is_stream(sk) && as->port.number) {
		if (atw_state(sk) != TCP_CLOSE)
			return;
		/* It came to its end: nobody would open it again. */
		atw_drop_port(as);
	}
	atw_drop_conn(as, atw_is_stream(sk));
	atw_drop_chosen(as);
	as->accepted_port = 0;
	atw_purge_rx(sk);
	spin_lock(&as->lock);
	memset(&as->peer, 0, sizeof(as->peer));
	as->failed = 0;
	atw_set_err(sk, 0);
	atw_set_shut(sk, 0);
	spin_unlock(&as->lock);
	/* Whoever polls must look again. */
	sk->sk_state_change(sk);
}

/*
 * What a connect() finds: 1, a connection is to be opened; 0, it is running or
 * has succeeded; or an error. lock_sock() is held.
 */
static int atw_connect_check(struct atw_sock *as,
			     const struct sockaddr_atw *addr)
{
	struct sock *sk = &as->sk;
	int err;

	if (!as->conn)
		return 1;

	if (!atw_is_stream(sk)) {
		bool same = !memcmp(&as->peer, addr, sizeof(*addr));

		if (same && atw_state(sk) != TCP_CLOSE)
			return 0;
		atw_drop_conn(as, false);
		return 1;
	}

	switch (atw_state(sk)) {
	case TCP_SYN_SENT:
		return 0;
	case TCP_CLOSE:
		/* What was open is not opened anew, told by a connect() or not. */
		if (!as->connecting || as->established)
			return -EISCONN;
		/* An earlier connect() failed and did not wait for it. */
		err = sock_error(sk);
		atw_drop_conn(as, true);
		return err ? err : 1;
	default:
		return as->connecting ? 0 : -EISCONN;
	}
}

static int atw_connect(struct socket *sock, struct sockaddr_unsized *uaddr,
		       int len, int flags)
{
	struct sock *sk = sock->sk;
	struct atw_sock *as = atw_sk(sk);
	struct sockaddr_atw addr;
	bool began = false;
	long timeo;
	int err;

	if (len < (int)sizeof(uaddr->sa_family))
		return -EINVAL;

	lock_sock(sk);
	if (uaddr->sa_family == AF_UNSPEC) {
		atw_disconnect(sk);
		err = 0;
		goto out;
	}

	err = atw_user_addr(sk, uaddr, len, &addr);
	if (err)
		goto out;
	if (as->port.number) {
		/* The module chooses the port of what connects. */
		err = as->conn ? -EISCONN : -EOPNOTSUPP;
		goto out;
	}
	err = atw_connect_check(as, &addr);
	if (err < 0)
		goto out;
	if (err) {
		err = atw_open(as, &addr);
		if (err)
			goto out;
		as->connecting = true;
		began = true;
	}

	timeo = sock_sndtimeo(sk, flags & O_NONBLOCK);
	err = atw_wait_connect(sk, &timeo);
	if (err == -EAGAIN)
		err = began ? -EINPROGRESS : -EALREADY;
	if (err == -EPIPE && as->unopened)
		err = as->unopened;
	if (err)
		goto out;

	if (atw_state(sk) == TCP_CLOSE) {
		err = atw_not_opened(as);
		goto out;
	}
	as->connecting = false;
out:
	release_sock(sk);
	return err;
}

/* Servers */

/*
 * May a system call on it that has no flags of its own wait? A task of io_uring's would hold
 * locks meanwhile that all of its user's rings need.
 */
static bool atw_may_block(const struct socket *sock)
{
	if (current->flags & PF_IO_WORKER)
		return false;
	return !sock->file || !(sock->file->f_flags & O_NONBLOCK);
}

/* Does it serve, or is it about to? */
static bool atw_is_serving(const struct atw_sock *as)
{
	int state = atw_state(&as->sk);

	return atw_port_number(&as->port) &&
	       (state == TCP_LISTEN || state == TCP_SYN_SENT);
}

/*
 * Have the module serve at the port, if it is not asked to already, and wait until it
 * does. A socket that must not block is told later if it cannot. After a signal what was
 * begun goes on; -EPIPE, another thread has ended it. lock_sock() is held.
 */
static int atw_serve(struct atw_sock *as, bool block)
{
	struct sockaddr_atw any = { .satw_family = as->sk.sk_family };
	long timeo = MAX_SCHEDULE_TIMEOUT;
	struct sock *sk = &as->sk;
	int err;

	err = as->conn ? 0 : atw_open(as, &any);
	if (err || !block)
		return err;
	err = atw_wait_connect(sk, &timeo);
	if (!err && atw_state(sk) == TCP_CLOSE)
		err = atw_not_opened(as);
	return err;
}

static int atw_check_local(struct sock *sk, const void *uaddr, int len)
{
	const struct sockaddr_atw *in = uaddr;
	struct atw_sock *as = atw_sk(sk);
	struct atw_dev *adev;
	u32 addr;
	u16 port;

	if (len < ATW_ADDRLEN_MIN || len > (int)sizeof(*in))
		return -EINVAL;
	if (in->satw_family != sk->sk_family)
		return -EAFNOSUPPORT;
	if (len > ATW_ADDRLEN_MIN && in->satw_name[0])
		return -EINVAL;
	port = ntohs(in->satw_port);
	if (port && inet_port_requires_bind_service(sock_net(sk), port) &&
	    !ns_capable(sock_net(sk)->user_ns, CAP_NET_BIND_SERVICE))
		return -EACCES;
	if (!in->satw_addr)
		return 0;
	/* The module has one address, and serves at that. */
	adev = atw_dev_find(sock_net(sk), as->device[0] ? as->device : NULL);
	if (!adev)
		return -ENODEV;
	addr = atw_module_addr(&adev->module);
	atw_dev_put(adev);
	return htonl(addr) == in->satw_addr ? 0 : -EADDRNOTAVAIL;
}

/* bind() to a port, 0: one that the driver chooses. lock_sock() is held. */
static int atw_bind_to(struct atw_sock *as, u16 port, bool block)
{
	struct sock *sk = &as->sk;
	int err;

	err = atw_port_take(atw_sk_ports(sk), &as->port, port);
	/* A stream serves from listen() on, datagrams come at once. */
	if (err || atw_is_stream(sk))
		return err;
	err = atw_serve(as, block);
	/* Called again it would find the socket bound. */
	if (err == -EPIPE)
		err = atw_why_ended(as);
	else if (err)
		atw_drop_conn(as, true);
	/* A connection is another thread's, and the port is for it. */
	if (err && !as->conn)
		atw_drop_port(as);
	/* Called anew after each signal it would never come to its end. */
	return err == -ERESTARTSYS ? -EINTR : err;
}

static int atw_bind(struct socket *sock, struct sockaddr_unsized *uaddr,
		    int len)
{
	const struct sockaddr_atw *in = (const void *)uaddr;
	struct sock *sk = sock->sk;
	struct atw_sock *as = atw_sk(sk);
	unsigned int tries;
	int err;

	lock_sock(sk);
	err = atw_check_local(sk, uaddr, len);
	if (!err && (as->conn || as->port.number))
		err = -EINVAL;
	if (err)
		goto out;
	tries = in->satw_port ? 1 : ATW_PORT_TRIES;
	do {
		err = atw_bind_to(as, ntohs(in->satw_port), atw_may_block(sock));
	} while (err == -EADDRINUSE && !as->conn && --tries);
out:
	release_sock(sk);
	return err;
}

/* listen(), at a port that the driver chooses where there is none. lock_sock() is held. */
static int atw_listen_once(struct atw_sock *as, bool block)
{
	struct sock *sk = &as->sk;
	int err = 0;

	if (atw_state(sk) == TCP_LISTEN)
		return 0;
	/* The server has come to its end. */
	if (as->port.number && atw_state(sk) == TCP_CLOSE) {
		atw_drop_conn(as, true);
		atw_drop_chosen(as);
	}
	if (as->conn && !atw_is_serving(as))
		return -EINVAL;
	if (!as->port.number) {
		err = atw_port_take(atw_sk_ports(sk), &as->port, 0);
		as->chosen = !err;
	}
	/*
	 * Other threads may wait for the same, so a signal ends it for none of them: it goes
	 * on, and listen() can be called again.
	 */
	if (!err)
		err = atw_serve(as, block);
	if (err == -EPIPE)
		err = atw_why_ended(as);
	/* If there is a connection another thread serves at the port. */
	if (err && !as->conn)
		atw_drop_chosen(as);
	return err;
}

static int atw_listen(struct socket *sock, int backlog)
{
	struct sock *sk = sock->sk;
	struct atw_sock *as = atw_sk(sk);
	unsigned int tries;
	int err;

	lock_sock(sk);
	sk->sk_max_ack_backlog = max(backlog, 0);
	if (atw_is_serving(as))
		atw_conn_set_backlog(as->conn, max(backlog, 0));
	/* The port of bind() may have been told to others. */
	tries = as->port.number && !as->chosen ? 1 : ATW_PORT_TRIES;
	do {
		err = atw_listen_once(as, atw_may_block(sock));
	} while (err == -EADDRINUSE && --tries);
	release_sock(sk);
	return err;
}

/*
 * The address at which a server's module is now: it may have been out of its network since the
 * server was opened, and have got another one.
 */
static __be32 atw_served_addr(const struct atw_sock *as)
{
	struct atw_dev *adev = atw_dev_find(sock_net(&as->sk), as->used);
	u32 addr;

	if (!adev)
		return 0;
	addr = atw_module_addr(&adev->module);
	atw_dev_put(adev);
	return htonl(addr);
}

static struct sock *atw_sk_alloc(struct net *net, struct socket *sock, int type,
				 int protocol, int kern);
static void atw_sk_list(struct sock *sk);

/*
 * A socket for what @sk accepts, with the options of @sk, whose lock_sock() is
 * held.
 */
static struct sock *atw_sk_child(struct sock *sk, bool kern)
{
	struct atw_sock *as = atw_sk(sk);
	struct sock *child;
	struct atw_sock *cs;

	child = atw_sk_alloc(sock_net(sk), NULL, sk->sk_type, sk->sk_protocol,
			     kern);
	if (!child)
		return NULL;
	security_sk_clone(sk, child);
	child->sk_rcvbuf = sk->sk_rcvbuf;
	child->sk_sndbuf = sk->sk_sndbuf;
	child->sk_rcvlowat = sk->sk_rcvlowat;
	child->sk_lingertime = sk->sk_lingertime;
	/* Newer kernels set these two without the lock. */
	child->sk_rcvtimeo = READ_ONCE(sk->sk_rcvtimeo);
	child->sk_sndtimeo = READ_ONCE(sk->sk_sndtimeo);
	sock_valbool_flag(child, SOCK_LINGER, sock_flag(sk, SOCK_LINGER));
	sock_valbool_flag(child, SOCK_KEEPOPEN, sock_flag(sk, SOCK_KEEPOPEN));
	child->sk_state = TCP_ESTABLISHED;

	cs = atw_sk(child);
	cs->peer.satw_family = sk->sk_family;
	cs->accepted_port = as->port.number;
	cs->established = true;
	/* It has no owner before accept() has given it one; it is the server's, whoever that is. */
	cs->share = as->share;
	cs->keepintvl = as->keepintvl;
	memcpy(cs->device, as->device, sizeof(cs->device));
	memcpy(cs->used, as->used, sizeof(cs->used));
	return child;
}

static int atw_accept(struct socket *sock, struct socket *newsock,
		      ATW_ACCEPT_ARGS)
{
	const struct proto_accept_arg arg = ATW_ACCEPT_ARG;
	struct sock *child, *sk = sock->sk;
	struct atw_sock *as = atw_sk(sk);
	struct atw_conn *server, *conn;
	struct atw_sock *cs;
	u32 detached;
	long timeo;
	int err = 0;

	lock_sock(sk);
	/* What it is told of the server must be of the one that is waited at. */
	child = atw_sk_child(sk, arg.kern);
	if (!child) {
		release_sock(sk);
		return -ENOMEM;
	}
	cs = atw_sk(child);
	timeo = sock_rcvtimeo(sk, arg.flags & O_NONBLOCK);
	detached = as->detached;
	server = atw_sk_conn(as);
	for (;;) {
		if (atw_is_detached(as, detached)) {
			/* As TCP: the socket did not listen for a moment. */
			err = -EINVAL;
			break;
		}
		if (!atw_is_serving(as)) {
			err = sock_error(sk);
			err = err ?: -EINVAL;
			break;
		}
		conn = atw_conn_accept(server, &atw_sk_conn_ops, cs);
		if (conn)
			break;
		err = atw_may_wait(timeo);
		if (err)
			break;
		atw_sk_wait(sk, &timeo, atw_conn_acceptable(server) || !atw_is_serving(as) ||
			    atw_is_detached(as, detached));
	}
	release_sock(sk);
	atw_conn_put(server);
	if (err) {
		sock_put(child);
		return err;
	}

	cs->local_addr = atw_served_addr(cs);
	spin_lock(&cs->lock);
	cs->conn = conn;
	cs->peer.satw_addr = htonl(conn->addr);
	cs->peer.satw_port = htons(conn->port);
	spin_unlock(&cs->lock);
	sock_graft(child, newsock);
	atw_sock_custom_sockopt(newsock);
	newsock->state = SS_CONNECTED;
	atw_sk_list(child);
	return 0;
}

/* SO_LINGER: wait until the module has all that is queued. lock_sock() is held. */
static void atw_linger(struct sock *sk, long timeo)
{
	struct atw_conn *conn = atw_sk(sk)->conn;

	atw_conn_leave(conn);
	while (timeo && !atw_conn_view(conn).drained && !signal_pending(current))
		atw_sk_wait(sk, &timeo, atw_conn_view(conn).drained);
}

static int atw_release(struct socket *sock)
{
	struct sock *sk = sock->sk;
	struct atw_sock *as;
	struct atw_net *an;
	bool abort = false;

	if (!sk)
		return 0;
	as = atw_sk(sk);
	an = atw_net(sock_net(sk));

	mutex_lock(&an->lock);
	sk_del_node_init_rcu(sk);
	mutex_unlock(&an->lock);

	lock_sock(sk);
	atw_set_shut(sk, SHUTDOWN_MASK);
	/* As TCP: data that nobody will read is not taken in silence. */
	if (atw_is_stream(sk) &&
	    (atw_rx_bytes(as) || atw_state(sk) == TCP_SYN_SENT))
		abort = true;
	if (sock_flag(sk, SOCK_LINGER) && !sk->sk_lingertime)
		abort = true;
	/* A thread of the kernel's closes others' files as well: it waits for nobody. */
	else if (sock_flag(sk, SOCK_LINGER) && as->conn && !abort &&
		 !(current->flags & (PF_EXITING | PF_KTHREAD)))
		atw_linger(sk, sk->sk_lingertime);

	atw_drop_conn(as, abort);
	atw_drop_port(as);
	sock_orphan(sk);
	sock->sk = NULL;
	release_sock(sk);

	atw_purge_rx(sk);
	sock_put(sk);
	return 0;
}

static int atw_shutdown(struct socket *sock, int how)
{
	struct sock *sk = sock->sk;
	struct atw_sock *as = atw_sk(sk);
	int err = 0;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;

	lock_sock(sk);
	if (!as->conn || (atw_is_stream(sk) && atw_state(sk) == TCP_CLOSE)) {
		err = -ENOTCONN;
	} else if (atw_state(sk) == TCP_LISTEN) {
		/* As TCP: it accepts no more, and may listen() again. */
		if (how != SHUT_WR)
			atw_drop_conn(as, true);
	} else if (atw_is_stream(sk) && atw_state(sk) == TCP_SYN_SENT) {
		/* As TCP, too. */
		atw_drop_conn(as, true);
	} else {
		/*
		 * how + 1 is the mask. The module cannot half-close: the
		 * remote is told when both halves are shut, and what is queued
		 * has gone out.
		 */
		spin_lock(&as->lock);
		atw_set_shut(sk, sk->sk_shutdown | (how + 1));
		spin_unlock(&as->lock);
		/* Who waits for it to read waits in vain from now on. */
		atw_conn_read(as->conn);
		if (sk->sk_shutdown == SHUTDOWN_MASK)
			atw_conn_drain(as->conn, atw_timing.linger);
		sk->sk_state_change(sk);
	}
	release_sock(sk);
	return err;
}

static int atw_getname(struct socket *sock, struct sockaddr *uaddr, int peer)
{
	struct sockaddr_atw *addr = (struct sockaddr_atw *)uaddr;
	struct sock *sk = sock->sk;
	struct atw_sock *as = atw_sk(sk);
	int err = sizeof(*addr);

	lock_sock(sk);
	if (!peer) {
		/* The port of what has connected the module keeps to itself. */
		memset(addr, 0, sizeof(*addr));
		addr->satw_family = sk->sk_family;
		addr->satw_port = htons(as->port.number ?: as->accepted_port);
		if (as->conn)
			addr->satw_addr = as->port.number ? atw_served_addr(as) : as->local_addr;
	} else if (peer == 2) {
		/* For accept(), which would lose it if this failed. */
		*addr = as->peer;
	} else if (as->port.number) {
		err = -ENOTCONN;
	} else if (as->established ? atw_state(sk) != TCP_CLOSE :
		   as->conn && !atw_is_stream(sk)) {
		*addr = as->peer;
	} else {
		err = -ENOTCONN;
	}
	release_sock(sk);
	return err;
}

/* Sending */

/*
 * May the socket send, on the connection that it had at @detached? lock_sock()
 * is held.
 */
static int atw_tx_check(struct sock *sk, u32 detached)
{
	struct atw_sock *as = atw_sk(sk);
	int err;

	/* Before the errors: they are of the connection that there is now. */
	if (atw_is_detached(as, detached))
		return -EPIPE;
	err = sock_error(sk);
	if (err)
		return err;
	if (atw_shut(sk) & SEND_SHUTDOWN)
		return -EPIPE;
	if (!as->conn || atw_state(sk) == TCP_CLOSE ||
	    atw_state(sk) == TCP_LISTEN)
		return -ENOTCONN;
	return 0;
}

/* May the call that sends @msg go on? One that has begun is the sender until it ends. */
static bool atw_tx_may(const struct sock *sk, const struct msghdr *msg)
{
	const struct msghdr *sender = READ_ONCE(atw_sk(sk)->sending);

	return (!sender || sender == msg) &&
	       sk_wmem_alloc_get(sk) < READ_ONCE(sk->sk_sndbuf);
}

/*
 * Wait for room in sk_sndbuf, and for those that began before. lock_sock() is held,
 * and let go meanwhile.
 */
static int atw_tx_wait(struct sock *sk, u32 detached, const struct msghdr *msg, long *timeo)
{
	struct atw_sock *as = atw_sk(sk);
	int err;

	for (;;) {
		err = atw_tx_check(sk, detached);
		if (err || atw_tx_may(sk, msg))
			return err;
		sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
		err = atw_may_wait(*timeo);
		if (err)
			return err;
		atw_sk_wait(sk, timeo, atw_tx_may(sk, msg) || atw_has_err(sk) ||
			    (atw_shut(sk) & SEND_SHUTDOWN) || atw_state(sk) == TCP_CLOSE ||
			    atw_is_detached(as, detached));
	}
}

/* A buffer for @len bytes, accounted to the socket's sk_sndbuf; a stream's has room for more. */
static struct sk_buff *atw_tx_skb(struct sock *sk, size_t len)
{
	size_t room = atw_is_stream(sk) ? max_t(size_t, len, ATW_TX_ROOM) : len;

	return sock_wmalloc(sk, room, 1, sk->sk_allocation);
}

/* Hand @skb, which is taken, to the connection of @detached. lock_sock() is held. */
static int atw_tx_queue(struct sock *sk, u32 detached, struct sk_buff *skb)
{
	int err = atw_tx_check(sk, detached);

	if (!err) {
		ATW_TX_CB(skb)->life = atw_sk(sk)->life;
		err = atw_conn_send(atw_sk(sk)->conn, skb);
		if (!err)
			return 0;
		/* It has ended since then, and the socket was told: that counts. */
		err = atw_tx_check(sk, detached) ?: err;
	}
	kfree_skb(skb);
	return err;
}

/*
 * Hand @len bytes of the message to the connection that the socket had at
 * @detached, as soon as there is room. lock_sock() is held, and let go
 * meanwhile: reading the message may fault, and readers go on.
 */
static int atw_tx(struct sock *sk, u32 detached, struct msghdr *msg, size_t len,
		  long *timeo)
{
	struct sk_buff *skb;
	int err;

	err = atw_tx_wait(sk, detached, msg, timeo);
	if (err)
		return err;
	/*
	 * Who comes from here on waits, and holds none of the memory for which this one may
	 * have to: nobody would be woken when that much alone is left.
	 */
	if (atw_is_stream(sk))
		atw_tx_set_sender(atw_sk(sk), msg);

	release_sock(sk);
	skb = atw_tx_skb(sk, len);
	if (!skb)
		err = -ENOBUFS;
	else if (memcpy_from_msg(skb_put(skb, len), msg, len))
		err = -EFAULT;
	lock_sock(sk);

	if (err) {
		kfree_skb(skb);
		return err;
	}
	err = atw_tx_queue(sk, detached, skb);
	/* Who tries again, as io_uring does, has all of it still. */
	if (err)
		iov_iter_revert(&msg->msg_iter, len);
	return err;
}

/*
 * As atw_tx(), for a whole message of a stream that was read before: where a buffer waits
 * that has room it needs none of its own.
 */
static int atw_tx_small(struct sock *sk, u32 detached, const struct msghdr *msg,
			const void *data, size_t len, long *timeo)
{
	struct sk_buff *skb;
	int err;

	err = atw_tx_wait(sk, detached, msg, timeo);
	if (err || atw_conn_send_small(atw_sk(sk)->conn, sk, data, len))
		return err;

	skb = atw_tx_skb(sk, len);
	if (!skb)
		return -ENOBUFS;
	skb_put_data(skb, data, len);
	return atw_tx_queue(sk, detached, skb);
}

static int atw_stream_sendmsg(struct socket *sock, struct msghdr *msg,
			      size_t size)
{
	struct sock *sk = sock->sk;
	struct atw_sock *as = atw_sk(sk);
	bool is_small = size <= ATW_TX_SMALL;
	int flags = msg->msg_flags;
	u8 small[ATW_TX_SMALL];
	size_t copied = 0;
	u32 detached;
	int err = 0;
	long timeo;

	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	/* Before the lock, since it may fault: taking that once is much of a small write. */
	if (is_small && memcpy_from_msg(small, msg, size))
		return -EFAULT;

	lock_sock(sk);
	timeo = sock_sndtimeo(sk, flags & MSG_DONTWAIT);
	detached = as->detached;
	if (msg->msg_namelen)
		err = as->conn ? -EISCONN : -EOPNOTSUPP;
	else if (atw_state(sk) == TCP_SYN_SENT)
		err = atw_wait_connect(sk, &timeo);
	if (!err)
		err = atw_tx_check(sk, detached);

	if (!err && is_small && size) {
		err = atw_tx_small(sk, detached, msg, small, size, &timeo);
		copied = err ? 0 : size;
	}
	while (!err && copied < size) {
		size_t n = min_t(size_t, size - copied, ATW_TX_CHUNK);

		err = atw_tx(sk, detached, msg, n, &timeo);
		if (!err)
			copied += n;
	}
	if (as->sending == msg) {
		atw_tx_set_sender(as, NULL);
		sk->sk_write_space(sk);
	}

	if (copied) {
		/* The error is for the next call, if looking has cleared it. */
		spin_lock(&as->lock);
		if (err && err == as->failed)
			atw_set_err(sk, err);
		spin_unlock(&as->lock);
		err = 0;
	}
	release_sock(sk);

	/* Who tries again, as io_uring does, has all of it still. */
	if (err && is_small)
		iov_iter_revert(&msg->msg_iter, size);
	if (err == -EPIPE && !(flags & MSG_NOSIGNAL))
		send_sig(SIGPIPE, current, 0);
	return err ?: (int)copied;
}

/*
 * May a server send? The module answers the first who spoke to it. That one is
 * not known, and is named by the address that recvfrom() gave: an empty one. Who has received
 * nothing since the module lost the server is told so by atw_conn_send().
 */
static int atw_dgram_answers(struct sock *sk, const struct msghdr *msg)
{
	const struct sockaddr_atw *to = msg->msg_name;
	struct atw_sock *as = atw_sk(sk);

	if (!as->conn || atw_state(sk) == TCP_CLOSE)
		return -ENOTCONN;
	if (!as->served)
		return -EDESTADDRREQ;
	if (!msg->msg_namelen)
		return 0;
	if (msg->msg_namelen < ATW_ADDRLEN_MIN ||
	    msg->msg_namelen > (int)sizeof(*to))
		return -EINVAL;
	if (to->satw_family != sk->sk_family)
		return -EAFNOSUPPORT;
	return to->satw_port || to->satw_addr ||
	       (msg->msg_namelen > ATW_ADDRLEN_MIN && to->satw_name[0]) ?
	       -EISCONN : 0;
}

/* Have a connection to the datagram's peer. lock_sock() is held. */
static int atw_dgram_open(struct sock *sk, struct msghdr *msg)
{
	struct atw_sock *as = atw_sk(sk);
	struct sockaddr_atw addr;
	int err;

	err = sock_error(sk);
	if (err)
		return err;
	if (atw_shut(sk) & SEND_SHUTDOWN)
		return -EPIPE;

	if (as->port.number)
		return atw_dgram_answers(sk, msg);

	/* The module has lost it: as with UDP that is no reason to give up. */
	if (as->conn && atw_state(sk) == TCP_CLOSE)
		atw_drop_conn(as, true);

	if (msg->msg_namelen) {
		err = atw_user_addr(sk, msg->msg_name, msg->msg_namelen, &addr);
		if (err)
			return err;
		if (as->conn && memcmp(&addr, &as->peer, sizeof(addr)))
			return -EISCONN;
	} else {
		if (!as->peer.satw_port)
			return -EDESTADDRREQ;
		addr = as->peer;
	}

	return as->conn ? 0 : atw_open(as, &addr);
}

static int atw_dgram_sendmsg(struct socket *sock, struct msghdr *msg,
			     size_t size)
{
	struct sock *sk = sock->sk;
	u32 detached;
	long timeo;
	int err;

	if (msg->msg_flags & MSG_OOB)
		return -EOPNOTSUPP;
	/* The module has no command that sends an empty datagram. */
	if (!size || size > ATW_DGRAM_MAX)
		return -EMSGSIZE;

	lock_sock(sk);
	err = atw_dgram_open(sk, msg);
	detached = atw_sk(sk)->detached;
	/* It need not be open yet: what is queued goes out when it is. */
	timeo = sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT);
	if (!err)
		err = atw_tx(sk, detached, msg, size, &timeo);
	release_sock(sk);
	return err ? err : (int)size;
}

/* Receiving */

/*
 * The buffer that holds the unread byte number @skip of a stream, NULL if that
 * has not come. Only holders of lock_sock() take buffers out, so it stays; the
 * callback may add to its end, which is why its length is read under the lock.
 */
static struct sk_buff *atw_rx_find(struct sock *sk, size_t skip, u32 *off,
				   u32 *avail)
{
	struct sk_buff_head *queue = &sk->sk_receive_queue;
	struct sk_buff *skb, *found = NULL;

	spin_lock_irq(&queue->lock);
	skb_queue_walk(queue, skb) {
		u32 n = skb->len - ATW_RX_CB(skb)->off;

		if (skip < n) {
			*off = ATW_RX_CB(skb)->off + skip;
			*avail = n - skip;
			found = skb;
			break;
		}
		skip -= n;
	}
	spin_unlock_irq(&queue->lock);
	return found;
}

/* @n bytes of @skb, the first in the queue, have been read. */
static void atw_rx_consume(struct sock *sk, struct sk_buff *skb, u32 n)
{
	struct sk_buff_head *queue = &sk->sk_receive_queue;
	struct atw_conn *conn = atw_sk(sk)->conn;
	bool empty;

	spin_lock_irq(&queue->lock);
	ATW_RX_CB(skb)->off += n;
	atw_rx_count(sk, -(int)n);
	atw_sk(sk)->taken += n;
	empty = ATW_RX_CB(skb)->off == skb->len;
	if (empty)
		__skb_unlink(skb, queue);
	spin_unlock_irq(&queue->lock);
	if (!empty)
		return;
	consume_skb(skb);
	if (conn)
		atw_conn_read(conn);
}

/*
 * Will nothing come after what is queued? The lock pairs with the callback's:
 * if so, what came before is seen in the queue.
 */
static bool atw_rx_ended(struct sock *sk)
{
	struct atw_sock *as = atw_sk(sk);
	bool ended;

	spin_lock(&as->lock);
	ended = sk->sk_err || as->failed || sk->sk_state == TCP_CLOSE ||
		sk->sk_state == TCP_LISTEN ||
		(sk->sk_shutdown & RCV_SHUTDOWN);
	spin_unlock(&as->lock);
	return ended;
}

/* Why it has ended; 0 is the end of the data. Clears a pending error. */
static int atw_rx_error(struct sock *sk)
{
	struct atw_sock *as = atw_sk(sk);
	int err = sock_error(sk);

	if (err)
		return err;
	spin_lock(&as->lock);
	err = sk->sk_shutdown & RCV_SHUTDOWN ? as->failed : -ENOTCONN;
	spin_unlock(&as->lock);
	return err;
}

/* Wait for more; -EPIPE: what comes now is not what was waited for. */
static int atw_rx_wait(struct sock *sk, size_t seen, long *timeo)
{
	struct atw_sock *as = atw_sk(sk);
	u32 detached = as->detached;

	sk_set_bit(SOCKWQ_ASYNC_WAITDATA, sk);
	atw_sk_wait(sk, timeo, atw_rx_bytes(as) > seen || atw_has_err(sk) ||
		    (atw_shut(sk) & RCV_SHUTDOWN) || atw_state(sk) == TCP_CLOSE ||
		    atw_is_detached(as, detached));
	sk_clear_bit(SOCKWQ_ASYNC_WAITDATA, sk);
	return atw_is_detached(as, detached) ? -EPIPE : 0;
}

static int atw_stream_recvmsg(struct socket *sock, struct msghdr *msg,
			      size_t size, int flags)
{
	bool peek = flags & MSG_PEEK;
	struct sock *sk = sock->sk;
	struct atw_sock *as = atw_sk(sk);
	size_t copied = 0;
	size_t target;
	int err = 0;
	long timeo;
	u32 taken;

	if (flags & (MSG_OOB | MSG_ERRQUEUE))
		return -EOPNOTSUPP;

	size = min_t(size_t, size, INT_MAX);
	lock_sock(sk);
	taken = as->taken;
	target = sock_rcvlowat(sk, flags & MSG_WAITALL, size);
	timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);

	while (copied < size) {
		size_t seen = peek ? copied : 0;
		struct sk_buff *skb;
		u32 off, n;

		skb = atw_rx_find(sk, seen, &off, &n);
		if (skb) {
			n = min_t(size_t, n, size - copied);
			if (!(flags & MSG_TRUNC) &&
			    skb_copy_datagram_msg(skb, off, msg, n)) {
				err = -EFAULT;
				break;
			}
			copied += n;
			if (!peek)
				atw_rx_consume(sk, skb, n);
			continue;
		}
		if (copied >= target)
			break;

		if (atw_rx_ended(sk)) {
			/* It may have come since the queue was looked at. */
			if (atw_rx_bytes(as) > seen)
				continue;
			/* After a part, the error is for the next call. */
			if (!copied)
				err = atw_rx_error(sk);
			break;
		}
		err = atw_may_wait(timeo) ?: atw_rx_wait(sk, seen, &timeo);
		/* Somebody has read meanwhile: what is there now does not follow what was seen. */
		if (err || (seen && taken != as->taken))
			break;
	}
	release_sock(sk);
	return copied ? (int)copied : err;
}

/*
 * The next datagram, and whom it is from. As with UDP, a program that waits gets what
 * comes next, from whatever peer the socket has by then. The peer and the queue are read
 * under one lock_sock(), since the queue is emptied when the peer becomes another one.
 */
static struct sk_buff *atw_rx_dgram_wait(struct sock *sk, struct msghdr *msg,
					 int flags, int *err)
{
	struct sk_buff_head *queue = &sk->sk_receive_queue;
	long timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	struct atw_sock *as = atw_sk(sk);
	struct sk_buff *skb, *last;
	int off = 0;

	do {
		lock_sock(sk);
		skb = __skb_try_recv_datagram(sk, queue, flags, &off, err,
					      &last);
		if (skb) {
			as->served = true;
			as->life = ATW_RX_CB(skb)->life;
		}
		if (skb && msg->msg_name) {
			memcpy(msg->msg_name, &as->peer, sizeof(as->peer));
			msg->msg_namelen = sizeof(as->peer);
		}
		release_sock(sk);
		if (skb || *err != -EAGAIN)
			break;
	} while (timeo &&
		 !__skb_wait_for_more_packets(sk, queue, err, &timeo, last));

	return skb;
}

static int atw_dgram_recvmsg(struct socket *sock, struct msghdr *msg,
			     size_t size, int flags)
{
	struct sock *sk = sock->sk;
	struct atw_sock *as = atw_sk(sk);
	struct sk_buff *skb;
	size_t copied;
	int err;

	if (flags & (MSG_OOB | MSG_ERRQUEUE))
		return -EOPNOTSUPP;

	skb = atw_rx_dgram_wait(sk, msg, flags, &err);
	if (!skb)
		return err;

	copied = min_t(size_t, size, skb->len);
	/* A datagram of this length may have been cut by the module. */
	if (copied < skb->len || skb->len >= ATW_DGRAM_MAX)
		msg->msg_flags |= MSG_TRUNC;

	err = skb_copy_datagram_msg(skb, 0, msg, copied);
	if (err) {
		/* Whom it is from is not known to the program. */
		lock_sock(sk);
		as->served = false;
		release_sock(sk);
		goto free;
	}

	sock_recv_cmsgs(msg, sk, skb);
	err = flags & MSG_TRUNC ? skb->len : copied;
free:
	skb_free_datagram(sk, skb);
	return err;
}

/*
 * Is there as much of a stream as its reader waits for? What cannot be reached before its
 * memory is full, which small pieces may need more of than they have bytes, never ends.
 */
static bool atw_rx_is_ready(const struct sock *sk)
{
	u32 bytes = atw_rx_bytes(atw_sk(sk)), limit = atw_rcvbuf(sk);

	if (atomic_read(&sk->sk_rmem_alloc) >= limit / 2)
		return bytes;
	return bytes >= min_t(u32, sock_rcvlowat(sk, 0, INT_MAX), limit / 4);
}

static __poll_t atw_poll(struct file *file, struct socket *sock,
			 poll_table *wait)
{
	struct sock *sk = sock->sk;
	struct atw_sock *as = atw_sk(sk);
	struct atw_conn *conn;
	__poll_t mask = 0;
	int state;
	u8 shut;

	sock_poll_wait(file, sock, wait);
	state = atw_state(sk);
	shut = atw_shut(sk);

	if (atw_has_err(sk))
		mask |= EPOLLERR;
	if (state == TCP_LISTEN) {
		conn = atw_sk_conn(as);
		if (conn && atw_conn_acceptable(conn))
			mask |= EPOLLIN | EPOLLRDNORM;
		atw_conn_put(conn);
		return mask;
	}
	if (shut == SHUTDOWN_MASK || (atw_is_stream(sk) && state == TCP_CLOSE))
		mask |= EPOLLHUP;
	if (shut & RCV_SHUTDOWN)
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;

	if (atw_is_stream(sk) ? atw_rx_is_ready(sk) :
				!skb_queue_empty_lockless(&sk->sk_receive_queue))
		mask |= EPOLLIN | EPOLLRDNORM;

	if (state == TCP_SYN_SENT)
		return mask;
	/* As long as one thread is sending no other may, however much room there is. */
	if ((shut & SEND_SHUTDOWN) || (sock_writeable(sk) && !READ_ONCE(as->sending)))
		mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	else
		sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	return mask;
}

/* Options */

/* Is it too late for what a connection is opened with? Not for the next one if it has failed. */
static bool atw_has_begun(const struct atw_sock *as)
{
	return as->conn && (as->established || atw_state(&as->sk) != TCP_CLOSE);
}

static int atw_set_device(struct sock *sk, sockptr_t optval,
			  unsigned int optlen)
{
	struct atw_sock *as = atw_sk(sk);
	char name[IFNAMSIZ] = "";
	struct atw_dev *adev;
	int err = 0;

	/* As SO_BINDTODEVICE has it: the NUL may be missing. */
	if (optlen > IFNAMSIZ - 1)
		optlen = IFNAMSIZ - 1;
	if (copy_from_sockptr(name, optval, optlen))
		return -EFAULT;

	if (name[0]) {
		adev = atw_dev_find(sock_net(sk), name);
		if (!adev)
			return -ENODEV;
		atw_dev_put(adev);
	}

	lock_sock(sk);
	if (atw_has_begun(as))
		err = -EISCONN;
	else if (as->port.number)
		err = -EINVAL;	/* the port is that of one module, or of all */
	else
		memcpy(as->device, name, sizeof(name));
	release_sock(sk);
	return err;
}

static int atw_set_unverified(struct sock *sk, int val)
{
	int err = 0;

	lock_sock(sk);
	if (sk->sk_protocol != ATWPROTO_TLS || !atw_is_stream(sk))
		err = -ENOPROTOOPT;
	else if (atw_has_begun(atw_sk(sk)))
		err = -EISCONN;
	else
		atw_sk(sk)->unverified = val;
	release_sock(sk);
	return err;
}

/* Can a socket of this kind be told this of transparent mode? */
static int atw_transparent_check(const struct sock *sk, int how)
{
	bool stream = atw_is_stream(sk);

	if (how && (how & ~(stream ? ATW_TT_STREAM : ATW_TT_DGRAM) || !(how & ATW_TT_ON)))
		return -EINVAL;
	/* Nobody is to find out by their loss. */
	if (how && !stream && !(how & ATW_TT_NO_BOUNDARIES))
		return -EOPNOTSUPP;
	return 0;
}

/*
 * Give the module's transparent mode to the connection, or take it.
 *
 * Where bytes are lost on their way to the module a remote can have the driver believe that
 * the mode was left, and is told what all users tell the module then, its administrator's
 * passwords too. So the mode is for those who administer it.
 */
static int atw_set_transparent(struct sock *sk, int how)
{
	struct atw_sock *as = atw_sk(sk);
	char device[IFNAMSIZ] = "";
	struct atw_conn *conn;
	struct atw_dev *adev;
	int err;

	err = atw_transparent_check(sk, how);
	if (err)
		return err;
	if (how && !ns_capable(sock_net(sk)->user_ns, CAP_NET_ADMIN))
		return -EPERM;
	lock_sock(sk);
	conn = atw_state(sk) == TCP_ESTABLISHED ? atw_sk_conn(as) : NULL;
	if (conn)
		memcpy(device, as->used, sizeof(device));
	release_sock(sk);
	if (!conn)
		return -ENOTCONN;

	adev = atw_dev_find(sock_net(sk), device);
	if (adev) {
		err = atw_module_set_transparent(&adev->module, conn, how);
		atw_dev_put(adev);
	} else {
		err = -ENODEV;
	}
	atw_conn_put(conn);
	return err;
}

static int atw_setsockopt(struct socket *sock, int level, int optname,
			  sockptr_t optval, unsigned int optlen)
{
	struct sock *sk = sock->sk;
	int err = 0;
	int val;

	if (level == SOL_SOCKET) {
		if (optname == SO_BINDTODEVICE)
			return atw_set_device(sk, optval, optlen);
		/* It would choose a network device, of which there is none behind this family. */
		if (optname == SO_BINDTOIFINDEX)
			return -ENOPROTOOPT;
		return sock_setsockopt(sock, level, optname, optval, optlen);
	}
	if (level != SOL_ATWIFI)
		return -ENOPROTOOPT;

	if (optname == ATW_BINDTODEVICE)
		return atw_set_device(sk, optval, optlen);
	if (optlen < sizeof(val))
		return -EINVAL;
	if (copy_from_sockptr(&val, optval, sizeof(val)))
		return -EFAULT;

	switch (optname) {
	case ATW_KEEPINTVL:
		lock_sock(sk);
		if (atw_has_begun(atw_sk(sk)))
			err = -EISCONN;	/* it was told to the module */
		else if (val < 1 || val > ATW_KEEPINTVL_MAX)
			err = -EINVAL;
		else
			atw_sk(sk)->keepintvl = val;
		release_sock(sk);
		return err;
	case ATW_TLS_UNVERIFIED:
		return atw_set_unverified(sk, val);
	case ATW_TRANSPARENT:
		return atw_set_transparent(sk, val);
	default:
		return -ENOPROTOOPT;
	}
}

static int atw_getsockopt(struct socket *sock, int level, int optname,
			  char __user *optval, int __user *optlen)
{
	struct sock *sk = sock->sk;
	struct atw_sock *as = atw_sk(sk);
	char name[IFNAMSIZ];
	const void *from;
	int len, max, val;

	if (level != SOL_ATWIFI)
		return -ENOPROTOOPT;
	if (get_user(len, optlen))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;

	from = &val;
	max = sizeof(val);
	lock_sock(sk);
	switch (optname) {
	case ATW_KEEPINTVL:
		val = as->keepintvl;
		break;
	case ATW_TLS_UNVERIFIED:
		val = as->unverified;
		break;
	case ATW_TRANSPARENT:
		val = as->conn ? atw_conn_view(as->conn).transparent : 0;
		break;
	case ATW_MODULE_ERROR:
		spin_lock(&as->lock);
		val = as->module_error;
		spin_unlock(&as->lock);
		break;
	case ATW_BINDTODEVICE:
		memcpy(name, as->device, sizeof(name));
		from = name;
		max = strlen(name) + 1;
		break;
	default:
		max = -1;
		break;
	}
	release_sock(sk);

	if (max < 0)
		return -ENOPROTOOPT;
	/* Half a name would be another device's. */
	if (from == name && len < max)
		return -EINVAL;
	len = min(len, max);
	if (copy_to_user(optval, from, len) || put_user(len, optlen))
		return -EFAULT;
	return 0;
}

static int atw_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	struct sock *sk = sock->sk;
	struct atw_sock *as = atw_sk(sk);
	struct sk_buff *skb;
	int val = 0;

	switch (cmd) {
	case SIOCINQ:
		if (atw_is_stream(sk)) {
			val = atw_rx_bytes(as);
			break;
		}
		spin_lock_irq(&sk->sk_receive_queue.lock);
		skb = skb_peek(&sk->sk_receive_queue);
		if (skb)
			val = skb->len;
		spin_unlock_irq(&sk->sk_receive_queue.lock);
		break;
	case SIOCOUTQ:
		lock_sock(sk);
		if (as->conn)
			val = atw_conn_view(as->conn).untaken;
		release_sock(sk);
		break;
	default:
		return -ENOIOCTLCMD;
	}
	return put_user(val, (int __user *)arg);
}

/* The family */

static struct proto_ops atw_stream_ops __ro_after_init = {
	.owner		= THIS_MODULE,
	.release	= atw_release,
	.bind		= atw_bind,
	.connect	= atw_connect,
	.socketpair	= sock_no_socketpair,
	.accept		= atw_accept,
	.getname	= atw_getname,
	.poll		= atw_poll,
	.ioctl		= atw_ioctl,
	.gettstamp	= sock_gettstamp,
	.listen		= atw_listen,
	.shutdown	= atw_shutdown,
	.setsockopt	= atw_setsockopt,
	.getsockopt	= atw_getsockopt,
	.sendmsg	= atw_stream_sendmsg,
	.recvmsg	= atw_stream_recvmsg,
	.mmap		= sock_no_mmap,
};

static struct proto_ops atw_dgram_ops __ro_after_init = {
	.owner		= THIS_MODULE,
	.release	= atw_release,
	.bind		= atw_bind,
	.connect	= atw_connect,
	.socketpair	= sock_no_socketpair,
	.accept		= sock_no_accept,
	.getname	= atw_getname,
	.poll		= atw_poll,
	.ioctl		= atw_ioctl,
	.gettstamp	= sock_gettstamp,
	.listen		= sock_no_listen,
	.shutdown	= atw_shutdown,
	.setsockopt	= atw_setsockopt,
	.getsockopt	= atw_getsockopt,
	.sendmsg	= atw_dgram_sendmsg,
	.recvmsg	= atw_dgram_recvmsg,
	.mmap		= sock_no_mmap,
};

static struct proto atw_proto = {
	.name		= "ATWIFI",
	.owner		= THIS_MODULE,
	.obj_size	= sizeof(struct atw_sock),
};

static struct sock *atw_sk_alloc(struct net *net, struct socket *sock, int type,
				 int protocol, int kern)
{
	struct atw_sock *as;
	struct sock *sk;

	sk = sk_alloc(net, family, GFP_KERNEL_ACCOUNT, &atw_proto, kern);
	if (!sk)
		return NULL;
	sock_init_data(sock, sk);
	/* Who reads /proc/net/atwifi may have found it. */
	sock_set_flag(sk, SOCK_RCU_FREE);
	/* A user's buffers are his memory cgroup's. */
	sk->sk_allocation = GFP_KERNEL_ACCOUNT;
	sk->sk_type = type;
	sk->sk_protocol = protocol;
	sk->sk_state = TCP_CLOSE;
	if (type == SOCK_STREAM)
		sk->sk_rcvbuf = max(sk->sk_rcvbuf, ATW_RCVBUF);

	as = atw_sk(sk);
	spin_lock_init(&as->lock);
	as->keepintvl = ATW_KEEPINTVL_DEFAULT;
	as->port.device = as->device;
	as->share = atw_share_index(atw_uid(sk), 0, 0, false);
	return sk;
}

static void atw_sk_list(struct sock *sk)
{
	struct atw_net *an = atw_net(sock_net(sk));

	mutex_lock(&an->lock);
	sk_add_node_rcu(sk, &an->socks);
	mutex_unlock(&an->lock);
}

static int atw_create(struct net *net, struct socket *sock, int protocol,
		      int kern)
{
	struct sock *sk;

	switch (sock->type) {
	case SOCK_STREAM:
		sock->ops = &atw_stream_ops;
		if (protocol != ATWPROTO_TCP && protocol != ATWPROTO_TLS)
			return -EPROTONOSUPPORT;
		break;
	case SOCK_DGRAM:
		sock->ops = &atw_dgram_ops;
		if (protocol)
			return -EPROTONOSUPPORT;
		break;
	default:
		return -ESOCKTNOSUPPORT;
	}

	if (!kern && !atw_access_allowed(&atw_net(net)->access, net))
		return -EACCES;

	sk = atw_sk_alloc(net, sock, sock->type, protocol, kern);
	if (!sk)
		return -ENOMEM;
	atw_sock_custom_sockopt(sock);
	atw_sk_list(sk);
	return 0;
}

static struct net_proto_family atw_family __ro_after_init = {
	.create	= atw_create,
	.owner	= THIS_MODULE,
};

/*
 * /proc/net/atwifi: one line per socket of the reader's network namespace.
 *
 * sl: number of the line; type: stream, tls, dgram; st: closed, opening, open,
 * ended (the remote has closed), listen; dev: the device in use; id: the
 * connection's number in the module, 0 if it has none; remote: address, or name
 * where the reader may see that, * for a server; port: the remote's, or a server's
 * own; rx_queue: bytes of memory that hold unread data, the measure of SO_RCVBUF;
 * tx_queue: bytes not yet handed to the module; uid; inode; drops: datagrams for
 * which there was no room. "-" stands for what is not there.
 */
#define ATW_SEQ_HEADER \
	"  sl type   st      dev        id remote          port  rx_queue tx_queue   uid    inode drops\n"

static void *atw_seq_start(struct seq_file *seq, loff_t *pos)
	__acquires(RCU)
{
	struct atw_net *an = atw_net(seq_file_net(seq));

	rcu_read_lock();
	return seq_hlist_start_head_rcu(&an->socks, *pos);
}

static void *atw_seq_next(struct seq_file *seq, void *v, loff_t *pos)
{
	return seq_hlist_next_rcu(v, &atw_net(seq_file_net(seq))->socks, pos);
}

static void atw_seq_stop(struct seq_file *seq, void *v)
	__releases(RCU)
{
	rcu_read_unlock();
}

static const char *atw_state_name(int state)
{
	switch (state) {
	case TCP_SYN_SENT:
		return "opening";
	case TCP_ESTABLISHED:
		return "open";
	case TCP_CLOSE_WAIT:
		return "ended";
	case TCP_LISTEN:
		return "listen";
	default:
		return "closed";
	}
}

static const char *atw_type_name(const struct sock *sk)
{
	if (!atw_is_stream(sk))
		return "dgram";
	return sk->sk_protocol == ATWPROTO_TLS ? "tls" : "stream";
}

/* Names are for their socket's user, and who administers the namespace. */
static bool atw_seq_may_name(const struct seq_file *seq, struct sock *sk)
{
	return uid_eq(seq->file->f_cred->uid, atw_uid(sk)) ||
	       file_ns_capable(seq->file, sock_net(sk)->user_ns, CAP_NET_ADMIN);
}

static int atw_seq_show(struct seq_file *seq, void *v)
{
	char remote[sizeof_field(struct sockaddr_atw, satw_name)];
	struct atw_conn_view view = { .id = ATW_NO_ID };
	struct sockaddr_atw peer;
	struct atw_conn *conn;
	char used[IFNAMSIZ];
	struct atw_sock *as;
	struct sock *sk;
	u16 port;

	if (v == SEQ_START_TOKEN) {
		seq_puts(seq, ATW_SEQ_HEADER);
		return 0;
	}
	sk = sk_entry(v);

	/* conn->lock nests outside: take a reference, look afterwards. */
	as = atw_sk(sk);
	conn = atw_sk_conn(as);
	spin_lock(&as->lock);
	memcpy(used, as->used, sizeof(used));
	peer = as->peer;
	spin_unlock(&as->lock);
	if (conn) {
		view = atw_conn_view(conn);
		atw_conn_put(conn);
	}

	port = atw_port_number(&as->port);
	if (port)
		strscpy(remote, "*", sizeof(remote));
	else if (peer.satw_name[0])
		strscpy(remote, atw_seq_may_name(seq, sk) ? peer.satw_name : "-", sizeof(remote));
	else if (peer.satw_port)
		scnprintf(remote, sizeof(remote), "%pI4", &peer.satw_addr);
	else
		strscpy(remote, "-", sizeof(remote));

	seq_printf(seq,
		   "%4lld %-6s %-7s %-8s %4u %-15s %5u %8u %8u %5u %8llu %5d\n",
		   seq->index, atw_type_name(sk),
		   atw_state_name(atw_state(sk)),
		   conn ? used : "-", view.id == ATW_NO_ID ? 0 : view.id, remote,
		   port ?: ntohs(peer.satw_port),
		   sk_rmem_alloc_get(sk), view.unsent,
		   from_kuid_munged(seq_user_ns(seq), atw_uid(sk)),
		   (u64)sock_i_ino(sk), atomic_read(&sk->sk_drops));
	return 0;
}

static const struct seq_operations atw_seq_ops = {
	.start	= atw_seq_start,
	.next	= atw_seq_next,
	.stop	= atw_seq_stop,
	.show	= atw_seq_show,
};

static int __net_init atw_net_init(struct net *net)
{
	struct atw_net *an = atw_net(net);
	int err;

	mutex_init(&an->lock);
	INIT_HLIST_HEAD(&an->socks);
	atw_ports_init(&an->stream_ports);
	atw_ports_init(&an->dgram_ports);
	err = atw_access_init(&an->access, net);
	if (err)
		return err;
	if (proc_create_net("atwifi", 0444, net->proc_net, &atw_seq_ops,
			    sizeof(struct seq_net_private)))
		return 0;
	atw_access_exit(&an->access);
	return -ENOMEM;
}

static void __net_exit atw_net_exit(struct net *net)
{
	remove_proc_entry("atwifi", net->proc_net);
	atw_access_exit(&atw_net(net)->access);
}

static struct pernet_operations atw_net_ops = {
	.init	= atw_net_init,
	.exit	= atw_net_exit,
	.id	= &atw_net_id,
	.size	= sizeof(struct atw_net),
};

/**
 * atw_af_init - register the address family
 *
 * Return: 0 or -errno; -EEXIST: another module has the number "family"
 */
int atw_af_init(void)
{
	int err;

	/* Programs keep it in one, and the kernel takes no longer one from them. */
	BUILD_BUG_ON(sizeof(struct sockaddr_atw) != sizeof(struct sockaddr_storage));
	atw_family.family = family;
	atw_stream_ops.family = family;
	atw_dgram_ops.family = family;

	err = proto_register(&atw_proto, 0);
	if (err)
		return err;
	err = register_pernet_subsys(&atw_net_ops);
	if (err)
		goto unregister_proto;
	err = sock_register(&atw_family);
	if (err)
		goto unregister_pernet;
	return 0;

unregister_pernet:
	unregister_pernet_subsys(&atw_net_ops);
unregister_proto:
	proto_unregister(&atw_proto);
	return err;
}

/**
 * atw_af_exit - unregister the address family
 *
 * Each socket holds a reference on the module, so there is none left.
 */
void atw_af_exit(void)
{
	sock_unregister(family);
	unregister_pernet_subsys(&atw_net_ops);
	proto_unregister(&atw_proto);
}
