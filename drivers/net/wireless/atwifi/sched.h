/* SPDX-License-Identifier: GPL-2.0-only */
/* What the channel's thread has to do, and what of that comes first. */
#ifndef _ATWIFI_SCHED_H
#define _ATWIFI_SCHED_H

#include <linux/types.h>

struct atw_channel;
struct atw_conns;

/**
 * enum atw_todo - the jobs, in order of precedence
 * @ATW_DO_RESTARTED: the module has restarted: everything in it is lost
 * @ATW_DO_RESET: the module cannot be relied on: it is to be brought up anew
 * @ATW_DO_BRING_UP: look for the module and set it up; nothing below is done before
 * @ATW_DO_SYNC: an answer stayed away: is anybody there, and what is left?
 * @ATW_DO_LINK: ask whether there is a network
 * @ATW_DO_ENDS: ask the same before streams end whose remotes have closed
 * @ATW_DO_TT_END: the connection that had transparent mode is not there any more
 * @ATW_DO_REQUEST: a request of a user's
 * @ATW_DO_JOIN: it is out of its network: join that again
 * @ATW_DO_STALE: delete what the module has and nobody here knows
 * @ATW_DO_RECV_MODE: tell the module the receive mode once more
 * @ATW_DO_ACCEPTED: learn what there is to know of new accepted connections
 * @ATW_DO_BOOT: part of a banner was heard: compare, when it is over
 * @ATW_DO_COMPARE: compare the link and the connections, once a second at most
 * @ATW_DO_UNKNOWN: look again at ids that were unknown the last time
 * @ATW_DO_RECONCILE: compare the connections with the module's table
 * @ATW_DO_CONNS: what connections need: delete, fetch, send, connect; and in
 *	transparent mode the bytes of its connection. Done after each other job
 * @ATW_DO_IDLE_REQUEST: a request that has time
 * @ATW_DO_ENTER: enter transparent mode
 * @ATW_DO_COUNT: how many there are
 */
enum atw_todo {
	ATW_DO_RESTARTED,
	ATW_DO_RESET,
	ATW_DO_BRING_UP,
	ATW_DO_SYNC,
	ATW_DO_LINK,
	ATW_DO_ENDS,
	ATW_DO_TT_END,
	ATW_DO_REQUEST,
	ATW_DO_JOIN,
	ATW_DO_STALE,
	ATW_DO_RECV_MODE,
	ATW_DO_ACCEPTED,
	ATW_DO_BOOT,
	ATW_DO_COMPARE,
	ATW_DO_UNKNOWN,
	ATW_DO_RECONCILE,
	ATW_DO_CONNS,
	ATW_DO_IDLE_REQUEST,
	ATW_DO_ENTER,
	ATW_DO_COUNT
};

/**
 * struct atw_job - how something is done
 * @run: does it, or a part of it, with a few commands at most; its bit was cleared
 *	before. Returns false if there was nothing to do. NULL: the bit stays set
 * @wanted: is there anything to do? Asked before transparent mode is left for it; NULL:
 *	there is
 * @raw: may run while the module is in transparent mode, where it takes no commands
 * @bars: nothing below is done as long as this is to be done, now or later
 * @idle: done when there is nothing else
 * @turns: others ask for it as often as they like: what is below has a turn before it is
 *	done again
 */
struct atw_job {
	bool (*run)(struct atw_conns *cs);
	bool (*wanted)(struct atw_conns *cs);
	bool raw;
	bool bars;
	bool idle;
	bool turns;
};

/**
 * struct atw_agenda - the jobs of one kind of user, constant
 * @job: how each is done, by its enum atw_todo
 * @is_raw: is the module in transparent mode?
 * @leave: have it take commands
 */
struct atw_agenda {
	struct atw_job job[ATW_DO_COUNT];
	bool (*is_raw)(struct atw_conns *cs);
	void (*leave)(struct atw_conns *cs);
};

/**
 * struct atw_sched - what one channel's thread has to do
 * @ch: the channel; constant
 * @agenda: how; constant
 * @todo: bits of enum atw_todo, set and cleared by atomic operations, in any context.
 *	Whatever a job is about is written before its bit is set
 * @timed: bits of those to be set at @at, in jiffies; with @had the thread's alone
 * @had: bits of jobs that let others have a turn first
 */
struct atw_sched {
	struct atw_channel		*ch;
	const struct atw_agenda		*agenda;
	unsigned long			todo;
	unsigned long			timed;
	unsigned long			had;
	unsigned long			at[ATW_DO_COUNT];
};

void atw_sched_init(struct atw_sched *s, struct atw_channel *ch,
		    const struct atw_agenda *agenda);
void atw_sched_set(struct atw_sched *s, enum atw_todo job);
void atw_sched_at(struct atw_sched *s, enum atw_todo job, unsigned long when);
void atw_sched_clear(struct atw_sched *s, enum atw_todo job);
bool atw_sched_is_set(const struct atw_sched *s, enum atw_todo job);
bool atw_sched_is_pending(const struct atw_sched *s, enum atw_todo job);
bool atw_sched_run(struct atw_sched *s, struct atw_conns *cs);
long atw_sched_next(const struct atw_sched *s);

#endif
