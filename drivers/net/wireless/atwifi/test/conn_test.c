// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections against a module made of a write function: it answers each
 * command before write() returns, and notes them in order. Until the gate is
 * opened no command is run, so that what is queued before has an exact order.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/jiffies.h>
#include <linux/skbuff.h>
#include <linux/workqueue.h>

#include "../conn_priv.h"
#include "../relay.h"
#include "../timing.h"

#define NOTES		256
#define CONNS		24
#define ALWAYS		UINT_MAX

enum cmd_kind { V_OPEN, V_SEND, V_DEL, V_LIST, V_CFG };

struct note {
	enum cmd_kind	verb;
	u32		id;
	u32		len;
};

/* An owner of a connection, and what it was told. */
struct owner {
	struct atw_conn		*c;
	bool			opened, closed;
	int			open_err, close_err;
	u32			code;
	unsigned int		tx_done;
	bool			full;		/* refuses what comes */
	bool			drains;		/* takes it and forgets it */
	char			got[64];
	unsigned int		got_len;
	unsigned int		longest;	/* of what came */
};

/* A time that passes only while the fake module does something, for tests that ask for it. */
static ktime_t fake_time;

static ktime_t fake_clock(void)
{
	return fake_time;
}

struct fake {
	struct atw_transport	t;
	struct atw_channel	ch;
	struct atw_sched	sched;
	struct atw_conns	conns;
	struct atw_timing	timing;		/* as it was before the test */
	bool			gate;
	char			rx[256];
	unsigned int		rx_len;
	u32			payload_left;
	u32			send_id;	/* whose payload it is */
	char			sent[1024];	/* of all payloads, the first of it */
	unsigned int		nsent;
	struct atw_conn		*more;		/* has more to send when it comes, once */
	struct note		notes[NOTES];
	unsigned int		nnotes;
	struct owner		owner[CONNS];
	/* how it misbehaves */
	u32			refuse_len;	/* error 33 for longer sends */
	u32			swallow_id;	/* takes its bytes, says nothing */
	u32			swallow_len;	/* the same with longer sends */
	bool			swallows;	/* this one */
	bool			answers_late;	/* when a stream has just ended for that */
	enum { IS_IDLE, IS_BLOCKED, READS_ON } then;	/* it does not take the next command */
	const char		*connect_answer;
	const char		*connect_before;	/* of that number, once */
	const char		*connect_ends;	/* after the end of that number, once */
	long			connect_takes;	/* jiffies */
	unsigned int		connect_ms;	/* by the fake clock, once */
	unsigned int		each_connect_ms;
	unsigned int		byte_us;	/* of what is sent, 0: 1 */
	const char		*rows;		/* of AT+SOCKET? */
	const char		*before_rows;	/* once */
	const char		*before_del;	/* once */
	const char		*always;	/* before them, each time */
	const char		*in_payload;	/* behind the first part of it, once */
	const char		*after_payload;	/* before the OK */
	const char		*read;		/* what AT+SOCKETREAD finds, once */
	const char		*reads_on;	/* and the next one, then */
	bool			floods;		/* all find, until there is a note */
	unsigned int		flooded;	/* so often */
	unsigned int		empties;	/* times that it has found nothing */
	const char		*unplugged;	/* when it is told a command that begins so */
	const char		*mishears;	/* commands that begin so ... */
	unsigned int		nmishears;	/* ... so many of them */
	const char		*complaint;	/* its answer to those */
	unsigned int		complaint_ms;	/* by the fake clock */
	u32			has;		/* listed by AT+SOCKET?, 0: nothing */
	unsigned int		abandons;	/* before as many works, until there is a note */
	bool			purge;		/* the thread's next work */
	int			purged;
	struct atw_conn		*tt_off;	/* likewise: it gives transparent mode back */
	u8			tt_how;		/* or is given it */
	int			tt_err;
	bool			asks;		/* for the network by the thread, not at once */
	bool			tt_carry;	/* likewise: what there is to do in the mode */
	bool			raw;		/* it is in the mode */
	unsigned int		deaf;		/* takes so many "+++" for data */
	unsigned int		escapes;	/* has got so many */
	const char		*before_barrier;	/* once, before the module complains */
	unsigned int		barriers;
	/* a UART that can be held up */
	bool			holds;
	bool			held_up;
	unsigned int		throttles;	/* how often it was */
	unsigned int		throttle_ms;	/* by the fake clock */
	struct owner		*reads;		/* and has room then */
};

static u64 count(const atomic64_t *counter)
{
	return atomic64_read(counter);
}

static void fake_say(struct fake *f, const char *s)
{
	atw_channel_receive(&f->ch, (const u8 *)s, strlen(s));
}

static void fake_say_raw(struct fake *f, const char *s)
{
	mutex_lock(&f->ch.rx_lock);
	atw_tt_receive(&f->conns, (const u8 *)s, strlen(s));
	mutex_unlock(&f->ch.rx_lock);
}

static void fake_note(struct fake *f, enum cmd_kind verb, u32 id, u32 len)
{
	if (f->nnotes < NOTES)
		f->notes[f->nnotes++] = (struct note){ verb, id, len };
}

static void fake_connect(struct fake *f, const char *line)
{
	const char *id = strrchr(line, ',') + 1;
	const char *keepalive = id - 1;
	char answer[64];
	u32 n = 0, seconds;

	if (kstrtou32(id, 10, &n))
		n = 0;
	do {
		keepalive--;
	} while (keepalive > line && *keepalive != ',');
	if (sscanf(keepalive, ",%u,", &seconds) != 1)
		seconds = 0;
	fake_note(f, V_OPEN, n, seconds);
	fake_time = ktime_add_ms(fake_time, f->connect_ms + f->each_connect_ms);
	f->connect_ms = 0;
	if (f->connect_takes)
		schedule_timeout_uninterruptible(f->connect_takes);
	if (f->connect_before) {
		/* That is its number, even if it is not told. */
		u32 next = f->conns.ids.next;
		char before[160];

		snprintf(before, sizeof(before), f->connect_before, next, next, next);
		f->connect_before = NULL;
		fake_say(f, before);
	}
	if (f->connect_ends) {
		snprintf(answer, sizeof(answer), "\r\n+EVENT:SocketDisconnect,%u\r\n", n);
		fake_say(f, answer);
		fake_say(f, f->connect_ends);
		f->connect_ends = NULL;
		return;
	}
	if (f->connect_answer) {
		fake_say(f, f->connect_answer);
		return;
	}
	snprintf(answer, sizeof(answer), "connect success ConID=%u\r\n\r\nOK\r\n",
		 n);
	fake_say(f, answer);
}

static void fake_read(struct fake *f, u32 id)
{
	char text[96];

	if (f->floods && !f->nnotes) {
		f->flooded++;
		snprintf(text, sizeof(text), "\r\n+SOCKETREAD,%u,5,hello\r\nOK\r\n", id);
	} else if (!f->read) {
		WRITE_ONCE(f->empties, f->empties + 1);
		snprintf(text, sizeof(text), "+SOCKETREAD,%u,0\r\nOK\r\n", id);
	} else {
		/* And its end, once more. */
		snprintf(text, sizeof(text),
			 "\r\n+EVENT:SocketDisconnect,%u\r\n+SOCKETREAD,%u,%zu,%s\r\nOK\r\n",
			 id, id, strlen(f->read), f->read);
		f->read = f->reads_on;
		f->reads_on = NULL;
	}
	fake_say(f, text);
}

static void fake_command(struct fake *f, const char *line)
{
	unsigned int n = READ_ONCE(f->nmishears);
	char row[48];
	u32 id, len;

	if (f->unplugged && strstarts(line, f->unplugged)) {
		atw_channel_halt(&f->ch);
	} else if (f->swallows && f->then != IS_IDLE) {
		/* It waits for the remote; or does not any more, and says so. */
		if (f->then == READS_ON)
			fake_say(f, "\r\nOK\r\n\r\nOK\r\n");
		f->swallows = false;
	} else if (n && !strncmp(line, f->mishears, strlen(f->mishears))) {
		if (n != ALWAYS)
			f->nmishears = n - 1;
		fake_time = ktime_add_ms(fake_time, f->complaint_ms);
		fake_say(f, f->complaint);
	} else if (sscanf(line, "AT+SOCKETSEND=%u,%u", &id, &len) == 2) {
		fake_note(f, V_SEND, id, len);
		f->send_id = id;
		if (f->refuse_len && len > f->refuse_len) {
			fake_say(f, "\r\n+SOCKETSEND:33\r\nERROR\r\n");
			return;
		}
		f->payload_left = len;
		fake_time = ktime_add_us(fake_time, len * (f->byte_us ?: 1));
		/* By that clock a connect has waited long enough. */
		if (f->byte_us)
			f->conns.pace.next_open = 0;
		f->swallows = f->swallow_id == id ||
			      (f->swallow_len && len > f->swallow_len);
		fake_say(f, ">");
	} else if (sscanf(line, "AT+SOCKETSENDLINE=%u,%u", &id, &len) == 2) {
		fake_note(f, V_SEND, id, len);
		fake_say(f, "\r\nOK\r\n");
	} else if (sscanf(line, "AT+SOCKETDEL=%u", &id) == 1) {
		fake_note(f, V_DEL, id, 0);
		if (f->before_del)
			fake_say(f, f->before_del);
		f->before_del = NULL;
		if (f->has == id)
			f->has = 0;
		fake_say(f, "\r\nOK\r\n");
	} else if (sscanf(line, "AT+SOCKETREAD=%u", &id) == 1) {
		fake_read(f, id);
	} else if (!strcmp(line, "AT+SOCKET?")) {
		fake_note(f, V_LIST, 0, 0);
		if (f->before_rows)
			fake_say(f, f->before_rows);
		f->before_rows = NULL;
		if (READ_ONCE(f->always))
			fake_say(f, f->always);
		if (f->rows)
			fake_say(f, f->rows);
		if (f->has) {
			snprintf(row, sizeof(row),
				 "%u,4,3,192.0.2.1,80,-1,0\r\n", f->has);
			fake_say(f, row);
		}
		fake_say(f, "\r\nOK\r\n");
	} else if (!strncmp(line, "AT+ATW", 6)) {
		char text[48];

		if (f->before_barrier)
			fake_say(f, f->before_barrier);
		f->before_barrier = NULL;
		f->barriers++;
		snprintf(text, sizeof(text), "Unknown cmd:%s\r\n", line);
		if (f->raw)
			fake_say_raw(f, text);
		else
			fake_say(f, text);
		f->raw = false;
	} else if (!strncmp(line, "AT+SOCKET=", 10)) {
		fake_connect(f, line);
	} else {
		fake_note(f, V_CFG, 0, 0);
		fake_say(f, "\r\nOK\r\n");
	}
}

static int send_text(struct atw_conn *c, const char *text, unsigned int len)
{
	struct sk_buff *skb = alloc_skb(len, GFP_KERNEL);
	int err;

	if (!skb)
		return -ENOMEM;
	skb_put_data(skb, text, len);
	err = atw_conn_send(c, skb);
	if (err)
		kfree_skb(skb);
	return err;
}

/* In transparent mode: data, or the way out. */
static void fake_carry(struct fake *f, const u8 *buf, size_t len)
{
	if (len != 3 || memcmp(buf, "+++", 3))
		return;
	f->escapes++;
	if (f->escapes > f->deaf)
		fake_say_raw(f, "\r\nOK\r\n");
}

static ssize_t fake_write(struct atw_transport *t, const u8 *buf, size_t len)
{
	struct fake *f = container_of(t, struct fake, t);
	size_t i;

	if (f->raw && buf[len - 1] != '\n') {
		fake_carry(f, buf, len);
		return len;
	}
	if (f->payload_left) {
		len = min_t(size_t, len, f->payload_left);
		if (f->more)
			send_text(f->more, "more", 4);
		f->more = NULL;
		for (i = 0; i < len && f->nsent < sizeof(f->sent); i++)
			f->sent[f->nsent++] = buf[i];
		f->payload_left -= len;
		if (f->payload_left && f->in_payload)
			fake_say(f, f->in_payload);
		f->in_payload = NULL;
		if (f->payload_left)
			return len;
		if (f->after_payload)
			fake_say(f, f->after_payload);
		if (!f->swallows)
			fake_say(f, "\r\nOK\r\n");
		return len;
	}
	for (i = 0; i < len; i++) {
		if (f->rx_len == sizeof(f->rx) - 1)
			return -EIO;
		f->rx[f->rx_len++] = buf[i];
		if (buf[i] != '\n')
			continue;
		f->rx[f->rx_len - 2] = '\0';
		f->rx_len = 0;
		fake_command(f, f->rx);
		return i + 1;
	}
	return len;
}

static bool fake_throttle(struct atw_transport *t, bool on)
{
	struct fake *f = container_of(t, struct fake, t);

	if (!f->holds)
		return false;
	f->held_up = on;
	f->throttles += on;
	if (on && f->reads)
		f->reads->full = false;
	if (!on)
		fake_time = ktime_add_ms(fake_time, f->throttle_ms);
	return true;
}

static const struct atw_transport_ops fake_transport_ops = {
	.write = fake_write,
	.throttle = fake_throttle,
};

/* It has its network. */
static bool fake_ends(struct atw_conns *cs)
{
	bool any = atw_conns_ask_ends(cs);

	atw_conns_answer_ends(cs, true);
	return any;
}

/* What concerns the module as a whole stays to be done. */
static const struct atw_agenda fake_agenda = {
	.job = {
		[ATW_DO_ENDS]		= { fake_ends },
		[ATW_DO_STALE]		= { atw_conns_do_stale, .turns = true },
		[ATW_DO_RECV_MODE]	= { atw_conns_do_recv_mode },
		[ATW_DO_ACCEPTED]	= { atw_conns_do_accepted },
		[ATW_DO_BOOT]		= { atw_conns_do_boot },
		[ATW_DO_COMPARE]	= { atw_conns_do_compare },
		[ATW_DO_UNKNOWN]	= { atw_conns_do_unknown },
		[ATW_DO_RECONCILE]	= { atw_conns_do_reconcile, .turns = true },
		[ATW_DO_CONNS]		= { atw_conns_do_next },
	},
};

static const struct atw_conn_ops owner_ops;

/* Somebody connects, and has second thoughts before the module is asked. */
static void fake_abandon(struct fake *f)
{
	static const struct atw_conn_spec spec = {
		.type = ATW_TYPE_UDP_CLIENT,
		.name = "",
		.addr = 0xc0000202,
		.port = 9,
	};
	struct atw_conn *c = atw_conn_open(&f->conns, &spec, &owner_ops, &f->owner[CONNS - 1]);

	if (IS_ERR(c))
		return;
	atw_conn_close(c, true, 0);
	atw_conn_put(c);
}

static bool fake_work(void *ctx)
{
	struct fake *f = ctx;

	if (READ_ONCE(f->gate) && f->abandons && !f->nnotes) {
		f->abandons--;
		fake_abandon(f);
	}
	if (READ_ONCE(f->purge)) {
		f->purged = atw_conns_delete_old(&f->conns);
		WRITE_ONCE(f->purge, false);
		return true;
	}
	if (READ_ONCE(f->tt_off)) {
		f->tt_err = atw_tt_set(&f->conns, f->tt_off, f->tt_how);
		WRITE_ONCE(f->tt_off, NULL);
		return true;
	}
	if (READ_ONCE(f->tt_carry)) {
		atw_tt_carry(&f->conns);
		WRITE_ONCE(f->tt_carry, false);
		return true;
	}
	/* What the module as a whole does about damage, as far as that concerns connections. */
	if (READ_ONCE(f->gate) && atw_channel_is_unsettled(&f->ch)) {
		atw_channel_settle(&f->ch);
		return true;
	}
	return READ_ONCE(f->gate) && atw_sched_run(&f->sched, &f->conns);
}

static long fake_next_work(void *ctx)
{
	struct fake *f = ctx;

	return atw_sched_next(&f->sched);
}

static void fake_event(void *ctx, const struct atw_event *ev)
{
	struct fake *f = ctx;

	if (ev->type != ATW_EV_READY)
		atw_conns_hear(&f->conns, ev);
	if (!f->asks)
		fake_ends(&f->conns);
}

static u8 *fake_payload(void *ctx, u32 id, u32 len)
{
	struct fake *f = ctx;

	return atw_conns_payload(&f->conns, id, len);
}

static void fake_payload_end(void *ctx, const struct atw_event *ev)
{
	struct fake *f = ctx;

	atw_conns_payload_end(&f->conns, ev);
	if (!f->asks)
		fake_ends(&f->conns);
}

static const struct atw_channel_ops fake_channel_ops = {
	.work = fake_work,
	.next_work = fake_next_work,
	.event = fake_event,
	.payload = fake_payload,
	.payload_end = fake_payload_end,
};

static void owner_opened(struct atw_conn *c, int err, u32 code)
{
	struct owner *o = c->owner;

	o->open_err = err;
	o->code = code;
	WRITE_ONCE(o->opened, true);
}

static bool owner_rx(struct atw_conn *c, struct sk_buff *skb)
{
	struct owner *o = c->owner;

	o->longest = max(o->longest, skb->len);
	if (o->drains) {
		kfree_skb(skb);
		return true;
	}
	if (o->full || o->got_len + skb->len > sizeof(o->got))
		return false;
	memcpy(o->got + o->got_len, skb->data, skb->len);
	o->got_len += skb->len;
	kfree_skb(skb);
	return true;
}

static bool owner_room(struct atw_conn *c, const struct sk_buff *skb)
{
	struct owner *o = c->owner;

	return !o->full;
}

static void owner_closed(struct atw_conn *c, int err, u32 code)
{
	struct fake *f = c->conns ? container_of(c->conns, struct fake, conns) : NULL;
	struct owner *o = c->owner;

	if (f && f->answers_late)
		WRITE_ONCE(f->ch.strays, f->ch.strays + 1);
	o->close_err = err;
	WRITE_ONCE(o->closed, true);
}

static void owner_tx_done(struct atw_conn *c)
{
	struct owner *o = c->owner;

	o->tx_done++;
}

static const struct atw_conn_ops owner_ops = {
	.opened = owner_opened,
	.rx = owner_rx,
	.room = owner_room,
	.closed = owner_closed,
	.tx_done = owner_tx_done,
};

static int conn_test_init(struct kunit *test)
{
	struct device *dev = kunit_kzalloc(test, sizeof(*dev), GFP_KERNEL);
	struct fake *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	int err;

	if (!f || !dev)
		return -ENOMEM;
	dev->init_name = "atwifi_test";
	f->timing = atw_timing;
	f->t.ops = &fake_transport_ops;
	atw_sched_init(&f->sched, &f->ch, &fake_agenda);
	atw_conns_init(&f->conns, &f->ch, &f->sched);
	atw_conns_set_firmware(&f->conns, atw_firmware_of(ATWIFI_PROFILE_CLASSIC), false);
	err = atw_channel_start(&f->ch, &fake_channel_ops, f, &f->t, dev);
	if (err)
		return err;
	atw_channel_go(&f->ch);
	atw_conns_set_link(&f->conns, true);
	test->priv = f;
	return 0;
}

static void conn_test_exit(struct kunit *test)
{
	struct fake *f = test->priv;
	unsigned int i;

	if (!f)
		return;
	atw_channel_stop(&f->ch);
	atw_conns_gone(&f->conns);
	for (i = 0; i < CONNS; i++)
		if (f->owner[i].c)
			atw_conn_put(f->owner[i].c);
	atw_timing = f->timing;
}

/* Wait for what the channel's thread is to bring about. */
#define eventually(test, cond) do {					\
	unsigned long end = jiffies + 60 * HZ;				\
									\
	while (!(cond) && time_before(jiffies, end))			\
		schedule_timeout_uninterruptible(1);			\
	KUNIT_ASSERT_TRUE(test, cond);					\
} while (0)

static void open_gate(struct fake *f, bool open)
{
	WRITE_ONCE(f->gate, open);
	atw_channel_kick(&f->ch);
}

/* The module misunderstands so many of the commands that begin so. */
static void mishear(struct fake *f, const char *command, unsigned int times,
		    const char *complaint)
{
	f->mishears = command;
	f->complaint = complaint;
	WRITE_ONCE(f->nmishears, times);
}

/* Let the thread work, and wait until that is so. */
#define run_on_until(test, cond) do {					\
	open_gate((test)->priv, true);					\
	eventually(test, cond);						\
} while (0)

/* The same, and it works no longer. */
#define run_until(test, cond) do {					\
	run_on_until(test, cond);					\
	open_gate((test)->priv, false);					\
} while (0)

/* Nobody wants it any more: another may have its place. */
static void let_go(struct owner *o)
{
	atw_conn_put(o->c);
	memset(o, 0, sizeof(*o));
}

/* Is it to be done, as soon as the gate is open? */
static bool todo(struct fake *f, enum atw_todo job)
{
	return atw_sched_is_set(&f->sched, job);
}

static struct owner *fake_open_spec(struct kunit *test, unsigned int i,
				    const struct atw_conn_spec *spec)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[i];

	o->c = atw_conn_open(&f->conns, spec, &owner_ops, o);
	KUNIT_ASSERT_FALSE(test, IS_ERR(o->c));
	return o;
}

static struct owner *fake_open(struct kunit *test, unsigned int i,
			       enum atw_sock_type type)
{
	const struct atw_conn_spec spec = {
		.type = type,
		.name = "",
		.addr = 0xc0000201,
		.port = 80,
	};

	return fake_open_spec(test, i, &spec);
}

static unsigned int deletes(const struct fake *f, u32 id)
{
	unsigned int i, n = 0;

	for (i = 0; i < READ_ONCE(f->nnotes); i++)
		n += f->notes[i].verb == V_DEL && f->notes[i].id == id;
	return n;
}

static unsigned int listed(struct fake *f)
{
	unsigned int n;

	spin_lock(&f->conns.lock);
	n = f->conns.n;
	spin_unlock(&f->conns.lock);
	return n;
}

/* It lists that one. */
static void fake_have(struct fake *f, const struct owner *o, char *rows,
		      size_t size)
{
	snprintf(rows, size, "%u,4,3,192.0.2.1,80,-1,0\r\n", o->c->id);
	f->rows = rows;
}

/* Open so many and close the gate again; the notes begin after that. */
static void opened(struct kunit *test, unsigned int n, enum atw_sock_type type)
{
	struct fake *f = test->priv;
	unsigned int i;

	for (i = 0; i < n; i++)
		fake_open(test, i, type);
	open_gate(f, true);
	for (i = 0; i < n; i++) {
		eventually(test, READ_ONCE(f->owner[i].opened));
		KUNIT_ASSERT_EQ(test, 0, f->owner[i].open_err);
	}
	open_gate(f, false);
	f->nnotes = 0;
}

static void queue(struct kunit *test, struct owner *o, u32 len)
{
	struct sk_buff *skb = alloc_skb(len, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, skb);
	memset(skb_put(skb, len), 'x', len);
	KUNIT_ASSERT_EQ(test, 0, atw_conn_send(o->c, skb));
}

static void sent(struct kunit *test, struct owner *o)
{
	eventually(test, !atw_conn_unsent(o->c));
}

static void close_all(struct kunit *test, unsigned int n)
{
	struct fake *f = test->priv;
	unsigned int i;

	for (i = 0; i < n; i++)
		atw_conn_close(f->owner[i].c, true, 0);
	run_on_until(test, list_empty_careful(&f->conns.list));
}

/* The same with the only one, and have the next in its place. */
static void forget(struct kunit *test)
{
	struct fake *f = test->priv;

	close_all(test, 1);
	open_gate(f, false);
	let_go(&f->owner[0]);
}

/* Many small writes share a buffer and a send. What comes meanwhile is behind them. */
static void conn_appends(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	const char *want = "0123456789abcdefghijmore";
	const char *p;

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	f->more = o->c;
	for (p = want; p < want + 20; p++)
		KUNIT_ASSERT_EQ(test, 0, send_text(o->c, p, 1));
	KUNIT_EXPECT_EQ(test, 20U, atw_conn_unsent(o->c));
	KUNIT_EXPECT_EQ(test, 1U, skb_queue_len(&o->c->tx.q));
	run_on_until(test, READ_ONCE(f->nsent) == 20);
	sent(test, o);
	/* Four bytes go within the line of the command. */
	KUNIT_ASSERT_EQ(test, 2U, f->nnotes);
	KUNIT_EXPECT_EQ(test, 20U, f->notes[0].len);
	KUNIT_EXPECT_EQ(test, 4U, f->notes[1].len);
	KUNIT_EXPECT_EQ(test, 0, memcmp(f->sent, want, 20));
	forget(test);

	/* Each datagram is one. */
	opened(test, 1, ATW_TYPE_UDP_CLIENT);
	KUNIT_ASSERT_EQ(test, 0, send_text(o->c, "a", 1));
	KUNIT_ASSERT_EQ(test, 0, send_text(o->c, "b", 1));
	KUNIT_EXPECT_EQ(test, 2U, skb_queue_len(&o->c->tx.q));
	close_all(test, 1);
}

static u32 weight(u32 id)
{
	return id / 100 + 3 * (id / 10 % 10) + 7 * (id % 10);
}

/* One digit more, less or other is never the name of another connection. */
static void conn_ids(struct kunit *test)
{
	struct fake *f = test->priv;
	unsigned int i, j, open = 0, deleted = 0;

	for (i = 0; i < CONNS; i++)
		fake_open(test, i, ATW_TYPE_TCP_CLIENT);
	open_gate(f, true);
	for (i = 0; i < CONNS; i++) {
		eventually(test, READ_ONCE(f->owner[i].opened));
		if (f->owner[i].open_err) {
			KUNIT_EXPECT_EQ(test, -ENOBUFS, f->owner[i].open_err);
			continue;
		}
		open++;
		KUNIT_EXPECT_EQ(test, 0U, weight(f->owner[i].c->id) % 10);
		KUNIT_EXPECT_GE(test, f->owner[i].c->id, 100U);
		KUNIT_EXPECT_LE(test, f->owner[i].c->id, 255U);
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_NE(test, f->owner[i].c->id,
					f->owner[j].c->id);
	}
	/* More than any of the modules has. */
	KUNIT_EXPECT_GE(test, open, 11U);
	close_all(test, CONNS);
	for (i = 0; i < f->nnotes; i++)
		deleted += f->notes[i].verb == V_DEL;
	KUNIT_EXPECT_EQ(test, open, deleted);
}

/* The name of what was deleted is the last to be used again. */
static void conn_id_reuse(struct kunit *test)
{
	struct fake *f = test->priv;
	u32 id;

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	id = f->owner[0].c->id;
	close_all(test, 1);
	let_go(&f->owner[0]);
	opened(test, 2, ATW_TYPE_TCP_CLIENT);
	KUNIT_EXPECT_NE(test, id, f->owner[0].c->id);
	KUNIT_EXPECT_NE(test, id, f->owner[1].c->id);
	close_all(test, 2);
}

/*
 * Where there is no other number than that of what was deleted just now, what the module has
 * yet to say of that is not its successor's.
 */
static void conn_id_reused(struct kunit *test)
{
	static const struct {
		const char	*before;
		const char	*answer;
		int		err;
		const char	*got;
	} cases[] = {
		{ "\r\n+EVENT:SocketDown,%u,4,word\r\n", NULL, -ECONNABORTED, "" },
		{ "\r\n+EVENT:SocketDisconnect,%u\r\n", NULL, -ECONNABORTED, "" },
		{ "\r\n+EVENT:SocketAutoDel,%u\r\n", NULL, 0, "" },
		{ NULL, "connect success ConID=%u\r\n\r\n+EVENT:SocketDown,%u,4,word\r\n\r\nOK\r\n",
		  0, "word" },
		{ NULL, NULL, 0, "" },
	};
	char *rows = kunit_kzalloc(test, 1024, GFP_KERNEL);
	struct fake *f = test->priv;
	unsigned int i, n = 0;
	struct owner *o;
	char answer[96];
	u32 id;

	KUNIT_ASSERT_NOT_NULL(test, rows);
	/* What was deleted was so just now, however slow this machine is. */
	atw_timing.rest = 3600 * HZ;
	for (id = ATW_ID_MIN; id <= ATW_ID_MAX; id++)
		n += atw_id_is_code_word(id);
	KUNIT_ASSERT_LT(test, n, (unsigned int)CONNS);
	opened(test, n, ATW_TYPE_TCP_CLIENT);
	for (i = 0; i < n; i++)
		snprintf(rows + strlen(rows), 1024 - strlen(rows), "%u,4,3,192.0.2.1,80,-1,0\r\n",
			 f->owner[i].c->id);
	f->rows = rows;
	o = &f->owner[3];
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		id = o->c->id;
		atw_conn_close(o->c, true, 0);
		run_until(test, listed(f) == n - 1);
		let_go(o);
		f->conns.ids.next = id;
		f->connect_before = cases[i].before;
		f->connect_answer = NULL;
		if (cases[i].answer) {
			snprintf(answer, sizeof(answer), cases[i].answer, id, id);
			f->connect_answer = answer;
		}
		fake_open(test, 3, ATW_TYPE_TCP_CLIENT);
		run_on_until(test, READ_ONCE(o->opened));
		KUNIT_EXPECT_EQ_MSG(test, cases[i].err, o->open_err, "%u", i);
		KUNIT_EXPECT_EQ_MSG(test, strlen(cases[i].got), o->got_len, "%u", i);
		if (o->open_err) {
			eventually(test, listed(f) == n - 1);
			open_gate(f, false);
			let_go(o);
			fake_open(test, 3, ATW_TYPE_TCP_CLIENT);
			run_on_until(test, READ_ONCE(o->opened));
			KUNIT_ASSERT_EQ(test, 0, o->open_err);
		}
		open_gate(f, false);
		KUNIT_EXPECT_EQ(test, id, o->c->id);
	}

	/* Of two numbers it is the other one that is given. */
	id = o->c->id;
	atw_conn_close(o->c, true, 0);
	atw_conn_close(f->owner[4].c, true, 0);
	run_until(test, listed(f) == n - 2);
	let_go(o);
	spin_lock(&f->conns.lock);
	for (i = ATW_ID_MIN; i <= ATW_ID_MAX; i++)
		if (i != id)
			f->conns.ids.rests[0][i] = 0;
	f->conns.ids.next = id - 1;
	spin_unlock(&f->conns.lock);
	fake_open(test, 3, ATW_TYPE_TCP_CLIENT);
	run_on_until(test, READ_ONCE(o->opened));
	KUNIT_EXPECT_NE(test, id, o->c->id);
	close_all(test, n);
}

/* Two uploads take turns, however much each has. */
static void expect_fair(struct kunit *test)
{
	struct fake *f = test->priv;
	u32 bytes[2] = { 0 };
	unsigned int i;

	for (i = 0; i < 32; i++)
		queue(test, &f->owner[0], 4000);
	for (i = 0; i < 8; i++)
		queue(test, &f->owner[1], 4000);
	open_gate(f, true);
	sent(test, &f->owner[0]);
	sent(test, &f->owner[1]);
	for (i = 0; i < f->nnotes; i++) {
		const struct note *n = &f->notes[i];
		int k = n->id == f->owner[1].c->id;

		if (n->verb != V_SEND)
			continue;
		bytes[k] += n->len;
		if (bytes[1] < 32000)
			KUNIT_EXPECT_LE(test, abs((int)bytes[0] - (int)bytes[1]),
					9216);
	}
	KUNIT_EXPECT_EQ(test, 32U * 4000, bytes[0]);
	KUNIT_EXPECT_EQ(test, 8U * 4000, bytes[1]);
}

static void conn_fair(struct kunit *test)
{
	opened(test, 2, ATW_TYPE_TCP_CLIENT);
	expect_fair(test);
	close_all(test, 2);
}

/* The request that one of them begins with is no chat that the other has to spare. */
static void conn_fair_after_request(struct kunit *test)
{
	struct fake *f = test->priv;

	opened(test, 2, ATW_TYPE_TCP_CLIENT);
	queue(test, &f->owner[0], 10);
	open_gate(f, true);
	sent(test, &f->owner[0]);
	open_gate(f, false);
	f->nnotes = 0;
	expect_fair(test);
	close_all(test, 2);
}

/* The largest send of an upload of 100 kB, with what is queued already beside it. */
static u32 largest_send(struct kunit *test, struct owner *o)
{
	struct fake *f = test->priv;
	u32 largest = 0;
	unsigned int i;

	for (i = 0; i < 25; i++)
		queue(test, o, 4000);
	open_gate(f, true);
	sent(test, o);
	open_gate(f, false);
	for (i = 0; i < f->nnotes; i++)
		if (f->notes[i].verb == V_SEND && f->notes[i].id == o->c->id)
			largest = max(largest, f->notes[i].len);
	f->nnotes = 0;
	return largest;
}

/* How long a quantum is follows the rate, and who else is there. */
static void conn_quantum(struct kunit *test)
{
	struct fake *f = test->priv;

	atw_conns_set_rate(&f->conns, 460800);
	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	KUNIT_EXPECT_EQ(test, 460800U / 50, largest_send(test, &f->owner[0]));

	/* Somebody who only may say something. */
	fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	run_on_until(test, READ_ONCE(f->owner[1].opened));
	KUNIT_EXPECT_EQ(test, 460800U / 200, largest_send(test, &f->owner[0]));

	/* Somebody who does. */
	queue(test, &f->owner[1], 10);
	open_gate(f, true);
	sent(test, &f->owner[1]);
	KUNIT_EXPECT_EQ(test, 460800U / 500, largest_send(test, &f->owner[0]));

	/* It is one's own messages that one does not wait for. */
	KUNIT_EXPECT_EQ(test, 460800U / 200, largest_send(test, &f->owner[1]));
	close_all(test, 2);
}

/* An administrator may want more of the one, or of the other. */
static void conn_quantum_preferred(struct kunit *test)
{
	struct fake *f = test->priv;

	atw_conns_set_rate(&f->conns, 460800);
	f->conns.pace.prefer = ATWIFI_PREFER_LATENCY;
	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	KUNIT_EXPECT_EQ(test, 460800U / 50, largest_send(test, &f->owner[0]));
	fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	run_on_until(test, READ_ONCE(f->owner[1].opened));
	KUNIT_EXPECT_EQ(test, 460800U / 500, largest_send(test, &f->owner[0]));

	f->conns.pace.prefer = ATWIFI_PREFER_THROUGHPUT;
	queue(test, &f->owner[1], 10);
	open_gate(f, true);
	sent(test, &f->owner[1]);
	KUNIT_EXPECT_EQ(test, 460800U / 50, largest_send(test, &f->owner[0]));
	close_all(test, 2);
}

/* The firmware and its memory are a bound, too, however fast the wire is. */
static void conn_quantum_bound(struct kunit *test)
{
	struct fake *f = test->priv;

	atw_conns_set_rate(&f->conns, 3000000);
	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	KUNIT_EXPECT_EQ(test, (u32)ATW_CHUNK_MAX, largest_send(test, &f->owner[0]));
	close_all(test, 1);
}

/* A small message is the next that is sent, whatever was queued before it. */
static void conn_small_first(struct kunit *test)
{
	struct fake *f = test->priv;
	unsigned int i;

	opened(test, 3, ATW_TYPE_TCP_CLIENT);
	/* They have had their first quantum: now they are bulk. */
	for (i = 0; i < 16; i++) {
		queue(test, &f->owner[0], 4000);
		queue(test, &f->owner[1], 4000);
	}
	f->owner[0].c->tx.new_flow = false;
	f->owner[1].c->tx.new_flow = false;
	queue(test, &f->owner[2], 5);
	open_gate(f, true);
	for (i = 0; i < 3; i++)
		sent(test, &f->owner[i]);
	KUNIT_EXPECT_EQ(test, V_SEND, f->notes[0].verb);
	KUNIT_EXPECT_EQ(test, f->owner[2].c->id, f->notes[0].id);
	KUNIT_EXPECT_EQ(test, 5U, f->notes[0].len);
	close_all(test, 3);
}

/* What was written while a send ran goes as one; datagrams never do. */
static void conn_coalesce(struct kunit *test)
{
	struct fake *f = test->priv;
	unsigned int i;

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	for (i = 0; i < 50; i++)
		queue(test, &f->owner[0], 7);
	open_gate(f, true);
	sent(test, &f->owner[0]);
	KUNIT_EXPECT_EQ(test, 1U, f->nnotes);
	KUNIT_EXPECT_EQ(test, 350U, f->notes[0].len);
	close_all(test, 1);
}

static void conn_datagrams(struct kunit *test)
{
	struct fake *f = test->priv;
	unsigned int i;

	opened(test, 1, ATW_TYPE_UDP_CLIENT);
	for (i = 1; i <= 20; i++)
		queue(test, &f->owner[0], i * 50);
	open_gate(f, true);
	sent(test, &f->owner[0]);
	KUNIT_ASSERT_EQ(test, 20U, f->nnotes);
	for (i = 1; i <= 20; i++)
		KUNIT_EXPECT_EQ(test, i * 50, f->notes[i - 1].len);
	close_all(test, 1);
}

/* Refused for want of memory before a byte had gone: less, and all of it. */
static void conn_no_memory(struct kunit *test)
{
	struct fake *f = test->priv;
	u32 bytes = 0;
	unsigned int i;

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	f->refuse_len = 300;
	for (i = 0; i < 4; i++)
		queue(test, &f->owner[0], 4000);
	open_gate(f, true);
	sent(test, &f->owner[0]);
	for (i = 0; i < f->nnotes; i++)
		if (f->notes[i].verb == V_SEND && f->notes[i].len <= 300)
			bytes += f->notes[i].len;
	KUNIT_EXPECT_EQ(test, 16000U, bytes);
	KUNIT_EXPECT_FALSE(test, f->owner[0].closed);
	close_all(test, 1);
}

static void say_for(struct fake *f, const char *fmt, const struct owner *o)
{
	char text[96];

	snprintf(text, sizeof(text), fmt, o->c->id);
	fake_say(f, text);
}

/* The remote closes: first what it sent, then the end, then it is deleted. */
static void conn_remote_end(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	say_for(f, "\r\n+EVENT:SocketDown,%u,5,hello\r\n", o);
	KUNIT_EXPECT_EQ(test, 5U, o->got_len);
	KUNIT_EXPECT_EQ(test, 0, memcmp(o->got, "hello", 5));
	KUNIT_EXPECT_FALSE(test, o->closed);
	say_for(f, "\r\n+EVENT:SocketDisconnect,%u\r\n", o);
	KUNIT_EXPECT_TRUE(test, o->closed);
	KUNIT_EXPECT_EQ(test, 0, o->close_err);
	/* The module connects again by itself: nothing of that may pass, announced or not. */
	say_for(f, "\r\n+EVENT:SocketDown,%u,5,alien\r\n", o);
	say_for(f, "\r\n+EVENT:SocketReconnect,%u\r\n", o);
	say_for(f, "\r\n+EVENT:SocketDown,%u,5,alien\r\n", o);
	KUNIT_EXPECT_EQ(test, 5U, o->got_len);
	run_on_until(test, f->nnotes && f->notes[0].verb == V_DEL);
	KUNIT_EXPECT_EQ(test, o->c->id, f->notes[0].id);
	close_all(test, 1);
}

/* With bytes of ours on the way the end is an error. */
static void conn_remote_end_unsent(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	queue(test, o, 100);
	say_for(f, "\r\n+EVENT:SocketDissconnect,%u\r\n", o);
	KUNIT_EXPECT_TRUE(test, o->closed);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o->close_err);
	close_all(test, 1);
}

/* The end comes while the last bytes are being sent, and they are taken. */
static void conn_remote_end_sending(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	char text[48];

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	snprintf(text, sizeof(text), "\r\n+EVENT:SocketDisconnect,%u\r\n",
		 o->c->id);
	f->after_payload = text;
	queue(test, o, 100);
	run_on_until(test, READ_ONCE(o->closed));
	KUNIT_EXPECT_EQ(test, 0, o->close_err);
	close_all(test, 1);
}

/*
 * An end is in order when the module has said that it has its network. What is said behind the
 * end is nobody's; and where the module has no time, the end is believed some time later.
 */
static void conn_remote_end_asked(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;

	f->asks = true;
	opened(test, 4, ATW_TYPE_TCP_CLIENT);
	say_for(f, "\r\n+EVENT:SocketDown,%u,5,hello\r\n", &o[0]);
	say_for(f, "\r\n+EVENT:SocketDisconnect,%u\r\n", &o[0]);
	say_for(f, "\r\n+EVENT:SocketDown,%u,5,alien\r\n", &o[0]);
	KUNIT_EXPECT_FALSE(test, o[0].closed);
	KUNIT_EXPECT_EQ(test, 5U, o[0].got_len);
	KUNIT_EXPECT_EQ(test, -EPIPE, send_text(o[0].c, "x", 1));
	run_until(test, READ_ONCE(o[0].closed));
	KUNIT_EXPECT_EQ(test, 0, o[0].close_err);
	KUNIT_EXPECT_EQ(test, 5U, o[0].got_len);

	say_for(f, "\r\n+EVENT:SocketDisconnect,%u\r\n", &o[1]);
	o[1].c->closed_at = jiffies - atw_timing.end;
	atw_conns_end_late(&f->conns, false);
	KUNIT_EXPECT_FALSE(test, o[1].closed);
	atw_conns_end_late(&f->conns, true);
	KUNIT_EXPECT_TRUE(test, o[1].closed);
	KUNIT_EXPECT_EQ(test, 0, o[1].close_err);

	/* It has connected anew, by its network. */
	say_for(f, "\r\n+EVENT:SocketDisconnect,%u\r\n", &o[3]);
	say_for(f, "\r\n+EVENT:SocketReconnect,%u\r\n", &o[3]);
	KUNIT_EXPECT_TRUE(test, o[3].closed);
	KUNIT_EXPECT_EQ(test, 0, o[3].close_err);

	/* Once it is asked its answer is waited for. */
	say_for(f, "\r\n+EVENT:SocketDisconnect,%u\r\n", &o[2]);
	KUNIT_EXPECT_TRUE(test, atw_conns_ask_ends(&f->conns));
	o[2].c->closed_at = jiffies - atw_timing.end;
	atw_conns_end_late(&f->conns, true);
	KUNIT_EXPECT_FALSE(test, o[2].closed);
	atw_conns_set_link(&f->conns, false);
	KUNIT_EXPECT_TRUE(test, o[2].closed);
	KUNIT_EXPECT_EQ(test, -ENETDOWN, o[2].close_err);
	atw_conns_set_link(&f->conns, true);
	close_all(test, 4);
}

/*
 * What the module says of a child meanwhile: that it has deleted it, whose number is not deleted
 * then; or that it has given its number to another one, who has come by the network.
 */
static void conn_remote_end_child(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	unsigned int i;

	f->asks = true;
	opened(test, 1, ATW_TYPE_TCP_SERVER);
	for (i = 1; i <= 2; i++) {
		say_for(f, "\r\n+EVENT:SocketSeed,1,%u\r\n", &o[0]);
		run_until(test, atw_conn_acceptable(o[0].c));
		o[i].c = atw_conn_accept(o[0].c, &owner_ops, &o[i]);
		KUNIT_ASSERT_NOT_NULL(test, o[i].c);
		f->nnotes = 0;
		fake_say(f, "\r\n+EVENT:SocketDisconnect,1\r\n");
		if (i == 1)
			fake_say(f, "\r\n+EVENT:SocketAutoDel,1\r\n");
		KUNIT_EXPECT_FALSE(test, o[i].closed);
		if (i == 1) {
			run_until(test, listed(f) == 1);
			KUNIT_EXPECT_EQ(test, 0U, f->nnotes);
		} else {
			say_for(f, "\r\n+EVENT:SocketSeed,1,%u\r\n", &o[0]);
		}
		KUNIT_EXPECT_TRUE(test, o[i].closed);
		KUNIT_EXPECT_EQ(test, 0, o[i].close_err);
	}
	run_on_until(test, atw_conn_acceptable(o[0].c));
	close_all(test, 3);
}

/* It was silently connected anew: the stream has a hole. */
static void conn_reconnect(struct kunit *test)
{
	struct fake *f = test->priv;

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	say_for(f, "\r\n+EVENT:SocketReconnect,%u\r\n", &f->owner[0]);
	KUNIT_EXPECT_TRUE(test, f->owner[0].closed);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, f->owner[0].close_err);
	close_all(test, 1);
}

/* Bytes for nobody: a digit was lost, so any stream may miss them. */
static void conn_wrong_id(struct kunit *test)
{
	struct fake *f = test->priv;
	unsigned int i;

	opened(test, 2, ATW_TYPE_TCP_CLIENT);
	fake_say(f, "\r\n+EVENT:SocketDown,10,3,abc\r\n");
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_TRUE(test, f->owner[i].closed);
		KUNIT_EXPECT_EQ(test, -ECONNRESET, f->owner[i].close_err);
		KUNIT_EXPECT_EQ(test, 0U, f->owner[i].got_len);
	}
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.damaged));
	close_all(test, 2);
}

/* Behind a byte that is damaged anybody's words may be a remote's own. */
static void conn_damaged(struct kunit *test)
{
	static const char *const words[] = {
		/* the payload breaks off */
		"\r\n+EVENT:SocketDown,%u,5,hell\r\n\r\n+EVENT:WIFI_CONNECT\r\n",
		/* a wrong digit in the length, a wrong letter in the name */
		"\r\n+EVENT:SocketDown,%u,9024,a\n+EVENT:SocketDown,%u,4,EVIL\r\n",
		"\r\n+EVENT:SocketDowm,%u,1024,a\r\n+EVENT:SocketDown,%u,4,EVIL\r\n",
	};
	struct fake *f = test->priv;
	unsigned int i, j;
	char text[128];

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		opened(test, 2, ATW_TYPE_TCP_CLIENT);
		snprintf(text, sizeof(text), words[i], f->owner[0].c->id,
			 f->owner[1].c->id);
		/* That one has lost nothing yet. */
		fake_open(test, 2, ATW_TYPE_TCP_CLIENT);
		fake_say(f, text);
		KUNIT_EXPECT_FALSE(test, f->owner[2].opened);
		KUNIT_EXPECT_TRUE(test, todo(f, ATW_DO_SYNC));
		for (j = 0; j < 2; j++) {
			KUNIT_EXPECT_TRUE(test, f->owner[j].closed);
			KUNIT_EXPECT_EQ(test, -ECONNRESET, f->owner[j].close_err);
			KUNIT_EXPECT_EQ(test, 0U, f->owner[j].got_len);
		}
		close_all(test, 3);
		open_gate(f, false);
		for (j = 0; j < 3; j++)
			atw_conn_put(f->owner[j].c);
		memset(f->owner, 0, sizeof(f->owner));
		clear_bit(ATW_DO_SYNC, &f->sched.todo);
	}
}

/*
 * Nor is it told what is none of a stream's: until the module has said what no remote can, no
 * datagram is one, nobody is accepted, announced or not, and what it says of numbers is nothing.
 */
static void conn_damaged_others(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	char rows[64];

	f->conns.learned.purged = true;
	opened(test, 1, ATW_TYPE_TCP_SERVER);
	fake_open(test, 1, ATW_TYPE_UDP_CLIENT);
	fake_open(test, 2, ATW_TYPE_TCP_CLIENT);
	run_until(test, READ_ONCE(o[1].opened) && READ_ONCE(o[2].opened));
	f->nnotes = 0;
	snprintf(rows, sizeof(rows), "%u,3,3,,-1,80,0\r\n%u,2,3,192.0.2.1,80,-1,0\r\n",
		 o[0].c->id, o[1].c->id);
	f->rows = rows;

	say_for(f, "\r\n+EVENT:SocketDown,%u,9024,a\n", &o[2]);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o[2].close_err);
	say_for(f, "+EVENT:SocketDown,%u,5,EVIL!\r\n", &o[1]);
	say_for(f, "+EVENT:SocketDisconnect,%u\r\n", &o[1]);
	fake_say(f, "+EVENT:SocketDown,8,4,EVIL\r\n+EVENT:SocketDisconnect,8\r\n");
	say_for(f, "+EVENT:SocketSeed,9,%u\r\n", &o[0]);
	fake_say(f, "+EVENT:SocketDown,9,20,GET /forged HTTP/1.0\r\n");
	fake_say(f, "+EVENT:SocketDisconnect,9\r\n");
	KUNIT_EXPECT_EQ(test, 0U, o[1].got_len);
	KUNIT_EXPECT_FALSE(test, o[1].closed);
	run_on_until(test, deletes(f, 8) && deletes(f, 9) && !todo(f, ATW_DO_ACCEPTED));
	KUNIT_EXPECT_FALSE(test, atw_conn_acceptable(o[0].c));

	/* All of it is believed again. */
	say_for(f, "\r\n+EVENT:SocketDown,%u,5,hello\r\n", &o[1]);
	KUNIT_EXPECT_EQ(test, 5U, o[1].got_len);
	say_for(f, "\r\n+EVENT:SocketSeed,10,%u\r\n", &o[0]);
	eventually(test, atw_conn_acceptable(o[0].c));
	close_all(test, 3);
}

/*
 * A header that has lost its last comma, and a remote who begins with an end of line: what he
 * says to others is not theirs, be it his connection or his datagrams.
 */
static void conn_lost_header(struct kunit *test)
{
	static const enum atw_sock_type his[] = { ATW_TYPE_TCP_CLIENT, ATW_TYPE_UDP_CLIENT };
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(his); i++) {
		opened(test, 1, his[i]);
		fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
		fake_open(test, 2, ATW_TYPE_UDP_CLIENT);
		run_until(test, READ_ONCE(o[1].opened) && READ_ONCE(o[2].opened));
		f->conns.mode.active = true;
		say_for(f, "\r\n+EVENT:SocketDown,%u,1024\r\n", &o[0]);
		for (j = 1; j < 3; j++) {
			say_for(f, "+EVENT:SocketDown,%u,5,EVIL!\r\n", &o[j]);
			KUNIT_EXPECT_EQ(test, 0U, o[j].got_len);
		}
		KUNIT_EXPECT_EQ(test, -ECONNRESET, o[1].close_err);
		KUNIT_EXPECT_EQ(test, his[i] == ATW_TYPE_TCP_CLIENT, o[0].closed);
		KUNIT_EXPECT_LT(test, 0ULL, count(&f->conns.counts.damaged));
		KUNIT_EXPECT_TRUE(test, todo(f, ATW_DO_SYNC));
		close_all(test, 3);
		open_gate(f, false);
		for (j = 0; j < 3; j++)
			atw_conn_put(o[j].c);
		memset(o, 0, 3 * sizeof(*o));
		clear_bit(ATW_DO_SYNC, &f->sched.todo);
	}
}

/* What a payload that never ended has left is nobody's datagram. */
static void conn_stale_payload(struct kunit *test)
{
	struct fake *f = test->priv;

	opened(test, 1, ATW_TYPE_UDP_CLIENT);
	say_for(f, "\r\n+EVENT:SocketDown,%u,5,he", &f->owner[0]);
	atw_channel_restart(&f->ch);
	say_for(f, "+SOCKETREAD,%u,3,abc\r\n", &f->owner[0]);
	KUNIT_EXPECT_EQ(test, 0U, f->owner[0].got_len);
	close_all(test, 1);
}

static unsigned int open_all(struct kunit *test, u8 share)
{
	const struct atw_conn_spec spec = {
		.type = ATW_TYPE_TCP_CLIENT,
		.name = "",
		.addr = 1,
		.port = 1,
		.share = share,
	};
	struct fake *f = test->priv;
	struct atw_conn *c;
	unsigned int n;

	for (n = 0; n < ATW_CONNS_MAX; n++) {
		c = atw_conn_open(&f->conns, &spec, &owner_ops, f->owner);
		if (IS_ERR(c))
			break;
		atw_conn_close(c, true, 0);
		atw_conn_put(c);
	}
	KUNIT_EXPECT_EQ(test, -ENOBUFS, PTR_ERR_OR_ZERO(c));
	return n;
}

/*
 * Closed before they were open: they wait for the thread, but not without number.
 * Whoever comes has room for as many as all others have left.
 */
static void conn_too_many(struct kunit *test)
{
	struct fake *f = test->priv;

	KUNIT_EXPECT_EQ(test, ATW_CONNS_MAX / 2U, open_all(test, 10));
	KUNIT_EXPECT_EQ(test, ATW_CONNS_MAX / 4U, open_all(test, 11));
	KUNIT_EXPECT_EQ(test, ATW_CONNS_MAX / 8U, open_all(test, 12));
	KUNIT_EXPECT_EQ(test, 0U, open_all(test, 10));
	run_on_until(test, list_empty_careful(&f->conns.list));
	KUNIT_EXPECT_EQ(test, 0U, f->nnotes);
	open_gate(f, false);
	KUNIT_EXPECT_EQ(test, ATW_CONNS_MAX / 2U, open_all(test, 10));
	run_until(test, list_empty_careful(&f->conns.list));
	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	close_all(test, 1);
}

/* It had its time: the module is not asked for a connection any more. */
static void conn_lingers_unopened(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = fake_open(test, 0, ATW_TYPE_UDP_CLIENT);

	queue(test, o, 10);
	WRITE_ONCE(f->conns.pace.open_after, get_jiffies_64() + 60 * HZ);
	atw_conn_close(o->c, false, 1);
	run_on_until(test, list_empty_careful(&f->conns.list));
	KUNIT_EXPECT_EQ(test, 0U, f->nnotes);
}

/* What send() has accepted for a stream is sent, however long that takes. */
static void conn_drains(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	unsigned int i, bytes = 0;

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	for (i = 0; i < 4; i++)
		queue(test, o, 4000);
	atw_conn_close(o->c, false, 0);
	/* What it is given for datagrams is over when the thread looks. */
	while (!time_after(jiffies, o->c->close_by))
		schedule_timeout_uninterruptible(1);
	run_on_until(test, list_empty_careful(&f->conns.list));
	for (i = 0; i < f->nnotes; i++)
		if (f->notes[i].verb == V_SEND)
			bytes += f->notes[i].len;
	KUNIT_EXPECT_EQ(test, 16000U, bytes);
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.cut));
}

/* But a remote who never reads is not waited for: the module says nothing any more. */
static void conn_drains_stuck(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	u32 id;

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	id = o->c->id;
	f->swallow_id = id;
	f->then = IS_BLOCKED;
	queue(test, o, 4000);
	atw_conn_close(o->c, false, 0);
	run_on_until(test, list_empty_careful(&f->conns.list));
	KUNIT_EXPECT_EQ(test, 1U, deletes(f, id));
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.cut));
}

/* Who has nothing on its way is deleted first, and then told. */
static void conn_yields(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	atw_conn_yield(o->c);
	KUNIT_EXPECT_FALSE(test, o->closed);
	run_on_until(test, list_empty_careful(&f->conns.list));
	KUNIT_EXPECT_TRUE(test, o->closed);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o->close_err);
	KUNIT_EXPECT_EQ(test, 1U, f->nnotes);
	KUNIT_EXPECT_EQ(test, V_DEL, f->notes[0].verb);
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.yielded));
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.resets));
}

/* Who sends or receives before its turn comes is not idle. */
static void conn_yields_no_more(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;

	opened(test, 2, ATW_TYPE_TCP_CLIENT);
	atw_conn_yield(o[0].c);
	queue(test, &o[0], 100);
	atw_conn_yield(o[1].c);
	say_for(f, "\r\n+EVENT:SocketDown,%u,5,hello\r\n", &o[1]);
	KUNIT_EXPECT_EQ(test, 5U, o[1].got_len);
	open_gate(f, true);
	sent(test, &o[0]);
	queue(test, &o[1], 100);
	sent(test, &o[1]);
	KUNIT_EXPECT_EQ(test, 2U, f->nnotes);
	KUNIT_EXPECT_FALSE(test, o[0].closed);
	KUNIT_EXPECT_FALSE(test, o[1].closed);
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.yielded));
	close_all(test, 2);
}

/* What the remote sends until the module has deleted it is missed, which is counted. */
static void conn_yields_too_late(struct kunit *test)
{
	static const char *const says[] = {
		"\r\n+EVENT:SocketDown,%u,5,hello\r\n",
		"\r\n+EVENT:SocketDown,%u,5\r\n",
	};
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	char text[64];
	unsigned int i;

	opened(test, ARRAY_SIZE(says), ATW_TYPE_TCP_CLIENT);
	open_gate(f, true);
	for (i = 0; i < ARRAY_SIZE(says); i++) {
		snprintf(text, sizeof(text), says[i], o[i].c->id);
		f->before_del = text;
		atw_conn_yield(o[i].c);
		eventually(test, READ_ONCE(o[i].closed));
		KUNIT_EXPECT_EQ(test, -ECONNRESET, o[i].close_err);
		KUNIT_EXPECT_EQ(test, 0U, o[i].got_len);
	}
	eventually(test, list_empty_careful(&f->conns.list));
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.yielded));
}

/* What is not open yet has no socket to give, and keeps the one that it gets. */
static void conn_yields_unopened(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;

	fake_open(test, 0, ATW_TYPE_TCP_CLIENT);
	atw_conn_yield(o[0].c);
	fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	run_on_until(test, READ_ONCE(o[1].opened));
	KUNIT_EXPECT_TRUE(test, o[0].opened);
	KUNIT_EXPECT_FALSE(test, o[0].closed);
	close_all(test, 2);
}

/* Hold it where its deletion for another one is running; the gate is closed. */
static void yielding(struct owner *o)
{
	spin_lock(&o->c->lock);
	atw_conn_event(o->c, ATW_CONN_EV_YIELD);
	spin_unlock(&o->c->lock);
}

static int try_send(struct owner *o)
{
	struct sk_buff *skb = alloc_skb(1, GFP_KERNEL);
	int err;

	if (!skb)
		return -ENOMEM;
	skb_put_u8(skb, 'x');
	err = atw_conn_send(o->c, skb);
	if (err)
		kfree_skb(skb);
	return err;
}

static void yielding_sends(struct fake *f, struct owner *o)
{
	try_send(o);
}

static void yielding_remote_closes(struct fake *f, struct owner *o)
{
	say_for(f, "\r\n+EVENT:SocketDisconnect,%u\r\n", o);
}

static void yielding_reconnects(struct fake *f, struct owner *o)
{
	say_for(f, "\r\n+EVENT:SocketReconnect,%u\r\n", o);
}

static void yielding_damage(struct fake *f, struct owner *o)
{
	atw_conns_damage(&f->conns);
}

static void yielding_missing(struct fake *f, struct owner *o)
{
	/* It is looked for before anything is deleted. */
	atw_sched_set(&f->sched, ATW_DO_RECONCILE);
	open_gate(f, true);
}

/* Whatever comes while it is being deleted, or does not come: it ends with an error. */
static void conn_yielding_ends(struct kunit *test)
{
	static const struct {
		void (*end)(struct fake *f, struct owner *o);
		u64 resets;
	} cases[] = {
		{ yielding_sends, 1 },
		{ yielding_remote_closes, 1 },
		{ yielding_reconnects, 0 },
		{ yielding_damage, 1 },
		{ yielding_missing, 1 },
	};
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		atomic64_set(&f->conns.counts.resets, 0);
		opened(test, 1, ATW_TYPE_TCP_CLIENT);
		yielding(o);
		/* No table that was asked for before it was opened tells of it. */
		o->c->query = f->conns.audit.query - 1;
		cases[i].end(f, o);
		eventually(test, READ_ONCE(o->closed));
		KUNIT_EXPECT_EQ_MSG(test, -ECONNRESET, o->close_err, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, cases[i].resets, count(&f->conns.counts.resets),
				    "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, 0ULL, count(&f->conns.counts.yielded), "case %u", i);
		KUNIT_EXPECT_EQ(test, -ECONNRESET, try_send(o));
		close_all(test, 1);
		open_gate(f, false);
		let_go(o);
	}
}

/* The module does not delete it: its owner, and who waits for him, need not wait. */
static void conn_yields_in_vain(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	atw_conn_yield(o->c);
	f->mishears = "AT+SOCKETDEL=";
	f->complaint = "Unknown cmd:AT+SOCKE\r\n";
	WRITE_ONCE(f->nmishears, ALWAYS);
	run_on_until(test, READ_ONCE(o->closed));
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o->close_err);
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.resets));
	WRITE_ONCE(f->nmishears, 0);
	close_all(test, 1);
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.yielded));
}

/* Where it cannot be there is nobody to be told: it is counted. */
static void conn_cut(struct kunit *test)
{
	struct fake *f = test->priv;
	unsigned int i;

	opened(test, 4, ATW_TYPE_TCP_CLIENT);
	/* All is sent; thrown away; told to its owner; lost. */
	for (i = 1; i < 4; i++)
		queue(test, &f->owner[i], 100);
	atw_conn_close(f->owner[0].c, false, HZ);
	atw_conn_close(f->owner[1].c, true, 0);
	atw_conn_close(f->owner[3].c, false, HZ);
	atw_conns_end_several(&f->conns, -ECONNRESET, ATW_END_STREAMS);
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.cut));
	close_all(test, 4);
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.cut));
}

/* A connect that keeps the module is no reason to throw its bytes away. */
static void conn_lingers_blocked(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	unsigned int i, sends = 0;

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	f->connect_takes = HZ;
	fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	run_on_until(test, READ_ONCE(f->nnotes));
	queue(test, o, 10);
	atw_conn_close(o->c, false, HZ / 10);
	eventually(test, READ_ONCE(f->owner[1].opened));
	eventually(test, !READ_ONCE(o->c->tx.queued));
	close_all(test, 2);
	for (i = 0; i < f->nnotes; i++)
		sends += f->notes[i].verb == V_SEND;
	KUNIT_EXPECT_EQ(test, 1U, sends);
}

/* A network that is gone is not waited for, by whatever it is wanted for. */
static void conn_no_link(struct kunit *test)
{
	static const enum atw_sock_type type[] = {
		ATW_TYPE_TCP_CLIENT, ATW_TYPE_UDP_CLIENT, ATW_TYPE_UDP_SERVER,
		ATW_TYPE_TCP_SERVER,
	};
	struct fake *f = test->priv;
	unsigned int i;

	atw_conns_set_link(&f->conns, false);
	for (i = 0; i < ARRAY_SIZE(type); i++)
		fake_open(test, i, type[i]);
	/* It is told again and again. */
	atw_conns_set_link(&f->conns, false);
	for (i = 0; i < ARRAY_SIZE(type); i++) {
		KUNIT_EXPECT_TRUE(test, f->owner[i].opened);
		KUNIT_EXPECT_EQ(test, -ENETDOWN, f->owner[i].open_err);
	}
	close_all(test, ARRAY_SIZE(type));
}

static struct owner *fake_serve(struct kunit *test)
{
	struct fake *f = test->priv;

	opened(test, 1, ATW_TYPE_TCP_SERVER);
	return &f->owner[0];
}

/* It came, sent, went, and does not fit: not an end in order. */
static void conn_accept_overflow(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *server = fake_serve(test), *o = &f->owner[1];
	char text[64];

	snprintf(text, sizeof(text), "\r\n+EVENT:SocketSeed,1,%u\r\n",
		 server->c->id);
	fake_say(f, text);
	fake_say(f, "\r\n+EVENT:SocketDown,1,5,hello\r\n");
	fake_say(f, "\r\n+EVENT:SocketDown,1,5,world\r\n");
	fake_say(f, "\r\n+EVENT:SocketDisconnect,1\r\n");
	run_on_until(test, atw_conn_acceptable(server->c));
	o->full = true;
	o->c = atw_conn_accept(server->c, &owner_ops, o);
	KUNIT_ASSERT_NOT_NULL(test, o->c);
	KUNIT_EXPECT_TRUE(test, o->closed);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o->close_err);
	KUNIT_EXPECT_EQ(test, 0U, o->c->rx.size);
	close_all(test, 2);
}

/* Who listens receives nothing, whatever the module says. */
static void conn_server_receives(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *server = fake_serve(test);

	say_for(f, "\r\n+EVENT:SocketDown,%u,5,hello\r\n", server);
	KUNIT_EXPECT_EQ(test, 0U, server->got_len);
	KUNIT_EXPECT_EQ(test, 0ULL, server->c->rx.bytes);
	KUNIT_EXPECT_FALSE(test, server->closed);
	close_all(test, 1);
}

/* As many as can wait to be accepted, and each has received more than it may keep. */
static void fake_flood(struct kunit *test, struct owner *server)
{
	char *payload = kunit_kzalloc(test, ATW_PAYLOAD_MAX + 64, GFP_KERNEL);
	struct fake *f = test->priv;
	unsigned int i, j;
	char text[64];
	int n;

	KUNIT_ASSERT_NOT_NULL(test, payload);
	atw_conn_set_backlog(server->c, ATW_BACKLOG_MAX);
	for (i = 1; i <= ATW_BACKLOG_MAX; i++) {
		snprintf(text, sizeof(text), "\r\n+EVENT:SocketSeed,%u,%u\r\n", i, server->c->id);
		fake_say(f, text);
		/* Of the last one, for what is left beside large ones. */
		snprintf(text, sizeof(text), "\r\n+EVENT:SocketDown,%u,1,x\r\n", i);
		for (j = 0; j < 50; j++)
			fake_say(f, text);
		n = sprintf(payload, "\r\n+EVENT:SocketDown,%u,%u,", i, ATW_PAYLOAD_MAX);
		memset(payload + n, 'x', ATW_PAYLOAD_MAX);
		memcpy(payload + n + ATW_PAYLOAD_MAX, "\r\n", 3);
		for (j = 0; j < 50; j++)
			fake_say(f, payload);
	}
}

/* However many there are that nobody accepts, what they have received has a bound. */
static void conn_unread(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *server = fake_serve(test);
	struct atw_conn *c;
	u64 kept = 0;

	fake_flood(test, server);
	spin_lock(&f->conns.lock);
	list_for_each_entry(c, &f->conns.list, node)
		kept += c->rx.size;
	spin_unlock(&f->conns.lock);
	KUNIT_EXPECT_GE(test, 2ULL << 20, kept);
	KUNIT_EXPECT_EQ(test, kept, (u64)atomic_read(&f->conns.rx.unread.used));
	KUNIT_EXPECT_EQ(test, kept, (u64)atomic_read(&server->c->serve.kept));
	KUNIT_EXPECT_LT(test, 0ULL, count(&f->conns.counts.overflows));
	close_all(test, 1);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&f->conns.rx.unread.used));
}

/* All that one user may have. */
static int take_all(struct atw_budget *b, u8 share)
{
	int taken = 0;

	while (atw_budget_take(b, share, 256))
		taken += 256;
	return taken;
}

/* A server that accepts nobody takes nothing from those of another one. */
static void conn_unread_served(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	char text[64];

	opened(test, 2, ATW_TYPE_TCP_SERVER);
	fake_flood(test, &o[0]);
	snprintf(text, sizeof(text), "\r\n+EVENT:SocketSeed,17,%u\r\n", o[1].c->id);
	fake_say(f, text);
	fake_say(f, "\r\n+EVENT:SocketDown,17,5,hello\r\n");
	fake_say(f, "\r\n+EVENT:SocketDisconnect,17\r\n");
	run_on_until(test, atw_conn_acceptable(o[1].c));
	o[2].c = atw_conn_accept(o[1].c, &owner_ops, &o[2]);
	KUNIT_ASSERT_NOT_NULL(test, o[2].c);
	KUNIT_EXPECT_EQ(test, 5U, o[2].got_len);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&o[1].c->serve.kept));
	close_all(test, 3);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&o[0].c->serve.kept));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&f->conns.rx.unread.used));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&atw_unlisted.used));
}

/* Where there is no memory for what is in doubt a datagram is lost, and no more. */
static void conn_unread_datagram(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	int taken;

	opened(test, 1, ATW_TYPE_UDP_CLIENT);
	taken = take_all(&f->conns.rx.unread, o->c->share);
	say_for(f, "\r\n+EVENT:SocketDown,%u,9,ab\r\nready\r\n", o);
	atw_budget_give(&f->conns.rx.unread, o->c->share, taken);
	KUNIT_EXPECT_FALSE(test, o->closed);
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.overflows));
	say_for(f, "\r\n+EVENT:SocketDown,%u,5,hello\r\n", o);
	KUNIT_ASSERT_EQ(test, 5U, o->got_len);
	KUNIT_EXPECT_EQ(test, 0, memcmp(o->got, "hello", 5));
	close_all(test, 1);
}

/* A child, which is number 1, that is accepted; the gate is closed, and the notes begin. */
static struct owner *fake_child(struct kunit *test, struct owner *server)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[1];

	say_for(f, "\r\n+EVENT:SocketSeed,1,%u\r\n", server);
	run_until(test, atw_conn_acceptable(server->c));
	o->c = atw_conn_accept(server->c, &owner_ops, o);
	KUNIT_ASSERT_NOT_NULL(test, o->c);
	f->nnotes = 0;
	return o;
}

/* One of a number that may be too large to be sent to; it is accepted. */
static struct owner *fake_high_child(struct kunit *test, unsigned int i, u32 id)
{
	struct fake *f = test->priv;
	struct owner *server = &f->owner[0], *o = &f->owner[i];
	char text[64];

	snprintf(text, sizeof(text), "\r\n+EVENT:SocketSeed,%u,%u\r\n", id, server->c->id);
	fake_say(f, text);
	run_on_until(test, atw_conn_acceptable(server->c));
	o->c = atw_conn_accept(server->c, &owner_ops, o);
	KUNIT_ASSERT_NOT_NULL(test, o->c);
	return o;
}

/*
 * A send with a number of more than a byte: whether the module keeps all of it is told by
 * nothing that a remote can bring about, and where it does no failure says otherwise.
 */
static void conn_high_numbers(struct kunit *test)
{
	enum { SENT, REFUSED, SWALLOWED };
	static const struct {
		u32	id;
		int	outcome;
		bool	listed;
		bool	narrow;
	} cases[] = {
		{ 300, REFUSED, false, false },
		{ 301, SWALLOWED, true, false },
		{ 302, REFUSED, true, true },
		{ 303, SENT, true, false },
		{ 304, REFUSED, true, false },
		{ 0, SENT, true, false },
	};
	struct fake *f = test->priv;
	struct owner *server = fake_serve(test), *o;
	char rows[128], command[32];
	unsigned int i;
	u32 id;
	int n;

	n = snprintf(rows, sizeof(rows), "%u,3,3,,-1,80,0\r\n", server->c->id);
	f->rows = rows;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		/* The last is that of the server in its lower byte. */
		id = cases[i].id ?: 256 + server->c->id;
		rows[n] = '\0';
		o = fake_high_child(test, i + 1, id);
		if (cases[i].listed)
			snprintf(rows + n, sizeof(rows) - n, "%u,5,3,192.0.2.9,1000,-1,%u\r\n",
				 id, server->c->id);
		snprintf(command, sizeof(command), "AT+SOCKETSEND=%u,", id);
		if (cases[i].outcome == REFUSED)
			mishear(f, command, 1, "\r\n+SOCKETSEND:101\r\nERROR\r\n");
		if (cases[i].outcome == SWALLOWED)
			f->swallow_id = id;
		queue(test, o, 100);
		eventually(test, !atw_conn_unsent(o->c));
		atw_conn_close(o->c, false, 0);
		eventually(test, deletes(f, id));
		KUNIT_EXPECT_EQ_MSG(test, cases[i].outcome != SENT, o->closed, "%u", id);
		KUNIT_EXPECT_EQ_MSG(test, cases[i].narrow, f->conns.learned.narrow_ids, "%u", id);
		f->conns.learned.narrow_ids = false;
		f->nnotes = 0;
	}
	close_all(test, 1);
}

/*
 * The remote of a child is gone while it is sent to, and the module has its number for another
 * already: he gets no more of it than was on its way, and is not let in. So it is where his
 * server is not understood.
 */
static void number_reused_in_send(struct kunit *test, bool known)
{
	struct fake *f = test->priv;
	struct owner *server = fake_serve(test), *o = fake_child(test, server);
	char text[128];
	unsigned int i;

	snprintf(text, sizeof(text),
		 "\r\n+EVENT:SocketDisconnect,1\r\n\r\n+EVENT:SocketAutoDel,1\r\n"
		 "\r\n+EVENT:SocketSeed,1,%u\r\n", known ? server->c->id : 7);
	f->in_payload = text;
	/* No kernel has room for these behind those. */
	queue(test, o, 700);
	queue(test, o, 300);
	open_gate(f, true);
	/* He is deleted. */
	eventually(test, READ_ONCE(f->nnotes) > 1);
	KUNIT_EXPECT_EQ(test, V_DEL, f->notes[1].verb);
	KUNIT_EXPECT_EQ(test, 1U, f->notes[1].id);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o->close_err);
	KUNIT_EXPECT_FALSE(test, atw_conn_acceptable(server->c));
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.refused));
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.resets));
	KUNIT_EXPECT_EQ(test, 0ULL, o->c->tx.bytes);
	KUNIT_ASSERT_EQ(test, 1000U, f->nsent);
	for (i = 0; i < f->nsent; i++)
		KUNIT_EXPECT_EQ(test, i < 700 ? 'x' : i & 1 ? '\n' : '\r', f->sent[i]);
	close_all(test, 2);
}

static void conn_number_reused_in_send(struct kunit *test)
{
	number_reused_in_send(test, true);
}

static void conn_number_reused_by_nobody(struct kunit *test)
{
	number_reused_in_send(test, false);
}

/* A child that the module has forgotten before anybody has accepted it. */
static void fake_unlisted(struct kunit *test, struct atw_conn *server, unsigned int id)
{
	struct fake *f = test->priv;
	unsigned int n = listed(f);
	char text[64];

	snprintf(text, sizeof(text), "\r\n+EVENT:SocketSeed,%u,%u\r\n", id, server->id);
	fake_say(f, text);
	snprintf(text, sizeof(text), "\r\n+EVENT:SocketDown,%u,5,hello\r\n", id);
	fake_say(f, text);
	snprintf(text, sizeof(text), "\r\n+EVENT:SocketDisconnect,%u\r\n", id);
	fake_say(f, text);
	snprintf(text, sizeof(text), "\r\n+EVENT:SocketAutoDel,%u\r\n", id);
	fake_say(f, text);
	run_until(test, atw_conn_acceptable(server) && listed(f) == n);
}

/* Nor may those that the module has forgotten, and nobody accepts, keep what they like. */
static void conn_unread_unlisted(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *server = fake_serve(test), *o = f->owner;
	const struct atw_conn_spec spec = {
		.type = ATW_TYPE_TCP_SERVER,
		.name = "",
		.port = 81,
		.share = ATW_SHARES - 1,
	};
	unsigned int i;
	char rows[64];
	int taken, n;

	n = snprintf(rows, sizeof(rows), "%u,3,3,,-1,80,0\r\n", server->c->id);
	f->rows = rows;
	for (i = 1; i <= 2; i++) {
		KUNIT_ASSERT_EQ(test, 0, atomic_read(&atw_unlisted.used));
		fake_unlisted(test, server->c, i);
		KUNIT_EXPECT_EQ(test, 0, atomic_read(&f->conns.rx.unread.used));
		KUNIT_EXPECT_LT(test, 0, atomic_read(&atw_unlisted.used));
		if (i == 1) {
			o[i].c = atw_conn_accept(server->c, &owner_ops, &o[i]);
			KUNIT_ASSERT_NOT_NULL(test, o[i].c);
			KUNIT_EXPECT_EQ(test, 0, o[i].close_err);
			KUNIT_EXPECT_EQ(test, 5U, o[i].got_len);
		} else {
			atw_conn_drop_children(server->c);
		}
	}
	/* There is no room for the third, and there is for that of another user. */
	taken = take_all(&atw_unlisted, server->c->share);
	fake_unlisted(test, server->c, 3);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&f->conns.rx.unread.used));
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.overflows));
	fake_open_spec(test, 4, &spec);
	run_until(test, READ_ONCE(o[4].opened));
	snprintf(rows + n, sizeof(rows) - n, "%u,3,3,,-1,81,0\r\n", o[4].c->id);
	fake_unlisted(test, o[4].c, 4);
	atw_budget_give(&atw_unlisted, server->c->share, taken);
	o[5].c = atw_conn_accept(o[4].c, &owner_ops, &o[5]);
	KUNIT_ASSERT_NOT_NULL(test, o[5].c);
	KUNIT_EXPECT_EQ(test, 0, o[5].close_err);
	KUNIT_EXPECT_EQ(test, 5U, o[5].got_len);
	o[3].c = atw_conn_accept(server->c, &owner_ops, &o[3]);
	KUNIT_ASSERT_NOT_NULL(test, o[3].c);
	KUNIT_EXPECT_TRUE(test, o[3].closed);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o[3].close_err);
	KUNIT_EXPECT_EQ(test, 0U, o[3].got_len);
	atw_conn_close(o[4].c, true, 0);
	close_all(test, 1);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&atw_unlisted.used));
}

/*
 * An announcement of nothing: what is left of a payload that was lost, where payloads are
 * printed. It costs the stream that it is for. Where they are not it is looked for.
 */
static void conn_nothing_announced(struct kunit *test)
{
	static const char *const formats[] = {
		"\r\n+EVENT:SocketDown,%u,0\r\n", "\r\n+EVENT:SocketDown,%u,0,\r\n",
	};
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	unsigned int i, j;

	f->conns.mode.active = true;
	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		opened(test, 3, ATW_TYPE_TCP_CLIENT);
		f->conns.mode.passive = true;
		f->read = "hello";
		say_for(f, formats[i], &o[2]);
		run_on_until(test, READ_ONCE(o[2].closed));
		KUNIT_EXPECT_EQ(test, 5U, o[2].got_len);
		open_gate(f, false);
		f->conns.mode.passive = false;

		/* What follows may be the payload of which the length has lost a digit. */
		say_for(f, formats[i], &o[0]);
		for (j = 0; j < 2; j++)
			KUNIT_EXPECT_EQ(test, -ECONNRESET, o[j].close_err);
		close_all(test, 3);
		open_gate(f, false);
		for (j = 0; j < 3; j++)
			atw_conn_put(o[j].c);
		memset(o, 0, 3 * sizeof(*o));

		/* A datagram may have been empty. */
		opened(test, 1, ATW_TYPE_UDP_CLIENT);
		fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
		run_on_until(test, READ_ONCE(o[1].opened));
		say_for(f, formats[i], &o[0]);
		KUNIT_EXPECT_FALSE(test, o[0].closed || o[1].closed);
		close_all(test, 2);
		open_gate(f, false);
		for (j = 0; j < 2; j++)
			atw_conn_put(o[j].c);
		memset(o, 0, 2 * sizeof(*o));
	}
}

/*
 * More connections than a module can have, which may have come and gone: those that are too
 * many are deleted.
 */
static void conn_guesses(struct kunit *test)
{
	struct fake *f = test->priv;
	unsigned int i;
	char text[64];

	f->conns.learned.purged = true;
	fake_serve(test);
	for (i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "\r\n+EVENT:SocketDown,%u,1,x\r\n",
			 1000 + i);
		fake_say(f, text);
	}
	KUNIT_EXPECT_GE(test, listed(f), 16U);
	KUNIT_EXPECT_LE(test, listed(f), 100U);
	KUNIT_EXPECT_FALSE(test, todo(f, ATW_DO_RESET));
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.damaged));
	KUNIT_EXPECT_FALSE(test, f->owner[0].closed);
	run_on_until(test, deletes(f, 1000 + 64));
	close_all(test, 1);
}

/* But for one whose number may have been that of another connection, which has lost bytes then. */
static void conn_guesses_near(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[1];
	unsigned int i;
	char text[64];

	f->conns.learned.purged = true;
	fake_serve(test);
	fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	run_until(test, READ_ONCE(o->opened));
	for (i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "\r\n+EVENT:SocketDown,%u,1,x\r\n",
			 2000 + i);
		fake_say(f, text);
	}
	KUNIT_EXPECT_FALSE(test, o->closed);
	snprintf(text, sizeof(text), "\r\n+EVENT:SocketDown,%u,1,x\r\n", o->c->id / 10);
	fake_say(f, text);
	KUNIT_EXPECT_TRUE(test, o->closed);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o->close_err);
	KUNIT_EXPECT_TRUE(test, todo(f, ATW_DO_RESET));
	close_all(test, 2);
}

/* A child that nobody announced; with a reference. */
static struct atw_conn *fake_guess(struct kunit *test, u32 id)
{
	struct fake *f = test->priv;
	struct atw_conn *c;
	char text[64];

	f->conns.learned.purged = true;
	snprintf(text, sizeof(text), "\r\n+EVENT:SocketDown,%u,1,x\r\n", id);
	fake_say(f, text);
	c = atw_conns_get(&f->conns, id);
	KUNIT_ASSERT_NOT_NULL(test, c);
	KUNIT_EXPECT_EQ(test, ATW_CHILD_NEW, c->child.stage);
	KUNIT_EXPECT_NULL(test, c->child.server);
	return c;
}

/* It was not announced, and had gone before it could be asked whose it was. */
static void conn_guess_over(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	char rows[128];

	opened(test, 2, ATW_TYPE_TCP_SERVER);
	fake_open(test, 2, ATW_TYPE_TCP_CLIENT);
	run_until(test, READ_ONCE(o[2].opened));
	snprintf(rows, sizeof(rows),
		 "%u,3,3,,-1,80,0\r\n%u,3,3,,-1,80,0\r\n%u,4,3,192.0.2.1,80,-1,0\r\n",
		 o[0].c->id, o[1].c->id, o[2].c->id);
	f->rows = rows;
	atw_conn_put(fake_guess(test, 2000));
	fake_say(f, "\r\n+EVENT:SocketDisconnect,2000\r\n\r\n+EVENT:SocketAutoDel,2000\r\n");
	run_on_until(test, listed(f) == 3);
	KUNIT_EXPECT_FALSE(test, o[2].closed);
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.damaged));
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.accepted));
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.refused));
	close_all(test, 3);
}

/*
 * Bytes for a number that is one damaged byte away from a connection's may be that one's: the
 * module tells whether it has accepted one of that number, who is not let in.
 */
static void conn_guess_near(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	char rows[128];
	int n;
	u32 id;

	opened(test, 1, ATW_TYPE_TCP_SERVER);
	fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	run_until(test, READ_ONCE(o[1].opened));
	id = o[1].c->id / 10;
	n = snprintf(rows, sizeof(rows), "%u,3,3,,-1,80,0\r\n%u,4,3,192.0.2.1,80,-1,0\r\n",
		     o[0].c->id, o[1].c->id);
	snprintf(rows + n, sizeof(rows) - n, "%u,5,3,192.0.2.9,1000,-1,%u\r\n", id, o[0].c->id);
	f->rows = rows;
	atw_conn_put(fake_guess(test, id));
	run_until(test, deletes(f, id) && listed(f) == 2);
	KUNIT_EXPECT_FALSE(test, o[1].closed);
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.damaged));
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.refused));
	rows[n] = '\0';
	atw_conn_put(fake_guess(test, id));
	run_on_until(test, READ_ONCE(o[1].closed));
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o[1].close_err);
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.accepted));
	close_all(test, 2);
}

/* What the module has lost before it could be asked for its server. */
static void conn_guess_lost(struct kunit *test)
{
	struct fake *f = test->priv;
	struct atw_conn *c;

	f->conns.learned.purged = true;
	fake_serve(test);
	fake_say(f, "\r\n+EVENT:SocketDown,1000,1,x\r\n");
	c = list_last_entry(&f->conns.list, struct atw_conn, node);
	KUNIT_ASSERT_EQ(test, 1000U, c->id);
	refcount_inc(&c->ref);
	atw_conns_fail_all(&f->conns);
	KUNIT_EXPECT_EQ(test, 1U, refcount_read(&c->ref));
	atw_conn_put(c);
	/* Nobody's, until what the module has is known again. */
	fake_say(f, "\r\n+EVENT:SocketDown,1000,1,y\r\n");
	KUNIT_EXPECT_EQ(test, 1U, listed(f));
	close_all(test, 1);
}

/* The device goes away when the module is told this. */
static void unplug(struct kunit *test, const char *command)
{
	struct fake *f = test->priv;

	f->unplugged = command;
	run_on_until(test, test_bit(ATW_CH_DEAD, &f->ch.flags));
	atw_channel_pause(&f->ch);
}

/* That is all that anybody hears: a child that is not listed is no sign of damage, */
static void conn_guess_unplugged(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[1];

	fake_serve(test);
	fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	run_until(test, READ_ONCE(o->opened));
	atw_conn_put(fake_guess(test, 2000));
	unplug(test, "AT+SOCKET?");
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.damaged));
	KUNIT_EXPECT_FALSE(test, o->closed);
	atw_conns_gone(&f->conns);
	KUNIT_EXPECT_EQ(test, -ENODEV, o->close_err);
}

/* nor is a connection lost whose number cannot be asked for, */
static void conn_number_unplugged(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];

	f->conns.learned.no_conid = true;
	f->connect_answer = "\r\nOK\r\n";
	fake_open(test, 0, ATW_TYPE_TCP_CLIENT);
	unplug(test, "AT+SOCKET?");
	KUNIT_EXPECT_FALSE(test, o->opened);
	atw_conns_gone(&f->conns);
	KUNIT_EXPECT_EQ(test, -ENODEV, o->open_err);
}

/* nor disbelieved what may be another print. */
static void conn_doubt_unplugged(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	say_for(f, "\r\n+EVENT:SocketDown,%u,9,\r\n+EVENT:\r\n", o);
	KUNIT_EXPECT_EQ(test, 0U, o->got_len);
	unplug(test, "AT+ATW");
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.damaged));
	KUNIT_EXPECT_FALSE(test, o->closed);
	atw_conns_gone(&f->conns);
	KUNIT_EXPECT_EQ(test, -ENODEV, o->close_err);
}

/* It is announced after all, and then the module's table says whose it is. */
static void conn_guess_announced(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *server = fake_serve(test), *o = &f->owner[1];
	struct atw_sock_row row = {
		.id = 1000,
		.type = ATW_TYPE_TCP_CHILD,
		.status = ATW_SOCK_CONNECTED,
		.server = server->c->id,
	};
	struct atw_conn *c = fake_guess(test, 1000);
	unsigned int refs;

	atw_conn_set_backlog(server->c, 4);
	say_for(f, "\r\n+EVENT:SocketSeed,1000,%u\r\n", server);
	KUNIT_EXPECT_PTR_EQ(test, server->c, c->child.server);
	refs = refcount_read(&server->c->ref);
	KUNIT_EXPECT_TRUE(test, atw_conns_adopt(&f->conns, c, &row));
	KUNIT_EXPECT_EQ(test, refs, refcount_read(&server->c->ref));
	KUNIT_EXPECT_EQ(test, 1U, server->c->serve.nchildren);
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.accepted));
	atw_conn_put(c);

	run_on_until(test, atw_conn_acceptable(server->c));
	o->c = atw_conn_accept(server->c, &owner_ops, o);
	KUNIT_EXPECT_PTR_EQ(test, c, o->c);
	KUNIT_EXPECT_EQ(test, 1U, o->got_len);
	KUNIT_EXPECT_FALSE(test, atw_conn_acceptable(server->c));
	close_all(test, 2);
}

/* Or while the module is asked whose it is: the server has it once. */
static void conn_guess_announced_meanwhile(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *server = fake_serve(test), *o = &f->owner[1];
	struct atw_conn *c = fake_guess(test, 1000);
	char rows[80], text[64];

	snprintf(rows, sizeof(rows), "%u,3,3,,-1,80,0\r\n1000,5,3,192.0.2.9,4000,-1,%u\r\n",
		 server->c->id, server->c->id);
	snprintf(text, sizeof(text), "\r\n+EVENT:SocketSeed,1000,%u\r\n", server->c->id);
	f->rows = rows;
	f->before_rows = text;
	run_on_until(test, atw_conn_acceptable(server->c));
	KUNIT_EXPECT_NULL(test, f->before_rows);
	KUNIT_EXPECT_EQ(test, 1U, server->c->serve.nchildren);
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.accepted));
	o->c = atw_conn_accept(server->c, &owner_ops, o);
	KUNIT_EXPECT_PTR_EQ(test, c, o->c);
	KUNIT_EXPECT_EQ(test, 4000U, (unsigned int)c->port);
	KUNIT_EXPECT_EQ(test, 1U, o->got_len);
	KUNIT_EXPECT_FALSE(test, atw_conn_acceptable(server->c));
	atw_conn_put(c);
	close_all(test, 2);
}

/* It had ended before it was announced: nobody is to accept what is over. */
static void conn_guess_ended(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *server = fake_serve(test);
	struct atw_conn *c = fake_guess(test, 1000);

	spin_lock(&c->lock);
	atw_conn_end(c, -ECONNRESET, 0);
	spin_unlock(&c->lock);
	say_for(f, "\r\n+EVENT:SocketSeed,1000,%u\r\n", server);
	KUNIT_EXPECT_NULL(test, c->child.server);
	KUNIT_EXPECT_EQ(test, 0U, server->c->serve.nchildren);
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.accepted));
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.refused));
	atw_conn_put(c);
	open_gate(f, true);
	close_all(test, 1);
}

/* What it had sent was thrown away: announced then, it would begin with a hole. */
static void conn_guess_announced_late(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *server = fake_serve(test);
	char rows[64], text[64];

	snprintf(rows, sizeof(rows), "%u,3,3,,-1,80,0\r\n", server->c->id);
	snprintf(text, sizeof(text), "\r\n+EVENT:SocketSeed,1000,%u\r\n",
		 server->c->id);
	f->rows = rows;
	f->before_del = text;
	atw_conn_put(fake_guess(test, 1000));
	open_gate(f, true);
	/* It, and whatever has its number then. */
	eventually(test, deletes(f, 1000) == 2);
	eventually(test, listed(f) == 1);
	KUNIT_EXPECT_EQ(test, 0U, server->c->serve.nchildren);
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.accepted));
	close_all(test, 1);
}

/*
 * It is announced when its first bytes have been somebody's. Whoever had that number then would
 * begin with a hole, and what is sent to him would follow what was sent before.
 */
static void announced_again(struct kunit *test, struct owner *o)
{
	struct fake *f = test->priv;
	struct owner *server = &f->owner[0];
	char text[64];
	u32 id = o->c->id;

	snprintf(text, sizeof(text), "\r\n+EVENT:SocketSeed,%u,%u\r\n", id, server->c->id);
	fake_say(f, text);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o->close_err);
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.accepted));
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.refused));
	run_on_until(test, deletes(f, id) == 1);
	KUNIT_EXPECT_FALSE(test, atw_conn_acceptable(server->c));
	close_all(test, 2);
}

static void conn_guess_announced_too_late(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *server = fake_serve(test), *o = &f->owner[1];
	char rows[80];

	snprintf(rows, sizeof(rows), "%u,3,3,,-1,80,0\r\n1000,5,3,192.0.2.9,4000,-1,%u\r\n",
		 server->c->id, server->c->id);
	f->rows = rows;
	atw_conn_put(fake_guess(test, 1000));
	run_until(test, atw_conn_acceptable(server->c));
	o->c = atw_conn_accept(server->c, &owner_ops, o);
	KUNIT_ASSERT_NOT_NULL(test, o->c);
	KUNIT_EXPECT_EQ(test, 1U, o->got_len);
	announced_again(test, o);
}

static void conn_announced_twice(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = fake_child(test, fake_serve(test));

	fake_say(f, "\r\n+EVENT:SocketDown,1,5,hello\r\n");
	KUNIT_EXPECT_EQ(test, 5U, o->got_len);
	announced_again(test, o);
}

/* Children are near all numbers that the driver gives, where those may come who like. */
static void conn_numbers_used_up(struct kunit *test)
{
	static const u32 ids[] = { 13, 15, 23, 104, 126, 148 };
	struct fake *f = test->priv;
	struct owner *server = fake_serve(test), *o = &f->owner[1];
	unsigned int i;
	char text[64];

	atw_conn_set_backlog(server->c, ARRAY_SIZE(ids));
	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		snprintf(text, sizeof(text), "\r\n+EVENT:SocketSeed,%u,%u\r\n", ids[i],
			 server->c->id);
		fake_say(f, text);
	}
	KUNIT_EXPECT_LE(test, 4ULL, count(&f->conns.counts.accepted));
	KUNIT_EXPECT_LT(test, 0ULL, count(&f->conns.counts.refused));
	fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	run_on_until(test, READ_ONCE(o->opened));
	KUNIT_EXPECT_EQ(test, 0, o->open_err);
	close_all(test, 2);
}

/* The same of one that was not let in for its number. */
static void conn_stale_announced(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *server = fake_serve(test);

	atw_conns_add_stale(&f->conns, 1000);
	say_for(f, "\r\n+EVENT:SocketSeed,1000,%u\r\n", server);
	KUNIT_EXPECT_EQ(test, 1U, listed(f));
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.refused));
	run_on_until(test, deletes(f, 1000) == 1);
	close_all(test, 1);
}

/* Its end is told once more while the rest is read. */
static void conn_end_while_reading(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];

	f->conns.mode.passive = true;
	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	/* What it has was not announced: it is looked for. */
	say_for(f, "\r\n+EVENT:SocketDisconnect,%u\r\n", o);
	f->read = "hello";
	run_on_until(test, READ_ONCE(o->closed));
	KUNIT_EXPECT_EQ(test, 0, o->close_err);
	KUNIT_EXPECT_EQ(test, 5U, o->got_len);
	close_all(test, 1);
}

/* What the module says of it meanwhile is no more than that its remote has closed. */
static void conn_end_while_asked(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	unsigned int i;
	char rows[48];

	f->conns.mode.passive = true;
	opened(test, 2, ATW_TYPE_TCP_CLIENT);
	for (i = 0; i < 2; i++) {
		snprintf(rows, sizeof(rows), "%u,4,%u,192.0.2.1,80,-1,0\r\n", o[i].c->id,
			 i ? ATW_SOCK_LOST : ATW_SOCK_CONNECTING);
		f->rows = rows;
		f->has = o[!i].c->id;
		f->read = "hello";
		say_for(f, "\r\n+EVENT:SocketDown,%u,5\r\n", &o[i]);
		say_for(f, "\r\n+EVENT:SocketDisconnect,%u\r\n", &o[i]);
		atw_sched_set(&f->sched, ATW_DO_RECONCILE);
		run_until(test, READ_ONCE(o[i].closed));
		KUNIT_EXPECT_EQ(test, 0, o[i].close_err);
		KUNIT_EXPECT_EQ(test, 5U, o[i].got_len);
	}
	close_all(test, 2);
}

/*
 * What was announced is fetched long after the end, and the table has @status then, by the module's
 * numbers.
 */
static struct owner *fake_fetch_late(struct kunit *test, unsigned int status)
{
	char *rows = kunit_kzalloc(test, 48, GFP_KERNEL);
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];

	KUNIT_ASSERT_NOT_NULL(test, rows);
	f->conns.mode.passive = true;
	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	snprintf(rows, 48, "%u,4,%u,192.0.2.1,80,-1,0\r\n", o->c->id, status);
	f->rows = rows;
	say_for(f, "\r\n+EVENT:SocketDown,%u,10\r\n", o);
	say_for(f, "\r\n+EVENT:SocketDisconnect,%u\r\n", o);
	o->c->closed_at = jiffies - atw_timing.tt_trust / 2 - 1;
	f->read = "hello";
	f->reads_on = "world";
	return o;
}

/*
 * The module connects a client anew at once, not some seconds later: two streams would be one in
 * transparent mode, and in passive mode what is fetched after the end may be of the other one.
 */
static void conn_anew_soon(struct kunit *test)
{
	struct owner *o = fake_fetch_late(test, ATW_SOCK_CONNECTED);
	struct fake *f = test->priv;

	o->c->closed_at = jiffies;
	say_for(f, "\r\n+EVENT:SocketReconnect,%u\r\n", o);
	KUNIT_EXPECT_TRUE(test, f->conns.learned.anew_soon);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o->close_err);
	forget(test);

	/* It is said later, if at all. */
	fake_fetch_late(test, ATW_SOCK_CONNECTED);
	o->c->closed_at = jiffies;
	run_on_until(test, READ_ONCE(o->closed));
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o->close_err);
	KUNIT_EXPECT_EQ(test, 0U, o->got_len);
	f->conns.mode.passive = false;
	f->rows = NULL;
	forget(test);

	if (!IS_ENABLED(CONFIG_ATWIFI_TRANSPARENT))
		return;
	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	f->tt_how = ATW_TT_ON;
	WRITE_ONCE(f->tt_off, o->c);
	atw_channel_kick(&f->ch);
	eventually(test, !READ_ONCE(f->tt_off));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, f->tt_err);
	close_all(test, 1);
}

/* After some seconds the module connects anew by itself, and what it has is of that one. */
static void conn_end_fetched_late(struct kunit *test)
{
	unsigned int i;
	struct owner *o;

	for (i = 0; i < 2; i++) {
		o = fake_fetch_late(test, 3);
		/* So much later that it lies ahead, where jiffies have 32 bits. */
		if (i)
			o->c->closed_at -= ULONG_MAX / 2 + 2;
		run_on_until(test, READ_ONCE(o->closed));
		KUNIT_EXPECT_EQ(test, -ECONNRESET, o->close_err);
		KUNIT_EXPECT_EQ(test, 0U, o->got_len);
		forget(test);
	}
}

/*
 * Not where it is lost yet, or being connected, which is what a client is from its loss on: there
 * is just so much to be fetched.
 */
static void conn_end_fetched_slowly(struct kunit *test)
{
	struct fake *f = test->priv;
	unsigned int status;
	struct owner *o;

	for (status = 0; status <= 1; status++) {
		o = fake_fetch_late(test, status);
		run_on_until(test, READ_ONCE(o->closed));
		KUNIT_EXPECT_EQ(test, 0, o->close_err);
		KUNIT_ASSERT_EQ(test, 10U, o->got_len);
		KUNIT_EXPECT_EQ(test, 0, memcmp(o->got, "helloworld", 10));
		KUNIT_EXPECT_EQ(test, 0U, o->c->rx.size);
		close_all(test, 1);
		open_gate(f, false);
		let_go(o);
	}
}

/* A table that does not come decides nothing: all is fetched, and waits for the next one. */
static void conn_end_fetched_untold(struct kunit *test)
{
	struct owner *o = fake_fetch_late(test, 0);
	struct fake *f = test->priv;

	f->read = "helloworld";
	f->reads_on = NULL;
	f->mishears = "AT+SOCKET?";
	f->complaint = "";
	f->nmishears = 1;
	run_on_until(test, READ_ONCE(f->empties));
	KUNIT_EXPECT_EQ(test, 0U, READ_ONCE(o->got_len));
	KUNIT_EXPECT_FALSE(test, READ_ONCE(o->closed));
	atw_sched_set(&f->sched, ATW_DO_RECONCILE);
	eventually(test, READ_ONCE(o->closed));
	KUNIT_EXPECT_EQ(test, 0, o->close_err);
	KUNIT_EXPECT_EQ(test, 10U, o->got_len);
	close_all(test, 1);
}

/* What was to be sent to the remote is lost, which his owner learns behind what he had sent. */
static void conn_end_fetched_unsent(struct kunit *test)
{
	static const char refusal[] = "\r\n+SOCKETSEND:99\r\nERROR\r\n";
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	bool sending = false;
	char words[128];

	do {
		f->conns.mode.passive = true;
		opened(test, 1, ATW_TYPE_TCP_CLIENT);
		snprintf(words, sizeof(words),
			 "\r\n+EVENT:SocketDown,%u,10\r\n\r\n+EVENT:SocketDisconnect,%u\r\n%s",
			 o->c->id, o->c->id, sending ? refusal : "");
		queue(test, o, 100);
		if (!sending)
			fake_say(f, words);
		mishear(f, "AT+SOCKETSEND=", 1, sending ? words : refusal);
		f->read = "hello";
		f->reads_on = "world";
		run_on_until(test, READ_ONCE(o->closed));
		KUNIT_EXPECT_EQ(test, -ECONNRESET, o->close_err);
		KUNIT_ASSERT_EQ(test, 10U, o->got_len);
		KUNIT_EXPECT_EQ(test, 0, memcmp(o->got, "helloworld", 10));
		/* Nothing is sent to nobody. */
		KUNIT_EXPECT_EQ(test, sending ? 0U : 1U, READ_ONCE(f->nmishears));
		forget(test);
		sending = !sending;
	} while (sending);
}

/* A number that was damaged on the way: neither the module nor we are to change. */
static void conn_numbers_damaged(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o;
	unsigned int i;
	char rows[64];

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	fake_have(f, &f->owner[0], rows, sizeof(rows));
	f->connect_answer = "\r\n+SOCKET:4\r\nERROR\r\n";
	o = fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	run_on_until(test, READ_ONCE(o->opened));
	KUNIT_EXPECT_NE(test, 0, o->open_err);
	f->connect_answer = "connect success ConID=9\r\n\r\nOK\r\n";
	o = fake_open(test, 2, ATW_TYPE_TCP_CLIENT);
	eventually(test, READ_ONCE(o->opened));
	KUNIT_EXPECT_EQ(test, -ECONNABORTED, o->open_err);
	/* Nothing is wrong with the module, and nobody else is to pay for it. */
	KUNIT_EXPECT_FALSE(test, todo(f, ATW_DO_RESET));
	KUNIT_EXPECT_FALSE(test, f->owner[0].closed);
	f->connect_answer = NULL;
	o = fake_open(test, 3, ATW_TYPE_TCP_CLIENT);
	eventually(test, READ_ONCE(o->opened));
	KUNIT_EXPECT_EQ(test, 0, o->open_err);
	for (i = 0; i < f->nnotes; i++)
		if (f->notes[i].verb == V_OPEN)
			KUNIT_EXPECT_GE(test, f->notes[i].id, 100U);
	close_all(test, 4);
}

/*
 * It may be a remote who refuses to connect, behind a header that was damaged: nor is his
 * reason believed, and the connection is deleted in case that there is one.
 */
static void conn_refusal_forged(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o;

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	f->connect_answer = "\r\n+EVENT:SocketDowm,118,1024,a\r\n+SOCKET:4\r\nERROR\r\n";
	o = fake_open(test, 1, ATW_TYPE_UDP_CLIENT);
	run_on_until(test, READ_ONCE(o->opened));
	KUNIT_EXPECT_EQ(test, -EPROTO, o->open_err);
	KUNIT_EXPECT_EQ(test, 0U, o->code);
	eventually(test, deletes(f, f->notes[0].id));
	KUNIT_EXPECT_EQ(test, V_OPEN, f->notes[0].verb);
	f->connect_answer = NULL;
	close_all(test, 2);
}

/* Of firmware that numbers its connections without a word the table tells the number. */
static void conn_numbers_untold(struct kunit *test)
{
	static const char *const rows[] = {
		/* Which of two it is cannot be known, nor where one of them is lost. */
		"1,4,3,192.0.2.1,80,-1,0\r\n2,4,3,192.0.2.1,80,-1,0\r\n3,4,3,192.0.2.1,80,-1,0\r\n",
		"1,4,3,192.0.2.1,80,-1,0\r\n4,4,3,192.0.2.1,80,-1,0\r\n5,4,0,192.0.2.1,80,-1,0\r\n",
		/* It is lost already. */
		"1,4,3,192.0.2.1,80,-1,0\r\n6,4,0,192.0.2.1,80,-1,0\r\n",
	};
	struct fake *f = test->priv;
	struct owner *o;
	unsigned int i;

	f->conns.learned.no_conid = true;
	f->connect_answer = "\r\nOK\r\n";
	f->rows = "1,4,3,192.0.2.1,80,-1,0\r\n";
	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	KUNIT_EXPECT_EQ(test, 1U, f->owner[0].c->id);
	fake_say(f, "\r\n+EVENT:SocketDown,1,5,hello\r\n");
	KUNIT_EXPECT_EQ(test, 5U, f->owner[0].got_len);

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		f->rows = rows[i];
		o = fake_open(test, i + 1, ATW_TYPE_TCP_CLIENT);
		run_on_until(test, READ_ONCE(o->opened));
		KUNIT_EXPECT_EQ_MSG(test, -ECONNABORTED, o->open_err, "%u", i);
		KUNIT_EXPECT_FALSE(test, todo(f, ATW_DO_RESET));
		KUNIT_EXPECT_FALSE(test, f->owner[0].closed);
	}
	f->rows = NULL;
	close_all(test, i + 1);
}

/* Firmware that has told a number says no OK without: somebody's payload may have that. */
static void conn_numbers_lost(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o;
	char rows[64];
	u32 id;

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	fake_have(f, &f->owner[0], rows, sizeof(rows));
	f->connect_answer = "\r\nOK\r\n";
	o = fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	run_on_until(test, READ_ONCE(o->opened));
	KUNIT_EXPECT_EQ(test, -ECONNABORTED, o->open_err);
	id = f->conns.ids.next;
	eventually(test, deletes(f, id));
	KUNIT_EXPECT_TRUE(test, todo(f, ATW_DO_SYNC));
	KUNIT_EXPECT_FALSE(test, f->owner[0].closed);
	/* Of a server it may always say no more. */
	o = fake_open(test, 2, ATW_TYPE_TCP_SERVER);
	eventually(test, READ_ONCE(o->opened));
	KUNIT_EXPECT_EQ(test, 0, o->open_err);
	close_all(test, 3);
}

/* No room at the owner's: its stream ends, and counts. */
static void conn_overflow(struct kunit *test)
{
	struct fake *f = test->priv;

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	f->owner[0].full = true;
	say_for(f, "\r\n+EVENT:SocketDown,%u,5,hello\r\n", &f->owner[0]);
	KUNIT_EXPECT_TRUE(test, f->owner[0].closed);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, f->owner[0].close_err);
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.overflows));
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.throttled));
	close_all(test, 1);
}

/* Where the UART can be held up, who reads has room before the next bytes come. */
static void conn_throttle_slow(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	unsigned int i;

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	f->holds = true;
	f->reads = o;
	for (i = 1; i <= 3; i++) {
		o->full = true;
		say_for(f, "\r\n+EVENT:SocketDown,%u,5,hello\r\n", o);
		KUNIT_EXPECT_EQ(test, i, f->throttles);
		KUNIT_EXPECT_FALSE(test, f->held_up);
	}
	KUNIT_EXPECT_FALSE(test, o->closed);
	KUNIT_ASSERT_EQ(test, 15U, o->got_len);
	KUNIT_EXPECT_EQ(test, 0, memcmp(o->got, "hellohellohello", 15));
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.overflows));
	KUNIT_EXPECT_EQ(test, 3ULL, count(&f->conns.counts.throttled));
	close_all(test, 1);
}

/*
 * Who does not read holds the others up for a moment, and is reset. Another one who does
 * not read either has to wait until the line was free for as long.
 */
static void conn_throttle_stopped(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	unsigned int i;

	f->conns.clock = fake_clock;
	opened(test, 5, ATW_TYPE_TCP_CLIENT);
	fake_time = ktime_add_ms(fake_time, 10000);
	f->holds = true;
	f->throttle_ms = 250;
	for (i = 0; i < 4; i++) {
		static const unsigned int throttles[] = { 1, 1, 2, 3 };

		o[i].full = true;
		say_for(f, "\r\n+EVENT:SocketDown,%u,5,hello\r\n", &o[i]);
		KUNIT_EXPECT_TRUE(test, o[i].closed);
		KUNIT_EXPECT_EQ(test, -ECONNRESET, o[i].close_err);
		KUNIT_EXPECT_EQ(test, throttles[i], f->throttles);
		KUNIT_EXPECT_FALSE(test, f->held_up);
		/* The others' bytes are at 1000 bit/s what takes 300 ms. */
		if (i == 1)
			fake_time = ktime_add_ms(fake_time, 100);
		if (i == 2) {
			atw_conns_set_rate(&f->conns, 1000);
			say_for(f, "\r\n+EVENT:SocketDown,%u,5,hello\r\n", &o[4]);
		}
	}
	KUNIT_EXPECT_FALSE(test, o[4].closed);
	KUNIT_EXPECT_EQ(test, 5U, o[4].got_len);
	KUNIT_EXPECT_EQ(test, 4ULL, count(&f->conns.counts.overflows));
	close_all(test, 5);
}

/* The word that a child is deleted waits as well, and is waited for. */
static void conn_throttle_child(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[1];
	struct atw_conn *c;
	char text[64];
	u64 before;

	f->conns.clock = fake_clock;
	opened(test, 1, ATW_TYPE_TCP_SERVER);
	fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	run_until(test, READ_ONCE(o->opened));
	fake_time = ktime_add_ms(fake_time, 10000);
	snprintf(text, sizeof(text), "\r\n+EVENT:SocketSeed,1,%u\r\n", f->owner[0].c->id);
	fake_say(f, text);
	fake_say(f, "\r\n+EVENT:SocketDisconnect,1\r\n");
	c = atw_conns_get(&f->conns, 1);
	KUNIT_ASSERT_NOT_NULL(test, c);
	KUNIT_EXPECT_NE(test, 0ULL, c->not_before);
	/* However slow this machine is. */
	before = get_jiffies_64() + 60 * HZ;
	spin_lock(&c->lock);
	c->not_before = before;
	spin_unlock(&c->lock);
	f->holds = true;
	f->reads = o;
	f->throttle_ms = 250;
	o->full = true;
	say_for(f, "\r\n+EVENT:SocketDown,%u,5,hello\r\n", o);
	KUNIT_EXPECT_EQ(test, 1U, f->throttles);
	KUNIT_EXPECT_EQ(test, before + nsecs_to_jiffies(250 * NSEC_PER_MSEC), c->not_before);
	spin_lock(&c->lock);
	c->not_before = 0;
	atw_conn_kick(c);
	spin_unlock(&c->lock);
	atw_conn_put(c);
	close_all(test, 2);
}

static int note_wake(struct wait_queue_entry *wait, unsigned int mode, int flags, void *key)
{
	(*(unsigned int *)wait->private)++;
	return 0;
}

/* Who waits for a program to read is woken when it has, or will not any more. */
static void conn_throttle_ends(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	unsigned int woken = 0;
	wait_queue_entry_t wait = { .func = note_wake, .private = &woken };

	INIT_LIST_HEAD(&wait.entry);
	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	add_wait_queue(&o->c->rx.room, &wait);
	atw_conn_read(o->c);
	KUNIT_EXPECT_EQ(test, 1U, woken);
	say_for(f, "\r\n+EVENT:SocketDisconnect,%u\r\n", o);
	KUNIT_EXPECT_TRUE(test, o->closed);
	KUNIT_EXPECT_EQ(test, 2U, woken);
	atw_conn_close(o->c, true, 0);
	KUNIT_EXPECT_EQ(test, 3U, woken);
	remove_wait_queue(&o->c->rx.room, &wait);
	close_all(test, 1);
}

/* The module takes bytes and says nothing: an error, after the time-out. */
static void conn_swallowed(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	f->swallow_id = o->c->id;
	queue(test, o, 100);
	run_on_until(test, READ_ONCE(o->closed));
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o->close_err);
	KUNIT_EXPECT_TRUE(test, todo(f, ATW_DO_SYNC));
	close_all(test, 1);
}

/* A stream that the module has taken so many bytes of; the longest of the sends. */
static u32 upload(struct kunit *test, unsigned int bytes)
{
	struct fake *f = test->priv;
	u32 longest = 0;
	unsigned int i;

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	for (; bytes; bytes -= 4000)
		queue(test, &f->owner[0], 4000);
	run_on_until(test, !atw_conn_unsent(f->owner[0].c) || READ_ONCE(f->owner[0].closed));
	for (i = 0; i < f->nnotes; i++)
		if (f->notes[i].verb == V_SEND)
			longest = max(longest, f->notes[i].len);
	return longest;
}

/* Firmware that swallows long sends costs one connection, and then no other. */
static void conn_swallows_long(struct kunit *test)
{
	struct fake *f = test->priv;

	f->swallow_len = 1024;
	KUNIT_EXPECT_LT(test, 1024U, upload(test, 40000));
	KUNIT_EXPECT_EQ(test, -ECONNRESET, f->owner[0].close_err);
	forget(test);
	KUNIT_EXPECT_EQ(test, 1024U, upload(test, 40000));
	KUNIT_EXPECT_FALSE(test, f->owner[0].closed);
	forget(test);
	/* It is that firmware still when it was looked for again. */
	atw_conns_set_rate(&f->conns, 921600);
	KUNIT_EXPECT_EQ(test, 1024U, upload(test, 40000));
	KUNIT_EXPECT_FALSE(test, f->owner[0].closed);
	forget(test);
	/* Another one may be better. What it has taken once it takes. */
	f->swallow_len = 0;
	atw_conns_set_firmware(&f->conns, atw_firmware_of(ATWIFI_PROFILE_CLASSIC), false);
	atw_conns_set_rate(&f->conns, 921600);
	KUNIT_EXPECT_EQ(test, (u32)ATW_CHUNK_MAX, upload(test, 80000));
	f->swallow_id = f->owner[0].c->id;
	queue(test, &f->owner[0], 3000);
	eventually(test, READ_ONCE(f->owner[0].closed));
	forget(test);
	f->swallow_id = 0;
	KUNIT_EXPECT_EQ(test, (u32)ATW_CHUNK_MAX, upload(test, 80000));
	forget(test);
}

/*
 * One that refuses a send may not be able to take so much: if it can be seen that the remote is
 * there, who may have brought that about otherwise, and if it is more than all firmware takes.
 */
static void conn_send_refused(struct kunit *test)
{
	static const struct {
		unsigned int	len;
		bool		there;
		u32		chunk;
	} cases[] = {
		{ 4000, false, ATW_CHUNK_MAX },
		{ 1000, true, ATW_CHUNK_MAX },
		{ 4000, true, ATW_CHUNK_MIN },
	};
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		opened(test, 1, ATW_TYPE_TCP_CLIENT);
		f->conns.pace.chunk = ATW_CHUNK_MAX;
		if (cases[i].there)
			f->has = o->c->id;
		mishear(f, "AT+SOCKETSEND=", 1, "\r\n+SOCKETSEND:101\r\nERROR\r\n");
		queue(test, o, cases[i].len);
		run_on_until(test, deletes(f, o->c->id));
		KUNIT_EXPECT_EQ(test, -ECONNRESET, o->close_err);
		KUNIT_EXPECT_EQ_MSG(test, cases[i].chunk, f->conns.pace.chunk, "%u", i);
		forget(test);
	}
}

/* Nor does it say anything as long as a remote does not read, which costs no other one. */
static void conn_send_blocked(struct kunit *test)
{
	struct fake *f = test->priv;

	f->swallow_len = 1024;
	for (f->then = IS_BLOCKED; f->then <= READS_ON; f->then++) {
		KUNIT_EXPECT_LT(test, 1024U, upload(test, 40000));
		KUNIT_EXPECT_EQ(test, -ECONNRESET, f->owner[0].close_err);
		forget(test);
		KUNIT_EXPECT_FALSE(test, f->conns.proved.small_sends);
	}
	/* Or he reads on just when it is not waited for any more. */
	f->then = IS_IDLE;
	f->answers_late = true;
	KUNIT_EXPECT_LT(test, 1024U, upload(test, 40000));
	KUNIT_EXPECT_EQ(test, -ECONNRESET, f->owner[0].close_err);
	forget(test);
	KUNIT_EXPECT_FALSE(test, f->conns.proved.small_sends);
	f->answers_late = false;
	f->swallow_len = 0;
	KUNIT_EXPECT_LT(test, 1024U, upload(test, 40000));
	KUNIT_EXPECT_FALSE(test, f->owner[0].closed);
	forget(test);
}

/* It says that the connection is lost, but nothing of the send. */
static void conn_swallowed_lost(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	unsigned long waited;
	char text[48];

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	snprintf(text, sizeof(text), "\r\n+EVENT:SocketDisconnect,%u\r\n",
		 o->c->id);
	f->swallow_id = o->c->id;
	f->after_payload = text;
	queue(test, o, 100);
	open_gate(f, true);
	/* Not as long as a send may take; a machine that stands still counts nothing here. */
	for (waited = 0; !READ_ONCE(o->closed) && waited < atw_timing.send; waited += HZ / 10)
		schedule_timeout_uninterruptible(HZ / 10);
	KUNIT_EXPECT_LT(test, waited, atw_timing.send / 2);
	eventually(test, READ_ONCE(o->closed));
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o->close_err);
	close_all(test, 1);
}

/* Some end without a word: the module's own list tells. */
static void conn_reconcile(struct kunit *test)
{
	struct fake *f = test->priv;
	char rows[80];

	opened(test, 3, ATW_TYPE_TCP_CLIENT);
	/* The first is gone, the second connects anew, the third lives. */
	snprintf(rows, sizeof(rows),
		 "%u,4,1,192.0.2.1,80,-1,0\r\n%u,4,3,192.0.2.1,80,-1,0\r\n",
		 f->owner[1].c->id, f->owner[2].c->id);
	f->rows = rows;
	atw_sched_set(&f->sched, ATW_DO_RECONCILE);
	/* It trusts no list that was asked for in the tick of its opening. */
	schedule_timeout_uninterruptible(2);
	run_on_until(test, READ_ONCE(f->owner[0].closed) && READ_ONCE(f->owner[1].closed));
	KUNIT_EXPECT_EQ(test, -ECONNRESET, f->owner[0].close_err);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, f->owner[1].close_err);
	KUNIT_EXPECT_FALSE(test, f->owner[2].closed);
	close_all(test, 3);
}

/* A payload that ends as if the module had restarted within it. */
static const char boot[] = "\r\n+EVENT:SocketDown,%u,9,ab\r\nready\r\n";

/* What looks like a banner is the remote's if the module still has it. */
static void conn_unverified(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	char rows[64], text[64];

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	fake_have(f, o, rows, sizeof(rows));
	say_for(f, boot, o);
	KUNIT_EXPECT_EQ(test, 0U, o->got_len);
	run_on_until(test, READ_ONCE(o->got_len) == 9);
	KUNIT_EXPECT_STREQ(test, "ab\r\nready", o->got);

	/* Came while it was asked: what it says then is no answer to that. */
	f->nnotes = 0;
	snprintf(text, sizeof(text),
		 "\r\n+EVENT:SocketDown,%u,9,cd\r\nready\r\n", o->c->id);
	f->before_rows = text;
	atw_sched_set(&f->sched, ATW_DO_RECONCILE);
	atw_channel_kick(&f->ch);
	eventually(test, READ_ONCE(o->got_len) == 18);
	KUNIT_EXPECT_EQ(test, 2U, f->nnotes);

	/* The next one says as much, and comes after it. */
	open_gate(f, false);
	f->nnotes = 0;
	say_for(f, boot, o);
	say_for(f, boot, o);
	KUNIT_EXPECT_EQ(test, 27U, o->got_len);
	say_for(f, "\r\n+EVENT:SocketDown,%u,1,x\r\n", o);
	KUNIT_EXPECT_EQ(test, 37U, o->got_len);
	KUNIT_EXPECT_EQ(test, 'x', o->got[36]);

	/* So does its end, which waits for it. */
	say_for(f, boot, o);
	say_for(f, "\r\n+EVENT:SocketDisconnect,%u\r\n", o);
	KUNIT_EXPECT_EQ(test, 46U, o->got_len);
	KUNIT_EXPECT_TRUE(test, o->closed);
	KUNIT_EXPECT_EQ(test, 0, o->close_err);
	KUNIT_EXPECT_EQ(test, 0U, f->nnotes);
	close_all(test, 1);
}

/*
 * What modules say when they have started again, with what they are asked then: the
 * vendor's open SDK, without "ready", and a BW16.
 */
static const char *const starts[] = {
	"\r\n################################################\r\n\r\narch:BL602,NULL\r\n"
	"company:Ai-Thinker|B&T\r\nble_mac:7cb94c1dd632\r\nwifi_mac:7cb94c1dd631\r\n"
	"sdk_version:release_bl_iot_sdk_1.6.40\r\nfirmware_version:V4.18_P1.1.0\r\n"
	"compile_time:May 30 2023 10:28:28\r\n\r\nready\r\n"
	"\r\n################################################\r\n"
	"\r\n+EVENT:WIFI_CONNECT\r\n\r\n+EVENT:WIFI_GOT_IP\r\n"
	"AT+WJAP?\r\n\r\n+WJAP:3,net,secret,14:de:39:06:86:e4,WPA2 AES,7c:b9:4c:1d:c6:39,6,"
	"192.0.2.2,192.0.2.1\r\nOK\r\nAT\r\n\r\nOK\r\nAT+SOCKET?\r\n\r\nOK\r\n"
	"AT+SOCKETDEL=119\r\n\r\nAT+SOCKETDEL:127\r\n+ERROR\r\n",
	"\r\n################################################\r\n\r\narch:BL616,NULL\r\n"
	"\r\n+EVENT:WIFI_CONNECT\r\n\r\n+EVENT:WIFI_GOT_IP\r\n"
	"\r\n[Busy]Cmd running\r\nAT+SOCKET?\r\nUnknown cmd:AT+SOCKET?\r\n\r\nERROR\r\n",
	"#calibration_ok:[2:19:11] \r\n\r\nat version:release/V4.18_P2.29.2 "
	"sdk version:amebad_v6.2C firmware version:release/V4.18_P5.6.4(May 30 2023-10:28:28)\r\n"
	"\r\n+EVENT:WIFI_CONNECT\r\n\r\n+EVENT:WIFI_GOT_IP\r\n"
	"AT+WRSSI\r\n\r\n+WRSSI:-50\r\nOK\r\n\r\n+SOCKET:127\r\nERROR\r\n",
};

static const char begun[] = ">bc\r\n";

/*
 * A payload breaks off, @left bytes before its closing, and what follows is @start, while
 * something is awaited or not.
 */
static void break_off(struct fake *f, struct owner *o, int left, const char *start, bool awaits)
{
	struct atw_parser *p = &f->ch.parser;
	int sent = 3 + max(-left, 0);
	char text[64];

	/* As if nothing had been before. */
	atw_channel_restart(&f->ch);
	spin_lock(&o->c->lock);
	atw_conn_purge(o->c, &o->c->rx.unverified);
	o->c->err = 0;
	o->c->rx.bytes = 0;
	WRITE_ONCE(o->c->state, ATW_CONN_OPEN);
	spin_unlock(&o->c->lock);
	o->closed = false;
	o->got_len = 0;
	p->expect_prompt = awaits;
	p->expect_final = awaits;
	p->expect_soon = awaits;
	p->tears = awaits;
	snprintf(text, sizeof(text), "\r\n+EVENT:SocketDown,%u,%d,%.*s", o->c->id,
		 3 + max(left, 0), sent, begun);
	fake_say(f, text);
	fake_say(f, start);
}

/* Wherever it breaks off, nothing of what a module says at its start is a remote's. */
static void conn_unverified_broken_off(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o;
	unsigned int i;
	int left;

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	fake_open(test, 1, ATW_TYPE_UDP_CLIENT);
	run_until(test, READ_ONCE(f->owner[1].opened));
	for (i = 0; i < 4 * ARRAY_SIZE(starts); i++) {
		o = &f->owner[i % 2];
		for (left = -1; left <= (int)strlen(starts[i / 4]); left++) {
			break_off(f, o, left, starts[i / 4], i & 2);
			/* What is complete may have come. */
			if (left <= 0 && o->got_len == 3 && !memcmp(o->got, begun, 3))
				continue;
			KUNIT_EXPECT_EQ_MSG(test, 0ULL, o->c->rx.bytes, "%d bytes before its end",
					    left);
		}
	}
	atw_channel_restart(&f->ch);
	close_all(test, 2);
}

/* And else it is none of anybody's. */
static void conn_unverified_restarted(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *stream = &f->owner[0], *dgram = &f->owner[1];

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	fake_open(test, 1, ATW_TYPE_UDP_CLIENT);
	run_on_until(test, READ_ONCE(dgram->opened));
	say_for(f, boot, stream);
	say_for(f, boot, dgram);
	eventually(test, READ_ONCE(stream->closed) && READ_ONCE(dgram->closed));
	KUNIT_EXPECT_EQ(test, -ECONNRESET, stream->close_err);
	KUNIT_EXPECT_EQ(test, 0U, stream->got_len);
	KUNIT_EXPECT_EQ(test, 0U, dgram->got_len);
	close_all(test, 2);
}

/* A remote that sends nothing else takes the module from nobody. */
static void conn_unverified_flood(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	char rows[128], again[64];

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	run_until(test, READ_ONCE(f->owner[1].opened));
	snprintf(rows, sizeof(rows),
		 "%u,4,3,192.0.2.1,80,-1,0\r\n%u,4,3,192.0.2.1,80,-1,0\r\n",
		 o->c->id, f->owner[1].c->id);
	f->rows = rows;
	/* Each question is answered after another of them. */
	o->drains = true;
	snprintf(again, sizeof(again), boot, o->c->id);
	WRITE_ONCE(f->always, again);
	queue(test, &f->owner[1], 10);
	say_for(f, boot, o);
	run_on_until(test, READ_ONCE(f->owner[1].tx_done));
	WRITE_ONCE(f->always, NULL);
	close_all(test, 2);
}

/* A payload that looks like another print, between which and its header one came. */
static const char words[] = "\r\n+EVENT:SocketDown,%u,9,\r\n+EVENT:\r\n";

static void fake_have_two(struct fake *f, char *rows, size_t size)
{
	snprintf(rows, size,
		 "%u,4,3,192.0.2.1,80,-1,0\r\n%u,4,3,192.0.2.1,80,-1,0\r\n",
		 f->owner[0].c->id, f->owner[1].c->id);
	f->rows = rows;
}

/* It is its remote's when nothing is left of what came before, and costs nobody. */
static void conn_doubt(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	char rows[64], late[64];

	opened(test, 2, ATW_TYPE_TCP_CLIENT);
	fake_have_two(f, rows, sizeof(rows));
	say_for(f, words, &o[0]);
	/* Neither what comes after it tells anything of it, nor its end. */
	say_for(f, "\r\n+EVENT:SocketDown,%u,1,x\r\n", &o[0]);
	say_for(f, "\r\n+EVENT:SocketDown,%u,1,y\r\n", &o[1]);
	KUNIT_EXPECT_EQ(test, 0U, o[0].got_len);
	KUNIT_EXPECT_EQ(test, 1U, o[1].got_len);
	/* What comes after the question waits for the next. */
	snprintf(late, sizeof(late), words, o[0].c->id);
	f->before_barrier = late;
	run_on_until(test, READ_ONCE(o[0].got_len) == 19);
	KUNIT_EXPECT_STREQ(test, "\r\n+EVENT:x\r\n+EVENT:", o[0].got);
	KUNIT_EXPECT_EQ(test, 2U, f->barriers);
	open_gate(f, false);

	say_for(f, words, &o[0]);
	say_for(f, "\r\n+EVENT:SocketDisconnect,%u\r\n", &o[0]);
	KUNIT_EXPECT_FALSE(test, o[0].closed);
	run_on_until(test, READ_ONCE(o[0].closed));
	KUNIT_EXPECT_EQ(test, 28U, o[0].got_len);
	KUNIT_EXPECT_EQ(test, 0, o[0].close_err);
	KUNIT_EXPECT_FALSE(test, o[1].closed);
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.damaged));
	KUNIT_EXPECT_EQ(test, 0U, o[0].c->rx.size);
	close_all(test, 2);
}

/* What is left of the payload that was torn tells of it: no byte was handed over. */
static void conn_doubt_damage(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	char rows[64];

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	fake_have(f, &o[0], rows, sizeof(rows));
	say_for(f, words, &o[0]);
	f->before_barrier = "AAAAAAAAA\r\n";
	run_on_until(test, READ_ONCE(o[0].closed));
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o[0].close_err);
	KUNIT_EXPECT_EQ(test, 0U, o[0].got_len);
	close_all(test, 1);
}

/* So does an answer that nobody asked for, but of that connection alone. */
static void conn_doubt_unasked(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;

	opened(test, 2, ATW_TYPE_TCP_CLIENT);
	fake_say(f, "\r\nOK\r\n");
	say_for(f, words, &o[0]);
	KUNIT_EXPECT_FALSE(test, o[0].closed);
	fake_say(f, "\r\nOK\r\n");
	KUNIT_EXPECT_TRUE(test, o[0].closed);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o[0].close_err);
	KUNIT_EXPECT_EQ(test, 0U, o[0].got_len);
	KUNIT_EXPECT_FALSE(test, o[1].closed);
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.damaged));
	KUNIT_EXPECT_FALSE(test, todo(f, ATW_DO_SYNC));
	close_all(test, 2);
}

/* Six bytes of a payload were lost before the answer to another's send. */
static void conn_doubt_swallowed(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	char rows[64], text[128];

	opened(test, 2, ATW_TYPE_TCP_CLIENT);
	fake_have_two(f, rows, sizeof(rows));
	/* Its end is told as well, so that it need not be waited for so long. */
	snprintf(text, sizeof(text),
		 "\r\n+EVENT:SocketDisconnect,%u\r\n"
		 "\r\n+EVENT:SocketDown,%u,26,abcdefghijqrstuvwxyz\r\n\r\nOK\r\n",
		 o[0].c->id, o[1].c->id);
	f->swallow_id = o[0].c->id;
	f->after_payload = text;
	queue(test, &o[0], 100);
	run_on_until(test, READ_ONCE(o[1].closed));
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o[1].close_err);
	KUNIT_EXPECT_EQ(test, 0U, o[1].got_len);
	close_all(test, 2);
}

/* The same bytes of a remote, and the answer comes. */
static void conn_doubt_answered(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	char rows[64], text[80];

	opened(test, 2, ATW_TYPE_TCP_CLIENT);
	fake_have_two(f, rows, sizeof(rows));
	snprintf(text, sizeof(text), "\r\n+EVENT:SocketDown,%u,12,200\r\n\r\n\r\nOK.\r\n"
		 "\r\n+EVENT:SocketDown,%u,8,ab\r\n\r\nOK\r\n", o[1].c->id,
		 o[1].c->id);
	f->after_payload = text;
	queue(test, &o[0], 100);
	run_on_until(test, READ_ONCE(o[1].got_len) == 20);
	sent(test, &o[0]);
	KUNIT_EXPECT_FALSE(test, o[0].closed);
	KUNIT_EXPECT_FALSE(test, o[1].closed);
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.damaged));
	close_all(test, 2);
}

/*
 * As many bytes of a payload were lost as a row of the table has, which that took for its
 * end: the connection of that row seems to be gone, and the other has got nothing.
 */
static void conn_doubt_row(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	char rows[128], row[48];

	opened(test, 2, ATW_TYPE_TCP_CLIENT);
	snprintf(row, sizeof(row), "%u,4,3,192.0.2.1,80,-1,0", o[0].c->id);
	snprintf(rows, sizeof(rows), "\r\n+EVENT:SocketDown,%u,%zu,ab%s\r\n%u,4,3,192.0.2.1,80,-1,0\r\n",
		 o[1].c->id, strlen(row) + 2, row, o[1].c->id);
	f->rows = rows;
	atw_sched_set(&f->sched, ATW_DO_RECONCILE);
	run_on_until(test, READ_ONCE(o[1].closed));
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o[1].close_err);
	KUNIT_EXPECT_EQ(test, 0U, o[1].got_len);
	KUNIT_EXPECT_TRUE(test, o[0].closed);
	close_all(test, 2);
}

/* The same where both rows are there: a remote has sent it. */
static void conn_doubt_no_row(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	char rows[64], row[64];

	opened(test, 2, ATW_TYPE_TCP_CLIENT);
	fake_have_two(f, rows, sizeof(rows));
	snprintf(row, sizeof(row), "\r\n+EVENT:SocketDown,%u,23,9,4,3,192.0.2.1,80,-1,0\r\n",
		 o[1].c->id);
	f->before_rows = row;
	atw_sched_set(&f->sched, ATW_DO_RECONCILE);
	run_on_until(test, READ_ONCE(o[1].got_len) == 23);
	KUNIT_EXPECT_FALSE(test, o[0].closed);
	KUNIT_EXPECT_FALSE(test, o[1].closed);
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.damaged));
	close_all(test, 2);
}

/* And as many as the answer has to what nobody can guess: so that is what it ends with. */
static void conn_doubt_barrier(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	char rows[64], torn[64], text[sizeof(f->rx) + 16];

	opened(test, 2, ATW_TYPE_TCP_CLIENT);
	fake_have_two(f, rows, sizeof(rows));
	/* The module is asked because of this. */
	say_for(f, words, &o[0]);
	snprintf(torn, sizeof(torn), "\r\n+EVENT:SocketDown,%u,38,abcd", o[1].c->id);
	f->before_barrier = torn;
	run_on_until(test, READ_ONCE(o[1].closed));
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o[1].close_err);
	KUNIT_EXPECT_EQ(test, 0U, o[1].got_len);
	/* It need not be waited for. */
	snprintf(text, sizeof(text), "Unknown cmd:%s\r\n", f->rx);
	fake_say(f, text);
	eventually(test, READ_ONCE(o[0].got_len) == 9);
	KUNIT_EXPECT_FALSE(test, o[0].closed);
	close_all(test, 2);
}

/* What was handed over already was too much, but of one connection alone. */
static void conn_doubtful(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;

	opened(test, 2, ATW_TYPE_TCP_CLIENT);
	say_for(f, "\r\n+EVENT:SocketDown,%u,9,thinker\r\n"
		"\r\n+SOCKET:97\r\nERROR\r\n", &o[0]);
	KUNIT_EXPECT_TRUE(test, o[0].closed);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o[0].close_err);
	KUNIT_EXPECT_FALSE(test, o[1].closed);
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.damaged));
	KUNIT_EXPECT_FALSE(test, todo(f, ATW_DO_SYNC));

	/* Which of the two is the prompt? */
	f->ch.parser.tears = true;
	f->ch.parser.expect_prompt = true;
	say_for(f, "\r\n+EVENT:SocketDown,%u,3,>ab>\r\n", &o[1]);
	KUNIT_EXPECT_TRUE(test, o[1].closed);
	KUNIT_EXPECT_EQ(test, 0U, o[1].got_len);
	KUNIT_EXPECT_EQ(test, 2ULL, count(&f->conns.counts.damaged));
	close_all(test, 2);
}

/*
 * What has another form than all that is known, or comes when nobody asked: it is
 * noted, the module is asked what it has, and nobody pays for it.
 */
static void conn_unexplained(struct kunit *test)
{
	static const char *const said[] = {
		"\r\n+EVENT:SomethingNew,1,2\r\n",
		"\r\n+EVENT:WIFI_DISCONNECT,8\r\n",
		"\r\n+EVENT:SocketSeed,3,2,192.0.2.1\r\n",
		"[    123456][INFO  : main.c: 12] heap 1234\r\n",
		"+SOCKETREAD,7,0\r\n", "+SOCKETREAD,7,0,\r\n",
		"+SOCKETREAD,7,3,abc\r\n", "+SOCKETREAD:4\r\n",
		"+PING:TIMEOUT\r\n", "AT+PING:TIMEOUT\r\n", "+WJAP:3,a,b\r\n",
		"1,4,3,192.0.2.1,80,-1,0\r\n", ">\r\n", "> \r\n",
		"\r\nOK\r\n", "\r\nERROR\r\n", "Unknown cmd:AT+X\r\n",
		"\r\n[Busy]Cmd running\r\n", "connect success ConID=9\r\n",
		"\r\nAT+SOCKET:97\r\n+ERROR\r\n", "\r\n+SSLCRET:1,3,abc\r\n",
		"\r\n+WDNS:1.2.3.4,5.6.7.8\r\n", "\r\n+EVENT:MQTT_CONNECT\r\n",
		"\r\n+EVENT:SocketAutoDel,7\r\n", "\r\n+EVENT:SocketDisconnect,7\r\n",
		"ATTENTION\r\n", "CIPSTAMAC_DEF:84f3ebdd9e63\r\n",
		"Client Num: 1\r\n", "Client 1 MAC:02:00:00:00:ab:cd\r\n",
		"1 net,6,WPA2 AES,-50,14:de:39:06:86:e4\r\n",
		"\r\n+SNTPTIME:Wed May 03 10:49:41 2023\r\n",
	};
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	char rows[64];
	unsigned int i, twice;

	opened(test, 2, ATW_TYPE_TCP_CLIENT);
	fake_have_two(f, rows, sizeof(rows));
	for (i = 0; i < ARRAY_SIZE(said); i++) {
		for (twice = 0; twice < 2; twice++)
			fake_say(f, said[i]);
		say_for(f, "\r\n+EVENT:SocketDown,%u,1,x\r\n", &o[0]);
		KUNIT_EXPECT_FALSE_MSG(test, o[0].closed || o[1].closed, "%s",
				       said[i]);
		KUNIT_EXPECT_EQ_MSG(test, i + 1, o[0].got_len, "%s", said[i]);
		KUNIT_EXPECT_EQ_MSG(test, 0ULL, count(&f->conns.counts.damaged), "%s", said[i]);
		KUNIT_EXPECT_FALSE_MSG(test, todo(f, ATW_DO_SYNC), "%s", said[i]);
	}
	KUNIT_EXPECT_LT(test, 20ULL, count(&f->conns.counts.unexplained));
	f->conns.audit.compare_after = 0;
	run_on_until(test, !todo(f, ATW_DO_COMPARE) && !todo(f, ATW_DO_RECONCILE));
	/* Once for all of it. */
	close_all(test, 2);
	for (i = 0, twice = 0; i < f->nnotes; i++)
		twice += f->notes[i].verb == V_LIST;
	KUNIT_EXPECT_EQ(test, 1U, twice);
}

/* An announcement for a number that is none: the header of a payload of digits. */
static void conn_lost_comma(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;

	opened(test, 2, ATW_TYPE_TCP_CLIENT);
	say_for(f, "\r\n+EVENT:SocketDown,%u1,8\r\n", &o[0]);
	KUNIT_EXPECT_TRUE(test, o[0].closed);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o[0].close_err);
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.damaged));
	close_all(test, 2);
}

/* Who is not let in may have sent something already. */
static void conn_refused_speaks(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *server = fake_serve(test), *o;
	char text[64];
	u32 id;

	o = fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	run_until(test, READ_ONCE(o->opened));
	f->nnotes = 0;
	/* One lost digit makes it of the other one. */
	id = o->c->id / 10;
	snprintf(text, sizeof(text), "\r\n+EVENT:SocketSeed,%u,%u\r\n", id,
		 server->c->id);
	fake_say(f, text);
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.refused));
	snprintf(text, sizeof(text), "\r\n+EVENT:SocketDown,%u,3,abc\r\n", id);
	fake_say(f, text);
	KUNIT_EXPECT_FALSE(test, o->closed);
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.damaged));
	run_on_until(test, READ_ONCE(f->nnotes));
	KUNIT_EXPECT_EQ(test, (int)V_DEL, (int)f->notes[0].verb);
	KUNIT_EXPECT_EQ(test, id, f->notes[0].id);
	open_gate(f, false);
	/* From then on the number is the other one's again, damaged. */
	eventually(test, READ_ONCE(f->conns.ids.deleting) == ATW_NO_ID);
	fake_say(f, text);
	KUNIT_EXPECT_TRUE(test, o->closed);
	close_all(test, 2);
}

/* The same with what was fetched; it is not announced any more then. */
static void conn_unverified_fetched(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	char rows[64];
	bool there;

	WRITE_ONCE(f->conns.mode.passive, true);
	for (there = true; ; there = false) {
		opened(test, 1, ATW_TYPE_TCP_CLIENT);
		fake_have(f, o, rows, sizeof(rows));
		if (!there)
			f->rows = NULL;
		f->read = "ab\r\nready";
		say_for(f, "\r\n+EVENT:SocketDown,%u,9\r\n", o);
		open_gate(f, true);
		/* The answer comes with an end. */
		eventually(test, READ_ONCE(o->closed));
		KUNIT_EXPECT_EQ(test, there ? 0 : -ECONNRESET, o->close_err);
		KUNIT_EXPECT_EQ(test, there ? 9U : 0U, o->got_len);
		close_all(test, 1);
		if (!there)
			break;
		let_go(o);
	}
}

/* Datagrams that a passive module announced and dropped take no room of it. */
static void conn_dgram_dropped(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];

	WRITE_ONCE(f->conns.mode.passive, true);
	opened(test, 1, ATW_TYPE_UDP_CLIENT);
	say_for(f, "\r\n+EVENT:SocketDown,%u,1000\r\n", o);
	KUNIT_EXPECT_LT(test, 1000, atomic_read(&f->conns.kept.bytes));
	run_on_until(test, !atomic_read(&f->conns.kept.bytes));
	KUNIT_EXPECT_FALSE(test, o->closed);
	close_all(test, 1);
}

/* What was long ago does not come to lie ahead, where jiffies have 32 bits. */
static void conn_long_ago(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];

	opened(test, 1, ATW_TYPE_TCP_CLIENT);

	/* A module that has forgotten its mode: what it dropped is not known. */
	f->conns.mode.active = true;
	f->conns.mode.since = jiffies - (ULONG_MAX / 2 + 2);
	say_for(f, "\r\n+EVENT:SocketDown,%u,9\r\n", o);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o->close_err);
	close_all(test, 1);
}

/* What has no number is found under none: not as zero, nor as what stands for that. */
static void conn_no_number(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = fake_open(test, 0, ATW_TYPE_TCP_CLIENT);

	KUNIT_EXPECT_EQ(test, ATW_NO_ID, atw_conn_id(o->c));
	KUNIT_EXPECT_NULL(test, atw_conns_get(&f->conns, ATW_NO_ID));
	KUNIT_EXPECT_NULL(test, atw_conns_get(&f->conns, 0));
	/* Nor has anything that is gone, or about to be deleted. */
	KUNIT_EXPECT_FALSE(test, atw_conns_is_recent(&f->conns, 0));
	close_all(test, 1);
}

/* How often the module was asked for something. */
static unsigned int fake_count(const struct fake *f, enum cmd_kind verb)
{
	unsigned int i, n = 0;

	for (i = 0; i < f->nnotes; i++)
		n += f->notes[i].verb == verb;
	return n;
}

/*
 * A remote of datagrams that sends more than is fetched does not fill the module's memory for
 * streams: its own connection ends, or the server that hears it is opened anew.
 */
static void conn_dgram_flood(struct kunit *test)
{
	static const enum atw_sock_type types[] = {
		ATW_TYPE_UDP_CLIENT, ATW_TYPE_UDP_SERVER, ATW_TYPE_UDP_SERVER,
	};
	struct fake *f = test->priv;
	const struct atw_firmware *fw = f->conns.fw;
	struct owner *o = f->owner;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		WRITE_ONCE(f->conns.mode.passive, true);
		fake_open(test, 0, types[i]);
		fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
		run_until(test, READ_ONCE(o[0].opened) && READ_ONCE(o[1].opened));
		f->nnotes = 0;
		/* The last deletes in the background: what it had counts for a while. */
		WRITE_ONCE(f->conns.fw, i < 2 ? fw : atw_firmware_of(ATWIFI_PROFILE_BW20));
		/* It may not be asked again for what it could not give. */
		queue(test, &o[0], 5);
		for (j = 0; j < 32 * 1024 / 1088; j++)
			say_for(f, "\r\n+EVENT:SocketDown,%u,1024\r\n", &o[0]);
		KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.overflows));
		for (j = 0; j < 3; j++)
			say_for(f, "\r\n+EVENT:SocketDown,%u,1024\r\n", &o[0]);
		KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.overflows));
		KUNIT_EXPECT_EQ(test, !i, o[0].closed);
		run_on_until(test, fake_count(f, V_DEL) && atomic_read(&f->conns.kept.bytes) ==
			     READ_ONCE(f->conns.kept.zombies));
		KUNIT_EXPECT_EQ(test, i == 2, f->conns.kept.zombies > 32 * 1024);
		KUNIT_EXPECT_FALSE(test, o[1].closed);
		KUNIT_EXPECT_EQ(test, 0U, READ_ONCE(f->empties));
		KUNIT_EXPECT_EQ(test, 0U, fake_count(f, V_SEND));
		if (i)
			eventually(test, fake_count(f, V_OPEN));
		KUNIT_EXPECT_EQ(test, !i, o[0].closed);
		open_gate(f, false);
		close_all(test, 2);
		atw_conn_put(o[0].c);
		atw_conn_put(o[1].c);
		memset(o, 0, 2 * sizeof(*o));
		atomic64_set(&f->conns.counts.overflows, 0);
		WRITE_ONCE(f->conns.fw, fw);
		f->conns.kept.zombies = 0;
		atomic_set(&f->conns.kept.bytes, 0);
	}
}

/* A remote that always has something to be fetched keeps nobody from connecting. */
static void conn_fetch_flood(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;

	WRITE_ONCE(f->conns.mode.passive, true);
	opened(test, 1, ATW_TYPE_UDP_CLIENT);
	o[0].drains = true;
	fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	f->conns.pace.next_open = jiffies;
	f->floods = true;
	say_for(f, "\r\n+EVENT:SocketDown,%u,5\r\n", &o[0]);
	run_on_until(test, READ_ONCE(o[1].opened) || READ_ONCE(f->flooded) > 100);
	KUNIT_EXPECT_GE(test, 2U, f->flooded);
	f->nnotes = 1;
	close_all(test, 2);
}

/*
 * What cannot be fetched does not end a server: one that a restarted module does not know is
 * opened again.
 */
static void conn_server_not_fetched(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];

	WRITE_ONCE(f->conns.mode.passive, true);
	opened(test, 1, ATW_TYPE_UDP_SERVER);
	mishear(f, "AT+SOCKETREAD", ALWAYS, "\r\n+SOCKETREAD:127\r\nERROR\r\n");
	say_for(f, "\r\n+EVENT:SocketDown,%u,1000\r\n", o);
	run_on_until(test, fake_count(f, V_OPEN) || READ_ONCE(o->closed));
	KUNIT_EXPECT_FALSE(test, o->closed);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&f->conns.kept.bytes));
	close_all(test, 1);
}

/* A server is deleted to be opened anew, and nothing else is done yet. Returns its old number. */
static u32 fake_renew(struct kunit *test, struct owner *server)
{
	struct fake *f = test->priv;
	u32 id = server->c->id;

	spin_lock(&server->c->lock);
	server->c->serve.renew = true;
	spin_unlock(&server->c->lock);
	atw_sched_set(&f->sched, ATW_DO_CONNS);
	run_until(test, fake_count(f, V_DEL));
	eventually(test, READ_ONCE(server->c->serve.old_id) == id);
	return id;
}

/* A server that is opened anew does not wait for a client that has got its number meanwhile. */
static void conn_renew_number(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *server = fake_serve(test), *o;
	u32 id = fake_renew(test, server);

	/* As if it were the turn of that. */
	f->conns.ids.next = id - 1;
	f->conns.ids.rests[0][id] = 0;
	o = fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	run_on_until(test, READ_ONCE(o->opened));
	KUNIT_EXPECT_EQ(test, id, atw_conn_id(o->c));
	f->has = id;
	eventually(test, fake_count(f, V_OPEN) == 2);
	KUNIT_EXPECT_GE(test, 2U, fake_count(f, V_LIST));
	KUNIT_EXPECT_FALSE(test, server->closed);
	close_all(test, 2);
}

/* Nor for a module that goes on listing what it has deleted. */
static void conn_renew_bound(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *server = fake_serve(test);
	u32 id = fake_renew(test, server);

	f->has = id;
	server->c->serve.polls = 1000;
	run_on_until(test, fake_count(f, V_OPEN));
	KUNIT_EXPECT_FALSE(test, server->closed);
	close_all(test, 1);
}

/* What answers somebody whom the module has forgotten with its server is for nobody else. */
static void conn_server_forgets(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];

	opened(test, 1, ATW_TYPE_UDP_SERVER);
	queue(test, o, 100);
	atw_sched_set(&f->sched, ATW_DO_RECONCILE);
	run_on_until(test, fake_count(f, V_OPEN));
	sent(test, o);
	open_gate(f, false);
	KUNIT_EXPECT_EQ(test, 0U, fake_count(f, V_SEND));
	/* Nor is what comes to be sent only now. */
	KUNIT_EXPECT_EQ(test, -EDESTADDRREQ, send_text(o->c, "ab", 2));
	close_all(test, 1);
}

/*
 * A remote that does not answer costs the module one connect, and not one for each that
 * wants to go there; other ports of it, and those who come later, try.
 */
static void conn_silent(struct kunit *test)
{
	struct atw_conn_spec spec = {
		.type = ATW_TYPE_TCP_CLIENT,
		.name = "",
		.addr = 0xc0000201,
		.port = 80,
	};
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	unsigned int i;

	f->conns.clock = fake_clock;
	f->connect_answer = "\r\n+SOCKET:97\r\nERROR\r\n";
	f->connect_ms = 5000;
	for (i = 0; i < 3; i++)
		fake_open_spec(test, i, &spec);
	open_gate(f, true);
	for (i = 0; i < 3; i++)
		eventually(test, READ_ONCE(o[i].opened));
	/* Who comes now is told at once. */
	fake_open_spec(test, 3, &spec);
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_TRUE(test, o[i].opened);
		KUNIT_EXPECT_EQ(test, -ETIMEDOUT, o[i].open_err);
		KUNIT_EXPECT_EQ(test, 97U, o[i].code);
	}
	KUNIT_EXPECT_EQ(test, 1U, fake_count(f, V_OPEN));

	WRITE_ONCE(f->connect_answer, NULL);
	spec.port = 81;
	fake_open_spec(test, 4, &spec);
	spec.port = 80;
	spec.name = "a";
	fake_open_spec(test, 5, &spec);
	spec.name = "";
	eventually(test, READ_ONCE(o[4].opened) && READ_ONCE(o[5].opened));
	KUNIT_EXPECT_EQ(test, 0, o[4].open_err);
	KUNIT_EXPECT_EQ(test, 0, o[5].open_err);
	fake_time += jiffies_to_nsecs(atw_timing.silence);
	fake_open_spec(test, 6, &spec);
	eventually(test, READ_ONCE(o[6].opened));
	KUNIT_EXPECT_EQ(test, 0, o[6].open_err);
	close_all(test, 7);
}

/* The owner of a relay, and what it was told. */
struct relayed {
	bool	told;
	bool	tried;
	bool	unasked;
	int	err;
};

static void relayed_opened(struct atw_relay *r, int err, bool unasked)
{
	struct relayed *owner = r->owner;

	owner->err = err;
	owner->unasked = unasked;
	owner->tried = atw_relay_tried(r);
	atw_relay_put(r);
	WRITE_ONCE(owner->told, true);
}

static const struct atw_relay_ops relayed_ops = {
	.opened = relayed_opened,
};

/* Of two that want the same silent remote, who waited for the other's turn can tell. */
static void conn_silent_unasked(struct kunit *test)
{
	struct workqueue_struct *wq = atw_relay_wq;
	struct relayed owner[2] = { 0 };
	struct fake *f = test->priv;
	struct atw_budget budget = { 0 };
	struct atw_relay *r;
	unsigned int i;

	/* On some kernels the suites run before the module has begun. */
	if (!wq)
		atw_relay_wq = alloc_workqueue("atwifi_test", WQ_UNBOUND, 0);
	KUNIT_ASSERT_NOT_NULL(test, atw_relay_wq);
	f->conns.clock = fake_clock;
	f->connect_answer = "\r\n+SOCKET:97\r\nERROR\r\n";
	f->connect_ms = 5000;
	for (i = 0; i < 2; i++) {
		r = atw_relay_open(&f->conns, 0xc0000201, 80, 10, NULL, &budget, &relayed_ops,
				   &owner[i]);
		KUNIT_ASSERT_FALSE(test, IS_ERR(r));
		KUNIT_EXPECT_FALSE(test, atw_relay_tried(r));
	}
	run_on_until(test, READ_ONCE(owner[0].told) && READ_ONCE(owner[1].told));
	flush_workqueue(atw_relay_wq);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, -ETIMEDOUT, owner[i].err);
		KUNIT_EXPECT_EQ(test, i == 0, owner[i].tried);
		KUNIT_EXPECT_EQ(test, i == 1, owner[i].unasked);
	}
	KUNIT_EXPECT_EQ(test, 1U, fake_count(f, V_OPEN));
	eventually(test, list_empty_careful(&f->conns.list));
	if (!wq)
		destroy_workqueue(atw_relay_wq);
	atw_relay_wq = wq;
}

/* A name that nobody resolves is likewise asked for once; with another network anew. */
static void conn_silent_name(struct kunit *test)
{
	const struct atw_conn_spec spec = {
		.type = ATW_TYPE_UDP_CLIENT,
		.name = "example.com",
		.port = 80,
	};
	struct fake *f = test->priv;
	struct owner *o = f->owner;

	f->conns.clock = fake_clock;
	f->connect_answer = "\r\n+SOCKET:98\r\nERROR\r\n";
	f->connect_ms = 5000;
	fake_open_spec(test, 0, &spec);
	run_on_until(test, READ_ONCE(o[0].opened));
	KUNIT_EXPECT_EQ(test, -EHOSTUNREACH, o[0].open_err);
	fake_open_spec(test, 1, &spec);
	KUNIT_EXPECT_TRUE(test, o[1].opened);
	KUNIT_EXPECT_EQ(test, -EHOSTUNREACH, o[1].open_err);
	KUNIT_EXPECT_EQ(test, 1U, fake_count(f, V_OPEN));

	WRITE_ONCE(f->connect_answer, NULL);
	atw_conns_set_link(&f->conns, false);
	atw_conns_set_link(&f->conns, true);
	fake_open_spec(test, 2, &spec);
	eventually(test, READ_ONCE(o[2].opened));
	KUNIT_EXPECT_EQ(test, 0, o[2].open_err);
	close_all(test, 3);
}

/* What was said of one number is not of the one that the connection has next. */
static void conn_end_of_last_number(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o;

	f->connect_ends = "\r\n+SOCKET:110\r\nERROR\r\n";
	o = fake_open(test, 0, ATW_TYPE_TCP_CLIENT);
	run_on_until(test, READ_ONCE(o->opened));
	KUNIT_EXPECT_EQ(test, 0, o->open_err);
	KUNIT_EXPECT_FALSE(test, o->closed);
	KUNIT_EXPECT_EQ(test, 2U, fake_count(f, V_OPEN));
	close_all(test, 1);
}

/*
 * What comes before the module has said that it has opened a connection is its remote's then,
 * and somebody else's where it says something else.
 */
static void conn_bytes_of_last_number(struct kunit *test)
{
	static const struct {
		const char	*answer;
		const char	*ends;
		bool		no_conid;
		const char	*got;
		unsigned int	tries;
	} cases[] = {
		{ .got = "word", .tries = 1 },
		{ .ends = "\r\n+SOCKET:110\r\nERROR\r\n", .got = "", .tries = 2 },
		{ .answer = "connect success ConID=9\r\n\r\nOK\r\n", .no_conid = true, .got = "",
		  .tries = 1 },
	};
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		f->nnotes = 0;
		f->conns.learned.no_conid = cases[i].no_conid;
		f->connect_before = "\r\n+EVENT:SocketDown,%u,4,word\r\n";
		f->connect_ends = cases[i].ends;
		f->connect_answer = cases[i].answer;
		fake_open(test, 0, ATW_TYPE_TCP_CLIENT);
		run_on_until(test, READ_ONCE(o->opened));
		say_for(f, "\r\n+EVENT:SocketDown,%u,1,s\r\n", o);
		KUNIT_EXPECT_EQ(test, 0, o->open_err);
		KUNIT_EXPECT_EQ(test, cases[i].tries, fake_count(f, V_OPEN));
		KUNIT_EXPECT_EQ(test, strlen(cases[i].got) + 1, o->got_len);
		KUNIT_EXPECT_EQ(test, 0, memcmp(o->got, cases[i].got, strlen(cases[i].got)));
		KUNIT_EXPECT_EQ(test, 0U, o->c->rx.size);
		forget(test);
	}
}

/*
 * What comes under a number before it is known that it is the connection's is lost, and that is
 * no beginning of a stream, whatever comes for others behind it. So is what is said of it.
 */
static void conn_bytes_of_no_number(struct kunit *test)
{
	static const struct {
		const char	*said;
		int		err;
	} cases[] = {
		{ "\r\n+EVENT:SocketDown,9,1,a\r\n", -ECONNABORTED },
		{ "\r\n+EVENT:SocketDown,9,1,a\r\n\r\n+EVENT:SocketDown,5,1,b\r\n",
		  -ECONNABORTED },
		{ "\r\n+EVENT:SocketDown,9,5\r\n", -ECONNABORTED },
		{ "\r\n+EVENT:SocketDisconnect,9\r\n", -ECONNABORTED },
		{ "\r\n+EVENT:SocketReconnect,9\r\n", -ECONNABORTED },
		/* That is of the last of that number. */
		{ "\r\n+EVENT:SocketAutoDel,9\r\n", 0 },
	};
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	unsigned int i;
	char text[128];

	f->conns.learned.no_conid = true;
	WRITE_ONCE(f->conns.mode.passive, true);
	f->connect_answer = text;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		/* All of it before the thread has seen that it is open. */
		snprintf(text, sizeof(text), "connect success ConID=9\r\n\r\nOK\r\n%s",
			 cases[i].said);
		fake_open(test, 0, ATW_TYPE_TCP_CLIENT);
		run_on_until(test, READ_ONCE(o->opened));
		KUNIT_EXPECT_EQ_MSG(test, cases[i].err, o->open_err, "%u", i);
		if (o->open_err)
			eventually(test, deletes(f, 9));
		forget(test);
		KUNIT_EXPECT_EQ(test, 1U, deletes(f, 9));
		f->nnotes = 0;
	}
}

/* The module has given it to a child, of whom it tells before it says so. */
static void conn_number_of_child(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *server = fake_serve(test), *o = f->owner;
	char text[64];

	fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	run_on_until(test, READ_ONCE(o[1].opened));
	snprintf(text, sizeof(text), "\r\n+EVENT:SocketSeed,%%u,%u\r\n", server->c->id);
	f->connect_before = text;
	f->connect_ends = "\r\n+SOCKET:110\r\nERROR\r\n";
	fake_open(test, 2, ATW_TYPE_TCP_CLIENT);
	eventually(test, READ_ONCE(o[2].opened));
	KUNIT_EXPECT_EQ(test, 0, o[2].open_err);
	KUNIT_EXPECT_FALSE(test, o[1].closed);
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.damaged));
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.refused));
	eventually(test, fake_count(f, V_DEL) == 1);
	KUNIT_EXPECT_EQ(test, 3U, listed(f));
	close_all(test, 3);
}

/* And it may be gone by the time at which the module is asked, which then opens the other. */
static void conn_number_of_gone(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *server = fake_serve(test), *o = f->owner;
	char text[160];

	fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	run_on_until(test, READ_ONCE(o[1].opened));
	snprintf(text, sizeof(text),
		 "\r\n+EVENT:SocketSeed,%%u,%u\r\n\r\n+EVENT:SocketDown,%%u,4,word\r\n"
		 "\r\n+EVENT:SocketDisconnect,%%u\r\n", server->c->id);
	f->connect_before = text;
	fake_open(test, 2, ATW_TYPE_TCP_CLIENT);
	eventually(test, READ_ONCE(o[2].opened));
	KUNIT_EXPECT_EQ(test, -ECONNABORTED, o[2].open_err);
	KUNIT_EXPECT_EQ(test, 0U, o[2].got_len);
	KUNIT_EXPECT_FALSE(test, o[1].closed);
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.damaged));
	eventually(test, listed(f) == 2);
	close_all(test, 3);
}

/* Nothing was deleted lately. */
static void fake_rested(struct fake *f)
{
	spin_lock(&f->conns.lock);
	memset(f->conns.ids.rests, 0, sizeof(f->conns.ids.rests));
	spin_unlock(&f->conns.lock);
}

/* Is a number one of those that connections get? */
static bool fake_gives(struct fake *f, u32 id)
{
	bool reused, given = false;
	unsigned int i;

	spin_lock(&f->conns.lock);
	for (i = ATW_ID_MIN; i <= ATW_ID_MAX; i++)
		given |= atw_conns_new_id(&f->conns, &reused) == id;
	spin_unlock(&f->conns.lock);
	return given;
}

/* A number of which the module may yet speak, or will, is given to nobody else. */
static void conn_number_of_refused(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *server = fake_serve(test), *o;
	u32 id = server->c->id == 107 ? 118 : 107;
	/* Nobody has accepted the first; nobody has such a server. */
	const u32 servers[] = { server->c->id, 7 };
	unsigned int i, resting = 0;
	char text[64];

	/* However slow this machine is. */
	atw_timing.recent = 3600 * HZ;
	KUNIT_ASSERT_TRUE(test, fake_gives(f, id));
	say_for(f, "\r\n+EVENT:SocketSeed,1,%u\r\n", server);
	for (i = 0; i < ARRAY_SIZE(servers); i++) {
		snprintf(text, sizeof(text), "\r\n+EVENT:SocketSeed,%u,%u\r\n", id, servers[i]);
		fake_say(f, text);
		KUNIT_EXPECT_EQ(test, i + 1ULL, count(&f->conns.counts.refused));
		fake_rested(f);
		KUNIT_EXPECT_FALSE(test, fake_gives(f, id));
		run_until(test, deletes(f, id) && READ_ONCE(f->conns.ids.deleting) == ATW_NO_ID);
		/* From then on, however long the module was busy with something else before. */
		KUNIT_EXPECT_TRUE(test, atw_conns_is_recent(&f->conns, id));
		KUNIT_EXPECT_FALSE(test, fake_gives(f, id));
		f->nnotes = 0;
	}

	/* However many others are deleted after it, whose numbers are longer. */
	for (i = 301; i <= 400; i++)
		atw_conns_add_stale(&f->conns, i);
	run_until(test, !READ_ONCE(f->conns.ids.nstale) &&
		  READ_ONCE(f->conns.ids.deleting) == ATW_NO_ID);
	KUNIT_EXPECT_FALSE(test, fake_gives(f, id));
	for (i = 301; i <= 400; i++)
		resting += atw_conns_is_recent(&f->conns, i);
	KUNIT_EXPECT_EQ(test, 100U, resting);
	/* That is no matter of those of ours. */
	KUNIT_EXPECT_TRUE(test, fake_gives(f, 129));
	KUNIT_EXPECT_FALSE(test, atw_conns_is_recent(&f->conns, 129));
	fake_rested(f);
	KUNIT_EXPECT_TRUE(test, fake_gives(f, id));
	KUNIT_EXPECT_FALSE(test, atw_conns_is_recent(&f->conns, id));
	f->nnotes = 0;

	/* Where it is so with all of them a connect waits. */
	for (id = ATW_ID_MIN; id <= ATW_ID_MAX; id++)
		atw_conns_add_stale(&f->conns, id);
	o = fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	run_on_until(test, !READ_ONCE(f->conns.ids.nstale) &&
		     READ_ONCE(f->conns.ids.deleting) == ATW_NO_ID);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(o->opened));
	fake_rested(f);
	eventually(test, READ_ONCE(o->opened));
	KUNIT_EXPECT_EQ(test, 0, o->open_err);
	KUNIT_EXPECT_EQ(test, 1U, deletes(f, o->c->id));

	/* Also when the last of them was deleted, until the module has been silent of one. */
	for (id = ATW_ID_MIN; id <= ATW_ID_MAX; id++)
		if (atw_dialect_gives(f->ch.dialect, id) && !f->conns.ids.by_id[id])
			atw_conns_add_stale(&f->conns, id);
	eventually(test, !READ_ONCE(f->conns.ids.nstale) &&
		   READ_ONCE(f->conns.ids.deleting) == ATW_NO_ID);
	o = fake_open(test, 2, ATW_TYPE_TCP_CLIENT);
	eventually(test, READ_ONCE(o->opened) || READ_ONCE(o->c->not_before));
	KUNIT_EXPECT_FALSE(test, READ_ONCE(o->opened));
	fake_rested(f);
	eventually(test, READ_ONCE(o->opened));
	KUNIT_EXPECT_EQ(test, 0, o->open_err);
	close_all(test, 3);
}

/*
 * Remotes come and go while the thread waits for something, some to a server that has room:
 * of all who are refused it is known that they are, and nobody pays for what they send.
 */
static void conn_refused_many(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	unsigned int i, gone = 0;
	char text[64];

	/* However slow this machine is. */
	atw_timing.recent = 3600 * HZ;
	opened(test, 2, ATW_TYPE_TCP_SERVER);
	fake_open(test, 2, ATW_TYPE_TCP_CLIENT);
	run_until(test, READ_ONCE(o[2].opened));
	atw_conn_set_backlog(o[1].c, 16);
	for (i = 1; i <= 99; i++) {
		snprintf(text, sizeof(text), "\r\n+EVENT:SocketSeed,%u,%u\r\n", i,
			 o[i % 2].c->id);
		fake_say(f, text);
		snprintf(text, sizeof(text), "\r\n+EVENT:SocketDown,%u,1,x\r\n", i);
		fake_say(f, text);
	}
	KUNIT_EXPECT_FALSE(test, o[2].closed);
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.damaged));
	KUNIT_EXPECT_EQ(test, 17ULL, count(&f->conns.counts.accepted));
	run_on_until(test, !READ_ONCE(f->conns.ids.nstale) &&
		     READ_ONCE(f->conns.ids.deleting) == ATW_NO_ID);
	for (i = 1; i <= 99; i++)
		gone += deletes(f, i);
	KUNIT_EXPECT_EQ(test, 82U, gone);
	/* Nor for what it has yet to say of them, but where that may be damage. */
	for (i = 1; i <= 99; i++) {
		if (atw_id_near(i, o[2].c->id))
			continue;
		snprintf(text, sizeof(text), "\r\n+EVENT:SocketDown,%u,1,x\r\n", i);
		fake_say(f, text);
	}
	KUNIT_EXPECT_FALSE(test, o[2].closed);
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.damaged));
	close_all(test, 3);
}

/* Nor for what the module prints of them when it has said that it has deleted them. */
static void conn_refused_late(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *server = fake_serve(test), *o;
	static const u32 ids[] = { 22, 400 };
	unsigned int i;
	char text[64];

	o = fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	run_on_until(test, READ_ONCE(o->opened));
	f->conns.learned.narrow_ids = true;
	/* One that waits to be accepted is all that there is room for. */
	say_for(f, "\r\n+EVENT:SocketSeed,1,%u\r\n", server);
	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		open_gate(f, false);
		snprintf(text, sizeof(text), "\r\n+EVENT:SocketSeed,%u,%u\r\n", ids[i],
			 server->c->id);
		fake_say(f, text);
		/* The thread was busy for that long. */
		fake_rested(f);
		run_on_until(test, deletes(f, ids[i]) &&
			     READ_ONCE(f->conns.ids.deleting) == ATW_NO_ID);
		snprintf(text, sizeof(text), "\r\n+EVENT:SocketDown,%u,1,x\r\n", ids[i]);
		fake_say(f, text);
		KUNIT_EXPECT_FALSE(test, o->closed);
		KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.damaged));
	}
	KUNIT_EXPECT_EQ(test, i, (unsigned int)count(&f->conns.counts.refused));
	close_all(test, 2);
}

/* Nor is another child's number so near that it cannot be who was disconnected. */
static void conn_child_late(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;

	fake_serve(test);
	fake_high_child(test, 1, 3);
	fake_high_child(test, 2, 4);
	atw_conn_close(o[1].c, true, 0);
	eventually(test, listed(f) == 2);
	fake_say(f, "\r\n+EVENT:SocketDown,3,1,x\r\n");
	KUNIT_EXPECT_FALSE(test, o[2].closed);
	KUNIT_EXPECT_EQ(test, 0U, o[2].got_len);
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.damaged));
	close_all(test, 3);
}

/* What is refused at once cost nobody anything. */
static void conn_refused_soon(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o;

	f->conns.clock = fake_clock;
	f->connect_answer = "\r\n+SOCKET:97\r\nERROR\r\n";
	f->connect_ms = 3900;
	o = fake_open(test, 0, ATW_TYPE_TCP_CLIENT);
	run_on_until(test, READ_ONCE(o->opened));
	KUNIT_EXPECT_EQ(test, -ECONNREFUSED, o->open_err);
	f->connect_ms = 3900;
	o = fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	eventually(test, READ_ONCE(o->opened));
	KUNIT_EXPECT_EQ(test, -ECONNREFUSED, o->open_err);
	KUNIT_EXPECT_EQ(test, 2U, fake_count(f, V_OPEN));
	close_all(test, 2);
}

/* A remote refuses at once, after something else has taken the module's time. */
static void expect_refused_after(struct kunit *test, enum atw_sock_type type,
				 const char *command, const char *answer)
{
	struct fake *f = test->priv;
	struct owner *o;

	f->conns.clock = fake_clock;
	f->connect_answer = "\r\n+SOCKET:97\r\nERROR\r\n";
	f->mishears = command;
	f->complaint = answer;
	f->complaint_ms = 5000;
	f->nmishears = 1;
	o = fake_open(test, 0, type);
	run_on_until(test, READ_ONCE(o->opened));
	KUNIT_EXPECT_EQ(test, 0U, f->nmishears);
	KUNIT_EXPECT_EQ(test, 1U, fake_count(f, V_OPEN));
	KUNIT_EXPECT_EQ(test, -ECONNREFUSED, o->open_err);
	close_all(test, 1);
}

/* That it took long to look for a certificate says nothing of the remote. */
static void conn_refused_after_ca(struct kunit *test)
{
	expect_refused_after(test, ATW_TYPE_SSL_CLIENT, "AT+SSLCRET=",
			     "\r\n+SSLCRET:1,3,abc\r\n\r\nOK\r\n");
}

/* Nor does that it was busy, however long. */
static void conn_refused_after_busy(struct kunit *test)
{
	expect_refused_after(test, ATW_TYPE_TCP_CLIENT, "AT+SOCKET=",
			     "\r\n[Busy]Cmd running\r\n");
}

static struct owner *fake_open_as(struct kunit *test, unsigned int i, u8 share)
{
	const struct atw_conn_spec spec = {
		.type = ATW_TYPE_TCP_CLIENT,
		.name = "",
		.addr = 0xc0000201,
		.port = 80 + i,
		.share = share,
	};

	return fake_open_spec(test, i, &spec);
}

/*
 * Who made the module wait comes after those who did not, however many of his connects
 * came before; and not while they use it, for as long as he made them wait.
 */
static void conn_users_connect(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	unsigned int i;

	f->conns.clock = fake_clock;
	f->connect_ms = 5000;
	for (i = 0; i < 3; i++)
		fake_open_as(test, i, 10);
	fake_open_as(test, 3, 12);
	run_on_until(test, READ_ONCE(o[3].opened));
	queue(test, &o[3], 100);
	sent(test, &o[3]);
	KUNIT_EXPECT_EQ(test, 3U, READ_ONCE(f->nnotes));
	KUNIT_EXPECT_EQ(test, o[0].c->id, f->notes[0].id);
	KUNIT_EXPECT_EQ(test, o[3].c->id, f->notes[1].id);
	KUNIT_EXPECT_EQ(test, V_SEND, f->notes[2].verb);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(o[1].opened));

	/* Nobody else wants it any more. */
	fake_time = ktime_add_ms(fake_time, 2000);
	eventually(test, READ_ONCE(o[1].opened) && READ_ONCE(o[2].opened));
	close_all(test, 4);
}

/* What the users of two shares had when the module had no socket. */
static u16 had_10, had_12;
/* How often it has deleted something. */
static unsigned int freed;

static bool fake_no_slot(struct atw_conns *cs, u8 share, const u16 *has)
{
	had_10 = has[10 / 2];
	had_12 = has[12 / 2];
	return true;
}

static void fake_freed(struct atw_conns *cs)
{
	freed++;
}

static void fake_broken(struct atw_conns *cs, const struct atw_conn_info *info)
{
}

static const struct atw_conns_ops fake_conns_ops = {
	.broken = fake_broken,
	.no_slot = fake_no_slot,
	.freed = fake_freed,
};

/*
 * The module has no socket left, and then one: that is for the user who has the fewest,
 * though somebody else was the first to ask for it.
 */
static void conn_users_wait(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	unsigned int i;

	f->conns.clock = fake_clock;
	f->conns.ops = &fake_conns_ops;
	/* Datagrams of a user and his streams are both his. */
	for (i = 0; i < 3; i++)
		fake_open_as(test, i, 10 + i % 2);
	fake_open_as(test, 3, 12);
	open_gate(f, true);
	for (i = 0; i < 4; i++)
		eventually(test, READ_ONCE(o[i].opened));
	open_gate(f, false);
	f->nnotes = 0;
	fake_time = ktime_add_ms(fake_time, 2000);
	fake_open_as(test, 4, 11);
	fake_time = ktime_add_ms(fake_time, 1);
	fake_open_as(test, 5, 12);
	mishear(f, "AT+SOCKET=", 1, "\r\n+SOCKET:96\r\nERROR\r\n");
	run_on_until(test, READ_ONCE(o[4].opened) && READ_ONCE(o[5].opened));
	KUNIT_EXPECT_EQ(test, 0U, READ_ONCE(f->nmishears));
	KUNIT_ASSERT_EQ(test, 2U, f->nnotes);
	KUNIT_EXPECT_EQ(test, o[5].c->id, f->notes[0].id);
	KUNIT_EXPECT_EQ(test, o[4].c->id, f->notes[1].id);
	KUNIT_EXPECT_EQ(test, 3, had_10);
	KUNIT_EXPECT_EQ(test, 1, had_12);
	freed = 0;
	close_all(test, 6);
	KUNIT_EXPECT_EQ(test, 6U, freed);
}

/*
 * Two who have as many ask for one, @first before the other, and so many times there is none:
 * it is for the one whose last connect was before the other's.
 */
static void expect_tie(struct kunit *test, u8 first, u8 second, unsigned int times)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	struct owner *wins;
	unsigned int i;

	f->conns.clock = fake_clock;
	f->conns.ops = &fake_conns_ops;
	open_gate(f, true);
	for (i = 0; i < 2; i++) {
		fake_open_as(test, i, i ? 10 : 12);
		eventually(test, READ_ONCE(o[i].opened));
		fake_time = ktime_add_ms(fake_time, 2000);
	}
	open_gate(f, false);
	f->nnotes = 0;
	fake_open_as(test, 2, first);
	fake_time = ktime_add_ms(fake_time, 1);
	fake_open_as(test, 3, second);
	wins = &o[first == 12 ? 2 : 3];
	mishear(f, "AT+SOCKET=", times, "\r\n+SOCKET:96\r\nERROR\r\n");
	f->complaint_ms = 5;
	run_on_until(test, READ_ONCE(o[2].opened) && READ_ONCE(o[3].opened));
	KUNIT_EXPECT_EQ(test, 0U, READ_ONCE(f->nmishears));
	KUNIT_ASSERT_EQ(test, 2U, f->nnotes);
	KUNIT_EXPECT_EQ(test, wins->c->id, f->notes[0].id);
	close_all(test, 4);
}

static void conn_users_tie(struct kunit *test)
{
	expect_tie(test, 12, 11, 1);
}

static void conn_users_tie_late(struct kunit *test)
{
	expect_tie(test, 11, 12, 2);
}

/* Connects of a user to @hosts are made in this @order. */
static void expect_connects(struct kunit *test, const u32 *hosts, const unsigned int *order,
			    unsigned int n)
{
	struct atw_conn_spec spec = {
		.type = ATW_TYPE_TCP_CLIENT,
		.name = "",
		.port = 80,
		.share = 10,
	};
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	unsigned int i;

	f->conns.clock = fake_clock;
	f->connect_ms = 10;
	for (i = 0; i < n; i++) {
		spec.addr = 0xc0000200 + hosts[i];
		fake_open_spec(test, i, &spec);
	}
	open_gate(f, true);
	for (i = 0; i < n; i++)
		eventually(test, READ_ONCE(o[i].opened));
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_EQ(test, o[order[i]].c->id, f->notes[i].id);
	close_all(test, n);
}

/* Of a user's connects those to a remote to which he has the fewest connections go first. */
static void conn_remotes_connect(struct kunit *test)
{
	static const u32 hosts[] = { 1, 1, 1, 2, 2, 3 };
	static const unsigned int order[] = { 0, 3, 5, 1, 4, 2 };

	expect_connects(test, hosts, order, ARRAY_SIZE(hosts));
}

/* But not for ever before one that waits for longer. */
static void conn_remotes_passed(struct kunit *test)
{
	static const u32 hosts[] = { 1, 1, 2, 3, 4, 5, 6 };
	static const unsigned int order[] = { 0, 2, 3, 4, 1, 5, 6 };

	expect_connects(test, hosts, order, ARRAY_SIZE(hosts));
}

/*
 * Whoever sends beside somebody's connects to remotes that are silent, one after the other
 * and each as long as a module takes for one, has at least four fifths of a half of its time.
 */
static void conn_users_starve(struct kunit *test)
{
	const unsigned int connects = 12, connect_ms = 5000;
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	unsigned int i, opens = 0;
	u64 sent_ms = 0;

	f->conns.clock = fake_clock;
	fake_open_as(test, connects, 12);
	run_until(test, READ_ONCE(o[connects].opened));
	f->nnotes = 0;
	/* A turn has 256 bytes then, which take a second. */
	atw_conns_set_rate(&f->conns, 9600);
	f->byte_us = 4000;
	f->each_connect_ms = connect_ms;
	f->connect_answer = "\r\n+SOCKET:97\r\nERROR\r\n";
	for (i = 0; i < connects; i++)
		fake_open_as(test, i, 10);
	for (i = 0; i < 10; i++)
		queue(test, &o[connects], 4000);
	open_gate(f, true);
	for (i = 0; i < connects; i++)
		eventually(test, READ_ONCE(o[i].opened));
	open_gate(f, false);
	/* From the first of them to the last. */
	for (i = 0; i < f->nnotes && opens < connects; i++) {
		opens += f->notes[i].verb == V_OPEN;
		if (f->notes[i].verb == V_SEND && opens)
			sent_ms += f->notes[i].len * f->byte_us / 1000;
	}
	KUNIT_EXPECT_EQ(test, connects, opens);
	KUNIT_EXPECT_LE(test, (u64)(connects - 1) * connect_ms * 8 / 10, sent_ms);
	/* And the connects have theirs. */
	KUNIT_EXPECT_GE(test, (u64)(connects - 1) * connect_ms * 12 / 10, sent_ms);
	close_all(test, connects + 1);
}

static u64 share_held(struct fake *f, u8 share)
{
	u64 ns;

	spin_lock(&f->conns.lock);
	ns = atw_conns_hold(&f->conns, share);
	spin_unlock(&f->conns.lock);
	return ns;
}

static u64 held(struct fake *f, const struct owner *o)
{
	return share_held(f, o->c->share);
}

/* Who has paid comes no later than one who paid before. */
static void conn_users_paid(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;

	f->conns.clock = fake_clock;
	fake_time = ktime_add_ms(fake_time, 20000);
	f->conns.shares.of[10].owes = atw_conns_now(&f->conns) - NSEC_PER_SEC;
	f->conns.shares.of[12].owes = atw_conns_now(&f->conns) - 2 * NSEC_PER_SEC;
	fake_open_as(test, 0, 10);
	fake_open_as(test, 1, 12);
	run_on_until(test, READ_ONCE(o[0].opened) && READ_ONCE(o[1].opened));
	KUNIT_EXPECT_EQ(test, o[0].c->id, f->notes[0].id);
	close_all(test, 2);
}

/* Nor is one user's queue, of connects that take no time, before all of another's. */
static void conn_users_queue(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	unsigned int i;

	f->conns.clock = fake_clock;
	f->connect_ms = 10;
	fake_time = ktime_add_ms(fake_time, 20000);
	for (i = 0; i < 4; i++)
		fake_open_as(test, i, 10);
	fake_time = ktime_add_ms(fake_time, 1);
	fake_open_as(test, 4, 12);
	open_gate(f, true);
	for (i = 0; i < 5; i++)
		eventually(test, READ_ONCE(o[i].opened));
	KUNIT_EXPECT_EQ(test, o[0].c->id, f->notes[0].id);
	KUNIT_EXPECT_EQ(test, o[4].c->id, f->notes[1].id);
	KUNIT_EXPECT_EQ(test, o[1].c->id, f->notes[2].id);
	close_all(test, 5);
}

/* Two who owe: the time in which one makes the other wait pays nothing. */
static void conn_users_owe(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	u64 begin;

	f->conns.clock = fake_clock;
	fake_time = ktime_add_ms(fake_time, 20000);
	begin = atw_conns_now(&f->conns);
	f->conns.shares.of[10].owes = begin + 5ULL * NSEC_PER_SEC;
	f->connect_ms = 4000;
	fake_open_as(test, 0, 12);
	run_until(test, READ_ONCE(o[0].opened));
	KUNIT_EXPECT_EQ(test, begin + 9ULL * NSEC_PER_SEC, f->conns.shares.of[10].owes);
	close_all(test, 1);
}

static void charge(struct fake *f, u8 share, unsigned int ms)
{
	u64 since = atw_conns_now(&f->conns);

	fake_time = ktime_add_ms(fake_time, ms);
	spin_lock(&f->conns.lock);
	atw_conns_charge(&f->conns, share, since);
	spin_unlock(&f->conns.lock);
}

/*
 * Who had the module, or has something to send, is before who owes, though a name kept all
 * from it meanwhile: connects and names must not follow each other without a pause.
 */
static void conn_users_between(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;

	f->conns.clock = fake_clock;
	fake_time = ktime_add_ms(fake_time, 20000);
	fake_open_as(test, 0, 12);
	run_until(test, READ_ONCE(o[0].opened));
	f->nnotes = 0;
	/* It was used up to where the name began. */
	charge(f, 10, 75000);
	f->conns.shares.of[12].used = atw_conns_now(&f->conns);
	charge(f, 10, 20000);
	f->connect_ms = 5000;
	fake_open_as(test, 1, 10);
	KUNIT_EXPECT_LT(test, 0U, held(f, &o[1]));
	/* It was not, but is waited for. */
	fake_time = ktime_add_ms(fake_time, 2000);
	KUNIT_EXPECT_EQ(test, 0U, held(f, &o[1]));
	queue(test, &o[0], 100);
	/* The patience that payload has is over. */
	f->conns.pace.next_open = get_jiffies_64();
	open_gate(f, true);
	sent(test, &o[0]);
	KUNIT_EXPECT_EQ(test, V_SEND, f->notes[0].verb);
	fake_time = ktime_add_ms(fake_time, 2000);
	close_all(test, 2);
}

/* What one has the module for, quick or slow, is at most a little more than half of the time. */
static void conn_users_pay(struct kunit *test)
{
	static const unsigned int took_ms[] = { 50, 900, 2000, 20000 };
	struct fake *f = test->priv;
	unsigned int i, k;
	u64 hold, waited;

	f->conns.clock = fake_clock;
	/* Somebody else waits for it all the time. */
	atomic_set(&f->conns.shares.of[12].names, 1);
	for (i = 0; i < ARRAY_SIZE(took_ms); i++) {
		fake_time = ktime_add_ms(fake_time, 100000);
		for (k = 0, waited = 0; k < 200; k++) {
			while ((hold = share_held(f, 10))) {
				fake_time = ktime_add_ns(fake_time, hold);
				waited += hold;
			}
			charge(f, 10, took_ms[i]);
		}
		waited = div_u64(waited, NSEC_PER_MSEC);
		KUNIT_EXPECT_GE(test, waited + 2 * took_ms[i] + 4000, 200ULL * took_ms[i]);
		KUNIT_EXPECT_LE(test, waited, 200ULL * took_ms[i]);
	}
	/* Where nobody wants it there is no more to pay for than the last one. */
	fake_time = ktime_add_ms(fake_time, 100000);
	for (k = 0; k < 10; k++)
		charge(f, 10, 20000);
	KUNIT_EXPECT_GE(test, atw_conns_now(&f->conns) + 24ULL * NSEC_PER_SEC,
			f->conns.shares.of[10].owes);
}

/* Of two who owe, the one who owes less comes first, if he waits for it. */
static void conn_users_owe_both(struct kunit *test)
{
	struct fake *f = test->priv;
	struct atw_share *of = f->conns.shares.of;
	u64 now;

	f->conns.clock = fake_clock;
	fake_time = ktime_add_ms(fake_time, 20000);
	now = atw_conns_now(&f->conns);
	of[10].owes = now + 9ULL * NSEC_PER_SEC;
	of[12].owes = now + 5ULL * NSEC_PER_SEC;
	KUNIT_EXPECT_EQ(test, 0U, share_held(f, 10));
	atomic_set(&of[10].names, 1);
	atomic_set(&of[12].names, 1);
	KUNIT_EXPECT_LT(test, 0U, share_held(f, 10));
	KUNIT_EXPECT_EQ(test, 0U, share_held(f, 12));
	atomic_set(&of[12].names, 0);
	KUNIT_EXPECT_EQ(test, 0U, share_held(f, 10));
	fake_open_as(test, 0, 12);
	KUNIT_EXPECT_LT(test, 0U, share_held(f, 10));
	open_gate(f, true);
	close_all(test, 1);
}

/* Who asks for quick things again and again is not for ever before one who owes more, and waits. */
static void conn_users_pass(struct kunit *test)
{
	struct fake *f = test->priv;
	struct atw_share *of = f->conns.shares.of;
	u64 owes;
	int i;

	f->conns.clock = fake_clock;
	fake_time = ktime_add_ms(fake_time, 20000);
	owes = atw_conns_now(&f->conns) + 20ULL * NSEC_PER_SEC;
	of[10].owes = owes;
	atomic_set(&of[10].names, 1);
	for (i = 0; i < 400 && !share_held(f, 12); i++)
		charge(f, 12, 50);
	KUNIT_EXPECT_LT(test, 0U, share_held(f, 12));
	KUNIT_EXPECT_EQ(test, 0U, share_held(f, 10));
	/* They were no reason to owe more. */
	KUNIT_EXPECT_EQ(test, owes, of[10].owes);
	/* And a resolver that serves him keeps nobody from what he has asked it for. */
	atomic_set(&of[10].names, 0);
	of[10].owes = atw_conns_now(&f->conns) + 20ULL * NSEC_PER_SEC;
	charge(f, 14, 20);
	KUNIT_EXPECT_EQ(test, 0U, share_held(f, 10));

	/* Two who both have what is slow, and want more of it, do not owe ever more for that. */
	atomic_set(&of[10].names, 1);
	atomic_set(&of[12].names, 1);
	for (i = 0; i < 400; i++)
		charge(f, share_held(f, 10) ? 12 : 10, 3000);
	KUNIT_EXPECT_GE(test, atw_conns_now(&f->conns) + 124ULL * NSEC_PER_SEC, of[10].owes);
	KUNIT_EXPECT_GE(test, atw_conns_now(&f->conns) + 124ULL * NSEC_PER_SEC, of[12].owes);
}

/* Nobody's own datagrams keep him from connecting. */
static void conn_users_halves(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;

	f->conns.clock = fake_clock;
	fake_time = ktime_add_ms(fake_time, 20000);
	fake_open_as(test, 0, 10);
	f->conns.shares.of[10].owes = atw_conns_now(&f->conns) + 5ULL * NSEC_PER_SEC;
	f->conns.shares.of[11].used = atw_conns_now(&f->conns);
	KUNIT_EXPECT_EQ(test, 0U, held(f, &o[0]));
	f->conns.shares.of[12].used = atw_conns_now(&f->conns);
	KUNIT_EXPECT_LT(test, 0U, held(f, &o[0]));
	open_gate(f, true);
	close_all(test, 1);
}

/*
 * Who receives has the module as who sends has it, whether its bytes come by themselves,
 * are fetched, or come in transparent mode: slow connects of others leave him room. The
 * time in which such a one has kept him from it does not count.
 */
static void conn_users_receive(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	struct atw_share *share = &f->conns.shares.of[12];

	f->conns.clock = fake_clock;
	fake_open_as(test, 0, 12);
	run_until(test, READ_ONCE(o[0].opened));
	fake_time = ktime_add_ms(fake_time, 5000);
	mutex_lock(&f->ch.rx_lock);
	f->conns.tt.conn = o[0].c;
	f->conns.tt.phase = ATW_TT_IN;
	atw_tt_receive(&f->conns, "ab", 2);
	f->conns.tt.phase = ATW_TT_OUT;
	f->conns.tt.conn = NULL;
	mutex_unlock(&f->ch.rx_lock);
	KUNIT_EXPECT_EQ(test, 2U, o[0].got_len);
	KUNIT_EXPECT_EQ(test, atw_conns_now(&f->conns), share->used);

	fake_time = ktime_add_ms(fake_time, 5000);
	say_for(f, "\r\n+EVENT:SocketDown,%u,2,cd\r\n", &o[0]);
	KUNIT_EXPECT_EQ(test, 4U, o[0].got_len);
	KUNIT_EXPECT_EQ(test, atw_conns_now(&f->conns), share->used);

	/* For his next connect, the first one has yet to pay. */
	fake_time = ktime_add_ms(fake_time, 500);
	fake_open_as(test, 1, 10);
	fake_open_as(test, 2, 10);
	f->connect_ms = 5000;
	run_on_until(test, READ_ONCE(f->conns.shares.of[10].owes) > atw_conns_now(&f->conns));
	KUNIT_EXPECT_LT(test, 0U, held(f, &o[2]));
	KUNIT_EXPECT_FALSE(test, READ_ONCE(o[2].opened));
	fake_time = ktime_add_ms(fake_time, 1000);
	KUNIT_EXPECT_EQ(test, 0U, held(f, &o[2]));
	eventually(test, READ_ONCE(o[2].opened));

	fake_time = ktime_add_ms(fake_time, 5000);
	WRITE_ONCE(f->conns.mode.passive, true);
	f->read = "ef";
	say_for(f, "\r\n+EVENT:SocketDown,%u,2\r\n", &o[0]);
	eventually(test, READ_ONCE(o[0].got_len) == 6);
	KUNIT_EXPECT_EQ(test, atw_conns_now(&f->conns), share->used);
	close_all(test, 3);
}

/*
 * Datagrams in transparent mode come in pieces for which each program has room, and do not
 * end by what ends a stream. What goes to the last peer goes so or not at all.
 */
static void conn_raw_datagrams(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	u8 *buf = kunit_kzalloc(test, 3000, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	opened(test, 2, ATW_TYPE_UDP_SERVER);
	o[0].drains = true;
	refcount_inc(&o[0].c->ref);
	mutex_lock(&f->ch.rx_lock);
	f->conns.tt.conn = o[0].c;
	f->conns.tt.phase = ATW_TT_IN;
	o[0].c->transparent = ATW_TT_ON | ATW_TT_NO_BOUNDARIES | ATW_TT_LAST_PEER;
	atw_tt_receive(&f->conns, buf, 3000);
	atw_tt_receive(&f->conns, NULL, 0);
	f->conns.tt.phase = ATW_TT_OUT;
	mutex_unlock(&f->ch.rx_lock);
	KUNIT_EXPECT_EQ(test, 3000ULL, o[0].c->rx.bytes);
	KUNIT_EXPECT_GE(test, 1024U, o[0].longest);
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.damaged));
	KUNIT_EXPECT_FALSE(test, o[0].closed);

	KUNIT_EXPECT_EQ(test, -EINVAL, send_text(o[0].c, "a+b", 3));
	queue(test, &o[0], 100);
	queue(test, &o[1], 100);
	open_gate(f, true);
	sent(test, &o[1]);
	open_gate(f, false);
	KUNIT_EXPECT_EQ(test, 1U, f->nnotes);
	KUNIT_EXPECT_EQ(test, 100U, atw_conn_unsent(o[0].c));
	atw_tt_drop(&f->conns);
	KUNIT_EXPECT_EQ(test, 0U, atw_conn_unsent(o[0].c));
	KUNIT_EXPECT_EQ(test, -ECONNRESET, send_text(o[0].c, "ab", 2));
	close_all(test, 2);
}

/* Something comes in transparent mode; "%u" in it is the number of the first connection. */
static void raw_says(struct fake *f, const char *what)
{
	const char *number = strstr(what, "%u");
	char text[96];

	if (number)
		snprintf(text, sizeof(text), "%.*s%u%s", (int)(number - what), what,
			 f->owner[0].c->id, number + 2);
	else
		strscpy(text, what, sizeof(text));
	atw_tt_receive(&f->conns, (const u8 *)text, strlen(text));
}

/*
 * The remote's end is told between the way out of transparent mode and the proof of it. What
 * had come is delivered before, but for what may be an event: that was the remote's.
 */
static void conn_raw_end(struct kunit *test)
{
	static const struct {
		const char	*early;
		const char	*before;	/* the escape, "%u": the connection's number */
		const char	*behind;
		const char	*got;
		int		err;
		bool		events;		/* are printed in the mode */
	} cases[] = {
		{ "", "", "", "", 0, false },
		{ "", "ok", "", "ok", 0, false },
		{ "", "", "ok", "ok", 0, false },
		{ "", "\r\n", "", "\r\n", 0, false },
		{ "", "\r\nready\r\n", "", "\r\nready\r\n", 0, false },
		{ "", "\r\n+EVENT:SocketDisconnect,%u\r\n", "", "", -ECONNRESET, true },
		{ "ok\r", "\n+EVENT:SocketDisconnect,%u\r\n", "", "ok", -ECONNRESET, true },
		{ "ok\r", "\r\n+EVENT:SocketDisconnect,%u\r\n", "", "ok\r", -ECONNRESET, true },
		{ "", "", "ok\r\n+EVENT:SocketDisconnect,%u\r\n", "ok", -ECONNRESET, true },
		{ "", "\r\n+EVENT:SocketDisconnect,%u\r\n", "ok", "", -ECONNRESET, true },
		{ "", "", "ok\r\n+EVENT:Socket", "ok", -ECONNRESET, true },
	};
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	struct atw_tt *tt = &f->conns.tt;
	unsigned int i;
	char text[128];

	tt->hold = kvmalloc(ATW_TT_HOLD, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, tt->hold);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		opened(test, 1, ATW_TYPE_TCP_CLIENT);
		refcount_inc(&o->c->ref);
		mutex_lock(&f->ch.rx_lock);
		tt->conn = o->c;
		tt->phase = ATW_TT_IN;
		tt->proof = get_jiffies_64();
		tt->skip = 0;
		tt->hold_len = 0;
		tt->ended = false;
		tt->doubt = false;
		atw_tt_scan_init(&tt->scan, cases[i].events);
		raw_says(f, cases[i].early);
		raw_says(f, cases[i].before);
		tt->phase = ATW_TT_LEAVING;
		tt->scan.leaving = true;
		tt->escape_at = tt->hold_len;
		tt->searched = tt->hold_len;
		raw_says(f, cases[i].behind);
		strscpy(tt->marker, "Unknown cmd:AT+ATW1\r\n", sizeof(tt->marker));
		/* In either form, by turns. */
		snprintf(text, sizeof(text), "%s\r\n+EVENT:SocketDisconnect,%u\r\n%s",
			 i % 2 ? ATW_TT_PLUS_OK : ATW_TT_OK, o->c->id, tt->marker);
		atw_tt_receive(&f->conns, (const u8 *)text, strlen(text));
		mutex_unlock(&f->ch.rx_lock);
		KUNIT_EXPECT_TRUE(test, o->closed);
		KUNIT_EXPECT_EQ_MSG(test, cases[i].err, o->close_err, "case %u", i);
		KUNIT_ASSERT_EQ_MSG(test, strlen(cases[i].got), o->got_len, "case %u", i);
		KUNIT_EXPECT_EQ(test, 0, memcmp(o->got, cases[i].got, o->got_len));
		atw_tt_drop(&f->conns);
		forget(test);
	}
}

/* The first connection had the mode, which was left; @checked: the module was asked then. */
static void raw_left(struct kunit *test, bool checked)
{
	struct fake *f = test->priv;
	struct atw_tt *tt = &f->conns.tt;

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	refcount_inc(&f->owner[0].c->ref);
	mutex_lock(&f->ch.rx_lock);
	tt->conn = f->owner[0].c;
	tt->phase = ATW_TT_OUT;
	tt->proof = get_jiffies_64();
	tt->lost = false;
	tt->doubt = false;
	tt->ended = false;
	tt->unchecked = !checked;
	mutex_unlock(&f->ch.rx_lock);
}

/*
 * What a remote sends until the mode was left is searched once, however small the pieces are in
 * which it comes; the module's words are found where one ends in the middle of them.
 */
static void conn_raw_end_in_pieces(struct kunit *test)
{
	static const char *const words[] = { "\r\nO", "K\r\n", "Unknown cmd:AT+A", "TW1\r", "\n" };
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	struct atw_tt *tt = &f->conns.tt;
	size_t again = 0;
	unsigned int i;

	tt->hold = kvmalloc(ATW_TT_HOLD, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, tt->hold);
	raw_left(test, false);
	o->drains = true;
	mutex_lock(&f->ch.rx_lock);
	tt->phase = ATW_TT_LEAVING;
	atw_tt_scan_init(&tt->scan, false);
	tt->scan.leaving = true;
	raw_says(f, "\r\nready\r\n");
	for (i = 0; i < 1000; i++) {
		raw_says(f, "\r\r\r\rU");
		again = max(again, tt->hold_len - tt->searched);
	}
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		raw_says(f, words[i]);
		/* The thread does it, when the OK was heard. */
		if (tt->phase == ATW_TT_HEARD)
			strscpy(tt->marker, "Unknown cmd:AT+ATW1\r\n", sizeof(tt->marker));
	}
	mutex_unlock(&f->ch.rx_lock);
	KUNIT_EXPECT_LE(test, again, ATW_TT_TAIL_MAX);
	KUNIT_EXPECT_EQ(test, ATW_TT_OUT, tt->phase);
	KUNIT_EXPECT_EQ(test, 5009ULL, o->c->rx.bytes);
	KUNIT_EXPECT_FALSE(test, o->closed);
	tt->phase = ATW_TT_OUT;
	atw_tt_drop(&f->conns);
	forget(test);
}

/* Whoever gives the mode back has what was not asked about it answered, or ends. */
static void conn_raw_given_back(struct kunit *test)
{
	static const struct {
		bool	checked;
		bool	answers;
		bool	has;
		bool	closed;
		int	err;
	} cases[] = {
		{ true, false, true, false, 0 },
		{ false, true, true, false, 0 },
		{ false, false, true, true, -ECONNRESET },
		{ false, true, false, true, 0 },
	};
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		raw_left(test, cases[i].checked);
		f->has = 0;
		if (cases[i].has)
			f->has = o->c->id;
		mishear(f, "AT+SOCKET?", 2 * !cases[i].answers, "\r\nERROR\r\n");
		WRITE_ONCE(f->tt_off, o->c);
		atw_channel_kick(&f->ch);
		eventually(test, !READ_ONCE(f->tt_off));
		KUNIT_EXPECT_EQ_MSG(test, cases[i].err, f->tt_err, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, cases[i].closed, o->closed, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, cases[i].err, o->close_err, "case %u", i);
		KUNIT_EXPECT_PTR_EQ(test, NULL, f->conns.tt.conn);
		mishear(f, "AT+SOCKET?", 0, "");
		forget(test);
	}
}

/* Where the question got no answer nothing goes before it has: there may be another remote. */
static void conn_raw_sends_after(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];

	raw_left(test, false);
	f->has = o->c->id;
	queue(test, o, 100);
	open_gate(f, true);
	sent(test, o);
	open_gate(f, false);
	KUNIT_EXPECT_FALSE(test, o->closed);
	KUNIT_ASSERT_EQ(test, 2U, f->nnotes);
	KUNIT_EXPECT_EQ(test, V_LIST, f->notes[0].verb);
	KUNIT_EXPECT_EQ(test, V_SEND, f->notes[1].verb);
	atw_tt_drop(&f->conns);
	KUNIT_EXPECT_FALSE(test, o->closed);
	forget(test);

	raw_left(test, false);
	mishear(f, "AT+SOCKET?", 2, "\r\nERROR\r\n");
	queue(test, o, 100);
	run_on_until(test, READ_ONCE(o->closed));
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o->close_err);
	forget(test);
	KUNIT_EXPECT_EQ(test, 0U, fake_count(f, V_SEND));
}

static void carry(struct kunit *test)
{
	struct fake *f = test->priv;

	WRITE_ONCE(f->tt_carry, true);
	atw_channel_kick(&f->ch);
	eventually(test, !READ_ONCE(f->tt_carry));
}

/* What can be sent in the mode alone goes before that is left for who waits for the module. */
static void conn_raw_sends_first(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	struct atw_tt *tt = &f->conns.tt;

	opened(test, 1, ATW_TYPE_UDP_SERVER);
	fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	queue(test, &o[0], 100);
	refcount_inc(&o[0].c->ref);
	mutex_lock(&f->ch.rx_lock);
	tt->conn = o[0].c;
	tt->phase = ATW_TT_IN;
	tt->proof = get_jiffies_64();
	o[0].c->transparent = ATW_TT_ON | ATW_TT_NO_BOUNDARIES | ATW_TT_LAST_PEER;
	mutex_unlock(&f->ch.rx_lock);
	carry(test);
	KUNIT_EXPECT_EQ(test, 0U, atw_conn_unsent(o[0].c));
	KUNIT_EXPECT_EQ(test, 100U, tt->unproved);
	KUNIT_EXPECT_TRUE(test, atw_tt_inside(&f->conns));
	tt->phase = ATW_TT_OUT;
	tt->unproved = 0;
	atw_tt_drop(&f->conns);
	f->rx_len = 0;
	close_all(test, 2);
}

/*
 * What follows a datagram before the mode was left waits until it is, and goes by a command: the
 * module may read it and "+++" in one go. One that has done so is asked once more.
 */
static void conn_raw_leaves(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	struct atw_tt *tt = &f->conns.tt;

	tt->hold = kvmalloc(ATW_TT_HOLD, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, tt->hold);
	opened(test, 1, ATW_TYPE_UDP_CLIENT);
	refcount_inc(&o->c->ref);
	mutex_lock(&f->ch.rx_lock);
	tt->conn = o->c;
	tt->phase = ATW_TT_IN;
	tt->proof = get_jiffies_64();
	atw_tt_scan_init(&tt->scan, false);
	o->c->transparent = ATW_TT_ON | ATW_TT_NO_BOUNDARIES;
	mutex_unlock(&f->ch.rx_lock);
	f->has = o->c->id;
	f->raw = true;
	f->deaf = 1;
	queue(test, o, 100);
	carry(test);
	KUNIT_EXPECT_EQ(test, 0U, atw_conn_unsent(o->c));
	KUNIT_EXPECT_EQ(test, 100U, tt->unproved);
	queue(test, o, 200);
	carry(test);
	KUNIT_EXPECT_EQ(test, 200U, atw_conn_unsent(o->c));
	KUNIT_EXPECT_EQ(test, 0U, tt->unproved);
	KUNIT_EXPECT_EQ(test, 2U, f->escapes);
	KUNIT_EXPECT_FALSE(test, atw_tt_inside(&f->conns));
	KUNIT_EXPECT_FALSE(test, tt->spoiled);
	open_gate(f, true);
	sent(test, o);
	open_gate(f, false);
	KUNIT_EXPECT_EQ(test, 1U, fake_count(f, V_SEND));
	KUNIT_EXPECT_FALSE(test, o->closed);
	tt->phase = ATW_TT_OUT;
	f->raw = false;
	atw_tt_drop(&f->conns);
	close_all(test, 1);
}

/* In transparent mode a slow program has the line held up as well. */
static void conn_raw_throttle(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	unsigned int i;

	raw_left(test, true);
	f->holds = true;
	f->reads = o;
	f->conns.tt.phase = ATW_TT_IN;
	for (i = 1; i <= 3; i++) {
		o->full = true;
		mutex_lock(&f->ch.rx_lock);
		raw_says(f, "hello");
		mutex_unlock(&f->ch.rx_lock);
		KUNIT_EXPECT_EQ(test, i, f->throttles);
		KUNIT_EXPECT_FALSE(test, f->held_up);
	}
	f->conns.tt.phase = ATW_TT_OUT;
	KUNIT_EXPECT_FALSE(test, o->closed);
	KUNIT_ASSERT_EQ(test, 15U, o->got_len);
	KUNIT_EXPECT_EQ(test, 0, memcmp(o->got, "hellohellohello", 15));
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.overflows));
	/* Who does not read at all is reset. */
	f->reads = NULL;
	o->full = true;
	f->conns.tt.phase = ATW_TT_IN;
	mutex_lock(&f->ch.rx_lock);
	raw_says(f, "hello");
	mutex_unlock(&f->ch.rx_lock);
	f->conns.tt.phase = ATW_TT_OUT;
	KUNIT_EXPECT_TRUE(test, o->closed);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o->close_err);
	atw_tt_drop(&f->conns);
	forget(test);
}

/* A dump of connections that has room for a few in each message. */
struct dump {
	u32		id[CONNS];
	unsigned int	n;
	unsigned int	passed;
	unsigned int	room;
};

static int dump_conn(const struct atw_conn_info *info, void *arg)
{
	struct dump *d = arg;

	if (d->passed++ < d->n)
		return 0;
	if (!d->room)
		return -EMSGSIZE;
	d->room--;
	d->id[d->n++] = info->id;
	return 0;
}

/* Each is told once, whoever sends in the middle of that. */
static void conn_dumped(struct kunit *test)
{
	struct fake *f = test->priv;
	struct dump d = { .room = 2 };
	unsigned int i;
	int seq;

	opened(test, 4, ATW_TYPE_TCP_CLIENT);
	seq = atomic_read(&f->conns.seq);
	KUNIT_EXPECT_EQ(test, -EMSGSIZE, atw_conns_for_each(&f->conns, dump_conn, &d));
	queue(test, &f->owner[0], 10);
	open_gate(f, true);
	sent(test, &f->owner[0]);
	open_gate(f, false);
	d.passed = 0;
	d.room = 2;
	KUNIT_EXPECT_EQ(test, 0, atw_conns_for_each(&f->conns, dump_conn, &d));
	KUNIT_EXPECT_EQ(test, seq, atomic_read(&f->conns.seq));
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, f->owner[i].c->id, d.id[i]);
	close_all(test, 4);
}

/* Nobody gets more of the module by having more connections. */
static void conn_users_send(struct kunit *test)
{
	struct fake *f = test->priv;
	u32 bytes[2] = { 0 };
	unsigned int i, k;

	f->conns.clock = fake_clock;
	for (i = 0; i < 4; i++)
		fake_open_as(test, i, i < 3 ? 10 : 12);
	open_gate(f, true);
	for (i = 0; i < 4; i++)
		eventually(test, READ_ONCE(f->owner[i].opened));
	open_gate(f, false);
	f->nnotes = 0;
	for (i = 0; i < 8; i++)
		for (k = 0; k < 4; k++)
			queue(test, &f->owner[k], 4000);
	open_gate(f, true);
	for (i = 0; i < 4; i++)
		sent(test, &f->owner[i]);
	for (i = 0; i < f->nnotes; i++) {
		const struct note *n = &f->notes[i];

		bytes[n->id == f->owner[3].c->id] += n->len;
		if (bytes[1] < 32000)
			KUNIT_EXPECT_LE(test, abs((int)bytes[0] - (int)bytes[1]),
					8192);
	}
	KUNIT_EXPECT_EQ(test, 3U * 32000, bytes[0]);
	KUNIT_EXPECT_EQ(test, 32000U, bytes[1]);
	close_all(test, 4);
}

/* Who connects and has second thoughts, again and again, takes no turn from anybody. */
static void conn_abandoned(struct kunit *test)
{
	struct fake *f = test->priv;

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	queue(test, &f->owner[0], 100);
	f->abandons = 50;
	open_gate(f, true);
	sent(test, &f->owner[0]);
	KUNIT_EXPECT_LE(test, 48U, f->abandons);
	close_all(test, 1);
}

static void conn_share_index(struct kunit *test)
{
	const kuid_t user = KUIDT_INIT(1000);
	u8 root = atw_share_index(GLOBAL_ROOT_UID, 0, 0, false);
	u8 dgrams = atw_share_index(GLOBAL_ROOT_UID, 0, 0, true);
	bool other_iif = false, other_kind = false;
	unsigned int i;
	u8 share;

	KUNIT_EXPECT_NE(test, root, dgrams);
	for (i = 1; i < 1000; i++) {
		share = atw_share_index(KUIDT_INIT(i), i, 0, i & 1);
		KUNIT_EXPECT_LT(test, share, ATW_SHARES);
		KUNIT_EXPECT_NE(test, share, root);
		KUNIT_EXPECT_NE(test, share, dgrams);
		KUNIT_EXPECT_NE(test, share, ATW_SHARE_REMOTE);
		KUNIT_EXPECT_EQ(test, atw_share_index(user, 0, 0, false),
				atw_share_index(user, i, 0, false));
		other_iif |= atw_share_index(INVALID_UID, i, 0, false) !=
			     atw_share_index(INVALID_UID, 0, 0, false);
		other_kind |= atw_share_index(KUIDT_INIT(i), 0, 0, false) !=
			      atw_share_index(KUIDT_INIT(i), 0, 0, true);
	}
	KUNIT_EXPECT_TRUE(test, other_iif);
	KUNIT_EXPECT_TRUE(test, other_kind);
}

/* Who has subordinate uids, usually 65536 of them from 100000 on, is not as many users. */
static void conn_share_subuids(struct kunit *test)
{
	u8 own = atw_share_index(KUIDT_INIT(1000), 0, 0, false);
	DECLARE_BITMAP(has, ATW_SHARES) = { 0 };
	bool other = false;
	unsigned int i;

	for (i = 0; i < 2; i++)
		__set_bit(atw_share_index(KUIDT_INIT(1000), 0, 0, i), has);
	for (i = 0; i < 4 * 65536; i++)
		__set_bit(atw_share_index(KUIDT_INIT(100000 + i / 2), 0, 0, i & 1), has);
	KUNIT_EXPECT_LE(test, bitmap_weight(has, ATW_SHARES), 4U);
	/* Those whom the administrator has made are users of their own. */
	for (i = 0; i < 100; i++)
		other |= atw_share_index(KUIDT_INIT(65435 + i), 0, 0, false) != own;
	KUNIT_EXPECT_TRUE(test, other);
}

static void conn_refused(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o;

	f->connect_answer = "\r\n+SOCKET:97\r\nERROR\r\n";
	o = fake_open(test, 0, ATW_TYPE_TCP_CLIENT);
	run_on_until(test, READ_ONCE(o->opened));
	KUNIT_EXPECT_EQ(test, -ECONNREFUSED, o->open_err);
	KUNIT_EXPECT_EQ(test, 97U, o->code);
	atw_conn_close(o->c, true, 0);
	eventually(test, list_empty_careful(&f->conns.list));
}

/* The seconds go into the command as they are. */
static void conn_keepalive(struct kunit *test)
{
	static const u32 seconds[] = { 1, 60, 7200, 0 };
	struct atw_conn_spec spec = {
		.type = ATW_TYPE_TCP_CLIENT,
		.name = "",
		.addr = 0xc0000201,
		.port = 80,
	};
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(seconds); i++, o++) {
		f->nnotes = 0;
		spec.keepalive = seconds[i];
		fake_open_spec(test, i, &spec);
		run_until(test, READ_ONCE(o->opened));
		KUNIT_EXPECT_EQ(test, (int)V_OPEN, (int)f->notes[0].verb);
		KUNIT_EXPECT_EQ(test, seconds[i], f->notes[0].len);
	}
	close_all(test, ARRAY_SIZE(seconds));
}

static unsigned int noted(const struct fake *f, enum cmd_kind verb, u32 id)
{
	unsigned int i, n = 0;

	for (i = 0; i < f->nnotes; i++)
		n += f->notes[i].verb == verb && f->notes[i].id == id;
	return n;
}

/* What the module makes of a command of which a byte was lost on the way. */
static const char lost_letter[] = "Unknown cmd:AT+SOCKE\r\n";
static const char lost_digit[] = "\r\n+SOCKETDEL:4\r\nERROR\r\n";
static const char lost_mark[] = "\r\n+SOCKET:2\r\nERROR\r\n";

/* A deletion that the module did not understand has not deleted anything. */
static void conn_delete_misheard(struct kunit *test)
{
	static const char *const complaints[] = { lost_letter, lost_digit };
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	unsigned int i;
	u32 id;

	for (i = 0; i < ARRAY_SIZE(complaints); i++) {
		opened(test, 1, ATW_TYPE_TCP_CLIENT);
		id = o->c->id;
		f->has = id;
		mishear(f, "AT+SOCKETDEL=", 1, complaints[i]);
		close_all(test, 1);
		eventually(test, !READ_ONCE(f->has));
		KUNIT_EXPECT_EQ(test, 1U, noted(f, V_DEL, id));
		KUNIT_EXPECT_FALSE(test, todo(f, ATW_DO_RESET));
		open_gate(f, false);
		let_go(o);
	}
}

/* Who has come and gone meanwhile is deleted in vain, which says nothing of the module. */
static void conn_gone_many(struct kunit *test)
{
	struct fake *f = test->priv;
	unsigned int i;

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	for (i = 300; i < 340; i++)
		atw_conns_add_stale(&f->conns, i);
	mishear(f, "AT+SOCKETDEL=", 40, lost_digit);
	run_on_until(test, !READ_ONCE(f->conns.ids.nstale) &&
		     READ_ONCE(f->conns.ids.deleting) == ATW_NO_ID);
	KUNIT_EXPECT_EQ(test, 0U, READ_ONCE(f->nmishears));
	KUNIT_EXPECT_FALSE(test, todo(f, ATW_DO_RESET));
	close_all(test, 1);
}

/* A child that is being deleted for another one, and the gate is closed. */
static struct owner *yielding_child(struct kunit *test)
{
	struct owner *o = fake_child(test, fake_serve(test));

	yielding(o);
	return o;
}

/* On a slow line it takes seconds until the module can say that it has deleted a child. */
static void conn_auto_deleted_late(struct kunit *test)
{
	struct owner *o = fake_child(test, fake_serve(test));
	struct fake *f = test->priv;

	atw_conns_set_rate(&f->conns, 1200);
	fake_say(f, "\r\n+EVENT:SocketDisconnect,1\r\n");
	KUNIT_EXPECT_TRUE(test, o->closed);
	open_gate(f, true);
	schedule_timeout_uninterruptible(HZ);
	fake_say(f, "\r\n+EVENT:SocketAutoDel,1\r\n");
	eventually(test, listed(f) == 1);
	KUNIT_EXPECT_EQ(test, 0U, noted(f, V_DEL, 1));
	close_all(test, 2);
}

/* The module says that it is gone: its number may be another's, which is not deleted. */
static void conn_yielding_auto_deleted(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = yielding_child(test);

	fake_say(f, "\r\n+EVENT:SocketAutoDel,1\r\n");
	KUNIT_EXPECT_TRUE(test, o->closed);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o->close_err);
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.yielded));
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.resets));
	run_on_until(test, listed(f) == 1);
	KUNIT_EXPECT_EQ(test, 0U, noted(f, V_DEL, 1));
	close_all(test, 2);
}

/* Or that its number is another's, without a word of its end. */
static void conn_yielding_superseded(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = yielding_child(test);

	say_for(f, "\r\n+EVENT:SocketSeed,1,%u\r\n", &f->owner[0]);
	KUNIT_EXPECT_TRUE(test, o->closed);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o->close_err);
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.resets));
	run_on_until(test, atw_conn_acceptable(f->owner[0].c));
	close_all(test, 2);
}

/* As long as the module has it no child has a number that damage makes of its own. */
static void conn_yielding_near(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = f->owner;
	char text[64];

	fake_open(test, 0, ATW_TYPE_TCP_SERVER);
	fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	run_until(test, READ_ONCE(o[0].opened) && READ_ONCE(o[1].opened));
	yielding(&o[1]);
	snprintf(text, sizeof(text), "\r\n+EVENT:SocketSeed,%u,%u\r\n",
		 o[1].c->id / 10, o[0].c->id);
	fake_say(f, text);
	KUNIT_EXPECT_EQ(test, 0ULL, count(&f->conns.counts.accepted));
	KUNIT_EXPECT_EQ(test, 1ULL, count(&f->conns.counts.refused));
	close_all(test, 2);
}

/*
 * The module seems to have started, and does not say what it has, or not all of it: what it
 * says when it is asked for another reason is no answer to that.
 */
static void conn_boot_untold(struct kunit *test)
{
	static char rows[(ATW_ROWS_MAX + 1) * 32];
	struct fake *f = test->priv;
	unsigned int i, n = 0;

	for (i = 0; i <= ATW_ROWS_MAX; i++)
		n += scnprintf(rows + n, sizeof(rows) - n, "%u,4,3,192.0.2.1,80,-1,0\r\n",
			       1000 + i);
	for (i = 0; i < 2; i++) {
		if (i)
			f->rows = rows;
		else
			mishear(f, "AT+SOCKET?", 2, lost_mark);
		f->nnotes = 0;
		f->conns.audit.boot = ATW_BOOT_SAID;
		f->conns.audit.boot_at = jiffies + HZ;
		atw_sched_set(&f->sched, ATW_DO_RECONCILE);
		open_gate(f, true);
		/* What is opened is opened after that. */
		fake_open(test, 2 * i, ATW_TYPE_TCP_CLIENT);
		eventually(test, READ_ONCE(f->owner[2 * i].opened));
		KUNIT_EXPECT_EQ(test, ATW_BOOT_NO, f->conns.audit.boot);
		KUNIT_EXPECT_EQ(test, i, noted(f, V_LIST, 0));
		close_all(test, 2 * i + 1);
		f->rows = NULL;
		atw_sched_set(&f->sched, ATW_DO_RECONCILE);
		eventually(test, noted(f, V_LIST, 0) == i + 1);
		fake_open(test, 2 * i + 1, ATW_TYPE_TCP_CLIENT);
		eventually(test, READ_ONCE(f->owner[2 * i + 1].opened));
		KUNIT_EXPECT_FALSE(test, todo(f, ATW_DO_RESTARTED));
		close_all(test, 2 * i + 2);
	}
}

/* There is no module that knows of no deletion: that one is started over. */
static void conn_delete_unknown(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	mishear(f, "AT+SOCKETDEL=", ALWAYS, lost_letter);
	atw_conn_close(o->c, true, 0);
	run_on_until(test, todo(f, ATW_DO_RESET));
	KUNIT_EXPECT_FALSE(test, list_empty_careful(&f->conns.list));
	WRITE_ONCE(f->nmishears, 0);
	close_all(test, 1);
}

/* What a former host has left is not overlooked for a byte. */
static void conn_purge_misheard(struct kunit *test)
{
	static const char *const complaints[] = { lost_letter, lost_mark };
	struct fake *f = test->priv;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(complaints); i++) {
		f->has = 101;
		f->conns.learned.purged = false;
		mishear(f, "AT+SOCKET?", 1, complaints[i]);
		WRITE_ONCE(f->purge, true);
		atw_channel_kick(&f->ch);
		eventually(test, !READ_ONCE(f->purge));
		KUNIT_EXPECT_EQ(test, 0, f->purged);
		KUNIT_EXPECT_TRUE(test, f->conns.learned.purged);
		KUNIT_EXPECT_EQ(test, 0U, f->has);
	}
	/* Not all firmware has a table, but then it is not known what there is. */
	f->conns.learned.purged = false;
	mishear(f, "AT+SOCKET?", ALWAYS, lost_letter);
	WRITE_ONCE(f->purge, true);
	atw_channel_kick(&f->ch);
	eventually(test, !READ_ONCE(f->purge));
	KUNIT_EXPECT_EQ(test, 0, f->purged);
	KUNIT_EXPECT_FALSE(test, f->conns.learned.purged);
}

/* What a remote has ended is listed as deleted by some firmware until that is done here. */
static void conn_left_to_delete(struct kunit *test)
{
	struct fake *f = test->priv;

	f->rows = "5,5,127,192.0.2.1,80,-1,101\r\n";
	atw_sched_set(&f->sched, ATW_DO_RECONCILE);
	run_on_until(test, noted(f, V_DEL, 5));
	/* Not when it is seen first: it may be about to go. */
	KUNIT_EXPECT_EQ(test, V_LIST, f->notes[0].verb);
	KUNIT_EXPECT_EQ(test, V_LIST, f->notes[1].verb);
	open_gate(f, false);

	f->nnotes = 0;
	WRITE_ONCE(f->purge, true);
	atw_channel_kick(&f->ch);
	eventually(test, !READ_ONCE(f->purge));
	KUNIT_EXPECT_EQ(test, 0, f->purged);
	KUNIT_EXPECT_EQ(test, 1U, noted(f, V_DEL, 5));
}

/* One that lists for good what it has deleted, and refuses that, is asked ever more rarely. */
static void conn_left_for_good(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *server = fake_serve(test);
	struct atw_audit *audit = &f->conns.audit;
	unsigned long before;
	unsigned int i, j;

	for (i = 0; i < 8; i++) {
		for (j = 0; j < 2; j++) {
			audit->rows.n = 1;
			audit->rows.row[0] = (struct atw_sock_row){
				.id = 5,
				.type = ATW_TYPE_TCP_CHILD,
				.status = ATW_SOCK_DELETED,
				.server = 101,
			};
			before = jiffies;
			atw_conns_find_unknown(&f->conns, false);
			/* It is looked at again, and then deleted. */
			KUNIT_EXPECT_EQ(test, j, f->conns.ids.nstale);
			KUNIT_EXPECT_EQ(test, !j, audit->nunknown);
			if (!j)
				KUNIT_EXPECT_GE_MSG(test, f->sched.at[ATW_DO_UNKNOWN] - before,
						    atw_timing.unknown << min(i, 5U), "%u", i);
		}
		f->conns.ids.nstale = 0;
	}
	/* What is new and connected does not wait for that. */
	audit->rows.n = 2;
	audit->rows.row[1] = (struct atw_sock_row){
		.id = 6,
		.type = ATW_TYPE_TCP_CHILD,
		.status = ATW_SOCK_CONNECTED,
		.server = server->c->id,
	};
	atw_conns_find_unknown(&f->conns, false);
	KUNIT_EXPECT_EQ(test, 2U, audit->nunknown);
	KUNIT_EXPECT_TRUE(test, time_before_eq(f->sched.at[ATW_DO_UNKNOWN],
					       jiffies + atw_timing.unknown));
	/* It has gone, and what comes next is looked at soon. */
	audit->rows.n = 0;
	atw_conns_find_unknown(&f->conns, false);
	KUNIT_EXPECT_EQ(test, 0U, audit->futile);
	close_all(test, 1);
}

/* Who was accepted where nobody could hear of it will not be announced. */
static void conn_accepted_unheard(struct kunit *test)
{
	static const struct {
		enum atw_sock_status	status;
		bool			told;
		bool			found;
	} cases[] = {
		{ ATW_SOCK_CONNECTED, false, false },
		{ ATW_SOCK_CONNECTING, true, false },
		{ ATW_SOCK_DELETED, true, false },
		{ ATW_SOCK_CONNECTED, true, true },
	};
	struct fake *f = test->priv;
	struct owner *server = fake_serve(test);
	struct atw_audit *audit = &f->conns.audit;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		audit->nunknown = 0;
		audit->rows.n = 1;
		audit->rows.row[0] = (struct atw_sock_row){
			.id = 5,
			.type = ATW_TYPE_TCP_CHILD,
			.status = cases[i].status,
			.server = server->c->id,
		};
		KUNIT_EXPECT_EQ(test, cases[i].found,
				atw_conns_find_unknown(&f->conns, cases[i].told));
		KUNIT_EXPECT_EQ(test, cases[i].found, f->conns.ids.nstale);
		KUNIT_EXPECT_EQ(test, !cases[i].found, audit->nunknown);
	}
	close_all(test, 1);
	eventually(test, noted(f, V_DEL, 5));
}

/* Nor is it taken for the end of the data, or for a firmware that cannot. */
static void conn_read_misheard(struct kunit *test)
{
	static const char *const complaints[] = {
		lost_letter, "\r\n+SOCKETREAD:4\r\nERROR\r\n",
	};
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	unsigned int i;

	f->conns.mode.passive = true;
	for (i = 0; i < ARRAY_SIZE(complaints); i++) {
		opened(test, 1, ATW_TYPE_TCP_CLIENT);
		say_for(f, "\r\n+EVENT:SocketDisconnect,%u\r\n", o);
		f->read = "hello";
		mishear(f, "AT+SOCKETREAD=", 1, complaints[i]);
		run_on_until(test, READ_ONCE(o->closed));
		KUNIT_EXPECT_EQ(test, 0, o->close_err);
		KUNIT_EXPECT_EQ(test, 5U, o->got_len);
		close_all(test, 1);
		open_gate(f, false);
		let_go(o);
	}
}

/* Nor for a firmware that has no other mode. */
static void conn_mode_misheard(struct kunit *test)
{
	static const char *const complaints[] = {
		lost_letter, "\r\n+SOCKETRECVCFG:4\r\nERROR\r\n",
	};
	struct fake *f = test->priv;
	unsigned int i;

	open_gate(f, true);
	for (i = 0; i < ARRAY_SIZE(complaints); i++) {
		WRITE_ONCE(f->conns.mode.active, false);
		mishear(f, "AT+SOCKETRECVCFG=1", 1, complaints[i]);
		atw_sched_set(&f->sched, ATW_DO_RECV_MODE);
		eventually(test, READ_ONCE(f->conns.mode.active));
	}
	/* This one really has none. */
	mishear(f, "AT+SOCKETRECVCFG=1", ALWAYS, lost_letter);
	atw_sched_set(&f->sched, ATW_DO_RECV_MODE);
	eventually(test, !READ_ONCE(f->conns.mode.active));
	KUNIT_EXPECT_FALSE(test, todo(f, ATW_DO_RESET));
}

static void conn_send_misheard(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	mishear(f, "AT+SOCKETSEND=", 1, lost_letter);
	queue(test, o, 100);
	open_gate(f, true);
	sent(test, o);
	mishear(f, "AT+SOCKETSENDLINE=", 1, lost_letter);
	queue(test, o, 5);
	sent(test, o);
	mishear(f, "AT+SOCKETSENDLINE=", 1,
		"\r\n+SOCKETSENDLINE:4\r\nERROR\r\n");
	queue(test, o, 5);
	sent(test, o);
	KUNIT_EXPECT_FALSE(test, o->closed);
	KUNIT_EXPECT_EQ(test, 3U, noted(f, V_SEND, o->c->id));
	KUNIT_EXPECT_GT(test, ATW_LINES_REFUSED, f->conns.learned.lines_refused);
	/* This firmware really cannot. */
	mishear(f, "AT+SOCKETSENDLINE=", ALWAYS, lost_letter);
	queue(test, o, 5);
	sent(test, o);
	KUNIT_EXPECT_FALSE(test, o->closed);
	KUNIT_EXPECT_EQ(test, ATW_LINES_REFUSED, f->conns.learned.lines_refused);
	close_all(test, 1);
}

static const char bare_error[] = "\r\nERROR\r\n";

/*
 * Firmware that gives no reason: a connect that fails is the remote's doing, unless the module
 * has as many sockets as it may have. Then it waits for one that is being deleted.
 */
static void conn_connect_bare(struct kunit *test)
{
	static const char full[] = "100,4,3,192.0.2.1,80,-1,0\r\n1,5,3,,0,0,100\r\n"
				   "2,5,3,,0,0,100\r\n3,5,127,,0,0,100\r\n4,5,3,,0,0,100\r\n";
	static const struct {
		const char		*rows;
		enum atw_sock_type	type;
		bool			deleted;	/* something, just now */
		unsigned int		ms;
		int			err;
	} cases[] = {
		{ NULL, ATW_TYPE_TCP_CLIENT, true, 0, -ECONNREFUSED },
		{ NULL, ATW_TYPE_TCP_CLIENT, false, 5000, -ETIMEDOUT },
		{ NULL, ATW_TYPE_TCP_SERVER, false, 0, -EIO },
		{ full, ATW_TYPE_TCP_CLIENT, false, 0, -ENOBUFS },
		{ full, ATW_TYPE_TCP_CLIENT, false, 5000, -ETIMEDOUT },
		{ full, ATW_TYPE_TCP_CLIENT, true, 0, 0 },
	};
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	unsigned int i;

	f->conns.clock = fake_clock;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		f->rows = cases[i].rows;
		f->conns.audit.deleted = jiffies;
		if (!cases[i].deleted)
			f->conns.audit.deleted -= atw_timing.delete_linger;
		f->complaint_ms = cases[i].ms;
		mishear(f, "AT+SOCKET=", 1, bare_error);
		fake_open(test, 0, cases[i].type);
		run_on_until(test, READ_ONCE(o->opened));
		KUNIT_EXPECT_EQ_MSG(test, cases[i].err, o->open_err, "case %u", i);
		f->rows = NULL;
		forget(test);
		/* Nobody remembers that it was silent. */
		fake_time = ktime_add_ms(fake_time, 3600 * MSEC_PER_SEC);
	}
}

/*
 * A send that is refused so before a byte of it has gone is tried again as one for which there
 * was no memory, as long as the remote is there. What was in a line may have gone.
 */
static void conn_send_bare(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	f->has = o->c->id;
	mishear(f, "AT+SOCKETSEND=", 2, bare_error);
	queue(test, o, 1000);
	open_gate(f, true);
	sent(test, o);
	KUNIT_EXPECT_FALSE(test, o->closed);
	KUNIT_EXPECT_EQ(test, 1000ULL, o->c->tx.bytes);
	KUNIT_EXPECT_EQ(test, 250U, f->conns.pace.chunk_max);

	mishear(f, "AT+SOCKETSENDLINE=", 1, bare_error);
	queue(test, o, 5);
	eventually(test, READ_ONCE(o->closed));
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o->close_err);
	KUNIT_EXPECT_EQ(test, 1U, f->conns.learned.lines_refused);
	forget(test);

	/* Its remote is gone: that tells nothing of the module, and nothing is tried again. */
	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	mishear(f, "AT+SOCKETSEND=", 1, bare_error);
	queue(test, o, 200);
	run_on_until(test, READ_ONCE(o->closed));
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o->close_err);
	KUNIT_EXPECT_EQ(test, 250U, f->conns.pace.chunk_max);
	KUNIT_EXPECT_EQ(test, 1U, f->conns.learned.lines_refused);
	close_all(test, 1);
}

/* Something that is unknown here has the number: that goes, and another is tried. */
static void conn_number_taken(struct kunit *test)
{
	static const struct {
		unsigned int	times;
		int		err;
		unsigned int	deleted;
	} cases[] = { { 1, 0, 1 }, { ALWAYS, -EADDRINUSE, 3 } };
	unsigned int i, j, deleted;
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		f->nnotes = 0;
		mishear(f, "AT+SOCKET=", cases[i].times,
			"\r\n+SOCKET:110\r\nERROR\r\n");
		fake_open(test, 0, ATW_TYPE_TCP_CLIENT);
		run_on_until(test, READ_ONCE(o->opened));
		KUNIT_EXPECT_EQ(test, cases[i].err, o->open_err);
		eventually(test, !READ_ONCE(f->conns.ids.nstale) &&
			   READ_ONCE(f->conns.ids.deleting) == ATW_NO_ID);
		deleted = 0;
		for (j = 0; j < f->nnotes; j++)
			deleted += f->notes[j].verb == V_DEL &&
				   f->notes[j].id != o->c->id;
		KUNIT_EXPECT_EQ(test, cases[i].deleted, deleted);
		close_all(test, 1);
		open_gate(f, false);
		let_go(o);
	}
}

/* 104 of firmware that may have no servers: it has, when it has opened one. */
static void conn_no_servers(struct kunit *test)
{
	static const struct {
		bool	may_not_serve, refuses;
		int	err;
	} steps[] = {
		{ false, true, -EADDRINUSE },
		{ true, true, -EOPNOTSUPP },
		{ true, false, 0 },
		{ true, true, -EADDRINUSE },
	};
	struct fake *f = test->priv;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		f->conns.proved.may_not_serve = steps[i].may_not_serve;
		f->connect_answer = steps[i].refuses ? "\r\n+SOCKET:104\r\nERROR\r\n" :
						       NULL;
		fake_open(test, 0, ATW_TYPE_TCP_SERVER);
		run_on_until(test, READ_ONCE(f->owner[0].opened));
		KUNIT_EXPECT_EQ(test, steps[i].err, f->owner[0].open_err);
		KUNIT_EXPECT_EQ(test, steps[i].refuses ? 104U : 0U, f->owner[0].code);
		forget(test);
	}
	/* What another one does is not known. */
	atw_conns_set_firmware(&f->conns, atw_firmware_of(ATWIFI_PROFILE_CLASSIC), false);
	f->conns.proved.may_not_serve = true;
	f->connect_answer = "\r\n+SOCKET:104\r\nERROR\r\n";
	fake_open(test, 0, ATW_TYPE_TCP_SERVER);
	run_on_until(test, READ_ONCE(f->owner[0].opened));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, f->owner[0].open_err);
	close_all(test, 1);
}

/* The module is unplugged: all are told, and nothing can be had after it. */
static void conn_gone(struct kunit *test)
{
	const struct atw_conn_spec spec = {
		.type = ATW_TYPE_TCP_CLIENT,
		.name = "",
		.addr = 1,
		.port = 1,
	};
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	struct atw_conn *c;
	struct sk_buff *skb;

	opened(test, 1, ATW_TYPE_TCP_CLIENT);
	queue(test, o, 100);
	fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	atw_conns_gone(&f->conns);
	KUNIT_EXPECT_EQ(test, -ENODEV, o->close_err);
	KUNIT_EXPECT_EQ(test, -ENODEV, f->owner[1].open_err);
	KUNIT_EXPECT_TRUE(test, atw_conn_view(o->c).drained);
	skb = alloc_skb(1, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_put_u8(skb, 'x');
	KUNIT_EXPECT_EQ(test, -ENODEV, atw_conn_send(o->c, skb));
	kfree_skb(skb);
	c = atw_conn_open(&f->conns, &spec, &owner_ops, o);
	KUNIT_EXPECT_EQ(test, -ENODEV, PTR_ERR_OR_ZERO(c));
}

/* Ends of a connection that its owner keeps. */

static void end_by_owner(struct fake *f, struct owner *o)
{
	atw_conn_close(o->c, true, 0);
}

static void end_by_remote(struct fake *f, struct owner *o)
{
	say_for(f, "\r\n+EVENT:SocketDisconnect,%u\r\n", o);
}

static void end_by_reconnect(struct fake *f, struct owner *o)
{
	say_for(f, "\r\n+EVENT:SocketReconnect,%u\r\n", o);
}

static void end_by_damage(struct fake *f, struct owner *o)
{
	fake_say(f, "\r\n+EVENT:SocketDown,10,3,abc\r\n");
}

static void end_by_link(struct fake *f, struct owner *o)
{
	atw_conns_set_link(&f->conns, false);
}

static void end_by_restart(struct fake *f, struct owner *o)
{
	atw_conns_fail_all(&f->conns);
}

static void end_by_device(struct fake *f, struct owner *o)
{
	atw_conns_gone(&f->conns);
}

/* Whatever has ended it: what is in no table any more does not know the device. */
static void conn_forgets(struct kunit *test)
{
	static void (*const end[])(struct fake *f, struct owner *o) = {
		end_by_owner, end_by_remote, end_by_reconnect, end_by_damage,
		end_by_link, end_by_restart, end_by_device,
	};
	struct fake *f = test->priv;
	struct owner *o = &f->owner[0];
	struct sk_buff *skb;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(end); i++) {
		opened(test, 1, ATW_TYPE_TCP_CLIENT);
		KUNIT_EXPECT_PTR_EQ(test, &f->conns, o->c->conns);
		end[i](f, o);
		run_until(test, list_empty_careful(&f->conns.list));
		KUNIT_EXPECT_NULL(test, o->c->conns);
		skb = alloc_skb(1, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, skb);
		KUNIT_EXPECT_NE(test, 0, atw_conn_send(o->c, skb));
		kfree_skb(skb);
		atw_conn_close(o->c, true, 0);
		let_go(o);
		atw_conns_set_link(&f->conns, true);
	}
}

/* A server that has ended does not come back with the module: its owner was told. */
static void conn_server_stays_ended(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *o;

	o = fake_serve(test);
	end_by_reconnect(f, o);
	KUNIT_EXPECT_TRUE(test, o->closed);
	KUNIT_EXPECT_EQ(test, -ECONNRESET, o->close_err);
	end_by_restart(f, o);
	KUNIT_EXPECT_EQ(test, 0U, listed(f));
	close_all(test, 1);
}

/* Nor does what was never open, or waits in its server's queue. */
static void conn_forgets_others(struct kunit *test)
{
	struct fake *f = test->priv;
	struct owner *server, *o = &f->owner[1];

	f->connect_answer = "\r\n+SOCKET:97\r\nERROR\r\n";
	fake_open(test, 1, ATW_TYPE_TCP_CLIENT);
	run_until(test, list_empty_careful(&f->conns.list));
	KUNIT_EXPECT_EQ(test, -ECONNREFUSED, o->open_err);
	KUNIT_EXPECT_NULL(test, o->c->conns);
	atw_conn_put(o->c);
	o->c = NULL;
	f->connect_answer = NULL;

	server = fake_serve(test);
	say_for(f, "\r\n+EVENT:SocketSeed,1,%u\r\n", server);
	fake_say(f, "\r\n+EVENT:SocketDisconnect,1\r\n");
	fake_say(f, "\r\n+EVENT:SocketAutoDel,1\r\n");
	run_on_until(test, listed(f) == 1);
	eventually(test, atw_conn_acceptable(server->c));
	open_gate(f, false);
	o->c = atw_conn_accept(server->c, &owner_ops, o);
	KUNIT_ASSERT_NOT_NULL(test, o->c);
	KUNIT_EXPECT_NULL(test, o->c->conns);
	KUNIT_EXPECT_TRUE(test, o->closed);
	close_all(test, 2);
}

/* Events that bring a new connection into each state. */
static const struct {
	enum atw_conn_ev	ev[3];
	unsigned int		n;
} conn_ways[ATW_CONN_STATES] = {
	[ATW_CONN_WAITING]	= { },
	[ATW_CONN_OPENING]	= { { ATW_CONN_EV_ASKED }, 1 },
	[ATW_CONN_OPEN]		= { { ATW_CONN_EV_ASKED, ATW_CONN_EV_OPENED }, 2 },
	[ATW_CONN_YIELDING]	= { { ATW_CONN_EV_ACCEPTED, ATW_CONN_EV_YIELD }, 2 },
	[ATW_CONN_CLOSING]	= { { ATW_CONN_EV_ASKED, ATW_CONN_EV_UNWANTED }, 2 },
	[ATW_CONN_DEAD]		= { { ATW_CONN_EV_END }, 1 },
};

/* What leads somewhere. All else is to leave a connection as it is. */
static const struct {
	enum atw_conn_state	from;
	enum atw_conn_ev	ev;
	enum atw_conn_state	to;
} conn_steps[] = {
	{ ATW_CONN_WAITING,	ATW_CONN_EV_ASKED,	ATW_CONN_OPENING },
	{ ATW_CONN_WAITING,	ATW_CONN_EV_ACCEPTED,	ATW_CONN_OPEN },
	{ ATW_CONN_WAITING,	ATW_CONN_EV_END,	ATW_CONN_DEAD },
	{ ATW_CONN_WAITING,	ATW_CONN_EV_GONE,	ATW_CONN_DEAD },
	{ ATW_CONN_OPENING,	ATW_CONN_EV_OPENED,	ATW_CONN_OPEN },
	{ ATW_CONN_OPENING,	ATW_CONN_EV_UNWANTED,	ATW_CONN_CLOSING },
	{ ATW_CONN_OPENING,	ATW_CONN_EV_AGAIN,	ATW_CONN_WAITING },
	{ ATW_CONN_OPENING,	ATW_CONN_EV_GONE,	ATW_CONN_DEAD },
	{ ATW_CONN_OPEN,	ATW_CONN_EV_AGAIN,	ATW_CONN_WAITING },
	{ ATW_CONN_OPEN,	ATW_CONN_EV_YIELD,	ATW_CONN_YIELDING },
	{ ATW_CONN_OPEN,	ATW_CONN_EV_END,	ATW_CONN_CLOSING },
	{ ATW_CONN_OPEN,	ATW_CONN_EV_GONE,	ATW_CONN_DEAD },
	{ ATW_CONN_YIELDING,	ATW_CONN_EV_END,	ATW_CONN_CLOSING },
	{ ATW_CONN_YIELDING,	ATW_CONN_EV_GONE,	ATW_CONN_DEAD },
	{ ATW_CONN_CLOSING,	ATW_CONN_EV_GONE,	ATW_CONN_DEAD },
};

static enum atw_conn_state conn_leads_to(enum atw_conn_state from, enum atw_conn_ev ev)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(conn_steps); i++)
		if (conn_steps[i].from == from && conn_steps[i].ev == ev)
			return conn_steps[i].to;
	return from;
}

/* Each event in each state. */
static void conn_events(struct kunit *test)
{
	enum atw_conn_state from, to;
	struct atw_conn *c;
	enum atw_conn_ev ev;
	unsigned int i;
	bool led;

	for (from = 0; from < ATW_CONN_STATES; from++) {
		for (ev = 0; ev < ATW_CONN_EVENTS; ev++) {
			c = atw_conn_alloc(ATW_TYPE_TCP_CLIENT, GFP_KERNEL);
			KUNIT_ASSERT_NOT_ERR_OR_NULL(test, c);
			to = conn_leads_to(from, ev);
			spin_lock(&c->lock);
			for (i = 0; i < conn_ways[from].n; i++)
				atw_conn_event(c, conn_ways[from].ev[i]);
			KUNIT_EXPECT_EQ(test, from, atw_conn_state(c));
			led = atw_conn_event(c, ev);
			KUNIT_EXPECT_EQ_MSG(test, to, atw_conn_state(c), "event %d in state %d",
					    ev, from);
			KUNIT_EXPECT_EQ(test, to != from, led);
			spin_unlock(&c->lock);
			kfree(c);
		}
	}
}

static struct kunit_case conn_cases[] = {
	KUNIT_CASE(conn_events),
	KUNIT_CASE(conn_ids),
	KUNIT_CASE(conn_appends),
	KUNIT_CASE(conn_id_reuse),
	KUNIT_CASE(conn_id_reused),
	KUNIT_CASE(conn_fair),
	KUNIT_CASE(conn_fair_after_request),
	KUNIT_CASE(conn_quantum),
	KUNIT_CASE(conn_quantum_preferred),
	KUNIT_CASE(conn_quantum_bound),
	KUNIT_CASE(conn_small_first),
	KUNIT_CASE(conn_coalesce),
	KUNIT_CASE(conn_datagrams),
	KUNIT_CASE(conn_no_memory),
	KUNIT_CASE(conn_remote_end),
	KUNIT_CASE(conn_remote_end_unsent),
	KUNIT_CASE(conn_remote_end_sending),
	KUNIT_CASE(conn_remote_end_asked),
	KUNIT_CASE(conn_remote_end_child),
	KUNIT_CASE(conn_reconnect),
	KUNIT_CASE(conn_wrong_id),
	KUNIT_CASE(conn_damaged),
	KUNIT_CASE(conn_damaged_others),
	KUNIT_CASE(conn_lost_header),
	KUNIT_CASE(conn_stale_payload),
	KUNIT_CASE(conn_too_many),
	KUNIT_CASE(conn_lingers_unopened),
	KUNIT_CASE(conn_drains),
	KUNIT_CASE(conn_drains_stuck),
	KUNIT_CASE(conn_yields),
	KUNIT_CASE(conn_yields_too_late),
	KUNIT_CASE(conn_yields_no_more),
	KUNIT_CASE(conn_yields_unopened),
	KUNIT_CASE(conn_yields_in_vain),
	KUNIT_CASE(conn_yielding_ends),
	KUNIT_CASE(conn_auto_deleted_late),
	KUNIT_CASE(conn_yielding_auto_deleted),
	KUNIT_CASE(conn_yielding_superseded),
	KUNIT_CASE(conn_yielding_near),
	KUNIT_CASE(conn_cut),
	KUNIT_CASE(conn_lingers_blocked),
	KUNIT_CASE(conn_no_link),
	KUNIT_CASE(conn_accept_overflow),
	KUNIT_CASE(conn_server_receives),
	KUNIT_CASE(conn_unread),
	KUNIT_CASE(conn_unread_served),
	KUNIT_CASE(conn_unread_datagram),
	KUNIT_CASE(conn_high_numbers),
	KUNIT_CASE(conn_number_reused_in_send),
	KUNIT_CASE(conn_number_reused_by_nobody),
	KUNIT_CASE(conn_unread_unlisted),
	KUNIT_CASE(conn_nothing_announced),
	KUNIT_CASE(conn_guesses),
	KUNIT_CASE(conn_guesses_near),
	KUNIT_CASE(conn_guess_over),
	KUNIT_CASE(conn_guess_near),
	KUNIT_CASE(conn_guess_lost),
	KUNIT_CASE(conn_guess_unplugged),
	KUNIT_CASE(conn_number_unplugged),
	KUNIT_CASE(conn_doubt_unplugged),
	KUNIT_CASE(conn_guess_announced),
	KUNIT_CASE(conn_guess_announced_meanwhile),
	KUNIT_CASE(conn_guess_ended),
	KUNIT_CASE(conn_guess_announced_late),
	KUNIT_CASE(conn_guess_announced_too_late),
	KUNIT_CASE(conn_announced_twice),
	KUNIT_CASE(conn_numbers_used_up),
	KUNIT_CASE(conn_stale_announced),
	KUNIT_CASE(conn_end_while_reading),
	KUNIT_CASE(conn_end_while_asked),
	KUNIT_CASE(conn_anew_soon),
	KUNIT_CASE(conn_end_fetched_late),
	KUNIT_CASE(conn_end_fetched_slowly),
	KUNIT_CASE(conn_end_fetched_untold),
	KUNIT_CASE(conn_end_fetched_unsent),
	KUNIT_CASE(conn_numbers_damaged),
	KUNIT_CASE(conn_refusal_forged),
	KUNIT_CASE(conn_numbers_untold),
	KUNIT_CASE(conn_numbers_lost),
	KUNIT_CASE(conn_overflow),
	KUNIT_CASE(conn_throttle_slow),
	KUNIT_CASE(conn_throttle_stopped),
	KUNIT_CASE(conn_throttle_child),
	KUNIT_CASE(conn_throttle_ends),
	KUNIT_CASE(conn_swallowed),
	KUNIT_CASE(conn_swallowed_lost),
	KUNIT_CASE(conn_swallows_long),
	KUNIT_CASE(conn_send_refused),
	KUNIT_CASE(conn_send_blocked),
	KUNIT_CASE(conn_reconcile),
	KUNIT_CASE(conn_unverified),
	KUNIT_CASE(conn_unverified_broken_off),
	KUNIT_CASE(conn_unverified_restarted),
	KUNIT_CASE(conn_unverified_fetched),
	KUNIT_CASE(conn_unverified_flood),
	KUNIT_CASE(conn_doubt),
	KUNIT_CASE(conn_doubt_damage),
	KUNIT_CASE(conn_doubt_unasked),
	KUNIT_CASE(conn_doubt_swallowed),
	KUNIT_CASE(conn_doubt_answered),
	KUNIT_CASE(conn_doubt_row),
	KUNIT_CASE(conn_doubt_no_row),
	KUNIT_CASE(conn_doubt_barrier),
	KUNIT_CASE(conn_doubtful),
	KUNIT_CASE(conn_unexplained),
	KUNIT_CASE(conn_lost_comma),
	KUNIT_CASE(conn_refused_speaks),
	KUNIT_CASE(conn_dgram_dropped),
	KUNIT_CASE(conn_dgram_flood),
	KUNIT_CASE(conn_long_ago),
	KUNIT_CASE(conn_no_number),
	KUNIT_CASE(conn_fetch_flood),
	KUNIT_CASE(conn_server_not_fetched),
	KUNIT_CASE(conn_renew_number),
	KUNIT_CASE(conn_renew_bound),
	KUNIT_CASE(conn_server_forgets),
	KUNIT_CASE(conn_refused),
	KUNIT_CASE(conn_end_of_last_number),
	KUNIT_CASE(conn_bytes_of_last_number),
	KUNIT_CASE(conn_bytes_of_no_number),
	KUNIT_CASE(conn_number_of_child),
	KUNIT_CASE(conn_number_of_gone),
	KUNIT_CASE(conn_number_of_refused),
	KUNIT_CASE(conn_refused_many),
	KUNIT_CASE(conn_refused_late),
	KUNIT_CASE(conn_child_late),
	KUNIT_CASE(conn_refused_soon),
	KUNIT_CASE(conn_refused_after_ca),
	KUNIT_CASE(conn_refused_after_busy),
	KUNIT_CASE(conn_silent),
	KUNIT_CASE(conn_silent_unasked),
	KUNIT_CASE(conn_silent_name),
	KUNIT_CASE(conn_users_connect),
	KUNIT_CASE(conn_users_wait),
	KUNIT_CASE(conn_users_tie),
	KUNIT_CASE(conn_users_tie_late),
	KUNIT_CASE(conn_users_starve),
	KUNIT_CASE(conn_remotes_connect),
	KUNIT_CASE(conn_remotes_passed),
	KUNIT_CASE(conn_users_paid),
	KUNIT_CASE(conn_users_queue),
	KUNIT_CASE(conn_users_owe),
	KUNIT_CASE(conn_users_halves),
	KUNIT_CASE(conn_users_between),
	KUNIT_CASE(conn_users_pay),
	KUNIT_CASE(conn_users_owe_both),
	KUNIT_CASE(conn_users_pass),
	KUNIT_CASE(conn_users_receive),
	KUNIT_CASE(conn_raw_datagrams),
	KUNIT_CASE(conn_raw_end),
	KUNIT_CASE(conn_raw_end_in_pieces),
	KUNIT_CASE(conn_raw_given_back),
	KUNIT_CASE(conn_raw_sends_after),
	KUNIT_CASE(conn_raw_sends_first),
	KUNIT_CASE(conn_raw_leaves),
	KUNIT_CASE(conn_raw_throttle),
	KUNIT_CASE(conn_dumped),
	KUNIT_CASE(conn_users_send),
	KUNIT_CASE(conn_abandoned),
	KUNIT_CASE(conn_share_index),
	KUNIT_CASE(conn_share_subuids),
	KUNIT_CASE(conn_keepalive),
	KUNIT_CASE(conn_delete_misheard),
	KUNIT_CASE(conn_gone_many),
	KUNIT_CASE(conn_delete_unknown),
	KUNIT_CASE(conn_boot_untold),
	KUNIT_CASE(conn_purge_misheard),
	KUNIT_CASE(conn_left_to_delete),
	KUNIT_CASE(conn_left_for_good),
	KUNIT_CASE(conn_accepted_unheard),
	KUNIT_CASE(conn_read_misheard),
	KUNIT_CASE(conn_mode_misheard),
	KUNIT_CASE(conn_send_misheard),
	KUNIT_CASE(conn_connect_bare),
	KUNIT_CASE(conn_send_bare),
	KUNIT_CASE(conn_number_taken),
	KUNIT_CASE(conn_no_servers),
	KUNIT_CASE(conn_gone),
	KUNIT_CASE(conn_forgets),
	KUNIT_CASE(conn_server_stays_ended),
	KUNIT_CASE(conn_forgets_others),
	{}
};

static struct kunit_suite conn_suite = {
	.name = "atwifi_conn",
	.init = conn_test_init,
	.exit = conn_test_exit,
	.test_cases = conn_cases,
};

kunit_test_suites(&conn_suite);
