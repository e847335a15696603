// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control socket: a line in, a line out.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/bufferevent.h>

#include "atsim.h"

#define CONTROL_LINE		512

static void print_stats(struct atsim *sim, struct evbuffer *out)
{
	char faults[512];
	size_t n = fault_stats(sim, faults, sizeof(faults));

	evbuffer_add_printf(out, "ok uptime-boots=%llu wire-in=%llu "
			    "wire-out=%llu flow=%u overruns=%llu commands=%llu "
			    "dropped-lines=%llu busy=%llu sockets=%u "
			    "sockets-made=%llu connecting=%d reconnects=%llu "
			    "net-in=%llu net-out=%llu recv-active=%d reads=%llu "
			    "sends-failed=%llu heap-free=%zu heap-drops=%llu "
			    "cert-writes=%llu dns-writes=%llu "
			    "names-asked=%llu wifi-writes=%llu "
			    "joins=%llu leaves=%llu lines-sent=%llu "
			    "tt-entries=%llu tt-in=%llu "
			    "tt-out=%llu tt-plus-lost=%llu tt=%d%.*s\n",
			    (unsigned long long)sim->boots,
			    (unsigned long long)sim->uart.wire_in,
			    (unsigned long long)sim->uart.wire_out,
			    sim->uart.flow,
			    (unsigned long long)sim->uart.overruns,
			    (unsigned long long)sim->at.commands,
			    (unsigned long long)sim->at.dropped,
			    (unsigned long long)sim->at.refused,
			    sock_count(sim),
			    (unsigned long long)sim->sock_made,
			    !!sim->connecting,
			    (unsigned long long)sim->reconnects,
			    (unsigned long long)sim->sock_in,
			    (unsigned long long)sim->sock_out,
			    sim->flash.recv_active,
			    (unsigned long long)sim->reads,
			    (unsigned long long)sim->sends_failed,
			    heap_free(sim),
			    (unsigned long long)sim->heap_drops,
			    (unsigned long long)sim->cert_writes,
			    (unsigned long long)sim->dns_writes,
			    (unsigned long long)sim->names_asked,
			    (unsigned long long)sim->wifi_writes,
			    (unsigned long long)sim->wifi.joins,
			    (unsigned long long)sim->wifi.leaves,
			    (unsigned long long)sim->lines_sent,
			    (unsigned long long)sim->tt_entries,
			    (unsigned long long)sim->tt_in,
			    (unsigned long long)sim->tt_out,
			    (unsigned long long)sim->tt_plus_lost,
			    tt_active(sim), (int)n, faults);
}

static void print_sockets(struct atsim *sim, struct evbuffer *out)
{
	struct sock *s;

	evbuffer_add_printf(out, "ok");
	TAILQ_FOREACH(s, &sim->socks, entry)
		evbuffer_add_printf(out, " %u,%d,%d,%s,%d,%d,%u,%d", s->id,
				    s->type, s->status, s->host,
				    s->remote_port, s->local_port, s->server,
				    s->keepalive);
	evbuffer_add_printf(out, "\n");
}

static void obey(struct atsim *sim, const char *line, struct evbuffer *out)
{
	char err[128] = "unknown command";
	bool done = true;
	long n;

	if (!strcmp(line, "reset")) {
		sim_reset(sim);
	} else if (!strcmp(line, "link down") || !strcmp(line, "link up")) {
		wifi_link(sim, !strcmp(line, "link up"));
	} else if (!strcmp(line, "dhcp on") || !strcmp(line, "dhcp off")) {
		wifi_leases(sim, !strcmp(line, "dhcp on"));
	} else if (!strncmp(line, "join-time ", 10)) {
		done = at_number(line + 10, 1, 600000, &n);
		if (done)
			wifi_join_time(sim, n);
		else
			strcpy(err, "bad number");
	} else if (!strncmp(line, "profile ", 8)) {
		done = !profile_load(&sim->profile, line + 8);
		if (done)
			sim_reset(sim);
		else
			strcpy(err, "no such family");
	} else if (!strcmp(line, "silent on") || !strcmp(line, "silent off")) {
		sim->uart.silent = !strcmp(line, "silent on");
		uart_kick(sim);
	} else if (!strncmp(line, "fault ", 6)) {
		done = !fault_parse(sim, line + 6, err, sizeof(err));
	} else if (!strncmp(line, "quirk ", 6)) {
		done = !profile_quirk(&sim->profile, line + 6);
		if (!done)
			strcpy(err, "no such trait or value");
	} else if (!strncmp(line, "next-id ", 8)) {
		done = at_number(line + 8, 1, 2000000000, &n);
		if (done)
			sim->next_id = n;
		else
			strcpy(err, "bad number");
	} else if (!strncmp(line, "connect-timeout ", 16)) {
		done = at_number(line + 16, 1, 600000, &n);
		if (done)
			sock_connect_timeout(sim, n);
		else
			strcpy(err, "bad number");
	} else if (!strcmp(line, "connect-late")) {
		done = sock_connect_late(sim);
		strcpy(err, "no connect waits");
	} else if (!strncmp(line, "lease ", 6)) {
		done = !sim_lease(sim, line + 6);
		strcpy(err, "no IP,MASK,GATEWAY");
	} else if (!strncmp(line, "ap ", 3)) {
		done = !wifi_add_ap(&sim->wifi, line + 3);
		strcpy(err, "no SSID:PASSWORD, or too many");
	} else if (!strncmp(line, "ap-info ", 8)) {
		done = !wifi_ap_info(&sim->wifi, line + 8);
		strcpy(err, "no BSSID,SECURITY,CHANNEL,RSSI");
	} else if (!strncmp(line, "ap-password ", 12)) {
		done = !wifi_ap_password(&sim->wifi, line + 12);
		strcpy(err, "no SSID:PASSWORD of one that is there");
	} else if (!strncmp(line, "ap-gone ", 8)) {
		done = !wifi_ap_gone(sim, line + 8);
		strcpy(err, "no BSSID of one that is there");
	} else if (!strncmp(line, "ap-signal ", 10)) {
		done = !wifi_ap_signal(sim, line + 10);
		strcpy(err, "no BSSID of one that is there, and dBm");
	} else if (!strncmp(line, "client ", 7)) {
		done = !wifi_client(sim, line + 7, true);
		strcpy(err, "no MAC, or no room for it");
	} else if (!strncmp(line, "client-gone ", 12)) {
		done = !wifi_client(sim, line + 12, false);
		strcpy(err, "no MAC of one that is there");
	} else if (!strcmp(line, "clear")) {
		fault_clear(sim);
		sock_hurry(sim);
	} else if (!strcmp(line, "sound")) {
		sim_sound(sim);
	} else if (!strcmp(line, "stats")) {
		print_stats(sim, out);
		return;
	} else if (!strcmp(line, "sockets")) {
		print_sockets(sim, out);
		return;
	} else {
		done = false;
	}
	if (done)
		evbuffer_add_printf(out, "ok\n");
	else
		evbuffer_add_printf(out, "error %s\n", err);
}

static void read_cb(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct evbuffer *out = bufferevent_get_output(bev);
	char *line, *command;

	while ((line = evbuffer_readln(in, NULL, EVBUFFER_EOL_CRLF))) {
		command = line;
		/* Whose question it was: others may read what comes here, too. */
		if (*line == '#') {
			command += strcspn(line, " ");
			evbuffer_add_printf(out, "%.*s ", (int)(command - line), line);
			command += strspn(command, " ");
		}
		obey(arg, command, out);
		free(line);
	}
	if (evbuffer_get_length(in) > CONTROL_LINE)
		bufferevent_free(bev);
}

static void written_cb(struct bufferevent *bev, void *arg)
{
	bufferevent_free(bev);
}

static void event_cb(struct bufferevent *bev, short what, void *arg)
{
	/* the other side may have shut down its half to say "that was all" */
	if (what & BEV_EVENT_EOF &&
	    evbuffer_get_length(bufferevent_get_output(bev))) {
		bufferevent_disable(bev, EV_READ);
		bufferevent_setcb(bev, NULL, written_cb, event_cb, NULL);
		return;
	}
	bufferevent_free(bev);
}

static void accept_cb(struct evconnlistener *listener, evutil_socket_t fd,
		      struct sockaddr *addr, int len, void *arg)
{
	struct atsim *sim = arg;
	struct bufferevent *bev;

	evutil_make_socket_nonblocking(fd);
	bev = bufferevent_socket_new(sim->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!bev) {
		close(fd);
		return;
	}
	bufferevent_setcb(bev, read_cb, NULL, event_cb, sim);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

/**
 * control_open() - listen for commands
 * @sim: the emulator
 * @path: of the socket
 *
 * Return: 0, or -1 with errno.
 */
int control_open(struct atsim *sim, const char *path)
{
	sim->control = unix_listen(sim, path, accept_cb);
	return sim->control ? 0 : -1;
}

/**
 * control_close() - stop listening
 * @sim: the emulator
 */
void control_close(struct atsim *sim)
{
	if (!sim->control)
		return;
	evconnlistener_free(sim->control);
	unlink(sim->control_path);
}
