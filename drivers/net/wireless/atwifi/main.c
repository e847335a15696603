// SPDX-License-Identifier: GPL-2.0-only
/* Wi-Fi modules that speak the Ai-Thinker combo AT command set. */
#include <linux/module.h>

#include "cfg80211.h"
#include "dev.h"
#include "genl.h"
#include "relay.h"
#include "timing.h"

/*
 * What it consists of, in this order. A socket or a tty with the line discipline
 * holds the module, even one that fails to start: what can come to be held is
 * last, and the line discipline, which fails for a bad number alone, after the
 * family, whose number may be taken. The parts before can be taken back while
 * somebody uses them.
 */
static const struct {
	int (*init)(void);
	void (*exit)(void);
} atw_parts[] = {
#if IS_ENABLED(CONFIG_ATWIFI_NETDEV)
	{ atw_relay_init, atw_relay_exit },
#endif
#if IS_ENABLED(CONFIG_ATWIFI_CFG80211)
	{ atw_wiphy_init, atw_wiphy_exit },
#endif
	{ atw_dev_init, atw_dev_exit },
	{ atw_genl_init, atw_genl_exit },
	/* Devices can appear from here on: all that serves them is there. */
#if IS_ENABLED(CONFIG_ATWIFI_SERDEV)
	{ atw_serdev_init, atw_serdev_exit },
#endif
#if IS_ENABLED(CONFIG_ATWIFI_SOCKETS)
	{ atw_af_init, atw_af_exit },
#endif
#if IS_ENABLED(CONFIG_ATWIFI_LDISC)
	{ atw_ldisc_init, atw_ldisc_exit },
#endif
};

static void atw_undo(unsigned int parts)
{
	while (parts--)
		atw_parts[parts].exit();
}

static int __init atw_init(void)
{
	unsigned int i;
	int err;

	atw_timing_init();
	for (i = 0; i < ARRAY_SIZE(atw_parts); i++) {
		err = atw_parts[i].init();
		if (err) {
			atw_undo(i);
			return err;
		}
	}
	return 0;
}

/* Sockets and ttys with the line discipline hold the module: there are none. */
static void __exit atw_exit(void)
{
	atw_undo(ARRAY_SIZE(atw_parts));
}

module_init(atw_init);
module_exit(atw_exit);

MODULE_DESCRIPTION("Ai-Thinker combo AT Wi-Fi modules on a UART");
MODULE_AUTHOR("The atwifi developers");
#ifdef ATWIFI_VERSION
MODULE_VERSION(ATWIFI_VERSION);
#endif
MODULE_LICENSE("GPL");
