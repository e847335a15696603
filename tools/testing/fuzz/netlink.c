// SPDX-License-Identifier: GPL-2.0-only
/* Messages of a kernel that says anything, to the library: nothing but them is read. */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "netlink.h"

#define FAMILY	0x1a

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct atwifi_devices d = { .name = size & 1 ? "atw0" : NULL };
	struct atwifi_answer answer;
	int family;
	u8 *buf;

	fuzz_count(size);
	buf = malloc(size);
	memcpy(buf, data, size);
	family = atwifi_parse_family(buf, size);
	if (family > 0xffff || (family < 0 && errno <= 0))
		DIE("family %d, errno %d", family, errno);
	if (atwifi_parse_answer(buf, size, FAMILY, &answer) &&
	    (answer.error < 0 || answer.error > 4095 || (answer.error && answer.address.s_addr)))
		DIE("error %d", answer.error);
	atwifi_parse_devices(buf, size, FAMILY, &d);
	if (d.error < 0 || d.error > 4095 || (d.error && !d.done) || (d.joined && !d.found))
		DIE("error %d of the list", d.error);
	free(buf);
	return 0;
}
