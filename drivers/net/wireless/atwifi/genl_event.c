// SPDX-License-Identifier: GPL-2.0-only
/* Events of the generic-netlink family, and the attributes that answers share with them. */
#include <net/genetlink.h>

#include "dev.h"
#include "genl.h"
#include "genl_event.h"

/* So many wait to be told; who listens is told that there were more. */
#define ATW_GENL_EVENTS_MAX	64

/**
 * atw_genl_put_text() - put a version, of which the thread may be writing another one
 * @skb: the message
 * @attr: the attribute
 * @text: the version; an empty one is left out
 *
 * Return: 0 or -EMSGSIZE.
 */
int atw_genl_put_text(struct sk_buff *skb, int attr, const char *text)
{
	char copy[ATW_VERSION_MAX];

	strscpy(copy, text, sizeof(copy));
	return copy[0] ? nla_put_string(skb, attr, copy) : 0;
}

/**
 * atw_genl_put_addr() - put an IPv4 address
 * @skb: the message
 * @attr: the attribute
 * @addr: the address in host order; 0 is left out
 *
 * Return: 0 or -EMSGSIZE.
 */
int atw_genl_put_addr(struct sk_buff *skb, int attr, u32 addr)
{
	return addr ? nla_put_in_addr(skb, attr, cpu_to_be32(addr)) : 0;
}

static const u32 atw_genl_conn_states[ATW_CONN_STATES] = {
	[ATW_CONN_WAITING]	= ATWIFI_SOCKET_STATE_WAITING,
	[ATW_CONN_OPENING]	= ATWIFI_SOCKET_STATE_OPENING,
	[ATW_CONN_OPEN]		= ATWIFI_SOCKET_STATE_OPEN,
	[ATW_CONN_YIELDING]	= ATWIFI_SOCKET_STATE_CLOSING,
	[ATW_CONN_CLOSING]	= ATWIFI_SOCKET_STATE_CLOSING,
	[ATW_CONN_DEAD]		= ATWIFI_SOCKET_STATE_DEAD,
};

/**
 * atw_genl_put_conn() - put what is told of a connection
 * @skb: the message
 * @adev: its device
 * @info: the connection
 * @named: with the name of its remote, where it has one
 *
 * Return: 0 or -EMSGSIZE.
 */
int atw_genl_put_conn(struct sk_buff *skb, struct atw_dev *adev,
		      const struct atw_conn_info *info, bool named)
{
	if (nla_put_string(skb, ATWIFI_A_SOCKET_DEV, dev_name(&adev->dev)) ||
	    (info->id != ATW_NO_ID &&
	     nla_put_u32(skb, ATWIFI_A_SOCKET_ID, info->id)) ||
	    nla_put_u32(skb, ATWIFI_A_SOCKET_TYPE, info->type) ||
	    nla_put_u32(skb, ATWIFI_A_SOCKET_STATE, atw_genl_conn_states[info->state]) ||
	    (named && info->name[0] &&
	     nla_put_string(skb, ATWIFI_A_SOCKET_HOST, info->name)) ||
	    (!info->name[0] &&
	     atw_genl_put_addr(skb, ATWIFI_A_SOCKET_ADDRESS, info->addr)) ||
	    nla_put_u16(skb, ATWIFI_A_SOCKET_PORT, info->port) ||
	    nla_put_u32(skb, ATWIFI_A_SOCKET_UNSENT, info->unsent) ||
	    nla_put_u64_64bit(skb, ATWIFI_A_SOCKET_RX_BYTES, info->rx_bytes,
			      ATWIFI_A_SOCKET_PAD) ||
	    nla_put_u64_64bit(skb, ATWIFI_A_SOCKET_TX_BYTES, info->tx_bytes,
			      ATWIFI_A_SOCKET_PAD) ||
	    (info->err && nla_put_u32(skb, ATWIFI_A_SOCKET_ERROR, -info->err)) ||
	    (info->code && nla_put_u32(skb, ATWIFI_A_SOCKET_MODULE_ERROR,
				       info->code)))
		return -EMSGSIZE;
	return 0;
}

static struct sk_buff *atw_genl_event(struct atw_dev *adev, u8 cmd, void **hdr)
{
	struct sk_buff *skb;

	if (!genl_has_listeners(&atw_genl_family, adev->net, ATW_GENL_EVENTS))
		return NULL;
	skb = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_ATOMIC);
	if (!skb)
		return NULL;
	*hdr = genlmsg_put(skb, 0, 0, &atw_genl_family, 0, cmd);
	if (!*hdr) {
		nlmsg_free(skb);
		return NULL;
	}
	return skb;
}

static void atw_genl_tell(struct work_struct *work)
{
	struct atw_dev *adev = container_of(work, struct atw_dev, events_work);
	struct sk_buff *skb;

	while ((skb = skb_dequeue(&adev->events)))
		genlmsg_multicast_netns(&atw_genl_family, adev->net, skb, 0,
					ATW_GENL_EVENTS, GFP_KERNEL);
	if (xchg(&adev->events_lost, 0))
		genl_set_err(&atw_genl_family, adev->net, 0, ATW_GENL_EVENTS, -ENOBUFS);
}

/**
 * atw_genl_events_init() - nothing is to be told yet
 * @adev: the device; @events_work is to be flushed when there are no more events
 */
void atw_genl_events_init(struct atw_dev *adev)
{
	skb_queue_head_init(&adev->events);
	INIT_WORK(&adev->events_work, atw_genl_tell);
}

/*
 * Everybody may listen, with as many sockets as he can open: each of them takes its time, which
 * is nobody's who holds a lock.
 */
static void atw_genl_multicast(struct atw_dev *adev, struct sk_buff *skb,
			       void *hdr, int err)
{
	if (err) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, hdr);
	if (skb_queue_len_lockless(&adev->events) < ATW_GENL_EVENTS_MAX) {
		skb_queue_tail(&adev->events, skb);
	} else {
		nlmsg_free(skb);
		WRITE_ONCE(adev->events_lost, 1);
	}
	queue_work(atw_genl_wq, &adev->events_work);
}

/**
 * atw_genl_dev_event() - tell who listens what has happened to a device
 * @adev: the device
 * @event: what
 *
 * Context: any.
 */
void atw_genl_dev_event(struct atw_dev *adev, enum atwifi_event event)
{
	const struct atw_module *m = &adev->module;
	struct sk_buff *skb;
	void *hdr;
	int err;

	skb = atw_genl_event(adev, ATWIFI_CMD_DEV_EVENT, &hdr);
	if (!skb)
		return;
	err = nla_put_string(skb, ATWIFI_A_EVENT_DEV, dev_name(&adev->dev)) ?:
	      nla_put_u32(skb, ATWIFI_A_EVENT_EVENT, event);
	switch (event) {
	case ATWIFI_EVENT_FOUND:
		err = err ?: atw_genl_put_text(skb, ATWIFI_A_EVENT_FIRMWARE,
					       m->firmware);
		break;
	case ATWIFI_EVENT_LINK_UP:
	case ATWIFI_EVENT_ADDRESS:
		err = err ?: atw_genl_put_addr(skb, ATWIFI_A_EVENT_ADDRESS,
					       atw_module_addr(m));
		err = err ?: atw_genl_put_addr(skb, ATWIFI_A_EVENT_GATEWAY,
					       atw_module_gateway(m));
		break;
	default:
		break;
	}
	atw_genl_multicast(adev, skb, hdr, err);
}

/**
 * atw_genl_socket_event() - tell who listens that a connection has failed
 * @adev: the device
 * @info: the connection
 *
 * Context: any.
 */
void atw_genl_socket_event(struct atw_dev *adev,
			   const struct atw_conn_info *info)
{
	struct sk_buff *skb;
	void *hdr;

	skb = atw_genl_event(adev, ATWIFI_CMD_SOCKET_EVENT, &hdr);
	/* Everybody may listen. */
	if (skb)
		atw_genl_multicast(adev, skb, hdr,
				   atw_genl_put_conn(skb, adev, info, false));
}

/**
 * atw_genl_passphrase_asked() - ask a listener for a passphrase
 * @adev: the device
 * @portid: the listener
 * @cookie: of the question
 * @ssid: the network's name
 *
 * Context: process context.
 * Return: 0 or -errno: -ECONNREFUSED, the listener is gone.
 */
int atw_genl_passphrase_asked(struct atw_dev *adev, u32 portid, u32 cookie, const char *ssid)
{
	struct sk_buff *skb = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	void *hdr;

	if (!skb)
		return -ENOMEM;
	hdr = genlmsg_put(skb, 0, 0, &atw_genl_family, 0, ATWIFI_CMD_PASSPHRASE_ASKED);
	if (!hdr || nla_put_string(skb, ATWIFI_A_PASSPHRASE_DEV, dev_name(&adev->dev)) ||
	    nla_put_u32(skb, ATWIFI_A_PASSPHRASE_COOKIE, cookie) ||
	    nla_put(skb, ATWIFI_A_PASSPHRASE_SSID, strlen(ssid), ssid)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return genlmsg_unicast(adev->net, skb, portid);
}
