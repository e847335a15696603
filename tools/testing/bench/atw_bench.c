// SPDX-License-Identifier: GPL-2.0
/*
 * Measures what a program gets from a module: how fast streams go both ways,
 * how long a small message takes to the peer and back, and a connect.
 *
 * Prints one JSON object. Nothing is adjusted: the time of a download runs from
 * the request until its last byte is in the program's memory, that of an upload
 * from the first write until the peer has said that it got and checked the last
 * byte.
 *
 * ATW_TRANSPARENT in the environment: streams have the module's transparent mode.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <linux/sockios.h>

#include "pattern.h"
#include "util.h"

#define MESSAGE		64

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

/* The processor time that the whole guest has used, in ticks of USER_HZ. */
static uint64_t cpu_ticks(void)
{
	unsigned long long n[8] = { 0 };
	char *text = atw_slurp("/proc/stat");

	if (text)
		sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", n, n + 1, n + 2, n + 3,
		       n + 4, n + 5, n + 6, n + 7);
	free(text);
	/* All but idle and waiting. */
	return n[0] + n[1] + n[2] + n[5] + n[6] + n[7];
}

static void die(const char *what)
{
	fprintf(stderr, "atw_bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void set_mode(int fd)
{
	int on = 1;

	if (*atw_env("ATW_TRANSPARENT", "") &&
	    setsockopt(fd, SOL_ATWIFI, ATW_TRANSPARENT, &on, sizeof(on)))
		die("ATW_TRANSPARENT");
}

static void settle(int fd)
{
	close(fd);
	/* What is closed is not to share the line with what is measured next. */
	if (!atw_listed_becomes(0, 20000)) {
		errno = ETIMEDOUT;
		die("close");
	}
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void print_times(const char *name, uint64_t *us, unsigned int n)
{
	qsort(us, n, sizeof(*us), by_value);
	printf("\"%s_count\":%u,\"%s_median_ms\":%.3f,\"%s_p99_ms\":%.3f,\"%s_max_ms\":%.3f",
	       name, n, name, us[n / 2] / 1e3, name, us[(n * 99 + 99) / 100 - 1] / 1e3, name,
	       us[n - 1] / 1e3);
}

static void print_rate(const char *name, uint64_t bytes, uint64_t us, uint64_t ticks)
{
	printf("\"%s_bytes\":%llu,\"%s_seconds\":%.6f,\"%s_bytes_per_s\":%.1f,"
	       "\"%s_cpu_ms_per_mib\":%.1f",
	       name, (unsigned long long)bytes, name, us / 1e6, name, bytes * 1e6 / us,
	       name, ticks * 1e3 / sysconf(_SC_CLK_TCK) * 1048576 / bytes);
}

static void download(uint64_t bytes)
{
	uint64_t start, us, ticks;
	char line[64];
	int fd, err;

	fd = atw_socket(SOCK_STREAM);
	if (fd < 0 || atw_timeouts(fd, LONG_S * 1000) || atw_connect_host(fd, atw_peer_port()))
		die("connect");
	set_mode(fd);
	snprintf(line, sizeof(line), "source %llu 1\n", (unsigned long long)bytes);
	ticks = cpu_ticks();
	start = now_us();
	if (atw_send_all(fd, line, strlen(line)) < 0)
		die("request");
	if (atw_download(fd, bytes, 1, &err) != (int64_t)bytes) {
		errno = err;
		die("download");
	}
	us = now_us() - start;
	print_rate("download", bytes, us, cpu_ticks() - ticks);
	settle(fd);
}

static void upload(uint64_t bytes)
{
	uint64_t start, us, ticks;
	int fd, queued = 0;
	char line[64];

	fd = atw_peer("sink %llu 2", (unsigned long long)bytes);
	if (fd < 0)
		die("connect");
	/* The line that asks for it is not part of the stream. */
	while (!ioctl(fd, SIOCOUTQ, &queued) && queued)
		atw_pause_ms(1);
	set_mode(fd);
	ticks = cpu_ticks();
	start = now_us();
	if (atw_upload(fd, bytes, 2))
		die("upload");
	if (atw_recv_line(fd, line, sizeof(line)) <= 0)
		die("the peer's answer");
	us = now_us() - start;
	if (strncmp(line, "ok ", 3)) {
		fprintf(stderr, "atw_bench: the peer says '%s'\n", line);
		exit(1);
	}
	print_rate("upload", bytes, us, cpu_ticks() - ticks);
	settle(fd);
}

static void echo(unsigned int count)
{
	uint64_t *us = calloc(count, sizeof(*us));
	uint8_t out[MESSAGE], in[MESSAGE];
	unsigned int i;
	int fd;

	fd = atw_peer("echo");
	if (fd < 0 || !us)
		die("connect");
	set_mode(fd);
	for (i = 0; i < count; i++) {
		uint64_t start = now_us();

		pattern_fill(out, sizeof(out), i, 0);
		if (atw_send_all(fd, out, sizeof(out)) < 0 ||
		    atw_recv_all(fd, in, sizeof(in)) != sizeof(in))
			die("message");
		us[i] = now_us() - start;
		if (memcmp(in, out, sizeof(in))) {
			fprintf(stderr, "atw_bench: what came back differs\n");
			exit(1);
		}
	}
	print_times("echo", us, count);
	free(us);
	settle(fd);
}

static void connects(unsigned int count)
{
	uint64_t *us = calloc(count, sizeof(*us));
	unsigned int i;
	int fd;

	for (i = 0; us && i < count; i++) {
		uint64_t start = now_us();

		fd = atw_socket(SOCK_STREAM);
		if (fd < 0 || atw_timeouts(fd, LONG_S * 1000) ||
		    atw_connect_host(fd, atw_peer_port()))
			die("connect");
		us[i] = now_us() - start;
		settle(fd);
	}
	print_times("connect", us, count);
	free(us);
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: atw_bench BYTES-DOWN BYTES-UP ECHOES CONNECTS\n");
		return 2;
	}
	printf("{");
	download(strtoull(argv[1], NULL, 10));
	printf(",");
	upload(strtoull(argv[2], NULL, 10));
	printf(",");
	echo(atoi(argv[3]));
	printf(",");
	connects(atoi(argv[4]));
	printf("}\n");
	return 0;
}
