// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transparent mode: what the host writes goes to one socket.
 *
 * The way out is "+++" with more than 20 ms of silence on both sides, and the
 * firmware's way to find it is wrong: a '+' that is counted is taken out of
 * the stream, the count goes on over other bytes, and what does not add up to
 * three is never put back.
 */
#include <string.h>

#include "atsim.h"

static uint64_t silence_ns(const struct atsim *sim)
{
	return sim->profile.tt_guard * 1000000ULL;
}

static void flush_done(struct sock *s, int code)
{
	struct atsim *sim = s->sim;

	if (code)
		sim->sends_failed++;
	sim->at.blocked = false;
	at_run(sim);
}

/* What can not be sent is lost: there is nobody to tell. */
static void flush(struct atsim *sim)
{
	struct transparent *tt = &sim->tt;
	struct sock *s = sock_find(sim, tt->id);
	size_t len = tt->len;

	tt->len = 0;
	if (!s)
		s = tt_candidate(sim);
	if (!s || !len)
		return;
	tt->id = s->id;
	sim->at.blocked = true;
	sock_send(s, tt->buf, len, flush_done);
}

static void silence_cb(evutil_socket_t fd, short what, void *arg)
{
	struct atsim *sim = arg;
	struct transparent *tt = &sim->tt;
	uint64_t quiet = now_ns() - tt->last;
	uint64_t silence = silence_ns(sim);

	if (!tt_active(sim))
		return;
	if (sim->at.blocked || quiet < silence) {
		timer_set(tt->timer, sim->at.blocked ? silence / 1000 :
			  (silence - quiet) / 1000 + 1);
		return;
	}
	flush(sim);
	if (tt->plus == 3 && !sim->at.blocked) {
		sim->at.state = AT_LINE;
		sim->at.line_len = 0;
		tt->plus = 0;
		sim_log(sim, "transparent mode left");
		at_ok(sim);
	} else if (tt->plus == 3) {
		/* leave when the data is sent */
		timer_set(tt->timer, silence / 1000);
		return;
	}
	sim->tt_plus_lost += tt->plus;
	tt->plus = 0;
}

/**
 * tt_input() - the AT task reads in transparent mode
 * @sim: the emulator
 */
void tt_input(struct atsim *sim)
{
	struct transparent *tt = &sim->tt;
	uint64_t now = now_ns();
	bool quiet = now - tt->last > silence_ns(sim);
	uint8_t buf[128];
	size_t room = sizeof(tt->buf) - tt->len;
	size_t i, n;

	n = room < sizeof(buf) ? room : sizeof(buf);
	if (fault_on(sim, FAULT_PAUSE))
		n = 1 + fault_random(sim, FAULT_PAUSE) % n;
	n = uart_take(sim, buf, n);
	sim->tt_in += n;
	for (i = 0; i < n; i++) {
		if (buf[i] == '+' && (tt->plus || (quiet && !i)))
			tt->plus++;
		else
			tt->buf[tt->len++] = buf[i];
	}
	tt->last = now;
	if (!evtimer_pending(tt->timer, NULL))
		timer_set(tt->timer, silence_ns(sim) / 1000 + 1);
	if (tt->len == sizeof(tt->buf))
		flush(sim);
	/* As if the line had been silent here: the host knows nothing of it. */
	if (!tt->plus && fault_hit(sim, FAULT_PAUSE)) {
		tt->last = now - silence_ns(sim) - 1;
		if (!sim->at.blocked)
			flush(sim);
	}
}

/**
 * tt_active() - is the module in transparent mode?
 * @sim: the emulator
 *
 * Return: true when it is.
 */
bool tt_active(const struct atsim *sim)
{
	return sim->at.state == AT_TRANSPARENT;
}

/**
 * tt_candidate() - the one connection that transparent mode can serve
 * @sim: the emulator
 *
 * Return: the socket, or NULL when there is none, or more than one.
 */
struct sock *tt_candidate(struct atsim *sim)
{
	struct sock *only = NULL, *server = NULL, *s;

	TAILQ_FOREACH(s, &sim->socks, entry) {
		if (s->status == SOCK_DELETED)
			continue;
		if (sock_is_server(s)) {
			if (server)
				return NULL;
			server = s;
		} else {
			if (only || s->status != SOCK_CONNECTED)
				return NULL;
			only = s;
		}
	}
	if (!only || sock_is_seed(only) != !!server)
		return NULL;
	return !server || only->server == server->id ? only : NULL;
}

/**
 * tt_enter() - start
 * @sim: the emulator
 * @s: the socket
 * @mode: 2: a UDP server answers its last peer, not its first
 */
void tt_enter(struct atsim *sim, struct sock *s, int mode)
{
	struct transparent *tt = &sim->tt;

	tt->id = s->id;
	tt->len = 0;
	tt->plus = 0;
	tt->last = 0;
	tt->last_peer = mode == 2;
	sim->at.state = AT_TRANSPARENT;
	sim->tt_entries++;
	uart_write(sim, &sim->at.mark, ">", 1);
	sim_log(sim, "transparent mode on socket %u", s->id);
}

/**
 * tt_reset() - forget everything
 * @sim: the emulator
 */
void tt_reset(struct atsim *sim)
{
	event_del(sim->tt.timer);
	sim->tt.len = 0;
	sim->tt.plus = 0;
	sim->tt.last_peer = false;
}

/**
 * tt_init() - make it
 * @sim: the emulator
 *
 * Return: 0, or -1 without memory.
 */
int tt_init(struct atsim *sim)
{
	sim->tt.timer = event_new(sim->base, -1, 0, silence_cb, sim);
	return sim->tt.timer ? 0 : -1;
}

/**
 * tt_exit() - free it
 * @sim: the emulator
 */
void tt_exit(struct atsim *sim)
{
	if (sim->tt.timer)
		event_free(sim->tt.timer);
}
