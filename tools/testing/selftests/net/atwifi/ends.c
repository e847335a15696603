// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever has become of a connection before the device goes, and in whatever way that
 * goes: what is left of the socket works, and knows nothing of the device.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/param.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "ends.h"
#include "ptys.h"
#include "util.h"

/* The errno that a reader gets once the device is gone; 0: the end of the stream. */
static const int ended_errno[ENDS] = {
	[DAMAGED] = ECONNRESET, [LINK_LOST] = ENETDOWN, [RESTARTED] = ECONNRESET,
	[RESTARTED_DGRAM] = ECONNRESET, [OVERFLOW] = ECONNRESET, [REFUSED] = ENOTCONN,
	[NEVER] = ENOTCONN, [OPEN] = ENODEV, [CONNECTING] = ENODEV,
};

#define UNREAD_BYTES	100
#define UNREAD_SOURCE	"source 100 9"

static int bound_socket(const char *device, int type)
{
	int fd = atw_socket(type);

	if (fd >= 0 && !atw_timeouts(fd, LONG_MS) &&
	    !setsockopt(fd, SOL_ATWIFI, ATW_BINDTODEVICE, device, strlen(device) + 1))
		return fd;
	return atw_failed(fd);
}

static int bound_server(const char *device)
{
	int fd = bound_socket(device, SOCK_STREAM);

	if (fd < 0 || !listen(fd, 4))
		return fd;
	close(fd);
	return -1;
}

/* A connection of a server that sends so much, and ends when it was read. */
static int accepted(const char *device)
{
	int server = bound_server(device), fd;

	if (server < 0)
		return -1;
	fd = atw_client(server, atw_port(server), UNREAD_SOURCE);
	close(server);
	return fd;
}

/* A socket on its way to that end, -1 if it does not get there. */
static int begin_end(const char *device, enum ended how)
{
	int fd, type = SOCK_STREAM, small = 4096;
	char buf[UNREAD_BYTES + 1];
	bool good;

	if (how == RESTARTED_DGRAM)
		type = SOCK_DGRAM;
	else if (how == CONNECTING)
		type |= SOCK_NONBLOCK;
	fd = how == ACCEPTED ? accepted(device) : bound_socket(device, type);
	if (fd < 0)
		return -1;
	switch (how) {
	case NEVER:
		return fd;
	case REFUSED:
		good = atw_connect_host(fd, 1) && errno == ECONNREFUSED;
		break;
	case CONNECTING:
		good = atw_connect_hole(fd) && errno == EINPROGRESS;
		break;
	case RESTARTED_DGRAM:
		good = !atw_connect_host(fd, atw_peer_port()) && send(fd, "x", 1, 0) == 1 &&
		       recv(fd, buf, 1, 0) == 1;
		break;
	case BY_RESET:
		good = !atw_peer_on(fd, "reset-after 1") && send(fd, "x", 1, MSG_NOSIGNAL) == 1 &&
		       atw_wait(fd, POLLRDHUP, LONG_MS) > 0;
		break;
	case BY_REMOTE:
		good = !atw_peer_on(fd, UNREAD_SOURCE) &&
		       atw_recv_all(fd, buf, sizeof(buf)) == UNREAD_BYTES;
		break;
	case ACCEPTED:
		good = atw_recv_all(fd, buf, sizeof(buf)) == UNREAD_BYTES;
		break;
	case UNREAD:
		good = !atw_peer_on(fd, UNREAD_SOURCE) &&
		       atw_wait(fd, POLLRDHUP, LONG_MS) > 0;
		break;
	case OVERFLOW:
		good = !setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)) &&
		       !atw_peer_on(fd, "source 20000000 9") &&
		       atw_wait(fd, 0, LONG_MS) & POLLERR;
		break;
	default:
		good = !atw_peer_on(fd, "echo") && atw_echo_works(fd, how, 10);
		break;
	}
	if (good && how == SHUT)
		good = !shutdown(fd, SHUT_RDWR);
	return good ? fd : atw_failed(fd);
}

/* What the ends from @first to @last have in common has happened to all of them. */
static bool all_ended(const struct ends *ends, enum ended first, enum ended last)
{
	unsigned int i, j;

	for (i = MAX(first, ends->first); i <= last; i++)
		for (j = 0; j < AFTERS; j++)
			if (!(atw_wait(ends->fd[i][j], POLLIN, LONG_MS) & POLLERR))
				return false;
	return true;
}

/* A server of which a client came and went; -1 if there is none. */
static int server_with_ghost(const char *device)
{
	long before = atw_sim_stat("sockets");
	int fd = bound_server(device);

	if (fd < 0 || (!atw_dial(atw_port(fd), UNREAD_SOURCE) &&
		       atw_wait(fd, POLLIN, LONG_MS) > 0 && atw_sim_has(before + 1, LONG_MS)))
		return fd;
	return atw_failed(fd);
}

static bool use_ended(int fd, enum ended how)
{
	char buf[UNREAD_BYTES + 1];
	int err = ended_errno[how], val;
	socklen_t len = sizeof(val);
	ssize_t n;

	if (!atw_wait(fd, POLLIN | POLLOUT, 0))
		return false;
	if (how == UNREAD && atw_recv_all(fd, buf, sizeof(buf)) != UNREAD_BYTES)
		return false;
	do {
		n = recv(fd, buf, sizeof(buf), how == RESTARTED_DGRAM ? MSG_DONTWAIT : 0);
	} while (n > 0 && how == OVERFLOW);
	if (err ? n != -1 || errno != err : n) {
		fprintf(stderr, "# end %d: %zd, %s\n", how, n, atw_errno_name(n ? errno : 0));
		return false;
	}
	if (ioctl(fd, TIOCOUTQ, &val) ||
	    getsockopt(fd, SOL_ATWIFI, ATW_TRANSPARENT, &val, &len) || val)
		return false;
	val = 1;
	/* What a datagram's socket had is nothing to it. */
	return setsockopt(fd, SOL_ATWIFI, ATW_TRANSPARENT, &val, sizeof(val)) == -1 &&
	       send(fd, "x", 1, MSG_NOSIGNAL) == -1 && accept(fd, NULL, NULL) == -1 &&
	       (!shutdown(fd, SHUT_RDWR) || errno == ENOTCONN);
}

static bool anew_fails(int fd)
{
	return !atw_disconnect(fd) && atw_connect_host(fd, atw_peer_port()) == -1 &&
	       errno == ENODEV;
}

static bool anew_works(int fd)
{
	return !fcntl(fd, F_SETFL, 0) && !atw_connect_host(fd, atw_peer_port());
}

/* Says where it went wrong, and why. */
static bool wrong(const char *what, unsigned int end)
{
	fprintf(stderr, "# %s, end %u: %s\n", what, end, atw_errno_name(errno));
	return false;
}

/* What comes for those before it may have the driver start over. */
static int begin_in_time(const char *device, enum ended how)
{
	int fd = -1;

	return atw_becomes((fd = begin_end(device, how)) >= 0, how == OVERFLOW ? UP_MS : 0) ?
	       fd : -1;
}

/* A connection works: what the driver may have had to find out, or to start over, it has. */
static bool is_calm(const char *device)
{
	int fd = peer_by(device, "echo");
	bool works = fd >= 0 && atw_echo_works(fd, OVERFLOW, 10);

	close(fd);
	return works;
}

/* What happens to the whole module at that end, or is to be there after it. */
static bool happen(struct ends *ends, const char *device, int tty, enum ended how)
{
	unsigned int j;
	int fd;

	switch (how) {
	case DAMAGED:
		if (tcflush(tty, TCIFLUSH) || !all_ended(ends, how, how))
			return false;
		fd = peer_in_time(device, "echo");
		return fd >= 0 && !close(fd);
	case LINK_LOST:
		return !atw_sim("link down") && all_ended(ends, how, how) &&
		       atw_state_becomes(device, "down", LONG_MS) && !atw_sim("link up") &&
		       atw_state_becomes(device, "joined", LONG_MS);
	case RESTARTED_DGRAM:
		return atw_reset_module(device) && all_ended(ends, RESTARTED, how);
	case OVERFLOW:
		/* Nothing more comes for them, nor is what follows to pay for what has come. */
		return atw_sim_has(0, LONG_MS) && atw_becomes(is_calm(device), UP_MS) &&
		       atw_sim_has(0, LONG_MS);
	case NEVER:
		for (j = 0; j < CLOSED; j++) {
			ends->server[j] = server_with_ghost(device);
			if (ends->server[j] < 0)
				return false;
		}
		return true;
	default:
		return true;
	}
}

/*
 * Has some connections come to each of the ends, and one that was closed with bytes which
 * the module does not take any more. Without a tty (-1) bytes cannot be thrown away.
 */
bool ends_begin(struct ends *ends, const char *device, int tty)
{
	static const char text[4096];
	unsigned int i, j;
	int unsent = -1;

	ends->first = tty < 0 ? LINK_LOST : DAMAGED;
	for (i = ends->first; i < ENDS; i++) {
		for (j = 0; j < AFTERS; j++) {
			ends->fd[i][j] = begin_in_time(device, i);
			if (ends->fd[i][j] < 0)
				return wrong("it does not begin", i);
		}
		if (!happen(ends, device, tty, i))
			return wrong("it does not happen", i);
		if (i == OPEN)
			unsent = begin_end(device, OPEN);
	}
	/* What is asked for may begin after what is sent. */
	if (!atw_becomes(atw_sim_stat("connecting") == 1, LONG_MS))
		return wrong("nothing connects", CONNECTING);
	/* The module connects: it takes nothing else. */
	if (unsent < 0 || atw_send_all(unsent, text, sizeof(text)) != sizeof(text) ||
	    close(unsent))
		return wrong("nothing is unsent", OPEN);
	return true;
}

/* The device is gone. */
bool ends_are_told(struct ends *ends)
{
	unsigned int i, j;
	bool good = true;

	for (i = ends->first; i < ENDS; i++) {
		if (!use_ended(ends->fd[i][USED], i))
			good = wrong("it cannot be used", i);
		if (!anew_fails(ends->fd[i][ANEW]))
			good = wrong("it connects to nothing", i);
		if (close(ends->fd[i][USED]) || close(ends->fd[i][CLOSED]))
			good = wrong("it cannot be closed", i);
	}
	if (accept(ends->server[USED], NULL, NULL) != -1 || errno != ENODEV)
		good = wrong("a server accepts", i);
	if (atw_disconnect(ends->server[ANEW]) || listen(ends->server[ANEW], 1) != -1 ||
	    errno != ENODEV)
		good = wrong("a server listens", i);
	for (j = 0; j < CLOSED; j++)
		if (close(ends->server[j]))
			good = wrong("a server cannot be closed", j);
	return good;
}

/* There is a device again. */
bool ends_work_again(struct ends *ends)
{
	bool good = true;
	unsigned int i;

	for (i = ends->first; i < ENDS; i++) {
		if (!anew_works(ends->fd[i][ANEW]))
			good = wrong("it does not connect again", i);
		if (close(ends->fd[i][ANEW]))
			good = wrong("it cannot be closed", i);
	}
	return good;
}

/* All at once, with the device there. */
void ends_close(struct ends *ends)
{
	unsigned int i, j;

	for (i = ends->first; i < ENDS; i++)
		for (j = 0; j < AFTERS; j++)
			close(ends->fd[i][j]);
	for (j = 0; j < CLOSED; j++)
		close(ends->server[j]);
}
