/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages of the domain name system: questions of anybody's, and answers to them. */
#ifndef ATWIFID_DNS_H
#define ATWIFID_DNS_H

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of an answer by UDP: without being asked for more, and with it. */
#define DNS_UDP_LEAST	512
#define DNS_UDP_MOST	1232
/* Of a question, which is a name and few bytes more, and of any answer. */
#define DNS_QUERY_MAX	1232
#define DNS_ANSWER_MAX	16384
/* Newer than some libraries' names for them. */
#define DNS_BADVERS	16
#define DNS_DNSSEC_OK	0x8000
/* A name, its type and its class. */
#define DNS_QUESTION_MAX	259

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
 * @alone: it is for the module alone, and for no server
 * @room: how long an answer may be by UDP
 * @rcode: of the answer, for DNS_REPLY; more than 15 only with EDNS
 * @type: what is asked for
 * @question: as it was asked: a name, a type, a class
 * @len: of @question; 0: that is not known
 * @host: the name as text without its last dot, for DNS_ADDRESS
 * @key: the same for equal questions alone; it has @len bytes and one more
 */
struct dns_query {
	uint16_t	id;
	uint8_t		opcode;
	bool		recursive;
	bool		unchecked;
	bool		edns;
	bool		dnssec;
	bool		alone;
	uint16_t	room;
	uint8_t		rcode;
	uint16_t	type;
	uint16_t	len;
	uint8_t		question[DNS_QUESTION_MAX];
	uint8_t		key[1 + DNS_QUESTION_MAX];
	char		host[256];
};

/**
 * struct dns_answer - what is known
 * @rcode: ns_r_*
 * @has_address: there is an address
 * @address: it
 * @ttl: for how long, in seconds; 0: it is not to be kept
 * @wire: what a server has said, NULL: the above is all
 * @len: of @wire
 * @opt: where in @wire the record of EDNS says how long messages may be, 0: nowhere
 */
struct dns_answer {
	uint16_t	rcode;
	bool		has_address;
	struct in_addr	address;
	uint32_t	ttl;
	const uint8_t	*wire;
	size_t		len;
	size_t		opt;
};

enum dns_todo dns_parse(const uint8_t *wire, size_t len, struct dns_query *q);
size_t dns_reply(const struct dns_query *q, const struct dns_answer *answer, uint8_t *wire,
		 size_t room);
size_t dns_forward(const struct dns_query *q, uint16_t id, uint8_t *wire);
bool dns_forwarded(const struct dns_query *q, uint16_t id, const uint8_t *wire, size_t len,
		   uint32_t most, struct dns_answer *answer);

#endif
