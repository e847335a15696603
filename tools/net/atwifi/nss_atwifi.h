/* SPDX-License-Identifier: GPL-2.0-only */
/* What the C library calls of libnss_atwifi.so.2, for which it has no header itself. */
#ifndef NSS_ATWIFI_H
#define NSS_ATWIFI_H

#include <netdb.h>
#include <nss.h>
#include <stddef.h>
#include <stdint.h>

enum nss_status _nss_atwifi_gethostbyname4_r(const char *name, struct gaih_addrtuple **pat,
					     char *buffer, size_t size, int *errnop,
					     int *herrnop, int32_t *ttlp);
enum nss_status _nss_atwifi_gethostbyname3_r(const char *name, int af, struct hostent *host,
					     char *buffer, size_t size, int *errnop,
					     int *herrnop, int32_t *ttlp, char **canonp);
enum nss_status _nss_atwifi_gethostbyname2_r(const char *name, int af, struct hostent *host,
					     char *buffer, size_t size, int *errnop,
					     int *herrnop);
enum nss_status _nss_atwifi_gethostbyname_r(const char *name, struct hostent *host,
					    char *buffer, size_t size, int *errnop,
					    int *herrnop);

#endif
