/* SPDX-License-Identifier: GPL-2.0 */
/* The UART between host and module: rate and flow control. */
#ifndef _ATWIFI_UART_H
#define _ATWIFI_UART_H

#include "module.h"

/* From reset to "ready": hosts in the field wait 1 s to 3 s. */
#define ATW_BOOT_TIMEOUT	(3 * HZ)

int atw_uart_find(struct atw_module *m);
int atw_uart_raise(struct atw_module *m);
int atw_uart_flow(struct atw_module *m);

#endif
