// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages -> JSON objects -> what is printed. What the module has said is
 * neither trusted to be text nor to leave the terminal alone.
 */
#include <arpa/inet.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"

/* Bytes of the UTF-8 character at @s, 0 if there is none. */
static size_t utf8_len(const unsigned char *s, size_t left)
{
	unsigned int min[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned int c = s[0];
	size_t n, i;

	if (c < 0x80)
		return 1;
	n = c >= 0xf0 && c < 0xf5 ? 4 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xc2 && c < 0xe0 ? 2 : 0;
	if (!n || n > left)
		return 0;
	c &= 0x7f >> n;
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < min[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	return n;
}

/**
 * out_string() - a string of any bytes, as JSON allows it
 * @data: the bytes
 * @len: how many
 *
 * Return: the string, in which what is no character is U+FFFD.
 */
struct json_object *out_string(const void *data, size_t len)
{
	const unsigned char *s = data;
	struct json_object *obj;
	size_t n, i, used = 0;
	char *text;

	text = malloc(3 * len + 1);
	if (!text)
		err(1, "no memory");
	for (i = 0; i < len; i += n ? n : 1) {
		n = utf8_len(s + i, len - i);
		memcpy(text + used, n ? (const char *)s + i : "\xef\xbf\xbd", n ? n : 3);
		used += n ? n : 3;
	}
	obj = json_object_new_string_len(text, used);
	free(text);
	return obj;
}

static struct json_object *new_enum(const char *const *names, uint32_t val)
{
	uint32_t i;

	for (i = 0; names[i]; i++)
		if (i == val)
			return json_object_new_string(names[i]);
	/* A newer kernel's. */
	return json_object_new_int64(val);
}

static struct json_object *new_mac(const uint8_t *mac)
{
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	return json_object_new_string(text);
}

/* The value of an attribute, or NULL if that is not of its kind. */
static struct json_object *new_value(const struct out_field *f, struct nlattr *nla)
{
	char quad[INET_ADDRSTRLEN];
	size_t len = nla_len(nla);

	switch (f->kind) {
	case OUT_TEXT:
		return out_string(nla_data(nla), strnlen(nla_data(nla), len));
	case OUT_U16:
		return len == 2 ? json_object_new_int(nla_get_u16(nla)) : NULL;
	case OUT_U32:
		return len == 4 ? json_object_new_int64(nla_get_u32(nla)) : NULL;
	case OUT_U64:
		return len == 8 ? json_object_new_uint64(nla_get_u64(nla)) : NULL;
	case OUT_S32:
		return len == 4 ? json_object_new_int((int32_t)nla_get_u32(nla)) : NULL;
	case OUT_IPV4:
		if (len != 4 || !inet_ntop(AF_INET, nla_data(nla), quad, sizeof(quad)))
			return NULL;
		return json_object_new_string(quad);
	case OUT_MAC:
		return len == 6 ? new_mac(nla_data(nla)) : NULL;
	case OUT_ENUM:
		if (len == 1)
			return new_enum(f->names, nla_get_u8(nla));
		return len == 4 ? new_enum(f->names, nla_get_u32(nla)) : NULL;
	case OUT_FLAG:
		return json_object_new_boolean(true);
	case OUT_ERRNO:
		return len == 4 ? json_object_new_string(strerror(nla_get_u32(nla))) : NULL;
	case OUT_NEST:
		return out_object(f->nest, nla_data(nla), len);
	}
	return NULL;
}

/**
 * out_object() - the attributes of a message
 * @fields: those that are known
 * @attrs: the attributes
 * @len: their bytes
 *
 * Return: an object with a member for each that is there.
 */
struct json_object *out_object(const struct out_field *fields, struct nlattr *attrs, int len)
{
	struct json_object *obj = json_object_new_object();
	struct json_object *value, *array;
	const struct out_field *f;
	struct nlattr *nla;
	int left;

	nla_for_each_attr(nla, attrs, len, left) {
		for (f = fields; f->attr; f++)
			if (f->attr == nla_type(nla))
				break;
		value = f->attr ? new_value(f, nla) : NULL;
		if (!value)
			continue;
		if (!f->many) {
			json_object_object_add(obj, f->key, value);
			continue;
		}
		if (!json_object_object_get_ex(obj, f->key, &array)) {
			array = json_object_new_array();
			json_object_object_add(obj, f->key, array);
		}
		json_object_array_add(array, value);
	}
	return obj;
}

/**
 * out_get() - a member as text
 * @obj: the object
 * @key: the member
 * @otherwise: if there is none
 *
 * Return: the text, good until it is asked for again.
 */
const char *out_get(struct json_object *obj, const char *key, const char *otherwise)
{
	struct json_object *value;

	if (!json_object_object_get_ex(obj, key, &value))
		return otherwise;
	return json_object_get_string(value);
}

/* DEL, or a C1 control, which is two bytes in UTF-8: a terminal may obey it, and JSON has it. */
static bool is_control(const unsigned char *s)
{
	return s[0] == 0x7f || (s[0] == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0);
}

/**
 * out_json() - print JSON
 * @obj: an object or an array; freed
 * @line: on one line, at once
 */
void out_json(struct json_object *obj, bool line)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;
	const unsigned char *s;

	flags |= line ? JSON_C_TO_STRING_PLAIN : JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
	s = (const unsigned char *)json_object_to_json_string_ext(obj, flags);
	for (; *s; s++) {
		if (!is_control(s)) {
			putchar(*s);
			continue;
		}
		s += *s == 0xc2;
		printf("\\u%04x", *s);
	}
	putchar('\n');
	json_object_put(obj);
	if (line)
		fflush(stdout);
}

/**
 * out_text() - print text, bytes of control characters and of none as \xNN
 * @text: the text
 */
void out_text(const char *text)
{
	const unsigned char *s = (const unsigned char *)text, *end = s + strlen(text);
	size_t n;

	while (s < end) {
		n = utf8_len(s, end - s);
		if (n && *s >= ' ' && !is_control(s)) {
			fwrite(s, 1, n, stdout);
			s += n;
			continue;
		}
		for (n = n ?: 1; n; n--)
			printf("\\x%02x", *s++);
	}
}

/**
 * out_table() - print a table
 * @rows: an array of objects
 * @columns: which members; ends with no head
 */
void out_table(struct json_object *rows, const struct out_column *columns)
{
	size_t n = json_object_array_length(rows);
	const struct out_column *c;
	int width[16] = { 0 };
	const char *text;
	size_t i;
	int pad;

	for (c = columns; c->head; c++) {
		width[c - columns] = strlen(c->head);
		for (i = 0; i < n; i++) {
			text = out_get(json_object_array_get_idx(rows, i), c->key, "-");
			if ((int)strlen(text) > width[c - columns])
				width[c - columns] = strlen(text);
		}
	}
	for (i = 0; i <= n; i++) {
		for (c = columns; c->head; c++) {
			text = i ? out_get(json_object_array_get_idx(rows, i - 1), c->key, "-") :
				   c->head;
			pad = width[c - columns] - (int)strlen(text);
			if (c->right)
				printf("%*s", pad, "");
			out_text(text);
			if (!c[1].head)
				break;
			printf("%*s", c->right ? 2 : pad + 2, "");
		}
		putchar('\n');
	}
}

static void out_member(struct json_object *value)
{
	putchar(' ');
	out_text(json_object_get_string(value));
}

/**
 * out_details() - print the members of an object, a line for each
 * @obj: the object
 * @indent: blanks before each
 */
void out_details(struct json_object *obj, int indent)
{
	size_t i, n;

	json_object_object_foreach(obj, key, value) {
		if (json_object_is_type(value, json_type_object)) {
			printf("%*s%s\n", indent, "", key);
			out_details(value, indent + 2);
			continue;
		}
		printf("%*s%-*s", indent, "", 16 - indent, key);
		n = json_object_is_type(value, json_type_array) ? json_object_array_length(value) :
								  0;
		if (!n)
			out_member(value);
		for (i = 0; i < n; i++)
			out_member(json_object_array_get_idx(value, i));
		putchar('\n');
	}
}
