/* SPDX-License-Identifier: GPL-2.0-only */
/* IPv4 packets: those of programs, and those that the network device makes up. */
#ifndef _ATWIFI_PACKET_H
#define _ATWIFI_PACKET_H

#include <linux/skbuff.h>
#include <linux/types.h>

struct tcphdr;

/* What traceroute and its kind send is not to go further than this. */
#define ATW_PACKET_PROBE_TTL	30

/*
 * It is the driver's now, and waits for the module or goes on as one that has come: it is in the
 * budget of no socket, and keeps no route, mark or entry of conntrack, of which somebody may
 * want to see the end.
 */
static inline void atw_packet_take(struct sk_buff *skb)
{
	skb_orphan(skb);
	skb_scrub_packet(skb, true);
}

bool atw_packet_check(struct sk_buff *skb);
bool atw_packet_is_unicast(const struct sk_buff *skb, __be32 broadcast);
bool atw_packet_is_probe(const struct sk_buff *skb);
const struct tcphdr *atw_packet_tcp(struct sk_buff *skb);
bool atw_packet_is_signed(const struct tcphdr *th);
int atw_packet_udp_len(struct sk_buff *skb);
struct sk_buff *atw_packet_icmp(const struct sk_buff *skb, __be32 saddr,
				u8 type, u8 code, u16 mtu);
struct sk_buff *atw_packet_icmp_error(const struct sk_buff *skb, u8 code,
				      u16 mtu);
struct sk_buff *atw_packet_icmp_echo_reply(const struct sk_buff *skb);
struct sk_buff *atw_packet_segment(__be32 saddr, __be32 daddr, const struct tcphdr *head);
struct sk_buff *atw_packet_reset(const struct sk_buff *skb);
struct sk_buff *atw_packet_udp(__be32 saddr, __be16 sport, __be32 daddr,
			       __be16 dport, const void *data, size_t len);
size_t atw_packet_dns_cut(u8 *buf, size_t len);

#endif
