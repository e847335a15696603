/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections that have come to an end in every way before their device goes. */
#ifndef ATW_ENDS_H
#define ATW_ENDS_H

#include <stdbool.h>

enum ended {
	DAMAGED,		/* bytes of the line were thrown away */
	LINK_LOST,
	RESTARTED,		/* the module */
	RESTARTED_DGRAM,
	BY_REMOTE,
	UNREAD,			/* by the remote, with bytes that nobody has read */
	BY_RESET,		/* of the remote, which the module takes for an end */
	ACCEPTED,		/* from a server that is gone, then ended by the remote */
	OVERFLOW,		/* nobody reads what comes */
	REFUSED,
	NEVER,			/* opened */
	SHUT,			/* by the program, both ways */
	OPEN,
	CONNECTING,		/* the first of them; the others wait for their turn */
	ENDS
};

/* What is done with the socket then: used, given another connection, just closed. */
enum after { USED, ANEW, CLOSED, AFTERS };

/**
 * struct ends - sockets, and servers of which a client came and went
 * @first: the first end that there is: without a tty none of the line is thrown away
 */
struct ends {
	unsigned int first;
	int fd[ENDS][AFTERS];
	int server[CLOSED];
};

bool ends_begin(struct ends *ends, const char *device, int tty);
bool ends_are_told(struct ends *ends);
bool ends_work_again(struct ends *ends);
void ends_close(struct ends *ends);

#endif
