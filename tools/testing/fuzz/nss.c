// SPDX-License-Identifier: GPL-2.0-only
/*
 * Any name, and a buffer of any size, for the module of the C library's name service: what
 * it hands out is in the buffer, and says what the module has said.
 */
#include <errno.h>
#include <netdb.h>
#include <nss.h>
#include <string.h>
#include <strings.h>

#include "fuzz.h"
#include "libatwifi.h"
#include "nss_atwifi.h"

static const int errnos[] = { 0, 0, 0, ENODEV, ENETDOWN, EINVAL, EBUSY, EHOSTUNREACH, EIO, EPERM };
static int says;
static bool asked;

int atwifi_resolve(const char *device, const char *host, struct in_addr *address, int timeout_ms)
{
	if (device || !host || timeout_ms <= 0)
		DIE("asked for nothing");
	asked = true;
	address->s_addr = htonl(0xc0000201);
	errno = says;
	return says ? -1 : 0;
}

static void check_in(const void *p, size_t n, const char *buf, size_t size)
{
	if ((const char *)p < buf || (const char *)p + n > buf + size)
		DIE("something is not in the buffer");
}

/* Of one label, or below these. */
static bool is_for_others(const char *name)
{
	static const char *const domains[] = { "local", "localhost.localdomain" };
	size_t len = strlen(name), n, i;

	if (!strchr(name, '.'))
		return true;
	len -= name[len - 1] == '.';
	for (i = 0; i < ARRAY_SIZE(domains); i++) {
		n = strlen(domains[i]);
		if ((len == n || (len > n && name[len - n - 1] == '.')) &&
		    !strncasecmp(name + len - n, domains[i], n))
			return true;
	}
	return false;
}

static void check_status(const char *name, enum nss_status status, int err, int herr)
{
	if (status == NSS_STATUS_SUCCESS) {
		if (!asked || is_for_others(name))
			DIE("another was to be asked");
		if (herr != NETDB_SUCCESS || says)
			DIE("success in spite of errno %d", says);
	} else if (status == NSS_STATUS_UNAVAIL) {
		if (asked ? !says : !is_for_others(name))
			DIE("it is there");
	} else if (says && asked && status == NSS_STATUS_NOTFOUND) {
		/* Nothing that the module or the driver says is a proof of that. */
		DIE("not found by errno %d", says);
	} else if (herr == NETDB_SUCCESS || !err) {
		DIE("status %d with no error", status);
	} else if (err == ERANGE && status != NSS_STATUS_TRYAGAIN) {
		DIE("status %d for want of room", status);
	}
}

/* Without the dot of a complete name. */
static bool same(const char *got, const char *name)
{
	size_t len = strlen(name);

	if (len > 1 && name[len - 1] == '.')
		len--;
	return strlen(got) == len && !memcmp(got, name, len);
}

static void ask(const char *name, char *buf, size_t size)
{
	struct gaih_addrtuple own = { 0 }, *tuple = choose(2) ? &own : NULL;
	int err = -1, herr = -1;
	enum nss_status status;
	char *canon = NULL;
	struct hostent h;
	int32_t ttl = -1;

	asked = false;
	status = _nss_atwifi_gethostbyname4_r(name, &tuple, buf, size, &err, &herr, &ttl);
	check_status(name, status, err, herr);
	if (status == NSS_STATUS_SUCCESS) {
		check_in(tuple->name, strlen(tuple->name) + 1, buf, size);
		if (tuple != &own)
			check_in(tuple, sizeof(*tuple), buf, size);
		if (tuple->next || tuple->family != AF_INET || !same(tuple->name, name) ||
		    tuple->addr[0] != htonl(0xc0000201) || ttl < 0)
			DIE("another answer");
	}
	asked = false;
	status = _nss_atwifi_gethostbyname3_r(name, choose(2) ? AF_INET : AF_INET6, &h, buf, size,
					      &err, &herr, &ttl, &canon);
	check_status(name, status, err, herr);
	if (status != NSS_STATUS_SUCCESS)
		return;
	check_in(h.h_name, strlen(h.h_name) + 1, buf, size);
	check_in(h.h_aliases, sizeof(char *), buf, size);
	check_in(h.h_addr_list, 2 * sizeof(char *), buf, size);
	check_in(h.h_addr_list[0], 4, buf, size);
	if (!same(h.h_name, name) || canon != h.h_name || h.h_addrtype != AF_INET ||
	    h.h_length != 4 || *h.h_aliases || h.h_addr_list[1] ||
	    memcmp(h.h_addr_list[0], "\xc0\0\2\1", 4))
		DIE("another host");
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	size_t room, skip;
	char *name, *buf;

	fuzz_count(size);
	if (size < 4)
		return 0;
	choices_from(data, 4);
	says = errnos[choose(ARRAY_SIZE(errnos))];
	room = choose(256);
	skip = choose(8);
	name = strndup((const char *)data + 4, size - 4);
	buf = malloc(room + skip);
	ask(name, buf + skip, room);
	free(buf);
	free(name);
	return 0;
}
