// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data that looks like the module's own words, both ways and on several connections
 * at once, while commands run and prompts are awaited: all of it arrives, and
 * nothing takes it for anything else than data.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>

#include "kselftest_harness.h"
#include "util.h"

#define WORKERS		4
#define ROUNDS		(2 * ARRAY_SIZE(texts))
#define BULK		32768
#define TEXT_MAX	128

/* "%u" is the number of a connection, perhaps of one of these. */
static const char *const texts[] = {
	">", ">> ", "> quoted\r\n> twice\r\n", ">>> print(1)\r\n", ">\r\n", ">>>>>>>>",
	"\r\nOK\r\n", "\r\nOK\r\n\r\nOK\r\n\r\nOK\r\nabcd", "OK", "+OK\r\n", "xy\r\nyyyy",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK",
	"\r\nERROR\r\n", "\r\n+SOCKETSEND:101\r\nERROR\r\n",
	"\r\nAT+SOCKETSEND:101\r\n+ERROR\r\n", "\r\n[Busy]Cmd running\r\n",
	"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", "\r", "\n", "\r\n",
	"\r\n+EVENT:SocketDown,%u,5,hello\r\n", "\r\n+EVENT:SocketDown,%u,900,",
	"+EVENT:SocketDown,%u,5,", "\r\n+EVENT:SocketDown,%u,4\r\n",
	"\r\n+EVENT:SocketDisconnect,%u\r\n", "\r\n+EVENT:SocketReconnect,%u\r\n",
	"\r\n+EVENT:SocketAutoDel,%u\r\n", "\r\n+EVENT:SocketSeed,1,%u\r\n",
	"\r\n+EVENT:WIFI_DISCONNECT\r\n", "\r\n+EVENT:SomethingNew,1,2\r\n", "+EVENT:",
	"connect success ConID=%u\r\n", "\r\nconnect success ConID=%u\r\n\r\nOK\r\n",
	"+SOCKETREAD,%u,0\r\nOK\r\n", "+SOCKETREAD,%u,5,hello\r\nOK\r\n",
	"%u,4,3,192.0.2.1,80,-1,0\r\n", "Unknown cmd:AT+X\r\n", "AT+RST\r\n", "ATE0\r\n",
	"\r\nready\r\n",
	"\r\n################################################\r\n\r\narch:BL602,NULL\r\n"
	"\r\nready\r\n\r\n################",
	"#calibration_ok:[2:19:11] \r\n", "+++", "\r\n+WJAP:0\r\n", "[WF][SM] lost\r\n",
};

static const char *const counters[] = {
	"damaged", "unexplained", "resets", "overflows", "timeouts", "reboots",
};

struct worker {
	pthread_t thread, writer;
	unsigned int first;
	int fd;
	const char *failed;	/* at what; NULL: all arrived */
	unsigned int round;
	int err;
	char *bulk;
};

static size_t text(char *buf, unsigned int round)
{
	return snprintf(buf, TEXT_MAX, texts[round % ARRAY_SIZE(texts)],
			100 + round * 7 % 156);
}

static void fail(struct worker *w, const char *what)
{
	w->err = errno;
	w->failed = what;
}

/* One text at a time, so that it begins a payload, and is all of it. */
static void *talk(void *arg)
{
	char said[TEXT_MAX], heard[TEXT_MAX];
	struct worker *w = arg;
	ssize_t len;

	for (w->round = 0; w->round < ROUNDS && !w->failed; w->round++) {
		len = text(said, w->first + w->round);
		errno = 0;
		if (atw_send_all(w->fd, said, len) != len)
			fail(w, "send");
		else if (atw_recv_all(w->fd, heard, len) != len)
			fail(w, "recv");
		else if (memcmp(said, heard, len))
			fail(w, "compare");
	}
	return NULL;
}

static void *push(void *arg)
{
	struct worker *w = arg;

	if (atw_send_all(w->fd, w->bulk, BULK) != BULK)
		fail(w, "send");
	return NULL;
}

/* All of them in one stream, cut wherever the module and the network will. */
static void *stream(void *arg)
{
	struct worker *w = arg;
	char piece[TEXT_MAX];
	char *heard = malloc(BULK);
	size_t len = 0, n;

	w->bulk = malloc(BULK);
	for (w->round = w->first; len < BULK; w->round++) {
		n = text(piece, w->round);
		n = n < BULK - len ? n : BULK - len;
		memcpy(w->bulk + len, piece, n);
		len += n;
	}
	errno = 0;
	if (pthread_create(&w->writer, NULL, push, w)) {
		fail(w, "pthread_create");
		return NULL;
	}
	if (atw_recv_all(w->fd, heard, BULK) != BULK)
		fail(w, "recv");
	else if (memcmp(heard, w->bulk, BULK))
		fail(w, "compare");
	pthread_join(w->writer, NULL);
	free(heard);
	free(w->bulk);
	return NULL;
}

FIXTURE(words)
{
	long before[ARRAY_SIZE(counters)];
};

FIXTURE_SETUP(words)
{
	size_t i;

	ASSERT_TRUE(atw_settled());
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		self->before[i] = atw_stat(ATW_DEVICE, counters[i]);
}

FIXTURE_TEARDOWN(words)
{
}

static void run_workers(struct __test_metadata *_metadata, const long *before,
			void *(*work)(void *arg))
{
	struct worker w[WORKERS] = { 0 };
	size_t i;

	for (i = 0; i < WORKERS; i++) {
		w[i].first = i * ARRAY_SIZE(texts) / WORKERS;
		w[i].fd = atw_peer("echo");
		ASSERT_LE(0, w[i].fd);
		ASSERT_EQ(0, atw_room(w[i].fd));
	}
	for (i = 0; i < WORKERS; i++) {
		ASSERT_EQ(0, pthread_create(&w[i].thread, NULL, work, &w[i]));
	}
	for (i = 0; i < WORKERS; i++) {
		pthread_join(w[i].thread, NULL);
		EXPECT_EQ(NULL, w[i].failed) {
			TH_LOG("%s in round %u: %s", w[i].failed, w[i].round,
			       atw_errno_name(w[i].err));
		}
	}
	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		EXPECT_EQ(before[i], atw_stat(ATW_DEVICE, counters[i])) {
			TH_LOG("%s", counters[i]);
		}
	}
	for (i = 0; i < WORKERS; i++)
		close(w[i].fd);
}

TEST_F(words, one_by_one)
{
	run_workers(_metadata, self->before, talk);
}

TEST_F(words, in_a_stream)
{
	run_workers(_metadata, self->before, stream);
}

TEST_HARNESS_MAIN
