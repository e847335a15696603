/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differences between kernels, and all of them. Types are taken from the
 * declarations themselves: version numbers lie where things were ported back.
 */
#ifndef _ATWIFI_COMPAT_H
#define _ATWIFI_COMPAT_H

#include <linux/tty_ldisc.h>
#include <linux/types.h>

/* tty_ldisc_ops.receive_buf: counts were int and flags char until 6.6. */
#define ATW_LDISC_IS_OLD						\
	__same_type(((struct tty_ldisc_ops *)NULL)->receive_buf,	\
		    (void (*)(struct tty_struct *, const unsigned char *, \
			      const char *, int))NULL)
#define ATW_LDISC_PICK(old, new)					\
	__builtin_choose_expr(ATW_LDISC_IS_OLD, (old)0, (new)0)

typedef typeof(ATW_LDISC_PICK(char, u8)) atw_ldisc_flag_t;
typedef typeof(ATW_LDISC_PICK(int, size_t)) atw_ldisc_count_t;

#if IS_ENABLED(CONFIG_SERIAL_DEV_BUS)
#include <linux/serdev.h>

/* serdev_device_ops.receive_buf returned int until 6.9. */
typedef typeof(((struct serdev_device_ops *)NULL)->receive_buf(NULL, NULL, 0))
	atw_serdev_count_t;
#endif

#endif
