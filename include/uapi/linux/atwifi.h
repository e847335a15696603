/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * AF_ATWIFI: the sockets of a Wi-Fi module that speaks the Ai-Thinker combo
 * AT command set.
 */
#ifndef _UAPI_LINUX_ATWIFI_H
#define _UAPI_LINUX_ATWIFI_H

#include <linux/socket.h>
#include <linux/types.h>

/*
 * Until the family has a number of its own this is that of a protocol which
 * left the kernel in 2012, as the kernel refuses numbers at or above AF_MAX;
 * where it is taken, the module parameter "family" changes it. What is compiled
 * into a program stays: one that is for any machine reads
 * /sys/module/atwifi/parameters/family.
 */
#define AF_ATWIFI	19
#define PF_ATWIFI	AF_ATWIFI

/*
 * Bytes of satw_name, the terminating NUL among them: all that is left of a
 * struct sockaddr_storage, and the kernel takes no longer address.
 */
#define ATW_NAME_MAX	120

/**
 * struct sockaddr_atw - address of an AF_ATWIFI socket
 *
 * It has no room for more. Addresses that do not fit in, as those of IPv6 or
 * longer names, will be of another structure with a family of its own.
 *
 * @satw_family: AF_ATWIFI, or what the parameter "family" says
 * @satw_port: port, network byte order
 * @satw_addr: IPv4 address, network byte order; not looked at when there is a
 *	name
 * @satw_name: host name that the module resolves, NUL-terminated; empty, or
 *	left away by a shorter address length, where @satw_addr holds the
 *	address
 */
struct sockaddr_atw {
	__kernel_sa_family_t	satw_family;
	__be16			satw_port;
	__be32			satw_addr;
	char			satw_name[ATW_NAME_MAX];
};

/* The shortest address: family, port and IPv4 address without a name. */
#define ATW_ADDRLEN_MIN	8

/* Protocols of SOCK_STREAM; SOCK_DGRAM has 0 alone. TLS ends in the module. */
#define ATWPROTO_TCP	0
#define ATWPROTO_TLS	1

/* Level of the socket options below. */
#define SOL_ATWIFI	0x4154

/*
 * int, seconds, 1..7200, 60 at first: interval of the keep-alive probes that
 * SO_KEEPALIVE asks the module for; to be set before connect().
 */
#define ATW_KEEPINTVL	1
/*
 * int, read-only: the number by which the module named the last failure of
 * this socket, 0 if it named none. The errno is derived from it.
 */
#define ATW_MODULE_ERROR	2
/*
 * char[], the name of a device ("atw0") that the socket is to use; empty: any
 * that is joined. The same as SO_BINDTODEVICE, but it can be read back.
 */
#define ATW_BINDTODEVICE	3
/*
 * int: a TLS client connects although the module cannot verify the remote: no CA
 * is stored in it. Without, connect() fails with EKEYREJECTED then. To be set
 * before connect().
 */
#define ATW_TLS_UNVERIFIED	4
/*
 * int, 0 or bits of ATW_TT_*: the module's transparent mode, for what is connected, or
 * a bound datagram socket, and is alone on its module. What the remote sends then comes
 * without a header to each piece. Bytes that the mode cannot carry with certainty, and
 * all other work of the module, make the driver leave it for a moment; a stream goes on
 * in either way.
 *
 * EPERM: the program has no CAP_NET_ADMIN. ENOTCONN: the socket is not connected, or is a
 * server of streams. EINVAL: bits that have no meaning, or none for this socket. EBUSY:
 * there are other connections or servers, or another request waits. EOPNOTSUPP: the socket
 * was accepted by a server, and ATW_TT_FRAGILE is not set; it is one of datagrams, and
 * ATW_TT_NO_BOUNDARIES is not set; or the receive mode is passive.
 */
#define ATW_TRANSPARENT	5

/* It is to have the mode. */
#define ATW_TT_ON		1
/*
 * With ATW_TT_ON, of a datagram socket, and required there: what one send() takes is
 * bytes, which may come to the remote in one datagram with those of another, or in two;
 * what one recv() gives is a piece of what came, of up to 1024 bytes.
 */
#define ATW_TT_NO_BOUNDARIES	2
/*
 * With both, of a bound datagram socket: what it sends goes to the peer that the module
 * has heard last, not to the first one. A '+' cannot be sent then: send() fails with
 * EINVAL.
 */
#define ATW_TT_LAST_PEER	4
/*
 * With ATW_TT_ON, of what a server has accepted, and required there: whoever else
 * connects to that server ends it with ECONNRESET, for the module does not tell their
 * bytes apart. EOPNOTSUPP where it does not tell that somebody has connected, either.
 */
#define ATW_TT_FRAGILE		8

#endif /* _UAPI_LINUX_ATWIFI_H */
