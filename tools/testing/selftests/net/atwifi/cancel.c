// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cancels threads while the module has them wait: "cancel NAME" those that look up a name, and that
 * connect to it. A line says how many sockets of either kind are left, of which each is a fault.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* As many names as a user may have wait, and not all of the module's five sockets. */
#define LOOKUPS		8
#define CONNECTS	3
#define FILES_MAX	256

static int (*open_it)(const char *device, const char *host, uint16_t port, unsigned int flags);
static const char *name;

static unsigned int sockets_of(int domain)
{
	unsigned int n = 0;
	socklen_t len;
	int fd, of;

	for (fd = 0; fd < FILES_MAX; fd++) {
		len = sizeof(of);
		n += !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &of, &len) && of == domain;
	}
	return n;
}

/* Without AI_ADDRCONFIG: for that the C library opens a socket of its own, and may lose it. */
static void *look_up(void *arg)
{
	const struct addrinfo hints = { 0 };
	struct addrinfo *all;

	if (!getaddrinfo(name, "80", &hints, &all))
		freeaddrinfo(all);
	return arg;
}

static void *connect_to(void *arg)
{
	open_it(NULL, name, 80, 0);
	return arg;
}

/* What is left when each of these has been cancelled with a socket open. */
static unsigned int left(unsigned int n, void *(*what)(void *), int domain)
{
	unsigned int before;
	pthread_t thread;
	void *end;
	int runs;

	while (n--) {
		before = sockets_of(domain);
		if (pthread_create(&thread, NULL, what, NULL))
			exit(1);
		do
			runs = pthread_tryjoin_np(thread, &end);
		while (runs && sockets_of(domain) == before && !sched_yield());
		if (runs) {
			pthread_cancel(thread);
			pthread_join(thread, &end);
		}
		if (end != PTHREAD_CANCELED)
			fprintf(stderr, "cancel: a thread did not wait\n");
	}
	return sockets_of(domain);
}

int main(int argc, char **argv)
{
	void *lib = dlopen("libatwifi.so.0", RTLD_NOW);
	int (*family)(void);

	if (argc != 2 || !lib)
		return 2;
	name = argv[1];
	*(void **)&open_it = dlsym(lib, "atwifi_open");
	*(void **)&family = dlsym(lib, "atwifi_family");
	if (!open_it || !family)
		return 2;
	printf("%u", left(LOOKUPS, look_up, AF_NETLINK));
	printf(" %u\n", left(CONNECTS, connect_to, family()));
	return 0;
}
