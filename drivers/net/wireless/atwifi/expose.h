/* SPDX-License-Identifier: GPL-2.0-only */
/* Ports of the module behind which there are programs of this machine. */
#ifndef _ATWIFI_EXPOSE_H
#define _ATWIFI_EXPOSE_H

#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>

struct atw_dev;

/* Each takes one of the few sockets of the module. */
#define ATW_EXPOSE_MAX	16

/**
 * struct atw_exposes - the exposed ports of a device
 * @lock: protects the list; outside all other locks of the driver
 * @list: in the order in which they were added
 * @n: how many
 * @seq: is another one when one comes or goes; read anywhere
 * @dead: no new ones, the device goes away
 */
struct atw_exposes {
	struct mutex		lock;
	struct list_head	list;
	unsigned int		n;
	atomic_t		seq;
	bool			dead;
};

/**
 * struct atw_expose_info - what can be told of an exposed port
 * @port: of the module, host order
 * @addr: where the program listens, 0: at the device's own address
 * @local_port: and at which port, host order
 * @open: the module listens
 * @err: -errno, why it does not
 * @accepted: connections that were passed on
 * @refused: connections that could not be
 */
struct atw_expose_info {
	u16	port;
	__be32	addr;
	u16	local_port;
	bool	open;
	int	err;
	u64	accepted;
	u64	refused;
};

#if IS_ENABLED(CONFIG_ATWIFI_NETDEV)
void atw_exposes_init(struct atw_exposes *exps);
int atw_expose_add(struct atw_dev *adev, u16 port, __be32 addr, u16 local_port,
		   long timeout);
int atw_expose_del(struct atw_dev *adev, u16 port);
bool atw_expose_get(struct atw_dev *adev, unsigned int n,
		    struct atw_expose_info *info);
void atw_exposes_stop(struct atw_dev *adev);
#else
static inline void atw_exposes_init(struct atw_exposes *exps)
{
}

static inline int atw_expose_add(struct atw_dev *adev, u16 port, __be32 addr, u16 local_port,
				 long timeout)
{
	return -EOPNOTSUPP;
}

static inline int atw_expose_del(struct atw_dev *adev, u16 port)
{
	return -ENOENT;
}

static inline bool atw_expose_get(struct atw_dev *adev, unsigned int n,
				  struct atw_expose_info *info)
{
	return false;
}

static inline void atw_exposes_stop(struct atw_dev *adev)
{
}
#endif

#endif
