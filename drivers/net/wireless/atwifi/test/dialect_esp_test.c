// SPDX-License-Identifier: GPL-2.0-only
/*
 * A second set of commands, to show that nothing above struct atw_dialect knows the first: as
 * much of ESP-AT as streams need. It has five numbers of connections, 0 among them, says OK
 * before its prompt, and nothing closes its payloads. The module is a write function, and its
 * remotes are programs that do what their first line says.
 *
 * The tests are what programs do with streams.
 */
#include <kunit/test.h>
#include <linux/atomic.h>
#include <linux/device.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/workqueue.h>
#include <net/sock.h>

#include <linux/atwifi.h>

#include "../compat_sock.h"
#include "../dev.h"
#include "../relay.h"

#define LIMIT		(60 * HZ)
#define LINKS		5
#define CHUNK		1024
#define SEND_MAX	2048
/* Bytes that a remote has on the way before the program reads them. */
#define WINDOW		16384
#define PORT		7
#define GREET_PORT	13
#define CLOSED_PORT	9
#define GREETING	"220 what a server says first\r\n"

/* ---- the dialect ---- */

/* It has words, and no numbers, for what goes wrong. */
enum {
	ESP_ERROR,
	ESP_NO_LINK,
	ESP_NO_NAME,
	ESP_TAKEN,
	ESP_REFUSED,
	ESP_NOT_SENT,
};

static const struct atw_error esp_errors[] = {
	[ESP_ERROR] = { -EIO, "error" },
	[ESP_NO_LINK] = { -ECONNRESET, "no such link" },
	[ESP_NO_NAME] = { -EHOSTUNREACH, "cannot resolve name", ATW_NO_SUCH_NAME },
	[ESP_TAKEN] = { -EADDRINUSE, "link in use", ATW_ID_TAKEN },
	[ESP_REFUSED] = { -ECONNREFUSED, "cannot connect", ATW_NOT_CONNECTED },
	[ESP_NOT_SENT] = { -ECONNRESET, "cannot send", ATW_NOT_SENT },
};

static const struct atw_error *esp_error(u32 code)
{
	return &esp_errors[code < ARRAY_SIZE(esp_errors) ? code : ESP_ERROR];
}

/* Its lines, and why there will be an ERROR, or why this is one. */
static const struct {
	const char *line;
	enum atw_event_type type;
	u32 code;
} esp_lines[] = {
	{ "OK", ATW_EV_OK },
	{ "SEND OK", ATW_EV_OK },
	{ "SEND FAIL", ATW_EV_ERROR, ESP_NOT_SENT },
	{ "ERROR", ATW_EV_ERROR },
	{ "link is not valid", ATW_EV_NOTE, ESP_NO_LINK },
	{ "UNLINK", ATW_EV_NOTE, ESP_NO_LINK },
	{ "DNS Fail", ATW_EV_NOTE, ESP_NO_NAME },
	{ "ALREADY CONNECTED", ATW_EV_NOTE, ESP_TAKEN },
	{ "busy p...", ATW_EV_BUSY },
	{ "busy s...", ATW_EV_BUSY },
	{ "ready", ATW_EV_READY },
	{ "WIFI CONNECTED", ATW_EV_WIFI_CONNECT },
	{ "WIFI GOT IP", ATW_EV_WIFI_GOT_IP },
	{ "WIFI DISCONNECT", ATW_EV_WIFI_DISCONNECT },
};

/* "<link>,CONNECT" and "<link>,CLOSED": of the latter it has forgotten the link. */
static enum atw_event_type esp_link_event(struct atw_parser *p, struct atw_event *ev)
{
	const char *s = p->line;

	if (!atw_parse_uint(&s, LINKS - 1, &ev->id) || *s++ != ',')
		return ATW_EV_NONE;
	if (!strcmp(s, "CONNECT"))
		return ATW_EV_CONNECTED;
	if (strcmp(s, "CLOSED"))
		return ATW_EV_NONE;
	p->err_code = ESP_REFUSED;
	return ATW_EV_AUTODEL;
}

/*
 * Before the end of a command, or the word that its line is understood, is the echo of that,
 * from when on there was one: where it is missing, a payload has it.
 */
static bool esp_lacks_echo(struct atw_parser *p)
{
	p->line[p->line_len] = '\0';
	return p->lead && !p->blank && !p->drop &&
	       (!strcmp(p->line, "OK\r") || !strcmp(p->line, "ERROR\r"));
}

/* The end of a command. Its echo is also how the module names what it does not know. */
static enum atw_event_type esp_final(struct atw_parser *p, enum atw_event_type type,
				     struct atw_event *ev)
{
	p->blank = false;
	ev->code = type == ATW_EV_ERROR ? p->err_code : 0;
	p->err_code = 0;
	if (type == ATW_EV_ERROR && str_has_prefix(p->err_name, "AT+ATW")) {
		ev->text = p->err_name;
		return ATW_EV_UNKNOWN;
	}
	return type;
}

static enum atw_event_type esp_classify(struct atw_parser *p, struct atw_event *ev)
{
	enum atw_event_type type;
	unsigned int i;
	u32 n;

	for (i = 0; i < ARRAY_SIZE(esp_lines); i++) {
		if (strcmp(p->line, esp_lines[i].line))
			continue;
		type = esp_lines[i].type;
		if (esp_lines[i].code)
			p->err_code = esp_lines[i].code;
		return type == ATW_EV_OK || type == ATW_EV_ERROR ? esp_final(p, type, ev) : type;
	}
	type = esp_link_event(p, ev);
	if (type != ATW_EV_NONE)
		return type;
	ev->id = ATW_NO_ID;
	if (str_has_prefix(p->line, "AT version:") || str_has_prefix(p->line, "SDK version:") ||
	    str_has_prefix(p->line, "Bin version:") || str_has_prefix(p->line, "STATUS:") ||
	    p->line[0] == '+')
		return ATW_EV_INFO;
	if (str_has_prefix(p->line, "AT")) {
		strscpy(p->err_name, p->line, sizeof(p->err_name));
		p->err_code = 0;
		p->blank = true;
		p->lead = true;
		return ATW_EV_ECHO;
	}
	return sscanf(p->line, "Recv %u bytes", &n) == 1 ? ATW_EV_NOTE : ATW_EV_LINE;
}

static void esp_line_done(struct atw_parser *p, struct atw_event *ev)
{
	while (p->line_len && p->line[p->line_len - 1] == '\r')
		p->line_len--;
	p->line[p->line_len] = '\0';
	ev->text = p->line;
	if (p->drop || memchr(p->line, '\0', p->line_len))
		ev->type = p->drop ? ATW_EV_NONE : ATW_EV_DAMAGE;
	else if (p->line_len)
		ev->type = esp_classify(p, ev);
	p->drop = false;
	p->line_len = 0;
}

/* "+IPD,<link>,<length>:" and the bytes, behind which there is nothing. */
static void esp_header(struct atw_parser *p, struct atw_event *ev)
{
	const char *s = p->line + strlen("+IPD,");

	p->line[p->line_len] = '\0';
	p->line_len = 0;
	if (!atw_parse_uint(&s, LINKS - 1, &p->id) || *s++ != ',' ||
	    !atw_parse_uint(&s, ATW_PAYLOAD_MAX, &p->len) || strcmp(s, ":") || !p->len) {
		p->drop = true;
		ev->type = ATW_EV_DAMAGE;
		return;
	}
	p->got = 0;
	p->sink = NULL;
	p->state = ATW_PS_PAYLOAD;
	ev->type = ATW_EV_PAYLOAD;
	ev->id = p->id;
	ev->len = p->len;
}

static size_t esp_payload(struct atw_parser *p, const u8 *buf, size_t len, struct atw_event *ev)
{
	size_t n = min_t(size_t, len, p->len - p->got);

	if (p->sink)
		memcpy(p->sink + p->got, buf, n);
	p->got += n;
	if (p->got == p->len) {
		p->state = ATW_PS_LINE;
		ev->type = ATW_EV_PAYLOAD_END;
		ev->id = p->id;
		ev->len = p->len;
	}
	return n;
}

static size_t esp_parse(struct atw_parser *p, const u8 *buf, size_t len, struct atw_event *ev)
{
	size_t i = 0;

	*ev = (struct atw_event){ .id = ATW_NO_ID, .id2 = ATW_NO_ID };
	while (i < len && ev->type == ATW_EV_NONE) {
		if (p->state == ATW_PS_PAYLOAD) {
			i += esp_payload(p, buf + i, len - i, ev);
		} else if (buf[i] == '\n' && esp_lacks_echo(p)) {
			/* It is what it is, all the same. */
			p->blank = true;
			ev->type = ATW_EV_DAMAGE;
		} else if (buf[i] == '\n') {
			i++;
			esp_line_done(p, ev);
		} else if (!p->drop && !p->line_len && buf[i] == '>' && p->expect_prompt) {
			i++;
			ev->type = ATW_EV_PROMPT;
		} else if (p->drop) {
			i++;
		} else if (p->line_len == ATW_LINE_MAX) {
			p->drop = true;
			ev->type = ATW_EV_DAMAGE;
		} else {
			p->line[p->line_len++] = buf[i++];
			if (buf[i - 1] == ':' && !strncmp(p->line, "+IPD,", 5))
				esp_header(p, ev);
		}
	}
	return i;
}

static const struct atw_firmware esp_firmware = {
	.profile = ATWIFI_PROFILE_UNKNOWN,
	.quotes = true,
	.escapes = "\\\",",
	.param_max = ATW_CMD_MAX,
};

static const struct atw_firmware *esp_firmware_find(const char *at, const char *firmware)
{
	return &esp_firmware;
}

static void esp_open(struct atw_line *l, const struct atw_opening *o)
{
	char addr[16];

	snprintf(addr, sizeof(addr), "%pI4h", &o->addr);
	atw_line_start(l, o->type == ATW_TYPE_TCP_CLIENT ? "AT+CIPSTART=" : NULL);
	atw_line_uint(l, o->id);
	atw_line_str(l, &esp_firmware, "TCP");
	atw_line_str(l, &esp_firmware, o->name[0] ? o->name : addr);
	atw_line_uint(l, o->port);
	if (o->keepalive)
		atw_line_uint(l, o->keepalive);
}

static bool esp_sock_row(const char *line, struct atw_sock_row *row)
{
	u32 id, rport, lport, server;
	char type[8], addr[16];

	if (sscanf(line, "+CIPSTATUS:%u,\"%7[^\"]\",\"%15[^\"]\",%u,%u,%u", &id, type, addr, &rport,
		   &lport, &server) != 6)
		return false;
	*row = (struct atw_sock_row){
		.id = id,
		.type = server ? ATW_TYPE_TCP_CHILD : ATW_TYPE_TCP_CLIENT,
		.status = ATW_SOCK_CONNECTED,
		.rport = rport,
		.lport = lport,
		.server = ATW_NO_ID,
	};
	return atw_parse_addr(addr, &row->addr);
}

static bool esp_link_row(struct atw_link *link, const char *text)
{
	char addr[16];

	if (sscanf(text, "+CIPSTA:ip:\"%15[^\"]\"", addr) == 1) {
		link->whole = atw_parse_addr(addr, &link->st.addr);
		link->st.status = link->st.addr ? ATW_WIFI_JOINED : ATW_WIFI_OUT;
		return true;
	}
	if (sscanf(text, "+CIPSTA:gateway:\"%15[^\"]\"", addr) == 1)
		return atw_parse_addr(addr, &link->st.gateway);
	return false;
}

static const struct atw_setup esp_setup[] = {
	/* See esp_lacks_echo(). */
	{ "ATE1" },
	{ "AT+CIPMUX=1" },
	{ "AT+CIPDINFO=0" },
	{}
};

static const struct atw_dialect esp_at = {
	.parse = esp_parse,
	.error = esp_error,
	.firmware = esp_firmware_find,
	.open = esp_open,
	.sock_row = esp_sock_row,
	.link_row = esp_link_row,
	.setup = esp_setup,
	.verb = {
		[ATW_VERB_RESET]	= "AT+RST",
		[ATW_VERB_VERSIONS]	= "AT+GMR",
		[ATW_VERB_LIST]		= "AT+CIPSTATUS",
		[ATW_VERB_DELETE]	= "AT+CIPCLOSE=",
		[ATW_VERB_SEND]		= "AT+CIPSEND=",
		[ATW_VERB_LINK]		= "AT+CIPSTA?",
	},
	.version = { "AT version:", "SDK version:", "Bin version:" },
	.first_id = 0,
	.last_id = LINKS - 1,
	.ok_before_prompt = true,
	.send_max = SEND_MAX,
};

/* ---- the module, and its remotes ---- */

enum role { ROLE_NONE, ROLE_COMMAND, ROLE_ECHO, ROLE_SINK, ROLE_SOURCE, ROLE_DUPLEX };

/*
 * struct remote - a program at the other end of a link
 * @role: ROLE_NONE: there is no link
 * @line: what has come of its first line
 * @want, @got, @in: bytes that it wants, has got, and the seed of what they should be
 * @left, @at, @out: the same of what it sends
 * @bad: it has got something else
 */
struct remote {
	enum role		role;
	char			line[64];
	unsigned int		line_len;
	u32			want, got, in;
	u32			left, at, out;
	bool			bad;
};

/*
 * struct esp - the module and its device
 * @lock: protects what follows, and the order of what the module says
 * @left: bytes of a payload that it waits for, of which it has @got
 * @lose: so many bytes of the next thing that a remote says are lost on the serial line, once
 * @forget: it has lost the link before the next send, without a word, once
 * @over: its remotes say no more
 * @read: bytes that the test has read
 * @sock: the program's socket
 * @buf: place for 128 KiB
 */
struct esp {
	struct atw_transport	t;
	struct atw_dev		*adev;
	struct mutex		lock;
	char			line[160];
	unsigned int		len;
	bool			mux;
	u32			link, left, got;
	u8			payload[SEND_MAX];
	struct remote		remote[LINKS];
	unsigned int		lose;
	bool			forget;
	u8			out[CHUNK + 64];
	atomic_t		read;
	struct work_struct	pump;
	bool			over;
	struct socket		*sock;
	u8			*buf;
};

static u8 pattern(u32 seed, u32 at)
{
	return at * 7 + (at >> 8) * 13 + seed * 31;
}

static void pattern_fill(u8 *buf, u32 len, u32 seed, u32 at)
{
	u32 i;

	for (i = 0; i < len; i++)
		buf[i] = pattern(seed, at + i);
}

static bool pattern_check(const u8 *buf, u32 len, u32 seed, u32 at)
{
	u32 i;

	for (i = 0; i < len; i++)
		if (buf[i] != pattern(seed, at + i))
			return false;
	return true;
}

static __printf(2, 3) void esp_say(struct esp *f, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vscnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	atw_channel_receive(&f->adev->module.ch, (const u8 *)text, strlen(text));
}

/* Bytes of a remote: each print comes in one piece. */
static void esp_ipd(struct esp *f, u32 link, const void *bytes, u32 len)
{
	const u8 *buf = bytes;
	u32 n, lost;
	int head;

	for (; len; buf += n, len -= n) {
		n = min_t(u32, len, CHUNK);
		head = scnprintf(f->out, sizeof(f->out), "\r\n+IPD,%u,%u:", link, n);
		lost = min(f->lose, n);
		f->lose = 0;
		memcpy(f->out + head, buf + lost, n - lost);
		atw_channel_receive(&f->adev->module.ch, f->out, head + n - lost);
	}
}

static void esp_closes(struct esp *f, u32 link)
{
	f->remote[link].role = ROLE_NONE;
	esp_say(f, "%u,CLOSED\r\n", link);
}

/* What it has been asked for, as much as the program is ready to read. */
static void remote_sends(struct esp *f, u32 link)
{
	struct remote *r = &f->remote[link];
	u8 *chunk = f->payload;
	u32 n;

	while (r->left && (int)(r->at - atomic_read(&f->read)) < WINDOW) {
		n = min_t(u32, r->left, CHUNK);
		pattern_fill(chunk, n, r->out, r->at);
		esp_ipd(f, link, chunk, n);
		r->at += n;
		r->left -= n;
	}
	if (r->role == ROLE_SOURCE && !r->left)
		esp_closes(f, link);
}

static void esp_pump(struct work_struct *work)
{
	struct esp *f = container_of(work, struct esp, pump);
	u32 i;

	mutex_lock(&f->lock);
	/* Its buffer is the module's: it is free as long as nothing is sent to that. */
	for (i = 0; i < LINKS && !f->left && !f->over; i++)
		if (f->remote[i].role == ROLE_SOURCE || f->remote[i].role == ROLE_DUPLEX)
			remote_sends(f, i);
	mutex_unlock(&f->lock);
}

static void remote_told(struct remote *r)
{
	r->got = 0;
	r->at = 0;
	if (!strcmp(r->line, "echo"))
		r->role = ROLE_ECHO;
	else if (sscanf(r->line, "sink %u %u", &r->want, &r->in) == 2)
		r->role = ROLE_SINK;
	else if (sscanf(r->line, "source %u %u", &r->left, &r->out) == 2)
		r->role = ROLE_SOURCE;
	else if (sscanf(r->line, "duplex %u %u", &r->left, &r->out) == 2)
		r->role = ROLE_DUPLEX;
	if (r->role == ROLE_DUPLEX) {
		r->want = r->left;
		r->in = r->out + 1;
	}
}

static void remote_gets(struct esp *f, u32 link, const u8 *buf, u32 len)
{
	struct remote *r = &f->remote[link];
	char text[32];

	for (; len && r->role == ROLE_COMMAND; buf++, len--) {
		if (*buf == '\n')
			remote_told(r);
		else if (r->line_len < sizeof(r->line) - 1)
			r->line[r->line_len++] = *buf;
	}
	if (r->role == ROLE_ECHO) {
		esp_ipd(f, link, buf, len);
	} else if (len && (r->role == ROLE_SINK || r->role == ROLE_DUPLEX)) {
		r->bad |= !pattern_check(buf, len, r->in, r->got);
		r->got += len;
		if (r->got < r->want)
			return;
		if (r->role != ROLE_SINK)
			return;
		scnprintf(text, sizeof(text), "%s %u\n", r->bad ? "bad" : "ok", r->got);
		esp_ipd(f, link, text, strlen(text));
		esp_closes(f, link);
	}
}

static void esp_starts(struct esp *f, u32 link, u32 port)
{
	struct remote *r = &f->remote[link];

	if (!f->mux || link >= LINKS) {
		esp_say(f, "\r\nERROR\r\n");
	} else if (r->role != ROLE_NONE) {
		esp_say(f, "ALREADY CONNECTED\r\n\r\nERROR\r\n");
	} else if (port == CLOSED_PORT) {
		esp_say(f, "%u,CLOSED\r\n\r\nERROR\r\n", link);
	} else {
		memset(r, 0, sizeof(*r));
		r->role = ROLE_COMMAND;
		esp_say(f, "%u,CONNECT\r\n", link);
		/* What it says first comes before the answer, or after that. */
		if (port == GREET_PORT && link & 1)
			esp_ipd(f, link, GREETING, strlen(GREETING));
		esp_say(f, "\r\nOK\r\n");
		if (port == GREET_PORT && !(link & 1))
			esp_ipd(f, link, GREETING, strlen(GREETING));
	}
}

static void esp_lists(struct esp *f)
{
	u32 i;

	esp_say(f, "STATUS:3\r\n");
	for (i = 0; i < LINKS; i++)
		if (f->remote[i].role != ROLE_NONE)
			esp_say(f, "+CIPSTATUS:%u,\"TCP\",\"192.0.2.1\",%u,50000,0\r\n", i, PORT);
	esp_say(f, "\r\nOK\r\n");
}

static void esp_command(struct esp *f, const char *line)
{
	u32 link, n, port;
	char host[128];

	/* Echoed as it came. */
	esp_say(f, "%s\r\r\n", line);
	if (!strcmp(line, "AT") || !strcmp(line, "ATE1") || !strcmp(line, "AT+CIPDINFO=0")) {
		esp_say(f, "\r\nOK\r\n");
	} else if (!strcmp(line, "AT+CIPMUX=1")) {
		f->mux = true;
		esp_say(f, "\r\nOK\r\n");
	} else if (!strcmp(line, "AT+GMR")) {
		esp_say(f, "AT version:2.2.0.0(c6fa6bf - ESP32 - Jul  2 2021 06:44:05)\r\n");
		esp_say(f, "SDK version:v4.2.2-76-gefa6eca\r\nBin version:2.2.0(WROOM-32)\r\n");
		esp_say(f, "\r\nOK\r\n");
	} else if (!strcmp(line, "AT+CIPSTA?")) {
		esp_say(f, "+CIPSTA:ip:\"192.0.2.9\"\r\n+CIPSTA:gateway:\"192.0.2.254\"\r\n");
		esp_say(f, "+CIPSTA:netmask:\"255.255.255.0\"\r\n\r\nOK\r\n");
	} else if (!strcmp(line, "AT+CIPSTATUS")) {
		esp_lists(f);
	} else if (sscanf(line, "AT+CIPSTART=%u,\"TCP\",\"%127[^\"]\",%u", &link, host,
			  &port) == 3) {
		esp_starts(f, link, port);
	} else if (sscanf(line, "AT+CIPSEND=%u,%u", &link, &n) == 2) {
		if (f->forget && link < LINKS)
			f->remote[link].role = ROLE_NONE;
		f->forget = false;
		if (link >= LINKS || f->remote[link].role == ROLE_NONE || !n || n > SEND_MAX) {
			esp_say(f, "link is not valid\r\n\r\nERROR\r\n");
			return;
		}
		f->link = link;
		f->left = n;
		f->got = 0;
		esp_say(f, "\r\nOK\r\n\r\n>");
	} else if (sscanf(line, "AT+CIPCLOSE=%u", &link) == 1) {
		if (link >= LINKS || f->remote[link].role == ROLE_NONE) {
			esp_say(f, "UNLINK\r\n\r\nERROR\r\n");
			return;
		}
		esp_closes(f, link);
		esp_say(f, "\r\nOK\r\n");
	} else {
		esp_say(f, "\r\nERROR\r\n");
	}
}

/* Takes bytes of a payload, or up to the end of a line. */
static size_t esp_takes(struct esp *f, const u8 *buf, size_t len)
{
	size_t i;

	if (f->left) {
		len = min_t(size_t, len, f->left);
		memcpy(f->payload + f->got, buf, len);
		f->got += len;
		f->left -= len;
		if (f->left)
			return len;
		esp_say(f, "\r\nRecv %u bytes\r\n\r\nSEND OK\r\n", f->got);
		remote_gets(f, f->link, f->payload, f->got);
		schedule_work(&f->pump);
		return len;
	}
	for (i = 0; i < len; i++) {
		if (f->len < sizeof(f->line) - 1)
			f->line[f->len++] = buf[i];
		if (buf[i] != '\n')
			continue;
		while (f->len && (f->line[f->len - 1] == '\n' || f->line[f->len - 1] == '\r'))
			f->len--;
		f->line[f->len] = '\0';
		if (f->len)
			esp_command(f, f->line);
		f->len = 0;
		return i + 1;
	}
	return len;
}

static ssize_t esp_write(struct atw_transport *t, const u8 *buf, size_t len)
{
	struct esp *f = container_of(t, struct esp, t);

	/* It takes nothing before it is known whose it is. */
	if (!READ_ONCE(f->adev))
		return 0;
	mutex_lock(&f->lock);
	len = esp_takes(f, buf, len);
	mutex_unlock(&f->lock);
	return len;
}

static const struct atw_transport_ops esp_transport_ops = {
	.write = esp_write,
};

/* ---- the program ---- */

/* Waits for what must come. */
#define comes(condition) ({							\
	unsigned long end = jiffies + LIMIT;					\
										\
	while (!(condition) && time_before(jiffies, end))			\
		schedule_timeout_uninterruptible(1);				\
	(condition);								\
})

static int esp_test_init(struct kunit *test)
{
	struct esp *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	struct atw_dev *adev;

	if (!f)
		return -ENOMEM;
	f->buf = kunit_kzalloc(test, 2 * 65536, GFP_KERNEL);
	if (!f->buf)
		return -ENOMEM;
	if (!atw_relay_wq)
		return 0;
	f->t.ops = &esp_transport_ops;
	f->t.dialect = &esp_at;
	mutex_init(&f->lock);
	INIT_WORK(&f->pump, esp_pump);
	adev = atw_dev_register(&f->t, NULL, NULL, &init_net);
	if (IS_ERR(adev))
		return PTR_ERR(adev);
	WRITE_ONCE(f->adev, adev);
	atw_channel_write_wakeup(&adev->module.ch);
	test->priv = f;
	return 0;
}

static void esp_test_exit(struct kunit *test)
{
	struct esp *f = test->priv;

	if (!f)
		return;
	if (f->sock)
		sock_release(f->sock);
	mutex_lock(&f->lock);
	f->over = true;
	mutex_unlock(&f->lock);
	atw_dev_unregister(f->adev);
	cancel_work_sync(&f->pump);
}

/* The module, which has joined a network. */
static struct esp *esp(struct kunit *test)
{
	struct esp *f = test->priv;

	if (!f || !IS_ENABLED(CONFIG_ATWIFI_SOCKETS))
		kunit_skip(test, "this kernel runs the suites before the driver is there");
	KUNIT_ASSERT_TRUE(test, comes(atw_module_state(&f->adev->module) == ATW_MODULE_JOINED));
	return f;
}

static int esp_connect(struct socket *sock, u16 port, int len, int flags)
{
	struct sockaddr_atw addr = {
		.satw_family = AF_ATWIFI,
		.satw_port = htons(port),
		.satw_addr = htonl(0xc0000201),
	};

	return kernel_connect(sock, (struct sockaddr_unsized *)&addr, len, flags);
}

static int send_all(struct socket *sock, const void *buf, size_t len)
{
	struct kvec vec = { .iov_base = (void *)buf, .iov_len = len };
	struct msghdr msg = { .msg_flags = MSG_NOSIGNAL };

	return kernel_sendmsg(sock, &msg, &vec, 1, len);
}

/* Reads all of it, or up to the end. */
static int recv_flags(struct kunit *test, struct socket *sock, void *buf, size_t len, int flags)
{
	struct kvec vec = { .iov_base = buf, .iov_len = len };
	struct esp *f = test->priv;
	struct msghdr msg = { 0 };
	int n;

	n = kernel_recvmsg(sock, &msg, &vec, 1, len, flags);
	if (n > 0) {
		atomic_add(n, &f->read);
		schedule_work(&f->pump);
	}
	return n;
}

static int recv_all(struct kunit *test, struct socket *sock, void *buf, size_t len)
{
	return recv_flags(test, sock, buf, len, MSG_WAITALL);
}

/* A socket that is connected to a program, which was told what to do. */
static struct socket *peer(struct kunit *test, u16 port, int len, const char *line)
{
	struct esp *f = test->priv;

	KUNIT_ASSERT_EQ(test, 0, sock_create_kern(&init_net, PF_ATWIFI, SOCK_STREAM, 0,
						  &f->sock));
	f->sock->sk->sk_rcvtimeo = LIMIT;
	KUNIT_ASSERT_EQ(test, 0, esp_connect(f->sock, port, len, 0));
	if (line[0])
		KUNIT_ASSERT_EQ(test, (int)strlen(line), send_all(f->sock, line, strlen(line)));
	return f->sock;
}

static void hang_up(struct kunit *test)
{
	struct esp *f = test->priv;

	sock_release(f->sock);
	f->sock = NULL;
}

static bool echo_works(struct kunit *test, struct socket *sock, u32 seed, u32 n)
{
	struct esp *f = test->priv;

	pattern_fill(f->buf, n, seed, 0);
	return send_all(sock, f->buf, n) == n && recv_all(test, sock, f->buf + n, n) == n &&
	       pattern_check(f->buf + n, n, seed, 0);
}

/* The remote has said that it has got all, and has closed. */
static bool sink_is_content(struct kunit *test, struct socket *sock, u32 want)
{
	char text[32], said[32] = "";
	int n = scnprintf(text, sizeof(text), "ok %u\n", want);

	return recv_all(test, sock, said, n) == n && !strcmp(said, text) &&
	       recv_all(test, sock, said, 1) == 0;
}

static void esp_echo(struct kunit *test)
{
	struct socket *sock;

	esp(test);
	sock = peer(test, PORT, sizeof(struct sockaddr_atw), "echo\n");
	KUNIT_EXPECT_TRUE(test, echo_works(test, sock, 1, 1));
	KUNIT_EXPECT_TRUE(test, echo_works(test, sock, 2, 64));
	KUNIT_EXPECT_TRUE(test, echo_works(test, sock, 3, 2048));
}

/* An address without the room for a name. */
static void esp_short_address(struct kunit *test)
{
	esp(test);
	KUNIT_EXPECT_TRUE(test, echo_works(test, peer(test, PORT, ATW_ADDRLEN_MIN, "echo\n"), 1,
					   64));
}

/* Payload that looks like the module's own words is payload. */
static void esp_payload_like_protocol(struct kunit *test)
{
	static const char text[] =
		"\r\nOK\r\n\r\nERROR\r\n\r\nSEND OK\r\nSEND FAIL\r\n>\r\n>"
		"\r\n+IPD,0,5:hello\r\n+IPD,1,3:0,CLOSED\r\n1,CLOSED\r\nRecv 5 bytes\r\n"
		"link is not valid\r\nALREADY CONNECTED\r\nDNS Fail\r\nWIFI DISCONNECT\r\n"
		"\r\nready\r\nbusy p...\r\nAT+ATW0000000000000000\r\r\n\r\nERROR\r\n"
		"AT+RST\r\n+++AT+CIPCLOSE=0\r\n+++\r\n\0\0\xff\xfe\r\r\n\n";
	struct esp *f = esp(test);
	struct socket *sock;
	int i;

	sock = peer(test, PORT, sizeof(struct sockaddr_atw), "echo\n");
	for (i = 0; i < 8; i++) {
		KUNIT_ASSERT_EQ(test, (int)sizeof(text), send_all(sock, text, sizeof(text)));
		KUNIT_ASSERT_EQ(test, (int)sizeof(text),
				recv_all(test, sock, f->buf, sizeof(text)));
		KUNIT_ASSERT_EQ(test, 0, memcmp(text, f->buf, sizeof(text)));
	}
	KUNIT_ASSERT_EQ(test, 3, send_all(sock, "+++", 3));
	KUNIT_ASSERT_EQ(test, 3, recv_all(test, sock, f->buf, 3));
	KUNIT_EXPECT_EQ(test, 0, memcmp("+++", f->buf, 3));
	KUNIT_EXPECT_TRUE(test, echo_works(test, sock, 4, 100));
}

static void esp_upload(struct kunit *test)
{
	struct esp *f = esp(test);
	struct socket *sock;
	u32 at;

	sock = peer(test, PORT, sizeof(struct sockaddr_atw), "sink 262144 11\n");
	for (at = 0; at < 262144; at += 65536) {
		pattern_fill(f->buf, 65536, 11, at);
		KUNIT_ASSERT_EQ(test, 65536, send_all(sock, f->buf, 65536));
	}
	KUNIT_EXPECT_TRUE(test, sink_is_content(test, sock, 262144));
}

static void esp_download(struct kunit *test)
{
	struct esp *f = esp(test);
	struct socket *sock;
	u32 at;

	sock = peer(test, PORT, sizeof(struct sockaddr_atw), "source 262144 12\n");
	for (at = 0; at < 262144; at += 8192) {
		KUNIT_ASSERT_EQ(test, 8192, recv_all(test, sock, f->buf, 8192));
		KUNIT_ASSERT_TRUE(test, pattern_check(f->buf, 8192, 12, at));
	}
	KUNIT_EXPECT_EQ(test, 0, recv_all(test, sock, f->buf, 1));
	KUNIT_EXPECT_EQ(test, 0, recv_all(test, sock, f->buf, 1));
}

/* Up and down at once over one connection. */
static void esp_duplex(struct kunit *test)
{
	unsigned long end = jiffies + LIMIT;
	struct esp *f = esp(test);
	u32 sent = 0, got = 0, n;
	struct socket *sock;
	struct remote *r;
	int did;

	sock = peer(test, PORT, sizeof(struct sockaddr_atw), "duplex 100000 30\n");
	while ((sent < 100000 || got < 100000) && time_before(jiffies, end)) {
		n = min_t(u32, 4096, 100000 - sent);
		pattern_fill(f->buf, n, 31, sent);
		did = n ? send_all(sock, f->buf, n) : 0;
		KUNIT_ASSERT_EQ(test, (int)n, did);
		sent += n;
		did = recv_flags(test, sock, f->buf, 65536, MSG_DONTWAIT);
		if (did == -EAGAIN)
			schedule_timeout_uninterruptible(1);
		else
			KUNIT_ASSERT_GT(test, did, 0);
		if (did > 0) {
			KUNIT_ASSERT_TRUE(test, pattern_check(f->buf, did, 30, got));
			got += did;
		}
	}
	KUNIT_EXPECT_EQ(test, 100000U, got);
	for (r = f->remote; r->role != ROLE_DUPLEX && r < &f->remote[LINKS - 1]; r++)
		;
	KUNIT_EXPECT_TRUE(test, comes(READ_ONCE(r->got) == 100000));
	KUNIT_EXPECT_FALSE(test, r->bad);
}

/* Writes of all sizes around the module's limits. */
static void esp_odd_sizes(struct kunit *test)
{
	static const u16 size[] = { 1, 2, 3, 7, 255, 256, 257, 1023, 1024, 1025, 1460, 2047, 2048,
				    2049, 4095, 4097, 10000 };
	struct esp *f = esp(test);
	u32 at = 0, total = 0;
	struct socket *sock;
	char line[32];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(size); i++)
		total += size[i];
	snprintf(line, sizeof(line), "sink %u 13\n", total);
	sock = peer(test, PORT, sizeof(struct sockaddr_atw), line);
	for (i = 0; i < ARRAY_SIZE(size); i++) {
		pattern_fill(f->buf, size[i], 13, at);
		KUNIT_ASSERT_EQ(test, (int)size[i], send_all(sock, f->buf, size[i]));
		at += size[i];
	}
	KUNIT_EXPECT_TRUE(test, sink_is_content(test, sock, total));
}

/* What a server says at once comes with the answer to the connect. */
static void esp_server_speaks_first(struct kunit *test)
{
	struct esp *f = esp(test);
	struct socket *sock;
	int i;

	for (i = 0; i < 10; i++) {
		sock = peer(test, GREET_PORT, sizeof(struct sockaddr_atw), "");
		KUNIT_ASSERT_EQ(test, (int)strlen(GREETING),
				recv_all(test, sock, f->buf, strlen(GREETING)));
		KUNIT_ASSERT_EQ(test, 0, memcmp(GREETING, f->buf, strlen(GREETING)));
		KUNIT_ASSERT_EQ(test, 5, send_all(sock, "echo\n", 5));
		KUNIT_ASSERT_TRUE(test, echo_works(test, sock, i, 32));
		hang_up(test);
	}
}

static void esp_connect_nonblocking(struct kunit *test)
{
	struct esp *f = esp(test);
	struct socket *sock;
	int err;

	KUNIT_ASSERT_EQ(test, 0, sock_create_kern(&init_net, PF_ATWIFI, SOCK_STREAM, 0,
						  &f->sock));
	sock = f->sock;
	sock->sk->sk_rcvtimeo = LIMIT;
	KUNIT_ASSERT_EQ(test, -EINPROGRESS,
			esp_connect(sock, PORT, sizeof(struct sockaddr_atw), O_NONBLOCK));
	KUNIT_ASSERT_TRUE(test, comes(READ_ONCE(sock->sk->sk_state) == TCP_ESTABLISHED));
	KUNIT_ASSERT_EQ(test, 0, READ_ONCE(sock->sk->sk_err));
	/* The socket is connected: the second call either says so for the first time. */
	err = esp_connect(sock, PORT, sizeof(struct sockaddr_atw), O_NONBLOCK);
	KUNIT_EXPECT_TRUE(test, !err || err == -EISCONN);
	KUNIT_EXPECT_EQ(test, -EISCONN,
			esp_connect(sock, PORT, sizeof(struct sockaddr_atw), O_NONBLOCK));
	KUNIT_ASSERT_EQ(test, 5, send_all(sock, "echo\n", 5));
	KUNIT_EXPECT_TRUE(test, echo_works(test, sock, 1, 64));
}

static void esp_connect_twice(struct kunit *test)
{
	struct socket *sock;

	esp(test);
	sock = peer(test, PORT, sizeof(struct sockaddr_atw), "echo\n");
	KUNIT_EXPECT_EQ(test, -EISCONN, esp_connect(sock, PORT, sizeof(struct sockaddr_atw), 0));
	KUNIT_EXPECT_TRUE(test, echo_works(test, sock, 1, 64));
}

/* Its words for what goes wrong are the errnos that a programmer expects. */
static void esp_failures(struct kunit *test)
{
	struct esp *f = esp(test);
	struct socket *sock;
	char byte;

	KUNIT_ASSERT_EQ(test, 0, sock_create_kern(&init_net, PF_ATWIFI, SOCK_STREAM, 0,
						  &f->sock));
	KUNIT_EXPECT_EQ(test, -ECONNREFUSED,
			esp_connect(f->sock, CLOSED_PORT, sizeof(struct sockaddr_atw), 0));
	hang_up(test);

	sock = peer(test, PORT, sizeof(struct sockaddr_atw), "echo\n");
	KUNIT_ASSERT_TRUE(test, echo_works(test, sock, 1, 64));
	WRITE_ONCE(f->forget, true);
	KUNIT_ASSERT_EQ(test, 1, send_all(sock, "x", 1));
	KUNIT_EXPECT_EQ(test, -ECONNRESET, recv_all(test, sock, &byte, 1));
}

/* Nothing closes a payload: one that is short is no end of it, and never a hole. */
static void esp_lost_bytes(struct kunit *test)
{
	/* One byte, the next command's echo, and what is neither. */
	static const u8 lost[] = { 1, sizeof("AT+CIPSTA?\r\r\n") - 1, 20 };
	struct esp *f = esp(test);
	struct socket *sock;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lost); i++) {
		sock = peer(test, PORT, sizeof(struct sockaddr_atw), "echo\n");
		KUNIT_ASSERT_TRUE(test, echo_works(test, sock, 1, 64));
		WRITE_ONCE(f->lose, lost[i]);
		pattern_fill(f->buf, 64, 2, 0);
		KUNIT_ASSERT_EQ(test, 64, send_all(sock, f->buf, 64));
		/* Where nothing else is said the rest is not to be waited for. */
		KUNIT_ASSERT_TRUE(test, comes(!READ_ONCE(f->lose)));
		atw_sched_set(&f->adev->module.sched, ATW_DO_LINK);
		KUNIT_EXPECT_EQ(test, -ECONNRESET, recv_all(test, sock, f->buf, 64));
		hang_up(test);
	}
}

static struct kunit_case esp_test_cases[] = {
	KUNIT_CASE(esp_echo),
	KUNIT_CASE(esp_short_address),
	KUNIT_CASE(esp_payload_like_protocol),
	KUNIT_CASE(esp_upload),
	KUNIT_CASE(esp_download),
	KUNIT_CASE(esp_duplex),
	KUNIT_CASE(esp_odd_sizes),
	KUNIT_CASE(esp_server_speaks_first),
	KUNIT_CASE(esp_connect_nonblocking),
	KUNIT_CASE(esp_connect_twice),
	KUNIT_CASE(esp_failures),
	KUNIT_CASE(esp_lost_bytes),
	{}
};

static struct kunit_suite esp_test_suite = {
	.name = "atwifi_dialect_esp",
	.init = esp_test_init,
	.exit = esp_test_exit,
	.test_cases = esp_test_cases,
};

kunit_test_suites(&esp_test_suite);
