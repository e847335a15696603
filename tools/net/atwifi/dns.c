// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages of the domain name system.
 *
 * Whoever asks is a program of this machine, and a server that is asked is anybody: both may
 * send any bytes. The resolver library, which comes with each C library, reads them: it takes no
 * memory for that, and knows where records are and whether all are whole. A question has nothing
 * in it but what a question has; of an answer the bytes go on as they came. What RFC 1035, 2308,
 * 6761, 6891, 7766 and 8482 want of a server that knows addresses alone is in dns_parse() and in
 * what it calls.
 *
 * Why it is no other library is in the manual: "Who reads messages of name servers".
 */
#include <arpa/nameser.h>
#include <ctype.h>
#include <resolv.h>
#include <string.h>
#include <strings.h>

#include "dns.h"

#define HOST_MAX	119	/* bytes of a name that a module can be asked for */
#define LOCAL_TTL	3600
#define RECORDS_MAX	1024	/* of an answer */

/* Is a name's last label that one? A whole name. */
static bool is_below(const uint8_t *name, const char *domain)
{
	const uint8_t *last = NULL;

	for (; *name; name += 1 + *name)
		last = name;
	return last && *last == strlen(domain) &&
	       !strncasecmp((const char *)last + 1, domain, *last);
}

/* A name of letters, digits, '-' and '_' as text: what is no such name has no address. */
static bool host_of(const uint8_t *name, char *host)
{
	char *to = host;
	uint8_t n;

	for (; *name; *to++ = '.')
		for (n = *name++; n; n--, name++) {
			if (!isalnum(*name) && *name != '-' && *name != '_')
				return false;
			*to++ = tolower(*name);
		}
	if (to == host || to - host - 1 > HOST_MAX)
		return false;
	to[-1] = '\0';
	return true;
}

/*
 * What makes equal questions equal. What a server says depends on all of it, and so does
 * what may be in an answer.
 */
static void make_key(struct dns_query *q)
{
	size_t i;

	q->key[0] = q->edns | q->dnssec << 1 | q->unchecked << 2;
	for (i = 0; i < q->len - 4U; i++)
		q->key[1 + i] = tolower(q->question[i]);
	memcpy(q->key + 1 + i, q->question + i, 4);
}

static enum dns_todo reply(struct dns_query *q, uint8_t rcode)
{
	q->rcode = rcode;
	return DNS_REPLY;
}

/* A whole message with one question in it. */
static enum dns_todo look(struct dns_query *q)
{
	make_key(q);
	if (ns_get16(q->question + q->len - 2) != ns_c_in)
		return reply(q, ns_r_refused);
	/* Names that are nobody's else to tell. */
	if (is_below(q->question, "localhost"))
		return reply(q, ns_r_noerror);
	if (is_below(q->question, "invalid") || is_below(q->question, "onion"))
		return reply(q, ns_r_nxdomain);
	/* What is about messages and not about names. */
	if (!q->type || q->type == ns_t_opt || (q->type >= 249 && q->type < ns_t_any))
		return reply(q, ns_r_refused);
	/* The module's network has no IPv6; and of ANY a part is enough. */
	if (q->type == ns_t_aaaa || q->type == ns_t_any)
		return reply(q, ns_r_noerror);
	if (q->type == ns_t_a && host_of(q->question, q->host))
		return DNS_ADDRESS;
	return DNS_OTHER;
}

/* The record of EDNS, if it is that one: its version, or -1. */
static int parse_opt(const ns_rr *rr, struct dns_query *q)
{
	if (ns_rr_type(*rr) != ns_t_opt)
		return -1;
	q->edns = true;
	q->room = ns_rr_class(*rr);
	if (q->room < DNS_UDP_LEAST)
		q->room = DNS_UDP_LEAST;
	if (q->room > DNS_UDP_MOST)
		q->room = DNS_UDP_MOST;
	q->dnssec = ns_rr_ttl(*rr) & DNS_DNSSEC_OK;
	return ns_rr_ttl(*rr) >> 16 & 0xff;
}

/**
 * dns_parse() - read a message
 * @wire: its bytes, which may be anything
 * @len: how many
 * @q: the question
 *
 * Return: what is to be done about it.
 */
enum dns_todo dns_parse(const uint8_t *wire, size_t len, struct dns_query *q)
{
	const uint8_t *end = wire + NS_HFIXEDSZ;
	int version = 0;
	ns_msg msg;
	HEADER h;
	ns_rr rr;

	memset(q, 0, sizeof(*q));
	if (len < sizeof(h))
		return DNS_DROP;
	memcpy(&h, wire, sizeof(h));
	/* Answers are not answered: two servers would do so for ever. */
	if (h.qr)
		return DNS_DROP;
	q->id = ntohs(h.id);
	q->opcode = h.opcode;
	q->recursive = h.rd;
	q->unchecked = h.cd;
	q->room = DNS_UDP_LEAST;
	if (q->opcode)
		return reply(q, ns_r_notimpl);
	/* One question, no answers, and at most one record more. */
	if (len > DNS_QUERY_MAX || ns_initparse(wire, len, &msg) ||
	    ns_msg_count(msg, ns_s_qd) != 1 || ns_msg_count(msg, ns_s_an) ||
	    ns_msg_count(msg, ns_s_ns) || ns_msg_count(msg, ns_s_ar) > 1 ||
	    ns_parserr(&msg, ns_s_qd, 0, &rr))
		return reply(q, ns_r_formerr);
	q->type = ns_rr_type(rr);
	/* Before its name there is nothing that this could lead to. */
	while (*end && *end < 64)
		end += 1 + *end;
	if (*end)
		return reply(q, ns_r_formerr);
	end += 1 + NS_QFIXEDSZ;
	/* And the name of that record is the root's, as it is. */
	if (ns_msg_count(msg, ns_s_ar))
		version = *end || ns_parserr(&msg, ns_s_ar, 0, &rr) ? -1 : parse_opt(&rr, q);
	if (version < 0)
		return reply(q, ns_r_formerr);
	q->len = end - wire - NS_HFIXEDSZ;
	memcpy(q->question, wire + NS_HFIXEDSZ, q->len);
	return version ? reply(q, DNS_BADVERS) : look(q);
}

/* A header, and the question. */
static uint8_t *put_head(uint8_t *p, const struct dns_query *q, HEADER h)
{
	h.qdcount = htons(!!q->len);
	h.arcount = htons(q->edns);
	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), q->question, q->len);
	return p + sizeof(h) + q->len;
}

static uint8_t *put_opt(uint8_t *p, const struct dns_query *q, uint16_t rcode)
{
	*p++ = 0;
	NS_PUT16(ns_t_opt, p);
	NS_PUT16(DNS_UDP_MOST, p);
	NS_PUT32((uint32_t)(rcode >> 4) << 24 | (q->dnssec ? DNS_DNSSEC_OK : 0), p);
	NS_PUT16(0, p);
	return p;
}

/* A record of the name that was asked for, of which the header is to know. */
static uint8_t *put_record(uint8_t *wire, uint8_t *p, uint16_t type, uint32_t ttl,
			   const void *data, size_t len)
{
	ns_put16(1, wire + 6);
	NS_PUT16(0xc000 | NS_HFIXEDSZ, p);
	NS_PUT16(type, p);
	NS_PUT16(ns_c_in, p);
	NS_PUT32(ttl, p);
	NS_PUT16(len, p);
	memcpy(p, data, len);
	return p + len;
}

/* What is known without asking anybody. */
static uint8_t *put_known(uint8_t *wire, uint8_t *p, const struct dns_query *q)
{
	static const uint8_t v4[4] = { 127, 0, 0, 1 }, v6[16] = { [15] = 1 };

	/* RFC 8482: something small, which says why. */
	if (q->type == ns_t_any)
		return put_record(wire, p, ns_t_hinfo, LOCAL_TTL, "\7RFC8482\0", 9);
	if (!is_below(q->question, "localhost"))
		return p;
	if (q->type == ns_t_a)
		return put_record(wire, p, q->type, LOCAL_TTL, v4, sizeof(v4));
	if (q->type == ns_t_aaaa)
		return put_record(wire, p, q->type, LOCAL_TTL, v6, sizeof(v6));
	return p;
}

/* A server's answer, as it came but for what is between it and us, or us and the program. */
static size_t pass_on(const struct dns_query *q, const struct dns_answer *answer, HEADER h,
		      uint8_t *wire)
{
	memcpy(wire, answer->wire, answer->len);
	put_head(wire, q, h);
	memcpy(wire + 6, answer->wire + 6, 6);
	if (answer->opt)
		ns_put16(DNS_UDP_MOST, wire + answer->opt);
	return answer->len;
}

/**
 * dns_reply() - make an answer
 * @q: to this question
 * @answer: what is known, NULL: what dns_parse() has said
 * @wire: where its bytes go
 * @room: how many there may be, at least DNS_UDP_LEAST; what is longer is truncated, and says so
 *
 * Return: how many there are.
 */
size_t dns_reply(const struct dns_query *q, const struct dns_answer *answer, uint8_t *wire,
		 size_t room)
{
	uint16_t rcode = answer ? answer->rcode : q->rcode;
	HEADER h = {
		.id = htons(q->id), .qr = 1, .opcode = q->opcode, .rd = q->recursive, .ra = 1,
		.cd = q->unchecked, .rcode = rcode & 0xf,
	};
	uint8_t *p;

	if (answer && answer->wire && answer->len <= room)
		return pass_on(q, answer, h, wire);
	h.tc = answer && answer->wire;
	p = put_head(wire, q, h);
	if (answer && answer->has_address)
		p = put_record(wire, p, ns_t_a, answer->ttl, &answer->address,
			       sizeof(answer->address));
	else if (!answer && q->len && rcode == ns_r_noerror)
		p = put_known(wire, p, q);
	if (q->edns)
		p = put_opt(p, q, rcode);
	return p - wire;
}

/**
 * dns_forward() - make a question for a server
 * @q: the same of a program's
 * @id: of the new message
 * @wire: where its bytes go: DNS_UDP_LEAST are enough
 *
 * Return: how many there are.
 */
size_t dns_forward(const struct dns_query *q, uint16_t id, uint8_t *wire)
{
	uint8_t *p = put_head(wire, q, (HEADER){ .id = htons(id), .rd = 1, .cd = q->unchecked });

	if (q->edns)
		p = put_opt(p, q, 0);
	return p - wire;
}

/* RFC 2308: that there is nothing holds as long as the zone says. */
static uint32_t soa_ttl(const ns_rr *rr, uint32_t most)
{
	uint32_t least, ttl = ns_rr_ttl(*rr);

	/* Two names, and five numbers, of which this is the last. */
	if (ns_rr_rdlen(*rr) < 22 || ttl >> 31)
		return 0;
	least = ns_get32(ns_rr_rdata(*rr) + ns_rr_rdlen(*rr) - NS_INT32SZ);
	if (least > ttl)
		least = ttl;
	return least < most ? least : most;
}

/* A record, of which @answer is to know; false: it should not be there. */
static bool take(const struct dns_query *q, int section, const ns_rr *rr, struct dns_answer *answer)
{
	if (ns_rr_type(*rr) == ns_t_tsig)
		return false;
	if (ns_rr_type(*rr) != ns_t_opt)
		return true;
	/* It was asked for, and there is one. */
	if (section != ns_s_ar || answer->opt || !q->edns || rr->name[0] ||
	    (ns_rr_ttl(*rr) >> 16 & 0xff))
		return false;
	answer->opt = ns_rr_rdata(*rr) - 8 - answer->wire;
	answer->rcode |= ns_rr_ttl(*rr) >> 24 << 4;
	return true;
}

/* All records; false: they are not whole, or too many. */
static bool parse_records(const struct dns_query *q, uint32_t most, struct dns_answer *answer)
{
	int section, i;
	ns_msg msg;
	ns_rr rr;

	if (ns_initparse(answer->wire, answer->len, &msg) || ns_msg_count(msg, ns_s_qd) != 1 ||
	    ns_msg_count(msg, ns_s_an) + ns_msg_count(msg, ns_s_ns) +
	    ns_msg_count(msg, ns_s_ar) > RECORDS_MAX)
		return false;
	for (section = ns_s_an; section < ns_s_max; section++) {
		for (i = 0; i < ns_msg_count(msg, section); i++) {
			if (ns_parserr(&msg, section, i, &rr) || !take(q, section, &rr, answer))
				return false;
			if (section == ns_s_ns && ns_rr_type(rr) == ns_t_soa &&
			    !ns_msg_count(msg, ns_s_an) && !answer->ttl)
				answer->ttl = soa_ttl(&rr, most);
		}
	}
	return true;
}

/**
 * dns_forwarded() - read a server's answer
 * @q: to this question
 * @id: of the message that it was sent in
 * @wire: the answer's bytes, which may be anything, and stay where they are
 * @len: how many
 * @most: for so many seconds it may be kept at most
 * @answer: it
 *
 * What has records is not kept: their times would have to be counted down. Nor is it kept
 * that there is nothing if somebody wants a proof of it.
 *
 * Return: false: it is none.
 */
bool dns_forwarded(const struct dns_query *q, uint16_t id, const uint8_t *wire, size_t len,
		   uint32_t most, struct dns_answer *answer)
{
	struct dns_query asked = *q;
	HEADER h;

	memset(answer, 0, sizeof(*answer));
	if (len < sizeof(h) + q->len || len > DNS_ANSWER_MAX)
		return false;
	memcpy(&h, wire, sizeof(h));
	if (ntohs(h.id) != id || !h.qr || h.opcode || h.tc)
		return false;
	memcpy(asked.question, wire + NS_HFIXEDSZ, q->len);
	make_key(&asked);
	if (memcmp(asked.key, q->key, 1 + q->len))
		return false;
	answer->rcode = h.rcode;
	answer->wire = wire;
	answer->len = len;
	if (!parse_records(q, most, answer))
		return false;
	if (q->dnssec || (answer->rcode != ns_r_noerror && answer->rcode != ns_r_nxdomain))
		answer->ttl = 0;
	return true;
}
