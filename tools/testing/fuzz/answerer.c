// SPDX-License-Identifier: GPL-2.0-only
/*
 * Anything that anybody may send to the name server of this machine, and anything that a
 * server says to it: answers are whole messages, to that question, and no longer than they
 * may be. What it reads in questions and in servers' answers is what ldns reads in them.
 */
#include <ldns/ldns.h>
#include <string.h>

#include "dns.h"
#include "fuzz.h"

/* What we say by ourselves somebody else can read. */
static void check_own(const struct dns_query *q, const uint8_t *wire, size_t len)
{
	ldns_pkt *pkt;

	if (ldns_wire2pkt(&pkt, wire, len) != LDNS_STATUS_OK)
		DIE("a reply that nobody can read");
	if (ldns_pkt_qdcount(pkt) != !!q->len || ldns_pkt_edns(pkt) != q->edns)
		DIE("a reply to no question");
	ldns_pkt_free(pkt);
}

static void check_reply(const struct dns_query *q, const struct dns_answer *answer, size_t room)
{
	/* In memory of its own, of which no byte is too many. */
	uint8_t *wire = malloc(room);
	size_t len = dns_reply(q, answer, wire, room);

	if (len < 12 || len > room)
		DIE("a reply of %zu bytes", len);
	if (wire[0] != q->id >> 8 || wire[1] != (q->id & 0xff) || !(wire[2] & 0x80))
		DIE("a reply to something else");
	if (q->len && memcmp(wire + 12, q->question, q->len))
		DIE("a reply to another question");
	if (!answer || !answer->wire)
		check_own(q, wire, len);
	else if (!(wire[2] & 2) && len != answer->len)
		DIE("%zu bytes of an answer of %zu", len, answer->len);
	free(wire);
}

/* A question that is taken is one to others, too, and the same. */
static void check_question(const struct dns_query *q, const uint8_t *wire, size_t len)
{
	ldns_rr *asked;
	ldns_pkt *pkt;

	if (ldns_wire2pkt(&pkt, wire, len) != LDNS_STATUS_OK)
		DIE("a question that nobody can read");
	asked = ldns_rr_list_rr(ldns_pkt_question(pkt), 0);
	if (ldns_rdf_size(ldns_rr_owner(asked)) != q->len - 4U ||
	    memcmp(ldns_rdf_data(ldns_rr_owner(asked)), q->question, q->len - 4) ||
	    ldns_rr_get_type(asked) != q->type ||
	    ldns_rr_get_class(asked) != (q->question[q->len - 2] << 8 | q->question[q->len - 1]))
		DIE("another question");
	if (ldns_pkt_edns(pkt) != q->edns || ldns_pkt_edns_do(pkt) != q->dnssec ||
	    ldns_pkt_cd(pkt) != q->unchecked || ldns_pkt_rd(pkt) != q->recursive)
		DIE("other flags");
	ldns_pkt_free(pkt);
}

/* Of a zone that says what does not exist: for how long that may be kept. */
static uint32_t kept(ldns_rr *soa)
{
	uint32_t least = ldns_rdf2native_int32(ldns_rr_rdf(soa, 6));

	if (ldns_rr_ttl(soa) >> 31)
		return 0;
	if (ldns_rr_ttl(soa) < least)
		least = ldns_rr_ttl(soa);
	return least < 60 ? least : 60;
}

/*
 * An answer that is taken others may refuse for what is in its records, but not read otherwise.
 * Of a text ldns wants memory by the square of its strings.
 */
static void check_answer(const struct dns_query *q, const struct dns_answer *answer)
{
	ldns_rr_list *soas;
	ldns_pkt *pkt;

	if (answer->len > 2048)
		return;
	if (ldns_wire2pkt(&pkt, answer->wire, answer->len) != LDNS_STATUS_OK)
		return;
	if ((ldns_pkt_edns_extended_rcode(pkt) << 4 | ldns_pkt_get_rcode(pkt)) != answer->rcode ||
	    ldns_pkt_edns(pkt) != !!answer->opt)
		DIE("another answer");
	soas = ldns_pkt_rr_list_by_type(pkt, LDNS_RR_TYPE_SOA, LDNS_SECTION_AUTHORITY);
	/* It may be kept for no time: ldns has names go on in the header, or further on. */
	if (answer->ttl && ldns_rr_list_rr_count(soas) == 1 &&
	    (ldns_pkt_ancount(pkt) || q->dnssec || answer->ttl != kept(ldns_rr_list_rr(soas, 0))))
		DIE("it is kept for %u s", answer->ttl);
	ldns_rr_list_deep_free(soas);
	ldns_pkt_free(pkt);
}

static void check_server(const struct dns_query *q, const u8 *data, size_t size)
{
	struct dns_answer answer;
	uint16_t id = q->id;
	uint8_t *wire = malloc(DNS_UDP_LEAST);
	struct dns_query again;
	size_t len;

	len = dns_forward(q, id, wire);
	if (!len || len > DNS_UDP_LEAST || dns_parse(wire, len, &again) == DNS_DROP ||
	    again.len != q->len || memcmp(again.key, q->key, 1 + q->len))
		DIE("no question for a server");
	/* Its own question makes no answer of it. */
	if (dns_forwarded(q, id, wire, len, 60, &answer))
		DIE("a question is taken for an answer");
	free(wire);
	if (!dns_forwarded(q, id, data, size, 60, &answer))
		return;
	if (answer.ttl > 60 || answer.opt > size || answer.len != size)
		DIE("a time of %u", answer.ttl);
	check_answer(q, &answer);
	check_reply(q, &answer, q->room);
	check_reply(q, &answer, DNS_ANSWER_MAX);
}

/* Messages that are nearly right get further than bytes do. */

struct message {
	u8	bytes[65536];
	size_t	len;
};

static void put(struct message *m, u32 value, unsigned int bytes)
{
	while (bytes-- && m->len < sizeof(m->bytes))
		m->bytes[m->len++] = value >> 8 * bytes;
}

static void put_name(struct message *m)
{
	static const char *const labels[] = {
		"peer", "test", "localhost", "onion", "invalid", "_x-1", "A", "a b", "\1.\\\xff",
	};
	u32 n = choose(5), len;
	const char *label;

	while (n--) {
		if (!choose(8)) {
			for (len = 1 + choose(63), put(m, len, 1); len; len--)
				put(m, choose(256), 1);
			continue;
		}
		label = labels[choose(ARRAY_SIZE(labels))];
		put(m, strlen(label), 1);
		for (; *label; label++)
			put(m, *label, 1);
	}
	if (choose(4))
		put(m, 0, 1);
	else
		put(m, 0xc000 | choose(64), 2);
}

static u32 a_type(void)
{
	static const u8 types[] = {
		1, 1, 1, 28, 2, 5, 6, 12, 13, 15, 16, 33, 41, 46, 250, 252, 255,
	};

	return choose(8) ? types[choose(ARRAY_SIZE(types))] : choose(65536);
}

static void put_record(struct message *m)
{
	u32 type = a_type(), n;
	size_t at;

	if (type == 41)
		put(m, 0, 1);
	else
		put_name(m);
	put(m, type, 2);
	put(m, choose(2) ? 1 : choose(65536), 2);
	put(m, choose(65536) << choose(17), 4);
	at = m->len;
	put(m, 0, 2);
	if (type == 2 || type == 5 || type == 6 || type == 12)
		put_name(m);
	if (type == 6) {
		put_name(m);
		for (n = 0; n < 5; n++)
			put(m, choose(256), 4);
	} else if (type == 1) {
		put(m, 0xc0000201, 4);
	} else if (choose(64)) {
		for (n = choose(40); n; n--)
			put(m, choose(256), 1);
	} else {
		/* Whatever needs memory for each byte, as it has a string for each. */
		for (n = choose(65536); n; n--)
			put(m, 0, 1);
	}
	n = m->len - at - 2;
	if (at + 2 <= sizeof(m->bytes)) {
		m->bytes[at] = n >> 8;
		m->bytes[at + 1] = choose(16) ? n : n + 1;
	}
}

static void put_message(struct message *m, uint16_t id, const struct message *question)
{
	u32 i, n[4] = { choose(8) != 0, !choose(16), !choose(16), choose(3) };

	m->len = 0;
	put(m, id, 2);
	if (question) {
		n[1] = choose(4);
		n[2] = choose(3);
		put(m, choose(2) ? 0x8180 : 0x8000 | choose(65536), 2);
	} else {
		put(m, choose(2) ? 0x0100 : choose(32768), 2);
	}
	for (i = 0; i < 4; i++)
		put(m, n[i], 2);
	if (n[0] && question && question->len > 12 && choose(8)) {
		for (i = 12; i < question->len; i++)
			put(m, question->bytes[i], 1);
	} else if (n[0]) {
		put_name(m);
		put(m, a_type(), 2);
		put(m, choose(8) ? 1 : choose(65536), 2);
	}
	for (i = n[1] + n[2] + n[3]; i; i--)
		put_record(m);
}

static void one(const u8 *data, size_t len, const u8 *said, size_t size)
{
	struct dns_answer answer = { .has_address = true, .ttl = 10 };
	struct dns_query q;
	enum dns_todo todo;

	answer.address.s_addr = htonl(0xc0000201);
	todo = dns_parse(data, len, &q);
	if (todo != DNS_DROP && (q.room < DNS_UDP_LEAST || q.room > DNS_UDP_MOST))
		DIE("room for %u", q.room);
	if (q.len)
		check_question(&q, data, len);
	if (todo == DNS_REPLY) {
		check_reply(&q, NULL, q.room);
		check_reply(&q, NULL, DNS_ANSWER_MAX);
	} else if (todo != DNS_DROP) {
		if (!q.len || q.len > sizeof(q.question) || (todo == DNS_ADDRESS && !*q.host))
			DIE("no question");
		check_reply(&q, &answer, q.room);
		answer.has_address = false;
		answer.rcode = DNS_SERVFAIL;
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
	size_t split;

	fuzz_count(size);
	if (size < 3)
		return 0;
	split = (data[1] << 8 | data[2]) % (size - 2);
	if (data[0] & 1) {
		both(data + 3, split, data + 3 + split, size - 3 - split);
		return 0;
	}
	choices_from(data + 1, size - 1);
	put_message(&question, 0x1234, NULL);
	/* A server's has what was asked behind its header, and no more of the question. */
	put_message(&answer, 0x1234, &question);
	both(question.bytes, question.len, answer.bytes, answer.len);
	return 0;
}
