// SPDX-License-Identifier: GPL-2.0-only
/*
 * Users, and what each has had of the module.
 *
 * The module does one thing at a time. What its users share is therefore its time, and
 * not a number of connections or of bytes: one connect to a remote that is silent takes
 * as long as a thousand sends. A send ends by itself, and is the next one's of who has had
 * the least. Nobody can say how long a connect takes, a name or an echo: who has had the
 * module for these owes as much to others, whatever it was that he had it for.
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

/* A connect that takes no longer is not slow. */
#define ATW_OPEN_QUICK	NSEC_PER_SEC
/* Who owes no more need not wait for others yet: a page is many names, one after the other. */
#define ATW_SHARE_AHEAD	(4ULL * NSEC_PER_SEC)
/* Who has had the module within this time is likely to want it again. */
#define ATW_SHARE_IDLE	NSEC_PER_SEC
/* No connect takes longer, nor does a name, see timing.c: nobody owes more for one of them. */
#define ATW_SHARE_MOST	(120ULL * NSEC_PER_SEC)

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
 * atw_conns_count_sockets() - what each user has of the module's sockets
 * @cs: the connections
 * @has: zeroed; out: how many, streams and datagrams together; none where there are enough
 *
 * Context: @cs->lock is held.
 */
void atw_conns_count_sockets(struct atw_conns *cs, u16 has[ATW_SHARES / 2])
{
	struct atw_conn *c;

	lockdep_assert_held(&cs->lock);

	if (!cs->pace.slots_short)
		return;
	list_for_each_entry(c, &cs->list, node)
		has[c->share / 2] += atw_conn_has_socket(c);
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

/* Whose connections have something to send, or wait to be made? */
static void atw_shares_look(struct atw_conns *cs, u64 now)
{
	struct atw_share *share;
	struct atw_conn *c;

	list_for_each_entry(c, &cs->list, node) {
		share = &cs->shares.of[c->share];
		spin_lock(&c->lock);
		if (atw_conn_is_open(c) && c->tx.queued)
			share->used = now;
		if (atw_conn_is_waiting(c) && !atw_conn_is_paused(c))
			share->asked = now;
		spin_unlock(&c->lock);
	}
}

/* Until when is it to be left to others for a user who owes so much? 0: he does not want it. */
static u64 atw_share_wants(const struct atw_share *share, u64 owes, u64 now)
{
	u64 last = share->used;

	if (share->owes < owes)
		last = max(last, atomic_read(&share->names) ? now : share->asked);
	return last ? last + ATW_SHARE_IDLE : 0;
}

/**
 * atw_conns_hold() - must a user wait because others want the module?
 * @cs: the connections
 * @index: the user's share
 *
 * Who made others wait for what takes its time leaves them the module for as long, if they
 * want it: for payload, or for such things, of which they owe less. His own datagrams, or his
 * own streams, are none of the others.
 *
 * Context: @cs->lock is held.
 * Return: how long yet, in ns; 0: he may begin something that others would wait for.
 */
u64 atw_conns_hold(struct atw_conns *cs, u8 index)
{
	u64 owes = cs->shares.of[index].owes, now = atw_conns_now(cs), until = 0;
	unsigned int i;

	lockdep_assert_held(&cs->lock);

	if (now + ATW_SHARE_AHEAD >= owes)
		return 0;
	atw_shares_look(cs, now);
	for (i = 0; i < ATW_SHARES; i++)
		if (i / 2 != index / 2)
			until = max(until, atw_share_wants(&cs->shares.of[i], owes, now));
	until = min(until, owes - ATW_SHARE_AHEAD);
	return until > now ? until - now : 0;
}

/**
 * atw_conns_must_wait() - as atw_conns_hold(), for what is no connection's
 * @cs: the connections
 * @index: the user's share
 *
 * Context: process context.
 */
bool atw_conns_must_wait(struct atw_conns *cs, u8 index)
{
	bool must;

	spin_lock(&cs->lock);
	must = atw_conns_hold(cs, index);
	spin_unlock(&cs->lock);
	return must;
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

/* It was so when somebody else began to have the module: it is still. */
static void atw_share_keep(u64 *when, u64 since, u64 now)
{
	if (*when && *when + ATW_SHARE_IDLE > since)
		*when = now;
}

/**
 * atw_conns_charge() - a user had the module for what others had to wait for
 * @cs: the connections
 * @index: the user's share
 * @since: when that began
 *
 * Who wanted the module shortly before that was kept from it meanwhile, which does not count
 * as if he had not wanted it: what a remote sends to a receiver comes only after that, and
 * must not find the next such thing begun. Nor does anybody pay what he owes in that time: two
 * could else have the module in turns, and all of it.
 *
 * What was quick has kept nobody from it, but is paid for. What is owed is never more than the
 * last took, or than one thing of somebody who wants the module may take, and a little, as none
 * is begun before the former is paid unless nobody wants it: who owes less and asks again and
 * again would else have it for ever.
 *
 * Context: @cs->lock is held.
 */
void atw_conns_charge(struct atw_conns *cs, u8 index, u64 since)
{
	struct atw_share *share = &cs->shares.of[index], *other;
	u64 now = atw_conns_now(cs), took = now - since;
	bool slow = took > ATW_OPEN_QUICK;
	u64 most = now + took;
	unsigned int i;

	lockdep_assert_held(&cs->lock);

	for (i = 0; i < ATW_SHARES; i++) {
		other = &cs->shares.of[i];
		if (slow) {
			atw_share_keep(&other->used, since, now);
			atw_share_keep(&other->asked, since, now);
			if (i != index && other->owes > since)
				other->owes += took;
		}
		if (i != index && (atomic_read(&other->names) ||
				   other->asked + ATW_SHARE_IDLE > now))
			most = max(most, min(other->owes, now + ATW_SHARE_MOST));
	}
	if (slow)
		share->asked = now;
	share->owes = max(share->owes, min(max(share->owes, since) + 2 * took,
					   most + ATW_SHARE_AHEAD));
}

/**
 * atw_conns_charge_open() - a user had the module for a connect
 * @cs: the connections
 * @c: the connection
 * @since: when that began
 *
 * A quick one has cost nobody anything, but others' are before his next. Who is to ask again,
 * since there was no socket, has had none: if he had, all others would be before him when
 * there is one.
 *
 * Context: @cs->lock is held.
 */
void atw_conns_charge_open(struct atw_conns *cs, struct atw_conn *c, u64 since)
{
	struct atw_share *share = &cs->shares.of[c->share];
	u64 now = atw_conns_now(cs);
	bool again;

	lockdep_assert_held(&cs->lock);

	if (now - since > ATW_OPEN_QUICK) {
		atw_conns_charge(cs, c->share, since);
		return;
	}
	spin_lock(&c->lock);
	again = atw_conn_is_waiting(c);
	spin_unlock(&c->lock);
	share->asked = now;
	if (!again)
		share->owes = max(share->owes, now);
}
