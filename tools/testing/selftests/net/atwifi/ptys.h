/* SPDX-License-Identifier: GPL-2.0-only */
/* Modules behind ptys that a program has for itself: the driver is loaded, none attached. */
#ifndef _ATW_PTYS_H
#define _ATW_PTYS_H

#include <stdbool.h>
#include <string.h>
#include <sys/types.h>
#include <termios.h>
#include <unistd.h>

#include "util.h"

#define N_ATWIFI	29
/* From the attaching to "joined", whatever state the module was in. */
#define UP_MS		LONG_MS
/*
 * Taking it off waits for nothing that the module does or does not: the driver's
 * time-outs for that are of 5 s and more.
 */
#define DETACH_MS	((unsigned int)atw_patience_ms(5000) * 3 / 4)

struct sim {
	pid_t pid;
	char tty[64];
	char control[64];
};

void end(pid_t pid, int sig);
int sim_start(struct sim *sim, const char *profile, const char *a, const char *b);
void sim_end(struct sim *sim);
long sim_stat(struct sim *sim, const char *name);
int sim_tell(struct sim *sim, const char *command);
pid_t unit(const char *tty);
int ends(pid_t pid);
int open_tty(const char *path, speed_t speed);
int set_ldisc(int fd, int ldisc);
unsigned int devices(void);
int attach(const char *tty, speed_t speed, int *fd, char *device, size_t size);
int detach(int fd);
bool devices_gone(void);
bool raw(int fd, const char *command, const char *want);
bool raw_until(int fd, const char *command, const char *want);
int peer_by(const char *device, const char *what);
bool transfer(const char *device, size_t bytes);
int peer_in_time(const char *device, const char *what);
bool transfers_in_time(const char *device, size_t bytes);
bool all_programs(void);
pid_t start_peer(void);
bool restart(struct sim *sim, const char *device);
int open_master(char *tty, size_t size);

#ifdef FIXTURE	/* a program of tests, which has the harness */

/* A module, for each family of firmware. */
FIXTURE(module)
{
	struct sim sim;
	pid_t peer;
	int tty;
	char device[16];
};

FIXTURE_VARIANT(module)
{
	const char *profile;
};

/* As classic, and starts without a "ready". */
FIXTURE_VARIANT_ADD(module, bw16) { "bw16" };
FIXTURE_VARIANT_ADD(module, middleware) { "middleware" };
FIXTURE_VARIANT_ADD(module, bw20) { "bw20" };

FIXTURE_SETUP(module)
{
	self->tty = -1;
	if (!all_programs()) {
		SKIP(return, "no emulator or no peer for this machine");
	}
	ASSERT_EQ(0, devices());
	self->peer = start_peer();
	ASSERT_LT(0, self->peer);
	ASSERT_EQ(0, sim_start(&self->sim, variant->profile, NULL, NULL));
}

FIXTURE_TEARDOWN(module)
{
	if (self->tty >= 0)
		close(self->tty);
	sim_end(&self->sim);
	end(self->peer, SIGTERM);
	if (all_programs()) {
		EXPECT_TRUE(devices_gone());
	}
}

#define LINES		6

/* What depends on the driver and not on the firmware. */
FIXTURE(line)
{
	struct sim sim[LINES];
	pid_t peer;
	int tty[LINES];
	char device[LINES][16];
};

FIXTURE_SETUP(line)
{
	memset(self, 0, sizeof(*self));
	memset(self->tty, 0xff, sizeof(self->tty));
	if (!all_programs()) {
		SKIP(return, "no emulator or no peer for this machine");
	}
	ASSERT_EQ(0, devices());
	self->peer = start_peer();
	ASSERT_LT(0, self->peer);
}

FIXTURE_TEARDOWN(line)
{
	int i;

	for (i = 0; i < LINES; i++) {
		if (self->tty[i] >= 0)
			close(self->tty[i]);
		sim_end(&self->sim[i]);
	}
	end(self->peer, SIGTERM);
	if (all_programs()) {
		EXPECT_TRUE(devices_gone());
	}
}

#endif /* FIXTURE */
#endif
