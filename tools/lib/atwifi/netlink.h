/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel says: apart from who receives it, so that anything can be tried on it. */
#ifndef LIBATWIFI_NETLINK_H
#define LIBATWIFI_NETLINK_H

#include <stdbool.h>
#include <stddef.h>

#include "libatwifi.h"

/**
 * struct atwifi_devices - what is known of devices after a part of their list
 * @name: of interest is this one, NULL: any
 * @found: there is one
 * @joined: one has joined
 * @done: that was all
 * @error: an errno that ended the list
 */
struct atwifi_devices {
	const char	*name;
	bool		found;
	bool		joined;
	bool		done;
	int		error;
};

int atwifi_parse_family(const void *buf, size_t len);
bool atwifi_parse_answer(const void *buf, size_t len, int family, struct atwifi_answer *answer);
void atwifi_parse_devices(const void *buf, size_t len, int family, struct atwifi_devices *d);

#endif
