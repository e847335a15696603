// SPDX-License-Identifier: GPL-2.0-only
/* Values -> command lines. Nothing that is not checked goes into one. */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "firmware.h"
#include "format.h"

/* A name goes into a parameter, and some firmware keeps 120 bytes of it. */
#define ATW_HOST_MAX	119
#define ATW_LABEL_MAX	63

static void atw_line_fail(struct atw_line *l, int err)
{
	if (!l->err)
		l->err = err;
}

static void atw_line_put(struct atw_line *l, const char *s, size_t len)
{
	if (l->err)
		return;
	if (len > ATW_CMD_MAX - l->len) {
		atw_line_fail(l, -ENAMETOOLONG);
		return;
	}
	memcpy(l->buf + l->len, s, len);
	l->len += len;
	l->buf[l->len] = '\0';
}

/* Begin the next parameter. What is in the one before, if anything, says nothing. */
static void atw_line_next(struct atw_line *l)
{
	if (l->comma)
		atw_line_put(l, ",", 1);
	l->comma = true;
}

/**
 * atw_line_start() - begin a command line
 * @l: the line
 * @cmd: the command, up to its '=' if parameters follow; NULL: there is no such one
 */
void atw_line_start(struct atw_line *l, const char *cmd)
{
	l->buf[0] = '\0';
	l->len = 0;
	l->err = cmd ? 0 : -EOPNOTSUPP;
	if (cmd)
		atw_line_put(l, cmd, strlen(cmd));
	l->comma = l->len && l->buf[l->len - 1] != '=';
}

/**
 * atw_line_uint() - append a number
 * @l: the line
 * @val: the number
 */
void atw_line_uint(struct atw_line *l, u32 val)
{
	char num[12];

	atw_line_next(l);
	atw_line_put(l, num, scnprintf(num, sizeof(num), "%u", val));
}

/**
 * atw_line_unsayable() - what cannot be said so that a firmware reads it so
 * @fw: whose ways of reading it count
 * @s: a string
 *
 * Return: the first byte of it that there is in @s: a comma, a quote, a backslash or a
 *	control character; 0: there is none
 */
char atw_line_unsayable(const struct atw_firmware *fw, const char *s)
{
	size_t i, len = strlen(s);

	for (i = 0; i < len; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			return s[i];
	for (i = 0; i < ARRAY_SIZE(fw->ambiguous); i++)
		if (fw->ambiguous[i] && strstr(s, fw->ambiguous[i]))
			return fw->ambiguous[i][0];
	/* At the end it would take the meaning off our quote. */
	return fw->quotes && len && s[len - 1] == '\\' ? '\\' : 0;
}

/**
 * atw_line_str() - append a string, quoted and escaped
 * @l: the line
 * @fw: whose ways of reading it count
 * @s: the string
 *
 * Refused with -EINVAL is what cannot be said to the firmware: control
 * characters, and a backslash where it would be read as an escape.
 */
void atw_line_str(struct atw_line *l, const struct atw_firmware *fw, const char *s)
{
	unsigned int begin;

	atw_line_next(l);
	if (atw_line_unsayable(fw, s)) {
		atw_line_fail(l, -EINVAL);
		return;
	}
	begin = l->len;
	if (fw->quotes)
		atw_line_put(l, "\"", 1);
	for (; *s; s++) {
		if (strchr(fw->escapes, *s))
			atw_line_put(l, "\\", 1);
		atw_line_put(l, s, 1);
	}
	if (fw->quotes)
		atw_line_put(l, "\"", 1);
	if (l->len - begin > fw->param_max)
		atw_line_fail(l, -ENAMETOOLONG);
}

/**
 * atw_data_fits_line() - does a payload survive every firmware's parameters?
 * @s: the payload
 * @len: its length in bytes
 *
 * What a firmware splits at, takes for a quote or an escape, or for the end of a
 * query's name, and blanks that it may strip, do not.
 *
 * Return: true if it can be sent by AT+SOCKETSENDLINE as it is
 */
bool atw_data_fits_line(const char *s, size_t len)
{
	size_t i;

	if (!len || len > ATW_LINE_DATA_MAX || s[0] == ' ' || s[len - 1] == ' ')
		return false;
	for (i = 0; i < len; i++)
		if (s[i] < ' ' || s[i] > '~' || s[i] == ',' || s[i] == '"' ||
		    s[i] == '\\' || s[i] == '?')
			return false;
	return true;
}

/**
 * atw_line_data() - append a payload
 * @l: the line
 * @s: the payload
 * @len: its length in bytes
 */
void atw_line_data(struct atw_line *l, const char *s, size_t len)
{
	atw_line_next(l);
	if (atw_data_fits_line(s, len))
		atw_line_put(l, s, len);
	else
		atw_line_fail(l, -EINVAL);
}

/**
 * atw_line_host() - append a host
 * @l: the line
 * @name: its name, or an empty string
 * @addr: its address in host order, if it has no name
 */
void atw_line_host(struct atw_line *l, const char *name, u32 addr)
{
	char quad[16];
	int err;

	atw_line_next(l);
	if (!name[0]) {
		atw_line_put(l, quad,
			     scnprintf(quad, sizeof(quad), "%u.%u.%u.%u",
				       addr >> 24, addr >> 16 & 0xff,
				       addr >> 8 & 0xff, addr & 0xff));
		return;
	}
	err = atw_check_host(name, strlen(name));
	if (err)
		atw_line_fail(l, err);
	else
		atw_line_put(l, name, strlen(name));
}

/**
 * atw_line_end() - end the line
 * @l: the line
 *
 * Return: 0, or the first error; the line must not be sent then
 */
int atw_line_end(struct atw_line *l)
{
	atw_line_put(l, "\r\n", 2);
	return l->err;
}

/**
 * atw_check_host() - may a name be sent to the module?
 * @name: the name, need not end with a NUL
 * @len: its length in bytes
 *
 * Return: 0, -EINVAL, -ENAMETOOLONG
 */
int atw_check_host(const char *name, size_t len)
{
	size_t label = 0, i;

	if (!len || name[0] == '-')
		return -EINVAL;
	if (len > ATW_HOST_MAX)
		return -ENAMETOOLONG;
	for (i = 0; i < len; i++) {
		char c = name[i];

		if (c == '.') {
			/* Only the last may be empty: "example.org." */
			if (!label)
				return -EINVAL;
			label = 0;
			continue;
		}
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return -EINVAL;
		if (++label > ATW_LABEL_MAX)
			return -EINVAL;
	}
	return 0;
}

/**
 * atw_answer_value() - what a line of an answer tells
 * @cmd: the command, with or without what follows its name
 * @text: the line
 *
 * In all sets of commands that is behind "+NAME:", or "+NAME :", where the command is
 * "AT+NAME".
 *
 * Return: the value; NULL, it is no such line.
 */
const char *atw_answer_value(const char *cmd, const char *text)
{
	size_t n;

	if (strncmp(cmd, "AT+", 3))
		return NULL;
	cmd += 2;
	n = strcspn(cmd, "=?\r");
	if (n < 2 || strncmp(text, cmd, n))
		return NULL;
	text += n;
	text += *text == ' ';
	return *text == ':' ? text + 1 : NULL;
}
