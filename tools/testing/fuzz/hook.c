// SPDX-License-Identifier: GPL-2.0-only
/*
 * Anything that anybody may say in place of systemd-resolved: what is taken for a question is one,
 * and an answer is JSON that fits.
 */
#include <json-c/json.h>
#include <string.h>

#include "fuzz.h"
#include "hook.h"

#define METHOD	"io.systemd.Resolve.Hook.ResolveRecord"

static void check_reply(enum hook_todo todo, const struct dns_query *q,
			const struct dns_answer *answer, bool passed)
{
	char *text = malloc(HOOK_ANSWER_MAX);
	size_t len = hook_reply(todo, q, answer, text);
	struct json_object *object;

	if (len > HOOK_ANSWER_MAX || strnlen(text, len) != len - 1)
		DIE("an answer of %zu bytes", len);
	object = json_tokener_parse(text);
	if (!json_object_is_type(object, json_type_object))
		DIE("no JSON: %s", text);
	if (!strstr(text, "rcode") != passed)
		DIE("whether servers are asked: %s", text);
	json_object_put(object);
	free(text);
}

static void check_call(const char *call, size_t len, bool ours)
{
	const struct dns_answer failure = { .rcode = ns_r_servfail };
	const struct dns_answer found = { .has_address = true, .ttl = UINT32_MAX };
	struct dns_query q;
	enum hook_todo todo = hook_parse(call, len, &q);

	if (ours && (todo == HOOK_CLOSE || todo == HOOK_UNKNOWN))
		DIE("this is taken for no call: %s", call);
	if (todo == HOOK_CLOSE)
		return;
	if (todo == HOOK_UNKNOWN || todo == HOOK_PASS) {
		check_reply(todo, &q, NULL, true);
		return;
	}
	if (q.type != ns_t_a || !strchr(q.host, '.') || !q.alone ||
	    !strcmp(q.host, "localhost.localdomain"))
		DIE("the address of '%s'", q.host);
	check_reply(todo, &q, &found, false);
	check_reply(todo, &q, &failure, true);
}

/* A call as it should be, with keys of any bytes: two bytes of numbers before each name. */
static struct json_object *make_call(const u8 *data, size_t size)
{
	struct json_object *call = json_object_new_object(), *keys = json_object_new_array();
	struct json_object *key, *entry, *parameters = json_object_new_object();
	size_t n;

	for (; size >= 3; data += 3 + n, size -= 3 + n) {
		n = data[2] < size - 3 ? data[2] : size - 3;
		key = json_object_new_object();
		json_object_object_add(key, "class", json_object_new_int(data[0]));
		json_object_object_add(key, "type", json_object_new_int(data[1]));
		json_object_object_add(key, "name",
				       json_object_new_string_len((const char *)data + 3, n));
		entry = json_object_new_object();
		json_object_object_add(entry, "key", key);
		json_object_array_add(keys, entry);
	}
	json_object_object_add(parameters, "question", keys);
	json_object_object_add(call, "parameters", parameters);
	json_object_object_add(call, "method", json_object_new_string(METHOD));
	return call;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct json_object *call = make_call(data, size);
	const char *text = json_object_to_json_string(call);

	fuzz_count(size);
	check_call((const char *)data, size, false);
	check_call(text, strlen(text), true);
	json_object_put(call);
	return 0;
}
