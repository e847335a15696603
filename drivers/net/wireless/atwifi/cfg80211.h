/* SPDX-License-Identifier: GPL-2.0-only */
/* The module as a wiphy, for programs that speak nl80211. */
#ifndef _ATWIFI_CFG80211_H
#define _ATWIFI_CFG80211_H

#include <linux/init.h>
#include <linux/types.h>

#include "error.h"

struct atw_dev;
struct atw_network;
struct atw_wiphy;
struct net_device;

#if IS_ENABLED(CONFIG_ATWIFI_CFG80211)
/* The elements of an access point at most. */
#define ATW_WIPHY_IES_MAX	128

size_t atw_wiphy_ies(const struct atw_network *net, u8 channel, u8 ies[ATW_WIPHY_IES_MAX]);
bool atw_wiphy_is_open(const struct atw_network *net);
u16 atw_wiphy_status(int err, enum atw_outcome outcome);

struct atw_wiphy *atw_wiphy_create(struct atw_dev *adev, struct net_device *dev);
int atw_wiphy_register(struct atw_wiphy *aw);
void atw_wiphy_start(struct atw_wiphy *aw);
void atw_wiphy_unregister(struct atw_wiphy *aw);
void atw_wiphy_free(struct atw_wiphy *aw);
void atw_wiphy_changed(struct atw_wiphy *aw);
void atw_wiphy_associated(struct atw_wiphy *aw);
int atw_wiphy_init(void);
void atw_wiphy_exit(void);
#else
static inline struct atw_wiphy *atw_wiphy_create(struct atw_dev *adev, struct net_device *dev)
{
	return NULL;
}

static inline int atw_wiphy_register(struct atw_wiphy *aw)
{
	return 0;
}

static inline void atw_wiphy_start(struct atw_wiphy *aw)
{
}

static inline void atw_wiphy_unregister(struct atw_wiphy *aw)
{
}

static inline void atw_wiphy_free(struct atw_wiphy *aw)
{
}

static inline void atw_wiphy_changed(struct atw_wiphy *aw)
{
}

static inline void atw_wiphy_associated(struct atw_wiphy *aw)
{
}
#endif

#endif
