// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections share a line that is slower than they are: it must be paced, for
 * what is taken at a time to be seen from here. The order in which the driver
 * sends is tested exactly by KUnit, in conn_test.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/sockios.h>

#include "kselftest_harness.h"
#include "pattern.h"
#include "util.h"

FIXTURE(fair)
{
};

FIXTURE_SETUP(fair)
{
	ASSERT_TRUE(atw_settled());
}

FIXTURE_TEARDOWN(fair)
{
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Bytes of "count 10\n", the peer's request, which are sent as well. */
#define REQUEST	9

/* What has been written to a socket and has left its buffer; -1: no answer. */
static int64_t taken(int fd, int64_t sent)
{
	int queued;

	return ioctl(fd, SIOCOUTQ, &queued) ? -1 : sent - queued;
}

/* The driver is in use as long as the line carries what is queued: not beyond. */
static int drop_at_close(int fd)
{
	struct linger lin = { 1, 0 };

	return setsockopt(fd, SOL_SOCKET, SO_LINGER, &lin, sizeof(lin));
}

/*
 * A small message must not wait behind what others have queued: were it sent in
 * the order of writing, a whole send buffer would overtake it. What did is what
 * the module took of the bulk until it had taken the message. The median: how
 * late we look is not the driver's doing.
 */
TEST_F(fair, small_before_bulk)
{
	int64_t ahead[40], sent = REQUEST, before;
	uint64_t limit = atw_now_ms() + LONG_MS;
	int bulk, small, i, n, full = 0;
	const int size = 65536;
	uint8_t buf[4096];

	bulk = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, bulk);
	ASSERT_EQ(0, setsockopt(bulk, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	ASSERT_EQ(0, drop_at_close(bulk));
	ASSERT_EQ(0, atw_peer_on(bulk, "count 10"));
	small = atw_peer("count 11");
	ASSERT_LE(0, small);
	pattern_fill(buf, sizeof(buf), 1, 0);
	for (i = 0; i < (int)ARRAY_SIZE(ahead); i++) {
		while (taken(small, 8) != 8)
			ASSERT_LT(atw_now_ms(), limit);
		while ((n = send(bulk, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
			sent += n;
		ASSERT_EQ(EAGAIN, errno);
		before = taken(bulk, sent);
		ASSERT_LE(0, before);
		full += sent - before >= 32768;
		ASSERT_EQ(8, send(small, buf, 8, 0));
		while (taken(small, 8) != 8)
			ASSERT_LT(atw_now_ms(), limit);
		ahead[i] = taken(bulk, sent) - before;
		ASSERT_LE(0, ahead[i]);
	}
	/* Else it says nothing. */
	EXPECT_LE((int)ARRAY_SIZE(ahead) / 2, full);
	qsort(ahead, ARRAY_SIZE(ahead), sizeof(ahead[0]), by_size);
	TH_LOG("bulk bytes that overtook a message: median %lld, most %lld",
	       (long long)ahead[ARRAY_SIZE(ahead) / 2],
	       (long long)ahead[ARRAY_SIZE(ahead) - 1]);
	/* The send under way and a turn of the bulk's. */
	EXPECT_GE(8192, ahead[ARRAY_SIZE(ahead) / 2]);
}

/* Two uploads share the line evenly: by what the module took of each. */
TEST_F(fair, uploads_share)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	int64_t sent[2] = { REQUEST, REQUEST }, has[2];
	uint8_t buf[4096];
	int up[2], i, n;

	for (i = 0; i < 2; i++) {
		up[i] = atw_peer("count %d", 20 + i);
		ASSERT_LE(0, up[i]);
		ASSERT_EQ(0, drop_at_close(up[i]));
	}
	pattern_fill(buf, sizeof(buf), 1, 0);
	do {
		/* Both always have more to send than is sent at a time. */
		for (i = 0; i < 2; i++) {
			while ((n = send(up[i], buf, sizeof(buf), MSG_DONTWAIT)) > 0)
				sent[i] += n;
			ASSERT_EQ(EAGAIN, errno);
		}
		for (i = 0; i < 2; i++) {
			has[i] = taken(up[i], sent[i]);
			ASSERT_LE(0, has[i]);
		}
		ASSERT_LT(atw_now_ms(), limit);
	} while (has[0] + has[1] < 150000);
	EXPECT_LT(has[0], 2 * has[1]);
	EXPECT_LT(has[1], 2 * has[0]);
}

/*
 * The time of SO_SNDTIMEO is that of the whole call: this line carries in it a small
 * part of what is to be sent, though some of it again and again.
 */
TEST_F(fair, send_times_out)
{
	const struct timeval second = { .tv_sec = 1 };
	static uint8_t buf[1 << 20];
	const int size = 16384;
	ssize_t n;
	int fd;

	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	ASSERT_EQ(0, drop_at_close(fd));
	ASSERT_EQ(0, atw_peer_on(fd, "count 31"));
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second)));
	n = send(fd, buf, sizeof(buf), MSG_NOSIGNAL);
	ASSERT_LT(0, n);
	EXPECT_GT((ssize_t)sizeof(buf), n);
	close(fd);
}

/*
 * The time of SO_LINGER is that of close(), and no more: what send() has accepted goes
 * out, which takes some times as long on this line.
 */
TEST_F(fair, linger_ends_close_alone)
{
	uint64_t limit = atw_now_ms() + LONG_MS, before;
	const struct linger lin = { 1, 1 };
	long cut = atw_stat(ATW_DEVICE, "cut");
	const int size = 131072;
	uint8_t buf[4096] = { 0 };
	int fd, meter, n;
	uint64_t sent = 0;

	meter = atw_peer("meter 30");
	ASSERT_LE(0, meter);
	before = atw_meter(meter);
	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_LINGER, &lin, sizeof(lin)));
	ASSERT_EQ(0, atw_peer_on(fd, "count 30"));
	while ((n = send(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		sent += n;
	ASSERT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, close(fd));
	while (atw_meter(meter) != before + sent) {
		ASSERT_LT(atw_now_ms(), limit) {
			TH_LOG("%llu of %llu bytes came",
			       (unsigned long long)(atw_meter(meter) - before),
			       (unsigned long long)sent);
		}
	}
	EXPECT_EQ(cut, atw_stat(ATW_DEVICE, "cut"));
}

/*
 * Nor does close() wait for longer: the module takes nothing, and is held for longer than the
 * driver waits for it.
 */
TEST_F(fair, linger_ends)
{
	const struct linger lin = { 1, 1 };
	const int size = 16384;
	uint8_t buf[4096] = { 0 };
	long timeouts;
	int fd, other;

	if (!atw_has_sim())
		SKIP(return, "no emulator to control");
	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_LINGER, &lin, sizeof(lin)));
	ASSERT_EQ(0, atw_peer_on(fd, "count 33"));
	other = atw_hold_module();
	ASSERT_LE(0, other);
	timeouts = atw_stat(ATW_DEVICE, "timeouts");
	while (send(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	ASSERT_EQ(EAGAIN, errno);
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(timeouts, atw_stat(ATW_DEVICE, "timeouts"));
	ASSERT_EQ(0, atw_hold(HOLD_ENDS));
	ASSERT_EQ(0, atw_hold(HOLD_USUAL));
	close(other);
}

TEST_HARNESS_MAIN
