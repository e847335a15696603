// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first process of both guests.
 *
 * It makes the guest usable, loads the driver, waits until the module has
 * joined, runs the command, unloads the driver, looks for leaks and powers off.
 * It is told what to do by a file of the runner's ("the spec") and talks to the
 * runner over one lossless byte channel (a UML serial line or a virtio port) in
 * frames: a type, the length of what follows (32 bits, little endian), payload.
 *
 * To the runner:
 *  'M' a word about what is going on     'S' the command was started
 *  'O' 'E' its standard output, error    'X' its wait status (32 bits)
 *  'F' it could not be started: why      'R' a report that fails the run
 *  'D' all is done, the power goes off   'K' the kernel's log so far
 *  'T' the serial line is open and raw
 *  'Y' the driver's symbols, 'L' what kmemleak has found without it
 * From the runner:
 *  'I' the command's standard input, of no length at its end
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <linux/random.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define N_ATWIFI	29		/* N_DEVELOPMENT */
#define PATH_ENV	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* What the spec says: KEY=VALUE each, of some keys several, with a NUL behind it. */
static char *spec;
static size_t spec_len;

static bool board;
static int ctl = -1;

/* The next value of a key; NULL: there are no more. */
static char *next(const char *key, size_t *at)
{
	size_t len = strlen(key);

	while (*at < spec_len) {
		char *entry = spec + *at;

		*at += strlen(entry) + 1;
		if (!strncmp(entry, key, len) && entry[len] == '=')
			return entry + len + 1;
	}
	return NULL;
}

static char *word(const char *key)
{
	size_t at = 0;

	return next(key, &at);
}

static int number(const char *key)
{
	char *value = word(key);

	return value ? atoi(value) : 0;
}

#define for_each_value(value, key)	\
	for (size_t at = 0; (value = next(key, &at)); )

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void sleep_ms(int ms)
{
	poll(NULL, 0, ms);
}

static void write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		/* The runner is gone: so should we be. */
		if (n <= 0)
			reboot(RB_POWER_OFF);
		p += n;
		len -= n;
	}
}

static void frame(char type, const void *data, uint32_t len)
{
	char head[5] = { type };

	if (ctl < 0) {
		if (type == 'F' || type == 'R')
			fprintf(stderr, "guest: %.*s\n", (int)len, (const char *)data);
		return;
	}
	/* Both kinds of guests have the same byte order. */
	memcpy(head + 1, &len, sizeof(len));
	write_all(ctl, head, sizeof(head));
	write_all(ctl, data, len);
}

__attribute__((format(printf, 2, 3)))
static void say(char type, const char *fmt, ...)
{
	char text[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	frame(type, text, strlen(text));
}

__attribute__((noreturn))
static void power_off(void)
{
	frame('D', "", 0);
	if (ctl >= 0 && isatty(ctl))
		tcdrain(ctl);
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

#define fail(...)				\
	do {					\
		say('F', __VA_ARGS__);		\
		power_off();			\
	} while (0)

/* The whole of a file, with a NUL behind it; NULL if there is none. */
static char *slurp(const char *path, size_t *len)
{
	FILE *in = fopen(path, "re"), *out;
	char *text = NULL;
	int c;

	if (!in)
		return NULL;
	out = open_memstream(&text, len);
	while ((c = getc(in)) != EOF)
		putc(c, out);
	fclose(out);
	fclose(in);
	return text;
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		say('M', "%s: %s", path, strerror(errno));
	close(fd);
}

static void read_spec(const char *path)
{
	spec = slurp(path, &spec_len);
	if (!spec) {
		fprintf(stderr, "guest: cannot read %s\n", path);
		power_off();
	}
	board = !strcmp(word("guest"), "board");
}

static void try_mount(const char *what, const char *where, const char *type,
		      unsigned long flags, const char *opts)
{
	mkdir(where, 0755);
	if (mount(what, where, type, flags, opts))
		fprintf(stderr, "guest: mount %s on %s: %s\n", type, where, strerror(errno));
}

/*
 * The uml guest's root is the host's own file system and root may do anything
 * there: it is only the lower layer of an overlay whose upper one is memory.
 */
static void overlay_root(void)
{
	try_mount("tmpfs", "/tmp", "tmpfs", 0, "mode=0755,size=90%");
	mkdir("/tmp/upper", 0755);
	mkdir("/tmp/work", 0755);
	try_mount("overlay", "/tmp/root", "overlay", 0,
		  "lowerdir=/,upperdir=/tmp/upper,workdir=/tmp/work");
	if (chdir("/tmp/root") || mount(".", "/", NULL, MS_MOVE, NULL) ||
	    chroot(".") || chdir("/")) {
		fprintf(stderr, "guest: no root: %s\n", strerror(errno));
		reboot(RB_POWER_OFF);
	}
}

static void mounts(void)
{
	char *path;

	if (!board)
		overlay_root();
	try_mount("proc", "/proc", "proc", MS_NOSUID, NULL);
	try_mount("sysfs", "/sys", "sysfs", MS_NOSUID, NULL);
	try_mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, NULL);
	try_mount("devpts", "/dev/pts", "devpts", MS_NOSUID, "ptmxmode=0666");
	try_mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID, NULL);
	try_mount("tmpfs", "/run", "tmpfs", MS_NOSUID, "mode=0755");
	try_mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	if (board) {
		mkdir("/tmp", 01777);
		chmod("/tmp", 01777);
		mkdir("/root", 0700);
		mkdir("/etc", 0755);
	}
	if (symlink("/proc/self/fd", "/dev/fd") || symlink("/proc/self/fd/0", "/dev/stdin") ||
	    symlink("/proc/self/fd/1", "/dev/stdout") || symlink("/proc/self/fd/2", "/dev/stderr"))
		fprintf(stderr, "guest: no /dev/fd: %s\n", strerror(errno));
	for_each_value(path, "rw")
		try_mount("none", path, "hostfs", 0, path);
}

/* Each "link" is to what the "from" before it says. */
static void make_links(void)
{
	size_t from = 0, link = 0;
	char *path, *p;

	while ((path = next("link", &link))) {
		for (p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
			*p = '\0';
			mkdir(path, 0755);
			*p = '/';
		}
		unlink(path);
		if (symlink(next("from", &from), path))
			say('M', "%s: %s", path, strerror(errno));
	}
}

/* Else programs wait for a randomness that a guest has few sources of. */
static void add_seed(void)
{
	struct {
		struct rand_pool_info info;
		char bytes[64];
	} pool = { .info = { .entropy_count = 512, .buf_size = 64 } };
	int fd;

	memcpy(pool.info.buf, word("seed"), sizeof(pool.bytes));
	fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &pool))
		say('M', "no seed: %s", strerror(errno));
	close(fd);
}

static bool busybox(const char *a, const char *b, const char *c)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		execl("/bin/busybox", "busybox", a, b, c, NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return !status;
}

/* The console came up after the kernel, which lost what it said till then. */
static void send_log(void)
{
	int size = klogctl(10 /* SYSLOG_ACTION_SIZE_BUFFER */, NULL, 0);
	char *buf = malloc(size > 0 ? size : 1);
	int n = buf ? klogctl(3 /* SYSLOG_ACTION_READ_ALL */, buf, size) : 0;

	frame('K', buf, n > 0 ? n : 0);
	free(buf);
}

/* A tty as a plain pipe for bytes. */
static int open_raw(const char *path)
{
	struct termios tio;
	int fd;

	fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || !isatty(fd) || tcgetattr(fd, &tio))
		return fd;
	cfmakeraw(&tio);
	tio.c_cflag |= CLOCAL | CREAD;
	tio.c_cflag &= ~(CRTSCTS | HUPCL);
	cfsetspeed(&tio, B115200);
	tcsetattr(fd, TCSANOW, &tio);
	return fd;
}

/* A channel to the runner: the driver of the device may still be looking for it. */
static int open_channel(const char *path)
{
	int64_t limit = now_ms() + 20000;
	int fd;

	while ((fd = open_raw(path)) < 0 && (errno == ENOENT || errno == ENXIO) &&
	       now_ms() < limit)
		sleep_ms(10);
	return fd;
}

/*
 * The driver
 */

static void load_driver(void)
{
	char *path = word("module"), *name;
	int fd;

	for_each_value(name, "modprobe")
		if (!busybox("modprobe", name, NULL))
			say('M', "cannot load %s", name);
	/* The unit tests have memory fail, where the kernel can: that of whoever may wait, too. */
	put("/sys/kernel/debug/failslab/ignore-gfp-wait", "N");
	put("/sys/kernel/debug/failslab/verbose", "0");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail("%s: %s", path, strerror(errno));
	if (syscall(SYS_finit_module, fd, word("params"), 0))
		fail("the driver cannot be loaded: %s", strerror(errno));
	close(fd);
}

static int attach_ldisc(const char *tty)
{
	int ldisc = N_ATWIFI;
	int fd;

	fd = open_raw(tty);
	if (fd < 0)
		fail("%s: %s", tty, strerror(errno));
	if (ioctl(fd, TIOCSETD, &ldisc))
		fail("line discipline %d on %s: %s", N_ATWIFI, tty, strerror(errno));
	return fd;
}

static void wait_join(int seconds)
{
	int64_t limit = now_ms() + seconds * 1000LL;
	char state[32] = "";
	size_t len;
	char *s;

	while (strcmp(state, "joined")) {
		if (now_ms() > limit)
			fail("the module did not join within %d s: its state is '%s'", seconds,
			     state[0] ? state : "no module");
		sleep_ms(20);
		s = slurp("/sys/class/atwifi/atw0/state", &len);
		if (!s)
			continue;
		s[strcspn(s, "\n")] = '\0';
		if (strcmp(s, state))
			say('M', "module: %s", s);
		snprintf(state, sizeof(state), "%s", s);
		free(s);
	}
}

/*
 * The driver's symbols, and where it is: everything else of a guest's kernel that finds
 * leaks is built in, so that what has no name there is the driver's, which has gone.
 */
static char *symbols;
static size_t symbols_len;

static void save_symbols(void)
{
	static const char * const files[] = { "/proc/modules", "/proc/kallsyms" };
	FILE *out = open_memstream(&symbols, &symbols_len);
	char *line = NULL;
	size_t room, i;

	for (i = 0; i < 2; i++) {
		FILE *in = fopen(files[i], "re");

		while (in && getline(&line, &room, in) > 0)
			if (strstr(line, "\t[atwifi]") || !strncmp(line, "atwifi ", 7))
				fputs(line, out);
		if (in)
			fclose(in);
	}
	fclose(out);
	free(line);
}

static void find_leaks(void)
{
	const char *file = "/sys/kernel/debug/kmemleak";
	char *found;
	size_t len;

	if (!number("leaks") || access(file, F_OK))
		return;
	/* Past the age at which an object counts; the first scan takes sums. */
	sleep_ms(600);
	put(file, "scan");
	put(file, "scan");
	found = slurp(file, &len);
	if (found && len) {
		frame('Y', symbols, symbols_len);
		frame('L', found, len);
	}
	free(found);
}

/* After a fault of its own or of anybody's, lockdep looks at nothing any more. */
static void check_lockdep(void)
{
	size_t len;
	char *stats = slurp("/proc/lockdep_stats", &len);
	char *line = stats ? strstr(stats, " debug_locks:") : NULL;

	if (line && !strtoul(line + strlen(" debug_locks:"), NULL, 10))
		say('R', "lockdep has switched itself off in this run: its silence means nothing");
	free(stats);
}

static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* What the command left behind; it may hold sockets of the driver. */
static void end_processes(void)
{
	int64_t limit = now_ms() + 1000;

	kill(-1, SIGTERM);
	kill(-1, SIGCONT);
	while (waitpid(-1, NULL, WNOHANG) >= 0) {
		if (now_ms() > limit)
			kill(-1, SIGKILL);
		if (now_ms() > limit + 5000) {
			say('R', "a process cannot be killed");
			break;
		}
		sleep_ms(5);
	}
}

static void unload_driver(int line)
{
	int64_t limit = now_ms() + 10000;
	int ldisc = 0;

	if (line >= 0) {
		/* Who took the line over may have hung it up. */
		if (ioctl(line, TIOCSETD, &ldisc))
			say('M', "detach: %s", strerror(errno));
		close(line);
	}
	if (access("/sys/module/atwifi/initstate", F_OK))
		return;
	if (number("leaks"))
		save_symbols();
	while (syscall(SYS_delete_module, "atwifi", O_NONBLOCK)) {
		if (errno == ENOENT)
			return;
		if (now_ms() > limit) {
			size_t len;
			char *refs = slurp("/sys/module/atwifi/refcnt", &len);

			say('R', "the driver cannot be unloaded: %s (references: %s)",
			    strerror(errno), refs ? strtok(refs, "\n") : "?");
			return;
		}
		reap();
		sleep_ms(20);
	}
	say('M', "driver unloaded");
}

/*
 * The command
 */

static void child(int in, int out, int err)
{
	char **args = calloc(spec_len, sizeof(*args)), *value;
	sigset_t none;
	size_t n = 0;

	/* No session: the leader of one would take a serial line that it opens. */
	setpgid(0, 0);
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	clearenv();
	for_each_value(value, "env")
		putenv(value);
	for_each_value(value, "arg")
		args[n++] = value;
	if (!n)
		_exit(127);
	if (chdir(word("cwd"))) {
		fprintf(stderr, "%s: %s\n", word("cwd"), strerror(errno));
		_exit(126);
	}
	execvp(args[0], args);
	fprintf(stderr, "%s: %s\n", args[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Passes on what there is in *fd; at its end closes it. */
static bool pass_on(int *fd, char type)
{
	static char buf[65536];
	ssize_t n;

	if (*fd < 0)
		return false;
	n = read(*fd, buf, sizeof(buf));
	if (n > 0) {
		frame(type, buf, n);
		return true;
	}
	if (n == 0 || errno != EAGAIN) {
		close(*fd);
		*fd = -1;
	}
	return false;
}

/*
 * Passes on the command's input, in a process of its own: what the command does not read
 * is not read from the runner either.
 */
static void feed(int to)
{
	FILE *in, *out;
	uint32_t len;
	char buf[4096];

	if (fork())
		return;
	in = fdopen(ctl, "r");
	out = fdopen(to, "w");
	/* It has 'I' alone to say. */
	while (getc(in) == 'I' && fread(&len, sizeof(len), 1, in) == 1 && len &&
	       len <= sizeof(buf) && fread(buf, len, 1, in) == 1 &&
	       fwrite(buf, len, 1, out) == 1 && !fflush(out))
		;
	_exit(0);
}

static void make_pipe(int p[2])
{
	if (pipe2(p, O_CLOEXEC))
		fail("pipe: %s", strerror(errno));
}

/* Runs the command to its end; its wait status. */
static int run_command(void)
{
	int in[2] = { -1, -1 }, out[2], err[2];
	struct signalfd_siginfo si;
	int status = -1, st, sig;
	pid_t pid, got = 0;
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	sig = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	make_pipe(out);
	make_pipe(err);
	if (number("input"))
		make_pipe(in);
	else
		in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid = fork();
	if (pid < 0)
		fail("fork: %s", strerror(errno));
	if (!pid)
		child(in[0], out[1], err[1]);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	if (in[1] >= 0)
		feed(in[1]);
	close(in[1]);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	frame('S', "", 0);

	while (got != pid) {
		struct pollfd p[] = {
			{ .fd = sig, .events = POLLIN },
			{ .fd = out[0], .events = POLLIN },
			{ .fd = err[0], .events = POLLIN },
		};

		if (poll(p, 3, -1) < 0)
			fail("poll: %s", strerror(errno));
		if (p[1].revents)
			pass_on(&out[0], 'O');
		if (p[2].revents)
			pass_on(&err[0], 'E');
		if (p[0].revents && read(sig, &si, sizeof(si)) < 0)
			fail("signalfd: %s", strerror(errno));
		while ((got = waitpid(-1, &st, WNOHANG)) > 0 && got != pid)
			;
		if (got == pid)
			status = st;
	}
	/* What it wrote is in the pipes; its children may live on, unheard. */
	while (pass_on(&out[0], 'O'))
		;
	while (pass_on(&err[0], 'E'))
		;
	return status;
}

int main(void)
{
	const char *path = getenv("ATWSPEC");
	int fd, line = -1;
	uint32_t status;

	umask(022);
	signal(SIGPIPE, SIG_IGN);
	setenv("PATH", PATH_ENV, 1);
	read_spec(path ? path : "/spec");
	mounts();
	if (board && (!busybox("modprobe", "virtio_pci", NULL) ||
		      !busybox("modprobe", "virtio_console", NULL)))
		fprintf(stderr, "guest: no virtio\n");
	ctl = open_channel(word("ctl"));
	if (ctl < 0) {
		fprintf(stderr, "guest: no channel to the runner\n");
		power_off();
	}
	if (board)
		send_log();
	say('M', "booted");
	if (sethostname(word("guest"), strlen(word("guest"))))
		say('M', "hostname: %s", strerror(errno));
	add_seed();
	if (!busybox("ifconfig", "lo", "up"))
		say('M', "lo is not up");
	put("/proc/sys/kernel/kptr_restrict", "0");
	put("/proc/sys/kernel/printk", "7 4 1 7");
	if (number("leaks"))
		put("/sys/kernel/debug/kmemleak", "scan=off");
	make_links();
	if (board && !busybox("--install", "-s", "/bin"))
		say('M', "busybox cannot be installed");
	if (word("rawtty")) {
		/* Kept open: what has come would go with the last who has it open. */
		if (open_raw(word("rawtty")) < 0)
			fail("%s: %s", word("rawtty"), strerror(errno));
		frame('T', "", 0);
	}
	if (word("control")) {
		/* Raw from now on, for whoever opens it. */
		fd = open_channel(word("control"));
		if (fd < 0)
			fail("no channel to the emulator's control socket");
		close(fd);
	}
	if (word("module")) {
		load_driver();
		if (word("tty"))
			line = attach_ldisc(word("tty"));
		if (number("join"))
			wait_join(number("join"));
	}

	status = run_command();
	frame('X', &status, sizeof(status));

	end_processes();
	unload_driver(line);
	if (word("module"))
		check_lockdep();
	find_leaks();
	power_off();
}
