// SPDX-License-Identifier: GPL-2.0-only
/*
 * atwctl password: passphrases in a file of root's, for atwifi-agent(8). A new file takes the
 * place of the old one when it is whole and on the disk; two at a time wait for each other.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "out.h"
#include "secrets.h"
#include "store.h"

#define STORE_NEW	STORE_FILE ".new"
#define STORE_LOCK	STORE_DIR "/.lock"

/* With one line more than is read: that is too much, however much it is. */
static char store_text[STORE_MAX + 256];

/* What the file has; nothing where there is none. */
static struct text read_store(void)
{
	struct text all = { store_text, 0 };
	int fd = open(STORE_FILE, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return all;
	if (fd < 0)
		err(1, "%s", STORE_FILE);
	while ((n = read(fd, store_text + all.len, STORE_MAX - all.len)) > 0)
		all.len += n;
	if (n < 0)
		err(1, "%s", STORE_FILE);
	if (all.len == STORE_MAX)
		errx(1, "%s: has more than %d bytes", STORE_FILE, STORE_MAX - 1);
	close(fd);
	return all;
}

/*
 * Until the program ends; the directory. Anybody may open that, and lock it for ever: what is
 * locked is a file that nobody else can open.
 */
static int lock_store(void)
{
	int dir = open(STORE_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

	if (dir < 0)
		err(1, "%s", STORE_DIR);
	fd = open(STORE_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || flock(fd, LOCK_EX))
		err(1, "%s", STORE_LOCK);
	return dir;
}

/* Without a network; what else there is stays as it is. Was it there? */
static bool take_out(struct text *all, const char *ssid)
{
	size_t at = 0, n, len = strlen(ssid);
	struct store_row row = { 0 };
	bool found = false;
	struct text line;
	const char *end;

	while (at < all->len) {
		end = memchr(store_text + at, '\n', all->len - at);
		n = end ? (size_t)(end + 1 - (store_text + at)) : all->len - at;
		line = (struct text){ store_text + at, n };
		if (!secrets_store_next(&line, &row) || row.ssid_len != len ||
		    memcmp(row.ssid, ssid, len)) {
			at += n;
			continue;
		}
		found = true;
		all->len -= n;
		memmove(store_text + at, store_text + at + n, all->len - at);
	}
	explicit_bzero(&row, sizeof(row));
	return found;
}

static void add(struct text *all, const struct store_row *row)
{
	static const char top[] =
		"# NETWORK PASSPHRASE, for atwifi-agent: see \"password\" in atwctl(8).\n";
	char ssid[ESCAPED(SSID_MAX)], passphrase[ESCAPED(PASSPHRASE_MAX)];

	secrets_escape(ssid, row->ssid, row->ssid_len);
	secrets_escape(passphrase, row->passphrase, row->len);
	/* The last line may have no end. */
	all->len += snprintf(store_text + all->len, sizeof(store_text) - all->len, "%s%s %s\n",
			     !all->len ? top :
			     store_text[all->len - 1] != '\n' ? "\n" : "", ssid, passphrase);
	explicit_bzero(passphrase, sizeof(passphrase));
}

static bool write_all(int fd, struct text t)
{
	ssize_t n;

	for (; t.len; t.at += n, t.len -= n) {
		n = write(fd, t.at, t.len);
		if (n < 0)
			return false;
	}
	return true;
}

/* Without one network, and with another one or NULL. */
static int write_store(int dir, const char *without, const struct store_row *with)
{
	struct text all = read_store();
	bool found = take_out(&all, without);
	int fd;

	if (!with && !found) {
		warnx("there is none for this network");
		return 1;
	}
	if (with)
		add(&all, with);
	if (all.len >= STORE_MAX)
		errx(1, "%s: there is no room for more networks", STORE_FILE);
	unlink(STORE_NEW);
	fd = open(STORE_NEW, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		err(1, "%s", STORE_NEW);
	if (!write_all(fd, all) || fsync(fd) || close(fd) || rename(STORE_NEW, STORE_FILE) ||
	    fsync(dir)) {
		warn("%s", STORE_FILE);
		unlink(STORE_NEW);
		exit(1);
	}
	explicit_bzero(store_text, sizeof(store_text));
	close(dir);
	return 0;
}

/**
 * store_list() - print for which networks there are passphrases
 * @json: as JSON
 *
 * Return: the exit status.
 */
int store_list(bool json)
{
	struct json_object *array = json_object_new_array(), *obj;
	struct text rest = read_store();
	char ssid[SSID_MAX + 1];
	struct store_row row;

	while (secrets_store_next(&rest, &row)) {
		memcpy(ssid, row.ssid, row.ssid_len);
		ssid[row.ssid_len] = '\0';
		if (json) {
			obj = json_object_new_object();
			json_object_object_add(obj, "ssid", out_string(row.ssid, row.ssid_len));
			json_object_array_add(array, obj);
		} else {
			out_text(ssid);
			putchar('\n');
		}
	}
	explicit_bzero(&row, sizeof(row));
	explicit_bzero(store_text, sizeof(store_text));
	if (json)
		out_json(array, false);
	else
		json_object_put(array);
	return 0;
}

/**
 * store_put() - keep a passphrase
 * @ssid: of this network, 1 to 32 bytes
 * @passphrase: the passphrase
 *
 * Return: the exit status.
 */
int store_put(const char *ssid, const char *passphrase)
{
	struct store_row row = { .ssid_len = strlen(ssid), .len = strlen(passphrase) };
	int status;

	if (row.len < PASSPHRASE_MIN || row.len > PASSPHRASE_MAX)
		errx(2, "a passphrase has %d to %d bytes", PASSPHRASE_MIN, PASSPHRASE_MAX);
	memcpy(row.ssid, ssid, row.ssid_len);
	memcpy(row.passphrase, passphrase, row.len);
	if (mkdir(STORE_DIR, 0755) && errno != EEXIST)
		err(1, "%s", STORE_DIR);
	status = write_store(lock_store(), ssid, &row);
	explicit_bzero(&row, sizeof(row));
	return status;
}

/**
 * store_forget() - keep it no longer
 * @ssid: of this network
 *
 * Return: the exit status.
 */
int store_forget(const char *ssid)
{
	return write_store(lock_store(), ssid, NULL);
}
