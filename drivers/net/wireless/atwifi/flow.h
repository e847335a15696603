/* SPDX-License-Identifier: GPL-2.0-only */
/* Flows: what the network device carries, one connection of the module each. */
#ifndef _ATWIFI_FLOW_H
#define _ATWIFI_FLOW_H

#include <linux/hashtable.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "share.h"

struct atw_flow;
struct atw_netdev;

/**
 * struct atw_flow_key - whose packets they are, seen from the program
 * @laddr: address of the program
 * @raddr: address of the remote
 * @lport: port of the program
 * @rport: port of the remote
 * @proto: IPPROTO_TCP or IPPROTO_UDP; as wide as that, so that nothing in here
 *	is without a value
 */
struct atw_flow_key {
	__be32	laddr;
	__be32	raddr;
	__be16	lport;
	__be16	rport;
	u32	proto;
};

/**
 * enum atw_flow_worth - how much a flow is needed, from the least on
 * @ATW_FLOW_ANSWERED: datagrams, and nobody waits for one
 * @ATW_FLOW_HALF_CLOSED: a stream whose program has closed, or will send no more
 * @ATW_FLOW_UNANSWERED: datagrams whose answer does not come
 * @ATW_FLOW_WEB: an idle stream of a kind that is opened again when it is needed
 * @ATW_FLOW_IDLE: an idle stream of no known kind
 * @ATW_FLOW_LASTING: an idle stream that is expected to stay, or one side of which
 *	waits for the other
 * @ATW_FLOW_SOON: it is needed, but that comes to an end by itself
 * @ATW_FLOW_NEEDED: it is not idle
 */
enum atw_flow_worth {
	ATW_FLOW_ANSWERED,
	ATW_FLOW_HALF_CLOSED,
	ATW_FLOW_UNANSWERED,
	ATW_FLOW_WEB,
	ATW_FLOW_IDLE,
	ATW_FLOW_LASTING,
	ATW_FLOW_SOON,
	ATW_FLOW_NEEDED,
};

/* Flows of datagrams, and half-closed ones, that were idle for so long may be ended for others. */
#define ATW_FLOW_UNUSED		(HZ / 4)

/*
 * So often a flow that waits for a socket of the module, or for an answer to its connect, is
 * looked at: TCP sends nothing for a close() while a program connects, and tells nobody; nor
 * does anybody tell that a flow that is in use is so no more.
 */
#define ATW_FLOW_TICK		HZ

/**
 * enum atw_flow_bit - what others have said of a flow
 * @ATW_FLOW_BIT_ENDING: it is to end soon
 * @ATW_FLOW_BIT_KIND: the first of those that its kind has
 */
enum atw_flow_bit {
	ATW_FLOW_BIT_ENDING,
	ATW_FLOW_BIT_KIND,
};

/**
 * struct atw_flow_ops - what kinds of flows differ in
 *
 * None but the first may sleep.
 *
 * @step: begin, and look after it: its work, which holds no locks, has a reference, and
 *	is queued by atw_flow_wake() and atw_flow_tick(). One that is to end leaves the
 *	table here
 * @yield: end soon, for another one, if it is still idle
 * @worth: how much is it needed, and for how many jiffies was it idle? Under the
 *	table's lock
 * @release: free what the flow holds, the last reference is gone
 */
struct atw_flow_ops {
	void (*step)(struct atw_flow *flow);
	void (*yield)(struct atw_flow *flow);
	enum atw_flow_worth (*worth)(struct atw_flow *flow, unsigned long *idle);
	void (*release)(struct atw_flow *flow);
};

/**
 * struct atw_flow - one flow
 * @node: in the table, which holds a reference; atw_flows.lock, read under RCU
 * @waiting: for a socket of the module; atw_flows.lock
 * @key, @ops, @nd, @share: constant; the last is whose it is, see atw_share_index()
 * @seen: atw_flows.freed when it tried to get a socket last; atw_flows.lock
 * @ref: freed after a grace period when it is 0
 * @work: calls @ops->step; has a reference while it is queued or runs
 * @flags: enum atw_flow_bit and those of its kind, by atomic operations, in any context
 */
struct atw_flow {
	struct hlist_node		node;
	struct list_head		waiting;
	struct atw_flow_key		key;
	const struct atw_flow_ops	*ops;
	struct atw_netdev		*nd;
	u8				share;
	unsigned int			seen;
	refcount_t			ref;
	struct rcu_head			rcu;
	struct delayed_work		work;
	unsigned long			flags;
};

/* Was it taken out of the table? Asked by those alone who do that, one after the other. */
static inline bool atw_flow_is_gone(const struct atw_flow *flow)
{
	return hlist_unhashed_lockless(&flow->node);
}

/* Does it wait for a socket of the module? As above, of those who have it wait. */
static inline bool atw_flow_is_waiting(const struct atw_flow *flow)
{
	return !list_empty(&flow->waiting);
}

#define ATW_FLOW_BITS		8
#define ATW_FLOW_PLACES		64

/**
 * struct atw_flows - the flows of a device
 * @lock: protects all below; taken in softirqs; innermost
 * @by_key: all of them
 * @waiting: flows that wait for a socket of the module, in the order in which
 *	they came
 * @first: the one of these that is next, or NULL, where that is @known
 * @freed: counts how often a socket of the module may have become free
 * @look: has the first try again when a flow may be ended that could not be before
 * @looked: when it did so last
 * @empty: woken when the last flow is gone
 * @n: flows in the table
 * @share: of each user's flows
 * @share.n: those in the table
 * @share.served: of these, those that have a socket, or try to get one
 * @share.passed: how often in a row a later one in @waiting was served before the first
 * @share.trying: the one in @waiting that tries to get a socket, or NULL
 * @place: how many to each remote have one, or try to, by a hash of user and remote
 * @objects: flows that exist, in the table or not. Who waits for 0 looks at it without the
 *	lock, and takes that then
 * @seed: of the hash; constant
 * @dead: no new ones
 */
struct atw_flows {
	spinlock_t		lock;
	DECLARE_HASHTABLE(by_key, ATW_FLOW_BITS);
	struct list_head	waiting;
	struct atw_flow		*first;
	bool			known;
	unsigned int		freed;
	struct delayed_work	look;
	unsigned long		looked;
	wait_queue_head_t	empty;
	unsigned int		n;
	struct {
		u16		n;
		u16		served;
		u8		passed;
		struct atw_flow	*trying;
	}			share[ATW_SHARES];
	u16			place[ATW_FLOW_PLACES];
	unsigned int		objects;
	u32			seed;
	bool			dead;
};

void atw_flows_begin(struct atw_flows *flows);
void atw_flows_end(struct atw_flows *flows);
bool atw_flow_known(struct atw_flows *flows, const struct atw_flow_key *key);
struct atw_flow *atw_flow_get(struct atw_flows *flows,
			      const struct atw_flow_key *key);
void atw_flow_init(struct atw_flow *flow, struct atw_netdev *nd,
		   const struct atw_flow_key *key, u8 share,
		   const struct atw_flow_ops *ops);
u8 atw_flow_share(const struct sk_buff *skb, bool dgram);
int atw_flow_add(struct atw_flow *flow);
void atw_flow_del(struct atw_flow *flow);
void atw_flow_put(struct atw_flow *flow);
void atw_flow_wake(struct atw_flow *flow);
void atw_flow_tick(struct atw_flow *flow, unsigned long delay);
void atw_flow_end_soon(struct atw_flow *flow);
void atw_flow_wait(struct atw_flow *flow);
bool atw_flow_try(struct atw_flow *flow);
void atw_flow_done_waiting(struct atw_flow *flow);
int atw_flows_evict(struct atw_flows *flows, u8 share, const u16 *has, unsigned long stream_idle);
unsigned int atw_flows_count(struct atw_flows *flows, u32 proto);
void atw_flows_retry(struct atw_flows *flows);

#endif
