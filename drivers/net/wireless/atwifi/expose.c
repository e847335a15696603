// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exposed ports: the module listens, and whom it accepts is connected to a
 * program of this machine that knows nothing of modules.
 *
 * The server in the module is one like those of sockets: it outlives resets of
 * the module and losses of the link. One that was never open yet is tried again
 * and again. What it has accepted enters this machine through the network
 * device, from the address of the remote, see flow_tcp.c: by the same firewall,
 * routes and taps as if the device were a NIC.
 *
 * An exposed port is driven by its work alone, which the connection layer
 * queues; to end one is to end the work for good.
 */
#include <linux/completion.h>
#include <linux/inetdevice.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "dev.h"
#include "expose.h"
#include "netdev.h"
#include "timing.h"

#define ATW_EXPOSE_BACKLOG	16

/**
 * enum atw_expose_bit - what an exposed port's work is to see
 * @ATW_EXPOSE_BIT_FAILED: the server is dead; changed before the work is queued
 * @ATW_EXPOSE_BIT_STOPPED: it does nothing any more
 */
enum atw_expose_bit {
	ATW_EXPOSE_BIT_FAILED,
	ATW_EXPOSE_BIT_STOPPED,
};

/**
 * struct atw_expose - an exposed port
 * @node: in the list, which holds a reference; atw_exposes.lock
 * @ref: freed when it is 0
 * @adev: the device; outlives the time in which it is in the list
 * @port: of the module; constant, like the next two
 * @addr: where the program listens, or 0
 * @local_port: and at which port
 * @work: opens the server, and accepts
 * @server: the work's alone, until that has ended for good
 * @tried: the first try to open it has ended
 * @first_err: how
 * @flags: enum atw_expose_bit, by atomic operations
 * @err: -errno, why the server is dead, or why the last connection could not be passed
 *	on; read without a lock, and only to be shown: an old one will do
 * @accepted: connections that were passed on
 * @refused: those that could not be
 */
struct atw_expose {
	struct list_head	node;
	refcount_t		ref;
	struct atw_dev		*adev;
	u16			port;
	__be32			addr;
	u16			local_port;
	struct delayed_work	work;
	struct atw_conn		*server;
	struct completion	tried;
	int			first_err;
	int			err;
	unsigned long		flags;
	atomic64_t		accepted;
	atomic64_t		refused;
};

static void atw_expose_put(struct atw_expose *e)
{
	if (refcount_dec_and_test(&e->ref))
		kfree(e);
}

static void atw_expose_wake(struct atw_expose *e)
{
	mod_delayed_work(atw_netdev_wq, &e->work, 0);
}

/* What the server tells; its lock is held. */

static void atw_expose_tell(struct atw_expose *e, int err)
{
	WRITE_ONCE(e->err, err);
	if (completion_done(&e->tried))
		return;
	e->first_err = err;
	complete_all(&e->tried);
}

static void atw_expose_opened(struct atw_conn *c, int err, u32 code)
{
	struct atw_expose *e = c->owner;

	assign_bit(ATW_EXPOSE_BIT_FAILED, &e->flags, err);
	atw_expose_tell(e, err);
	if (err)
		mod_delayed_work(atw_netdev_wq, &e->work, atw_timing.expose_retry);
}

static void atw_expose_closed(struct atw_conn *c, int err, u32 code)
{
	struct atw_expose *e = c->owner;

	/* Whatever it was, it is opened anew: nobody else would do so. */
	set_bit(ATW_EXPOSE_BIT_FAILED, &e->flags);
	atw_expose_tell(e, err ?: -ENODEV);
	mod_delayed_work(atw_netdev_wq, &e->work, atw_timing.expose_retry);
}

static void atw_expose_incoming(struct atw_conn *c)
{
	atw_expose_wake(c->owner);
}

/* A server receives and sends nothing. */
static const struct atw_conn_ops atw_expose_conn_ops = {
	.opened		= atw_expose_opened,
	.closed		= atw_expose_closed,
	.incoming	= atw_expose_incoming,
};

/* The work */

static void atw_expose_open(struct atw_expose *e)
{
	const struct atw_conn_spec spec = {
		.type = ATW_TYPE_TCP_SERVER,
		.name = "",
		.port = e->port,
		.backlog = ATW_EXPOSE_BACKLOG,
	};
	struct atw_conn *c;

	c = atw_conn_open(&e->adev->module.conns, &spec, &atw_expose_conn_ops,
			  e);
	if (!IS_ERR(c)) {
		e->server = c;
		return;
	}
	atw_expose_tell(e, PTR_ERR(c));
	/* Memory comes back, and others close their connections. */
	if (PTR_ERR(c) != -ENODEV)
		mod_delayed_work(atw_netdev_wq, &e->work, atw_timing.expose_retry);
}

static void atw_expose_close(struct atw_expose *e)
{
	if (!e->server)
		return;
	/* It tells nothing more after this. */
	atw_conn_close(e->server, true, 0);
	atw_conn_put(e->server);
	e->server = NULL;
}

/* Where a connection is to go: 0 if the device has no address. */
static __be32 atw_expose_target(const struct atw_expose *e)
{
	__be32 own = htonl(atw_module_addr(&e->adev->module));
	const struct in_ifaddr *ifa;
	struct in_device *in_dev;
	__be32 addr = e->addr;

	if (addr)
		return addr;
	rcu_read_lock();
	in_dev = __in_dev_get_rcu(e->adev->netdev->dev);
	if (in_dev) {
		/* Its first one, if not the module's own. */
		in_dev_for_each_ifa_rcu(ifa, in_dev)
			if (!addr || ifa->ifa_local == own)
				addr = ifa->ifa_local;
	}
	rcu_read_unlock();
	return addr;
}

static void atw_expose_accept(struct atw_expose *e)
{
	int err;

	for (;;) {
		err = atw_tcp_incoming(e->adev->netdev, e->server,
				       atw_expose_target(e),
				       htons(e->local_port));
		if (err == -EAGAIN)
			return;
		WRITE_ONCE(e->err, err);
		if (err == -ENOMEM) {
			mod_delayed_work(atw_netdev_wq, &e->work,
					 atw_timing.expose_retry);
			return;
		}
		if (err)
			atomic64_inc(&e->refused);
		else
			atomic64_inc(&e->accepted);
	}
}

static void atw_expose_run(struct work_struct *work)
{
	struct atw_expose *e = container_of(to_delayed_work(work),
					    struct atw_expose, work);

	if (test_bit(ATW_EXPOSE_BIT_STOPPED, &e->flags))
		return;
	if (test_bit(ATW_EXPOSE_BIT_FAILED, &e->flags)) {
		atw_expose_close(e);
		clear_bit(ATW_EXPOSE_BIT_FAILED, &e->flags);
	}
	if (e->server)
		atw_expose_accept(e);
	else
		atw_expose_open(e);
}

/* The list */

struct atw_expose_query {
	u16	port;
	bool	open;
};

/* Does the module serve this port, or is it about to? */
static int atw_expose_match(const struct atw_conn_info *info, void *arg)
{
	struct atw_expose_query *q = arg;

	if ((info->type != ATW_TYPE_TCP_SERVER &&
	     info->type != ATW_TYPE_SSL_SERVER) ||
	    info->port != q->port || !atw_conn_state_is_live(info->state))
		return 0;
	q->open = info->state == ATW_CONN_OPEN;
	return 1;
}

static struct atw_expose *atw_expose_find(struct atw_exposes *exps, u16 port)
{
	struct atw_expose *e;

	lockdep_assert_held(&exps->lock);

	list_for_each_entry(e, &exps->list, node)
		if (e->port == port)
			return e;
	return NULL;
}

/*
 * Take it out of the list, which had a reference, and end it. The lock is held
 * so that the device stays, which atw_exposes_stop() waits with; the work never
 * takes it.
 */
static void atw_expose_end(struct atw_exposes *exps, struct atw_expose *e)
{
	lockdep_assert_held(&exps->lock);

	list_del_init(&e->node);
	exps->n--;
	atomic_inc(&exps->seq);
	set_bit(ATW_EXPOSE_BIT_STOPPED, &e->flags);
	cancel_delayed_work_sync(&e->work);
	atw_expose_close(e);
	/* It was told something meanwhile: that does nothing any more. */
	cancel_delayed_work_sync(&e->work);
	atw_expose_tell(e, -ECANCELED);
	atw_expose_put(e);
}

/**
 * atw_exposes_init() - an empty list
 * @exps: zeroed memory
 */
void atw_exposes_init(struct atw_exposes *exps)
{
	mutex_init(&exps->lock);
	INIT_LIST_HEAD(&exps->list);
}

static int atw_expose_list(struct atw_exposes *exps, struct atw_expose *e)
{
	struct atw_expose_query q = { .port = e->port };
	int err = 0;

	mutex_lock(&exps->lock);
	if (exps->dead)
		err = -ENODEV;
	else if (atw_expose_find(exps, e->port))
		err = -EEXIST;
	else if (exps->n == ATW_EXPOSE_MAX)
		err = -ENOSPC;
	else if (atw_conns_for_each(&e->adev->module.conns, atw_expose_match,
				    &q))
		err = -EADDRINUSE;
	if (!err) {
		refcount_inc(&e->ref);
		list_add_tail(&e->node, &exps->list);
		exps->n++;
		atomic_inc(&exps->seq);
		atw_expose_wake(e);
	}
	mutex_unlock(&exps->lock);
	return err;
}

/**
 * atw_expose_add() - expose a port
 * @adev: the device; the caller has a reference
 * @port: of the module, host order
 * @addr: where the program listens; 0: at the device's own address
 * @local_port: and at which port, host order
 * @timeout: jiffies to wait for the module
 *
 * A module that has not joined a network listens when it has: that is not waited
 * for.
 *
 * Context: process context; a fatal signal ends it.
 * Return: 0; -EEXIST, the port is exposed; -EADDRINUSE, a socket or the module has
 * it; -ENOSPC, too many are; -ENOBUFS, the module has no socket left; -EBUSY, it
 * had no time; -EINTR; -ENODEV or -ECANCELED, it was taken away meanwhile; or what
 * the module said. The port is exposed only if it is 0.
 */
int atw_expose_add(struct atw_dev *adev, u16 port, __be32 addr, u16 local_port,
		   long timeout)
{
	struct atw_exposes *exps = &adev->exposes;
	struct atw_expose *e;
	long left;
	int err;

	e = kzalloc(sizeof(*e), GFP_KERNEL);
	if (!e)
		return -ENOMEM;
	refcount_set(&e->ref, 1);
	INIT_LIST_HEAD(&e->node);
	INIT_DELAYED_WORK(&e->work, atw_expose_run);
	init_completion(&e->tried);
	e->adev = adev;
	e->port = port;
	e->addr = addr;
	e->local_port = local_port;
	err = atw_expose_list(exps, e);
	if (err || atw_module_state(&adev->module) != ATW_MODULE_JOINED)
		goto put;

	left = wait_for_completion_killable_timeout(&e->tried, timeout);
	if (left > 0)
		err = e->first_err;
	else
		err = left ? -EINTR : -EBUSY;
	/* It has left its network, or restarts: that is not for ever. */
	if (err == -ENETDOWN || err == -ECONNRESET)
		err = 0;
	if (!err)
		goto put;
	mutex_lock(&exps->lock);
	if (!list_empty(&e->node))
		atw_expose_end(exps, e);
	mutex_unlock(&exps->lock);
put:
	atw_expose_put(e);
	return err;
}

/**
 * atw_expose_del() - expose a port no longer
 * @adev: the device
 * @port: of the module, host order
 *
 * Connections that were passed on go on.
 *
 * Context: process context.
 * Return: 0, or -ENOENT: it is not exposed.
 */
int atw_expose_del(struct atw_dev *adev, u16 port)
{
	struct atw_exposes *exps = &adev->exposes;
	struct atw_expose *e;

	mutex_lock(&exps->lock);
	e = atw_expose_find(exps, port);
	if (e)
		atw_expose_end(exps, e);
	mutex_unlock(&exps->lock);
	return e ? 0 : -ENOENT;
}

/**
 * atw_expose_get() - look at an exposed port
 * @adev: the device
 * @n: which in the list, from 0
 * @info: for what can be told of it
 *
 * Context: process context.
 * Return: false if there are not so many.
 */
bool atw_expose_get(struct atw_dev *adev, unsigned int n,
		    struct atw_expose_info *info)
{
	struct atw_exposes *exps = &adev->exposes;
	struct atw_expose_query q = {};
	struct atw_expose *e;
	bool found = false;

	mutex_lock(&exps->lock);
	list_for_each_entry(e, &exps->list, node) {
		if (n--)
			continue;
		q.port = e->port;
		atw_conns_for_each(&adev->module.conns, atw_expose_match, &q);
		info->port = e->port;
		info->addr = e->addr;
		info->local_port = e->local_port;
		info->open = q.open;
		info->err = READ_ONCE(e->err);
		info->accepted = atomic64_read(&e->accepted);
		info->refused = atomic64_read(&e->refused);
		found = true;
		break;
	}
	mutex_unlock(&exps->lock);
	return found;
}

/**
 * atw_exposes_stop() - the device goes away: expose nothing any more
 * @adev: the device, whose network device is still there
 *
 * Context: process context.
 */
void atw_exposes_stop(struct atw_dev *adev)
{
	struct atw_exposes *exps = &adev->exposes;
	struct atw_expose *e;

	mutex_lock(&exps->lock);
	exps->dead = true;
	while (!list_empty(&exps->list)) {
		e = list_first_entry(&exps->list, struct atw_expose, node);
		atw_expose_end(exps, e);
	}
	mutex_unlock(&exps->lock);
}
