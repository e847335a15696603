// SPDX-License-Identifier: GPL-2.0-only
/*
 * 64 KiB and 1 MiB over each kind of connection, in both directions and in both receive
 * modes; with ATW_MIB set, so many MiB instead. Both ends compare every byte with what it
 * must be, which says more than a sum.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>

#include "kselftest_harness.h"
#include "pattern.h"
#include "util.h"

#define HOURS_S		7200
#define DATAGRAM	1000
#define KIB		1024ULL

/*
 * What the peer may send before it is told that it came: less than a passive module has
 * room for, or a socket.
 */
#define WINDOW_PASSIVE	16384
#define WINDOW_ACTIVE	65536

static const uint64_t usual[] = { 64 * KIB, 1024 * KIB, 0 };
static uint64_t wanted[2];

/* The sizes of the transfers, ended by 0. */
static const uint64_t *sizes(void)
{
	wanted[0] = strtoull(atw_env("ATW_MIB", "0"), NULL, 10) << 20;
	return *wanted ? wanted : usual;
}

static void say_pace(struct __test_metadata *_metadata, uint64_t bytes, uint64_t start)
{
	uint64_t ms = atw_now_ms() - start;

	TH_LOG("%llu KiB in %llu ms, %llu kB/s", (unsigned long long)(bytes / KIB),
	       (unsigned long long)ms, (unsigned long long)(bytes / (ms ? ms : 1)));
}

static bool set_mode(bool passive)
{
	return !atw_write(ATW_RECV_MODE, passive ? "passive" : "active");
}

/* The module as it was before any test; @reads: how often it was asked for what it keeps. */
static bool ready(bool passive, long *reads)
{
	if (!atw_emptied() || !set_mode(passive))
		return false;
	if (!atw_has_sim())
		return true;
	*reads = atw_sim_stat("reads");
	return atw_sim_stat("recv-active") == !passive;
}

/* In the passive mode all that came was fetched, and in the other one nothing. */
static bool was_passive(bool passive, long reads)
{
	return !atw_has_sim() || passive == (atw_sim_stat("reads") > reads);
}

/* Makes a socket for streams of TCP or TLS; TLS is verified. */
static int stream_socket(bool tls)
{
	int fd = socket(atw_family(), SOCK_STREAM | SOCK_CLOEXEC, tls ? ATWPROTO_TLS : 0);

	if (fd >= 0 && tls && (atw_cert("ca", "ca.pem") || atw_cert("cert", "good.pem") ||
			       atw_cert("key", "good.key")))
		return atw_failed(fd);
	return fd;
}

FIXTURE(stream)
{
	int server;
	int dial;
	long reads;
};

FIXTURE_VARIANT(stream)
{
	bool tls, seed, passive;
};

FIXTURE_VARIANT_ADD(stream, tcp_client) { };
FIXTURE_VARIANT_ADD(stream, tcp_client_passive) { .passive = true };
FIXTURE_VARIANT_ADD(stream, tcp_seed) { .seed = true };
FIXTURE_VARIANT_ADD(stream, tcp_seed_passive) { .seed = true, .passive = true };
FIXTURE_VARIANT_ADD(stream, tls_client) { .tls = true };
FIXTURE_VARIANT_ADD(stream, tls_client_passive) { .tls = true, .passive = true };
FIXTURE_VARIANT_ADD(stream, tls_seed) { .tls = true, .seed = true };
FIXTURE_VARIANT_ADD(stream, tls_seed_passive) { .tls = true, .seed = true, .passive = true };

FIXTURE_SETUP(stream)
{
	self->server = -1;
	if (variant->tls && !*atw_env("ATW_TLS_DIR", ""))
		SKIP(return, "no peers that speak TLS");
	ASSERT_TRUE(ready(variant->passive, &self->reads));
	if (!variant->seed)
		return;
	if (variant->tls) {
		self->server = stream_socket(true);
		ASSERT_LE(0, self->server);
		ASSERT_EQ(0, atw_bind(self->server, atoi(atw_env("ATW_TLS_LISTEN", "0"))));
		ASSERT_EQ(0, listen(self->server, 1));
		self->dial = atoi(atw_env("ATW_TLS_DIAL", "0"));
	} else {
		self->server = atw_server(SOCK_STREAM, 1, &self->dial);
		ASSERT_LE(0, self->server);
	}
}

FIXTURE_TEARDOWN(stream)
{
	if (self->server >= 0)
		close(self->server);
	EXPECT_TRUE(was_passive(variant->passive, self->reads));
	EXPECT_TRUE(set_mode(false));
}

/* A connection of the variant's kind, whose other end does what @verb says. */
static int opened(int server, int dial, bool tls, const char *verb)
{
	const int room = 1 << 20;
	struct sockaddr_atw addr;
	char line[128];
	int fd, n;

	n = snprintf(line, sizeof(line), "%s\n", verb);
	if (server >= 0) {
		fd = atw_dial(dial, "%s", verb) ? -1 : atw_accept(server);
		n = 0;
	} else if (!tls) {
		fd = atw_peer("%s", verb);
		n = 0;
	} else {
		fd = stream_socket(true);
		addr = atw_name_addr(atw_env("ATW_NAME", "peer.test"),
				     atoi(atw_env("ATW_TLS_GOOD", "0")));
		if (fd >= 0 && (atw_timeouts(fd, LONG_MS) || atw_connect(fd, &addr)))
			return atw_failed(fd);
	}
	if (fd >= 0 && (atw_send_all(fd, line, n) != n ||
			setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room))))
		return atw_failed(fd);
	return fd;
}

TEST_F_TIMEOUT(stream, down, HOURS_S)
{
	uint32_t window = variant->passive ? WINDOW_PASSIVE : WINDOW_ACTIVE;
	const uint64_t *size;
	char verb[64], byte;

	for (size = sizes(); *size; size++) {
		uint64_t start = atw_now_ms();
		int fd, err;

		snprintf(verb, sizeof(verb), "acked %llu 90 %u", (unsigned long long)*size,
			 window);
		fd = opened(self->server, self->dial, variant->tls, verb);
		ASSERT_LE(0, fd) {
			TH_LOG("%s", atw_errno_name(errno));
		}
		ASSERT_EQ(*size, (uint64_t)atw_download_acked(fd, *size, 90, window, &err)) {
			TH_LOG("%s", atw_errno_name(err));
		}
		EXPECT_EQ(0, recv(fd, &byte, 1, 0));
		EXPECT_EQ(0, close(fd));
		say_pace(_metadata, *size, start);
	}
}

TEST_F_TIMEOUT(stream, up, HOURS_S)
{
	char verb[64], line[64], want[64];
	const uint64_t *size;

	for (size = sizes(); *size; size++) {
		uint64_t start = atw_now_ms();
		int fd;

		snprintf(verb, sizeof(verb), "sink %llu 91", (unsigned long long)*size);
		fd = opened(self->server, self->dial, variant->tls, verb);
		ASSERT_LE(0, fd) {
			TH_LOG("%s", atw_errno_name(errno));
		}
		ASSERT_EQ(0, atw_upload(fd, *size, 91)) {
			TH_LOG("%s", atw_errno_name(errno));
		}
		ASSERT_LT(0, atw_recv_line(fd, line, sizeof(line)));
		snprintf(want, sizeof(want), "ok %llu", (unsigned long long)*size);
		ASSERT_STREQ(want, line);
		EXPECT_EQ(0, close(fd));
		say_pace(_metadata, *size, start);
	}
}

/*
 * Datagrams go one at a time, there and back: they may be lost, and then go again, but
 * what comes is whole, and is what was sent.
 */
FIXTURE(datagrams)
{
	long reads;
};

FIXTURE_VARIANT(datagrams)
{
	bool passive;
};

FIXTURE_VARIANT_ADD(datagrams, active) { };
FIXTURE_VARIANT_ADD(datagrams, passive) { .passive = true };

FIXTURE_SETUP(datagrams)
{
	ASSERT_TRUE(ready(variant->passive, &self->reads));
}

FIXTURE_TEARDOWN(datagrams)
{
	EXPECT_TRUE(was_passive(variant->passive, self->reads));
	EXPECT_TRUE(set_mode(false));
}

TEST_F_TIMEOUT(datagrams, client, HOURS_S)
{
	char buf[DATAGRAM], back[2048];
	const uint64_t *size;
	int fd, again = 0;

	fd = atw_socket(SOCK_DGRAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_timeouts(fd, 5000));
	ASSERT_EQ(0, atw_connect_host(fd, atw_peer_port()));
	for (size = sizes(); *size; size++) {
		uint32_t seq = 0, n = *size / DATAGRAM + 1;
		uint64_t start = atw_now_ms();

		while (seq < n) {
			int64_t got;
			ssize_t len;

			datagram_fill(buf, sizeof(buf), 92, seq);
			ASSERT_EQ(DATAGRAM, send(fd, buf, sizeof(buf), 0));
			do {
				len = recv(fd, back, sizeof(back), 0);
				if (len < 0)
					break;
				got = datagram_check(back, len, DATAGRAM, 92);
				/* One that went twice comes twice. */
				ASSERT_LE(0, got);
				ASSERT_GE(seq, got);
			} while (got < seq);
			if (len < 0) {
				ASSERT_EQ(EAGAIN, errno);
				ASSERT_GT(20, ++again);
			} else {
				seq++;
			}
		}
		say_pace(_metadata, *size, start);
	}
	EXPECT_EQ(0, close(fd));
}

TEST_F_TIMEOUT(datagrams, server, HOURS_S)
{
	int port, fd, control, again = 0;
	char buf[2048], line[64], want[64];
	const uint64_t *size;

	for (size = sizes(); *size; size++) {
		uint32_t seq = 0, n = *size / DATAGRAM + 1;
		uint64_t start = atw_now_ms();

		/* It answers the first that it hears, and no other. */
		fd = atw_server(SOCK_DGRAM, 0, &port);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, atw_timeouts(fd, LONG_MS));
		control = atw_peer("pingpong %d %u %d 93", port, n, DATAGRAM);
		ASSERT_LE(0, control);
		while (seq < n) {
			ssize_t len = recv(fd, buf, sizeof(buf), 0);
			int64_t got;

			ASSERT_EQ(DATAGRAM, len);
			got = datagram_check(buf, len, DATAGRAM, 93);
			ASSERT_LE(0, got);
			/* The next one, or that one again. */
			ASSERT_GE(seq, got);
			ASSERT_LE((int64_t)seq - 1, got);
			if (got == seq)
				seq++;
			else
				ASSERT_GT(20, ++again);
			ASSERT_EQ(DATAGRAM, send(fd, buf, len, 0));
		}
		ASSERT_LT(0, atw_recv_line(control, line, sizeof(line)));
		snprintf(want, sizeof(want), "ok %u", n);
		ASSERT_STREQ(want, line);
		close(control);
		EXPECT_EQ(0, close(fd));
		say_pace(_metadata, *size, start);
	}
}

TEST_HARNESS_MAIN
