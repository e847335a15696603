// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel says on a generic-netlink socket. */
#include <errno.h>
#include <string.h>

#include <linux/atwifi_genl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>

#include "netlink.h"

/* The message at @at, which is whole, or NULL; @at becomes the place of the next. */
static const struct nlmsghdr *next_message(const void *buf, size_t len, size_t *at)
{
	const struct nlmsghdr *nl = (const void *)((const char *)buf + *at);

	if (*at >= len || len - *at < NLMSG_HDRLEN || nl->nlmsg_len < NLMSG_HDRLEN ||
	    nl->nlmsg_len > len - *at)
		return NULL;
	*at += NLMSG_ALIGN(nl->nlmsg_len);
	return nl;
}

/* An attribute of a message of generic netlink that has at least @size bytes, or NULL. */
static const void *attribute(const struct nlmsghdr *nl, int type, size_t size, size_t *has)
{
	size_t at = NLMSG_HDRLEN + GENL_HDRLEN;
	const struct nlattr *nla;

	while (at <= nl->nlmsg_len && nl->nlmsg_len - at >= NLA_HDRLEN) {
		nla = (const void *)((const char *)nl + at);
		if (nla->nla_len < NLA_HDRLEN || nla->nla_len > nl->nlmsg_len - at)
			return NULL;
		if ((nla->nla_type & NLA_TYPE_MASK) == type) {
			if (has)
				*has = nla->nla_len - NLA_HDRLEN;
			return nla->nla_len - NLA_HDRLEN >= (int)size ?
			       (const char *)nla + NLA_HDRLEN : NULL;
		}
		at += NLA_ALIGN(nla->nla_len);
	}
	return NULL;
}

/* The errno of an error message; 0 for an acknowledgment, -1 for another message. */
static int error_of(const struct nlmsghdr *nl)
{
	const struct nlmsgerr *e = (const void *)((const char *)nl + NLMSG_HDRLEN);

	if (nl->nlmsg_type != NLMSG_ERROR || nl->nlmsg_len < NLMSG_HDRLEN + sizeof(*e))
		return -1;
	/* It is negative, and the least int cannot be turned. */
	return e->error > 0 || e->error < -4095 ? EPROTO : -e->error;
}

/* How a list has ended: 0, or the errno for which it is not whole. */
static int done_error(const struct nlmsghdr *nl)
{
	const int *error = (const void *)((const char *)nl + NLMSG_HDRLEN);

	if (nl->nlmsg_len < NLMSG_HDRLEN + sizeof(*error))
		return 0;
	return *error > 0 || *error < -4095 ? EPROTO : -*error;
}

/* The number of a family in the answer to CTRL_CMD_GETFAMILY; -1 with an errno. */
int atwifi_parse_family(const void *buf, size_t len)
{
	const struct nlmsghdr *nl;
	const uint16_t *id;
	size_t at = 0;

	nl = next_message(buf, len, &at);
	if (nl && nl->nlmsg_type == NLMSG_ERROR) {
		errno = error_of(nl) > 0 ? error_of(nl) : EPROTO;
		return -1;
	}
	id = nl && nl->nlmsg_type == GENL_ID_CTRL ?
	     attribute(nl, CTRL_ATTR_FAMILY_ID, sizeof(*id), NULL) : NULL;
	if (!id || *id < NLMSG_MIN_TYPE) {
		errno = EPROTO;
		return -1;
	}
	return *id;
}

/* Is that an answer to ATWIFI_CMD_RESOLVE? */
bool atwifi_parse_answer(const void *buf, size_t len, int family, struct atwifi_answer *answer)
{
	const struct nlmsghdr *nl;
	const void *addr;
	size_t at = 0;

	nl = next_message(buf, len, &at);
	if (!nl)
		return false;
	memset(answer, 0, sizeof(*answer));
	answer->id = nl->nlmsg_seq;
	if (nl->nlmsg_type == NLMSG_ERROR) {
		answer->error = error_of(nl);
		return answer->error > 0;
	}
	if (nl->nlmsg_type != family)
		return false;
	addr = attribute(nl, ATWIFI_A_RESOLVE_ADDRESS, sizeof(answer->address), NULL);
	if (addr)
		memcpy(&answer->address, addr, sizeof(answer->address));
	else
		answer->error = EPROTO;
	return true;
}

static void parse_device(const struct nlmsghdr *nl, struct atwifi_devices *d)
{
	const uint32_t *state = attribute(nl, ATWIFI_A_DEV_STATE, sizeof(*state), NULL);
	size_t has = 0;
	const char *name = attribute(nl, ATWIFI_A_DEV_NAME, 1, &has);

	if (!name || !memchr(name, '\0', has) || (d->name && strcmp(name, d->name)))
		return;
	d->found = true;
	if (state && *state == ATWIFI_DEV_STATE_JOINED)
		d->joined = true;
}

/* A part of the list of devices. */
void atwifi_parse_devices(const void *buf, size_t len, int family, struct atwifi_devices *d)
{
	const struct nlmsghdr *nl;
	size_t at = 0;

	while (!d->done && (nl = next_message(buf, len, &at))) {
		if (nl->nlmsg_type == NLMSG_DONE) {
			d->done = true;
			d->error = done_error(nl);
		} else if (nl->nlmsg_type == NLMSG_ERROR) {
			d->error = error_of(nl) > 0 ? error_of(nl) : EPROTO;
			d->done = true;
		} else if (nl->nlmsg_type == family) {
			parse_device(nl, d);
		}
	}
}
