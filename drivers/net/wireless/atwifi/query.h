/* SPDX-License-Identifier: GPL-2.0-only */
/* What the control interface asks of a module: requests that run commands. */
#ifndef _ATWIFI_QUERY_H
#define _ATWIFI_QUERY_H

#include <linux/atwifi.h>
#include <linux/atwifi_genl.h>

#include "cert.h"
#include "format.h"
#include "module.h"
#include "scan.h"

/*
 * Each function below is for atw_request_new(); its argument is the structure of
 * the same name. Context: the channel's thread. Return: 0; -EOPNOTSUPP, this
 * firmware does not know the command; -EPROTO, its answer makes no sense; -EBUSY,
 * see @query.why; the errno of the module's error number, with that in @query.code; or
 * as atw_module_exec().
 */

/**
 * struct atw_query - the begin of all of them
 * @code: out: the module's number of a failure, 0 for none
 * @why: out: what is to be said of it, in place of the number's words, or NULL
 */
struct atw_query {
	u32		code;
	const char	*why;
};

/**
 * struct atw_query_dns - the servers that names are asked of
 * @query: see there
 * @set: change them
 * @server: IPv4, host order; those that are not there are 0
 */
struct atw_query_dns {
	struct atw_query	query;
	bool			set;
	u32			server[ATW_DNS_MAX];
};

/**
 * struct atw_query_resolve - a name
 * @query: see there; -ENETDOWN without a network; -EBUSY, others are before this user, see
 *	atw_conns_hold()
 * @limited: whoever asks does not do so to administer the module
 * @share: his, by atw_share_index()
 * @host: checked by atw_check_host()
 * @addr: out: IPv4, host order
 */
struct atw_query_resolve {
	struct atw_query	query;
	bool			limited;
	u8			share;
	char			host[ATW_NAME_MAX];
	u32			addr;
};

/**
 * struct atw_query_autott - transparent mode after the next start
 * @query: see there
 * @set: change it; written only if it is another one
 * @type: of the connection, ATWIFI_SOCKET_TYPE_NONE: none is made
 * @host: of a client's remote, name or address, checked by atw_check_host()
 * @port: of a client's remote, or of the server
 */
struct atw_query_autott {
	struct atw_query	query;
	bool			set;
	u32			type;
	char			host[ATW_NAME_MAX];
	u16			port;
};

/**
 * struct atw_query_cert - what it has stored for TLS
 * @query: see there; -EIO: the answer was damaged, or it has not stored what it was given;
 *	-EMSGSIZE: it has more than that
 * @which: not the key, where it is asked for
 * @len: bytes of @pem; 0 where there is none
 * @pem: what is stored; what is to be stored was checked by atw_cert_check(), and is read
 *	back, except for the key
 */
struct atw_query_cert {
	struct atw_query	query;
	enum atw_cert		which;
	size_t			len;
	u8			pem[ATW_CERT_MAX];
};

/**
 * struct atw_query_names - an answer with the names of networks in it
 * @module: whose
 * @scan: what has come of it
 */
struct atw_query_names {
	struct atw_module	*module;
	struct atw_scan		scan;
};

/**
 * struct atw_query_raw - a command as it is
 * @query: see there
 * @line: the command without CR LF, checked by atw_raw_check()
 * @used: out: bytes of @rows
 * @more: out: there were lines that found no room
 * @names: for the query itself
 * @rows: out: the lines of the answer, a byte with its length before each
 */
struct atw_query_raw {
	struct atw_query	query;
	char			line[ATW_CMD_MAX];
	unsigned int		used;
	bool			more;
	struct atw_query_names	names;
	u8			rows[8192];
};

/**
 * struct atw_query_join - a network
 * @query: see there; -EINVAL, -ENAMETOOLONG: the firmware cannot be told its name or
 *	password; -EKEYREJECTED: the password is wrong; without @once it may have joined and
 *	refuse to do so by itself
 * @join: which
 * @once: somebody else sees to it that it is in a network: it is not to join one by itself
 * @begun: called just before the module is told to join it; may be NULL, must not sleep
 * @given_up: does nobody want that any more? As @begun. If so it does not stay in it, if
 *	the network of before is known
 *
 * To leave one takes nothing but the begin.
 */
struct atw_query_join {
	struct atw_query	query;
	struct atw_join		join;
	bool			once;
	void			(*begun)(struct atw_query_join *q);
	bool			(*given_up)(struct atw_query_join *q);
};

/* What the module is, by AT+WMODE: a station, an access point, or both. */
#define ATW_MODE_STATION	1
#define ATW_MODE_AP		2
#define ATW_MODE_MAX		3

/* As many as some firmware lets in. */
#define ATW_AP_STATIONS		16

/**
 * struct atw_query_ap - the module as an access point
 * @query: see there; -EINVAL, -ENAMETOOLONG: the firmware cannot be told its name or
 *	password
 * @ap: its name, "" for none; and its password
 * @channel: 1 to 14
 * @hidden: its name is not in the air
 */
struct atw_query_ap {
	struct atw_query	query;
	struct atw_join		ap;
	u32			channel;
	bool			hidden;
};

/**
 * struct atw_query_ap_status - whether it is one
 * @query: see there
 * @ap: out: it is this one; its BSSID is zero where it is none
 * @hidden: out: its name is not in the air
 * @n: out: how many stations there are in @station
 * @station: out: their hardware addresses
 */
struct atw_query_ap_status {
	struct atw_query	query;
	struct atw_network	ap;
	bool			hidden;
	unsigned int		n;
	u8			station[ATW_AP_STATIONS][6];
};

/**
 * struct atw_query_scan - the networks that it finds
 * @query: see there; -EBUSY while there are streams
 * @ssid: one to look for that hides its name, "" for all others
 * @names: out: them
 */
struct atw_query_scan {
	struct atw_query	query;
	char			ssid[ATW_SSID_MAX + 1];
	struct atw_query_names	names;
};

/**
 * struct atw_query_signal - how strong the network is that it is in
 * @query: see there
 * @rssi: out: in dBm; 0: it does not tell
 */
struct atw_query_signal {
	struct atw_query	query;
	s8			rssi;
};

/**
 * struct atw_query_country - whose rules its radio obeys
 * @query: see there
 * @country: out: as of atw_parse_country(), "00" where it does not tell
 */
struct atw_query_country {
	struct atw_query	query;
	char			country[ATW_COUNTRY_LEN];
};

/**
 * struct atw_query_status - the network that it is in
 * @query: see there
 * @joined: out: it has an address
 * @net: out: which; its BSSID is zero where nothing is known of it
 * @addr: out: its own, IPv4, host order; 0: none
 * @gateway: out: its router's, likewise
 * @server: out: those that names are asked of, as in struct atw_query_dns
 */
struct atw_query_status {
	struct atw_query	query;
	bool			joined;
	struct atw_network	net;
	u32			addr;
	u32			gateway;
	u32			server[ATW_DNS_MAX];
};

int atw_query_exec(struct atw_module *m, struct atw_cmd *cmd, struct atw_query *q);
int atw_query_ask(struct atw_module *m, struct atw_query *q, enum atw_verb verb,
		  bool (*row)(struct atw_cmd *cmd, const char *text), void *priv);
bool atw_query_refused(const struct atw_query *q, int err);
int atw_query_may_send(const struct atw_module *m, struct atw_query *q);
int atw_query_dns(struct atw_module *m, void *arg);
int atw_query_resolve(struct atw_module *m, void *arg);
int atw_query_autott(struct atw_module *m, void *arg);
int atw_query_cert_get(struct atw_module *m, void *arg);
int atw_query_cert_set(struct atw_module *m, void *arg);
int atw_query_raw(struct atw_module *m, void *arg);
int atw_query_may_scan(struct atw_module *m, struct atw_query *q);
bool atw_query_name_row(struct atw_query_names *names, const char *text);
int atw_query_settle_names(struct atw_module *m);
int atw_query_scan(struct atw_module *m, void *arg);
int atw_query_signal(struct atw_module *m, void *arg);
int atw_query_country(struct atw_module *m, void *arg);
int atw_query_status(struct atw_module *m, void *arg);
int atw_query_join(struct atw_module *m, void *arg);
int atw_query_leave(struct atw_module *m, void *arg);
int atw_query_let_go(struct atw_module *m, void *arg);
int atw_query_silence(struct atw_module *m, void *arg);
int atw_query_get_mode(struct atw_module *m, struct atw_query *q, u32 *mode);
int atw_query_set_mode(struct atw_module *m, struct atw_query *q, u32 mode, bool store);
const char *atw_query_unsayable(const struct atw_module *m, const char *ssid,
				const char *password);
int atw_query_ap(struct atw_module *m, void *arg);
int atw_query_ap_status(struct atw_module *m, void *arg);
int atw_query_ping(struct atw_module *m, u32 addr);

#endif
