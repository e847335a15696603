/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the rooms of the connection layer share. They call downwards alone:
 *
 *	tt_set				gives transparent mode to a connection
 *	conn_work			chooses what is done next
 *	conn_open, conn_lost		open, end all
 *	transparent, conn_fetch		bytes by other ways
 *	silence				remotes that did not answer
 *	conn_tx				what is sent
 *	conn_sync			the table is compared with the module's
 *	conn_rx				what comes
 *	child				what servers accept
 *	conn_cmd			commands that all of these have in common
 *	doubt				payloads that may be something else
 *	conn				a connection, and the table of them
 *	conn_throttle			programs that read slowly
 *	conn_state, conn_id, share	states, numbers, users
 *
 * The jobs of conn_work, and when each is done, are in sched.h.
 */
#ifndef _ATWIFI_CONN_PRIV_H
#define _ATWIFI_CONN_PRIV_H

#include <linux/jiffies.h>

#include "conn.h"
#include "firmware.h"
#include "sched.h"
#include "timing.h"

/* Connections that wait to be accepted: more than a module can have. */
#define ATW_BACKLOG_MAX		16U

/* Those of a device, with what programs have closed and the module has yet to hear
 * of: they cost memory until then. See atw_conns_are_full().
 */
#define ATW_CONNS_MAX		2048

/* Children that were not announced, until the module was asked for their servers. */
#define ATW_GUESSES_MAX		64

/* Every firmware takes so much in one send; and how much is tried at most. */
#define ATW_CHUNK_MIN		1024
#define ATW_CHUNK_MAX		16384

/* Who has sent a small message is taken to be about to send another for so long. */
#define ATW_CHAT		(5 * HZ)

/**
 * enum atw_crowd - who else has a connection of the module, for the one that sends
 * @ATW_CROWD_NONE: nobody
 * @ATW_CROWD_BULK: only such as have something to send, too
 * @ATW_CROWD_QUIET: also such as have nothing to send just now
 * @ATW_CROWD_CHAT: also such as have sent small messages lately
 */
enum atw_crowd {
	ATW_CROWD_NONE,
	ATW_CROWD_BULK,
	ATW_CROWD_QUIET,
	ATW_CROWD_CHAT,
};

/*
 * In passive mode the module keeps what it receives in its heap, and drops without a
 * word what does not fit. How large that is it does not tell; these are taken to be
 * less. Past the first a connection whose data comes is ended, which frees what it
 * has, and a server of datagrams opened anew; past the second what was dropped may have
 * been anybody's.
 */
#define ATW_KEPT_SOFT		(32 * 1024)
#define ATW_KEPT_HARD		(48 * 1024)

/**
 * struct atw_unverified_cb - in skb->cb of a payload that may not be its remote's alone
 * @query: atw_audit.query when it came: what a later one tells is of a module that
 *	had printed all of it
 * @doubt: why it may not, bits of enum atw_doubt; 0: it only came after such a one
 * @answer: it was fetched
 */
struct atw_unverified_cb {
	unsigned int	query;
	unsigned int	doubt;
	bool		answer;
};

#define ATW_UNVERIFIED_CB(skb)	((struct atw_unverified_cb *)(skb)->cb)

/**
 * enum atw_conn_ev - what happens to a connection, see conn_state.c
 * @ATW_CONN_EV_ASKED: the module is asked for it
 * @ATW_CONN_EV_OPENED: the module has it, and somebody wants it
 * @ATW_CONN_EV_ACCEPTED: the module has it, without having been asked
 * @ATW_CONN_EV_UNWANTED: its connect is over: the module has it, or may have it, and it
 *	has ended already, or that is an error
 * @ATW_CONN_EV_AGAIN: the module does not have it, and is to be asked for it later
 * @ATW_CONN_EV_YIELD: it is to be deleted for one that waits
 * @ATW_CONN_EV_END: it carries nothing any more
 * @ATW_CONN_EV_GONE: the module does not have it, and is not to
 * @ATW_CONN_EVENTS: how many there are
 */
enum atw_conn_ev {
	ATW_CONN_EV_ASKED,
	ATW_CONN_EV_OPENED,
	ATW_CONN_EV_ACCEPTED,
	ATW_CONN_EV_UNWANTED,
	ATW_CONN_EV_AGAIN,
	ATW_CONN_EV_YIELD,
	ATW_CONN_EV_END,
	ATW_CONN_EV_GONE,
	ATW_CONN_EVENTS
};

/* Is it still to be asked for? */
static inline bool atw_conn_is_waiting(const struct atw_conn *c)
{
	return atw_conn_state(c) == ATW_CONN_WAITING;
}

/* Does it carry bytes? */
static inline bool atw_conn_is_open(const struct atw_conn *c)
{
	return atw_conn_state(c) == ATW_CONN_OPEN;
}

/* Is it being deleted for another one? */
static inline bool atw_conn_is_yielding(const struct atw_conn *c)
{
	return atw_conn_state(c) == ATW_CONN_YIELDING;
}

/* Has it ended, and is to be deleted in the module? */
static inline bool atw_conn_is_closing(const struct atw_conn *c)
{
	return atw_conn_state(c) == ATW_CONN_CLOSING;
}

static inline bool atw_conn_is_dead(const struct atw_conn *c)
{
	return atw_conn_state(c) == ATW_CONN_DEAD;
}

/* Has the module said that it has it, and has it not ended since then? */
static inline bool atw_conn_is_known(const struct atw_conn *c)
{
	enum atw_conn_state state = atw_conn_state(c);

	return state == ATW_CONN_OPEN || state == ATW_CONN_YIELDING;
}

/* Is a socket of the module in use for it, or may one be? */
static inline bool atw_conn_has_socket(const struct atw_conn *c)
{
	return atw_conn_is_known(c) || atw_conn_is_closing(c);
}

static inline bool atw_conn_is_usable(const struct atw_conn *c)
{
	return atw_conn_state_is_usable(atw_conn_state(c));
}

static inline bool atw_conn_is_live(const struct atw_conn *c)
{
	return atw_conn_state_is_live(atw_conn_state(c));
}

static inline bool atw_conn_is_child(const struct atw_conn *c)
{
	return c->type == ATW_TYPE_TCP_CHILD || c->type == ATW_TYPE_SSL_CHILD;
}

/* Does it accept connections? */
static inline bool atw_conn_is_listener(const struct atw_conn *c)
{
	return c->type == ATW_TYPE_TCP_SERVER || c->type == ATW_TYPE_SSL_SERVER;
}

/* May it keep the id of a send in one byte? The channel's thread, or atw_conns.lock. */
static inline bool atw_conns_narrow_ids(const struct atw_conns *cs)
{
	return cs->fw->narrow_ids || cs->learned.narrow_ids;
}

/* Does it wait for others to speak first? */
static inline bool atw_conn_is_server(const struct atw_conn *c)
{
	return atw_conn_is_listener(c) || c->type == ATW_TYPE_UDP_SERVER;
}

/* Does it carry bytes of which none may be missing? */
static inline bool atw_conn_is_stream(const struct atw_conn *c)
{
	return c->type != ATW_TYPE_UDP_CLIENT && !atw_conn_is_server(c);
}

/* Is transparent mode the only way for what it sends? A command would not be for its peer. */
static inline bool atw_conn_is_raw_only(const struct atw_conn *c)
{
	return IS_ENABLED(CONFIG_ATWIFI_TRANSPARENT) && c->transparent & ATW_TT_LAST_PEER;
}

/*
 * Might these bytes be of another connection than they seem? Datagrams and children are never
 * connected anew, and whoever else is given a child's number is told before. The receive path.
 */
static inline bool atw_tt_stale(const struct atw_conns *cs, const struct atw_conn *c)
{
	const struct atw_tt *tt = &cs->tt;

	return c == tt->conn && tt->unchecked && atw_conn_is_stream(c) &&
	       (tt->ended || tt->doubt ||
		(!atw_conn_is_child(c) &&
		 time_after64(get_jiffies_64(), tt->proof + atw_timing.tt_trust)));
}

/*
 * May bytes be lost of a connection that is at its end? What came for it in transparent mode was
 * not delivered where it may have been an event; nor where it was the event of its end, as long
 * as the module was not asked: one that tells of the end again has not told of it before. The
 * receive path, or the channel's thread when the mode was left.
 */
static inline bool atw_tt_is_cut(const struct atw_conns *cs, const struct atw_conn *c)
{
	const struct atw_tt *tt = &cs->tt;

	return c == tt->conn && atw_conn_is_stream(c) &&
	       (tt->doubt || (tt->ended && tt->unchecked));
}

/* Has it something to send by a command? Not to a remote who is gone: nobody would take it. */
static inline bool atw_conn_has_sends(const struct atw_conn *c)
{
	return c->tx.queued && !c->remote_closed && !atw_conn_is_raw_only(c);
}

/* Has it sent a small message lately? Then it is likely to send another. */
static inline bool atw_conn_chats(const struct atw_conn *c)
{
	return time_before64(get_jiffies_64(), c->tx.chat_until);
}

/* Is it one that nobody has accepted, but somebody may? */
static inline bool atw_conn_waits(const struct atw_conn *c)
{
	lockdep_assert_held(&c->lock);

	return c->child.stage == ATW_CHILD_NEW || c->child.stage == ATW_CHILD_READY;
}

/* Is there somebody for what it receives, or will there be? A listener receives nothing. */
static inline bool atw_conn_wanted(const struct atw_conn *c)
{
	return (c->owner && !atw_conn_is_listener(c)) || atw_conn_waits(c);
}

/* Does it go at @close_by, if what it has queued is not sent before? */
static inline bool atw_conn_expires(const struct atw_conn *c)
{
	return c->wish == ATW_WISH_DRAIN && c->tx.queued &&
	       (atw_conn_is_waiting(c) || !atw_conn_is_stream(c));
}

/*
 * Nobody wants it any more, and nothing is left to be sent: it is to be deleted. What
 * an open stream has queued is not dropped by a clock: each send is a success or the
 * end of it, within a time that the module is given for that.
 */
static inline bool atw_conn_finished(const struct atw_conn *c)
{
	if (c->wish <= ATW_WISH_YIELD || c->tx.sending)
		return false;
	if (c->wish == ATW_WISH_GO || !c->tx.queued)
		return true;
	return atw_conn_expires(c) && time_after(jiffies, c->close_by);
}

/* Is nothing on its way, in either direction? */
static inline bool atw_conn_is_quiet(const struct atw_conns *cs, const struct atw_conn *c)
{
	lockdep_assert_held(&c->lock);

	return !c->tx.queued && !c->tx.sending && !c->rx.fetch && c->rx.announced <= 0 &&
	       skb_queue_empty(&c->rx.blocked) && skb_queue_empty(&c->rx.unverified) &&
	       !c->remote_closed && READ_ONCE(cs->rx.conn) != c;
}

/* What connections keep that have left their tables, of all devices, as in their rx.size. */
extern struct atw_budget atw_unlisted;

/* Whose memory is it? That of a child is for its server's owner, who may leave it alone. */
static inline u8 atw_conn_payer(const struct atw_conn *c)
{
	return c->child.server ? c->child.server->share : c->share;
}

/* Memory of so many bytes of it, which could not be handed over, is free. */
static inline void atw_conn_unkeep(struct atw_conn *c, u32 size)
{
	c->rx.size -= size;
	if (c->child.server)
		atomic_sub(size, &c->child.server->serve.kept);
	atw_budget_give(c->conns ? &c->conns->rx.unread : &atw_unlisted, atw_conn_payer(c), size);
}

/* There is nothing to do for it for so many jiffies. */
static inline void atw_conn_pause(struct atw_conn *c, unsigned long pause)
{
	c->not_before = get_jiffies_64() + pause;
}

static inline bool atw_conn_is_paused(const struct atw_conn *c)
{
	return time_before64(get_jiffies_64(), c->not_before);
}

/* conn.c */
struct atw_conn *atw_conn_alloc(enum atw_sock_type type, gfp_t gfp);
void atw_conn_end(struct atw_conn *c, int err, u32 code);
void atw_conn_disturb(struct atw_conns *cs, struct atw_conn *c);
void atw_conn_yielded(struct atw_conns *cs, struct atw_conn *c);
void atw_conn_purge_tx(struct atw_conn *c);
void atw_conn_purge(struct atw_conn *c, struct sk_buff_head *queue);
void atw_conn_disown(struct atw_conn *c);
void atw_conn_drop_children(struct atw_conn *server);
void atw_conns_link(struct atw_conns *cs, struct atw_conn *c);
void atw_conn_forget_kept(struct atw_conns *cs, struct atw_conn *c);
void atw_conns_lose_server(struct atw_conns *cs, struct atw_conn *c);
void atw_conn_leave_kept(struct atw_conns *cs, struct atw_conn *c);
void atw_conns_unlink(struct atw_conns *cs, struct atw_conn *c);
void atw_conns_put_list(struct list_head *list);
void atw_conns_damage(struct atw_conns *cs);

/* conn_cmd.c */
int atw_conns_delete_id(struct atw_conns *cs, u32 id);
void atw_conns_begin_query(struct atw_conns *cs);
int atw_conns_query(struct atw_conns *cs);
const struct atw_sock_row *atw_rows_find(const struct atw_conns *cs, u32 id, bool child);

/* conn_fetch.c */
void atw_conns_fetch(struct atw_conns *cs, struct atw_conn *c);

/* conn_id.c */
struct atw_conn *atw_conns_find(struct atw_conns *cs, u32 id);
struct atw_conn *atw_conns_get(struct atw_conns *cs, u32 id);
void atw_conns_free_id(struct atw_conns *cs, struct atw_conn *c);
void atw_conns_unname(struct atw_conns *cs, struct atw_conn *c);
bool atw_conns_near_named(struct atw_conns *cs, u32 id);
bool atw_conns_spare_numbers(struct atw_conns *cs, u32 id);
u32 atw_conns_new_id(struct atw_conns *cs, bool *reused);
void atw_conns_set_deleting(struct atw_conns *cs, u32 id);
bool atw_conns_is_stale(struct atw_conns *cs, u32 id);
bool atw_conns_is_going(struct atw_conns *cs, u32 id);
bool atw_conns_is_recent(struct atw_conns *cs, u32 id);
void atw_conns_forget_recent(struct atw_conns *cs);
void atw_conns_add_stale(struct atw_conns *cs, u32 id);
u32 atw_conns_next_stale(struct atw_conns *cs);

/* conn_open.c */
void atw_conns_delete(struct atw_conns *cs, struct atw_conn *c);
void atw_conns_do_open(struct atw_conns *cs, struct atw_conn *c);

/* conn_rx.c */
void atw_conns_drop_payload(struct atw_conns *cs);
void atw_conn_release_early(struct atw_conns *cs, struct atw_conn *c);
void atw_conn_forget_early(struct atw_conns *cs, struct atw_conn *c);
void atw_conn_release_blocked(struct atw_conns *cs, struct atw_conn *c);
void atw_conn_believe(struct atw_conns *cs, struct atw_conn *c,
		      unsigned int doubt, unsigned int query);
struct sk_buff *atw_conn_received(struct atw_conns *cs, struct atw_conn *c,
				  struct sk_buff *skb);
void atw_conn_remote_end(struct atw_conns *cs, struct atw_conn *c);
void atw_conn_end_sure(struct atw_conns *cs, struct atw_conn *c);

/* conn_state.c */
void atw_conn_kick(struct atw_conn *c);
bool atw_conn_event(struct atw_conn *c, enum atw_conn_ev ev);

/* conn_sync.c */
bool atw_row_is_live(const struct atw_conn *c, const struct atw_sock_row *row);
bool atw_conns_find_unknown(struct atw_conns *cs, bool told);

/* conn_throttle.c */
void atw_conn_throttle(struct atw_conns *cs, struct atw_conn *c, const struct sk_buff *skb);

/* conn_tx.c */
void atw_conn_sent(struct atw_conn *c, u32 n, struct sk_buff_head *done);
void atw_conn_send_over(struct atw_conn *c, int err);
void atw_conns_do_send(struct atw_conns *cs, struct atw_conn *c,
		       enum atw_crowd crowd);

/* doubt.c */
bool atw_query_is_newer(unsigned int begun, unsigned int query);
bool atw_conn_doubted(const struct atw_conn *c, unsigned int doubt,
		      unsigned int query);
void atw_conn_disbelieve(struct atw_conns *cs, struct atw_conn *c);

/* child.c */
void atw_conns_accepted(struct atw_conns *cs, u32 id, u32 server_id);
struct atw_conn *atw_conns_guess_child(struct atw_conns *cs, u32 id);
bool atw_conns_adopt(struct atw_conns *cs, struct atw_conn *c,
		     const struct atw_sock_row *row);
void atw_conn_auto_deleted(struct atw_conns *cs, struct atw_conn *c);
void atw_conn_renew(struct atw_conn *server);
void atw_conns_do_renew(struct atw_conns *cs, struct atw_conn *server);
bool atw_conns_still_there(struct atw_conns *cs, struct atw_conn *server);
bool atw_conns_recount(struct atw_conns *cs);

/* silence.c */
void atw_conns_add_silence(struct atw_conns *cs, const struct atw_conn *c, int err,
			   u32 code);
void atw_conns_recall_silence(struct atw_conns *cs, struct atw_conn *c);
void atw_conns_forget_silence(struct atw_conns *cs);

/* transparent.c */
bool atw_tt_is_alone(struct atw_conns *cs, struct atw_conn *c);
int atw_tt_is_fit(struct atw_conn *c);
int atw_tt_check(struct atw_conns *cs);
void atw_tt_drop(struct atw_conns *cs);
int atw_tt_do_enter(struct atw_conns *cs);

/* What was promised of it cannot be kept: it ends with an error, and why is counted. */
static inline void atw_conn_reset(struct atw_conn *c, atomic64_t *why)
{
	atomic64_inc(why);
	atw_conn_end(c, -ECONNRESET, 0);
}

#endif
