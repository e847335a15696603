// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transparent mode: one connection has the module's UART for itself, and programs
 * see no difference.
 *
 * That it was really entered, and what went through it, is counted by the driver
 * and by the emulator.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "pattern.h"
#include "util.h"

/* How a datagram socket has it, and what a server has accepted. */
#define MERGED	(ATW_TT_ON | ATW_TT_NO_BOUNDARIES)
#define ALONE	(ATW_TT_ON | ATW_TT_FRAGILE)

#define BANNER	"\r\n################################################\r\n\r\narch:BL602,NULL\r\n"

static int set_tt(int fd, int on)
{
	return setsockopt(fd, SOL_ATWIFI, ATW_TRANSPARENT, &on, sizeof(on));
}

static int get_tt(int fd)
{
	socklen_t len = sizeof(int);
	int on = -1;

	return getsockopt(fd, SOL_ATWIFI, ATW_TRANSPARENT, &on, &len) ? -1 : on;
}

static long entries(void)
{
	return atw_stat(ATW_DEVICE, "transparent");
}

/* Wait until it was entered once more than @seen times. */
static bool entered_since(long seen, int ms)
{
	uint64_t limit = atw_now_ms() + ms;

	while (entries() <= seen) {
		if (atw_now_ms() > limit)
			return false;
		atw_pause_ms(5);
	}
	return true;
}

/* Sends a text in one piece and wants it back. */
static bool echoes(int fd, const void *text, size_t len)
{
	char back[4096];

	return len <= sizeof(back) && atw_send_all(fd, text, len) == (ssize_t)len &&
	       atw_recv_all(fd, back, len) == (ssize_t)len && !memcmp(text, back, len);
}

/* Bytes that no transparent mode has a meaning for. */
static void plain(char *buf, size_t len, uint32_t seed)
{
	size_t i;

	pattern_fill(buf, len, seed, 0);
	for (i = 0; i < len; i++)
		buf[i] = 'a' + (uint8_t)buf[i] % 26;
}

FIXTURE(alone)
{
};

FIXTURE_SETUP(alone)
{
	ASSERT_TRUE(atw_emptied());
}

FIXTURE_TEARDOWN(alone)
{
	if (atw_has_sim()) {
		atw_sim("clear");
	}
}

FIXTURE(transparent)
{
	int fd;
	long seen;
};

FIXTURE_SETUP(transparent)
{
	ASSERT_TRUE(atw_emptied());
	self->seen = entries();
	self->fd = atw_peer("echo");
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, set_tt(self->fd, 1)) {
		TH_LOG("%s", atw_errno_name(errno));
	}
	/* More than once where it was left again meanwhile, for a look. */
	ASSERT_LT(self->seen, entries());
}

FIXTURE_TEARDOWN(transparent)
{
	if (self->fd >= 0)
		close(self->fd);
	if (atw_has_sim()) {
		atw_sim("clear");
	}
}

/* Does the firmware know a mask of what it prints in the mode? */
static bool tells_of_others(void)
{
	return atw_profile_is("bw20") || atw_profile_is("p23") || atw_profile_is("m61");
}

TEST_F(alone, refused)
{
	int fd, server, port, dgram, other;

	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, get_tt(fd));
	ASSERT_ERRNO(EINVAL, set_tt(fd, 2));
	ASSERT_ERRNO(EINVAL, set_tt(fd, -1));
	ASSERT_ERRNO(EINVAL, setsockopt(fd, SOL_ATWIFI, ATW_TRANSPARENT, "", 1));
	ASSERT_ERRNO(ENOTCONN, set_tt(fd, 1));
	ASSERT_ERRNO(ENOTCONN, set_tt(fd, 0));
	ASSERT_ERRNO(EINVAL, set_tt(fd, MERGED));
	close(fd);

	/* Boundaries cannot be kept. */
	dgram = atw_socket(SOCK_DGRAM);
	ASSERT_LE(0, dgram);
	ASSERT_ERRNO(ENOTCONN, set_tt(dgram, MERGED));
	ASSERT_EQ(0, atw_connect_host(dgram, atw_peer_port()));
	ASSERT_ERRNO(EOPNOTSUPP, set_tt(dgram, ATW_TT_ON));
	ASSERT_ERRNO(EINVAL, set_tt(dgram, ATW_TT_NO_BOUNDARIES));
	ASSERT_ERRNO(EINVAL, set_tt(dgram, MERGED | ATW_TT_LAST_PEER));
	EXPECT_EQ(0, get_tt(dgram));
	close(dgram);

	/* What a server has accepted is not alone. */
	server = atw_server(SOCK_STREAM, 2, &port);
	ASSERT_LE(0, server);
	ASSERT_ERRNO(ENOTCONN, set_tt(server, 1));
	ASSERT_EQ(0, atw_dial(port, "echo"));
	fd = atw_accept(server);
	ASSERT_LE(0, fd);
	ASSERT_ERRNO(EOPNOTSUPP, set_tt(fd, ATW_TT_ON));
	ASSERT_ERRNO(EINVAL, set_tt(fd, ATW_TT_FRAGILE));
	/* Nor is it where the module cannot be told to tell of others. */
	if (!tells_of_others()) {
		ASSERT_ERRNO(EOPNOTSUPP, set_tt(fd, ALONE));
	}
	EXPECT_EQ(0, get_tt(fd));
	close(fd);

	/* A server is in the way, and so is another connection. */
	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	ASSERT_ERRNO(EBUSY, set_tt(fd, 1));
	ASSERT_ERRNO(EINVAL, set_tt(fd, ALONE));
	close(server);
	other = atw_peer("echo");
	ASSERT_LE(0, other);
	ASSERT_ERRNO(EBUSY, set_tt(fd, 1));
	EXPECT_EQ(0, get_tt(fd));
	EXPECT_TRUE(atw_echo_works(fd, 1, 100));
	EXPECT_TRUE(atw_echo_works(other, 2, 100));
	/* One that is being closed is not. */
	close(other);
	ASSERT_EQ(0, set_tt(fd, 1));
	EXPECT_EQ(1, get_tt(fd));
	EXPECT_TRUE(atw_echo_works(fd, 1, 100));
	close(fd);
}

/* Reads datagrams, or pieces of them, until all bytes of the text have come. */
static bool comes(int fd, const char *text, size_t len)
{
	char piece[1024];
	size_t at = 0;
	ssize_t n;

	for (; at < len; at += n) {
		n = recv(fd, piece, sizeof(piece), 0);
		if (n <= 0 || (size_t)n > len - at || memcmp(text + at, piece, n))
			return false;
	}
	return true;
}

/* Reads what comes, and may give it back, until that has come, so many times. */
static bool hears(int fd, const char *want, int times, bool answer)
{
	char text[4096] = "", piece[1024], *at;
	size_t len = 0;
	ssize_t n;

	while (times) {
		n = recv(fd, piece, sizeof(piece), 0);
		if (n <= 0 || len + n >= sizeof(text) ||
		    (answer && send(fd, piece, n, 0) != n))
			return false;
		memcpy(text + len, piece, n);
		len += n;
		text[len] = '\0';
		at = strstr(text, want);
		if (!at)
			continue;
		times--;
		len -= at + strlen(want) - text;
		memmove(text, at + strlen(want), len + 1);
	}
	return true;
}

/* A UDP client: what comes back are the same bytes, however they were cut. */
TEST_F(alone, dgram_client)
{
	static const char event[] = "\r\n+EVENT:SocketDown,1,5,hello\r\n";
	uint64_t limit = atw_now_ms() + LONG_MS;
	int fd = atw_socket(SOCK_DGRAM), i;
	char text[1024];
	long in, out;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_timeouts(fd, LONG_MS));
	ASSERT_EQ(0, atw_connect_host(fd, atw_peer_port()));
	ASSERT_EQ(0, set_tt(fd, MERGED));
	EXPECT_EQ(MERGED, get_tt(fd));
	in = atw_sim_stat("tt-in");
	out = atw_sim_stat("tt-out");
	for (i = 0; i < 4 || atw_sim_stat("tt-in") < in + 200 ||
	     atw_sim_stat("tt-out") < out + 200; i++) {
		/* Too much for one go, and what does not go so. */
		int len = i == 2 ? 1024 : 100;

		plain(text, sizeof(text), i);
		if (i == 3)
			text[50] = '+';
		ASSERT_EQ(10, send(fd, text, 10, 0));
		ASSERT_EQ(len - 10, send(fd, text + 10, len - 10, 0));
		ASSERT_TRUE(comes(fd, text, len)) {
			TH_LOG("%d: %s", i, atw_errno_name(errno));
		}
		/* Who always has something to send keeps it from being entered. */
		if (i > 1) {
			ASSERT_TRUE(entered_since(entries(), LONG_MS));
		}
		ASSERT_LT(atw_now_ms(), limit);
	}
	EXPECT_EQ(0, atw_sim_stat("tt-plus-lost"));

	/* And it keeps boundaries again. */
	ASSERT_EQ(0, set_tt(fd, 0));
	EXPECT_EQ(0, get_tt(fd));
	ASSERT_EQ(3, send(fd, "one", 3, 0));
	ASSERT_EQ(4, send(fd, "two!", 4, 0));
	ASSERT_EQ(3, recv(fd, text, sizeof(text), 0));
	ASSERT_EQ(4, recv(fd, text, sizeof(text), 0));

	/* What may be the module's own word may be lost, but nothing ends by it. */
	ASSERT_EQ(0, set_tt(fd, MERGED));
	ASSERT_EQ((ssize_t)strlen(event), send(fd, event, strlen(event), 0));
	ASSERT_EQ(0, atw_timeouts(fd, 2000));
	do {
		ASSERT_LT(atw_now_ms(), limit);
		ASSERT_EQ(8, send(fd, "and last", 8, 0));
	} while (!hears(fd, "and last", 1, false));
	close(fd);
}

/* Longer than any firmware is given before "+++", see dgrams_slowly_taken. */
#define SLOW_NET "fault slow-net,every=1,ms=2000"

/* Until the module has all of it. */
static bool all_sent(int fd)
{
	int left = 1;

	return atw_becomes(!ioctl(fd, TIOCOUTQ, &left) && !left, LONG_MS);
}

static bool sends_all(int fd, const char *text, size_t len)
{
	return send(fd, text, len, 0) == (ssize_t)len && all_sent(fd);
}

/*
 * In the mode as long as the module was looked at lately, else by a command: until @stat says.
 * On SLOW_NET what has come back is counted long since.
 */
static bool sends_raw(int fd, const char *text, size_t len, const char *stat, long more)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	long before;

	while (atw_now_ms() < limit) {
		if (!entered_since(entries(), LONG_MS))
			return false;
		before = atw_sim_stat(stat);
		if (!sends_all(fd, text, len))
			return false;
		if (!atw_becomes(atw_wait(fd, POLLIN, 0) || atw_sim_stat(stat) >= before + more,
				 LONG_MS))
			return false;
		if (atw_sim_stat(stat) >= before + more)
			return true;
		if (!comes(fd, text, len))
			return false;
	}
	return false;
}

/*
 * A network that takes its time for each of them. The module looks at nothing meanwhile, and reads
 * in one go what has come: "+++" behind others would go to the peer, and the module stay in it.
 */
TEST_F(alone, dgrams_slowly_taken)
{
	static const size_t len[] = { 300, 310, 1000 };
	int fd = atw_socket(SOCK_DGRAM);
	char text[3][1000];
	unsigned int i;
	long overruns;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_timeouts(fd, LONG_MS));
	ASSERT_EQ(0, atw_connect_host(fd, atw_peer_port()));
	ASSERT_EQ(0, set_tt(fd, MERGED));
	overruns = atw_sim_stat("overruns");
	for (i = 0; i < 3; i++)
		plain(text[i], len[i], i);
	ASSERT_EQ(0, atw_sim(SLOW_NET));
	ASSERT_TRUE(sends_raw(fd, text[0], len[0], "tt-in", len[0]));
	for (i = 1; i < 3; i++) {
		ASSERT_TRUE(sends_all(fd, text[i], len[i])) {
			TH_LOG("%u: %s", i, atw_errno_name(errno));
		}
	}
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(comes(fd, text[i], len[i])) {
			TH_LOG("%u: %s", i, atw_errno_name(errno));
		}
	}
	EXPECT_EQ(overruns, atw_sim_stat("overruns"));
	EXPECT_EQ(MERGED, get_tt(fd));
	close(fd);
}

/*
 * The line pauses within a datagram, so that the rest of it and "+++" are read together after all:
 * that goes to the peer, but the module need not be started over.
 */
TEST_F(alone, dgram_torn_by_a_pause)
{
	static const char rest[] = "+++and last";
	int fd = atw_socket(SOCK_DGRAM);
	char text[900 + sizeof(rest)];

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_timeouts(fd, LONG_MS));
	ASSERT_EQ(0, atw_connect_host(fd, atw_peer_port()));
	ASSERT_EQ(0, set_tt(fd, MERGED));
	plain(text, 900, 1);
	strcpy(text + 900, rest);
	ASSERT_EQ(0, atw_sim("fault pause,every=1,times=1"));
	ASSERT_EQ(0, atw_sim(SLOW_NET));
	ASSERT_TRUE(sends_raw(fd, text, 900, "pause", 1));
	ASSERT_EQ(8, send(fd, rest + 3, 8, 0));
	EXPECT_TRUE(comes(fd, text, strlen(text)));
	EXPECT_EQ(MERGED, get_tt(fd));
	close(fd);
}

/* Counts who has heard all that he wanted to hear. */
#define ENDED_KEY	40

static uint64_t chats_ended(void)
{
	int fd = atw_peer("meter %d", ENDED_KEY);
	uint64_t n = fd < 0 ? UINT64_MAX : atw_meter(fd);

	close(fd);
	return n;
}

/* Has somebody on the machine of the peer's talk to a server of ours, see there. */
static int chat(int port, char letter, int count)
{
	char line[64] = "";
	int fd = atw_peer("chat %d %c %d %d", port, letter, count, ENDED_KEY);
	int ret;

	if (fd < 0)
		return -1;
	ret = atw_recv_line(fd, line, sizeof(line)) > 0 && !strcmp(line, "ok 0") ? 0 : -1;
	close(fd);
	return ret;
}

/* A UDP server answers the first who has spoken, and no other: he says the same again. */
TEST_F(alone, dgram_server)
{
	int fd, port, i;
	char text[8];
	long out;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	fd = atw_server(SOCK_DGRAM, 0, &port);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_timeouts(fd, LONG_MS));
	ASSERT_EQ(0, set_tt(fd, MERGED));
	ASSERT_ERRNO(EDESTADDRREQ, send(fd, "x", 1, 0));
	out = atw_sim_stat("tt-out");
	ASSERT_EQ(0, chat(port, 'a', 100));
	/* Until some of it has come in the mode, which is entered where there is a pause. */
	for (i = 0; i < 2 || atw_sim_stat("tt-out") <= out; i++) {
		ASSERT_TRUE(entered_since(entries(), LONG_MS));
		snprintf(text, sizeof(text), "a%d;", i);
		ASSERT_TRUE(hears(fd, text, 1, true)) {
			TH_LOG("%s: %s", text, atw_errno_name(errno));
		}
		ASSERT_LT(i, 99);
	}
	ASSERT_EQ(0, chat(port, 'b', 2));
	EXPECT_TRUE(hears(fd, "b0;", 2, true));
	EXPECT_EQ(MERGED, get_tt(fd));
	close(fd);
}

/* A socket at a port that somebody may still have. */
static int bound_to(int port)
{
	int fd = atw_socket(SOCK_DGRAM);

	return fd < 0 || !atw_bind(fd, port) ? fd : atw_failed(fd);
}

/* Or the last one, whoever that is; then there is no other way for what it sends. */
TEST_F(alone, dgram_server_last_peer)
{
	int how = MERGED | ATW_TT_LAST_PEER;
	int fd, again, port;
	char text[1024];
	uint64_t ended;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	fd = atw_server(SOCK_DGRAM, 0, &port);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_timeouts(fd, LONG_MS));
	ASSERT_EQ(0, set_tt(fd, how));
	EXPECT_EQ(how, get_tt(fd));
	ended = chats_ended();
	ASSERT_EQ(0, chat(port, 'a', 4));
	ASSERT_TRUE(hears(fd, "a3;", 1, true)) {
		TH_LOG("%s", atw_errno_name(errno));
	}
	/* Who has not heard the last of it says his own again: he would be the last peer then. */
	ASSERT_TRUE(all_sent(fd));
	ASSERT_TRUE(atw_becomes(chats_ended() == ended + 1, LONG_MS));
	ASSERT_EQ(0, chat(port, 'b', 5));
	ASSERT_TRUE(hears(fd, "b2;", 1, true)) {
		TH_LOG("%s", atw_errno_name(errno));
	}
	ASSERT_ERRNO(EINVAL, send(fd, "a+b", 3, 0));

	/* What is sent before close() goes that way, too; more than the module takes at once. */
	ASSERT_TRUE(hears(fd, "b3;", 1, false));
	plain(text, sizeof(text), 1);
	ASSERT_EQ(1024, send(fd, text, 1024, 0));
	ASSERT_EQ(3, send(fd, "b3;", 3, 0));
	ASSERT_EQ(0, close(fd));
	ASSERT_TRUE(atw_becomes((again = bound_to(port)) >= 0, LONG_MS));
	ASSERT_EQ(0, atw_timeouts(again, LONG_MS));
	EXPECT_TRUE(hears(again, "b4;", 1, false));
	close(again);
}

/*
 * What a server has accepted, and somebody else who connects to it: in the mode the bytes of
 * both would be mixed, so it ends; if it was left at that moment both go on.
 */
TEST_F(alone, accepted)
{
	int server, port, fd, err, i, tries = 3;
	int64_t all = 150000, got;
	char verb[64];
	long out;

	if (!atw_has_sim() || !tells_of_others())
		SKIP(return, "nothing tells of others");
	for (i = 0; i < 3; i++) {
		server = atw_server(SOCK_STREAM, 2, &port);
		ASSERT_LE(0, server);
		if (i)
			snprintf(verb, sizeof(verb), "wait intrude %lld 90 %d", (long long)all,
				 port);
		else
			snprintf(verb, sizeof(verb), "wait source %lld 90 1000 10",
				 (long long)all);
		fd = atw_client(server, port, verb);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, atw_room(fd));
		ASSERT_EQ(0, set_tt(fd, ALONE)) {
			TH_LOG("%s", atw_errno_name(errno));
		}
		EXPECT_EQ(ALONE, get_tt(fd));
		out = atw_sim_stat("tt-out");
		/* Goes by a command. */
		ASSERT_EQ(1, send(fd, "+", 1, 0));
		got = atw_download(fd, all, 90, &err);
		ASSERT_LE(0, got);
		if (got < all) {
			EXPECT_EQ(1, !!i);
			EXPECT_STREQ("ECONNRESET", atw_errno_name(err));
		}
		close(fd);
		close(server);
		ASSERT_TRUE(atw_listed_becomes(0, LONG_MS));
		ASSERT_TRUE(atw_sim_has(0, LONG_MS));
		/* A guest that stood still may have entered the mode when all had come. */
		if (out == atw_sim_stat("tt-out")) {
			ASSERT_LT(0, --tries);
			i--;
		}
	}
}

TEST_F(alone, not_in_passive_mode)
{
	int fd;

	ASSERT_EQ(0, atw_write(ATW_RECV_MODE, "passive"));
	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	ASSERT_ERRNO(EOPNOTSUPP, set_tt(fd, 1));
	ASSERT_EQ(0, atw_write(ATW_RECV_MODE, "active"));
	close(fd);
}

TEST_F(transparent, enter_and_leave)
{
	int i;

	EXPECT_EQ(1, get_tt(self->fd));
	for (i = 0; i < 3; i++) {
		EXPECT_TRUE(echoes(self->fd, "hello", 5));
		ASSERT_EQ(0, set_tt(self->fd, 0));
		EXPECT_EQ(0, get_tt(self->fd));
		EXPECT_TRUE(echoes(self->fd, "world", 5));
		ASSERT_EQ(0, set_tt(self->fd, 1));
		EXPECT_EQ(1, get_tt(self->fd));
	}
	/* Again is as good as once. */
	ASSERT_EQ(0, set_tt(self->fd, 1));
	EXPECT_TRUE(echoes(self->fd, "hello", 5));
	ASSERT_EQ(0, set_tt(self->fd, 0));
	ASSERT_EQ(0, set_tt(self->fd, 0));
}

/* A module that says "+OK" to "+++" is heard: else the stream ends, and it is started over. */
TEST_F(transparent, left_by_plus_ok)
{
	int i;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	ASSERT_EQ(0, atw_sim("quirk ok-plus=1"));
	/* It is left for a look, and for what is sent. */
	for (i = 0; i < 2; i++) {
		EXPECT_TRUE(entered_since(entries(), LONG_MS));
		EXPECT_TRUE(atw_echo_works(self->fd, i, 2000)) {
			TH_LOG("%s", atw_errno_name(errno));
		}
	}
	EXPECT_EQ(0, atw_sim("quirk ok-plus=0"));
}

/* What is sent goes by commands in between: the remote could have those of others else. */
TEST_F(transparent, both_ways)
{
	char text[200];
	long in, first = entries(), seen;
	int i;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	in = atw_sim_stat("tt-in");
	for (i = 0; i < 20; i++) {
		seen = entries();
		plain(text, sizeof(text), i);
		ASSERT_TRUE(echoes(self->fd, text, 10 * i + 1));
		/* Another look at the connection, and it is in again. */
		if (i % 4 == 3) {
			ASSERT_TRUE(entered_since(seen, LONG_MS));
		}
	}
	/* No more than what it is left by. */
	EXPECT_GE((entries() - first + 1) * (long)strlen("+++"), atw_sim_stat("tt-in") - in);
	EXPECT_EQ(0, atw_sim_stat("tt-plus-lost"));
}

/*
 * Returns whether the remote's end was seen as one, and any of it came in the mode; all that
 * came before is checked.
 */
static bool download_once(struct __test_metadata *_metadata, long bytes, int chunk, int ms)
{
	long out = atw_has_sim() ? atw_sim_stat("tt-out") : 0;
	char byte;
	int fd, err, n;

	fd = atw_peer("wait source %ld 90 %d %d", bytes, chunk, ms);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_room(fd));
	ASSERT_EQ(0, set_tt(fd, 1));
	ASSERT_EQ(1, atw_send_all(fd, "x", 1));
	ASSERT_EQ(bytes, atw_download(fd, bytes, 90, &err)) {
		TH_LOG("%s", atw_errno_name(err));
	}
	n = recv(fd, &byte, 1, 0);
	ASSERT_TRUE(!n || (n < 0 && errno == ECONNRESET)) {
		TH_LOG("%d %s", n, atw_errno_name(errno));
	}
	close(fd);
	ASSERT_TRUE(atw_listed_becomes(0, LONG_MS));
	/* How much depends on how late everybody is. */
	return !n && (!atw_has_sim() || out < atw_sim_stat("tt-out"));
}

/*
 * The remote's end is seen although the module keeps it to itself, unless the guest
 * stood still for the three seconds after which the module connects again; or for as long
 * as all takes to come, before the mode was entered.
 */
static void download(struct __test_metadata *_metadata, long bytes, int chunk, int ms)
{
	int tries = 3;

	while (!download_once(_metadata, bytes, chunk, ms)) {
		ASSERT_LT(0, --tries);
	}
}

static void upload(struct __test_metadata *_metadata, long bytes)
{
	char line[64], want[64];
	int fd;

	fd = atw_peer("sink %ld 91", bytes);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, set_tt(fd, 1));
	ASSERT_EQ(0, atw_upload(fd, bytes, 91));
	snprintf(want, sizeof(want), "ok %ld", bytes);
	ASSERT_LT(0, atw_recv_line(fd, line, sizeof(line))) {
		TH_LOG("%s", atw_errno_name(errno));
	}
	EXPECT_STREQ(want, line);
	close(fd);
	ASSERT_TRUE(atw_listed_becomes(0, LONG_MS));
}

TEST_F(alone, download_64k)
{
	download(_metadata, 64 * 1024, 1024, 10);
}

TEST_F(alone, download_1m)
{
	/* What nothing slows down is too fast for a guest that checks all it does. */
	download(_metadata, 1024 * 1024, 4096, 25);
}

TEST_F(alone, upload_64k)
{
	upload(_metadata, 64 * 1024);
}

TEST_F(alone, upload_1m)
{
	upload(_metadata, 1024 * 1024);
}

/* ATW_MIB MiB in each direction. */
TEST_F_TIMEOUT(alone, soak, 3000)
{
	long mib = atol(atw_env("ATW_MIB", "0"));

	if (!mib)
		SKIP(return, "ATW_MIB is not set");
	download(_metadata, mib << 20, 4096, 25);
	upload(_metadata, mib << 20);
}

struct flow {
	int fd;
	long bytes;
	const char *bad;
};

static void *uploader(void *arg)
{
	struct flow *f = arg;

	if (atw_upload(f->fd, f->bytes, 93))
		f->bad = atw_errno_name(errno);
	return NULL;
}

TEST_F(alone, duplex)
{
	struct flow f = { .bytes = 256 * 1024 };
	pthread_t thread;
	char line[64];
	int err;

	f.fd = atw_peer("wait duplex %ld 92", f.bytes);
	ASSERT_LE(0, f.fd);
	ASSERT_EQ(0, atw_room(f.fd));
	ASSERT_EQ(0, set_tt(f.fd, 1));
	ASSERT_EQ(1, atw_send_all(f.fd, "x", 1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, uploader, &f));
	ASSERT_EQ(f.bytes, atw_download(f.fd, f.bytes, 92, &err)) {
		TH_LOG("%s", atw_errno_name(err));
	}
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(NULL, f.bad);
	ASSERT_LT(0, atw_recv_line(f.fd, line, sizeof(line)));
	EXPECT_STREQ("ok 262144", line);
	close(f.fd);
}

TEST_F(alone, tls)
{
	int on = 1, fd = socket(atw_family(), SOCK_STREAM | SOCK_CLOEXEC, ATWPROTO_TLS);
	struct sockaddr_atw addr = atw_name_addr(atw_env("ATW_NAME", "peer.test"),
						 atoi(atw_env("ATW_TLS_SELF", "0")));
	static const char verb[] = "source 100000 94 1000 10\n";
	int err;

	ASSERT_LE(0, fd);
	if (!addr.satw_port) {
		close(fd);
		SKIP(return, "no TLS peer");
	}
	atw_timeouts(fd, LONG_MS);
	ASSERT_EQ(0, setsockopt(fd, SOL_ATWIFI, ATW_TLS_UNVERIFIED, &on, sizeof(on)));
	ASSERT_EQ(0, atw_connect(fd, &addr));
	ASSERT_EQ(0, set_tt(fd, 1));
	ASSERT_EQ((ssize_t)strlen(verb), atw_send_all(fd, verb, strlen(verb)));
	EXPECT_EQ(100000, atw_download(fd, 100000, 94, &err)) {
		TH_LOG("%s", atw_errno_name(err));
	}
	close(fd);
}

/* All texts of '+' and another character, each right after the mode was entered. */
TEST_F(transparent, plus_anywhere)
{
	char text[4];
	int len, bits, i;

	for (len = 1; len <= 4; len++) {
		for (bits = 0; bits < 1 << len; bits++) {
			long seen = entries();

			for (i = 0; i < len; i++)
				text[i] = bits >> i & 1 ? '+' : 'x';
			ASSERT_TRUE(echoes(self->fd, text, len)) {
				TH_LOG("%.*s: %s", len, text, atw_errno_name(errno));
			}
			/* With silence before it, too. */
			if (bits + 1 == 1 << len) {
				ASSERT_TRUE(entered_since(seen, LONG_MS));
				atw_pause_ms(100);
				ASSERT_TRUE(echoes(self->fd, text, len));
			}
		}
	}
	if (atw_has_sim()) {
		EXPECT_EQ(0, atw_sim_stat("tt-plus-lost"));
	}
}

/* Writers that pause where it hurts most. */
TEST_F(transparent, plus_slowly)
{
	static const char *const texts[] = { "+++", "a+++b", "++", "+a+a+", "++++++" };
	char back[16];
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		size_t len = strlen(texts[i]);

		for (j = 0; j < len; j++) {
			ASSERT_EQ(1, atw_send_all(self->fd, texts[i] + j, 1));
			atw_pause_ms(30);
		}
		ASSERT_EQ((ssize_t)len, atw_recv_all(self->fd, back, len));
		ASSERT_EQ(0, memcmp(texts[i], back, len));
		atw_pause_ms(300);
	}
}

/* The module sees silences that the host knows nothing of. */
TEST_F(transparent, line_pauses)
{
	char text[900];
	int i, round;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	ASSERT_EQ(0, atw_sim("fault pause,rate=0.5"));
	for (round = 0; round < 12; round++) {
		plain(text, sizeof(text), round);
		/* Rarely, often, only pluses. */
		for (i = round; i < (int)sizeof(text) && round % 4 > 1; i += 300)
			text[i] = '+';
		if (round % 4 == 3)
			memset(text, '+', sizeof(text));
		ASSERT_TRUE(echoes(self->fd, text, round % 2 ? sizeof(text) : 50)) {
			TH_LOG("round %d: %s", round, atw_errno_name(errno));
		}
		atw_pause_ms(300);
	}
	EXPECT_EQ(0, atw_sim_stat("tt-plus-lost"));
}

/* What the remote sends may look like the module's own words. */
TEST_F(transparent, remote_talks_like_a_module)
{
	static const char *const texts[] = {
		"\r\n", "OK\r\n", "\r\nOK\r\n", ">", "\r\nERROR\r\n", "Unknown cmd:AT\r\n",
		"\r\nready\r\n", BANNER, "#calibration_ok:[2:19:11] ",
		"7,4,3,192.0.2.1,9,-1,0\r\n\r\nOK\r\n",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		ASSERT_TRUE(echoes(self->fd, texts[i], strlen(texts[i]))) {
			TH_LOG("text %u: %s", i, atw_errno_name(errno));
		}
		/* It comes again when the mode is being left. */
		atw_pause_ms(200);
		ASSERT_TRUE(echoes(self->fd, "still here", 10)) {
			TH_LOG("text %u: %s", i, atw_errno_name(errno));
		}
	}
	EXPECT_EQ(1, get_tt(self->fd));
}

/* All the time: then it cannot be told, and the stream may end, but not be wrong. */
TEST_F(transparent, remote_says_ok_always)
{
	char text[1200], back[1200];
	uint64_t until = atw_now_ms() + 4000;
	ssize_t n = 0;
	size_t i;

	for (i = 0; i < sizeof(text); i++)
		text[i] = "\r\nOK\r\n"[i % 6];
	while (atw_now_ms() < until && n >= 0) {
		n = atw_send_all(self->fd, text, sizeof(text));
		if (n >= 0)
			n = atw_recv_all(self->fd, back, sizeof(back));
		if (n > 0) {
			ASSERT_EQ(0, memcmp(text, back, n));
		}
	}
	if (n < 0) {
		EXPECT_STREQ("ECONNRESET", atw_errno_name(errno));
	}
	close(self->fd);
	/* Nobody else suffers. */
	self->fd = atw_peer("echo");
	ASSERT_LE(0, self->fd);
	EXPECT_TRUE(echoes(self->fd, "hello", 5));
}

/* Events as data: intact where the module keeps its own back, else an error. */
TEST_F(transparent, remote_sends_events)
{
	static const char *const texts[] = {
		"\r\n+EVENT:WIFI_DISCONNECT\r\n", "\r\n+EVENT:SocketDown,1,5,hello\r\n",
		"\r\n+EVENT:SocketDisconnect,7\r\n", "\r\n+EVENT:", "a\r\n+EVENT:b",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		size_t len = strlen(texts[i]);
		long seen = entries();
		char back[64];
		ssize_t n;

		ASSERT_EQ((ssize_t)len, atw_send_all(self->fd, texts[i], len));
		n = atw_recv_all(self->fd, back, len);
		if (n == (ssize_t)len) {
			ASSERT_EQ(0, memcmp(texts[i], back, len));
			ASSERT_TRUE(entered_since(seen, LONG_MS));
			continue;
		}
		ASSERT_EQ(-1, n);
		EXPECT_STREQ("ECONNRESET", atw_errno_name(errno));
		ASSERT_FALSE(atw_profile_is("bw20"));
		close(self->fd);
		ASSERT_TRUE(atw_listed_becomes(0, LONG_MS));
		self->fd = atw_peer("echo");
		ASSERT_LE(0, self->fd);
		ASSERT_EQ(0, set_tt(self->fd, 1));
	}
	EXPECT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
}

/*
 * The remote closes, and after three seconds the module would connect again: who stood
 * still for so long, which may happen once, is told that nothing is known.
 */
TEST_F(alone, remote_closes)
{
	int fd, i, n, late = 0;
	char buf[100];

	for (i = 0; i < 3; i++) {
		fd = atw_peer("wait source 50 95 10 %d", i * 100 + 100);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, set_tt(fd, 1));
		ASSERT_EQ(1, atw_send_all(fd, "x", 1));
		ASSERT_EQ(50, atw_recv_all(fd, buf, sizeof(buf)));
		EXPECT_EQ(-1, pattern_check(buf, 50, 95, 0));
		n = recv(fd, buf, 1, 0);
		if (n) {
			EXPECT_EQ(ECONNRESET, errno);
			late++;
		}
		ASSERT_ERRNO(EPIPE, send(fd, "x", 1, MSG_NOSIGNAL));
		close(fd);
		ASSERT_TRUE(atw_listed_becomes(0, LONG_MS));
		ASSERT_TRUE(atw_sim_has(0, LONG_MS));
	}
	EXPECT_GE(1, late);
}

/* The remote of the module's only client has gone, which the module tells nobody. */
static bool client_lost(void)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	char reply[2048];

	do {
		if (atw_now_ms() > limit ||
		    atw_sim_at(atw_env("ATW_SIM_CONTROL", ""), reply, sizeof(reply), "sockets"))
			return false;
	} while (strstr(reply, ",4,3,"));
	return true;
}

/* Bytes that were written to nobody are not taken for sent. */
TEST_F(alone, remote_closes_on_writer)
{
	char byte, buf[50];
	int fd;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	/* It takes long enough for the mode to be entered again meanwhile. */
	fd = atw_peer("wait source 50 95 10 300");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, set_tt(fd, 1));
	ASSERT_EQ(1, atw_send_all(fd, "x", 1));
	ASSERT_EQ(50, atw_recv_all(fd, buf, sizeof(buf)));
	ASSERT_TRUE(client_lost());
	if (send(fd, "lost", 4, MSG_NOSIGNAL) < 0) {
		/* The driver has found out first. */
		EXPECT_TRUE(errno == EPIPE || errno == ECONNRESET) {
			TH_LOG("%s", atw_errno_name(errno));
		}
	} else {
		ASSERT_ERRNO(ECONNRESET, recv(fd, &byte, 1, 0));
	}
	close(fd);
}

/* What was written before close() arrives, by whichever way, and no '+' with it. */
TEST_F(alone, close_delivers)
{
	uint64_t limit, before;
	char text[3000];
	int fd, meter, i;

	plain(text, sizeof(text), 3);
	for (i = 0; i < 4; i++) {
		int key = 40 + i, len = i == 3 ? 3000 : i * 400 + 10;

		meter = atw_peer("meter %d", key);
		ASSERT_LE(0, meter);
		before = atw_meter(meter);
		close(meter);
		fd = atw_peer("count %d", key);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, set_tt(fd, 1));
		ASSERT_EQ(len, atw_send_all(fd, text, len));
		close(fd);
		ASSERT_TRUE(atw_listed_becomes(0, LONG_MS));
		meter = atw_peer("meter %d", key);
		ASSERT_LE(0, meter);
		limit = atw_now_ms() + LONG_MS;
		while (atw_meter(meter) != before + len) {
			ASSERT_LT(atw_now_ms(), limit) {
				TH_LOG("%d: %llu", len,
				       (unsigned long long)(atw_meter(meter) - before));
			}
		}
		close(meter);
	}
}

TEST_F(transparent, link_lost)
{
	char byte;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	ASSERT_TRUE(echoes(self->fd, "hello", 5));
	ASSERT_EQ(0, atw_sim("link down"));
	ASSERT_ERRNO(ENETDOWN, recv(self->fd, &byte, 1, 0));
	EXPECT_TRUE(atw_state_becomes(ATW_DEVICE, "down", LONG_MS));
	ASSERT_EQ(0, atw_sim("link up"));
	EXPECT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
}

/* A connection, to a module that may be about to find out that it has restarted. */
static int peer_soon(const char *verb)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	int fd = atw_peer("%s", verb);

	while (fd < 0 && atw_now_ms() < limit) {
		atw_pause_ms(50);
		fd = atw_peer("%s", verb);
	}
	return fd;
}

/* The banner comes in the middle of data, and is none. */
TEST_F(alone, module_resets)
{
	uint8_t buf[4096];
	uint64_t at = 0;
	ssize_t n;
	int fd, i;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	for (i = 0; i < 2; i++) {
		fd = peer_soon(i ? "source 10000000 96 1000 5" : "echo");
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, atw_room(fd));
		ASSERT_EQ(0, set_tt(fd, 1));
		if (i) {
			for (at = 0; at < 50000; at += n) {
				n = recv(fd, buf, sizeof(buf), 0);
				ASSERT_LT(0, n);
				ASSERT_EQ(-1, pattern_check(buf, n, 96, at));
			}
		}
		ASSERT_EQ(0, atw_sim("reset"));
		while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
			ASSERT_EQ(1, i);
			ASSERT_EQ(-1, pattern_check(buf, n, 96, at));
			at += n;
		}
		ASSERT_EQ(-1, n);
		EXPECT_STREQ("ECONNRESET", atw_errno_name(errno));
		close(fd);
		ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
		ASSERT_TRUE(atw_listed_becomes(0, LONG_MS));
	}
}

/* Others need the module: the mode is left for them and entered again. */
TEST_F(transparent, others)
{
	long seen;
	int other, i;

	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(echoes(self->fd, "hello", 5)) {
			TH_LOG("%d: %s", i, atw_errno_name(errno));
		}
		other = atw_peer("echo");
		ASSERT_LE(0, other);
		EXPECT_EQ(1, get_tt(self->fd));
		EXPECT_TRUE(atw_echo_works(other, i, 1000));
		EXPECT_TRUE(atw_echo_works(self->fd, i, 1000));
		EXPECT_TRUE(atw_echo_works(other, i + 1, 100));
		seen = entries();
		close(other);
		ASSERT_TRUE(entered_since(seen, LONG_MS));
		ASSERT_TRUE(echoes(self->fd, "hello", 5)) {
			TH_LOG("%d: %s", i, atw_errno_name(errno));
		}
	}
}

TEST_F(transparent, settings)
{
	long seen;

	ASSERT_EQ(0, atw_write(ATW_RECV_MODE, "passive"));
	EXPECT_EQ(1, get_tt(self->fd));
	EXPECT_TRUE(atw_echo_works(self->fd, 1, 1000));
	seen = entries();
	ASSERT_EQ(0, atw_write(ATW_RECV_MODE, "active"));
	ASSERT_TRUE(entered_since(seen, LONG_MS));
	EXPECT_TRUE(atw_echo_works(self->fd, 2, 1000));
}

/* Who reads nothing loses the connection, not bytes. */
TEST_F(alone, unread)
{
	/* At the pace of a wire less is as good. */
	bool board = !strcmp(atw_env("ATW_GUEST", ""), "board");
	int64_t all = board ? 1000000 : 8000000, got;
	int fd, err;

	fd = atw_peer("source %lld 97", (long long)all);
	ASSERT_LE(0, fd);
	ASSERT_TRUE(!set_tt(fd, 1) || errno == ENOTCONN || errno == ECONNRESET) {
		TH_LOG("%s", atw_errno_name(errno));
	}
	ASSERT_NE(0, POLLERR & atw_wait(fd, 0, LONG_MS));
	got = atw_download(fd, all, 97, &err);
	ASSERT_LE(0, got);
	EXPECT_GT(all, got);
	EXPECT_STREQ("ECONNRESET", atw_errno_name(err));
	close(fd);
}

/* Once a socket's remote has gone the module is told that nobody answers its connect. */
static void *releaser(void *arg)
{
	atw_wait(*(int *)arg, POLLRDHUP, LONG_MS);
	atw_hold(HOLD_ENDS);
	return NULL;
}

struct asker {
	pthread_t thread;
	int fd;
	int out;	/* where its errno goes */
};

static void *asker(void *arg)
{
	struct asker *a = arg;
	int err = set_tt(a->fd, 1) ? errno : 0;

	if (write(a->out, &err, sizeof(err)) != sizeof(err))
		abort();
	return NULL;
}

/* Who asks while another request waits is not kept: the queue is an administrator's. */
TEST_F(alone, asked_once)
{
	struct asker askers[2];
	int fd, other, err, i, out[2];

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	/* The module has no time for either of them. */
	other = atw_hold_module();
	ASSERT_LE(0, other);
	ASSERT_EQ(0, pipe(out));
	for (i = 0; i < 2; i++) {
		askers[i] = (struct asker) { .fd = fd, .out = out[1] };
		ASSERT_EQ(0, pthread_create(&askers[i].thread, NULL, asker, &askers[i]));
	}
	ASSERT_EQ(sizeof(err), read(out[0], &err, sizeof(err)));
	EXPECT_STREQ("EBUSY", atw_errno_name(err));
	/* The other one waits. */
	EXPECT_EQ(0, atw_wait(out[0], POLLIN, 0));
	ASSERT_EQ(0, atw_hold(HOLD_ENDS));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_join(askers[i].thread, NULL));
	ASSERT_EQ(0, atw_hold(HOLD_USUAL));
	close(other);
	close(fd);
}

/* It ends, and so does another one, while the module has no time for the option. */
TEST_F(alone, ended_meanwhile)
{
	int fd, other, ret, err;
	pthread_t thread;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	fd = atw_peer("source 200 98 100 1000");
	ASSERT_LE(0, fd);
	other = atw_hold_module();
	ASSERT_LE(0, other);
	ASSERT_EQ(0, pthread_create(&thread, NULL, releaser, &fd));
	ret = set_tt(fd, 1);
	err = errno;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(0, atw_hold(HOLD_USUAL));
	/* On a slow machine it may have come before that. */
	ASSERT_TRUE(ret && (err == ENOTCONN || err == ECONNRESET || err == EBUSY)) {
		TH_LOG("%d, %s", ret, atw_errno_name(err));
	}
	close(other);
	close(fd);
	ASSERT_TRUE(atw_listed_becomes(0, LONG_MS));
	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	EXPECT_TRUE(atw_echo_works(fd, 1, 100));
	close(fd);
}

TEST_HARNESS_MAIN
