// SPDX-License-Identifier: GPL-2.0
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
 * From the runner:
 *  'I' the command's standard input, of no length at its end
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define N_ATWIFI	29		/* N_DEVELOPMENT */
#define FRAME_MAX	65536
#define PATH_ENV	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct list {
	char **s;
	size_t n;
};

/* What the spec says. */
static struct {
	struct list arg, env, modprobe, param, rw;
	struct list from, link;		/* pairs */
	const char *guest, *cwd, *module, *tty, *rawtty, *ctl, *control, *seed;
	int join, leaks, input;
} spec;

static int ctl = -1;

static void add(struct list *l, char *s)
{
	l->s = realloc(l->s, (l->n + 2) * sizeof(*l->s));
	if (!l->s)
		abort();
	l->s[l->n++] = s;
	l->s[l->n] = NULL;
}

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

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			struct pollfd pfd = { .fd = fd, .events = POLLOUT };

			poll(&pfd, 1, 1000);
			continue;
		}
		/* The runner is gone: so should we be. */
		if (n <= 0)
			reboot(RB_POWER_OFF);
		p += n;
		len -= n;
	}
}

static void frame(char type, const void *data, uint32_t len)
{
	static char buf[5 + FRAME_MAX];

	if (ctl < 0) {
		if (type == 'F' || type == 'R')
			fprintf(stderr, "guest: %.*s\n", (int)len, (const char *)data);
		return;
	}
	buf[0] = type;
	buf[1] = len;
	buf[2] = len >> 8;
	buf[3] = len >> 16;
	buf[4] = len >> 24;
	memcpy(buf + 5, data, len);
	write_all(ctl, buf, 5 + len);
}

__attribute__((format(printf, 2, 3)))
static void say(char type, const char *fmt, ...)
{
	char text[4096];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(text))
		n = sizeof(text) - 1;
	frame(type, text, n);
}

/* The whole of a file of any kind, with a NUL after it; NULL if there is none. */
static char *slurp(const char *path, size_t *len)
{
	size_t size = 0, room = 65536;
	char *buf = malloc(room + 1);
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || !buf) {
		free(buf);
		return NULL;
	}
	while ((n = read(fd, buf + size, room - size)) > 0) {
		size += n;
		if (size == room) {
			room *= 2;
			buf = realloc(buf, room + 1);
			if (!buf)
				abort();
		}
	}
	close(fd);
	buf[size] = '\0';
	if (len)
		*len = size;
	return buf;
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

static bool word(const char *s, const char *key, const char **val)
{
	size_t n = strlen(key);

	if (strncmp(s, key, n) || s[n] != '=')
		return false;
	*val = s + n + 1;
	return true;
}

static void read_spec(const char *path)
{
	const char *v;
	size_t len;
	char *p, *end;

	p = slurp(path, &len);
	if (!p) {
		fprintf(stderr, "guest: cannot read %s\n", path);
		reboot(RB_POWER_OFF);
		abort();
	}
	for (end = p + len; p < end; p += strlen(p) + 1) {
		if (word(p, "arg", &v))
			add(&spec.arg, (char *)v);
		else if (word(p, "env", &v))
			add(&spec.env, (char *)v);
		else if (word(p, "modprobe", &v))
			add(&spec.modprobe, (char *)v);
		else if (word(p, "param", &v))
			add(&spec.param, (char *)v);
		else if (word(p, "rw", &v))
			add(&spec.rw, (char *)v);
		else if (word(p, "from", &v))
			add(&spec.from, (char *)v);
		else if (word(p, "link", &v))
			add(&spec.link, (char *)v);
		else if (word(p, "join", &v))
			spec.join = atoi(v);
		else if (word(p, "leaks", &v))
			spec.leaks = atoi(v);
		else if (word(p, "input", &v))
			spec.input = atoi(v);
		else if (!word(p, "guest", &spec.guest) &&
			 !word(p, "cwd", &spec.cwd) &&
			 !word(p, "module", &spec.module) &&
			 !word(p, "tty", &spec.tty) &&
			 !word(p, "rawtty", &spec.rawtty) &&
			 !word(p, "ctl", &spec.ctl) &&
			 !word(p, "control", &spec.control) &&
			 !word(p, "seed", &spec.seed))
			fprintf(stderr, "guest: what is '%s'?\n", p);
	}
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
	bool uml = !strcmp(spec.guest, "uml");
	size_t i;

	if (uml)
		overlay_root();
	try_mount("proc", "/proc", "proc", MS_NOSUID, NULL);
	try_mount("sysfs", "/sys", "sysfs", MS_NOSUID, NULL);
	try_mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, NULL);
	try_mount("devpts", "/dev/pts", "devpts", MS_NOSUID, "ptmxmode=0666");
	try_mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID, NULL);
	try_mount("tmpfs", "/run", "tmpfs", MS_NOSUID, "mode=0755");
	try_mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	if (!uml) {
		mkdir("/tmp", 01777);
		chmod("/tmp", 01777);
		mkdir("/root", 0700);
		mkdir("/etc", 0755);
	}
	if (symlink("/proc/self/fd", "/dev/fd") || symlink("/proc/self/fd/0", "/dev/stdin") ||
	    symlink("/proc/self/fd/1", "/dev/stdout") || symlink("/proc/self/fd/2", "/dev/stderr"))
		fprintf(stderr, "guest: no /dev/fd: %s\n", strerror(errno));
	for (i = 0; i < spec.rw.n; i++)
		try_mount("none", spec.rw.s[i], "hostfs", 0, spec.rw.s[i]);
}

static void make_links(void)
{
	size_t i;

	for (i = 0; i < spec.from.n && i < spec.link.n; i++) {
		char *path = strdup(spec.link.s[i]);
		char *p;

		for (p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
			*p = '\0';
			mkdir(path, 0755);
			*p = '/';
		}
		unlink(path);
		if (symlink(spec.from.s[i], path))
			say('M', "%s: %s", path, strerror(errno));
		free(path);
	}
}

static void lo_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		say('M', "lo: %s", strerror(errno));
	close(fd);
}

/* Else programs wait for a randomness that a guest has few sources of. */
static void add_seed(void)
{
	struct {
		struct rand_pool_info info;
		char bytes[64];
	} pool = { .info = { .entropy_count = 512, .buf_size = 64 } };
	int fd;

	if (!spec.seed || strlen(spec.seed) < sizeof(pool.bytes))
		return;
	memcpy(pool.info.buf, spec.seed, sizeof(pool.bytes));
	fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &pool))
		say('M', "no seed: %s", strerror(errno));
	close(fd);
}

static int wait_status(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

static bool modprobe(const char *name)
{
	pid_t pid = fork();

	if (!pid) {
		execl("/bin/busybox", "busybox", "modprobe", name, NULL);
		execlp("modprobe", "modprobe", name, NULL);
		_exit(127);
	}
	return wait_status(pid) == 0;
}

/* The console came up after the kernel, which lost what it said till then. */
static void send_log(void)
{
	int size = klogctl(10 /* SYSLOG_ACTION_SIZE_BUFFER */, NULL, 0);
	char *buf = malloc(size > 0 ? size : 1);
	int n, at, part;

	n = buf ? klogctl(3 /* SYSLOG_ACTION_READ_ALL */, buf, size) : 0;
	for (at = 0; at < n; at += part) {
		part = n - at < FRAME_MAX ? n - at : FRAME_MAX;
		frame('K', buf + at, part);
	}
	free(buf);
}

static void install_busybox(void)
{
	pid_t pid = fork();

	if (!pid) {
		execl("/bin/busybox", "busybox", "--install", "-s", "/bin", NULL);
		_exit(127);
	}
	if (wait_status(pid))
		say('M', "busybox cannot be installed");
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

/* The device file of the virtio port that the runner calls @name. */
static bool virtio_port(const char *name, char *path, size_t size)
{
	struct dirent *d;
	bool found = false;
	char file[300], *s;
	DIR *dir;

	dir = opendir("/sys/class/virtio-ports");
	if (!dir)
		return false;
	while (!found && (d = readdir(dir))) {
		snprintf(file, sizeof(file), "/sys/class/virtio-ports/%s/name", d->d_name);
		s = slurp(file, NULL);
		if (!s)
			continue;
		s[strcspn(s, "\n")] = '\0';
		found = !strcmp(s, name);
		if (found)
			snprintf(path, size, "/dev/%.40s", d->d_name);
		free(s);
	}
	closedir(dir);
	return found;
}

/* A channel to the runner: a path, or the name of a virtio port. */
static int open_channel(const char *name, char *path, size_t size)
{
	int64_t limit = now_ms() + 20000;
	int fd = -1;

	snprintf(path, size, "%s", name);
	for (;;) {
		if (name[0] == '/' || virtio_port(name, path, size)) {
			fd = open_raw(path);
			if (fd >= 0 || (errno != ENOENT && errno != ENXIO))
				return fd;
		}
		if (now_ms() > limit)
			return -1;
		sleep_ms(10);
	}
}

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

__attribute__((format(printf, 1, 2)))
static void fail(const char *fmt, ...)
{
	char text[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say('F', "%s", text);
	power_off();
}

/*
 * The driver
 */

static bool loaded(void)
{
	return !access("/sys/module/atwifi/initstate", F_OK);
}

static void load_driver(void)
{
	char params[4096] = "";
	size_t i, n = 0;
	int fd;

	for (i = 0; i < spec.modprobe.n; i++)
		if (!modprobe(spec.modprobe.s[i]))
			say('M', "cannot load %s", spec.modprobe.s[i]);
	for (i = 0; i < spec.param.n; i++)
		n += snprintf(params + n, n < sizeof(params) ? sizeof(params) - n : 0,
			      "%s ", spec.param.s[i]);
	if (n >= sizeof(params))
		fail("the driver's parameters are too long");
	fd = open(spec.module, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail("%s: %s", spec.module, strerror(errno));
	if (syscall(SYS_finit_module, fd, params, 0))
		fail("the driver cannot be loaded: %s", strerror(errno));
	close(fd);
}

static int attach_ldisc(void)
{
	int ldisc = N_ATWIFI;
	int fd;

	fd = open_raw(spec.tty);
	if (fd < 0)
		fail("%s: %s", spec.tty, strerror(errno));
	if (ioctl(fd, TIOCSETD, &ldisc))
		fail("line discipline %d on %s: %s", N_ATWIFI, spec.tty, strerror(errno));
	return fd;
}

static void wait_join(void)
{
	int64_t limit = now_ms() + spec.join * 1000LL;
	const char *path = "/sys/class/atwifi/atw0/state";
	char state[32] = "";
	char *s;

	for (;;) {
		s = slurp(path, NULL);
		if (s) {
			s[strcspn(s, "\n")] = '\0';
			if (strcmp(s, state)) {
				snprintf(state, sizeof(state), "%s", s);
				say('M', "module: %s", state);
			}
			free(s);
		}
		if (!strcmp(state, "joined"))
			return;
		if (now_ms() > limit)
			break;
		sleep_ms(20);
	}
	if (state[0])
		fail("the module did not join within %d s: its state is '%s'", spec.join, state);
	fail("the driver found no module within %d s", spec.join);
}

/* The driver's symbols, for what is found when it is gone. */
static struct {
	uint64_t addr;
	char name[64];
} *symbols;
static size_t nr_symbols;
static uint64_t text_start, text_end;

static void save_symbols(void)
{
	unsigned long long size, start;
	char *line, *next, *all;

	all = slurp("/proc/modules", NULL);
	line = all ? strstr(all, "atwifi ") : NULL;
	if (line && sscanf(line, "atwifi %llu %*s %*s %*s %llx", &size, &start) == 2) {
		text_start = start;
		text_end = start + size;
	}
	free(all);

	nr_symbols = 0;
	all = slurp("/proc/kallsyms", NULL);
	for (line = all; line && *line; line = next) {
		unsigned long long addr;
		char name[64];

		next = strchr(line, '\n');
		next = next ? next + 1 : line + strlen(line);
		if (next > line && next[-1] == '\n')
			next[-1] = '\0';
		if (!strstr(line, "\t[atwifi]") ||
		    sscanf(line, "%llx %*c %63s", &addr, name) != 2)
			continue;
		symbols = realloc(symbols, (nr_symbols + 1) * sizeof(*symbols));
		if (!symbols)
			abort();
		symbols[nr_symbols].addr = addr;
		strcpy(symbols[nr_symbols++].name, name);
	}
	free(all);
}

static const char *symbol(uint64_t addr, unsigned long *offset)
{
	size_t i, best = nr_symbols;

	if (addr < text_start || addr >= text_end)
		return "(initialisation)";
	for (i = 0; i < nr_symbols; i++)
		if (symbols[i].addr <= addr &&
		    (best == nr_symbols || symbols[i].addr > symbols[best].addr))
			best = i;
	if (best == nr_symbols)
		return "?";
	*offset = addr - symbols[best].addr;
	return symbols[best].name;
}

/*
 * One record of kmemleak. Everything of the guest's kernel but the driver is
 * built in, so that an address without a name is the driver's, which has gone.
 */
static void report_leak(char *record)
{
	char out[8192];
	bool ours = false;
	size_t n = 0;
	char *line;

	for (line = strtok(record, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned long long addr;
		unsigned long offset = 0;
		const char *name;

		if (strstr(line, "[atwifi]") || strstr(line, " atw_"))
			ours = true;
		if (sscanf(line, " [<%*[^>]>] 0x%llx", &addr) == 1 ||
		    sscanf(line, " 0x%llx", &addr) == 1) {
			name = symbol(addr, &offset);
			ours = true;
			n += snprintf(out + n, sizeof(out) - n, "    %s+0x%lx [atwifi]\n",
				      name, offset);
		} else {
			n += snprintf(out + n, sizeof(out) - n, "%s\n", line);
		}
		if (n >= sizeof(out) - 300)
			break;
	}
	say(ours ? 'R' : 'M', "%s", out);
}

static void find_leaks(void)
{
	const char *file = "/sys/kernel/debug/kmemleak";
	char *all, *rec, *next;

	if (!spec.leaks || access(file, F_OK))
		return;
	/* Past the age at which an object counts; the first scan takes sums. */
	sleep_ms(600);
	put(file, "scan");
	put(file, "scan");
	all = slurp(file, NULL);
	for (rec = all; rec && *rec; rec = next) {
		next = strstr(rec + 1, "\nunreferenced object");
		if (next)
			*next++ = '\0';
		report_leak(rec);
		if (!next)
			break;
	}
	free(all);
}

/* After a fault of its own or of anybody's, lockdep looks at nothing any more. */
static void check_lockdep(void)
{
	char *stats = slurp("/proc/lockdep_stats", NULL);
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
	if (!loaded())
		return;
	save_symbols();
	while (syscall(SYS_delete_module, "atwifi", O_NONBLOCK)) {
		if (errno == ENOENT)
			return;
		if (now_ms() > limit) {
			char *refs = slurp("/sys/module/atwifi/refcnt", NULL);

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
	sigset_t none;

	/* No session: the leader of one would take a serial line that it opens. */
	setpgid(0, 0);
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	close_range(3, ~0U, 0);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	clearenv();
	for (size_t i = 0; i < spec.env.n; i++)
		putenv(spec.env.s[i]);
	if (chdir(spec.cwd)) {
		fprintf(stderr, "%s: %s\n", spec.cwd, strerror(errno));
		_exit(126);
	}
	execvp(spec.arg.s[0], spec.arg.s);
	fprintf(stderr, "%s: %s\n", spec.arg.s[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Passes on what there is in *fd; at its end closes it. */
static bool pass_on(int *fd, char type)
{
	static char buf[FRAME_MAX];
	ssize_t n;

	if (*fd < 0)
		return false;
	n = read(*fd, buf, sizeof(buf));
	if (n > 0) {
		frame(type, buf, n);
		return true;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		close(*fd);
		*fd = -1;
	}
	return false;
}

/* Input on its way from the runner to the command. */
static struct {
	unsigned char head[5];
	unsigned int have;	/* of the head */
	uint32_t left;		/* of the frame */
	char buf[4096];
	size_t at, len;
} input;

static void read_input(int *to)
{
	ssize_t n;

	if (input.have < sizeof(input.head)) {
		n = read(ctl, input.head + input.have, sizeof(input.head) - input.have);
		if (n <= 0)
			return;
		input.have += n;
		if (input.have < sizeof(input.head))
			return;
		input.left = input.head[1] | input.head[2] << 8 | input.head[3] << 16 |
			     (uint32_t)input.head[4] << 24;
		if (!input.left) {
			close(*to);
			*to = -1;
			input.have = 0;
		}
		return;
	}
	n = read(ctl, input.buf, input.left < sizeof(input.buf) ? input.left : sizeof(input.buf));
	if (n <= 0)
		return;
	input.left -= n;
	input.at = 0;
	input.len = n;
	if (!input.left)
		input.have = 0;
}

static void write_input(int *to)
{
	ssize_t n = write(*to, input.buf + input.at, input.len - input.at);

	if (n > 0)
		input.at += n;
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		close(*to);
		*to = -1;
	}
	if (input.at == input.len)
		input.at = input.len = 0;
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
	bool running = true;
	struct pollfd p[5];
	int status = -1, to, from_out, from_err, sig;
	sigset_t chld;
	pid_t pid;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	sig = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	make_pipe(out);
	make_pipe(err);
	if (spec.input) {
		make_pipe(in);
	} else {
		in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		in[1] = -1;
	}
	pid = fork();
	if (pid < 0)
		fail("fork: %s", strerror(errno));
	if (!pid)
		child(in[0], out[1], err[1]);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	to = in[1];
	from_out = out[0];
	from_err = err[0];
	if (to >= 0)
		fcntl(to, F_SETFL, O_NONBLOCK);
	fcntl(from_out, F_SETFL, O_NONBLOCK);
	fcntl(from_err, F_SETFL, O_NONBLOCK);
	frame('S', "", 0);

	while (running) {
		struct signalfd_siginfo si;
		pid_t got;
		int st;

		p[0] = (struct pollfd) { .fd = sig, .events = POLLIN };
		p[1] = (struct pollfd) { .fd = from_out, .events = POLLIN };
		p[2] = (struct pollfd) { .fd = from_err, .events = POLLIN };
		/* Not read on while the command does not read: the brake. */
		p[3] = (struct pollfd) { .fd = to >= 0 && !input.len ? ctl : -1,
					 .events = POLLIN };
		p[4] = (struct pollfd) { .fd = to, .events = input.len ? POLLOUT : 0 };
		if (poll(p, 5, -1) < 0 && errno != EINTR)
			fail("poll: %s", strerror(errno));
		if (p[1].revents)
			pass_on(&from_out, 'O');
		if (p[2].revents)
			pass_on(&from_err, 'E');
		if (p[3].revents)
			read_input(&to);
		if (p[4].revents && to >= 0) {
			if (input.len) {
				write_input(&to);
			} else {
				close(to);
				to = -1;
			}
		}
		if (p[0].revents && read(sig, &si, sizeof(si)) < 0 && errno != EAGAIN)
			fail("signalfd: %s", strerror(errno));
		while ((got = waitpid(-1, &st, WNOHANG)) > 0) {
			if (got == pid) {
				status = st;
				running = false;
			}
		}
	}
	/* What it wrote is in the pipes; its children may live on, unheard. */
	while (pass_on(&from_out, 'O'))
		;
	while (pass_on(&from_err, 'E'))
		;
	if (to >= 0)
		close(to);
	if (from_out >= 0)
		close(from_out);
	if (from_err >= 0)
		close(from_err);
	close(sig);
	return status;
}

int main(void)
{
	const char *path = getenv("ATWSPEC");
	char ctl_path[64], control_path[64];
	static char control_env[100];
	int line = -1, status;
	uint32_t x;

	umask(022);
	signal(SIGPIPE, SIG_IGN);
	setenv("PATH", PATH_ENV, 1);
	read_spec(path ? path : "/spec");
	mounts();
	if (!strcmp(spec.guest, "board") &&
	    (!modprobe("virtio_pci") || !modprobe("virtio_console")))
		fprintf(stderr, "guest: no virtio\n");
	ctl = open_channel(spec.ctl, ctl_path, sizeof(ctl_path));
	if (ctl < 0) {
		fprintf(stderr, "guest: no channel to the runner\n");
		power_off();
	}
	if (!strcmp(spec.guest, "board"))
		send_log();
	say('M', "booted");
	if (sethostname(spec.guest, strlen(spec.guest)))
		say('M', "hostname: %s", strerror(errno));
	add_seed();
	lo_up();
	put("/proc/sys/kernel/kptr_restrict", "0");
	put("/proc/sys/kernel/printk", "7 4 1 7");
	if (spec.leaks)
		put("/sys/kernel/debug/kmemleak", "scan=off");
	make_links();
	if (!strcmp(spec.guest, "board"))
		install_busybox();
	if (spec.rawtty) {
		/* Kept open: what has come would go with the last who has it open. */
		if (open_raw(spec.rawtty) < 0)
			fail("%s: %s", spec.rawtty, strerror(errno));
		frame('T', "", 0);
	}
	if (spec.control) {
		/* Raw from now on, for whoever opens it. */
		int fd = open_channel(spec.control, control_path, sizeof(control_path));

		if (fd < 0)
			fail("no channel to the emulator's control socket");
		close(fd);
		snprintf(control_env, sizeof(control_env), "ATW_SIM_CONTROL=%s", control_path);
		add(&spec.env, control_env);
	}
	if (spec.module) {
		load_driver();
		if (spec.tty)
			line = attach_ldisc();
		if (spec.join)
			wait_join();
	}

	status = run_command();
	x = status;
	frame('X', &x, sizeof(x));

	end_processes();
	unload_driver(line);
	if (spec.module)
		check_lockdep();
	find_leaks();
	power_off();
}
