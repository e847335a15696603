// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which passphrases files have for a network. All of these files are written by people and
 * by programs that are not ours: what is not understood is passed over. Nothing that is found
 * is taken on trust either: the driver tries it on the key that it was told.
 */
#include <string.h>

#include "secrets.h"

static bool is(struct text t, const char *word)
{
	return t.len == strlen(word) && !memcmp(t.at, word, t.len);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct text trim(struct text t)
{
	while (t.len && is_space(*t.at)) {
		t.at++;
		t.len--;
	}
	while (t.len && is_space(t.at[t.len - 1]))
		t.len--;
	return t;
}

/* The next line, without blanks around it; false at the end. */
static bool next_line(struct text *rest, struct text *line)
{
	const char *end;

	if (!rest->len)
		return false;
	end = memchr(rest->at, '\n', rest->len);
	*line = (struct text){ rest->at, end ? (size_t)(end - rest->at) : rest->len };
	rest->at += line->len + !!end;
	rest->len -= line->len + !!end;
	*line = trim(*line);
	return true;
}

/* "key=value" */
static bool split(struct text line, struct text *key, struct text *value)
{
	const char *equals = memchr(line.at, '=', line.len);

	if (!equals)
		return false;
	*key = trim((struct text){ line.at, equals - line.at });
	equals++;
	*value = trim((struct text){ equals, line.at + line.len - equals });
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* How many bytes that is, in @to; 0: none, too many, or no hexadecimal number. */
static size_t from_hex(struct text t, uint8_t *to, size_t room)
{
	size_t i;

	if (t.len % 2 || t.len / 2 > room)
		return 0;
	for (i = 0; i < t.len; i++) {
		int digit = hex_digit(t.at[i]);

		if (digit < 0)
			return 0;
		to[i / 2] = i % 2 ? to[i / 2] << 4 | digit : digit;
	}
	return t.len / 2;
}

/* One byte after a backslash, and how many it took; 0: it is no escape. */
static size_t from_escape(struct text t, uint8_t *to)
{
	static const char from[] = "nrtes\\\"", into[] = "\n\r\t\033 \\\"";
	const char *known;
	size_t n = 0;

	if (!t.len)
		return 0;
	known = *t.at ? strchr(from, *t.at) : NULL;
	if (known) {
		*to = into[known - from];
		return 1;
	}
	if (*t.at == 'x') {
		if (t.len < 3 || hex_digit(t.at[1]) < 0 || hex_digit(t.at[2]) < 0)
			return 0;
		*to = hex_digit(t.at[1]) << 4 | hex_digit(t.at[2]);
		return 3;
	}
	for (*to = 0; n < 3 && n < t.len && t.at[n] >= '0' && t.at[n] <= '7'; n++)
		*to = *to << 3 | (t.at[n] - '0');
	return n;
}

/* As from_hex(), of a text with escapes. */
static size_t from_escaped(struct text t, uint8_t *to, size_t room)
{
	size_t len = 0, i = 0, n;

	while (i < t.len) {
		if (len == room)
			return 0;
		if (t.at[i] != '\\') {
			to[len++] = t.at[i++];
			continue;
		}
		i++;
		n = from_escape((struct text){ t.at + i, t.len - i }, &to[len]);
		if (!n)
			return 0;
		len++;
		i += n;
	}
	return len;
}

static size_t from_plain(struct text t, uint8_t *to, size_t room)
{
	if (t.len > room)
		return 0;
	memcpy(to, t.at, t.len);
	return t.len;
}

/* Is it in quotes? Without them then. */
static bool unquote(struct text *t)
{
	if (t->len < 2 || t->at[0] != '"' || t->at[t->len - 1] != '"')
		return false;
	t->at++;
	t->len -= 2;
	return true;
}

/* A string as wpa_supplicant has it: "text", P"text with escapes", or hexadecimal. */
static size_t from_wpa(struct text t, uint8_t *to, size_t room)
{
	if (unquote(&t))
		return from_plain(t, to, room);
	if (t.len && *t.at == 'P') {
		t.at++;
		t.len--;
		return unquote(&t) ? from_escaped(t, to, room) : 0;
	}
	return from_hex(t, to, room);
}

static bool same_name(const struct secrets *s, const uint8_t *ssid, size_t len)
{
	return len && len == s->ssid_len && !memcmp(ssid, s->ssid, len);
}

/**
 * secrets_add() - that may be it
 * @s: what there is already
 * @bytes: the passphrase
 * @len: how many; others than a passphrase can have: it is none
 */
void secrets_add(struct secrets *s, const void *bytes, size_t len)
{
	unsigned int i;

	if (len < PASSPHRASE_MIN || len > PASSPHRASE_MAX || s->n == SECRETS_MAX)
		return;
	if (s->seen++ < s->skip)
		return;
	for (i = 0; i < s->n; i++)
		if (s->found[i].len == len && !memcmp(s->found[i].bytes, bytes, len))
			return;
	memcpy(s->found[s->n].bytes, bytes, len);
	s->found[s->n++].len = len;
}

static void add_or_key(struct secrets *s, const uint8_t *bytes, size_t len)
{
	unsigned int n = s->n;

	secrets_add(s, bytes, len);
	if (s->n == n && len == 2 * 32)
		s->keys++;
}

/* Without the comment at its end: one in quotes is none. */
static struct text without_comment(struct text line)
{
	const char *from = memrchr(line.at, '"', line.len), *hash;

	if (!from)
		from = line.at;
	hash = memchr(from, '#', line.at + line.len - from);
	if (hash)
		line.len = hash - line.at;
	return trim(line);
}

/* A network of wpa_supplicant's, whose lines come in any order. */
struct wpa_network {
	bool		is_it;
	struct text	psk;
	struct text	sae;
};

static void wpa_line(const struct secrets *s, struct wpa_network *net, struct text line)
{
	uint8_t ssid[SSID_MAX];
	struct text key, value;

	if (!split(line, &key, &value))
		return;
	if (is(key, "ssid"))
		net->is_it = same_name(s, ssid, from_wpa(value, ssid, sizeof(ssid)));
	else if (is(key, "psk"))
		net->psk = value;
	else if (is(key, "sae_password"))
		net->sae = value;
}

static void wpa_end(struct secrets *s, struct wpa_network *net)
{
	uint8_t bytes[PASSPHRASE_MAX];

	if (!net->is_it)
		return;
	/* What is in no quotes is the key, or the name of what is elsewhere. */
	if (unquote(&net->psk))
		secrets_add(s, net->psk.at, net->psk.len);
	else if (net->psk.len == 2 * 32)
		s->keys++;
	if (net->sae.len)
		secrets_add(s, bytes, from_wpa(net->sae, bytes, sizeof(bytes)));
	explicit_bzero(bytes, sizeof(bytes));
}

/**
 * secrets_of_wpa_supplicant() - those of a file of wpa_supplicant's
 * @s: what there is already
 * @file: the file
 */
void secrets_of_wpa_supplicant(struct secrets *s, struct text file)
{
	struct wpa_network net = { 0 };
	bool inside = false;
	struct text line;

	while (next_line(&file, &line)) {
		if (!line.len || *line.at == '#')
			continue;
		line = without_comment(line);
		if (is(line, "network={")) {
			net = (struct wpa_network){ 0 };
			inside = true;
		} else if (inside && is(line, "}")) {
			wpa_end(s, &net);
			inside = false;
		} else if (inside) {
			wpa_line(s, &net, line);
		}
	}
}

/* "word the rest" */
static struct text first_word(struct text *line)
{
	struct text word = { line->at, 0 };

	while (word.len < line->len && !is_space(word.at[word.len]))
		word.len++;
	line->at += word.len;
	line->len -= word.len;
	*line = trim(*line);
	return word;
}

static void interfaces_end(struct secrets *s, struct text ssid, struct text psk)
{
	struct text name = ssid;

	if (!same_name(s, (const uint8_t *)ssid.at, ssid.len) &&
	    !(unquote(&name) && same_name(s, (const uint8_t *)name.at, name.len)))
		return;
	add_or_key(s, (const uint8_t *)psk.at, psk.len);
	/* Quotes may stand for themselves, or be none of it. */
	if (unquote(&psk))
		secrets_add(s, psk.at, psk.len);
}

/**
 * secrets_of_interfaces() - those of a file of ifupdown's
 * @s: what there is already
 * @file: the file
 */
void secrets_of_interfaces(struct secrets *s, struct text file)
{
	struct text line, word, ssid = { 0 }, psk = { 0 };

	while (next_line(&file, &line)) {
		if (!line.len || *line.at == '#')
			continue;
		word = first_word(&line);
		if (is(word, "wpa-ssid") || is(word, "wireless-essid")) {
			ssid = line;
		} else if (is(word, "wpa-psk")) {
			psk = line;
		} else if (is(word, "iface") || is(word, "auto") || is(word, "mapping") ||
			   is(word, "source") || (word.len > 6 && !memcmp(word.at, "allow-", 6))) {
			interfaces_end(s, ssid, psk);
			ssid.len = 0;
			psk.len = 0;
		}
	}
	interfaces_end(s, ssid, psk);
}

/* A group is of the network by its own name, or by the name of the network in it. */
struct keyfile_group {
	bool		is_it;
	struct text	passphrase;
	bool		key;
};

static void keyfile_end(struct secrets *s, struct keyfile_group *g)
{
	uint8_t bytes[PASSPHRASE_MAX];
	unsigned int n = s->n;

	if (!g->is_it)
		return;
	secrets_add(s, bytes, from_escaped(g->passphrase, bytes, sizeof(bytes)));
	explicit_bzero(bytes, sizeof(bytes));
	if (s->n == n && (g->key || g->passphrase.len == 2 * 32))
		s->keys++;
}

/**
 * secrets_of_keyfile() - those of a file in groups, such as iwd and connman have
 * @s: what there is already
 * @file: the file
 * @group: this group is of the network; NULL: the one that has its name
 */
void secrets_of_keyfile(struct secrets *s, struct text file, const char *group)
{
	struct keyfile_group g = { 0 };
	struct text line, key, value;
	uint8_t ssid[SSID_MAX];

	while (next_line(&file, &line)) {
		if (line.len > 1 && *line.at == '[' && line.at[line.len - 1] == ']') {
			keyfile_end(s, &g);
			g = (struct keyfile_group){ 0 };
			line.at++;
			line.len -= 2;
			g.is_it = group && is(line, group);
		} else if (line.len && *line.at != '#' && split(line, &key, &value)) {
			if (is(key, "Passphrase"))
				g.passphrase = value;
			else if (is(key, "PreSharedKey"))
				g.key = true;
			else if (!group && is(key, "SSID"))
				g.is_it = same_name(s, ssid, from_hex(value, ssid, sizeof(ssid)));
		}
	}
	keyfile_end(s, &g);
}

/**
 * secrets_iwd_name() - is that file of iwd's of the network?
 * @s: has the network
 * @name: of the file, without a path
 */
bool secrets_iwd_name(const struct secrets *s, const char *name)
{
	const char *dot = strrchr(name, '.');
	struct text t = { name, dot ? dot - name : 0 };
	uint8_t ssid[SSID_MAX];

	if (!dot || strcmp(dot, ".psk"))
		return false;
	if (*name != '=')
		return same_name(s, (const uint8_t *)t.at, t.len);
	t.at++;
	t.len--;
	return same_name(s, ssid, from_hex(t, ssid, sizeof(ssid)));
}

/* The next argument, which ends with a NUL; NULL: there is none. */
static const char *next_argument(struct text *rest)
{
	const char *arg = rest->at, *end = rest->len ? memchr(arg, '\0', rest->len) : NULL;

	if (!end)
		return NULL;
	rest->len -= end + 1 - rest->at;
	rest->at = end + 1;
	return arg;
}

/**
 * secrets_cmdline() - the files that a wpa_supplicant was told to read
 * @cmdline: as in /proc/PID/cmdline
 * @fn: is told each, if it is told by where it is from the root
 * @arg: for @fn
 */
void secrets_cmdline(struct text cmdline, secrets_path_fn *fn, void *arg)
{
	const char *word = next_argument(&cmdline), *value, *o;

	if (!word)
		return;
	o = strrchr(word, '/');
	if (strcmp(o ? o + 1 : word, "wpa_supplicant"))
		return;
	while ((word = next_argument(&cmdline))) {
		if (*word != '-')
			continue;
		for (o = word + 1; *o; o++) {
			/* Those of its options that want an argument. */
			if (!strchr("bCcDefgGIimoOPp", *o))
				continue;
			value = o[1] ? o + 1 : next_argument(&cmdline);
			if (value && *value == '/' && (*o == 'c' || *o == 'I'))
				fn(value, arg);
			break;
		}
	}
}

/* atwctl's own: a network on a line, and its passphrase after a blank. */

/**
 * secrets_store_next() - the next network of atwctl's own file
 * @rest: the file, from here on
 * @row: out: the network
 *
 * Return: false at the end.
 */
bool secrets_store_next(struct text *rest, struct store_row *row)
{
	struct text line, ssid;

	while (next_line(rest, &line)) {
		if (!line.len || *line.at == '#')
			continue;
		ssid = first_word(&line);
		row->ssid_len = from_escaped(ssid, row->ssid, sizeof(row->ssid));
		row->len = from_escaped(line, row->passphrase, sizeof(row->passphrase));
		if (row->ssid_len && row->len >= PASSPHRASE_MIN)
			return true;
	}
	return false;
}

/**
 * secrets_of_store() - what atwctl's own file has
 * @s: what there is already
 * @file: the file
 */
void secrets_of_store(struct secrets *s, struct text file)
{
	struct store_row row;

	while (secrets_store_next(&file, &row))
		if (same_name(s, row.ssid, row.ssid_len))
			secrets_add(s, row.passphrase, row.len);
	explicit_bzero(&row, sizeof(row));
}

/**
 * secrets_escape() - any bytes as one word that can be printed
 * @to: for ESCAPED(@len) bytes
 * @bytes: the bytes
 * @len: how many
 *
 * Return: how many it takes, without the NUL.
 */
size_t secrets_escape(char *to, const void *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *b = bytes;
	char *at = to;
	size_t i;

	for (i = 0; i < len; i++) {
		if (b[i] > ' ' && b[i] < 0x7f && b[i] != '\\' && !(b[i] == '#' && !i)) {
			*at++ = b[i];
			continue;
		}
		*at++ = '\\';
		*at++ = 'x';
		*at++ = digits[b[i] >> 4];
		*at++ = digits[b[i] & 15];
	}
	*at = '\0';
	return at - to;
}
