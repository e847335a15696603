// SPDX-License-Identifier: GPL-2.0-only
/*
 * libnss_atwifi.so.2: names by the module, for every program that asks the C library.
 * See libnss_atwifi(8).
 *
 * It is called by any thread of any program: it keeps nothing between two calls, and what
 * it opens is closed when they return.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <nss.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "libatwifi.h"
#include "names.h"
#include "nss_atwifi.h"

/* Who asks a name server waits for 10 s and more, where nobody has said otherwise. */
#define LIMIT_MS	15000
/* The module does not tell how long an address is good for: a cache is to ask soon. */
#define TTL		10
#define HOST_MAX	253	/* bytes of a name that anybody can be asked for (RFC 1035) */

static enum nss_status end(enum nss_status status, int err, int herr, int *errnop, int *herrnop)
{
	*errnop = err;
	*herrnop = herr;
	return status;
}

/* A name that nobody need be asked for. */
static enum nss_status not_found(int *errnop, int *herrnop)
{
	return end(NSS_STATUS_NOTFOUND, ENOENT, HOST_NOT_FOUND, errnop, herrnop);
}

/*
 * The module has one answer for a name that does not exist and for a server that does not
 * answer, so a failure is never a proof. The next service is asked only where there is no
 * module that could be: it would else be told a name for which somebody has not waited.
 */
static enum nss_status failed(int err, int *errnop, int *herrnop)
{
	switch (err) {
	case ENODEV:
	case ENETDOWN:
	/* The firmware resolves none, or it is none for it: others can be asked. */
	case EOPNOTSUPP:
	case ENAMETOOLONG:
	/* Of socket() and sendto(), for a program that is kept from them. */
	case ENOSYS:
	case ECONNREFUSED:
	case EPERM:
	case EACCES:
	case EAFNOSUPPORT:
	case EPROTONOSUPPORT:
		return end(NSS_STATUS_UNAVAIL, err, NO_RECOVERY, errnop, herrnop);
	default:
		return end(NSS_STATUS_TRYAGAIN, EAGAIN, TRY_AGAIN, errnop, herrnop);
	}
}

static enum nss_status no_room(int *errnop, int *herrnop)
{
	return end(NSS_STATUS_TRYAGAIN, ERANGE, NETDB_INTERNAL, errnop, herrnop);
}

static char *copy(char *to, const char *name)
{
	size_t len = name_length(name);

	to[len] = '\0';
	return memcpy(to, name, len);
}

static bool is_of_host(char c)
{
	c = name_lower(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Names of this machine, or of nobody: what a module says of them would be a lie (RFC 6761). */
static bool is_special(const char *name)
{
	return name_is_below(name, "localhost") || name_is_below(name, "invalid") ||
	       name_is_below(name, "onion");
}

/* Letters, digits, '_', and '-' but in front, in labels of 1 to 63: the driver takes no others. */
static bool is_host(const char *name)
{
	size_t len = name_length(name), label = 0, i;

	if (len > HOST_MAX || *name == '-')
		return false;
	for (i = 0; i < len; i++) {
		if (name[i] == '.') {
			if (!label)
				return false;
			label = 0;
		} else if (++label > 63 || !is_of_host(name[i])) {
			return false;
		}
	}
	return label;
}

/* Its address. Nothing of what follows costs the module anything if there is no room. */
static enum nss_status look_up(const char *name, struct in_addr *addr, int *errnop, int *herrnop)
{
	addr->s_addr = INADDR_ANY;
	if (is_special(name))
		return not_found(errnop, herrnop);
	if (name_is_for_others(name))
		return failed(EOPNOTSUPP, errnop, herrnop);
	if (!is_host(name))
		return not_found(errnop, herrnop);
	if (atwifi_resolve(NULL, name, addr, LIMIT_MS))
		return failed(errno, errnop, herrnop);
	return NSS_STATUS_SUCCESS;
}

/* The part of a buffer that is aligned for pointers; NULL if it has no @need bytes. */
static char *aligned(char *buffer, size_t size, size_t need)
{
	size_t skip = -(uintptr_t)buffer % __alignof__(void *);

	return size >= skip && size - skip >= need ? buffer + skip : NULL;
}

/* For getaddrinfo(), which wants all addresses of whatever family. */
enum nss_status _nss_atwifi_gethostbyname4_r(const char *name, struct gaih_addrtuple **pat,
					     char *buffer, size_t size, int *errnop,
					     int *herrnop, int32_t *ttlp)
{
	size_t need = sizeof(struct gaih_addrtuple) + name_length(name) + 1;
	struct gaih_addrtuple *tuple;
	enum nss_status status;
	struct in_addr addr;
	char *room;

	room = aligned(buffer, size, need);
	if (!room)
		return no_room(errnop, herrnop);
	status = look_up(name, &addr, errnop, herrnop);
	if (status != NSS_STATUS_SUCCESS)
		return status;
	/* It may have a place for the first. */
	tuple = *pat ? *pat : (struct gaih_addrtuple *)room;
	memset(tuple, 0, sizeof(*tuple));
	tuple->name = copy(room + sizeof(*tuple), name);
	tuple->family = AF_INET;
	tuple->addr[0] = addr.s_addr;
	*pat = tuple;
	if (ttlp)
		*ttlp = TTL;
	*herrnop = NETDB_SUCCESS;
	return NSS_STATUS_SUCCESS;
}

struct entry {
	char		*aliases[1];
	char		*addresses[2];
	struct in_addr	addr;
	char		name[];
};

static void fill(struct hostent *host, struct entry *e, const char *name, struct in_addr addr)
{
	e->aliases[0] = NULL;
	e->addresses[0] = (char *)&e->addr;
	e->addresses[1] = NULL;
	e->addr = addr;
	*host = (struct hostent){
		.h_name = copy(e->name, name),
		.h_aliases = e->aliases,
		.h_addrtype = AF_INET,
		.h_length = sizeof(addr),
		.h_addr_list = e->addresses,
	};
}

/* Whoever asks for IPv6 alone: a name that the module knows has no such address. */
static enum nss_status no_ipv6(const char *name, int *errnop, int *herrnop)
{
	enum nss_status status;
	struct in_addr addr;

	status = look_up(name, &addr, errnop, herrnop);
	if (status != NSS_STATUS_SUCCESS)
		return status;
	return end(NSS_STATUS_NOTFOUND, ENOENT, NO_DATA, errnop, herrnop);
}

enum nss_status _nss_atwifi_gethostbyname3_r(const char *name, int af, struct hostent *host,
					     char *buffer, size_t size, int *errnop,
					     int *herrnop, int32_t *ttlp, char **canonp)
{
	enum nss_status status;
	struct in_addr addr;
	struct entry *e;

	if (af == AF_INET6)
		return no_ipv6(name, errnop, herrnop);
	if (af != AF_INET && af != AF_UNSPEC)
		return end(NSS_STATUS_UNAVAIL, EAFNOSUPPORT, NO_RECOVERY, errnop, herrnop);
	e = (struct entry *)aligned(buffer, size, sizeof(*e) + name_length(name) + 1);
	if (!e)
		return no_room(errnop, herrnop);
	status = look_up(name, &addr, errnop, herrnop);
	if (status != NSS_STATUS_SUCCESS)
		return status;
	fill(host, e, name, addr);
	if (ttlp)
		*ttlp = TTL;
	if (canonp)
		*canonp = host->h_name;
	*herrnop = NETDB_SUCCESS;
	return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_atwifi_gethostbyname2_r(const char *name, int af, struct hostent *host,
					     char *buffer, size_t size, int *errnop,
					     int *herrnop)
{
	return _nss_atwifi_gethostbyname3_r(name, af, host, buffer, size, errnop, herrnop, NULL,
					    NULL);
}

enum nss_status _nss_atwifi_gethostbyname_r(const char *name, struct hostent *host,
					    char *buffer, size_t size, int *errnop,
					    int *herrnop)
{
	return _nss_atwifi_gethostbyname3_r(name, AF_INET, host, buffer, size, errnop, herrnop,
					    NULL, NULL);
}
