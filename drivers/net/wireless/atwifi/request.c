// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests.
 *
 * AT commands run in the channel's thread alone. A layer that wants some run
 * makes a request: a function and its arguments in one piece of memory. It queues
 * the request and may wait for its end. Who gives up waiting takes a request that was
 * not begun back; one that runs keeps its own reference, so that the thread
 * never writes into memory of somebody who has left.
 */
#include <linux/errno.h>
#include <linux/lockdep.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "request.h"

/* Each is somebody who waits, or a datagram: more are an accident. */
#define ATW_REQUESTS_MAX	64

/**
 * atw_request_new() - make a request
 * @size: bytes of arguments and results that @fn is to be given
 * @fn: the work: runs in the channel's thread, may run commands with
 *	atw_module_exec() and sleep as long as those do; its result, 0 or -errno,
 *	is the request's, but for -EINPROGRESS: it is called again then, behind others, when
 *	something was done for connections, or at the time that it has set for
 *	ATW_DO_REQUEST. @arg is the request's own: pointers to the caller's stack do not
 *	belong there
 *
 * Context: may sleep for memory.
 * Return: the request, with a reference for atw_request_put(); NULL: no memory.
 */
struct atw_request *atw_request_new(size_t size,
				    int (*fn)(struct atw_module *m, void *arg))
{
	struct atw_request *request;

	request = kzalloc(struct_size(request, arg, size), GFP_KERNEL);
	if (!request)
		return NULL;
	refcount_set(&request->ref, 1);
	INIT_LIST_HEAD(&request->node);
	init_completion(&request->done);
	request->fn = fn;
	return request;
}

/**
 * atw_request_put() - give a reference back
 * @request: the request
 *
 * The arguments may be secrets: they are wiped.
 *
 * Context: process context.
 */
void atw_request_put(struct atw_request *request)
{
	if (!refcount_dec_and_test(&request->ref))
		return;
	if (request->release)
		request->release(request->arg);
	kfree_sensitive(request);
}

/**
 * atw_requests_init() - an empty queue, which refuses requests with -ENETDOWN
 * @q: the queue
 */
void atw_requests_init(struct atw_requests *q)
{
	spin_lock_init(&q->lock);
	INIT_LIST_HEAD(&q->list);
	q->refuse = -ENETDOWN;
}

/**
 * atw_requests_add() - queue a request; the thread must be kicked then
 * @q: the queue
 * @request: the request, never queued before; the queue takes a reference of its own
 *
 * Context: any but hard interrupts.
 * Return: 0; -ENETDOWN, the module is being looked for or brought up; -ENODEV,
 * the device goes away; -ENOBUFS, too many wait already.
 */
int atw_requests_add(struct atw_requests *q, struct atw_request *request)
{
	int err;

	spin_lock_bh(&q->lock);
	err = q->refuse;
	if (!err && q->n >= ATW_REQUESTS_MAX)
		err = -ENOBUFS;
	if (!err) {
		refcount_inc(&request->ref);
		list_add_tail(&request->node, &q->list);
		q->n++;
	}
	spin_unlock_bh(&q->lock);
	return err;
}

/**
 * atw_requests_hurry() - make ordinary requests of those that wait for idle times
 * @q: the queue
 *
 * Context: any but hard interrupts.
 */
void atw_requests_hurry(struct atw_requests *q)
{
	struct atw_request *request;

	spin_lock_bh(&q->lock);
	list_for_each_entry(request, &q->list, node)
		request->idle = false;
	spin_unlock_bh(&q->lock);
}

/* Take a request out of the queue, with the queue's reference. */
static void atw_requests_del(struct atw_requests *q, struct atw_request *request)
{
	lockdep_assert_held(&q->lock);

	list_del_init(&request->node);
	q->n--;
}

/**
 * atw_requests_wait() - wait for the end of a request
 * @q: the queue that it was added to
 * @request: the request
 * @timeout: jiffies
 *
 * Context: process context, not the channel's thread; a fatal signal ends it.
 * Return: the result of the request's function; -ENETDOWN, -ENODEV as
 * atw_requests_add(), it was not called; -EBUSY, time ran out before it was begun:
 * nothing was done; -ETIMEDOUT, time ran out while it ran, which it may still
 * do; -EINTR, a fatal signal.
 */
int atw_requests_wait(struct atw_requests *q, struct atw_request *request, long timeout)
{
	long left = wait_for_completion_killable_timeout(&request->done, timeout);
	bool waits;

	if (left > 0)
		return request->err;

	spin_lock_bh(&q->lock);
	waits = !list_empty(&request->node);
	if (waits)
		atw_requests_del(q, request);
	spin_unlock_bh(&q->lock);
	if (waits)
		atw_request_put(request);

	if (left < 0)
		return -EINTR;
	if (waits)
		return -EBUSY;
	return try_wait_for_completion(&request->done) ? request->err : -ETIMEDOUT;
}

static void atw_request_end(struct atw_request *request, int err)
{
	request->err = err;
	complete_all(&request->done);
	atw_request_put(request);
}

/* One that was begun waits for another turn. Returns the error of one that may not. */
static int atw_requests_again(struct atw_requests *q, struct atw_request *request)
{
	int err;

	spin_lock_bh(&q->lock);
	err = q->refuse;
	if (!err) {
		request->again = true;
		list_add_tail(&request->node, &q->list);
		q->n++;
	}
	spin_unlock_bh(&q->lock);
	return err;
}

/* The first of those that are called now, as atw_requests_wait_for(). */
static struct atw_request *atw_requests_first(struct atw_requests *q, bool idle, bool again)
{
	struct atw_request *request;

	lockdep_assert_held(&q->lock);

	list_for_each_entry(request, &q->list, node)
		if ((idle || !request->idle) && (again || !request->again))
			return request;
	return NULL;
}

/**
 * atw_requests_wait_for() - is there a request to be done?
 * @q: the queue
 * @idle: those that are only for idle times as well
 * @again: and those that were called, and wait
 *
 * Context: any but hard interrupts.
 */
bool atw_requests_wait_for(struct atw_requests *q, bool idle, bool again)
{
	bool found;

	spin_lock_bh(&q->lock);
	found = atw_requests_first(q, idle, again);
	spin_unlock_bh(&q->lock);
	return found;
}

/**
 * atw_requests_run() - do the next request, if there is one
 * @q: the queue
 * @m: the module, for the request's function
 * @idle: those that are only for idle times as well
 *
 * Context: the channel's thread; sleeps.
 * Return: false if there was none, or it is to be called again.
 */
bool atw_requests_run(struct atw_requests *q, struct atw_module *m, bool idle)
{
	struct atw_request *next;
	int err;

	spin_lock_bh(&q->lock);
	next = atw_requests_first(q, idle, true);
	if (next)
		atw_requests_del(q, next);
	spin_unlock_bh(&q->lock);
	if (!next)
		return false;
	err = next->fn(m, next->arg);
	if (err == -EINPROGRESS) {
		err = atw_requests_again(q, next);
		if (!err)
			return false;
	}
	if (err == -ENODEV) {
		spin_lock_bh(&q->lock);
		err = q->refuse ?: err;
		spin_unlock_bh(&q->lock);
	}
	atw_request_end(next, err);
	return true;
}

/**
 * atw_requests_refuse() - end all requests that wait, and do not take others
 * @q: the queue
 * @err: -errno for them; 0: take requests from now on
 *
 * One that runs goes on, and ends with @err where it would with -ENODEV: the channel is
 * being stopped under it.
 *
 * Context: process context.
 */
void atw_requests_refuse(struct atw_requests *q, int err)
{
	struct atw_request *request;

	spin_lock_bh(&q->lock);
	q->refuse = err;
	while (err && !list_empty(&q->list)) {
		request = list_first_entry(&q->list, struct atw_request, node);
		atw_requests_del(q, request);
		spin_unlock_bh(&q->lock);
		atw_request_end(request, err);
		spin_lock_bh(&q->lock);
	}
	spin_unlock_bh(&q->lock);
}
