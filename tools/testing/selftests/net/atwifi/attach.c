// SPDX-License-Identifier: GPL-2.0
/*
 * Attaching the line discipline to a tty and taking it off, at every moment,
 * and bringing up a module that is in any state.
 *
 * The module is an emulator (ATW_SIM) behind a pty of this machine, its peer
 * (ATW_PEER) runs here, too. The driver is loaded, nothing is attached.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <linux/capability.h>

#include "kselftest_harness.h"
#include "ends.h"
#include "pattern.h"
#include "util.h"

#define N_ATWIFI	29
#define DEVICES		8
/* From the attaching to "joined", whatever state the module was in. */
#define UP_MS		LONG_MS
/*
 * Taking it off waits for nothing that the module does or does not: the driver's
 * time-outs for that are of 5 s and more.
 */
#define DETACH_MS	4500

struct sim {
	pid_t pid;
	char tty[64];
	char control[64];
};

static pid_t spawn(char *const argv[], char *line, size_t size)
{
	int out[2];
	size_t n = 0;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], 1);
		close(0);
		open("/dev/null", O_RDONLY);
		execv(argv[0], argv);
		_exit(127);
	}
	close(out[1]);
	while (n < size - 1 && atw_wait(out[0], POLLIN, LONG_MS) > 0 &&
	       read(out[0], line + n, 1) == 1 && line[n] != '\n')
		n++;
	line[n] = '\0';
	close(out[0]);
	return n ? pid : -1;
}

static void end(pid_t pid, int sig)
{
	if (pid > 0) {
		kill(pid, sig);
		waitpid(pid, NULL, 0);
	}
}

/* Starts a module; more arguments, up to a NULL. */
static int sim_start(struct sim *sim, const char *profile, const char *a, const char *b)
{
	static int count;
	char *const argv[] = {
		(char *)atw_env("ATW_SIM", "atsim"), "--pty", "--profile", (char *)profile,
		"--control", sim->control, "--map", "192.0.2.0/24=127.0.0.0",
		(char *)a, (char *)b, NULL
	};

	snprintf(sim->control, sizeof(sim->control), "/tmp/atwifi-control.%d.%d", getpid(),
		 count++);
	sim->pid = spawn(argv, sim->tty, sizeof(sim->tty));
	return sim->pid > 0 ? 0 : -1;
}

static void sim_end(struct sim *sim)
{
	end(sim->pid, SIGTERM);
	sim->pid = 0;
	unlink(sim->control);
}

static long sim_stat(struct sim *sim, const char *name)
{
	setenv("ATW_SIM_CONTROL", sim->control, 1);
	return atw_sim_stat(name);
}

static int sim_tell(struct sim *sim, const char *command)
{
	return atw_sim_at(sim->control, NULL, 0, command);
}

static int open_tty(const char *path, speed_t speed)
{
	struct termios tio;
	int fd;

	fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || tcgetattr(fd, &tio))
		return -1;
	cfmakeraw(&tio);
	tio.c_cflag |= CLOCAL | CREAD;
	cfsetspeed(&tio, speed);
	if (tcsetattr(fd, TCSANOW, &tio)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int set_ldisc(int fd, int ldisc)
{
	return ioctl(fd, TIOCSETD, &ldisc);
}

/* Bits of the devices that there are. */
static unsigned int devices(void)
{
	unsigned int mask = 0, i;
	char path[64];

	for (i = 0; i < DEVICES; i++) {
		snprintf(path, sizeof(path), "/sys/class/atwifi/atw%u", i);
		if (!access(path, F_OK))
			mask |= 1 << i;
	}
	return mask;
}

/* Attaches; the number of the new device, -1 and errno if it failed. */
static int attach(const char *tty, speed_t speed, int *fd, char *device, size_t size)
{
	unsigned int before = devices(), mask;

	*fd = open_tty(tty, speed);
	if (*fd < 0)
		return -1;
	if (set_ldisc(*fd, N_ATWIFI))
		return -1;
	mask = devices() & ~before;
	if (!mask) {
		errno = ENOENT;
		return -1;
	}
	snprintf(device, size, "atw%d", __builtin_ctz(mask));
	return 0;
}

/* How long it took, in ms; -1 if it failed. */
static int detach(int fd)
{
	uint64_t start = atw_now_ms();

	if (set_ldisc(fd, N_TTY))
		return -1;
	return atw_now_ms() - start;
}

static bool devices_gone(void)
{
	uint64_t limit = atw_now_ms() + LONG_MS;

	while (devices()) {
		if (atw_now_ms() > limit)
			return false;
		atw_pause_ms(5);
	}
	return true;
}

/* A command of ours on the bare line: the answer must hold @want, within some time. */
static bool raw_within(int fd, const char *command, const char *want, int ms)
{
	uint64_t limit = atw_now_ms() + ms;
	char buf[4096];
	size_t n = 0;
	ssize_t got;

	if (write(fd, command, strlen(command)) != (ssize_t)strlen(command))
		return false;
	while (n < sizeof(buf) - 1 && atw_now_ms() < limit) {
		if (atw_wait(fd, POLLIN, 100) <= 0)
			continue;
		got = read(fd, buf + n, sizeof(buf) - 1 - n);
		if (got <= 0)
			return false;
		n += got;
		buf[n] = '\0';
		if (strstr(buf, want))
			return true;
		if (strstr(buf, "ERROR"))
			return false;
	}
	return false;
}

static bool raw(int fd, const char *command, const char *want)
{
	return raw_within(fd, command, want, LONG_MS);
}

/* The same to a module that may be starting, and then answers nothing. */
static bool raw_until(int fd, const char *command, const char *want)
{
	uint64_t limit = atw_now_ms() + LONG_MS;

	while (!raw_within(fd, command, want, 3000)) {
		if (atw_now_ms() > limit)
			return false;
		atw_pause_ms(50);
	}
	return true;
}

/* A socket that is bound to a device and connected to the peer. */
static int peer_by(const char *device, const char *what)
{
	int fd = atw_socket(SOCK_STREAM);

	if (fd >= 0 &&
	    !setsockopt(fd, SOL_ATWIFI, ATW_BINDTODEVICE, device, strlen(device) + 1) &&
	    !atw_peer_on(fd, "%s", what))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool transfer(const char *device, size_t bytes)
{
	char what[64], line[32], ok[32];
	int fd, err;
	bool good;

	snprintf(what, sizeof(what), "source %zu 91", bytes);
	fd = peer_by(device, what);
	if (fd < 0)
		return false;
	good = atw_download(fd, bytes, 91, &err) == (int64_t)bytes;
	close(fd);
	snprintf(what, sizeof(what), "sink %zu 92", bytes);
	snprintf(ok, sizeof(ok), "ok %zu", bytes);
	fd = peer_by(device, what);
	if (fd < 0)
		return false;
	good = good && !atw_upload(fd, bytes, 92) && atw_recv_line(fd, line, sizeof(line)) > 0 &&
	       !strcmp(line, ok);
	close(fd);
	return good;
}

/*
 * A connection, and a transfer, of a module that may be about to find out that it has
 * restarted, or that bytes of it were thrown away, and fails until then.
 */
static int peer_in_time(const char *device, const char *what)
{
	uint64_t limit = atw_now_ms() + UP_MS;
	int fd;

	while ((fd = peer_by(device, what)) < 0 && atw_now_ms() < limit)
		atw_pause_ms(50);
	return fd;
}

static bool transfers_in_time(const char *device, size_t bytes)
{
	uint64_t limit = atw_now_ms() + UP_MS;
	bool good;

	while (!(good = transfer(device, bytes)) && atw_now_ms() < limit)
		atw_pause_ms(50);
	return good;
}

static bool all_programs(void)
{
	return *atw_env("ATW_SIM", "") && *atw_env("ATW_PEER", "");
}

static pid_t start_peer(void)
{
	char *const argv[] = { (char *)atw_env("ATW_PEER", ""), NULL };
	char line[64] = "", port[16], greet[16];
	pid_t pid;

	pid = spawn(argv, line, sizeof(line));
	if (sscanf(line, "%15s %15s", port, greet) != 2)
		return -1;
	setenv("ATW_PEER_PORT", port, 1);
	setenv("ATW_GREET_PORT", greet, 1);
	setenv("ATW_HOST", "192.0.2.1", 1);
	return pid;
}

/*
 * Bringing up a module in whatever state, for each family of firmware.
 */
FIXTURE(module)
{
	struct sim sim;
	pid_t peer;
	int tty;
	char device[16];
};

FIXTURE_VARIANT(module)
{
	const char *profile;
};

/* As classic, and starts without a "ready". */
FIXTURE_VARIANT_ADD(module, bw16) { "bw16" };
FIXTURE_VARIANT_ADD(module, middleware) { "middleware" };
FIXTURE_VARIANT_ADD(module, bw20) { "bw20" };

FIXTURE_SETUP(module)
{
	self->tty = -1;
	if (!all_programs()) {
		SKIP(return, "no emulator or no peer for this machine");
	}
	ASSERT_EQ(0, devices());
	self->peer = start_peer();
	ASSERT_LT(0, self->peer);
	ASSERT_EQ(0, sim_start(&self->sim, variant->profile, NULL, NULL));
}

FIXTURE_TEARDOWN(module)
{
	if (self->tty >= 0)
		close(self->tty);
	sim_end(&self->sim);
	end(self->peer, SIGTERM);
	if (all_programs()) {
		EXPECT_TRUE(devices_gone());
	}
}

TEST_F(module, transfer_and_detach)
{
	char byte;
	int fd;

	ASSERT_EQ(0, attach(self->sim.tty, B115200, &self->tty, self->device,
			    sizeof(self->device)));
	ASSERT_TRUE(atw_state_becomes(self->device, "joined", UP_MS));
	ASSERT_TRUE(transfer(self->device, 50000));
	fd = peer_by(self->device, "echo");
	ASSERT_LE(0, fd);
	ASSERT_TRUE(atw_echo_works(fd, 1, 200));
	/* The module was just starting: that is no reason to begin again. */
	EXPECT_EQ(1, atw_stat(self->device, "bringups"));
	ASSERT_GT(DETACH_MS, (unsigned int)detach(self->tty));
	ASSERT_ERRNO(ENODEV, recv(fd, &byte, 1, 0));
	ASSERT_ERRNO(EPIPE, send(fd, "x", 1, MSG_NOSIGNAL));
	EXPECT_EQ(0, devices());
	close(fd);
	/* The line is an ordinary one again, the module as it was. */
	EXPECT_TRUE(raw_until(self->tty, "AT\r\n", "OK\r\n"));
}

/* The host died while it sent: the module waits for the rest of the payload. */
TEST_F(module, left_in_payload)
{
	self->tty = open_tty(self->sim.tty, B115200);
	ASSERT_LE(0, self->tty);
	ASSERT_TRUE(raw_until(self->tty, "AT\r\n", "OK\r\n"));
	ASSERT_TRUE(raw(self->tty, "AT+SSLCRET=1,900\r\n", ">"));
	ASSERT_EQ(5, write(self->tty, "-----", 5));
	close(self->tty);
	ASSERT_EQ(0, attach(self->sim.tty, B115200, &self->tty, self->device,
			    sizeof(self->device)));
	ASSERT_TRUE(atw_state_becomes(self->device, "joined", UP_MS));
	EXPECT_TRUE(transfer(self->device, 5000));
}

TEST_F(module, left_in_transparent_mode)
{
	char command[64];

	self->tty = open_tty(self->sim.tty, B115200);
	ASSERT_LE(0, self->tty);
	snprintf(command, sizeof(command), "AT+SOCKET=4,192.0.2.1,%d\r\n", atw_peer_port());
	ASSERT_TRUE(raw_until(self->tty, command, "OK\r\n"));
	ASSERT_TRUE(raw(self->tty, "AT+SOCKETTT\r\n", ">"));
	/* What comes back meanwhile is no answer of the module. */
	ASSERT_TRUE(raw(self->tty, "echo\r\n\r\nOK\r\n", "OK"));
	close(self->tty);
	ASSERT_EQ(0, attach(self->sim.tty, B115200, &self->tty, self->device,
			    sizeof(self->device)));
	ASSERT_TRUE(atw_state_becomes(self->device, "joined", UP_MS));
	EXPECT_TRUE(transfer(self->device, 5000));
}

/* The line is given back: the module takes commands again, its remote got no more. */
TEST_F(module, detached_in_transparent_mode)
{
	uint64_t limit;
	int fd, on = 1;
	char byte;

	ASSERT_EQ(0, attach(self->sim.tty, B115200, &self->tty, self->device,
			    sizeof(self->device)));
	ASSERT_TRUE(atw_state_becomes(self->device, "joined", UP_MS));
	fd = peer_by(self->device, "echo");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setsockopt(fd, SOL_ATWIFI, ATW_TRANSPARENT, &on, sizeof(on)));
	ASSERT_TRUE(atw_echo_works(fd, 1, 1));
	ASSERT_LE(0, detach(self->tty));
	ASSERT_ERRNO(ENODEV, recv(fd, &byte, 1, 0));
	close(fd);
	/* What was written last may be on its way. */
	limit = atw_now_ms() + LONG_MS;
	while (sim_stat(&self->sim, "tt")) {
		ASSERT_LT(atw_now_ms(), limit);
		atw_pause_ms(20);
	}
	EXPECT_EQ(0, sim_stat(&self->sim, "tt-plus-lost"));
	EXPECT_TRUE(raw_until(self->tty, "AT\r\n", "OK\r\n"));
}

/* Sockets of the host's life before: closed, so that all are ours. */
TEST_F(module, stale_sockets)
{
	int fd[16], i, max = atw_max_sockets();
	char command[64];

	self->tty = open_tty(self->sim.tty, B115200);
	ASSERT_LE(0, self->tty);
	snprintf(command, sizeof(command), "AT+SOCKET=4,192.0.2.1,%d\r\n", atw_peer_port());
	ASSERT_TRUE(raw_until(self->tty, command, "OK\r\n"));
	for (i = 1; i < max; i++) {
		ASSERT_TRUE(raw(self->tty, command, "OK\r\n"));
	}
	ASSERT_EQ(max, sim_stat(&self->sim, "sockets"));
	close(self->tty);
	ASSERT_EQ(0, attach(self->sim.tty, B115200, &self->tty, self->device,
			    sizeof(self->device)));
	ASSERT_TRUE(atw_state_becomes(self->device, "joined", UP_MS));
	for (i = 0; i < max; i++) {
		fd[i] = peer_by(self->device, "echo");
		ASSERT_LE(0, fd[i]);
		ASSERT_TRUE(atw_echo_works(fd[i], i, 100));
	}
}

/* A module that restarts while it is being brought up. */
TEST_F(module, banner_at_any_moment)
{
	static const int after_ms[] = { 0, 20, 60, 150, 300, 450, 700, 1000 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(after_ms); i++) {
		ASSERT_EQ(0, attach(self->sim.tty, B115200, &self->tty, self->device,
				    sizeof(self->device)));
		atw_pause_ms(after_ms[i]);
		ASSERT_EQ(0, sim_tell(&self->sim, "reset"));
		ASSERT_TRUE(atw_state_becomes(self->device, "joined", UP_MS)) {
			TH_LOG("reset %d ms after the attaching", after_ms[i]);
		}
		/* It may have been joined before the reset was noticed. */
		ASSERT_TRUE(transfers_in_time(self->device, 3000));
		ASSERT_GT(DETACH_MS, (unsigned int)detach(self->tty));
		close(self->tty);
		self->tty = -1;
	}
}

TEST_F(module, hangup_in_transfer)
{
	uint8_t buf[4096] = { 0 };
	int down, up, err;
	int64_t got;

	ASSERT_EQ(0, attach(self->sim.tty, B115200, &self->tty, self->device,
			    sizeof(self->device)));
	ASSERT_TRUE(atw_state_becomes(self->device, "joined", UP_MS));
	down = peer_by(self->device, "source 100000000 5 1000 2");
	ASSERT_LE(0, down);
	up = peer_by(self->device, "sink 100000000 6");
	ASSERT_LE(0, up);
	while (send(up, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	ASSERT_EQ(20000, atw_download(down, 20000, 5, &err));
	/* The adapter is unplugged. */
	end(self->sim.pid, SIGKILL);
	self->sim.pid = 0;
	got = 20000;
	for (;;) {
		ssize_t n = recv(down, buf, sizeof(buf), 0);

		if (n < 0)
			break;
		ASSERT_NE(0, n);
		ASSERT_EQ(-1, pattern_check(buf, n, 5, got));
		got += n;
	}
	ASSERT_STREQ("ENODEV", atw_errno_name(errno));
	ASSERT_TRUE(devices_gone());
	ASSERT_ERRNO(ENODEV, send(up, "x", 1, MSG_NOSIGNAL));
	EXPECT_EQ(0, close(down));
	EXPECT_EQ(0, close(up));
	EXPECT_TRUE(atw_listed_becomes(0, LONG_MS));
}

/*
 * What depends on the driver and not on the firmware.
 */
FIXTURE(line)
{
	struct sim sim[3];
	pid_t peer;
	int tty[3];
	char device[3][16];
};

FIXTURE_SETUP(line)
{
	memset(self, 0, sizeof(*self));
	memset(self->tty, 0xff, sizeof(self->tty));
	if (!all_programs()) {
		SKIP(return, "no emulator or no peer for this machine");
	}
	ASSERT_EQ(0, devices());
	self->peer = start_peer();
	ASSERT_LT(0, self->peer);
}

FIXTURE_TEARDOWN(line)
{
	int i;

	for (i = 0; i < 3; i++) {
		if (self->tty[i] >= 0)
			close(self->tty[i]);
		sim_end(&self->sim[i]);
	}
	end(self->peer, SIGTERM);
	if (all_programs()) {
		EXPECT_TRUE(devices_gone());
	}
}

TEST_F(line, needs_net_admin)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct cap[2];
	int master, fd, ldisc;
	char *name;

	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ASSERT_LE(0, master);
	ASSERT_EQ(0, unlockpt(master));
	name = ptsname(master);
	ASSERT_NE(NULL, name);
	fd = open_tty(name, B115200);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, syscall(SYS_capget, &head, cap));
	cap[0].effective &= ~(1U << CAP_NET_ADMIN);
	ASSERT_EQ(0, syscall(SYS_capset, &head, cap));
	ASSERT_ERRNO(EPERM, set_ldisc(fd, N_ATWIFI));
	/* Nothing has changed. */
	ASSERT_EQ(0, ioctl(fd, TIOCGETD, &ldisc));
	EXPECT_EQ(N_TTY, ldisc);
	EXPECT_EQ(0, devices());
	cap[0].effective |= 1U << CAP_NET_ADMIN;
	ASSERT_EQ(0, syscall(SYS_capset, &head, cap));
	ASSERT_EQ(0, set_ldisc(fd, N_ATWIFI));
	EXPECT_NE(0, devices());
	close(fd);
	close(master);
}

/* The line belongs to the driver: programs neither read nor write beside it. */
TEST_F(line, not_for_programs)
{
	char buf[16];

	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", NULL, NULL));
	ASSERT_EQ(0, attach(self->sim[0].tty, B115200, &self->tty[0], self->device[0], 16));
	ASSERT_EQ(0, fcntl(self->tty[0], F_SETFL, O_NONBLOCK));
	ASSERT_EQ(-1, write(self->tty[0], "AT+RST\r\n", 8));
	ASSERT_EQ(-1, read(self->tty[0], buf, sizeof(buf)));
	ASSERT_TRUE(atw_state_becomes(self->device[0], "joined", UP_MS));
	EXPECT_EQ(1, sim_stat(&self->sim[0], "uptime-boots"));
	EXPECT_TRUE(transfer(self->device[0], 1000));
}

TEST_F(line, settings_stay)
{
	struct termios tio, again;
	int fd;

	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", NULL, NULL));
	ASSERT_EQ(0, attach(self->sim[0].tty, B115200, &self->tty[0], self->device[0], 16));
	fd = open(self->sim[0].tty, O_RDWR | O_NOCTTY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, tcgetattr(fd, &tio));
	EXPECT_EQ(B115200, cfgetospeed(&tio));
	again = tio;
	again.c_iflag |= ISTRIP;
	cfsetspeed(&again, B9600);
	ASSERT_ERRNO(EBUSY, tcsetattr(fd, TCSANOW, &again));
	ASSERT_ERRNO(EBUSY, tcsetattr(fd, TCSADRAIN, &again));
	ASSERT_ERRNO(EBUSY, tcsetattr(fd, TCSAFLUSH, &again));
	ASSERT_ERRNO(EBUSY, tcflush(fd, TCOFLUSH));
	ASSERT_EQ(0, tcgetattr(fd, &again));
	EXPECT_EQ(tio.c_iflag, again.c_iflag);
	EXPECT_EQ(B115200, cfgetospeed(&again));
	ASSERT_TRUE(atw_state_becomes(self->device[0], "joined", UP_MS));
	EXPECT_TRUE(transfer(self->device[0], 1000));
	/* They are free again with the line. */
	ASSERT_LE(0, detach(self->tty[0]));
	EXPECT_EQ(0, tcsetattr(fd, TCSANOW, &tio));
	close(fd);
}

/* Somebody throws away what has come, ever again: no stream has a hole from it. */
TEST_F(line, flushed_in_transfer)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	const int64_t bytes = 3000000;
	int fd, down, ended = 0;
	uint8_t buf[4096];
	int64_t got;
	ssize_t n;

	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", "--baud", "0"));
	ASSERT_EQ(0, attach(self->sim[0].tty, B115200, &self->tty[0], self->device[0], 16));
	fd = open(self->sim[0].tty, O_RDWR | O_NOCTTY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	/* It may come too late for anything, ever again: until it has not. */
	while (ended < 3 && (!ended || atw_now_ms() < limit)) {
		ASSERT_LT(atw_now_ms(), limit + LONG_MS);
		ASSERT_TRUE(atw_state_becomes(self->device[0], "joined", UP_MS));
		down = peer_in_time(self->device[0], "source 3000000 7");
		ASSERT_LE(0, down);
		got = 0;
		while ((n = recv(down, buf, sizeof(buf), 0)) > 0) {
			ASSERT_EQ(-1, pattern_check(buf, n, 7, got)) {
				TH_LOG("at %lld", (long long)got);
			}
			got += n;
			ASSERT_EQ(0, tcflush(fd, got & 1 ? TCIFLUSH : TCIOFLUSH));
		}
		if (n < 0) {
			ASSERT_STREQ("ECONNRESET", atw_errno_name(errno));
			ended++;
		} else {
			ASSERT_EQ(bytes, got);
		}
		close(down);
	}
	close(fd);
	/* And all is well when that has its end. */
	ASSERT_TRUE(atw_state_becomes(self->device[0], "joined", UP_MS));
	EXPECT_TRUE(transfers_in_time(self->device[0], 20000));
}

TEST_F(line, three_modules)
{
	static const char *const profile[] = { "classic", "middleware", "bw20" };
	int fd[3][2], i, j;
	char *list;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, sim_start(&self->sim[i], profile[i], NULL, NULL));
		ASSERT_EQ(0, attach(self->sim[i].tty, B115200, &self->tty[i], self->device[i],
				    16));
	}
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(atw_state_becomes(self->device[i], "joined", UP_MS));
	}
	for (j = 0; j < 2; j++) {
		for (i = 0; i < 3; i++) {
			fd[i][j] = peer_by(self->device[i], "echo");
			ASSERT_LE(0, fd[i][j]);
			ASSERT_TRUE(atw_echo_works(fd[i][j], i, 500));
		}
	}
	/* Each on the module that was asked for. */
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(2, sim_stat(&self->sim[i], "sockets"));
		list = atw_slurp(ATW_PROC);
		ASSERT_NE(NULL, list);
		EXPECT_NE(NULL, strstr(list, self->device[i]));
		free(list);
	}
	/* One leaves, the others stay. */
	ASSERT_GT(DETACH_MS, (unsigned int)detach(self->tty[1]));
	ASSERT_ERRNO(ENODEV, recv(fd[1][0], fd, 1, 0));
	for (i = 0; i < 3; i += 2) {
		ASSERT_TRUE(atw_echo_works(fd[i][0], i, 500));
		ASSERT_TRUE(atw_echo_works(fd[i][1], i, 500));
	}
	/* And comes back under the number that is free. */
	close(self->tty[1]);
	ASSERT_EQ(0, attach(self->sim[1].tty, B115200, &self->tty[1], self->device[1], 16));
	ASSERT_TRUE(atw_state_becomes(self->device[1], "joined", UP_MS));
	EXPECT_TRUE(transfer(self->device[1], 3000));
}

/* A socket that asks for no device gets one that is joined. */
TEST_F(line, any_joined_module)
{
	char device[16] = "";
	socklen_t len = sizeof(device);
	int fd;

	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", "--no-autojoin", NULL));
	ASSERT_EQ(0, attach(self->sim[0].tty, B115200, &self->tty[0], self->device[0], 16));
	ASSERT_TRUE(atw_state_becomes(self->device[0], "down", UP_MS));
	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_ERRNO(ENETDOWN, atw_connect_host(fd, atw_peer_port()));
	ASSERT_EQ(0, sim_start(&self->sim[1], "middleware", NULL, NULL));
	ASSERT_EQ(0, attach(self->sim[1].tty, B115200, &self->tty[1], self->device[1], 16));
	ASSERT_TRUE(atw_state_becomes(self->device[1], "joined", UP_MS));
	ASSERT_EQ(0, atw_peer_on(fd, "echo"));
	EXPECT_TRUE(atw_echo_works(fd, 1, 64));
	EXPECT_EQ(1, sim_stat(&self->sim[1], "sockets"));
	ASSERT_EQ(0, getsockopt(fd, SOL_ATWIFI, ATW_BINDTODEVICE, device, &len));
}

static bool file_says(const char *device, const char *file, const char *want)
{
	char path[64];
	char *text;
	bool same;

	snprintf(path, sizeof(path), "/sys/class/atwifi/%s/%s", device, file);
	text = atw_slurp(path);
	same = text && !strcmp(text, want);
	free(text);
	return same;
}

/* The module runs at another rate than the line: found, and raised. */
TEST_F(line, wrong_rate)
{
	static const char *const rate[] = {
		"115200", "9600", "460800", "921600", "3000000", "4000000",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rate); i++) {
		ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", "--uart-rate", rate[i]));
		ASSERT_EQ(0, attach(self->sim[0].tty, B921600, &self->tty[0], self->device[0],
				    16));
		ASSERT_TRUE(atw_state_becomes(self->device[0], "joined", UP_MS)) {
			TH_LOG("the module runs at %s", rate[i]);
		}
		EXPECT_TRUE(file_says(self->device[0], "baud", "921600\n"));
		ASSERT_TRUE(transfer(self->device[0], 20000));
		ASSERT_GT(DETACH_MS, (unsigned int)detach(self->tty[0]));
		close(self->tty[0]);
		self->tty[0] = -1;
		sim_end(&self->sim[0]);
	}
}

static bool restart(struct sim *sim, const char *device)
{
	setenv("ATW_SIM_CONTROL", sim->control, 1);
	return atw_reset_module(device);
}

/* Firmware that swallows what is longer than 1024 bytes: one upload fails, no other. */
TEST_F(line, long_sends_swallowed)
{
	int fd, i;
	char byte;

	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", "--quirk", "send-max=1024"));
	/* At lower rates no more are sent at a time. */
	ASSERT_EQ(0, attach(self->sim[0].tty, B921600, &self->tty[0], self->device[0], 16));
	ASSERT_TRUE(atw_state_becomes(self->device[0], "joined", UP_MS));
	fd = peer_by(self->device[0], "hold");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_upload(fd, 20000, 51));
	ASSERT_ERRNO(ECONNRESET, recv(fd, &byte, 1, 0));
	close(fd);
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(transfer(self->device[0], 20000));
	}
	/* Also after it has started again. */
	ASSERT_TRUE(restart(&self->sim[0], self->device[0]));
	ASSERT_TRUE(atw_state_becomes(self->device[0], "joined", UP_MS));
	ASSERT_TRUE(transfer(self->device[0], 20000));
}

/*
 * A module that says it runs at one bit per second, or at more than there is: no wait
 * grows out of that, in its transparent mode nor when the device is taken away.
 */
TEST_F(line, rate_of_nonsense)
{
	static const char *const quirk[] = { "uart-told=1", "uart-told=2000000000" };
	int fd, on = 1;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(quirk); i++) {
		ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", "--quirk", quirk[i]));
		ASSERT_EQ(0, attach(self->sim[0].tty, B115200, &self->tty[0], self->device[0],
				    16));
		ASSERT_TRUE(atw_state_becomes(self->device[0], "joined", UP_MS));
		fd = peer_by(self->device[0], "echo");
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, setsockopt(fd, SOL_ATWIFI, ATW_TRANSPARENT, &on, sizeof(on)));
		ASSERT_TRUE(atw_echo_works(fd, 1, 1000));
		/* More than goes without its being left. */
		ASSERT_TRUE(atw_echo_works(fd, 2, 2000));
		ASSERT_TRUE(atw_echo_works(fd, 3, 1000));
		ASSERT_GT(DETACH_MS, (unsigned int)detach(self->tty[0]));
		close(fd);
		close(self->tty[0]);
		self->tty[0] = -1;
		sim_end(&self->sim[0]);
	}
}

/* What the kernel has said since @fd was opened: is there a line with both? */
static bool logged(int fd, const char *one, const char *two)
{
	char record[2048];
	ssize_t n;

	while ((n = read(fd, record, sizeof(record) - 1)) > 0 || errno == EPIPE) {
		if (n <= 0)
			continue;
		record[n] = '\0';
		if (strstr(record, one) && strstr(record, two))
			return true;
	}
	return false;
}

/* The wire does not bear the rate that is asked for: both stay at the old one. */
TEST_F(line, rate_taken_back)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int fd;

	ASSERT_LE(0, log);
	ASSERT_LE(0, lseek(log, 0, SEEK_END));
	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", "--fault", "slow-wire,dir=out"));
	ASSERT_EQ(0, attach(self->sim[0].tty, B921600, &self->tty[0], self->device[0], 16));
	/* The module is at another rate than the line: it is looked for first. */
	ASSERT_TRUE(atw_state_becomes(self->device[0], "joined", UP_MS));
	EXPECT_TRUE(file_says(self->device[0], "baud", "115200\n"));
	EXPECT_TRUE(logged(log, "atwifi", "921600 baud does not work"));
	ASSERT_TRUE(transfer(self->device[0], 20000));
	/* Not tried again: it would wear out the module's flash. */
	ASSERT_TRUE(restart(&self->sim[0], self->device[0]));
	ASSERT_TRUE(transfer(self->device[0], 20000));
	EXPECT_FALSE(logged(log, "atwifi", "921600 baud does not work"));
	/* Nor did the module store it. */
	ASSERT_LE(0, detach(self->tty[0]));
	fd = open_tty(self->sim[0].tty, B115200);
	ASSERT_LE(0, fd);
	EXPECT_TRUE(raw_until(fd, "AT+UARTCFG?\r\n", "+UARTCFG:115200,8,1,0"));
	close(fd);
	close(log);
}

/* One that bears it in neither direction: the log says where the module is. */
TEST_F(line, rate_lost)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	ASSERT_LE(0, log);
	ASSERT_LE(0, lseek(log, 0, SEEK_END));
	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", "--fault", "slow-wire"));
	ASSERT_EQ(0, attach(self->sim[0].tty, B921600, &self->tty[0], self->device[0], 16));
	while (!logged(log, "atwifi", "it stays at 921600 baud")) {
		ASSERT_LT(atw_now_ms(), limit);
		atw_pause_ms(50);
	}
	/* Once the wire is mended it is found there. */
	ASSERT_EQ(0, sim_tell(&self->sim[0], "clear"));
	ASSERT_TRUE(atw_state_becomes(self->device[0], "joined", LONG_MS));
	EXPECT_TRUE(file_says(self->device[0], "baud", "921600\n"));
	ASSERT_TRUE(transfer(self->device[0], 20000));
	close(log);
}

static int set_crtscts(const char *tty, int *fd)
{
	struct termios tio;

	*fd = open_tty(tty, B115200);
	if (*fd < 0 || tcgetattr(*fd, &tio))
		return -1;
	tio.c_cflag |= CRTSCTS;
	return tcsetattr(*fd, TCSANOW, &tio) || set_ldisc(*fd, N_ATWIFI) ? -1 : 0;
}

/* RTS and CTS: first the module's, then ours; neither where it or a wire has none. */
TEST_F(line, flow_control)
{
	static const char *const option[] = {
		"--quirk=flow-control=1", "--quirk=flow-control=0", "--fault=no-cts",
	};
	struct termios tio;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(option); i++) {
		ASSERT_EQ(0, sim_start(&self->sim[0], "bw16", option[i], NULL));
		ASSERT_EQ(0, set_crtscts(self->sim[0].tty, &self->tty[0]));
		ASSERT_TRUE(atw_state_becomes("atw0", "joined", UP_MS));
		ASSERT_EQ(0, tcgetattr(self->tty[0], &tio));
		EXPECT_EQ(i ? 0 : CRTSCTS, tio.c_cflag & CRTSCTS);
		ASSERT_TRUE(transfer("atw0", 20000));
		/* A module that starts again has forgotten it, and gives no CTS. */
		ASSERT_TRUE(restart(&self->sim[0], "atw0"));
		ASSERT_TRUE(transfer("atw0", 20000));
		ASSERT_EQ(0, tcgetattr(self->tty[0], &tio));
		EXPECT_EQ(i ? 0 : CRTSCTS, tio.c_cflag & CRTSCTS);
		ASSERT_LE(0, detach(self->tty[0]));
		/* As it was found. */
		ASSERT_EQ(0, tcgetattr(self->tty[0], &tio));
		EXPECT_EQ(CRTSCTS, tio.c_cflag & CRTSCTS);
		close(self->tty[0]);
		self->tty[0] = -1;
		sim_end(&self->sim[0]);
	}
}

/* A BW16 says 104 when it has no servers, and when a port is in use. */
TEST_F(line, no_servers)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	const char *device = self->device[0];
	int fd, dgram, taken, code;
	socklen_t len = sizeof(code);

	ASSERT_LE(0, log);
	ASSERT_LE(0, lseek(log, 0, SEEK_END));
	ASSERT_EQ(0, sim_start(&self->sim[0], "bw16", NULL, NULL));
	ASSERT_EQ(0, attach(self->sim[0].tty, B115200, &self->tty[0], self->device[0], 16));
	ASSERT_TRUE(atw_state_becomes(device, "joined", UP_MS));
	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_bind(fd, 8100));
	ASSERT_ERRNO(EOPNOTSUPP, listen(fd, 1));
	ASSERT_EQ(0, getsockopt(fd, SOL_ATWIFI, ATW_MODULE_ERROR, &code, &len));
	EXPECT_EQ(104, code);
	EXPECT_TRUE(logged(log, "port 8100", "has no servers in station mode"));
	dgram = atw_socket(SOCK_DGRAM);
	ASSERT_LE(0, dgram);
	ASSERT_ERRNO(EOPNOTSUPP, atw_bind(dgram, 8101));
	close(dgram);
	ASSERT_TRUE(transfer(device, 5000));
	/* Once it has had one a port may be in use. */
	ASSERT_EQ(0, sim_tell(&self->sim[0], "quirk no-servers=0"));
	ASSERT_EQ(0, listen(fd, 1));
	ASSERT_EQ(0, sim_tell(&self->sim[0], "quirk no-servers=1"));
	taken = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, taken);
	ASSERT_EQ(0, atw_bind(taken, 8102));
	ASSERT_ERRNO(EADDRINUSE, listen(taken, 1));
	EXPECT_TRUE(logged(log, "port 8102", "is in use there"));
	close(taken);
	close(fd);
	close(log);
}

/*
 * Networks whose names have ends of lines in them, by which they look like the module's
 * words: its state is found out in spite of that, once and for good.
 */
TEST_F(line, names_of_lines)
{
	static const struct {
		const char *profile, *ap;
	} net[] = {
		{ "middleware", "--ap=\\x0d\\x0aOK\\x0d\\x0a:12345678" },
		{ "classic", "--ap=x\\x0d\\x0aready\\x0d\\x0a:12345678" },
		{ "bw20", "--ap=x\\x0d\\x0aready\\x0d\\x0a:12345678" },
		{ "bw16",
		  "--ap=\\x0aERROR\\x0a\\x0a\\x0a\\x0a\\x0a\\x0a\\x0a\\x0a\\x0a\\x0a:12345678" },
		{ "middleware", "--ap=\\x0aUnknown cmd\\:\\x0a:12345678" },
		{ "middleware", "--ap=\\x0a+EVENT\\:SocketDown,102,99,:12345678" },
	};
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	const char *device = self->device[0];
	uint64_t limit;
	char byte;
	size_t i;
	int fd;

	ASSERT_LE(0, log);
	for (i = 0; i < ARRAY_SIZE(net); i++) {
		ASSERT_LE(0, lseek(log, 0, SEEK_END));
		ASSERT_EQ(0, sim_start(&self->sim[0], net[i].profile, net[i].ap, NULL));
		ASSERT_EQ(0, attach(self->sim[0].tty, B115200, &self->tty[0], self->device[0],
				    16));
		ASSERT_TRUE(atw_state_becomes(device, "joined", UP_MS)) {
			TH_LOG("%s", net[i].ap);
		}
		EXPECT_TRUE(file_says(device, "address", "192.168.3.142\n")) {
			TH_LOG("%s", net[i].ap);
		}
		EXPECT_TRUE(file_says(device, "gateway", "192.168.3.1\n"));
		EXPECT_TRUE(logged(log, device, "has ends of lines in it"));
		/* No stream pays for it when it is asked again. */
		fd = peer_in_time(device, "echo");
		ASSERT_LE(0, fd);
		ASSERT_TRUE(atw_echo_works(fd, 1, 500));
		ASSERT_EQ(0, sim_tell(&self->sim[0],
				      "lease 192.168.3.7,255.255.255.0,192.168.3.1"));
		ASSERT_EQ(0, sim_tell(&self->sim[0], "link down"));
		ASSERT_ERRNO(ENETDOWN, recv(fd, &byte, 1, 0));
		close(fd);
		ASSERT_EQ(0, sim_tell(&self->sim[0], "link up"));
		limit = atw_now_ms() + LONG_MS;
		while (!file_says(device, "address", "192.168.3.7\n")) {
			ASSERT_LT(atw_now_ms(), limit);
			atw_pause_ms(20);
		}
		/* By a "ready" that was believed, the first time. */
		EXPECT_GE(1, atw_stat(device, "reboots"));
		EXPECT_FALSE(logged(log, device, "has ends of lines in it"));
		ASSERT_TRUE(transfers_in_time(device, 2000));
		ASSERT_GT(DETACH_MS, (unsigned int)detach(self->tty[0]));
		close(self->tty[0]);
		self->tty[0] = -1;
		sim_end(&self->sim[0]);
	}
	close(log);
}

/* One that restarts whenever it is found is told once, and found when it does no more. */
TEST_F(line, restarts_again_and_again)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	uint64_t limit = atw_now_ms() + LONG_MS;

	ASSERT_LE(0, log);
	ASSERT_LE(0, lseek(log, 0, SEEK_END));
	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", "--fault=reset,dir=in,every=60",
			       "--boot-ms=50"));
	ASSERT_EQ(0, attach(self->sim[0].tty, B115200, &self->tty[0], self->device[0], 16));
	while (!logged(log, "atw0", "restarts again and again")) {
		ASSERT_LT(atw_now_ms(), limit);
		atw_pause_ms(50);
	}
	ASSERT_EQ(0, sim_tell(&self->sim[0], "clear"));
	ASSERT_TRUE(atw_state_becomes(self->device[0], "joined", UP_MS));
	EXPECT_FALSE(logged(log, "atw0", "restarts again and again"));
	EXPECT_TRUE(transfer(self->device[0], 5000));
	close(log);
}

TEST_F(line, boots_into_transparent_mode)
{
	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", "--fault", "boot-transparent"));
	ASSERT_EQ(0, attach(self->sim[0].tty, B115200, &self->tty[0], self->device[0], 16));
	ASSERT_TRUE(atw_state_becomes(self->device[0], "joined", UP_MS));
	EXPECT_TRUE(transfer(self->device[0], 5000));
}

static int open_master(char *tty, size_t size)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || unlockpt(fd) || ptsname_r(fd, tty, size))
		return -1;
	return fd;
}

/* Nobody at the other end: no one waits for it, and the log says so. */
TEST_F(line, no_module)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	char tty[64], path[64], buf[256];
	int master, log, fd, clean = 0;
	struct pollfd p;
	char *state;

	log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, log);
	ASSERT_LE(0, lseek(log, 0, SEEK_END));
	master = open_master(tty, sizeof(tty));
	ASSERT_LE(0, master);
	ASSERT_EQ(0, attach(tty, B115200, &self->tty[0], self->device[0], 16));
	snprintf(path, sizeof(path), "/sys/class/atwifi/%s/state", self->device[0]);
	/* It takes what is sent and does not answer. */
	while (!logged(log, "atwifi", "answer")) {
		ASSERT_LT(atw_now_ms(), limit);
		p = (struct pollfd) { .fd = master, .events = POLLIN };
		if (poll(&p, 1, 100) > 0)
			clean += read(master, buf, sizeof(buf)) > 0;
		state = atw_slurp(path);
		ASSERT_NE(NULL, state);
		ASSERT_TRUE(!strcmp(state, "probing\n") || !strcmp(state, "failed\n")) {
			TH_LOG("state %s", state);
		}
		free(state);
	}
	EXPECT_LT(0, clean);
	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(-1, atw_connect_host(fd, atw_peer_port()));
	EXPECT_TRUE(errno == ENETDOWN || errno == ENODEV);
	EXPECT_GT(DETACH_MS, (unsigned int)detach(self->tty[0]));
	close(master);
}

/* Nor does it take anything: the line is stuck with bytes of ours in it. */
TEST_F(line, stuck_line)
{
	char tty[64];
	int master, i;

	for (i = 0; i < 5; i++) {
		master = open_master(tty, sizeof(tty));
		ASSERT_LE(0, master);
		ASSERT_EQ(0, attach(tty, B115200, &self->tty[0], self->device[0], 16));
		atw_pause_ms(i * 400);
		ASSERT_GT(DETACH_MS, (unsigned int)detach(self->tty[0]));
		close(self->tty[0]);
		self->tty[0] = -1;
		close(master);
	}
}

/* Something is there, but it is no module: noise, or a chatty console. */
TEST_F(line, noise)
{
	static const char *const text[] = {
		"\r\nOK\r\n", "\r\nready\r\n", ">", "\r\n+EVENT:SocketDown,1,99999999,x\r\n",
		"\r\n+EVENT:SocketDown,4294967297,4,abcd\r\n", "\r\n+EVENT:WIFI_GOT_IP\r\n",
		"\r\n+EVENT:SocketDisconnect,1\r\n", "login: ", "+SOCKETREAD,1,1024,",
		"at version:release/V4.18\r\n", "1,4,3,192.0.2.1,80,-1,0\r\n",
	};
	uint64_t limit;
	uint8_t buf[700];
	int master, round;
	unsigned int i;
	char tty[64];

	for (round = 0; round < 4; round++) {
		master = open_master(tty, sizeof(tty));
		ASSERT_LE(0, master);
		ASSERT_EQ(0, fcntl(master, F_SETFL, O_NONBLOCK));
		ASSERT_EQ(0, attach(tty, B115200, &self->tty[0], self->device[0], 16));
		limit = atw_now_ms() + 3000;
		for (i = 0; atw_now_ms() < limit; i++) {
			const void *data = buf;
			size_t n = sizeof(buf);

			if (round & 1) {
				data = text[i % ARRAY_SIZE(text)];
				n = strlen(data);
			} else {
				pattern_fill(buf, n, round, i * sizeof(buf));
			}
			if (write(master, data, n) < 0 || round >= 2)
				atw_wait(master, POLLOUT, 10);
			while (read(master, buf, sizeof(buf)) > 0)
				;
		}
		ASSERT_GT(DETACH_MS, (unsigned int)detach(self->tty[0]));
		close(self->tty[0]);
		self->tty[0] = -1;
		close(master);
	}
}

static int attach_quietly(struct sim *sim, int *fd)
{
	*fd = open_tty(sim->tty, B115200);
	if (*fd < 0)
		return -1;
	return set_ldisc(*fd, N_ATWIFI);
}

/* On and off, with sockets in every state; ATW_CYCLES times. */
TEST_F_TIMEOUT(line, cycles, 8 * 3600)
{
	int cycles = atoi(atw_env("ATW_CYCLES", "50"));
	int i, j, fd[3], err = 0;

	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", NULL, NULL));
	for (i = 0; i < cycles; i++) {
		ASSERT_EQ(0, attach(self->sim[0].tty, B115200, &self->tty[0], self->device[0],
				    16));
		if (i % 4 == 3) {
			ASSERT_TRUE(atw_state_becomes(self->device[0], "joined", UP_MS)) {
				TH_LOG("cycle %d", i);
			}
		} else {
			atw_pause_ms(i * 7 % 50);
		}
		for (j = 0; j < 3; j++) {
			fd[j] = atw_socket(j == 2 ? SOCK_DGRAM : SOCK_STREAM | SOCK_NONBLOCK);
			ASSERT_LE(0, fd[j]);
			errno = 0;
			if (atw_connect_host(fd[j], atw_peer_port())) {
				err = errno;
				ASSERT_TRUE(err == EINPROGRESS || err == ENETDOWN ||
					    err == ENODEV) {
					TH_LOG("%s", atw_errno_name(err));
				}
			}
		}
		if (i % 4 == 3) {
			ASSERT_NE(0, POLLOUT & atw_wait(fd[0], POLLOUT, LONG_MS));
			send(fd[0], "source 1000000 1\n", 17, MSG_NOSIGNAL);
			send(fd[2], "x", 1, 0);
			if (i & 4)
				atw_wait(fd[0], POLLIN, 1000);
		}
		if (i % 3 == 0) {
			close(fd[0]);
			fd[0] = -1;
		}
		if (i % 5 == 4) {
			/*
			 * Who closes a UART takes it off; of a pty both ends
			 * would have to be closed for that.
			 */
			ASSERT_EQ(0, ioctl(self->tty[0], TIOCVHANGUP));
			close(self->tty[0]);
		} else {
			ASSERT_GT(DETACH_MS, (unsigned int)detach(self->tty[0])) {
				TH_LOG("cycle %d", i);
			}
			close(self->tty[0]);
		}
		self->tty[0] = -1;
		ASSERT_TRUE(devices_gone());
		for (j = 0; j < 3; j++)
			close(fd[j]);
		ASSERT_TRUE(atw_listed_becomes(0, LONG_MS));
	}
}

struct flip {
	const char *tty;
	atomic_bool stop;
	atomic_int count;
};

static void *flipper(void *arg)
{
	struct flip *f = arg;
	int fd;

	while (!f->stop) {
		fd = open_tty(f->tty, B115200);
		if (fd < 0)
			continue;
		if (!set_ldisc(fd, N_ATWIFI))
			f->count++;
		set_ldisc(fd, N_TTY);
		close(fd);
	}
	return NULL;
}

static void *writer(void *arg)
{
	struct flip *f = arg;
	int fd = atoi(f->tty);
	char buf[512];

	memset(buf, 'x', sizeof(buf));
	memcpy(buf, "\r\n+EVENT:SocketDown,1,400,", 26);
	while (!f->stop) {
		if (write(fd, buf, sizeof(buf)) < 0)
			atw_wait(fd, POLLOUT, 5);
		while (read(fd, buf + 30, 100) > 0)
			;
	}
	return NULL;
}

static void *connector(void *arg)
{
	struct flip *f = arg;
	int fd;

	while (!f->stop) {
		fd = atw_socket(SOCK_STREAM | SOCK_NONBLOCK);
		atw_connect_host(fd, 80);
		free(atw_slurp(ATW_PROC));
		free(atw_slurp("/sys/class/atwifi/atw0/state"));
		close(fd);
		/* As a rule of udev might, as soon as it is there. */
		fd = open("/sys/class/atwifi/atw0/recv_mode", O_WRONLY | O_CLOEXEC);
		if (fd >= 0) {
			if (write(fd, "passive", 7) > 0)
				f->count++;
			close(fd);
		}
	}
	return NULL;
}

/* Two attach and take off the same line, one writes to it, one uses what appears. */
TEST_F(line, attach_races)
{
	struct flip flip = { 0 }, write = { 0 }, conn = { 0 };
	uint64_t limit = atw_now_ms() + LONG_MS;
	pthread_t thread[4];
	char tty[64], fd[16];
	int master, keep;

	master = open_master(tty, sizeof(tty));
	ASSERT_LE(0, master);
	ASSERT_EQ(0, fcntl(master, F_SETFL, O_NONBLOCK));
	/* Else every close() of the last one hangs the line up. */
	keep = open_tty(tty, B115200);
	ASSERT_LE(0, keep);
	snprintf(fd, sizeof(fd), "%d", master);
	flip.tty = tty;
	write.tty = fd;
	ASSERT_EQ(0, pthread_create(&thread[0], NULL, flipper, &flip));
	ASSERT_EQ(0, pthread_create(&thread[1], NULL, flipper, &flip));
	ASSERT_EQ(0, pthread_create(&thread[2], NULL, writer, &write));
	ASSERT_EQ(0, pthread_create(&thread[3], NULL, connector, &conn));
	do
		atw_pause_ms(8000);
	while (!flip.count && atw_now_ms() < limit);
	flip.stop = true;
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	write.stop = true;
	conn.stop = true;
	pthread_join(thread[2], NULL);
	pthread_join(thread[3], NULL);
	EXPECT_LT(0, flip.count);
	/* Nobody has found a module. */
	EXPECT_EQ(0, conn.count);
	close(keep);
	close(master);
}

/* Both ends are hung up while bytes fly; after pty04 and hangup01 of LTP. */
TEST_F(line, hangup_races)
{
	int i, fd, ldisc;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", NULL, NULL));
		ASSERT_EQ(0, attach_quietly(&self->sim[0], &self->tty[0]));
		fd = -1;
		if (i % 5 == 0) {
			ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", UP_MS));
			fd = atw_peer("source 10000000 1 1000 2");
			ASSERT_LE(0, fd);
		}
		atw_pause_ms(i * 13 % 100);
		if (i & 1) {
			ASSERT_EQ(0, ioctl(self->tty[0], TIOCVHANGUP));
			/* The line discipline of a line that was hung up is gone. */
			ASSERT_EQ(-1, ioctl(self->tty[0], TIOCGETD, &ldisc));
		}
		end(self->sim[0].pid, SIGKILL);
		self->sim[0].pid = 0;
		unlink(self->sim[0].control);
		ASSERT_TRUE(devices_gone());
		if (fd >= 0) {
			int err;

			ASSERT_LE(0, atw_download(fd, 10000000, 1, &err));
			ASSERT_STREQ("ENODEV", atw_errno_name(err));
			close(fd);
		}
		close(self->tty[0]);
		self->tty[0] = -1;
	}
}

static const struct gone {
	const char *name;
	enum { DISCIPLINE, HANG_UP, UNPLUG } how;
} gone[] = {
	{ "TIOCSETD", DISCIPLINE }, { "TIOCVHANGUP", HANG_UP }, { "unplugged", UNPLUG },
};

/* See ends.c; what is left of a board's device is in gone.c. */
TEST_F(line, ended_then_gone)
{
	struct sim *sim = self->sim;
	char *device = self->device[0];
	struct ends ends;
	unsigned int g;

	for (g = 0; g < ARRAY_SIZE(gone); g++) {
		TH_LOG("%s", gone[g].name);
		ASSERT_EQ(0, sim_start(sim, "middleware", "--max-sockets=16",
				       "--blackhole=198.51.100.0/24"));
		setenv("ATW_SIM_CONTROL", sim->control, 1);
		ASSERT_EQ(0, attach(sim->tty, B115200, &self->tty[0], device, 16));
		ASSERT_TRUE(atw_state_becomes(device, "joined", UP_MS));
		ASSERT_TRUE(ends_begin(&ends, device, self->tty[0]));

		if (gone[g].how == UNPLUG) {
			end(sim->pid, SIGKILL);
			sim->pid = 0;
		} else if (gone[g].how == HANG_UP) {
			ASSERT_EQ(0, ioctl(self->tty[0], TIOCVHANGUP));
		} else {
			ASSERT_LE(0, detach(self->tty[0]));
		}
		ASSERT_TRUE(devices_gone());
		EXPECT_TRUE(ends_are_told(&ends));

		/* The next one is another device, of the same name. */
		close(self->tty[0]);
		sim_end(sim);
		ASSERT_EQ(0, sim_start(sim, "middleware", "--max-sockets=16", NULL));
		ASSERT_EQ(0, attach(sim->tty, B115200, &self->tty[0], device, 16));
		ASSERT_TRUE(atw_state_becomes(device, "joined", UP_MS));
		EXPECT_TRUE(ends_work_again(&ends));
		ASSERT_LE(0, detach(self->tty[0]));
		close(self->tty[0]);
		self->tty[0] = -1;
		sim_end(sim);
	}
}

/*
 * Memory that is not there: the kernel's fault injection has the Nth allocation of a thread
 * fail, for each N until none is left to fail.
 */
#define FAILSLAB	"/sys/kernel/debug/failslab/"

static int fail_nth(pid_t tid, int n)
{
	char path[64], text[16];

	snprintf(path, sizeof(path), "/proc/%d/fail-nth", tid);
	snprintf(text, sizeof(text), "%d", n);
	return atw_write(path, text);
}

/* Has it failed? None fails from here on. */
static bool has_failed(pid_t tid)
{
	char path[64], *text;
	bool failed;

	snprintf(path, sizeof(path), "/proc/%d/fail-nth", tid);
	text = atw_slurp(path);
	failed = text && !atoi(text);
	free(text);
	return !fail_nth(tid, 0) && failed;
}

static bool can_fail(void)
{
	mount("none", "/sys/kernel/debug", "debugfs", 0, NULL);
	return !access(FAILSLAB, F_OK) && !fail_nth(gettid(), 0) &&
	       !atw_write(FAILSLAB "ignore-gfp-wait", "N") && !atw_write(FAILSLAB "verbose", "0");
}

/* The errno of what a program does with a stream, 0: all is well. */
static int use_stream(const struct sockaddr_atw *to)
{
	int fd = socket(to->satw_family, SOCK_STREAM, 0), err = 0;
	char buf[8];

	if (fd < 0)
		return errno;
	if (atw_connect(fd, to) || send(fd, "echo\nhello", 10, MSG_NOSIGNAL) < 0 ||
	    recv(fd, buf, 5, MSG_WAITALL) < 0)
		err = errno;
	close(fd);
	return err;
}

static int use_dgram(const struct sockaddr_atw *to)
{
	int fd = socket(to->satw_family, SOCK_DGRAM, 0), err = 0;
	char buf[8];

	if (fd < 0)
		return errno;
	if (atw_connect(fd, to) || send(fd, "hello", 5, 0) < 0 || recv(fd, buf, 5, 0) < 0)
		err = errno;
	close(fd);
	return err;
}

static int use_server(const struct sockaddr_atw *to)
{
	const struct sockaddr_atw any = { .satw_family = to->satw_family };
	int fd = socket(to->satw_family, SOCK_STREAM, 0), err = 0;

	if (fd < 0)
		return errno;
	if (bind(fd, (const struct sockaddr *)&any, sizeof(any)) || listen(fd, 1) ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) || (accept(fd, NULL, NULL) < 0 && errno != EAGAIN))
		err = errno;
	close(fd);
	return err;
}

/* One that says that there was no memory: of a socket also that there are no more. */
static bool is_no_memory(int err)
{
	return err == ENOMEM || err == ENOBUFS || err == ENFILE;
}

TEST_F(line, no_memory)
{
	static int (*const use[])(const struct sockaddr_atw *) = {
		use_stream, use_dgram, use_server,
	};
	struct sockaddr_atw to;
	const pid_t tid = gettid();
	unsigned int i;
	bool failed;
	int n, err;

	if (!can_fail()) {
		SKIP(return, "a kernel without failslab");
	}
	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", "--max-sockets=16", NULL));
	self->tty[0] = open_tty(self->sim[0].tty, B115200);
	ASSERT_LE(0, self->tty[0]);
	for (n = 1; ; n++) {
		ASSERT_EQ(0, fail_nth(tid, n));
		err = set_ldisc(self->tty[0], N_ATWIFI) ? errno : 0;
		failed = has_failed(tid);
		if (err)
			ASSERT_STREQ("ENOMEM", atw_errno_name(err));
		if (!failed)
			break;
		if (!err)
			ASSERT_EQ(0, set_ldisc(self->tty[0], N_TTY));
		ASSERT_TRUE(devices_gone());
	}
	TH_LOG("attached when it had %d allocations", n - 1);
	ASSERT_EQ(0, err);
	ASSERT_LT(10, n);
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", UP_MS));

	to = atw_addr(atw_env("ATW_HOST", "192.0.2.1"), atw_peer_port());
	for (i = 0; i < ARRAY_SIZE(use); i++) {
		for (n = 1; ; n++) {
			ASSERT_EQ(0, fail_nth(tid, n));
			err = use[i](&to);
			if (!has_failed(tid))
				break;
			ASSERT_TRUE(!err || is_no_memory(err)) {
				TH_LOG("%u, allocation %d: %s", i, n, atw_errno_name(err));
			}
		}
		TH_LOG("%u: %d allocations", i, n - 1);
		ASSERT_EQ(0, err);
		ASSERT_LT(2, n);
	}
	ASSERT_TRUE(transfer(ATW_DEVICE, 1000));

	/* The first is of the tty, which does not begin without it. */
	for (n = 1; ; n++) {
		ASSERT_EQ(0, fail_nth(tid, n));
		err = set_ldisc(self->tty[0], N_TTY) ? errno : 0;
		failed = has_failed(tid);
		if (err) {
			ASSERT_STREQ("ENOMEM", atw_errno_name(err));
			ASSERT_NE(0, devices());
			continue;
		}
		ASSERT_TRUE(devices_gone());
		if (!failed)
			break;
		ASSERT_EQ(0, set_ldisc(self->tty[0], N_ATWIFI));
	}
	TH_LOG("detached when it had %d allocations", n - 1);
}

/* In use, by a line or by a socket, the driver stays. */
TEST_F(line, module_in_use)
{
	int fd;

	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", NULL, NULL));
	ASSERT_EQ(0, attach(self->sim[0].tty, B115200, &self->tty[0], self->device[0], 16));
	ASSERT_ERRNO(EAGAIN, syscall(SYS_delete_module, "atwifi", O_NONBLOCK));
	ASSERT_TRUE(atw_state_becomes(self->device[0], "joined", UP_MS));
	EXPECT_TRUE(transfer(self->device[0], 1000));
	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_GT(DETACH_MS, (unsigned int)detach(self->tty[0]));
	ASSERT_ERRNO(EAGAIN, syscall(SYS_delete_module, "atwifi", O_NONBLOCK));
	ASSERT_ERRNO(ENODEV, atw_connect_host(fd, atw_peer_port()));
	close(fd);
}

TEST_HARNESS_MAIN
