// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device of its own, with a module that has nothing to say but OK: what must not wait
 * for others.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/etherdevice.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/rtnetlink.h>
#include <linux/workqueue.h>

#include "../conn_priv.h"
#include "../dev.h"
#include "../expose.h"
#include "../netdev.h"
#include "../relay.h"

#define LIMIT	(60 * HZ)

/*
 * struct fake - a module and its device
 * @line: what has come of the line that it is told
 * @over: the machine's end has been told to the device
 * @asleep: that it falls asleep has
 */
struct fake {
	struct atw_transport	t;
	struct atw_dev		*adev;
	char			line[64];
	unsigned int		len;
	struct completion	over;
	struct completion	asleep;
};

static ssize_t fake_write(struct atw_transport *t, const u8 *buf, size_t len)
{
	struct fake *f = container_of(t, struct fake, t);
	struct atw_dev *adev = READ_ONCE(f->adev);
	char said[80] = "\r\nOK\r\n";
	size_t i;

	/* It takes nothing before it is known whose it is. */
	for (i = 0; adev && i < len; i++) {
		if (f->len < sizeof(f->line) - 1)
			f->line[f->len++] = buf[i];
		if (buf[i] != '\n')
			continue;
		f->line[f->len] = '\0';
		f->len = 0;
		if (!strncmp(f->line, "AT+ATW", 6))
			snprintf(said, sizeof(said), "Unknown cmd:%s", f->line);
		if (!strncmp(f->line, "AT", 2))
			atw_channel_receive(&adev->module.ch, (const u8 *)said, strlen(said));
		return i + 1;
	}
	return i;
}

static const struct atw_transport_ops fake_ops = {
	.write = fake_write,
};

/* Waits for what must come. */
#define comes(condition) ({							\
	unsigned long end = jiffies + LIMIT;					\
										\
	while (!(condition) && time_before(jiffies, end))			\
		schedule_timeout_uninterruptible(1);				\
	(condition);								\
})

static int fake_shutdown(void *arg)
{
	struct fake *f = arg;
	struct device *dev = &f->adev->dev;

	dev->class->shutdown_pre(dev);
	complete(&f->over);
	return 0;
}

/*
 * A module is found, and its network device can be registered no more: returns with the RTNL
 * held, for which that waits if @registers.
 */
static struct fake *fake_registers(struct kunit *test, bool *registers)
{
	struct fake *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	struct atw_dev *adev;

	if (!atw_relay_wq)
		kunit_skip(test, "this kernel runs the suites before the driver is there");
	KUNIT_ASSERT_NOT_NULL(test, f);
	f->t.ops = &fake_ops;
	init_completion(&f->over);
	init_completion(&f->asleep);
	adev = atw_dev_register(&f->t, NULL, NULL, &init_net);
	KUNIT_ASSERT_FALSE(test, IS_ERR(adev));
	rtnl_lock();
	WRITE_ONCE(f->adev, adev);
	atw_channel_write_wakeup(&adev->module.ch);
	*registers = comes(READ_ONCE(adev->module.state) == ATW_MODULE_DOWN &&
			   work_busy(&adev->netdev->work.work) & WORK_BUSY_RUNNING);
	return f;
}

/* The machine is switched off, whoever has the RTNL. */
static void dev_shutdown(struct kunit *test)
{
	bool registers, over;
	struct fake *f = fake_registers(test, &registers);
	struct atw_dev *adev = f->adev;
	struct task_struct *task;

	task = kthread_run(fake_shutdown, f, "atwifi_shutdown");
	over = !IS_ERR(task) && wait_for_completion_timeout(&f->over, LIMIT);
	rtnl_unlock();
	KUNIT_EXPECT_TRUE(test, registers);
	KUNIT_EXPECT_TRUE(test, over);
	if (!IS_ERR(task) && !over)
		wait_for_completion(&f->over);
	KUNIT_EXPECT_EQ(test, ATW_MODULE_ASLEEP, adev->module.state);
	atw_dev_unregister(adev);
}

static int fake_sleep(void *arg)
{
	struct fake *f = arg;

	atw_dev_pm(true);
	complete(&f->asleep);
	return 0;
}

/* Who falls asleep waits for the RTNL, and others do not wait for him. */
static void dev_sleep(struct kunit *test)
{
	bool registers, free, waits;
	struct fake *f = fake_registers(test, &registers);
	struct task_struct *sleep, *over;
	struct atw_dev *adev = f->adev;

	sleep = kthread_run(fake_sleep, f, "atwifi_sleep");
	comes(READ_ONCE(adev->module.state) == ATW_MODULE_ASLEEP);
	/* That needs the same lock. */
	over = kthread_run(fake_shutdown, f, "atwifi_shutdown");
	free = !IS_ERR(over) && wait_for_completion_timeout(&f->over, LIMIT);
	waits = !completion_done(&f->asleep);
	rtnl_unlock();
	if (!IS_ERR(over) && !free)
		wait_for_completion(&f->over);
	if (!IS_ERR(sleep))
		wait_for_completion(&f->asleep);
	KUNIT_EXPECT_TRUE(test, registers);
	KUNIT_EXPECT_TRUE(test, free);
	KUNIT_EXPECT_TRUE(test, waits);
	atw_dev_pm(false);
	KUNIT_EXPECT_TRUE(test, comes(READ_ONCE(adev->module.state) == ATW_MODULE_DOWN));
	atw_dev_unregister(adev);
}

/* What the network device is given; how many it has dropped since it is there. */
static u64 send_one(struct net_device *dev)
{
	struct sk_buff *skb = alloc_skb(ETH_HLEN, GFP_KERNEL);
	struct rtnl_link_stats64 stats;

	if (skb) {
		skb_put_zero(skb, ETH_HLEN);
		local_bh_disable();
		dev->netdev_ops->ndo_start_xmit(skb, dev);
		local_bh_enable();
	}
	return dev_get_stats(dev, &stats)->tx_dropped;
}

/*
 * It has no queue that could be stopped. While the machine sleeps it takes what is sent, and
 * drops it.
 */
static void dev_sends_asleep(struct kunit *test)
{
	bool registers;
	struct fake *f = fake_registers(test, &registers);
	struct atw_dev *adev = f->adev;
	struct net_device *dev = adev->netdev->dev;

	rtnl_unlock();
	KUNIT_EXPECT_TRUE(test, registers);
	flush_workqueue(atw_netdev_wq);
	atw_dev_pm(true);
	KUNIT_EXPECT_TRUE(test, netif_device_present(dev));
	KUNIT_EXPECT_FALSE(test, netif_carrier_ok(dev));
	KUNIT_EXPECT_EQ(test, 1ULL, send_one(dev));
	KUNIT_EXPECT_EQ(test, 0U, skb_queue_len(&adev->netdev->txq));
	atw_dev_pm(false);
	KUNIT_EXPECT_TRUE(test, comes(!test_bit(ATW_NETDEV_BIT_ASLEEP, &adev->netdev->flags)));
	KUNIT_EXPECT_EQ(test, 1ULL, send_one(dev));
	KUNIT_EXPECT_EQ(test, 1U, skb_queue_len(&adev->netdev->txq));
	atw_dev_unregister(adev);
}

/* A port that is exposed while there are too many connections is opened when there are fewer. */
static void dev_exposes(struct kunit *test)
{
	bool registers, refused, opens;
	struct fake *f = fake_registers(test, &registers);
	struct atw_expose_info info = {};
	struct atw_dev *adev = f->adev;
	struct atw_conns *cs = &adev->module.conns;

	rtnl_unlock();
	KUNIT_EXPECT_TRUE(test, registers);
	spin_lock(&cs->lock);
	cs->n += ATW_CONNS_MAX;
	spin_unlock(&cs->lock);
	KUNIT_EXPECT_EQ(test, 0, atw_expose_add(adev, 8080, 0, 8080, LIMIT));
	refused = comes(atw_expose_get(adev, 0, &info) && info.err == -ENOBUFS);
	spin_lock(&cs->lock);
	cs->n -= ATW_CONNS_MAX;
	spin_unlock(&cs->lock);
	opens = comes(atw_conns_are_there(cs));
	KUNIT_EXPECT_TRUE(test, refused);
	KUNIT_EXPECT_TRUE(test, opens);
	KUNIT_EXPECT_EQ(test, 0, atw_expose_del(adev, 8080));
	atw_dev_unregister(adev);
}

static struct kunit_case dev_test_cases[] = {
	KUNIT_CASE(dev_shutdown),
	KUNIT_CASE(dev_sleep),
	KUNIT_CASE(dev_sends_asleep),
	KUNIT_CASE(dev_exposes),
	{}
};

static struct kunit_suite dev_test_suite = {
	.name = "atwifi_dev",
	.test_cases = dev_test_cases,
};

kunit_test_suites(&dev_test_suite);
