/* SPDX-License-Identifier: GPL-2.0-only */
/* What services have in common: signals, and what they tell systemd where it is there. */
#ifndef ATWIFI_SERVICE_H
#define ATWIFI_SERVICE_H

struct event_base;

int service_socket(void);
void notify(const char *words, int flags);
void service_begin(struct event_base *base, void (*reload)(void));
void service_end(void);

#endif
