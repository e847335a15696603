/* SPDX-License-Identifier: GPL-2.0-only */
/* A bound on the memory that many queues have together. */
#ifndef _ATWIFI_BUDGET_H
#define _ATWIFI_BUDGET_H

#include <linux/atomic.h>
#include <linux/types.h>

#define ATW_BUDGET_MAX	(8 * 1024 * 1024)

/**
 * struct atw_budget - a bound
 * @used: bytes; 0 at first
 */
struct atw_budget {
	atomic_t	used;
};

/**
 * atw_budget_take() - take memory into account
 * @b: the bound
 * @size: bytes, less than the bound by far
 *
 * Context: any.
 * Return: false if there is no room for it.
 */
static inline bool atw_budget_take(struct atw_budget *b, unsigned int size)
{
	if (atomic_add_return(size, &b->used) <= ATW_BUDGET_MAX)
		return true;
	atomic_sub(size, &b->used);
	return false;
}

/**
 * atw_budget_give() - it is free again
 * @b: the bound
 * @size: bytes
 *
 * Context: any.
 */
static inline void atw_budget_give(struct atw_budget *b, unsigned int size)
{
	atomic_sub(size, &b->used);
}

#endif
