// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which servers a link has, for systemd-resolved: as long as it runs, and nobody else has
 * told it others for this link.
 */
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>

#include "bus.h"
#include "links.h"
#include "resolved.h"

#define RESOLVED	"org.freedesktop.resolve1"
#define RESOLVED_PATH	"/org/freedesktop/resolve1"
/* The driver's questions wait meanwhile. */
#define CALL_USEC	1000000
#define RETRY_S		10

static struct event_base *event_base;
static struct event *bus_event, *retry;
static sd_bus *bus;
static void (*restarted_fn)(void);

static void bus_close(void)
{
	if (bus_event)
		event_free(bus_event);
	bus_event = NULL;
	bus = sd_bus_close_unref(bus);
}

/* What came while an answer was waited for is not told by the socket. */
static void bus_look(void)
{
	if (bus_event)
		event_active(bus_event, EV_READ, 0);
}

static void bus_cb(evutil_socket_t fd, short what, void *arg)
{
	int ret;

	(void)fd;
	(void)what;
	(void)arg;
	do {
		ret = sd_bus_process(bus, NULL);
	} while (ret > 0);
	if (ret == 0)
		return;
	bus_close();
	event_add(retry, &(struct timeval){ RETRY_S, 0 });
}

static int owner_cb(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	const char *name, *old, *new;

	(void)arg;
	(void)error;
	if (sd_bus_message_read(m, "sss", &name, &old, &new) >= 0 && *new)
		restarted_fn();
	return 0;
}

static void bus_open(evutil_socket_t fd, short what, void *arg)
{
	static const char match[] =
		"type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
		"interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" RESOLVED "'";

	(void)fd;
	(void)what;
	(void)arg;
	bus = bus_connect(CALL_USEC);
	if (bus && sd_bus_set_method_call_timeout(bus, CALL_USEC) >= 0 &&
	    sd_bus_add_match(bus, NULL, match, owner_cb, NULL) >= 0)
		bus_event = event_new(event_base, sd_bus_get_fd(bus), EV_READ | EV_PERSIST,
				      bus_cb, NULL);
	if (!bus_event || event_add(bus_event, NULL)) {
		bus_close();
		event_add(retry, &(struct timeval){ RETRY_S, 0 });
		return;
	}
	restarted_fn();
	bus_look();
}

/**
 * resolved_begin() - know whether it runs
 * @base: for events
 * @restarted: is called when it has begun to
 *
 * Return: false for want of memory.
 */
bool resolved_begin(struct event_base *base, void (*restarted)(void))
{
	event_base = base;
	restarted_fn = restarted;
	retry = evtimer_new(base, bus_open, NULL);
	if (!retry)
		return false;
	bus_open(-1, 0, NULL);
	return true;
}

/**
 * resolved_end() - the program ends
 */
void resolved_end(void)
{
	bus_close();
	if (retry)
		event_free(retry);
	retry = NULL;
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

/* The answer, NULL: it does not run, or refuses. */
static sd_bus_message *resolved_call(sd_bus_message *m)
{
	sd_bus_message *reply = NULL;

	if (m)
		sd_bus_call(bus, m, CALL_USEC, NULL, &reply);
	sd_bus_message_unref(m);
	bus_look();
	return reply;
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

	if (link && sd_bus_message_read(link, "o", &path) > 0 &&
	    sd_bus_get_property(bus, RESOLVED, path, RESOLVED ".Link", "DNS", NULL, &dns,
				"a(iay)") < 0)
		dns = NULL;
	sd_bus_message_unref(link);
	return dns;
}

/* Does it know nobody's servers for this link but ours, or none? */
static bool is_ours(int ifindex, const struct in_addr *servers, unsigned int n,
		    const struct in_addr *told, unsigned int n_told)
{
	struct in_addr has[LINK_SERVERS] = { 0 };
	sd_bus_message *dns = link_dns(ifindex);
	int n_has = dns ? read_servers(dns, has) : -1;

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
 * Return: true if it has been told.
 */
bool resolved_set(int ifindex, const struct in_addr *servers, unsigned int n,
		  const struct in_addr *told, unsigned int n_told)
{
	sd_bus_message *m, *reply;

	if (!is_ours(ifindex, servers, n, told, n_told))
		return false;
	m = about_link("SetLinkDNS", ifindex);
	if (m && !append_servers(m, servers, n))
		m = sd_bus_message_unref(m);
	reply = resolved_call(m);
	sd_bus_message_unref(reply);
	return reply;
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
	sd_bus_message *dns = link_dns(ifindex);
	struct in_addr server;
	const void *address;
	int family, n = 0;
	size_t len;

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
