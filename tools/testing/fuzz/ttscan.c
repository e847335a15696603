// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transparent mode: no byte is lost or made up between what came and what is passed
 * on, however it was cut, and what is held is an opening.
 */
#include <string.h>

#include "fuzz.h"
#include "ttscan.h"

/* Returns how many bytes came out; what was not passed on is left in @s. */
static size_t scan(struct atw_tt_scan *s, const u8 *data, size_t size, u32 cut, u8 *out,
		   size_t *taken)
{
	size_t at = 0, n = 0, got, end;

	*taken = size;
	while (at < size && !s->hit) {
		end = size;
		if (cut) {
			cut = cut * 1103515245 + 12345;
			end = at + 1 + (cut >> 20 & 31);
			if (end > size)
				end = size;
		}
		while (at < end && !s->hit) {
			got = 0;
			at += atw_tt_scan(s, data + at, end - at, out + n, &got);
			n += got;
		}
	}
	*taken = at;
	return n;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct atw_tt_scan a, b;
	size_t na, nb, ta, tb, n, behind = 0;
	u8 *out_a, *out_b, how;
	const char *ok;
	char lit[5] = "";
	const u8 *q;
	long p;

	fuzz_count(size);
	if (size < 2)
		return 0;
	how = *data++;
	size--;
	out_a = malloc(size + ATW_TT_TAIL_MAX);
	out_b = malloc(size + ATW_TT_TAIL_MAX);
	atw_tt_scan_init(&a, how & 1);
	atw_tt_scan_init(&b, how & 1);
	a.leaving = b.leaving = how & 2;
	na = scan(&a, data, size, 0, out_a, &ta);
	nb = scan(&b, data, size, how | 1, out_b, &tb);
	if (na != nb || ta != tb || a.hit != b.hit || a.tail_len != b.tail_len ||
	    memcmp(out_a, out_b, na) || memcmp(a.tail, b.tail, a.tail_len))
		DIE("the pieces make a difference");
	if (na + a.tail_len != ta || memcmp(out_a, data, na) ||
	    memcmp(a.tail, data + na, a.tail_len))
		DIE("bytes were lost, or made up");
	nb = atw_tt_scan_flush(&a, out_b);
	if (nb > a.tail_len || memcmp(out_b, a.tail, nb))
		DIE("other bytes were held than came");

	memcpy(lit, data, size < 4 ? size : 4);
	if (strlen(lit)) {
		p = atw_tt_find(data, size, how % (size + 1), lit);
		q = memmem(data + how % (size + 1), size - how % (size + 1), lit,
			   strlen(lit));
		if (p != (q ? q - data : ATW_TT_WAIT))
			DIE("%ld was found", p);
		p = atw_tt_split(data, size, how % (size + 1), lit, &behind);
		if (p != ATW_TT_WAIT && behind > size)
			DIE("an end at %zu", behind);
		ok = behind - p == strlen(ATW_TT_OK) ? ATW_TT_OK : ATW_TT_PLUS_OK;
		n = strlen(ok);
		if (p >= 0 && (behind - p != n || memcmp(data + p, ok, n)))
			DIE("no OK at %ld", p);
	}
	atw_tt_is_end(data, size, how);
	p = atw_tt_find_event(data, size);
	if (p != ATW_TT_WAIT && (p < 0 || (size_t)p >= size))
		DIE("an event at %ld", p);
	free(out_a);
	free(out_b);
	return 0;
}
