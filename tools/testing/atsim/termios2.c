// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rate that a host has set on the slave side of a pty.  Apart from the
 * rest because <asm/termbits.h>, which knows rates of any value, can not be
 * included together with <termios.h>.
 */
#include <asm/ioctls.h>
#include <asm/termbits.h>

int ioctl(int fd, unsigned long request, ...);
unsigned int pty_rate(int fd);

/**
 * pty_rate() - ask for the rate of a pty
 * @fd: its master; the kernel answers with the slave's settings
 *
 * Return: bits per second, 0 when unknown.
 */
unsigned int pty_rate(int fd)
{
	struct termios2 tio;

	if (ioctl(fd, TCGETS2, &tio))
		return 0;
	return tio.c_ospeed;
}
