// SPDX-License-Identifier: GPL-2.0
/*
 * IPv4 packets that the network device makes up by itself: what a router or the
 * remote would have answered. They begin with their IP header, with room for an
 * Ethernet header before it.
 */
#include <linux/etherdevice.h>
#include <linux/icmp.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/tcp.h>
#include <net/udp.h>

#include "packet.h"

/* What an error quotes of a packet: RFC 1812 asks for 576 bytes in all. */
#define ATW_QUOTE_MAX	(576 - 2 * sizeof(struct iphdr) - sizeof(struct icmphdr))

#define ATW_DNS_HEADER		12
#define ATW_DNS_QR		0x80
#define ATW_DNS_TC		0x02
#define ATW_DNS_LABEL_MAX	63
#define ATW_DNS_NAME_MAX	255

/* A packet with its IP header; @len bytes follow, for the caller to fill. */
static struct sk_buff *atw_packet(u8 proto, __be32 saddr, __be32 daddr,
				  size_t len)
{
	struct sk_buff *skb;
	struct iphdr *iph;

	skb = alloc_skb(LL_MAX_HEADER + sizeof(*iph) + len, GFP_ATOMIC);
	if (!skb)
		return NULL;
	skb_reserve(skb, LL_MAX_HEADER);
	skb_reset_network_header(skb);
	iph = skb_put_zero(skb, sizeof(*iph));
	skb_set_transport_header(skb, sizeof(*iph));
	iph->version = 4;
	iph->ihl = sizeof(*iph) / 4;
	iph->tot_len = htons(sizeof(*iph) + len);
	iph->frag_off = htons(IP_DF);
	iph->ttl = IPDEFTTL;
	iph->protocol = proto;
	iph->saddr = saddr;
	iph->daddr = daddr;
	ip_send_check(iph);
	return skb;
}

/**
 * atw_packet_icmp_error() - destination unreachable, as the remote says it
 * @skb: the packet, checked; its IP header is at skb_network_header()
 * @code: ICMP_PORT_UNREACH and so on
 * @mtu: for ICMP_FRAG_NEEDED, bytes with the IP header; else 0
 *
 * Context: any.
 * Return: the packet for the sender of @skb; NULL: no memory, or an error must
 * not be answered.
 */
struct sk_buff *atw_packet_icmp_error(const struct sk_buff *skb, u8 code,
				      u16 mtu)
{
	const struct iphdr *to = ip_hdr(skb);
	struct icmphdr *icmph;
	struct sk_buff *answer;
	size_t quote;

	if (ipv4_is_multicast(to->daddr) || ipv4_is_lbcast(to->daddr) ||
	    ipv4_is_zeronet(to->saddr) || ipv4_is_multicast(to->saddr) ||
	    ipv4_is_lbcast(to->saddr) || to->frag_off & htons(IP_OFFSET))
		return NULL;
	if (to->protocol == IPPROTO_ICMP)
		return NULL;
	quote = min_t(size_t, skb->len - skb_network_offset(skb),
		      ATW_QUOTE_MAX);
	answer = atw_packet(IPPROTO_ICMP, to->daddr, to->saddr,
			    sizeof(*icmph) + quote);
	if (!answer)
		return NULL;
	icmph = skb_put_zero(answer, sizeof(*icmph) + quote);
	if (skb_copy_bits(skb, skb_network_offset(skb), icmph + 1, quote)) {
		kfree_skb(answer);
		return NULL;
	}
	icmph->type = ICMP_DEST_UNREACH;
	icmph->code = code;
	icmph->un.frag.mtu = htons(mtu);
	icmph->checksum = ip_compute_csum(icmph, sizeof(*icmph) + quote);
	return answer;
}

/**
 * atw_packet_icmp_echo_reply() - the reply to an echo request
 * @skb: the request, checked; all of it behind skb_network_header()
 *
 * Context: any.
 * Return: the reply, or NULL: no memory.
 */
struct sk_buff *atw_packet_icmp_echo_reply(const struct sk_buff *skb)
{
	const struct iphdr *to = ip_hdr(skb);
	int off = skb_network_offset(skb) + to->ihl * 4;
	size_t len = skb->len - off;
	struct icmphdr *icmph;
	struct sk_buff *answer;

	answer = atw_packet(IPPROTO_ICMP, to->daddr, to->saddr, len);
	if (!answer)
		return NULL;
	icmph = skb_put(answer, len);
	if (skb_copy_bits(skb, off, icmph, len)) {
		kfree_skb(answer);
		return NULL;
	}
	icmph->type = ICMP_ECHOREPLY;
	icmph->checksum = 0;
	icmph->checksum = ip_compute_csum(icmph, len);
	return answer;
}

/**
 * atw_packet_reset() - the reset that answers a segment
 * @skb: the segment, checked: IP and TCP header can be read
 *
 * Context: any.
 * Return: the segment for the sender of @skb, or NULL: no memory.
 */
struct sk_buff *atw_packet_reset(const struct sk_buff *skb)
{
	const struct iphdr *to = ip_hdr(skb);
	const struct tcphdr *seg = (const void *)to + to->ihl * 4;
	struct sk_buff *answer;
	struct tcphdr *th;
	u32 len;

	answer = atw_packet(IPPROTO_TCP, to->daddr, to->saddr, sizeof(*th));
	if (!answer)
		return NULL;
	th = skb_put_zero(answer, sizeof(*th));
	th->source = seg->dest;
	th->dest = seg->source;
	th->doff = sizeof(*th) / 4;
	th->rst = 1;
	if (seg->ack) {
		th->seq = seg->ack_seq;
	} else {
		len = skb->len - skb_network_offset(skb) - to->ihl * 4 -
		      seg->doff * 4;
		th->ack = 1;
		th->ack_seq = htonl(ntohl(seg->seq) + seg->syn + seg->fin + len);
	}
	th->check = tcp_v4_check(sizeof(*th), to->daddr, to->saddr,
				 csum_partial(th, sizeof(*th), 0));
	return answer;
}

/**
 * atw_packet_udp() - a datagram
 * @saddr: from this address
 * @sport: and port
 * @daddr: to this address
 * @dport: and port
 * @data: its bytes
 * @len: how many, such that it fits a packet
 *
 * Context: any.
 * Return: the packet, or NULL: no memory.
 */
struct sk_buff *atw_packet_udp(__be32 saddr, __be16 sport, __be32 daddr,
			       __be16 dport, const void *data, size_t len)
{
	struct sk_buff *skb;
	struct udphdr *uh;

	skb = atw_packet(IPPROTO_UDP, saddr, daddr, sizeof(*uh) + len);
	if (!skb)
		return NULL;
	uh = skb_put_zero(skb, sizeof(*uh));
	skb_put_data(skb, data, len);
	uh->source = sport;
	uh->dest = dport;
	uh->len = htons(sizeof(*uh) + len);
	uh->check = udp_v4_check(sizeof(*uh) + len, saddr, daddr,
				 csum_partial(uh, sizeof(*uh) + len, 0));
	if (!uh->check)
		uh->check = CSUM_MANGLED_0;
	return skb;
}

/**
 * atw_packet_dns_cut() - make an answer that was cut one that says so
 * @buf: what came from a name server, not to be trusted
 * @len: its length in bytes
 *
 * Who reads that asks again by TCP (RFC 2181, section 9).
 *
 * Return: the length of what is left of it, header and question; 0: it is no
 * answer.
 */
size_t atw_packet_dns_cut(u8 *buf, size_t len)
{
	size_t at = ATW_DNS_HEADER;

	if (len < at || !(buf[2] & ATW_DNS_QR) || buf[4] || buf[5] != 1)
		return 0;
	/* The first name of all has nothing that it could refer to. */
	while (at < len && buf[at]) {
		if (buf[at] > ATW_DNS_LABEL_MAX)
			return 0;
		at += 1 + buf[at];
	}
	at++;
	if (at > ATW_DNS_HEADER + ATW_DNS_NAME_MAX)
		return 0;
	/* Type and class. */
	at += 4;
	if (at > len)
		return 0;
	buf[2] |= ATW_DNS_TC;
	/* There are no records any more. */
	memset(buf + 6, 0, 6);
	return at;
}
