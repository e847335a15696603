// SPDX-License-Identifier: GPL-2.0-only
/*
 * ATW_MIB MiB (default 4) down and as many up, several connections at a time,
 * under whatever faults the emulator was started with: every byte is right, or
 * the socket failed with an errno; never a wrong byte.
 *
 * With ATW_LOSSLESS set no socket may fail either. With ATW_TORN set none need live to
 * its end: prints of others between the parts of a payload are not taken out, since a
 * remote could have sent them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>

#include "kselftest_harness.h"
#include "pattern.h"
#include "util.h"

#define WORKERS		4
#define PIECE		1048576
#define HOURS_S		3600

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct soak {
	bool up;
	uint64_t want, asked;	/* bytes */
	uint64_t right;		/* of streams that ended well */
	uint64_t before_failure;/* of those that did not: right, too */
	unsigned int streams, failed, wrong;
	int last_errno;
} soak;

/* A stream to the end. 0: right, an errno: failed; -1: wrong. */
static int down(unsigned int seed, uint64_t *good)
{
	const int room = 4 * PIECE;
	int64_t got;
	int fd, err;
	char byte;

	/* The emulator is fast: room for the whole of it, so that a reader that
	 * has to wait for a processor is not taken for one that does not read.
	 */
	fd = atw_socket(SOCK_STREAM);
	if (fd < 0)
		return errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
	    atw_peer_on(fd, "source %d %u", PIECE, seed)) {
		err = errno;
		close(fd);
		return err;
	}
	got = atw_download(fd, PIECE, seed, &err);
	if (got > 0)
		*good = got;
	/* After the last byte comes the end, not one byte more. */
	if (got == PIECE) {
		got = recv(fd, &byte, 1, 0);
		err = got < 0 ? errno : got ? -1 : 0;
	} else if (got < 0 || !err) {
		err = -1;
	}
	close(fd);
	return err;
}

static int up(unsigned int seed, uint64_t *good)
{
	char line[32];
	int fd, err;

	fd = atw_peer("sink %d %u", PIECE, seed);
	if (fd < 0)
		return errno;
	errno = 0;
	if (atw_upload(fd, PIECE, seed) || atw_recv_line(fd, line, sizeof(line)) < 0) {
		err = errno;
	} else {
		*good = PIECE;
		err = strcmp(line, "ok 1048576") ? -1 : 0;
	}
	close(fd);
	return err;
}

static void *worker(void *arg)
{
	unsigned int seed, tries = 0;
	uint64_t good;
	int err;

	for (;;) {
		pthread_mutex_lock(&lock);
		if (soak.asked >= soak.want || soak.wrong || tries > 20) {
			pthread_mutex_unlock(&lock);
			return NULL;
		}
		soak.asked += PIECE;
		seed = 7000 + soak.streams++;
		pthread_mutex_unlock(&lock);

		good = 0;
		err = soak.up ? up(seed, &good) : down(seed, &good);

		pthread_mutex_lock(&lock);
		if (!err) {
			soak.right += good;
			tries = 0;
		} else {
			if (err > 0) {
				soak.failed++;
				soak.last_errno = err;
			} else {
				soak.wrong++;
			}
			soak.before_failure += good;
			/* It counts for as much as came. */
			soak.asked -= PIECE - good;
			tries++;
		}
		pthread_mutex_unlock(&lock);
		if (err)
			atw_pause_ms(20);
	}
}

/* How many streams the peer found wrong, of those that failed later as well. */
static long wrong_at_peer(void)
{
	char line[32];
	long n = -1;
	int fd;

	fd = atw_peer("bad");
	if (fd < 0)
		return -1;
	if (atw_recv_line(fd, line, sizeof(line)) > 0)
		sscanf(line, "bad %ld", &n);
	close(fd);
	return n;
}

FIXTURE(soak)
{
	bool lossless;
	const char *fault;	/* of the emulator's output */
	long wrong_before, faults_before;
};

FIXTURE_SETUP(soak)
{
	self->lossless = *atw_env("ATW_LOSSLESS", "");
	self->fault = *atw_env("ATW_TORN", "") ? "torn" : self->lossless ? "chunk" : NULL;
	if (self->fault && atw_has_sim())
		self->faults_before = atw_sim_stat(self->fault);
	self->wrong_before = wrong_at_peer();
	ASSERT_LE(0, self->wrong_before);
	soak = (struct soak) {
		.want = strtoull(atw_env("ATW_MIB", "4"), NULL, 10) << 20,
	};
}

FIXTURE_TEARDOWN(soak)
{
}

static void run_workers(struct __test_metadata *_metadata, bool upwards)
{
	uint64_t start = atw_now_ms();
	pthread_t thread[WORKERS];
	int i, n;

	soak.up = upwards;
	n = atw_max_sockets() > WORKERS ? WORKERS : atw_max_sockets() - 1;
	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, worker, NULL));
	}
	for (i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	TH_LOG("%s: %llu bytes in whole streams, %llu before a failure; "
	       "%u streams, %u failed (last: %s), %u wrong; %llu ms",
	       upwards ? "up" : "down", (unsigned long long)soak.right,
	       (unsigned long long)soak.before_failure, soak.streams, soak.failed,
	       atw_errno_name(soak.last_errno), soak.wrong,
	       (unsigned long long)(atw_now_ms() - start));
	ASSERT_EQ(0, soak.wrong);
	ASSERT_GE(soak.right + soak.before_failure, soak.want);
	/* A driver that fails every stream keeps its promise, but is of no use. */
	if (!*atw_env("ATW_TORN", "")) {
		EXPECT_LT(0, soak.right);
	}
}

TEST_F_TIMEOUT(soak, down, HOURS_S)
{
	run_workers(_metadata, false);
	if (self->fault && atw_has_sim()) {
		EXPECT_LT(self->faults_before, atw_sim_stat(self->fault));
	}
	if (self->lossless) {
		EXPECT_EQ(0, soak.failed);
	}
}

TEST_F_TIMEOUT(soak, up, HOURS_S)
{
	run_workers(_metadata, true);
	EXPECT_EQ(self->wrong_before, wrong_at_peer());
	if (self->lossless) {
		EXPECT_EQ(0, soak.failed);
	}
}

TEST_HARNESS_MAIN
