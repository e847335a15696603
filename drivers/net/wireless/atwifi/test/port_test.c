// SPDX-License-Identifier: GPL-2.0-only
/* The ports that sockets have chosen. */
#include <kunit/test.h>
#include <linux/slab.h>

#include "../port.h"

#define ALL	(ATW_PORT_MAX - ATW_PORT_MIN + 1)

static struct atw_ports *fake_ports(struct kunit *test)
{
	struct atw_ports *ports = kunit_kzalloc(test, sizeof(*ports), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ports);
	atw_ports_init(ports);
	return ports;
}

static void port_numbers(struct kunit *test)
{
	struct atw_ports *ports = fake_ports(test);
	struct atw_port a = { .device = "" }, b = a, c = a;

	KUNIT_EXPECT_EQ(test, 0, atw_port_take(ports, &a, 80));
	KUNIT_EXPECT_EQ(test, (u16)80, a.number);
	KUNIT_EXPECT_EQ(test, -EADDRINUSE, atw_port_take(ports, &b, 80));
	KUNIT_EXPECT_EQ(test, (u16)0, b.number);
	KUNIT_EXPECT_EQ(test, 0, atw_port_take(ports, &b, 65535));
	KUNIT_EXPECT_EQ(test, 0, atw_port_take(ports, &c, 0));
	KUNIT_EXPECT_GE(test, c.number, ATW_PORT_MIN);
	KUNIT_EXPECT_NE(test, c.number, b.number);
	atw_port_drop(ports, &a);
	KUNIT_EXPECT_EQ(test, (u16)0, a.number);
	/* It has none. */
	atw_port_drop(ports, &a);
	KUNIT_EXPECT_EQ(test, 0, atw_port_take(ports, &a, 80));
	atw_port_drop(ports, &a);
	atw_port_drop(ports, &b);
	atw_port_drop(ports, &c);
	KUNIT_EXPECT_TRUE(test, xa_empty(&ports->taken));
}

/* Two modules are two hosts, one that is not named is all of them. */
static void port_devices(struct kunit *test)
{
	struct atw_port on[] = {
		{ .device = "atw0" }, { .device = "atw1" }, { .device = "atw2" },
	};
	struct atw_ports *ports = fake_ports(test);
	struct atw_port any = { .device = "" }, again = on[1];
	unsigned int i, first;

	/* Whichever of them is the first to go. */
	for (first = 0; first < ARRAY_SIZE(on); first++) {
		for (i = 0; i < ARRAY_SIZE(on); i++)
			KUNIT_EXPECT_EQ(test, 0, atw_port_take(ports, &on[i], 7));
		KUNIT_EXPECT_EQ(test, -EADDRINUSE,
				atw_port_take(ports, &again, 7));
		KUNIT_EXPECT_EQ(test, -EADDRINUSE, atw_port_take(ports, &any, 7));
		for (i = 0; i < ARRAY_SIZE(on); i++) {
			atw_port_drop(ports, &on[(first + i) % ARRAY_SIZE(on)]);
			if (i < 2)
				KUNIT_EXPECT_EQ(test, -EADDRINUSE,
						atw_port_take(ports, &any, 7));
		}
		KUNIT_EXPECT_TRUE(test, xa_empty(&ports->taken));
	}
	KUNIT_EXPECT_EQ(test, 0, atw_port_take(ports, &any, 7));
	KUNIT_EXPECT_EQ(test, -EADDRINUSE, atw_port_take(ports, &on[0], 7));
	atw_port_drop(ports, &any);
}

/* All that there are to choose from, then none, then the one that came back. */
static void port_all(struct kunit *test)
{
	struct atw_ports *ports = fake_ports(test);
	struct atw_port *port, one = { .device = "atw0" };
	unsigned int i;
	u16 number;

	port = kvcalloc(ALL, sizeof(*port), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, port);
	for (i = 0; i < ALL; i++) {
		port[i].device = "atw1";
		if (atw_port_take(ports, &port[i], 0))
			break;
	}
	KUNIT_EXPECT_EQ(test, i, ALL);
	KUNIT_EXPECT_EQ(test, -EADDRINUSE, atw_port_take(ports, &one, 0));
	number = port[1234].number;
	atw_port_drop(ports, &port[1234]);
	KUNIT_EXPECT_EQ(test, 0, atw_port_take(ports, &one, 0));
	KUNIT_EXPECT_EQ(test, number, one.number);
	atw_port_drop(ports, &one);
	for (i = 0; i < ALL; i++)
		atw_port_drop(ports, &port[i]);
	KUNIT_EXPECT_TRUE(test, xa_empty(&ports->taken));
	kvfree(port);
}

/* However many there are, whoever asks for any one has the kernel look at none of them. */
static void port_unseen(struct kunit *test)
{
	struct atw_ports *ports = fake_ports(test);
	struct atw_port one = { .device = "atw0" };
	unsigned long i;

	/* These are no pointers: the kernel does not survive to follow one. */
	for (i = ATW_PORT_MIN; i <= ATW_PORT_MAX; i++)
		KUNIT_ASSERT_FALSE(test, xa_err(xa_store(&ports->taken, i, xa_mk_value(i),
							 GFP_KERNEL)));
	KUNIT_EXPECT_EQ(test, -EADDRINUSE, atw_port_take(ports, &one, 0));
	xa_erase(&ports->taken, ATW_PORT_MIN + 1234);
	KUNIT_EXPECT_EQ(test, 0, atw_port_take(ports, &one, 0));
	KUNIT_EXPECT_EQ(test, ATW_PORT_MIN + 1234, (unsigned int)one.number);
	atw_port_drop(ports, &one);
	xa_destroy(&ports->taken);
}

static struct kunit_case port_cases[] = {
	KUNIT_CASE(port_numbers),
	KUNIT_CASE(port_devices),
	KUNIT_CASE(port_all),
	KUNIT_CASE(port_unseen),
	{ }
};

static struct kunit_suite port_suite = {
	.name = "atwifi_port",
	.test_cases = port_cases,
};

kunit_test_suites(&port_suite);
