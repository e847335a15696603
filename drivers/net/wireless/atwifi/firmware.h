/* SPDX-License-Identifier: GPL-2.0-only */
/* What a module's versions tell of its firmware. Pure, as parse.h. */
#ifndef _ATWIFI_FIRMWARE_H
#define _ATWIFI_FIRMWARE_H

#include <linux/atwifi_genl.h>
#include <linux/types.h>

/**
 * struct atw_firmware - the ways of a family of firmware
 * @profile: what it is called towards user space
 * @known_by: its versions: how that of the AT commands begins, and what is somewhere in
 *	its own; NULL: whatever it is
 * @torn_before: it prints between the parts of a payload before this minor version of
 *	its AT commands; 0: never, UINT_MAX: always
 * @servers_doubted_on: how the version of its SDK begins where it was seen to have no
 *	servers; NULL: it has them
 * @dual_band_on: how the version of its SDK begins where the radio has 5 GHz as well; NULL:
 *	not as far as is known
 * @narrow_ids: it keeps the id of a send in one byte
 * @keeps_lost: an accepted connection that is lost stays until it is deleted, and its
 *	server is of no use until it was opened anew
 * @deletes_late: what a deleted connection has kept takes memory for some time
 * @short_guard: 50 ms of silence before "+++" are enough
 * @joins_by_bssid: a join may name the access point
 * @quotes: a string stands in quotes
 * @escapes: what a backslash is put before, in a string
 * @ambiguous: what is read in two ways, or not known how
 * @param_max: bytes of a parameter, as it stands in the line
 */
struct atw_firmware {
	enum atwifi_profile	profile;
	struct {
		const char	*at;
		const char	*firmware;
	}			known_by[2];
	unsigned int		torn_before;
	const char		*servers_doubted_on;
	const char		*dual_band_on;
	bool			narrow_ids;
	bool			keeps_lost;
	bool			deletes_late;
	bool			short_guard;
	bool			joins_by_bssid;
	bool			quotes;
	const char		*escapes;
	const char		*ambiguous[3];
	unsigned int		param_max;
};

/* The last is ATWIFI_PROFILE_UNKNOWN. */
extern const struct atw_firmware atw_firmwares[];

/* The row of a family. */
static inline const struct atw_firmware *atw_firmware_of(enum atwifi_profile profile)
{
	const struct atw_firmware *fw = atw_firmwares;

	while (fw->profile != profile && fw->profile != ATWIFI_PROFILE_UNKNOWN)
		fw++;
	return fw;
}

const struct atw_firmware *atw_firmware_find(const char *at, const char *firmware);
bool atw_firmware_tears(const struct atw_firmware *fw, const char *at);
bool atw_firmware_is_on(const char *begin, const char *sdk);

#endif
