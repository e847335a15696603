// SPDX-License-Identifier: GPL-2.0-only
/* Firmware is known by its versions. */
#include <kunit/test.h>

#include "../firmware.h"

struct release {
	const char		*at, *sdk, *firmware;
	enum atwifi_profile	profile;
	bool			tears, may_not_serve, dual_band;
};

static const struct release releases[] = {
	{ "1.0.0", "release_bl_iot_sdk_1.6.40", "V4.18_P1.1.0",
	  ATWIFI_PROFILE_MIDDLEWARE, true, false, false },
	{ "release/V4.18_P23.2.1", "release_bl_iot_sdk_1.6.40", "V4.18_P23.2.1",
	  ATWIFI_PROFILE_MIDDLEWARE, true, false, false },
	{ "1.0.0", "release/DEBUG", "release/V4.18_P0.0.1",
	  ATWIFI_PROFILE_MIDDLEWARE, true, false, false },
	{ "release/V4.18_P2.19.1", "release_bl_iot_sdk_1.6.36", "V4.18_P1.4.4-e15d67b",
	  ATWIFI_PROFILE_CLASSIC, true, false, false },
	{ "release/V4.18_P2.31.1", "release_bl_iot_sdk_1.6.36", "V4.18_P2.5.1",
	  ATWIFI_PROFILE_CLASSIC, false, false, false },
	{ "release/V4.18_P2.29.2", "amebad_v6.2C", "release/V4.18_P5.6.4",
	  ATWIFI_PROFILE_CLASSIC, false, true, true },
	{ "release/v2.11.2", "amebad_v6.2C", "release/v4.9.2",
	  ATWIFI_PROFILE_CLASSIC, true, true, true },
	{ "V4.18_P2.1.0", "amebaD", "V4.18_P2.1.0", ATWIFI_PROFILE_CLASSIC, true, true, true },
	{ "release/V4.18_P1.0.22", "amebaD-6.2c", "V4.18_P1.0.22",
	  ATWIFI_PROFILE_BW20, false, false, false },
	/* One that has lost its tongue, and ones that nobody has seen. */
	{ "", "", "", ATWIFI_PROFILE_UNKNOWN, false, false, false },
	{ "2.0.0", "", "V5.0", ATWIFI_PROFILE_UNKNOWN, false, false, false },
};

static void firmware_by_version(struct kunit *test)
{
	const struct atw_firmware *fw;
	const struct release *r;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(releases); i++) {
		r = &releases[i];
		fw = atw_firmware_find(r->at, r->firmware);
		KUNIT_EXPECT_EQ_MSG(test, r->profile, fw->profile, "%s", r->firmware);
		KUNIT_EXPECT_EQ_MSG(test, r->tears,
				    atw_firmware_tears(fw, r->at),
				    "%s", r->firmware);
		KUNIT_EXPECT_EQ_MSG(test, r->may_not_serve,
				    atw_firmware_is_on(fw->servers_doubted_on, r->sdk),
				    "%s", r->firmware);
		KUNIT_EXPECT_EQ_MSG(test, r->dual_band,
				    atw_firmware_is_on(fw->dual_band_on, r->sdk),
				    "%s", r->firmware);
	}
}

static struct kunit_case firmware_cases[] = {
	KUNIT_CASE(firmware_by_version),
	{}
};

static struct kunit_suite firmware_suite = {
	.name = "atwifi_firmware",
	.test_cases = firmware_cases,
};

kunit_test_suites(&firmware_suite);
