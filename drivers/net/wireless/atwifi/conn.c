// SPDX-License-Identifier: GPL-2.0
/*
 * Connections.
 *
 * A connection belongs to the table (until the module has forgotten it) and to
 * its owner, a socket (until that closes it): one reference each. The owner
 * puts bytes into the transmit queue; the channel's thread alone takes them
 * out, one AT+SOCKETSEND at a time. The receive path alone calls ops->rx.
 *
 * Locks: channel.rx_lock > atw_conns.lock > atw_conn.lock > owner's queues.
 * Commands run with none of them held.
 *
 * ConIDs are named by the driver and are code words of three digits: their
 * weighted digit sum is a multiple of ten, so that a byte which is lost or
 * flipped on the UART never turns one id into another. Bytes for an id that is
 * no code word are a sign that bytes were lost, and whose they are cannot be
 * known: all streams end with an error then.
 */
#include <linux/jiffies.h>
#include <linux/netdevice.h>
#include <linux/slab.h>

#include "conn.h"
#include "error.h"
#include "trace.h"

#define ATW_CHUNK_MIN		1024
#define ATW_CHUNK_MAX		4096
/* Bytes of one send may keep the UART for this part of a second. */
#define ATW_CHUNK_PER_SECOND	20
/* Small messages that may overtake a bulk transfer before it has its turn. */
#define ATW_FRESH_RUN		8
/* A connect blocks the module; it gives up by itself, seen after up to 75 s. */
#define ATW_CONNECT_TIMEOUT	(120 * HZ)
/* From here on the module's "connect failed" was a silence of the peer. */
#define ATW_CONNECT_LATE	(4 * HZ)
/* A driver in the field waits 10 s for the end of a send. */
#define ATW_SEND_TIMEOUT	(10 * HZ)
#define ATW_CMD_TIMEOUT		(5 * HZ)
/* Some firmware deletes in the background, for seconds; until it is done the
 * socket counts against its few.
 */
#define ATW_DELETE_LINGER	(4 * HZ)
#define ATW_OPEN_RETRY		(HZ / 5)
/* Payload goes first, but a connect need not wait for its end. */
#define ATW_OPEN_PATIENCE	(HZ / 2)

static bool atw_conn_is_stream(const struct atw_conn *c)
{
	return c->type != ATW_TYPE_UDP_CLIENT && c->type != ATW_TYPE_UDP_SERVER;
}

static bool atw_id_is_code_word(u32 id)
{
	return id >= ATW_ID_MIN && id <= ATW_ID_MAX &&
	       (id / 100 + 3 * (id / 10 % 10) + 7 * (id % 10)) % 10 == 0;
}

/**
 * atw_conn_put() - give a reference back
 * @c: the connection
 *
 * Context: any.
 */
void atw_conn_put(struct atw_conn *c)
{
	if (!refcount_dec_and_test(&c->ref))
		return;
	__skb_queue_purge(&c->txq);
	kfree(c);
}

/* Throw away what is not being written at this moment. */
static void atw_conn_purge_tx(struct atw_conn *c)
{
	lockdep_assert_held(&c->lock);

	if (c->sending)
		return;		/* the thread does it when it comes back */
	__skb_queue_purge(&c->txq);
	c->tx_off = 0;
	c->tx_queued = 0;
}

/*
 * End a connection and tell its owner, once. @err 0: the remote has closed and
 * everything that it sent was delivered.
 */
static void atw_conn_end(struct atw_conn *c, int err, u32 code)
{
	lockdep_assert_held(&c->lock);

	switch (c->state) {
	case ATW_CONN_WAITING:
	case ATW_CONN_OPENING:
		if (c->err)
			return;
		c->err = err ?: -ECONNRESET;
		if (c->state == ATW_CONN_WAITING)
			c->state = ATW_CONN_DEAD;
		atw_conn_purge_tx(c);
		if (c->owner)
			c->ops->opened(c, c->err, code);
		break;
	case ATW_CONN_OPEN:
		c->state = ATW_CONN_CLOSING;
		c->err = err;
		atw_conn_purge_tx(c);
		if (c->owner)
			c->ops->closed(c, err, code);
		break;
	default:
		break;
	}
}

/**
 * atw_conn_open() - ask for a connection
 * @cs: the device's connections
 * @type: what kind
 * @name: host name, already checked by atw_check_host(), or ""
 * @addr: IPv4 address in host order, where there is no name
 * @port: the remote's port in host order
 * @keepalive: seconds between probes, 0: none
 * @ops: what to tell the owner
 * @owner: for @ops
 *
 * The outcome is told by @ops->opened, later.
 *
 * Context: any that may allocate with GFP_KERNEL; the caller holds a reference
 * to the device.
 * Return: the connection with a reference for the owner, or an error pointer:
 * -ENOMEM; -ENODEV, the device is going away.
 */
struct atw_conn *atw_conn_open(struct atw_conns *cs, enum atw_sock_type type,
			       const char *name, u32 addr, u16 port,
			       u32 keepalive, const struct atw_conn_ops *ops,
			       void *owner)
{
	struct atw_conn *c;

	c = kzalloc(sizeof(*c), GFP_KERNEL);
	if (!c)
		return ERR_PTR(-ENOMEM);
	refcount_set(&c->ref, 2);
	spin_lock_init(&c->lock);
	__skb_queue_head_init(&c->txq);
	c->ops = ops;
	c->owner = owner;
	c->conns = cs;
	c->type = type;
	c->addr = addr;
	c->port = port;
	c->keepalive = keepalive;
	c->since = jiffies;
	c->state = ATW_CONN_WAITING;
	strscpy(c->name, name, sizeof(c->name));

	spin_lock(&cs->lock);
	if (cs->gone) {
		spin_unlock(&cs->lock);
		kfree(c);
		return ERR_PTR(-ENODEV);
	}
	list_add_tail(&c->node, &cs->list);
	spin_unlock(&cs->lock);
	atw_channel_kick(cs->ch);
	return c;
}

/**
 * atw_conn_send() - queue bytes, or one datagram
 * @c: the connection, which need not be open yet
 * @skb: the bytes; taken on success
 *
 * How much is queued is bounded by the owner's accounting of its buffers.
 *
 * Context: any.
 * Return: 0; -ENODEV, the device is gone; -EPIPE, the connection has ended.
 */
int atw_conn_send(struct atw_conn *c, struct sk_buff *skb)
{
	int err = 0;

	spin_lock(&c->lock);
	if (!c->conns) {
		err = -ENODEV;
	} else if (c->err || c->remote_closed || c->state > ATW_CONN_OPEN) {
		err = c->err ?: -EPIPE;
	} else {
		if (!c->tx_queued)
			c->fresh = true;
		c->tx_queued += skb->len;
		__skb_queue_tail(&c->txq, skb);
		atw_channel_kick(c->conns->ch);
	}
	spin_unlock(&c->lock);
	return err;
}

/**
 * atw_conn_close() - the owner is done with the connection
 * @c: the connection
 * @abort: throw queued bytes away
 * @linger: else jiffies in which they may still be sent
 *
 * None of the owner's ops is called after the return. The owner's reference
 * stays its own.
 *
 * Context: any.
 */
void atw_conn_close(struct atw_conn *c, bool abort, unsigned long linger)
{
	spin_lock(&c->lock);
	c->owner = NULL;
	c->close_by = jiffies + linger;
	c->abort |= abort;
	if (abort)
		atw_conn_purge_tx(c);
	if (c->state == ATW_CONN_WAITING && (abort || !c->tx_queued))
		c->state = ATW_CONN_DEAD;
	if (c->conns)
		atw_channel_kick(c->conns->ch);
	spin_unlock(&c->lock);
}

/**
 * atw_conn_unsent() - bytes that the module has not accepted yet
 * @c: the connection
 */
u32 atw_conn_unsent(struct atw_conn *c)
{
	return READ_ONCE(c->tx_queued);
}

/**
 * atw_conn_drained() - has everything been handed to the module, or is lost?
 * @c: the connection
 */
bool atw_conn_drained(struct atw_conn *c)
{
	return !READ_ONCE(c->tx_queued) || READ_ONCE(c->state) > ATW_CONN_OPEN;
}

static struct atw_conn *atw_conns_get(struct atw_conns *cs, u32 id)
{
	struct atw_conn *c = NULL;

	spin_lock(&cs->lock);
	if (id <= ATW_ID_MAX)
		c = cs->by_id[id];
	if (c)
		refcount_inc(&c->ref);
	spin_unlock(&cs->lock);
	return c;
}

/* Take a connection out of the table. */
static void atw_conns_unlink(struct atw_conns *cs, struct atw_conn *c)
{
	lockdep_assert_held(&cs->lock);

	if (c->id && cs->by_id[c->id] == c)
		cs->by_id[c->id] = NULL;
	list_del_init(&c->node);
}

/* An id for a new connection, 0 if all are in use. In turn, so that what the
 * module still says of a deleted one does not meet its successor.
 */
static u32 atw_conns_new_id(struct atw_conns *cs)
{
	u32 id = cs->next_id;
	u32 i;

	lockdep_assert_held(&cs->lock);

	for (i = ATW_ID_MIN; i <= ATW_ID_MAX; i++) {
		id = id < ATW_ID_MAX ? id + 1 : ATW_ID_MIN;
		if (atw_id_is_code_word(id) && !cs->by_id[id]) {
			cs->next_id = id;
			return id;
		}
	}
	return 0;
}

/* End all streams, and with @everything the rest as well. */
static void atw_conns_end(struct atw_conns *cs, int err, bool everything)
{
	struct atw_conn *c;

	spin_lock(&cs->lock);
	list_for_each_entry(c, &cs->list, node) {
		spin_lock(&c->lock);
		if (everything || atw_conn_is_stream(c)) {
			if (c->state <= ATW_CONN_OPEN)
				cs->resets++;
			atw_conn_end(c, err, 0);
		}
		spin_unlock(&c->lock);
	}
	spin_unlock(&cs->lock);
}

/**
 * atw_conns_fail_all() - end and forget every connection
 * @cs: the connections, which the module no longer has
 * @err: -errno for their owners
 *
 * Context: the channel's thread.
 */
void atw_conns_fail_all(struct atw_conns *cs, int err)
{
	struct atw_conn *c, *next;
	LIST_HEAD(dead);

	atw_conns_end(cs, err, true);
	spin_lock(&cs->lock);
	list_for_each_entry_safe(c, next, &cs->list, node) {
		spin_lock(&c->lock);
		/* One that came since then waits for the module. */
		if (c->state != ATW_CONN_WAITING) {
			c->state = ATW_CONN_DEAD;
			atw_conn_purge_tx(c);
			atw_conns_unlink(cs, c);
			list_add(&c->node, &dead);
		}
		spin_unlock(&c->lock);
	}
	cs->nforeign = 0;
	spin_unlock(&cs->lock);
	list_for_each_entry_safe(c, next, &dead, node) {
		list_del_init(&c->node);
		atw_conn_put(c);
	}
}

/**
 * atw_conns_gone() - the device goes away: end everything with -ENODEV
 * @cs: the connections; the channel is stopped
 *
 * Context: process context.
 */
void atw_conns_gone(struct atw_conns *cs)
{
	struct atw_conn *c;

	kfree_skb(cs->rx_skb);
	cs->rx_skb = NULL;
	if (cs->rx_conn)
		atw_conn_put(cs->rx_conn);
	cs->rx_conn = NULL;

	spin_lock(&cs->lock);
	cs->gone = true;
	while (!list_empty(&cs->list)) {
		c = list_first_entry(&cs->list, struct atw_conn, node);
		spin_lock(&c->lock);
		atw_conns_unlink(cs, c);
		atw_conn_end(c, -ENODEV, 0);
		c->err = c->err ?: -ENODEV;
		c->state = ATW_CONN_DEAD;
		c->conns = NULL;
		c->sending = false;
		atw_conn_purge_tx(c);
		spin_unlock(&c->lock);
		spin_unlock(&cs->lock);
		atw_conn_put(c);
		spin_lock(&cs->lock);
	}
	spin_unlock(&cs->lock);
}

/**
 * atw_conns_set_link() - the Wi-Fi link came or went
 * @cs: the connections
 * @up: joined, with an address
 *
 * Without a link the module would connect lost streams again by itself, and
 * what was on the way is lost: they end here.
 *
 * Context: any process context.
 */
void atw_conns_set_link(struct atw_conns *cs, bool up)
{
	bool was = READ_ONCE(cs->link_up);

	WRITE_ONCE(cs->link_up, up);
	if (was && !up)
		atw_conns_end(cs, -ENETDOWN, false);
	atw_channel_kick(cs->ch);
}

/**
 * atw_conns_set_rate() - size the sends for the UART
 * @cs: the connections
 * @baud: bits per second, 10 for a byte; 0: not known
 *
 * Context: the channel's thread.
 */
void atw_conns_set_rate(struct atw_conns *cs, unsigned int baud)
{
	u32 max = baud / 10 / ATW_CHUNK_PER_SECOND;

	cs->chunk = ATW_CHUNK_MIN;
	cs->chunk_max = baud ? clamp_t(u32, max, ATW_CHUNK_MIN, ATW_CHUNK_MAX) :
			       ATW_CHUNK_MAX;
}

/**
 * atw_conns_init() - an empty table
 * @cs: zeroed memory
 * @ch: the channel
 */
void atw_conns_init(struct atw_conns *cs, struct atw_channel *ch)
{
	spin_lock_init(&cs->lock);
	INIT_LIST_HEAD(&cs->list);
	cs->ch = ch;
	cs->next_id = ATW_ID_MIN;
	cs->next_open = jiffies;
	cs->open_after = jiffies;
	cs->deleted = jiffies - ATW_DELETE_LINGER;
	atw_conns_set_rate(cs, 0);
}

static void atw_conns_add_foreign(struct atw_conns *cs, u32 id)
{
	unsigned int i;

	spin_lock(&cs->lock);
	for (i = 0; i < cs->nforeign; i++)
		if (cs->foreign[i] == id)
			break;
	if (i == cs->nforeign && i < ARRAY_SIZE(cs->foreign))
		cs->foreign[cs->nforeign++] = id;
	spin_unlock(&cs->lock);
	atw_channel_kick(cs->ch);
}

/* Bytes were lost and any stream may miss some. */
static void atw_conns_damage(struct atw_conns *cs)
{
	cs->damaged++;
	atw_conns_end(cs, -ECONNRESET, false);
	/* A word about an end may have been lost as well. */
	WRITE_ONCE(cs->reconcile, true);
	atw_channel_kick(cs->ch);
}

/**
 * atw_conns_payload() - where the bytes of a payload go
 * @cs: the connections
 * @id: whose
 * @len: bytes, at most ATW_PAYLOAD_MAX
 *
 * Context: the receive path.
 * Return: the place, or NULL: they are of no use.
 */
u8 *atw_conns_payload(struct atw_conns *cs, u32 id, u32 len)
{
	struct atw_conn *c = atw_conns_get(cs, id);
	struct sk_buff *skb = NULL;
	bool wanted;

	/* What was left by a payload that never ended is of no use. */
	kfree_skb(cs->rx_skb);
	cs->rx_skb = NULL;
	if (cs->rx_conn)
		atw_conn_put(cs->rx_conn);
	cs->rx_conn = NULL;

	if (!c) {
		if (cs->no_conid)
			WRITE_ONCE(cs->orphan_id, id);
		else if (!atw_id_is_code_word(id))
			atw_conns_damage(cs);
		return NULL;
	}

	spin_lock(&c->lock);
	wanted = c->owner && !c->err && c->state <= ATW_CONN_OPEN;
	spin_unlock(&c->lock);
	if (wanted)
		skb = alloc_skb(len, GFP_KERNEL | __GFP_NOWARN);
	if (!skb) {
		spin_lock(&c->lock);
		if (wanted && atw_conn_is_stream(c)) {
			cs->overflows++;
			atw_conn_end(c, -ECONNRESET, 0);
			atw_channel_kick(cs->ch);
		}
		spin_unlock(&c->lock);
		atw_conn_put(c);
		return NULL;
	}
	cs->rx_conn = c;
	cs->rx_skb = skb;
	return skb_put(skb, len);
}

/* A payload is complete, or damaged: hand it over or end its stream. */
static void atw_conns_payload_end(struct atw_conns *cs, bool good, u32 id)
{
	struct atw_conn *c = cs->rx_conn;
	struct sk_buff *skb = cs->rx_skb;

	cs->rx_conn = NULL;
	cs->rx_skb = NULL;
	if (!c) {
		/* Nobody gave it a place, yet its owner may live. */
		c = good ? NULL : atw_conns_get(cs, id);
		if (!c && !good)
			atw_conns_damage(cs);
		if (!c)
			return;
	}

	spin_lock(&c->lock);
	if (!good) {
		cs->damaged++;
		if (atw_conn_is_stream(c))
			atw_conn_end(c, -ECONNRESET, 0);
	} else if (skb && c->owner && !c->err && c->state <= ATW_CONN_OPEN) {
		cs->rx_bytes += skb->len;
		c->rx_bytes += skb->len;
		if (!c->ops->rx(c, skb)) {
			cs->overflows++;
			kfree_skb(skb);
			atw_conn_end(c, -ECONNRESET, 0);
		}
		skb = NULL;
	}
	spin_unlock(&c->lock);
	kfree_skb(skb);
	atw_conn_put(c);
	if (!good)
		WRITE_ONCE(cs->reconcile, true);
	atw_channel_kick(cs->ch);
}

/* The peer of @c is gone: in order, unless bytes of ours were on the way. */
static void atw_conn_remote_end(struct atw_conns *cs, struct atw_conn *c)
{
	lockdep_assert_held(&c->lock);

	if (c->state == ATW_CONN_WAITING)
		return;
	c->remote_closed = true;
	/* The thread tells, after what comes first: whether a send that runs
	 * was a success decides if this is an end in order.
	 */
	if (c->state == ATW_CONN_OPENING || c->fetch || c->sending)
		return;
	if (!READ_ONCE(cs->link_up))
		atw_conn_end(c, -ENETDOWN, 0);
	else
		atw_conn_end(c, c->tx_queued ? -ECONNRESET : 0, 0);
}

/**
 * atw_conns_event() - an event that concerns connections
 * @cs: the connections
 * @ev: the event
 *
 * Context: the receive path.
 */
void atw_conns_event(struct atw_conns *cs, const struct atw_event *ev)
{
	struct atw_conn *c;

	switch (ev->type) {
	case ATW_EV_PAYLOAD_END:
		atw_conns_payload_end(cs, true, ev->id);
		return;
	case ATW_EV_PAYLOAD_BAD:
		atw_conns_payload_end(cs, false, ev->id);
		return;
	case ATW_EV_EMPTY:
		WRITE_ONCE(cs->read_empty, true);
		return;
	case ATW_EV_DAMAGE:
		if (!ev->id) {
			atw_conns_damage(cs);
			return;
		}
		break;
	case ATW_EV_SEED:
		atw_conns_add_foreign(cs, ev->id);
		return;
	default:
		break;
	}

	c = atw_conns_get(cs, ev->id);
	if (!c) {
		if (ev->type == ATW_EV_PENDING || ev->type == ATW_EV_RECONNECT)
			atw_conns_add_foreign(cs, ev->id);
		/* A damaged name: anybody may be meant. */
		if (ev->type == ATW_EV_DAMAGE)
			atw_conns_damage(cs);
		return;
	}
	spin_lock(&c->lock);
	switch (ev->type) {
	case ATW_EV_DISCONNECT:
		atw_conn_remote_end(cs, c);
		break;
	case ATW_EV_RECONNECT:
		/* Another stream under the same id: nothing of it may pass. */
		atw_conn_end(c, -ECONNRESET, 0);
		break;
	case ATW_EV_AUTODEL:
		WRITE_ONCE(cs->reconcile, true);
		break;
	case ATW_EV_PENDING:
		cs->passive++;
		WRITE_ONCE(cs->need_recvcfg, true);
		/* In active mode it says so only when a comma was lost, or
		 * when it has forgotten the mode: what it dropped since then
		 * is not known.
		 */
		if (!cs->active)
			c->fetch = true;
		else if (atw_conn_is_stream(c))
			atw_conn_end(c, -ECONNRESET, 0);
		break;
	case ATW_EV_DAMAGE:
		cs->damaged++;
		if (atw_conn_is_stream(c))
			atw_conn_end(c, -ECONNRESET, 0);
		break;
	default:
		break;
	}
	spin_unlock(&c->lock);
	atw_conn_put(c);
	atw_channel_kick(cs->ch);
}

/* What an unexpected end of a command means for the module as a whole. */
static void atw_conns_command_failed(struct atw_conns *cs, int err)
{
	if (err == -ETIMEDOUT || err == -EBUSY || err == -EPROTO)
		cs->need_sync = true;
	else if (err != -EREMOTEIO && err != -EOPNOTSUPP && err != -ENODEV)
		cs->need_reset = true;
}

static int atw_conns_delete_id(struct atw_conns *cs, u32 id)
{
	struct atw_cmd cmd = { .timeout = ATW_CMD_TIMEOUT };
	int err;

	atw_line_start(&cmd.line, "AT+SOCKETDEL=");
	atw_line_uint(&cmd.line, id);
	atw_line_end(&cmd.line);
	err = atw_channel_exec(cs->ch, &cmd);
	cs->deleted = jiffies;
	/* It knows nothing of the id: that is what was wanted. */
	if (err == -EREMOTEIO)
		err = 0;
	if (err)
		atw_conns_command_failed(cs, err);
	return err;
}

#define ATW_ROWS_MAX	32

struct atw_rows {
	struct atw_sock_row	row[ATW_ROWS_MAX];
	unsigned int		n;
	bool			more;
};

static bool atw_conns_row(struct atw_cmd *cmd, const char *text, size_t len)
{
	struct atw_rows *rows = cmd->priv;

	if (rows->n == ATW_ROWS_MAX) {
		rows->more = true;
		return true;
	}
	if (!atw_parse_sock_row(text, &rows->row[rows->n]))
		return false;
	rows->n++;
	return true;
}

static int atw_conns_query(struct atw_conns *cs, struct atw_rows *rows)
{
	struct atw_cmd cmd = {
		.timeout = ATW_CMD_TIMEOUT,
		.row = atw_conns_row,
		.priv = rows,
	};
	int err;

	rows->n = 0;
	rows->more = false;
	atw_line_start(&cmd.line, "AT+SOCKET?");
	atw_line_end(&cmd.line);
	err = atw_channel_exec(cs->ch, &cmd);
	if (err)
		atw_conns_command_failed(cs, err);
	return err;
}

/**
 * atw_conns_purge() - delete every socket that the module has
 * @cs: the connections, none of them live
 *
 * A host that restarted finds the sockets of its former life: they would
 * deliver bytes that nobody asked for, and count against the module's few.
 *
 * Context: the channel's thread.
 * Return: 0; -EBUSY, some do not go; or as atw_channel_exec().
 */
int atw_conns_purge(struct atw_conns *cs)
{
	struct atw_rows *rows;
	unsigned int i, left;
	int round, err = 0;

	rows = kmalloc(sizeof(*rows), GFP_KERNEL);
	if (!rows)
		return -ENOMEM;
	for (round = 0; round < 4; round++) {
		err = atw_conns_query(cs, rows);
		if (err)
			break;
		left = 0;
		for (i = 0; i < rows->n && !err; i++) {
			/* Deletion may go on in the background. */
			if (rows->row[i].status == ATW_SOCK_DELETED)
				continue;
			left++;
			err = atw_conns_delete_id(cs, rows->row[i].id);
		}
		if (err || (!left && !rows->more))
			break;
		err = -EBUSY;
		if (round == 3)
			break;
		if (round && atw_channel_sleep(cs->ch, HZ)) {
			err = -ENODEV;
			break;
		}
		err = 0;
	}
	kfree(rows);
	return err == -EOPNOTSUPP || err == -EREMOTEIO ? 0 : err;
}

/* Compare what the module has with what we think it has. */
static void atw_conns_reconcile(struct atw_conns *cs)
{
	unsigned long asked = jiffies;
	struct atw_rows *rows;
	struct atw_conn *c;
	unsigned int i;
	bool ours;

	rows = kmalloc(sizeof(*rows), GFP_KERNEL);
	if (!rows)
		return;
	if (atw_conns_query(cs, rows) || rows->more)
		goto free;

	spin_lock(&cs->lock);
	list_for_each_entry(c, &cs->list, node) {
		spin_lock(&c->lock);
		if (c->state == ATW_CONN_OPEN && time_before(c->since, asked)) {
			for (i = 0; i < rows->n; i++)
				if (rows->row[i].id == c->id)
					break;
			if (i == rows->n ||
			    rows->row[i].status == ATW_SOCK_DELETED ||
			    (atw_conn_is_stream(c) &&
			     (rows->row[i].status == ATW_SOCK_LOST ||
			      rows->row[i].status == ATW_SOCK_CONNECTING ||
			      rows->row[i].status == ATW_SOCK_FAILED))) {
				cs->resets++;
				atw_conn_end(c, -ECONNRESET, 0);
			}
		}
		spin_unlock(&c->lock);
	}
	spin_unlock(&cs->lock);

	for (i = 0; i < rows->n; i++) {
		if (rows->row[i].status == ATW_SOCK_DELETED)
			continue;
		c = atw_conns_get(cs, rows->row[i].id);
		ours = c;
		if (c)
			atw_conn_put(c);
		if (!ours)
			atw_conns_add_foreign(cs, rows->row[i].id);
	}
free:
	kfree(rows);
}

/* Delete one connection in the module and forget it. */
static void atw_conns_delete(struct atw_conns *cs, struct atw_conn *c)
{
	int err = atw_conns_delete_id(cs, c->id);

	/* An answer that stayed away is looked for by the sync; the id must
	 * not be used again before the module has said that it is free.
	 */
	if (err && err != -EOPNOTSUPP)
		return;
	spin_lock(&cs->lock);
	spin_lock(&c->lock);
	c->state = ATW_CONN_DEAD;
	atw_conns_unlink(cs, c);
	spin_unlock(&c->lock);
	spin_unlock(&cs->lock);
	atw_conn_put(c);
}

/* Get what waits in a module in passive mode, all of it, at once. */
static void atw_conns_fetch(struct atw_conns *cs, struct atw_conn *c)
{
	struct atw_cmd cmd = { .timeout = ATW_CMD_TIMEOUT };
	u64 before = READ_ONCE(c->rx_bytes);
	int err;

	spin_lock(&c->lock);
	c->fetch = false;
	spin_unlock(&c->lock);
	WRITE_ONCE(cs->read_empty, false);
	atw_line_start(&cmd.line, "AT+SOCKETREAD=");
	atw_line_uint(&cmd.line, c->id);
	atw_line_end(&cmd.line);
	err = atw_channel_exec(cs->ch, &cmd);
	if (err && err != -EREMOTEIO)
		atw_conns_command_failed(cs, err);

	spin_lock(&c->lock);
	if (!err && !READ_ONCE(cs->read_empty) && c->rx_bytes != before)
		c->fetch = true;
	else if (err)
		atw_conn_end(c, -ECONNRESET, cmd.code);
	if (!c->fetch && c->remote_closed)
		atw_conn_remote_end(cs, c);
	spin_unlock(&c->lock);
}

static u32 atw_conns_turn(struct atw_conns *cs, struct atw_conn *c,
			  unsigned int ready)
{
	u32 turn;

	lockdep_assert_held(&c->lock);

	if (!atw_conn_is_stream(c))
		return skb_peek(&c->txq)->len;
	/* Who waits for its turn should not wait for a long one. */
	turn = max_t(u32, cs->chunk / max(ready, 1U), min_t(u32, cs->chunk,
							    ATW_CHUNK_MIN));
	return min(c->tx_queued, turn);
}

/* Take @n bytes off the transmit queue, the buffers to @done. */
static void atw_conn_consume(struct atw_conn *c, u32 n,
			     struct sk_buff_head *done)
{
	struct sk_buff *skb;
	u32 part;

	lockdep_assert_held(&c->lock);

	while (n && (skb = skb_peek(&c->txq))) {
		part = min(n, skb->len - c->tx_off);
		n -= part;
		c->tx_off += part;
		WRITE_ONCE(c->tx_queued, c->tx_queued - part);
		if (c->tx_off == skb->len) {
			__skb_unlink(skb, &c->txq);
			__skb_queue_tail(done, skb);
			c->tx_off = 0;
		}
	}
}

static void atw_conns_send(struct atw_conns *cs, struct atw_conn *c,
			   unsigned int ready)
{
	struct atw_cmd cmd = { .timeout = ATW_SEND_TIMEOUT };
	struct sk_buff_head done;
	bool full;
	int err;

	__skb_queue_head_init(&done);
	spin_lock(&c->lock);
	if (c->state != ATW_CONN_OPEN || !c->tx_queued) {
		spin_unlock(&c->lock);
		return;
	}
	cmd.payload = skb_peek(&c->txq);
	cmd.payload_off = c->tx_off;
	cmd.payload_len = atw_conns_turn(cs, c, ready);
	full = cmd.payload_len >= cs->chunk && c->tx_queued > cs->chunk;
	c->sending = true;
	c->fresh = false;
	spin_unlock(&c->lock);

	trace_atw_payload(cs->ch->dev, true, c->id, cmd.payload_len);
	atw_line_start(&cmd.line, "AT+SOCKETSEND=");
	atw_line_uint(&cmd.line, c->id);
	atw_line_uint(&cmd.line, cmd.payload_len);
	atw_line_end(&cmd.line);
	err = atw_channel_exec(cs->ch, &cmd);

	spin_lock(&c->lock);
	c->sending = false;
	if (!err) {
		atw_conn_consume(c, cmd.payload_len, &done);
		c->tx_bytes += cmd.payload_len;
		cs->tx_bytes += cmd.payload_len;
		if (full)
			cs->chunk = min(cs->chunk + ATW_CHUNK_MIN / 2,
					cs->chunk_max);
	} else if (err == -EREMOTEIO && !cmd.sent &&
		   cmd.code == ATW_ERR_MALLOC && cs->chunk > 128) {
		/* Refused before a byte had gone: ask for less. */
		cs->chunk = min(cs->chunk, cmd.payload_len) / 2;
		cs->chunk_max = max_t(u32, cs->chunk, 128);
	} else {
		if (err == -EREMOTEIO && cmd.code == ATW_ERR_SOCKET_SEND) {
			cs->chunk = min_t(u32, cs->chunk, ATW_CHUNK_MIN);
			cs->chunk_max = cs->chunk;
		}
		cs->resets++;
		atw_conn_end(c, -ECONNRESET, cmd.code);
	}
	if (c->remote_closed)
		atw_conn_remote_end(cs, c);
	if (c->abort || c->state > ATW_CONN_OPEN)
		atw_conn_purge_tx(c);
	else if (!err && c->owner)
		c->ops->tx_done(c);
	spin_unlock(&c->lock);

	/* Outside: the last of them may free the socket. */
	__skb_queue_purge(&done);
	if (err)
		atw_conns_command_failed(cs, err);
}

/* The module's own name for a connection that it was not told to number. */
static int atw_conns_renumber(struct atw_conns *cs, struct atw_conn *c, u32 id)
{
	int err = 0;

	spin_lock(&cs->lock);
	spin_lock(&c->lock);
	if (!id || id > ATW_ID_MAX || cs->by_id[id] || cs->orphan_id == id) {
		/* SOCKETSEND keeps an id in one byte, and bytes that came
		 * before the name are gone.
		 */
		err = -ECONNABORTED;
	} else {
		if (cs->by_id[c->id] == c)
			cs->by_id[c->id] = NULL;
		c->id = id;
		cs->by_id[id] = c;
	}
	spin_unlock(&c->lock);
	spin_unlock(&cs->lock);
	if (err && id)
		atw_conns_add_foreign(cs, id);
	return err;
}

static int atw_conns_connect(struct atw_conns *cs, struct atw_conn *c,
			     struct atw_cmd *cmd)
{
	memset(cmd, 0, sizeof(*cmd));
	cmd->timeout = ATW_CONNECT_TIMEOUT;
	atw_line_start(&cmd->line, "AT+SOCKET=");
	atw_line_uint(&cmd->line, c->type);
	atw_line_host(&cmd->line, c->name, c->addr);
	atw_line_uint(&cmd->line, c->port);
	if (!cs->no_conid || c->keepalive)
		atw_line_uint(&cmd->line, c->keepalive);
	if (!cs->no_conid)
		atw_line_uint(&cmd->line, c->id);
	atw_line_end(&cmd->line);
	return atw_channel_exec(cs->ch, cmd);
}

/* Let a connect wait for a socket that is being deleted. */
static bool atw_conns_postpone(struct atw_conns *cs, struct atw_conn *c)
{
	bool wait;

	spin_lock(&cs->lock);
	spin_lock(&c->lock);
	wait = c->owner && !c->err;
	if (wait) {
		c->state = ATW_CONN_WAITING;
		cs->by_id[c->id] = NULL;
		c->id = 0;
		cs->open_after = jiffies + ATW_OPEN_RETRY;
	}
	spin_unlock(&c->lock);
	spin_unlock(&cs->lock);
	return wait;
}

static void atw_conns_open(struct atw_conns *cs, struct atw_conn *c)
{
	unsigned long start = jiffies;
	struct atw_cmd cmd;
	int err;

	spin_lock(&cs->lock);
	spin_lock(&c->lock);
	if (c->state != ATW_CONN_WAITING) {
		spin_unlock(&c->lock);
		spin_unlock(&cs->lock);
		return;
	}
	c->id = atw_conns_new_id(cs);
	if (!c->id) {
		atw_conn_end(c, -ENOBUFS, 0);
		spin_unlock(&c->lock);
		spin_unlock(&cs->lock);
		return;
	}
	cs->by_id[c->id] = c;
	cs->orphan_id = 0;
	c->state = ATW_CONN_OPENING;
	spin_unlock(&c->lock);
	spin_unlock(&cs->lock);

	err = atw_conns_connect(cs, c, &cmd);
	if (err == -EREMOTEIO && !cs->no_conid &&
	    (cmd.code == ATW_ERR_PARAM_COUNT || cmd.code == ATW_ERR_PARAM_VALUE)) {
		/* Firmware from before the parameter was added. */
		cs->no_conid = true;
		err = atw_conns_connect(cs, c, &cmd);
		if (err)
			cs->no_conid = false;
	}
	if (err == -EREMOTEIO && cmd.code == ATW_ERR_CONID_USED)
		atw_conns_add_foreign(cs, c->id);
	if (!err && cmd.id && cmd.id != c->id)
		err = atw_conns_renumber(cs, c, cmd.id);
	else if (!err && !cmd.id && cs->no_conid)
		err = atw_conns_renumber(cs, c, 0);
	if (err == -EREMOTEIO && cmd.code == ATW_ERR_SOCKET_CREATE &&
	    time_before(jiffies, cs->deleted + ATW_DELETE_LINGER) &&
	    atw_conns_postpone(cs, c))
		return;
	if (err == -EREMOTEIO) {
		err = atw_error_to_errno(cmd.code);
		if (cmd.code == ATW_ERR_SOCKET_CONNECT &&
		    time_after(jiffies, start + ATW_CONNECT_LATE))
			err = -ETIMEDOUT;
	} else if (err) {
		atw_conns_command_failed(cs, err);
	}

	spin_lock(&c->lock);
	if (err) {
		cs->failed++;
		atw_conn_end(c, err, cmd.code);
		/* Whether it exists is not known after a time-out. */
		c->state = err == -ETIMEDOUT && !cmd.code ? ATW_CONN_CLOSING :
							    ATW_CONN_DEAD;
	} else if (c->err) {
		c->state = ATW_CONN_CLOSING;
	} else {
		cs->opened++;
		c->since = jiffies;
		c->state = ATW_CONN_OPEN;
		if (c->owner)
			c->ops->opened(c, 0, 0);
		if (c->remote_closed)
			atw_conn_remote_end(cs, c);
	}
	spin_unlock(&c->lock);
}

enum atw_task { ATW_TASK_NONE, ATW_TASK_REAP, ATW_TASK_DELETE, ATW_TASK_FETCH,
		ATW_TASK_SEND, ATW_TASK_OPEN };

/* Does this one only linger until its last bytes are sent? */
static bool atw_conn_finished(struct atw_conn *c)
{
	return !c->owner && !c->sending &&
	       (c->abort || !c->tx_queued || time_after(jiffies, c->close_by));
}

/*
 * What to do next: forget and delete first, then bytes that wait in the
 * module, then sends: connections that were idle before those that keep the
 * UART busy, each in turn; then one connect, at once when there is nothing to
 * send and after some patience when there is. Returns with a reference.
 */
static struct atw_conn *atw_conns_pick(struct atw_conns *cs,
				       enum atw_task *task, unsigned int *ready)
{
	struct atw_conn *c, *fresh = NULL, *bulk = NULL, *open = NULL;
	struct atw_conn *best = NULL;

	*task = ATW_TASK_NONE;
	*ready = 0;
	spin_lock(&cs->lock);
	list_for_each_entry(c, &cs->list, node) {
		spin_lock(&c->lock);
		if (c->state == ATW_CONN_OPEN && atw_conn_finished(c))
			c->state = ATW_CONN_CLOSING;
		if (c->state == ATW_CONN_DEAD) {
			best = c;
			*task = ATW_TASK_REAP;
		} else if (c->state == ATW_CONN_CLOSING) {
			best = c;
			*task = ATW_TASK_DELETE;
		} else if (c->fetch && c->state == ATW_CONN_OPEN) {
			best = c;
			*task = ATW_TASK_FETCH;
		} else if (c->state == ATW_CONN_OPEN && c->tx_queued) {
			(*ready)++;
			if (c->fresh && !fresh)
				fresh = c;
			if (!c->fresh && !bulk)
				bulk = c;
		} else if (c->state == ATW_CONN_WAITING && !open) {
			open = c;
		}
		spin_unlock(&c->lock);
		if (best)
			break;
	}
	if (!best && open && cs->link_up &&
	    time_after_eq(jiffies, cs->open_after) &&
	    (!*ready || time_after_eq(jiffies, cs->next_open))) {
		best = open;
		*task = ATW_TASK_OPEN;
	}
	if (!best && *ready) {
		if (fresh && (!bulk || cs->fresh_run < ATW_FRESH_RUN)) {
			best = fresh;
			cs->fresh_run++;
		} else {
			best = bulk;
			cs->fresh_run = 0;
		}
		*task = ATW_TASK_SEND;
		list_move_tail(&best->node, &cs->list);
	}
	if (best)
		refcount_inc(&best->ref);
	spin_unlock(&cs->lock);
	return best;
}

/**
 * atw_conns_set_active() - have the module print what it receives
 * @cs: the connections
 *
 * There is no query for the mode. In passive mode the module drops what it has
 * no memory for without a word, so the mode must be certain.
 *
 * Context: the channel's thread.
 * Return: 0, also where the firmware has no such mode; or as
 * atw_channel_exec().
 */
int atw_conns_set_active(struct atw_conns *cs)
{
	int err = atw_channel_run(cs->ch, "AT+SOCKETRECVCFG=1",
				  ATW_CMD_TIMEOUT);

	cs->active = !err;
	return err == -EREMOTEIO || err == -EOPNOTSUPP ? 0 : err;
}

/**
 * atw_conns_work() - do the next piece of work for the connections
 * @cs: the connections
 *
 * Context: the channel's thread; runs at most a few commands.
 * Return: false if there was nothing to do.
 */
bool atw_conns_work(struct atw_conns *cs)
{
	unsigned int ready;
	enum atw_task task;
	struct atw_conn *c;
	u32 id = 0;

	spin_lock(&cs->lock);
	if (cs->nforeign)
		id = cs->foreign[--cs->nforeign];
	spin_unlock(&cs->lock);
	if (id) {
		c = atw_conns_get(cs, id);
		if (!c)
			atw_conns_delete_id(cs, id);
		else
			atw_conn_put(c);
		return true;
	}
	if (READ_ONCE(cs->need_recvcfg)) {
		WRITE_ONCE(cs->need_recvcfg, false);
		atw_conns_set_active(cs);
		return true;
	}
	if (READ_ONCE(cs->reconcile)) {
		WRITE_ONCE(cs->reconcile, false);
		atw_conns_reconcile(cs);
		return true;
	}

	c = atw_conns_pick(cs, &task, &ready);
	if (!c)
		return false;
	switch (task) {
	case ATW_TASK_REAP:
		spin_lock(&cs->lock);
		atw_conns_unlink(cs, c);
		spin_unlock(&cs->lock);
		atw_conn_put(c);
		break;
	case ATW_TASK_DELETE:
		atw_conns_delete(cs, c);
		break;
	case ATW_TASK_FETCH:
		atw_conns_fetch(cs, c);
		break;
	case ATW_TASK_SEND:
		atw_conns_send(cs, c, ready);
		break;
	case ATW_TASK_OPEN:
		atw_conns_open(cs, c);
		cs->next_open = jiffies + ATW_OPEN_PATIENCE;
		break;
	default:
		break;
	}
	atw_conn_put(c);
	return true;
}

/**
 * atw_conns_next_work() - when to look again without a kick
 * @cs: the connections
 *
 * Return: jiffies; connections that linger are looked at once a second.
 */
long atw_conns_next_work(struct atw_conns *cs)
{
	long retry = (long)(cs->open_after - jiffies);
	bool any;

	spin_lock(&cs->lock);
	any = !list_empty(&cs->list);
	spin_unlock(&cs->lock);
	if (!any)
		return 60 * HZ;
	return retry > 0 ? min_t(long, retry, HZ) : HZ;
}
