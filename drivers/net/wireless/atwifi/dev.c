// SPDX-License-Identifier: GPL-2.0-only
/*
 * struct atw_dev: one module, from the attach to the last reference.
 *
 * The transport registers a device and unregisters it; in between the family
 * finds it in the list. After atw_dev_unregister() nobody finds it, its thread
 * has ended and its connections have been told, but its memory stays until the
 * last reference is put.
 */
#include <linux/capability.h>
#include <linux/err.h>
#include <linux/idr.h>
#include <linux/inet.h>
#include <linux/jhash.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/suspend.h>
#include <linux/sysfs.h>

#include "compat.h"
#include "dev.h"
#include "genl_event.h"
#include "netdev.h"
#include "relay.h"
#include "timing.h"

/* Protects the list; innermost. */
static DEFINE_SPINLOCK(atw_dev_lock);
static LIST_HEAD(atw_dev_list);
static u32 atw_dev_list_seq;
/* Held while the list is changed, and while those on it fall asleep or wake up. */
static DEFINE_MUTEX(atw_dev_pm_lock);
static bool atw_dev_asleep;
static DEFINE_IDA(atw_dev_ida);

static struct atw_dev *to_atw_dev(struct device *dev)
{
	return container_of(dev, struct atw_dev, dev);
}

#define ATW_SHOW(_name, _fmt, ...)					\
static ssize_t _name##_show(struct device *dev,				\
			    struct device_attribute *attr, char *buf)	\
{									\
	const struct atw_module *m = &to_atw_dev(dev)->module;		\
									\
	return sysfs_emit(buf, _fmt "\n", __VA_ARGS__);			\
}									\
static DEVICE_ATTR_RO(_name)

static const char *const atw_dev_states[] = {
	[ATW_MODULE_PROBING]	= "probing",
	[ATW_MODULE_DOWN]	= "down",
	[ATW_MODULE_JOINED]	= "joined",
	[ATW_MODULE_ASLEEP]	= "probing",
};

ATW_SHOW(state, "%s", atw_dev_states[atw_module_state(m)]);
ATW_SHOW(mac, "%pM", m->mac);
ATW_SHOW(baud, "%u", READ_ONCE(m->baud));
/* The thread may be writing them: they always end within their array. */
ATW_SHOW(firmware, "%.*s", (int)sizeof(m->firmware) - 1, m->firmware);
ATW_SHOW(at_version, "%.*s", (int)sizeof(m->at_version) - 1, m->at_version);

/* Nothing, rather than 0.0.0.0, where there is none. */
static ssize_t atw_emit_addr(char *buf, u32 addr)
{
	return addr ? sysfs_emit(buf, "%pI4h\n", &addr) : sysfs_emit(buf, "\n");
}

static ssize_t address_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	return atw_emit_addr(buf, atw_module_addr(&to_atw_dev(dev)->module));
}
static DEVICE_ATTR_RO(address);

static ssize_t gateway_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	return atw_emit_addr(buf, atw_module_gateway(&to_atw_dev(dev)->module));
}
static DEVICE_ATTR_RO(gateway);

static ssize_t recv_mode_show(struct device *dev, struct device_attribute *attr,
			      char *buf)
{
	const struct atw_module *m = &to_atw_dev(dev)->module;

	return sysfs_emit(buf, "%s\n", READ_ONCE(m->conns.mode.passive) ?
				       "passive" : "active");
}

static ssize_t recv_mode_store(struct device *dev,
			       struct device_attribute *attr, const char *buf,
			       size_t count)
{
	struct atw_dev *adev = to_atw_dev(dev);
	bool passive;
	int err;

	if (!ns_capable(adev->net->user_ns, CAP_NET_ADMIN))
		return -EPERM;
	passive = sysfs_streq(buf, "passive");
	if (!passive && !sysfs_streq(buf, "active"))
		return -EINVAL;
	err = atw_module_set_recv_mode(&adev->module, passive, atw_timing.request);
	return err ?: count;
}
static DEVICE_ATTR_RW(recv_mode);

static struct attribute *atw_dev_attrs[] = {
	&dev_attr_state.attr,
	&dev_attr_address.attr,
	&dev_attr_gateway.attr,
	&dev_attr_mac.attr,
	&dev_attr_firmware.attr,
	&dev_attr_at_version.attr,
	&dev_attr_baud.attr,
	&dev_attr_recv_mode.attr,
	NULL
};

static const struct attribute_group atw_dev_group = {
	.attrs = atw_dev_attrs,
};

/* A number of struct atw_module. */
struct atw_dev_counter {
	struct device_attribute	attr;
	size_t			offset;
};

static ssize_t atw_dev_counter_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	size_t offset = container_of(attr, struct atw_dev_counter, attr)->offset;
	const atomic64_t *count = (void *)&to_atw_dev(dev)->module + offset;

	return sysfs_emit(buf, "%llu\n", (u64)atomic64_read(count));
}

#define ATW_COUNTER(_name, _member)					\
	(&((struct atw_dev_counter[]) { {				\
		.attr = __ATTR(_name, 0444, atw_dev_counter_show, NULL), \
		.offset = offsetof(struct atw_module, _member) +	\
			  ATW_IS_COUNTER(struct atw_module, _member),	\
	} })[0].attr.attr)

static struct attribute *atw_dev_statistics_attrs[] = {
	ATW_COUNTER(rx_bytes, ch.rx_bytes),
	ATW_COUNTER(tx_bytes, ch.tx_bytes),
	ATW_COUNTER(commands, ch.commands),
	ATW_COUNTER(timeouts, ch.timeouts),
	ATW_COUNTER(busy, ch.busy),
	ATW_COUNTER(opened, conns.counts.opened),
	ATW_COUNTER(failed, conns.counts.failed),
	ATW_COUNTER(accepted, conns.counts.accepted),
	ATW_COUNTER(refused, conns.counts.refused),
	ATW_COUNTER(resets, conns.counts.resets),
	ATW_COUNTER(overflows, conns.counts.overflows),
	ATW_COUNTER(damaged, conns.counts.damaged),
	ATW_COUNTER(cut, conns.counts.cut),
	ATW_COUNTER(unexplained, conns.counts.unexplained),
	ATW_COUNTER(throttled, conns.counts.throttled),
	ATW_COUNTER(passive, conns.counts.passive),
	ATW_COUNTER(transparent, conns.tt.entries),
	ATW_COUNTER(bringups, bringups),
	ATW_COUNTER(reboots, reboots),
	NULL
};

static const struct attribute_group atw_dev_statistics_group = {
	.name	= "statistics",
	.attrs	= atw_dev_statistics_attrs,
};

static const struct attribute_group *atw_dev_groups[] = {
	&atw_dev_group,
	&atw_dev_statistics_group,
	NULL
};

static void atw_dev_release(struct device *dev)
{
	struct atw_dev *adev = to_atw_dev(dev);

	ida_free(&atw_dev_ida, adev->index);
	put_device(adev->port);
	put_net(adev->net);
	/* It has kept what the module has said. */
	kfree_sensitive(adev);
}

static atw_class_ns_t atw_dev_namespace(atw_class_dev_t dev)
{
	return atw_class_ns(container_of(dev, struct atw_dev, dev)->net);
}

/*
 * Before programs are frozen, since one that waits for a module that does not answer
 * could not be; and for both transports alike, while their UARTs work.
 */
static void atw_dev_sleep(struct atw_dev *adev)
{
	lockdep_assert_held(&atw_dev_pm_lock);

	if (atw_module_state(&adev->module) != ATW_MODULE_ASLEEP)
		atw_module_sleep(&adev->module);
}

static void atw_dev_wake(struct atw_dev *adev)
{
	lockdep_assert_held(&atw_dev_pm_lock);

	if (atw_module_state(&adev->module) == ATW_MODULE_ASLEEP)
		atw_module_wake(&adev->module);
}

/**
 * atw_dev_pm() - have all modules fall asleep, or wake up
 * @sleep: which
 *
 * What becomes of the network devices is waited for without our lock: who holds the
 * RTNL may keep it for long, and a device that is attached, taken away or shut down
 * meanwhile is not to wait for him too.
 *
 * Context: process context; waits for the modules' threads, and may wait for the RTNL.
 */
void atw_dev_pm(bool sleep)
{
	struct atw_dev *adev;

	mutex_lock(&atw_dev_pm_lock);
	atw_dev_asleep = sleep;
	if (sleep) {
		/* All at a time: it takes no longer than for one. */
		list_for_each_entry(adev, &atw_dev_list, node)
			atw_module_doze(&adev->module);
		list_for_each_entry(adev, &atw_dev_list, node)
			atw_dev_sleep(adev);
		list_for_each_entry(adev, &atw_dev_list, node)
			atw_netdev_hurry(adev->netdev);
	} else {
		list_for_each_entry(adev, &atw_dev_list, node)
			atw_dev_wake(adev);
	}
	mutex_unlock(&atw_dev_pm_lock);
	/* The network devices are to be seen as what they are. */
	if (IS_ENABLED(CONFIG_ATWIFI_NETDEV) && sleep)
		flush_workqueue(atw_netdev_wq);
}

static int atw_dev_pm_notify(struct notifier_block *nb, unsigned long event,
			     void *unused)
{
	switch (event) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		atw_dev_pm(true);
		break;
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		atw_dev_pm(false);
		break;
	default:
		break;
	}
	return NOTIFY_OK;
}

static struct notifier_block atw_dev_pm_nb = {
	.notifier_call = atw_dev_pm_notify,
};

/*
 * The machine is switched off, or another kernel is about to run on it. Nobody will look
 * at the network device any more, and who holds the RTNL may never let go of it.
 */
static int atw_dev_shutdown(struct device *dev)
{
	struct atw_dev *adev = to_atw_dev(dev);

	mutex_lock(&atw_dev_pm_lock);
	if (!list_empty(&adev->node))
		atw_dev_sleep(adev);
	mutex_unlock(&atw_dev_pm_lock);
	return 0;
}

static struct class atw_dev_class = {
	.name		= "atwifi",
	.dev_groups	= atw_dev_groups,
	.dev_release	= atw_dev_release,
	.shutdown_pre	= atw_dev_shutdown,
	.ns_type	= &net_ns_type_operations,
	.namespace	= atw_dev_namespace,
};

static void atw_dev_changed(struct atw_module *m)
{
	atw_netdev_changed(container_of(m, struct atw_dev, module)->netdev);
}

static void atw_dev_associated(struct atw_module *m)
{
	atw_netdev_associated(container_of(m, struct atw_dev, module)->netdev);
}

static bool atw_dev_no_slot(struct atw_conns *cs, u8 share, const u16 *has)
{
	return atw_netdev_no_slot(container_of(cs, struct atw_dev,
					       module.conns)->netdev, share, has);
}

static void atw_dev_freed(struct atw_conns *cs)
{
	atw_netdev_freed(container_of(cs, struct atw_dev, module.conns)->netdev);
}

static void atw_dev_event(struct atw_module *m, enum atwifi_event event)
{
	atw_genl_dev_event(container_of(m, struct atw_dev, module), event);
}

static void atw_dev_broken(struct atw_conns *cs, const struct atw_conn_info *info)
{
	atw_genl_socket_event(container_of(cs, struct atw_dev, module.conns), info);
}

static const struct atw_module_ops atw_dev_module_ops = {
	.event	 = atw_dev_event,
	.changed = atw_dev_changed,
	.associated = atw_dev_associated,
};

static const struct atw_conns_ops atw_dev_conns_ops = {
	.broken	 = atw_dev_broken,
	.no_slot = atw_dev_no_slot,
	.freed	 = atw_dev_freed,
};

/**
 * atw_dev_register - make a device for a module and begin to talk to it
 * @t: the UART, ready to be written to
 * @parent: the device that the module hangs on, may be NULL. It is not deleted before
 *	atw_dev_unregister() has returned
 * @port: whose name tells people where the module is, or NULL; it may be deleted earlier
 * @net: the network namespace of its sockets; kept until the device is freed
 *
 * Return: the device, for atw_dev_unregister(), or an ERR_PTR. The transport
 * may be written to before this returns. Bytes for its channel may come on another
 * path: that needs a reference of its own, or ends before atw_dev_unregister().
 */
struct atw_dev *atw_dev_register(struct atw_transport *t, struct device *parent,
				 struct device *port, struct net *net)
{
	struct atw_dev *adev;
	int err;

	adev = kzalloc(sizeof(*adev), GFP_KERNEL);
	if (!adev)
		return ERR_PTR(-ENOMEM);

	adev->index = ida_alloc(&atw_dev_ida, GFP_KERNEL);
	if (adev->index < 0) {
		err = adev->index;
		kfree(adev);
		return ERR_PTR(err);
	}

	INIT_LIST_HEAD(&adev->node);
	atw_exposes_init(&adev->exposes);
	INIT_LIST_HEAD(&adev->passphrase.node);
	atw_genl_events_init(adev);
	atw_module_init(&adev->module, &adev->dev, &atw_dev_module_ops);
	adev->module.conns.ops = &atw_dev_conns_ops;
	adev->yield_after = ATW_YIELD_AFTER;
	/* Its name is asked for until this is freed. */
	adev->port = get_device(port);
	adev->net = get_net(net);
	adev->dev.class = &atw_dev_class;
	adev->dev.parent = parent;
	device_initialize(&adev->dev);

	err = dev_set_name(&adev->dev, "atw%d", adev->index);
	if (err)
		goto err_put;

	/* Its attributes can be read and written from here on. */
	err = device_add(&adev->dev);
	if (err)
		goto err_put;

	adev->netdev = atw_netdev_create(adev);
	if (IS_ERR(adev->netdev)) {
		err = PTR_ERR(adev->netdev);
		goto err_del;
	}

	err = atw_module_start(&adev->module, t);
	if (err)
		goto err_netdev;

	mutex_lock(&atw_dev_pm_lock);
	spin_lock(&atw_dev_lock);
	list_add_tail(&adev->node, &atw_dev_list);
	atw_dev_list_seq++;
	spin_unlock(&atw_dev_lock);
	/* That the module was found is told after this. */
	atw_genl_dev_event(adev, ATWIFI_EVENT_ATTACHED);
	if (atw_dev_asleep)
		atw_dev_sleep(adev);
	else
		atw_channel_go(&adev->module.ch);
	mutex_unlock(&atw_dev_pm_lock);

	return adev;

err_netdev:
	atw_netdev_free(adev->netdev);
err_del:
	device_del(&adev->dev);
err_put:
	put_device(&adev->dev);
	return ERR_PTR(err);
}

/**
 * atw_dev_unregister - the module is taken away
 * @adev: from atw_dev_register(); puts that reference
 *
 * Sleeps until the channel's thread has ended: what it may be waiting for must
 * not need a lock that the caller holds. The transport is not used after this.
 */
void atw_dev_unregister(struct atw_dev *adev)
{
	/* No new users: who has looked it up meanwhile holds a reference. */
	mutex_lock(&atw_dev_pm_lock);
	spin_lock(&atw_dev_lock);
	list_del_init(&adev->node);
	atw_dev_list_seq++;
	spin_unlock(&atw_dev_lock);
	mutex_unlock(&atw_dev_pm_lock);
	atw_genl_dev_event(adev, ATWIFI_EVENT_DETACHED);

	atw_exposes_stop(adev);
	atw_netdev_destroy(adev->netdev);
	/* A write to an attribute may wait for the module: that ends first. */
	atw_module_stop(&adev->module);
	device_del(&adev->dev);
	atw_netdev_free(adev->netdev);
	flush_work(&adev->events_work);
	put_device(&adev->dev);
}

/**
 * atw_dev_find - look a device up for a socket
 * @net: the socket's network namespace; others' devices are not seen
 * @name: "atwN"; NULL or empty: the first that is joined, else the first
 *
 * Return: the device with a reference for atw_dev_put(), or NULL.
 */
struct atw_dev *atw_dev_find(struct net *net, const char *name)
{
	struct atw_dev *adev, *found = NULL;

	spin_lock(&atw_dev_lock);
	list_for_each_entry(adev, &atw_dev_list, node) {
		if (!net_eq(adev->net, net))
			continue;
		if (name && *name) {
			if (strcmp(dev_name(&adev->dev), name))
				continue;
			found = adev;
			break;
		}
		if (atw_module_state(&adev->module) == ATW_MODULE_JOINED) {
			found = adev;
			break;
		}
		if (!found)
			found = adev;
	}
	if (found)
		get_device(&found->dev);
	spin_unlock(&atw_dev_lock);

	return found;
}

/**
 * atw_dev_seq - what changes when something comes or goes
 * @net: in that network namespace
 * @of: in what a device has, or NULL: the devices alone
 *
 * Return: a number that is another one then, and never 0.
 */
u32 atw_dev_seq(struct net *net, u32 (*of)(struct atw_dev *adev))
{
	struct atw_dev *adev;
	u32 seq;

	spin_lock(&atw_dev_lock);
	seq = atw_dev_list_seq;
	list_for_each_entry(adev, &atw_dev_list, node)
		if (of && net_eq(adev->net, net))
			seq = jhash_1word(of(adev), seq);
	spin_unlock(&atw_dev_lock);

	return seq ?: 1;
}

/**
 * atw_dev_next - go through the devices
 * @net: of that network namespace
 * @index: the one before, -1 to begin
 *
 * Return: the device with the next greater index, with a reference for
 * atw_dev_put(), or NULL.
 */
struct atw_dev *atw_dev_next(struct net *net, int index)
{
	struct atw_dev *adev, *next = NULL;

	spin_lock(&atw_dev_lock);
	list_for_each_entry(adev, &atw_dev_list, node) {
		if (!net_eq(adev->net, net) || adev->index <= index)
			continue;
		if (!next || adev->index < next->index)
			next = adev;
	}
	if (next)
		get_device(&next->dev);
	spin_unlock(&atw_dev_lock);

	return next;
}

/**
 * atw_dev_put - put a reference
 * @adev: the device; may be freed by this
 */
void atw_dev_put(struct atw_dev *adev)
{
	put_device(&adev->dev);
}

int atw_dev_init(void)
{
	int err;

	err = class_register(&atw_dev_class);
	if (err)
		return err;
	err = register_pm_notifier(&atw_dev_pm_nb);
	if (err)
		class_unregister(&atw_dev_class);
	return err;
}

void atw_dev_exit(void)
{
	unregister_pm_notifier(&atw_dev_pm_nb);
	class_unregister(&atw_dev_class);
	ida_destroy(&atw_dev_ida);
}
