/* SPDX-License-Identifier: GPL-2.0-only */
/* Values -> command lines. Pure, as parse.h. */
#ifndef _ATWIFI_FORMAT_H
#define _ATWIFI_FORMAT_H

#include <linux/types.h>

/*
 * Bytes of a payload that may be sent within a line. One digit tells how many: were
 * there two, a lost one would have the module send a part of them.
 */
#define ATW_LINE_DATA_MAX	9

/* CR LF among them: some firmware throws a line of 256 away in silence. */
#define ATW_CMD_MAX	255

struct atw_firmware;

/**
 * struct atw_line - a command line being built
 * @comma: one comes before the next parameter
 * @err: first error, sticky: 0, -EINVAL, -ENAMETOOLONG, -EOPNOTSUPP
 */
struct atw_line {
	char		buf[ATW_CMD_MAX + 1];
	unsigned int	len;
	bool		comma;
	int		err;
};

/* Types of AT+SOCKET. */
enum atw_sock_type {
	ATW_TYPE_UDP_SERVER = 1,
	ATW_TYPE_UDP_CLIENT = 2,
	ATW_TYPE_TCP_SERVER = 3,
	ATW_TYPE_TCP_CLIENT = 4,
	ATW_TYPE_TCP_CHILD = 5,
	ATW_TYPE_SSL_SERVER = 6,
	ATW_TYPE_SSL_CLIENT = 7,
	ATW_TYPE_SSL_CHILD = 8,
};

void atw_line_start(struct atw_line *l, const char *cmd);
void atw_line_uint(struct atw_line *l, u32 val);
char atw_line_unsayable(const struct atw_firmware *fw, const char *s);
void atw_line_str(struct atw_line *l, const struct atw_firmware *fw, const char *s);
void atw_line_data(struct atw_line *l, const char *s, size_t len);
bool atw_data_fits_line(const char *s, size_t len);
void atw_line_host(struct atw_line *l, const char *name, u32 addr);
int atw_line_end(struct atw_line *l);
int atw_check_host(const char *name, size_t len);
const char *atw_answer_value(const char *cmd, const char *text);

#endif
