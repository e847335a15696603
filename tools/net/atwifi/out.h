/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages -> JSON objects -> what is printed. */
#ifndef ATWCTL_OUT_H
#define ATWCTL_OUT_H

#include <stdbool.h>
#include <json-c/json.h>
#include <netlink/attr.h>

enum out_kind {
	OUT_TEXT,		/* a string, or bytes of one */
	OUT_U16,
	OUT_U32,
	OUT_U64,
	OUT_S32,
	OUT_IPV4,
	OUT_MAC,
	OUT_ENUM,
	OUT_FLAG,
	OUT_ERRNO,
	OUT_NEST,
};

/**
 * struct out_field - an attribute
 * @attr: its number; a table ends with 0
 * @kind: what it holds
 * @many: it can come more than once: an array
 * @key: its name in JSON
 * @names: of an OUT_ENUM, ends with NULL
 * @nest: of an OUT_NEST
 */
struct out_field {
	int			attr;
	enum out_kind		kind;
	bool			many;
	const char		*key;
	const char *const	*names;
	const struct out_field	*nest;
};

struct out_column {
	const char	*head;
	const char	*key;
	bool		right;
};

struct json_object *out_object(const struct out_field *fields, struct nlattr *attrs, int len);
struct json_object *out_string(const void *data, size_t len);
const char *out_get(struct json_object *obj, const char *key, const char *otherwise);
void out_json(struct json_object *obj, bool line);
void out_table(struct json_object *rows, const struct out_column *columns);
void out_details(struct json_object *obj, int indent);
void out_text(const char *text);

#endif
