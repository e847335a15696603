// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver by the name of the real one that does nothing but fail in the way it
 * is told to: what the runner must notice.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debug_locks.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/tty.h>
#include <linux/tty_ldisc.h>

static char *fault = "none";
module_param(fault, charp, 0444);
MODULE_PARM_DESC(fault, "none, warn, oops, uaf, deadlock, deaf, leak, stuck, panic or hang");

static char *state = "joined";
module_param(state, charp, 0444);
MODULE_PARM_DESC(state, "what the module's state is said to be");

static DEFINE_SPINLOCK(atw_lock_a);
static DEFINE_SPINLOCK(atw_lock_b);

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", state);
}
static DEVICE_ATTR_RO(state);

static struct attribute *atw_attrs[] = {
	&dev_attr_state.attr,
	NULL
};
ATTRIBUTE_GROUPS(atw);

static struct class atw_class = {
	.name = "atwifi",
	.dev_groups = atw_groups,
};

static struct device *atw_dev;

static int atw_ldisc_open(struct tty_struct *tty)
{
	tty->receive_room = 65536;
	return 0;
}

static struct tty_ldisc_ops atw_ldisc = {
	.owner = THIS_MODULE,
	.num = N_DEVELOPMENT,
	.name = "n_atwifi",
	.open = atw_ldisc_open,
};

static noinline void atw_deadlock(void)
{
	spin_lock(&atw_lock_a);
	spin_lock(&atw_lock_b);
	spin_unlock(&atw_lock_b);
	spin_unlock(&atw_lock_a);
	spin_lock(&atw_lock_b);
	spin_lock(&atw_lock_a);
	spin_unlock(&atw_lock_a);
	spin_unlock(&atw_lock_b);
}

static noinline void atw_leak(void)
{
	int i;

	/* Several, since a stale pointer to one may lie about. */
	for (i = 0; i < 8; i++)
		memset(kmalloc(200, GFP_KERNEL), 0x5a, 200);
}

static noinline int atw_fault(void)
{
	volatile char *p;

	if (!strcmp(fault, "warn")) {
		WARN(1, "as told to\n");
	} else if (!strcmp(fault, "oops")) {
		p = (char *)8UL;
		return *p;
	} else if (!strcmp(fault, "uaf")) {
		p = kmalloc(64, GFP_KERNEL);
		kfree((void *)p);
		return *p;
	} else if (!strcmp(fault, "deadlock")) {
		atw_deadlock();
	} else if (!strcmp(fault, "deaf")) {
		debug_locks_off();
	} else if (!strcmp(fault, "leak")) {
		atw_leak();
	} else if (!strcmp(fault, "stuck")) {
		__module_get(THIS_MODULE);
	} else if (!strcmp(fault, "panic")) {
		panic("as told to");
	} else if (!strcmp(fault, "hang")) {
		for (;;)
			mdelay(1000);
	}
	return 0;
}

static int __init atw_init(void)
{
	int err;

	err = class_register(&atw_class);
	if (err)
		return err;
	err = tty_register_ldisc(&atw_ldisc);
	if (err)
		goto err_class;
	atw_dev = device_create(&atw_class, NULL, MKDEV(0, 0), NULL, "atw0");
	err = PTR_ERR_OR_ZERO(atw_dev);
	if (err)
		goto err_ldisc;
	if (atw_fault())
		pr_info("fault %s\n", fault);
	return 0;

err_ldisc:
	tty_unregister_ldisc(&atw_ldisc);
err_class:
	class_unregister(&atw_class);
	return err;
}
module_init(atw_init);

static void __exit atw_exit(void)
{
	device_unregister(atw_dev);
	tty_unregister_ldisc(&atw_ldisc);
	class_unregister(&atw_class);
}
module_exit(atw_exit);

MODULE_DESCRIPTION("Faults for the test of the guests' runner");
MODULE_LICENSE("GPL");
