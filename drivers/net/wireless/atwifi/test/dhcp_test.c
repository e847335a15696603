// SPDX-License-Identifier: GPL-2.0-only
/* DHCP: what is answered to whom, and that nothing a client sends does harm. */
#include <kunit/test.h>
#include <linux/random.h>
#include <linux/string.h>

#include "../dhcp.h"

static const u8 mac[ETH_ALEN] = { 0x7c, 0xb9, 0x4c, 0x1d, 0xc6, 0x31 };

static const struct atw_lease lease = {
	.addr = 0xc0a8038e,		/* 192.168.3.142 */
	.gateway = 0xc0a80301,
	.dns = { 0x08080808 },
};

/* Offsets of RFC 2131. */
#define XID	4
#define FLAGS	10
#define CIADDR	12
#define YIADDR	16
#define GIADDR	24
#define CHADDR	28
#define MAGIC	236
#define OPTIONS	240

struct request {
	u8	buf[548];
	size_t	len;
};

static void option(struct request *r, u8 code, const void *data, u8 len)
{
	r->buf[r->len++] = code;
	r->buf[r->len++] = len;
	memcpy(r->buf + r->len, data, len);
	r->len += len;
}

static void request(struct request *r, u8 type)
{
	static const u8 magic[] = { 0x63, 0x82, 0x53, 0x63 };

	memset(r, 0, sizeof(*r));
	r->buf[0] = 1;
	r->buf[1] = 1;
	r->buf[2] = ETH_ALEN;
	memcpy(r->buf + XID, "abcd", 4);
	memcpy(r->buf + CHADDR, mac, ETH_ALEN);
	memcpy(r->buf + MAGIC, magic, sizeof(magic));
	r->len = OPTIONS;
	option(r, 53, &type, 1);
}

static bool answer(struct request *r, struct atw_dhcp_reply *reply)
{
	r->buf[r->len++] = 255;
	return atw_dhcp_answer(&lease, mac, r->buf, r->len, reply);
}

/* The option with its length, or NULL. */
static const u8 *find(const struct atw_dhcp_reply *reply, u8 code)
{
	size_t i = OPTIONS;

	while (i + 1 < reply->len && reply->buf[i] != 255) {
		if (reply->buf[i] == code)
			return reply->buf + i + 1;
		i += 2 + reply->buf[i + 1];
	}
	return NULL;
}

static u32 number(const u8 *opt)
{
	return opt && opt[0] == 4 ? opt[1] << 24 | opt[2] << 16 | opt[3] << 8 |
				    opt[4] : 0;
}

static u8 reply_type(const struct atw_dhcp_reply *reply)
{
	const u8 *opt = find(reply, 53);

	return opt ? opt[1] : 0;
}

static void dhcp_discover(struct kunit *test)
{
	static struct atw_dhcp_reply reply;
	static struct request r;

	request(&r, 1);
	option(&r, 61, "client", 6);
	KUNIT_ASSERT_TRUE(test, answer(&r, &reply));
	KUNIT_EXPECT_EQ(test, reply_type(&reply), 2);
	KUNIT_EXPECT_EQ(test, reply.buf[0], 2);
	KUNIT_EXPECT_EQ(test, memcmp(reply.buf + XID, "abcd", 4), 0);
	KUNIT_EXPECT_EQ(test, memcmp(reply.buf + YIADDR, "\xc0\xa8\x03\x8e", 4), 0);
	KUNIT_EXPECT_EQ(test, memcmp(reply.buf + CHADDR, mac, ETH_ALEN), 0);
	KUNIT_EXPECT_EQ(test, number(find(&reply, 1)), 0xffffff00);
	KUNIT_EXPECT_EQ(test, number(find(&reply, 3)), lease.gateway);
	KUNIT_EXPECT_EQ(test, number(find(&reply, 6)), lease.dns[0]);
	KUNIT_EXPECT_EQ(test, number(find(&reply, 54)), lease.gateway);
	KUNIT_EXPECT_GT(test, number(find(&reply, 51)), number(find(&reply, 59)));
	KUNIT_EXPECT_GT(test, number(find(&reply, 59)), number(find(&reply, 58)));
	KUNIT_ASSERT_NOT_NULL(test, find(&reply, 61));
	KUNIT_EXPECT_EQ(test, memcmp(find(&reply, 61), "\6client", 7), 0);
	KUNIT_EXPECT_GE(test, reply.len, (size_t)300);
	KUNIT_EXPECT_EQ(test, reply.daddr, lease.addr);

	request(&r, 1);
	r.buf[FLAGS] = 0x80;
	KUNIT_ASSERT_TRUE(test, answer(&r, &reply));
	KUNIT_EXPECT_EQ(test, reply.daddr, 0xffffffff);
}

static void dhcp_request(struct kunit *test)
{
	static const u8 ours[] = { 0xc0, 0xa8, 0x03, 0x8e };
	static const u8 other[] = { 0xc0, 0xa8, 0x03, 0x8f };
	static struct atw_dhcp_reply reply;
	static struct request r;

	/* After an offer, or of a client that knows its old lease. */
	request(&r, 3);
	option(&r, 50, ours, 4);
	KUNIT_ASSERT_TRUE(test, answer(&r, &reply));
	KUNIT_EXPECT_EQ(test, reply_type(&reply), 5);

	request(&r, 3);
	option(&r, 50, other, 4);
	KUNIT_ASSERT_TRUE(test, answer(&r, &reply));
	KUNIT_EXPECT_EQ(test, reply_type(&reply), 6);
	KUNIT_EXPECT_EQ(test, reply.daddr, 0xffffffff);
	KUNIT_EXPECT_PTR_EQ(test, find(&reply, 51), NULL);

	/* Another server's offer was taken. */
	request(&r, 3);
	option(&r, 50, ours, 4);
	option(&r, 54, other, 4);
	KUNIT_EXPECT_FALSE(test, answer(&r, &reply));

	/* Renewals. */
	request(&r, 3);
	memcpy(r.buf + CIADDR, ours, 4);
	KUNIT_ASSERT_TRUE(test, answer(&r, &reply));
	KUNIT_EXPECT_EQ(test, reply_type(&reply), 5);
	KUNIT_EXPECT_EQ(test, reply.daddr, lease.addr);

	request(&r, 3);
	memcpy(r.buf + CIADDR, other, 4);
	KUNIT_ASSERT_TRUE(test, answer(&r, &reply));
	KUNIT_EXPECT_EQ(test, reply_type(&reply), 6);

	/* A host with an address of its own. */
	request(&r, 8);
	memcpy(r.buf + CIADDR, other, 4);
	KUNIT_ASSERT_TRUE(test, answer(&r, &reply));
	KUNIT_EXPECT_EQ(test, reply_type(&reply), 5);
	KUNIT_EXPECT_EQ(test, memcmp(reply.buf + YIADDR, "\0\0\0\0", 4), 0);
	KUNIT_EXPECT_PTR_EQ(test, find(&reply, 51), NULL);
	KUNIT_EXPECT_EQ(test, reply.daddr, 0xffffffff);

	/* Nothing is sent to where a program would have it sent. */
	request(&r, 3);
	option(&r, 50, ours, 4);
	memcpy(r.buf + CIADDR, other, 4);
	KUNIT_ASSERT_TRUE(test, answer(&r, &reply));
	KUNIT_EXPECT_EQ(test, reply.daddr, 0xffffffff);
	request(&r, 1);
	memcpy(r.buf + CIADDR, other, 4);
	KUNIT_ASSERT_TRUE(test, answer(&r, &reply));
	KUNIT_EXPECT_EQ(test, reply.daddr, 0xffffffff);
}

static void dhcp_silence(struct kunit *test)
{
	static const u8 types[] = { 0, 2, 4, 5, 6, 7, 9, 255 };
	static const struct atw_lease none;
	static struct atw_dhcp_reply reply;
	static struct request r;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		request(&r, types[i]);
		KUNIT_EXPECT_FALSE_MSG(test, answer(&r, &reply), "type %u",
				       types[i]);
	}
	request(&r, 1);
	r.buf[CHADDR]++;
	KUNIT_EXPECT_FALSE(test, answer(&r, &reply));
	request(&r, 1);
	r.buf[GIADDR] = 10;
	KUNIT_EXPECT_FALSE(test, answer(&r, &reply));
	request(&r, 1);
	r.buf[MAGIC]++;
	KUNIT_EXPECT_FALSE(test, answer(&r, &reply));
	request(&r, 1);
	KUNIT_EXPECT_FALSE(test, atw_dhcp_answer(&none, mac, r.buf, r.len,
						 &reply));
}

/* The mask is not known: it must at least reach the gateway. */
static void dhcp_mask(struct kunit *test)
{
	static const struct {
		u32 addr, gateway, told, mask;
	} cases[] = {
		{ 0xc0a8038e, 0xc0a80301, 0, 0xffffff00 },
		{ 0xc0a8038e, 0xc0a80201, 0, 0xfffffe00 },
		{ 0xc0a8038e, 0, 0, 0xffffff00 },
		{ 0x0a00000a, 0x0a800001, 0, 0xff000000 },
		/* There is no network of both, and half of the Internet is none. */
		{ 0x0a00000a, 0x0b000001, 0, 0xffffffff },
		{ 0x0a00000a, 0x8a000001, 0, 0xffffffff },
		{ 0xc0a8038e, 0xc0a80301, 0xffff0000, 0xffff0000 },
	};
	static struct atw_dhcp_reply reply;
	static struct request r;
	struct atw_lease l;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		l = (struct atw_lease) {
			.addr = cases[i].addr,
			.gateway = cases[i].gateway,
			.mask = cases[i].told,
		};
		request(&r, 1);
		KUNIT_ASSERT_TRUE(test, atw_dhcp_answer(&l, mac, r.buf, r.len,
							&reply));
		KUNIT_EXPECT_EQ_MSG(test, number(find(&reply, 1)),
				    cases[i].mask, "case %zu", i);
		KUNIT_EXPECT_EQ(test, number(find(&reply, 3)), cases[i].gateway);
	}
}

/* Cut anywhere, and with options that lie about their length. */
static void dhcp_garbage(struct kunit *test)
{
	static struct atw_dhcp_reply reply;
	static struct request r;
	size_t len, i;
	u8 *copy;

	request(&r, 1);
	option(&r, 61, "client", 6);
	for (len = 0; len < r.len; len++) {
		/* Of its own size, so that KASAN sees a byte too many. */
		copy = kunit_kzalloc(test, len + 1, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, copy);
		memcpy(copy + 1, r.buf, len);
		KUNIT_EXPECT_EQ_MSG(test,
				    atw_dhcp_answer(&lease, mac, copy + 1, len,
						    &reply),
				    len == OPTIONS + 3, "%zu bytes", len);
	}
	for (i = 0; i < 2000; i++) {
		request(&r, 1 + i % 8);
		get_random_bytes(r.buf + OPTIONS + 3, 64);
		len = OPTIONS + 3 + get_random_u32() % 65;
		copy = kunit_kzalloc(test, len, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, copy);
		memcpy(copy, r.buf, len);
		if (atw_dhcp_answer(&lease, mac, copy, len, &reply))
			KUNIT_EXPECT_LE(test, reply.len, sizeof(reply.buf));
		kunit_kfree(test, copy);
	}
}

/* The address of all hosts, where there is one of its own. */
static void dhcp_broadcast(struct kunit *test)
{
	struct atw_lease other = lease;

	other.mask = 0xffffff00;
	KUNIT_EXPECT_EQ(test, 0xc0a803ffU, atw_dhcp_broadcast(&other));
	/* What is guessed may be a host's. */
	other.mask = 0;
	KUNIT_EXPECT_EQ(test, 0xffffffffU, atw_dhcp_broadcast(&other));
	other.mask = 0xfffffff0;
	KUNIT_EXPECT_EQ(test, 0xc0a8038fU, atw_dhcp_broadcast(&other));
	other.mask = 0xfffffffe;
	KUNIT_EXPECT_EQ(test, 0xffffffffU, atw_dhcp_broadcast(&other));
	other.mask = 0xffffffff;
	KUNIT_EXPECT_EQ(test, 0xffffffffU, atw_dhcp_broadcast(&other));
	memset(&other, 0, sizeof(other));
	KUNIT_EXPECT_EQ(test, 0xffffffffU, atw_dhcp_broadcast(&other));
}

static struct kunit_case dhcp_cases[] = {
	KUNIT_CASE(dhcp_broadcast),
	KUNIT_CASE(dhcp_discover),
	KUNIT_CASE(dhcp_request),
	KUNIT_CASE(dhcp_silence),
	KUNIT_CASE(dhcp_mask),
	KUNIT_CASE(dhcp_garbage),
	{}
};

static struct kunit_suite dhcp_suite = {
	.name = "atwifi_dhcp",
	.test_cases = dhcp_cases,
};

kunit_test_suites(&dhcp_suite);
