// SPDX-License-Identifier: GPL-2.0-only
/*
 * The family "atwifi": requests, answers, events. What cannot be had without
 * the user's doing ends the program with a word about it.
 */
#include <err.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/atwifi_genl.h>

#include "nl.h"

/* The kernel's queue for us: events of many connections come at once. */
#define RX_BUFFER	(1024 * 1024)

static struct nl_sock *sock;
static int family;

struct run {
	const char	*about;
	ctl_fn		*fn;
	void		*arg;
	bool		done;
	int		err;
};

/**
 * ctl_try_open() - connect to the driver
 *
 * Return: false if it is not loaded.
 */
bool ctl_try_open(void)
{
	int one = 1;

	sock = nl_socket_alloc();
	if (!sock)
		err(1, "no memory");
	if (genl_connect(sock))
		err(1, "generic netlink");
	nl_socket_set_buffer_size(sock, RX_BUFFER, 0);
	/* Best effort: without it errors have no words. */
	setsockopt(nl_socket_get_fd(sock), SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	/* And with them comes the request, which may hold a secret. */
	setsockopt(nl_socket_get_fd(sock), SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	family = genl_ctrl_resolve(sock, ATWIFI_FAMILY_NAME);
	return family >= 0;
}

/**
 * ctl_open() - connect to the driver, which must be there
 */
void ctl_open(void)
{
	if (!ctl_try_open())
		errx(1, "the driver is not loaded: modprobe atwifi");
}

/**
 * ctl_request() - begin a request
 * @cmd: ATWIFI_CMD_*
 * @dump: all there is, instead of one
 *
 * Return: the message, for ctl_run().
 */
struct nl_msg *ctl_request(int cmd, bool dump)
{
	struct nl_msg *msg = nlmsg_alloc();

	if (!msg || !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, dump ? NLM_F_DUMP : 0,
				 cmd, ATWIFI_FAMILY_VERSION))
		err(1, "no memory");
	return msg;
}

/**
 * ctl_put_data() - append an attribute
 * @msg: the message
 * @attr: which
 * @data: its bytes
 * @len: how many
 */
void ctl_put_data(struct nl_msg *msg, int attr, const void *data, size_t len)
{
	if (nla_put(msg, attr, len, data))
		errx(1, "too long for a request");
}

/**
 * ctl_put_string() - append a string
 * @msg: the message
 * @attr: which
 * @text: the string
 */
void ctl_put_string(struct nl_msg *msg, int attr, const char *text)
{
	ctl_put_data(msg, attr, text, strlen(text) + 1);
}

/**
 * ctl_put_u8() - append a number
 * @msg: the message
 * @attr: which
 * @val: the number
 */
void ctl_put_u8(struct nl_msg *msg, int attr, uint8_t val)
{
	ctl_put_data(msg, attr, &val, sizeof(val));
}

/**
 * ctl_put_u16() - append a number
 * @msg: the message
 * @attr: which
 * @val: the number
 */
void ctl_put_u16(struct nl_msg *msg, int attr, uint16_t val)
{
	ctl_put_data(msg, attr, &val, sizeof(val));
}

/**
 * ctl_put_u32() - append a number
 * @msg: the message
 * @attr: which
 * @val: the number
 */
void ctl_put_u32(struct nl_msg *msg, int attr, uint32_t val)
{
	ctl_put_data(msg, attr, &val, sizeof(val));
}

static int valid_cb(struct nl_msg *msg, void *arg)
{
	struct genlmsghdr *hdr = genlmsg_hdr(nlmsg_hdr(msg));
	struct run *run = arg;

	if (nlmsg_hdr(msg)->nlmsg_type == family && run->fn)
		run->fn(hdr->cmd, genlmsg_attrdata(hdr, 0), genlmsg_attrlen(hdr, 0), run->arg);
	return NL_OK;
}

static int done_cb(struct nl_msg *msg, void *arg)
{
	struct run *run = arg;

	run->done = true;
	return NL_STOP;
}

/* What the kernel says about an error, or NULL. */
static const char *words(struct nlmsgerr *e)
{
	struct nlmsghdr *hdr = (struct nlmsghdr *)((char *)e - NLMSG_HDRLEN);
	size_t skip = sizeof(*e);
	struct nlattr *attr;

	if (!(hdr->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(hdr->nlmsg_flags & NLM_F_CAPPED))
		skip += NLMSG_ALIGN(e->msg.nlmsg_len - sizeof(e->msg));
	if (hdr->nlmsg_len < NLMSG_HDRLEN + skip)
		return NULL;
	attr = nla_find((struct nlattr *)((char *)e + skip),
			hdr->nlmsg_len - NLMSG_HDRLEN - skip, NLMSGERR_ATTR_MSG);
	return attr && memchr(nla_data(attr), '\0', nla_len(attr)) ? nla_data(attr) : NULL;
}

static int error_cb(struct sockaddr_nl *from, struct nlmsgerr *e, void *arg)
{
	const char *why = words(e);
	struct run *run = arg;

	run->done = true;
	run->err = -e->error;
	if (why)
		warnx("%s: %s (%s)", run->about, why, strerror(run->err));
	else if (run->err == EPERM)
		warnx("%s: not permitted: this needs CAP_NET_ADMIN", run->about);
	else if (run->err == EOPNOTSUPP)
		warnx("%s: the driver that is loaded cannot do this", run->about);
	else
		warnx("%s: %s", run->about, strerror(run->err));
	return NL_STOP;
}

static struct nl_cb *callbacks(struct run *run)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);

	if (!cb)
		err(1, "no memory");
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, valid_cb, run);
	nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, done_cb, run);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, done_cb, run);
	nl_cb_err(cb, NL_CB_CUSTOM, error_cb, run);
	return cb;
}

/**
 * ctl_run() - send a request and wait for its end
 * @msg: the request; freed
 * @about: what it is about, for messages
 * @fn: for what it answers, may be NULL
 * @arg: for @fn
 *
 * Return: 0, or an errno that the user was told.
 */
int ctl_run(struct nl_msg *msg, const char *about, ctl_fn *fn, void *arg)
{
	struct run run = { .about = about, .fn = fn, .arg = arg };
	struct nlmsghdr *hdr = nlmsg_hdr(msg);
	struct nl_cb *cb = callbacks(&run);
	int ret;

	ret = nl_send_auto(sock, msg);
	/* It may hold a secret. */
	explicit_bzero(nlmsg_data(hdr), nlmsg_datalen(hdr));
	nlmsg_free(msg);
	if (ret < 0)
		errx(1, "%s: cannot send the request: %s", about, nl_geterror(ret));
	while (!run.done) {
		ret = nl_recvmsgs(sock, cb);
		if (ret < 0 && !run.done)
			errx(1, "%s: no answer from the kernel: %s", about, nl_geterror(ret));
		if (ret == -NLE_DUMP_INTR)
			warnx("%s: something came or went meanwhile: it may be missing", about);
	}
	nl_cb_put(cb);
	return run.err;
}

static int any_seq(struct nl_msg *msg, void *arg)
{
	return NL_OK;
}

/**
 * ctl_subscribe() - have events come, from now on
 */
void ctl_subscribe(void)
{
	int group, ret;

	group = genl_ctrl_resolve_grp(sock, ATWIFI_FAMILY_NAME, ATWIFI_MCGRP_EVENTS);
	if (group < 0)
		errx(1, "the driver that is loaded has no events");
	ret = nl_socket_add_membership(sock, group);
	if (ret)
		errx(1, "cannot listen to events: %s", nl_geterror(ret));
}

/**
 * ctl_listen() - receive events for ever, after ctl_subscribe()
 * @fn: for each; also with no command where some were lost
 * @arg: for @fn
 * @every: call @fn with no command where no event has come for so many seconds, too; 0: do not
 *
 * Return: an exit status, when it cannot go on.
 */
int ctl_listen(ctl_fn *fn, void *arg, int every)
{
	const struct timeval limit = { .tv_sec = every };
	struct run run = { .about = "monitor", .fn = fn, .arg = arg };
	struct nl_cb *cb = callbacks(&run);
	int ret;

	nl_cb_set(cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, any_seq, NULL);
	if (setsockopt(nl_socket_get_fd(sock), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)))
		err(1, "cannot receive events");
	for (;;) {
		ret = nl_recvmsgs(sock, cb);
		/* ENOBUFS: what follows is whole again. */
		if (ret == -NLE_NOMEM) {
			warnx("events were lost: they came faster than they could be shown");
			fn(0, NULL, 0, arg);
		} else if (ret == -NLE_AGAIN) {
			fn(0, NULL, 0, arg);
		} else if (ret < 0) {
			errx(1, "cannot receive events: %s", nl_geterror(ret));
		}
	}
}
