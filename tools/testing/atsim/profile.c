// SPDX-License-Identifier: GPL-2.0-only
/*
 * The firmware families.  A family is a table of traits; any trait can be
 * changed on the command line, since no two releases agree on all of them.
 */
#include <stdlib.h>
#include <string.h>

#include "atsim.h"

/* A family is one entry here, and one in the manual page; help and tests read these. */
static const struct profile profiles[] = {
	{
		/* every byte of it is known */
		.name = "middleware",
		.about = "the vendor's open SDK",
		.arch = "BL602",
		.at_version = "1.0.0",
		.sdk_version = "release_bl_iot_sdk_1.6.40",
		.sdk_banner = "release_bl_iot_sdk_1.6.40",
		.fw_version = "V4.18_P1.1.0",
		.compile_time = "May 30 2023 10:28:28",
		.tt_guard = 20,
		.tokeniser = TOK_S,
		.line_limit = 255,
		.param_limit = 127,
		.join_why = 1,
		.join_order = JOIN_CONNECT_OK_IP,
		.error_at = 1,
		.drop_foreign = 1,
		.send_silent = 1,
		.send_narrow = 1,
		.seed_told = SEED_EVENT,
		.seed_autodel = 1,
		.seed_peer = 1,
		.mac_bare = 1,
		.domain_cr = 1,
		.tt_announce = 1,
	}, {
		.name = "p23",
		.about = "a shipped release of that, for Ai-WB2",
		.arch = "BL602",
		.at_version = "release/V4.18_P23.2.1",
		.sdk_version = "release_bl_iot_sdk_1.6.40",
		.sdk_banner = "release_bl_iot_sdk_1.6.40",
		.fw_version = "V4.18_P23.2.1",
		.compile_time = "May 30 2023 10:28:28",
		.tt_guard = 20,
		.tokeniser = TOK_S,
		.line_limit = 255,
		.param_limit = 127,
		.join_why = 1,
		.join_order = JOIN_CONNECT_OK_IP,
		.drop_foreign = 1,
		.send_silent = 1,
		.send_narrow = 1,
		.seed_told = SEED_EVENT,
		.seed_autodel = 1,
		.seed_peer = 1,
		.del_autodel = 1,
		.tt_announce = 1,
		.has_stainfo = 1,
		.has_wdisconnect = 1,
		.has_sysmsg = 1,
	}, {
		/* its other traits are taken to be those of p23 */
		.name = "m61",
		.about = "the same on Ai-M61 and Ai-M62",
		.arch = "BL616",
		.at_version = "1.0.0",
		.sdk_version = "release/DEBUG",
		.sdk_banner = "release/DEBUG",
		.fw_version = "release/V4.18_P0.0.1",
		.compile_time = "May 30 2023 10:28:28",
		.banner = BANNER_NO_BLE,
		.tt_guard = 20,
		.tokeniser = TOK_S,
		.line_limit = 255,
		.param_limit = 127,
		.join_why = 1,
		.join_order = JOIN_CONNECT_OK_IP,
		.drop_foreign = 1,
		.send_silent = 1,
		.send_narrow = 1,
		.seed_told = SEED_EVENT,
		.seed_autodel = 1,
		.seed_peer = 1,
		.del_autodel = 1,
		.tt_announce = 1,
		.has_stainfo = 1,
		.has_wdisconnect = 1,
		.has_sysmsg = 1,
	}, {
		.name = "classic",
		.about = "the closed firmware of Ai-WB2",
		.arch = "BL602",
		.at_version = "release/V4.18_P2.19.1",
		.sdk_version = "release_bl_iot_sdk_1.6.36",
		.sdk_banner = "release/release_bl_iot_sdk_1.6.36",
		.fw_version = "V4.18_P1.4.4-e15d67b",
		.compile_time = "Nov 25 2022 11:22:39",
		.tt_guard = 20,
		.tokeniser = TOK_G,
		.line_limit = 256,
		.param_limit = 256,
		.join_order = JOIN_CONNECT_OK_IP,
		.rejoins = 1,
		.unknown_whole = 1,
		.busy = 1,
		.seed_told = SEED_EVENT,
		.seed_autodel = 1,
		.tt_urc = 1,
		.has_wdisconnect = 1,
	}, {
		.name = "bw16",
		.about = "the closed firmware of BW16",
		.arch = "RTL8720DN",
		.at_version = "release/V4.18_P2.29.2",
		.sdk_version = "amebad_v6.2C",
		.sdk_banner = "amebad_v6.2C",
		.fw_version = "release/V4.18_P5.6.4",
		.compile_time = "May 30 2023-10:28:28",
		.banner = BANNER_ONE_LINE,
		.tt_guard = 20,
		.tokeniser = TOK_G,
		.line_limit = 256,
		.param_limit = 256,
		.join_order = JOIN_CONNECT_IP_OK,
		.unknown_whole = 1,
		.busy = 1,
		.no_servers = 1,
		.seed_told = SEED_EVENT,
		.seed_autodel = 1,
		.tt_urc = 1,
		.has_wdisconnect = 1,
		.has_flow = 1,
	}, {
		.name = "bw20",
		.about = "the firmware of BW20",
		.arch = "BW20",
		.at_version = "release/V4.18_P1.0.22",
		.sdk_version = "amebaD-6.2c",
		.sdk_banner = "amebaD-6.2c",
		.fw_version = "V4.18_P1.0.22",
		.compile_time = "May 30 2023 10:28:28",
		.tt_guard = 20,
		.tokeniser = TOK_K,
		.line_limit = 1023,
		.param_limit = 1023,
		.join_order = JOIN_CONNECT_IP_OK,
		.any_case = 1,
		.unknown_whole = 1,
		.busy = 1,
		.seed_told = SEED_EVENT,
		.del_lingers = 1,
		.has_stainfo = 1,
		.has_wdisconnect = 1,
		.has_sysmsg = 1,
		.has_socket2 = 1,
	},
};

#define TRAIT(name, field, max) { name, offsetof(struct profile, field), max }

static const struct trait {
	const char *name;
	size_t offset;
	int max;
} traits[] = {
	TRAIT("tokeniser", tokeniser, TOK_K),
	TRAIT("line-limit", line_limit, LINE_SIZE - 1),
	TRAIT("param-limit", param_limit, LINE_SIZE - 1),
	TRAIT("join-order", join_order, JOIN_OK_CONNECT_IP),
	TRAIT("error-at", error_at, 1),
	TRAIT("ok-plus", ok_plus, 1),
	TRAIT("error-bare", error_bare, 1),
	TRAIT("any-case", any_case, 1),
	TRAIT("drop-foreign", drop_foreign, 1),
	TRAIT("unknown-whole", unknown_whole, 1),
	TRAIT("busy", busy, 1),
	TRAIT("send-silent", send_silent, 1),
	TRAIT("send-narrow", send_narrow, 1),
	TRAIT("no-servers", no_servers, 1),
	TRAIT("dissconnect", dissconnect, 1),
	TRAIT("read-colon", read_colon, 1),
	TRAIT("seed-told", seed_told, SEED_SHORT),
	TRAIT("seed-autodel", seed_autodel, 1),
	TRAIT("seed-peer", seed_peer, 1),
	TRAIT("del-autodel", del_autodel, 1),
	TRAIT("del-lingers", del_lingers, 1),
	TRAIT("mac-bare", mac_bare, 1),
	TRAIT("join-why", join_why, 1),
	TRAIT("rejoins", rejoins, 1),
	TRAIT("domain-cr", domain_cr, 1),
	TRAIT("keeps-dns", keeps_dns, 1),
	TRAIT("keeps-network", keeps_network, 1),
	TRAIT("lost-first", lost_first, 1),
	TRAIT("tt-urc", tt_urc, 1),
	TRAIT("tt-announce", tt_announce, 1),
	TRAIT("tt-guard", tt_guard, 2000),
	TRAIT("stainfo", has_stainfo, 1),
	TRAIT("wdisconnect", has_wdisconnect, 1),
	TRAIT("sysmsg", has_sysmsg, 1),
	TRAIT("socket2", has_socket2, 1),
	TRAIT("flow-control", has_flow, 1),
	TRAIT("banner", banner, BANNER_NONE),
	TRAIT("boot-recv", boot_recv, 2),
	TRAIT("mute-boot", mute_boot, 1),
	TRAIT("ping-word", ping_word, 1),
	TRAIT("send-max", send_max, 65535),
	TRAIT("uart-told", uart_told, 2000000000),
};

static int *trait_field(struct profile *p, const struct trait *t)
{
	return (int *)((char *)p + t->offset);
}

/**
 * profile_load() - take a firmware family's traits
 * @p: filled in
 * @name: of the family
 *
 * Return: 0, or -1 when there is no such family.
 */
int profile_load(struct profile *p, const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(profiles); i++) {
		if (!strcmp(profiles[i].name, name)) {
			*p = profiles[i];
			return 0;
		}
	}
	return -1;
}

/**
 * profile_quirk() - change one trait
 * @p: the profile
 * @spec: "trait=value"
 *
 * Return: 0, or -1 when trait or value do not exist.
 */
int profile_quirk(struct profile *p, const char *spec)
{
	const char *value = strchr(spec, '=');
	size_t i;
	long n;

	if (!value)
		return -1;
	for (i = 0; i < ARRAY_SIZE(traits); i++) {
		if (strlen(traits[i].name) != (size_t)(value - spec) ||
		    strncmp(traits[i].name, spec, value - spec))
			continue;
		if (!at_number(value + 1, 0, traits[i].max, &n))
			return -1;
		*trait_field(p, &traits[i]) = n;
		return 0;
	}
	return -1;
}

/**
 * profile_list() - print what families there are
 * @f: where to
 */
void profile_list(FILE *f)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(profiles); i++)
		fprintf(f, "  %-17s %s, %s\n", profiles[i].name, profiles[i].about,
			profiles[i].fw_version);
}

/**
 * profile_help() - print the traits of every family as a table
 * @f: where to
 */
void profile_help(FILE *f)
{
	struct profile p;
	size_t i, j;

	fprintf(f, "%-14s", "trait");
	for (j = 0; j < ARRAY_SIZE(profiles); j++)
		fprintf(f, " %11s", profiles[j].name);
	for (i = 0; i < ARRAY_SIZE(traits); i++) {
		fprintf(f, "\n%-14s", traits[i].name);
		for (j = 0; j < ARRAY_SIZE(profiles); j++) {
			p = profiles[j];
			fprintf(f, " %11d", *trait_field(&p, &traits[i]));
		}
	}
	fprintf(f, "\n");
}
