// SPDX-License-Identifier: GPL-2.0-only
/* What the channel's thread does next, with jobs that note that they were done. */
#include <kunit/test.h>
#include <linux/jiffies.h>
#include <linux/string.h>

#include "../channel.h"
#include "../conn.h"
#include "../sched.h"

/*
 * struct desk - what the jobs have
 * @said: a letter for each job that was done
 * @left: how often each finds something to do
 * @raw: the module is in transparent mode
 */
static struct desk {
	struct atw_channel	ch;
	struct atw_sched	sched;
	char			said[32];
	unsigned int		len;
	unsigned int		left[ATW_DO_COUNT];
	bool			raw;
} *desk;

static void say(char c)
{
	if (desk->len < sizeof(desk->said) - 1)
		desk->said[desk->len++] = c;
}

static bool done(enum atw_todo job, char c)
{
	if (!desk->left[job])
		return false;
	desk->left[job]--;
	say(c);
	atw_sched_set(&desk->sched, job);
	return true;
}

static bool do_bring_up(struct atw_conns *cs)
{
	return done(ATW_DO_BRING_UP, 'b');
}

static bool do_link(struct atw_conns *cs)
{
	return done(ATW_DO_LINK, 'l');
}

static bool do_request(struct atw_conns *cs)
{
	return done(ATW_DO_REQUEST, 'c');
}

static bool wants_request(struct atw_conns *cs)
{
	return desk->left[ATW_DO_REQUEST];
}

static bool do_reconcile(struct atw_conns *cs)
{
	return done(ATW_DO_RECONCILE, 'r');
}

static bool do_conns(struct atw_conns *cs)
{
	return done(ATW_DO_CONNS, 'n');
}

static bool do_idle_request(struct atw_conns *cs)
{
	return done(ATW_DO_IDLE_REQUEST, 'i');
}

static bool is_raw(struct atw_conns *cs)
{
	return desk->raw;
}

static void leave(struct atw_conns *cs)
{
	say('+');
	desk->raw = false;
}

static const struct atw_agenda agenda = {
	.job = {
		[ATW_DO_BRING_UP]	= { do_bring_up, .raw = true, .bars = true },
		[ATW_DO_LINK]		= { do_link },
		[ATW_DO_REQUEST]	= { do_request, wants_request, .turns = true },
		[ATW_DO_RECONCILE]	= { do_reconcile, .turns = true },
		[ATW_DO_CONNS]		= { do_conns, .raw = true },
		[ATW_DO_IDLE_REQUEST]	= { do_idle_request, .idle = true },
	},
	.is_raw = is_raw,
	.leave = leave,
};

static int sched_test_init(struct kunit *test)
{
	desk = kunit_kzalloc(test, sizeof(*desk), GFP_KERNEL);
	if (!desk)
		return -ENOMEM;
	init_waitqueue_head(&desk->ch.wait);
	atw_sched_init(&desk->sched, &desk->ch, &agenda);
	return 0;
}

static void want(enum atw_todo job, unsigned int times)
{
	desk->left[job] = times;
	atw_sched_set(&desk->sched, job);
}

/* What was done until there was nothing. */
static const char *run(void)
{
	memset(desk->said, 0, sizeof(desk->said));
	desk->len = 0;
	while (atw_sched_run(&desk->sched, NULL))
		;
	return desk->said;
}

static void sched_order(struct kunit *test)
{
	want(ATW_DO_IDLE_REQUEST, 2);
	want(ATW_DO_CONNS, 3);
	KUNIT_EXPECT_STREQ(test, "nnnii", run());
	/* What is not set is not done, whatever there were to do. */
	desk->left[ATW_DO_LINK] = 1;
	KUNIT_EXPECT_STREQ(test, "", run());
	KUNIT_EXPECT_FALSE(test, test_bit(ATW_CH_KICKED, &desk->ch.flags) && desk->sched.todo);
	/* One that has something to do for connections has them looked at. */
	desk->left[ATW_DO_CONNS] = 1;
	want(ATW_DO_IDLE_REQUEST, 1);
	KUNIT_EXPECT_STREQ(test, "in", run());
}

/* Nobody has the thread for himself by asking again and again. */
static void sched_turns(struct kunit *test)
{
	want(ATW_DO_REQUEST, 3);
	want(ATW_DO_CONNS, 5);
	KUNIT_EXPECT_STREQ(test, "cncncnnn", run());
	/* Nor two together. */
	want(ATW_DO_REQUEST, 3);
	want(ATW_DO_RECONCILE, 3);
	want(ATW_DO_CONNS, 2);
	KUNIT_EXPECT_STREQ(test, "crcncrnr", run());
	/* Alone it need not wait, and what has time is no other. */
	want(ATW_DO_REQUEST, 4);
	want(ATW_DO_IDLE_REQUEST, 1);
	KUNIT_EXPECT_STREQ(test, "cccci", run());
}

/* Where there is no module nothing is done but to look for it. */
static void sched_bars(struct kunit *test)
{
	struct atw_sched *s = &desk->sched;

	want(ATW_DO_LINK, 1);
	want(ATW_DO_CONNS, 1);
	atw_sched_at(s, ATW_DO_BRING_UP, jiffies + 3600 * HZ);
	atw_sched_at(s, ATW_DO_CONNS, jiffies + HZ);
	KUNIT_EXPECT_STREQ(test, "", run());
	KUNIT_EXPECT_LT(test, 3000L * HZ, atw_sched_next(s));
	KUNIT_EXPECT_TRUE(test, atw_sched_is_set(s, ATW_DO_LINK));
	KUNIT_EXPECT_TRUE(test, atw_sched_is_pending(s, ATW_DO_BRING_UP));

	atw_sched_clear(s, ATW_DO_BRING_UP);
	KUNIT_EXPECT_STREQ(test, "ln", run());
	KUNIT_EXPECT_GE(test, 1L * HZ, atw_sched_next(s));
}

static void sched_times(struct kunit *test)
{
	struct atw_sched *s = &desk->sched;

	KUNIT_EXPECT_EQ(test, MAX_SCHEDULE_TIMEOUT, atw_sched_next(s));
	desk->left[ATW_DO_LINK] = 1;
	atw_sched_at(s, ATW_DO_LINK, jiffies + 3600 * HZ);
	KUNIT_EXPECT_STREQ(test, "", run());
	/* What comes now leaves the time as it is. */
	want(ATW_DO_LINK, 1);
	KUNIT_EXPECT_STREQ(test, "l", run());
	KUNIT_EXPECT_TRUE(test, atw_sched_is_pending(s, ATW_DO_LINK));
	/* The last one counts. */
	desk->left[ATW_DO_LINK] = 1;
	atw_sched_at(s, ATW_DO_LINK, jiffies - 1);
	KUNIT_EXPECT_EQ(test, 1L, atw_sched_next(s));
	KUNIT_EXPECT_STREQ(test, "l", run());
	KUNIT_EXPECT_FALSE(test, atw_sched_is_pending(s, ATW_DO_LINK));
}

/* The module takes no commands in transparent mode. */
static void sched_raw(struct kunit *test)
{
	desk->raw = true;
	want(ATW_DO_CONNS, 2);
	KUNIT_EXPECT_STREQ(test, "nn", run());
	KUNIT_EXPECT_TRUE(test, desk->raw);
	want(ATW_DO_LINK, 1);
	want(ATW_DO_CONNS, 1);
	KUNIT_EXPECT_STREQ(test, "+ln", run());
	/* Not for a request that was taken back. */
	desk->raw = true;
	want(ATW_DO_REQUEST, 0);
	KUNIT_EXPECT_STREQ(test, "", run());
	KUNIT_EXPECT_TRUE(test, desk->raw);
	want(ATW_DO_BRING_UP, 1);
	KUNIT_EXPECT_STREQ(test, "b", run());
	KUNIT_EXPECT_TRUE(test, desk->raw);
}

static struct kunit_case sched_cases[] = {
	KUNIT_CASE(sched_order),
	KUNIT_CASE(sched_turns),
	KUNIT_CASE(sched_bars),
	KUNIT_CASE(sched_times),
	KUNIT_CASE(sched_raw),
	{}
};

static struct kunit_suite sched_suite = {
	.name = "atwifi_sched",
	.init = sched_test_init,
	.test_cases = sched_cases,
};

kunit_test_suites(&sched_suite);
