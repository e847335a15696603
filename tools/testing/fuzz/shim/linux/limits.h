/* SPDX-License-Identifier: GPL-2.0-only */
/* The C library's own headers want this one. */
#include_next <linux/limits.h>
#include <limits.h>
#include <stdint.h>

#ifndef U32_MAX
#define U32_MAX		UINT32_MAX
#endif
