// SPDX-License-Identifier: GPL-2.0-only
/*
 * Modules on a tty, such as a USB serial adapter: attach one, and remember which ones
 * udev is to have attached when they are plugged in.
 *
 * A file of ATTACH_DIR has one line: the tty's path, the rate, and "rtscts" where these
 * wires are there. termios.h does not know any rate, hence the kernel's own header.
 */
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <ctype.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <linux/serial.h>
#include <linux/tty.h>
#include <linux/tty_flags.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/atwifi_genl.h>

#include "attach.h"
#include "nl.h"

/* N_DEVELOPMENT, which the kernel leaves to drivers that are not part of it. */
#define N_ATWIFI	29
#define DEFAULT_SPEED	115200
/* A module that is there was found by then, whatever its rate is. */
#define FOUND_S		15
/* The kernel tells nobody of an event for which it has no memory. */
#define LOOK_S		5

/* The tty that is attached. */
static int tty_fd;

struct line {
	char		path[PATH_MAX];
	unsigned int	speed;
	bool		rtscts;
};

/* Run a program; its exit status, -1 where there is none. */
static int run(const char *const argv[])
{
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static bool read_speed(const char *text, unsigned int *speed)
{
	unsigned long n;
	char *end;

	n = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || n < 1200 || n > 4000000)
		return false;
	*speed = n;
	return true;
}

/* The line in a file; false if there is none, of which the user is told. */
static bool read_line(const char *file, struct line *line)
{
	char text[PATH_MAX + 64] = "", rest[2];
	char speed[16] = "", flow[16] = "";
	int words;
	FILE *f;

	f = fopen(file, "re");
	if (!f) {
		warn("%s", file);
		return false;
	}
	while (fgets(text, sizeof(text), f) && strchr("#\n", *text))
		*text = '\0';
	fclose(f);
	words = sscanf(text, "%4095s %15s %15s %1s", line->path, speed, flow, rest);
	line->speed = DEFAULT_SPEED;
	line->rtscts = words == 3;
	if (words < 1 || words > 3 || *line->path != '/' ||
	    (words > 1 && !read_speed(speed, &line->speed)) ||
	    (words > 2 && strcmp(flow, "rtscts"))) {
		warnx("%s: no line of the form PATH [SPEED [rtscts]]", file);
		return false;
	}
	return true;
}

/* Are both the same tty? udev tells of links that are not there yet. */
static bool same_tty(const char *path, const char *tty)
{
	const char *links = getenv("DEVLINKS");
	size_t len = strlen(path);
	struct stat one, two;

	if (!strcmp(path, tty))
		return true;
	for (; links && (links = strstr(links, path)); links += len)
		if ((links == getenv("DEVLINKS") || links[-1] == ' ') &&
		    (!links[len] || links[len] == ' '))
			return true;
	return !stat(path, &one) && !stat(tty, &two) && S_ISCHR(one.st_mode) &&
	       S_ISCHR(two.st_mode) && one.st_rdev == two.st_rdev;
}

static int is_name(const struct dirent *entry)
{
	return *entry->d_name != '.';
}

/* What the files say of a tty; @line stays as it is if they say nothing. */
static bool find_line(const char *tty, struct line *line)
{
	struct dirent **names;
	bool found = false;
	struct line one;
	char *file;
	int i, n;

	n = scandir(ATTACH_DIR, &names, is_name, alphasort);
	for (i = 0; i < n; i++) {
		if (asprintf(&file, ATTACH_DIR "/%s", names[i]->d_name) < 0)
			err(1, "no memory");
		if (!found && read_line(file, &one) && same_tty(one.path, tty)) {
			*line = one;
			found = true;
		}
		free(file);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return found;
}

/* What is behind the last slash. Of basename() not every C library has the same idea. */
static const char *last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Was a module found on a tty? */
static bool is_found(const char *tty)
{
	char path[PATH_MAX], port[PATH_MAX];
	bool found = false;
	char state[16];
	ssize_t len;
	glob_t g;
	size_t i;
	FILE *f;

	if (glob("/sys/class/atwifi/*", 0, NULL, &g))
		return false;
	for (i = 0; i < g.gl_pathc && !found; i++) {
		snprintf(path, sizeof(path), "%s/device", g.gl_pathv[i]);
		len = readlink(path, port, sizeof(port) - 1);
		port[len < 0 ? 0 : len] = '\0';
		/* A pty has no device that this could lead to. */
		if (strcmp(last_name(port), strncmp(tty, "/dev/pts/", 9) ? last_name(tty) : ""))
			continue;
		snprintf(path, sizeof(path), "%s/state", g.gl_pathv[i]);
		f = fopen(path, "re");
		found = f && fscanf(f, "%15s", state) == 1 && strcmp(state, "probing");
		if (f)
			fclose(f);
	}
	globfree(&g);
	return found;
}

/* What comes next, such as a join, wants the module. */
static void wait_for_module(const char *link)
{
	const struct timespec pause = { 0, 100000000 };
	char tty[PATH_MAX];
	int i;

	for (i = 0; i < FOUND_S * 10; i++) {
		if (realpath(link, tty) && is_found(tty))
			return;
		nanosleep(&pause, NULL);
	}
	warnx("%s: no module was found in %d s: atwctl doctor says what is known", link, FOUND_S);
}

/* One that is attached goes on as it was told, until its unit begins again. */
static void restart(const char *link)
{
	char tty[PATH_MAX], unit[PATH_MAX + 32];
	const char *const argv[] = { "systemctl", "try-restart", unit, NULL };

	/* Without systemd nobody has it attached but who does it himself. */
	if (access("/run/systemd/system", F_OK) || !realpath(link, tty))
		return;
	snprintf(unit, sizeof(unit), "atwifi-attach@%s.service", last_name(tty));
	run(argv);
}

static int remember(const struct line *line)
{
	const char *name = strrchr(line->path, '/') + 1;
	const char *const trigger[] = {
		"udevadm", "trigger", "--name-match", line->path, NULL
	};
	struct line before = *line;
	char *file, *new;
	FILE *f;
	int dir;

	if (*line->path != '/' || !*name || strpbrk(line->path, " \t\n"))
		errx(2, "'%s' is not the path of a tty", line->path);
	if (!strncmp(name, "ttyUSB", 6) || !strncmp(name, "ttyACM", 6))
		errx(2, "%s may be another adapter tomorrow: name a link in /dev/serial/by-id",
		     line->path);
	if ((mkdir("/etc/atwifi", 0755) && errno != EEXIST) ||
	    (mkdir(ATTACH_DIR, 0755) && errno != EEXIST))
		err(1, ATTACH_DIR);
	if (asprintf(&file, ATTACH_DIR "/%s", name) < 0 ||
	    asprintf(&new, ATTACH_DIR "/.%s", name) < 0)
		err(1, "no memory");
	find_line(line->path, &before);
	dir = open(ATTACH_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f = fopen(new, "we");
	if (dir < 0 || !f)
		err(1, "%s", new);
	fprintf(f, "%s %u%s\n", line->path, line->speed, line->rtscts ? " rtscts" : "");
	/* What was remembered stays until this is whole and on the disk. */
	if (fflush(f) || fsync(fileno(f)) || fclose(f) || rename(new, file)) {
		warn("%s", file);
		unlink(new);
		exit(1);
	}
	/* Not every file system can. */
	if (fsync(dir) && errno != EINVAL)
		warn(ATTACH_DIR);
	close(dir);
	free(new);
	free(file);
	/* One that is plugged in already: now. */
	if (access(line->path, F_OK)) {
		warnx("%s is not there: it is attached when it is plugged in", line->path);
		return 0;
	}
	if (run(trigger)) {
		warnx("%s: plug it in again, udev could not be told of it", line->path);
		return 0;
	}
	if (before.speed != line->speed || before.rtscts != line->rtscts)
		restart(line->path);
	wait_for_module(line->path);
	return 0;
}

static int open_tty(const char *path)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", path);
	if (!isatty(fd))
		errx(1, "%s: not a tty", path);
	return fd;
}

/* Else nobody may open the tty as long as somebody has it open. */
static void give_back(void)
{
	ioctl(tty_fd, TIOCNXCL);
}

/*
 * Have the tty for ourselves. Whoever opened it before could take the discipline off again, and
 * read and write the module: he is hung up, as before a login. We as well, so that it is opened
 * anew; before the old one is closed, since to the other end of a pty the last close is an end.
 */
static void take_tty(const char *path)
{
	int before, ldisc;

	tty_fd = open_tty(path);
	if (!ioctl(tty_fd, TIOCGETD, &ldisc) && ldisc == N_ATWIFI)
		errx(1, "%s: attached already", path);
	atexit(give_back);
	/* Nobody else is to open it. */
	ioctl(tty_fd, TIOCEXCL);
	if (ioctl(tty_fd, TIOCVHANGUP))
		err(1, "%s: cannot hang up", path);
	before = tty_fd;
	tty_fd = open_tty(path);
	close(before);
}

/* Raw, at a rate; what else the driver needs it sets itself. */
static void set_up(const struct line *line)
{
	struct serial_struct serial;
	struct termios2 tio;

	if (ioctl(tty_fd, TCGETS2, &tio))
		err(1, "%s", line->path);
	tio.c_iflag = 0;
	tio.c_oflag = 0;
	tio.c_lflag = 0;
	tio.c_cflag = CS8 | CREAD | CLOCAL | BOTHER | (line->rtscts ? CRTSCTS : 0);
	tio.c_ispeed = line->speed;
	tio.c_ospeed = line->speed;
	if (ioctl(tty_fd, TCSETS2, &tio))
		err(1, "%s at %u", line->path, line->speed);
	/*
	 * An adapter of FTDI's holds back what it has received for up to 16 ms; with
	 * this for 1. Others have no such flag, or heed it as well as they can.
	 */
	if (!ioctl(tty_fd, TIOCGSERIAL, &serial)) {
		serial.flags |= ASYNC_LOW_LATENCY;
		ioctl(tty_fd, TIOCSSERIAL, &serial);
	}
}

/* Taken off even where somebody else has the tty open, too. */
static void on_signal(int sig)
{
	int ldisc = N_TTY;

	ioctl(tty_fd, TIOCSETD, &ldisc);
	give_back();
	signal(sig, SIG_DFL);
	raise(sig);
}

static void on_event(int cmd, struct nlattr *attrs, int len, void *arg)
{
	int ldisc;

	/* Whatever the event is, and where none has come: one may have been lost. */
	if (ioctl(tty_fd, TIOCGETD, &ldisc) || ldisc != N_ATWIFI)
		exit(0);
}

/* Attach it, for as long as the tty is there and this program runs. */
static int hold(struct line *line)
{
	const char *const modprobe[] = { "modprobe", "-q", "atwifi", NULL };
	const int signals[] = { SIGHUP, SIGINT, SIGTERM };
	int ldisc = N_ATWIFI;
	size_t i;

	take_tty(line->path);
	set_up(line);
	/* Where the driver is part of the kernel there is no such module. */
	if (access("/sys/module/atwifi", F_OK))
		run(modprobe);
	ctl_open();
	/* A tty that hangs up tells a program that waits for nothing; the driver does. */
	ctl_subscribe();
	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		signal(signals[i], on_signal);
	if (ioctl(tty_fd, TIOCSETD, &ldisc))
		err(1, "%s: cannot attach", line->path);
	return ctl_listen(on_event, NULL, LOOK_S);
}

/**
 * attach() - the command
 * @how: what to do
 * @argc: number of arguments
 * @argv: the tty's path, the rate, and "rtscts"
 *
 * Return: the exit status.
 */
int attach(enum attach how, int argc, char **argv)
{
	struct line line = { .speed = DEFAULT_SPEED };

	if (how == ATTACH_WANTED)
		return find_line(argv[0], &line) ? 0 : 1;
	/* What is given here counts; else what was remembered. */
	if (argc == 1 && how == ATTACH_NOW)
		find_line(argv[0], &line);
	if (snprintf(line.path, sizeof(line.path), "%s", argv[0]) >= (int)sizeof(line.path))
		errx(2, "too long for a path");
	if (argc > 1 && !read_speed(argv[1], &line.speed))
		errx(2, "'%s' is not a rate, 1200 to 4000000", argv[1]);
	if (argc > 2 && strcmp(argv[2], "rtscts"))
		errx(2, "'%s' is not rtscts", argv[2]);
	line.rtscts = line.rtscts || argc > 2;
	return how == ATTACH_PERMANENT ? remember(&line) : hold(&line);
}
