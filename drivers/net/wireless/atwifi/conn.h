/* SPDX-License-Identifier: GPL-2.0 */
/* Connections: ConIDs, hand-over of what was received, order of sending. */
#ifndef _ATWIFI_CONN_H
#define _ATWIFI_CONN_H

#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>

#include <linux/atwifi.h>
#include <linux/atwifi_genl.h>

#include "channel.h"
#include "id.h"
#include "share.h"
#include "transparent.h"

struct atw_conn;
struct atw_conn_info;

/* The module reads datagrams into 1024 bytes and cuts what is longer. */
#define ATW_DGRAM_MAX	1024

/**
 * struct atw_conn_ops - what a connection tells its owner
 *
 * All are called with the connection's lock held, from process context, and
 * must not sleep; none is called after atw_conn_close() has returned.
 *
 * @asked: the connect begins in the module, maybe not for the first time, or, false, is
 *	to wait again; NULL if its owner need not know
 * @opened: the outcome of the connect: 0 or -errno; code is the module's
 *	number. After an error the connection is dead; if its state is not
 *	ATW_CONN_OPENING then, the module was not asked
 * @rx: bytes, or one datagram; takes the buffer. Returns false if the owner
 *	has no room left for them: the connection is then reset
 * @closed: no more comes: @err 0, the remote has closed; -errno, it failed.
 *	Called once, and only after @opened told success
 * @tx_done: buffers were handed to the module and freed: there is room
 * @seed: a server has a connection for atw_conn_accept(); NULL if its owner
 *	accepts none
 * @whose: name the program's socket in @info; NULL if it is never known
 */
struct atw_conn_ops {
	void (*asked)(struct atw_conn *c, bool asked);
	void (*opened)(struct atw_conn *c, int err, u32 code);
	bool (*rx)(struct atw_conn *c, struct sk_buff *skb);
	void (*closed)(struct atw_conn *c, int err, u32 code);
	void (*tx_done)(struct atw_conn *c);
	void (*seed)(struct atw_conn *server);
	void (*whose)(struct atw_conn *c, struct atw_conn_info *info);
};

/**
 * struct atw_conn_spec - what connection is wanted
 * @type: which kind; a server listens, all others connect
 * @name: host name, already checked by atw_check_host(), or ""; "" for a server
 * @addr: IPv4 address in host order, where there is no name; 0 for a server
 * @port: the remote's port, or a server's own, in host order
 * @keepalive: seconds between probes, 0: none
 * @backlog: of a server: connections that wait to be accepted, at most
 * @unverified: of a TLS client: it need not be known who the remote is
 * @share: whose it is, see atw_share_index()
 */
struct atw_conn_spec {
	enum atw_sock_type	type;
	const char		*name;
	u32			addr;
	u16			port;
	u32			keepalive;
	unsigned int		backlog;
	bool			unverified;
	u8			share;
};

/* Their order means nothing: the questions below are asked instead. */
enum atw_conn_state {
	ATW_CONN_WAITING,	/* wants an id and a connect */
	ATW_CONN_OPENING,	/* the connect is running */
	ATW_CONN_OPEN,
	ATW_CONN_YIELDING,	/* is being deleted for one that waits */
	ATW_CONN_CLOSING,	/* wants to be deleted in the module */
	ATW_CONN_DEAD,		/* the module no longer knows it */
};

/* Has the module said that it has it, and has it not ended since then? */
static inline bool atw_conn_state_is_open(enum atw_conn_state state)
{
	return state == ATW_CONN_OPEN || state == ATW_CONN_YIELDING;
}

/* Does it carry bytes, or will it? */
static inline bool atw_conn_state_is_usable(enum atw_conn_state state)
{
	return state == ATW_CONN_WAITING || state == ATW_CONN_OPENING || state == ATW_CONN_OPEN;
}

/* Is its end still to come? What is being deleted may yet fail before. */
static inline bool atw_conn_state_is_live(enum atw_conn_state state)
{
	return atw_conn_state_is_usable(state) || state == ATW_CONN_YIELDING;
}

/**
 * enum atw_conn_wish - what is to become of a connection
 * @ATW_WISH_STAY: somebody has it, or will
 * @ATW_WISH_YIELD: it gives its socket away, if nothing is on its way
 * @ATW_WISH_DRAIN: it goes when what is queued is sent
 * @ATW_WISH_GO: it goes at once
 */
enum atw_conn_wish {
	ATW_WISH_STAY,
	ATW_WISH_YIELD,
	ATW_WISH_DRAIN,
	ATW_WISH_GO,
};

/**
 * struct atw_conn - a connection, a server, or a seed: a connection that a
 * server of the module has accepted
 * @ref: the table holds one while it is listed, the owner one; before a seed
 *	has an owner that one is its server's
 * @lock: protects everything below it that is not said to be constant; nests
 *	inside atw_conns.lock, outside the owner's queue locks. A server's nests
 *	outside those of its seeds
 * @server: a seed's, holds a reference; NULL until it is known, which is decided
 *	under atw_conns.lock too; constant then
 * @addr, @port: of a seed those of its peer, 0 if the module does not tell;
 *	constant once it can be accepted
 * @conns: the table, as long as the connection is in it: then the device is there.
 *	NULL otherwise; see atw_conns_unlink()
 * @close_by: until then datagrams may be sent, or a connection be made for what is
 *	queued, if it is to be drained
 * @paused: there is nothing to do for it until @not_before, in jiffies
 * @lasting: a server that was open once: it is opened again when the module
 *	has lost it
 * @renew: its module may have stopped serving it: it is to be opened anew
 * @old_id: the number under which it was deleted to be opened anew
 * @seeds: of a server: those that nobody has accepted, @nseeds of them and at
 *	most @backlog
 * @waits: a seed that nobody has accepted
 * @ready: a seed that may be accepted: what can be known of it is known
 * @auto_deleted: the module said so
 * @transparent: it is to have transparent mode; written by the channel's thread
 * @held: what came while @announced older bytes were still to be fetched,
 *	@early_size of memory together with @unsure and @early; see struct atw_held_cb
 * @unsure: a payload of which it is not certain that it is its remote's, and those
 *	that came after it; see struct atw_unsure_cb
 * @early: what a seed received before it was accepted, @early_size of memory
 */
struct atw_conn {
	refcount_t			ref;
	struct list_head		node;		/* atw_conns.lock */
	struct list_head		accept;		/* the server's lock */

	/* constant */
	const struct atw_conn_ops	*ops;		/* once it is owned */
	enum atw_sock_type		type;
	u16				port;
	u32				addr;
	u32				keepalive;	/* seconds, 0: off */
	bool				unverified;
	u8				share;		/* of atw_conns.share */
	u64				queued;		/* when it came, see atw_conns_now() */
	char				name[ATW_NAME_MAX];

	spinlock_t			lock;
	struct atw_conns		*conns;
	struct atw_conn			*server;
	void				*owner;		/* NULL: closed by it */
	enum atw_conn_state		state;
	int				err;
	enum atw_conn_wish		wish;
	bool				remote_closed;
	u32				id;
	struct sk_buff_head		txq;
	u32				tx_off;		/* sent of the first */
	u32				tx_queued;	/* bytes not handed over */
	bool				sending;	/* a command has them */
	unsigned int			refused;	/* in a row, of one kind */
	bool				fresh;		/* was idle before */
	unsigned long			chat_until;	/* the thread's, see ATW_CHAT */
	bool				fetch;		/* passive data waits */
	bool				fetched_last;	/* after the end */
	s64				announced;	/* bytes, not fetched */
	int				hoard;		/* as atw_conns.hoard */
	unsigned int			empties;	/* in spite of that */
	struct sk_buff_head		held;		/* came after those */
	struct sk_buff_head		unsure;
	unsigned long			close_by;
	bool				paused;
	unsigned long			not_before;
	unsigned int			query;		/* see atw_conns.query */
	bool				lasting;
	bool				renew;
	u32				old_id;
	struct list_head		seeds;
	unsigned int			nseeds;
	unsigned int			backlog;
	bool				waits;
	bool				ready;
	bool				auto_deleted;
	bool				transparent;
	struct sk_buff_head		early;
	u32				early_size;
	u64				rx_bytes;
	u64				tx_bytes;
};

/* More than a module can have. */
#define ATW_ROWS_MAX		32

/**
 * struct atw_rows - the answer to AT+SOCKET?
 * @row: the rows, @n of them
 * @more: there were others for which there was no room
 */
struct atw_rows {
	struct atw_sock_row	row[ATW_ROWS_MAX];
	unsigned int		n;
	bool			more;
};

/**
 * struct atw_conn_info - what can be told of a connection
 * @err: -errno of its owner, where it was ended by an error
 * @code: the module's number for that, 0 if it gave none
 * @inode: of the program's socket, 0: not known
 * @uid: who has made that socket, if it is known
 */
struct atw_conn_info {
	u32			id;		/* 0: none yet */
	enum atw_sock_type	type;
	enum atw_conn_state	state;
	u32			addr;		/* of the remote, host order */
	u16			port;
	char			name[ATW_NAME_MAX];
	u32			unsent;
	u64			rx_bytes;
	u64			tx_bytes;
	int			err;
	u32			code;
	u64			inode;
	kuid_t			uid;
};

/**
 * struct atw_silence - a remote that did not answer
 * @until: it is not asked again before, see atw_conns_now(); 0: nothing is in here
 * @err: -errno for whoever wants to connect to it
 * @code: the module's number
 */
struct atw_silence {
	enum atw_sock_type	type;
	u32			addr;
	u16			port;
	char			name[ATW_NAME_MAX];
	u64			until;
	int			err;
	u32			code;
};

/* Each has cost the module some seconds, and is remembered for less than a minute. */
#define ATW_SILENCES	16

/**
 * enum atw_boot - may the module have started again, without a word or an echo of it?
 * @ATW_BOOT_NO: nothing says so
 * @ATW_BOOT_MAYBE: if it has lost all that it had
 * @ATW_BOOT_SAID: if it has nothing
 */
enum atw_boot { ATW_BOOT_NO, ATW_BOOT_MAYBE, ATW_BOOT_SAID };

/**
 * struct atw_learned - what was learned of the module since it started
 * @no_conid: it names the ids itself
 * @conid_known: it has used one of ours
 * @purged: it has no connections but ours
 * @seeds_told: it announces its seeds
 * @no_peers: it does not tell who they are
 * @narrow_ids: it was seen to keep the id of a send in one byte
 * @no_sendline: it has no AT+SOCKETSENDLINE
 * @lines_refused: in a row, of those
 * @ca_known: it was asked for a CA, and has one
 * @high_id: the highest number that it has given by itself
 */
struct atw_learned {
	bool			no_conid;
	bool			conid_known;
	bool			purged;
	bool			seeds_told;
	bool			no_peers;
	bool			narrow_ids;
	bool			no_sendline;
	bool			ca_known;
	unsigned int		lines_refused;
	u32			high_id;
};

/**
 * struct atw_proved - what was learned of the firmware, as long as it is the same
 * @chunk: bytes of the largest send that it has taken
 * @small_sends: it swallows larger ones than ATW_CHUNK_MIN
 * @serves: it has opened a server
 */
struct atw_proved {
	u32			chunk;
	bool			small_sends;
	bool			serves;
};

/**
 * struct atw_conns - the connections of one device
 * @lock: protects the list, the table and what follows up to @rx_conn; nests
 *	inside the channel's rx_lock, outside atw_conn.lock
 * @list: all of them, in the order in which they are served; each holds a
 *	reference
 * @by_id: those with an id up to ATW_ID_MAX, without a reference of their own
 * @clock: constant; ktime_get(), but for tests
 * @share: what each user has had of the module
 * @sent: what the user who has sent last had sent before
 * @silence: remotes that did not answer
 * @may_not_serve: it may be firmware that has no servers
 * @deleting: the id that is being deleted at this moment, 0: none
 * @query: counts the queries of the module's table; what it says is newer than
 *	a connection that has a lower count
 * @rows: what it said last; the channel's thread's alone, and a place of its own, so
 *	that no question is lost when memory is short
 * @past: numbers of seeds that are gone, of which the module may yet speak
 * @strange: ids that the module has and nobody here knows, seen once
 * @want_passive: the receive mode that was asked for; @mode_since when
 * @spoiled: a remote may have got what was not for it: the module is to restart
 *	before it can end that connection in order
 * @boot: what it has said of a start, and @boot_at when; set by the receive path
 * @boot_asked: the same, of the question that is to tell; the thread's alone
 * @tt: transparent mode, see there
 * @broken: constant; tells of an open connection that ends with an error, with
 *	its lock held; may be NULL
 * @starved: the module has no socket left for a connect; returns whether one
 *	will be free soon. The channel's thread, no locks held. May be NULL
 * @rx_conn: whose payload is being received, with a reference; with @rx_skb
 *	and @rx_answer the receive path's alone
 */
struct atw_conns {
	spinlock_t		lock;
	struct list_head	list;
	unsigned int		n;		/* on it */
	u32			seq;		/* another one when it changes */
	struct atw_conn		*by_id[ATW_ID_MAX + 1];
	u32			next_id;
	ktime_t			(*clock)(void);
	struct atw_share	share[ATW_SHARES];
	u64			sent;
	struct atw_silence	silence[ATW_SILENCES];
	unsigned int		next_silence;
	struct atw_channel	*ch;
	struct atw_sched	*sched;
	enum atwifi_prefer	prefer;		/* read without a lock: a hint */
	const struct atw_firmware *fw;
	struct atw_learned	learned;
	struct atw_proved	proved;
	void			(*broken)(struct atw_conns *cs,
					  const struct atw_conn_info *info);
	bool			(*starved)(struct atw_conns *cs);
	bool			link_up;
	bool			gone;		/* under lock: no new ones */
	u32			orphan_id;	/* got bytes for an id unknown */
	u32			chunk;		/* bytes of one AT+SOCKETSEND */
	u32			chunk_max;
	u32			chunk_limit;	/* what chunk_max may become */
	unsigned int		chunk_good;	/* sends of that size since */
	unsigned long		send_after;	/* the module has no memory */
	unsigned long		next_open;	/* payload first until then */
	unsigned long		open_after;	/* the module is out of them */
	unsigned long		deleted;	/* when the last one was */
	unsigned int		undeleted;	/* tried in vain since then */
	bool			active;		/* it was told not to be */
	bool			want_passive;
	unsigned long		mode_since;
	bool			fetched;	/* the last work was that */
	u32			reading;	/* the id that is read, 0: none */
	bool			read_data;	/* and there was something */
	atomic_t		hoard;		/* memory of what it keeps */
	u32			zombie_hoard;	/* of it, of deleted ones ... */
	unsigned long		zombie_since;	/* ... that linger */
	unsigned int		fresh_run;
	u32			foreign[16];	/* ids in the module, not ours */
	unsigned int		nforeign;
	bool			may_not_serve;
	u32			deleting;
	unsigned int		query;
	struct atw_rows		rows;
	struct {
		u32		id;
		unsigned long	since;
	}			past[16];
	unsigned int		next_past;
	u32			strange[16];
	unsigned int		nstrange;
	unsigned long		compared;	/* what was said, with its table */
	enum atw_boot		boot;
	unsigned long		boot_at;
	enum atw_boot		boot_asked;
	bool			spoiled;
	unsigned int		baud;		/* 0: not known */
	struct atw_tt		tt;
	struct atw_conn		*rx_conn;
	struct sk_buff		*rx_skb;
	bool			rx_answer;
	bool			read_empty;

	/* counters: each of them may be counted under the lock of any connection */
	atomic64_t		opened, failed, resets, overflows, damaged;
	atomic64_t		passive, rx_bytes, tx_bytes;
	atomic64_t		accepted, refused, cut, yielded;
	atomic64_t		unexplained;
};

/* What the serial line takes in a second, 0: not known. */
static inline u32 atw_conns_per_second(const struct atw_conns *cs)
{
	return READ_ONCE(cs->baud) / 10;
}

/* conn.c */
void atw_conn_put(struct atw_conn *c);
int atw_conn_send(struct atw_conn *c, struct sk_buff *skb);
void atw_conn_drain(struct atw_conn *c, unsigned long linger);
void atw_conn_yield(struct atw_conn *c);
void atw_conn_close(struct atw_conn *c, bool abort, unsigned long linger);
u32 atw_conn_unsent(struct atw_conn *c);
bool atw_conn_drained(struct atw_conn *c);
void atw_conns_end_streams(struct atw_conns *cs);
void atw_conns_set_firmware(struct atw_conns *cs, const struct atw_firmware *fw, bool same);
void atw_conns_set_rate(struct atw_conns *cs, unsigned int baud);
void atw_conns_init(struct atw_conns *cs, struct atw_channel *ch, struct atw_sched *sched);
int atw_conns_for_each(struct atw_conns *cs,
		       int (*fn)(const struct atw_conn_info *info, void *arg),
		       void *arg);

/* conn_cmd.c */
void atw_conns_command_failed(struct atw_conns *cs, int err);

/* conn_fetch.c */
int atw_conns_set_active(struct atw_conns *cs);
int atw_conns_set_recv_mode(struct atw_conns *cs, bool passive);

/* conn_lost.c */
void atw_conns_fail_all(struct atw_conns *cs, int err);
void atw_conns_gone(struct atw_conns *cs);
void atw_conns_set_link(struct atw_conns *cs, bool up);

/* conn_open.c */
struct atw_conn *atw_conn_open(struct atw_conns *cs,
			       const struct atw_conn_spec *spec,
			       const struct atw_conn_ops *ops, void *owner);
void atw_conns_ca_changed(struct atw_conns *cs);

/* conn_rx.c */
u8 *atw_conns_payload(struct atw_conns *cs, u32 id, u32 len);
void atw_conns_boot(struct atw_conns *cs, enum atw_boot boot);
void atw_conns_event(struct atw_conns *cs, const struct atw_event *ev);

/* conn_sync.c */
int atw_conns_purge(struct atw_conns *cs);

/* conn_work.c */
bool atw_conns_do_stale(struct atw_conns *cs);
bool atw_conns_do_recv_mode(struct atw_conns *cs);
bool atw_conns_do_accepted(struct atw_conns *cs);
bool atw_conns_do_boot(struct atw_conns *cs);
bool atw_conns_do_compare(struct atw_conns *cs);
bool atw_conns_do_strange(struct atw_conns *cs);
bool atw_conns_do_reconcile(struct atw_conns *cs);
bool atw_conns_do_next(struct atw_conns *cs);

/* doubt.c */
void atw_conns_end_doubtful(struct atw_conns *cs);

/* seed.c */
void atw_conn_set_backlog(struct atw_conn *server, unsigned int backlog);
bool atw_conn_acceptable(struct atw_conn *server);
struct atw_conn *atw_conn_accept(struct atw_conn *server,
				 const struct atw_conn_ops *ops, void *owner);

#endif
