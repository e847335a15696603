// SPDX-License-Identifier: GPL-2.0-only
/*
 * Certificates and the key that the module stores for TLS.
 *
 * They are in its flash. It takes any bytes for one, and tells only at the next
 * handshake that they were none, so they are checked before. What it has already is
 * not written again, except the key, which is never read back.
 */
#include <linux/device.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "cert.h"
#include "error.h"
#include "query.h"
#include "timing.h"

static const char *const atw_cert_labels[] = { "CERTIFICATE", NULL };
static const char *const atw_key_labels[] = {
	"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", NULL,
};

/* A line of the text without its end; moves to the next one. */
static bool atw_pem_line(const u8 **pos, const u8 *end, const char **line,
			 size_t *len)
{
	const u8 *s = *pos;

	if (s == end)
		return false;
	*line = (const char *)s;
	while (s < end && *s != '\n')
		s++;
	*len = (const char *)s - *line;
	if (*len && (*line)[*len - 1] == '\r')
		(*len)--;
	*pos = s < end ? s + 1 : s;
	return true;
}

/* Is the line "-----<word><label>-----" for one of the labels? Says which. */
static const char *atw_pem_label(const char *line, size_t len, const char *word,
				 const char *const *labels)
{
	char whole[48];
	size_t n;

	for (; *labels; labels++) {
		n = scnprintf(whole, sizeof(whole), "-----%s%s-----", word, *labels);
		if (len == n && !memcmp(line, whole, n))
			return *labels;
	}
	return NULL;
}

static bool atw_is_base64(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '+' || c == '/';
}

/* The characters of a line of base64, or -1. Padding is the end. */
static int atw_pem_base64(const char *line, size_t len, bool *padded)
{
	size_t i;

	if (*padded || len > 76)
		return -1;
	for (i = 0; i < len && atw_is_base64(line[i]); i++)
		;
	*padded = i < len;
	if (len - i > 2)
		return -1;
	for (; i < len; i++)
		if (line[i] != '=')
			return -1;
	return len;
}

/* What is wrong with a block whose first line was read; NULL: nothing. */
static const char *atw_pem_block(const u8 **pos, const u8 *end,
				 const char *label)
{
	const char *const labels[] = { label, NULL };
	bool padded = false;
	unsigned int chars = 0;
	const char *line;
	size_t len;
	int n;

	while (atw_pem_line(pos, end, &line, &len)) {
		if (atw_pem_label(line, len, "END ", labels)) {
			if (!chars || chars % 4)
				return "the base64 of a block is not complete";
			return NULL;
		}
		n = atw_pem_base64(line, len, &padded);
		if (n <= 0)
			return "there is a line within a block that is not base64";
		chars += n;
	}
	return "the END line of a block is missing";
}

/**
 * atw_cert_check() - can this be stored?
 * @which: as what
 * @pem: the bytes
 * @len: how many
 * @why: if not: words for people
 *
 * Looks at the form alone. A CA and the module's own certificate may be several
 * blocks, a key is one, and not encrypted: the module has nobody to ask.
 *
 * Return: 0; -EMSGSIZE, more than ATW_CERT_MAX bytes; -EINVAL.
 */
int atw_cert_check(enum atw_cert which, const u8 *pem, size_t len,
		   const char **why)
{
	const char *const *labels = which == ATW_CERT_KEY ? atw_key_labels :
							    atw_cert_labels;
	const u8 *end = pem + len;
	unsigned int blocks = 0;
	const char *line, *label;
	size_t n;

	*why = "the module takes up to 2047 bytes";
	if (len > ATW_CERT_MAX)
		return -EMSGSIZE;
	*why = "it is not PEM: there is no BEGIN line";
	while (atw_pem_line(&pem, end, &line, &n)) {
		if (!n)
			continue;
		label = atw_pem_label(line, n, "BEGIN ", labels);
		if (!label) {
			*why = which == ATW_CERT_KEY ?
			       "there is something else than a private key in the clear" :
			       "there is something else than certificates";
			return -EINVAL;
		}
		*why = atw_pem_block(&pem, end, label);
		if (*why)
			return -EINVAL;
		blocks++;
	}
	if (blocks == 1 || (blocks && which != ATW_CERT_KEY)) {
		*why = NULL;
		return 0;
	}
	if (blocks)
		*why = "there is more than one key";
	return -EINVAL;
}

/* In a request: a module that does not answer is looked after when that has ended. */
static int atw_cert_read_request(struct atw_module *m, enum atw_cert which,
				 u8 *buf, size_t size)
{
	int n = atw_cert_read(&m->ch, which, buf, size);

	/* Too long, or damaged: the module has answered all the same. */
	if (n < 0 && n != -EMSGSIZE && n != -EIO && n != -EPERM)
		atw_conns_command_failed(&m->conns, n);
	return n;
}

/*
 * Is that what the module has? 1: it is; 0: it has something else, or nothing,
 * or does not say; or an error, after which it is not to be given anything.
 */
static int atw_cert_is_stored(struct atw_module *m, enum atw_cert which,
			      const u8 *pem, size_t len)
{
	u8 *buf = kmalloc(ATW_CERT_MAX, GFP_KERNEL);
	int n = -ENOMEM;

	if (buf)
		n = atw_cert_read_request(m, which, buf, ATW_CERT_MAX);
	if (n >= 0)
		n = n == len && !memcmp(buf, pem, len);
	else if (n == -EMSGSIZE || n == -EIO || n == -EOPNOTSUPP)
		n = 0;
	kfree(buf);
	return n;
}

static int atw_cert_write(struct atw_module *m, struct atw_query_cert *q)
{
	struct atw_cmd cmd = { .timeout = atw_timing.cert };
	struct sk_buff *skb;
	int err;

	skb = alloc_skb(q->len, GFP_KERNEL);
	if (!skb)
		return -ENOMEM;
	skb_put_data(skb, q->pem, q->len);
	cmd.payload = skb;
	cmd.payload_len = q->len;
	atw_line_verb(&cmd.line, m->ch.dialect, ATW_VERB_CERT);
	atw_line_uint(&cmd.line, q->which);
	atw_line_uint(&cmd.line, q->len);
	err = atw_query_exec(m, &cmd, &q->query);
	memzero_explicit(skb->data, skb->len);
	kfree_skb(skb);
	return err;
}

int atw_query_cert_set(struct atw_module *m, void *arg)
{
	struct atw_query_cert *q = arg;
	bool readable = q->which != ATW_CERT_KEY;
	int stored = 0;
	int err;

	if (readable)
		stored = atw_cert_is_stored(m, q->which, q->pem, q->len);
	if (stored < 0)
		return stored;
	if (stored) {
		atw_conns_ca_changed(&m->conns);
		return 0;
	}
	err = atw_cert_write(m, q);
	atw_conns_ca_changed(&m->conns);
	if (err || !readable)
		return err;
	stored = atw_cert_is_stored(m, q->which, q->pem, q->len);
	if (stored < 0)
		return stored;
	if (!stored)
		q->query.why = "the module has not stored what it was given";
	return stored ? 0 : -EIO;
}

int atw_query_cert_get(struct atw_module *m, void *arg)
{
	struct atw_query_cert *q = arg;
	int n = atw_cert_read_request(m, q->which, q->pem, sizeof(q->pem));

	q->len = max(n, 0);
	return min(n, 0);
}
