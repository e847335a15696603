/* SPDX-License-Identifier: GPL-2.0 */
/* What a service tells systemd, where it is one. */
#ifndef ATWIFI_NOTIFY_H
#define ATWIFI_NOTIFY_H

void notify(const char *words, int flags);
long long notify_watchdog(void);

#endif
