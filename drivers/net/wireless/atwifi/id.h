/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers of connections, and what damage makes of them. Pure, as parse.h. */
#ifndef _ATWIFI_ID_H
#define _ATWIFI_ID_H

#include <linux/types.h>

/* Of what has no number. Zero is one that a module may use. */
#define ATW_NO_ID	((u32)-1)

/* ConIDs that the driver gives. */
#define ATW_ID_MIN	100
#define ATW_ID_MAX	255

bool atw_id_is_code_word(u32 id);
bool atw_id_near(u32 a, u32 b);

#endif
