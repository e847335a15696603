// SPDX-License-Identifier: GPL-2.0-only
/* Emulated modules (ATW_SIM) behind ptys of this machine, and their peer (ATW_PEER). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>

#include "ptys.h"
#include "util.h"

#define DEVICES		8
#define TICK_MS		100

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

void end(pid_t pid, int sig)
{
	if (pid > 0) {
		kill(pid, sig);
		waitpid(pid, NULL, 0);
	}
}

/* Starts a module; more arguments, up to a NULL. */
int sim_start(struct sim *sim, const char *profile, const char *a, const char *b)
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

void sim_end(struct sim *sim)
{
	end(sim->pid, SIGTERM);
	sim->pid = 0;
	unlink(sim->control);
}

long sim_stat(struct sim *sim, const char *name)
{
	setenv("ATW_SIM_CONTROL", sim->control, 1);
	return atw_sim_stat(name);
}

int sim_tell(struct sim *sim, const char *command)
{
	return atw_sim_at(sim->control, NULL, 0, command);
}

/* What the unit runs. */
pid_t unit(const char *tty)
{
	pid_t pid = fork();

	if (!pid) {
		execl(atw_env("ATW_CTL", "atwctl"), "atwctl", "attach", tty, NULL);
		_exit(127);
	}
	return pid;
}

/* Its exit status; -1 if it does not end by itself. */
int ends(pid_t pid)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	int status;

	while (!waitpid(pid, &status, WNOHANG)) {
		if (atw_now_ms() > limit) {
			end(pid, SIGKILL);
			return -1;
		}
		atw_pause_ms(5);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int open_tty(const char *path, speed_t speed)
{
	struct termios tio;
	int fd;

	fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || tcgetattr(fd, &tio))
		return -1;
	cfmakeraw(&tio);
	tio.c_cflag |= CLOCAL | CREAD;
	cfsetspeed(&tio, speed);
	return tcsetattr(fd, TCSANOW, &tio) ? atw_failed(fd) : fd;
}

int set_ldisc(int fd, int ldisc)
{
	return ioctl(fd, TIOCSETD, &ldisc);
}

/* Bits of the devices that there are. */
unsigned int devices(void)
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
int attach(const char *tty, speed_t speed, int *fd, char *device, size_t size)
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

static void *ticker(void *arg)
{
	_Atomic int *ms = arg;

	while (true) {
		atw_pause_ms(TICK_MS);
		*ms += TICK_MS;
	}
	return NULL;
}

/*
 * How long it took, in ms, -1 if it failed; as a thread has counted it, which stands still
 * where the machine does.
 */
int detach(int fd)
{
	_Atomic int ms = 0;
	pthread_t thread;
	int ret;

	if (pthread_create(&thread, NULL, ticker, &ms))
		return -1;
	ret = set_ldisc(fd, N_TTY);
	pthread_cancel(thread);
	pthread_join(thread, NULL);
	return ret ? -1 : ms;
}

bool devices_gone(void)
{
	return atw_becomes(!devices(), LONG_MS);
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

bool raw(int fd, const char *command, const char *want)
{
	return raw_within(fd, command, want, LONG_MS);
}

/* The same to a module that may be starting, and then answers nothing. */
bool raw_until(int fd, const char *command, const char *want)
{
	return atw_becomes(raw_within(fd, command, want, 3000), LONG_MS);
}

/* A socket that is bound to a device and connected to the peer. */
int peer_by(const char *device, const char *what)
{
	int fd = atw_socket(SOCK_STREAM);

	if (fd >= 0 &&
	    !setsockopt(fd, SOL_ATWIFI, ATW_BINDTODEVICE, device, strlen(device) + 1) &&
	    !atw_peer_on(fd, "%s", what))
		return fd;
	return atw_failed(fd);
}

bool transfer(const char *device, size_t bytes)
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
int peer_in_time(const char *device, const char *what)
{
	int fd = -1;

	return atw_becomes((fd = peer_by(device, what)) >= 0, UP_MS) ? fd : -1;
}

bool transfers_in_time(const char *device, size_t bytes)
{
	return atw_becomes(transfer(device, bytes), UP_MS);
}

bool all_programs(void)
{
	return *atw_env("ATW_SIM", "") && *atw_env("ATW_PEER", "");
}

pid_t start_peer(void)
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

bool restart(struct sim *sim, const char *device)
{
	setenv("ATW_SIM_CONTROL", sim->control, 1);
	return atw_reset_module(device);
}

int open_master(char *tty, size_t size)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || unlockpt(fd) || ptsname_r(fd, tty, size))
		return -1;
	return fd;
}
