// SPDX-License-Identifier: GPL-2.0-only
/*
 * atwifi-agent: tells the driver the passphrases of networks that other programs have the
 * module join, and this machine the name servers of those that it has joined, or the other
 * way about. See atwifi-agent(8).
 *
 * The driver asks by netlink, and tries what it is answered on the key that it was told: what
 * is answered gives nothing away, and a wrong answer does no harm. There is one loop of events;
 * while sources are read the next question waits in the socket.
 */
#include <err.h>
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <linux/capability.h>
#include <linux/genetlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/atwifi_genl.h>

#include "links.h"
#include "resolvconf.h"
#include "resolved.h"
#include "secrets.h"
#include "service.h"
#include "sources.h"

/* What others have told this machine is looked at so often. */
#define LOOK_S		10
/* A module that had no time to tell of its servers is asked again after that. */
#define AGAIN_S		5
/* A module may keep its servers in its flash: so many changes, and one more in that time. */
#define CHANGES_MAX	8
#define CHANGE_S	21600

static struct event_base *base;
static struct event *netlink_event, *look_event, *again_event;
static struct nl_sock *sock;
static struct nl_cb *callbacks;
/* The family's number, 0: the driver is not there. */
static int family;
/* The number of the request to be asked. */
static uint32_t listen_seq;

static struct nl_msg *request(int cmd, int flags)
{
	struct nl_msg *msg = nlmsg_alloc();

	if (!msg || !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, flags, cmd,
				 ATWIFI_FAMILY_VERSION))
		err(1, "no memory");
	return msg;
}

/* Sends it, and does not wait for what comes of it: that is one more event. 0: none will be. */
static uint32_t dispatch(struct nl_msg *msg)
{
	struct nlmsghdr *hdr = nlmsg_hdr(msg);
	int ret = nl_send_auto(sock, msg);
	uint32_t seq = hdr->nlmsg_seq;

	/* It may hold a secret. */
	explicit_bzero(genlmsg_attrdata(nlmsg_data(hdr), 0),
		       genlmsg_attrlen(nlmsg_data(hdr), 0));
	nlmsg_free(msg);
	if (ret < 0)
		warnx("the driver cannot be told: %s", nl_geterror(ret));
	return ret < 0 ? 0 : seq;
}

static struct nl_sock *socket_new(void)
{
	struct nl_sock *new = nl_socket_alloc();

	if (!new || genl_connect(new))
		errx(1, "there is no generic netlink");
	return new;
}

/* On another socket: on ours there may be events before the answer. */
static void join_group(const char *of, const char *name)
{
	struct nl_sock *once = socket_new();
	int group = genl_ctrl_resolve_grp(once, of, name);

	nl_socket_free(once);
	if (group < 0 || nl_socket_add_membership(sock, group))
		warnx("no events of %s", of);
}

static void copy_name(char *to, const struct nlattr *nla)
{
	if (nla)
		nla_strlcpy(to, nla, 16);
	else
		*to = '\0';
}

/* Links: a device that has joined is asked for its servers, which the module knows. */

static struct link_device devices[LINKS_MAX];
/* Of each, whether it was spoken of since they were listed. */
static bool listed[LINKS_MAX];

/**
 * struct look - how they are listed
 * @seq: the number of the request; 0: they are not
 * @again: that has to be done once more
 * @torn: one came or went meanwhile, so that one that is there may be missing
 */
static struct {
	uint32_t	seq;
	bool		again;
	bool		torn;
} look;

/**
 * struct change - how a device's module was told servers
 * @n: so often, of which each CHANGE_S seconds one is forgotten
 * @since: when one was the last time
 * @seq: the number of the last request
 * @late: it was said that it is too often
 */
static struct change {
	unsigned int	n;
	time_t		since;
	uint32_t	seq;
	bool		late;
} changes[LINKS_MAX];

/**
 * struct ask - how a device's module is asked for its servers
 * @seq: the number of the last request
 * @again: it had no time, and will be asked again
 * @failed: it was said that it does not tell
 */
static struct ask {
	uint32_t	seq;
	bool		again;
	bool		failed;
} asks[LINKS_MAX];

/* A device of which something is known; its place, or another's. */
static struct link_device *device_of(const struct nlattr *name)
{
	struct link_device *free = NULL;
	char text[16];
	int i;

	copy_name(text, name);
	for (i = 0; i < LINKS_MAX; i++) {
		if (!strcmp(devices[i].name, text)) {
			listed[i] = true;
			return &devices[i];
		}
		if (!*devices[i].name)
			free = &devices[i];
	}
	if (free) {
		listed[free - devices] = true;
		strcpy(free->name, text);
	}
	return free;
}

static void out_of_network(struct link_device *dev)
{
	dev->joined = false;
	links_down(dev->name);
}

static void gone(struct link_device *dev)
{
	out_of_network(dev);
	/* Who gets its place is told no less, nor more often. */
	changes[dev - devices].seq = 0;
	asks[dev - devices] = (struct ask){ 0 };
	*dev->name = '\0';
}

/* One request at a time: the kernel takes no other. */
static void look_for_links(void)
{
	look.again = look.seq;
	if (!family || look.seq)
		return;
	memset(listed, 0, sizeof(listed));
	look.torn = false;
	look.seq = dispatch(request(ATWIFI_CMD_DEV_GET, NLM_F_DUMP));
}

/* Those that are gone are not among them; that they went may have been lost. */
static void looked(bool whole)
{
	int i;

	look.seq = 0;
	for (i = 0; whole && i < LINKS_MAX; i++)
		if (*devices[i].name && !listed[i])
			gone(&devices[i]);
	if (look.again)
		look_for_links();
}

static void listen_to_driver(int id)
{
	family = id;
	join_group(ATWIFI_FAMILY_NAME, ATWIFI_MCGRP_EVENTS);
	listen_seq = dispatch(request(ATWIFI_CMD_PASSPHRASE_LISTEN, NLM_F_ACK));
	look_for_links();
}

static void ask_later(struct ask *ask)
{
	ask->again = true;
	if (!event_pending(again_event, EV_TIMEOUT, NULL))
		event_add(again_event, &(struct timeval){ AGAIN_S, 0 });
}

static void ask_for_servers(const struct link_device *dev)
{
	struct nl_msg *msg = request(ATWIFI_CMD_DNS_GET, 0);
	struct ask *ask = &asks[dev - devices];

	if (nla_put_string(msg, ATWIFI_A_DNS_DEV, dev->name))
		errx(1, "no room in a message");
	ask->again = false;
	ask->seq = dispatch(msg);
	if (!ask->seq)
		ask_later(ask);
}

static void again_cb(evutil_socket_t fd, short what, void *arg)
{
	int i;

	for (i = 0; i < LINKS_MAX; i++)
		if (asks[i].again && devices[i].joined)
			ask_for_servers(&devices[i]);
}

/* Its module has not told. If it is out of its network, or gone, that is an event, too. */
static void servers_untold(uint32_t seq, int error)
{
	struct ask *ask;
	int i;

	for (i = 0; i < LINKS_MAX; i++) {
		ask = &asks[i];
		if (!*devices[i].name || !ask->seq || ask->seq != seq)
			continue;
		switch (error) {
		case EBUSY:
		case ENOBUFS:
		case ETIMEDOUT:
			ask_later(ask);
			break;
		case ECONNRESET:
		case ENETDOWN:
		case ENODEV:
			break;
		default:
			if (!ask->failed)
				warnx("%s: the module does not tell its name servers: %s",
				      devices[i].name, strerror(error));
			ask->failed = true;
		}
	}
}

/* Is it not too often for its flash? Then it is counted. */
static bool may_change(struct change *c)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	for (; c->n && now.tv_sec - c->since >= CHANGE_S; c->since += CHANGE_S) {
		c->n--;
		c->late = false;
	}
	if (c->n == CHANGES_MAX)
		return false;
	if (!c->n++)
		c->since = now.tv_sec;
	return true;
}

/* What this machine was told of a link its module is told; see struct link_listeners. */
static bool set_servers(const struct link_device *dev, const struct in_addr *servers,
			unsigned int n)
{
	struct link_device *known = NULL;
	struct nl_msg *msg;
	struct change *c;
	unsigned int i;

	for (i = 0; i < LINKS_MAX; i++)
		if (!strcmp(devices[i].name, dev->name))
			known = &devices[i];
	if (!known)
		return false;
	c = &changes[known - devices];
	/* It is being told, and asked for them then. */
	if (c->seq)
		return false;
	if (!may_change(c)) {
		if (!c->late)
			warnx("%s: its name servers change too often: the module is not told",
			      dev->name);
		c->late = true;
		return false;
	}
	msg = request(ATWIFI_CMD_DNS_SET, NLM_F_ACK);
	if (nla_put_string(msg, ATWIFI_A_DNS_DEV, dev->name))
		errx(1, "no room in a message");
	for (i = 0; i < n; i++)
		if (nla_put(msg, ATWIFI_A_DNS_SERVER, sizeof(*servers), &servers[i]))
			errx(1, "no room in a message");
	c->seq = dispatch(msg);
	return c->seq;
}

/* The driver has done something, or has not. */
static void servers_set(uint32_t seq, int error)
{
	int i;

	for (i = 0; i < LINKS_MAX; i++) {
		if (!*devices[i].name || !changes[i].seq || changes[i].seq != seq)
			continue;
		changes[i].seq = 0;
		if (error)
			warnx("%s: the module was not told its name servers: %s", devices[i].name,
			      strerror(error));
		else
			links_told(devices[i].name);
		/* It may be out of its network since: then it is asked when it is back. */
		if (devices[i].joined)
			ask_for_servers(&devices[i]);
	}
}

/* What the driver says of them is lost. */
static void forget_requests(void)
{
	int i;

	for (i = 0; i < LINKS_MAX; i++)
		changes[i].seq = 0;
	memset(asks, 0, sizeof(asks));
}

static void driver_is_gone(void)
{
	links_end();
	memset(devices, 0, sizeof(devices));
	memset(&look, 0, sizeof(look));
	forget_requests();
	family = 0;
}

static void reload(void)
{
	look_for_links();
	links_look();
}

static void look_cb(evutil_socket_t fd, short what, void *arg)
{
	links_look();
}

static void device_is(struct nlattr *attrs, int len)
{
	const struct nlattr *state = nla_find(attrs, len, ATWIFI_A_DEV_STATE);
	const struct nlattr *index = nla_find(attrs, len, ATWIFI_A_DEV_IFINDEX);
	struct link_device *dev = device_of(nla_find(attrs, len, ATWIFI_A_DEV_NAME));

	if (!dev || !*dev->name)
		return;
	copy_name(dev->ifname, nla_find(attrs, len, ATWIFI_A_DEV_IFNAME));
	dev->ifindex = index && nla_len(index) == sizeof(uint32_t) ? (int)nla_get_u32(index) : 0;
	if (!state || nla_len(state) != sizeof(uint32_t) ||
	    nla_get_u32(state) != ATWIFI_DEV_STATE_JOINED) {
		out_of_network(dev);
		return;
	}
	dev->joined = true;
	ask_for_servers(dev);
}

static void servers_are(uint32_t seq, struct nlattr *attrs, int len)
{
	struct link_device *dev = device_of(nla_find(attrs, len, ATWIFI_A_DNS_DEV));
	struct in_addr servers[LINK_SERVERS], server;
	unsigned int n = 0;
	struct nlattr *nla;
	int rem;

	if (!dev || !*dev->name || !dev->joined)
		return;
	/*
	 * It may have been told others since it was asked, or be told them now: what it had before
	 * would be taken for what its network has chosen. It was asked again, or will be.
	 */
	if (asks[dev - devices].seq != seq || changes[dev - devices].seq)
		return;
	/* It was asked while it was in a network, and the network may have chosen these. */
	nla_for_each_attr(nla, attrs, len, rem) {
		if (nla_type(nla) != ATWIFI_A_DNS_SERVER || nla_len(nla) != sizeof(server) ||
		    n == LINK_SERVERS)
			continue;
		memcpy(&server, nla_data(nla), sizeof(server));
		if (link_is_server(server))
			servers[n++] = server;
	}
	links_up(dev, servers, n);
}

static void device_event(struct nlattr *attrs, int len)
{
	const struct nlattr *event = nla_find(attrs, len, ATWIFI_A_EVENT_EVENT);
	struct link_device *dev = device_of(nla_find(attrs, len, ATWIFI_A_EVENT_DEV));
	struct nl_msg *msg;

	if (!dev || !*dev->name || !event || nla_len(event) != sizeof(uint32_t))
		return;
	switch (nla_get_u32(event)) {
	case ATWIFI_EVENT_LINK_UP:
	case ATWIFI_EVENT_ADDRESS:
		msg = request(ATWIFI_CMD_DEV_GET, 0);
		if (nla_put_string(msg, ATWIFI_A_DEV_NAME, dev->name))
			errx(1, "no room in a message");
		dispatch(msg);
		break;
	case ATWIFI_EVENT_FOUND:
	case ATWIFI_EVENT_ATTACHED:
		break;
	case ATWIFI_EVENT_DETACHED:
		gone(dev);
		break;
	default:
		out_of_network(dev);
	}
}

/* Passphrases */

/**
 * struct question - one of the last of the driver's
 * @dev, @cookie, @ssid, @ssid_len: as it was asked
 * @seq: the number of what was answered last
 * @seen: passphrases that were tried with that and before
 * @full: there may be more
 */
static struct question {
	char		dev[16];
	uint32_t	cookie;
	uint8_t		ssid[SSID_MAX];
	size_t		ssid_len;
	uint32_t	seq;
	unsigned int	seen;
	bool		full;
} questions[LINKS_MAX];

/* As many as one answer has; none: the driver need not wait for any. */
static void send_answer(struct question *q, const struct secrets *s)
{
	struct nl_msg *msg = request(ATWIFI_CMD_PASSPHRASE, NLM_F_ACK);
	unsigned int i;

	if (nla_put_string(msg, ATWIFI_A_PASSPHRASE_DEV, q->dev) ||
	    nla_put_u32(msg, ATWIFI_A_PASSPHRASE_COOKIE, q->cookie))
		errx(1, "no room in a message");
	for (i = 0; i < s->n; i++)
		if (nla_put(msg, ATWIFI_A_PASSPHRASE_PASSPHRASE, s->found[i].len,
			    s->found[i].bytes))
			errx(1, "no room in a message");
	q->seen = s->seen;
	q->full = s->n == SECRETS_MAX;
	q->seq = dispatch(msg);
}

/* With those that were not tried yet. */
static void answer(struct question *q)
{
	static struct secrets s;
	char name[ESCAPED(SSID_MAX)];
	bool again = q->seen;
	int i;

	memcpy(s.ssid, q->ssid, q->ssid_len);
	s.ssid_len = q->ssid_len;
	for (i = 0; i < LINKS_MAX; i++)
		if (!strcmp(devices[i].name, q->dev))
			strcpy(s.ifname, devices[i].ifname);
	s.skip = q->seen;
	if (!again || q->full)
		sources_look(&s, NULL);
	secrets_escape(name, q->ssid, q->ssid_len);
	if (!s.n && again)
		warnx("%s: what is known is not its passphrase: atwctl password", name);
	else if (!s.n && s.keys)
		warnx("%s: %s: a key alone is known, and no passphrase: atwctl password",
		      q->dev, name);
	else if (!s.n)
		warnx("%s: %s: no passphrase is known for this network: atwctl password",
		      q->dev, name);
	send_answer(q, &s);
	explicit_bzero(&s, sizeof(s));
}

static void question(struct nlattr *attrs, int len)
{
	struct nlattr *dev = nla_find(attrs, len, ATWIFI_A_PASSPHRASE_DEV);
	struct nlattr *cookie = nla_find(attrs, len, ATWIFI_A_PASSPHRASE_COOKIE);
	struct nlattr *ssid = nla_find(attrs, len, ATWIFI_A_PASSPHRASE_SSID);
	static unsigned int next;
	struct question *q;

	if (!dev || !cookie || !ssid || nla_len(cookie) != sizeof(uint32_t) ||
	    nla_len(ssid) > SSID_MAX)
		return;
	q = &questions[next++ % LINKS_MAX];
	*q = (struct question){ .cookie = nla_get_u32(cookie), .ssid_len = nla_len(ssid) };
	copy_name(q->dev, dev);
	memcpy(q->ssid, nla_data(ssid), q->ssid_len);
	answer(q);
}

/* What the driver says of an answer. */
static void answered(uint32_t seq, int error)
{
	char name[ESCAPED(SSID_MAX)];
	struct question *q = NULL;
	int i;

	for (i = 0; i < LINKS_MAX; i++)
		if (*questions[i].dev && questions[i].seq == seq)
			q = &questions[i];
	if (!q || !error)
		return;
	secrets_escape(name, q->ssid, q->ssid_len);
	if (error == EKEYREJECTED)
		answer(q);
	else
		warnx("%s: the driver was answered in vain: %s", name, strerror(error));
}

/* The driver may be loaded only later, or again. */
static void family_event(const struct genlmsghdr *hdr)
{
	struct nlattr *attrs = genlmsg_attrdata(hdr, 0);
	int len = genlmsg_attrlen(hdr, 0);
	struct nlattr *name = nla_find(attrs, len, CTRL_ATTR_FAMILY_NAME);
	struct nlattr *id = nla_find(attrs, len, CTRL_ATTR_FAMILY_ID);

	if (!name || nla_strcmp(name, ATWIFI_FAMILY_NAME))
		return;
	if (hdr->cmd == CTRL_CMD_NEWFAMILY && id && nla_len(id) == sizeof(uint16_t)) {
		listen_to_driver(nla_get_u16(id));
	} else if (hdr->cmd == CTRL_CMD_DELFAMILY) {
		driver_is_gone();
	}
}

static void driver_says(int cmd, uint32_t seq, struct nlattr *attrs, int len)
{
	switch (cmd) {
	case ATWIFI_CMD_PASSPHRASE_ASKED:
		question(attrs, len);
		break;
	case ATWIFI_CMD_DEV_EVENT:
		device_event(attrs, len);
		break;
	case ATWIFI_CMD_DEV_GET:
		device_is(attrs, len);
		break;
	case ATWIFI_CMD_DNS_GET:
		servers_are(seq, attrs, len);
		break;
	default:
		break;
	}
}

static int message_cb(struct nl_msg *msg, void *arg)
{
	struct genlmsghdr *hdr = genlmsg_hdr(nlmsg_hdr(msg));
	int type = nlmsg_hdr(msg)->nlmsg_type;

	/* Of the kernel's, and not of a program's. */
	if (nlmsg_get_src(msg)->nl_pid || !genlmsg_valid_hdr(nlmsg_hdr(msg), 0))
		return NL_SKIP;
	if (nlmsg_hdr(msg)->nlmsg_flags & NLM_F_DUMP_INTR)
		look.torn = true;
	if (type == GENL_ID_CTRL)
		family_event(hdr);
	else if (type == family)
		driver_says(hdr->cmd, nlmsg_hdr(msg)->nlmsg_seq, genlmsg_attrdata(hdr, 0),
			    genlmsg_attrlen(hdr, 0));
	return NL_OK;
}

static int error_cb(struct sockaddr_nl *from, struct nlmsgerr *e, void *arg)
{
	int error = -e->error;

	if (from->nl_pid)
		return NL_SKIP;
	if (e->msg.nlmsg_seq == listen_seq) {
		if (error == EOPNOTSUPP)
			warnx("this driver asks for no passphrases");
		else
			errx(1, "the driver does not ask: %s", strerror(error));
	} else if (e->msg.nlmsg_seq == look.seq) {
		looked(false);
	} else {
		answered(e->msg.nlmsg_seq, error);
		servers_set(e->msg.nlmsg_seq, error);
		servers_untold(e->msg.nlmsg_seq, error);
	}
	return NL_SKIP;
}

static int ack_cb(struct nl_msg *msg, void *arg)
{
	if (!nlmsg_get_src(msg)->nl_pid)
		servers_set(nlmsg_hdr(msg)->nlmsg_seq, 0);
	return NL_OK;
}

static int finish_cb(struct nl_msg *msg, void *arg)
{
	if (nlmsg_get_src(msg)->nl_pid || nlmsg_hdr(msg)->nlmsg_seq != look.seq)
		return NL_OK;
	if (nlmsg_hdr(msg)->nlmsg_flags & NLM_F_DUMP_INTR)
		look.torn = true;
	look.again |= look.torn;
	looked(!look.torn);
	return NL_OK;
}

static int no_check_cb(struct nl_msg *msg, void *arg)
{
	return NL_OK;
}

/* Whatever was told is lost, be it that the driver came or went. A question is soon over. */
static void begin_anew(void)
{
	struct nl_sock *once = socket_new();
	int id = genl_ctrl_resolve(once, ATWIFI_FAMILY_NAME);

	nl_socket_free(once);
	forget_requests();
	if (family && id != family)
		driver_is_gone();
	if (id > 0)
		listen_to_driver(id);
}

static void netlink_cb(evutil_socket_t fd, short what, void *arg)
{
	bool lost = false;
	int ret;

	do {
		ret = nl_recvmsgs(sock, callbacks);
		/*
		 * ENOBUFS: more has come than there is room for. Before all of that is read the
		 * kernel drops what else comes, answers too, and says no more of it.
		 */
		if (ret == -NLE_NOMEM)
			lost = true;
		else if (ret < 0 && ret != -NLE_AGAIN && ret != -NLE_DUMP_INTR)
			errx(1, "generic netlink: %s", nl_geterror(ret));
	} while (lost && ret != -NLE_AGAIN);
	if (lost)
		begin_anew();
}

static void netlink_begin(void)
{
	struct nl_sock *once = socket_new();
	int one = 1;

	sock = socket_new();
	/* Best effort: else an error comes with the request, which may hold a secret. */
	setsockopt(nl_socket_get_fd(sock), SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	nl_socket_set_nonblocking(sock);
	nl_socket_disable_auto_ack(sock);
	/* Sources are read for some seconds, during which much may come; what fits will do. */
	nl_socket_set_buffer_size(sock, 1 << 20, 0);
	callbacks = nl_cb_alloc(NL_CB_DEFAULT);
	if (!callbacks)
		errx(1, "no memory");
	nl_cb_set(callbacks, NL_CB_VALID, NL_CB_CUSTOM, message_cb, NULL);
	nl_cb_set(callbacks, NL_CB_ACK, NL_CB_CUSTOM, ack_cb, NULL);
	nl_cb_set(callbacks, NL_CB_FINISH, NL_CB_CUSTOM, finish_cb, NULL);
	nl_cb_set(callbacks, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, no_check_cb, NULL);
	nl_cb_err(callbacks, NL_CB_CUSTOM, error_cb, NULL);
	/* First this, so that a driver that is loaded meanwhile is noticed. */
	join_group("nlctrl", "notify");
	family = genl_ctrl_resolve(once, ATWIFI_FAMILY_NAME);
	nl_socket_free(once);
	netlink_event = event_new(base, nl_socket_get_fd(sock), EV_READ | EV_PERSIST, netlink_cb,
				  NULL);
	if (!netlink_event || event_add(netlink_event, NULL))
		errx(1, "no memory");
	if (family > 0)
		listen_to_driver(family);
	else
		family = 0;
}

static void prepare(const struct link_listeners *listeners)
{
	/* No debugger's, and in no core. */
	prctl(PR_SET_DUMPABLE, 0);
	signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	if (!base)
		errx(1, "no memory");
	service_begin(base, reload);
	if (listeners->resolvconf)
		resolvconf_begin(base);
	links_begin(listeners);
	if (!resolved_begin(base, links_again))
		errx(1, "no memory");
	links_before();
	again_event = evtimer_new(base, again_cb, NULL);
	if (!again_event)
		errx(1, "no memory");
	netlink_begin();
	if (!listeners->module)
		return;
	look_event = event_new(base, -1, EV_PERSIST, look_cb, NULL);
	if (!look_event || event_add(look_event, &(struct timeval){ LOOK_S, 0 }))
		errx(1, "no memory");
}

static void clean_up(void)
{
	links_end();
	resolvconf_end();
	resolved_end();
	event_free(netlink_event);
	event_free(again_event);
	if (look_event)
		event_free(look_event);
	nl_socket_free(sock);
	nl_cb_put(callbacks);
	service_end();
	event_base_free(base);
	libevent_global_shutdown();
}

static void print_source(const char *source, unsigned int n, unsigned int keys)
{
	if (n)
		printf("%s: %u passphrase%s\n", source, n, n == 1 ? "" : "s");
	else if (keys)
		printf("%s: a key alone\n", source);
}

/* The service has no privilege by which it could read what others cannot: nor have we here. */
static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capset, &header, none))
		err(1, "capabilities");
}

/* Who knows a network? Passphrases are told to nobody but the driver. */
static int look_for(const char *ssid)
{
	static struct secrets s;
	bool found;

	s.ssid_len = strlen(ssid);
	if (!s.ssid_len || s.ssid_len > SSID_MAX)
		errx(2, "the name of a network has 1 to %d bytes", SSID_MAX);
	prctl(PR_SET_DUMPABLE, 0);
	drop_capabilities();
	memcpy(s.ssid, ssid, s.ssid_len);
	sources_look(&s, print_source);
	found = s.n;
	explicit_bzero(&s, sizeof(s));
	return !found;
}

static void usage(FILE *to, int status)
{
	fputs("usage: atwifi-agent [OPTION]...\n"
	      "\n"
	      "Tells the driver atwifi the passphrases of networks that programs have it join, and\n"
	      "systemd-resolved the name servers of networks that it has joined.\n"
	      "\n"
	      "  -r, --resolvconf     tell resolvconf, too\n"
	      "  -w, --write FILE     also write the servers to it, such as /etc/resolv.conf\n"
	      "  -m, --module         tell the module servers that others have set for its link\n"
	      "  -c, --check NETWORK  print where the passphrase of this one is, and end\n"
	      "  -h, --help           this\n"
	      "\n"
	      "It stays in the foreground. See atwifi-agent(8).\n", to);
	exit(status);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "resolvconf", no_argument, NULL, 'r' },
		{ "write", required_argument, NULL, 'w' },
		{ "module", no_argument, NULL, 'm' },
		{ "check", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct link_listeners listeners = { 0 };
	int c, status;

	while ((c = getopt_long(argc, argv, "rw:mc:h", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			listeners.resolvconf = true;
			break;
		case 'w':
			listeners.file = optarg;
			break;
		case 'm':
			listeners.module = set_servers;
			break;
		case 'c':
			return look_for(optarg);
		case 'h':
			usage(stdout, 0);
			break;
		default:
			usage(stderr, 2);
		}
	}
	if (optind < argc)
		usage(stderr, 2);
	prepare(&listeners);
	notify("READY=1", 0);
	status = event_base_dispatch(base) < 0;
	if (status)
		warn("waiting for events");
	notify("STOPPING=1", MSG_DONTWAIT);
	clean_up();
	return status;
}
