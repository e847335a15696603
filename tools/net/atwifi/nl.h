/* SPDX-License-Identifier: GPL-2.0-only */
/* The family "atwifi": requests, answers, events. */
#ifndef ATWCTL_NL_H
#define ATWCTL_NL_H

#include <stdbool.h>
#include <stdint.h>
#include <netlink/msg.h>

/**
 * typedef ctl_fn - is given each message
 * @cmd: which it is, ATWIFI_CMD_*
 * @attrs: its attributes
 * @len: their bytes
 * @arg: the caller's
 */
typedef void ctl_fn(int cmd, struct nlattr *attrs, int len, void *arg);

bool ctl_try_open(void);
void ctl_open(void);
struct nl_msg *ctl_request(int cmd, bool dump);
void ctl_put_string(struct nl_msg *msg, int attr, const char *text);
void ctl_put_u8(struct nl_msg *msg, int attr, uint8_t val);
void ctl_put_u16(struct nl_msg *msg, int attr, uint16_t val);
void ctl_put_u32(struct nl_msg *msg, int attr, uint32_t val);
void ctl_put_data(struct nl_msg *msg, int attr, const void *data, size_t len);
int ctl_run(struct nl_msg *msg, const char *about, ctl_fn *fn, void *arg);
void ctl_subscribe(void);
int ctl_listen(ctl_fn *fn, void *arg, int every);

#endif
