// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is at the host's end of the UART: a unix socket, a pty, or stdio.
 * The module runs whether or not anybody is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "atsim.h"

#define POLL_US			50000

/* The input has ended: stay until nothing has moved for that many polls. */
#define QUIET_POLLS		10

static int nonblock(int fd)
{
	return evutil_make_socket_nonblocking(fd);
}

static void accept_cb(struct evconnlistener *listener, evutil_socket_t fd,
		      struct sockaddr *addr, int len, void *arg)
{
	struct atsim *sim = arg;
	int room = 32768;

	/* a wire holds nothing; a paced one fills no buffer anyway */
	if (!sim->uart.paced)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	nonblock(fd);
	sim->tp.fd = fd;
	evconnlistener_disable(listener);
	uart_attach(sim, fd, fd);
	sim_log(sim, "host connected");
}

/**
 * unix_listen() - listen on a unix socket
 * @sim: the emulator
 * @path: its name; a socket that was left there is replaced
 * @cb: called with each connection, @sim its argument
 *
 * Who sees the name can connect: between bind() and listen() the socket has
 * another one.
 *
 * Return: the listener, or NULL with errno.
 */
struct evconnlistener *unix_listen(struct atsim *sim, const char *path,
				   evconnlistener_cb cb)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct evconnlistener *listener;
	struct stat st;

	if (snprintf(sun.sun_path, sizeof(sun.sun_path), "%s~", path) >=
	    (int)sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	if (!lstat(sun.sun_path, &st) && S_ISSOCK(st.st_mode))
		unlink(sun.sun_path);
	if (!lstat(path, &st) && !S_ISSOCK(st.st_mode)) {
		errno = EADDRINUSE;
		return NULL;
	}
	listener = evconnlistener_new_bind(sim->base, cb, sim,
					   LEV_OPT_CLOSE_ON_FREE |
					   LEV_OPT_CLOSE_ON_EXEC, 4,
					   (struct sockaddr *)&sun,
					   sizeof(sun));
	if (listener && rename(sun.sun_path, path)) {
		unlink(sun.sun_path);
		evconnlistener_free(listener);
		return NULL;
	}
	return listener;
}

static int unix_open(struct atsim *sim)
{
	sim->tp.listener = unix_listen(sim, sim->tp.path, accept_cb);
	return sim->tp.listener ? 0 : -1;
}

static void pty_poll(evutil_socket_t fd, short what, void *arg)
{
	struct atsim *sim = arg;
	struct pollfd pfd = { .fd = sim->tp.fd, .events = POLLIN };

	poll(&pfd, 1, 0);
	if (pfd.revents & POLLHUP)
		timer_set(sim->tp.poll, POLL_US);
	else
		uart_attach(sim, sim->tp.fd, sim->tp.fd);
}

static int pty_open(struct atsim *sim)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios tio;
	const char *name;
	struct stat st;
	int slave;

	if (master < 0 || grantpt(master) || unlockpt(master))
		return -1;
	name = ptsname(master);
	slave = name ? open(name, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
	if (slave < 0)
		return -1;
	/* nobody shall echo the banner back, whoever opens it later */
	tcgetattr(slave, &tio);
	cfmakeraw(&tio);
	cfsetspeed(&tio, B115200);
	tcsetattr(slave, TCSANOW, &tio);
	close(slave);
	nonblock(master);
	sim->tp.fd = master;
	if (sim->tp.path) {
		if (!lstat(sim->tp.path, &st) && S_ISLNK(st.st_mode))
			unlink(sim->tp.path);
		if (symlink(name, sim->tp.path))
			return -1;
	}
	printf("%s\n", name);
	fflush(stdout);
	sim->tp.poll = event_new(sim->base, -1, 0, pty_poll, sim);
	timer_set(sim->tp.poll, 0);
	return 0;
}

static void stdio_poll(evutil_socket_t fd, short what, void *arg)
{
	struct atsim *sim = arg;

	if (sim->up && uart_idle(sim) && !sim->at.blocked && !sim->at.deferred)
		sim->tp.quiet++;
	else
		sim->tp.quiet = 0;
	if (sim->tp.quiet >= QUIET_POLLS)
		sim_quit(sim, 0);
	else
		timer_set(sim->tp.poll, POLL_US);
}

static int stdio_open(struct atsim *sim)
{
	nonblock(STDIN_FILENO);
	nonblock(STDOUT_FILENO);
	sim->tp.poll = event_new(sim->base, -1, 0, stdio_poll, sim);
	uart_attach(sim, STDIN_FILENO, STDOUT_FILENO);
	return 0;
}

/**
 * transport_open() - make the host's end
 * @sim: the emulator, its transport kind and path set
 *
 * Return: 0, or -1 with errno.
 */
int transport_open(struct atsim *sim)
{
	sim->tp.fd = -1;
	switch (sim->tp.kind) {
	case TP_UNIX:
		return unix_open(sim);
	case TP_PTY:
		return pty_open(sim);
	default:
		return stdio_open(sim);
	}
}

/**
 * transport_lost() - the host has closed its end
 * @sim: the emulator
 */
void transport_lost(struct atsim *sim)
{
	if (sim->tp.kind == TP_STDIO) {
		timer_set(sim->tp.poll, POLL_US);
		return;
	}
	uart_detach(sim);
	if (sim->tp.kind == TP_PTY) {
		timer_set(sim->tp.poll, POLL_US);
		return;
	}
	close(sim->tp.fd);
	sim->tp.fd = -1;
	evconnlistener_enable(sim->tp.listener);
	sim_log(sim, "host disconnected");
}

/**
 * transport_rate() - the rate that the host has set
 * @sim: the emulator
 *
 * Return: bits per second, 0 where there is no such thing.
 */
unsigned int transport_rate(struct atsim *sim)
{
	return sim->tp.kind == TP_PTY ? pty_rate(sim->tp.fd) : 0;
}

/**
 * transport_waits() - does the host send only while it has CTS?
 * @sim: the emulator
 *
 * Return: true when it does.
 */
bool transport_waits(struct atsim *sim)
{
	struct termios tio;

	return sim->tp.kind == TP_PTY && !tcgetattr(sim->tp.fd, &tio) &&
	       tio.c_cflag & CRTSCTS;
}

/**
 * transport_close() - remove the host's end and its names
 * @sim: the emulator
 */
void transport_close(struct atsim *sim)
{
	uart_detach(sim);
	if (sim->tp.poll)
		event_free(sim->tp.poll);
	if (sim->tp.listener) {
		evconnlistener_free(sim->tp.listener);
		unlink(sim->tp.path);
	}
	if (sim->tp.kind == TP_PTY && sim->tp.path && sim->tp.fd >= 0)
		unlink(sim->tp.path);
	if (sim->tp.fd >= 0)
		close(sim->tp.fd);
}
