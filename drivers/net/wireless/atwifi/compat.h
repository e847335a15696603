/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernels; those of sockets, network devices and cfg80211 are in
 * compat_*.h: each of these may be left out of the driver, and a file that has nothing to do
 * with them does not depend on their headers. Types are taken from the declarations themselves:
 * version numbers lie where things were ported back.
 */
#ifndef _ATWIFI_COMPAT_H
#define _ATWIFI_COMPAT_H

#include <linux/device/class.h>
#include <linux/tty.h>
#include <linux/tty_ldisc.h>
#include <linux/types.h>
#include <net/net_namespace.h>
#include <net/netlink.h>

/* 6.12 has none yet. */
#ifndef NLA_POLICY_MAX_LEN
#define NLA_POLICY_MAX_LEN(len)		NLA_POLICY_MAX(NLA_BINARY, len)
#endif

/* tty_ldisc_ops.receive_buf: counts were int and flags char until 6.6. */
#define ATW_LDISC_IS_OLD						\
	__same_type(((struct tty_ldisc_ops *)NULL)->receive_buf,	\
		    (void (*)(struct tty_struct *, const unsigned char *, \
			      const char *, int))NULL)
#define ATW_LDISC_PICK(old, new)					\
	__builtin_choose_expr(ATW_LDISC_IS_OLD, (old)0, (new)0)

typedef typeof(ATW_LDISC_PICK(char, u8)) atw_ldisc_flag_t;
typedef typeof(ATW_LDISC_PICK(int, size_t)) atw_ldisc_count_t;

/* class.namespace: the device was not const until 6.2, and a tag had no type. */
#define ATW_CLASS_IS_OLD						\
	__same_type(((struct class *)NULL)->namespace,			\
		    (const void *(*)(struct device *))NULL)

typedef typeof(__builtin_choose_expr(ATW_CLASS_IS_OLD, (struct device *)NULL,
				     (const struct device *)NULL))
	atw_class_dev_t;
typedef typeof(((struct class *)NULL)->namespace(NULL)) atw_class_ns_t;

static inline atw_class_ns_t atw_class_ns(struct net *net)
{
	return __builtin_choose_expr(__same_type(atw_class_ns_t, const void *),
				     (const void *)net, &net->ns);
}

#if IS_ENABLED(CONFIG_SERIAL_DEV_BUS)
#include <linux/serdev.h>

/* serdev_device_ops.receive_buf returned int until 6.9. */
typedef typeof(((struct serdev_device_ops *)NULL)->receive_buf(NULL, NULL, 0))
	atw_serdev_count_t;

/* serdev_controller_alloc() was not told whose it is until 6.8. */
static inline struct serdev_controller *atw_serdev_controller_alloc(struct device *parent)
{
	struct serdev_controller *(*old)(struct device *parent, size_t size);
	struct serdev_controller *(*new)(struct device *host, struct device *parent, size_t size);

	old = (void *)serdev_controller_alloc;
	new = (void *)serdev_controller_alloc;
	return __same_type(serdev_controller_alloc, *old) ? old(parent, 0) :
							    new(parent, parent, 0);
}
#endif

#endif
