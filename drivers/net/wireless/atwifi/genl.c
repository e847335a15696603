// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic-netlink family "atwifi".
 *
 * Documentation/netlink/specs/atwifi.yaml says what its messages are; the
 * numbers are generated from it, the tables below are not, since they serve
 * kernels from before there were generated ones.
 *
 * Requests that the module must answer wait for it, for a limited time, and not
 * in the caller's context: there all of generic netlink's lock is held for
 * reading, and as soon as anybody registers a family everybody else would wait
 * too. They are copied and done by a workqueue, which then acknowledges them
 * itself. They take the module's time, so it is for administrators to make them,
 * even those that change nothing. Names are for everybody, within bounds: a program
 * that looks one up has no choice.
 *
 * A device belongs to the network namespace that it was attached in, and so do
 * its settings: whoever administers that may change them (GENL_UNS_ADMIN_PERM).
 * Commands as they are reach further, to the module's pins, flash and radio:
 * they want an administrator of the machine (GENL_ADMIN_PERM).
 */
#include <linux/errno.h>
#include <linux/etherdevice.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/inet.h>
#include <linux/in.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/workqueue.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "compat.h"
#include "dev.h"
#include "error.h"
#include "expose.h"
#include "firmware.h"
#include "genl.h"
#include "genl_event.h"
#include "passphrase.h"
#include "query.h"
#include "raw.h"
#include "timing.h"

static const struct genl_multicast_group atw_genl_groups[] = {
	[ATW_GENL_EVENTS] = { .name = ATWIFI_MCGRP_EVENTS },
};

/* A text for people; it must live as long as the module. */
static void atw_genl_say(struct genl_info *info, const char *text)
{
	if (info->extack)
		info->extack->_msg = text;
}

/* For an attribute of it, or for want of one. Returns @err. */
static int atw_genl_refuse(struct genl_info *info, const struct nlattr *attr, int err,
			   const char *text)
{
	NL_SET_BAD_ATTR(info->extack, attr);
	atw_genl_say(info, text);
	return err;
}

static struct atw_dev *atw_genl_dev(struct genl_info *info, int attr)
{
	const struct nlattr *name = info->attrs[attr];
	struct atw_dev *adev;

	if (!name || !*(const char *)nla_data(name))
		return ERR_PTR(atw_genl_refuse(info, NULL, -EINVAL,
					       "no device is named, such as atw0"));
	adev = atw_dev_find(genl_info_net(info), nla_data(name));
	return adev ?: ERR_PTR(atw_genl_refuse(info, name, -ENODEV,
					       "no such device in this network namespace"));
}

/* Where no device is named the first that has joined will do. */
static struct atw_dev *atw_genl_any_dev(struct genl_info *info, int attr)
{
	struct atw_dev *adev;

	if (info->attrs[attr])
		return atw_genl_dev(info, attr);
	adev = atw_dev_find(genl_info_net(info), NULL);
	return adev ?: ERR_PTR(atw_genl_refuse(info, NULL, -ENODEV,
					       "no device in this network namespace"));
}

static const char *atw_genl_reason(int err)
{
	switch (err) {
	case -ENETDOWN:
		return "the module is being looked for, or has not joined a network";
	case -EBUSY:
		return "the module was busy all the time; nothing was done";
	case -ETIMEDOUT:
		return "the module did not answer in time";
	case -EOPNOTSUPP:
		return "the module's firmware does not know this command";
	case -ECONNRESET:
		return "the module has restarted meanwhile";
	case -ENODEV:
		return "the device goes away";
	case -ENOBUFS:
		return "too many requests wait for the module";
	case -EPROTO:
		return "the module's answer makes no sense";
	default:
		return NULL;
	}
}

/* Have a request of query.h done; says why if that fails. */
static int atw_genl_request(struct genl_info *info, struct atw_dev *adev,
			    struct atw_request *request, long timeout)
{
	const struct atw_query *q = (const struct atw_query *)request->arg;
	int err = atw_module_request(&adev->module, request, timeout);

	if (err && completion_done(&request->done) && q->why)
		atw_genl_say(info, q->why);
	else if (err && completion_done(&request->done) && q->code)
		atw_genl_say(info, adev->module.ch.dialect->error(q->code)->text);
	else if (err)
		atw_genl_say(info, atw_genl_reason(err));
	return err;
}

/* Answer with a device, by the attribute @attr, and what @put makes of @arg, in @size bytes. */
static int atw_genl_answer(struct genl_info *info, int attr, const char *dev, size_t size,
			   int (*put)(struct sk_buff *skb, const void *arg), const void *arg)
{
	struct sk_buff *skb = genlmsg_new(size, GFP_KERNEL);
	int err = -EMSGSIZE;
	void *hdr;

	if (!skb)
		return -ENOMEM;
	hdr = genlmsg_put_reply(skb, info, &atw_genl_family, 0, info->genlhdr->cmd);
	if (hdr)
		err = nla_put_string(skb, attr, dev) ?: put(skb, arg);
	if (err) {
		nlmsg_free(skb);
		return err;
	}
	genlmsg_end(skb, hdr);
	return genlmsg_reply(skb, info);
}

/* Devices */

static int atw_genl_put_stats(struct sk_buff *skb, const struct atw_module *m)
{
	const struct {
		int attr;
		u64 count;
	} stats[] = {
		{ ATWIFI_A_DEV_STATS_RX_BYTES,	atomic64_read(&m->ch.rx_bytes) },
		{ ATWIFI_A_DEV_STATS_TX_BYTES,	atomic64_read(&m->ch.tx_bytes) },
		{ ATWIFI_A_DEV_STATS_COMMANDS,	atomic64_read(&m->ch.commands) },
		{ ATWIFI_A_DEV_STATS_TIMEOUTS,	atomic64_read(&m->ch.timeouts) },
		{ ATWIFI_A_DEV_STATS_BUSY,	atomic64_read(&m->ch.busy) },
		{ ATWIFI_A_DEV_STATS_OPENED,	atomic64_read(&m->conns.counts.opened) },
		{ ATWIFI_A_DEV_STATS_FAILED,	atomic64_read(&m->conns.counts.failed) },
		{ ATWIFI_A_DEV_STATS_RESETS,	atomic64_read(&m->conns.counts.resets) },
		{ ATWIFI_A_DEV_STATS_OVERFLOWS,	atomic64_read(&m->conns.counts.overflows) },
		{ ATWIFI_A_DEV_STATS_DAMAGED,	atomic64_read(&m->conns.counts.damaged) },
		{ ATWIFI_A_DEV_STATS_PASSIVE,	atomic64_read(&m->conns.counts.passive) },
		{ ATWIFI_A_DEV_STATS_BRINGUPS,	atomic64_read(&m->bringups) },
		{ ATWIFI_A_DEV_STATS_REBOOTS,	atomic64_read(&m->reboots) },
		{ ATWIFI_A_DEV_STATS_ACCEPTED,	atomic64_read(&m->conns.counts.accepted) },
		{ ATWIFI_A_DEV_STATS_REFUSED,	atomic64_read(&m->conns.counts.refused) },
		{ ATWIFI_A_DEV_STATS_TRANSPARENT, atomic64_read(&m->conns.tt.entries) },
		{ ATWIFI_A_DEV_STATS_CUT,	atomic64_read(&m->conns.counts.cut) },
		{ ATWIFI_A_DEV_STATS_UNEXPLAINED, atomic64_read(&m->conns.counts.unexplained) },
		{ ATWIFI_A_DEV_STATS_THROTTLED, atomic64_read(&m->conns.counts.throttled) },
	};
	struct nlattr *nest;
	size_t i;

	nest = nla_nest_start(skb, ATWIFI_A_DEV_STATS);
	if (!nest)
		return -EMSGSIZE;
	for (i = 0; i < ARRAY_SIZE(stats); i++)
		if (nla_put_u64_64bit(skb, stats[i].attr, stats[i].count,
				      ATWIFI_A_DEV_STATS_PAD))
			return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static const u32 atw_genl_states[] = {
	[ATW_MODULE_PROBING]	= ATWIFI_DEV_STATE_PROBING,
	[ATW_MODULE_DOWN]	= ATWIFI_DEV_STATE_DOWN,
	[ATW_MODULE_JOINED]	= ATWIFI_DEV_STATE_JOINED,
	[ATW_MODULE_ASLEEP]	= ATWIFI_DEV_STATE_PROBING,
};

/* What is known once the module has answered for the first time. */
static int atw_genl_put_module(struct sk_buff *skb, const struct atw_module *m)
{
	u32 baud = READ_ONCE(m->baud);

	if (!atomic64_read(&m->bringups))
		return 0;
	if (atw_genl_put_text(skb, ATWIFI_A_DEV_FIRMWARE, m->firmware) ||
	    atw_genl_put_text(skb, ATWIFI_A_DEV_AT_VERSION, m->at_version) ||
	    nla_put_u32(skb, ATWIFI_A_DEV_PROFILE, READ_ONCE(m->conns.fw)->profile) ||
	    (baud && nla_put_u32(skb, ATWIFI_A_DEV_BAUD, baud)) ||
	    (!is_zero_ether_addr(m->mac) &&
	     nla_put(skb, ATWIFI_A_DEV_MAC, ETH_ALEN, m->mac)))
		return -EMSGSIZE;
	return nla_put_u32(skb, ATWIFI_A_DEV_RECV_MODE,
			   READ_ONCE(m->conns.mode.passive) ?
			   ATWIFI_RECV_MODE_PASSIVE : ATWIFI_RECV_MODE_ACTIVE);
}

/* The network device, whatever it is called by now. */
static int atw_genl_put_netdev(struct sk_buff *skb, const struct atw_dev *adev)
{
	int ifindex = READ_ONCE(adev->ifindex);
	struct net_device *dev;
	char name[IFNAMSIZ] = "";

	rcu_read_lock();
	dev = ifindex ? dev_get_by_index_rcu(adev->net, ifindex) : NULL;
	/* It may be getting another one: it always ends within its array. */
	if (dev)
		strscpy(name, dev->name, sizeof(name));
	rcu_read_unlock();
	if (!dev)
		return 0;
	return nla_put_u32(skb, ATWIFI_A_DEV_IFINDEX, ifindex) ?:
	       nla_put_string(skb, ATWIFI_A_DEV_IFNAME, name);
}

/* All but its name. */
static int atw_genl_put_dev(struct sk_buff *skb, const void *arg)
{
	const struct atw_dev *adev = arg;
	const struct atw_module *m = &adev->module;

	if ((adev->port && nla_put_string(skb, ATWIFI_A_DEV_PORT, dev_name(adev->port))) ||
	    nla_put_u32(skb, ATWIFI_A_DEV_STATE, atw_genl_states[atw_module_state(m)]) ||
	    atw_genl_put_addr(skb, ATWIFI_A_DEV_ADDRESS, atw_module_addr(m)) ||
	    atw_genl_put_addr(skb, ATWIFI_A_DEV_GATEWAY,
			      atw_module_gateway(m)) ||
	    nla_put_u32(skb, ATWIFI_A_DEV_YIELD_AFTER, READ_ONCE(adev->yield_after)) ||
	    nla_put_u32(skb, ATWIFI_A_DEV_PREFER, READ_ONCE(m->conns.pace.prefer)) ||
	    atw_genl_put_netdev(skb, adev) ||
	    atw_genl_put_module(skb, m))
		return -EMSGSIZE;
	return atw_genl_put_stats(skb, m);
}

static int atw_genl_dev_get_doit(struct sk_buff *req, struct genl_info *info)
{
	struct atw_dev *adev = atw_genl_dev(info, ATWIFI_A_DEV_NAME);
	int err;

	if (IS_ERR(adev))
		return PTR_ERR(adev);
	err = atw_genl_answer(info, ATWIFI_A_DEV_NAME, dev_name(&adev->dev), NLMSG_DEFAULT_SIZE,
			      atw_genl_put_dev, adev);
	atw_dev_put(adev);
	return err;
}

/* An entry of a dump. It says so if others came or went since the dump began. */
static void *atw_genl_entry(struct sk_buff *skb, struct netlink_callback *cb,
			    u8 cmd)
{
	void *hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid,
				cb->nlh->nlmsg_seq, &atw_genl_family,
				NLM_F_MULTI, cmd);

	if (hdr)
		genl_dump_check_consistent(cb, hdr);
	return hdr;
}

static int atw_genl_dev_get_dumpit(struct sk_buff *skb,
				   struct netlink_callback *cb)
{
	struct net *net = sock_net(skb->sk);
	int index = (int)cb->args[0] - 1;
	struct atw_dev *adev;
	void *hdr;

	cb->seq = atw_dev_seq(net, NULL);
	while ((adev = atw_dev_next(net, index))) {
		hdr = atw_genl_entry(skb, cb, ATWIFI_CMD_DEV_GET);
		if (!hdr || nla_put_string(skb, ATWIFI_A_DEV_NAME, dev_name(&adev->dev)) ||
		    atw_genl_put_dev(skb, adev)) {
			genlmsg_cancel(skb, hdr);
			atw_dev_put(adev);
			break;
		}
		genlmsg_end(skb, hdr);
		index = adev->index;
		atw_dev_put(adev);
	}
	cb->args[0] = index + 1;
	return skb->len;
}

/* Connections */

/* Whose a connection is, as @ns sees it. */
static int atw_genl_put_whose(struct sk_buff *skb,
			      const struct atw_conn_info *info,
			      struct user_namespace *ns)
{
	if (!info->inode)
		return 0;
	return nla_put_u32(skb, ATWIFI_A_SOCKET_UID,
			   from_kuid_munged(ns, info->uid)) ?:
	       nla_put_u64_64bit(skb, ATWIFI_A_SOCKET_INODE, info->inode,
				 ATWIFI_A_SOCKET_PAD);
}

/**
 * struct atw_genl_dump - a dump of connections
 * @skb: the message
 * @cb: the dump
 * @adev: the device
 * @admin: who asks administers it
 * @n: connections of it that were seen
 */
struct atw_genl_dump {
	struct sk_buff		*skb;
	struct netlink_callback	*cb;
	struct atw_dev		*adev;
	bool			admin;
	long			n;
};

/* May who asks be told the name of its remote? An address tells less. */
static bool atw_genl_may_name(const struct atw_genl_dump *d, const struct atw_conn_info *info)
{
	return d->admin ||
	       (info->inode && uid_eq(info->uid, NETLINK_CREDS(d->cb->skb)->uid));
}

static int atw_genl_dump_conn(const struct atw_conn_info *info, void *arg)
{
	struct atw_genl_dump *d = arg;
	void *hdr;

	if (d->n++ < d->cb->args[1])
		return 0;
	hdr = atw_genl_entry(d->skb, d->cb, ATWIFI_CMD_SOCKET_GET);
	if (!hdr || atw_genl_put_conn(d->skb, d->adev, info, atw_genl_may_name(d, info)) ||
	    atw_genl_put_whose(d->skb, info,
			       sk_user_ns(NETLINK_CB(d->cb->skb).sk))) {
		genlmsg_cancel(d->skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(d->skb, hdr);
	d->cb->args[1]++;
	return 0;
}

static u32 atw_genl_socket_seq(struct atw_dev *adev)
{
	return atomic_read(&adev->module.conns.seq);
}

/* args[0]: devices that are done; args[1]: connections of the next one that are */
static int atw_genl_socket_get_dumpit(struct sk_buff *skb,
				      struct netlink_callback *cb)
{
	struct net *net = sock_net(skb->sk);
	struct atw_genl_dump d = { .skb = skb, .cb = cb };
	int err = 0;

	d.admin = netlink_ns_capable(cb->skb, net->user_ns, CAP_NET_ADMIN);
	cb->seq = atw_dev_seq(net, atw_genl_socket_seq);
	while (!err && (d.adev = atw_dev_next(net, (int)cb->args[0] - 1))) {
		d.n = 0;
		err = atw_conns_for_each(&d.adev->module.conns,
					 atw_genl_dump_conn, &d);
		if (!err) {
			cb->args[0] = d.adev->index + 1;
			cb->args[1] = 0;
		}
		atw_dev_put(d.adev);
	}
	return skb->len;
}

#define ATW_GENL_ADMIN	(-1)

/**
 * struct atw_genl_slow - how a request is done that outlives the caller's send()
 * @dev: the attribute that names the device
 * @attrs: how many attributes there may be
 * @changes: those of one socket are done in their order
 * @doit: does it; or NULL, the module has to, by a request of query.h:
 * @fn: which
 * @size: of its argument
 * @timeout: how long that may take
 * @fill: puts what @info asks for into its argument; NULL: there is nothing to be said
 * @over: whoever has asked waits for it no longer; may be NULL
 * @put: what came of it, for the answer; NULL: there is none
 * @room: bytes that this takes; NULL: no more than usual
 */
struct atw_genl_slow {
	int			dev;
	size_t			attrs;
	bool			changes;
	int			(*doit)(struct genl_info *info, struct atw_dev *adev);
	int			(*fn)(struct atw_module *m, void *arg);
	size_t			size;
	const unsigned long	*timeout;
	int			(*fill)(struct genl_info *info, void *arg);
	void			(*over)(void *arg);
	int			(*put)(struct sk_buff *skb, const void *arg);
	size_t			(*room)(const void *arg);
};

/* Protects the list of those that are still to be answered, in their order, and who looks there. */
static DEFINE_SPINLOCK(atw_genl_late_lock);
static LIST_HEAD(atw_genl_lates);

/**
 * struct atw_genl_late - a request that outlives the caller's send()
 * @node: in the list of all
 * @work: does it
 * @slow: how
 * @adev: the device that is asked for, with a reference; counts it
 * @req: a copy, which nobody else has
 * @asker: the open socket that is to be answered, held; NULL if it is the
 *	kernel's own, which has no file
 * @info: as generic netlink has made it, but about @req; its network namespace,
 *	and the socket that is to be answered, are held
 * @share: whose it is; ATW_GENL_ADMIN for somebody who administers the device, and names it
 * @extack: of @info
 * @attrs: of @info
 */
struct atw_genl_late {
	struct list_head	node;
	struct work_struct	work;
	const struct atw_genl_slow *slow;
	struct atw_dev		*adev;
	struct sk_buff		*req;
	struct file		*asker;
	struct genl_info	info;
	int			share;
	struct netlink_ext_ack	extack;
	struct nlattr		*attrs[];
};

/* Requests that the module answers */

/* Have one done, and answer with what came of it. */
static int atw_genl_query(struct genl_info *info, struct atw_dev *adev,
			  const struct atw_genl_slow *slow)
{
	struct atw_request *request = atw_request_new(slow->size, slow->fn);
	void *arg;
	int err;

	if (!request)
		return -ENOMEM;
	arg = request->arg;
	err = slow->fill ? slow->fill(info, arg) : 0;
	err = err ?: atw_genl_request(info, adev, request, *slow->timeout);
	if (slow->over)
		slow->over(arg);
	if (!err && slow->put)
		err = atw_genl_answer(info, slow->dev, dev_name(&adev->dev),
				      slow->room ? slow->room(arg) : NLMSG_DEFAULT_SIZE,
				      slow->put, arg);
	atw_request_put(request);
	return err;
}

static int atw_genl_dev_set(struct genl_info *info, struct atw_dev *adev)
{
	const struct nlattr *yield_after = info->attrs[ATWIFI_A_DEV_YIELD_AFTER];
	const struct nlattr *mode = info->attrs[ATWIFI_A_DEV_RECV_MODE];
	const struct nlattr *prefer = info->attrs[ATWIFI_A_DEV_PREFER];
	int err = 0;

	if (!mode && !yield_after && !prefer)
		return atw_genl_refuse(info, NULL, -EINVAL, "nothing is to be changed");
	/* First what can fail. */
	if (mode)
		err = atw_module_set_recv_mode(&adev->module,
					       nla_get_u32(mode) == ATWIFI_RECV_MODE_PASSIVE,
					       atw_timing.genl);
	if (err)
		atw_genl_say(info, atw_genl_reason(err));
	if (!err && yield_after)
		WRITE_ONCE(adev->yield_after, nla_get_u32(yield_after));
	if (!err && prefer)
		WRITE_ONCE(adev->module.conns.pace.prefer, nla_get_u32(prefer));
	return err;
}

static int atw_genl_fill_dns(struct genl_info *info, void *arg)
{
	struct atw_query_dns *q = arg;
	const struct nlattr *nla;
	int n = 0, rem;
	u32 addr;

	q->set = true;
	nla_for_each_attr(nla, genlmsg_data(info->genlhdr),
			  genlmsg_len(info->genlhdr), rem) {
		if (nla_type(nla) != ATWIFI_A_DNS_SERVER)
			continue;
		if (n == ATW_DNS_MAX)
			return atw_genl_refuse(info, nla, -E2BIG,
					       "the module has two servers at most");
		addr = be32_to_cpu(nla_get_in_addr(nla));
		if (!atw_addr_is_host(addr))
			return atw_genl_refuse(info, nla, -EINVAL, "not the address of a server");
		q->server[n++] = addr;
	}
	if (!n)
		return atw_genl_refuse(info, NULL, -EINVAL, "no server is named");
	return 0;
}

static int atw_genl_put_dns(struct sk_buff *skb, const void *arg)
{
	const struct atw_query_dns *q = arg;
	int i, err = 0;

	for (i = 0; i < ATW_DNS_MAX && !err; i++)
		err = atw_genl_put_addr(skb, ATWIFI_A_DNS_SERVER, q->server[i]);
	return err;
}

/* A host's name, or an address as text, that may be given to the module. */
static int atw_genl_host(struct genl_info *info, int attr, char *host)
{
	const struct nlattr *nla = info->attrs[attr];
	int err;

	if (!nla)
		return atw_genl_refuse(info, NULL, -EINVAL, "no host is named");
	err = atw_check_host(nla_data(nla), strlen(nla_data(nla)));
	if (err)
		return atw_genl_refuse(info, nla, err, err == -ENAMETOOLONG ?
				       "a host's name has at most 119 bytes" :
				       "a host's name is letters, digits, '-' and '_', in labels of 1 to 63 with dots between them");
	strscpy(host, nla_data(nla), ATW_NAME_MAX);
	return 0;
}

static int atw_genl_put_resolved(struct sk_buff *skb, const void *arg)
{
	const struct atw_query_resolve *q = arg;

	return nla_put_string(skb, ATWIFI_A_RESOLVE_HOST, q->host) ?:
	       atw_genl_put_addr(skb, ATWIFI_A_RESOLVE_ADDRESS, q->addr);
}

static int atw_genl_fill_resolve(struct genl_info *info, void *arg)
{
	const struct atw_genl_late *late = container_of(info, struct atw_genl_late, info);
	struct atw_query_resolve *q = arg;

	if (late->share != ATW_GENL_ADMIN) {
		q->limited = true;
		q->share = late->share;
	}
	return atw_genl_host(info, ATWIFI_A_RESOLVE_HOST, q->host);
}

static int atw_genl_fill_autott(struct genl_info *info, void *arg)
{
	struct nlattr **attrs = info->attrs;
	struct atw_query_autott *q = arg;
	int err;

	q->set = true;
	if (!attrs[ATWIFI_A_AUTOTT_TYPE])
		return atw_genl_refuse(info, NULL, -EINVAL, "no type is named");
	q->type = nla_get_u32(attrs[ATWIFI_A_AUTOTT_TYPE]);
	switch (q->type) {
	case ATWIFI_SOCKET_TYPE_NONE:
		return 0;
	case ATWIFI_SOCKET_TYPE_UDP_SERVER:
		if (attrs[ATWIFI_A_AUTOTT_HOST])
			return atw_genl_refuse(info, attrs[ATWIFI_A_AUTOTT_HOST], -EINVAL,
					       "a server has no remote host");
		break;
	case ATWIFI_SOCKET_TYPE_UDP_CLIENT:
	case ATWIFI_SOCKET_TYPE_TCP_CLIENT:
	case ATWIFI_SOCKET_TYPE_TLS_CLIENT:
		err = atw_genl_host(info, ATWIFI_A_AUTOTT_HOST, q->host);
		if (err)
			return err;
		break;
	default:
		return atw_genl_refuse(info, attrs[ATWIFI_A_AUTOTT_TYPE], -EINVAL,
				       "the types are none, udp-server, udp-client, tcp-client and tls-client");
	}
	if (!attrs[ATWIFI_A_AUTOTT_PORT])
		return atw_genl_refuse(info, NULL, -EINVAL, "no port is named");
	q->port = nla_get_u16(attrs[ATWIFI_A_AUTOTT_PORT]);
	return 0;
}

static int atw_genl_put_autott(struct sk_buff *skb, const void *arg)
{
	const struct atw_query_autott *q = arg;
	int err;

	err = nla_put_u32(skb, ATWIFI_A_AUTOTT_TYPE, q->type);
	if (!err && q->type)
		err = nla_put_u16(skb, ATWIFI_A_AUTOTT_PORT, q->port);
	if (!err && q->type && q->host[0])
		err = nla_put_string(skb, ATWIFI_A_AUTOTT_HOST, q->host);
	return err;
}

/* The numbers are the module's. */
static int atw_genl_fill_cert(struct genl_info *info, struct atw_query_cert *q)
{
	if (!info->attrs[ATWIFI_A_CERT_TYPE])
		return atw_genl_refuse(info, NULL, -EINVAL, "no type is named");
	q->which = nla_get_u32(info->attrs[ATWIFI_A_CERT_TYPE]);
	return 0;
}

static int atw_genl_fill_cert_get(struct genl_info *info, void *arg)
{
	struct atw_query_cert *q = arg;
	int err = atw_genl_fill_cert(info, q);

	if (err || q->which != ATW_CERT_KEY)
		return err;
	return atw_genl_refuse(info, info->attrs[ATWIFI_A_CERT_TYPE], -EACCES,
			       "a private key is not given away");
}

static int atw_genl_put_cert(struct sk_buff *skb, const void *arg)
{
	const struct atw_query_cert *q = arg;

	return nla_put_u32(skb, ATWIFI_A_CERT_TYPE, q->which) ?:
	       (q->len ? nla_put(skb, ATWIFI_A_CERT_DATA, q->len, q->pem) : 0);
}

static int atw_genl_fill_cert_set(struct genl_info *info, void *arg)
{
	const struct nlattr *data = info->attrs[ATWIFI_A_CERT_DATA];
	struct atw_query_cert *q = arg;
	const char *why;
	int err;

	err = atw_genl_fill_cert(info, q);
	if (err)
		return err;
	if (!data)
		return atw_genl_refuse(info, NULL, -EINVAL, "nothing to store is given");
	err = atw_cert_check(q->which, nla_data(data), nla_len(data), &why);
	if (err)
		return atw_genl_refuse(info, data, err, why);
	q->len = nla_len(data);
	memcpy(q->pem, nla_data(data), q->len);
	return 0;
}

static int atw_genl_put_rows(struct sk_buff *skb, const void *arg)
{
	const struct atw_query_raw *q = arg;
	unsigned int i;

	for (i = 0; i < q->used; i += 1 + q->rows[i])
		if (nla_put(skb, ATWIFI_A_AT_ROW, q->rows[i], q->rows + i + 1))
			return -EMSGSIZE;
	return q->more ? nla_put_flag(skb, ATWIFI_A_AT_MORE) : 0;
}

static size_t atw_genl_rows_room(const void *arg)
{
	const struct atw_query_raw *q = arg;
	size_t size = nla_total_size(0) + nla_total_size(IFNAMSIZ);
	unsigned int i;

	for (i = 0; i < q->used; i += 1 + q->rows[i])
		size += nla_total_size(q->rows[i]);
	return size;
}

static int atw_genl_fill_at(struct genl_info *info, void *arg)
{
	const struct nlattr *line = info->attrs[ATWIFI_A_AT_LINE];
	struct atw_query_raw *q = arg;
	const char *why;
	int err;

	if (!line)
		return atw_genl_refuse(info, NULL, -EINVAL, "no command is given");
	err = atw_raw_check(nla_data(line), strlen(nla_data(line)), &why);
	if (err)
		return atw_genl_refuse(info, line, err, why);
	strscpy(q->line, nla_data(line), sizeof(q->line));
	return 0;
}

/* Networks */

static int atw_genl_ssid(struct genl_info *info, char ssid[ATW_SSID_MAX + 1])
{
	const struct nlattr *name = info->attrs[ATWIFI_A_WIFI_SSID];

	if (!nla_len(name) || nla_len(name) > ATW_SSID_MAX ||
	    memchr(nla_data(name), 0, nla_len(name)))
		return atw_genl_refuse(info, name, -EINVAL,
				       "the name of a network has 1 to 32 bytes, and a module cannot be told of a NUL");
	memcpy(ssid, nla_data(name), nla_len(name));
	return 0;
}

/**
 * struct atw_genl_join - a join, as the channel's thread is given it
 * @query: which
 * @late: who waits for its end, NULL: nobody any more; atw_genl_late_lock
 */
struct atw_genl_join {
	struct atw_query_join	query;
	struct atw_genl_late	*late;
};

/* Is the asker's socket held open by requests that wait alone? One of the kernel's has no file. */
static bool atw_genl_is_closed(const struct atw_genl_late *late)
{
	const struct atw_genl_late *other;
	long n = 0;

	lockdep_assert_held(&atw_genl_late_lock);

	if (!late->asker)
		return false;
	/* Each is in the list for no longer than it holds the socket. */
	list_for_each_entry(other, &atw_genl_lates, node)
		n += other->asker == late->asker;
	return file_count(late->asker) == n;
}

static bool atw_genl_join_given_up(struct atw_query_join *q)
{
	struct atw_genl_join *join = container_of(q, struct atw_genl_join, query);
	bool given_up;

	spin_lock(&atw_genl_late_lock);
	given_up = join->late && atw_genl_is_closed(join->late);
	spin_unlock(&atw_genl_late_lock);
	return given_up;
}

static int atw_genl_fill_join(struct genl_info *info, void *arg)
{
	const struct nlattr *password = info->attrs[ATWIFI_A_WIFI_PASSWORD];
	struct atw_genl_join *join = arg;
	struct atw_query_join *q = &join->query;

	if (!info->attrs[ATWIFI_A_WIFI_SSID])
		return atw_genl_refuse(info, NULL, -EINVAL, "no network is named");
	join->late = container_of(info, struct atw_genl_late, info);
	q->given_up = atw_genl_join_given_up;
	if (password)
		nla_strscpy(q->join.password, password, sizeof(q->join.password));
	return atw_genl_ssid(info, q->join.ssid);
}

/* The thread may be at it yet. */
static void atw_genl_join_over(void *arg)
{
	struct atw_genl_join *join = arg;

	spin_lock(&atw_genl_late_lock);
	join->late = NULL;
	spin_unlock(&atw_genl_late_lock);
}

/* Of one network, at most. */
#define ATW_GENL_NETWORK_SIZE						\
	(nla_total_size(0) + nla_total_size(ATW_SSID_MAX) + nla_total_size(ETH_ALEN) +	\
	 2 * nla_total_size(sizeof(u32)) +				\
	 nla_total_size(sizeof_field(struct atw_network, security)))

static int atw_genl_put_network(struct sk_buff *skb, const struct atw_network *net)
{
	struct nlattr *nest = nla_nest_start(skb, ATWIFI_A_WIFI_NETWORK);

	if (!nest)
		return -EMSGSIZE;
	if ((net->ssid[0] &&
	     nla_put(skb, ATWIFI_A_NETWORK_SSID, strlen(net->ssid), net->ssid)) ||
	    nla_put(skb, ATWIFI_A_NETWORK_BSSID, sizeof(net->bssid), net->bssid) ||
	    (net->channel && nla_put_u32(skb, ATWIFI_A_NETWORK_CHANNEL, net->channel)) ||
	    (net->rssi && nla_put_s32(skb, ATWIFI_A_NETWORK_SIGNAL, net->rssi)) ||
	    (net->security[0] &&
	     nla_put_string(skb, ATWIFI_A_NETWORK_SECURITY, net->security)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int atw_genl_put_scan(struct sk_buff *skb, const void *arg)
{
	const struct atw_query_scan *q = arg;
	const struct atw_scan *scan = &q->names.scan;
	unsigned int i;

	for (i = 0; i < scan->n; i++)
		if (atw_genl_put_network(skb, &scan->networks[i]))
			return -EMSGSIZE;
	return nla_put_u32(skb, ATWIFI_A_WIFI_DAMAGED, scan->damaged);
}

static int atw_genl_fill_scan(struct genl_info *info, void *arg)
{
	struct atw_query_scan *q = arg;

	return info->attrs[ATWIFI_A_WIFI_SSID] ? atw_genl_ssid(info, q->ssid) : 0;
}

static size_t atw_genl_scan_room(const void *arg)
{
	const struct atw_query_scan *q = arg;

	return nla_total_size(IFNAMSIZ) + nla_total_size(sizeof(u32)) +
	       q->names.scan.n * ATW_GENL_NETWORK_SIZE;
}

static int atw_genl_put_status(struct sk_buff *skb, const void *arg)
{
	const struct atw_query_status *q = arg;
	u32 state = q->joined ? ATWIFI_DEV_STATE_JOINED : ATWIFI_DEV_STATE_DOWN;
	int i, err;

	err = nla_put_u32(skb, ATWIFI_A_WIFI_STATE, state);
	if (!err && memchr_inv(q->net.bssid, 0, sizeof(q->net.bssid)))
		err = atw_genl_put_network(skb, &q->net);
	err = err ?: atw_genl_put_addr(skb, ATWIFI_A_WIFI_ADDRESS, q->addr) ?:
	      atw_genl_put_addr(skb, ATWIFI_A_WIFI_GATEWAY, q->gateway);
	for (i = 0; i < ATW_DNS_MAX && !err; i++)
		err = atw_genl_put_addr(skb, ATWIFI_A_WIFI_SERVER, q->server[i]);
	return err;
}

/* The module as an access point; where no channel is named, one that all have. */
#define ATW_GENL_CHANNEL	6

static int atw_genl_fill_ap(struct genl_info *info, void *arg)
{
	const struct nlattr *password = info->attrs[ATWIFI_A_WIFI_PASSWORD];
	const struct nlattr *channel = info->attrs[ATWIFI_A_WIFI_CHANNEL];
	struct atw_query_ap *q = arg;

	q->channel = channel ? nla_get_u32(channel) : ATW_GENL_CHANNEL;
	q->hidden = info->attrs[ATWIFI_A_WIFI_HIDDEN];
	if (password)
		nla_strscpy(q->ap.password, password, sizeof(q->ap.password));
	return info->attrs[ATWIFI_A_WIFI_SSID] ? atw_genl_ssid(info, q->ap.ssid) : 0;
}

static int atw_genl_put_ap(struct sk_buff *skb, const void *arg)
{
	const struct atw_query_ap_status *q = arg;
	unsigned int i;

	if (is_zero_ether_addr(q->ap.bssid))
		return 0;
	if (atw_genl_put_network(skb, &q->ap) ||
	    (q->hidden && nla_put_flag(skb, ATWIFI_A_WIFI_HIDDEN)))
		return -EMSGSIZE;
	for (i = 0; i < q->n; i++)
		if (nla_put(skb, ATWIFI_A_WIFI_STATION, ETH_ALEN, q->station[i]))
			return -EMSGSIZE;
	return 0;
}

/* Passphrases */

/* Is this socket held open by requests that wait alone? */
static bool atw_genl_has_left(const struct net *net, u32 portid)
{
	struct atw_genl_late *late;
	bool left = false;

	spin_lock(&atw_genl_late_lock);
	list_for_each_entry(late, &atw_genl_lates, node)
		left |= late->info.snd_portid == portid &&
			net_eq(genl_info_net(&late->info), net) && atw_genl_is_closed(late);
	spin_unlock(&atw_genl_late_lock);
	return left;
}

static int atw_genl_passphrase_listen_doit(struct sk_buff *req, struct genl_info *info)
{
	struct net *net = genl_info_net(info);
	u32 other;
	int err;

	err = atw_passphrase_listen(net, info->snd_portid, &other);
	if (err == -EBUSY && atw_genl_has_left(net, other)) {
		atw_passphrase_leave(net, other);
		err = atw_passphrase_listen(net, info->snd_portid, &other);
	}
	if (err == -EBUSY)
		atw_genl_say(info, "somebody else listens in this network namespace");
	else if (err == -EOPNOTSUPP)
		atw_genl_say(info, "this driver was built without cfg80211");
	return err;
}

static const char *atw_genl_passphrase_reason(int err)
{
	switch (err) {
	case -EKEYREJECTED:
		return "none of these is the passphrase";
	case -ESTALE:
		return "nobody waits for this answer any more";
	case -EACCES:
		return "somebody else was asked";
	default:
		return NULL;
	}
}

static int atw_genl_passphrase(struct genl_info *info, struct atw_dev *adev)
{
	const struct nlattr *cookie = info->attrs[ATWIFI_A_PASSPHRASE_COOKIE];
	const struct nlattr *nla;
	int rem, err, n = 0;

	if (!cookie)
		return atw_genl_refuse(info, NULL, -EINVAL, "no question is named");
	err = atw_passphrase_check(adev, info->snd_portid, nla_get_u32(cookie));
	if (err)
		goto out;
	nla_for_each_attr(nla, genlmsg_data(info->genlhdr), genlmsg_len(info->genlhdr), rem) {
		if (nla_type(nla) != ATWIFI_A_PASSPHRASE_PASSPHRASE)
			continue;
		err = -E2BIG;
		if (n++ == ATW_PASSPHRASES_MAX)
			goto out;
		err = atw_passphrase_try(adev, nla_get_u32(cookie), nla_data(nla), nla_len(nla));
		if (err != -EKEYREJECTED)
			goto out;
	}
	if (!n)
		err = atw_passphrase_unknown(adev, nla_get_u32(cookie));
out:
	if (err)
		atw_genl_say(info, atw_genl_passphrase_reason(err));
	return err;
}

/* Exposed ports */

static int atw_genl_port(struct genl_info *info, const struct nlattr *nla)
{
	return nla_get_u16(nla) ?: atw_genl_refuse(info, nla, -EINVAL, "ports are 1 to 65535");
}

/* The port that a request names, or an error. */
static int atw_genl_expose_port(struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;

	if (!attrs[ATWIFI_A_EXPOSE_PROTOCOL] || !attrs[ATWIFI_A_EXPOSE_PORT])
		return atw_genl_refuse(info, NULL, -EINVAL, "no protocol and port are named");
	if (nla_get_u8(attrs[ATWIFI_A_EXPOSE_PROTOCOL]) != IPPROTO_TCP)
		return atw_genl_refuse(info, attrs[ATWIFI_A_EXPOSE_PROTOCOL], -EPROTONOSUPPORT,
				       "only tcp can be exposed");
	return atw_genl_port(info, attrs[ATWIFI_A_EXPOSE_PORT]);
}

static const char *atw_genl_expose_reason(int err)
{
	switch (err) {
	case -EEXIST:
		return "that port is exposed already";
	case -EADDRINUSE:
		return "that port of the module is in use";
	case -EOPNOTSUPP:
		return IS_ENABLED(CONFIG_ATWIFI_NETDEV) ?
		       "the module's firmware has no servers in station mode" :
		       "this driver was built without a network device";
	case -ENOSPC:
		return "no more ports can be exposed";
	case -ENOBUFS:
		return "all sockets of the module are in use";
	case -ENOENT:
		return "that port is not exposed";
	case -EBUSY:
		return "the module was busy all the time; the port is not exposed";
	case -ECANCELED:
		return "the port was taken back meanwhile";
	default:
		return atw_genl_reason(err);
	}
}

static int atw_genl_expose_add(struct genl_info *info, struct atw_dev *adev)
{
	const struct nlattr *addr = info->attrs[ATWIFI_A_EXPOSE_LOCAL_ADDRESS];
	const struct nlattr *local = info->attrs[ATWIFI_A_EXPOSE_LOCAL_PORT];
	int port = atw_genl_expose_port(info);
	int local_port = port;
	__be32 to = 0;
	int err;

	if (port >= 0 && local)
		local_port = atw_genl_port(info, local);
	if (local_port < 0)
		return local_port;
	if (addr)
		to = nla_get_in_addr(addr);
	if (ipv4_is_loopback(to))
		return atw_genl_refuse(info, addr, -EINVAL,
				       "nobody on a network reaches 127.0.0.0/8: let the program listen at another address");
	if (addr && !atw_addr_is_host(be32_to_cpu(to)))
		return atw_genl_refuse(info, addr, -EINVAL, "not the address of a program");
	err = atw_expose_add(adev, port, to, local_port, atw_timing.genl);
	if (err)
		atw_genl_say(info, atw_genl_expose_reason(err));
	return err;
}

static int atw_genl_expose_del(struct genl_info *info, struct atw_dev *adev)
{
	int port = atw_genl_expose_port(info);
	int err;

	if (port < 0)
		return port;
	err = atw_expose_del(adev, port);
	if (err)
		atw_genl_say(info, atw_genl_expose_reason(err));
	return err;
}

static int atw_genl_put_expose(struct sk_buff *skb, struct atw_dev *adev,
			       const struct atw_expose_info *info)
{
	if (nla_put_string(skb, ATWIFI_A_EXPOSE_DEV, dev_name(&adev->dev)) ||
	    nla_put_u8(skb, ATWIFI_A_EXPOSE_PROTOCOL, IPPROTO_TCP) ||
	    nla_put_u16(skb, ATWIFI_A_EXPOSE_PORT, info->port) ||
	    (info->addr && nla_put_in_addr(skb, ATWIFI_A_EXPOSE_LOCAL_ADDRESS,
					   info->addr)) ||
	    nla_put_u16(skb, ATWIFI_A_EXPOSE_LOCAL_PORT, info->local_port) ||
	    (info->open && nla_put_flag(skb, ATWIFI_A_EXPOSE_LISTENING)) ||
	    nla_put_u64_64bit(skb, ATWIFI_A_EXPOSE_ACCEPTED, info->accepted,
			      ATWIFI_A_EXPOSE_PAD) ||
	    nla_put_u64_64bit(skb, ATWIFI_A_EXPOSE_REFUSED, info->refused,
			      ATWIFI_A_EXPOSE_PAD) ||
	    (info->err && nla_put_u32(skb, ATWIFI_A_EXPOSE_ERROR, -info->err)))
		return -EMSGSIZE;
	return 0;
}

static u32 atw_genl_expose_seq(struct atw_dev *adev)
{
	return atomic_read(&adev->exposes.seq);
}

/* args[0]: devices that are done; args[1]: ports of the next one that are */
static int atw_genl_expose_get_dumpit(struct sk_buff *skb,
				      struct netlink_callback *cb)
{
	struct net *net = sock_net(skb->sk);
	struct atw_expose_info info;
	struct atw_dev *adev;
	bool full = false;
	void *hdr;

	cb->seq = atw_dev_seq(net, atw_genl_expose_seq);
	while (!full && (adev = atw_dev_next(net, (int)cb->args[0] - 1))) {
		while (atw_expose_get(adev, cb->args[1], &info)) {
			hdr = atw_genl_entry(skb, cb, ATWIFI_CMD_EXPOSE_GET);
			full = !hdr || atw_genl_put_expose(skb, adev, &info);
			if (full) {
				genlmsg_cancel(skb, hdr);
				break;
			}
			genlmsg_end(skb, hdr);
			cb->args[1]++;
		}
		if (!full) {
			cb->args[0] = adev->index + 1;
			cb->args[1] = 0;
		}
		atw_dev_put(adev);
	}
	return skb->len;
}

/* The family */

/* Made by tools/net/atwifi/regen from the specification: begin */

static const struct nla_policy atwifi_dev_get_nl_policy[ATWIFI_A_DEV_NAME + 1] = {
	[ATWIFI_A_DEV_NAME] = { .type = NLA_NUL_STRING, .len = 15, },
};

static const struct nla_policy atwifi_dev_set_nl_policy[ATWIFI_A_DEV_PREFER + 1] = {
	[ATWIFI_A_DEV_NAME] = { .type = NLA_NUL_STRING, .len = 15, },
	[ATWIFI_A_DEV_RECV_MODE] = NLA_POLICY_MAX(NLA_U32, 1),
	[ATWIFI_A_DEV_YIELD_AFTER] = NLA_POLICY_MAX(NLA_U32, 3600),
	[ATWIFI_A_DEV_PREFER] = NLA_POLICY_MAX(NLA_U32, 2),
};

static const struct nla_policy atwifi_dns_get_nl_policy[ATWIFI_A_DNS_DEV + 1] = {
	[ATWIFI_A_DNS_DEV] = { .type = NLA_NUL_STRING, .len = 15, },
};

static const struct nla_policy atwifi_dns_set_nl_policy[ATWIFI_A_DNS_SERVER + 1] = {
	[ATWIFI_A_DNS_DEV] = { .type = NLA_NUL_STRING, .len = 15, },
	[ATWIFI_A_DNS_SERVER] = NLA_POLICY_EXACT_LEN(4),
};

static const struct nla_policy atwifi_resolve_nl_policy[ATWIFI_A_RESOLVE_HOST + 1] = {
	[ATWIFI_A_RESOLVE_DEV] = { .type = NLA_NUL_STRING, .len = 15, },
	[ATWIFI_A_RESOLVE_HOST] = { .type = NLA_NUL_STRING, .len = 255, },
};

static const struct nla_policy atwifi_autott_get_nl_policy[ATWIFI_A_AUTOTT_DEV + 1] = {
	[ATWIFI_A_AUTOTT_DEV] = { .type = NLA_NUL_STRING, .len = 15, },
};

static const struct nla_policy atwifi_autott_set_nl_policy[ATWIFI_A_AUTOTT_PORT + 1] = {
	[ATWIFI_A_AUTOTT_DEV] = { .type = NLA_NUL_STRING, .len = 15, },
	[ATWIFI_A_AUTOTT_TYPE] = NLA_POLICY_MAX(NLA_U32, 8),
	[ATWIFI_A_AUTOTT_HOST] = { .type = NLA_NUL_STRING, .len = 255, },
	[ATWIFI_A_AUTOTT_PORT] = NLA_POLICY_MIN(NLA_U16, 1),
};

static const struct nla_policy atwifi_cert_get_nl_policy[ATWIFI_A_CERT_TYPE + 1] = {
	[ATWIFI_A_CERT_DEV] = { .type = NLA_NUL_STRING, .len = 15, },
	[ATWIFI_A_CERT_TYPE] = NLA_POLICY_RANGE(NLA_U32, 1, 3),
};

static const struct nla_policy atwifi_cert_set_nl_policy[ATWIFI_A_CERT_DATA + 1] = {
	[ATWIFI_A_CERT_DEV] = { .type = NLA_NUL_STRING, .len = 15, },
	[ATWIFI_A_CERT_TYPE] = NLA_POLICY_RANGE(NLA_U32, 1, 3),
	[ATWIFI_A_CERT_DATA] = NLA_POLICY_MAX_LEN(3584),
};

static const struct nla_policy atwifi_at_nl_policy[ATWIFI_A_AT_LINE + 1] = {
	[ATWIFI_A_AT_DEV] = { .type = NLA_NUL_STRING, .len = 15, },
	[ATWIFI_A_AT_LINE] = { .type = NLA_NUL_STRING, .len = 511, },
};

static const struct nla_policy atwifi_expose_add_nl_policy[ATWIFI_A_EXPOSE_LOCAL_PORT + 1] = {
	[ATWIFI_A_EXPOSE_DEV] = { .type = NLA_NUL_STRING, .len = 15, },
	[ATWIFI_A_EXPOSE_PROTOCOL] = { .type = NLA_U8, },
	[ATWIFI_A_EXPOSE_PORT] = { .type = NLA_U16, },
	[ATWIFI_A_EXPOSE_LOCAL_ADDRESS] = NLA_POLICY_EXACT_LEN(4),
	[ATWIFI_A_EXPOSE_LOCAL_PORT] = { .type = NLA_U16, },
};

static const struct nla_policy atwifi_expose_del_nl_policy[ATWIFI_A_EXPOSE_PORT + 1] = {
	[ATWIFI_A_EXPOSE_DEV] = { .type = NLA_NUL_STRING, .len = 15, },
	[ATWIFI_A_EXPOSE_PROTOCOL] = { .type = NLA_U8, },
	[ATWIFI_A_EXPOSE_PORT] = { .type = NLA_U16, },
};

static const struct nla_policy atwifi_join_nl_policy[ATWIFI_A_WIFI_PASSWORD + 1] = {
	[ATWIFI_A_WIFI_DEV] = { .type = NLA_NUL_STRING, .len = 15, },
	[ATWIFI_A_WIFI_SSID] = NLA_POLICY_MAX_LEN(255),
	[ATWIFI_A_WIFI_PASSWORD] = { .type = NLA_NUL_STRING, .len = 63, },
};

static const struct nla_policy atwifi_leave_nl_policy[ATWIFI_A_WIFI_DEV + 1] = {
	[ATWIFI_A_WIFI_DEV] = { .type = NLA_NUL_STRING, .len = 15, },
};

static const struct nla_policy atwifi_scan_nl_policy[ATWIFI_A_WIFI_SSID + 1] = {
	[ATWIFI_A_WIFI_DEV] = { .type = NLA_NUL_STRING, .len = 15, },
	[ATWIFI_A_WIFI_SSID] = NLA_POLICY_MAX_LEN(255),
};

static const struct nla_policy atwifi_wifi_get_nl_policy[ATWIFI_A_WIFI_DEV + 1] = {
	[ATWIFI_A_WIFI_DEV] = { .type = NLA_NUL_STRING, .len = 15, },
};

static const struct nla_policy atwifi_passphrase_nl_policy[ATWIFI_A_PASSPHRASE_PASSPHRASE + 1] = {
	[ATWIFI_A_PASSPHRASE_DEV] = { .type = NLA_NUL_STRING, .len = 15, },
	[ATWIFI_A_PASSPHRASE_COOKIE] = { .type = NLA_U32, },
	[ATWIFI_A_PASSPHRASE_PASSPHRASE] = NLA_POLICY_MAX_LEN(255),
};

static const struct nla_policy atwifi_ap_get_nl_policy[ATWIFI_A_WIFI_DEV + 1] = {
	[ATWIFI_A_WIFI_DEV] = { .type = NLA_NUL_STRING, .len = 15, },
};

static const struct nla_policy atwifi_ap_set_nl_policy[ATWIFI_A_WIFI_HIDDEN + 1] = {
	[ATWIFI_A_WIFI_DEV] = { .type = NLA_NUL_STRING, .len = 15, },
	[ATWIFI_A_WIFI_SSID] = NLA_POLICY_MAX_LEN(255),
	[ATWIFI_A_WIFI_PASSWORD] = { .type = NLA_NUL_STRING, .len = 63, },
	[ATWIFI_A_WIFI_CHANNEL] = NLA_POLICY_RANGE(NLA_U32, 1, 14),
	[ATWIFI_A_WIFI_HIDDEN] = { .type = NLA_FLAG, },
};

/* Made by tools/net/atwifi/regen from the specification: end */

/* Requests that wait for the module */

/* Bytes of one, which anybody may make; a certificate has half of them, and no other as many. */
#define ATW_GENL_LATE_LEN	4096
/* Of one device. Each has a caller that waits: more are an accident. */
#define ATW_GENL_LATE_MAX	64
/* Of these, of users who do not administer it. */
#define ATW_GENL_LATE_USERS	32

#define ATW_GENL_SLOW(_dev, _policy)					\
	.dev = (_dev), .attrs = ARRAY_SIZE(_policy)
#define ATW_GENL_CHANGE(_dev, _policy)					\
	ATW_GENL_SLOW(_dev, _policy), .changes = true
#define ATW_GENL_QUERY(_fn, _size, _timeout)				\
	.fn = (_fn), .size = (_size), .timeout = &atw_timing._timeout

static const struct atw_genl_slow atw_genl_slow[] = {
	[ATWIFI_CMD_DEV_SET] = {
		ATW_GENL_CHANGE(ATWIFI_A_DEV_NAME, atwifi_dev_set_nl_policy),
		.doit = atw_genl_dev_set,
	},
	[ATWIFI_CMD_DNS_GET] = {
		ATW_GENL_SLOW(ATWIFI_A_DNS_DEV, atwifi_dns_get_nl_policy),
		ATW_GENL_QUERY(atw_query_dns, sizeof(struct atw_query_dns), genl),
		.put = atw_genl_put_dns,
	},
	[ATWIFI_CMD_DNS_SET] = {
		ATW_GENL_CHANGE(ATWIFI_A_DNS_DEV, atwifi_dns_set_nl_policy),
		ATW_GENL_QUERY(atw_query_dns, sizeof(struct atw_query_dns), genl),
		.fill = atw_genl_fill_dns,
	},
	[ATWIFI_CMD_RESOLVE] = {
		ATW_GENL_SLOW(ATWIFI_A_RESOLVE_DEV, atwifi_resolve_nl_policy),
		ATW_GENL_QUERY(atw_query_resolve, sizeof(struct atw_query_resolve), genl),
		.fill = atw_genl_fill_resolve,
		.put = atw_genl_put_resolved,
	},
	[ATWIFI_CMD_AUTOTT_GET] = {
		ATW_GENL_SLOW(ATWIFI_A_AUTOTT_DEV, atwifi_autott_get_nl_policy),
		ATW_GENL_QUERY(atw_query_autott, sizeof(struct atw_query_autott), genl),
		.put = atw_genl_put_autott,
	},
	[ATWIFI_CMD_AUTOTT_SET] = {
		ATW_GENL_CHANGE(ATWIFI_A_AUTOTT_DEV, atwifi_autott_set_nl_policy),
		ATW_GENL_QUERY(atw_query_autott, sizeof(struct atw_query_autott), genl),
		.fill = atw_genl_fill_autott,
	},
	[ATWIFI_CMD_CERT_GET] = {
		ATW_GENL_SLOW(ATWIFI_A_CERT_DEV, atwifi_cert_get_nl_policy),
		ATW_GENL_QUERY(atw_query_cert_get, sizeof(struct atw_query_cert), genl),
		.fill = atw_genl_fill_cert_get,
		.put = atw_genl_put_cert,
	},
	[ATWIFI_CMD_CERT_SET] = {
		ATW_GENL_CHANGE(ATWIFI_A_CERT_DEV, atwifi_cert_set_nl_policy),
		ATW_GENL_QUERY(atw_query_cert_set, sizeof(struct atw_query_cert), genl),
		.fill = atw_genl_fill_cert_set,
	},
	[ATWIFI_CMD_AT] = {
		ATW_GENL_CHANGE(ATWIFI_A_AT_DEV, atwifi_at_nl_policy),
		ATW_GENL_QUERY(atw_query_raw, sizeof(struct atw_query_raw), genl_raw),
		.fill = atw_genl_fill_at,
		.put = atw_genl_put_rows,
		.room = atw_genl_rows_room,
	},
	[ATWIFI_CMD_EXPOSE_ADD] = {
		ATW_GENL_CHANGE(ATWIFI_A_EXPOSE_DEV, atwifi_expose_add_nl_policy),
		.doit = atw_genl_expose_add,
	},
	[ATWIFI_CMD_EXPOSE_DEL] = {
		ATW_GENL_CHANGE(ATWIFI_A_EXPOSE_DEV, atwifi_expose_del_nl_policy),
		.doit = atw_genl_expose_del,
	},
	[ATWIFI_CMD_JOIN] = {
		ATW_GENL_CHANGE(ATWIFI_A_WIFI_DEV, atwifi_join_nl_policy),
		ATW_GENL_QUERY(atw_query_join, sizeof(struct atw_genl_join), genl_raw),
		.fill = atw_genl_fill_join,
		.over = atw_genl_join_over,
	},
	[ATWIFI_CMD_LEAVE] = {
		ATW_GENL_CHANGE(ATWIFI_A_WIFI_DEV, atwifi_leave_nl_policy),
		ATW_GENL_QUERY(atw_query_leave, sizeof(struct atw_query), genl_raw),
	},
	[ATWIFI_CMD_SCAN] = {
		ATW_GENL_SLOW(ATWIFI_A_WIFI_DEV, atwifi_scan_nl_policy),
		ATW_GENL_QUERY(atw_query_scan, sizeof(struct atw_query_scan), genl_raw),
		.fill = atw_genl_fill_scan,
		.put = atw_genl_put_scan,
		.room = atw_genl_scan_room,
	},
	[ATWIFI_CMD_WIFI_GET] = {
		ATW_GENL_SLOW(ATWIFI_A_WIFI_DEV, atwifi_wifi_get_nl_policy),
		ATW_GENL_QUERY(atw_query_status, sizeof(struct atw_query_status), genl),
		.put = atw_genl_put_status,
	},
	[ATWIFI_CMD_PASSPHRASE] = {
		ATW_GENL_SLOW(ATWIFI_A_PASSPHRASE_DEV, atwifi_passphrase_nl_policy),
		.doit = atw_genl_passphrase,
	},
	[ATWIFI_CMD_AP_GET] = {
		ATW_GENL_SLOW(ATWIFI_A_WIFI_DEV, atwifi_ap_get_nl_policy),
		ATW_GENL_QUERY(atw_query_ap_status, sizeof(struct atw_query_ap_status), genl),
		.put = atw_genl_put_ap,
	},
	[ATWIFI_CMD_AP_SET] = {
		ATW_GENL_CHANGE(ATWIFI_A_WIFI_DEV, atwifi_ap_set_nl_policy),
		ATW_GENL_QUERY(atw_query_ap, sizeof(struct atw_query_ap), genl_raw),
		.fill = atw_genl_fill_ap,
	},
};

struct workqueue_struct *atw_genl_wq;

/* The first change that a socket has asked for and that was not made yet. */
static struct atw_genl_late *atw_genl_next_change(const struct sock *asker)
{
	struct atw_genl_late *late;

	lockdep_assert_held(&atw_genl_late_lock);

	list_for_each_entry(late, &atw_genl_lates, node)
		if (NETLINK_CB(late->req).sk == asker && late->slow->changes)
			return late;
	return NULL;
}

/* Have it done: a change after those that its socket has asked for before. */
static void atw_genl_late_begin(struct atw_genl_late *late)
{
	struct atw_genl_late *before = NULL;

	spin_lock(&atw_genl_late_lock);
	if (late->slow->changes)
		before = atw_genl_next_change(NETLINK_CB(late->req).sk);
	list_add_tail(&late->node, &atw_genl_lates);
	spin_unlock(&atw_genl_late_lock);
	if (!before)
		queue_work(atw_genl_wq, &late->work);
}

static void atw_genl_late_end(struct atw_genl_late *late)
{
	struct atw_genl_late *next = NULL;

	spin_lock(&atw_genl_late_lock);
	list_del(&late->node);
	if (late->slow->changes)
		next = atw_genl_next_change(NETLINK_CB(late->req).sk);
	if (next)
		queue_work(atw_genl_wq, &next->work);
	spin_unlock(&atw_genl_late_lock);
}

static void atw_genl_late_count(struct atw_dev *adev, int share, int n)
{
	atomic_add(n, &adev->late);
	if (share == ATW_GENL_ADMIN)
		return;
	atomic_add(n, &adev->late_users);
	atomic_add(n, &adev->module.conns.shares.of[share].names);
}

/*
 * With the one that is counted last. No user has more than are still free, so that there
 * is always room for whoever comes next.
 */
static bool atw_genl_late_too_many(const struct atw_dev *adev, int share)
{
	const struct atw_share *of = adev->module.conns.shares.of;

	if (atomic_read(&adev->late) > ATW_GENL_LATE_MAX)
		return true;
	return share != ATW_GENL_ADMIN &&
	       atomic_read(&adev->late_users) - 1 + atomic_read(&of[share].names) - 1 >=
	       ATW_GENL_LATE_USERS;
}

/* What was asked may be a key or a password. */
static void atw_genl_wipe(struct genlmsghdr *hdr)
{
	memzero_explicit(genlmsg_data(hdr), genlmsg_len(hdr));
}

static void atw_genl_late_work(struct work_struct *work)
{
	struct atw_genl_late *late = container_of(work, struct atw_genl_late,
						  work);
	struct nlmsghdr *nlh = nlmsg_hdr(late->req);
	struct sock *sk = NETLINK_CB(late->req).sk;
	struct net *net = genl_info_net(&late->info);
	const struct atw_genl_slow *slow = late->slow;
	struct file *asker = late->asker;
	int err;

	err = slow->doit ? slow->doit(&late->info, late->adev) :
			   atw_genl_query(&late->info, late->adev, slow);
	/* A refusal would be sent with it. */
	atw_genl_wipe(late->info.genlhdr);
	if (err || (nlh->nlmsg_flags & NLM_F_ACK))
		netlink_ack(late->req, nlh, err, &late->extack);
	atw_genl_late_end(late);
	late->req->sk = NULL;
	kfree_skb(late->req);
	atw_genl_late_count(late->adev, late->share, -1);
	atw_dev_put(late->adev);
	kfree(late);
	sock_put(sk);
	if (asker)
		fput(asker);
	put_net(net);
}

/* The request's memory, within the limits of @adev. Takes the reference on it. */
static struct atw_genl_late *atw_genl_late_alloc(struct atw_dev *adev, int share,
						 size_t attrs, size_t len)
{
	struct atw_genl_late *late;
	int err = -ENOBUFS;

	atw_genl_late_count(adev, share, 1);
	if (atw_genl_late_too_many(adev, share))
		goto err_dec;
	err = -ENOMEM;
	late = kzalloc(struct_size(late, attrs, attrs), GFP_KERNEL_ACCOUNT);
	if (!late)
		goto err_dec;
	late->req = alloc_skb(len, GFP_KERNEL_ACCOUNT);
	if (!late->req)
		goto err_free;
	late->adev = adev;
	late->share = share;
	return late;

err_free:
	kfree(late);
err_dec:
	atw_genl_late_count(adev, share, -1);
	atw_dev_put(adev);
	return ERR_PTR(err);
}

/*
 * Whose share a request counts for. Its sender's send() runs. Who administers the device
 * says which: without that it is a program that looks up a name as any other does, which
 * may well be a service that runs as root and does so for others.
 */
static int atw_genl_share(struct sk_buff *req, struct genl_info *info,
			  const struct atw_genl_slow *slow)
{
	if (info->attrs[slow->dev] &&
	    netlink_ns_capable(req, genl_info_net(info)->user_ns, CAP_NET_ADMIN))
		return ATW_GENL_ADMIN;
	return atw_share_index(NETLINK_CREDS(req)->uid, 0, 0, false);
}

static struct atw_genl_late *atw_genl_late_new(struct sk_buff *req,
					       struct genl_info *info)
{
	const struct atw_genl_slow *slow = &atw_genl_slow[info->genlhdr->cmd];
	const struct nlmsghdr *nlh = info->nlhdr;
	struct atw_genl_late *late;
	struct nlmsghdr *copy;
	struct atw_dev *adev;
	int share;
	size_t i;

	/* Attributes may come again and again, so that bounds of their lengths are none of it. */
	if (nlh->nlmsg_len > ATW_GENL_LATE_LEN)
		return ERR_PTR(atw_genl_refuse(info, NULL, -EMSGSIZE,
					       "a request has at most 4096 bytes"));
	/* What is asked of nobody waits for nobody. */
	if (info->genlhdr->cmd == ATWIFI_CMD_RESOLVE)
		adev = atw_genl_any_dev(info, slow->dev);
	else
		adev = atw_genl_dev(info, slow->dev);
	if (IS_ERR(adev))
		return ERR_CAST(adev);
	share = atw_genl_share(req, info, slow);
	/* Transparent mode is left for what waits, which is more than a refusal is to cost. */
	if (share != ATW_GENL_ADMIN && atw_conns_must_wait(&adev->module.conns, share)) {
		atw_dev_put(adev);
		return ERR_PTR(atw_genl_refuse(info, NULL, -EBUSY,
					       "this user has kept others waiting, who are next"));
	}
	late = atw_genl_late_alloc(adev, share, slow->attrs, nlh->nlmsg_len);
	if (IS_ERR(late)) {
		atw_genl_say(info, atw_genl_reason(PTR_ERR(late)));
		return late;
	}

	copy = skb_put_data(late->req, nlh, nlh->nlmsg_len);
	NETLINK_CB(late->req) = NETLINK_CB(req);
	INIT_WORK(&late->work, atw_genl_late_work);
	late->slow = slow;
	late->info = *info;
	late->info.nlhdr = copy;
	late->info.genlhdr = nlmsg_data(copy);
	late->info.attrs = late->attrs;
	late->info.extack = &late->extack;
	for (i = 0; i < slow->attrs; i++)
		if (info->attrs[i])
			late->attrs[i] = (void *)copy +
					 ((void *)info->attrs[i] - (void *)nlh);
	return late;
}

/* Have a request done later. */
static int atw_genl_defer(struct sk_buff *req, struct genl_info *info)
{
	struct atw_genl_late *late = atw_genl_late_new(req, info);

	/* It is copied, or refused. */
	atw_genl_wipe(info->genlhdr);
	if (IS_ERR(late))
		return PTR_ERR(late);
	/* The kernel's end of the socket is its namespace's. */
	get_net(genl_info_net(info));
	late->req->sk = req->sk;
	sock_hold(NETLINK_CB(req).sk);
	/*
	 * Answers are sent to a port id, and by then its socket may be closed and
	 * the number somebody else's: it stays open. Its send() runs, so it is.
	 */
	late->asker = NETLINK_CB(req).sk->sk_socket->file;
	if (late->asker)
		get_file(late->asker);
	atw_genl_late_begin(late);
	/* To netlink this means that it need not acknowledge it. */
	return -EINTR;
}

#define ATW_GENL_POLICY(_policy)					\
	.policy = (_policy), .maxattr = ARRAY_SIZE(_policy) - 1
#define ATW_GENL_DEFERRED(_cmd, _flags, _policy)			\
	{								\
		.cmd = (_cmd), .doit = atw_genl_defer, .flags = (_flags), \
		ATW_GENL_POLICY(_policy),				\
	}

static const struct genl_ops atw_genl_ops[] = {
	{
		.cmd	= ATWIFI_CMD_DEV_GET,
		.doit	= atw_genl_dev_get_doit,
		.dumpit	= atw_genl_dev_get_dumpit,
		ATW_GENL_POLICY(atwifi_dev_get_nl_policy),
	},
	ATW_GENL_DEFERRED(ATWIFI_CMD_DEV_SET, GENL_UNS_ADMIN_PERM, atwifi_dev_set_nl_policy),
	{
		.cmd	= ATWIFI_CMD_SOCKET_GET,
		.dumpit	= atw_genl_socket_get_dumpit,
	},
	ATW_GENL_DEFERRED(ATWIFI_CMD_DNS_GET, GENL_UNS_ADMIN_PERM, atwifi_dns_get_nl_policy),
	ATW_GENL_DEFERRED(ATWIFI_CMD_DNS_SET, GENL_UNS_ADMIN_PERM, atwifi_dns_set_nl_policy),
	ATW_GENL_DEFERRED(ATWIFI_CMD_RESOLVE, 0, atwifi_resolve_nl_policy),
	ATW_GENL_DEFERRED(ATWIFI_CMD_AUTOTT_GET, GENL_UNS_ADMIN_PERM, atwifi_autott_get_nl_policy),
	ATW_GENL_DEFERRED(ATWIFI_CMD_AUTOTT_SET, GENL_UNS_ADMIN_PERM, atwifi_autott_set_nl_policy),
	ATW_GENL_DEFERRED(ATWIFI_CMD_CERT_GET, GENL_UNS_ADMIN_PERM, atwifi_cert_get_nl_policy),
	ATW_GENL_DEFERRED(ATWIFI_CMD_CERT_SET, GENL_UNS_ADMIN_PERM, atwifi_cert_set_nl_policy),
	ATW_GENL_DEFERRED(ATWIFI_CMD_AT, GENL_ADMIN_PERM, atwifi_at_nl_policy),
	{
		.cmd	= ATWIFI_CMD_EXPOSE_GET,
		.dumpit	= atw_genl_expose_get_dumpit,
	},
	ATW_GENL_DEFERRED(ATWIFI_CMD_EXPOSE_ADD, GENL_UNS_ADMIN_PERM, atwifi_expose_add_nl_policy),
	ATW_GENL_DEFERRED(ATWIFI_CMD_EXPOSE_DEL, GENL_UNS_ADMIN_PERM, atwifi_expose_del_nl_policy),
	ATW_GENL_DEFERRED(ATWIFI_CMD_JOIN, GENL_UNS_ADMIN_PERM, atwifi_join_nl_policy),
	ATW_GENL_DEFERRED(ATWIFI_CMD_LEAVE, GENL_UNS_ADMIN_PERM, atwifi_leave_nl_policy),
	ATW_GENL_DEFERRED(ATWIFI_CMD_SCAN, GENL_UNS_ADMIN_PERM, atwifi_scan_nl_policy),
	ATW_GENL_DEFERRED(ATWIFI_CMD_WIFI_GET, GENL_UNS_ADMIN_PERM, atwifi_wifi_get_nl_policy),
	{
		.cmd	= ATWIFI_CMD_PASSPHRASE_LISTEN,
		.doit	= atw_genl_passphrase_listen_doit,
		.flags	= GENL_UNS_ADMIN_PERM,
	},
	ATW_GENL_DEFERRED(ATWIFI_CMD_PASSPHRASE, GENL_UNS_ADMIN_PERM, atwifi_passphrase_nl_policy),
	ATW_GENL_DEFERRED(ATWIFI_CMD_AP_GET, GENL_UNS_ADMIN_PERM, atwifi_ap_get_nl_policy),
	ATW_GENL_DEFERRED(ATWIFI_CMD_AP_SET, GENL_UNS_ADMIN_PERM, atwifi_ap_set_nl_policy),
};

struct genl_family atw_genl_family __ro_after_init = {
	.name		= ATWIFI_FAMILY_NAME,
	.version	= ATWIFI_FAMILY_VERSION,
	.module		= THIS_MODULE,
	.netnsok	= true,
	.parallel_ops	= true,
	.ops		= atw_genl_ops,
	.n_ops		= ARRAY_SIZE(atw_genl_ops),
	.mcgrps		= atw_genl_groups,
	.n_mcgrps	= ARRAY_SIZE(atw_genl_groups),
};

int atw_genl_init(void)
{
	int err;

	atw_genl_wq = alloc_workqueue("atwifi_genl", WQ_UNBOUND, 0);
	if (!atw_genl_wq)
		return -ENOMEM;
	err = genl_register_family(&atw_genl_family);
	if (err)
		destroy_workqueue(atw_genl_wq);
	return err;
}

void atw_genl_exit(void)
{
	genl_unregister_family(&atw_genl_family);
	/* There are no devices left to wait for. */
	destroy_workqueue(atw_genl_wq);
}
