/* SPDX-License-Identifier: GPL-2.0-only */
/* What the socket layer of older kernels calls otherwise, or lacks. */
#ifndef _ATWIFI_COMPAT_SOCK_H
#define _ATWIFI_COMPAT_SOCK_H

#include <linux/net.h>
#include <linux/socket.h>
#include <linux/sysctl.h>
#include <linux/version.h>
#include <net/net_namespace.h>
#include <net/inet_hashtables.h>
#include <net/inet_sock.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
#define sockaddr_unsized sockaddr
#endif

/* proto_ops.accept had its arguments one by one until 6.10. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
struct proto_accept_arg {
	int	flags;
	bool	kern;
};

#define ATW_ACCEPT_ARGS	int flags, bool kern
#define ATW_ACCEPT_ARG	{ .flags = flags, .kern = kern }
#else
#define ATW_ACCEPT_ARGS	struct proto_accept_arg *accept_arg
#define ATW_ACCEPT_ARG	*accept_arg
#endif

/*
 * Ask for SOL_SOCKET options to come to proto_ops.setsockopt first. Kernels
 * before 6.7 do that for MPTCP alone: there SO_BINDTODEVICE finds network
 * devices only, and ATW_BINDTODEVICE is the one way.
 */
static inline void atw_sock_custom_sockopt(struct socket *sock)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	set_bit(SOCK_CUSTOM_SOCKOPT, &sock->flags);
#endif
}

/* A sysctl's handler gets its table as a constant from 6.11 on. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
typedef const struct ctl_table atw_ctl_table_t;
#else
typedef struct ctl_table atw_ctl_table_t;
#endif

/* Until 6.6 the end of a table was an empty entry, later its size is told. */
static inline struct ctl_table_header *
atw_register_net_sysctl(struct net *net, const char *path,
			struct ctl_table *table, size_t size)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
	return register_net_sysctl_sz(net, path, table, size);
#else
	return register_net_sysctl(net, path, table);
#endif
}

static inline void atw_sock_set_transparent(struct sock *sk)
{
#ifdef inet_set_bit
	inet_set_bit(TRANSPARENT, sk);
#else
	inet_sk(sk)->transparent = 1;
#endif
}

/* Look a socket up, those in TIME_WAIT too; with a reference. */
static inline struct sock *
atw_inet_lookup_established(struct net *net, __be32 saddr, __be16 sport,
			    __be32 daddr, u16 dport, int dif)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
	return __inet_lookup_established(net, saddr, sport, daddr, dport, dif,
					 0);
#else
	return __inet_lookup_established(net,
					 net->ipv4.tcp_death_row.hashinfo,
					 saddr, sport, daddr, dport, dif, 0);
#endif
}

#endif
