// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames of anybody's, who has raw sockets or a virtual machine behind the network
 * device: what is let pass is as long as it says and can be read, and what answers it
 * is a packet that its sender's kernel takes. And name servers' answers that were cut.
 */
#include <string.h>

#include <linux/icmp.h>
#include <linux/tcp.h>

#include "fuzz.h"
#include "packet.h"

#define FRAME_MAX	2048

/* What the first byte chooses. */
enum {
	MEND_IP		= 1,	/* an IP header that is sound, but for its length */
	MEND_LEN	= 2,	/* and that as well */
	MEND_UDP	= 4,	/* a datagram's length and checksum */
	PARTIAL		= 8,	/* its checksum is left to us */
	VLAN		= 16,
	PIECES		= 32,	/* not all of it can be read at once */
	SPOIL		= 64,	/* the sum is wrong after all */
};

/* Bytes alone hardly ever have the right sum. */
static void mend(u8 *frame, size_t len, u8 how)
{
	static const u8 proto[] = { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP };
	struct iphdr *iph = (struct iphdr *)(frame + ETH_HLEN);
	size_t left = len - ETH_HLEN, ihl;
	struct udphdr *uh;

	if (len < ETH_HLEN + sizeof(*iph) || !(how & MEND_IP))
		return;
	frame[12] = ETH_P_IP >> 8;
	frame[13] = ETH_P_IP & 255;
	iph->version = 4;
	if (iph->ihl < 5)
		iph->ihl = 5;
	if (iph->protocol & 3)
		iph->protocol = proto[(iph->protocol & 3) - 1];
	if (how & MEND_LEN)
		iph->tot_len = htons(left);
	ihl = iph->ihl * 4;
	if (ihl > left)
		return;
	ip_send_check(iph);
	if (how & SPOIL)
		iph->check ^= htons(1);
	if (!(how & MEND_UDP) || iph->protocol != IPPROTO_UDP || left < ihl + sizeof(*uh))
		return;
	uh = (struct udphdr *)((u8 *)iph + ihl);
	uh->len = htons(left - ihl);
	uh->check = 0;
	uh->check = udp_v4_check(left - ihl, iph->saddr, iph->daddr,
				 csum_partial(uh, left - ihl, 0));
}

static struct sk_buff *make(const u8 *frame, size_t len, size_t linear)
{
	struct sk_buff *skb = alloc_skb_padded(linear, 2);

	skb_put_data(skb, frame, linear);
	skb->rest = malloc(len - linear);
	memcpy(skb->rest, frame + linear, len - linear);
	skb->data_len = len - linear;
	skb->len = len;
	return skb;
}

/* An answer to @skb, or of nobody's: its own words, taken by who gets it. */
static void check_answer(struct sk_buff *a, const struct sk_buff *skb, u8 proto)
{
	const struct iphdr *iph = ip_hdr(a);

	if (a->data_len || a->len < sizeof(*iph) || iph->version != 4 || iph->ihl != 5 ||
	    ntohs(iph->tot_len) != a->len || ip_fast_csum(iph, 5) || iph->protocol != proto)
		DIE("the answer's IP header");
	if ((u8 *)iph != a->data || a->data - a->head < ETH_HLEN)
		DIE("no room for an Ethernet header");
	if (skb && (iph->saddr != ip_hdr(skb)->daddr || iph->daddr != ip_hdr(skb)->saddr))
		DIE("the answer goes elsewhere");
}

static void check_error(const struct sk_buff *skb, u8 code, u16 mtu)
{
	struct sk_buff *a = atw_packet_icmp_error(skb, code, mtu);
	const struct iphdr *to = ip_hdr(skb);
	const struct icmphdr *icmph;
	u8 *quote, said[600];

	if (!a)
		return;
	check_answer(a, skb, IPPROTO_ICMP);
	if (to->protocol == IPPROTO_ICMP || to->frag_off & htons(IP_OFFSET) ||
	    ipv4_is_multicast(to->daddr) || ipv4_is_lbcast(to->daddr) ||
	    ipv4_is_multicast(to->saddr) || ipv4_is_zeronet(to->saddr))
		DIE("an error that must not be answered is");
	icmph = (void *)(a->data + sizeof(struct iphdr));
	quote = (u8 *)(icmph + 1);
	if (a->len > 576 || icmph->type != ICMP_DEST_UNREACH || icmph->code != code ||
	    icmph->un.frag.mtu != htons(mtu) ||
	    ip_compute_csum(icmph, a->len - sizeof(struct iphdr)))
		DIE("an error of %u bytes", a->len);
	if (skb_copy_bits(skb, 0, said, a->tail - quote) ||
	    memcmp(quote, said, a->tail - quote) ||
	    (a->len < 500 && a->tail - quote != (long)skb->len))
		DIE("an error that quotes something else");
	kfree_skb(a);
}

static void check_echo(const struct sk_buff *skb)
{
	size_t off = ip_hdrlen(skb), len = skb->len - off;
	struct icmphdr *icmph;
	struct sk_buff *a;
	u8 *said;

	a = atw_packet_icmp_echo_reply(skb);
	check_answer(a, skb, IPPROTO_ICMP);
	icmph = (void *)(a->data + sizeof(struct iphdr));
	if (a->len != sizeof(struct iphdr) + len || icmph->type != ICMP_ECHOREPLY ||
	    ip_compute_csum(icmph, len))
		DIE("a reply of %u bytes", a->len);
	said = malloc(len);
	if (skb_copy_bits(skb, off, said, len) || memcmp(icmph + 1, said + 8, len - 8))
		DIE("a reply with other bytes");
	free(said);
	kfree_skb(a);
}

static void check_tcp(struct sk_buff *skb)
{
	const struct tcphdr *th = atw_packet_tcp(skb), *rst;
	struct sk_buff *a;
	u32 end;
	int len;

	if (!th)
		return;
	len = skb->len - ip_hdrlen(skb) - th->doff * 4;
	if (len < 0 || th->doff < 5 || (u8 *)th + th->doff * 4 > skb->tail)
		DIE("a segment of %d bytes", len);
	atw_packet_is_signed(th);
	a = atw_packet_reset(skb);
	check_answer(a, skb, IPPROTO_TCP);
	rst = (void *)(a->data + sizeof(struct iphdr));
	end = ntohl(th->seq) + len + th->syn + th->fin;
	if (a->len != sizeof(struct iphdr) + sizeof(*rst) || !rst->rst || rst->doff != 5 ||
	    rst->source != th->dest || rst->dest != th->source ||
	    (th->ack ? rst->seq != th->ack_seq || rst->ack :
		       rst->seq || !rst->ack || ntohl(rst->ack_seq) != end) ||
	    tcp_v4_check(sizeof(*rst), ip_hdr(a)->saddr, ip_hdr(a)->daddr,
			 csum_partial(rst, sizeof(*rst), 0)))
		DIE("a reset that nobody believes");
	kfree_skb(a);
}

static void check_udp(struct sk_buff *skb)
{
	int len = atw_packet_udp_len(skb);
	struct udphdr *uh;
	struct sk_buff *a;
	u8 *said;

	if (len < 0 || len == U16_MAX)
		return;
	if (skb->len != ip_hdrlen(skb) + sizeof(*uh) + len ||
	    skb_headlen(skb) < ip_hdrlen(skb) + sizeof(*uh))
		DIE("a datagram of %d bytes in %u", len, skb->len);
	/* It comes back as if it were the remote's. */
	said = malloc(len);
	if (skb_copy_bits(skb, skb->len - len, said, len))
		DIE("a datagram that cannot be read");
	uh = (void *)(skb->data + ip_hdrlen(skb));
	a = atw_packet_udp(ip_hdr(skb)->daddr, uh->dest, ip_hdr(skb)->saddr, uh->source, said,
			   len);
	check_answer(a, skb, IPPROTO_UDP);
	uh = (void *)(a->data + sizeof(struct iphdr));
	if (a->len != sizeof(struct iphdr) + sizeof(*uh) + len || !uh->check ||
	    ntohs(uh->len) != sizeof(*uh) + len || memcmp(uh + 1, said, len) ||
	    udp_v4_check(sizeof(*uh) + len, ip_hdr(a)->saddr, ip_hdr(a)->daddr,
			 csum_partial(uh, sizeof(*uh) + len, 0)))
		DIE("another datagram of %u bytes", a->len);
	free(said);
	kfree_skb(a);
}

static void frame(struct sk_buff *skb)
{
	unsigned int ihl;

	if (!atw_packet_check(skb))
		return;
	ihl = ip_hdrlen(skb);
	if ((u8 *)ip_hdr(skb) != skb->data || skb->vlan || ip_hdr(skb)->version != 4 ||
	    ihl < sizeof(struct iphdr) || ihl > skb_headlen(skb) ||
	    ntohs(ip_hdr(skb)->tot_len) != skb->len || ip_fast_csum(skb->data, ihl / 4) ||
	    skb->transport_header != skb->network_header + ihl)
		DIE("what was let pass is no packet");
	if (atw_packet_is_probe(skb) && (ip_hdr(skb)->protocol != IPPROTO_UDP ||
					 ip_hdr(skb)->frag_off & htons(IP_OFFSET)))
		DIE("a probe without ports");
	if (atw_packet_is_unicast(skb, htonl(0xc0a803ff)) &&
	    (skb->head[0] & 1 || ip_hdr(skb)->daddr == htonl(0xc0a803ff) ||
	     ip_hdr(skb)->saddr == htonl(0xffffffff)))
		DIE("one host, but many");
	check_error(skb, ICMP_PROT_UNREACH, 0);
	switch (ip_hdr(skb)->protocol) {
	case IPPROTO_ICMP:
		if (pskb_may_pull(skb, ihl + sizeof(struct icmphdr)))
			check_echo(skb);
		break;
	case IPPROTO_TCP:
		check_tcp(skb);
		break;
	case IPPROTO_UDP:
		check_udp(skb);
		check_error(skb, ICMP_FRAG_NEEDED, 1052);
		break;
	}
}

/* What is made of an answer that was cut is its begin, and says so. */
static void dns(const u8 *data, size_t size)
{
	u8 *buf = malloc(size);
	size_t len;

	memcpy(buf, data, size);
	len = atw_packet_dns_cut(buf, size);
	if (len > size || (len && len < 17) || (!len && memcmp(buf, data, size)))
		DIE("%zu of %zu bytes are left of an answer", len, size);
	if (len && (!(buf[2] & 2) || memcmp(buf + 12, data + 12, size - 12) ||
		    buf[6] || buf[7] || buf[8] || buf[9] || buf[10] || buf[11]))
		DIE("an answer that does not say that it was cut");
	free(buf);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	/* With its IP header at a multiple of four. */
	static u8 room[2 + FRAME_MAX] __attribute__((aligned(4)));
	u8 *bytes = room + 2, how;
	size_t len, linear;
	struct sk_buff *skb;

	fuzz_count(size);
	if (size < 4)
		return 0;
	how = data[0];
	len = size - 4 < FRAME_MAX ? size - 4 : FRAME_MAX;
	dns(data + 4, len);
	memcpy(bytes, data + 4, len);
	mend(bytes, len, how);
	linear = how & PIECES && data[1] < len ? data[1] : len;
	skb = make(bytes, len, linear);
	skb->vlan = how & VLAN;
	/* The kernel lets nobody point beyond what can be read. */
	if (how & PARTIAL && data[2] + data[3] + 2u <= linear) {
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->csum_start = data[2];
		skb->csum_offset = data[3];
	}
	frame(skb);
	kfree_skb(skb);
	return 0;
}
