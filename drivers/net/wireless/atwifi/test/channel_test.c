// SPDX-License-Identifier: GPL-2.0-only
/*
 * The channel against a scripted UART: what is written is looked up in a
 * script, and the answer is received before write() returns.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/sched.h>
#include <linux/skbuff.h>

#include "../channel.h"
#include "../firmware.h"
#include "../timing.h"

struct script {
	const char	*line;		/* as written, without CR LF */
	const char	*answer;
};

struct fake {
	struct atw_transport	t;
	struct atw_channel	ch;
	const struct script	*script;
	unsigned int		step;
	char			rx[512];
	unsigned int		rx_len;
	unsigned int		writes;
	u32			payload_left;	/* bytes after a prompt */
	const char		*after_payload;
	const char		*in_payload;	/* as soon as a part was written */
	bool			halts;		/* then */
	unsigned int		unsent;		/* of what the UART has taken */
	int			(*todo)(struct fake *f);
	int			result;
	struct completion	done;
	struct completion	written;
	bool			full;		/* the UART takes nothing */
	unsigned int		wakes;		/* of the thread, while it works */
	long			rest;		/* until there may be work again, 0: a second */
	enum atw_event_type	events[32];
	u32			ids[32];
	unsigned int		nevents;
	bool			may_wait;	/* for a disk, where it is told of an event */
	bool			dawdles;	/* there, until the thread waits for that */
	bool			unwanted;	/* nobody wants what is received */
	u8			sink[64];
	struct atw_cmd		cmd;
	struct sk_buff		*skb;
	char			row[64];
};

static void fake_say(struct fake *f, const char *s)
{
	atw_channel_receive(&f->ch, (const u8 *)s, strlen(s));
}

static ssize_t fake_write(struct atw_transport *t, const u8 *buf, size_t len)
{
	struct fake *f = container_of(t, struct fake, t);
	const struct script *s;
	/* Odd sizes: the channel must go on from where the UART stopped. */
	size_t n = min_t(size_t, len, 7);

	f->writes++;
	if (f->payload_left) {
		n = min_t(size_t, n, f->payload_left);
		f->payload_left -= n;
		if (!f->payload_left && f->after_payload)
			fake_say(f, f->after_payload);
		if (f->payload_left && f->in_payload)
			fake_say(f, f->in_payload);
		if (f->halts)
			atw_channel_halt(&f->ch);
		return n;
	}
	if (f->rx_len + n >= sizeof(f->rx))
		return -EIO;
	memcpy(f->rx + f->rx_len, buf, n);
	f->rx_len += n;
	if (f->rx_len < 2 || memcmp(f->rx + f->rx_len - 2, "\r\n", 2))
		return n;

	f->rx[f->rx_len - 2] = '\0';
	f->rx_len = 0;
	s = &f->script[f->step];
	if (!s->line || strcmp(s->line, f->rx))
		return -EIO;
	f->step++;
	if (s->answer)
		fake_say(f, s->answer);
	complete(&f->written);
	return n;
}

static const struct atw_transport_ops fake_ops = { .write = fake_write };

static bool fake_work(void *ctx)
{
	struct fake *f = ctx;

	if (!f->todo)
		return false;
	f->result = f->todo(f);
	f->todo = NULL;
	complete(&f->done);
	return true;
}

static long fake_next_work(void *ctx)
{
	struct fake *f = ctx;

	return f->rest ?: HZ;
}

/* Does the thread wait for a lock? For anything else it would be idle. */
static bool fake_waits(const struct fake *f)
{
	return READ_ONCE(f->ch.thread->__state) == TASK_UNINTERRUPTIBLE;
}

static void fake_event(void *ctx, const struct atw_event *ev)
{
	unsigned long end = jiffies + 60 * HZ;
	struct fake *f = ctx;

	while (f->dawdles && !fake_waits(f) && time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	f->may_wait |= !(current->flags & PF_MEMALLOC_NOIO);
	if (f->nevents == ARRAY_SIZE(f->events))
		return;
	f->ids[f->nevents] = ev->id;
	f->events[f->nevents++] = ev->type;
}

static u8 *fake_payload(void *ctx, u32 id, u32 len)
{
	struct fake *f = ctx;

	return len <= sizeof(f->sink) && !f->unwanted ? f->sink : NULL;
}

static const struct atw_channel_ops fake_channel_ops = {
	.work = fake_work,
	.next_work = fake_next_work,
	.event = fake_event,
	.payload = fake_payload,
	.payload_end = fake_event,
};

static struct fake *fake_start(struct kunit *test, const struct script *script,
			       int (*todo)(struct fake *f))
{
	struct fake *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	struct device *dev = kunit_kzalloc(test, sizeof(*dev), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	KUNIT_ASSERT_NOT_NULL(test, dev);
	dev->init_name = "atwifi_test";
	f->t.ops = &fake_ops;
	f->script = script;
	f->todo = todo;
	init_completion(&f->done);
	init_completion(&f->written);
	KUNIT_ASSERT_EQ(test, 0, atw_channel_start(&f->ch, &fake_channel_ops, f,
						   &f->t, dev));
	atw_channel_go(&f->ch);
	return f;
}

static void fake_finish(struct kunit *test, struct fake *f)
{
	KUNIT_EXPECT_NE(test, 0UL, wait_for_completion_timeout(&f->done,
							       60 * HZ));
	atw_channel_stop(&f->ch);
	kfree_skb(f->skb);
}

/* What it was to do is over, and has come to that. */
#define fake_ends(test, f, want) do {					\
	fake_finish(test, f);						\
	KUNIT_EXPECT_EQ(test, want, (f)->result);			\
} while (0)

static int run_at(struct fake *f)
{
	return atw_channel_run(&f->ch, "AT", HZ / 5);
}

static int run_memory(struct fake *f)
{
	return current->flags & PF_MEMALLOC_NOIO ? 0 : -EDEADLK;
}

static bool keep_row(struct atw_cmd *cmd, const char *text)
{
	struct fake *f = cmd->priv;

	strscpy(f->row, text, sizeof(f->row));
	return true;
}

static int run_query(struct fake *f)
{
	f->cmd.timeout = HZ / 5;
	f->cmd.row = keep_row;
	f->cmd.priv = f;
	atw_line_start(&f->cmd.line, "AT+WMODE?");
	return atw_channel_exec(&f->ch, &f->cmd);
}

static int run_send(struct fake *f)
{
	f->skb = alloc_skb(20, GFP_KERNEL);
	if (!f->skb)
		return -ENOMEM;
	skb_put_data(f->skb, "0123456789abcdefghij", 20);
	f->cmd.timeout = HZ / 5;
	f->cmd.payload = f->skb;
	f->cmd.payload_off = 5;
	f->cmd.payload_len = 15;
	f->payload_left = 0;
	atw_line_start(&f->cmd.line, "AT+SOCKETSEND=");
	atw_line_uint(&f->cmd.line, 100);
	atw_line_uint(&f->cmd.line, 15);
	return atw_channel_exec(&f->ch, &f->cmd);
}

struct outcome {
	const char		*name;
	struct script		script[6];
	int			(*todo)(struct fake *f);
	int			result;
	u32			code;
};

/* The table of sockets: knows rows, and nothing else. */
static bool table_row(struct atw_cmd *cmd, const char *text)
{
	struct atw_sock_row row;

	return atw_parse_sock_row(text, &row);
}

static int run_table(struct fake *f)
{
	f->cmd.timeout = HZ / 5;
	f->cmd.row = table_row;
	atw_line_start(&f->cmd.line, "AT+SOCKET?");
	return atw_channel_exec(&f->ch, &f->cmd);
}

static const struct outcome outcomes[] = {
	{ "ok", { { "AT", "\r\nOK\r\n" } }, run_at, 0, 0 },
	{ "silence", { { "AT", NULL } }, run_at, -ETIMEDOUT, 0 },
	{ "unknown", { { "AT+WMODE?", "Unknown cmd:AT+WMODE\r\n" },
		       { "AT", "\r\nOK\r\n" },
		       { "AT+WMODE?", "Unknown cmd:AT+WMODE\r\n" } },
	  run_query, -EOPNOTSUPP, 0 },
	{ "unknown_once", { { "AT+WMODE?", "Unknown cmd:AT+WMOD\r\n" },
			    { "AT", "\r\nOK\r\n" },
			    { "AT+WMODE?", "\r\n+WMODE:1\r\nOK\r\n" } },
	  run_query, 0, 0 },
	{ "unknown_after_damage", { { "AT+WMODE?", "Unknown cmd:AT+WMOD\r\n" },
				    { "AT", "\r\nOK\r\n" },
				    { "AT+WMODE?", "Unknown cmd:AT+WMODE\r\n" },
				    { "AT", "\r\nOK\r\n" },
				    { "AT+WMODE?", "Unknown cmd:AT+WMODE\r\n" } },
	  run_query, -EOPNOTSUPP, 0 },
	{ "unknown_each_time", { { "AT+WMODE?", "Unknown cmd:AT+WMOD\r\n" },
				 { "AT", "\r\nOK\r\n" },
				 { "AT+WMODE?", "Unknown cmd:AT+MODE\r\n" },
				 { "AT", "\r\nOK\r\n" },
				 { "AT+WMODE?", "Unknown cmd:A+WMODE\r\n" } },
	  run_query, -EPROTO, 0 },
	{ "unknown_like_all", { { "AT+WMODE?", "Unknown cmd:AT+WMODE\r\n" },
				{ "AT", "Unknown cmd:AT\r\n" } },
	  run_query, -EPROTO, 0 },
	{ "unknown_then_silence", { { "AT+WMODE?", "Unknown cmd:AT+WMODE\r\n" },
				    { "AT", NULL } },
	  run_query, -ETIMEDOUT, 0 },
	{ "unknown_of_a_barrier", { { "AT", "Unknown cmd:AT+ATW0123456789ABCDEF\r\n"
				      "\r\nOK\r\n" } }, run_at, 0, 0 },
	{ "error_classic", { { "AT+WMODE?", "\r\n+WMODE:65\r\nERROR\r\n" } },
	  run_query, -EREMOTEIO, 65 },
	{ "error_middleware",
	  { { "AT+WMODE?", "\r\nAT+WMODE:65\r\n+ERROR\r\n" } },
	  run_query, -EREMOTEIO, 65 },
	{ "error_bare", { { "AT", "\r\nERROR\r\n" },
			  { "AT", "\r\nERROR\r\n" } }, run_at, -EREMOTEIO, 0 },
	{ "error_once", { { "AT", "\r\nERROR\r\n" },
			  { "AT", "\r\nOK\r\n" } }, run_at, 0, 0 },
	{ "busy_then_ok", { { "AT", "\r\n[Busy]Cmd running\r\n" },
			    { "AT", "\r\nOK\r\n" } }, run_at, 0, 0 },
	{ "event_before_ok",
	  { { "AT", "\r\n+EVENT:WIFI_CONNECT\r\n\r\nOK\r\n" } },
	  run_at, 0, 0 },
	{ "reset", { { "AT", "\r\nready\r\n" } }, run_at, -ECONNRESET, 0 },
	{ "error_for_prompt",
	  { { "AT+SOCKETSEND=100,15", "\r\n+SOCKETSEND:4\r\nERROR\r\n" } },
	  run_send, -EREMOTEIO, 4 },
	{ "ok_for_prompt", { { "AT+SOCKETSEND=100,15", "\r\nOK\r\n" } },
	  run_send, -EPROTO, 0 },
};

static void outcome_desc(const struct outcome *o, char *desc)
{
	strscpy(desc, o->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(outcome, outcomes, outcome_desc);

static void channel_outcome(struct kunit *test)
{
	const struct outcome *o = test->param_value;
	struct fake *f = fake_start(test, o->script, o->todo);

	fake_ends(test, f, o->result);
	KUNIT_EXPECT_EQ(test, o->code, f->cmd.code);
}

static void channel_query(struct kunit *test)
{
	static const struct script script[] = {
		{ "AT+WMODE?", "\r\n+WMODE:1\r\nOK\r\n" }, { }
	};
	struct fake *f = fake_start(test, script, run_query);

	fake_ends(test, f, 0);
	KUNIT_EXPECT_STREQ(test, "+WMODE:1", f->row);
}

/* What neither the query nor the protocol knows is what is left of a print. */
static void channel_stray_line(struct kunit *test)
{
	static const struct script script[] = {
		{ "AT+SOCKET?", "1,4,3,1.2.3.4,80,-1,0\r\n"
		  "VENT:SocketDown,118,5,hello\r\n"
		  "+WRSSI:-50\r\n\r\nOK\r\n" }, { }
	};
	struct fake *f = fake_start(test, script, run_table);

	fake_ends(test, f, 0);
	KUNIT_EXPECT_EQ(test, 1U, f->nevents);
	KUNIT_EXPECT_EQ(test, ATW_EV_DAMAGE, f->events[0]);
	KUNIT_EXPECT_EQ(test, ATW_NO_ID, f->ids[0]);
}

/* Nor is it a row when the answer is over, or when nobody asked: it may be late. */
static void channel_late_row(struct kunit *test)
{
	static const struct script script[] = {
		{ "AT+SOCKET?", "\r\nOK\r\n1,4,3,1.2.3.4,80,-1,0\r\n" }, { }
	};
	struct fake *f = fake_start(test, script, run_table);

	fake_ends(test, f, 0);
	KUNIT_EXPECT_EQ(test, 1U, f->nevents);
	KUNIT_EXPECT_EQ(test, ATW_EV_UNEXPECTED, f->events[0]);
}

/* What a module says when it starts is told, unless its versions were asked for. */
static void channel_banner(struct kunit *test)
{
	static const struct script script[] = {
		{ "AT+SOCKET?", "\r\n+WRSSI:-50\r\n#calibration_ok:[2:19:11] \r\n\r\n"
		  "at version:release/V4.18_P2.29.2 sdk version:amebad_v6.2C "
		  "firmware version:release/V4.18_P5.6.4(May 30 2023-10:28:28)\r\n"
		  "\r\nOK\r\n" }, { }
	};
	struct fake *f = fake_start(test, script, run_table);

	fake_ends(test, f, 0);
	KUNIT_ASSERT_EQ(test, 2U, f->nevents);
	KUNIT_EXPECT_EQ(test, ATW_EV_BANNER, f->events[0]);
	KUNIT_EXPECT_EQ(test, ATW_EV_BANNER, f->events[1]);
}

/* Lines that begin with "AT", and which of them is what was written. */
static void channel_echo(struct kunit *test)
{
	static const struct script script[] = {
		{ "AT+SOCKET?", "AT+SOCKET\r\nATTENTION\r\nAT+PING:TIMEOUT\r\n"
		  "AT+SOCKET?\r\n\r\nOK\r\n" }, { }
	};
	struct fake *f = fake_start(test, script, run_table);

	fake_ends(test, f, 0);
	KUNIT_EXPECT_EQ(test, 3U, f->nevents);
	KUNIT_EXPECT_EQ(test, ATW_EV_UNEXPECTED, f->events[0]);
	KUNIT_EXPECT_EQ(test, ATW_EV_UNEXPECTED, f->events[1]);
	KUNIT_EXPECT_EQ(test, ATW_EV_ECHO, f->events[2]);
}

/* An answer that nobody awaits is told, but not to a command. */
static void channel_unasked(struct kunit *test)
{
	static const struct script script[] = {
		{ "AT", "\r\nOK\r\n\r\nERROR\r\n" }, { }
	};
	struct fake *f = fake_start(test, script, run_at);

	fake_ends(test, f, 0);
	KUNIT_EXPECT_EQ(test, 1U, f->nevents);
	KUNIT_EXPECT_EQ(test, ATW_EV_DOUBTFUL, f->events[0]);
	KUNIT_EXPECT_EQ(test, ATW_NO_ID, f->ids[0]);
}

static int run_at_then_rest(struct fake *f)
{
	f->rest = MAX_SCHEDULE_TIMEOUT;
	return run_at(f);
}

/* The UART speaks of room all the time: a thread that has nothing to write sleeps on. */
static void channel_room_for_nothing(struct kunit *test)
{
	static const struct script script[] = { { "AT", "\r\nOK\r\n" }, { } };
	struct fake *f = fake_start(test, script, run_at_then_rest);
	unsigned long sleeps;
	unsigned int i;

	KUNIT_EXPECT_NE(test, 0UL, wait_for_completion_timeout(&f->done, 60 * HZ));
	sleeps = READ_ONCE(f->ch.thread->nvcsw);
	for (i = 0; i < 20; i++) {
		atw_channel_write_wakeup(&f->ch);
		msleep(20);
	}
	sleeps = READ_ONCE(f->ch.thread->nvcsw) - sleeps;
	atw_channel_stop(&f->ch);
	/* It may have been on its way to sleep. */
	KUNIT_EXPECT_LE(test, sleeps, 2UL);
}

/* What waits for room goes on when there is some. */
static ssize_t full_write(struct atw_transport *t, const u8 *buf, size_t len)
{
	struct fake *f = container_of(t, struct fake, t);

	if (READ_ONCE(f->full)) {
		complete(&f->written);
		return 0;
	}
	return fake_write(t, buf, len);
}

static const struct atw_transport_ops full_ops = { .write = full_write };

static int run_at_full(struct fake *f)
{
	f->t.ops = &full_ops;
	return run_at(f);
}

static void channel_room(struct kunit *test)
{
	static const struct script script[] = { { "AT", "\r\nOK\r\n" }, { } };
	struct fake *f = fake_start(test, script, NULL);
	unsigned long sleeps, start;

	WRITE_ONCE(f->full, true);
	f->todo = run_at_full;
	atw_channel_kick(&f->ch);
	KUNIT_EXPECT_NE(test, 0UL, wait_for_completion_timeout(&f->written, 60 * HZ));
	KUNIT_EXPECT_TRUE(test, test_bit(ATW_CH_FULL, &f->ch.flags));
	sleeps = READ_ONCE(f->ch.thread->nvcsw);
	start = jiffies;
	msleep(300);
	sleeps = READ_ONCE(f->ch.thread->nvcsw) - sleeps;
	/* It is not woken before, but tries again now and then. */
	KUNIT_EXPECT_LE(test, sleeps, 2 + (jiffies - start) * 4 / HZ);
	WRITE_ONCE(f->full, false);
	atw_channel_write_wakeup(&f->ch);
	fake_ends(test, f, 0);
	KUNIT_EXPECT_FALSE(test, test_bit(ATW_CH_FULL, &f->ch.flags));
}

/* The prompt, and the payload from then on. */
static ssize_t prompt_write(struct atw_transport *t, const u8 *buf, size_t len)
{
	struct fake *f = container_of(t, struct fake, t);
	unsigned int step = f->step;
	ssize_t n = fake_write(t, buf, len);

	if (f->step != step) {
		f->payload_left = 15;
		fake_say(f, ">");
	}
	return n;
}

static const struct atw_transport_ops prompt_ops = { .write = prompt_write };

static int run_send_with_prompt(struct fake *f)
{
	f->t.ops = &prompt_ops;
	return run_send(f);
}

static const struct script send_script[] = {
	{ "AT+SOCKETSEND=100,15", NULL }, { }
};

static void channel_send(struct kunit *test)
{
	struct fake *f = fake_start(test, send_script, NULL);

	f->after_payload = "\r\n+EVENT:SocketDisconnect,202\r\n\r\nOK\r\n";
	f->todo = run_send_with_prompt;
	atw_channel_kick(&f->ch);
	fake_ends(test, f, 0);
	KUNIT_EXPECT_EQ(test, 15U, f->cmd.sent);
	KUNIT_EXPECT_EQ(test, 0U, f->ch.owed);
	KUNIT_EXPECT_EQ(test, 1U, f->nevents);
	KUNIT_EXPECT_EQ(test, ATW_EV_DISCONNECT, f->events[0]);
	KUNIT_EXPECT_EQ(test, 202U, f->ids[0]);
}

/* It has lost a digit of the length: what it took is not what was sent. */
static void channel_send_ends_early(struct kunit *test)
{
	static const char *const ends[] = {
		"\r\nOK\r\n", "\r\nERROR\r\n", "\r\n[Busy]Cmd running\r\n",
	};
	struct fake *f;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		f = fake_start(test, send_script, NULL);
		f->in_payload = ends[i];
		f->todo = run_send_with_prompt;
		atw_channel_kick(&f->ch);
		fake_ends(test, f, -EPROTO);
		/* No more of it follows, which would be taken for commands. */
		KUNIT_EXPECT_EQ(test, 8U, f->payload_left);
		KUNIT_EXPECT_EQ(test, 0U, f->ch.owed);
	}
}

static unsigned int fake_unsent(struct atw_transport *t)
{
	return container_of(t, struct fake, t)->unsent;
}

static const struct atw_transport_ops queue_ops = {
	.write = prompt_write,
	.unsent = fake_unsent,
};

static int run_send_by_queue(struct fake *f)
{
	f->t.ops = &queue_ops;
	return run_send(f);
}

/* The same where the UART's driver takes all at once, and tells what it has left. */
static void channel_send_ends_unsent(struct kunit *test)
{
	unsigned int unsent;
	struct fake *f;

	for (unsent = 0; unsent < 2; unsent++) {
		f = fake_start(test, send_script, NULL);
		f->unsent = unsent;
		f->after_payload = "\r\nOK\r\n";
		f->todo = run_send_by_queue;
		atw_channel_kick(&f->ch);
		fake_ends(test, f, unsent ? -EPROTO : 0);
		KUNIT_EXPECT_EQ(test, 0U, f->ch.owed);
	}
}

/*
 * The module has asked for a payload, and has it whole when its channel is stopped: it would
 * take what is said to it next for the rest.
 */
static void channel_send_is_stopped(struct kunit *test)
{
	struct fake *f = fake_start(test, send_script, NULL);

	f->halts = true;
	f->todo = run_send_with_prompt;
	atw_channel_kick(&f->ch);
	fake_ends(test, f, -ENODEV);
	KUNIT_EXPECT_EQ(test, 0U, f->payload_left);
	KUNIT_EXPECT_EQ(test, 0U, f->ch.owed);
}

static int run_send_lost(struct fake *f)
{
	static const bool lost = true;

	f->cmd.lost = &lost;
	return run_send(f);
}

/* The prompt of a connection that is gone waits for what the module prints meanwhile. */
static void channel_send_lost(struct kunit *test)
{
	unsigned long patience = atw_timing.prompt;
	struct fake *f;

	/* However late this thread is after the pause. */
	atw_timing.prompt = 60 * HZ;
	f = fake_start(test, send_script, run_send_lost);
	KUNIT_EXPECT_NE(test, 0UL, wait_for_completion_timeout(&f->written, 60 * HZ));
	schedule_timeout_uninterruptible(atw_timing.hurry + HZ / 2);
	f->after_payload = "\r\nOK\r\n";
	f->payload_left = 15;
	fake_say(f, ">");
	fake_ends(test, f, 0);
	atw_timing.prompt = patience;
	KUNIT_EXPECT_EQ(test, 0U, f->ch.owed);
}

static int run_send_astray(struct fake *f)
{
	static const bool astray = true;

	f->cmd.astray = &astray;
	return run_send(f);
}

/* What is not done is not done again where the number is somebody else's by now. */
static void channel_send_astray(struct kunit *test)
{
	static const struct script script[] = {
		{ "AT+SOCKETSEND=100,15", "\r\n[Busy]Cmd running\r\n" }, { }
	};
	struct fake *f = fake_start(test, script, run_send_astray);

	fake_ends(test, f, -EBUSY);
	KUNIT_EXPECT_EQ(test, 1U, f->step);
}

/* What this firmware does for a connection that it has lost. */
static void channel_send_then_silence(struct kunit *test)
{
	struct fake *f = fake_start(test, send_script, NULL);

	f->todo = run_send_with_prompt;
	atw_channel_kick(&f->ch);
	fake_ends(test, f, -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, 15U, f->cmd.sent);
	KUNIT_EXPECT_EQ(test, 1LL, atomic64_read(&f->ch.timeouts));
}

static void channel_payload(struct kunit *test)
{
	static const struct script script[] = {
		{ "AT", "\r\n+EVENT:SocketDown,100,4,>OK\n\r\n\r\nOK\r\n" }, { }
	};
	struct fake *f = fake_start(test, script, run_at);

	fake_ends(test, f, 0);
	KUNIT_EXPECT_EQ(test, 1U, f->nevents);
	KUNIT_EXPECT_EQ(test, ATW_EV_PAYLOAD_END, f->events[0]);
	KUNIT_EXPECT_EQ(test, 0, memcmp(f->sink, ">OK\n", 4));
}

static int run_at_torn(struct fake *f)
{
	f->unwanted = true;
	atw_channel_set_tears(&f->ch, true);
	return run_at(f);
}

/* What has torn a payload that nobody wants is taken out as well: it is the answer. */
static void channel_payload_unwanted(struct kunit *test)
{
	static const struct script script[] = {
		{ "AT", "\r\n+EVENT:SocketDown,100,9,\r\nOK\r\naithinker\r\n" }, { }
	};
	struct fake *f = fake_start(test, script, run_at_torn);

	fake_ends(test, f, 0);
	KUNIT_EXPECT_EQ(test, 1U, f->nevents);
	KUNIT_EXPECT_EQ(test, ATW_EV_PAYLOAD_END, f->events[0]);
}

static int run_long(struct fake *f)
{
	return atw_channel_run(&f->ch, "AT", 600 * HZ);
}

/* A module that starts in the middle of a command has none to answer. */
static void channel_banner_for_answer(struct kunit *test)
{
	static const struct script script[] = {
		{ "AT", "#calibration_ok:[2:19:11] \r\n" }, { }
	};
	struct fake *f = fake_start(test, script, run_long);

	fake_ends(test, f, -ETIMEDOUT);
}

static void channel_stop_in_flight(struct kunit *test)
{
	static const struct script script[] = { { "AT", NULL }, { } };
	struct fake *f = fake_start(test, script, run_long);

	KUNIT_EXPECT_NE(test, 0UL, wait_for_completion_timeout(&f->written,
							       60 * HZ));
	atw_channel_stop(&f->ch);
	KUNIT_EXPECT_TRUE(test, completion_done(&f->done));
	KUNIT_EXPECT_EQ(test, -ENODEV, f->result);
	/* Bytes that come afterwards are nobody's. */
	fake_say(f, "\r\n+EVENT:SocketDisconnect,202\r\n");
	KUNIT_EXPECT_EQ(test, 0U, f->nevents);
}

/* A line with an error is not written, whatever it holds. */
static int run_bad_line(struct fake *f)
{
	f->cmd.timeout = HZ;
	atw_line_start(&f->cmd.line, "AT+SOCKET=");
	atw_line_str(&f->cmd.line, atw_firmware_of(ATWIFI_PROFILE_MIDDLEWARE), "a\r\nAT+RST");
	return atw_channel_exec(&f->ch, &f->cmd);
}

static void channel_bad_line(struct kunit *test)
{
	static const struct script script[] = { { } };
	struct fake *f = fake_start(test, script, run_bad_line);

	fake_ends(test, f, -EINVAL);
	KUNIT_EXPECT_EQ(test, 0U, f->writes);
}

/* Most of a payload was lost: the answers that follow are not payload for ever. */
static int ask_until_unstuck(struct fake *f)
{
	int err;

	fake_say(f, "\r\n+EVENT:SocketDown,1,1000,abc");
	err = atw_channel_run(&f->ch, "AT", HZ / 2);
	if (err != -ETIMEDOUT)
		return err ?: -EINVAL;
	atw_channel_unstick(&f->ch);
	return atw_channel_run(&f->ch, "AT", HZ / 2);
}

static void channel_unstick(struct kunit *test)
{
	static const struct script script[] = {
		{ "AT", "\r\nOK\r\n" }, { "AT", "\r\nOK\r\n" }, { }
	};
	struct fake *f = fake_start(test, script, ask_until_unstuck);

	fake_ends(test, f, 0);
	/* What was begun is told to be bad. */
	KUNIT_EXPECT_NE(test, 0U, f->nevents);
}

/* Wait until the channel's thread sleeps in this way. */
static void thread_sleeps(struct kunit *test, struct fake *f, unsigned int state)
{
	unsigned long end = jiffies + 60 * HZ;

	while (READ_ONCE(f->ch.thread->__state) != state &&
	       time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_EQ(test, state, READ_ONCE(f->ch.thread->__state));
}

/*
 * Silence is looked for in the midst of @begun, after which the module was silent for
 * long, but before it is acted upon the receive path has more. Nothing is to be decided.
 */
static void silence_ends(struct kunit *test, const char *begun,
			 enum atw_parse_state state, int (*todo)(struct fake *f))
{
	static const struct script script[] = { { } };
	struct fake *f = fake_start(test, script, NULL);
	size_t used = 0, len = strlen(begun);
	struct atw_event ev;

	thread_sleeps(test, f, TASK_IDLE);
	mutex_lock(&f->ch.rx_lock);
	f->ch.parser.tears = true;
	f->ch.parser.expect_final = true;
	do {
		used += atw_parse(&f->ch.parser, (const u8 *)begun + used,
				  len - used, &ev);
		if (ev.type == ATW_EV_PAYLOAD)
			atw_parser_sink(&f->ch.parser, f->sink);
	} while (used < len || ev.type != ATW_EV_NONE);
	KUNIT_EXPECT_EQ(test, (int)state, (int)f->ch.parser.state);
	WRITE_ONCE(f->ch.rx_last, jiffies - 10 * HZ);
	f->todo = todo;
	atw_channel_kick(&f->ch);
	/* It waits for the lock; for anything else it would be idle. */
	thread_sleeps(test, f, TASK_UNINTERRUPTIBLE);
	/* As often as somebody may look. */
	WRITE_ONCE(f->ch.rx_last, jiffies + 3600 * HZ);
	mutex_unlock(&f->ch.rx_lock);
	fake_finish(test, f);
	KUNIT_EXPECT_EQ(test, (int)state, (int)f->ch.parser.state);
	KUNIT_EXPECT_EQ(test, 0U, f->nevents);
}

static int run_unstick(struct fake *f)
{
	atw_channel_unstick(&f->ch);
	return 0;
}

static int run_nothing(struct fake *f)
{
	return 0;
}

static void channel_unstick_too_late(struct kunit *test)
{
	silence_ends(test, "\r\n+EVENT:SocketDown,100,9,abc", ATW_PS_PAYLOAD,
		     run_unstick);
}

static void channel_tear_too_late(struct kunit *test)
{
	/* More than the four bytes: an answer that was printed before them. */
	silence_ends(test, "\r\n+EVENT:SocketDown,100,4,\r\nERROR\r\n",
		     ATW_PS_TEAR, run_nothing);
}

/* What has two readings while the thread waits for an answer is decided by silence, too. */
static void channel_tear_in_command(struct kunit *test)
{
	static const struct script script[] = { { "AT", NULL }, { } };
	struct fake *f = fake_start(test, script, run_long);
	unsigned long end = jiffies + 60 * HZ;

	KUNIT_EXPECT_NE(test, 0UL, wait_for_completion_timeout(&f->written, 60 * HZ));
	thread_sleeps(test, f, TASK_IDLE);
	mutex_lock(&f->ch.rx_lock);
	f->ch.parser.tears = true;
	mutex_unlock(&f->ch.rx_lock);
	fake_say(f, "\r\n+EVENT:SocketDown,100,4,\r\nERROR\r\n");
	while (READ_ONCE(f->ch.parser.state) == ATW_PS_TEAR && time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_NE(test, ATW_PS_TEAR, READ_ONCE(f->ch.parser.state));
	atw_channel_stop(&f->ch);
}

/* Nobody wakes a thread that waits for an answer before that comes. */
static void channel_answer_comes_late(struct kunit *test)
{
	static const struct script script[] = { { "AT", NULL }, { } };
	struct fake *f = fake_start(test, script, run_long);
	unsigned long sleeps;

	KUNIT_EXPECT_NE(test, 0UL, wait_for_completion_timeout(&f->written, 60 * HZ));
	thread_sleeps(test, f, TASK_IDLE);
	sleeps = READ_ONCE(f->ch.thread->nvcsw);
	msleep(500);
	sleeps = READ_ONCE(f->ch.thread->nvcsw) - sleeps;
	fake_say(f, "\r\nOK\r\n");
	fake_ends(test, f, 0);
	/* It may have been on its way to sleep. */
	KUNIT_EXPECT_LE(test, sleeps, 2UL);
}

static int run_at_patiently(struct fake *f)
{
	return atw_channel_run(&f->ch, "AT", 2 * HZ);
}

/* What is received before the time is up counts, even if something else has to be done first. */
static void channel_answer_comes_last(struct kunit *test)
{
	static const struct script script[] = { { "AT", NULL }, { } };
	struct fake *f = fake_start(test, script, run_at_patiently);

	KUNIT_EXPECT_NE(test, 0UL, wait_for_completion_timeout(&f->written, 60 * HZ));
	f->dawdles = true;
	fake_say(f, "\r\n+EVENT:SocketDisconnect,202\r\n\r\nOK\r\n");
	fake_ends(test, f, 0);
}

/* Much more than the patience of any command that is run here, by 30 bits per second. */
#define BEFORE_ANSWER	"\r\n+EVENT:SocketDown,100,60," \
			"0123456789abcdefghijklmnopqrst0123456789abcdefghijklmnopqrst\r\n"

/* What is printed for others before an answer takes its time on a slow line. */
static void answers_behind(struct kunit *test, struct fake *f, long timeout, const char *answer)
{
	KUNIT_EXPECT_NE(test, 0UL, wait_for_completion_timeout(&f->written, 60 * HZ));
	WRITE_ONCE(f->ch.baud, 30);
	fake_say(f, BEFORE_ANSWER);
	schedule_timeout_uninterruptible(timeout + HZ / 2);
	f->payload_left = 15;
	f->after_payload = "\r\nOK\r\n";
	fake_say(f, answer);
	fake_ends(test, f, 0);
	KUNIT_EXPECT_EQ(test, 1U, f->nevents);
}

static void channel_answer_behind(struct kunit *test)
{
	static const struct script script[] = { { "AT", NULL }, { } };

	answers_behind(test, fake_start(test, script, run_at), HZ / 5, "\r\nOK\r\n");
}

static void channel_prompt_behind(struct kunit *test)
{
	answers_behind(test, fake_start(test, send_script, run_send), atw_timing.prompt, ">");
}

/* A module that starts says so while the thread sleeps, which has ten minutes. */
static void channel_banner_comes_late(struct kunit *test)
{
	static const struct script script[] = { { "AT", NULL }, { } };
	struct fake *f = fake_start(test, script, run_long);

	KUNIT_EXPECT_NE(test, 0UL, wait_for_completion_timeout(&f->written, 60 * HZ));
	thread_sleeps(test, f, TASK_IDLE);
	fake_say(f, "#calibration_ok:[2:19:11] \r\n");
	fake_ends(test, f, -ETIMEDOUT);
}

/* Neither side waits for a disk that may be behind the module itself. */
static void channel_memory(struct kunit *test)
{
	struct fake *f = fake_start(test, NULL, run_memory);

	fake_say(f, "\r\n+EVENT:SocketDisconnect,100\r\n");
	fake_ends(test, f, 0);
	KUNIT_EXPECT_EQ(test, 1U, f->nevents);
	KUNIT_EXPECT_FALSE(test, f->may_wait);
	KUNIT_EXPECT_FALSE(test, current->flags & PF_MEMALLOC_NOIO);
}

static int run_idle(struct fake *f)
{
	return atw_channel_idle(&f->ch, HZ / 10, HZ);
}

/* Bytes that the UART has lost were said: the module's silence settles nothing then. */
static void channel_lost_is_no_silence(struct kunit *test)
{
	struct fake *f = fake_start(test, NULL, run_memory);

	fake_finish(test, f);
	f->ch.rx_last = jiffies - 3600 * HZ;
	KUNIT_EXPECT_TRUE(test, atw_channel_silent(&f->ch, 600 * HZ));
	atw_channel_rx_error(&f->ch);
	KUNIT_EXPECT_FALSE(test, atw_channel_silent(&f->ch, 600 * HZ));
}

/* A module that was last heard so long ago that it lies ahead, where jiffies have 32 bits. */
static void channel_long_silent(struct kunit *test)
{
	static const struct script script[] = { { } };
	struct fake *f = fake_start(test, script, NULL);

	WRITE_ONCE(f->ch.rx_last, jiffies - (ULONG_MAX / 2 + HZ));
	f->todo = run_idle;
	atw_channel_kick(&f->ch);
	fake_ends(test, f, 0);
}

#define SECRET	"whatever nobody is to see"

/* Returns 0 if it was everywhere to be wiped. */
static int run_wipe(struct fake *f)
{
	struct atw_channel *ch = &f->ch;
	bool everywhere;

	run_query(f);
	everywhere = strnstr(ch->parser.line, SECRET, sizeof(ch->parser.line)) &&
		     strnstr(ch->said, SECRET, sizeof(ch->said)) &&
		     strnstr(ch->said_before, SECRET, sizeof(ch->said_before));
	atw_channel_wipe(ch);
	return everywhere ? 0 : -ENOENT;
}

/* Of a secret that the module repeats where it does not understand nothing stays here. */
static void channel_wipe(struct kunit *test)
{
	static const struct script script[] = {
		{ "AT+WMODE?", "Unknown cmd:AT+WMODE=" SECRET "\r\n" },
		{ "AT", "\r\nOK\r\n" },
		{ "AT+WMODE?", "Unknown cmd:AT+WMODE=" SECRET "\r\n" }, { }
	};
	struct fake *f = fake_start(test, script, run_wipe);

	fake_ends(test, f, 0);
	KUNIT_EXPECT_NULL(test, strnstr((const char *)&f->ch, SECRET, sizeof(f->ch)));
}

static int run_then_rest(struct fake *f)
{
	f->rest = MAX_SCHEDULE_TIMEOUT;
	return 0;
}

static int count_wake(struct wait_queue_entry *wait, unsigned int mode, int flags, void *key)
{
	(*(unsigned int *)wait->private)++;
	return 0;
}

/* Somebody has more work while it does some. */
static int run_with_more(struct fake *f)
{
	wait_queue_entry_t wait = { .func = count_wake, .private = &f->wakes };

	INIT_LIST_HEAD(&wait.entry);
	add_wait_queue(&f->ch.wait, &wait);
	atw_channel_has_work(&f->ch);
	remove_wait_queue(&f->ch.wait, &wait);
	return 0;
}

/* A thread that waits for the module is not woken for what it does only after that. */
static void channel_more_work(struct kunit *test)
{
	static const struct script script[] = { { } };
	struct fake *f = fake_start(test, script, run_then_rest);

	KUNIT_EXPECT_NE(test, 0UL, wait_for_completion_timeout(&f->done, 60 * HZ));
	thread_sleeps(test, f, TASK_IDLE);
	f->todo = run_with_more;
	atw_channel_kick(&f->ch);
	fake_finish(test, f);
	KUNIT_EXPECT_EQ(test, 0U, f->wakes);
}

static struct kunit_case channel_cases[] = {
	KUNIT_CASE_PARAM(channel_outcome, outcome_gen_params),
	KUNIT_CASE(channel_query),
	KUNIT_CASE(channel_stray_line),
	KUNIT_CASE(channel_late_row),
	KUNIT_CASE(channel_banner),
	KUNIT_CASE(channel_echo),
	KUNIT_CASE(channel_unasked),
	KUNIT_CASE(channel_room_for_nothing),
	KUNIT_CASE(channel_room),
	KUNIT_CASE(channel_send),
	KUNIT_CASE(channel_send_ends_early),
	KUNIT_CASE(channel_send_ends_unsent),
	KUNIT_CASE(channel_send_is_stopped),
	KUNIT_CASE(channel_send_lost),
	KUNIT_CASE(channel_send_astray),
	KUNIT_CASE(channel_send_then_silence),
	KUNIT_CASE(channel_payload),
	KUNIT_CASE(channel_payload_unwanted),
	KUNIT_CASE(channel_unstick),
	KUNIT_CASE(channel_unstick_too_late),
	KUNIT_CASE(channel_tear_too_late),
	KUNIT_CASE(channel_tear_in_command),
	KUNIT_CASE(channel_answer_comes_late),
	KUNIT_CASE(channel_answer_comes_last),
	KUNIT_CASE(channel_answer_behind),
	KUNIT_CASE(channel_prompt_behind),
	KUNIT_CASE(channel_banner_comes_late),
	KUNIT_CASE(channel_long_silent),
	KUNIT_CASE(channel_more_work),
	KUNIT_CASE(channel_banner_for_answer),
	KUNIT_CASE(channel_stop_in_flight),
	KUNIT_CASE(channel_bad_line),
	KUNIT_CASE(channel_memory),
	KUNIT_CASE(channel_lost_is_no_silence),
	KUNIT_CASE(channel_wipe),
	{ }
};

static struct kunit_suite channel_suite = {
	.name = "atwifi_channel",
	.test_cases = channel_cases,
};

kunit_test_suites(&channel_suite);
