/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the host hears in transparent mode: data, or the module's own words.
 * Pure: no locks, no allocation, no kernel state.
 */
#ifndef _ATWIFI_TTSCAN_H
#define _ATWIFI_TTSCAN_H

#include <linux/types.h>

/* More than the longest opening. */
#define ATW_TT_TAIL_MAX		64

/* What ends transparent mode, and what says that it has ended. */
#define ATW_TT_ESCAPE		"+++"
#define ATW_TT_OK		"\r\nOK\r\n"
#define ATW_TT_PLUS_OK		"\r\n+OK\r\n"

/**
 * struct atw_tt_scan - looks for the openings of prints in data
 * @events: the firmware prints its events in transparent mode too
 * @leaving: "+++" was sent: the OK to it is looked for as well
 * @tail: the last bytes, as far as an opening may begin with them
 * @tail_len: how many
 * @given: as many of them were passed on, when nothing came after them
 * @hit: @tail is an opening
 */
struct atw_tt_scan {
	bool		events;
	bool		leaving;
	u8		tail[ATW_TT_TAIL_MAX];
	unsigned int	tail_len;
	unsigned int	given;
	bool		hit;
};

/* What atw_tt_split() says besides an offset. */
#define ATW_TT_WAIT		(-1L)
#define ATW_TT_UNCLEAR		(-2L)

void atw_tt_scan_init(struct atw_tt_scan *s, bool events);
size_t atw_tt_scan(struct atw_tt_scan *s, const u8 *buf, size_t len, u8 *out,
		   size_t *out_len);
size_t atw_tt_scan_flush(struct atw_tt_scan *s, u8 *out);

long atw_tt_find(const u8 *buf, size_t len, size_t from, const char *lit);
long atw_tt_find_ok(const u8 *buf, size_t len, size_t from, size_t *behind);
long atw_tt_split(const u8 *buf, size_t len, size_t from, const char *marker,
		  size_t *behind);
bool atw_tt_is_end(const u8 *buf, size_t len, u32 id);
long atw_tt_find_event(const u8 *buf, size_t len);
bool atw_tt_may_carry(const u8 *buf, size_t len);

#endif
