// SPDX-License-Identifier: GPL-2.0-only
/*
 * resolvconf(8), which is a script: it is not waited for, since the driver may ask something
 * meanwhile, and one runs at a time, since each is to be told the last thing last.
 */
#include <arpa/inet.h>
#include <err.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "links.h"
#include "resolvconf.h"

/* What a script may take. */
#define SCRIPT_S	10
/* A link may have had another name. */
#define RECORDS_MAX	(2 * LINKS_MAX)

struct record {
	char		ifname[16];
	struct in_addr	servers[LINK_SERVERS];
	unsigned int	n;
};

/* What is yet to be told, and what is being told by a process; 0: nothing is. */
static struct record waiting[RECORDS_MAX], told;
static unsigned int n_waiting;
static pid_t process;
static struct event *child_event, *limit_event;

/* resolvconf -a INTERFACE.PROGRAM with the servers to read, or -d INTERFACE.PROGRAM. */
static pid_t start(const struct record *r)
{
	static char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	unsigned int i;
	char name[64];
	int ends[2];
	pid_t pid;
	FILE *f;

	snprintf(name, sizeof(name), "%s.atwifi", r->ifname);
	if (pipe2(ends, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		/* With all that it runs it can be ended. */
		setpgid(0, 0);
		/* What it writes is for everybody, unlike what we do. */
		umask(022);
		signal(SIGPIPE, SIG_DFL);
		dup2(ends[0], STDIN_FILENO);
		execvpe("resolvconf", (char *[]){ "resolvconf", r->n ? "-a" : "-d", name, NULL },
			environment);
		_exit(127);
	}
	close(ends[0]);
	/* A pipe has room for that. */
	f = fdopen(ends[1], "w");
	for (i = 0; f && i < r->n; i++)
		fprintf(f, "nameserver %s\n", inet_ntoa(r->servers[i]));
	if (f)
		fclose(f);
	else
		close(ends[1]);
	return pid;
}

static void has_failed(void)
{
	warnx("resolvconf for %s has failed", told.ifname);
}

static void next(void)
{
	while (!process && n_waiting) {
		told = waiting[0];
		memmove(waiting, waiting + 1, --n_waiting * sizeof(*waiting));
		process = start(&told);
		if (process > 0) {
			event_add(limit_event, &(struct timeval){ SCRIPT_S, 0 });
			break;
		}
		process = 0;
		has_failed();
	}
}

/* Has it ended? With @options of waitpid(2). */
static void reap(int options)
{
	int status;
	pid_t pid = waitpid(process, &status, options);

	if (!pid)
		return;
	process = 0;
	event_del(limit_event);
	if (pid < 0 || status)
		has_failed();
	next();
}

static void child_cb(evutil_socket_t number, short what, void *arg)
{
	if (process)
		reap(WNOHANG);
}

/* What hangs is ended, and nobody waits for it any longer. */
static void limit_cb(evutil_socket_t fd, short what, void *arg)
{
	if (process)
		kill(-process, SIGKILL);
}

/**
 * resolvconf_begin() - there is nothing to be told yet
 * @base: the loop, in which one runs after the other
 */
void resolvconf_begin(struct event_base *base)
{
	child_event = evsignal_new(base, SIGCHLD, child_cb, NULL);
	limit_event = evtimer_new(base, limit_cb, NULL);
	if (!child_event || !limit_event || event_add(child_event, NULL))
		errx(1, "no memory");
}

/**
 * resolvconf_tell() - the servers of a link, in place of what is yet to be told of it
 * @ifname: the network device
 * @servers: the servers
 * @n: how many; none: the link is to be forgotten
 */
void resolvconf_tell(const char *ifname, const struct in_addr *servers, unsigned int n)
{
	struct record *r = waiting;

	while (r < waiting + n_waiting && strcmp(r->ifname, ifname))
		r++;
	if (r < waiting + n_waiting)
		memmove(r, r + 1, (waiting + --n_waiting - r) * sizeof(*r));
	if (n_waiting == RECORDS_MAX) {
		warnx("resolvconf for %s: too many names", ifname);
		return;
	}
	r = &waiting[n_waiting++];
	*r = (struct record){ .n = n };
	snprintf(r->ifname, sizeof(r->ifname), "%s", ifname);
	memcpy(r->servers, servers, n * sizeof(*servers));
	next();
}

/**
 * resolvconf_end() - the loop is over: all is told that there is
 */
void resolvconf_end(void)
{
	const struct timespec pause = { 0, 100000000 };
	pid_t now;
	int i;

	if (!child_event)
		return;
	while (process) {
		now = process;
		for (i = 0; i < SCRIPT_S * 10 && process == now; i++) {
			reap(WNOHANG);
			if (process == now)
				nanosleep(&pause, NULL);
		}
		if (process == now) {
			kill(-now, SIGKILL);
			reap(0);
		}
	}
	event_free(child_event);
	event_free(limit_event);
}
