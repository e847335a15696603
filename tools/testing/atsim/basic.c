// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands of every module: probe, echo, version, reset, UART.
 */
#include <stdlib.h>
#include <string.h>

#include "atsim.h"

#define RESTART_MS		100	/* from OK to the reset */
#define UART_MS			10	/* from OK to the new rate */

static int cmd_at(struct atsim *sim, struct at_args *args)
{
	return ERR_OK;
}

static int cmd_echo_off(struct atsim *sim, struct at_args *args)
{
	sim->at.echo = false;
	return ERR_OK;
}

static int cmd_echo_on(struct atsim *sim, struct at_args *args)
{
	sim->at.echo = true;
	return ERR_OK;
}

static int cmd_reset(struct atsim *sim, struct at_args *args)
{
	at_ok(sim);
	at_after(sim, RESTART_MS, sim_reset);
	return AT_WAIT;
}

static int cmd_restore(struct atsim *sim, struct at_args *args)
{
	sim_factory(sim);
	return cmd_reset(sim, args);
}

static int cmd_version(struct atsim *sim, struct at_args *args)
{
	at_printf(sim, "at version:%s\r\n", sim->profile.at_version);
	at_printf(sim, "sdk version:%s\r\n", sim->profile.sdk_version);
	at_printf(sim, "firmware version:%s\r\n", sim->profile.fw_version);
	return ERR_OK;
}

static int cmd_help(struct atsim *sim, struct at_args *args)
{
	at_help(sim);
	return ERR_OK;
}

static void uart_switch(struct atsim *sim)
{
	uart_set_cfg(sim, &sim->flash.uart);
	at_finish(sim, AT_DONE);
}

/* The answer still goes out at the old rate. */
static void uart_wait(struct atsim *sim)
{
	if (uart_drained(sim, sim->at.mark))
		at_after(sim, UART_MS, uart_switch);
	else
		at_after(sim, 1, uart_wait);
}

static int cmd_uart(struct atsim *sim, struct at_args *args)
{
	const struct uart_cfg *now = &sim->uart.cfg;
	long baud, databits, stopbits, parity;

	if (args->op == OP_QUERY) {
		at_printf(sim, "\r\n+UARTCFG:%u,%u,%u,%u",
			  (unsigned int)sim->profile.uart_told ?: now->baud,
			  now->databits, now->stopbits, now->parity);
		return ERR_OK;
	}
	if (args->argc != 4)
		return ERR_COUNT;
	if (!at_number(args->argv[0], 1200, 5000000, &baud))
		return ERR_BAUD;
	if (!at_number(args->argv[1], 5, 8, &databits))
		return ERR_DATABITS;
	if (!at_number(args->argv[2], 1, 3, &stopbits))
		return ERR_STOPBITS;
	if (!at_number(args->argv[3], 0, 2, &parity))
		return ERR_PARITY;
	sim->flash.uart.baud = baud;
	sim->flash.uart.databits = databits;
	sim->flash.uart.stopbits = stopbits;
	sim->flash.uart.parity = parity;
	at_ok(sim);
	uart_wait(sim);
	return AT_WAIT;
}

/* Its OK comes after the switch: a host that gives no CTS does not get it. */
static int cmd_flow(struct atsim *sim, struct at_args *args)
{
	long flow;

	if (args->op == OP_QUERY) {
		at_printf(sim, "\r\n+UARTFLOWCONTROL:%u", sim->uart.flow);
		return ERR_OK;
	}
	if (args->argc != 1)
		return ERR_COUNT;
	if (!at_number(args->argv[0], 0, 3, &flow))
		return ERR_VALUE;
	sim->uart.flow = flow;
	return ERR_OK;
}

/* Sleep needs a wake-up pin, and nobody has mapped one. */
static int cmd_sleep(struct atsim *sim, struct at_args *args)
{
	long mode;

	if (!at_number(args->argv[0], 0, 3, &mode))
		return ERR_VALUE;
	return ERR_NOT_CONFIGURED;
}

static int cmd_sysmsg(struct atsim *sim, struct at_args *args)
{
	unsigned long mask;
	long one, save;
	char *end;

	if (args->op == OP_QUERY) {
		at_printf(sim, "\r\n+SYSMSG:1,%08X", sim->flash.sysmsg);
		return ERR_OK;
	}
	if (args->argc != 3)
		return ERR_COUNT;
	mask = strtoul(args->argv[1], &end, 16);
	if (!at_number(args->argv[0], 1, 1, &one) || args->len[1] != 8 ||
	    *end || !at_number(args->argv[2], 0, 1, &save))
		return ERR_VALUE;
	sim->flash.sysmsg = mask;
	return ERR_OK;
}

const struct at_command basic_commands[] = {
	{ .name = "AT", .ops = OP_EXEC, .run = cmd_at, .help = "test" },
	{ .name = "ATE0", .ops = OP_EXEC, .run = cmd_echo_off,
	  .help = "echo off" },
	{ .name = "ATE1", .ops = OP_EXEC, .run = cmd_echo_on,
	  .help = "echo on" },
	{ .name = "AT+RST", .ops = OP_EXEC, .run = cmd_reset,
	  .help = "restart" },
	{ .name = "AT+RESTORE", .ops = OP_EXEC, .run = cmd_restore,
	  .help = "erase the settings and restart" },
	{ .name = "AT+GMR", .ops = OP_EXEC, .run = cmd_version,
	  .help = "version" },
	{ .name = "AT+HELP", .ops = OP_EXEC, .run = cmd_help,
	  .help = "list the commands" },
	{ .name = "AT+UARTCFG", .ops = OP_QUERY | OP_SET, .run = cmd_uart,
	  .help = "rate and format of the UART" },
	{ .name = "AT+UARTFLOWCONTROL", .ops = OP_QUERY | OP_SET,
	  .run = cmd_flow, .help = "whether the UART uses RTS and CTS",
	  .needs = offsetof(struct profile, has_flow) },
	{ .name = "AT+SLEEP", .ops = OP_SET, .run = cmd_sleep,
	  .help = "sleep" },
	{ .name = "AT+SYSMSG", .ops = OP_QUERY | OP_SET, .run = cmd_sysmsg,
	  .help = "events in transparent mode",
	  .needs = offsetof(struct profile, has_sysmsg) },
	{ .name = NULL },
};
