// SPDX-License-Identifier: GPL-2.0-only
/*
 * The AT task: lines, parameters, dispatch, counted payload.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "atsim.h"

/* The task sleeps that long whenever it finds its ring empty. */
#define POLL_NS			2000000ULL

static const struct at_command *const tables[] = {
	basic_commands,
	wifi_commands,
	inet_commands,
	socket_commands,
};

/**
 * at_number() - a whole decimal number within bounds
 * @text: what the host wrote
 * @min: smallest
 * @max: largest
 * @value: set on success
 *
 * Return: true when it is one.
 */
bool at_number(const char *text, long min, long max, long *value)
{
	char *end;
	long n;

	if (!*text || isspace((unsigned char)*text))
		return false;
	errno = 0;
	n = strtol(text, &end, 10);
	if (*end || errno || n < min || n > max)
		return false;
	*value = n;
	return true;
}

/**
 * at_printf() - one print of the AT task
 * @sim: the emulator
 * @fmt: as printf
 *
 * The module formats into 256 bytes: what is longer is cut.
 */
void at_printf(struct atsim *sim, const char *fmt, ...)
{
	char buf[PRINT_SIZE];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (len >= (int)sizeof(buf))
		len = sizeof(buf) - 1;
	uart_write(sim, &sim->at.mark, buf, len);
}

/**
 * at_ok() - the success line
 * @sim: the emulator
 */
void at_ok(struct atsim *sim)
{
	at_printf(sim, "\r\n%sOK\r\n", sim->profile.ok_plus ? "+" : "");
}

/**
 * at_error() - the failure lines
 * @sim: the emulator
 * @name: of the command, with its "AT"
 * @code: what went wrong
 */
void at_error(struct atsim *sim, const char *name, int code)
{
	if (sim->profile.error_bare)
		at_printf(sim, "\r\nERROR\r\n");
	else if (sim->profile.error_at)
		at_printf(sim, "\r\n%s:%d\r\n+ERROR\r\n", name, code);
	else
		at_printf(sim, "\r\n%s:%d\r\nERROR\r\n", name + 2, code);
}

/**
 * at_finish() - the running command ends
 * @sim: the emulator
 * @code: 0, an error code, or AT_DONE when all is printed
 */
void at_finish(struct atsim *sim, int code)
{
	struct at *at = &sim->at;
	const struct at_command *cmd = at->cur;

	at->cur = NULL;
	at->blocked = false;
	at->deferred = false;
	event_del(at->timer);
	if (code > 0)
		sim_log(sim, "%s failed: %d", cmd ? cmd->name : "AT", code);
	if (!code)
		at_ok(sim);
	else if (code > 0)
		at_error(sim, cmd ? cmd->name : "AT", code);
	at_run(sim);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct atsim *sim = arg;

	sim->at.timer_fn(sim);
}

/**
 * at_after() - let the running command wait
 * @sim: the emulator
 * @ms: how long
 * @fn: called then, unless the module is reset before
 */
void at_after(struct atsim *sim, unsigned int ms, void (*fn)(struct atsim *))
{
	sim->at.timer_fn = fn;
	timer_set(sim->at.timer, ms * 1000ULL);
}

/**
 * at_payload() - prompt, then collect a counted payload
 * @sim: the emulator
 * @len: how many bytes
 * @fn: called with them; ends the command with at_finish()
 *
 * All input goes to the payload until it is complete, however long it takes.
 *
 * Return: what the handler returns.
 */
int at_payload(struct atsim *sim, size_t len, at_payload_fn fn)
{
	struct at *at = &sim->at;

	at->payload = malloc(len);
	if (!at->payload)
		return ERR_MALLOC;
	sim->heap_used += len;
	at->payload_want = len;
	at->payload_len = 0;
	at->payload_fn = fn;
	at->state = AT_PAYLOAD;
	at->blocked = false;
	uart_write(sim, &at->mark, ">", 1);
	return AT_WAIT;
}

static void payload_free(struct atsim *sim)
{
	struct at *at = &sim->at;

	if (at->payload)
		sim->heap_used -= at->payload_want;
	free(at->payload);
	at->payload = NULL;
}

static void payload_input(struct atsim *sim)
{
	struct at *at = &sim->at;
	uint8_t *data;

	at->payload_len += uart_take(sim, at->payload + at->payload_len,
				     at->payload_want - at->payload_len);
	if (at->payload_len < at->payload_want)
		return;
	data = at->payload;
	at->payload = NULL;
	sim->heap_used -= at->payload_want;
	at->state = AT_LINE;
	at->blocked = true;
	at->payload_fn(sim, data, at->payload_len);
	free(data);
}

static bool enabled(struct atsim *sim, const struct at_command *cmd)
{
	unsigned int i;

	for (i = 0; i < sim->nwithout; i++) {
		if (!strcasecmp(sim->without[i], cmd->name))
			return false;
	}
	return !cmd->needs ||
	       *(const int *)((const char *)&sim->profile + cmd->needs);
}

/**
 * at_find() - look a command up
 * @sim: the emulator
 * @name: with its "AT"
 *
 * Return: the command, or NULL when this firmware has none of that name.
 */
const struct at_command *at_find(struct atsim *sim, const char *name)
{
	const struct at_command *cmd;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tables); i++) {
		for (cmd = tables[i]; cmd->name; cmd++) {
			if ((sim->profile.any_case ?
			     strcasecmp(cmd->name, name) :
			     strcmp(cmd->name, name)) == 0)
				return enabled(sim, cmd) ? cmd : NULL;
		}
	}
	return NULL;
}

/**
 * at_help() - print every command that this firmware has
 * @sim: the emulator
 */
void at_help(struct atsim *sim)
{
	const struct at_command *cmd;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tables); i++) {
		for (cmd = tables[i]; cmd->name; cmd++) {
			if (enabled(sim, cmd))
				at_printf(sim, "%s:%s\r\n", cmd->name,
					  cmd->help);
		}
	}
}

/* Is the comma, or the quote, at @p taken literally? */
static bool escaped(const char *start, const char *p, int tok, bool quoted)
{
	unsigned int n = 0;

	if (tok == TOK_S)
		return p > start && p[-1] == '\\';
	if (tok == TOK_K && !quoted)
		return false;
	while (p > start && p[-1] == '\\') {
		n++;
		p--;
	}
	return n & 1;
}

/* Take the escapes and one pair of quotes off; returns the new length. */
static size_t unescape(char *s, size_t len, int tok)
{
	bool quoted = len >= 2 && s[0] == '"' && s[len - 1] == '"';
	size_t i, n = 0;

	if (quoted && tok != TOK_S) {
		memmove(s, s + 1, len - 2);
		len -= 2;
	}
	for (i = 0; i < len; i++) {
		bool next = i + 1 < len;

		if (s[i] == '\\' && next &&
		    (tok == TOK_G || (tok == TOK_K && quoted) ||
		     (tok == TOK_S && (s[i + 1] == ',' || s[i + 1] == '"'))))
			i++;
		s[n++] = s[i];
	}
	/* this tokeniser looks at the quotes when the escapes are gone */
	if (tok == TOK_S && n >= 2 && s[0] == '"' && s[n - 1] == '"') {
		n -= 2;
		memmove(s, s + 1, n);
	}
	s[n] = '\0';
	return n;
}

/* Split the parameters; 0 or an error code. */
static int tokenise(struct atsim *sim, struct at_args *args, const char *text)
{
	int tok = sim->profile.tokeniser;
	const char *start = text;
	const char *p = text;
	char *out = args->store;
	bool quoted = false;

	args->argc = 0;
	for (;; p++) {
		if (*p == '"' && tok != TOK_S &&
		    !escaped(start, p, tok, quoted))
			quoted = !quoted;
		if (*p && (*p != ',' || quoted ||
			   escaped(start, p, tok, quoted)))
			continue;
		if (args->argc == MAX_PARAMS)
			return ERR_COUNT;
		if (p - start > sim->profile.param_limit)
			return ERR_TOO_LONG;
		memcpy(out, start, p - start);
		args->argv[args->argc] = out;
		args->len[args->argc] = unescape(out, p - start, tok);
		args->argc++;
		out += p - start + 1;
		if (!*p)
			return 0;
		start = p + 1;
	}
}

static void refuse(struct atsim *sim)
{
	sim->at.refused++;
	at_printf(sim, "\r\n[Busy]Cmd running\r\n");
}

static void execute(struct atsim *sim, const struct at_command *cmd,
		    const char *rest)
{
	struct at *at = &sim->at;
	struct at_args *args = &at->args;
	int code;

	args->argc = 0;
	if (!*rest)
		args->op = OP_EXEC;
	else if (!strcmp(rest, "?"))
		args->op = OP_QUERY;
	else if (!strcmp(rest, "=?"))
		args->op = OP_TEST;
	else
		args->op = OP_SET;
	if (args->op == OP_SET) {
		code = tokenise(sim, args, rest + 1);
		if (code) {
			if (sim->profile.tokeniser == TOK_S)
				at->dropped++;
			else
				at_error(sim, cmd->name, code);
			return;
		}
	}
	at->commands++;
	at->cur = cmd;
	at->blocked = true;
	code = cmd->ops & args->op ? cmd->run(sim, args) : ERR_OPERATION;
	if (code != AT_WAIT)
		at_finish(sim, code);
	else if (at->deferred)
		at->blocked = false;
	if (sim->profile.busy && at->state == AT_LINE)
		at->pipelined = sim->uart.ring_len;
}

/* A whole line, its CR LF taken off. */
static void line_done(struct atsim *sim, char *line)
{
	struct at *at = &sim->at;
	const struct at_command *cmd;
	char name[LINE_SIZE];
	size_t len;

	if (at->echo)
		at_printf(sim, "%s\r\n", line);
	if (strncmp(line, "AT", 2) && sim->profile.drop_foreign) {
		at->dropped++;
		return;
	}
	if (!*line)
		return;
	if (at->blocked || at->deferred || at->late ||
	    fault_hit(sim, FAULT_BUSY)) {
		refuse(sim);
		return;
	}
	len = strcspn(line, "=?");
	memcpy(name, line, len);
	name[len] = '\0';
	cmd = at_find(sim, name);
	if (!cmd) {
		sim_log(sim, "unknown command: %s", name);
		at_printf(sim, "Unknown cmd:%s\r\n",
			  sim->profile.unknown_whole ? line : name);
		return;
	}
	sim_log(sim, "> %s%s", name, cmd->secret && line[len] == '=' ?
		"=..." : line + len);
	execute(sim, cmd, line + len);
}

static void line_input(struct atsim *sim)
{
	struct at *at = &sim->at;
	size_t least = sim->profile.drop_foreign ? 4 : 2;

	if (!at->line_len)
		at->late = at->pipelined > 0;
	uart_take(sim, (uint8_t *)&at->line[at->line_len++], 1);
	if (at->pipelined)
		at->pipelined--;
	if (at->line_len > (size_t)sim->profile.line_limit) {
		at->line_len = 0;
		at->dropped++;
		return;
	}
	if (at->line_len < least || at->line[at->line_len - 1] != '\n' ||
	    at->line[at->line_len - 2] != '\r')
		return;
	at->line[at->line_len - 2] = '\0';
	at->line_len = 0;
	line_done(sim, at->line);
}

/**
 * at_run() - the AT task, as far as it gets
 * @sim: the emulator
 */
void at_run(struct atsim *sim)
{
	struct at *at = &sim->at;
	bool took = false;

	if (at->running || (at->sleeping && sim->uart.paced))
		return;
	at->running = true;
	while (sim->up && sim->uart.ring_len && uart_drained(sim, at->mark)) {
		if (at->blocked &&
		    !(sim->profile.busy && at->state == AT_LINE))
			break;
		took = true;
		if (at->state == AT_PAYLOAD)
			payload_input(sim);
		else if (at->state == AT_TRANSPARENT)
			tt_input(sim);
		else
			line_input(sim);
	}
	if (!sim->uart.ring_len && uart_drained(sim, at->mark) &&
	    !at->sleeping) {
		at->sleeping = true;
		at->asleep = uart_rx_now(sim);
	}
	at->running = false;
	if (took)
		uart_room(sim);
}

static void wake_cb(evutil_socket_t fd, short what, void *arg)
{
	struct atsim *sim = arg;

	sim->at.sleeping = false;
	at_run(sim);
}

/**
 * at_wake() - something is in the ring
 * @sim: the emulator
 *
 * The task does not sleep on an event: it looks every 2 ms.
 */
void at_wake(struct atsim *sim)
{
	struct at *at = &sim->at;
	uint64_t late;

	if (!at->sleeping)
		return;
	if (!sim->uart.paced) {
		at->sleeping = false;
		at_run(sim);
		return;
	}
	if (event_pending(at->wake, EV_TIMEOUT, NULL))
		return;
	late = (now_ns() - at->asleep) % POLL_NS;
	timer_set(at->wake, (POLL_NS - late) / 1000);
}

/**
 * at_look() - bytes have come at a time that may be past
 * @sim: the emulator
 * @clock: when they came
 *
 * A process that had no processor is late with all that it plays. The task has
 * looked at its ring in between, so a ring that overflows only now did not.
 */
void at_look(struct atsim *sim, uint64_t clock)
{
	struct at *at = &sim->at;

	if (!at->sleeping || clock < at->asleep + POLL_NS)
		return;
	at->sleeping = false;
	at_run(sim);
	if (at->sleeping)
		at->asleep = clock;
}

/**
 * at_start() - the module has booted
 * @sim: the emulator
 */
void at_start(struct atsim *sim)
{
	struct at *at = &sim->at;

	at->state = AT_LINE;
	at->echo = !sim->profile.mute_boot;
	at->line_len = 0;
	at->pipelined = 0;
	at->sleeping = true;
	at->asleep = now_ns();
}

/**
 * at_stop() - the module is reset
 * @sim: the emulator
 */
void at_stop(struct atsim *sim)
{
	struct at *at = &sim->at;

	payload_free(sim);
	event_del(at->timer);
	event_del(at->wake);
	at->state = AT_OFF;
	at->blocked = false;
	at->deferred = false;
	at->cur = NULL;
}

/**
 * at_init() - make the AT task
 * @sim: the emulator
 *
 * Return: 0, or -1 without memory.
 */
int at_init(struct atsim *sim)
{
	sim->at.wake = event_new(sim->base, -1, 0, wake_cb, sim);
	sim->at.timer = event_new(sim->base, -1, 0, timer_cb, sim);
	return sim->at.wake && sim->at.timer ? 0 : -1;
}

/**
 * at_exit() - free the AT task
 * @sim: the emulator
 */
void at_exit(struct atsim *sim)
{
	payload_free(sim);
	if (sim->at.wake)
		event_free(sim->at.wake);
	if (sim->at.timer)
		event_free(sim->at.timer);
}
