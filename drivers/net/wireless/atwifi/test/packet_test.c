// SPDX-License-Identifier: GPL-2.0-only
/* What is made of a name server's answer that was cut, and which packets are what. */
#include <kunit/test.h>
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/random.h>
#include <linux/skbuff.h>
#include <linux/string.h>
#include <net/ip.h>

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

#define HERE		0xc0a80302	/* 192.168.3.2 */
#define ALL		0xc0a803ff
#define REMOTE		0xc0000201

/* A datagram as it was transmitted, with the header's words that are given. */
static struct sk_buff *datagram(struct kunit *test, u32 saddr, u32 daddr, u16 frag, u16 port)
{
	struct sk_buff *skb = alloc_skb(ETH_HLEN + 28, GFP_KERNEL);
	struct iphdr *iph;
	__be16 *ports;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reset_mac_header(skb);
	memset(skb_put(skb, ETH_HLEN), 0x02, ETH_HLEN);
	skb_pull(skb, ETH_HLEN);
	skb_reset_network_header(skb);
	iph = skb_put_zero(skb, sizeof(*iph));
	iph->version = 4;
	iph->ihl = 5;
	iph->ttl = 1;
	iph->protocol = IPPROTO_UDP;
	iph->frag_off = htons(frag);
	iph->saddr = htonl(saddr);
	iph->daddr = htonl(daddr);
	ports = skb_put_zero(skb, 8);
	ports[1] = htons(port);
	return skb;
}

/* The ports of traceroute, in what has ports. */
static void packet_probes(struct kunit *test)
{
	static const struct {
		u16	frag, port;
		bool	is;
	} cases[] = {
		{ 0, 33433, false }, { 0, 33434, true }, { 0, 33534, true }, { 0, 33535, false },
		{ IP_DF, 33434, true }, { IP_MF, 33434, true },
		{ 1, 33434, false }, { IP_MF | 1, 33434, false }, { IP_OFFSET, 33434, false },
	};
	struct sk_buff *skb;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		skb = datagram(test, HERE, REMOTE, cases[i].frag, cases[i].port);
		KUNIT_EXPECT_EQ_MSG(test, cases[i].is, atw_packet_is_probe(skb), "case %u", i);
		ip_hdr(skb)->ttl = ATW_PACKET_PROBE_TTL + 1;
		KUNIT_EXPECT_FALSE(test, atw_packet_is_probe(skb));
		kfree_skb(skb);
	}
}

/* What is for all is for nobody, whichever of its addresses says so. */
static void packet_unicast(struct kunit *test)
{
	static const u32 nobody[] = {
		ALL, INADDR_BROADCAST, 0xe00000fb, 0xefffffff, 0x7f000001, 0,
	};
	struct sk_buff *skb;
	unsigned int i;

	skb = datagram(test, HERE, REMOTE, 0, 53);
	KUNIT_EXPECT_TRUE(test, atw_packet_is_unicast(skb, htonl(ALL)));
	eth_hdr(skb)->h_dest[0] = 0x01;
	KUNIT_EXPECT_FALSE(test, atw_packet_is_unicast(skb, htonl(ALL)));
	eth_broadcast_addr(eth_hdr(skb)->h_dest);
	KUNIT_EXPECT_FALSE(test, atw_packet_is_unicast(skb, htonl(ALL)));
	kfree_skb(skb);
	for (i = 0; i < ARRAY_SIZE(nobody); i++) {
		skb = datagram(test, HERE, nobody[i], 0, 53);
		KUNIT_EXPECT_FALSE_MSG(test, atw_packet_is_unicast(skb, htonl(ALL)), "case %u", i);
		kfree_skb(skb);
		skb = datagram(test, nobody[i], REMOTE, 0, 53);
		KUNIT_EXPECT_FALSE_MSG(test, atw_packet_is_unicast(skb, htonl(ALL)), "case %u", i);
		kfree_skb(skb);
	}
}

static struct kunit_case packet_cases[] = {
	KUNIT_CASE(packet_probes),
	KUNIT_CASE(packet_unicast),
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
