// SPDX-License-Identifier: GPL-2.0-only
/*
 * What NetworkManager knows, and systemd-networkd. They are asked as long as they run, and not
 * started for that; what comes of it in messages is wiped with them.
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "bus.h"
#include "links.h"

/* As sd_bus_open_system() has it. */
#define SYSTEM_BUS	"unix:path=/run/dbus/system_bus_socket"
#define NM		"org.freedesktop.NetworkManager"
#define NM_PATH		"/org/freedesktop/NetworkManager"
#define NM_SETTINGS	NM ".Settings"
#define NETWORKD	"org.freedesktop.network1"
/* The driver waits for 5 s, and other sources want to be read. */
#define ALL_USEC	3000000
/* Of connections, which anybody may have made who may make one. */
#define CONNECTIONS_MAX	1000

/* Whom to ask, and until when. */
struct nm {
	sd_bus		*bus;
	uint64_t	end;
};

/**
 * bus_now() - the time, for bus_left_until()
 *
 * Return: microseconds.
 */
uint64_t bus_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

/**
 * bus_left_until() - how long is it until then?
 * @end: a time
 *
 * Return: microseconds; 0: it is over.
 */
uint64_t bus_left_until(uint64_t end)
{
	uint64_t at = bus_now();

	return at < end ? end - at : 0;
}

/* Deals with one message, or waits for one until that time; less than 0: it is over. */
static int turn(sd_bus *bus, uint64_t end)
{
	uint64_t left = bus_left_until(end);
	int ret = left ? sd_bus_process(bus, NULL) : -1;

	return ret ? ret : sd_bus_wait(bus, left);
}

/**
 * bus_connect() - the system's bus, when it has let us in
 * @usec: so long is that waited for
 *
 * Anybody may send us descriptors, which are limited: nobody does who is told that they are not
 * taken. sd_bus_open_system() takes them.
 *
 * Return: the bus, NULL: there is none, or none that answers.
 */
sd_bus *bus_connect(uint64_t usec)
{
	const char *address = getenv("DBUS_SYSTEM_BUS_ADDRESS");
	uint64_t end = bus_now() + usec;
	sd_bus *bus = NULL;
	int ret;

	ret = sd_bus_new(&bus);
	if (ret >= 0)
		ret = sd_bus_set_address(bus, address ?: SYSTEM_BUS);
	if (ret >= 0)
		ret = sd_bus_set_bus_client(bus, 1);
	if (ret >= 0)
		ret = sd_bus_negotiate_fds(bus, 0);
	if (ret >= 0)
		ret = sd_bus_start(bus);
	while (ret >= 0 && sd_bus_is_ready(bus) <= 0)
		ret = turn(bus, end);
	return ret < 0 ? sd_bus_close_unref(bus) : bus;
}

/* What is to be asked, with nothing to it yet; NULL: no memory. */
static sd_bus_message *question(sd_bus *bus, const char *whom, const char *path,
				const char *interface, const char *member)
{
	sd_bus_message *m = NULL;

	if (sd_bus_message_new_method_call(bus, &m, whom, path, interface, member) >= 0 &&
	    sd_bus_message_set_auto_start(m, 0) < 0)
		m = sd_bus_message_unref(m);
	return m;
}

static int take_reply(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	sd_bus_message **reply = arg;

	*reply = sd_bus_message_ref(m);
	return 0;
}

/**
 * bus_call() - ask, and wait for the answer
 * @bus: the bus
 * @m: the call, which is not needed any more
 * @usec: so long it is waited for
 *
 * As sd_bus_call(), which keeps whatever else comes meanwhile; and anybody may send us much. Here
 * that is dealt with as it comes, by the matches that there are.
 *
 * Return: the answer, NULL: there is none, or it is an error.
 */
sd_bus_message *bus_call(sd_bus *bus, sd_bus_message *m, uint64_t usec)
{
	uint64_t end = bus_now() + usec;
	sd_bus_message *reply = NULL;
	sd_bus_slot *slot = NULL;
	int ret;

	ret = sd_bus_call_async(bus, &slot, m, take_reply, &reply, usec);
	while (ret >= 0 && !reply)
		ret = turn(bus, end);
	sd_bus_slot_unref(slot);
	sd_bus_message_unref(m);
	return reply && sd_bus_message_is_method_error(reply, NULL) ?
	       sd_bus_message_unref(reply) : reply;
}

/**
 * bus_get() - ask for a property
 * @bus: the bus
 * @whom: whose
 * @path: of which object
 * @interface: of which of its interfaces
 * @name: of the property
 * @type: of its value
 * @usec: so long it is waited for
 *
 * Return: its value, to be read; NULL: it is not known.
 */
sd_bus_message *bus_get(sd_bus *bus, const char *whom, const char *path, const char *interface,
			const char *name, const char *type, uint64_t usec)
{
	sd_bus_message *m = question(bus, whom, path, "org.freedesktop.DBus.Properties", "Get");
	sd_bus_message *value;

	if (!m || sd_bus_message_append(m, "ss", interface, name) < 0) {
		sd_bus_message_unref(m);
		return NULL;
	}
	value = bus_call(bus, m, usec);
	if (value && sd_bus_message_enter_container(value, 'v', type) <= 0)
		value = sd_bus_message_unref(value);
	return value;
}

/* Asks it, if somebody is there; NULL: nobody is, or he refuses. */
static sd_bus_message *ask(const struct nm *nm, sd_bus_message *m)
{
	uint64_t left = bus_left_until(nm->end);
	sd_bus_message *reply = NULL;

	if (m && left)
		reply = bus_call(nm->bus, m, left < BUS_CALL_USEC ? left : BUS_CALL_USEC);
	else
		sd_bus_message_unref(m);
	if (reply)
		sd_bus_message_sensitive(reply);
	return reply;
}

static sd_bus_message *call(const struct nm *nm, const char *path, const char *interface,
			    const char *member, const char *arg)
{
	sd_bus_message *m = question(nm->bus, NM, path, interface, member);

	if (m && arg && sd_bus_message_append(m, "s", arg) < 0)
		m = sd_bus_message_unref(m);
	return ask(nm, m);
}

/* On to the value of that name in a dictionary; false: there is none of that type. */
static bool value_of(sd_bus_message *m, const char *entry, const char *rest, const char *name)
{
	const char *word;

	while (sd_bus_message_enter_container(m, 'e', entry) > 0) {
		if (sd_bus_message_read(m, "s", &word) < 0)
			return false;
		if (!strcmp(word, name))
			return true;
		if (sd_bus_message_skip(m, rest) < 0 || sd_bus_message_exit_container(m) < 0)
			return false;
	}
	return false;
}

static bool setting_of(sd_bus_message *m, const char *group, const char *name, const char *type)
{
	return m && sd_bus_message_enter_container(m, 'a', "{sa{sv}}") > 0 &&
	       value_of(m, "sa{sv}", "a{sv}", group) &&
	       sd_bus_message_enter_container(m, 'a', "{sv}") > 0 &&
	       value_of(m, "sv", "v", name) && sd_bus_message_enter_container(m, 'v', type) > 0;
}

static bool is_of(const struct nm *nm, const char *path, const struct secrets *s)
{
	sd_bus_message *m = call(nm, path, NM_SETTINGS ".Connection", "GetSettings", NULL);
	const void *ssid;
	size_t len;
	bool is_it;

	is_it = setting_of(m, "802-11-wireless", "ssid", "ay") &&
		sd_bus_message_read_array(m, 'y', &ssid, &len) > 0 && len == s->ssid_len &&
		!memcmp(ssid, s->ssid, len);
	sd_bus_message_unref(m);
	return is_it;
}

static void take_from(const struct nm *nm, const char *path, struct secrets *s)
{
	static const char group[] = "802-11-wireless-security";
	sd_bus_message *m;
	const char *psk;

	m = call(nm, path, NM_SETTINGS ".Connection", "GetSecrets", group);
	if (setting_of(m, group, "psk", "s") && sd_bus_message_read(m, "s", &psk) > 0) {
		secrets_add(s, psk, strlen(psk));
		s->keys += strlen(psk) == 2 * 32;
	}
	sd_bus_message_unref(m);
}

/* A property of what a message names, NULL: it is not known. */
static sd_bus_message *property(const struct nm *nm, sd_bus_message *of, const char *interface,
				const char *name, const char *type)
{
	uint64_t left = bus_left_until(nm->end);
	const char *path;

	if (!of || sd_bus_message_read(of, "o", &path) <= 0 || !left)
		return NULL;
	return bus_get(nm->bus, NM, path, interface, name, type, left);
}

/* A property of what another one of a device names, NULL: it is not known. */
static sd_bus_message *property_of_device(const struct nm *nm, const char *ifname,
					  const char *link, const char *interface,
					  const char *name, const char *type)
{
	sd_bus_message *device, *linked, *value;

	device = call(nm, NM_PATH, NM, "GetDeviceByIpIface", ifname);
	linked = property(nm, device, NM ".Device", link, "o");
	value = property(nm, linked, interface, name, type);
	sd_bus_message_unref(linked);
	sd_bus_message_unref(device);
	return value;
}

static void take_from_all(const struct nm *nm, sd_bus_message *list, struct secrets *s)
{
	int n = CONNECTIONS_MAX;
	const char *path;

	while (n-- && bus_left_until(nm->end) && sd_bus_message_read(list, "o", &path) > 0)
		if (is_of(nm, path, s))
			take_from(nm, path, s);
}

/**
 * bus_secrets() - those of NetworkManager's connections
 * @s: what there is already
 */
void bus_secrets(struct secrets *s)
{
	struct nm nm = { .end = bus_now() + ALL_USEC };
	sd_bus_message *active, *list;

	nm.bus = bus_connect(BUS_CALL_USEC);
	if (!nm.bus)
		return;
	/* First the one that it makes now: a user may have made any number of others. */
	active = property_of_device(&nm, s->ifname, "ActiveConnection",
				    NM ".Connection.Active", "Connection", "o");
	if (active)
		take_from_all(&nm, active, s);
	list = call(&nm, NM_PATH "/Settings", NM_SETTINGS, "ListConnections", NULL);
	if (list && sd_bus_message_enter_container(list, 'a', "o") > 0)
		take_from_all(&nm, list, s);
	sd_bus_message_unref(list);
	sd_bus_message_unref(active);
	sd_bus_close_unref(nm.bus);
}

/* The address of an object, as a list of its bytes; false: of IPv6, or none. */
static bool read_address(const struct json_object *of, struct in_addr *address)
{
	uint8_t *bytes = (uint8_t *)address;
	struct json_object *list;
	size_t i;

	if (!json_object_object_get_ex(of, "Address", &list) ||
	    !json_object_is_type(list, json_type_array) ||
	    json_object_array_length(list) != sizeof(*address))
		return false;
	for (i = 0; i < sizeof(*address); i++)
		bytes[i] = json_object_get_int(json_object_array_get_idx(list, i));
	return true;
}

/* What systemd-networkd has of a link, of which this is all. */
static int described(const struct json_object *link, struct in_addr *servers)
{
	struct json_object *list;
	struct in_addr server;
	size_t i, len;
	int n = 0;

	/* Without a file it is none of its links. */
	if (!json_object_object_get_ex(link, "NetworkFile", &list))
		return -1;
	len = json_object_object_get_ex(link, "DNS", &list) &&
	      json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
	for (i = 0; i < len && n < LINK_SERVERS; i++)
		if (read_address(json_object_array_get_idx(list, i), &server) &&
		    link_is_server(server))
			servers[n++] = server;
	return n;
}

static int networkd_servers(const struct nm *nm, int ifindex, struct in_addr *servers)
{
	sd_bus_message *m = question(nm->bus, NETWORKD, "/org/freedesktop/network1",
				     NETWORKD ".Manager", "DescribeLink");
	struct json_object *link = NULL;
	const char *text;
	int n;

	if (m && sd_bus_message_append(m, "i", ifindex) < 0)
		m = sd_bus_message_unref(m);
	m = ask(nm, m);
	if (m && sd_bus_message_read(m, "s", &text) > 0)
		link = json_tokener_parse(text);
	sd_bus_message_unref(m);
	n = described(link, servers);
	json_object_put(link);
	return n;
}

/* What NetworkManager has configured a link with; -1: it does not say. */
static int nm_servers(const struct nm *nm, const char *ifname, struct in_addr *servers)
{
	sd_bus_message *list = property_of_device(nm, ifname, "Ip4Config", NM ".IP4Config",
						  "Nameservers", "au");
	const struct in_addr *has = NULL;
	size_t len = 0, i;
	int n = -1;

	if (list && sd_bus_message_read_array(list, 'u', (const void **)&has, &len) >= 0)
		n = 0;
	for (i = 0; i < len / sizeof(*has); i++)
		if (n < LINK_SERVERS && link_is_server(has[i]))
			servers[n++] = has[i];
	sd_bus_message_unref(list);
	return n;
}

/**
 * bus_servers() - the name servers that NetworkManager or systemd-networkd has for a link
 * @dev: whose link
 * @servers: there go the first LINK_SERVERS that a module could ask
 *
 * Return: how many those are; -1: neither runs and answers, and has configured the link.
 */
int bus_servers(const struct link_device *dev, struct in_addr *servers)
{
	struct nm nm = { .end = bus_now() + BUS_CALL_USEC };
	static uint64_t again;
	int n = -1;

	if (bus_left_until(again))
		return n;
	nm.bus = bus_connect(BUS_CALL_USEC);
	if (nm.bus) {
		n = nm_servers(&nm, dev->ifname, servers);
		if (n < 0)
			n = networkd_servers(&nm, dev->ifindex, servers);
	}
	/* There may be other links, and the driver waits meanwhile. */
	if (!bus_left_until(nm.end))
		again = bus_now() + BUS_RETRY_S * 1000000;
	sd_bus_close_unref(nm.bus);
	return n;
}
