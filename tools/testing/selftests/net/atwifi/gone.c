// SPDX-License-Identifier: GPL-2.0-only
/*
 * A board's device goes away: its driver is taken off it, or is removed. What is left of
 * sockets is as on a tty, see attach.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <linux/tty.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "ends.h"
#include "util.h"

#define DRIVER	"/sys/bus/serial/drivers/atwifi"
#define MODULE	"/atwifi.ko"
#define UARTS	"/sys/bus/pci/drivers/serial"

FIXTURE(gone)
{
	struct ends ends;
};

FIXTURE_SETUP(gone)
{
	if (access(DRIVER, F_OK) || access(MODULE, R_OK)) {
		SKIP(return, "needs the virtual board");
	}
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
}

FIXTURE_TEARDOWN(gone)
{
	if (atw_has_sim()) {
		EXPECT_EQ(0, atw_hold(HOLD_ENDS));
		EXPECT_EQ(0, atw_hold(HOLD_USUAL));
	}
}

static int delete_module(void)
{
	return syscall(SYS_delete_module, "atwifi", O_NONBLOCK);
}

static int insert_module(void)
{
	int fd = open(MODULE, O_RDONLY | O_CLOEXEC), ret;

	ret = fd < 0 ? -1 : syscall(SYS_finit_module, fd, "", 0);
	close(fd);
	return ret;
}

TEST_F(gone, unbound)
{
	ASSERT_TRUE(ends_begin(&self->ends, ATW_DEVICE, -1));
	ASSERT_EQ(0, atw_write(DRIVER "/unbind", "serial0-0"));
	ASSERT_NE(0, access("/sys/class/atwifi/" ATW_DEVICE, F_OK));
	EXPECT_TRUE(ends_are_told(&self->ends));
	ASSERT_EQ(0, atw_write(DRIVER "/bind", "serial0-0"));
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
	EXPECT_TRUE(ends_work_again(&self->ends));
}

/*
 * The UART below a tty with a module, of which nothing may hang on what goes before the tty is
 * hung up: the kernel would have a word about that, for which the runner looks.
 */
TEST_F(gone, uart_unbound)
{
	int ldisc = N_DEVELOPMENT, fd;
	char tty[32], uart[32];
	glob_t g;

	ASSERT_EQ(0, glob(UARTS "/*/tty/ttyS*", 0, NULL, &g));
	snprintf(tty, sizeof(tty), "/dev/%s", basename(g.gl_pathv[0]));
	snprintf(uart, sizeof(uart), "%s", basename(dirname(dirname(g.gl_pathv[0]))));
	globfree(&g);

	fd = open(tty, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ioctl(fd, TIOCSETD, &ldisc));
	ASSERT_EQ(0, access("/sys/class/atwifi/atw1", F_OK));
	ASSERT_EQ(0, atw_write(UARTS "/unbind", uart));
	ASSERT_NE(0, access("/sys/class/atwifi/atw1", F_OK));
	close(fd);
	ASSERT_EQ(0, atw_write(UARTS "/bind", uart));
}

/* Once nothing is left of sockets that were closed a moment ago, by an earlier test, too. */
static bool module_goes(void)
{
	return atw_becomes(!delete_module() || errno != EAGAIN, LONG_MS) &&
	       access("/sys/module/atwifi", F_OK);
}

/*
 * As long as a program has a socket the driver stays, and until what it sent before it
 * closed one is sent, which the module takes nothing of while it connects.
 */
TEST_F(gone, removed)
{
	ASSERT_EQ(0, atw_hold(HOLD_LONG));
	ASSERT_TRUE(ends_begin(&self->ends, ATW_DEVICE, -1));
	ASSERT_ERRNO(EAGAIN, delete_module());
	ends_close(&self->ends);
	ASSERT_ERRNO(EAGAIN, delete_module());
	ASSERT_EQ(0, atw_hold(HOLD_ENDS));
	ASSERT_TRUE(module_goes());
	ASSERT_NE(0, access("/sys/class/atwifi/" ATW_DEVICE, F_OK));
	ASSERT_EQ(0, insert_module());
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
	ASSERT_LE(0, atw_peer("echo"));
}

/* At any moment of its way to a network, and while nothing is known of a module yet. */
TEST_F(gone, removed_early)
{
	int i;

	for (i = 0; i < 6; i++) {
		ASSERT_TRUE(module_goes());
		ASSERT_NE(0, access("/sys/class/atwifi/" ATW_DEVICE, F_OK));
		ASSERT_EQ(0, insert_module());
		atw_pause_ms(i * i * 50);
	}
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
	ASSERT_LE(0, atw_peer("echo"));
}

TEST_HARNESS_MAIN
