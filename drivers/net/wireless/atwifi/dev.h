/* SPDX-License-Identifier: GPL-2.0-only */
/* struct atw_dev: one module, from the attach to the last reference. */
#ifndef _ATWIFI_DEV_H
#define _ATWIFI_DEV_H

#include <linux/atomic.h>
#include <linux/device.h>
#include <linux/list.h>
#include <linux/skbuff.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>

#include "expose.h"
#include "module.h"
#include "passphrase.h"

struct atw_netdev;

/* 0, for a counter: where a long has 32 bits another type would be read as two halves. */
#define ATW_IS_COUNTER(_type, _member)						\
	BUILD_BUG_ON_ZERO(!__same_type(typeof_member(_type, _member), atomic64_t))

/* What of a page has not been asked for by then is not asked for soon; in seconds. */
#define ATW_YIELD_AFTER		2

/**
 * struct atw_dev - a device "atwN"
 * @dev: reference-counted; the transport owns the first reference
 * @node: in the list of devices, for the family's look-ups
 * @port: what it is attached to, of which only the name is of use; or NULL
 * @net: the network namespace that its sockets must be of
 * @netdev: its network device, which may not be registered yet
 * @ifindex: of that, 0: it is not registered; read anywhere: whoever asks by it may find
 *	it gone in any case
 * @exposes: ports of the module behind which there are programs
 * @passphrase: what is asked of who knows passphrases
 * @late: requests of genl.c that wait for the module
 * @late_users: of these, those that do not administer it; how many each user has is in his share
 * @events: what is still to be told to who listens
 * @events_lost: there was more than found room in @events; set by who found none, taken back by
 *	the work that is queued after that
 * @events_work: tells it
 * @yield_after: streams of the network device that were idle for so many seconds may
 *	be ended for others, 0: none is. Written and read without a lock: a wish, for which
 *	an old one will do
 */
struct atw_dev {
	struct device		dev;
	struct list_head	node;
	int			index;
	struct device		*port;
	struct net		*net;
	struct atw_module	module;
	struct atw_netdev	*netdev;
	int			ifindex;
	struct atw_exposes	exposes;
	struct atw_passphrase	passphrase;
	atomic_t		late;
	atomic_t		late_users;
	struct sk_buff_head	events;
	int			events_lost;
	struct work_struct	events_work;
	unsigned int		yield_after;
};

struct atw_dev *atw_dev_register(struct atw_transport *t, struct device *parent,
				 struct device *port, struct net *net);
void atw_dev_unregister(struct atw_dev *adev);
void atw_dev_pm(bool sleep);
struct atw_dev *atw_dev_find(struct net *net, const char *name);
struct atw_dev *atw_dev_next(struct net *net, int index);
u32 atw_dev_seq(struct net *net, u32 (*of)(struct atw_dev *adev));
void atw_dev_put(struct atw_dev *adev);

int atw_dev_init(void);
void atw_dev_exit(void);
int atw_serdev_init(void);
void atw_serdev_exit(void);
int atw_ldisc_init(void);
void atw_ldisc_exit(void);
int atw_af_init(void);
void atw_af_exit(void);

#endif
