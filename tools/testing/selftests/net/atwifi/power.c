// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine falls asleep and wakes up, by the kernel's own test of that (pm_test):
 * everything but the last step is done, and taken back a second later. Streams end with
 * an error, what lasts is there again, and nothing holds the machine up.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "util.h"

#define LEVEL	"/sys/power/pm_test"
#define DELAY	"/sys/module/suspend/parameters/pm_test_delay"
#define STATE	"/sys/power/state"
#define EXPOSED	28081
#define LOCAL	8081

static bool can_sleep(void)
{
	char *states = atw_slurp(STATE);
	bool can = states && strstr(states, "freeze") && !access(LEVEL, W_OK);

	free(states);
	return can;
}

/* The kernels of the guests are known to do it; UML has no hibernation. */
static bool may_lack(bool hibernation)
{
	const char *guest = atw_env("ATW_GUEST", "");

	return !*guest || (hibernation && strcmp(guest, "board"));
}

/* To sleep as far as LEVEL says, and back: 0, or -1 where something refused. */
static int sleep_as(const char *state, const char *level)
{
	int err;

	if (atw_write(LEVEL, level))
		return -1;
	err = atw_write(STATE, state);
	atw_write(LEVEL, "none");
	errno = err;
	return err ? -1 : 0;
}

__attribute__((format(printf, 1, 2)))
static int sh(const char *fmt, ...)
{
	char command[512];
	va_list ap;
	int n;

	n = snprintf(command, sizeof(command), "A=%s; ", atw_env("ATW_CTL", "atwctl"));
	va_start(ap, fmt);
	vsnprintf(command + n, sizeof(command) - n, fmt, ap);
	va_end(ap);
	return system(command);
}

/* Gives the network device the module's address, until that changes. */
static int configure(void)
{
	return sh("D=/sys/class/atwifi/" ATW_DEVICE "; ip link set " ATW_DEVICE " up && "
		  "ip addr flush dev " ATW_DEVICE " && "
		  "ip addr add $(cat $D/address)/24 dev " ATW_DEVICE " && "
		  "ip route replace default via $(cat $D/gateway) dev " ATW_DEVICE);
}

/* A program behind the exposed port. */
static int inet_listener(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(LOCAL) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) ||
	    bind(fd, (struct sockaddr *)&sin, sizeof(sin)) || listen(fd, 4))
		return -1;
	return fd;
}

/* A connection of a program that knows nothing of modules. */
static int inet_connect(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(atw_peer_port()) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	inet_pton(AF_INET, atw_env("ATW_HOST", ""), &sin.sin_addr);
	if (!atw_timeouts(fd, LONG_MS) && !connect(fd, (struct sockaddr *)&sin, sizeof(sin)) &&
	    send(fd, "echo\n", 5, 0) == 5)
		return fd;
	return atw_failed(fd);
}

/* A port is open again some time after the module has joined. */
static bool dialled(int port)
{
	uint64_t limit = atw_now_ms() + LONG_MS;

	while (atw_dial(port, "echo")) {
		if (atw_now_ms() > limit)
			return false;
		atw_pause_ms(100);
	}
	return true;
}

static bool exposed_answers(int listener)
{
	int fd;

	if (!dialled(EXPOSED))
		return false;
	fd = atw_accept(listener);
	if (fd < 0 || !atw_echo_works(fd, 5, 1000))
		return false;
	close(fd);
	return true;
}

struct acceptor {
	int server;
	int fd;
	int err;
};

static void *accept_thread(void *arg)
{
	struct acceptor *a = arg;

	a->fd = accept(a->server, NULL, NULL);
	a->err = errno;
	return NULL;
}

FIXTURE(power)
{
	char *delay;
};

FIXTURE_SETUP(power)
{
	if (!can_sleep()) {
		ASSERT_TRUE(may_lack(false));
		SKIP(return, "needs CONFIG_PM_SLEEP_DEBUG");
	}
	self->delay = atw_slurp(DELAY);
	/* Where the kernel has no word for that it takes five seconds. */
	if (self->delay) {
		ASSERT_EQ(0, atw_write(DELAY, "1"));
	}
	ASSERT_TRUE(atw_emptied());
}

FIXTURE_TEARDOWN(power)
{
	if (self->delay)
		atw_write(DELAY, self->delay);
	free(self->delay);
}

TEST_F(power, lasts)
{
	struct acceptor a = {};
	int stream, inet, listener, port;
	pthread_t thread;
	char byte, *mode;

	ASSERT_EQ(0, configure());
	ASSERT_EQ(0, atw_write(ATW_RECV_MODE, "passive"));
	a.server = atw_server(SOCK_STREAM, 4, &port);
	ASSERT_LE(0, a.server);
	ASSERT_EQ(0, pthread_create(&thread, NULL, accept_thread, &a));
	listener = inet_listener();
	ASSERT_LE(0, listener);
	ASSERT_EQ(0, sh("$A expose tcp %d:%d", EXPOSED, LOCAL));
	stream = atw_peer("echo");
	ASSERT_LE(0, stream);
	ASSERT_TRUE(atw_echo_works(stream, 1, 1000));
	inet = inet_connect();
	ASSERT_LE(0, inet);
	ASSERT_TRUE(atw_echo_works(inet, 2, 1000));

	ASSERT_EQ(0, sleep_as("freeze", "devices")) {
		TH_LOG("%s", atw_errno_name(errno));
	}
	ASSERT_ERRNO(ECONNRESET, recv(stream, &byte, 1, 0));
	ASSERT_ERRNO(ECONNRESET, recv(inet, &byte, 1, 0));
	close(stream);
	close(inet);

	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
	mode = atw_slurp(ATW_RECV_MODE);
	ASSERT_NE(NULL, mode);
	EXPECT_STREQ("passive\n", mode);
	free(mode);
	stream = atw_peer("echo");
	ASSERT_LE(0, stream);
	EXPECT_TRUE(atw_echo_works(stream, 3, 1000));
	close(stream);
	ASSERT_TRUE(exposed_answers(listener));
	/* Who waits for a client waits still, and nobody else takes it. */
	ASSERT_TRUE(dialled(port));
	pthread_join(thread, NULL);
	ASSERT_LE(0, a.fd) {
		TH_LOG("%s", atw_errno_name(a.err));
	}
	EXPECT_TRUE(atw_echo_works(a.fd, 4, 1000));
	EXPECT_EQ(0, sh("ping -c 1 -W %d %s >/dev/null", LONG_S, atw_env("ATW_HOST", "")));

	EXPECT_EQ(0, sh("$A unexpose tcp %d", EXPOSED));
	EXPECT_EQ(0, atw_write(ATW_RECV_MODE, "active"));
	close(a.fd);
	close(a.server);
	close(listener);
}

/* The module connects, and takes nothing else: programs wait in every way. */
TEST_F(power, waits)
{
	int fd, err, status;
	socklen_t len = sizeof(err);
	pid_t pid;

	ASSERT_EQ(0, atw_hold(HOLD_LONG));
	fd = atw_socket(SOCK_STREAM | SOCK_NONBLOCK);
	ASSERT_LE(0, fd);
	ASSERT_ERRNO(EINPROGRESS, atw_connect_hole(fd));
	ASSERT_EQ(0, sh("until $A sockets | grep -q opening; do sleep 0.1; done"));
	pid = fork();
	if (!pid)
		_exit(atw_write(ATW_RECV_MODE, "passive"));
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, sh("until grep -q ') D' /proc/%d/stat; do sleep 0.1; done", pid));

	ASSERT_EQ(0, sleep_as("freeze", "freezer")) {
		TH_LOG("%s", atw_errno_name(errno));
	}
	ASSERT_LT(0, atw_wait(fd, POLLOUT, LONG_MS));
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len));
	EXPECT_STREQ("ECONNRESET", atw_errno_name(err));
	close(fd);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_STREQ("ENETDOWN", atw_errno_name(WEXITSTATUS(status)));
	ASSERT_EQ(0, atw_hold(HOLD_USUAL));
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
}

/* A module that is dead holds nobody up. */
TEST_F(power, silent)
{
	int fd = atw_peer("echo");
	char byte;

	ASSERT_LE(0, fd);
	ASSERT_TRUE(atw_echo_works(fd, 1, 100));
	ASSERT_EQ(0, atw_sim("silent on"));
	ASSERT_EQ(1, send(fd, "x", 1, 0));
	ASSERT_EQ(0, sleep_as("freeze", "devices")) {
		TH_LOG("%s", atw_errno_name(errno));
	}
	ASSERT_ERRNO(ECONNRESET, recv(fd, &byte, 1, 0));
	close(fd);
	/* And once more, while it is being looked for. */
	ASSERT_EQ(0, sleep_as("freeze", "freezer"));
	ASSERT_EQ(0, atw_sim("silent off"));
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	EXPECT_TRUE(atw_echo_works(fd, 2, 100));
	close(fd);
}

/* On its way to the disk, which it need not have. */
TEST_F(power, hibernates)
{
	int fd = atw_peer("echo");
	char byte, *states;

	ASSERT_LE(0, fd);
	states = atw_slurp(STATE);
	ASSERT_NE(NULL, states);
	if (!strstr(states, "disk")) {
		ASSERT_TRUE(may_lack(true));
		SKIP(return, "needs CONFIG_HIBERNATION");
	}
	ASSERT_EQ(0, sleep_as("disk", "freezer")) {
		TH_LOG("%s", atw_errno_name(errno));
	}
	ASSERT_ERRNO(ECONNRESET, recv(fd, &byte, 1, 0));
	close(fd);
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
}

TEST_HARNESS_MAIN
