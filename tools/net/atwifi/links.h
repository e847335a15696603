/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The links of modules that have joined a network, and whom to tell of their name servers; and
 * the servers that somebody else has told this machine of such a link.
 */
#ifndef ATWIFI_LINKS_H
#define ATWIFI_LINKS_H

#include <netinet/in.h>
#include <stdbool.h>

#define LINKS_MAX	16
#define LINK_SERVERS	2

/**
 * struct link_device - a module's device, as the driver has it
 * @name: its name, such as "atw0"
 * @ifname: that of its network device
 * @ifindex: and its number
 * @joined: it is in a network, by the last that the driver has said
 */
struct link_device {
	char	name[16];
	char	ifname[16];
	int	ifindex;
	bool	joined;
};

/**
 * struct link_listeners - whom to tell, beside systemd-resolved
 * @resolvconf: resolvconf(8)
 * @file: programs that read this file, NULL: none
 * @module: the module, by this function, of servers that others have told this machine;
 *	NULL: it is not to know of them. false: it cannot be told now. links_told() is called
 *	when it was; if that has failed this is called again
 */
struct link_listeners {
	bool		resolvconf;
	const char	*file;
	bool		(*module)(const struct link_device *dev, const struct in_addr *servers,
				  unsigned int n);
};

bool link_is_server(struct in_addr address);
void links_begin(const struct link_listeners *l);
void links_up(const struct link_device *dev, const struct in_addr *servers, unsigned int n);
void links_told(const char *name);
void links_down(const char *name);
void links_again(void);
void links_look(void);
void links_before(void);
void links_end(void);

#endif
