// SPDX-License-Identifier: GPL-2.0-only
/*
 * What must be refused, and by which errno.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/capability.h>
#include <linux/sockios.h>

#include "kselftest_harness.h"
#include "util.h"

/* tcpmux: nobody has listened there for decades. */
#define CLOSED_PORT	1

/* Its number is the one that the driver was loaded with, and no other. */
TEST(family)
{
	int want = atoi(atw_env("ATW_PARAM_FAMILY", "0")) ?: AF_ATWIFI;
	int domain = -1, fd = socket(want, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(domain);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len));
	EXPECT_EQ(want, domain);
	EXPECT_EQ(want, atw_family());
	if (want != AF_ATWIFI)
		ASSERT_ERRNO(EAFNOSUPPORT, socket(AF_ATWIFI, SOCK_STREAM, 0));
}

TEST(socket_types)
{
	int family = atw_family();
	int fd;

	ASSERT_ERRNO(ESOCKTNOSUPPORT, socket(family, SOCK_RAW, 0));
	ASSERT_ERRNO(ESOCKTNOSUPPORT, socket(family, SOCK_SEQPACKET, 0));
	ASSERT_ERRNO(EPROTONOSUPPORT, socket(family, SOCK_STREAM, 77));
	ASSERT_ERRNO(EPROTONOSUPPORT, socket(family, SOCK_DGRAM, 1));
	fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, ATWPROTO_TCP);
	ASSERT_LE(0, fd);
	EXPECT_EQ(O_NONBLOCK, fcntl(fd, F_GETFL) & O_NONBLOCK);
}

TEST(bad_addresses)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
	struct sockaddr_atw good = atw_addr(atw_env("ATW_HOST", "192.0.2.1"), atw_peer_port());
	struct {
		struct sockaddr_atw atw;
		char more[64];
	} addr;
	size_t i;
	int fd, len;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		fd = atw_socket(types[i]);
		ASSERT_LE(0, fd);
		memset(&addr, 0, sizeof(addr));
		addr.atw = good;
		for (len = 0; len < ATW_ADDRLEN_MIN; len++) {
			ASSERT_ERRNO(EINVAL, connect(fd, (struct sockaddr *)&addr, len));
		}
		ASSERT_ERRNO(EINVAL, connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
		addr.atw.satw_family = AF_INET;
		ASSERT_ERRNO(EAFNOSUPPORT,
			     connect(fd, (struct sockaddr *)&addr, sizeof(addr.atw)));
		addr.atw = good;
		addr.atw.satw_port = 0;
		ASSERT_ERRNO(EINVAL, connect(fd, (struct sockaddr *)&addr, sizeof(addr.atw)));
		addr.atw = good;
		addr.atw.satw_addr = 0;
		ASSERT_ERRNO(EINVAL, connect(fd, (struct sockaddr *)&addr, sizeof(addr.atw)));
		ASSERT_ERRNO(EFAULT, connect(fd, (struct sockaddr *)8, sizeof(addr.atw)));
		/* It is none the worse for it. */
		ASSERT_EQ(0, atw_connect(fd, &good));
		close(fd);
	}
}

TEST(not_connected)
{
	int fd = atw_socket(SOCK_STREAM);
	int n = -1;
	char byte;

	ASSERT_LE(0, fd);
	ASSERT_ERRNO(ENOTCONN, send(fd, "x", 1, MSG_NOSIGNAL));
	ASSERT_ERRNO(ENOTCONN, recv(fd, &byte, 1, 0));
	ASSERT_ERRNO(ENOTCONN, recv(fd, &byte, 1, MSG_DONTWAIT));
	ASSERT_ERRNO(ENOTCONN, shutdown(fd, SHUT_RDWR));
	ASSERT_ERRNO(EINVAL, shutdown(fd, 7));
	EXPECT_NE(0, POLLHUP & atw_wait(fd, POLLIN, 0));
	ASSERT_EQ(0, ioctl(fd, SIOCINQ, &n));
	EXPECT_EQ(0, n);
	ASSERT_EQ(0, ioctl(fd, SIOCOUTQ, &n));
	EXPECT_EQ(0, n);
	ASSERT_ERRNO(ENOTTY, ioctl(fd, TIOCGWINSZ, &n));
	ASSERT_ERRNO(EFAULT, ioctl(fd, SIOCINQ, 8));
}

/* What this family does not have: pairs, urgent data. */
TEST(not_supported)
{
	int fd = atw_socket(SOCK_STREAM), sv[2];

	ASSERT_LE(0, fd);
	ASSERT_ERRNO(EINVAL, accept(fd, NULL, NULL));
	ASSERT_ERRNO(EOPNOTSUPP, socketpair(atw_family(), SOCK_STREAM, 0, sv));
	ASSERT_EQ(0, atw_peer_on(fd, "echo"));
	ASSERT_ERRNO(EOPNOTSUPP, send(fd, "x", 1, MSG_OOB));
	ASSERT_ERRNO(EOPNOTSUPP, recv(fd, sv, 1, MSG_OOB));
	EXPECT_TRUE(atw_echo_works(fd, 1, 64));
}

TEST(refused)
{
	int fd = atw_socket(SOCK_STREAM);
	int i, code = 0;
	socklen_t len = sizeof(code);

	ASSERT_LE(0, fd);
	for (i = 0; i < 3; i++) {
		ASSERT_ERRNO(ECONNREFUSED, atw_connect_host(fd, CLOSED_PORT));
	}
	ASSERT_EQ(0, getsockopt(fd, SOL_ATWIFI, ATW_MODULE_ERROR, &code, &len));
	EXPECT_EQ(97, code);
	/* The same socket connects where somebody listens. */
	ASSERT_EQ(0, atw_peer_on(fd, "echo"));
	EXPECT_TRUE(atw_echo_works(fd, 1, 64));
	ASSERT_EQ(0, getsockopt(fd, SOL_ATWIFI, ATW_MODULE_ERROR, &code, &len));
	EXPECT_EQ(0, code);
}

FIXTURE(bare)
{
};

FIXTURE_SETUP(bare)
{
	if (!atw_has_sim())
		SKIP(return, "not the emulator");
	ASSERT_EQ(0, atw_sim("quirk error-bare=1"));
}

FIXTURE_TEARDOWN(bare)
{
	EXPECT_EQ(0, atw_sim("sound"));
}

/* Some firmware gives no reason: the remote is one, unless there is no socket left. */
TEST_F(bare, refused)
{
	int fd[32], code = 0, err = 0;
	socklen_t len = sizeof(code);
	size_t n;

	fd[0] = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd[0]);
	ASSERT_ERRNO(ECONNREFUSED, atw_connect_host(fd[0], CLOSED_PORT));
	ASSERT_EQ(0, getsockopt(fd[0], SOL_ATWIFI, ATW_MODULE_ERROR, &code, &len));
	EXPECT_EQ(0, code);
	close(fd[0]);
	for (n = 0; n < ARRAY_SIZE(fd) && !err; n++) {
		fd[n] = atw_socket(SOCK_STREAM);
		ASSERT_LE(0, fd[n]);
		if (atw_connect_host(fd[n], atw_peer_port()))
			err = errno;
	}
	while (n)
		close(fd[--n]);
	EXPECT_STREQ("ENOBUFS", atw_errno_name(err));
}

TEST(refused_nonblocking)
{
	int fd = atw_socket(SOCK_STREAM | SOCK_NONBLOCK);
	int err = 0, events;
	socklen_t len = sizeof(err);

	ASSERT_LE(0, fd);
	ASSERT_ERRNO(EINPROGRESS, atw_connect_host(fd, CLOSED_PORT));
	events = atw_wait(fd, POLLIN | POLLOUT, LONG_MS);
	EXPECT_NE(0, events & POLLERR);
	EXPECT_NE(0, events & POLLOUT);
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len));
	ASSERT_STREQ("ECONNREFUSED", atw_errno_name(err));
	/* Told once. */
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len));
	ASSERT_EQ(0, err);
	ASSERT_ERRNO(ENOTCONN, send(fd, "x", 1, MSG_NOSIGNAL));
	ASSERT_ERRNO(ENOTCONN, recv(fd, &err, 1, 0));
	ASSERT_ERRNO(ENOTCONN, shutdown(fd, SHUT_RDWR));
	/* The next may be another one. */
	err = 30;
	ASSERT_EQ(0, setsockopt(fd, SOL_ATWIFI, ATW_KEEPINTVL, &err, sizeof(err)));
	ASSERT_EQ(0, setsockopt(fd, SOL_ATWIFI, ATW_BINDTODEVICE, ATW_DEVICE, 5));
	ASSERT_ERRNO(EINPROGRESS, atw_connect_host(fd, atw_peer_port()));
	ASSERT_ERRNO(EISCONN, setsockopt(fd, SOL_ATWIFI, ATW_BINDTODEVICE, "", 0));
	EXPECT_EQ(POLLOUT, atw_wait(fd, POLLIN | POLLOUT, LONG_MS));
}

/* The errno of the bind of another socket. */
static int bind_fails(int port)
{
	int fd = atw_socket(SOCK_STREAM), err;

	err = fd < 0 || atw_bind(fd, port) ? errno : 0;
	close(fd);
	return err;
}

/* Devices belong to the first network namespace: elsewhere there is none. Ports do not meet. */
TEST(other_netns)
{
	int fd, bound;
	char *list;

	ASSERT_LE(0, atw_peer("echo"));
	list = atw_slurp("/proc/self/net/atwifi");
	ASSERT_NE(NULL, list);
	EXPECT_NE(NULL, strstr(list, ATW_DEVICE));
	free(list);
	bound = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, bound);
	ASSERT_EQ(0, atw_bind(bound, 28090));
	ASSERT_EQ(EADDRINUSE, bind_fails(28090));
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	EXPECT_EQ(0, bind_fails(28090));
	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_ERRNO(ENODEV, atw_connect_host(fd, atw_peer_port()));
	ASSERT_ERRNO(ENODEV, setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ATW_DEVICE, 5));
	close(fd);
	fd = atw_socket(SOCK_DGRAM);
	ASSERT_LE(0, fd);
	ASSERT_ERRNO(ENODEV, atw_connect_host(fd, atw_peer_port()));
	list = atw_slurp("/proc/self/net/atwifi");
	ASSERT_NE(NULL, list);
	EXPECT_EQ(NULL, strstr(list, ATW_DEVICE));
	free(list);
	close(bound);
}

#define PORTS	"/proc/sys/net/ipv4/ip_unprivileged_port_start"
#define NOBODY	65534
/* No port: transparent mode is asked for. */
#define RAW	(-1)

/* The errno of a socket() of nobody's, who is in @group too, and of a bind() or so then. */
static int nobodys(gid_t group, int port)
{
	int status, fd, on = 1;
	pid_t pid = fork();

	if (!pid) {
		if (setgroups(1, &group) || setresgid(NOBODY, NOBODY, NOBODY) ||
		    setresuid(NOBODY, NOBODY, NOBODY))
			_exit(255);
		fd = atw_socket(SOCK_STREAM);
		if (fd < 0 || (port > 0 && atw_bind(fd, port)))
			_exit(errno);
		if (port == RAW && setsockopt(fd, SOL_ATWIFI, ATW_TRANSPARENT, &on, sizeof(on)))
			_exit(errno);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

FIXTURE(allowed) {
};

FIXTURE_SETUP(allowed)
{
	/* Another network namespace, and so another range. */
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
}

FIXTURE_TEARDOWN(allowed)
{
}

/* The kernel's firewall does not see these sockets: they are not for everybody. */
TEST_F(allowed, group)
{
	char *text = atw_slurp(ATW_GROUPS);

	ASSERT_NE(NULL, text);
	EXPECT_STREQ("1\t0\n", text);
	free(text);
	EXPECT_EQ(EACCES, nobodys(NOBODY, 0));
	/* It has CAP_NET_RAW. */
	EXPECT_LE(0, atw_socket(SOCK_DGRAM));

	ASSERT_EQ(0, atw_write(ATW_GROUPS, "65534 65534"));
	EXPECT_EQ(0, nobodys(1, 0));
	ASSERT_EQ(0, atw_write(ATW_GROUPS, "4711 4720"));
	EXPECT_EQ(EACCES, nobodys(4710, 0));
	EXPECT_EQ(0, nobodys(4711, 0));
	EXPECT_EQ(0, nobodys(4720, 0));
	EXPECT_EQ(EACCES, nobodys(4721, 0));
	ASSERT_EQ(0, atw_write(ATW_GROUPS, "4720 4711"));
	EXPECT_EQ(EACCES, nobodys(4715, 0));
	ASSERT_EQ(0, atw_write(ATW_GROUPS, "0 2147483647"));
	EXPECT_EQ(0, nobodys(NOBODY, 0));
}

/* What is no range is refused, and changes nothing. */
TEST_F(allowed, no_range)
{
	ASSERT_EQ(0, atw_write(ATW_GROUPS, "4711 4711"));
	EXPECT_EQ(EINVAL, atw_write(ATW_GROUPS, "-1 4711"));
	EXPECT_EQ(EINVAL, atw_write(ATW_GROUPS, "0 4294967295"));
	EXPECT_EQ(EINVAL, atw_write(ATW_GROUPS, "all"));
	EXPECT_EQ(0, nobodys(4711, 0));
	EXPECT_EQ(EACCES, nobodys(4712, 0));
}

#define ALL_OF_ITS_OWN	0

/*
 * The errno of a request for the mode by somebody who has this privilege alone, or all in
 * another user namespace, for a socket that is there before.
 */
static int transparent_with(unsigned int privilege)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct cap[2] = { { .effective = 1U << privilege,
						   .permitted = 1U << privilege } };
	int status, fd, on = 1;
	pid_t pid = fork();

	if (!pid) {
		fd = atw_socket(SOCK_STREAM);
		if (fd < 0 || (privilege == ALL_OF_ITS_OWN ? unshare(CLONE_NEWUSER) :
			       syscall(SYS_capset, &head, cap)))
			_exit(255);
		_exit(setsockopt(fd, SOL_ATWIFI, ATW_TRANSPARENT, &on, sizeof(on)) ? errno : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* In the mode a remote may come to see what is not for it: a network's password, too. */
TEST_F(allowed, transparent)
{
	ASSERT_EQ(0, atw_write(ATW_GROUPS, "65534 65534"));
	EXPECT_EQ(EPERM, nobodys(1, RAW));
	EXPECT_EQ(EPERM, transparent_with(CAP_NET_RAW));
	EXPECT_EQ(EPERM, transparent_with(ALL_OF_ITS_OWN));
	EXPECT_EQ(ENOTCONN, transparent_with(CAP_NET_ADMIN));
}

TEST_F(allowed, ports)
{
	ASSERT_EQ(0, atw_write(ATW_GROUPS, "65534 65534"));
	EXPECT_EQ(EACCES, nobodys(1, 1023));
	EXPECT_EQ(0, nobodys(1, 1024));
	ASSERT_EQ(0, atw_write(PORTS, "1000"));
	EXPECT_EQ(EACCES, nobodys(1, 999));
	EXPECT_EQ(0, nobodys(1, 1000));
}

TEST_HARNESS_MAIN
