/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A set of AT commands: what the driver wants to lines, the module's words to events, its
 * numbers to what they mean. All that is above this knows none of them. Pure, as parse.h.
 */
#ifndef _ATWIFI_DIALECT_H
#define _ATWIFI_DIALECT_H

#include "error.h"
#include "firmware.h"
#include "format.h"
#include "parse.h"

/* Commands whose lines are alike in all sets but for the word; behind "=" are parameters. */
enum atw_verb {
	ATW_VERB_RESET,		/* start again */
	ATW_VERB_VERSIONS,	/* each on a line of its own */
	ATW_VERB_GET_RATE,	/* its UART's: the number comes behind the name of the command */
	ATW_VERB_SET_RATE,	/* =rate,data bits,stop bits,parity */
	ATW_VERB_GET_FLOW,	/* of RTS and CTS, likewise; 3: both are used */
	ATW_VERB_FLOW,		/* use them */
	ATW_VERB_NO_FLOW,	/* use none */
	ATW_VERB_ACTIVE,	/* print what is received */
	ATW_VERB_PASSIVE,	/* keep it until it is read */
	ATW_VERB_LIST,		/* which connections are there? */
	ATW_VERB_DELETE,	/* =id */
	ATW_VERB_READ,		/* =id */
	ATW_VERB_SEND,		/* =id,length; then a prompt, and the bytes */
	ATW_VERB_SEND_LINE,	/* =id,length,bytes */
	ATW_VERB_HUSH,		/* print no events */
	ATW_VERB_TELL_ACCEPTS,	/* but those of accepted connections */
	ATW_VERB_TRANSPARENT,	/* enter transparent mode */
	ATW_VERB_TT_FIRST,	/* the same as a UDP server that answers its first peer */
	ATW_VERB_TT_LAST,	/* or its last one */
	ATW_VERB_CERT,		/* =which, to read it; or as a send */
	ATW_VERB_LINK,		/* is there a network, and which? */
	ATW_VERB_JOIN,		/* =name,password */
	ATW_VERB_LEAVE,		/* leave it */
	ATW_VERB_GET_AUTO,	/* does it join it by itself? */
	ATW_VERB_SET_AUTO,	/* =whether it does */
	ATW_VERB_GET_MODE,	/* station or access point? */
	ATW_VERB_SET_MODE,	/* =mode,store */
	ATW_VERB_GET_AP,	/* which access point is it? */
	ATW_VERB_SET_AP,	/* =name,password,channel,stations,hidden */
	ATW_VERB_SCAN,		/* which networks are there? */
	ATW_VERB_SCAN_FOR,	/* =name */
	ATW_VERB_GET_COLUMNS,	/* which columns has that list? */
	ATW_VERB_ALL_COLUMNS,	/* all that there are */
	ATW_VERB_SIGNAL,	/* how strong is it? */
	ATW_VERB_COUNTRY,	/* whose rules does its radio obey? */
	ATW_VERB_MAC,		/* which hardware address has it? */
	ATW_VERB_LEASE,		/* which netmask? */
	ATW_VERB_GET_DNS,	/* which name servers? */
	ATW_VERB_SET_DNS,	/* =one,two */
	ATW_VERB_RESOLVE,	/* =name */
	ATW_VERB_PING,		/* =address,count */
	ATW_VERB_GET_AUTOTT,	/* which transparent connection does it make at its start? */
	ATW_VERB_SET_AUTOTT,	/* =type,host,port */
	ATW_VERBS
};

/**
 * struct atw_setup - a line of what a module is told when it was found
 * @line: the command; NULL: there are no more. A refusal is no failure
 * @echo_off: one that obeys has no echo from then on: where there is one, it has started again
 */
struct atw_setup {
	const char	*line;
	bool		echo_off;
};

/**
 * struct atw_opening - a connection or a server that is to be opened
 * @type, @name, @addr, @port, @keepalive: as of struct atw_conn_spec
 * @id: the number that it is to have; ATW_NO_ID: the module is to choose one
 */
struct atw_opening {
	enum atw_sock_type	type;
	const char		*name;
	u32			addr;
	u16			port;
	u32			keepalive;
	u32			id;
};

/**
 * struct atw_link - what the module says of its network
 * @st: its state; all but the status only if it is @whole
 * @net: which network, likewise
 * @rows: lines that followed the first one, and were taken for a name's
 * @room: bytes that the name may yet have; less than 0: this is none
 * @name: the next line is the rest of a name, with an end of a line in it
 * @cut: the first line is not all of it; read without a lock, see atw_cmd.lost
 * @bare: there was one more line, and that said OK: bytes of the first one were lost,
 *	or it is of a form that is not known
 * @whole: it is
 */
struct atw_link {
	struct atw_wifi_status	st;
	struct atw_network	net;
	unsigned int		rows;
	int			room;
	bool			name;
	bool			cut;
	bool			bare;
	bool			whole;
};

/**
 * struct atw_dialect - a set of AT commands
 * @parse: bytes to events, as atw_parse(): with the same state, which is begun by
 *	atw_parser_init(), given a place by atw_parser_sink(), and told of lost bytes by
 *	atw_parse_lost()
 * @error: what an error number means, never NULL
 * @firmware: which family the versions tell of, never NULL
 * @open: the line that opens a connection or a server
 * @sock_row: a line of the answer to ATW_VERB_LIST, and whether it is one
 * @link_row: a line of the answer to ATW_VERB_LINK, likewise; @link is zeroed before the
 *	first one
 * @setup: what a module is told when it was found, in this order
 * @verb: words of commands, by enum atw_verb; NULL: there is none, and who wants to have it
 *	run gets -EOPNOTSUPP, as from firmware that does not know it
 * @version: how the lines with the versions of the AT commands, of the SDK and of the
 *	firmware begin
 * @first_id, @last_id: the numbers that the driver may give, at most ATW_ID_MAX
 * @code_words: there are enough of them to keep them apart, see id.c
 * @framed: what follows a payload is checked. Of one that nothing closes the last bytes may
 *	be another print's, so that each of them waits for an answer
 * @ok_before_prompt: a send is answered three times: an OK, that its line is understood; the
 *	prompt; and the end. Without, there is no OK but that at the end
 * @send_max: bytes of a send at most
 */
struct atw_dialect {
	size_t (*parse)(struct atw_parser *p, const u8 *buf, size_t len, struct atw_event *ev);
	const struct atw_error *(*error)(u32 code);
	const struct atw_firmware *(*firmware)(const char *at, const char *firmware);
	void (*open)(struct atw_line *l, const struct atw_opening *o);
	bool (*sock_row)(const char *line, struct atw_sock_row *row);
	bool (*link_row)(struct atw_link *link, const char *text);
	const struct atw_setup *setup;
	const char *verb[ATW_VERBS];
	const char *version[3];
	u32 first_id;
	u32 last_id;
	bool code_words;
	bool framed;
	bool ok_before_prompt;
	u32 send_max;
};

extern const struct atw_dialect atw_at_combo;

/* Begin a command line. */
static inline void atw_line_verb(struct atw_line *l, const struct atw_dialect *d,
				 enum atw_verb verb)
{
	atw_line_start(l, d->verb[verb]);
}

/* May the driver give this number? */
static inline bool atw_dialect_gives(const struct atw_dialect *d, u32 id)
{
	return id >= d->first_id && id <= d->last_id &&
	       (!d->code_words || atw_id_is_code_word(id));
}

#endif
