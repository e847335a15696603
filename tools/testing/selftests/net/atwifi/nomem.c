// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that is not there. The kernel's fault injection has the Nth allocation of a task
 * fail. Each use of the driver is repeated for each N, until none is left to fail: it
 * works, or fails with an error that says so, no stream has a hole, and what comes after
 * it works.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <termios.h>
#include <linux/atwifi_genl.h>
#include <linux/genetlink.h>

#include "kselftest_harness.h"
#include "pattern.h"
#include "ptys.h"
#include "util.h"

#define FAILSLAB	"/sys/kernel/debug/failslab/"
#define FAILPAGES	"/sys/kernel/debug/fail_page_alloc/"
#define TASKS_MAX	128
/* No use of the driver has one task make so many allocations. */
#define ALLOCATIONS_MAX	2000
/* With each of them failing, which takes as long as it takes. */
#define ALL_S		7200
#define STREAM_BYTES	3000
#define EXPOSED_PORT	5022

/* Whose allocations fail. */
enum whose {
	PROGRAM,	/* this program's: what its calls need */
	THREAD,		/* the driver's thread, which talks to the module */
	WORKERS,	/* the kernel's workers, which receive from the line and relay */
	PACKETS,	/* the network device's part that sorts packets */
	WHOSE
};

static const char *const whose_name[WHOSE] = { "program", "thread", "workers", "packets" };

/* The tasks whose Nth allocation is to fail. */
static struct {
	pid_t tid[TASKS_MAX];
	unsigned int n;
} armed;

/* How often one did. */
static unsigned int hits[WHOSE];

static const char *device;

/* ATW_QUICK: the first ones, and then ever fewer of those that follow. */
static int next_after(int n)
{
	return n + 1 + (*atw_env("ATW_QUICK", "") ? n / 2 : 0);
}

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

/*
 * What is larger than two pages is no slab's: struct atw_dev, a network device. Single pages are
 * what the kernel itself makes of any of them, and that is not tried here.
 */
static bool can_fail(void)
{
	mount("none", "/sys/kernel/debug", "debugfs", 0, NULL);
	return !access(FAILSLAB, F_OK) && !fail_nth(gettid(), 0) &&
	       !atw_write(FAILSLAB "ignore-gfp-wait", "N") && !atw_write(FAILSLAB "verbose", "0") &&
	       !atw_write(FAILPAGES "ignore-gfp-wait", "N") &&
	       !atw_write(FAILPAGES "min-order", "1") && !atw_write(FAILPAGES "verbose", "0");
}

static bool is_one_of(enum whose whose, const char *comm)
{
	switch (whose) {
	case THREAD:
		return !strncmp(comm, device, strlen(device)) && comm[strlen(device)] == '\n';
	case WORKERS:
		return !strncmp(comm, "kworker/", 8);
	case PACKETS:
		return !strncmp(comm, "napi/", 5) &&
		       !strncmp(comm + 5, device, strlen(device));
	default:
		return false;
	}
}

/* The Nth allocation of each of these tasks is to fail, from here on. */
static void arm(enum whose whose, int n)
{
	char path[288], *comm;
	struct dirent *entry;
	unsigned int i;
	DIR *proc;
	pid_t tid;

	armed.n = 0;
	if (whose == PROGRAM) {
		armed.tid[armed.n++] = gettid();
	} else {
		proc = opendir("/proc");
		while (proc && (entry = readdir(proc)) && armed.n < TASKS_MAX) {
			tid = atoi(entry->d_name);
			if (!tid)
				continue;
			snprintf(path, sizeof(path), "/proc/%d/comm", tid);
			comm = atw_slurp(path);
			if (comm && is_one_of(whose, comm))
				armed.tid[armed.n++] = tid;
			free(comm);
		}
		if (proc)
			closedir(proc);
	}
	/* What is a program's own is armed last: nothing but its use is to be counted. */
	for (i = 0; i < armed.n; i++)
		fail_nth(armed.tid[i], n);
}

/* None is to fail any more. Has one failed? */
static bool disarm(void)
{
	bool failed = false;
	unsigned int i;

	for (i = 0; i < armed.n; i++)
		failed |= has_failed(armed.tid[i]);
	armed.n = 0;
	return failed;
}

/* A socket that is bound to nothing, and whose calls have an end. */
static int use_socket(int of, int type)
{
	int fd = socket(of, type | SOCK_CLOEXEC, 0);

	return fd >= 0 && atw_timeouts(fd, LONG_MS) ? atw_failed(fd) : fd;
}

static int connect_to_peer(int fd, int of)
{
	struct sockaddr_atw to = {
		.satw_family = of,
		.satw_port = htons(atw_peer_port()),
		.satw_addr = htonl(0xc0000201),
	};

	return atw_connect(fd, &to);
}

/* What is sent comes back, each byte of it, or the stream fails: EPROTO, neither. */
static int echoed(int fd)
{
	uint8_t out[STREAM_BYTES], in[STREAM_BYTES];
	size_t have = 0;
	ssize_t n;
	int err;

	pattern_fill(out, sizeof(out), 7, 0);
	err = atw_send_all(fd, out, sizeof(out)) < 0 ? errno : 0;
	while (!err && have < sizeof(in)) {
		n = recv(fd, in + have, sizeof(in) - have, 0);
		if (n < 0) {
			err = errno;
		} else if (!n || memcmp(out + have, in + have, n)) {
			fprintf(stderr, "# %s after %zu bytes\n", n ? "wrong bytes" : "an end",
				have);
			err = EPROTO;
		}
		have += n;
	}
	return err;
}

static int stream_of(int of)
{
	int fd = use_socket(of, SOCK_STREAM), err;

	if (fd < 0)
		return errno;
	err = connect_to_peer(fd, of) || atw_send_all(fd, "echo\n", 5) < 0 ? errno : 0;
	if (!err)
		err = echoed(fd);
	close(fd);
	return err;
}

/* One that is lost is sent again: a datagram may be, also for want of memory. */
static int dgram_of(int of)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	int fd = use_socket(of, SOCK_DGRAM), err = 0;
	bool came = false;
	char buf[16];

	if (fd < 0)
		return errno;
	if (connect_to_peer(fd, of))
		err = errno;
	while (!err && !came) {
		if (atw_now_ms() > limit)
			err = ETIMEDOUT;
		else if (send(fd, "hello", 5, 0) < 0)
			err = errno;
		else if (atw_wait(fd, POLLIN, 200) & (POLLIN | POLLERR))
			came = recv(fd, buf, sizeof(buf), 0) == 5;
	}
	close(fd);
	return err;
}

static int use_stream(void)
{
	return stream_of(atw_family());
}

static int use_dgram(void)
{
	return dgram_of(atw_family());
}

static int use_inet_stream(void)
{
	return stream_of(AF_INET);
}

/* What comes is all that the peer sends, and then its end; or the stream fails. */
static int use_inet_end(void)
{
	int fd = use_socket(AF_INET, SOCK_STREAM), err = 0;
	int64_t got;

	if (fd < 0)
		return errno;
	if (connect_to_peer(fd, AF_INET) || atw_send_all(fd, "source 3000 7\n", 14) < 0) {
		err = errno;
	} else {
		got = atw_download(fd, STREAM_BYTES + 1, 7, &err);
		if (!err && got != STREAM_BYTES)
			err = EPROTO;
	}
	close(fd);
	return err;
}

/* Who waits for what comes is told that nothing does. */
static int use_inet_loss(void)
{
	int fd = use_socket(AF_INET, SOCK_STREAM), err;
	char byte;

	if (fd < 0)
		return errno;
	errno = ETIMEDOUT;
	/* What the emulator is told takes memory of this program's, too. */
	if (connect_to_peer(fd, AF_INET) || atw_send_all(fd, "hold\n", 5) < 0 || atw_sim("reset"))
		err = errno;
	else
		err = recv(fd, &byte, 1, 0) ? errno : EPROTO;
	close(fd);
	return err == ECONNRESET ? 0 : err;
}

static int use_inet_dgram(void)
{
	return dgram_of(AF_INET);
}

/* Who comes when there is no memory for him is disconnected, which is counted. */
static int use_server(void)
{
	const long refused = atw_stat(device, "refused");
	uint64_t limit = atw_now_ms() + LONG_MS;
	int server, port, fd, err = 0;

	server = atw_server(SOCK_STREAM, 4, &port);
	if (server < 0)
		return errno;
	if (atw_dial(port, "echo"))
		err = errno;
	while (!err && !(atw_wait(server, POLLIN, 100) & (POLLIN | POLLERR))) {
		if (atw_stat(device, "refused") != refused)
			err = ENOBUFS;
		else if (atw_now_ms() > limit)
			err = ETIMEDOUT;
	}
	if (!err) {
		fd = accept4(server, NULL, NULL, SOCK_CLOEXEC);
		err = fd < 0 ? errno : 0;
		if (!err) {
			atw_timeouts(fd, LONG_MS);
			err = echoed(fd);
			close(fd);
		}
	}
	close(server);
	return err;
}

static int use_transparent(void)
{
	int fd = use_socket(atw_family(), SOCK_STREAM), err, on = 1;

	if (fd < 0)
		return errno;
	err = connect_to_peer(fd, atw_family()) || atw_send_all(fd, "echo\n", 5) < 0 ||
	      setsockopt(fd, SOL_ATWIFI, ATW_TRANSPARENT, &on, sizeof(on)) ? errno : 0;
	if (!err)
		err = echoed(fd);
	close(fd);
	return err;
}

static int use_restart(void)
{
	return atw_reset_module(device) ? 0 : ETIMEDOUT;
}

/* It loses its network, and joins again. */
static int use_link(void)
{
	return !atw_sim("link down") && atw_state_becomes(device, "down", UP_MS) &&
	       !atw_sim("link up") && atw_state_becomes(device, "joined", UP_MS) ? 0 : ETIMEDOUT;
}

/* The netlink family */

#define ATTRIBUTES	4

struct attribute {
	int type;
	const void *data;
	size_t len;
};

struct request {
	const char *name;
	int cmd;
	int flags;
	struct attribute attribute[ATTRIBUTES];
};

static const uint8_t tcp = 6;
static const uint16_t exposed = EXPOSED_PORT;
static const uint32_t ca = ATWIFI_CERT_TYPE_CA, prefer = ATWIFI_PREFER_BALANCE;

#define TEXT(_type, _text)	{ _type, _text, sizeof(_text) }
#define VALUE(_type, _value)	{ _type, &(_value), sizeof(_value) }
#define EXPOSED	{ VALUE(ATWIFI_A_EXPOSE_PROTOCOL, tcp), VALUE(ATWIFI_A_EXPOSE_PORT, exposed) }

static const struct request requests[] = {
	{ "dev-get", ATWIFI_CMD_DEV_GET, 0, { { 0 } } },
	{ "dev-get, all", ATWIFI_CMD_DEV_GET, NLM_F_DUMP, { { 0 } } },
	{ "dev-set", ATWIFI_CMD_DEV_SET, 0, { VALUE(ATWIFI_A_DEV_PREFER, prefer) } },
	{ "socket-get", ATWIFI_CMD_SOCKET_GET, NLM_F_DUMP, { { 0 } } },
	{ "dns-get", ATWIFI_CMD_DNS_GET, 0, { { 0 } } },
	{ "resolve", ATWIFI_CMD_RESOLVE, 0, { TEXT(ATWIFI_A_RESOLVE_HOST, "name.test") } },
	{ "autott-get", ATWIFI_CMD_AUTOTT_GET, 0, { { 0 } } },
	{ "cert-get", ATWIFI_CMD_CERT_GET, 0, { VALUE(ATWIFI_A_CERT_TYPE, ca) } },
	{ "at", ATWIFI_CMD_AT, 0, { TEXT(ATWIFI_A_AT_LINE, "AT+GMR") } },
	{ "expose-get", ATWIFI_CMD_EXPOSE_GET, NLM_F_DUMP, { { 0 } } },
	{ "wifi-get", ATWIFI_CMD_WIFI_GET, 0, { { 0 } } },
	{ "scan", ATWIFI_CMD_SCAN, 0, { { 0 } } },
	{ "ap-get", ATWIFI_CMD_AP_GET, 0, { { 0 } } },
	{ "passphrase-listen", ATWIFI_CMD_PASSPHRASE_LISTEN, 0, { { 0 } } },
};

static const struct request expose_add = {
	"expose-add", ATWIFI_CMD_EXPOSE_ADD, 0, EXPOSED
};

static const struct request expose_del = {
	"expose-del", ATWIFI_CMD_EXPOSE_DEL, 0, EXPOSED
};

static const struct request *request;
static int atwifi_id;

static int netlink_socket(void)
{
	struct sockaddr_nl any = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);

	if (fd >= 0 && (bind(fd, (struct sockaddr *)&any, sizeof(any)) ||
			atw_timeouts(fd, LONG_MS)))
		return atw_failed(fd);
	return fd;
}

static size_t put(char *buf, size_t len, const struct attribute *a)
{
	struct nlattr head = { .nla_len = sizeof(head) + a->len, .nla_type = a->type };

	memcpy(buf + len, &head, sizeof(head));
	memcpy(buf + len + sizeof(head), a->data, a->len);
	return len + NLA_ALIGN(head.nla_len);
}

static bool ask(int fd, int id, const struct request *r, const char *dev)
{
	/* Which is the first of all attributes, but of what has a place for padding. */
	struct attribute name = {
		r == &expose_add || r == &expose_del ? ATWIFI_A_EXPOSE_DEV : ATWIFI_A_DEV_NAME,
		dev, dev ? strlen(dev) + 1 : 0
	};
	char buf[512] __attribute__((aligned(8))) = { 0 };
	struct nlmsghdr *nlh = (struct nlmsghdr *)buf;
	struct genlmsghdr genl = { .cmd = r->cmd, .version = 1 };
	size_t len = NLMSG_LENGTH(sizeof(genl));
	unsigned int i;

	memcpy(NLMSG_DATA(nlh), &genl, sizeof(genl));
	if (dev)
		len = put(buf, len, &name);
	for (i = 0; i < ATTRIBUTES && r->attribute[i].type; i++)
		len = put(buf, len, &r->attribute[i]);
	nlh->nlmsg_len = len;
	nlh->nlmsg_type = id;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | r->flags;
	return send(fd, buf, len, 0) == (ssize_t)len;
}

/* What a request ends with; of what it answers @found keeps the first message. */
static int answered(int fd, char *found, size_t size)
{
	char buf[16384] __attribute__((aligned(8)));
	const struct nlmsghdr *nlh;
	int left;

	for (;;) {
		left = recv(fd, buf, sizeof(buf), 0);
		if (left < 0)
			return errno;
		for (nlh = (const void *)buf; NLMSG_OK(nlh, (unsigned int)left);
		     nlh = NLMSG_NEXT(nlh, left)) {
			if (nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR)
				return -*(const int *)NLMSG_DATA(nlh);
			if (found && nlh->nlmsg_len <= size)
				memcpy(found, nlh, nlh->nlmsg_len);
		}
	}
}

/* The number of the family, and that of its events. */
static int find_family(int *events)
{
	static const struct request getfamily = {
		"getfamily", CTRL_CMD_GETFAMILY, 0,
		{ TEXT(CTRL_ATTR_FAMILY_NAME, ATWIFI_FAMILY_NAME) }
	};
	char buf[4096] __attribute__((aligned(8))) = { 0 };
	const struct nlmsghdr *nlh = (const void *)buf;
	const struct nlattr *a, *in, *end;
	int fd = netlink_socket(), id = -1;
	const uint32_t *group;

	if (fd < 0)
		return -1;
	if (!ask(fd, GENL_ID_CTRL, &getfamily, NULL) || answered(fd, buf, sizeof(buf)))
		goto out;
	end = (const void *)(buf + nlh->nlmsg_len);
	for (a = (const void *)(buf + NLMSG_LENGTH(sizeof(struct genlmsghdr)));
	     a < end && a->nla_len; a = (const void *)((const char *)a + NLA_ALIGN(a->nla_len))) {
		if (a->nla_type == CTRL_ATTR_FAMILY_ID)
			id = *(const uint16_t *)(a + 1);
		if ((a->nla_type & NLA_TYPE_MASK) != CTRL_ATTR_MCAST_GROUPS)
			continue;
		/* There is one: a nest, of a nest, of a name and a number. */
		for (in = a + 2; in < end && in->nla_len;
		     in = (const void *)((const char *)in + NLA_ALIGN(in->nla_len))) {
			group = (const void *)(in + 1);
			if (in->nla_type == CTRL_ATTR_MCAST_GRP_ID)
				*events = *group;
		}
	}
out:
	close(fd);
	return id;
}

/* Somebody listens to the events, so that there are some. */
static int listen_to_events(void)
{
	int fd = netlink_socket(), events = 0;

	atwifi_id = find_family(&events);
	if (fd >= 0 && (atwifi_id <= 0 || setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP,
						     &events, sizeof(events))))
		return atw_failed(fd);
	return fd;
}

/* Of all devices, not of one. */
static bool is_of_all(const struct request *r)
{
	return r->flags & NLM_F_DUMP || r->cmd == ATWIFI_CMD_PASSPHRASE_LISTEN;
}

/* What a request ends with: there is no such name. */
static int usual_of(const struct request *r)
{
	return r->cmd == ATWIFI_CMD_RESOLVE ? EHOSTUNREACH : 0;
}

static int use_netlink(void)
{
	int fd = netlink_socket(), err;

	if (fd < 0)
		return errno;
	err = ask(fd, atwifi_id, request, is_of_all(request) ? NULL : device) ?
	      answered(fd, NULL, 0) : errno;
	close(fd);
	return err;
}

/* A port is exposed, where it is not since the last time, and not any more. */
static int use_expose(void)
{
	int fd = netlink_socket(), err, ignored;

	if (fd < 0)
		return errno;
	err = ask(fd, atwifi_id, &expose_add, device) ? answered(fd, NULL, 0) : errno;
	ignored = ask(fd, atwifi_id, &expose_del, device) ? answered(fd, NULL, 0) : errno;
	close(fd);
	if (!err || err == EEXIST)
		err = ignored;
	return err == ENOENT ? 0 : err;
}

/* What listens behind the exposed port. */
static int behind;

/* Those who came, and came again, have gone. */
static void forget_others(void)
{
	int fd;

	while ((fd = accept4(behind, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
		close(fd);
}

/* Somebody connects there. Who is disconnected for want of memory comes again. */
static int use_exposed(void)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	int fd = -1, err = 0;

	forget_others();
	while (!err && fd < 0) {
		if (atw_now_ms() > limit)
			err = ETIMEDOUT;
		else if (atw_dial(EXPOSED_PORT, "echo"))
			err = errno;
		else if (atw_wait(behind, POLLIN, 5000) & POLLIN)
			fd = accept4(behind, NULL, NULL, SOCK_CLOEXEC);
	}
	if (err)
		return err;
	atw_timeouts(fd, LONG_MS);
	err = echoed(fd);
	close(fd);
	return err;
}

/* The loop */

/* One that says that there was no memory: of a socket also that there are no more. */
static bool is_no_memory(int err)
{
	return err == ENOMEM || err == ENOBUFS || err == ENFILE;
}

/*
 * What somebody else's allocation may cost: a stream, or, of a program that does not
 * know of the driver, what its own kernel makes of packets that are lost.
 */
static bool is_lost(int err)
{
	return err == ECONNRESET || err == EHOSTUNREACH;
}

/* All works, as soon as what was lost is found out. */
static bool recovers(void)
{
	uint64_t limit = atw_now_ms() + UP_MS;

	while (use_stream()) {
		if (atw_now_ms() > limit)
			return false;
		atw_pause_ms(20);
	}
	return atw_listed_becomes(0, LONG_MS);
}

/* A use of the driver, with each of the allocations of these tasks failing once. */
static bool survives(const char *name, int (*use)(void), int usual, enum whose whose)
{
	bool failed, again = false;
	int n, err;

	for (n = 1; n < ALLOCATIONS_MAX; n = again ? n : next_after(n)) {
		arm(whose, n);
		if (!armed.n) {
			fprintf(stderr, "# no %s\n", whose_name[whose]);
			return false;
		}
		err = use();
		failed = disarm();
		hits[whose] += failed;
		/* A machine that stands still for seconds has the module lost, too. */
		again = !again && !failed && err != usual && is_lost(err);
		if (again && recovers())
			continue;
		if (err != usual && !(failed && (is_no_memory(err) ||
						 (whose != PROGRAM && is_lost(err))))) {
			fprintf(stderr, "# %s: allocation %d of %s: %s\n", name, n,
				whose_name[whose], atw_errno_name(err));
			return false;
		}
		if (!recovers()) {
			fprintf(stderr, "# %s: nothing works after allocation %d of %s\n", name, n,
				whose_name[whose]);
			return false;
		}
		if (!failed) {
			fprintf(stderr, "# %s: %d allocations of %s\n", name, n - 1,
				whose_name[whose]);
			return true;
		}
	}
	fprintf(stderr, "# %s: there is no end to allocations of %s\n", name, whose_name[whose]);
	return false;
}

struct use {
	const char *name;
	int (*use)(void);
};

/* Each of these tasks' in turn, up to LAST's; the others are tried where one did not. */
static bool survives_all(const struct use *use, enum whose last)
{
	enum whose whose;
	bool good = true;

	for (whose = PROGRAM; whose <= last; whose++)
		good &= survives(use->name, use->use, 0, whose);
	return good;
}

/* A file of the device's in sysfs, to be freed. */
static char *device_says(const char *file)
{
	char path[64], *text;

	snprintf(path, sizeof(path), "/sys/class/atwifi/%s/%s", device, file);
	text = atw_slurp(path);
	if (text)
		text[strcspn(text, "\n")] = '\0';
	return text;
}

/* The device has joined, and its network device is to be configured. */
static bool configure(void)
{
	char command[512], *address;

	if (!atw_state_becomes(device, "joined", UP_MS))
		return false;
	address = device_says("address");
	if (!address)
		return false;
	/* Its packets are sorted by a task of their own, whose allocations can fail. */
	snprintf(command, sizeof(command),
		 "i=0; while ! grep -qs 1 /sys/class/net/%s/carrier; do\n"
		 "	ip link set %s up 2>/dev/null; sleep 0.05; i=$((i + 1)); [ $i -lt 2000 ]\n"
		 "done && echo 1 >/sys/class/net/%s/threaded &&\n"
		 "ip addr replace %s/24 dev %s && ip route replace 192.0.2.0/24 dev %s",
		 device, device, device, address, device, device);
	free(address);
	/* The first time is not counted: a program has to find things out, too. */
	return !system(command) && recovers();
}

/* A device that has joined, with a network device that is configured. */
static bool begin(struct sim *sim, int *tty, char *name)
{
	if (sim_start(sim, "middleware", "--baud=0", "--max-sockets=16") ||
	    attach(sim->tty, B115200, tty, name, 16))
		return false;
	device = name;
	setenv("ATW_SIM_CONTROL", sim->control, 1);
	return configure();
}

/* Memory for the device itself. */
TEST_F(line, attach)
{
	const pid_t tid = gettid();
	bool failed;
	int n, err;

	if (!can_fail())
		SKIP(return, "a kernel without failslab");
	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", "--baud=0", NULL));
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

/* The program that has the line attached ends when it is taken off, even if it was not told. */
TEST_F_TIMEOUT(line, attached_by_program, ALL_S)
{
	struct sim *sim = &self->sim[0];
	const pid_t tid = gettid();
	bool failed, off;
	pid_t pid;
	int n, fd;

	if (!can_fail())
		SKIP(return, "a kernel without failslab");
	ASSERT_EQ(0, sim_start(sim, "middleware", "--baud=0", NULL));
	for (n = 1; n < ALLOCATIONS_MAX; n++) {
		pid = unit(sim->tty);
		ASSERT_LT(0, pid);
		ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", UP_MS));
		fd = open(sim->tty, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, fail_nth(tid, n));
		off = !set_ldisc(fd, N_TTY);
		failed = has_failed(tid);
		close(fd);
		if (!off)
			kill(pid, SIGTERM);
		EXPECT_EQ(off ? 0 : 128 + SIGTERM, ends(pid)) {
			TH_LOG("allocation %d", n);
		}
		ASSERT_TRUE(devices_gone());
		if (off && !failed)
			break;
	}
	TH_LOG("it ended with %d allocations", n - 1);
	ASSERT_GT(ALLOCATIONS_MAX, n);
}

/* The driver's thread and the workers, while the module is found, set up, and let go of. */
TEST_F_TIMEOUT(line, bring_up, ALL_S)
{
	const enum whose whose[] = { THREAD, WORKERS };
	int n, fd, listener;
	unsigned int i;
	bool failed;
	char byte;

	if (!can_fail())
		SKIP(return, "a kernel without failslab");
	ASSERT_TRUE(begin(&self->sim[0], &self->tty[0], self->device[0]));
	/* The thread needs memory to tell of what it does, and for nothing else. */
	listener = listen_to_events();
	ASSERT_LE(0, listener);
	for (i = 0; i < ARRAY_SIZE(whose); i++) {
		ASSERT_TRUE(survives("restart", use_restart, 0, whose[i]));
		for (n = 1; n < ALLOCATIONS_MAX; n = next_after(n)) {
			/* From the attaching on; the thread is there only then. */
			ASSERT_LE(0, detach(self->tty[0]));
			ASSERT_TRUE(devices_gone());
			if (whose[i] == WORKERS)
				arm(WORKERS, n);
			ASSERT_EQ(0, set_ldisc(self->tty[0], N_ATWIFI));
			if (whose[i] == THREAD)
				arm(THREAD, n);
			ASSERT_TRUE(atw_state_becomes(device, "joined", UP_MS));
			failed = disarm();
			ASSERT_TRUE(recovers());
			/* A stream is not over. */
			fd = peer_by(device, "echo");
			ASSERT_LE(0, fd);
			ASSERT_TRUE(atw_echo_works(fd, 1, 100));
			arm(whose[i], n);
			ASSERT_GT(DETACH_MS, (unsigned int)detach(self->tty[0]));
			ASSERT_TRUE(devices_gone());
			failed |= disarm();
			ASSERT_ERRNO(ENODEV, recv(fd, &byte, 1, 0));
			close(fd);
			ASSERT_EQ(0, set_ldisc(self->tty[0], N_ATWIFI));
			ASSERT_TRUE(atw_state_becomes(device, "joined", UP_MS));
			if (!failed)
				break;
		}
		TH_LOG("%d allocations of %s", n - 1, whose_name[whose[i]]);
		ASSERT_GT(ALLOCATIONS_MAX, n);
		EXPECT_LT(0, hits[whose[i]]);
	}
	close(listener);
}

TEST_F_TIMEOUT(line, sockets, ALL_S)
{
	static const struct use uses[] = {
		{ "stream", use_stream }, { "datagram", use_dgram }, { "server", use_server },
		{ "transparent mode", use_transparent },
	};
	enum whose whose;
	unsigned int i;

	if (!can_fail())
		SKIP(return, "a kernel without failslab");
	ASSERT_TRUE(begin(&self->sim[0], &self->tty[0], self->device[0]));
	for (i = 0; i < ARRAY_SIZE(uses); i++)
		EXPECT_TRUE(survives_all(&uses[i], WORKERS));
	for (whose = PROGRAM; whose <= WORKERS; whose++)
		EXPECT_LT(0, hits[whose]);
}

TEST_F_TIMEOUT(line, netdev, ALL_S)
{
	static const struct use uses[] = {
		{ "TCP", use_inet_stream }, { "UDP", use_inet_dgram },
		{ "TCP, to its end", use_inet_end }, { "TCP, to its loss", use_inet_loss },
	};
	enum whose whose;
	unsigned int i;

	if (!can_fail())
		SKIP(return, "a kernel without failslab");
	ASSERT_TRUE(begin(&self->sim[0], &self->tty[0], self->device[0]));
	for (i = 0; i < ARRAY_SIZE(uses); i++) {
		/* Each is a restart of the module. */
		if (*atw_env("ATW_QUICK", "") && uses[i].use == use_inet_loss)
			continue;
		EXPECT_TRUE(survives_all(&uses[i], PACKETS));
	}
	for (whose = PROGRAM; whose < WHOSE; whose++)
		EXPECT_LT(0, hits[whose]);
}

static void may_fail(pid_t tid, bool may)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/make-it-fail", tid);
	atw_write(path, may ? "1" : "0");
}

/* How often they may fail, which is more than they do: each counts it down. */
#define FAILURES_MAX	"1000000"

/* Not one of the kernel's workers gets a socket from here on; or again. */
static bool forbid_sockets(bool forbid)
{
	unsigned int i;

	arm(WORKERS, 0);
	for (i = 0; i < armed.n; i++)
		may_fail(armed.tid[i], forbid);
	/* Those that are to come have it from this one. */
	may_fail(2, forbid);
	/* Without the other two all would fail. */
	return !atw_write(FAILSLAB "probability", "0") &&
	       !atw_write("/sys/kernel/slab/sock_inode_cache/failslab", forbid ? "1" : "0") &&
	       !atw_write(FAILSLAB "cache-filter", forbid ? "Y" : "N") &&
	       !atw_write(FAILSLAB "task-filter", forbid ? "Y" : "N") &&
	       !atw_write(FAILSLAB "times", FAILURES_MAX) &&
	       !atw_write(FAILSLAB "probability", forbid ? "100" : "0");
}

static bool socket_refused(void)
{
	char *times = atw_slurp(FAILSLAB "times");
	bool refused = times && atol(times) < atol(FAILURES_MAX);

	free(times);
	return refused;
}

/* A stream of the network device from this port, 0: any, which is set. */
static int inet_stream_from(in_port_t *port)
{
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_port = *port };
	int fd = use_socket(AF_INET, SOCK_STREAM), on = 1;
	socklen_t len = sizeof(own);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, (const struct sockaddr *)&own, sizeof(own)) ||
	    getsockname(fd, (struct sockaddr *)&own, &len) || connect_to_peer(fd, AF_INET))
		return atw_failed(fd);
	*port = own.sin_port;
	return fd;
}

/* A stream for which the driver gets its socket late is not over, and ends no other one. */
TEST_F_TIMEOUT(line, accepted_late, ALL_S)
{
	const struct linger reset = { .l_onoff = 1 };
	in_port_t port = 0;
	int fd;

	if (!can_fail() || !forbid_sockets(false))
		SKIP(return, "a kernel without failslab");
	ASSERT_TRUE(begin(&self->sim[0], &self->tty[0], self->device[0]));
	ASSERT_TRUE(forbid_sockets(true));
	fd = inet_stream_from(&port);
	EXPECT_LE(0, fd);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
	EXPECT_TRUE(atw_sim_has(0, LONG_MS));
	/* The first of the two is accepted when the second has come. */
	fd = inet_stream_from(&port);
	EXPECT_LE(0, fd);
	EXPECT_TRUE(socket_refused());
	EXPECT_TRUE(forbid_sockets(false));
	EXPECT_EQ(5, atw_send_all(fd, "echo\n", 5));
	EXPECT_EQ(0, echoed(fd));
	close(fd);
	EXPECT_TRUE(atw_sim_has(0, LONG_MS));

	EXPECT_TRUE(forbid_sockets(true));
	port = 0;
	fd = inet_stream_from(&port);
	EXPECT_LE(0, fd);
	/* For so long a program may be silent that is not there at all. */
	EXPECT_FALSE(atw_sim_has(0, atw_patience_ms(10000) + 2000));
	EXPECT_TRUE(socket_refused());
	EXPECT_TRUE(forbid_sockets(false));
	EXPECT_EQ(5, atw_send_all(fd, "echo\n", 5));
	EXPECT_EQ(0, echoed(fd));
	close(fd);
}

/* Whoever waits for what comes is told that the network device goes. */
TEST_F_TIMEOUT(line, gone, ALL_S)
{
	const enum whose whose[] = { PROGRAM, WORKERS };
	unsigned int i;
	bool failed;
	int n, fd;
	char byte;

	if (!can_fail())
		SKIP(return, "a kernel without failslab");
	ASSERT_TRUE(begin(&self->sim[0], &self->tty[0], self->device[0]));
	for (i = 0; i < ARRAY_SIZE(whose); i++) {
		/* They have a few, and what the stream is told is one of them. */
		for (n = 1; n < ALLOCATIONS_MAX; n = whose[i] == WORKERS ? n + 1 : next_after(n)) {
			fd = use_socket(AF_INET, SOCK_STREAM);
			ASSERT_LE(0, fd);
			ASSERT_EQ(0, connect_to_peer(fd, AF_INET));
			ASSERT_EQ(5, atw_send_all(fd, "hold\n", 5));
			arm(whose[i], n);
			/* Without memory for the other discipline the tty has ours again. */
			if (set_ldisc(self->tty[0], N_TTY)) {
				ASSERT_STREQ("ENOMEM", atw_errno_name(errno));
				ASSERT_TRUE(disarm());
				close(fd);
				ASSERT_TRUE(configure());
				continue;
			}
			ASSERT_TRUE(devices_gone());
			failed = disarm();
			EXPECT_STREQ("ECONNRESET", recv(fd, &byte, 1, 0) < 0 ?
						   atw_errno_name(errno) : "0") {
				TH_LOG("allocation %d of %s", n, whose_name[whose[i]]);
			}
			close(fd);
			ASSERT_EQ(0, set_ldisc(self->tty[0], N_ATWIFI));
			ASSERT_TRUE(configure());
			if (!failed)
				break;
		}
		TH_LOG("%d allocations of %s", n - 1, whose_name[whose[i]]);
		ASSERT_GT(ALLOCATIONS_MAX, n);
	}
}

TEST_F_TIMEOUT(line, exposed, ALL_S)
{
	struct sockaddr_in own = {
		.sin_family = AF_INET, .sin_port = htons(EXPOSED_PORT),
	};
	enum whose whose;
	int events, fd;
	char *address;

	if (!can_fail())
		SKIP(return, "a kernel without failslab");
	ASSERT_TRUE(begin(&self->sim[0], &self->tty[0], self->device[0]));
	/* At any address it would take the port from the emulated module. */
	address = device_says("address");
	ASSERT_NE(NULL, address);
	ASSERT_EQ(1, inet_pton(AF_INET, address, &own.sin_addr));
	free(address);
	atwifi_id = find_family(&events);
	ASSERT_LT(0, atwifi_id);
	behind = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ASSERT_LE(0, behind);
	ASSERT_EQ(0, bind(behind, (const struct sockaddr *)&own, sizeof(own)));
	ASSERT_EQ(0, listen(behind, 16));
	fd = netlink_socket();
	ASSERT_LE(0, fd);
	ASSERT_TRUE(ask(fd, atwifi_id, &expose_add, device));
	ASSERT_EQ(0, answered(fd, NULL, 0));
	close(fd);
	for (whose = THREAD; whose < WHOSE; whose++) {
		EXPECT_TRUE(survives("exposed", use_exposed, 0, whose));
		EXPECT_LT(0, hits[whose]);
	}
	close(behind);
}

TEST_F_TIMEOUT(line, netlink, ALL_S)
{
	enum whose whose;
	unsigned int i;
	int listener;

	if (!can_fail())
		SKIP(return, "a kernel without failslab");
	ASSERT_TRUE(begin(&self->sim[0], &self->tty[0], self->device[0]));
	listener = listen_to_events();
	ASSERT_LE(0, listener);
	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		request = &requests[i];
		EXPECT_EQ(usual_of(request), use_netlink()) {
			TH_LOG("%s", request->name);
		}
		for (whose = PROGRAM; whose <= WORKERS; whose++)
			EXPECT_TRUE(survives(request->name, use_netlink, usual_of(request),
					     whose));
	}
	for (whose = PROGRAM; whose <= WORKERS; whose++)
		EXPECT_TRUE(survives("expose", use_expose, 0, whose));
	for (whose = THREAD; whose <= WORKERS; whose++)
		EXPECT_TRUE(survives("events", use_link, 0, whose));
	for (whose = PROGRAM; whose <= WORKERS; whose++)
		EXPECT_LT(0, hits[whose]);
	close(listener);
}

TEST_HARNESS_MAIN
