// SPDX-License-Identifier: GPL-2.0-only
/*
 * Peers that nobody here has written: openssl, nginx, nc and socat on the machine that
 * the module reaches, as servers and as clients. realpeers.py starts them. What was sent
 * and what was received have the same SHA-256, taken at each end by a program of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/sockios.h>

#include "kselftest_harness.h"
#include "pattern.h"
#include "util.h"

#define BIG	(256 * 1024)
#define SMALL	700
#define SUM	64

/* What openssl finds wrong with a certificate. */
enum {
	EXPIRED = 10,
	SELF_SIGNED = 18,
	WRONG_NAME = 62,
};

struct peer {
	int id, port;
	int verify_error;
};

static int port_of(const char *name)
{
	return atoi(atw_env(name, "0"));
}

/* Has the other side do something; its answer without the "ok". */
__attribute__((format(printf, 2, 3)))
static bool ask(char answer[128], const char *fmt, ...)
{
	char line[128];
	ssize_t n = -1;
	va_list ap;
	int fd;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	strcat(line, "\n");
	fd = atw_socket(SOCK_STREAM);
	if (fd < 0)
		return false;
	/* It may wait for the end of a program. */
	if (!atw_timeouts(fd, 2 * LONG_MS) && !atw_connect_host(fd, port_of("ATW_REAL")) &&
	    atw_send_all(fd, line, strlen(line)) > 0)
		n = atw_recv_line(fd, line, sizeof(line));
	close(fd);
	if (n < 3 || strncmp(line, "ok ", 3)) {
		fprintf(stderr, "# '%s' to: %s\n", n > 0 ? line : atw_errno_name(errno), fmt);
		return false;
	}
	strcpy(answer, line + 3);
	return true;
}

/* Starts a peer; one that serves is told no port, and one that connects is. */
static bool begin(struct peer *peer, const char *kind, int port)
{
	char answer[128], number[16] = "";

	if (port)
		snprintf(number, sizeof(number), " %d", port);
	return ask(answer, "begin %s%s", kind, number) &&
	       sscanf(answer, "%d %d", &peer->id, &peer->port) == 2;
}

/* Waits for the peer's end: its exit status, and the sum of what it has written. */
static bool ended(struct peer *peer, int *status, char sum[128])
{
	char answer[128];

	return ask(answer, "end %d", peer->id) &&
	       sscanf(answer, "%d %127s %d", status, sum, &peer->verify_error) == 3;
}

/* The sum by the guest's own program. */
static bool sum_of(const void *data, size_t len, char sum[128])
{
	char file[] = "/tmp/atwifi-sum.XXXXXX", command[64], *text;
	int fd = mkstemp(file);
	bool good = false;
	FILE *f;

	if (fd < 0)
		return false;
	close(fd);
	snprintf(command, sizeof(command), "sha256sum >%s", file);
	f = popen(command, "w");
	if (f) {
		good = fwrite(data, 1, len, f) == len;
		good = !pclose(f) && good;
	}
	text = atw_slurp(file);
	unlink(file);
	good = good && text && strlen(text) > SUM;
	snprintf(sum, SUM + 1, "%s", good ? text : "none");
	free(text);
	return good;
}

/* Is what came what is in a file of the other side? */
static bool is_file(const void *data, size_t len, const char *name)
{
	char theirs[128], ours[128];

	return ask(theirs, "sum %s", name) && sum_of(data, len, ours) && !strcmp(ours, theirs);
}

static int with_room(int fd)
{
	const int room = 1 << 20;

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	return fd;
}

static int tls_socket(void)
{
	return socket(atw_family(), SOCK_STREAM | SOCK_CLOEXEC, ATWPROTO_TLS);
}

static int tcp_to(int port)
{
	int fd = with_room(atw_socket(SOCK_STREAM));

	if (fd >= 0 && (atw_timeouts(fd, LONG_MS) || atw_connect_host(fd, port)))
		return atw_failed(fd);
	return fd;
}

static int tls_to(int port)
{
	struct sockaddr_atw addr = atw_name_addr(atw_env("ATW_NAME", "peer.test"), port);
	int fd = with_room(tls_socket());

	if (fd >= 0 && (atw_timeouts(fd, LONG_MS) || atw_connect(fd, &addr)))
		return atw_failed(fd);
	return fd;
}

struct test {
	char *data;		/* room for what comes, and for one byte too many */
	char sum[128];		/* what a peer says */
	char want[128];
	struct peer peer;
	int server, port;	/* for clients */
	int status;
};

FIXTURE(peers)
{
	struct test t;
};

FIXTURE_SETUP(peers)
{
	self->t.server = -1;
	if (!port_of("ATW_REAL"))
		SKIP(return, "no peers but our own");
	ASSERT_TRUE(atw_emptied());
	self->t.data = malloc(BIG + 1);
	ASSERT_NE(NULL, self->t.data);
}

FIXTURE_TEARDOWN(peers)
{
	if (self->t.server >= 0)
		close(self->t.server);
	free(self->t.data);
}

/* All that a connection brings to its end is the file that the peer has sent. */
static void brings_big(struct __test_metadata *_metadata, struct test *t, int fd)
{
	ASSERT_EQ(BIG, atw_recv_all(fd, t->data, BIG)) {
		TH_LOG("%s", atw_errno_name(errno));
	}
	EXPECT_EQ(0, recv(fd, t->data + BIG, 1, 0));
	EXPECT_TRUE(is_file(t->data, BIG, "big"));
	EXPECT_EQ(0, close(fd));
}

/* Sends as much, and closes; then the peer ends and has it. */
static void takes_big(struct __test_metadata *_metadata, struct test *t, int fd, uint32_t seed)
{
	pattern_fill(t->data, BIG, seed, 0);
	ASSERT_TRUE(sum_of(t->data, BIG, t->want));
	ASSERT_EQ(BIG, atw_send_all(fd, t->data, BIG)) {
		TH_LOG("%s", atw_errno_name(errno));
	}
	ASSERT_EQ(0, close(fd));
	ASSERT_TRUE(ended(&t->peer, &t->status, t->sum));
	EXPECT_STREQ(t->want, t->sum);
}

static void from_server(struct __test_metadata *_metadata, struct test *t,
			const char *kind)
{
	int fd;

	ASSERT_TRUE(begin(&t->peer, kind, 0));
	fd = tcp_to(t->peer.port);
	ASSERT_LE(0, fd);
	brings_big(_metadata, t, fd);
	ASSERT_TRUE(ended(&t->peer, &t->status, t->sum));
	EXPECT_EQ(0, t->status);
}

static void to_server(struct __test_metadata *_metadata, struct test *t,
		      const char *kind)
{
	int fd;

	ASSERT_TRUE(begin(&t->peer, kind, 0));
	fd = tcp_to(t->peer.port);
	ASSERT_LE(0, fd);
	takes_big(_metadata, t, fd, 1);
	EXPECT_EQ(0, t->status);
}

static void from_client(struct __test_metadata *_metadata, struct test *t,
			const char *kind)
{
	int fd;

	t->server = atw_server(SOCK_STREAM, 1, &t->port);
	ASSERT_LE(0, t->server);
	ASSERT_TRUE(begin(&t->peer, kind, t->port));
	fd = with_room(atw_accept(t->server));
	ASSERT_LE(0, fd);
	brings_big(_metadata, t, fd);
	ASSERT_TRUE(ended(&t->peer, &t->status, t->sum));
	EXPECT_EQ(0, t->status);
}

static void to_client(struct __test_metadata *_metadata, struct test *t,
		      const char *kind)
{
	int fd;

	t->server = atw_server(SOCK_STREAM, 1, &t->port);
	ASSERT_LE(0, t->server);
	ASSERT_TRUE(begin(&t->peer, kind, t->port));
	fd = atw_accept(t->server);
	ASSERT_LE(0, fd);
	takes_big(_metadata, t, fd, 2);
	EXPECT_EQ(0, t->status);
}

TEST_F(peers, nc_server)
{
	from_server(_metadata, &self->t, "nc-send");
	to_server(_metadata, &self->t, "nc-receive");
}

TEST_F(peers, nc_client_sends)
{
	from_client(_metadata, &self->t, "nc-dial-send");
}

TEST_F(peers, nc_client_receives)
{
	to_client(_metadata, &self->t, "nc-dial-receive");
}

TEST_F(peers, socat_server)
{
	from_server(_metadata, &self->t, "socat-send");
	to_server(_metadata, &self->t, "socat-receive");
}

TEST_F(peers, socat_echo)
{
	int fd;

	ASSERT_TRUE(begin(&self->t.peer, "socat-echo", 0));
	fd = tcp_to(self->t.peer.port);
	ASSERT_LE(0, fd);
	EXPECT_TRUE(atw_echo_works(fd, 3, 1));
	EXPECT_TRUE(atw_echo_works(fd, 4, 2000));
	ASSERT_EQ(0, close(fd));
	ASSERT_TRUE(ended(&self->t.peer, &self->t.status, self->t.sum));
	EXPECT_EQ(0, self->t.status);
}

TEST_F(peers, socat_client_sends)
{
	from_client(_metadata, &self->t, "socat-dial-send");
}

TEST_F(peers, socat_client_receives)
{
	to_client(_metadata, &self->t, "socat-dial-receive");
}

static int udp_to(int port)
{
	int fd = atw_socket(SOCK_DGRAM);

	if (fd >= 0 && (atw_timeouts(fd, LONG_MS) || atw_connect_host(fd, port)))
		return atw_failed(fd);
	return fd;
}

/* It ends when it has got twenty. */
TEST_F(peers, nc_udp_server)
{
	int fd, i;

	ASSERT_TRUE(begin(&self->t.peer, "nc-udp", 0));
	fd = udp_to(self->t.peer.port);
	ASSERT_LE(0, fd);
	for (i = 0; i < 20; i++) {
		pattern_fill(self->t.data + i * 1000, 1000, i, 0);
		ASSERT_EQ(1000, send(fd, self->t.data + i * 1000, 1000, 0));
	}
	ASSERT_TRUE(sum_of(self->t.data, 20000, self->t.want));
	ASSERT_TRUE(ended(&self->t.peer, &self->t.status, self->t.sum));
	EXPECT_EQ(0, self->t.status);
	EXPECT_STREQ(self->t.want, self->t.sum);
	close(fd);
}

TEST_F(peers, nc_udp_client)
{
	self->t.server = atw_server(SOCK_DGRAM, 0, &self->t.port);
	ASSERT_LE(0, self->t.server);
	ASSERT_EQ(0, atw_timeouts(self->t.server, LONG_MS));
	ASSERT_TRUE(begin(&self->t.peer, "nc-dial-udp", self->t.port));
	ASSERT_EQ(SMALL, recv(self->t.server, self->t.data, BIG, 0));
	EXPECT_TRUE(is_file(self->t.data, SMALL, "small"));
	pattern_fill(self->t.data, SMALL, 5, 0);
	ASSERT_TRUE(sum_of(self->t.data, SMALL, self->t.want));
	ASSERT_EQ(SMALL, send(self->t.server, self->t.data, SMALL, 0));
	/* It has one answer, and ends. */
	ASSERT_TRUE(ended(&self->t.peer, &self->t.status, self->t.sum));
	EXPECT_EQ(0, self->t.status);
	EXPECT_STREQ(self->t.want, self->t.sum);
}

TEST_F(peers, socat_udp_server)
{
	char back[2048];
	int fd, i;

	ASSERT_TRUE(begin(&self->t.peer, "socat-udp-echo", 0));
	fd = udp_to(self->t.peer.port);
	ASSERT_LE(0, fd);
	for (i = 1; i <= 20; i++) {
		pattern_fill(self->t.data, 50 * i, i, 0);
		ASSERT_EQ(50 * i, send(fd, self->t.data, 50 * i, 0));
		ASSERT_EQ(50 * i, recv(fd, back, sizeof(back), 0));
		ASSERT_EQ(0, memcmp(self->t.data, back, 50 * i));
	}
	close(fd);
}

TEST_F(peers, socat_udp_client)
{
	self->t.server = atw_server(SOCK_DGRAM, 0, &self->t.port);
	ASSERT_LE(0, self->t.server);
	ASSERT_EQ(0, atw_timeouts(self->t.server, LONG_MS));
	ASSERT_TRUE(begin(&self->t.peer, "socat-dial-udp", self->t.port));
	ASSERT_EQ(SMALL, recv(self->t.server, self->t.data, BIG, 0));
	EXPECT_TRUE(is_file(self->t.data, SMALL, "small"));
	ASSERT_TRUE(ended(&self->t.peer, &self->t.status, self->t.sum));
	EXPECT_EQ(0, self->t.status);
}

/* Reads the head of an answer; the length that it tells, 0 where it tells none. */
static int read_head(int fd, const char *status)
{
	char line[256];
	int len = 0;

	if (atw_recv_line(fd, line, sizeof(line)) <= 0 || strncmp(line, status, strlen(status))) {
		fprintf(stderr, "# %s\n", line);
		return -1;
	}
	while (strcmp(line, "\r")) {
		if (atw_recv_line(fd, line, sizeof(line)) <= 0)
			return -1;
		sscanf(line, "Content-Length: %d", &len);
	}
	return len;
}

static bool say(int fd, const char *text)
{
	return atw_send_all(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* Two files on a connection that stays open, and one for the server. */
static void talk_http(struct __test_metadata *_metadata, struct test *t, int fd,
		      uint32_t seed)
{
	char line[256], name[64];

	ASSERT_TRUE(say(fd, "GET /small HTTP/1.1\r\nHost: peer.test\r\n\r\n"));
	ASSERT_EQ(SMALL, read_head(fd, "HTTP/1.1 200 "));
	ASSERT_EQ(SMALL, atw_recv_all(fd, t->data, SMALL));
	EXPECT_TRUE(is_file(t->data, SMALL, "small"));
	ASSERT_TRUE(say(fd, "GET /big HTTP/1.1\r\nHost: peer.test\r\n\r\n"));
	ASSERT_EQ(BIG, read_head(fd, "HTTP/1.1 200 "));
	ASSERT_EQ(BIG, atw_recv_all(fd, t->data, BIG));
	EXPECT_TRUE(is_file(t->data, BIG, "big"));
	EXPECT_EQ(0, atw_wait(fd, POLLIN, 0));

	pattern_fill(t->data, BIG, seed, 0);
	/* Not what an earlier run has left there. */
	snprintf(name, sizeof(name), "put-%s-%u", atw_env("ATW_PROFILE", "x"), seed);
	snprintf(line, sizeof(line), "PUT /%s HTTP/1.1\r\nHost: peer.test\r\n"
		 "Content-Length: %d\r\n\r\n", name, BIG);
	ASSERT_TRUE(say(fd, line));
	ASSERT_EQ(BIG, atw_send_all(fd, t->data, BIG));
	ASSERT_LE(0, read_head(fd, "HTTP/1.1 201 "));
	ASSERT_EQ(0, close(fd));
	EXPECT_TRUE(is_file(t->data, BIG, name));
}

TEST_F(peers, nginx)
{
	int fd = tcp_to(port_of("ATW_NGINX"));

	ASSERT_LE(0, fd);
	talk_http(_metadata, &self->t, fd, 6);
}

/* The remote's machine sees it: the emulated module's sockets are that machine's. */
TEST_F(peers, keep_alive)
{
	int port = port_of("ATW_NGINX"), fd, n = 1;
	char answer[128];

	fd = tcp_to(port);
	ASSERT_LE(0, fd);
	ASSERT_TRUE(ask(answer, "keepalive %d", port));
	EXPECT_STREQ("0", answer);
	close(fd);
	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &n, sizeof(n)));
	ASSERT_EQ(0, setsockopt(fd, SOL_ATWIFI, ATW_KEEPINTVL, &n, sizeof(n)));
	ASSERT_EQ(0, atw_connect_host(fd, port));
	ASSERT_TRUE(ask(answer, "keepalive %d", port));
	EXPECT_STREQ("1", answer);
	close(fd);
}

TEST_F(peers, nginx_tls)
{
	int fd;

	ASSERT_EQ(0, atw_cert("ca", "ca.pem"));
	fd = tls_to(port_of("ATW_NGINX_TLS"));
	ASSERT_LE(0, fd) {
		TH_LOG("%s", atw_errno_name(errno));
	}
	talk_http(_metadata, &self->t, fd, 7);
}

TEST_F(peers, openssl_server)
{
	int fd;

	ASSERT_EQ(0, atw_cert("ca", "ca.pem"));
	ASSERT_TRUE(begin(&self->t.peer, "openssl-send", 0));
	fd = tls_to(self->t.peer.port);
	ASSERT_LE(0, fd);
	ASSERT_TRUE(say(fd, "GET /big HTTP/1.0\r\n\r\n"));
	ASSERT_EQ(0, read_head(fd, "HTTP/1.0 200 "));
	brings_big(_metadata, &self->t, fd);
	ASSERT_TRUE(begin(&self->t.peer, "openssl-receive", 0));
	fd = tls_to(self->t.peer.port);
	ASSERT_LE(0, fd);
	takes_big(_metadata, &self->t, fd, 8);
}

/* Who cannot be verified is not spoken to. */
static void not_spoken_to(struct __test_metadata *_metadata, struct test *t,
			  const char *kind)
{
	ASSERT_EQ(0, atw_cert("ca", "ca.pem"));
	ASSERT_TRUE(begin(&t->peer, kind, 0));
	ASSERT_ERRNO(EKEYREJECTED, tls_to(t->peer.port));
	ASSERT_TRUE(ended(&t->peer, &t->status, t->sum));
	ASSERT_TRUE(sum_of("", 0, t->want));
	EXPECT_STREQ(t->want, t->sum);
}

TEST_F(peers, openssl_server_expired)
{
	not_spoken_to(_metadata, &self->t, "openssl-expired");
}

TEST_F(peers, openssl_server_wrong_name)
{
	not_spoken_to(_metadata, &self->t, "openssl-wrong");
}

TEST_F(peers, openssl_server_self_signed)
{
	not_spoken_to(_metadata, &self->t, "openssl-self");
}

/* The module serves with a certificate, and openssl connects and looks at it. */
static void serve_openssl(struct __test_metadata *_metadata, struct test *t,
			  const char *name, const char *kind)
{
	char file[64];

	ASSERT_EQ(0, atw_cert("ca", "ca.pem"));
	snprintf(file, sizeof(file), "%s.pem", name);
	ASSERT_EQ(0, atw_cert("cert", file));
	snprintf(file, sizeof(file), "%s.key", name);
	ASSERT_EQ(0, atw_cert("key", file));
	t->server = tls_socket();
	ASSERT_LE(0, t->server);
	ASSERT_EQ(0, atw_bind(t->server, port_of("ATW_TLS_LISTEN")));
	ASSERT_EQ(0, listen(t->server, 1));
	ASSERT_TRUE(begin(&t->peer, kind, port_of("ATW_TLS_LISTEN")));
}

TEST_F(peers, openssl_client_sends)
{
	int fd;

	serve_openssl(_metadata, &self->t, "good", "openssl-dial-send");
	fd = with_room(atw_accept(self->t.server));
	ASSERT_LE(0, fd);
	/* It does not end by itself. */
	ASSERT_EQ(BIG, atw_recv_all(fd, self->t.data, BIG));
	EXPECT_TRUE(is_file(self->t.data, BIG, "big"));
	ASSERT_EQ(0, close(fd));
	ASSERT_TRUE(ended(&self->t.peer, &self->t.status, self->t.sum));
}

TEST_F(peers, openssl_client_receives)
{
	int fd;

	serve_openssl(_metadata, &self->t, "good", "openssl-dial-receive");
	fd = atw_accept(self->t.server);
	ASSERT_LE(0, fd);
	takes_big(_metadata, &self->t, fd, 9);
}

/* openssl finds it wrong, says so by its status, and has got nothing. */
static void found_wrong(struct __test_metadata *_metadata, struct test *t,
			const char *name, int error)
{
	serve_openssl(_metadata, t, name, "openssl-dial-receive");
	ASSERT_TRUE(ended(&t->peer, &t->status, t->sum));
	EXPECT_EQ(1, t->status);
	EXPECT_EQ(error, t->peer.verify_error);
	ASSERT_TRUE(sum_of("", 0, t->want));
	EXPECT_STREQ(t->want, t->sum);
	/* Nobody has come. */
	EXPECT_EQ(0, atw_wait(t->server, POLLIN, 300));
}

TEST_F(peers, openssl_client_expired)
{
	found_wrong(_metadata, &self->t, "expired", EXPIRED);
}

TEST_F(peers, openssl_client_wrong_name)
{
	found_wrong(_metadata, &self->t, "wrong", WRONG_NAME);
}

TEST_F(peers, openssl_client_self_signed)
{
	found_wrong(_metadata, &self->t, "self", SELF_SIGNED);
}

TEST_HARNESS_MAIN
