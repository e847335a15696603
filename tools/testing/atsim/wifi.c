// SPDX-License-Identifier: GPL-2.0-only
/*
 * The station: access points in the air, joining, leaving, scanning.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "atsim.h"

/* How long the steps take; nothing in the protocol depends on it. */
#define BOOT_JOIN_MS		300
#define ASSOCIATE_MS		250
#define DHCP_MS			100
#define FAIL_MS			2000
#define REJOIN_MS		1000
#define SCAN_MS			1200

#define MODE_STA		1
#define MODE_AP			2

static void join_step(struct atsim *sim);

static const char *mac_text(const struct atsim *sim, char *buf,
			    const char *sep, int add)
{
	const uint8_t *m = sim->mac;

	sprintf(buf, "%02x%s%02x%s%02x%s%02x%s%02x%s%02x", m[0], sep, m[1],
		sep, m[2], sep, m[3], sep, m[4], sep, (m[5] + add) & 0xff);
	return buf;
}

static int sysmsg_bit(const char *name)
{
	if (!strcmp(name, "WIFI_DISCONNECT"))
		return 0;
	if (!strcmp(name, "WIFI_CONNECT"))
		return 1;
	if (!strncmp(name, "WIFI_APCLIENT", 13))
		return name[13] == 'D' ? 2 : 3;
	return strcmp(name, "WIFI_GOT_IP") ? 16 : 15;
}

/**
 * wifi_urc() - an event of the station
 * @sim: the emulator
 * @name: what happened
 */
void wifi_urc(struct atsim *sim, const char *name)
{
	uint64_t mark;

	sim_log(sim, "%s", name);
	if (tt_active(sim) && sim->profile.has_sysmsg &&
	    !(sim->flash.sysmsg & 1u << sysmsg_bit(name)))
		return;
	uart_printf(sim, &mark, "\r\n+EVENT:%s\r\n", name);
}

/**
 * wifi_has_ip() - is there a network?
 * @sim: the emulator
 *
 * Return: true when the station has an address.
 */
bool wifi_has_ip(const struct atsim *sim)
{
	return sim->wifi.status == WIFI_GOT_IP;
}

/**
 * wifi_is_station() - is it a station and nothing else?
 * @sim: the emulator
 *
 * Return: true when it is no access point.
 */
bool wifi_is_station(const struct atsim *sim)
{
	return sim->wifi.mode == MODE_STA;
}

/**
 * wifi_ip() - the station's address
 * @sim: the emulator
 *
 * Return: the address, 0.0.0.0 without one.
 */
struct in_addr wifi_ip(const struct atsim *sim)
{
	struct in_addr none = { 0 };

	if (!wifi_has_ip(sim))
		return none;
	return sim->flash.dhcp ? sim->ip : sim->flash.ip;
}

/**
 * wifi_gateway() - the station's router
 * @sim: the emulator
 *
 * Return: the address, 0.0.0.0 without one.
 */
struct in_addr wifi_gateway(const struct atsim *sim)
{
	struct in_addr none = { 0 };

	if (!wifi_has_ip(sim))
		return none;
	return sim->flash.dhcp ? sim->gateway : sim->flash.gateway;
}

static void step_after(struct atsim *sim, unsigned int ms)
{
	timer_set(sim->wifi.timer, ms * 1000ULL);
}

/* ---- joining ---- */

/* the strongest that is meant */
static const struct ap *find_ap(struct wifi *wifi)
{
	const struct ap *best = NULL, *ap;
	unsigned int i;

	for (i = 0; wifi->air && i < wifi->naps; i++) {
		ap = &wifi->aps[i];
		if (!ap->gone && !strcmp(ap->ssid, wifi->ssid) &&
		    (!*wifi->bssid || !strcasecmp(ap->bssid, wifi->bssid)) &&
		    (!best || ap->rssi > best->rssi))
			best = ap;
	}
	return best;
}

static void join_end(struct atsim *sim, int code)
{
	if (!sim->wifi.by_command)
		return;
	sim->wifi.by_command = false;
	at_finish(sim, code);
}

static void join_start(struct atsim *sim, unsigned int ms)
{
	struct wifi *wifi = &sim->wifi;

	wifi->want = true;
	wifi->status = WIFI_CONNECTING;
	wifi->ap = find_ap(wifi);
	wifi->code = !wifi->ap ? ERR_AP_NOT_FOUND :
		     strcmp(wifi->ap->password, wifi->password) ?
		     ERR_WIFI_CONNECT : ERR_OK;
	step_after(sim, wifi->code && wifi->by_command ? FAIL_MS : ms);
}

static void join_failed(struct atsim *sim)
{
	struct wifi *wifi = &sim->wifi;

	wifi->ap = NULL;
	wifi->status = WIFI_FAILED;
	if (wifi->by_command && !sim->profile.rejoins)
		wifi->want = false;
	join_end(sim, wifi->code);
	if (!wifi->want)
		return;
	/* it was joined before, or is to join at boot: it goes on trying */
	step_after(sim, REJOIN_MS);
}

static void associated(struct atsim *sim)
{
	struct wifi *wifi = &sim->wifi;

	wifi->status = WIFI_NO_IP;
	wifi_urc(sim, "WIFI_CONNECT");
	if (sim->profile.join_order == JOIN_CONNECT_OK_IP)
		join_end(sim, ERR_OK);
	step_after(sim, DHCP_MS);
}

static void join_step(struct atsim *sim)
{
	struct wifi *wifi = &sim->wifi;

	switch (wifi->status) {
	case WIFI_CONNECTING:
		if (wifi->code || !wifi->air)
			join_failed(sim);
		else
			associated(sim);
		break;
	case WIFI_NO_IP:
		if (!wifi->leases) {
			join_end(sim, ERR_DHCP);
			break;
		}
		wifi->status = WIFI_GOT_IP;
		wifi_urc(sim, "WIFI_GOT_IP");
		join_end(sim, ERR_OK);
		socket_autott_boot(sim);
		break;
	default:
		if (wifi->want)
			join_start(sim, wifi->join_ms);
	}
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	join_step(arg);
}

static void leave(struct atsim *sim)
{
	struct wifi *wifi = &sim->wifi;
	bool was = wifi->ap && wifi->status >= WIFI_NO_IP;

	event_del(wifi->timer);
	wifi->status = WIFI_IDLE;
	wifi->ap = NULL;
	if (!was)
		return;
	/* two tasks: which is the first is not known of a real one */
	if (sim->profile.lost_first)
		sock_link_lost(sim);
	wifi_urc(sim, "WIFI_DISCONNECT");
	if (!sim->profile.lost_first)
		sock_link_lost(sim);
}

/* its access point is not there any more; it tries to join it again, or another one */
static void lose(struct atsim *sim)
{
	if (!sim->up || !sim->wifi.ap)
		return;
	leave(sim);
	sim->wifi.status = WIFI_FAILED;
	step_after(sim, REJOIN_MS);
}

/**
 * wifi_link() - the access points go away, or come back
 * @sim: the emulator
 * @up: they are there
 */
void wifi_link(struct atsim *sim, bool up)
{
	struct wifi *wifi = &sim->wifi;

	if (wifi->air == up)
		return;
	wifi->air = up;
	if (!sim->up)
		return;
	if (!up)
		lose(sim);
	else if (wifi->want && wifi->status != WIFI_GOT_IP)
		join_start(sim, wifi->join_ms);
}

/**
 * wifi_leases() - the network's DHCP server goes away, or comes back
 * @sim: the emulator
 * @on: it is there
 */
void wifi_leases(struct atsim *sim, bool on)
{
	struct wifi *wifi = &sim->wifi;

	wifi->leases = on;
	if (sim->up && on && wifi->status == WIFI_NO_IP)
		step_after(sim, DHCP_MS);
}

/**
 * wifi_join_time() - how long a join takes
 * @sim: the emulator
 * @ms: until the access point has let it in, for the one that goes on as well
 */
void wifi_join_time(struct atsim *sim, unsigned int ms)
{
	struct wifi *wifi = &sim->wifi;

	wifi->join_ms = ms;
	if (sim->up && wifi->status == WIFI_CONNECTING)
		step_after(sim, ms);
}

/**
 * wifi_restore() - the air is as it was at the beginning
 * @sim: the emulator
 */
void wifi_restore(struct atsim *sim)
{
	memcpy(sim->wifi.aps, sim->begun.aps, sizeof(sim->wifi.aps));
	sim->wifi.naps = sim->begun.naps;
	wifi_leases(sim, true);
	wifi_join_time(sim, sim->begun.join_ms);
	wifi_link(sim, true);
}

/**
 * wifi_start() - the module has booted
 * @sim: the emulator
 */
void wifi_start(struct atsim *sim)
{
	struct wifi *wifi = &sim->wifi;
	struct flash *flash = &sim->flash;

	wifi->mode = flash->wmode;
	wifi->status = WIFI_IDLE;
	wifi->scan_mask = 0xff;
	wifi->dns[0] = sim->gateway;
	wifi->dns[1].s_addr = 0;
	if (!flash->autoconn || !*flash->ssid || !(wifi->mode & MODE_STA))
		return;
	strcpy(wifi->ssid, flash->ssid);
	strcpy(wifi->password, flash->password);
	strcpy(wifi->bssid, flash->bssid);
	join_start(sim, BOOT_JOIN_MS);
}

/**
 * wifi_stop() - the module is reset
 * @sim: the emulator
 */
void wifi_stop(struct atsim *sim)
{
	struct wifi *wifi = &sim->wifi;

	event_del(wifi->timer);
	wifi->status = WIFI_IDLE;
	wifi->ap = NULL;
	wifi->want = false;
	wifi->by_command = false;
	wifi->softap = false;
}

/**
 * wifi_factory() - the settings of a module that nobody has touched
 * @sim: the emulator
 */
void wifi_factory(struct atsim *sim)
{
	sim->flash.wmode = MODE_STA;
	sim->flash.dhcp = true;
	sim->flash.apdhcp = true;
	inet_pton(AF_INET, "192.168.43.2", &sim->flash.apdhcp_addr[0]);
	inet_pton(AF_INET, "192.168.43.254", &sim->flash.apdhcp_addr[1]);
	inet_pton(AF_INET, "192.168.43.1", &sim->flash.apdhcp_addr[2]);
}

/* ---- the access points in the air ---- */

/**
 * wifi_add_ap() - an access point
 * @wifi: the radio
 * @spec: "SSID:PASSWORD"; in the SSID "\:" is a colon, "\xNN" any byte
 *
 * Return: 0, or -1 when it is not understood.
 */
int wifi_add_ap(struct wifi *wifi, const char *spec)
{
	struct ap *ap = &wifi->aps[wifi->naps];
	unsigned int byte;
	size_t n = 0;
	int len;

	if (wifi->naps == MAX_APS)
		return -1;
	for (; *spec && *spec != ':'; spec++) {
		if (n == sizeof(ap->ssid) - 1)
			return -1;
		if (sscanf(spec, "\\x%2x%n", &byte, &len) == 1 && len == 4 &&
		    byte) {
			ap->ssid[n++] = byte;
			spec += 3;
			continue;
		}
		if (spec[0] == '\\' && spec[1])
			spec++;
		ap->ssid[n++] = *spec;
	}
	ap->ssid[n] = '\0';
	if (!n || *spec != ':' || strlen(spec + 1) >= sizeof(ap->password))
		return -1;
	strcpy(ap->password, spec + 1);
	sprintf(ap->bssid, "14:de:39:06:86:%02x", (0xe4 + wifi->naps) & 0xff);
	strcpy(ap->security, *ap->password ? "WPA2 AES" : "Open");
	ap->channel = 6;
	ap->rssi = -50;
	ap->hidden = false;
	ap->gone = false;
	wifi->naps++;
	return 0;
}

/**
 * wifi_ap_info() - more about the access point that was added last
 * @wifi: the radio
 * @spec: "BSSID,SECURITY,CHANNEL,RSSI", and ",hidden" if its name is not in the air
 *
 * Return: 0, or -1 when it is not understood.
 */
int wifi_ap_info(struct wifi *wifi, const char *spec)
{
	struct ap *ap;
	int end = 0;

	if (!wifi->naps)
		return -1;
	ap = &wifi->aps[wifi->naps - 1];
	if (sscanf(spec, "%17[0-9a-f:],%31[^,],%d,%d%n", ap->bssid,
		   ap->security, &ap->channel, &ap->rssi, &end) != 4)
		return -1;
	ap->hidden = !strcmp(spec + end, ",hidden");
	return ap->hidden || !spec[end] ? 0 : -1;
}

/**
 * wifi_ap_password() - a network gets another password
 * @wifi: the radio
 * @spec: "SSID:PASSWORD", the SSID as it is
 *
 * Return: 0, or -1 when there is no such network, or it is not understood.
 */
int wifi_ap_password(struct wifi *wifi, const char *spec)
{
	const char *colon = strrchr(spec, ':');
	bool found = false;
	unsigned int i;

	if (!colon || strlen(colon + 1) >= sizeof(wifi->aps->password))
		return -1;
	for (i = 0; i < wifi->naps; i++) {
		if (strncmp(wifi->aps[i].ssid, spec, colon - spec) ||
		    wifi->aps[i].ssid[colon - spec])
			continue;
		strcpy(wifi->aps[i].password, colon + 1);
		found = true;
	}
	return found ? 0 : -1;
}

static struct ap *ap_at(struct wifi *wifi, const char *bssid)
{
	unsigned int i;

	for (i = 0; i < wifi->naps; i++)
		if (!wifi->aps[i].gone && !strcmp(wifi->aps[i].bssid, bssid))
			return &wifi->aps[i];
	return NULL;
}

/**
 * wifi_ap_gone() - one access point goes away, the others stay
 * @sim: the emulator
 * @bssid: which
 *
 * Return: 0, or -1 when there is no such one.
 */
int wifi_ap_gone(struct atsim *sim, const char *bssid)
{
	struct ap *ap = ap_at(&sim->wifi, bssid);

	if (!ap)
		return -1;
	ap->gone = true;
	if (sim->wifi.ap == ap)
		lose(sim);
	return 0;
}

/**
 * wifi_ap_signal() - an access point is heard better or worse
 * @sim: the emulator
 * @spec: "BSSID DBM"
 *
 * A module that may be in any of its network goes to the strongest, and is not out meanwhile.
 *
 * Return: 0, or -1 when there is no such one, or it is not understood.
 */
int wifi_ap_signal(struct atsim *sim, const char *spec)
{
	struct wifi *wifi = &sim->wifi;
	int rssi, end = 0;
	struct ap *ap;
	char bssid[18];

	if (sscanf(spec, "%17[0-9a-f:] %d%n", bssid, &rssi, &end) != 2 || spec[end])
		return -1;
	ap = ap_at(wifi, bssid);
	if (!ap)
		return -1;
	ap->rssi = rssi;
	if (!wifi_has_ip(sim) || find_ap(wifi) == wifi->ap)
		return 0;
	wifi->ap = find_ap(wifi);
	wifi_urc(sim, "WIFI_CONNECT");
	wifi_urc(sim, "WIFI_GOT_IP");
	return 0;
}

/* ---- commands ---- */

static int cmd_wmode(struct atsim *sim, struct at_args *args)
{
	struct wifi *wifi = &sim->wifi;
	long mode, save;

	if (args->op == OP_QUERY) {
		at_printf(sim, "\r\n+WMODE:%d", wifi->mode);
		return ERR_OK;
	}
	if (args->argc != 2)
		return ERR_COUNT;
	if (!at_number(args->argv[0], 0, 3, &mode) ||
	    !at_number(args->argv[1], 0, 1, &save))
		return ERR_VALUE;
	wifi->mode = mode;
	if (save) {
		sim->flash.wmode = mode;
		sim->wifi_writes++;
	}
	if (!(mode & MODE_STA)) {
		wifi->want = false;
		wifi->leaves++;
		leave(sim);
	}
	if (!(mode & MODE_AP))
		wifi->softap = false;
	return ERR_OK;
}

/* of the vendor's open SDK: others know no more than that it has failed */
#define WHY_PASSWORD		6
#define WHY_NOT_FOUND		7

static int status_code(const struct atsim *sim)
{
	const struct wifi *wifi = &sim->wifi;

	if (wifi->status != WIFI_FAILED || !sim->profile.join_why || !wifi->air)
		return wifi->status;
	return wifi->code == ERR_WIFI_CONNECT ? WHY_PASSWORD :
	       wifi->code == ERR_AP_NOT_FOUND ? WHY_NOT_FOUND : wifi->status;
}

static int print_status(struct atsim *sim, const char *fmt)
{
	char gateway[INET_ADDRSTRLEN], ip[INET_ADDRSTRLEN], mac[18];
	struct wifi *wifi = &sim->wifi;
	struct in_addr addr;

	if (!(wifi->mode & MODE_STA))
		return ERR_NOT_RUNNING;
	addr = wifi_ip(sim);
	inet_ntop(AF_INET, &addr, ip, sizeof(ip));
	addr = wifi_gateway(sim);
	inet_ntop(AF_INET, &addr, gateway, sizeof(gateway));
	at_printf(sim, fmt, status_code(sim), wifi->ap ? wifi->ssid : "",
		  wifi->ap ? wifi->password : "",
		  wifi->ap ? wifi->ap->bssid : "00:00:00:00:00:00",
		  wifi->ap ? wifi->ap->security : "",
		  mac_text(sim, mac, ":", 0), wifi->ap ? wifi->ap->channel : 0,
		  ip, gateway);
	return ERR_OK;
}

static int cmd_wjap(struct atsim *sim, struct at_args *args)
{
	struct wifi *wifi = &sim->wifi;

	if (args->op == OP_QUERY)
		return print_status(sim,
				    "\r\n+WJAP:%d,%s,%s,%s,%s,%s,%d,%s,%s");
	if (args->argc < 2 || args->argc > 3)
		return ERR_COUNT;
	if (!(wifi->mode & MODE_STA))
		return ERR_WIFI_MODE;
	if (!args->len[0])
		return ERR_VALUE;
	if (args->len[0] >= sizeof(wifi->ssid) ||
	    args->len[1] >= sizeof(wifi->password))
		return ERR_TOO_LONG;
	if (args->argc == 3 && args->len[2] && args->len[2] != 17)
		return ERR_VALUE;
	leave(sim);
	strcpy(wifi->ssid, args->argv[0]);
	strcpy(wifi->password, args->argv[1]);
	strcpy(wifi->bssid, args->argc == 3 ? args->argv[2] : "");
	/* or it says OK before it has tried, and nothing if that fails */
	wifi->by_command = sim->profile.join_order != JOIN_OK_CONNECT_IP;
	wifi->joins++;
	join_start(sim, wifi->join_ms);
	return wifi->by_command ? AT_WAIT : ERR_OK;
}

static int cmd_stainfo(struct atsim *sim, struct at_args *args)
{
	return print_status(sim, "\r\n+STAINFO:%d\r\nSSID:%s\r\nPassword:%s\r\n"
			    "%s,%s,%s,%d,%s,%s\r\n");
}

static int cmd_wdisconnect(struct atsim *sim, struct at_args *args)
{
	if (!(sim->wifi.mode & MODE_STA))
		return ERR_WIFI_MODE;
	sim->wifi.leaves++;
	if (sim->profile.keeps_network)
		return ERR_OK;
	sim->wifi.want = false;
	leave(sim);
	return ERR_OK;
}

static int cmd_wsdhcp(struct atsim *sim, struct at_args *args)
{
	struct in_addr addr[3];
	char text[3][INET_ADDRSTRLEN];
	long on;
	int i;

	if (args->op == OP_QUERY && sim->flash.dhcp) {
		at_printf(sim, "\r\n+WSDHCP:1");
		return ERR_OK;
	}
	if (args->op == OP_QUERY) {
		inet_ntop(AF_INET, &sim->flash.ip, text[0], sizeof(text[0]));
		inet_ntop(AF_INET, &sim->flash.mask, text[1], sizeof(text[1]));
		inet_ntop(AF_INET, &sim->flash.gateway, text[2],
			  sizeof(text[2]));
		at_printf(sim, "\r\n+WSDHCP:0,%s,%s,%s", text[0], text[1],
			  text[2]);
		return ERR_OK;
	}
	if (!at_number(args->argv[0], 0, 1, &on))
		return ERR_VALUE;
	if (args->argc != (on ? 1 : 4))
		return ERR_COUNT;
	for (i = 0; !on && i < 3; i++) {
		if (inet_pton(AF_INET, args->argv[i + 1], &addr[i]) != 1)
			return ERR_VALUE;
	}
	sim->flash.dhcp = on;
	if (!on) {
		sim->flash.ip = addr[0];
		sim->flash.mask = addr[1];
		sim->flash.gateway = addr[2];
	}
	return ERR_OK;
}

static int cmd_wautoconn(struct atsim *sim, struct at_args *args)
{
	struct flash *flash = &sim->flash;
	struct wifi *wifi = &sim->wifi;
	long on;

	if (args->op == OP_QUERY) {
		at_printf(sim, "\r\n+WAUTOCONN:%d", flash->autoconn);
		return ERR_OK;
	}
	if (args->argc > 4 || args->argc == 2)
		return ERR_COUNT;
	if (!at_number(args->argv[0], 0, 1, &on))
		return ERR_VALUE;
	if (args->argc > 2) {
		if (args->len[1] >= sizeof(flash->ssid) ||
		    args->len[2] >= sizeof(flash->password))
			return ERR_TOO_LONG;
		if (args->argc == 4 && args->len[3] && args->len[3] != 17)
			return ERR_VALUE;
		strcpy(flash->ssid, args->argv[1]);
		strcpy(flash->password, args->argv[2]);
		strcpy(flash->bssid, args->argc == 4 ? args->argv[3] : "");
	} else if (on && wifi->ap) {
		strcpy(flash->ssid, wifi->ssid);
		strcpy(flash->password, wifi->password);
		strcpy(flash->bssid, wifi->bssid);
	}
	flash->autoconn = on;
	sim->wifi_writes++;
	return ERR_OK;
}

/* ---- scan ---- */

static bool scan_match(const struct at_args *args, const struct ap *ap)
{
	long n;

	if (args->op != OP_SET)
		return true;
	if (args->argc > 0 && args->len[0] && strcmp(args->argv[0], ap->ssid))
		return false;
	if (args->argc > 1 && args->len[1] &&
	    strcasecmp(args->argv[1], ap->bssid))
		return false;
	if (args->argc > 2 && args->len[2] &&
	    at_number(args->argv[2], 0, 255, &n) && n != ap->channel)
		return false;
	return !(args->argc > 3 && args->len[3] &&
		 at_number(args->argv[3], -200, 0, &n) && ap->rssi < n);
}

static void scan_row(struct atsim *sim, int index, const char *column[5])
{
	bool filtered = sim->at.args.op == OP_SET;
	char row[PRINT_SIZE];
	int i, len;

	len = index ? sprintf(row, "%d%c", index, filtered ? ',' : ' ') :
	      sprintf(row, "\r\n+WSCAN:index%c", filtered ? ',' : ' ');
	for (i = 0; i < 5; i++) {
		if (!(sim->wifi.scan_mask & 1u << i))
			continue;
		len += snprintf(row + len, sizeof(row) - len, "%s,",
				column[i]);
	}
	row[len - 1] = '\0';
	at_printf(sim, "%s\r\n", row);
	fault_tear(sim, NULL);
}

static void scan_done(struct atsim *sim)
{
	static const char *head[5] = { "SSID", "CH", "SECURITY", "RSSI",
				       "BSSID" };
	struct wifi *wifi = &sim->wifi;
	unsigned int i;
	int n = 0;

	scan_row(sim, 0, head);
	for (i = 0; wifi->air && i < wifi->naps; i++) {
		struct ap *ap = &wifi->aps[i];
		char channel[12], rssi[12];
		const char *column[5] = { ap->ssid, channel, ap->security,
					  rssi, ap->bssid };

		if (ap->gone || !scan_match(&sim->at.args, ap))
			continue;
		/* only who asks for it by its name is answered by it */
		if (ap->hidden && !(sim->at.args.op == OP_SET && sim->at.args.len[0]))
			column[0] = "";
		sprintf(channel, "%d", ap->channel);
		sprintf(rssi, "%d", ap->rssi);
		scan_row(sim, ++n, column);
	}
	at_finish(sim, ERR_OK);
	wifi_urc(sim, "WIFI_SCAN_DONE");
}

static int cmd_wscan(struct atsim *sim, struct at_args *args)
{
	if (args->op == OP_SET && args->argc > 4)
		return ERR_COUNT;
	if (!(sim->wifi.mode & MODE_STA))
		return ERR_SCAN_START;
	at_after(sim, SCAN_MS, scan_done);
	sim->at.deferred = true;
	return AT_WAIT;
}

static int cmd_wscanopt(struct atsim *sim, struct at_args *args)
{
	long mask;

	if (args->op == OP_SET) {
		if (args->argc != 1)
			return ERR_COUNT;
		if (!at_number(args->argv[0], 1, 255, &mask))
			return ERR_VALUE;
		sim->wifi.scan_mask = mask;
		return ERR_OK;
	}
	at_printf(sim, "\r\n+WSCANOPT:0x%02x", sim->wifi.scan_mask);
	return ERR_OK;
}

static int cmd_wrssi(struct atsim *sim, struct at_args *args)
{
	if (!sim->wifi.ap || sim->wifi.status < WIFI_NO_IP)
		return ERR_GET_INFO;
	at_printf(sim, "\r\n+WRSSI:%d", sim->wifi.ap->rssi);
	return ERR_OK;
}

static int cmd_mac(struct atsim *sim, struct at_args *args)
{
	char mac[13];

	at_printf(sim, "\r\n%sCIPSTAMAC_DEF:%s",
		  sim->profile.mac_bare ? "" : "+",
		  mac_text(sim, mac, "", 0));
	return ERR_OK;
}

static int cmd_wcountry(struct atsim *sim, struct at_args *args)
{
	long n;

	if (args->op == OP_QUERY) {
		at_printf(sim, "\r\n+WCOUNTRY:%d", sim->flash.country);
		return ERR_OK;
	}
	if (args->argc != 1)
		return ERR_COUNT;
	if (!at_number(args->argv[0], 0,
		       sim->profile.tokeniser == TOK_S ? 16 : 15, &n))
		return ERR_COUNTRY;
	sim->flash.country = n;
	return ERR_OK;
}

/* ---- the module as an access point ---- */

static char *client_text(char *buf, const uint8_t *mac, const char *sep)
{
	sprintf(buf, "%02x%s%02x%s%02x%s%02x%s%02x%s%02x", mac[0], sep, mac[1],
		sep, mac[2], sep, mac[3], sep, mac[4], sep, mac[5]);
	return buf;
}

/**
 * wifi_client() - somebody joins the module's own network, or leaves it
 * @sim: the emulator
 * @spec: whose MAC, with colons
 * @joins: which of both
 *
 * Return: 0, or -1: no MAC, no network, no room, or nobody with that MAC.
 */
int wifi_client(struct atsim *sim, const char *spec, bool joins)
{
	struct wifi *wifi = &sim->wifi;
	char text[13], name[64];
	uint8_t mac[6];
	int i, end = 0;

	if (sscanf(spec, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx%n", &mac[0], &mac[1],
		   &mac[2], &mac[3], &mac[4], &mac[5], &end) != 6 || spec[end])
		return -1;
	for (i = 0; i < wifi->sap.nclients; i++)
		if (!memcmp(wifi->sap.clients[i], mac, 6))
			break;
	if (joins) {
		if (!wifi->softap || i < wifi->sap.nclients ||
		    i >= wifi->sap.max)
			return -1;
		memcpy(wifi->sap.clients[wifi->sap.nclients++], mac, 6);
	} else {
		if (i == wifi->sap.nclients)
			return -1;
		memmove(wifi->sap.clients[i], wifi->sap.clients[i + 1],
			(--wifi->sap.nclients - i) * 6);
	}
	snprintf(name, sizeof(name), "WIFI_APCLIENT%s:%s",
		 joins ? "CONNECTED" : "DISCONNECT",
		 client_text(text, mac, ""));
	wifi_urc(sim, name);
	return 0;
}

static int cmd_wap(struct atsim *sim, struct at_args *args)
{
	struct wifi *wifi = &sim->wifi;
	char gateway[INET_ADDRSTRLEN], mac[18];
	long channel, max = 3, hidden = 0;
	int i;

	if (args->op == OP_QUERY) {
		if (!wifi->softap)
			return ERR_NOT_RUNNING;
		inet_ntop(AF_INET, &sim->flash.apdhcp_addr[2], gateway,
			  sizeof(gateway));
		at_printf(sim, "\r\n+WAP:%s,%s,%s,%d,%d,%d,%s,%s,%s\r\n",
			  wifi->sap.ssid, wifi->sap.password,
			  *wifi->sap.password ? "WPA2 AES" : "Open",
			  wifi->sap.channel, wifi->sap.max, wifi->sap.hidden,
			  mac_text(sim, mac, ":", 2), gateway, gateway);
		at_printf(sim, "Client Num: %d\r\n", wifi->sap.nclients);
		for (i = 0; i < wifi->sap.nclients; i++)
			at_printf(sim, "Client %d MAC:%s\r\n", i + 1,
				  client_text(mac, wifi->sap.clients[i], ":"));
		return ERR_OK;
	}
	if (args->argc < 3 || args->argc > 5)
		return ERR_COUNT;
	if (!(wifi->mode & MODE_AP))
		return ERR_WIFI_MODE;
	if (args->len[0] >= sizeof(wifi->sap.ssid) ||
	    args->len[1] >= sizeof(wifi->sap.password))
		return ERR_TOO_LONG;
	if (!args->len[0] || (args->len[1] && args->len[1] < 8) ||
	    !at_number(args->argv[2], 1, 14, &channel) ||
	    (args->argc > 3 && !at_number(args->argv[3], 1, 10, &max)) ||
	    (args->argc > 4 && !at_number(args->argv[4], 0, 1, &hidden)))
		return ERR_VALUE;
	strcpy(wifi->sap.ssid, args->argv[0]);
	strcpy(wifi->sap.password, args->argv[1]);
	wifi->sap.channel = channel;
	wifi->sap.max = max;
	wifi->sap.hidden = hidden;
	wifi->sap.nclients = 0;
	wifi->softap = true;
	return ERR_OK;
}

static int cmd_wapdhcp(struct atsim *sim, struct at_args *args)
{
	struct in_addr addr[3];
	char text[3][INET_ADDRSTRLEN];
	long on;
	int i;

	if (args->op == OP_QUERY) {
		for (i = 0; i < 3; i++)
			inet_ntop(AF_INET, &sim->flash.apdhcp_addr[i], text[i],
				  sizeof(text[i]));
		if (sim->flash.apdhcp)
			at_printf(sim, "\r\n+WAPDHCP:1,%s,%s,%s", text[0],
				  text[1], text[2]);
		else
			at_printf(sim, "\r\n+WAPDHCP:0");
		return ERR_OK;
	}
	if (!at_number(args->argv[0], 0, 1, &on))
		return ERR_VALUE;
	if (args->argc != (on ? 4 : 1))
		return ERR_COUNT;
	for (i = 0; on && i < 3; i++) {
		if (inet_pton(AF_INET, args->argv[i + 1], &addr[i]) != 1)
			return ERR_VALUE;
	}
	sim->flash.apdhcp = on;
	if (on)
		memcpy(sim->flash.apdhcp_addr, addr, sizeof(addr));
	return ERR_OK;
}

/**
 * wifi_init() - make the radio
 * @sim: the emulator
 *
 * Return: 0, or -1 without memory.
 */
int wifi_init(struct atsim *sim)
{
	sim->wifi.air = true;
	sim->wifi.leases = true;
	sim->wifi.join_ms = ASSOCIATE_MS;
	sim->wifi.timer = event_new(sim->base, -1, 0, timer_cb, sim);
	return sim->wifi.timer ? 0 : -1;
}

/**
 * wifi_exit() - free the radio
 * @sim: the emulator
 */
void wifi_exit(struct atsim *sim)
{
	if (sim->wifi.timer)
		event_free(sim->wifi.timer);
}

const struct at_command wifi_commands[] = {
	{ .name = "AT+WMODE", .ops = OP_QUERY | OP_SET, .run = cmd_wmode,
	  .help = "station, access point or both" },
	{ .name = "AT+WJAP", .ops = OP_QUERY | OP_SET, .run = cmd_wjap,
	  .help = "join an access point", .secret = true },
	{ .name = "AT+STAINFO", .ops = OP_QUERY, .run = cmd_stainfo,
	  .help = "state of the station",
	  .needs = offsetof(struct profile, has_stainfo) },
	{ .name = "AT+WDISCONNECT", .ops = OP_EXEC, .run = cmd_wdisconnect,
	  .help = "leave the access point",
	  .needs = offsetof(struct profile, has_wdisconnect) },
	{ .name = "AT+WSDHCP", .ops = OP_QUERY | OP_SET, .run = cmd_wsdhcp,
	  .help = "address by DHCP or fixed" },
	{ .name = "AT+WAUTOCONN", .ops = OP_QUERY | OP_SET,
	  .run = cmd_wautoconn, .help = "join at boot", .secret = true },
	{ .name = "AT+WSCAN", .ops = OP_EXEC | OP_QUERY | OP_SET,
	  .run = cmd_wscan, .help = "list the access points" },
	{ .name = "AT+WSCANOPT", .ops = OP_EXEC | OP_QUERY | OP_SET,
	  .run = cmd_wscanopt, .help = "columns of the list" },
	{ .name = "AT+WRSSI", .ops = OP_EXEC | OP_QUERY, .run = cmd_wrssi,
	  .help = "signal strength" },
	{ .name = "AT+CIPSTAMAC_DEF", .ops = OP_QUERY, .run = cmd_mac,
	  .help = "address of the station" },
	{ .name = "AT+WCOUNTRY", .ops = OP_QUERY | OP_SET,
	  .run = cmd_wcountry, .help = "country" },
	{ .name = "AT+WAP", .ops = OP_QUERY | OP_SET, .run = cmd_wap,
	  .help = "be an access point", .secret = true },
	{ .name = "AT+WAPDHCP", .ops = OP_QUERY | OP_SET, .run = cmd_wapdhcp,
	  .help = "addresses for clients" },
	{ .name = NULL },
};
