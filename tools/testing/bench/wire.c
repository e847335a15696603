// SPDX-License-Identifier: GPL-2.0-only
/*
 * A wire between two unix sockets, for one client each: BAUD/10 bytes a second each way,
 * 8N1, paced as atsim paces its own: the first character takes its time too, and who comes
 * late makes up for at most 50 ms. Little is on the way, the rest waits at its sender; and
 * a receiver that is slow holds its sender up, as with RTS.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CATCH_UP_NS	50000000ULL
/* How often bytes arrive while many cross. */
#define TICK_NS		1000000ULL

static uint64_t char_ns;
static int ends[2];

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
	struct timespec ts = { ns / 1000000000, ns % 1000000000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

/* Carries what comes from one end to the other, until one of them is gone. */
static void *carry(void *arg)
{
	int from = *(int *)arg, to = ends[arg == &ends[0]];
	uint64_t used = 0;	/* the wire, up to this time */
	uint8_t buf[4096];
	int waits = 0;		/* does the next byte follow at once? */
	ssize_t n, done, put;

	prctl(PR_SET_TIMERSLACK, 1);
	for (;;) {
		struct pollfd p = { .fd = from, .events = POLLIN };
		size_t most = TICK_NS / char_ns + 1;
		uint64_t now;

		n = read(from, buf, most < sizeof(buf) ? most : sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			exit(0);
		now = now_ns();
		if (!waits && used < now)
			used = now;
		else if (used + CATCH_UP_NS < now)
			used = now - CATCH_UP_NS;
		used += n * char_ns;
		sleep_until(used);
		/* Before anybody can answer to what arrives now. */
		waits = poll(&p, 1, 0) > 0;
		for (done = 0; done < n; done += put) {
			put = write(to, buf + done, n - done);
			if (put < 0)
				exit(0);
		}
	}
	return NULL;
}

static int listener(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 1)) {
		perror(path);
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	int listeners[2], least = 1, i;
	pthread_t thread;
	unsigned long baud = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;

	if (!baud) {
		fprintf(stderr, "usage: wire SOCKET SOCKET BAUD\n");
		return 2;
	}
	char_ns = 10000000000ULL / baud;
	for (i = 0; i < 2; i++)
		listeners[i] = listener(argv[1 + i]);
	puts("listens");
	fflush(stdout);
	for (i = 0; i < 2; i++) {
		ends[i] = accept(listeners[i], NULL, NULL);
		if (ends[i] < 0) {
			perror("accept");
			return 1;
		}
		setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
	}
	if (pthread_create(&thread, NULL, carry, &ends[0]))
		return 1;
	carry(&ends[1]);
	return 0;
}
