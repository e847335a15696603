// SPDX-License-Identifier: GPL-2.0-only
/*
 * Passphrases in files: a network as each program would write it, among any bytes, is found
 * with its passphrase and no other; and any bytes do no harm.
 */
#include <string.h>

#include "fuzz.h"
#include "secrets.h"

#define NET_MAX		1024

static uint8_t ssid[SSID_MAX], passphrase[PASSPHRASE_MAX];
static size_t ssid_len, passphrase_len;

/* What is written, and what for. */
static char net[NET_MAX];
static size_t net_len;

static void put(const char *text)
{
	size_t len = strlen(text);

	memcpy(net + net_len, text, len);
	net_len += len;
}

static void put_bytes(const uint8_t *bytes, size_t len)
{
	memcpy(net + net_len, bytes, len);
	net_len += len;
}

static void put_hex(const uint8_t *bytes, size_t len)
{
	char two[3];
	size_t i;

	for (i = 0; i < len; i++) {
		snprintf(two, sizeof(two), choose(2) ? "%02x" : "%02X", bytes[i]);
		put(two);
	}
}

static void put_escaped(const uint8_t *bytes, size_t len)
{
	char escape[5];
	size_t i;

	for (i = 0; i < len; i++) {
		if (bytes[i] == '"' || bytes[i] == '\\')
			snprintf(escape, sizeof(escape), "\\%c", bytes[i]);
		else if (bytes[i] > ' ' && bytes[i] < 0x7f)
			snprintf(escape, sizeof(escape), "%c", bytes[i]);
		else
			snprintf(escape, sizeof(escape), choose(2) ? "\\x%02x" : "\\%03o",
				 bytes[i]);
		put(escape);
	}
}

static void put_store(const uint8_t *bytes, size_t len)
{
	char escaped[ESCAPED(PASSPHRASE_MAX)];

	if (secrets_escape(escaped, bytes, len) != strlen(escaped))
		DIE("another length");
	put(escaped);
}

static bool has(const uint8_t *bytes, size_t len, const char *chars)
{
	for (; *chars; chars++)
		if (memchr(bytes, *chars, len))
			return true;
	return false;
}

/* One as it stands: what a line cannot have is not said so. */
static bool plain(const uint8_t *bytes, size_t len)
{
	return !memchr(bytes, '\0', len) && !has(bytes, len, "\n\r");
}

static bool trimmed(const uint8_t *bytes, size_t len)
{
	return plain(bytes, len) && !has(bytes, 1, " \t") && !has(bytes + len - 1, 1, " \t");
}

static void put_wpa(const uint8_t *bytes, size_t len)
{
	unsigned int how = choose(3);

	if (how == 0 && plain(bytes, len) && !has(bytes, len, "\"#")) {
		put("\"");
		put_bytes(bytes, len);
		put("\"");
	} else if (how == 1) {
		put("P\"");
		put_escaped(bytes, len);
		put("\"");
	} else {
		put_hex(bytes, len);
	}
}

static bool write_wpa(void)
{
	bool after = choose(2);

	put("\nnetwork={\n");
	if (!after) {
		put("\tssid=");
		put_wpa(ssid, ssid_len);
		put(choose(2) ? "\n" : " # a comment\n");
	}
	if (plain(passphrase, passphrase_len) && choose(2)) {
		put("  psk=\"");
		put_bytes(passphrase, passphrase_len);
		put("\"\r\n");
	} else {
		put("sae_password=");
		put_wpa(passphrase, passphrase_len);
		put("\n");
	}
	if (after) {
		put("#ssid=\"none\"\n ssid=");
		put_wpa(ssid, ssid_len);
		put("\n");
	}
	put("}\n");
	return true;
}

static bool write_interfaces(void)
{
	bool quotes = choose(2);

	if (!trimmed(ssid, ssid_len) || !trimmed(passphrase, passphrase_len))
		return false;
	put("\niface wlan0 inet dhcp\n\twpa-ssid ");
	put_bytes(ssid, ssid_len);
	put(quotes ? "\n\twpa-psk \"" : "\n\twpa-psk ");
	put_bytes(passphrase, passphrase_len);
	put(quotes ? "\"\n" : "\n");
	put("auto lo\n");
	return true;
}

static bool write_iwd(void)
{
	put("\n[Settings]\nPassphrase=of nothing\n[Security]\nPassphrase=");
	put_escaped(passphrase, passphrase_len);
	put("\n[End]\n");
	return true;
}

static bool write_connman(void)
{
	put("\n[wifi_0123_managed_psk]\nSSID=");
	put_hex(ssid, ssid_len);
	put("\nPassphrase=");
	put_escaped(passphrase, passphrase_len);
	put("\n[End]\n");
	return true;
}

static bool write_store(void)
{
	put("\n");
	put_store(ssid, ssid_len);
	put(" ");
	put_store(passphrase, passphrase_len);
	put("\n");
	return true;
}

static void of_iwd(struct secrets *s, struct text file)
{
	secrets_of_keyfile(s, file, "Security");
}

static void of_connman(struct secrets *s, struct text file)
{
	secrets_of_keyfile(s, file, NULL);
}

static const struct {
	void	(*parse)(struct secrets *s, struct text file);
	bool	(*write)(void);
	/* What ends whatever was before it. */
	const char *end;
} formats[] = {
	{ secrets_of_wpa_supplicant, write_wpa, "\n}\n" },
	{ secrets_of_interfaces, write_interfaces, "\n" },
	{ of_iwd, write_iwd, "\n" },
	{ of_connman, write_connman, "\n" },
	{ secrets_of_store, write_store, "\n" },
};

static bool found(const struct secrets *s)
{
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (s->found[i].len == passphrase_len &&
		    !memcmp(s->found[i].bytes, passphrase, passphrase_len))
			return true;
	return false;
}

static void check_all(const struct secrets *s)
{
	unsigned int i, k;

	if (s->n > SECRETS_MAX)
		DIE("%u passphrases", s->n);
	for (i = 0; i < s->n; i++) {
		if (s->found[i].len < PASSPHRASE_MIN || s->found[i].len > PASSPHRASE_MAX)
			DIE("one of %d bytes", s->found[i].len);
		for (k = 0; k < i; k++)
			if (s->found[k].len == s->found[i].len &&
			    !memcmp(s->found[k].bytes, s->found[i].bytes, s->found[i].len))
				DIE("one twice");
	}
}

static void look_in(unsigned int format, const u8 *data, size_t size)
{
	size_t end = strlen(formats[format].end);
	struct secrets before = { .ssid_len = ssid_len }, s;
	bool written;
	char *file;

	memcpy(before.ssid, ssid, ssid_len);
	s = before;
	net_len = 0;
	written = formats[format].write();
	/* No byte more than it has. */
	file = malloc(size);
	memcpy(file, data, size);
	formats[format].parse(&before, (struct text){ file, size });
	check_all(&before);
	free(file);
	file = malloc(size + end + net_len);
	memcpy(file, data, size);
	memcpy(file + size, formats[format].end, end);
	memcpy(file + size + end, net, net_len);
	/* As many at a time as the driver takes. */
	do {
		s.skip = s.seen;
		s.seen = 0;
		s.n = 0;
		formats[format].parse(&s, (struct text){ file, size + end + net_len });
		check_all(&s);
	} while (!found(&s) && s.n == SECRETS_MAX);
	if (written && !found(&s))
		DIE("not found in format %u: %.*s", format, (int)net_len, net);
	free(file);
}

/* Two networks, of which it is the second: what is found is not the other one's. */
static void look_behind(unsigned int format)
{
	struct secrets s = { .ssid_len = ssid_len };
	bool written;

	memcpy(s.ssid, ssid, ssid_len);
	net_len = 0;
	ssid[0] ^= 1;
	passphrase[0] ^= 1;
	formats[format].write();
	ssid[0] ^= 1;
	passphrase[0] ^= 1;
	written = formats[format].write();
	formats[format].parse(&s, (struct text){ net, net_len });
	if (found(&s) != written)
		DIE("not found behind another one: %.*s", (int)net_len, net);
	passphrase[0] ^= 1;
	if (found(&s))
		DIE("that of another one: %.*s", (int)net_len, net);
	passphrase[0] ^= 1;
}

static void no_slash(const char *path, void *arg)
{
	unsigned int *n = arg;

	if (*path != '/')
		DIE("a path that is none");
	++*n;
}

/* A command line as a wpa_supplicant would have it after any bytes of options. */
static void cmdline(const u8 *data, size_t size)
{
	static const char name[] = "/sbin/wpa_supplicant";
	static const char most[] = "-B\0-c/a\0-sI\0/b";
	struct text t = { NULL, sizeof(name) + size };
	unsigned int n = 0;
	char *line;

	line = malloc(sizeof(name) + size + sizeof(most));
	memcpy(line, name, sizeof(name));
	memcpy(line + sizeof(name), data, size);
	t.at = line;
	secrets_cmdline(t, no_slash, &n);
	n = 0;
	memcpy(line + sizeof(name), most, sizeof(most));
	t.len = sizeof(name) + sizeof(most);
	secrets_cmdline(t, no_slash, &n);
	if (n != 2)
		DIE("%u files of 2", n);
	free(line);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct secrets s = { 0 };
	struct store_row row;
	unsigned int format;
	struct text t;
	char *name;
	size_t i;

	fuzz_count(size);
	if (size < 128)
		return 0;
	choices_from(data, 32);
	ssid_len = 1 + data[32] % SSID_MAX;
	memcpy(ssid, data + 33, ssid_len);
	passphrase_len = PASSPHRASE_MIN + data[65] % (PASSPHRASE_MAX - PASSPHRASE_MIN + 1);
	for (i = 0; i < passphrase_len; i++)
		passphrase[i] = data[128 - PASSPHRASE_MAX + i % 62];
	data += 128;
	size -= 128;
	format = choose(ARRAY_SIZE(formats));
	look_in(format, data, size);
	/* A file of iwd has one network, which its name tells. */
	if (formats[format].parse != of_iwd)
		look_behind(format);
	cmdline(data, size);
	t = (struct text){ (const char *)data, size };
	while (secrets_store_next(&t, &row))
		if (!row.ssid_len || row.len < PASSPHRASE_MIN)
			DIE("a row of nothing");
	memcpy(s.ssid, ssid, ssid_len);
	s.ssid_len = ssid_len;
	name = strndup((const char *)data, size);
	secrets_iwd_name(&s, name);
	free(name);
	net_len = 0;
	put("=");
	put_hex(ssid, ssid_len);
	put_bytes((const uint8_t *)".psk", 5);
	if (!secrets_iwd_name(&s, net))
		DIE("a file that has its name");
	return 0;
}
