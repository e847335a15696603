// SPDX-License-Identifier: GPL-2.0-only
/*
 * TLS that ends in the module: who is verified, and what is stored for it.
 *
 * The tests build on each other: what was stored stays in the module. Their peers
 * are made by tlspeer.py.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/klog.h>
#include <sys/socket.h>

#include "kselftest_harness.h"
#include "pattern.h"
#include "util.h"

#define MODULE_ERR_CONFIG	108
#define MODULE_ERR_VERIFY	109

static char *pem(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", atw_env("ATW_TLS_DIR", ""), name);
	return atw_slurp(path);
}

static int port_of(const char *name)
{
	return atoi(atw_env(name, "0"));
}

static int tls_socket(void)
{
	return socket(atw_family(), SOCK_STREAM | SOCK_CLOEXEC, ATWPROTO_TLS);
}

static int tls_connect(int fd, const char *port)
{
	struct sockaddr_atw addr = atw_name_addr(atw_env("ATW_NAME", "peer.test"), port_of(port));

	atw_timeouts(fd, LONG_MS);
	return atw_connect(fd, &addr);
}

static int module_error(int fd)
{
	socklen_t len = sizeof(int);
	int n = -1;

	getsockopt(fd, SOL_ATWIFI, ATW_MODULE_ERROR, &n, &len);
	return n;
}

static bool no_peers(void)
{
	return !*atw_env("ATW_TLS_DIR", "") || !atw_has_sim();
}

TEST(protocols)
{
	int fd = tls_socket(), n = 1;
	socklen_t len = sizeof(n);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &n, &len));
	EXPECT_EQ(ATWPROTO_TLS, n);
	ASSERT_EQ(0, getsockopt(fd, SOL_ATWIFI, ATW_TLS_UNVERIFIED, &n, &len));
	EXPECT_EQ(0, n);
	close(fd);
	ASSERT_ERRNO(EPROTONOSUPPORT, socket(atw_family(), SOCK_STREAM, 7));
	ASSERT_ERRNO(EPROTONOSUPPORT, socket(atw_family(), SOCK_DGRAM, ATWPROTO_TLS));
	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	n = 1;
	ASSERT_ERRNO(ENOPROTOOPT, setsockopt(fd, SOL_ATWIFI, ATW_TLS_UNVERIFIED, &n, sizeof(n)));
}

/* Nothing to verify by, and nobody said that it need not be: no connection. */
TEST(not_verified)
{
	int fd = tls_socket();
	long made;

	if (no_peers())
		SKIP(return, "no peers that speak TLS, or no emulator");
	ASSERT_LE(0, fd);
	made = atw_sim_stat("sockets-made");
	ASSERT_ERRNO(EKEYREJECTED, tls_connect(fd, "ATW_TLS_GOOD"));
	EXPECT_EQ(0, module_error(fd));
	EXPECT_EQ(made, atw_sim_stat("sockets-made"));
}

TEST(not_verified_as_asked)
{
	int fd = tls_socket(), n = 1;
	socklen_t len = sizeof(n);

	if (no_peers())
		SKIP(return, "no peers that speak TLS, or no emulator");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setsockopt(fd, SOL_ATWIFI, ATW_TLS_UNVERIFIED, &n, sizeof(n)));
	ASSERT_EQ(0, tls_connect(fd, "ATW_TLS_SELF"));
	n = 0;
	ASSERT_EQ(0, getsockopt(fd, SOL_ATWIFI, ATW_TLS_UNVERIFIED, &n, &len));
	EXPECT_EQ(1, n);
	ASSERT_ERRNO(EISCONN, setsockopt(fd, SOL_ATWIFI, ATW_TLS_UNVERIFIED, &n, sizeof(n)));
	ASSERT_EQ(5, atw_send_all(fd, "echo\n", 5));
	EXPECT_TRUE(atw_echo_works(fd, 1, 2000));
}

/* A server has a certificate and a key, or it does not serve. */
TEST(server_without_key)
{
	int fd = tls_socket();

	if (no_peers())
		SKIP(return, "no peers that speak TLS, or no emulator");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_bind(fd, 0));
	ASSERT_ERRNO(EPROTO, listen(fd, 1));
	EXPECT_EQ(MODULE_ERR_CONFIG, module_error(fd));
}

TEST(store_errors)
{
	uint64_t start = atw_now_ms();
	long writes, commands;

	if (no_peers())
		SKIP(return, "no peers that speak TLS, or no emulator");
	writes = atw_sim_stat("cert-writes");
	commands = atw_stat(ATW_DEVICE, "commands");
	EXPECT_NE(0, atw_cert("ca", "good.key"));
	EXPECT_NE(0, atw_cert("cert", "good.key"));
	EXPECT_NE(0, atw_cert("key", "good.pem"));
	EXPECT_EQ(writes, atw_sim_stat("cert-writes"));
	/* Nothing of it went to the module, which may have been asked for its link. */
	EXPECT_GE(commands + atw_link_polls(start), atw_stat(ATW_DEVICE, "commands"));
}

/* What it has is not written again: that wears out its flash. */
TEST(store_ca)
{
	long writes;

	if (no_peers())
		SKIP(return, "no peers that speak TLS, or no emulator");
	writes = atw_sim_stat("cert-writes");
	ASSERT_EQ(0, atw_cert("ca", "self.pem"));
	EXPECT_EQ(writes + 1, atw_sim_stat("cert-writes"));
	ASSERT_EQ(0, atw_cert("ca", "ca.pem"));
	EXPECT_EQ(writes + 2, atw_sim_stat("cert-writes"));
	ASSERT_EQ(0, atw_cert("ca", "ca.pem"));
	EXPECT_EQ(writes + 2, atw_sim_stat("cert-writes"));
}

/* A certificate is looked at first, too; the key is not, ever. */
TEST(store_own)
{
	long writes, commands, least = 100;
	int i;

	if (no_peers())
		SKIP(return, "no peers that speak TLS, or no emulator");
	writes = atw_sim_stat("cert-writes");
	ASSERT_EQ(0, atw_cert("cert", "wrong.pem"));
	EXPECT_EQ(writes + 1, atw_sim_stat("cert-writes"));
	ASSERT_EQ(0, atw_cert("cert", "wrong.pem"));
	EXPECT_EQ(writes + 1, atw_sim_stat("cert-writes"));
	for (i = 1; i <= 6; i++) {
		commands = atw_stat(ATW_DEVICE, "commands");
		ASSERT_EQ(0, atw_cert("key", "wrong.key"));
		EXPECT_EQ(writes + 1 + i, atw_sim_stat("cert-writes"));
		commands = atw_stat(ATW_DEVICE, "commands") - commands;
		if (commands < least)
			least = commands;
	}
	/* Written, and no other command but one for the link now and then. */
	EXPECT_EQ(1, least);
}

/* What was damaged on its way is noticed, and does not stay. */
TEST(store_damaged)
{
	long writes;

	if (no_peers())
		SKIP(return, "no peers that speak TLS, or no emulator");
	ASSERT_EQ(0, atw_cert("cert", "wrong.pem"));
	writes = atw_sim_stat("cert-writes");
	/* Behind the two commands, within the bytes that are stored. */
	ASSERT_EQ(0, atw_sim("fault flip,after=250,dir=in"));
	ASSERT_NE(0, atw_cert("cert", "good.pem"));
	EXPECT_EQ(writes + 1, atw_sim_stat("cert-writes"));
	ASSERT_EQ(0, atw_sim("clear"));
	ASSERT_EQ(0, atw_cert("cert", "good.pem"));
	EXPECT_EQ(writes + 2, atw_sim_stat("cert-writes"));
	/* That key is the other one's. */
	ASSERT_EQ(0, atw_cert("key", "good.key"));
}

TEST(good)
{
	int fd = tls_socket(), err;
	char line[32];

	if (no_peers())
		SKIP(return, "no peers that speak TLS, or no emulator");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, tls_connect(fd, "ATW_TLS_GOOD")) {
		TH_LOG("%s", atw_errno_name(errno));
	}
	ASSERT_EQ(17, atw_send_all(fd, "source 262144 70\n", 17));
	ASSERT_EQ(262144, atw_download(fd, 262144, 70, &err));
	EXPECT_EQ(0, recv(fd, line, 1, 0));
	close(fd);
	fd = tls_socket();
	ASSERT_EQ(0, tls_connect(fd, "ATW_TLS_GOOD"));
	ASSERT_EQ(15, atw_send_all(fd, "sink 262144 71\n", 15));
	ASSERT_EQ(0, atw_upload(fd, 262144, 71));
	ASSERT_LT(0, atw_recv_line(fd, line, sizeof(line)));
	EXPECT_STREQ("ok 262144", line);
}

/* A server that is nobody's here: openssl's. */
TEST(openssl_s_server)
{
	int fd = tls_socket();
	char line[32];

	if (no_peers())
		SKIP(return, "no peers that speak TLS, or no emulator");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, tls_connect(fd, "ATW_TLS_REVERSE"));
	ASSERT_EQ(6, atw_send_all(fd, "hello\n", 6));
	ASSERT_EQ(5, atw_recv_line(fd, line, sizeof(line)));
	EXPECT_STREQ("olleh", line);
}

static void rejected(struct __test_metadata *_metadata, const char *port)
{
	int fd = tls_socket(), n = 1;

	if (no_peers())
		SKIP(return, "no peers that speak TLS, or no emulator");
	ASSERT_LE(0, fd);
	ASSERT_ERRNO(EKEYREJECTED, tls_connect(fd, port));
	EXPECT_EQ(MODULE_ERR_VERIFY, module_error(fd));
	/* Where there is a CA the module verifies by it, asked or not. */
	ASSERT_EQ(0, setsockopt(fd, SOL_ATWIFI, ATW_TLS_UNVERIFIED, &n, sizeof(n)));
	ASSERT_ERRNO(EKEYREJECTED, tls_connect(fd, port));
	/* The same socket connects to who is right. */
	ASSERT_EQ(0, tls_connect(fd, "ATW_TLS_GOOD"));
}

TEST(expired)
{
	rejected(_metadata, "ATW_TLS_EXPIRED");
}

TEST(wrong_name)
{
	rejected(_metadata, "ATW_TLS_WRONG");
}

TEST(self_signed)
{
	rejected(_metadata, "ATW_TLS_SELF");
}

/* Who does not speak TLS at all. */
TEST(no_tls)
{
	int fd = tls_socket();

	if (no_peers())
		SKIP(return, "no peers that speak TLS, or no emulator");
	ASSERT_LE(0, fd);
	ASSERT_ERRNO(EPROTO, tls_connect(fd, "ATW_GREET_PORT"));
	EXPECT_EQ(MODULE_ERR_CONFIG, module_error(fd));
}

TEST(server)
{
	int fd, client, err;
	char line[32];

	if (no_peers())
		SKIP(return, "no peers that speak TLS, or no emulator");
	ASSERT_TRUE(atw_emptied());
	ASSERT_EQ(0, atw_cert("cert", "good.pem"));
	ASSERT_EQ(0, atw_cert("key", "good.key"));
	fd = tls_socket();
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_bind(fd, port_of("ATW_TLS_LISTEN")));
	ASSERT_EQ(0, listen(fd, 2)) {
		TH_LOG("%s, %d", atw_errno_name(errno), module_error(fd));
	}
	ASSERT_EQ(0, atw_dial(port_of("ATW_TLS_DIAL"), "source 100000 72"));
	client = atw_accept(fd);
	ASSERT_LE(0, client);
	ASSERT_EQ(100000, atw_download(client, 100000, 72, &err));
	EXPECT_EQ(0, recv(client, line, 1, 0));
	close(client);
	ASSERT_EQ(0, atw_dial(port_of("ATW_TLS_DIAL"), "sink 100000 73"));
	client = atw_accept(fd);
	ASSERT_LE(0, client);
	ASSERT_EQ(0, atw_upload(client, 100000, 73));
	ASSERT_LT(0, atw_recv_line(client, line, sizeof(line)));
	EXPECT_STREQ("ok 100000", line);
	close(client);
	/* Who speaks no TLS is no client. */
	ASSERT_EQ(0, atw_dial(port_of("ATW_TLS_LISTEN"), "source 100 74"));
	EXPECT_EQ(0, atw_wait(fd, POLLIN, 1000));
	close(fd);
}

/* The first line of the key's bytes, to be looked for. */
static char *key_line(void)
{
	char *key = pem("good.key"), *line = key ? strchr(key, '\n') : NULL;

	if (!line || !strchr(++line, '\n'))
		return NULL;
	*strchr(line, '\n') = '\0';
	return line;
}

/* The key is nowhere to be read. */
TEST(key_is_secret)
{
	char *line, *log;
	int size, n;

	if (no_peers())
		SKIP(return, "no peers that speak TLS, or no emulator");
	line = key_line();
	ASSERT_NE(NULL, line);
	ASSERT_EQ(0, atw_cert("key", "good.key"));
	size = klogctl(10, NULL, 0);
	ASSERT_LT(0, size);
	log = calloc(1, size + 1);
	ASSERT_NE(NULL, log);
	n = klogctl(3, log, size);
	ASSERT_LT(0, n);
	EXPECT_EQ(NULL, strstr(log, line));
	/* It is the driver's log. */
	EXPECT_NE(NULL, strstr(log, "atwifi " ATW_DEVICE ": joined"));
	free(log);
}

TEST(key_is_not_traced)
{
	char *line, *trace;

	if (no_peers())
		SKIP(return, "no peers that speak TLS, or no emulator");
	if (!atw_trace_begin())
		SKIP(return, "this kernel does not trace");
	line = key_line();
	ASSERT_NE(NULL, line);
	ASSERT_EQ(0, atw_write(ATW_TRACE "events/atwifi/enable", "1"));
	ASSERT_EQ(0, atw_cert("key", "good.key"));
	trace = atw_slurp(ATW_TRACE "trace");
	atw_trace_end();
	ASSERT_NE(NULL, trace);
	/* The command is in it, its bytes are not. */
	EXPECT_NE(NULL, strstr(trace, "AT+SSLCRET "));
	EXPECT_EQ(NULL, strstr(trace, line));
	EXPECT_EQ(NULL, strstr(trace, "PRIVATE KEY"));
	free(trace);
}

TEST_HARNESS_MAIN
