// SPDX-License-Identifier: GPL-2.0-only
/* The command that reads what the module has stored for TLS. */
#include "cert.h"
#include "channel.h"
#include "format.h"
#include "timing.h"

/**
 * atw_cert_read() - what the module has stored
 * @ch: the channel
 * @which: not the key: that is never read
 * @buf: place for it
 * @size: bytes of @buf
 *
 * Context: the channel's thread.
 * Return: its length, 0 if there is none; -EPERM for the key; -EMSGSIZE, it does
 * not fit; -EIO, the answer was damaged; or as atw_channel_exec().
 */
int atw_cert_read(struct atw_channel *ch, enum atw_cert which, u8 *buf,
		  size_t size)
{
	struct atw_cmd cmd = {
		.timeout = atw_timing.cert,
		.data = buf,
		.data_size = size,
	};
	int err;

	if (which != ATW_CERT_CA && which != ATW_CERT_OWN)
		return -EPERM;
	atw_line_verb(&cmd.line, ch->dialect, ATW_VERB_CERT);
	atw_line_uint(&cmd.line, which);
	err = atw_channel_confirm(ch, &cmd);
	/* Some firmware has an error for what is not there, some says no more than OK. */
	if (err == -EREMOTEIO || (!err && !cmd.data_id))
		return 0;
	if (err)
		return err;
	if (cmd.data_id != which)
		return -EIO;
	if (cmd.data_len > size)
		return -EMSGSIZE;
	return cmd.data_end ? cmd.data_len : -EIO;
}
