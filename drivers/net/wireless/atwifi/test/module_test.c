// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module as a whole against one made of a write function, which answers each command
 * before write() returns: what it is told when, and what its users are.
 */
#include <kunit/test.h>
#include <linux/device.h>
#include <linux/jiffies.h>
#include <linux/kmsg_dump.h>
#include <linux/skbuff.h>

#include "../conn_priv.h"
#include "../firmware.h"
#include "../module.h"
#include "../query.h"
#include "../timing.h"

#define LIMIT	(60 * HZ)

/* An owner of a connection, and what it was told. */
struct owner {
	struct atw_conn	*c;
	bool		opened, closed;
	int		open_err, close_err;
	unsigned int	got;
};

/*
 * struct fake - a module and what it is connected to
 * @mutes: it says nothing to a command that begins so
 * @muted: it was told one of these
 * @full: its UART takes nothing
 * @broken: its UART's driver says that it cannot write
 * @refused: it was offered something meanwhile
 * @versions: its answer to AT+GMR
 * @rows: what it says that it has
 * @status: how it says that its link is
 * @name: its network's
 * @rest: what it says of it behind the name
 * @next: what it says the next time; NULL: the same
 * @name_ms: how long it takes for a name, by the fake clock
 * @before_name: what it says before it tells the address, once
 * @at_ms: and for "AT"
 * @networks: the rows of a scan
 * @late: what it says only when it is asked for something else, in place of the scan's end
 * @mode: what it is, by AT+WMODE
 * @dns: what it says of its name servers
 * @moves: how often its users were told of another address
 * @mac: its own address, as they saw it when they were told that it was brought up
 * @refuses: what begins so it does not do
 * @reason: why; NULL: it does not say
 * @garbles: what begins so reaches it damaged, each time otherwise
 * @joins: how its link is when it is told to join a network; 3 where that succeeds
 * @early: it says OK to that in any case, as before it has tried
 * @story: how its link is each time that it is asked, a digit; '!': an event comes before that
 * @echo: the command that it says itself before it answers it, once
 * @behind: it has yet to say OK to an AT, which it does when it is asked for something else
 * @autott: its answer to AT+SOCKETAUTOTT?
 * @raw: it is in transparent mode, with a remote who answers like a module
 * @remote: what he has got
 * @said: the commands that it was told, one a line
 */
struct fake {
	struct atw_transport	t;
	struct atw_module	m;
	const char		*mutes;
	bool			muted;
	bool			full;
	bool			broken;
	bool			refused;
	const char		*versions;
	const char		*rows;
	unsigned int		status;
	const char		*name;
	const char		*rest;
	const char		*next;
	unsigned int		name_ms;
	const char		*before_name;
	unsigned int		at_ms;
	const char		*networks;
	const char		*late;
	unsigned int		mode;
	const char		*dns;
	unsigned int		moves;
	u8			mac[6];
	const char		*refuses;
	const char		*reason;
	const char		*garbles;
	unsigned int		joins;
	bool			early;
	const char		*story;
	const char		*echo;
	bool			behind;
	const char		*autott;
	bool			raw;
	char			remote[64];
	unsigned int		remote_len;
	u32			addr_meanwhile;	/* told when the netmask was asked for */
	char			rx[256];
	unsigned int		rx_len;
	u32			payload_left;
	char			said[65536];
	unsigned int		said_len;
	struct owner		owner[2];
};

/* Of a network that it has joined, without the password. */
#define JOINED	",14:de:39:06:86:e4,WPA2 AES,7c:b9:4c:1d:c6:39,6,192.0.2.2,192.0.2.1"

/* Moved by who waits for the module, which moves it, and by nobody else. */
static ktime_t fake_now;

static ktime_t fake_clock(void)
{
	return READ_ONCE(fake_now);
}

static void fake_pass(unsigned int ms)
{
	WRITE_ONCE(fake_now, ktime_add_ms(READ_ONCE(fake_now), ms));
}

static void fake_say(struct fake *f, const char *s)
{
	atw_channel_receive(&f->m.ch, (const u8 *)s, strlen(s));
}

static void fake_answer(struct fake *f, const char *line)
{
	const char *id = strrchr(line, ',');
	char text[64];

	if (f->behind && strcmp(line, "AT")) {
		f->behind = false;
		fake_say(f, "\r\nOK\r\n");
	}
	if (f->echo && !strcmp(line, f->echo)) {
		f->echo = NULL;
		fake_say(f, line);
		fake_say(f, "\r\n");
	}
	if (f->refuses && !strncmp(line, f->refuses, strlen(f->refuses))) {
		fake_say(f, f->reason ?: "");
		fake_say(f, "\r\n+ERROR\r\n");
		return;
	}
	if (f->garbles && !strncmp(line, f->garbles, strlen(f->garbles))) {
		snprintf(text, sizeof(text), "Unknown cmd:AT%u\r\n", f->said_len);
		fake_say(f, text);
		return;
	}
	if (!strcmp(line, "AT+GMR")) {
		fake_say(f, READ_ONCE(f->versions));
	} else if (!strcmp(line, "AT+WJAP?")) {
		if (f->story && *f->story == '!') {
			fake_say(f, "\r\n+EVENT:WIFI_CONNECT\r\n");
			f->story++;
		}
		if (f->story && *f->story)
			WRITE_ONCE(f->status, *f->story++ - '0');
		snprintf(text, sizeof(text), "\r\n+WJAP:%u,", READ_ONCE(f->status));
		fake_say(f, text);
		fake_say(f, READ_ONCE(f->name));
		fake_say(f, ",secret");
		fake_say(f, READ_ONCE(f->rest));
		if (f->next)
			WRITE_ONCE(f->rest, f->next);
	} else if (!strncmp(line, "AT+WDOMAIN=", 11)) {
		fake_pass(f->name_ms);
		if (f->before_name)
			fake_say(f, f->before_name);
		f->before_name = NULL;
		fake_say(f, "\r\n+WDOMAIN:192.0.2.7\r\n");
	} else if (!strcmp(line, "AT+WDNS?")) {
		fake_say(f, READ_ONCE(f->dns));
	} else if (!strcmp(line, "AT+WSDHCP?")) {
		f->addr_meanwhile = atw_module_addr(&f->m);
		fake_say(f, "\r\n+WSDHCP:0,192.0.2.2,255.255.255.0,192.0.2.1\r\n");
	} else if (!strcmp(line, "AT+SOCKETAUTOTT?") && f->autott) {
		fake_say(f, f->autott);
	} else if (!strcmp(line, "AT")) {
		fake_pass(READ_ONCE(f->at_ms));
	} else if (!strcmp(line, "AT+SOCKET?")) {
		fake_say(f, READ_ONCE(f->rows));
	} else if (!strncmp(line, "AT+WJAP=", 8)) {
		WRITE_ONCE(f->status, READ_ONCE(f->joins));
		if (READ_ONCE(f->joins) != 3 && !f->early) {
			fake_say(f, "\r\nAT+WJAP:66\r\n+ERROR\r\n");
			return;
		}
	} else if (!strcmp(line, "AT+WDISCONNECT")) {
		WRITE_ONCE(f->status, 0);
	} else if (!strcmp(line, "AT+WMODE?")) {
		snprintf(text, sizeof(text), "\r\n+WMODE:%u\r\n", f->mode);
		fake_say(f, text);
	} else if (!strncmp(line, "AT+WMODE=", 9)) {
		f->mode = line[9] - '0';
	} else if (!strcmp(line, "AT+WSCANOPT?")) {
		fake_say(f, "\r\n+WSCANOPT:0x0f\r\n");
	} else if (!strcmp(line, "AT+WSCAN") && f->networks) {
		fake_say(f, f->networks);
		if (f->late)
			return;
	} else if (!strncmp(line, "AT+SOCKET=", 10) && id) {
		snprintf(text, sizeof(text), "connect success ConID=%s\r\n", id + 1);
		fake_say(f, text);
	} else if (!strncmp(line, "AT+SOCKETREAD=", 14)) {
		snprintf(text, sizeof(text), "+SOCKETREAD,%s,0", line + 14);
		fake_say(f, text);
	} else if (!strncmp(line, "AT+SOCKETSEND=", 14) && id) {
		if (!kstrtou32(id + 1, 10, &f->payload_left))
			fake_say(f, ">");
		return;
	} else if (!strncmp(line, "AT+ATW", 6)) {
		/* Its echo is on again. */
		if (f->late) {
			snprintf(text, sizeof(text), "%s\r\n", line);
			fake_say(f, text);
			fake_say(f, f->late);
		}
		f->late = NULL;
		snprintf(text, sizeof(text), "Unknown cmd:%s\r\n", line);
		fake_say(f, text);
		return;
	}
	fake_say(f, "\r\nOK\r\n");
}

static void fake_line(struct fake *f, const char *line)
{
	unsigned int len = f->said_len;
	const char *mutes = READ_ONCE(f->mutes);

	len += scnprintf(f->said + len, sizeof(f->said) - len, "%s\n", line);
	/* Pairs with the acquire in told(). */
	smp_store_release(&f->said_len, len);
	if (mutes && !strncmp(line, mutes, strlen(mutes)))
		WRITE_ONCE(f->muted, true);
	else
		fake_answer(f, line);
}

/* Whatever is written goes to the remote, but for what leaves the mode. */
static void fake_write_raw(struct fake *f, const u8 *buf, size_t len)
{
	size_t n = min(len, sizeof(f->remote) - f->remote_len);

	if (len == 3 && !memcmp(buf, "+++", 3)) {
		WRITE_ONCE(f->raw, false);
		fake_say(f, "\r\nOK\r\n");
		return;
	}
	memcpy(f->remote + f->remote_len, buf, n);
	f->remote_len += n;
	fake_say(f, "\r\n+SOCKETAUTOTT:0,,0\r\nOK\r\n");
}

static ssize_t fake_write(struct atw_transport *t, const u8 *buf, size_t len)
{
	struct fake *f = container_of(t, struct fake, t);
	size_t i;

	if (READ_ONCE(f->broken))
		return -EIO;
	if (READ_ONCE(f->raw)) {
		fake_write_raw(f, buf, len);
		return len;
	}
	if (READ_ONCE(f->full)) {
		WRITE_ONCE(f->refused, true);
		return 0;
	}
	if (f->payload_left) {
		len = min_t(size_t, len, f->payload_left);
		f->payload_left -= len;
		if (!f->payload_left)
			fake_say(f, "\r\nOK\r\n");
		return len;
	}
	for (i = 0; i < len; i++) {
		if (f->rx_len == sizeof(f->rx) - 1)
			return -EIO;
		f->rx[f->rx_len++] = buf[i];
		if (buf[i] != '\n' || f->rx_len < 2)
			continue;
		f->rx[f->rx_len - 2] = '\0';
		f->rx_len = 0;
		if (f->rx[0])
			fake_line(f, f->rx);
		return i + 1;
	}
	return len;
}

static const struct atw_transport_ops fake_transport_ops = {
	.write = fake_write,
};

static void fake_event(struct atw_module *m, enum atwifi_event event)
{
	struct fake *f = container_of(m, struct fake, m);

	f->moves += event == ATWIFI_EVENT_ADDRESS;
}

static void fake_changed(struct atw_module *m)
{
	struct fake *f = container_of(m, struct fake, m);

	if (atomic64_read(&m->bringups))
		memcpy(f->mac, m->mac, sizeof(f->mac));
}

static void fake_associated(struct atw_module *m)
{
}

static const struct atw_module_ops fake_module_ops = {
	.event = fake_event,
	.changed = fake_changed,
	.associated = fake_associated,
};

static void owner_opened(struct atw_conn *c, int err, u32 code)
{
	struct owner *o = c->owner;

	o->open_err = err;
	WRITE_ONCE(o->opened, true);
}

static bool owner_rx(struct atw_conn *c, struct sk_buff *skb)
{
	struct owner *o = c->owner;

	o->got += skb->len;
	kfree_skb(skb);
	return true;
}

static void owner_closed(struct atw_conn *c, int err, u32 code)
{
	struct owner *o = c->owner;

	o->close_err = err;
	WRITE_ONCE(o->closed, true);
}

static void owner_tx_done(struct atw_conn *c)
{
}

static const struct atw_conn_ops owner_ops = {
	.opened = owner_opened,
	.rx = owner_rx,
	.closed = owner_closed,
	.tx_done = owner_tx_done,
};

/* Waits for what must come. */
#define eventually(test, condition) do {					\
	unsigned long end = jiffies + LIMIT;				\
									\
	while (!(condition) && time_before(jiffies, end))		\
		schedule_timeout_uninterruptible(1);			\
	KUNIT_ASSERT_TRUE(test, condition);				\
} while (0)

/* How often it was told a command that begins so, since then. */
static unsigned int told(struct fake *f, unsigned int since, const char *begin)
{
	/* Pairs with the release in fake_line(). */
	unsigned int end = smp_load_acquire(&f->said_len), n = 0;
	const char *p = f->said + since;

	while (p < f->said + end) {
		n += !strncmp(p, begin, strlen(begin));
		p = strchr(p, '\n') + 1;
	}
	return n;
}

static bool joined(struct fake *f)
{
	return READ_ONCE(f->m.state) == ATW_MODULE_JOINED;
}

static void asks(struct fake *f, struct owner *o, enum atw_sock_type type)
{
	const struct atw_conn_spec spec = {
		.type = type,
		.name = "",
		.addr = type == ATW_TYPE_TCP_CLIENT ? 0xc0000203 : 0,
		.port = 80,
		.backlog = 1,
	};

	o->c = atw_conn_open(&f->m.conns, &spec, &owner_ops, o);
}

static void opened(struct kunit *test, struct owner *o, enum atw_sock_type type)
{
	struct fake *f = test->priv;

	asks(f, o, type);
	KUNIT_ASSERT_FALSE(test, IS_ERR(o->c));
	eventually(test, READ_ONCE(o->opened));
	KUNIT_ASSERT_EQ(test, 0, o->open_err);
}

/* From now on the module lists these. */
static void lists(struct kunit *test, struct owner *stream, struct owner *server)
{
	char *rows = kunit_kzalloc(test, 64, GFP_KERNEL);
	struct fake *f = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, rows);
	snprintf(rows, 64, "%u,4,3,192.0.2.3,80,-1,0\r\n%u,3,3,,-1,80,0\r\n",
		 stream->c->id, server->c->id);
	WRITE_ONCE(f->rows, rows);
}

static int module_test_init(struct kunit *test)
{
	struct device *dev = kunit_kzalloc(test, sizeof(*dev), GFP_KERNEL);
	struct fake *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	int err;

	if (!f || !dev)
		return -ENOMEM;
	dev->init_name = "atwifi_test";
	f->t.ops = &fake_transport_ops;
	f->versions = "at version:1.0.0\r\nfirmware version:V4.18_P23.2.1\r\n";
	f->rows = "";
	f->status = 3;
	f->mode = 1;
	f->name = "net";
	f->rest = JOINED;
	f->dns = "";
	atw_module_init(&f->m, dev, &fake_module_ops);
	err = atw_module_start(&f->m, &f->t);
	if (err)
		return err;
	test->priv = f;
	atw_channel_go(&f->m.ch);
	eventually(test, joined(f));
	return 0;
}

static void module_test_exit(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o;

	if (!f)
		return;
	atw_module_stop(&f->m);
	for (o = f->owner; o < f->owner + ARRAY_SIZE(f->owner); o++) {
		if (IS_ERR_OR_NULL(o->c))
			continue;
		atw_conn_close(o->c, true, 0);
		atw_conn_put(o->c);
	}
}

static void restarts(struct kunit *test)
{
	struct fake *f = test->priv;
	s64 bringups = atomic64_read(&f->m.bringups);

	fake_say(f, "\r\nready\r\n");
	eventually(test, atomic64_read(&f->m.bringups) == bringups + 1 && joined(f));
}

/* What lasts is there when it wakes up, and nothing else; asleep it is left alone. */
static void module_sleeps(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *stream = &f->owner[0], *server = &f->owner[1];
	struct atw_learned *learned = &f->m.conns.learned;
	struct atw_request *request;
	unsigned int before;
	s64 reboots;

	opened(test, stream, ATW_TYPE_TCP_CLIENT);
	opened(test, server, ATW_TYPE_TCP_SERVER);
	KUNIT_ASSERT_EQ(test, 0, atw_module_set_recv_mode(&f->m, true, atw_timing.request));
	mutex_lock(&f->m.ch.rx_lock);
	memset(learned, true, sizeof(*learned));
	/* Else it would be restarted for want of numbers. */
	learned->narrow_ids = false;
	mutex_unlock(&f->m.ch.rx_lock);

	atw_module_sleep(&f->m);
	KUNIT_EXPECT_EQ(test, ATW_MODULE_ASLEEP, f->m.state);
	KUNIT_EXPECT_NULL(test, memchr_inv(learned, 0, sizeof(*learned)));
	KUNIT_EXPECT_TRUE(test, stream->closed);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, stream->close_err);
	KUNIT_EXPECT_FALSE(test, server->closed);
	request = atw_request_new(0, NULL);
	KUNIT_ASSERT_NOT_NULL(test, request);
	KUNIT_EXPECT_EQ(test, -ENETDOWN, atw_module_queue(&f->m, request));
	atw_request_put(request);

	before = f->said_len;
	reboots = atomic64_read(&f->m.reboots);
	fake_say(f, "\r\nready\r\n\r\n+EVENT:SocketDown,100,5,");
	atw_channel_kick(&f->m.ch);
	KUNIT_EXPECT_EQ(test, before, f->said_len);

	atw_module_wake(&f->m);
	eventually(test, told(f, before, "AT+SOCKET=3,80"));
	KUNIT_EXPECT_TRUE(test, joined(f));
	KUNIT_EXPECT_EQ(test, reboots, atomic64_read(&f->m.reboots));
	KUNIT_EXPECT_EQ(test, 0LL, (s64)atomic64_read(&f->m.conns.counts.damaged));
	KUNIT_EXPECT_EQ(test, 1U, told(f, before, "AT+SOCKETRECVCFG=0"));
	KUNIT_EXPECT_EQ(test, 0U, told(f, before, "AT+SOCKET=4"));
	KUNIT_EXPECT_FALSE(test, server->closed);
}

static int request_run(struct atw_module *m, void *arg)
{
	return atw_channel_run(&m->ch, "AT+WRSSI?", LIMIT);
}

/* A module that does not answer holds nobody up; who waited for it hears why. */
static void module_sleeps_unanswered(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *stream = &f->owner[0];
	struct atw_request *request;

	WRITE_ONCE(f->mutes, "AT+WRSSI?");
	request = atw_request_new(0, request_run);
	KUNIT_ASSERT_NOT_NULL(test, request);
	KUNIT_ASSERT_EQ(test, 0, atw_module_queue(&f->m, request));
	eventually(test, READ_ONCE(f->muted));
	asks(f, stream, ATW_TYPE_TCP_CLIENT);
	atw_module_sleep(&f->m);
	KUNIT_EXPECT_EQ(test, -ENETDOWN, atw_requests_wait(&f->m.requests, request, LIMIT));
	atw_request_put(request);
	KUNIT_EXPECT_TRUE(test, stream->opened);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, stream->open_err);
}

/* The same in the middle of a connect, and it goes away before it wakes up. */
static void module_sleeps_connecting(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *stream = &f->owner[0], *late = &f->owner[1];

	WRITE_ONCE(f->mutes, "AT+SOCKET=4");
	asks(f, stream, ATW_TYPE_TCP_CLIENT);
	eventually(test, READ_ONCE(f->muted));
	atw_module_sleep(&f->m);
	KUNIT_EXPECT_TRUE(test, stream->opened);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, stream->open_err);
	asks(f, late, ATW_TYPE_TCP_CLIENT);
	atw_module_stop(&f->m);
	KUNIT_EXPECT_TRUE(test, late->opened);
	KUNIT_EXPECT_EQ(test, -ENODEV, late->open_err);
	test->priv = NULL;
	atw_conn_put(stream->c);
	atw_conn_put(late->c);
}

/* A UART that takes nothing, in the middle of a datagram of a server that lasts. */
static void module_sleeps_full(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *server = &f->owner[0];
	struct sk_buff *skb;
	unsigned int before;

	opened(test, server, ATW_TYPE_UDP_SERVER);
	skb = alloc_skb(100, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_put_zero(skb, 100);
	WRITE_ONCE(f->full, true);
	KUNIT_ASSERT_EQ(test, 0, atw_conn_send(server->c, skb));
	eventually(test, READ_ONCE(f->refused));
	before = f->said_len;
	atw_module_sleep(&f->m);
	KUNIT_EXPECT_FALSE(test, server->closed);
	WRITE_ONCE(f->full, false);
	atw_module_wake(&f->m);
	eventually(test, told(f, before, "AT+SOCKET=1,80"));
	KUNIT_EXPECT_FALSE(test, server->closed);
}

/* What the families print at their start, those that say that they are ready without it. */
static const char *const banners[] = {
	/* Ai-WB2, its last line lost */
	"\r\n################################################\r\n\r\n"
	"arch:BL602,NULL\r\ncompany:Ai-Thinker|B&T\r\nble_mac:7cb94c1dd632\r\n"
	"wifi_mac:7cb94c1dd631\r\nsdk_version:release/release_bl_iot_sdk_1.6.36\r\n"
	"firmware_version:V4.18_P1.4.4-e15d67b\r\ncompile_time:Nov 25 2022 11:22:39\r\n\r\n",
	/* Ai-M61, Ai-M62 */
	"arch:BL616,NULL\r\nsdk_version:release/DEBUG\r\n"
	"firmware_version:release/V4.18_P0.0.1\r\n",
	/* BW16 */
	"#calibration_ok:[2:19:11] \r\nat version:V4.18_P2.1.0\r\n"
	"sdk version:amebaD-6.2c\r\nfirmware version:V2.1.0(May 30 2023-10:28:28)\r\n",
};

/* It starts once more while it is set up: an answer that cannot come is not waited for. */
static void module_starts_meanwhile(struct kunit *test)
{
	struct fake *f = test->priv;
	s64 timeouts, bringups;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(banners); i++) {
		timeouts = atomic64_read(&f->m.ch.timeouts);
		bringups = atomic64_read(&f->m.bringups);
		WRITE_ONCE(f->muted, false);
		WRITE_ONCE(f->mutes, "AT+UARTCFG?");
		fake_say(f, "\r\nready\r\n");
		eventually(test, READ_ONCE(f->muted));
		WRITE_ONCE(f->mutes, NULL);
		fake_say(f, banners[i]);
		eventually(test, atomic64_read(&f->m.bringups) == bringups + 1 && joined(f));
		KUNIT_EXPECT_EQ_MSG(test, timeouts, atomic64_read(&f->m.ch.timeouts),
				    "banner %zu", i);
	}
}

/* A module that starts anew, and never says so in a word. */
static void module_banners(struct kunit *test)
{
	struct owner *stream, *server;
	struct fake *f = test->priv;
	unsigned int before;
	size_t i;

	server = &f->owner[1];
	opened(test, server, ATW_TYPE_TCP_SERVER);
	for (i = 0; i < ARRAY_SIZE(banners); i++) {
		stream = &f->owner[0];
		opened(test, stream, ATW_TYPE_TCP_CLIENT);
		before = f->said_len;
		fake_say(f, banners[i]);
		eventually(test, READ_ONCE(stream->closed));
		KUNIT_EXPECT_EQ(test, -ECONNRESET, stream->close_err);
		eventually(test, atomic64_read(&f->m.reboots) == i + 1 && joined(f) &&
			   told(f, before, "AT+SOCKET=3,80"));
		KUNIT_EXPECT_EQ(test, 1U, told(f, before, "ATE0"));
		KUNIT_EXPECT_FALSE(test, server->closed);
		atw_conn_close(stream->c, true, 0);
		atw_conn_put(stream->c);
		memset(stream, 0, sizeof(*stream));
	}

	/* One that prints such things for fun loses nothing. */
	stream = &f->owner[0];
	opened(test, stream, ATW_TYPE_TCP_CLIENT);
	lists(test, stream, server);
	before = f->said_len;
	fake_say(f, banners[2]);
	fake_say(f, "\r\n+EVENT:WIFI_GOT_IP\r\n");
	eventually(test, !READ_ONCE(f->m.conns.audit.boot) && told(f, before, "AT+SOCKET?"));
	/* What that has brought about is done. */
	KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, true, atw_timing.request));
	KUNIT_EXPECT_FALSE(test, stream->closed);
	KUNIT_EXPECT_EQ(test, i, (size_t)atomic64_read(&f->m.reboots));
	KUNIT_EXPECT_TRUE(test, joined(f));
}

/* The words of a banner are a remote's, and bytes of what announced them are lost. */
static void module_banner_of_remote(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *stream = &f->owner[0], *server = &f->owner[1];
	unsigned int before;
	char text[96];

	opened(test, stream, ATW_TYPE_TCP_CLIENT);
	opened(test, server, ATW_TYPE_TCP_SERVER);
	lists(test, stream, server);
	before = f->said_len;
	snprintf(text, sizeof(text),
		 "\r\n+EVENT:SocketDown,%u,8,a\r\nready\r\n\r\n", stream->c->id);
	fake_say(f, text);
	eventually(test, told(f, before, "AT+SOCKET?"));
	KUNIT_EXPECT_FALSE(test, stream->closed);

	before = f->said_len;
	snprintf(text, sizeof(text),
		 "\r\n+EVENT:SocketDown,%u,5,a\r\narch:BL602,NULL\r\n\r\n", stream->c->id);
	fake_say(f, text);
	eventually(test, READ_ONCE(stream->closed));
	eventually(test, told(f, before, "AT+SOCKET?") > 1);
	KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, true, atw_timing.request));
	KUNIT_EXPECT_EQ(test, 0LL, atomic64_read(&f->m.reboots));
	KUNIT_EXPECT_FALSE(test, server->closed);
	KUNIT_EXPECT_TRUE(test, joined(f));
}

/* A remote says behind a header that was damaged what the module says when it has started. */
static void module_start_forged(struct kunit *test)
{
	static const char *const words[] = {
		"\r\n+EVENT:SocketDowm,118,1024,a\r\nready\r\n",
		"\r\n+EVENT:SocketDowm,118,1024,a\r\n+EVENT:WIFI_DISCONNECT\r\n",
	};
	struct fake *f = test->priv;
	struct owner *lasts = &f->owner[0], *server = &f->owner[1];
	unsigned int i, before;
	s64 bringups;

	opened(test, lasts, ATW_TYPE_UDP_CLIENT);
	opened(test, server, ATW_TYPE_TCP_SERVER);
	lists(test, lasts, server);
	bringups = atomic64_read(&f->m.bringups);
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		before = f->said_len;
		f->echo = "AT";
		fake_say(f, words[i]);
		eventually(test, told(f, before, "AT+SOCKET?"));
		KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, true,
								  atw_timing.request));
		KUNIT_EXPECT_FALSE(test, f->echo);
	}
	KUNIT_EXPECT_LT(test, 0U, told(f, before, "AT+WJAP?"));
	KUNIT_EXPECT_EQ(test, bringups, atomic64_read(&f->m.bringups));
	KUNIT_EXPECT_EQ(test, 0LL, atomic64_read(&f->m.reboots));
	KUNIT_EXPECT_FALSE(test, lasts->closed);
	KUNIT_EXPECT_TRUE(test, joined(f));

	/* If it was the module it has nothing any more, and says so when it is asked. */
	WRITE_ONCE(f->rows, "");
	fake_say(f, words[0]);
	eventually(test, READ_ONCE(lasts->closed));
	eventually(test, atomic64_read(&f->m.reboots) == 1 && joined(f));

	/* So where only an echo tells: that of the first command that is believed again. */
	bringups = atomic64_read(&f->m.bringups);
	f->echo = "AT+SOCKET?";
	fake_say(f, "\r\n+EVENT:SocketDowm,118,1024,a\r\n");
	eventually(test, atomic64_read(&f->m.bringups) == bringups + 1 && joined(f));

	WRITE_ONCE(f->status, 0);
	fake_say(f, words[1]);
	eventually(test, READ_ONCE(f->m.state) == ATW_MODULE_DOWN);
}

/* It joins while it has joined: it has started anew if it has lost all that it had. */
static void module_joins_twice(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *stream = &f->owner[0];
	unsigned int before = f->said_len;

	/* There is nothing to be lost. */
	fake_say(f, "\r\n+EVENT:WIFI_GOT_IP\r\n");
	eventually(test, told(f, before, "AT+SOCKET?"));
	KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, true, atw_timing.request));
	KUNIT_EXPECT_EQ(test, 0LL, atomic64_read(&f->m.reboots));

	opened(test, stream, ATW_TYPE_TCP_CLIENT);
	fake_say(f, "\r\n+EVENT:WIFI_CONNECT\r\n\r\n+EVENT:WIFI_GOT_IP\r\n");
	eventually(test, READ_ONCE(stream->closed));
	KUNIT_EXPECT_EQ(test, -ECONNRESET, stream->close_err);
	eventually(test, atomic64_read(&f->m.reboots) == 1 && joined(f));
}

/* Of the password that is in the answer nothing stays where lines are kept. */
static void module_password(struct kunit *test)
{
	struct fake *f = test->priv;
	struct atw_channel *ch = &f->m.ch;
	unsigned int before = f->said_len;

	/* So far behind in its line that no other comes that far. */
	f->name = "a network that has a long name";
	fake_say(f, "\r\n+EVENT:WIFI_GOT_IP\r\n");
	eventually(test, told(f, before, "AT+WJAP?"));
	/* What that has brought about is done. */
	KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, true, atw_timing.request));
	KUNIT_EXPECT_NULL(test, strnstr(ch->parser.line, "secret", sizeof(ch->parser.line)));
	KUNIT_EXPECT_NULL(test, strnstr(ch->said, "secret", sizeof(ch->said)));
	KUNIT_EXPECT_NULL(test, strnstr(ch->said_before, "secret", sizeof(ch->said_before)));
}

/* Without any word at all: it is asked from time to time. */
static void module_asked(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *stream = &f->owner[0];

	opened(test, stream, ATW_TYPE_TCP_CLIENT);
	KUNIT_EXPECT_TRUE(test, time_before_eq(f->m.sched.at[ATW_DO_LINK],
					       jiffies + atw_timing.link_up));
	/* As if that time had come. */
	WRITE_ONCE(f->m.sched.at[ATW_DO_LINK], jiffies);
	atw_channel_kick(&f->m.ch);
	eventually(test, READ_ONCE(stream->closed));
	KUNIT_EXPECT_EQ(test, -ECONNRESET, stream->close_err);
	KUNIT_EXPECT_EQ(test, 0LL, atomic64_read(&f->m.reboots));
}

static int runs(struct kunit *test, const char *line)
{
	struct atw_request *request = atw_request_new(sizeof(struct atw_query_raw), atw_query_raw);
	struct fake *f = test->priv;
	struct atw_query_raw *q;
	int err;

	KUNIT_ASSERT_NOT_NULL(test, request);
	q = (struct atw_query_raw *)request->arg;
	strscpy(q->line, line, sizeof(q->line));
	err = atw_module_request(&f->m, request, LIMIT);
	KUNIT_EXPECT_EQ(test, err == -EBUSY, !!q->query.why);
	atw_request_put(request);
	return err;
}

/* Nobody sees an address before the rest of what belongs to it. */
static void module_lease(struct kunit *test)
{
	struct fake *f = test->priv;
	struct atw_lease lease;

	eventually(test, joined(f));
	lease = atw_module_lease(&f->m);
	KUNIT_EXPECT_EQ(test, 0U, f->addr_meanwhile);
	KUNIT_EXPECT_EQ(test, 0xc0000202U, lease.addr);
	KUNIT_EXPECT_EQ(test, 0xc0000201U, lease.gateway);
	KUNIT_EXPECT_EQ(test, 0xffffff00U, lease.mask);
}

/*
 * It is in another network, without having been out of one as far as was seen: none of the lease
 * is of the one before. Where the address is the same, it is told of the access point.
 */
static void module_lease_anew(struct kunit *test)
{
	static const char *const networks[] = {
		",14:de:39:06:86:e4,WPA2 AES,7c:b9:4c:1d:c6:39,6,198.51.100.2,198.51.100.1",
		",14:de:39:06:86:e5,WPA2 AES,7c:b9:4c:1d:c6:39,6,198.51.100.2,198.51.100.1",
	};
	static const char *const servers[] = {
		"\r\n+WDNS:198.51.100.3,0.0.0.0\r\n", "\r\n+WDNS:198.51.100.4,0.0.0.0\r\n",
	};
	struct fake *f = test->priv;
	unsigned int i, before;
	struct atw_lease lease;

	for (i = 0; i < ARRAY_SIZE(networks); i++) {
		WRITE_ONCE(f->rest, networks[i]);
		WRITE_ONCE(f->dns, servers[i]);
		before = f->said_len;
		fake_say(f, "\r\n+EVENT:WIFI_GOT_IP\r\n");
		eventually(test, told(f, before, "AT+WJAP?"));
		/* What that has brought about is done. */
		KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, true, atw_timing.request));
		lease = atw_module_lease(&f->m);
		KUNIT_EXPECT_EQ(test, 0xc6336402U, lease.addr);
		KUNIT_EXPECT_EQ(test, 0xc6336403U + i, lease.dns[0]);
		KUNIT_EXPECT_EQ(test, i + 1, f->moves);
	}
	/* It is the same again. */
	before = f->said_len;
	fake_say(f, "\r\n+EVENT:WIFI_GOT_IP\r\n");
	eventually(test, told(f, before, "AT+WJAP?"));
	KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, true, atw_timing.request));
	KUNIT_EXPECT_EQ(test, 0U, told(f, before, "AT+WDNS?"));
	KUNIT_EXPECT_EQ(test, i, f->moves);
}

/*
 * A stream that has ended because the network is gone, or is there with another address, does not
 * end in order, whichever of the two the module tells of first; nor if it never tells of the
 * network, or had no time to be asked for that.
 */
static void module_end_of_network(struct kunit *test)
{
	static const struct {
		const char *mutes;	/* until the end was told, and what follows that */
		const char *then;
		unsigned int status;
		const char *rest;
		int err;
	} ends[] = {
		{ NULL, NULL, 3, JOINED, 0 },
		{ "AT+WJAP?", "\r\n+EVENT:WIFI_DISCONNECT\r\n", 3, JOINED, -ENETDOWN },
		{ "AT+SOCKET=3", NULL, 1, JOINED, 0 },
		{ NULL, NULL, 1, JOINED, -ENETDOWN },
		{ NULL, NULL, 3,
		  ",14:de:39:06:86:e4,WPA2 AES,7c:b9:4c:1d:c6:39,6,192.0.2.9,192.0.2.1",
		  -ENETDOWN },
		{ NULL, NULL, 3, ",14:de:39:06:86:e4,WPA2 AES,7c:b9:4c:1d:c6:39,6,0.0.0.0,0.0.0.0",
		  -ENETDOWN },
	};
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0], *server = &f->owner[1];
	unsigned int i;
	char text[48];

	/* Nothing waits to be fetched. */
	f->m.conns.mode.since = jiffies - atw_timing.mode_settle;
	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		memset(f->owner, 0, sizeof(f->owner));
		opened(test, o, ATW_TYPE_TCP_CLIENT);
		WRITE_ONCE(f->muted, false);
		WRITE_ONCE(f->mutes, ends[i].mutes);
		if (ends[i].mutes && !ends[i].then) {
			asks(f, server, ATW_TYPE_TCP_SERVER);
			eventually(test, READ_ONCE(f->muted));
		}
		WRITE_ONCE(f->status, ends[i].status);
		WRITE_ONCE(f->rest, ends[i].rest);
		snprintf(text, sizeof(text), "\r\n+EVENT:SocketDisconnect,%u\r\n", o->c->id);
		fake_say(f, text);
		if (ends[i].then) {
			eventually(test, READ_ONCE(f->muted));
			KUNIT_EXPECT_FALSE(test, o->closed);
			fake_say(f, ends[i].then);
		}
		eventually(test, READ_ONCE(o->closed));
		KUNIT_EXPECT_EQ_MSG(test, ends[i].err, o->close_err, "row %u", i);
		WRITE_ONCE(f->mutes, NULL);
		WRITE_ONCE(f->status, 3);
		WRITE_ONCE(f->rest, JOINED);
		if (ends[i].mutes)
			fake_say(f, "\r\nOK\r\n");
		atw_conn_close(o->c, true, 0);
		atw_conn_put(o->c);
		if (server->c) {
			atw_conn_close(server->c, true, 0);
			atw_conn_put(server->c);
		}
		eventually(test, !atw_conns_are_there(&f->m.conns));
		fake_say(f, "\r\n+EVENT:WIFI_GOT_IP\r\n");
		eventually(test, joined(f) && atw_conns_has_link(&f->m.conns));
		KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, false, LIMIT));
	}
	memset(f->owner, 0, sizeof(f->owner));
}

/* However long the module takes to tell of its network: no end is believed until then. */
static void module_end_while_asked(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	char text[48];

	f->m.conns.mode.since = jiffies - atw_timing.mode_settle;
	opened(test, o, ATW_TYPE_TCP_CLIENT);
	WRITE_ONCE(f->muted, false);
	WRITE_ONCE(f->mutes, "AT+WJAP?");
	fake_say(f, "\r\n+EVENT:WIFI_GOT_IP\r\n");
	eventually(test, READ_ONCE(f->muted));
	snprintf(text, sizeof(text), "\r\n+EVENT:SocketDisconnect,%u\r\n", o->c->id);
	fake_say(f, text);
	/* As if it had waited for as long as it waits. */
	o->c->closed_at = jiffies - atw_timing.end;
	f->m.ch.ops->alarm(f->m.ch.ctx);
	KUNIT_EXPECT_FALSE(test, o->closed);
	fake_say(f, "\r\n+EVENT:WIFI_DISCONNECT\r\n");
	eventually(test, READ_ONCE(o->closed));
	KUNIT_EXPECT_EQ(test, -ENETDOWN, o->close_err);
	WRITE_ONCE(f->mutes, NULL);
	fake_say(f, "\r\nOK\r\n");
}

/*
 * An answer of another form than is known, or none: that there is a network is known all the same,
 * and an address that was known before. It is not asked for the end of each stream.
 */
static void module_link_unread(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	unsigned int i, before;
	char text[48];

	for (i = 0; i < 3; i++) {
		if (i < 2)
			WRITE_ONCE(f->rest, JOINED ",255.255.255.0");
		f->reason = "\r\nAT+WJAP:2";
		if (i == 2)
			WRITE_ONCE(f->refuses, "AT+WJAP?");
		if (i)
			restarts(test);
		before = f->said_len;
		fake_say(f, "\r\n+EVENT:WIFI_GOT_IP\r\n");
		eventually(test, told(f, before, "AT+WJAP?") == 2);
		KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, false, LIMIT));
		KUNIT_ASSERT_TRUE(test, joined(f));
		KUNIT_EXPECT_EQ(test, i ? 0U : 0xc0000202U, atw_module_addr(&f->m));

		memset(o, 0, sizeof(*o));
		opened(test, o, ATW_TYPE_TCP_CLIENT);
		before = f->said_len;
		snprintf(text, sizeof(text), "\r\n+EVENT:SocketDisconnect,%u\r\n", o->c->id);
		fake_say(f, text);
		eventually(test, READ_ONCE(o->closed));
		KUNIT_EXPECT_EQ(test, 0, o->close_err);
		KUNIT_EXPECT_EQ(test, 0U, told(f, before, "AT+WJAP?"));
		atw_conn_close(o->c, true, 0);
		atw_conn_put(o->c);
		eventually(test, !atw_conns_are_there(&f->m.conns));
	}
	memset(o, 0, sizeof(*o));
	KUNIT_EXPECT_EQ(test, 0LL, (s64)atomic64_read(&f->m.conns.counts.damaged));
}

/* A digit of the address may be garbled: it is to be told twice, or all streams would end. */
static void module_other_address(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0], *server = &f->owner[1];
	unsigned int before;

	opened(test, o, ATW_TYPE_TCP_CLIENT);
	opened(test, server, ATW_TYPE_TCP_SERVER);
	lists(test, o, server);
	before = f->said_len;
	f->next = JOINED;
	WRITE_ONCE(f->rest, ",14:de:39:06:86:e4,WPA2 AES,7c:b9:4c:1d:c6:39,6,192.0.2.3,192.0.2.1");
	fake_say(f, "\r\n+EVENT:WIFI_GOT_IP\r\n");
	eventually(test, told(f, before, "AT+WJAP?") == 2);
	KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, false, LIMIT));
	KUNIT_EXPECT_FALSE(test, o->closed);
	KUNIT_EXPECT_EQ(test, 0U, f->moves);
	f->next = NULL;
	WRITE_ONCE(f->rest, ",14:de:39:06:86:e4,WPA2 AES,7c:b9:4c:1d:c6:39,6,192.0.2.3,192.0.2.1");
	fake_say(f, "\r\n+EVENT:WIFI_GOT_IP\r\n");
	eventually(test, READ_ONCE(o->closed));
	KUNIT_EXPECT_EQ(test, -ENETDOWN, o->close_err);
	eventually(test, joined(f) && READ_ONCE(f->moves) == 1);
	KUNIT_EXPECT_TRUE(test, atw_conns_has_link(&f->m.conns));
}

/* Networks' names are anybody's words: no scan while there are streams. */
static void module_scan(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *stream = &f->owner[0], *server = &f->owner[1];

	opened(test, stream, ATW_TYPE_TCP_CLIENT);
	opened(test, server, ATW_TYPE_TCP_SERVER);
	KUNIT_EXPECT_EQ(test, -EBUSY, runs(test, "AT+WSCAN"));
	KUNIT_EXPECT_EQ(test, -EBUSY, runs(test, "AT+WSCAN?"));
	KUNIT_EXPECT_EQ(test, -EBUSY, runs(test, "AT+WSCAN=net"));
	KUNIT_EXPECT_EQ(test, 0U, told(f, 0, "AT+WSCAN"));
	KUNIT_EXPECT_EQ(test, 0, runs(test, "AT+WSCANOPT?"));
	KUNIT_EXPECT_FALSE(test, stream->closed);

	atw_conn_close(stream->c, true, 0);
	eventually(test, atw_conn_state(stream->c) == ATW_CONN_DEAD);
	KUNIT_EXPECT_EQ(test, 0, runs(test, "AT+WSCAN"));
	KUNIT_EXPECT_EQ(test, 1U, told(f, 0, "AT+WSCAN\n"));
	KUNIT_EXPECT_FALSE(test, server->closed);
}

static int resolves(struct kunit *test, bool limited, u8 share)
{
	struct atw_query_resolve *q;
	struct fake *f = test->priv;
	struct atw_request *request = atw_request_new(sizeof(*q), atw_query_resolve);
	int err;

	KUNIT_ASSERT_NOT_NULL(test, request);
	q = (struct atw_query_resolve *)request->arg;
	strscpy(q->host, "a.test", sizeof(q->host));
	q->limited = limited;
	q->share = share;
	err = atw_module_request(&f->m, request, LIMIT);
	KUNIT_EXPECT_EQ(test, err == -EBUSY, !!q->query.why);
	KUNIT_EXPECT_EQ(test, err ? 0U : 0xc0000207U, q->addr);
	atw_request_put(request);
	return err;
}

/* Behind a header that was damaged a remote's words are no answer, nor is what follows them. */
static void module_name_forged(struct kunit *test)
{
	static const char *const words[] = {
		"\r\n+EVENT:SocketDowm,118,1024,a\r\n+WDOMAIN:198.51.100.66\r\n\r\nOK\r\n",
		"\r\n+EVENT:SocketDown,118,1024\r\n+WDOMAIN:198.51.100.66\r\n\r\nOK\r\n",
	};
	struct fake *f = test->priv;
	unsigned int i, before;
	s64 bringups;

	f->m.conns.mode.since = jiffies - atw_timing.mode_settle;
	bringups = atomic64_read(&f->m.bringups);
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		before = f->said_len;
		f->before_name = words[i];
		KUNIT_EXPECT_EQ(test, -EPROTO, resolves(test, false, 0));
		/* It is asked what nobody can guess before it is asked anything else. */
		KUNIT_EXPECT_EQ(test, 0, resolves(test, false, 0));
		KUNIT_EXPECT_EQ(test, 1U, told(f, before, "AT+ATW"));
	}
	KUNIT_EXPECT_EQ(test, bringups, atomic64_read(&f->m.bringups));
}

/* Another user waits for a name, or does not any more. */
static void wants_name(struct fake *f, u8 share, bool wants)
{
	atomic_set(&f->m.conns.shares.of[share].names, wants);
}

/*
 * As long as others want the module, a user's names have it for half of the time; others wait
 * for one of them.
 */
static void module_name_share(struct kunit *test)
{
	struct fake *f = test->priv;
	unsigned int i;

	f->m.conns.clock = fake_clock;
	fake_pass(10000);
	wants_name(f, 12, true);
	f->name_ms = 10;
	for (i = 0; i < 100; i++)
		KUNIT_ASSERT_EQ(test, 0, resolves(test, true, 10));
	fake_pass(1000);

	f->name_ms = 20000;
	KUNIT_EXPECT_EQ(test, 0, resolves(test, true, 10));
	KUNIT_EXPECT_EQ(test, -EBUSY, resolves(test, true, 10));
	fake_pass(15999);
	KUNIT_EXPECT_EQ(test, -EBUSY, resolves(test, true, 10));
	KUNIT_EXPECT_EQ(test, 101U, told(f, 0, "AT+WDOMAIN="));
	f->name_ms = 0;
	KUNIT_EXPECT_EQ(test, 0, resolves(test, true, 12));
	fake_pass(1);
	KUNIT_EXPECT_EQ(test, 0, resolves(test, true, 10));

	/* Nobody else wants it. */
	wants_name(f, 12, false);
	fake_pass(40000);
	f->name_ms = 20000;
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, 0, resolves(test, true, 10));
	/* Whoever administers it may have it for as long as it takes. */
	wants_name(f, 12, true);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, 0, resolves(test, false, 0));
}

/* A connect that was slow is paid for before there is a name, where others use the module. */
static void module_name_connect(struct kunit *test)
{
	struct fake *f = test->priv;
	struct atw_share *of = f->m.conns.shares.of;

	f->m.conns.clock = fake_clock;
	fake_pass(10000);
	of[10].owes = atw_conns_now(&f->m.conns) + 75ULL * NSEC_PER_SEC;
	of[12].used = atw_conns_now(&f->m.conns);
	KUNIT_EXPECT_EQ(test, -EBUSY, resolves(test, true, 10));
	KUNIT_EXPECT_EQ(test, 0U, told(f, 0, "AT+WDOMAIN="));
	fake_pass(71000);
	of[12].used = atw_conns_now(&f->m.conns);
	KUNIT_EXPECT_EQ(test, 0, resolves(test, true, 10));
}

/* However many users' names were slow, who has asked for none yet does not wait for others'. */
static void module_name_shares(struct kunit *test)
{
	struct fake *f = test->priv;

	f->m.conns.clock = fake_clock;
	fake_pass(10000);
	f->name_ms = 20000;
	KUNIT_EXPECT_EQ(test, 0, resolves(test, true, 10));
	KUNIT_EXPECT_EQ(test, 0, resolves(test, true, 12));
	wants_name(f, 14, true);
	f->name_ms = 0;
	KUNIT_EXPECT_EQ(test, -EBUSY, resolves(test, true, 10));
	KUNIT_EXPECT_EQ(test, -EBUSY, resolves(test, true, 12));
	KUNIT_EXPECT_EQ(test, 0, resolves(test, true, 14));
	/* Both have made others wait, and neither has paid while the other did so. */
	fake_pass(15999);
	KUNIT_EXPECT_EQ(test, -EBUSY, resolves(test, true, 10));
	KUNIT_EXPECT_EQ(test, -EBUSY, resolves(test, true, 12));
	fake_pass(1);
	KUNIT_EXPECT_EQ(test, 0, resolves(test, true, 10));
	KUNIT_EXPECT_EQ(test, 0, resolves(test, true, 12));
}

/*
 * Requests that follow each other
 * @left: so many yet
 * @idle: one that has time, queued by the first of them
 * @left_then: when that was done
 */
static struct {
	unsigned int		left;
	struct atw_request	*idle;
	unsigned int		left_then;
} chain;

static int chain_idle(struct atw_module *m, void *arg)
{
	chain.left_then = chain.left;
	chain.left = 0;
	return 0;
}

static int chain_next(struct atw_module *m, void *arg)
{
	struct atw_request *next;

	if (chain.idle)
		atw_module_queue(m, chain.idle);
	chain.idle = NULL;
	if (!chain.left)
		return 0;
	chain.left--;
	next = atw_request_new(0, chain_next);
	if (!next)
		return -ENOMEM;
	atw_module_queue(m, next);
	atw_request_put(next);
	return 0;
}

/* Requests without an end do not keep those that have time for ever. */
static void module_idle_request(struct kunit *test)
{
	struct atw_request *idle = atw_request_new(0, chain_idle);
	struct atw_request *first = atw_request_new(0, chain_next);
	struct fake *f = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, idle);
	KUNIT_ASSERT_NOT_NULL(test, first);
	idle->idle = true;
	chain.left = 1000;
	chain.idle = idle;
	KUNIT_EXPECT_EQ(test, 0, atw_module_request(&f->m, first, LIMIT));
	KUNIT_EXPECT_EQ(test, 0, atw_requests_wait(&f->m.requests, idle, LIMIT));
	KUNIT_EXPECT_LT(test, 0U, chain.left_then);
	atw_request_put(first);
	atw_request_put(idle);
}

/* Has a connection deleted, and waits for that. */
static int request_last(struct atw_module *m, void *arg)
{
	struct atw_conn **c = arg;

	if (*c)
		atw_conn_close(*c, true, 0);
	*c = NULL;
	return m->conns.n > 1 ? -EINPROGRESS : 0;
}

/* One that is to be called again is when there is nothing left to be done for connections. */
static void module_request_again(struct kunit *test)
{
	struct atw_request *request = atw_request_new(sizeof(struct atw_conn *), request_last);
	struct fake *f = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, request);
	opened(test, &f->owner[0], ATW_TYPE_TCP_CLIENT);
	opened(test, &f->owner[1], ATW_TYPE_TCP_SERVER);
	*(struct atw_conn **)request->arg = f->owner[0].c;
	KUNIT_EXPECT_EQ(test, 0, atw_module_request(&f->m, request, LIMIT));
	KUNIT_EXPECT_FALSE(test, atw_requests_wait_for(&f->m.requests, true, true));
	atw_request_put(request);
}

/* Whose name was not answered has kept the module until it is known what it does. */
static void module_name_unanswered(struct kunit *test)
{
	unsigned long patience = atw_timing.resolve;
	struct fake *f = test->priv;

	f->m.conns.clock = fake_clock;
	atw_timing.resolve = HZ / 10;
	WRITE_ONCE(f->at_ms, 5000);
	WRITE_ONCE(f->mutes, "AT+WDOMAIN=");
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, resolves(test, true, 10));
	atw_timing.resolve = patience;
	WRITE_ONCE(f->mutes, NULL);
	KUNIT_EXPECT_EQ(test, 0, resolves(test, true, 12));
	wants_name(f, 12, true);
	KUNIT_EXPECT_EQ(test, -EBUSY, resolves(test, true, 10));
	fake_pass(60000);
	KUNIT_EXPECT_EQ(test, 0, resolves(test, true, 10));
}

/* A join: so often it is still wanted. */
static unsigned int wanted;

static bool regretted(struct atw_query_join *q)
{
	if (!wanted)
		return true;
	wanted--;
	return false;
}

static struct atw_query_scan *scans(struct kunit *test, int want, struct atw_request **request)
{
	struct fake *f = test->priv;

	*request = atw_request_new(sizeof(struct atw_query_scan), atw_query_scan);
	KUNIT_ASSERT_NOT_NULL(test, *request);
	KUNIT_EXPECT_EQ(test, want, atw_module_request(&f->m, *request, LIMIT));
	return (struct atw_query_scan *)(*request)->arg;
}

#define TITLE	"\r\n+WSCAN:index SSID,CH,SECURITY,RSSI,BSSID\r\n"
#define ROW	",6,WPA2 AES,-50,14:de:39:06:86:e4\r\n"

/* Whatever they are called, the list is read to its end and nothing else has happened. */
static void module_networks(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *stream = &f->owner[0], *server = &f->owner[1];
	struct atw_query_scan *q;
	struct atw_request *request;

	opened(test, stream, ATW_TYPE_TCP_CLIENT);
	opened(test, server, ATW_TYPE_TCP_SERVER);
	q = scans(test, -EBUSY, &request);
	KUNIT_EXPECT_NOT_NULL(test, q->query.why);
	atw_request_put(request);
	KUNIT_EXPECT_EQ(test, 0U, told(f, 0, "AT+WSCAN"));
	KUNIT_EXPECT_FALSE(test, stream->closed);
	atw_conn_close(stream->c, true, 0);
	eventually(test, atw_conn_state(stream->c) == ATW_CONN_DEAD);

	f->networks = TITLE "1 one" ROW "2 \r\nOK\r\n" ROW "3 \r\nready\r\n" ROW
		      "4 \r\n+EVENT:SocketDown,1,9000," ROW "5 \r\n>" ROW
		      "6 x\nUnknown cmd:AT+WSCAN\n" ROW "7 \xc3\xa4,\x1b" ROW;
	q = scans(test, 0, &request);
	KUNIT_EXPECT_EQ(test, 2U, q->names.scan.n);
	KUNIT_EXPECT_EQ(test, 5U, q->names.scan.damaged);
	KUNIT_EXPECT_STREQ(test, "one", q->names.scan.networks[0].ssid);
	KUNIT_EXPECT_STREQ(test, "\xc3\xa4,\x1b", q->names.scan.networks[1].ssid);
	atw_request_put(request);
	KUNIT_EXPECT_EQ(test, 1U, told(f, 0, "AT+WSCAN\n"));
	KUNIT_EXPECT_EQ(test, 1U, told(f, 0, "AT+WSCANOPT=255\n"));

	/* The end of a row is lost, and with it what comes before the end of the list. */
	f->networks = TITLE "1 one" ROW "2 two,6,WPA2";
	q = scans(test, 0, &request);
	KUNIT_EXPECT_EQ(test, 1U, q->names.scan.n);
	KUNIT_EXPECT_EQ(test, 1U, q->names.scan.damaged);
	atw_request_put(request);

	/* Columns are left out nevertheless. */
	f->networks = "\r\n+WSCAN:index SSID\r\n1 one\r\n";
	scans(test, -EPROTO, &request);
	atw_request_put(request);
	KUNIT_EXPECT_EQ(test, 0LL, (s64)atomic64_read(&f->m.conns.counts.damaged));
	KUNIT_EXPECT_EQ(test, 0LL, atomic64_read(&f->m.reboots));
	KUNIT_EXPECT_FALSE(test, server->closed);
}

/* It is waited for no longer, and then there is more of the list: it is that still. */
static void module_networks_late(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *dgram = &f->owner[0], *server = &f->owner[1];
	struct atw_query_scan *q;
	struct atw_request *call;
	char *late, *rows;
	int raw;

	late = kunit_kzalloc(test, 512, GFP_KERNEL);
	rows = kunit_kzalloc(test, 64, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, late);
	KUNIT_ASSERT_NOT_NULL(test, rows);
	opened(test, dgram, ATW_TYPE_UDP_CLIENT);
	opened(test, server, ATW_TYPE_TCP_SERVER);
	snprintf(rows, 64, "%u,2,3,192.0.2.3,80,-1,0\r\n%u,3,3,,-1,80,0\r\n",
		 dgram->c->id, server->c->id);
	WRITE_ONCE(f->rows, rows);
	snprintf(late, 512, "x\r\n+EVENT:SocketDown,%u,4,evil\r\n" ROW "3 \r\nready\r\n" ROW
		 "4 \r\n+EVENT:SocketAutoDel,%u\r\n" ROW "5 one" ROW "\r\nOK\r\n",
		 dgram->c->id, server->c->id);
	for (raw = 0; raw < 2; raw++) {
		f->networks = TITLE "1 one" ROW "2 two\r\n";
		f->late = late;
		if (raw) {
			runs(test, "AT+WSCAN");
		} else {
			q = scans(test, 0, &call);
			KUNIT_EXPECT_EQ(test, 1U, q->names.scan.n);
			atw_request_put(call);
		}
		KUNIT_EXPECT_NULL(test, f->late);
		KUNIT_EXPECT_FALSE(test, READ_ONCE(f->m.ch.parser.name));
		/* What that has brought about is done. */
		KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, true, atw_timing.request));
		KUNIT_EXPECT_EQ(test, 0LL, atomic64_read(&f->m.reboots));
		KUNIT_EXPECT_EQ(test, 0LL, (s64)atomic64_read(&f->m.conns.counts.damaged));
		KUNIT_EXPECT_EQ(test, 0U, dgram->got);
		KUNIT_EXPECT_FALSE(test, dgram->closed);
		KUNIT_EXPECT_FALSE(test, server->closed);
	}
}

static int joins_at(struct kunit *test, const char *password, const u8 *bssid)
{
	struct atw_request *request;
	struct fake *f = test->priv;
	struct atw_query_join *q;
	int err;

	request = atw_request_new(sizeof(*q), atw_query_join);
	KUNIT_ASSERT_NOT_NULL(test, request);
	q = (struct atw_query_join *)request->arg;
	strscpy(q->join.ssid, "net", sizeof(q->join.ssid));
	strscpy(q->join.password, password, sizeof(q->join.password));
	memcpy(q->join.bssid, bssid, sizeof(q->join.bssid));
	if (!strcmp(password, "regretted"))
		q->given_up = regretted;
	q->once = !strcmp(password, "of a program");
	err = atw_module_request(&f->m, request, LIMIT);
	KUNIT_EXPECT_EQ(test, err == -EKEYREJECTED, q->query.why && !q->query.code);
	atw_request_put(request);
	return err;
}

static int joins(struct kunit *test, const char *password)
{
	static const u8 any[ETH_ALEN];

	return joins_at(test, password, any);
}

/* By its access point, where the firmware can be told that. */
static void module_joins_by_bssid(struct kunit *test)
{
	static const u8 bssid[] = { 0x02, 0x00, 0x00, 0x00, 0xab, 0x06 };
	struct fake *f = test->priv;
	unsigned int before = f->said_len;

	f->joins = 3;
	KUNIT_EXPECT_EQ(test, 0, joins_at(test, "", bssid));
	KUNIT_EXPECT_EQ(test, 1U, told(f, before,
				       "AT+WJAP=\"net\",\"\",\"02:00:00:00:ab:06\"\n"));
	WRITE_ONCE(f->m.conns.fw, atw_firmware_of(ATWIFI_PROFILE_UNKNOWN));
	KUNIT_EXPECT_EQ(test, 0, joins_at(test, "right", bssid));
	KUNIT_EXPECT_EQ(test, 1U, told(f, before, "AT+WJAP=net,right\n"));
}

/* It starts again, and does not join by itself. */
static unsigned int restarts_out(struct kunit *test)
{
	struct fake *f = test->priv;
	s64 bringups = atomic64_read(&f->m.bringups);
	unsigned int before;

	WRITE_ONCE(f->status, 0);
	WRITE_ONCE(f->m.up_since, get_jiffies_64() - atw_timing.steady - 1);
	before = f->said_len;
	fake_say(f, "\r\nready\r\n");
	eventually(test, atomic64_read(&f->m.bringups) > bringups);
	KUNIT_EXPECT_EQ(test, ATW_MODULE_DOWN, READ_ONCE(f->m.state));
	return before;
}

/* It was long enough. */
static void rejoins_now(struct fake *f)
{
	atw_sched_set(&f->m.sched, ATW_DO_JOIN);
}

/* To be out of its network. */
static int leaves(struct kunit *test, int (*how)(struct atw_module *m, void *arg))
{
	struct atw_request *request = atw_request_new(sizeof(struct atw_query), how);
	struct fake *f = test->priv;
	int err;

	KUNIT_ASSERT_NOT_NULL(test, request);
	err = atw_module_request(&f->m, request, LIMIT);
	atw_request_put(request);
	return err;
}

/* The network that was joined last is joined again, until it is left. */
static void module_rejoins(struct kunit *test)
{
	struct fake *f = test->priv;
	unsigned int before;

	/* Nobody has asked for one. */
	before = restarts_out(test);
	rejoins_now(f);
	KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, true, atw_timing.request));
	KUNIT_EXPECT_EQ(test, 0U, told(f, before, "AT+WJAP="));

	f->joins = 3;
	KUNIT_ASSERT_EQ(test, 0, joins(test, "it is secret"));
	eventually(test, joined(f));
	before = restarts_out(test);
	/* It may do so by itself. */
	KUNIT_EXPECT_EQ(test, 0U, told(f, before, "AT+WJAP="));
	rejoins_now(f);
	eventually(test, joined(f));
	KUNIT_EXPECT_EQ(test, 1U, told(f, before, "AT+WJAP=\"net\",\"it is secret\"\n"));

	/* Out of reach: again and again, and nothing is forgotten. */
	WRITE_ONCE(f->joins, 7);
	before = restarts_out(test);
	rejoins_now(f);
	eventually(test, told(f, before, "AT+WJAP=") == 1);
	KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, true, atw_timing.request));
	WRITE_ONCE(f->joins, 3);
	rejoins_now(f);
	eventually(test, joined(f));

	/* Not while its radio is blocked; at once then. */
	atw_module_bar(&f->m, true);
	before = restarts_out(test);
	rejoins_now(f);
	KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, false, atw_timing.request));
	KUNIT_EXPECT_EQ(test, 0U, told(f, before, "AT+WJAP="));
	atw_module_bar(&f->m, false);
	eventually(test, joined(f));
	/* What was to be done meanwhile has its turn too late. */
	before = f->said_len;
	KUNIT_EXPECT_EQ(test, 0, leaves(test, atw_query_silence));
	KUNIT_EXPECT_EQ(test, 0U, told(f, before, "AT+WDISCONNECT"));

	KUNIT_EXPECT_EQ(test, 0, leaves(test, atw_query_leave));
	KUNIT_EXPECT_NULL(test, f->m.join);
	eventually(test, READ_ONCE(f->m.state) == ATW_MODULE_DOWN);
	before = restarts_out(test);
	rejoins_now(f);
	KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, false, atw_timing.request));
	KUNIT_EXPECT_EQ(test, 0U, told(f, before, "AT+WJAP="));
}

/* Who had it join is gone: it is out, and what it was to be in before it still is. */
static void module_join_given_up(struct kunit *test)
{
	struct fake *f = test->priv;
	unsigned int before;

	f->joins = 3;
	/* What it was in by itself nobody here knows: it may be reached by no other network. */
	before = f->said_len;
	wanted = 1;
	KUNIT_EXPECT_EQ(test, 0, joins(test, "regretted"));
	KUNIT_EXPECT_EQ(test, 0U, told(f, before, "AT+WDISCONNECT"));
	KUNIT_ASSERT_NOT_NULL(test, f->m.join);
	KUNIT_EXPECT_STREQ(test, "regretted", f->m.join->password);

	KUNIT_ASSERT_EQ(test, 0, joins(test, "before"));
	before = f->said_len;
	/* Before it was begun, and while the module joins. */
	wanted = 0;
	KUNIT_EXPECT_EQ(test, -EINTR, joins(test, "regretted"));
	KUNIT_EXPECT_TRUE(test, joined(f));
	KUNIT_EXPECT_EQ(test, 0U, told(f, before, "AT+WJAP="));
	wanted = 1;
	joins(test, "regretted");
	KUNIT_EXPECT_EQ(test, 1U, told(f, before, "AT+WJAP=\"net\",\"regretted\"\n"));
	KUNIT_EXPECT_EQ(test, 1U, told(f, before, "AT+WDISCONNECT\n"));
	KUNIT_EXPECT_EQ(test, 0U, told(f, before, "AT+WAUTOCONN"));
	eventually(test, READ_ONCE(f->m.state) == ATW_MODULE_DOWN);
	KUNIT_ASSERT_NOT_NULL(test, f->m.join);
	KUNIT_EXPECT_STREQ(test, "before", f->m.join->password);
	rejoins_now(f);
	eventually(test, joined(f));
	KUNIT_EXPECT_EQ(test, 1U, told(f, before, "AT+WJAP=\"net\",\"before\"\n"));
}

/* A program has lost it: what it has had it join is left, and nothing else is. */
static unsigned int lets_go(struct kunit *test, int err)
{
	struct atw_request *request = atw_request_new(sizeof(struct atw_query), atw_query_let_go);
	struct fake *f = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, request);
	KUNIT_EXPECT_EQ(test, err, atw_module_request(&f->m, request, LIMIT));
	atw_request_put(request);
	return told(f, 0, "AT+WDISCONNECT\n");
}

static void module_lets_go(struct kunit *test)
{
	struct fake *f = test->priv;

	f->joins = 3;
	KUNIT_EXPECT_EQ(test, 0U, lets_go(test, 0));
	KUNIT_EXPECT_EQ(test, 0, joins(test, "of a program"));
	KUNIT_EXPECT_EQ(test, 1U, lets_go(test, 0));
	eventually(test, READ_ONCE(f->m.state) == ATW_MODULE_DOWN);
	KUNIT_EXPECT_EQ(test, 1U, lets_go(test, 0));
	/* What it has not heard it is told again. */
	KUNIT_EXPECT_EQ(test, 0, joins(test, "of a program"));
	WRITE_ONCE(f->mutes, "AT+WMODE?");
	KUNIT_EXPECT_EQ(test, 1U, lets_go(test, -ETIMEDOUT));
	WRITE_ONCE(f->mutes, NULL);
	KUNIT_EXPECT_EQ(test, 2U, lets_go(test, 0));
	/* What an administrator has had it join since stays. */
	KUNIT_EXPECT_EQ(test, 0, joins(test, "of a program"));
	KUNIT_EXPECT_EQ(test, 0, joins(test, "secret99"));
	KUNIT_EXPECT_EQ(test, 2U, lets_go(test, 0));
	KUNIT_EXPECT_NOT_NULL(test, f->m.join);
	KUNIT_EXPECT_EQ(test, 0, joins(test, "of a program"));
	KUNIT_EXPECT_EQ(test, 0, runs(test, "AT+WJAP=net,secret99"));
	KUNIT_EXPECT_EQ(test, 2U, lets_go(test, 0));
	/* It has not heard that it is to leave: that is made up for. */
	KUNIT_EXPECT_EQ(test, 0, joins(test, "of a program"));
	WRITE_ONCE(f->mutes, "AT+WMODE?");
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, leaves(test, atw_query_leave));
	WRITE_ONCE(f->mutes, NULL);
	KUNIT_EXPECT_EQ(test, 3U, lets_go(test, 0));
	KUNIT_EXPECT_EQ(test, 0, joins(test, "of a program"));
	KUNIT_EXPECT_EQ(test, 0, leaves(test, atw_query_leave));
	KUNIT_EXPECT_EQ(test, 4U, lets_go(test, 0));
	/* That it is not to join by itself it may refuse: it has joined all the same. */
	f->refuses = "AT+WAUTOCONN";
	KUNIT_EXPECT_EQ(test, 0, joins(test, "of a program"));
	KUNIT_EXPECT_EQ(test, 5U, lets_go(test, 0));
	f->refuses = NULL;
	/* But not where it has not heard that: nobody knows where it is after its next start. */
	f->garbles = "AT+WAUTOCONN=0";
	KUNIT_EXPECT_EQ(test, -EPROTO, joins(test, "of a program"));
	f->garbles = NULL;
	KUNIT_EXPECT_EQ(test, 6U, lets_go(test, 0));
	/* Of what it refuses to leave it is not told again and again. */
	KUNIT_EXPECT_EQ(test, 0, joins(test, "of a program"));
	f->refuses = "AT+WDISCONNECT";
	KUNIT_EXPECT_EQ(test, 7U, lets_go(test, -EIO));
	KUNIT_EXPECT_EQ(test, 7U, lets_go(test, 0));
}

/* Firmware that says OK before it has tried: what it says meanwhile is no end. */
static void module_settles(struct kunit *test)
{
	static const struct {
		const char *story;
		int result;
		unsigned int stored, left;
	} cases[] = {
		{ "13", 0, 1, 0 },
		/* Told while it is asked. */
		{ "1!23", 0, 1, 0 },
		{ "1!2!33", 0, 1, 0 },
		/* It looks again. */
		{ "14013", 0, 1, 0 },
		{ "1416", -EKEYREJECTED, 0, 1 },
		/* It joins for as long as it is waited for. */
		{ "1", 0, 0, 0 },
		{ "4", -EIO, 0, 1 },
	};
	struct fake *f = test->priv;
	unsigned int before, i;

	f->early = true;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		before = f->said_len;
		f->story = cases[i].story;
		f->joins = *f->story - '0';
		kunit_info(test, "%s", f->story);
		KUNIT_EXPECT_EQ(test, cases[i].result, joins(test, "net"));
		KUNIT_EXPECT_EQ(test, cases[i].stored, told(f, before, "AT+WAUTOCONN=1\n"));
		KUNIT_EXPECT_EQ(test, cases[i].left, told(f, before, "AT+WDISCONNECT\n"));
	}
	/* It has not left the one of before when it is asked first. */
	WRITE_ONCE(f->name, "other");
	f->story = "33136";
	KUNIT_EXPECT_EQ(test, -EKEYREJECTED, joins(test, "net"));
}

/* A wrong password is told as such, and does not cost the network of before. */
static void module_refused(struct kunit *test)
{
	struct fake *f = test->priv;
	unsigned int before, i;

	before = f->said_len;
	f->joins = 6;
	KUNIT_EXPECT_EQ(test, -EKEYREJECTED, joins(test, "wrong"));
	KUNIT_EXPECT_NULL(test, f->m.join);
	/* It may go on trying. */
	KUNIT_EXPECT_EQ(test, 1U, told(f, before, "AT+WDISCONNECT\n"));
	/* Other reasons are not taken for that, nor is none. */
	f->joins = 7;
	KUNIT_EXPECT_EQ(test, -ENETDOWN, joins(test, "right"));
	f->joins = 4;
	KUNIT_EXPECT_EQ(test, -ENETDOWN, joins(test, "right"));

	f->joins = 3;
	KUNIT_EXPECT_EQ(test, 0, joins(test, "right"));
	eventually(test, joined(f));
	f->joins = 6;
	KUNIT_EXPECT_EQ(test, -EKEYREJECTED, joins(test, "wrong"));
	KUNIT_ASSERT_NOT_NULL(test, f->m.join);
	before = f->said_len;
	f->joins = 3;
	rejoins_now(f);
	eventually(test, joined(f));
	KUNIT_EXPECT_EQ(test, 1U, told(f, before, "AT+WJAP=\"net\",\"right\"\n"));

	/* Where it says OK before it has tried nothing is stored, either, nor does it go on. */
	before = f->said_len;
	f->early = true;
	f->joins = 6;
	KUNIT_EXPECT_EQ(test, -EKEYREJECTED, joins(test, "wrong"));
	f->early = false;
	KUNIT_EXPECT_EQ(test, 0U, told(f, before, "AT+WAUTOCONN"));
	KUNIT_EXPECT_EQ(test, 1U, told(f, before, "AT+WDISCONNECT\n"));
	KUNIT_ASSERT_NOT_NULL(test, f->m.join);
	KUNIT_EXPECT_STREQ(test, "right", f->m.join->password);
	KUNIT_EXPECT_FALSE(test, f->m.refused);

	/* One of the same name has another one, for as long as it likes: nothing is forgotten. */
	WRITE_ONCE(f->joins, 6);
	before = restarts_out(test);
	for (i = 1; i <= 4; i++) {
		rejoins_now(f);
		eventually(test, told(f, before, "AT+WJAP=") == i);
		/* It has been asked why, then. */
		KUNIT_EXPECT_EQ(test, 0,
				atw_module_set_recv_mode(&f->m, i % 2, atw_timing.request));
		KUNIT_EXPECT_TRUE(test, READ_ONCE(f->m.refused));
	}
	WRITE_ONCE(f->joins, 3);
	rejoins_now(f);
	eventually(test, joined(f));
	KUNIT_EXPECT_FALSE(test, READ_ONCE(f->m.refused));

	/* Who leaves by hand is not brought back. */
	KUNIT_EXPECT_NOT_NULL(test, f->m.join);
	KUNIT_EXPECT_EQ(test, 0, runs(test, "AT+WDISCONNECT"));
	KUNIT_EXPECT_NULL(test, f->m.join);
}

/* It does what can be done of what it refuses to do: nothing goes on that nobody wants. */
static void module_refuses(struct kunit *test)
{
	struct atw_request *request = atw_request_new(sizeof(struct atw_query_ap), atw_query_ap);
	struct fake *f = test->priv;
	struct atw_query_ap *q;

	/* No access point is on air that has another name or password. */
	KUNIT_ASSERT_NOT_NULL(test, request);
	q = (struct atw_query_ap *)request->arg;
	strscpy(q->ap.ssid, "mine", sizeof(q->ap.ssid));
	q->channel = 6;
	f->refuses = "AT+WAP=";
	KUNIT_EXPECT_NE(test, 0, atw_module_request(&f->m, request, LIMIT));
	atw_request_put(request);
	KUNIT_EXPECT_EQ(test, 1U, told(f, 0, "AT+WMODE=3,0\n"));
	KUNIT_EXPECT_EQ(test, 1U, f->mode);

	/* One that is there until it restarts is not stored with a station. */
	f->mode = 2;
	f->joins = 3;
	KUNIT_EXPECT_EQ(test, 0, joins(test, "secret99"));
	KUNIT_EXPECT_EQ(test, 2U, told(f, 0, "AT+WMODE=3,0\n"));
	KUNIT_EXPECT_EQ(test, 0U, told(f, 0, "AT+WMODE=3,1\n"));

	/* It is out of its network, and who has it leave is told that it is not for good. */
	f->refuses = "AT+WAUTOCONN=0";
	KUNIT_EXPECT_NE(test, 0, leaves(test, atw_query_leave));
	KUNIT_EXPECT_EQ(test, 1U, told(f, 0, "AT+WDISCONNECT\n"));
}

/* How often the log has said that the module's flash is spared, since @log was at its end. */
static unsigned int spared(struct kmsg_dump_iter *log)
{
	unsigned int n = 0;
	char line[256];
	size_t len;

	while (kmsg_dump_get_line(log, false, line, sizeof(line) - 1, &len)) {
		line[len] = '\0';
		n += !!strstr(line, "writes to the module's flash");
	}
	return n;
}

/* The module's flash is not worn out, whoever is at fault, and the log says so once. */
static void module_flash(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *dgram = &f->owner[0];
	struct kmsg_dump_iter log;
	unsigned int i, before;
	char rows[48], text[48];

	kmsg_dump_rewind(&log);
	spared(&log);
	opened(test, dgram, ATW_TYPE_UDP_CLIENT);
	snprintf(rows, sizeof(rows), "%u,2,3,192.0.2.1,80,-1,0\r\n", dgram->c->id);
	WRITE_ONCE(f->rows, rows);
	/* It says again and again that it is in the wrong mode. */
	snprintf(text, sizeof(text), "\r\n+EVENT:SocketDown,%u,5\r\n", dgram->c->id);
	for (i = 0; i < 200; i++) {
		fake_say(f, text);
		eventually(test, !atw_sched_is_set(&f->m.sched, ATW_DO_RECV_MODE));
	}
	/* What is asked for is done. */
	KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, true, atw_timing.request));
	KUNIT_EXPECT_EQ(test, 101U, told(f, 0, "AT+SOCKETRECVCFG"));
	KUNIT_EXPECT_EQ(test, 1U, spared(&log));
	/* It starts again. */
	WRITE_ONCE(f->rows, "");
	before = f->said_len;
	fake_say(f, "\r\nready\r\n");
	eventually(test, told(f, before, "AT+WJAP?") && joined(f));
	KUNIT_EXPECT_EQ(test, 0U, told(f, before, "AT+SOCKETRECVCFG"));
	KUNIT_EXPECT_EQ(test, 0U, spared(&log));

	f->m.ch.stored_since = jiffies - atw_timing.store;
	before = f->said_len;
	fake_say(f, "\r\nready\r\n");
	eventually(test, told(f, before, "AT+WJAP?") && joined(f));
	KUNIT_EXPECT_EQ(test, 1U, told(f, before, "AT+SOCKETRECVCFG=0"));
}

/* Names of networks that are chosen to be taken for the module's words. */
static const char *const names[] = {
	",,,\r\nready\r\n", ",,,\r\narch:x\r\n", ",,,\r\n#calibration_ok\r\n",
	",,,\r\nOK\r\n", ",,,\r\nERROR\r\n", ",,,\r\n[Busy]Cmd running\r\n",
	",,,\r\nUnknown cmd:AT+WJAP?\r\n", ",,,\r\nATE0\r\n", ",,,1,10.66.66.66,\r\nOK\r\n",
	",,,,1,10.66.66.66,10.66.66.1\r\n", ",,,\n\n\n\n\n\n\n\n\n\n\n\n",
	"\n+EVENT:SocketDown,1,9000,", "\n,,7c:b9:4c:1d:c6:39,1,6.6.6.6,", "\r\n", "\n\nOK",
};

/* From the first start on, and without a second one: none of it is believed. */
static void module_names(struct kunit *test)
{
	struct fake *f = test->priv;
	unsigned int before;
	s64 bringups;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		KUNIT_ASSERT_LE(test, strlen(names[i]), (size_t)32);
		bringups = atomic64_read(&f->m.bringups);
		before = f->said_len;
		WRITE_ONCE(f->m.up_since, get_jiffies_64() - atw_timing.steady - 1);
		WRITE_ONCE(f->name, names[i]);
		fake_say(f, "\r\nready\r\n");
		eventually(test, atomic64_read(&f->m.bringups) == bringups + 1);
		KUNIT_EXPECT_TRUE_MSG(test, joined(f), "name %zu", i);
		KUNIT_EXPECT_EQ_MSG(test, f->m.lease.addr, 0xc0000202U, "name %zu", i);
		KUNIT_EXPECT_EQ_MSG(test, f->m.lease.gateway, 0xc0000201U, "name %zu", i);
		KUNIT_EXPECT_EQ_MSG(test, 1U, told(f, before, "ATE0"), "name %zu", i);
		KUNIT_EXPECT_EQ_MSG(test, 1U, told(f, before, "AT+WJAP?"), "name %zu", i);
		KUNIT_EXPECT_EQ_MSG(test, (s64)i + 1, atomic64_read(&f->m.reboots), "name %zu", i);
	}
}

/* A network with such a name is joined while there are streams: they get nothing of it. */
static void module_names_later(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *stream = &f->owner[0], *server = &f->owner[1];
	char *evil = kunit_kzalloc(test, 33, GFP_KERNEL);
	unsigned int before;
	size_t i;

	KUNIT_ASSERT_NOT_NULL(test, evil);
	opened(test, stream, ATW_TYPE_TCP_CLIENT);
	opened(test, server, ATW_TYPE_TCP_SERVER);
	lists(test, stream, server);
	/* Up to the end of the answer it is a payload, well closed. */
	snprintf(evil, 33, "\n+EVENT:SocketDown,%u,%zu,", stream->c->id,
		 strlen(",secret" JOINED));
	for (i = 0; i <= ARRAY_SIZE(names); i++) {
		WRITE_ONCE(f->name, i ? names[i - 1] : evil);
		before = f->said_len;
		fake_say(f, "\r\n+EVENT:WIFI_GOT_IP\r\n");
		eventually(test, told(f, before, "AT+WJAP?"));
		/* What that has brought about is done. */
		KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, true, atw_timing.request));
		KUNIT_EXPECT_EQ_MSG(test, 1U, told(f, before, "AT+WJAP?"), "name %zu", i);
		KUNIT_EXPECT_EQ_MSG(test, f->m.lease.addr, 0xc0000202U, "name %zu", i);
	}
	KUNIT_EXPECT_FALSE(test, stream->closed);
	KUNIT_EXPECT_EQ(test, 0U, stream->got);
	KUNIT_EXPECT_EQ(test, 0LL, atomic64_read(&f->m.reboots));
	KUNIT_EXPECT_EQ(test, 0LL, (s64)atomic64_read(&f->m.conns.counts.damaged));
	KUNIT_EXPECT_TRUE(test, joined(f));
}

/* It is about to join, and there is no address yet by which the answer could be known. */
static void module_names_early(struct kunit *test)
{
	struct fake *f = test->priv;
	unsigned int before = f->said_len;
	struct owner *server = &f->owner[0];

	opened(test, server, ATW_TYPE_TCP_SERVER);
	WRITE_ONCE(f->status, 2);
	WRITE_ONCE(f->name, ",7c:b9:4c:1d:c6:39,,,\r\nready\r\n");
	WRITE_ONCE(f->rest, ",14:de:39:06:86:e4,WPA2 AES,7c:b9:4c:1d:c6:39,6,0.0.0.0,0.0.0.0");
	fake_say(f, "\r\n+EVENT:WIFI_DISCONNECT\r\n\r\n+EVENT:WIFI_CONNECT\r\n");
	eventually(test, READ_ONCE(f->m.state) == ATW_MODULE_DOWN);
	KUNIT_EXPECT_EQ(test, 1U, told(f, before, "AT+WJAP?"));

	/* So long that no name has an end of a line in it: it is all that there is. */
	WRITE_ONCE(f->name, "");
	WRITE_ONCE(f->rest, ",,WPA2 AES,7c:b9:4c:1d:c6:39,0,,");
	before = f->said_len;
	fake_say(f, "\r\n+EVENT:WIFI_CONNECT\r\n");
	eventually(test, told(f, before, "AT+WJAP?"));
	KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, true, atw_timing.request));
	KUNIT_EXPECT_EQ(test, 1U, told(f, before, "AT+WJAP?"));

	/* Of a form that is not known: it costs a second, and nobody's connection. */
	WRITE_ONCE(f->rest, ",,,,0,,");
	before = f->said_len;
	fake_say(f, "\r\n+EVENT:WIFI_CONNECT\r\n");
	eventually(test, told(f, before, "AT+WJAP?") == 2);
	KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, true, atw_timing.request));
	KUNIT_EXPECT_EQ(test, 0LL, (s64)atomic64_read(&f->m.conns.counts.damaged));

	WRITE_ONCE(f->status, 3);
	WRITE_ONCE(f->rest, JOINED);
	fake_say(f, "\r\n+EVENT:WIFI_GOT_IP\r\n");
	eventually(test, joined(f));
	KUNIT_EXPECT_EQ(test, 0LL, atomic64_read(&f->m.reboots));
	KUNIT_EXPECT_FALSE(test, server->closed);
}

/*
 * A byte of the answer was garbled, and what follows it is a stream's: neither does that
 * lose a byte of it, nor is the module's what its remote says there.
 */
static void module_garbled(struct kunit *test)
{
	static const char data[] = "x,14:de:39:06:86:e4,x,7c:b9:4c:1d:c6:39,6,6.6.6.6,6.6.6.1";
	char *text = kunit_kzalloc(test, 512, GFP_KERNEL);
	struct fake *f = test->priv;
	struct owner *stream = &f->owner[0], *server = &f->owner[1];
	unsigned int before;

	KUNIT_ASSERT_NOT_NULL(test, text);
	opened(test, stream, ATW_TYPE_TCP_CLIENT);
	opened(test, server, ATW_TYPE_TCP_SERVER);
	lists(test, stream, server);
	snprintf(text, 512, "%s\r\nOK\r\n\r\n+EVENT:SocketDown,%u,%zu,%s\r\n",
		 ",14:de:39:06:86:e4,WPA2 AES,7c:b9:4c:1d:c6:3g,6,192.0.2.2,192.0.2.1",
		 stream->c->id, strlen(data), data);
	f->next = JOINED;
	WRITE_ONCE(f->rest, text);
	before = f->said_len;
	fake_say(f, "\r\n+EVENT:WIFI_GOT_IP\r\n");
	eventually(test, told(f, before, "AT+WJAP?") == 2);
	KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, true, atw_timing.request));
	KUNIT_EXPECT_EQ(test, 2U, told(f, before, "AT+WJAP?"));
	KUNIT_EXPECT_EQ(test, f->m.lease.addr, 0xc0000202U);
	KUNIT_EXPECT_FALSE(test, stream->closed);
	KUNIT_EXPECT_EQ(test, (unsigned int)strlen(data), stream->got);
}

/* More lines than a name has room for are not a name's: what was taken for it is lost. */
static void module_garbled_short(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *stream = &f->owner[0], *server = &f->owner[1];
	unsigned int before;

	opened(test, stream, ATW_TYPE_TCP_CLIENT);
	opened(test, server, ATW_TYPE_TCP_SERVER);
	lists(test, stream, server);
	f->next = JOINED;
	WRITE_ONCE(f->rest, "\r\nOK\r\n################################\r\n");
	before = f->said_len;
	fake_say(f, "\r\n+EVENT:WIFI_GOT_IP\r\n");
	eventually(test, READ_ONCE(stream->closed));
	KUNIT_EXPECT_EQ(test, -ECONNRESET, stream->close_err);
	/* What it says before it was settled that it is the module's is no answer. */
	eventually(test, told(f, before, "AT+WJAP?") >= 2);
	eventually(test, joined(f));
}

/* The same is lost of a stream, which does not go on behind that. */
static void module_garbled_stream(struct kunit *test)
{
	char *text = kunit_kzalloc(test, 128, GFP_KERNEL);
	struct fake *f = test->priv;
	struct owner *stream = &f->owner[0], *server = &f->owner[1];

	KUNIT_ASSERT_NOT_NULL(test, text);
	opened(test, stream, ATW_TYPE_TCP_CLIENT);
	opened(test, server, ATW_TYPE_TCP_SERVER);
	lists(test, stream, server);
	snprintf(text, 128, "\r\n\r\n+EVENT:SocketDown,%u,3,abc\r\n"
		 "\r\n+EVENT:SocketDown,%u,2,de\r\n", stream->c->id, stream->c->id);
	f->next = JOINED;
	WRITE_ONCE(f->rest, text);
	fake_say(f, "\r\n+EVENT:WIFI_GOT_IP\r\n");
	eventually(test, READ_ONCE(stream->closed));
	KUNIT_EXPECT_EQ(test, -ECONNRESET, stream->close_err);
	KUNIT_EXPECT_EQ(test, 0U, stream->got);
	eventually(test, joined(f));
}

/* Another hardware address may be a garbled one: it is to be told twice. */
static void module_other_mac(struct kunit *test)
{
	static const u8 mac[] = { 0x7c, 0xb9, 0x4c, 0x1d, 0xc6, 0x38 };
	struct fake *f = test->priv;
	unsigned int before = f->said_len;

	WRITE_ONCE(f->rest, ",14:de:39:06:86:e4,WPA2 AES,7c:b9:4c:1d:c6:38,6,192.0.2.2,192.0.2.1");
	fake_say(f, "\r\n+EVENT:WIFI_GOT_IP\r\n");
	eventually(test, told(f, before, "AT+WJAP?") == 2);
	KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, true, atw_timing.request));
	KUNIT_EXPECT_EQ(test, 2U, told(f, before, "AT+WJAP?"));
	KUNIT_EXPECT_EQ(test, 0, memcmp(f->m.mac, mac, sizeof(mac)));
}

/* It tells its own address only with its network: who keeps that is told when it is known. */
static void module_mac(struct kunit *test)
{
	static const u8 mac[6] = { 0x7c, 0xb9, 0x4c, 0x1d, 0xc6, 0x39 };
	struct fake *f = test->priv;

	eventually(test, !READ_ONCE(f->m.requests.refuse));
	KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, false, LIMIT));
	KUNIT_EXPECT_EQ(test, 0, memcmp(f->mac, mac, sizeof(mac)));
}

/* Payloads are mended by what its version tells of it, and by what was seen of that version. */
static void module_tears(struct kunit *test)
{
	struct fake *f = test->priv;
	struct atw_parser *p = &f->m.ch.parser;

	KUNIT_EXPECT_TRUE(test, p->tears);
	WRITE_ONCE(f->versions, "at version:2.0.0\r\nfirmware version:V5.0.0\r\n");
	restarts(test);
	KUNIT_EXPECT_FALSE(test, p->tears);
	WRITE_ONCE(p->tears, true);
	restarts(test);
	KUNIT_EXPECT_TRUE(test, p->tears);
	/* Whether it is another one it does not say. */
	WRITE_ONCE(f->versions, "");
	restarts(test);
	KUNIT_EXPECT_TRUE(test, p->tears);
}

/* It cannot be asked for its network any more, and nobody has anything else to do with it. */
static void module_broken(struct kunit *test)
{
	struct fake *f = test->priv;

	WRITE_ONCE(f->broken, true);
	atw_sched_set(&f->m.sched, ATW_DO_LINK);
	eventually(test, READ_ONCE(f->m.state) == ATW_MODULE_PROBING);
	WRITE_ONCE(f->broken, false);
	eventually(test, joined(f));
}

static void enters_raw(struct fake *f)
{
	WRITE_ONCE(f->raw, true);
	fake_say(f, "\r\nconnect success ConID=1\r\n\r\nOK\r\n>");
}

/*
 * It has stored that it is to enter transparent mode when it has joined: it is taken out of that
 * before anything else is written, also where it is found in it; what its remote says is not
 * believed. The driver does not have it join, as the password might be written just then.
 */
static void module_enters_raw(struct kunit *test)
{
	static const struct atw_join join = { .ssid = "net" };
	struct fake *f = test->priv;
	struct owner *server = &f->owner[0];
	s64 bringups;
	char text[48];

	opened(test, server, ATW_TYPE_TCP_SERVER);
	f->autott = "\r\n+SOCKETAUTOTT:4,192.0.2.9,7\r\n";
	restarts(test);
	eventually(test, READ_ONCE(f->m.autott) == ATW_AUTOTT_STORED);
	f->m.join = kmemdup(&join, sizeof(join), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->m.join);
	KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, false, LIMIT));
	WRITE_ONCE(f->m.state, ATW_MODULE_DOWN);
	KUNIT_EXPECT_FALSE(test, atw_join_wanted(&f->m));

	/* While it waits for an answer, which is the mode's OK. */
	bringups = atomic64_read(&f->m.bringups);
	WRITE_ONCE(f->muted, false);
	WRITE_ONCE(f->mutes, "AT+WJAP?");
	fake_say(f, "\r\n+EVENT:WIFI_GOT_IP\r\n");
	eventually(test, READ_ONCE(f->muted));
	WRITE_ONCE(f->mutes, NULL);
	enters_raw(f);
	snprintf(text, sizeof(text), "\r\n+EVENT:SocketSeed,1,%u\r\n", server->c->id);
	fake_say(f, text);
	eventually(test, atomic64_read(&f->m.bringups) == bringups + 1 && joined(f));
	KUNIT_EXPECT_EQ(test, 0U, f->remote_len);
	KUNIT_EXPECT_EQ(test, 0LL, (s64)atomic64_read(&f->m.conns.counts.accepted));
	KUNIT_EXPECT_EQ(test, ATW_AUTOTT_OVER, READ_ONCE(f->m.autott));
	KUNIT_EXPECT_EQ(test, 0, atw_module_set_recv_mode(&f->m, false, LIMIT));
	WRITE_ONCE(f->m.state, ATW_MODULE_DOWN);
	KUNIT_EXPECT_TRUE(test, atw_join_wanted(&f->m));

	/* It is found in the mode, which nobody has heard it enter. */
	f->m.baud = 0;
	atw_module_sleep(&f->m);
	WRITE_ONCE(f->raw, true);
	atw_module_wake(&f->m);
	eventually(test, atomic64_read(&f->m.bringups) == bringups + 2 && joined(f));
	KUNIT_EXPECT_EQ(test, 0U, f->remote_len);
	KUNIT_EXPECT_EQ(test, ATW_AUTOTT_STORED, READ_ONCE(f->m.autott));
}

/* What it answers to a try to find it is not taken for what it is asked then. */
static void module_late_ok(struct kunit *test)
{
	struct fake *f = test->priv;

	f->behind = true;
	f->autott = "\r\n+SOCKETAUTOTT:4,192.0.2.9,7\r\n";
	restarts(test);
	KUNIT_EXPECT_EQ(test, ATW_AUTOTT_STORED, READ_ONCE(f->m.autott));
}

/* A tty that is being taken away takes no rate. */
static int going_set_baud(struct atw_transport *t, unsigned int baud)
{
	struct fake *f = container_of(t, struct fake, t);

	if (baud == t->max_baud)
		atw_channel_halt(&f->m.ch);
	return 115200;
}

static unsigned int going_get_baud(struct atw_transport *t)
{
	return 115200;
}

static const struct atw_transport_ops going_ops = {
	.write = fake_write,
	.set_baud = going_set_baud,
	.get_baud = going_get_baud,
};

/* That says nothing of the rates that it has. */
static void module_goes_meanwhile(struct kunit *test)
{
	struct fake *f = test->priv;

	f->t.max_baud = 921600;
	f->t.ops = &going_ops;
	fake_say(f, "\r\nready\r\n");
	eventually(test, test_bit(ATW_CH_DEAD, &f->m.ch.flags));
	atw_channel_pause(&f->m.ch);
	KUNIT_EXPECT_EQ(test, 0U, f->m.bad_baud);
}

/* It restarts whenever it was brought up: that is done more and more rarely. */
static void module_restless(struct kunit *test)
{
	struct fake *f = test->priv;
	unsigned long *probe = &f->m.sched.at[ATW_DO_BRING_UP];
	unsigned long before, pause, next;
	unsigned int i;
	s64 bringups;

	for (i = 0; i < 3; i++)
		restarts(test);
	for (pause = atw_timing.retry_min, i = 0; i < 3; pause *= 2, i++) {
		bringups = atomic64_read(&f->m.bringups);
		before = jiffies;
		fake_say(f, "\r\nready\r\n");
		eventually(test, time_after_eq(READ_ONCE(*probe), before + pause));
		/* Nothing of it is taken to be there, and it is not believed that it is. */
		KUNIT_EXPECT_EQ(test, bringups, atomic64_read(&f->m.bringups));
		KUNIT_EXPECT_FALSE(test, joined(f));
		next = READ_ONCE(*probe);
		fake_say(f, "\r\nready\r\n");
		eventually(test, !atw_sched_is_set(&f->m.sched, ATW_DO_RESTARTED));
		KUNIT_EXPECT_EQ(test, next, READ_ONCE(*probe));
		atw_sched_set(&f->m.sched, ATW_DO_BRING_UP);
		eventually(test, atomic64_read(&f->m.bringups) == bringups + 1 && joined(f));
	}
	KUNIT_EXPECT_EQ(test, 6LL, atomic64_read(&f->m.reboots));

	/* When it has stayed up it is believed to do so. */
	WRITE_ONCE(f->m.up_since, get_jiffies_64() - atw_timing.steady - 1);
	for (i = 0; i < 3; i++)
		restarts(test);
	KUNIT_EXPECT_EQ(test, 9LL, atomic64_read(&f->m.reboots));
}

static struct kunit_case module_test_cases[] = {
	KUNIT_CASE(module_sleeps),
	KUNIT_CASE(module_sleeps_unanswered),
	KUNIT_CASE(module_sleeps_connecting),
	KUNIT_CASE(module_sleeps_full),
	KUNIT_CASE(module_starts_meanwhile),
	KUNIT_CASE(module_banners),
	KUNIT_CASE(module_banner_of_remote),
	KUNIT_CASE(module_start_forged),
	KUNIT_CASE(module_joins_twice),
	KUNIT_CASE(module_password),
	KUNIT_CASE(module_asked),
	KUNIT_CASE(module_lease),
	KUNIT_CASE(module_lease_anew),
	KUNIT_CASE(module_end_of_network),
	KUNIT_CASE(module_end_while_asked),
	KUNIT_CASE(module_other_address),
	KUNIT_CASE(module_link_unread),
	KUNIT_CASE(module_scan),
	KUNIT_CASE(module_name_forged),
	KUNIT_CASE(module_name_share),
	KUNIT_CASE(module_name_shares),
	KUNIT_CASE(module_name_connect),
	KUNIT_CASE(module_idle_request),
	KUNIT_CASE(module_request_again),
	KUNIT_CASE(module_name_unanswered),
	KUNIT_CASE(module_networks),
	KUNIT_CASE(module_networks_late),
	KUNIT_CASE(module_joins_by_bssid),
	KUNIT_CASE(module_rejoins),
	KUNIT_CASE(module_join_given_up),
	KUNIT_CASE(module_lets_go),
	KUNIT_CASE(module_refused),
	KUNIT_CASE(module_settles),
	KUNIT_CASE(module_refuses),
	KUNIT_CASE(module_flash),
	KUNIT_CASE(module_names),
	KUNIT_CASE(module_names_later),
	KUNIT_CASE(module_names_early),
	KUNIT_CASE(module_garbled),
	KUNIT_CASE(module_garbled_short),
	KUNIT_CASE(module_garbled_stream),
	KUNIT_CASE(module_other_mac),
	KUNIT_CASE(module_mac),
	KUNIT_CASE(module_tears),
	KUNIT_CASE(module_broken),
	KUNIT_CASE(module_enters_raw),
	KUNIT_CASE(module_late_ok),
	KUNIT_CASE(module_goes_meanwhile),
	KUNIT_CASE(module_restless),
	{}
};

static struct kunit_suite module_test_suite = {
	.name = "atwifi_module",
	.init = module_test_init,
	.exit = module_test_exit,
	.test_cases = module_test_cases,
};

kunit_test_suites(&module_test_suite);
