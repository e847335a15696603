// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of networks that a module has found.
 *
 * It holds the names of networks as they are, and those are anybody's. One with ends of
 * lines in it makes several lines of its row, each of which may look like any word of the
 * module. So a row that is not whole is taken for the begin of such a one, and nothing
 * is believed until the rest of it has come, for as many bytes as a name has at most.
 * What its name was cannot be known then, as blanks and empty lines are not told, nor
 * could the module be told it: it is left out, as is a row of which bytes were lost.
 */
#include <linux/kernel.h>
#include <linux/string.h>

#include "scan.h"

/* "1 NAME,..." or, where it was asked for some networks, "1,NAME,...": its number, or 0. */
static u32 atw_scan_number(const char **text)
{
	const char *s = *text;
	u32 n;

	if (!atw_parse_uint(&s, ATW_SCAN_MAX, &n) || (*s != ' ' && *s != ','))
		return 0;
	*text = s + 1;
	return n;
}

/* The title of the list names its columns, separated by commas. */
static bool atw_scan_is_partial(const char *columns)
{
	unsigned int commas = 0;

	for (; *columns; columns++)
		commas += *columns == ',';
	return commas < 4;
}

/* A row, or what is left of one. */
static void atw_scan_row(struct atw_scan *scan, u32 number, const char *text)
{
	if (number > scan->last + 1)
		scan->damaged += number - scan->last - 1;
	scan->last = number;
	scan->name = false;
	if (scan->n < ATW_SCAN_MAX && atw_parse_network(text, &scan->networks[scan->n])) {
		scan->n++;
		return;
	}
	scan->damaged++;
	/* With an end of a line, which is a byte of it. */
	scan->room = ATW_SSID_MAX - (int)strlen(text) - 1;
	scan->name = scan->room >= 0;
}

/**
 * atw_scan_line() - read a line of the answer
 * @scan: zeroed before the first one
 * @text: the line
 *
 * Return: true if it is one of the answer, also if it is not understood; @scan->name
 *	tells what the next one is
 */
bool atw_scan_line(struct atw_scan *scan, const char *text)
{
	struct atw_network rest;
	const char *row = text;
	u32 number;

	if (!scan->name && !strncmp(text, "+WSCAN:index", 12)) {
		if (text[12])
			scan->partial = atw_scan_is_partial(text + 13);
		return true;
	}
	number = atw_scan_number(&row);
	if (scan->partial)
		return number;
	/* In a name only a whole row is one, which then may be its access point's own. */
	if (number && (!scan->name || atw_parse_network(row, &rest))) {
		atw_scan_row(scan, number, row);
		return true;
	}
	if (!scan->name)
		return false;
	scan->room -= (int)strlen(text) + 1;
	scan->name = scan->room >= 0 && !atw_parse_network(text, &rest);
	return true;
}
