// SPDX-License-Identifier: GPL-2.0-only
/* Which commands may be run as they are, and which never. */
#include <kunit/test.h>
#include <linux/string.h>

#include "../raw.h"

struct rule {
	const char	*line;
	int		result;
	const char	*why;		/* a word of the sentence */
};

static const struct rule rules[] = {
	{ "AT", 0, NULL },
	{ "AT+GMR", 0, NULL },
	{ "AT+WSCAN", 0, NULL },
	{ "AT+WSCAN=\"a,b\",,6", 0, NULL },
	{ "AT+WJAP=\"network\",\"password\"", 0, NULL },
	{ "AT+WDNS?", 0, NULL },
	{ "AT+SOCKET?", 0, NULL },
	{ "AT+PING=192.0.2.1", 0, NULL },
	/* no command lines */
	{ "", -EINVAL, "begins" },
	{ "A", -EINVAL, "begins" },
	{ "at+gmr", -EINVAL, "begins" },
	{ "+++", -EINVAL, "begins" },
	{ " AT", -EINVAL, "begins" },
	{ "AT\r\nAT+RST", -EINVAL, "control" },
	{ "AT+WJAP=\"a\",\"b\nAT+RST\"", -EINVAL, "control" },
	{ "AT+GMR\r", -EINVAL, "control" },
	{ "AT+GMR\t", -EINVAL, "control" },
	{ "AT+GMR\x7f", -EINVAL, "control" },
	/* the driver's own */
	{ "ATE0", -EACCES, "echo" },
	{ "ATE1", -EACCES, "echo" },
	{ "AT+SOCKET=4,192.0.2.1,80", -EACCES, "sockets" },
	{ "AT+SOCKET", -EACCES, "sockets" },
	{ "AT+SOCKET2=4,192.0.2.1,80", -EACCES, "sockets" },
	{ "AT+SOCKETDEL=100", -EACCES, "sockets" },
	{ "AT+SOCKETSEND=100,5", -EACCES, "sockets" },
	{ "AT+SOCKETSENDLINE=100,1,a", -EACCES, "sockets" },
	{ "AT+SOCKETREAD=100", -EACCES, "sockets" },
	{ "AT+SOCKETTT", -EACCES, "option of a socket" },
	{ "AT+SOCKETRECVCFG=0", -EACCES, "recv-mode" },
	{ "AT+SOCKETAUTOTT=0", -EACCES, "autott" },
	{ "AT+SSLCRET=3", -EACCES, "cert" },
	{ "AT+SSLCRET=1,100", -EACCES, "cert" },
	{ "AT+UARTCFG=9600,8,1,0", -EACCES, "serial" },
	{ "AT+UARTFLOWCONTROL=3", -EACCES, "serial" },
	{ "AT+RST", -EACCES, "restart" },
	{ "AT+RESTORE", -EACCES, "restart" },
	{ "AT+HELP", -EACCES, "echo" },
	{ "AT+SLEEP=2", -EACCES, "sleeps" },
	{ "AT+WJAP?", -EACCES, "password" },
	{ "AT+STAINFO?", -EACCES, "password" },
	{ "AT+WAP?", -EACCES, "password" },
	{ "AT+PING=192.0.2.1,loop", -EACCES, "host" },
	{ "AT+PING=192.0.2.1,1000", -EACCES, "host" },
	/* not known, or not in this form */
	{ "AT+MQTTPUBRAW=a,1", -EACCES, "known" },
	{ "AT+OTA", -EACCES, "known" },
	{ "AT+GMR=1", -EACCES, "known" },
	{ "AT+GMR?", -EACCES, "known" },
	{ "AT+WDNS?x", -EACCES, "known" },
	{ "AT+WSCANX", -EACCES, "known" },
	{ "ATZ", -EACCES, "known" },
};

static void rule_desc(const struct rule *r, char *desc)
{
	strscpy(desc, r->line, KUNIT_PARAM_DESC_SIZE);
	strreplace(desc, '\r', ' ');
	strreplace(desc, '\n', ' ');
}

KUNIT_ARRAY_PARAM(rule, rules, rule_desc);

static void raw_rule(struct kunit *test)
{
	const struct rule *r = test->param_value;
	const char *why = NULL;

	KUNIT_EXPECT_EQ(test, r->result,
			atw_raw_check(r->line, strlen(r->line), &why));
	if (!r->result)
		return;
	KUNIT_ASSERT_NOT_NULL(test, why);
	KUNIT_EXPECT_NOT_NULL(test, strstr(why, r->why));
}

static void raw_bounds(struct kunit *test)
{
	char line[ATW_RAW_MAX + 1] = "AT+WJAP=";
	const char *why = NULL;

	memset(line + 8, 'a', sizeof(line) - 8);
	KUNIT_EXPECT_EQ(test, 0, atw_raw_check(line, ATW_RAW_MAX, &why));
	KUNIT_EXPECT_EQ(test, -ENAMETOOLONG,
			atw_raw_check(line, ATW_RAW_MAX + 1, &why));
	KUNIT_EXPECT_NOT_NULL(test, strstr(why, "253"));
	/* A NUL among the bytes is none of a command. */
	line[20] = '\0';
	KUNIT_EXPECT_EQ(test, -EINVAL, atw_raw_check(line, ATW_RAW_MAX, &why));
}

struct answer {
	const char	*line;
	const char	*text;
	bool		row;
};

static const struct answer answers[] = {
	{ "AT+WSCAN", "1 network,6,WPA2 AES,-44,14:de:39:06:86:e4", true },
	{ "AT+WSCAN=,,6", "12,a, b,6,OPEN,-44,14:de:39:06:86:e4", true },
	{ "AT+WSCAN?", "50 network", true },
	{ "AT+SOCKET?", "1,4,3,192.0.2.1,80,-1,0", true },
	{ "AT+GMR", "at version:release/V4.18_P2.19.1", true },
	{ "AT+GMR", "compile time:May 30 2023 10:28:28", true },
	/* named, and no number, which is all that the parser knows by itself */
	{ "AT+WSCAN", "+WSCAN:index SSID,CH,SECURITY,RSSI,BSSID", true },
	{ "AT+WSCANOPT?", "+WSCANOPT:0x0f", true },
	{ "AT+CIPSTAMAC_DEF?", "+CIPSTAMAC_DEF:84f3ebdd9e63", true },
	{ "AT+CIPSTAMAC_DEF?", "CIPSTAMAC_DEF:84f3ebdd9e63", true },
	{ "AT+SYSMSG?", "+SYSMSG:1,FFFFFFFF", true },
	{ "AT+SNTPTIME?", "+SNTPTIME:Wed May 03 10:49:41 2023", true },
	{ "AT+SOCKETAUTOTT?", "+SOCKETAUTOTT:4,host.example,80", true },
	{ "AT+PING=192.0.2.9", "+PING:TIMEOUT", true },
	{ "AT+WRSSI", "+WRSSI :a", true },
	/* pieces of a stream */
	{ "AT+WSCANOPT?", "+WSCAN:index", false },
	{ "AT+WSCAN", "+WSCANOPT:0x0f", false },
	{ "AT+WSCAN", "WSCAN:index", false },
	{ "AT+SYSMSG?", "+SYSMSG", false },
	{ "AT", "+:", false },
	{ "AT+WSCAN", "HTTP/1.1 200 OK", false },
	{ "AT+WSCAN", "2026-11-27 10:00", false },
	{ "AT+WSCAN", "100 bytes", false },
	{ "AT+WSCANOPT=255", "1 network", false },
	{ "AT+SOCKET?", "Content-Length: 5", false },
	{ "AT+SOCKET?", "1,x", false },
	{ "AT+GMR", "Content-Length: 5", false },
	{ "AT+GMR", "a: new version", false },
	{ "AT+WJAP=\"a\",\"b\"", "1 network", false },
	{ "AT+WDNS?", "192.168.3.1", false },
	{ "AT", "", false },
};

static void raw_answers(struct kunit *test)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(answers); i++)
		KUNIT_EXPECT_EQ_MSG(test, answers[i].row,
				    atw_raw_is_row(answers[i].line,
						   answers[i].text),
				    "%s: %s", answers[i].line, answers[i].text);
}

static struct kunit_case raw_cases[] = {
	KUNIT_CASE_PARAM(raw_rule, rule_gen_params),
	KUNIT_CASE(raw_bounds),
	KUNIT_CASE(raw_answers),
	{ }
};

static struct kunit_suite raw_suite = {
	.name = "atwifi_raw",
	.test_cases = raw_cases,
};

kunit_test_suites(&raw_suite);
