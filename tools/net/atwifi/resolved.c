// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which servers a link has, for systemd-resolved: as long as it runs, and nobody else has
 * told it others for this link.
 */
#include <event2/event.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>

#include "bus.h"
#include "links.h"
#include "resolved.h"

#define RESOLVED	"org.freedesktop.resolve1"
#define RESOLVED_PATH	"/org/freedesktop/resolve1"
/* Anybody may send us signals: after so many messages others have their turn. */
#define MESSAGES_TURN	64

static struct event_base *event_base;
static struct event *bus_event, *more, *retry;
/* Until when its answers are waited for, and when it is asked again that has given none. */
static uint64_t answer_end, again;
static sigset_t signals;
static sd_bus *bus;
static void (*restarted_fn)(void);
/* It has begun to run, however often, and was not told anything yet. */
static bool is_new;

static void bus_close(void)
{
	event_del(more);
	if (bus_event)
		event_free(bus_event);
	bus_event = NULL;
	bus = sd_bus_close_unref(bus);
}

/*
 * What came while an answer was waited for is not told by the socket. By a timer, so that whatever
 * else has happened is seen before.
 */
static void bus_look(void)
{
	if (bus_event)
		event_add(more, &(struct timeval){ 0 });
}

static void try_again(void)
{
	event_add(retry, &(struct timeval){ BUS_RETRY_S, 0 });
}

static void bus_cb(evutil_socket_t fd, short what, void *arg)
{
	int i, ret = 1;

	for (i = 0; i < MESSAGES_TURN && ret > 0; i++)
		ret = sd_bus_process(bus, NULL);
	if (ret < 0) {
		bus_close();
		try_again();
		return;
	}
	if (ret)
		bus_look();
	if (!is_new)
		return;
	is_new = false;
	/* Who has not answered is another one. */
	again = 0;
	restarted_fn();
}

static int owner_cb(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	const char *name, *old, *new;

	if (sd_bus_message_read(m, "sss", &name, &old, &new) >= 0 && *new)
		is_new = true;
	return 0;
}

static void bus_open(void)
{
	static const char match[] =
		"type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
		"interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" RESOLVED "'";

	bus = bus_connect(BUS_CALL_USEC);
	if (bus && sd_bus_set_method_call_timeout(bus, BUS_CALL_USEC) >= 0 &&
	    sd_bus_add_match_async(bus, NULL, match, owner_cb, NULL, NULL) >= 0)
		bus_event = event_new(event_base, sd_bus_get_fd(bus), EV_READ | EV_PERSIST,
				      bus_cb, NULL);
	if (!bus_event || event_add(bus_event, NULL)) {
		bus_close();
		try_again();
		return;
	}
	restarted_fn();
	bus_look();
}

/* There was no bus, or it did not answer. */
static void retry_cb(evutil_socket_t fd, short what, void *arg)
{
	again = 0;
	if (bus_event)
		restarted_fn();
	else
		bus_open();
}

/**
 * resolved_begin() - know whether it runs
 * @base: for events
 * @restarted: is called when it has begun to, and when it is asked again after it did not answer
 *
 * Return: false for want of memory.
 */
bool resolved_begin(struct event_base *base, void (*restarted)(void))
{
	event_base = base;
	restarted_fn = restarted;
	more = evtimer_new(base, bus_cb, NULL);
	retry = evtimer_new(base, retry_cb, NULL);
	if (!more || !retry)
		return false;
	bus_open();
	return true;
}

/**
 * resolved_end() - the program ends
 */
void resolved_end(void)
{
	bus_close();
	event_free(more);
	event_free(retry);
}

/* A call about a link, for its arguments and resolved_call(); NULL: there is no bus. */
static sd_bus_message *about_link(const char *member, int ifindex)
{
	sd_bus_message *m = NULL;

	if (!bus || sd_bus_message_new_method_call(bus, &m, RESOLVED, RESOLVED_PATH,
						   RESOLVED ".Manager", member) < 0)
		return NULL;
	if (sd_bus_message_set_auto_start(m, 0) < 0 || sd_bus_message_append(m, "i", ifindex) < 0)
		m = sd_bus_message_unref(m);
	return m;
}

/*
 * All that is asked about a link has one time: the driver's questions wait meanwhile. Signals
 * come then: one would end a call as if it were refused.
 */
static void begin(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &signals);
	answer_end = bus_left_until(again) ? 0 : bus_now() + BUS_CALL_USEC;
}

static void end(void)
{
	sigprocmask(SIG_SETMASK, &signals, NULL);
}

/* What could not be said because it does not answer is said later. */
static void asked(void)
{
	if (!bus_left_until(answer_end)) {
		again = bus_now() + BUS_RETRY_S * 1000000;
		try_again();
	}
	bus_look();
}

/* The answer, NULL: it does not run, refuses, or does not answer. */
static sd_bus_message *resolved_call(sd_bus_message *m)
{
	uint64_t left = bus_left_until(answer_end);
	sd_bus_message *reply;

	if (!m || !left) {
		sd_bus_message_unref(m);
		return NULL;
	}
	reply = bus_call(bus, m, left);
	asked();
	return reply;
}

/* The servers at this path, NULL as above. */
static sd_bus_message *servers_at(const char *path)
{
	uint64_t left = bus_left_until(answer_end);
	sd_bus_message *dns;

	if (!left)
		return NULL;
	dns = bus_get(bus, RESOLVED, path, RESOLVED ".Link", "DNS", "a(iay)", left);
	asked();
	return dns;
}

/**
 * resolved_ask_again() - there is no later: it is asked also if it has just not answered
 */
void resolved_ask_again(void)
{
	again = 0;
}

/* How many servers the message lists; -1: others than could be ours. */
static int read_servers(sd_bus_message *m, struct in_addr *to)
{
	const void *address;
	int family, n = 0;
	size_t len;

	if (sd_bus_message_enter_container(m, 'a', "(iay)") <= 0)
		return -1;
	while (sd_bus_message_enter_container(m, 'r', "iay") > 0) {
		if (n == LINK_SERVERS || sd_bus_message_read(m, "i", &family) <= 0 ||
		    sd_bus_message_read_array(m, 'y', &address, &len) < 0 ||
		    family != AF_INET || len != sizeof(*to) || sd_bus_message_exit_container(m) < 0)
			return -1;
		memcpy(&to[n++], address, len);
	}
	return n;
}

/* The servers that it knows for a link, NULL: it does not run, or knows no such link. */
static sd_bus_message *link_dns(int ifindex)
{
	sd_bus_message *link = resolved_call(about_link("GetLink", ifindex)), *dns = NULL;
	const char *path;

	if (link && sd_bus_message_read(link, "o", &path) > 0)
		dns = servers_at(path);
	sd_bus_message_unref(link);
	return dns;
}

/* Does it know nobody's servers for this link but ours, or none? -1: it does not say. */
static int is_ours(int ifindex, const struct in_addr *servers, unsigned int n,
		   const struct in_addr *told, unsigned int n_told)
{
	struct in_addr has[LINK_SERVERS] = { 0 };
	sd_bus_message *dns = link_dns(ifindex);
	int n_has;

	if (!dns)
		return -1;
	n_has = read_servers(dns, has);
	sd_bus_message_unref(dns);
	return !n_has || (n_has == (int)n_told && !memcmp(has, told, n_told * sizeof(*told))) ||
	       (n_has == (int)n && !memcmp(has, servers, n * sizeof(*servers)));
}

static bool append_servers(sd_bus_message *m, const struct in_addr *servers, unsigned int n)
{
	unsigned int i;

	if (sd_bus_message_open_container(m, 'a', "(iay)") < 0)
		return false;
	for (i = 0; i < n; i++)
		if (sd_bus_message_open_container(m, 'r', "iay") < 0 ||
		    sd_bus_message_append(m, "i", AF_INET) < 0 ||
		    sd_bus_message_append_array(m, 'y', &servers[i], sizeof(*servers)) < 0 ||
		    sd_bus_message_close_container(m) < 0)
			return false;
	return sd_bus_message_close_container(m) >= 0;
}

/**
 * resolved_set() - a link has servers, and all else that was said of it stays
 * @ifindex: the link
 * @servers: its servers
 * @n: how many, 0: it has them no longer
 * @told: those that were told before
 * @n_told: how many
 *
 * Return: 1: it has been told; 0: it knows somebody else's, which stay; -1: it could not be told.
 */
int resolved_set(int ifindex, const struct in_addr *servers, unsigned int n,
		 const struct in_addr *told, unsigned int n_told)
{
	sd_bus_message *m = NULL, *reply;
	int ours;

	begin();
	ours = is_ours(ifindex, servers, n, told, n_told);
	if (ours > 0)
		m = about_link("SetLinkDNS", ifindex);
	if (m && !append_servers(m, servers, n))
		m = sd_bus_message_unref(m);
	reply = resolved_call(m);
	end();
	sd_bus_message_unref(reply);
	return reply ? 1 : ours ? -1 : 0;
}

/**
 * resolved_get() - which servers it knows for a link
 * @ifindex: the link
 * @servers: there go the first LINK_SERVERS that a module could ask
 *
 * Return: how many those are; -1: it does not run, or does not say.
 */
int resolved_get(int ifindex, struct in_addr *servers)
{
	struct in_addr server;
	const void *address;
	int family, n = 0;
	sd_bus_message *dns;
	size_t len;

	begin();
	dns = link_dns(ifindex);
	end();
	if (!dns || sd_bus_message_enter_container(dns, 'a', "(iay)") <= 0)
		n = -1;
	while (n >= 0 && sd_bus_message_enter_container(dns, 'r', "iay") > 0) {
		if (sd_bus_message_read(dns, "i", &family) <= 0 ||
		    sd_bus_message_read_array(dns, 'y', &address, &len) < 0 ||
		    sd_bus_message_exit_container(dns) < 0) {
			n = -1;
		} else if (family == AF_INET && len == sizeof(server) && n < LINK_SERVERS) {
			memcpy(&server, address, len);
			if (link_is_server(server))
				servers[n++] = server;
		}
	}
	sd_bus_message_unref(dns);
	return n;
}
