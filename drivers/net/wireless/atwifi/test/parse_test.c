// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parser. What it reports is written down as a line of text, so that every
 * case is a pair of strings, and is run with the bytes cut in every way.
 */
#include <kunit/test.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "../parse.h"

#define LOG_MAX		4096
#define TEXT		1	/* of lines is shown */
#define PROMPT		2
#define IDLE		4
#define FINAL		8	/* the end of a command is awaited */
#define TEARS		16	/* the firmware is known to tear */
#define LATE		32	/* FINAL, but after a long time perhaps */

struct run {
	struct atw_parser	p;
	u8			sink[ATW_PAYLOAD_MAX];
	char			log[LOG_MAX];
	size_t			log_len;
	bool			text;
	bool			no_sink;
};

static const char *const names[] = {
	[ATW_EV_OK] = "OK", [ATW_EV_ERROR] = "ERROR",
	[ATW_EV_UNKNOWN] = "UNKNOWN", [ATW_EV_BUSY] = "BUSY",
	[ATW_EV_PROMPT] = "PROMPT", [ATW_EV_READY] = "READY",
	[ATW_EV_ECHO] = "ECHO", [ATW_EV_CONNECTED] = "CONNECTED",
	[ATW_EV_BANNER] = "BANNER",
	[ATW_EV_INFO] = "INFO", [ATW_EV_LINE] = "LINE", [ATW_EV_CHILD] = "CHILD",
	[ATW_EV_DISCONNECT] = "DISCONNECT", [ATW_EV_RECONNECT] = "RECONNECT",
	[ATW_EV_AUTODEL] = "AUTODEL", [ATW_EV_WIFI_CONNECT] = "WIFI_CONNECT",
	[ATW_EV_WIFI_GOT_IP] = "WIFI_GOT_IP",
	[ATW_EV_WIFI_DISCONNECT] = "WIFI_DISCONNECT",
	[ATW_EV_PENDING] = "PENDING", [ATW_EV_PAYLOAD] = "PAYLOAD",
	[ATW_EV_PAYLOAD_END] = "END", [ATW_EV_PAYLOAD_BAD] = "BAD",
	[ATW_EV_CERT] = "CERT", [ATW_EV_CERT_END] = "CERT_END",
	[ATW_EV_EMPTY] = "EMPTY", [ATW_EV_NOTE] = "NOTE",
	[ATW_EV_DOUBTFUL] = "DOUBTFUL", [ATW_EV_UNEXPECTED] = "UNEXPECTED",
	[ATW_EV_DAMAGE] = "DAMAGE",
};

static __printf(2, 3) void run_log(struct run *r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	r->log_len += vscnprintf(r->log + r->log_len, LOG_MAX - r->log_len,
				 fmt, args);
	va_end(args);
}

static void run_event(struct run *r, const struct atw_event *ev)
{
	u32 i;

	run_log(r, "%s", names[ev->type]);
	switch (ev->type) {
	case ATW_EV_OK:
		r->p.expect_final = false;
		r->p.expect_soon = false;
		break;
	case ATW_EV_ERROR:
		r->p.expect_final = false;
		r->p.expect_soon = false;
		run_log(r, ":%u,%s", ev->code, ev->text);
		break;
	case ATW_EV_BANNER:
	case ATW_EV_INFO:
	case ATW_EV_UNEXPECTED:
	case ATW_EV_LINE:
		if (r->text && ev->text)
			run_log(r, "(%s)", ev->text);
		break;
	case ATW_EV_CHILD:
		run_log(r, ":%u,%u", ev->id, ev->id2);
		break;
	case ATW_EV_PENDING:
		run_log(r, ":%u,%u", ev->id, ev->len);
		break;
	case ATW_EV_CERT:
	case ATW_EV_PAYLOAD:
		run_log(r, ":%u,%u", ev->id, ev->len);
		if (!r->no_sink)
			atw_parser_sink(&r->p, r->sink);
		break;
	case ATW_EV_CERT_END:
	case ATW_EV_PAYLOAD_END:
		run_log(r, ":%u=", ev->id);
		for (i = 0; i < ev->len && i < 64 && !r->no_sink; i++)
			run_log(r, "%c", r->sink[i] < ' ' ? '.' : r->sink[i]);
		if (ev->doubt & ATW_DOUBT_BOOT)
			run_log(r, "?");
		if (ev->doubt & ATW_DOUBT_FRAME)
			run_log(r, "!");
		break;
	case ATW_EV_CONNECTED:
	case ATW_EV_DISCONNECT:
	case ATW_EV_RECONNECT:
	case ATW_EV_AUTODEL:
	case ATW_EV_PAYLOAD_BAD:
	case ATW_EV_DOUBTFUL:
	case ATW_EV_EMPTY:
		run_log(r, ":%u", ev->id);
		break;
	case ATW_EV_PROMPT:
		r->p.expect_prompt = false;
		break;
	default:
		break;
	}
	run_log(r, " ");
}

static void run_feed(struct run *r, const void *bytes, size_t len)
{
	const u8 *buf = bytes;
	struct atw_event ev;
	size_t n;

	do {
		n = atw_parse(&r->p, buf, len, &ev);
		buf += n;
		len -= n;
		if (ev.type != ATW_EV_NONE)
			run_event(r, &ev);
	} while (ev.type != ATW_EV_NONE);
}

static void run_start(struct run *r, int flags)
{
	atw_parser_init(&r->p);
	r->text = flags & TEXT;
	r->p.expect_prompt = flags & PROMPT;
	r->p.expect_final = flags & (FINAL | LATE);
	r->p.expect_soon = flags & FINAL;
	r->p.tears = flags & TEARS;
	r->log_len = 0;
	r->log[0] = '\0';
	memset(r->sink, '#', sizeof(r->sink));
}

static void run_end(struct run *r, int flags)
{
	struct atw_event ev;

	if (!(flags & IDLE))
		return;
	if (atw_parse_idle(&r->p, &ev)) {
		run_event(r, &ev);
		run_feed(r, NULL, 0);
	}
}

/* A run of a whole text. */
static void run_of(struct run *r, int flags, const char *in)
{
	run_start(r, flags);
	run_feed(r, in, strlen(in));
}

static struct run *run_new(struct kunit *test)
{
	struct run *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, r);
	return r;
}

/* The bytes in one piece, in any two, and one by one. */
static void expect(struct kunit *test, struct run *r, int flags,
		   const char *in, size_t len, const char *want)
{
	size_t cut;

	for (cut = 0; cut <= len; cut++) {
		run_start(r, flags);
		run_feed(r, in, cut);
		run_feed(r, in + cut, len - cut);
		run_end(r, flags);
		if (strcmp(r->log, want)) {
			KUNIT_FAIL(test, "cut at %zu of '%s':\n got '%s'\nwant '%s'",
				   cut, in, r->log, want);
			return;
		}
	}
	run_start(r, flags);
	for (cut = 0; cut < len; cut++)
		run_feed(r, in + cut, 1);
	run_end(r, flags);
	KUNIT_EXPECT_STREQ(test, r->log, want);
}

struct sample {
	const char *name;
	const char *in;
	const char *want;
	int flags;
};

static const struct sample samples[] = {
	{ "echo", "AT\r\n\r\nOK\r\n", "ECHO OK " },
	{ "echo off", "ATE0\r\n\r\nOK\r\n", "ECHO OK " },
	{ "ok", "\r\nOK\r\n", "OK " },
	{ "plus ok", "+OK\r\n", "OK " },
	{ "unknown", "Unknown cmd:AT+FOO\r\n", "UNKNOWN " },
	{ "unknown classic", "Unknown cmd:+++AT+SOCKET=4,1.2.3.4,80\r\n",
	  "UNKNOWN " },
	{ "error middleware", "\r\nAT+SOCKET:97\r\n+ERROR\r\n",
	  "INFO ERROR:97,SOCKET " },
	{ "error classic", "\r\n+SOCKET:97\r\nERROR\r\n",
	  "INFO ERROR:97,SOCKET " },
	{ "error bare", "\r\nERROR\r\n", "ERROR:0, " },
	{ "error of a query", "\r\n+SOCKETREAD:4\r\nERROR\r\n",
	  "INFO(+SOCKETREAD:4) ERROR:4,SOCKETREAD ", TEXT },
	{ "error across event",
	  "\r\n+PING:106\r\n\r\n+EVENT:WIFI_GOT_IP\r\nERROR\r\n",
	  "INFO WIFI_GOT_IP ERROR:106,PING " },
	{ "old number", "\r\n+PING:30\r\nOK\r\nERROR\r\n",
	  "INFO OK ERROR:0, " },
	{ "busy", "\r\n[Busy]Cmd running\r\n", "BUSY " },
	{ "busy old", "\r\ncmd is running...\r\n", "BUSY " },
	{ "boot",
	  "\r\n################################################\r\n\r\n"
	  "arch:BL602,NULL\r\ncompany:Ai-Thinker|B&T\r\n"
	  "ble_mac:7cb94c1dd632\r\nwifi_mac:7cb94c1dd631\r\n"
	  "sdk_version:release/release_bl_iot_sdk_1.6.36\r\n"
	  "firmware_version:V4.18_P1.4.4-e15d67b\r\n"
	  "compile_time:Nov 25 2022 11:22:39\r\n\r\nready\r\n\r\n"
	  "################################################\r\n",
	  "BANNER BANNER BANNER BANNER BANNER BANNER BANNER BANNER READY BANNER " },
	{ "boot of another chip",
	  "arch:BL616,NULL\r\nsdk_version:release/DEBUG\r\n"
	  "firmware_version:release/V4.18_P0.0.1\r\n",
	  "BANNER BANNER BANNER " },
	{ "boot without a word that it is ready",
	  "#calibration_ok:[2:19:11] \r\nat version:V4.18_P2.1.0\r\n"
	  "sdk version:amebaD-6.2c\r\n"
	  "firmware version:V2.1.0(May 30 2023-10:28:28)\r\n",
	  "BANNER BANNER BANNER BANNER " },
	{ "a cloud's boot", "##boot\r\naliGenie_data\r\n", "INFO INFO " },
	{ "version",
	  "at version:release/V4.18_P2.19.1\r\n"
	  "sdk version:release_bl_iot_sdk_1.6.36\r\n"
	  "firmware version:V4.18_P1.4.4-e15d67b\r\n"
	  "compile time:Nov 25 2022 11:22:39\r\n\r\nOK\r\n",
	  "BANNER(at version:release/V4.18_P2.19.1) "
	  "BANNER(sdk version:release_bl_iot_sdk_1.6.36) "
	  "BANNER(firmware version:V4.18_P1.4.4-e15d67b) "
	  "BANNER(compile time:Nov 25 2022 11:22:39) OK ", TEXT },
	{ "join", "\r\n+EVENT:WIFI_CONNECT\r\n\r\nOK\r\n"
	  "\r\n+EVENT:WIFI_GOT_IP\r\n", "WIFI_CONNECT OK WIFI_GOT_IP " },
	{ "leave", "\r\n+EVENT:WIFI DISCONNECT\r\n"
	  "\r\n+EVENT:WIFI_DISCONNECT\r\n", "WIFI_DISCONNECT WIFI_DISCONNECT " },
	{ "status",
	  "\r\n+WJAP:3,net,secret,14:de:39:06:86:e4,WPA2 TKIP,"
	  "7c:b9:4c:1d:c6:39,6,192.168.3.142,192.168.3.1\r\nOK\r\n",
	  "UNEXPECTED(+WJAP:3,net,secret,14:de:39:06:86:e4,WPA2 TKIP,"
	  "7c:b9:4c:1d:c6:39,6,192.168.3.142,192.168.3.1) OK ", TEXT },
	{ "station",
	  "\r\n+STAINFO:3\r\nSSID:net\r\nPassword:secret\r\n"
	  "e1:f9:8a:aa:fc:4f,WPA/WPA2 TKIP,b2:e3:41:c2:b3:42,5,"
	  "192.168.3.125,192.168.3.1\r\n\r\nOK\r\n",
	  "INFO(+STAINFO:3) LINE(SSID:net) LINE(Password:secret) "
	  "LINE(e1:f9:8a:aa:fc:4f,WPA/WPA2 TKIP,b2:e3:41:c2:b3:42,5,"
	  "192.168.3.125,192.168.3.1) OK ", TEXT },
	{ "connect", "connect success ConID=1\r\n\r\nOK\r\n",
	  "CONNECTED:1 OK " },
	{ "listen", "\r\nconnect success ConID=2\r\n\r\nOK\r\n",
	  "CONNECTED:2 OK " },
	{ "table",
	  "1,4,3,192.168.31.239,60000,-1,0\r\n3,3,3,,-1,1883,0\r\n\r\nOK\r\n",
	  "UNEXPECTED(1,4,3,192.168.31.239,60000,-1,0) "
	  "UNEXPECTED(3,3,3,,-1,1883,0) OK ",
	  TEXT },
	{ "send", ">\r\nOK\r\n", "PROMPT OK ", PROMPT },
	{ "send, event first", "\r\n+EVENT:SocketDisconnect,2\r\n>\r\nOK\r\n",
	  "DISCONNECT:2 PROMPT OK ", PROMPT },
	{ "send, other text", "x>\r\n>", "LINE PROMPT ", PROMPT },
	{ "no prompt wanted", ">\r\nOK\r\n", "UNEXPECTED OK " },
	{ "prompt twice", ">>\r\nOK\r\n", "PROMPT UNEXPECTED OK ", PROMPT },
	{ "prompt with a blank", "> \r\nOK\r\n", "PROMPT OK ", PROMPT },
	{ "prompt twice, with blanks", "> > \r\nOK\r\n", "PROMPT UNEXPECTED OK ", PROMPT },
	{ "two late prompts", "> > \r\nOK\r\n", "UNEXPECTED OK " },
	{ "more than prompts", ">>>>>\r\nOK\r\n", "LINE OK " },
	{ "a payload of blanks", "     \r\nOK\r\n", "LINE OK " },
	{ "transparent at boot",
	  "ready\r\n\r\n################################################\r\n"
	  "\r\n+EVENT:WIFI_CONNECT\r\n\r\n+EVENT:WIFI_GOT_IP\r\n"
	  "connect success ConID=1\r\n\r\nOK\r\n>",
	  "READY BANNER WIFI_CONNECT WIFI_GOT_IP CONNECTED:1 OK " },
	{ "transparent at boot, no peer",
	  "ready\r\n\r\n################################################\r\n"
	  "\r\n+EVENT:WIFI_CONNECT\r\n\r\n+EVENT:WIFI_GOT_IP\r\n"
	  "\r\n+SOCKET:97\r\nERROR\r\n",
	  "READY BANNER WIFI_CONNECT WIFI_GOT_IP INFO ERROR:97,SOCKET " },
	{ "send 0", "\r\nAT+SOCKETSEND:4\r\n+ERROR\r\n",
	  "INFO ERROR:4,SOCKETSEND " },
	{ "passive", "\r\n+EVENT:SocketDown,1,9\r\n", "PENDING:1,9 " },
	{ "passive, most", "\r\n+EVENT:SocketDown,1,8192\r\n", "PENDING:1,8192 " },
	{ "passive, too much", "\r\n+EVENT:SocketDown,1,8193\r\n"
	  "\r\n+EVENT:SocketDown,1,4294967295\r\n", "DAMAGE DAMAGE " },
	{ "read", "+SOCKETREAD,1,9,aithinker\r\nOK\r\n",
	  "PAYLOAD:1,9 END:1=aithinker OK " },
	{ "read with colon", "+SOCKETREAD:1,9,aithinker\r\nOK\r\n",
	  "PAYLOAD:1,9 END:1=aithinker OK " },
	{ "read nothing", "+SOCKETREAD,1,0\r\nOK\r\n", "EMPTY:1 OK " },
	{ "active", "\r\n+EVENT:SocketDown,1,9,aithinker\r\n",
	  "PAYLOAD:1,9 END:1=aithinker " },
	{ "active twice", "\r\n+EVENT:SocketDown,1,2,\r\n\r\n"
	  "\r\n+EVENT:SocketDown,2,4,OK\r\n\r\n",
	  "PAYLOAD:1,2 END:1=.. PAYLOAD:2,4 END:2=OK.. " },
	{ "nasty", "\r\n+EVENT:SocketDown,1,25,+EVENT:SocketDown,2,1,a\r\n\r\n",
	  "PAYLOAD:1,25 END:1=+EVENT:SocketDown,2,1,a..! " },
	{ "seed", "\r\n+EVENT:SocketSeed,3,2\r\n\r\n+EVENT:SocketDown,3,5\r\n"
	  "\r\n+EVENT:SocketDisconnect,3\r\n+SOCKETREAD,3,5,hello\r\nOK\r\n"
	  "\r\n+EVENT:SocketAutoDel,3\r\n",
	  "CHILD:3,2 PENDING:3,5 DISCONNECT:3 PAYLOAD:3,5 END:3=hello OK "
	  "AUTODEL:3 " },
	{ "seed short", "+Seed:3,2\r\n", "CHILD:3,2 " },
	{ "reconnect", "\r\n+EVENT:SocketDissconnect,1\r\n"
	  "\r\n+EVENT:SocketReconnect,1\r\n", "DISCONNECT:1 RECONNECT:1 " },
	{ "name", "\r+WDOMAIN:14.119.104.189\r\nOK\r\n",
	  "INFO(+WDOMAIN:14.119.104.189) OK ", TEXT },
	{ "dns", "\r\n+WDNS:192.168.3.1,0.0.0.0\r\n\r\nOK\r\n", "INFO OK " },
	{ "rssi", "\r\n+WRSSI:-50\r\nOK\r\n", "INFO OK " },
	{ "mac", "\r\nCIPSTAMAC_DEF:84f3ebdd9e63\r\nOK\r\n",
	  "UNEXPECTED(CIPSTAMAC_DEF:84f3ebdd9e63) OK ", TEXT },
	{ "mac cut", "\r\nIPSTAMAC_DEF:84f3ebdd9e63\r\n\r\nCIPSTAMAC_DEF:84f3ebdd9e6\r\n",
	  "LINE LINE " },
	{ "stations", "\r\n+WAP:net,secret99,WPA2 AES,6,2,0,7c:b9:4c:1d:c6:33,"
	  "192.168.43.1,192.168.43.1\r\nClient Num: 1\r\n"
	  "Client 1 MAC:02:00:00:00:ab:cd\r\n\r\nOK\r\n",
	  "UNEXPECTED UNEXPECTED UNEXPECTED OK " },
	{ "stations cut", "lient Num: 1\r\nClient Num: \r\nClient 1 MAC:02:00:00:00:ab\r\n"
	  "Client 1 02:00:00:00:ab:cd\r\n", "LINE LINE LINE LINE " },
	{ "other events", "\r\n+EVENT:WIFI_SCAN_DONE\r\n"
	  "\r\n+EVENT:BLE_CONNECTED\r\n\r\n+EVENT:MQTT_CONNECT\r\n",
	  "NOTE NOTE NOTE " },
	{ "clients of its own", "\r\n+EVENT:WIFI_APCLIENTCONNECTED:7cb94c1dd632\r\n"
	  "\r\n+EVENT:WIFI_APCLIENTDISCONNECT:7cb94c1dd632\r\n", "NOTE NOTE " },
	{ "event cut, another's end behind it",
	  "\r\n+EVENT:WIFI_CONBB\r\n\r\n+EVENT:WIFI_CONNECThello\r\n"
	  "\r\n+EVENT:WIFI_SCAN_DONx\r\n\r\n+EVENT:WIFI DISCONNECT,\r\n"
	  "\r\n+EVENT:WIFI_APCLIENTCONNECTED:7cb94c1dd63\r\n"
	  "\r\n+EVENT:WIFI_APCLIENTCONNECTED:7cb94c1dd632f\r\n"
	  "\r\n+EVENT:BLE_CONNhello\r\n\r\n+EVENT:MQTT_CONNECT \r\n"
	  "\r\n+EVENT:MQTT_\r\n\r\n+EVENT:CloudDown\r\n",
	  "UNEXPECTED DAMAGE DAMAGE UNEXPECTED UNEXPECTED UNEXPECTED DAMAGE "
	  "UNEXPECTED DAMAGE UNEXPECTED " },
	{ "event not known", "\r\n+EVENT:SomethingNew,1,2\r\n"
	  "\r\n+EVENT:WIFI_ROAMED,net,-50\r\n\r\n+EVENT:Reboot\r\n"
	  "\r\n+EVENT:OTA:50\r\n\r\n+EVENT:SocketGone,7\r\n"
	  "\r\n+EVENT:Several,1,2,3\r\n",
	  "UNEXPECTED UNEXPECTED UNEXPECTED UNEXPECTED UNEXPECTED UNEXPECTED " },
	{ "event with more to say", "\r\n+EVENT:SocketDisconnect,101,5\r\n"
	  "\r\n+EVENT:SocketSeed,3,2,192.0.2.1,80\r\n"
	  "\r\n+EVENT:WIFI_DISCONNECT,8\r\n\r\n+Seed:3,2,192.0.2.1\r\n"
	  "\r\n+EVENT:WIFI_GOT_IP:192.0.2.7\r\n"
	  "connect success ConID=101,192.0.2.1\r\n",
	  "UNEXPECTED UNEXPECTED UNEXPECTED UNEXPECTED UNEXPECTED UNEXPECTED " },
	{ "event with less to say", "\r\n+EVENT:SocketDisconnect\r\n"
	  "\r\n+EVENT:SocketDisconnect,\r\n\r\n+EVENT:SocketSeed,3\r\n",
	  "UNEXPECTED UNEXPECTED UNEXPECTED " },
	{ "announcement, a letter lost or too many",
	  "\r\n+EVENT:SockeDown,1,5,hello\r\n\r\n+EVENT:SDown,1,5,hello\r\n"
	  "\r\n+EVENT:SocketD,1,5,hello\r\n\r\n+EVENT:Down,1,5,hello\r\n"
	  "\r\n+EVENT:SockettDown,1,5,12345\r\n"
	  "\r\n+EVENT:SocketDowm,1,5,hello\r\n"
	  "\r\n+EVENT:Sock5,hello\r\n\r\n+EVENT:SockSocketDown,1,5,hello\r\n"
	  "\r\n+EVENT:SocketT:SocketDown,1,5,hello\r\n"
	  "\r\n+EVNT:SocketDown,1,5,hello\r\n\r\nVENT:SocketDown,1,5,a\r\n"
	  "\r\n+EVENT:SocketDown,1\r\n\r\n+EVENT:SocketDown\r\n"
	  "\r\n+EVENT:SocketDownhello\r\n\r\n+EVENT:SocketDhello\r\n",
	  "DAMAGE DAMAGE DAMAGE DAMAGE DAMAGE DAMAGE DAMAGE DAMAGE DAMAGE "
	  "LINE LINE DAMAGE DAMAGE DAMAGE DAMAGE " },
	{ "log", "[    123456][INFO  : main.c: 12] heap 1234\r\n"
	  "[WF][SM] roam\r\nRTL8721D[Driver]: rssi -50\r\n",
	  "UNEXPECTED UNEXPECTED UNEXPECTED " },
	{ "no log", "[]\r\n[\"a\"]\r\n a[b]\r\n[b\r\n"
	  "[SM] T:SocketDown,1,5,hello\r\n",
	  "LINE LINE LINE LINE LINE " },
	{ "answers that nobody awaits", "+PING:TIMEOUT\r\nAT+PING:TIMEOUT\r\n"
	  "+WJAP:3,a,b\r\nAT+SOCKET:97\r\n1,4,3,192.0.2.1,80,-1,0\r\n"
	  "1 net,6,OPEN,-44,14:de:39:06:86:e4\r\n"
	  "12,net,6,OPEN,-44,14:de:39:06:86:e4\r\n",
	  "UNEXPECTED INFO UNEXPECTED INFO UNEXPECTED UNEXPECTED UNEXPECTED " },
	{ "no answers", "+ENT:a\r\n+SOCKETRED:1,2,ab\r\n1,4,3\r\n"
	  "1 net,6,OPEN\r\n", "LINE LINE LINE LINE " },
	{ "echo of a word", "ATTENTION: 5\r\n", "ECHO " },
	{ "subscription", "\r\n+EVENT:MQTT_SUB,a/b,5,x,y,z\r\n", "NOTE " },
	{ "subscription cut", "\r\n+EVENT:MQTT_SUB,a/b,5,x,y,\r\n"
	  "\r\n+EVENT:MQTT_SUB,a/b,5,x,y,z!\r\n"
	  "\r\n+EVENT:MQTT_SUB,a/b\r\n\r\n+EVENT:MQTT_SUB,x\r\n"
	  "\r\n+EVENT:MQTT_SUB,\r\n",
	  "DAMAGE DAMAGE DAMAGE DAMAGE DAMAGE " },
	{ "cloud", "\r\n+EVENT:CloudDown,2,on\r\n", "NOTE " },
	{ "cloud, bytes", "\r\n+EVENT:CloudDown,2,o\x01\r\n", "DAMAGE " },
	{ "busy cut, another's end behind it",
	  "\r\n[Busy]Cmd runninghello\r\ncmd is runningx\r\n", "UNEXPECTED LINE " },
	{ "banner cut, bytes behind it", "\r\n####hello\r\narch:BL6\xff\r\n"
	  "at version:\x7f\r\n", "LINE LINE LINE " },
	{ "other payloads", "+DATA:4,\r\nOK\r\n+BLUFIDATA:1,x\r\n", "NOTE NOTE " },
	{ "other payload, lost comma", "+DATA:20\r\n\r\n+BLUFIDATA:20\r\n", "DAMAGE DAMAGE " },
	{ "other payload, lost letter", "+DAT:20,\r\n", "DAMAGE " },
	{ "read, lost letter", "+SOCKETRED:118,20,\r\n", "DAMAGE " },
	{ "certificate", "\r\n+SSLCRET:1,3,OK\n\r\nOK\r\n",
	  "CERT:1,3 CERT_END:1=OK. OK " },
	{ "no certificate", "\r\n+SSLCRET:2,0,\r\nOK\r\n",
	  "CERT:2,0 CERT_END:2= OK " },
	{ "certificate, its length damaged", "\r\n+SSLCRET:1,2,OK\n\r\nOK\r\n",
	  "CERT:1,2 DAMAGE OK " },
	{ "certificate without a number", "+SSLCRET:,3,abc\r\nOK\r\n",
	  "DAMAGE OK " },
	{ "certificate too long", "+SSLCRET:1,8193,abc\r\nOK\r\n",
	  "DAMAGE OK " },
	{ "line of nobody", "what\r\nOK\r\n", "LINE(what) OK ", TEXT },
	{ "bad event, no id", "+EVENT:Sock?tGone,7\r\n", "DAMAGE " },
	{ "id 0", "+EVENT:SocketDown,0,3,abc\r\nOK\r\n", "DAMAGE OK " },
	{ "id too large", "+EVENT:SocketDown,4294967296,3,abc\r\nOK\r\n",
	  "DAMAGE OK " },
	{ "id none", "+EVENT:SocketDown,4294967295,3,abc\r\nOK\r\n",
	  "DAMAGE OK " },
	{ "id largest", "+EVENT:SocketDown,4294967294,3,abc\r\nOK\r\n",
	  "PAYLOAD:4294967294,3 END:4294967294=abc OK " },
	{ "len 0", "+EVENT:SocketDown,5,0,abc\r\nOK\r\n", "DAMAGE OK " },
	{ "nothing came", "\r\n+EVENT:SocketDown,5,0,\r\n"
	  "\r\n+EVENT:SocketDown,5,0\r\n", "PENDING:5,0 PENDING:5,0 " },
	{ "read nothing, another comma", "+SOCKETREAD,1,0,\r\nOK\r\n"
	  "+SOCKETREAD:1,0,\r\n\r\nOK\r\n", "EMPTY:1 OK EMPTY:1 OK " },
	{ "len too large", "+EVENT:SocketDown,5,8193,abc\r\nOK\r\n",
	  "DAMAGE OK " },
	{ "len no number", "+EVENT:SocketDown,5,-1,abc\r\nOK\r\n",
	  "DAMAGE OK " },
	{ "closing wrong",
	  "\r\n+EVENT:SocketDown,1,3,abcd\r\n\r\nOK\r\n",
	  "PAYLOAD:1,3 BAD:1 OK " },
	{ "swallowed header",
	  "\r\n+EVENT:SocketDown,1,40,abc\r\n"
	  "\r\n+EVENT:SocketDown,2,20,0123456789abcdefghij\r\n\r\nOK\r\n",
	  "PAYLOAD:1,40 BAD:1 OK " },
	{ "its own words", "\r\n+EVENT:SocketDown,1,9,\r\nOK\r\nabc\r\n\r\nOK\r\n"
	  "\r\n+EVENT:WIFI_CONNECT\r\n",
	  "PAYLOAD:1,9 END:1=..OK..abc OK WIFI_CONNECT " },
	{ "its own words, while an answer is awaited",
	  "\r\n+EVENT:SocketDown,1,9,\r\nOK\r\nabc\r\n\r\nOK\r\n"
	  "\r\n+EVENT:SocketDown,1,9,\r\nOK\r\nabc\r\n",
	  "PAYLOAD:1,9 END:1=..OK..abc! OK PAYLOAD:1,9 END:1=..OK..abc ",
	  FINAL },
	{ "its own words, while a connect runs",
	  "\r\n+EVENT:SocketDown,1,9,\r\nOK\r\nabc\r\n"
	  "\r\n+EVENT:SocketDown,1,6,200 OK\r\n",
	  "PAYLOAD:1,9 END:1=..OK..abc PAYLOAD:1,6 END:1=200 OK ", LATE },
	{ "its own event", "\r\n+EVENT:SocketDown,1,17,\r\n+EVENT:SocketDo\r\n"
	  "\r\n+EVENT:SocketDown,1,11,+EVENT:WIFI\r\n",
	  "PAYLOAD:1,17 END:1=..+EVENT:SocketDo! PAYLOAD:1,11 END:1=+EVENT:WIFI! " },
	{ "six bytes lost, then an answer",
	  "\r\n+EVENT:SocketDown,1,26,abcdefghijqrstuvwxyz\r\n\r\nOK\r\n",
	  "PAYLOAD:1,26 END:1=abcdefghijqrstuvwxyz....OK! ", FINAL },
	{ "the same with an error's",
	  "\r\n+EVENT:SocketDown,1,33,abcd\r\n\r\nAT+SOCKETSEND:101\r\n+ERROR\r\n",
	  "PAYLOAD:1,33 END:1=abcd....AT+SOCKETSEND:101..+ERROR! ", FINAL },
	{ "three bytes lost, then the prompt and the answer",
	  "\r\n+EVENT:SocketDown,1,9,aithin\r\n>\r\nOK\r\n",
	  "PAYLOAD:1,9 END:1=aithin..>! OK ", PROMPT | FINAL },
	{ "what looks like a prompt", "\r\n+EVENT:SocketDown,1,4,>> a\r\n"
	  "\r\n+EVENT:SocketDown,1,1,>\r\n\r\n+EVENT:SocketDown,1,3,>>>\r\n>",
	  "PAYLOAD:1,4 END:1=>> a PAYLOAD:1,1 END:1=> PAYLOAD:1,3 END:1=>>> PROMPT ",
	  PROMPT },
	{ "the same where it tears", "\r\n+EVENT:SocketDown,1,4,>> a\r\n"
	  "\r\n+EVENT:SocketDown,1,1,>\r\n\r\n+EVENT:SocketDown,1,3,>>>\r\n>",
	  "PAYLOAD:1,4 END:1=>> a PAYLOAD:1,1 END:1=> PAYLOAD:1,3 END:1=>>> PROMPT ",
	  PROMPT | TEARS },
	{ "more empty lines than there are", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"
	  "\r\nOK\r\n", "DAMAGE OK " },
	{ "many empty lines", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n"
	  "\r\nOK\r\n", "OK " },
	{ "looks torn, is not",
	  "\r\n+EVENT:SocketDown,1,6,\r\nOK\r\n\r\n\r\n+EVENT:SocketDown,2,1,x\r\n",
	  "PAYLOAD:1,6 END:1=..OK.. PAYLOAD:2,1 END:2=x " },
	{ "looks torn, silence",
	  "\r\n+EVENT:SocketDown,1,6,\r\nOK\r\n\r\n",
	  "PAYLOAD:1,6 END:1=..OK.. ", IDLE },
	{ "two bytes lost, next print follows",
	  "\r\n+EVENT:SocketDown,1,9,thinker\r\n\r\n+EVENT:SocketDown,2,1,x\r\n",
	  "PAYLOAD:1,9 END:1=thinker.. DOUBTFUL:1 PAYLOAD:2,1 END:2=x " },
	{ "two bytes lost, an answer follows",
	  "\r\n+EVENT:SocketDown,1,9,thinker\r\n\r\nOK\r\n",
	  "PAYLOAD:1,9 END:1=thinker.. OK DOUBTFUL:1 " },
	{ "two bytes lost, an error follows",
	  "\r\n+EVENT:SocketDown,1,9,thinker\r\n\r\nAT+SOCKET:97\r\n+ERROR\r\n"
	  "\r\n+EVENT:SocketDown,1,9,thinker\r\n\r\n+SOCKET:97\r\nERROR\r\n",
	  "PAYLOAD:1,9 END:1=thinker.. INFO DOUBTFUL:1 ERROR:97,SOCKET "
	  "PAYLOAD:1,9 END:1=thinker.. INFO DOUBTFUL:1 ERROR:97,SOCKET " },
	{ "no byte lost, an answer without a CR LF follows",
	  "\r\n+EVENT:SocketDown,1,9,thinker\r\n\r\n+WDOMAIN:192.0.2.1\r\nOK\r\n",
	  "PAYLOAD:1,9 END:1=thinker.. INFO OK " },
};

static void parse_samples(struct kunit *test)
{
	static const char nul[] = "\r\n+WMODE:1\0x\r\nOK\r\n";
	struct run *r = run_new(test);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(samples); i++)
		expect(test, r, samples[i].flags, samples[i].in,
		       strlen(samples[i].in), samples[i].want);
	/* Whoever reads a text would read a part of it. */
	expect(test, r, FINAL, nul, sizeof(nul) - 1, "DAMAGE OK ");
}

/* Answers that tear payloads, and what they say by themselves. */
static const struct sample tears[] = {
	{ "ok", "\r\nOK\r\n", "OK ", FINAL },
	{ "plus ok", "\r\n+OK\r\n", "OK ", FINAL },
	{ "error", "\r\nERROR\r\n", "ERROR:0, ", FINAL },
	{ "error classic", "\r\n+SOCKET:97\r\nERROR\r\n",
	  "INFO ERROR:97,SOCKET ", FINAL },
	{ "error middleware", "\r\nAT+SOCKETSEND:4\r\n+ERROR\r\n",
	  "INFO ERROR:4,SOCKETSEND ", FINAL },
	{ "value, ok", "\r\n+WMODE:1\r\nOK\r\n", "INFO OK ", FINAL },
	{ "value, plus ok", "\r\n+WMODE:1\r\n+OK\r\n", "INFO OK ", FINAL },
	{ "connected", "connect success ConID=2\r\n", "CONNECTED:2 ", FINAL },
	{ "prompt", ">", "PROMPT ", PROMPT },
	{ "busy", "\r\n[Busy]Cmd running\r\n", "BUSY ", FINAL },
	/* What does not begin with an end of line. */
	{ "row", "11,4,3,192.0.2.1,80,-1,0\r\n", "UNEXPECTED ", FINAL },
	{ "rows", "11,4,3,192.0.2.1,80,-1,0\r\n118,3,3,,-1,80,0\r\n",
	  "UNEXPECTED UNEXPECTED ", FINAL },
	{ "complaint", "Unknown cmd:AT+ATW0123456789ABCDEF\r\n", "UNKNOWN ", FINAL },
	{ "address", "\r+WDOMAIN:192.0.2.1\r\nOK\r\n", "INFO OK ", FINAL },
};

/* Prints that nobody awaits, and what else they may be. */
static const struct sample other_prints[] = {
	{ "disconnect", "\r\n+EVENT:SocketDisconnect,2\r\n", NULL, FINAL },
	{ "pending", "\r\n+EVENT:SocketDown,3,5\r\n", NULL, FINAL },
	{ "wifi", "\r\n+EVENT:WIFI_GOT_IP\r\n", NULL, FINAL },
	{ "wifi bare", "+EVENT:WIFI_CONNECT\r\n", NULL, FINAL },
	{ "ok", "\r\nOK\r\n", NULL, 0 },
	{ "ok for a prompt", "\r\nOK\r\n", NULL, PROMPT },
	{ "prompt", ">", NULL, FINAL },
	{ "connected", "connect success ConID=2\r\n", NULL, 0 },
	{ "row", "11,4,3,192.0.2.1,80,-1,0\r\n", NULL, 0 },
	{ "complaint", "Unknown cmd:AT+ATW0123456789ABCDEF\r\n", NULL, PROMPT },
	{ "another complaint", "Unknown cmd:AT+WMODE\r\n", NULL, FINAL },
};

static const char *const torn_payloads[] = {
	"a", "aithinker", "\r\nx", "OK\r\n..", "+",
	"0123456789012345678901234567890123456789012345678901234567890123",
};

static void put_payload(char *out, const char *s)
{
	for (; *s; s++)
		*out++ = *s < ' ' ? '.' : *s;
	*out = '\0';
}

static void parse_torn(struct kunit *test)
{
	char *in = kunit_kzalloc(test, 1024, GFP_KERNEL);
	char *want = kunit_kzalloc(test, 1024, GFP_KERNEL);
	struct run *r = run_new(test);
	char head[40], shown[80];
	size_t i, j;

	KUNIT_ASSERT_NOT_NULL(test, in);
	KUNIT_ASSERT_NOT_NULL(test, want);
	for (i = 0; i < ARRAY_SIZE(tears); i++) {
		const struct sample *t = &tears[i];

		for (j = 0; j < ARRAY_SIZE(torn_payloads); j++) {
			const char *body = torn_payloads[j];
			u32 len = strlen(body);

			put_payload(shown, body);
			snprintf(head, sizeof(head),
				 "\r\n+EVENT:SocketDown,1,%u,", len);

			/* before the payload: taken out, and in doubt */
			snprintf(in, 1024, "%s%s%s\r\n\r\n+EVENT:SocketAutoDel,9\r\n",
				 head, t->in, body);
			snprintf(want, 1024, "PAYLOAD:1,%u END:1=%s? %sAUTODEL:9 ",
				 len, shown, t->want);
			expect(test, r, t->flags | TEARS, in, strlen(in), want);

			/* the same, and nothing follows */
			snprintf(in, 1024, "%s%s%s\r\n", head, t->in, body);
			snprintf(want, 1024, "PAYLOAD:1,%u END:1=%s? %s",
				 len, shown, t->want);
			expect(test, r, t->flags | TEARS | IDLE, in, strlen(in),
			       want);

			/* after the payload: it heals, or is taken out as well */
			snprintf(in, 1024, "%s%s%s\r\n\r\n+EVENT:SocketAutoDel,9\r\n",
				 head, body, t->in);
			snprintf(want, 1024, "PAYLOAD:1,%u END:1=%s %sAUTODEL:9 ",
				 len, shown, t->want);
			expect(test, r, t->flags | TEARS, in, strlen(in), want);

			/* of firmware that does not tear it is damage, once */
			snprintf(in, 1024, "%s%s%s\r\n\r\n+EVENT:SocketAutoDel,9\r\n",
				 head, t->in, body);
			run_of(r, t->flags, in);
			KUNIT_EXPECT_NOT_NULL(test, strstr(r->log, "BAD:1 "));
			KUNIT_EXPECT_TRUE(test, r->p.tears);
		}
	}
}

/* The first line of an error that tore a payload as long as itself closes it. */
static void parse_torn_as_long(struct kunit *test)
{
	static const char torn[] = "\r\n+EVENT:SocketDown,118,14,\r\n+SOCKETDEL:4\r\nERROR\r\n"
				   "ai-thinker,bw2\r\n";
	static const char sent[] = "\r\n+EVENT:SocketDown,118,14,\r\n+SOCKETDEL:4\r\n"
				   "\r\n+SOCKETDEL:4\r\nERROR\r\n";
	struct run *r = run_new(test);

	run_of(r, FINAL | TEARS, torn);
	run_end(r, 0);
	KUNIT_EXPECT_NOT_NULL(test, strstr(r->log, "DOUBTFUL:118"));
	/* A remote has sent that, and then it was said. */
	run_of(r, FINAL | TEARS, sent);
	run_end(r, 0);
	KUNIT_EXPECT_NULL(test, strstr(r->log, "DOUBTFUL"));
}

/* Answers, by their first line, which is all of some, and what follows. */
static const struct {
	const char *line, *rest;
} answers[] = {
	{ "\r\nOK\r\n", "" }, { "\r\n+OK\r\n", "" }, { "\r\nERROR\r\n", "" },
	{ "\r\n+WMODE:1\r\nOK\r\n", "" }, { "\r\n+SOCKET:97\r\nERROR\r\n", "" },
	{ "\r\nAT+SOCKET:97\r\n+ERROR\r\n", "" }, { "\r\n[Busy]Cmd running\r\n", "" },
	{ "Unknown cmd:AT+ATW\r\n", "" }, { "AT+ATW\r\nUnknown cmd:AT+ATW\r\n", "" },
	{ "11,4,3,192.0.2.1,80,-1,0\r\n", "\r\nOK\r\n" },
	{ "\r\n+WMODE:1\r\n", "OK\r\n" }, { "\r\n+WMODE:1\r\n", "+OK\r\n" },
	{ "\r\n+WDNS:192.0.2.1\r\n", "OK\r\n" },
	{ "\r\n+SOCKET:97\r\n", "ERROR\r\n" }, { "\r\nAT+SOCKET:97\r\n", "+ERROR\r\n" },
};

/*
 * As many bytes of a payload are lost as the first line of the answer has: that line is
 * taken for its end. Either what is left of the answer tells, or what stays away, until
 * when it is in doubt. What a remote has sent may look the same, and arrives.
 */
static void parse_swallowed(struct kunit *test)
{
	static const char text[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";
	char *in = kunit_kzalloc(test, 1024, GFP_KERNEL);
	struct run *r = run_new(test);
	const char *told;
	int lost, left;
	size_t i;

	KUNIT_ASSERT_NOT_NULL(test, in);
	for (i = 0; i < ARRAY_SIZE(answers); i++) {
		lost = strlen(answers[i].line);
		told = !answers[i].rest[0] || answers[i].rest[0] == '\r' ? "! " : "DOUBTFUL:101";
		for (left = 0; left < 40; left++) {
			/* The payload with the CR LF that closes it lacks as many. */
			snprintf(in, 1024, "\r\n+EVENT:SocketDown,101,%d,%.*s%s%s"
				 "\r\n+EVENT:SocketDown,102,1,x\r\n", left + lost - 2, left,
				 text, answers[i].line, answers[i].rest);
			run_of(r, FINAL, in);
			KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(r->log, told), "%s: %s", in,
						  r->log);
			KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(r->log, "END:102=x "), "%s: %s",
						  in, r->log);

			snprintf(in, 1024, "\r\n+EVENT:SocketDown,101,%d,%.*s%s\r\n%s%s",
				 left + lost, left, text, answers[i].line, answers[i].line,
				 answers[i].rest);
			run_of(r, FINAL, in);
			KUNIT_EXPECT_NULL_MSG(test, strstr(r->log, "DOUBTFUL"), "%s: %s", in,
					      r->log);
		}
	}
}

/* What nobody awaits is not taken out: a remote may have sent it. */
static void parse_torn_unasked(struct kunit *test)
{
	char *in = kunit_kzalloc(test, 1024, GFP_KERNEL);
	struct run *r = run_new(test);
	size_t i;

	KUNIT_ASSERT_NOT_NULL(test, in);
	for (i = 0; i < ARRAY_SIZE(other_prints); i++) {
		const struct sample *t = &other_prints[i];

		snprintf(in, 1024, "\r\n+EVENT:SocketDown,1,9,%saithinker\r\n",
			 t->in);
		run_of(r, t->flags | TEARS, in);
		run_end(r, IDLE);
		KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(r->log, "BAD:1 "), "%s",
					  t->name);
		KUNIT_EXPECT_NULL_MSG(test, strstr(r->log, "END:1="), "%s", t->name);
	}
}

/*
 * A print without a CR LF between a payload and its end, where the payload is the
 * text of another one: nobody else's connection ends by that, and no byte of what
 * follows is the payload's.
 */
static void parse_torn_late(struct kunit *test)
{
	static const char prompt[] =
		"\r\n+EVENT:SocketDown,1,29,\r\n+EVENT:SocketDisconnect,2\r\n>\r\n"
		"\r\n+EVENT:SocketDown,1,5,abc\r\n\r\n";
	static const char connected[] =
		"\r\n+EVENT:SocketDown,1,9,\r\nOK\r\nabcconnect success ConID=3\r\n"
		"\r\n\r\nOK\r\n";
	static const char lost[] =
		"\r\n+EVENT:SocketDown,1,9,thinker\r\nconnect success ConID=3\r\n"
		"\r\nOK\r\n";
	static const char which[] =
		"\r\n+EVENT:SocketDown,1,3,>ab>\r\n\r\n+EVENT:SocketDown,2,1,x\r\n";
	struct run *r = run_new(test);

	expect(test, r, PROMPT | TEARS, prompt, sizeof(prompt) - 1,
	       "PAYLOAD:1,29 DOUBTFUL:1 PROMPT PAYLOAD:1,5 END:1=abc.. ");
	expect(test, r, FINAL | TEARS, connected, sizeof(connected) - 1,
	       "PAYLOAD:1,9 END:1=..OK..abc! CONNECTED:3 OK ");
	/* Or were two bytes lost? */
	expect(test, r, FINAL | TEARS, lost, sizeof(lost) - 1,
	       "PAYLOAD:1,9 DOUBTFUL:1 CONNECTED:3 OK ");
	/* Was the first one the prompt, or the last? The frame is the same. */
	expect(test, r, PROMPT | TEARS, which, sizeof(which) - 1,
	       "PAYLOAD:1,3 DOUBTFUL:1 PROMPT PAYLOAD:2,1 END:2=x ");
}

/*
 * Two readings of different lengths: an answer before the payload, which ends with the words of a
 * longer one. Neither is believed, and of what follows no byte is missing where there is but one.
 */
static void parse_torn_two_ways(struct kunit *test)
{
	static const char two[] =
		"\r\n+EVENT:SocketDown,1,30,connect success ConID=5\r\n"
		"abcdeconnect success ConID=123\r\n\r\n+EVENT:SocketDown,2,1,x\r\n";
	static const char one[] =
		"\r\n+EVENT:SocketDown,1,30,connect success ConID=5\r\n"
		"abcdeconnect success ConID=123\r\n+EVENT:WIFI_CONNECT\r\n";
	struct run *r = run_new(test);

	expect(test, r, FINAL | TEARS, two, sizeof(two) - 1,
	       "PAYLOAD:1,30 BAD:1 PAYLOAD:2,1 END:2=x ");
	expect(test, r, FINAL | TEARS, one, sizeof(one) - 1,
	       "PAYLOAD:1,30 END:1=abcdeconnect success ConID=123? CONNECTED:5 WIFI_CONNECT ");
}

/*
 * An answer that may take long is a doubt only of firmware that is known to tear: what is in
 * doubt waits for it.
 */
static void parse_torn_while_connecting(struct kunit *test)
{
	static const char *const payloads[] = {
		"connect success ConID=129", "\r\n+WDOMAIN:198.51.100.66", "\r\nOK", "\r\n\r\nOK",
	};
	struct run *r = run_new(test);
	char in[80];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(payloads); i++) {
		snprintf(in, sizeof(in), "\r\n+EVENT:SocketDown,118,%zu,%s\r\n",
			 strlen(payloads[i]), payloads[i]);
		run_of(r, LATE | TEARS, in);
		KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(r->log, "! "), "%s", r->log);
		run_of(r, LATE, in);
		KUNIT_EXPECT_NULL_MSG(test, strstr(r->log, "! "), "%s", r->log);
	}
}

/*
 * Another connection's frame between a header and its payload, whose remote has
 * chosen its bytes so that the payload is closed: it is in doubt, and damage comes
 * before anything else does that is the module's own.
 */
static void parse_torn_chosen(struct kunit *test)
{
	char *in = kunit_kzalloc(test, 4096, GFP_KERNEL);
	struct run *r = run_new(test);
	unsigned int closed = 0;
	size_t len, n, i;
	char *end;

	KUNIT_ASSERT_NOT_NULL(test, in);
	for (n = 1; n < 200; n++) {
		len = scnprintf(in, 4096, "\r\n+EVENT:SocketDown,101,%zu,", n);
		len += scnprintf(in + len, 4096 - len,
				 "\r\n+EVENT:SocketDown,118,512,");
		for (i = 0; i < 256; i++)
			len += scnprintf(in + len, 4096 - len, "\r\n");
		len += scnprintf(in + len, 4096 - len, "\r\n");
		memset(in + len, 'A', n);
		len += n;
		len += scnprintf(in + len, 4096 - len,
				 "\r\n\r\n+EVENT:SocketDown,101,1,B\r\n");
		run_start(r, TEARS);
		run_feed(r, in, len);
		end = strstr(r->log, "END:101=");
		if (!end || strstr(r->log, "BAD:101 "))
			continue;
		closed++;
		KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(end, "! DAMAGE"),
					  "%zu: %s", n, r->log);
	}
	/* It does happen. */
	KUNIT_EXPECT_LT(test, 20U, closed);
}

/*
 * An answer without an end of line before it, where what closes the payload is in its place by the
 * remote's choice: it may have lost its end, and have that answer instead.
 */
static void parse_torn_closed(struct kunit *test)
{
	static const char *const prints[] = {
		"11,4,3,192.0.2.1,80,-1,0\r\n", "Unknown cmd:AT+ATW0123456789ABCDEF\r\n",
		"\r+WDOMAIN:192.0.2.1\r\nOK\r\n",
	};
	struct run *r = run_new(test);
	char in[160];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(prints); i++) {
		snprintf(in, sizeof(in), "\r\n+EVENT:SocketDown,118,%zu,%sabcde\r\n",
			 strlen(prints[i]) + 5, prints[i]);
		run_of(r, FINAL | TEARS, in);
		KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(r->log, "abcde! "), "%s", r->log);
		run_of(r, TEARS, in);
		KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(r->log, "abcde "), "%s", r->log);
	}
}

static void parse_torn_bad(struct kunit *test)
{
	/* Another payload between header and payload: neither is used. */
	static const char two[] =
		"\r\n+EVENT:SocketDown,1,9,\r\n+EVENT:SocketDown,2,5,hello\r\n"
		"aithinker\r\n\r\nOK\r\n";
	struct run *r = run_new(test);
	size_t cut;

	for (cut = 0; cut < sizeof(two); cut++) {
		run_start(r, 0);
		run_feed(r, two, cut);
		run_feed(r, two + cut, sizeof(two) - 1 - min(cut, sizeof(two) - 1));
		KUNIT_EXPECT_NULL(test, strstr(r->log, "END:1="));
		KUNIT_EXPECT_NOT_NULL(test, strstr(r->log, "BAD:1 "));
		KUNIT_EXPECT_NOT_NULL(test, strstr(r->log, "OK "));
	}
}

static void parse_no_sink(struct kunit *test)
{
	static const char good[] = "\r\n+EVENT:SocketDown,1,3,abc\r\n\r\nOK\r\n";
	static const char bad[] = "\r\n+EVENT:SocketDown,1,3,abcd\r\n\r\nOK\r\n";
	struct run *r = run_new(test);

	r->no_sink = true;
	expect(test, r, 0, good, sizeof(good) - 1, "PAYLOAD:1,3 END:1= OK ");
	expect(test, r, 0, bad, sizeof(bad) - 1,
	       "PAYLOAD:1,3 BAD:1 OK ");
}

static void parse_line_bounds(struct kunit *test)
{
	struct run *r = run_new(test);
	char line[ATW_LINE_MAX + 8];

	memset(line, 'x', sizeof(line));
	memcpy(line, "arch:", 5);
	memcpy(line + ATW_LINE_MAX, "\r\nOK\r\n", 6);
	expect(test, r, 0, line, ATW_LINE_MAX + 6, "BANNER OK ");

	line[ATW_LINE_MAX] = 'x';
	memcpy(line + ATW_LINE_MAX + 1, "\r\nOK\r\n", 6);
	expect(test, r, 0, line, ATW_LINE_MAX + 7, "DAMAGE OK ");
}

static void parse_payload_bounds(struct kunit *test)
{
	u8 *big = kunit_kzalloc(test, ATW_PAYLOAD_MAX, GFP_KERNEL);
	struct run *r = run_new(test);
	size_t i;

	KUNIT_ASSERT_NOT_NULL(test, big);
	for (i = 0; i < ATW_PAYLOAD_MAX; i++)
		big[i] = i * 7 + (i >> 8);
	run_start(r, 0);
	run_feed(r, "+EVENT:SocketDown,5,8192,", 25);
	run_feed(r, big, ATW_PAYLOAD_MAX);
	KUNIT_EXPECT_STREQ(test, r->log, "PAYLOAD:5,8192 ");
	KUNIT_EXPECT_EQ(test, memcmp(r->sink, big, ATW_PAYLOAD_MAX), 0);
	run_feed(r, "\r\n", 2);
	KUNIT_EXPECT_NOT_NULL(test, strstr(r->log, "END:5="));
}

static void parse_lost(struct kunit *test)
{
	struct run *r = run_new(test);
	struct atw_event ev;

	run_start(r, 0);
	run_feed(r, "\r\n+EVENT:SocketDown,1,9,aith", 28);
	atw_parse_lost(&r->p, &ev);
	run_event(r, &ev);
	run_feed(r, "ker\r\n\r\nOK\r\n", 11);
	KUNIT_EXPECT_STREQ(test, r->log, "PAYLOAD:1,9 BAD:1 OK ");

	run_start(r, 0);
	run_feed(r, "\r\n+EVENT:Sock", 13);
	atw_parse_lost(&r->p, &ev);
	run_event(r, &ev);
	run_feed(r, "nect,3\r\n\r\nOK\r\n", 14);
	KUNIT_EXPECT_STREQ(test, r->log, "DAMAGE OK ");
}

/*
 * Bytes that vanish without a word: whatever is delivered of a connection is a
 * prefix of what was sent to it, until the connection is reported damaged. Two
 * lost bytes may be told by the next print only. A loss of just as many bytes as an
 * answer has, six, is told when that stays away. What nobody can see, and what is not
 * tried here, is a loss of just as many bytes as the next events have.
 */
#define LOSS_MAX	6

static const struct {
	u32 id;			/* 0: no payload */
	const char *text;
} traffic[] = {
	{ 101, "hello, world\r\n" },
	{ 102, "aithinker" },
	{ 101, "\r\nOK\r\n" },
	{ 102, "+EVENT:SocketDown,101,3,abc\r\n" },
	{ 102, "\r\n+EVENT:SocketDown,101,3,abc\r\n" },
	{ 0, "\r\nOK\r\n" },
	{ 101, "0123456789abcdefghijklmnopqrstuvwxyz" },
	{ 0, "\r\n+EVENT:SocketDisconnect,103\r\n" },
	{ 102, "\r\n" },
	{ 102, "x" },
	{ 101, "GET / HTTP/1.1\r\n\r\n" },
	{ 102, "zuletzt" },
	{ 101, "tail" },
	{ 0, "\r\nOK\r\n" },
	{ 0, "\r\nOK\r\n" },
};

struct stream {
	char	sent[256];
	size_t	len;
	size_t	got;
	bool	dead;
	bool	wrong;
	bool	held;		/* in doubt from here on */
	bool	wrong_then;
};

static void stream_event(struct kunit *test, struct run *r, struct stream *s,
			 const struct atw_event *ev, size_t at, size_t n)
{
	struct stream *one = NULL;

	if (ev->id == 101 || ev->id == 102)
		one = &s[ev->id - 101];
	switch (ev->type) {
	case ATW_EV_PAYLOAD:
		if (one) {
			atw_parser_sink(&r->p, r->sink);
			break;
		}
		/* The user's part: bytes for an id that it never gave. */
		s[0].dead = true;
		s[1].dead = true;
		break;
	case ATW_EV_PAYLOAD_END:
		/* What was in doubt had to be told before this. */
		KUNIT_EXPECT_FALSE_MSG(test, s[0].wrong && !s[0].dead,
				       "%zu bytes lost at %zu", n, at);
		KUNIT_EXPECT_FALSE_MSG(test, s[1].wrong && !s[1].dead,
				       "%zu bytes lost at %zu", n, at);
		if (!one || one->dead)
			break;
		one->held |= ev->doubt & ATW_DOUBT_FRAME;
		if (one->got + ev->len > one->len ||
		    memcmp(one->sent + one->got, r->sink, ev->len)) {
			one->wrong_then |= one->held;
			one->wrong |= !one->held;
		}
		one->got += ev->len;
		KUNIT_EXPECT_FALSE_MSG(test, one->wrong && n != 2,
				       "%u: %zu bytes lost at %zu", ev->id, n, at);
		break;
	case ATW_EV_PENDING:
		/* One that prints what it receives has nothing to announce. */
	case ATW_EV_PAYLOAD_BAD:
	case ATW_EV_LINE:
	case ATW_EV_DAMAGE:
		s[0].dead = true;
		s[1].dead = true;
		break;
	case ATW_EV_DOUBTFUL:
		if (one)
			one->dead = true;
		break;
	default:
		break;
	}
}

static void parse_silent_loss(struct kunit *test)
{
	struct stream *s = kunit_kzalloc(test, 2 * sizeof(*s), GFP_KERNEL);
	char *in = kunit_kzalloc(test, 2048, GFP_KERNEL);
	u8 *cut = kunit_kzalloc(test, 2048, GFP_KERNEL);
	struct run *r = run_new(test);
	size_t len = 0, at, n, i, used;
	unsigned int said = 0, heard;
	struct atw_event ev;

	KUNIT_ASSERT_NOT_NULL(test, s);
	KUNIT_ASSERT_NOT_NULL(test, in);
	KUNIT_ASSERT_NOT_NULL(test, cut);
	for (i = 0; i < ARRAY_SIZE(traffic); i++) {
		const char *text = traffic[i].text;

		if (!traffic[i].id) {
			len += scnprintf(in + len, 2048 - len, "%s", text);
			continue;
		}
		len += scnprintf(in + len, 2048 - len,
				 "\r\n+EVENT:SocketDown,%u,%zu,%s\r\n",
				 traffic[i].id, strlen(text), text);
		strcat(s[traffic[i].id - 101].sent, text);
	}
	s[0].len = strlen(s[0].sent);
	s[1].len = strlen(s[1].sent);

	for (n = 0; n <= LOSS_MAX; n++) {
		for (at = 0; at + n <= len; at++) {
			memcpy(cut, in, at);
			memcpy(cut + at, in + at + n, len - at - n);
			for (i = 0; i < 2; i++) {
				s[i].got = 0;
				s[i].dead = false;
				s[i].wrong = false;
				s[i].held = false;
				s[i].wrong_then = false;
			}
			run_start(r, FINAL);
			used = 0;
			heard = 0;
			do {
				used += atw_parse(&r->p, cut + used,
						  len - n - used, &ev);
				heard += ev.type == ATW_EV_OK;
				stream_event(test, r, s, &ev, at, n);
			} while (ev.type != ATW_EV_NONE);
			if (!n)
				said = heard;
			/* An answer stayed away. */
			for (i = 0; i < 2; i++)
				if (heard < said)
					s[i].dead |= s[i].held;
				else
					s[i].wrong |= s[i].wrong_then;
			for (i = 0; i < 2; i++) {
				KUNIT_EXPECT_FALSE_MSG(test,
						       s[i].wrong && !s[i].dead,
						       "%zu lost at %zu", n, at);
				if (!n)
					KUNIT_EXPECT_EQ(test, s[i].got, s[i].len);
			}
		}
	}
}

static const char *const boots[] = {
	"\r\n################################################\r\n\r\n"
	"arch:BL602,NULL\r\ncompany:Ai-Thinker|B&T\r\n"
	"ble_mac:7cb94c1dd632\r\nwifi_mac:7cb94c1dd631\r\n"
	"sdk_version:release/release_bl_iot_sdk_1.6.36\r\n"
	"firmware_version:V4.18_P1.4.4-e15d67b\r\n"
	"compile_time:Nov 25 2022 11:22:39\r\n\r\nready\r\n\r\n"
	"################################################\r\n",
	"#calibration_ok:[2:19:11] \r\n\r\nat version:release/V4.18_P2.29.2 "
	"sdk version:amebad_v6.2C "
	"firmware version:release/V4.18_P5.6.4(May 30 2023-10:28:28)\r\n",
	"\r\nready\r\n",
};

/*
 * A module that restarts within a payload, at each of its bytes: its banner may
 * close what it broke off. That is never passed for whole without a doubt.
 */
static void parse_restart(struct kunit *test)
{
	static const char joined[] =
		"\r\n+EVENT:WIFI_CONNECT\r\n\r\n+EVENT:WIFI_GOT_IP\r\n";
	static const char remote[] =
		"\r\n+EVENT:SocketDown,3,11,ab\r\nalready\r\n"
		"\r\n+EVENT:SocketDown,3,9,ab\r\nready\r\n";
	static const char torn[] =
		"\r\n+EVENT:SocketDown,3,9,\r\nOK\r\nab\r\nready\r\n";
	char *in = kunit_kzalloc(test, 2048, GFP_KERNEL);
	struct run *r = run_new(test);
	unsigned int closed;
	size_t b, got, len, i;
	int flags;

	KUNIT_ASSERT_NOT_NULL(test, in);
	for (b = 0; b < 2 * ARRAY_SIZE(boots); b++) {
		flags = b % 2 ? TEARS | PROMPT | FINAL : 0;
		closed = 0;
		for (got = 0; got <= 601; got++) {
			len = scnprintf(in, 2048, "\r\n+EVENT:SocketDown,3,600,");
			/* The last one is half of its closing. */
			memset(in + len, 'x', got);
			if (got)
				in[len] = '>';
			if (got == 601)
				in[len + 600] = '\r';
			len += got;
			len += scnprintf(in + len, 2048 - len, "%s", boots[b / 2]);
			for (i = 0; i < 20; i++)
				len += scnprintf(in + len, 2048 - len, "%s",
						 joined);
			run_start(r, flags);
			run_feed(r, in, len);
			if (!strstr(r->log, "END:3=") || got == 600)
				continue;
			closed++;
			KUNIT_EXPECT_TRUE_MSG(test, strchr(r->log, '?'),
					      "%zu of 600, banner %zu", got, b / 2);
		}
		/* It does happen. */
		KUNIT_EXPECT_LT(test, 5U, closed);
	}

	run_of(r, 0, remote);
	KUNIT_EXPECT_STREQ(test, r->log,
			   "PAYLOAD:3,11 END:3=ab..already PAYLOAD:3,9 END:3=ab..ready? ");

	/* Torn as well. */
	run_of(r, TEARS | FINAL, torn);
	KUNIT_EXPECT_STREQ(test, r->log, "PAYLOAD:3,9 END:3=ab..ready? OK ");
}

static void parse_numbers(struct kunit *test)
{
	static const struct {
		const char *s;
		u32 max;
		bool good;
		u32 val;
	} cases[] = {
		{ "0", 0, true, 0 }, { "1", 0, false }, { "", 9, false },
		{ "00", 9, false }, { "01", 9, false }, { "-1", 9, false },
		{ "+1", 9, false }, { " 1", 9, false }, { "255", 255, true, 255 },
		{ "256", 255, false }, { "4294967295", U32_MAX, true, U32_MAX },
		{ "4294967296", U32_MAX, false },
		{ "99999999999999999999999999", U32_MAX, false },
	};
	const char *s;
	size_t i;
	u32 val;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		s = cases[i].s;
		KUNIT_EXPECT_EQ_MSG(test, atw_parse_uint(&s, cases[i].max, &val),
				    cases[i].good, "'%s'", cases[i].s);
		if (cases[i].good) {
			KUNIT_EXPECT_EQ(test, val, cases[i].val);
			KUNIT_EXPECT_EQ(test, (int)*s, 0);
		} else {
			KUNIT_EXPECT_PTR_EQ(test, s, cases[i].s);
		}
	}
	KUNIT_EXPECT_TRUE(test, atw_parse_addr("255.0.10.1", &val));
	KUNIT_EXPECT_EQ(test, val, 0xff000a01U);
	KUNIT_EXPECT_FALSE(test, atw_parse_addr("256.0.0.1", &val));
	KUNIT_EXPECT_FALSE(test, atw_parse_addr("1.2.3", &val));
	KUNIT_EXPECT_FALSE(test, atw_parse_addr("1.2.3.4.", &val));
	KUNIT_EXPECT_FALSE(test, atw_parse_addr("1.2.3.4 ", &val));
	KUNIT_EXPECT_FALSE(test, atw_parse_addr("", &val));
}

static void parse_rows(struct kunit *test)
{
	static const char *const bad[] = {
		"", "1", "0,4,3,1.2.3.4,1,-1,0", "1,4,3,1.2.3.4,65536,-1,0",
		"1,4,3,1.2.3.4,1,-2,0", "1,4,3,1.2.3.4,1,-1", "1,4,3,1.2.3.4,1,-1,",
		"1,4,3,1.2.3.4,1,-1,0,", "1,256,3,1.2.3.4,1,-1,0",
		"1,4,3,a,b,1,-1,0", "4294967295,4,3,,1,-1,0",
		"4294967296,4,3,,1,-1,0", "1,4,3",
	};
	static const struct {
		u32 number;
		enum atw_sock_status status;
	} states[] = {
		{ 0, ATW_SOCK_LOST }, { 1, ATW_SOCK_CONNECTING }, { 2, ATW_SOCK_OTHER },
		{ 3, ATW_SOCK_CONNECTED }, { 4, ATW_SOCK_FAILED }, { 5, ATW_SOCK_OTHER },
		{ 126, ATW_SOCK_OTHER }, { 127, ATW_SOCK_DELETED }, { 255, ATW_SOCK_OTHER },
	};
	struct atw_sock_row row;
	char text[32];
	size_t i;

	KUNIT_ASSERT_TRUE(test, atw_parse_sock_row("1,4,3,192.168.31.239,60000,-1,0",
						   &row));
	KUNIT_EXPECT_EQ(test, row.id, 1U);
	KUNIT_EXPECT_EQ(test, row.type, 4U);
	KUNIT_EXPECT_EQ(test, row.status, ATW_SOCK_CONNECTED);
	KUNIT_EXPECT_EQ(test, row.addr, 0xc0a81fefU);
	KUNIT_EXPECT_EQ(test, row.rport, 60000);
	KUNIT_EXPECT_EQ(test, row.lport, -1);
	KUNIT_ASSERT_TRUE(test, atw_parse_sock_row("3,3,127,,-1,1883,2", &row));
	KUNIT_EXPECT_EQ(test, row.status, ATW_SOCK_DELETED);
	KUNIT_EXPECT_EQ(test, row.addr, 0U);
	KUNIT_EXPECT_EQ(test, row.rport, -1);
	KUNIT_EXPECT_EQ(test, row.lport, 1883);
	KUNIT_EXPECT_EQ(test, row.server, 2U);
	KUNIT_ASSERT_TRUE(test, atw_parse_sock_row("9,4,3,1.example.org,80,-1,-1",
						   &row));
	KUNIT_EXPECT_EQ(test, row.addr, 0U);
	KUNIT_EXPECT_EQ(test, row.server, ATW_NO_ID);
	for (i = 0; i < ARRAY_SIZE(states); i++) {
		snprintf(text, sizeof(text), "9,4,%u,,80,-1,-1", states[i].number);
		KUNIT_ASSERT_TRUE(test, atw_parse_sock_row(text, &row));
		KUNIT_EXPECT_EQ(test, row.status, states[i].status);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_FALSE_MSG(test, atw_parse_sock_row(bad[i], &row),
				       "'%s'", bad[i]);
}

static void parse_wifi(struct kunit *test)
{
	/* Neither name nor password is escaped. */
	static const char joined[] =
		"+WJAP:3,a,b,c,d,14:de:39:06:86:e4,WPA2 TKIP,"
		"7c:b9:4c:1d:c6:39,6,192.168.3.142,192.168.3.1";
	static const u8 mac[] = { 0x7c, 0xb9, 0x4c, 0x1d, 0xc6, 0x39 };
	static const char *const bad[] = {
		"", "+WJAP:", "+WJAP:x", "+WJAP:x,", "+WJAP:1x", "+WJAP:256", "OK",
		"+STAINFO:3", "SSID:net",
	};
	static const char *const cut[] = {
		"+WJAP:3,", "+WJAP:3,,,,,,,,", "+WJAP:3,net,1.2.3.4",
		"+WJAP:3,n,p,14:de:39:06:86:e4,WPA2,7c:b9:4c:1d:c6:3,6,1.2.3.4,1.2.3.1",
		"+WJAP:3,n,p,14:de:39:06:86:e4,WPA2,7c:b9:4c:1d:c6:39,6,1.2.3.4,1.2.3.256",
		"+WJAP:3,n,p,14:de:39:06:86:e,WPA2,7c:b9:4c:1d:c6:39,6,1.2.3.4,1.2.3.1",
		"+WJAP:3,n,p,,WPA2,7c:b9:4c:1d:c6:39,6,1.2.3.4,1.2.3.1",
		"+WJAP:3,n,p,14:de:39:06:86:e4,WPA2,,6,1.2.3.4,1.2.3.1",
		"+WJAP:3,n,p,14:de:39:06:86:e4,WPA2,7c:b9:4c:1d:c6:39,6,,1.2.3.1",
		/* As much of it as a name has room for, to its last byte. */
		"+WJAP:3,7c:b9:4c:1d:c6:39,6,10.66.66.66,",
		"+WJAP:3,,7c:b9:4c:1d:c6:39,,10.6.6.6,1.",
		"+WJAP:2,,,7c:b9:4c:1d:c6:39,1,0.0.0.0,",
		"+WJAP:2,7c:b9:4c:1d:c6:39,,7c:b9:4c:1d:",
	};
	struct atw_wifi_status st;
	const char *rest;
	size_t i;

	rest = atw_parse_wifi_begin(joined, &st);
	KUNIT_ASSERT_NOT_NULL(test, rest);
	KUNIT_ASSERT_TRUE(test, atw_parse_wifi_end(rest, true, &st));
	KUNIT_EXPECT_EQ(test, st.status, ATW_WIFI_JOINED);
	KUNIT_EXPECT_EQ(test, st.addr, 0xc0a8038eU);
	KUNIT_EXPECT_EQ(test, st.gateway, 0xc0a80301U);
	KUNIT_EXPECT_TRUE(test, st.has_mac);
	KUNIT_EXPECT_EQ(test, memcmp(st.mac, mac, sizeof(mac)), 0);
	rest = atw_parse_wifi_begin("+WJAP:3,n,p,14:de:39:06:86:e4,WPA2,7c:b9:4c:1d:c6:39,6,"
				    "0.0.0.0,0.0.0.0", &st);
	KUNIT_ASSERT_NOT_NULL(test, rest);
	KUNIT_EXPECT_TRUE(test, atw_parse_wifi_end(rest, true, &st));
	KUNIT_EXPECT_EQ(test, st.addr, 0U);
	KUNIT_EXPECT_STREQ(test, "", atw_parse_wifi_begin("+WJAP:0", &st));
	KUNIT_EXPECT_EQ(test, st.status, ATW_WIFI_OUT);
	KUNIT_EXPECT_FALSE(test, st.has_mac);
	for (i = 0; i < ARRAY_SIZE(cut); i++) {
		rest = atw_parse_wifi_begin(cut[i], &st);
		KUNIT_ASSERT_NOT_NULL_MSG(test, rest, "'%s'", cut[i]);
		KUNIT_EXPECT_FALSE_MSG(test, atw_parse_wifi_end(rest, true, &st), "'%s'", cut[i]);
		KUNIT_EXPECT_FALSE_MSG(test, st.has_mac || st.addr, "'%s'", cut[i]);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_NULL_MSG(test, atw_parse_wifi_begin(bad[i], &st), "'%s'", bad[i]);
}

/* A network's name with ends of lines in it, by which it looks like other words. */
static void parse_wifi_name(struct kunit *test)
{
	static const char rest[] =
		",pw,14:de:39:06:86:e4,WPA2 AES,7c:b9:4c:1d:c6:39,6,10.0.0.9,10.0.0.1";
	static const char *const names[] = {
		"\r\nOK\r\n", "x\r\nready\r\n", "\r\nERROR\r\n\n\n\n\n\n\n\n\n\n",
		"\n+EVENT:SocketDown,100,50,", "\n+EVENT:SocketDisconnect,100\n",
		"\nUnknown cmd:x\n", "\n+WJAP:0\n", "\n,,7c:b9:4c:1d:c6:39,,1.2.3.4,\n",
		"\n7c:b9:4c:1d:c6:39,,1.1.1.1,\n", "\n0,7c:b9:4c:1d:c6:39,9,1.1.1.1,",
	};
	static const char zeros[] =
		",x,pw,00:00:00:00:00:00,,7c:b9:4c:1d:c6:39,0,,";
	struct run *r = run_new(test);
	struct atw_wifi_status st = { 0 };
	char text[160], *line, *at;
	bool good;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		scnprintf(text, sizeof(text), "3,%s%s\r\n", names[i], rest);
		run_start(r, TEXT | FINAL | PROMPT);
		r->p.name = true;
		run_feed(r, text, strlen(text));
		/* Lines, and nothing else. */
		for (line = r->log; *line; line = at + strlen(") ")) {
			KUNIT_ASSERT_EQ_MSG(test, 0, strncmp(line, "LINE(", 5), "%s", line);
			at = strstr(line, ") ");
			KUNIT_ASSERT_NOT_NULL(test, at);
			*at = '\0';
			memset(&st, 0, sizeof(st));
			st.status = ATW_WIFI_JOINED;
			good = atw_parse_wifi_end(line + 5, true, &st);
			KUNIT_EXPECT_EQ_MSG(test, good, !at[2], "%s", line);
		}
		KUNIT_EXPECT_EQ(test, st.status, ATW_WIFI_JOINED);
		KUNIT_EXPECT_EQ(test, st.addr, 0x0a000009U);
		KUNIT_EXPECT_EQ(test, st.gateway, 0x0a000001U);
	}
	r->p.name = false;
	run_feed(r, "\r\nOK\r\n", 6);
	KUNIT_EXPECT_STREQ(test, at + 2, "OK ");

	/* Not joined, it may have no address, and a name has no more room than before. */
	st.status = ATW_WIFI_CONNECTING;
	KUNIT_EXPECT_TRUE(test, atw_parse_wifi_end(zeros, true, &st));
	KUNIT_EXPECT_EQ(test, st.status, ATW_WIFI_CONNECTING);
	KUNIT_EXPECT_TRUE(test, st.has_mac);
	KUNIT_EXPECT_EQ(test, st.addr, 0U);
	KUNIT_EXPECT_FALSE(test, atw_parse_wifi_end("x,pw,,,7c:b9:4c:1d:c6:39,0,,", true, &st));
	KUNIT_EXPECT_FALSE(test, atw_parse_wifi_end("x,pw,,,,0,,", true, &st));
	/* Where that cannot be a name's it is what the module does not know. */
	KUNIT_EXPECT_TRUE(test, atw_parse_wifi_end("x,pw,,,7c:b9:4c:1d:c6:39,0,,", false, &st));
	KUNIT_EXPECT_TRUE(test, st.has_mac);
	KUNIT_EXPECT_TRUE(test, atw_parse_wifi_end("x,pw,,,,0,,", false, &st));
	KUNIT_EXPECT_FALSE(test, st.has_mac);
	KUNIT_EXPECT_FALSE(test, atw_parse_wifi_end("x,pw,,,7c:b9,0,,", false, &st));
	st.status = ATW_WIFI_JOINED;
	KUNIT_EXPECT_FALSE(test, atw_parse_wifi_end("x,pw,,,,0,,", false, &st));
}

/* Which network it is, and never its password. */
static void parse_wifi_network(struct kunit *test)
{
	static const u8 bssid[] = { 0x14, 0xde, 0x39, 0x06, 0x86, 0xe4 };
	static const struct {
		const char *line, *ssid, *security;
		u8 channel;
	} good[] = {
#define REST(security, channel)	",14:de:39:06:86:e4," security ",7c:b9:4c:1d:c6:39," channel \
				",192.0.2.2,192.0.2.1"
		{ ",net,secret" REST("WPA2 AES", "6"), "net", "WPA2 AES", 6 },
		{ ",net," REST("Open", "11"), "net", "Open", 11 },
		{ ",a,b,c," REST("Open", "149"), "a,b,c", "Open", 149 },
		{ ",\xc3\xa4 \"\\,12345678" REST("WPA/WPA2 Mixed", "1"), "\xc3\xa4 \"\\",
		  "WPA/WPA2 Mixed", 1 },
		{ ",12345678901234567890123456789012,x" REST("WPA2 AES", "6"),
		  "12345678901234567890123456789012", "WPA2 AES", 6 },
		/* It may be the name's comma, or the password's. */
		{ ",a,b,secret" REST("WPA2 AES", "6"), "", "WPA2 AES", 6 },
		{ ",a,secret," REST("WPA2 AES", "6"), "", "WPA2 AES", 6 },
		{ ",123456789012345678901234567890123,x" REST("WPA2 AES", "6"), "", "WPA2 AES", 6 },
		{ ",net,secret" REST("WPA2\tAES", "6"), "net", "", 6 },
		{ ",net,secret" REST("WPA2 AES", "197"), "net", "WPA2 AES", 0 },
		/* Name and password were lost, or the module does not tell them. */
		{ REST("Open", "6"), "", "Open", 6 },
		{ "," REST("Open", "6"), "", "Open", 6 },
		{ ",," REST("Open", "6"), "", "Open", 6 },
	};
	static const char *const bad[] = {
		"", ",", ",net,secret,,WPA2 AES,7c:b9:4c:1d:c6:39,6,192.0.2.2,192.0.2.1",
		",192.0.2.2,192.0.2.1",
	};
	struct atw_network net;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		KUNIT_EXPECT_TRUE_MSG(test, atw_parse_wifi_network(good[i].line, false, &net),
				      "%s", good[i].line);
		KUNIT_EXPECT_STREQ(test, net.ssid, good[i].ssid);
		KUNIT_EXPECT_STREQ(test, net.security, good[i].security);
		KUNIT_EXPECT_EQ(test, net.channel, good[i].channel);
		KUNIT_EXPECT_EQ(test, net.rssi, 0);
		KUNIT_EXPECT_EQ(test, memcmp(net.bssid, bssid, sizeof(bssid)), 0);
		/* The begin of a name that had ends of lines is not known. */
		KUNIT_EXPECT_TRUE(test, atw_parse_wifi_network(good[i].line, true, &net));
		KUNIT_EXPECT_STREQ(test, net.ssid, "");
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_FALSE_MSG(test, atw_parse_wifi_network(bad[i], false, &net), "%s",
				       bad[i]);
}

static void parse_signal(struct kunit *test)
{
	static const char *const bad[] = {
		"", "+WRSSI", "+WRSSI:", "+WRSSI:-", "+WRSSI:50", "+WRSSI:-128", "+WRSSI:-50x",
		"+WRSSI  :-50", "WRSSI:-50", "+WRSSI:73",
	};
	s8 rssi = 1;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_FALSE_MSG(test, atw_parse_signal(bad[i], &rssi), "%s", bad[i]);
	KUNIT_EXPECT_EQ(test, rssi, 1);
	KUNIT_EXPECT_TRUE(test, atw_parse_signal("+WRSSI:-50", &rssi));
	KUNIT_EXPECT_EQ(test, rssi, -50);
	KUNIT_EXPECT_TRUE(test, atw_parse_signal("+WRSSI :-127", &rssi));
	KUNIT_EXPECT_EQ(test, rssi, -127);
}

static void parse_ap(struct kunit *test)
{
#define AP_END	",WPA2 AES,6,3,0,7c:b9:4c:1d:d6:33,192.168.43.1,192.168.43.1"
	static const struct {
		const char *line;
		const char *ssid;
	} good[] = {
		{ "+WAP:mine,secret99" AP_END, "mine" },
		{ "+WAP:a \"b\" \\,secret99" AP_END, "a \"b\" \\" },
		/* Where one ends and the other begins nobody can tell. */
		{ "+WAP:mine,secr,t99" AP_END, "" },
		{ "+WAP:mine,x,,Open,6,3,0,7c:b9:4c:1d:d6:33,192.168.43.1,192.168.43.1", "mine,x" },
		{ "+WAP:,Open,6,3,0,7c:b9:4c:1d:d6:33,192.168.43.1,192.168.43.1", "" },
		{ "+WAP:,,Open,6,3,0,7c:b9:4c:1d:d6:33,192.168.43.1,192.168.43.1", "" },
	};
	static const char *const bad[] = {
		"+WAP:72", "+WAP:", "+WAP:mine,secret99",
		"+WJAP:mine,secret99,WPA2 AES,6,3,0,7c:b9:4c:1d:d6:33,192.168.43.1,192.168.43.1",
		"+WAP:,6,3,0,7c:b9:4c:1d:d6:33,192.168.43.1,192.168.43.1",
		"+WAP:mine,secret99,WPA2 AES,6,3,2,7c:b9:4c:1d:d6:33,192.168.43.1,192.168.43.1",
		"+WAP:mine,secret99,WPA2 AES,six,3,0,7c:b9:4c:1d:d6:33,192.168.43.1,192.168.43.1",
		"+WAP:mine,secret99,WPA2 AES,6,3,0,7c:b9:4c:1d:d6:3,192.168.43.1,192.168.43.1",
	};
	static const u8 mac[] = { 0x02, 0, 0, 0, 0xab, 0xcd };
	struct atw_network net = { 0 };
	bool hidden = true, known;
	u8 got[6] = { 0 };
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_FALSE_MSG(test, atw_parse_ap(bad[i], &net, &hidden), "%s", bad[i]);
	KUNIT_EXPECT_EQ(test, net.channel, 0);
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		KUNIT_ASSERT_TRUE_MSG(test, atw_parse_ap(good[i].line, &net, &hidden), "%s",
				      good[i].line);
		KUNIT_EXPECT_STREQ(test, net.ssid, good[i].ssid);
		KUNIT_EXPECT_EQ(test, net.channel, 6);
		KUNIT_EXPECT_EQ(test, net.bssid[5], 0x33);
		KUNIT_EXPECT_FALSE(test, hidden);
	}
	KUNIT_EXPECT_TRUE(test, atw_parse_ap("+WAP:x,secret99,WPA2 AES,14,3,1,7c:b9:4c:1d:d6:33,,",
					     &net, &hidden));
	KUNIT_EXPECT_TRUE(test, hidden);
	KUNIT_EXPECT_TRUE(test, atw_parse_ap_station("Client Num: 2", &known, got));
	KUNIT_EXPECT_FALSE(test, known);
	KUNIT_EXPECT_TRUE(test, atw_parse_ap_station("Client 1 MAC:02:00:00:00:ab:CD", &known,
						     got));
	KUNIT_EXPECT_TRUE(test, known);
	KUNIT_EXPECT_EQ(test, memcmp(got, mac, sizeof(mac)), 0);
	KUNIT_EXPECT_FALSE(test, atw_parse_ap_station("Client 1 MAC:", &known, got));
	KUNIT_EXPECT_FALSE(test, atw_parse_ap_station("Client Num: 2x", &known, got));
	KUNIT_EXPECT_FALSE(test, atw_parse_ap_station("Client", &known, got));
}

static void parse_dns(struct kunit *test)
{
	static const char *const bad[] = {
		"+WDNS:", "+WDNS:1.2.3", "+WDNS:1.2.3.4,", "+WDNS:1.2.3.4,x",
		"+WDNS:1.2.3.4,5.6.7.8,9.9.9.9", "+WDNS:98", "+WDNS:256.1.1.1",
		"+DNS:1.2.3.4", "WDNS:1.2.3.4,5.6.7.8",
	};
	u32 addr[2] = { 1, 2 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_FALSE_MSG(test, atw_parse_dns(bad[i], addr),
				       "'%s'", bad[i]);
	KUNIT_EXPECT_EQ(test, addr[0], 1U);
	KUNIT_EXPECT_EQ(test, addr[1], 2U);
	KUNIT_ASSERT_TRUE(test, atw_parse_dns("+WDNS:192.168.3.1,0.0.0.0", addr));
	KUNIT_EXPECT_EQ(test, addr[0], 0xc0a80301U);
	KUNIT_EXPECT_EQ(test, addr[1], 0U);
	KUNIT_ASSERT_TRUE(test, atw_parse_dns("+WDNS:1.2.3.4", addr));
	KUNIT_EXPECT_EQ(test, addr[0], 0x01020304U);
	KUNIT_EXPECT_EQ(test, addr[1], 0U);
}

static void parse_country(struct kunit *test)
{
	static const struct {
		const char	*line;
		const char	*country;
	} good[] = {
		{ "+WCOUNTRY:0", "00" }, { "+WCOUNTRY:1", "JP" }, { "+WCOUNTRY:15", "BR" },
		{ "+WCOUNTRY:16", "EU" }, { "+WCOUNTRY:17", "00" }, { "+WCOUNTRY:255", "00" },
	};
	static const char *const bad[] = {
		"", "+WCOUNTRY:", "+WCOUNTRY:1,", "+WCOUNTRY:x", "+WCOUNTRY:-1", "+WCOUNTRY:256",
		"WCOUNTRY:1", "+WCOUNTRY=1",
	};
	char country[ATW_COUNTRY_LEN] = "??";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_FALSE_MSG(test, atw_parse_country(bad[i], country), "'%s'", bad[i]);
	KUNIT_EXPECT_STREQ(test, "??", country);
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		KUNIT_EXPECT_TRUE_MSG(test, atw_parse_country(good[i].line, country), "'%s'",
				      good[i].line);
		KUNIT_EXPECT_STREQ(test, good[i].country, country);
	}
}

static void parse_sta_mac(struct kunit *test)
{
	static const char *const bad[] = {
		"", "+", "CIPSTAMAC_DEF", "+CIPSTAMAC_DEF:", "+CIPSTAMAC_DEF:84f3ebdd9e6",
		"+CIPSTAMAC_DEF:84f3ebdd9e633", "+CIPSTAMAC_DEF:84f3ebdd9eg3",
		"+CIPSTAMAC_DEF:84:f3:ebdd9e", "++CIPSTAMAC_DEF:84f3ebdd9e63",
		"+CIPSTAMAC:84f3ebdd9e63",
	};
	static const char *const good[] = {
		"+CIPSTAMAC_DEF:84f3ebdd9e63", "CIPSTAMAC_DEF:84F3EBDD9E63",
	};
	static const u8 want[6] = { 0x84, 0xf3, 0xeb, 0xdd, 0x9e, 0x63 };
	u8 mac[6];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_FALSE_MSG(test, atw_parse_sta_mac(bad[i], mac),
				       "'%s'", bad[i]);
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		memset(mac, 0, sizeof(mac));
		KUNIT_EXPECT_TRUE(test, atw_parse_sta_mac(good[i], mac));
		KUNIT_EXPECT_EQ(test, memcmp(mac, want, sizeof(mac)), 0);
	}
}

static void parse_dhcp(struct kunit *test)
{
	static const struct {
		const char	*line;
		u32		mask;
	} good[] = {
		{ "+WSDHCP:1", 0 },
		{ "+WSDHCP:0", 0 },
		{ "+WSDHCP:0,192.168.3.7,255.255.255.0,192.168.3.1", 0xffffff00 },
		{ "+WSDHCP:0,10.0.0.2,255.0.0.0", 0xff000000 },
		{ "+WSDHCP:0,10.0.0.2,255.0.255.0,10.0.0.1", 0 },
		{ "+WSDHCP:0,10.0.0.2,254.0.0.0,10.0.0.1", 0 },
		{ "+WSDHCP:0,10.0.0.2,128.0.0.0,10.0.0.1", 0 },
		{ "+WSDHCP:0,10.0.0.2,255.255.255.255,10.0.0.1", 0xffffffff },
		{ "+WSDHCP:0,10.0.0.2,255.255.255,10.0.0.1", 0 },
		{ "+WSDHCP:0,10.0.0.2", 0 },
		{ "+WSDHCP:1,10.0.0.2,255.0.0.0,10.0.0.1", 0 },
	};
	u32 mask = 7;
	size_t i;

	KUNIT_EXPECT_FALSE(test, atw_parse_dhcp("+WDHCP:1", &mask));
	KUNIT_EXPECT_FALSE(test, atw_parse_dhcp("+WSDHCP:0,10.0.0.2,255.255.255.0x",
						&mask));
	KUNIT_EXPECT_FALSE(test, atw_parse_dhcp("WSDHCP:0,1.2.3.4,255.0.0.0,1.1.1.1",
						&mask));
	KUNIT_EXPECT_EQ(test, mask, 7U);
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		KUNIT_EXPECT_TRUE_MSG(test, atw_parse_dhcp(good[i].line, &mask),
				      "'%s'", good[i].line);
		KUNIT_EXPECT_EQ_MSG(test, mask, good[i].mask, "'%s'",
				    good[i].line);
	}
}

static void parse_autott(struct kunit *test)
{
	static const char *const bad[] = {
		"+SOCKETAUTOTT:", "+SOCKETAUTOTT:4", "+SOCKETAUTOTT:4,a",
		"+SOCKETAUTOTT:4,a,", "+SOCKETAUTOTT:4,a,65536",
		"+SOCKETAUTOTT:4,a,80,1", "+SOCKETAUTOTT:256,a,80",
		"+SOCKETAUTOTT:4,a b,80", "+SOCKETAUTOTT:4,a\tb,80",
		"+SOCKETAUTOTT:4,\xc3\xa4,80", "+SOCKETAUTOTT:x,a,80",
	};
	char line[160] = "+SOCKETAUTOTT:4,";
	struct atw_autott tt;
	size_t i;

	KUNIT_ASSERT_TRUE(test, atw_parse_autott("+SOCKETAUTOTT:0,,0", &tt));
	KUNIT_EXPECT_EQ(test, tt.type, 0U);
	KUNIT_ASSERT_TRUE(test, atw_parse_autott("+SOCKETAUTOTT:0", &tt));
	KUNIT_ASSERT_TRUE(test, atw_parse_autott("+SOCKETAUTOTT:1,,5000", &tt));
	KUNIT_EXPECT_STREQ(test, tt.host, "");
	KUNIT_EXPECT_EQ(test, tt.port, 5000);
	KUNIT_ASSERT_TRUE(test, atw_parse_autott("+SOCKETAUTOTT:7,a.example,443",
						 &tt));
	KUNIT_EXPECT_EQ(test, tt.type, 7U);
	KUNIT_EXPECT_STREQ(test, tt.host, "a.example");
	KUNIT_EXPECT_EQ(test, tt.port, 443);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_FALSE_MSG(test, atw_parse_autott(bad[i], &tt),
				       "'%s'", bad[i]);
	/* The longest name that there is room for, and one byte more. */
	memset(line + 16, 'a', 119);
	strscpy(line + 16 + 119, ",1", 3);
	KUNIT_EXPECT_TRUE(test, atw_parse_autott(line, &tt));
	KUNIT_EXPECT_EQ(test, strlen(tt.host), 119UL);
	memset(line + 16, 'a', 120);
	strscpy(line + 16 + 120, ",1", 3);
	KUNIT_EXPECT_FALSE(test, atw_parse_autott(line, &tt));
}

static struct kunit_case parse_cases[] = {
	KUNIT_CASE(parse_samples),
	KUNIT_CASE(parse_torn),
	KUNIT_CASE(parse_torn_as_long),
	KUNIT_CASE(parse_swallowed),
	KUNIT_CASE(parse_torn_unasked),
	KUNIT_CASE(parse_torn_late),
	KUNIT_CASE(parse_torn_two_ways),
	KUNIT_CASE(parse_torn_while_connecting),
	KUNIT_CASE(parse_torn_chosen),
	KUNIT_CASE(parse_torn_closed),
	KUNIT_CASE(parse_torn_bad),
	KUNIT_CASE(parse_no_sink),
	KUNIT_CASE(parse_line_bounds),
	KUNIT_CASE(parse_payload_bounds),
	KUNIT_CASE(parse_lost),
	KUNIT_CASE(parse_silent_loss),
	KUNIT_CASE(parse_restart),
	KUNIT_CASE(parse_numbers),
	KUNIT_CASE(parse_rows),
	KUNIT_CASE(parse_wifi),
	KUNIT_CASE(parse_wifi_name),
	KUNIT_CASE(parse_wifi_network),
	KUNIT_CASE(parse_signal),
	KUNIT_CASE(parse_ap),
	KUNIT_CASE(parse_dns),
	KUNIT_CASE(parse_dhcp),
	KUNIT_CASE(parse_country),
	KUNIT_CASE(parse_sta_mac),
	KUNIT_CASE(parse_autott),
	{}
};

static struct kunit_suite parse_suite = {
	.name = "atwifi_parse",
	.test_cases = parse_cases,
};

kunit_test_suites(&parse_suite);
