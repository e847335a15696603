// SPDX-License-Identifier: GPL-2.0-only
/*
 * DHCP, answered by the device itself.
 *
 * The module has got a lease of its own, and the network knows no other. The
 * device hands that out to whoever configures it (RFC 2131): the module's
 * address, its gateway and its name servers. Asking is free, so clients are told
 * to renew often: they notice when the module has got another address.
 */
#include <linux/in.h>
#include <linux/string.h>
#include <asm/byteorder.h>

#include "dhcp.h"

#define ATW_BOOTP_REQUEST	1
#define ATW_BOOTP_REPLY		2
#define ATW_BOOTP_ETHERNET	1
#define ATW_BOOTP_BROADCAST	0x8000
/* Relays and old clients expect no less, options included. */
#define ATW_BOOTP_LEN_MIN	300
#define ATW_DHCP_MAGIC		0x63825363

#define ATW_DHCP_LEASE_S	3600
#define ATW_DHCP_RENEW_S	300
#define ATW_DHCP_REBIND_S	1800

enum {
	ATW_DHCP_DISCOVER = 1,
	ATW_DHCP_OFFER = 2,
	ATW_DHCP_REQUEST = 3,
	ATW_DHCP_ACK = 5,
	ATW_DHCP_NAK = 6,
	ATW_DHCP_INFORM = 8,
};

enum {
	ATW_OPT_PAD = 0,
	ATW_OPT_MASK = 1,
	ATW_OPT_ROUTER = 3,
	ATW_OPT_DNS = 6,
	ATW_OPT_REQUESTED = 50,
	ATW_OPT_LEASE = 51,
	ATW_OPT_TYPE = 53,
	ATW_OPT_SERVER = 54,
	ATW_OPT_RENEW = 58,
	ATW_OPT_REBIND = 59,
	ATW_OPT_CLIENT = 61,
	ATW_OPT_END = 255,
};

struct atw_bootp {
	u8	op;
	u8	htype;
	u8	hlen;
	u8	hops;
	__be32	xid;
	__be16	secs;
	__be16	flags;
	__be32	ciaddr;
	__be32	yiaddr;
	__be32	siaddr;
	__be32	giaddr;
	u8	chaddr[16];
	u8	sname[64];
	u8	file[128];
	__be32	magic;
	u8	options[];
} __packed;

struct atw_dhcp_request {
	u8		type;
	__be32		requested;
	__be32		server;
	const u8	*client;	/* the option with its length, or NULL */
};

static bool atw_dhcp_parse(const u8 *opt, size_t len,
			   struct atw_dhcp_request *req)
{
	size_t i = 0, n;

	memset(req, 0, sizeof(*req));
	while (i < len && opt[i] != ATW_OPT_END) {
		if (opt[i] == ATW_OPT_PAD) {
			i++;
			continue;
		}
		if (len - i < 2 || len - i - 2 < opt[i + 1])
			return false;
		n = opt[i + 1];
		if (opt[i] == ATW_OPT_TYPE && n == 1)
			req->type = opt[i + 2];
		else if (opt[i] == ATW_OPT_REQUESTED && n == 4)
			memcpy(&req->requested, opt + i + 2, 4);
		else if (opt[i] == ATW_OPT_SERVER && n == 4)
			memcpy(&req->server, opt + i + 2, 4);
		else if (opt[i] == ATW_OPT_CLIENT && n <= 64)
			req->client = opt + i + 1;
		i += 2 + n;
	}
	return req->type;
}

static void atw_dhcp_option(struct atw_dhcp_reply *reply, u8 code,
			    const void *data, u8 len)
{
	/* The longest reply has room for all that is ever added. */
	reply->buf[reply->len++] = code;
	reply->buf[reply->len++] = len;
	memcpy(reply->buf + reply->len, data, len);
	reply->len += len;
}

static void atw_dhcp_option_u32(struct atw_dhcp_reply *reply, u8 code, u32 val)
{
	__be32 be = cpu_to_be32(val);

	atw_dhcp_option(reply, code, &be, sizeof(be));
}

/**
 * atw_dhcp_mask() - the netmask of the module's network
 * @lease: the lease
 *
 * Where it is not told: what home networks have, with the gateway within. There is no network
 * of a host and a gateway that is too far away: it is that host alone then, and clients make a
 * route to the gateway.
 *
 * Return: the mask in host order.
 */
u32 atw_dhcp_mask(const struct atw_lease *lease)
{
	u32 mask = 0xffffff00;

	if (lease->mask)
		return lease->mask;
	while (lease->gateway && (lease->addr ^ lease->gateway) & mask)
		mask <<= 1;
	return mask < ATW_MASK_MIN ? 0xffffffff : mask;
}

/**
 * atw_dhcp_broadcast() - the address of all hosts of the module's network
 * @lease: the lease
 *
 * Return: it, in host order; 255.255.255.255 where there is no other, before there is an
 * address and in a network of two, and where the firmware does not tell the network's size:
 * a host must not be taken for all of them.
 */
u32 atw_dhcp_broadcast(const struct atw_lease *lease)
{
	u32 hosts = ~lease->mask;

	return lease->addr && lease->mask && hosts > 1 ? lease->addr | hosts : INADDR_BROADCAST;
}

static void atw_dhcp_add_lease(const struct atw_lease *lease,
			       struct atw_dhcp_reply *reply, bool timed)
{
	__be32 dns[ATW_DNS_MAX];
	u8 n = 0;

	atw_dhcp_option_u32(reply, ATW_OPT_MASK, atw_dhcp_mask(lease));
	if (lease->gateway)
		atw_dhcp_option_u32(reply, ATW_OPT_ROUTER, lease->gateway);
	/* Where it is not told: a gateway that gave a lease mostly knows. */
	if (lease->dns[0] || lease->gateway)
		dns[n++] = cpu_to_be32(lease->dns[0] ?: lease->gateway);
	if (lease->dns[1])
		dns[n++] = cpu_to_be32(lease->dns[1]);
	if (n)
		atw_dhcp_option(reply, ATW_OPT_DNS, dns, n * sizeof(*dns));
	if (timed) {
		atw_dhcp_option_u32(reply, ATW_OPT_LEASE, ATW_DHCP_LEASE_S);
		atw_dhcp_option_u32(reply, ATW_OPT_RENEW, ATW_DHCP_RENEW_S);
		atw_dhcp_option_u32(reply, ATW_OPT_REBIND, ATW_DHCP_REBIND_S);
	}
}

/**
 * atw_dhcp_server() - the address that the answers come from
 * @lease: the lease
 *
 * The gateway's, so that a renewal is sent to the device; with none, the one
 * that RFC 7600 keeps for who has no address.
 *
 * Return: the address in host order.
 */
u32 atw_dhcp_server(const struct atw_lease *lease)
{
	return lease->gateway ?: INADDR_DUMMY;
}

/**
 * atw_dhcp_answer() - what to answer to a client
 * @lease: what is handed out
 * @mac: address of the device: nobody else can have the lease
 * @buf: the client's datagram, not to be trusted
 * @len: its length in bytes
 * @reply: filled
 *
 * Return: false, if there is nothing to be answered.
 */
bool atw_dhcp_answer(const struct atw_lease *lease, const u8 *mac,
		     const u8 *buf, size_t len, struct atw_dhcp_reply *reply)
{
	const struct atw_bootp *in = (const void *)buf;
	struct atw_bootp *out = (void *)reply->buf;
	u32 server = atw_dhcp_server(lease);
	struct atw_dhcp_request req;
	__be32 wanted;
	u8 type;

	if (len < sizeof(*in) || in->op != ATW_BOOTP_REQUEST ||
	    in->htype != ATW_BOOTP_ETHERNET || in->hlen != ETH_ALEN ||
	    memcmp(in->chaddr, mac, ETH_ALEN) || in->giaddr ||
	    in->magic != cpu_to_be32(ATW_DHCP_MAGIC) || !lease->addr ||
	    !atw_dhcp_parse(in->options, len - sizeof(*in), &req))
		return false;

	wanted = req.requested ?: in->ciaddr;
	switch (req.type) {
	case ATW_DHCP_DISCOVER:
		type = ATW_DHCP_OFFER;
		break;
	case ATW_DHCP_REQUEST:
		/* The offer of another server was taken: there is none. */
		if (req.server && req.server != cpu_to_be32(server))
			return false;
		type = wanted == cpu_to_be32(lease->addr) ? ATW_DHCP_ACK :
							    ATW_DHCP_NAK;
		break;
	case ATW_DHCP_INFORM:
		type = ATW_DHCP_ACK;
		break;
	default:
		return false;
	}

	memset(reply, 0, sizeof(*reply));
	out->op = ATW_BOOTP_REPLY;
	out->htype = in->htype;
	out->hlen = in->hlen;
	out->xid = in->xid;
	out->flags = in->flags;
	memcpy(out->chaddr, in->chaddr, sizeof(out->chaddr));
	out->magic = in->magic;
	reply->len = sizeof(*out);
	atw_dhcp_option(reply, ATW_OPT_TYPE, &type, 1);
	atw_dhcp_option_u32(reply, ATW_OPT_SERVER, server);
	if (req.client)
		atw_dhcp_option(reply, ATW_OPT_CLIENT, req.client + 1,
				req.client[0]);
	if (type != ATW_DHCP_NAK) {
		out->ciaddr = req.type == ATW_DHCP_DISCOVER ? 0 : in->ciaddr;
		if (req.type != ATW_DHCP_INFORM)
			out->yiaddr = cpu_to_be32(lease->addr);
		atw_dhcp_add_lease(lease, reply, req.type != ATW_DHCP_INFORM);
	}
	reply->buf[reply->len++] = ATW_OPT_END;
	if (reply->len < ATW_BOOTP_LEN_MIN)
		reply->len = ATW_BOOTP_LEN_MIN;

	/* What it says that it has may be another machine's, to which the kernel would route. */
	if (type == ATW_DHCP_NAK ||
	    (in->ciaddr ? in->ciaddr != cpu_to_be32(lease->addr) :
			  !!(in->flags & cpu_to_be16(ATW_BOOTP_BROADCAST))))
		reply->daddr = 0xffffffff;
	else
		reply->daddr = lease->addr;
	return true;
}
