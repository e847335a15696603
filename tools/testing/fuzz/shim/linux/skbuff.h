/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Buffers and checksums as the kernel has them, as far as packet.c wants. A buffer has
 * no byte more than it needs, and is another one after each pull: who keeps a pointer
 * into the old one is found. What the kernel would warn of, or panic, ends the fuzzer.
 */
#ifndef FUZZ_LINUX_SKBUFF_H
#define FUZZ_LINUX_SKBUFF_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sanitizer/asan_interface.h>

#include <asm/byteorder.h>
#include <linux/types.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

#define U16_MAX			65535
#define LL_MAX_HEADER		64
#define GFP_ATOMIC		0
#define NF_INET_LOCAL_IN	1
#define IP_DF			0x4000
#define IP_MF			0x2000
#define IP_OFFSET		0x1fff
#define TCPOPT_EOL		0
#define TCPOPT_NOP		1
#define TCPOPT_MD5SIG		19
#define CSUM_MANGLED_0		((__sum16)0xffff)

#define ntohs			be16toh
#define ntohl			be32toh
#define htons			htobe16
#define htonl			htobe32
#define min_t(type, a, b) ({		\
	type _a = (a), _b = (b);	\
					\
	_a < _b ? _a : _b;		\
})

enum { CHECKSUM_NONE, CHECKSUM_UNNECESSARY, CHECKSUM_COMPLETE, CHECKSUM_PARTIAL };

struct ethhdr {
	u8	h_dest[ETH_ALEN];
	u8	h_source[ETH_ALEN];
	__be16	h_proto;
} __packed;

/**
 * struct sk_buff - a packet
 * @pad: bytes before @head, with which its IP header is aligned
 * @head, @size: the bytes that can be read; those of others are in @rest
 * @data: where it begins
 * @tail: where the readable part ends
 * @rest, @data_len: what must be pulled first
 */
struct sk_buff {
	u8		*head, *data, *tail, *rest;
	size_t		size, pad;
	unsigned int	len, data_len;
	unsigned int	network_header, transport_header;
	unsigned int	csum_start, csum_offset;
	int		ip_summed;
	bool		vlan;
};

static inline void skb_complain(const char *what)
{
	fprintf(stderr, "the kernel says: %s\n", what);
	abort();
}

static inline unsigned int skb_headlen(const struct sk_buff *skb)
{
	return skb->len - skb->data_len;
}

static inline struct sk_buff *alloc_skb_padded(size_t size, size_t pad)
{
	struct sk_buff *skb = calloc(1, sizeof(*skb));

	skb->head = (u8 *)malloc(pad + size) + pad;
	skb->data = skb->head;
	skb->tail = skb->head;
	skb->size = size;
	skb->pad = pad;
	return skb;
}

static inline struct sk_buff *alloc_skb(size_t size, int gfp)
{
	(void)gfp;
	return alloc_skb_padded(size, 0);
}

static inline void kfree_skb(struct sk_buff *skb)
{
	if (!skb)
		return;
	__asan_unpoison_memory_region(skb->head, skb->size);
	free(skb->head - skb->pad);
	free(skb->rest);
	free(skb);
}

static inline void skb_reserve(struct sk_buff *skb, int len)
{
	skb->data += len;
	skb->tail += len;
}

static inline void *skb_put(struct sk_buff *skb, unsigned int len)
{
	u8 *at = skb->tail;

	if (skb->data_len || len > skb->size - (at - skb->head))
		skb_complain("skb_over_panic");
	skb->tail += len;
	skb->len += len;
	return at;
}

static inline void *skb_put_zero(struct sk_buff *skb, unsigned int len)
{
	return memset(skb_put(skb, len), 0, len);
}

static inline void *skb_put_data(struct sk_buff *skb, const void *data, unsigned int len)
{
	return memcpy(skb_put(skb, len), data, len);
}

/* A new buffer with all that can be read already, and @n bytes more. */
static inline void skb_pull_tail(struct sk_buff *skb, unsigned int n)
{
	size_t off = skb->data - skb->head, used = skb->tail - skb->head;
	u8 *head = (u8 *)malloc(skb->pad + used + n) + skb->pad, *rest;

	memcpy(head, skb->head, used);
	memcpy(head + used, skb->rest, n);
	rest = malloc(skb->data_len - n);
	memcpy(rest, skb->rest + n, skb->data_len - n);
	__asan_unpoison_memory_region(skb->head, skb->size);
	free(skb->head - skb->pad);
	free(skb->rest);
	skb->head = head;
	skb->size = used + n;
	skb->data = head + off;
	skb->tail = head + used + n;
	skb->rest = rest;
	skb->data_len -= n;
}

static inline bool pskb_may_pull(struct sk_buff *skb, unsigned int len)
{
	if (len > skb->len)
		return false;
	if (len > skb_headlen(skb))
		skb_pull_tail(skb, len - skb_headlen(skb));
	return true;
}

static inline void skb_pull_rcsum(struct sk_buff *skb, unsigned int len)
{
	if (len > skb_headlen(skb))
		skb_complain("skb_pull_rcsum");
	skb->data += len;
	skb->len -= len;
}

static inline void skb_reset_network_header(struct sk_buff *skb)
{
	skb->network_header = skb->data - skb->head;
}

static inline void skb_set_transport_header(struct sk_buff *skb, int off)
{
	skb->transport_header = skb->data - skb->head + off;
}

static inline int skb_network_offset(const struct sk_buff *skb)
{
	return (int)skb->network_header - (int)(skb->data - skb->head);
}

static inline struct ethhdr *eth_hdr(const struct sk_buff *skb)
{
	return (struct ethhdr *)skb->head;
}

static inline struct iphdr *ip_hdr(const struct sk_buff *skb)
{
	return (struct iphdr *)(skb->head + skb->network_header);
}

static inline unsigned int ip_hdrlen(const struct sk_buff *skb)
{
	return ip_hdr(skb)->ihl * 4;
}

static inline bool skb_vlan_tag_present(const struct sk_buff *skb)
{
	return skb->vlan;
}

static inline int skb_copy_bits(const struct sk_buff *skb, int off, void *to, int len)
{
	int linear = (int)skb_headlen(skb) - off;

	if (off > (int)skb->len - len)
		return -EFAULT;
	if (linear > len)
		linear = len;
	if (linear > 0)
		memcpy(to, skb->data + off, linear);
	else
		linear = 0;
	memcpy((u8 *)to + linear, skb->rest + off + linear - (int)skb_headlen(skb),
	       len - linear);
	return 0;
}

static inline void *skb_header_pointer(const struct sk_buff *skb, int off, int len,
				       void *buf)
{
	if ((int)skb_headlen(skb) - off >= len)
		return skb->data + off;
	return skb_copy_bits(skb, off, buf, len) ? NULL : buf;
}

/* ---- checksums ---- */

static inline __wsum csum_partial(const void *data, int len, __wsum sum)
{
	const u8 *p = data;
	u64 n = sum;
	u16 word;

	for (; len > 1; len -= 2, p += 2) {
		memcpy(&word, p, 2);
		n += word;
	}
	if (len) {
		word = 0;
		memcpy(&word, p, 1);
		n += word;
	}
	while (n >> 32)
		n = (n & 0xffffffff) + (n >> 32);
	return n;
}

static inline __sum16 csum_fold(__wsum sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static inline __sum16 ip_compute_csum(const void *data, int len)
{
	return csum_fold(csum_partial(data, len, 0));
}

static inline __sum16 ip_fast_csum(const void *iph, unsigned int ihl)
{
	return ip_compute_csum(iph, ihl * 4);
}

static inline void ip_send_check(struct iphdr *iph)
{
	iph->check = 0;
	iph->check = ip_fast_csum(iph, iph->ihl);
}

static inline __wsum csum_pseudo(__be32 saddr, __be32 daddr, u32 len, u8 proto, __wsum sum)
{
	const struct {
		__be32 saddr, daddr;
		__be16 proto, len;
	} pseudo = { saddr, daddr, htons(proto), htons(len) };

	return csum_partial(&pseudo, sizeof(pseudo), sum);
}

static inline __sum16 tcp_v4_check(int len, __be32 saddr, __be32 daddr, __wsum sum)
{
	return csum_fold(csum_pseudo(saddr, daddr, len, IPPROTO_TCP, sum));
}

static inline __sum16 udp_v4_check(int len, __be32 saddr, __be32 daddr, __wsum sum)
{
	return csum_fold(csum_pseudo(saddr, daddr, len, IPPROTO_UDP, sum));
}

static inline __wsum skb_checksum(const struct sk_buff *skb, int off, int len)
{
	u8 *copy = malloc(len);
	__wsum sum;

	if (skb_copy_bits(skb, off, copy, len))
		skb_complain("skb_checksum");
	sum = csum_partial(copy, len, 0);
	free(copy);
	return sum;
}

static inline __sum16 nf_ip_checksum(struct sk_buff *skb, unsigned int hook,
				     unsigned int off, u8 proto)
{
	const struct iphdr *iph = ip_hdr(skb);
	__wsum sum = 0;

	(void)hook;
	if (skb->ip_summed != CHECKSUM_NONE)
		return 0;
	if (proto)
		sum = csum_pseudo(iph->saddr, iph->daddr, skb->len - off, proto, 0);
	return csum_fold(csum_partial(&sum, sizeof(sum), skb_checksum(skb, 0, skb->len)));
}

static inline int skb_checksum_start_offset(const struct sk_buff *skb)
{
	return (int)skb->csum_start - (int)(skb->data - skb->head);
}

static inline int skb_checksum_help(struct sk_buff *skb)
{
	int off = skb_checksum_start_offset(skb);
	__sum16 sum;

	if (off < 0 || off >= (int)skb_headlen(skb) ||
	    off + skb->csum_offset + 2 > skb_headlen(skb))
		skb_complain("offset >= skb_headlen()");
	sum = csum_fold(skb_checksum(skb, off, skb->len - off));
	if (!sum)
		sum = CSUM_MANGLED_0;
	/* To be written to it may have to be another one. */
	skb_pull_tail(skb, 0);
	memcpy(skb->data + off + skb->csum_offset, &sum, sizeof(sum));
	skb->ip_summed = CHECKSUM_NONE;
	return 0;
}

static inline int pskb_trim_rcsum(struct sk_buff *skb, unsigned int len)
{
	unsigned int linear = skb_headlen(skb);

	if (len >= skb->len)
		return 0;
	if (skb->ip_summed == CHECKSUM_PARTIAL &&
	    skb_checksum_start_offset(skb) + (int)skb->csum_offset + 2 >
	    (int)(len < linear ? len : linear))
		return -EINVAL;
	if (len < linear) {
		/* What is behind it is nobody's any more. */
		__asan_poison_memory_region(skb->data + len, linear - len);
		skb->tail = skb->data + len;
		skb->data_len = 0;
	} else {
		skb->data_len = len - linear;
		skb->rest = realloc(skb->rest, skb->data_len ? skb->data_len : 1);
	}
	skb->len = len;
	return 0;
}

/* ---- addresses ---- */

static inline bool is_multicast_ether_addr(const u8 *addr)
{
	return addr[0] & 1;
}

static inline bool ipv4_is_multicast(__be32 addr)
{
	return ntohl(addr) >> 28 == 14;
}

static inline bool ipv4_is_lbcast(__be32 addr)
{
	return ntohl(addr) == 0xffffffff;
}

static inline bool ipv4_is_loopback(__be32 addr)
{
	return ntohl(addr) >> 24 == 127;
}

static inline bool ipv4_is_zeronet(__be32 addr)
{
	return !(ntohl(addr) >> 24);
}

static inline bool ip_is_fragment(const struct iphdr *iph)
{
	return iph->frag_off & htons(IP_MF | IP_OFFSET);
}

#endif
