// SPDX-License-Identifier: GPL-2.0-only
/* DHCP requests of anybody's: the answer is one, and goes to who may have the lease. */
#include <string.h>

#include "fuzz.h"
#include "dhcp.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const u8 mac[6] = { 2, 0, 0, 0, 0, 1 };
	struct atw_lease lease = { .addr = 0xc0a8038e, .gateway = 0xc0a80301 };
	struct atw_dhcp_reply reply;
	size_t at, n;
	u8 *packet;

	fuzz_count(size);
	if (!size)
		return 0;
	if (data[0] & 1)
		lease.gateway = 0;
	if (data[0] & 2)
		lease.mask = 0xffff0000;
	if (data[0] & 4)
		lease.dns[0] = lease.dns[1] = 0x08080808;
	if (data[0] & 8)
		lease.addr = 0;
	packet = malloc(size - 1);
	memcpy(packet, data + 1, size - 1);
	if (atw_dhcp_answer(&lease, mac, packet, size - 1, &reply)) {
		if (!lease.addr || reply.len > sizeof(reply.buf) || reply.len < 300)
			DIE("a reply of %zu bytes", reply.len);
		if (memcmp(reply.buf + 28, mac, sizeof(mac)) || reply.buf[0] != 2)
			DIE("a reply to somebody else");
		for (at = 240; at < reply.len && reply.buf[at] != 255; at += 2 + n) {
			if (at + 2 > reply.len)
				DIE("half an option");
			n = reply.buf[at + 1];
			if (at + 2 + n > reply.len)
				DIE("an option of %zu bytes", n);
		}
		if (at >= reply.len)
			DIE("no end of the options");
	}
	free(packet);
	return 0;
}
