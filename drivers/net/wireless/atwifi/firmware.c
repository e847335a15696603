// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a module's versions tell of its firmware.
 */
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/string.h>

#include "firmware.h"
#include "format.h"
#include "parse.h"

/*
 * In this order: what is further down is known by less. Whatever is none of these is the last,
 * which is the cautious one: it is given no id and no string that one of the others does not
 * take, and nothing is mended of which it is not known that it tears it.
 */
const struct atw_firmware atw_firmwares[] = {
	{
		.profile = ATWIFI_PROFILE_BW20,
		.known_by = { { NULL, "V4.18_P1.0." } },
		.keeps_lost = true,
		.deletes_late = true,
		.joins_by_bssid = true,
		.quotes = true,
		.escapes = "\"",
		/* What one does there that is not before a quote its manual does not say. */
		.ambiguous = { "\\" },
		.param_max = ATW_CMD_MAX,
	}, {
		/* The vendor's open SDK, whose AT commands are 1.0.0, and what is built of it. */
		.profile = ATWIFI_PROFILE_MIDDLEWARE,
		.known_by = { { "1.", NULL }, { "release/", "P23." } },
		/* Each print takes the lock by itself. */
		.torn_before = UINT_MAX,
		.narrow_ids = true,
		.short_guard = true,
		.joins_by_bssid = true,
		.quotes = true,
		.escapes = ",\"",
		.param_max = 127,
	}, {
		.profile = ATWIFI_PROFILE_CLASSIC,
		.known_by = { { "release/", NULL }, { "V4.18_P2.", NULL } },
		/* Until Combo P2.23.1. */
		.torn_before = 23,
		/* A BW16 that has joined a network, though its vendor speaks of servers. */
		.servers_doubted_on = "amebad",
		.dual_band_on = "amebad",
		.joins_by_bssid = true,
		.escapes = ",\"\\",
		.param_max = ATW_CMD_MAX,
	}, {
		.profile = ATWIFI_PROFILE_UNKNOWN,
		.narrow_ids = true,
		.deletes_late = true,
		.escapes = "",
		.ambiguous = { ",", "\"", "\\" },
		.param_max = 127,
	},
};

/**
 * atw_firmware_find() - which family it is of
 * @at: the version of its AT commands; "" if it is not told
 * @firmware: its own version, likewise
 *
 * Return: the family.
 */
const struct atw_firmware *atw_firmware_find(const char *at, const char *firmware)
{
	const struct atw_firmware *fw;
	unsigned int k;

	for (fw = atw_firmwares; fw->profile != ATWIFI_PROFILE_UNKNOWN; fw++) {
		for (k = 0; k < ARRAY_SIZE(fw->known_by); k++) {
			const char *begin = fw->known_by[k].at;
			const char *part = fw->known_by[k].firmware;

			if ((begin || part) &&
			    (!begin || !strncmp(at, begin, strlen(begin))) &&
			    (!part || strstr(firmware, part)))
				return fw;
		}
	}
	return fw;
}

/**
 * atw_firmware_tears() - does it print between the parts of a payload?
 * @fw: its family
 * @at: the version of its AT commands; "" if it is not told
 *
 * Of others it is not known until it was seen.
 *
 * Return: true if it is known to.
 */
bool atw_firmware_tears(const struct atw_firmware *fw, const char *at)
{
	const char *minor;
	u32 n;

	if (!fw->torn_before || fw->torn_before == UINT_MAX)
		return fw->torn_before;
	/* "release/V4.18_P2.19.1", and before that "release/v2.11.2" */
	minor = strstr(at, "_P2.");
	if (minor)
		minor += strlen("_P2.");
	else if (!strncmp(at, "release/v2.", 11))
		minor = at + 11;
	return minor && atw_parse_uint(&minor, U32_MAX, &n) && n < fw->torn_before;
}

/**
 * atw_firmware_is_on() - does what is known of a family for one SDK alone hold for a module?
 * @begin: how the version of that SDK begins, NULL: it is known of none
 * @sdk: the version of the module's; "" if it is not told
 *
 * Return: true if it does.
 */
bool atw_firmware_is_on(const char *begin, const char *sdk)
{
	return begin && !strncasecmp(sdk, begin, strlen(begin));
}
