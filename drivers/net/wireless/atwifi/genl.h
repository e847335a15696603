/* SPDX-License-Identifier: GPL-2.0 */
/* The generic-netlink family: Documentation/netlink/specs/atwifi.yaml. */
#ifndef _ATWIFI_GENL_H
#define _ATWIFI_GENL_H

#include <linux/atwifi_genl.h>

struct atw_conn_info;
struct atw_dev;

void atw_genl_dev_event(struct atw_dev *adev, enum atwifi_event event);
void atw_genl_socket_event(struct atw_dev *adev,
			   const struct atw_conn_info *info);
int atw_genl_init(void);
void atw_genl_exit(void);

#endif
