// SPDX-License-Identifier: GPL-2.0-only
/* Transparent mode: data, or the module's own words? */
#include <kunit/test.h>
#include <linux/string.h>

#include "../ttscan.h"

#define BANNER "\r\n################################################\r\n\r\narch:"

static const struct tt_case {
	const char *name;
	const char *in;
	const char *data;	/* that is passed on at once */
	const char *hit;	/* what it is that was found */
	bool events;
	bool leaving;
} tt_cases[] = {
	{ "nothing", "hello, world", "hello, world", NULL, true },
	{ "line", "hello\r\nworld", "hello\r\nworld", NULL, true },
	{ "begin", "hello\r\n", "hello", NULL, true },
	{ "event", "data\r\n+EVENT:WIFI_CONNECT\r\n", "data", "\r\n+EVENT:",
	  true },
	{ "seed", "\r\n+Seen\r\n+Seed:5,2\r\n", "\r\n+Seen", "\r\n+Seed:", true },
	{ "no_seeds", "data\r\n+Seed:5,2", "data\r\n+Seed:5,2", NULL, false },
	{ "no_events", "data\r\n+EVENT:WIFI_CONNECT", "data\r\n+EVENT:WIFI_CONNECT",
	  NULL, false },
	{ "not_quite", "\r\n+EVENT\r\n+EVEN\r\r\n+EVENT:", "\r\n+EVENT\r\n+EVEN\r",
	  "\r\n+EVENT:", true },
	{ "banner", "x" BANNER "BL602", "x", BANNER, false },
	{ "ruler", "x\r\n################\r\ny", "x\r\n################\r\ny",
	  NULL, false },
	{ "long_ruler", BANNER BANNER, "", BANNER, false },
	{ "ready", "ready\r\nready\r\n", "ready", "\r\nready\r\n", false },
	{ "ok_inside", "a\r\nOK\r\nb", "a\r\nOK\r\nb", NULL, true },
	{ "ok", "a\r\nOK\rb\r\nOK\r\nc", "a\r\nOK\rb", "\r\nOK\r\n", true,
	  true },
	{ "plus_ok_inside", "a\r\n+OK\r\nb", "a\r\n+OK\r\nb", NULL, true },
	{ "plus_ok", "a\r\n+OK\rb\r\n+OK\r\nc", "a\r\n+OK\rb", "\r\n+OK\r\n", true,
	  true },
	{ "other_chip", "##calibration_ok:[2:19:11]", "#", "#calibration_ok:[",
	  false },
};

static void tt_case_desc(const struct tt_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(tt, tt_cases, tt_case_desc);

/* However it is cut, the same is found. */
static void tt_scan_cut(struct kunit *test, const struct tt_case *c, size_t cut)
{
	size_t len = strlen(c->in), used = 0, n, got = 0, take;
	u8 out[256 + ATW_TT_TAIL_MAX];
	struct atw_tt_scan s;

	atw_tt_scan_init(&s, c->events);
	s.leaving = c->leaving;
	while (used < len && !s.hit) {
		take = min(cut, len - used);
		used += atw_tt_scan(&s, (const u8 *)c->in + used, take,
				    out + got, &n);
		got += n;
	}
	KUNIT_ASSERT_EQ(test, got, strlen(c->data));
	KUNIT_EXPECT_EQ(test, memcmp(out, c->data, got), 0);
	KUNIT_ASSERT_EQ(test, s.hit, !!c->hit);
	if (c->hit) {
		KUNIT_ASSERT_EQ(test, (size_t)s.tail_len, strlen(c->hit));
		KUNIT_EXPECT_EQ(test, memcmp(s.tail, c->hit, s.tail_len), 0);
		KUNIT_EXPECT_EQ(test, used, got + s.tail_len);
		return;
	}
	/* What is kept is passed on in the end. */
	got += atw_tt_scan_flush(&s, out + got);
	KUNIT_ASSERT_EQ(test, got, len);
	KUNIT_EXPECT_EQ(test, memcmp(out, c->in, len), 0);
}

static void tt_scan(struct kunit *test)
{
	const struct tt_case *c = test->param_value;
	size_t cut;

	for (cut = 1; cut <= strlen(c->in); cut++)
		tt_scan_cut(test, c, cut);
}

/* A print that was taken for data, after a silence within it, tells. */
static void tt_scan_given(struct kunit *test)
{
	u8 out[64 + ATW_TT_TAIL_MAX];
	struct atw_tt_scan s;
	size_t n;

	atw_tt_scan_init(&s, true);
	atw_tt_scan(&s, (const u8 *)"a\r\n", 3, out, &n);
	KUNIT_EXPECT_EQ(test, n, (size_t)1);
	KUNIT_EXPECT_EQ(test, atw_tt_scan_flush(&s, out), (size_t)2);
	KUNIT_EXPECT_EQ(test, atw_tt_scan_flush(&s, out), (size_t)0);
	/* Data: nothing comes twice, and nothing is missing. */
	atw_tt_scan(&s, (const u8 *)"+b", 2, out, &n);
	KUNIT_ASSERT_EQ(test, n, (size_t)2);
	KUNIT_EXPECT_EQ(test, memcmp(out, "+b", 2), 0);
	KUNIT_EXPECT_EQ(test, s.given, 0U);

	atw_tt_scan(&s, (const u8 *)"\r\n", 2, out, &n);
	atw_tt_scan_flush(&s, out);
	atw_tt_scan(&s, (const u8 *)"+EVENT:", 7, out, &n);
	KUNIT_EXPECT_TRUE(test, s.hit);
	KUNIT_EXPECT_EQ(test, s.given, 2U);
}

#define MARKER	"Unknown cmd:AT+X\r\n"

static void tt_split(struct kunit *test)
{
	static const struct {
		const char *in;
		size_t from;
		long ok;
		size_t n;	/* bytes of that */
	} cases[] = {
		{ "", 0, ATW_TT_WAIT },
		{ "\r\nOK\r\n", 0, ATW_TT_WAIT },
		{ "\r\nOK\r\nUnknown cmd:AT+X", 0, ATW_TT_WAIT },
		{ "\r\nOK\r\nUnknown cmd:AT+Y\r\n", 0, ATW_TT_WAIT },
		{ "\r\nOK\r\n" MARKER, 0, 0, 6 },
		{ "data\r\nOK\r\n" MARKER, 0, 4, 6 },
		{ "data\r\nOK\r\n\r\n+EVENT:SocketDown,1,2,ab\r\n" MARKER, 0, 4, 6 },
		{ "data\r\r\nOK\r\n" MARKER "x", 0, 5, 6 },
		/* The remote says OK as well. */
		{ "\r\nOK\r\ndata\r\nOK\r\n" MARKER, 0, ATW_TT_UNCLEAR },
		{ "\r\nOK\r\nOK\r\n" MARKER, 0, ATW_TT_UNCLEAR },
		{ "\r\nOK\r\n\r\n+EVENT:SocketDown,1,6,\r\nOK\r\n\r\n" MARKER, 0,
		  ATW_TT_UNCLEAR },
		/* It did so before. */
		{ "\r\nOK\r\ndata\r\nOK\r\n" MARKER, 6, 10, 6 },
		{ "\r\nOK\r\ndata\r\nOK\r\n" MARKER, 1, 10, 6 },
		{ MARKER, 0, ATW_TT_UNCLEAR },
		/* Some say it so, and either form may be the remote's. */
		{ "\r\n+OK\r\n", 0, ATW_TT_WAIT },
		{ "data\r\n+OK\r\n\r\n+EVENT:WIFI_GOT_IP\r\n" MARKER, 0, 4, 7 },
		{ "\r\nOK\r\ndata\r\n+OK\r\n" MARKER, 0, ATW_TT_UNCLEAR },
		{ "\r\n+OK\r\ndata\r\nOK\r\n" MARKER, 0, ATW_TT_UNCLEAR },
		{ "\r\n+OK\r\nOK\r\n" MARKER, 0, ATW_TT_UNCLEAR },
		{ "\r\nOK\r\ndata\r\n+OK\r\n" MARKER, 6, 10, 7 },
	};
	size_t i, behind = 0;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const u8 *in = (const u8 *)cases[i].in;
		long ok = atw_tt_split(in, strlen(cases[i].in), cases[i].from,
				       MARKER, &behind);

		KUNIT_EXPECT_EQ_MSG(test, ok, cases[i].ok, "case %zu", i);
		if (ok >= 0)
			KUNIT_EXPECT_EQ_MSG(test, behind, ok + cases[i].n, "case %zu", i);
		if (ok == ATW_TT_UNCLEAR)
			KUNIT_EXPECT_EQ_MSG(test, memcmp(in + behind - strlen(MARKER),
							 MARKER, strlen(MARKER)),
					    0, "case %zu", i);
	}
}

static void tt_end(struct kunit *test)
{
	static const struct {
		const char *in;
		bool end;
	} cases[] = {
		{ "\r\n+EVENT:SocketDisconnect,7\r\n", true },
		{ "\r\n+EVENT:SocketDissconnect,7\r\n", true },
		{ "\r\n+EVENT:SocketDisconnect,8\r\n", false },
		{ "\r\n+EVENT:SocketDisconnect,77\r\n", false },
		{ "\r\n+EVENT:SocketDisconnect,7\r\n.", false },
		{ "\r\n+EVENT:SocketDisconnect,7\r", false },
		{ "\r\n+EVENT:SocketReconnect,7\r\n", false },
		{ "\r\n+EVENT:WIFI_DISCONNECT\r\n", false },
		{ "", false },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test,
				    atw_tt_is_end((const u8 *)cases[i].in,
						  strlen(cases[i].in), 7),
				    cases[i].end, "case %zu", i);
	KUNIT_EXPECT_EQ(test, atw_tt_find_event((const u8 *)"a\r\n+EVENT:b", 11),
			1L);
	KUNIT_EXPECT_EQ(test, atw_tt_find_event((const u8 *)"a\r\n+EVENT", 9),
			ATW_TT_WAIT);
	KUNIT_EXPECT_EQ(test, atw_tt_find_event((const u8 *)"ab\r\n+Seed:1", 11), 2L);
	KUNIT_EXPECT_EQ(test, atw_tt_find_event((const u8 *)"\r\n+Seed:\r\n+EVENT:", 17), 0L);
	KUNIT_EXPECT_EQ(test, atw_tt_find_event((const u8 *)"\r\n+EVENT:\r\n+Seed:", 17), 0L);
}

/* Not one '+' goes in transparent mode, wherever it is. */
static void tt_carry(struct kunit *test)
{
	u8 buf[64];
	size_t len, i;

	for (i = 0; i < sizeof(buf); i++)
		buf[i] = i == '+' ? 0 : i * 5;
	for (i = 0; i < sizeof(buf); i++)
		if (buf[i] == '+')
			buf[i] = '-';
	for (len = 0; len <= sizeof(buf); len++) {
		KUNIT_EXPECT_TRUE(test, atw_tt_may_carry(buf, len));
		for (i = 0; i < len; i++) {
			u8 was = buf[i];

			buf[i] = '+';
			KUNIT_EXPECT_FALSE(test, atw_tt_may_carry(buf, len));
			buf[i] = was;
		}
	}
}

static struct kunit_case ttscan_cases[] = {
	KUNIT_CASE_PARAM(tt_scan, tt_gen_params),
	KUNIT_CASE(tt_scan_given),
	KUNIT_CASE(tt_split),
	KUNIT_CASE(tt_end),
	KUNIT_CASE(tt_carry),
	{ }
};

static struct kunit_suite ttscan_suite = {
	.name = "atwifi_ttscan",
	.test_cases = ttscan_cases,
};

kunit_test_suites(&ttscan_suite);
