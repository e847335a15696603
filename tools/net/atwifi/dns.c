// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages of the domain name system.
 *
 * Whoever asks is a program of this machine, and a server that is asked is anybody: both may
 * send any bytes. So a question is read byte by byte, has nothing in it but what a question
 * has, and costs no memory; of an answer it is looked where its records are, and its bytes
 * go on as they came. What RFC 1035, 2308, 6761, 6891, 7766 and 8482 want of a server that
 * knows addresses alone is in dns_parse() and in what it calls.
 *
 * No library reads them: "Why atwifid reads messages by itself" in the manual has the figures. But
 * a reader made of parts of ldns takes what is taken here, and nothing else: see
 * tools/testing/fuzz/answerer.c.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "dns.h"

#define HEADER		12
#define NAME_MAX_WIRE	255
#define HOST_MAX	119	/* bytes of a name that a module can be asked for */
#define RECORD		10	/* behind its name: type, class, time, length */
#define OPT_SIZE	(1 + RECORD)
#define LOCAL_TTL	3600
#define RECORDS_MAX	1024	/* of an answer */
#define POINTERS_MAX	64	/* of a name */
#define CLASS_IN	1

/* Of the header, in its third and fourth byte. */
#define FLAG_QR		0x80
#define FLAG_OPCODE	0x78
#define FLAG_TC		0x02
#define FLAG_RD		0x01
#define FLAG_RA		0x80
#define FLAG_CD		0x10

/* Of the time of an OPT record. */
#define OPT_DO		0x8000

static uint16_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static uint8_t *put16(uint8_t *p, uint16_t value)
{
	*p++ = value >> 8;
	*p++ = value;
	return p;
}

static uint8_t *put32(uint8_t *p, uint32_t value)
{
	return put16(put16(p, value >> 16), value);
}

/* How many bytes a name has that is whole and not compressed; 0: it is none. */
static size_t name_size(const uint8_t *name, size_t room)
{
	size_t at = 0;

	if (room > NAME_MAX_WIRE)
		room = NAME_MAX_WIRE;
	while (at < room) {
		if (name[at] > 63)
			return 0;
		if (!name[at])
			return at + 1;
		at += 1 + name[at];
	}
	return 0;
}

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
	if (get16(q->question + q->len - 2) != CLASS_IN)
		return reply(q, DNS_REFUSED);
	/* Names that are nobody's else to tell. */
	if (is_below(q->question, "localhost"))
		return reply(q, DNS_NOERROR);
	if (is_below(q->question, "invalid") || is_below(q->question, "onion"))
		return reply(q, DNS_NXDOMAIN);
	/* What is about messages and not about names. */
	if (!q->type || q->type == DNS_TYPE_OPT ||
	    (q->type >= 249 && q->type < DNS_TYPE_ANY))
		return reply(q, DNS_REFUSED);
	/* The module's network has no IPv6; and of ANY a part is enough. */
	if (q->type == DNS_TYPE_AAAA || q->type == DNS_TYPE_ANY)
		return reply(q, DNS_NOERROR);
	if (q->type == DNS_TYPE_A && host_of(q->question, q->host))
		return DNS_ADDRESS;
	return DNS_OTHER;
}

/* The record of EDNS, if there is that one and nothing else; its version, or -1. */
static int parse_opt(const uint8_t *opt, size_t len, struct dns_query *q)
{
	if (len < OPT_SIZE || opt[0] || get16(opt + 1) != DNS_TYPE_OPT ||
	    get16(opt + 9) != len - OPT_SIZE)
		return -1;
	q->edns = true;
	q->room = get16(opt + 3);
	if (q->room < DNS_UDP_LEAST)
		q->room = DNS_UDP_LEAST;
	if (q->room > DNS_UDP_MOST)
		q->room = DNS_UDP_MOST;
	q->dnssec = get16(opt + 7) & OPT_DO;
	return opt[6];
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
	int version = 0;
	size_t size;

	memset(q, 0, sizeof(*q));
	/* Answers are not answered: two servers would do so for ever. */
	if (len < HEADER || (wire[2] & FLAG_QR))
		return DNS_DROP;
	q->id = get16(wire);
	q->opcode = (wire[2] & FLAG_OPCODE) >> 3;
	q->recursive = wire[2] & FLAG_RD;
	q->unchecked = wire[3] & FLAG_CD;
	q->room = DNS_UDP_LEAST;
	if (q->opcode)
		return reply(q, DNS_NOTIMP);
	/* One question, no answers, and at most one record more, by what is told. */
	if (len > DNS_QUERY_MAX || get16(wire + 4) != 1 || get16(wire + 6) || get16(wire + 8) ||
	    get16(wire + 10) > 1)
		return reply(q, DNS_FORMERR);
	size = name_size(wire + HEADER, len - HEADER);
	if (!size || len - HEADER - size < 4)
		return reply(q, DNS_FORMERR);
	size += 4;
	/* And so by what there is. */
	if (get16(wire + 10))
		version = parse_opt(wire + HEADER + size, len - HEADER - size, q);
	else if (len != HEADER + size)
		version = -1;
	if (version < 0)
		return reply(q, DNS_FORMERR);
	memcpy(q->question, wire + HEADER, size);
	q->len = size;
	q->type = get16(q->question + size - 4);
	return version ? reply(q, DNS_BADVERS) : look(q);
}

static uint8_t *put_header(uint8_t *p, const struct dns_query *q, uint16_t rcode)
{
	p = put16(p, q->id);
	*p++ = FLAG_QR | q->opcode << 3 | q->recursive;
	*p++ = FLAG_RA | (q->unchecked ? FLAG_CD : 0) | (rcode & 0xf);
	p = put16(p, !!q->len);
	return put16(put16(put16(p, 0), 0), q->edns);
}

static uint8_t *put_opt(uint8_t *p, const struct dns_query *q, uint16_t rcode)
{
	*p++ = 0;
	p = put16(put16(p, DNS_TYPE_OPT), DNS_UDP_MOST);
	p = put32(p, (uint32_t)(rcode >> 4) << 24 | (q->dnssec ? OPT_DO : 0));
	return put16(p, 0);
}

/* A record of the name that was asked for, of which the header is to know. */
static uint8_t *put_record(uint8_t *wire, uint8_t *p, uint16_t type, uint32_t ttl,
			   const void *data, size_t len)
{
	put16(wire + 6, 1);
	p = put16(put16(put16(p, 0xc000 | HEADER), type), CLASS_IN);
	p = put16(put32(p, ttl), len);
	memcpy(p, data, len);
	return p + len;
}

/* What is known without asking anybody. */
static uint8_t *put_known(uint8_t *wire, uint8_t *p, const struct dns_query *q)
{
	static const uint8_t v4[4] = { 127, 0, 0, 1 }, v6[16] = { [15] = 1 };

	/* RFC 8482: something small, which says why. */
	if (q->type == DNS_TYPE_ANY)
		return put_record(wire, p, DNS_TYPE_HINFO, LOCAL_TTL, "\7RFC8482\0", 9);
	if (!is_below(q->question, "localhost"))
		return p;
	if (q->type == DNS_TYPE_A)
		return put_record(wire, p, q->type, LOCAL_TTL, v4, sizeof(v4));
	if (q->type == DNS_TYPE_AAAA)
		return put_record(wire, p, q->type, LOCAL_TTL, v6, sizeof(v6));
	return p;
}

/* A server's answer, as it came but for what is between it and us, or us and the program. */
static size_t pass_on(const struct dns_query *q, const struct dns_answer *answer, uint8_t *wire)
{
	memcpy(wire, answer->wire, answer->len);
	put_header(wire, q, answer->rcode);
	memcpy(wire + 6, answer->wire + 6, 6);
	memcpy(wire + HEADER, q->question, q->len);
	if (answer->opt)
		put16(wire + answer->opt + 3, DNS_UDP_MOST);
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
	uint8_t *p;

	if (answer && answer->wire && answer->len <= room)
		return pass_on(q, answer, wire);
	p = put_header(wire, q, rcode);
	memcpy(p, q->question, q->len);
	p += q->len;
	if (answer && answer->wire)
		wire[2] |= FLAG_TC;
	else if (answer && answer->has_address)
		p = put_record(wire, p, DNS_TYPE_A, answer->ttl, &answer->address,
			       sizeof(answer->address));
	else if (!answer && q->len && rcode == DNS_NOERROR)
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
	uint8_t *p = put_header(wire, q, 0);

	put16(wire, id);
	wire[2] = FLAG_RD;
	wire[3] = q->unchecked ? FLAG_CD : 0;
	memcpy(p, q->question, q->len);
	p += q->len;
	if (q->edns)
		p = put_opt(p, q, 0);
	return p - wire;
}

/*
 * Where a name ends, which may be compressed; 0: it is none. Each pointer leads to what
 * is before all that was read of the name.
 */
static size_t skip_name(const uint8_t *wire, size_t len, size_t at)
{
	size_t end = 0, least = at, size = 1;
	unsigned int pointers = 0;

	while (at < len) {
		if (!wire[at])
			return end ? end : at + 1;
		if (wire[at] < 64) {
			size += 1 + wire[at];
			at += 1 + wire[at];
			if (size > NAME_MAX_WIRE)
				return 0;
			continue;
		}
		if (wire[at] < 0xc0 || len - at < 2 || ++pointers > POINTERS_MAX)
			return 0;
		if (!end)
			end = at + 2;
		at = get16(wire + at) & 0x3fff;
		if (at < HEADER || at >= least)
			return 0;
		least = at;
	}
	return 0;
}

/* A record at @at, which is whole: where what is behind its name is, or 0. */
static size_t parse_record(const uint8_t *wire, size_t len, size_t at)
{
	at = skip_name(wire, len, at);
	if (!at || len - at < RECORD || len - at - RECORD < get16(wire + at + 8))
		return 0;
	return at;
}

/* RFC 2308: that there is nothing holds as long as the zone says. */
static uint32_t soa_ttl(const uint8_t *wire, size_t at, uint32_t most)
{
	size_t end = at + RECORD + get16(wire + at + 8), minimum;
	uint32_t ttl = get32(wire + at + 4);

	minimum = skip_name(wire, end, at + RECORD);
	if (minimum)
		minimum = skip_name(wire, end, minimum);
	if (!minimum || end - minimum != 20 || ttl >> 31)
		return 0;
	if (ttl > most)
		ttl = most;
	return get32(wire + end - 4) < ttl ? get32(wire + end - 4) : ttl;
}

/* All records, of which @answer is to know; false: they are not whole, or too many. */
static bool parse_records(const struct dns_query *q, uint32_t most, struct dns_answer *answer)
{
	size_t at = HEADER + q->len, name;
	const uint8_t *wire = answer->wire;
	unsigned int i, all = 0, n[3];

	for (i = 0; i < 3; i++) {
		all += get16(wire + 6 + 2 * i);
		n[i] = all;
	}
	if (n[2] > RECORDS_MAX)
		return false;
	for (i = 0; i < n[2]; i++) {
		name = at;
		at = parse_record(wire, answer->len, at);
		if (!at)
			return false;
		switch (get16(wire + at)) {
		case DNS_TYPE_SOA:
			if (!n[0] && i < n[1] && !answer->ttl)
				answer->ttl = soa_ttl(wire, at, most);
			break;
		case DNS_TYPE_TSIG:
			return false;
		case DNS_TYPE_OPT:
			/* It was asked for, and there is one. */
			if (i < n[1] || answer->opt || !q->edns || wire[name] || wire[at + 5])
				return false;
			answer->opt = name;
			answer->rcode |= (uint16_t)wire[at + 4] << 4;
		}
		at += RECORD + get16(wire + at + 8);
	}
	return at == answer->len;
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

	memset(answer, 0, sizeof(*answer));
	if (len < HEADER + (size_t)q->len || len > DNS_ANSWER_MAX || get16(wire) != id ||
	    (wire[2] & (FLAG_QR | FLAG_OPCODE | FLAG_TC)) != FLAG_QR || get16(wire + 4) != 1)
		return false;
	memcpy(asked.question, wire + HEADER, q->len);
	make_key(&asked);
	if (memcmp(asked.key, q->key, 1 + q->len))
		return false;
	answer->rcode = wire[3] & 0xf;
	answer->wire = wire;
	answer->len = len;
	if (!parse_records(q, most, answer))
		return false;
	if (q->dnssec || (answer->rcode != DNS_NOERROR && answer->rcode != DNS_NXDOMAIN))
		answer->ttl = 0;
	return true;
}
