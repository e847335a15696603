// SPDX-License-Identifier: GPL-2.0-only
#include <linux/errno.h>
#include <linux/kernel.h>

#include "error.h"

/* By the module's numbers. */
static const struct atw_error atw_errors[] = {
	[1] = { -EOPNOTSUPP, "command not supported", ATW_UNSUPPORTED },
	[2] = { -EOPNOTSUPP, "operation not supported", ATW_UNSUPPORTED },
	[3] = { -EINVAL, "wrong number of parameters", ATW_BAD_LINE },
	[4] = { -EINVAL, "bad parameter", ATW_BAD_LINE },
	[5] = { -EINVAL, "parameter too long", ATW_LONG_LINE },
	[31] = { -EBUSY, "busy" },
	[32] = { -EIO, "unknown error" },
	[33] = { -ENOMEM, "out of memory", ATW_NO_MEMORY },
	[34] = { -EIO, "cannot read buffer" },
	[35] = { -EIO, "cannot write buffer" },
	[36] = { -EIO, "bad configuration" },
	[37] = { -ENOMEM, "cannot create task" },
	[38] = { -EIO, "flash error" },
	[39] = { -EINVAL, "bad baud rate" },
	[40] = { -EINVAL, "bad data bits" },
	[41] = { -EINVAL, "bad stop bits" },
	[42] = { -EINVAL, "bad parity" },
	[43] = { -EINVAL, "bad flow control" },
	[44] = { -EIO, "cannot set up UART" },
	[45] = { -EACCES, "bad user or password" },
	[46] = { -EIO, "low-power error" },
	[47] = { -ENXIO, "not configured" },
	[63] = { -EIO, "generic error" },
	[64] = { -ENETDOWN, "Wi-Fi not started" },
	[65] = { -ENETDOWN, "wrong Wi-Fi mode" },
	[66] = { -ENETDOWN, "cannot join Wi-Fi", ATW_NOT_LET_IN },
	[67] = { -ENETDOWN, "no address from DHCP" },
	[68] = { -EACCES, "Wi-Fi authentication failed", ATW_NOT_LET_IN },
	[69] = { -ENETDOWN, "access point not found", ATW_NO_NETWORK },
	[70] = { -EIO, "cannot start scan" },
	[71] = { -ETIMEDOUT, "scan timed out" },
	[72] = { -EIO, "cannot start access point" },
	[73] = { -ENETDOWN, "no Wi-Fi information" },
	[74] = { -ENETDOWN, "Wi-Fi interface not running", ATW_NO_RADIO },
	[75] = { -EINVAL, "bad country" },
	[76] = { -EINVAL, "bad Wi-Fi mode setting" },
	[95] = { -ENETDOWN, "unknown Wi-Fi error" },
	[96] = { -ENOBUFS, "cannot create socket", ATW_NO_SOCKET },
	[97] = { -ECONNREFUSED, "cannot connect", ATW_NOT_CONNECTED },
	[98] = { -EHOSTUNREACH, "cannot resolve name", ATW_NO_SUCH_NAME },
	[99] = { -ECONNRESET, "wrong socket state" },
	[100] = { -EOPNOTSUPP, "wrong socket type" },
	[101] = { -ECONNRESET, "cannot send", ATW_NOT_SENT },
	[102] = { -ECONNRESET, "cannot receive" },
	[103] = { -ENOMEM, "cannot create thread" },
	[104] = { -EADDRINUSE, "cannot bind", ATW_PORT_TAKEN },
	[105] = { -EBUSY, "cannot enter transparent mode" },
	[106] = { -ETIMEDOUT, "all echoes lost" },
	[107] = { -ETIMEDOUT, "some echoes lost" },
	[108] = { -EPROTO, "bad TLS configuration" },
	[109] = { -EKEYREJECTED, "TLS verification failed" },
	[110] = { -EADDRINUSE, "connection id in use", ATW_ID_TAKEN },
	[127] = { -EIO, "unknown socket error" },
	[128 ... 133] = { -EIO, "GPIO error" },
	[159] = { -EIO, "GPIO error" },
	[160] = { -EPROTO, "bad HTTP header" },
	[191] = { -EPROTO, "HTTP error" },
	[192 ... 197] = { -EIO, "MQTT error" },
	[198] = { -EBUSY, "MQTT busy" },
	[224] = { -EIO, "MQTT error" },
	[225 ... 237] = { -EIO, "BLE error" },
};

/**
 * atw_error_find() - what an error number means
 * @code: the module's number, 0 if it named none
 *
 * Return: what is known of it, never NULL
 */
const struct atw_error *atw_error_find(u32 code)
{
	static const struct atw_error unknown = { -EIO, "unspecified error" };

	return code < ARRAY_SIZE(atw_errors) && atw_errors[code].text ? &atw_errors[code] :
									&unknown;
}
