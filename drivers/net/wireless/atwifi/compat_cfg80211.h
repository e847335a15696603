/* SPDX-License-Identifier: GPL-2.0-only */
/* What cfg80211 of older kernels calls otherwise, or lacks; and what it has no functions for. */
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

/*
 * What cfg80211 keeps for itself, and no other driver touches. It does what it is told some time
 * later, and may then take it for an answer to something else: it must be seen what it has done.
 */

/* Has it yet to do what it was told? Another join it would take for the end of that then. */
static inline bool atw_cfg80211_is_behind(const struct wireless_dev *wdev)
{
	return !list_empty(&wdev->event_list);
}

static inline bool atw_cfg80211_is_connected(const struct wireless_dev *wdev)
{
	return wdev->connected;
}

/* The program with whose end the network ends that it has asked for, or 0. */
static inline u32 atw_cfg80211_owner(const struct wireless_dev *wdev)
{
	return wdev->conn_owner_nlportid;
}

static inline bool atw_cfg80211_has_name(const struct wireless_dev *wdev)
{
	return wdev->u.client.ssid_len;
}

/* Without a name cfg80211 takes no news of a network that no program has asked for. */
static inline void atw_cfg80211_set_name(struct wireless_dev *wdev, const char *name, size_t len)
{
	memcpy(wdev->u.client.ssid, name, len);
	wdev->conn_bss_type = IEEE80211_BSS_TYPE_ESS;
	/* Until 6.7 who lists devices reads that under another lock: there is a name, or none. */
	smp_store_release(&wdev->u.client.ssid_len, len);
}

#endif
