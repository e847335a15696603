// SPDX-License-Identifier: GPL-2.0-only
/*
 * IPv4 packets. Those of programs are checked here: whoever may send raw frames (a
 * virtual machine, AF_PACKET) chooses every byte of them. And there are those that
 * the network device makes up by itself: what a router or the remote would have
 * answered. They begin with their IP header, with room for an Ethernet header before
 * it.
 */
#include <linux/etherdevice.h>
#include <linux/icmp.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/netfilter_ipv4.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/route.h>
#include <net/tcp.h>
#include <net/udp.h>

#include "lease.h"
#include "packet.h"

/* What an error quotes of a packet: RFC 1812 asks for 576 bytes in all. */
#define ATW_QUOTE_MAX	(576 - 2 * sizeof(struct iphdr) - sizeof(struct icmphdr))

#define ATW_DNS_HEADER		12
#define ATW_DNS_QR		0x80
#define ATW_DNS_TC		0x02
#define ATW_DNS_LABEL_MAX	63
#define ATW_DNS_NAME_MAX	255

/* What traceroute and its kind send goes to these ports. */
#define ATW_PROBE_PORT		33434
#define ATW_PROBE_PORTS		101

/* RFC 5925; the kernel has a name for it from 6.7 on. */
#define ATW_TCPOPT_AO		29

/**
 * atw_packet_check() - take the Ethernet header off, and check the IP header
 * @skb: a frame as it was transmitted
 *
 * It is checked as the next router would. Whoever may send raw frames says where in
 * them a checksum is to be put, too: not into what is checked here.
 *
 * Context: any.
 * Return: true if it is an IPv4 packet: it is as long as its header says then, its
 * network and transport headers are set, and the IP header can be read.
 */
bool atw_packet_check(struct sk_buff *skb)
{
	const struct iphdr *iph;
	unsigned int len, ihl;

	if (!pskb_may_pull(skb, ETH_HLEN + sizeof(*iph)) ||
	    eth_hdr(skb)->h_proto != htons(ETH_P_IP) ||
	    skb_vlan_tag_present(skb))
		return false;
	skb_pull_rcsum(skb, ETH_HLEN);
	skb_reset_network_header(skb);
	iph = ip_hdr(skb);
	if (iph->version != 4 || iph->ihl < 5 ||
	    !pskb_may_pull(skb, iph->ihl * 4))
		return false;
	iph = ip_hdr(skb);
	ihl = iph->ihl * 4;
	len = ntohs(iph->tot_len);
	if (len < ihl || skb->len < len || ip_fast_csum(iph, iph->ihl) ||
	    pskb_trim_rcsum(skb, len))
		return false;
	skb_set_transport_header(skb, ihl);
	return skb->ip_summed != CHECKSUM_PARTIAL ||
	       skb_checksum_start_offset(skb) >= (int)ihl;
}

static bool atw_packet_is_host(__be32 addr, __be32 broadcast)
{
	return atw_addr_is_host(ntohl(addr)) && addr != broadcast;
}

/**
 * atw_packet_is_unicast() - is a packet for one host, from one?
 * @skb: begins with its IP header, which was checked, behind its Ethernet header
 * @broadcast: the address of all hosts of the module's network
 *
 * A frame that was sent to all must not be answered, whatever its IP header says.
 *
 * Context: any.
 * Return: true if so.
 */
bool atw_packet_is_unicast(const struct sk_buff *skb, __be32 broadcast)
{
	const struct rtable *rt = skb_rtable(skb);

	return !(rt && rt->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST)) &&
	       !is_multicast_ether_addr(eth_hdr(skb)->h_dest) &&
	       atw_packet_is_host(ip_hdr(skb)->daddr, broadcast) &&
	       atw_packet_is_host(ip_hdr(skb)->saddr, broadcast);
}

/**
 * atw_packet_is_probe() - does a datagram look for the routers on its way?
 * @skb: a packet, as for atw_packet_is_unicast()
 *
 * Only the first fragment has ports.
 *
 * Context: any.
 * Return: true if it looks as if it did.
 */
bool atw_packet_is_probe(const struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);
	const struct udphdr *uh;
	struct udphdr buf;

	if (iph->protocol != IPPROTO_UDP || iph->ttl > ATW_PACKET_PROBE_TTL ||
	    iph->frag_off & htons(IP_OFFSET))
		return false;
	uh = skb_header_pointer(skb, ip_hdrlen(skb), sizeof(buf), &buf);
	return uh && (u16)(ntohs(uh->dest) - ATW_PROBE_PORT) < ATW_PROBE_PORTS;
}

/**
 * atw_packet_tcp() - the TCP header of a packet
 * @skb: begins with its IP header, which was checked
 *
 * Context: any.
 * Return: the header, which can be read with its options; NULL: it is not all there.
 */
const struct tcphdr *atw_packet_tcp(struct sk_buff *skb)
{
	unsigned int off = ip_hdrlen(skb);
	const struct tcphdr *th;

	if (!pskb_may_pull(skb, off + sizeof(*th)))
		return NULL;
	th = (const void *)ip_hdr(skb) + off;
	if (th->doff < sizeof(*th) / 4 || !pskb_may_pull(skb, off + th->doff * 4))
		return NULL;
	return (const void *)ip_hdr(skb) + off;
}

/**
 * atw_packet_is_signed() - does a segment carry a signature?
 * @th: its header, with its options
 *
 * The remote would have to make one too, and nobody can do that for it.
 *
 * Return: true if it does.
 */
bool atw_packet_is_signed(const struct tcphdr *th)
{
	const u8 *opt = (const u8 *)(th + 1);
	int left = th->doff * 4 - sizeof(*th);

	while (left > 0 && *opt != TCPOPT_EOL) {
		if (*opt == TCPOPT_NOP) {
			opt++;
			left--;
			continue;
		}
		if (left < 2 || opt[1] < 2)
			return false;
		if (*opt == TCPOPT_MD5SIG || *opt == ATW_TCPOPT_AO)
			return true;
		left -= opt[1];
		opt += opt[1];
	}
	return false;
}

/**
 * atw_packet_udp_len() - check a datagram
 * @skb: begins with its IP header, which was checked; what is behind the datagram is
 *	cut off
 *
 * Context: any.
 * Return: its length without headers, which can be read; U16_MAX for a fragment of
 * one; or -errno: it is none.
 */
int atw_packet_udp_len(struct sk_buff *skb)
{
	unsigned int off = ip_hdrlen(skb);
	const struct udphdr *uh;
	unsigned int len;

	if (!pskb_may_pull(skb, off + sizeof(*uh)))
		return -EINVAL;
	uh = (const void *)ip_hdr(skb) + off;
	len = ntohs(uh->len);
	/* All that is a fragment of another one is too long for us anyway. */
	if (ip_is_fragment(ip_hdr(skb)))
		return U16_MAX;
	if (len < sizeof(*uh) || len > skb->len - off)
		return -EINVAL;
	if (pskb_trim_rcsum(skb, off + len))
		return -ENOMEM;
	/* It may be that of a packet in this one, which was left to us. */
	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb))
		return -ENOMEM;
	/* We are the last who can check it: it goes on without its header. */
	uh = (const void *)ip_hdr(skb) + off;
	if (uh->check && nf_ip_checksum(skb, NF_INET_LOCAL_IN, off,
					IPPROTO_UDP))
		return -EBADMSG;
	return len - sizeof(*uh);
}

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
 * atw_packet_icmp() - what a router, or the remote, says of a packet that it does not pass on
 * @skb: the packet, checked; its IP header is at skb_network_header()
 * @saddr: who says it
 * @type: ICMP_TIME_EXCEEDED or ICMP_DEST_UNREACH
 * @code: for that
 * @mtu: for ICMP_FRAG_NEEDED, bytes with the IP header; else 0
 *
 * Context: any.
 * Return: the packet for the sender of @skb; NULL: no memory, or an error must
 * not be answered.
 */
struct sk_buff *atw_packet_icmp(const struct sk_buff *skb, __be32 saddr,
				u8 type, u8 code, u16 mtu)
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
	answer = atw_packet(IPPROTO_ICMP, saddr, to->saddr,
			    sizeof(*icmph) + quote);
	if (!answer)
		return NULL;
	icmph = skb_put_zero(answer, sizeof(*icmph) + quote);
	if (skb_copy_bits(skb, skb_network_offset(skb), icmph + 1, quote)) {
		kfree_skb(answer);
		return NULL;
	}
	icmph->type = type;
	icmph->code = code;
	icmph->un.frag.mtu = htons(mtu);
	icmph->checksum = ip_compute_csum(icmph, sizeof(*icmph) + quote);
	return answer;
}

/**
 * atw_packet_icmp_error() - destination unreachable, as the remote says it
 * @skb: as for atw_packet_icmp()
 * @code: ICMP_PORT_UNREACH and so on
 * @mtu: as for atw_packet_icmp()
 *
 * Context and return: as atw_packet_icmp().
 */
struct sk_buff *atw_packet_icmp_error(const struct sk_buff *skb, u8 code,
				      u16 mtu)
{
	return atw_packet_icmp(skb, ip_hdr(skb)->daddr, ICMP_DEST_UNREACH, code, mtu);
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
 * atw_packet_segment() - a segment of TCP without options and bytes
 * @saddr: from this address
 * @daddr: to this address
 * @head: its header, whose length and checksum are still to be set
 *
 * Context: any.
 * Return: the packet, or NULL: no memory.
 */
struct sk_buff *atw_packet_segment(__be32 saddr, __be32 daddr, const struct tcphdr *head)
{
	struct sk_buff *skb = atw_packet(IPPROTO_TCP, saddr, daddr, sizeof(*head));
	struct tcphdr *th;

	if (!skb)
		return NULL;
	th = skb_put_data(skb, head, sizeof(*head));
	th->doff = sizeof(*th) / 4;
	th->check = tcp_v4_check(sizeof(*th), saddr, daddr, csum_partial(th, sizeof(*th), 0));
	return skb;
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
	struct tcphdr th = { .source = seg->dest, .dest = seg->source, .rst = 1 };
	u32 len;

	if (seg->ack) {
		th.seq = seg->ack_seq;
	} else {
		len = skb->len - skb_network_offset(skb) - to->ihl * 4 - seg->doff * 4;
		th.ack = 1;
		th.ack_seq = htonl(ntohl(seg->seq) + seg->syn + seg->fin + len);
	}
	return atw_packet_segment(to->daddr, to->saddr, &th);
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
