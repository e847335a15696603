/* SPDX-License-Identifier: GPL-2.0 */
/* Connections: ConIDs, hand-over of what was received, order of sending. */
#ifndef _ATWIFI_CONN_H
#define _ATWIFI_CONN_H

#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>

#include <linux/atwifi.h>

#include "channel.h"

struct atw_conn;

/* The module reads datagrams into 1024 bytes and cuts what is longer. */
#define ATW_DGRAM_MAX	1024

/**
 * struct atw_conn_ops - what a connection tells its owner
 *
 * All are called with the connection's lock held, from process context, and
 * must not sleep; none is called after atw_conn_close() has returned.
 *
 * @opened: the outcome of the connect: 0 or -errno; code is the module's
 *	number. After an error the connection is dead.
 * @rx: bytes, or one datagram; takes the buffer. Returns false if the owner
 *	has no room left for them: the connection is then reset
 * @closed: no more comes: @err 0, the remote has closed; -errno, it failed.
 *	Called once, and only after @opened told success
 * @tx_done: buffers were handed to the module and freed: there is room
 */
struct atw_conn_ops {
	void (*opened)(struct atw_conn *c, int err, u32 code);
	bool (*rx)(struct atw_conn *c, struct sk_buff *skb);
	void (*closed)(struct atw_conn *c, int err, u32 code);
	void (*tx_done)(struct atw_conn *c);
};

enum atw_conn_state {
	ATW_CONN_WAITING,	/* wants an id and a connect */
	ATW_CONN_OPENING,	/* the connect is running */
	ATW_CONN_OPEN,
	ATW_CONN_CLOSING,	/* wants to be deleted in the module */
	ATW_CONN_DEAD,		/* the module no longer knows it */
};

/**
 * struct atw_conn - a connection
 * @ref: the table holds one while it is listed, the owner one
 * @lock: protects everything below it that is not said to be constant; nests
 *	inside atw_conns.lock, outside the owner's queue locks
 * @conns: the table, NULL after the device is gone
 */
struct atw_conn {
	refcount_t			ref;
	struct list_head		node;		/* atw_conns.lock */

	/* constant */
	const struct atw_conn_ops	*ops;
	enum atw_sock_type		type;
	u16				port;
	u32				addr;
	u32				keepalive;	/* seconds, 0: off */
	unsigned long			since;
	char				name[ATW_NAME_MAX];

	spinlock_t			lock;
	struct atw_conns		*conns;
	void				*owner;		/* NULL: closed by it */
	enum atw_conn_state		state;
	int				err;
	bool				abort;
	bool				remote_closed;
	u32				id;
	struct sk_buff_head		txq;
	u32				tx_off;		/* sent of the first */
	u32				tx_queued;	/* bytes not handed over */
	bool				sending;	/* a command has them */
	bool				fresh;		/* was idle before */
	bool				fetch;		/* passive data waits */
	unsigned long			close_by;
	u64				rx_bytes;
	u64				tx_bytes;
};

/* ConIDs that are in use or could be: see conn.c for how they are made. */
#define ATW_ID_MIN	100
#define ATW_ID_MAX	255

/**
 * struct atw_conns - the connections of one device
 * @lock: protects the list, the table and what follows up to @rx_conn; nests
 *	inside the channel's rx_lock, outside atw_conn.lock
 * @list: all of them, in the order in which they are served; each holds a
 *	reference
 * @by_id: those with an id, without a reference of their own
 * @rx_conn: whose payload is being received, with a reference; with @rx_skb
 *	and @read_empty the receive path's alone
 */
struct atw_conns {
	spinlock_t		lock;
	struct list_head	list;
	struct atw_conn		*by_id[ATW_ID_MAX + 1];
	u32			next_id;
	struct atw_channel	*ch;
	bool			link_up;
	bool			gone;		/* under lock: no new ones */
	bool			reconcile;	/* ask AT+SOCKET? */
	bool			need_reset;	/* the module must be recovered */
	bool			no_conid;	/* it names the ids itself */
	u32			orphan_id;	/* got bytes for an id unknown */
	u32			chunk;		/* bytes of one AT+SOCKETSEND */
	u32			chunk_max;
	unsigned long		next_open;	/* payload first until then */
	unsigned long		open_after;	/* the module is out of them */
	unsigned long		deleted;	/* when the last one was */
	bool			need_sync;	/* an answer stayed away */
	bool			need_recvcfg;	/* it is in passive mode */
	bool			active;		/* it was told not to be */
	unsigned int		fresh_run;
	u32			foreign[16];	/* ids in the module, not ours */
	unsigned int		nforeign;
	struct atw_conn		*rx_conn;
	struct sk_buff		*rx_skb;
	bool			read_empty;

	/* counters, written under @lock or by the receive path alone */
	u64			opened, failed, resets, overflows, damaged;
	u64			passive, rx_bytes, tx_bytes;
};

struct atw_conn *atw_conn_open(struct atw_conns *cs, enum atw_sock_type type,
			       const char *name, u32 addr, u16 port,
			       u32 keepalive, const struct atw_conn_ops *ops,
			       void *owner);
int atw_conn_send(struct atw_conn *c, struct sk_buff *skb);
void atw_conn_close(struct atw_conn *c, bool abort, unsigned long linger);
void atw_conn_put(struct atw_conn *c);
u32 atw_conn_unsent(struct atw_conn *c);
bool atw_conn_drained(struct atw_conn *c);

void atw_conns_init(struct atw_conns *cs, struct atw_channel *ch);
bool atw_conns_work(struct atw_conns *cs);
long atw_conns_next_work(struct atw_conns *cs);
void atw_conns_event(struct atw_conns *cs, const struct atw_event *ev);
u8 *atw_conns_payload(struct atw_conns *cs, u32 id, u32 len);
void atw_conns_fail_all(struct atw_conns *cs, int err);
void atw_conns_gone(struct atw_conns *cs);
int atw_conns_set_active(struct atw_conns *cs);
int atw_conns_purge(struct atw_conns *cs);
void atw_conns_set_link(struct atw_conns *cs, bool up);
void atw_conns_set_rate(struct atw_conns *cs, unsigned int baud);

#endif
