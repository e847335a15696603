// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures what a program gets from a line: how fast streams go both ways, alone and
 * together, how long a small message takes to the peer and back, fetches, connects.
 *
 * Prints one JSON object for each test. Nothing is adjusted: the time of a download runs
 * from the request until its last byte is in the program's memory, that of an upload from
 * the first write until the peer has said that it got and checked the last byte.
 *
 * ATW_TRANSPARENT in the environment: streams have the module's transparent mode.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <linux/sockios.h>

#include "pattern.h"
#include "util.h"

#define MESSAGE		64
#define MOST_THREADS	32
#define MOST_TIMES	20000
/* What runs beside the echoes has found its pace by then. */
#define WARM_UP_MS	2000
/* Between two echoes beside something else, as of somebody who types fast. */
#define PAUSE_MS	20
/* Longer than anybody waits for the end. */
#define ENDLESS		1000000000ULL
/* Until the module has joined. */
#define JOIN_TRIES	100
#define JOIN_US		100000
/* As long as the driver's, each byte takes time; one that was deleted is not used again at once. */
#define FIRST_ID	100
#define IDS		50

#define NOBODY		65534
/* What each process of that user has waiting, and for how long: whoever gives up asks anew. */
#define ASKS		16
#define ASKS_MS		3000
/*
 * The driver lets somebody have some seconds of connects before others have as much, and once:
 * within this time of connects of two seconds that is used up, and the rest is what lasts.
 */
#define AHEAD_MS	8000

static const char usage[] =
"usage: atw_bench NAME=TEST...\n"
"  download:BYTES  upload:BYTES  writes:SIZE:BYTES  uploads:COUNT:BYTES\n"
"  echo:COUNT:SECONDS  loaded:UPLOADS:DOWNLOADS:SECONDS\n"
"  fetches:PARALLEL:COUNT:BYTES  connect:COUNT\n"
"  starve:PROCESSES:SECONDS  exhaust:PENDING:ROUNDS:SILENT_MS\n"
"  spray:PER_SECOND:REMOTES:SECONDS   beside another user\n"
"  module:COUNT   connects by AT commands of ours, on ATW_TTY\n"
"NAME begins the names of the figures.\n";

static const char *name;
static uint64_t times[MOST_TIMES];

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

static void die(const char *what)
{
	fprintf(stderr, "atw_bench: %s: %s: %s\n", name, what, strerror(errno));
	exit(1);
}

static void figure(const char *what, double value)
{
	printf(",\"%s_%s\":%.10g", name, what, value);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void print_times(unsigned int n)
{
	figure("count", n);
	if (!n)
		return;
	qsort(times, n, sizeof(*times), by_value);
	figure("p50_ms", times[n / 2] / 1e3);
	figure("p99_ms", times[(n * 99 + 99) / 100 - 1] / 1e3);
	figure("max_ms", times[n - 1] / 1e3);
}

static void print_rate(uint64_t bytes, uint64_t us)
{
	figure("bytes", bytes);
	figure("seconds", us / 1e6);
	figure("bytes_per_s", bytes * 1e6 / us);
}

static void set_mode(int fd)
{
	int on = 1;

	if (*atw_env("ATW_TRANSPARENT", "") &&
	    setsockopt(fd, SOL_ATWIFI, ATW_TRANSPARENT, &on, sizeof(on)))
		die("ATW_TRANSPARENT");
}

/* Where TCP is ours it is not to wait for more: the sockets of AF_ATWIFI do not. */
static int undelayed(int fd)
{
	int on = 1;

	if (fd < 0)
		die("connect");
	if (atw_family() == AF_INET)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* What is closed is not to share the line with what is measured next. */
static void settle(void)
{
	if (access(ATW_PROC, F_OK)) {
		atw_pause_ms(300);
	} else if (!atw_listed_becomes(0, LONG_MS)) {
		errno = ETIMEDOUT;
		die("close");
	}
}

/*
 * The module looks for input every so often. Who begins right after its answer always
 * has the same part of that to wait for: nobody in particular does.
 */
static void any_time(void)
{
	usleep(PAUSE_MS * 1000 + rand() % (PAUSE_MS * 1000));
}

static void download(uint64_t bytes)
{
	uint64_t start, us;
	char line[64];
	int fd, err;

	fd = undelayed(atw_socket(SOCK_STREAM));
	if (atw_timeouts(fd, LONG_MS) || atw_connect_host(fd, atw_peer_port()))
		die("connect");
	set_mode(fd);
	snprintf(line, sizeof(line), "source %llu 1\n", (unsigned long long)bytes);
	start = now_us();
	if (atw_send_all(fd, line, strlen(line)) < 0)
		die("request");
	if (atw_download(fd, bytes, 1, &err) != (int64_t)bytes) {
		errno = err;
		die("download");
	}
	us = now_us() - start;
	print_rate(bytes, us);
	close(fd);
}

/* A connection for an upload; the line that asks for it is not part of the stream. */
static int sink(uint64_t bytes)
{
	int fd = undelayed(atw_peer("sink %llu 2", (unsigned long long)bytes));
	int queued = 0;

	while (!ioctl(fd, SIOCOUTQ, &queued) && queued)
		atw_pause_ms(1);
	return fd;
}

/* Sends it, in writes of @size bytes, and waits until the peer has got it. */
static void pour(int fd, uint64_t bytes, size_t size)
{
	uint8_t buf[8192];
	char line[64];
	uint64_t at;
	size_t n;

	for (at = 0; at < bytes; at += n) {
		n = bytes - at < size ? bytes - at : size;
		pattern_fill(buf, n, 2, at);
		if (atw_send_all(fd, buf, n) < 0)
			die("upload");
	}
	if (atw_recv_line(fd, line, sizeof(line)) <= 0)
		die("the peer's answer");
	if (strncmp(line, "ok ", 3)) {
		fprintf(stderr, "atw_bench: the peer says '%s'\n", line);
		exit(1);
	}
}

static void upload(uint64_t bytes, size_t size)
{
	uint64_t start, us;
	int fd = sink(bytes);

	set_mode(fd);
	start = now_us();
	pour(fd, bytes, size);
	us = now_us() - start;
	print_rate(bytes, us);
	close(fd);
}

static void start_thread(pthread_t *thread, void *(*fn)(void *), void *arg)
{
	errno = pthread_create(thread, NULL, fn, arg);
	if (errno)
		die("thread");
}

static struct {
	pthread_barrier_t start;
	uint64_t bytes, us[MOST_THREADS];
} several;

static void *one_upload(void *arg)
{
	int fd = sink(several.bytes);
	uint64_t start, *us = arg;

	pthread_barrier_wait(&several.start);
	start = now_us();
	pour(fd, several.bytes, 8192);
	*us = now_us() - start;
	close(fd);
	return NULL;
}

/* So many at once, of so many bytes each: where all get the same they end together. */
static void uploads(unsigned int count, uint64_t bytes)
{
	double sum = 0, squares = 0, last = 0;
	pthread_t threads[MOST_THREADS];
	unsigned int i;

	several.bytes = bytes;
	pthread_barrier_init(&several.start, NULL, count);
	for (i = 0; i < count; i++)
		start_thread(&threads[i], one_upload, &several.us[i]);
	for (i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < count; i++) {
		double rate = bytes * 1e6 / several.us[i];

		sum += rate;
		squares += rate * rate;
		if (several.us[i] > last)
			last = several.us[i];
	}
	figure("bytes", count * bytes);
	figure("seconds", last / 1e6);
	figure("bytes_per_s", count * bytes * 1e6 / last);
	figure("jain_index", sum * sum / (count * squares));
}

/* One after the other; returns how many there were. */
static unsigned int echoes(int fd, unsigned int most, uint64_t us, int pause_ms)
{
	uint64_t end = now_us() + us;
	uint8_t out[MESSAGE], in[MESSAGE];
	unsigned int i;

	for (i = 0; i < most && i < MOST_TIMES && now_us() < end; i++) {
		uint64_t start = now_us();

		pattern_fill(out, sizeof(out), i, 0);
		if (atw_send_all(fd, out, sizeof(out)) < 0 ||
		    atw_recv_all(fd, in, sizeof(in)) != sizeof(in))
			die("message");
		times[i] = now_us() - start;
		if (memcmp(in, out, sizeof(in))) {
			fprintf(stderr, "atw_bench: what came back differs\n");
			exit(1);
		}
		if (pause_ms)
			atw_pause_ms(pause_ms);
	}
	return i;
}

static void echo(unsigned int count, unsigned int seconds)
{
	int fd = undelayed(atw_peer("echo"));

	set_mode(fd);
	print_times(echoes(fd, count, seconds * 1000000ULL, 0));
	close(fd);
}

static _Atomic bool stop;
static _Atomic uint64_t downloaded;

/* What is queued at the end is of no interest. */
static void abandon(int fd)
{
	struct linger now = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

static void *endless_upload(void *arg)
{
	int fd = undelayed(atw_peer("count 0"));
	uint8_t buf[8192];

	pattern_fill(buf, sizeof(buf), 2, 0);
	while (!stop)
		if (atw_send_all(fd, buf, sizeof(buf)) < 0)
			die("upload");
	abandon(fd);
	return NULL;
}

static void *endless_download(void *arg)
{
	int fd = undelayed(atw_peer("source %llu 1", ENDLESS));
	uint8_t buf[8192];

	while (!stop) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n <= 0)
			die("download");
		downloaded += n;
	}
	abandon(fd);
	return NULL;
}

/* Echoes beside so many streams, and what these get meanwhile, by what the peer has got. */
static void loaded(unsigned int up, unsigned int down, unsigned int seconds)
{
	pthread_t threads[MOST_THREADS];
	uint64_t start, sent, got, us;
	int fd, meter;
	unsigned int i, count;

	stop = false;
	fd = undelayed(atw_peer("echo"));
	meter = undelayed(atw_peer("meter 0"));
	for (i = 0; i < up + down; i++)
		start_thread(&threads[i], i < up ? endless_upload : endless_download, NULL);
	atw_pause_ms(WARM_UP_MS);
	sent = atw_meter(meter);
	got = downloaded;
	start = now_us();
	count = echoes(fd, MOST_TIMES, seconds * 1000000ULL, PAUSE_MS);
	got = downloaded - got;
	us = now_us() - start;
	if (down)
		figure("download_bytes_per_s", got * 1e6 / us);
	sent = atw_meter(meter) - sent;
	us = now_us() - start;
	if (up)
		figure("upload_bytes_per_s", sent * 1e6 / us);
	print_times(count);
	stop = true;
	for (i = 0; i < up + down; i++)
		pthread_join(threads[i], NULL);
	close(meter);
	close(fd);
}

static struct {
	_Atomic int left;
	_Atomic unsigned int done, failed;
	uint64_t bytes;
} wanted;

static void *fetch(void *arg)
{
	while (wanted.left-- > 0) {
		uint64_t start = now_us();
		int fd, err;

		fd = atw_peer("source %llu 1", (unsigned long long)wanted.bytes);
		/* The byte that is asked for beyond it is the end of the stream. */
		if (fd >= 0 && atw_download(fd, wanted.bytes + 1, 1, &err) == (int64_t)wanted.bytes)
			times[wanted.done++] = now_us() - start;
		else
			wanted.failed++;
		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

static void fetches(unsigned int parallel, unsigned int count, uint64_t bytes)
{
	pthread_t threads[MOST_THREADS];
	uint64_t start = now_us();
	unsigned int i;

	wanted.left = count < MOST_TIMES ? count : MOST_TIMES;
	wanted.bytes = bytes;
	wanted.done = 0;
	wanted.failed = 0;
	for (i = 0; i < parallel; i++)
		start_thread(&threads[i], fetch, NULL);
	for (i = 0; i < parallel; i++)
		pthread_join(threads[i], NULL);
	figure("per_s", wanted.done * 1e6 / (now_us() - start));
	figure("failed_count", wanted.failed);
	print_times(wanted.done);
}

static void connects(unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count && i < MOST_TIMES; i++) {
		uint64_t start;
		int fd;

		any_time();
		start = now_us();
		fd = atw_socket(SOCK_STREAM);
		if (fd < 0 || atw_timeouts(fd, LONG_MS) ||
		    atw_connect_host(fd, atw_peer_port()))
			die("connect");
		times[i] = now_us() - start;
		close(fd);
		settle();
	}
	print_times(i);
}

static struct {
	pid_t pid[MOST_THREADS];
	unsigned int n;
	int told;
} crowd;

static void ask_hole(unsigned int n, int ms)
{
	int *fds = calloc(n, sizeof(*fds));
	unsigned int i;

	if (!fds)
		_exit(1);
	for (i = 0; i < n; i++) {
		fds[i] = atw_socket(SOCK_STREAM | SOCK_NONBLOCK);
		if (fds[i] >= 0)
			atw_connect_hole(fds[i]);
	}
	atw_pause_ms(ms);
	for (i = 0; i < n; i++)
		close(fds[i]);
	free(fds);
}

/* Datagrams to so many remotes, of which none answers, in turn. */
static void send_hole(unsigned int per_second, unsigned int remotes)
{
	unsigned int i, at = 0, ticks = 50;
	struct sockaddr_in to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char text[40] = "";

	inet_pton(AF_INET, atw_env("ATW_HOLE", "198.51.100.1"), &to.sin_addr);
	for (;;) {
		for (i = 0; i < per_second / ticks; i++) {
			to.sin_port = htons(10000 + at++ % remotes);
			sendto(fd, text, sizeof(text), MSG_DONTWAIT, (struct sockaddr *)&to,
			       sizeof(to));
		}
		atw_pause_ms(1000 / ticks);
	}
}

/*
 * Processes of a user who has no more rights than anybody, which wait until they are told.
 * They are begun before any thread of ours is. With @per_second they send datagrams, else
 * each has @n connects waiting.
 */
static void gather(unsigned int processes, unsigned int n, unsigned int per_second)
{
	struct rlimit many = { 4096, 4096 };
	gid_t group = NOBODY;
	int told[2];
	char byte;

	if (atw_family() != AF_INET && atw_write(ATW_GROUPS, "65534 65534"))
		die(ATW_GROUPS);
	if (pipe(told))
		die("pipe");
	for (crowd.n = 0; crowd.n < processes && crowd.n < MOST_THREADS; crowd.n++) {
		crowd.pid[crowd.n] = fork();
		if (crowd.pid[crowd.n] < 0)
			die("fork");
		if (crowd.pid[crowd.n])
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (setrlimit(RLIMIT_NOFILE, &many) || setgroups(1, &group) ||
		    setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
			_exit(1);
		close(told[1]);
		if (read(told[0], &byte, 1))
			_exit(1);
		if (per_second)
			send_hole(per_second, n);
		for (;;)
			ask_hole(n, ASKS_MS);
	}
	close(told[0]);
	crowd.told = told[1];
}

static void let_go(void)
{
	close(crowd.told);
}

static void send_away(void)
{
	unsigned int i;

	for (i = 0; i < crowd.n; i++) {
		kill(crowd.pid[i], SIGKILL);
		waitpid(crowd.pid[i], NULL, 0);
	}
}

/*
 * What the upload has got at the peer within this time, in bytes a second. Either question may
 * have to wait for a connect, in which nothing is sent: the time is that of the answers, so that
 * it has as many connects as it is long.
 */
static double metered(int meter, unsigned int seconds)
{
	uint64_t before = atw_meter(meter), start = now_us(), got;

	atw_pause_ms(seconds * 1000);
	got = atw_meter(meter) - before;
	return got * 1e6 / (now_us() - start);
}

/* The longest connect, with its first word, in ms: one more, or those before. */
static double longest_connect(double before)
{
	uint64_t start = now_us();
	int fd = undelayed(atw_peer("echo"));
	double ms = (now_us() - start) / 1e3;

	close(fd);
	return ms > before ? ms : before;
}

/* An upload alone, and then beside another user, of two whose share is a half each. */
static void shared(unsigned int seconds, unsigned int connects_beside)
{
	double alone, beside, longest = 0;
	pthread_t thread;
	unsigned int i;
	int meter;

	stop = false;
	meter = undelayed(atw_peer("meter 0"));
	start_thread(&thread, endless_upload, NULL);
	atw_pause_ms(WARM_UP_MS);
	alone = metered(meter, seconds / 2);
	let_go();
	atw_pause_ms(AHEAD_MS);
	beside = metered(meter, seconds);
	for (i = 0; i < connects_beside; i++) {
		longest = longest_connect(longest);
		any_time();
	}
	stop = true;
	send_away();
	pthread_join(thread, NULL);
	close(meter);
	figure("alone_bytes_per_s", alone);
	figure("share_percent", 100 * beside / (alone / 2));
	if (connects_beside)
		figure("connect_max_ms", longest);
}

static void starve(unsigned int processes, unsigned int seconds)
{
	gather(processes, ASKS, 0);
	shared(seconds, 0);
}

static void spray(unsigned int per_second, unsigned int remotes, unsigned int seconds)
{
	gather(1, remotes, per_second);
	shared(seconds, 10);
}

/* How long our connects take while another user has many waiting for silent remotes. */
static void exhaust(unsigned int pending, unsigned int rounds, unsigned int silent_ms)
{
	double longest = 0;
	unsigned int i;

	gather(1, pending, 0);
	let_go();
	/* One of them is under way. */
	atw_pause_ms(silent_ms / 2);
	for (i = 0; i < rounds; i++) {
		longest = longest_connect(longest);
		atw_pause_ms(silent_ms / 2);
	}
	send_away();
	figure("connect_max_ms", longest);
}

/* Whether the module says that it has done it; and which socket it names meanwhile, if any. */
static bool command(int fd, const char *line, int *id)
{
	char answer[1024];
	size_t have = 0;
	ssize_t n;

	if (write(fd, line, strlen(line)) != (ssize_t)strlen(line))
		die(line);
	while (have < sizeof(answer) - 1) {
		if (atw_wait(fd, POLLIN, LONG_MS) <= 0)
			break;
		n = read(fd, answer + have, sizeof(answer) - 1 - have);
		if (n <= 0)
			break;
		have += n;
		answer[have] = '\0';
		if (strstr(answer, "\r\nOK\r\n")) {
			const char *named = strstr(answer, "ConID=");

			if (id && named)
				*id = atoi(named + strlen("ConID="));
			return true;
		}
		if (strstr(answer, "ERROR") && answer[have - 1] == '\n')
			return false;
	}
	die(line);
	return false;
}

/* What a connect takes where nobody but the module has a part in it. */
static void module(unsigned int count)
{
	int fd = open(atw_env("ATW_TTY", "ATW_TTY"), O_RDWR | O_NOCTTY);
	struct termios raw;
	unsigned int i, tries = 0;
	bool chosen = true;
	char line[128];
	int id;

	if (fd < 0 || tcgetattr(fd, &raw))
		die("the module's line");
	cfmakeraw(&raw);
	tcsetattr(fd, TCSANOW, &raw);
	if (!command(fd, "ATE0\r\n", NULL))
		die("ATE0");
	for (i = 0; i < count && i < MOST_TIMES;) {
		uint64_t start;

		any_time();
		start = now_us();
		id = FIRST_ID + i % IDS;
		snprintf(line, sizeof(line), chosen ? "AT+SOCKET=4,%s,%d,0,%d\r\n" :
			 "AT+SOCKET=4,%s,%d\r\n", atw_env("ATW_HOST", "192.0.2.1"),
			 atw_peer_port(), id);
		if (command(fd, line, &id)) {
			times[i++] = now_us() - start;
			snprintf(line, sizeof(line), "AT+SOCKETDEL=%d\r\n", id);
			if (!command(fd, line, NULL)) {
				errno = EIO;
				die(line);
			}
		} else if (!i && tries++ < JOIN_TRIES) {
			/* It joins by itself, soon; and not every firmware takes a number. */
			chosen = tries < JOIN_TRIES / 2;
			usleep(JOIN_US);
		} else {
			errno = EIO;
			die(line);
		}
	}
	print_times(i);
	close(fd);
}

static bool run(const char *test)
{
	unsigned long long a = 0, b = 0, c = 0;
	char kind[16] = "";

	sscanf(test, "%15[a-z]:%llu:%llu:%llu", kind, &a, &b, &c);
	if (!strcmp(kind, "download"))
		download(a);
	else if (!strcmp(kind, "upload"))
		upload(a, 8192);
	else if (!strcmp(kind, "writes") && a && a <= 8192)
		upload(b, a);
	else if (!strcmp(kind, "uploads") && a && a <= MOST_THREADS)
		uploads(a, b);
	else if (!strcmp(kind, "echo"))
		echo(a, b);
	else if (!strcmp(kind, "loaded") && a + b <= MOST_THREADS)
		loaded(a, b, c);
	else if (!strcmp(kind, "fetches") && a <= MOST_THREADS)
		fetches(a, b, c);
	else if (!strcmp(kind, "connect"))
		connects(a);
	else if (!strcmp(kind, "starve"))
		starve(a, b);
	else if (!strcmp(kind, "spray") && b)
		spray(a, b, c);
	else if (!strcmp(kind, "exhaust"))
		exhaust(a, b, c);
	else if (!strcmp(kind, "module"))
		module(a);
	else
		return false;
	return true;
}

/* Who reads the line says so when he has seen how much of the machine's time that has taken. */
static void end_line(void)
{
	printf("}\n");
	fflush(stdout);
	getchar();
}

int main(int argc, char **argv)
{
	int i;

	signal(SIGPIPE, SIG_IGN);
	name = argv[0];
	/* Each line ends a test; this one, what was before the first, a page perhaps. */
	settle();
	printf("{");
	end_line();
	for (i = 1; i < argc; i++) {
		char *test = strchr(argv[i], '=');

		if (!test)
			break;
		*test++ = '\0';
		name = argv[i];
		printf("{\"test\":\"%s\"", name);
		if (!run(test))
			break;
		end_line();
		settle();
	}
	if (argc < 2 || i < argc) {
		fputs(usage, stderr);
		return 2;
	}
	return 0;
}
