/* SPDX-License-Identifier: GPL-2.0-only */
/* Events of the generic-netlink family, and the attributes that answers share with them. */
#ifndef _ATWIFI_GENL_EVENT_H
#define _ATWIFI_GENL_EVENT_H

#include <linux/types.h>

#include <linux/atwifi_genl.h>

struct atw_conn_info;
struct atw_dev;
struct sk_buff;

int atw_genl_put_text(struct sk_buff *skb, int attr, const char *text);
int atw_genl_put_addr(struct sk_buff *skb, int attr, u32 addr);
int atw_genl_put_conn(struct sk_buff *skb, struct atw_dev *adev,
		      const struct atw_conn_info *info, bool named);
void atw_genl_events_init(struct atw_dev *adev);
void atw_genl_dev_event(struct atw_dev *adev, enum atwifi_event event);
int atw_genl_passphrase_asked(struct atw_dev *adev, u32 portid, u32 cookie, const char *ssid);
void atw_genl_socket_event(struct atw_dev *adev,
			   const struct atw_conn_info *info);

#endif
