// SPDX-License-Identifier: GPL-2.0-only
/*
 * SOCK_STREAM: what a program may expect of a TCP client.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <linux/sockios.h>

#include "kselftest_harness.h"
#include "pattern.h"
#include "util.h"

TEST(echo)
{
	int fd = atw_peer("echo");

	ASSERT_LE(0, fd);
	EXPECT_TRUE(atw_echo_works(fd, 1, 1));
	EXPECT_TRUE(atw_echo_works(fd, 2, 64));
	EXPECT_TRUE(atw_echo_works(fd, 3, 2048));
	EXPECT_EQ(0, close(fd));
}

/* An address without the room for a name. */
TEST(short_address)
{
	struct sockaddr_atw addr = atw_addr(atw_env("ATW_HOST", "192.0.2.1"), atw_peer_port());
	int fd = atw_socket(SOCK_STREAM);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, connect(fd, (struct sockaddr *)&addr, ATW_ADDRLEN_MIN));
	ASSERT_EQ(5, atw_send_all(fd, "echo\n", 5));
	EXPECT_TRUE(atw_echo_works(fd, 1, 64));
}

/* Payload that looks like the module's own words is payload. */
TEST(payload_like_protocol)
{
	static const char text[] =
		"\r\nOK\r\n\r\nERROR\r\n+ERROR\r\n>\r\n>"
		"\r\n+EVENT:SocketDown,1,5,hello\r\n"
		"\r\n+EVENT:SocketDisconnect,1\r\n\r\n+EVENT:WIFI_DISCONNECT\r\n"
		"\r\nready\r\n\r\n[Busy]Cmd running\r\nUnknown cmd:AT\r\n"
		"AT+RST\r\n+++AT+SOCKETDEL=1\r\n+++\r\n\0\0\xff\xfe\r\r\n\n";
	char back[sizeof(text)];
	int fd, i;

	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(sizeof(text), atw_send_all(fd, text, sizeof(text)));
		ASSERT_EQ(sizeof(text), atw_recv_all(fd, back, sizeof(back)));
		ASSERT_EQ(0, memcmp(text, back, sizeof(text)));
	}
	/* Alone in its packet, between pauses, too. */
	ASSERT_EQ(3, atw_send_all(fd, "+++", 3));
	ASSERT_EQ(3, atw_recv_all(fd, back, 3));
	ASSERT_EQ(0, memcmp("+++", back, 3));
	EXPECT_TRUE(atw_echo_works(fd, 4, 100));
}

TEST(upload)
{
	char line[32];
	int fd;

	fd = atw_peer("sink 262144 11");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_upload(fd, 262144, 11));
	ASSERT_LT(0, atw_recv_line(fd, line, sizeof(line)));
	ASSERT_STREQ("ok 262144", line);
	/* The peer closed after its line. */
	EXPECT_EQ(0, recv(fd, line, 1, 0));
}

TEST(download)
{
	char byte;
	int fd, err;

	fd = atw_peer("source 262144 12");
	ASSERT_LE(0, fd);
	ASSERT_EQ(262144, atw_download(fd, 262144, 12, &err));
	EXPECT_EQ(0, recv(fd, &byte, 1, 0));
	EXPECT_EQ(0, recv(fd, &byte, 1, 0));
}

/* Up and down at once over one connection. */
TEST(duplex)
{
	static uint8_t buf[4096];
	uint64_t sent = 0, got = 0;
	char line[32];
	ssize_t n, bad;
	int fd;

	fd = atw_peer("duplex 100000 30");
	ASSERT_LE(0, fd);
	while (got < 100000) {
		short events = POLLIN | (sent < 100000 ? POLLOUT : 0);

		events = atw_wait(fd, events, LONG_MS);
		ASSERT_NE(0, events & (POLLIN | POLLOUT));
		if (events & POLLOUT) {
			n = 100000 - sent < sizeof(buf) ? 100000 - sent : sizeof(buf);
			pattern_fill(buf, n, 31, sent);
			n = send(fd, buf, n, MSG_DONTWAIT);
			if (n < 0) {
				ASSERT_EQ(EAGAIN, errno);
				n = 0;
			}
			sent += n;
		}
		if (events & POLLIN) {
			n = 100000 - got < sizeof(buf) ? 100000 - got : sizeof(buf);
			n = recv(fd, buf, n, MSG_DONTWAIT);
			ASSERT_LT(0, n);
			bad = pattern_check(buf, n, 30, got);
			ASSERT_EQ(-1, bad);
			got += n;
		}
	}
	for (; sent < 100000; sent += n) {
		n = 100000 - sent < sizeof(buf) ? 100000 - sent : sizeof(buf);
		pattern_fill(buf, n, 31, sent);
		ASSERT_EQ(n, atw_send_all(fd, buf, n));
	}
	ASSERT_LT(0, atw_recv_line(fd, line, sizeof(line)));
	ASSERT_STREQ("ok 100000", line);
}

/* Writes of all sizes around the module's limits. */
TEST(odd_sizes)
{
	static const size_t size[] = { 1, 2, 3, 7, 255, 256, 257, 1023, 1024, 1025, 1460, 4095,
				       4097, 10000 };
	uint8_t buf[10000];
	uint64_t at = 0, total = 0;
	char line[32];
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(size); i++)
		total += size[i];
	fd = atw_peer("sink %llu 13", (unsigned long long)total);
	ASSERT_LE(0, fd);
	for (i = 0; i < ARRAY_SIZE(size); i++) {
		pattern_fill(buf, size[i], 13, at);
		ASSERT_EQ(size[i], atw_send_all(fd, buf, size[i]));
		at += size[i];
	}
	ASSERT_LT(0, atw_recv_line(fd, line, sizeof(line)));
	EXPECT_EQ(0, strncmp("ok ", line, 3));
}

/* What a server says at once comes with the answer to the connect. */
TEST(server_speaks_first)
{
	char buf[sizeof(GREETING)] = "";
	int i, fd;

	for (i = 0; i < 10; i++) {
		fd = atw_socket(SOCK_STREAM);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, atw_timeouts(fd, LONG_MS));
		ASSERT_EQ(0, atw_connect_host(fd, atw_greet_port()));
		ASSERT_EQ(sizeof(GREETING) - 1, atw_recv_all(fd, buf, sizeof(GREETING) - 1));
		ASSERT_STREQ(GREETING, buf);
		ASSERT_EQ(5, atw_send_all(fd, "echo\n", 5));
		ASSERT_TRUE(atw_echo_works(fd, i, 32));
		close(fd);
	}
}

TEST(connect_nonblocking)
{
	int fd, err = -1;
	socklen_t len = sizeof(err);

	fd = atw_socket(SOCK_STREAM | SOCK_NONBLOCK);
	ASSERT_LE(0, fd);
	ASSERT_ERRNO(EINPROGRESS, atw_connect_host(fd, atw_peer_port()));
	ASSERT_EQ(POLLOUT, atw_wait(fd, POLLOUT, LONG_MS));
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len));
	ASSERT_EQ(0, err);
	/* The socket is connected: the second call either says so for the first
	 * time, as for a program that asks by connect(), or from then on.
	 */
	if (atw_connect_host(fd, atw_peer_port())) {
		ASSERT_EQ(EISCONN, errno);
	}
	ASSERT_ERRNO(EISCONN, atw_connect_host(fd, atw_peer_port()));
	ASSERT_EQ(0, fcntl(fd, F_SETFL, 0));
	ASSERT_EQ(5, atw_send_all(fd, "echo\n", 5));
	EXPECT_TRUE(atw_echo_works(fd, 1, 64));
}

TEST(connect_twice)
{
	int fd = atw_peer("echo");

	ASSERT_LE(0, fd);
	ASSERT_ERRNO(EISCONN, atw_connect_host(fd, atw_peer_port()));
	EXPECT_TRUE(atw_echo_works(fd, 1, 64));
}

TEST(recv_nonblocking)
{
	char byte;
	int fd;

	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	ASSERT_ERRNO(EAGAIN, recv(fd, &byte, 1, MSG_DONTWAIT));
	ASSERT_ERRNO(EAGAIN, recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK));
	ASSERT_EQ(0, fcntl(fd, F_SETFL, O_NONBLOCK));
	ASSERT_ERRNO(EAGAIN, read(fd, &byte, 1));
	ASSERT_EQ(0, atw_wait(fd, POLLIN, 0));
	ASSERT_EQ(1, send(fd, "x", 1, 0));
	ASSERT_EQ(POLLIN, atw_wait(fd, POLLIN, LONG_MS));
	ASSERT_EQ(1, read(fd, &byte, 1));
	ASSERT_EQ('x', byte);
	ASSERT_ERRNO(EAGAIN, read(fd, &byte, 1));
}

/*
 * A program that writes faster than the module takes is told so: by a short
 * count, which is certain where it offers all at once, or by EAGAIN.
 */
TEST(send_nonblocking)
{
	static uint8_t buf[131072];
	int full = 0, small = 4096;
	size_t at = 0;
	char line[32];
	ssize_t n;
	int fd;

	pattern_fill(buf, sizeof(buf), 14, 0);
	fd = atw_peer("sink 131072 14");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)));
	while (at < sizeof(buf)) {
		n = send(fd, buf + at, sizeof(buf) - at, MSG_DONTWAIT);
		if (n < 0) {
			ASSERT_EQ(EAGAIN, errno);
			n = 0;
		}
		at += n;
		if (at == sizeof(buf))
			break;
		full++;
		ASSERT_EQ(POLLOUT, atw_wait(fd, POLLOUT, LONG_MS));
	}
	EXPECT_LT(0, full);
	ASSERT_LT(0, atw_recv_line(fd, line, sizeof(line)));
	ASSERT_STREQ("ok 131072", line);
}

TEST(peek)
{
	char one[16] = "", two[16] = "";
	int fd;

	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	ASSERT_EQ(10, atw_send_all(fd, "0123456789", 10));
	while (recv(fd, one, sizeof(one), MSG_PEEK) < 10)
		;
	ASSERT_STREQ("0123456789", one);
	ASSERT_EQ(4, recv(fd, two, 4, MSG_PEEK));
	ASSERT_EQ(4, recv(fd, two, 4, 0));
	ASSERT_EQ(0, memcmp(two, "0123", 4));
	memset(one, 0, sizeof(one));
	ASSERT_EQ(6, recv(fd, one, sizeof(one), MSG_PEEK));
	ASSERT_STREQ("456789", one);
	ASSERT_EQ(6, recv(fd, one, sizeof(one), 0));
	ASSERT_ERRNO(EAGAIN, recv(fd, one, 1, MSG_DONTWAIT));
}

/* Peeking over more than one of the module's chunks. */
TEST(peek_waitall)
{
	static uint8_t buf[6000];
	int fd;

	fd = atw_peer("source 6000 15 1000 5");
	ASSERT_LE(0, fd);
	ASSERT_EQ(6000, recv(fd, buf, sizeof(buf), MSG_PEEK | MSG_WAITALL));
	ASSERT_EQ(-1, pattern_check(buf, 6000, 15, 0));
	memset(buf, 0, sizeof(buf));
	ASSERT_EQ(6000, recv(fd, buf, sizeof(buf), MSG_WAITALL));
	ASSERT_EQ(-1, pattern_check(buf, 6000, 15, 0));
}

TEST(waitall)
{
	static uint8_t buf[5000];
	int fd;

	fd = atw_peer("source 9000 16 700 5");
	ASSERT_LE(0, fd);
	ASSERT_EQ(5000, recv(fd, buf, sizeof(buf), MSG_WAITALL));
	ASSERT_EQ(-1, pattern_check(buf, 5000, 16, 0));
	/* The end of the stream ends the waiting. */
	ASSERT_EQ(4000, recv(fd, buf, sizeof(buf), MSG_WAITALL));
	ASSERT_EQ(-1, pattern_check(buf, 4000, 16, 5000));
	ASSERT_EQ(0, recv(fd, buf, sizeof(buf), MSG_WAITALL));
}

TEST(rcvlowat)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	uint8_t buf[100];
	int fd, low = 50, n;

	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)));
	ASSERT_EQ(20, atw_send_all(fd, "01234567890123456789", 20));
	do {
		ASSERT_EQ(0, ioctl(fd, SIOCINQ, &n));
		ASSERT_LT(atw_now_ms(), limit);
	} while (n < 20);
	EXPECT_EQ(0, atw_wait(fd, POLLIN, 0));
	ASSERT_EQ(30, atw_send_all(fd, "012345678901234567890123456789", 30));
	ASSERT_EQ(POLLIN, atw_wait(fd, POLLIN, LONG_MS));
	ASSERT_LE(50, recv(fd, buf, sizeof(buf), 0));
}

/* More than there is memory for: pieces that take much more of it than they have bytes. */
TEST(rcvlowat_too_high)
{
	const uint64_t limit = atw_now_ms() + LONG_MS;
	int fd, events, n, had = 0, low = INT_MAX, least = 1;

	fd = atw_peer("acked 300000 27 170");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)));
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)));
	while (!(events = atw_wait(fd, POLLIN, 1))) {
		ASSERT_LT(atw_now_ms(), limit);
		ASSERT_EQ(0, ioctl(fd, SIOCINQ, &n));
		if (n > had) {
			had = n;
			ASSERT_EQ(1, send(fd, "+", 1, MSG_NOSIGNAL));
		}
	}
	ASSERT_EQ(POLLIN, events);
	close(fd);
}

TEST(scatter_gather)
{
	char a[3], b[1], c[20];
	struct iovec out[] = { { "one", 3 }, { "", 0 }, { "twothree", 8 } };
	struct iovec in[] = { { a, 3 }, { b, 1 }, { c, 7 } };
	struct msghdr msg = { .msg_iov = in, .msg_iovlen = 3 };
	int fd;

	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	ASSERT_EQ(11, writev(fd, out, 3));
	ASSERT_EQ(11, recvmsg(fd, &msg, MSG_WAITALL));
	EXPECT_EQ(0, memcmp(a, "one", 3));
	EXPECT_EQ('t', b[0]);
	EXPECT_EQ(0, memcmp(c, "wothree", 7));
	EXPECT_EQ(0, msg.msg_flags);
}

TEST(zero_length)
{
	int fd;

	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, send(fd, "", 0, 0));
	EXPECT_TRUE(atw_echo_works(fd, 1, 10));
}

TEST(sendfile_upload)
{
	uint8_t buf[50000];
	off_t at = 0;
	char line[32];
	int fd, file;

	file = memfd_create("pattern", MFD_CLOEXEC);
	ASSERT_LE(0, file);
	pattern_fill(buf, sizeof(buf), 17, 0);
	ASSERT_EQ(sizeof(buf), write(file, buf, sizeof(buf)));
	fd = atw_peer("sink 50000 17");
	ASSERT_LE(0, fd);
	while (at < (off_t)sizeof(buf)) {
		ASSERT_LT(0, sendfile(fd, file, &at, sizeof(buf) - at));
	}
	ASSERT_LT(0, atw_recv_line(fd, line, sizeof(line)));
	ASSERT_STREQ("ok 50000", line);
}

TEST(shutdown_write)
{
	char byte;
	int fd, err;

	fd = atw_peer("source 20000 18");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, shutdown(fd, SHUT_WR));
	ASSERT_ERRNO(EPIPE, send(fd, "x", 1, MSG_NOSIGNAL));
	/* Reading goes on. */
	ASSERT_EQ(20000, atw_download(fd, 20000, 18, &err));
	EXPECT_EQ(0, recv(fd, &byte, 1, 0));
}

TEST(shutdown_read)
{
	char byte;
	int fd;

	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, shutdown(fd, SHUT_RD));
	EXPECT_EQ(0, recv(fd, &byte, 1, 0));
	EXPECT_EQ(POLLIN | POLLRDHUP, atw_wait(fd, POLLIN | POLLRDHUP, 0));
}

TEST(shutdown_both)
{
	char byte;
	int fd;

	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, shutdown(fd, SHUT_RDWR));
	EXPECT_EQ(0, recv(fd, &byte, 1, 0));
	ASSERT_ERRNO(EPIPE, send(fd, "x", 1, MSG_NOSIGNAL));
	EXPECT_EQ(POLLHUP, atw_wait(fd, 0, 0));
	/* Nobody will use it again: the module may. */
	EXPECT_TRUE(atw_sim_has(0, LONG_MS));
	EXPECT_EQ(0, recv(fd, &byte, 1, 0));
	ASSERT_ERRNO(EPIPE, send(fd, "x", 1, MSG_NOSIGNAL));
	close(fd);
}

/* Before that all that was written goes out. */
TEST(shutdown_both_after_upload)
{
	uint64_t before;
	int bulk, meter;

	meter = atw_peer("meter 5");
	ASSERT_LE(0, meter);
	before = atw_meter(meter);
	bulk = atw_peer("count 5");
	ASSERT_LE(0, bulk);
	ASSERT_EQ(0, shutdown(bulk, SHUT_RD));
	ASSERT_EQ(0, atw_upload(bulk, 40000, 19));
	ASSERT_EQ(0, shutdown(bulk, SHUT_RDWR));
	ASSERT_TRUE(atw_becomes(atw_meter(meter) == before + 40000, LONG_MS));
	EXPECT_TRUE(atw_sim_has(1, LONG_MS));
}

/* What was written before the shutdown still goes out. */
TEST(shutdown_after_upload)
{
	uint64_t before;
	int bulk, meter;

	meter = atw_peer("meter 1");
	ASSERT_LE(0, meter);
	before = atw_meter(meter);
	bulk = atw_peer("count 1");
	ASSERT_LE(0, bulk);
	ASSERT_EQ(0, atw_upload(bulk, 40000, 19));
	ASSERT_EQ(0, shutdown(bulk, SHUT_WR));
	ASSERT_TRUE(atw_becomes(atw_meter(meter) == before + 40000, LONG_MS));
}

TEST_SIGNAL(sigpipe, SIGPIPE)
{
	int fd = atw_peer("echo");

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, shutdown(fd, SHUT_WR));
	send(fd, "x", 1, 0);
}

TEST(remote_close)
{
	char byte;
	int fd;

	fd = atw_peer("close-after 0");
	ASSERT_LE(0, fd);
	ASSERT_EQ(POLLRDHUP, POLLRDHUP & atw_wait(fd, POLLRDHUP, LONG_MS));
	EXPECT_EQ(POLLIN, POLLIN & atw_wait(fd, POLLIN, 0));
	EXPECT_EQ(0, recv(fd, &byte, 1, 0));
	EXPECT_EQ(0, recv(fd, &byte, 1, 0));
	ASSERT_ERRNO(EPIPE, send(fd, "x", 1, MSG_NOSIGNAL));
}

/* The remote closed before the program read: it gets all there was. */
TEST(remote_close_data_pending)
{
	char byte;
	int fd, err;

	fd = atw_peer("source 30000 20");
	ASSERT_LE(0, fd);
	ASSERT_EQ(POLLRDHUP, POLLRDHUP & atw_wait(fd, POLLRDHUP, LONG_MS));
	ASSERT_EQ(30000, atw_download(fd, 30000, 20, &err));
	EXPECT_EQ(0, err);
	EXPECT_EQ(0, recv(fd, &byte, 1, 0));
}

/*
 * The same while the program was writing. The module does not tell how the
 * remote ended the connection: what was not sent is lost, which is said.
 */
TEST(remote_close_while_sending)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	uint8_t buf[4096] = { 0 };
	int i, fd, err = 0;
	bool told = false;
	ssize_t n;

	fd = atw_peer("close-after 1000");
	ASSERT_LE(0, fd);
	while (!err && atw_now_ms() < limit) {
		n = send(fd, buf, sizeof(buf), MSG_NOSIGNAL);
		if (n < 0)
			err = errno;
	}
	ASSERT_NE(0, err);
	/* It is the end of the stream. That bytes are lost may be known after the end
	 * itself, and is told once.
	 */
	for (i = 0; i < 10; i++) {
		if (err == ECONNRESET && !told) {
			told = true;
		} else {
			ASSERT_STREQ("EPIPE", atw_errno_name(err));
		}
		ASSERT_EQ(-1, send(fd, buf, 1, MSG_NOSIGNAL));
		err = errno;
	}
}

TEST(receive_timeout)
{
	uint64_t start;
	char byte;
	int fd;

	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_timeouts(fd, 200));
	start = atw_now_ms();
	ASSERT_ERRNO(EAGAIN, recv(fd, &byte, 1, 0));
	EXPECT_LE(190, atw_now_ms() - start);
	ASSERT_EQ(0, atw_timeouts(fd, LONG_MS));
	EXPECT_TRUE(atw_echo_works(fd, 1, 10));
}

static void on_alarm(int sig)
{
}

TEST(receive_interrupted)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct timeval tv = { 0, 100000 };
	struct itimerval it = { tv, tv };
	char byte;
	int fd;

	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	/* With a time-out a call is never restarted; without one it may be. */
	ASSERT_EQ(0, sigaction(SIGALRM, &sa, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &it, NULL));
	ASSERT_ERRNO(EINTR, recv(fd, &byte, 1, 0));
	ASSERT_EQ(0, atw_timeouts(fd, 0));
	ASSERT_ERRNO(EINTR, recv(fd, &byte, 1, 0));
	memset(&it, 0, sizeof(it));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &it, NULL));
	EXPECT_TRUE(atw_echo_works(fd, 1, 10));
}

/* What a failed copy did not deliver is still there. */
TEST(invalid_buffers)
{
	char *bad = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct msghdr msg = { .msg_iov = (struct iovec *)bad, .msg_iovlen = 1 };
	uint8_t buf[3000];
	char *half = bad + 4096 - 100;
	char line[32];
	ssize_t n;
	int fd;

	ASSERT_NE(MAP_FAILED, bad);
	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	ASSERT_ERRNO(EFAULT, send(fd, bad, 100, 0));
	ASSERT_ERRNO(EFAULT, sendmsg(fd, &msg, 0));
	ASSERT_TRUE(atw_echo_works(fd, 1, 100));
	ASSERT_EQ(5, atw_send_all(fd, "abcde", 5));
	ASSERT_EQ(POLLIN, atw_wait(fd, POLLIN, LONG_MS));
	ASSERT_ERRNO(EFAULT, recv(fd, bad, 5, 0));
	ASSERT_ERRNO(EFAULT, recv(fd, bad, 5, MSG_PEEK));
	ASSERT_EQ(5, atw_recv_all(fd, line, 5));
	ASSERT_EQ(0, memcmp(line, "abcde", 5));
	close(fd);

	/* A buffer that ends in the middle: as many bytes as were taken. */
	ASSERT_EQ(0, mprotect(bad, 4096, PROT_READ | PROT_WRITE));
	fd = atw_peer("sink 3000 21");
	ASSERT_LE(0, fd);
	pattern_fill(buf, sizeof(buf), 21, 0);
	memcpy(half, buf, 100);
	n = send(fd, half, 3000, 0);
	if (n < 0) {
		ASSERT_EQ(EFAULT, errno);
		n = 0;
	}
	ASSERT_GE(100, n);
	ASSERT_EQ(3000 - n, atw_send_all(fd, buf + n, 3000 - n));
	ASSERT_LT(0, atw_recv_line(fd, line, sizeof(line)));
	ASSERT_STREQ("ok 3000", line);
}

TEST(queue_sizes)
{
	uint8_t buf[2000];
	uint64_t limit = atw_now_ms() + LONG_MS;
	int fd, n = -1;

	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ioctl(fd, SIOCINQ, &n));
	EXPECT_EQ(0, n);
	pattern_fill(buf, sizeof(buf), 22, 0);
	ASSERT_EQ(2000, atw_send_all(fd, buf, sizeof(buf)));
	ASSERT_EQ(0, ioctl(fd, SIOCOUTQ, &n));
	/* The word to the peer may still be among them. */
	EXPECT_LE(0, n);
	EXPECT_GE(2000 + (int)strlen("echo\n"), n);
	do {
		ASSERT_EQ(0, ioctl(fd, SIOCINQ, &n));
		ASSERT_LE(n, 2000);
		ASSERT_LT(atw_now_ms(), limit);
	} while (n < 2000);
	/* What has come back was sent; the module may say so later. */
	do {
		ASSERT_EQ(0, ioctl(fd, SIOCOUTQ, &n));
		ASSERT_LT(atw_now_ms(), limit);
	} while (n);
	ASSERT_EQ(500, atw_recv_all(fd, buf, 500));
	ASSERT_EQ(0, ioctl(fd, SIOCINQ, &n));
	EXPECT_EQ(1500, n);
}

TEST(names_of_both_ends)
{
	static const char zero[ATW_NAME_MAX];
	struct sockaddr_atw addr, want;
	socklen_t len = sizeof(addr);
	int fd;

	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_ERRNO(ENOTCONN, getpeername(fd, (struct sockaddr *)&addr, &len));
	ASSERT_EQ(0, atw_peer_on(fd, "echo"));
	want = atw_addr(atw_env("ATW_HOST", "192.0.2.1"), atw_peer_port());
	memset(&addr, 0x5a, sizeof(addr));
	len = sizeof(addr);
	ASSERT_EQ(0, getpeername(fd, (struct sockaddr *)&addr, &len));
	EXPECT_EQ(sizeof(addr), len);
	/* Every byte of it: none is left over from the kernel's stack. */
	EXPECT_EQ(0, memcmp(&addr, &want, sizeof(addr)));
	memset(&addr, 0x5a, sizeof(addr));
	len = sizeof(addr);
	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)&addr, &len));
	EXPECT_EQ(atw_family(), addr.satw_family);
	EXPECT_EQ(0, memcmp(addr.satw_name, zero, ATW_NAME_MAX));
	/* A shorter buffer gets the beginning and the full length. */
	memset(&addr, 0x5a, sizeof(addr));
	len = ATW_ADDRLEN_MIN;
	ASSERT_EQ(0, getpeername(fd, (struct sockaddr *)&addr, &len));
	EXPECT_EQ(sizeof(addr), len);
	EXPECT_EQ(0, memcmp(&addr, &want, ATW_ADDRLEN_MIN));
	EXPECT_EQ(0x5a, addr.satw_name[0]);
}

TEST(recvfrom_stream)
{
	struct sockaddr_atw addr;
	socklen_t len = sizeof(addr);
	char buf[3];
	int fd;

	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	ASSERT_EQ(3, send(fd, "abc", 3, 0));
	ASSERT_EQ(POLLIN, atw_wait(fd, POLLIN, LONG_MS));
	ASSERT_LT(0, recvfrom(fd, buf, 3, 0, (struct sockaddr *)&addr, &len));
	/* As with TCP: there is no address with the data of a stream. */
	EXPECT_EQ(0, len);
}

TEST(options)
{
	struct linger lin = { 1, 7 }, back;
	struct timeval tv = { 3, 0 }, tv2;
	int fd, n, size;
	socklen_t len = sizeof(n);
	char dev[16] = "";

	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_TYPE, &n, &len));
	EXPECT_EQ(SOCK_STREAM, n);
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &n, &len));
	EXPECT_EQ(atw_family(), n);
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &n, &len));
	EXPECT_EQ(ATWPROTO_TCP, n);
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_ERROR, &n, &len));
	EXPECT_EQ(0, n);
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &n, &len));
	EXPECT_EQ(0, n);

	size = 20000;
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)));
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &n, &len));
	EXPECT_EQ(2 * size, n);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &n, &len));
	EXPECT_EQ(2 * size, n);

	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_LINGER, &lin, sizeof(lin)));
	len = sizeof(back);
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_LINGER, &back, &len));
	EXPECT_EQ(1, back.l_onoff);
	EXPECT_EQ(7, back.l_linger);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	len = sizeof(tv2);
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv2, &len));
	EXPECT_EQ(3, tv2.tv_sec);

	n = 1;
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &n, sizeof(n)));
	n = 0;
	len = sizeof(n);
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &n, &len));
	EXPECT_EQ(1, n);
	n = 7200;
	ASSERT_EQ(0, setsockopt(fd, SOL_ATWIFI, ATW_KEEPINTVL, &n, sizeof(n)));
	n = 0;
	ASSERT_EQ(0, getsockopt(fd, SOL_ATWIFI, ATW_KEEPINTVL, &n, &len));
	EXPECT_EQ(7200, n);
	n = 7201;
	ASSERT_ERRNO(EINVAL, setsockopt(fd, SOL_ATWIFI, ATW_KEEPINTVL, &n, sizeof(n)));
	n = 0;
	ASSERT_ERRNO(EINVAL, setsockopt(fd, SOL_ATWIFI, ATW_KEEPINTVL, &n, sizeof(n)));
	n = -1;
	ASSERT_ERRNO(EINVAL, setsockopt(fd, SOL_ATWIFI, ATW_KEEPINTVL, &n, sizeof(n)));
	n = 10;
	ASSERT_ERRNO(EINVAL, setsockopt(fd, SOL_ATWIFI, ATW_KEEPINTVL, &n, 2));
	ASSERT_EQ(0, setsockopt(fd, SOL_ATWIFI, ATW_KEEPINTVL, &n, sizeof(n)));

	ASSERT_EQ(0, getsockopt(fd, SOL_ATWIFI, ATW_MODULE_ERROR, &n, &len));
	EXPECT_EQ(0, n);
	ASSERT_ERRNO(ENOPROTOOPT,
		     setsockopt(fd, SOL_ATWIFI, ATW_MODULE_ERROR, &n, sizeof(n)));
	ASSERT_ERRNO(ENOPROTOOPT, setsockopt(fd, SOL_ATWIFI, 12345, &n, sizeof(n)));
	ASSERT_ERRNO(ENOPROTOOPT, getsockopt(fd, SOL_ATWIFI, 12345, &n, &len));
	ASSERT_ERRNO(ENOPROTOOPT, getsockopt(fd, SOL_IP, 1, &n, &len));
	ASSERT_ERRNO(EFAULT, getsockopt(fd, SOL_ATWIFI, ATW_KEEPINTVL, (void *)8, &len));
	ASSERT_ERRNO(EFAULT, setsockopt(fd, SOL_ATWIFI, ATW_KEEPINTVL, (void *)8, 4));

	/* Before 6.7 the kernel keeps this option to itself: network devices only. */
	ASSERT_EQ(0, atw_kernel_at_least(6, 7) ?
		     setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ATW_DEVICE, 5) :
		     setsockopt(fd, SOL_ATWIFI, ATW_BINDTODEVICE, ATW_DEVICE, 5));
	len = sizeof(dev);
	ASSERT_EQ(0, getsockopt(fd, SOL_ATWIFI, ATW_BINDTODEVICE, dev, &len));
	EXPECT_STREQ(ATW_DEVICE, dev);
	ASSERT_ERRNO(ENODEV, setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "atw99", 6));
	ASSERT_ERRNO(ENODEV, setsockopt(fd, SOL_ATWIFI, ATW_BINDTODEVICE, "lo", 3));
	/* There as well, nor does it choose a module elsewhere. */
	if (atw_kernel_at_least(6, 7)) {
		n = 1;
		ASSERT_ERRNO(ENOPROTOOPT,
			     setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &n, sizeof(n)));
	}
	ASSERT_EQ(0, setsockopt(fd, SOL_ATWIFI, ATW_BINDTODEVICE, "", 0));
	len = sizeof(dev);
	ASSERT_EQ(0, getsockopt(fd, SOL_ATWIFI, ATW_BINDTODEVICE, dev, &len));
	EXPECT_STREQ("", dev);
	ASSERT_EQ(0, setsockopt(fd, SOL_ATWIFI, ATW_BINDTODEVICE, ATW_DEVICE, 5));
	/* With keep-alive and the device named it connects all the same. */
	ASSERT_EQ(0, atw_peer_on(fd, "echo"));
	EXPECT_TRUE(atw_echo_works(fd, 1, 64));
	/* Too late for these. */
	ASSERT_ERRNO(EISCONN, setsockopt(fd, SOL_ATWIFI, ATW_BINDTODEVICE, "", 0));
	ASSERT_ERRNO(EISCONN, setsockopt(fd, SOL_ATWIFI, ATW_KEEPINTVL, &n, sizeof(n)));
}

/* close() waits until the module has what was written. */
TEST(linger)
{
	struct linger lin = { 1, LONG_S };
	uint64_t before;
	int fd, meter;
	long out = 0;

	meter = atw_peer("meter 2");
	ASSERT_LE(0, meter);
	before = atw_meter(meter);
	fd = atw_peer("count 2");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_LINGER, &lin, sizeof(lin)));
	if (atw_has_sim())
		out = atw_sim_stat("net-out");
	ASSERT_EQ(0, atw_upload(fd, 60000, 23));
	ASSERT_EQ(0, close(fd));
	if (atw_has_sim()) {
		EXPECT_LE(out + 60000, atw_sim_stat("net-out"));
	}
	/* The last byte may be between module and peer, none is in the host. */
	ASSERT_TRUE(atw_becomes(atw_meter(meter) == before + 60000, LONG_MS));
}

/* Have nobody but itself refer to a file any more: the kernel finds it, and lets go of it. */
static bool abandon(int fd)
{
	char control[CMSG_SPACE(2 * sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int pair[2], files[2];
	bool sent;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return false;
	files[0] = pair[1];
	files[1] = fd;
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(files));
	memcpy(CMSG_DATA(cmsg), files, sizeof(files));
	sent = sendmsg(pair[0], &msg, 0) == 1;
	close(fd);
	close(pair[1]);
	/* With this it looks for such. */
	close(pair[0]);
	return sent;
}

/* What the kernel closes for somebody does not keep it from what it closes for others. */
TEST(linger_of_nobody)
{
	struct linger lin = { 1, 3 * LONG_S };
	char bytes[1000] = { 0 };
	int fd, hold, end[2];
	long resets;

	if (!atw_has_sim() || !atw_kernel_at_least(6, 9))
		SKIP(return, "no module to hold, or a kernel that closes such in whoever's task");
	fd = atw_peer("sink 1000 0");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_LINGER, &lin, sizeof(lin)));
	hold = atw_hold_module();
	ASSERT_LE(0, hold);
	ASSERT_EQ(sizeof(bytes), send(fd, bytes, sizeof(bytes), 0));
	ASSERT_EQ(0, pipe2(end, O_CLOEXEC));
	resets = atw_stat(ATW_DEVICE, "resets");
	EXPECT_TRUE(abandon(fd));
	EXPECT_TRUE(abandon(end[1]));
	EXPECT_LT(0, atw_wait(end[0], POLLIN, LONG_MS));
	/* By then the module had no time for what was to be sent. */
	EXPECT_EQ(1, atw_sim_stat("connecting"));
	EXPECT_EQ(resets, atw_stat(ATW_DEVICE, "resets"));
	EXPECT_EQ(0, atw_hold(HOLD_ENDS));
	EXPECT_EQ(0, atw_hold(HOLD_USUAL));
	close(end[0]);
	close(hold);
	ASSERT_TRUE(atw_emptied());
}

/* Without SO_LINGER close() returns at once, and the rest goes out as well. */
TEST(close_sends_the_rest)
{
	uint64_t before;
	int fd, meter, i;

	meter = atw_peer("meter 3");
	ASSERT_LE(0, meter);
	before = atw_meter(meter);
	for (i = 0; i < 3; i++) {
		fd = atw_peer("count 3");
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, atw_upload(fd, 30000, 24));
		ASSERT_EQ(0, close(fd));
	}
	ASSERT_TRUE(atw_becomes(atw_meter(meter) == before + 90000, LONG_MS));
}

struct piece {
	int fd;
	char byte;
};

static void *send_piece(void *arg)
{
	const struct piece *p = arg;
	static const size_t size = 60000;
	char *buf = malloc(size);

	memset(buf, p->byte, size);
	if (send(p->fd, buf, size, MSG_NOSIGNAL) != (ssize_t)size)
		perror("send");
	free(buf);
	return NULL;
}

/* What two threads send at a time comes one after the other, however long it is. */
TEST(sends_are_whole)
{
	struct piece piece[2] = { { .byte = 'a' }, { .byte = 'b' } };
	const int size = 16384;
	static char got[120000];
	pthread_t thread[2];
	int fd, i, turns = 0;

	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	ASSERT_EQ(0, atw_peer_on(fd, "echo"));
	ASSERT_EQ(0, atw_room(fd));
	for (i = 0; i < 2; i++) {
		piece[i].fd = fd;
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, send_piece, &piece[i]));
	}
	ASSERT_EQ((ssize_t)sizeof(got), atw_recv_all(fd, got, sizeof(got)));
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	for (i = 1; i < (int)sizeof(got); i++)
		turns += got[i] != got[i - 1];
	EXPECT_EQ(1, turns);
	close(fd);
}

/* SO_LINGER of no time: what was not sent is thrown away. */
TEST(linger_none)
{
	struct linger lin = { 1, 0 };
	int fd, meter, other;
	uint64_t before;

	if (!atw_has_sim())
		SKIP(return, "no emulator to control");
	meter = atw_peer("meter 4");
	ASSERT_LE(0, meter);
	before = atw_meter(meter);
	fd = atw_peer("count 4");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_LINGER, &lin, sizeof(lin)));
	other = atw_hold_module();
	ASSERT_LE(0, other);
	ASSERT_EQ(0, atw_upload(fd, 50000, 25));
	ASSERT_EQ(0, close(fd));
	ASSERT_EQ(0, atw_hold(HOLD_ENDS));
	ASSERT_EQ(0, atw_hold(HOLD_USUAL));
	close(other);
	/* That of the meter. */
	ASSERT_TRUE(atw_sim_has(1, LONG_MS));
	EXPECT_EQ(before, atw_meter(meter));
}

TEST(poll_and_epoll)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	char buf[16];
	int fd, ep;

	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	EXPECT_EQ(POLLOUT, atw_wait(fd, POLLIN | POLLOUT | POLLRDHUP, 0));
	ep = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_LE(0, ep);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 0));
	ASSERT_EQ(1, send(fd, "x", 1, 0));
	ASSERT_EQ(1, epoll_wait(ep, &ev, 1, LONG_MS));
	/* Edge-triggered: not again without news. */
	EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 0));
	ASSERT_EQ(1, send(fd, "y", 1, 0));
	ASSERT_EQ(1, epoll_wait(ep, &ev, 1, LONG_MS));
	EXPECT_EQ(2, atw_recv_all(fd, buf, 2));
}

#define GROUPS	"/sys/fs/cgroup/"
#define GROUP	GROUPS "atwifi/"

/* The kernel's memory that is charged to our group, in bytes. */
static long charged(void)
{
	static const char what[] = "slab_unreclaimable ";
	char *text = atw_slurp(GROUP "memory.stat"), *at = text ? strstr(text, what) : NULL;
	long bytes = at ? atol(at + strlen(what)) : -1;

	free(text);
	return bytes;
}

/* What waits to be sent is its sender's memory. */
TEST(memory_cgroup)
{
	const struct linger at_once = { .l_onoff = 1 };
	uint64_t limit = atw_now_ms() + LONG_MS;
	long before, has;
	char buf[4096];
	int fd, waits;

	mount("none", GROUPS, "cgroup2", 0, NULL);
	if (atw_write(GROUPS "cgroup.subtree_control", "+memory"))
		SKIP(return, "a kernel without memory cgroups");
	ASSERT_EQ(0, mkdir(GROUP, 0755));
	ASSERT_EQ(0, atw_write(GROUP "cgroup.procs", "0"));
	fd = atw_peer("count 6");
	ASSERT_LE(0, fd);
	pattern_fill(buf, sizeof(buf), 1, 0);
	before = charged();
	ASSERT_LE(0, before);
	/* Counted with some delay, while the module goes on to take it. */
	do {
		ASSERT_LT(atw_now_ms(), limit);
		while (send(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
			;
		ASSERT_STREQ("EAGAIN", atw_errno_name(errno));
		has = charged() - before;
		ASSERT_EQ(0, ioctl(fd, SIOCOUTQ, &waits));
	} while (waits < 65536 || has < waits);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, atw_write(GROUPS "cgroup.procs", "0"));
	EXPECT_EQ(0, rmdir(GROUP));
}

/* The process is gone, its connection too. */
TEST(exit_closes)
{
	pid_t pid;
	int status;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int fd = atw_peer("source 1000000 26");

		_exit(fd < 0 || atw_listed() < 1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	EXPECT_TRUE(atw_listed_becomes(0, LONG_MS));
	EXPECT_TRUE(atw_sim_has(0, LONG_MS));
}

FIXTURE(other_connection)
{
};

FIXTURE_SETUP(other_connection)
{
}

FIXTURE_TEARDOWN(other_connection)
{
}

/* A call that another thread sleeps in. */
struct call {
	enum { CALL_SEND, CALL_RECV, CALL_CONNECT } what;
	int fd;
	struct iovec iov[1024];
	struct msghdr msg;
	int flags;
	_Atomic pid_t tid;
	ssize_t ret;
	int err;
};

static void *call_thread(void *arg)
{
	struct call *c = arg;

	c->tid = gettid();
	switch (c->what) {
	case CALL_SEND:
		c->ret = sendmsg(c->fd, &c->msg, c->flags);
		break;
	case CALL_RECV:
		c->ret = recvmsg(c->fd, &c->msg, c->flags);
		break;
	case CALL_CONNECT:
		c->ret = atw_connect_hole(c->fd);
		break;
	}
	c->err = errno;
	return NULL;
}

/* Has a thread sleep in a call; returns whether it does. */
static bool call_sleeps(struct call *c, pthread_t *thread)
{
	if (pthread_create(thread, NULL, call_thread, c))
		return false;
	while (!c->tid)
		atw_pause_ms(1);
	return atw_sleeps(c->tid);
}

/* What another thread reads meanwhile leaves no hole in what one that waits for more has seen. */
TEST(peek_beside_a_reader)
{
	static struct call c = { .what = CALL_RECV, .flags = MSG_PEEK | MSG_WAITALL };
	char sent[130], seen[100], taken[30];
	pthread_t thread;
	size_t i;

	for (i = 0; i < sizeof(sent); i++)
		sent[i] = i;
	c.iov[0] = (struct iovec){ seen, sizeof(seen) };
	c.msg.msg_iov = c.iov;
	c.msg.msg_iovlen = 1;
	c.fd = atw_peer("echo");
	ASSERT_LE(0, c.fd);
	ASSERT_EQ(60, atw_send_all(c.fd, sent, 60));
	ASSERT_EQ(60, recv(c.fd, seen, 60, MSG_PEEK | MSG_WAITALL));
	ASSERT_TRUE(call_sleeps(&c, &thread));
	ASSERT_EQ(30, recv(c.fd, taken, sizeof(taken), 0));
	ASSERT_EQ(70, atw_send_all(c.fd, sent + 60, 70));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(60, c.ret);
	EXPECT_EQ(0, memcmp(seen, sent, 60));
	EXPECT_EQ(100, recv(c.fd, seen, sizeof(seen), MSG_WAITALL));
	EXPECT_EQ(0, memcmp(seen, sent + 30, sizeof(seen)));
	close(c.fd);
}

static int anew(int fd)
{
	struct sockaddr_atw addr = atw_addr(atw_env("ATW_HOST", "192.0.2.1"), atw_peer_port());

	return atw_connect_anew(fd, &addr);
}

/* A connection begun without waiting is to return what is sent, and no more. */
static bool becomes_echo(int fd)
{
	int n;

	return atw_wait(fd, POLLOUT, LONG_MS) == POLLOUT &&
	       atw_send_all(fd, "echo\n", 5) == 5 && atw_echo_works(fd, 33, 1000) &&
	       !ioctl(fd, SIOCINQ, &n) && !n;
}

/*
 * A thread is in the middle of a send when another one gives the socket another
 * connection: nobody at the other end of that is to see the rest.
 */
TEST_F(other_connection, send)
{
	static struct call c = { .what = CALL_SEND, .flags = MSG_NOSIGNAL };
	static char as[65536];
	pthread_t thread;
	size_t i;

	memset(as, 'A', sizeof(as));
	for (i = 0; i < ARRAY_SIZE(c.iov); i++)
		c.iov[i] = (struct iovec){ as, sizeof(as) };
	c.msg.msg_iov = c.iov;
	c.msg.msg_iovlen = i;
	c.fd = atw_peer("count 60");
	ASSERT_LE(0, c.fd);
	ASSERT_TRUE(call_sleeps(&c, &thread));
	ASSERT_EQ(0, anew(c.fd));
	EXPECT_TRUE(becomes_echo(c.fd));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	/* It is told how much was taken of what it had. */
	EXPECT_LT(0, c.ret);
	EXPECT_GT((ssize_t)(i * sizeof(as)), c.ret);
}

/* Who waits for more of a stream is not given bytes of another one. */
TEST_F(other_connection, recv)
{
	static const struct {
		int come;
		int flags;
	} cases[] = {
		{ 100, MSG_WAITALL },
		{ 100, MSG_WAITALL | MSG_PEEK },
		{ 100, MSG_WAITALL | MSG_TRUNC },
		{ 0, 0 },
		{ 0, MSG_PEEK },
	};
	uint64_t limit = atw_now_ms() + LONG_MS;
	char line[100], buf[200];
	pthread_t thread;
	size_t i;
	int n;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct call c = { .what = CALL_RECV, .flags = cases[i].flags };

		c.iov[0] = (struct iovec){ buf, sizeof(buf) };
		c.msg.msg_iov = c.iov;
		c.msg.msg_iovlen = 1;
		memset(line, 'A', sizeof(line));
		c.fd = atw_peer("echo");
		ASSERT_LE(0, c.fd);
		ASSERT_EQ(cases[i].come, atw_send_all(c.fd, line, cases[i].come));
		do {
			ASSERT_EQ(0, ioctl(c.fd, SIOCINQ, &n));
			ASSERT_LT(atw_now_ms(), limit);
		} while (n < cases[i].come);
		ASSERT_TRUE(call_sleeps(&c, &thread));
		ASSERT_EQ(0, anew(c.fd));
		ASSERT_EQ(POLLOUT, atw_wait(c.fd, POLLOUT, LONG_MS));
		memset(line, 'B', sizeof(line));
		ASSERT_EQ(5, atw_send_all(c.fd, "echo\n", 5));
		ASSERT_EQ(100, atw_send_all(c.fd, line, 100));
		ASSERT_EQ(0, pthread_join(thread, NULL));
		if (cases[i].come) {
			ASSERT_EQ(cases[i].come, c.ret);
		} else {
			ASSERT_EQ(-1, c.ret);
			ASSERT_STREQ("EPIPE", atw_errno_name(c.err));
		}
		/* They are for who asks now. */
		ASSERT_EQ(100, atw_recv_all(c.fd, buf, 100));
		ASSERT_EQ(0, memcmp(buf, line, 100));
		close(c.fd);
	}
}

/* A connect() that another thread has ended is no success of the next one's. */
TEST_F(other_connection, connect)
{
	struct call c = { .what = CALL_CONNECT };
	pthread_t thread;

	c.fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, c.fd);
	ASSERT_TRUE(call_sleeps(&c, &thread));
	ASSERT_EQ(0, anew(c.fd));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(-1, c.ret);
	EXPECT_STREQ("EPIPE", atw_errno_name(c.err));
	EXPECT_TRUE(becomes_echo(c.fd));
}

/* One that has failed tells why, also if SO_ERROR has told another thread before. */
TEST_F(other_connection, connect_error)
{
	const struct sched_param first = { .sched_priority = 1 };
	uint64_t limit = atw_now_ms() + LONG_MS;
	socklen_t len = sizeof(int);
	cpu_set_t all, one;
	pthread_t thread;
	int err = 0;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	ASSERT_EQ(0, sched_getaffinity(0, sizeof(all), &all));
	EXPECT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
	do {
		struct call c = { .what = CALL_CONNECT };

		EXPECT_EQ(0, atw_hold(HOLD_LONG));
		c.fd = atw_socket(SOCK_STREAM);
		ASSERT_LE(0, c.fd);
		ASSERT_TRUE(call_sleeps(&c, &thread));
		/* Both are woken, and of this processor's it is this thread that runs first. */
		EXPECT_EQ(0, sched_setscheduler(0, SCHED_FIFO, &first));
		EXPECT_EQ(0, atw_hold(HOLD_ENDS));
		atw_wait(c.fd, POLLIN, LONG_MS);
		EXPECT_EQ(0, getsockopt(c.fd, SOL_SOCKET, SO_ERROR, &err, &len));
		EXPECT_EQ(0, sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){ 0 }));
		ASSERT_EQ(0, pthread_join(thread, NULL));
		EXPECT_EQ(-1, c.ret);
		if (err) {
			EXPECT_STREQ(atw_errno_name(err), atw_errno_name(c.err));
		}
		close(c.fd);
	} while (!err && atw_now_ms() < limit);
	EXPECT_NE(0, err);
	EXPECT_EQ(0, atw_hold(HOLD_USUAL));
	EXPECT_EQ(0, sched_setaffinity(0, sizeof(all), &all));
}

/* Nor does who waits to send, for a connection to be open, wait for another one. */
TEST_F(other_connection, send_early)
{
	struct call c = { .what = CALL_SEND, .flags = MSG_NOSIGNAL };
	pthread_t thread;

	c.iov[0] = (struct iovec){ "A", 1 };
	c.msg.msg_iov = c.iov;
	c.msg.msg_iovlen = 1;
	c.fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, c.fd);
	ASSERT_EQ(0, fcntl(c.fd, F_SETFL, O_NONBLOCK));
	ASSERT_ERRNO(EINPROGRESS, atw_connect_hole(c.fd));
	ASSERT_EQ(0, fcntl(c.fd, F_SETFL, 0));
	ASSERT_TRUE(call_sleeps(&c, &thread));
	ASSERT_EQ(0, anew(c.fd));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(-1, c.ret);
	EXPECT_STREQ("EPIPE", atw_errno_name(c.err));
	EXPECT_TRUE(becomes_echo(c.fd));
}

/*
 * A thread is still reading what it sends, from memory of which each page is yet to be made,
 * when another one sends: neither waits for what the other one has for ever.
 */
TEST(sends_slowly_read)
{
	const struct sched_param first = { .sched_priority = 1 };
	const uint64_t limit = atw_now_ms() + LONG_MS;
	const size_t page = getpagesize();
	const int small = 1;
	static struct call c = { .what = CALL_SEND, .flags = MSG_NOSIGNAL };
	unsigned char is[ARRAY_SIZE(c.iov)];
	static char rest[60000];
	bool reading = false;
	pthread_t thread;
	int memory, fd;
	size_t i;
	char *at;

	memory = memfd_create("message", MFD_CLOEXEC);
	ASSERT_LE(0, memory);
	ASSERT_EQ(0, ftruncate(memory, ARRAY_SIZE(is) * page));
	at = mmap(NULL, ARRAY_SIZE(is) * page, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	ASSERT_NE(MAP_FAILED, at);
	for (i = 0; i < ARRAY_SIZE(is); i++)
		c.iov[i] = (struct iovec){ at + i * page, 2 };
	c.msg.msg_iov = c.iov;
	c.msg.msg_iovlen = i;
	while (!reading) {
		if (atw_now_ms() > limit)
			SKIP(return, "pages are made faster than they are looked at");
		ASSERT_EQ(0, ftruncate(memory, 0));
		ASSERT_EQ(0, ftruncate(memory, ARRAY_SIZE(is) * page));
		fd = atw_socket(SOCK_STREAM);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)));
		ASSERT_EQ(0, atw_peer_on(fd, "count 7"));
		c.fd = fd;
		ASSERT_EQ(0, pthread_create(&thread, NULL, call_thread, &c));
		/* With one processor it gets no further from here on until this one sleeps. */
		ASSERT_EQ(0, sched_setscheduler(0, SCHED_FIFO, &first));
		do {
			atw_pause_ms(1);
			ASSERT_EQ(0, mincore(at, ARRAY_SIZE(is) * page, is));
		} while (!(is[0] & 1));
		reading = !(is[ARRAY_SIZE(is) - 1] & 1);
		EXPECT_EQ((ssize_t)sizeof(rest), send(fd, rest, sizeof(rest), MSG_NOSIGNAL));
		ASSERT_EQ(0, sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){ 0 }));
		ASSERT_EQ(0, pthread_join(thread, NULL));
		EXPECT_EQ((ssize_t)(2 * ARRAY_SIZE(is)), c.ret);
		close(fd);
	}
	munmap(at, ARRAY_SIZE(is) * page);
	close(memory);
}

/* Who may not send as long as another thread does is not told that he may, and is when he may. */
TEST(poll_beside_a_send)
{
	const struct sched_param first = { .sched_priority = 1 };
	static struct call c = { .what = CALL_SEND, .flags = MSG_NOSIGNAL };
	const int small = 1, large = 200000;
	static char message[60000];
	pthread_t thread;
	int other;

	if (!atw_has_sim())
		SKIP(return, "no emulator to control");
	if (get_nprocs() > 1)
		SKIP(return, "the other thread cannot be kept from going on");
	c.iov[0] = (struct iovec){ message, sizeof(message) };
	c.msg.msg_iov = c.iov;
	c.msg.msg_iovlen = 1;
	c.fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, c.fd);
	ASSERT_EQ(0, setsockopt(c.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)));
	ASSERT_EQ(0, atw_peer_on(c.fd, "count 8"));
	/* Nothing leaves the socket, so nothing else wakes who waits. */
	other = atw_hold_module();
	ASSERT_LE(0, other);
	ASSERT_TRUE(call_sleeps(&c, &thread));
	/* There is room for all of it now, but no processor before this thread sleeps. */
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_FIFO, &first));
	EXPECT_EQ(0, setsockopt(c.fd, SOL_SOCKET, SO_SNDBUF, &large, sizeof(large)));
	EXPECT_EQ(0, atw_wait(c.fd, POLLOUT, 0));
	EXPECT_EQ(-1, send(c.fd, "x", 1, MSG_DONTWAIT));
	EXPECT_STREQ("EAGAIN", atw_errno_name(errno));
	EXPECT_EQ(POLLOUT, atw_wait(c.fd, POLLOUT, LONG_MS));
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){ 0 }));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ((ssize_t)sizeof(message), c.ret);
	EXPECT_EQ(1, send(c.fd, "x", 1, MSG_DONTWAIT));
	ASSERT_EQ(0, atw_hold(HOLD_ENDS));
	ASSERT_EQ(0, atw_hold(HOLD_USUAL));
	close(other);
	close(c.fd);
}

TEST_HARNESS_MAIN
