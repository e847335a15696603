// SPDX-License-Identifier: GPL-2.0-only
/*
 * The passive receive mode: what a module receives stays in it until the driver
 * fetches it, and programs see no difference.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "kselftest_harness.h"
#include "pattern.h"
#include "util.h"

/* What a peer sends before it is told that it came: the module has memory for it. */
#define WINDOW	8192

static int set_mode(const char *mode)
{
	errno = atw_write(ATW_RECV_MODE, mode);
	return errno ? -1 : 0;
}

/* Is the module itself in that mode, as far as it can be seen? */
static bool module_is(bool active)
{
	return !atw_has_sim() || atw_sim_stat("recv-active") == active;
}

FIXTURE(passive)
{
	long seen, reads;
};

FIXTURE_SETUP(passive)
{
	ASSERT_TRUE(atw_emptied());
	ASSERT_EQ(0, set_mode("passive\n"));
	ASSERT_TRUE(module_is(false));
	self->seen = atw_stat(ATW_DEVICE, "passive");
	self->reads = atw_sim_stat("reads");
}

/* Each of the tests receives something, which has to be fetched. */
FIXTURE_TEARDOWN(passive)
{
	if (atw_has_sim()) {
		EXPECT_LT(self->reads, atw_sim_stat("reads"));
	}
	EXPECT_EQ(0, set_mode("active"));
	EXPECT_TRUE(module_is(true));
}

TEST(mode)
{
	char *text;

	ASSERT_ERRNO(EINVAL, set_mode("lazy"));
	ASSERT_EQ(0, set_mode("passive"));
	text = atw_slurp(ATW_RECV_MODE);
	ASSERT_NE(NULL, text);
	EXPECT_STREQ("passive\n", text);
	free(text);
	EXPECT_TRUE(module_is(false));
	ASSERT_EQ(0, set_mode("active"));
	text = atw_slurp(ATW_RECV_MODE);
	ASSERT_NE(NULL, text);
	EXPECT_STREQ("active\n", text);
	free(text);
	EXPECT_TRUE(module_is(true));
}

TEST_F(passive, echo)
{
	int fd = atw_peer("echo");

	ASSERT_LE(0, fd);
	EXPECT_TRUE(atw_echo_works(fd, 1, 1));
	EXPECT_TRUE(atw_echo_works(fd, 2, 2000));
	/* It was wanted: nothing to be counted. */
	EXPECT_EQ(self->seen, atw_stat(ATW_DEVICE, "passive"));
}

TEST_F(passive, download)
{
	char byte;
	int fd, err;

	fd = atw_peer("acked 262144 80 %d", WINDOW);
	ASSERT_LE(0, fd);
	ASSERT_EQ(262144, atw_download_acked(fd, 262144, 80, WINDOW, &err)) {
		TH_LOG("%s", atw_errno_name(err));
	}
	EXPECT_EQ(0, recv(fd, &byte, 1, 0));
}

struct reader {
	int fd, err;
	unsigned int seed;
	int64_t got;
};

static void *reader_thread(void *arg)
{
	struct reader *r = arg;

	r->got = atw_download_acked(r->fd, 100000, r->seed, WINDOW, &r->err);
	return NULL;
}

TEST_F(passive, upload_and_downloads)
{
	struct reader down[2] = { { .seed = 81 }, { .seed = 82 } };
	pthread_t thread[2];
	char line[32];
	int up, i;

	up = atw_peer("sink 100000 83");
	ASSERT_LE(0, up);
	for (i = 0; i < 2; i++) {
		down[i].fd = atw_peer("acked 100000 %u %d", down[i].seed, WINDOW);
		ASSERT_LE(0, down[i].fd);
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, reader_thread, &down[i]));
	}
	ASSERT_EQ(0, atw_upload(up, 100000, 83));
	ASSERT_LT(0, atw_recv_line(up, line, sizeof(line)));
	EXPECT_STREQ("ok 100000", line);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
		EXPECT_EQ(100000, down[i].got) {
			TH_LOG("%s", atw_errno_name(down[i].err));
		}
	}
}

/* The remote has closed before all of it was fetched. */
TEST_F(passive, remote_close_data_pending)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	int64_t got;
	char byte;
	int fd, err;
	long anew;

	/*
	 * Three seconds later the module connects anew, which ends the stream. A guest that
	 * stood still for so long tells nothing.
	 */
	do {
		anew = atw_sim_stat("reconnects");
		fd = atw_peer("source 20000 84");
		ASSERT_LE(0, fd);
		ASSERT_EQ(POLLRDHUP, POLLRDHUP & atw_wait(fd, POLLRDHUP, LONG_MS));
		got = atw_download(fd, 20000, 84, &err);
		if (got == 20000) {
			EXPECT_EQ(0, recv(fd, &byte, 1, 0));
		}
		close(fd);
	} while (got < 20000 && anew != atw_sim_stat("reconnects") && atw_now_ms() < limit);
	ASSERT_EQ(20000, got) {
		TH_LOG("%s", atw_errno_name(err));
	}
}

TEST_F(passive, server)
{
	int server, port, fd, err;
	char byte;

	server = atw_server(SOCK_STREAM, 2, &port);
	ASSERT_LE(0, server);
	ASSERT_EQ(0, atw_dial(port, "source 20000 85"));
	fd = atw_accept(server);
	ASSERT_LE(0, fd);
	ASSERT_EQ(20000, atw_download(fd, 20000, 85, &err));
	EXPECT_EQ(0, recv(fd, &byte, 1, 0));
	close(fd);
	close(server);
}

TEST_F(passive, datagrams)
{
	int fd = atw_socket(SOCK_DGRAM);
	char buf[500], back[2048];
	int i;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_timeouts(fd, LONG_MS));
	ASSERT_EQ(0, atw_connect_host(fd, atw_peer_port()));
	for (i = 1; i <= 5; i++) {
		pattern_fill(buf, 100 * i, i, 0);
		ASSERT_EQ(100 * i, send(fd, buf, 100 * i, 0));
		ASSERT_EQ(100 * i, recv(fd, back, sizeof(back), 0));
		ASSERT_EQ(0, memcmp(buf, back, 100 * i));
	}
}

/* One that was reset is as before, however it receives by itself. */
TEST_F(passive, reset)
{
	int fd, err;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	ASSERT_EQ(0, atw_sim("quirk boot-recv=2"));
	ASSERT_TRUE(atw_reset_module(ATW_DEVICE));
	fd = atw_peer("source 5000 86");
	ASSERT_LE(0, fd);
	ASSERT_EQ(5000, atw_download(fd, 5000, 86, &err));
	EXPECT_TRUE(module_is(false));
	EXPECT_EQ(self->seen, atw_stat(ATW_DEVICE, "passive"));
	close(fd);
	ASSERT_EQ(0, set_mode("active"));
	ASSERT_EQ(0, atw_sim("quirk boot-recv=1"));
	ASSERT_TRUE(atw_reset_module(ATW_DEVICE));
	EXPECT_TRUE(module_is(true));
}

/*
 * More than the module has memory for, which it drops without a word: the stream
 * ends, and does not go on after a gap.
 */
TEST_F(passive, flood)
{
	long overflows = atw_stat(ATW_DEVICE, "overflows");
	long drops = atw_sim_stat("heap-drops");
	uint64_t limit;
	int64_t got;
	int fd, err, other;
	bool works;

	other = atw_peer("echo");
	ASSERT_LE(0, other);
	fd = atw_peer("source 2000000 88");
	ASSERT_LE(0, fd);
	/* Nobody reads before it has dropped some, or the driver has seen that it is about to. */
	limit = atw_now_ms() + LONG_MS;
	while (atw_has_sim() && atw_sim_stat("heap-drops") == drops &&
	       atw_stat(ATW_DEVICE, "overflows") == overflows) {
		ASSERT_LT(atw_now_ms(), limit);
		atw_pause_ms(10);
	}
	got = atw_download(fd, 2000000, 88, &err);
	ASSERT_LE(0, got);
	if (atw_has_sim()) {
		EXPECT_GT(2000000, got);
	}
	if (got < 2000000) {
		EXPECT_STREQ("ECONNRESET", atw_errno_name(err));
	}
	close(fd);
	close(other);
	/* What comes when it has room again is not touched by it. */
	limit = atw_now_ms() + LONG_MS;
	do {
		ASSERT_LT(atw_now_ms(), limit);
		other = atw_peer("echo");
		works = other >= 0 && atw_echo_works(other, 1, 1000);
		close(other);
	} while (!works);
}

static _Atomic int stop;
static _Atomic long switches;

static void *switcher(void *arg)
{
	while (!stop) {
		if (set_mode(switches & 1 ? "passive" : "active"))
			return "set_mode";
		switches++;
	}
	return NULL;
}

/* Streams go on when the mode is changed, and nothing comes out of order. */
TEST_F(passive, switched_in_full_flow)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	pthread_t thread;
	void *bad;
	int fd, err;

	stop = 0;
	switches = 0;
	ASSERT_EQ(0, pthread_create(&thread, NULL, switcher, NULL));
	/* As often as it takes until it was changed often enough. */
	do {
		fd = atw_peer("acked 400000 87 %d", WINDOW);
		ASSERT_LE(0, fd);
		ASSERT_EQ(400000, atw_download_acked(fd, 400000, 87, WINDOW, &err)) {
			TH_LOG("%s after %ld switches", atw_errno_name(err), switches);
		}
		close(fd);
		ASSERT_LT(atw_now_ms(), limit);
	} while (switches < 5);
	stop = 1;
	ASSERT_EQ(0, pthread_join(thread, &bad));
	EXPECT_EQ(NULL, bad);
}

TEST_HARNESS_MAIN
