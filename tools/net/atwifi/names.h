/* SPDX-License-Identifier: GPL-2.0-only */
/* Which names are no module's to know, for those who are asked for names. */
#ifndef ATWIFI_NAMES_H
#define ATWIFI_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Of a name without the dot that makes it a complete one. */
static inline size_t name_length(const char *name)
{
	size_t len = strlen(name);

	return len > 1 && name[len - 1] == '.' ? len - 1 : len;
}

/*
 * Names are of ASCII in whichever locale a program is: to the C library, in Turkish, 'I' is no 'i',
 * and bytes of an older character set are letters.
 */
static inline char name_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static inline bool name_is_below(const char *name, const char *domain)
{
	size_t len = name_length(name), n = strlen(domain), i;

	if (len < n || (len > n && name[len - n - 1] != '.'))
		return false;
	for (i = 0; i < n; i++)
		if (name_lower(name[len - n + i]) != domain[i])
			return false;
	return true;
}

/*
 * Names that other services know: of one label without a dot, such as this machine's own, or what
 * a search domain makes whole; those of multicast DNS (RFC 6762); and what systemd knows as another
 * "localhost".
 */
static inline bool name_is_for_others(const char *name)
{
	return !strchr(name, '.') || name_is_below(name, "local") ||
	       name_is_below(name, "localhost.localdomain");
}

#endif
