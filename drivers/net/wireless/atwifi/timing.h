/* SPDX-License-Identifier: GPL-2.0-only */
/* How long the driver waits for others, and how often it asks. */
#ifndef _ATWIFI_TIMING_H
#define _ATWIFI_TIMING_H

#include <linux/jiffies.h>
#include <linux/limits.h>
#include <linux/types.h>

/**
 * struct atw_timing - how long the driver waits for others, in jiffies
 * @boot: from the module's reset to "ready"
 * @escape_guard: silence round "+++" for a module that was left in transparent mode
 * @cmd: for the answer to a command that waits for nobody else
 * @soon: a command that has more time than this may keep the module for long
 * @prompt: for the prompt of a send
 * @hurry: for an answer that is still to come after its connection was lost
 * @payload_silence: the module is never silent for so long within a payload
 * @sync: for any answer of a module that may be blocked
 * @sync_asked: for any answer where nothing blocks it
 * @busy: for a module that says busy
 * @write_stall: for a UART that takes nothing
 * @connect: for the answer to a connect
 * @connect_late: a connect that fails later than this met a silent peer
 * @silence: a remote that did not answer is not asked again for so long
 * @send: for the end of a send
 * @send_patience: for the same, while the module shows that it lives
 * @end: for a busy module to be asked for its network, before an end is one in order
 * @mode_settle: for payload that was about to be printed in the other receive mode
 * @delete_linger: a socket that was deleted may count against the module's few
 * @reopen: between two tries to open a server
 * @renew: between the deletion of a server and its next opening
 * @recent: the module may speak of a connection that is gone, whose number it has given
 * @rest: so may it of one whose number the driver has given; it answers when it has deleted it
 * @unknown: a connection that nobody knows is deleted after this
 * @resolve: for an address of a name
 * @ping: for the answer to an echo request
 * @cert: for the end of a certificate's way to the module
 * @raw: for the answer to a command of the administrator
 * @store: in which the module's flash is written so many times at most
 * @request: for one's turn in the channel's queue, and the request itself
 * @genl: the same where a request comes by netlink
 * @genl_raw: the same for a command of the administrator
 * @link_down: between two looks at the network while it is away
 * @link_up: the same while it is there
 * @settle: for a network to let in a module that has said so to its command before
 * @rejoin: for a module to join its network by itself
 * @retry_min: between the first two tries to bring the module up
 * @retry_max: between any two of them, at most
 * @steady: a module that was up for so long is not one that restarts again and again
 * @linger: datagrams may take so long to leave after close()
 * @bounce: a carrier that is gone for less may go unnoticed
 * @tcp_silence: for a remote that does not answer a connect of the network device
 * @tcp_wait: for a socket of the module
 * @tcp_handshake: for the program's kernel to acknowledge
 * @udp_idle: a flow that is silent for so long is over
 * @udp_idle_dns: the same for questions to name servers
 * @udp_patience: for the first answer of a flow
 * @udp_wait: for a socket of the module
 * @relay_linger: for the remote's last words after the program's FIN has gone
 * @relay_last: for the acknowledgment of the last FIN
 * @relay_gone: for a program's machine that acknowledges nothing
 * @relay_look: between two looks whether it does
 * @expose_retry: between two tries to open an exposed port
 * @tt_guard: silence before "+++" where the firmware is not known
 * @tt_ok: for the answer to "+++"
 * @tt_drain: the same with bytes of datagrams before it
 * @tt_trust: the module has not connected anew by itself for so long
 * @tt_look: between two looks whether it has
 * @tt_retry: between two tries to enter transparent mode
 * @tt_wait: for others to be gone before it is entered for the first time
 *
 * What is shorter than a second is not here but where it is used: it is a fact of
 * the serial line or of the firmware, and no patience. What takes its time on a slow line, a
 * payload or what the module says to others, is added to that of an answer.
 */
struct atw_timing {
	unsigned long boot;
	unsigned long escape_guard;
	unsigned long cmd;
	unsigned long soon;
	unsigned long prompt;
	unsigned long hurry;
	unsigned long payload_silence;
	unsigned long sync;
	unsigned long sync_asked;
	unsigned long busy;
	unsigned long write_stall;

	unsigned long connect;
	unsigned long connect_late;
	unsigned long silence;
	unsigned long send;
	unsigned long send_patience;
	unsigned long end;
	unsigned long mode_settle;
	unsigned long delete_linger;
	unsigned long reopen;
	unsigned long renew;
	unsigned long recent;
	unsigned long rest;
	unsigned long unknown;

	unsigned long resolve;
	unsigned long ping;
	unsigned long cert;
	unsigned long raw;
	unsigned long store;
	unsigned long request;
	unsigned long genl;
	unsigned long genl_raw;
	unsigned long link_down;
	unsigned long link_up;
	unsigned long settle;
	unsigned long rejoin;
	unsigned long retry_min;
	unsigned long retry_max;
	unsigned long steady;

	unsigned long linger;
	unsigned long bounce;
	unsigned long tcp_silence;
	unsigned long tcp_wait;
	unsigned long tcp_handshake;
	unsigned long udp_idle;
	unsigned long udp_idle_dns;
	unsigned long udp_patience;
	unsigned long udp_wait;
	unsigned long relay_linger;
	unsigned long relay_last;
	unsigned long relay_gone;
	unsigned long relay_look;
	unsigned long expose_retry;

	unsigned long tt_guard;
	unsigned long tt_ok;
	unsigned long tt_drain;
	unsigned long tt_trust;
	unsigned long tt_look;
	unsigned long tt_retry;
	unsigned long tt_wait;
};

extern struct atw_timing atw_timing;

#if IS_ENABLED(CONFIG_ATWIFI_KUNIT_TEST)
void atw_timing_init(void);
#else
static inline void atw_timing_init(void)
{
}
#endif

/**
 * atw_since() - how long is it since something has happened?
 * @then: when it has, in jiffies; it may happen again meanwhile
 *
 * Context: any.
 * Return: jiffies, also where half of those that there are have passed.
 */
static inline unsigned long atw_since(const unsigned long *then)
{
	unsigned long last = READ_ONCE(*then);
	unsigned long since = jiffies - last;

	/* On another CPU it may be a little later. */
	return since > ULONG_MAX - HZ ? 0 : since;
}

#endif
