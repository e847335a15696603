// SPDX-License-Identifier: GPL-2.0-only
/*
 * atwctl, and the generic-netlink family below it: what it shows, what it
 * changes, what it refuses and in which words, and the events.
 *
 * ATW_CTL is the program. Its JSON is read by another one's parser: python3's, where
 * there is one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>

#include <linux/atwifi_genl.h>

#include "kselftest_harness.h"
#include "util.h"

/* The driver gives a command of a user's 45 s, and then has to find the module. */
#define RECOVERY_MS	(2 * LONG_MS)
#define NOBODY		"nobody: "

/* What the last command has printed, standard error included. */
static char said[128 * 1024];

/* Become a shell that runs a command, without privileges where it begins with NOBODY. */
static void shell(const char *format, va_list ap)
{
	char text[2048], command[4096];
	bool nobody;

	vsnprintf(text, sizeof(text), format, ap);
	nobody = !strncmp(text, NOBODY, strlen(NOBODY));
	if (nobody && (setgroups(0, NULL) || setresgid(65534, 65534, 65534) ||
		       setresuid(65534, 65534, 65534)))
		_exit(126);
	/* What is to go on until it is ended goes with the test. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(command, sizeof(command), "A=%s; %s", atw_env("ATW_CTL", "atwctl"),
		 text + (nobody ? strlen(NOBODY) : 0));
	execl("/bin/sh", "sh", "-c", command, NULL);
	_exit(127);
}

/* Run a shell command with $A for atwctl; returns its exit status. */
__attribute__((format(printf, 1, 2)))
static int sh(const char *fmt, ...)
{
	int out[2], status = -1;
	size_t have = 0;
	va_list ap;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC))
		return -1;
	va_start(ap, fmt);
	pid = fork();
	if (!pid) {
		dup2(out[1], 1);
		dup2(out[1], 2);
		shell(fmt, ap);
	}
	va_end(ap);
	close(out[1]);
	while (have < sizeof(said) - 1) {
		ssize_t got = read(out[0], said + have, sizeof(said) - 1 - have);

		if (got <= 0)
			break;
		have += got;
	}
	said[have] = '\0';
	close(out[0]);
	if (pid > 0)
		waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool python(void)
{
	return !sh("command -v python3");
}

/*
 * Is the JSON that a command prints valid, and is a python expression of it true?
 * Where there is no python3 it is enough that it prints some.
 */
static bool json(const char *args, const char *expression)
{
	if (!python())
		return !sh("$A --json %s", args) && (*said == '{' || *said == '[');
	return !sh("$A --json %s | python3 -c 'import json, os, sys\n"
		   "d = json.loads(sys.stdin.buffer.read().decode())\n"
		   "sys.exit(0 if (%s) else repr(d))'", args, expression);
}

#define SAID(words)	(strstr(said, words))

/* A command that fails: its status, and words of its message. */
#define ASSERT_FAILS(status, words, ...) do {				\
	const char *wanted = words;					\
									\
	ASSERT_EQ(status, sh(__VA_ARGS__)) {				\
		TH_LOG("%s", said);					\
	}								\
	ASSERT_TRUE(SAID(wanted)) {					\
		TH_LOG("not '%s' but: %s", wanted, said);		\
	}								\
} while (0)

#define ASSERT_SAYS(text, ...) do {					\
	ASSERT_EQ(0, sh(__VA_ARGS__)) {					\
		TH_LOG("%s", said);					\
	}								\
	ASSERT_STREQ(text, said);					\
} while (0)

#define ASSERT_JSON(args, expression) do {				\
	bool good = json(args, expression);				\
									\
	ASSERT_TRUE(good) {						\
		TH_LOG("%s", said);					\
	}								\
} while (0)

FIXTURE(ctl)
{
	int unused;
};

/* A firmware that lacks what was added later. */
static bool old_firmware(void)
{
	return *atw_env("ATW_OLD", "");
}

FIXTURE_SETUP(ctl)
{
	if (!*atw_env("ATW_CTL", ""))
		SKIP(return, "no atwctl");
	ASSERT_TRUE(atw_settled());
}

FIXTURE_TEARDOWN(ctl)
{
	if (atw_has_sim()) {
		EXPECT_EQ(0, atw_sim("sound"));
	}
}

/* What the emulator says to one who does not read it, as he was killed, is no other's answer. */
TEST_F(ctl, stale_answer)
{
	const char *path = atw_env("ATW_SIM_CONTROL", "");
	char reply[2048];
	int fd;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(6, write(fd, "stats\n", 6));
	EXPECT_EQ(0, atw_sim_at(path, reply, sizeof(reply), "clear"));
	EXPECT_STREQ("ok", reply);
	close(fd);
}

TEST_F(ctl, list)
{
	ASSERT_EQ(0, sh("$A list"));
	ASSERT_NE(NULL, SAID(ATW_DEVICE));
	ASSERT_NE(NULL, SAID("joined"));
	ASSERT_NE(NULL, SAID("192.168.3.142"));
	ASSERT_JSON("list", "len(d) == 1 and d[0][\"name\"] == \"atw0\" and "
		    "d[0][\"state\"] == \"joined\" and d[0][\"address\"] == \"192.168.3.142\" and "
		    "d[0][\"gateway\"] == \"192.168.3.1\" and d[0][\"recv_mode\"] == \"active\"");
}

TEST_F(ctl, show)
{
	char *version = atw_slurp("/sys/class/atwifi/" ATW_DEVICE "/firmware");

	ASSERT_NE(NULL, version);
	version[strcspn(version, "\n")] = '\0';
	ASSERT_EQ(0, sh("$A show"));
	ASSERT_NE(NULL, SAID(version));
	ASSERT_EQ(NULL, SAID("12345678"));
	ASSERT_EQ(0, sh("$A --device " ATW_DEVICE " show"));
	free(version);
	ASSERT_JSON("show " ATW_DEVICE, "d[\"stats\"][\"commands\"] > 5 and d[\"baud\"] > 0 and "
		    "len(d[\"mac\"]) == 17 and (d[\"profile\"] == \"unknown\") == "
		    "(\"ATW_UNKNOWN\" in os.environ)");
	/* All that is in sysfs, and the same. Those left out may go on meanwhile. */
	ASSERT_JSON("show " ATW_DEVICE,
		    "d[\"stats\"].keys() == set(os.listdir(\"/sys/class/atwifi/atw0/statistics\")) "
		    "and all(int(open(\"/sys/class/atwifi/atw0/statistics/\" + n).read()) == v "
		    "for n, v in d[\"stats\"].items() "
		    "if n not in (\"rx_bytes\", \"tx_bytes\", \"commands\"))");
	ASSERT_JSON("show", "d[\"ifname\"] == \"atw0\" and d[\"ifindex\"] == "
		    "int(open(\"/sys/class/net/atw0/ifindex\").read())");
	ASSERT_FAILS(1, "no such device", "$A show atw7");
	ASSERT_FAILS(1, ATW_DEVICE "x", "$A show " ATW_DEVICE "x");
	/* Longer than a name can be. */
	ASSERT_FAILS(1, "", "$A show atw0000000000000000");
}

TEST_F(ctl, sockets)
{
	char expression[512];
	struct stat st;
	int fd;

	ASSERT_SAYS("", "$A sockets");
	ASSERT_JSON("sockets", "d == []");
	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	ASSERT_TRUE(atw_echo_works(fd, 5, 1500));
	ASSERT_EQ(0, fstat(fd, &st));
	snprintf(expression, sizeof(expression),
		 "len(d) == 1 and d[0][\"dev\"] == \"atw0\" and d[0][\"state\"] == \"open\" and "
		 "d[0][\"type\"] == \"tcp-client\" and d[0][\"port\"] == %d and "
		 "d[0][\"address\"] == \"192.0.2.1\" and d[0][\"rx_bytes\"] >= 1500 and "
		 "d[0][\"tx_bytes\"] >= 1500 and d[0][\"unsent\"] == 0 and d[0][\"id\"] > 0 and "
		 "d[0][\"uid\"] == 0 and d[0][\"inode\"] == %lu",
		 atw_peer_port(), (unsigned long)st.st_ino);
	ASSERT_TRUE(json("sockets " ATW_DEVICE, expression)) {
		TH_LOG("%s", said);
	}
	ASSERT_EQ(0, sh("$A sockets"));
	ASSERT_NE(NULL, SAID("192.0.2.1"));
	ASSERT_JSON("sockets atw7", "d == []");
	close(fd);
}

/*
 * How many AT commands a shell command costs: the least of six tries, since the
 * driver asks for the state of the link now and then.
 */
static long cost(const char *command)
{
	long before, least = 1000;
	int i;

	for (i = 0; i < 6; i++) {
		before = atw_stat(ATW_DEVICE, "commands");
		if (sh("%s", command))
			return -1;
		if (atw_stat(ATW_DEVICE, "commands") - before < least)
			least = atw_stat(ATW_DEVICE, "commands") - before;
	}
	return least;
}

/* Until a command succeeds. */
static bool becomes(const char *command)
{
	return atw_becomes(!sh("%s", command), RECOVERY_MS);
}

/* So many that they do not fit one message of the dump: one that connects, and
 * those that wait for it.
 */
TEST_F(ctl, many_sockets)
{
	struct sockaddr_atw addr;
	int fd[200], i;

	if (!atw_has_sim())
		SKIP(return, "no emulator to control");
	ASSERT_EQ(0, atw_hold(HOLD_LONG));
	for (i = 0; i < 200; i++) {
		fd[i] = socket(atw_family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		ASSERT_LE(0, fd[i]);
		addr = atw_addr(atw_env("ATW_HOLE", "198.51.100.1"), 10000 + i);
		ASSERT_ERRNO(EINPROGRESS, atw_connect(fd[i], &addr));
	}
	ASSERT_TRUE(becomes("$A sockets | grep opening"));
	ASSERT_JSON("sockets", "{s[\"port\"] for s in d} == set(range(10000, 10200)) and "
		    "[s[\"state\"] for s in d].count(\"opening\") == 1");
	for (i = 0; i < 200; i++)
		close(fd[i]);
}

TEST_F(ctl, dns)
{
	if (old_firmware()) {
		long bringups = atw_stat(ATW_DEVICE, "bringups");

		ASSERT_FAILS(1, "firmware does not know", "$A dns");
		ASSERT_FAILS(1, "firmware does not know", "$A dns 192.0.2.53");
		ASSERT_FAILS(1, "firmware does not know", "$A at 'AT+WDNS?'");
		/* It is taken for an answer, not for a fault. */
		ASSERT_EQ(0, sh("$A at AT"));
		ASSERT_EQ(bringups, atw_stat(ATW_DEVICE, "bringups"));
		return;
	}
	ASSERT_SAYS("192.168.3.1\n", "$A dns");
	ASSERT_SAYS("", "$A dns 192.0.2.53 192.0.2.54");
	ASSERT_SAYS("192.0.2.53\n192.0.2.54\n", "$A dns");
	ASSERT_JSON("dns", "d == {\"dev\": \"atw0\", "
		    "\"servers\": [\"192.0.2.53\", \"192.0.2.54\"]}");
	/* The same again: it is asked for, and not written. */
	ASSERT_EQ(1, cost("$A dns 192.0.2.53 192.0.2.54"));
	ASSERT_SAYS("", "$A dns 192.168.3.1");
	ASSERT_SAYS("192.168.3.1\n", "$A dns");
	ASSERT_FAILS(1, "not the address of a server", "$A dns 0.0.0.0");
	ASSERT_FAILS(1, "not the address of a server", "$A dns 255.255.255.255");
	ASSERT_FAILS(1, "not the address of a server", "$A dns 192.0.2.1 224.0.0.1");
	ASSERT_FAILS(2, "'a.example' is not an IPv4 address", "$A dns a.example");
	ASSERT_FAILS(2, "usage: atwctl dns", "$A dns 192.0.2.1 192.0.2.2 192.0.2.3");
	ASSERT_SAYS("192.168.3.1\n", "$A dns");
}

TEST_F(ctl, resolve)
{
	const char *name = atw_env("ATW_NAME", "peer.test");
	char args[64], says[128];

	if (old_firmware()) {
		ASSERT_FAILS(1, "firmware does not know", "$A resolve %s", name);
		return;
	}
	ASSERT_SAYS("192.0.2.1\n", "$A resolve %s", name);
	snprintf(args, sizeof(args), "resolve %s", name);
	snprintf(says, sizeof(says), "d == {\"dev\": \"atw0\", \"host\": \"%s\", "
		 "\"address\": \"192.0.2.1\"}", name);
	ASSERT_JSON(args, says);
	ASSERT_SAYS("192.0.2.7\n", "$A resolve 192.0.2.7");
	ASSERT_FAILS(1, "the module cannot resolve", "$A resolve nobody.test");
	ASSERT_FAILS(1, "letters, digits", "$A resolve 'a\"b'");
	ASSERT_FAILS(1, "letters, digits", "$A resolve \"$(printf 'a\\r\\nAT+RST')\"");
	ASSERT_FAILS(1, "letters, digits", "$A resolve ''");
	ASSERT_FAILS(1, "at most 119 bytes", "$A resolve $(printf '%%0120d' 1)");
	ASSERT_FAILS(2, "usage", "$A resolve");
}

TEST_F(ctl, autott)
{
	if (old_firmware()) {
		ASSERT_FAILS(1, "firmware does not know", "$A autott");
		ASSERT_FAILS(1, "firmware does not know", "$A autott none");
		return;
	}
	ASSERT_SAYS("none\n", "$A autott");
	ASSERT_SAYS("", "$A autott tcp-client peer.test 7007");
	ASSERT_SAYS("tcp-client peer.test 7007\n", "$A autott");
	ASSERT_JSON("autott", "d == {\"dev\": \"atw0\", \"type\": \"tcp-client\", "
		    "\"host\": \"peer.test\", \"port\": 7007}");
	ASSERT_EQ(1, cost("$A autott tcp-client peer.test 7007"));
	ASSERT_SAYS("", "$A autott udp-client 192.0.2.1 65535");
	ASSERT_SAYS("udp-client 192.0.2.1 65535\n", "$A autott");
	ASSERT_SAYS("", "$A autott tls-client a.example 443");
	ASSERT_SAYS("tls-client a.example 443\n", "$A autott");
	ASSERT_SAYS("", "$A autott udp-server 5000");
	ASSERT_SAYS("udp-server 5000\n", "$A autott");
	ASSERT_FAILS(1, "the types are", "$A autott tcp-server 5000");
	ASSERT_FAILS(1, "the types are", "$A autott tcp-accepted 5000");
	ASSERT_FAILS(1, "no remote host", "$A autott udp-server peer.test 5000");
	ASSERT_FAILS(1, "no host is named", "$A autott tcp-client 5000");
	ASSERT_FAILS(1, "letters, digits", "$A autott tcp-client 'a,b' 5000");
	ASSERT_FAILS(1, "at most 119 bytes", "$A autott tcp-client a$(printf '%%0300d' 1) 5000");
	ASSERT_FAILS(1, "no port is named", "$A autott udp-server");
	ASSERT_FAILS(2, "not a port", "$A autott udp-server 0");
	ASSERT_FAILS(2, "not a port", "$A autott udp-server 65536");
	ASSERT_FAILS(2, "no type", "$A autott sctp 5000");
	ASSERT_SAYS("udp-server 5000\n", "$A autott");
	ASSERT_SAYS("", "$A autott none");
	ASSERT_SAYS("none\n", "$A autott");
	ASSERT_JSON("autott", "d == {\"dev\": \"atw0\", \"type\": \"none\"}");
}

/*
 * A module that starts in transparent mode, connected to a peer that speaks: the
 * driver gets it back, and what the peer said reaches nobody. Nor does the peer get more than
 * the one question that was on its way to the module.
 */
TEST_F(ctl, autott_boot)
{
	static const char question[] = "AT+WJAP?\r\n", way_out[] = "+++";
	long boots, entries, damaged, leaked;
	int fd;

	if (old_firmware()) {
		ASSERT_FAILS(1, "firmware does not know", "$A autott udp-server 5000");
		return;
	}
	if (!atw_has_sim())
		SKIP(return, "no emulator to control");
	boots = atw_sim_stat("uptime-boots");
	entries = atw_sim_stat("tt-entries");
	leaked = atw_sim_stat("tt-in");
	damaged = atw_stat(ATW_DEVICE, "bringups");
	ASSERT_SAYS("", "$A at AT+WAUTOCONN=1");
	ASSERT_SAYS("", "$A autott tcp-client 192.0.2.1 %d", atw_greet_port());
	ASSERT_TRUE(atw_reset_module(ATW_DEVICE));
	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	ASSERT_TRUE(atw_echo_works(fd, 9, 300));
	close(fd);
	EXPECT_LT(boots, atw_sim_stat("uptime-boots"));
	entries = atw_sim_stat("tt-entries") - entries;
	EXPECT_LT(0, entries);
	EXPECT_GE(entries * (long)(sizeof(question) - 1 + sizeof(way_out) - 1),
		  atw_sim_stat("tt-in") - leaked);
	EXPECT_LT(damaged, atw_stat(ATW_DEVICE, "bringups"));
	ASSERT_EQ(0, sh("$A autott none"));
	ASSERT_SAYS("none\n", "$A autott");
}

TEST_F(ctl, recv_mode)
{
	int fd;

	ASSERT_SAYS("active\n", "$A recv-mode");
	ASSERT_SAYS("", "$A recv-mode passive");
	ASSERT_SAYS("passive\n", "$A recv-mode");
	ASSERT_JSON("recv-mode", "d == {\"dev\": \"atw0\", \"recv_mode\": \"passive\"}");
	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	EXPECT_TRUE(atw_echo_works(fd, 6, 1500));
	ASSERT_SAYS("", "$A recv-mode active");
	ASSERT_SAYS("active\n", "$A recv-mode");
	EXPECT_TRUE(atw_echo_works(fd, 7, 1500));
	close(fd);
	ASSERT_FAILS(2, "'fast' is no mode", "$A recv-mode fast");
	ASSERT_FAILS(1, "CAP_NET_ADMIN", NOBODY "$A recv-mode passive");
	ASSERT_SAYS("active\n", NOBODY "$A recv-mode");
}

/* What firmware is told in some way or other: for a shell, for python, and on the air. */
static const struct {
	const char *sh;
	const char *python;
	const char *air;
} names[] = {
	{ "cafe", "\"cafe\"", "ap cafe:" },
	{ "'Caf\xc3\xa9'", "\"Caf\\u00e9\"", "ap Caf\xc3\xa9:" },
	{ "'a, b'", "\"a, b\"", "ap a, b:" },
	{ "'\"a\" \\b'", "\"\\\"a\\\" \\\\b\"", "ap \"a\" \\\\b:" },
};

TEST_F(ctl, join)
{
	char expression[100];
	long bringups;
	size_t i;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	ASSERT_FAILS(2, "--password-file", "$A join atsim </dev/null");
	ASSERT_FAILS(2, "1 to 32 bytes", "echo | $A -p - join ''");
	ASSERT_FAILS(2, "1 to 32 bytes", "echo | $A -p - join $(printf '%%033d' 1)");
	ASSERT_FAILS(2, "at most 63 bytes", "printf '%%064d' 1 | $A -p - join atsim");
	ASSERT_FAILS(1, "/no/such", "$A -p /no/such join atsim");
	ASSERT_FAILS(1, "CAP_NET_ADMIN", NOBODY "echo 12345678 | $A -p - join atsim");
	ASSERT_FAILS(1, "CAP_NET_ADMIN", NOBODY "$A leave");
	ASSERT_FAILS(1, "the control character 0x1b in a name",
		     "echo | $A -p - join \"$(printf 'a\\033b')\"");
	ASSERT_FAILS(1, "the control character 0x7f in a password",
		     "printf 'passwo\\177rd' | $A -p - join atsim");
	EXPECT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", 0));

	ASSERT_SAYS("", "$A leave");
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "down", LONG_MS));
	/* It stays out, and says nothing of a network. */
	bringups = atw_stat(ATW_DEVICE, "bringups");
	ASSERT_EQ(0, atw_sim("reset"));
	ASSERT_EQ(0, sh("until [ $(cat /sys/class/atwifi/" ATW_DEVICE
			"/statistics/bringups) -gt %ld ]; do sleep 0.1; done", bringups));
	EXPECT_TRUE(atw_state_becomes(ATW_DEVICE, "down", LONG_MS));
	EXPECT_EQ(1, sh("echo 12345678 | $A -p - join nowhere"));
	ASSERT_FAILS(1, atw_of_open_sdk() ? "refuses this password" : "is its password right?",
		     "echo 87654321 | $A -p - join atsim");
	ASSERT_SAYS("", "echo 12345678 | $A -p - join atsim");
	EXPECT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", 0));
	EXPECT_TRUE(atw_reset_module(ATW_DEVICE));
	EXPECT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
	/* Where the module forgets it, the driver does not, and a failed join is none. */
	EXPECT_EQ(0, sh("$A at AT+WAUTOCONN=0"));
	EXPECT_TRUE(atw_reset_module(ATW_DEVICE));
	EXPECT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
	EXPECT_EQ(1, sh("echo 12345678 | $A -p - join nowhere"));
	EXPECT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
	EXPECT_EQ(0, sh("$A at AT+WAUTOCONN=1"));

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		ASSERT_EQ(0, atw_sim(names[i].air));
		if (strchr(names[i].sh, '\\') && atw_profile_is("bw20")) {
			ASSERT_FAILS(1, "this backslash in a name", "echo | $A -p - join %s",
				     names[i].sh);
			continue;
		}
		ASSERT_SAYS("", "echo | $A -p - join %s", names[i].sh);
		/* Where one with a comma ends the module's answer does not tell. */
		snprintf(expression, sizeof(expression),
			 "d[\"network\"].get(\"ssid\") in (%s, %s)", names[i].python,
			 strchr(names[i].sh, ',') ? "None" : names[i].python);
		ASSERT_JSON("status", expression);
	}
	ASSERT_EQ(0, atw_sim("sound"));
	ASSERT_SAYS("", "echo 12345678 | $A -p - join atsim");
}

/*
 * What has failed is over, whatever the firmware would do: it is in no network behind anybody's
 * back when the password that it was told becomes right.
 */
TEST_F(ctl, join_is_over)
{
	long tries;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	ASSERT_EQ(0, atw_sim("quirk rejoins=1"));
	ASSERT_SAYS("", "$A leave");
	tries = atw_sim_stat("joins");
	EXPECT_EQ(1, sh("echo 87654321 | $A -p - join atsim"));
	ASSERT_EQ(tries + 1, atw_sim_stat("joins"));
	ASSERT_EQ(0, atw_sim("ap-password atsim:87654321"));
	/* Two of them take longer than to join. */
	ASSERT_EQ(0, sh("$A scan && $A scan"));
	ASSERT_JSON("status", "d == {\"dev\": \"atw0\", \"state\": \"down\"}");
	ASSERT_EQ(0, atw_sim("ap-password atsim:12345678"));
	ASSERT_SAYS("", "echo 12345678 | $A -p - join atsim");
	EXPECT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
}

/* A shell where 127.0.0.57 is asked for names and atwifid is not installed, with atwctl as $0. */
#define STUB	"unshare -m sh -c 'echo nameserver 127.0.0.57 >/tmp/stub; " \
		"mount --bind /tmp/stub /etc/resolv.conf; mount -t tmpfs none /usr/sbin; "
/* One that goes by the name of atwifid meanwhile. */
#define NAMED	"echo atwifid >/proc/$$/comm; \"$0\" doctor; "
/* A shell where NetworkManager seems to run. */
#define MANAGED	"unshare -m sh -c 'mkdir -p /run; mount -t tmpfs none /run; " \
		"mkdir /run/NetworkManager; exec \"$0\" doctor' $A"

/* What is fine, what may be meant so, and what is wrong: as others see it as well. */
TEST_F(ctl, doctor)
{
	ASSERT_FAILS(1, "wrong  atw7 device: there is none", "$A doctor atw7");
	ASSERT_EQ(0, sh("ip link set " ATW_DEVICE " down; ip -4 addr flush dev " ATW_DEVICE));
	ASSERT_EQ(0, sh("$A doctor")) {
		TH_LOG("%s", said);
	}
	EXPECT_NE(NULL, SAID("ok     driver: loaded\n"));
	EXPECT_NE(NULL, SAID("ok     " ATW_DEVICE " module: at "));
	EXPECT_NE(NULL, SAID(ATW_DEVICE " rate: "));
	EXPECT_NE(NULL, SAID("ok     " ATW_DEVICE " network: joined\n"));
	EXPECT_NE(NULL, SAID("look   " ATW_DEVICE " address: " ATW_DEVICE " is down"));
	EXPECT_EQ(NULL, SAID("atsim"));
	/* RTS and CTS are in the tty's settings; one that has them takes its place. */
	if (SAID(" module: at ttyS0, ")) {
		EXPECT_NE(NULL, SAID("ok     " ATW_DEVICE " RTS/CTS: not used - two more wires"));
		EXPECT_EQ(0, sh("unshare -m script -qec \"stty crtscts; "
				"mount --bind \\$(tty) /dev/ttyS0; $A doctor\" /dev/null"));
		EXPECT_NE(NULL, SAID("ok     " ATW_DEVICE " RTS/CTS: used\r"));
	}
	ASSERT_JSON("doctor " ATW_DEVICE, "{\"driver\", \"module\", \"rate\", "
		    "\"line\", \"network\", \"address\"} <= {f[\"about\"] for f in d} and "
		    "all(f[\"verdict\"] == \"ok\" or f[\"advice\"] for f in d)");

	ASSERT_EQ(0, sh("ip link set " ATW_DEVICE " up"));
	ASSERT_FAILS(1, "wrong  " ATW_DEVICE " address: " ATW_DEVICE " has none - ip link set ",
		     "$A doctor");
	ASSERT_FAILS(1, " has none - nmcli --ask device wifi connect ", MANAGED);
	ASSERT_EQ(0, sh("ip addr add 192.168.3.142/24 dev " ATW_DEVICE));
	ASSERT_FAILS(1, "route: there is no default route - ", "$A doctor");
	/* One that leads nowhere is none. */
	ASSERT_EQ(0, sh("ip route add unreachable default"));
	ASSERT_FAILS(1, "route: there is no default route - ", "$A doctor");
	ASSERT_EQ(0, sh("ip route del unreachable default"));
	ASSERT_EQ(0, sh("ip route add default dev " ATW_DEVICE));
	EXPECT_EQ(0, sh("$A doctor"));
	EXPECT_NE(NULL, SAID("ok     " ATW_DEVICE " address: 192.168.3.142\n"));
	EXPECT_NE(NULL, SAID("ok     " ATW_DEVICE " route: the default route leads here\n"));
	/* Another one that is better counts. */
	ASSERT_EQ(0, sh("ip route replace default dev " ATW_DEVICE " metric 50; "
			"ip route del default dev " ATW_DEVICE " metric 0; "
			"ip link set lo up; ip route add default dev lo metric 40"));
	EXPECT_EQ(0, sh("$A doctor"));
	EXPECT_NE(NULL, SAID("look   " ATW_DEVICE " route: the default route leads to lo - "));
	ASSERT_EQ(0, sh("ip route del default dev lo metric 40"));
	/* An adapter's file may have comments. */
	ASSERT_EQ(0, sh("mkdir -p /etc/atwifi/attach.d; "
			"printf '# one\n\n/dev/none 9600\n' >/etc/atwifi/attach.d/none; $A doctor; "
			"rm /etc/atwifi/attach.d/none"));
	EXPECT_NE(NULL, SAID("look   adapter: /dev/none is not there - plug it in\n"));

	/* The names are the C library's affair, and the daemon's, where there are servers. */
	if (!access("/etc/resolv.conf", F_OK)) {
		ASSERT_FAILS(1, "but atwifid does not run - install atwifid, then: systemctl ",
			     STUB "exec \"$0\" doctor' $A");
		ASSERT_FAILS(1, "has 127.0.0.57, but atwifid does not run - systemctl ",
			     STUB "touch /usr/sbin/atwifid; exec \"$0\" doctor' $A");
		ASSERT_EQ(0, sh(STUB NAMED "exit $?' $A"));
		EXPECT_NE(NULL, SAID("ok     names: atwifid runs\n"));
		ASSERT_EQ(0, sh(STUB "echo nameserver 192.0.2.53 >/tmp/stub; "
				NAMED "exit $?' $A"));
		EXPECT_NE(NULL, SAID("look   names: atwifid runs, but /etc/resolv.conf does not "));
	}
	ASSERT_EQ(0, sh("ip link set " ATW_DEVICE " down; ip -4 addr flush dev " ATW_DEVICE));
	if (!atw_has_sim())
		SKIP(return, "no emulator");
	ASSERT_EQ(0, sh("$A leave"));
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "down", LONG_MS));
	ASSERT_FAILS(1, "wrong  " ATW_DEVICE " network: not joined - atwctl scan", "$A doctor");
	/* It configures what it has joined alone. */
	ASSERT_FAILS(1, "not joined - nmcli --ask device wifi connect NETWORK ifname ", MANAGED);
	ASSERT_SAYS("", "echo 12345678 | $A -p - ap mine");
	EXPECT_EQ(0, sh("$A doctor"));
	EXPECT_NE(NULL, SAID("look   " ATW_DEVICE " network: not joined, but an access point "));
	ASSERT_SAYS("", "$A --off ap");
	ASSERT_EQ(0, sh("echo 12345678 | $A -p - join atsim"));
}

/* A network device may have any name: that is for no terminal to obey, and is no pattern. */
TEST_F(ctl, doctor_odd_name)
{
	ASSERT_EQ(0, sh("ip link set " ATW_DEVICE " down; ip -4 addr flush dev " ATW_DEVICE "; "
			"n=$(printf 'a\\033[1m*'); ip link set " ATW_DEVICE " name \"$n\" && "
			"ip link set \"$n\" up"));
	EXPECT_EQ(1, sh("$A doctor"));
	EXPECT_NE(NULL, SAID("a\\x1b[1m* has none - ip link set a\\x1b[1m* up")) {
		TH_LOG("%s", said);
	}
	EXPECT_EQ(NULL, strchr(said, '\x1b'));
	EXPECT_TRUE(json("doctor", "any(\"set a\\u001b[1m* up\" in f.get(\"advice\", \"\") "
				   "for f in d)"));
	EXPECT_EQ(1, sh("unshare -m sh -c 'mount -t tmpfs none /sys/class/net; "
			"d=/sys/class/net/$(printf \"a\\033[1mb\")/phy80211/rfkill0; mkdir -p $d; "
			"echo 1 >$d/soft; exec \"$0\" doctor' $A"));
	EXPECT_EQ(NULL, SAID("rfkill")) {
		TH_LOG("%s", said);
	}
	EXPECT_EQ(0, sh("n=$(printf 'a\\033[1m*'); ip link set \"$n\" down; "
			"ip link set \"$n\" name " ATW_DEVICE " up"));
}

/* That a program does not read is no fault of the wires. */
TEST_F(ctl, doctor_slow_reader)
{
	char found[128];
	int fd, small = 1;

	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)));
	ASSERT_EQ(0, atw_peer_on(fd, "source 1000000 6"));
	ASSERT_TRUE(atw_wait(fd, 0, LONG_MS) & POLLERR);
	close(fd);
	/* Whether it has an address is another test's. */
	ASSERT_GE(1, sh("$A doctor"));
	snprintf(found, sizeof(found), "look   " ATW_DEVICE " reading: %ld streams were reset",
		 atw_stat(ATW_DEVICE, "overflows"));
	EXPECT_NE(NULL, SAID(found)) {
		TH_LOG("%s", said);
	}
	if (!atw_stat(ATW_DEVICE, "damaged"))
		EXPECT_NE(NULL, SAID("ok     " ATW_DEVICE " line: nothing was damaged or lost\n"));
}

TEST_F(ctl, status)
{
	if (!atw_has_sim())
		SKIP(return, "no emulator");
	ASSERT_FAILS(1, "CAP_NET_ADMIN", NOBODY "$A status");
	ASSERT_FAILS(1, "no such device", "$A status atw9");
	ASSERT_JSON("status",
		    "d == {\"dev\": \"atw0\", \"state\": \"joined\", \"network\": {"
		    "\"ssid\": \"atsim\", \"bssid\": \"14:de:39:06:86:e4\", \"channel\": 6, "
		    "\"signal\": -50, \"security\": \"WPA2 AES\"}, "
		    "\"address\": \"192.168.3.142\", \"gateway\": \"192.168.3.1\", "
		    "**({} if os.environ.get(\"ATW_OLD\") else {\"servers\": [\"192.168.3.1\"]})}");
	ASSERT_EQ(0, sh("$A status"));
	ASSERT_NE(NULL, SAID("\n  ssid           atsim\n"));
	if (!old_firmware())
		ASSERT_NE(NULL, SAID("\nservers          192.168.3.1\n"));
	ASSERT_EQ(NULL, SAID("12345678"));

	/* It is asked, and not remembered. */
	ASSERT_EQ(0, atw_sim("link down"));
	ASSERT_JSON("status", "d == {\"dev\": \"atw0\", \"state\": \"down\"}");
	ASSERT_EQ(0, atw_sim("link up"));
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
}

#define MAC	"02:00:00:00:00:0"

TEST_F(ctl, ap)
{
	char expression[100];
	size_t i;

	if (!atw_has_sim())
		SKIP(return, "no emulator");
	ASSERT_FAILS(2, "1 to 32 bytes", "echo | $A -p - ap ''");
	ASSERT_FAILS(2, "8 to 63 bytes", "echo 1234567 | $A -p - ap mine");
	ASSERT_FAILS(2, "64 digits are the key", "printf '%%064d' 1 | $A -p - ap mine");
	ASSERT_FAILS(2, "not a channel", "echo | $A -p - --channel 15 ap mine");
	ASSERT_FAILS(2, "whatever", "$A --off ap mine");
	ASSERT_FAILS(1, "CAP_NET_ADMIN", NOBODY "echo | $A -p - ap mine");
	ASSERT_FAILS(1, "CAP_NET_ADMIN", NOBODY "$A ap");
	ASSERT_FAILS(1, "the control character 0x0d in a name",
		     "echo | $A -p - ap \"$(printf 'a\\rb')\"");
	ASSERT_FAILS(1, "the control character 0x1b in a password",
		     "printf 'passwo\\033rd' | $A -p - ap mine");
	ASSERT_JSON("ap", "d == {\"dev\": \"atw0\"}");
	ASSERT_SAYS("", "$A --off ap");

	ASSERT_SAYS("", "echo 12345678 | $A -p - --channel 11 --hidden ap mine");
	ASSERT_EQ(0, atw_sim("client " MAC "1"));
	ASSERT_EQ(0, atw_sim("client " MAC "2"));
	ASSERT_JSON("ap", "d == {\"dev\": \"atw0\", \"network\": {\"ssid\": \"mine\", "
		    "\"bssid\": d[\"network\"][\"bssid\"], \"channel\": 11, "
		    "\"security\": \"WPA2 AES\"}, \"hidden\": True, "
		    "\"stations\": [\"" MAC "1\", \"" MAC "2\"]}");
	ASSERT_EQ(0, atw_sim("client-gone " MAC "1"));
	ASSERT_EQ(0, sh("$A ap"));
	ASSERT_NE(NULL, SAID(MAC "2"));
	ASSERT_EQ(NULL, SAID("12345678"));
	/* It is a station as before. */
	EXPECT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", 0));
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (strchr(names[i].sh, '\\') && atw_profile_is("bw20")) {
			ASSERT_FAILS(1, "this backslash in a name", "echo | $A -p - ap %s",
				     names[i].sh);
			continue;
		}
		ASSERT_SAYS("", "echo | $A -p - ap %s", names[i].sh);
		snprintf(expression, sizeof(expression), "d[\"network\"][\"ssid\"] == %s",
			 names[i].python);
		ASSERT_JSON("ap", expression);
	}
	if (!atw_profile_is("classic"))
		ASSERT_FAILS(1, "this backslash in a name", "echo | $A -p - ap 'a\\'");
	ASSERT_SAYS("", "$A --off ap");
	ASSERT_JSON("ap", "d == {\"dev\": \"atw0\"}");
	ASSERT_SAYS("", "echo 12345678 | $A -p - ap mine");
	ASSERT_TRUE(atw_reset_module(ATW_DEVICE));
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
	ASSERT_JSON("ap", "d == {\"dev\": \"atw0\"}");
}

/* Of every kind, among them names that are chosen to be taken for the module's words. */
static const char *const air[] = {
	"ap far:12345678", "ap-info " MAC "1,WPA2 AES,1,-91",
	"ap near, by \\: \"x\" \\\\:12345678", "ap-info " MAC "2,WPA/WPA2 Mixed,13,-31",
	"ap in the dark:12345678", "ap-info " MAC "3,WPA2 PSK/WPA3 SAE,149,-61,hidden",
	"ap \\x0d\\x0aOK\\x0d\\x0a:", "ap-info " MAC "4,Open,6,-52",
	"ap x\\x0d\\x0aready\\x0d\\x0a:12345678", "ap-info " MAC "5,WPA2 AES,6,-53",
	"ap \\xc3\\xa4:", "ap-info " MAC "6,Open,11,-71",
};

TEST_F(ctl, scan)
{
	long damaged = atw_stat(ATW_DEVICE, "damaged"), boots = atw_stat(ATW_DEVICE, "reboots");
	int fd, i;

	ASSERT_FAILS(2, "1 to 32 bytes", "$A scan ''");
	ASSERT_FAILS(2, "1 to 32 bytes", "$A scan $(printf '%%033d' 1)");
	ASSERT_FAILS(1, "CAP_NET_ADMIN", NOBODY "$A scan");
	if (!atw_has_sim())
		SKIP(return, "no emulator");
	fd = atw_peer("echo");
	ASSERT_LE(0, fd);
	ASSERT_FAILS(1, "a network's name could write", "$A scan");
	ASSERT_TRUE(atw_echo_works(fd, 1, 100));
	close(fd);
	ASSERT_TRUE(atw_settled());

	for (i = 0; i < (int)ARRAY_SIZE(air); i++)
		ASSERT_EQ(0, atw_sim(air[i])) {
			TH_LOG("%s", air[i]);
		}
	ASSERT_JSON("scan",
		    "[(n[\"bssid\"][-2:], n.get(\"ssid\"), n[\"channel\"], n[\"signal\"],"
		    "  n[\"security\"]) for n in d[\"networks\"] if n[\"bssid\"][:2] == \"02\"] == ["
		    "(\"02\", \"near, by : \\\"x\\\" \\\\\", 13, -31, \"WPA/WPA2 Mixed\"),"
		    "(\"03\", None, 149, -61, \"WPA2 PSK/WPA3 SAE\"),"
		    "(\"06\", \"\\u00e4\", 11, -71, \"Open\"),"
		    "(\"01\", \"far\", 1, -91, \"WPA2 AES\")] and d[\"damaged\"] == 2");
	ASSERT_EQ(0, sh("$A scan"));
	ASSERT_NE(NULL, SAID("2 more could not be read"));
	ASSERT_NE(NULL, SAID(MAC "2       13     -31  WPA/WPA2 Mixed     near, by : \"x\" \\\n"));
	ASSERT_NE(NULL, SAID(MAC "3      149     -61  WPA2 PSK/WPA3 SAE  -\n"));
	ASSERT_NE(NULL, SAID("\\x1b[31m\n"));
	ASSERT_EQ(NULL, strchr(said, '\x1b'));
	ASSERT_JSON("scan \"in the dark\"", "[n[\"ssid\"] for n in d[\"networks\"]] == "
					   "[\"in the dark\"]");
	ASSERT_JSON("scan nowhere", "d[\"networks\"] == [] and d[\"damaged\"] == 0");
	ASSERT_FAILS(1, "cannot be told of the control character 0x1b in a name",
		     "$A scan \"$(printf 'a\\033b')\"");

	/* Columns that somebody has left out come back. */
	ASSERT_EQ(0, sh("$A at AT+WSCANOPT=1"));
	ASSERT_JSON("scan", "len(d[\"networks\"]) >= 5 and d[\"damaged\"] == 2");
	/* As many as there can be. */
	while (!atw_sim("ap one of many:"))
		;
	ASSERT_JSON("scan", "len(d[\"networks\"]) == 48 and d[\"damaged\"] == 2");
	/* What they were called was nobody's word. */
	EXPECT_EQ(damaged, atw_stat(ATW_DEVICE, "damaged"));
	EXPECT_EQ(boots, atw_stat(ATW_DEVICE, "reboots"));
	EXPECT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", 0));
}

TEST_F(ctl, prefer)
{
	ASSERT_SAYS("balance\n", "$A prefer");
	ASSERT_SAYS("", "$A prefer latency");
	ASSERT_SAYS("latency\n", NOBODY "$A prefer");
	ASSERT_JSON("prefer", "d == {\"dev\": \"atw0\", \"prefer\": \"latency\"}");
	ASSERT_JSON("show", "d[\"prefer\"] == \"latency\"");
	ASSERT_SAYS("", "$A prefer throughput");
	ASSERT_SAYS("throughput\n", "$A prefer");
	ASSERT_FAILS(2, "'speed' is no preference", "$A prefer speed");
	ASSERT_FAILS(1, "CAP_NET_ADMIN", NOBODY "$A prefer latency");
	ASSERT_SAYS("", "$A prefer balance");
	ASSERT_SAYS("balance\n", "$A prefer");
}

TEST_F(ctl, yield)
{
	ASSERT_SAYS("2\n", "$A yield");
	ASSERT_SAYS("", "$A yield 3600");
	ASSERT_SAYS("3600\n", "$A yield");
	ASSERT_SAYS("", "$A yield off");
	ASSERT_SAYS("off\n", NOBODY "$A yield");
	ASSERT_JSON("yield", "d == {\"dev\": \"atw0\", \"yield_after\": 0}");
	ASSERT_JSON("show", "d[\"yield_after\"] == 0");
	ASSERT_FAILS(2, "'3601' is neither", "$A yield 3601");
	ASSERT_FAILS(2, "'-1' is neither", "$A yield -- -1");
	ASSERT_FAILS(2, "'soon' is neither", "$A yield soon");
	ASSERT_FAILS(1, "CAP_NET_ADMIN", NOBODY "$A yield 2");
	ASSERT_SAYS("", "$A yield 2");
	ASSERT_SAYS("2\n", "$A yield");
}

TEST_F(ctl, cert)
{
	if (!*atw_env("ATW_TLS_DIR", ""))
		SKIP(return, "no certificates");
	ASSERT_SAYS("", "$A cert ca $ATW_TLS_DIR/ca.pem");
	ASSERT_SAYS("", "$A cert ca | cmp - $ATW_TLS_DIR/ca.pem");
	ASSERT_JSON("cert ca", "d[\"dev\"] == \"atw0\" and d[\"type\"] == \"ca\" and "
		    "d[\"data\"] == open(os.environ[\"ATW_TLS_DIR\"] + \"/ca.pem\").read()");
	/* The same again: it is read, and not written. */
	ASSERT_EQ(1, cost("$A cert ca $ATW_TLS_DIR/ca.pem"));
	ASSERT_SAYS("", "$A cert 'cert' - <$ATW_TLS_DIR/good.pem");
	ASSERT_SAYS("", "$A cert 'cert' | cmp - $ATW_TLS_DIR/good.pem");
	ASSERT_SAYS("", "$A cert key $ATW_TLS_DIR/good.key");
	ASSERT_SAYS("", "$A cert ca | cmp - $ATW_TLS_DIR/ca.pem");

	ASSERT_FAILS(1, "not given away", "$A cert key");
	ASSERT_FAILS(2, "'root' is no type", "$A cert root $ATW_TLS_DIR/ca.pem");
	ASSERT_FAILS(1, "No such file", "$A cert ca $ATW_TLS_DIR/none");
	ASSERT_FAILS(1, "there is no BEGIN line", "$A cert ca /dev/null");
	ASSERT_FAILS(1, "something else than certificates", "$A cert ca $ATW_TLS_DIR/good.key");
	ASSERT_FAILS(1, "something else than a private key", "$A cert key $ATW_TLS_DIR/good.pem");
	ASSERT_FAILS(1, "END line", "head -n -1 $ATW_TLS_DIR/ca.pem | $A cert ca -");
	ASSERT_FAILS(1, "up to 2047 bytes",
		     "cd $ATW_TLS_DIR; cat ca.pem ca.pem ca.pem ca.pem ca.pem | $A cert ca -");
	ASSERT_FAILS(1, "up to 2047 bytes", "$A cert ca /dev/zero");
	/* Of which the kernel has no words: its policy has a limit, too. */
	ASSERT_FAILS(1, "up to 2047 bytes", "head -c 3700 /dev/zero | $A cert ca -");
	ASSERT_FAILS(1, "CAP_NET_ADMIN", NOBODY "$A cert ca");
	ASSERT_FAILS(1, "CAP_NET_ADMIN", NOBODY "echo key | $A cert key -");
	/* What was refused has changed nothing. */
	ASSERT_SAYS("", "$A cert ca | cmp - $ATW_TLS_DIR/ca.pem");
}

TEST_F(ctl, at)
{
	ASSERT_EQ(0, sh("$A at AT+GMR"));
	ASSERT_NE(NULL, SAID("firmware version:"));
	ASSERT_SAYS("", "$A at AT");
	ASSERT_JSON("at AT", "d == {\"dev\": \"atw0\", \"rows\": []}");
	ASSERT_JSON("at AT+GMR", "len(d[\"rows\"]) >= 3 and \"more\" not in d");
	ASSERT_EQ(0, sh("$A at AT+WMODE?"));
	ASSERT_NE(NULL, SAID("+WMODE:"));
	/* What the module says no to. */
	ASSERT_FAILS(1, "bad parameter", "$A at AT+WMODE=9,9");
	ASSERT_EQ(0, sh("echo AT+GMR | $A at -"));
	ASSERT_NE(NULL, SAID("firmware version:"));
	ASSERT_FAILS(2, "standard input", "$A at - </dev/null");
	ASSERT_FAILS(2, "usage", "$A at");
	ASSERT_FAILS(2, "usage", "$A at AT AT");
}

/* A network's name is anybody's: not for the terminal, and not JSON as it is. */
TEST_F(ctl, foreign_bytes)
{
	ASSERT_EQ(0, sh("$A at AT+WSCAN"));
	if (!SAID("caf"))
		SKIP(return, "no access point of that name");
	ASSERT_NE(NULL, SAID("\\x1b[31m"));
	ASSERT_EQ(NULL, strchr(said, '\x1b'));
	ASSERT_JSON("at AT+WSCAN", "any(\"caf\\ufffd\\u001b[31m\" in r for r in d[\"rows\"])");
}

/* What a command answers is no damage, which would end all streams. */
TEST_F(ctl, at_beside_streams)
{
	static const char *const query[] = {
		"AT", "AT+GMR", "'AT+WSCANOPT?'", "'AT+CIPSTAMAC_DEF?'",
		"'AT+SOCKET?'", "'AT+SOCKETAUTOTT?'", "'AT+SYSMSG?'", "'AT+SNTPTIME?'",
		"'AT+SNTPTIMECFG?'", "'AT+SNTPINTV?'", "'AT+UARTCFG?'", "'AT+WAPDHCP?'",
		"'AT+WCOUNTRY?'", "'AT+WDNS?'", "'AT+WMODE?'", "'AT+WSDHCP?'", "AT+WRSSI",
		"AT+WDOMAIN=$ATW_NAME", "AT+PING=${ATW_HOST:-192.0.2.1}",
	};
	long damaged = atw_stat(ATW_DEVICE, "damaged");
	int fd = atw_peer("echo"), answered = 0;
	size_t i;

	ASSERT_LE(0, fd);
	/* Networks' names are anybody's words. */
	ASSERT_FAILS(1, "a network's name could write", "$A at AT+WSCAN");
	for (i = 0; i < ARRAY_SIZE(query); i++) {
		/* Some firmware has not all of them. */
		answered += !sh("$A at %s", query[i]);
		ASSERT_EQ(damaged, atw_stat(ATW_DEVICE, "damaged")) {
			TH_LOG("%s: %s", query[i], said);
		}
		ASSERT_TRUE(atw_echo_works(fd, i, 100));
	}
	EXPECT_LE(10, answered);
	if (!atw_has_sim())
		return;
	/* Documented, though not seen yet. */
	ASSERT_EQ(0, atw_sim("quirk ping-word=1"));
	EXPECT_NE(0, sh("$A at AT+PING=%s", atw_env("ATW_HOLE", "198.51.100.1")));
	EXPECT_EQ(damaged, atw_stat(ATW_DEVICE, "damaged"));
	EXPECT_EQ(0, atw_sim("quirk ping-word=0"));
	ASSERT_TRUE(atw_echo_works(fd, 1, 100));
}

TEST_F(ctl, at_refusals)
{
	long commands = atw_stat(ATW_DEVICE, "commands");
	uint64_t start = atw_now_ms();

	ASSERT_FAILS(1, "the module's sockets are the driver's", "$A at AT+SOCKET=4,192.0.2.1,80");
	ASSERT_FAILS(1, "the module's sockets are the driver's", "$A at AT+SOCKETDEL=100");
	ASSERT_FAILS(1, "option of a socket", "$A at AT+SOCKETTT");
	ASSERT_FAILS(1, "recv-mode", "$A at AT+SOCKETRECVCFG=0");
	ASSERT_FAILS(1, "the echo is the driver's", "$A at ATE1");
	ASSERT_FAILS(1, "serial line", "$A at AT+UARTCFG=9600,8,1,0");
	ASSERT_FAILS(1, "restart", "$A at AT+RST");
	ASSERT_FAILS(1, "restart", "$A at AT+RESTORE");
	ASSERT_FAILS(1, "password", "$A at 'AT+WJAP?'");
	ASSERT_FAILS(1, "password", "$A at 'AT+STAINFO?'");
	ASSERT_FAILS(1, "not one that is known", "$A at AT+OTA");
	ASSERT_FAILS(1, "begins with AT", "$A at hello");
	ASSERT_FAILS(1, "begins with AT", "$A at ''");
	ASSERT_FAILS(1, "control characters", "$A at \"$(printf 'AT\\r\\nAT+RST')\"");
	ASSERT_FAILS(1, "control characters", "$A at \"$(printf 'AT\\nAT+RST')\"");
	ASSERT_FAILS(1, "at most 253 bytes", "$A at AT+WJAP=$(printf '%%0250d' 1)");
	ASSERT_FAILS(1, "at most 253 bytes", "$A at AT+WJAP=$(printf '%%0900d' 1)");
	ASSERT_FAILS(1, "at most 253 bytes", "printf 'AT+WJAP=%%02000d' 1 | $A at -");
	ASSERT_FAILS(1, "at most 15 bytes", "$A --device averyveryverylongone at AT");
	/* Nothing of that went to the module; it may have been asked for its link. */
	ASSERT_GE(commands + atw_link_polls(start), atw_stat(ATW_DEVICE, "commands"));
	ASSERT_EQ(0, cost("$A at AT+RST; true"));
}

/* A user's connection to the peer, by its name. */
static int named_peer(uid_t user)
{
	struct sockaddr_atw addr = atw_name_addr(atw_env("ATW_NAME", "peer.test"),
						 atw_peer_port());
	int fd;

	setfsuid(user);
	fd = atw_socket(SOCK_STREAM);
	setfsuid(0);
	if (fd < 0 || atw_connect(fd, &addr) || atw_send_all(fd, "echo\n", 5) != 5)
		return -1;
	return fd;
}

/* Of others' connections everybody sees where they go, and not by which name. */
TEST_F(ctl, names_of_others)
{
	const char *name = atw_env("ATW_NAME", "peer.test");
	int mine = named_peer(0), theirs = named_peer(65534);

	ASSERT_LE(0, mine);
	ASSERT_LE(0, theirs);
	ASSERT_SAYS("2\n", "$A sockets | grep -c %s", name);
	ASSERT_SAYS("2\n", "grep -c %s " ATW_PROC, name);
	ASSERT_SAYS("1\n", NOBODY "$A sockets | grep -c %s", name);
	ASSERT_SAYS("1\n", NOBODY "grep -c %s " ATW_PROC, name);
	ASSERT_SAYS("2\n", NOBODY "$A sockets | grep -c ' %d '", atw_peer_port());
	/* An administrator of another user namespace is none of this network's. */
	if (!sh(NOBODY "unshare -r true")) {
		ASSERT_SAYS("1\n", NOBODY "unshare -r $A sockets | grep -c %s", name);
		ASSERT_SAYS("1\n", NOBODY "unshare -r grep -c %s " ATW_PROC, name);
	}
	close(mine);
	close(theirs);
}

TEST_F(ctl, unprivileged)
{
	uint64_t start;
	long commands;

	/* Looking is free. */
	ASSERT_EQ(0, sh(NOBODY "$A list"));
	ASSERT_EQ(0, sh(NOBODY "$A show"));
	ASSERT_EQ(0, sh(NOBODY "$A sockets"));
	start = atw_now_ms();
	commands = atw_stat(ATW_DEVICE, "commands");
	/* What occupies the module is not, and what changes it. */
	ASSERT_FAILS(1, "CAP_NET_ADMIN", NOBODY "$A dns");
	ASSERT_FAILS(1, "CAP_NET_ADMIN", NOBODY "$A dns 192.0.2.53");
	ASSERT_FAILS(1, "CAP_NET_ADMIN", NOBODY "$A autott");
	ASSERT_FAILS(1, "CAP_NET_ADMIN", NOBODY "$A autott udp-server 5000");
	ASSERT_FAILS(1, "CAP_NET_ADMIN", NOBODY "$A autott none");
	ASSERT_FAILS(1, "CAP_NET_ADMIN", NOBODY "$A at AT");
	/* An administrator of another user namespace is none of this network's. */
	if (!sh(NOBODY "unshare -r true")) {
		ASSERT_FAILS(1, "CAP_NET_ADMIN", NOBODY "unshare -r $A dns 192.0.2.53");
		ASSERT_FAILS(1, "CAP_NET_ADMIN", NOBODY "unshare -r $A at AT");
	}
	ASSERT_EQ(0, cost(NOBODY "$A at AT; true"));
	ASSERT_GE(commands + atw_link_polls(start), atw_stat(ATW_DEVICE, "commands"));
	/* Names are for everybody. */
	if (!old_firmware())
		ASSERT_SAYS("192.0.2.1\n", NOBODY "$A resolve peer.test");
}

TEST_F(ctl, network_namespace)
{
	ASSERT_SAYS("", "unshare -n $A list");
	ASSERT_SAYS("", "unshare -n $A sockets");
	ASSERT_SAYS("atw0\n", "ls /sys/class/atwifi");
	ASSERT_SAYS("", "unshare -nm sh -c 'mount -t sysfs none /sys && ls /sys/class/atwifi'");
	ASSERT_FAILS(1, "no device in this network namespace", "unshare -n $A show");
	ASSERT_FAILS(1, "no such device in this network namespace",
		     "unshare -n $A -d " ATW_DEVICE " dns 192.0.2.53");
	ASSERT_FAILS(1, "no such device in this network namespace",
		     "unshare -n $A -d " ATW_DEVICE " at AT");
}

/* The kernel's own program understands the family by its specification. */
TEST_F(ctl, specification)
{
	char ynl[1024];

	if (!*atw_env("ATW_YNL", ""))
		SKIP(return, "no kernel source with tools/net/ynl");
	snprintf(ynl, sizeof(ynl), "python3 -B %s --no-schema --spec %s --output-json",
		 getenv("ATW_YNL"), atw_env("ATW_SPEC", ""));
	ASSERT_EQ(0, sh("%s --dump dev-get", ynl));
	ASSERT_NE(NULL, SAID("\"state\": \"joined\""));
	ASSERT_EQ(0, sh("%s --do dev-get --json '{\"name\": \"" ATW_DEVICE "\"}'", ynl));
	ASSERT_NE(NULL, SAID("\"address\": \"192.168.3.142\""));
	ASSERT_EQ(0, sh("%s --dump socket-get", ynl));
	ASSERT_NE(NULL, SAID("[]"));
	/* What is no part of a request is refused. */
	ASSERT_NE(0, sh("%s --do dev-get --json '{\"state\": 1}'", ynl));
	ASSERT_NE(NULL, SAID("Unknown attribute type")) {
		TH_LOG("%s", said);
	}
	/* A key is no password. */
	ASSERT_NE(0, sh("%s --do join --json '{\"dev\": \"" ATW_DEVICE "\", "
			"\"ssid\": \"617473696d\", \"password\": \"%064d\"}'", ynl, 1));
	ASSERT_NE(NULL, SAID("failed policy validation")) {
		TH_LOG("%s", said);
	}
	if (old_firmware())
		return;
	ASSERT_EQ(0, sh("%s --do dns-get --json '{\"dev\": \"" ATW_DEVICE "\"}'", ynl));
	ASSERT_NE(NULL, SAID("[\"192.168.3.1\"]"));
	ASSERT_EQ(0, sh("%s --do resolve --json '{\"dev\": \"" ATW_DEVICE "\", \"host\": \"%s\"}'",
			ynl, atw_env("ATW_NAME", "peer.test")));
	ASSERT_NE(NULL, SAID("192.0.2.1"));
	ASSERT_EQ(0, sh("%s --do autott-get --json '{\"dev\": \"" ATW_DEVICE "\"}'", ynl));
	ASSERT_NE(NULL, SAID("none"));
	ASSERT_EQ(0, sh("%s --do at --json '{\"dev\": \"" ATW_DEVICE "\", \"line\": \"AT+GMR\"}'",
			ynl));
	ASSERT_NE(NULL, SAID("\"row\""));
}

TEST_F(ctl, usage)
{
	ASSERT_FAILS(2, "usage: atwctl", "$A");
	ASSERT_FAILS(2, "no command 'frob'", "$A frob");
	ASSERT_FAILS(2, "unrecognized option", "$A --yaml list");
	/* What others can read is no place for a password. */
	ASSERT_FAILS(2, "usage: atwctl join NETWORK", "$A join atsim 12345678");
	ASSERT_FAILS(2, "usage: atwctl ap [NETWORK]", "$A ap mine 12345678");
	ASSERT_EQ(0, sh("$A --help"));
	ASSERT_NE(NULL, SAID("monitor"));
	/* What cannot be written is an error. */
	ASSERT_FAILS(1, "standard output", "$A --help >/dev/null; $A list >/dev/full");
}

/* Events go to a file; wait until it holds these words. */
static bool heard(const char *file, const char *words, int ms)
{
	uint64_t limit = atw_now_ms() + ms;
	bool found = false;
	char *text;

	while (!found && atw_now_ms() < limit) {
		text = atw_slurp(file);
		found = text && strstr(text, words);
		free(text);
		if (!found)
			atw_pause_ms(20);
	}
	return found;
}

/* Has it joined the group? Groups are shown by number alone: any will do. */
static bool listens(pid_t pid)
{
	char line[256];
	bool is = false;
	FILE *f;

	f = fopen("/proc/net/netlink", "r");
	while (f && fgets(line, sizeof(line), f)) {
		unsigned int protocol, port, groups;

		if (sscanf(line, "%*s %u %u %x", &protocol, &port, &groups) == 3 &&
		    protocol == 16 && groups)
			is = true;
	}
	if (f)
		fclose(f);
	return is && !kill(pid, 0);
}

/* A monitor that listens; makes the file that it writes to, as mkstemp() does. */
static pid_t monitor(char *file)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	int fd = mkstemp(file);
	pid_t pid;

	if (fd < 0)
		return -1;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fd, 1);
		execl(atw_env("ATW_CTL", "atwctl"), "atwctl", "--json", "monitor", NULL);
		_exit(127);
	}
	close(fd);
	if (pid < 0)
		return -1;
	while (!listens(pid) && atw_now_ms() < limit)
		atw_pause_ms(20);
	return pid;
}

TEST_F(ctl, monitor)
{
	char file[] = "/tmp/atwctl.XXXXXX", command[128];
	pid_t pid;
	int fd;

	if (!atw_has_sim())
		SKIP(return, "no emulator to control");
	pid = monitor(file);
	ASSERT_LT(0, pid);

	ASSERT_EQ(0, atw_sim("link down"));
	EXPECT_TRUE(heard(file, "\"link-down\"", LONG_MS));
	ASSERT_EQ(0, atw_sim("link up"));
	EXPECT_TRUE(heard(file, "\"link-up\"", LONG_MS));
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", RECOVERY_MS));

	fd = named_peer(0);
	ASSERT_LE(0, fd);
	ASSERT_TRUE(atw_echo_works(fd, 5, 300));
	ASSERT_EQ(0, atw_sim("reset"));
	EXPECT_TRUE(heard(file, "\"restarted\"", LONG_MS));
	EXPECT_TRUE(heard(file, "\"socket-reset\"", LONG_MS));
	EXPECT_TRUE(heard(file, "\"found\"", RECOVERY_MS));
	/* It is joined a moment before that is told. */
	snprintf(command, sizeof(command), "test $(grep -c link-up %s) -ge 2", file);
	EXPECT_TRUE(becomes(command));
	close(fd);
	kill(pid, SIGTERM);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));

	/* Each line is an object, and they are in order. */
	if (!python())
		return;
	ASSERT_EQ(0, sh("python3 -c 'import json, sys\n"
			"e = [json.loads(l) for l in open(sys.argv[1])]\n"
			"names = [x[\"event\"] for x in e]\n"
			"want = [\"link-down\", \"link-up\", \"restarted\", \"socket-reset\", \"found\", "
			"\"link-up\"]\n"
			"it = iter(names)\n"
			"assert all(w in it for w in want), names\n"
			"up = [x for x in e if x[\"event\"] == \"link-up\"]\n"
			"assert all(x[\"address\"] == \"192.168.3.142\" for x in up), up\n"
			"s = [x for x in e if x[\"event\"] == \"socket-reset\"]\n"
			"assert len(s) == 1 and s[0][\"error\"] == \"Connection reset by peer\", s\n"
			"assert s[0][\"port\"] == int(sys.argv[2]), s\n"
			"assert \"host\" not in s[0], s\n"
			"assert all(x[\"dev\"] == \"atw0\" for x in e), e' %s %d",
			file, atw_peer_port())) {
		TH_LOG("%s", said);
	}
	unlink(file);
}

/*
 * An address that changes while the module stays in its network: the driver sees it
 * when it asks for the link, every half a minute.
 */
TEST_F(ctl, monitor_address)
{
	char file[] = "/tmp/atwctl.XXXXXX";
	pid_t pid;

	if (!atw_has_sim())
		SKIP(return, "no emulator to control");
	if (strcmp(atw_env("ATW_PROFILE", "middleware"), "middleware") || old_firmware())
		SKIP(return, "done with another firmware");
	pid = monitor(file);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, atw_sim("lease 192.168.7.9,255.255.255.0,192.168.7.1"));
	EXPECT_TRUE(heard(file, "\"192.168.7.9\"", 90000));
	EXPECT_EQ(0, sh("$A list | grep 192.168.7.9"));
	ASSERT_EQ(0, atw_sim("lease 192.168.3.142,255.255.255.0,192.168.3.1"));
	EXPECT_TRUE(heard(file, "\"192.168.3.142\"", 90000));
	EXPECT_EQ(0, sh("$A list | grep 192.168.3.142"));
	kill(pid, SIGTERM);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));

	/* That it stayed joined: nothing else was told. */
	if (!python())
		return;
	ASSERT_EQ(0, sh("python3 -c 'import json, sys\n"
			"e = [json.loads(l) for l in open(sys.argv[1])]\n"
			"want = [{\"dev\": \"atw0\", \"event\": \"address\", \"address\": a, "
			"\"gateway\": g} for a, g in ((\"192.168.7.9\", \"192.168.7.1\"), "
			"(\"192.168.3.142\", \"192.168.3.1\"))]\n"
			"got = [{k: x.get(k) for k in want[0]} for x in e]\n"
			"assert got == want, e' %s", file)) {
		TH_LOG("%s", said);
	}
	unlink(file);
}

/* A module that is silent is lost, once it was looked for in vain. */
TEST_F_TIMEOUT(ctl, monitor_lost, 600)
{
	char file[] = "/tmp/atwctl.XXXXXX";
	pid_t pid;

	if (!atw_has_sim())
		SKIP(return, "no emulator to control");
	/* It takes more than a minute, and silence is the same with each firmware. */
	if (strcmp(atw_env("ATW_PROFILE", "middleware"), "middleware") || old_firmware())
		SKIP(return, "done with another firmware");
	pid = monitor(file);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, atw_sim("silent on"));
	/* The driver learns it from the next command. */
	ASSERT_NE(0, sh("$A at AT"));
	EXPECT_TRUE(heard(file, "\"lost\"", 300000));
	ASSERT_EQ(0, sh("$A list | grep probing"));
	ASSERT_EQ(0, atw_sim("silent off"));
	EXPECT_TRUE(heard(file, "\"found\"", LONG_MS));
	EXPECT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", LONG_MS));
	kill(pid, SIGTERM);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	ASSERT_EQ(0, sh("grep -c lost %s | grep -x 1", file));
	unlink(file);
}

/* A shell command that goes on until it is killed. */
__attribute__((format(printf, 1, 2)))
static pid_t begin(const char *fmt, ...)
{
	va_list ap;
	pid_t pid;

	va_start(ap, fmt);
	pid = fork();
	if (!pid)
		shell(fmt, ap);
	va_end(ap);
	return pid;
}

static void end(pid_t pid)
{
	if (pid > 0) {
		kill(pid, SIGTERM);
		waitpid(pid, NULL, 0);
	}
}

/*
 * Puts the line discipline on a tty for as long as it lives. The emulator has the
 * tty open too: that it is closed here does not take it off.
 */
#define ATTACH	"python3 -c 'import fcntl, os, signal, struct, sys, termios, time, tty\n"	\
		"fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)\n"			\
		"signal.signal(signal.SIGTERM, lambda *a: sys.exit())\n"			\
		"tty.setraw(fd)\n"							\
		"fcntl.ioctl(fd, termios.TIOCSETD, struct.pack(\"i\", 29))\n"		\
		"try:\n"								\
		"    time.sleep(1000)\n"						\
		"finally:\n"								\
		"    fcntl.ioctl(fd, termios.TIOCSETD, struct.pack(\"i\", 0))' " PTY
#define PTY	"/tmp/atwctl.pty"
#define NS	"/tmp/atwctl-ns"

static pid_t begin_emulator(void)
{
	/* That of one which was killed is there still. */
	unlink(PTY);
	return begin("exec %s --profile middleware --pty " PTY " >/dev/null", getenv("ATW_SIM"));
}

/*
 * A second module: which one is meant must be said, and that it comes and goes is
 * told. Then one in a network namespace of another user's.
 */
TEST_F(ctl, other_devices)
{
	char file[] = "/tmp/atwctl.XXXXXX", in[64], command[256];
	pid_t sim, host, listener, ns;

	if (!*atw_env("ATW_SIM", ""))
		SKIP(return, "no emulator to start");
	listener = monitor(file);
	ASSERT_LT(0, listener);
	sim = begin_emulator();
	ASSERT_TRUE(becomes("test -e " PTY));

	host = begin("exec " ATTACH);
	EXPECT_TRUE(becomes("$A list | grep -q '^atw1 .*joined'"));
	EXPECT_TRUE(heard(file, "\"attached\"", LONG_MS));
	EXPECT_TRUE(heard(file, "\"found\"", LONG_MS));
	/* It exists before anything is told of its module. */
	ASSERT_EQ(0, sh("head -n 1 %s | grep '\"attached\"'", file));
	ASSERT_EQ(0, sh("sed -n 2p %s | grep '\"found\"'", file));
	ASSERT_JSON("list", "[x[\"name\"] for x in d] == [\"atw0\", \"atw1\"]");
	ASSERT_FAILS(1, "there are 2 devices: name one with --device", "$A show");
	ASSERT_FAILS(1, "there are 2 devices: name one with --device", "$A dns 192.0.2.53");
	ASSERT_EQ(0, sh("$A -d atw1 show"));
	ASSERT_EQ(0, sh("$A -d atw1 at AT"));
	end(host);
	EXPECT_TRUE(heard(file, "\"detached\"", LONG_MS));
	ASSERT_FAILS(1, "no such device", "$A show atw1");
	ASSERT_EQ(0, sh("$A show"));
	end(listener);

	/* Root attaches it; who owns the namespace may set it, but no more. */
	ASSERT_EQ(0, sh("rm -rf " NS " && mkdir -m 777 " NS));
	ns = begin(NOBODY "exec unshare -Urn sh -c \"cd " NS "\n"
		   "until test -e go; do sleep 0.1; done\n"
		   "$A dns 192.0.2.53 && $A dns >dns; $A at AT 2>at\n"
		   "touch done; exec sleep 1000\"");
	snprintf(command, sizeof(command), "test \"$(readlink /proc/self/ns/net)\" != "
		 "\"$(readlink /proc/%d/ns/net)\"", ns);
	if (!becomes(command)) {
		end(sim);
		end(ns);
		SKIP(return, "no user namespaces");
	}
	snprintf(in, sizeof(in), "nsenter -t %d -n", ns);
	host = begin("exec %s " ATTACH, in);
	snprintf(command, sizeof(command), "%s $A list | grep -q '^atw1 .*joined'", in);
	EXPECT_TRUE(becomes(command));
	ASSERT_FAILS(1, "no such device", "$A show atw1");
	ASSERT_JSON("list", "[x[\"name\"] for x in d] == [\"atw0\"]");
	ASSERT_TRUE(becomes("touch " NS "/go; test -e " NS "/done"));
	ASSERT_SAYS("192.0.2.53\n", "cat " NS "/dns");
	ASSERT_SAYS("atwctl: atw1: not permitted: this needs CAP_NET_ADMIN\n", "cat " NS "/at");
	ASSERT_EQ(0, sh("nsenter -t %d -n $A at AT", ns));
	end(host);
	end(ns);
	end(sim);
	ASSERT_EQ(0, sh("rm -r " NS " %s", file));
}

struct request {
	struct nlmsghdr nl;
	struct genlmsghdr genl;
	char attrs[256];
};

static void put(struct request *r, int attr, const void *value, size_t len)
{
	struct nlattr *nla = (void *)((char *)r + r->nl.nlmsg_len);

	nla->nla_type = attr;
	nla->nla_len = NLA_HDRLEN + len;
	memcpy((char *)nla + NLA_HDRLEN, value, len);
	r->nl.nlmsg_len += NLA_ALIGN(nla->nla_len);
}

static void put_text(struct request *r, int attr, const char *text)
{
	put(r, attr, text, strlen(text) + 1);
}

static struct request request(int type, int flags, int cmd)
{
	return (struct request){
		.nl = { .nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN), .nlmsg_type = type,
			.nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = 17 },
		.genl = { .cmd = cmd, .version = 1 },
	};
}

/* A request with two strings, acknowledged if it is not for an answer alone. */
static int ask(int fd, int type, int flags, int cmd, int attr, const char *text, int attr2,
	       const char *text2)
{
	struct request r = request(type, flags, cmd);

	put_text(&r, attr, text);
	if (text2)
		put_text(&r, attr2, text2);
	return send(fd, &r, r.nl.nlmsg_len, 0) == (ssize_t)r.nl.nlmsg_len ? 0 : -1;
}

/* The number of the family, or -1. */
static int genl_family(int fd)
{
	char buf[4096] __attribute__((aligned(4)));
	struct nlmsghdr *nl = (void *)buf;
	size_t at = NLMSG_LENGTH(GENL_HDRLEN);
	struct nlattr *nla;
	ssize_t n;

	if (ask(fd, GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME,
		ATWIFI_FAMILY_NAME, 0, NULL))
		return -1;
	n = recv(fd, buf, sizeof(buf), 0);
	if (n < (ssize_t)at || nl->nlmsg_type != GENL_ID_CTRL)
		return -1;
	for (; at + NLA_HDRLEN + 2 <= (size_t)n; at += NLA_ALIGN(nla->nla_len)) {
		nla = (void *)(buf + at);
		if (nla->nla_type == CTRL_ATTR_FAMILY_ID)
			return *(uint16_t *)((char *)nla + NLA_HDRLEN);
		if (nla->nla_len < NLA_HDRLEN)
			break;
	}
	return -1;
}

/*
 * A request that waits for the module does not keep its caller in send(), where
 * all of generic netlink would wait with it as soon as a family is registered.
 */
TEST_F(ctl, waits_aside)
{
	char buf[4096] __attribute__((aligned(4)));
	struct nlmsghdr *nl = (void *)buf;
	struct nlmsgerr *ack = NLMSG_DATA(nl);
	int fd, sock, family;

	if (!atw_has_sim())
		SKIP(return, "no emulator to control");
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_timeouts(fd, 60000));
	family = genl_family(fd);
	ASSERT_LT(0, family);
	sock = atw_socket(SOCK_STREAM | SOCK_NONBLOCK);
	ASSERT_LE(0, sock);
	ASSERT_EQ(0, atw_hold(HOLD_LONG));
	ASSERT_ERRNO(EINPROGRESS, atw_connect_hole(sock));
	ASSERT_TRUE(becomes("$A sockets | grep opening"));
	ASSERT_EQ(0, ask(fd, family, NLM_F_ACK, ATWIFI_CMD_AT, ATWIFI_A_AT_DEV, ATW_DEVICE,
			 ATWIFI_A_AT_LINE, "AT+GMR"));
	EXPECT_EQ(0, atw_wait(fd, POLLIN, 0));
	ASSERT_EQ(0, atw_hold(HOLD_ENDS));
	/* The answer first, then the acknowledgment. */
	ASSERT_LT(0, recv(fd, buf, sizeof(buf), 0));
	ASSERT_EQ(family, nl->nlmsg_type);
	ASSERT_EQ(17, nl->nlmsg_seq);
	ASSERT_LT(0, recv(fd, buf, sizeof(buf), 0));
	ASSERT_EQ(NLMSG_ERROR, nl->nlmsg_type);
	ASSERT_EQ(17, nl->nlmsg_seq);
	ASSERT_EQ(0, ack->error);
	close(sock);

	/* What is wrong is told as well, and what was asked is not kept for it. */
	ASSERT_EQ(0, ask(fd, family, 0, ATWIFI_CMD_AT, ATWIFI_A_AT_DEV, "atw77",
			 ATWIFI_A_AT_LINE, "AT+GMR"));
	ASSERT_LT(0, recv(fd, buf, sizeof(buf), 0));
	ASSERT_EQ(NLMSG_ERROR, nl->nlmsg_type);
	ASSERT_EQ(-ENODEV, ack->error);
	EXPECT_EQ(NULL, memmem(buf, sizeof(buf), "AT+GMR", 6));
	close(fd);
}

static int genl_socket(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);

	if (fd >= 0)
		atw_timeouts(fd, 60000);
	return fd;
}

/* What the module must be asked for, if it need not answer for long. */
static int ask_dns(int fd, int family, const char *device)
{
	return ask(fd, family, NLM_F_ACK, ATWIFI_CMD_DNS_GET, ATWIFI_A_DNS_DEV, device, 0, NULL);
}

/* The error in the next message, 0 if it is none, 1 if there is no message. */
static int ask_error(int fd, int flags)
{
	char buf[4096] __attribute__((aligned(4)));
	struct nlmsghdr *nl = (void *)buf;
	struct nlmsgerr *ack = NLMSG_DATA(nl);

	if (recv(fd, buf, sizeof(buf), flags) <= 0)
		return 1;
	return nl->nlmsg_type == NLMSG_ERROR ? ack->error : 0;
}

static struct request expose(int family, int cmd, uint16_t port)
{
	struct request r = request(family, NLM_F_ACK, cmd);
	uint8_t tcp = IPPROTO_TCP;

	put_text(&r, ATWIFI_A_EXPOSE_DEV, ATW_DEVICE);
	put(&r, ATWIFI_A_EXPOSE_PROTOCOL, &tcp, sizeof(tcp));
	put(&r, ATWIFI_A_EXPOSE_PORT, &port, sizeof(port));
	return r;
}

/* Who asks for two things and reads the answers later has them done in this order. */
TEST_F(ctl, in_order)
{
	struct request add, del;
	struct iovec both[] = {
		{ .iov_base = &add },
		{ .iov_base = &del },
	};
	int fd, family;

	fd = genl_socket();
	ASSERT_LE(0, fd);
	family = genl_family(fd);
	ASSERT_LT(0, family);
	add = expose(family, ATWIFI_CMD_EXPOSE_ADD, 8081);
	del = expose(family, ATWIFI_CMD_EXPOSE_DEL, 8081);
	both[0].iov_len = add.nl.nlmsg_len;
	both[1].iov_len = del.nl.nlmsg_len;
	ASSERT_LT(0, writev(fd, both, 2));
	EXPECT_EQ(0, ask_error(fd, 0));
	EXPECT_EQ(0, ask_error(fd, 0));
	ASSERT_SAYS("", "$A expose | grep 8081; true");
	close(fd);
}

/* A name that is too long is told as such, whatever it is for. */
TEST_F(ctl, long_name)
{
	uint32_t type = ATWIFI_SOCKET_TYPE_TCP_CLIENT;
	struct request autott, resolve;
	int fd, family;
	char name[121];

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	fd = genl_socket();
	ASSERT_LE(0, fd);
	family = genl_family(fd);
	ASSERT_LT(0, family);
	resolve = request(family, NLM_F_ACK, ATWIFI_CMD_RESOLVE);
	put_text(&resolve, ATWIFI_A_RESOLVE_DEV, ATW_DEVICE);
	put_text(&resolve, ATWIFI_A_RESOLVE_HOST, name);
	ASSERT_LT(0, send(fd, &resolve, resolve.nl.nlmsg_len, 0));
	EXPECT_EQ(-ENAMETOOLONG, ask_error(fd, 0));
	autott = request(family, NLM_F_ACK, ATWIFI_CMD_AUTOTT_SET);
	put_text(&autott, ATWIFI_A_AUTOTT_DEV, ATW_DEVICE);
	put(&autott, ATWIFI_A_AUTOTT_TYPE, &type, sizeof(type));
	put_text(&autott, ATWIFI_A_AUTOTT_HOST, name);
	ASSERT_LT(0, send(fd, &autott, autott.nl.nlmsg_len, 0));
	EXPECT_EQ(-ENAMETOOLONG, ask_error(fd, 0));
	close(fd);
}

/* An address has four bytes: where there are fewer what is behind them is nobody's. */
TEST_F(ctl, no_address)
{
	static const int len[] = { 0, 1, 3, 5, 8 };
	static const uint8_t address[8] = { 192, 0, 2, 53 };
	struct request r;
	int fd, family;
	size_t i;

	fd = genl_socket();
	ASSERT_LE(0, fd);
	family = genl_family(fd);
	ASSERT_LT(0, family);
	for (i = 0; i < ARRAY_SIZE(len); i++) {
		r = request(family, NLM_F_ACK, ATWIFI_CMD_DNS_SET);
		put_text(&r, ATWIFI_A_DNS_DEV, ATW_DEVICE);
		put(&r, ATWIFI_A_DNS_SERVER, address, len[i]);
		ASSERT_LT(0, send(fd, &r, r.nl.nlmsg_len, 0));
		EXPECT_EQ(-ERANGE, ask_error(fd, 0));
		r = expose(family, ATWIFI_CMD_EXPOSE_ADD, 8081);
		put(&r, ATWIFI_A_EXPOSE_LOCAL_ADDRESS, address, len[i]);
		ASSERT_LT(0, send(fd, &r, r.nl.nlmsg_len, 0));
		EXPECT_EQ(-ERANGE, ask_error(fd, 0));
	}
	close(fd);
}

/* As many as may wait for one module: others' are not among them. */
TEST_F(ctl, waits_for_one)
{
	int fd, other, family, i;
	pid_t sim, host;

	if (!*atw_env("ATW_SIM", "") || !atw_has_sim())
		SKIP(return, "no emulator to start, or to control");
	sim = begin_emulator();
	ASSERT_TRUE(becomes("test -e " PTY));
	host = begin("exec " ATTACH);
	EXPECT_TRUE(becomes("$A list | grep -q '^atw1 .*joined'"));
	fd = genl_socket();
	ASSERT_LE(0, fd);
	other = genl_socket();
	ASSERT_LE(0, other);
	family = genl_family(fd);
	ASSERT_LT(0, family);
	ASSERT_EQ(0, atw_sim("silent on"));
	for (i = 0; i < 64; i++)
		ASSERT_EQ(0, ask_dns(fd, family, ATW_DEVICE));
	EXPECT_EQ(1, ask_error(fd, MSG_DONTWAIT));
	/* One more is refused by send(), so to speak. */
	ASSERT_EQ(0, ask_dns(other, family, ATW_DEVICE));
	EXPECT_EQ(-ENOBUFS, ask_error(other, MSG_DONTWAIT));
	ASSERT_EQ(0, ask_dns(other, family, "atw77"));
	EXPECT_EQ(-ENODEV, ask_error(other, MSG_DONTWAIT));
	EXPECT_EQ(0, sh("$A -d atw1 at AT+GMR")) {
		TH_LOG("%s", said);
	}
	close(fd);
	ASSERT_EQ(0, atw_sim("silent off"));
	EXPECT_TRUE(becomes("$A -d " ATW_DEVICE " at AT"));
	end(host);
	end(sim);
}

/* Ask for a name without a device, as a user who has not opened the socket. */
static int ask_name(int fd, int family, uid_t uid)
{
	int ret;

	if (setresuid(uid, uid, 0))
		return -1;
	ret = ask(fd, family, NLM_F_ACK, ATWIFI_CMD_RESOLVE, ATWIFI_A_RESOLVE_HOST,
		  atw_env("ATW_NAME", "peer.test"), 0, NULL);
	return setresuid(0, 0, 0) ? -1 : ret;
}

/*
 * Of @n requests each is answered without an error, or that it has waited for too long on a
 * slow machine, once; how many messages are others.
 */
static int odd_answers(int fd, int n)
{
	int messages, error, odd = 0;

	/* The answer, and that this is all; or that alone. */
	for (messages = 2 * n; messages > 0; messages -= error ? 2 : 1) {
		error = ask_error(fd, 0);
		/* Whose connect it was that all have waited for may have to let others go first. */
		odd += error && error != -ETIMEDOUT && error != -EBUSY;
	}
	return odd + (ask_error(fd, MSG_DONTWAIT) != 1);
}

/*
 * Of a user's names 16 may wait; others', and the administrator's requests, find room. All of
 * these are answered when the module has time, and then there is as much room as before.
 */
TEST_F(ctl, names_of_users)
{
	int fd, other, family, sock, turn, i, others;

	if (!atw_has_sim() || old_firmware())
		SKIP(return, "no emulator to control, or it has no names");
	fd = genl_socket();
	ASSERT_LE(0, fd);
	other = genl_socket();
	ASSERT_LE(0, other);
	family = genl_family(fd);
	ASSERT_LT(0, family);
	for (turn = 0; turn < 2; turn++) {
		sock = atw_socket(SOCK_STREAM | SOCK_NONBLOCK);
		ASSERT_LE(0, sock);
		ASSERT_EQ(0, atw_hold(HOLD_LONG));
		ASSERT_ERRNO(EINPROGRESS, atw_connect_hole(sock));
		ASSERT_TRUE(becomes("$A sockets | grep opening"));
		for (i = 0; i < 16; i++)
			ASSERT_EQ(0, ask_name(fd, family, 65534));
		ASSERT_EQ(1, ask_error(fd, MSG_DONTWAIT));
		ASSERT_EQ(0, ask_name(other, family, 65534));
		EXPECT_EQ(-ENOBUFS, ask_error(other, MSG_DONTWAIT));
		/* Without the name of a device the administrator is a user as others are. */
		ASSERT_EQ(0, ask_name(other, family, 0));
		EXPECT_EQ(1, ask_error(other, MSG_DONTWAIT));
		/* Some may share with the first; all of them together have as many again. */
		for (i = 0, others = 1; i < 64; i++) {
			ASSERT_EQ(0, ask_name(other, family, 1000 + i));
			others += ask_error(other, MSG_DONTWAIT) == 1;
		}
		EXPECT_EQ(16, others);
		ASSERT_EQ(0, ask_dns(other, family, ATW_DEVICE));
		EXPECT_EQ(1, ask_error(other, MSG_DONTWAIT));
		ASSERT_EQ(0, atw_hold(HOLD_ENDS));
		EXPECT_EQ(0, odd_answers(fd, 16));
		EXPECT_EQ(0, odd_answers(other, others + 1));
		close(sock);
	}
	close(fd);
	close(other);
}

/* It is in a network, and joins "far" later than anybody waits for; returns its joins so far. */
static long joins_slowly(struct __test_metadata *_metadata)
{
	long joins;

	/* Where there is room for no more it is there already: see the scan. */
	atw_sim("ap far:12345678");
	ASSERT_SAYS("", "echo 12345678 | $A -p - join atsim");
	joins = atw_sim_stat("joins");
	ASSERT_LT(0, joins);
	ASSERT_EQ(0, atw_sim("join-time 600000"));
	return joins;
}

/* Who gives a join up has not joined: the module is in the network of before again. */
TEST_F(ctl, join_killed)
{
	long joins;
	pid_t pid;

	if (!atw_has_sim())
		SKIP(return, "no emulator to control");
	joins = joins_slowly(_metadata);
	pid = begin("echo 12345678 >/tmp/password; exec $A -p /tmp/password join far");
	ASSERT_LT(0, pid);
	ASSERT_TRUE(atw_becomes(atw_sim_stat("joins") > joins, LONG_MS));
	/* As a terminal does. */
	ASSERT_EQ(0, kill(pid, SIGINT));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	ASSERT_EQ(0, atw_sim("join-time 1"));
	/* What is asked then is answered after that. */
	ASSERT_TRUE(becomes("$A at AT"));
	ASSERT_TRUE(becomes("$A status | grep -w atsim"));
	/* Nor does it join that when it starts. */
	ASSERT_TRUE(atw_reset_module(ATW_DEVICE));
	EXPECT_TRUE(becomes("$A status | grep -w atsim"));
	EXPECT_EQ(joins + 2, atw_sim_stat("joins"));
	ASSERT_EQ(0, atw_sim("join-time 250"));
}

/* So has who had asked for something else by the same socket, and hears of neither. */
TEST_F(ctl, join_closed)
{
	struct request join;
	long joins;
	int fd;

	if (!atw_has_sim())
		SKIP(return, "no emulator to control");
	joins = joins_slowly(_metadata);
	fd = genl_socket();
	ASSERT_LE(0, fd);
	join = request(genl_family(fd), 0, ATWIFI_CMD_JOIN);
	put_text(&join, ATWIFI_A_WIFI_DEV, ATW_DEVICE);
	put(&join, ATWIFI_A_WIFI_SSID, "far", 3);
	put_text(&join, ATWIFI_A_WIFI_PASSWORD, "12345678");
	ASSERT_EQ(join.nl.nlmsg_len, send(fd, &join, join.nl.nlmsg_len, 0));
	ASSERT_TRUE(atw_becomes(atw_sim_stat("joins") > joins, LONG_MS));
	ASSERT_EQ(0, ask_dns(fd, join.nl.nlmsg_type, ATW_DEVICE));
	close(fd);
	ASSERT_EQ(0, atw_sim("join-time 1"));
	ASSERT_TRUE(becomes("$A at AT"));
	EXPECT_TRUE(becomes("$A status | grep -w atsim"));
	ASSERT_EQ(0, atw_sim("join-time 250"));
}

/* Who knew passphrases has gone, and left a question for the module: another one may come. */
TEST_F(ctl, listener_closed)
{
	struct request hear;
	int fd, other, err;

	if (!atw_has_sim())
		SKIP(return, "no emulator to control");
	fd = genl_socket();
	ASSERT_LE(0, fd);
	hear = request(genl_family(fd), NLM_F_ACK, ATWIFI_CMD_PASSPHRASE_LISTEN);
	ASSERT_EQ(hear.nl.nlmsg_len, send(fd, &hear, hear.nl.nlmsg_len, 0));
	err = ask_error(fd, 0);
	if (err == -EOPNOTSUPP)
		SKIP(return, "a driver without cfg80211");
	ASSERT_EQ(0, err);
	other = genl_socket();
	ASSERT_LE(0, other);
	ASSERT_EQ(0, atw_sim("silent on"));
	ASSERT_EQ(0, ask_dns(fd, hear.nl.nlmsg_type, ATW_DEVICE));
	ASSERT_EQ(hear.nl.nlmsg_len, send(other, &hear, hear.nl.nlmsg_len, 0));
	EXPECT_EQ(-EBUSY, ask_error(other, 0));
	close(fd);
	ASSERT_EQ(hear.nl.nlmsg_len, send(other, &hear, hear.nl.nlmsg_len, 0));
	EXPECT_EQ(0, ask_error(other, 0));
	close(other);
	ASSERT_EQ(0, atw_sim("silent off"));
	ASSERT_TRUE(becomes("$A at AT"));
}

/* An answer to a socket that was closed is not for who has its number by then. */
TEST_F(ctl, port_id)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_pid = 0x61747769 };
	uint64_t limit = atw_now_ms() + 100000;
	int fd, family;

	if (!atw_has_sim())
		SKIP(return, "no emulator to control");
	fd = genl_socket();
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&nl, sizeof(nl)));
	family = genl_family(fd);
	ASSERT_LT(0, family);
	ASSERT_EQ(0, atw_sim("silent on"));
	ASSERT_EQ(0, ask_dns(fd, family, ATW_DEVICE));
	ASSERT_EQ(1, ask_error(fd, MSG_DONTWAIT));
	close(fd);
	fd = genl_socket();
	ASSERT_LE(0, fd);
	/* If it may have the number there is nothing to come, or it is kept back. */
	if (bind(fd, (struct sockaddr *)&nl, sizeof(nl)))
		ASSERT_EQ(EADDRINUSE, errno);
	ASSERT_EQ(0, atw_sim("silent off"));
	while (bind(fd, (struct sockaddr *)&nl, sizeof(nl))) {
		ASSERT_EQ(EADDRINUSE, errno);
		ASSERT_LT(atw_now_ms(), limit);
		atw_pause_ms(10);
	}
	/* Who asks later is answered later. */
	EXPECT_TRUE(becomes("$A at AT"));
	EXPECT_EQ(1, ask_error(fd, MSG_DONTWAIT));
	close(fd);
}

/* Who waits for a module that is silent can be killed, and others go on. */
TEST_F_TIMEOUT(ctl, killed, 900)
{
	int i, sock;

	if (!atw_has_sim())
		SKIP(return, "no emulator to control");
	sock = atw_hold_module();
	ASSERT_LE(0, sock);
	EXPECT_NE(0, sh("timeout -s KILL 1 $A at AT"));
	ASSERT_EQ(0, atw_hold(HOLD_ENDS));
	close(sock);
	/* Its answer must not get lost. */
	ASSERT_TRUE(becomes("$A at AT"));
	ASSERT_EQ(0, atw_sim("silent on"));
	for (i = 0; i < 3; i++)
		EXPECT_NE(0, sh("timeout -s KILL 1 $A at AT"));
	ASSERT_EQ(0, atw_sim("silent off"));
	ASSERT_TRUE(atw_state_becomes(ATW_DEVICE, "joined", RECOVERY_MS));
	/* It may be brought up first. */
	EXPECT_TRUE(becomes("$A at AT"));
}

TEST_HARNESS_MAIN
