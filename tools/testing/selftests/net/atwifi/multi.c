// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several connections at once: each gets its own bytes and its share, and
 * none is left over.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/sockios.h>

#include "kselftest_harness.h"
#include "pattern.h"
#include "util.h"

#define MANY	16
#define NOBODY	65534

FIXTURE(multi)
{
	int max;
};

FIXTURE_SETUP(multi)
{
	self->max = atw_max_sockets();
	ASSERT_LT(2, self->max);
	ASSERT_GE(MANY, self->max);
	ASSERT_TRUE(atw_emptied());
}

FIXTURE_TEARDOWN(multi)
{
}

struct both_ways {
	int fd;
	unsigned int seed;
	uint64_t bytes, sent, got;
	char line[32];
	size_t line_len;
	bool done;
};

/* Moves what can be moved without waiting; NULL or what went wrong. */
static const char *move(struct both_ways *c, short events)
{
	uint8_t buf[3000];
	ssize_t n;

	if (events & POLLOUT && c->sent < c->bytes) {
		n = c->bytes - c->sent < sizeof(buf) ? c->bytes - c->sent : sizeof(buf);
		pattern_fill(buf, n, c->seed + 1, c->sent);
		n = send(c->fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return "send";
		if (n > 0)
			c->sent += n;
	}
	if (!(events & (POLLIN | POLLHUP | POLLERR)))
		return NULL;
	n = c->bytes - c->got < sizeof(buf) ? c->bytes - c->got : sizeof(buf);
	if (!n) {
		n = recv(c->fd, c->line + c->line_len, sizeof(c->line) - 1 - c->line_len,
			 MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN ? NULL : "receive the answer";
		c->done = !n;
		c->line_len += n;
		return NULL;
	}
	n = recv(c->fd, buf, n, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN ? NULL : "recv";
	if (!n)
		return "early end";
	if (pattern_check(buf, n, c->seed, c->got) >= 0)
		return "wrong byte";
	c->got += n;
	return NULL;
}

/* As many connections as the module has, all of them full both ways. */
TEST_F(multi, both_ways_at_once)
{
	const uint64_t bytes = 65536;
	uint64_t limit = atw_now_ms() + LONG_MS;
	struct both_ways c[MANY];
	struct pollfd p[MANY];
	const char *wrong;
	int i, left;

	memset(c, 0, sizeof(c));
	for (i = 0; i < self->max; i++) {
		c[i].seed = 1000 + 2 * i;
		c[i].bytes = bytes;
		c[i].fd = atw_peer("duplex %llu %u", (unsigned long long)bytes, c[i].seed);
		ASSERT_LE(0, c[i].fd);
	}
	for (left = self->max; left; ) {
		for (i = 0; i < self->max; i++) {
			p[i].fd = c[i].done ? -1 : c[i].fd;
			p[i].events = POLLIN | (c[i].sent < bytes ? POLLOUT : 0);
			p[i].revents = 0;
		}
		ASSERT_LT(0, poll(p, self->max, LONG_MS));
		ASSERT_LT(atw_now_ms(), limit);
		for (i = 0; i < self->max; i++) {
			if (c[i].done || !p[i].revents)
				continue;
			wrong = move(&c[i], p[i].revents);
			ASSERT_EQ(NULL, wrong) {
				TH_LOG("connection %d: %s (%s) after %llu sent, %llu received", i,
				       wrong, atw_errno_name(errno),
				       (unsigned long long)c[i].sent,
				       (unsigned long long)c[i].got);
			}
			left -= c[i].done;
		}
	}
	for (i = 0; i < self->max; i++) {
		EXPECT_STREQ("ok 65536\n", c[i].line);
		EXPECT_EQ(0, close(c[i].fd));
	}
}

static void *uploader(void *arg)
{
	int *fd = arg;

	return atw_upload(*fd, 1000000, 8) ? "upload" : NULL;
}

/* Returns false if the driver has started the module over meanwhile. */
static bool pauses_once(struct __test_metadata *_metadata)
{
	long bringups = atw_stat(ATW_DEVICE, "bringups"), resets = atw_stat(ATW_DEVICE, "resets");
	int pause = atw_patience_ms(22000), n = pause / 500 + 12;
	int late, down, err;
	char line[32] = "";
	pthread_t thread;
	bool as_before;
	int64_t got;
	void *bad;

	down = atw_peer("source %d 7 1 500", n);
	ASSERT_LE(0, down);
	late = atw_peer("late 1000000 8 %d", pause);
	ASSERT_LE(0, late);
	ASSERT_EQ(0, pthread_create(&thread, NULL, uploader, &late));
	got = atw_download(down, n, 7, &err);
	ASSERT_LE(0, got);
	ASSERT_EQ(0, pthread_join(thread, &bad));
	if (!bad)
		atw_recv_line(late, line, sizeof(line));
	close(late);
	close(down);
	as_before = bringups == atw_stat(ATW_DEVICE, "bringups") &&
		    resets == atw_stat(ATW_DEVICE, "resets");
	if (as_before) {
		EXPECT_EQ(n, got) {
			TH_LOG("%s", atw_errno_name(err));
		}
		EXPECT_EQ(NULL, bad);
		EXPECT_STREQ("ok 1000000", line);
	}
	return as_before;
}

/*
 * A remote that does not read for a while blocks the module, which takes no command
 * meanwhile. As long as it prints what others receive it is known to live: nobody's
 * connection ends. That is between the ten seconds of a send and thirty.
 */
TEST_F(multi, remote_pauses)
{
	int tries = 3;

	/* A guest that stood still for two seconds more tells nothing. */
	while (!pauses_once(_metadata)) {
		ASSERT_LT(0, --tries);
		ASSERT_TRUE(atw_emptied());
	}
}

/* A download that goes on and on does not hold up a small message. */
TEST_F(multi, small_beside_download)
{
	int down, echo, i, room = 16 << 20;
	uint64_t got = 0, before;
	uint8_t buf[8192];
	ssize_t n;

	down = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, down);
	ASSERT_EQ(0, setsockopt(down, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)));
	ASSERT_EQ(0, atw_peer_on(down, "source 50000000 5 4000 4"));
	echo = atw_peer("echo");
	ASSERT_LE(0, echo);
	for (i = 0; i < 30; i++) {
		before = got;
		ASSERT_TRUE(atw_echo_works(echo, i, 16));
		do {
			n = recv(down, buf, sizeof(buf), got == before ? 0 : MSG_DONTWAIT);
			if (n <= 0)
				break;
			ASSERT_EQ(-1, pattern_check(buf, n, 5, got));
			got += n;
		} while (got < before + 1000000);
		/* It goes on: what is in between came beside the message. */
		ASSERT_LT(before, got);
		if (n < 0) {
			ASSERT_EQ(EAGAIN, errno);
		}
	}
}

/*
 * What is unread of remotes that have closed stays, but not without a bound: of one user no
 * more than is free for others.
 */
TEST_F_TIMEOUT(multi, unread_of_a_user, 300)
{
	const uint64_t bytes = 400000;
	int fd[41], i, n, other, err;

	for (n = 0; n < 40; n++) {
		fd[n] = atw_peer("source %llu %d", (unsigned long long)bytes, n);
		ASSERT_LE(0, fd[n]);
		ASSERT_TRUE(atw_wait(fd[n], POLLRDHUP, LONG_MS) & POLLRDHUP);
		if (atw_wait(fd[n], POLLRDHUP, 0) & POLLERR)
			break;
	}
	ASSERT_GT(40, n);
	ASSERT_LT(2, n);
	EXPECT_GT((int64_t)bytes, atw_download(fd[n], bytes, n, &err));
	EXPECT_EQ(ECONNRESET, err);

	/* Another user, with our capabilities. */
	setfsuid(NOBODY);
	other = atw_socket(SOCK_STREAM);
	setfsuid(0);
	ASSERT_LE(0, other);
	ASSERT_EQ(0, atw_peer_on(other, "source %llu 77", (unsigned long long)bytes));
	ASSERT_TRUE(atw_wait(other, POLLRDHUP, LONG_MS) & POLLRDHUP);
	EXPECT_EQ(bytes, atw_download(other, bytes, 77, &err));
	close(other);
	for (i = 0; i < n; i++) {
		EXPECT_EQ(bytes, atw_download(fd[i], bytes, i, &err));
		close(fd[i]);
	}
	close(fd[n]);
}

/* What comes to a user's server is his, too: the superuser has his own. */
TEST_F_TIMEOUT(multi, unread_of_a_users_server, 300)
{
	long overflows = atw_stat(ATW_DEVICE, "overflows");
	const uint64_t bytes = 400000;
	int fd[81], n, port, server, other, err;

	setfsuid(NOBODY);
	server = atw_server(SOCK_STREAM, 3, &port);
	setfsuid(0);
	ASSERT_LE(0, server);
	for (n = 0; n < 80; n++) {
		fd[n] = atw_client(server, port, "source 400000 5");
		ASSERT_LE(0, fd[n]);
		ASSERT_TRUE(atw_wait(fd[n], POLLRDHUP, LONG_MS) & POLLRDHUP);
		/* Some end for other reasons. */
		if (atw_stat(ATW_DEVICE, "overflows") > overflows)
			break;
	}
	ASSERT_GT(80, n);
	other = atw_peer("source %llu 77", (unsigned long long)bytes);
	ASSERT_LE(0, other);
	ASSERT_TRUE(atw_wait(other, POLLRDHUP, LONG_MS) & POLLRDHUP);
	EXPECT_EQ(bytes, atw_download(other, bytes, 77, &err));
	close(other);
	for (; n >= 0; n--)
		close(fd[n]);
	close(server);
}

/* More than the module has: told so, and all is well after one is closed. */
TEST_F(multi, used_up)
{
	uint64_t limit;
	int fd[MANY], more, i, round;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < self->max; i++) {
			fd[i] = atw_peer("echo");
			ASSERT_LE(0, fd[i]);
		}
		more = atw_socket(SOCK_STREAM);
		ASSERT_LE(0, more);
		ASSERT_ERRNO(ENOBUFS, atw_connect_host(more, atw_peer_port()));
		for (i = 0; i < self->max; i++) {
			ASSERT_TRUE(atw_echo_works(fd[i], i, 50));
		}
		close(fd[0]);
		/* Some firmware takes its time to free one. */
		limit = atw_now_ms() + LONG_MS;
		while (atw_connect_host(more, atw_peer_port())) {
			ASSERT_EQ(ENOBUFS, errno);
			ASSERT_LT(atw_now_ms(), limit);
			atw_pause_ms(20);
		}
		ASSERT_EQ(5, atw_send_all(more, "echo\n", 5));
		ASSERT_TRUE(atw_echo_works(more, round, 50));
		for (i = 1; i < self->max; i++)
			close(fd[i]);
		close(more);
		ASSERT_TRUE(atw_listed_becomes(0, LONG_MS));
		ASSERT_TRUE(atw_sim_has(0, LONG_MS));
	}
}

/* Sockets beyond those that the module has, never connected: no matter. */
TEST_F(multi, unconnected)
{
	int i, fd;

	for (i = 0; i < 200; i++) {
		fd = atw_socket(i & 1 ? SOCK_STREAM : SOCK_DGRAM);
		ASSERT_LE(0, fd);
	}
	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	EXPECT_TRUE(atw_echo_works(fd, 1, 64));
}

/* Opened and closed in every state, ATW_CHURN times; nothing stays behind. */
TEST_F(multi, churn)
{
	int rounds = atoi(atw_env("ATW_CHURN", "200"));
	int fd = -1, i, ret;
	uint64_t limit;
	long made = 0;

	if (atw_has_sim())
		made = atw_sim_stat("sockets-made");
	for (i = 0; i < rounds; i++) {
		limit = atw_now_ms() + LONG_MS;
		switch (i % 5) {
		case 0:		/* used */
		case 1:		/* closed with an answer on its way */
			for (;;) {
				fd = atw_peer("echo");
				if (fd >= 0)
					break;
				/* Those before are still being closed. */
				ASSERT_STREQ("ENOBUFS", atw_errno_name(errno));
				ASSERT_LT(atw_now_ms(), limit);
				atw_pause_ms(5);
			}
			if (i % 5)
				ret = send(fd, "hello", 5, MSG_NOSIGNAL);
			else
				ret = atw_echo_works(fd, i, 20);
			ASSERT_LT(0, ret);
			break;
		case 2:		/* in the middle of connecting */
			fd = atw_socket(SOCK_STREAM | SOCK_NONBLOCK);
			ASSERT_LE(0, fd);
			ASSERT_ERRNO(EINPROGRESS, atw_connect_host(fd, atw_peer_port()));
			break;
		case 3:		/* never connected */
			fd = atw_socket(SOCK_STREAM);
			ASSERT_LE(0, fd);
			break;
		case 4:		/* datagrams */
			fd = atw_socket(SOCK_DGRAM);
			ASSERT_LE(0, fd);
			while (atw_connect_host(fd, atw_peer_port())) {
				ASSERT_STREQ("ENOBUFS", atw_errno_name(errno));
				ASSERT_LT(atw_now_ms(), limit);
				atw_pause_ms(5);
			}
			ASSERT_EQ(5, send(fd, "hello", 5, 0));
			break;
		}
		ASSERT_EQ(0, close(fd));
	}
	ASSERT_TRUE(atw_listed_becomes(0, LONG_MS));
	if (atw_has_sim()) {
		/* Nor does the module keep any. */
		ASSERT_TRUE(atw_sim_has(0, LONG_MS));
		ASSERT_LE(made + rounds / 5 * 3, atw_sim_stat("sockets-made"));
	}
	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	EXPECT_TRUE(atw_echo_works(fd, 1, 64));
}

/* A line for every socket, with its state, gone when it is closed. */
TEST_F(multi, proc_listing)
{
	const char *host = atw_env("ATW_HOST", "192.0.2.1");
	char type[8], state[8], device[16], remote[64], *text, *line;
	int stream, dgram, port, streams = 0, dgrams = 0;

	text = atw_slurp(ATW_PROC);
	ASSERT_NE(NULL, text);
	free(text);
	stream = atw_peer("echo");
	ASSERT_LE(0, stream);
	ASSERT_EQ(1, atw_listed());
	dgram = atw_socket(SOCK_DGRAM);
	ASSERT_LE(0, dgram);
	ASSERT_EQ(0, atw_connect_host(dgram, atw_peer_port()));
	ASSERT_EQ(2, atw_listed());
	text = atw_slurp(ATW_PROC);
	ASSERT_NE(NULL, text);
	for (line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
		ASSERT_EQ(5, sscanf(line + 1, "%*u %7s %7s %15s %*u %63s %d", type, state,
				    device, remote, &port)) {
			TH_LOG("not understood:\n%s", text);
		}
		EXPECT_STREQ("open", state);
		EXPECT_STREQ(ATW_DEVICE, device);
		EXPECT_STREQ(host, remote);
		EXPECT_EQ(atw_peer_port(), port);
		streams += !strcmp(type, "stream");
		dgrams += !strcmp(type, "dgram");
	}
	EXPECT_EQ(1, streams);
	EXPECT_EQ(1, dgrams);
	free(text);
	close(dgram);
	EXPECT_TRUE(atw_listed_becomes(1, LONG_MS));
	close(stream);
	EXPECT_TRUE(atw_listed_becomes(0, LONG_MS));
}

/*
 * Nobody reads: what the module prints must be taken, so that there is a bound,
 * and beyond it the connection breaks, aloud. The others go on.
 */
TEST_F(multi, reader_too_slow)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	int fd, echo, i, small = 16384, err;
	int64_t got;

	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)));
	ASSERT_EQ(0, atw_peer_on(fd, "source 1000000 6"));
	echo = atw_peer("echo");
	ASSERT_LE(0, echo);
	for (i = 0; !(atw_wait(fd, POLLIN, 0) & POLLERR); i++) {
		ASSERT_TRUE(atw_echo_works(echo, i, 100));
		ASSERT_LT(atw_now_ms(), limit);
	}
	/* What had come before is good, then comes the error, never a hole. */
	got = atw_download(fd, 1000000, 6, &err);
	ASSERT_LE(0, got);
	EXPECT_STREQ("ECONNRESET", atw_errno_name(err));
	EXPECT_GT(1000000, got);
	EXPECT_TRUE(atw_echo_works(echo, 7, 500));
	close(fd);
	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	EXPECT_TRUE(atw_echo_works(fd, 8, 500));
}

/* As little as a program may ask for, it has time to read: there is no slower for a remote. */
TEST_F(multi, small_buffer)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	int fd, small = 4096, n = 0, err;
	const int bytes = 100000;

	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)));
	ASSERT_EQ(0, atw_peer_on(fd, "source %d 6", bytes));
	while (!ioctl(fd, SIOCINQ, &n) && n < bytes) {
		ASSERT_EQ(0, POLLERR & atw_wait(fd, 0, 0));
		ASSERT_LT(atw_now_ms(), limit);
		atw_pause_ms(5);
	}
	EXPECT_EQ(bytes, atw_download(fd, bytes, 6, &err));
	close(fd);
}

TEST_HARNESS_MAIN
