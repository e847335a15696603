// SPDX-License-Identifier: GPL-2.0
/*
 * What NetworkManager knows. It is asked as long as it runs, and not started for that; what
 * comes of it in messages is wiped with them.
 */
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "bus.h"

#define NM		"org.freedesktop.NetworkManager"
#define NM_SETTINGS	NM ".Settings"
#define NM_PATH		"/org/freedesktop/NetworkManager/Settings"
/* The driver waits for 5 s, and other sources want to be read. */
#define CALL_USEC	1000000
#define ALL_SECONDS	3
/* Of connections, which anybody may have made who may make one. */
#define CONNECTIONS_MAX	1000

/* Calls it, if it is there; NULL: it is not, or refuses. */
static sd_bus_message *call(sd_bus *bus, const char *path, const char *interface,
			    const char *member, const char *arg)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *m = NULL, *reply = NULL;

	if (sd_bus_message_new_method_call(bus, &m, NM, path, interface, member) < 0)
		return NULL;
	if (sd_bus_message_set_auto_start(m, 0) >= 0 &&
	    (!arg || sd_bus_message_append(m, "s", arg) >= 0) &&
	    sd_bus_call(bus, m, CALL_USEC, &error, &reply) >= 0)
		sd_bus_message_sensitive(reply);
	sd_bus_error_free(&error);
	sd_bus_message_unref(m);
	return reply;
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

static bool is_of(sd_bus *bus, const char *path, const struct secrets *s)
{
	sd_bus_message *m = call(bus, path, NM_SETTINGS ".Connection", "GetSettings", NULL);
	const void *ssid;
	size_t len;
	bool is_it;

	is_it = setting_of(m, "802-11-wireless", "ssid", "ay") &&
		sd_bus_message_read_array(m, 'y', &ssid, &len) > 0 && len == s->ssid_len &&
		!memcmp(ssid, s->ssid, len);
	sd_bus_message_unref(m);
	return is_it;
}

static void take_from(sd_bus *bus, const char *path, struct secrets *s)
{
	static const char group[] = "802-11-wireless-security";
	sd_bus_message *m;
	const char *psk;

	m = call(bus, path, NM_SETTINGS ".Connection", "GetSecrets", group);
	if (setting_of(m, group, "psk", "s") && sd_bus_message_read(m, "s", &psk) > 0) {
		secrets_add(s, psk, strlen(psk));
		s->keys += strlen(psk) == 2 * 32;
	}
	sd_bus_message_unref(m);
}

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/**
 * bus_secrets() - those of NetworkManager's connections
 * @s: what there is already
 */
void bus_secrets(struct secrets *s)
{
	time_t end = now() + ALL_SECONDS;
	sd_bus_message *list = NULL;
	sd_bus *bus = NULL;
	const char *path;
	int i;

	if (sd_bus_open_system(&bus) >= 0)
		list = call(bus, NM_PATH, NM_SETTINGS, "ListConnections", NULL);
	if (list && sd_bus_message_enter_container(list, 'a', "o") > 0)
		for (i = 0; i < CONNECTIONS_MAX && now() < end &&
			    sd_bus_message_read(list, "o", &path) > 0; i++)
			if (is_of(bus, path, s))
				take_from(bus, path, s);
	sd_bus_message_unref(list);
	sd_bus_flush_close_unref(bus);
}
