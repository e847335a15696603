// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may have sockets of the family.
 *
 * What they send and receive passes no netfilter hook, no routing rule and no cgroup
 * program of the kernel: a machine's firewall does not see it. So they are for those
 * who may go round it anyway (CAP_NET_RAW), and for the groups that the administrator
 * of a network namespace names in net.atwifi.socket_group_range, as those of
 * net.ipv4.ping_group_range may have ICMP sockets.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/errno.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/sysctl.h>
#include <linux/uidgid.h>
#include <net/net_namespace.h>

#include "access.h"
#include "compat_sock.h"

static void atw_access_get(struct atw_access *a, kgid_t *low, kgid_t *high)
{
	spin_lock(&a->lock);
	*low = a->low;
	*high = a->high;
	spin_unlock(&a->lock);
}

/* Two groups, "FIRST LAST", in the numbers of whoever reads or writes. */
static int atw_access_range(atw_ctl_table_t *ctl, int write, void *buffer,
			    size_t *lenp, loff_t *ppos)
{
	struct user_namespace *user_ns = current_user_ns();
	struct atw_access *a = ctl->data;
	kgid_t low, high;
	int range[2];
	struct ctl_table numbers = {
		.data = range,
		.maxlen = sizeof(range),
		.mode = ctl->mode,
		/* As in net.ipv4.ping_group_range: both are ints. */
		.extra1 = SYSCTL_ZERO,
		.extra2 = SYSCTL_INT_MAX,
	};
	int err;

	atw_access_get(a, &low, &high);
	range[0] = from_kgid_munged(user_ns, low);
	range[1] = from_kgid_munged(user_ns, high);
	err = proc_dointvec_minmax(&numbers, write, buffer, lenp, ppos);
	if (err || !write)
		return err;
	low = make_kgid(user_ns, range[0]);
	high = make_kgid(user_ns, range[1]);
	if (!gid_valid(low) || !gid_valid(high))
		return -EINVAL;
	spin_lock(&a->lock);
	a->low = low;
	a->high = high;
	spin_unlock(&a->lock);
	return 0;
}

static bool atw_access_has_group(struct atw_access *a)
{
	const struct cred *cred = current_cred();
	const struct group_info *groups = cred->group_info;
	kgid_t low, high;
	int i;

	atw_access_get(a, &low, &high);
	if (gid_lte(low, cred->egid) && gid_lte(cred->egid, high))
		return true;
	for (i = 0; i < groups->ngroups; i++)
		if (gid_lte(low, groups->gid[i]) &&
		    gid_lte(groups->gid[i], high))
			return true;
	return false;
}

/**
 * atw_access_allowed() - may the current task have a socket of the family?
 * @a: whom the network namespace allows
 * @net: the network namespace
 *
 * Context: process context.
 */
bool atw_access_allowed(struct atw_access *a, struct net *net)
{
	return atw_access_has_group(a) ||
	       ns_capable(net->user_ns, CAP_NET_RAW);
}

/**
 * atw_access_init() - allow nobody, and show net.atwifi.socket_group_range
 * @a: zeroed memory
 * @net: the network namespace
 *
 * Return: 0 or -ENOMEM
 */
int atw_access_init(struct atw_access *a, struct net *net)
{
	spin_lock_init(&a->lock);
	a->low = KGIDT_INIT(1);
	a->high = KGIDT_INIT(0);
	a->table[0] = (struct ctl_table) {
		.procname = "socket_group_range",
		.data = a,
		.maxlen = 2 * sizeof(int),
		.mode = 0644,
		.proc_handler = atw_access_range,
	};
	a->header = atw_register_net_sysctl(net, "net/atwifi", a->table, 1);
	return a->header ? 0 : -ENOMEM;
}

/**
 * atw_access_exit() - the network namespace goes
 * @a: whom it allowed
 */
void atw_access_exit(struct atw_access *a)
{
	unregister_net_sysctl_table(a->header);
}
