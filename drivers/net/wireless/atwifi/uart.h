/* SPDX-License-Identifier: GPL-2.0-only */
/* The UART between host and module: rate and flow control. */
#ifndef _ATWIFI_UART_H
#define _ATWIFI_UART_H

#include "module.h"

int atw_uart_find(struct atw_module *m);
int atw_uart_raise(struct atw_module *m);
int atw_uart_flow(struct atw_module *m);

#endif
