// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the host hears in transparent mode: data, or the module's own words.
 *
 * Nothing is counted or framed there. Three things may be among the data which are
 * none: the banner of a module that has restarted, events where the firmware does
 * not keep them back, and the OK to "+++". None can be told from data by its looks
 * alone. What looks like one is kept back until the module has been asked whether
 * it is still in transparent mode; what is found here is only where to begin.
 */
#include <linux/kernel.h>
#include <linux/string.h>

#include "ttscan.h"

#define ATW_TT_EVENT	"\r\n+EVENT:"
/* Some builds announce an accepted connection so. */
#define ATW_TT_CHILD	"\r\n+Seed:"
#define ATW_TT_EVENTS	2
#define ATW_TT_OKS	2

/*
 * How prints begin. The first ATW_TT_EVENTS are of events, then the banners of both kinds of
 * chip and the one word that all have; the last ATW_TT_OKS are what is asked for by "+++".
 * atw_tt_scan() knows their first bytes.
 */
static const char *const atw_tt_openings[] = {
	ATW_TT_EVENT,
	ATW_TT_CHILD,
	"\r\n################################################\r\n\r\narch:",
	"#calibration_ok:[",
	"\r\nready\r\n",
	ATW_TT_OK,
	ATW_TT_PLUS_OK,
};

/**
 * atw_tt_scan_init() - begin
 * @s: the scanner
 * @events: look for events as well
 */
void atw_tt_scan_init(struct atw_tt_scan *s, bool events)
{
	memset(s, 0, sizeof(*s));
	s->events = events;
}

/* Can an opening begin with the tail? Tells whether it is all of one. */
static bool atw_tt_begins(const struct atw_tt_scan *s, bool *all)
{
	size_t n = ARRAY_SIZE(atw_tt_openings) - (s->leaving ? 0 : ATW_TT_OKS);
	size_t i;

	for (i = s->events ? 0 : ATW_TT_EVENTS; i < n; i++) {
		const char *lit = atw_tt_openings[i];

		if (strncmp(lit, (const char *)s->tail, s->tail_len))
			continue;
		*all = !lit[s->tail_len];
		return true;
	}
	return false;
}

/**
 * atw_tt_scan() - pass on what no print can begin with
 * @s: the scanner
 * @buf: bytes of the module
 * @len: how many
 * @out: place for what is data, for @len + ATW_TT_TAIL_MAX bytes
 * @out_len: how many were put there
 *
 * Return: how many bytes of @buf were taken: all, unless @s->hit is set. Then
 * @s->tail is an opening, and what follows it is for the caller.
 */
size_t atw_tt_scan(struct atw_tt_scan *s, const u8 *buf, size_t len, u8 *out,
		   size_t *out_len)
{
	size_t n = 0, i = 0;
	bool all = false;

	while (i < len && !s->hit) {
		/* Nearly all of them. */
		if (!s->tail_len && buf[i] != '\r' && buf[i] != '#') {
			out[n++] = buf[i++];
			continue;
		}
		s->tail[s->tail_len++] = buf[i++];
		while (s->tail_len && !atw_tt_begins(s, &all)) {
			if (s->given)
				s->given--;
			else
				out[n++] = s->tail[0];
			s->tail_len--;
			memmove(s->tail, s->tail + 1, s->tail_len);
		}
		s->hit = s->tail_len && all;
	}
	*out_len = n;
	return i;
}

/**
 * atw_tt_scan_flush() - nothing came for a while: pass on what was kept
 * @s: the scanner
 * @out: place for ATW_TT_TAIL_MAX bytes
 *
 * A print comes in one piece, so it is hardly one. If it is one after all, @given
 * tells that its first bytes were taken for data.
 *
 * Return: how many bytes were put to @out
 */
size_t atw_tt_scan_flush(struct atw_tt_scan *s, u8 *out)
{
	size_t n = s->tail_len - s->given;

	memcpy(out, s->tail + s->given, n);
	s->given = s->tail_len;
	return n;
}

/**
 * atw_tt_find() - look for a text
 * @buf: bytes, which may hold anything
 * @len: how many
 * @from: where to begin
 * @lit: the text, not empty
 *
 * Return: where it is, or ATW_TT_WAIT: nowhere
 */
long atw_tt_find(const u8 *buf, size_t len, size_t from, const char *lit)
{
	size_t n = strlen(lit);
	const u8 *p;

	while (from + n <= len) {
		p = memchr(buf + from, lit[0], len - from - n + 1);
		if (!p)
			break;
		if (!memcmp(p, lit, n))
			return p - buf;
		from = p - buf + 1;
	}
	return ATW_TT_WAIT;
}

/**
 * atw_tt_find_ok() - look for an OK, in either of its forms
 * @buf: bytes, which may hold anything
 * @len: how many
 * @from: where to begin
 * @behind: where it ends
 *
 * Return: where the first one begins, or ATW_TT_WAIT: nowhere, and @behind is as it was
 */
long atw_tt_find_ok(const u8 *buf, size_t len, size_t from, size_t *behind)
{
	long plain = atw_tt_find(buf, len, from, ATW_TT_OK);
	long plus = atw_tt_find(buf, len, from, ATW_TT_PLUS_OK);

	if (plain >= 0 && (plus < 0 || plain < plus)) {
		*behind = plain + strlen(ATW_TT_OK);
		return plain;
	}
	if (plus >= 0)
		*behind = plus + strlen(ATW_TT_PLUS_OK);
	return plus;
}

/**
 * atw_tt_split() - where did the data end and the module's answers begin?
 * @buf: what came
 * @len: how many bytes
 * @from: what came before was there when "+++" was sent
 * @marker: what the module says to a command that nobody could foresee, with the
 *	end of its line: it has left transparent mode before that
 * @behind: the byte behind the OK; behind the marker, where it cannot be told
 *
 * A remote may send what the module says to "+++". Only where there is exactly one
 * of that before the marker it is the module's.
 *
 * Return: where the OK begins; ATW_TT_WAIT: the marker has not come;
 * ATW_TT_UNCLEAR: it cannot be told
 */
long atw_tt_split(const u8 *buf, size_t len, size_t from, const char *marker,
		  size_t *behind)
{
	long end = atw_tt_find(buf, len, from, marker);
	size_t another;
	long ok;

	if (end < 0)
		return ATW_TT_WAIT;
	ok = atw_tt_find_ok(buf, end, from, behind);
	/* Two may share a CR LF. */
	if (ok >= 0 && atw_tt_find_ok(buf, end, ok + 1, &another) < 0)
		return ok;
	*behind = end + strlen(marker);
	return ATW_TT_UNCLEAR;
}

/**
 * atw_tt_find_event() - where does the first event begin?
 * @buf: bytes
 * @len: how many
 *
 * Return: where, or ATW_TT_WAIT: there is none
 */
long atw_tt_find_event(const u8 *buf, size_t len)
{
	long event = atw_tt_find(buf, len, 0, ATW_TT_EVENT);
	long child = atw_tt_find(buf, len, 0, ATW_TT_CHILD);

	if (event < 0 || child < 0)
		return event < 0 ? child : event;
	return event < child ? event : child;
}

/**
 * atw_tt_is_end() - is it the event that a connection was lost, and no more?
 * @buf: bytes
 * @len: how many
 * @id: the connection
 */
bool atw_tt_is_end(const u8 *buf, size_t len, u32 id)
{
	static const char *const words[] = {
		"SocketDisconnect", "SocketDissconnect",
	};
	char text[48];
	size_t i;
	int n;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		n = snprintf(text, sizeof(text), ATW_TT_EVENT "%s,%u\r\n",
			     words[i], id);
		if (len == (size_t)n && !memcmp(buf, text, n))
			return true;
	}
	return false;
}

/**
 * atw_tt_may_carry() - can these bytes be written in transparent mode?
 * @buf: the bytes
 * @len: how many
 *
 * The module looks for "+++" with silence around it, and some firmware loses each
 * '+' that it has taken for the begin of that. What it takes for silence is not in
 * our hands: the UART may pause at any byte, and so does a module that waits for the
 * network. Hence no '+' at all goes this way.
 */
bool atw_tt_may_carry(const u8 *buf, size_t len)
{
	return !memchr(buf, '+', len);
}
