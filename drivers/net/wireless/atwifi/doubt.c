// SPDX-License-Identifier: GPL-2.0-only
/* Payloads that may not be their remote's alone, and whether that is still to be said. */
#include <linux/skbuff.h>

#include "conn_priv.h"

/**
 * atw_query_is_newer() - did a query begin after something had come?
 * @begun: the query
 * @query: the number with which that came
 *
 * Return: true if so.
 */
bool atw_query_is_newer(unsigned int begun, unsigned int query)
{
	return (int)(begun - query) > 0;
}

/**
 * atw_conn_doubted() - is there something to be said of what came before a query?
 * @c: the connection, whose lock is held
 * @doubt: bits of enum atw_doubt
 * @query: the query
 *
 * Return: true if one of its payloads from before that is in such a doubt.
 */
bool atw_conn_doubted(const struct atw_conn *c, unsigned int doubt,
		      unsigned int query)
{
	struct sk_buff *skb;

	lockdep_assert_held(&c->lock);

	skb_queue_walk(&c->rx.unverified, skb)
		if (ATW_UNVERIFIED_CB(skb)->doubt & doubt &&
		    atw_query_is_newer(query, ATW_UNVERIFIED_CB(skb)->query))
			return true;
	return false;
}

/**
 * atw_conn_disbelieve() - payloads of a connection were not what they looked like
 * @cs: the connections
 * @c: the connection, whose lock is held
 *
 * What is in doubt is not handed over any more, whatever it is doubted for.
 *
 * Context: process context.
 */
void atw_conn_disbelieve(struct atw_conns *cs, struct atw_conn *c)
{
	lockdep_assert_held(&c->lock);

	atomic64_inc(&cs->counts.damaged);
	if (atw_conn_is_stream(c))
		atw_conn_end(c, -ECONNRESET, 0);
	else
		atw_conn_purge(c, &c->rx.unverified);
}

/**
 * atw_conns_end_doubtful() - what looked like other prints probably was that
 * @cs: the connections
 *
 * An answer stayed away, or one came that nobody asked for.
 *
 * Context: process context.
 */
void atw_conns_end_doubtful(struct atw_conns *cs)
{
	struct atw_conn *c;

	spin_lock(&cs->lock);
	list_for_each_entry(c, &cs->list, node) {
		spin_lock(&c->lock);
		if (atw_conn_doubted(c, ATW_DOUBT_FRAME, cs->audit.query + 1))
			atw_conn_disbelieve(cs, c);
		spin_unlock(&c->lock);
	}
	spin_unlock(&cs->lock);
}
