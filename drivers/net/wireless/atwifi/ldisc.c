// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module on any tty, by line discipline.
 *
 * open(), close() and the others never overlap: the tty layer holds the
 * discipline's semaphore for writing around the first two, for reading around
 * the rest. The channel's thread calls down into the tty without it, and never
 * waits for it: close(), which has it, waits for the thread to end. At its last
 * close a tty's UART is shut down before that, under the tty's own lock.
 */
#include <linux/capability.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/tty.h>
#include <linux/tty_driver.h>
#include <linux/tty_flip.h>
#include <linux/tty_ldisc.h>

#include "compat.h"
#include "dev.h"

/* Who has the tty's lock for longer closes it, or takes the discipline off it. */
#define ATW_LDISC_PATIENCE	HZ

/**
 * struct atw_ldisc - a tty with a module
 * @t: what the channel writes through
 * @tty: constant; outlives this
 * @termios: constant; its settings of before
 * @is_told: constant; its driver says whether it is shut down, as all do that have hardware
 * @was_exclusive: constant; nobody else could open it before
 * @yields: who has the tty's lock was waited for in vain; the channel's thread's alone
 * @adev: constant once open() has returned
 */
struct atw_ldisc {
	struct atw_transport	t;
	struct tty_struct	*tty;
	struct ktermios		termios;
	bool			is_told;
	bool			was_exclusive;
	bool			yields;
	struct atw_dev		*adev;
};

static struct atw_ldisc *to_atw_ldisc(struct atw_transport *t)
{
	return container_of(t, struct atw_ldisc, t);
}

static struct tty_struct *atw_ldisc_tty(struct atw_transport *t)
{
	return to_atw_ldisc(t)->tty;
}

/* A UART that is shut down, as it is by a hang-up and before the last close, may have no clock. */
static bool atw_ldisc_runs(const struct atw_ldisc *l)
{
	return !tty_io_error(l->tty) && !test_bit(TTY_HUPPING, &l->tty->flags) &&
	       (!l->is_told || tty_port_initialized(l->tty->port));
}

/*
 * Keep the tty's lock, and so the UART as it is, for the channel's thread. It must not wait for
 * that lock: who takes the discipline off has it, and waits for the thread. So it tries again
 * and again: a mutex tells those alone who wait for it. It does so once: whoever is waiting for
 * it cannot be interrupted.
 */
static bool atw_ldisc_hold(struct atw_ldisc *l)
{
	unsigned long end = jiffies + ATW_LDISC_PATIENCE;

	while (!mutex_trylock(&l->tty->legacy_mutex)) {
		l->yields |= time_after(jiffies, end);
		if (l->yields || test_bit(TTY_HUPPING, &l->tty->flags))
			return false;
		schedule_timeout_idle(1);
	}
	l->yields = false;
	return true;
}

static void atw_ldisc_let_go(struct atw_ldisc *l)
{
	mutex_unlock(&l->tty->legacy_mutex);
}

static ssize_t atw_ldisc_write(struct atw_transport *t, const u8 *buf,
			       size_t len)
{
	struct tty_struct *tty = atw_ldisc_tty(t);

	/* First: the bytes may have left before write() returns. */
	set_bit(TTY_DO_WRITE_WAKEUP, &tty->flags);
	return tty->ops->write(tty, buf, len);
}

static void atw_ldisc_drain(struct atw_transport *t, long timeout)
{
	struct atw_ldisc *l = to_atw_ldisc(t);

	if (!atw_ldisc_hold(l))
		return;
	/* To the tty layer 0 means for ever. */
	if (atw_ldisc_runs(l))
		tty_wait_until_sent(l->tty, max(timeout, 1L));
	atw_ldisc_let_go(l);
}

static unsigned int atw_ldisc_unsent(struct atw_transport *t)
{
	return tty_chars_in_buffer(atw_ldisc_tty(t));
}

static unsigned int atw_ldisc_get_baud(struct atw_transport *t)
{
	struct tty_struct *tty = atw_ldisc_tty(t);
	unsigned int baud;

	down_read(&tty->termios_rwsem);
	baud = tty_get_baud_rate(tty);
	up_read(&tty->termios_rwsem);

	return baud;
}

static void atw_ldisc_get_termios(struct tty_struct *tty,
				  struct ktermios *termios)
{
	down_read(&tty->termios_rwsem);
	*termios = tty->termios;
	up_read(&tty->termios_rwsem);
}

/* With the tty's lock, or after the last close. One that is shut down is told when it is opened. */
static void atw_ldisc_set_termios(struct atw_ldisc *l, struct ktermios *termios)
{
	struct tty_struct *tty = l->tty;

	if (atw_ldisc_runs(l)) {
		tty_set_termios(tty, termios);
		return;
	}
	down_write(&tty->termios_rwsem);
	tty->termios = *termios;
	up_write(&tty->termios_rwsem);
}

static int atw_ldisc_set_baud(struct atw_transport *t, unsigned int baud)
{
	struct atw_ldisc *l = to_atw_ldisc(t);
	struct ktermios termios;

	if (atw_ldisc_hold(l)) {
		atw_ldisc_get_termios(l->tty, &termios);
		tty_termios_encode_baud_rate(&termios, baud, baud);
		atw_ldisc_set_termios(l, &termios);
		atw_ldisc_let_go(l);
	}

	/* What the driver has made of it. */
	return atw_ldisc_get_baud(t);
}

static void atw_ldisc_set_flow(struct atw_transport *t, bool on)
{
	struct atw_ldisc *l = to_atw_ldisc(t);
	struct ktermios termios;

	if (!atw_ldisc_hold(l))
		return;
	atw_ldisc_get_termios(l->tty, &termios);
	termios.c_cflag &= ~CRTSCTS;
	if (on)
		termios.c_cflag |= CRTSCTS;
	atw_ldisc_set_termios(l, &termios);
	atw_ldisc_let_go(l);
}

/* The line may go on. A UART that is shut down tells its other end that it does not listen. */
static void atw_ldisc_unthrottle(struct atw_ldisc *l)
{
	if (atw_ldisc_runs(l))
		tty_unthrottle(l->tty);
}

/*
 * A pty's other end waits when there is no more room in between, and a module with RTS and
 * CTS when its line is stopped. Others' bytes would be lost where that is not known.
 */
static bool atw_ldisc_throttle(struct atw_transport *t, bool on)
{
	struct atw_ldisc *l = to_atw_ldisc(t);
	struct tty_struct *tty = l->tty;

	if (tty->driver->type == TTY_DRIVER_TYPE_PTY)
		return true;
	if (!on) {
		atw_ldisc_unthrottle(l);
		return true;
	}
	/* What cannot be held up there would be lost in the tty's own buffers. */
	if (!C_CRTSCTS(tty) || !tty->ops->throttle || !atw_ldisc_runs(l))
		return false;
	down_write(&tty->termios_rwsem);
	if (!test_and_set_bit(TTY_THROTTLED, &tty->flags))
		tty->ops->throttle(tty);
	up_write(&tty->termios_rwsem);
	return true;
}

static const struct atw_transport_ops atw_ldisc_transport_ops = {
	.write		= atw_ldisc_write,
	.drain		= atw_ldisc_drain,
	.unsent		= atw_ldisc_unsent,
	.set_baud	= atw_ldisc_set_baud,
	.get_baud	= atw_ldisc_get_baud,
	.set_flow	= atw_ldisc_set_flow,
	.throttle	= atw_ldisc_throttle,
};

/*
 * The module talks 8N1. The rest is for the UART's driver, which acts on these
 * flags below any line discipline: it must not strip, drop or replace a byte,
 * and must tell of each one that it had to guess. Rate and flow control are
 * what who attached us has set, as soon as the module has them too.
 */
static void atw_ldisc_set_raw(struct atw_ldisc *l)
{
	struct ktermios termios;

	atw_ldisc_get_termios(l->tty, &termios);
	termios.c_iflag &= ~(IGNBRK | IGNPAR | PARMRK | ISTRIP | INLCR | IGNCR |
			     ICRNL | IXON | IXOFF);
	termios.c_iflag |= BRKINT | INPCK;
	termios.c_oflag &= ~OPOST;
	termios.c_lflag &= ~(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	termios.c_cflag &= ~(CSIZE | CSTOPB | PARENB);
	termios.c_cflag |= CS8 | CREAD | CLOCAL;
	atw_ldisc_set_termios(l, &termios);
}

/*
 * The line discipline of before may have stopped the line: because nobody read, or since a
 * program wanted it (TCOOFF). With this one nobody could have it go on.
 */
static void atw_ldisc_resume(struct tty_struct *tty)
{
	spin_lock_irq(&tty->flow.lock);
	tty->flow.tco_stopped = false;
	spin_unlock_irq(&tty->flow.lock);
	start_tty(tty);
	tty_unthrottle(tty);
}

/*
 * A UART that goes has its tty's own device deleted, and all below that, before the tty is hung
 * up: the module hangs on what the tty hangs on.
 */
static struct device *atw_ldisc_parent(struct tty_struct *tty)
{
	return tty->dev ? tty->dev->parent : NULL;
}

static int atw_ldisc_open(struct tty_struct *tty)
{
	struct atw_ldisc *l;
	int err;

	if (!capable(CAP_NET_ADMIN))
		return -EPERM;

	/* A pty's master has no line settings of its own, nor is one a UART. */
	if (!tty->ops->write || (tty->driver->type == TTY_DRIVER_TYPE_PTY &&
				 tty->driver->subtype == PTY_TYPE_MASTER))
		return -EOPNOTSUPP;

	l = kzalloc(sizeof(*l), GFP_KERNEL);
	if (!l)
		return -ENOMEM;

	l->tty = tty;
	l->is_told = tty_port_initialized(tty->port);
	l->t.ops = &atw_ldisc_transport_ops;
	atw_ldisc_get_termios(tty, &l->termios);
	/* What is there is our number: whoever opens it after a hang-up would attach it. */
	l->termios.c_line = N_TTY;
	atw_ldisc_set_raw(l);
	l->t.max_baud = atw_ldisc_get_baud(&l->t);
	l->t.rtscts = C_CRTSCTS(tty);
	/* The channel takes all that it is given. */
	tty->receive_room = 65536;

	l->adev = atw_dev_register(&l->t, atw_ldisc_parent(tty), tty->dev,
				   current->nsproxy->net_ns);
	if (IS_ERR(l->adev)) {
		err = PTR_ERR(l->adev);
		atw_ldisc_set_termios(l, &l->termios);
		kfree(l);
		return err;
	}
	tty->disc_data = l;
	/* The tty layer lets whoever opens it take the discipline off, or move RTS. */
	l->was_exclusive = test_and_set_bit(TTY_EXCLUSIVE, &tty->flags);
	dev_info(&l->adev->dev, "on %s\n", tty->name);

	atw_ldisc_resume(tty);
	/* The thread is writing already; what this missed is made up for. */
	atw_channel_write_wakeup(&l->adev->module.ch);
	return 0;
}

/* Also called for a hang-up. */
static void atw_ldisc_close(struct tty_struct *tty)
{
	struct atw_ldisc *l = tty->disc_data;

	atw_dev_unregister(l->adev);
	/* The thread, the last one to set it, is gone. */
	clear_bit(TTY_DO_WRITE_WAKEUP, &tty->flags);
	/* The last rate may be one at which the module was looked for, and nobody's wish. */
	atw_ldisc_set_termios(l, &l->termios);
	if (!l->was_exclusive)
		clear_bit(TTY_EXCLUSIVE, &tty->flags);
	tty->disc_data = NULL;
	kfree(l);
}

static void atw_ldisc_receive(struct tty_struct *tty, const unsigned char *cp,
			      const atw_ldisc_flag_t *fp,
			      atw_ldisc_count_t count)
{
	struct atw_ldisc *l = tty->disc_data;
	size_t i = 0, run, len = count;

	/* What a program puts here (TIOCSTI) the module has not said; the line's is a worker's. */
	if (!(current->flags & PF_KTHREAD))
		return;

	if (!fp) {
		atw_channel_receive(&l->adev->module.ch, cp, len);
		i = len;
	}

	while (i < len) {
		for (run = i; run < len && fp[run] == TTY_NORMAL; run++)
			;
		if (run > i)
			atw_channel_receive(&l->adev->module.ch, cp + i, run - i);
		for (i = run; i < len && fp[i] != TTY_NORMAL; i++)
			;
		/* One for the whole run: nothing is known of its bytes. */
		if (i > run)
			atw_channel_rx_error(&l->adev->module.ch);
	}

	/* A pty's other end that waits for room is woken by nothing else. */
	atw_ldisc_unthrottle(l);
}

/* May come from an interrupt. */
static void atw_ldisc_write_wakeup(struct tty_struct *tty)
{
	struct atw_ldisc *l = tty->disc_data;

	/* The next write asks for it again. */
	clear_bit(TTY_DO_WRITE_WAKEUP, &tty->flags);
	atw_channel_write_wakeup(&l->adev->module.ch);
}

/*
 * For whoever has the tty open as well. The settings can be seen; changed, they
 * would cost or alter bytes of the module's.
 *
 * Input that the tty layer holds it throws away itself, and calls this after it.
 * What came in between was received before the error is; to have it the other
 * way round there is no hook.
 */
static int atw_ldisc_ioctl(struct tty_struct *tty, unsigned int cmd,
			   unsigned long arg)
{
	struct atw_ldisc *l = tty->disc_data;

	switch (cmd) {
	case TCFLSH:
		/* What is on its way to the module stays there. */
		if (arg != TCIFLUSH && arg != TCIOFLUSH)
			return -EBUSY;
		/* Not while something is being received. */
		tty_buffer_lock_exclusive(tty->port);
		atw_channel_rx_error(&l->adev->module.ch);
		tty_buffer_unlock_exclusive(tty->port);
		return 0;
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
#ifdef TCGETS2
	case TCSETS2:
	case TCSETSW2:
	case TCSETSF2:
#endif
	case TCSETA:
	case TCSETAW:
	case TCSETAF:
#ifdef TIOCSETP
	case TIOCSETP:
	case TIOCSETN:
#endif
	case TIOCSSOFTCAR:
	case TIOCSLCKTRMIOS:
		return -EBUSY;
	default:
		return tty_mode_ioctl(tty, cmd, arg);
	}
}

static struct tty_ldisc_ops atw_ldisc_ops = {
	.owner		= THIS_MODULE,
	.num		= N_DEVELOPMENT,
	.name		= "n_atwifi",
	.open		= atw_ldisc_open,
	.close		= atw_ldisc_close,
	.ioctl		= atw_ldisc_ioctl,
	.receive_buf	= atw_ldisc_receive,
	.write_wakeup	= atw_ldisc_write_wakeup,
};

int atw_ldisc_init(void)
{
	return tty_register_ldisc(&atw_ldisc_ops);
}

void atw_ldisc_exit(void)
{
	tty_unregister_ldisc(&atw_ldisc_ops);
}
