/* SPDX-License-Identifier: GPL-2.0-only */
/* A bound on the memory that many queues have together. */
#ifndef _ATWIFI_BUDGET_H
#define _ATWIFI_BUDGET_H

#include <linux/atomic.h>
#include <linux/types.h>

#include "share.h"

#define ATW_BUDGET_MAX	(8 * 1024 * 1024)

/**
 * struct atw_budget - a bound
 * @used: bytes; 0 at first
 * @of: of these, each user's
 */
struct atw_budget {
	atomic_t	used;
	atomic_t	of[ATW_SHARES];
};

/**
 * atw_budget_give() - it is free again
 * @b: the bound
 * @share: whose it was
 * @size: bytes
 *
 * Context: any.
 */
static inline void atw_budget_give(struct atw_budget *b, u8 share, int size)
{
	atomic_sub(size, &b->of[share]);
	atomic_sub(size, &b->used);
}

/**
 * atw_budget_take_of() - take memory into account
 * @b: the bound
 * @max: bytes of it
 * @share: whose it is, see atw_share_index()
 * @size: bytes, no more than the bound
 *
 * Nobody has more of it than is still free, so that there is always room for whoever comes
 * next.
 *
 * Context: any.
 * Return: false if there is no room for it.
 */
static inline bool atw_budget_take_of(struct atw_budget *b, int max, u8 share, int size)
{
	int own = atomic_add_return(size, &b->of[share]);

	if (atomic_add_return(size, &b->used) - size + own <= max)
		return true;
	atw_budget_give(b, share, size);
	return false;
}

/* As atw_budget_take_of(), of the usual one. */
static inline bool atw_budget_take(struct atw_budget *b, u8 share, int size)
{
	return atw_budget_take_of(b, ATW_BUDGET_MAX, share, size);
}

/**
 * atw_budget_move() - take memory into account for another user
 * @b: the bound
 * @from: whose it was
 * @to: whose it is
 * @size: bytes
 *
 * Context: any.
 */
static inline void atw_budget_move(struct atw_budget *b, u8 from, u8 to, int size)
{
	atomic_sub(size, &b->of[from]);
	atomic_add(size, &b->of[to]);
}

#endif
