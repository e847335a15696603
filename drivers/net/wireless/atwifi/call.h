/* SPDX-License-Identifier: GPL-2.0 */
/* Calls: work that other layers have the channel's thread do. */
#ifndef _ATWIFI_CALL_H
#define _ATWIFI_CALL_H

#include <linux/completion.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct atw_channel;
struct atw_module;

/* A call that is to be called again is not before so much time has passed. */
#define ATW_CALL_PAUSE	(HZ / 8)

/**
 * struct atw_call - one piece of work and its arguments
 * @ref: the caller holds one, and the queue (later the thread that runs it) one
 * @node: in the queue; empty once the thread has taken it, or nobody will;
 *	atw_calls.lock
 * @done: @err is final
 * @fn: the work, see atw_call_new()
 * @release: what @arg holds goes, before its memory does; may be NULL
 * @again: it was called, and is to be called again, but not before @after, in jiffies;
 *	atw_calls.lock
 * @idle: connections' work goes first; to be set before it is queued, and after that by
 *	atw_calls_hurry() alone
 * @err: what @fn returned, or why it was not called
 * @size: bytes of @arg
 * @arg: the arguments and the results, zeroed at first
 */
struct atw_call {
	refcount_t		ref;
	struct list_head	node;
	struct completion	done;
	int			(*fn)(struct atw_module *m, void *arg);
	void			(*release)(void *arg);
	bool			idle;
	bool			again;
	unsigned long		after;
	int			err;
	size_t			size;
	u8			arg[] __aligned(__alignof__(u64));
};

/**
 * struct atw_calls - the calls that wait for a channel's thread
 * @lock: protects all below and atw_call.node; innermost, softirqs take it too
 * @list: those that wait, in the order in which they came
 * @n: how many
 * @refuse: -errno for calls that come, 0 while they are served
 */
struct atw_calls {
	spinlock_t		lock;
	struct list_head	list;
	unsigned int		n;
	int			refuse;
};

struct atw_call *atw_call_new(size_t size,
			      int (*fn)(struct atw_module *m, void *arg));
void atw_call_put(struct atw_call *call);

void atw_calls_init(struct atw_calls *q);
void atw_calls_hurry(struct atw_calls *q);
int atw_calls_add(struct atw_calls *q, struct atw_call *call);
int atw_calls_wait(struct atw_calls *q, struct atw_call *call, long timeout);
bool atw_calls_wait_for(struct atw_calls *q, bool idle);
bool atw_calls_later(struct atw_calls *q, bool idle, unsigned long *when);
bool atw_calls_run(struct atw_calls *q, struct atw_module *m, bool idle);
void atw_calls_refuse(struct atw_calls *q, int err);

#endif
