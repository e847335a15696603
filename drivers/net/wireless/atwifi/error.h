/* SPDX-License-Identifier: GPL-2.0-only */
/* What the module's error numbers mean. Pure, as parse.h. */
#ifndef _ATWIFI_ERROR_H
#define _ATWIFI_ERROR_H

#include <linux/types.h>

/**
 * enum atw_outcome - why a command has failed, where something is done about it
 * @ATW_FAILED: nothing is
 * @ATW_UNSUPPORTED: the firmware does not do that
 * @ATW_BAD_LINE: it has too many parameters, or too few, or it does not like one
 * @ATW_LONG_LINE: one is too long
 * @ATW_NO_MEMORY: there is none for it
 * @ATW_NO_SOCKET: nor one of the module's few sockets
 * @ATW_NOT_CONNECTED: the remote refuses, or does not answer
 * @ATW_NO_SUCH_NAME: the name server does not know the remote, or does not answer
 * @ATW_NOT_SENT: the network does not take the bytes
 * @ATW_PORT_TAKEN: there is somebody at that port
 * @ATW_ID_TAKEN: there is a connection of that number
 * @ATW_NOT_LET_IN: the network refuses the module, perhaps for its password
 * @ATW_NO_NETWORK: there is none of that name
 * @ATW_NO_RADIO: it is not what was asked for, station or access point
 */
enum atw_outcome {
	ATW_FAILED,
	ATW_UNSUPPORTED,
	ATW_BAD_LINE,
	ATW_LONG_LINE,
	ATW_NO_MEMORY,
	ATW_NO_SOCKET,
	ATW_NOT_CONNECTED,
	ATW_NO_SUCH_NAME,
	ATW_NOT_SENT,
	ATW_PORT_TAKEN,
	ATW_ID_TAKEN,
	ATW_NOT_LET_IN,
	ATW_NO_NETWORK,
	ATW_NO_RADIO,
};

/**
 * struct atw_error - what an error number means
 * @err: -errno for programs
 * @text: words for people
 * @outcome: what the driver does about it
 */
struct atw_error {
	int			err;
	const char		*text;
	enum atw_outcome	outcome;
};

const struct atw_error *atw_error_find(u32 code);

#endif
