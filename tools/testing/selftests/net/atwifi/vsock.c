// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cases of the kernel's vsock_test (7.3) that make sense here, for connections
 * that the module has accepted; those of clients have their tests elsewhere.
 *
 * SOCK_STREAM:
 *  connection reset                     errors: refused
 *  bind only                            bind_only
 *  client close, server close           client_close, server_close
 *  multiple connections                 multiple_connections
 *  MSG_PEEK                             peek; stream: peek, peek_waitall
 *  poll() + SO_RCVLOWAT                 poll_rcvlowat
 *  test invalid buffer                  stream: invalid_buffers
 *  SHUT_WR, SHUT_RD                     shut_wr, shut_rd
 *  double bind connect                  double_bind
 *  ioctl(SIOCOUTQ) 0 unsent bytes       unsent_bytes
 *  ioctl(SIOCINQ) functionality         unread_bytes
 *  leak accept queue                    leak_accept_queue, with kmemleak
 *  retry failed connect()               errors: refused
 *  SO_LINGER null-ptr-deref             linger_unconnected
 *  SO_LINGER close() on unread          linger_unread
 *  accept()ed socket custom setsockopt  accepted_options
 *  MSG_PEEK after partial recv          peek
 *  small packets backpressure           small_packets
 *  TX credit bounds                     stream: send_nonblocking: it is SO_SNDBUF that
 *                                       bounds, there is no credit
 *  virtio skb merge, virtio credit      of virtio's protocol; that small pieces share a
 *  update (two)                         buffer is seen in small_packets
 *  MSG_ZEROCOPY (five)                  left out: the family does not have it, bytes
 *                                       are copied to a UART
 *  transport release use-after-free,    left out: a socket has one transport, and keeps
 *  transport change                     it; modules that go away are in attach
 * SOCK_SEQPACKET: left out, the module has nothing like it. Bounds, truncation, time-outs,
 * invalid buffers, peeking and SIOCINQ of datagrams are in dgram.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/sockios.h>

#include "kselftest_harness.h"
#include "pattern.h"
#include "util.h"

FIXTURE(vsock)
{
	int server;
	int port;
};

FIXTURE_SETUP(vsock)
{
	ASSERT_TRUE(atw_emptied());
	self->server = atw_server(SOCK_STREAM, 4, &self->port);
	ASSERT_LE(0, self->server);
}

FIXTURE_TEARDOWN(vsock)
{
	close(self->server);
}

/* A connection whose other end is the peer, doing what @verb says. */
static int accepted(int server, int port, const char *verb)
{
	return atw_dial(port, "%s", verb) ? -1 : atw_accept(server);
}

static int becomes(int fd, unsigned long request, int want)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	int n = -1;

	do {
		if (ioctl(fd, request, &n))
			return -1;
	} while (n != want && atw_now_ms() < limit);
	return n;
}

TEST(bind_only)
{
	int fd, try, err, tries = 10;
	char line[32];

	/* At the port that it chooses somebody else may listen there. */
	do {
		fd = atw_socket(SOCK_STREAM);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, atw_bind(fd, 0));
		try = atw_peer("try %d", atw_port(fd));
		ASSERT_LE(0, try);
		ASSERT_LT(0, atw_recv_line(try, line, sizeof(line)));
		ASSERT_EQ(1, sscanf(line, "errno %d", &err));
		close(try);
		close(fd);
	} while (!err && --tries);
	EXPECT_STREQ("ECONNREFUSED", atw_errno_name(err));
}

TEST_F(vsock, client_close)
{
	char byte;
	int fd = accepted(self->server, self->port, "close-after 0");

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, recv(fd, &byte, 1, 0));
	EXPECT_EQ(0, recv(fd, &byte, 1, 0));
	ASSERT_ERRNO(EPIPE, send(fd, "x", 1, MSG_NOSIGNAL));
}

TEST_F(vsock, server_close)
{
	uint64_t before;
	int fd = accepted(self->server, self->port, "mourn 20"), meter;

	ASSERT_LE(0, fd);
	meter = atw_peer("meter 20");
	ASSERT_LE(0, meter);
	before = atw_meter(meter);
	ASSERT_EQ(0, close(fd));
	ASSERT_TRUE(atw_becomes(atw_meter(meter) == before + 1, LONG_MS));
	close(meter);
}

TEST_F(vsock, multiple_connections)
{
	int fd[3], i;

	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(atw_sim_has(1 + i, LONG_MS));
		fd[i] = accepted(self->server, self->port, "echo");
		ASSERT_LE(0, fd[i]);
	}
	for (i = 0; i < 3; i++) {
		EXPECT_TRUE(atw_echo_works(fd[i], i, 500 + i));
	}
	for (i = 0; i < 3; i++)
		close(fd[i]);
}

TEST_F(vsock, peek)
{
	int fd = accepted(self->server, self->port, "echo");
	uint8_t buf[300];

	ASSERT_LE(0, fd);
	ASSERT_ERRNO(EAGAIN, recv(fd, buf, 1, MSG_PEEK | MSG_DONTWAIT));
	pattern_fill(buf, sizeof(buf), 1, 0);
	ASSERT_EQ(300, atw_send_all(fd, buf, 300));
	ASSERT_EQ(300, becomes(fd, SIOCINQ, 300));
	ASSERT_EQ(300, recv(fd, buf, 300, MSG_PEEK));
	EXPECT_EQ(-1, pattern_check(buf, 300, 1, 0));
	/* After a part was read it begins behind that. */
	ASSERT_EQ(100, recv(fd, buf, 100, 0));
	ASSERT_EQ(200, recv(fd, buf, 300, MSG_PEEK));
	EXPECT_EQ(-1, pattern_check(buf, 200, 1, 100));
	ASSERT_EQ(200, recv(fd, buf, 300, 0));
	EXPECT_EQ(-1, pattern_check(buf, 200, 1, 100));
}

TEST_F(vsock, poll_rcvlowat)
{
	int fd = accepted(self->server, self->port, "echo"), low = 128;
	uint8_t buf[128] = { 0 };

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)));
	ASSERT_EQ(1, send(fd, "x", 1, 0));
	ASSERT_EQ(1, becomes(fd, SIOCINQ, 1));
	EXPECT_EQ(0, atw_wait(fd, POLLIN, 0));
	ASSERT_EQ(127, atw_send_all(fd, buf, 127));
	EXPECT_EQ(POLLIN, atw_wait(fd, POLLIN, LONG_MS));
	EXPECT_EQ(128, recv(fd, buf, 128, 0));
}

TEST_F(vsock, shut_wr)
{
	int fd = accepted(self->server, self->port, "source 5000 2"), err;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, shutdown(fd, SHUT_WR));
	ASSERT_ERRNO(EPIPE, send(fd, "x", 1, MSG_NOSIGNAL));
	EXPECT_EQ(5000, atw_download(fd, 5000, 2, &err));
}

TEST_F(vsock, shut_rd)
{
	int fd = accepted(self->server, self->port, "echo");
	char byte;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, shutdown(fd, SHUT_RD));
	EXPECT_EQ(0, recv(fd, &byte, 1, 0));
	EXPECT_EQ(1, send(fd, "x", 1, MSG_NOSIGNAL));
}

TEST_F(vsock, double_bind)
{
	int fd = atw_socket(SOCK_STREAM);

	ASSERT_LE(0, fd);
	ASSERT_ERRNO(EADDRINUSE, atw_bind(fd, self->port));
	ASSERT_EQ(0, atw_peer_on(fd, "echo"));
	EXPECT_TRUE(atw_echo_works(fd, 3, 100));
	close(fd);
}

TEST_F(vsock, unsent_bytes)
{
	int fd = accepted(self->server, self->port, "count 21");

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_upload(fd, 5000, 4));
	EXPECT_EQ(0, becomes(fd, SIOCOUTQ, 0));
}

TEST_F(vsock, unread_bytes)
{
	int fd = accepted(self->server, self->port, "source 3000 5"), err;

	ASSERT_LE(0, fd);
	EXPECT_EQ(3000, becomes(fd, SIOCINQ, 3000));
	EXPECT_EQ(3000, atw_download(fd, 3000, 5, &err));
	EXPECT_EQ(0, becomes(fd, SIOCINQ, 0));
}

TEST_F(vsock, leak_accept_queue)
{
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, atw_dial(self->port, "source 3000 6"));
	}
	ASSERT_EQ(POLLIN, atw_wait(self->server, POLLIN, LONG_MS));
	ASSERT_EQ(0, close(self->server));
	self->server = -1;
	EXPECT_TRUE(atw_sim_has(0, LONG_MS));
}

TEST_F(vsock, linger_unconnected)
{
	struct linger lin = { 1, 1 };
	int fd = atw_socket(SOCK_STREAM);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_LINGER, &lin, sizeof(lin)));
	EXPECT_EQ(0, close(fd));
	ASSERT_EQ(0, setsockopt(self->server, SOL_SOCKET, SO_LINGER, &lin, sizeof(lin)));
}

/* close() does not wait for who will not read, and nothing more is sent then. */
TEST_F(vsock, linger_unread)
{
	struct linger lin = { 1, LONG_S };
	uint8_t buf[1000] = { 0 };
	long out, timeouts;
	int fd, other;

	if (!atw_has_sim())
		SKIP(return, "no emulator to control");
	fd = accepted(self->server, self->port, "echo");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_LINGER, &lin, sizeof(lin)));
	ASSERT_EQ(100, atw_send_all(fd, buf, 100));
	ASSERT_EQ(100, becomes(fd, SIOCINQ, 100));
	other = atw_hold_module();
	ASSERT_LE(0, other);
	out = atw_sim_stat("net-out");
	timeouts = atw_stat(ATW_DEVICE, "timeouts");
	ASSERT_EQ(1000, atw_send_all(fd, buf, 1000));
	EXPECT_EQ(0, close(fd));
	/* The module is held for longer than the driver waits for it. */
	EXPECT_EQ(timeouts, atw_stat(ATW_DEVICE, "timeouts"));
	ASSERT_EQ(0, atw_hold(HOLD_ENDS));
	ASSERT_EQ(0, atw_hold(HOLD_USUAL));
	close(other);
	/* That of the server. */
	EXPECT_TRUE(atw_sim_has(1, LONG_MS));
	EXPECT_EQ(out, atw_sim_stat("net-out"));
}

/* The family's own options come to it on accepted sockets, too. */
TEST_F(vsock, accepted_options)
{
	int fd = accepted(self->server, self->port, "echo"), n = 5;
	socklen_t len = sizeof(n);

	ASSERT_LE(0, fd);
	ASSERT_ERRNO(EISCONN, setsockopt(fd, SOL_ATWIFI, ATW_KEEPINTVL, &n, sizeof(n)));
	ASSERT_ERRNO(EISCONN, setsockopt(fd, SOL_ATWIFI, ATW_BINDTODEVICE, ATW_DEVICE, 5));
	if (atw_kernel_at_least(6, 7)) {
		ASSERT_ERRNO(EISCONN,
			     setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ATW_DEVICE, 5));
	}
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &n, &len));
	EXPECT_EQ(0, n);
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &n, &len));
	EXPECT_EQ(atw_family(), n);
}

/* Many small pieces do not use up the memory for a few bytes. */
TEST_F(vsock, small_packets)
{
	int fd = accepted(self->server, self->port, "source 4000 8 1 0");
	int err;

	ASSERT_LE(0, fd);
	ASSERT_EQ(4000, becomes(fd, SIOCINQ, 4000));
	EXPECT_EQ(4000, atw_download(fd, 4000, 8, &err));
}

TEST_HARNESS_MAIN
