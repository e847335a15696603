// SPDX-License-Identifier: GPL-2.0
/* What a service tells systemd, where it is one. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "notify.h"

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

/**
 * notify_watchdog() - how often is it to tell that it lives?
 *
 * Return: microseconds, 0: never.
 */
long long notify_watchdog(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	long long half = usec ? atoll(usec) / 2 : 0;

	return half <= 0 || (pid && atol(pid) != getpid()) ? 0 : half;
}
