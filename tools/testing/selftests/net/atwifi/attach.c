// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attaching the line discipline to a tty and taking it off, at every moment.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <linux/capability.h>

#include "kselftest_harness.h"
#include "ends.h"
#include "pattern.h"
#include "ptys.h"
#include "util.h"

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

/* The line is given back: the module takes commands again, its remote got no more. */
TEST_F(module, detached_in_transparent_mode)
{
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
	ASSERT_TRUE(atw_becomes(!sim_stat(&self->sim, "tt"), LONG_MS));
	EXPECT_EQ(0, sim_stat(&self->sim, "tt-plus-lost"));
	EXPECT_TRUE(raw_until(self->tty, "AT\r\n", "OK\r\n"));
}

TEST_F(module, hangup_in_transfer)
{
	int64_t got, sent = 0;
	int down, up, err;
	uint8_t buf[4096];
	ssize_t n;

	ASSERT_EQ(0, attach(self->sim.tty, B115200, &self->tty, self->device,
			    sizeof(self->device)));
	ASSERT_TRUE(atw_state_becomes(self->device, "joined", UP_MS));
	down = peer_by(self->device, "source 100000000 5 1000 2");
	ASSERT_LE(0, down);
	up = peer_by(self->device, "sink 100000000 6");
	ASSERT_LE(0, up);
	do {
		pattern_fill(buf, sizeof(buf), 6, sent);
		n = send(up, buf, sizeof(buf), MSG_DONTWAIT);
		sent += n;
	} while (n > 0);
	ASSERT_EQ(20000, atw_download(down, 20000, 5, &err));
	/* The adapter is unplugged. */
	end(self->sim.pid, SIGKILL);
	self->sim.pid = 0;
	got = 20000;
	for (;;) {
		n = recv(down, buf, sizeof(buf), 0);
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

/* The errno of somebody without privileges who opens a tty that is everybody's, or 0. */
static int nobody_opens(const char *path)
{
	char tty[PATH_MAX];
	int status;
	pid_t pid;

	if (!realpath(path, tty) || chmod(tty, 0666))
		return -1;
	pid = fork();
	if (!pid) {
		if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(255);
		_exit(open(tty, O_RDWR | O_NOCTTY) < 0 ? errno : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* Who opens it could take the discipline off: nobody does, whoever has attached it. */
TEST_F(line, not_for_others)
{
	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", NULL, NULL));
	ASSERT_EQ(0, attach(self->sim[0].tty, B115200, &self->tty[0], self->device[0], 16));
	EXPECT_EQ(EBUSY, nobody_opens(self->sim[0].tty));
	ASSERT_LE(0, detach(self->tty[0]));
	EXPECT_EQ(0, nobody_opens(self->sim[0].tty));
	/* But who has it for himself keeps it. */
	ASSERT_EQ(0, ioctl(self->tty[0], TIOCEXCL));
	ASSERT_EQ(0, set_ldisc(self->tty[0], N_ATWIFI));
	ASSERT_LE(0, detach(self->tty[0]));
	EXPECT_EQ(EBUSY, nobody_opens(self->sim[0].tty));
}

/* Nor do they speak as the module, which here has more to say than it should. */
TEST_F(line, nothing_put_in)
{
	static const char words[] = "\r\n+EVENT:Nonsense\r\n";
	const char *c;
	long before;

	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", NULL, NULL));
	ASSERT_EQ(0, attach(self->sim[0].tty, B115200, &self->tty[0], self->device[0], 16));
	ASSERT_TRUE(atw_state_becomes(self->device[0], "joined", UP_MS));
	before = atw_stat(self->device[0], "unexplained");
	for (c = words; *c; c++)
		ASSERT_EQ(0, ioctl(self->tty[0], TIOCSTI, c));
	EXPECT_TRUE(transfer(self->device[0], 1000));
	EXPECT_EQ(before, atw_stat(self->device[0], "unexplained"));
}

/* Nobody can let the line go on, once it is attached. */
TEST_F(line, stopped_before)
{
	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", NULL, NULL));
	self->tty[0] = open_tty(self->sim[0].tty, B115200);
	ASSERT_LE(0, self->tty[0]);
	ASSERT_EQ(0, tcflow(self->tty[0], TCOOFF));
	ASSERT_EQ(0, set_ldisc(self->tty[0], N_ATWIFI));
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", UP_MS));
	EXPECT_TRUE(transfer(ATW_DEVICE, 1000));
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

/*
 * Whoever attaches the tty next says by its rate which one he wants: those at which the module
 * was looked for are nobody's wish.
 */
TEST_F(line, settings_come_back)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	struct termios before, tio;
	char tty[64];
	int master;

	master = open_master(tty, sizeof(tty));
	ASSERT_LE(0, master);
	self->tty[0] = open_tty(tty, B230400);
	ASSERT_LE(0, self->tty[0]);
	ASSERT_EQ(0, tcgetattr(self->tty[0], &before));
	before.c_iflag |= ISTRIP | IXON;
	before.c_lflag |= ECHO;
	before.c_cflag |= CRTSCTS;
	ASSERT_EQ(0, tcsetattr(self->tty[0], TCSANOW, &before));
	ASSERT_EQ(0, set_ldisc(self->tty[0], N_ATWIFI));
	do {
		ASSERT_LT(atw_now_ms(), limit);
		atw_pause_ms(5);
		ASSERT_EQ(0, tcgetattr(self->tty[0], &tio));
	} while (cfgetospeed(&tio) == B230400);
	EXPECT_EQ(0, tio.c_iflag & (ISTRIP | IXON));
	ASSERT_LE(0, detach(self->tty[0]));
	ASSERT_EQ(0, tcgetattr(self->tty[0], &tio));
	EXPECT_EQ(B230400, cfgetospeed(&tio));
	EXPECT_EQ(before.c_iflag, tio.c_iflag);
	EXPECT_EQ(before.c_lflag, tio.c_lflag);
	EXPECT_EQ(before.c_cflag, tio.c_cflag);
	close(master);
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

/* What the other end of a pty keeps of what it is told. */
#define PTY_UNREAD	4095

/* Nobody takes what we say: the line is full, from the first byte on. */
TEST_F(line, stuck_line)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	static const char text[512];
	int master, i, unread;
	char tty[64];

	for (i = 0; i < 2; i++) {
		master = open_master(tty, sizeof(tty));
		ASSERT_LE(0, master);
		self->tty[0] = open_tty(tty, B115200);
		ASSERT_LE(0, self->tty[0]);
		ASSERT_EQ(0, fcntl(self->tty[0], F_SETFL, O_NONBLOCK));
		/* Both what the other end keeps and what is on its way there. */
		do {
			ASSERT_LT(atw_now_ms(), limit);
			while (write(self->tty[0], text, sizeof(text)) > 0)
				;
			atw_pause_ms(1);
			ASSERT_EQ(0, ioctl(master, FIONREAD, &unread));
		} while (unread < PTY_UNREAD || write(self->tty[0], text, 1) > 0);
		ASSERT_EQ(EAGAIN, errno);
		ASSERT_EQ(0, set_ldisc(self->tty[0], N_ATWIFI));
		/* In the middle of its first words, and of later ones. */
		ASSERT_TRUE(atw_becomes(atw_stat(ATW_DEVICE, i ? "timeouts" : "commands") > 0,
					LONG_MS));
		EXPECT_EQ(0, atw_stat(ATW_DEVICE, "tx_bytes"));
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

/* A number of /proc/meminfo, in KiB. */
static long memory(const char *name)
{
	char *text = atw_slurp("/proc/meminfo");
	char *at = text ? strstr(text, name) : NULL;
	long kib = at ? atol(at + strlen(name)) : -1;

	free(text);
	return kib;
}

/* On and off, with sockets in every state; ATW_CYCLES times. */
TEST_F_TIMEOUT(line, cycles, 8 * 3600)
{
	int cycles = atoi(atw_env("ATW_CYCLES", "50"));
	int i, j, fd[3], err = 0;

	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", NULL, NULL));
	for (i = 0; i < cycles; i++) {
		if (cycles >= 1000 && i % (cycles / 10) == 0)
			TH_LOG("%d cycles: %ld KiB free, %ld KiB of unreclaimable slab", i,
			       memory("MemFree:"), memory("SUnreclaim:"));
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
		/* What connects does so until the device goes. */
		ASSERT_EQ(0, atw_hold(HOLD_LONG));
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
