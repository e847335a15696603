// SPDX-License-Identifier: GPL-2.0
/* What is made of a name server's answer that was cut. */
#include <kunit/test.h>
#include <linux/random.h>
#include <linux/string.h>

#include "../packet.h"

#define HEADER	12

/* What came, with the header's flags, counts and question that are given. */
struct answer {
	u8	buf[1024];
	size_t	len;
};

static void begin(struct answer *a, u8 flags, u8 questions)
{
	static const u8 rest[] = { 0x80, 0, 0, 0, 40, 0, 1, 0, 2 };

	memset(a, 0xaa, sizeof(*a));
	a->buf[2] = flags;
	memcpy(a->buf + 3, rest, sizeof(rest));
	a->buf[5] = questions;
	a->len = HEADER;
}

static void label(struct answer *a, u8 len)
{
	a->buf[a->len++] = len;
	a->len += len;
}

static void end(struct answer *a)
{
	static const u8 rest[] = { 0, 0, 16, 0, 1 };

	memcpy(a->buf + a->len, rest, sizeof(rest));
	a->len += sizeof(rest);
}

static void dns_is_cut(struct kunit *test)
{
	struct answer *a = kunit_kzalloc(test, sizeof(*a), GFP_KERNEL);
	struct answer *was = kunit_kzalloc(test, sizeof(*a), GFP_KERNEL);
	static const u8 longest[] = { 63, 63, 63, 61 };
	size_t i;

	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_ASSERT_NOT_NULL(test, was);
	begin(a, 0x81, 1);
	label(a, 7);
	label(a, 4);
	end(a);
	*was = *a;
	KUNIT_EXPECT_EQ(test, atw_packet_dns_cut(a->buf, sizeof(a->buf)), was->len);
	KUNIT_EXPECT_EQ(test, a->buf[2], 0x83);
	KUNIT_EXPECT_EQ(test, memcmp(a->buf, was->buf, 2), 0);
	KUNIT_EXPECT_EQ(test, memcmp(a->buf + 3, was->buf + 3, 3), 0);
	for (i = 6; i < HEADER; i++)
		KUNIT_EXPECT_EQ(test, a->buf[i], 0);
	KUNIT_EXPECT_EQ(test, memcmp(a->buf + HEADER, was->buf + HEADER,
				     was->len - HEADER), 0);

	/* Nothing behind the question is needed; a part of it is not enough. */
	for (i = 0; i < was->len; i++) {
		*a = *was;
		KUNIT_EXPECT_EQ(test, atw_packet_dns_cut(a->buf, i), 0);
		KUNIT_EXPECT_EQ(test, memcmp(a, was, sizeof(*a)), 0);
	}
	KUNIT_EXPECT_EQ(test, atw_packet_dns_cut(a->buf, was->len), was->len);

	/* The root, and the longest name that there can be. */
	begin(a, 0x80, 1);
	end(a);
	KUNIT_EXPECT_EQ(test, atw_packet_dns_cut(a->buf, sizeof(a->buf)), a->len);
	begin(a, 0x80, 1);
	for (i = 0; i < ARRAY_SIZE(longest); i++)
		label(a, longest[i]);
	end(a);
	KUNIT_EXPECT_EQ(test, a->len, HEADER + 255 + 4);
	KUNIT_EXPECT_EQ(test, atw_packet_dns_cut(a->buf, sizeof(a->buf)), a->len);
}

static void dns_is_none(struct kunit *test)
{
	struct answer *a = kunit_kzalloc(test, sizeof(*a), GFP_KERNEL);
	size_t i;

	KUNIT_ASSERT_NOT_NULL(test, a);
	/* A question; none, and more than one. */
	begin(a, 0x01, 1);
	end(a);
	KUNIT_EXPECT_EQ(test, atw_packet_dns_cut(a->buf, sizeof(a->buf)), 0);
	begin(a, 0x81, 0);
	end(a);
	KUNIT_EXPECT_EQ(test, atw_packet_dns_cut(a->buf, sizeof(a->buf)), 0);
	begin(a, 0x81, 2);
	end(a);
	KUNIT_EXPECT_EQ(test, atw_packet_dns_cut(a->buf, sizeof(a->buf)), 0);
	begin(a, 0x81, 1);
	a->buf[4] = 1;
	end(a);
	KUNIT_EXPECT_EQ(test, atw_packet_dns_cut(a->buf, sizeof(a->buf)), 0);
	/* A pointer, and what no label begins with. */
	for (i = 64; i < 256; i++) {
		begin(a, 0x81, 1);
		label(a, 3);
		a->buf[a->len++] = i;
		end(a);
		KUNIT_EXPECT_EQ(test, atw_packet_dns_cut(a->buf, sizeof(a->buf)), 0);
	}
	/* A name of one byte too many. */
	begin(a, 0x81, 1);
	label(a, 63);
	label(a, 63);
	label(a, 63);
	label(a, 62);
	end(a);
	KUNIT_EXPECT_EQ(test, atw_packet_dns_cut(a->buf, sizeof(a->buf)), 0);
	/* One that has no end. */
	begin(a, 0x81, 1);
	while (a->len < 900)
		label(a, 63);
	KUNIT_EXPECT_EQ(test, atw_packet_dns_cut(a->buf, a->len), 0);
}

/* Whatever it is, nothing beyond its end is looked at: KASAN would tell. */
static void dns_is_noise(struct kunit *test)
{
	size_t len, cut;
	int i;
	u8 *buf;

	for (i = 0; i < 20000; i++) {
		len = get_random_u32() % 80;
		buf = kmalloc(len, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, buf);
		get_random_bytes(buf, len);
		if (len > 5 && i % 2) {
			buf[2] |= 0x80;
			buf[4] = 0;
			buf[5] = 1;
			if (len > HEADER)
				buf[HEADER] %= 16;
		}
		cut = atw_packet_dns_cut(buf, len);
		kfree(buf);
		KUNIT_ASSERT_LE(test, cut, len);
	}
}

static struct kunit_case packet_cases[] = {
	KUNIT_CASE(dns_is_cut),
	KUNIT_CASE(dns_is_none),
	KUNIT_CASE(dns_is_noise),
	{}
};

static struct kunit_suite packet_suite = {
	.name = "atwifi_packet",
	.test_cases = packet_cases,
};

kunit_test_suites(&packet_suite);
