// SPDX-License-Identifier: GPL-2.0-only
/*
 * The TCP/IP commands.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "atsim.h"

#define KEEPALIVE_MAX		7200
#define HEX_MAX			498

/* The module reads its numbers with atoi(): what is no number is 0. */
static uint32_t to_id(const char *text)
{
	return strtoul(text, NULL, 10);
}

/* ---- AT+SOCKET ---- */

static void print_rows(struct atsim *sim)
{
	struct sock *s;

	TAILQ_FOREACH(s, &sim->socks, entry) {
		at_printf(sim, "%u,%d,%d,%s,%d,%d,%u\r\n", s->id, s->type,
			  s->status, s->host, s->remote_port, s->local_port,
			  s->server);
		fault_tear(sim, NULL);
	}
}

/* The connection is there, or not: number it and answer. */
static void socket_done(struct sock *s, int code)
{
	struct atsim *sim = s->sim;
	uint32_t id = s->id;

	if (!code)
		code = sock_enlist(s, id);
	if (code) {
		at_finish(sim, code);
		sock_put(s);
		return;
	}
	at_printf(sim, "%sconnect success ConID=%u\r\n",
		  sock_is_server(s) ? "\r\n" : "", s->id);
	fault_tear(sim, NULL);
	if (sim->profile.tt_announce && s->id == 1 && s->type == TCP_CLIENT &&
	    sim->flash.autott.type == TCP_CLIENT) {
		at_finish(sim, ERR_OK);
		at_printf(sim, "AT+SOCKETTT\r\n");
		tt_enter(sim, s, 0);
		return;
	}
	at_finish(sim, ERR_OK);
}

static int set_remote(struct sock *s, const char *host, long port)
{
	struct in_addr addr, real;

	if (strlen(host) >= sizeof(s->host))
		return ERR_TOO_LONG;
	strcpy(s->host, host);
	s->remote_port = port;
	if (!net_resolve(s->sim, host, &addr))
		return ERR_DNS;
	s->way = net_route(s->sim, addr, &real);
	s->addr.sin_family = AF_INET;
	s->addr.sin_port = htons(port);
	s->addr.sin_addr = real;
	return ERR_OK;
}

/*
 * @opt is the keep-alive time and the ConID, as far as given.
 */
static int socket_open(struct atsim *sim, long type, const char *host,
		       long port, char **opt, int nopt)
{
	bool client = type == UDP_CLIENT || type == TCP_CLIENT ||
		      type == SSL_CLIENT;
	long keepalive = 0;
	struct sock *s;
	int code;

	if (nopt > 0 && *opt[0] && !at_number(opt[0], 0, KEEPALIVE_MAX,
					      &keepalive))
		return ERR_VALUE;
	if (sock_count(sim) >= sim->max_sockets)
		return ERR_SOCK_CREATE;
	s = sock_new(sim, type);
	if (!s)
		return ERR_MALLOC;
	s->keepalive = keepalive;
	s->id = nopt > 1 ? to_id(opt[1]) : 0;
	if (client) {
		code = set_remote(s, host, port);
		if (!code) {
			sock_connect(s, socket_done);
			return AT_WAIT;
		}
	} else {
		s->local_port = port;
		code = sock_bind(s);
		if (!code) {
			socket_done(s, ERR_OK);
			return AT_WAIT;
		}
	}
	sock_put(s);
	return code;
}

static int cmd_socket(struct atsim *sim, struct at_args *args)
{
	long type, port;
	const char *host = "";
	int next = 1;

	if (args->op == OP_QUERY) {
		print_rows(sim);
		return ERR_OK;
	}
	if (!at_number(args->argv[0], 0, 255, &type))
		return ERR_VALUE;
	switch (type) {
	case UDP_CLIENT:
	case TCP_CLIENT:
	case SSL_CLIENT:
		if (args->argc < 3)
			return ERR_COUNT;
		host = args->argv[next++];
		if (!*host)
			return ERR_VALUE;
		break;
	case UDP_SERVER:
	case TCP_SERVER:
	case SSL_SERVER:
		if (args->argc < 2)
			return ERR_COUNT;
		break;
	default:
		return ERR_VALUE;
	}
	if (args->argc > next + 3)
		return ERR_COUNT;
	if (!at_number(args->argv[next], 1, 65535, &port))
		return ERR_VALUE;
	next++;
	return socket_open(sim, type, host, port, &args->argv[next],
			   args->argc - next);
}

/* Types 2 and 4 only, with a local port that most hosts leave to chance. */
static int cmd_socket2(struct atsim *sim, struct at_args *args)
{
	long type, port, local;

	if (args->argc < 3 || args->argc > 6)
		return ERR_COUNT;
	if (!at_number(args->argv[0], UDP_CLIENT, TCP_CLIENT, &type) ||
	    type == TCP_SERVER || !*args->argv[1] ||
	    !at_number(args->argv[2], 1, 65535, &port) ||
	    (args->argc > 3 && !at_number(args->argv[3], -1, -1, &local)))
		return ERR_VALUE;
	return socket_open(sim, type, args->argv[1], port, &args->argv[4],
			   args->argc > 4 ? args->argc - 4 : 0);
}

/* ---- sending ---- */

static void sent(struct sock *s, int code)
{
	struct atsim *sim = s->sim;

	if (code)
		sim->sends_failed++;
	at_finish(sim, code && sim->profile.send_silent ? AT_DONE : code);
}

static void send_payload(struct atsim *sim, uint8_t *data, size_t len)
{
	struct sock *s = sock_find(sim, sim->send_id);
	size_t max = sim->profile.send_max;

	if (fault_hit(sim, FAULT_SILENT_SEND) || (max && len > max)) {
		at_finish(sim, AT_DONE);
		return;
	}
	if (s && s->status == SOCK_CONNECTED) {
		sock_send(s, data, len, sent);
		return;
	}
	sim->sends_failed++;
	at_finish(sim, sim->profile.send_silent ? AT_DONE : ERR_SOCK_SEND);
}

static int cmd_send(struct atsim *sim, struct at_args *args)
{
	uint32_t id, len;
	struct sock *s;

	if (args->argc != 2)
		return ERR_COUNT;
	id = to_id(args->argv[0]);
	len = to_id(args->argv[1]);
	if (sim->profile.send_narrow) {
		id = (uint8_t)id;
		len = (uint16_t)len;
	}
	if (!id || !len)
		return ERR_VALUE;
	s = sock_find(sim, id);
	if (s && !sim->profile.send_silent) {
		if (sock_is_server(s))
			return ERR_SOCK_TYPE;
		if (s->status != SOCK_CONNECTED)
			return ERR_SOCK_STATE;
	}
	if (len > heap_free(sim))
		return ERR_MALLOC;
	sim->send_id = id;
	return at_payload(sim, len, send_payload);
}

/* An error of a command that sends its data in the line itself. */
static void sent_line(struct sock *s, int code)
{
	if (code)
		s->sim->sends_failed++;
	at_finish(s->sim, code);
}

static int send_line(struct atsim *sim, uint32_t id, const uint8_t *data,
		     size_t len)
{
	struct sock *s = sock_find(sim, id);

	if (!s)
		return ERR_VALUE;
	if (sock_is_server(s))
		return ERR_SOCK_TYPE;
	if (s->status != SOCK_CONNECTED)
		return ERR_SOCK_STATE;
	sock_send(s, data, len, sent_line);
	return AT_WAIT;
}

static int cmd_sendline(struct atsim *sim, struct at_args *args)
{
	long len;

	if (args->argc != 3)
		return ERR_COUNT;
	if (!at_number(args->argv[1], 1, 65535, &len) ||
	    args->len[2] < (size_t)len)
		return ERR_VALUE;
	sim->lines_sent++;
	return send_line(sim, to_id(args->argv[0]),
			 (uint8_t *)args->argv[2], len);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int cmd_sendhex(struct atsim *sim, struct at_args *args)
{
	uint8_t data[HEX_MAX];
	long len, i;

	if (args->argc != 3)
		return ERR_COUNT;
	if (!at_number(args->argv[1], 1, sizeof(data), &len) ||
	    args->len[2] < 2 * (size_t)len)
		return ERR_VALUE;
	for (i = 0; i < len; i++) {
		int high = hex_digit(args->argv[2][2 * i]);
		int low = hex_digit(args->argv[2][2 * i + 1]);

		if (high < 0 || low < 0)
			return ERR_VALUE;
		data[i] = high << 4 | low;
	}
	return send_line(sim, to_id(args->argv[0]), data, len);
}

/* ---- receiving ---- */

static int cmd_read(struct atsim *sim, struct at_args *args)
{
	char sep = sim->profile.read_colon ? ':' : ',';
	struct packet *p;
	struct sock *s;

	if (args->argc != 1)
		return ERR_COUNT;
	s = sock_find(sim, to_id(args->argv[0]));
	if (!s)
		return ERR_VALUE;
	if (sock_is_server(s))
		return ERR_SOCK_TYPE;
	p = sock_pop(s);
	if (!p) {
		at_printf(sim, "+SOCKETREAD%c%u,0", sep, s->id);
		return ERR_OK;
	}
	sim->reads++;
	at_printf(sim, "+SOCKETREAD%c%u,%zu,", sep, s->id, p->len);
	fault_tear(sim, NULL);
	fault_payload(sim, &sim->at.mark, p->data, p->len);
	fault_tear(sim, NULL);
	free(p);
	return ERR_OK;
}

static int cmd_recvcfg(struct atsim *sim, struct at_args *args)
{
	long mode;

	if (args->argc != 1)
		return ERR_COUNT;
	if (!at_number(args->argv[0], 0, 1, &mode))
		return ERR_VALUE;
	sim->flash.recv_active = mode;
	return ERR_OK;
}

static int cmd_del(struct atsim *sim, struct at_args *args)
{
	struct sock *s;
	uint32_t id;

	if (args->argc != 1)
		return ERR_COUNT;
	id = to_id(args->argv[0]);
	s = sock_find(sim, id);
	if (!s || (s->status == SOCK_DELETED && s->fd < 0 &&
		   evtimer_pending(s->timer, NULL)))
		return ERR_VALUE;
	sock_delete(s);
	if (!sim->profile.del_autodel)
		return ERR_OK;
	at_ok(sim);
	at_printf(sim, "\r\n+EVENT:SocketAutoDel,%u\r\n", id);
	return AT_DONE;
}

/* ---- transparent mode ---- */

static int cmd_tt(struct atsim *sim, struct at_args *args)
{
	struct sock *s;
	long mode = 0;

	if (args->op == OP_SET &&
	    (args->argc != 1 || !at_number(args->argv[0], 0, 2, &mode) ||
	     mode == 1))
		return ERR_VALUE;
	s = tt_candidate(sim);
	if (!s)
		return ERR_TRANSPARENT;
	tt_enter(sim, s, mode);
	return AT_DONE;
}

static int cmd_autott(struct atsim *sim, struct at_args *args)
{
	const char *host = "";
	long type, port = 0;
	int next = 1;

	if (args->op == OP_QUERY) {
		at_printf(sim, "\r\n+SOCKETAUTOTT:%d,%s,%d",
			  sim->flash.autott.type, sim->flash.autott.host,
			  sim->flash.autott.port);
		return ERR_OK;
	}
	if (!at_number(args->argv[0], 0, 7, &type))
		return ERR_VALUE;
	switch (type) {
	case 0:
		break;
	case UDP_CLIENT:
	case TCP_CLIENT:
	case SSL_CLIENT:
		if (args->argc != 3)
			return ERR_COUNT;
		host = args->argv[next++];
		if (!*host)
			return ERR_VALUE;
		break;
	case UDP_SERVER:
		if (args->argc != 2)
			return ERR_COUNT;
		break;
	default:
		return ERR_VALUE;
	}
	if (type && !at_number(args->argv[next], 1, 65535, &port))
		return ERR_VALUE;
	if (strlen(host) >= sizeof(sim->flash.autott.host))
		return ERR_TOO_LONG;
	sim->flash.autott.type = type;
	strcpy(sim->flash.autott.host, host);
	sim->flash.autott.port = port;
	return ERR_OK;
}

static void autott_done(struct sock *s, int code)
{
	struct atsim *sim = s->sim;

	if (!code)
		code = sock_enlist(s, 0);
	sim->at.blocked = false;
	if (code) {
		at_error(sim, "AT+SOCKET", code);
		sock_put(s);
	} else {
		at_printf(sim, "connect success ConID=%u\r\n", s->id);
		at_ok(sim);
		if (sim->profile.tt_announce)
			at_printf(sim, "AT+SOCKETTT\r\n");
		tt_enter(sim, s, 0);
	}
	at_run(sim);
}

/**
 * socket_autott_boot() - the address is there: connect as stored in flash
 * @sim: the emulator
 */
void socket_autott_boot(struct atsim *sim)
{
	struct sock *s;
	int code;

	if (!sim->flash.autott.type || !sim->flash.autoconn ||
	    sim->at.blocked || sim->at.state != AT_LINE)
		return;
	s = sock_new(sim, sim->flash.autott.type);
	if (!s)
		return;
	sim->at.blocked = true;
	if (s->type == UDP_SERVER) {
		s->local_port = sim->flash.autott.port;
		autott_done(s, sock_bind(s));
		return;
	}
	code = set_remote(s, sim->flash.autott.host, sim->flash.autott.port);
	if (code)
		autott_done(s, code);
	else
		sock_connect(s, autott_done);
}

/**
 * socket_ghost() - a module that is left in transparent mode
 * @sim: the emulator
 *
 * What a former host has set up is still there; nobody is at the other end.
 */
void socket_ghost(struct atsim *sim)
{
	struct sock *s = sock_new(sim, TCP_CLIENT);

	if (!s)
		return;
	strcpy(s->host, "198.51.100.1");
	s->remote_port = 9;
	s->way = NET_HOLE;
	sock_enlist(s, 0);
	at_printf(sim, "connect success ConID=%u\r\n", s->id);
	at_ok(sim);
	if (sim->profile.tt_announce)
		at_printf(sim, "AT+SOCKETTT\r\n");
	tt_enter(sim, s, 0);
}

/* ---- certificates ---- */

static void cert_payload(struct atsim *sim, uint8_t *data, size_t len)
{
	memcpy(sim->flash.cert[sim->cert_which], data, len);
	sim->flash.cert_len[sim->cert_which] = len;
	sim->cert_writes++;
	at_finish(sim, ERR_OK);
}

static int cmd_sslcret(struct atsim *sim, struct at_args *args)
{
	long which, len;

	if (args->argc < 1 || args->argc > 2)
		return ERR_COUNT;
	if (!at_number(args->argv[0], 1, 3, &which))
		return ERR_VALUE;
	which--;
	if (args->argc == 1) {
		at_printf(sim, "\r\n+SSLCRET:%ld,%zu,", which + 1,
			  sim->flash.cert_len[which]);
		fault_tear(sim, NULL);
		uart_write(sim, &sim->at.mark, sim->flash.cert[which],
			   sim->flash.cert_len[which]);
		return ERR_OK;
	}
	if (!at_number(args->argv[1], 1, CERT_SIZE - 1, &len))
		return ERR_VALUE;
	if ((size_t)len > heap_free(sim))
		return ERR_MALLOC;
	sim->cert_which = which;
	return at_payload(sim, len, cert_payload);
}

const struct at_command socket_commands[] = {
	{ .name = "AT+SOCKET", .ops = OP_SET | OP_QUERY, .run = cmd_socket,
	  .help = "create or list sockets" },
	{ .name = "AT+SOCKET2", .ops = OP_SET, .run = cmd_socket2,
	  .help = "create a client with a local port",
	  .needs = offsetof(struct profile, has_socket2) },
	{ .name = "AT+SOCKETSEND", .ops = OP_SET, .run = cmd_send,
	  .help = "send data after a prompt" },
	{ .name = "AT+SOCKETSENDLINE", .ops = OP_SET, .run = cmd_sendline,
	  .help = "send data of the line" },
	{ .name = "AT+SOCKETSENDHEX", .ops = OP_SET, .run = cmd_sendhex,
	  .help = "send data of the line in hex",
	  .needs = offsetof(struct profile, has_socket2) },
	{ .name = "AT+SOCKETREAD", .ops = OP_SET, .run = cmd_read,
	  .help = "read received data" },
	{ .name = "AT+SOCKETDEL", .ops = OP_SET, .run = cmd_del,
	  .help = "delete a socket" },
	{ .name = "AT+SOCKETRECVCFG", .ops = OP_SET, .run = cmd_recvcfg,
	  .help = "passive or active receive" },
	{ .name = "AT+SOCKETTT", .ops = OP_EXEC | OP_SET, .run = cmd_tt,
	  .help = "enter transparent mode" },
	{ .name = "AT+SOCKETAUTOTT", .ops = OP_SET | OP_QUERY,
	  .run = cmd_autott, .help = "transparent mode after boot" },
	{ .name = "AT+SSLCRET", .ops = OP_SET, .run = cmd_sslcret,
	  .help = "set or read certificates" },
	{ .name = NULL },
};
