/* SPDX-License-Identifier: GPL-2.0-only */
/* The module as a whole: bring-up, capabilities, Wi-Fi link, recovery. */
#ifndef _ATWIFI_MODULE_H
#define _ATWIFI_MODULE_H

#include <linux/seqlock.h>

#include <linux/atwifi_genl.h>

#include "channel.h"
#include "conn.h"
#include "join.h"
#include "lease.h"
#include "request.h"
#include "sched.h"

enum atw_module_state {
	ATW_MODULE_PROBING,	/* does not answer, or not yet */
	ATW_MODULE_DOWN,	/* answers, not joined */
	ATW_MODULE_JOINED,
	ATW_MODULE_ASLEEP,	/* the machine is, or about to be, or off */
};

/* What is kept of a version, with its NUL. */
#define ATW_VERSION_MAX		64

struct atw_module;

/**
 * struct atw_module_ops - what a module tells the device that it is of
 *
 * None may sleep or run commands.
 *
 * @event: something has happened
 * @changed: its state or its lease may be another one, or it was brought up; the
 *	channel's thread, or while that is paused
 * @associated: it says that it is in a network, which it has not been asked about yet;
 *	under the channel's lock of the receive path
 */
struct atw_module_ops {
	void (*event)(struct atw_module *m, enum atwifi_event event);
	void (*changed)(struct atw_module *m);
	void (*associated)(struct atw_module *m);
};

/* What users have asked for and wait for; each at most once at a time. */
enum {
	ATW_ASKED_TRANSPARENT,
};

/**
 * enum atw_autott_state - does it enter transparent mode by itself?
 * @ATW_AUTOTT_NONE: no; or it has not been asked
 * @ATW_AUTOTT_STORED: it may, since it has started, when it has joined its network
 * @ATW_AUTOTT_OVER: it has, and will not again before its next start
 */
enum atw_autott_state { ATW_AUTOTT_NONE, ATW_AUTOTT_STORED, ATW_AUTOTT_OVER };

/**
 * struct atw_module - the module of a device
 * @asked: ATW_ASKED_*, set and cleared by atomic bit operations
 * @blamed: the share, plus 1, of who has had the module asked for something for want of whose
 *	answer it is to be looked after, 0: of none; the thread's alone
 * @state, @mac, @firmware, @baud: written by the channel's thread alone (or while it is
 *	paused), read anywhere, and an old one will do: none is used together with another
 *	(strings: as they are, which is printable). Who keeps @mac reads @bringups before that
 * @lease: written by it under @lease_lock, without which it may read what it has written;
 *	see atw_module_lease()
 * @net, @status, @unread, @join, @managed, @joins, @refused, @joining, @silenced, @in_since: the
 *	thread's alone
 * @barred: written by atw_module_bar(), read by the thread without a lock: it looks again after
 *	each change, for which ATW_DO_JOIN is set
 * @echo_off: written by the channel's thread, read by the receive path; the channel's
 *	rx_lock protects it. As struct atw_learned it ends with a start of the module, but it is
 *	what we have set, and is set again while that looks for it. All else that is about
 *	bring-ups is the thread's
 * @bringups: how often it was brought up. When it was once, @mac is what the module has told
 *	by then
 * @autott: written by the thread under the channel's rx_lock, which the receive path has
 * @raw: it has entered transparent mode by itself; set by the receive path, cleared by the
 *	thread; the channel's rx_lock protects it
 * @wire_baud: where the tty is no UART (USB CDC, a network, a guest) its rate
 *	means nothing and this is the one at which bytes move; only good for
 *	sizing what is sent. 0: not known
 */
struct atw_module {
	struct device		*dev;
	const struct atw_module_ops *ops;
	struct atw_channel	ch;
	struct atw_sched	sched;
	struct atw_conns	conns;
	struct atw_requests	requests;
	unsigned long		asked;
	u8			blamed;

	enum atw_module_state	state;
	seqlock_t		lease_lock;
	struct atw_lease	lease;
	struct atw_network	net;		/* where its link was asked for last */
	enum atw_wifi_state	status;		/* what it said then */
	bool			unread;		/* no more of that could be read */
	struct atw_join		*join;		/* where it is to be; NULL: anywhere */
	bool			managed;	/* a program sees to that, and has told it last */
	unsigned int		joins;		/* tried since it was there */
	bool			refused;	/* its password is, and that was said */
	bool			joining;	/* told to, and how that ends is not known */
	bool			barred;		/* from any: its radio is blocked */
	bool			silenced;	/* and was told to be out of one for that */
	u64			in_since;	/* its network, in jiffies */
	u8			mac[6];
	unsigned int		baud;		/* of our UART */
	unsigned int		wire_baud;	/* as the module tells it */
	unsigned int		bad_baud;	/* was tried in vain, 0: none */
	bool			no_flow;	/* RTS and CTS likewise */
	char			firmware[ATW_VERSION_MAX];
	char			at_version[ATW_VERSION_MAX];
	char			sdk_version[ATW_VERSION_MAX];

	bool			name_told;	/* that its network's has ends of lines */
	u64			up_since;	/* in jiffies */
	unsigned int		failures;	/* in a row; the first was told */
	unsigned int		brief;		/* in a row: it was up, but not for long */
	bool			warned;		/* that it restarts again and again */
	bool			restless;	/* it restarted whenever it was found */
	bool			echo_off;
	enum atw_autott_state	autott;
	bool			raw;

	atomic64_t		bringups;
	atomic64_t		reboots;
};

/* What is seen may be old: who acts on it is told of each change, or looks again. */
static inline enum atw_module_state atw_module_state(const struct atw_module *m)
{
	return READ_ONCE(m->state);
}

struct atw_lease atw_module_lease(const struct atw_module *m);

/* In host order, 0: none; as the state. */
static inline u32 atw_module_addr(const struct atw_module *m)
{
	return atw_module_lease(m).addr;
}

static inline u32 atw_module_gateway(const struct atw_module *m)
{
	return atw_module_lease(m).gateway;
}

void atw_module_init(struct atw_module *m, struct device *dev,
		     const struct atw_module_ops *ops);
int atw_module_start(struct atw_module *m, struct atw_transport *t);
void atw_module_stop(struct atw_module *m);
void atw_module_doze(struct atw_module *m);
void atw_module_sleep(struct atw_module *m);
void atw_module_wake(struct atw_module *m);
int atw_module_queue(struct atw_module *m, struct atw_request *request);
void atw_module_hurry(struct atw_module *m);
int atw_module_request(struct atw_module *m, struct atw_request *request, long timeout);
int atw_module_query_link(struct atw_module *m);
void atw_module_bar(struct atw_module *m, bool barred);
void atw_module_set_autott(struct atw_module *m, enum atw_autott_state autott);
void atw_module_charge(struct atw_module *m, u8 share, u64 since);
int atw_module_exec(struct atw_module *m, struct atw_cmd *cmd);
int atw_module_set_recv_mode(struct atw_module *m, bool passive, long timeout);
int atw_module_set_transparent(struct atw_module *m, struct atw_conn *c, u8 how);

#endif
