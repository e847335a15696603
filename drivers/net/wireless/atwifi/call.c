// SPDX-License-Identifier: GPL-2.0
/*
 * Calls.
 *
 * AT commands run in the channel's thread alone. A layer that wants some run
 * makes a call: a function and its arguments in one piece of memory. It queues
 * the call and may wait for its end. Who gives up waiting takes a call that was
 * not begun back; one that runs keeps its own reference, so that the thread
 * never writes into memory of somebody who has left.
 */
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/lockdep.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "call.h"

/* Each is somebody who waits, or a datagram: more are an accident. */
#define ATW_CALLS_MAX	64

/**
 * atw_call_new() - make a call
 * @size: bytes of arguments and results that @fn is to be given
 * @fn: the work: runs in the channel's thread, may run commands with
 *	atw_module_exec() and sleep as long as those do; its result, 0 or -errno,
 *	is the call's, but for -EINPROGRESS: it is called again after a while then, in
 *	which others have their turn. @arg is the call's own: pointers to the caller's stack
 *	do not belong there
 *
 * Context: may sleep for memory.
 * Return: the call, with a reference for atw_call_put(); NULL: no memory.
 */
struct atw_call *atw_call_new(size_t size,
			      int (*fn)(struct atw_module *m, void *arg))
{
	struct atw_call *call;

	call = kzalloc(struct_size(call, arg, size), GFP_KERNEL);
	if (!call)
		return NULL;
	refcount_set(&call->ref, 1);
	INIT_LIST_HEAD(&call->node);
	init_completion(&call->done);
	call->fn = fn;
	call->size = size;
	return call;
}

/**
 * atw_call_put() - give a reference back
 * @call: the call
 *
 * The arguments may be secrets: they are wiped.
 *
 * Context: process context.
 */
void atw_call_put(struct atw_call *call)
{
	if (!refcount_dec_and_test(&call->ref))
		return;
	if (call->release)
		call->release(call->arg);
	kfree_sensitive(call);
}

/**
 * atw_calls_init() - an empty queue, which refuses calls with -ENETDOWN
 * @q: the queue
 */
void atw_calls_init(struct atw_calls *q)
{
	spin_lock_init(&q->lock);
	INIT_LIST_HEAD(&q->list);
	q->refuse = -ENETDOWN;
}

/**
 * atw_calls_add() - queue a call; the thread must be kicked then
 * @q: the queue
 * @call: the call, never queued before; the queue takes a reference of its own
 *
 * Context: any.
 * Return: 0; -ENETDOWN, the module is being looked for or brought up; -ENODEV,
 * the device goes away; -ENOBUFS, too many wait already.
 */
int atw_calls_add(struct atw_calls *q, struct atw_call *call)
{
	int err;

	spin_lock_bh(&q->lock);
	err = q->refuse;
	if (!err && q->n >= ATW_CALLS_MAX)
		err = -ENOBUFS;
	if (!err) {
		refcount_inc(&call->ref);
		list_add_tail(&call->node, &q->list);
		q->n++;
	}
	spin_unlock_bh(&q->lock);
	return err;
}

/**
 * atw_calls_hurry() - what waits is not to wait for idle times any more
 * @q: the queue
 *
 * Context: any.
 */
void atw_calls_hurry(struct atw_calls *q)
{
	struct atw_call *call;

	spin_lock_bh(&q->lock);
	list_for_each_entry(call, &q->list, node)
		call->idle = false;
	spin_unlock_bh(&q->lock);
}

/* Take a call out of the queue, with the queue's reference. */
static void atw_calls_del(struct atw_calls *q, struct atw_call *call)
{
	lockdep_assert_held(&q->lock);

	list_del_init(&call->node);
	q->n--;
}

/**
 * atw_calls_wait() - wait for the end of a call
 * @q: the queue that it was added to
 * @call: the call
 * @timeout: jiffies
 *
 * Context: process context, not the channel's thread; a fatal signal ends it.
 * Return: the result of the call's function; -ENETDOWN, -ENODEV as
 * atw_calls_add(), it was not called; -EBUSY, time ran out before it was begun:
 * nothing was done; -ETIMEDOUT, time ran out while it ran, which it may still
 * do; -EINTR, a fatal signal.
 */
int atw_calls_wait(struct atw_calls *q, struct atw_call *call, long timeout)
{
	long left = wait_for_completion_killable_timeout(&call->done, timeout);
	bool waits;

	if (left > 0)
		return call->err;

	spin_lock_bh(&q->lock);
	waits = !list_empty(&call->node);
	if (waits)
		atw_calls_del(q, call);
	spin_unlock_bh(&q->lock);
	if (waits)
		atw_call_put(call);

	if (left < 0)
		return -EINTR;
	if (waits)
		return -EBUSY;
	return try_wait_for_completion(&call->done) ? call->err : -ETIMEDOUT;
}

static void atw_call_end(struct atw_call *call, int err)
{
	call->err = err;
	complete_all(&call->done);
	atw_call_put(call);
}

/* One that was begun waits for another turn. Returns the error of one that may not. */
static int atw_calls_again(struct atw_calls *q, struct atw_call *call)
{
	int err;

	spin_lock_bh(&q->lock);
	err = q->refuse;
	if (!err) {
		/* What it waits for may take its time, or somebody else's. */
		call->again = true;
		call->after = jiffies + ATW_CALL_PAUSE;
		list_add_tail(&call->node, &q->list);
		q->n++;
	}
	spin_unlock_bh(&q->lock);
	return err;
}

static bool atw_call_is_due(const struct atw_call *call)
{
	return !call->again || time_after_eq(jiffies, call->after);
}

/* The first whose time has come that is not only for idle times, or the first such. */
static struct atw_call *atw_calls_first(struct atw_calls *q, bool idle)
{
	struct atw_call *call;

	lockdep_assert_held(&q->lock);

	list_for_each_entry(call, &q->list, node)
		if ((idle || !call->idle) && atw_call_is_due(call))
			return call;
	return NULL;
}

/**
 * atw_calls_wait_for() - is there a call to be done?
 * @q: the queue
 * @idle: those that are only for idle times as well
 *
 * Context: any.
 */
bool atw_calls_wait_for(struct atw_calls *q, bool idle)
{
	bool found;

	spin_lock_bh(&q->lock);
	found = atw_calls_first(q, idle);
	spin_unlock_bh(&q->lock);
	return found;
}

/**
 * atw_calls_later() - is there a call that is to be called again?
 * @q: the queue
 * @idle: those that are only for idle times as well
 * @when: the time of the first of these, in jiffies, which may be over
 *
 * Context: any.
 */
bool atw_calls_later(struct atw_calls *q, bool idle, unsigned long *when)
{
	struct atw_call *call;
	bool found = false;

	spin_lock_bh(&q->lock);
	list_for_each_entry(call, &q->list, node) {
		if (!call->again || (call->idle && !idle) ||
		    (found && !time_before(call->after, *when)))
			continue;
		*when = call->after;
		found = true;
	}
	spin_unlock_bh(&q->lock);
	return found;
}

/**
 * atw_calls_run() - do the next call, if there is one
 * @q: the queue
 * @m: the module, for the call's function
 * @idle: those that are only for idle times as well
 *
 * Context: the channel's thread; sleeps.
 * Return: false if there was none.
 */
bool atw_calls_run(struct atw_calls *q, struct atw_module *m, bool idle)
{
	struct atw_call *next;
	int err;

	spin_lock_bh(&q->lock);
	next = atw_calls_first(q, idle);
	if (next)
		atw_calls_del(q, next);
	spin_unlock_bh(&q->lock);
	if (!next)
		return false;
	err = next->fn(m, next->arg);
	if (err == -EINPROGRESS) {
		err = atw_calls_again(q, next);
		if (!err)
			return true;
	}
	if (err == -ENODEV)
		err = READ_ONCE(q->refuse) ?: err;
	atw_call_end(next, err);
	return true;
}

/**
 * atw_calls_refuse() - end all calls that wait, and do not take others
 * @q: the queue
 * @err: -errno for them; 0: take calls from now on
 *
 * One that runs goes on, and ends with @err where it would with -ENODEV: the channel is
 * being stopped under it.
 *
 * Context: process context.
 */
void atw_calls_refuse(struct atw_calls *q, int err)
{
	struct atw_call *call;

	spin_lock_bh(&q->lock);
	WRITE_ONCE(q->refuse, err);
	while (err && !list_empty(&q->list)) {
		call = list_first_entry(&q->list, struct atw_call, node);
		atw_calls_del(q, call);
		spin_unlock_bh(&q->lock);
		atw_call_end(call, err);
		spin_lock_bh(&q->lock);
	}
	spin_unlock_bh(&q->lock);
}
