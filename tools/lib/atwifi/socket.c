// SPDX-License-Identifier: GPL-2.0-only
/* Sockets of AF_ATWIFI. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/atwifi.h>

#include "libatwifi.h"

#define FAMILY_FILE	"/sys/module/atwifi/parameters/family"
#define OPEN_FLAGS	(ATWIFI_OPEN_DATAGRAM | ATWIFI_OPEN_TLS | ATWIFI_OPEN_UNVERIFIED | \
			 ATWIFI_OPEN_NONBLOCK)

/**
 * atwifi_family() - the number of the family
 *
 * Return: AF_ATWIFI, or what the driver's parameter has made of it.
 */
int atwifi_family(void)
{
	int fd = open(FAMILY_FILE, O_RDONLY | O_CLOEXEC), family = 0, err = errno, cancel;
	char text[16] = "";

	if (fd >= 0) {
		/* A thread that ended here would leave it open. */
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
		if (read(fd, text, sizeof(text) - 1) > 0)
			family = atoi(text);
		close(fd);
		pthread_setcancelstate(cancel, NULL);
	}
	errno = err;
	return family > 0 ? family : AF_ATWIFI;
}

/* Until a connect that goes on has ended. */
static int connect_end(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int err = 0;

	while (poll(&p, 1, -1) < 0)
		if (errno != EINTR)
			return -1;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len))
		return -1;
	if (!err)
		return 0;
	errno = err;
	return -1;
}

/**
 * atwifi_connect() - connect a socket of the family
 * @fd: the socket
 * @host: a name, which the module resolves, or an IPv4 address
 * @port: of it
 *
 * Return: 0, or -1 with the errno of connect(). A signal does not end it.
 */
int atwifi_connect(int fd, const char *host, uint16_t port)
{
	struct sockaddr_atw sa = { .satw_port = htons(port) };
	struct in_addr addr;

	sa.satw_family = atwifi_family();
	if (inet_pton(AF_INET, host, &addr) == 1) {
		sa.satw_addr = addr.s_addr;
	} else if (!*host) {
		errno = EINVAL;
		return -1;
	} else if (strlen(host) >= sizeof(sa.satw_name)) {
		errno = ENAMETOOLONG;
		return -1;
	} else {
		strcpy(sa.satw_name, host);
	}
	if (!connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		return 0;
	return errno == EINTR ? connect_end(fd) : -1;
}

static int setup(int fd, const char *device, unsigned int flags)
{
	int one = 1;

	if (device && setsockopt(fd, SOL_ATWIFI, ATW_BINDTODEVICE, device, strlen(device) + 1))
		return -1;
	if (!(flags & ATWIFI_OPEN_UNVERIFIED))
		return 0;
	return setsockopt(fd, SOL_ATWIFI, ATW_TLS_UNVERIFIED, &one, sizeof(one));
}

static void give_up(void *fd)
{
	int err = errno, cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	close(*(int *)fd);
	pthread_setcancelstate(cancel, NULL);
	errno = err;
}

/**
 * atwifi_open() - a socket of the family that is connected
 * @device: by this one's module, such as "atw0"; NULL: by any that has joined
 * @host: a name, which the module resolves, or an IPv4 address
 * @port: of it
 * @flags: ATWIFI_OPEN_*
 *
 * Return: the socket, with close-on-exec; -1 with the errno of socket() or connect(),
 * or EINVAL: the flags make no sense.
 */
int atwifi_open(const char *device, const char *host, uint16_t port, unsigned int flags)
{
	int type = flags & ATWIFI_OPEN_DATAGRAM ? SOCK_DGRAM : SOCK_STREAM;
	bool good;
	int fd;

	if ((flags & ~OPEN_FLAGS) ||
	    ((flags & ATWIFI_OPEN_UNVERIFIED) && !(flags & ATWIFI_OPEN_TLS)) ||
	    ((flags & ATWIFI_OPEN_DATAGRAM) && (flags & ATWIFI_OPEN_TLS))) {
		errno = EINVAL;
		return -1;
	}
	if (flags & ATWIFI_OPEN_NONBLOCK)
		type |= SOCK_NONBLOCK;
	fd = socket(atwifi_family(), type | SOCK_CLOEXEC,
		    flags & ATWIFI_OPEN_TLS ? ATWPROTO_TLS : ATWPROTO_TCP);
	if (fd < 0)
		return -1;
	pthread_cleanup_push(give_up, &fd);
	good = !setup(fd, device, flags) &&
	       (!atwifi_connect(fd, host, port) ||
		(errno == EINPROGRESS && (flags & ATWIFI_OPEN_NONBLOCK)));
	pthread_cleanup_pop(!good);
	return good ? fd : -1;
}
