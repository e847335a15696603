/* SPDX-License-Identifier: GPL-2.0-only */
/* What cfg80211 of older kernels calls otherwise, or lacks. */
#ifndef _ATWIFI_COMPAT_CFG80211_H
#define _ATWIFI_COMPAT_CFG80211_H

#include <net/cfg80211.h>

/* cfg80211_ops.get_station and its like were about a network device until 7.0. */
#define ATW_STATION_IS_OLD						\
	__same_type(((struct cfg80211_ops *)NULL)->get_station,		\
		    (int (*)(struct wiphy *, struct net_device *,	\
			     const u8 *, struct station_info *))NULL)

typedef typeof(__builtin_choose_expr(ATW_STATION_IS_OLD, (struct net_device *)NULL,
				     (struct wireless_dev *)NULL))
	atw_station_of_t;

/* cfg80211_port_authorized(): two arguments more came with 6.2, and with some release of 6.1. */
static inline void atw_cfg80211_port_authorized(struct net_device *dev, const u8 *bssid,
						gfp_t gfp)
{
	void (*old)(struct net_device *dev, const u8 *bssid, gfp_t gfp);
	void (*new)(struct net_device *dev, const u8 *bssid, const u8 *td_bitmap,
		    u8 td_bitmap_len, gfp_t gfp);

	old = (void *)cfg80211_port_authorized;
	new = (void *)cfg80211_port_authorized;
	if (__same_type(cfg80211_port_authorized, *old))
		old(dev, bssid, gfp);
	else
		new(dev, bssid, NULL, 0, gfp);
}

#endif
