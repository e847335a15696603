// SPDX-License-Identifier: GPL-2.0-only
/*
 * The passphrases of which programs have told the kernel no more than the key.
 *
 * The module joins a network by its passphrase. Many a program hands over what is made of
 * that and of the network's name, and cannot do otherwise. So a listener is asked: a program
 * that may know where passphrases are written down. It is not told the key, and what it says
 * is believed only if the key is made of it: nothing is guessed, and an old file does no harm.
 */
#include <crypto/algapi.h>
#include <crypto/hash.h>
#include <linux/list.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <net/net_namespace.h>

#include "dev.h"
#include "genl_event.h"
#include "passphrase.h"

/* IEEE 802.11, "Passphrase to PSK mapping" */
#define ATW_PMK_ROUNDS		4096
#define ATW_SHA1_SIZE		20

/* Who answers, for the devices of a network namespace. */
struct atw_listener {
	struct list_head	node;
	struct net		*net;	/* as long as the socket is open */
	u32			portid;
};

static LIST_HEAD(atw_listeners);
/* What they have been asked, and have not answered. */
static LIST_HEAD(atw_questions);
static DEFINE_SPINLOCK(atw_passphrase_lock);	/* both, and each device's question */

/* One block of PBKDF2. */
static int atw_passphrase_block(struct shash_desc *desc, const char *ssid, u8 number,
				u8 out[ATW_SHA1_SIZE])
{
	u8 salt[ATW_SSID_MAX + 4] = { 0 };
	size_t len = strnlen(ssid, ATW_SSID_MAX);
	u8 u[ATW_SHA1_SIZE];
	int round, err;

	memcpy(salt, ssid, len);
	salt[len + 3] = number;
	err = crypto_shash_digest(desc, salt, len + 4, u);
	memcpy(out, u, sizeof(u));
	for (round = 1; !err && round < ATW_PMK_ROUNDS; round++) {
		err = crypto_shash_digest(desc, u, sizeof(u), u);
		crypto_xor(out, u, sizeof(u));
	}
	memzero_explicit(u, sizeof(u));
	return err;
}

/**
 * atw_passphrase_pmk() - the key that is made of a passphrase
 * @passphrase: bytes
 * @len: how many
 * @ssid: the network's name
 * @pmk: out: the key
 *
 * Context: process context; takes some milliseconds of the processor.
 * Return: 0 or -errno: -ENOENT, the kernel cannot.
 */
int atw_passphrase_pmk(const u8 *passphrase, size_t len, const char *ssid, u8 pmk[ATW_PMK_LEN])
{
	struct crypto_shash *tfm = crypto_alloc_shash("hmac(sha1)", 0, 0);
	u8 block[2][ATW_SHA1_SIZE];
	int err;

	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	err = crypto_shash_setkey(tfm, passphrase, len);
	if (!err) {
		SHASH_DESC_ON_STACK(desc, tfm);

		desc->tfm = tfm;
		err = atw_passphrase_block(desc, ssid, 1, block[0]);
		cond_resched();
		err = err ?: atw_passphrase_block(desc, ssid, 2, block[1]);
		shash_desc_zero(desc);
	}
	if (!err)
		memcpy(pmk, block, ATW_PMK_LEN);
	memzero_explicit(block, sizeof(block));
	crypto_free_shash(tfm);
	return err;
}

/* The question of a device */

/* 0: there is none. */
static u32 atw_passphrase_listener(const struct net *net)
{
	const struct atw_listener *l;

	lockdep_assert_held(&atw_passphrase_lock);

	list_for_each_entry(l, &atw_listeners, node)
		if (net_eq(l->net, net))
			return l->portid;
	return 0;
}

/**
 * atw_passphrase_ask() - ask whose key it is
 * @adev: the device, for which nothing else is asked any more
 * @asker: who wants to know, until atw_passphrase_forget()
 * @told: tells that one that there is an answer, under a lock
 * @ssid: the network's name
 * @pmk: the key
 *
 * Context: process context.
 * Return: 0; -ESRCH, there is nobody to be asked; or -errno.
 */
int atw_passphrase_ask(struct atw_dev *adev, struct atw_wiphy *asker,
		       void (*told)(struct atw_wiphy *asker), const char *ssid,
		       const u8 pmk[ATW_PMK_LEN])
{
	struct atw_passphrase *p = &adev->passphrase;
	u32 cookie, portid;
	int err;

	spin_lock_bh(&atw_passphrase_lock);
	portid = atw_passphrase_listener(adev->net);
	if (!portid) {
		spin_unlock_bh(&atw_passphrase_lock);
		return -ESRCH;
	}
	cookie = ++p->cookie;
	p->asker = asker;
	p->told = told;
	p->portid = portid;
	p->err = -EINPROGRESS;
	strscpy(p->ssid, ssid, sizeof(p->ssid));
	memcpy(p->pmk, pmk, sizeof(p->pmk));
	/* From now on the end of the listener is the question's. */
	list_move(&p->node, &atw_questions);
	spin_unlock_bh(&atw_passphrase_lock);
	err = atw_genl_passphrase_asked(adev, portid, cookie, ssid);
	if (err)
		atw_passphrase_forget(adev);
	return err;
}

/**
 * atw_passphrase_answer() - is there an answer?
 * @adev: the device
 * @found: out: the passphrase, for who must wipe it
 *
 * Context: any.
 * Return: 0; -EINPROGRESS, not yet; -ENOKEY, nobody knows it; -ESRCH, who was asked is gone;
 *	or why the kernel cannot tell.
 */
int atw_passphrase_answer(struct atw_dev *adev, char found[ATW_PASSPHRASE_MAX + 1])
{
	struct atw_passphrase *p = &adev->passphrase;
	int err;

	spin_lock_bh(&atw_passphrase_lock);
	err = p->err;
	if (!err)
		memcpy(found, p->found, sizeof(p->found));
	spin_unlock_bh(&atw_passphrase_lock);
	return err;
}

/**
 * atw_passphrase_forget() - the answer is of no more interest
 * @adev: the device
 *
 * Context: any.
 */
void atw_passphrase_forget(struct atw_dev *adev)
{
	struct atw_passphrase *p = &adev->passphrase;

	spin_lock_bh(&atw_passphrase_lock);
	list_del_init(&p->node);
	p->asker = NULL;
	p->portid = 0;
	p->err = -ENOKEY;
	memzero_explicit(p->pmk, sizeof(p->pmk));
	memzero_explicit(p->found, sizeof(p->found));
	spin_unlock_bh(&atw_passphrase_lock);
}

/* What listeners say */

/**
 * atw_passphrase_listen() - be asked
 * @net: for the devices of this network namespace
 * @portid: a socket of generic netlink, as long as it is open
 * @other: out: the one of who is asked already, 0: nobody was
 *
 * Context: process context, the socket's send().
 * Return: 0; -EBUSY, there is another one; or -ENOMEM.
 */
int atw_passphrase_listen(struct net *net, u32 portid, u32 *other)
{
	struct atw_listener *new = kzalloc(sizeof(*new), GFP_KERNEL);

	if (!new)
		return -ENOMEM;
	new->net = net;
	new->portid = portid;
	spin_lock_bh(&atw_passphrase_lock);
	*other = atw_passphrase_listener(net);
	if (!*other) {
		list_add(&new->node, &atw_listeners);
		new = NULL;
	}
	spin_unlock_bh(&atw_passphrase_lock);
	kfree(new);
	return *other && *other != portid ? -EBUSY : 0;
}

static bool atw_passphrase_is_asked(const struct atw_passphrase *p, u32 cookie)
{
	lockdep_assert_held(&atw_passphrase_lock);

	return !list_empty(&p->node) && p->cookie == cookie;
}

/**
 * atw_passphrase_check() - is an answer waited for?
 * @adev: the device
 * @portid: whose
 * @cookie: to which question
 *
 * Context: any.
 * Return: 0; -ESTALE, it is not any more; -EACCES, somebody else's.
 */
int atw_passphrase_check(struct atw_dev *adev, u32 portid, u32 cookie)
{
	struct atw_passphrase *p = &adev->passphrase;
	int err = 0;

	spin_lock_bh(&atw_passphrase_lock);
	if (!atw_passphrase_is_asked(p, cookie))
		err = -ESTALE;
	else if (p->portid != portid)
		err = -EACCES;
	spin_unlock_bh(&atw_passphrase_lock);
	return err;
}

/* The answer; under the lock. */
static void atw_passphrase_end(struct atw_passphrase *p, int err)
{
	lockdep_assert_held(&atw_passphrase_lock);

	list_del_init(&p->node);
	p->err = err;
	memzero_explicit(p->pmk, sizeof(p->pmk));
	p->told(p->asker);
}

/**
 * atw_passphrase_try() - is this the passphrase?
 * @adev: the device
 * @cookie: the question
 * @passphrase: bytes
 * @len: how many
 *
 * Context: process context; takes some milliseconds of the processor.
 * Return: 0, it is; -EKEYREJECTED, it is not; -ESTALE, nobody wants to know any more; or
 *	-errno.
 */
int atw_passphrase_try(struct atw_dev *adev, u32 cookie, const u8 *passphrase, size_t len)
{
	struct atw_passphrase *p = &adev->passphrase;
	char ssid[ATW_SSID_MAX + 1];
	u8 pmk[ATW_PMK_LEN];
	int err;

	if (len < ATW_PASSPHRASE_MIN || len > ATW_PASSPHRASE_MAX || memchr(passphrase, 0, len))
		return -EKEYREJECTED;
	spin_lock_bh(&atw_passphrase_lock);
	memcpy(ssid, p->ssid, sizeof(ssid));
	spin_unlock_bh(&atw_passphrase_lock);
	err = atw_passphrase_pmk(passphrase, len, ssid, pmk);
	if (err) {
		dev_warn_ratelimited(&adev->dev,
				     "the kernel cannot tell whether a passphrase is right (%d): it lacks hmac(sha1)\n",
				     err);
		spin_lock_bh(&atw_passphrase_lock);
		if (atw_passphrase_is_asked(p, cookie))
			atw_passphrase_end(p, err);
		spin_unlock_bh(&atw_passphrase_lock);
		return err;
	}
	spin_lock_bh(&atw_passphrase_lock);
	if (!atw_passphrase_is_asked(p, cookie)) {
		err = -ESTALE;
	} else if (crypto_memneq(pmk, p->pmk, sizeof(pmk))) {
		err = -EKEYREJECTED;
	} else {
		memset(p->found, 0, sizeof(p->found));
		memcpy(p->found, passphrase, len);
		atw_passphrase_end(p, 0);
	}
	spin_unlock_bh(&atw_passphrase_lock);
	memzero_explicit(pmk, sizeof(pmk));
	return err;
}

/**
 * atw_passphrase_unknown() - who was asked does not know
 * @adev: the device
 * @cookie: the question
 *
 * Context: any.
 * Return: 0 or -ESTALE.
 */
int atw_passphrase_unknown(struct atw_dev *adev, u32 cookie)
{
	struct atw_passphrase *p = &adev->passphrase;
	int err = -ESTALE;

	spin_lock_bh(&atw_passphrase_lock);
	if (atw_passphrase_is_asked(p, cookie)) {
		atw_passphrase_end(p, -ENOKEY);
		err = 0;
	}
	spin_unlock_bh(&atw_passphrase_lock);
	return err;
}

/**
 * atw_passphrase_leave() - be asked no more
 * @net: for the devices of this network namespace
 * @portid: a socket of generic netlink, which need not be a listener's
 *
 * Nobody waits for the answer of who is gone.
 *
 * Context: any.
 */
void atw_passphrase_leave(const struct net *net, u32 portid)
{
	struct atw_passphrase *p, *after;
	struct atw_listener *l, *next;
	struct atw_dev *adev;

	spin_lock_bh(&atw_passphrase_lock);
	list_for_each_entry_safe(l, next, &atw_listeners, node) {
		if (l->portid != portid || !net_eq(l->net, net))
			continue;
		list_del(&l->node);
		kfree(l);
	}
	list_for_each_entry_safe(p, after, &atw_questions, node) {
		adev = container_of(p, struct atw_dev, passphrase);
		if (p->portid == portid && net_eq(adev->net, net))
			atw_passphrase_end(p, -ESRCH);
	}
	spin_unlock_bh(&atw_passphrase_lock);
}

static int atw_passphrase_netlink(struct notifier_block *nb, unsigned long event, void *ptr)
{
	const struct netlink_notify *closed = ptr;

	if (event != NETLINK_URELEASE || closed->protocol != NETLINK_GENERIC)
		return NOTIFY_DONE;
	atw_passphrase_leave(closed->net, closed->portid);
	return NOTIFY_OK;
}

static struct notifier_block atw_passphrase_nb = {
	.notifier_call = atw_passphrase_netlink,
};

int atw_passphrase_init(void)
{
	return netlink_register_notifier(&atw_passphrase_nb);
}

/* The family is not registered any more: nobody comes to listen. */
void atw_passphrase_exit(void)
{
	struct atw_listener *l, *next;

	netlink_unregister_notifier(&atw_passphrase_nb);
	list_for_each_entry_safe(l, next, &atw_listeners, node)
		kfree(l);
}
