// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's sockets, each a task of its own with a real socket behind it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "atsim.h"

#define RETRY_US		3000000	/* reconnect, and look for AutoDel */
#define LINGER_US		750000	/* a deleted ConID stays visible */
#define TASK_COST		8192	/* stack and bookkeeping of a socket */
#define HEAP_RESERVE		1168	/* below it received data is dropped */
#define SEGMENT_SIZE		1460
#define WINDOW_SIZE		(8 * SEGMENT_SIZE)

static void connect_start(struct sock *s);

bool sock_is_tcp(const struct sock *s)
{
	return s->type != UDP_SERVER && s->type != UDP_CLIENT;
}

bool sock_is_tls(const struct sock *s)
{
	return s->type >= SSL_SERVER;
}

bool sock_is_client(const struct sock *s)
{
	return s->type == UDP_CLIENT || s->type == TCP_CLIENT ||
	       s->type == SSL_CLIENT;
}

bool sock_is_server(const struct sock *s)
{
	return s->type == TCP_SERVER || s->type == SSL_SERVER;
}

bool sock_is_seed(const struct sock *s)
{
	return s->type == TCP_SEED || s->type == SSL_SEED;
}

/**
 * heap_free() - what is left of the module's memory
 * @sim: the emulator
 *
 * Return: bytes.
 */
size_t heap_free(struct atsim *sim)
{
	return sim->heap > sim->heap_used ? sim->heap - sim->heap_used : 0;
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct sock *s = arg;

	s->timer_fn(s);
}

static void after(struct sock *s, uint64_t us, void (*fn)(struct sock *s))
{
	s->timer_fn = fn;
	timer_set(s->timer, us);
}

/**
 * sock_new() - a socket task
 * @sim: the emulator
 * @type: what it is
 *
 * Return: the socket, not yet in the list, or NULL without memory.
 */
struct sock *sock_new(struct atsim *sim, enum sock_type type)
{
	struct sock *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->sim = sim;
	s->refs = 1;
	s->type = type;
	s->fd = -1;
	s->remote_port = -1;
	s->local_port = -1;
	STAILQ_INIT(&s->queue);
	s->timer = event_new(sim->base, -1, 0, timer_cb, s);
	s->cost = TASK_COST;
	sim->heap_used += s->cost;
	return s;
}

/* Close the real socket; @abort it with RST as a vanished module would. */
static void sock_close(struct sock *s, bool abort)
{
	struct linger linger = { .l_onoff = 1 };

	tls_free(s);
	if (s->ev_read)
		event_free(s->ev_read);
	if (s->ev_write)
		event_free(s->ev_write);
	s->ev_read = NULL;
	s->ev_write = NULL;
	s->armed = false;
	if (s->fd >= 0) {
		if (abort)
			setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &linger,
				   sizeof(linger));
		close(s->fd);
	}
	s->fd = -1;
	free(s->out);
	s->out = NULL;
}

/**
 * sock_pop() - take the oldest stored packet
 * @s: the socket
 *
 * Return: the packet, to be freed by the caller, or NULL.
 */
struct packet *sock_pop(struct sock *s)
{
	struct packet *p = STAILQ_FIRST(&s->queue);

	if (p) {
		STAILQ_REMOVE_HEAD(&s->queue, entry);
		s->sim->heap_used -= p->len + sizeof(*p);
	}
	return p;
}

/**
 * sock_put() - drop a reference
 * @s: the socket
 */
void sock_put(struct sock *s)
{
	struct packet *p;

	if (--s->refs)
		return;
	sock_close(s, false);
	while ((p = sock_pop(s)))
		free(p);
	event_free(s->timer);
	s->sim->heap_used -= s->cost;
	free(s);
}

/**
 * sock_find() - look a ConID up
 * @sim: the emulator
 * @id: the ConID
 *
 * Return: the socket or NULL.
 */
struct sock *sock_find(struct atsim *sim, uint32_t id)
{
	struct sock *s;

	TAILQ_FOREACH(s, &sim->socks, entry) {
		if (s->id == id)
			return s;
	}
	return NULL;
}

/**
 * sock_count() - how many sockets there are
 * @sim: the emulator
 *
 * Return: the number, those included that wait for their deletion.
 */
unsigned int sock_count(struct atsim *sim)
{
	unsigned int n = 0;
	struct sock *s;

	TAILQ_FOREACH(s, &sim->socks, entry)
		n++;
	return n;
}

static void urc(struct sock *s, const char *name, unsigned int bit)
{
	struct atsim *sim = s->sim;

	if (tt_active(sim) && !sim->profile.tt_urc &&
	    !(sim->profile.has_sysmsg && sim->flash.sysmsg & 1u << bit))
		return;
	uart_printf(sim, &s->mark, "\r\n+EVENT:%s,%u\r\n", name, s->id);
}

static void urc_disconnect(struct sock *s)
{
	sim_log(s->sim, "socket %u disconnected", s->id);
	urc(s, s->sim->profile.dissconnect ? "SocketDissconnect" :
	    "SocketDisconnect", 6);
}

static void unlist(struct sock *s)
{
	if (!s->listed)
		return;
	s->listed = false;
	TAILQ_REMOVE(&s->sim->socks, s, entry);
	/* Who still holds it is ours, not the module's. */
	s->sim->heap_used -= s->cost;
	s->cost = 0;
	event_del(s->timer);
	sock_put(s);
}

static void delete_now(struct sock *s)
{
	s->status = SOCK_DELETED;
	sock_close(s, false);
	unlist(s);
}

/**
 * sock_drop_all() - a reset: every connection vanishes
 * @sim: the emulator
 */
void sock_drop_all(struct atsim *sim)
{
	struct sock *s;

	while ((s = TAILQ_FIRST(&sim->socks))) {
		s->status = SOCK_DELETED;
		sock_close(s, true);
		unlist(s);
	}
	/* Nobody hears of it, least of all a command after the reset. */
	s = sim->connecting;
	sim->connecting = NULL;
	if (s) {
		sock_close(s, true);
		event_del(s->timer);
		sock_put(s);
	}
}

/* ---- the end of a connection ---- */

static void autodel_late(evutil_socket_t fd, short what, void *arg)
{
	struct sock *s = arg;

	if (s->sim->up)
		urc(s, "SocketAutoDel", 8);
	sock_put(s);
}

/* A lost seed goes when the host has read all that it left. */
static void seed_check(struct sock *s)
{
	struct atsim *sim = s->sim;
	struct timeval tv;

	if (!STAILQ_EMPTY(&s->queue)) {
		after(s, RETRY_US, seed_check);
		return;
	}
	s->refs++;
	delete_now(s);
	if (fault_hit(sim, FAULT_LATE_AUTODEL)) {
		tv.tv_sec = sim->fault[FAULT_LATE_AUTODEL].ms / 1000;
		tv.tv_usec = sim->fault[FAULT_LATE_AUTODEL].ms % 1000 * 1000;
		event_base_once(sim->base, -1, EV_TIMEOUT, autodel_late, s,
				&tv);
		return;
	}
	urc(s, "SocketAutoDel", 8);
	sock_put(s);
}

static void reconnected(struct sock *s, int code)
{
	if (code) {
		after(s, RETRY_US, connect_start);
		return;
	}
	s->status = SOCK_CONNECTED;
	s->sim->reconnects++;
	sim_log(s->sim, "socket %u reconnected", s->id);
	urc(s, "SocketReconnect", 7);
}

static void sock_lost(struct sock *s)
{
	sock_fn send_fn = s->out ? s->send_fn : NULL;

	sock_close(s, false);
	if (sock_is_client(s)) {
		s->status = SOCK_CONNECTING;
		urc_disconnect(s);
		s->connect_fn = reconnected;
		after(s, RETRY_US, connect_start);
	} else {
		s->status = s->sim->profile.seed_autodel ? SOCK_DISCONNECTED :
			    SOCK_DELETED;
		urc_disconnect(s);
		if (s->sim->profile.seed_autodel)
			seed_check(s);
	}
	if (send_fn)
		send_fn(s, ERR_SOCK_SEND);
}

/**
 * sock_link_lost() - the module has lost its access point
 * @sim: the emulator
 *
 * Its TCP connections fail; listeners and UDP sockets stay.
 */
void sock_link_lost(struct atsim *sim)
{
	struct sock *s, *next;

	for (s = TAILQ_FIRST(&sim->socks); s; s = next) {
		next = TAILQ_NEXT(s, entry);
		if (!sock_is_tcp(s) || sock_is_server(s) ||
		    s->status != SOCK_CONNECTED)
			continue;
		s->refs++;
		if (s->fd >= 0)
			sock_lost(s);
		sock_put(s);
	}
}

/* ---- receive ---- */

static bool store(struct sock *s, const uint8_t *data, size_t len)
{
	struct atsim *sim = s->sim;
	struct packet *p;

	if (heap_free(sim) < HEAP_RESERVE ||
	    heap_free(sim) < len + sizeof(*p) ||
	    fault_hit(sim, FAULT_HEAP_FULL)) {
		sim->heap_drops++;
		return false;
	}
	p = malloc(sizeof(*p) + len);
	if (!p)
		return false;
	p->len = len;
	memcpy(p->data, data, len);
	STAILQ_INSERT_TAIL(&s->queue, p, entry);
	sim->heap_used += sizeof(*p) + len;
	return true;
}

static void received(struct sock *s, const uint8_t *data, size_t len)
{
	struct atsim *sim = s->sim;

	sim->sock_in += len;
	if (tt_active(sim)) {
		sim->tt_out += len;
		uart_write(sim, &s->mark, data, len);
		return;
	}
	if (!sim->flash.recv_active) {
		if (store(s, data, len))
			uart_printf(sim, &s->mark,
				    "\r\n+EVENT:SocketDown,%u,%zu\r\n", s->id,
				    len);
		return;
	}
	/* three prints: others can come between them */
	uart_printf(sim, &s->mark, "\r\n+EVENT:SocketDown,%u,%zu,", s->id,
		    len);
	fault_tear(sim, s);
	fault_payload(sim, &s->mark, data, len);
	fault_tear(sim, s);
	uart_write(sim, &s->mark, "\r\n", 2);
}

static ssize_t sock_recv(struct sock *s, uint8_t *buf, size_t len)
{
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	ssize_t n;

	if (s->ssl)
		return tls_recv(s, buf, len);
	if (s->type != UDP_SERVER)
		return recv(s->fd, buf, len, 0);
	n = recvfrom(s->fd, buf, len, 0, (struct sockaddr *)&from, &size);
	if (n < 0)
		return n;
	if (!s->peer_known)
		s->addr = from;
	s->peer_known = true;
	s->last = from;
	return n;
}

/* One recv() of the task; false when there was nothing to read. */
static bool sock_read(struct sock *s)
{
	uint8_t buf[CHUNK_SIZE];
	ssize_t n;

	if (s->fd < 0 || s->in_read || s->status != SOCK_CONNECTED ||
	    sock_is_server(s) || !uart_drained(s->sim, s->mark))
		return false;
	n = sock_recv(s, buf, sizeof(buf));
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK ||
		      errno == EINTR))
		return false;
	if (!sock_is_tcp(s) && (n <= 0 || !wifi_has_ip(s->sim)))
		return true;	/* an ICMP error, or nothing in it */
	s->refs++;
	s->in_read = true;
	if (n > 0)
		received(s, buf, n);
	s->in_read = false;
	if (n <= 0 && s->listed)
		sock_lost(s);
	sock_put(s);
	return true;
}

static void print_late(evutil_socket_t fd, short what, void *arg)
{
	struct sock *s = arg;
	struct packet *p = sock_pop(s);

	if (p && s->sim->up)
		received(s, p->data, p->len);
	free(p);
	sock_put(s);
}

/* Its task has read once more, and prints that when it has its turn: behind the answer. */
static void read_late(struct sock *s)
{
	unsigned int ms = s->sim->fault[FAULT_LATE_DOWN].ms;
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };
	uint8_t buf[CHUNK_SIZE];
	struct packet *p;
	ssize_t n;

	if (s->fd < 0 || sock_is_server(s) || !fault_on(s->sim, FAULT_LATE_DOWN))
		return;
	n = sock_recv(s, buf, sizeof(buf));
	if (n <= 0 || !fault_hit(s->sim, FAULT_LATE_DOWN))
		return;
	while ((p = sock_pop(s)))
		free(p);
	if (!store(s, buf, n))
		return;
	s->refs++;
	event_base_once(s->sim->base, -1, EV_TIMEOUT, print_late, s, &tv);
}

/**
 * sock_delete() - AT+SOCKETDEL
 * @s: the socket
 */
void sock_delete(struct sock *s)
{
	struct sock *server;

	sim_log(s->sim, "socket %u deleted", s->id);
	read_late(s);
	if (sock_is_seed(s)) {
		server = sock_find(s->sim, s->server);
		if (server && fault_hit(s->sim, FAULT_STUCK_LISTENER))
			server->stuck = true;
	}
	if (!s->sim->profile.del_lingers) {
		delete_now(s);
		return;
	}
	s->status = SOCK_DELETED;
	sock_close(s, false);
	after(s, LINGER_US, delete_now);
}

/* Read on, now or when the last print is out. */
static void sock_pump(struct sock *s)
{
	if (s->fd < 0 || !s->ev_read || s->status != SOCK_CONNECTED)
		return;
	if (!uart_drained(s->sim, s->mark)) {
		event_del(s->ev_read);
		s->armed = false;
		return;
	}
	if (!s->armed)
		event_add(s->ev_read, NULL);
	s->armed = true;
	if (s->ssl && SSL_pending(s->ssl))
		event_active(s->ev_read, EV_READ, 1);
}

static void read_cb(evutil_socket_t fd, short what, void *arg)
{
	struct sock *s = arg;

	s->refs++;
	sock_read(s);
	sock_pump(s);
	sock_put(s);
}

/**
 * sock_prints_on() - does another print follow at once when those of now have left?
 * @sim: the emulator
 *
 * Return: true if a task waits only for that, and has something to read.
 */
bool sock_prints_on(struct atsim *sim)
{
	struct sock *s;
	int n;

	TAILQ_FOREACH(s, &sim->socks, entry)
		if (s->ev_read && !s->armed && s->status == SOCK_CONNECTED && !sock_is_server(s) &&
		    !ioctl(s->fd, FIONREAD, &n) && n > 0)
			return true;
	return false;
}

/**
 * sock_kick_all() - prints have left: tasks may read on
 * @sim: the emulator
 */
void sock_kick_all(struct atsim *sim)
{
	struct sock *s = TAILQ_FIRST(&sim->socks), *next;

	while (s) {
		next = TAILQ_NEXT(s, entry);
		if (s->armed || s->fd < 0 || s->in_read || !s->ev_read ||
		    s->status != SOCK_CONNECTED || sock_is_server(s) ||
		    !uart_drained(sim, s->mark)) {
			s = next;
			continue;
		}
		s->refs++;
		sock_read(s);
		sock_pump(s);
		/* the list may have changed; who has read is not ready again */
		next = s->listed ? TAILQ_NEXT(s, entry) :
		       TAILQ_FIRST(&sim->socks);
		sock_put(s);
		s = next;
	}
}

/**
 * sock_serve_other() - let another task print between two prints
 * @sim: the emulator
 * @not_this: the one that is interrupted
 *
 * Return: true when one had something to say.
 */
bool sock_serve_other(struct atsim *sim, struct sock *not_this)
{
	struct sock *s;

	TAILQ_FOREACH(s, &sim->socks, entry) {
		if (s == not_this || !s->ev_read || sock_is_server(s))
			continue;
		if (sock_read(s))
			return true;
	}
	return false;
}

/* ---- send ---- */

static void send_done(struct sock *s, int code)
{
	sock_fn fn = s->send_fn;

	free(s->out);
	s->out = NULL;
	fn(s, code);
}

static void send_dgram(struct sock *s)
{
	ssize_t n = s->out_len;

	errno = 0;
	if (!wifi_has_ip(s->sim) || (s->type == UDP_SERVER && !s->peer_known))
		n = -1;
	else if (s->type == UDP_SERVER)
		n = sendto(s->fd, s->out, s->out_len, 0, (const struct sockaddr *)&s->out_to,
			   sizeof(s->out_to));
	else if (s->fd >= 0)
		n = send(s->fd, s->out, s->out_len, 0);
	/* that nobody listens there is no error of UDP's */
	if (n < 0 && errno == ECONNREFUSED && s->fd >= 0)
		n = send(s->fd, s->out, s->out_len, 0);
	if (n > 0)
		s->sim->sock_out += n;
	send_done(s, n < 0 ? ERR_SOCK_SEND : ERR_OK);
}

static void send_more(struct sock *s)
{
	if (!sock_is_tcp(s)) {
		send_dgram(s);
		return;
	}
	while (s->out_off < s->out_len) {
		ssize_t n;

		if (s->ssl)
			n = tls_send(s, s->out + s->out_off,
				     s->out_len - s->out_off);
		else
			n = send(s->fd, s->out + s->out_off,
				 s->out_len - s->out_off, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			event_add(s->ev_write, NULL);
			return;
		}
		if (n < 0) {
			send_done(s, ERR_SOCK_SEND);
			return;
		}
		s->out_off += n;
		s->sim->sock_out += n;
	}
	send_done(s, ERR_OK);
}

/* The network has no time: what it is given waits. Who loses its peer meanwhile has
 * another use for the timer, and tells the sender.
 */
static bool send_is_late(struct sock *s)
{
	if (!fault_hit(s->sim, FAULT_SLOW_NET))
		return false;
	after(s, s->sim->fault[FAULT_SLOW_NET].ms * 1000ULL, send_more);
	return true;
}

/**
 * sock_hurry() - the network has time again
 * @sim: the emulator
 *
 * What waits in it goes at once.
 */
void sock_hurry(struct atsim *sim)
{
	struct sock *s;

	TAILQ_FOREACH(s, &sim->socks, entry) {
		if (s->out && s->timer_fn == send_more &&
		    evtimer_pending(s->timer, NULL))
			after(s, 0, send_more);
	}
}

/**
 * sock_send() - hand data to the network
 * @s: the socket
 * @data: what
 * @len: how much
 * @fn: called when all is taken, which waits for a slow peer or network
 */
void sock_send(struct sock *s, const uint8_t *data, size_t len, sock_fn fn)
{
	if (!wifi_has_ip(s->sim) || s->status != SOCK_CONNECTED ||
	    sock_is_server(s)) {
		fn(s, ERR_SOCK_SEND);
		return;
	}
	if (sock_is_tcp(s) && s->fd < 0) {
		fn(s, ERR_OK);	/* the other end of a ghost */
		return;
	}
	s->out = malloc(len);
	if (!s->out) {
		fn(s, ERR_MALLOC);
		return;
	}
	memcpy(s->out, data, len);
	s->out_len = len;
	s->out_off = 0;
	/* A command is for the first who spoke, and transparent mode if not told otherwise. */
	s->out_to = tt_active(s->sim) && s->sim->tt.last_peer ? s->last : s->addr;
	s->send_fn = fn;
	s->refs++;
	if (!send_is_late(s))
		send_more(s);
	sock_put(s);
}

/* ---- connect ---- */

static void set_options(struct sock *s)
{
	int size = WINDOW_SIZE;
	int segment = SEGMENT_SIZE;
	int on = 1;
	int idle = 3;
	int count = 3;

	/* a small stack: little is buffered, so the peer feels the brake */
	setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (!sock_is_tcp(s))
		return;
	setsockopt(s->fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment));
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (s->keepalive <= 0)
		return;
	setsockopt(s->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(s->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(s->fd, IPPROTO_TCP, TCP_KEEPINTVL, &s->keepalive,
		   sizeof(s->keepalive));
	setsockopt(s->fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

static void connect_done(struct sock *s, int code)
{
	s->refs++;
	event_del(s->timer);
	if (s->sim->connecting == s)
		s->sim->connecting = NULL;
	if (code)
		sock_close(s, false);
	s->connect_fn(s, code);
	if (!code)
		sock_pump(s);
	sock_put(s);
}

static void handshake(struct sock *s)
{
	int code;

	switch (tls_handshake(s, &code)) {
	case TLS_READ:
		event_add(s->ev_read, NULL);
		break;
	case TLS_WRITE:
		event_add(s->ev_write, NULL);
		break;
	case TLS_DONE:
		event_del(s->ev_read);
		connect_done(s, ERR_OK);
		break;
	default:
		connect_done(s, code);
	}
}

static void connected(struct sock *s)
{
	int code;

	if (!sock_is_tls(s)) {
		connect_done(s, ERR_OK);
		return;
	}
	code = tls_setup(s);
	if (code)
		connect_done(s, code);
	else
		handshake(s);
}

static void hand_read_cb(evutil_socket_t fd, short what, void *arg)
{
	struct sock *s = arg;

	if (s->status == SOCK_CONNECTED) {
		read_cb(fd, what, arg);
		return;
	}
	s->refs++;
	handshake(s);
	sock_put(s);
}

static void write_cb(evutil_socket_t fd, short what, void *arg)
{
	struct sock *s = arg;
	socklen_t len = sizeof(int);
	int error = 0;

	s->refs++;
	if (s->out) {
		send_more(s);
	} else if (s->ssl) {
		handshake(s);
	} else {
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error)
			connect_done(s, ERR_SOCK_CONNECT);
		else
			connected(s);
	}
	sock_put(s);
}

static void connect_late(struct sock *s)
{
	connect_done(s, ERR_SOCK_CONNECT);
}

static int make_events(struct sock *s)
{
	struct event_base *base = s->sim->base;

	s->ev_read = event_new(base, s->fd, EV_READ | EV_PERSIST,
			       hand_read_cb, s);
	s->ev_write = event_new(base, s->fd, EV_WRITE, write_cb, s);
	return s->ev_read && s->ev_write ? 0 : -1;
}

static void connect_start(struct sock *s)
{
	struct atsim *sim = s->sim;
	int type = sock_is_tcp(s) ? SOCK_STREAM : SOCK_DGRAM;

	if (sock_is_tcp(s) && !wifi_has_ip(sim)) {
		connect_done(s, ERR_SOCK_CONNECT);
		return;
	}
	if (s->way != NET_OK && !sock_is_tcp(s)) {
		connect_done(s, ERR_OK);	/* datagrams just vanish */
		return;
	}
	if (s->way == NET_REFUSED) {
		connect_done(s, ERR_SOCK_CONNECT);
		return;
	}
	after(s, sim->connect_ms * 1000ULL, connect_late);
	if (s->way == NET_HOLE)
		return;
	s->fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || make_events(s)) {
		connect_done(s, ERR_SOCK_CREATE);
		return;
	}
	set_options(s);
	if (!connect(s->fd, (struct sockaddr *)&s->addr, sizeof(s->addr)))
		connected(s);
	else if (errno == EINPROGRESS)
		event_add(s->ev_write, NULL);
	else
		connect_done(s, ERR_SOCK_CONNECT);
}

/**
 * sock_connect() - connect a client
 * @s: the socket, its address set
 * @fn: called with 0 or an error code, possibly at once
 */
void sock_connect(struct sock *s, sock_fn fn)
{
	s->status = SOCK_CONNECTING;
	s->connect_fn = fn;
	s->since = now_ns();
	s->sim->connecting = s;
	connect_start(s);
}

/**
 * sock_connect_timeout() - change how long a connect waits for an answer
 * @sim: the emulator
 * @ms: until it fails, for the one that waits now as well
 */
void sock_connect_timeout(struct atsim *sim, unsigned int ms)
{
	struct sock *s = sim->connecting;
	uint64_t waited;

	sim->connect_ms = ms;
	if (!s || s->timer_fn != connect_late)
		return;
	waited = (now_ns() - s->since) / 1000;
	/* At once: the next command is not to give it more time again. */
	if (waited >= ms * 1000ULL)
		connect_late(s);
	else
		after(s, ms * 1000ULL - waited, connect_late);
}

/**
 * sock_connect_late() - end the connect that waits as one that nobody has answered
 * @sim: the emulator
 *
 * Return: false if none waits.
 */
bool sock_connect_late(struct atsim *sim)
{
	if (!sim->connecting || sim->connecting->timer_fn != connect_late)
		return false;
	connect_late(sim->connecting);
	return true;
}

/* ---- servers ---- */

static void seed_failed(struct sock *s)
{
	s->refs++;
	delete_now(s);
	sock_put(s);
}

static void seed_up(struct sock *seed, int code)
{
	struct atsim *sim = seed->sim;

	if (code) {
		seed_failed(seed);
		return;
	}
	seed->status = SOCK_CONNECTED;
	sim_log(sim, "socket %u accepted as %u", seed->server, seed->id);
	if (sim->profile.seed_told == SEED_UNTOLD)
		return;
	if (!tt_active(sim) || sim->profile.tt_urc ||
	    (sim->profile.has_sysmsg && sim->flash.sysmsg & 1u << 5))
		uart_printf(sim, &seed->mark, "\r\n%s%u,%u\r\n",
			    sim->profile.seed_told == SEED_SHORT ? "+Seed:" :
			    "+EVENT:SocketSeed,", seed->id, seed->server);
}

static void reject(int fd)
{
	struct linger linger = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

static void accept_cb(evutil_socket_t lfd, short what, void *arg)
{
	struct sock *server = arg;
	struct atsim *sim = server->sim;
	struct sockaddr_in peer = {};
	socklen_t len = sizeof(peer);
	struct in_addr shown;
	struct sock *s;
	int fd;

	fd = accept4(lfd, (struct sockaddr *)&peer, &len,
		     SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	if (!wifi_has_ip(sim) || server->stuck ||
	    sock_count(sim) >= sim->max_sockets ||
	    heap_free(sim) < TASK_COST) {
		reject(fd);
		return;
	}
	s = sock_new(sim, server->type == SSL_SERVER ? SSL_SEED : TCP_SEED);
	if (!s) {
		reject(fd);
		return;
	}
	s->fd = fd;
	s->server = server->id;
	s->keepalive = server->keepalive;
	s->addr = peer;
	s->status = SOCK_CONNECTING;
	if (sim->profile.seed_peer) {
		shown = net_unmap(sim, peer.sin_addr);
		inet_ntop(AF_INET, &shown, s->host, sizeof(s->host));
		s->remote_port = ntohs(peer.sin_port);
	}
	set_options(s);
	if (make_events(s)) {
		sock_put(s);
		return;
	}
	sock_enlist(s, 0);
	s->connect_fn = seed_up;
	after(s, sim->connect_ms * 1000ULL, connect_late);
	s->refs++;
	connected(s);
	sock_put(s);
}

/**
 * sock_bind() - open a server
 * @s: the socket, its local port set
 *
 * Return: 0 or an error code.
 */
int sock_bind(struct sock *s)
{
	struct atsim *sim = s->sim;
	int type = sock_is_tcp(s) ? SOCK_STREAM : SOCK_DGRAM;
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_port = htons(s->local_port),
		.sin_addr.s_addr = sim->net.listen,
	};
	int on = 1;
	int code;

	if ((sim->profile.no_servers && wifi_is_station(sim)) || fault_hit(sim, FAULT_PORT_TAKEN))
		return ERR_SOCK_BIND;
	if (sock_is_tls(s)) {
		code = tls_setup(s);
		if (code)
			return code;
	}
	s->fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return ERR_SOCK_CREATE;
	if (sock_is_tcp(s))
		setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	set_options(s);
	if (bind(s->fd, (struct sockaddr *)&sin, sizeof(sin)))
		return ERR_SOCK_BIND;
	if (sock_is_tcp(s) && listen(s->fd, 5))
		return ERR_SOCK_BIND;
	s->ev_read = event_new(sim->base, s->fd, EV_READ | EV_PERSIST,
			       sock_is_tcp(s) ? accept_cb : read_cb, s);
	if (!s->ev_read)
		return ERR_MALLOC;
	return ERR_OK;
}

/**
 * sock_enlist() - give a socket its ConID and let it work
 * @s: the socket
 * @id: the ConID that the host asked for, 0: the module chooses
 *
 * Return: 0, or ERR_CONID_USED.
 */
int sock_enlist(struct sock *s, uint32_t id)
{
	struct atsim *sim = s->sim;
	struct sock *after_this;

	if (id && sock_find(sim, id))
		return ERR_CONID_USED;
	if (!id && fault_hit(sim, FAULT_ID_REUSE)) {
		for (id = 1; sock_find(sim, id); )
			id++;
	} else if (!id) {
		while (sock_find(sim, sim->next_id))
			sim->next_id++;
		id = sim->next_id++;
	}
	s->id = id;
	s->listed = true;
	sim->sock_made++;
	TAILQ_FOREACH_REVERSE(after_this, &sim->socks, sock_list, entry) {
		if (after_this->id < id)
			break;
	}
	if (after_this)
		TAILQ_INSERT_AFTER(&sim->socks, after_this, s, entry);
	else
		TAILQ_INSERT_HEAD(&sim->socks, s, entry);
	if (sock_is_seed(s) && s->status != SOCK_CONNECTED)
		return ERR_OK;
	s->status = SOCK_CONNECTED;
	if (s->ev_read) {
		event_add(s->ev_read, NULL);
		s->armed = true;
	}
	return ERR_OK;
}
