// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which AT commands an administrator may have run as they are.
 *
 * Those that are known not to disturb the driver, and no others: a command that
 * opens a prompt, prints bytes that are no lines, restarts the module or takes
 * a setting of the driver's away would cost every connection.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "format.h"
#include "raw.h"

/* Forms of a command: "AT+X", "AT+X?", "AT+X=..." */
#define EXEC	1
#define QUERY	2
#define SET	4

static const struct {
	const char *name;
	unsigned int forms;
} atw_raw_allowed[] = {
	{ "AT",			EXEC },
	{ "AT+CIPSTAMAC_DEF",	QUERY },
	{ "AT+GMR",		EXEC },
	/* With a count or "loop" it may keep the port for ever. */
	{ "AT+PING",		SET },
	{ "AT+SNTPINTV",	QUERY | SET },
	{ "AT+SNTPTIME",	QUERY },
	{ "AT+SNTPTIMECFG",	QUERY | SET },
	{ "AT+SOCKET",		QUERY },
	{ "AT+SOCKETAUTOTT",	QUERY },
	{ "AT+SYSMSG",		QUERY },
	{ "AT+UARTCFG",		QUERY },
	{ "AT+UARTFLOWCONTROL",	QUERY },
	{ "AT+WAP",		SET },
	{ "AT+WAPDHCP",		QUERY | SET },
	{ "AT+WAUTOCONN",	SET },
	{ "AT+WCOUNTRY",	QUERY | SET },
	{ "AT+WDISCONNECT",	EXEC },
	{ "AT+WDNS",		QUERY | SET },
	{ "AT+WDOMAIN",		SET },
	{ "AT+WJAP",		SET },
	{ "AT+WMODE",		QUERY | SET },
	{ "AT+WRSSI",		EXEC | QUERY },
	{ "AT+WSCAN",		EXEC | QUERY | SET },
	{ "AT+WSCANOPT",	QUERY | SET },
	{ "AT+WSDHCP",		QUERY | SET },
};

/* Why others are not, where it can be said; the first that fits. */
static const struct {
	const char *prefix;
	const char *why;
} atw_raw_reasons[] = {
	{ "AT+SOCKETAUTOTT",	"transparent mode after a start is set by autott" },
	{ "AT+SOCKETRECVCFG",	"the receive mode is set by recv-mode" },
	{ "AT+SOCKETTT",	"transparent mode is an option of a socket" },
	{ "AT+SOCKET",		"the module's sockets are the driver's" },
	{ "AT+SSLCRET",		"certificates and keys are stored by cert" },
	{ "AT+UART",		"the serial line's settings are the driver's" },
	{ "ATE",		"the echo is the driver's" },
	{ "AT+RST",		"a restart would end all connections" },
	{ "AT+RESTORE",		"a restart would end all connections" },
	{ "AT+HELP",		"its lines look like an echo of commands" },
	{ "AT+SLEEP",		"a module that sleeps does not answer" },
	{ "AT+WJAP?",		"the answer holds the network's password" },
	{ "AT+STAINFO?",	"the answer holds the network's password" },
	{ "AT+WAP?",		"the answer holds the network's password" },
	{ "AT+WAUTOCONN?",	"the answer may hold the network's password" },
	{ "AT+PING",		"AT+PING is to have a host and nothing else" },
};

static bool atw_raw_is(const char *line, size_t len, const char *name)
{
	return len == strlen(name) && !memcmp(line, name, len);
}

static bool atw_raw_may(const char *line, size_t len)
{
	unsigned int form;
	size_t name, i;

	for (name = 0; name < len && line[name] != '=' && line[name] != '?';)
		name++;
	if (name == len)
		form = EXEC;
	else if (line[name] == '=')
		form = SET;
	else if (name + 1 == len)
		form = QUERY;
	else
		return false;
	if (form == SET && atw_raw_is(line, name, "AT+PING") &&
	    memchr(line, ',', len))
		return false;
	for (i = 0; i < ARRAY_SIZE(atw_raw_allowed); i++)
		if (atw_raw_is(line, name, atw_raw_allowed[i].name))
			return atw_raw_allowed[i].forms & form;
	return false;
}

/**
 * atw_raw_check() - may a command be run as it is?
 * @line: the command without its CR LF; need not end with a NUL
 * @len: its bytes
 * @why: out: where it may not, a sentence for people
 *
 * Return: 0; -EINVAL, it is no command line; -ENAMETOOLONG, it is longer than
 * ATW_RAW_MAX; -EACCES, it would disturb the driver, or nobody knows whether.
 */
int atw_raw_check(const char *line, size_t len, const char **why)
{
	size_t i, n;

	if (len > ATW_RAW_MAX) {
		*why = "a command has at most 253 bytes";
		return -ENAMETOOLONG;
	}
	for (i = 0; i < len; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f) {
			*why = "a command has no control characters in it";
			return -EINVAL;
		}
	}
	if (len < 2 || memcmp(line, "AT", 2)) {
		*why = "a command begins with AT, in upper case";
		return -EINVAL;
	}
	if (atw_raw_may(line, len))
		return 0;
	*why = "the command is not one that is known not to disturb the driver";
	for (i = 0; i < ARRAY_SIZE(atw_raw_reasons); i++) {
		n = strlen(atw_raw_reasons[i].prefix);
		if (len >= n && !memcmp(line, atw_raw_reasons[i].prefix, n)) {
			*why = atw_raw_reasons[i].why;
			break;
		}
	}
	return -EACCES;
}

/*
 * It begins with the command's own name: what is no number has no form that the parser
 * knows. One build leaves the '+' of an address out.
 */
static bool atw_raw_is_named(const char *line, const char *text)
{
	return atw_answer_value(line, text) ||
	       (!strcmp(line, "AT+CIPSTAMAC_DEF?") && !strncmp(text, "CIPSTAMAC_DEF:", 14));
}

/**
 * atw_raw_is_row() - may a line of the module be the answer to a command?
 * @line: the command, one that atw_raw_check() lets pass
 * @text: a line that has no form of the module's own
 *
 * Of a stream whose announcement was lost the lines have no form either: one that
 * was taken for an answer would be a hole in it. An answer begins with the name of
 * its command, or is a row of those to scans, and to the questions for sockets and
 * versions: these are all that the firmware families print without a name.
 *
 * Return: true if it may be.
 */
bool atw_raw_is_row(const char *line, const char *text)
{
	size_t digits = strspn(text, "0123456789");
	const char *colon = strchr(text, ':');
	const char *word;

	if (atw_raw_is_named(line, text))
		return true;
	/* "1 NAME,CHANNEL,..." or "1,NAME,CHANNEL,...": 50 at most */
	if (!strcmp(line, "AT+WSCAN") || !strncmp(line, "AT+WSCAN?", 9) ||
	    !strncmp(line, "AT+WSCAN=", 9))
		return digits && digits <= 2 &&
		       (text[digits] == ' ' || text[digits] == ',');
	/* "ID,TYPE,STATE,..." */
	if (!strcmp(line, "AT+SOCKET?"))
		return digits && text[digits] == ',' &&
		       strspn(text + digits + 1, "0123456789");
	/* "... version:...", "compile time:..." */
	if (!strcmp(line, "AT+GMR")) {
		word = strstr(text, "version");
		if (!word)
			word = strstr(text, "time");
		return word && colon && word < colon;
	}
	return false;
}

/**
 * atw_raw_is_scan() - does the module print the names of networks as they are?
 * @line: the command, one that atw_raw_check() lets pass
 *
 * A name has room for the header and the end of a payload, and for four bytes between them.
 *
 * Return: true if it does.
 */
bool atw_raw_is_scan(const char *line)
{
	return !strncmp(line, "AT+WSCAN", 8) && strncmp(line, "AT+WSCANOPT", 11);
}

/**
 * atw_raw_sends() - does the module use its radio for the command?
 * @line: the command, likewise
 *
 * Of what it sends in a network, as for AT+PING, there is nothing without one.
 *
 * Return: true if it may.
 */
bool atw_raw_sends(const char *line)
{
	return atw_raw_is_scan(line) || !strncmp(line, "AT+WJAP=", 8) ||
	       !strncmp(line, "AT+WAP=", 7) || !strncmp(line, "AT+WMODE=", 9);
}

/**
 * atw_raw_is_join() - does the command choose the network, or leave it?
 * @line: the command, likewise
 *
 * Return: true if it does.
 */
bool atw_raw_is_join(const char *line)
{
	return !strncmp(line, "AT+WJAP=", 8) || !strncmp(line, "AT+WMODE=", 9) ||
	       !strcmp(line, "AT+WDISCONNECT");
}
