/* SPDX-License-Identifier: GPL-2.0 */
/* The module as a whole: bring-up, capabilities, Wi-Fi link, recovery. */
#ifndef _ATWIFI_MODULE_H
#define _ATWIFI_MODULE_H

#include "channel.h"
#include "conn.h"

enum atw_module_state {
	ATW_MODULE_PROBING,	/* does not answer, or not yet */
	ATW_MODULE_DOWN,	/* answers, not joined */
	ATW_MODULE_JOINED,
};

/**
 * struct atw_module - the module of a device
 * @state, @addr, @gateway, @mac, @firmware, @baud: written by the channel's
 *	thread alone, read anywhere with READ_ONCE() (strings: as they are)
 */
struct atw_module {
	struct device		*dev;
	struct atw_channel	ch;
	struct atw_conns	conns;

	enum atw_module_state	state;
	enum atw_profile	profile;
	u32			addr;
	u32			gateway;
	u8			mac[6];
	unsigned int		baud;
	char			firmware[64];
	char			at_version[64];

	bool			restart;	/* bring it up (again) */
	bool			link_event;	/* ask for the link's state */
	unsigned long		next_probe;
	unsigned long		next_link;
	unsigned int		failures;
	bool			told;
	bool			echo_off;

	u64			bringups;
	u64			reboots;
};

int atw_module_start(struct atw_module *m, struct atw_transport *t,
		     struct device *dev);
void atw_module_stop(struct atw_module *m);
const char *atw_module_state_name(const struct atw_module *m);

#endif
