/* SPDX-License-Identifier: GPL-2.0-only */
/* Where passphrases are. */
#ifndef ATWIFI_SOURCES_H
#define ATWIFI_SOURCES_H

#include "secrets.h"

/**
 * typedef sources_fn - is told of a source that knows the network
 * @source: its name
 * @n: so many passphrases that no source before it had
 * @keys: so many keys of which no passphrase is made
 */
typedef void sources_fn(const char *source, unsigned int n, unsigned int keys);

void sources_look(struct secrets *s, sources_fn *fn);

#endif
