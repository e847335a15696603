// SPDX-License-Identifier: GPL-2.0
/*
 * Fetches a file by HTTP over AF_ATWIFI: to standard output; what happens is
 * told on standard error.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/atwifi.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FAMILY_FILE	"/sys/module/atwifi/parameters/family"
#define TIMEOUT_MS	30000

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("atw_fetch: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static int family(void)
{
	FILE *f = fopen(FAMILY_FILE, "r");
	int number = AF_ATWIFI;

	if (f) {
		if (fscanf(f, "%d", &number) != 1)
			number = AF_ATWIFI;
		fclose(f);
	}
	return number;
}

static int dial(const char *host, const char *port)
{
	struct timeval tv = { .tv_sec = TIMEOUT_MS / 1000 };
	struct sockaddr_atw sa = {};
	struct in_addr in;
	char *end;
	long n;
	int fd;

	n = strtol(port, &end, 10);
	if (*end || n < 1 || n > 65535)
		die("'%s' is no port", port);
	sa.satw_family = family();
	sa.satw_port = htons(n);
	if (inet_pton(AF_INET, host, &in) == 1)
		sa.satw_addr = in.s_addr;
	else if (strlen(host) < sizeof(sa.satw_name))
		strcpy(sa.satw_name, host);
	else
		die("the name is too long");

	fd = socket(sa.satw_family, SOCK_STREAM, 0);
	if (fd < 0)
		die("socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		die("connect to %s port %s: %s", host, port, strerror(errno));
	return fd;
}

static void send_all(int fd, const char *data, size_t len)
{
	ssize_t n;

	while (len) {
		n = send(fd, data, len, MSG_NOSIGNAL);
		if (n < 0)
			die("send: %s", strerror(errno));
		data += n;
		len -= n;
	}
}

static size_t receive(int fd, char *buf, size_t len)
{
	ssize_t n = recv(fd, buf, len, 0);

	if (n < 0)
		die("recv: %s", errno == EAGAIN ? "nothing for 30 s" : strerror(errno));
	return n;
}

static void write_all(const char *data, size_t len)
{
	if (fwrite(data, 1, len, stdout) != len)
		die("write: %s", strerror(errno));
}

/* Takes the head off BUF, returns the body's length. */
static long long parse_head(char *head)
{
	long long length = -1;
	char *line, *end;

	if (strncmp(head, "HTTP/1.", 7) || strncmp(head + 8, " 200 ", 5))
		die("the server says: %.*s", (int)strcspn(head, "\r\n"), head);
	for (line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
		if (strncasecmp(line + 2, "Content-Length:", 15))
			continue;
		length = strtoll(line + 17, &end, 10);
		if (strcspn(end, "\r"))
			length = -1;
	}
	if (length < 0)
		die("the server does not tell the length");
	return length;
}

int main(int argc, char **argv)
{
	static char buf[65536];
	long long length, got, quarter;
	size_t fill = 0, n, rest;
	char *body = NULL;
	double start, end;
	char request[512];
	int fd, len;

	if (argc != 4) {
		fputs("usage: atw_fetch HOST PORT PATH >FILE\n", stderr);
		return 2;
	}
	len = snprintf(request, sizeof(request),
		       "GET %s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\n\r\n",
		       argv[3], argv[1], argv[2]);
	if (len < 0 || (size_t)len >= sizeof(request))
		die("the path is too long");

	start = now();
	fd = dial(argv[1], argv[2]);
	fprintf(stderr, "connected to %s port %s after %.0f ms\n", argv[1], argv[2],
		(now() - start) * 1e3);

	start = now();
	send_all(fd, request, len);
	while (!body) {
		if (fill == sizeof(buf) - 1)
			die("the answer's head is too long");
		n = receive(fd, buf + fill, sizeof(buf) - 1 - fill);
		if (!n)
			die("the server closed the connection");
		fill += n;
		buf[fill] = '\0';
		body = strstr(buf, "\r\n\r\n");
	}
	*body = '\0';
	body += 4;
	rest = fill - (body - buf);
	length = parse_head(buf);
	if ((long long)rest > length)
		die("more than the server announced");
	write_all(body, rest);

	quarter = 1;
	for (got = rest; got < length; got += n) {
		n = receive(fd, buf, sizeof(buf));
		if (!n)
			die("only %lld of %lld bytes came", got, length);
		if ((long long)n > length - got)
			die("more than the server announced");
		write_all(buf, n);
		end = now();
		if ((got + (long long)n) * 4 / length >= quarter && quarter < 4) {
			fprintf(stderr, "%7lld of %lld bytes, %.1f kB/s\n", got + (long long)n,
				length, (got + n) / (end - start) / 1e3);
			quarter++;
		}
	}
	end = now();
	if (receive(fd, buf, sizeof(buf)))
		die("more than the server announced");
	if (fflush(stdout))
		die("write: %s", strerror(errno));
	fprintf(stderr, "%7lld of %lld bytes, %.1f kB/s\n", got, length,
		got / (end - start) / 1e3);
	close(fd);
	return 0;
}
