// SPDX-License-Identifier: GPL-2.0-only
/*
 * Numbers of connections, and what damage makes of them.
 *
 * The protocol has no checksums: a byte that the UART loses or changes in the
 * header of a payload can make it another connection's. Numbers that the driver
 * gives are code words, none of which becomes another one so. The module numbers
 * the connections that it accepts by itself, 1, 2, 3, ...: among these such
 * damage cannot be seen, but they can be kept away from the code words.
 */
#include <linux/kernel.h>

#include "id.h"

/**
 * atw_id_is_code_word() - may the driver give this number?
 * @id: the number
 *
 * Three digits, whose weighted sum is a multiple of ten. The weights have no
 * factor in common with ten, so no wrong digit makes another code word; a lost
 * or an added one makes a number of another length.
 *
 * Return: true if so
 */
bool atw_id_is_code_word(u32 id)
{
	return id >= ATW_ID_MIN && id <= ATW_ID_MAX &&
	       (id / 100 + 3 * (id / 10 % 10) + 7 * (id % 10)) % 10 == 0;
}

/**
 * atw_id_near() - can one damaged byte make one number of the other?
 * @a: a number
 * @b: another
 *
 * Return: true if their digits differ in one place, or one has one more
 */
bool atw_id_near(u32 a, u32 b)
{
	char text[2][12];
	const char *s = text[0], *l = text[1];
	int ns, nl;

	ns = scnprintf(text[0], sizeof(text[0]), "%u", a);
	nl = scnprintf(text[1], sizeof(text[1]), "%u", b);
	if (ns > nl) {
		swap(s, l);
		swap(ns, nl);
	}
	if (nl - ns > 1)
		return false;
	while (*s && *s == *l) {
		s++;
		l++;
	}
	/* Past the first difference all must be the same. */
	l++;
	if (ns == nl && *s)
		s++;
	while (*s && *s == *l) {
		s++;
		l++;
	}
	return !*s;
}
