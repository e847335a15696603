// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pattern.h"
#include "util.h"

/* What a file begins with; OTHERWISE, if there is none. */
static long file_number(const char *path, long otherwise)
{
	char *text = atw_slurp(path);
	long n = text ? atol(text) : otherwise;

	free(text);
	return n;
}

/* Closes what something has failed with, if it is open; -1, and errno says what, still. */
int atw_failed(int fd)
{
	int err = errno;

	close(fd);
	errno = err;
	return -1;
}

int atw_family(void)
{
	static int family;

	/* The same through the network device. */
	if (!strcmp(atw_env("ATW_FAMILY", ""), "inet"))
		return AF_INET;
	if (!family)
		family = file_number("/sys/module/atwifi/parameters/family", 0);
	return family ? family : AF_ATWIFI;
}

const char *atw_env(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && *value ? value : otherwise;
}

int atw_peer_port(void)
{
	return atoi(atw_env("ATW_PEER_PORT", "7007"));
}

int atw_greet_port(void)
{
	return atoi(atw_env("ATW_GREET_PORT", "7008"));
}

int atw_max_sockets(void)
{
	return atoi(atw_env("ATW_MAX_SOCKETS", "5"));
}

/* Is the guest's kernel of this version, or newer? */
bool atw_kernel_at_least(unsigned int major, unsigned int minor)
{
	unsigned int is_major, is_minor;
	struct utsname name;

	if (uname(&name) || sscanf(name.release, "%u.%u", &is_major, &is_minor) != 2)
		return false;
	return is_major > major || (is_major == major && is_minor >= minor);
}

uint64_t atw_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

void atw_pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

int atw_socket(int type)
{
	return socket(atw_family(), type | SOCK_CLOEXEC, 0);
}

bool atw_profile_is(const char *name)
{
	return !strcmp(atw_env("ATW_PROFILE", ""), name);
}

/* Is it of those that are built of the vendor's open SDK? */
bool atw_of_open_sdk(void)
{
	return atw_profile_is("middleware") || atw_profile_is("p23") || atw_profile_is("m61");
}

int atw_bind(int fd, int port)
{
	struct sockaddr_atw addr = atw_addr("0.0.0.0", port);

	return bind(fd, (struct sockaddr *)&addr, sizeof(addr));
}

/* The local port of a socket, or -1. */
int atw_port(int fd)
{
	struct sockaddr_atw addr;
	socklen_t len = sizeof(addr);

	return getsockname(fd, (struct sockaddr *)&addr, &len) ? -1 : ntohs(addr.satw_port);
}

/*
 * A server at a free port. The emulated module's ports are this machine's, where
 * others may have taken one that the driver chooses: it tries another one then.
 */
int atw_server(int type, int backlog, int *port)
{
	int fd = atw_socket(type);

	if (fd < 0)
		return -1;
	if (type == SOCK_STREAM ? listen(fd, backlog) : atw_bind(fd, 0))
		return atw_failed(fd);
	*port = atw_port(fd);
	return fd;
}

/* accept() that does not wait for ever. */
int atw_accept(int fd)
{
	if (atw_wait(fd, POLLIN, LONG_MS) <= 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		atw_timeouts(fd, LONG_MS);
	return fd;
}

struct sockaddr_atw atw_addr(const char *ip, int port)
{
	struct sockaddr_atw addr;

	memset(&addr, 0, sizeof(addr));
	addr.satw_family = atw_family();
	addr.satw_port = htons(port);
	inet_pton(AF_INET, ip, &addr.satw_addr);
	return addr;
}

struct sockaddr_atw atw_name_addr(const char *name, int port)
{
	struct sockaddr_atw addr = atw_addr("0.0.0.0", port);

	memcpy(addr.satw_name, name, strnlen(name, ATW_NAME_MAX));
	return addr;
}

int atw_connect(int fd, const struct sockaddr_atw *addr)
{
	if (addr->satw_family == AF_INET) {
		struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = addr->satw_port };

		sin.sin_addr.s_addr = addr->satw_addr;
		return connect(fd, (const struct sockaddr *)&sin, sizeof(sin));
	}
	return connect(fd, (const struct sockaddr *)addr, sizeof(*addr));
}

int atw_connect_host(int fd, int port)
{
	struct sockaddr_atw addr = atw_addr(atw_env("ATW_HOST", "192.0.2.1"), port);

	return atw_connect(fd, &addr);
}

/*
 * To where nobody answers, which keeps the module busy for seconds; and each time where the
 * driver has not asked before.
 */
int atw_connect_hole(int fd)
{
	static unsigned int count;
	unsigned int port = 1024 + (getpid() * 32 + count++) % 60000;
	struct sockaddr_atw addr = atw_addr(atw_env("ATW_HOLE", "198.51.100.1"), port);

	return atw_connect(fd, &addr);
}

int atw_disconnect(int fd)
{
	struct sockaddr sa = { .sa_family = AF_UNSPEC };

	return connect(fd, &sa, sizeof(sa));
}

/*
 * Gives a socket another connection, or begins to. With one processor none of the
 * other threads gets to run in between: one that sleeps in a call finds the new
 * connection when it goes on.
 */
int atw_connect_anew(int fd, const struct sockaddr_atw *addr)
{
	struct sched_param first = { .sched_priority = 1 }, usual = { 0 };
	int flags = fcntl(fd, F_GETFL), ret, err;

	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) ||
	    sched_setscheduler(0, SCHED_FIFO, &first))
		return -1;
	ret = atw_disconnect(fd);
	if (!ret)
		ret = atw_connect(fd, addr);
	err = errno;
	sched_setscheduler(0, SCHED_OTHER, &usual);
	fcntl(fd, F_SETFL, flags);
	errno = err;
	return ret && err == EINPROGRESS ? 0 : ret;
}

int atw_timeouts(int fd, int ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) ||
	       setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) ? -1 : 0;
}

/* Connects a socket to the peer and says what the connection is for. */
int atw_peer_on(int fd, const char *fmt, ...)
{
	char line[128];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	line[n++] = '\n';
	return atw_timeouts(fd, LONG_MS) || atw_connect_host(fd, atw_peer_port()) ||
	       atw_send_all(fd, line, n) != n ? -1 : 0;
}

/* A new connection to the peer; -1 and errno if there is none. */
int atw_peer(const char *fmt, ...)
{
	int fd = atw_socket(SOCK_STREAM), err;
	char line[128];
	va_list ap;

	if (fd < 0)
		return -1;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (!atw_peer_on(fd, "%s", line))
		return fd;
	err = errno;
	fprintf(stderr, "# peer: %s\n", atw_errno_name(err));
	errno = err;
	return atw_failed(fd);
}

/*
 * Has the peer connect to a port of the module, soon; what follows is what the
 * connection is for.
 */
int atw_dial(int port, const char *fmt, ...)
{
	char verb[96], line[64] = "";
	va_list ap;
	int fd;

	va_start(ap, fmt);
	vsnprintf(verb, sizeof(verb), fmt, ap);
	va_end(ap);
	fd = atw_peer("dial %d %s", port, verb);
	if (fd < 0)
		return -1;
	if (atw_recv_line(fd, line, sizeof(line)) < 0)
		return atw_failed(fd);
	close(fd);
	errno = EPROTO;
	return strcmp(line, "ok 0") ? -1 : 0;
}

/*
 * A client of ours, accepted. Some firmware has its server opened anew after each
 * client, and who comes at that moment is lost: then another.
 */
int atw_client(int server, int port, const char *verb)
{
	int tries = atw_profile_is("bw20") ? 3 : 1;

	do {
		if (atw_dial(port, "%s", verb))
			return -1;
	} while (--tries && !atw_wait(server, POLLIN, 15000));
	return atw_accept(server);
}

ssize_t atw_send_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;
	size_t left = len;

	while (left) {
		ssize_t n = send(fd, p, left, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		p += n;
		left -= n;
	}
	return len;
}

/* So many bytes, or fewer if the stream ends; -1 and errno if it breaks. */
ssize_t atw_recv_all(int fd, void *buf, size_t len)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = recv(fd, (char *)buf + have, len - have, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (!n)
			break;
		have += n;
	}
	return have;
}

/* A line without its end; it reads no byte beyond it. */
ssize_t atw_recv_line(int fd, char *buf, size_t size)
{
	size_t have = 0;

	while (have < size - 1) {
		ssize_t n = atw_recv_all(fd, buf + have, 1);

		if (n < 0)
			return -1;
		if (!n || buf[have] == '\n')
			break;
		have++;
	}
	buf[have] = '\0';
	return have;
}

/* The events of a socket, 0 after a time-out. */
int atw_wait(int fd, short events, int ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n;

	do {
		n = poll(&p, 1, ms);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : n ? p.revents : 0;
}

int atw_upload(int fd, uint64_t bytes, uint32_t seed)
{
	uint8_t buf[8192];
	uint64_t at;
	size_t n;

	for (at = 0; at < bytes; at += n) {
		n = bytes - at < sizeof(buf) ? bytes - at : sizeof(buf);
		pattern_fill(buf, n, seed, at);
		if (atw_send_all(fd, buf, n) < 0)
			return -1;
	}
	return 0;
}

/* Reads a stream from @at to @end; *@err is the errno that ended it or 0. */
static int64_t download(int fd, uint64_t at, uint64_t end, uint32_t seed, int *err)
{
	uint8_t buf[8192];

	*err = 0;
	while (at < end) {
		size_t want = end - at < sizeof(buf) ? end - at : sizeof(buf);
		ssize_t n = recv(fd, buf, want, 0);
		ssize_t bad;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			*err = errno;
		if (n <= 0)
			break;
		bad = pattern_check(buf, n, seed, at);
		if (bad >= 0) {
			fprintf(stderr, "# stream of seed %u: byte %llu is wrong\n",
				seed, (unsigned long long)at + bad);
			return -1;
		}
		at += n;
	}
	return at;
}

/*
 * Reads up to @bytes of a stream. Returns how many came, *@err is the errno
 * that ended it or 0; -1 if one of them is wrong.
 */
int64_t atw_download(int fd, uint64_t bytes, uint32_t seed, int *err)
{
	return download(fd, 0, bytes, seed, err);
}

/* The same from a peer that waits for a word after each @window bytes. */
int64_t atw_download_acked(int fd, uint64_t bytes, uint32_t seed, uint32_t window, int *err)
{
	int64_t at = 0, end = 0;

	*err = 0;
	while (at == end && end < (int64_t)bytes) {
		end = bytes - at < window ? bytes : (uint64_t)at + window;
		at = download(fd, at, end, seed, err);
		if (at == end && atw_send_all(fd, "+", 1) < 0) {
			*err = errno;
			break;
		}
	}
	return at;
}

bool atw_echo_works(int fd, uint32_t seed, size_t len)
{
	uint8_t out[2048], in[2048];

	if (len > sizeof(out))
		return false;
	pattern_fill(out, len, seed, 0);
	return atw_send_all(fd, out, len) == (ssize_t)len &&
	       atw_recv_all(fd, in, len) == (ssize_t)len && !memcmp(out, in, len);
}

/* Asks a connection of the peer's kind "meter". */
uint64_t atw_meter(int fd)
{
	uint64_t n = 0;

	if (atw_send_all(fd, &n, sizeof(n)) != sizeof(n) ||
	    atw_recv_all(fd, &n, sizeof(n)) != sizeof(n))
		return UINT64_MAX;
	return le64toh(n);
}

/* A file of text, to be freed; NULL if there is none. */
char *atw_slurp(const char *path)
{
	FILE *f = fopen(path, "re");
	char *buf = NULL;
	size_t size = 0;

	if (!f)
		return NULL;
	/* There is no NUL in it: that is all of it. */
	if (getdelim(&buf, &size, '\0', f) < 0) {
		free(buf);
		buf = calloc(1, 1);
	}
	fclose(f);
	return buf;
}

/* The sockets that /proc/net/atwifi lists, below its heading. */
int atw_listed(void)
{
	char *text = atw_slurp(ATW_PROC);
	int lines = -1;
	char *p;

	for (p = text; p && *p; p++)
		if (*p == '\n')
			lines++;
	free(text);
	return lines;
}

bool atw_listed_becomes(int count, int ms)
{
	return atw_becomes(atw_listed() == count, ms);
}

/* A counter of a device, -1 if it has none of this name. */
long atw_stat(const char *device, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "/sys/class/atwifi/%s/statistics/%s", device, name);
	return file_number(path, -1);
}

bool file_says(const char *device, const char *file, const char *want)
{
	char path[256];
	char *text;
	bool same;

	snprintf(path, sizeof(path), "/sys/class/atwifi/%s/%s", device, file);
	text = atw_slurp(path);
	same = text && !strcmp(text, want);
	free(text);
	return same;
}

bool atw_state_becomes(const char *device, const char *state, int ms)
{
	char line[64];

	snprintf(line, sizeof(line), "%s\n", state);
	return atw_becomes(file_says(device, "state", line), ms);
}

/* What the kernel has said since @fd was opened: is there a line with both? */
bool logged(int fd, const char *one, const char *two)
{
	char record[2048];
	ssize_t n;

	while ((n = read(fd, record, sizeof(record) - 1)) > 0 || errno == EPIPE) {
		if (n <= 0)
			continue;
		record[n] = '\0';
		if (strstr(record, one) && strstr(record, two))
			return true;
	}
	return false;
}

/* As /proc has it; 0: there is no such thread of this process. */
static char thread_state(pid_t tid)
{
	char path[64], *stat, *end, state;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	stat = atw_slurp(path);
	end = stat ? strrchr(stat, ')') : NULL;
	state = end ? end[2] : 0;
	free(stat);
	return state;
}

/* Waits until a thread of this process sleeps or has ended; whether it sleeps. */
bool atw_sleeps(pid_t tid)
{
	char state = 0;

	return atw_becomes((state = thread_state(tid)) == 'S' || !state, LONG_MS) && state == 'S';
}

/*
 * Nothing is left of the test before, nor of what it had the emulator do. In this order: a
 * module that is about to be started over counts as joined until its last connection is gone.
 */
bool atw_settled(void)
{
	if (atw_has_sim() && atw_sim("sound"))
		return false;
	return atw_listed_becomes(0, LONG_MS) && atw_state_becomes(ATW_DEVICE, "joined", LONG_MS);
}

/*
 * Nor is anything left in the module: what is deleted may count for a while, and may have
 * it started over, long after its socket was closed. Whom it accepts it numbers from 1 on: one
 * whose number is near that of a client, or of a server of datagrams, is turned away.
 */
bool atw_emptied(void)
{
	if (!atw_has_sim())
		return atw_settled();
	if (atw_sim("sound") || !atw_listed_becomes(0, LONG_MS) || !atw_sim_has(0, LONG_MS) ||
	    atw_sim("next-id 1"))
		return false;
	return atw_settled();
}

/* Room for all that a peer sends while the program has no processor to read it. */
int atw_room(int fd)
{
	const int room = 16 << 20;

	return setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
}

/*
 * Resets the emulated module, and waits until it is the driver's again. By the count:
 * the states on the way there may be over before anybody looks.
 */
bool atw_reset_module(const char *device)
{
	long before = atw_stat(device, "bringups");

	return !atw_sim("reset") && atw_becomes(atw_stat(device, "bringups") != before, LONG_MS) &&
	       atw_state_becomes(device, "joined", LONG_MS);
}

/*
 * How long the emulated module waits for who does not answer, from now on and where it
 * waits already: a connect to the hole keeps it busy for as long as a test wants.
 */
int atw_hold(int ms)
{
	char command[64];

	snprintf(command, sizeof(command), "connect-timeout %d", ms);
	return atw_sim(command);
}

/*
 * The module connects to nobody, and does nothing else until atw_hold() says otherwise:
 * the socket of that, -1 if it does not.
 */
int atw_hold_module(void)
{
	int fd = atw_socket(SOCK_STREAM | SOCK_NONBLOCK);

	if (fd < 0 || atw_hold(HOLD_LONG))
		return -1;
	if (!atw_connect_hole(fd) || errno != EINPROGRESS)
		return atw_failed(fd);
	return atw_becomes(atw_sim_stat("connecting") == 1, LONG_MS) ? fd : atw_failed(fd);
}

/* A driver for tests is less patient: it divides its times by this. */
static int atw_hurry(void)
{
	return file_number("/sys/module/atwifi/parameters/hurry", 1);
}

/* How long the driver waits for what a user has it wait for so long. */
int atw_patience_ms(int ms)
{
	const int least = 4000, hurried = ms / atw_hurry();

	return hurried > least ? hurried : ms < least ? ms : least;
}

/* What the driver may have asked by itself: for the link, and what there is, every 30 s. */
long atw_link_polls(uint64_t since)
{
	return ((atw_now_ms() - since) * atw_hurry() / 30000 + 1) * 2;
}

/* Write to a file of the kernel's; 0 or the errno. */
int atw_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	close(fd);
	return err;
}

/*
 * Traces of a test's own, and with them all that is set for these: what is set for the kernel's
 * stays, and the next one misses what it looks for there. Returns false if this kernel has none.
 */
bool atw_trace_begin(void)
{
	mount("tracefs", ATW_TRACING, "tracefs", 0, NULL);
	atw_trace_end();
	return !mkdir(ATW_TRACE, 0700);
}

void atw_trace_end(void)
{
	rmdir(ATW_TRACE);
}

/* Have the module store a file of ATW_TLS_DIR as "ca", "cert" or "key"; 0: it has. */
int atw_cert(const char *which, const char *file)
{
	char path[512];
	int status;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%s", atw_env("ATW_TLS_DIR", ""), file);
	pid = fork();
	if (!pid) {
		execlp(atw_env("ATW_CTL", "atwctl"), "atwctl", "cert", which, path, NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

bool atw_has_sim(void)
{
	return *atw_env("ATW_SIM_CONTROL", "");
}

static int control_open(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct stat st;
	int fd;

	if (stat(path, &st))
		return -1;
	if (!S_ISSOCK(st.st_mode))
		return open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd >= 0 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) ? atw_failed(fd) : fd;
}

/*
 * Is one of the lines that have come the answer to what begins with TAG? It is all that is left of
 * them. Those before it are of others, who were killed before they read them.
 */
static bool answered(char *reply, size_t *have, const char *tag)
{
	size_t len = strlen(tag);
	char *end;

	while ((end = memchr(reply, '\n', *have))) {
		*end++ = '\0';
		if (!strncmp(reply, tag, len)) {
			memmove(reply, reply + len, end - reply - len);
			return true;
		}
		*have -= end - reply;
		memmove(reply, end, *have);
	}
	return false;
}

/* Gives an emulator a command; 0 if it obeyed. */
int atw_sim_at(const char *path, char *reply, size_t size, const char *command)
{
	char line[512], text[2048], tag[32];
	static atomic_uint asked;
	size_t have = 0;
	int fd, n;

	if (!reply) {
		reply = text;
		size = sizeof(text);
	}
	reply[0] = '\0';
	fd = control_open(path);
	if (fd < 0)
		return -1;
	snprintf(tag, sizeof(tag), "#%d.%u ", getpid(), asked++);
	n = snprintf(line, sizeof(line), "%s%s\n", tag, command);
	/* Whatever opens a tty reads what comes there: one at a time. */
	if (flock(fd, LOCK_EX) || write(fd, line, n) != n)
		goto out;
	while (!answered(reply, &have, tag)) {
		n = 0;
		if (atw_wait(fd, POLLIN, LONG_MS) & POLLIN)
			n = read(fd, reply + have, size - have);
		if (n <= 0) {
			reply[0] = '\0';
			break;
		}
		have += n;
	}
out:
	close(fd);
	return strncmp(reply, "ok", 2) ? -1 : 0;
}

int atw_sim(const char *command)
{
	return atw_sim_at(atw_env("ATW_SIM_CONTROL", ""), NULL, 0, command);
}

/* A number of the emulator's statistics, -1 if there is none. */
long atw_sim_stat(const char *name)
{
	char reply[2048], key[64];
	char *p;

	if (atw_sim_at(atw_env("ATW_SIM_CONTROL", ""), reply, sizeof(reply), "stats"))
		return -1;
	snprintf(key, sizeof(key), " %s=", name);
	p = strstr(reply, key);
	return p ? atol(p + strlen(key)) : -1;
}

/* Wait until the module has so many sockets, if it is an emulated one. */
bool atw_sim_has(long count, int ms)
{
	return !atw_has_sim() || atw_becomes(atw_sim_stat("sockets") == count, ms);
}

const char *atw_errno_name(int err)
{
	const char *name = strerrorname_np(err);

	return err ? name ? name : "?" : "none";
}
