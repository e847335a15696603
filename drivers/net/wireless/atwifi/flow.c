// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of flows, and the queue of those that wait for a socket.
 *
 * A module has few sockets, often five. A flow that finds them all in use waits
 * in a queue; whenever one may have become free one of them tries again, the first of
 * the user who has the fewest, to a remote to which he has the fewest. That may take long, as
 * the module may be busy, or he may have to let others go first: of each user one tries at a
 * time, and another user's does not wait for it. Flows that are of
 * little use meanwhile are ended for it, in the order of enum atw_flow_worth; among equal
 * ones the one that was idle for the longest time first. Streams of somebody who has fewer
 * than who asks are not.
 */
#include <linux/bitmap.h>
#include <linux/in.h>
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <net/inet_sock.h>

#include "flow.h"
#include "netdev.h"

/* Each may have a socket of the kernel's TCP. What waits in those is the kernel's
 * to limit (tcp_mem), what waits in the driver has budgets, see struct atw_netdev.
 */
#define ATW_FLOWS_MAX	1024
/* How long streams must have been idle is set, for those that are known to be opened again when
 * they are needed. Where a user has several of these to one remote that is divided by so much: he
 * keeps one. Others are given so many times as much, by what is known of them.
 */
#define ATW_FLOW_SEVERAL	4
#define ATW_FLOW_STAYS		5
#define ATW_FLOW_LASTS		30
/* How soon one that waits tries again, where a flow is used each time before it could be ended. */
#define ATW_FLOW_LOOK		(HZ / 2)

static u32 atw_flow_hash(const struct atw_flows *flows, const struct atw_flow_key *key)
{
	BUILD_BUG_ON(sizeof(*key) != 4 * sizeof(u32));

	return jhash2((const u32 *)key, 4, flows->seed);
}

static struct atw_flow *atw_flow_find(struct atw_flows *flows,
				      const struct atw_flow_key *key)
{
	struct atw_flow *flow;

	hash_for_each_possible_rcu(flows->by_key, flow, node, atw_flow_hash(flows, key),
				   lockdep_is_held(&flows->lock))
		if (!memcmp(&flow->key, key, sizeof(*key)))
			return flow;
	return NULL;
}

static void atw_flows_look(struct work_struct *work)
{
	struct atw_flows *flows = container_of(to_delayed_work(work), struct atw_flows, look);

	spin_lock_bh(&flows->lock);
	flows->looked = jiffies;
	spin_unlock_bh(&flows->lock);
	atw_flows_retry(flows);
}

/**
 * atw_flows_begin() - an empty table
 * @flows: zeroed memory; its work is to be cancelled before it is freed
 */
void atw_flows_begin(struct atw_flows *flows)
{
	INIT_DELAYED_WORK(&flows->look, atw_flows_look);
	flows->looked = jiffies - ATW_FLOW_LOOK;
	spin_lock_init(&flows->lock);
	INIT_LIST_HEAD(&flows->waiting);
	init_waitqueue_head(&flows->empty);
	flows->seed = get_random_u32();
}

/* How many flows there are of the same user to the same remote: two may fall together. */
static u16 *atw_flow_place(struct atw_flow *flow)
{
	struct atw_flows *flows = &flow->nd->flows;
	u32 hash = jhash_3words((__force u32)flow->key.raddr, (__force u32)flow->key.rport,
				flow->share, flows->seed);

	lockdep_assert_held(&flows->lock);

	return &flows->place[hash % ATW_FLOW_PLACES];
}

/* It has a socket, or tries to get one, @change 1, or not any more, -1. */
static void atw_flow_count_served(struct atw_flow *flow, int change)
{
	struct atw_flows *flows = &flow->nd->flows;

	lockdep_assert_held(&flows->lock);

	flows->known = false;
	flows->share[flow->share].served += change;
	*atw_flow_place(flow) += change;
}

/* It waits, and tries to get a socket, or does not any more. */
static void atw_flow_set_trying(struct atw_flow *flow, bool trying)
{
	struct atw_flow **of = &flow->nd->flows.share[flow->share].trying;

	lockdep_assert_held(&flow->nd->flows.lock);

	if (trying == (*of == flow))
		return;
	*of = trying ? flow : NULL;
	atw_flow_count_served(flow, trying ? 1 : -1);
}

/**
 * atw_flow_known() - is there such a flow?
 * @flows: the table
 * @key: whose
 *
 * Context: any; RCU read-side critical section.
 */
bool atw_flow_known(struct atw_flows *flows, const struct atw_flow_key *key)
{
	return atw_flow_find(flows, key);
}

/**
 * atw_flow_get() - look a flow up
 * @flows: the table
 * @key: whose
 *
 * Context: any; RCU read-side critical section.
 * Return: the flow with a reference for atw_flow_put(), or NULL.
 */
struct atw_flow *atw_flow_get(struct atw_flows *flows,
			      const struct atw_flow_key *key)
{
	struct atw_flow *flow = atw_flow_find(flows, key);

	return flow && refcount_inc_not_zero(&flow->ref) ? flow : NULL;
}

/**
 * atw_flow_share() - which user's a new flow is
 * @skb: its first packet; without a socket it is another machine's
 * @dgram: it is of datagrams
 *
 * Context: any.
 * Return: a number for atw_flow_init().
 */
u8 atw_flow_share(const struct sk_buff *skb, bool dgram)
{
	struct sock *sk = sk_to_full_sk(skb->sk);

	return atw_share_index(sk && sk_fullsock(sk) ? READ_ONCE(sk->sk_uid) : INVALID_UID,
			       skb->skb_iif, ip_hdr(skb)->saddr, dgram);
}

static void atw_flow_run(struct work_struct *work)
{
	struct atw_flow *flow = container_of(to_delayed_work(work), struct atw_flow, work);
	/* Memory may be freed by what passes, see channel.c. */
	unsigned int noio = memalloc_noio_save();

	flow->ops->step(flow);
	atw_flow_put(flow);
	memalloc_noio_restore(noio);
}

/**
 * atw_flow_init() - the part that all kinds of flows have
 * @flow: zeroed memory; the caller has a reference then
 * @nd: the device
 * @key: whose
 * @share: and which user's, see atw_flow_share()
 * @ops: its kind
 */
void atw_flow_init(struct atw_flow *flow, struct atw_netdev *nd,
		   const struct atw_flow_key *key, u8 share,
		   const struct atw_flow_ops *ops)
{
	INIT_HLIST_NODE(&flow->node);
	INIT_LIST_HEAD(&flow->waiting);
	flow->nd = nd;
	flow->key = *key;
	flow->share = share;
	flow->ops = ops;
	refcount_set(&flow->ref, 1);
	INIT_DELAYED_WORK(&flow->work, atw_flow_run);
	spin_lock_bh(&nd->flows.lock);
	nd->flows.objects++;
	spin_unlock_bh(&nd->flows.lock);
}

/**
 * atw_flow_add() - put a new flow into the table, with a reference of its own
 * @flow: the flow
 *
 * Context: process context or softirq.
 * Return: 0; -ENODEV, the device goes away; -ENOBUFS, there are too many;
 * -EEXIST.
 */
int atw_flow_add(struct atw_flow *flow)
{
	struct atw_flows *flows = &flow->nd->flows;
	int err = 0;

	spin_lock_bh(&flows->lock);
	if (flows->dead) {
		err = -ENODEV;
	} else if (flows->n + flows->share[flow->share].n >= ATW_FLOWS_MAX) {
		/* Nobody has more than are still free: there is room for others. */
		err = -ENOBUFS;
	} else if (atw_flow_find(flows, &flow->key)) {
		err = -EEXIST;
	} else {
		refcount_inc(&flow->ref);
		hash_add_rcu(flows->by_key, &flow->node, atw_flow_hash(flows, &flow->key));
		flows->n++;
		flows->share[flow->share].n++;
		atw_flow_count_served(flow, 1);
	}
	spin_unlock_bh(&flows->lock);
	return err;
}

/**
 * atw_flow_del() - take a flow out of the table
 * @flow: the flow; the caller has a reference
 *
 * Nothing of the flow may need the device after that, and it is looked after no more.
 *
 * Context: process context or softirq.
 */
void atw_flow_del(struct atw_flow *flow)
{
	struct atw_flows *flows = &flow->nd->flows;
	bool was;

	if (cancel_delayed_work(&flow->work))
		atw_flow_put(flow);
	spin_lock_bh(&flows->lock);
	was = !hlist_unhashed(&flow->node);
	if (was) {
		hlist_del_init_rcu(&flow->node);
		atw_flow_set_trying(flow, false);
		if (list_empty(&flow->waiting))
			atw_flow_count_served(flow, -1);
		list_del_init(&flow->waiting);
		flows->known = false;
		flows->n--;
		flows->share[flow->share].n--;
	}
	spin_unlock_bh(&flows->lock);
	if (was)
		atw_flow_put(flow);
}

/**
 * atw_flow_put() - give a reference back
 * @flow: the flow
 *
 * Context: process context or softirq.
 */
void atw_flow_put(struct atw_flow *flow)
{
	struct atw_flows *flows = &flow->nd->flows;

	if (!refcount_dec_and_test(&flow->ref))
		return;
	flow->ops->release(flow);
	spin_lock_bh(&flows->lock);
	if (!--flows->objects)
		wake_up(&flows->empty);
	spin_unlock_bh(&flows->lock);
}

/**
 * atw_flow_wake() - have a flow looked after at once
 * @flow: the flow; the caller has a reference, or the table's lock
 *
 * Context: any.
 */
void atw_flow_wake(struct atw_flow *flow)
{
	refcount_inc(&flow->ref);
	/* If it was queued already, that has a reference. */
	if (mod_delayed_work(atw_relay_wq, &flow->work, 0))
		atw_flow_put(flow);
}

/**
 * atw_flow_tick() - have a flow looked after later, unless that is sooner anyway
 * @flow: the flow
 * @delay: in so many jiffies
 *
 * Context: any.
 */
void atw_flow_tick(struct atw_flow *flow, unsigned long delay)
{
	refcount_inc(&flow->ref);
	if (!queue_delayed_work(atw_relay_wq, &flow->work, delay))
		atw_flow_put(flow);
}

/**
 * atw_flow_end_soon() - have a flow end soon, by itself
 * @flow: as for atw_flow_wake()
 *
 * Context: any.
 */
void atw_flow_end_soon(struct atw_flow *flow)
{
	set_bit(ATW_FLOW_BIT_ENDING, &flow->flags);
	atw_flow_wake(flow);
}

/**
 * atw_flow_wait() - the module has no socket left for a flow: queue it
 * @flow: the flow; keeps its place if it waited already
 *
 * It is looked after at once where one may have become free since it began to try.
 *
 * Context: process context or softirq.
 */
void atw_flow_wait(struct atw_flow *flow)
{
	struct atw_flows *flows = &flow->nd->flows;

	spin_lock_bh(&flows->lock);
	atw_flow_set_trying(flow, false);
	if (list_empty(&flow->waiting) && !hlist_unhashed(&flow->node)) {
		list_add_tail(&flow->waiting, &flows->waiting);
		atw_flow_count_served(flow, -1);
	}
	if (flow->seen != flows->freed)
		atw_flow_wake(flow);
	spin_unlock_bh(&flows->lock);
}

/* It goes before those of its user that have waited for longer, if there are any. */
static void atw_flow_count_passed(struct atw_flow *flow)
{
	struct atw_flows *flows = &flow->nd->flows;
	u8 *passed = &flows->share[flow->share].passed;
	struct atw_flow *other;

	lockdep_assert_held(&flows->lock);

	list_for_each_entry(other, &flows->waiting, waiting)
		if (other->share == flow->share)
			break;
	if (other == flow)
		*passed = 0;
	else if (*passed < ATW_PASSED_MAX)
		++*passed;
}

/**
 * atw_flow_done_waiting() - a flow has a socket, or wants none any more
 * @flow: the flow
 *
 * Context: process context or softirq.
 */
void atw_flow_done_waiting(struct atw_flow *flow)
{
	struct atw_flows *flows = &flow->nd->flows;

	spin_lock_bh(&flows->lock);
	if (!list_empty(&flow->waiting)) {
		atw_flow_count_passed(flow);
		atw_flow_set_trying(flow, false);
		list_del_init(&flow->waiting);
		atw_flow_count_served(flow, 1);
	}
	spin_unlock_bh(&flows->lock);
}

/*
 * The one that is next, or NULL: of the user who has the fewest, and of his the one whose
 * remote has the fewest. A browser wants six to each host at the same time, and needs one to
 * each. The first of a user's that wait is passed over a few times at most: others may go on
 * coming. Who has one that tries has none that is next.
 *
 * All that wait ask for it again and again. It is looked for when there was a change.
 */
static struct atw_flow *atw_flows_first(struct atw_flows *flows)
{
	DECLARE_BITMAP(seen, ATW_SHARES) = { 0 };
	struct atw_flow *flow, *first = NULL;
	u32 served, least = U32_MAX;

	lockdep_assert_held(&flows->lock);

	if (flows->known)
		return flows->first;
	list_for_each_entry(flow, &flows->waiting, waiting) {
		if (flows->share[flow->share].trying)
			continue;
		served = (u32)flows->share[flow->share].served << 16;
		if (__test_and_set_bit(flow->share, seen) ||
		    flows->share[flow->share].passed < ATW_PASSED_MAX)
			served |= *atw_flow_place(flow);
		if (served < least) {
			least = served;
			first = flow;
		}
	}
	flows->first = first;
	flows->known = true;
	return first;
}

/**
 * atw_flow_try() - may it try to get a socket?
 * @flow: the flow, which does not try already
 *
 * Context: process context or softirq.
 * Return: whether it is the first of those that wait, or nobody waits: then it is taken to
 * try until atw_flow_wait(), atw_flow_done_waiting() or atw_flow_del().
 */
bool atw_flow_try(struct atw_flow *flow)
{
	struct atw_flows *flows = &flow->nd->flows;
	bool may;

	spin_lock_bh(&flows->lock);
	flow->seen = flows->freed;
	may = list_empty(&flows->waiting) || atw_flows_first(flows) == flow;
	if (may && !list_empty(&flow->waiting))
		atw_flow_set_trying(flow, true);
	spin_unlock_bh(&flows->lock);
	return may;
}

/**
 * atw_flows_retry() - a socket of the module may have become free
 * @flows: the table
 *
 * Context: process context or softirq.
 */
void atw_flows_retry(struct atw_flows *flows)
{
	struct atw_flow *flow;

	spin_lock_bh(&flows->lock);
	flows->freed++;
	flow = atw_flows_first(flows);
	if (flow)
		atw_flow_wake(flow);
	spin_unlock_bh(&flows->lock);
}

/* For how long must a flow have been idle to be ended for others? */
static unsigned long atw_flow_patience(struct atw_flow *flow, enum atw_flow_worth worth,
				       unsigned long stream_idle)
{
	lockdep_assert_held(&flow->nd->flows.lock);

	switch (worth) {
	case ATW_FLOW_WEB:
		return *atw_flow_place(flow) > 1 ? stream_idle / ATW_FLOW_SEVERAL : stream_idle;
	case ATW_FLOW_IDLE:
		return stream_idle * ATW_FLOW_STAYS;
	case ATW_FLOW_LASTING:
		return stream_idle * ATW_FLOW_LASTS;
	default:
		return ATW_FLOW_UNUSED;
	}
}

/* Is it a stream of somebody who has no more sockets than the user who wants another one? */
static bool atw_flow_is_spared(const struct atw_flow *flow, enum atw_flow_worth worth, u8 share,
			       const u16 *has)
{
	return worth >= ATW_FLOW_WEB && flow->share / 2 != share / 2 &&
	       has[flow->share / 2] <= has[share / 2];
}

/**
 * atw_flows_evict() - end the flow that is needed the least
 * @flows: the table
 * @share: of the user who wants a socket
 * @has: how many each user has, those of AF_ATWIFI too, see atw_conns_count_sockets()
 * @stream_idle: jiffies for which a stream must have been idle, 0: none is ended
 *
 * Where all are needed the first that waits tries again when one of them may be ended, if it
 * is not used before.
 *
 * Context: process context or softirq.
 * Return: 0; -EAGAIN, one will be spare soon; -EBUSY, all are needed.
 */
int atw_flows_evict(struct atw_flows *flows, u8 share, const u16 *has, unsigned long stream_idle)
{
	enum atw_flow_worth worth, least = stream_idle ? ATW_FLOW_LASTING : ATW_FLOW_UNANSWERED;
	unsigned long idle, patience, longest = 0, left = ATW_FLOW_TICK;
	struct atw_flow *flow, *best = NULL;
	bool soon = false;
	unsigned int i;

	spin_lock_bh(&flows->lock);
	hash_for_each(flows->by_key, i, flow, node) {
		idle = 0;
		worth = flow->ops->worth(flow, &idle);
		if (worth == ATW_FLOW_SOON)
			soon = true;
		if (worth > least || atw_flow_is_spared(flow, worth, share, has))
			continue;
		patience = atw_flow_patience(flow, worth, stream_idle);
		if (idle <= patience) {
			left = min(left, patience - idle + 1);
		} else if (!best || worth < least || idle > longest) {
			best = flow;
			least = worth;
			longest = idle;
		}
	}
	if (best)
		refcount_inc(&best->ref);
	left = max_t(long, left, flows->looked + ATW_FLOW_LOOK - jiffies);
	spin_unlock_bh(&flows->lock);
	if (best) {
		best->ops->yield(best);
		atw_flow_put(best);
		return 0;
	}
	if (soon)
		return -EAGAIN;
	if (left < ATW_FLOW_TICK)
		mod_delayed_work(atw_relay_wq, &flows->look, left);
	return -EBUSY;
}

/**
 * atw_flows_count() - how many flows of a kind there are
 * @flows: the table
 * @proto: IPPROTO_TCP or IPPROTO_UDP
 *
 * Context: process context or softirq.
 */
unsigned int atw_flows_count(struct atw_flows *flows, u32 proto)
{
	struct atw_flow *flow;
	unsigned int i, n = 0;

	spin_lock_bh(&flows->lock);
	hash_for_each(flows->by_key, i, flow, node)
		n += flow->key.proto == proto;
	spin_unlock_bh(&flows->lock);
	return n;
}

/**
 * atw_flows_end() - end all flows, take no new ones, wait until none is left
 * @flows: the table
 *
 * There is no bound to the wait, as the flows' memory leads to the device's. It ends
 * without the module's help, and the programs': a flow is held by the table, by its work,
 * by its relay, and by who has looked it up in a softirq or in a work. Its work is queued
 * at once and waits for nobody: sockets are used without waiting, and their release does
 * not linger. It takes the flow out of the table and closes its connection, of which it
 * hears no more from then on, or aborts its relay. The relay's work does the same, and
 * lets go of the flow when it has told of the end. One that has just told that its
 * connect has failed leaves the flow to its next look, a second later.
 *
 * Context: process context; sleeps. No new relay may be started for what was accepted.
 */
void atw_flows_end(struct atw_flows *flows)
{
	struct atw_flow *flow;
	unsigned int i;

	spin_lock_bh(&flows->lock);
	flows->dead = true;
	hash_for_each(flows->by_key, i, flow, node)
		atw_flow_end_soon(flow);
	spin_unlock_bh(&flows->lock);
	wait_event(flows->empty, !READ_ONCE(flows->objects));
	/* Who took the last one away has let go of the lock after this. */
	spin_lock_bh(&flows->lock);
	spin_unlock_bh(&flows->lock);
}
