/* SPDX-License-Identifier: GPL-2.0-only */
/* Transparent mode: one connection has the UART for itself. */
#ifndef _ATWIFI_TRANSPARENT_H
#define _ATWIFI_TRANSPARENT_H

#include <linux/errno.h>
#include <linux/types.h>

#include "dialect.h"
#include "ttscan.h"

struct atw_conn;
struct atw_conns;

enum atw_tt_phase {
	ATW_TT_OUT,		/* the module takes commands */
	ATW_TT_IN,		/* what comes is data */
	ATW_TT_SUSPECT,		/* or is it? It is kept back from here on */
	ATW_TT_LEAVING,		/* "+++" is on its way */
	ATW_TT_HEARD,		/* what may be the answer to that has come */
};

/* What may come between "+++" and the proof that it worked, at any usual rate. */
#define ATW_TT_HOLD		(256 * 1024)
/* Bytes that the module certainly has room for, whatever its remote does. */
#define ATW_TT_BUDGET		1024

/**
 * struct atw_tt - the transparent mode of one device
 * @conn: which connection is to have it, with a reference; written by the
 *	channel's thread under the channel's rx_lock
 * @phase: rx_lock; only the receive path moves it on from ATW_TT_LEAVING, and to
 *	ATW_TT_SUSPECT. The thread, which does the rest, looks at it without that: it is kicked
 *	when it is moved on
 * @scan, @hold, @hold_len, @marker: what came and is not passed on; rx_lock. Where something is
 *	in @hold all that comes then is kept there, too
 * @escape_at: as many bytes of @hold came before "+++" was sent; rx_lock
 * @searched: before that byte of @hold nothing begins that is waited for then; rx_lock
 * @skip: as many of its bytes were passed on; rx_lock
 * @ended: the module said that the connection was lost; rx_lock
 * @doubt: something came that may be an event of the module, or data; rx_lock
 * @unchecked: it was left, and the connection not looked for since; rx_lock
 * @lost: it was looked for and is not there; the thread's, as all below
 * @proof: when the module was asked whether it has the connection, and had it, in jiffies
 *	of 64 bits, as @enter_after; written under rx_lock
 * @sent: when the last byte was written, or the mode entered
 * @unproved: bytes of datagrams written since @proof
 * @enter_after: not before that it is entered again
 * @told: ATW_VERB_HUSH: the module was told to keep its events back, ATW_VERB_TELL_ACCEPTS: all
 *	but those of new accepted connections; ATW_VERB_RESET: nothing. @quiet: and it does
 * @entries: counts how often the mode was entered
 * @spoiled: a remote may have got what was not for it: the module is to restart
 *	before it can end that connection in order
 */
struct atw_tt {
	struct atw_conn		*conn;
	enum atw_tt_phase	phase;
	struct atw_tt_scan	scan;
	u8			*hold;
	size_t			hold_len;
	size_t			escape_at;
	size_t			searched;
	size_t			skip;
	char			marker[48];
	bool			ended;
	bool			doubt;
	bool			unchecked;

	bool			lost;
	u64			proof;
	unsigned long		sent;
	u32			unproved;
	u64			enter_after;
	enum atw_verb		told;
	bool			quiet;
	atomic64_t		entries;
	bool			spoiled;
};

#if IS_ENABLED(CONFIG_ATWIFI_TRANSPARENT)
/* transparent.c */
void atw_tt_leave(struct atw_conns *cs);
bool atw_tt_do_end(struct atw_conns *cs);
bool atw_tt_carry(struct atw_conns *cs);
bool atw_tt_enter(struct atw_conns *cs);
void atw_tt_receive(void *ctx, const u8 *buf, size_t len);
void atw_tt_stop(void *ctx);
void atw_tt_forget(struct atw_conns *cs);

/* tt_set.c */
int atw_tt_set(struct atw_conns *cs, struct atw_conn *c, u8 how);
#else
static inline void atw_tt_leave(struct atw_conns *cs)
{
}

static inline bool atw_tt_do_end(struct atw_conns *cs)
{
	return false;
}

static inline bool atw_tt_carry(struct atw_conns *cs)
{
	return false;
}

static inline bool atw_tt_enter(struct atw_conns *cs)
{
	return false;
}

static inline void atw_tt_receive(void *ctx, const u8 *buf, size_t len)
{
}

static inline void atw_tt_stop(void *ctx)
{
}

static inline void atw_tt_forget(struct atw_conns *cs)
{
}

static inline int atw_tt_set(struct atw_conns *cs, struct atw_conn *c, u8 how)
{
	return how ? -EOPNOTSUPP : 0;
}
#endif

#endif
