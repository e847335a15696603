/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libatwifi: the sockets and the names of a Wi-Fi module that speaks the Ai-Thinker combo
 * AT command set. See libatwifi(3).
 */
#ifndef LIBATWIFI_H
#define LIBATWIFI_H

#include <netinet/in.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Flags of atwifi_open(). */
#define ATWIFI_OPEN_DATAGRAM	0x01	/* UDP instead of TCP */
#define ATWIFI_OPEN_TLS		0x02	/* the module's TLS */
#define ATWIFI_OPEN_UNVERIFIED	0x04	/* although the module has no CA to verify by */
#define ATWIFI_OPEN_NONBLOCK	0x08	/* O_NONBLOCK, and connect() may still go on */

struct atwifi_resolver;

/**
 * struct atwifi_answer - what became of a question
 * @id: which, from atwifi_resolver_ask()
 * @error: 0, or an errno as of atwifi_resolve()
 * @address: where that is 0
 */
struct atwifi_answer {
	uint32_t	id;
	int		error;
	struct in_addr	address;
};

int atwifi_family(void);
int atwifi_open(const char *device, const char *host, uint16_t port, unsigned int flags);
int atwifi_connect(int fd, const char *host, uint16_t port);

int atwifi_ready(const char *device);
int atwifi_resolve(const char *device, const char *host, struct in_addr *address,
		   int timeout_ms);
const char *atwifi_resolve_error(int error);

struct atwifi_resolver *atwifi_resolver_new(void);
void atwifi_resolver_free(struct atwifi_resolver *r);
int atwifi_resolver_fd(const struct atwifi_resolver *r);
int atwifi_resolver_ask(struct atwifi_resolver *r, const char *device, const char *host,
			uint32_t *id);
int atwifi_resolver_next(struct atwifi_resolver *r, struct atwifi_answer *answer);

#ifdef __cplusplus
}
#endif

#endif
