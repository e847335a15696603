// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the emulated radio can reach.  Nothing leaves the machine by accident:
 * addresses are loopback, mapped, or allowed by name; names are those that
 * were given.  All others behave as on a network that has no such host.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "atsim.h"

static int parse_net(const char *spec, size_t len, struct net_range *range)
{
	char text[40];
	char *slash;
	struct in_addr addr;
	long bits = 32;

	if (len >= sizeof(text))
		return -1;
	memcpy(text, spec, len);
	text[len] = '\0';
	slash = strchr(text, '/');
	if (slash) {
		*slash = '\0';
		if (!at_number(slash + 1, 0, 32, &bits))
			return -1;
	}
	if (inet_pton(AF_INET, text, &addr) != 1)
		return -1;
	range->mask = bits ? 0xffffffffu << (32 - bits) : 0;
	range->net = ntohl(addr.s_addr) & range->mask;
	return 0;
}

static bool in_ranges(const struct net_range *ranges, unsigned int n,
		      uint32_t addr, unsigned int *which)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if ((addr & ranges[i].mask) == ranges[i].net) {
			*which = i;
			return true;
		}
	}
	return false;
}

/**
 * net_add_map() - let a network stand for another
 * @net: the network
 * @spec: "NET/LEN=NET"
 *
 * Return: 0, or -1 when it is not understood.
 */
int net_add_map(struct net *net, const char *spec)
{
	const char *eq = strchr(spec, '=');
	struct net_range *range = &net->map[net->maps];
	struct in_addr to;

	if (!eq || net->maps == ARRAY_SIZE(net->map) ||
	    parse_net(spec, eq - spec, range) ||
	    inet_pton(AF_INET, eq + 1, &to) != 1)
		return -1;
	range->to = ntohl(to.s_addr) & range->mask;
	net->maps++;
	return 0;
}

/**
 * net_add_allow() - let traffic to a network leave the machine
 * @net: the network
 * @spec: "NET/LEN"
 *
 * Return: 0, or -1 when it is not understood.
 */
int net_add_allow(struct net *net, const char *spec)
{
	if (net->allows == ARRAY_SIZE(net->allow) ||
	    parse_net(spec, strlen(spec), &net->allow[net->allows]))
		return -1;
	net->allows++;
	return 0;
}

/**
 * net_add_hole() - a network that swallows packets
 * @net: the network
 * @spec: "NET/LEN"
 *
 * Return: 0, or -1 when it is not understood.
 */
int net_add_hole(struct net *net, const char *spec)
{
	if (net->holes == ARRAY_SIZE(net->hole) ||
	    parse_net(spec, strlen(spec), &net->hole[net->holes]))
		return -1;
	net->holes++;
	return 0;
}

/**
 * net_add_name() - a name that the DNS server knows
 * @net: the network
 * @spec: "NAME=ADDRESS", which must stay allocated
 *
 * Return: 0, or -1 when it is not understood.
 */
int net_add_name(struct net *net, const char *spec)
{
	const char *eq = strchr(spec, '=');
	struct net_name *name = &net->name[net->names];
	struct in_addr addr;

	if (!eq || eq == spec || net->names == ARRAY_SIZE(net->name) ||
	    inet_pton(AF_INET, eq + 1, &addr) != 1)
		return -1;
	name->name = spec;
	name->addr = addr.s_addr;
	net->names++;
	return 0;
}

/**
 * net_resolve() - an address from a host parameter
 * @sim: the emulator
 * @host: dotted address or name
 * @addr: set on success
 *
 * Return: true when the name is known and the network is there.
 */
bool net_resolve(struct atsim *sim, const char *host, struct in_addr *addr)
{
	unsigned int i;

	if (inet_pton(AF_INET, host, addr) == 1)
		return true;
	if (!wifi_has_ip(sim))
		return false;
	for (i = 0; i < sim->net.names; i++) {
		const struct net_name *name = &sim->net.name[i];
		size_t len = strcspn(name->name, "=");

		if (strlen(host) == len &&
		    !strncasecmp(name->name, host, len)) {
			addr->s_addr = name->addr;
			return true;
		}
	}
	return false;
}

/**
 * net_route() - where an address of the emulated network really is
 * @sim: the emulator
 * @addr: what the host program asked for
 * @real: set to what to connect to
 *
 * Return: whether it can be reached, or how it fails.
 */
enum net_way net_route(struct atsim *sim, struct in_addr addr,
		       struct in_addr *real)
{
	uint32_t a = ntohl(addr.s_addr);
	struct net *net = &sim->net;
	unsigned int i;

	*real = addr;
	if (in_ranges(net->hole, net->holes, a, &i))
		return NET_HOLE;
	if (in_ranges(net->map, net->maps, a, &i)) {
		real->s_addr = htonl(net->map[i].to | (a & ~net->map[i].mask));
		return NET_OK;
	}
	if (a >> 24 == 127 || in_ranges(net->allow, net->allows, a, &i))
		return NET_OK;
	return NET_REFUSED;
}

/**
 * net_unmap() - the emulated address of a real one
 * @sim: the emulator
 * @real: of a peer
 *
 * Return: the address that the module shows.
 */
struct in_addr net_unmap(struct atsim *sim, struct in_addr real)
{
	uint32_t a = ntohl(real.s_addr);
	struct in_addr addr = real;
	unsigned int i;

	for (i = 0; i < sim->net.maps; i++) {
		const struct net_range *map = &sim->net.map[i];

		if ((a & map->mask) == map->to) {
			addr.s_addr = htonl(map->net | (a & ~map->mask));
			break;
		}
	}
	return addr;
}
