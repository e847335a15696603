/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FUZZ_LINUX_KERNEL_H
#define FUZZ_LINUX_KERNEL_H

#include <stdio.h>

#include <linux/limits.h>
#include <linux/types.h>

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define min_t(type, a, b)	({ type _a = (a), _b = (b); _a < _b ? _a : _b; })
#define min(x, y)		({ __typeof__(x) _x = (x); min_t(__typeof__(_x), _x, y); })
#define swap(x, y)	\
	do { __typeof__(x) *_x = &(x), *_y = &(y), _t = *_x; *_x = *_y; *_y = _t; } while (0)
#define scnprintf		snprintf

#endif
