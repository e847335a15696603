/* SPDX-License-Identifier: GPL-2.0-only */
/* Certificates and the key that the module stores for TLS. */
#ifndef _ATWIFI_CERT_H
#define _ATWIFI_CERT_H

#include <linux/types.h>

struct atw_channel;

/* The firmware refuses 2048 bytes. */
#define ATW_CERT_MAX	2047

/* As AT+SSLCRET numbers them. */
enum atw_cert {
	ATW_CERT_CA = 1,
	ATW_CERT_OWN = 2,
	ATW_CERT_KEY = 3,
};

int atw_cert_check(enum atw_cert which, const u8 *pem, size_t len,
		   const char **why);

/* cert_at.c */
int atw_cert_read(struct atw_channel *ch, enum atw_cert which, u8 *buf,
		  size_t size);

#endif
