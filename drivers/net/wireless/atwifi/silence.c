// SPDX-License-Identifier: GPL-2.0-only
/*
 * Remotes that did not answer.
 *
 * A connect to a silent remote blocks the module for 5 s to 75 s. The remote is not asked
 * again for a while, whoever wants it: it costs others one connect, and not one for each
 * that somebody tries.
 *
 * A remote is a kind of connection to an address or name and port: that one port of a
 * host is silent says nothing of others, which a user could otherwise take from others.
 */
#include <linux/jiffies.h>

#include "conn_priv.h"
#include "error.h"
#include "timing.h"

static bool atw_silence_is_of(const struct atw_silence *s, const struct atw_conn *c)
{
	return s->type == c->type && s->addr == c->addr && s->port == c->port &&
	       !strcmp(s->name, c->name);
}

static void atw_silence_end(struct atw_conns *cs, const struct atw_silence *s,
			    struct atw_conn *c)
{
	lockdep_assert_held(&cs->lock);

	spin_lock(&c->lock);
	if (atw_conn_is_waiting(c) && !c->serve.lasting) {
		atomic64_inc(&cs->counts.failed);
		atw_conn_end(c, s->err, s->code);
	}
	spin_unlock(&c->lock);
}

/**
 * atw_conns_add_silence() - a connect has failed late: a remote, or a name server, did
 * not answer
 * @cs: the connections
 * @c: its connection
 * @err: -errno for its owner, and for those of all others who want the same
 * @code: the module's number, 0 if it gave none
 *
 * Context: the channel's thread; @cs->lock is held.
 */
void atw_conns_add_silence(struct atw_conns *cs, const struct atw_conn *c, int err,
			   u32 code)
{
	struct atw_silence *s = &cs->silences.of[cs->silences.next];
	struct atw_conn *other;

	lockdep_assert_held(&cs->lock);

	cs->silences.next = (cs->silences.next + 1) % ARRAY_SIZE(cs->silences.of);
	s->type = c->type;
	s->addr = c->addr;
	s->port = c->port;
	strscpy(s->name, c->name, sizeof(s->name));
	s->err = err;
	s->code = code;
	s->until = atw_conns_now(cs) + jiffies_to_nsecs(atw_timing.silence);
	list_for_each_entry(other, &cs->list, node)
		if (other != c && atw_silence_is_of(s, other))
			atw_silence_end(cs, s, other);
}

/**
 * atw_conns_recall_silence() - end a new connection whose remote was silent just now
 * @cs: the connections
 * @c: the connection; its owner is told
 *
 * Context: @cs->lock is held.
 */
void atw_conns_recall_silence(struct atw_conns *cs, struct atw_conn *c)
{
	u64 now = atw_conns_now(cs);
	unsigned int i;

	lockdep_assert_held(&cs->lock);

	for (i = 0; i < ARRAY_SIZE(cs->silences.of); i++)
		if (now < cs->silences.of[i].until &&
		    atw_silence_is_of(&cs->silences.of[i], c))
			atw_silence_end(cs, &cs->silences.of[i], c);
}

/**
 * atw_conns_forget_silence() - the network is another one, or was away
 * @cs: the connections
 *
 * Context: @cs->lock is held.
 */
void atw_conns_forget_silence(struct atw_conns *cs)
{
	lockdep_assert_held(&cs->lock);

	memset(cs->silences.of, 0, sizeof(cs->silences.of));
}
