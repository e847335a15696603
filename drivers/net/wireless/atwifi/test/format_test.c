// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/string.h>

#include "../dialect.h"

#define M	ATWIFI_PROFILE_MIDDLEWARE
#define C	ATWIFI_PROFILE_CLASSIC
#define B	ATWIFI_PROFILE_BW20
#define U	ATWIFI_PROFILE_UNKNOWN

static void format_socket(struct kunit *test)
{
	struct atw_line l;

	atw_line_start(&l, "AT+SOCKET=");
	atw_line_uint(&l, ATW_TYPE_TCP_CLIENT);
	atw_line_host(&l, "", 0xc0a803a2);
	atw_line_uint(&l, 6666);
	atw_line_uint(&l, 0);
	atw_line_uint(&l, 1);
	KUNIT_EXPECT_EQ(test, atw_line_end(&l), 0);
	KUNIT_EXPECT_STREQ(test, l.buf,
			   "AT+SOCKET=4,192.168.3.162,6666,0,1\r\n");
	KUNIT_EXPECT_EQ(test, (size_t)l.len, strlen(l.buf));

	atw_line_start(&l, "AT+SOCKET=");
	atw_line_uint(&l, U32_MAX);
	atw_line_host(&l, "example.org", 0);
	KUNIT_EXPECT_EQ(test, atw_line_end(&l), 0);
	KUNIT_EXPECT_STREQ(test, l.buf, "AT+SOCKET=4294967295,example.org\r\n");

	atw_line_start(&l, "AT");
	KUNIT_EXPECT_EQ(test, atw_line_end(&l), 0);
	KUNIT_EXPECT_STREQ(test, l.buf, "AT\r\n");

	/* An error stays, and nothing good comes after it. */
	atw_line_start(&l, "AT+SOCKET=");
	atw_line_host(&l, "a\r\nAT+RST", 0);
	atw_line_uint(&l, 1);
	KUNIT_EXPECT_EQ(test, atw_line_end(&l), -EINVAL);
	KUNIT_EXPECT_NULL(test, strstr(l.buf, "RST"));

	/* There is no such command: nothing is written, and it is known why. */
	atw_line_start(&l, NULL);
	atw_line_uint(&l, 1);
	KUNIT_EXPECT_EQ(test, atw_line_end(&l), -EOPNOTSUPP);
	KUNIT_EXPECT_STREQ(test, l.buf, "");
}

/* A connection, with a number and without, and a server. */
static void format_opening(struct kunit *test)
{
	struct atw_opening o = {
		.type = ATW_TYPE_TCP_CLIENT,
		.name = "",
		.addr = 0xc0a803a2,
		.port = 6666,
		.keepalive = 30,
		.id = 101,
	};
	struct atw_line l;

	atw_at_combo.open(&l, &o);
	KUNIT_EXPECT_EQ(test, atw_line_end(&l), 0);
	KUNIT_EXPECT_STREQ(test, l.buf, "AT+SOCKET=4,192.168.3.162,6666,30,101\r\n");
	o.name = "example.org";
	o.id = ATW_NO_ID;
	atw_at_combo.open(&l, &o);
	KUNIT_EXPECT_EQ(test, atw_line_end(&l), 0);
	KUNIT_EXPECT_STREQ(test, l.buf, "AT+SOCKET=4,example.org,6666\r\n");
	o.type = ATW_TYPE_SSL_SERVER;
	o.id = 250;
	atw_at_combo.open(&l, &o);
	KUNIT_EXPECT_EQ(test, atw_line_end(&l), 0);
	KUNIT_EXPECT_STREQ(test, l.buf, "AT+SOCKET=6,6666,30,250\r\n");
}

static void format_strings(struct kunit *test)
{
	static const struct {
		enum atwifi_profile profile;
		const char *in;
		const char *want;	/* NULL: refused */
	} cases[] = {
		{ M, "net", "AT=\"net\"\r\n" },
		{ C, "net", "AT=net\r\n" },
		{ B, "net", "AT=\"net\"\r\n" },
		{ M, "", "AT=\"\"\r\n" },
		{ B, "", "AT=\"\"\r\n" },
		{ M, "a,b", "AT=\"a\\,b\"\r\n" },
		{ C, "a,b", "AT=a\\,b\r\n" },
		{ B, "a,b", "AT=\"a,b\"\r\n" },
		{ M, "a\"b", "AT=\"a\\\"b\"\r\n" },
		{ C, "a\"b", "AT=a\\\"b\r\n" },
		{ B, "a\"b", "AT=\"a\\\"b\"\r\n" },
		{ M, "a\\b", "AT=\"a\\b\"\r\n" },
		{ C, "a\\b", "AT=a\\\\b\r\n" },
		{ B, "a\\b", NULL },
		{ M, "a\\", NULL },
		{ C, "a\\", "AT=a\\\\\r\n" },
		{ B, "a\\", NULL },
		{ B, "a\\\"b", NULL },
		/* To one that is not known: what all others read alike. */
		{ U, "net", "AT=net\r\n" },
		{ U, "a,b", NULL }, { U, "a\"b", NULL }, { U, "a\\b", NULL },
		{ M, "\xc3\xa4", "AT=\"\xc3\xa4\"\r\n" },
		{ M, "a\rb", NULL }, { C, "a\rb", NULL }, { B, "a\rb", NULL },
		{ M, "a\nb", NULL }, { C, "a\nb", NULL }, { B, "a\nb", NULL },
		{ M, "\x01", NULL }, { C, "\x1b", NULL }, { B, "\x7f", NULL },
	};
	struct atw_line l;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		atw_line_start(&l, "AT=");
		atw_line_str(&l, atw_firmware_of(cases[i].profile), cases[i].in);
		if (!cases[i].want) {
			KUNIT_EXPECT_EQ_MSG(test, atw_line_end(&l), -EINVAL,
					    "case %zu", i);
			continue;
		}
		KUNIT_EXPECT_EQ_MSG(test, atw_line_end(&l), 0, "case %zu", i);
		KUNIT_EXPECT_STREQ(test, l.buf, cases[i].want);
	}
}

/* Neither an empty parameter nor what one ends with takes a comma away. */
static void format_commas(struct kunit *test)
{
	static const enum atwifi_profile profiles[] = { M, C, B };
	static const struct {
		const char *first;
		const char *want[ARRAY_SIZE(profiles)];
	} cases[] = {
		{ "", { "AT+X=\"\",\"pw\",7\r\n", "AT+X=,pw,7\r\n",
			"AT+X=\"\",\"pw\",7\r\n" } },
		{ "a=", { "AT+X=\"a=\",\"pw\",7\r\n", "AT+X=a=,pw,7\r\n",
			  "AT+X=\"a=\",\"pw\",7\r\n" } },
		{ "=", { "AT+X=\"=\",\"pw\",7\r\n", "AT+X==,pw,7\r\n",
			 "AT+X=\"=\",\"pw\",7\r\n" } },
	};
	struct atw_line l;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		for (j = 0; j < ARRAY_SIZE(profiles); j++) {
			atw_line_start(&l, "AT+X=");
			atw_line_str(&l, atw_firmware_of(profiles[j]), cases[i].first);
			atw_line_str(&l, atw_firmware_of(profiles[j]), "pw");
			atw_line_uint(&l, 7);
			KUNIT_EXPECT_EQ(test, atw_line_end(&l), 0);
			KUNIT_EXPECT_STREQ(test, l.buf, cases[i].want[j]);
		}
	}
	/* Parameters may follow what has some already. */
	atw_line_start(&l, "AT+X=1");
	atw_line_str(&l, atw_firmware_of(C), "");
	atw_line_uint(&l, 2);
	KUNIT_EXPECT_EQ(test, atw_line_end(&l), 0);
	KUNIT_EXPECT_STREQ(test, l.buf, "AT+X=1,,2\r\n");
}

static void format_lengths(struct kunit *test)
{
	char s[ATW_CMD_MAX + 2];
	struct atw_line l;

	/* A parameter of the middleware is at most 127 bytes with its quotes. */
	memset(s, 'x', sizeof(s));
	s[125] = '\0';
	atw_line_start(&l, "AT=");
	atw_line_uint(&l, 1);
	atw_line_str(&l, atw_firmware_of(M), s);
	KUNIT_EXPECT_LE(test, atw_line_end(&l), 0);
	s[125] = 'x';
	s[128] = '\0';
	atw_line_start(&l, "AT=");
	atw_line_str(&l, atw_firmware_of(M), s);
	KUNIT_EXPECT_EQ(test, atw_line_end(&l), -ENAMETOOLONG);
	atw_line_start(&l, "AT=");
	atw_line_str(&l, atw_firmware_of(C), s);
	KUNIT_EXPECT_EQ(test, atw_line_end(&l), 0);

	/* A line is at most ATW_CMD_MAX with its CR LF. */
	s[128] = 'x';
	s[ATW_CMD_MAX - 5] = '\0';
	atw_line_start(&l, "AT=");
	atw_line_str(&l, atw_firmware_of(C), s);
	KUNIT_EXPECT_EQ(test, atw_line_end(&l), 0);
	KUNIT_EXPECT_EQ(test, l.len, (unsigned int)ATW_CMD_MAX);
	s[ATW_CMD_MAX - 5] = 'x';
	s[ATW_CMD_MAX - 4] = '\0';
	atw_line_start(&l, "AT=");
	atw_line_str(&l, atw_firmware_of(C), s);
	KUNIT_EXPECT_EQ(test, atw_line_end(&l), -ENAMETOOLONG);
	KUNIT_EXPECT_LE(test, l.len, (unsigned int)ATW_CMD_MAX);
}

static void format_hosts(struct kunit *test)
{
	static const struct {
		const char *name;
		int err;
	} cases[] = {
		{ "a", 0 }, { "example.org", 0 }, { "example.org.", 0 },
		{ "A-b_c.9", 0 }, { "", -EINVAL }, { "-a", -EINVAL },
		{ ".a", -EINVAL }, { ".", -EINVAL }, { "a..b", -EINVAL },
		{ "a b", -EINVAL }, { "a,b", -EINVAL }, { "a\"", -EINVAL },
		{ "a\\", -EINVAL }, { "a\r", -EINVAL }, { "a\n", -EINVAL },
		{ "\xc3\xa4", -EINVAL }, { "a/b", -EINVAL }, { "a:1", -EINVAL },
	};
	char name[121];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, atw_check_host(cases[i].name,
							 strlen(cases[i].name)),
				    cases[i].err, "'%s'", cases[i].name);
	KUNIT_EXPECT_EQ(test, atw_check_host("a\0b", 3), -EINVAL);
	KUNIT_EXPECT_EQ(test, atw_check_host("a,", 1), 0);

	memset(name, 'a', sizeof(name));
	KUNIT_EXPECT_EQ(test, atw_check_host(name, 63), 0);
	KUNIT_EXPECT_EQ(test, atw_check_host(name, 64), -EINVAL);
	name[60] = '.';
	KUNIT_EXPECT_EQ(test, atw_check_host(name, 119), 0);
	KUNIT_EXPECT_EQ(test, atw_check_host(name, 120), -ENAMETOOLONG);
}

/* No byte that any firmware could read as something else. */
static void format_data(struct kunit *test)
{
	struct atw_line l;
	char s[4] = "x";
	int c, at;

	for (c = 0; c < 256; c++) {
		bool safe = c >= ' ' && c <= '~' && c != ',' && c != '"' &&
			    c != '\\' && c != '?';

		for (at = 0; at < 3; at++) {
			memcpy(s, "xxx", 3);
			s[at] = c;
			KUNIT_EXPECT_EQ_MSG(test,
					    safe && (c != ' ' || at == 1),
					    atw_data_fits_line(s, 3),
					    "byte %d at %d", c, at);
			atw_line_start(&l, "AT+SOCKETSENDLINE=");
			atw_line_uint(&l, 107);
			atw_line_uint(&l, 3);
			atw_line_data(&l, s, 3);
			KUNIT_EXPECT_EQ(test, !atw_data_fits_line(s, 3),
					!!atw_line_end(&l));
		}
	}
	KUNIT_EXPECT_FALSE(test, atw_data_fits_line("", 0));
	KUNIT_EXPECT_TRUE(test, atw_data_fits_line("123456789", 9));
	KUNIT_EXPECT_FALSE(test, atw_data_fits_line("1234567890", 10));
	atw_line_start(&l, "AT+SOCKETSENDLINE=");
	atw_line_uint(&l, 107);
	atw_line_uint(&l, 5);
	atw_line_data(&l, "a=b;c", 5);
	KUNIT_EXPECT_EQ(test, 0, atw_line_end(&l));
	KUNIT_EXPECT_EQ(test, 0, strcmp(l.buf,
					"AT+SOCKETSENDLINE=107,5,a=b;c\r\n"));
}

/* An answer is known by the name of its command, and by all of it. */
static void format_values(struct kunit *test)
{
	static const struct {
		const char *cmd, *text, *value;
	} cases[] = {
		{ "AT+WMODE?", "+WMODE:1", "1" },
		{ "AT+WMODE?\r\n", "+WMODE:1", "1" },
		{ "AT+WRSSI", "+WRSSI :-50", "-50" },
		{ "AT+PING=192.0.2.1,1\r\n", "+PING:timeout", "timeout" },
		{ "AT+WSCANOPT?", "+WSCANOPT:", "" },
		{ "AT+WSCAN", "+WSCANOPT:1", NULL },
		{ "AT+WSCANOPT?", "+WSCAN:1", NULL },
		{ "AT+WMODE?", "WMODE:1", NULL },
		{ "AT+WMODE?", "+WMODE  :1", NULL },
		{ "AT+WMODE?", "+WMODE", NULL },
		{ "AT+WMODE?", "", NULL },
		{ "AT+?", "+:1", NULL },
		{ "AT", ":1", NULL },
		{ "", "", NULL },
	};
	const char *value;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		value = atw_answer_value(cases[i].cmd, cases[i].text);
		KUNIT_EXPECT_EQ_MSG(test, !cases[i].value, !value, "'%s'", cases[i].text);
		if (value && cases[i].value)
			KUNIT_EXPECT_STREQ(test, cases[i].value, value);
	}
}

static struct kunit_case format_cases[] = {
	KUNIT_CASE(format_socket),
	KUNIT_CASE(format_opening),
	KUNIT_CASE(format_strings),
	KUNIT_CASE(format_commas),
	KUNIT_CASE(format_lengths),
	KUNIT_CASE(format_hosts),
	KUNIT_CASE(format_data),
	KUNIT_CASE(format_values),
	{}
};

static struct kunit_suite format_suite = {
	.name = "atwifi_format",
	.test_cases = format_cases,
};

kunit_test_suites(&format_suite);
