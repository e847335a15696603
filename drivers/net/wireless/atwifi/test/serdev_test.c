// SPDX-License-Identifier: GPL-2.0-only
/* A UART of a board with a dead module. */
#include <kunit/test.h>
#include <linux/device.h>
#include <linux/pm_runtime.h>
#include <linux/sched.h>
#include <linux/serdev.h>
#include <linux/termios.h>
#include <net/net_namespace.h>

#include "../compat.h"
#include "../dev.h"

/* It comes to it with fewer. */
#define ALLOCATIONS_MAX	1000

/**
 * struct fake_board - a board
 * @dev: what its UART hangs on
 * @ctrl: the UART
 * @serdev: the module at it
 * @driver: ours, NULL: this kernel runs the suites before it is there
 * @rts: what its RTS says
 */
struct fake_board {
	struct device			*dev;
	struct serdev_controller	*ctrl;
	struct serdev_device		*serdev;
	struct device_driver		*driver;
	bool				rts;
};

static typeof(((struct serdev_controller_ops *)NULL)->write_buf(NULL, NULL, 0))
fake_write(struct serdev_controller *ctrl, const unsigned char *buf, size_t len)
{
	return len;
}

static void fake_nothing(struct serdev_controller *ctrl)
{
}

static int fake_open(struct serdev_controller *ctrl)
{
	return 0;
}

static void fake_set_flow(struct serdev_controller *ctrl, bool on)
{
}

static unsigned int fake_set_baud(struct serdev_controller *ctrl, unsigned int baud)
{
	return baud;
}

static void fake_drain(struct serdev_controller *ctrl, long timeout)
{
}

static int fake_set_tiocm(struct serdev_controller *ctrl, unsigned int set, unsigned int clear)
{
	struct fake_board *b = serdev_controller_get_drvdata(ctrl);

	if ((set | clear) & TIOCM_RTS)
		b->rts = set & TIOCM_RTS;
	return 0;
}

static const struct serdev_controller_ops fake_ops = {
	.write_buf		= fake_write,
	.write_flush		= fake_nothing,
	.open			= fake_open,
	.close			= fake_nothing,
	.set_flow_control	= fake_set_flow,
	.set_baudrate		= fake_set_baud,
	.wait_until_sent	= fake_drain,
	.set_tiocm		= fake_set_tiocm,
};

/*
 * The Nth allocation is to fail from here on; 0: none. Returns whether one was still to,
 * which is always so where none can.
 */
static unsigned int fail_nth(unsigned int n)
{
	unsigned int left = 1;

#ifdef CONFIG_FAULT_INJECTION
	left = current->fail_nth;
	current->fail_nth = n;
#endif
	return left;
}

static int serdev_test_init(struct kunit *test)
{
	struct fake_board *b = kunit_kzalloc(test, sizeof(*b), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, b);
	/* Linked to no module: some kernels run the suites before ours is in sysfs. */
	b->dev = __root_device_register("atwifi_board", NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(b->dev));
	b->ctrl = atw_serdev_controller_alloc(b->dev);
	KUNIT_ASSERT_NOT_NULL(test, b->ctrl);
	b->ctrl->ops = &fake_ops;
	serdev_controller_set_drvdata(b->ctrl, b);
	b->serdev = serdev_device_alloc(b->ctrl);
	KUNIT_ASSERT_NOT_NULL(test, b->serdev);
	KUNIT_ASSERT_EQ(test, 0, device_add(&b->ctrl->dev));
	pm_runtime_enable(&b->ctrl->dev);
	KUNIT_ASSERT_EQ(test, 0, serdev_device_add(b->serdev));
	/* No description of a board names it. */
	b->driver = driver_find("atwifi", b->serdev->dev.bus);
	test->priv = b;
	return 0;
}

static void serdev_test_exit(struct kunit *test)
{
	struct fake_board *b = test->priv;

	if (!b)
		return;
	serdev_device_remove(b->serdev);
	pm_runtime_disable(&b->ctrl->dev);
	device_del(&b->ctrl->dev);
	serdev_controller_put(b->ctrl);
	root_device_unregister(b->dev);
}

/* Our driver, or the test is over. */
static struct device_driver *fake_driver(struct kunit *test)
{
	struct fake_board *b = test->priv;

	if (!b->driver)
		kunit_skip(test, "this kernel runs the suites before the driver is there");
	return b->driver;
}

/*
 * Each allocation that is made while the driver comes to it fails once. On a tty a program does
 * the same, see nomem.c.
 */
static void serdev_no_memory(struct kunit *test)
{
	struct device_driver *driver = fake_driver(test);
	struct fake_board *b = test->priv;
	unsigned int n, left;
	int err = 0;

	for (n = 1; n < ALLOCATIONS_MAX; n++) {
		fail_nth(n);
		err = device_driver_attach(driver, &b->serdev->dev);
		left = fail_nth(0);
		if (err)
			KUNIT_EXPECT_EQ_MSG(test, -ENOMEM, err, "allocation %u", n);
		else
			device_release_driver(&b->serdev->dev);
		if (left)
			break;
	}
	if (n == 1)
		kunit_skip(test, "a kernel without failslab");
	KUNIT_EXPECT_LT(test, 10, n);
	KUNIT_EXPECT_GT(test, ALLOCATIONS_MAX, n);
	KUNIT_EXPECT_EQ(test, 0, err);
}

/* A program that reads slowly has the module stopped by RTS where that is used, and let go on. */
static void serdev_throttle(struct kunit *test)
{
	struct device_driver *driver = fake_driver(test);
	struct fake_board *b = test->priv;
	struct atw_transport *t;
	struct atw_dev *adev;
	int index = -1;

	KUNIT_ASSERT_EQ(test, 0, device_driver_attach(driver, &b->serdev->dev));
	while ((adev = atw_dev_next(&init_net, index)) && adev->dev.parent != &b->serdev->dev) {
		index = adev->index;
		atw_dev_put(adev);
	}
	KUNIT_ASSERT_NOT_NULL(test, adev);
	t = adev->module.ch.transport;
	b->rts = true;
	/* What else there is of that line is not known: bytes would be lost. */
	KUNIT_EXPECT_FALSE(test, t->ops->throttle(t, true));
	KUNIT_EXPECT_TRUE(test, b->rts);
	t->ops->set_flow(t, true);
	KUNIT_EXPECT_TRUE(test, t->ops->throttle(t, true));
	KUNIT_EXPECT_FALSE(test, b->rts);
	KUNIT_EXPECT_TRUE(test, t->ops->throttle(t, false));
	KUNIT_EXPECT_TRUE(test, b->rts);
	/* It is not left stopped where RTS is used no more. */
	KUNIT_EXPECT_TRUE(test, t->ops->throttle(t, true));
	t->ops->set_flow(t, false);
	KUNIT_EXPECT_TRUE(test, b->rts);
	b->rts = false;
	KUNIT_EXPECT_TRUE(test, t->ops->throttle(t, false));
	KUNIT_EXPECT_TRUE(test, b->rts);
	atw_dev_put(adev);
	device_release_driver(&b->serdev->dev);
}

static struct kunit_case serdev_test_cases[] = {
	KUNIT_CASE(serdev_no_memory),
	KUNIT_CASE(serdev_throttle),
	{}
};

static struct kunit_suite serdev_test_suite = {
	.name = "atwifi_serdev",
	.init = serdev_test_init,
	.exit = serdev_test_exit,
	.test_cases = serdev_test_cases,
};

kunit_test_suites(&serdev_test_suite);
