/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * atsim: an emulator of Wi-Fi modules that speak the combo AT command set.
 *
 * The real module runs a few tasks that share one UART: the AT task, which
 * reads the receive ring and executes commands, and one task per socket.
 * They meet in two places only, and these are what the emulator models:
 *
 *  - a task that prints waits until its bytes are on the wire.  Each task
 *    keeps a mark, the position in the output at which its last print ends,
 *    and does nothing more until the UART has reached it.  That is the only
 *    brake on incoming TCP data in active receive mode.
 *  - the AT task executes one command at a time, in place.  While it waits
 *    (for a connect, a join, a ping, room in a TCP send buffer) nobody reads
 *    the 2048-byte receive ring.
 *
 * One thread and one event loop run all of it.
 */
#ifndef ATSIM_H
#define ATSIM_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/queue.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <openssl/ssl.h>

#define ATSIM_VERSION		"1.0"

#define RING_SIZE		2048	/* the module's UART receive ring */
#define CHUNK_SIZE		1024	/* one recv() of the module */
#define PRINT_SIZE		256	/* the module's printf buffer */
#define LINE_SIZE		1024
#define MAX_PARAMS		52
#define HOST_SIZE		256
#define SSID_SIZE		64
#define PASSWORD_SIZE		64
#define CERT_SIZE		2048
#define MAX_APS			50	/* entries of one scan */

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))

/* Error codes of the command set. */
enum at_error {
	ERR_OK			= 0,
	ERR_UNSUPPORTED		= 1,
	ERR_OPERATION		= 2,
	ERR_COUNT		= 3,
	ERR_VALUE		= 4,
	ERR_TOO_LONG		= 5,
	ERR_MALLOC		= 33,
	ERR_BAUD		= 39,
	ERR_DATABITS		= 40,
	ERR_STOPBITS		= 41,
	ERR_PARITY		= 42,
	ERR_NOT_CONFIGURED	= 47,
	ERR_WIFI_MODE		= 65,
	ERR_WIFI_CONNECT	= 66,
	ERR_DHCP		= 67,
	ERR_AP_NOT_FOUND	= 69,
	ERR_SCAN_START		= 70,
	ERR_GET_INFO		= 73,
	ERR_NOT_RUNNING		= 74,
	ERR_COUNTRY		= 75,
	ERR_SOCK_CREATE		= 96,
	ERR_SOCK_CONNECT	= 97,
	ERR_DNS			= 98,
	ERR_SOCK_STATE		= 99,
	ERR_SOCK_TYPE		= 100,
	ERR_SOCK_SEND		= 101,
	ERR_SOCK_BIND		= 104,
	ERR_TRANSPARENT		= 105,
	ERR_PING_LOST		= 106,
	ERR_SSL_CONFIG		= 108,
	ERR_SSL_VERIFY		= 109,
	ERR_CONID_USED		= 110,
};

/* What a command handler returns instead of an error code. */
#define AT_DONE			(-1)	/* everything is printed */
#define AT_WAIT			(-2)	/* at_finish() comes later */

struct atsim;
struct sock;

/* ---- profile.c: what differs between the firmware families ---- */

enum tokeniser {
	TOK_S,			/* comma splits unless after a backslash */
	TOK_G,			/* backslash escapes all, quotes protect */
	TOK_K,			/* only quotes protect a comma */
};

enum join_order {
	JOIN_CONNECT_OK_IP,
	JOIN_CONNECT_IP_OK,
	JOIN_OK_CONNECT_IP,
};

/* What the module says when it has started. */
enum banner {
	BANNER_READY,		/* a line for each fact, and "ready" */
	BANNER_NO_BLE,		/* the same of a module without Bluetooth */
	BANNER_ONE_LINE,	/* its versions on one, and no "ready" */
	BANNER_NONE,
};

/* How a server says that it has accepted somebody. */
enum seed_told {
	SEED_UNTOLD,		/* not at all: its data tells */
	SEED_EVENT,		/* "+EVENT:SocketSeed" */
	SEED_SHORT,		/* "+Seed:" */
};

struct profile {
	const char *name;
	const char *about;	/* for --help */
	const char *arch;
	const char *at_version;
	const char *sdk_version;
	const char *sdk_banner;
	const char *fw_version;
	const char *compile_time;
	int tokeniser;
	int line_limit;		/* longest line, its CR LF included */
	int param_limit;
	int join_order;
	int error_at;		/* "AT+CMD:n", "+ERROR" */
	int ok_plus;		/* "+OK" */
	int error_bare;		/* no line with a number before "ERROR" */
	int any_case;
	int drop_foreign;	/* no answer to a line without "AT" */
	int unknown_whole;	/* "Unknown cmd:" repeats the parameters */
	int busy;		/* a line during a command is refused */
	int send_silent;	/* a failed send prints nothing */
	int send_narrow;	/* 8-bit ConID and 16-bit length */
	int no_servers;		/* none in station mode: error 104 */
	int dissconnect;	/* spelling of the URC */
	int read_colon;		/* "+SOCKETREAD:" */
	int seed_told;
	int seed_autodel;
	int seed_peer;		/* AT+SOCKET? names a seed's peer */
	int del_autodel;	/* SOCKETDEL prints SocketAutoDel as well */
	int del_lingers;	/* a deleted ConID stays as 127 for a while */
	int mac_bare;		/* "CIPSTAMAC_DEF:" without its '+' */
	int join_why;		/* the state of a failed join tells why */
	int rejoins;		/* what was told to join in vain goes on trying */
	int domain_cr;		/* "+WDOMAIN:" after a lone CR */
	int keeps_network;	/* "AT+WDISCONNECT" is answered, and nothing done */
	int lost_first;		/* connections are said to be lost before the network is */
	int keeps_dns;		/* "AT+WDNS=" of one server leaves the second */
	int tt_urc;		/* events are printed in transparent mode */
	int tt_announce;	/* "AT+SOCKETTT" before an automatic '>' */
	int tt_guard;		/* ms of silence before and after "+++" */
	int has_stainfo;
	int has_wdisconnect;
	int has_sysmsg;
	int has_socket2;
	int has_flow;
	int banner;
	int boot_recv;		/* receives when it has started, 0: as before, 1: passively,
				 * 2: actively
				 */
	int mute_boot;		/* no echo after a start, until ATE1 */
	int ping_word;		/* "+PING:TIMEOUT" in place of a number */
	int send_max;		/* longer payloads are swallowed; 0: no limit */
	int uart_told;		/* the rate that AT+UARTCFG? tells; 0: the true one */
};

int profile_load(struct profile *p, const char *name);
int profile_quirk(struct profile *p, const char *spec);
void profile_list(FILE *f);
void profile_help(FILE *f);

/* ---- fault.c ---- */

enum fault_id {
	FAULT_TORN,
	FAULT_LOST,
	FAULT_FLIP,
	FAULT_GARBAGE,
	FAULT_BUSY,
	FAULT_SILENT_SEND,
	FAULT_RESET,
	FAULT_WRONG_RATE,
	FAULT_HEAP_FULL,
	FAULT_BOOT_TRANSPARENT,
	FAULT_CHUNK,
	FAULT_LATE_AUTODEL,
	FAULT_ID_REUSE,
	FAULT_STUCK_LISTENER,
	FAULT_PAUSE,
	FAULT_BREAK_OFF,
	FAULT_SLOW_WIRE,
	FAULT_NO_CTS,
	FAULT_SLOW_NET,
	FAULT_LATE_DOWN,
	FAULT_PORT_TAKEN,
	FAULT_MAX,
};

enum fault_dir {
	DIR_IN	= 1,		/* host to module */
	DIR_OUT	= 2,
};

struct fault {
	bool armed;
	double rate;
	uint64_t every;
	uint64_t after;		/* bytes on the wire; 0: at once */
	uint64_t times;		/* 0: no limit */
	unsigned int dir;
	unsigned int ms;
	unsigned int max;
	uint64_t rng;
	uint64_t seen;		/* opportunities since it was armed */
	uint64_t skip[3];	/* bytes until the next hit, by direction */
	uint64_t base;		/* wire bytes when it was armed */
	uint64_t fired;
};

int fault_parse(struct atsim *sim, const char *spec, char *err, size_t size);
void fault_clear(struct atsim *sim);
bool fault_on(struct atsim *sim, enum fault_id id);
bool fault_hit(struct atsim *sim, enum fault_id id);
uint64_t fault_random(struct atsim *sim, enum fault_id id);
void fault_restore(struct atsim *sim, const struct fault *begun);
size_t fault_wire(struct atsim *sim, enum fault_dir dir, const uint8_t *in,
		  size_t len, uint8_t *out, size_t size);
void fault_tear(struct atsim *sim, struct sock *s);
void fault_payload(struct atsim *sim, uint64_t *mark, const uint8_t *data,
		   size_t len);
size_t fault_stats(struct atsim *sim, char *buf, size_t size);
void fault_help(FILE *f);

/* The most that one wire byte can become: itself plus a burst of garbage. */
#define FAULT_BURST		32
#define FAULT_GROWTH(n)		((n) * 5 + FAULT_BURST * 8)

/* ---- uart.c ---- */

struct uart_cfg {
	unsigned int baud;
	unsigned int databits;
	unsigned int stopbits;	/* 1: one, 2: one and a half, 3: two */
	unsigned int parity;
};

struct uart {
	struct uart_cfg cfg;
	unsigned int flow;	/* 1: gives RTS, 2: waits for CTS, 3: both */
	bool paced;
	bool silent;		/* as if the wires were cut */
	int fd_in;
	int fd_out;
	struct event *ev_in;
	struct event *ev_out;
	struct event *tx_timer;
	struct event *rx_timer;

	/* host to module */
	uint8_t stage[1024];	/* on the wire */
	size_t stage_len;
	size_t stage_off;
	uint64_t rx_clock;	/* ns up to which the wire was used */
	bool rx_busy;
	bool rx_eof;
	uint8_t ring[RING_SIZE];
	size_t ring_head;
	size_t ring_len;

	/* module to host */
	struct evbuffer *txq;	/* printed, not yet on the wire */
	uint8_t obuf[FAULT_GROWTH(1024)];
	size_t obuf_len;
	size_t obuf_off;
	uint64_t tx_clock;
	uint64_t tx_queued;	/* bytes printed since the start */
	uint64_t tx_done;	/* of these, put on the wire */
	bool tx_busy;
	bool in_service;
	bool wake_due;		/* tasks may wait for tx_done */
	uint64_t last;		/* the module resets behind it, 0: it does not */

	uint64_t wire_in;	/* bytes that crossed, for faults and stats */
	uint64_t wire_out;
	uint64_t overruns;
};

int uart_init(struct atsim *sim);
void uart_exit(struct atsim *sim);
void uart_attach(struct atsim *sim, int fd_in, int fd_out);
void uart_detach(struct atsim *sim);
void uart_listen(struct atsim *sim);
void uart_set_cfg(struct atsim *sim, const struct uart_cfg *cfg);
void uart_write(struct atsim *sim, uint64_t *mark, const void *data,
		size_t len);
void uart_printf(struct atsim *sim, uint64_t *mark, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool uart_drained(const struct atsim *sim, uint64_t mark);
uint64_t uart_rx_now(const struct atsim *sim);
size_t uart_take(struct atsim *sim, uint8_t *buf, size_t len);
void uart_room(struct atsim *sim);
void uart_flush(struct atsim *sim);
void uart_kick(struct atsim *sim);
void uart_break_off(struct atsim *sim, uint64_t mark);
bool uart_idle(const struct atsim *sim);
uint64_t now_ns(void);

/* ---- transport.c ---- */

struct transport {
	enum { TP_NONE, TP_UNIX, TP_PTY, TP_STDIO } kind;
	const char *path;
	struct evconnlistener *listener;
	struct event *poll;	/* pty: is the slave open? stdio: done? */
	int fd;
	unsigned int quiet;
};

struct evconnlistener *unix_listen(struct atsim *sim, const char *path,
				   evconnlistener_cb cb);
int transport_open(struct atsim *sim);
void transport_close(struct atsim *sim);
void transport_lost(struct atsim *sim);
unsigned int transport_rate(struct atsim *sim);
bool transport_waits(struct atsim *sim);
unsigned int pty_rate(int fd);

/* ---- at.c ---- */

enum at_op {
	OP_EXEC		= 1,
	OP_QUERY	= 2,
	OP_SET		= 4,
	OP_TEST		= 8,
};

struct at_args {
	enum at_op op;
	int argc;
	char *argv[MAX_PARAMS];
	size_t len[MAX_PARAMS];
	char store[LINE_SIZE + MAX_PARAMS];
};

struct at_command {
	const char *name;	/* with its "AT" */
	unsigned int ops;
	int (*run)(struct atsim *sim, struct at_args *args);
	const char *help;
	size_t needs;		/* offset of a flag in struct profile, or 0 */
	bool secret;		/* its parameters are never logged */
};

typedef void (*at_payload_fn)(struct atsim *sim, uint8_t *data, size_t len);

struct at {
	enum { AT_OFF, AT_LINE, AT_PAYLOAD, AT_TRANSPARENT } state;
	bool echo;
	bool blocked;		/* in a command: the ring is not read */
	bool deferred;		/* in a command that leaves the task free */
	bool running;		/* guards against recursion */
	bool sleeping;		/* found the ring empty */
	bool late;		/* the line began while another command ran */
	size_t pipelined;	/* bytes that came while a command ran */
	const struct at_command *cur;
	struct at_args args;
	char line[LINE_SIZE + 4];
	size_t line_len;
	uint64_t mark;
	uint64_t asleep;	/* when the task found the ring empty */
	struct event *wake;
	struct event *timer;	/* the waiting of the command that runs */
	void (*timer_fn)(struct atsim *sim);
	uint8_t *payload;
	size_t payload_len;
	size_t payload_want;
	at_payload_fn payload_fn;
	uint64_t commands;
	uint64_t dropped;
	uint64_t refused;
};

extern const struct at_command basic_commands[];
extern const struct at_command wifi_commands[];
extern const struct at_command inet_commands[];
extern const struct at_command socket_commands[];

int at_init(struct atsim *sim);
void at_exit(struct atsim *sim);
void at_start(struct atsim *sim);
void at_stop(struct atsim *sim);
void at_run(struct atsim *sim);
void at_wake(struct atsim *sim);
void at_look(struct atsim *sim, uint64_t clock);
void at_finish(struct atsim *sim, int code);
void at_after(struct atsim *sim, unsigned int ms, void (*fn)(struct atsim *));
void at_ok(struct atsim *sim);
void at_error(struct atsim *sim, const char *name, int code);
int at_payload(struct atsim *sim, size_t len, at_payload_fn fn);
void at_printf(struct atsim *sim, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
const struct at_command *at_find(struct atsim *sim, const char *name);
void at_help(struct atsim *sim);
bool at_number(const char *text, long min, long max, long *value);

/* ---- transparent.c ---- */

struct transparent {
	struct event *timer;
	uint8_t buf[CHUNK_SIZE];
	size_t len;
	unsigned int plus;
	uint64_t last;		/* when the last byte came */
	bool last_peer;		/* UDP server: follow the last sender */
	uint32_t id;
};

int tt_init(struct atsim *sim);
void tt_exit(struct atsim *sim);
struct sock *tt_candidate(struct atsim *sim);
void tt_enter(struct atsim *sim, struct sock *s, int mode);
void tt_reset(struct atsim *sim);
void tt_input(struct atsim *sim);
bool tt_active(const struct atsim *sim);

/* ---- net.c: what the emulated radio can reach ---- */

struct net_range {
	uint32_t net;
	uint32_t mask;
	uint32_t to;
};

struct net_name {
	const char *name;
	uint32_t addr;
};

struct net {
	struct net_range map[16];
	struct net_range allow[16];
	struct net_range hole[16];
	struct net_name name[64];
	unsigned int maps, allows, holes, names;
	uint32_t listen;
};

enum net_way { NET_OK, NET_REFUSED, NET_HOLE };

int net_add_map(struct net *net, const char *spec);
int net_add_allow(struct net *net, const char *spec);
int net_add_hole(struct net *net, const char *spec);
int net_add_name(struct net *net, const char *spec);
bool net_resolve(struct atsim *sim, const char *host, struct in_addr *addr);
enum net_way net_route(struct atsim *sim, struct in_addr addr,
		       struct in_addr *real);
struct in_addr net_unmap(struct atsim *sim, struct in_addr real);

/* ---- sock.c ---- */

enum sock_type {
	UDP_SERVER = 1,
	UDP_CLIENT,
	TCP_SERVER,
	TCP_CLIENT,
	TCP_SEED,
	SSL_SERVER,
	SSL_CLIENT,
	SSL_SEED,
};

enum sock_status {
	SOCK_DISCONNECTED	= 0,
	SOCK_CONNECTING		= 1,
	SOCK_CONNECTED		= 3,
	SOCK_FAILED		= 4,
	SOCK_DELETED		= 127,
};

struct packet {
	STAILQ_ENTRY(packet) entry;
	size_t len;
	uint8_t data[];
};

typedef void (*sock_fn)(struct sock *s, int code);

struct sock {
	TAILQ_ENTRY(sock) entry;
	struct atsim *sim;
	unsigned int refs;
	size_t cost;		/* of the module's memory */
	bool listed;
	bool auto_id;
	bool peer_known;
	struct sockaddr_in last;	/* who has spoken last to a UDP server; addr: first */
	bool stuck;		/* BW20: a listener that resets its clients */
	uint32_t id;
	enum sock_type type;
	enum sock_status status;
	char host[HOST_SIZE];
	int remote_port;
	int local_port;
	uint32_t server;
	int keepalive;
	enum net_way way;
	struct sockaddr_in addr;	/* where the host really connects to */
	int fd;
	SSL *ssl;
	SSL_CTX *ctx;
	struct event *ev_read;
	struct event *ev_write;
	struct event *timer;
	uint64_t mark;
	STAILQ_HEAD(, packet) queue;
	sock_fn connect_fn;
	uint64_t since;		/* it connects, in ns */
	uint8_t *out;
	size_t out_len;
	size_t out_off;
	struct sockaddr_in out_to;	/* whose a datagram is */
	sock_fn send_fn;
	bool in_read;
	bool armed;		/* ev_read is pending */
	void (*timer_fn)(struct sock *s);
};

TAILQ_HEAD(sock_list, sock);

struct sock *sock_new(struct atsim *sim, enum sock_type type);
void sock_put(struct sock *s);
struct sock *sock_find(struct atsim *sim, uint32_t id);
unsigned int sock_count(struct atsim *sim);
void sock_connect(struct sock *s, sock_fn fn);
void sock_connect_timeout(struct atsim *sim, unsigned int ms);
bool sock_connect_late(struct atsim *sim);
int sock_bind(struct sock *s);
int sock_enlist(struct sock *s, uint32_t id);
void sock_send(struct sock *s, const uint8_t *data, size_t len, sock_fn fn);
void sock_hurry(struct atsim *sim);
void sock_delete(struct sock *s);
void sock_drop_all(struct atsim *sim);
void sock_link_lost(struct atsim *sim);
bool sock_prints_on(struct atsim *sim);
void sock_kick_all(struct atsim *sim);
bool sock_serve_other(struct atsim *sim, struct sock *not_this);
struct packet *sock_pop(struct sock *s);
size_t heap_free(struct atsim *sim);
bool sock_is_tcp(const struct sock *s);
bool sock_is_tls(const struct sock *s);
bool sock_is_client(const struct sock *s);
bool sock_is_server(const struct sock *s);
bool sock_is_seed(const struct sock *s);

/* ---- sockcmd.c ---- */

void socket_autott_boot(struct atsim *sim);
void socket_ghost(struct atsim *sim);

/* ---- tls.c ---- */

enum tls_want { TLS_DONE, TLS_READ, TLS_WRITE, TLS_FAIL };

int tls_setup(struct sock *s);
enum tls_want tls_handshake(struct sock *s, int *code);
ssize_t tls_recv(struct sock *s, void *buf, size_t len);
ssize_t tls_send(struct sock *s, const void *buf, size_t len);
void tls_free(struct sock *s);

/* ---- wifi.c ---- */

enum wifi_status {
	WIFI_IDLE,
	WIFI_CONNECTING,
	WIFI_NO_IP,
	WIFI_GOT_IP,
	WIFI_FAILED,
};

struct ap {
	char ssid[SSID_SIZE];
	char password[PASSWORD_SIZE];
	char bssid[18];
	char security[32];
	int channel;
	int rssi;
	bool hidden;
	bool gone;		/* it is not in the air */
};

#define SAP_CLIENTS		10	/* of the module as an access point */

struct wifi {
	struct ap aps[MAX_APS];
	unsigned int naps;
	bool air;		/* the access points are there */
	bool leases;		/* and so is a DHCP server */
	unsigned int join_ms;	/* until one is joined */
	uint64_t joins;		/* told by the host */
	uint64_t leaves;		/* told by the host */
	int mode;
	enum wifi_status status;
	const struct ap *ap;
	char ssid[SSID_SIZE];	/* wanted */
	char password[PASSWORD_SIZE];
	char bssid[18];
	bool want;
	bool by_command;
	bool softap;
	int code;
	unsigned int scan_mask;
	struct event *timer;
	struct in_addr dns[2];
	struct {
		char ssid[SSID_SIZE];
		char password[PASSWORD_SIZE];
		int channel;
		int max;
		int hidden;
		uint8_t clients[SAP_CLIENTS][6];
		int nclients;
	} sap;
};

int wifi_init(struct atsim *sim);
void wifi_exit(struct atsim *sim);
int wifi_add_ap(struct wifi *wifi, const char *spec);
int wifi_client(struct atsim *sim, const char *spec, bool joins);
int wifi_ap_info(struct wifi *wifi, const char *spec);
int wifi_ap_password(struct wifi *wifi, const char *spec);
int wifi_ap_gone(struct atsim *sim, const char *bssid);
int wifi_ap_signal(struct atsim *sim, const char *spec);
void wifi_factory(struct atsim *sim);
void wifi_restore(struct atsim *sim);
void wifi_start(struct atsim *sim);
void wifi_stop(struct atsim *sim);
void wifi_link(struct atsim *sim, bool up);
void wifi_leases(struct atsim *sim, bool on);
void wifi_join_time(struct atsim *sim, unsigned int ms);
bool wifi_has_ip(const struct atsim *sim);
bool wifi_is_station(const struct atsim *sim);
struct in_addr wifi_ip(const struct atsim *sim);
struct in_addr wifi_gateway(const struct atsim *sim);
void wifi_urc(struct atsim *sim, const char *name);

/* ---- control.c ---- */

int control_open(struct atsim *sim, const char *path);
void control_close(struct atsim *sim);

/* ---- main.c: the module as a whole ---- */

/* What the module keeps over a reset. */
struct flash {
	struct uart_cfg uart;
	int wmode;
	int autoconn;
	char ssid[SSID_SIZE];
	char password[PASSWORD_SIZE];
	char bssid[18];
	bool dhcp;
	struct in_addr ip;
	struct in_addr mask;
	struct in_addr gateway;
	int country;
	bool recv_active;
	struct {
		int type;
		char host[HOST_SIZE];
		int port;
	} autott;
	uint8_t cert[3][CERT_SIZE];
	size_t cert_len[3];
	bool sntp;
	int sntp_zone;
	char sntp_server[3][64];
	unsigned int sntp_interval;
	unsigned int sysmsg;
	bool apdhcp;
	struct in_addr apdhcp_addr[3];
};

/* What it was begun with, for "sound". */
struct begun {
	struct profile profile;
	struct fault fault[FAULT_MAX];
	struct ap aps[MAX_APS];
	unsigned int naps;
	unsigned int join_ms;
	unsigned int connect_ms;
	struct in_addr ip;
	struct in_addr netmask;
	struct in_addr gateway;
};

struct atsim {
	struct event_base *base;
	struct begun begun;
	struct profile profile;
	struct transport tp;
	struct uart uart;
	struct at at;
	struct transparent tt;
	struct net net;
	struct wifi wifi;
	struct flash flash;
	struct fault fault[FAULT_MAX];
	struct sock_list socks;
	struct sock *connecting;	/* whom a command waits for, not listed */
	uint32_t next_id;
	struct event *boot_timer;
	struct evconnlistener *control;
	const char *control_path;
	FILE *log;
	bool verbose;
	int exit_code;
	bool up;		/* booted */
	bool tearing;
	uint32_t send_id;	/* of the payload that is collected */
	int cert_which;

	/* options */
	unsigned int boot_rate;
	unsigned int boot_ms;
	unsigned int max_sockets;
	unsigned int connect_ms;
	unsigned int ping_ms;
	size_t heap;
	size_t heap_used;
	bool autojoin;
	uint64_t seed;
	uint8_t mac[6];
	struct in_addr ip;
	struct in_addr netmask;
	struct in_addr gateway;
	const char *without[32];
	unsigned int nwithout;

	/* counters */
	uint64_t boots;
	uint64_t heap_drops;
	uint64_t cert_writes;
	uint64_t dns_writes;
	uint64_t names_asked;
	uint64_t wifi_writes;
	uint64_t lines_sent;
	uint64_t tt_entries;
	uint64_t tt_in, tt_out;		/* bytes in transparent mode */
	uint64_t tt_plus_lost;		/* counted for "+++", and no exit */
	uint64_t sock_made;
	uint64_t reconnects;
	uint64_t sock_in;
	uint64_t sock_out;
	uint64_t sends_failed;
	uint64_t reads;			/* packets that the host has fetched */
};

void sim_log(struct atsim *sim, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void sim_reset(struct atsim *sim);
void sim_sound(struct atsim *sim);
void sim_factory(struct atsim *sim);
int sim_lease(struct atsim *sim, const char *spec);
void sim_quit(struct atsim *sim, int code);
void timer_set(struct event *ev, uint64_t us);

#endif /* ATSIM_H */
