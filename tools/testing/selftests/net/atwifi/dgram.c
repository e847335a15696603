// SPDX-License-Identifier: GPL-2.0-only
/*
 * SOCK_DGRAM: what a program may expect of a UDP client with one peer.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <linux/filter.h>
#include <linux/sockios.h>

#include "kselftest_harness.h"
#include "pattern.h"
#include "util.h"

/* The largest datagram; the module cuts longer ones that it receives. */
#define MOST	1024

FIXTURE(dgram)
{
	int fd;
	struct sockaddr_atw peer;
};

FIXTURE_SETUP(dgram)
{
	self->peer = atw_addr(atw_env("ATW_HOST", "192.0.2.1"), atw_peer_port());
	self->fd = atw_socket(SOCK_DGRAM);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, atw_timeouts(self->fd, LONG_MS));
}

FIXTURE_TEARDOWN(dgram)
{
	close(self->fd);
}

/* Asks the peer for datagrams and waits until there is something to read. */
static bool ask(int fd, int count, int size, unsigned int seed)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "!send %d %d %u", count, size, seed);

	return send(fd, text, n, 0) == n && atw_wait(fd, POLLIN, LONG_MS) == POLLIN;
}

TEST_F(dgram, echo)
{
	char buf[32] = "";

	ASSERT_EQ(0, atw_connect(self->fd, &self->peer));
	ASSERT_EQ(5, send(self->fd, "hello", 5, 0));
	ASSERT_EQ(5, recv(self->fd, buf, sizeof(buf), 0));
	ASSERT_STREQ("hello", buf);
}

TEST_F(dgram, boundaries)
{
	static const int size[] = { 1, 2, 100, 255, 256, 257, 1000, MOST - 1 };
	uint8_t out[MOST], in[2 * MOST];
	size_t i;

	ASSERT_EQ(0, atw_connect(self->fd, &self->peer));
	for (i = 0; i < ARRAY_SIZE(size); i++) {
		/* Not a command to the peer. */
		pattern_fill(out, size[i], i, 0);
		out[0] = 'x';
		ASSERT_EQ(size[i], send(self->fd, out, size[i], 0));
		ASSERT_EQ(size[i], recv(self->fd, in, sizeof(in), 0));
		ASSERT_EQ(0, memcmp(out, in, size[i]));
	}
}

/* Two datagrams written in a hurry are two when they arrive. */
TEST_F(dgram, not_joined)
{
	char buf[64];
	int i;

	ASSERT_EQ(0, atw_connect(self->fd, &self->peer));
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(3 + i, send(self->fd, "abcdefghijk", 3 + i, 0));
	}
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(3 + i, recv(self->fd, buf, sizeof(buf), 0));
		ASSERT_EQ(0, memcmp(buf, "abcdefghijk", 3 + i));
	}
}

TEST_F(dgram, first_sendto_fixes_the_peer)
{
	struct sockaddr_atw other = self->peer, from;
	socklen_t len = sizeof(from);
	char buf[16] = "";

	ASSERT_EQ(3, sendto(self->fd, "one", 3, 0, (struct sockaddr *)&self->peer,
			    sizeof(self->peer)));
	ASSERT_EQ(3, recvfrom(self->fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len));
	ASSERT_STREQ("one", buf);
	EXPECT_EQ(sizeof(from), len);
	EXPECT_EQ(0, memcmp(&from, &self->peer, sizeof(from)));
	/* The same once more, and without an address. */
	ASSERT_EQ(3, sendto(self->fd, "two", 3, 0, (struct sockaddr *)&self->peer,
			    sizeof(self->peer)));
	ASSERT_EQ(3, recv(self->fd, buf, sizeof(buf), 0));
	ASSERT_EQ(3, send(self->fd, "tri", 3, 0));
	ASSERT_EQ(3, recv(self->fd, buf, sizeof(buf), 0));
	ASSERT_STREQ("tri", buf);
	/* Another one needs another socket. */
	other.satw_port = htons(atw_peer_port() ^ 1);
	ASSERT_ERRNO(EISCONN, sendto(self->fd, "x", 1, 0, (struct sockaddr *)&other,
				     sizeof(other)));
	other = self->peer;
	other.satw_addr ^= htonl(2);
	ASSERT_ERRNO(EISCONN, sendto(self->fd, "x", 1, 0, (struct sockaddr *)&other,
				     sizeof(other)));
	ASSERT_EQ(3, send(self->fd, "end", 3, 0));
	ASSERT_EQ(3, recv(self->fd, buf, sizeof(buf), 0));
}

TEST_F(dgram, no_peer)
{
	char byte;

	ASSERT_ERRNO(EDESTADDRREQ, send(self->fd, "x", 1, 0));
	ASSERT_ERRNO(EAGAIN, recv(self->fd, &byte, 1, MSG_DONTWAIT));
}

TEST_F(dgram, too_long)
{
	uint8_t buf[70000] = { 'x' };

	ASSERT_EQ(0, atw_connect(self->fd, &self->peer));
	ASSERT_ERRNO(EMSGSIZE, send(self->fd, buf, MOST + 1, 0));
	ASSERT_ERRNO(EMSGSIZE, send(self->fd, buf, sizeof(buf), 0));
	ASSERT_EQ(MOST, send(self->fd, buf, MOST, 0));
	ASSERT_EQ(MOST, recv(self->fd, buf, sizeof(buf), 0));
}

/* The module cannot send one. */
TEST_F(dgram, empty)
{
	char buf[8];

	ASSERT_EQ(0, atw_connect(self->fd, &self->peer));
	ASSERT_ERRNO(EMSGSIZE, send(self->fd, "", 0, 0));
	ASSERT_EQ(2, send(self->fd, "ok", 2, 0));
	ASSERT_EQ(2, recv(self->fd, buf, sizeof(buf), 0));
}

/* What does not fit into the program's buffer is lost, which it is told. */
TEST_F(dgram, buffer_too_small)
{
	uint8_t buf[100];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	ASSERT_EQ(0, atw_connect(self->fd, &self->peer));
	ASSERT_TRUE(ask(self->fd, 4, 500, 40));
	ASSERT_EQ(500, recv(self->fd, buf, sizeof(buf), MSG_PEEK | MSG_TRUNC));
	ASSERT_EQ(100, recvmsg(self->fd, &msg, 0));
	EXPECT_EQ(MSG_TRUNC, msg.msg_flags & MSG_TRUNC);
	EXPECT_EQ(-1, pattern_check(buf, 100, 40, 0));
	/* With MSG_TRUNC the answer is the real length. */
	ASSERT_EQ(500, recvmsg(self->fd, &msg, MSG_TRUNC));
	EXPECT_EQ(MSG_TRUNC, msg.msg_flags & MSG_TRUNC);
	EXPECT_EQ(-1, pattern_check(buf, 100, 41, 0));
	ASSERT_EQ(100, recv(self->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(-1, pattern_check(buf, 100, 42, 0));
	/* No room at all takes a datagram as well. */
	ASSERT_EQ(POLLIN, atw_wait(self->fd, POLLIN, LONG_MS));
	ASSERT_EQ(0, recv(self->fd, buf, 0, 0));
	ASSERT_ERRNO(EAGAIN, recv(self->fd, buf, 1, MSG_DONTWAIT));
}

/* The module may have cut it: nobody can tell from 1024 bytes. */
TEST_F(dgram, module_cuts)
{
	static const int size[] = { MOST, MOST + 1, 1400 };
	uint8_t buf[2 * MOST];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	size_t i;

	ASSERT_EQ(0, atw_connect(self->fd, &self->peer));
	for (i = 0; i < ARRAY_SIZE(size); i++) {
		ASSERT_TRUE(ask(self->fd, 1, size[i], 50));
		ASSERT_EQ(MOST, recvmsg(self->fd, &msg, 0));
		EXPECT_EQ(MSG_TRUNC, msg.msg_flags & MSG_TRUNC);
		EXPECT_EQ(-1, pattern_check(buf, MOST, 50, 0));
	}
	ASSERT_TRUE(ask(self->fd, 1, MOST - 1, 51));
	ASSERT_EQ(MOST - 1, recvmsg(self->fd, &msg, 0));
	EXPECT_EQ(0, msg.msg_flags & MSG_TRUNC);
}

TEST_F(dgram, peek_and_queue)
{
	uint8_t buf[MOST];
	int i, n;

	ASSERT_EQ(0, atw_connect(self->fd, &self->peer));
	ASSERT_EQ(0, ioctl(self->fd, SIOCINQ, &n));
	EXPECT_EQ(0, n);
	ASSERT_TRUE(ask(self->fd, 5, 300, 60));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(POLLIN, atw_wait(self->fd, POLLIN, LONG_MS));
		/* The next datagram's size, not that of all. */
		ASSERT_EQ(0, ioctl(self->fd, SIOCINQ, &n));
		ASSERT_EQ(300, n);
		ASSERT_EQ(300, recv(self->fd, buf, sizeof(buf), MSG_PEEK));
		ASSERT_EQ(-1, pattern_check(buf, 300, 60 + i, 0));
		memset(buf, 0, sizeof(buf));
		ASSERT_EQ(300, recv(self->fd, buf, sizeof(buf), 0));
		ASSERT_EQ(-1, pattern_check(buf, 300, 60 + i, 0));
	}
	ASSERT_ERRNO(EAGAIN, recv(self->fd, buf, sizeof(buf), MSG_DONTWAIT));
}

static long long microseconds(const struct timeval *t)
{
	return t->tv_sec * 1000000LL + t->tv_usec;
}

/* A filter that takes what begins with 'b', and two bytes of that. */
TEST_F(dgram, filter)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'b', 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 2),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog filter = { .len = ARRAY_SIZE(code), .filter = code };
	char buf[8];

	ASSERT_EQ(0, setsockopt(self->fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)));
	ASSERT_EQ(0, atw_connect(self->fd, &self->peer));
	ASSERT_EQ(3, send(self->fd, "abc", 3, 0));
	ASSERT_EQ(3, send(self->fd, "bcd", 3, 0));
	ASSERT_EQ(2, recv(self->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, memcmp(buf, "bc", 2));
	ASSERT_ERRNO(EAGAIN, recv(self->fd, buf, sizeof(buf), MSG_DONTWAIT));
}

/* When it came, not when it was read. */
TEST_F(dgram, timestamps)
{
	char room[CMSG_SPACE(sizeof(struct timeval))];
	struct iovec iov = { .iov_base = room, .iov_len = 1 };
	struct timeval before, after, stamp, last;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;
	const int on = 1;
	uint8_t byte;

	iov.iov_base = &byte;
	ASSERT_EQ(0, atw_connect(self->fd, &self->peer));
	ASSERT_ERRNO(ENOENT, ioctl(self->fd, SIOCGSTAMP, &last));
	ASSERT_TRUE(ask(self->fd, 1, 1, 60));
	ASSERT_EQ(1, recv(self->fd, &byte, 1, 0));
	ASSERT_EQ(0, ioctl(self->fd, SIOCGSTAMP, &last));
	EXPECT_LT(0, last.tv_sec);

	ASSERT_EQ(0, setsockopt(self->fd, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on)));
	ASSERT_EQ(0, gettimeofday(&before, NULL));
	ASSERT_TRUE(ask(self->fd, 1, 1, 60));
	ASSERT_EQ(0, gettimeofday(&after, NULL));
	msg.msg_control = room;
	msg.msg_controllen = sizeof(room);
	ASSERT_EQ(1, recvmsg(self->fd, &msg, 0));
	cmsg = CMSG_FIRSTHDR(&msg);
	ASSERT_NE(NULL, cmsg);
	ASSERT_EQ(SOL_SOCKET, cmsg->cmsg_level);
	ASSERT_EQ(SCM_TIMESTAMP, cmsg->cmsg_type);
	memcpy(&stamp, CMSG_DATA(cmsg), sizeof(stamp));
	EXPECT_LE(microseconds(&before), microseconds(&stamp));
	EXPECT_LE(microseconds(&stamp), microseconds(&after));
}

TEST_F(dgram, receive_timeout)
{
	uint64_t start;
	char byte;

	ASSERT_EQ(0, atw_connect(self->fd, &self->peer));
	ASSERT_EQ(0, atw_timeouts(self->fd, 200));
	start = atw_now_ms();
	ASSERT_ERRNO(EAGAIN, recv(self->fd, &byte, 1, 0));
	EXPECT_LE(190, atw_now_ms() - start);
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	ASSERT_ERRNO(EAGAIN, recv(self->fd, &byte, 1, 0));
}

TEST_F(dgram, invalid_buffers)
{
	char buf[8];

	ASSERT_EQ(0, atw_connect(self->fd, &self->peer));
	ASSERT_ERRNO(EFAULT, send(self->fd, (void *)8, 100, 0));
	ASSERT_ERRNO(EFAULT, sendto(self->fd, "x", 1, 0, (struct sockaddr *)8, 128));
	ASSERT_EQ(2, send(self->fd, "ab", 2, 0));
	ASSERT_EQ(POLLIN, atw_wait(self->fd, POLLIN, LONG_MS));
	ASSERT_ERRNO(EFAULT, recv(self->fd, (void *)8, 8, MSG_PEEK));
	ASSERT_EQ(2, recv(self->fd, buf, sizeof(buf), 0));
}

/* How many datagrams the sockets that are listed have lost, by its last column. */
static long drops(void)
{
	char *text = atw_slurp(ATW_PROC), *line, *rest = text;
	long n = 0;

	while (rest && (line = strsep(&rest, "\n")))
		if (strrchr(line, ' '))
			n += atol(strrchr(line, ' '));
	free(text);
	return n;
}

/* Which of @count answers to "!send" it is, -1: none of those from @from on. */
static int which(const uint8_t *buf, size_t len, unsigned int seed, int from, int count)
{
	for (; from < count; from++)
		if (pattern_check(buf, len, seed + from, 0) < 0)
			return from;
	return -1;
}

/* A program that does not read loses datagrams, whole ones and the newest. */
TEST_F(dgram, reader_too_slow)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	int small = 4096, got = 0, last = -1;
	uint8_t buf[MOST];
	ssize_t n;

	ASSERT_EQ(0, setsockopt(self->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)));
	ASSERT_EQ(0, atw_connect(self->fd, &self->peer));
	ASSERT_TRUE(ask(self->fd, 60, 1000, 100));
	while (!drops()) {
		ASSERT_GT(limit, atw_now_ms());
		atw_pause_ms(5);
	}
	/* Others may come yet, into the room that this makes. */
	while ((n = recv(self->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		ASSERT_EQ(1000, n);
		n = which(buf, 1000, 100, last + 1, 60);
		ASSERT_LE(0, n);
		/* The oldest of them have been kept. */
		if (!got++)
			EXPECT_EQ(0, n);
		last = n;
	}
	ASSERT_EQ(EAGAIN, errno);
	EXPECT_LT(0, got);
	EXPECT_LT(got, 60);
	/* There is room again, if not for the first: they may take it. */
	do {
		ASSERT_GT(limit, atw_now_ms());
		ASSERT_EQ(2, send(self->fd, "ok", 2, 0));
		while (atw_wait(self->fd, POLLIN, 1000) == POLLIN) {
			n = recv(self->fd, buf, sizeof(buf), 0);
			if (n == 2)
				break;
			ASSERT_EQ(1000, n);
		}
	} while (n != 2);
}

TEST_F(dgram, names_of_both_ends)
{
	struct sockaddr_atw addr;
	socklen_t len = sizeof(addr);

	ASSERT_ERRNO(ENOTCONN, getpeername(self->fd, (struct sockaddr *)&addr, &len));
	ASSERT_EQ(0, atw_connect(self->fd, &self->peer));
	ASSERT_EQ(0, getpeername(self->fd, (struct sockaddr *)&addr, &len));
	EXPECT_EQ(sizeof(addr), len);
	EXPECT_EQ(0, memcmp(&addr, &self->peer, sizeof(addr)));
}

TEST_F(dgram, shutdown)
{
	char byte;

	ASSERT_ERRNO(ENOTCONN, shutdown(self->fd, SHUT_RDWR));
	ASSERT_EQ(0, atw_connect(self->fd, &self->peer));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	ASSERT_ERRNO(EPIPE, send(self->fd, "x", 1, MSG_NOSIGNAL));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_RD));
	ASSERT_EQ(0, recv(self->fd, &byte, 1, 0));
}

TEST_F(dgram, options)
{
	socklen_t len = sizeof(int);
	int n = -1;

	ASSERT_EQ(0, getsockopt(self->fd, SOL_SOCKET, SO_TYPE, &n, &len));
	EXPECT_EQ(SOCK_DGRAM, n);
	ASSERT_EQ(0, atw_kernel_at_least(6, 7) ?
		     setsockopt(self->fd, SOL_SOCKET, SO_BINDTODEVICE, ATW_DEVICE, 5) :
		     setsockopt(self->fd, SOL_ATWIFI, ATW_BINDTODEVICE, ATW_DEVICE, 5));
	ASSERT_EQ(0, atw_connect(self->fd, &self->peer));
	ASSERT_EQ(2, send(self->fd, "ok", 2, 0));
	ASSERT_EQ(POLLIN, atw_wait(self->fd, POLLIN, LONG_MS));
	EXPECT_EQ(POLLIN | POLLOUT, atw_wait(self->fd, POLLIN | POLLOUT, 0));
}

struct sender {
	int fd;
	_Atomic pid_t tid;
	ssize_t ret;
	int err;
};

static void *sender_thread(void *arg)
{
	struct sender *s = arg;

	s->tid = gettid();
	s->ret = send(s->fd, "A", 1, 0);
	s->err = errno;
	return NULL;
}

/*
 * A thread waits for room for a datagram when another one gives the socket another
 * peer: that is not to get it. There is no room while the module connects; how long
 * that is, and whether it had begun, is not in our hands: it is tried again.
 */
TEST_F(dgram, other_peer)
{
	struct sockaddr_atw other = atw_name_addr(atw_env("ATW_NAME", "peer.test"),
						  atw_peer_port());
	uint64_t limit = atw_now_ms() + 100000;
	int small = 4096, busy;
	char buf[MOST] = "x";
	struct sender s;
	pthread_t thread;

	ASSERT_EQ(0, setsockopt(self->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)));
	do {
		ASSERT_LT(atw_now_ms(), limit);
		ASSERT_EQ(0, atw_connect(self->fd, &self->peer));
		busy = atw_socket(SOCK_STREAM | SOCK_NONBLOCK);
		ASSERT_LE(0, busy);
		ASSERT_ERRNO(EINPROGRESS, atw_connect_hole(busy));
		while (send(self->fd, buf, sizeof(buf), MSG_DONTWAIT) == sizeof(buf))
			;
		ASSERT_EQ(EAGAIN, errno);
		s = (struct sender){ .fd = self->fd };
		ASSERT_EQ(0, pthread_create(&thread, NULL, sender_thread, &s));
		while (!s.tid)
			atw_pause_ms(1);
		/* It is over if there was room. */
		atw_sleeps(s.tid);
		ASSERT_EQ(0, atw_connect_anew(self->fd, &other));
		ASSERT_EQ(0, pthread_join(thread, NULL));
		close(busy);
		/* It is the first that comes back. */
		ASSERT_EQ(POLLOUT, atw_wait(self->fd, POLLOUT, LONG_MS));
		ASSERT_EQ(3, send(self->fd, "end", 3, 0));
		ASSERT_EQ(3, recv(self->fd, buf, sizeof(buf), 0));
		ASSERT_EQ(0, memcmp(buf, "end", 3));
		ASSERT_EQ(0, atw_disconnect(self->fd));
	} while (s.ret == 1);
	EXPECT_STREQ("EPIPE", atw_errno_name(s.err));
}

TEST_HARNESS_MAIN
