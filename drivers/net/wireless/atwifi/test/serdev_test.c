// SPDX-License-Identifier: GPL-2.0-only
/*
 * A UART of a board with a dead module: each allocation that is made while the driver comes
 * to it fails once. On a tty a program does the same, see nomem.c.
 */
#include <kunit/test.h>
#include <linux/device.h>
#include <linux/pm_runtime.h>
#include <linux/sched.h>
#include <linux/serdev.h>

#include "../compat.h"

/* It comes to it with fewer. */
#define ALLOCATIONS_MAX	1000

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

static void serdev_no_memory(struct kunit *test)
{
	struct serdev_controller *ctrl;
	struct serdev_device *serdev;
	struct device_driver *driver;
	struct device *board;
	unsigned int n, left;
	int err = 0;

	/* Linked to no module: some kernels run the suites before ours is in sysfs. */
	board = __root_device_register("atwifi_board", NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(board));
	ctrl = atw_serdev_controller_alloc(board);
	KUNIT_ASSERT_NOT_NULL(test, ctrl);
	ctrl->ops = &fake_ops;
	serdev = serdev_device_alloc(ctrl);
	KUNIT_ASSERT_NOT_NULL(test, serdev);
	KUNIT_ASSERT_EQ(test, 0, device_add(&ctrl->dev));
	pm_runtime_enable(&ctrl->dev);
	KUNIT_ASSERT_EQ(test, 0, serdev_device_add(serdev));
	/* No description of a board names it. */
	driver = driver_find("atwifi", serdev->dev.bus);

	for (n = 1; driver && n < ALLOCATIONS_MAX; n++) {
		fail_nth(n);
		err = device_driver_attach(driver, &serdev->dev);
		left = fail_nth(0);
		if (err)
			KUNIT_EXPECT_EQ_MSG(test, -ENOMEM, err, "allocation %u", n);
		else
			device_release_driver(&serdev->dev);
		if (left)
			break;
	}
	serdev_device_remove(serdev);
	pm_runtime_disable(&ctrl->dev);
	device_del(&ctrl->dev);
	serdev_controller_put(ctrl);
	root_device_unregister(board);
	if (!driver)
		kunit_skip(test, "this kernel runs the suites before the driver is there");
	if (n == 1)
		kunit_skip(test, "a kernel without failslab");
	KUNIT_EXPECT_LT(test, 10, n);
	KUNIT_EXPECT_GT(test, ALLOCATIONS_MAX, n);
	KUNIT_EXPECT_EQ(test, 0, err);
}

static struct kunit_case serdev_test_cases[] = {
	KUNIT_CASE(serdev_no_memory),
	{}
};

static struct kunit_suite serdev_test_suite = {
	.name = "atwifi_serdev",
	.test_cases = serdev_test_cases,
};

kunit_test_suites(&serdev_test_suite);
