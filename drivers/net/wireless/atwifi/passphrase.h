/* SPDX-License-Identifier: GPL-2.0-only */
/* The passphrases of which programs have told the kernel no more than the key. */
#ifndef _ATWIFI_PASSPHRASE_H
#define _ATWIFI_PASSPHRASE_H

#include <linux/errno.h>
#include <linux/init.h>
#include <linux/list.h>
#include <linux/types.h>

#include "parse.h"

struct atw_dev;
struct atw_wiphy;
struct net;

/* Who answers may guess so often. */
#define ATW_PASSPHRASES_MAX	16
#define ATW_PASSPHRASE_MIN	8
#define ATW_PASSPHRASE_MAX	63
#define ATW_PMK_LEN		32

/**
 * struct atw_passphrase - the question of a device; by a lock of all of them
 * @node: of those that have no answer yet
 * @asker: who waits for the answer, NULL: nobody
 * @told: tells that one that there is one; must not sleep
 * @cookie: of the question; counts them
 * @portid: who was asked
 * @err: the answer; -EINPROGRESS: there is none yet
 * @ssid: the network's name
 * @pmk: the key that a program has told
 * @found: the passphrase that it is of, without @err
 */
struct atw_passphrase {
	struct list_head	node;
	struct atw_wiphy	*asker;
	void			(*told)(struct atw_wiphy *asker);
	u32			cookie;
	u32			portid;
	int			err;
	char			ssid[ATW_SSID_MAX + 1];
	u8			pmk[ATW_PMK_LEN];
	char			found[ATW_PASSPHRASE_MAX + 1];
};

#if IS_ENABLED(CONFIG_ATWIFI_CFG80211)
int atw_passphrase_pmk(const u8 *passphrase, size_t len, const char *ssid, u8 pmk[ATW_PMK_LEN]);

int atw_passphrase_ask(struct atw_dev *adev, struct atw_wiphy *asker,
		       void (*told)(struct atw_wiphy *asker), const char *ssid,
		       const u8 pmk[ATW_PMK_LEN]);
int atw_passphrase_answer(struct atw_dev *adev, char found[ATW_PASSPHRASE_MAX + 1]);
void atw_passphrase_forget(struct atw_dev *adev);

int atw_passphrase_listen(struct net *net, u32 portid, u32 *other);
void atw_passphrase_leave(const struct net *net, u32 portid);
int atw_passphrase_check(struct atw_dev *adev, u32 portid, u32 cookie);
int atw_passphrase_try(struct atw_dev *adev, u32 cookie, const u8 *passphrase, size_t len);
int atw_passphrase_unknown(struct atw_dev *adev, u32 cookie);

int atw_passphrase_init(void);
void atw_passphrase_exit(void);
#else
static inline int atw_passphrase_listen(struct net *net, u32 portid, u32 *other)
{
	return -EOPNOTSUPP;
}

static inline void atw_passphrase_leave(const struct net *net, u32 portid)
{
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

#endif
