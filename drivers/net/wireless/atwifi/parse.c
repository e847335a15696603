// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bytes of the module -> events.
 *
 * The module prints lines, and payloads that are counted. A payload is three
 * prints: its header, the bytes, and a closing CR LF. Firmware that does not
 * keep the three together may print another task's line between them. What
 * comes before the closing heals by itself, since nearly every print begins
 * with CR LF. What comes before the payload shifts it.
 *
 * A remote chooses what is in its payload, so that nothing in there proves that
 * it is not the payload. Three things follow. A payload that is closed where it
 * should be is taken for what its header said; where it looks like the print of
 * another task it is told to be in doubt, and it is the caller's to ask before it
 * is used. A payload that is not closed there is repaired only where the firmware
 * is known to tear, and only for the answer that is awaited at that moment: that
 * is printed far more often than all else, and there is one of it. Any other one
 * is bad.
 *
 * A line of a form that is not known may be a new one, or what is left of another
 * after bytes were lost. It is damage only where it may be what is left of a
 * payload: that alone costs others than the one who is spoken of.
 *
 * All decisions are made byte by byte, so they cannot depend on how the bytes
 * were cut into chunks.
 */
#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/string.h>

#include "parse.h"

/* Whose payload is counted. */
enum {
	ATW_KIND_DOWN,		/* a connection's, active mode */
	ATW_KIND_READ,		/* a connection's, the answer to a read */
	ATW_KIND_CERT,		/* a certificate, the answer to a query */
	ATW_KIND_OTHER,		/* nobody's: only to be stepped over */
	ATW_KIND_LOST,		/* a connection's that was swallowed by another */
};

/* Between two prints there are a closing and a leading CR LF, and where prints tear
 * each other those of two or three.
 */
#define ATW_BLANKS_MAX		8

static bool atw_is_alnum(char c)
{
	return isdigit(c) || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z');
}

/* Nothing but characters that are printed as such. */
static bool atw_is_text(const char *s)
{
	while (*s >= ' ' && *s < 0x7f)
		s++;
	return !*s;
}

/* Skip a literal. */
static bool atw_skip(const char **s, const char *lit)
{
	if (!strstarts(*s, lit))
		return false;
	*s += strlen(lit);
	return true;
}

/**
 * atw_parse_uint() - read a decimal number
 * @s: where it begins; moved behind its last digit
 * @max: the largest that is accepted
 * @val: the number
 *
 * Digits only: no sign, no blanks, no leading zeros.
 *
 * Return: true if there was one
 */
bool atw_parse_uint(const char **s, u32 max, u32 *val)
{
	const char *c = *s;
	u64 n = 0;

	if (!isdigit(*c) || (c[0] == '0' && isdigit(c[1])))
		return false;
	for (; isdigit(*c); c++) {
		n = n * 10 + (*c - '0');
		if (n > max)
			return false;
	}
	*s = c;
	*val = n;
	return true;
}

/* A number of a connection: the module counts from 1. */
static bool atw_parse_conid(const char **s, u32 *id)
{
	return atw_parse_uint(s, ATW_NO_ID - 1, id) && *id;
}

static bool atw_parse_quad(const char **s, u32 *addr)
{
	const char *c = *s;
	u32 part, n = 0;
	int i;

	for (i = 0; i < 4; i++) {
		if (i && *c++ != '.')
			return false;
		if (!atw_parse_uint(&c, 255, &part))
			return false;
		n = n << 8 | part;
	}
	*s = c;
	*addr = n;
	return true;
}

/**
 * atw_parse_addr() - read a dotted IPv4 address
 * @s: the address and nothing else
 * @addr: the address in host order
 *
 * Return: true if it is one
 */
bool atw_parse_addr(const char *s, u32 *addr)
{
	u32 n;

	if (!atw_parse_quad(&s, &n) || *s)
		return false;
	*addr = n;
	return true;
}

/* A port of a row: -1 is none. */
static bool atw_parse_port(const char **s, s32 *port)
{
	u32 n;

	if (atw_skip(s, "-1")) {
		*port = -1;
		return true;
	}
	if (!atw_parse_uint(s, 65535, &n))
		return false;
	*port = n;
	return true;
}

/* By the module's numbers. */
static const enum atw_sock_status atw_sock_statuses[] = {
	[0] = ATW_SOCK_LOST, [1] = ATW_SOCK_CONNECTING, [3] = ATW_SOCK_CONNECTED,
	[4] = ATW_SOCK_FAILED, [127] = ATW_SOCK_DELETED,
};

/**
 * atw_parse_sock_row() - read a row of the answer to AT+SOCKET?
 * @line: the row
 * @row: what it says
 *
 * Return: true if it is one; @row is undefined otherwise
 */
bool atw_parse_sock_row(const char *line, struct atw_sock_row *row)
{
	const char *host;
	u32 status;

	memset(row, 0, sizeof(*row));
	row->server = ATW_NO_ID;
	if (!atw_parse_conid(&line, &row->id) ||
	    *line++ != ',' ||
	    !atw_parse_uint(&line, 255, &row->type) || *line++ != ',' ||
	    !atw_parse_uint(&line, 255, &status) || *line++ != ',')
		return false;
	if (status < ARRAY_SIZE(atw_sock_statuses))
		row->status = atw_sock_statuses[status];
	host = line;
	line = strchr(line, ',');
	if (!line)
		return false;
	/* A name is not an address, and neither is an empty field. */
	if (!atw_parse_quad(&host, &row->addr) || host != line)
		row->addr = 0;
	line++;
	if (!atw_parse_port(&line, &row->rport) || *line++ != ',' ||
	    !atw_parse_port(&line, &row->lport) || *line++ != ',')
		return false;
	if (!atw_skip(&line, "-1") &&
	    !atw_parse_uint(&line, ATW_NO_ID - 1, &row->server))
		return false;
	return !*line;
}

static int atw_hex(char c)
{
	if (isdigit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool atw_parse_mac(const char *s, const char *end, u8 *mac)
{
	int i, hi, lo;

	if (end - s != 17)
		return false;
	for (i = 0; i < 6; i++, s += 3) {
		hi = atw_hex(s[0]);
		lo = atw_hex(s[1]);
		if (hi < 0 || lo < 0 || (i < 5 && s[2] != ':'))
			return false;
		mac[i] = hi << 4 | lo;
	}
	return true;
}

/* Move the end of a text before its last field, and tell where that one begins; NULL: none */
static const char *atw_last_field(const char *line, const char **end)
{
	const char *s = *end;

	while (s > line && s[-1] != ',')
		s--;
	if (s == line)
		return NULL;
	*end = s - 1;
	return s;
}

/*
 * Read the last @n fields of a text, from its end on: where each begins and ends. Returns the
 * comma before them; NULL: there are fewer.
 */
static const char *atw_read_last_fields(const char *line, int n, const char *field[],
					const char *stop[])
{
	const char *s = line + strlen(line);

	while (n--) {
		stop[n] = s;
		field[n] = atw_last_field(line, &s);
		if (!field[n])
			return NULL;
	}
	return s;
}

/* By the module's numbers. */
static const enum atw_wifi_state atw_wifi_states[] = {
	[1] = ATW_WIFI_CONNECTING, [2] = ATW_WIFI_NO_ADDRESS, [3] = ATW_WIFI_JOINED,
	[6] = ATW_WIFI_BAD_PASSWORD,
};

/**
 * atw_parse_wifi_begin() - read the begin of the answer to AT+WJAP?
 * @line: the line
 * @st: its status; the rest is cleared; not touched if it is another line
 *
 * Return: what is behind the status, empty or from its comma on; NULL if it is another
 *	line
 */
const char *atw_parse_wifi_begin(const char *line, struct atw_wifi_status *st)
{
	u32 n;

	if (!atw_skip(&line, "+WJAP:") || !atw_parse_uint(&line, 255, &n) ||
	    (*line && *line != ','))
		return NULL;
	memset(st, 0, sizeof(*st));
	if (n < ARRAY_SIZE(atw_wifi_states))
		st->status = atw_wifi_states[n];
	return line;
}

/**
 * atw_parse_wifi_end() - read the end of the answer to AT+WJAP?
 * @line: what is behind the status, or a line that follows
 * @name: this may be a name's, or a piece of one; else it is all of the answer
 * @st: its status is known; out: the rest; not touched if it is something else
 *
 * "...,<name>,<password>,<BSSID>,<security>,<own MAC>,<channel>,<IP>,<gateway>" is read
 * from its end, as names and passwords may hold commas. A name may hold ends of lines,
 * too, so that it is first of all to be found where the answer ends. It is chosen by a
 * stranger, but has 32 bytes at most: no piece of it has room for two MACs, the commas
 * and what is between. A password has no ends of lines.
 *
 * Return: true if the answer ends here
 */
bool atw_parse_wifi_end(const char *line, bool name, struct atw_wifi_status *st)
{
	struct atw_wifi_status end = { .status = st->status };
	const char *stop[6], *field[6];
	u8 bssid[6];
	bool has_addr;
	u32 channel;

	if (!atw_read_last_fields(line, ARRAY_SIZE(field), field, stop))
		return false;
	/* Where no name can be taken for them, these may be empty, or of another form. */
	if (name && !atw_parse_mac(field[0], stop[0], bssid))
		return false;
	end.has_mac = name || field[2] != stop[2];
	if (end.has_mac && !atw_parse_mac(field[2], stop[2], end.mac))
		return false;
	/* Without an address it may have no channel and no gateway, either. */
	if (field[3] != stop[3] &&
	    (!atw_parse_uint(&field[3], 255, &channel) || field[3] != stop[3]))
		return false;
	has_addr = field[4] != stop[4];
	if (has_addr && (!atw_parse_quad(&field[4], &end.addr) || field[4] != stop[4]))
		return false;
	if (field[5] != stop[5] &&
	    (!atw_parse_quad(&field[5], &end.gateway) || field[5] != stop[5]))
		return false;
	/* What says that it has joined says where it is, or that it is nowhere. */
	if (st->status == ATW_WIFI_JOINED && !end.addr && (end.gateway || !(name || has_addr)))
		return false;
	*st = end;
	return true;
}

/*
 * "<name>,<password>": where both may hold commas it cannot be told where the one ends. Where
 * bytes were lost there may be neither, and @end lies before @line.
 */
static void atw_parse_wifi_name(const char *line, const char *end, struct atw_network *net)
{
	const char *last = end;
	const char *comma;

	if (end <= line)
		return;
	comma = memchr(line, ',', end - line);
	while (last > line && last[-1] != ',')
		last--;
	if (!comma || (comma != last - 1 && (strcmp(net->security, "Open") || last != end)) ||
	    last - 1 - line > ATW_SSID_MAX)
		return;
	memcpy(net->ssid, line, last - 1 - line);
}

/**
 * atw_parse_wifi_network() - read which network the answer to AT+WJAP? is about
 * @line: one for which atw_parse_wifi_end() is true, from the comma behind the status on
 * @name: it is the rest of a name, of which the begin is not known
 * @net: what it says, with what is not known cleared
 *
 * Return: true if it tells of one
 */
bool atw_parse_wifi_network(const char *line, bool name, struct atw_network *net)
{
	const char *stop[6], *field[6], *end;
	u32 channel;

	memset(net, 0, sizeof(*net));
	end = atw_read_last_fields(line, ARRAY_SIZE(field), field, stop);
	if (!end || !atw_parse_mac(field[0], stop[0], net->bssid))
		return false;
	if (stop[1] - field[1] < (int)sizeof(net->security))
		memcpy(net->security, field[1], stop[1] - field[1]);
	if (!atw_is_text(net->security))
		net->security[0] = '\0';
	if (atw_parse_uint(&field[3], 196, &channel) && field[3] == stop[3])
		net->channel = channel;
	if (!name && *line == ',')
		atw_parse_wifi_name(line + 1, end, net);
	return true;
}

/**
 * atw_parse_ap() - read the answer to AT+WAP?
 * @line: the line
 * @net: what it says of the module as an access point; not touched if it is another line
 * @hidden: its name is not in the air
 *
 * "+WAP:<name>,<password>,<security>,<channel>,<clients>,<hidden>,<MAC>,<IP>,<gateway>" is
 * read from its end. Name and password are ours, and have no ends of lines.
 *
 * Return: true if it is that
 */
bool atw_parse_ap(const char *line, struct atw_network *net, bool *hidden)
{
	const char *stop[7], *field[7], *end;
	struct atw_network ap = { 0 };
	u32 channel, n;

	if (!atw_skip(&line, "+WAP:"))
		return false;
	end = atw_read_last_fields(line, ARRAY_SIZE(field), field, stop);
	if (!end || !atw_parse_mac(field[4], stop[4], ap.bssid) ||
	    !atw_parse_uint(&field[1], 196, &channel) || field[1] != stop[1] || !channel ||
	    !atw_parse_uint(&field[3], 1, &n) || field[3] != stop[3])
		return false;
	ap.channel = channel;
	if (stop[0] - field[0] < (int)sizeof(ap.security))
		memcpy(ap.security, field[0], stop[0] - field[0]);
	if (!atw_is_text(ap.security))
		ap.security[0] = '\0';
	atw_parse_wifi_name(line, end, &ap);
	*net = ap;
	*hidden = n;
	return true;
}

/**
 * atw_parse_ap_station() - read a line that follows the answer to AT+WAP?
 * @line: the line
 * @known: it tells of a station, and not how many there are
 * @mac: its hardware address
 *
 * "Client Num: <n>" or "Client <i> MAC:<MAC>".
 *
 * Return: true if it is one of both
 */
bool atw_parse_ap_station(const char *line, bool *known, u8 mac[6])
{
	u32 n;

	if (!atw_skip(&line, "Client "))
		return false;
	*known = !atw_skip(&line, "Num: ");
	if (!atw_parse_uint(&line, U32_MAX, &n))
		return false;
	return *known ? atw_skip(&line, " MAC:") && atw_parse_mac(line, line + strlen(line), mac) :
			!*line;
}

/**
 * atw_parse_signal() - read the answer to AT+WRSSI
 * @line: the line: "+WRSSI:-50", or "+WRSSI :-50"
 * @rssi: in dBm; not touched if it is another line
 *
 * Return: true if it is that line
 */
bool atw_parse_signal(const char *line, s8 *rssi)
{
	u32 n;

	if (!atw_skip(&line, "+WRSSI"))
		return false;
	atw_skip(&line, " ");
	if (!atw_skip(&line, ":-") || !atw_parse_uint(&line, 127, &n) || *line)
		return false;
	*rssi = -(s8)n;
	return true;
}

/**
 * atw_parse_network() - read a row of the answer to AT+WSCAN
 * @line: what is behind its number
 * @net: what it says; undefined if it is something else
 *
 * "<name>,<channel>,<security>,<RSSI>,<BSSID>" is read from its end, as names may hold
 * commas. They may hold ends of lines, too: a row has 29 bytes besides its name, so that
 * no name has room for all of one and behind it for a line with a word of the module. That
 * is why a signal is to have two digits, and its security four letters.
 *
 * Return: true if it is one
 */
bool atw_parse_network(const char *line, struct atw_network *net)
{
	const char *stop[4], *field[4], *end;
	u32 n;

	/* The name before them may be empty. */
	end = atw_read_last_fields(line, ARRAY_SIZE(field), field, stop);
	if (!end)
		return false;
	memset(net, 0, sizeof(*net));
	if (end - line > ATW_SSID_MAX || stop[1] - field[1] < 4 ||
	    stop[1] - field[1] >= (int)sizeof(net->security))
		return false;
	memcpy(net->ssid, line, end - line);
	memcpy(net->security, field[1], stop[1] - field[1]);
	if (!atw_is_text(net->security) || !atw_parse_mac(field[3], stop[3], net->bssid))
		return false;
	if (!atw_parse_uint(&field[0], 196, &n) || !n || field[0] != stop[0])
		return false;
	net->channel = n;
	if (*field[2]++ != '-' || !atw_parse_uint(&field[2], 127, &n) || n < 10 ||
	    field[2] != stop[2])
		return false;
	net->rssi = -(s8)n;
	return true;
}

/**
 * atw_parse_dns() - read the answer to AT+WDNS?
 * @line: the line
 * @addr: the servers, host order, 0 for none; not touched if it is another line
 *
 * Return: true if it is that line
 */
bool atw_parse_dns(const char *line, u32 addr[ATW_DNS_MAX])
{
	u32 first, second = 0;

	if (!atw_skip(&line, "+WDNS:") || !atw_parse_quad(&line, &first))
		return false;
	if (atw_skip(&line, ",") && !atw_parse_quad(&line, &second))
		return false;
	if (*line)
		return false;
	addr[0] = first;
	addr[1] = second;
	return true;
}

/**
 * atw_parse_dhcp() - read the answer to AT+WSDHCP?
 * @line: the line: "+WSDHCP:1", or "+WSDHCP:0,<ip>,<mask>,<gw>"
 * @mask: the netmask, host order; 0: it is not told, or is none of a network; not touched
 *	if it is another line
 *
 * Return: true if it is that line
 */
bool atw_parse_dhcp(const char *line, u32 *mask)
{
	u32 addr, n;

	if (!atw_skip(&line, "+WSDHCP:") || line[strspn(line, "0123456789.,")])
		return false;
	*mask = 0;
	/* Ones before zeros only. */
	if (atw_skip(&line, "0,") && atw_parse_quad(&line, &addr) &&
	    atw_skip(&line, ",") && atw_parse_quad(&line, &n) &&
	    (!*line || *line == ',') && !(~n & (~n + 1)) && n >= ATW_MASK_MIN)
		*mask = n;
	return true;
}

/* By the module's numbers; the first one is its default. */
static const char atw_countries[][ATW_COUNTRY_LEN] = {
	"00", "JP", "AS", "CA", "US", "CN", "HK", "TW", "MO", "IL", "SG", "KR", "TR", "AU", "ZA",
	"BR", "EU",
};

/**
 * atw_parse_country() - read the answer to AT+WCOUNTRY?
 * @line: the line
 * @country: its letters, by ISO 3166, "EU", or "00" where they are not known; not touched if
 *	it is another line
 *
 * Return: true if it is that line
 */
bool atw_parse_country(const char *line, char country[ATW_COUNTRY_LEN])
{
	u32 n;

	if (!atw_skip(&line, "+WCOUNTRY:") || !atw_parse_uint(&line, 255, &n) || *line)
		return false;
	memcpy(country, atw_countries[n < ARRAY_SIZE(atw_countries) ? n : 0], ATW_COUNTRY_LEN);
	return true;
}

/**
 * atw_parse_sta_mac() - read the answer to AT+CIPSTAMAC_DEF?
 * @line: the line; some firmware forgets its first character
 * @mac: the hardware address; undefined if it is another line
 *
 * Return: true if it is that line
 */
bool atw_parse_sta_mac(const char *line, u8 mac[6])
{
	int i, hi, lo;

	atw_skip(&line, "+");
	if (!atw_skip(&line, "CIPSTAMAC_DEF:"))
		return false;
	for (i = 0; i < 6; i++) {
		hi = atw_hex(*line++);
		lo = hi < 0 ? hi : atw_hex(*line++);
		if (lo < 0)
			return false;
		mac[i] = hi << 4 | lo;
	}
	return !*line;
}

/**
 * atw_parse_autott() - read the answer to AT+SOCKETAUTOTT?
 * @line: the line
 * @tt: what it says, without @tt->known; undefined if it is another line
 *
 * Return: true if it is that line
 */
bool atw_parse_autott(const char *line, struct atw_autott *tt)
{
	const char *host, *comma;
	u32 port = 0;
	size_t len;

	if (!atw_skip(&line, "+SOCKETAUTOTT:") ||
	    !atw_parse_uint(&line, 255, &tt->type))
		return false;
	tt->host[0] = '\0';
	tt->port = 0;
	if (!*line && !tt->type)
		return true;
	if (*line++ != ',')
		return false;
	host = line;
	comma = strchr(host, ',');
	if (!comma)
		return false;
	len = comma - host;
	if (len >= sizeof(tt->host))
		return false;
	for (line = host; line < comma; line++)
		if (*line <= ' ' || *line >= 0x7f)
			return false;
	line = comma + 1;
	if (!atw_skip(&line, "-1") && !atw_parse_uint(&line, 65535, &port))
		return false;
	memcpy(tt->host, host, len);
	tt->host[len] = '\0';
	tt->port = port;
	return !*line;
}

/* "<id>,<number>" and nothing else */
static bool atw_parse_pair(const char *s, u32 *id, u32 *n)
{
	return atw_parse_conid(&s, id) && *s++ == ',' &&
	       atw_parse_uint(&s, ATW_NO_ID - 1, n) && !*s;
}

/* "<id>" and nothing else */
static bool atw_parse_id(const char *s, u32 *id)
{
	return atw_parse_conid(&s, id) && !*s;
}

/* What was read of it already is as good as anything. */
static enum atw_event_type atw_nobody(struct atw_event *ev,
				      enum atw_event_type type)
{
	ev->id = ATW_NO_ID;
	ev->id2 = ATW_NO_ID;
	ev->len = 0;
	return type;
}

static enum atw_event_type atw_damage(struct atw_event *ev)
{
	return atw_nobody(ev, ATW_EV_DAMAGE);
}

static enum atw_event_type atw_unexpected(struct atw_event *ev)
{
	return atw_nobody(ev, ATW_EV_UNEXPECTED);
}

/* How much of a word has another one at its begin and at its end? */
static size_t atw_shares(const char *s, size_t len, const char *word)
{
	size_t n = strlen(word);
	size_t head, tail;

	for (head = 0; head < len && head < n && s[head] == word[head]; head++)
		;
	for (tail = 0; tail < len && tail < n &&
	     s[len - 1 - tail] == word[n - 1 - tail]; tail++)
		;
	return head + tail;
}

/* May a word be what is left of another one, of which bytes in a row were lost? */
static bool atw_is_left_of(const char *s, size_t len, const char *word)
{
	return len <= strlen(word) && atw_shares(s, len, word) >= len;
}

static const struct {
	const char *name;
	enum atw_event_type type;
} atw_socket_events[] = {
	{ "Disconnect,",	ATW_EV_DISCONNECT },
	{ "Dissconnect,",	ATW_EV_DISCONNECT },
	{ "Reconnect,",		ATW_EV_RECONNECT },
	{ "AutoDel,",		ATW_EV_AUTODEL },
	{ "Seed,",		ATW_EV_CHILD },
};

/* What follows "+EVENT:Socket", if it is known; ATW_EV_NONE if not. */
static enum atw_event_type atw_socket_event(const char *s, struct atw_event *ev)
{
	enum atw_event_type type;
	const char *rest;
	bool good;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(atw_socket_events); i++) {
		if (!atw_skip(&s, atw_socket_events[i].name))
			continue;
		type = atw_socket_events[i].type;
		good = type == ATW_EV_CHILD ?
		       atw_parse_pair(s, &ev->id, &ev->id2) :
		       atw_parse_id(s, &ev->id);
		return good ? type : ATW_EV_NONE;
	}
	if (!atw_skip(&s, "Down,"))
		return ATW_EV_NONE;
	/*
	 * With anything behind it, that is a length which has lost a digit. With nothing it
	 * may be what is left of a header and its payload.
	 */
	rest = s;
	if (atw_parse_conid(&rest, &ev->id) && !strcmp(rest, ",0,"))
		return ATW_EV_PENDING;
	if (!atw_parse_pair(s, &ev->id, &ev->len) || ev->len > ATW_PAYLOAD_MAX)
		return atw_damage(ev);
	return ATW_EV_PENDING;
}

static const struct {
	const char *name;
	enum atw_event_type type;
} atw_wifi_events[] = {
	{ "CONNECT",		ATW_EV_WIFI_CONNECT },
	{ "GOT_IP",		ATW_EV_WIFI_GOT_IP },
	{ "GOT IP",		ATW_EV_WIFI_GOT_IP },
	{ "DISCONNECT",		ATW_EV_WIFI_DISCONNECT },
	{ "SCAN_DONE",		ATW_EV_NOTE },
	{ "SCAN DONE",		ATW_EV_NOTE },
};

/* What follows "+EVENT:WIFI_", if it is known; ATW_EV_NONE if not. */
static enum atw_event_type atw_wifi_event(const char *s)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(atw_wifi_events); i++)
		if (!strcmp(s, atw_wifi_events[i].name))
			return atw_wifi_events[i].type;
	/* Its own clients, by their MAC. */
	if (!atw_skip(&s, "APCLIENTCONNECTED:") &&
	    !atw_skip(&s, "APCLIENTDISCONNECT:"))
		return ATW_EV_NONE;
	for (i = 0; atw_hex(s[i]) >= 0; i++)
		;
	return i == 12 && !s[i] ? ATW_EV_NOTE : ATW_EV_NONE;
}

/* Events of what the driver has no use for. */
static const char *const atw_other_events[] = {
	"BLE_CONNECT", "BLE_CONNECTED", "BLE_DISCONNECT", "BLE_DISCONNECTED",
	"MQTT_CONNECT", "MQTT_DISCONNECT", "MQTT_MALLOC_ERROR",
};

/* What follows "+EVENT:" of one that is not ours: is it known, and whole? */
static bool atw_is_other_event(const char *s)
{
	size_t i;
	u32 len;

	for (i = 0; i < ARRAY_SIZE(atw_other_events); i++)
		if (!strcmp(s, atw_other_events[i]))
			return true;
	if (!atw_is_text(s))
		return false;
	/* "<topic>,<len>,<data>" */
	if (atw_skip(&s, "MQTT_SUB,")) {
		s = strchr(s, ',');
		if (!s)
			return false;
		s++;
		return atw_parse_uint(&s, ATW_LINE_MAX, &len) &&
		       *s++ == ',' && strlen(s) == len;
	}
	/* "<type>,<data>": where that ends nobody tells. */
	return atw_skip(&s, "CloudDown,") && strchr(s, ',');
}

/* What follows "+EVENT:" of an event that is not known: is it a whole line? */
static bool atw_is_whole_event(const char *s)
{
	bool upper = false, lower = false, line = false;
	const char *args, *name;
	size_t n, i;
	u32 num;

	for (n = 0; s[n] && s[n] != ',' && s[n] != ':'; n++) {
		if (s[n] >= 'a' && s[n] <= 'z')
			lower = true;
		else if (s[n] == '_' || s[n] == ' ')
			line = true;
		else if (s[n] >= 'A' && s[n] <= 'Z')
			upper = true;
		else
			return false;
	}
	/* A name is "LIKE_THIS" or "LikeThis". */
	if (!upper || (lower && line) || !atw_is_text(s + n))
		return false;
	/* Of those that announce bytes no letter may be missing, or be too many. */
	if (atw_is_left_of(s, n, "SocketDown") || atw_is_left_of(s, n, "MQTT_SUB"))
		return false;
	args = s + n;
	if (strstr(args, "Down,"))
		return false;
	for (i = 0; i < ARRAY_SIZE(atw_socket_events); i++) {
		name = atw_socket_events[i].name;
		if (strstarts(s, "Socket") &&
		    !strncmp(s + strlen("Socket"), name, strlen(name) - 1))
			return true;
	}
	if (atw_shares(s, n, "SocketDown") >= strlen("SocketD"))
		return false;
	return atw_shares(s, n, "SocketDown") < 4 || !atw_skip(&args, ",") ||
	       !atw_parse_uint(&args, U32_MAX, &num) || !atw_skip(&args, ",") ||
	       !atw_parse_uint(&args, U32_MAX, &num) || *args != ',';
}

/* What follows "+EVENT:". */
static enum atw_event_type atw_event_line(const char *s, struct atw_event *ev)
{
	enum atw_event_type type = ATW_EV_NONE;
	const char *rest = s;

	if (atw_skip(&rest, "Socket"))
		type = atw_socket_event(rest, ev);
	else if (atw_skip(&rest, "WIFI_") || atw_skip(&rest, "WIFI "))
		type = atw_wifi_event(rest);
	else if (atw_is_other_event(s))
		type = ATW_EV_NOTE;
	if (type != ATW_EV_NONE)
		return type;
	return atw_is_whole_event(s) ? atw_unexpected(ev) : atw_damage(ev);
}

/* What follows the '+' of "+NAME:" or "+NAME :"; NULL if it is not such. */
static const char *atw_skip_name(const char *s)
{
	const char *begin = s;

	while ((*s >= 'A' && *s <= 'Z') || isdigit(*s) || *s == '_')
		s++;
	if (s == begin)
		return NULL;
	if (*s == ' ')
		s++;
	return *s == ':' ? s + 1 : NULL;
}

/* "+NAME:" and numbers: an answer of this kind never holds a payload. */
static bool atw_is_value_line(const char *s)
{
	if (*s++ != '+')
		return false;
	s = atw_skip_name(s);
	if (!s || !*s)
		return false;
	while (isdigit(*s) || *s == '.' || *s == ',' || *s == '-')
		s++;
	return !*s;
}

/* "+NAME:<number>" or "AT+NAME:<number>": the first line of an error, perhaps. */
static bool atw_is_error_line(const char *s, const char **name,
			      const char **name_end, u32 *code)
{
	const char *num;

	atw_skip(&s, "AT");
	if (*s++ != '+')
		return false;
	num = atw_skip_name(s);
	if (!num)
		return false;
	*name = s;
	*name_end = num - 1;
	return atw_parse_uint(&num, U32_MAX, code) && !*num;
}

static const char *const atw_banner[] = {
	"arch:", "company:", "ble_mac:", "wifi_mac:", "sdk_version:",
	"firmware_version:", "compile_time:", "#calibration_ok",
	"at version:", "sdk version:", "firmware version:", "compile time:",
};

/* A line of the banner of one of the families, or of what they say of their versions. */
static bool atw_is_banner(const char *s)
{
	size_t i;

	if (strstarts(s, "####"))
		return !s[strspn(s, "#")];
	for (i = 0; i < ARRAY_SIZE(atw_banner); i++)
		if (strstarts(s, atw_banner[i]))
			return atw_is_text(s);
	return false;
}

/* What the vendor's clouds have it print. */
static bool atw_is_cloud(const char *s)
{
	return (strstarts(s, "##boot") || strstarts(s, "aliGenie_data")) &&
	       atw_is_text(s);
}

/*
 * Is it what is left of "+DATA:<len>,", which announces bytes of a Bluetooth peer, or of
 * "+SOCKETREAD:<id>,<len>,"? It looks like numbers that somebody has asked for where a comma
 * or a letter was lost, and the first of those bytes are an end of line.
 */
static bool atw_is_left_of_header(const char *s)
{
	const char *rest = *s == '+' ? atw_skip_name(s + 1) : NULL;
	size_t len;

	if (!rest)
		return false;
	len = rest - s - 2;
	return atw_is_left_of(s + 1, len, "DATA") || atw_is_left_of(s + 1, len, "BLUFIDATA") ||
	       (s[strlen(s) - 1] == ',' && atw_is_left_of(s + 1, len, "SOCKETREAD"));
}

/*
 * "+NAME:..." in capitals: an answer that nobody awaits any more, or a new one. Not
 * what is left of a line that announced bytes.
 */
static bool atw_is_named(const char *s)
{
	static const char *const counted[] = {
		"EVENT", "SOCKETREAD", "DATA", "BLUFIDATA", "SSLCRET",
	};
	const char *rest = *s == '+' ? atw_skip_name(s + 1) : NULL;
	size_t i, len;

	if (!rest || !atw_is_text(rest))
		return false;
	len = rest - s - 2;
	for (i = 0; i < ARRAY_SIZE(counted); i++)
		if (atw_is_left_of(s + 1, len, counted[i]))
			return false;
	return true;
}

/* "<n> ...,<MAC>" or "<n>,...,<MAC>" with n up to 99: of a scan's list. */
static bool atw_is_scan_row(const char *s)
{
	size_t digits = strspn(s, "0123456789");
	size_t len = strlen(s);
	u8 mac[6];

	return digits && digits <= 2 && (s[digits] == ' ' || s[digits] == ',') &&
	       len > digits + 18 && s[len - 18] == ',' && atw_is_text(s) &&
	       atw_parse_mac(s + len - 17, s + len, mac);
}

/* "[word]..." or "word[word]...", as the vendors' systems begin what they log. */
static bool atw_is_log(const char *s)
{
	size_t n = 0;

	if (!atw_is_text(s))
		return false;
	while (atw_is_alnum(*s) || *s == '_')
		s++;
	if (*s++ != '[')
		return false;
	while (atw_is_alnum(s[n]) || (s[n] && strchr(" _-.:", s[n])))
		n++;
	return n && s[n] == ']';
}

/*
 * An answer without a '+' to something that is asked beside streams, and may come late. Whole,
 * from a begin that nothing else has.
 */
static bool atw_is_late_answer(const char *s)
{
	bool known;
	u8 mac[6];

	return atw_parse_sta_mac(s, mac) || atw_parse_ap_station(s, &known, mac);
}

/* One prompt that comes late or two, each with a blank or without: more may be any payload. */
static bool atw_is_late_prompt(const char *s)
{
	/* The blank of one that was awaited. */
	if (*s == ' ')
		s++;
	return *s == '>' && strlen(s) <= strlen("> > ") && !s[strspn(s, "> ")];
}

/* Is it a whole line, and no announcement can have become that? */
static bool atw_is_unexpected(const char *s)
{
	/* One of these is left of it wherever a few bytes are lost, or come in. */
	static const char *const left[] = {
		"+EVEN", "VENT:", "Down,", "SOCKETR", "READ,", "READ:",
	};
	struct atw_sock_row row;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(left); i++)
		if (strstr(s, left[i]))
			return false;
	return atw_is_named(s) || atw_parse_sock_row(s, &row) || atw_is_late_answer(s) ||
	       atw_is_scan_row(s) || atw_is_log(s) || atw_is_late_prompt(s);
}

/* What a whole line means, without a look at the parser's state. */
static enum atw_event_type atw_classify(const char *s, struct atw_event *ev)
{
	const char *name, *name_end;
	u32 code;

	if (!strcmp(s, "OK") || !strcmp(s, "+OK"))
		return ATW_EV_OK;
	if (!strcmp(s, "ERROR") || !strcmp(s, "+ERROR"))
		return ATW_EV_ERROR;
	if (atw_skip(&s, "+EVENT:"))
		return atw_event_line(s, ev);
	if (atw_skip(&s, "+SOCKETREAD")) {
		if ((*s == ',' || *s == ':') &&
		    atw_parse_pair(s + 1, &ev->id, &ev->len) && !ev->len)
			return ATW_EV_EMPTY;
		/* An error has one number: "+SOCKETREAD:4". */
		code = 0;
		if (*s == ':' && atw_parse_id(s + 1, &code))
			return ATW_EV_INFO;
		return atw_damage(ev);
	}
	if (atw_skip(&s, "+Seed:")) {
		if (atw_parse_pair(s, &ev->id, &ev->id2))
			return ATW_EV_CHILD;
		return atw_is_text(s) ? atw_unexpected(ev) : atw_damage(ev);
	}
	if (atw_skip(&s, "connect success ConID=")) {
		if (atw_parse_id(s, &ev->id))
			return ATW_EV_CONNECTED;
		return atw_is_text(s) ? atw_unexpected(ev) : atw_damage(ev);
	}
	if (strstarts(s, "Unknown cmd:"))
		return ATW_EV_UNKNOWN;
	if (!strcmp(s, "[Busy]Cmd running") ||
	    !strcmp(s, "cmd is running") || !strcmp(s, "cmd is running..."))
		return ATW_EV_BUSY;
	if (!strcmp(s, "ready"))
		return ATW_EV_READY;
	if (atw_is_banner(s))
		return ATW_EV_BANNER;
	if (atw_is_left_of_header(s))
		return atw_damage(ev);
	if (atw_is_error_line(s, &name, &name_end, &code) ||
	    atw_is_value_line(s) || atw_is_cloud(s))
		return ATW_EV_INFO;
	if (strstarts(s, "AT"))
		/* No command has a ':' behind its name, but some answers begin so. */
		return strstarts(s, "AT+") && atw_skip_name(s + 3) ?
		       ATW_EV_INFO : ATW_EV_ECHO;
	return atw_is_unexpected(s) ? ATW_EV_UNEXPECTED : ATW_EV_LINE;
}

/* Remember the number of an error line until the line that says ERROR. */
static void atw_note_error(struct atw_parser *p)
{
	const char *name, *end;
	size_t len;
	u32 code;

	p->err_code = 0;
	p->err_name[0] = '\0';
	if (!atw_is_error_line(p->line, &name, &end, &code))
		return;
	len = end - name;
	while (len && name[len - 1] == ' ')
		len--;
	len = min(len, sizeof(p->err_name) - 1);
	memcpy(p->err_name, name, len);
	p->err_name[len] = '\0';
	p->err_code = code;
}

/* An empty line: more of them in a row than the module prints are a payload's. */
static void atw_blank_line(struct atw_parser *p, struct atw_event *ev)
{
	p->blank = true;
	if (p->blanks <= ATW_BLANKS_MAX && ++p->blanks > ATW_BLANKS_MAX)
		ev->type = atw_damage(ev);
}

/* A print that is known to begin with a CR LF, and lacks it: see atw_line_step(). */
static bool atw_lacks_crlf(const struct atw_parser *p,
			   const struct atw_event *ev)
{
	const char *name, *end;
	u32 code;

	/* An answer of two lines, both of them there, may have been torn itself. */
	if (p->suspect == ATW_SUSPECT_ANSWER)
		return (ev->type == ATW_EV_OK || ev->type == ATW_EV_ERROR) && !p->err_code;
	return p->suspect && (ev->type == ATW_EV_OK ||
			      ev->type == ATW_EV_ERROR ||
			      ev->type == ATW_EV_BUSY ||
			      atw_is_error_line(p->line, &name, &end, &code));
}

/* The line is over: what did it say? */
static void atw_line_done(struct atw_parser *p, struct atw_event *ev)
{
	unsigned int len = p->line_len;
	bool lost = p->overlong;
	bool drop = p->drop;

	p->line_len = 0;
	p->overlong = false;
	p->drop = false;
	if (drop || lost)
		p->blank = false;
	if (drop)
		return;
	if (lost) {
		ev->type = atw_damage(ev);
		return;
	}
	while (len && p->line[len - 1] == '\r')
		len--;
	if (!len) {
		p->suspect = ATW_SUSPECT_NOTHING;
		if (!p->name)
			atw_blank_line(p, ev);
		return;
	}
	p->line[len] = '\0';
	/* What follows a prompt of "> ". */
	if (!strcmp(p->line, " "))
		return;
	p->blank = false;
	p->blanks = 0;
	ev->text = p->line;
	if (memchr(p->line, '\0', len)) {
		ev->type = atw_damage(ev);
		return;
	}

	if (p->name) {
		ev->type = ATW_EV_LINE;
		return;
	}
	ev->type = atw_classify(p->line, ev);
	p->doubtful = atw_lacks_crlf(p, ev);
	p->suspect = ATW_SUSPECT_NOTHING;
	switch (ev->type) {
	case ATW_EV_ERROR:
		ev->code = p->err_code;
		ev->text = p->err_name;
		p->err_code = 0;
		return;
	default:
		/* An event may come between the two lines of an error. */
		if (strstarts(p->line, "+EVENT:"))
			return;
		break;
	}
	atw_note_error(p);
}

static void atw_count(struct atw_parser *p, u8 kind, u32 id, u32 len)
{
	p->kind = kind;
	p->id = id;
	p->len = len;
	p->got = 0;
	p->sink = NULL;
	p->hold_len = 0;
	p->line_len = 0;
	p->state = len ? ATW_PS_PAYLOAD : ATW_PS_CLOSE;
}

/*
 * A comma came: is the line the header of a payload now? A header that cannot
 * be right is damage, and the rest of its line goes.
 */
static void atw_header(struct atw_parser *p, struct atw_event *ev)
{
	const char *s = p->line;
	u32 id = 0, len = 0;
	u8 kind;

	p->line[p->line_len] = '\0';
	if (atw_skip(&s, "+EVENT:SocketDown,")) {
		kind = ATW_KIND_DOWN;
	} else if (atw_skip(&s, "+SOCKETREAD,") ||
		   atw_skip(&s, "+SOCKETREAD:")) {
		kind = ATW_KIND_READ;
	} else if (atw_skip(&s, "+DATA:") ||
		   atw_skip(&s, "+BLUFIDATA:")) {
		kind = ATW_KIND_OTHER;
	} else if (atw_skip(&s, "+SSLCRET:")) {
		kind = ATW_KIND_CERT;
	} else {
		return;
	}

	if (kind != ATW_KIND_OTHER) {
		const char *comma = strchr(s, ',');

		if (!comma || !*++comma)
			return;
		if (!atw_parse_conid(&s, &id) || *s != ',')
			id = 0;
		s = comma;
	}
	if (!atw_parse_uint(&s, ATW_PAYLOAD_MAX, &len) || *s != ',' || s[1] ||
	    (kind != ATW_KIND_OTHER && !id)) {
		ev->type = atw_damage(ev);
		p->line_len = 0;
		p->drop = true;
		return;
	}
	if (kind == ATW_KIND_DOWN && !len)
		return;		/* a whole line, see atw_socket_event() */
	if (kind == ATW_KIND_READ && !len) {
		/* What follows is the end of the line. */
		ev->id = id;
		ev->type = ATW_EV_EMPTY;
		p->line_len = 0;
		return;
	}

	p->lead = p->blank;
	p->blank = false;
	p->blanks = 0;
	p->suspect = ATW_SUSPECT_NOTHING;
	atw_count(p, kind, id, len);
	if (kind != ATW_KIND_OTHER) {
		ev->type = kind == ATW_KIND_CERT ? ATW_EV_CERT : ATW_EV_PAYLOAD;
		ev->answer = kind == ATW_KIND_READ;
		ev->id = id;
		ev->len = len;
	}
}

/* Line state: take bytes until they mean something. */
static size_t atw_line_step(struct atw_parser *p, const u8 *buf, size_t len,
			    struct atw_event *ev)
{
	const u8 *lf;
	size_t i;

	if (p->overlong || p->drop) {
		lf = memchr(buf, '\n', len);
		if (!lf)
			return len;
		atw_line_done(p, ev);
		return lf - buf + 1;
	}

	for (i = 0; i < len; ) {
		u8 c = buf[i++];

		if (c == '\n') {
			atw_line_done(p, ev);
			return i;
		}
		if (!p->line_len) {
			if (c == '\r') {
				p->suspect = ATW_SUSPECT_NOTHING;
				continue;
			}
			if (c == '>' && p->expect_prompt && !p->name) {
				p->suspect = ATW_SUSPECT_NOTHING;
				p->blank = false;
				ev->type = ATW_EV_PROMPT;
				return i;
			}
		}
		if (p->line_len == ATW_LINE_MAX) {
			/* The CR of a line that just fits has no place here. */
			if (c == '\r')
				continue;
			p->overlong = true;
			return i;
		}
		p->line[p->line_len++] = c;
		if (c == ',' && p->line[0] == '+' && !p->name) {
			atw_header(p, ev);
			if (ev->type != ATW_EV_NONE ||
			    p->state != ATW_PS_LINE || p->drop)
				return i;
		}
		if (c == ':' && p->suspect == ATW_SUSPECT_LOST && p->line_len == 7 &&
		    !memcmp(p->line, "+EVENT:", 7)) {
			/*
			 * This print lacks its first CR LF, and the payload
			 * before it ended with a LF: two bytes were lost, what
			 * closed it was taken for its end, and the CR LF of
			 * this print for what closes it. Nothing else is.
			 */
			ev->type = ATW_EV_DOUBTFUL;
			ev->id = p->id;
			p->suspect = ATW_SUSPECT_NOTHING;
			return i;
		}
	}
	return i;
}

/* Byte @i of what was collected: the payload as counted, then what is held. */
static u8 atw_at(const struct atw_parser *p, u32 i)
{
	return i < p->len ? p->sink[i] : p->hold[i - p->len];
}

/* Is there a CR LF at byte @i? */
static bool atw_closes(const struct atw_parser *p, u32 i)
{
	return i + 2 <= p->len + p->hold_len &&
	       p->hold[i - p->len] == '\r' && p->hold[i - p->len + 1] == '\n';
}

/* How what other tasks print begins; @answer: only while one is awaited. */
static const struct {
	const char *lit;
	bool answer;
} atw_prints[] = {
	{ "\r\n+EVENT:",		false },
	{ "+EVENT:",			false },
	{ "\r\nOK\r\n",		true },
	{ "\r\nERROR\r\n",		true },
	{ "\r\n+",			true },
	{ "\r\nAT+",			true },
	{ "\r\n[Busy]",		true },
	{ "\r+",			true },
	{ "Unknown cmd:",		true },
	{ "connect success ConID=",	true },
	{ "\r\nconnect success ConID=", true },
	{ "+SOCKETREAD",		true },
};

/* Are these the bytes from @i on, as far as there are any? */
static bool atw_may_be(const struct atw_parser *p, u32 i, const char *lit)
{
	u32 end = p->len + p->hold_len;

	for (; *lit && i < end; lit++, i++)
		if (atw_at(p, i) != (u8)*lit)
			return false;
	return true;
}

/*
 * May an answer have torn a payload, or been taken for its end? Where it may take long others
 * are to wait for it only if the firmware is known to tear.
 */
static bool atw_may_be_answered(const struct atw_parser *p)
{
	return p->expect_soon || (p->tears && p->expect_final);
}

/* The last line of the payload, as much of it as a line of the module has. */
static void atw_payload_last_line(const struct atw_parser *p, char line[ATW_LINE_MAX + 1])
{
	u32 i = p->len;

	while (i && p->len - i < ATW_LINE_MAX && p->sink[i - 1] && p->sink[i - 1] != '\n')
		i--;
	memcpy(line, p->sink + i, p->len - i);
	line[p->len - i] = '\0';
}

/* Does a text end with what is the last line of an answer? */
static bool atw_ends_answer(const char *s)
{
	static const char *const finals[] = { "OK", "ERROR", "]Cmd running" };
	size_t len = strlen(s), n, i;

	for (i = 0; i < ARRAY_SIZE(finals); i++) {
		n = strlen(finals[i]);
		if (len >= n && !strcmp(s + len - n, finals[i]))
			return true;
	}
	return strstr(s, "Unknown cmd:");
}

/*
 * Does it end with the answer that is awaited, but for the end of its line? So it
 * does when as many bytes at the end of the payload were lost as that answer has, or
 * as the part of it has that is a list.
 */
static bool atw_payload_has_answer(const struct atw_parser *p)
{
	char line[ATW_LINE_MAX + 1];
	struct atw_sock_row row;
	const char *s = line;

	/* With what closed the payload, as there are many that end with a '>'. */
	if (p->expect_prompt && p->len >= 3 &&
	    !memcmp(p->sink + p->len - 3, "\r\n>", 3))
		return true;
	if (!atw_may_be_answered(p))
		return false;
	atw_payload_last_line(p, line);
	if (atw_ends_answer(line))
		return true;
	/* What is left before a row may be of the payload, and may be digits. */
	for (; *s; s++)
		if (atw_parse_sock_row(s, &row))
			return true;
	return false;
}

/* Skip what is awaited; *more: bytes are missing that could make it so. */
static bool atw_skip_more(const char **s, const char *lit, bool *more)
{
	size_t n = strlen(*s);

	if (n < strlen(lit) && !memcmp(*s, lit, n))
		*more = true;
	return atw_skip(s, lit);
}

/* The same for a number, and what is behind it. */
static bool atw_skip_number(const char **s, const char *lit, bool *more)
{
	u32 n;

	if (!**s)
		*more = true;
	return atw_parse_uint(s, U32_MAX, &n) && atw_skip_more(s, lit, more);
}

/* The same for as many characters of a set, and what is behind them. */
static bool atw_skip_set(const char **s, const char *set, size_t least, const char *lit,
			 bool *more)
{
	size_t n = strspn(*s, set);

	*s += n;
	if (!**s)
		*more = true;
	return n >= least && atw_skip_more(s, lit, more);
}

/* The same for "+NAME:". */
static bool atw_skip_name_more(const char **s, bool *more)
{
	const char *rest;

	if (!atw_skip_more(s, "+", more))
		return false;
	if (!(*s)[strspn(*s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")])
		*more = true;
	rest = atw_skip_name(*s);
	if (rest)
		*s = rest;
	return rest;
}

/* The same for the word that ends an answer, in either of its forms. */
static bool atw_skip_end(const char **s, bool *more)
{
	return atw_skip_more(s, "OK\r\n", more) || atw_skip_more(s, "+OK\r\n", more) ||
	       atw_skip_more(s, "ERROR\r\n", more) || atw_skip_more(s, "+ERROR\r\n", more);
}

/* Skip "\r\nOK\r\n", "\r\n+NAME:<code>\r\nERROR\r\n" and the like. */
static bool atw_skip_final(const char **s, bool *more)
{
	bool whole = atw_skip_more(s, "\r\n", more);

	/* A name's address is printed behind half of an end of line. */
	if (!whole && !atw_skip_more(s, "\r", more))
		return false;
	if (whole && (atw_skip_end(s, more) || atw_skip_more(s, "[Busy]Cmd running\r\n", more)))
		return true;
	atw_skip_more(s, "AT", more);
	return atw_skip_name_more(s, more) &&
	       atw_skip_set(s, "0123456789.,-", 1, "\r\n", more) && atw_skip_end(s, more);
}

/* Skip the complaint about a question that nobody can guess. */
static bool atw_skip_complaint(const char **s, bool *more)
{
	return atw_skip_more(s, "Unknown cmd:" ATW_NONCE, more) &&
	       atw_skip_set(s, "0123456789ABCDEF", 16, "\r\n", more);
}

/* Skip whole rows of the list of connections; there may be one more. */
static bool atw_skip_rows(const char **s, bool *more)
{
	char line[ATW_TEAR_MAX + 1];
	const char *begin = *s, *end;
	struct atw_sock_row row;

	while ((end = strstr(*s, "\r\n"))) {
		memcpy(line, *s, end - *s);
		line[end - *s] = '\0';
		if (!atw_parse_sock_row(line, &row))
			break;
		*s = end + 2;
	}
	if (!end && (!**s || isdigit(**s)))
		*more = true;
	return *s != begin;
}

/* What there is from byte @from on of a print that may tear a payload. Returns how much. */
static u32 atw_copy_text(const struct atw_parser *p, u32 from, char text[ATW_TEAR_MAX + 1])
{
	u32 end = min_t(u32, p->len + p->hold_len, from + ATW_TEAR_MAX);
	u32 n = 0;

	while (from + n < end && atw_at(p, from + n)) {
		text[n] = atw_at(p, from + n);
		n++;
	}
	text[n] = '\0';
	return n;
}

/*
 * Does the payload look as if another task's print had torn it from its header? If
 * one did, what closed it is the remote's choice.
 */
static bool atw_payload_looks_torn(const struct atw_parser *p)
{
	char text[ATW_TEAR_MAX + 1];
	const char *begin = text;
	bool more;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(atw_prints); i++)
		if ((!atw_prints[i].answer || atw_may_be_answered(p)) &&
		    atw_may_be(p, 0, atw_prints[i].lit))
			return true;
	atw_copy_text(p, 0, text);
	return atw_may_be_answered(p) && atw_skip_rows(&begin, &more);
}

/*
 * Is the print that begins at byte @from the answer that is awaited, and is the
 * payload closed where it should be without that? Returns the length of the answer,
 * 0 if it is not so, -1 if more bytes must tell.
 */
static int atw_torn_by(const struct atw_parser *p, u32 from)
{
	char text[ATW_TEAR_MAX + 1];
	bool is, all, more = false;
	const char *s = text;
	u32 n;

	n = atw_copy_text(p, from, text);
	/* Is there no more than that? */
	all = n < ATW_TEAR_MAX && from + n == p->len + p->hold_len;
	/* Before it has said '>' the module has no other answer. */
	if (p->expect_prompt)
		is = atw_skip_more(&s, ">", &more);
	else
		is = p->expect_final &&
		     ((atw_skip_more(&s, "connect success ConID=", &more) &&
		       atw_skip_number(&s, "\r\n", &more)) ||
		      (s == text && (atw_skip_rows(&s, &more) ||
				     atw_skip_complaint(&s, &more))) ||
		      (s == text && atw_skip_final(&s, &more)));
	n = s - text;
	if (is && p->hold_len < n + 2)
		return -1;
	if (is && atw_closes(p, p->len + n))
		return n;
	return more && all ? -1 : 0;
}

/* "<id>,<len>," at byte @i: the byte behind it, 0 if it is not such. */
static u32 atw_find_numbers(const struct atw_parser *p, u32 i, u32 end,
			    u32 *id, u32 *len)
{
	char text[24];
	const char *s = text;
	u32 n = 0;

	while (n < sizeof(text) - 1 && i + n < end) {
		text[n] = atw_at(p, i + n);
		n++;
	}
	text[n] = '\0';
	if (!atw_parse_conid(&s, id) || *s++ != ',' ||
	    !atw_parse_uint(&s, ATW_PAYLOAD_MAX, len) || *s++ != ',')
		return 0;
	return i + (s - text);
}

static const char *const atw_heads[] = {
	"+EVENT:SocketDown,", "+SOCKETREAD,", "+SOCKETREAD:",
};

/*
 * The payload is damaged. What was counted may have swallowed the header of
 * another one: the rest of that is stepped over, as it is a remote's own words.
 */
static void atw_resync(struct atw_parser *p)
{
	u32 end = p->len + p->hold_len;
	u32 i, n, body, id, len;
	u8 tail[2];
	size_t h;

	for (i = 0; i < end; i++) {
		if (atw_at(p, i) != '+')
			continue;
		for (h = 0; h < ARRAY_SIZE(atw_heads); h++) {
			body = i + strlen(atw_heads[h]);
			if (body > end || !atw_may_be(p, i, atw_heads[h]))
				continue;
			body = atw_find_numbers(p, body, end, &id, &len);
			if (!body || body + len + 2 <= end)
				continue;
			for (n = 0; body + len + n < end; n++)
				tail[n] = atw_at(p, body + len + n);
			atw_count(p, ATW_KIND_LOST, id,
				  body + len < end ? 0 : body + len - end);
			memcpy(p->hold, tail, n);
			p->hold_len = n;
			return;
		}
	}

	for (i = end; i && atw_at(p, i - 1) != '\n'; i--)
		;
	p->state = ATW_PS_LINE;
	p->line_len = 0;
	p->blank = i > 0;
	if (!i || end - i > ATW_LINE_MAX) {
		p->drop = true;
	} else {
		while (i < end && atw_at(p, i) == '\r')
			i++;
		for (; i < end; i++)
			p->line[p->line_len++] = atw_at(p, i);
	}
	p->hold_len = 0;
}

static void atw_payload_bad(struct atw_parser *p, struct atw_event *ev)
{
	p->state = ATW_PS_LINE;
	p->blank = false;
	if (p->kind == ATW_KIND_DOWN || p->kind == ATW_KIND_READ) {
		ev->type = ATW_EV_PAYLOAD_BAD;
		ev->id = p->id;
		if (p->sink) {
			atw_resync(p);
			return;
		}
	} else {
		ev->type = atw_damage(ev);
	}
	/* Nothing was kept to search in. */
	p->line_len = 0;
	p->drop = !p->hold_len || p->hold[p->hold_len - 1] != '\n';
	p->hold_len = 0;
}

/* Bytes to be parsed again, before what is left of earlier ones. */
static void atw_replay(struct atw_parser *p, const u8 *bytes, unsigned int n)
{
	unsigned int left = p->replay_len - p->replay_pos;

	memmove(p->replay + n, p->replay + p->replay_pos, left);
	memcpy(p->replay, bytes, n);
	p->replay_len = n + left;
	p->replay_pos = 0;
}

/* How a banner begins, and the one word that all have. */
static const char *const atw_boots[] = {
	"\r\n################", "#calibration_ok:[", "\r\nready",
};

/*
 * Does the payload hold what looks like a banner? A module that restarts within a
 * payload leaves the rest of it to its banner, and that is full of CR LF: in one of
 * some dozens of places to break off at, one of them closes the payload as if all
 * were well. Whether it is the remote's own text cannot be seen here.
 */
static bool atw_payload_has_boot(const struct atw_parser *p)
{
	size_t b, n;
	u32 i;

	for (i = 0; i < p->len; i++) {
		if (p->sink[i] != '\r' && p->sink[i] != '#')
			continue;
		for (b = 0; b < ARRAY_SIZE(atw_boots); b++) {
			n = strlen(atw_boots[b]);
			if (n <= p->len - i &&
			    !memcmp(p->sink + i, atw_boots[b], n))
				return true;
		}
	}
	return false;
}

/* The payload is over, and @torn bytes before it are another print's. */
static void atw_payload_good(struct atw_parser *p, u32 torn,
			     struct atw_event *ev)
{
	u8 print[ATW_TEAR_MAX];
	u32 i;

	p->state = ATW_PS_LINE;
	p->line_len = 0;
	p->blank = false;
	if (p->kind == ATW_KIND_LOST)
		return;
	if (p->kind == ATW_KIND_OTHER) {
		ev->type = ATW_EV_NOTE;
		return;
	}
	ev->type = p->kind == ATW_KIND_CERT ? ATW_EV_CERT_END :
					      ATW_EV_PAYLOAD_END;
	ev->id = p->id;
	ev->len = p->len;
	if (p->kind == ATW_KIND_CERT || !p->sink)
		return;

	if (torn) {
		/* The module had these bytes before it had that to say. */
		for (i = 0; i < torn; i++)
			print[i] = atw_at(p, i);
		for (i = 0; i < p->len; i++)
			p->sink[i] = atw_at(p, torn + i);
		/* What is held behind its end was looked at, and is of what comes next. */
		atw_replay(p, p->hold + torn + 2, p->hold_len - torn - 2);
		atw_replay(p, print, torn);
	}
	/* Half of its closing, and the banner's first bytes, may close what begins with '>'. */
	if (torn || atw_payload_has_boot(p))
		ev->doubt |= ATW_DOUBT_BOOT;
	if (atw_payload_looks_torn(p) || atw_payload_has_answer(p))
		ev->doubt |= ATW_DOUBT_FRAME;
}

/*
 * Another print came between the payload and what closes it, which is then an empty
 * line. @which: it may have come before the payload as well, and who knows which of
 * the two it was? Nor can it be known of one that ends as if two bytes of it were
 * lost, so that this is what closes it. In all cases the frame is the same.
 */
static void atw_payload_late(struct atw_parser *p, bool which,
			     struct atw_event *ev)
{
	bool closed = p->len >= 2 && p->sink[p->len - 2] == '\r' &&
		      p->sink[p->len - 1] == '\n';

	atw_payload_good(p, 0, ev);
	atw_replay(p, p->hold, p->hold_len);
	if (which || closed)
		ev->type = ATW_EV_DOUBTFUL;
}

/*
 * Does it end with the first line of an answer, or of an error? One that tore a payload as
 * long as itself is closed by its own end, and so is a payload of which as many bytes were
 * lost.
 */
static bool atw_payload_has_value(const struct atw_parser *p)
{
	char line[ATW_LINE_MAX + 1];
	const char *s = line;

	atw_payload_last_line(p, line);
	for (; (s = strchr(s, '+')); s++)
		if (atw_is_value_line(s) || atw_is_named(s))
			return true;
	return false;
}

/* Decide on the payload. Returns false if more bytes are needed; not if @last. */
static bool atw_decide(struct atw_parser *p, bool last, struct atw_event *ev)
{
	int before = 0, after = 0;

	if (atw_closes(p, p->len)) {
		atw_payload_good(p, 0, ev);
		if (p->kind == ATW_KIND_DOWN && p->lead && p->sink) {
			if (p->sink[p->len - 1] == '\n')
				p->suspect = ATW_SUSPECT_LOST;
			else if (atw_payload_has_value(p))
				p->suspect = ATW_SUSPECT_ANSWER;
		}
		return true;
	}
	if (p->sink && p->kind <= ATW_KIND_READ) {
		before = atw_torn_by(p, 0);
		after = atw_torn_by(p, p->len);
	}
	if (!last && (before < 0 || after < 0))
		return false;
	if (before <= 0 && after <= 0) {
		atw_payload_bad(p, ev);
	} else if (!p->tears || (before > 0 && after > 0 && before != after)) {
		/* From now on it is known; or where the payload ends is the remote's choice. */
		p->tears = true;
		atw_payload_bad(p, ev);
	} else if (after > 0) {
		atw_payload_late(p, before == after, ev);
	} else {
		atw_payload_good(p, before, ev);
	}
	return true;
}

/* Take bytes in the present state. Returns how many. */
static size_t atw_step(struct atw_parser *p, const u8 *buf, size_t len,
		       struct atw_event *ev)
{
	size_t n;

	switch (p->state) {
	case ATW_PS_PAYLOAD:
		n = min_t(size_t, len, p->len - p->got);
		if (p->sink)
			memcpy(p->sink + p->got, buf, n);
		p->got += n;
		if (p->got == p->len)
			p->state = ATW_PS_CLOSE;
		return n;
	case ATW_PS_CLOSE:
	case ATW_PS_TEAR:
		p->hold[p->hold_len++] = *buf;
		if (p->hold_len >= 2 && !atw_decide(p, false, ev))
			p->state = ATW_PS_TEAR;
		return 1;
	default:
		return atw_line_step(p, buf, len, ev);
	}
}

/**
 * atw_parser_init() - begin at the start of a line
 * @p: the parser
 */
void atw_parser_init(struct atw_parser *p)
{
	memset(p, 0, sizeof(*p));
}

/**
 * atw_parser_restart() - forget what was read, but not what the caller awaits
 * @p: the parser
 */
void atw_parser_restart(struct atw_parser *p)
{
	*p = (struct atw_parser){
		.expect_prompt	= p->expect_prompt,
		.expect_final	= p->expect_final,
		.expect_soon	= p->expect_soon,
		.tears		= p->tears,
		.name		= p->name,
	};
}

/**
 * atw_parse() - look at bytes until they make an event
 * @p: the parser
 * @buf: bytes of the module
 * @len: how many
 * @ev: the event, of type ATW_EV_NONE if all bytes were taken without one
 *
 * To be called until @ev is ATW_EV_NONE, with what is left of the bytes: there
 * may be events without any.
 *
 * Return: how many bytes of @buf were taken, may be 0
 */
size_t atw_parse(struct atw_parser *p, const u8 *buf, size_t len,
		 struct atw_event *ev)
{
	size_t used = 0;

	*ev = (struct atw_event){ .id = ATW_NO_ID, .id2 = ATW_NO_ID };
	while (ev->type == ATW_EV_NONE) {
		if (p->doubtful) {
			p->doubtful = false;
			ev->type = ATW_EV_DOUBTFUL;
			ev->id = p->id;
		} else if (p->replay_pos < p->replay_len) {
			/* One by one: a step may put bytes before the rest. */
			u8 c = p->replay[p->replay_pos++];

			atw_step(p, &c, 1, ev);
		} else if (used < len) {
			used += atw_step(p, buf + used, len - used, ev);
		} else {
			break;
		}
	}
	return used;
}

/**
 * atw_parser_sink() - give the payload a place
 * @p: the parser, which has just reported ATW_EV_PAYLOAD
 * @sink: place for the bytes of that event, or NULL to skip them; must stay
 *	until ATW_EV_PAYLOAD_END, ATW_EV_PAYLOAD_BAD, ATW_EV_DOUBTFUL or a new
 *	start
 */
void atw_parser_sink(struct atw_parser *p, u8 *sink)
{
	p->sink = sink;
}

/**
 * atw_parse_idle() - no more bytes came for a while
 * @p: the parser
 * @ev: the event, if there is one
 *
 * Where a payload was perhaps torn the bytes that follow decide. If none follow,
 * this decides with what is there.
 *
 * Return: true if there is an event; atw_parse() is then to be called until
 *	there are no more
 */
bool atw_parse_idle(struct atw_parser *p, struct atw_event *ev)
{
	*ev = (struct atw_event){ .id = ATW_NO_ID, .id2 = ATW_NO_ID };
	if (p->state != ATW_PS_TEAR)
		return false;
	atw_decide(p, true, ev);
	if (ev->type == ATW_EV_NONE)
		atw_parse(p, NULL, 0, ev);
	return ev->type != ATW_EV_NONE;
}

/**
 * atw_parse_pending() - has the parser bytes that it looks at once more?
 * @p: the parser
 */
bool atw_parse_pending(const struct atw_parser *p)
{
	return p->replay_pos < p->replay_len;
}

/**
 * atw_parse_lost() - the UART has lost or garbled bytes here
 * @p: the parser
 * @ev: ATW_EV_PAYLOAD_BAD or ATW_EV_DAMAGE
 *
 * How many were lost is not known, so neither is what they said.
 */
void atw_parse_lost(struct atw_parser *p, struct atw_event *ev)
{
	bool payload = p->state != ATW_PS_LINE && p->kind <= ATW_KIND_READ;

	*ev = (struct atw_event){ .id = ATW_NO_ID, .id2 = ATW_NO_ID };
	if (payload) {
		ev->type = ATW_EV_PAYLOAD_BAD;
		ev->id = p->id;
	} else {
		ev->type = atw_damage(ev);
	}
	atw_parser_restart(p);
	p->drop = true;
}
