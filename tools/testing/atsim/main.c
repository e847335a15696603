// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options, and the module as a whole: power, boot, flash.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "atsim.h"

/* What is shipped, and what other host programs understand. */
#define DEFAULT_PROFILE		"p23"

/**
 * timer_set() - (re)start a one-shot timer
 * @ev: the timer
 * @us: microseconds from now
 */
void timer_set(struct event *ev, uint64_t us)
{
	struct timeval tv = {
		.tv_sec = us / 1000000,
		.tv_usec = us % 1000000,
	};

	event_add(ev, &tv);
}

/**
 * sim_log() - a line for whoever watches
 * @sim: the emulator
 * @fmt: as printf; never with a password in it
 */
void sim_log(struct atsim *sim, const char *fmt, ...)
{
	struct timespec ts;
	va_list ap;

	if (!sim->log)
		return;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	fprintf(sim->log, "%6lld.%06ld ", (long long)ts.tv_sec,
		ts.tv_nsec / 1000);
	va_start(ap, fmt);
	vfprintf(sim->log, fmt, ap);
	va_end(ap);
	fputc('\n', sim->log);
	fflush(sim->log);
}

/* As the vendor shows it of BW16: what its loader says, and one line. */
static void banner_one_line(struct atsim *sim)
{
	const struct profile *p = &sim->profile;
	uint64_t mark;

	uart_printf(sim, &mark, "#calibration_ok:[2:19:11] \r\n\r\n");
	uart_printf(sim, &sim->at.mark, "at version:%s sdk version:%s firmware version:%s(%s)\r\n",
		    p->at_version, p->sdk_banner, p->fw_version, p->compile_time);
}

static void banner(struct atsim *sim)
{
	static const char hashes[] =
		"################################################";
	const struct profile *p = &sim->profile;
	const uint8_t *m = sim->mac;
	uint64_t mark;

	if (p->banner == BANNER_ONE_LINE)
		banner_one_line(sim);
	if (p->banner >= BANNER_ONE_LINE)
		return;
	uart_printf(sim, &mark, "\r\n%s\r\n\r\n", hashes);
	uart_printf(sim, &mark, "arch:%s,NULL\r\n", p->arch);
	uart_printf(sim, &mark, "company:Ai-Thinker|B&T\r\n");
	if (p->banner == BANNER_READY)
		uart_printf(sim, &mark, "ble_mac:%02x%02x%02x%02x%02x%02x\r\n",
			    m[0], m[1], m[2], m[3], m[4], (m[5] + 1) & 0xff);
	uart_printf(sim, &mark, "wifi_mac:%02x%02x%02x%02x%02x%02x\r\n", m[0],
		    m[1], m[2], m[3], m[4], m[5]);
	uart_printf(sim, &mark, "sdk_version:%s\r\n", p->sdk_banner);
	uart_printf(sim, &mark, "firmware_version:%s\r\n", p->fw_version);
	uart_printf(sim, &mark, "compile_time:%s\r\n\r\n", p->compile_time);
	uart_printf(sim, &mark, "ready\r\n");
	uart_printf(sim, &sim->at.mark, "\r\n%s\r\n", hashes);
}

static void booted(evutil_socket_t fd, short what, void *arg)
{
	struct atsim *sim = arg;

	sim->up = true;
	if (sim->profile.boot_recv)
		sim->flash.recv_active = sim->profile.boot_recv == 2;
	uart_set_cfg(sim, &sim->flash.uart);
	banner(sim);
	at_start(sim);
	wifi_start(sim);
	if (fault_hit(sim, FAULT_BOOT_TRANSPARENT))
		socket_ghost(sim);
	uart_listen(sim);
	sim_log(sim, "booted");
}

/**
 * sim_reset() - the reset line is pulled, or the module resets itself
 * @sim: the emulator
 *
 * Whatever it was doing ends in the middle; what is in flash stays.
 */
void sim_reset(struct atsim *sim)
{
	sim_log(sim, "reset");
	sim->up = false;
	sim->boots++;
	at_stop(sim);
	tt_reset(sim);
	sock_drop_all(sim);
	wifi_stop(sim);
	sim->next_id = 1;
	uart_flush(sim);
	timer_set(sim->boot_timer, sim->boot_ms * 1000ULL);
}

static void remember(struct atsim *sim)
{
	struct begun *begun = &sim->begun;

	begun->profile = sim->profile;
	memcpy(begun->fault, sim->fault, sizeof(begun->fault));
	memcpy(begun->aps, sim->wifi.aps, sizeof(begun->aps));
	begun->naps = sim->wifi.naps;
	begun->join_ms = sim->wifi.join_ms;
	begun->connect_ms = sim->connect_ms;
	begun->ip = sim->ip;
	begun->netmask = sim->netmask;
	begun->gateway = sim->gateway;
}

/**
 * sim_sound() - whatever the control socket has brought about is over
 * @sim: the emulator
 *
 * What is in flash stays, and the module runs on, unless it had other firmware.
 */
void sim_sound(struct atsim *sim)
{
	const struct begun *begun = &sim->begun;
	bool other = strcmp(sim->profile.name, begun->profile.name);

	sim->profile = begun->profile;
	fault_restore(sim, begun->fault);
	sock_hurry(sim);
	sim->ip = begun->ip;
	sim->netmask = begun->netmask;
	sim->gateway = begun->gateway;
	wifi_restore(sim);
	sim->connect_ms = begun->connect_ms;
	sock_connect_late(sim);
	sim->uart.silent = false;
	uart_kick(sim);
	if (other)
		sim_reset(sim);
}

/**
 * sim_factory() - erase the flash
 * @sim: the emulator
 */
void sim_factory(struct atsim *sim)
{
	static const char *const servers[3] = {
		"cn.ntp.org.cn", "ntp.sjtu.edu.cn", "us.pool.ntp.org",
	};
	struct flash *flash = &sim->flash;
	int i;

	memset(flash, 0, sizeof(*flash));
	flash->uart.baud = sim->boot_rate;
	flash->uart.databits = 8;
	flash->uart.stopbits = 1;
	for (i = 0; i < 3; i++)
		strcpy(flash->sntp_server[i], servers[i]);
	flash->sntp_interval = 3600;
	flash->sntp_zone = 8;
	flash->sysmsg = 0xffffffff;
	wifi_factory(sim);
}

/**
 * sim_quit() - leave the event loop
 * @sim: the emulator
 * @code: the exit status
 */
void sim_quit(struct atsim *sim, int code)
{
	sim->exit_code = code;
	event_base_loopbreak(sim->base);
}

static void signal_cb(evutil_socket_t sig, short what, void *arg)
{
	sim_quit(arg, 0);
}

static void usage(FILE *f)
{
	fprintf(f,
"Usage: atsim (--unix PATH | --pty [LINK] | --stdio) [OPTION...]\n"
"Emulate a Wi-Fi module that speaks the combo AT command set.\n"
"\n"
"The host's end of the UART:\n"
"  --unix PATH          a unix socket, one client at a time\n"
"  --pty [LINK]         a pty; its name is printed, and linked to as LINK\n"
"  --stdio              standard input and output\n"
"  --baud N             pace both directions like a wire at N bit/s (0: not)\n"
"  --uart-rate N        the module's rate before AT+UARTCFG (115200 or --baud)\n"
"The module:\n"
"  --profile NAME       the family of its firmware (" DEFAULT_PROFILE "); see below\n"
"  --quirk TRAIT=N      change one trait of it; --quirk help lists them\n"
"  --without COMMAND    a firmware that lacks COMMAND (\"AT+WDNS\")\n"
"  --max-sockets N      sockets at once (5)\n"
"  --heap BYTES         its free memory (98304)\n"
"  --mac MAC            address of its station\n"
"  --boot-ms N          from reset to the banner (250)\n"
"The air:\n"
"  --ap SSID:PASSWORD   an access point (atsim:12345678); \"\\:\" for a colon,\n"
"                       \"\\xNN\" for any byte\n"
"  --ap-info BSSID,SECURITY,CHANNEL,RSSI[,hidden]\n"
"                       more about the last --ap\n"
"  --autojoin, --no-autojoin\n"
"                       the module has stored credentials of the first --ap (default),\n"
"                       or none\n"
"  --ip IP,MASK,GATEWAY what its DHCP server gives\n"
"The network:\n"
"  --map NET/LEN=NET    let a network stand for another one\n"
"  --host NAME=IP       a name that DNS knows\n"
"  --allow NET/LEN      addresses off this machine that may be reached\n"
"  --blackhole NET/LEN  addresses that never answer\n"
"  --listen IP          where the module's servers listen (127.0.0.1)\n"
"  --connect-timeout MS until a connect fails without an answer (20000)\n"
"  --ping-ms N          the round trip that AT+PING shows (30)\n"
"Faults:\n"
"  --fault NAME[,rate=P|every=N][,after=BYTES][,times=N][,dir=in|out|both]\n"
"  --seed N             for all that is random (1)\n"
"Watching it:\n"
"  --control PATH       a unix socket: reset, link down, link up, fault SPEC,\n"
"                       clear, sound, stats, sockets, next-id N, quirk TRAIT=N,\n"
"                       lease IP,MASK,GATEWAY, connect-timeout MS,\n"
"                       connect-late, ap SSID:PASSWORD, ap-info ...,\n"
"                       silent on, silent off, dhcp on, dhcp off,\n"
"                       join-time MS, profile NAME\n"
"  --log FILE           what happens, one line each\n"
"  -v, --verbose        the same on standard error\n"
"  -h, --help, --version\n"
"\n"
"Families are:\n");
	profile_list(f);
	fputs("\nFaults are:\n", f);
	fault_help(f);
}

enum {
	OPT_UNIX = 256, OPT_PTY, OPT_STDIO, OPT_BAUD, OPT_RATE, OPT_PROFILE,
	OPT_QUIRK, OPT_WITHOUT, OPT_SOCKETS, OPT_HEAP, OPT_MAC, OPT_BOOT,
	OPT_AP, OPT_AP_INFO, OPT_JOIN, OPT_NO_JOIN, OPT_IP, OPT_MAP, OPT_HOST,
	OPT_ALLOW, OPT_HOLE, OPT_LISTEN, OPT_CONNECT, OPT_PING, OPT_FAULT,
	OPT_SEED, OPT_CONTROL, OPT_LOG, OPT_VERSION,
};

static const struct option options[] = {
	{ "unix", required_argument, NULL, OPT_UNIX },
	{ "pty", optional_argument, NULL, OPT_PTY },
	{ "stdio", no_argument, NULL, OPT_STDIO },
	{ "baud", required_argument, NULL, OPT_BAUD },
	{ "uart-rate", required_argument, NULL, OPT_RATE },
	{ "profile", required_argument, NULL, OPT_PROFILE },
	{ "quirk", required_argument, NULL, OPT_QUIRK },
	{ "without", required_argument, NULL, OPT_WITHOUT },
	{ "max-sockets", required_argument, NULL, OPT_SOCKETS },
	{ "heap", required_argument, NULL, OPT_HEAP },
	{ "mac", required_argument, NULL, OPT_MAC },
	{ "boot-ms", required_argument, NULL, OPT_BOOT },
	{ "ap", required_argument, NULL, OPT_AP },
	{ "ap-info", required_argument, NULL, OPT_AP_INFO },
	{ "autojoin", no_argument, NULL, OPT_JOIN },
	{ "no-autojoin", no_argument, NULL, OPT_NO_JOIN },
	{ "ip", required_argument, NULL, OPT_IP },
	{ "map", required_argument, NULL, OPT_MAP },
	{ "host", required_argument, NULL, OPT_HOST },
	{ "allow", required_argument, NULL, OPT_ALLOW },
	{ "blackhole", required_argument, NULL, OPT_HOLE },
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "connect-timeout", required_argument, NULL, OPT_CONNECT },
	{ "ping-ms", required_argument, NULL, OPT_PING },
	{ "fault", required_argument, NULL, OPT_FAULT },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "control", required_argument, NULL, OPT_CONTROL },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static int set_number(const char *text, long min, long max, unsigned int *to)
{
	long n;

	if (!at_number(text, min, max, &n))
		return -1;
	*to = n;
	return 0;
}

static int set_addr(const char *text, struct in_addr *addr)
{
	return inet_pton(AF_INET, text, addr) == 1 ? 0 : -1;
}

/**
 * sim_lease() - set what the network's DHCP server gives
 * @sim: the emulator
 * @spec: "IP,MASK,GATEWAY"; has effect when the module joins
 *
 * Return: 0, or -1: that is none
 */
int sim_lease(struct atsim *sim, const char *spec)
{
	char ip[16], mask[16], gateway[16];

	if (sscanf(spec, "%15[0-9.],%15[0-9.],%15[0-9.]", ip, mask,
		   gateway) != 3)
		return -1;
	return set_addr(ip, &sim->ip) || set_addr(mask, &sim->netmask) ||
	       set_addr(gateway, &sim->gateway) ? -1 : 0;
}

static int set_mac(struct atsim *sim, const char *spec)
{
	uint8_t *m = sim->mac;
	char end;

	return sscanf(spec, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &m[0],
		      &m[1], &m[2], &m[3], &m[4], &m[5], &end) == 6 ? 0 : -1;
}

static int set_transport(struct atsim *sim, int kind, const char *path)
{
	if (sim->tp.kind != TP_NONE)
		return -1;
	sim->tp.kind = kind;
	sim->tp.path = path;
	return 0;
}

static int set_log(struct atsim *sim, const char *path)
{
	sim->log = fopen(path, "ae");
	return sim->log ? 0 : -1;
}

static int set_option(struct atsim *sim, int opt, char *arg, char *err,
		      size_t size)
{
	unsigned int n = 0;
	struct in_addr addr;

	switch (opt) {
	case OPT_UNIX:
		return set_transport(sim, TP_UNIX, arg);
	case OPT_PTY:
		return set_transport(sim, TP_PTY, arg);
	case OPT_STDIO:
		return set_transport(sim, TP_STDIO, NULL);
	case OPT_BAUD:
		/* 0 takes back what a wrapper said before. */
		sim->uart.paced = strcmp(arg, "0") != 0;
		if (!sim->uart.paced)
			return 0;
		return set_number(arg, 300, 5000000, &sim->uart.cfg.baud);
	case OPT_RATE:
		return set_number(arg, 300, 5000000, &sim->boot_rate);
	case OPT_PROFILE:
		return 0;	/* taken before all others */
	case OPT_QUIRK:
		return profile_quirk(&sim->profile, arg);
	case OPT_WITHOUT:
		if (sim->nwithout == ARRAY_SIZE(sim->without))
			return -1;
		sim->without[sim->nwithout++] = arg;
		return 0;
	case OPT_SOCKETS:
		return set_number(arg, 1, 255, &sim->max_sockets);
	case OPT_HEAP:
		if (set_number(arg, 16384, 1 << 30, &n))
			return -1;
		sim->heap = n;
		return 0;
	case OPT_MAC:
		return set_mac(sim, arg);
	case OPT_BOOT:
		return set_number(arg, 0, 60000, &sim->boot_ms);
	case OPT_AP:
		return wifi_add_ap(&sim->wifi, arg);
	case OPT_AP_INFO:
		return wifi_ap_info(&sim->wifi, arg);
	case OPT_JOIN:
	case OPT_NO_JOIN:
		sim->autojoin = opt == OPT_JOIN;
		return 0;
	case OPT_IP:
		return sim_lease(sim, arg);
	case OPT_MAP:
		return net_add_map(&sim->net, arg);
	case OPT_HOST:
		return net_add_name(&sim->net, arg);
	case OPT_ALLOW:
		return net_add_allow(&sim->net, arg);
	case OPT_HOLE:
		return net_add_hole(&sim->net, arg);
	case OPT_LISTEN:
		if (set_addr(arg, &addr))
			return -1;
		sim->net.listen = addr.s_addr;
		return 0;
	case OPT_CONNECT:
		return set_number(arg, 1, 600000, &sim->connect_ms);
	case OPT_PING:
		return set_number(arg, 1, 10000, &sim->ping_ms);
	case OPT_FAULT:
		return fault_parse(sim, arg, err, size);
	case OPT_SEED:
		return 0;	/* taken before the faults */
	case OPT_CONTROL:
		sim->control_path = arg;
		return 0;
	case OPT_LOG:
		return set_log(sim, arg);
	case 'v':
		sim->log = stderr;
		return 0;
	}
	return -1;
}

static const char *option_name(int opt)
{
	const struct option *o;

	for (o = options; o->name; o++) {
		if (o->val == opt)
			return o->name;
	}
	return "";
}

/* Others depend on these two, wherever they stand. */
static int first_pass(struct atsim *sim, int argc, char **argv)
{
	char *end;
	int opt;

	while ((opt = getopt_long(argc, argv, "-vh", options, NULL)) != -1) {
		switch (opt) {
		case OPT_PROFILE:
			if (!profile_load(&sim->profile, optarg))
				break;
			fprintf(stderr, "atsim: no such profile: %s\n",
				optarg);
			return -1;
		case OPT_QUIRK:
			if (strcmp(optarg, "help"))
				break;
			profile_help(stdout);
			exit(0);
		case OPT_SEED:
			sim->seed = strtoull(optarg, &end, 0);
			if (end != optarg && !*end)
				break;
			fprintf(stderr, "atsim: bad value: --seed %s\n",
				optarg);
			return -1;
		case 'h':
			usage(stdout);
			exit(0);
		case OPT_VERSION:
			printf("atsim %s\n", ATSIM_VERSION);
			exit(0);
		case '?':
			return -1;
		}
	}
	return 0;
}

static int parse(struct atsim *sim, int argc, char **argv)
{
	char err[128];
	int last = 0;
	int opt;

	if (first_pass(sim, argc, argv))
		return -1;
	optind = 0;
	while ((opt = getopt_long(argc, argv, "-vh", options, NULL)) != -1) {
		/* "--pty LINK" as well as "--pty=LINK" */
		if (opt == 1 && last == OPT_PTY && !sim->tp.path) {
			sim->tp.path = optarg;
			last = opt;
			continue;
		}
		if (opt == 1) {
			fprintf(stderr, "atsim: what is \"%s\"?\n", optarg);
			return -1;
		}
		last = opt;
		err[0] = '\0';
		if (set_option(sim, opt, optarg, err, sizeof(err))) {
			fprintf(stderr, "atsim: bad value: --%s %s%s%s\n",
				option_name(opt), optarg ? optarg : "",
				*err ? ": " : "", err);
			return -1;
		}
	}
	if (sim->tp.kind == TP_NONE) {
		fprintf(stderr, "atsim: one of --unix, --pty, --stdio is needed\n");
		return -1;
	}
	if (!sim->wifi.naps)
		wifi_add_ap(&sim->wifi, "atsim:12345678");
	if (!sim->boot_rate)
		sim->boot_rate = sim->uart.paced ? sim->uart.cfg.baud : 115200;
	return 0;
}

static struct event_base *make_base(void)
{
	struct event_config *cfg = event_config_new();
	struct event_base *base;
	struct stat st;

	event_config_set_flag(cfg, EVENT_BASE_FLAG_PRECISE_TIMER);
	event_config_set_flag(cfg, EVENT_BASE_FLAG_NO_CACHE_TIME);
	/* epoll refuses regular files */
	if (!fstat(STDIN_FILENO, &st) && S_ISREG(st.st_mode))
		event_config_avoid_method(cfg, "epoll");
	base = event_base_new_with_config(cfg);
	event_config_free(cfg);
	return base;
}

static void defaults(struct atsim *sim)
{
	static const uint8_t mac[6] = { 0x7c, 0xb9, 0x4c, 0x1d, 0xc6, 0x31 };

	TAILQ_INIT(&sim->socks);
	profile_load(&sim->profile, DEFAULT_PROFILE);
	memcpy(sim->mac, mac, sizeof(mac));
	sim_lease(sim, "192.168.3.142,255.255.255.0,192.168.3.1");
	sim->net.listen = htonl(INADDR_LOOPBACK);
	sim->boot_ms = 250;
	sim->max_sockets = 5;
	sim->connect_ms = 20000;
	sim->ping_ms = 30;
	sim->heap = 96 * 1024;
	sim->autojoin = true;
	sim->seed = 1;
}

static int start(struct atsim *sim)
{
	sim_factory(sim);
	if (sim->autojoin) {
		strcpy(sim->flash.ssid, sim->wifi.aps[0].ssid);
		strcpy(sim->flash.password, sim->wifi.aps[0].password);
		sim->flash.autoconn = 1;
	}
	uart_set_cfg(sim, &sim->flash.uart);
	sim->boot_timer = event_new(sim->base, -1, 0, booted, sim);
	if (!sim->boot_timer || uart_init(sim) || at_init(sim) ||
	    tt_init(sim) || wifi_init(sim)) {
		fprintf(stderr, "atsim: out of memory\n");
		return -1;
	}
	remember(sim);
	if (sim->control_path && control_open(sim, sim->control_path)) {
		fprintf(stderr, "atsim: %s: %s\n", sim->control_path,
			strerror(errno));
		return -1;
	}
	if (transport_open(sim)) {
		fprintf(stderr, "atsim: %s: %s\n",
			sim->tp.path ? sim->tp.path : "pty", strerror(errno));
		return -1;
	}
	sim_reset(sim);
	return 0;
}

int main(int argc, char **argv)
{
	struct atsim *sim = calloc(1, sizeof(*sim));
	struct event *term, *intr;
	int code = 2;

	if (!sim)
		return 1;
	defaults(sim);
	if (parse(sim, argc, argv))
		goto out;
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	sim->base = make_base();
	if (!sim->base)
		goto out;
	term = evsignal_new(sim->base, SIGTERM, signal_cb, sim);
	intr = evsignal_new(sim->base, SIGINT, signal_cb, sim);
	event_add(term, NULL);
	event_add(intr, NULL);
	if (start(sim)) {
		code = 1;
	} else {
		event_base_dispatch(sim->base);
		code = sim->exit_code;
	}
	sock_drop_all(sim);
	control_close(sim);
	transport_close(sim);
	at_exit(sim);
	tt_exit(sim);
	wifi_exit(sim);
	uart_exit(sim);
	if (sim->boot_timer)
		event_free(sim->boot_timer);
	event_free(term);
	event_free(intr);
	event_base_free(sim->base);
	libevent_global_shutdown();
out:
	if (sim->log && sim->log != stderr)
		fclose(sim->log);
	free(sim);
	return code;
}
