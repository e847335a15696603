/* SPDX-License-Identifier: GPL-2.0-only */
/* The AT channel: one kthread, one command at a time, and its answer. */
#ifndef _ATWIFI_CHANNEL_H
#define _ATWIFI_CHANNEL_H

#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "dialect.h"

/* What the module prints in one piece at most: a payload, and what stands before it. */
#define ATW_PRINT_MAX		1056
/* As much it may have to print for each of its connections before it answers. */
#define ATW_PRINTS_MAX		8

/* "AT+ATW", two random numbers and a NUL */
#define ATW_NONCE_LEN		23

struct atw_channel;
struct atw_transport;

/**
 * struct atw_transport_ops - what a UART can do
 * @write: hand up to @len bytes to the UART; returns how many it took (may be
 *	0: atw_channel_write_wakeup() is called when there is room), or -errno.
 *	Called from the channel's thread; need not wait.
 * @drain: wait until all bytes have left the UART, at most @timeout jiffies;
 *	NULL if it cannot be told
 * @unsent: bytes that @write took and that still wait for the UART, as far as its
 *	driver tells; NULL if it does not
 * @set_baud: change the rate; returns the rate that was set, or -errno; NULL
 *	if there is none to set
 * @get_baud: the present rate, 0 if there is none
 * @set_flow: have RTS and CTS used, or not: RTS then is given; only where
 *	atw_transport.rtscts is set
 * @reset: pulse the reset line or cycle the supply; NULL or -EOPNOTSUPP where
 *	not wired. May sleep
 * @throttle: nothing is taken for a moment, or, @on false, that is over: hold the module
 *	up. Returns false where what it sends meanwhile could be lost. In the receive path;
 *	NULL: it always could
 * None is called after atw_dev_unregister() has returned.
 */
struct atw_transport_ops {
	ssize_t (*write)(struct atw_transport *t, const u8 *buf, size_t len);
	void (*drain)(struct atw_transport *t, long timeout);
	unsigned int (*unsent)(struct atw_transport *t);
	int (*set_baud)(struct atw_transport *t, unsigned int baud);
	unsigned int (*get_baud)(struct atw_transport *t);
	void (*set_flow)(struct atw_transport *t, bool on);
	int (*reset)(struct atw_transport *t);
	bool (*throttle)(struct atw_transport *t, bool on);
};

/**
 * struct atw_transport - embedded in the transport's own structure
 * @ops: see above
 * @dialect: the commands of what is at its other end, NULL: atw_at_combo
 * @max_baud: the rate that is wanted in the end, 0: the one found
 * @rtscts: RTS and CTS are wired
 */
struct atw_transport {
	const struct atw_transport_ops	*ops;
	const struct atw_dialect	*dialect;
	unsigned int			max_baud;
	bool				rtscts;
};

/**
 * struct atw_cmd - one command and its answer
 * @line: the line, which atw_channel_exec() ends
 * @payload: bytes to write after the prompt, chained buffers of @payload_len
 *	bytes in all; NULL: there is no prompt
 * @payload_off: where in the first buffer they begin
 * @timeout: jiffies until the final line (of the payload's end if there is one)
 * @patience: the same in all, where the module says something else meanwhile:
 *	@timeout then begins anew; no more than @timeout: it does not
 * @row: called in receive context, under atw_channel.lock, with each line that
 *	may be one of the answer; returns true if it knows the line, as a whole: one
 *	of no known form that it does not know is damage
 * @begin: called in the thread before it is written, each time that it is; or NULL
 * @opens: it opens a connection, of which a "connect success" tells
 * @wants: the number that this is to have, ATW_NO_ID: any
 * @priv: for @row and @begin
 * @lost: set by the receive path when what the command is about is gone: its answer comes
 *	soon then, or never; or NULL. Looked at without a lock: whoever changes it wakes
 * @astray: set by others when the number in the line may be somebody else's by now: what
 *	is left of @payload is not for him; or NULL. Looked at without a lock,
 *	before each buffer
 * @names: its answer holds names of networks as they are: where it does not end, what comes
 *	is taken for more of them until atw_channel_settle_names() has succeeded
 * @barrier: its name, if nothing but the module's complaint about that ends it; NULL
 * @code: out: the module's error number of a failure
 * @id: out: the ConID of "connect success", ATW_NO_ID: none was told
 * @sent: out: payload bytes that were written; after a success fewer than @payload_len
 *	where it has gone astray
 * @raw: the answer is the prompt, and from there on the module's bytes are data
 * @data: place for a certificate that is the answer, or NULL
 * @data_size: bytes of @data
 * @data_id, @data_len: out: which certificate, and its length, which may be more
 *	than there is room for
 * @data_end: out: @data is complete
 */
struct atw_cmd {
	struct atw_line		line;
	struct sk_buff		*payload;
	u32			payload_off;
	u32			payload_len;
	long			timeout;
	long			patience;
	bool			(*row)(struct atw_cmd *cmd, const char *text);
	void			(*begin)(struct atw_cmd *cmd);
	bool			opens;
	u32			wants;
	void			*priv;
	const bool		*lost;
	const bool		*astray;
	bool			names;
	const char		*barrier;
	u32			code;
	u32			id;
	u32			sent;
	bool			raw;
	u8			*data;
	size_t			data_size;
	u32			data_id;
	u32			data_len;
	bool			data_end;
};

/* Has the module answered that it does not do a command, or does not know it? */
static inline bool atw_cmd_refused(int err)
{
	return err == -EREMOTEIO || err == -EOPNOTSUPP;
}

/* Of what the module does not know, enough to tell two complaints apart. */
#define ATW_SAID_MAX	48

/* A certificate is less than this; a place for one that outlives a command. */
#define ATW_DATA_MAX	2048

/**
 * struct atw_channel_ops - the user of a channel
 * @work: do one piece of work in the channel's thread, where commands may be
 *	run; returns false if there was none
 * @next_work: jiffies until @work wants to be called without a kick
 * @event: an event that is no part of an answer; receive context, may not
 *	run commands
 * @payload: a payload of @len bytes for @id begins: its place, or NULL: nobody wants it;
 *	atw_channel.answer tells whether it answers a read, until it is over
 * @payload_end: it is over: ATW_EV_PAYLOAD_END or ATW_EV_PAYLOAD_BAD; as @event
 * @stalled: a payload has begun and does not go on; as @event. May be NULL
 * @alarm: the time of atw_channel_alarm() is over; process context. May be NULL: it never is
 * @last: the thread ends or is about to pause; it may still write by
 *	atw_channel_farewell()
 * @raw: bytes after the prompt of a raw command, until the user says that they are
 *	the module's words again by atw_channel_cooked(); NULL: bytes were lost
 */
struct atw_channel_ops {
	bool (*work)(void *ctx);
	long (*next_work)(void *ctx);
	void (*event)(void *ctx, const struct atw_event *ev);
	u8 *(*payload)(void *ctx, u32 id, u32 len);
	void (*payload_end)(void *ctx, const struct atw_event *ev);
	void (*stalled)(void *ctx);
	void (*alarm)(void *ctx);
	void (*last)(void *ctx);
	void (*raw)(void *ctx, const u8 *buf, size_t len);
};

/**
 * enum atw_channel_flag - what a channel's thread waits for, or is to look at
 * @ATW_CH_KICKED: there may be work; set by anybody, cleared by the thread when it has found
 *	none, to look once more before it rests
 * @ATW_CH_DEAD: both sides are to end what they do; changed under rx_lock
 * @ATW_CH_RESET: the module has started again; no command runs until it is cleared
 * @ATW_CH_FULL: the UART is asked for room, or has none; cleared when it has
 * @ATW_CH_FINAL: atw_channel.final is the running command's; changed under
 *	atw_channel.lock, as the next one
 * @ATW_CH_PROMPT: its prompt has come
 * @ATW_CH_BANNER: part of a banner came while it ran
 * @ATW_CH_TOLD: what atw_channel_wait() waits for
 * @ATW_CH_UNSETTLED: bytes were lost that may have announced a payload: what seems to be the
 *	module's words may be a remote's, up to the answer to a question that nobody can guess;
 *	set by anybody, cleared by that, see atw_channel_settle()
 * @ATW_CH_LOOKING: the module is being brought up, so that there is no remote whose words
 *	these could be; the thread's
 */
enum atw_channel_flag {
	ATW_CH_KICKED,
	ATW_CH_DEAD,
	ATW_CH_RESET,
	ATW_CH_FULL,
	ATW_CH_FINAL,
	ATW_CH_PROMPT,
	ATW_CH_BANNER,
	ATW_CH_TOLD,
	ATW_CH_UNSETTLED,
	ATW_CH_LOOKING,
};

/**
 * struct atw_channel - see channel.c for how its parts play together
 * @dialect: the module's commands; constant after atw_channel_start()
 * @lock: protects @cmd and the answer (@final, @said, @cmd's outputs), which
 *	the thread and the receive path share. Innermost. Both sides are process
 *	context, so bottom halves stay on.
 * @rx_lock: protects @parser, @data, @scratch, @answer and calls into @ops from the receive
 *	path, and keeps them away once ATW_CH_DEAD is set; outside all other locks here. The thread
 *	asks without it whether the parser has a payload with two readings, for which it is
 *	kicked, and whether it is within a name, see atw_cmd.lost
 * @scratch: the place of a payload that nobody wants: what has torn that is looked for as well
 * @is_raw: what comes is not for the parser; @rx_lock
 * @flags: enum atw_channel_flag, by atomic operations; who sets one wakes @wait
 * @baud: what the serial line takes, in bits per second, 10 for a byte, 0: not known. The
 *	thread's; read anywhere: for what depends on it an old one will do
 * @rx_last: when something came last, in jiffies; written under @rx_lock, see
 *	atw_channel_heard()
 * @said: the module's last complaint about a command that it does not know
 * @said_before: the one before that, about the same command; the thread's alone
 * @strays: answers that came while nobody awaited them; written under @rx_lock, read
 *	without it by those who have waited for something that comes later
 * @owed: payload bytes that the module may still be waiting for
 * @rest_by: the channel is dead, and the rest of the payload that is being written may be until
 *	then, in jiffies of 64 bits; 0: that has not begun. The thread's alone
 * @stored: writes to the module's flash since @stored_since; the thread's alone
 */
struct atw_channel {
	const struct atw_channel_ops	*ops;
	void				*ctx;
	struct atw_transport		*transport;
	const struct atw_dialect	*dialect;
	struct device			*dev;

	struct task_struct		*thread;
	wait_queue_head_t		wait;
	unsigned long			flags;
	unsigned int			baud;

	struct mutex			rx_lock;
	struct atw_parser		parser;
	u8				data[ATW_DATA_MAX];
	u8				scratch[ATW_PAYLOAD_MAX];
	bool				answer;		/* see @payload */
	bool				is_raw;
	struct delayed_work		stall;
	struct delayed_work		alarm;
	unsigned long			rx_last;

	spinlock_t			lock;
	struct atw_cmd			*cmd;
	enum atw_event_type		final;
	char				said[ATW_SAID_MAX];
	char				said_before[ATW_SAID_MAX];
	unsigned int			strays;
	u32				owed;
	u64				rest_by;

	unsigned long			stored_since;
	unsigned int			stored;

	/* counters */
	atomic64_t			rx_bytes;
	atomic64_t			tx_bytes;
	atomic64_t			commands;
	atomic64_t			timeouts;
	atomic64_t			busy;
};

int atw_channel_start(struct atw_channel *ch, const struct atw_channel_ops *ops,
		      void *ctx, struct atw_transport *t, struct device *dev);
void atw_channel_go(struct atw_channel *ch);
void atw_channel_stop(struct atw_channel *ch);
void atw_channel_halt(struct atw_channel *ch);
void atw_channel_pause(struct atw_channel *ch);
void atw_channel_resume(struct atw_channel *ch);
void atw_channel_restart(struct atw_channel *ch);
void atw_channel_unsettle(struct atw_channel *ch);
bool atw_channel_is_unsettled(const struct atw_channel *ch);
bool atw_channel_connects(struct atw_channel *ch);
void atw_channel_kick(struct atw_channel *ch);
void atw_channel_has_work(struct atw_channel *ch);
void atw_channel_receive(struct atw_channel *ch, const u8 *buf, size_t len);
void atw_channel_rx_error(struct atw_channel *ch);
void atw_channel_unstick(struct atw_channel *ch);
void atw_channel_alarm(struct atw_channel *ch, unsigned long delay);
void atw_channel_write_wakeup(struct atw_channel *ch);

int atw_channel_exec(struct atw_channel *ch, struct atw_cmd *cmd);
int atw_channel_confirm(struct atw_channel *ch, struct atw_cmd *cmd);
int atw_channel_run(struct atw_channel *ch, const char *line, long timeout);
int atw_channel_ask(struct atw_channel *ch, enum atw_verb verb, long timeout,
		    bool (*row)(struct atw_cmd *cmd, const char *text), void *priv);
bool atw_channel_may_store(struct atw_channel *ch);
int atw_channel_settle(struct atw_channel *ch);
int atw_channel_settle_names(struct atw_channel *ch);
void atw_channel_nonce(char buf[ATW_NONCE_LEN]);
int atw_channel_fill(struct atw_channel *ch, u32 n);
int atw_channel_raw(struct atw_channel *ch, const void *buf, size_t len);
void atw_channel_set_tears(struct atw_channel *ch, bool tears);
void atw_channel_wipe(struct atw_channel *ch);
int atw_channel_wait(struct atw_channel *ch, long timeout);
void atw_channel_cooked(struct atw_channel *ch, const u8 *buf, size_t len);
void atw_channel_farewell(struct atw_channel *ch, const void *buf, size_t len);
unsigned long atw_channel_heard(const struct atw_channel *ch);
bool atw_channel_silent(const struct atw_channel *ch, long silence);
void atw_channel_not_silent(struct atw_channel *ch);
int atw_channel_idle(struct atw_channel *ch, long quiet, long limit);
int atw_channel_sleep(struct atw_channel *ch, long timeout);

/* The bring-up that atw_channel_restart() has begun is over: for the channel's thread. */
static inline void atw_channel_found(struct atw_channel *ch)
{
	clear_bit(ATW_CH_LOOKING, &ch->flags);
}

/* How many answers have come while nobody awaited them; that wraps round. */
static inline unsigned int atw_channel_strays(const struct atw_channel *ch)
{
	return READ_ONCE(ch->strays);
}

/* Jiffies for which bytes are on their way at most, 0 where the rate is not known. */
static inline unsigned long atw_channel_wire_time(const struct atw_channel *ch, u32 n)
{
	unsigned int baud = READ_ONCE(ch->baud);

	return baud ? n * 10 * HZ / baud + 1 : 0;
}

#endif
