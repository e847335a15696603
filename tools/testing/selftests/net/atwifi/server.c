// SPDX-License-Identifier: GPL-2.0-only
/*
 * Servers: what a program may expect of bind(), listen() and accept().
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <linux/sockios.h>

#include "kselftest_harness.h"
#include "pattern.h"
#include "util.h"

static int sim_sockets(char *reply, size_t size)
{
	return atw_sim_at(atw_env("ATW_SIM_CONTROL", ""), reply, size, "sockets");
}

static void on_alarm(int sig)
{
}

FIXTURE(server)
{
	int fd;
	int port;
};

FIXTURE_SETUP(server)
{
	ASSERT_TRUE(atw_emptied());
	self->fd = atw_server(SOCK_STREAM, 3, &self->port);
	ASSERT_LE(0, self->fd) {
		TH_LOG("%s", atw_errno_name(errno));
	}
}

FIXTURE_TEARDOWN(server)
{
	close(self->fd);
}

TEST_F(server, echo)
{
	int fd;

	ASSERT_EQ(0, atw_dial(self->port, "echo"));
	fd = atw_accept(self->fd);
	ASSERT_LE(0, fd);
	EXPECT_TRUE(atw_echo_works(fd, 1, 1));
	EXPECT_TRUE(atw_echo_works(fd, 2, 2000));
	EXPECT_EQ(0, close(fd));
}

TEST_F(server, options_of_a_listener)
{
	struct sockaddr_atw addr;
	socklen_t len = sizeof(int);
	char byte;
	int n = 0;

	ASSERT_EQ(0, getsockopt(self->fd, SOL_SOCKET, SO_ACCEPTCONN, &n, &len));
	EXPECT_EQ(1, n);
	EXPECT_LE(49152, self->port);
	ASSERT_ERRNO(ENOTCONN, recv(self->fd, &byte, 1, 0));
	ASSERT_ERRNO(ENOTCONN, send(self->fd, "x", 1, MSG_NOSIGNAL));
	ASSERT_ERRNO(EISCONN, atw_connect_host(self->fd, atw_peer_port()));
	ASSERT_ERRNO(EINVAL, atw_bind(self->fd, 0));
	len = sizeof(addr);
	ASSERT_ERRNO(ENOTCONN, getpeername(self->fd, (struct sockaddr *)&addr, &len));
	/* listen() again changes the backlog. */
	EXPECT_EQ(0, listen(self->fd, 1));
	EXPECT_EQ(0, atw_wait(self->fd, POLLIN | POLLOUT | POLLRDHUP, 0));
}

TEST_F(server, not_blocking)
{
	int fd, flags;

	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	ASSERT_ERRNO(EAGAIN, accept4(self->fd, NULL, NULL, 0));
	ASSERT_EQ(0, atw_dial(self->port, "echo"));
	ASSERT_EQ(POLLIN, atw_wait(self->fd, POLLIN, LONG_MS));
	fd = accept4(self->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ASSERT_LE(0, fd);
	flags = fcntl(fd, F_GETFL);
	EXPECT_EQ(O_NONBLOCK, flags & O_NONBLOCK);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD) & FD_CLOEXEC);
	EXPECT_EQ(0, atw_wait(self->fd, POLLIN, 0));
	ASSERT_ERRNO(EAGAIN, accept4(self->fd, NULL, NULL, 0));
	/* What is accepted does not inherit it. */
	ASSERT_EQ(0, atw_dial(self->port, "echo"));
	ASSERT_EQ(POLLIN, atw_wait(self->fd, POLLIN, LONG_MS));
	fd = accept(self->fd, NULL, NULL);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, fcntl(fd, F_GETFL) & O_NONBLOCK);
}

struct waiter {
	int fd;
	_Atomic pid_t tid;
	int got;
	int err;
};

static void *waiter_thread(void *arg)
{
	struct waiter *w = arg;

	w->tid = gettid();
	w->got = accept(w->fd, NULL, NULL);
	w->err = errno;
	return NULL;
}

/* Has a thread sleep in accept(); returns whether it does. */
static bool waiter_sleeps(struct waiter *w, pthread_t *thread)
{
	if (pthread_create(thread, NULL, waiter_thread, w))
		return false;
	while (!w->tid)
		atw_pause_ms(1);
	return atw_sleeps(w->tid);
}

TEST_F(server, blocking)
{
	struct waiter w = { .fd = self->fd };
	pthread_t thread;

	ASSERT_TRUE(waiter_sleeps(&w, &thread));
	ASSERT_EQ(0, atw_dial(self->port, "echo"));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_LE(0, w.got);
	EXPECT_TRUE(atw_echo_works(w.got, 1, 100));
}

TEST_F(server, shutdown_ends_accept)
{
	struct waiter w = { .fd = self->fd };
	pthread_t thread;

	ASSERT_TRUE(waiter_sleeps(&w, &thread));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_RD));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(-1, w.got);
	EXPECT_STREQ("EINVAL", atw_errno_name(w.err));
	/* As TCP: it keeps its port and may listen again. */
	ASSERT_EQ(0, listen(self->fd, 1));
	ASSERT_LE(0, atw_client(self->fd, self->port, "echo"));
}

/* What listens after that is another server, whose clients are not for it. */
TEST_F(server, disconnect_ends_accept)
{
	struct waiter w = { .fd = self->fd };
	pthread_t thread;
	int fd;

	ASSERT_TRUE(waiter_sleeps(&w, &thread));
	ASSERT_EQ(0, atw_disconnect(self->fd));
	ASSERT_EQ(0, listen(self->fd, 1));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(-1, w.got);
	EXPECT_STREQ("EINVAL", atw_errno_name(w.err));
	fd = atw_client(self->fd, self->port, "echo");
	ASSERT_LE(0, fd);
	EXPECT_TRUE(atw_echo_works(fd, 1, 100));
}

TEST_F(server, timeout_and_signal)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval it = { { 0, 100000 }, { 0, 100000 } };
	uint64_t start = atw_now_ms();

	ASSERT_EQ(0, atw_timeouts(self->fd, 200));
	ASSERT_ERRNO(EAGAIN, accept(self->fd, NULL, NULL));
	EXPECT_LE(190, atw_now_ms() - start);
	ASSERT_EQ(0, atw_timeouts(self->fd, 0));
	ASSERT_EQ(0, sigaction(SIGALRM, &sa, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &it, NULL));
	ASSERT_ERRNO(EINTR, accept(self->fd, NULL, NULL));
	memset(&it, 0, sizeof(it));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &it, NULL));
}

/* The peer is named where the firmware names it. */
TEST_F(server, names_of_both_ends)
{
	struct sockaddr_atw addr, again;
	socklen_t len = sizeof(addr);
	int fd;

	ASSERT_EQ(0, atw_dial(self->port, "echo"));
	ASSERT_EQ(POLLIN, atw_wait(self->fd, POLLIN, LONG_MS));
	memset(&addr, 0x5a, sizeof(addr));
	fd = accept(self->fd, (struct sockaddr *)&addr, &len);
	ASSERT_LE(0, fd);
	EXPECT_EQ(sizeof(addr), len);
	EXPECT_EQ(atw_family(), addr.satw_family);
	EXPECT_EQ(0, addr.satw_name[0]);
	if (atw_of_open_sdk()) {
		EXPECT_EQ(inet_addr(atw_env("ATW_HOST", "192.0.2.1")), addr.satw_addr);
		EXPECT_NE(0, addr.satw_port);
	} else {
		EXPECT_EQ(0, addr.satw_addr);
		EXPECT_EQ(0, addr.satw_port);
	}
	len = sizeof(again);
	ASSERT_EQ(0, getpeername(fd, (struct sockaddr *)&again, &len));
	EXPECT_EQ(0, memcmp(&addr, &again, sizeof(addr)));
	EXPECT_EQ(self->port, atw_port(fd));
	ASSERT_EQ(0, atw_disconnect(fd));
	EXPECT_EQ(0, atw_port(fd));
	EXPECT_EQ(0, close(fd));
}

/* What comes before accept() waits for it. */
TEST_F(server, data_before_accept)
{
	long in = atw_sim_stat("net-in");
	int fd, err;

	ASSERT_EQ(0, atw_dial(self->port, "duplex 50000 40"));
	ASSERT_EQ(POLLIN, atw_wait(self->fd, POLLIN, LONG_MS));
	/* The peer waits for its own stream: all of ours has come. */
	if (atw_has_sim())
		ASSERT_TRUE(atw_becomes(atw_sim_stat("net-in") >= in + 50000, LONG_MS));
	fd = atw_accept(self->fd);
	ASSERT_LE(0, fd);
	ASSERT_EQ(50000, atw_download(fd, 50000, 40, &err));
	ASSERT_EQ(0, atw_upload(fd, 50000, 41));
}

/* The client has come, sent and gone before accept(). */
TEST_F(server, lost_before_accept)
{
	char byte;
	int fd, err;

	ASSERT_EQ(0, atw_dial(self->port, "source 20000 42"));
	ASSERT_EQ(POLLIN, atw_wait(self->fd, POLLIN, LONG_MS));
	/* Only the server is left in the module. */
	ASSERT_TRUE(atw_sim_has(1, LONG_MS));
	fd = atw_accept(self->fd);
	ASSERT_LE(0, fd);
	ASSERT_EQ(20000, atw_download(fd, 20000, 42, &err));
	EXPECT_EQ(0, recv(fd, &byte, 1, 0));
	ASSERT_ERRNO(EPIPE, send(fd, "x", 1, MSG_NOSIGNAL));
	EXPECT_EQ(0, close(fd));
}

/* A client that nobody accepts: it sends that much and closes. */
static bool comes_and_goes(int port, int bytes)
{
	long before = atw_stat(ATW_DEVICE, "accepted");
	uint64_t limit = atw_now_ms() + LONG_MS;

	if (atw_dial(port, "source %d 60", bytes))
		return false;
	while (atw_stat(ATW_DEVICE, "accepted") == before) {
		if (atw_now_ms() > limit)
			return false;
		atw_pause_ms(10);
	}
	/* Only the servers are left in the module. */
	return atw_sim_has(2, LONG_MS);
}

/* Who accepts nobody fills what he may have of the memory, and nothing of another server's. */
TEST_F(server, lost_beside_another)
{
	/* As many as can wait; the last are for what is left beside large ones. */
	static const int sizes[16] = {
		1000000, 1000000, 1000000, 1000000, 1000000, 1000000, 1000000, 1000000,
		3000, 3000, 1000, 1000, 1000, 5, 5, 5
	};
	int other, port, fd, err, i;
	char byte;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	other = atw_server(SOCK_STREAM, 1, &port);
	ASSERT_LE(0, other);
	ASSERT_EQ(0, listen(self->fd, ARRAY_SIZE(sizes)));
	for (i = 0; i < (int)ARRAY_SIZE(sizes); i++)
		ASSERT_TRUE(comes_and_goes(self->port, sizes[i]));
	ASSERT_TRUE(comes_and_goes(port, 5));
	fd = atw_accept(other);
	ASSERT_LE(0, fd);
	ASSERT_EQ(5, atw_download(fd, 5, 60, &err));
	EXPECT_EQ(0, recv(fd, &byte, 1, 0));
	close(fd);
	close(other);
}

/* Without a word. */
TEST_F(server, gone_before_accept)
{
	char byte;
	int fd;

	ASSERT_EQ(0, atw_dial(self->port, "close-after 0"));
	fd = atw_accept(self->fd);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, recv(fd, &byte, 1, 0));
}

TEST_F(server, remote_close_data_pending)
{
	char byte;
	int fd, err;

	ASSERT_EQ(0, atw_dial(self->port, "source 30000 43"));
	fd = atw_accept(self->fd);
	ASSERT_LE(0, fd);
	ASSERT_EQ(POLLRDHUP, POLLRDHUP & atw_wait(fd, POLLRDHUP, LONG_MS));
	ASSERT_EQ(30000, atw_download(fd, 30000, 43, &err));
	EXPECT_EQ(0, err);
	EXPECT_EQ(0, recv(fd, &byte, 1, 0));
}

TEST_F(server, transfers)
{
	char line[32];
	int fd, err;

	ASSERT_EQ(0, atw_dial(self->port, "source 262144 44"));
	fd = atw_accept(self->fd);
	ASSERT_LE(0, fd);
	ASSERT_EQ(262144, atw_download(fd, 262144, 44, &err));
	EXPECT_EQ(0, close(fd));
	fd = atw_client(self->fd, self->port, "sink 262144 45");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_upload(fd, 262144, 45));
	ASSERT_LT(0, atw_recv_line(fd, line, sizeof(line)));
	EXPECT_STREQ("ok 262144", line);
}

/* Each server has its own clients. */
TEST_F(server, several)
{
	int port, fd, other;

	other = atw_server(SOCK_STREAM, 2, &port);
	ASSERT_LE(0, other);
	ASSERT_NE(port, self->port);
	ASSERT_EQ(0, atw_dial(port, "source 1000 46"));
	ASSERT_EQ(POLLIN, atw_wait(other, POLLIN, LONG_MS));
	EXPECT_EQ(0, atw_wait(self->fd, POLLIN, 0));
	/* What is deleted may count for a while, and there are only five. */
	ASSERT_TRUE(atw_sim_has(2, LONG_MS));
	ASSERT_EQ(0, atw_dial(self->port, "source 1000 47"));
	fd = atw_accept(self->fd);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1000, atw_download(fd, 1000, 47, &port));
	close(fd);
	fd = atw_accept(other);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1000, atw_download(fd, 1000, 46, &port));
	close(fd);
	close(other);
}

/* Who comes when the backlog is full is turned away, the others are not. */
TEST_F(server, backlog)
{
	uint64_t before;
	int meter, fd;

	ASSERT_EQ(0, listen(self->fd, 1));
	ASSERT_EQ(0, atw_dial(self->port, "echo"));
	ASSERT_EQ(POLLIN, atw_wait(self->fd, POLLIN, LONG_MS));
	meter = atw_peer("meter 10");
	ASSERT_LE(0, meter);
	before = atw_meter(meter);
	ASSERT_TRUE(atw_sim_has(3, LONG_MS));
	ASSERT_EQ(0, atw_dial(self->port, "mourn 10"));
	ASSERT_TRUE(atw_becomes(atw_meter(meter) == before + 1, LONG_MS));
	close(meter);
	fd = atw_accept(self->fd);
	ASSERT_LE(0, fd);
	EXPECT_TRUE(atw_echo_works(fd, 1, 100));
	EXPECT_EQ(0, atw_wait(self->fd, POLLIN, 0));
}

/* Whoever has a number like that of a client is turned away, which is nothing to others. */
TEST_F(server, number_near_a_clients)
{
	long refused = atw_stat(ATW_DEVICE, "refused");
	uint64_t before;
	char reply[256], command[32];
	int meter, client, status, fd;
	unsigned int id;
	const char *row;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	meter = atw_peer("meter 11");
	ASSERT_LE(0, meter);
	before = atw_meter(meter);
	client = atw_peer("echo");
	ASSERT_LE(0, client);
	ASSERT_EQ(0, sim_sockets(reply, sizeof(reply)));
	/* A TCP client's: the second number is what it is. */
	for (row = reply; row && sscanf(row, " %u,4,%d", &id, &status) < 2;)
		row = strchr(row + 1, ' ');
	ASSERT_NE(NULL, row);
	snprintf(command, sizeof(command), "next-id %u", id % 10 ? id - 1 : id + 1);
	ASSERT_EQ(0, atw_sim(command));
	ASSERT_EQ(0, atw_dial(self->port, "mourn 11"));
	ASSERT_TRUE(atw_becomes(atw_meter(meter) == before + 1, LONG_MS));
	EXPECT_EQ(refused + 1, atw_stat(ATW_DEVICE, "refused"));
	ASSERT_EQ(0, atw_sim("next-id 1"));
	/* What is deleted may count for a while, and there are only five. */
	ASSERT_TRUE(atw_sim_has(3, LONG_MS));
	fd = atw_client(self->fd, self->port, "echo");
	ASSERT_LE(0, fd);
	EXPECT_TRUE(atw_echo_works(fd, 1, 100));
	EXPECT_TRUE(atw_echo_works(client, 2, 100));
	close(fd);
	close(client);
	close(meter);
}

/* A connection outlives its server; who was not accepted does not. */
TEST_F(server, close_with_clients)
{
	uint64_t before, limit;
	int meter, fd, err;
	char line[32];

	ASSERT_EQ(0, atw_dial(self->port, "echo"));
	fd = atw_accept(self->fd);
	ASSERT_LE(0, fd);
	meter = atw_peer("meter 11");
	ASSERT_LE(0, meter);
	before = atw_meter(meter);
	ASSERT_TRUE(atw_sim_has(3, LONG_MS));
	ASSERT_EQ(0, atw_dial(self->port, "mourn 11"));
	ASSERT_EQ(POLLIN, atw_wait(self->fd, POLLIN, LONG_MS));
	ASSERT_EQ(0, close(self->fd));
	ASSERT_TRUE(atw_becomes(atw_meter(meter) == before + 1, LONG_MS));
	close(meter);
	EXPECT_TRUE(atw_echo_works(fd, 1, 100));
	limit = atw_now_ms() + LONG_MS;
	do {
		int try = atw_peer("try %d", self->port);

		ASSERT_LE(0, try);
		ASSERT_LT(0, atw_recv_line(try, line, sizeof(line)));
		close(try);
		ASSERT_EQ(1, sscanf(line, "errno %d", &err));
		ASSERT_LT(atw_now_ms(), limit);
	} while (err != ECONNREFUSED);
	EXPECT_TRUE(atw_echo_works(fd, 2, 100));
	close(fd);
	self->fd = -1;
}

/* close() with unread data: the client learns it. */
TEST_F(server, close_with_unread)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	int fd, n = 0;

	ASSERT_EQ(0, atw_dial(self->port, "source 1000000 48"));
	fd = atw_accept(self->fd);
	ASSERT_LE(0, fd);
	while (!n) {
		ASSERT_EQ(0, ioctl(fd, SIOCINQ, &n));
		ASSERT_LT(atw_now_ms(), limit);
	}
	ASSERT_EQ(0, close(fd));
	EXPECT_TRUE(atw_sim_has(1, LONG_MS));
	fd = atw_client(self->fd, self->port, "echo");
	ASSERT_LE(0, fd);
	EXPECT_TRUE(atw_echo_works(fd, 1, 100));
}

TEST_F(server, many_one_after_the_other)
{
	int rounds = atw_profile_is("bw20") ? 3 : 40;
	int i, fd;

	for (i = 0; i < rounds; i++) {
		fd = atw_client(self->fd, self->port, "echo");
		ASSERT_LE(0, fd) {
			TH_LOG("round %d: %s", i, atw_errno_name(errno));
		}
		ASSERT_TRUE(atw_echo_works(fd, i, 100 + i));
		ASSERT_EQ(0, close(fd));
	}
	EXPECT_TRUE(atw_sim_has(1, LONG_MS));
}

/* A reset of the module ends connections; the server goes on. */
TEST_F(server, reset)
{
	char byte;
	int fd;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	ASSERT_EQ(0, atw_dial(self->port, "echo"));
	fd = atw_accept(self->fd);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_sim("reset"));
	ASSERT_ERRNO(ECONNRESET, recv(fd, &byte, 1, 0));
	close(fd);
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
	fd = atw_client(self->fd, self->port, "echo");
	ASSERT_LE(0, fd);
	EXPECT_TRUE(atw_echo_works(fd, 1, 100));
}

static bool is_at(int fd, const char *ip, int port)
{
	struct sockaddr_atw addr, want = atw_addr(ip, port);
	socklen_t len = sizeof(addr);

	return !getsockname(fd, (struct sockaddr *)&addr, &len) &&
	       addr.satw_addr == want.satw_addr && addr.satw_port == want.satw_port;
}

/* A server is where its module is, and so is what it accepts there. */
TEST_F(server, other_address)
{
	static const struct {
		const char *lease, *ip;
	} cases[] = {
		{ "lease 192.168.7.9,255.255.255.0,192.168.7.1", "192.168.7.9" },
		{ "lease 192.168.3.142,255.255.255.0,192.168.3.1", "192.168.3.142" },
	};
	size_t i;
	int fd;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		/* The second is everybody's. */
		EXPECT_EQ(0, atw_sim(cases[i].lease));
		EXPECT_TRUE(atw_reset_module(ATW_DEVICE));
		fd = atw_client(self->fd, self->port, "echo");
		EXPECT_LE(0, fd);
		EXPECT_TRUE(is_at(fd, cases[i].ip, self->port));
		EXPECT_TRUE(is_at(self->fd, cases[i].ip, self->port));
		close(fd);
	}
}

/* The link's loss ends connections; the server goes on. */
TEST_F(server, link_lost)
{
	char byte;
	int fd;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	ASSERT_EQ(0, atw_dial(self->port, "echo"));
	fd = atw_accept(self->fd);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_sim("link down"));
	ASSERT_EQ(-1, recv(fd, &byte, 1, 0));
	close(fd);
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "down", LONG_MS));
	ASSERT_EQ(0, atw_sim("link up"));
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
	fd = atw_client(self->fd, self->port, "echo");
	ASSERT_LE(0, fd);
	EXPECT_TRUE(atw_echo_works(fd, 1, 100));
}

/* What the module may do to a server, again and again. */
static void unkind(struct __test_metadata *_metadata, int server, int port, const char *fault,
		   int rounds)
{
	int i, fd, err;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	ASSERT_EQ(0, atw_sim(fault));
	for (i = 0; i < rounds; i++) {
		fd = atw_client(server, port, i & 1 ? "echo" : "source 5000 49");
		ASSERT_LE(0, fd) {
			TH_LOG("round %d: %s", i, atw_errno_name(errno));
		}
		if (i & 1) {
			ASSERT_TRUE(atw_echo_works(fd, i, 500));
		} else {
			ASSERT_EQ(5000, atw_download(fd, 5000, 49, &err));
		}
		ASSERT_EQ(0, close(fd));
	}
	ASSERT_EQ(0, atw_sim("clear"));
}

TEST_F(server, numbers_used_again)
{
	unkind(_metadata, self->fd, self->port, "fault id-reuse,rate=1",
	       atw_profile_is("bw20") ? 2 : 20);
}

TEST_F(server, late_autodel)
{
	if (atw_has_sim()) {
		ASSERT_EQ(0, atw_sim("fault id-reuse,rate=1"));
	}
	unkind(_metadata, self->fd, self->port, "fault late-autodel,rate=1,ms=300",
	       atw_profile_is("bw20") ? 2 : 20);
}

/* After one seed is deleted the module resets whoever comes. */
TEST_F(server, stuck_listener)
{
	if (!atw_profile_is("bw20"))
		SKIP(return, "not a fault of this firmware");
	unkind(_metadata, self->fd, self->port, "fault stuck-listener,rate=1", 3);
}

/* Whoever is hit by that fails; never a wrong byte, and the server goes on. */
TEST_F(server, torn)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	bool works = false;
	int i, fd, err;
	int64_t got;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	ASSERT_EQ(0, atw_sim("fault torn,rate=0.05"));
	for (i = 0; i < (atw_profile_is("bw20") ? 2 : 10); i++) {
		fd = atw_client(self->fd, self->port, "source 5000 49");
		if (fd < 0) {
			ASSERT_STREQ("ECONNRESET", atw_errno_name(errno));
			continue;
		}
		got = atw_download(fd, 5000, 49, &err);
		ASSERT_LE(0, got);
		if (got < 5000) {
			ASSERT_STREQ("ECONNRESET", atw_errno_name(err));
		}
		ASSERT_EQ(0, close(fd));
	}
	ASSERT_EQ(0, atw_sim("clear"));
	/* Who came while it lasted may be accepted yet, and fail. */
	while (!works && atw_now_ms() < limit) {
		fd = atw_client(self->fd, self->port, "echo");
		works = fd >= 0 && atw_echo_works(fd, 1, 500);
		close(fd);
	}
	EXPECT_TRUE(works);
}

/* Change a trait of the firmware, and have it forget what was. */
static bool firmware(const char *quirk)
{
	return !atw_sim(quirk) && atw_reset_module(ATW_DEVICE);
}

/* Builds that do not say that somebody came, or say it in another way. */
static void announced(struct __test_metadata *_metadata, int server, int port,
		      const char *quirk)
{
	int i, fd, err;
	char byte;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	ASSERT_TRUE(firmware(quirk));
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(atw_sim_has(1, LONG_MS));
		fd = atw_client(server, port, i & 1 ? "source 9000 60" : "duplex 9000 60");
		ASSERT_LE(0, fd) {
			TH_LOG("round %d: %s", i, atw_errno_name(errno));
		}
		if (!(i & 1)) {
			ASSERT_EQ(0, atw_upload(fd, 9000, 61));
		}
		ASSERT_EQ(9000, atw_download(fd, 9000, 60, &err));
		if (i & 1) {
			EXPECT_EQ(0, recv(fd, &byte, 1, 0));
		}
		ASSERT_EQ(0, close(fd));
	}
	ASSERT_TRUE(firmware("quirk seed-told=1"));
}

TEST_F(server, not_announced)
{
	announced(_metadata, self->fd, self->port, "quirk seed-told=0");
}

TEST_F(server, announced_shortly)
{
	announced(_metadata, self->fd, self->port, "quirk seed-told=2");
}

/*
 * Numbers beyond a byte, which some firmware cannot send to: it works in the end,
 * and what does not work fails.
 */
TEST_F(server, high_numbers)
{
	long bringups = atw_stat(ATW_DEVICE, "bringups");
	/* Five seconds for each who is lost. */
	uint64_t limit = atw_now_ms() + 2 * LONG_MS;
	int good = 0, failed = 0;
	struct pollfd p;
	int fd;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	ASSERT_EQ(0, atw_sim("next-id 254"));
	while (good < 6) {
		ASSERT_LT(atw_now_ms(), limit);
		if (atw_dial(self->port, "echo"))
			continue;	/* it is being restarted */
		p = (struct pollfd) { .fd = self->fd, .events = POLLIN };
		/* Who comes to a module that is being restarted is lost. */
		fd = poll(&p, 1, atw_of_open_sdk() ? 5000 : LONG_MS) == 1 ?
		     atw_accept(self->fd) : -1;
		if (fd >= 0 && atw_echo_works(fd, good, 300)) {
			good++;
		} else {
			failed++;
		}
		if (fd >= 0)
			close(fd);
	}
	if (atw_of_open_sdk()) {
		EXPECT_LT(bringups, atw_stat(ATW_DEVICE, "bringups"));
	} else {
		EXPECT_EQ(0, failed);
		EXPECT_EQ(bringups, atw_stat(ATW_DEVICE, "bringups"));
	}
	ASSERT_TRUE(firmware("next-id 1"));
}

/* Nor do others of such numbers pay for one that cannot be sent to. */
TEST_F(server, high_number_unanswered)
{
	long bringups = atw_stat(ATW_DEVICE, "bringups");
	char buf[1000] = "";
	int lost, fd[3], i;

	if (!atw_has_sim() || atw_of_open_sdk())
		SKIP(return, "known to be narrow");
	ASSERT_EQ(0, atw_sim("next-id 257"));
	lost = atw_client(self->fd, self->port, "echo");
	ASSERT_LE(0, lost);
	for (i = 0; i < 2; i++) {
		fd[i] = atw_client(self->fd, self->port, "echo");
		ASSERT_LE(0, fd[i]);
	}
	ASSERT_EQ(0, atw_sim("fault silent-send,rate=1,times=1"));
	ASSERT_EQ((ssize_t)sizeof(buf), send(lost, buf, sizeof(buf), MSG_NOSIGNAL));
	ASSERT_ERRNO(ECONNRESET, recv(lost, buf, 1, 0));
	ASSERT_EQ(0, atw_sim("clear"));
	close(lost);
	for (i = 0; i < 3; i++) {
		if (i == 2) {
			fd[i] = atw_client(self->fd, self->port, "echo");
			ASSERT_LE(0, fd[i]);
		}
		EXPECT_TRUE(atw_echo_works(fd[i], i, 300));
		EXPECT_EQ(0, close(fd[i]));
	}
	EXPECT_EQ(bringups, atw_stat(ATW_DEVICE, "bringups"));
	ASSERT_TRUE(firmware("next-id 1"));
}

/* Not known to be of that kind: no byte may come to another connection. */
TEST_F(server, narrow_numbers)
{
	int one, two, err;
	char buf[8];

	if (!atw_has_sim() || atw_of_open_sdk())
		SKIP(return, "known to be narrow");
	ASSERT_EQ(0, atw_sim("quirk send-narrow=1"));
	ASSERT_EQ(0, atw_dial(self->port, "echo"));
	one = atw_accept(self->fd);
	ASSERT_LE(0, one);
	ASSERT_TRUE(atw_sim_has(2, LONG_MS));
	ASSERT_EQ(0, atw_sim("next-id 257"));
	ASSERT_EQ(0, atw_dial(self->port, "sink 1000 62"));
	two = atw_accept(self->fd);
	ASSERT_LE(0, two);
	err = atw_upload(two, 1000, 62);
	if (!err)
		err = recv(two, buf, 1, 0);
	EXPECT_EQ(-1, err);
	EXPECT_STREQ("ECONNRESET", atw_errno_name(errno));
	close(two);
	EXPECT_EQ(0, atw_wait(one, POLLIN, 300));
	EXPECT_TRUE(atw_echo_works(one, 1, 200));
	close(one);
	ASSERT_TRUE(firmware("quirk send-narrow=0"));
}

TEST(bind_errors)
{
	struct sockaddr_atw addr = atw_addr("0.0.0.0", 0);
	struct sockaddr *sa = (struct sockaddr *)&addr;
	int fd, other, port, status;
	pid_t pid;

	ASSERT_TRUE(atw_listed_becomes(0, LONG_MS));
	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_ERRNO(EINVAL, bind(fd, sa, ATW_ADDRLEN_MIN - 1));
	ASSERT_ERRNO(EINVAL, bind(fd, sa, sizeof(addr) + 1));
	addr.satw_family = AF_INET;
	ASSERT_ERRNO(EAFNOSUPPORT, bind(fd, sa, sizeof(addr)));
	addr = atw_addr("192.0.2.77", 0);
	ASSERT_ERRNO(EADDRNOTAVAIL, bind(fd, sa, sizeof(addr)));
	addr = atw_name_addr("localhost", 0);
	ASSERT_ERRNO(EINVAL, bind(fd, sa, sizeof(addr)));
	ASSERT_ERRNO(EINVAL, accept(fd, NULL, NULL));

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(2);
		_exit(atw_bind(fd, 1023) != -1 || errno != EACCES);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);

	/* An address as short as may be. */
	addr = atw_addr("0.0.0.0", 0);
	ASSERT_EQ(0, bind(fd, sa, ATW_ADDRLEN_MIN));
	ASSERT_ERRNO(EINVAL, atw_bind(fd, 0));
	port = atw_port(fd);
	ASSERT_LT(0, port);
	other = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, other);
	ASSERT_ERRNO(EADDRINUSE, atw_bind(other, port));
	/* Nor can it be carried to where it is taken. */
	ASSERT_EQ(0, setsockopt(other, SOL_ATWIFI, ATW_BINDTODEVICE, ATW_DEVICE,
				sizeof(ATW_DEVICE)));
	ASSERT_ERRNO(EADDRINUSE, atw_bind(other, port));
	ASSERT_ERRNO(EINVAL, setsockopt(fd, SOL_ATWIFI, ATW_BINDTODEVICE, ATW_DEVICE,
					sizeof(ATW_DEVICE)));
	ASSERT_ERRNO(EINVAL, setsockopt(fd, SOL_ATWIFI, ATW_BINDTODEVICE, "", 0));
	/* The module chooses the port of what connects. */
	ASSERT_ERRNO(EOPNOTSUPP, atw_connect_host(fd, atw_peer_port()));
	ASSERT_EQ(0, close(fd));
	/* It is free then. */
	ASSERT_EQ(0, atw_bind(other, port));
	ASSERT_EQ(0, close(other));
	/* Another kind of socket has ports of its own. */
	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_bind(fd, port));
	other = atw_server(SOCK_DGRAM, 0, &port);
	ASSERT_LE(0, other);
	close(other);
	close(fd);
}

#define PORT_MIN	49152
#define PORTS		(65536 - PORT_MIN)

/*
 * A nobody takes each port that there is to choose from, and asks for another one: that
 * is refused, and costs nobody anything. Returns the line that has failed, 0: none.
 */
static int take_all_ports(void)
{
	struct rlimit files = { PORTS + 100, PORTS + 100 };
	static int fd[PORTS];
	int i, port, other;

	if (setrlimit(RLIMIT_NOFILE, &files) || setresgid(65534, 65534, 65534) ||
	    setresuid(65534, 65534, 65534))
		return __LINE__;
	for (i = 0; i < PORTS; i++) {
		fd[i] = atw_socket(SOCK_STREAM);
		if (fd[i] < 0 || atw_bind(fd[i], PORT_MIN + i))
			return __LINE__;
	}
	other = atw_socket(SOCK_STREAM);
	if (other < 0 || !atw_bind(other, 0) || errno != EADDRINUSE)
		return __LINE__;
	if (listen(other, 1) != -1 || errno != EADDRINUSE)
		return __LINE__;
	/* Others are not meant by that. */
	if (atw_bind(other, 8080) || atw_port(other) != 8080)
		return __LINE__;
	port = atw_port(fd[PORTS / 3]);
	if (close(fd[PORTS / 3]) || close(other))
		return __LINE__;
	other = atw_socket(SOCK_STREAM);
	if (other < 0 || atw_bind(other, 0) || atw_port(other) != port)
		return __LINE__;
	return 0;
}

TEST(all_ports)
{
	int status;
	pid_t pid;

	/* The module has no part in it, and there are many sockets: once is enough. */
	if (!atw_profile_is("middleware")) {
		SKIP(return, "the same with each family of firmware");
	}
	ASSERT_TRUE(atw_listed_becomes(0, LONG_MS));
	ASSERT_EQ(0, atw_write(ATW_GROUPS, "65534 65534"));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		status = take_all_ports();
		if (status)
			fprintf(stderr, "# line %d: %s\n", status, atw_errno_name(errno));
		_exit(!!status);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, atw_write(ATW_GROUPS, "1 0"));
	ASSERT_EQ(0, status);
	ASSERT_TRUE(atw_listed_becomes(0, LONG_MS));
}

/* The module says that the port is taken. */
TEST(port_taken)
{
	int fd = atw_socket(SOCK_STREAM);

	ASSERT_LE(0, fd);
	/* The emulated module's ports are this machine's. */
	ASSERT_EQ(0, atw_bind(fd, atw_peer_port()));
	ASSERT_ERRNO(EADDRINUSE, listen(fd, 1));
	ASSERT_EQ(0, close(fd));
}

/* The module connects, and does nothing else until that ends. Returns the socket. */
static int keep_busy(struct __test_metadata *_metadata)
{
	int fd;

	ASSERT_TRUE(atw_emptied());
	fd = atw_hold_module();
	ASSERT_LE(0, fd);
	return fd;
}

/* One of that kind that nobody else on the emulator's machine has: what is chosen may be taken. */
static int own_port(int type)
{
	int port, fd = atw_server(type, 1, &port);

	if (fd < 0)
		return -1;
	close(fd);
	return port;
}

/*
 * A socket that must not block does not wait for a module that is busy, and can be used
 * as if it served: what cannot be done is told later.
 */
TEST(listen_nonblocking)
{
	int busy, fd, dgram, taken, own, own_dgram;
	char byte;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	own = own_port(SOCK_STREAM);
	ASSERT_LT(0, own);
	own_dgram = own_port(SOCK_DGRAM);
	ASSERT_LT(0, own_dgram);
	busy = keep_busy(_metadata);
	fd = atw_socket(SOCK_STREAM | SOCK_NONBLOCK);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_bind(fd, own));
	ASSERT_EQ(0, listen(fd, 1));
	ASSERT_EQ(0, listen(fd, 2));
	ASSERT_ERRNO(EAGAIN, accept(fd, NULL, NULL));
	EXPECT_EQ(0, atw_wait(fd, POLLIN | POLLOUT, 0));
	taken = atw_socket(SOCK_STREAM | SOCK_NONBLOCK);
	ASSERT_LE(0, taken);
	ASSERT_EQ(0, atw_bind(taken, atw_peer_port()));
	ASSERT_EQ(0, listen(taken, 1));
	dgram = atw_socket(SOCK_DGRAM | SOCK_NONBLOCK);
	ASSERT_LE(0, dgram);
	ASSERT_EQ(0, atw_bind(dgram, own_dgram));
	ASSERT_ERRNO(EAGAIN, recv(dgram, &byte, 1, 0));
	ASSERT_ERRNO(EALREADY, atw_connect_hole(busy));
	ASSERT_EQ(0, atw_hold(HOLD_ENDS));
	ASSERT_EQ(0, atw_hold(HOLD_USUAL));

	EXPECT_NE(0, POLLERR & atw_wait(taken, POLLIN, LONG_MS));
	ASSERT_ERRNO(EADDRINUSE, accept(taken, NULL, NULL));
	ASSERT_ERRNO(EINVAL, accept(taken, NULL, NULL));
	/* It is tried again. */
	ASSERT_EQ(0, listen(taken, 1));
	EXPECT_NE(0, POLLERR & atw_wait(taken, POLLIN, LONG_MS));
	close(taken);
	close(busy);
	ASSERT_TRUE(atw_sim_has(2, LONG_MS));
	ASSERT_EQ(0, atw_dial(atw_port(fd), "echo"));
	ASSERT_EQ(POLLIN, atw_wait(fd, POLLIN, LONG_MS));
	ASSERT_LE(0, accept(fd, NULL, NULL));
}

static void *listener_thread(void *arg)
{
	struct waiter *w = arg;

	w->tid = gettid();
	w->got = listen(w->fd, 1);
	w->err = errno;
	return NULL;
}

/* Two wait until the module serves: a signal for one of them is none for the other. */
TEST(listen_interrupted)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	/* Again and again: the first may come before the call. */
	struct itimerval it = { { 0, 100000 }, { 0, 100000 } };
	struct waiter w = { 0 };
	pthread_t thread;
	sigset_t set;
	int busy, own;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	own = own_port(SOCK_STREAM);
	ASSERT_LT(0, own);
	busy = keep_busy(_metadata);
	w.fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, w.fd);
	ASSERT_EQ(0, atw_bind(w.fd, own));

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	ASSERT_EQ(0, pthread_sigmask(SIG_BLOCK, &set, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, listener_thread, &w));
	ASSERT_EQ(0, pthread_sigmask(SIG_UNBLOCK, &set, NULL));
	while (!w.tid)
		atw_pause_ms(1);
	ASSERT_TRUE(atw_sleeps(w.tid));
	ASSERT_EQ(0, sigaction(SIGALRM, &sa, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &it, NULL));
	ASSERT_ERRNO(EINTR, listen(w.fd, 1));
	memset(&it, 0, sizeof(it));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &it, NULL));
	EXPECT_TRUE(atw_sleeps(w.tid));

	ASSERT_EQ(0, atw_hold(HOLD_ENDS));
	ASSERT_EQ(0, atw_hold(HOLD_USUAL));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(0, w.got);
	ASSERT_EQ(0, listen(w.fd, 1));
	close(busy);
	ASSERT_LE(0, atw_client(w.fd, atw_port(w.fd), "echo"));
}

/* A port of datagrams is given back at a signal, also where the call would begin anew by itself. */
TEST(bind_interrupted)
{
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct itimerval it = { { 0, 100000 }, { 0, 100000 } };
	int busy, fd, own;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	own = own_port(SOCK_DGRAM);
	ASSERT_LT(0, own);
	busy = keep_busy(_metadata);
	fd = atw_socket(SOCK_DGRAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, sigaction(SIGALRM, &sa, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &it, NULL));
	ASSERT_ERRNO(EINTR, atw_bind(fd, own));
	memset(&it, 0, sizeof(it));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &it, NULL));
	EXPECT_EQ(0, atw_port(fd));
	ASSERT_EQ(0, atw_hold(HOLD_ENDS));
	ASSERT_EQ(0, atw_hold(HOLD_USUAL));
	EXPECT_EQ(0, atw_bind(fd, own));
	close(busy);
	close(fd);
}

/* Of those that wait until the module serves each learns why it does not. */
TEST(listen_fails_for_all)
{
	struct waiter w[3] = { 0 };
	pthread_t thread[3];
	int busy, fd, i;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	busy = keep_busy(_metadata);
	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_bind(fd, atw_peer_port()));
	for (i = 0; i < 3; i++) {
		w[i].fd = fd;
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, listener_thread, &w[i]));
		while (!w[i].tid)
			atw_pause_ms(1);
		ASSERT_TRUE(atw_sleeps(w[i].tid));
	}
	ASSERT_EQ(0, atw_hold(HOLD_ENDS));
	ASSERT_EQ(0, atw_hold(HOLD_USUAL));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
		EXPECT_EQ(-1, w[i].got);
		EXPECT_EQ(EADDRINUSE, w[i].err) {
			TH_LOG("%s", atw_errno_name(w[i].err));
		}
	}
	close(busy);
}

/*
 * The port that listen() has chosen goes with the server that could not be opened, after
 * a signal too; that of bind() stays.
 */
TEST(listen_chooses_anew)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval it = { { 0, 100000 }, { 0, 100000 } };
	int busy, fd[2], port[2], i, own;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	own = own_port(SOCK_STREAM);
	ASSERT_LT(0, own);
	busy = keep_busy(_metadata);
	ASSERT_EQ(0, sigaction(SIGALRM, &sa, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &it, NULL));
	for (i = 0; i < 2; i++) {
		fd[i] = atw_socket(SOCK_STREAM);
		ASSERT_LE(0, fd[i]);
		if (i)
			ASSERT_EQ(0, atw_bind(fd[i], own));
		ASSERT_ERRNO(EINTR, listen(fd[i], 1));
		port[i] = atw_port(fd[i]);
		ASSERT_LT(0, port[i]);
	}
	memset(&it, 0, sizeof(it));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &it, NULL));
	ASSERT_EQ(0, atw_sim("link down"));
	for (i = 0; i < 2; i++)
		EXPECT_NE(0, POLLERR & atw_wait(fd[i], POLLIN, LONG_MS));
	ASSERT_EQ(0, atw_hold(HOLD_ENDS));
	ASSERT_EQ(0, atw_hold(HOLD_USUAL));
	close(busy);
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "down", LONG_MS));
	ASSERT_EQ(0, atw_sim("link up"));
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, listen(fd[i], 1)) {
			TH_LOG("socket %d: %s", i, atw_errno_name(errno));
		}
	}
	EXPECT_NE(port[0], atw_port(fd[0]));
	EXPECT_EQ(port[1], atw_port(fd[1]));
	for (i = 0; i < 2; i++)
		ASSERT_LE(0, atw_client(fd[i], atw_port(fd[i]), "echo"));
}

TEST(listen_without_bind)
{
	int fd = atw_socket(SOCK_STREAM);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, listen(fd, 1));
	ASSERT_LE(0, atw_client(fd, atw_port(fd), "echo"));
}

/*
 * A port that nobody has asked for, nor was told, and that the module has: another one is
 * tried, but not for ever.
 */
TEST(listen_passes_over)
{
	static const struct {
		const char *fault;
		int err, taken;
	} cases[] = { { "fault port-taken,times=3", 0, 3 }, { "fault port-taken", EADDRINUSE, 8 } };
	unsigned int i;
	int fd, err, own;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	own = own_port(SOCK_STREAM);
	ASSERT_LT(0, own);
	for (i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		fd = atw_socket(i & 1 ? SOCK_DGRAM : SOCK_STREAM);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, atw_sim(cases[i / 2].fault));
		err = (i & 1 ? atw_bind(fd, 0) : listen(fd, 1)) ? errno : 0;
		EXPECT_EQ(cases[i / 2].err, err);
		EXPECT_EQ(cases[i / 2].taken, atw_sim_stat("port-taken"));
		EXPECT_EQ(!err, atw_port(fd) > 0);
		EXPECT_EQ(0, close(fd));
	}
	/* The port of bind() was told. */
	ASSERT_EQ(0, atw_sim("fault port-taken,times=1"));
	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_bind(fd, own));
	ASSERT_ERRNO(EADDRINUSE, listen(fd, 1));
	EXPECT_EQ(0, listen(fd, 1));
	close(fd);
	EXPECT_EQ(0, atw_sim("clear"));
}

TEST(dgram_cannot_listen)
{
	int fd = atw_socket(SOCK_DGRAM);

	ASSERT_LE(0, fd);
	ASSERT_ERRNO(EOPNOTSUPP, listen(fd, 1));
	ASSERT_ERRNO(EOPNOTSUPP, accept(fd, NULL, NULL));
}

/* Datagrams for a server come from anybody. */
TEST(dgram_server)
{
	struct sockaddr_atw addr;
	socklen_t len = sizeof(addr);
	int fd, port, ask, second;
	char buf[2048], line[64];

	ASSERT_TRUE(atw_listed_becomes(0, LONG_MS));
	fd = atw_server(SOCK_DGRAM, 0, &port);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_timeouts(fd, LONG_MS));
	/* To whom? */
	ASSERT_ERRNO(EDESTADDRREQ, send(fd, "x", 1, 0));
	addr = atw_addr(atw_env("ATW_HOST", "192.0.2.1"), atw_peer_port());
	ASSERT_ERRNO(EDESTADDRREQ, sendto(fd, "x", 1, 0, (struct sockaddr *)&addr, len));
	ASSERT_ERRNO(EISCONN, atw_connect(fd, &addr));

	ask = atw_peer("ask %d 1 600 50 %d", port, LONG_MS);
	ASSERT_LE(0, ask);
	memset(&addr, 0x5a, sizeof(addr));
	ASSERT_EQ(600, recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&addr, &len));
	EXPECT_EQ(-1, pattern_check(buf, 600, 50, 0));
	EXPECT_EQ(sizeof(addr), len);
	EXPECT_EQ(atw_family(), addr.satw_family);
	EXPECT_EQ(0, addr.satw_port);
	EXPECT_EQ(0, addr.satw_addr);
	/* As an ordinary server answers. */
	ASSERT_EQ(600, sendto(fd, buf, 600, 0, (struct sockaddr *)&addr, len));
	ASSERT_LT(0, atw_recv_line(ask, line, sizeof(line)));
	EXPECT_STREQ("got 600", line);
	close(ask);

	/* Another peer is heard, but not answered. */
	second = atw_peer("ask %d 2 100 51 1000", port);
	ASSERT_LE(0, second);
	ASSERT_EQ(100, recv(fd, buf, sizeof(buf), 0));
	EXPECT_EQ(-1, pattern_check(buf, 100, 51, 0));
	ASSERT_EQ(100, recv(fd, buf, sizeof(buf), 0));
	EXPECT_EQ(-1, pattern_check(buf, 100, 52, 0));
	ASSERT_EQ(100, send(fd, buf, 100, 0));
	addr = atw_addr(atw_env("ATW_HOST", "192.0.2.1"), atw_peer_port());
	ASSERT_ERRNO(EISCONN, sendto(fd, "x", 1, 0, (struct sockaddr *)&addr, len));
	ASSERT_LT(0, atw_recv_line(second, line, sizeof(line)));
	EXPECT_STREQ("got 0", line);
	close(second);

	/* There is nothing to be undone: it goes on to serve. */
	ASSERT_EQ(0, atw_disconnect(fd));
	EXPECT_EQ(port, atw_port(fd));
	ask = atw_peer("ask %d 1 100 54 1000", port);
	ASSERT_LE(0, ask);
	ASSERT_EQ(100, recv(fd, buf, sizeof(buf), 0));
	EXPECT_EQ(-1, pattern_check(buf, 100, 54, 0));
	close(ask);
	ASSERT_EQ(0, close(fd));
}

TEST(dgram_server_reset)
{
	int fd, port, ask;
	char buf[200], line[64];

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	ASSERT_TRUE(atw_listed_becomes(0, LONG_MS));
	fd = atw_server(SOCK_DGRAM, 0, &port);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_timeouts(fd, LONG_MS));
	ask = atw_peer("ask %d 1 100 52 1", port);
	ASSERT_LE(0, ask);
	ASSERT_EQ(100, recv(fd, buf, sizeof(buf), 0));
	close(ask);
	ASSERT_TRUE(atw_reset_module(ATW_DEVICE));
	ASSERT_TRUE(atw_sim_has(1, LONG_MS));

	/* Whom the module has heard since is not who is answered, unless the program has, too. */
	ask = atw_peer("ask %d 2 100 53 %d", port, LONG_MS);
	ASSERT_LE(0, ask);
	ASSERT_EQ(POLLIN, POLLIN & atw_wait(fd, POLLIN, LONG_MS));
	ASSERT_ERRNO(EDESTADDRREQ, send(fd, buf, 100, 0));
	ASSERT_ERRNO(EFAULT, recv(fd, (void *)8, 100, 0));
	ASSERT_ERRNO(EDESTADDRREQ, send(fd, buf, 100, 0));
	ASSERT_EQ(100, recv(fd, buf, sizeof(buf), 0));
	EXPECT_EQ(-1, pattern_check(buf, 100, 54, 0));
	ASSERT_EQ(100, send(fd, buf, 100, 0));
	ASSERT_LT(0, atw_recv_line(ask, line, sizeof(line)));
	EXPECT_STREQ("got 100", line);
}

TEST(listing)
{
	char *text;
	int fd, port;
	char want[64], reply[2048];

	ASSERT_TRUE(atw_listed_becomes(0, LONG_MS));
	fd = atw_server(SOCK_STREAM, 1, &port);
	ASSERT_LE(0, fd);
	text = atw_slurp(ATW_PROC);
	ASSERT_NE(NULL, text);
	snprintf(want, sizeof(want), " * %19d ", port);
	EXPECT_NE(NULL, strstr(text, " listen "));
	EXPECT_NE(NULL, strstr(text, want)) {
		TH_LOG("%s", text);
	}
	free(text);
	if (atw_has_sim()) {
		EXPECT_EQ(0, sim_sockets(reply, sizeof(reply)));
	}
}

/* With which sockets the kernel asks its security modules. */
static const char hooks[] =
	"p:atwifi/alloc security_sk_alloc sk=$arg1\n"
	"p:atwifi/clone security_sk_clone of=$arg1 sk=$arg2\n"
	"p:atwifi/graft security_sock_graft sk=$arg1\n";
static const char no_hooks[] = "-:atwifi/alloc\n-:atwifi/clone\n-:atwifi/graft\n";

FIXTURE(hooked)
{
};

FIXTURE_SETUP(hooked)
{
	if (!atw_trace_begin() || atw_write(ATW_TRACING "kprobe_events", hooks)) {
		atw_trace_end();
		SKIP(return, "a kernel without kprobes or security modules");
	}
}

FIXTURE_TEARDOWN(hooked)
{
	atw_trace_end();
	EXPECT_EQ(0, atw_write(ATW_TRACING "kprobe_events", no_hooks));
}

/* The last value of that argument of this hook, 0: it was not asked. */
static unsigned long last_asked(const char *hook, const char *argument)
{
	char *trace = atw_slurp(ATW_TRACE "trace"), *rest = trace, *line, *at;
	unsigned long value = 0;

	while ((line = strsep(&rest, "\n"))) {
		at = strstr(line, hook) ? strstr(line, argument) : NULL;
		if (at)
			value = strtoul(at + strlen(argument), NULL, 16);
	}
	free(trace);
	return value;
}

/* What is accepted has the label of its server, and is known to be this program's. */
TEST_F(hooked, security_label)
{
	unsigned long server, child;
	int fd, port, client;
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	ASSERT_EQ(0, atw_write(ATW_TRACE "set_event_pid", pid));
	ASSERT_EQ(0, atw_write(ATW_TRACE "events/atwifi/enable", "1"));
	fd = atw_server(SOCK_STREAM, 1, &port);
	ASSERT_LE(0, fd);
	server = last_asked(" alloc: ", " sk=");
	ASSERT_NE(0, server);
	client = atw_client(fd, port, "echo");
	ASSERT_LE(0, client);
	child = last_asked(" alloc: ", " sk=");
	EXPECT_NE(server, child);
	EXPECT_EQ(server, last_asked(" clone: ", " of="));
	EXPECT_EQ(child, last_asked(" clone: ", " sk="));
	EXPECT_EQ(child, last_asked(" graft: ", " sk="));
	EXPECT_TRUE(atw_echo_works(client, 1, 100));
}

TEST_HARNESS_MAIN
