// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names, ping and time.
 */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "atsim.h"

#define ECHO_MS			1000	/* between two echo requests */
#define LOST_MS			4000	/* until one counts as lost */

/* ---- names ---- */

static int cmd_domain(struct atsim *sim, struct at_args *args)
{
	char text[INET_ADDRSTRLEN];
	struct in_addr addr;

	if (args->argc != 1)
		return ERR_COUNT;
	if (!args->len[0])
		return ERR_VALUE;
	sim->names_asked++;
	if (!net_resolve(sim, args->argv[0], &addr))
		return ERR_DNS;
	inet_ntop(AF_INET, &addr, text, sizeof(text));
	at_printf(sim, "%s+WDOMAIN:%s", sim->profile.domain_cr ? "\r" : "\r\n",
		  text);
	return ERR_OK;
}

static int cmd_dns(struct atsim *sim, struct at_args *args)
{
	struct in_addr addr[2] = { { 0 }, { 0 } };
	char text[2][INET_ADDRSTRLEN];
	int i;

	if (args->op == OP_SET) {
		if (args->argc > 2)
			return ERR_COUNT;
		for (i = 0; i < args->argc; i++) {
			if (inet_pton(AF_INET, args->argv[i], &addr[i]) != 1)
				return ERR_VALUE;
		}
		if (sim->profile.keeps_dns && args->argc == 1)
			addr[1] = sim->wifi.dns[1];
		memcpy(sim->wifi.dns, addr, sizeof(addr));
		sim->dns_writes++;
	}
	for (i = 0; i < 2; i++)
		inet_ntop(AF_INET, &sim->wifi.dns[i], text[i],
			  sizeof(text[i]));
	if (args->op == OP_SET && args->argc == 1)
		at_printf(sim, "\r\n+WDNS:%s\r\n", text[0]);
	else
		at_printf(sim, "\r\n+WDNS:%s,%s\r\n", text[0], text[1]);
	return ERR_OK;
}

/* ---- ping ---- */

static void ping_done(struct atsim *sim)
{
	at_printf(sim, "\r\n+PING:%u", sim->ping_ms);
	at_finish(sim, ERR_OK);
}

static void ping_lost(struct atsim *sim)
{
	if (sim->profile.ping_word) {
		at_printf(sim, "\r\n+PING:TIMEOUT\r\nERROR\r\n");
		at_finish(sim, AT_DONE);
	} else {
		at_finish(sim, ERR_PING_LOST);
	}
}

static void ping_loop(struct atsim *sim)
{
	at_printf(sim, "\r\n+PING:%u\r\n", sim->ping_ms);
	at_after(sim, ECHO_MS, ping_loop);
}

static int cmd_ping(struct atsim *sim, struct at_args *args)
{
	struct in_addr addr, real;
	bool loop;
	long count = 3;

	if (args->argc < 1 || args->argc > 2)
		return ERR_COUNT;
	if (!args->len[0])
		return ERR_VALUE;
	loop = args->argc == 2 && !strcmp(args->argv[1], "loop");
	if (args->argc == 2 && !loop &&
	    !at_number(args->argv[1], 1, 1000, &count))
		return ERR_VALUE;
	if (!net_resolve(sim, args->argv[0], &addr))
		return ERR_DNS;
	if (!wifi_has_ip(sim) ||
	    (addr.s_addr != wifi_gateway(sim).s_addr &&
	     addr.s_addr != wifi_ip(sim).s_addr &&
	     net_route(sim, addr, &real) != NET_OK))
		at_after(sim, count * LOST_MS, ping_lost);
	else if (loop)
		at_after(sim, sim->ping_ms, ping_loop);
	else
		at_after(sim, (count - 1) * ECHO_MS + sim->ping_ms, ping_done);
	return AT_WAIT;
}

/* ---- time ---- */

static int cmd_sntp_cfg(struct atsim *sim, struct at_args *args)
{
	struct flash *flash = &sim->flash;
	long on, zone;
	int i;

	if (args->argc < 2 || args->argc > 5)
		return ERR_COUNT;
	if (!at_number(args->argv[0], 0, 1, &on) ||
	    !at_number(args->argv[1], -12, 14, &zone))
		return ERR_VALUE;
	for (i = 2; i < args->argc; i++) {
		if (args->len[i] >= sizeof(flash->sntp_server[0]))
			return ERR_TOO_LONG;
	}
	flash->sntp = on;
	flash->sntp_zone = zone;
	for (i = 2; i < args->argc; i++)
		strcpy(flash->sntp_server[i - 2], args->argv[i]);
	return ERR_OK;
}

/* The time server is the machine's own clock, once there is a network. */
static int cmd_sntp_time(struct atsim *sim, struct at_args *args)
{
	time_t now = 0;
	char text[32];
	struct tm tm;

	if (sim->flash.sntp && wifi_has_ip(sim))
		now = time(NULL);
	now += sim->flash.sntp_zone * 3600;
	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%a %b %d %H:%M:%S %Y", &tm);
	at_printf(sim, "\r\n+SNTPTIME:%s", text);
	return ERR_OK;
}

static int cmd_sntp_interval(struct atsim *sim, struct at_args *args)
{
	long n;

	if (args->op == OP_QUERY) {
		at_printf(sim, "\r\n+SNTPINTV:%u", sim->flash.sntp_interval);
		return ERR_OK;
	}
	if (args->argc != 1)
		return ERR_COUNT;
	if (!at_number(args->argv[0], 15, 4294967, &n))
		return ERR_VALUE;
	sim->flash.sntp_interval = n;
	return ERR_OK;
}

const struct at_command inet_commands[] = {
	{ .name = "AT+WDOMAIN", .ops = OP_SET, .run = cmd_domain,
	  .help = "resolve a name" },
	{ .name = "AT+WDNS", .ops = OP_QUERY | OP_SET, .run = cmd_dns,
	  .help = "DNS servers" },
	{ .name = "AT+PING", .ops = OP_SET, .run = cmd_ping,
	  .help = "ping a host" },
	{ .name = "AT+SNTPTIMECFG", .ops = OP_SET, .run = cmd_sntp_cfg,
	  .help = "time zone and servers" },
	{ .name = "AT+SNTPTIME", .ops = OP_QUERY, .run = cmd_sntp_time,
	  .help = "the time" },
	{ .name = "AT+SNTPINTV", .ops = OP_QUERY | OP_SET,
	  .run = cmd_sntp_interval, .help = "seconds between two updates" },
	{ .name = NULL },
};
