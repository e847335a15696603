/* SPDX-License-Identifier: GPL-2.0-only */
/* systemd-resolved's question before it asks servers, from version 259 on: JSON, by Varlink. */
#ifndef ATWIFID_HOOK_H
#define ATWIFID_HOOK_H

#include <stddef.h>
#include <stdint.h>

#include "dns.h"

/* Of a call, which may have the same name in several forms, and of an answer. */
#define HOOK_CALL_MAX	4096
#define HOOK_ANSWER_MAX	512

/**
 * enum hook_todo - what a call is to be answered by
 * @HOOK_CLOSE: nothing: it is no call
 * @HOOK_UNKNOWN: that there is no such method
 * @HOOK_PASS: that servers are to be asked
 * @HOOK_NO_IPV6: that there is none, where there is an IPv4 address
 * @HOOK_ADDRESS: the IPv4 address
 */
enum hook_todo {
	HOOK_CLOSE,
	HOOK_UNKNOWN,
	HOOK_PASS,
	HOOK_NO_IPV6,
	HOOK_ADDRESS,
};

enum hook_todo hook_parse(const char *call, size_t len, struct dns_query *q);
size_t hook_reply(enum hook_todo todo, const struct dns_query *q, const struct dns_answer *answer,
		  char *text);

#endif
