// SPDX-License-Identifier: GPL-2.0
/* Wi-Fi modules that speak the Ai-Thinker combo AT command set. */
#include <linux/module.h>

#include "dev.h"

static int __init atw_init(void)
{
	int err;

	err = atw_dev_init();
	if (err)
		return err;

	err = atw_af_init();
	if (err)
		goto err_dev;

	/* Devices can appear from here on: all that serves them is there. */
	err = atw_ldisc_init();
	if (err)
		goto err_af;

	err = atw_serdev_init();
	if (err)
		goto err_ldisc;

	return 0;

err_ldisc:
	atw_ldisc_exit();
err_af:
	atw_af_exit();
err_dev:
	atw_dev_exit();
	return err;
}

/* Sockets and ttys with the line discipline hold the module: there are none. */
static void __exit atw_exit(void)
{
	atw_serdev_exit();
	atw_ldisc_exit();
	atw_af_exit();
	atw_dev_exit();
}

module_init(atw_init);
module_exit(atw_exit);

MODULE_DESCRIPTION("Sockets of Ai-Thinker combo AT Wi-Fi modules on a UART");
MODULE_AUTHOR("The atwifi developers");
#ifdef ATWIFI_VERSION
MODULE_VERSION(ATWIFI_VERSION);
#endif
MODULE_LICENSE("GPL");
