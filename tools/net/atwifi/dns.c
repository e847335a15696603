// SPDX-License-Identifier: GPL-2.0
/*
 * Messages of the domain name system, by ldns.
 *
 * Whoever asks is a program of this machine, and a server that is asked is anybody: both may
 * send any bytes. What RFC 1035, 2308, 6761, 6891, 7766 and 8482 want of a server that knows
 * addresses alone is in dns_parse() and in what it calls.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dns.h"

#define HEADER		12
#define HOST_MAX	119	/* bytes of a name that a module can be asked for */
#define LOCAL_TTL	3600

/* Of the header, in its third and fourth byte. */
#define FLAG_QR		0x80
#define FLAG_RD		0x01
#define FLAG_CD		0x10

/* Letters, digits, '-' and '_': what is no such name has no address. */
static bool is_host(const char *name)
{
	const char *p;

	for (p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("-_.", *p))
			return false;
	return *name && p - name <= HOST_MAX;
}

static bool is_below(const char *name, const char *domain)
{
	size_t len = strlen(name), n = strlen(domain);

	return len >= n && !strcasecmp(name + len - n, domain) &&
	       (len == n || name[len - n - 1] == '.');
}

/* The name, and what makes equal questions equal. */
static bool name_of(struct dns_query *q)
{
	int type = ldns_rr_get_type(q->question);
	char *text, *p;
	size_t len;

	text = ldns_rdf2str(ldns_rr_owner(q->question));
	if (!text)
		return false;
	for (p = text; *p; p++)
		*p = tolower((unsigned char)*p);
	len = strlen(text);
	if (snprintf(q->key, sizeof(q->key), "%d %d %s", type, q->dnssec, text) >=
	    (int)sizeof(q->key)) {
		free(text);
		return false;
	}
	if (len > 1 && text[len - 1] == '.')
		text[--len] = '\0';
	if (len < sizeof(q->host))
		memcpy(q->host, text, len + 1);
	free(text);
	return true;
}

static enum dns_todo reply(struct dns_query *q, uint8_t rcode)
{
	q->rcode = rcode;
	return DNS_REPLY;
}

/* A whole message with one question in it. */
static enum dns_todo look(struct dns_query *q)
{
	int type = ldns_rr_get_type(q->question), class = ldns_rr_get_class(q->question);

	if (!name_of(q))
		return reply(q, LDNS_RCODE_SERVFAIL);
	if (class != LDNS_RR_CLASS_IN)
		return reply(q, LDNS_RCODE_REFUSED);
	/* Names that are nobody's else to tell. */
	if (is_below(q->host, "localhost"))
		return reply(q, LDNS_RCODE_NOERROR);
	if (is_below(q->host, "invalid") || is_below(q->host, "onion"))
		return reply(q, LDNS_RCODE_NXDOMAIN);
	if (type == LDNS_RR_TYPE_AXFR || type == LDNS_RR_TYPE_IXFR)
		return reply(q, LDNS_RCODE_REFUSED);
	/* The module's network has no IPv6; and of ANY a part is enough. */
	if (type == LDNS_RR_TYPE_AAAA || type == LDNS_RR_TYPE_ANY)
		return reply(q, LDNS_RCODE_NOERROR);
	if (type == LDNS_RR_TYPE_A && is_host(q->host))
		return DNS_ADDRESS;
	return DNS_OTHER;
}

/**
 * dns_parse() - read a message
 * @wire: its bytes, which may be anything
 * @len: how many
 * @q: the question, for dns_query_free() whatever is returned
 *
 * Return: what is to be done about it.
 */
enum dns_todo dns_parse(const uint8_t *wire, size_t len, struct dns_query *q)
{
	enum dns_todo todo = DNS_REPLY;
	ldns_rr_list *questions;
	ldns_pkt *pkt = NULL;

	memset(q, 0, sizeof(*q));
	/* Answers are not answered: two servers would do so for ever. */
	if (len < HEADER || len > DNS_MESSAGE_MAX || (wire[2] & FLAG_QR))
		return DNS_DROP;
	q->id = wire[0] << 8 | wire[1];
	q->opcode = wire[2] >> 3 & 0xf;
	q->recursive = wire[2] & FLAG_RD;
	q->unchecked = wire[3] & FLAG_CD;
	q->room = DNS_UDP_LEAST;
	if (q->opcode != LDNS_PACKET_QUERY)
		return reply(q, LDNS_RCODE_NOTIMPL);
	if (ldns_wire2pkt(&pkt, wire, len) != LDNS_STATUS_OK)
		return reply(q, LDNS_RCODE_FORMERR);
	questions = ldns_pkt_question(pkt);
	if (ldns_rr_list_rr_count(questions) != 1 || ldns_pkt_ancount(pkt) ||
	    ldns_pkt_nscount(pkt)) {
		ldns_pkt_free(pkt);
		return reply(q, LDNS_RCODE_FORMERR);
	}
	q->question = ldns_rr_clone(ldns_rr_list_rr(questions, 0));
	q->edns = ldns_pkt_edns(pkt);
	if (q->edns) {
		q->dnssec = ldns_pkt_edns_do(pkt);
		if (ldns_pkt_edns_udp_size(pkt) > q->room)
			q->room = ldns_pkt_edns_udp_size(pkt);
		if (q->room > DNS_UDP_MOST)
			q->room = DNS_UDP_MOST;
	}
	if (!q->question || !ldns_rr_owner(q->question))
		todo = reply(q, LDNS_RCODE_SERVFAIL);
	else if (q->edns && ldns_pkt_edns_version(pkt))
		todo = reply(q, 16);	/* BADVERS */
	else
		todo = look(q);
	ldns_pkt_free(pkt);
	return todo;
}

/**
 * dns_query_free() - forget a question
 * @q: the question
 */
void dns_query_free(struct dns_query *q)
{
	ldns_rr_free(q->question);
	q->question = NULL;
}

static void push_address(ldns_pkt *pkt, const struct dns_query *q, int type, const void *addr,
			 uint32_t ttl)
{
	ldns_rr *rr = ldns_rr_new();

	if (!rr)
		return;
	ldns_rr_set_owner(rr, ldns_rdf_clone(ldns_rr_owner(q->question)));
	ldns_rr_set_type(rr, type);
	ldns_rr_set_class(rr, LDNS_RR_CLASS_IN);
	ldns_rr_set_ttl(rr, ttl);
	ldns_rr_push_rdf(rr, type == LDNS_RR_TYPE_A ?
			 ldns_rdf_new_frm_data(LDNS_RDF_TYPE_A, 4, addr) :
			 ldns_rdf_new_frm_data(LDNS_RDF_TYPE_AAAA, 16, addr));
	ldns_pkt_push_rr(pkt, LDNS_SECTION_ANSWER, rr);
}

/* RFC 8482: something small, which says why. */
static void push_any(ldns_pkt *pkt, const struct dns_query *q)
{
	ldns_rr *rr = ldns_rr_new();

	if (!rr)
		return;
	ldns_rr_set_owner(rr, ldns_rdf_clone(ldns_rr_owner(q->question)));
	ldns_rr_set_type(rr, LDNS_RR_TYPE_HINFO);
	ldns_rr_set_class(rr, LDNS_RR_CLASS_IN);
	ldns_rr_set_ttl(rr, LOCAL_TTL);
	ldns_rr_push_rdf(rr, ldns_rdf_new_frm_data(LDNS_RDF_TYPE_STR, 8, "\7RFC8482"));
	ldns_rr_push_rdf(rr, ldns_rdf_new_frm_data(LDNS_RDF_TYPE_STR, 1, "\0"));
	ldns_pkt_push_rr(pkt, LDNS_SECTION_ANSWER, rr);
}

/* What is known without asking anybody. */
static void push_known(ldns_pkt *pkt, const struct dns_query *q)
{
	static const uint8_t v4[4] = { 127, 0, 0, 1 }, v6[16] = { [15] = 1 };
	int type = ldns_rr_get_type(q->question);

	if (type == LDNS_RR_TYPE_ANY)
		push_any(pkt, q);
	else if (!is_below(q->host, "localhost"))
		return;
	else if (type == LDNS_RR_TYPE_A)
		push_address(pkt, q, type, v4, LOCAL_TTL);
	else if (type == LDNS_RR_TYPE_AAAA)
		push_address(pkt, q, type, v6, LOCAL_TTL);
}

static void push_section(ldns_pkt *pkt, ldns_pkt_section section, const ldns_rr_list *rrs)
{
	size_t i;

	for (i = 0; i < ldns_rr_list_rr_count(rrs); i++)
		ldns_pkt_push_rr(pkt, section, ldns_rr_clone(ldns_rr_list_rr(rrs, i)));
}

static void push_answer(ldns_pkt *pkt, const struct dns_query *q, const struct dns_answer *answer)
{
	if (!answer) {
		if (q->question && q->rcode == LDNS_RCODE_NOERROR)
			push_known(pkt, q);
	} else if (answer->packet) {
		push_section(pkt, LDNS_SECTION_ANSWER, ldns_pkt_answer(answer->packet));
		push_section(pkt, LDNS_SECTION_AUTHORITY, ldns_pkt_authority(answer->packet));
		push_section(pkt, LDNS_SECTION_ADDITIONAL, ldns_pkt_additional(answer->packet));
	} else if (answer->has_address) {
		push_address(pkt, q, LDNS_RR_TYPE_A, &answer->address, answer->ttl);
	}
}

static ldns_pkt *begin(const struct dns_query *q, uint8_t rcode)
{
	ldns_pkt *pkt = ldns_pkt_new();

	if (!pkt)
		return NULL;
	ldns_pkt_set_id(pkt, q->id);
	ldns_pkt_set_opcode(pkt, q->opcode);
	ldns_pkt_set_qr(pkt, true);
	ldns_pkt_set_rd(pkt, q->recursive);
	ldns_pkt_set_cd(pkt, q->unchecked);
	ldns_pkt_set_ra(pkt, true);
	ldns_pkt_set_rcode(pkt, rcode & 0xf);
	if (q->edns) {
		ldns_pkt_set_edns_udp_size(pkt, DNS_UDP_MOST);
		ldns_pkt_set_edns_extended_rcode(pkt, rcode >> 4);
		ldns_pkt_set_edns_do(pkt, q->dnssec);
	}
	if (q->question)
		ldns_pkt_push_rr(pkt, LDNS_SECTION_QUESTION, ldns_rr_clone(q->question));
	return pkt;
}

/* The bytes, of which there may be so many; NULL: more, or no memory. */
static uint8_t *bytes_of(const ldns_pkt *pkt, size_t room, size_t *len)
{
	uint8_t *wire = NULL;

	if (ldns_pkt2wire(&wire, pkt, len) == LDNS_STATUS_OK && *len <= room)
		return wire;
	free(wire);
	return NULL;
}

/**
 * dns_reply() - make an answer
 * @q: to this question
 * @answer: what is known, NULL: what dns_parse() has said
 * @room: bytes that it may have; what is longer is truncated, and says so
 * @len: how many it has
 *
 * Return: its bytes, for free(); NULL: no memory.
 */
uint8_t *dns_reply(const struct dns_query *q, const struct dns_answer *answer, size_t room,
		   size_t *len)
{
	uint8_t rcode = answer ? answer->rcode : q->rcode;
	ldns_pkt *pkt = begin(q, rcode);
	uint8_t *wire;

	if (!pkt)
		return NULL;
	push_answer(pkt, q, answer);
	wire = bytes_of(pkt, room, len);
	ldns_pkt_free(pkt);
	if (wire)
		return wire;
	pkt = begin(q, rcode);
	if (!pkt)
		return NULL;
	ldns_pkt_set_tc(pkt, true);
	wire = bytes_of(pkt, room, len);
	ldns_pkt_free(pkt);
	return wire;
}

/**
 * dns_forward() - make a question for a server
 * @q: the same of a program's
 * @id: of the new message
 * @len: how many bytes it has
 *
 * Return: its bytes, for free(); NULL: no memory.
 */
uint8_t *dns_forward(const struct dns_query *q, uint16_t id, size_t *len)
{
	ldns_pkt *pkt = ldns_pkt_new();
	uint8_t *wire;

	if (!pkt)
		return NULL;
	ldns_pkt_set_id(pkt, id);
	ldns_pkt_set_rd(pkt, true);
	ldns_pkt_set_cd(pkt, q->unchecked);
	ldns_pkt_push_rr(pkt, LDNS_SECTION_QUESTION, ldns_rr_clone(q->question));
	if (q->edns) {
		ldns_pkt_set_edns_udp_size(pkt, DNS_UDP_MOST);
		ldns_pkt_set_edns_do(pkt, q->dnssec);
	}
	wire = bytes_of(pkt, DNS_MESSAGE_MAX, len);
	ldns_pkt_free(pkt);
	return wire;
}

/**
 * dns_forwarded() - read a server's answer
 * @q: to this question
 * @id: of the message that it was sent in
 * @wire: the answer's bytes, which may be anything
 * @len: how many
 *
 * Return: it, for ldns_pkt_free(); NULL: it is none.
 */
ldns_pkt *dns_forwarded(const struct dns_query *q, uint16_t id, const uint8_t *wire, size_t len)
{
	ldns_pkt *pkt = NULL;
	const ldns_rr *rr;

	if (ldns_wire2pkt(&pkt, wire, len) != LDNS_STATUS_OK)
		return NULL;
	rr = ldns_rr_list_rr_count(ldns_pkt_question(pkt)) == 1 ?
	     ldns_rr_list_rr(ldns_pkt_question(pkt), 0) : NULL;
	if (rr && ldns_pkt_qr(pkt) && !ldns_pkt_tc(pkt) && ldns_pkt_id(pkt) == id &&
	    ldns_rr_get_type(rr) == ldns_rr_get_type(q->question) &&
	    ldns_rr_get_class(rr) == ldns_rr_get_class(q->question) && ldns_rr_owner(rr) &&
	    !ldns_dname_compare(ldns_rr_owner(rr), ldns_rr_owner(q->question)))
		return pkt;
	ldns_pkt_free(pkt);
	return NULL;
}

static uint32_t least_ttl(const ldns_rr_list *rrs, uint32_t ttl)
{
	size_t i;

	for (i = 0; i < ldns_rr_list_rr_count(rrs); i++)
		if (ldns_rr_ttl(ldns_rr_list_rr(rrs, i)) < ttl)
			ttl = ldns_rr_ttl(ldns_rr_list_rr(rrs, i));
	return ttl;
}

/**
 * dns_ttl() - for how long a server's answer holds
 * @packet: the answer
 * @most: for so many seconds at most
 *
 * Return: seconds; 0 for what says no time: it is not kept.
 */
uint32_t dns_ttl(const ldns_pkt *packet, uint32_t most)
{
	const ldns_rr_list *soa = ldns_pkt_authority(packet);
	const ldns_rdf *minimum;
	size_t i;

	if (ldns_pkt_ancount(packet))
		return least_ttl(ldns_pkt_answer(packet), most);
	/* RFC 2308: a negative answer holds as long as the zone says. */
	for (i = 0; i < ldns_rr_list_rr_count(soa); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(soa, i);

		if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_SOA)
			continue;
		minimum = ldns_rr_rdf(rr, 6);
		if (minimum && ldns_rdf_size(minimum) == 4 && ldns_rdf2native_int32(minimum) < most)
			most = ldns_rdf2native_int32(minimum);
		return ldns_rr_ttl(rr) < most ? ldns_rr_ttl(rr) : most;
	}
	return 0;
}
