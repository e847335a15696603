// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections.
 *
 * A connection belongs to the table (until the module has forgotten it) and to
 * its owner, a socket (until that closes it): one reference each. The owner
 * puts bytes into the transmit queue; the channel's thread alone takes them
 * out, one command at a time. The receive path alone calls ops->rx, but for what came before
 * a connect was answered.
 *
 * Locks: channel.rx_lock > atw_conns.lock > a server's atw_conn.lock > another
 * atw_conn.lock > owner's queues, channel.lock. Commands run with none of them held.
 *
 * ConIDs are named by the driver and are code words (id.c), so that a byte which
 * is lost or flipped on the UART never turns one id into another. Bytes for an id
 * that is no code word are a sign that bytes were lost, and whose they are cannot
 * be known: all streams end with an error then. Children are named by the module:
 * child.c.
 */
#include <linux/device.h>
#include <linux/jiffies.h>
#include <linux/netdevice.h>
#include <linux/slab.h>

#include "conn_priv.h"
#include "timing.h"

struct atw_budget atw_unlisted;

/* What it has received, and could not hand over, is lost. Under its lock, or for the last time. */
static void atw_conn_purge_rx(struct atw_conn *c)
{
	__skb_queue_purge(&c->rx.backlog);
	__skb_queue_purge(&c->rx.blocked);
	__skb_queue_purge(&c->rx.unverified);
	atw_conn_unkeep(c, c->rx.size);
}

/**
 * atw_conn_put() - give a reference back
 * @c: the connection, or NULL
 *
 * Context: any but hard interrupts.
 */
void atw_conn_put(struct atw_conn *c)
{
	if (!c || !refcount_dec_and_test(&c->ref))
		return;
	__skb_queue_purge(&c->tx.q);
	atw_conn_purge_rx(c);
	atw_conn_put(c->child.server);
	kfree(c);
}

/* Throw away what is not being written at this moment. */
void atw_conn_purge_tx(struct atw_conn *c)
{
	lockdep_assert_held(&c->lock);

	if (c->tx.sending)
		return;		/* the thread does it when it comes back */
	__skb_queue_purge(&c->tx.q);
	if (atw_conn_is_stream(c))
		c->tx.lost += c->tx.queued;
	c->tx.off = 0;
	c->tx.queued = 0;
}

static void atw_conn_get_info(const struct atw_conn *c,
			      struct atw_conn_info *info)
{
	lockdep_assert_held(&c->lock);

	info->id = c->id;
	info->type = c->type;
	/* The thread may not have seen yet that it is to go. */
	info->state = atw_conn_is_live(c) && atw_conn_finished(c) ?
		      ATW_CONN_CLOSING : atw_conn_state(c);
	info->addr = c->addr;
	info->port = c->port;
	strscpy(info->name, c->name, sizeof(info->name));
	info->unsent = c->tx.queued;
	info->rx_bytes = c->rx.bytes;
	info->tx_bytes = c->tx.bytes;
	info->err = c->err;
	info->code = 0;
	info->inode = 0;
}

/* Its bytes can no longer be vouched for: somebody may keep a log of that. */
static void atw_conn_tell_broken(const struct atw_conn *c, u32 code)
{
	struct atw_conn_info info;

	if (!c->conns || !c->conns->ops)
		return;
	atw_conn_get_info(c, &info);
	info.code = code;
	c->conns->ops->broken(c->conns, &info);
}

/**
 * atw_conn_purge() - throw away what was received and cannot be handed over
 * @c: the connection
 * @queue: which of its queues: what may not be its remote's alone is nobody's, nor is what
 *	a child received before it was accepted, where it never is, or another connection
 *	before it was open
 *
 * Context: @c->lock is held.
 */
void atw_conn_purge(struct atw_conn *c, struct sk_buff_head *queue)
{
	struct sk_buff *skb;

	lockdep_assert_held(&c->lock);

	while ((skb = __skb_dequeue(queue))) {
		atw_conn_unkeep(c, skb->truesize);
		kfree_skb(skb);
	}
}

/*
 * It ends with bytes that somebody had sent before he closed it: there is nobody to be
 * told, and the remote may take it for an end in order.
 */
static void atw_conn_tell_cut(const struct atw_conn *c)
{
	struct atw_conns *cs = c->conns;

	if (!cs || !c->tx.queued || !atw_conn_is_stream(c))
		return;
	if (c->owner ? !c->left : c->wish != ATW_WISH_DRAIN)
		return;
	atomic64_inc(&cs->counts.cut);
	dev_warn_ratelimited(cs->ch->dev,
			     "a stream has failed after close(), its last %u bytes are lost\n",
			     c->tx.queued);
}

/*
 * End a connection and tell its owner, once. @err 0: the remote has closed and
 * everything that it sent was delivered.
 */
void atw_conn_end(struct atw_conn *c, int err, u32 code)
{
	lockdep_assert_held(&c->lock);

	atw_conn_purge(c, &c->rx.unverified);
	atw_conn_read(c);
	switch (atw_conn_state(c)) {
	case ATW_CONN_WAITING:
	case ATW_CONN_OPENING:
		if (c->err)
			return;
		c->err = err ?: -ECONNRESET;
		atw_conn_purge(c, &c->rx.backlog);
		atw_conn_event(c, ATW_CONN_EV_END);
		atw_conn_purge_tx(c);
		if (c->owner && c->serve.lasting)
			c->ops->closed(c, c->err, code);
		else if (c->owner)
			c->ops->opened(c, c->err, code);
		break;
	case ATW_CONN_OPEN:
	case ATW_CONN_YIELDING:
		atw_conn_event(c, ATW_CONN_EV_END);
		c->err = err;
		if (err && err != -ENODEV)
			atw_conn_tell_broken(c, code);
		atw_conn_tell_cut(c);
		atw_conn_purge_tx(c);
		if (c->owner)
			c->ops->closed(c, err, code);
		/* That was said while its end was waited for: the number may be another's soon. */
		if (c->close != ATW_CLOSE_NONE && atw_conn_is_child(c) && c->auto_deleted)
			atw_conn_event(c, ATW_CONN_EV_GONE);
		break;
	default:
		break;
	}
}

/**
 * atw_conn_disturb() - something is on its way for a connection that may be about to
 * give way, since nothing was
 * @cs: the connections
 * @c: the connection, which is not to give way any more, or ends with an error where it
 *	is being deleted already
 *
 * Context: @c->lock is held.
 */
void atw_conn_disturb(struct atw_conns *cs, struct atw_conn *c)
{
	lockdep_assert_held(&c->lock);

	if (c->wish == ATW_WISH_YIELD)
		c->wish = ATW_WISH_STAY;
	if (atw_conn_is_yielding(c))
		atw_conn_reset(c, &cs->counts.resets);
}

/**
 * atw_conn_yielded() - the module has deleted a connection, perhaps for another one
 * @cs: the connections
 * @c: the connection
 *
 * The remote may have been about to say more: that is no end in order.
 *
 * Context: @c->lock is held.
 */
void atw_conn_yielded(struct atw_conns *cs, struct atw_conn *c)
{
	lockdep_assert_held(&c->lock);

	if (atw_conn_is_yielding(c))
		atw_conn_reset(c, atw_conn_is_quiet(cs, c) ? &cs->counts.yielded :
							     &cs->counts.resets);
}

/**
 * atw_conn_alloc() - memory for a connection
 * @type: what kind
 * @gfp: how to allocate
 *
 * Return: a connection that is in no table, with two references; or NULL.
 */
struct atw_conn *atw_conn_alloc(enum atw_sock_type type, gfp_t gfp)
{
	struct atw_conn *c;

	c = kzalloc(sizeof(*c), gfp);
	if (!c)
		return NULL;
	refcount_set(&c->ref, 2);
	INIT_LIST_HEAD(&c->node);
	INIT_LIST_HEAD(&c->child.node);
	INIT_LIST_HEAD(&c->serve.children);
	spin_lock_init(&c->lock);
	init_waitqueue_head(&c->rx.room);
	__skb_queue_head_init(&c->tx.q);
	__skb_queue_head_init(&c->rx.backlog);
	__skb_queue_head_init(&c->rx.blocked);
	__skb_queue_head_init(&c->rx.unverified);
	c->type = type;
	c->id = ATW_NO_ID;
	c->serve.old_id = ATW_NO_ID;
	if (atw_conn_is_child(c))
		c->share = ATW_SHARE_REMOTE;
	return c;
}

/*
 * Put bytes of a stream behind those that wait, if there is room: many small writes cost
 * one buffer, and one write to the UART. A command that sends what is before them has
 * counted that, and does not look further.
 */
static bool atw_conn_append(struct atw_conn *c, const struct sock *sk, const void *data, u32 len)
{
	struct sk_buff *last = skb_peek_tail(&c->tx.q);

	lockdep_assert_held(&c->lock);

	if (!last || !atw_conn_is_stream(c) || last->sk != sk || len > skb_tailroom(last))
		return false;
	skb_put_data(last, data, len);
	return true;
}

/* Has it ended? */
static int atw_conn_may_send(struct atw_conn *c)
{
	lockdep_assert_held(&c->lock);

	if (c->conns)
		atw_conn_disturb(c->conns, c);
	if (c->err || c->remote_closed || !atw_conn_is_usable(c))
		return c->err ?: -EPIPE;
	return c->tx.no_way ? -ECONNRESET : 0;
}

/**
 * atw_conn_send_small() - queue a few bytes of a stream where some wait already
 * @c: the connection
 * @sk: the owner of those, to which their buffer is accounted
 * @data: the bytes
 * @len: how many
 *
 * Context: process context.
 * Return: true; or false, there is no room or no connection: that is for atw_conn_send().
 */
bool atw_conn_send_small(struct atw_conn *c, const struct sock *sk, const void *data, u32 len)
{
	bool appended;

	spin_lock(&c->lock);
	appended = !atw_conn_may_send(c) && atw_conn_append(c, sk, data, len);
	if (appended) {
		c->tx.queued += len;
		atw_conn_kick(c);
	}
	spin_unlock(&c->lock);
	return appended;
}

/**
 * atw_conn_send() - queue bytes, or one datagram
 * @c: the connection, which need not be open yet
 * @skb: the bytes; taken on success. A stream's is linear and nobody else's, and what
 *	is queued next may be put into its tailroom; see struct atw_tx_cb
 *
 * How much is queued is bounded by the owner's accounting of its buffers.
 *
 * Context: process context.
 * Return: 0; -EPIPE, the connection has ended; -EINVAL, there is no way for these bytes;
 * -EDESTADDRREQ, the module has forgotten whom they are for; or the error that has ended it:
 * -ENODEV, the device is gone.
 */
int atw_conn_send(struct atw_conn *c, struct sk_buff *skb)
{
	bool appended = false;
	int err;

	spin_lock(&c->lock);
	err = atw_conn_may_send(c);
	/* The module answers the first whom it has heard since, who may be somebody else. */
	if (!err && c->type == ATW_TYPE_UDP_SERVER && ATW_TX_CB(skb)->life != c->serve.life)
		err = -EDESTADDRREQ;
	if (!err && atw_conn_is_raw_only(c) && !atw_tt_may_carry(skb->data, skb->len))
		err = -EINVAL;
	if (!err) {
		if (!c->tx.queued)
			c->tx.new_flow = true;
		c->tx.queued += skb->len;
		appended = atw_conn_append(c, skb->sk, skb->data, skb->len);
		if (!appended)
			__skb_queue_tail(&c->tx.q, skb);
		atw_conn_kick(c);
	}
	spin_unlock(&c->lock);
	if (appended)
		consume_skb(skb);
	return err;
}

/**
 * atw_conn_drain() - the owner neither sends nor wants anything any more
 * @c: the connection
 * @linger: as for atw_conn_close()
 *
 * It ends by itself when what is queued is sent, of which the owner is told. Its
 * reference stays its own.
 *
 * Context: process context.
 */
void atw_conn_drain(struct atw_conn *c, unsigned long linger)
{
	spin_lock(&c->lock);
	c->close_by = jiffies + linger;
	c->wish = max_t(enum atw_conn_wish, c->wish, ATW_WISH_DRAIN);
	atw_conn_kick(c);
	spin_unlock(&c->lock);
}

/**
 * atw_conn_yield() - another one needs its socket of the module more
 * @c: the connection
 *
 * If nothing is on its way, in either direction, it is deleted in the module, and its
 * owner is then told of a reset: what the remote was about to send is not known. If
 * something is on its way, or it is not open, nothing happens.
 *
 * Context: process context.
 */
void atw_conn_yield(struct atw_conn *c)
{
	spin_lock(&c->lock);
	if (atw_conn_is_open(c)) {
		c->wish = max_t(enum atw_conn_wish, c->wish, ATW_WISH_YIELD);
		atw_conn_kick(c);
	}
	spin_unlock(&c->lock);
}

/**
 * atw_conn_leave() - the owner is about to be done with the connection
 * @c: the connection
 *
 * It waits for what is queued before it closes it; nobody hears what it is told meanwhile.
 *
 * Context: process context.
 */
void atw_conn_leave(struct atw_conn *c)
{
	spin_lock(&c->lock);
	c->left = true;
	spin_unlock(&c->lock);
}

/**
 * atw_conn_disown() - a child whose server is not known will never be accepted
 * @c: the child, or a connection of another kind, which this is nothing to
 *
 * Gives the server's reference back; the caller has another. An announcement that
 * comes later is too late: bytes were thrown away.
 *
 * Context: atw_conns.lock and @c->lock are held.
 */
void atw_conn_disown(struct atw_conn *c)
{
	lockdep_assert_held(&c->lock);

	if (!atw_conn_waits(c) || c->child.server)
		return;
	c->child.stage = ATW_CHILD_TAKEN;
	atw_conn_purge(c, &c->rx.backlog);
	refcount_dec(&c->ref);
}

/* A child that nobody will accept: give the queue's reference back. */
static void atw_conn_drop_child(struct atw_conn *c)
{
	spin_lock(&c->lock);
	c->child.stage = ATW_CHILD_TAKEN;
	atw_conn_purge(c, &c->rx.backlog);
	spin_unlock(&c->lock);
	atw_conn_close(c, true, 0);
	atw_conn_put(c);
}

/**
 * atw_conn_drop_children() - reset what waits to be accepted
 * @server: a server, or another connection, which has none
 *
 * Context: process context.
 */
void atw_conn_drop_children(struct atw_conn *server)
{
	struct atw_conn *c, *next;
	LIST_HEAD(children);

	spin_lock(&server->lock);
	list_splice_init(&server->serve.children, &children);
	server->serve.nchildren = 0;
	spin_unlock(&server->lock);
	list_for_each_entry_safe(c, next, &children, child.node) {
		list_del_init(&c->child.node);
		atw_conn_drop_child(c);
	}
}

/**
 * atw_conn_close() - the owner is done with the connection
 * @c: the connection
 * @abort: throw queued bytes away
 * @linger: else jiffies in which datagrams may still be sent, or a connection be made
 *	for what is queued. An open stream goes when all is sent, or when it fails
 *
 * None of the owner's ops is called after the return. The owner's reference
 * stays its own. What a server had for atw_conn_accept() is reset.
 *
 * Context: process context.
 */
void atw_conn_close(struct atw_conn *c, bool abort, unsigned long linger)
{
	spin_lock(&c->lock);
	c->owner = NULL;
	atw_conn_read(c);
	c->close_by = jiffies + linger;
	c->wish = abort ? ATW_WISH_GO : max_t(enum atw_conn_wish, c->wish, ATW_WISH_DRAIN);
	if (abort)
		atw_conn_purge_tx(c);
	if (atw_conn_is_waiting(c) && (abort || !c->tx.queued))
		atw_conn_event(c, ATW_CONN_EV_END);
	atw_conn_kick(c);
	spin_unlock(&c->lock);
	atw_conn_drop_children(c);
}

/**
 * atw_conn_view() - how a connection is at one moment
 * @c: the connection
 *
 * Context: process context, without @c->lock.
 */
struct atw_conn_view atw_conn_view(struct atw_conn *c)
{
	struct atw_conn_view view;

	spin_lock(&c->lock);
	view = (struct atw_conn_view){
		.id = c->id,
		.unsent = c->tx.queued,
		.untaken = c->tx.queued + c->tx.lost,
		.dgrams = skb_queue_len(&c->tx.q),
		.drained = !c->tx.queued || !atw_conn_is_live(c),
		.transparent = c->transparent,
	};
	spin_unlock(&c->lock);
	return view;
}

/**
 * atw_conns_link() - put a connection into the table
 * @cs: the connections
 * @c: the connection, which nobody else knows; a reference of the caller's is the
 *	table's then
 *
 * Context: @cs->lock is held.
 */
void atw_conns_link(struct atw_conns *cs, struct atw_conn *c)
{
	lockdep_assert_held(&cs->lock);

	c->conns = cs;
	list_add_tail(&c->node, &cs->list);
	list_add_tail(&c->turn, &cs->turns);
	cs->shares.of[c->share].n++;
	cs->n++;
	atomic_inc(&cs->seq);
}

/*
 * What nobody has accepted yet may stay for as long as its server likes, and others come in
 * its place: that has a bound of its own. Past it what it has received is lost.
 */
static void atw_conn_move_budget(struct atw_conns *cs, struct atw_conn *c)
{
	u8 payer = atw_conn_payer(c);

	lockdep_assert_held(&c->lock);

	if (c->rx.size && !atw_budget_take(&atw_unlisted, payer, c->rx.size)) {
		atomic64_inc(&cs->counts.overflows);
		c->err = c->err ?: -ECONNRESET;
		atw_conn_purge_rx(c);
	}
	atw_budget_give(&cs->rx.unread, payer, c->rx.size);
}

/**
 * atw_conn_forget_kept() - the module has nothing for a connection, whatever it has announced
 * @cs: the connections
 * @c: the connection
 *
 * Context: @c->lock is held.
 */
void atw_conn_forget_kept(struct atw_conns *cs, struct atw_conn *c)
{
	lockdep_assert_held(&c->lock);

	c->rx.announced = 0;
	atomic_sub(xchg(&c->rx.kept, 0), &cs->kept.bytes);
}

/**
 * atw_conns_lose_server() - the module does not have a server any more: it is opened again
 * @cs: the connections
 * @c: the server, which was open
 *
 * What is queued would be sent to somebody else.
 *
 * Context: @cs->lock and @c->lock are held.
 */
void atw_conns_lose_server(struct atw_conns *cs, struct atw_conn *c)
{
	lockdep_assert_held(&c->lock);

	atw_conns_unname(cs, c);
	atw_conn_purge_tx(c);
	atw_conn_event(c, ATW_CONN_EV_AGAIN);
	c->not_before = 0;
	c->serve.renew = false;
	c->serve.old_id = ATW_NO_ID;
	c->rx.fetch = false;
	atw_conn_forget_kept(cs, c);
	atw_conn_purge(c, &c->rx.unverified);
}

/**
 * atw_conn_leave_kept() - what the module keeps for a connection is deleted with that
 * @cs: the connections
 * @c: the connection, which the module was told to delete
 *
 * Context: @cs->lock and @c->lock are held.
 */
void atw_conn_leave_kept(struct atw_conns *cs, struct atw_conn *c)
{
	int kept;

	lockdep_assert_held(&cs->lock);
	lockdep_assert_held(&c->lock);

	kept = xchg(&c->rx.kept, 0);
	if (cs->fw->deletes_late && kept >= ATW_KEPT_SOFT / 2) {
		/* It deletes in the background. */
		cs->kept.zombies += kept;
		cs->kept.zombie_since = jiffies;
	} else {
		atomic_sub(kept, &cs->kept.bytes);
	}
}

/**
 * atw_conns_unlink() - take a connection out of the table
 * @cs: the connections
 * @c: the connection; the table's reference is the caller's then
 *
 * However a connection ends, it leaves the table here, and here alone it forgets the
 * table: its owner may keep it for longer than there is a device.
 *
 * Context: @cs->lock and @c->lock are held.
 */
void atw_conns_unlink(struct atw_conns *cs, struct atw_conn *c)
{
	lockdep_assert_held(&cs->lock);
	lockdep_assert_held(&c->lock);

	atw_conns_free_id(cs, c);
	atw_conn_leave_kept(cs, c);
	list_del_init(&c->node);
	list_del(&c->turn);
	cs->shares.of[c->share].n--;
	atw_conn_move_budget(cs, c);
	c->conns = NULL;
	atw_conn_event(c, ATW_CONN_EV_GONE);
	atw_conn_purge_tx(c);
	atw_conn_disown(c);
	cs->n--;
	atomic_inc(&cs->seq);
}

/**
 * atw_conns_put_list() - give the references of those back that have left the table
 * @list: of these, by their nodes
 *
 * Context: no lock is held.
 */
void atw_conns_put_list(struct list_head *list)
{
	struct atw_conn *c, *next;

	list_for_each_entry_safe(c, next, list, node) {
		list_del_init(&c->node);
		atw_conn_put(c);
	}
}

static bool atw_conn_is_hit(const struct atw_conn *c, enum atw_end what)
{
	lockdep_assert_held(&c->lock);

	switch (what) {
	case ATW_END_STREAMS:
		return atw_conn_is_stream(c) && !atw_conn_is_waiting(c);
	case ATW_END_LINK:
		return atw_conn_is_stream(c) ||
		       (atw_conn_is_waiting(c) && !c->serve.lasting);
	default:
		return !c->serve.lasting;
	}
}

/**
 * atw_conns_end_several() - end several connections
 * @cs: the connections
 * @err: -errno for their owners
 * @what: which
 */
void atw_conns_end_several(struct atw_conns *cs, int err, enum atw_end what)
{
	struct atw_conn *c;

	spin_lock(&cs->lock);
	list_for_each_entry(c, &cs->list, node) {
		spin_lock(&c->lock);
		if (atw_conn_is_hit(c, what)) {
			if (atw_conn_is_live(c))
				atomic64_add(atw_conn_is_stream(c), &cs->counts.resets);
			atw_conn_end(c, err, 0);
		}
		spin_unlock(&c->lock);
	}
	spin_unlock(&cs->lock);
}

/**
 * atw_conns_damage() - bytes were lost or damaged
 * @cs: the connections
 *
 * Whose they were cannot be known: what has lost its frame may hold words that the
 * module never said, to anybody. All streams end, and until the module has answered what
 * nobody can guess nothing is accepted, no datagram handed over, and no answer taken for
 * that of a command.
 */
void atw_conns_damage(struct atw_conns *cs)
{
	atomic64_inc(&cs->counts.damaged);
	atw_channel_unsettle(cs->ch);
	atw_conns_end_several(cs, -ECONNRESET, ATW_END_STREAMS);
	/* A word about an end may have been lost as well. */
	atw_sched_set(cs->sched, ATW_DO_RECONCILE);
	atw_sched_set(cs->sched, ATW_DO_SYNC);
}

/**
 * atw_conns_set_firmware() - which firmware it is
 * @cs: the connections
 * @fw: its ways
 * @same: it is the one that it was before: what was proved of it is true yet
 *
 * Context: the channel's thread.
 */
void atw_conns_set_firmware(struct atw_conns *cs, const struct atw_firmware *fw, bool same)
{
	spin_lock(&cs->lock);
	WRITE_ONCE(cs->fw, fw);
	spin_unlock(&cs->lock);
	if (!same)
		memset(&cs->proved, 0, sizeof(cs->proved));
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
	WRITE_ONCE(cs->ch->baud, baud);
	cs->pace.chunk = ATW_CHUNK_MIN;
	cs->pace.chunk_good = 0;
	cs->pace.chunk_max = cs->proved.small_sends ? ATW_CHUNK_MIN : ATW_CHUNK_MAX;
	cs->pace.chunk_limit = cs->pace.chunk_max;
}

/**
 * atw_conns_init() - an empty table
 * @cs: zeroed memory
 * @ch: the channel
 * @sched: what is to be done by its thread
 */
void atw_conns_init(struct atw_conns *cs, struct atw_channel *ch, struct atw_sched *sched)
{
	spin_lock_init(&cs->lock);
	INIT_LIST_HEAD(&cs->list);
	INIT_LIST_HEAD(&cs->turns);
	cs->ch = ch;
	cs->sched = sched;
	cs->clock = ktime_get;
	/* It has not told its versions yet. */
	cs->fw = atw_firmware_find("", "");
	cs->ids.next = ATW_ID_MIN;
	cs->ids.deleting = ATW_NO_ID;
	cs->rx.reading = ATW_NO_ID;
	cs->audit.deleted = jiffies - atw_timing.delete_linger;
	cs->mode.since = jiffies - atw_timing.mode_settle;
	atw_conns_set_rate(cs, 0);
}

/**
 * atw_conns_are_there() - is there a connection?
 * @cs: the connections
 *
 * Context: process context.
 */
bool atw_conns_are_there(struct atw_conns *cs)
{
	bool any;

	spin_lock(&cs->lock);
	any = cs->n;
	spin_unlock(&cs->lock);
	return any;
}

/**
 * atw_conns_for_each() - look at all connections
 * @cs: the connections
 * @fn: called with each, must not sleep; what it returns ends it, unless 0
 * @arg: for @fn
 *
 * Context: process context.
 * Return: what @fn returned last, 0 if there are no connections.
 */
int atw_conns_for_each(struct atw_conns *cs,
		       int (*fn)(const struct atw_conn_info *info, void *arg),
		       void *arg)
{
	struct atw_conn_info info;
	struct atw_conn *c;
	int ret = 0;

	spin_lock(&cs->lock);
	list_for_each_entry(c, &cs->list, node) {
		spin_lock(&c->lock);
		atw_conn_get_info(c, &info);
		if (c->owner && c->ops->whose)
			c->ops->whose(c, &info);
		spin_unlock(&c->lock);
		ret = fn(&info, arg);
		if (ret)
			break;
	}
	spin_unlock(&cs->lock);
	return ret;
}
