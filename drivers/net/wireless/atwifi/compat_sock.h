/* SPDX-License-Identifier: GPL-2.0 */
/* What the socket layer of older kernels calls otherwise, or lacks. */
#ifndef _ATWIFI_COMPAT_SOCK_H
#define _ATWIFI_COMPAT_SOCK_H

#include <linux/net.h>
#include <linux/socket.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
#define sockaddr_unsized sockaddr
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

#endif
