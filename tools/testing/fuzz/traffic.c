// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a module prints for some connections, whose remotes may know its words, and
 * what a driver makes of it. What was really sent is known here, so that it can be
 * told what is wrong:
 *
 * - With no fault all of it arrives, and nothing is taken for damage, whatever it is.
 * - Where the answer that is awaited tears a payload, of firmware that is known to do
 *   so, no other connection gets a wrong byte, or ends in order before its time; nor
 *   does the connection itself where its remote sends no line ends.
 * - Where an event, or another connection's payload, tears one nobody gets a wrong byte
 *   that is not in doubt, from firmware that is known to tear or not. What that remote sends
 *   are none of the module's words, by chance or not: whole lines of those are believed.
 * - Where some bytes in a row are lost no connection does, as far as the manual does
 *   not say otherwise: payloads without line ends, up to eight bytes, and not just
 *   as many as an answer has.
 *
 * What a connection gets is what it was sent from the beginning, until it is told
 * that it fails.
 */
#include <string.h>

#include "fuzz.h"
#include "id.h"
#include "parse.h"

#define STREAMS		4
#define SENT_MAX	8192
#define WIRE_MAX	32768
#define MARKS		64
#define TEARS		128

enum fault { FAULT_NONE, FAULT_TORN, FAULT_MIXED, FAULT_LOST, FAULTS };
enum style { STYLE_PLAIN, STYLE_TEXT, STYLE_BINARY, STYLE_WORDS, STYLES };

/* A connection: what its remote has sent, and what the driver's user has got. */
struct stream {
	u32 id;
	u8 sent[SENT_MAX];
	size_t len;
	size_t got;		/* handed over, all right */
	size_t held;		/* kept back, in doubt */
	bool doubted;
	bool closes;		/* its remote has */
	bool ended;		/* the user was told so, in order */
	bool failed;		/* or that it fails */
	bool wrong;		/* what was handed over, or would be */
	bool wrong_held;
	bool torn;
};

/* A command that the driver sends when so much was printed, and where its answer ends. */
struct mark {
	size_t at;
	size_t end;
	bool prompt;
};

static struct {
	u8 wire[WIRE_MAX];
	size_t len;
	struct stream stream[STREAMS];
	unsigned int streams;
	struct mark mark[MARKS];
	unsigned int marks;
	/* Between which two prints of whose payload. */
	struct {
		size_t at;
		struct stream *whose;
	} tear[TEARS];
	unsigned int tears;
	/* the driver's side */
	bool asked;
	bool known;		/* to tear */
	enum fault fault;
	size_t fault_at, fault_len;
	enum style style;
} t;

/* What the module printed, as it came. */
static void show(void)
{
	size_t i;

	for (i = 0; i < t.len; i++)
		fprintf(stderr, t.wire[i] < ' ' || t.wire[i] > '~' ? "\\x%02x" : "%c",
			t.wire[i]);
	fprintf(stderr, "\n%u commands; the fault is at %zu, %zu bytes\n", t.marks,
		t.fault_at, t.fault_len);
}

#define FAIL(...) do {		\
	show();			\
	DIE(__VA_ARGS__);	\
} while (0)

static void print(const void *bytes, size_t len)
{
	memcpy(t.wire + t.len, bytes, len);
	t.len += len;
}

static void say(const char *s)
{
	print(s, strlen(s));
}

static size_t compose(u8 *buf)
{
	static const char *const words[] = {
		"\r\n", "\r\nOK\r\n", ">", ">> ", "\r\nready\r\n", "\r\nERROR\r\n", "OK",
		"+EVENT:SocketDown,%u,%u,", "\r\n+EVENT:SocketDisconnect,%u\r\n",
		"\r\n+EVENT:SocketDown,%u,%u\r\n", "connect success ConID=%u\r\n",
		"+SOCKETREAD,%u,0\r\n", "AT+X:4\r\n", ",", "5,", "\r\n+PING:30\r\nOK\r\n",
		"[x] log\r\n", "\r\n\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "\r", "\n",
	};
	size_t want = choose(4) ? 1 + choose(40) : 1 + choose(700);
	size_t n = 0;
	char word[64];

	while (n < want) {
		switch (t.style) {
		case STYLE_PLAIN:
			buf[n++] = ' ' + choose(95);
			break;
		case STYLE_TEXT:
			buf[n] = choose(30) ? ' ' + choose(95) : '\n';
			n++;
			break;
		case STYLE_BINARY:
			buf[n++] = choose(256);
			break;
		default:
			snprintf(word, sizeof(word),
				 words[choose(ARRAY_SIZE(words))],
				 t.stream[choose(t.streams)].id, 1 + choose(40));
			memcpy(buf + n, word, strlen(word));
			n += strlen(word);
		}
	}
	return n;
}

/* Is any of it, behind a line end, what a driver believes of a module? */
static bool has_words(const u8 *body, size_t len)
{
	static struct atw_parser p;
	struct atw_event ev;
	size_t i, at;

	for (i = 0; i < len; i++) {
		if (body[i] != '\n')
			continue;
		atw_parser_init(&p);
		p.expect_final = true;
		p.expect_prompt = true;
		at = i + 1;
		at += atw_parse(&p, body + at, len - at, &ev);
		if (ev.type == ATW_EV_NONE && at == len)
			atw_parse(&p, (const u8 *)"\r\n", 2, &ev);
		switch (ev.type) {
		case ATW_EV_NONE:
			if (p.state == ATW_PS_LINE)
				break;
			return true;
		case ATW_EV_READY:
		case ATW_EV_ECHO:
		case ATW_EV_LINE:
		case ATW_EV_PENDING:
		case ATW_EV_DAMAGE:
		case ATW_EV_PAYLOAD_BAD:
			break;
		default:
			return true;
		}
	}
	return false;
}

static void print_payload(struct stream *s);

/* Another task prints between the parts of a payload, once. */
static void print_between(const struct stream *s, const u8 *body, size_t len)
{
	struct stream *other;
	size_t at = t.len;
	char text[48];

	if (t.fault != FAULT_MIXED || t.fault_len || choose(6) || has_words(body, len))
		return;
	other = &t.stream[choose(t.streams)];
	t.fault_len = 1;
	if (other == s || other->closes) {
		say(choose(2) ? "\r\n+EVENT:WIFI_GOT_IP\r\n" :
				"\r\n+EVENT:SomethingNew,1,2\r\n");
	} else if (choose(4)) {
		print_payload(other);
	} else {
		snprintf(text, sizeof(text), "\r\n+EVENT:SocketDisconnect,%u\r\n", other->id);
		say(text);
		other->closes = true;
	}
	t.fault_at = at;
	t.fault_len = t.len - at;
}

static void print_payload(struct stream *s)
{
	u8 body[1024];
	char head[48];
	size_t n;

	n = compose(body);
	if (s->closes || s->len + n > SENT_MAX)
		return;
	snprintf(head, sizeof(head), "\r\n+EVENT:SocketDown,%u,%zu,", s->id, n);
	say(head);
	t.tear[t.tears].at = t.len;
	t.tear[t.tears++].whose = s;
	print_between(s, body, n);
	print(body, n);
	t.tear[t.tears].at = t.len;
	t.tear[t.tears++].whose = s;
	print_between(s, body, n);
	say("\r\n");
	memcpy(s->sent + s->len, body, n);
	s->len += n;
}

/* What is asked, and answered some prints later. */
static const char *answer(void)
{
	static const char *const answers[] = {
		"\r\nOK\r\n", "\r\nAT+SOCKET:97\r\n+ERROR\r\n", "\r\n+WMODE:1\r\nOK\r\n",
		"\r\n+SOCKETDEL:4\r\nERROR\r\n", "\r\n+OK\r\n", "\r\n+WMODE:1\r\n+OK\r\n",
	};

	return answers[choose(ARRAY_SIZE(answers))];
}

static void compose_traffic(void)
{
	unsigned int items = 2 + choose(12), pending = 0, i, j;
	struct stream *s;
	char text[48];

	memset(&t, 0, sizeof(t));
	t.fault = choose(FAULTS);
	t.style = choose(STYLES);
	if (t.fault == FAULT_MIXED && t.style == STYLE_WORDS)
		t.fault = FAULT_NONE;
	t.known = t.fault == FAULT_TORN || (t.fault == FAULT_MIXED && choose(2));
	t.streams = 1 + choose(STREAMS);
	for (i = 0; i < t.streams; i++) {
		s = &t.stream[i];
		do {
			s->id = ATW_ID_MIN + choose(ATW_ID_MAX - ATW_ID_MIN + 1);
			for (j = 0; j < i && t.stream[j].id != s->id; j++)
				;
		} while (j < i || !atw_id_is_code_word(s->id));
	}
	for (i = 0; i < items; i++) {
		s = &t.stream[choose(t.streams)];
		switch (choose(8)) {
		case 0:
			say(choose(2) ? "\r\n+EVENT:WIFI_GOT_IP\r\n" :
					"\r\n+EVENT:SomethingNew,1,2\r\n");
			break;
		case 1:
			if (s->closes)
				break;
			snprintf(text, sizeof(text),
				 "\r\n+EVENT:SocketDisconnect,%u\r\n", s->id);
			say(text);
			s->closes = true;
			break;
		case 2:
		case 3:
			/* One command at a time; its prompt, then its end. */
			if (!pending && t.marks < MARKS) {
				pending = 1 + choose(2);
				t.mark[t.marks].at = t.len;
				t.mark[t.marks++].prompt = pending == 2;
			} else if (pending == 2) {
				say(">");
				pending = 1;
			} else if (pending) {
				say(answer());
				t.mark[t.marks - 1].end = t.len;
				pending = 0;
			}
			break;
		default:
			print_payload(s);
		}
	}
	if (pending == 2)
		say(">");
	if (pending) {
		say("\r\nOK\r\n");
		t.mark[t.marks - 1].end = t.len;
	}
	if (t.fault == FAULT_MIXED && !t.fault_len)
		t.fault = FAULT_NONE;
}

static void move_marks(size_t at, long by)
{
	unsigned int i;

	for (i = 0; i < t.marks; i++)
		if (t.mark[i].at > at)
			t.mark[i].at = (long)t.mark[i].at + by > (long)at ?
				       t.mark[i].at + by : at;
}

/* A command of its own, but not while the module has yet to answer another. */
static bool add_mark(size_t at, bool prompt)
{
	unsigned int i, j;

	for (i = 0; i < t.marks && t.mark[i].at <= at; i++)
		if (at < t.mark[i].end)
			return false;
	if (t.marks == MARKS)
		return false;
	for (j = t.marks++; j > i; j--)
		t.mark[j] = t.mark[j - 1];
	t.mark[i].at = at;
	t.mark[i].prompt = prompt;
	return true;
}

/* The prompt, or an answer, is printed between the parts of a payload. */
static void tear(void)
{
	unsigned int i = t.tears ? choose(t.tears) : 0;
	const char *s = choose(2) ? ">" : answer();
	size_t at = t.tear[i].at, n = strlen(s);

	if (!t.tears || !add_mark(at, *s == '>')) {
		t.fault = FAULT_NONE;
		return;
	}
	t.tear[i].whose->torn = true;
	t.fault_at = at;
	t.fault_len = n;
	memmove(t.wire + at + n, t.wire + at, t.len - at);
	memcpy(t.wire + at, s, n);
	t.len += n;
	move_marks(at, n);
}

static void lose(void)
{
	size_t n = 1 + choose(8), at;

	if (t.len <= n)
		return;
	at = choose(t.len - n);
	/* A part of "\r\nOK\r\n" may end a payload that lacks as many bytes, a
	 * prompt one that lacks three.
	 */
	if (n > 5 && memchr(t.wire + at, '\n', n))
		n = 5;
	if (n == 3 && (memchr(t.wire + at, '\n', n) || memchr(t.wire + at, '\r', n)))
		n = 2;
	t.fault_at = at;
	t.fault_len = n;
	memmove(t.wire + at, t.wire + at + n, t.len - at - n);
	t.len -= n;
	move_marks(at, -(long)n);
}

static void fail_doubted(void)
{
	unsigned int i;

	for (i = 0; i < t.streams; i++)
		t.stream[i].failed |= t.stream[i].doubted && !t.stream[i].ended;
}

static void fail_all(void)
{
	unsigned int i;

	for (i = 0; i < t.streams; i++)
		t.stream[i].failed |= !t.stream[i].ended;
}

static struct stream *find(u32 id)
{
	unsigned int i;

	for (i = 0; i < t.streams; i++)
		if (t.stream[i].id == id)
			return &t.stream[i];
	return NULL;
}

static void hand_over(struct stream *s, const u8 *bytes, size_t n, bool doubt)
{
	bool wrong;

	s->doubted |= doubt;
	wrong = s->got + s->held + n > s->len ||
		memcmp(s->sent + s->got + s->held, bytes, n);
	if (s->doubted) {
		s->wrong_held |= wrong;
		s->held += n;
	} else {
		s->wrong |= wrong;
		s->got += n;
	}
}

static void take(struct atw_parser *p, const struct atw_event *ev, u8 *sink)
{
	struct stream *s = find(ev->id);

	if (t.fault == FAULT_NONE &&
	    (ev->type == ATW_EV_DAMAGE || ev->type == ATW_EV_LINE ||
	     ev->type == ATW_EV_PAYLOAD_BAD || ev->type == ATW_EV_DOUBTFUL ||
	     ev->type == ATW_EV_READY || ev->type == ATW_EV_ECHO))
		FAIL("event %d without a fault", ev->type);
	switch (ev->type) {
	case ATW_EV_PAYLOAD:
		if (s)
			atw_parser_sink(p, sink);
		else if (!ev->answer && !atw_id_is_code_word(ev->id))
			fail_all();
		break;
	case ATW_EV_PAYLOAD_END:
		/* As driver and user have it: bytes for whom it is over go nowhere. */
		if (s && !s->failed && !s->ended)
			hand_over(s, sink, ev->len, ev->doubt & ATW_DOUBT_FRAME);
		break;
	case ATW_EV_RECONNECT:
		if (s)
			s->failed |= !s->ended;
		break;
	case ATW_EV_DISCONNECT:
		if (!s || s->failed || s->ended)
			break;
		if (s->doubted) {
			/* Its end waits as well; it is believed if all is. */
			s->wrong_held |= !s->closes;
			break;
		}
		s->ended = true;
		if (s->wrong || !s->closes || s->got < s->len)
			FAIL("%u ends in order after %zu of %zu bytes, fault %d, style %d",
			     s->id, s->got, s->len, t.fault, t.style);
		break;
	case ATW_EV_OK:
	case ATW_EV_ERROR:
	case ATW_EV_UNKNOWN:
	case ATW_EV_BUSY:
		/* For nobody; or the prompt was not seen, after which there is none. */
		if (!t.asked || p->expect_prompt)
			fail_doubted();
		t.asked = false;
		p->expect_final = false;
		p->expect_soon = false;
		p->expect_prompt = false;
		break;
	case ATW_EV_PROMPT:
		p->expect_prompt = false;
		break;
	case ATW_EV_DOUBTFUL:
		if (s)
			s->failed |= !s->ended;
		break;
	case ATW_EV_PENDING:
	case ATW_EV_READY:
	case ATW_EV_ECHO:
	case ATW_EV_LINE:
	case ATW_EV_DAMAGE:
	case ATW_EV_PAYLOAD_BAD:
		fail_all();
		break;
	default:
		break;
	}
}

static void feed(struct atw_parser *p, const u8 *bytes, size_t n, u8 *sink)
{
	struct atw_event ev;
	size_t at = 0;

	do {
		at += atw_parse(p, bytes + at, n - at, &ev);
		if (ev.type != ATW_EV_NONE)
			take(p, &ev, sink);
	} while (ev.type != ATW_EV_NONE);
}

static void ask(struct atw_parser *p, bool prompt)
{
	/* The answer to the one before stayed away. */
	if (t.asked)
		fail_doubted();
	t.asked = true;
	p->expect_final = true;
	p->expect_soon = true;
	p->expect_prompt = prompt;
}

static void drive(void)
{
	static u8 sink[ATW_PAYLOAD_MAX];
	static struct atw_parser p;
	struct atw_event ev;
	unsigned int i;
	size_t at = 0;

	atw_parser_init(&p);
	p.tears = t.known;
	for (i = 0; i < t.marks; i++) {
		feed(&p, t.wire + at, t.mark[i].at - at, sink);
		at = t.mark[i].at;
		ask(&p, t.mark[i].prompt);
	}
	feed(&p, t.wire + at, t.len - at, sink);
	if (atw_parse_idle(&p, &ev)) {
		take(&p, &ev, sink);
		feed(&p, t.wire, 0, sink);
	}
	/* It is asked something else, and has nothing more to say than the answer. */
	if (t.asked)
		fail_doubted();
	if (p.state != ATW_PS_LINE) {
		atw_parse_lost(&p, &ev);
		take(&p, &ev, sink);
	}
	ask(&p, false);
	feed(&p, (const u8 *)"\r\nOK\r\n", 6, sink);
}

static void judge(void)
{
	struct stream *s;
	unsigned int i;

	for (i = 0; i < t.streams; i++) {
		s = &t.stream[i];
		if (s->wrong && t.fault == FAULT_MIXED)
			FAIL("%u gets wrong bytes, style %d", s->id, t.style);
		if (s->failed && t.fault != FAULT_NONE)
			continue;
		if (s->failed)
			FAIL("%u fails without a fault", s->id);
		s->wrong |= s->wrong_held;
		s->got += s->held;
		/* What its remote sends closes its own payload where that is torn. */
		if (t.fault == FAULT_TORN && s->torn && t.style != STYLE_PLAIN)
			continue;
		if (s->wrong || (!s->ended && s->got < s->len))
			FAIL("%u has %zu of %zu bytes%s, fault %d, style %d", s->id,
			     s->got, s->len, s->wrong ? ", wrong ones" : "", t.fault,
			     t.style);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	choices_from(data, size);
	compose_traffic();
	if (t.fault == FAULT_TORN)
		tear();
	/* What else is lost unseen is in the manual. */
	if (t.fault == FAULT_LOST && t.style == STYLE_PLAIN)
		lose();
	else if (t.fault == FAULT_LOST)
		t.fault = FAULT_NONE;
	/* What the module has said is what is parsed. */
	fuzz_count(t.len);
	drive();
	judge();
	return 0;
}
