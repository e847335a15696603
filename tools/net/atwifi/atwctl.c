// SPDX-License-Identifier: GPL-2.0-only
/*
 * atwctl - see and set what the atwifi driver knows of its modules.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <linux/atwifi_genl.h>

#include "attach.h"
#include "doctor.h"
#include "libatwifi.h"
#include "nl.h"
#include "out.h"
#include "store.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
/* A network that has let the module join gives it an address by then, or not at all. */
#define JOIN_SECONDS	30
/* The driver's limits, in bytes; what is far longer it refuses without words. */
#define DEVICE_MAX	15
#define HOST_MAX	119
#define CERT_MAX	2047
#define COMMAND_MAX	253
#define PASSWORD_MAX	63
/* Options without a letter; attach.h has others. */
enum { FORGET = 0x200, HIDDEN, OFF, CHANNEL };

static bool json;
static const char *device;
static const char *password_file;
static bool forget, hidden, off;
static uint16_t channel;
static enum attach attach_how;

/* What messages hold; names are those of the specification, in its order. */

/* from the specification: begin */

static const char *const dev_state_names[] = {
	"probing", "down", "joined", NULL
};

static const char *const profile_names[] = {
	"middleware", "classic", "bw20", "unknown", NULL
};

static const char *const recv_mode_names[] = {
	"passive", "active", NULL
};

static const char *const prefer_names[] = {
	"balance", "throughput", "latency", NULL
};

static const char *const socket_type_names[] = {
	"none", "udp-server", "udp-client", "tcp-server", "tcp-client", "tcp-accepted",
	"tls-server", "tls-client", "tls-accepted", NULL
};

static const char *const socket_state_names[] = {
	"waiting", "opening", "open", "closing", "dead", NULL
};

static const char *const event_names[] = {
	"attached", "detached", "found", "lost", "restarted", "link-up", "link-down", "address",
	NULL
};

/* from the specification: end */

static const struct out_field stats_fields[] = {
	{ ATWIFI_A_DEV_STATS_RX_BYTES, OUT_U64, .key = "rx_bytes" },
	{ ATWIFI_A_DEV_STATS_TX_BYTES, OUT_U64, .key = "tx_bytes" },
	{ ATWIFI_A_DEV_STATS_COMMANDS, OUT_U64, .key = "commands" },
	{ ATWIFI_A_DEV_STATS_TIMEOUTS, OUT_U64, .key = "timeouts" },
	{ ATWIFI_A_DEV_STATS_BUSY, OUT_U64, .key = "busy" },
	{ ATWIFI_A_DEV_STATS_OPENED, OUT_U64, .key = "opened" },
	{ ATWIFI_A_DEV_STATS_FAILED, OUT_U64, .key = "failed" },
	{ ATWIFI_A_DEV_STATS_ACCEPTED, OUT_U64, .key = "accepted" },
	{ ATWIFI_A_DEV_STATS_REFUSED, OUT_U64, .key = "refused" },
	{ ATWIFI_A_DEV_STATS_RESETS, OUT_U64, .key = "resets" },
	{ ATWIFI_A_DEV_STATS_OVERFLOWS, OUT_U64, .key = "overflows" },
	{ ATWIFI_A_DEV_STATS_THROTTLED, OUT_U64, .key = "throttled" },
	{ ATWIFI_A_DEV_STATS_DAMAGED, OUT_U64, .key = "damaged" },
	{ ATWIFI_A_DEV_STATS_CUT, OUT_U64, .key = "cut" },
	{ ATWIFI_A_DEV_STATS_UNEXPLAINED, OUT_U64, .key = "unexplained" },
	{ ATWIFI_A_DEV_STATS_PASSIVE, OUT_U64, .key = "passive" },
	{ ATWIFI_A_DEV_STATS_TRANSPARENT, OUT_U64, .key = "transparent" },
	{ ATWIFI_A_DEV_STATS_BRINGUPS, OUT_U64, .key = "bringups" },
	{ ATWIFI_A_DEV_STATS_REBOOTS, OUT_U64, .key = "reboots" },
	{ }
};

static const struct out_field dev_fields[] = {
	{ ATWIFI_A_DEV_NAME, OUT_TEXT, .key = "name" },
	{ ATWIFI_A_DEV_PORT, OUT_TEXT, .key = "port" },
	{ ATWIFI_A_DEV_IFNAME, OUT_TEXT, .key = "ifname" },
	{ ATWIFI_A_DEV_IFINDEX, OUT_U32, .key = "ifindex" },
	{ ATWIFI_A_DEV_STATE, OUT_ENUM, .key = "state", .names = dev_state_names },
	{ ATWIFI_A_DEV_FIRMWARE, OUT_TEXT, .key = "firmware" },
	{ ATWIFI_A_DEV_AT_VERSION, OUT_TEXT, .key = "at_version" },
	{ ATWIFI_A_DEV_PROFILE, OUT_ENUM, .key = "profile", .names = profile_names },
	{ ATWIFI_A_DEV_BAUD, OUT_U32, .key = "baud" },
	{ ATWIFI_A_DEV_ADDRESS, OUT_IPV4, .key = "address" },
	{ ATWIFI_A_DEV_GATEWAY, OUT_IPV4, .key = "gateway" },
	{ ATWIFI_A_DEV_MAC, OUT_MAC, .key = "mac" },
	{ ATWIFI_A_DEV_RECV_MODE, OUT_ENUM, .key = "recv_mode", .names = recv_mode_names },
	{ ATWIFI_A_DEV_YIELD_AFTER, OUT_U32, .key = "yield_after" },
	{ ATWIFI_A_DEV_PREFER, OUT_ENUM, .key = "prefer", .names = prefer_names },
	{ ATWIFI_A_DEV_STATS, OUT_NEST, .key = "stats", .nest = stats_fields },
	{ }
};

static const struct out_field socket_fields[] = {
	{ ATWIFI_A_SOCKET_DEV, OUT_TEXT, .key = "dev" },
	{ ATWIFI_A_SOCKET_ID, OUT_U32, .key = "id" },
	{ ATWIFI_A_SOCKET_TYPE, OUT_ENUM, .key = "type", .names = socket_type_names },
	{ ATWIFI_A_SOCKET_STATE, OUT_ENUM, .key = "state", .names = socket_state_names },
	{ ATWIFI_A_SOCKET_ADDRESS, OUT_IPV4, .key = "address" },
	{ ATWIFI_A_SOCKET_HOST, OUT_TEXT, .key = "host" },
	{ ATWIFI_A_SOCKET_PORT, OUT_U16, .key = "port" },
	{ ATWIFI_A_SOCKET_UNSENT, OUT_U32, .key = "unsent" },
	{ ATWIFI_A_SOCKET_RX_BYTES, OUT_U64, .key = "rx_bytes" },
	{ ATWIFI_A_SOCKET_TX_BYTES, OUT_U64, .key = "tx_bytes" },
	{ ATWIFI_A_SOCKET_ERROR, OUT_ERRNO, .key = "error" },
	{ ATWIFI_A_SOCKET_MODULE_ERROR, OUT_U32, .key = "module_error" },
	{ ATWIFI_A_SOCKET_UID, OUT_U32, .key = "uid" },
	{ ATWIFI_A_SOCKET_INODE, OUT_U64, .key = "inode" },
	{ }
};

static const struct out_field dns_fields[] = {
	{ ATWIFI_A_DNS_DEV, OUT_TEXT, .key = "dev" },
	{ ATWIFI_A_DNS_SERVER, OUT_IPV4, .many = true, .key = "servers" },
	{ }
};

static const struct out_field autott_fields[] = {
	{ ATWIFI_A_AUTOTT_DEV, OUT_TEXT, .key = "dev" },
	{ ATWIFI_A_AUTOTT_TYPE, OUT_ENUM, .key = "type", .names = socket_type_names },
	{ ATWIFI_A_AUTOTT_HOST, OUT_TEXT, .key = "host" },
	{ ATWIFI_A_AUTOTT_PORT, OUT_U16, .key = "port" },
	{ }
};

static const char *const cert_types[] = { "", "ca", "cert", "key", NULL };

static const struct out_field cert_fields[] = {
	{ ATWIFI_A_CERT_DEV, OUT_TEXT, .key = "dev" },
	{ ATWIFI_A_CERT_TYPE, OUT_ENUM, .key = "type", .names = cert_types },
	{ ATWIFI_A_CERT_DATA, OUT_TEXT, .key = "data" },
	{ }
};

static const struct out_field at_fields[] = {
	{ ATWIFI_A_AT_DEV, OUT_TEXT, .key = "dev" },
	{ ATWIFI_A_AT_ROW, OUT_TEXT, .many = true, .key = "rows" },
	{ ATWIFI_A_AT_MORE, OUT_FLAG, .key = "more" },
	{ }
};

static const char *const protocols[] = {
	"hopopt", "icmp", "igmp", "ggp", "ipip", "st", "tcp", NULL
};

static const struct out_field expose_fields[] = {
	{ ATWIFI_A_EXPOSE_DEV, OUT_TEXT, .key = "dev" },
	{ ATWIFI_A_EXPOSE_PROTOCOL, OUT_ENUM, .key = "protocol", .names = protocols },
	{ ATWIFI_A_EXPOSE_PORT, OUT_U16, .key = "port" },
	{ ATWIFI_A_EXPOSE_LOCAL_ADDRESS, OUT_IPV4, .key = "local_address" },
	{ ATWIFI_A_EXPOSE_LOCAL_PORT, OUT_U16, .key = "local_port" },
	{ ATWIFI_A_EXPOSE_LISTENING, OUT_FLAG, .key = "listening" },
	{ ATWIFI_A_EXPOSE_ACCEPTED, OUT_U64, .key = "accepted" },
	{ ATWIFI_A_EXPOSE_REFUSED, OUT_U64, .key = "refused" },
	{ ATWIFI_A_EXPOSE_ERROR, OUT_ERRNO, .key = "error" },
	{ }
};

static const struct out_field network_fields[] = {
	{ ATWIFI_A_NETWORK_SSID, OUT_TEXT, .key = "ssid" },
	{ ATWIFI_A_NETWORK_BSSID, OUT_MAC, .key = "bssid" },
	{ ATWIFI_A_NETWORK_CHANNEL, OUT_U32, .key = "channel" },
	{ ATWIFI_A_NETWORK_SIGNAL, OUT_S32, .key = "signal" },
	{ ATWIFI_A_NETWORK_SECURITY, OUT_TEXT, .key = "security" },
	{ }
};

static const struct out_field scan_fields[] = {
	{ ATWIFI_A_WIFI_DEV, OUT_TEXT, .key = "dev" },
	{ ATWIFI_A_WIFI_NETWORK, OUT_NEST, .many = true, .key = "networks",
	  .nest = network_fields },
	{ ATWIFI_A_WIFI_DAMAGED, OUT_U32, .key = "damaged" },
	{ }
};

static const struct out_field ap_fields[] = {
	{ ATWIFI_A_WIFI_DEV, OUT_TEXT, .key = "dev" },
	{ ATWIFI_A_WIFI_NETWORK, OUT_NEST, .key = "network", .nest = network_fields },
	{ ATWIFI_A_WIFI_HIDDEN, OUT_FLAG, .key = "hidden" },
	{ ATWIFI_A_WIFI_STATION, OUT_MAC, .many = true, .key = "stations" },
	{ }
};

static const struct out_field status_fields[] = {
	{ ATWIFI_A_WIFI_DEV, OUT_TEXT, .key = "dev" },
	{ ATWIFI_A_WIFI_STATE, OUT_ENUM, .key = "state", .names = dev_state_names },
	{ ATWIFI_A_WIFI_NETWORK, OUT_NEST, .key = "network", .nest = network_fields },
	{ ATWIFI_A_WIFI_ADDRESS, OUT_IPV4, .key = "address" },
	{ ATWIFI_A_WIFI_GATEWAY, OUT_IPV4, .key = "gateway" },
	{ ATWIFI_A_WIFI_SERVER, OUT_IPV4, .many = true, .key = "servers" },
	{ }
};

static const struct out_field event_fields[] = {
	{ ATWIFI_A_EVENT_DEV, OUT_TEXT, .key = "dev" },
	{ ATWIFI_A_EVENT_EVENT, OUT_ENUM, .key = "event", .names = event_names },
	{ ATWIFI_A_EVENT_ADDRESS, OUT_IPV4, .key = "address" },
	{ ATWIFI_A_EVENT_GATEWAY, OUT_IPV4, .key = "gateway" },
	{ ATWIFI_A_EVENT_FIRMWARE, OUT_TEXT, .key = "firmware" },
	{ }
};

/* Asking */

struct answer {
	const struct out_field	*fields;
	struct json_object	*array;
};

static void keep(int cmd, struct nlattr *attrs, int len, void *arg)
{
	struct answer *answer = arg;

	json_object_array_add(answer->array, out_object(answer->fields, attrs, len));
}

/* All that is answered, as an array; NULL after an error. */
static struct json_object *ask(struct nl_msg *msg, const char *about,
			       const struct out_field *fields)
{
	struct answer answer = { fields, json_object_new_array() };

	if (!ctl_run(msg, about, keep, &answer))
		return answer.array;
	json_object_put(answer.array);
	return NULL;
}

/* The one object that is answered; NULL after an error. */
static struct json_object *ask_one(struct nl_msg *msg, const char *about,
				   const struct out_field *fields)
{
	struct json_object *array = ask(msg, about, fields);
	struct json_object *obj = NULL;

	if (!array)
		return NULL;
	if (json_object_array_length(array))
		obj = json_object_get(json_object_array_get_idx(array, 0));
	else
		warnx("%s: the kernel gave no answer", about);
	json_object_put(array);
	return obj;
}

static struct json_object *all_devices(void)
{
	struct json_object *array;

	array = ask(ctl_request(ATWIFI_CMD_DEV_GET, true), "devices", dev_fields);
	if (!array)
		exit(1);
	return array;
}

/* The device that is meant: the one that was named, or the only one. */
static const char *the_device(void)
{
	struct json_object *array;
	size_t n;

	if (device)
		return device;
	array = all_devices();
	n = json_object_array_length(array);
	if (!n)
		errx(1, "there is no device in this network namespace");
	if (n > 1)
		errx(1, "there are %zu devices: name one with --device", n);
	device = strdup(out_get(json_object_array_get_idx(array, 0), "name", ""));
	if (!device)
		err(1, "no memory");
	json_object_put(array);
	return device;
}

static struct nl_msg *device_request(int cmd, int attr)
{
	const char *name = the_device();
	struct nl_msg *msg;

	if (strlen(name) > DEVICE_MAX)
		errx(1, "a device's name has at most %d bytes", DEVICE_MAX);
	msg = ctl_request(cmd, false);
	ctl_put_string(msg, attr, name);
	return msg;
}

static uint16_t number(const char *text, long most, const char *what)
{
	char *end;
	long n;

	n = strtol(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || n < 1 || n > most)
		errx(2, "'%s' is not %s, 1 to %ld", text, what, most);
	return n;
}

static uint16_t port_number(const char *text)
{
	return number(text, 65535, "a port");
}

/* Keep those rows that are of the device that was named. */
static struct json_object *of_device(struct json_object *rows)
{
	struct json_object *some = json_object_new_array();
	size_t n = json_object_array_length(rows);
	struct json_object *row;
	size_t i;

	for (i = 0; i < n; i++) {
		row = json_object_array_get_idx(rows, i);
		if (!device || !strcmp(device, out_get(row, "dev", "")))
			json_object_array_add(some, json_object_get(row));
	}
	json_object_put(rows);
	return some;
}

/* Commands */

static int cmd_list(int argc, char **argv)
{
	static const struct out_column columns[] = {
		{ "DEVICE", "name", false },
		{ "STATE", "state", false },
		{ "ADDRESS", "address", false },
		{ "PORT", "port", false },
		{ "BAUD", "baud", true },
		{ "FIRMWARE", "firmware", false },
		{ }
	};
	struct json_object *array = all_devices();
	size_t n = json_object_array_length(array);
	size_t i;

	for (i = 0; i < n; i++)
		json_object_object_del(json_object_array_get_idx(array, i), "stats");
	if (json) {
		out_json(array, false);
	} else {
		if (n)
			out_table(array, columns);
		json_object_put(array);
	}
	return 0;
}

/* The exposed ports of the device that was named, or of all. */
static struct json_object *all_exposed(void)
{
	struct json_object *rows;

	rows = ask(ctl_request(ATWIFI_CMD_EXPOSE_GET, true), "exposed ports", expose_fields);
	if (!rows)
		exit(1);
	return of_device(rows);
}

static int cmd_show(int argc, char **argv)
{
	struct json_object *obj, *exposed, *row;
	size_t i;

	if (argc)
		device = argv[0];
	obj = ask_one(device_request(ATWIFI_CMD_DEV_GET, ATWIFI_A_DEV_NAME), device, dev_fields);
	if (!obj)
		return 1;
	exposed = all_exposed();
	if (json) {
		json_object_object_add(obj, "exposed", exposed);
		out_json(obj, false);
		return 0;
	}
	out_details(obj, 0);
	for (i = 0; i < json_object_array_length(exposed); i++) {
		row = json_object_array_get_idx(exposed, i);
		printf("exposed          %s %s to %s%s%s\n", out_get(row, "protocol", "?"),
		       out_get(row, "port", "?"), out_get(row, "local_address", ""),
		       json_object_object_get_ex(row, "local_address", NULL) ? ":" : "",
		       out_get(row, "local_port", "?"));
	}
	json_object_put(exposed);
	json_object_put(obj);
	return 0;
}

static int cmd_sockets(int argc, char **argv)
{
	static const struct out_column columns[] = {
		{ "DEVICE", "dev", false },
		{ "ID", "id", true },
		{ "TYPE", "type", false },
		{ "STATE", "state", false },
		{ "UNSENT", "unsent", true },
		{ "RECEIVED", "rx_bytes", true },
		{ "SENT", "tx_bytes", true },
		{ "UID", "uid", true },
		{ "INODE", "inode", true },
		{ "PORT", "port", true },
		{ "REMOTE", "remote", false },
		{ }
	};
	struct json_object *array, *row, *remote;
	size_t i, n;

	if (argc)
		device = argv[0];
	array = ask(ctl_request(ATWIFI_CMD_SOCKET_GET, true), "sockets", socket_fields);
	if (!array)
		return 1;
	array = of_device(array);
	if (json) {
		out_json(array, false);
		return 0;
	}
	n = json_object_array_length(array);
	for (i = 0; i < n; i++) {
		row = json_object_array_get_idx(array, i);
		remote = json_object_new_string(out_get(row, "host", out_get(row, "address", "-")));
		json_object_object_add(row, "remote", remote);
	}
	if (n)
		out_table(array, columns);
	json_object_put(array);
	return 0;
}

/* A setting, among the fields of a device. */
static const struct out_field *setting(int attr)
{
	const struct out_field *field = dev_fields;

	while (field->attr != attr)
		field++;
	return field;
}

/* What has no name is a time, of which none is off. */
static int see(const struct out_field *field)
{
	const struct out_field fields[] = {
		{ ATWIFI_A_DEV_NAME, OUT_TEXT, .key = "dev" }, *field, { }
	};
	struct json_object *obj;
	const char *text;

	obj = ask_one(device_request(ATWIFI_CMD_DEV_GET, ATWIFI_A_DEV_NAME), device, fields);
	if (!obj)
		return 1;
	if (json) {
		out_json(obj, false);
	} else {
		text = out_get(obj, field->key, "-");
		puts(strcmp(text, "0") ? text : "off");
		json_object_put(obj);
	}
	return 0;
}

static int set(const struct out_field *field, uint32_t val)
{
	struct nl_msg *msg = device_request(ATWIFI_CMD_DEV_SET, ATWIFI_A_DEV_NAME);

	ctl_put_u32(msg, field->attr, val);
	return ctl_run(msg, device, NULL, NULL) ? 1 : 0;
}

/* Sees or sets what has one of some names. */
static int see_or_set(int argc, char **argv, const struct out_field *field, const char *what)
{
	int n;

	if (!argc)
		return see(field);
	for (n = 0; field->names[n]; n++)
		if (!strcmp(field->names[n], argv[0]))
			return set(field, n);
	errx(2, "'%s' is no %s", argv[0], what);
}

static int cmd_recv_mode(int argc, char **argv)
{
	return see_or_set(argc, argv, setting(ATWIFI_A_DEV_RECV_MODE), "mode: active, passive");
}

static int cmd_prefer(int argc, char **argv)
{
	return see_or_set(argc, argv, setting(ATWIFI_A_DEV_PREFER),
			  "preference: balance, throughput, latency");
}

static int cmd_yield(int argc, char **argv)
{
	const struct out_field *field = setting(ATWIFI_A_DEV_YIELD_AFTER);
	char *end;
	long n;

	if (!argc)
		return see(field);
	n = strtol(argv[0], &end, 10);
	if (!strcmp(argv[0], "off"))
		n = 0;
	else if (*argv[0] < '0' || *argv[0] > '9' || *end || n < 1 || n > 3600)
		errx(2, "'%s' is neither a time, 1 to 3600 seconds, nor off", argv[0]);
	return set(field, n);
}

static int cmd_dns(int argc, char **argv)
{
	struct json_object *obj, *servers;
	struct in_addr addr[2];
	struct nl_msg *msg;
	size_t n;
	int i;

	for (i = 0; i < argc; i++)
		if (inet_pton(AF_INET, argv[i], &addr[i]) != 1)
			errx(2, "'%s' is not an IPv4 address", argv[i]);
	msg = device_request(argc ? ATWIFI_CMD_DNS_SET : ATWIFI_CMD_DNS_GET, ATWIFI_A_DNS_DEV);
	for (i = 0; i < argc; i++)
		ctl_put_data(msg, ATWIFI_A_DNS_SERVER, &addr[i], sizeof(addr[i]));
	if (argc)
		return ctl_run(msg, device, NULL, NULL) ? 1 : 0;
	obj = ask_one(msg, device, dns_fields);
	if (!obj)
		return 1;
	if (json) {
		if (!json_object_object_get_ex(obj, "servers", NULL))
			json_object_object_add(obj, "servers", json_object_new_array());
		out_json(obj, false);
		return 0;
	}
	if (json_object_object_get_ex(obj, "servers", &servers)) {
		n = json_object_array_length(servers);
		for (i = 0; i < (int)n; i++)
			puts(json_object_get_string(json_object_array_get_idx(servers, i)));
	}
	json_object_put(obj);
	return 0;
}

static int cmd_resolve(int argc, char **argv)
{
	const char *name = the_device();
	char address[INET_ADDRSTRLEN];
	struct json_object *obj;
	struct in_addr addr;

	if (atwifi_resolve(name, argv[0], &addr, -1))
		errx(1, "%s: %s", *argv[0] ? argv[0] : name, atwifi_resolve_error(errno));
	inet_ntop(AF_INET, &addr, address, sizeof(address));
	if (json) {
		obj = json_object_new_object();
		json_object_object_add(obj, "dev", json_object_new_string(name));
		json_object_object_add(obj, "host", json_object_new_string(argv[0]));
		json_object_object_add(obj, "address", json_object_new_string(address));
		out_json(obj, false);
	} else {
		puts(address);
	}
	return 0;
}

static int autott_show(void)
{
	struct json_object *obj;

	obj = ask_one(device_request(ATWIFI_CMD_AUTOTT_GET, ATWIFI_A_AUTOTT_DEV), device,
		      autott_fields);
	if (!obj)
		return 1;
	if (json) {
		out_json(obj, false);
		return 0;
	}
	printf("%s", out_get(obj, "type", "?"));
	if (json_object_object_get_ex(obj, "host", NULL)) {
		putchar(' ');
		out_text(out_get(obj, "host", ""));
	}
	if (json_object_object_get_ex(obj, "port", NULL))
		printf(" %s", out_get(obj, "port", ""));
	putchar('\n');
	json_object_put(obj);
	return 0;
}

static int cmd_autott(int argc, char **argv)
{
	const char *host = NULL;
	struct nl_msg *msg;
	uint16_t port = 0;
	int type;

	if (!argc)
		return autott_show();
	for (type = 0; socket_type_names[type]; type++)
		if (!strcmp(socket_type_names[type], argv[0]))
			break;
	/* Which of them there can be is the kernel's to say. */
	if (!socket_type_names[type])
		errx(2, "'%s' is no type: none, udp-server, udp-client, tcp-client, tls-client",
		     argv[0]);
	if (argc > 2)
		host = argv[1];
	if (host && strlen(host) > HOST_MAX)
		errx(1, "a host's name has at most %d bytes", HOST_MAX);
	if (argc > 1)
		port = port_number(argv[argc - 1]);
	msg = device_request(ATWIFI_CMD_AUTOTT_SET, ATWIFI_A_AUTOTT_DEV);
	ctl_put_u32(msg, ATWIFI_A_AUTOTT_TYPE, type);
	if (host)
		ctl_put_string(msg, ATWIFI_A_AUTOTT_HOST, host);
	if (port)
		ctl_put_u16(msg, ATWIFI_A_AUTOTT_PORT, port);
	return ctl_run(msg, device, NULL, NULL) ? 1 : 0;
}

/* A terminal is spared what is no text; a file gets what was stored. */
static void print_pem(const char *pem)
{
	size_t n;

	if (!isatty(STDOUT_FILENO)) {
		fputs(pem, stdout);
		return;
	}
	while (*pem) {
		char line[80];

		n = strcspn(pem, "\r\n");
		snprintf(line, sizeof(line), "%.*s", (int)n, pem);
		out_text(line);
		putchar('\n');
		pem += n;
		pem += strspn(pem, "\r\n");
	}
}

static int cert_show(int type)
{
	struct nl_msg *msg = device_request(ATWIFI_CMD_CERT_GET, ATWIFI_A_CERT_DEV);
	struct json_object *obj;

	ctl_put_u32(msg, ATWIFI_A_CERT_TYPE, type);
	obj = ask_one(msg, device, cert_fields);
	if (!obj)
		return 1;
	if (json) {
		out_json(obj, false);
	} else {
		print_pem(out_get(obj, "data", ""));
		json_object_put(obj);
	}
	return 0;
}

/* What a file holds, which is to be less than there is room for. */
static size_t read_file(const char *path, char *buf, size_t size)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY) : STDIN_FILENO;
	size_t have = 0;
	ssize_t n;

	if (fd < 0)
		err(1, "%s", path);
	while ((n = read(fd, buf + have, size - have)) > 0)
		have += n;
	if (n < 0)
		err(1, "%s", path);
	if (have == size)
		errx(1, "%s: too long: the module takes up to %zu bytes", path, size - 1);
	return have;
}

static int cmd_cert(int argc, char **argv)
{
	struct nl_msg *msg;
	char buf[CERT_MAX + 1];
	size_t len;
	int type;

	for (type = 1; cert_types[type]; type++)
		if (!strcmp(cert_types[type], argv[0]))
			break;
	if (!cert_types[type])
		errx(2, "'%s' is no type: ca, cert, key", argv[0]);
	if (argc == 1)
		return cert_show(type);
	len = read_file(argv[1], buf, sizeof(buf));
	msg = device_request(ATWIFI_CMD_CERT_SET, ATWIFI_A_CERT_DEV);
	ctl_put_u32(msg, ATWIFI_A_CERT_TYPE, type);
	ctl_put_data(msg, ATWIFI_A_CERT_DATA, buf, len);
	explicit_bzero(buf, sizeof(buf));
	return ctl_run(msg, argv[1], NULL, NULL) ? 1 : 0;
}

static int cmd_at(int argc, char **argv)
{
	struct json_object *obj, *rows;
	const char *line = argv[0];
	struct nl_msg *msg;
	char typed[1024];
	size_t i, n;

	/* A password in a file, or typed, is not in the list of processes. */
	if (!strcmp(line, "-")) {
		setvbuf(stdin, NULL, _IONBF, 0);
		line = fgets(typed, sizeof(typed), stdin);
		if (!line)
			errx(2, "no command on standard input");
		typed[strcspn(typed, "\n")] = '\0';
	}
	if (strlen(line) > COMMAND_MAX)
		errx(1, "a command has at most %d bytes", COMMAND_MAX);
	msg = device_request(ATWIFI_CMD_AT, ATWIFI_A_AT_DEV);
	ctl_put_string(msg, ATWIFI_A_AT_LINE, line);
	explicit_bzero(typed, sizeof(typed));
	obj = ask_one(msg, device, at_fields);
	if (!obj)
		return 1;
	if (json) {
		if (!json_object_object_get_ex(obj, "rows", NULL))
			json_object_object_add(obj, "rows", json_object_new_array());
		out_json(obj, false);
		return 0;
	}
	if (json_object_object_get_ex(obj, "rows", &rows)) {
		n = json_object_array_length(rows);
		for (i = 0; i < n; i++) {
			out_text(json_object_get_string(json_object_array_get_idx(rows, i)));
			putchar('\n');
		}
	}
	if (json_object_object_get_ex(obj, "more", NULL))
		warnx("%s: the answer was longer than there is room for", device);
	json_object_put(obj);
	return 0;
}

static int expose_list(void)
{
	static const struct out_column columns[] = {
		{ "DEVICE", "dev", false },
		{ "PROTOCOL", "protocol", false },
		{ "PORT", "port", true },
		{ "TO", "local_address", false },
		{ "PORT", "local_port", true },
		{ "LISTENING", "listening", false },
		{ "ACCEPTED", "accepted", true },
		{ "REFUSED", "refused", true },
		{ "ERROR", "error", false },
		{ }
	};
	struct json_object *array = all_exposed();

	if (json) {
		out_json(array, false);
		return 0;
	}
	if (json_object_array_length(array))
		out_table(array, columns);
	json_object_put(array);
	return 0;
}

static uint8_t protocol_number(const char *text)
{
	if (strcmp(text, "tcp"))
		errx(2, "'%s' cannot be exposed: only tcp", text);
	return IPPROTO_TCP;
}

/* PORT[:[ADDRESS:]LOCAL] */
static int cmd_expose(int argc, char **argv)
{
	char *local, *address = NULL;
	uint16_t port, local_port;
	struct in_addr addr;
	struct nl_msg *msg;
	uint8_t protocol;

	if (!argc)
		return expose_list();
	if (argc == 1)
		errx(2, "expose what? tcp PORT[:[ADDRESS:]LOCAL]");
	protocol = protocol_number(argv[0]);
	local = strchr(argv[1], ':');
	if (local)
		*local++ = '\0';
	port = port_number(argv[1]);
	local_port = port;
	if (local && strrchr(local, ':')) {
		address = local;
		local = strrchr(local, ':');
		*local++ = '\0';
		if (inet_pton(AF_INET, address, &addr) != 1)
			errx(2, "'%s' is not an IPv4 address", address);
	}
	if (local)
		local_port = port_number(local);
	msg = device_request(ATWIFI_CMD_EXPOSE_ADD, ATWIFI_A_EXPOSE_DEV);
	ctl_put_u8(msg, ATWIFI_A_EXPOSE_PROTOCOL, protocol);
	ctl_put_u16(msg, ATWIFI_A_EXPOSE_PORT, port);
	if (address)
		ctl_put_data(msg, ATWIFI_A_EXPOSE_LOCAL_ADDRESS, &addr, sizeof(addr));
	ctl_put_u16(msg, ATWIFI_A_EXPOSE_LOCAL_PORT, local_port);
	return ctl_run(msg, device, NULL, NULL) ? 1 : 0;
}

static int cmd_unexpose(int argc, char **argv)
{
	uint8_t protocol = protocol_number(argv[0]);
	uint16_t port = port_number(argv[1]);
	struct nl_msg *msg;

	msg = device_request(ATWIFI_CMD_EXPOSE_DEL, ATWIFI_A_EXPOSE_DEV);
	ctl_put_u8(msg, ATWIFI_A_EXPOSE_PROTOCOL, protocol);
	ctl_put_u16(msg, ATWIFI_A_EXPOSE_PORT, port);
	return ctl_run(msg, device, NULL, NULL) ? 1 : 0;
}

static void show_event(int cmd, struct nlattr *attrs, int len, void *arg)
{
	struct json_object *obj;

	if (cmd == ATWIFI_CMD_DEV_EVENT) {
		obj = out_object(event_fields, attrs, len);
	} else if (cmd == ATWIFI_CMD_SOCKET_EVENT) {
		obj = out_object(socket_fields, attrs, len);
		json_object_object_add(obj, "event", json_object_new_string("socket-reset"));
	} else {
		return;
	}
	if (device && strcmp(device, out_get(obj, "dev", ""))) {
		json_object_put(obj);
		return;
	}
	if (json) {
		out_json(obj, true);
		return;
	}
	printf("%s %s", out_get(obj, "dev", "?"), out_get(obj, "event", "?"));
	json_object_object_foreach(obj, key, value) {
		if (!strcmp(key, "dev") || !strcmp(key, "event"))
			continue;
		printf(" %s=", key);
		out_text(json_object_get_string(value));
	}
	putchar('\n');
	fflush(stdout);
	json_object_put(obj);
}

static int cmd_monitor(int argc, char **argv)
{
	if (argc)
		device = argv[0];
	ctl_subscribe();
	return ctl_listen(show_event, NULL, 0);
}

static int cmd_attach(int argc, char **argv)
{
	return attach(attach_how, argc, argv);
}

/* Is it known to be one? It is the administrator who may ask. */
static bool is_ap(const char *name)
{
	struct json_object *obj;
	bool is;

	if (geteuid())
		return false;
	device = name;
	obj = ask_one(device_request(ATWIFI_CMD_AP_GET, ATWIFI_A_WIFI_DEV), name, ap_fields);
	is = obj && json_object_object_get_ex(obj, "network", NULL);
	json_object_put(obj);
	return is;
}

static int cmd_doctor(int argc, char **argv)
{
	const char *wanted = argc ? argv[0] : device;

	return doctor(ctl_try_open() ? all_devices() : NULL, wanted, json, is_ap);
}

/* The first line of a file; of a terminal, without its being seen. Ends the program. */
static void read_password(char *to, size_t size, const char *prompt)
{
	bool ask = !password_file && isatty(STDIN_FILENO);
	struct termios tio, quiet;
	FILE *f = stdin;
	sigset_t keys;
	size_t n;

	if (!password_file && !ask)
		errx(2, "no terminal to ask for the password at: see --password-file");
	if (password_file && strcmp(password_file, "-"))
		f = fopen(password_file, "re");
	if (!f)
		err(1, "%s", password_file);
	if (ask) {
		if (tcgetattr(STDIN_FILENO, &tio))
			err(1, "terminal");
		/* Who gives up gets a terminal that shows what is typed. */
		sigemptyset(&keys);
		sigaddset(&keys, SIGINT);
		sigaddset(&keys, SIGQUIT);
		sigaddset(&keys, SIGTSTP);
		sigprocmask(SIG_BLOCK, &keys, NULL);
		quiet = tio;
		quiet.c_lflag &= ~ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
		/* From here on what is typed is neither shown nor thrown away. */
		fputs(prompt, stderr);
	}
	*to = '\0';
	/* Else it would stay in a buffer that is not ours. */
	setvbuf(f, NULL, _IONBF, 0);
	if (!fgets(to, size, f) && ferror(f))
		err(1, "%s", password_file ?: "terminal");
	if (f != stdin)
		fclose(f);
	if (ask) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &tio);
		fputc('\n', stderr);
		sigprocmask(SIG_UNBLOCK, &keys, NULL);
	}
	n = strcspn(to, "\r\n");
	if (!to[n] && n == size - 1)
		errx(2, "a password has at most %d bytes; 64 digits are the key that is made of it",
		     PASSWORD_MAX);
	to[n] = '\0';
}

/* The module has said that it joins; it has yet to get an address. */
static bool has_joined(void)
{
	struct json_object *obj;
	bool joined;

	obj = ask_one(device_request(ATWIFI_CMD_DEV_GET, ATWIFI_A_DEV_NAME), device, dev_fields);
	if (!obj)
		exit(1);
	joined = !strcmp(out_get(obj, "state", ""), "joined");
	json_object_put(obj);
	return joined;
}

static int cmd_join(int argc, char **argv)
{
	const struct timespec pause = { .tv_nsec = 200000000 };
	size_t len = strlen(argv[0]);
	char password[PASSWORD_MAX + 2];
	struct nl_msg *msg;
	int status, i;

	if (!len || len > 32)
		errx(2, "the name of a network has 1 to 32 bytes");
	read_password(password, sizeof(password), "Password (none if the network is open): ");
	msg = device_request(ATWIFI_CMD_JOIN, ATWIFI_A_WIFI_DEV);
	ctl_put_data(msg, ATWIFI_A_WIFI_SSID, argv[0], len);
	ctl_put_string(msg, ATWIFI_A_WIFI_PASSWORD, password);
	explicit_bzero(password, sizeof(password));
	status = ctl_run(msg, device, NULL, NULL) ? 1 : 0;
	for (i = 0; !status && !has_joined(); i++) {
		if (i == JOIN_SECONDS * 5)
			errx(1, "%s: joined, but the network has given it no address yet", argv[0]);
		nanosleep(&pause, NULL);
	}
	return status;
}

static int cmd_leave(int argc, char **argv)
{
	return ctl_run(device_request(ATWIFI_CMD_LEAVE, ATWIFI_A_WIFI_DEV), device, NULL,
		       NULL) ? 1 : 0;
}

/* Asks the device for something, and prints it. */
static int show_one(int command, const struct out_field *fields)
{
	struct json_object *obj;

	obj = ask_one(device_request(command, ATWIFI_A_WIFI_DEV), device, fields);
	if (!obj)
		return 1;
	if (json) {
		out_json(obj, false);
		return 0;
	}
	out_details(obj, 0);
	json_object_put(obj);
	return 0;
}

static int cmd_status(int argc, char **argv)
{
	if (argc)
		device = argv[0];
	return show_one(ATWIFI_CMD_WIFI_GET, status_fields);
}

static int cmd_ap(int argc, char **argv)
{
	char password[PASSWORD_MAX + 2];
	struct nl_msg *msg;

	if (off && argc)
		errx(2, "--off is for whatever network it is");
	if (!off && !argc)
		return show_one(ATWIFI_CMD_AP_GET, ap_fields);
	if (argc && (!*argv[0] || strlen(argv[0]) > 32))
		errx(2, "the name of a network has 1 to 32 bytes");
	if (argc) {
		read_password(password, sizeof(password),
			      "Password (none for an open network): ");
		if (*password && (strlen(password) < 8 || strlen(password) > 63))
			errx(2, "a password has 8 to 63 bytes");
	}
	msg = device_request(ATWIFI_CMD_AP_SET, ATWIFI_A_WIFI_DEV);
	if (argc) {
		ctl_put_data(msg, ATWIFI_A_WIFI_SSID, argv[0], strlen(argv[0]));
		ctl_put_string(msg, ATWIFI_A_WIFI_PASSWORD, password);
		explicit_bzero(password, sizeof(password));
		if (channel)
			ctl_put_u32(msg, ATWIFI_A_WIFI_CHANNEL, channel);
		if (hidden)
			ctl_put_data(msg, ATWIFI_A_WIFI_HIDDEN, NULL, 0);
	}
	return ctl_run(msg, device, NULL, NULL) ? 1 : 0;
}

static int cmd_password(int argc, char **argv)
{
	char password[PASSWORD_MAX + 2];
	int status;

	if (!argc) {
		if (forget)
			errx(2, "forget which network's?");
		return store_list(json);
	}
	if (!*argv[0] || strlen(argv[0]) > 32)
		errx(2, "the name of a network has 1 to 32 bytes");
	if (forget)
		return store_forget(argv[0]);
	read_password(password, sizeof(password), "Password: ");
	status = store_put(argv[0], password);
	explicit_bzero(password, sizeof(password));
	return status;
}

static int by_signal(const void *a, const void *b)
{
	return atoi(out_get(*(struct json_object *const *)b, "signal", "0")) -
	       atoi(out_get(*(struct json_object *const *)a, "signal", "0"));
}

static int cmd_scan(int argc, char **argv)
{
	static const struct out_column columns[] = {
		{ "BSSID", "bssid", false },
		{ "CHANNEL", "channel", true },
		{ "SIGNAL", "signal", true },
		{ "SECURITY", "security", false },
		{ "NETWORK", "ssid", false },
		{ }
	};
	struct json_object *obj, *networks;
	struct nl_msg *msg;

	if (argc && (!*argv[0] || strlen(argv[0]) > 32))
		errx(2, "the name of a network has 1 to 32 bytes");
	msg = device_request(ATWIFI_CMD_SCAN, ATWIFI_A_WIFI_DEV);
	if (argc)
		ctl_put_data(msg, ATWIFI_A_WIFI_SSID, argv[0], strlen(argv[0]));
	obj = ask_one(msg, device, scan_fields);
	if (!obj)
		return 1;
	if (!json_object_object_get_ex(obj, "networks", &networks)) {
		networks = json_object_new_array();
		json_object_object_add(obj, "networks", networks);
	}
	json_object_array_sort(networks, by_signal);
	if (json) {
		out_json(obj, false);
		return 0;
	}
	if (json_object_array_length(networks))
		out_table(networks, columns);
	if (strcmp(out_get(obj, "damaged", "0"), "0"))
		warnx("%s: %s more could not be read", device, out_get(obj, "damaged", ""));
	json_object_put(obj);
	return 0;
}

static const struct command {
	const char	*name;
	int		(*run)(int argc, char **argv);
	int		min, max;
	const char	*args;
	const char	*help;
} commands[] = {
	{ "list", cmd_list, 0, 0, "", "the devices of this network namespace" },
	{ "show", cmd_show, 0, 1, "[DEVICE]", "all that is known of one" },
	{ "sockets", cmd_sockets, 0, 1, "[DEVICE]", "the connections" },
	{ "doctor", cmd_doctor, 0, 1, "[DEVICE]", "say what is wrong, and what to do about it" },
	{ "attach", cmd_attach, 1, 3, "TTY [SPEED [rtscts]]",
	  "have the driver look for a module on a tty, until this ends" },
	{ "scan", cmd_scan, 0, 1, "[NETWORK]",
	  "look for networks, or for one that hides its name" },
	{ "status", cmd_status, 0, 1, "[DEVICE]", "the network that it is in" },
	{ "join", cmd_join, 1, 1, "NETWORK", "join a network, and again after each start" },
	{ "leave", cmd_leave, 0, 0, "", "leave it, and join none after a start" },
	{ "password", cmd_password, 0, 1, "[NETWORK]",
	  "see for which networks a password is kept; keep one for programs that join" },
	{ "ap", cmd_ap, 0, 1, "[NETWORK]",
	  "see, or be, the access point of a network; --off: be none" },
	{ "dns", cmd_dns, 0, 2, "[SERVER [SERVER]]", "see or set which servers it asks for names" },
	{ "resolve", cmd_resolve, 1, 1, "NAME", "have it resolve a name" },
	{ "autott", cmd_autott, 0, 3, "[TYPE [HOST] PORT]",
	  "see or set its transparent mode after a start; none clears it" },
	{ "recv-mode", cmd_recv_mode, 0, 1, "[active|passive]",
	  "see or set what it does with what it receives" },
	{ "yield", cmd_yield, 0, 1, "[SECONDS|off]",
	  "see or set when its idle streams give way to others" },
	{ "prefer", cmd_prefer, 0, 1, "[balance|throughput|latency]",
	  "see or set for whom uploads make room" },
	{ "cert", cmd_cert, 1, 2, "ca|cert|key [FILE]",
	  "see or store what it uses for TLS: PEM; -: from standard input" },
	{ "at", cmd_at, 1, 1, "COMMAND",
	  "run an AT command that cannot disturb the driver; -: from standard input" },
	{ "expose", cmd_expose, 0, 2, "[tcp PORT[:[ADDRESS:]LOCAL]]",
	  "see or set which of its ports lead to programs of this machine" },
	{ "unexpose", cmd_unexpose, 2, 2, "tcp PORT", "undo that" },
	{ "monitor", cmd_monitor, 0, 1, "[DEVICE]", "print events as they come" },
};

static void usage(FILE *to)
{
	size_t i;

	fputs("usage: atwctl [-j] [-d DEVICE] [-p FILE] COMMAND [ARGUMENT]...\n\n", to);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-9s %-28s %s\n", commands[i].name, commands[i].args,
			commands[i].help);
	fputs("\n"
	      "  -d, --device DEVICE   which device, such as atw0; not needed where there is one\n"
	      "  --permanent           attach the tty whenever it is plugged in, from now on\n"
	      "  -j, --json            print JSON; events are one object on a line each\n"
	      "  -p, --password-file FILE  has it, for join, ap and password; -: standard input\n"
	      "  --channel N, --hidden  of the network of ap: 1 to 14, 6; its name is not told\n"
	      "  --off                 have ap end it\n"
	      "  --forget              have password keep it no longer\n"
	      "  -h, --help            print this\n"
	      "\n"
	      "What asks the module or changes it, but for resolve, needs CAP_NET_ADMIN.\n"
	      "See atwctl(8).\n", to);
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "device", required_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ "password-file", required_argument, NULL, 'p' },
		{ "channel", required_argument, NULL, CHANNEL },
		{ "forget", no_argument, NULL, FORGET },
		{ "hidden", no_argument, NULL, HIDDEN },
		{ "off", no_argument, NULL, OFF },
		{ "permanent", no_argument, NULL, ATTACH_PERMANENT },
		{ "wanted", no_argument, NULL, ATTACH_WANTED },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const struct command *c;
	int o, status;

	/* It is told passwords: no debugger's, and in no core. */
	prctl(PR_SET_DUMPABLE, 0);
	while ((o = getopt_long(argc, argv, "d:jp:h", options, NULL)) >= 0) {
		switch (o) {
		case 'd':
			device = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'p':
			password_file = optarg;
			break;
		case CHANNEL:
			channel = number(optarg, 14, "a channel");
			break;
		case FORGET:
			forget = true;
			break;
		case HIDDEN:
			hidden = true;
			break;
		case OFF:
			off = true;
			break;
		case ATTACH_PERMANENT:
		case ATTACH_WANTED:
			attach_how = o;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			return 2;
		}
	}
	argc -= optind;
	argv += optind;
	if (!argc) {
		usage(stderr);
		return 2;
	}
	c = find_command(argv[0]);
	if (!c) {
		warnx("no command '%s'; --help lists them", argv[0]);
		return 2;
	}
	argc--;
	argv++;
	if (argc < c->min || argc > c->max)
		errx(2, "usage: atwctl %s %s", c->name, c->args);
	/* There may be no driver before a module is attached, and where something is wrong. */
	if (c->run != cmd_attach && c->run != cmd_doctor && c->run != cmd_password)
		ctl_open();
	status = c->run(argc, argv);
	if (fflush(stdout) || ferror(stdout))
		err(1, "standard output");
	return status;
}
