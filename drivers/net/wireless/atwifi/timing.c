// SPDX-License-Identifier: GPL-2.0-only
/* How long the driver waits for others: the values. */
#include <linux/cache.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>

#include "timing.h"

struct atw_timing atw_timing __ro_after_init = {
	/* Hosts in the field wait 1 s to 3 s. */
	.boot = 3 * HZ,
	/* The vendor asks for 1 s; 1.2 s is used in the field. */
	.escape_guard = HZ * 12 / 10,
	/* It is answered at once, or not at all. */
	.cmd = 5 * HZ,
	.soon = 10 * HZ,
	/* The prompt comes within the module's 2 ms poll; a driver in the field waits
	 * 5 s for it, and what is later than that never came.
	 */
	.prompt = 5 * HZ,
	/* The module returns from its send at once when the connection is lost. */
	.hurry = HZ,
	.payload_silence = 2 * HZ,
	/* It answers after a send that blocks it. */
	.sync = 20 * HZ,
	.sync_asked = 3 * HZ,
	/* Nothing was executed when the module says busy; it was seen to last 6 s. */
	.busy = 10 * HZ,
	/* Nobody reads at the other end. */
	.write_stall = 5 * HZ,

	/* A connect blocks the module; it gives up by itself, seen after up to 75 s. */
	.connect = 120 * HZ,
	.connect_late = 4 * HZ,
	.silence = 45 * HZ,
	/* A driver in the field waits 10 s for the end of a send. */
	.send = 10 * HZ,
	/* It blocks the module while the remote does not read. What the module says of
	 * other connections shows that it lives, so that much longer nothing is lost.
	 */
	.send_patience = 30 * HZ,
	/* Its tasks print one after another; a connect may keep it for much longer. */
	.end = HZ,
	.mode_settle = HZ,
	/* Some firmware deletes in the background, for seconds. */
	.delete_linger = 4 * HZ,
	.reopen = 2 * HZ,
	/* A driver in the field waits 3 s. */
	.renew = 3 * HZ,
	.recent = 4 * HZ,
	.rest = HZ,
	.unknown = 2 * HZ,

	/* A driver in the field waits that long for a name. */
	.resolve = 20 * HZ,
	/* A driver in the field saw it fail after 12 s. */
	.ping = 20 * HZ,
	.cert = 10 * HZ,
	/* The module takes 30 s to join a network, or not. */
	.raw = 45 * HZ,
	.store = 3600 * HZ,
	/* Who asks may have to wait for a connect that runs. */
	.request = 150 * HZ,
	/* A name takes up to 20 s, and so does what the module may be doing before. A
	 * caller that waits in vain learns whether its command was begun.
	 */
	.genl = 40 * HZ,
	.genl_raw = 60 * HZ,
	.link_down = 2 * HZ,
	.link_up = 30 * HZ,
	/* Who says OK later takes 3 s where it succeeds. */
	.settle = 9 * HZ,
	.rejoin = 10 * HZ,
	.retry_min = 2 * HZ,
	.retry_max = 60 * HZ,
	/* It has joined its network, and begun to send: that is what needs the most power. */
	.steady = 20 * HZ,

	.linger = 60 * HZ,
	/* One change of the carrier a second is told. */
	.bounce = HZ * 3 / 2,
	/* For so long a kernel repeats its SYN at most. */
	.tcp_silence = 130 * HZ,
	.tcp_wait = 60 * HZ,
	.tcp_handshake = 10 * HZ,
	.udp_idle = 60 * HZ,
	/* A resolver asks from a new port each time. */
	.udp_idle_dns = 5 * HZ,
	/* No resolver waits for longer before it asks again. */
	.udp_patience = 5 * HZ,
	.udp_wait = 10 * HZ,
	.relay_linger = 60 * HZ,
	.relay_last = 10 * HZ,
	/* A closed window is probed every two minutes at least. */
	.relay_gone = 135 * HZ,
	.relay_look = 15 * HZ,
	.expose_retry = 2 * HZ,

	/* What is used in the field. */
	.tt_guard = HZ * 12 / 10,
	/* The module answers after another 20 ms; a second was seen. */
	.tt_ok = 3 * HZ,
	.tt_drain = 10 * HZ,
	/* It connects a lost connection again after three seconds. */
	.tt_trust = HZ * 28 / 10,
	.tt_look = HZ,
	.tt_retry = 5 * HZ,
	/* One of them may be deleted twice, for want of an answer. */
	.tt_wait = 10 * HZ,
};

#if IS_ENABLED(CONFIG_ATWIFI_KUNIT_TEST)
static unsigned int hurry = 1;
module_param(hurry, uint, 0444);
MODULE_PARM_DESC(hurry, "tests only: divide each patience of more than 4 s by this");

/**
 * atw_timing_init() - shorten the driver's patience as a whole, for tests
 *
 * A busy test machine can stand still for seconds: nothing becomes shorter than
 * 4 s that was longer before, and what was longer than another stays so.
 *
 * Context: once, before anything else.
 */
void __init atw_timing_init(void)
{
	unsigned long *t = (unsigned long *)&atw_timing;
	const unsigned long least = 4 * HZ;
	size_t i;

	for (i = 0; i < sizeof(atw_timing) / sizeof(*t); i++)
		t[i] = max(t[i] / max(hurry, 1U), min(t[i], least));
}
#endif
