// SPDX-License-Identifier: GPL-2.0-only
/*
 * Command lines: what each family of firmware reads of a line are the parameters that
 * it was built of, and nothing else. And whole lines of the module, and commands of an
 * administrator's.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "firmware.h"
#include "format.h"
#include "parse.h"
#include "raw.h"
#include "scan.h"

#define PARAMS	8

/* The next parameter as a family reads it. Returns where the one after it begins. */
static const char *read_param(const struct atw_firmware *fw, const char *s, char *out)
{
	bool quoted = false;
	size_t n = 0;

	if (fw->profile == ATWIFI_PROFILE_BW20 && *s == '"') {
		quoted = true;
		s++;
	}
	while (*s && *s != '\r' && (quoted || *s != ',')) {
		if (quoted && *s == '"') {
			quoted = false;
			s++;
			continue;
		}
		if (*s == '\\' && (fw->profile == ATWIFI_PROFILE_CLASSIC || s[1] == '"' ||
				   (fw->profile == ATWIFI_PROFILE_MIDDLEWARE && s[1] == ',')))
			s++;
		out[n++] = *s++;
	}
	out[n] = '\0';
	if (fw->profile == ATWIFI_PROFILE_MIDDLEWARE && n >= 2 && out[0] == '"' &&
	    out[n - 1] == '"') {
		memmove(out, out + 1, n - 2);
		out[n - 2] = '\0';
	}
	return *s == ',' ? s + 1 : NULL;
}

static void strings(const char *s, u8 how)
{
	char first[ATW_CMD_MAX + 2], second[ATW_CMD_MAX + 2], got[ATW_CMD_MAX + 2];
	const struct atw_firmware *unknown = atw_firmware_of(ATWIFI_PROFILE_UNKNOWN);
	unsigned int known = unknown - atw_firmwares;
	const struct atw_firmware *fw = &atw_firmwares[how % known];
	size_t half = strlen(s) / 2;
	const struct atw_firmware *to;
	struct atw_line l;
	const char *rest;

	snprintf(first, sizeof(first), "%.*s", (int)half, s);
	snprintf(second, sizeof(second), "%s", s + half);
	atw_line_start(&l, "AT+X=");
	/* What is said to one that is not known is read by all of them. */
	to = how / known % 4 == 3 ? unknown : fw;
	atw_line_str(&l, to, first);
	atw_line_str(&l, to, second);
	atw_line_uint(&l, 4000000000u);
	if (atw_line_end(&l))
		return;
	if (l.len > ATW_CMD_MAX || strlen(l.buf) != l.len ||
	    strcmp(l.buf + l.len - 2, "\r\n") || strpbrk(l.buf, "\r\n") != l.buf + l.len - 2)
		DIE("the line is %s", l.buf);
	rest = read_param(fw, l.buf + 5, got);
	if (!rest || strcmp(got, first))
		DIE("family %u reads '%s', not '%s', in %s", fw->profile, got, first, l.buf);
	rest = read_param(fw, rest, got);
	if (!rest || strcmp(got, second))
		DIE("family %u reads '%s', not '%s', in %s", fw->profile, got, second, l.buf);
	if (strcmp(rest, "4000000000\r\n"))
		DIE("family %u reads %s", fw->profile, rest);
}

static void hosts(const char *s)
{
	struct atw_line l;

	atw_line_start(&l, "AT+SOCKET=4");
	atw_line_host(&l, s, 0x01020304);
	if (!atw_line_end(&l) && (strpbrk(l.buf + 12, ",\"\\ ?") ||
				  strlen(l.buf) != l.len))
		DIE("a host in %s", l.buf);
	atw_line_start(&l, "AT+SOCKETSENDLINE=101");
	atw_line_data(&l, s, strlen(s));
	if (!atw_line_end(&l) && strpbrk(l.buf + 22, ",\"\\?"))
		DIE("data in %s", l.buf);
}

/* What is read of a network has room for it; a whole answer lacks what stands before its end. */
static void networks(const char *s)
{
	static const char *const ends[] = {
		"", ",14:de:39:06:86:e4,Open,7c:b9:4c:1d:c6:39,6,192.168.1.7,192.168.1.1",
		",Open,6,3,0,7c:b9:4c:1d:d6:33,192.168.43.1,192.168.43.1",
	};
	struct atw_wifi_status st;
	struct atw_network net;
	char line[600];
	const char *rest;
	bool hidden;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		snprintf(line, sizeof(line), "+WJAP:3%s%s", s, ends[i]);
		rest = atw_parse_wifi_begin(line, &st);
		if (rest && atw_parse_wifi_end(rest, false, &st) &&
		    atw_parse_wifi_network(rest, false, &net) && strlen(net.ssid) > ATW_SSID_MAX)
			DIE("the name of a network: %s", line);
		snprintf(line, sizeof(line), "+WAP:%s%s", s, ends[i]);
		if (atw_parse_ap(line, &net, &hidden) && strlen(net.ssid) > ATW_SSID_MAX)
			DIE("the name of an access point: %s", line);
	}
}

static void lines(const char *s)
{
	struct atw_wifi_status st;
	struct atw_sock_row row;
	struct atw_autott tt;
	u32 dns[ATW_DNS_MAX], mask = 0, addr;
	char country[ATW_COUNTRY_LEN];
	char quad[20];
	u8 mac[6];
	s8 rssi;
	bool known;

	if (atw_parse_signal(s, &rssi) && rssi > 0)
		DIE("a signal of %d: %s", rssi, s);
	atw_parse_sta_mac(s, mac);
	atw_parse_ap_station(s, &known, mac);
	if (atw_parse_sock_row(s, &row) && !row.id)
		DIE("a row of nobody: %s", s);
	st.status = ATW_WIFI_JOINED;
	if (atw_parse_wifi_end(s, true, &st) && (!st.has_mac || !st.addr))
		DIE("the end of an answer: %s", s);
	atw_parse_wifi_begin(s, &st);
	atw_parse_dns(s, dns);
	if (atw_parse_dhcp(s, &mask) && ~mask & (~mask + 1))
		DIE("a mask %x: %s", mask, s);
	if (atw_parse_country(s, country) && strlen(country) != 2)
		DIE("a country: %s", s);
	if (atw_parse_autott(s, &tt) && strpbrk(tt.host, " \r\n"))
		DIE("a host: %s", s);
	if (atw_parse_addr(s, &addr)) {
		snprintf(quad, sizeof(quad), "%u.%u.%u.%u", addr >> 24,
			 addr >> 16 & 255, addr >> 8 & 255, addr & 255);
		if (strcmp(s, quad))
			DIE("%s is no %s", s, quad);
	}
	atw_raw_is_row("AT+WSCAN", s);
	atw_raw_is_row("AT+SOCKET?", s);
	atw_raw_is_row("AT+GMR", s);
	atw_raw_is_row("AT+CIPSTAMAC_DEF?", s);
}

/* A list of networks: what is read of it is there, and room for it. */
static void list_networks(char *s)
{
	static struct atw_scan scan;
	char *line, *at = s;
	unsigned int i;

	memset(&scan, 0, sizeof(scan));
	while ((line = strsep(&at, "\n")))
		atw_scan_line(&scan, line);
	if (scan.n > ATW_SCAN_MAX)
		DIE("%u networks", scan.n);
	for (i = 0; i < scan.n; i++)
		if (!scan.networks[i].channel || scan.networks[i].rssi > -10 ||
		    strlen(scan.networks[i].ssid) > ATW_SSID_MAX ||
		    strlen(scan.networks[i].security) < 4)
			DIE("network %u", i);
}

static void commands(const u8 *data, size_t size)
{
	static const char *const never[] = {
		"AT+SOCKETSEND", "AT+SOCKETTT", "AT+RST", "AT+RESTORE", "ATE",
		"AT+SSLCRET", "AT+SOCKETDEL", "AT+SOCKETREAD", "AT+SOCKETRECVCFG",
		"AT+UARTCFG=", "AT+SLEEP", "AT+SOCKET=", "AT+SOCKETAUTOTT=",
		"AT+WJAP?", "AT+WAP?", "AT+WAUTOCONN?",
	};
	const char *why = NULL;
	size_t i;

	if (atw_raw_check((const char *)data, size, &why)) {
		if (!why)
			DIE("refused without a reason");
		return;
	}
	for (i = 0; i < ARRAY_SIZE(never); i++)
		if (size >= strlen(never[i]) &&
		    !memcmp(data, never[i], strlen(never[i])))
			DIE("%s is let pass", never[i]);
	for (i = 0; i < size; i++)
		if (data[i] < ' ' || data[i] == 0x7f)
			DIE("byte %x is let pass", data[i]);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	char *s;

	fuzz_count(size);
	if (!size)
		return 0;
	s = malloc(size);
	memcpy(s, data + 1, size - 1);
	s[size - 1] = '\0';
	strings(s, data[0]);
	hosts(s);
	lines(s);
	networks(s);
	commands(data + 1, size - 1);
	list_networks(s);
	free(s);
	return 0;
}
