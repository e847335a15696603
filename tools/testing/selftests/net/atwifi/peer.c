// SPDX-License-Identifier: GPL-2.0-only
/*
 * The other end of the tests' connections: ordinary TCP and UDP servers on the
 * machine that the module reaches. What a connection is for its client says in
 * the first line.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <arpa/inet.h>
#include <unistd.h>

#include "pattern.h"

#define GREETING	"the peer speaks first\n"
#define KEYS		64
#define HELD		16
/* No connection of a test is idle for so long: who is, is given up. */
#define IDLE_SECONDS	120

static const char usage_text[] =
"usage: peer [-a ADDRESS] [-p PORT]\n"
"\n"
"  -a ADDRESS  where to listen (127.0.0.1)\n"
"  -p PORT     TCP and UDP; default: a free one\n"
"\n"
"When it listens it prints in one line its port and that where it speaks first. It\n"
"runs until it gets SIGTERM or SIGINT, or until its standard input, if that is a pipe,\n"
"ends.\n"
"\n"
"The first line of a TCP client is one of:\n"
"  echo                      return every byte until the client closes\n"
"  source BYTES SEED [CHUNK MS]\n"
"                            send a stream, in chunks with pauses, then close\n"
"  acked BYTES SEED WINDOW   send a stream, WINDOW bytes at a time; after each of\n"
"                            them wait for a byte from the client; then close\n"
"  intrude BYTES SEED PORT   send a stream, with pauses; in its middle connect to PORT\n"
"                            of this machine, too, and send something there\n"
"  sink BYTES SEED [RATE]    check a stream, read at RATE bytes/s; answer\n"
"                            'ok BYTES' or 'bad OFFSET', then close\n"
"  late BYTES SEED MS        the same, but read nothing for MS first\n"
"  duplex BYTES SEED         both at once: send SEED, check SEED + 1; answer\n"
"                            after the stream as for sink\n"
"  close-after BYTES         read so many bytes, then close\n"
"  reset-after BYTES         read so many bytes, then reset the connection\n"
"  hold                      never read\n"
"  count KEY                 read to the end; KEY (0..63) counts the bytes\n"
"  meter KEY                 for every 8 bytes answer with 8: the bytes of KEY,\n"
"                            little endian\n"
"  bad                       answer with the number of bad streams so far\n"
"  mourn KEY                 never send, read to the end; then KEY counts one\n"
"  dial PORT VERB...         when this connection has ended connect to PORT of\n"
"                            this machine, and be the peer of that connection as\n"
"                            if it had sent VERB...; tries for two minutes\n"
"  try PORT                  connect there and close; answer 'errno N'\n"
"  ask PORT COUNT SIZE SEED MS\n"
"                            send datagrams to PORT of this machine, as !send\n"
"                            does; answer 'got BYTES', the first that comes back\n"
"                            within that time, or 'got 0'\n"
"  pingpong PORT COUNT SIZE SEED\n"
"                            send numbered datagrams to PORT of this machine, each\n"
"                            when the one before has come back as it was, or again\n"
"                            after 5 s; answer 'ok COUNT' or 'bad NUMBER'\n"
"  chat PORT LETTER COUNT KEY\n"
"                            when this connection has ended send '<letter>0;' in a\n"
"                            datagram to PORT of this machine, '<letter>1;' when\n"
"                            that has come back, and so on; again after 1 s; when\n"
"                            the last has come back KEY counts one\n"
"  wait VERB...              read a byte; then the same as VERB...\n"
"The port that speaks first sends '" GREETING "' and goes on like the other one.\n"
"\n"
"A datagram is returned, except\n"
"  !send COUNT SIZE SEED     COUNT datagrams of SIZE bytes, seeds SEED, SEED + 1, ...\n"
"  !hold                     returned when somebody sends\n"
"  !release                  which is not returned\n"
"  !quiet...                 no answer\n";

static _Atomic uint64_t counters[KEYS];
static _Atomic uint64_t bad_streams;

static void serve(int fd, const char *line);

struct stream {
	int fd;
	uint64_t bytes;
	uint32_t seed;
	uint64_t chunk, ms, rate;
	int64_t bad;		/* offset, -1: none */
	uint64_t done;
};

static bool send_all(int fd, const void *buf, size_t len)
{
	return send(fd, buf, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static void say(int fd, const char *word, uint64_t n)
{
	char line[64];

	send_all(fd, line, snprintf(line, sizeof(line), "%s %llu\n", word,
				    (unsigned long long)n));
}

/* Reads so many bytes; false, if it ends before. */
static bool swallow(int fd, uint64_t bytes)
{
	char buf[4096];

	while (bytes) {
		ssize_t n = recv(fd, buf, bytes < sizeof(buf) ? bytes : sizeof(buf), 0);

		if (n <= 0)
			return false;
		bytes -= n;
	}
	return true;
}

/* An orderly end: what the client still sends must not become a reset. */
static void finish(int fd)
{
	shutdown(fd, SHUT_WR);
	swallow(fd, UINT64_MAX);
}

static void reset(int fd)
{
	struct linger linger = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void *source(void *arg)
{
	struct stream *s = arg;
	uint8_t buf[16384];
	size_t n;

	for (; s->done < s->bytes; s->done += n) {
		n = s->chunk && s->chunk < sizeof(buf) ? s->chunk : sizeof(buf);
		if (n > s->bytes - s->done)
			n = s->bytes - s->done;
		pattern_fill(buf, n, s->seed, s->done);
		if (!send_all(s->fd, buf, n))
			break;
		if (s->ms)
			usleep(s->ms * 1000);
	}
	return NULL;
}

/* Reads s->bytes of a stream; where it ends early s->done is less. */
static void sink(struct stream *s)
{
	uint8_t buf[16384];

	s->bad = -1;
	while (s->done < s->bytes) {
		size_t want = sizeof(buf);
		ssize_t n, at;

		if (s->rate && s->rate / 20 + 1 < want)
			want = s->rate / 20 + 1;
		if (want > s->bytes - s->done)
			want = s->bytes - s->done;
		n = recv(s->fd, buf, want, 0);
		if (n <= 0)
			return;
		at = pattern_check(buf, n, s->seed, s->done);
		if (at >= 0 && s->bad < 0) {
			s->bad = s->done + at;
			bad_streams++;
			fprintf(stderr, "peer: stream of seed %u: byte %lld is wrong\n",
				s->seed, (long long)s->bad);
		}
		s->done += n;
		if (s->rate)
			usleep(n * 1000000ULL / s->rate);
	}
}

static void answer(struct stream *s)
{
	if (s->bad >= 0)
		say(s->fd, "bad", s->bad);
	else
		say(s->fd, "ok", s->done);
}

static void duplex(int fd, uint64_t bytes, uint32_t seed)
{
	struct stream out = { .fd = fd, .bytes = bytes, .seed = seed };
	struct stream in = { .fd = fd, .bytes = bytes, .seed = seed + 1 };
	pthread_t thread;

	if (pthread_create(&thread, NULL, source, &out))
		return;
	sink(&in);
	pthread_join(thread, NULL);
	if (in.done == bytes && out.done == bytes) {
		answer(&in);
		finish(fd);
	}
}

static void echo(int fd)
{
	char buf[16384];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		if (!send_all(fd, buf, n))
			return;
	if (!n)
		shutdown(fd, SHUT_WR);
}

static void count(int fd, unsigned int key)
{
	char buf[16384];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		counters[key] += n;
}

static void meter(int fd, unsigned int key)
{
	uint64_t n;

	while (swallow(fd, sizeof(n))) {
		n = htole64(counters[key]);
		if (!send_all(fd, &n, sizeof(n)))
			return;
	}
}

static void hold(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	poll(&p, 1, IDLE_SECONDS * 1000);
}

static void mourn(int fd, unsigned int key)
{
	swallow(fd, UINT64_MAX);
	counters[key]++;
}

static void set_up(int fd)
{
	struct timeval idle = { .tv_sec = IDLE_SECONDS };
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof(idle));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static int connected(int type, unsigned int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port),
				   .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin))) {
		close(fd);
		return -1;
	}
	set_up(fd);
	return fd;
}

/* For datagrams to a port, and for answers that come within that time. */
static int datagrams_to(unsigned int port, unsigned int ms)
{
	struct timeval limit = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	int fd = connected(SOCK_DGRAM, port);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static void dial(int fd, const char *line)
{
	int other, verb = 0, tries = 10 * IDLE_SECONDS;
	unsigned int port;

	if (sscanf(line, "dial %u %n", &port, &verb) != 1 || !verb)
		return;
	say(fd, "ok", 0);
	finish(fd);
	while ((other = connected(SOCK_STREAM, port)) < 0 && --tries)
		usleep(100000);
	if (other >= 0) {
		serve(other, line + verb);
		close(other);
	}
}

static void try(int fd, unsigned int port)
{
	int other = connected(SOCK_STREAM, port);

	say(fd, "errno", other < 0 ? errno : 0);
	if (other >= 0)
		close(other);
	finish(fd);
}

static void ask(int fd, unsigned int port, unsigned int n, unsigned int size, unsigned int seed,
		unsigned int ms)
{
	int udp = datagrams_to(port, ms);
	char buf[2048];
	unsigned int i;
	ssize_t got;

	if (udp < 0 || size > sizeof(buf))
		return;
	for (i = 0; i < n; i++) {
		pattern_fill(buf, size, seed + i, 0);
		send(udp, buf, size, 0);
	}
	got = recv(udp, buf, sizeof(buf), 0);
	if (got > 0 && pattern_check(buf, got, seed, 0) >= 0)
		bad_streams++;
	say(fd, "got", got > 0 ? got : 0);
	close(udp);
	finish(fd);
}

/* Whether datagram number @seq has come back; those before it may come once more. */
static int returned(int udp, unsigned int size, uint32_t seed, uint32_t seq)
{
	char buf[2048];
	int64_t got;
	ssize_t n;

	do {
		n = recv(udp, buf, sizeof(buf), 0);
		if (n < 0)
			return 0;
		got = datagram_check(buf, n, size, seed);
		if (got < 0 || got > seq)
			return -1;
	} while (got < seq);
	return 1;
}

static void pingpong(int fd, unsigned int port, uint32_t n, unsigned int size, uint32_t seed)
{
	int udp = datagrams_to(port, 5000), tries = 0, good = 1;
	char buf[2048];
	uint32_t seq;

	if (udp < 0 || size > sizeof(buf))
		return;
	for (seq = 0; seq < n && tries < 10; seq += good) {
		datagram_fill(buf, size, seed, seq);
		send(udp, buf, size, 0);
		good = returned(udp, size, seed, seq);
		if (good < 0)
			break;
		tries = good ? 0 : tries + 1;
	}
	if (good < 0)
		bad_streams++;
	say(fd, seq == n ? "ok" : "bad", seq);
	close(udp);
	finish(fd);
}

/*
 * Say "<letter>0;" to port number PORT, "<letter>1;" when that has come back, and so on, up to
 * number N - 1: whoever hears one has answered the one before it. What has not come back
 * after a second is said again. This connection ends before.
 */
static void chat(int fd, const char *line)
{
	unsigned int port, n, key, i, tries = 0;
	char text[16], heard[2048];
	size_t len = 0;
	ssize_t got;
	char letter;
	int udp;

	if (sscanf(line, "chat %u %c %u %u", &port, &letter, &n, &key) != 4 || key >= KEYS)
		return;
	say(fd, "ok", 0);
	finish(fd);
	udp = datagrams_to(port, 1000);
	if (udp < 0)
		return;
	for (i = 0; i < n && tries < IDLE_SECONDS; tries++) {
		snprintf(text, sizeof(text), "%c%u;", letter, i);
		send(udp, text, strlen(text), 0);
		do {
			errno = 0;
			got = recv(udp, heard + len, sizeof(heard) - 1 - len, 0);
			if (got > 0)
				len += got;
			heard[len] = '\0';
		} while (got > 0 && len < sizeof(heard) - 1 && !strstr(heard, text));
		if (strstr(heard, text)) {
			i++;
			len = 0;
		} else if (len == sizeof(heard) - 1) {
			len = 0;
		} else if (got < 0 && errno == ECONNREFUSED) {
			sleep(1);
		}
	}
	close(udp);
	if (i == n)
		counters[key]++;
}

/* A stream; in its middle another one begins from here, with bytes of its own. */
static void intrude(struct stream *s, unsigned int port)
{
	static const char foreign[] = "these bytes are of another connection\n";
	uint64_t all = s->bytes;
	int other;

	s->bytes = all / 2;
	source(s);
	other = connected(SOCK_STREAM, port);
	if (other >= 0)
		send_all(other, foreign, strlen(foreign));
	s->bytes = all;
	source(s);
	finish(s->fd);
	if (other >= 0)
		close(other);
}

static void acked(struct stream *s, uint64_t window)
{
	uint64_t all = s->bytes;

	for (s->bytes = 0; s->bytes < all;) {
		s->bytes = all - s->done < window ? all : s->done + window;
		source(s);
		if (s->done != s->bytes || !swallow(s->fd, 1))
			return;
	}
	finish(s->fd);
}

static void serve(int fd, const char *line)
{
	unsigned long long n[5] = { 0 };
	char verb[16] = "";
	struct stream s;

	if (!strncmp(line, "wait ", 5)) {
		if (swallow(fd, 1))
			serve(fd, line + 5);
		return;
	}
	if (sscanf(line, "%15s %llu %llu %llu %llu %llu", verb, n, n + 1, n + 2, n + 3, n + 4) < 1)
		return;
	s = (struct stream) { .fd = fd, .bytes = n[0], .seed = n[1], .bad = -1 };
	if (!strcmp(verb, "echo")) {
		echo(fd);
	} else if (!strcmp(verb, "source")) {
		s.chunk = n[2];
		s.ms = n[3];
		source(&s);
		finish(fd);
	} else if (!strcmp(verb, "intrude")) {
		s.chunk = 1000;
		s.ms = 10;
		intrude(&s, n[2]);
	} else if (!strcmp(verb, "acked")) {
		acked(&s, n[2]);
	} else if (!strcmp(verb, "sink") || !strcmp(verb, "late")) {
		if (*verb == 'l')
			usleep(n[2] * 1000);
		else
			s.rate = n[2];
		sink(&s);
		if (s.done == s.bytes) {
			answer(&s);
			finish(fd);
		}
	} else if (!strcmp(verb, "duplex")) {
		duplex(fd, n[0], n[1]);
	} else if (!strcmp(verb, "close-after")) {
		if (swallow(fd, n[0]))
			finish(fd);
	} else if (!strcmp(verb, "reset-after")) {
		if (swallow(fd, n[0]))
			reset(fd);
	} else if (!strcmp(verb, "hold")) {
		hold(fd);
	} else if (!strcmp(verb, "count") && n[0] < KEYS) {
		count(fd, n[0]);
	} else if (!strcmp(verb, "meter") && n[0] < KEYS) {
		meter(fd, n[0]);
	} else if (!strcmp(verb, "mourn") && n[0] < KEYS) {
		mourn(fd, n[0]);
	} else if (!strcmp(verb, "chat")) {
		chat(fd, line);
	} else if (!strcmp(verb, "dial")) {
		dial(fd, line);
	} else if (!strcmp(verb, "try")) {
		try(fd, n[0]);
	} else if (!strcmp(verb, "ask")) {
		ask(fd, n[0], n[1], n[2], n[3], n[4]);
	} else if (!strcmp(verb, "pingpong")) {
		pingpong(fd, n[0], n[1], n[2], n[3]);
	} else if (!strcmp(verb, "bad")) {
		say(fd, "bad", bad_streams);
		finish(fd);
	} else if (verb[0] < 'a' || verb[0] > 'z') {
		say(fd, "what", 0);	/* it does not speak our language */
	} else {
		fprintf(stderr, "peer: what is '%s'?\n", verb);
		say(fd, "what", 0);
	}
}

static void *client(void *arg)
{
	int fd = (intptr_t)arg;
	char line[128];
	size_t len = 0;

	/* A byte at a time: what follows the line is for others. */
	while (len < sizeof(line) && recv(fd, line + len, 1, 0) == 1) {
		if (line[len] == '\n') {
			line[len] = '\0';
			serve(fd, line);
			break;
		}
		len++;
	}
	close(fd);
	return NULL;
}

static void *greeted(void *arg)
{
	send_all((intptr_t)arg, GREETING, strlen(GREETING));
	return client(arg);
}

static void take_client(int listener, void *(*thread)(void *))
{
	int fd = accept(listener, NULL, NULL);
	pthread_t id;

	if (fd < 0)
		return;
	set_up(fd);
	if (pthread_create(&id, NULL, thread, (void *)(intptr_t)fd))
		close(fd);
	else
		pthread_detach(id);
}

static void datagram(int fd)
{
	static struct sockaddr_in held[HELD];
	static unsigned int nr_held;
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	static char buf[65536];
	unsigned int count, size, seed, i;
	ssize_t n;

	n = recvfrom(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT, (struct sockaddr *)&from, &len);
	if (n < 0)
		return;
	buf[n] = '\0';
	if (!strncmp(buf, "!quiet", 6))
		return;
	if (!strcmp(buf, "!hold") && nr_held < HELD) {
		held[nr_held++] = from;
		return;
	}
	if (!strcmp(buf, "!release")) {
		while (nr_held)
			sendto(fd, "!hold", 5, 0, (struct sockaddr *)&held[--nr_held],
			       sizeof(*held));
		return;
	}
	if (sscanf(buf, "!send %u %u %u", &count, &size, &seed) != 3) {
		sendto(fd, buf, n, 0, (struct sockaddr *)&from, len);
		return;
	}
	if (size > sizeof(buf))
		return;
	for (i = 0; i < count; i++) {
		pattern_fill(buf, size, seed + i, 0);
		sendto(fd, buf, size, 0, (struct sockaddr *)&from, len);
	}
}

static void die(const char *what)
{
	fprintf(stderr, "peer: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int bound(int type, struct in_addr addr, unsigned int *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(*port),
				   .sin_addr = addr };
	socklen_t len = sizeof(sin);
	int one = 1;
	int fd;

	fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) ||
	    getsockname(fd, (struct sockaddr *)&sin, &len)) {
		close(fd);
		return -1;
	}
	if (type == SOCK_STREAM && listen(fd, 64))
		die("listen");
	*port = ntohs(sin.sin_port);
	return fd;
}

int main(int argc, char **argv)
{
	unsigned int port, greet_port = 0, asked = 0, tries = 0;
	struct in_addr addr = { htonl(INADDR_LOOPBACK) };
	int tcp, udp, greet, opt;
	struct pollfd p[4];

	while ((opt = getopt(argc, argv, "a:p:h")) != -1) {
		switch (opt) {
		case 'a':
			if (inet_pton(AF_INET, optarg, &addr) != 1)
				die(optarg);
			break;
		case 'p':
			asked = atoi(optarg);
			break;
		default:
			fputs(usage_text, opt == 'h' ? stdout : stderr);
			return opt == 'h' ? 0 : 2;
		}
	}
	signal(SIGPIPE, SIG_IGN);
	/* A port that is free for TCP may be taken for UDP. */
	do {
		port = asked;
		tcp = bound(SOCK_STREAM, addr, &port);
		if (tcp < 0)
			die("bind");
		udp = bound(SOCK_DGRAM, addr, &port);
		if (udp < 0)
			close(tcp);
	} while (udp < 0 && !asked && ++tries < 20);
	greet = udp < 0 ? -1 : bound(SOCK_STREAM, addr, &greet_port);
	if (greet < 0)
		die("bind");
	printf("%u %u\n", port, greet_port);
	fflush(stdout);

	p[0] = (struct pollfd) { .fd = tcp, .events = POLLIN };
	p[1] = (struct pollfd) { .fd = greet, .events = POLLIN };
	p[2] = (struct pollfd) { .fd = udp, .events = POLLIN };
	/* Whoever started it with a pipe cannot leave it behind. */
	p[3] = (struct pollfd) { .fd = 0 };
	for (;;) {
		if (poll(p, 4, -1) < 0)
			die("poll");
		if (p[0].revents)
			take_client(tcp, client);
		if (p[1].revents)
			take_client(greet, greeted);
		if (p[2].revents)
			datagram(udp);
		if (p[3].revents & POLLHUP)
			return 0;
		if (p[3].revents)
			p[3].fd = -1;
	}
}
