/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bytes of the module -> events. Pure: no locks, no allocation, no kernel
 * state; the same file is compiled in user space.
 */
#ifndef _ATWIFI_PARSE_H
#define _ATWIFI_PARSE_H

#include <linux/types.h>

#include "id.h"

/* What a question begins with that nobody can guess: 16 hexadecimal digits follow. */
#define ATW_NONCE		"AT+ATW"
/* The module's print buffer is 256 bytes: no line of it is longer than 255. */
#define ATW_LINE_MAX		255
/* A chunk is one recv() of at most 1024 bytes where it is known; be generous. */
#define ATW_PAYLOAD_MAX		8192
/* Servers in the answer to AT+WDNS?. */
#define ATW_DNS_MAX		2
/* No network has a shorter netmask; one would take much of the Internet from other devices. */
#define ATW_MASK_MIN		0xff000000
/* Longest answer that may tear a payload from its header and be taken out. */
#define ATW_TEAR_MAX		64

/**
 * enum atw_event_type - what the module said
 * @ATW_EV_NONE: nothing complete yet
 * @ATW_EV_OK: a command ended well
 * @ATW_EV_ERROR: a command failed; code is the module's number, 0 if it named
 *	none; text is the name before the number ("SOCKET"), without "AT+"
 * @ATW_EV_UNKNOWN: "Unknown cmd:"
 * @ATW_EV_BUSY: the command was dropped, nothing was executed
 * @ATW_EV_PROMPT: '>' while it was awaited
 * @ATW_EV_READY: the module has started again
 * @ATW_EV_BANNER: a line of what it prints at its start, in text, which some tell of
 *	their versions when they are asked, too
 * @ATW_EV_ECHO: a line that begins with "AT" and is no answer, in text: the echo of
 *	a command, if there was such a one
 * @ATW_EV_CONNECTED: "connect success ConID=", id
 * @ATW_EV_INFO: a known line that a query may want, in text
 * @ATW_EV_LINE: a line that no known form explains, in text: damage, unless it
 *	belongs to the answer of a query that is running
 * @ATW_EV_CHILD: server id2 has accepted id
 * @ATW_EV_DISCONNECT: id lost its peer (both spellings)
 * @ATW_EV_RECONNECT: the module connected id again by itself
 * @ATW_EV_AUTODEL: the module deleted id
 * @ATW_EV_WIFI_CONNECT: associated, no address yet
 * @ATW_EV_WIFI_GOT_IP: address obtained
 * @ATW_EV_WIFI_DISCONNECT: link lost
 * @ATW_EV_PENDING: passive mode: len bytes, at most ATW_PAYLOAD_MAX, wait for
 *	AT+SOCKETREAD=id; 0: none do, or a payload was lost
 * @ATW_EV_PAYLOAD: len bytes for id follow: the caller may give them a place
 *	with atw_parser_sink() before it goes on; without, they are skipped
 * @ATW_EV_PAYLOAD_END: all bytes are in the sink, checked, with what doubt is left
 * @ATW_EV_PAYLOAD_BAD: id's payload is damaged, its bytes must not be used; for
 *	all others it is as ATW_EV_DAMAGE
 * @ATW_EV_DOUBTFUL: the framing is intact, but not what was or would be told of
 *	id's last payload: it concerns nobody else. The channel has it without an id
 *	for an answer that nobody awaits: it concerns all payloads that are in doubt
 * @ATW_EV_CERT: len bytes of certificate id follow: as ATW_EV_PAYLOAD
 * @ATW_EV_CERT_END: all of them are in the sink
 * @ATW_EV_EMPTY: "+SOCKETREAD,id,0"
 * @ATW_EV_NOTE: a known line without a meaning to the driver
 * @ATW_EV_UNEXPECTED: a line that is whole by its looks, of a form that is not known or
 *	at a moment at which nobody asked for it, in text: no payload can hide in it
 * @ATW_EV_DAMAGE: bytes that cannot be explained: the header of anybody's
 *	payload may have been among them
 */
enum atw_event_type {
	ATW_EV_NONE,
	ATW_EV_OK,
	ATW_EV_ERROR,
	ATW_EV_UNKNOWN,
	ATW_EV_BUSY,
	ATW_EV_PROMPT,
	ATW_EV_READY,
	ATW_EV_BANNER,
	ATW_EV_ECHO,
	ATW_EV_CONNECTED,
	ATW_EV_INFO,
	ATW_EV_LINE,
	ATW_EV_CHILD,
	ATW_EV_DISCONNECT,
	ATW_EV_RECONNECT,
	ATW_EV_AUTODEL,
	ATW_EV_WIFI_CONNECT,
	ATW_EV_WIFI_GOT_IP,
	ATW_EV_WIFI_DISCONNECT,
	ATW_EV_PENDING,
	ATW_EV_PAYLOAD,
	ATW_EV_PAYLOAD_END,
	ATW_EV_PAYLOAD_BAD,
	ATW_EV_DOUBTFUL,
	ATW_EV_CERT,
	ATW_EV_CERT_END,
	ATW_EV_EMPTY,
	ATW_EV_NOTE,
	ATW_EV_UNEXPECTED,
	ATW_EV_DAMAGE,
};

/**
 * enum atw_doubt - why a payload may not be what its remote sent
 * @ATW_DOUBT_BOOT: the rest of it may be the banner of a module that has restarted
 * @ATW_DOUBT_FRAME: it looks like other prints, and may have been taken for its
 *	frame what is not
 * @ATW_DOUBT_ANEW: it may be of a connection that the module has made anew by itself,
 *	under the same number. The parser knows nothing of that
 */
enum atw_doubt {
	ATW_DOUBT_BOOT	= 1,
	ATW_DOUBT_FRAME	= 2,
	ATW_DOUBT_ANEW	= 4,
};

/**
 * struct atw_event - one event
 * @type: which
 * @id: ConID, of the types that have one; else ATW_NO_ID
 * @id2: the server's ConID of a child; else ATW_NO_ID
 * @len: bytes of a payload
 * @code: the module's error number
 * @answer: of a payload: it is the answer to a read
 * @doubt: of a payload's end: bits of enum atw_doubt
 * @text: NUL-terminated text inside the parser, good until the next call
 */
struct atw_event {
	enum atw_event_type	type;
	u32			id;
	u32			id2;
	u32			len;
	u32			code;
	bool			answer;
	unsigned int		doubt;
	const char		*text;
};

enum atw_parse_state {
	ATW_PS_LINE,		/* collecting a line */
	ATW_PS_PAYLOAD,		/* counting bytes of a payload */
	ATW_PS_CLOSE,		/* the two closing bytes of it */
	ATW_PS_TEAR,		/* it was perhaps torn: collect more */
};

/* Of a payload that was just closed: what a print without its CR LF may mean. */
enum atw_parse_suspect {
	ATW_SUSPECT_NOTHING,
	ATW_SUSPECT_ANSWER,	/* it ends with the first line of an answer */
	ATW_SUSPECT_LOST,	/* it had two bytes more, and ends with the closing */
};

/**
 * struct atw_parser - the parser's whole state
 * @expect_prompt: the caller awaits '>' (set by the caller, any time)
 * @expect_final: it awaits the end of a command (likewise)
 * @expect_soon: and soon, so that what is in doubt until then may wait (likewise)
 * @tears: the firmware is known, or was seen, to print between the parts of a
 *	payload (likewise, and set by the parser)
 * @name: what comes is the rest of somebody's name, with ends of lines in it: all
 *	lines are ATW_EV_LINE (likewise)
 * Everything else is private to parse.c.
 */
struct atw_parser {
	bool			expect_prompt;
	bool			expect_final;
	bool			expect_soon;
	bool			tears;
	bool			name;

	enum atw_parse_state	state;
	char			line[ATW_LINE_MAX + 1];
	unsigned int		line_len;
	bool			overlong;	/* drop until the line ends */

	bool			drop;		/* same, told already */
	bool			blank;		/* an empty line came before it */
	u8			blanks;		/* so many in a row */

	u32			err_code;	/* of the error line just seen */
	char			err_name[24];

	u8			kind;		/* whose payload it is */
	u32			id;		/* of the payload */
	u32			len;
	u32			got;
	bool			lead;		/* its header began with CR LF */
	enum atw_parse_suspect	suspect;	/* by what comes next */
	u8			*sink;

	u8			hold[ATW_TEAR_MAX + 4];
	unsigned int		hold_len;
	u8			replay[ATW_TEAR_MAX + 4];
	unsigned int		replay_len;
	unsigned int		replay_pos;

	bool			doubtful;	/* of the last, to be told next */
};

/**
 * enum atw_sock_status - what the module says of a connection in its table
 * @ATW_SOCK_OTHER: none of the below, and no bad news
 * @ATW_SOCK_LOST: it has lost its peer
 * @ATW_SOCK_CONNECTING: it is being connected
 * @ATW_SOCK_CONNECTED: it is there
 * @ATW_SOCK_FAILED: its connect has failed
 * @ATW_SOCK_DELETED: it was deleted
 */
enum atw_sock_status {
	ATW_SOCK_OTHER,
	ATW_SOCK_LOST,
	ATW_SOCK_CONNECTING,
	ATW_SOCK_CONNECTED,
	ATW_SOCK_FAILED,
	ATW_SOCK_DELETED,
};

/**
 * struct atw_sock_row - one row of AT+SOCKET?
 */
struct atw_sock_row {
	u32	id;
	u32	type;
	enum atw_sock_status status;
	u32	addr;		/* IPv4, host order, 0 if the row has none */
	s32	rport;
	s32	lport;
	u32	server;		/* ATW_NO_ID: none */
};

/**
 * enum atw_wifi_state - what the module says of its network
 * @ATW_WIFI_OUT: it is in none, or says something that is not known
 * @ATW_WIFI_CONNECTING: it tries to join one
 * @ATW_WIFI_NO_ADDRESS: it has joined one, and waits for an address
 * @ATW_WIFI_JOINED: it has joined one
 * @ATW_WIFI_BAD_PASSWORD: the network refuses its password, which not all firmware says
 */
enum atw_wifi_state {
	ATW_WIFI_OUT,
	ATW_WIFI_CONNECTING,
	ATW_WIFI_NO_ADDRESS,
	ATW_WIFI_JOINED,
	ATW_WIFI_BAD_PASSWORD,
};

/**
 * struct atw_wifi_status - the answer to AT+WJAP? without its secrets
 */
struct atw_wifi_status {
	enum atw_wifi_state status;
	u32	addr;		/* IPv4, host order */
	u32	gateway;
	u8	mac[6];
	bool	has_mac;
};

/* What a network's name has at most. */
#define ATW_SSID_MAX	32

/**
 * struct atw_network - what a module tells of a network
 * @ssid: its name, any bytes but NUL and LF; "" where that is not known
 * @bssid: the hardware address of the access point
 * @channel: its number
 * @rssi: how strong it is, in dBm; 0: it is not known
 * @security: the module's words for that, which can be printed
 */
struct atw_network {
	char	ssid[ATW_SSID_MAX + 1];
	u8	bssid[6];
	u8	channel;
	s8	rssi;
	char	security[32];
};

/* Two letters and a NUL. */
#define ATW_COUNTRY_LEN	3

/**
 * struct atw_autott - the answer to AT+SOCKETAUTOTT?
 * @known: for the caller
 */
struct atw_autott {
	bool	known;
	u32	type;		/* of AT+SOCKET, 0: none */
	char	host[120];
	u16	port;
};

void atw_parser_init(struct atw_parser *p);
void atw_parser_restart(struct atw_parser *p);
size_t atw_parse(struct atw_parser *p, const u8 *buf, size_t len,
		 struct atw_event *ev);
void atw_parser_sink(struct atw_parser *p, u8 *sink);
bool atw_parse_idle(struct atw_parser *p, struct atw_event *ev);
void atw_parse_lost(struct atw_parser *p, struct atw_event *ev);
bool atw_parse_pending(const struct atw_parser *p);

bool atw_parse_sock_row(const char *line, struct atw_sock_row *row);
const char *atw_parse_wifi_begin(const char *line, struct atw_wifi_status *st);
bool atw_parse_wifi_end(const char *line, bool name, struct atw_wifi_status *st);
bool atw_parse_wifi_network(const char *line, bool name, struct atw_network *net);
bool atw_parse_ap(const char *line, struct atw_network *net, bool *hidden);
bool atw_parse_ap_station(const char *line, bool *known, u8 mac[6]);
bool atw_parse_signal(const char *line, s8 *rssi);
bool atw_parse_network(const char *line, struct atw_network *net);
bool atw_parse_dns(const char *line, u32 addr[ATW_DNS_MAX]);
bool atw_parse_dhcp(const char *line, u32 *mask);
bool atw_parse_country(const char *line, char country[ATW_COUNTRY_LEN]);
bool atw_parse_sta_mac(const char *line, u8 mac[6]);
bool atw_parse_autott(const char *line, struct atw_autott *tt);
bool atw_parse_addr(const char *s, u32 *addr);
bool atw_parse_uint(const char **s, u32 max, u32 *val);

#endif
