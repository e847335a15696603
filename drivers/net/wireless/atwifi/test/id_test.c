// SPDX-License-Identifier: GPL-2.0-only
/* Numbers of connections: one damaged byte never makes one of another. */
#include <kunit/test.h>

#include "../id.h"

static void id_code_words(struct kunit *test)
{
	u32 a, b, n = 0;

	KUNIT_EXPECT_FALSE(test, atw_id_is_code_word(0));
	KUNIT_EXPECT_FALSE(test, atw_id_is_code_word(ATW_ID_MAX + 1));
	for (a = 0; a < 1000; a++) {
		if (!atw_id_is_code_word(a))
			continue;
		n++;
		KUNIT_EXPECT_GE(test, a, (u32)ATW_ID_MIN);
		KUNIT_EXPECT_LE(test, a, (u32)ATW_ID_MAX);
		for (b = 0; b < 1000; b++) {
			if (a == b || !atw_id_is_code_word(b))
				continue;
			KUNIT_EXPECT_FALSE_MSG(test, atw_id_near(a, b),
					       "%u and %u", a, b);
		}
	}
	/* More than any module has sockets. */
	KUNIT_EXPECT_GE(test, n, 12U);
}

static void id_near(struct kunit *test)
{
	static const struct {
		u32 a, b;
		bool near;
	} cases[] = {
		{ 1, 2, true }, { 1, 1, true }, { 1, 10, true },
		{ 1, 21, true }, { 1, 100, false }, { 12, 21, false },
		{ 12, 13, true }, { 12, 112, true }, { 12, 132, true },
		{ 12, 123, true }, { 12, 213, false }, { 13, 100, false },
		{ 10, 100, true }, { 100, 109, true }, { 100, 209, false },
		{ 255, 256, true }, { 199, 200, false }, { 0, 7, true },
		{ 4294967295U, 429496729U, true },
		{ 4294967295U, 4294967294U, true },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		KUNIT_EXPECT_EQ_MSG(test, cases[i].near,
				    atw_id_near(cases[i].a, cases[i].b),
				    "%u and %u", cases[i].a, cases[i].b);
		KUNIT_EXPECT_EQ_MSG(test, cases[i].near,
				    atw_id_near(cases[i].b, cases[i].a),
				    "%u and %u", cases[i].b, cases[i].a);
	}
}

static struct kunit_case id_cases[] = {
	KUNIT_CASE(id_code_words),
	KUNIT_CASE(id_near),
	{ }
};

static struct kunit_suite id_suite = {
	.name = "atwifi_id",
	.test_cases = id_cases,
};

kunit_test_suites(&id_suite);
