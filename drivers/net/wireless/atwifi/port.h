/* SPDX-License-Identifier: GPL-2.0-only */
/* Ports of the module that sockets have chosen. */
#ifndef _ATWIFI_PORT_H
#define _ATWIFI_PORT_H

#include <linux/list.h>
#include <linux/types.h>
#include <linux/xarray.h>

/* Ports to choose from for a server that did not: those that IANA leaves free. */
#define ATW_PORT_MIN		49152U
#define ATW_PORT_MAX		65535U

/**
 * struct atw_port - the port of one socket, in a table of such
 * @same: others that have it, on other devices
 * @device: name of the device whose port it is, "": of any; constant while there is
 *	one
 * @number: in host order, 0: none; see atw_port_number()
 */
struct atw_port {
	struct list_head	same;
	const char		*device;
	u16			number;
};

/**
 * struct atw_ports - the ports of one kind of sockets of a network namespace
 * @taken: one of those who have it, by number; its lock protects all of them
 */
struct atw_ports {
	struct xarray		taken;
};

/* Of a socket that others look at: what it has may change at any time. */
static inline u16 atw_port_number(const struct atw_port *port)
{
	return READ_ONCE(port->number);
}

void atw_ports_init(struct atw_ports *ports);
int atw_port_take(struct atw_ports *ports, struct atw_port *port, u16 number);
void atw_port_drop(struct atw_ports *ports, struct atw_port *port);

#endif
