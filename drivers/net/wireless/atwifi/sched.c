// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the channel's thread does next.
 *
 * There is one list of what is to be done, and whoever notices something sets a bit in
 * it. The thread does the first of those that are set, and begins at the top again. A
 * new job is one line in enum atw_todo, where its place is its precedence, and one in
 * the table of the jobs.
 */
#include <linux/bitops.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/sched.h>

#include "channel.h"
#include "sched.h"

/**
 * atw_sched_init() - nothing to do
 * @s: zeroed memory
 * @ch: whose thread does it
 * @agenda: how
 */
void atw_sched_init(struct atw_sched *s, struct atw_channel *ch,
		    const struct atw_agenda *agenda)
{
	BUILD_BUG_ON(ATW_DO_COUNT > BITS_PER_LONG);
	s->ch = ch;
	s->agenda = agenda;
}

/**
 * atw_sched_set() - have something done as soon as possible
 * @s: the scheduler
 * @job: what
 *
 * Context: any.
 */
void atw_sched_set(struct atw_sched *s, enum atw_todo job)
{
	/* What it is about is seen by whoever clears the bit: this is a full barrier. */
	test_and_set_bit(job, &s->todo);
	atw_channel_has_work(s->ch);
}

/**
 * atw_sched_at() - have something done at a time
 * @s: the scheduler
 * @job: what; replaces what it had for a time, and leaves it as it is where it is
 *	already to be done
 * @when: jiffies
 *
 * Context: the channel's thread, or while that is paused.
 */
void atw_sched_at(struct atw_sched *s, enum atw_todo job, unsigned long when)
{
	s->at[job] = when;
	__set_bit(job, &s->timed);
}

/**
 * atw_sched_clear() - something is not to be done, neither now nor later
 * @s: the scheduler
 * @job: what
 *
 * Context: as atw_sched_at().
 */
void atw_sched_clear(struct atw_sched *s, enum atw_todo job)
{
	__clear_bit(job, &s->timed);
	/* Who sets it from here on has something to be seen: this is a full barrier. */
	test_and_clear_bit(job, &s->todo);
}

/**
 * atw_sched_is_set() - is something to be done now?
 * @s: the scheduler
 * @job: what
 *
 * Context: any.
 */
bool atw_sched_is_set(const struct atw_sched *s, enum atw_todo job)
{
	return test_bit(job, &s->todo);
}

/**
 * atw_sched_is_pending() - is something to be done, now or at a time?
 * @s: the scheduler
 * @job: what
 *
 * Context: the channel's thread.
 */
bool atw_sched_is_pending(const struct atw_sched *s, enum atw_todo job)
{
	return test_bit(job, &s->todo) || test_bit(job, &s->timed);
}

static void atw_sched_expire(struct atw_sched *s)
{
	unsigned long timed = s->timed;
	unsigned int job;

	for_each_set_bit(job, &timed, ATW_DO_COUNT) {
		if (time_before(jiffies, s->at[job]))
			continue;
		__clear_bit(job, &s->timed);
		set_bit(job, &s->todo);
	}
}

/* Returns whether something was done. */
static bool atw_sched_do(struct atw_sched *s, struct atw_conns *cs, enum atw_todo which)
{
	const struct atw_agenda *agenda = s->agenda;
	const struct atw_job *job = &agenda->job[which];

	/* What it is about is looked at after that, see atw_sched_set(): a full barrier. */
	test_and_clear_bit(which, &s->todo);
	if (!job->raw && agenda->is_raw && agenda->is_raw(cs)) {
		/* Its commands would go to the remote: it is done when that is over. */
		if (job->wanted && !job->wanted(cs))
			return false;
		set_bit(which, &s->todo);
		agenda->leave(cs);
	} else {
		if (!job->run(cs))
			return false;
		/* All above have let it have its turn. */
		s->had &= ~(BIT(which) - 1);
		if (job->turns)
			s->had |= BIT(which);
	}
	/* It may be what a connection waits for. */
	set_bit(ATW_DO_CONNS, &s->todo);
	return true;
}

/* The first of those that have let others go first: nobody else wants a turn. */
static bool atw_sched_do_passed(struct atw_sched *s, struct atw_conns *cs, unsigned long passed)
{
	unsigned int i;

	s->had = 0;
	for_each_set_bit(i, &passed, ATW_DO_COUNT)
		if (atw_sched_do(s, cs, i))
			return true;
	return false;
}

/**
 * atw_sched_run() - do the first of what is to be done
 * @s: the scheduler
 * @cs: for the jobs
 *
 * Context: the channel's thread; sleeps for commands.
 * Return: false, there was nothing.
 */
bool atw_sched_run(struct atw_sched *s, struct atw_conns *cs)
{
	const struct atw_job *job = s->agenda->job;
	unsigned long passed = 0;
	unsigned int i;

	atw_sched_expire(s);
	for (i = 0; i < ATW_DO_COUNT; i++) {
		if (job[i].idle && passed) {
			if (atw_sched_do_passed(s, cs, passed))
				return true;
			passed = 0;
		}
		if (test_bit(i, &s->todo) && job[i].run) {
			if (s->had & BIT(i))
				passed |= BIT(i);
			else if (atw_sched_do(s, cs, i))
				return true;
		}
		if (job[i].bars && atw_sched_is_pending(s, i))
			break;
	}
	return atw_sched_do_passed(s, cs, passed);
}

/**
 * atw_sched_next() - when there is something to do, if nobody kicks before
 * @s: the scheduler, after atw_sched_run() found nothing to do
 *
 * Context: the channel's thread.
 * Return: jiffies.
 */
long atw_sched_next(const struct atw_sched *s)
{
	const struct atw_job *job = s->agenda->job;
	long left = MAX_SCHEDULE_TIMEOUT;
	unsigned int i;

	for (i = 0; i < ATW_DO_COUNT; i++) {
		if (test_bit(i, &s->timed))
			left = min(left, (long)(s->at[i] - jiffies));
		if (job[i].bars && atw_sched_is_pending(s, i))
			break;
	}
	return max(left, 1L);
}
