// SPDX-License-Identifier: GPL-2.0
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

static char store_text[STORE_MAX];

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
	while ((n = read(fd, store_text + all.len, sizeof(store_text) - all.len)) > 0)
		all.len += n;
	if (n < 0)
		err(1, "%s", STORE_FILE);
	if (all.len == sizeof(store_text))
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

static void print_row(FILE *f, const struct store_row *row)
{
	char ssid[ESCAPED(SSID_MAX)], passphrase[ESCAPED(PASSPHRASE_MAX)];

	secrets_escape(ssid, row->ssid, row->ssid_len);
	secrets_escape(passphrase, row->passphrase, row->len);
	fprintf(f, "%s %s\n", ssid, passphrase);
	explicit_bzero(passphrase, sizeof(passphrase));
}

static int nothing_to_forget(FILE *f)
{
	fclose(f);
	unlink(STORE_NEW);
	warnx("there is none for this network");
	return 1;
}

/* Without one network, and with another one or NULL. */
static int write_store(int dir, const char *without, const struct store_row *with)
{
	char buf[BUFSIZ];
	struct text rest = read_store();
	struct store_row row;
	bool found = false;
	FILE *f;
	int fd;

	unlink(STORE_NEW);
	fd = open(STORE_NEW, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f)
		err(1, "%s", STORE_NEW);
	/* Where it can be wiped. */
	setvbuf(f, buf, _IOFBF, sizeof(buf));
	fputs("# NETWORK PASSPHRASE, for atwifi-agent: see \"password\" in atwctl(8).\n", f);
	while (secrets_store_next(&rest, &row)) {
		if (row.ssid_len == strlen(without) && !memcmp(row.ssid, without, row.ssid_len))
			found = true;
		else
			print_row(f, &row);
	}
	if (with)
		print_row(f, with);
	else if (!found)
		exit(nothing_to_forget(f));
	if (ferror(f) || fflush(f) || fsync(fd) || fclose(f) || rename(STORE_NEW, STORE_FILE) ||
	    fsync(dir)) {
		warn("%s", STORE_FILE);
		unlink(STORE_NEW);
		exit(1);
	}
	explicit_bzero(buf, sizeof(buf));
	explicit_bzero(&row, sizeof(row));
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
