// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names that the module resolves, and what must never reach it as one.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "kselftest_harness.h"
#include "util.h"

static const char *good_name(void)
{
	return atw_env("ATW_NAME", "peer.test");
}

static int try_name(const char *name)
{
	struct sockaddr_atw addr = atw_name_addr(name, atw_peer_port());
	int fd = atw_socket(SOCK_STREAM);

	if (fd < 0 || atw_connect(fd, &addr))
		return atw_failed(fd);
	return close(fd);
}

TEST(stream_by_name)
{
	struct sockaddr_atw addr = atw_name_addr(good_name(), atw_peer_port()), back;
	socklen_t len = sizeof(back);
	int fd;

	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_timeouts(fd, LONG_MS));
	ASSERT_EQ(0, atw_connect(fd, &addr));
	ASSERT_EQ(0, getpeername(fd, (struct sockaddr *)&back, &len));
	EXPECT_EQ(sizeof(back), len);
	EXPECT_STREQ(good_name(), back.satw_name);
	EXPECT_EQ(addr.satw_port, back.satw_port);
	ASSERT_EQ(5, atw_send_all(fd, "echo\n", 5));
	EXPECT_TRUE(atw_echo_works(fd, 1, 64));
}

TEST(dgram_by_name)
{
	struct sockaddr_atw addr = atw_name_addr(good_name(), atw_peer_port());
	char buf[8] = "";
	int fd;

	fd = atw_socket(SOCK_DGRAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_timeouts(fd, LONG_MS));
	ASSERT_EQ(5, sendto(fd, "hello", 5, 0, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_EQ(5, recv(fd, buf, sizeof(buf), 0));
	ASSERT_STREQ("hello", buf);
}

/* An address in letters is a name as well. */
TEST(numeric_name)
{
	ASSERT_EQ(0, try_name(atw_env("ATW_HOST", "192.0.2.1")));
}

TEST(address_as_long_as_the_name)
{
	struct sockaddr_atw addr = atw_name_addr(good_name(), atw_peer_port());
	socklen_t len = offsetof(struct sockaddr_atw, satw_name) + strlen(good_name());
	int fd;

	/* With its NUL and without. */
	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, connect(fd, (struct sockaddr *)&addr, len + 1));
	close(fd);
	/* What follows in memory is not looked at. */
	memset(addr.satw_name + strlen(good_name()), 'x', 8);
	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, connect(fd, (struct sockaddr *)&addr, len));
	close(fd);
}

TEST(unknown)
{
	int fd, code = 0;
	socklen_t len = sizeof(code);
	struct sockaddr_atw addr = atw_name_addr("no-such-host.invalid", atw_peer_port());

	ASSERT_ERRNO(EHOSTUNREACH, try_name("no-such-host.invalid"));
	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_ERRNO(EHOSTUNREACH, atw_connect(fd, &addr));
	ASSERT_EQ(0, getsockopt(fd, SOL_ATWIFI, ATW_MODULE_ERROR, &code, &len));
	EXPECT_EQ(98, code);
	/* The socket is as before: a better name connects it. */
	ASSERT_EQ(0, atw_peer_on(fd, "echo"));
	EXPECT_TRUE(atw_echo_works(fd, 1, 64));
}

/*
 * Nothing of these may reach the module: each could end the command or start
 * another one. That none did is seen from the emulator's count.
 */
TEST(injection)
{
	static const char *const bad[] = {
		"a\r\nAT+RST\r\n", "a\rb", "a\nb", "\r\n", "a\"b", "\"", "a,b", ",", "a,80,0,1",
		"a\\b", "\\", "a b", " ", "a\tb", "a\x01" "b", "a\x1b" "b", "a\x7f" "b",
		"a\x80" "b", "\xff", "+++", "a;b", "a=b", "a/b", "a?b", "a:b", "a'b", "a%sb",
	};
	long made = 0, boots = 0;
	size_t i;
	int fd;

	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	ASSERT_TRUE(atw_echo_works(fd, 1, 32));
	if (atw_has_sim()) {
		made = atw_sim_stat("sockets-made");
		boots = atw_sim_stat("uptime-boots");
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		errno = 0;
		ASSERT_EQ(-1, try_name(bad[i])) {
			TH_LOG("name %zu is taken", i);
		}
		ASSERT_STREQ("EINVAL", atw_errno_name(errno)) {
			TH_LOG("for name %zu", i);
		}
	}
	if (atw_has_sim()) {
		EXPECT_EQ(made, atw_sim_stat("sockets-made"));
		EXPECT_EQ(boots, atw_sim_stat("uptime-boots"));
	}
	/* Nothing was lost by it. */
	EXPECT_TRUE(atw_echo_works(fd, 2, 200));
	EXPECT_EQ(0, try_name(good_name()));
}

TEST(injection_dgram)
{
	struct sockaddr_atw addr = atw_name_addr("a\r\nAT+RST", atw_peer_port());
	int fd = atw_socket(SOCK_DGRAM);

	ASSERT_LE(0, fd);
	ASSERT_ERRNO(EINVAL, atw_connect(fd, &addr));
	ASSERT_ERRNO(EINVAL, sendto(fd, "x", 1, 0, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_EQ(0, atw_connect_host(fd, atw_peer_port()));
}

TEST(too_long)
{
	struct sockaddr_atw addr = atw_name_addr("", atw_peer_port());
	int fd = atw_socket(SOCK_STREAM);

	ASSERT_LE(0, fd);
	memset(addr.satw_name, 'a', sizeof(addr.satw_name));
	ASSERT_ERRNO(ENAMETOOLONG, atw_connect(fd, &addr));
	/* One byte less is only unknown. */
	memset(addr.satw_name + 60, '.', 1);
	addr.satw_name[sizeof(addr.satw_name) - 1] = '\0';
	ASSERT_ERRNO(EHOSTUNREACH, atw_connect(fd, &addr));
	ASSERT_EQ(0, atw_peer_on(fd, "echo"));
	EXPECT_TRUE(atw_echo_works(fd, 1, 64));
}

TEST_HARNESS_MAIN
