/* SPDX-License-Identifier: GPL-2.0-only */
/* Modules on a tty. */
#ifndef ATWCTL_ATTACH_H
#define ATWCTL_ATTACH_H

/* What is remembered. */
#define ATTACH_DIR	"/etc/atwifi/attach.d"

/**
 * enum attach - what is to be done with a tty
 * @ATTACH_NOW: attach it, and wait for its end
 * @ATTACH_PERMANENT: remember it for udev
 * @ATTACH_WANTED: is it remembered?
 */
enum attach {
	ATTACH_NOW,
	ATTACH_PERMANENT,
	ATTACH_WANTED,
};

int attach(enum attach how, int argc, char **argv);

#endif
