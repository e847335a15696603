/* SPDX-License-Identifier: GPL-2.0-only */
/* A relay: bytes between a TCP socket of the kernel and a connection. */
#ifndef _ATWIFI_RELAY_H
#define _ATWIFI_RELAY_H

#include <linux/net.h>
#include <linux/refcount.h>
#include <linux/skbuff.h>
#include <linux/workqueue.h>
#include <net/sock.h>

#include "budget.h"
#include "conn.h"

struct atw_relay;

/*
 * Seconds between the module's probes of a remote: what a program asks of its own socket
 * goes no further than to us. It begins when nothing was heard for 3 s, and gives up
 * after the third.
 */
#define ATW_RELAY_KEEPALIVE	60

/**
 * struct atw_relay_ops - what a relay tells its owner
 *
 * Called from the relay's work, which holds no locks.
 *
 * @opened: the outcome of the connect: 0 or -errno, -ECANCELED after
 *	atw_relay_abort(); @unasked: the module was not asked for it, the error is what
 *	another one was told. After an error nothing else is called
 * @ended: the connection is released; the last call, which takes the socket by
 *	atw_relay_detach(). err: 0, in order; -errno of the connection or the socket; aborted:
 *	that was the program's side
 *
 * In the last of the two calls the owner gives its reference back.
 */
struct atw_relay_ops {
	void (*opened)(struct atw_relay *r, int err, bool unasked);
	void (*ended)(struct atw_relay *r, int err, bool aborted);
};

/**
 * enum atw_relay_bit - what a relay's work is to see, or others are
 * @ATW_RELAY_BIT_READY: @conn is set, work may begin
 * @ATW_RELAY_BIT_TRIED: the module is asked for the connection, or was and has answered
 * @ATW_RELAY_BIT_OPENED: that has ended, with @open_err
 * @ATW_RELAY_BIT_UNASKED: which was not the module's answer
 * @ATW_RELAY_BIT_ATTACHED: @sock is set
 * @ATW_RELAY_BIT_CLOSED: the connection has ended, with @close_err
 * @ATW_RELAY_BIT_ABORT: the owner wants the end
 * @ATW_RELAY_BIT_YIELD: another one needs the connection
 * @ATW_RELAY_BIT_ASKED: the last byte that passed was the program's
 * @ATW_RELAY_BIT_UP: the socket was seen to be connected; @moved counts from then
 * @ATW_RELAY_BIT_FIN_IN: the program sends nothing more
 * @ATW_RELAY_BIT_FIN_OUT: nor does the remote, and the socket was told
 * @ATW_RELAY_BIT_UNSENT: the program's FIN has come, but not all before it is with the
 *	module
 * @ATW_RELAY_BIT_LOST: bytes of the program were taken that the connection did not take, or
 *	the remote's end could not be passed on: the program is to see a reset
 */
enum atw_relay_bit {
	ATW_RELAY_BIT_READY,
	ATW_RELAY_BIT_TRIED,
	ATW_RELAY_BIT_OPENED,
	ATW_RELAY_BIT_UNASKED,
	ATW_RELAY_BIT_ATTACHED,
	ATW_RELAY_BIT_CLOSED,
	ATW_RELAY_BIT_ABORT,
	ATW_RELAY_BIT_YIELD,
	ATW_RELAY_BIT_ASKED,
	ATW_RELAY_BIT_UP,
	ATW_RELAY_BIT_FIN_IN,
	ATW_RELAY_BIT_FIN_OUT,
	ATW_RELAY_BIT_UNSENT,
	ATW_RELAY_BIT_LOST,
};

/**
 * enum atw_relay_stage - what its owner was told
 * @ATW_RELAY_OPENING: nothing yet
 * @ATW_RELAY_OPEN: that it is open, or knows it
 * @ATW_RELAY_OVER: the last
 */
enum atw_relay_stage {
	ATW_RELAY_OPENING,
	ATW_RELAY_OPEN,
	ATW_RELAY_OVER,
};

/**
 * struct atw_relay - the relay
 * @ref: of the owner, and of the work while it is queued or runs
 * @ops, @owner, @budget, @share: constant; the last is whose it is, see atw_share_index()
 * @tx_max: what may wait for the module, in bytes; constant
 * @peer: the program's own socket, if it is known; holds a reference. Only
 *	looked at: it tells a close() from a shutdown()
 * @conn: NULL once it was given up; the work's alone
 * @sock: NULL until atw_relay_attach(); then the work's alone
 * @work: does all that is done
 * @rxq: received and not yet written to the socket; its lock protects @rx_mem
 * @rx_mem: what @rxq occupies
 * @flags: enum atw_relay_bit, by atomic operations. A word comes before the bit that
 *	tells of it, see atw_relay_set(): the work may be running already
 * @open_err, @close_err: with their bits
 * @stage: what the owner was told. From here on the work's alone
 * @heard: when the last byte came from the remote, or the module had taken the
 *	last one before the program's FIN; or the remote's end was passed on
 * @moved: when the last byte passed, in either direction, or the connection was seen
 *	not to be idle. Who asks how idle it is looks at both without a lock: an old time
 *	will do
 * @una: the first byte for the program that its machine had not acknowledged
 * @there: when @answered was seen to change, or nothing waited to be acknowledged
 * @answered: when the program's machine acknowledged something, as TCP says it
 */
struct atw_relay {
	refcount_t			ref;
	const struct atw_relay_ops	*ops;
	void				*owner;
	struct atw_budget		*budget;
	u8				share;
	u32				tx_max;
	struct sock			*peer;
	struct atw_conn			*conn;
	struct socket			*sock;
	struct delayed_work		work;
	struct rcu_head			rcu;

	struct sk_buff_head		rxq;
	unsigned int			rx_mem;

	int				open_err;
	int				close_err;
	unsigned long			flags;

	enum atw_relay_stage		stage;
	unsigned long			heard;
	unsigned long			moved;
	unsigned long			there;
	u32				answered;
	u32				una;

	void				(*data_ready)(struct sock *sk);
	void				(*write_space)(struct sock *sk);
	void				(*state_change)(struct sock *sk);
};

struct atw_relay *atw_relay_open(struct atw_conns *cs, u32 addr, u16 port,
				 u8 share, struct sock *peer,
				 struct atw_budget *budget,
				 const struct atw_relay_ops *ops, void *owner);
void atw_relay_attach(struct atw_relay *r, struct socket *sock);
struct socket *atw_relay_detach(struct atw_relay *r);
struct atw_relay *atw_relay_accept(struct atw_conns *cs, struct atw_conn *server,
				   struct atw_budget *budget,
				   const struct atw_relay_ops *ops);
u32 atw_relay_tx_max(const struct atw_conns *cs);
void atw_relay_start(struct atw_relay *r, void *owner, struct socket *sock);
void atw_relay_refuse(struct atw_relay *r);
bool atw_relay_tried(const struct atw_relay *r);
void atw_relay_abort(struct atw_relay *r);
void atw_relay_yield(struct atw_relay *r);
unsigned long atw_relay_spare(struct atw_relay *r);
unsigned long atw_relay_idle(struct atw_relay *r, bool *asked);
void atw_relay_put(struct atw_relay *r);

extern struct workqueue_struct *atw_relay_wq;
extern struct workqueue_struct *atw_netdev_wq;
int atw_relay_init(void);
void atw_relay_exit(void);

#endif
