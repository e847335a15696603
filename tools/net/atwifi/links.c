// SPDX-License-Identifier: GPL-2.0-only
/*
 * Name servers of the networks that modules have joined: systemd-resolved is told, if it runs;
 * resolvconf and a file if the administrator wants that. And if he wants that the servers that
 * others have told this machine, such as he has himself, are told the module.
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus.h"
#include "links.h"
#include "resolvconf.h"
#include "resolved.h"

static struct link_listeners listeners;

/**
 * enum given - what became of what the module was told last
 * @GIVEN_SENT: not known, or the module has it, or was told nothing yet
 * @GIVEN_DONE: the module has said that it is done, and what it has then is to come
 * @GIVEN_IN_VAIN: it was done, and the module has others: it is not told the same again
 */
enum given {
	GIVEN_SENT,
	GIVEN_DONE,
	GIVEN_IN_VAIN,
};

static struct link {
	struct link_device	dev;
	struct in_addr		servers[LINK_SERVERS];
	unsigned int		n;
	/* Those that resolved was told; without a name it is yet to be told that they are gone. */
	struct in_addr		told[LINK_SERVERS];
	unsigned int		n_told;
	/* Those that the module was told last, and those that it has of its network. */
	struct in_addr		given[LINK_SERVERS], own[LINK_SERVERS];
	unsigned int		n_given, n_own;
	enum given		given_is;
	/* What others had said at the last look; -1: there was none since the module has these. */
	struct in_addr		seen[LINK_SERVERS];
	int			n_seen;
} links[LINKS_MAX];

/* The link of a device. */
static struct link *find(const char *name)
{
	int i;

	for (i = 0; i < LINKS_MAX; i++)
		if (*name && !strcmp(links[i].dev.name, name))
			return &links[i];
	return NULL;
}

/* A place for a link: the one that knows what resolved was told of it, or else knows nothing. */
static struct link *new_link(int ifindex)
{
	struct link *l, *place = NULL;

	for (l = links; l < links + LINKS_MAX; l++) {
		if (*l->dev.name)
			continue;
		if (l->n_told && l->dev.ifindex == ifindex)
			return l;
		if (!place || place->n_told)
			place = l;
	}
	if (place)
		place->n_told = 0;
	return place;
}

static bool are_same(const struct in_addr *a, unsigned int n_a, const struct in_addr *b,
		     unsigned int n_b)
{
	return n_a == n_b && !memcmp(a, b, n_a * sizeof(*a));
}

/* Has the module other servers than its network's, which it was told by us? */
static bool is_given(const struct link *l)
{
	return !are_same(l->servers, l->n, l->own, l->n_own);
}

static bool is_what_was_given(const struct link *l)
{
	return are_same(l->servers, l->n, l->given, l->n_given);
}

/* And by which way they are asked, for atwifid. */
static void print_servers(FILE *f, const struct link *l)
{
	unsigned int i;

	fprintf(f, "# device: %s\n", l->dev.ifname);
	for (i = 0; i < l->n; i++)
		fprintf(f, "nameserver %s\n", inet_ntoa(l->servers[i]));
}

/* In place of one of an unclean end, which is not ours to open; whatever the umask is. */
static FILE *new_file(const char *path, mode_t mode)
{
	FILE *f;

	unlink(path);
	f = fopen(path, "wxe");
	if (f)
		fchmod(fileno(f), mode);
	return f;
}

/* All of it anew, in place of the old one when it is whole. */
static void write_file(void)
{
	char new[PATH_MAX];
	FILE *f;
	int i;

	if (snprintf(new, sizeof(new), "%s.atwifi", listeners.file) >= (int)sizeof(new)) {
		warnx("%s: too long for a path", listeners.file);
		return;
	}
	f = new_file(new, 0644);
	if (!f) {
		warn("%s", new);
		return;
	}
	fputs("# Of the networks of Wi-Fi modules, by atwifi-agent(8).\n", f);
	for (i = 0; i < LINKS_MAX; i++)
		if (*links[i].dev.name)
			print_servers(f, &links[i]);
	if (ferror(f) | fclose(f) || rename(new, listeners.file)) {
		warn("%s", listeners.file);
		unlink(new);
	}
}

static void tell_others(const struct link *l)
{
	if (listeners.resolvconf)
		resolvconf_tell(l->dev.ifname, l->servers, l->n);
	if (listeners.file)
		write_file();
}

/*
 * What resolved was told is kept for whoever comes after an unclean end, in a directory that
 * systemd has made.
 */
static bool told_path(char path[PATH_MAX])
{
	const char *dir = getenv("RUNTIME_DIRECTORY");

	/* The unit's own is the first of those that there are. */
	return dir && *dir && snprintf(path, PATH_MAX, "%.*s/told", (int)strcspn(dir, ":"),
				       dir) < PATH_MAX;
}

static void keep_told(void)
{
	char path[PATH_MAX];
	FILE *f;

	if (!told_path(path))
		return;
	f = new_file(path, 0600);
	if (!f || fwrite(links, sizeof(links), 1, f) != 1 || fclose(f))
		warn("%s", path);
}

/*
 * What others have told this machine: systemd-resolved knows, and where it does not run those who
 * would tell it. -1: none of them does.
 */
static int others_servers(const struct link_device *dev, struct in_addr *servers)
{
	int n = resolved_get(dev->ifindex, servers);

	return n < 0 ? bus_servers(dev, servers) : n;
}

/*
 * The servers that others have told this machine are the module's, and its own again when they
 * are not told any more. A DHCP client that the driver itself answers is one of these others,
 * and some time behind: what was not there at the last look already does not count.
 */
static void tell_module(struct link *l)
{
	struct in_addr has[LINK_SERVERS] = { 0 };
	const struct in_addr *want = has;
	int n, n_seen = l->n_seen;

	if (!listeners.module)
		return;
	n = others_servers(&l->dev, has);
	if (n < 0)
		return;
	l->n_seen = n;
	if (n != n_seen || memcmp(has, l->seen, sizeof(has))) {
		memcpy(l->seen, has, sizeof(has));
		return;
	}
	if (!n || are_same(has, n, l->told, l->n_told)) {
		want = l->own;
		n = l->n_own;
	}
	if (are_same(want, n, l->servers, l->n) ||
	    (l->given_is != GIVEN_SENT && are_same(want, n, l->given, l->n_given)))
		return;
	if (!listeners.module(&l->dev, want, n))
		return;
	memcpy(l->given, want, sizeof(l->given));
	l->n_given = n;
	l->given_is = GIVEN_SENT;
}

/*
 * Of links that are down resolved knows none of our servers any more, or later: what it was told
 * it keeps for when it runs again. A link that is gone it has forgotten.
 */
static void withdraw(void)
{
	char name[IF_NAMESIZE];
	bool any = false;
	struct link *l;

	for (l = links; l < links + LINKS_MAX; l++) {
		if (*l->dev.name || !l->n_told)
			continue;
		if (resolved_set(l->dev.ifindex, l->told, 0, l->told, l->n_told) < 0 &&
		    if_indextoname(l->dev.ifindex, name))
			continue;
		l->n_told = 0;
		any = true;
	}
	if (any)
		keep_told();
}

static void tell_resolved(struct link *l)
{
	struct in_addr has[LINK_SERVERS];

	/* It has told us. */
	if (is_given(l))
		return;
	/* So it has if the module has kept them while it was out of its network. */
	if (listeners.module && !l->n_told && resolved_get(l->dev.ifindex, has) > 0)
		return;
	if (resolved_set(l->dev.ifindex, l->servers, l->n, l->told, l->n_told) <= 0)
		return;
	memcpy(l->told, l->servers, sizeof(l->told));
	l->n_told = l->n;
	keep_told();
}

/**
 * link_is_server() - can a module ask it?
 * @address: a name server, by what somebody says, be it another daemon or the network
 *
 * Return: false: it is one of this machine, atwifid's for one, or nobody's, or many's.
 */
bool link_is_server(struct in_addr address)
{
	const uint32_t a = ntohl(address.s_addr);
	static bool said;

	if (a >> 24 == 127 && !said) {
		warnx("%s is this machine's own, and no server that a module can ask",
		      inet_ntoa(address));
		said = true;
	}
	return a >> 24 && a >> 24 != 127 && a >> 28 != 0xe && a != INADDR_BROADCAST;
}

/**
 * links_begin() - nobody has joined yet
 * @l: whom to tell what comes
 */
void links_begin(const struct link_listeners *l)
{
	listeners = *l;
	if (l->file)
		write_file();
}

/**
 * links_up() - a module has joined, or knows other servers than before
 * @dev: its device
 * @servers: the servers
 * @n: how many, up to LINK_SERVERS; none: as if it had not joined
 */
void links_up(const struct link_device *dev, const struct in_addr *servers, unsigned int n)
{
	struct link *l = find(dev->name);
	struct link before;
	bool is_new;

	if (!n || !dev->ifindex) {
		links_down(dev->name);
		return;
	}
	/* It has another name: who was told of the old one is told that this is gone. */
	if (l && (l->dev.ifindex != dev->ifindex || strcmp(l->dev.ifname, dev->ifname))) {
		links_down(dev->name);
		l = NULL;
	}
	l = l ?: new_link(dev->ifindex);
	if (!l)
		return;
	before = *l;
	l->dev = *dev;
	l->n = n;
	memset(l->servers, 0, sizeof(l->servers));
	memcpy(l->servers, servers, n * sizeof(*servers));
	is_new = !are_same(l->servers, l->n, before.servers, before.n);
	if (l->given_is == GIVEN_DONE) {
		l->given_is = is_what_was_given(l) ? GIVEN_SENT : GIVEN_IN_VAIN;
	} else if (is_new && !is_what_was_given(l)) {
		memcpy(l->own, l->servers, sizeof(l->own));
		l->n_own = n;
	}
	if (is_new)
		l->n_seen = -1;
	tell_resolved(l);
	if (is_new)
		tell_others(l);
}

/**
 * links_told() - a module has taken the servers that it was told
 * @name: of its device
 *
 * What links_up() is called with next is what it has then.
 */
void links_told(const char *name)
{
	struct link *l = find(name);

	if (l)
		l->given_is = GIVEN_DONE;
}

/**
 * links_down() - a module is out of its network
 * @name: of its device
 */
void links_down(const char *name)
{
	struct link *l = find(name);
	struct link was;

	if (!l)
		return;
	was = *l;
	was.n = 0;
	memset(l, 0, sizeof(*l));
	l->dev.ifindex = was.dev.ifindex;
	memcpy(l->told, was.told, sizeof(l->told));
	l->n_told = was.n_told;
	if (l->n_told)
		withdraw();
	tell_others(&was);
}

/**
 * links_again() - systemd-resolved has begun to run, or it did not answer
 */
void links_again(void)
{
	int i;

	withdraw();
	for (i = 0; i < LINKS_MAX; i++)
		if (*links[i].dev.name)
			tell_resolved(&links[i]);
	links_look();
}

/**
 * links_look() - see what others have told this machine, which nobody says by himself
 *
 * What is seen twice in turn the module is told.
 */
void links_look(void)
{
	int i;

	for (i = 0; i < LINKS_MAX; i++)
		if (*links[i].dev.name)
			tell_module(&links[i]);
}

/**
 * links_before() - what was told before an unclean end is told no longer
 *
 * For systemd-resolved, which can be reached by now: others are told anew.
 */
void links_before(void)
{
	static struct link before[LINKS_MAX];
	char path[PATH_MAX];
	FILE *f;
	int i;

	f = told_path(path) ? fopen(path, "re") : NULL;
	if (!f)
		return;
	if (fread(before, sizeof(before), 1, f) == 1)
		for (i = 0; i < LINKS_MAX; i++)
			if (before[i].n_told <= LINK_SERVERS) {
				links[i].dev.ifindex = before[i].dev.ifindex;
				memcpy(links[i].told, before[i].told, sizeof(links[i].told));
				links[i].n_told = before[i].n_told;
			}
	fclose(f);
	withdraw();
}

/**
 * links_end() - nobody will say when a module is out of its network
 */
void links_end(void)
{
	int i;

	resolved_ask_again();
	for (i = 0; i < LINKS_MAX; i++)
		links_down(links[i].dev.name);
}
