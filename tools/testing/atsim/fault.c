// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults: what goes wrong, when, and how often.  Every fault draws from a
 * generator of its own, so that one does not shift another; the same seed and
 * the same traffic give the same faults.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "atsim.h"

enum fault_kind {
	KIND_BYTE,		/* one opportunity per byte on the wire */
	KIND_EVENT,		/* one opportunity per event */
	KIND_STATE,		/* lasts from its trigger on */
};

static const struct {
	const char *name;
	enum fault_kind kind;
	double rate;
	const char *help;
} faults[FAULT_MAX] = {
	[FAULT_TORN] = { "torn", KIND_EVENT, 0.05,
		"another print comes between the parts of one" },
	[FAULT_LOST] = { "lost", KIND_BYTE, 1e-5,
		"a byte is lost on the wire" },
	[FAULT_FLIP] = { "flip", KIND_BYTE, 1e-5,
		"a bit of a byte is flipped on the wire" },
	[FAULT_GARBAGE] = { "garbage", KIND_BYTE, 1e-5,
		"up to max= (16) random bytes come out of nowhere" },
	[FAULT_BUSY] = { "busy", KIND_EVENT, 0.05,
		"a command is answered with [Busy] and dropped" },
	[FAULT_SILENT_SEND] = { "silent-send", KIND_EVENT, 0.05,
		"the payload of SOCKETSEND is swallowed without an answer" },
	[FAULT_RESET] = { "reset", KIND_BYTE, 1e-6,
		"the module resets itself" },
	[FAULT_WRONG_RATE] = { "wrong-rate", KIND_STATE, 1,
		"the module runs at another UART rate than the host" },
	[FAULT_HEAP_FULL] = { "heap-full", KIND_EVENT, 0.05,
		"received data is dropped silently in passive mode" },
	[FAULT_BOOT_TRANSPARENT] = { "boot-transparent", KIND_STATE, 1,
		"the module boots into transparent mode" },
	[FAULT_CHUNK] = { "chunk", KIND_STATE, 1,
		"output is written in pieces of 1 to max= (512) bytes" },
	[FAULT_LATE_AUTODEL] = { "late-autodel", KIND_EVENT, 1,
		"SocketAutoDel comes ms= (5000) after the ConID is free" },
	[FAULT_ID_REUSE] = { "id-reuse", KIND_EVENT, 1,
		"the module gives the lowest free ConID out again" },
	[FAULT_STUCK_LISTENER] = { "stuck-listener", KIND_EVENT, 1,
		"after a seed is deleted its server resets every client" },
	[FAULT_PAUSE] = { "pause", KIND_EVENT, 0.05,
		"in transparent mode the module sees a silence in what it reads" },
	[FAULT_BREAK_OFF] = { "break-off", KIND_EVENT, 0.05,
		"the module resets itself max= (16) bytes before a payload ends" },
	[FAULT_SLOW_WIRE] = { "slow-wire", KIND_STATE, 1,
		"at more than 115200 baud what crosses the wire is garbled" },
	[FAULT_NO_CTS] = { "no-cts", KIND_STATE, 1,
		"nobody gives the host CTS: it is not wired" },
	[FAULT_SLOW_NET] = { "slow-net", KIND_EVENT, 0.05,
		"the network takes what is sent ms= (100) late; nothing else is done" },
	[FAULT_LATE_DOWN] = { "late-down", KIND_EVENT, 1,
		"a chunk of a deleted socket comes ms= (0) behind the OK of SOCKETDEL" },
	[FAULT_PORT_TAKEN] = { "port-taken", KIND_EVENT, 1,
		"something in the module has the port of a server" },
};

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static double next_unit(uint64_t *state)
{
	return (next_random(state) >> 11) * 0x1p-53;
}

/* How many bytes from here to the one that is hit, that one included. */
static uint64_t next_skip(struct fault *f)
{
	double skip;

	if (f->every)
		return f->every;
	if (f->rate >= 1)
		return 1;
	if (f->rate <= 0)
		return UINT64_MAX;
	skip = 1 + floor(log1p(-next_unit(&f->rng)) / log1p(-f->rate));
	return skip < 1e18 ? skip : 1000000000000000000ULL;
}

static bool spent(const struct fault *f)
{
	return f->times && f->fired >= f->times;
}

static bool started(struct atsim *sim, const struct fault *f)
{
	return sim->uart.wire_in + sim->uart.wire_out >= f->base + f->after;
}

/**
 * fault_random() - a number from a fault's own generator
 * @sim: the emulator
 * @id: the fault
 *
 * Return: 64 random bits.
 */
uint64_t fault_random(struct atsim *sim, enum fault_id id)
{
	return next_random(&sim->fault[id].rng);
}

/**
 * fault_on() - is a lasting fault active?
 * @sim: the emulator
 * @id: the fault
 *
 * Return: true when it is armed and its trigger has passed.
 */
bool fault_on(struct atsim *sim, enum fault_id id)
{
	struct fault *f = &sim->fault[id];

	return f->armed && !spent(f) && started(sim, f);
}

/**
 * fault_hit() - does it happen now?
 * @sim: the emulator
 * @id: the fault, of which this is an opportunity
 *
 * Return: true when it does.
 */
bool fault_hit(struct atsim *sim, enum fault_id id)
{
	struct fault *f = &sim->fault[id];

	if (!fault_on(sim, id))
		return false;
	f->seen++;
	if (f->every ? f->seen % f->every != 0 :
	    f->rate < 1 && next_unit(&f->rng) >= f->rate)
		return false;
	f->fired++;
	if (faults[id].kind != KIND_STATE)
		sim_log(sim, "fault: %s", faults[id].name);
	return true;
}

/* The next byte fault in @dir and how far away it is. */
static struct fault *nearest(struct atsim *sim, enum fault_dir dir,
			     uint64_t *skip)
{
	struct fault *best = NULL;
	unsigned int i;

	*skip = UINT64_MAX;
	for (i = 0; i < FAULT_MAX; i++) {
		struct fault *f = &sim->fault[i];

		if (faults[i].kind != KIND_BYTE || !f->armed || spent(f) ||
		    !(f->dir & dir))
			continue;
		if (f->skip[dir] < *skip) {
			*skip = f->skip[dir];
			best = f;
		}
	}
	return best;
}

static void advance(struct atsim *sim, enum fault_dir dir, uint64_t len)
{
	unsigned int i;

	for (i = 0; i < FAULT_MAX; i++) {
		uint64_t *skip = &sim->fault[i].skip[dir];

		/* of two that hit the same byte the second takes the next */
		if (faults[i].kind == KIND_BYTE && sim->fault[i].armed)
			*skip = *skip > len ? *skip - len : 1;
	}
}

/**
 * fault_wire() - bytes cross the wire
 * @sim: the emulator
 * @dir: which way
 * @in: what is sent
 * @len: how much
 * @out: what arrives
 * @size: room there
 *
 * Return: how much arrives.
 */
size_t fault_wire(struct atsim *sim, enum fault_dir dir, const uint8_t *in,
		  size_t len, uint8_t *out, size_t size)
{
	size_t n = 0;

	while (len) {
		struct fault *f;
		uint64_t skip;
		size_t run;
		size_t burst;

		f = nearest(sim, dir, &skip);
		run = f && skip <= len ? skip - 1 : len;
		if (run > size - n)
			run = size - n;
		memcpy(out + n, in, run);
		n += run;
		in += run;
		if (!f || skip > len) {
			advance(sim, dir, run);
			break;
		}
		advance(sim, dir, run);
		len -= run;
		f->fired++;
		f->skip[dir] = next_skip(f) + 1;
		sim_log(sim, "fault: %s at byte %llu %s",
			faults[f - sim->fault].name,
			(unsigned long long)(dir == DIR_IN ?
			sim->uart.wire_in - len : sim->uart.wire_out - len),
			dir == DIR_IN ? "in" : "out");
		switch (f - sim->fault) {
		case FAULT_LOST:
			break;
		case FAULT_FLIP:
			if (n < size)
				out[n++] = *in ^ 1 << next_random(&f->rng) % 8;
			break;
		case FAULT_GARBAGE:
			burst = 1 + next_random(&f->rng) % f->max;
			while (burst-- && n < size)
				out[n++] = next_random(&f->rng);
			if (n < size)
				out[n++] = *in;
			break;
		default:
			advance(sim, dir, 1);
			sim_reset(sim);
			return n;
		}
		advance(sim, dir, 1);
		in++;
		len--;
	}
	return n;
}

/**
 * fault_tear() - the place between two prints of one task
 * @sim: the emulator
 * @s: the socket whose task prints, or NULL for the AT task
 *
 * Another task prints here, if the fault says so: the AT task when a command
 * is there, a socket that has received, else an event that any module prints
 * now and then.
 */
void fault_tear(struct atsim *sim, struct sock *s)
{
	uint64_t before = sim->uart.tx_queued;

	if (sim->tearing || !fault_hit(sim, FAULT_TORN))
		return;
	sim->tearing = true;
	if (s)
		at_run(sim);
	if (sim->uart.tx_queued == before)
		sock_serve_other(sim, s);
	if (sim->uart.tx_queued == before)
		wifi_urc(sim, "WIFI_GOT_IP");
	sim->tearing = false;
}

/**
 * fault_payload() - print a payload
 * @sim: the emulator
 * @mark: see uart_write()
 * @data: the payload
 * @len: its length
 *
 * It is the module's last print if the fault says so: the end of it is missing.
 */
void fault_payload(struct atsim *sim, uint64_t *mark, const uint8_t *data,
		   size_t len)
{
	unsigned int missing = sim->fault[FAULT_BREAK_OFF].max;
	bool cut = len > missing && fault_hit(sim, FAULT_BREAK_OFF);

	uart_write(sim, mark, data, cut ? len - missing : len);
	if (cut)
		uart_break_off(sim, *mark);
}

static int parse_option(struct fault *f, const char *opt)
{
	const char *value = strchr(opt, '=');
	double rate;
	char *end;
	long n;

	if (!value)
		return -1;
	value++;
	if (!strncmp(opt, "rate=", 5)) {
		rate = strtod(value, &end);
		if (end == value || *end || !(rate >= 0 && rate <= 1))
			return -1;
		f->rate = rate;
		f->every = 0;
		return 0;
	}
	if (!strcmp(opt, "dir=in") || !strcmp(opt, "dir=out") ||
	    !strcmp(opt, "dir=both")) {
		f->dir = !strcmp(value, "in") ? DIR_IN :
			 !strcmp(value, "out") ? DIR_OUT : DIR_IN | DIR_OUT;
		return 0;
	}
	if (!at_number(value, 1, 1000000000000L, &n))
		return -1;
	if (!strncmp(opt, "every=", 6))
		f->every = n;
	else if (!strncmp(opt, "after=", 6))
		f->after = n;
	else if (!strncmp(opt, "times=", 6))
		f->times = n;
	else if (!strncmp(opt, "ms=", 3) && n <= 3600000)
		f->ms = n;
	else if (!strncmp(opt, "max=", 4) && n <= 4096)
		f->max = n;
	else
		return -1;
	return 0;
}

static void arm(struct atsim *sim, unsigned int id, struct fault *f)
{
	enum fault_kind kind = faults[id].kind;
	uint64_t mix = sim->seed + 0x1000193ULL * (id + 1);

	f->rng = next_random(&mix);
	f->armed = true;
	f->base = sim->uart.wire_in + sim->uart.wire_out;
	if (id == FAULT_GARBAGE && f->max > FAULT_BURST)
		f->max = FAULT_BURST;
	if (f->after && kind != KIND_STATE && !f->every && f->rate < 0) {
		/* "after" alone: once, and then surely */
		f->rate = 1;
		if (!f->times)
			f->times = 1;
	}
	if (f->rate < 0)
		f->rate = faults[id].rate;
	if (kind == KIND_BYTE) {
		f->skip[DIR_IN] = f->after + next_skip(f);
		f->skip[DIR_OUT] = f->after + next_skip(f);
	}
	sim->fault[id] = *f;
}

/**
 * fault_parse() - arm a fault
 * @sim: the emulator
 * @spec: "NAME[,rate=P][,every=N][,after=BYTES][,times=N][,...]"
 * @err: filled with what is wrong
 * @size: room there
 *
 * Return: 0, or -1 when it is not understood.
 */
int fault_parse(struct atsim *sim, const char *spec, char *err, size_t size)
{
	struct fault f = { .rate = -1, .dir = DIR_IN | DIR_OUT };
	char buf[256];
	char *save, *word;
	unsigned int id;

	if (strlen(spec) >= sizeof(buf)) {
		snprintf(err, size, "fault too long");
		return -1;
	}
	strcpy(buf, spec);
	word = strtok_r(buf, ",", &save);
	for (id = 0; id < FAULT_MAX; id++) {
		if (word && !strcmp(word, faults[id].name))
			break;
	}
	if (id == FAULT_MAX) {
		snprintf(err, size, "no such fault: %s", word ? word : "");
		return -1;
	}
	f.max = id == FAULT_CHUNK ? 512 : 16;
	f.ms = id == FAULT_SLOW_NET ? 100 : id == FAULT_LATE_DOWN ? 0 : 5000;
	while ((word = strtok_r(NULL, ",", &save))) {
		if (parse_option(&f, word)) {
			snprintf(err, size, "fault %s: bad option: %s",
				 faults[id].name, word);
			return -1;
		}
	}
	arm(sim, id, &f);
	return 0;
}

/**
 * fault_clear() - all is well again
 * @sim: the emulator
 */
void fault_clear(struct atsim *sim)
{
	unsigned int i;

	for (i = 0; i < FAULT_MAX; i++)
		sim->fault[i].armed = false;
}

/**
 * fault_restore() - the faults are those of the beginning
 * @sim: the emulator
 * @begun: how they were then
 */
void fault_restore(struct atsim *sim, const struct fault *begun)
{
	unsigned int i;

	for (i = 0; i < FAULT_MAX; i++) {
		sim->fault[i] = begun[i];
		sim->fault[i].base = sim->uart.wire_in + sim->uart.wire_out;
	}
}

/**
 * fault_stats() - how often each fault has happened
 * @sim: the emulator
 * @buf: where to
 * @size: room there
 *
 * Return: bytes written.
 */
size_t fault_stats(struct atsim *sim, char *buf, size_t size)
{
	size_t n = 0;
	unsigned int i;

	for (i = 0; i < FAULT_MAX && n < size; i++) {
		if (sim->fault[i].fired)
			n += snprintf(buf + n, size - n, " %s=%llu",
				      faults[i].name, (unsigned long long)
				      sim->fault[i].fired);
	}
	return n < size ? n : size - 1;
}

/**
 * fault_help() - print what there is
 * @f: where to
 */
void fault_help(FILE *f)
{
	unsigned int i;

	for (i = 0; i < FAULT_MAX; i++)
		fprintf(f, "  %-17s %s\n", faults[i].name, faults[i].help);
}
