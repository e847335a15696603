// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is wrong with an installation, and what to do: one finding on a line each, in the
 * order in which one needs the other. Nothing is changed, and of a module nothing is asked but,
 * if it has not joined, whether it is an access point.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <err.h>
#include <fcntl.h>
#include <glob.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

#include "attach.h"
#include "doctor.h"
#include "out.h"

#define STUB		"127.0.0.57"
#define NM		"/run/NetworkManager"

enum verdict { OK, LOOK, WRONG };

static const char *const verdicts[] = { "ok", "look", "wrong" };

static struct json_object *findings;
static bool any_wrong;

/* Keep a finding; @advice is NULL where there is nothing to do. */
__attribute__((format(printf, 5, 6)))
static void find(enum verdict verdict, const char *device, const char *about, const char *advice,
		 const char *fmt, ...)
{
	struct json_object *obj = json_object_new_object();
	char *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		err(1, "no memory");
	va_end(ap);
	any_wrong = any_wrong || verdict == WRONG;
	json_object_object_add(obj, "verdict", json_object_new_string(verdicts[verdict]));
	if (device)
		json_object_object_add(obj, "dev", out_string(device, strlen(device)));
	json_object_object_add(obj, "about", json_object_new_string(about));
	json_object_object_add(obj, "finding", out_string(text, strlen(text)));
	if (advice)
		json_object_object_add(obj, "advice", out_string(advice, strlen(advice)));
	json_object_array_add(findings, obj);
	free(text);
}

/* The first line that a shell command prints that contains @word, "" if none does. */
static const char *line_of(const char *command, const char *word)
{
	static char line[512];
	bool found = false;
	FILE *f;

	f = popen(command, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, word);
	/* Who is not heard to the end would complain. */
	while (f && fgetc(f) != EOF)
		;
	if (f)
		pclose(f);
	if (!found)
		*line = '\0';
	line[strcspn(line, "\n")] = '\0';
	return line;
}

/* Is there a line in a file that begins with @begin, and has @word as a word of its own? */
static bool file_has(const char *path, const char *begin, const char *word)
{
	char line[1024], *at;
	bool found = false;
	FILE *f;

	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f)) {
		if (strncmp(line, begin, strlen(begin)))
			continue;
		for (at = strtok(line + strlen(begin), " \t\n"); at; at = strtok(NULL, " \t\n"))
			found = found || !strcmp(at, word);
	}
	if (f)
		fclose(f);
	return found;
}

static bool matches(const char *pattern)
{
	glob_t g;
	bool any = !glob(pattern, 0, NULL, &g);

	if (any)
		globfree(&g);
	return any;
}

static void no_driver(void)
{
	const char *path, *dkms;
	struct utsname u;

	uname(&u);
	path = line_of("PATH=$PATH:/sbin:/usr/sbin modinfo -n atwifi 2>/dev/null", "atwifi");
	if (*path) {
		find(WRONG, NULL, "driver", "modprobe atwifi; if the key is refused: see "
		     "\"Installing\" in the manual",
		     "not loaded, though there is one for this kernel");
		return;
	}
	dkms = line_of("PATH=$PATH:/sbin:/usr/sbin dkms status atwifi 2>/dev/null", "atwifi");
	if (*dkms)
		find(WRONG, NULL, "driver", "install this kernel's headers, then: dkms autoinstall",
		     "not built for this kernel, %s; DKMS says: %s", u.release, dkms);
	else
		find(WRONG, NULL, "driver", "install atwifi-dkms, or in its source: "
		     "make && make install", "not installed for this kernel, %s", u.release);
}

/* Adapters that are to be attached when they are plugged in: see attach.c. */
static void check_adapters(void)
{
	char line[512], path[512];
	size_t i;
	glob_t g;
	FILE *f;

	if (glob(ATTACH_DIR "/*", 0, NULL, &g))
		return;
	for (i = 0; i < g.gl_pathc; i++) {
		*line = '\0';
		f = fopen(g.gl_pathv[i], "re");
		while (f && fgets(line, sizeof(line), f) && strchr("#\n", *line))
			*line = '\0';
		if (sscanf(line, "%511s", path) == 1 && *path == '/' && access(path, F_OK))
			find(LOOK, NULL, "adapter", "plug it in", "%s is not there", path);
		if (f)
			fclose(f);
	}
	globfree(&g);
}

static void check_flow(const char *name, const char *port)
{
	const char *advice = "two more wires, where the module has them (BW16)";
	const char *property = "uart-has-rtscts";
	struct termios tio;
	char path[256];
	bool is_tty;
	int fd;

	/* A tty's properties are not the module's. */
	snprintf(path, sizeof(path), "/sys/class/tty/%s", port);
	is_tty = !access(path, F_OK);
	snprintf(path, sizeof(path), "/sys/class/atwifi/%s/device/of_node/%s", name, property);
	if (!is_tty && !access(path, F_OK)) {
		snprintf(path, sizeof(path), "/sys/class/atwifi/%s/device/of_node/../%s", name,
			 property);
		if (!access(path, F_OK))
			find(OK, name, "RTS/CTS", NULL, "wired");
		else
			find(LOOK, name, "RTS/CTS", "uart-has-rtscts in the UART's node, too",
			     "wired, but not used");
		return;
	}
	snprintf(path, sizeof(path), "/dev/%s", port);
	fd = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	/* Whoever has it attached lets nobody else open it but root: then there is no telling. */
	if (fd < 0)
		return;
	if (!tcgetattr(fd, &tio) && tio.c_cflag & CRTSCTS)
		find(OK, name, "RTS/CTS", NULL, "used");
	else
		find(OK, name, "RTS/CTS", advice, "not used");
	close(fd);
}

/* Is its radio blocked by rfkill? Then nothing joins. */
static bool is_blocked(const char *ifname)
{
	bool blocked = false;
	char path[128];
	glob_t g;
	size_t i;
	FILE *f;

	/* A name may be a pattern, too: it is none here. */
	snprintf(path, sizeof(path), "/sys/class/net/%s/", ifname);
	if (glob("/sys/class/net/*/phy80211/rfkill*/soft", 0, NULL, &g))
		return false;
	for (i = 0; i < g.gl_pathc; i++) {
		if (strncmp(g.gl_pathv[i], path, strlen(path)))
			continue;
		f = fopen(g.gl_pathv[i], "re");
		blocked = blocked || (f && fgetc(f) == '1');
		if (f)
			fclose(f);
	}
	globfree(&g);
	return blocked;
}

/* What to do; where NetworkManager is, it has to: it configures no network that others joined. */
static const char *join_advice(const char *ifname, const char *otherwise)
{
	static char advice[128];

	if (!*ifname || !matches(NM))
		return otherwise;
	snprintf(advice, sizeof(advice), "nmcli --ask device wifi connect NETWORK ifname %s",
		 ifname);
	return advice;
}

/* It takes no notice of what it has not joined, and the kernel lets it join nothing meanwhile. */
static bool iwd_is_out(const char *ifname)
{
	if (!*line_of("grep -lx iwd /proc/[0-9]*/comm 2>/dev/null", "/"))
		return false;
	/* A network device may have any name, and this goes to a shell. */
	setenv("IFNAME", ifname, 1);
	return strstr(line_of("timeout 5 iwctl station \"$IFNAME\" show 2>/dev/null </dev/null",
			      " State "), "disconnected");
}

/* Is it in a network? */
static void check_network(const char *name, const char *ifname, bool joined, bool ap)
{
	if (*ifname && is_blocked(ifname)) {
		find(WRONG, name, "radio", matches(NM) ?
		     "nmcli radio wifi on; on Raspberry Pi OS with your country first: "
		     "raspi-config nonint do_wifi_country GB" : "rfkill unblock wlan",
		     "blocked by rfkill");
		return;
	}
	if (joined && *ifname && iwd_is_out(ifname)) {
		find(LOOK, name, "network", "for iwd to join networks: atwctl leave",
		     "joined, but not by iwd, which can join none meanwhile");
		return;
	}
	if (joined) {
		find(OK, name, "network", NULL, "joined");
		return;
	}
	if (ap)
		find(LOOK, name, "network", "fine, if that is meant; else: atwctl join NETWORK",
		     "not joined, but an access point itself");
	else
		find(WRONG, name, "network",
		     join_advice(ifname, "atwctl scan, then: atwctl join NETWORK"), "not joined");
}

/* Where does the default route lead that counts? The device's name, NULL: there is none. */
static const char *default_route(void)
{
	unsigned int to, mask, flags, metric, best = UINT_MAX;
	static char dev[IF_NAMESIZE];
	char name[IF_NAMESIZE];
	char line[256];
	FILE *f;

	*dev = '\0';
	f = fopen("/proc/net/route", "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%15s %x %*x %x %*d %*d %u %x", name, &to, &flags, &metric,
			   &mask) != 5 || to || mask || flags & RTF_REJECT)
			continue;
		/* Of those that are as good as each other the first. */
		if (*dev && metric >= best)
			continue;
		best = metric;
		strcpy(dev, name);
	}
	if (f)
		fclose(f);
	return *dev ? dev : NULL;
}

static void check_address(const char *name, const char *ifname, const char *address)
{
	char have[INET_ADDRSTRLEN] = "", own[128];
	const char *dev, *advice;
	struct ifaddrs *all, *a;
	bool up = false;

	if (getifaddrs(&all))
		err(1, "addresses");
	for (a = all; a; a = a->ifa_next) {
		if (strcmp(a->ifa_name, ifname))
			continue;
		up = up || a->ifa_flags & IFF_UP;
		if (a->ifa_addr && a->ifa_addr->sa_family == AF_INET)
			inet_ntop(AF_INET, &((struct sockaddr_in *)a->ifa_addr)->sin_addr, have,
				  sizeof(have));
	}
	freeifaddrs(all);
	snprintf(own, sizeof(own), "ip link set %s up, and a DHCP client: dhclient, udhcpc or "
		 "dhcpcd", ifname);
	advice = join_advice(ifname, own);
	if (!up) {
		find(LOOK, name, "address", advice,
		     "%s is down: sockets of AF_ATWIFI work, other programs do not", ifname);
		return;
	}
	if (!*have) {
		find(WRONG, name, "address", advice, "%s has none", ifname);
		return;
	}
	if (strcmp(have, address))
		find(LOOK, name, "address", "a DHCP client gives it the module's",
		     "%s has %s, the module %s", ifname, have, *address ? address : "none");
	else
		find(OK, name, "address", NULL, "%s", have);

	dev = default_route();
	snprintf(own, sizeof(own), "a DHCP client sets one, or: ip route add default dev %s",
		 ifname);
	if (!dev)
		find(WRONG, name, "route", own, "there is no default route");
	else if (strcmp(dev, ifname))
		find(LOOK, name, "route", "fine, if that is meant",
		     "the default route leads to %s", dev);
	else
		find(OK, name, "route", NULL, "the default route leads here");
}

static void check_device(struct json_object *dev, bool (*is_ap)(const char *device))
{
	const char *name = out_get(dev, "name", "?"), *ifname, *state = out_get(dev, "state", "");
	const char *port = out_get(dev, "port", "?");
	struct json_object *stats;
	int damaged, overflows;
	bool joined;
	int baud;

	if (!strcmp(state, "probing")) {
		find(WRONG, name, "module", "look at its 3.3 V, ground, and that TX leads to RX "
		     "and RX to TX; nothing else may use the line (a console, ModemManager)",
		     "none answers at %s", port);
		return;
	}
	if (!strcmp(out_get(dev, "profile", "unknown"), "unknown"))
		find(LOOK, name, "module", "tools/testing/hwcheck, in the driver's source, says "
		     "how it differs", "at %s, with firmware that is not known: %s", port,
		     out_get(dev, "firmware", "?"));
	else
		find(OK, name, "module", NULL, "at %s, firmware %s", port,
		     out_get(dev, "firmware", "?"));
	baud = atoi(out_get(dev, "baud", "0"));
	find(baud >= 460800 ? OK : LOOK, name, "rate",
	     baud >= 460800 ? NULL : "921600 is usual, on Allwinner's UARTs 1500000: the rate "
	     "of atwctl attach --permanent, or max-speed in the device tree", "%d bit/s", baud);
	check_flow(name, port);
	if (json_object_object_get_ex(dev, "stats", &stats)) {
		damaged = atoi(out_get(stats, "damaged", "0"));
		overflows = atoi(out_get(stats, "overflows", "0"));
		if (damaged)
			find(LOOK, name, "line", "shorter wires, a lower rate, or RTS and CTS",
			     "bytes were damaged or lost %d times", damaged);
		else
			find(OK, name, "line", NULL, "nothing was damaged or lost");
		if (overflows)
			find(LOOK, name, "reading", "a program reads too slowly, or not at all; or "
			     "this machine is short of memory",
			     "%d streams were reset: there was no room for what came", overflows);
	}
	ifname = out_get(dev, "ifname", "");
	joined = !strcmp(state, "joined");
	check_network(name, ifname, joined, !joined && is_ap(name));
	if (joined && *ifname)
		check_address(name, ifname, out_get(dev, "address", ""));
}

static void check_names(bool module)
{
	bool running = *line_of("cat /proc/[0-9]*/comm 2>/dev/null", "atwifid");
	/* Another server of this machine may ask it. */
	bool local = *line_of("cat /etc/resolv.conf 2>/dev/null", "nameserver 127.");
	bool installed = matches("/usr/sbin/atwifid") || matches("/usr/local/sbin/atwifid");
	const char *enable = installed ? "systemctl enable --now atwifid" :
			     "install atwifid, then: systemctl enable --now atwifid";
	char advice[256];

	if (file_has("/etc/nsswitch.conf", "hosts:", "atwifi")) {
		if (matches("/lib/*/libnss_atwifi.so.2") ||
		    matches("/usr/lib/libnss_atwifi.so.2") ||
		    matches("/usr/local/lib/libnss_atwifi.so.2"))
			find(OK, NULL, "names", NULL, "the module resolves them, by libnss_atwifi");
		else
			find(WRONG, NULL, "names", "install libnss-atwifi",
			     "/etc/nsswitch.conf has atwifi, but there is no libnss_atwifi.so.2");
	}
	snprintf(advice, sizeof(advice), "for the module's: libnss-atwifi, with \"atwifi\" behind "
		 "\"files\" in /etc/nsswitch.conf; or: %s", enable);
	if (file_has("/etc/resolv.conf", "nameserver", STUB) && !running)
		find(WRONG, NULL, "names",
		     module ? enable : "attach the module, or name another server there, too",
		     "/etc/resolv.conf has " STUB ", but atwifid does not run%s",
		     module ? "" : " without a module");
	else if (running && !local)
		find(LOOK, NULL, "names", "see \"Names\" in the manual: something else writes that "
		     "file", "atwifid runs, but /etc/resolv.conf does not have it asked");
	else if (running)
		find(OK, NULL, "names", NULL, "atwifid runs");
	else if (!file_has("/etc/nsswitch.conf", "hosts:", "atwifi"))
		find(LOOK, NULL, "names", advice, "asked of the servers in /etc/resolv.conf");
}

static void print_findings(void)
{
	struct json_object *f;
	const char *text;
	size_t i;

	for (i = 0; i < json_object_array_length(findings); i++) {
		f = json_object_array_get_idx(findings, i);
		printf("%-6s ", out_get(f, "verdict", ""));
		text = out_get(f, "dev", "");
		out_text(text);
		printf("%s%s: ", *text ? " " : "", out_get(f, "about", ""));
		out_text(out_get(f, "finding", ""));
		text = out_get(f, "advice", "");
		printf("%s", *text ? " - " : "");
		out_text(text);
		putchar('\n');
	}
	json_object_put(findings);
}

/**
 * doctor() - say what is wrong
 * @devices: those that the driver has, NULL where there is no driver
 * @device: the one that is meant, NULL for all
 * @json: print JSON
 * @is_ap: whether one is an access point, as far as we may know
 *
 * Return: the exit status: 1 if something is wrong.
 */
int doctor(struct json_object *devices, const char *device, bool json,
	   bool (*is_ap)(const char *device))
{
	struct json_object *dev;
	size_t i, found = 0;

	findings = json_object_new_array();
	if (!devices) {
		no_driver();
	} else {
		find(OK, NULL, "driver", NULL, "loaded");
		for (i = 0; i < json_object_array_length(devices); i++) {
			dev = json_object_array_get_idx(devices, i);
			if (device && strcmp(device, out_get(dev, "name", "")))
				continue;
			check_device(dev, is_ap);
			found++;
		}
		if (!found)
			find(WRONG, device, "device", "atwctl attach /dev/ttyUSB0 921600, or on a "
			     "board an overlay: see the manual",
			     "there is none in this network namespace");
	}
	check_adapters();
	check_names(found);
	if (json)
		out_json(findings, false);
	else
		print_findings();
	return any_wrong ? 1 : 0;
}
