/* SPDX-License-Identifier: GPL-2.0-only */
/* Who gets the module next: users by the time of it that each has had. */
#ifndef _ATWIFI_SHARE_H
#define _ATWIFI_SHARE_H

#include <linux/atomic.h>
#include <linux/types.h>
#include <linux/uidgid.h>

struct atw_conn;
struct atw_conns;

#define ATW_SHARES	64

/* What remotes begin: connections that a server of the module has accepted. */
#define ATW_SHARE_REMOTE	2

/**
 * struct atw_share - what a user, or several whose numbers fall together, has had
 * @n: connections that there are
 * @sent: ns that sends of it took, counted from where those of others were when it
 *	began to send
 * @used: when it had the module last to send or to receive, or had something to send
 * @asked: when it had the module last for what takes its time, or waited to connect
 * @names: names that it asks for
 * @owes: until then, but for a little, others go first: by connects, names and echoes of it
 *	all have waited
 * @passed: times in a row that the connect that is due was passed over by one to another
 *	remote
 */
struct atw_share {
	unsigned int	n;
	u64		sent;
	u64		used;
	u64		asked;
	atomic_t	names;
	u64		owes;
	u8		passed;
};

/* So many times in a row who has come first is passed over for the remote. */
#define ATW_PASSED_MAX	3

u8 atw_share_index(kuid_t uid, int ifindex, __be32 from, bool dgram);
u64 atw_conns_now(const struct atw_conns *cs);
bool atw_conns_are_full(const struct atw_conns *cs, u8 share);
void atw_conns_count_sockets(struct atw_conns *cs, u16 has[ATW_SHARES / 2]);
struct atw_share *atw_conns_sender(struct atw_conns *cs, const struct atw_conn *c);
u64 atw_conns_hold(struct atw_conns *cs, u8 index);
bool atw_conns_must_wait(struct atw_conns *cs, u8 index);
void atw_conns_note_use(struct atw_conns *cs, const struct atw_conn *c);
void atw_conns_charge_send(struct atw_conns *cs, const struct atw_conn *c, u64 since);
void atw_conns_charge(struct atw_conns *cs, u8 index, u64 since);
void atw_conns_charge_open(struct atw_conns *cs, struct atw_conn *c, u64 since);

#endif
