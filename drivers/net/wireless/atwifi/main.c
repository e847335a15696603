// SPDX-License-Identifier: GPL-2.0-only
/* Wi-Fi modules that speak the Ai-Thinker combo AT command set. */
#include <linux/module.h>

#include "cfg80211.h"
#include "dev.h"
#include "genl.h"
#include "relay.h"
#include "timing.h"

/*
 * A socket or a tty with the line discipline holds the module, even one that
 * fails to start: what can come to be held is registered last, and the line
 * discipline, which fails for a bad number alone, after the family, whose
 * number may be taken. The steps before can be taken back while somebody uses
 * them.
 */
static int __init atw_init(void)
{
	int err;

	atw_timing_init();

	err = atw_relay_init();
	if (err)
		return err;

	err = atw_wiphy_init();
	if (err)
		goto err_relay;

	err = atw_dev_init();
	if (err)
		goto err_wiphy;

	err = atw_genl_init();
	if (err)
		goto err_dev;

	/* Devices can appear from here on: all that serves them is there. */
	err = atw_serdev_init();
	if (err)
		goto err_genl;

	err = atw_af_init();
	if (err)
		goto err_serdev;

	err = atw_ldisc_init();
	if (err)
		goto err_af;

	return 0;

err_af:
	atw_af_exit();
err_serdev:
	atw_serdev_exit();
err_genl:
	atw_genl_exit();
err_dev:
	atw_dev_exit();
err_wiphy:
	atw_wiphy_exit();
err_relay:
	atw_relay_exit();
	return err;
}

/* Sockets and ttys with the line discipline hold the module: there are none. */
static void __exit atw_exit(void)
{
	atw_ldisc_exit();
	atw_af_exit();
	atw_serdev_exit();
	atw_genl_exit();
	atw_dev_exit();
	atw_wiphy_exit();
	atw_relay_exit();
}

module_init(atw_init);
module_exit(atw_exit);

MODULE_DESCRIPTION("Ai-Thinker combo AT Wi-Fi modules on a UART");
MODULE_AUTHOR("The atwifi developers");
#ifdef ATWIFI_VERSION
MODULE_VERSION(ATWIFI_VERSION);
#endif
MODULE_LICENSE("GPL");
