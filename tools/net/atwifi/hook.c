// SPDX-License-Identifier: GPL-2.0-only
/*
 * What systemd-resolved asks before it asks servers, from version 259 on: the interface
 * io.systemd.Resolve.Hook, of which ResolveRecord alone is here. A call and its answer are each a
 * JSON object that ends with a byte of zero.
 */
#include <json-c/json.h>
#include <resolv.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "hook.h"
#include "names.h"

#define METHOD		"io.systemd.Resolve.Hook.ResolveRecord"
#define DEPTH_MAX	8

static bool get(const struct json_object *of, const char *name, enum json_type type,
		struct json_object **value)
{
	return json_object_object_get_ex(of, name, value) && json_object_is_type(*value, type);
}

/* A name is asked for as it is written, too, where that is not as servers have it. */
static bool is_ascii(const char *name)
{
	for (; *name; name++)
		if ((unsigned char)*name >= 0x80)
			return false;
	return true;
}

/* One name that is asked for, with its addresses and nothing else; NULL: there is more. */
static const char *name_of(const struct json_object *question, bool *ipv4)
{
	struct json_object *key, *class, *type, *text;
	const char *name = NULL, *this;
	size_t i;

	for (i = 0; i < json_object_array_length(question); i++) {
		if (!get(json_object_array_get_idx(question, i), "key", json_type_object, &key) ||
		    !get(key, "class", json_type_int, &class) ||
		    !get(key, "type", json_type_int, &type) ||
		    !get(key, "name", json_type_string, &text) ||
		    json_object_get_int(class) != ns_c_in ||
		    (json_object_get_int(type) != ns_t_a &&
		     json_object_get_int(type) != ns_t_aaaa))
			return NULL;
		this = json_object_get_string(text);
		if (!is_ascii(this))
			continue;
		if (strlen(this) != (size_t)json_object_get_string_len(text) ||
		    (name && strcasecmp(name, this)))
			return NULL;
		name = this;
		*ipv4 = *ipv4 || json_object_get_int(type) == ns_t_a;
	}
	return name;
}

/* A message that asks for a name's address, 0: it is no name. */
static size_t make_question(const char *name, uint8_t *wire)
{
	static const uint8_t tail[NS_QFIXEDSZ] = { [1] = ns_t_a, [3] = ns_c_in };
	const HEADER head = { .rd = 1, .qdcount = htons(1) };
	int len = dn_comp(name, wire + sizeof(head), NS_MAXCDNAME, NULL, NULL);

	if (len < 0)
		return 0;
	memcpy(wire, &head, sizeof(head));
	memcpy(wire + sizeof(head) + len, tail, sizeof(tail));
	return sizeof(head) + len + sizeof(tail);
}

static enum hook_todo look(const struct json_object *call, struct dns_query *q)
{
	struct json_object *method, *parameters, *question;
	uint8_t wire[DNS_UDP_LEAST];
	bool ipv4 = false;
	const char *name;
	size_t len;

	if (!get(call, "method", json_type_string, &method))
		return HOOK_CLOSE;
	if (strcmp(json_object_get_string(method), METHOD))
		return HOOK_UNKNOWN;
	if (!get(call, "parameters", json_type_object, &parameters) ||
	    !get(parameters, "question", json_type_array, &question))
		return HOOK_PASS;
	name = name_of(question, &ipv4);
	len = name ? make_question(name, wire) : 0;
	if (!len || dns_parse(wire, len, q) != DNS_ADDRESS || name_is_for_others(q->host))
		return HOOK_PASS;
	/* Else resolved asks its own servers, who may know of other networks. */
	q->alone = true;
	return ipv4 ? HOOK_ADDRESS : HOOK_NO_IPV6;
}

/**
 * hook_parse() - read a call
 * @call: its bytes, which may be anything
 * @len: how many, without the one of zero
 * @q: the question, for HOOK_ADDRESS and HOOK_NO_IPV6: of the IPv4 address
 *
 * Return: what is to be done about it.
 */
enum hook_todo hook_parse(const char *call, size_t len, struct dns_query *q)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	enum hook_todo todo = HOOK_CLOSE;
	struct json_object *object;

	if (!tokener)
		return todo;
	object = json_tokener_parse_ex(tokener, call, len);
	if (json_object_is_type(object, json_type_object))
		todo = look(object, q);
	json_object_put(object);
	json_tokener_free(tokener);
	return todo;
}

static char *put_base64(char *to, const uint8_t *from, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits;
	size_t i;

	for (i = 0; i < len; i += 3) {
		bits = from[i] << 16 | (i + 1 < len ? from[i + 1] << 8 : 0) |
		       (i + 2 < len ? from[i + 2] : 0);
		*to++ = digits[bits >> 18];
		*to++ = digits[bits >> 12 & 63];
		*to++ = i + 1 < len ? digits[bits >> 6 & 63] : '=';
		*to++ = i + 2 < len ? digits[bits & 63] : '=';
	}
	*to = '\0';
	return to;
}

/* The record of an address, as it is in a message whose names are not compressed. */
static size_t make_record(const struct dns_query *q, const struct dns_answer *answer,
			  uint8_t *record)
{
	uint8_t *to = record + q->len;

	/* A name, a type and a class. */
	memcpy(record, q->question, q->len);
	NS_PUT32(answer->ttl, to);
	NS_PUT16(sizeof(answer->address), to);
	memcpy(to, &answer->address, sizeof(answer->address));
	return to + sizeof(answer->address) - record;
}

/**
 * hook_reply() - make an answer
 * @todo: from hook_parse()
 * @q: the question, for HOOK_ADDRESS
 * @answer: and what is known of it, for HOOK_NO_IPV6, too; NULL: nothing
 * @text: where its bytes go, of which there are HOOK_ANSWER_MAX
 *
 * Return: how many there are, with the one of zero.
 */
size_t hook_reply(enum hook_todo todo, const struct dns_query *q, const struct dns_answer *answer,
		  char *text)
{
	uint8_t record[DNS_QUESTION_MAX + 10];
	char base64[4 * (sizeof(record) / 3 + 1) + 1];

	if (todo == HOOK_UNKNOWN)
		return sprintf(text, "{\"error\":\"org.varlink.service.MethodNotFound\"}") + 1;
	if (!answer || !answer->has_address)
		return sprintf(text, "{\"parameters\":{}}") + 1;
	/* Where the module knows nothing of the name it may be one of another network's. */
	if (todo == HOOK_NO_IPV6)
		return sprintf(text, "{\"parameters\":{\"rcode\":%d,\"answer\":[]}}",
			       ns_r_noerror) + 1;
	put_base64(base64, record, make_record(q, answer, record));
	return sprintf(text, "{\"parameters\":{\"rcode\":%d,\"answer\":[{\"raw\":\"%s\"}]}}",
		       ns_r_noerror, base64) + 1;
}
