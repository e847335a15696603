/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests: work that other layers have the channel's thread do. */
#ifndef _ATWIFI_REQUEST_H
#define _ATWIFI_REQUEST_H

#include <linux/completion.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct atw_channel;
struct atw_module;

/**
 * struct atw_request - one piece of work and its arguments
 * @ref: the caller holds one, and the queue (later the thread that runs it) one
 * @node: in the queue; empty once the thread has taken it, or nobody will;
 *	atw_requests.lock
 * @done: @err is final
 * @fn: the work, see atw_request_new()
 * @release: what @arg holds goes, before its memory does; may be NULL
 * @again: it was called, and is to be called again; atw_requests.lock
 * @idle: connections' work goes first; to be set before it is queued, and after that by
 *	atw_requests_hurry() alone
 * @err: what @fn returned, or why it was not called
 * @arg: the arguments and the results, zeroed at first
 */
struct atw_request {
	refcount_t		ref;
	struct list_head	node;
	struct completion	done;
	int			(*fn)(struct atw_module *m, void *arg);
	void			(*release)(void *arg);
	bool			idle;
	bool			again;
	int			err;
	u8			arg[] __aligned(__alignof__(u64));
};

/**
 * struct atw_requests - the requests that wait for a channel's thread
 * @lock: protects all below and atw_request.node; innermost, softirqs take it too
 * @list: those that wait, in the order in which they came
 * @n: how many
 * @refuse: -errno for requests that come, 0 while they are served
 */
struct atw_requests {
	spinlock_t		lock;
	struct list_head	list;
	unsigned int		n;
	int			refuse;
};

struct atw_request *atw_request_new(size_t size,
				    int (*fn)(struct atw_module *m, void *arg));
void atw_request_put(struct atw_request *request);

void atw_requests_init(struct atw_requests *q);
void atw_requests_hurry(struct atw_requests *q);
int atw_requests_add(struct atw_requests *q, struct atw_request *request);
int atw_requests_wait(struct atw_requests *q, struct atw_request *request, long timeout);
bool atw_requests_wait_for(struct atw_requests *q, bool idle, bool again);
bool atw_requests_run(struct atw_requests *q, struct atw_module *m, bool idle);
void atw_requests_refuse(struct atw_requests *q, int err);

#endif
