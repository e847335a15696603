/* SPDX-License-Identifier: GPL-2.0-only */
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

#include "budget.h"
#include "channel.h"
#include "id.h"
#include "share.h"
#include "transparent.h"

struct atw_conn;
struct atw_conn_info;

/* The module reads datagrams into 1024 bytes and cuts what is longer. */
#define ATW_DGRAM_MAX	1024

/**
 * struct atw_tx_cb - in skb->cb of what is sent
 * @life: of a server for datagrams: atw_conn_serve.life in which that came to which it is
 *	the answer
 */
struct atw_tx_cb {
	u32	life;
};

#define ATW_TX_CB(skb)	((struct atw_tx_cb *)(skb)->cb)

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
 *	has no room left for them: the connection is then reset. Of a server, but one of
 *	datagrams, it may be NULL, as @tx_done
 * @room: of a stream: would it take this buffer and more, by atw_rx_mark()? If not, the
 *	owner calls atw_conn_read() when it may have become otherwise. NULL: it cannot tell
 * @closed: no more comes: @err 0, the remote has closed; -errno, it failed.
 *	Called once, and only after @opened told success
 * @tx_done: buffers were handed to the module and freed: there is room
 * @incoming: a server has a connection for atw_conn_accept(); NULL if its owner
 *	accepts none
 * @whose: name the program's socket in @info; NULL if it is never known
 */
struct atw_conn_ops {
	void (*asked)(struct atw_conn *c, bool asked);
	void (*opened)(struct atw_conn *c, int err, u32 code);
	bool (*rx)(struct atw_conn *c, struct sk_buff *skb);
	bool (*room)(struct atw_conn *c, const struct sk_buff *skb);
	void (*closed)(struct atw_conn *c, int err, u32 code);
	void (*tx_done)(struct atw_conn *c);
	void (*incoming)(struct atw_conn *server);
	void (*whose)(struct atw_conn *c, struct atw_conn_info *info);
};

/**
 * atw_rx_mark() - from where on an owner is slow
 * @limit: memory that what it has not read yet may take
 *
 * The rest of it is for what comes while it reads on, see atw_conn_throttle().
 *
 * Return: three quarters of that.
 */
static inline unsigned int atw_rx_mark(unsigned int limit)
{
	return limit / 4 * 3;
}

/**
 * atw_rx_merges() - has the last buffer that is unread room for the bytes of another?
 * @tail: the last one, NULL: there is none
 * @skb: the other
 *
 * The overhead of buffers counts: a remote that sends byte by byte must not use up with it
 * what its owner may have.
 *
 * Return: true if so.
 */
static inline bool atw_rx_merges(const struct sk_buff *tail, const struct sk_buff *skb)
{
	return tail && !skb_cloned(tail) && !skb_is_nonlinear(skb) &&
	       skb_tailroom(tail) >= skb->len;
}

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

/* Their order means nothing: the questions below are asked instead. See conn_state.c. */
enum atw_conn_state {
	ATW_CONN_WAITING,	/* wants an id and a connect */
	ATW_CONN_OPENING,	/* the connect is running */
	ATW_CONN_OPEN,
	ATW_CONN_YIELDING,	/* is being deleted for one that waits */
	ATW_CONN_CLOSING,	/* wants to be deleted in the module */
	ATW_CONN_DEAD,		/* the module no longer knows it */
	ATW_CONN_STATES		/* how many there are */
};

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
 * struct atw_conn_tx - what a connection sends; the connection's lock protects it
 * @q: what waits to be sent; @off bytes of the first are sent already
 * @queued: bytes in it that were not handed over
 * @lost: of a stream, bytes that were thrown away
 * @sending: a command of the channel's thread has the first of them
 * @astray: that command's number is another connection's by now; it looks without the lock,
 *	see atw_cmd.astray
 * @refused: how often that was refused in a row, for one and the same reason
 * @new_flow: nothing was queued before what is queued now
 * @no_way: the only way that it had is lost, and its owner has not said how to go on
 * @chat_until: see ATW_CHAT, in jiffies of 64 bits
 * @bytes: taken by the module
 */
struct atw_conn_tx {
	struct sk_buff_head		q;
	u32				off;
	u32				queued;
	u32				lost;
	bool				sending;
	bool				astray;
	bool				new_flow;
	bool				no_way;
	unsigned int			refused;
	u64				chat_until;
	u64				bytes;
};

/**
 * struct atw_conn_rx - what a connection receives; the connection's lock protects it
 * @fetch: something waits in a module in passive mode
 * @fetched_last: it was fetched after the end
 * @announced: bytes that the module has told of and that were not fetched
 * @kept: memory of the module that they take, as atw_kept.bytes
 * @empties: how often the module had none in spite of that
 * @blocked: what came while @announced older bytes were still to be fetched; see
 *	struct atw_blocked_cb
 * @unverified: a payload of which it is not certain that it is its remote's, and those
 *	that came after it; see struct atw_unverified_cb
 * @reused: when it got its number that had been another one's just before; without a number:
 *	there is one in a moment
 * @disputed: while the module was asked for the connection it said that its number is that of
 *	one which it has accepted, or what may be of the one that had it before
 * @backlog: what a child received before it was accepted, or another connection before it
 *	was open
 * @size: memory of @blocked, @unverified and @backlog
 * @bytes: received
 * @room: the receive path waits there until the owner has room, see conn_throttle.c; the
 *	lock is not needed for it
 */
struct atw_conn_rx {
	bool				fetch;
	bool				fetched_last;
	bool				reused;
	bool				disputed;
	s64				announced;
	int				kept;
	unsigned int			empties;
	struct sk_buff_head		blocked;
	struct sk_buff_head		unverified;
	struct sk_buff_head		backlog;
	u32				size;
	u64				bytes;
	wait_queue_head_t		room;
};

/**
 * struct atw_conn_serve - what a server has beside other connections; its lock protects it
 * @children: those that nobody has accepted, @nchildren of them and at most @backlog
 * @kept: memory of all of its children, as in their rx.size; counted under the lock of each
 * @life: another one each time that the module is to be asked for it again: whom it had
 *	heard before that is forgotten then
 * @lasting: it was open once: it is opened again when the module has lost it. Written by
 *	the channel's thread alone, which therefore reads it without the lock
 * @renew: its module may have stopped serving it, or keeps too much for it: it is to be
 *	opened anew
 * @old_id: the number under which it was deleted to be opened anew, or ATW_NO_ID; the
 *	channel's thread's alone
 * @polls: how often the module was asked for that since; likewise
 */
struct atw_conn_serve {
	struct list_head		children;
	unsigned int			nchildren;
	unsigned int			backlog;
	atomic_t			kept;
	u32				life;
	bool				lasting;
	bool				renew;
	u32				old_id;
	unsigned int			polls;
};

/**
 * enum atw_end - which connections something ends
 * @ATW_END_STREAMS: what was received may not be of their remotes, or the
 *	network is another one: streams of which the module knows
 * @ATW_END_LINK: the network is lost: streams, and what waits to be opened
 * @ATW_END_ALL: the module has lost all: whatever is not opened again
 */
enum atw_end { ATW_END_STREAMS, ATW_END_LINK, ATW_END_ALL };

/**
 * enum atw_close - how far an end in order is on its way
 * @ATW_CLOSE_NONE: it has none
 * @ATW_CLOSE_TOLD: it has had all; whether it was for want of a network is to be asked
 * @ATW_CLOSE_ASKED: the module is being asked
 * @ATW_CLOSE_SURE: it was not
 */
enum atw_close {
	ATW_CLOSE_NONE,
	ATW_CLOSE_TOLD,
	ATW_CLOSE_ASKED,
	ATW_CLOSE_SURE,
};

/**
 * enum atw_child_stage - how far a child is on its way to its owner
 * @ATW_CHILD_NONE: it is none
 * @ATW_CHILD_NEW: something is to be known of it before somebody can accept it
 * @ATW_CHILD_READY: it may be accepted
 * @ATW_CHILD_TAKEN: somebody has accepted it, or nobody will
 */
enum atw_child_stage {
	ATW_CHILD_NONE,
	ATW_CHILD_NEW,
	ATW_CHILD_READY,
	ATW_CHILD_TAKEN,
};

/**
 * struct atw_conn_child - what a child has beside other connections
 * @node: in atw_conn_serve.children of its server, whose lock protects it
 * @server: holds a reference; NULL until it is known, which is decided under
 *	atw_conns.lock and the child's; constant then
 * @stage: the child's lock protects it
 */
struct atw_conn_child {
	struct list_head		node;
	struct atw_conn			*server;
	enum atw_child_stage		stage;
};

/**
 * struct atw_conn - a connection, a server, or a child: a connection that a
 * server of the module has accepted
 * @ref: the table holds one while it is listed, the owner one; before a child
 *	has an owner that one is its server's
 * @node: in atw_conns.list; atw_conns.lock protects it
 * @turn: in atw_conns.turns, likewise
 * @ops: constant once the connection has an owner; and as long as it has one, which
 *	@lock protects, they are called
 * @type, @addr, @port: constant; but of a child those of its peer, 0 if the module does
 *	not tell, and constant once it can be accepted
 * @keepalive: seconds, 0: off; constant, as all below up to @name
 * @unverified: see struct atw_conn_spec
 * @share: of atw_conns.shares
 * @queued: when it came, see atw_conns_now()
 * @name: the remote's, if it was given by name
 * @lock: protects all below; nests inside atw_conns.lock, outside the owner's queue
 *	locks. A server's nests outside those of its children
 * @conns: the table, as long as the connection is in it: then the device is there.
 *	NULL otherwise; see atw_conns_unlink()
 * @owner: NULL: closed by it
 * @state: written under the lock, read without it by those for whom an old one will do:
 *	each change of it has the channel's thread look again
 * @err: -errno that has ended it, 0: none
 * @wish: what is to become of it
 * @left: its owner waits for what is queued, and wants to be told of nothing else
 * @remote_closed: the module said that the remote is gone. A send that runs looks at it
 *	without the lock, and at the latest when it has ended with it
 * @closed_at: when it said so, in jiffies
 * @close: whether that is believed to be in order
 * @id: the module's number, ATW_NO_ID: none; written under atw_conns.lock too, by the channel's
 *	thread alone once it is listed, but for a child's that is superseded
 * @close_by: until then datagrams may be sent, or a connection be made for what is
 *	queued, if it is to be drained
 * @not_before: there is nothing to do for it until then, in jiffies of 64 bits
 * @query: see atw_audit.query
 * @auto_deleted: the module said so
 * @transparent: how it is to have transparent mode, bits of ATW_TT_*; the channel's thread
 *	writes it
 * @tx, @rx, @serve, @child: see there
 */
struct atw_conn {
	refcount_t			ref;
	struct list_head		node;
	struct list_head		turn;

	const struct atw_conn_ops	*ops;
	enum atw_sock_type		type;
	u16				port;
	u32				addr;
	u32				keepalive;
	bool				unverified;
	u8				share;
	u64				queued;
	char				name[ATW_NAME_MAX];

	spinlock_t			lock;
	struct atw_conns		*conns;
	void				*owner;
	enum atw_conn_state		state;
	int				err;
	enum atw_conn_wish		wish;
	bool				left;
	bool				remote_closed;
	unsigned long			closed_at;
	enum atw_close			close;
	u32				id;
	unsigned long			close_by;
	u64				not_before;
	unsigned int			query;
	bool				auto_deleted;
	u8				transparent;
	struct atw_conn_tx		tx;
	struct atw_conn_rx		rx;
	struct atw_conn_serve		serve;
	struct atw_conn_child		child;
};

/*
 * Most who ask have the connection's lock. What others see may be old: they ask for a
 * hint, or again with the lock.
 */
static inline enum atw_conn_state atw_conn_state(const struct atw_conn *c)
{
	return READ_ONCE(c->state);
}

/* Does its connect run? */
static inline bool atw_conn_is_opening(const struct atw_conn *c)
{
	return atw_conn_state(c) == ATW_CONN_OPENING;
}

/**
 * struct atw_conn_view - how a connection is, for who has no use for its lock
 * @id: the module's number for it, ATW_NO_ID if it has none
 * @unsent: bytes that the module has not accepted yet
 * @untaken: the same, with what the module never will accept
 * @dgrams: datagrams that it has not accepted yet
 * @drained: everything has been handed to the module, or is lost
 * @transparent: bits of ATW_TT_*: how it is to have transparent mode; 0: not at all
 */
struct atw_conn_view {
	u32			id;
	u32			unsent;
	u32			untaken;
	u32			dgrams;
	bool			drained;
	u8			transparent;
};

struct atw_conn_view atw_conn_view(struct atw_conn *c);

static inline u32 atw_conn_id(struct atw_conn *c)
{
	return atw_conn_view(c).id;
}

static inline u32 atw_conn_unsent(struct atw_conn *c)
{
	return atw_conn_view(c).unsent;
}

/* More than a module can have. */
#define ATW_ROWS_MAX		32

/**
 * struct atw_rows - the module's list of connections
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
	u32			id;		/* ATW_NO_ID: none yet */
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

/* Lines with their data in them that are refused in a row: none is tried again. */
#define ATW_LINES_REFUSED	4U

/**
 * struct atw_learned - what was learned of the module since it started
 * @no_conid: it names the ids itself
 * @conid_known: it has used one of ours
 * @conid_told: it has told the number of one of that type, bits by enum atw_sock_type
 * @purged: it has no connections but ours
 * @children_told: it announces its children
 * @no_peers: it does not tell who they are
 * @narrow_ids: it was seen to keep the id of a send in one byte
 * @wide_ids: it was seen not to
 * @anew_soon: it connects anew at once what it has lost, not some seconds later
 * @lines_refused: in a row, of those with bytes in them; from ATW_LINES_REFUSED on it takes none
 * @ca_known: it was asked for a CA, and has one
 * @high_id: the highest number that it has given by itself
 */
struct atw_learned {
	bool			no_conid;
	bool			conid_known;
	bool			purged;
	bool			children_told;
	bool			no_peers;
	bool			narrow_ids;
	bool			wide_ids;
	bool			ca_known;
	bool			anew_soon;
	unsigned int		conid_told;
	unsigned int		lines_refused;
	u32			high_id;
};

/**
 * struct atw_proved - what was learned of the firmware, as long as it is the same
 * @chunk: bytes of the largest send that it has taken
 * @sockets: how many it has had at a time, at most
 * @small_sends: it swallows larger ones than ATW_CHUNK_MIN
 * @serves: it has opened a server
 * @may_not_serve: it may be firmware that has no servers
 */
struct atw_proved {
	u32			chunk;
	unsigned int		sockets;
	bool			small_sends;
	bool			serves;
	bool			may_not_serve;
};

/**
 * struct atw_id_range - numbers
 * @first: the first of them
 * @last: the last
 */
struct atw_id_range {
	u32	first;
	u32	last;
};

/**
 * struct atw_ids - which numbers there are; atw_conns.lock protects it
 * @by_id: connections with an id up to ATW_ID_MAX, without a reference of their own
 * @next: the number that was given last
 * @rests: until when the module may yet speak of a number that nothing has any more, in jiffies
 *	of 64 bits; of numbers of more than a byte, of which there is no end, those with the same
 *	last byte rest together
 * @stale: numbers of what is in the module and none of ours, @nstale ranges of them: they
 *	are deleted. Those of connections within a range are not meant: they are looked for
 *	first. The thread looks without the lock whether there are more: it will look again
 * @deleting: the number that is being deleted at this moment, or ATW_NO_ID
 * @orphans: the module has spoken of them when nobody had them, since the last connect began
 */
struct atw_ids {
	struct atw_conn		*by_id[ATW_ID_MAX + 1];
	u32			next;
	u64			rests[2][ATW_ID_MAX + 1];
	struct atw_id_range	stale[16];
	unsigned int		nstale;
	u32			deleting;
	DECLARE_BITMAP(orphans, ATW_ID_MAX + 1);
};

/**
 * struct atw_shares - who has had how much of the module; atw_conns.lock protects it
 * @of: what each user has had
 * @sent: what the user who has sent last had sent before
 */
struct atw_shares {
	struct atw_share	of[ATW_SHARES];
	u64			sent;
};

/**
 * struct atw_silences - remotes that did not answer; atw_conns.lock protects it
 * @of: these
 * @next: the oldest of them
 */
struct atw_silences {
	struct atw_silence	of[ATW_SILENCES];
	unsigned int		next;
};

/**
 * struct atw_pace - how much is sent, and when; the channel's thread's alone, where
 * nothing else is said
 * @prefer: what the administrator prefers; written and read without a lock: a hint
 * @chunk: bytes of one send, at most; @chunk_max what it may grow to, and @chunk_limit
 *	what that may become
 * @chunk_good: sends of that size since it was chosen
 * @send_after: not before, in jiffies of 64 bits, as the next two; the module has no memory
 * @next_open: payload goes before connects until then
 * @open_after: not before; the module is out of sockets
 * @slots_short: a connect was refused for that, and since then none was a success
 * @fetched: the last work was to fetch something
 * @new_flow_run: small messages that went before a bulk transfer, in a row
 */
struct atw_pace {
	enum atwifi_prefer	prefer;
	u32			chunk;
	u32			chunk_max;
	u32			chunk_limit;
	unsigned int		chunk_good;
	u64			send_after;
	u64			next_open;
	u64			open_after;
	bool			slots_short;
	bool			fetched;
	unsigned int		new_flow_run;
};

/**
 * struct atw_audit - what the module has, compared with what it should have; the
 * channel's thread's alone, where nothing else is said
 * @query: counts the queries of the module's table; what it says is newer than
 *	a connection that has a lower count. The thread counts under the channel's rx_lock
 * @rows: what the module said last; a place of its own, so that no question is lost
 *	when memory is short
 * @unknown: ids that the module has and nobody here knows, seen once, @nunknown of them
 * @futile: times in a row that what is listed as deleted was deleted, and is listed yet
 * @compare_after: all is compared not before that for something that the module said, in
 *	jiffies of 64 bits
 * @deleted: when something was deleted last
 * @undeleted: tried in vain since then
 * @boot: what the module has said of a start, and @boot_at when; the channel's rx_lock
 *	protects them
 * @boot_asked: the same, of the question that is to tell
 * @unanswered: the answer to the last comparison was lost, and there is another one for that
 * @asking: the module is asked for its network; atw_conns.lock protects it
 */
struct atw_audit {
	unsigned int		query;
	struct atw_rows		rows;
	u32			unknown[16];
	unsigned int		nunknown;
	unsigned int		futile;
	u64			compare_after;
	unsigned long		deleted;
	unsigned int		undeleted;
	enum atw_boot		boot;
	unsigned long		boot_at;
	enum atw_boot		boot_asked;
	bool			unanswered;
	bool			asking;
};

/**
 * struct atw_recv_mode - the module's receive mode; the channel's thread alone writes it,
 * under the channel's rx_lock
 * @active: it was told that, and has agreed
 * @passive: what was asked for; read without a lock by those who only show it
 * @since: when that changed, in jiffies
 */
struct atw_recv_mode {
	bool			active;
	bool			passive;
	unsigned long		since;
};

/**
 * struct atw_throttle - for how long the receive path has waited for programs
 * @debt: ns of that which the line was not free for since then
 * @since: when that was counted, see atw_conns_now()
 * @bytes: that had come by then
 */
struct atw_throttle {
	u64			debt;
	u64			since;
	u64			bytes;
};

/**
 * struct atw_conns_rx - what is being received; the channel's rx_lock protects it
 * @conn: whose payload that is, with a reference. Who wants to know whether a connection
 *	is quiet compares it without that lock: what comes then disturbs it
 * @skb: the payload; whether it was asked for is in atw_channel.answer
 * @reading: the id that the channel's thread reads at this moment, or ATW_NO_ID; by that
 *	alone written, so that it reads it without the lock
 * @read_data: and there was something
 * @read_empty: and there was nothing
 * @throttle: see there
 * @unread: memory of what cannot be handed over yet, of all connections, as in their
 *	rx.size; counted under the lock of each, and not the channel's. What has left the
 *	table is in atw_unlisted
 */
struct atw_conns_rx {
	struct atw_conn		*conn;
	struct sk_buff		*skb;
	u32			reading;
	bool			read_data;
	bool			read_empty;
	struct atw_throttle	throttle;
	struct atw_budget	unread;
};

/**
 * struct atw_kept - memory of a module in passive mode
 * @bytes: of what it keeps; counted under the lock of any connection
 * @zombies: of that, what deleted connections had; they linger. atw_conns.lock
 * @zombie_since: the last one was deleted then; atw_conns.lock
 */
struct atw_kept {
	atomic_t		bytes;
	u32			zombies;
	unsigned long		zombie_since;
};

/* Each of them may be counted under the lock of any connection, or under none. */
struct atw_counts {
	atomic64_t		opened, failed, resets, overflows, damaged;
	atomic64_t		passive, accepted, refused, cut, yielded;
	atomic64_t		unexplained, throttled;
};

/**
 * struct atw_conns_ops - what connections tell the device that they are of
 * @broken: an open connection ends with an error; with its lock held
 * @no_slot: the module has no socket left for a connect; told what each user has, see
 *	atw_conns_count_sockets(); returns whether one will be free soon. The channel's
 *	thread, no locks held
 * @freed: the module has deleted something, and may have a socket again. The same
 */
struct atw_conns_ops {
	void (*broken)(struct atw_conns *cs, const struct atw_conn_info *info);
	bool (*no_slot)(struct atw_conns *cs, u8 share, const u16 *has);
	void (*freed)(struct atw_conns *cs);
};

/**
 * struct atw_conns - the connections of one device
 * @ch, @sched: constant
 * @ops: constant; NULL: there is none
 * @clock: constant; ktime_get(), but for tests
 * @lock: protects what follows up to @silences; nests inside the channel's rx_lock,
 *	outside atw_conn.lock
 * @list: all of them, in the order in which they came, in which a dump goes on;
 *	each holds a reference
 * @turns: the same, in the order in which they are served
 * @n: how many
 * @seq: another number whenever @list changes; a dump compares it without the lock
 * @link_up: there is a network, see atw_conns_has_link()
 * @gone: there will be no new connections
 * @ids, @shares, @silences: see there
 * @fw: the firmware's ways; the channel's thread replaces it, under @lock. Each is
 *	constant: who reads the pointer without that has an old one or a new one
 * @learned: what the receive path sees is written by that, and cleared by the channel's
 *	thread, under the channel's rx_lock; @high_id of it under @lock. What commands tell
 *	is written by the thread alone: of that, the receive path looks at no_conid, which
 *	it may see a payload later, and narrow_ids, which no send in between depends on
 * @proved: the channel's thread's alone
 * @pace, @audit, @mode, @rx, @kept, @counts: see there
 * @tt: transparent mode, see there
 */
struct atw_conns {
	struct atw_channel	*ch;
	struct atw_sched	*sched;
	const struct atw_conns_ops *ops;
	ktime_t			(*clock)(void);

	spinlock_t		lock;
	struct list_head	list;
	struct list_head	turns;
	unsigned int		n;
	atomic_t		seq;
	bool			link_up;
	bool			gone;
	struct atw_ids		ids;
	struct atw_shares	shares;
	struct atw_silences	silences;

	const struct atw_firmware *fw;
	struct atw_learned	learned;
	struct atw_proved	proved;
	struct atw_pace		pace;
	struct atw_audit	audit;
	struct atw_recv_mode	mode;
	struct atw_conns_rx	rx;
	struct atw_kept		kept;
	struct atw_counts	counts;
	struct atw_tt		tt;
};

/*
 * Is there a network? It comes and goes at any time: without a lock is as good as with
 * one, and who ends something by that says the more likely reason.
 */
static inline bool atw_conns_has_link(const struct atw_conns *cs)
{
	return READ_ONCE(cs->link_up);
}

/* What the module has stored for TLS may be another one: for the channel's thread. */
static inline void atw_conns_ca_changed(struct atw_conns *cs)
{
	cs->learned.ca_known = false;
}

/* What the serial line takes in a second, 0: not known. */
static inline u32 atw_conns_per_second(const struct atw_conns *cs)
{
	return READ_ONCE(cs->ch->baud) / 10;
}

/* For the channel's thread, which is kicked when the receive path moves it on. */
static inline enum atw_tt_phase atw_tt_phase(const struct atw_conns *cs)
{
	return READ_ONCE(cs->tt.phase);
}

/* Is the module in transparent mode? As the phase. */
static inline bool atw_tt_inside(struct atw_conns *cs)
{
	return atw_tt_phase(cs) != ATW_TT_OUT;
}

/* conn.c */
bool atw_conns_are_there(struct atw_conns *cs);
void atw_conn_put(struct atw_conn *c);
int atw_conn_send(struct atw_conn *c, struct sk_buff *skb);
bool atw_conn_send_small(struct atw_conn *c, const struct sock *sk, const void *data, u32 len);
void atw_conn_drain(struct atw_conn *c, unsigned long linger);
void atw_conn_yield(struct atw_conn *c);
void atw_conn_leave(struct atw_conn *c);
void atw_conn_close(struct atw_conn *c, bool abort, unsigned long linger);
void atw_conns_end_several(struct atw_conns *cs, int err, enum atw_end what);
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
void atw_conns_fail_all(struct atw_conns *cs);
void atw_conns_gone(struct atw_conns *cs);
void atw_conns_note_link(struct atw_conns *cs, bool up);
void atw_conns_set_link(struct atw_conns *cs, bool up);

/* conn_open.c */
struct atw_conn *atw_conn_open(struct atw_conns *cs,
			       const struct atw_conn_spec *spec,
			       const struct atw_conn_ops *ops, void *owner);

/* conn_rx.c */
u8 *atw_conns_payload(void *ctx, u32 id, u32 len);
void atw_conns_payload_end(void *ctx, const struct atw_event *ev);
void atw_conns_boot(struct atw_conns *cs, enum atw_boot boot);
void atw_conns_hear(struct atw_conns *cs, const struct atw_event *ev);
bool atw_conns_ask_ends(struct atw_conns *cs);
void atw_conns_answer_ends(struct atw_conns *cs, bool sure);
void atw_conns_note_asking(struct atw_conns *cs, bool asking);
void atw_conns_end_late(struct atw_conns *cs, bool busy);

/* conn_sync.c */
int atw_conns_delete_old(struct atw_conns *cs);
bool atw_conns_unheard(struct atw_conns *cs);
void atw_conns_heard(struct atw_conns *cs);
bool atw_conns_do_reconcile(struct atw_conns *cs);

/* conn_throttle.c */
void atw_conn_read(struct atw_conn *c);

/* conn_work.c */
bool atw_conns_do_stale(struct atw_conns *cs);
bool atw_conns_do_recv_mode(struct atw_conns *cs);
bool atw_conns_do_boot(struct atw_conns *cs);
bool atw_conns_do_compare(struct atw_conns *cs);
bool atw_conns_do_unknown(struct atw_conns *cs);
bool atw_conns_do_next(struct atw_conns *cs);

/* doubt.c */
void atw_conns_end_doubtful(struct atw_conns *cs);

/* child.c */
bool atw_conns_do_accepted(struct atw_conns *cs);
void atw_conn_set_backlog(struct atw_conn *server, unsigned int backlog);
bool atw_conn_acceptable(struct atw_conn *server);
struct atw_conn *atw_conn_accept(struct atw_conn *server,
				 const struct atw_conn_ops *ops, void *owner);

#endif
