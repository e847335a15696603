/* SPDX-License-Identifier: GPL-2.0-only */
/* The network that a module is to be in. */
#ifndef _ATWIFI_JOIN_H
#define _ATWIFI_JOIN_H

#include <linux/if_ether.h>

#include "parse.h"

struct atw_module;

/**
 * struct atw_join - a network
 * @ssid: its name, without a NUL in it
 * @password: "" where it is open; never the key, of 64 digits
 * @bssid: its access point, or zeros: any, as with firmware that cannot be told
 */
struct atw_join {
	char	ssid[ATW_SSID_MAX + 1];
	char	password[64];
	u8	bssid[ETH_ALEN];
};

int atw_join_check(const struct atw_module *m, const struct atw_join *join);
int atw_join_exec(struct atw_module *m, const struct atw_join *join, u32 *code);
void atw_join_keep(struct atw_module *m, const struct atw_join *join);
void atw_join_forget(struct atw_module *m);
void atw_join_look(struct atw_module *m, bool up);
void atw_join_out(struct atw_module *m);
bool atw_join_wanted(const struct atw_module *m);
bool atw_join_again(struct atw_module *m);

#endif
