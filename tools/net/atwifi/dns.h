/* SPDX-License-Identifier: GPL-2.0 */
/* Messages of the domain name system: questions of anybody's, and answers to them. */
#ifndef ATWIFID_DNS_H
#define ATWIFID_DNS_H

#include <ldns/ldns.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of one message: over UDP, without being asked for more, with it, and over TCP. */
#define DNS_UDP_LEAST	512
#define DNS_UDP_MOST	1232
#define DNS_MESSAGE_MAX	65535

/* A name as text, each byte of which may be an escape of four; and its type. */
#define DNS_KEY_MAX	1040

/**
 * enum dns_todo - what a message is to be answered by
 * @DNS_DROP: nothing: it is no question
 * @DNS_REPLY: dns_query.rcode, with nothing but what dns_reply() adds by itself
 * @DNS_ADDRESS: the IPv4 address of a name that a module can be asked for
 * @DNS_OTHER: what a module cannot tell
 */
enum dns_todo {
	DNS_DROP,
	DNS_REPLY,
	DNS_ADDRESS,
	DNS_OTHER,
};

/**
 * struct dns_query - a question
 * @id: of the message
 * @opcode: of the message
 * @recursive, @unchecked, @edns, @dnssec: what it asks for
 * @room: how long an answer may be by UDP
 * @rcode: of the answer, for DNS_REPLY; more than 15 only with EDNS
 * @question: what was asked, or NULL: that is not known
 * @host: the name as text without its last dot, for DNS_ADDRESS
 * @key: the same for equal questions alone
 */
struct dns_query {
	uint16_t	id;
	uint8_t		opcode;
	bool		recursive;
	bool		unchecked;
	bool		edns;
	bool		dnssec;
	size_t		room;
	uint8_t		rcode;
	ldns_rr		*question;
	char		host[256];
	char		key[DNS_KEY_MAX];
};

/**
 * struct dns_answer - what is known
 * @rcode: LDNS_RCODE_*
 * @has_address: there is an address
 * @address: it
 * @ttl: for how long, in seconds
 * @packet: what a server has said, NULL: the above is all
 */
struct dns_answer {
	uint8_t		rcode;
	bool		has_address;
	struct in_addr	address;
	uint32_t	ttl;
	ldns_pkt	*packet;
};

enum dns_todo dns_parse(const uint8_t *wire, size_t len, struct dns_query *q);
void dns_query_free(struct dns_query *q);
uint8_t *dns_reply(const struct dns_query *q, const struct dns_answer *answer, size_t room,
		   size_t *len);
uint8_t *dns_forward(const struct dns_query *q, uint16_t id, size_t *len);
ldns_pkt *dns_forwarded(const struct dns_query *q, uint16_t id, const uint8_t *wire, size_t len);
uint32_t dns_ttl(const ldns_pkt *packet, uint32_t most);

#endif
