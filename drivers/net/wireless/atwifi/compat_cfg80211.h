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

#endif
