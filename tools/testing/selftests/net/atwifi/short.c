// SPDX-License-Identifier: GPL-2.0-only
/*
 * Short writes, which may take another way to the module than long ones: every
 * byte arrives as it is, whichever way it goes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>

#include "kselftest_harness.h"
#include "pattern.h"
#include "util.h"

static bool comes_back(int fd, const char *text, size_t len)
{
	char back[16] = "";

	return atw_send_all(fd, text, len) == (ssize_t)len &&
	       atw_recv_all(fd, back, len) == (ssize_t)len && !memcmp(text, back, len);
}

/* Each of the 256 bytes alone, and at each place of three. */
TEST(every_byte)
{
	long lines = atw_sim_stat("lines-sent");
	int fd = atw_peer("echo");
	char text[4] = "";
	int c, at;

	ASSERT_LE(0, fd);
	for (c = 0; c < 256; c++) {
		text[0] = c;
		ASSERT_TRUE(comes_back(fd, text, 1)) {
			TH_LOG("byte %d alone", c);
		}
		for (at = 0; at < 3; at++) {
			memcpy(text, "a1z", 3);
			text[at] = c;
			ASSERT_TRUE(comes_back(fd, text, 3)) {
				TH_LOG("byte %d at %d", c, at);
			}
		}
	}
	/* Those that may go within the line did, where the firmware has it. */
	if (atw_has_sim()) {
		EXPECT_LE(lines + 90 * 3, atw_sim_stat("lines-sent"));
		EXPECT_GE(lines + 95 * 4, atw_sim_stat("lines-sent"));
	}
}

/* Each pair: what means something only together is among them. */
TEST(every_pair)
{
	int fd = atw_peer("echo");
	char text[3] = "";
	int a, b;

	ASSERT_LE(0, fd);
	for (a = ' '; a <= '~'; a++) {
		/* A wild walk through the second byte, so that it does not take hours. */
		for (b = ' ' + a % 7; b <= '~'; b += 7) {
			text[0] = a;
			text[1] = b;
			ASSERT_TRUE(comes_back(fd, text, 2)) {
				TH_LOG("'%s'", text);
			}
		}
	}
}

TEST(every_length)
{
	int fd = atw_peer("echo"), n;

	ASSERT_LE(0, fd);
	for (n = 1; n <= 16; n++) {
		ASSERT_TRUE(comes_back(fd, "0123456789abcdef", n)) {
			TH_LOG("%d bytes", n);
		}
	}
}

/* What looks like a command, a query or the way out of something. */
TEST(words)
{
	static const char *const words[] = {
		"+++", "AT", "AT+RST", ">", "OK", "ERROR", "a=?", "a?", "=", "==", "1,2", "\"a\"",
		"\\", "\\,", "a\\", " a", "a ", " ", "''", "%s%n", "\r\n", "a\r\n",
	};
	int fd = atw_peer("echo");
	size_t i;

	ASSERT_LE(0, fd);
	for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
		ASSERT_TRUE(comes_back(fd, words[i], strlen(words[i]))) {
			TH_LOG("'%s'", words[i]);
		}
	}
}

/* A datagram of few bytes is one as well. */
TEST(datagrams)
{
	int fd = atw_socket(SOCK_DGRAM);
	char back[64];
	int n;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_timeouts(fd, LONG_MS));
	ASSERT_EQ(0, atw_connect_host(fd, atw_peer_port()));
	for (n = 1; n <= 12; n++) {
		ASSERT_EQ(n, send(fd, "abcdefghijkl", n, 0));
		ASSERT_EQ(n, recv(fd, back, sizeof(back), 0));
		ASSERT_EQ(0, memcmp(back, "abcdefghijkl", n));
	}
}

/* A connection that the module has lost: an error, not a silence. */
TEST(lost)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	int fd = atw_peer("close-after 3"), err = 0;

	ASSERT_LE(0, fd);
	while (!err && atw_now_ms() < limit)
		if (send(fd, "abc", 3, MSG_NOSIGNAL) < 0)
			err = errno;
	ASSERT_NE(0, err);
	if (err != EPIPE) {
		ASSERT_STREQ("ECONNRESET", atw_errno_name(err));
	}
}

TEST_HARNESS_MAIN
