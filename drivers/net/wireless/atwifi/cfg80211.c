// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module as a wiphy, for programs that speak nl80211.
 *
 * To them it is a station whose firmware does all of the work: it looks for networks when
 * it is told to, joins one by its name and passphrase, and tells when it is in or out.
 * What the module does by itself, and what others have it do, is told just the same.
 *
 * The operations never wait for the module. Each makes a request for the channel's thread
 * and returns; what has become of that is news, and news are told to cfg80211 by one work.
 * Both run under the wiphy's mutex, so that they see each other's whole steps. The thread
 * and the receive path take a spinlock alone. A generation counts what programs want: the
 * end of anything that was wanted before is of no more interest.
 */
#include <linux/etherdevice.h>
#include <linux/ieee80211.h>
#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/netdevice.h>
#include <linux/rfkill.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "cfg80211.h"
#include "compat_cfg80211.h"
#include "dev.h"
#include "error.h"
#include "firmware.h"
#include "passphrase.h"
#include "query.h"
#include "relay.h"
#include "timing.h"

/* What was found less than so long ago is not looked for anew. */
#define ATW_WIPHY_CACHED	(5 * HZ)
/* Some programs listen for the end of a scan only some time after they have begun it. */
#define ATW_WIPHY_HEARD		(HZ / 4)
/* After so long it may be gone: cfg80211 would forget it, too. */
#define ATW_WIPHY_OLD		(30 * HZ)
/*
 * A scan that had no turn by then waits no longer for connections to be idle; nor does what is
 * asked for while the module is set up wait for that any longer.
 */
#define ATW_WIPHY_PATIENCE	(5 * HZ)
/* From the module's consent to the network's. */
#define ATW_WIPHY_JOIN		(9 * HZ)
/* Who knows a passphrase has so long to say so: programs give a join up after 10 s. */
#define ATW_WIPHY_ASK		(5 * HZ)
/*
 * A program that gives a join up for another one has begun that by then, however slow it is.
 * Who hears of the end of the first just then takes it for the second's: iwd leaves the access
 * point alone for a minute, while the kernel joins it.
 */
#define ATW_WIPHY_GIVEN_UP	(HZ / 2)
/* cfg80211 does what it was told a little later, and tells nobody when it has. */
#define ATW_WIPHY_AGAIN		(HZ / 50 + 1)
/*
 * So often rfkill is asked while a device is down: it has no notifier, and all that cfg80211
 * does about a radio that is blocked is to close its devices, of which this one sees nothing.
 */
#define ATW_WIPHY_DEAF		(2 * HZ)
/* It cannot be asked while it is set up, nor behind too many, of which nobody tells the end. */
#define ATW_WIPHY_UNASKED	(HZ / 4)
/*
 * What moves cfg80211 from one state to another returns no error: an event that is lost for
 * want of memory would leave it in a network for good. They have some hundred bytes.
 */
#define ATW_WIPHY_GFP		(GFP_KERNEL | __GFP_NOFAIL)
/* How strong a network is, is asked so often at most. */
#define ATW_WIPHY_SIGNAL	(5 * HZ)

/* Those of 5 GHz come behind those of 2.4 GHz. */
#define ATW_WIPHY_2GHZ		14
#define ATW_WIPHY_CHANNELS	(ATW_WIPHY_2GHZ + ARRAY_SIZE(atw_wiphy_5ghz))

static const u8 atw_wiphy_5ghz[] = {
	36, 40, 44, 48, 52, 56, 60, 64, 100, 104, 108, 112, 116, 120, 124, 128, 132, 136, 140, 144,
	149, 153, 157, 161, 165,
};

enum atw_wiphy_state {
	ATW_WIPHY_IDLE,		/* out, or in without having told so yet */
	ATW_WIPHY_ASKING,	/* the same, and its passphrase is asked for */
	ATW_WIPHY_JOINING,	/* a program wants it to be in a network; it may not be told yet */
	ATW_WIPHY_UP,		/* that it is in one was told */
};

/* How much is known of the channels that the radio may use, and of its country. */
enum atw_wiphy_radio {
	ATW_RADIO_LOST,		/* no more than before: the module is looked for */
	ATW_RADIO_FOUND,	/* the channels: the module is to be asked for its country */
	ATW_RADIO_ASKED,	/* the channels: a request for the country waits, or is run */
	ATW_RADIO_KNOWN,	/* both: the module has answered, or has failed to */
};

enum {
	ATW_WIPHY_SIGNAL_WAITS,
};

/* The channels of 2.4 GHz, and those of 5 GHz where the radio has them. */
struct atw_wiphy_domain {
	bool	dual;
	char	country[ATW_COUNTRY_LEN];
};

enum atw_wiphy_task {
	ATW_TASK_JOIN,
	ATW_TASK_LEAVE,		/* whatever it is in */
	ATW_TASK_LET_GO,	/* what a program has had it join, if that was last */
	ATW_TASK_SILENCE,	/* whatever it is in, while its radio is blocked */
};

/* What the thread is given. */
struct atw_wiphy_job {
	struct atw_wiphy	*aw;
	u32			gen;
	enum atw_wiphy_task	task;
	bool			asked;	/* it is told to; the wiphy's lock */
	int			err;
	struct atw_query_join	query;
};

struct atw_wiphy_scan {
	struct atw_wiphy	*aw;
	u32			gen;
	int			err;
	struct atw_query_scan	query;
};

struct atw_wiphy_signal {
	struct atw_wiphy	*aw;
	struct atw_query_signal	query;
};

struct atw_wiphy_country {
	struct atw_wiphy		*aw;
	bool				run;
	int				err;
	struct atw_query_country	query;
};

/**
 * struct atw_wiphy_news - what the thread and the receive path have said
 * @valid: @in, @connecting, @managed, @net and @refused are as the module has told them: false
 *	from the begin of a job until the module was asked again
 * @in: the module is in a network, with an address or without
 * @connecting: it says that it is about to join one
 * @managed: a program was the last who has told it where to be
 * @net: in which; nothing of it may be known
 * @refused: a network refuses its password, as far as the firmware tells
 * @heard: it has told of a network since it was told to join
 * @begun: it was told to
 * @err: how that ended; -EINPROGRESS: it has not; -EAGAIN: nobody was told; -ECONNRESET,
 *	without @code: the module has restarted since
 * @code: the module's number for it, or 0
 */
struct atw_wiphy_news {
	bool			valid;
	bool			in;
	bool			connecting;
	bool			managed;
	bool			refused;
	bool			heard;
	bool			begun;
	int			err;
	u32			code;
	struct atw_network	net;
};

/**
 * struct atw_wiphy - the private part of the wiphy
 * @wiphy: constant
 * @wdev: cfg80211's
 * @adev: constant
 * @dev: constant
 * @bands: constant, of 2.4 and 5 GHz
 * @channels: cfg80211's, of both
 * @work: tells the news
 * @told: what cfg80211 was told of the radio; the work's, and before it is started
 * @closing: the network device goes down, or is: nobody can be told anything; with all
 *	down to @signal_asked by the wiphy's mutex
 * @state: what cfg80211 knows
 * @own: the network was joined without being asked for here
 * @silence_at: when it may be told again to be out of its network, in which it stays though its
 *	radio is blocked; or 0
 * @given_up: when it is to be told that a join has ended, as nobody wanted it any more; or 0
 * @owned: what was asked for last is a program's alone, for as long as that runs, or nobody's
 * @join: which, or which it is to be, and the access point that it is to be joined by, or zeros;
 *	the password is there from the begin of a join to its end
 * @join_since: when that was asked for, in jiffies
 * @near: its access point, or the one that a program takes for the nearest
 * @bssid: of the one that was joined
 * @since: when, in jiffies of 64 bits: it may be in for months
 * @deadline: of an answer, or of a network's consent, in jiffies; 0: the module's is waited for
 * @scan: the request
 * @cached: it is not passed on to the module
 * @found: @rows are all that there was
 * @hurried: it waits no longer for connections to be idle
 * @rows: what was found last; written by the thread while there is a request
 * @scanned: when, in jiffies of 64 bits
 * @scan_since: when @scan came, in jiffies
 * @signal_asked: when the thread was asked for @rssi, in jiffies of 64 bits; 0: never
 * @flags: ATW_WIPHY_SIGNAL_WAITS: a request that asks for that waits, or is run; by atomic
 *	operations
 * @lock: protects all below; innermost, softirqs take it too
 * @started: the work may be queued
 * @due: when the work is to run, in jiffies
 * @gen: of what is wanted
 * @running: the job that the thread is at
 * @jobs: those that there are
 * @news: see there
 * @scan_gen: of the request
 * @scan_err: how it has ended; -EINPROGRESS: it has not
 * @rssi: how strong the network is, in dBm; 0: it is not known
 * @radio: how much is known of @domain
 * @domain: what the radio may use
 */
struct atw_wiphy {
	struct wiphy			*wiphy;
	struct wireless_dev		wdev;
	struct atw_dev			*adev;
	struct net_device		*dev;
	struct ieee80211_supported_band	bands[2];
	struct ieee80211_channel	channels[ATW_WIPHY_CHANNELS];
	struct delayed_work		work;
	struct atw_wiphy_domain		told;

	bool				closing;
	enum atw_wiphy_state		state;
	bool				own;
	unsigned long			silence_at;
	unsigned long			given_up;
	bool				owned;
	struct atw_join			join;
	unsigned long			join_since;
	u8				near[ETH_ALEN];
	u8				bssid[ETH_ALEN];
	u64				since;
	unsigned long			deadline;
	struct cfg80211_scan_request	*scan;
	bool				cached;
	bool				found;
	bool				hurried;
	struct atw_scan			rows;
	u64				scanned;
	unsigned long			scan_since;
	u64				signal_asked;
	unsigned long			flags;

	spinlock_t			lock;	/* all below */
	bool				started;
	unsigned long			due;
	u32				gen;
	struct atw_wiphy_job		*running;
	unsigned int			jobs;
	struct atw_wiphy_news		news;
	u32				scan_gen;
	int				scan_err;
	s8				rssi;
	enum atw_wiphy_radio		radio;
	struct atw_wiphy_domain		domain;
};

static const u8 atw_wiphy_privid;

/* It runs then or earlier, and finds itself what else there is to wait for. */
static void atw_wiphy_kick(struct atw_wiphy *aw, unsigned long delay)
{
	unsigned long due = jiffies + delay;

	lockdep_assert_held(&aw->lock);

	if (!aw->started || (delayed_work_pending(&aw->work) && time_before_eq(aw->due, due)))
		return;
	aw->due = due;
	mod_delayed_work(atw_netdev_wq, &aw->work, delay);
}

static void atw_wiphy_later(struct atw_wiphy *aw, unsigned long delay)
{
	spin_lock_bh(&aw->lock);
	atw_wiphy_kick(aw, delay);
	spin_unlock_bh(&aw->lock);
}

/* Who asks for that does not wait for it, and the connections' work goes first. */
static void atw_wiphy_queue_idle(struct atw_wiphy *aw, struct atw_request *request,
				 void (*release)(void *arg))
{
	request->release = release;
	request->idle = true;
	/* Refused, it ends as one that was not run: with its last reference. */
	atw_module_queue(&aw->adev->module, request);
	atw_request_put(request);
}

/* A program can be told no more than that it is refused: the log says why. */
static int atw_wiphy_refuse(struct atw_wiphy *aw, int err, const char *why)
{
	dev_warn_ratelimited(aw->adev->module.dev, "%s\n", why);
	return err;
}

/* Can the firmware be told of a network? */
static int atw_wiphy_check(struct atw_wiphy *aw, const struct atw_join *join)
{
	const struct atw_module *m = &aw->adev->module;
	int err = atw_join_check(m, join);

	return err ? atw_wiphy_refuse(aw, err, atw_query_unsayable(m, join->ssid, join->password)) :
		     0;
}

/* And of a name, as a program tells it? */
static int atw_wiphy_check_name(struct atw_wiphy *aw, const u8 *ssid, size_t len)
{
	struct atw_join named = { 0 };

	if (len > ATW_SSID_MAX)
		return -EINVAL;
	if (memchr(ssid, 0, len))
		return atw_wiphy_refuse(aw, -EINVAL, "a module cannot be told of a NUL in a name");
	memcpy(named.ssid, ssid, len);
	return atw_wiphy_check(aw, &named);
}

/* What an access point says of itself */

enum atw_security {
	ATW_SECURITY_OPEN,
	ATW_SECURITY_WEP,
	ATW_SECURITY_WPA,
	ATW_SECURITY_WPA2,	/* and WPA3: the module joins either by the same word; or unknown */
	ATW_SECURITY_MIXED,
	ATW_SECURITY_OTHER,
};

/* By the module's words, such as "WPA2 AES", "WPA/WPA2 TKIP" or "WPA2 PSK/WPA3 SAE". */
static enum atw_security atw_wiphy_security(const char *words)
{
	/* Nobody is to send in clear for want of a word. */
	if (!words[0])
		return ATW_SECURITY_WPA2;
	if (!strncasecmp(words, "open", 4))
		return ATW_SECURITY_OPEN;
	if (!strncasecmp(words, "wep", 3))
		return ATW_SECURITY_WEP;
	if (strstr(words, "EAP") || strstr(words, "802.1") || strstr(words, "ENT") ||
	    strstr(words, "Ent"))
		return ATW_SECURITY_OTHER;
	if (!strncasecmp(words, "wpa/wpa2", 8))
		return ATW_SECURITY_MIXED;
	if (!strncasecmp(words, "wpa2", 4) || !strncasecmp(words, "wpa3", 4))
		return ATW_SECURITY_WPA2;
	if (!strncasecmp(words, "wpa", 3))
		return ATW_SECURITY_WPA;
	return ATW_SECURITY_OTHER;
}

/**
 * atw_wiphy_is_open() - is it a network without a password?
 * @net: the network
 */
bool atw_wiphy_is_open(const struct atw_network *net)
{
	return atw_wiphy_security(net->security) == ATW_SECURITY_OPEN;
}

/* WPA, as its vendor element; the cipher of all is TKIP. */
static const u8 atw_wiphy_wpa[] = {
	WLAN_EID_VENDOR_SPECIFIC, 22, 0x00, 0x50, 0xf2, 0x01, 1, 0,
	0x00, 0x50, 0xf2, 0x02,
	1, 0, 0x00, 0x50, 0xf2, 0x02,
	1, 0, 0x00, 0x50, 0xf2, 0x02,
};

/* With the password for SAE the module joins by the older key as well, and conversely. */
static const u8 atw_wiphy_rsn[] = {
	WLAN_EID_RSN, 24, 1, 0,
	0x00, 0x0f, 0xac, 0x04,
	1, 0, 0x00, 0x0f, 0xac, 0x04,
	2, 0, 0x00, 0x0f, 0xac, 0x02, 0x00, 0x0f, 0xac, 0x08,
	0x80, 0x00,	/* frames of management can be protected */
};

/* What the module cannot join is shown as what wants an account: nobody tries. */
static const u8 atw_wiphy_rsn_account[] = {
	WLAN_EID_RSN, 20, 1, 0,
	0x00, 0x0f, 0xac, 0x04,
	1, 0, 0x00, 0x0f, 0xac, 0x04,
	1, 0, 0x00, 0x0f, 0xac, 0x01,
	0x00, 0x00,
};

static const u8 atw_wiphy_rates[] = {
	WLAN_EID_SUPP_RATES, 8, 0x82, 0x84, 0x8b, 0x96, 0x0c, 0x12, 0x18, 0x24,
	WLAN_EID_EXT_SUPP_RATES, 4, 0x30, 0x48, 0x60, 0x6c,
};

static const u8 atw_wiphy_rates_5ghz[] = {
	WLAN_EID_SUPP_RATES, 8, 0x8c, 0x12, 0x98, 0x24, 0xb0, 0x48, 0x60, 0x6c,
};

static u8 *atw_wiphy_put(u8 *at, const void *element, size_t len)
{
	memcpy(at, element, len);
	return at + len;
}

/**
 * atw_wiphy_ies() - the elements of an access point, as the module offers it
 * @net: what the module tells of it
 * @channel: the number of the one that it is shown on
 * @ies: out: the elements
 *
 * Whatever the network can, a program is to choose between what the module can: it is told
 * a passphrase, and does the rest by itself.
 *
 * Return: bytes of them.
 */
size_t atw_wiphy_ies(const struct atw_network *net, u8 channel, u8 ies[ATW_WIPHY_IES_MAX])
{
	enum atw_security security = atw_wiphy_security(net->security);
	size_t len = strnlen(net->ssid, ATW_SSID_MAX);
	u8 *at = ies;

	*at++ = WLAN_EID_SSID;
	*at++ = len;
	at = atw_wiphy_put(at, net->ssid, len);
	if (channel > ATW_WIPHY_2GHZ) {
		at = atw_wiphy_put(at, atw_wiphy_rates_5ghz, sizeof(atw_wiphy_rates_5ghz));
	} else {
		at = atw_wiphy_put(at, atw_wiphy_rates, sizeof(atw_wiphy_rates));
		*at++ = WLAN_EID_DS_PARAMS;
		*at++ = 1;
		*at++ = channel;
	}
	if (security == ATW_SECURITY_WPA2 || security == ATW_SECURITY_MIXED)
		at = atw_wiphy_put(at, atw_wiphy_rsn, sizeof(atw_wiphy_rsn));
	if (security == ATW_SECURITY_OTHER)
		at = atw_wiphy_put(at, atw_wiphy_rsn_account, sizeof(atw_wiphy_rsn_account));
	if (security == ATW_SECURITY_WPA || security == ATW_SECURITY_MIXED)
		at = atw_wiphy_put(at, atw_wiphy_wpa, sizeof(atw_wiphy_wpa));
	BUILD_BUG_ON(2 + ATW_SSID_MAX + sizeof(atw_wiphy_rates) + 3 + sizeof(atw_wiphy_rsn) +
		     sizeof(atw_wiphy_wpa) > ATW_WIPHY_IES_MAX);
	return at - ies;
}

/**
 * atw_wiphy_status() - the status code of a join that has failed
 * @err: what came of it
 * @outcome: what the module's number for that means
 *
 * Return: that a password is wrong, where it may be; else that it has failed.
 */
u16 atw_wiphy_status(int err, enum atw_outcome outcome)
{
	if (err == -EKEYREJECTED || outcome == ATW_NOT_LET_IN)
		return WLAN_STATUS_CHALLENGE_FAIL;
	return WLAN_STATUS_UNSPECIFIED_FAILURE;
}

/* Where it is on the air, or where something is that can be shown. */
static struct ieee80211_channel *atw_wiphy_channel(struct atw_wiphy *aw, u8 number)
{
	u32 freq = ieee80211_channel_to_frequency(number, number > ATW_WIPHY_2GHZ ?
						  NL80211_BAND_5GHZ : NL80211_BAND_2GHZ);
	struct ieee80211_channel *channel = freq ? ieee80211_get_channel(aw->wiphy, freq) : NULL;

	if (!channel || channel->flags & IEEE80211_CHAN_DISABLED)
		return &aw->channels[0];
	return channel;
}

/* What the module does not say of an access point it may have said where it found that. */
static void atw_wiphy_complete(struct atw_wiphy *aw, struct atw_network *net)
{
	const struct atw_network *row;
	unsigned int i;

	if (net->rssi && net->channel && net->security[0])
		return;
	spin_lock_bh(&aw->lock);
	for (i = 0; i < aw->rows.n; i++) {
		row = &aw->rows.networks[i];
		if (!ether_addr_equal(row->bssid, net->bssid))
			continue;
		net->rssi = net->rssi ?: row->rssi;
		net->channel = net->channel ?: row->channel;
		if (!net->security[0])
			memcpy(net->security, row->security, sizeof(net->security));
	}
	spin_unlock_bh(&aw->lock);
}

/* Shows an access point. Returns it with a reference, or NULL. */
static struct cfg80211_bss *atw_wiphy_inform(struct atw_wiphy *aw, struct atw_network *net)
{
	u16 capability = WLAN_CAPABILITY_ESS;
	struct ieee80211_channel *channel;
	u8 ies[ATW_WIPHY_IES_MAX];
	size_t len;

	if (!is_valid_ether_addr(net->bssid))
		return NULL;
	atw_wiphy_complete(aw, net);
	if (!atw_wiphy_is_open(net))
		capability |= WLAN_CAPABILITY_PRIVACY;
	/* cfg80211 does not take one whose element names a channel that there is not. */
	channel = atw_wiphy_channel(aw, net->channel);
	len = atw_wiphy_ies(net, channel->hw_value, ies);
	return cfg80211_inform_bss(aw->wiphy, channel, CFG80211_BSS_FTYPE_PRESP, net->bssid, 0,
				   capability, 100, ies, len, DBM_TO_MBM(net->rssi), GFP_KERNEL);
}

/* Looking for networks */

static int atw_wiphy_scan_run(struct atw_module *m, void *arg)
{
	struct atw_wiphy_scan *scan = arg;
	struct atw_wiphy *aw = scan->aw;
	bool wanted;

	spin_lock_bh(&aw->lock);
	wanted = scan->gen == aw->scan_gen;
	spin_unlock_bh(&aw->lock);
	if (!wanted)
		return 0;
	scan->err = atw_query_scan(m, &scan->query);
	return scan->err;
}

static void atw_wiphy_scan_release(void *arg)
{
	struct atw_wiphy_scan *scan = arg;
	struct atw_wiphy *aw = scan->aw;

	spin_lock_bh(&aw->lock);
	if (scan->gen == aw->scan_gen) {
		aw->scan_err = scan->err;
		if (!scan->err)
			memcpy(&aw->rows, &scan->query.names.scan, sizeof(aw->rows));
		atw_wiphy_kick(aw, scan->err == -EAGAIN ? ATW_WIPHY_UNASKED : 0);
	}
	spin_unlock_bh(&aw->lock);
}

/* One that hides its name, or NULL. */
static const struct cfg80211_ssid *atw_wiphy_hidden(const struct cfg80211_scan_request *request)
{
	return request->n_ssids && request->ssids[0].ssid_len ? &request->ssids[0] : NULL;
}

static int atw_wiphy_scan_queue(struct atw_wiphy *aw, const struct cfg80211_scan_request *wanted)
{
	const struct cfg80211_ssid *ssid = atw_wiphy_hidden(wanted);
	struct atw_wiphy_scan *scan;
	struct atw_request *request;

	request = atw_request_new(sizeof(*scan), atw_wiphy_scan_run);
	if (!request)
		return -ENOMEM;
	scan = (struct atw_wiphy_scan *)request->arg;
	scan->aw = aw;
	/* Where it is not run it is to be begun again. */
	scan->err = -EAGAIN;
	if (ssid)
		memcpy(scan->query.ssid, ssid->ssid, ssid->ssid_len);
	spin_lock_bh(&aw->lock);
	scan->gen = ++aw->scan_gen;
	aw->scan_err = -EINPROGRESS;
	spin_unlock_bh(&aw->lock);
	atw_wiphy_queue_idle(aw, request, atw_wiphy_scan_release);
	return 0;
}

/*
 * A module that starts is asked again: who is told that it finds nothing looks again only
 * after a while, and a network that is known is joined by then.
 */
static bool atw_wiphy_scan_again(struct atw_wiphy *aw, int err)
{
	return (err == -EAGAIN || err == -ECONNRESET) &&
	       time_before(jiffies, aw->scan_since + ATW_WIPHY_PATIENCE) &&
	       !atw_wiphy_scan_queue(aw, aw->scan);
}

static bool atw_wiphy_found_since(const struct atw_wiphy *aw, unsigned long delay)
{
	return time_before64(get_jiffies_64(), aw->scanned + delay);
}

/* Also one that nobody wants any more, which may take half a minute. */
static bool atw_wiphy_is_joining(struct atw_wiphy *aw)
{
	bool joins;

	spin_lock_bh(&aw->lock);
	joins = aw->running && aw->running->task == ATW_TASK_JOIN;
	spin_unlock_bh(&aw->lock);
	return joins || aw->state == ATW_WIPHY_JOINING;
}

static int atw_wiphy_scan(struct wiphy *wiphy, struct cfg80211_scan_request *request)
{
	const struct cfg80211_ssid *ssid = atw_wiphy_hidden(request);
	struct atw_wiphy *aw = wiphy_priv(wiphy);
	int err = 0;

	if (aw->closing)
		return -ENETDOWN;
	if (aw->scan)
		return -EBUSY;
	if (ssid)
		err = atw_wiphy_check_name(aw, ssid->ssid, ssid->ssid_len);
	if (err)
		return err;
	aw->cached = atw_wiphy_is_joining(aw) ||
		     (!ssid && aw->found && atw_wiphy_found_since(aw, ATW_WIPHY_CACHED));
	if (!aw->cached)
		err = atw_wiphy_scan_queue(aw, request);
	if (err)
		return err;
	aw->scan = request;
	aw->scan_since = jiffies;
	aw->hurried = aw->cached;
	atw_wiphy_later(aw, ATW_WIPHY_HEARD);
	return 0;
}

static void atw_wiphy_scan_end(struct atw_wiphy *aw, bool aborted)
{
	struct cfg80211_scan_info info = { .aborted = aborted };

	lockdep_assert_held(&aw->wiphy->mtx);

	if (!aw->scan)
		return;
	spin_lock_bh(&aw->lock);
	aw->scan_gen++;
	spin_unlock_bh(&aw->lock);
	/* Of one that was given up the rows may be there all the same. */
	if (aborted && !aw->cached)
		aw->found = false;
	cfg80211_scan_done(aw->scan, &info);
	aw->scan = NULL;
}

static void atw_wiphy_abort_scan(struct wiphy *wiphy, struct wireless_dev *wdev)
{
	atw_wiphy_scan_end(wiphy_priv(wiphy), true);
}

static void atw_wiphy_show(struct atw_wiphy *aw, struct atw_network *net)
{
	struct cfg80211_bss *bss = atw_wiphy_inform(aw, net);

	if (bss)
		cfg80211_put_bss(aw->wiphy, bss);
}

static void atw_wiphy_hurry_scan(struct atw_wiphy *aw)
{
	unsigned long end = aw->scan_since + ATW_WIPHY_PATIENCE;

	if (aw->hurried)
		return;
	aw->hurried = time_after_eq(jiffies, end);
	if (aw->hurried)
		atw_module_hurry(&aw->adev->module);
	else
		atw_wiphy_later(aw, end - jiffies);
}

static void atw_wiphy_follow_scan(struct atw_wiphy *aw)
{
	struct atw_network own;
	unsigned int i, n = 0;
	unsigned long heard;
	int err;

	if (!aw->scan)
		return;
	heard = aw->scan_since + ATW_WIPHY_HEARD;
	if (time_before(jiffies, heard)) {
		atw_wiphy_later(aw, heard - jiffies);
		return;
	}
	spin_lock_bh(&aw->lock);
	err = aw->cached ? 0 : aw->scan_err;
	own = aw->news.net;
	own.rssi = aw->rssi ?: own.rssi;
	spin_unlock_bh(&aw->lock);
	/* Its name may be one that cannot be read. */
	if (!own.ssid[0])
		memcpy(own.ssid, aw->join.ssid, sizeof(own.ssid));
	if (err == -EINPROGRESS || atw_wiphy_scan_again(aw, err)) {
		atw_wiphy_hurry_scan(aw);
		return;
	}
	if (!err && !aw->cached) {
		aw->scanned = get_jiffies_64();
		/* What is found for a name is not all that there is. */
		aw->found = !atw_wiphy_hidden(aw->scan);
	}
	if ((!err || aw->found) && atw_wiphy_found_since(aw, ATW_WIPHY_OLD))
		n = aw->rows.n;
	/* With streams open the module may not look: what it is in is known all the same. */
	if (!err || err == -EBUSY) {
		for (i = 0; i < n; i++)
			atw_wiphy_show(aw, &aw->rows.networks[i]);
		if (aw->state == ATW_WIPHY_UP)
			atw_wiphy_show(aw, &own);
	}
	atw_wiphy_scan_end(aw, err && err != -EBUSY);
}

/* Joining networks, and leaving them */

/* Has its job become that of nobody? If not, what the module was in is old. */
static bool atw_wiphy_begin(struct atw_wiphy_job *job)
{
	struct atw_wiphy *aw = job->aw;
	bool wanted;

	spin_lock_bh(&aw->lock);
	wanted = job->gen == aw->gen;
	if (wanted) {
		aw->running = job;
		aw->news.valid = false;
	}
	spin_unlock_bh(&aw->lock);
	return wanted;
}

/* From now on a network that the module tells of is this one. */
static void atw_wiphy_job_asked(struct atw_query_join *query)
{
	struct atw_wiphy_job *job = container_of(query, struct atw_wiphy_job, query);

	spin_lock_bh(&job->aw->lock);
	job->asked = true;
	spin_unlock_bh(&job->aw->lock);
}

/* The begin of all their arguments is the same. */
static int (*const atw_wiphy_tasks[])(struct atw_module *m, void *arg) = {
	[ATW_TASK_JOIN]		= atw_query_join,
	[ATW_TASK_LEAVE]	= atw_query_leave,
	[ATW_TASK_LET_GO]	= atw_query_let_go,
	[ATW_TASK_SILENCE]	= atw_query_silence,
};

static int atw_wiphy_job_run(struct atw_module *m, void *arg)
{
	struct atw_wiphy_job *job = arg;
	struct atw_wiphy *aw = job->aw;
	int err;

	if (!atw_wiphy_begin(job))
		return 0;
	job->err = atw_wiphy_tasks[job->task](m, &job->query);
	/* What has become of it is to be known before anything is told. */
	err = atw_module_query_link(m);
	atw_conns_command_failed(&m->conns, err);
	spin_lock_bh(&aw->lock);
	aw->running = NULL;
	spin_unlock_bh(&aw->lock);
	return 0;
}

/*
 * While the module is set up, or others' requests are too many, nothing is run. What it is to
 * let go it may be told again.
 */
static unsigned long atw_wiphy_pause(const struct atw_wiphy_job *job)
{
	if (job->err == -EAGAIN || (job->err && job->task == ATW_TASK_LET_GO))
		return ATW_WIPHY_UNASKED;
	return 0;
}

static void atw_wiphy_job_release(void *arg)
{
	struct atw_wiphy_job *job = arg;
	struct atw_wiphy *aw = job->aw;

	spin_lock_bh(&aw->lock);
	aw->jobs--;
	if (job->task == ATW_TASK_JOIN && job->gen == aw->gen) {
		aw->news.begun = job->asked;
		aw->news.err = job->err;
		aw->news.code = job->query.query.code;
	}
	atw_wiphy_kick(aw, atw_wiphy_pause(job));
	spin_unlock_bh(&aw->lock);
}

/* Whatever was wanted before is not any more. */
static void atw_wiphy_want(struct atw_wiphy *aw)
{
	spin_lock_bh(&aw->lock);
	aw->gen++;
	aw->news.heard = false;
	aw->news.err = -EINPROGRESS;
	spin_unlock_bh(&aw->lock);
}

/* A job for what is wanted now. */
static int atw_wiphy_queue(struct atw_wiphy *aw, enum atw_wiphy_task task)
{
	struct atw_request *request;
	struct atw_wiphy_job *job;

	request = atw_request_new(sizeof(*job), atw_wiphy_job_run);
	if (!request)
		return -ENOMEM;
	job = (struct atw_wiphy_job *)request->arg;
	job->aw = aw;
	/* Where it is not run it is to be begun again. */
	job->err = -EAGAIN;
	job->task = task;
	if (task == ATW_TASK_JOIN)
		job->query.join = aw->join;
	job->query.once = true;
	job->query.begun = atw_wiphy_job_asked;
	request->release = atw_wiphy_job_release;
	spin_lock_bh(&aw->lock);
	job->gen = aw->gen;
	aw->jobs++;
	spin_unlock_bh(&aw->lock);
	/* Refused, it ends as one that has failed: with its last reference. */
	atw_module_queue(&aw->adev->module, request);
	atw_request_put(request);
	return 0;
}

/* It is out, whatever it is in; or let go, where it had no time to hear that. */
static int atw_wiphy_leave(struct atw_wiphy *aw)
{
	aw->owned = true;
	atw_wiphy_want(aw);
	return atw_wiphy_queue(aw, ATW_TASK_LEAVE);
}

/* Who gave it up, and wants it again: it goes on. */
static bool atw_wiphy_adopt(struct atw_wiphy *aw)
{
	bool same;

	spin_lock_bh(&aw->lock);
	same = aw->running && aw->running->task == ATW_TASK_JOIN &&
	       !memcmp(&aw->running->query.join, &aw->join, sizeof(aw->join));
	if (same)
		aw->running->gen = aw->gen;
	spin_unlock_bh(&aw->lock);
	return same;
}

/* Join the network that was aimed at. */
static int atw_wiphy_join(struct atw_wiphy *aw)
{
	int err = atw_wiphy_check(aw, &aw->join);

	if (err)
		return err;
	aw->deadline = 0;
	atw_wiphy_want(aw);
	return atw_wiphy_adopt(aw) ? 0 : atw_wiphy_queue(aw, ATW_TASK_JOIN);
}

/*
 * A module that starts is told again: who hears that his join has failed leaves the access point
 * alone for a while, some programs for a minute.
 */
static bool atw_wiphy_join_again(struct atw_wiphy *aw, const struct atw_wiphy_news *news)
{
	return (news->err == -EAGAIN || (news->err == -ECONNRESET && !news->code)) &&
	       time_before(jiffies, aw->join_since + ATW_WIPHY_PATIENCE) && !atw_wiphy_join(aw);
}

/* Nobody needs the passphrase any more, whether it is known or asked for. */
static void atw_wiphy_forget(struct atw_wiphy *aw)
{
	memzero_explicit(aw->join.password, sizeof(aw->join.password));
	atw_passphrase_forget(aw->adev);
}

/* A password for the module; it may hold whatever can be told. */
static int atw_wiphy_password(struct atw_wiphy *aw, const struct cfg80211_connect_params *sme,
			      char *password)
{
	const struct cfg80211_crypto_settings *crypto = &sme->crypto;

	if (crypto->sae_pwd_len) {
		if (crypto->sae_pwd_len > ATW_PASSPHRASE_MAX)
			return atw_wiphy_refuse(aw, -EINVAL,
						"a password has 63 bytes at most; 64 are its key");
		if (memchr(crypto->sae_pwd, 0, crypto->sae_pwd_len))
			return atw_wiphy_refuse(aw, -EINVAL,
						"a module cannot be told of a NUL in a password");
		memcpy(password, crypto->sae_pwd, crypto->sae_pwd_len);
		return 0;
	}
	if (crypto->psk)
		return -ENOKEY;
	/* There is no way to tell it any other key. */
	return sme->privacy || sme->key_len || crypto->n_akm_suites ? -EOPNOTSUPP : 0;
}

static void atw_wiphy_aim(struct atw_wiphy *aw, const struct cfg80211_connect_params *sme)
{
	const u8 *near = sme->bssid ?: sme->bssid_hint;

	memset(&aw->join, 0, sizeof(aw->join));
	memcpy(aw->join.ssid, sme->ssid, sme->ssid_len);
	/* A hint is none: of those that there are the module sees for itself. */
	if (sme->bssid)
		ether_addr_copy(aw->join.bssid, sme->bssid);
	eth_zero_addr(aw->near);
	if (near)
		ether_addr_copy(aw->near, near);
	aw->join_since = jiffies;
}

/* Where it is to be found, or NULL: it is not known. */
static const u8 *atw_wiphy_near(const struct atw_wiphy *aw)
{
	return is_zero_ether_addr(aw->near) ? NULL : aw->near;
}

/*
 * The access point that was aimed at, as far as cfg80211 knows it now. It is looked up where
 * it is told, and never kept: a scan may flush it at any time, and cfg80211 frees what it has
 * flushed when it is told that it was joined. Returns it with a reference, or NULL.
 */
static struct cfg80211_bss *atw_wiphy_aimed(const struct atw_wiphy *aw)
{
	lockdep_assert_held(&aw->wiphy->mtx);

	return cfg80211_get_bss(aw->wiphy, NULL, atw_wiphy_near(aw), aw->join.ssid,
				strlen(aw->join.ssid), IEEE80211_BSS_TYPE_ESS,
				IEEE80211_PRIVACY_ANY);
}

/* What a user can do about it. Logs are sent to others: the network's name is not in them. */
static void atw_wiphy_say_why(struct atw_wiphy *aw, const char *why)
{
	dev_warn_ratelimited(aw->adev->module.dev,
			     "a module joins a network by its passphrase, and a program told the key alone: %s; use atwctl join\n",
			     why);
}

static void atw_wiphy_told(struct atw_wiphy *aw)
{
	atw_wiphy_later(aw, 0);
}

static int atw_wiphy_ask(struct atw_wiphy *aw, const u8 *pmk)
{
	int err = atw_passphrase_ask(aw->adev, aw, atw_wiphy_told, aw->join.ssid, pmk);

	if (err) {
		atw_wiphy_say_why(aw, err == -ESRCH || err == -ECONNREFUSED ?
				  "no service that knows passphrases runs" :
				  "the service that knows passphrases cannot be asked");
		return err;
	}
	aw->state = ATW_WIPHY_ASKING;
	aw->deadline = (jiffies + ATW_WIPHY_ASK) | 1;
	atw_wiphy_later(aw, ATW_WIPHY_ASK);
	return 0;
}

static int atw_wiphy_begin_join(struct atw_wiphy *aw, const struct cfg80211_connect_params *sme)
{
	int err;

	if (aw->closing)
		return -ENETDOWN;
	/* From one access point to another it goes by itself. */
	if (aw->state == ATW_WIPHY_UP)
		return -EALREADY;
	/* What it has yet to do cfg80211 would take for the end of this one. */
	if (atw_cfg80211_is_behind(&aw->wdev))
		return -EBUSY;
	if (!sme->ssid_len)
		return -EINVAL;
	err = atw_wiphy_check_name(aw, sme->ssid, sme->ssid_len);
	if (err)
		return err;
	/* What was asked for is for another join. */
	atw_wiphy_forget(aw);
	atw_wiphy_aim(aw, sme);
	err = atw_wiphy_password(aw, sme, aw->join.password);
	if (err == -ENOKEY)
		return atw_wiphy_ask(aw, sme->crypto.psk);
	err = err ?: atw_wiphy_join(aw);
	if (!err)
		aw->state = ATW_WIPHY_JOINING;
	return err;
}

static int atw_wiphy_connect(struct wiphy *wiphy, struct net_device *dev,
			     struct cfg80211_connect_params *sme)
{
	struct atw_wiphy *aw = wiphy_priv(wiphy);
	int err = atw_wiphy_begin_join(aw, sme);

	if (!err) {
		aw->given_up = 0;
		/* cfg80211 learns after this whose it is. */
		atw_wiphy_later(aw, 0);
	} else {
		atw_wiphy_forget(aw);
	}
	/* What was wanted before cfg80211 does not wait for any more, either. */
	if (err && (aw->state == ATW_WIPHY_ASKING || aw->state == ATW_WIPHY_JOINING)) {
		atw_wiphy_leave(aw);
		aw->state = ATW_WIPHY_IDLE;
	}
	return err;
}

static void atw_wiphy_tell_given_up(struct atw_wiphy *aw)
{
	if (!aw->given_up)
		return;
	aw->given_up = 0;
	cfg80211_connect_result(aw->dev, NULL, NULL, 0, NULL, 0, WLAN_STATUS_UNSPECIFIED_FAILURE,
				ATW_WIPHY_GFP);
}

static int atw_wiphy_disconnect(struct wiphy *wiphy, struct net_device *dev, u16 reason)
{
	struct atw_wiphy *aw = wiphy_priv(wiphy);
	enum atw_wiphy_state was = aw->state;

	if (was == ATW_WIPHY_IDLE)
		return 0;
	aw->state = ATW_WIPHY_IDLE;
	atw_wiphy_forget(aw);
	/*
	 * Many a program joins the next one at once. It would take this for that one's end, and so
	 * would cfg80211, which then forgets its name and its owner.
	 */
	if (was == ATW_WIPHY_UP) {
		cfg80211_disconnected(dev, reason, NULL, 0, true, ATW_WIPHY_GFP);
	} else {
		aw->given_up = (jiffies + ATW_WIPHY_GIVEN_UP) | 1;
		atw_wiphy_later(aw, ATW_WIPHY_GIVEN_UP);
	}
	/* A device that goes down takes no network away that nobody here has asked for. */
	if (was == ATW_WIPHY_UP && aw->own && aw->closing) {
		atw_wiphy_want(aw);
		return 0;
	}
	return atw_wiphy_leave(aw);
}

/* The news */

/*
 * cfg80211 forgets the name of a network that it is told of where it refuses another join before
 * it has done that. Without the name nobody could have the network left again.
 */
static void atw_wiphy_name(struct atw_wiphy *aw)
{
	lockdep_assert_held(&aw->wiphy->mtx);

	if (!atw_cfg80211_has_name(&aw->wdev))
		atw_cfg80211_set_name(&aw->wdev, aw->join.ssid, strlen(aw->join.ssid));
}

/* Tell that it is in a network. Takes the reference to @bss. */
static void atw_wiphy_tell_up(struct atw_wiphy *aw, struct cfg80211_bss *bss, bool own)
{
	struct cfg80211_connect_resp_params params = {
		.status = WLAN_STATUS_SUCCESS,
		.links[0].bss = bss,
		.timeout_reason = NL80211_TIMEOUT_UNSPECIFIED,
	};
	bool secured = bss->capability & WLAN_CAPABILITY_PRIVACY;

	atw_wiphy_forget(aw);
	atw_wiphy_name(aw);
	ether_addr_copy(aw->bssid, bss->bssid);
	params.links[0].bssid = aw->bssid;
	cfg80211_connect_done(aw->dev, &params, ATW_WIPHY_GFP);
	/* The keys are the module's. */
	if (secured)
		atw_cfg80211_port_authorized(aw->dev, aw->bssid, ATW_WIPHY_GFP);
	aw->state = ATW_WIPHY_UP;
	aw->own = own;
	aw->since = get_jiffies_64();
	spin_lock_bh(&aw->lock);
	aw->rssi = 0;
	/* Until cfg80211 has done that its name can get lost once more. */
	atw_wiphy_kick(aw, ATW_WIPHY_AGAIN);
	spin_unlock_bh(&aw->lock);
}

/* cfg80211 would show for half a minute yet what is not there. */
static void atw_wiphy_unshow(struct atw_wiphy *aw)
{
	struct cfg80211_bss *bss = cfg80211_get_bss(aw->wiphy, NULL, aw->bssid, NULL, 0,
						    IEEE80211_BSS_TYPE_ESS,
						    IEEE80211_PRIVACY_ANY);

	if (!bss)
		return;
	cfg80211_unlink_bss(aw->wiphy, bss);
	cfg80211_put_bss(aw->wiphy, bss);
}

static void atw_wiphy_tell_down(struct atw_wiphy *aw)
{
	cfg80211_disconnected(aw->dev, WLAN_REASON_DISASSOC_DUE_TO_INACTIVITY, NULL, 0, false,
			      ATW_WIPHY_GFP);
	aw->state = ATW_WIPHY_IDLE;
	/*
	 * Where it is told once more that the network is there, a program tries to join it at
	 * once, and where that fails leaves it alone for a minute or more.
	 */
	aw->found = false;
	if (!aw->own)
		atw_wiphy_unshow(aw);
	/* It may be in another one. */
	atw_wiphy_later(aw, ATW_WIPHY_AGAIN);
}

static void atw_wiphy_tell_failure(struct atw_wiphy *aw, int err, u32 code)
{
	const struct atw_error *error = aw->adev->module.ch.dialect->error(code);
	u16 status = atw_wiphy_status(err, error->outcome);
	const u8 *bssid = atw_wiphy_near(aw);

	atw_wiphy_forget(aw);
	/* Many a program says no more than that it has failed. */
	if (status == WLAN_STATUS_CHALLENGE_FAIL)
		dev_warn_ratelimited(aw->adev->module.dev,
				     "a network has not let the module in: is its password right?\n");
	/* Where nobody was told to join it no network has refused anything. */
	if (error->outcome == ATW_NO_NETWORK || err == -EAGAIN)
		cfg80211_connect_timeout(aw->dev, bssid, NULL, 0, ATW_WIPHY_GFP,
					 err == -EAGAIN ? NL80211_TIMEOUT_UNSPECIFIED :
							  NL80211_TIMEOUT_SCAN);
	else
		cfg80211_connect_result(aw->dev, bssid, NULL, 0, NULL, 0, status, ATW_WIPHY_GFP);
	aw->found = false;
	aw->state = ATW_WIPHY_IDLE;
	atw_wiphy_later(aw, ATW_WIPHY_AGAIN);
}

static void atw_wiphy_follow_question(struct atw_wiphy *aw)
{
	int err = atw_passphrase_answer(aw->adev, aw->join.password);

	if (err == -EINPROGRESS && time_before(jiffies, aw->deadline)) {
		atw_wiphy_later(aw, aw->deadline - jiffies);
		return;
	}
	if (err == -EINPROGRESS)
		atw_wiphy_say_why(aw, "the service that knows passphrases does not answer");
	else if (err == -ENOKEY)
		atw_wiphy_say_why(aw, "nobody knows the passphrase");
	else if (err == -ESRCH)
		atw_wiphy_say_why(aw, "the service that knows passphrases has ended");
	atw_passphrase_forget(aw->adev);
	err = err ?: atw_wiphy_join(aw);
	aw->state = ATW_WIPHY_JOINING;
	if (err)
		atw_wiphy_tell_failure(aw, err, 0);
}

/* Is it in the network that is told? A name that cannot be read is taken for that one's. */
static bool atw_wiphy_is_there(const struct atw_wiphy *aw, struct atw_wiphy_news *news)
{
	if (!news->in)
		return false;
	if (!news->net.ssid[0])
		memcpy(news->net.ssid, aw->join.ssid, sizeof(news->net.ssid));
	return !strcmp(news->net.ssid, aw->join.ssid);
}

static void atw_wiphy_follow_join(struct atw_wiphy *aw, struct atw_wiphy_news *news)
{
	bool refused = news->valid && news->refused;
	struct cfg80211_bss *bss = NULL;

	/* Its address may take longer than programs have patience. */
	if (news->heard)
		bss = atw_wiphy_aimed(aw);
	if (bss) {
		atw_wiphy_tell_up(aw, bss, false);
		return;
	}
	if (news->err == -EINPROGRESS || atw_wiphy_join_again(aw, news)) {
		return;
	} else if (news->valid && (!news->err || news->net.ssid[0]) &&
		   atw_wiphy_is_there(aw, news)) {
		/* Without an address, too, it is in. */
		bss = atw_wiphy_inform(aw, &news->net);
	} else if (!news->err && !aw->deadline) {
		/* Some firmware says OK to begin with. */
		aw->deadline = (jiffies + ATW_WIPHY_JOIN) | 1;
		atw_wiphy_later(aw, ATW_WIPHY_JOIN);
		return;
	} else if (!news->err && !refused && time_before(jiffies, aw->deadline)) {
		atw_wiphy_later(aw, aw->deadline - jiffies);
		return;
	}
	if (bss) {
		atw_wiphy_tell_up(aw, bss, false);
		return;
	}
	/* It may go on trying, also without an answer, and then be where nobody wants it to be. */
	if (!news->err || (news->begun && (news->err == -ETIMEDOUT || news->err == -EPROTO)))
		atw_wiphy_leave(aw);
	atw_wiphy_tell_failure(aw, news->err ?: refused ? -EKEYREJECTED : 0, news->code);
}

/* Jiffies until it has been in its network for so long; 0: it has. */
static unsigned long atw_wiphy_until(const struct atw_wiphy *aw, unsigned long age)
{
	u64 end = aw->since + age, now = get_jiffies_64();

	return time_before64(now, end) ? end - now : 0;
}

static void atw_wiphy_follow_up(struct atw_wiphy *aw, struct atw_wiphy_news *news)
{
	unsigned long left = atw_wiphy_until(aw, ATW_WIPHY_JOIN);
	struct cfg80211_roam_info roam = { 0 };

	/* Some firmware says that it is about to join for as long as it has no address. */
	if (news->connecting && !news->err && news->heard && left) {
		atw_wiphy_later(aw, left);
		return;
	}
	if (!atw_wiphy_is_there(aw, news)) {
		atw_wiphy_tell_down(aw);
		return;
	}
	if (ether_addr_equal(news->net.bssid, aw->bssid))
		return;
	/* Only who knows where it was can be told that it is elsewhere. */
	if (!atw_cfg80211_is_connected(&aw->wdev)) {
		atw_wiphy_later(aw, ATW_WIPHY_AGAIN);
		return;
	}
	roam.links[0].bss = atw_wiphy_inform(aw, &news->net);
	if (!roam.links[0].bss)
		return;
	ether_addr_copy(aw->bssid, news->net.bssid);
	/* How strong the other one is it is asked anew. */
	aw->signal_asked = 0;
	spin_lock_bh(&aw->lock);
	aw->rssi = 0;
	spin_unlock_bh(&aw->lock);
	roam.links[0].bssid = aw->bssid;
	cfg80211_roamed(aw->dev, &roam, ATW_WIPHY_GFP);
	if (!atw_wiphy_is_open(&news->net))
		atw_cfg80211_port_authorized(aw->dev, aw->bssid, ATW_WIPHY_GFP);
}

/* It is in a network that nobody here has asked for. */
static void atw_wiphy_follow_own(struct atw_wiphy *aw, struct atw_wiphy_news *news)
{
	struct cfg80211_bss *bss;

	if (!news->in || !news->net.ssid[0] || aw->closing || !netif_running(aw->dev))
		return;
	/* What was told before is to be done first. */
	if (atw_cfg80211_is_connected(&aw->wdev) || atw_cfg80211_has_name(&aw->wdev)) {
		atw_wiphy_later(aw, ATW_WIPHY_AGAIN);
		return;
	}
	bss = atw_wiphy_inform(aw, &news->net);
	if (!bss)
		return;
	memcpy(aw->join.ssid, news->net.ssid, sizeof(aw->join.ssid));
	atw_wiphy_tell_up(aw, bss, true);
}

/*
 * Who owns his network has lost it, or could not join it, and it was he who has told the module
 * last where to be. He joins it again himself: iwd takes no notice of what it has not asked for,
 * and cfg80211 lets it join nothing where the module was faster. Nor does a network outlive its
 * owner; nor that it was to be left, which the module may not have heard.
 */
static void atw_wiphy_let_go(struct atw_wiphy *aw)
{
	bool found;

	spin_lock_bh(&aw->lock);
	found = aw->radio != ATW_RADIO_LOST;
	spin_unlock_bh(&aw->lock);
	/* Else that is news. */
	if (found && atw_wiphy_queue(aw, ATW_TASK_LET_GO))
		atw_wiphy_later(aw, ATW_WIPHY_UNASKED);
}

/* What one says that does not leave is news, too: it would be told again for each word of it. */
static void atw_wiphy_silence(struct atw_wiphy *aw)
{
	if (aw->silence_at && time_before(jiffies, aw->silence_at)) {
		atw_wiphy_later(aw, aw->silence_at - jiffies);
		return;
	}
	aw->silence_at = (jiffies + ATW_WIPHY_PATIENCE) | 1;
	atw_wiphy_queue(aw, ATW_TASK_SILENCE);
}

static void atw_wiphy_follow(struct atw_wiphy *aw)
{
	bool blocked = rfkill_blocked(aw->wiphy->rfkill);
	struct atw_wiphy_news news;
	bool settled;

	spin_lock_bh(&aw->lock);
	news = aw->news;
	/* While it is told to be elsewhere, where it is means nothing. */
	settled = news.valid && !aw->jobs;
	spin_unlock_bh(&aw->lock);

	atw_module_bar(&aw->adev->module, blocked);
	if (!blocked || (settled && !news.in))
		aw->silence_at = 0;

	/* While a device is down rfkill tells nobody. In no network there is nothing to silence. */
	if (aw->closing && blocked && news.in)
		atw_wiphy_later(aw, ATW_WIPHY_PATIENCE);
	else if (aw->closing && (blocked || news.in))
		atw_wiphy_later(aw, round_jiffies_relative(ATW_WIPHY_DEAF));

	/* It was told, and may not be done yet. */
	if (aw->state == ATW_WIPHY_UP && atw_cfg80211_is_behind(&aw->wdev))
		atw_wiphy_later(aw, ATW_WIPHY_AGAIN);
	else if (aw->state == ATW_WIPHY_UP)
		atw_wiphy_name(aw);
	else if (aw->given_up && time_before(jiffies, aw->given_up))
		atw_wiphy_later(aw, aw->given_up - jiffies);
	else
		atw_wiphy_tell_given_up(aw);

	/* cfg80211 learns that after the operation, and forgets it with the network. */
	if (aw->state == ATW_WIPHY_ASKING || aw->state == ATW_WIPHY_JOINING)
		aw->owned = atw_cfg80211_owner(&aw->wdev);

	if (aw->state == ATW_WIPHY_ASKING)
		atw_wiphy_follow_question(aw);
	else if (aw->state == ATW_WIPHY_JOINING)
		atw_wiphy_follow_join(aw, &news);
	else if (settled && aw->state == ATW_WIPHY_UP)
		atw_wiphy_follow_up(aw, &news);
	else if (settled && news.managed && aw->owned)
		atw_wiphy_let_go(aw);
	else if (settled && news.in && blocked)
		atw_wiphy_silence(aw);
	else if (settled)
		atw_wiphy_follow_own(aw, &news);
}

/* What the radio may use */

/* Where it may send is the module's to know; what it finds is to be shown. */
static const struct ieee80211_reg_rule atw_wiphy_rules[] = {
	REG_RULE(2402, 2482, 40, 6, 20, 0),
	/* Of 5 GHz. */
	REG_RULE(5170, 5330, 40, 6, 20, 0),
	REG_RULE(5490, 5730, 40, 6, 20, 0),
	REG_RULE(5735, 5835, 40, 6, 20, 0),
};

/* Returns it for kfree(), or NULL. */
static struct ieee80211_regdomain *atw_wiphy_regdomain(const struct atw_wiphy_domain *domain)
{
	unsigned int n = domain->dual ? ARRAY_SIZE(atw_wiphy_rules) : 1;
	struct ieee80211_regdomain *rd;

	rd = kzalloc(struct_size(rd, reg_rules, n), GFP_KERNEL);
	if (!rd)
		return NULL;
	rd->n_reg_rules = n;
	memcpy(rd->reg_rules, atw_wiphy_rules, n * sizeof(*atw_wiphy_rules));
	memcpy(rd->alpha2, domain->country, 2);
	return rd;
}

static int atw_wiphy_set_domain(struct atw_wiphy *aw, const struct atw_wiphy_domain *domain)
{
	struct ieee80211_regdomain *rd = atw_wiphy_regdomain(domain);
	int err;

	if (!rd)
		return -ENOMEM;
	rtnl_lock();
	wiphy_lock(aw->wiphy);
	err = regulatory_set_wiphy_regd_sync(aw->wiphy, rd);
	wiphy_unlock(aw->wiphy);
	rtnl_unlock();
	kfree(rd);
	if (!err)
		aw->told = *domain;
	return err;
}

static void atw_wiphy_country_release(void *arg)
{
	struct atw_wiphy_country *country = arg;
	struct atw_wiphy *aw = country->aw;

	spin_lock_bh(&aw->lock);
	if (aw->radio == ATW_RADIO_ASKED && !country->run) {
		aw->radio = ATW_RADIO_FOUND;
		atw_wiphy_kick(aw, ATW_WIPHY_UNASKED);
	} else if (aw->radio == ATW_RADIO_ASKED) {
		aw->radio = ATW_RADIO_KNOWN;
		/* A module that did not answer has not moved: it is asked after its next start. */
		if (!country->err)
			memcpy(aw->domain.country, country->query.country, ATW_COUNTRY_LEN);
		atw_wiphy_kick(aw, 0);
	}
	spin_unlock_bh(&aw->lock);
}

static int atw_wiphy_country_run(struct atw_module *m, void *arg)
{
	struct atw_wiphy_country *country = arg;

	country->run = true;
	country->err = atw_query_country(m, &country->query);
	return country->err;
}

static void atw_wiphy_ask_country(struct atw_wiphy *aw)
{
	struct atw_wiphy_country *country;
	struct atw_request *request;

	request = atw_request_new(sizeof(*country), atw_wiphy_country_run);
	/* It is shown as it was before, until the module was found once more. */
	if (!request)
		return;
	country = (struct atw_wiphy_country *)request->arg;
	country->aw = aw;
	atw_wiphy_queue_idle(aw, request, atw_wiphy_country_release);
}

/* After each start the firmware may be another one, and so may the country. */
static void atw_wiphy_follow_radio(struct atw_wiphy *aw)
{
	struct atw_wiphy_domain domain;
	bool ask;

	spin_lock_bh(&aw->lock);
	domain = aw->domain;
	ask = aw->radio == ATW_RADIO_FOUND;
	if (ask)
		aw->radio = ATW_RADIO_ASKED;
	spin_unlock_bh(&aw->lock);
	if (ask)
		atw_wiphy_ask_country(aw);
	if (domain.dual == aw->told.dual && !strcmp(domain.country, aw->told.country))
		return;
	atw_wiphy_set_domain(aw, &domain);
}

static void atw_wiphy_work(struct work_struct *work)
{
	struct atw_wiphy *aw = container_of(to_delayed_work(work), struct atw_wiphy, work);

	atw_wiphy_follow_radio(aw);
	wiphy_lock(aw->wiphy);
	atw_wiphy_follow_scan(aw);
	atw_wiphy_follow(aw);
	wiphy_unlock(aw->wiphy);
}

/**
 * atw_wiphy_changed() - the module's state or its network may be another one
 * @aw: the wiphy, or NULL
 *
 * Context: the channel's thread, or while that is paused.
 */
void atw_wiphy_changed(struct atw_wiphy *aw)
{
	const struct atw_module *m;
	bool found;

	if (!aw)
		return;
	m = &aw->adev->module;
	found = m->state == ATW_MODULE_DOWN || m->state == ATW_MODULE_JOINED;
	spin_lock_bh(&aw->lock);
	if (!found) {
		aw->radio = ATW_RADIO_LOST;
		/* It does not know any more what it was told. */
		aw->news.err = aw->news.err ?: -ECONNRESET;
	} else if (aw->radio == ATW_RADIO_LOST) {
		aw->radio = ATW_RADIO_FOUND;
		aw->domain.dual = atw_firmware_is_on(m->conns.fw->dual_band_on, m->sdk_version);
	}
	aw->news.valid = true;
	aw->news.in = m->state == ATW_MODULE_JOINED ||
		      (m->state == ATW_MODULE_DOWN && m->status == ATW_WIFI_NO_ADDRESS);
	aw->news.connecting = m->state == ATW_MODULE_DOWN && m->status == ATW_WIFI_CONNECTING;
	aw->news.managed = m->managed;
	aw->news.refused = m->status == ATW_WIFI_BAD_PASSWORD;
	aw->news.net = m->net;
	atw_wiphy_kick(aw, 0);
	spin_unlock_bh(&aw->lock);
}

/**
 * atw_wiphy_associated() - the module says that it is in a network
 * @aw: the wiphy, or NULL
 *
 * Context: any but hard interrupts.
 */
void atw_wiphy_associated(struct atw_wiphy *aw)
{
	bool asked;

	if (!aw)
		return;
	spin_lock_bh(&aw->lock);
	/* Before it was told to join this one it is about another, and so when that has failed. */
	asked = aw->running ? aw->running->asked && aw->running->gen == aw->gen : !aw->news.err;
	if (asked && !aw->news.heard) {
		aw->news.heard = true;
		/* It is asked where it is after this. */
		aw->news.valid = false;
		atw_wiphy_kick(aw, 0);
	}
	spin_unlock_bh(&aw->lock);
}

/* What is known of the access point */

static void atw_wiphy_signal_release(void *arg)
{
	struct atw_wiphy_signal *signal = arg;

	clear_bit(ATW_WIPHY_SIGNAL_WAITS, &signal->aw->flags);
}

static int atw_wiphy_signal_run(struct atw_module *m, void *arg)
{
	struct atw_wiphy_signal *signal = arg;
	struct atw_wiphy *aw = signal->aw;
	int err = atw_query_signal(m, &signal->query);

	spin_lock_bh(&aw->lock);
	if (!err && signal->query.rssi)
		aw->rssi = signal->query.rssi;
	spin_unlock_bh(&aw->lock);
	return err;
}

/*
 * Nobody waits for it: who asks again is told then. Anybody may ask, and while connections
 * have work none of it is done: one request waits at a time, or they would take all the places
 * of an administrator's.
 */
static void atw_wiphy_ask_signal(struct atw_wiphy *aw)
{
	struct atw_wiphy_signal *signal;
	struct atw_request *request;

	if (time_before64(get_jiffies_64(), aw->signal_asked + ATW_WIPHY_SIGNAL) ||
	    test_and_set_bit(ATW_WIPHY_SIGNAL_WAITS, &aw->flags))
		return;
	request = atw_request_new(sizeof(*signal), atw_wiphy_signal_run);
	if (!request) {
		clear_bit(ATW_WIPHY_SIGNAL_WAITS, &aw->flags);
		return;
	}
	aw->signal_asked = get_jiffies_64();
	signal = (struct atw_wiphy_signal *)request->arg;
	signal->aw = aw;
	atw_wiphy_queue_idle(aw, request, atw_wiphy_signal_release);
}

static int atw_wiphy_fill_station(struct atw_wiphy *aw, struct station_info *sinfo)
{
	s8 rssi;

	atw_wiphy_ask_signal(aw);
	spin_lock_bh(&aw->lock);
	rssi = aw->rssi ?: aw->news.net.rssi;
	spin_unlock_bh(&aw->lock);
	sinfo->filled = BIT_ULL(NL80211_STA_INFO_CONNECTED_TIME);
	sinfo->connected_time = div_u64(get_jiffies_64() - aw->since, HZ);
	if (rssi) {
		sinfo->filled |= BIT_ULL(NL80211_STA_INFO_SIGNAL);
		sinfo->signal = rssi;
	}
	return 0;
}

static int atw_wiphy_get_station(struct wiphy *wiphy, atw_station_of_t of, const u8 *mac,
				 struct station_info *sinfo)
{
	struct atw_wiphy *aw = wiphy_priv(wiphy);

	if (aw->state != ATW_WIPHY_UP || !ether_addr_equal(mac, aw->bssid))
		return -ENOENT;
	return atw_wiphy_fill_station(aw, sinfo);
}

static int atw_wiphy_dump_station(struct wiphy *wiphy, atw_station_of_t of, int idx, u8 *mac,
				  struct station_info *sinfo)
{
	struct atw_wiphy *aw = wiphy_priv(wiphy);

	if (idx || aw->state != ATW_WIPHY_UP)
		return -ENOENT;
	memcpy(mac, aw->bssid, ETH_ALEN);
	return atw_wiphy_fill_station(aw, sinfo);
}

static const struct cfg80211_ops atw_wiphy_ops = {
	.scan		= atw_wiphy_scan,
	.abort_scan	= atw_wiphy_abort_scan,
	.connect	= atw_wiphy_connect,
	.disconnect	= atw_wiphy_disconnect,
	.get_station	= atw_wiphy_get_station,
	.dump_station	= atw_wiphy_dump_station,
};

/* The device */

static struct ieee80211_rate atw_wiphy_bitrates[] = {
	{ .bitrate = 10 }, { .bitrate = 20 }, { .bitrate = 55 }, { .bitrate = 110 },
	{ .bitrate = 60 }, { .bitrate = 90 }, { .bitrate = 120 }, { .bitrate = 180 },
	{ .bitrate = 240 }, { .bitrate = 360 }, { .bitrate = 480 }, { .bitrate = 540 },
};

/* SAE of some programs wants the last one. */
static const u32 atw_wiphy_ciphers[] = {
	WLAN_CIPHER_SUITE_CCMP, WLAN_CIPHER_SUITE_TKIP, WLAN_CIPHER_SUITE_AES_CMAC,
};

static const u32 atw_wiphy_akms[] = {
	WLAN_AKM_SUITE_PSK, WLAN_AKM_SUITE_PSK_SHA256, WLAN_AKM_SUITE_SAE,
};

static void atw_wiphy_setup_band(struct ieee80211_supported_band *band,
				 struct ieee80211_channel *channels, unsigned int n)
{
	band->channels = channels;
	band->n_channels = n;
	band->ht_cap.ht_supported = true;
	band->ht_cap.cap = IEEE80211_HT_CAP_SGI_20;
	band->ht_cap.mcs.rx_mask[0] = 0xff;
	band->ht_cap.mcs.tx_params = IEEE80211_HT_MCS_TX_DEFINED;
}

static void atw_wiphy_setup_channels(struct atw_wiphy *aw)
{
	struct ieee80211_channel *channel;
	unsigned int i;

	for (i = 0; i < ATW_WIPHY_CHANNELS; i++) {
		channel = &aw->channels[i];
		channel->band = i < ATW_WIPHY_2GHZ ? NL80211_BAND_2GHZ : NL80211_BAND_5GHZ;
		channel->hw_value = i < ATW_WIPHY_2GHZ ? i + 1 :
				    atw_wiphy_5ghz[i - ATW_WIPHY_2GHZ];
		channel->center_freq = ieee80211_channel_to_frequency(channel->hw_value,
								      channel->band);
		channel->max_power = 20;
	}
}

static void atw_wiphy_setup(struct atw_wiphy *aw)
{
	struct wiphy *wiphy = aw->wiphy;

	atw_wiphy_setup_channels(aw);
	atw_wiphy_setup_band(&aw->bands[0], aw->channels, ATW_WIPHY_2GHZ);
	aw->bands[0].bitrates = atw_wiphy_bitrates;
	aw->bands[0].n_bitrates = ARRAY_SIZE(atw_wiphy_bitrates);
	atw_wiphy_setup_band(&aw->bands[1], aw->channels + ATW_WIPHY_2GHZ,
			     ARRAY_SIZE(atw_wiphy_5ghz));
	/* Without those of 802.11b. */
	aw->bands[1].bitrates = atw_wiphy_bitrates + 4;
	aw->bands[1].n_bitrates = ARRAY_SIZE(atw_wiphy_bitrates) - 4;

	wiphy->bands[NL80211_BAND_2GHZ] = &aw->bands[0];
	/* Where the radio has none, its channels are disabled: the firmware may be another one. */
	wiphy->bands[NL80211_BAND_5GHZ] = &aw->bands[1];
	wiphy->interface_modes = BIT(NL80211_IFTYPE_STATION);
	wiphy->signal_type = CFG80211_SIGNAL_TYPE_MBM;
	wiphy->max_scan_ssids = 1;
	wiphy->cipher_suites = atw_wiphy_ciphers;
	wiphy->n_cipher_suites = ARRAY_SIZE(atw_wiphy_ciphers);
	wiphy->akm_suites = atw_wiphy_akms;
	wiphy->n_akm_suites = ARRAY_SIZE(atw_wiphy_akms);
	wiphy->flags |= WIPHY_FLAG_SUPPORTS_FW_ROAM;
	wiphy->flags &= ~WIPHY_FLAG_NETNS_OK;
	wiphy->regulatory_flags = REGULATORY_WIPHY_SELF_MANAGED;
	wiphy_ext_feature_set(wiphy, NL80211_EXT_FEATURE_4WAY_HANDSHAKE_STA_PSK);
	wiphy_ext_feature_set(wiphy, NL80211_EXT_FEATURE_SAE_OFFLOAD);
	wiphy->privid = &atw_wiphy_privid;
}

/**
 * atw_wiphy_create() - make the wiphy of a module
 * @adev: the device
 * @dev: its network device, not registered yet
 *
 * Context: process context.
 * Return: the wiphy for atw_wiphy_free(), NULL without memory, or where the driver was built
 *	without it.
 */
struct atw_wiphy *atw_wiphy_create(struct atw_dev *adev, struct net_device *dev)
{
	struct wiphy *wiphy = wiphy_new(&atw_wiphy_ops, sizeof(struct atw_wiphy));
	struct atw_wiphy *aw;

	if (!wiphy)
		return NULL;
	aw = wiphy_priv(wiphy);
	aw->wiphy = wiphy;
	aw->adev = adev;
	aw->dev = dev;
	aw->closing = true;
	aw->news.err = -EINPROGRESS;
	strscpy(aw->domain.country, "00", sizeof(aw->domain.country));
	spin_lock_init(&aw->lock);
	INIT_DELAYED_WORK(&aw->work, atw_wiphy_work);
	atw_wiphy_setup(aw);
	set_wiphy_dev(wiphy, &adev->dev);
	wiphy_net_set(wiphy, adev->net);
	aw->wdev.wiphy = wiphy;
	aw->wdev.iftype = NL80211_IFTYPE_STATION;
	return aw;
}

/**
 * atw_wiphy_register() - register it, before its network device
 * @aw: the wiphy, or NULL
 *
 * Context: process context; takes the RTNL.
 * Return: 0 or -errno: programs see none then, and the network device works without.
 */
int atw_wiphy_register(struct atw_wiphy *aw)
{
	struct ieee80211_regdomain *rd;
	struct atw_wiphy_domain domain;
	int err;

	if (!aw)
		return 0;
	spin_lock_bh(&aw->lock);
	domain = aw->domain;
	spin_unlock_bh(&aw->lock);
	if (is_valid_ether_addr(aw->dev->dev_addr))
		ether_addr_copy(aw->wiphy->perm_addr, aw->dev->dev_addr);
	strscpy(aw->wiphy->fw_version, aw->adev->module.firmware, sizeof(aw->wiphy->fw_version));
	rd = atw_wiphy_regdomain(&domain);
	if (!rd)
		return -ENOMEM;
	/*
	 * cfg80211 warns where anybody asks for the domain of one that manages its own and has
	 * none yet. This one is cfg80211's to free, also where it is not registered.
	 */
	rcu_assign_pointer(aw->wiphy->regd, rd);
	err = wiphy_register(aw->wiphy);
	if (err)
		return err;
	/* The channels follow what is set now; of one that is not registered nobody frees that. */
	err = atw_wiphy_set_domain(aw, &domain);
	if (err)
		wiphy_unregister(aw->wiphy);
	else
		aw->dev->ieee80211_ptr = &aw->wdev;
	return err;
}

/**
 * atw_wiphy_start() - begin to tell what happens
 * @aw: the wiphy, whose network device is registered, or NULL
 *
 * Context: process context.
 */
void atw_wiphy_start(struct atw_wiphy *aw)
{
	if (!aw || !aw->dev->ieee80211_ptr)
		return;
	spin_lock_bh(&aw->lock);
	aw->started = true;
	atw_wiphy_kick(aw, 0);
	spin_unlock_bh(&aw->lock);
}

/**
 * atw_wiphy_unregister() - nobody sees it any more
 * @aw: the wiphy, whose network device is not registered any more, or NULL
 *
 * Context: process context; takes the RTNL.
 */
void atw_wiphy_unregister(struct atw_wiphy *aw)
{
	if (!aw || !aw->dev->ieee80211_ptr)
		return;
	spin_lock_bh(&aw->lock);
	aw->started = false;
	aw->gen++;
	spin_unlock_bh(&aw->lock);
	cancel_delayed_work_sync(&aw->work);
	atw_wiphy_forget(aw);
	wiphy_unregister(aw->wiphy);
}

/**
 * atw_wiphy_free() - free its memory
 * @aw: the wiphy, or NULL; its network device is freed
 *
 * Context: process context.
 */
void atw_wiphy_free(struct atw_wiphy *aw)
{
	if (aw)
		wiphy_free(aw->wiphy);
}

/* Before cfg80211 looks: a request for a scan that is still there is a mistake to it. */
static int atw_wiphy_netdev_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct wireless_dev *wdev = dev->ieee80211_ptr;
	struct atw_wiphy *aw;

	if (!wdev || wdev->wiphy->privid != &atw_wiphy_privid)
		return NOTIFY_DONE;
	aw = wiphy_priv(wdev->wiphy);
	switch (event) {
	case NETDEV_GOING_DOWN:
		wiphy_lock(aw->wiphy);
		aw->closing = true;
		atw_wiphy_scan_end(aw, true);
		/* cfg80211 has nothing left whose name it has forgotten. */
		atw_wiphy_disconnect(aw->wiphy, dev, WLAN_REASON_DEAUTH_LEAVING);
		atw_wiphy_tell_given_up(aw);
		wiphy_unlock(aw->wiphy);
		/* It may be blocked, of which nobody else tells. */
		atw_wiphy_later(aw, 0);
		break;
	case NETDEV_UP:
		wiphy_lock(aw->wiphy);
		aw->closing = false;
		wiphy_unlock(aw->wiphy);
		atw_wiphy_later(aw, 0);
		break;
	default:
		return NOTIFY_DONE;
	}
	return NOTIFY_OK;
}

static struct notifier_block atw_wiphy_nb = {
	.notifier_call = atw_wiphy_netdev_event,
	.priority = 1,
};

int atw_wiphy_init(void)
{
	int err = atw_passphrase_init();

	if (err)
		return err;
	err = register_netdevice_notifier(&atw_wiphy_nb);
	if (err)
		atw_passphrase_exit();
	return err;
}

void atw_wiphy_exit(void)
{
	unregister_netdevice_notifier(&atw_wiphy_nb);
	atw_passphrase_exit();
}
