// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where passphrases are: in files that root owns, which this reads as root and without the
 * privilege to read others'; and with NetworkManager. Of each file there is a bound to what is
 * read, and nothing of it stays in memory.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus.h"
#include "sources.h"
#include "store.h"

#define FILE_MAX	(256 * 1024)
#define FILES_MAX	256	/* that a pattern may name */

typedef void parse_fn(struct secrets *s, struct text file);

/* One at a time, and once: what is read of a file and what is read to find files. */
static char file_text[FILE_MAX], proc_text[4096];

/* May nobody but root have written it? */
static bool is_roots(const struct stat *st)
{
	return !st->st_uid && !(st->st_mode & 022);
}

/*
 * What a file has, if it is one, and not more of it than there is room; of one that
 * somebody has named, only if it is root's.
 */
static struct text read_file(const char *path, bool named, char *buf, size_t size)
{
	struct text t = { buf, 0 };
	struct stat st;
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return t;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && (!named || is_roots(&st)))
		while (t.len < size && (n = read(fd, buf + t.len, size - t.len)) > 0)
			t.len += n;
	close(fd);
	return t;
}

static void look_in_file(struct secrets *s, const char *path, bool named, parse_fn *parse)
{
	struct text file = read_file(path, named, file_text, sizeof(file_text));

	parse(s, file);
	explicit_bzero(file_text, file.len);
}

static void look_in(struct secrets *s, const char *path, parse_fn *parse)
{
	look_in_file(s, path, false, parse);
}

static void look_in_all(struct secrets *s, const char *pattern, parse_fn *parse)
{
	glob_t found;
	size_t i;

	if (!glob(pattern, GLOB_NOSORT, NULL, &found))
		for (i = 0; i < found.gl_pathc && i < FILES_MAX; i++)
			look_in(s, found.gl_pathv[i], parse);
	globfree(&found);
}

static void look_in_store(struct secrets *s)
{
	look_in(s, STORE_FILE, secrets_of_store);
}

/* Is it root's? Whoever else calls a program wpa_supplicant names no files to us. */
static bool is_of_root(const char *pid)
{
	unsigned int real, effective;
	char path[300];
	struct text t;
	char *uids;

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	t = read_file(path, false, proc_text, sizeof(proc_text) - 1);
	proc_text[t.len] = '\0';
	uids = strstr(proc_text, "\nUid:");
	return uids && sscanf(uids, "\nUid:%u%u", &real, &effective) == 2 && !real && !effective;
}

static void look_in_named(const char *path, void *arg)
{
	look_in_file(arg, path, true, secrets_of_wpa_supplicant);
}

static void look_in_running(struct secrets *s)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	struct text cmdline;
	char path[300];

	while (proc && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)*entry->d_name) || strlen(entry->d_name) > 10 ||
		    !is_of_root(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
		cmdline = read_file(path, false, proc_text, sizeof(proc_text));
		secrets_cmdline(cmdline, look_in_named, s);
	}
	if (proc)
		closedir(proc);
}

static void look_in_netplan(struct secrets *s)
{
	look_in_all(s, "/run/netplan/wpa-*.conf", secrets_of_wpa_supplicant);
}

static void look_in_interfaces(struct secrets *s)
{
	look_in(s, "/etc/network/interfaces", secrets_of_interfaces);
	look_in_all(s, "/etc/network/interfaces.d/*", secrets_of_interfaces);
}

static void parse_iwd(struct secrets *s, struct text file)
{
	secrets_of_keyfile(s, file, "Security");
}

static void look_in_iwd(struct secrets *s)
{
	DIR *dir = opendir("/var/lib/iwd");
	struct dirent *entry;
	char path[PATH_MAX];

	while (dir && (entry = readdir(dir))) {
		if (!secrets_iwd_name(s, entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/var/lib/iwd/%s", entry->d_name);
		look_in(s, path, parse_iwd);
	}
	if (dir)
		closedir(dir);
}

static void parse_connman(struct secrets *s, struct text file)
{
	secrets_of_keyfile(s, file, NULL);
}

static void look_in_connman(struct secrets *s)
{
	look_in_all(s, "/var/lib/connman/wifi_*/settings", parse_connman);
}

/**
 * sources_look() - look everywhere for a network's passphrase, until there is no more room
 * @s: the network
 * @fn: is told who knows it, may be NULL
 */
void sources_look(struct secrets *s, sources_fn *fn)
{
	static const struct {
		const char	*name;
		void		(*look)(struct secrets *s);
	} sources[] = {
		{ "atwctl password", look_in_store },
		{ "wpa_supplicant", look_in_running },
		{ "netplan", look_in_netplan },
		{ "ifupdown", look_in_interfaces },
		{ "iwd", look_in_iwd },
		{ "connman", look_in_connman },
		/* Last, because a user may have filled it. */
		{ "NetworkManager", bus_secrets },
	};
	unsigned int n, keys;
	size_t i;

	for (i = 0; i < sizeof(sources) / sizeof(*sources) && s->n < SECRETS_MAX; i++) {
		n = s->n;
		keys = s->keys;
		sources[i].look(s);
		if (fn && (s->n != n || s->keys != keys))
			fn(sources[i].name, s->n - n, s->keys - keys);
	}
}
