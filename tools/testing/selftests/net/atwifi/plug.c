// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module on an adapter that is plugged in and taken out: what the rule for udev asks and
 * what the unit for systemd runs, which is atwctl (ATW_CTL), with a pty for the adapter.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "pattern.h"
#include "ptys.h"
#include "util.h"

#define ATTACH_DIR	"/etc/atwifi/attach.d"
/* As in /dev/serial/by-id. */
#define LINK		"/tmp/usb-Test_adapter-if00-port0"
#define FILE_OF_LINK	ATTACH_DIR "/usb-Test_adapter-if00-port0"

/* Run a shell command with $A for atwctl; returns its exit status. */
__attribute__((format(printf, 1, 2)))
static int sh(const char *fmt, ...)
{
	char text[2048], command[4096];
	int status;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(command, sizeof(command), "A=%s; %s", atw_env("ATW_CTL", "atwctl"), text);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool appears(const char *device)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/atwifi/%s", device);
	while (access(path, F_OK)) {
		if (atw_now_ms() > limit)
			return false;
		atw_pause_ms(5);
	}
	return true;
}

/* Sends what there is room for of a stream, from @at on, and that is something. */
static bool fill(int fd, uint32_t seed, uint64_t *at)
{
	uint64_t before = *at;
	uint8_t buf[4096];
	ssize_t n;

	for (;;) {
		pattern_fill(buf, sizeof(buf), seed, *at);
		n = send(fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n <= 0)
			break;
		*at += n;
	}
	return errno == EAGAIN && *at > before;
}

/* May anybody open it, as far as who had it attached is concerned? */
static bool is_given_back(const char *tty)
{
	int fd = open(tty, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	int exclusive = -1;

	if (fd >= 0) {
		ioctl(fd, TIOCGEXCL, &exclusive);
		close(fd);
	}
	return !exclusive;
}

TEST_F(line, plug_and_unplug)
{
	struct sim *sim = &self->sim[0];
	int down = -1, up = -1, err, i;
	uint64_t sent = 0;
	pid_t pid;

	ASSERT_EQ(0, sh("rm -rf %s", ATTACH_DIR));
	ASSERT_EQ(0, sh("$A attach --permanent " LINK " 230400 2>/dev/null"));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, sim_start(sim, "middleware", NULL, NULL));
		/* At this time udev has made no links yet; later it has. */
		unlink(LINK);
		ASSERT_EQ(1, sh("$A attach --wanted %s", sim->tty));
		ASSERT_EQ(0, sh("DEVLINKS='/dev/x " LINK "' $A attach --wanted %s", sim->tty));
		ASSERT_EQ(0, symlink(sim->tty, LINK));
		ASSERT_EQ(0, sh("$A attach --wanted %s", sim->tty));

		pid = unit(sim->tty);
		ASSERT_LT(0, pid);
		ASSERT_TRUE(appears(ATW_DEVICE));
		ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", UP_MS));
		EXPECT_EQ(0, sh("$A show | grep -q '^baud *230400$'"));
		EXPECT_TRUE(transfer(ATW_DEVICE, 1000));

		if (!i) {
			/* Taken out while streams go both ways: it has some of one. */
			up = peer_by(ATW_DEVICE, "sink 100000000 8");
			ASSERT_LE(0, up);
			ASSERT_TRUE(fill(up, 8, &sent));
			ASSERT_LT(0, atw_wait(up, POLLOUT, LONG_MS));
			/* Last, as it is not read, and its socket has room for some seconds. */
			down = peer_by(ATW_DEVICE, "source 100000000 7 1000 100");
			ASSERT_LE(0, down);
			ASSERT_LT(0, atw_wait(down, POLLIN, LONG_MS));
			ASSERT_TRUE(fill(up, 8, &sent));
			sim_end(sim);
			EXPECT_EQ(0, ends(pid));
			EXPECT_TRUE(devices_gone());
		} else {
			/* The streams of the one that was taken out know nothing of this one. */
			EXPECT_LE(0, atw_download(down, 100000000, 7, &err));
			EXPECT_STREQ("ENODEV", atw_errno_name(err));
			ASSERT_ERRNO(ENODEV, send(up, "x", 1, MSG_NOSIGNAL));
			close(down);
			close(up);
			/* The unit is stopped, and the emulator has the tty open, too. */
			kill(pid, SIGTERM);
			EXPECT_EQ(128 + SIGTERM, ends(pid));
			EXPECT_TRUE(devices_gone());
			EXPECT_TRUE(is_given_back(sim->tty));
			sim_end(sim);
		}
	}
	unlink(LINK);
}

/* In place of udev, which has a service of systemd's run that. */
#define UDEV	"mkdir -p /tmp/bin; printf '#!/bin/sh\n%%s attach %s >/dev/null 2>&1 &\n' $A " \
		">/tmp/bin/udevadm; chmod +x /tmp/bin/udevadm"

/* Whoever says that it is to stay can go on with the module as soon as that has ended. */
TEST_F(line, plugged_in_before)
{
	static const char command[] = "PATH=/tmp/bin:$PATH $A attach --permanent " LINK " 2>&1";
	char tty[64];
	int master;

	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", NULL, NULL));
	ASSERT_EQ(0, sh(UDEV "; ln -sf %s " LINK, self->sim[0].tty, self->sim[0].tty));
	EXPECT_EQ(1, sh("%s | grep .", command));
	EXPECT_EQ(0, sh("grep -Eq 'down|joined' /sys/class/atwifi/" ATW_DEVICE "/state"));
	/* One that is attached is so at another rate once its unit begins again. */
	ASSERT_EQ(0, sh("printf '#!/bin/sh\\necho $* >>/tmp/units\\n' >/tmp/bin/systemctl; "
			"chmod +x /tmp/bin/systemctl; mkdir -p /run/systemd/system"));
	EXPECT_EQ(0, sh("! %s | grep . && test ! -e /tmp/units", command));
	EXPECT_EQ(1, sh("PATH=/tmp/bin:$PATH $A attach --permanent " LINK " 921600 2>&1 | grep ."));
	EXPECT_EQ(0, sh("rmdir /run/systemd/system; "
			"echo try-restart atwifi-attach@%s.service | cmp - /tmp/units",
			strrchr(self->sim[0].tty, '/') + 1));
	sim_end(&self->sim[0]);
	ASSERT_TRUE(devices_gone());
	/* Or is told that there is none. */
	master = open_master(tty, sizeof(tty));
	ASSERT_LE(0, master);
	ASSERT_EQ(0, sh(UDEV "; ln -sf %s " LINK, tty, tty));
	EXPECT_EQ(0, sh("%s | grep -q 'no module was found'", command));
	EXPECT_EQ(0, sh("$A doctor >/tmp/said; test $? = 1 && grep '^wrong  " ATW_DEVICE
			" module: none answers at .* - look at its 3.3 V' /tmp/said"));
	close(master);
	ASSERT_TRUE(devices_gone());
	EXPECT_EQ(0, sh("rm -r " ATTACH_DIR " " LINK " /tmp/bin /tmp/units"));
}

enum { SPOKE = 1, TOOK = 2, NO_SESSION = 4 };

/* Has the tty as its controlling one, and tries when it is told; what of it went well. */
static pid_t user_of(const char *tty, int ready, int go)
{
	pid_t pid = fork();
	int fd, did = 0;
	char c = 'x';

	if (pid)
		return pid;
	signal(SIGHUP, SIG_IGN);
	setsid();
	fd = open(tty, O_RDWR | O_CLOEXEC);
	if (fd < 0 || tcgetsid(fd) != getpid())
		did |= NO_SESSION;
	if (write(ready, "x", 1) == 1 && read(go, &c, 1) == 1) {
		did |= ioctl(fd, TIOCSTI, &c) ? 0 : SPOKE;
		did |= set_ldisc(fd, N_TTY) ? 0 : TOOK;
	}
	_exit(did);
}

/* Who had the tty open before it is attached has nothing in his hands. */
TEST_F(line, opened_before)
{
	struct sim *sim = &self->sim[0];
	int ready[2], go[2];
	pid_t pid, user;
	char c;

	ASSERT_EQ(0, sim_start(sim, "middleware", NULL, NULL));
	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(go, O_CLOEXEC));
	user = user_of(sim->tty, ready[1], go[0]);
	ASSERT_LT(0, user);
	ASSERT_EQ(1, read(ready[0], &c, 1));
	pid = unit(sim->tty);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(appears(ATW_DEVICE));
	ASSERT_EQ(1, write(go[1], "x", 1));
	EXPECT_EQ(0, ends(user));
	/* It is the one who has it attached: a second one does not take it from him. */
	EXPECT_EQ(1, sh("$A attach %s 2>/dev/null", sim->tty));
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", UP_MS));
	EXPECT_TRUE(transfer(ATW_DEVICE, 1000));
	kill(pid, SIGTERM);
	EXPECT_EQ(128 + SIGTERM, ends(pid));
}

/* What is remembered of others is not for this one. */
TEST_F(line, among_others)
{
	pid_t pid;

	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", NULL, NULL));
	ASSERT_EQ(0, sh("rm -rf " ATTACH_DIR "; mkdir -p " ATTACH_DIR "; "
			"echo /dev/none 230400 >" ATTACH_DIR "/a; "
			"echo /dev/none2 460800 rtscts >" ATTACH_DIR "/b"));
	pid = unit(self->sim[0].tty);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(appears(ATW_DEVICE));
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", UP_MS));
	EXPECT_EQ(0, sh("$A show | grep -q '^baud *115200$'"));
	EXPECT_EQ(0, sh("$A doctor >/tmp/said; grep '^look   " ATW_DEVICE " rate: 115200 bit/s - "
			"921600 is usual' /tmp/said"));
	kill(pid, SIGTERM);
	EXPECT_EQ(128 + SIGTERM, ends(pid));
	EXPECT_EQ(0, sh("rm -r " ATTACH_DIR));
}

/* Somebody takes the line discipline off: the program has nothing to wait for. */
TEST_F(line, taken_off)
{
	pid_t pid;
	int fd;

	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", NULL, NULL));
	pid = unit(self->sim[0].tty);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(appears(ATW_DEVICE));
	fd = open(self->sim[0].tty, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, set_ldisc(fd, N_TTY));
	EXPECT_EQ(0, ends(pid));
	EXPECT_TRUE(is_given_back(self->sim[0].tty));
	close(fd);
}

TEST(remembered)
{
	ASSERT_EQ(0, sh("rm -rf %s", ATTACH_DIR));
	/* Nothing is remembered, and nothing is wanted. */
	EXPECT_EQ(1, sh("$A attach --wanted /dev/null"));
	/* It may be plugged in later; or its name was copied with a letter wrong. */
	EXPECT_EQ(0, sh("$A attach --permanent " LINK " 2>/tmp/said && "
			"grep -q '" LINK " is not there' /tmp/said"));
	EXPECT_EQ(0, sh("echo " LINK " 115200 | cmp -s - " FILE_OF_LINK));
	EXPECT_EQ(0, sh("$A attach --permanent " LINK " 921600 rtscts 2>/dev/null"));
	EXPECT_EQ(0, sh("echo " LINK " 921600 rtscts | cmp -s - " FILE_OF_LINK));
	/* What cannot be written takes the place of nothing, and leaves nothing. */
	EXPECT_EQ(1, sh("(trap '' XFSZ; ulimit -f 0; $A attach --permanent " LINK " 2>/dev/null)"));
	EXPECT_EQ(0, sh("echo " LINK " 921600 rtscts | cmp -s - " FILE_OF_LINK));
	EXPECT_EQ(0, sh("test \"$(ls -A " ATTACH_DIR ")\" = $(basename " LINK ")"));
	/* By its name, and not by that of another which begins or ends like it. */
	EXPECT_EQ(0, sh("$A attach --wanted " LINK));
	EXPECT_EQ(1, sh("$A attach --wanted " LINK "1"));
	EXPECT_EQ(1, sh("DEVLINKS='" LINK "1 /x" LINK "' $A attach --wanted /dev/null"));
	EXPECT_EQ(0, sh("DEVLINKS='" LINK "1 " LINK "' $A attach --wanted /dev/null"));
	/* A name of today, paths that are none, and what is no rate. */
	EXPECT_EQ(2, sh("$A attach --permanent /dev/ttyUSB0 2>/dev/null"));
	EXPECT_EQ(2, sh("$A attach --permanent ttyS0 2>/dev/null"));
	EXPECT_EQ(2, sh("$A attach --permanent /dev/ 2>/dev/null"));
	EXPECT_EQ(2, sh("$A attach --permanent '/dev/a b' 2>/dev/null"));
	EXPECT_EQ(2, sh("$A attach --permanent " LINK " 12 2>/dev/null"));
	EXPECT_EQ(2, sh("$A attach --permanent " LINK " -9600 2>/dev/null"));
	EXPECT_EQ(2, sh("$A attach --permanent " LINK " 9600 xonxoff 2>/dev/null"));
	/* A file with nonsense hides no other. */
	EXPECT_EQ(0, sh("echo nonsense >" ATTACH_DIR "/a; echo '# x' >" ATTACH_DIR "/b"));
	EXPECT_EQ(0, sh("$A attach --wanted " LINK " 2>&1 | grep -q attach.d/a"));
	EXPECT_EQ(0, sh("$A attach --wanted " LINK " 2>/dev/null"));
	/* With a comment first. */
	EXPECT_EQ(0, sh("printf '# mine\\n\\n/dev/x 9600\\n' >" ATTACH_DIR "/b"));
	EXPECT_EQ(0, sh("$A attach --wanted /dev/x 2>/dev/null"));
	EXPECT_EQ(0, sh("rm -r " ATTACH_DIR));
	EXPECT_EQ(1, sh("$A attach --wanted " LINK));
}

/* What cannot be attached is said. */
TEST(refused)
{
	EXPECT_EQ(0, sh("$A attach /dev/nonexistent 2>&1 | grep -q 'No such file'"));
	EXPECT_EQ(0, sh("$A attach /dev/null 2>&1 | grep -q 'not a tty'"));
	EXPECT_EQ(2, sh("$A attach 2>/dev/null"));
	EXPECT_EQ(0, devices());
}

TEST_HARNESS_MAIN
