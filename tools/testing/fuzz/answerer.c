// SPDX-License-Identifier: GPL-2.0-only
/*
 * Anything that anybody may send to the name server of this machine, and anything that a
 * server says to it: what is done about each is what a second reader, made of ldns's parts and
 * of atwifid(8), would do, no less and no more; and so are the answers, to a byte. What is a name
 * in an answer ldns and the resolver library do not agree on, and so it is here what that says.
 */
#include <ctype.h>
#include <stdbool.h>
/* Which has another bool where there is none yet. */
#include <ldns/ldns.h>
#include <string.h>

#include "dns.h"
#include "fuzz.h"

#define HEADER		12
#define RECORDS_MAX	1024
#define KEPT_MAX	60

/* Where a name ends, and how long it is; 0: it is none. */
static size_t name_end(const u8 *wire, size_t len, size_t at, u32 *size)
{
	size_t end = 0, looked = 0;

	for (*size = 1; at < len && wire[at]; ) {
		if (wire[at] < 64) {
			*size += 1 + wire[at];
			looked += 1 + wire[at];
			at += 1 + wire[at];
			continue;
		}
		/* Who has looked at as much as there is goes round. */
		looked += 2;
		if (wire[at] < 0xc0 || len - at < 2 || looked >= len)
			return 0;
		if (!end)
			end = at + 2;
		at = ldns_read_uint16(wire + at) & 0x3fff;
	}
	if (at >= len || *size > 255)
		return 0;
	return end ? end : at + 1;
}

static bool is_below(const ldns_rdf *name, const char *text)
{
	ldns_rdf *domain = ldns_dname_new_frm_str(text);
	bool below = !ldns_dname_compare(name, domain) || ldns_dname_is_subdomain(name, domain);

	ldns_rdf_deep_free(domain);
	return below;
}

/* The name of a host, as text without its last dot, small; or nothing. */
static void host_of(const ldns_rdf *name, char *host, size_t size)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
	char *text = ldns_rdf2str(name), *c;
	size_t len = strlen(text);

	for (c = text; *c; c++)
		*c = tolower(*c);
	*host = '\0';
	if (len > 1 && len <= 120 && strspn(text, chars) == len)
		snprintf(host, size, "%.*s", (int)len - 1, text);
	free(text);
}

/* What is to be done about a whole message with this in it, and with what code. */
static enum dns_todo wanted_for(const ldns_rdf *name, u32 type, u32 class, u8 *code)
{
	char host[256];

	*code = ns_r_refused;
	if (class != LDNS_RR_CLASS_IN)
		return DNS_REPLY;
	*code = ns_r_noerror;
	if (is_below(name, "localhost"))
		return DNS_REPLY;
	*code = ns_r_nxdomain;
	if (is_below(name, "invalid") || is_below(name, "onion"))
		return DNS_REPLY;
	*code = ns_r_refused;
	if (!type || type == LDNS_RR_TYPE_OPT || (type >= 249 && type <= 254))
		return DNS_REPLY;
	*code = ns_r_noerror;
	if (type == LDNS_RR_TYPE_AAAA || type == LDNS_RR_TYPE_ANY)
		return DNS_REPLY;
	host_of(name, host, sizeof(host));
	return type == LDNS_RR_TYPE_A && *host ? DNS_ADDRESS : DNS_OTHER;
}

static enum dns_todo wanted(const u8 *wire, size_t len, u8 *code)
{
	enum dns_todo todo = DNS_REPLY;
	bool edns, whole = false;
	size_t at = HEADER;
	ldns_rdf *name;

	if (len < HEADER || LDNS_QR_WIRE(wire))
		return DNS_DROP;
	*code = ns_r_notimpl;
	if (LDNS_OPCODE_WIRE(wire))
		return DNS_REPLY;
	*code = ns_r_formerr;
	edns = LDNS_ARCOUNT(wire) == 1;
	if (len > DNS_QUERY_MAX || LDNS_QDCOUNT(wire) != 1 || LDNS_ANCOUNT(wire) ||
	    LDNS_NSCOUNT(wire) || LDNS_ARCOUNT(wire) > 1 ||
	    ldns_wire2dname(&name, wire, len, &at) != LDNS_STATUS_OK)
		return DNS_REPLY;
	/* Where it ends is another place for one that is compressed. */
	if (at - HEADER == ldns_rdf_size(name) && len - at >= 4) {
		at += 4;
		whole = edns ? len - at >= 11 && !wire[at] &&
			       ldns_read_uint16(wire + at + 1) == LDNS_RR_TYPE_OPT &&
			       ldns_read_uint16(wire + at + 9) == len - at - 11 : at == len;
	}
	if (whole && edns && wire[at + 6])
		*code = DNS_BADVERS;
	else if (whole)
		todo = wanted_for(name, ldns_read_uint16(wire + at - 4),
				  ldns_read_uint16(wire + at - 2), code);
	ldns_rdf_deep_free(name);
	return todo;
}

/* A question that is read is one to others, too, and the same. */
static void check_question(const struct dns_query *q, const u8 *wire, size_t len)
{
	ldns_rr *asked;
	ldns_pkt *pkt;
	u32 room;

	if (ldns_wire2pkt(&pkt, wire, len) != LDNS_STATUS_OK)
		DIE("a question that nobody can read");
	asked = ldns_rr_list_rr(ldns_pkt_question(pkt), 0);
	if (ldns_rdf_size(ldns_rr_owner(asked)) != q->len - 4U ||
	    memcmp(ldns_rdf_data(ldns_rr_owner(asked)), q->question, q->len - 4) ||
	    ldns_rr_get_type(asked) != q->type ||
	    ldns_rr_get_type(asked) != ldns_read_uint16(q->question + q->len - 4) ||
	    ldns_rr_get_class(asked) != ldns_read_uint16(q->question + q->len - 2))
		DIE("another question");
	if (ldns_pkt_id(pkt) != q->id || ldns_pkt_edns(pkt) != q->edns ||
	    ldns_pkt_edns_do(pkt) != q->dnssec || ldns_pkt_cd(pkt) != q->unchecked ||
	    ldns_pkt_rd(pkt) != q->recursive)
		DIE("other flags");
	room = q->edns ? ldns_pkt_edns_udp_size(pkt) : 0;
	if (q->room != (room < 512 ? 512 : room > 1232 ? 1232 : room))
		DIE("room for %u, not %u", q->room, room);
	ldns_pkt_free(pkt);
}

static void check_host(const struct dns_query *q)
{
	char host[256];
	ldns_rdf *name;
	size_t at = 0;

	if (ldns_wire2dname(&name, q->question, q->len, &at) != LDNS_STATUS_OK)
		DIE("no name");
	host_of(name, host, sizeof(host));
	if (strcmp(host, q->host))
		DIE("another host: %s", q->host);
	ldns_rdf_deep_free(name);
}

/* What is another question, and what is not. */
static void check_key(const struct dns_query *q, const u8 *wire, size_t len)
{
	u8 *copy = malloc(len);
	struct dns_query other;
	size_t i;

	memcpy(copy, wire, len);
	for (i = HEADER; i < HEADER + q->len - 4U; i++)
		if (isalpha(copy[i]))
			copy[i] ^= 0x20;
	dns_parse(copy, len, &other);
	if (other.len != q->len || memcmp(other.key, q->key, 1 + q->len))
		DIE("another question for its case");
	i = choose(4);
	if (i == 0)
		copy[3] ^= 0x10;
	else if (i == 1)
		copy[HEADER + q->len - 4 + choose(4)] ^= 1;
	else if (i == 2 && q->len > 5)
		copy[HEADER + 1] ^= 1;
	else if (q->edns)
		copy[HEADER + q->len + 7] ^= 0x80;
	else
		copy[3] ^= 0x10;
	dns_parse(copy, len, &other);
	if (!memcmp(other.key, q->key, 1 + q->len))
		DIE("the same question");
	free(copy);
}

/* Of what we say by ourselves: of which type a record is, and how long what is in it; or 0. */
static u32 wanted_record(const struct dns_query *q, const struct dns_answer *answer, u32 *size)
{
	ldns_rdf *name = NULL;
	size_t at = 0;
	u32 type = 0;

	*size = 4;
	if (answer)
		return answer->has_address && !answer->wire ? LDNS_RR_TYPE_A : 0;
	if (!q->len || q->rcode != ns_r_noerror)
		return 0;
	if (ldns_wire2dname(&name, q->question, q->len, &at) != LDNS_STATUS_OK)
		DIE("no name");
	if (q->type == LDNS_RR_TYPE_ANY)
		type = LDNS_RR_TYPE_HINFO;
	else if (is_below(name, "localhost") &&
		 (q->type == LDNS_RR_TYPE_A || q->type == LDNS_RR_TYPE_AAAA))
		type = q->type;
	ldns_rdf_deep_free(name);
	*size = type == LDNS_RR_TYPE_HINFO ? 9 : type == LDNS_RR_TYPE_AAAA ? 16 : 4;
	return type;
}

/* What we say by ourselves others read, and it is that and nothing else. */
static void check_own(const struct dns_query *q, const struct dns_answer *answer, const u8 *wire,
		      size_t len)
{
	u32 code = answer ? answer->rcode : q->rcode, size, type = wanted_record(q, answer, &size);
	ldns_rr *asked, *rr;
	ldns_pkt *pkt;

	if (ldns_wire2pkt(&pkt, wire, len) != LDNS_STATUS_OK)
		DIE("a reply that nobody can read");
	if (LDNS_QDCOUNT(wire) != !!q->len || LDNS_ANCOUNT(wire) != !!type || LDNS_NSCOUNT(wire) ||
	    LDNS_ARCOUNT(wire) != q->edns ||
	    len != HEADER + q->len + (type ? 12 + size : 0) + 11 * q->edns)
		DIE("a reply with something else in it");
	if (ldns_pkt_id(pkt) != q->id || !ldns_pkt_qr(pkt) || !ldns_pkt_ra(pkt) ||
	    ldns_pkt_aa(pkt) || ldns_pkt_ad(pkt) || ldns_pkt_rd(pkt) != q->recursive ||
	    ldns_pkt_cd(pkt) != q->unchecked || (u32)ldns_pkt_get_opcode(pkt) != q->opcode ||
	    ldns_pkt_tc(pkt) != (answer && answer->wire) || ldns_pkt_edns(pkt) != q->edns ||
	    (ldns_pkt_get_rcode(pkt) | ldns_pkt_edns_extended_rcode(pkt) << 4) != code)
		DIE("a reply of code %u with other flags", code);
	if (q->edns && (ldns_pkt_edns_do(pkt) != q->dnssec || ldns_pkt_edns_version(pkt) ||
			ldns_pkt_edns_udp_size(pkt) != DNS_UDP_MOST))
		DIE("another EDNS");
	if (type) {
		asked = ldns_rr_list_rr(ldns_pkt_question(pkt), 0);
		rr = ldns_rr_list_rr(ldns_pkt_answer(pkt), 0);
		if (ldns_rr_get_type(rr) != type || ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN ||
		    ldns_rr_ttl(rr) != (answer ? answer->ttl : 3600) ||
		    ldns_dname_compare(ldns_rr_owner(rr), ldns_rr_owner(asked)))
			DIE("another record");
		if (answer && memcmp(ldns_rdf_data(ldns_rr_rdf(rr, 0)), &answer->address, 4))
			DIE("another address");
	}
	ldns_pkt_free(pkt);
}

/* A server's answer, as it is to be passed on. */
static void check_passed_on(const struct dns_query *q, const struct dns_answer *answer,
			    const u8 *wire, size_t len)
{
	u8 *want = malloc(answer->len);

	memcpy(want, answer->wire, answer->len);
	ldns_write_uint16(want, q->id);
	want[2] = 0x80 | q->recursive;
	want[3] = 0x80 | (q->unchecked ? 0x10 : 0) | (answer->rcode & 15);
	memcpy(want + HEADER, q->question, q->len);
	if (answer->opt)
		ldns_write_uint16(want + answer->opt, DNS_UDP_MOST);
	if (len != answer->len || memcmp(wire, want, len))
		DIE("another answer is passed on");
	free(want);
}

static void check_reply(const struct dns_query *q, const struct dns_answer *answer, size_t room)
{
	/* In memory of its own, of which no byte is too many. */
	u8 *wire = malloc(room);
	size_t len = dns_reply(q, answer, wire, room);

	if (len < HEADER || len > room)
		DIE("a reply of %zu bytes", len);
	if (q->len && memcmp(wire + HEADER, q->question, q->len))
		DIE("a reply to another question");
	if (answer && answer->wire && answer->len <= room)
		check_passed_on(q, answer, wire, len);
	else
		check_own(q, answer, wire, len);
	free(wire);
}

/* For how long what a zone says may be kept, by a record of its; @at is behind its name. */
static u32 kept(const u8 *wire, size_t at)
{
	u32 ttl = ldns_read_uint32(wire + at + 4), size = ldns_read_uint16(wire + at + 8), least;

	if (size < 22 || ttl > INT32_MAX)
		return 0;
	least = ldns_read_uint32(wire + at + 10 + size - 4);
	if (ttl < least)
		least = ttl;
	return least < KEPT_MAX ? least : KEPT_MAX;
}

/* Is this message an answer, and what is in it that is to be known? */
static bool is_answer(const struct dns_query *q, uint16_t id, const u8 *wire, size_t len,
		      struct dns_answer *want)
{
	u32 i, answers, ahead, records, size, type;
	size_t at = HEADER + q->len;

	memset(want, 0, sizeof(*want));
	if (len < at || len > DNS_ANSWER_MAX || LDNS_ID_WIRE(wire) != id || !LDNS_QR_WIRE(wire) ||
	    LDNS_OPCODE_WIRE(wire) || LDNS_TC_WIRE(wire) || LDNS_QDCOUNT(wire) != 1 ||
	    memcmp(wire + at - 4, q->question + q->len - 4, 4))
		return false;
	for (i = 0; i < q->len - 4U; i++)
		if (tolower(wire[HEADER + i]) != tolower(q->question[i]))
			return false;
	want->rcode = LDNS_RCODE_WIRE(wire);
	want->wire = wire;
	want->len = len;
	answers = LDNS_ANCOUNT(wire);
	ahead = answers + LDNS_NSCOUNT(wire);
	records = ahead + LDNS_ARCOUNT(wire);
	if (records > RECORDS_MAX)
		return false;
	for (i = 0; i < records; i++) {
		at = name_end(wire, len, at, &size);
		if (!at || len - at < 10 || len - at - 10 < ldns_read_uint16(wire + at + 8))
			return false;
		type = ldns_read_uint16(wire + at);
		if (type == LDNS_RR_TYPE_TSIG)
			return false;
		if (type == LDNS_RR_TYPE_OPT) {
			/* One, of the root, of version 0, among what is additional. */
			if (i < ahead || want->opt || !q->edns || size != 1 || wire[at + 5])
				return false;
			want->opt = at + 2;
			want->rcode |= wire[at + 4] << 4;
		}
		if (type == LDNS_RR_TYPE_SOA && i >= answers && i < ahead && !want->ttl)
			want->ttl = kept(wire, at);
		at += 10 + ldns_read_uint16(wire + at + 8);
	}
	if (answers || q->dnssec || (want->rcode != ns_r_noerror && want->rcode != ns_r_nxdomain))
		want->ttl = 0;
	return at == len;
}

static void check_server(const struct dns_query *q, const u8 *data, size_t size)
{
	struct dns_answer answer, want;
	u8 *wire = malloc(DNS_UDP_LEAST);
	struct dns_query again;
	uint16_t id = ~q->id;
	size_t len;
	bool taken;

	len = dns_forward(q, id, wire);
	if (!len || len > DNS_UDP_LEAST || dns_parse(wire, len, &again) == DNS_DROP ||
	    again.id != id || again.len != q->len || memcmp(again.key, q->key, 1 + q->len) ||
	    !again.recursive || LDNS_AD_WIRE(wire) || LDNS_RA_WIRE(wire))
		DIE("no question for a server");
	/* Its own question makes no answer of it. */
	if (dns_forwarded(q, id, wire, len, KEPT_MAX, &answer))
		DIE("a question is taken for an answer");
	free(wire);
	taken = dns_forwarded(q, q->id, data, size, KEPT_MAX, &answer);
	if (taken != is_answer(q, q->id, data, size, &want))
		DIE("an answer is%s taken", taken ? "" : " not");
	if (!taken)
		return;
	if (answer.rcode != want.rcode || answer.ttl != want.ttl || answer.opt != want.opt ||
	    answer.wire != data || answer.len != size || answer.has_address)
		DIE("code %u, %u s, EDNS at %zu, not %u, %u, %zu", answer.rcode, answer.ttl,
		    answer.opt, want.rcode, want.ttl, want.opt);
	check_reply(q, &want, q->room);
	check_reply(q, &want, DNS_ANSWER_MAX);
}

/* Messages that are nearly right get further than bytes do. */

/* With where its question ends, and where names begin, so that others lead there. */
struct message {
	u8	bytes[65536];
	size_t	len;
	size_t	asked;
	u32	names[8];
	u32	n_names;
};

static void put(struct message *m, u32 value, unsigned int bytes)
{
	while (bytes-- && m->len < sizeof(m->bytes))
		m->bytes[m->len++] = value >> 8 * bytes;
}

/* Of a host's, or of any bytes. */
static void put_label(struct message *m, u32 len)
{
	bool host = choose(4);

	for (put(m, len, 1); len; len--)
		put(m, host ? 'a' + choose(26) : choose(256), 1);
}

/* Most lead to where a name begins, some to within its first label. */
static void put_pointer(struct message *m)
{
	u32 n = m->n_names < ARRAY_SIZE(m->names) ? m->n_names : ARRAY_SIZE(m->names);
	u32 to = choose(64);

	if (n && choose(8))
		to = m->names[choose(n)] + !choose(8);
	put(m, 0xc000 | to, 2);
}

static void put_name(struct message *m)
{
	static const char *const labels[] = {
		"peer", "test", "localhost", "onion", "invalid", "_x-1", "A", "a b", "\1.\\\xff",
	};
	bool pointer = !choose(4);
	const char *label;
	u32 n = choose(5);

	if (m->len < 0x4000)
		m->names[m->n_names++ % ARRAY_SIZE(m->names)] = m->len;
	switch (choose(8)) {
	case 0:
		/* As long as a name may be, or one for the module, or nearly. */
		for (n = choose(2) ? 3 : 1; n; n--)
			put_label(m, 63);
		put_label(m, choose(2) ? 60 + choose(4) : 54 + choose(4));
		break;
	case 1:
		/* Another one's, as most are. */
		pointer = choose(4);
		n = 0;
	}
	while (n--) {
		if (!choose(8)) {
			put_label(m, 1 + choose(63));
			continue;
		}
		label = labels[choose(ARRAY_SIZE(labels))];
		put(m, strlen(label), 1);
		for (; *label; label++)
			put(m, *label, 1);
	}
	if (pointer)
		put_pointer(m);
	else
		put(m, 0, 1);
}

static u32 a_type(void)
{
	static const u8 types[] = {
		1, 1, 1, 28, 2, 5, 6, 12, 13, 15, 16, 33, 41, 46, 249, 250, 252, 254, 255,
	};

	return choose(8) ? types[choose(ARRAY_SIZE(types))] : choose(65536);
}

static u32 a_time(void)
{
	return choose(4) ? choose(65536) << choose(17) : INT32_MAX + choose(2);
}

/* How many bytes are behind what says so; some say one more. */
static void put_size(struct message *m, size_t at)
{
	size_t n = m->len - at - 2;

	if (at + 2 <= sizeof(m->bytes))
		ldns_write_uint16(m->bytes + at, choose(16) ? n : n + 1);
}

static void put_record(struct message *m, u32 type)
{
	size_t at;
	u32 n;

	put_name(m);
	put(m, type, 2);
	put(m, choose(2) ? 1 : choose(65536), 2);
	put(m, a_time(), 4);
	at = m->len;
	put(m, 0, 2);
	if (type == 2 || type == 5 || type == 6 || type == 12)
		put_name(m);
	if (type == 6) {
		put_name(m);
		for (n = 0; n < 5; n++)
			put(m, choose(2) ? choose(256) : a_time(), 4);
	} else if (type == 1) {
		put(m, 0xc0000201, 4);
	} else if (choose(64)) {
		for (n = choose(40); n; n--)
			put(m, choose(256), 1);
	} else {
		for (n = choose(2) ? choose(2048) : choose(65536); n; n--)
			put(m, 0, 1);
	}
	put_size(m, at);
}

static void put_opt(struct message *m)
{
	size_t at;
	u32 n;

	put(m, LDNS_RR_TYPE_OPT, 3);
	put(m, choose(2) ? 1232 : choose(65536), 2);
	put(m, choose(4) ? 0 : choose(256), 1);
	put(m, choose(8) ? 0 : choose(256), 1);
	put(m, choose(2) ? choose(2) << 15 : choose(65536), 2);
	at = m->len;
	put(m, 0, 2);
	for (n = choose(2) * choose(20); n; n--)
		put(m, choose(256), 1);
	put_size(m, at);
}

/* Of a record all but its name and its data. */
static void put_head(struct message *m, u32 type, u32 size)
{
	put(m, type << 16 | LDNS_RR_CLASS_IN, 4);
	put(m, 0, 4);
	put(m, size, 2);
}

/* Until there are as many bytes as go by UDP, or one more or less. */
static void put_filler(struct message *m)
{
	size_t to = (choose(2) ? DNS_UDP_LEAST : DNS_UDP_MOST) - 1 + choose(3), at;

	put(m, 0, 1);
	put_head(m, LDNS_RR_TYPE_TXT, 0);
	at = m->len - 2;
	while (m->len < to)
		put(m, 0, 1);
	put_size(m, at);
}

/*
 * As many as there may be, or one more or less: of the root, or each of the name of the one before,
 * by one pointer more. There is nothing in them.
 */
static u32 put_many(struct message *m)
{
	bool chain = choose(2);
	u32 n = RECORDS_MAX - 1 + choose(3), to = HEADER, i;

	for (i = 0; i < n; i++) {
		put(m, chain ? 0xc000 | to : 0, chain ? 2 : 1);
		to = m->len - 2;
		put_head(m, LDNS_RR_TYPE_TXT, 0);
	}
	return n;
}

/* Of which the last has a name that leads back, and from there forward. */
static u32 put_detour(struct message *m)
{
	u32 to;

	put(m, 0, 1);
	put_head(m, LDNS_RR_TYPE_NS, 2);
	to = m->len;
	put(m, 0xc000 | (to + 2), 2);
	put(m, 0, 1);
	put_head(m, LDNS_RR_TYPE_TXT, 0);
	put(m, 0xc000 | to, 2);
	put_head(m, LDNS_RR_TYPE_TXT, 0);
	return 3;
}

/* @n of each section, if that is what they are to be. */
static void put_records(struct message *m, u32 *n, bool answer)
{
	u32 i;

	if (answer && !choose(32)) {
		n[1] = 0;
		n[2] = 0;
		n[3] = choose(4) ? put_many(m) : put_detour(m);
	} else if (answer && !choose(4)) {
		/* What does not exist, by its zone. */
		n[1] = !choose(8);
		n[2] = 1;
		n[3] = choose(2);
		if (n[1])
			put_record(m, a_type());
		put_record(m, LDNS_RR_TYPE_SOA);
		if (n[3])
			put_opt(m);
	} else {
		for (i = n[1] + n[2]; i; i--)
			put_record(m, a_type());
		for (i = n[3]; i; i--) {
			if (choose(4))
				put_opt(m);
			else
				put_record(m, a_type());
		}
		if (answer && !choose(8)) {
			put_filler(m);
			n[3]++;
		}
	}
}

static void put_message(struct message *m, uint16_t id, const struct message *question)
{
	u32 i, n[4] = { choose(8) != 0, !choose(16), !choose(16), choose(3) };

	m->len = 0;
	m->n_names = 0;
	put(m, id, 2);
	if (question) {
		n[1] = choose(2) * choose(4);
		n[2] = choose(3);
		put(m, choose(2) ? 0x8180 | choose(2) * 3 : 0x8000 | choose(65536), 2);
	} else {
		put(m, choose(2) ? 0x0100 : choose(32768), 2);
	}
	for (i = 0; i < 4; i++)
		put(m, 0, 2);
	if (n[0] && question && question->len > HEADER && choose(8)) {
		m->names[m->n_names++] = HEADER;
		for (i = HEADER; i < question->asked; i++)
			put(m, question->bytes[i], 1);
	} else if (n[0]) {
		put_name(m);
		put(m, a_type(), 2);
		put(m, choose(8) ? 1 : choose(65536), 2);
	}
	m->asked = m->len;
	put_records(m, n, question);
	/* One byte more than it says, or less. */
	if (!choose(32))
		put(m, 0, 1);
	else if (!choose(16))
		m->len--;
	for (i = 0; i < 4; i++)
		ldns_write_uint16(m->bytes + 4 + 2 * i, n[i] + !choose(32));
}

static void one(const u8 *data, size_t len, const u8 *said, size_t size)
{
	struct dns_answer answer = { .has_address = true, .ttl = choose(65536) << choose(17) };
	enum dns_todo todo, want;
	struct dns_query q;
	u8 code = 0;

	answer.address.s_addr = htonl(0xc0000201);
	todo = dns_parse(data, len, &q);
	want = wanted(data, len, &code);
	if (todo != want || (todo == DNS_REPLY && q.rcode != code))
		DIE("%u with code %u, not %u with %u", todo, q.rcode, want, code);
	if (q.len) {
		check_question(&q, data, len);
		if (q.rcode != DNS_BADVERS)
			check_key(&q, data, len);
	}
	if (todo == DNS_REPLY) {
		check_reply(&q, NULL, q.room);
		check_reply(&q, NULL, DNS_ANSWER_MAX);
	} else if (todo != DNS_DROP) {
		if (todo == DNS_ADDRESS)
			check_host(&q);
		check_reply(&q, &answer, q.room);
		answer.has_address = false;
		answer.rcode = ns_r_servfail;
		check_reply(&q, &answer, q.room);
		check_server(&q, said, size);
	}
}

/* In memory of their own, of which no byte is too many. */
static void both(const u8 *data, size_t len, const u8 *said, size_t size)
{
	u8 *a = malloc(len), *b = malloc(size);

	memcpy(a, data, len);
	memcpy(b, said, size);
	one(a, len, b, size);
	free(a);
	free(b);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct message question, answer;
	size_t split, i;

	fuzz_count(size);
	if (size < 3)
		return 0;
	split = (data[1] << 8 | data[2]) % (size - 2);
	choices_from(data, 0);
	if (data[0] & 1) {
		both(data + 3, split, data + 3 + split, size - 3 - split);
		return 0;
	}
	choices_from(data + 1, size - 1);
	/* What goes on by itself is something else for each input. */
	for (i = 0; i < size; i++)
		choice_state = choice_state * 31 + data[i];
	put_message(&question, 0x1234, NULL);
	put_message(&answer, 0x1234, &question);
	both(question.bytes, question.len, answer.bytes, answer.len);
	return 0;
}
