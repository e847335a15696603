/* SPDX-License-Identifier: GPL-2.0 */
/* The one table from the module's error numbers to errno. */
#ifndef _ATWIFI_ERROR_H
#define _ATWIFI_ERROR_H

#include <linux/types.h>

/* Numbers that the driver acts on; error.c has them all. */
#define ATW_ERR_PARAM_COUNT	3
#define ATW_ERR_PARAM_VALUE	4
#define ATW_ERR_PARAM_LENGTH	5
#define ATW_ERR_MALLOC		33
#define ATW_ERR_WIFI_CONNECT	66
#define ATW_ERR_WIFI_AUTH	68
#define ATW_ERR_WIFI_NO_AP	69
#define ATW_ERR_SOCKET_CREATE	96
#define ATW_ERR_SOCKET_CONNECT	97
#define ATW_ERR_SOCKET_DNS	98
#define ATW_ERR_SOCKET_SEND	101
#define ATW_ERR_SOCKET_BIND	104
#define ATW_ERR_CONID_USED	110

int atw_error_to_errno(u32 code);
const char *atw_error_text(u32 code);

#endif
