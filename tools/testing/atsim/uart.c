// SPDX-License-Identifier: GPL-2.0-only
/*
 * The UART: receive ring, print queue and the pace of the wire.
 *
 * Unpaced, bytes go as fast as the transport takes them, and nothing is lost:
 * what does not fit into the ring stays in the transport.  Paced, each
 * direction has a clock, the time up to which the wire has been used; the
 * bytes that may cross now are what fits between that clock and the present.
 * There is one timer per direction and no timer per byte.  As on a real wire
 * without flow control, what arrives while the ring is full is gone.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "atsim.h"

/* Longest sleep while bytes cross, and the most that is caught up after it. */
#define TICK_NS			1000000ULL
#define CATCH_UP_NS		50000000ULL

/* How soon it is seen that a host which had no CTS may send. */
#define HOLD_US			5000

/* What a wire with the fault of that name bears. */
#define SLOW_WIRE		115200

/* Rounds of one service call, so that other events get their turn. */
#define SERVICE_ROUNDS		64

static void tx_service(struct atsim *sim);

/**
 * now_ns() - the monotonic clock
 *
 * Return: nanoseconds.
 */
uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Nanoseconds that one character takes: start bit, data, parity, stop. */
static uint64_t char_ns(const struct uart *u)
{
	unsigned int halves = 2 * (1 + u->cfg.databits + !!u->cfg.parity) +
			      1 + u->cfg.stopbits;

	return halves * 500000000ULL / u->cfg.baud;
}

/* How many characters fit between @clock and now; forgets a long absence. */
static size_t credit(const struct uart *u, uint64_t *clock)
{
	uint64_t now = now_ns();

	if (*clock + CATCH_UP_NS < now)
		*clock = now - CATCH_UP_NS;
	return *clock > now ? 0 : (now - *clock) / char_ns(u);
}

/* Sleep until @len characters, or a tick's worth, have crossed. */
static void wire_sleep(const struct uart *u, struct event *timer,
		       uint64_t clock, size_t len)
{
	uint64_t need = char_ns(u) * len;
	uint64_t now = now_ns();

	if (need > TICK_NS)
		need = TICK_NS;
	if (need < char_ns(u))
		need = char_ns(u);
	clock += need;
	timer_set(timer, clock > now ? (clock - now + 999) / 1000 : 0);
}

/*
 * What a receiver makes of characters that were sent at another rate.  The
 * line is sampled as a UART does it: from a falling edge on, in the middle of
 * each bit of its own length.
 */
static size_t resample(const uint8_t *in, size_t len, uint8_t *out,
		       size_t size, double sent, double expected)
{
	double step = sent / expected;
	double pos = 0;
	size_t n = 0;
	size_t bits = len * 10;

	while (n < size) {
		unsigned int byte = 0;
		size_t bit = pos;
		int i;

		/* idle or stop level until the next falling edge */
		while (bit < bits && !(bit % 10 == 0 ||
		       (bit % 10 < 9 && !(in[bit / 10] >> (bit % 10 - 1) & 1))))
			bit++;
		if (bit >= bits)
			break;
		if (bit > pos)
			pos = bit;
		for (i = 0; i < 8; i++) {
			double at = pos + (1.5 + i) * step;
			size_t b = at;
			bool level = true;

			if (b < bits && b % 10 == 0)
				level = false;
			else if (b < bits && b % 10 < 9)
				level = in[b / 10] >> (b % 10 - 1) & 1;
			byte |= level << i;
		}
		out[n++] = byte;
		pos += 9.5 * step;
	}
	return n;
}

/* Pass @len bytes over the wire in direction @dir, with all that it does. */
static size_t cross(struct atsim *sim, enum fault_dir dir, const uint8_t *in,
		    size_t len, uint8_t *out, size_t size)
{
	uint8_t bent[sizeof(sim->uart.obuf)];
	unsigned int host = transport_rate(sim);
	unsigned int module = sim->uart.cfg.baud;
	size_t i;

	if (dir == DIR_IN)
		sim->uart.wire_in += len;
	else
		sim->uart.wire_out += len;
	if (fault_hit(sim, FAULT_WRONG_RATE))
		host = module == 115200 ? 921600 : 115200;
	if (host && (host > module + module / 40 ||
		     host < module - module / 40)) {
		len = resample(in, len, bent, sizeof(bent),
			       dir == DIR_IN ? host : module,
			       dir == DIR_IN ? module : host);
		in = bent;
	}
	if (module > SLOW_WIRE && sim->fault[FAULT_SLOW_WIRE].dir & dir &&
	    fault_hit(sim, FAULT_SLOW_WIRE)) {
		for (i = 0; i < len; i++)
			bent[i] = in[i] ^ 0x80;
		in = bent;
	}
	return fault_wire(sim, dir, in, len, out, size);
}

/* ---- module to host ---- */

/**
 * uart_write() - one print of a task
 * @sim: the emulator
 * @mark: of the task that prints; set to where the print ends
 * @data: bytes
 * @len: how many
 */
void uart_write(struct atsim *sim, uint64_t *mark, const void *data, size_t len)
{
	struct uart *u = &sim->uart;

	evbuffer_add(u->txq, data, len);
	u->tx_queued += len;
	*mark = u->tx_queued;
	if (!u->tx_busy) {
		u->tx_busy = true;
		u->tx_clock = now_ns();
		if (!u->in_service) {
			if (u->paced)
				wire_sleep(u, u->tx_timer, u->tx_clock,
					   evbuffer_get_length(u->txq));
			else
				event_active(u->tx_timer, EV_TIMEOUT, 1);
		}
	}
}

/**
 * uart_printf() - one formatted print of a task
 * @sim: the emulator
 * @mark: see uart_write()
 * @fmt: as printf
 *
 * The module formats into 256 bytes: what is longer is cut.
 */
void uart_printf(struct atsim *sim, uint64_t *mark, const char *fmt, ...)
{
	char buf[PRINT_SIZE];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (len >= (int)sizeof(buf))
		len = sizeof(buf) - 1;
	uart_write(sim, mark, buf, len);
}

/**
 * uart_drained() - has a task's last print left the module?
 * @sim: the emulator
 * @mark: of the task
 *
 * Return: true when the task may go on.
 */
bool uart_drained(const struct atsim *sim, uint64_t mark)
{
	return sim->uart.tx_done >= mark;
}

/* Put what is on the wire into the transport; false when that is full. */
static bool tx_push(struct atsim *sim)
{
	struct uart *u = &sim->uart;

	while (u->obuf_off < u->obuf_len) {
		size_t len = u->obuf_len - u->obuf_off;
		ssize_t n;

		if (u->fd_out < 0 || u->silent)
			break;	/* nobody listens */
		if (fault_on(sim, FAULT_CHUNK)) {
			size_t max = 1 + fault_random(sim, FAULT_CHUNK) %
				     sim->fault[FAULT_CHUNK].max;

			if (len > max)
				len = max;
		}
		n = write(u->fd_out, u->obuf + u->obuf_off, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			event_add(u->ev_out, NULL);
			return false;
		}
		if (n < 0)
			break;	/* the reader's end notices by itself */
		u->obuf_off += n;
		if (fault_on(sim, FAULT_CHUNK) && u->obuf_off < u->obuf_len) {
			fault_hit(sim, FAULT_CHUNK);
			/* mostly at once, now and then a little later */
			timer_set(u->tx_timer, fault_random(sim, FAULT_CHUNK) %
				  16 ? 0 : 50);
			return false;
		}
	}
	u->obuf_len = 0;
	u->obuf_off = 0;
	return true;
}

/* Wake the tasks whose prints are out. */
static void tx_wake(struct atsim *sim)
{
	if (!sim->uart.wake_due)
		return;
	sim->uart.wake_due = false;
	sock_kick_all(sim);
	at_run(sim);
}

static void tx_rounds(struct atsim *sim)
{
	struct uart *u = &sim->uart;
	size_t can = u->paced ? credit(u, &u->tx_clock) : SIZE_MAX;
	unsigned int rounds;

	for (rounds = 0; rounds < SERVICE_ROUNDS; rounds++) {
		uint8_t buf[CHUNK_SIZE];
		size_t len = sizeof(buf);

		if (len > evbuffer_get_length(u->txq))
			len = evbuffer_get_length(u->txq);
		if (u->last && len > u->last - u->tx_done)
			len = u->last - u->tx_done;
		if (!len) {
			u->tx_busy = false;
			return;
		}
		/* what crosses meanwhile is for the next tick, as a FIFO collects it */
		if (len > can)
			len = can;
		if (!len)
			break;
		can -= len;
		evbuffer_remove(u->txq, buf, len);
		if (u->paced)
			u->tx_clock += len * char_ns(u);
		u->tx_done += len;
		u->wake_due = true;
		u->obuf_len = cross(sim, DIR_OUT, buf, len, u->obuf,
				    sizeof(u->obuf));
		u->obuf_off = 0;
		if (u->last == u->tx_done)
			sim_reset(sim);
		if (!tx_push(sim))
			return;
		tx_wake(sim);
	}
	/* what follows without a gap is no end of what crosses in a tick */
	if (u->paced)
		wire_sleep(u, u->tx_timer, u->tx_clock, evbuffer_get_length(u->txq) +
			   (sock_prints_on(sim) ? CHUNK_SIZE : 0));
	else
		event_active(u->tx_timer, EV_TIMEOUT, 1);
}

static void tx_service(struct atsim *sim)
{
	struct uart *u = &sim->uart;

	if (u->in_service)
		return;
	u->in_service = true;
	if (tx_push(sim)) {
		tx_wake(sim);
		tx_rounds(sim);
	}
	u->in_service = false;
}

static void tx_cb(evutil_socket_t fd, short what, void *arg)
{
	tx_service(arg);
}

/**
 * uart_break_off() - the module resets itself behind what it has printed
 * @sim: the emulator
 * @mark: of the last print
 */
void uart_break_off(struct atsim *sim, uint64_t mark)
{
	sim->uart.last = mark;
}

/**
 * uart_flush() - a reset: what was printed and not yet sent is gone
 * @sim: the emulator
 */
void uart_flush(struct atsim *sim)
{
	struct uart *u = &sim->uart;

	evbuffer_drain(u->txq, evbuffer_get_length(u->txq));
	u->tx_done = u->tx_queued;
	u->flow = 0;
	u->last = 0;
	u->ring_len = 0;
	uart_room(sim);
}

/**
 * uart_idle() - is there nothing more to come?
 * @sim: the emulator
 *
 * Return: true when the input has ended and all output is written.
 */
bool uart_idle(const struct atsim *sim)
{
	const struct uart *u = &sim->uart;

	return u->rx_eof && !u->ring_len && u->stage_off == u->stage_len &&
	       !u->obuf_len && !evbuffer_get_length(u->txq);
}

/* ---- host to module ---- */

static void ring_put(struct atsim *sim, const uint8_t *data, size_t len)
{
	struct uart *u = &sim->uart;
	size_t i;

	if (!sim->up || u->silent)
		return;		/* no UART yet, or cut off */
	for (i = 0; i < len; i++) {
		if (u->ring_len == RING_SIZE) {
			u->overruns += len - i;
			break;
		}
		u->ring[(u->ring_head + u->ring_len++) % RING_SIZE] = data[i];
	}
	if (i)
		at_wake(sim);
}

/**
 * uart_rx_now() - the time at which the module's end of the wire is
 * @sim: the emulator
 *
 * Behind the clock's while what came meanwhile is still being played.
 *
 * Return: in ns, as now_ns().
 */
uint64_t uart_rx_now(const struct atsim *sim)
{
	const struct uart *u = &sim->uart;
	uint64_t now = now_ns();

	return u->paced && u->rx_busy && u->rx_clock < now ? u->rx_clock : now;
}

/**
 * uart_take() - the AT task reads its ring
 * @sim: the emulator
 * @buf: where to
 * @len: at most
 *
 * Return: how many bytes there were.
 */
size_t uart_take(struct atsim *sim, uint8_t *buf, size_t len)
{
	struct uart *u = &sim->uart;
	size_t i;

	if (len > u->ring_len)
		len = u->ring_len;
	for (i = 0; i < len; i++)
		buf[i] = u->ring[(u->ring_head + i) % RING_SIZE];
	u->ring_head = (u->ring_head + len) % RING_SIZE;
	u->ring_len -= len;
	return len;
}

/* A host that waits for CTS still has what can be read, if nobody gives it. */
static bool rx_held(struct atsim *sim)
{
	if ((sim->uart.flow & 1 && !fault_on(sim, FAULT_NO_CTS)) ||
	    !transport_waits(sim))
		return false;
	timer_set(sim->uart.rx_timer, HOLD_US);
	return true;
}

/* Read from the transport; false when there is nothing (or no more). */
static bool stage_fill(struct atsim *sim)
{
	struct uart *u = &sim->uart;
	ssize_t n;

	if (u->stage_off < u->stage_len)
		return true;
	u->stage_off = 0;
	u->stage_len = 0;
	if (u->fd_in < 0 || u->rx_eof)
		return false;
	do {
		n = read(u->fd_in, u->stage, sizeof(u->stage));
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		u->stage_len = n;
		return true;
	}
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return false;
	u->rx_eof = true;
	event_del(u->ev_in);
	transport_lost(sim);
	return false;
}

/*
 * Bytes go over the wire in pieces that the ring surely takes when they have
 * grown by garbage, unless the wire is paced: that one does not wait.
 */
static void rx_service(struct atsim *sim)
{
	struct uart *u = &sim->uart;
	uint8_t buf[FAULT_GROWTH(128)];
	unsigned int rounds;
	size_t can;

	if (rx_held(sim))
		return;
	can = u->paced ? credit(u, &u->rx_clock) : SIZE_MAX;
	for (rounds = 0; rounds < SERVICE_ROUNDS; rounds++) {
		size_t len, n;

		if (!stage_fill(sim)) {
			u->rx_busy = false;
			if (u->fd_in >= 0 && !u->rx_eof)
				event_add(u->ev_in, NULL);
			return;
		}
		len = u->stage_len - u->stage_off;
		if (len > 128)
			len = 128;
		if (len > can)
			len = can;
		if (!len)
			break;
		can -= len;
		if (u->paced) {
			u->rx_clock += len * char_ns(u);
		} else if (RING_SIZE - u->ring_len < sizeof(buf)) {
			return;		/* uart_room() goes on */
		}
		n = cross(sim, DIR_IN, u->stage + u->stage_off, len, buf,
			  sizeof(buf));
		u->stage_off += len;
		ring_put(sim, buf, n);
		if (u->paced)
			at_look(sim, u->rx_clock);
	}
	if (u->paced)
		wire_sleep(u, u->rx_timer, u->rx_clock,
			   u->stage_len - u->stage_off);
	else
		event_active(u->rx_timer, EV_TIMEOUT, 1);
}

static void rx_cb(evutil_socket_t fd, short what, void *arg)
{
	struct atsim *sim = arg;

	if (sim->uart.rx_busy)
		rx_service(sim);
}

static void in_cb(evutil_socket_t fd, short what, void *arg)
{
	struct atsim *sim = arg;
	struct uart *u = &sim->uart;

	event_del(u->ev_in);
	if (u->rx_busy)
		return;
	u->rx_busy = true;
	u->rx_clock = now_ns();
	if (rx_held(sim))
		return;
	if (u->paced) {
		/* the first character needs its time as well */
		if (stage_fill(sim))
			wire_sleep(u, u->rx_timer, u->rx_clock, u->stage_len);
		else
			u->rx_busy = false;
		if (!u->rx_busy && !u->rx_eof && u->fd_in >= 0)
			event_add(u->ev_in, NULL);
		return;
	}
	rx_service(sim);
}

/**
 * uart_room() - the AT task has made room in the ring
 * @sim: the emulator
 */
void uart_room(struct atsim *sim)
{
	struct uart *u = &sim->uart;

	if (!u->paced && u->rx_busy)
		event_active(u->rx_timer, EV_TIMEOUT, 1);
}

/**
 * uart_kick() - look again at everything that may go on
 * @sim: the emulator
 */
void uart_kick(struct atsim *sim)
{
	event_active(sim->uart.tx_timer, EV_TIMEOUT, 1);
}

/**
 * uart_attach() - a host is at the other end of the wire
 * @sim: the emulator
 * @fd_in: non-blocking, read from
 * @fd_out: non-blocking, written to
 */
void uart_attach(struct atsim *sim, int fd_in, int fd_out)
{
	struct uart *u = &sim->uart;

	u->fd_in = fd_in;
	u->fd_out = fd_out;
	u->rx_eof = false;
	u->rx_busy = false;
	u->ev_in = event_new(sim->base, fd_in, EV_READ | EV_PERSIST, in_cb,
			     sim);
	u->ev_out = event_new(sim->base, fd_out, EV_WRITE, tx_cb, sim);
	/* a script on stdin can not wait for the boot, so it is made to */
	if (sim->up || sim->tp.kind != TP_STDIO)
		event_add(u->ev_in, NULL);
}

/**
 * uart_listen() - the module has booted
 * @sim: the emulator
 */
void uart_listen(struct atsim *sim)
{
	struct uart *u = &sim->uart;

	if (u->ev_in && !u->rx_busy && !u->rx_eof)
		event_add(u->ev_in, NULL);
}

/**
 * uart_detach() - nobody is there any more; the module does not notice
 * @sim: the emulator
 */
void uart_detach(struct atsim *sim)
{
	struct uart *u = &sim->uart;

	if (u->ev_in)
		event_free(u->ev_in);
	if (u->ev_out)
		event_free(u->ev_out);
	u->ev_in = NULL;
	u->ev_out = NULL;
	u->fd_in = -1;
	u->fd_out = -1;
	u->stage_len = 0;
	u->stage_off = 0;
	u->obuf_len = 0;
	u->obuf_off = 0;
	u->rx_busy = false;
	if (u->tx_busy)
		uart_kick(sim);
}

/**
 * uart_set_cfg() - the module re-initialises its UART
 * @sim: the emulator
 * @cfg: the new setting
 */
void uart_set_cfg(struct atsim *sim, const struct uart_cfg *cfg)
{
	sim->uart.cfg = *cfg;
}

/**
 * uart_init() - make the UART
 * @sim: the emulator
 *
 * Return: 0, or -1 without memory.
 */
int uart_init(struct atsim *sim)
{
	struct uart *u = &sim->uart;

	u->fd_in = -1;
	u->fd_out = -1;
	u->txq = evbuffer_new();
	u->tx_timer = event_new(sim->base, -1, 0, tx_cb, sim);
	u->rx_timer = event_new(sim->base, -1, 0, rx_cb, sim);
	return u->txq && u->tx_timer && u->rx_timer ? 0 : -1;
}

/**
 * uart_exit() - free the UART
 * @sim: the emulator
 */
void uart_exit(struct atsim *sim)
{
	struct uart *u = &sim->uart;

	uart_detach(sim);
	if (u->tx_timer)
		event_free(u->tx_timer);
	if (u->rx_timer)
		event_free(u->rx_timer);
	if (u->txq)
		evbuffer_free(u->txq);
}
