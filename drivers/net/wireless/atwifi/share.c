// SPDX-License-Identifier: GPL-2.0-only
/*
 * Users, and what each has had of the module.
 *
 * The module does one thing at a time. What its users share is therefore its time, and
 * not a number of connections or of bytes: one connect to a remote that is silent takes
 * as long as a thousand sends.
 *
 * A user is whoever made the socket, or one of the machines behind the interface from
 * which packets are forwarded; a user's datagrams have a share of their own. A machine
 * chooses what it sends from, so that it could be as many users as it likes: all behind
 * an interface are four of them at most, by a hash of their addresses. One that lies gets
 * no more than these four, one that does not leaves three quarters of its neighbours
 * alone. The superuser has a share to himself, and so has all that remotes begin. The
 * others are put into the rest by a hash: two that fall together share one, which does no
 * harm but to their part.
 */
#include <linux/jhash.h>
#include <linux/once.h>

#include "conn_priv.h"
#include "share.h"

/* A connect that takes less than this is not slow. */
#define ATW_OPEN_QUICK	NSEC_PER_SEC
/* Who has had the module within this time is likely to want it again. */
#define ATW_SHARE_IDLE	NSEC_PER_SEC

/*
 * Those who have a uid from here on are one user together. Below, each was made for
 * somebody by the administrator; above, users are given subordinate ones by the thousand
 * (subuid(5)), and who has them could be as many users as there are shares. To ask which
 * user namespace a socket was made in, and whose that is, would not do: a file of a
 * subordinate uid with the set-user-ID bit gives that uid to a process outside, and
 * fchown() gives it to a socket that was made outside. So whatever somebody does with
 * them, he has his own share and this one, and the same for datagrams.
 */
#define ATW_UID_SHARED	65536U
/* The machines behind an interface are so many users at most, whatever they send from. */
#define ATW_FORWARDED_USERS	4

/* Each user has two, the one for streams and behind it the one for datagrams. */
enum {
	ATW_SHARE_ROOT		= 0,
	ATW_SHARE_OTHERS	= ATW_SHARE_REMOTE + 2,
	ATW_SHARE_USERS		= (ATW_SHARES - ATW_SHARE_OTHERS) / 2,
};

/**
 * atw_share_index() - whose share a connection is to have
 * @uid: who made the socket, INVALID_UID if that is not known
 * @ifindex: number of the interface that the packets come from then, 0: from none
 * @from: the address that they come from
 * @dgram: for datagrams
 *
 * Context: any.
 * Return: the share's number.
 */
u8 atw_share_index(kuid_t uid, int ifindex, __be32 from, bool dgram)
{
	static u32 seed __read_mostly;
	u32 hash;

	if (uid_eq(uid, GLOBAL_ROOT_UID))
		return ATW_SHARE_ROOT + dgram;
	get_random_once(&seed, sizeof(seed));
	if (uid_valid(uid))
		hash = jhash_1word(min(__kuid_val(uid), ATW_UID_SHARED), seed);
	else
		hash = jhash_2words(ifindex, jhash_1word((__force u32)from, seed) %
				    ATW_FORWARDED_USERS, ~seed);
	return ATW_SHARE_OTHERS + 2 * (hash % ATW_SHARE_USERS) + dgram;
}

/**
 * atw_conns_now() - the time by which shares are counted
 * @cs: the connections
 *
 * Return: in ns; it never wraps.
 */
u64 atw_conns_now(const struct atw_conns *cs)
{
	return ktime_to_ns(cs->clock());
}

/**
 * atw_conns_are_full() - has a user no right to another connection?
 * @cs: the connections
 * @share: the user's share
 *
 * Nobody has more of them than are still free, so that there is always room for whoever
 * comes next.
 *
 * Context: @cs->lock is held.
 */
bool atw_conns_are_full(const struct atw_conns *cs, u8 share)
{
	lockdep_assert_held(&cs->lock);

	return cs->n + cs->shares.of[share].n >= ATW_CONNS_MAX;
}

/**
 * atw_conns_sender() - the share of a connection that has something to send
 * @cs: the connections
 * @c: the connection
 *
 * The time in which it had nothing to send is no credit.
 *
 * Context: @cs->lock is held.
 */
struct atw_share *atw_conns_sender(struct atw_conns *cs, const struct atw_conn *c)
{
	struct atw_share *share = &cs->shares.of[c->share];

	lockdep_assert_held(&cs->lock);

	share->sent = max(share->sent, cs->shares.sent);
	return share;
}

/**
 * atw_conns_hold_open() - must a connect wait because others want the module?
 * @cs: the connections
 * @c: the one of those that wait for which others had to wait the least
 *
 * Who made the module wait for a remote lets others have it for as long, if they had it
 * a moment ago. His own datagrams, or his own streams, are none of the others.
 *
 * Context: @cs->lock is held.
 * Return: how long yet, in ns; 0: it may begin.
 */
u64 atw_conns_hold_open(const struct atw_conns *cs, const struct atw_conn *c)
{
	u64 now = atw_conns_now(cs), until = 0;
	unsigned int i;

	lockdep_assert_held(&cs->lock);

	if (now >= cs->shares.of[c->share].owes)
		return 0;
	for (i = 0; i < ATW_SHARES; i++)
		if (i / 2 != c->share / 2 && cs->shares.of[i].used)
			until = max(until, cs->shares.of[i].used + ATW_SHARE_IDLE);
	until = min(until, cs->shares.of[c->share].owes);
	return until > now ? until - now : 0;
}

/**
 * atw_conns_note_use() - a user receives, or has the module in transparent mode
 * @cs: the connections
 * @c: the connection
 *
 * Connects that make all wait keep away from a receiver as from a sender. The time is
 * not charged: what has come must be taken before the module has no room for it.
 *
 * Context: the channel's thread or the receive path.
 */
void atw_conns_note_use(struct atw_conns *cs, const struct atw_conn *c)
{
	spin_lock(&cs->lock);
	cs->shares.of[c->share].used = atw_conns_now(cs);
	spin_unlock(&cs->lock);
}

/**
 * atw_conns_charge_send() - a user had the module for a send
 * @cs: the connections
 * @c: the connection
 * @since: when that began
 *
 * Context: @cs->lock is held.
 */
void atw_conns_charge_send(struct atw_conns *cs, const struct atw_conn *c, u64 since)
{
	struct atw_share *share = &cs->shares.of[c->share];
	u64 now = atw_conns_now(cs);

	lockdep_assert_held(&cs->lock);

	cs->shares.sent = share->sent;
	share->sent += now - since;
	share->used = now;
}

/**
 * atw_conns_charge_open() - a user had the module for a connect
 * @cs: the connections
 * @c: the connection
 * @since: when that began
 *
 * Who had the module shortly before a slow connect was kept from it meanwhile, which
 * does not count as if the module had not been wanted: what a remote sends to a receiver
 * comes only after that, and must not find the next slow connect begun. Nor does anybody
 * pay what he owes in that time: two could else have the module in turns, and all of it.
 * Who is to ask again, since there was no socket, has had none: if he had, all others would
 * be before him when there is one.
 *
 * Context: @cs->lock is held.
 */
void atw_conns_charge_open(struct atw_conns *cs, struct atw_conn *c, u64 since)
{
	struct atw_share *share = &cs->shares.of[c->share];
	u64 now = atw_conns_now(cs);
	bool slow = now - since > ATW_OPEN_QUICK;
	unsigned int i;
	bool again;

	lockdep_assert_held(&cs->lock);

	spin_lock(&c->lock);
	again = atw_conn_is_waiting(c);
	spin_unlock(&c->lock);
	for (i = 0; slow && i < ATW_SHARES; i++) {
		if (cs->shares.of[i].used && cs->shares.of[i].used + ATW_SHARE_IDLE > since)
			cs->shares.of[i].used = now;
		if (&cs->shares.of[i] != share && cs->shares.of[i].owes > since)
			cs->shares.of[i].owes += now - since;
	}
	share->used = now;
	if (slow || !again)
		share->owes = max(share->owes, slow ? now + (now - since) : now);
}
