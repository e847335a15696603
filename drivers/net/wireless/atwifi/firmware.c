// SPDX-License-Identifier: GPL-2.0
/*
 * What a module's versions tell of its firmware.
 */
#ifdef __KERNEL__
#include <linux/limits.h>
#include <linux/string.h>
#else
#include <stdint.h>
#include <string.h>
#include <strings.h>
#define U32_MAX		UINT32_MAX
#endif

#include "firmware.h"
#include "parse.h"

/**
 * atw_firmware_profile() - which family it is of
 * @at: the version of its AT commands; "" if it is not told
 * @firmware: its own version, likewise
 *
 * Return: the family.
 */
enum atw_profile atw_firmware_profile(const char *at, const char *firmware)
{
	if (strstr(firmware, "V4.18_P1.0."))
		return ATW_PROFILE_BW20;
	if (!strncmp(at, "release/", 8) && !strstr(firmware, "P23."))
		return ATW_PROFILE_CLASSIC;
	return ATW_PROFILE_MIDDLEWARE;
}

/**
 * atw_firmware_tears() - does it print between the parts of a payload?
 * @profile: its family
 * @at: the version of its AT commands; "" if it is not told
 *
 * The classic one did until its Combo P2.23.1; in the rewrite each print takes the
 * lock by itself. Of others it is not known until it was seen.
 *
 * Return: true if it is known to.
 */
bool atw_firmware_tears(enum atw_profile profile, const char *at)
{
	const char *minor;
	u32 n;

	if (profile != ATW_PROFILE_CLASSIC)
		return profile == ATW_PROFILE_MIDDLEWARE;
	/* "release/V4.18_P2.19.1", and before that "release/v2.11.2" */
	minor = strstr(at, "_P2.");
	if (minor)
		minor += strlen("_P2.");
	else if (!strncmp(at, "release/v2.", 11))
		minor = at + 11;
	return minor && atw_parse_uint(&minor, U32_MAX, &n) && n < 23;
}

/**
 * atw_firmware_may_not_serve() - is it one that was seen to have no servers?
 * @profile: its family
 * @sdk: the version of its SDK; "" if it is not told
 *
 * A BW16 that has joined a network was seen to refuse every port, though its vendor
 * speaks of servers.
 *
 * Return: true if it is such a one.
 */
bool atw_firmware_may_not_serve(enum atw_profile profile, const char *sdk)
{
	return profile == ATW_PROFILE_CLASSIC && !strncasecmp(sdk, "amebad", 6);
}
