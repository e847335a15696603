// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ports that sockets of a network namespace have chosen.
 *
 * Two modules are two hosts: sockets that are bound to different devices may have the
 * same port. What one call costs does not depend on how many ports are taken.
 */
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/random.h>
#include <linux/string.h>

#include "port.h"

/**
 * atw_ports_init() - an empty table
 * @ports: the table
 */
void atw_ports_init(struct atw_ports *ports)
{
	xa_init_flags(&ports->taken, XA_FLAGS_ALLOC);
}

/* Have a port that others have, if it is not the same. */
static int atw_port_share(struct atw_port *first, struct atw_port *port)
{
	struct atw_port *other = first;

	do {
		if (!other->device[0] || !port->device[0] ||
		    !strcmp(other->device, port->device))
			return -EADDRINUSE;
		other = list_next_entry(other, same);
	} while (other != first);
	list_add(&port->same, &first->same);
	return 0;
}

static void atw_port_set(struct atw_ports *ports, struct atw_port *port, u16 number)
{
	lockdep_assert_held(&ports->taken.xa_lock);
	WRITE_ONCE(port->number, number);
}

/* Any that nobody has, on whatever device. */
static int atw_port_choose(struct atw_ports *ports, struct atw_port *port)
{
	u32 first = ATW_PORT_MIN +
		    get_random_u32() % (ATW_PORT_MAX - ATW_PORT_MIN + 1);
	u32 number;
	int err;

	err = __xa_alloc(&ports->taken, &number, port,
			 XA_LIMIT(first, ATW_PORT_MAX), GFP_KERNEL);
	if (err == -EBUSY)
		err = __xa_alloc(&ports->taken, &number, port,
				 XA_LIMIT(ATW_PORT_MIN, first), GFP_KERNEL);
	if (!err)
		atw_port_set(ports, port, number);
	return err == -EBUSY ? -EADDRINUSE : err;
}

/**
 * atw_port_take() - give a socket a port
 * @ports: the table
 * @port: the socket's, of which @device is set and which has none yet
 * @number: which, in host order; 0: one that is free
 *
 * Context: process context.
 * Return: 0; -EADDRINUSE, another socket has it, or all are taken; -ENOMEM.
 */
int atw_port_take(struct atw_ports *ports, struct atw_port *port, u16 number)
{
	struct atw_port *first;
	int err;

	INIT_LIST_HEAD(&port->same);
	xa_lock(&ports->taken);
	if (!number) {
		err = atw_port_choose(ports, port);
		goto unlock;
	}
	do {
		first = xa_load(&ports->taken, number);
		if (first)
			err = atw_port_share(first, port);
		else
			err = __xa_insert(&ports->taken, number, port,
					  GFP_KERNEL);
		/* It lets go of the lock to get memory. */
	} while (err == -EBUSY);
	if (!err)
		atw_port_set(ports, port, number);
unlock:
	xa_unlock(&ports->taken);
	return err;
}

/**
 * atw_port_drop() - take a socket its port
 * @ports: the table
 * @port: the socket's, which may have none
 *
 * Context: process context.
 */
void atw_port_drop(struct atw_ports *ports, struct atw_port *port)
{
	xa_lock(&ports->taken);
	if (!port->number)
		goto unlock;
	if (list_empty(&port->same))
		__xa_erase(&ports->taken, port->number);
	else if (xa_load(&ports->taken, port->number) == port)
		__xa_store(&ports->taken, port->number,
			   list_next_entry(port, same), 0);
	list_del_init(&port->same);
	atw_port_set(ports, port, 0);
unlock:
	xa_unlock(&ports->taken);
}
