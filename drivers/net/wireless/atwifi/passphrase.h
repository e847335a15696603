/* SPDX-License-Identifier: GPL-2.0 */
/* The passphrases of which programs have told the kernel no more than the key. */
#ifndef _ATWIFI_PASSPHRASE_H
#define _ATWIFI_PASSPHRASE_H

#include <linux/errno.h>
#include <linux/types.h>

struct atw_dev;
struct net;

/* Who answers may guess so often. */
#define ATW_PASSPHRASES_MAX	16

static inline int atw_passphrase_listen(struct net *net, u32 portid)
{
	return -EOPNOTSUPP;
}

static inline int atw_passphrase_check(struct atw_dev *adev, u32 portid, u32 cookie)
{
	return -ESTALE;
}

static inline int atw_passphrase_try(struct atw_dev *adev, u32 cookie, const u8 *passphrase,
				     size_t len)
{
	return -ESTALE;
}

static inline int atw_passphrase_unknown(struct atw_dev *adev, u32 cookie)
{
	return -ESTALE;
}

#endif
