/* SPDX-License-Identifier: GPL-2.0 */
/* What a module's versions tell of its firmware. Pure, as parse.h. */
#ifndef _ATWIFI_FIRMWARE_H
#define _ATWIFI_FIRMWARE_H

#include <linux/types.h>

#include "format.h"

enum atw_profile atw_firmware_profile(const char *at, const char *firmware);
bool atw_firmware_tears(enum atw_profile profile, const char *at);
bool atw_firmware_may_not_serve(enum atw_profile profile, const char *sdk);

#endif
