// SPDX-License-Identifier: GPL-2.0-only
/* The combo AT commands of Ai-Thinker's modules. Their words are read by parse.c. */
#include <linux/kernel.h>
#include <linux/string.h>

#include "dialect.h"

/* The name of a network, the comma before it, but not an end of a line in it. */
#define ATW_NAME_ROOM		32

static void atw_combo_open(struct atw_line *l, const struct atw_opening *o)
{
	atw_line_start(l, "AT+SOCKET=");
	atw_line_uint(l, o->type);
	if (o->type == ATW_TYPE_UDP_CLIENT || o->type == ATW_TYPE_TCP_CLIENT ||
	    o->type == ATW_TYPE_SSL_CLIENT)
		atw_line_host(l, o->name, o->addr);
	atw_line_uint(l, o->port);
	/* Firmware that does not know the one does not know the other: it came later. */
	if (o->id != ATW_NO_ID) {
		atw_line_uint(l, o->keepalive);
		atw_line_uint(l, o->id);
	}
}

/*
 * The answer holds the name of the network as it is. One with ends of lines in it may
 * look like any word of the module: like the end of the answer, or a restart. So where
 * the first line is not whole, the others are not believed until the last one has come,
 * for as many bytes as a name can have: an answer that is just damaged is longer, and what
 * comes behind that may be anybody's payload.
 */
static bool atw_combo_link_row(struct atw_link *link, const char *text)
{
	bool name = link->name;
	const char *rest = text;

	if (name) {
		link->bare = !link->rows++ && (!strcmp(text, "OK") || !strcmp(text, "+OK"));
		link->whole = atw_parse_wifi_end(text, true, &link->st);
		/* With an end of a line, which is a byte of it. */
		link->room -= strlen(text) + 1;
	} else {
		rest = atw_parse_wifi_begin(text, &link->st);
		if (!rest)
			return false;
		link->room = ATW_NAME_ROOM - (int)strlen(rest);
		link->whole = !*rest || atw_parse_wifi_end(rest, link->room >= 0, &link->st);
		WRITE_ONCE(link->cut, !link->whole);
	}
	if (link->whole)
		atw_parse_wifi_network(rest, name, &link->net);
	link->name = !link->whole && link->room >= 0;
	/*
	 * What a name has no room for was none, and whose it was is not known: that is
	 * damage, before anybody gets what comes behind it.
	 */
	return !name || link->whole || link->bare || link->room >= 0;
}

static const struct atw_setup atw_combo_setup[] = {
	{ "ATE0", .echo_off = true },
	{}
};

const struct atw_dialect atw_at_combo = {
	.parse = atw_parse,
	.error = atw_error_find,
	.firmware = atw_firmware_find,
	.open = atw_combo_open,
	.sock_row = atw_parse_sock_row,
	.link_row = atw_combo_link_row,
	.setup = atw_combo_setup,
	.verb = {
		[ATW_VERB_RESET]	= "AT+RST",
		[ATW_VERB_VERSIONS]	= "AT+GMR",
		[ATW_VERB_GET_RATE]	= "AT+UARTCFG?",
		[ATW_VERB_SET_RATE]	= "AT+UARTCFG=",
		[ATW_VERB_GET_FLOW]	= "AT+UARTFLOWCONTROL?",
		[ATW_VERB_FLOW]		= "AT+UARTFLOWCONTROL=3",
		[ATW_VERB_NO_FLOW]	= "AT+UARTFLOWCONTROL=0",
		[ATW_VERB_ACTIVE]	= "AT+SOCKETRECVCFG=1",
		[ATW_VERB_PASSIVE]	= "AT+SOCKETRECVCFG=0",
		[ATW_VERB_LIST]		= "AT+SOCKET?",
		[ATW_VERB_DELETE]	= "AT+SOCKETDEL=",
		[ATW_VERB_READ]		= "AT+SOCKETREAD=",
		[ATW_VERB_SEND]		= "AT+SOCKETSEND=",
		[ATW_VERB_SEND_LINE]	= "AT+SOCKETSENDLINE=",
		[ATW_VERB_HUSH]		= "AT+SYSMSG=1,00000000,0",
		[ATW_VERB_TELL_ACCEPTS]	= "AT+SYSMSG=1,00000020,0",
		[ATW_VERB_TRANSPARENT]	= "AT+SOCKETTT",
		[ATW_VERB_TT_FIRST]	= "AT+SOCKETTT=0",
		[ATW_VERB_TT_LAST]	= "AT+SOCKETTT=2",
		[ATW_VERB_CERT]		= "AT+SSLCRET=",
		[ATW_VERB_LINK]		= "AT+WJAP?",
		[ATW_VERB_JOIN]		= "AT+WJAP=",
		[ATW_VERB_LEAVE]	= "AT+WDISCONNECT",
		[ATW_VERB_GET_AUTO]	= "AT+WAUTOCONN?",
		[ATW_VERB_SET_AUTO]	= "AT+WAUTOCONN=",
		[ATW_VERB_GET_MODE]	= "AT+WMODE?",
		[ATW_VERB_SET_MODE]	= "AT+WMODE=",
		[ATW_VERB_GET_AP]	= "AT+WAP?",
		[ATW_VERB_SET_AP]	= "AT+WAP=",
		[ATW_VERB_SCAN]		= "AT+WSCAN",
		[ATW_VERB_SCAN_FOR]	= "AT+WSCAN=",
		[ATW_VERB_GET_COLUMNS]	= "AT+WSCANOPT?",
		[ATW_VERB_ALL_COLUMNS]	= "AT+WSCANOPT=255",
		[ATW_VERB_SIGNAL]	= "AT+WRSSI",
		[ATW_VERB_COUNTRY]	= "AT+WCOUNTRY?",
		[ATW_VERB_MAC]		= "AT+CIPSTAMAC_DEF?",
		[ATW_VERB_LEASE]	= "AT+WSDHCP?",
		[ATW_VERB_GET_DNS]	= "AT+WDNS?",
		[ATW_VERB_SET_DNS]	= "AT+WDNS=",
		[ATW_VERB_RESOLVE]	= "AT+WDOMAIN=",
		[ATW_VERB_PING]		= "AT+PING=",
		[ATW_VERB_GET_AUTOTT]	= "AT+SOCKETAUTOTT?",
		[ATW_VERB_SET_AUTOTT]	= "AT+SOCKETAUTOTT=",
	},
	.version = { "at version:", "sdk version:", "firmware version:" },
	.first_id = ATW_ID_MIN,
	.last_id = ATW_ID_MAX,
	.code_words = true,
	.framed = true,
	/* As much as is ever tried: how much it takes is learned. */
	.send_max = U32_MAX,
};
