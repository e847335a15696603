// SPDX-License-Identifier: GPL-2.0-only
/* Lists of networks, with names that are chosen to be taken for something else. */
#include <kunit/test.h>

#include "../scan.h"

#define MAC	"14:de:39:06:86:e4"

static struct atw_scan *scan_new(struct kunit *test)
{
	struct atw_scan *scan = kunit_kzalloc(test, sizeof(*scan), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, scan);
	return scan;
}

static const struct {
	const char		*line;
	struct atw_network	net;
} rows[] = {
	/* The two forms, and what a name may hold. */
	{ "1 net,6,WPA2 AES,-50," MAC,
	  { .ssid = "net", .channel = 6, .rssi = -50, .security = "WPA2 AES" } },
	{ "2,net,13,WPA/WPA2 Mixed,-101," MAC,
	  { .ssid = "net", .channel = 13, .rssi = -101, .security = "WPA/WPA2 Mixed" } },
	{ "3 ,1,Open,-10," MAC,
	  { .ssid = "", .channel = 1, .rssi = -10, .security = "Open" } },
	{ "4,,149,WPA3-ASE AES,-60,14:DE:39:06:86:E4",
	  { .ssid = "", .channel = 149, .rssi = -60, .security = "WPA3-ASE AES" } },
	{ "5 a,b,\"c\",6,WPA2 PSK/WPA3 SAE,-77," MAC,
	  { .ssid = "a,b,\"c\"", .channel = 6, .rssi = -77,
	    .security = "WPA2 PSK/WPA3 SAE" } },
	{ "6 \xe9\x1b[31m\r\\,11,WEP PSK,-40," MAC,
	  { .ssid = "\xe9\x1b[31m\r\\", .channel = 11, .rssi = -40, .security = "WEP PSK" } },
	{ "7  12345678901234567890123456789 1,6,Open,-50," MAC,
	  { .ssid = " 12345678901234567890123456789 1", .channel = 6, .rssi = -50,
	    .security = "Open" } },
	{ "8 ,1,Open,-10,aa:bb:cc:dd:ee:ff,6,Open,-50," MAC,
	  { .ssid = ",1,Open,-10,aa:bb:cc:dd:ee:ff", .channel = 6, .rssi = -50,
	    .security = "Open" } },
};

static void scan_rows(struct kunit *test)
{
	static const u8 mac[] = { 0x14, 0xde, 0x39, 0x06, 0x86, 0xe4 };
	static const char *const titles[] = {
		"+WSCAN:index SSID,CH,SECURITY,RSSI,BSSID",
		"+WSCAN:index,SSID,CH,SECURITY,RSSI,BSSID",
	};
	struct atw_scan *scan = scan_new(test);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(titles); i++)
		KUNIT_EXPECT_TRUE(test, atw_scan_line(scan, titles[i]));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct atw_network *net = &scan->networks[i];

		KUNIT_EXPECT_TRUE_MSG(test, atw_scan_line(scan, rows[i].line), "%s", rows[i].line);
		KUNIT_ASSERT_EQ_MSG(test, scan->n, (unsigned int)i + 1, "%s", rows[i].line);
		KUNIT_EXPECT_STREQ(test, net->ssid, rows[i].net.ssid);
		KUNIT_EXPECT_STREQ(test, net->security, rows[i].net.security);
		KUNIT_EXPECT_EQ(test, net->channel, rows[i].net.channel);
		KUNIT_EXPECT_EQ(test, net->rssi, rows[i].net.rssi);
		KUNIT_EXPECT_EQ(test, memcmp(net->bssid, mac, sizeof(mac)), 0);
		KUNIT_EXPECT_FALSE(test, scan->name);
	}
	KUNIT_EXPECT_EQ(test, scan->damaged, 0U);
	KUNIT_EXPECT_FALSE(test, scan->partial);
}

/* What is no row of the answer is left to others. */
static void scan_foreign(struct kunit *test)
{
	static const char *const lines[] = {
		"OK", "ready", "+WSCANOPT:0x0f", "+EVENT:WIFI_SCAN_DONE", "net,6,Open,-50," MAC,
		"0 net,6,Open,-50," MAC, "51 net,6,Open,-50," MAC, "1", "1;x", "",
	};
	struct atw_scan *scan = scan_new(test);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lines); i++)
		KUNIT_EXPECT_FALSE_MSG(test, atw_scan_line(scan, lines[i]), "%s", lines[i]);
	KUNIT_EXPECT_EQ(test, scan->n + scan->damaged, 0U);
}

/* One damaged row is left out, whatever is damaged, and no other. */
static void scan_damaged(struct kunit *test)
{
	static const char *const lines[] = {
		"1 net,6,WPA2 AES,-50,14:de:39:06:86:e", "1 net,6,WPA2 AES,-50,14:de:39:06:86:eg",
		"1 net,6,WPA2 AES,50," MAC, "1 net,6,WPA2 AES,-500," MAC,
		"1 net,6,WPA2 AES,-5," MAC, "1 net,0,WPA2 AES,-50," MAC,
		"1 net,197,WPA2 AES,-50," MAC, "1 net,,WPA2 AES,-50," MAC,
		"1 net,6,,-50," MAC, "1 net,6,WPA2\tAES,-50," MAC, "1 net,6,WPA2 AES,-50" MAC,
		"1 net", "1 ", "1,", "1 net,6,WPA2 AES", "1 6,WPA2 AES,-50," MAC,
		"1 123456789012345678901234567890123,6,WPA2 AES,-50," MAC,
		"1 net,6,12345678901234567890123456789012,-50," MAC,
	};
	struct atw_scan *scan = scan_new(test);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		memset(scan, 0, sizeof(*scan));
		KUNIT_EXPECT_TRUE_MSG(test, atw_scan_line(scan, lines[i]), "%s", lines[i]);
		KUNIT_EXPECT_EQ_MSG(test, scan->n, 0U, "%s", lines[i]);
		KUNIT_EXPECT_TRUE(test, atw_scan_line(scan, "2 x,6,Open,-50," MAC));
		KUNIT_EXPECT_EQ_MSG(test, scan->n, 1U, "%s", lines[i]);
		KUNIT_EXPECT_EQ_MSG(test, scan->damaged, 1U, "%s", lines[i]);
		KUNIT_EXPECT_FALSE(test, scan->name);
	}
	/* Of rows that are not there their numbers tell. */
	memset(scan, 0, sizeof(*scan));
	atw_scan_line(scan, "2 x,6,Open,-50," MAC);
	atw_scan_line(scan, "5 x,6,Open,-50," MAC);
	KUNIT_EXPECT_EQ(test, scan->n, 2U);
	KUNIT_EXPECT_EQ(test, scan->damaged, 3U);
}

/* Ends of lines in a name: what comes is more of it, until its row ends. */
static void scan_names(struct kunit *test)
{
	static const char *const names[] = {
		"\nOK\n", "\r\nready\r\n", "\n+EVENT:SocketDown,1,5,", "x\n\n\n\n\nERROR\n",
		"\n+WSCAN:index\n", "\n9", "\n,1,Open,-10,aa:bb:cc:dd:ee:ff",
		"1234567890123456789012345678\nOK\n",
	};
	struct atw_scan *scan = scan_new(test);
	char text[160], *line, *rest;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		KUNIT_ASSERT_LE(test, strlen(names[i]), (size_t)ATW_SSID_MAX);
		memset(scan, 0, sizeof(*scan));
		snprintf(text, sizeof(text), "1 %s,6,WPA2 AES,-50," MAC, names[i]);
		for (rest = text; (line = strsep(&rest, "\n"));) {
			/* As the parser does. */
			line[strcspn(line, "\r")] = '\0';
			if (!*line)
				continue;
			KUNIT_EXPECT_TRUE_MSG(test, atw_scan_line(scan, line), "name %zu: %s",
					      i, line);
			KUNIT_EXPECT_EQ_MSG(test, scan->name, !!rest, "name %zu: %s", i, line);
		}
		KUNIT_EXPECT_EQ(test, scan->n, 0U);
		KUNIT_EXPECT_EQ(test, scan->damaged, 1U);
		KUNIT_EXPECT_TRUE(test, atw_scan_line(scan, "2 x,6,Open,-50," MAC));
		KUNIT_EXPECT_EQ(test, scan->n, 1U);
	}
	/* No name has room for more: what follows is not taken for one. */
	memset(scan, 0, sizeof(*scan));
	atw_scan_line(scan, "1 1234567890123456789012345678901");
	KUNIT_EXPECT_TRUE(test, scan->name);
	KUNIT_EXPECT_TRUE(test, atw_scan_line(scan, "x"));
	KUNIT_EXPECT_FALSE(test, scan->name);
	atw_scan_line(scan, "2 12345678901234567890123456789012");
	KUNIT_EXPECT_FALSE(test, scan->name);
	KUNIT_EXPECT_FALSE(test, atw_scan_line(scan, "OK"));
}

/* All that there can be, and one more. */
static void scan_many(struct kunit *test)
{
	struct atw_scan *scan = scan_new(test);
	char text[64];
	int i;

	for (i = 1; i <= ATW_SCAN_MAX; i++) {
		snprintf(text, sizeof(text), "%d net %d,6,Open,-50," MAC, i, i);
		KUNIT_EXPECT_TRUE(test, atw_scan_line(scan, text));
	}
	KUNIT_EXPECT_EQ(test, scan->n, (unsigned int)ATW_SCAN_MAX);
	KUNIT_EXPECT_EQ(test, scan->damaged, 0U);
	KUNIT_EXPECT_TRUE(test, atw_scan_line(scan, text));
	KUNIT_EXPECT_EQ(test, scan->n, (unsigned int)ATW_SCAN_MAX);
	KUNIT_EXPECT_EQ(test, scan->damaged, 1U);
}

/* Somebody has chosen the columns: nothing is read, nor taken for a name. */
static void scan_columns(struct kunit *test)
{
	struct atw_scan *scan = scan_new(test);

	KUNIT_EXPECT_TRUE(test, atw_scan_line(scan, "+WSCAN:index,SSID,BSSID"));
	KUNIT_EXPECT_TRUE(test, scan->partial);
	KUNIT_EXPECT_TRUE(test, atw_scan_line(scan, "1,two," MAC));
	KUNIT_EXPECT_FALSE(test, scan->name);
	KUNIT_EXPECT_FALSE(test, atw_scan_line(scan, "OK"));
	KUNIT_EXPECT_EQ(test, scan->n + scan->damaged, 0U);
}

static struct kunit_case scan_cases[] = {
	KUNIT_CASE(scan_rows),
	KUNIT_CASE(scan_foreign),
	KUNIT_CASE(scan_damaged),
	KUNIT_CASE(scan_names),
	KUNIT_CASE(scan_many),
	KUNIT_CASE(scan_columns),
	{ }
};

static struct kunit_suite scan_suite = {
	.name = "atwifi_scan",
	.test_cases = scan_cases,
};

kunit_test_suites(&scan_suite);
