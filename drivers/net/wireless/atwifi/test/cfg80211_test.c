// SPDX-License-Identifier: GPL-2.0-only
/* What programs for Wi-Fi are shown of networks, and told of joins. */
#include <kunit/test.h>
#include <linux/ieee80211.h>
#include <net/cfg80211.h>

#include "../cfg80211.h"
#include "../parse.h"
#include "../passphrase.h"

static const u8 psk_sae[] = { 1, 0, 0x00, 0x0f, 0xac, 0x04, 1, 0, 0x00, 0x0f, 0xac, 0x04, 2, 0,
			      0x00, 0x0f, 0xac, 0x02, 0x00, 0x0f, 0xac, 0x08, 0x80, 0x00 };

static const struct {
	const char *words;
	bool open, rsn, wpa, account;
} securities[] = {
	{ "Open", .open = true },
	{ "WEP PSK" },
	{ "WPA AES", .wpa = true },
	{ "WPA Mixed", .wpa = true },
	{ "WPA2 AES", .rsn = true },
	{ "WPA/WPA2 TKIP", .rsn = true, .wpa = true },
	{ "WPA2/WPA3 Mixed", .rsn = true },
	{ "WPA2 PSK/WPA3 SAE", .rsn = true },
	{ "WPA3-ASE AES", .rsn = true },
	{ "WPA2 EAP", .account = true },
	{ "WPA2 Enterprise", .account = true },
	{ "WPA/WPA2 Enterprise", .account = true },
	{ "WPA2 TKIP Enterprise", .account = true },
	{ "WPS", .account = true },
	{ "", .rsn = true },
};

static void shown_elements(struct kunit *test)
{
	/* What it is shown on may be another one than it is on. */
	struct atw_network net = { .ssid = "a,b", .channel = 36 };
	const struct element *ssid, *rsn, *ds;
	u8 ies[ATW_WIPHY_IES_MAX];
	size_t i, len;
	const u8 *wpa;

	for (i = 0; i < ARRAY_SIZE(securities); i++) {
		strscpy(net.security, securities[i].words, sizeof(net.security));
		len = atw_wiphy_ies(&net, 11, ies);
		ssid = cfg80211_find_elem(WLAN_EID_SSID, ies, len);
		ds = cfg80211_find_elem(WLAN_EID_DS_PARAMS, ies, len);
		KUNIT_ASSERT_NOT_NULL(test, ssid);
		KUNIT_ASSERT_NOT_NULL(test, ds);
		KUNIT_EXPECT_EQ(test, ssid->datalen, 3);
		KUNIT_EXPECT_EQ(test, memcmp(ssid->data, "a,b", 3), 0);
		KUNIT_EXPECT_EQ(test, ds->data[0], 11);

		rsn = cfg80211_find_elem(WLAN_EID_RSN, ies, len);
		wpa = cfg80211_find_vendor_ie(WLAN_OUI_MICROSOFT, WLAN_OUI_TYPE_MICROSOFT_WPA,
					      ies, len);
		KUNIT_EXPECT_EQ_MSG(test, !!rsn, securities[i].rsn || securities[i].account,
				    "%s", net.security);
		KUNIT_EXPECT_EQ_MSG(test, rsn && rsn->datalen == sizeof(psk_sae),
				    securities[i].rsn, "%s", net.security);
		KUNIT_EXPECT_EQ_MSG(test, !!wpa, securities[i].wpa, "%s", net.security);
		KUNIT_EXPECT_EQ_MSG(test, atw_wiphy_is_open(&net), securities[i].open,
				    "%s", net.security);
		if (!securities[i].rsn)
			continue;
		KUNIT_ASSERT_EQ(test, rsn->datalen, sizeof(psk_sae));
		KUNIT_EXPECT_EQ(test, memcmp(rsn->data, psk_sae, sizeof(psk_sae)), 0);
	}
}

/* Every byte of a name, and as many as there can be. */
static void shown_name(struct kunit *test)
{
	struct atw_network net = { .channel = 1, .security = "WPA/WPA2 Mixed" };
	const struct element *ssid;
	u8 ies[ATW_WIPHY_IES_MAX];
	size_t len;

	memset(net.ssid, 0xff, ATW_SSID_MAX);
	len = atw_wiphy_ies(&net, 11, ies);
	ssid = cfg80211_find_elem(WLAN_EID_SSID, ies, len);
	KUNIT_ASSERT_NOT_NULL(test, ssid);
	KUNIT_EXPECT_EQ(test, ssid->datalen, ATW_SSID_MAX);
	/* Hidden. */
	net.ssid[0] = '\0';
	len = atw_wiphy_ies(&net, 11, ies);
	ssid = cfg80211_find_elem(WLAN_EID_SSID, ies, len);
	KUNIT_ASSERT_NOT_NULL(test, ssid);
	KUNIT_EXPECT_EQ(test, ssid->datalen, 0);
}

/* Of one in 5 GHz, no channel of the other band's and none of its rates. */
static void shown_in_5ghz(struct kunit *test)
{
	struct atw_network net = { .ssid = "net", .security = "WPA2 AES", .channel = 36 };
	const struct element *rates;
	u8 ies[ATW_WIPHY_IES_MAX];
	size_t len = atw_wiphy_ies(&net, 36, ies);

	KUNIT_EXPECT_NULL(test, cfg80211_find_elem(WLAN_EID_DS_PARAMS, ies, len));
	KUNIT_EXPECT_NULL(test, cfg80211_find_elem(WLAN_EID_EXT_SUPP_RATES, ies, len));
	rates = cfg80211_find_elem(WLAN_EID_SUPP_RATES, ies, len);
	KUNIT_ASSERT_NOT_NULL(test, rates);
	KUNIT_EXPECT_EQ(test, rates->datalen, 8);
	KUNIT_EXPECT_EQ(test, rates->data[0], 0x8c);
	KUNIT_EXPECT_NOT_NULL(test, cfg80211_find_elem(WLAN_EID_RSN, ies, len));
}

static void told_failures(struct kunit *test)
{
	static const struct {
		int err;
		enum atw_outcome outcome;
		u16 status;
	} failures[] = {
		{ -EKEYREJECTED, ATW_FAILED, WLAN_STATUS_CHALLENGE_FAIL },
		{ -ENETDOWN, ATW_NOT_LET_IN, WLAN_STATUS_CHALLENGE_FAIL },
		{ -EACCES, ATW_NOT_LET_IN, WLAN_STATUS_CHALLENGE_FAIL },
		{ -ENETDOWN, ATW_NO_RADIO, WLAN_STATUS_UNSPECIFIED_FAILURE },
		{ -ETIMEDOUT, ATW_FAILED, WLAN_STATUS_UNSPECIFIED_FAILURE },
		{ 0, ATW_FAILED, WLAN_STATUS_UNSPECIFIED_FAILURE },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(failures); i++)
		KUNIT_EXPECT_EQ(test, atw_wiphy_status(failures[i].err, failures[i].outcome),
				failures[i].status);
}

/* IEEE 802.11, "Passphrase to PSK mapping": its test vectors */
static void key_of_passphrase(struct kunit *test)
{
	static const struct {
		const char *passphrase, *ssid;
		u8 pmk[ATW_PMK_LEN];
	} vectors[] = {
		{ "password", "IEEE",
		  { 0xf4, 0x2c, 0x6f, 0xc5, 0x2d, 0xf0, 0xeb, 0xef,
		    0x9e, 0xbb, 0x4b, 0x90, 0xb3, 0x8a, 0x5f, 0x90,
		    0x2e, 0x83, 0xfe, 0x1b, 0x13, 0x5a, 0x70, 0xe2,
		    0x3a, 0xed, 0x76, 0x2e, 0x97, 0x10, 0xa1, 0x2e } },
		{ "ThisIsAPassword", "ThisIsASSID",
		  { 0x0d, 0xc0, 0xd6, 0xeb, 0x90, 0x55, 0x5e, 0xd6,
		    0x41, 0x97, 0x56, 0xb9, 0xa1, 0x5e, 0xc3, 0xe3,
		    0x20, 0x9b, 0x63, 0xdf, 0x70, 0x7d, 0xd5, 0x08,
		    0xd1, 0x45, 0x81, 0xf8, 0x98, 0x27, 0x21, 0xaf } },
	};
	u8 pmk[ATW_PMK_LEN];
	size_t i;
	int err;

	for (i = 0; i < ARRAY_SIZE(vectors); i++) {
		err = atw_passphrase_pmk(vectors[i].passphrase, strlen(vectors[i].passphrase),
					 vectors[i].ssid, pmk);
		if (err == -ENOENT && !IS_ENABLED(CONFIG_CRYPTO_SHA1))
			kunit_skip(test, "this kernel has no hmac(sha1)");
		KUNIT_EXPECT_EQ(test, err, 0);
		KUNIT_EXPECT_EQ(test, memcmp(pmk, vectors[i].pmk, sizeof(pmk)), 0);
	}
}

static struct kunit_case cfg80211_cases[] = {
	KUNIT_CASE(shown_elements),
	KUNIT_CASE(shown_name),
	KUNIT_CASE(shown_in_5ghz),
	KUNIT_CASE(told_failures),
	KUNIT_CASE(key_of_passphrase),
	{ }
};

static struct kunit_suite cfg80211_suite = {
	.name = "atwifi_cfg80211",
	.test_cases = cfg80211_cases,
};

kunit_test_suites(&cfg80211_suite);
