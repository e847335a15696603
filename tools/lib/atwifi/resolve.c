// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names, by the driver's generic-netlink family.
 *
 * Without libnl: the library is loaded into each program that looks up a name, and should
 * bring nothing with it. libnl reads the environment and files of /proc when it is loaded.
 * Nothing here is shared between calls, so that threads, forks and signals do no harm. A thread
 * that is cancelled leaves nothing open: it ends where it waits, and not where it closes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/atwifi.h>
#include <linux/atwifi_genl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>

#include "libatwifi.h"
#include "netlink.h"

#define NETLINK_ROOM	32768	/* as much as the kernel says at a time */

/* A device's name has up to 15 bytes. */
struct request {
	struct nlmsghdr		nl;
	struct genlmsghdr	genl;
	char			attrs[2 * NLA_HDRLEN + 16 + ATW_NAME_MAX];
};

/**
 * struct atwifi_resolver - questions that wait for their answers
 * @fd: a generic-netlink socket
 * @family: the driver's number there, 0: it is to be asked for
 * @last: the number of the last question
 */
struct atwifi_resolver {
	int		fd;
	int		family;
	uint32_t	last;
};

static int netlink_socket(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_GENERIC);
}

static void begin(struct request *r, int type, int flags, int cmd, uint32_t seq)
{
	memset(r, 0, sizeof(*r));
	r->nl.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	r->nl.nlmsg_type = type;
	r->nl.nlmsg_flags = NLM_F_REQUEST | flags;
	r->nl.nlmsg_seq = seq;
	r->genl.cmd = cmd;
	r->genl.version = ATWIFI_FAMILY_VERSION;
}

static int put_string(struct request *r, int attr, const char *text)
{
	size_t len = strlen(text) + 1, size = NLA_ALIGN(NLA_HDRLEN + len);
	struct nlattr *nla = (void *)((char *)r + r->nl.nlmsg_len);

	if (len > sizeof(r->attrs) || r->nl.nlmsg_len + size > sizeof(*r)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	nla->nla_type = attr;
	nla->nla_len = NLA_HDRLEN + len;
	memcpy((char *)nla + NLA_HDRLEN, text, len);
	r->nl.nlmsg_len += size;
	return 0;
}

static int transmit(int fd, const struct request *r)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t n;

	do {
		n = sendto(fd, r, r->nl.nlmsg_len, MSG_NOSIGNAL, (struct sockaddr *)&kernel,
			   sizeof(kernel));
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : 0;
}

/* What the kernel says, and nobody else; -1 with EAGAIN: nothing yet. */
static ssize_t receive(int fd, void *buf, size_t size)
{
	struct sockaddr_nl from = { 0 };
	socklen_t len;
	ssize_t n;

	do {
		len = sizeof(from);
		n = recvfrom(fd, buf, size, MSG_TRUNC, (struct sockaddr *)&from, &len);
	} while ((n < 0 && errno == EINTR) ||
		 (n >= 0 && (len != sizeof(from) || from.nl_pid)));
	if (n > (ssize_t)size) {
		errno = EPROTO;
		return -1;
	}
	return n;
}

/* The driver's number in generic netlink; -1 with ENODEV: it is not loaded. */
static int netlink_family(void)
{
	char buf[4096] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct request r;
	int fd, err, cancel, family = -1;
	ssize_t n;

	/* The kernel would start modprobe for a family that it does not know. */
	if (access("/sys/module/atwifi", F_OK) && !access("/sys/module", F_OK)) {
		errno = ENODEV;
		return -1;
	}
	fd = netlink_socket();
	if (fd < 0)
		return -1;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	begin(&r, GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY, 1);
	r.genl.version = 1;
	/* It is answered before this returns. */
	if (!put_string(&r, CTRL_ATTR_FAMILY_NAME, ATWIFI_FAMILY_NAME) && !transmit(fd, &r)) {
		n = receive(fd, buf, sizeof(buf));
		if (n >= 0)
			family = atwifi_parse_family(buf, n);
	}
	err = errno == ENOENT ? ENODEV : errno;
	close(fd);
	pthread_setcancelstate(cancel, NULL);
	errno = err;
	return family;
}

/* Is there a module, and has it joined? -1 with ENODEV, ENETDOWN. */
static int list_devices(int fd, int family, struct atwifi_devices *d)
{
	char *buf = malloc(NETLINK_ROOM);
	struct request r;
	ssize_t n;
	int err;

	if (!buf)
		return -1;
	begin(&r, family, NLM_F_DUMP, ATWIFI_CMD_DEV_GET, 1);
	if (transmit(fd, &r))
		d->error = errno;
	/* Each part is there as soon as the one before was taken. */
	while (!d->done && !d->error) {
		n = receive(fd, buf, NETLINK_ROOM);
		if (n < 0)
			d->error = errno;
		else
			atwifi_parse_devices(buf, n, family, d);
	}
	free(buf);
	err = d->error ? d->error : !d->found ? ENODEV : ENETDOWN;
	errno = err == ENOENT ? ENODEV : err;
	return d->joined && !d->error ? 0 : -1;
}

/**
 * atwifi_ready() - can a module be asked for names?
 * @device: this one's, such as "atw0"; NULL: any
 *
 * Nothing is asked of the module.
 *
 * Return: 0; -1 with ENODEV: there is no driver, or no such module; ENETDOWN: it has not
 * joined a network; another errno: it cannot be told.
 */
int atwifi_ready(const char *device)
{
	struct atwifi_devices d = { .name = device };
	int fd, ret, err, cancel, family = netlink_family();

	if (family < 0)
		return -1;
	fd = netlink_socket();
	if (fd < 0)
		return -1;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	ret = list_devices(fd, family, &d);
	err = errno;
	close(fd);
	pthread_setcancelstate(cancel, NULL);
	errno = err;
	return ret;
}

/**
 * atwifi_resolver_new() - ask several questions at a time
 *
 * Return: for atwifi_resolver_free(); NULL with an errno. The driver need not be there.
 */
struct atwifi_resolver *atwifi_resolver_new(void)
{
	struct atwifi_resolver *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->fd = netlink_socket();
	if (r->fd >= 0)
		return r;
	free(r);
	return NULL;
}

/**
 * atwifi_resolver_free() - forget it, and all questions
 * @r: the resolver, or NULL
 */
void atwifi_resolver_free(struct atwifi_resolver *r)
{
	int err = errno, cancel;

	if (!r)
		return;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	close(r->fd);
	free(r);
	pthread_setcancelstate(cancel, NULL);
	errno = err;
}

/**
 * atwifi_resolver_fd() - what to wait for
 * @r: the resolver
 *
 * Return: a file descriptor of the resolver's, readable when there may be an answer.
 */
int atwifi_resolver_fd(const struct atwifi_resolver *r)
{
	return r->fd;
}

/**
 * atwifi_resolver_ask() - ask the module for a name
 * @r: the resolver
 * @device: this one's module; NULL: the first that has joined
 * @host: the name
 * @id: the number of the question, which the answer has
 *
 * Return: 0, there will be an answer; -1 with an errno, there will be none.
 */
int atwifi_resolver_ask(struct atwifi_resolver *r, const char *device, const char *host,
			uint32_t *id)
{
	size_t len = strlen(host);
	char name[ATW_NAME_MAX];
	struct request req;

	/* The dot of a complete name is none of the module's business. */
	if (len > 1 && host[len - 1] == '.')
		len--;
	if (len >= sizeof(name) || (device && strlen(device) > 15)) {
		errno = len >= sizeof(name) ? ENAMETOOLONG : ENODEV;
		return -1;
	}
	memcpy(name, host, len);
	name[len] = '\0';
	if (!r->family) {
		r->family = netlink_family();
		if (r->family < 0) {
			r->family = 0;
			return -1;
		}
	}
	/* 0 is what the kernel says by itself. */
	if (!++r->last)
		r->last = 1;
	begin(&req, r->family, 0, ATWIFI_CMD_RESOLVE, r->last);
	if ((device && put_string(&req, ATWIFI_A_RESOLVE_DEV, device)) ||
	    put_string(&req, ATWIFI_A_RESOLVE_HOST, name) || transmit(r->fd, &req))
		return -1;
	*id = r->last;
	return 0;
}

/**
 * atwifi_resolver_next() - take an answer
 * @r: the resolver
 * @answer: it
 *
 * Return: 0; -1 with EAGAIN: there is none yet; ENOBUFS: some were lost; another errno.
 */
int atwifi_resolver_next(struct atwifi_resolver *r, struct atwifi_answer *answer)
{
	char buf[4096] __attribute__((aligned(NLMSG_ALIGNTO)));
	ssize_t n;

	do {
		n = receive(r->fd, buf, sizeof(buf));
		if (n < 0)
			return -1;
	} while (!atwifi_parse_answer(buf, n, r->family, answer));
	if (answer->error == ENOENT) {
		/* The driver is gone, and may come back with another number. */
		r->family = 0;
		answer->error = ENODEV;
	}
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000) + ts.tv_nsec / 1000000;
}

/* Until there is an answer, or that time has come. */
static int wait_until(int fd, int64_t end)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t left = end - now_ms();
	int n;

	if (end == INT64_MAX)
		left = -1;
	else if (left < 0)
		left = 0;
	n = poll(&p, 1, left > INT_MAX ? INT_MAX : left);
	if (n > 0 || (n < 0 && errno == EINTR))
		return 0;
	if (!n)
		errno = ETIMEDOUT;
	return -1;
}

static int answer_of(struct atwifi_resolver *r, uint32_t id, struct in_addr *address,
		     int timeout_ms)
{
	int64_t end = timeout_ms < 0 ? INT64_MAX : now_ms() + timeout_ms;
	struct atwifi_answer answer;

	for (;;) {
		if (!atwifi_resolver_next(r, &answer)) {
			if (answer.id != id)
				continue;
			*address = answer.address;
			if (!answer.error)
				return 0;
			/* No function sets it to 0. */
			errno = answer.error;
			return -1;
		}
		if (errno != EAGAIN || wait_until(r->fd, end))
			return -1;
	}
}

static void forget(void *r)
{
	atwifi_resolver_free(r);
}

/**
 * atwifi_resolve() - have a module resolve a name
 * @device: this one's, such as "atw0"; NULL: the first that has joined
 * @host: the name; an IPv4 address is its own
 * @address: what it is
 * @timeout_ms: for so long; -1: as long as the driver does
 *
 * Return: 0; -1 with ENODEV, ENETDOWN as atwifi_ready(); EHOSTUNREACH: the module says that
 * it cannot, which may be because there is no such name; EINVAL, ENAMETOOLONG: no name
 * that it can be given; EOPNOTSUPP: nor any; EBUSY, ENOBUFS: it, or the user, has too much
 * to do; ETIMEDOUT; another errno of the driver's.
 */
int atwifi_resolve(const char *device, const char *host, struct in_addr *address,
		   int timeout_ms)
{
	struct atwifi_resolver *r;
	uint32_t id;
	int ret;

	if (inet_pton(AF_INET, host, address) == 1)
		return 0;
	r = atwifi_resolver_new();
	if (!r)
		return -1;
	pthread_cleanup_push(forget, r);
	ret = atwifi_resolver_ask(r, device, host, &id);
	if (!ret)
		ret = answer_of(r, id, address, timeout_ms);
	pthread_cleanup_pop(true);
	return ret;
}

/**
 * atwifi_resolve_error() - why there is no address, in words
 * @error: an errno of atwifi_resolve(), or of an answer
 *
 * Return: words, as strerror() for what is not about names.
 */
const char *atwifi_resolve_error(int error)
{
	switch (error) {
	case ENODEV:
		return "there is no driver, or no such module";
	case ENETDOWN:
		return "the module has not joined a network";
	case EHOSTUNREACH:
		return "the module cannot resolve it";
	case EINVAL:
		return "a host's name is letters, digits, '-' and '_', in labels of 1 to 63";
	case ENAMETOOLONG:
		return "a host's name has at most 119 bytes";
	case EOPNOTSUPP:
		return "the module's firmware does not know names";
	case EBUSY:
		return "the module is busy, or has been with this user's names for long";
	case ENOBUFS:
		return "too many names wait for the module";
	case ETIMEDOUT:
		return "the module did not answer in time";
	default:
		return strerror(error);
	}
}
