// SPDX-License-Identifier: GPL-2.0-only
/* What services have in common: signals, and what they tell systemd where it is there. */
#include <err.h>
#include <event2/event.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "service.h"

static struct event *watchdog, *signals[3];
static struct event_base *loop;
static void (*on_hangup)(void);

/**
 * notify() - tell systemd something
 * @words: as for sd_notify(3), which is a datagram
 * @flags: of sendmsg(2): a service that serves does not wait for its reader
 */
void notify(const char *words, int flags)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (len < 2 || len >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, len);
	if (*path == '@')
		*to.sun_path = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)!sendto(fd, words, strlen(words), MSG_NOSIGNAL | flags, (struct sockaddr *)&to,
		      offsetof(struct sockaddr_un, sun_path) + len);
	close(fd);
}

/* How often is it to tell that it lives? In microseconds; 0: never. */
static long long watchdog_usec(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	long long half = usec ? atoll(usec) / 2 : 0;

	return half <= 0 || (pid && atol(pid) != getpid()) ? 0 : half;
}

static void watchdog_cb(evutil_socket_t fd, short what, void *arg)
{
	notify("WATCHDOG=1", MSG_DONTWAIT);
}

static void signal_cb(evutil_socket_t number, short what, void *arg)
{
	if (number == SIGHUP)
		on_hangup();
	else
		event_base_loopbreak(loop);
}

/**
 * service_socket() - what systemd has made for us
 *
 * Return: the socket that a unit of sockets has; -1: there is none.
 */
int service_socket(void)
{
	const char *n = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");

	return n && pid && atoi(n) == 1 && atol(pid) == getpid() ? 3 : -1;
}

/**
 * service_begin() - end in order, read again, and tell systemd that it lives
 * @base: the loop, which SIGTERM and SIGINT end
 * @reload: what SIGHUP does
 */
void service_begin(struct event_base *base, void (*reload)(void))
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };
	const long long usec = watchdog_usec();
	const struct timeval tv = { usec / 1000000, usec % 1000000 };
	int i;

	loop = base;
	on_hangup = reload;
	for (i = 0; i < 3; i++) {
		signals[i] = evsignal_new(base, numbers[i], signal_cb, NULL);
		if (!signals[i] || event_add(signals[i], NULL))
			errx(1, "no memory");
	}
	watchdog = usec ? event_new(base, -1, EV_PERSIST, watchdog_cb, NULL) : NULL;
	if (usec && (!watchdog || event_add(watchdog, &tv)))
		errx(1, "no memory");
}

/**
 * service_end() - the loop is over, and about to be freed
 */
void service_end(void)
{
	int i;

	if (watchdog)
		event_free(watchdog);
	for (i = 0; i < 3; i++)
		event_free(signals[i]);
}
