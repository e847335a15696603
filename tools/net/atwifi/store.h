/* SPDX-License-Identifier: GPL-2.0-only */
/* The passphrases that atwctl keeps. */
#ifndef ATWCTL_STORE_H
#define ATWCTL_STORE_H

#include <stdbool.h>
#include <stddef.h>

#define STORE_DIR	"/etc/atwifi"
#define STORE_FILE	STORE_DIR "/passwords"
/* Of the file: it is refused where it has more. */
#define STORE_MAX	65536

int store_list(bool json);
int store_put(const char *ssid, const char *passphrase);
int store_forget(const char *ssid);

#endif
