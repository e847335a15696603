// SPDX-License-Identifier: GPL-2.0-only
/*
 * What goes wrong outside: remotes that reset, a module that resets, falls
 * silent or loses its access point. Always: the right bytes, then the right
 * errno, then a new connection.
 *
 * The emulator is told to misbehave in the midst of it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <linux/sockios.h>
#include <linux/tty.h>

#include "kselftest_harness.h"
#include "pattern.h"
#include "util.h"

/* From a module that stopped answering to one that works: time-outs included. */
#define RECOVERY_MS	LONG_MS

FIXTURE(faults)
{
	int unused;
};

FIXTURE_SETUP(faults)
{
	if (!atw_has_sim()) {
		SKIP(return, "no emulator to control");
	}
	ASSERT_TRUE(atw_settled());
}

FIXTURE_TEARDOWN(faults)
{
	if (!atw_has_sim())
		return;
	EXPECT_EQ(0, atw_sim("sound"));
	EXPECT_EQ(0, atw_write(ATW_GROUPS, "1 0"));
}

static bool works_again(void)
{
	uint64_t limit = atw_now_ms() + RECOVERY_MS;
	bool works = false;
	int fd;

	while (!works && atw_now_ms() < limit) {
		fd = atw_peer("echo");
		if (fd >= 0) {
			works = atw_echo_works(fd, 77, 300);
			close(fd);
		} else {
			atw_pause_ms(50);
		}
	}
	return works;
}

static bool one_of(int err, const int *list)
{
	while (*list && *list != err)
		list++;
	return *list;
}

/* The module does not tell a reset from a close: with nothing unsent, the end. */
TEST_F(faults, peer_resets)
{
	char byte;
	int fd;

	fd = atw_peer("reset-after 10");
	ASSERT_LE(0, fd);
	ASSERT_EQ(10, atw_send_all(fd, "0123456789", 10));
	ASSERT_NE(0, POLLRDHUP & atw_wait(fd, POLLRDHUP, LONG_MS));
	ASSERT_EQ(0, recv(fd, &byte, 1, 0));
	ASSERT_ERRNO(EPIPE, send(fd, "x", 1, MSG_NOSIGNAL));
	close(fd);
	EXPECT_TRUE(works_again());
}

TEST_F(faults, peer_resets_upload)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	uint8_t buf[4096] = { 0 };
	int fd, err = 0;

	fd = atw_peer("reset-after 20000");
	ASSERT_LE(0, fd);
	while (!err && atw_now_ms() < limit)
		if (send(fd, buf, sizeof(buf), MSG_NOSIGNAL) < 0)
			err = errno;
	ASSERT_TRUE(one_of(err, (int[]){ ECONNRESET, EPIPE, 0 })) {
		TH_LOG("%s", atw_errno_name(err));
	}
	ASSERT_ERRNO(EPIPE, send(fd, "x", 1, MSG_NOSIGNAL));
	close(fd);
	EXPECT_TRUE(works_again());
}

/*
 * The module would connect again by itself and go on under the same number: what it has of
 * the first connection is gone before, or the remote had a second one that is nobody's.
 */
TEST_F(faults, no_reconnect)
{
	int fd, i, tries = 3;
	char byte;
	long anew;

	/* It connects after three seconds: a guest that stood still for so long tells nothing. */
	do {
		ASSERT_LT(0, tries--);
		anew = atw_sim_stat("reconnects");
		fd = atw_socket(SOCK_STREAM);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, atw_timeouts(fd, LONG_MS));
		ASSERT_EQ(0, atw_connect_host(fd, atw_greet_port()));
		for (i = 0; i < (int)strlen(GREETING); i++) {
			ASSERT_EQ(1, atw_recv_all(fd, &byte, 1));
			ASSERT_EQ(GREETING[i], byte);
		}
		ASSERT_EQ(14, atw_send_all(fd, "reset-after 0\n", 14));
		ASSERT_EQ(0, recv(fd, &byte, 1, 0));
		ASSERT_TRUE(atw_sim_has(0, LONG_MS));
		ASSERT_EQ(0, recv(fd, &byte, 1, 0));
		close(fd);
	} while (anew != atw_sim_stat("reconnects"));
}

TEST_F(faults, reset_in_download)
{
	long boots = atw_sim_stat("uptime-boots");
	int64_t got;
	int fd, err;

	fd = atw_peer("source 50000000 41 1000 4");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_room(fd));
	ASSERT_EQ(60000, atw_download(fd, 60000, 41, &err));
	ASSERT_EQ(0, atw_sim("reset"));
	/* The rest of what had come, then the error: nothing of the banner. */
	got = 0;
	while (!err) {
		uint8_t buf[4096];
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n < 0) {
			err = errno;
			break;
		}
		ASSERT_NE(0, n);
		ASSERT_EQ(-1, pattern_check(buf, n, 41, 60000 + got));
		got += n;
	}
	ASSERT_STREQ("ECONNRESET", atw_errno_name(err));
	ASSERT_ERRNO(EPIPE, send(fd, "x", 1, MSG_NOSIGNAL));
	/* And again: 0 would be taken for the end of a whole stream. */
	ASSERT_ERRNO(ECONNRESET, recv(fd, &err, 1, 0));
	ASSERT_ERRNO(ENOTCONN, shutdown(fd, SHUT_WR));
	close(fd);
	EXPECT_TRUE(works_again());
	EXPECT_LE(boots + 1, atw_sim_stat("uptime-boots"));
}

/*
 * A program that has begun to connect without waiting, and knows of the success by poll(): when
 * the stream has failed, connect() is no new one, and what is unread stays.
 */
TEST_F(faults, reset_then_connect)
{
	int fd, err = -1, opened;
	socklen_t len = sizeof(err);
	char buf[100] = "";

	fd = atw_socket(SOCK_STREAM | SOCK_NONBLOCK);
	ASSERT_LE(0, fd);
	ASSERT_ERRNO(EINPROGRESS, atw_connect_host(fd, atw_peer_port()));
	ASSERT_EQ(POLLOUT, atw_wait(fd, POLLOUT, LONG_MS));
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len));
	ASSERT_EQ(0, err);
	ASSERT_EQ(5, atw_send_all(fd, "echo\n", 5));
	ASSERT_EQ(sizeof(buf), atw_send_all(fd, buf, sizeof(buf)));
	ASSERT_TRUE(atw_becomes(!ioctl(fd, SIOCINQ, &err) && err == sizeof(buf), LONG_MS));
	ASSERT_TRUE(atw_reset_module(ATW_DEVICE));
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len));
	ASSERT_STREQ("ECONNRESET", atw_errno_name(err));
	opened = atw_stat(ATW_DEVICE, "opened");
	ASSERT_ERRNO(EISCONN, atw_connect_host(fd, atw_peer_port()));
	ASSERT_ERRNO(EISCONN, atw_connect_host(fd, atw_peer_port()));
	ASSERT_EQ(sizeof(buf), recv(fd, buf, sizeof(buf), 0));
	ASSERT_ERRNO(ECONNRESET, recv(fd, buf, sizeof(buf), 0));
	EXPECT_EQ(opened, atw_stat(ATW_DEVICE, "opened"));
	close(fd);
}

/*
 * The banner closes the payload that a reset has cut off, as if it were its end:
 * there are 50 or 52 bytes of it before a CR LF.
 */
TEST_F(faults, reset_in_payload)
{
	static const int missing[] = { 50, 52 };
	char fault[64];
	int fd, err;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(missing); i++) {
		snprintf(fault, sizeof(fault), "fault break-off,max=%d,after=20000",
			 missing[i]);
		fd = atw_peer("source 50000000 42 1000 4");
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, atw_room(fd));
		ASSERT_EQ(0, atw_sim(fault));
		/* -1 if a byte is wrong. */
		ASSERT_LT(10000, atw_download(fd, 50000000, 42, &err));
		ASSERT_STREQ("ECONNRESET", atw_errno_name(err));
		ASSERT_EQ(1, atw_sim_stat("break-off"));
		close(fd);
		EXPECT_TRUE(works_again());
	}
}

/* The same words from a remote are its own. */
TEST_F(faults, words_of_a_module)
{
	static const char words[] =
		"\r\n################################################\r\n\r\n"
		"arch:BL602,NULL\r\ncompany:Ai-Thinker|B&T\r\n\r\nready\r\n\r\n"
		"################################################\r\n";
	char got[sizeof(words)];
	int fd = atw_peer("echo");
	size_t len;
	int i;

	ASSERT_LE(0, fd);
	for (i = 0; i < 20; i++) {
		len = i < 10 ? strlen(words) : 50u + i;
		ASSERT_EQ(len, atw_send_all(fd, words, len));
		ASSERT_EQ(len, atw_recv_all(fd, got, len));
		ASSERT_EQ(0, memcmp(words, got, len));
	}
	close(fd);
}

static void *reset_soon(void *unused)
{
	atw_pause_ms(50);
	atw_sim("reset");
	return NULL;
}

TEST_F(faults, reset_in_upload)
{
	uint8_t buf[4096];
	pthread_t thread;
	uint64_t at = 0;
	int fd, err = 0;
	ssize_t n;

	fd = atw_peer("sink 50000000 42");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, pthread_create(&thread, NULL, reset_soon, NULL));
	while (!err && at < 50000000) {
		pattern_fill(buf, sizeof(buf), 42, at);
		n = send(fd, buf, sizeof(buf), MSG_NOSIGNAL);
		if (n < 0)
			err = errno;
		else
			at += n;
	}
	pthread_join(thread, NULL);
	ASSERT_STREQ("ECONNRESET", atw_errno_name(err));
	close(fd);
	EXPECT_TRUE(works_again());
}

/* Who waits in a call, and what came of that. */
struct waiter {
	enum { IN_RECV, IN_POLL, IN_SEND, IN_CLOSE } call;
	int fd;
	_Atomic pid_t tid;
	pthread_t thread;
	int ret;
	int err;
};

static void *waiter_thread(void *arg)
{
	struct waiter *w = arg;
	char byte = 0;

	w->tid = gettid();
	switch (w->call) {
	case IN_RECV:
		w->ret = recv(w->fd, &byte, 1, 0);
		break;
	case IN_POLL:
		w->ret = atw_wait(w->fd, POLLIN, -1);
		break;
	case IN_SEND:
		w->ret = send(w->fd, &byte, 1, MSG_NOSIGNAL);
		break;
	case IN_CLOSE:
		w->ret = close(w->fd);
		break;
	}
	w->err = errno;
	return NULL;
}

/* Who waits is woken: in recv(), in poll(), in send(), in close() with SO_LINGER. */
TEST_F(faults, reset_wakes)
{
	struct waiter w[] = {
		{ .call = IN_RECV }, { .call = IN_POLL }, { .call = IN_SEND },
		{ .call = IN_CLOSE },
	};
	/* No time-out ends any of this before the test's own. */
	struct linger lin = { 1, 3600 };
	int lost, log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	long cut = atw_stat(ATW_DEVICE, "cut");
	static uint8_t buf[65536];
	unsigned int i;

	ASSERT_LE(0, log);
	ASSERT_LE(0, lseek(log, 0, SEEK_END));
	for (i = 0; i < ARRAY_SIZE(w); i++) {
		w[i].fd = atw_peer("echo");
		ASSERT_LE(0, w[i].fd);
		ASSERT_EQ(0, atw_timeouts(w[i].fd, 0));
	}
	ASSERT_EQ(0, setsockopt(w[IN_CLOSE].fd, SOL_SOCKET, SO_LINGER, &lin, sizeof(lin)));
	/* While the module connects nothing is taken from those that are full. */
	ASSERT_LE(0, atw_hold_module());
	for (i = IN_SEND; i < ARRAY_SIZE(w); i++)
		while (send(w[i].fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
			;
	for (i = 0; i < ARRAY_SIZE(w); i++) {
		ASSERT_EQ(0, pthread_create(&w[i].thread, NULL, waiter_thread, &w[i]));
		while (!w[i].tid)
			atw_pause_ms(1);
		ASSERT_TRUE(atw_sleeps(w[i].tid));
	}
	ASSERT_EQ(0, atw_sim("reset"));
	for (i = 0; i < ARRAY_SIZE(w); i++)
		ASSERT_EQ(0, pthread_join(w[i].thread, NULL));
	EXPECT_EQ(-1, w[IN_RECV].ret);
	EXPECT_STREQ("ECONNRESET", atw_errno_name(w[IN_RECV].err));
	EXPECT_NE(0, w[IN_POLL].ret & POLLERR);
	/* And how much is lost. */
	ASSERT_EQ(0, ioctl(w[IN_SEND].fd, SIOCOUTQ, &lost));
	EXPECT_LT(0, lost);
	EXPECT_EQ(-1, w[IN_SEND].ret);
	EXPECT_STREQ("ECONNRESET", atw_errno_name(w[IN_SEND].err));
	EXPECT_EQ(0, w[IN_CLOSE].ret);
	/* That is no place for an error, so it is said elsewhere. */
	EXPECT_EQ(cut + 1, atw_stat(ATW_DEVICE, "cut"));
	EXPECT_TRUE(logged(log, ATW_DEVICE, "a stream has failed after close(), its last"));
	close(log);
	/* Told to who asks later, too, in whatever call. */
	ASSERT_ERRNO(ECONNRESET, send(w[IN_POLL].fd, "x", 1, MSG_NOSIGNAL));
	EXPECT_TRUE(works_again());
}

/*
 * Each byte of the command that deletes a connection is lost once on its way to the
 * module. What it makes of the rest, and says to it, is never that it is deleted.
 */
TEST_F(faults, close_misheard)
{
	static const char line[] = "AT+SOCKETDEL=101\r\n";
	char fault[64];
	size_t i;
	int fd;

	for (i = 1; i <= strlen(line); i++) {
		/* Where time is short the driver may have had to start over. */
		ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
		fd = atw_peer("echo");
		ASSERT_LE(0, fd);
		snprintf(fault, sizeof(fault), "fault lost,every=%zu,times=1,dir=in", i);
		ASSERT_EQ(0, atw_sim(fault));
		close(fd);
		ASSERT_TRUE(atw_sim_has(0, LONG_MS)) {
			TH_LOG("without byte %zu of it", i);
		}
		ASSERT_EQ(1, atw_sim_stat("lost"));
	}
	EXPECT_TRUE(works_again());
}

/*
 * What a module prints of a connection behind the answer that it has deleted it are nobody's
 * bytes: neither who has a connection nor who gets the next one hears of them.
 */
TEST_F(faults, late_bytes)
{
	/* Also when the next one is being connected, or is connected. */
	static const char *const when[] = { "fault late-down", "fault late-down,ms=5",
					    "fault late-down,ms=20", "fault late-down,ms=50" };
	int server, port, other, fd, i, tries;
	long damaged, late;
	char byte;

	damaged = atw_stat(ATW_DEVICE, "damaged");
	server = atw_server(SOCK_STREAM, 2, &port);
	ASSERT_LE(0, server);
	other = atw_peer("echo");
	ASSERT_LE(0, other);
	/* The driver has chosen the number of one, and the module that of the next. */
	for (i = 0; i < 2 * ARRAY_SIZE(when); i++) {
		ASSERT_EQ(0, atw_sim(when[i / 2]));
		late = atw_sim_stat("late-down");
		tries = 20;
		do {
			fd = i & 1 ? atw_client(server, port, "source 10000000 7") :
				     atw_peer("source 10000000 7");
			ASSERT_LE(0, fd);
			ASSERT_EQ(1, recv(fd, &byte, 1, 0));
			ASSERT_EQ(0, close(fd));
			fd = atw_peer("echo");
			ASSERT_LE(0, fd);
			EXPECT_TRUE(atw_echo_works(fd, i, 300));
			EXPECT_TRUE(atw_echo_works(other, i, 300));
			close(fd);
			ASSERT_TRUE(atw_sim_has(2, LONG_MS));
		} while (atw_sim_stat("late-down") == late && --tries);
		ASSERT_LT(0, tries);
	}
	EXPECT_EQ(damaged, atw_stat(ATW_DEVICE, "damaged"));
	close(other);
	close(server);
}

/*
 * A module that starts again without the word that it is ready and without an echo of
 * what it is told, with the banner of other chips or none. Nobody sends anything.
 */
TEST_F(faults, reset_unsaid)
{
	static const char *const banner[] = { "quirk banner=2", "quirk banner=3" };
	int fd, server, port, err;
	unsigned int i;
	long reboots;
	char byte;

	ASSERT_EQ(0, atw_sim("quirk mute-boot=1"));
	server = atw_server(SOCK_STREAM, 4, &port);
	ASSERT_LE(0, server);
	for (i = 0; i < ARRAY_SIZE(banner); i++) {
		ASSERT_EQ(0, atw_sim(banner[i]));
		reboots = atw_stat(ATW_DEVICE, "reboots");
		fd = atw_peer("echo");
		ASSERT_LE(0, fd);
		ASSERT_TRUE(atw_echo_works(fd, i, 300));
		ASSERT_EQ(0, atw_sim("reset"));
		ASSERT_EQ(-1, recv(fd, &byte, 1, 0));
		err = errno;
		/* It tells at least that it joins anew. */
		EXPECT_TRUE(one_of(err, (int[]){ ECONNRESET, ENETDOWN, 0 })) {
			TH_LOG("%s", atw_errno_name(err));
		}
		close(fd);
		EXPECT_TRUE(works_again());
		ASSERT_TRUE(atw_sim_has(1, LONG_MS));
		fd = atw_client(server, port, "echo");
		ASSERT_LE(0, fd);
		EXPECT_TRUE(atw_echo_works(fd, i, 300));
		close(fd);
		if (!i) {
			EXPECT_LT(reboots, atw_stat(ATW_DEVICE, "reboots"));
		}
	}
	close(server);
}

TEST_F(faults, reset_dgram)
{
	char byte;
	int fd;

	fd = atw_socket(SOCK_DGRAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_timeouts(fd, LONG_MS));
	ASSERT_EQ(0, atw_connect_host(fd, atw_peer_port()));
	ASSERT_EQ(1, send(fd, "x", 1, 0));
	ASSERT_EQ(1, recv(fd, &byte, 1, 0));
	ASSERT_EQ(0, atw_sim("reset"));
	ASSERT_ERRNO(ECONNRESET, recv(fd, &byte, 1, 0));
	EXPECT_TRUE(works_again());
}

/* What had come is the program's, also when it speaks to the same remote again. */
TEST_F(faults, reset_dgram_unread)
{
	static const char ask[] = "!send 1 100 70";
	char buf[200];
	int fd, n = 0;

	fd = atw_socket(SOCK_DGRAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_timeouts(fd, LONG_MS));
	ASSERT_EQ(0, atw_connect_host(fd, atw_peer_port()));
	ASSERT_EQ(sizeof(ask) - 1, send(fd, ask, sizeof(ask) - 1, 0));
	ASSERT_EQ(POLLIN, atw_wait(fd, POLLIN, LONG_MS));
	ASSERT_TRUE(atw_reset_module(ATW_DEVICE));
	ASSERT_ERRNO(ECONNRESET, recv(fd, buf, sizeof(buf), 0));
	ASSERT_EQ(5, send(fd, "hello", 5, 0));
	ASSERT_EQ(0, ioctl(fd, SIOCINQ, &n));
	ASSERT_EQ(100, recv(fd, buf, sizeof(buf), 0));
	EXPECT_EQ(-1, pattern_check((uint8_t *)buf, 100, 70, 0));
	ASSERT_EQ(5, recv(fd, buf, sizeof(buf), 0));
	/* With another one, what is left is nobody's. */
	ASSERT_EQ(sizeof(ask) - 1, send(fd, ask, sizeof(ask) - 1, 0));
	ASSERT_EQ(POLLIN, atw_wait(fd, POLLIN, LONG_MS));
	ASSERT_EQ(0, atw_connect_host(fd, atw_greet_port()));
	ASSERT_EQ(0, ioctl(fd, SIOCINQ, &n));
	EXPECT_EQ(0, n);
	close(fd);
}

/* Who has shut a half of it is not made to receive by a module that has restarted. */
TEST_F(faults, reset_dgram_shut)
{
	int fd, err, round;
	socklen_t len = sizeof(err);
	char byte;

	fd = atw_socket(SOCK_DGRAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_timeouts(fd, LONG_MS));
	ASSERT_EQ(0, atw_connect_host(fd, atw_peer_port()));
	ASSERT_EQ(0, shutdown(fd, SHUT_RD));
	for (round = 0; round < 2; round++) {
		ASSERT_EQ(5, send(fd, "hello", 5, 0));
		ASSERT_EQ(0, recv(fd, &byte, 1, 0));
		ASSERT_TRUE(atw_reset_module(ATW_DEVICE));
		ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len));
		ASSERT_STREQ("ECONNRESET", atw_errno_name(err));
	}
	/* Nor by another peer, as with UDP. As new it receives. */
	ASSERT_EQ(0, atw_connect_host(fd, atw_greet_port()));
	ASSERT_EQ(0, recv(fd, &byte, 1, 0));
	ASSERT_EQ(0, atw_disconnect(fd));
	ASSERT_EQ(0, atw_connect_host(fd, atw_peer_port()));
	ASSERT_EQ(5, send(fd, "hello", 5, 0));
	ASSERT_EQ(1, recv(fd, &byte, 1, 0));
	close(fd);
}

/* One after the other, also while the driver is still busy with the last. */
TEST_F(faults, reset_often)
{
	int i;

	for (i = 0; i < 12; i++) {
		ASSERT_EQ(0, atw_sim("reset"));
		atw_pause_ms(i * 90);
	}
	EXPECT_TRUE(works_again());
	EXPECT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
}

TEST_F(faults, link_lost)
{
	int64_t got;
	int fd, idle, err;
	char byte;

	fd = atw_peer("source 50000000 43 1000 4");
	ASSERT_LE(0, fd);
	/* That it runs over would end it as well, and in another way. */
	ASSERT_EQ(0, atw_room(fd));
	idle = atw_peer("echo");
	ASSERT_LE(0, idle);
	ASSERT_EQ(30000, atw_download(fd, 30000, 43, &err));
	ASSERT_EQ(0, atw_sim("link down"));
	got = 30000;
	for (;;) {
		uint8_t buf[4096];
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n < 0)
			break;
		ASSERT_NE(0, n);
		ASSERT_EQ(-1, pattern_check(buf, n, 43, got));
		got += n;
	}
	ASSERT_STREQ("ENETDOWN", atw_errno_name(errno));
	ASSERT_ERRNO(ENETDOWN, recv(idle, &byte, 1, 0));
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "down", LONG_MS));
	close(fd);
	close(idle);
	/* A new one is told at once. */
	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_ERRNO(ENETDOWN, atw_connect_host(fd, atw_peer_port()));
	close(fd);
	ASSERT_EQ(0, atw_sim("link up"));
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
	EXPECT_TRUE(works_again());
	EXPECT_TRUE(atw_sim_has(0, LONG_MS));
}

/* Lost and found again while the module had no time to be asked. */
TEST_F(faults, link_lost_for_a_moment)
{
	int fd, idle;
	char byte;

	idle = atw_peer("echo");
	ASSERT_LE(0, idle);
	fd = atw_hold_module();
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_sim("link down"));
	ASSERT_EQ(0, atw_sim("link up"));
	ASSERT_EQ(0, atw_hold(HOLD_ENDS));
	ASSERT_ERRNO(ENETDOWN, recv(idle, &byte, 1, 0));
	close(idle);
	close(fd);
	EXPECT_TRUE(works_again());
	EXPECT_TRUE(atw_sim_has(0, LONG_MS));
}

/* The module says first that its connections have ended, and only then why. */
TEST_F(faults, link_lost_told_last)
{
	int fd[2];
	size_t i;
	char byte;

	for (i = 0; i < ARRAY_SIZE(fd); i++) {
		fd[i] = atw_peer("echo");
		ASSERT_LE(0, fd[i]);
	}
	ASSERT_EQ(0, atw_sim("quirk lost-first=1"));
	ASSERT_EQ(0, atw_sim("link down"));
	for (i = 0; i < ARRAY_SIZE(fd); i++) {
		ASSERT_ERRNO(ENETDOWN, recv(fd[i], &byte, 1, 0));
		close(fd[i]);
	}
	ASSERT_EQ(0, atw_sim("link up"));
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
	EXPECT_TRUE(works_again());
	EXPECT_TRUE(atw_sim_has(0, LONG_MS));
}

/* The wire is cut: every wait ends, and all is well when it is back. */
TEST_F(faults, silent_module)
{
	int fd, err = 0, i;
	uint8_t buf[4096] = { 0 };

	fd = atw_peer("count 62");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_sim("silent on"));
	/* The time-outs of prompt and answer, then a decision: before the program's own. */
	for (i = 0; i < 100000 && !err; i++)
		if (send(fd, buf, sizeof(buf), MSG_NOSIGNAL) < 0)
			err = errno;
	ASSERT_TRUE(one_of(err, (int[]){ ECONNRESET, ETIMEDOUT, 0 })) {
		TH_LOG("%s", atw_errno_name(err));
	}
	close(fd);
	ASSERT_EQ(0, atw_sim("silent off"));
	EXPECT_TRUE(works_again());
}

TEST_F(faults, send_timeout)
{
	uint8_t buf[4096] = { 0 };
	uint64_t start;
	int fd;

	fd = atw_peer("count 63");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_sim("silent on"));
	while (send(fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	ASSERT_STREQ("EAGAIN", atw_errno_name(errno));
	ASSERT_EQ(0, atw_timeouts(fd, 300));
	start = atw_now_ms();
	/* What the driver's own time-outs end breaks with another errno. */
	ASSERT_ERRNO(EAGAIN, send(fd, buf, sizeof(buf), MSG_NOSIGNAL));
	EXPECT_LE(290, atw_now_ms() - start);
	close(fd);
	ASSERT_EQ(0, atw_sim("silent off"));
	EXPECT_TRUE(works_again());
}

/*
 * An address that never answers: the module gives up late. While it tries,
 * nothing can be sent, but what comes in comes in.
 */
TEST_F(faults, connect_never_answered)
{
	int fd = atw_socket(SOCK_STREAM);
	int code = 0;
	socklen_t len = sizeof(code);

	ASSERT_LE(0, fd);
	ASSERT_ERRNO(ETIMEDOUT, atw_connect_hole(fd));
	ASSERT_EQ(0, getsockopt(fd, SOL_ATWIFI, ATW_MODULE_ERROR, &code, &len));
	EXPECT_EQ(97, code);
	ASSERT_EQ(0, atw_peer_on(fd, "echo"));
	EXPECT_TRUE(atw_echo_works(fd, 1, 64));
}

static void on_signal(int sig)
{
}

TEST_F(faults, connect_interrupted)
{
	struct sigaction sa = { .sa_handler = on_signal };
	/* Again and again: the first may come before the call. */
	struct itimerval it = { { 0, 200000 }, { 0, 200000 } };
	int fd = atw_socket(SOCK_STREAM), err = 0;
	socklen_t len = sizeof(err);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_hold(HOLD_LONG));
	ASSERT_EQ(0, sigaction(SIGALRM, &sa, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &it, NULL));
	ASSERT_ERRNO(EINTR, atw_connect_hole(fd));
	/* It goes on without us; a blocking connect() would wait for it again. */
	ASSERT_EQ(0, fcntl(fd, F_SETFL, O_NONBLOCK));
	ASSERT_ERRNO(EALREADY, atw_connect_hole(fd));
	memset(&it, 0, sizeof(it));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &it, NULL));
	/* A no that comes within 4 s is taken for a remote's; they begin when the module does. */
	ASSERT_TRUE(atw_becomes(atw_sim_stat("connecting") == 1, LONG_MS));
	atw_pause_ms(4500);
	ASSERT_EQ(0, atw_hold(HOLD_ENDS));
	ASSERT_NE(0, POLLERR & atw_wait(fd, POLLOUT, LONG_MS));
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len));
	ASSERT_STREQ("ETIMEDOUT", atw_errno_name(err));
	close(fd);
	EXPECT_TRUE(works_again());
}

/* Interrupted, and the socket closed: the connection is not left behind. */
TEST_F(faults, connect_abandoned)
{
	long timeouts = atw_stat(ATW_DEVICE, "timeouts");
	int fd = atw_hold_module();

	ASSERT_LE(0, fd);
	ASSERT_ERRNO(EALREADY, atw_connect_hole(fd));
	ASSERT_EQ(0, atw_wait(fd, POLLIN | POLLOUT, 0));
	ASSERT_EQ(0, close(fd));
	/* close() does not wait for the module, which is held for longer than the driver waits. */
	EXPECT_EQ(timeouts, atw_stat(ATW_DEVICE, "timeouts"));
	EXPECT_EQ(0, atw_hold(HOLD_ENDS));
	EXPECT_TRUE(works_again());
	EXPECT_TRUE(atw_sim_has(0, LONG_MS));
}

TEST_F(faults, connect_time_out_of_ours)
{
	int fd = atw_socket(SOCK_STREAM);
	uint64_t start;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_timeouts(fd, 300));
	ASSERT_EQ(0, atw_hold(HOLD_LONG));
	start = atw_now_ms();
	/* As with TCP: it goes on, the program does not wait any longer. */
	ASSERT_ERRNO(EINPROGRESS, atw_connect_hole(fd));
	EXPECT_LE(290, atw_now_ms() - start);
	EXPECT_EQ(0, atw_hold(HOLD_ENDS));
	close(fd);
	EXPECT_TRUE(works_again());
}

/* Downloads go on while the module is busy connecting. */
TEST_F(faults, download_beside_connect)
{
	int down, fd, err;

	/* It lasts for longer than the module takes to begin. */
	down = atw_peer("source 20000 45 200 10");
	ASSERT_LE(0, down);
	fd = atw_hold_module();
	ASSERT_LE(0, fd);
	ASSERT_EQ(20000, atw_download(down, 20000, 45, &err));
	EXPECT_EQ(0, err);
	/* And the module still tries. */
	ASSERT_ERRNO(EALREADY, atw_connect_hole(fd));
}

#define NOBODY	65534

/* Of nobody: as many connects as he may have, to where nobody answers; how many. */
static int hoard_connects(void)
{
	const struct rlimit many = { 4096, 4096 };
	const gid_t group = NOBODY;
	int n, fd;

	if (setrlimit(RLIMIT_NOFILE, &many) || setgroups(1, &group) ||
	    setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
		return -1;
	for (n = 0; n < 4000; n++) {
		fd = atw_socket(SOCK_STREAM | SOCK_NONBLOCK);
		if (fd < 0 || !atw_connect_hole(fd) || errno != EINPROGRESS)
			break;
	}
	return fd >= 0 && errno == ENOBUFS ? n : -1;
}

/*
 * However many connects a user has begun, others have to wait for the one that runs, and
 * find room.
 */
TEST_F(faults, users_take_turns)
{
	int told[2], fd, n = -1, err = -1, rounds = 0;
	socklen_t len = sizeof(err);
	pid_t pid;

	ASSERT_EQ(0, atw_write(ATW_GROUPS, "65534 65534"));
	ASSERT_EQ(0, atw_hold(HOLD_LONG));
	ASSERT_EQ(0, pipe(told));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		n = hoard_connects();
		if (write(told[1], &n, sizeof(n)) == sizeof(n))
			pause();
		_exit(1);
	}
	ASSERT_LT(0, atw_wait(told[0], POLLIN, LONG_MS));
	ASSERT_EQ(sizeof(n), read(told[0], &n, sizeof(n)));
	EXPECT_LT(500, n);
	fd = atw_socket(SOCK_STREAM | SOCK_NONBLOCK);
	ASSERT_LE(0, fd);
	ASSERT_ERRNO(EINPROGRESS, atw_connect_host(fd, atw_peer_port()));
	/*
	 * The one that runs ends; the next that nobody answers does not. Some of them have
	 * their turn before, if it was us who let others wait a moment ago.
	 */
	do {
		ASSERT_GT(50, rounds++);
		ASSERT_EQ(0, atw_hold(HOLD_ENDS));
		ASSERT_EQ(0, atw_hold(HOLD_LONG));
	} while (!atw_wait(fd, POLLOUT, 500));
	EXPECT_EQ(POLLOUT, atw_wait(fd, POLLOUT, 0));
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len));
	EXPECT_EQ(0, err);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	close(fd);
	EXPECT_EQ(0, atw_hold(HOLD_ENDS));
	EXPECT_TRUE(atw_sim_has(0, LONG_MS));
}

/*
 * The line is taken off, and nobody reads it until N_TTY stops the module. Attached again, no
 * byte would come that has it go on.
 */
TEST_F(faults, throttled_before)
{
	static const char command[] = "AT\r\n";
	int atwifi = N_DEVELOPMENT, n_tty = N_TTY, ldisc = 0, full, fd;
	uint64_t limit = atw_now_ms() + LONG_MS;
	size_t at = 0;
	ssize_t n;

	fd = open("/dev/ttyS0", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, TIOCGETD, &ldisc) || ldisc != N_DEVELOPMENT) {
		SKIP(return, "the module is on no tty");
	}
	ASSERT_EQ(0, ioctl(fd, TIOCSETD, &n_tty));
	do {
		ASSERT_LT(atw_now_ms(), limit);
		/* Where the module takes its time it may be a part of it, or nothing yet. */
		n = write(fd, command + at, 4 - at);
		ASSERT_TRUE(n > 0 || errno == EAGAIN);
		if (n > 0)
			at = (at + n) % 4;
		atw_pause_ms(1);
		ASSERT_EQ(0, ioctl(fd, FIONREAD, &full));
	} while (full <= 4096 - 128);
	ASSERT_EQ(0, ioctl(fd, TIOCSETD, &atwifi));
	close(fd);
	EXPECT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
	EXPECT_TRUE(works_again());
}

static void *reset_connecting(void *unused)
{
	if (atw_becomes(atw_sim_stat("connecting") == 1, LONG_MS))
		atw_sim("reset");
	return NULL;
}

TEST_F(faults, reset_in_connect)
{
	int fd = atw_socket(SOCK_STREAM);
	pthread_t thread;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_hold(HOLD_LONG));
	ASSERT_EQ(0, pthread_create(&thread, NULL, reset_connecting, NULL));
	ASSERT_ERRNO(ECONNRESET, atw_connect_hole(fd));
	pthread_join(thread, NULL);
	close(fd);
	EXPECT_TRUE(works_again());
}

/*
 * Under each of these every byte is right or the socket fails with an errno.
 * Faults of the wire are far enough apart that no two of them hit one chunk:
 * without a checksum nobody can see two lost bytes where two bytes are missing
 * at the end.
 */
#define NOISES	2

FIXTURE(noise)
{
	long before[NOISES];	/* how often each has happened */
};

FIXTURE_VARIANT(noise)
{
	const char *fault[NOISES];
	bool lossless;		/* nothing is lost: no socket may fail */
	bool few;		/* faults, for twelve streams: some get through */
	bool flips;		/* payload, too, which nobody can see */
};

FIXTURE_VARIANT_ADD(noise, chunk) { .fault = { "fault chunk,max=7" }, .lossless = true };
FIXTURE_VARIANT_ADD(noise, busy) { .fault = { "fault busy,rate=0.1" }, .lossless = true };
FIXTURE_VARIANT_ADD(noise, torn) { .fault = { "fault torn,rate=0.02" } };
FIXTURE_VARIANT_ADD(noise, torn_chunk) {
	.fault = { "fault torn,rate=0.02", "fault chunk,max=64" } };
FIXTURE_VARIANT_ADD(noise, lost_out) { .fault = { "fault lost,every=40009,dir=out" } };
FIXTURE_VARIANT_ADD(noise, lost_in) {
	.fault = { "fault lost,every=90001,times=4,dir=in" }, .few = true };
FIXTURE_VARIANT_ADD(noise, flip_out) {
	.fault = { "fault flip,every=20011,dir=out" }, .flips = true };
FIXTURE_VARIANT_ADD(noise, flip_in) {
	.fault = { "fault flip,every=90001,times=4,dir=in" }, .flips = true, .few = true };
FIXTURE_VARIANT_ADD(noise, garbage) { .fault = { "fault garbage,every=40009,dir=out" } };
FIXTURE_VARIANT_ADD(noise, silent_send) {
	.fault = { "fault silent-send,every=40,times=3" }, .few = true };

/* Of a command that arms a fault: how often that has happened. */
static long happened(const char *fault)
{
	char name[32];

	return sscanf(fault, "fault %31[^,]", name) == 1 ? atw_sim_stat(name) : -1;
}

/* Has each of them happened? Else what is tested are plain streams. */
static bool all_happened(const char *const *fault, const long *before)
{
	int i;

	for (i = 0; i < NOISES && fault[i]; i++)
		if (happened(fault[i]) <= before[i])
			return false;
	return true;
}

FIXTURE_SETUP(noise)
{
	size_t i;

	if (!atw_has_sim()) {
		SKIP(return, "no emulator to control");
	}
	ASSERT_TRUE(atw_settled());
	for (i = 0; i < ARRAY_SIZE(variant->fault) && variant->fault[i]; i++) {
		ASSERT_EQ(0, atw_sim(variant->fault[i])) {
			TH_LOG("the emulator refuses '%s'", variant->fault[i]);
		}
		self->before[i] = happened(variant->fault[i]);
	}
}

FIXTURE_TEARDOWN(noise)
{
	if (!atw_has_sim())
		return;
	EXPECT_EQ(0, atw_sim("clear"));
	/* Whatever it was, afterwards all is well. */
	EXPECT_TRUE(works_again());
	EXPECT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", RECOVERY_MS));
}

enum outcome { RIGHT, FAILED, WRONG };

static enum outcome try_download(uint64_t bytes, unsigned int seed, int *err)
{
	enum outcome out;
	int64_t got;
	int fd;

	fd = atw_peer("source %llu %u", (unsigned long long)bytes, seed);
	*err = errno;
	if (fd < 0)
		return FAILED;
	got = atw_download(fd, bytes + 1, seed, err);
	if (got < 0 || got > (int64_t)bytes)
		out = WRONG;
	else if (*err)
		out = FAILED;
	else
		/* An end that is too early is a hole as well. */
		out = got == (int64_t)bytes ? RIGHT : WRONG;
	close(fd);
	return out;
}

static enum outcome try_upload(uint64_t bytes, unsigned int seed, int *err)
{
	enum outcome out = FAILED;
	char line[32], ok[32];
	ssize_t n;
	int fd;

	fd = atw_peer("sink %llu %u", (unsigned long long)bytes, seed);
	*err = errno;
	if (fd < 0)
		return FAILED;
	if (!atw_upload(fd, bytes, seed)) {
		n = atw_recv_line(fd, line, sizeof(line));
		*err = errno;
		snprintf(ok, sizeof(ok), "ok %llu", (unsigned long long)bytes);
		if (n >= 0)
			out = strcmp(line, ok) ? WRONG : RIGHT;
	} else {
		*err = errno;
	}
	close(fd);
	return out;
}

/* A whole stream each way, within the time that it takes to come back to order. */
static bool streams_again(struct __test_metadata *_metadata)
{
	uint64_t limit = atw_now_ms() + RECOVERY_MS;
	enum outcome out = FAILED;
	bool up = false;
	int err = 0;

	while (out != WRONG && atw_now_ms() < limit) {
		out = up ? try_upload(100000, 601, &err) : try_download(100000, 600, &err);
		if (out == RIGHT && up)
			return true;
		up = up || out == RIGHT;
	}
	TH_LOG("%s: %s", up ? "up" : "down",
	       out == WRONG ? "wrong" : atw_errno_name(err));
	return false;
}

TEST_F(noise, streams)
{
	static const int ways_to_fail[] = { ECONNRESET, ETIMEDOUT, ENETDOWN, EPIPE, 0 };
	uint64_t limit = atw_now_ms() + LONG_MS;
	int count[3] = { 0 }, i, err;
	enum outcome out;

	for (i = 0; i < 12; i++) {
		if (atw_now_ms() > limit && all_happened(variant->fault, self->before))
			break;
		out = i & 1 ? try_upload(100000, 500 + i, &err) :
			      try_download(100000, 500 + i, &err);
		count[out]++;
		ASSERT_TRUE(out != WRONG || variant->flips) {
			TH_LOG("stream %d (%s) is wrong", i, i & 1 ? "up" : "down");
		}
		if (out != FAILED)
			continue;
		ASSERT_FALSE(variant->lossless) {
			TH_LOG("stream %d (%s): %s", i, i & 1 ? "up" : "down", atw_errno_name(err));
		}
		ASSERT_TRUE(one_of(err, ways_to_fail)) {
			TH_LOG("stream %d (%s): %s", i, i & 1 ? "up" : "down", atw_errno_name(err));
		}
		ASSERT_TRUE(works_again());
	}
	TH_LOG("%d right, %d failed, %d wrong", count[RIGHT], count[FAILED], count[WRONG]);
	/* A driver that fails every stream keeps its promise, but is of no use. */
	if (variant->lossless || variant->few) {
		EXPECT_LT(0, count[RIGHT]);
	}
	EXPECT_TRUE(all_happened(variant->fault, self->before));
	ASSERT_EQ(0, atw_sim("clear"));
	EXPECT_TRUE(works_again());
	EXPECT_TRUE(streams_again(_metadata));
}

TEST_HARNESS_MAIN
