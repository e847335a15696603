// SPDX-License-Identifier: GPL-2.0-only
/* The table of flows: who is next for a socket of the module, and who has room. */
#include <kunit/test.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/jiffies.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <net/net_namespace.h>

#include "../dev.h"
#include "../netdev.h"
#include "../packet.h"
#include "../relay.h"

#define FLOWS	1024
#define ALICE	10
#define BOB	11

struct table {
	struct atw_netdev	nd;
	struct atw_flow		flow[FLOWS];
	struct atw_flow		*tried;
};

static struct table *table_of(struct atw_flow *flow)
{
	return container_of(flow->nd, struct table, nd);
}

static void fake_step(struct atw_flow *flow)
{
	table_of(flow)->tried = flow;
}

static void fake_release(struct atw_flow *flow)
{
}

/* One that was told to yield for others. */
static struct atw_flow *yielded;

static void fake_yield(struct atw_flow *flow)
{
	yielded = flow;
}

/*
 * The first of each user is a stream that was idle for a while, and the others are in use; but
 * for those of add_worth(), which have it in their address.
 */
static enum atw_flow_worth fake_worth(struct atw_flow *flow, unsigned long *idle)
{
	u32 told = ntohl(flow->key.raddr);

	if (told) {
		*idle = (told & 0xffff) * HZ;
		return told >> 16;
	}
	if (flow->key.rport)
		return ATW_FLOW_NEEDED;
	*idle = 3 * HZ;
	return ATW_FLOW_WEB;
}

static const struct atw_flow_ops fake_ops = {
	.step		= fake_step,
	.yield		= fake_yield,
	.worth		= fake_worth,
	.release	= fake_release,
};

static struct table *fake_table(struct kunit *test)
{
	struct table *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	atw_flows_begin(&t->nd.flows);
	test->priv = t;
	/* Which users fall together is the same each time: none of those here. */
	t->nd.flows.seed = 1;
	return t;
}

static void flow_test_exit(struct kunit *test)
{
	struct table *t = test->priv;

	if (!t)
		return;
	cancel_delayed_work_sync(&t->nd.flows.look);
	flush_workqueue(atw_relay_wq);
}

static int add_to(struct table *t, unsigned int i, u8 share, u16 port)
{
	const struct atw_flow_key key = {
		.laddr = htonl(i),
		.rport = htons(port),
		.proto = IPPROTO_UDP,
	};

	atw_flow_init(&t->flow[i], &t->nd, &key, share, &fake_ops);
	return atw_flow_add(&t->flow[i]);
}

static int add(struct table *t, unsigned int i, u8 share)
{
	return add_to(t, i, share, 0);
}

/* Hers, of so much worth, and idle for so many seconds. */
static int add_worth(struct table *t, unsigned int i, enum atw_flow_worth worth, u16 seconds)
{
	const struct atw_flow_key key = {
		.laddr = htonl(i),
		.raddr = htonl(worth << 16 | seconds),
		.proto = IPPROTO_TCP,
	};

	atw_flow_init(&t->flow[i], &t->nd, &key, ALICE, &fake_ops);
	return atw_flow_add(&t->flow[i]);
}

static struct atw_flow *next(struct table *t)
{
	t->tried = NULL;
	atw_flows_retry(&t->nd.flows);
	flush_workqueue(atw_relay_wq);
	return t->tried;
}

/* Who has come first is next, but not where his flows have more sockets than others'. */
static void flow_users_wait(struct kunit *test)
{
	struct table *t = fake_table(test);
	struct atw_flow *flow = t->flow;
	unsigned int i;

	for (i = 0; i < 60; i++)
		KUNIT_ASSERT_EQ(test, 0, add(t, i, ALICE));
	KUNIT_EXPECT_TRUE(test, atw_flow_try(&flow[59]));
	for (i = 5; i < 60; i++)
		atw_flow_wait(&flow[i]);
	KUNIT_EXPECT_PTR_EQ(test, &flow[5], next(t));
	/* One that comes does not go before those who wait, but for another user. */
	KUNIT_ASSERT_EQ(test, 0, add(t, 60, BOB));
	KUNIT_EXPECT_FALSE(test, atw_flow_try(&flow[60]));
	atw_flow_wait(&flow[60]);
	atw_flow_wait(&flow[60]);
	KUNIT_EXPECT_FALSE(test, atw_flow_try(&flow[5]));
	KUNIT_EXPECT_PTR_EQ(test, &flow[60], next(t));
	atw_flow_done_waiting(&flow[60]);
	KUNIT_EXPECT_PTR_EQ(test, &flow[5], next(t));

	/* He has one, and she has five: she is next when she has none, or he has as many. */
	KUNIT_ASSERT_EQ(test, 0, add(t, 61, BOB));
	atw_flow_wait(&flow[61]);
	KUNIT_EXPECT_PTR_EQ(test, &flow[61], next(t));
	for (i = 0; i < 4; i++)
		atw_flow_del(&flow[i]);
	KUNIT_EXPECT_PTR_EQ(test, &flow[5], next(t));
	/* What waits and goes has no socket to give. */
	atw_flow_del(&flow[5]);
	KUNIT_EXPECT_PTR_EQ(test, &flow[6], next(t));
	atw_flow_del(&flow[60]);
	KUNIT_EXPECT_PTR_EQ(test, &flow[61], next(t));
	for (i = 0; i < 62; i++)
		atw_flow_del(&flow[i]);
	KUNIT_EXPECT_EQ(test, 0U, t->nd.flows.n);
	for (i = 0; i < ATW_SHARES; i++) {
		KUNIT_EXPECT_EQ(test, 0, t->nd.flows.share[i].n);
		KUNIT_EXPECT_EQ(test, 0, t->nd.flows.share[i].served);
	}
}

/*
 * Of a user's the next is one to a remote to which he has none, or the fewest: a browser
 * asks for six connections to each host at once.
 */
static void flow_remotes_wait(struct kunit *test)
{
	struct table *t = fake_table(test);
	struct atw_flow *flow = t->flow;
	unsigned int i;

	/* Of two remotes, which a hash is to tell apart. */
	t->nd.flows.seed = 0;
	for (i = 0; i < 8; i++)
		KUNIT_ASSERT_EQ(test, 0, add_to(t, i, ALICE, i < 6 ? 80 : 81));
	for (i = 1; i < 8; i++)
		atw_flow_wait(&flow[i]);
	KUNIT_EXPECT_PTR_EQ(test, &flow[6], next(t));
	atw_flow_done_waiting(&flow[6]);
	KUNIT_EXPECT_PTR_EQ(test, &flow[1], next(t));
	atw_flow_done_waiting(&flow[1]);
	KUNIT_EXPECT_PTR_EQ(test, &flow[7], next(t));
	/* Another user's are none of hers. */
	KUNIT_ASSERT_EQ(test, 0, add_to(t, 8, BOB, 80));
	atw_flow_wait(&flow[8]);
	KUNIT_EXPECT_PTR_EQ(test, &flow[8], next(t));
	atw_flow_del(&flow[0]);
	atw_flow_del(&flow[1]);
	atw_flow_del(&flow[8]);
	KUNIT_EXPECT_PTR_EQ(test, &flow[2], next(t));
	for (i = 0; i < 9; i++)
		atw_flow_del(&flow[i]);
	for (i = 0; i < ATW_FLOW_PLACES; i++)
		KUNIT_EXPECT_EQ(test, 0, t->nd.flows.place[i]);
}

/* But one that has waited for longer is not passed over for ever. */
static void flow_remotes_passed(struct kunit *test)
{
	static const unsigned int order[] = { 2, 3, 4, 1, 5, 6 };
	struct table *t = fake_table(test);
	struct atw_flow *flow = t->flow;
	unsigned int i;

	t->nd.flows.seed = 0;
	for (i = 0; i < 7; i++)
		KUNIT_ASSERT_EQ(test, 0, add_to(t, i, ALICE, i < 2 ? 80 : 79 + i));
	for (i = 1; i < 7; i++)
		atw_flow_wait(&flow[i]);
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		/* To ask does not count. */
		KUNIT_EXPECT_PTR_EQ(test, &flow[order[i]], next(t));
		KUNIT_EXPECT_PTR_EQ(test, &flow[order[i]], next(t));
		atw_flow_done_waiting(&flow[order[i]]);
	}
	for (i = 0; i < 7; i++)
		atw_flow_del(&flow[i]);
}

/* However long the one that is next tries, it is its user alone who waits for that. */
static void flow_users_try(struct kunit *test)
{
	struct table *t = fake_table(test);
	struct atw_flow *flow = t->flow;
	unsigned int i;

	for (i = 0; i < 8; i++)
		KUNIT_ASSERT_EQ(test, 0, add(t, i, ALICE));
	for (i = 5; i < 8; i++)
		atw_flow_wait(&flow[i]);
	KUNIT_EXPECT_TRUE(test, atw_flow_try(&flow[5]));
	KUNIT_EXPECT_NULL(test, next(t));
	KUNIT_ASSERT_EQ(test, 0, add(t, 60, BOB));
	atw_flow_wait(&flow[60]);
	KUNIT_EXPECT_FALSE(test, atw_flow_try(&flow[6]));
	KUNIT_EXPECT_PTR_EQ(test, &flow[60], next(t));
	KUNIT_EXPECT_TRUE(test, atw_flow_try(&flow[60]));
	KUNIT_EXPECT_NULL(test, next(t));
	/* There was no socket: it has its place still. */
	atw_flow_wait(&flow[5]);
	KUNIT_EXPECT_PTR_EQ(test, &flow[5], next(t));
	KUNIT_EXPECT_TRUE(test, atw_flow_try(&flow[5]));
	atw_flow_done_waiting(&flow[5]);
	KUNIT_EXPECT_PTR_EQ(test, &flow[6], next(t));
	/* Or it is over. */
	KUNIT_EXPECT_TRUE(test, atw_flow_try(&flow[6]));
	atw_flow_del(&flow[6]);
	KUNIT_EXPECT_PTR_EQ(test, &flow[7], next(t));
	for (i = 0; i < 61; i++)
		if (flow[i].nd)
			atw_flow_del(&flow[i]);
	for (i = 0; i < ATW_SHARES; i++)
		KUNIT_EXPECT_EQ(test, 0, t->nd.flows.share[i].served);
}

/* Who is next is not looked for among all that wait until something has changed. */
static void flow_waits_ask(struct kunit *test)
{
	struct table *t = fake_table(test);
	struct atw_flow *flow = t->flow;
	unsigned int i;

	for (i = 0; i < 3; i++)
		KUNIT_ASSERT_EQ(test, 0, add(t, i, ALICE + 2 * i));
	for (i = 0; i < 3; i++)
		atw_flow_wait(&flow[i]);
	KUNIT_EXPECT_FALSE(test, atw_flow_try(&flow[1]));
	/* Of these they do not hear. */
	t->nd.flows.share[ALICE].served++;
	KUNIT_EXPECT_FALSE(test, atw_flow_try(&flow[1]));
	KUNIT_EXPECT_PTR_EQ(test, &flow[0], next(t));
	/* What is gone is a change. */
	atw_flow_del(&flow[2]);
	KUNIT_EXPECT_PTR_EQ(test, &flow[1], next(t));
	t->nd.flows.share[ALICE].served--;
	for (i = 0; i < 2; i++)
		atw_flow_del(&flow[i]);
}

static int evicts(struct table *t, u8 share, const u16 *has)
{
	yielded = NULL;
	return atw_flows_evict(&t->nd.flows, share, has, 2 * HZ);
}

/* Nobody's only stream, though it is idle, is ended for the second of somebody else. */
static void flow_users_evict(struct kunit *test)
{
	u16 has[ATW_SHARES / 2] = { [ALICE / 2] = 4, [ALICE / 2 + 1] = 1, [ALICE / 2 + 2] = 1 };
	struct table *t = fake_table(test);
	struct atw_flow *flow = t->flow;
	unsigned int i;

	for (i = 0; i < 4; i++)
		KUNIT_ASSERT_EQ(test, 0, add_to(t, i, ALICE, 80));
	KUNIT_ASSERT_EQ(test, 0, add(t, 4, ALICE + 2));
	KUNIT_EXPECT_EQ(test, -EBUSY, evicts(t, ALICE, has));
	KUNIT_EXPECT_NULL(test, yielded);
	/* Nor for his datagrams, nor where what he has is none of the device's. */
	KUNIT_EXPECT_EQ(test, -EBUSY, evicts(t, ALICE + 1, has));
	KUNIT_EXPECT_EQ(test, -EBUSY, evicts(t, ALICE + 4, has));
	/* But for who has none. */
	KUNIT_EXPECT_EQ(test, 0, evicts(t, ALICE + 6, has));
	KUNIT_EXPECT_PTR_EQ(test, &flow[4], yielded);
	/* And his own. */
	KUNIT_ASSERT_EQ(test, 0, add(t, 5, ALICE));
	KUNIT_EXPECT_EQ(test, 0, evicts(t, ALICE, has));
	KUNIT_EXPECT_PTR_EQ(test, &flow[5], yielded);
	for (i = 0; i < 6; i++)
		atw_flow_del(&flow[i]);
}

/*
 * What is worth less goes first, however long the others were idle; among equals the one that
 * was used least recently. And what is worth more must have been idle for longer.
 */
static void flow_evicts_in_order(struct kunit *test)
{
	static const struct {
		enum atw_flow_worth	worth;
		u16			seconds;
		bool			stays;
	} kinds[] = {
		{ ATW_FLOW_ANSWERED, 1 }, { ATW_FLOW_HALF_CLOSED, 1 }, { ATW_FLOW_UNANSWERED, 1 },
		{ ATW_FLOW_WEB, 9 }, { ATW_FLOW_WEB, 8 }, { ATW_FLOW_WEB, 7 },
		{ ATW_FLOW_IDLE, 12 }, { ATW_FLOW_IDLE, 11 }, { ATW_FLOW_LASTING, 900 },
		{ ATW_FLOW_LASTING, 61 }, { ATW_FLOW_IDLE, 10, true },
		{ ATW_FLOW_LASTING, 60, true }, { ATW_FLOW_NEEDED, 901, true },
	};
	static const u16 has[ATW_SHARES / 2];
	struct table *t = fake_table(test);
	struct atw_flow *flow = t->flow;
	unsigned int i, round;

	/* In which order they are found is another one each time. */
	for (round = 0; round < 16; round++, flow += ARRAY_SIZE(kinds)) {
		for (i = 0; i < ARRAY_SIZE(kinds); i++)
			KUNIT_ASSERT_EQ(test, 0, add_worth(t, flow - t->flow + i, kinds[i].worth,
							   kinds[i].seconds));
		for (i = 0; !kinds[i].stays; i++) {
			KUNIT_EXPECT_EQ(test, 0, evicts(t, ALICE, has));
			KUNIT_ASSERT_PTR_EQ(test, &flow[i], yielded);
			atw_flow_del(&flow[i]);
		}
		KUNIT_EXPECT_EQ(test, -EBUSY, evicts(t, ALICE, has));
		for (; i < ARRAY_SIZE(kinds); i++)
			atw_flow_del(&flow[i]);
	}
}

/* Of several to one host a browser needs one, and others of its hosts wait meanwhile. */
static void flow_several_evict(struct kunit *test)
{
	static const u16 has[ATW_SHARES / 2] = { [ALICE / 2] = 2 };
	struct table *t = fake_table(test);
	struct atw_flow *flow = t->flow;

	KUNIT_ASSERT_EQ(test, 0, add(t, 0, ALICE));
	KUNIT_EXPECT_EQ(test, -EBUSY, atw_flows_evict(&t->nd.flows, ALICE, has, 8 * HZ));
	KUNIT_ASSERT_EQ(test, 0, add(t, 1, ALICE));
	KUNIT_EXPECT_EQ(test, 0, atw_flows_evict(&t->nd.flows, ALICE, has, 8 * HZ));
	atw_flow_del(&flow[1]);
	KUNIT_EXPECT_EQ(test, -EBUSY, atw_flows_evict(&t->nd.flows, ALICE, has, 8 * HZ));
	/* Another user's is none of hers. */
	KUNIT_ASSERT_EQ(test, 0, add(t, 2, BOB));
	KUNIT_EXPECT_EQ(test, -EBUSY, atw_flows_evict(&t->nd.flows, ALICE, has, 8 * HZ));
	atw_flow_del(&flow[0]);
	atw_flow_del(&flow[2]);
}

/* Who is it that has tried, when the module has deleted something? */
static struct atw_flow *freed(struct table *t)
{
	t->tried = NULL;
	atw_netdev_freed(&t->nd);
	flush_workqueue(atw_relay_wq);
	return t->tried;
}

/* One that waits does not have to ask whether there is a socket, nor is one lost on it. */
static void flow_waits_told(struct kunit *test)
{
	struct table *t = fake_table(test);
	struct atw_flow *flow = t->flow;

	KUNIT_ASSERT_EQ(test, 0, add(t, 0, ALICE));
	KUNIT_ASSERT_EQ(test, 0, add(t, 1, ALICE));
	atw_flow_wait(&flow[1]);
	KUNIT_EXPECT_PTR_EQ(test, &flow[1], freed(t));
	/* It was refused before that was free, and does not know of it yet. */
	KUNIT_EXPECT_TRUE(test, atw_flow_try(&flow[1]));
	KUNIT_EXPECT_NULL(test, freed(t));
	atw_flow_wait(&flow[1]);
	flush_workqueue(atw_relay_wq);
	KUNIT_EXPECT_PTR_EQ(test, &flow[1], t->tried);
	t->tried = NULL;
	KUNIT_EXPECT_TRUE(test, atw_flow_try(&flow[1]));
	atw_flow_wait(&flow[1]);
	flush_workqueue(atw_relay_wq);
	KUNIT_EXPECT_NULL(test, t->tried);
	atw_flow_del(&flow[0]);
	atw_flow_del(&flow[1]);
}

/* Nor whether a flow may be ended for it by now. */
static void flow_waits_for_idle(struct kunit *test)
{
	static const u16 has[ATW_SHARES / 2];
	struct table *t = fake_table(test);
	struct atw_flows *flows = &t->nd.flows;
	struct atw_flow *flow = t->flow;

	KUNIT_ASSERT_EQ(test, 0, add_worth(t, 0, ATW_FLOW_WEB, 3));
	KUNIT_ASSERT_EQ(test, 0, add_to(t, 1, ALICE, 80));
	atw_flow_wait(&flow[1]);
	KUNIT_EXPECT_EQ(test, -EBUSY, atw_flows_evict(flows, ALICE, has, 4 * HZ));
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&flows->look));
	KUNIT_EXPECT_EQ(test, -EBUSY, atw_flows_evict(flows, ALICE, has, 3 * HZ));
	flush_delayed_work(&flows->look);
	flush_workqueue(atw_relay_wq);
	KUNIT_EXPECT_PTR_EQ(test, &flow[1], t->tried);
	/* It was used meanwhile, and will be again. */
	KUNIT_EXPECT_EQ(test, -EBUSY, atw_flows_evict(flows, ALICE, has, 3 * HZ));
	KUNIT_EXPECT_TRUE(test, time_after_eq(flows->look.timer.expires, flows->looked + HZ / 2));
	atw_flow_del(&flow[0]);
	atw_flow_del(&flow[1]);
}

/* Nobody fills the table. */
static void flow_users_have_room(struct kunit *test)
{
	struct table *t = fake_table(test);
	unsigned int i, n;

	for (n = 0; n < FLOWS && !add(t, n, ALICE); n++)
		;
	KUNIT_EXPECT_EQ(test, FLOWS / 2U, n);
	for (i = n; i < FLOWS && !add(t, i, BOB); i++)
		;
	KUNIT_EXPECT_EQ(test, FLOWS / 4U, i - n);
	for (i = 0; i < FLOWS; i++)
		if (t->flow[i].nd)
			atw_flow_del(&t->flow[i]);
	KUNIT_EXPECT_EQ(test, 0U, t->nd.flows.n);
}

/* One whose packets are forwarded is not another user with each of its addresses. */
static void flow_forwarded(struct kunit *test)
{
	struct sk_buff *skb = alloc_skb(sizeof(struct iphdr), GFP_KERNEL);
	DECLARE_BITMAP(has, ATW_SHARES) = { 0 };
	bool other_iif = false;
	struct iphdr *iph;
	unsigned int i;
	u8 share;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reset_network_header(skb);
	iph = skb_put_zero(skb, sizeof(*iph));
	skb->skb_iif = 2;
	for (i = 0; i < 100; i++) {
		iph->saddr = htonl(0x0a000000 + i * 0x10001);
		skb->skb_iif = 2;
		share = atw_flow_share(skb, false);
		__set_bit(share, has);
		KUNIT_EXPECT_EQ(test, share ^ 1, atw_flow_share(skb, true));
		skb->skb_iif = 3 + i;
		other_iif |= atw_flow_share(skb, false) != share;
	}
	/* Nor are all of them one. */
	KUNIT_EXPECT_LE(test, bitmap_weight(has, ATW_SHARES), 4U);
	KUNIT_EXPECT_LE(test, 2U, bitmap_weight(has, ATW_SHARES));
	KUNIT_EXPECT_TRUE(test, other_iif);
	kfree_skb(skb);
}

/* A stream that does not exist yet is not idle, however long it takes to come about. */
static void flow_relay_opens(struct kunit *test)
{
	struct socket *sock = kunit_kzalloc(test, sizeof(*sock), GFP_KERNEL);
	struct atw_relay *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	bool asked;

	KUNIT_ASSERT_NOT_NULL(test, sock);
	KUNIT_ASSERT_NOT_NULL(test, r);
	r->sock = sock;
	r->moved = jiffies - HZ;
	KUNIT_EXPECT_EQ(test, 0UL, atw_relay_idle(r, &asked));
	set_bit(ATW_RELAY_BIT_UP, &r->flags);
	KUNIT_EXPECT_LE(test, 1UL * HZ, atw_relay_idle(r, &asked));
	/* However long ago it was, but not what is renewed at this moment. */
	r->moved = jiffies - (ULONG_MAX / 2 + 2) - HZ;
	KUNIT_EXPECT_LT(test, ULONG_MAX / 2, atw_relay_idle(r, &asked));
	r->moved = jiffies + HZ / 2;
	KUNIT_EXPECT_GT(test, 1UL * HZ, atw_relay_idle(r, &asked));
	set_bit(ATW_RELAY_BIT_FIN_IN, &r->flags);
	KUNIT_EXPECT_EQ(test, 0UL, atw_relay_idle(r, &asked));
}

/* A module that is never asked for anything. */
static struct atw_module *fake_module(struct kunit *test, struct table *t)
{
	struct atw_dev *adev = kunit_kzalloc(test, sizeof(*adev), GFP_KERNEL);
	struct atw_module *m;

	KUNIT_ASSERT_NOT_NULL(test, adev);
	m = &adev->module;
	init_waitqueue_head(&m->ch.wait);
	mutex_init(&m->ch.rx_lock);
	atw_sched_init(&m->sched, &m->ch, NULL);
	atw_conns_init(&m->conns, &m->ch, &m->sched);
	t->nd.adev = adev;
	return m;
}

/* One that is told to end for another, but is not idle any more, does not. */
static void flow_dgrams_yield(struct kunit *test)
{
	struct table *t = fake_table(test);
	struct atw_module *m = fake_module(test, t);
	const struct atw_flow_key key = {
		.laddr = htonl(1),
		.raddr = htonl(2),
		.lport = htons(3),
		.rport = htons(4),
		.proto = IPPROTO_UDP,
	};
	struct atw_flow *flow;
	struct sk_buff *skb;

	skb = atw_packet_udp(key.laddr, key.lport, key.raddr, key.rport, "x", 1);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	rcu_read_lock();
	atw_udp_xmit(&t->nd, skb);
	flow = atw_flow_get(&t->nd.flows, &key);
	rcu_read_unlock();
	KUNIT_ASSERT_NOT_NULL(test, flow);
	flow->ops->yield(flow);
	flush_workqueue(atw_relay_wq);
	rcu_read_lock();
	KUNIT_EXPECT_TRUE(test, atw_flow_known(&t->nd.flows, &key));
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, 0LL, atomic64_read(&t->nd.counters.udp_dropped));
	atw_flow_put(flow);
	atw_flows_end(&t->nd.flows);
	atw_conns_gone(&m->conns);
}

/* Has its work, and its relay's, each behind the other, been done? Is it still there? */
static bool remains(struct table *t, const struct atw_flow_key *key)
{
	bool known;

	flush_workqueue(atw_relay_wq);
	flush_workqueue(atw_relay_wq);
	rcu_read_lock();
	known = atw_flow_known(&t->nd.flows, key);
	rcu_read_unlock();
	return known;
}

/* Nor does a stream whose program has just closed its half, or asked something before that. */
static void flow_streams_yield(struct kunit *test)
{
	struct net_device *dev = kunit_kzalloc(test, sizeof(*dev), GFP_KERNEL);
	struct table *t = fake_table(test);
	struct atw_module *m = fake_module(test, t);
	const struct atw_flow_key key = {
		.laddr = htonl(1),
		.raddr = htonl(2),
		.lport = htons(3),
		.rport = htons(4),
		.proto = IPPROTO_TCP,
	};
	const struct tcphdr th = { .source = key.lport, .dest = key.rport, .syn = 1 };
	struct atw_flow *flow;
	struct atw_relay *r;
	struct sk_buff *skb;
	unsigned long heard;
	struct atw_conn *c;

	KUNIT_ASSERT_NOT_NULL(test, dev);
	dev_net_set(dev, &init_net);
	t->nd.dev = dev;
	skb = atw_packet_segment(key.laddr, key.raddr, &th);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	rcu_read_lock();
	atw_tcp_xmit(&t->nd, skb);
	flow = atw_flow_get(&t->nd.flows, &key);
	rcu_read_unlock();
	KUNIT_ASSERT_NOT_NULL(test, flow);
	KUNIT_ASSERT_TRUE(test, remains(t, &key));
	c = list_first_entry_or_null(&m->conns.list, struct atw_conn, node);
	KUNIT_ASSERT_NOT_NULL(test, c);
	r = c->owner;
	spin_lock(&c->lock);
	c->ops->opened(c, 0, 0);
	spin_unlock(&c->lock);
	KUNIT_ASSERT_TRUE(test, remains(t, &key));
	/* The first of its kind's own: its socket is with the relay. */
	set_bit(ATW_FLOW_BIT_KIND, &flow->flags);
	set_bit(ATW_RELAY_BIT_FIN_IN, &r->flags);

	heard = jiffies - 1;
	WRITE_ONCE(r->heard, heard);
	flow->ops->yield(flow);
	KUNIT_EXPECT_TRUE(test, remains(t, &key) || jiffies - heard > ATW_FLOW_UNUSED);
	if (!remains(t, &key))
		goto end;
	/* What it has asked is not with the module yet. */
	WRITE_ONCE(r->heard, jiffies - HZ);
	set_bit(ATW_RELAY_BIT_UNSENT, &r->flags);
	flow->ops->yield(flow);
	KUNIT_EXPECT_TRUE(test, remains(t, &key));
	clear_bit(ATW_RELAY_BIT_UNSENT, &r->flags);
	flow->ops->yield(flow);
	KUNIT_EXPECT_FALSE(test, remains(t, &key));
end:
	atw_flow_put(flow);
	atw_flows_end(&t->nd.flows);
	atw_conns_gone(&m->conns);
}

/* A datagram for which there is no memory leaves no flow behind. */
static void flow_dgrams_refused(struct kunit *test)
{
	struct table *t = fake_table(test);
	struct sk_buff *skb;
	u8 share;

	skb = atw_packet_udp(htonl(1), htons(2), htonl(3), htons(4), "x", 1);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	share = atw_flow_share(skb, true);
	KUNIT_ASSERT_TRUE(test, atw_budget_take(&t->nd.tx_budget, share, ATW_BUDGET_MAX));
	rcu_read_lock();
	atw_udp_xmit(&t->nd, skb);
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, 1LL, atomic64_read(&t->nd.counters.udp_dropped));
	KUNIT_EXPECT_EQ(test, 0LL, atomic64_read(&t->nd.counters.udp_flows));
	KUNIT_EXPECT_EQ(test, 0U, atw_flows_count(&t->nd.flows, IPPROTO_UDP));
	KUNIT_EXPECT_EQ(test, ATW_BUDGET_MAX, atomic_read(&t->nd.tx_budget.used));
	atw_flows_end(&t->nd.flows);
}

static int take_all(struct atw_budget *b, u8 share)
{
	int taken = 0;

	while (atw_budget_take(b, share, 4096))
		taken += 4096;
	return taken;
}

/* However much of one user waits, there is room for what is another's. */
static void flow_users_have_memory(struct kunit *test)
{
	struct atw_budget *b = kunit_kzalloc(test, sizeof(*b), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, b);
	KUNIT_EXPECT_EQ(test, ATW_BUDGET_MAX / 2, take_all(b, ALICE));
	KUNIT_EXPECT_EQ(test, ATW_BUDGET_MAX / 4, take_all(b, BOB));
	KUNIT_EXPECT_EQ(test, 0, take_all(b, ALICE));
	atw_budget_give(b, ALICE, ATW_BUDGET_MAX / 2);
	KUNIT_EXPECT_EQ(test, ATW_BUDGET_MAX / 4, take_all(b, BOB));
	atw_budget_give(b, BOB, ATW_BUDGET_MAX / 2);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&b->used));
	KUNIT_EXPECT_EQ(test, ATW_BUDGET_MAX / 2, take_all(b, ALICE));
}

static struct kunit_case flow_cases[] = {
	KUNIT_CASE(flow_relay_opens),
	KUNIT_CASE(flow_dgrams_yield),
	KUNIT_CASE(flow_dgrams_refused),
	KUNIT_CASE(flow_streams_yield),
	KUNIT_CASE(flow_users_wait),
	KUNIT_CASE(flow_remotes_wait),
	KUNIT_CASE(flow_remotes_passed),
	KUNIT_CASE(flow_users_try),
	KUNIT_CASE(flow_waits_ask),
	KUNIT_CASE(flow_users_evict),
	KUNIT_CASE(flow_evicts_in_order),
	KUNIT_CASE(flow_several_evict),
	KUNIT_CASE(flow_waits_told),
	KUNIT_CASE(flow_waits_for_idle),
	KUNIT_CASE(flow_users_have_room),
	KUNIT_CASE(flow_users_have_memory),
	KUNIT_CASE(flow_forwarded),
	{ }
};

/* The driver's own, where that is there yet. */
static struct workqueue_struct *fake_wq;

static int flow_suite_init(struct kunit_suite *suite)
{
	if (atw_relay_wq)
		return 0;
	fake_wq = alloc_workqueue("atwifi_test", WQ_UNBOUND, 0);
	atw_relay_wq = fake_wq;
	return fake_wq ? 0 : -ENOMEM;
}

static void flow_suite_exit(struct kunit_suite *suite)
{
	if (!fake_wq)
		return;
	destroy_workqueue(fake_wq);
	fake_wq = NULL;
	atw_relay_wq = NULL;
}

static struct kunit_suite flow_suite = {
	.name = "atwifi_flow",
	.suite_init = flow_suite_init,
	.suite_exit = flow_suite_exit,
	.exit = flow_test_exit,
	.test_cases = flow_cases,
};

kunit_test_suites(&flow_suite);
