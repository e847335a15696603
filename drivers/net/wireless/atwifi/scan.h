/* SPDX-License-Identifier: GPL-2.0-only */
/* The list of networks that a module has found. Pure, as parse.h. */
#ifndef _ATWIFI_SCAN_H
#define _ATWIFI_SCAN_H

#include "parse.h"

/* The module tells of no more. */
#define ATW_SCAN_MAX	50

/**
 * struct atw_scan - what has come of the answer to AT+WSCAN
 * @n: networks
 * @damaged: rows that are not understood: damaged ones, lost ones by their numbers, and
 *	those of networks with ends of lines in their names
 * @last: the number of the last row
 * @room: bytes that a name may yet have whose row is not whole; less than 0: it is none
 * @name: what follows is the rest of such a name
 * @partial: the module has left out columns, and no row is read
 * @networks: those that were understood
 */
struct atw_scan {
	unsigned int		n;
	unsigned int		damaged;
	unsigned int		last;
	int			room;
	bool			name;
	bool			partial;
	struct atw_network	networks[ATW_SCAN_MAX];
};

bool atw_scan_line(struct atw_scan *scan, const char *text);

#endif
