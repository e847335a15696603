/* SPDX-License-Identifier: GPL-2.0-only */
/* Passphrases in the files of programs: apart from who reads these, so that any can be tried. */
#ifndef ATWIFI_SECRETS_H
#define ATWIFI_SECRETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECRETS_MAX	16	/* as many as the driver tries */
#define SSID_MAX	32
#define PASSPHRASE_MIN	8
#define PASSPHRASE_MAX	63
/* Of a text with an escape for each byte, and a NUL. */
#define ESCAPED(n)	(4 * (n) + 1)

/**
 * struct text - a part of a text
 * @at: it begins there
 * @len: and has so many bytes
 */
struct text {
	const char	*at;
	size_t		len;
};

/**
 * struct secrets - what may be the passphrase of a network
 * @ssid, @ssid_len: its name
 * @ifname: of the network device that is to join it, or ""
 * @skip: so many of the first are passed over, which were tried already
 * @seen: how many there were until @found was full; to be passed over for the next ones
 * @n: how many there are in @found, of which none is there twice
 * @keys: how often there was the network with a key alone, of which no passphrase is made
 * @found: in the order in which they were found
 */
struct secrets {
	uint8_t		ssid[SSID_MAX];
	size_t		ssid_len;
	char		ifname[16];
	unsigned int	skip;
	unsigned int	seen;
	unsigned int	n;
	unsigned int	keys;
	struct {
		uint8_t	bytes[PASSPHRASE_MAX];
		uint8_t	len;
	}		found[SECRETS_MAX];
};

/**
 * struct store_row - a network of atwctl's own file
 * @ssid, @ssid_len: its name
 * @passphrase, @len: and its passphrase
 */
struct store_row {
	uint8_t		ssid[SSID_MAX];
	size_t		ssid_len;
	uint8_t		passphrase[PASSPHRASE_MAX];
	size_t		len;
};

typedef void secrets_path_fn(const char *path, void *arg);

void secrets_add(struct secrets *s, const void *bytes, size_t len);
void secrets_of_wpa_supplicant(struct secrets *s, struct text file);
void secrets_of_interfaces(struct secrets *s, struct text file);
void secrets_of_keyfile(struct secrets *s, struct text file, const char *group);
bool secrets_iwd_name(const struct secrets *s, const char *name);
void secrets_cmdline(struct text cmdline, secrets_path_fn *fn, void *arg);

void secrets_of_store(struct secrets *s, struct text file);
bool secrets_store_next(struct text *rest, struct store_row *row);
size_t secrets_escape(char *to, const void *bytes, size_t len);

#endif
