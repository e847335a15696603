// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/test.h>
#include <linux/errno.h>

#include "../error.h"

static const struct {
	u32 code;
	int err;
} known[] = {
	/* as in the manual */
	{ 1, -EOPNOTSUPP }, { 2, -EOPNOTSUPP }, { 3, -EINVAL }, { 4, -EINVAL },
	{ 5, -EINVAL }, { 31, -EBUSY }, { 33, -ENOMEM }, { 37, -ENOMEM },
	{ 39, -EINVAL }, { 40, -EINVAL }, { 41, -EINVAL }, { 42, -EINVAL },
	{ 43, -EINVAL }, { 45, -EACCES }, { 47, -ENXIO }, { 64, -ENETDOWN },
	{ 65, -ENETDOWN }, { 66, -ENETDOWN }, { 67, -ENETDOWN },
	{ 68, -EACCES }, { 69, -ENETDOWN }, { 71, -ETIMEDOUT },
	{ 73, -ENETDOWN }, { 74, -ENETDOWN }, { 75, -EINVAL }, { 76, -EINVAL },
	{ 95, -ENETDOWN }, { 96, -ENOBUFS }, { 97, -ECONNREFUSED },
	{ 98, -EHOSTUNREACH }, { 99, -ECONNRESET }, { 100, -EOPNOTSUPP },
	{ 101, -ECONNRESET }, { 102, -ECONNRESET }, { 103, -ENOMEM },
	{ 104, -EADDRINUSE }, { 105, -EBUSY }, { 106, -ETIMEDOUT },
	{ 107, -ETIMEDOUT }, { 108, -EPROTO }, { 109, -EKEYREJECTED },
	{ 110, -EADDRINUSE }, { 160, -EPROTO }, { 191, -EPROTO },
	{ 198, -EBUSY },
	/* "all others" there */
	{ 32, -EIO }, { 34, -EIO }, { 35, -EIO }, { 36, -EIO }, { 38, -EIO },
	{ 44, -EIO }, { 46, -EIO }, { 63, -EIO }, { 70, -EIO }, { 72, -EIO },
	{ 127, -EIO }, { 128, -EIO }, { 129, -EIO }, { 130, -EIO },
	{ 131, -EIO }, { 132, -EIO }, { 133, -EIO }, { 159, -EIO },
	{ 192, -EIO }, { 193, -EIO }, { 194, -EIO }, { 195, -EIO },
	{ 196, -EIO }, { 197, -EIO }, { 224, -EIO }, { 225, -EIO },
	{ 226, -EIO }, { 227, -EIO }, { 228, -EIO }, { 229, -EIO },
	{ 230, -EIO }, { 231, -EIO }, { 232, -EIO }, { 233, -EIO },
	{ 234, -EIO }, { 235, -EIO }, { 236, -EIO }, { 237, -EIO },
	/* unknown ones, at and beside the ends of the table */
	{ 0, -EIO }, { 6, -EIO }, { 94, -EIO }, { 238, -EIO },
	{ 4294967295U, -EIO },
};

static void error_errno(struct kunit *test)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		KUNIT_EXPECT_EQ_MSG(test, atw_error_find(known[i].code)->err,
				    known[i].err, "code %u", known[i].code);
}

/* Every number of the module's list is found, so the table is sorted. */
static void error_text(struct kunit *test)
{
	static const u8 ranges[][2] = {
		{ 1, 5 }, { 31, 47 }, { 63, 76 }, { 95, 110 }, { 127, 133 },
		{ 159, 160 }, { 191, 198 }, { 224, 237 },
	};
	const char *none = atw_error_find(0)->text;
	bool listed;
	size_t i;
	u32 code;

	KUNIT_ASSERT_NOT_NULL(test, none);
	for (code = 0; code < 300; code++) {
		listed = false;
		for (i = 0; i < ARRAY_SIZE(ranges); i++)
			if (code >= ranges[i][0] && code <= ranges[i][1])
				listed = true;
		KUNIT_EXPECT_EQ_MSG(test, strcmp(atw_error_find(code)->text, none) != 0,
				    listed, "code %u", code);
		KUNIT_EXPECT_LT(test, atw_error_find(code)->err, 0);
	}
}

/* What the driver acts on, by the numbers of the module's list; nothing else has it act. */
static void error_outcome(struct kunit *test)
{
	static const u8 acted[] = {
		[1] = ATW_UNSUPPORTED, [2] = ATW_UNSUPPORTED, [3] = ATW_BAD_LINE,
		[4] = ATW_BAD_LINE, [5] = ATW_LONG_LINE, [33] = ATW_NO_MEMORY,
		[66] = ATW_NOT_LET_IN, [68] = ATW_NOT_LET_IN, [69] = ATW_NO_NETWORK,
		[74] = ATW_NO_RADIO, [96] = ATW_NO_SOCKET, [97] = ATW_NOT_CONNECTED,
		[98] = ATW_NO_SUCH_NAME, [101] = ATW_NOT_SENT, [104] = ATW_PORT_TAKEN,
		[110] = ATW_ID_TAKEN, [255] = ATW_FAILED,
	};
	u32 code;

	for (code = 0; code < ARRAY_SIZE(acted); code++)
		KUNIT_EXPECT_EQ_MSG(test, (int)atw_error_find(code)->outcome, (int)acted[code],
				    "code %u", code);
}

static struct kunit_case error_cases[] = {
	KUNIT_CASE(error_errno),
	KUNIT_CASE(error_text),
	KUNIT_CASE(error_outcome),
	{}
};

static struct kunit_suite error_suite = {
	.name = "atwifi_error",
	.test_cases = error_cases,
};

kunit_test_suites(&error_suite);
