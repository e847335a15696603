// SPDX-License-Identifier: GPL-2.0-only
/* What is stored in a module's flash: the form is checked before. */
#include <kunit/test.h>
#include <linux/device.h>
#include <linux/string.h>

#include "../query.h"

#define BEGIN(what)	"-----BEGIN " what "-----\n"
#define END(what)	"-----END " what "-----\n"
#define BODY		"TWFueSBhIGxpdHRsZSBtYWtlcyBhIG1pY2tsZQ==\n"
#define CERT		BEGIN("CERTIFICATE") "QUJD\n" BODY END("CERTIFICATE")
#define KEY(what)	BEGIN(what) BODY END(what)

static void cert_forms(struct kunit *test)
{
	static const struct {
		const char *pem;
		enum atw_cert which;
		int err;
	} cases[] = {
		{ CERT, ATW_CERT_CA, 0 },
		{ CERT, ATW_CERT_OWN, 0 },
		{ CERT CERT, ATW_CERT_CA, 0 },
		{ "\n" CERT "\r\n" CERT "\n\n", ATW_CERT_CA, 0 },
		{ "-----BEGIN CERTIFICATE-----\r\nQUJD\r\n-----END CERTIFICATE-----",
		  ATW_CERT_CA, 0 },
		{ KEY("PRIVATE KEY"), ATW_CERT_KEY, 0 },
		{ KEY("RSA PRIVATE KEY"), ATW_CERT_KEY, 0 },
		{ KEY("EC PRIVATE KEY"), ATW_CERT_KEY, 0 },
		/* one for the other */
		{ CERT, ATW_CERT_KEY, -EINVAL },
		{ KEY("PRIVATE KEY"), ATW_CERT_CA, -EINVAL },
		{ KEY("PRIVATE KEY"), ATW_CERT_OWN, -EINVAL },
		{ CERT KEY("PRIVATE KEY"), ATW_CERT_OWN, -EINVAL },
		{ KEY("PRIVATE KEY") KEY("PRIVATE KEY"), ATW_CERT_KEY, -EINVAL },
		{ KEY("ENCRYPTED PRIVATE KEY"), ATW_CERT_KEY, -EINVAL },
		{ BEGIN("RSA PRIVATE KEY")
		  "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n"
		  BODY END("RSA PRIVATE KEY"), ATW_CERT_KEY, -EINVAL },
		{ KEY("PUBLIC KEY"), ATW_CERT_KEY, -EINVAL },
		/* torn */
		{ "", ATW_CERT_CA, -EINVAL },
		{ "\n\n", ATW_CERT_CA, -EINVAL },
		{ "a certificate", ATW_CERT_CA, -EINVAL },
		{ BEGIN("CERTIFICATE") BODY, ATW_CERT_CA, -EINVAL },
		{ BODY END("CERTIFICATE"), ATW_CERT_CA, -EINVAL },
		{ BEGIN("CERTIFICATE") END("CERTIFICATE"), ATW_CERT_CA, -EINVAL },
		{ BEGIN("CERTIFICATE") BODY END("CERTIFICATES"), ATW_CERT_CA,
		  -EINVAL },
		{ BEGIN("RSA PRIVATE KEY") BODY END("PRIVATE KEY"), ATW_CERT_KEY,
		  -EINVAL },
		{ BEGIN("CERTIFICATE") "QUJ\n" END("CERTIFICATE"), ATW_CERT_CA,
		  -EINVAL },
		{ BEGIN("CERTIFICATE") "QU=D\n" END("CERTIFICATE"), ATW_CERT_CA,
		  -EINVAL },
		{ BEGIN("CERTIFICATE") "Q===\n" END("CERTIFICATE"), ATW_CERT_CA,
		  -EINVAL },
		{ BEGIN("CERTIFICATE") BODY BODY END("CERTIFICATE"), ATW_CERT_CA,
		  -EINVAL },
		{ BEGIN("CERTIFICATE") "QU\tD\n" END("CERTIFICATE"), ATW_CERT_CA,
		  -EINVAL },
		{ CERT "AT+RST\r\n", ATW_CERT_CA, -EINVAL },
	};
	const char *why;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		why = "";
		KUNIT_EXPECT_EQ_MSG(test, cases[i].err,
				    atw_cert_check(cases[i].which,
						   (const u8 *)cases[i].pem,
						   strlen(cases[i].pem), &why),
				    "case %u", i);
		/* Who is refused is told why. */
		KUNIT_EXPECT_EQ_MSG(test, !!cases[i].err, why && *why,
				    "case %u", i);
	}
}

static void cert_limits(struct kunit *test)
{
	const size_t head = strlen(BEGIN("CERTIFICATE"));
	const size_t tail = strlen(END("CERTIFICATE"));
	u8 *pem = kunit_kzalloc(test, ATW_CERT_MAX + 1, GFP_KERNEL);
	const char *why;
	size_t i;

	KUNIT_ASSERT_NOT_NULL(test, pem);
	/* Lines of four, to the byte. */
	memset(pem, '\n', ATW_CERT_MAX + 1);
	memcpy(pem, BEGIN("CERTIFICATE"), head);
	for (i = head; i + 5 <= ATW_CERT_MAX - tail; i += 5)
		memcpy(pem + i, "QUJD\n", 5);
	memcpy(pem + i, END("CERTIFICATE"), tail);
	KUNIT_EXPECT_EQ(test, 0, atw_cert_check(ATW_CERT_CA, pem, ATW_CERT_MAX,
						&why));
	KUNIT_EXPECT_EQ(test, -EMSGSIZE,
			atw_cert_check(ATW_CERT_CA, pem, ATW_CERT_MAX + 1,
				       &why));
	KUNIT_EXPECT_NOT_NULL(test, strstr(why, "2047"));
	/* No byte of it that is not text. */
	for (i = 0; i < head + 5; i++) {
		u8 was = pem[i];

		pem[i] = '\0';
		KUNIT_EXPECT_EQ(test, -EINVAL,
				atw_cert_check(ATW_CERT_CA, pem, ATW_CERT_MAX,
					       &why));
		pem[i] = was;
	}
}

struct cert_desk {
	struct atw_module	m;
	struct atw_transport	t;
	unsigned int		writes;
	u32			code;		/* that the last one who asked was told */
	const char		*answer;	/* NULL: the port fails */
};

static ssize_t cert_write(struct atw_transport *t, const u8 *buf, size_t len)
{
	struct cert_desk *d = container_of(t, struct cert_desk, t);
	const char *answer = d->answer;

	d->writes++;
	if (!answer)
		return -ENXIO;
	/* What every module knows, whatever it says to the rest. */
	if (len == 4 && !memcmp(buf, "AT\r\n", 4))
		answer = "\r\nOK\r\n";
	atw_channel_receive(&d->m.ch, (const u8 *)answer, strlen(answer));
	return len;
}

static const struct atw_transport_ops cert_transport_ops = {
	.write = cert_write,
};

static bool cert_work(void *ctx)
{
	struct atw_module *m = ctx;

	return atw_requests_run(&m->requests, m, false);
}

static long cert_next_work(void *ctx)
{
	return HZ;
}

static void cert_event(void *ctx, const struct atw_event *ev)
{
}

static const struct atw_channel_ops cert_channel_ops = {
	.work = cert_work,
	.next_work = cert_next_work,
	.event = cert_event,
	.payload_end = cert_event,
};

/* A module that takes requests; atw_channel_stop() ends it. */
static struct cert_desk *cert_open(struct kunit *test)
{
	struct cert_desk *d = kunit_kzalloc(test, sizeof(*d), GFP_KERNEL);
	struct device *dev = kunit_kzalloc(test, sizeof(*dev), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, d);
	KUNIT_ASSERT_NOT_NULL(test, dev);
	dev->init_name = "atwifi_test";
	d->t.ops = &cert_transport_ops;
	atw_module_init(&d->m, dev, NULL);
	KUNIT_ASSERT_EQ(test, 0, atw_channel_start(&d->m.ch, &cert_channel_ops,
						   &d->m, &d->t, dev));
	atw_channel_go(&d->m.ch);
	atw_requests_refuse(&d->m.requests, 0);
	return d;
}

/* Have the thread do it. Returns how many bytes the module has, or -errno. */
static int cert_ask(struct kunit *test, struct cert_desk *d,
		    int (*fn)(struct atw_module *m, void *arg))
{
	struct atw_request *request = atw_request_new(sizeof(struct atw_query_cert), fn);
	struct atw_query_cert *q;
	int err;

	KUNIT_ASSERT_NOT_NULL(test, request);
	q = (struct atw_query_cert *)request->arg;
	q->which = ATW_CERT_CA;
	q->len = strlen(CERT);
	memcpy(q->pem, CERT, q->len);
	err = atw_module_request(&d->m, request, 60 * HZ);
	d->code = q->query.code;
	err = err ?: (int)q->len;
	atw_request_put(request);
	return err;
}

/* What cannot be read back is not written either, and the module is looked after. */
static void cert_no_answer(struct kunit *test)
{
	struct cert_desk *d = cert_open(test);

	KUNIT_EXPECT_EQ(test, -ENXIO, cert_ask(test, d, atw_query_cert_set));
	KUNIT_EXPECT_EQ(test, 1U, d->writes);
	KUNIT_EXPECT_TRUE(test, atw_sched_is_set(&d->m.sched, ATW_DO_RESET));
	clear_bit(ATW_DO_RESET, &d->m.sched.todo);
	KUNIT_EXPECT_EQ(test, -ENXIO, cert_ask(test, d, atw_query_cert_get));
	KUNIT_EXPECT_TRUE(test, atw_sched_is_set(&d->m.sched, ATW_DO_RESET));
	atw_channel_stop(&d->m.ch);
}

/* All the ways in which a module says that it has none, and that it has one. */
static void cert_answers(struct kunit *test)
{
	static const struct {
		const char *answer;
		int result;
	} cases[] = {
		{ "\r\nOK\r\n", 0 },
		{ "\r\nERROR\r\n", 0 },
		{ "\r\nAT+SSLCRET:4\r\n+ERROR\r\n", 0 },
		{ "\r\n+SSLCRET:1,0\r\n\r\nOK\r\n", 0 },
		{ "\r\n+SSLCRET:1,0,\r\n\r\nOK\r\n", 0 },
		{ "Unknown cmd:AT+SSLCRET\r\n", -EOPNOTSUPP },
		{ "\r\n+SSLCRET:1,3,abc\r\n\r\nOK\r\n", 3 },
		{ "\r\n+SSLCRET:1,3,abc\r\n\r\n+SSLCRET:1,3,abc\r\n\r\nOK\r\n", 3 },
		{ "\r\n+SSLCRET:2,3,abc\r\n\r\nOK\r\n", -EIO },
	};
	struct cert_desk *d = cert_open(test);
	unsigned int i;
	char *long_one;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		d->answer = cases[i].answer;
		KUNIT_EXPECT_EQ_MSG(test, cases[i].result, cert_ask(test, d, atw_query_cert_get),
				    "%s", cases[i].answer);
		/* It has answered: there is nothing to start over for. */
		KUNIT_EXPECT_FALSE_MSG(test, atw_sched_is_set(&d->m.sched, ATW_DO_RESET), "%s",
				       cases[i].answer);
	}
	long_one = kunit_kzalloc(test, ATW_CERT_MAX + 64, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, long_one);
	i = sprintf(long_one, "\r\n+SSLCRET:1,%u,", ATW_CERT_MAX + 1);
	memset(long_one + i, 'x', ATW_CERT_MAX + 1);
	sprintf(long_one + i + ATW_CERT_MAX + 1, "\r\n\r\nOK\r\n");
	d->answer = long_one;
	KUNIT_EXPECT_EQ(test, -EMSGSIZE, cert_ask(test, d, atw_query_cert_get));
	KUNIT_EXPECT_FALSE(test, atw_sched_is_set(&d->m.sched, ATW_DO_RESET));
	atw_channel_stop(&d->m.ch);
}

/* It says why it does not store one. */
static void cert_refused(struct kunit *test)
{
	struct cert_desk *d = cert_open(test);

	d->answer = "\r\nAT+SSLCRET:38\r\n+ERROR\r\n";
	KUNIT_EXPECT_EQ(test, -EIO, cert_ask(test, d, atw_query_cert_set));
	KUNIT_EXPECT_EQ(test, 38U, d->code);
	atw_channel_stop(&d->m.ch);
}

static struct kunit_case cert_cases[] = {
	KUNIT_CASE(cert_forms),
	KUNIT_CASE(cert_limits),
	KUNIT_CASE(cert_no_answer),
	KUNIT_CASE(cert_answers),
	KUNIT_CASE(cert_refused),
	{ }
};

static struct kunit_suite cert_suite = {
	.name = "atwifi_cert",
	.test_cases = cert_cases,
};

kunit_test_suites(&cert_suite);
