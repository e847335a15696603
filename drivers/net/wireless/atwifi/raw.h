/* SPDX-License-Identifier: GPL-2.0-only */
/* Which AT commands an administrator may have run as they are. Pure. */
#ifndef _ATWIFI_RAW_H
#define _ATWIFI_RAW_H

#include <linux/types.h>

/* Bytes of such a line, without its CR LF. */
#define ATW_RAW_MAX	253

int atw_raw_check(const char *line, size_t len, const char **why);
bool atw_raw_is_row(const char *line, const char *text);
bool atw_raw_is_scan(const char *line);
bool atw_raw_sends(const char *line);
bool atw_raw_is_join(const char *line);

#endif
