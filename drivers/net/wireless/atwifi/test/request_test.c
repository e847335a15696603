// SPDX-License-Identifier: GPL-2.0-only
/* Requests: whose memory it is, who is told what, and in which order. */
#include <kunit/test.h>
#include <linux/kthread.h>

#include "../request.h"
#include "../module.h"

/* What of a test outlives its requests. */
struct desk {
	struct atw_requests	q;
	struct completion	begun;
	struct completion	go;
	char			order[8];
	unsigned int		done;
	unsigned int		released;
};

struct job {
	struct desk	*desk;
	char		name;
	int		result;
	bool		slow;
};

static int job_run(struct atw_module *m, void *arg)
{
	struct job *job = arg;
	struct desk *desk = job->desk;

	if (job->slow) {
		complete(&desk->begun);
		wait_for_completion_timeout(&desk->go, 60 * HZ);
	}
	if (desk->done < sizeof(desk->order) - 1)
		desk->order[desk->done++] = job->name;
	/* KASAN knows whether this is still ours. */
	job->name = '\0';
	return job->result;
}

static void job_release(void *arg)
{
	struct job *job = arg;

	job->desk->released++;
}

static struct desk *desk_new(struct kunit *test)
{
	struct desk *desk = kunit_kzalloc(test, sizeof(*desk), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, desk);
	init_completion(&desk->begun);
	init_completion(&desk->go);
	atw_requests_init(&desk->q);
	atw_requests_refuse(&desk->q, 0);
	return desk;
}

static struct atw_request *job_new(struct kunit *test, struct desk *desk,
				   char name)
{
	struct atw_request *request = atw_request_new(sizeof(struct job), job_run);
	struct job *job;

	KUNIT_ASSERT_NOT_NULL(test, request);
	request->release = job_release;
	job = (struct job *)request->arg;
	job->desk = desk;
	job->name = name;
	return request;
}

static int desk_thread(void *data)
{
	struct desk *desk = data;

	while (!kthread_should_stop())
		if (!atw_requests_run(&desk->q, NULL, true))
			schedule_timeout_interruptible(1);
	return 0;
}

static struct task_struct *desk_start(struct kunit *test, struct desk *desk)
{
	struct task_struct *thread = kthread_run(desk_thread, desk, "desk");

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread);
	return thread;
}

static void request_result(struct kunit *test)
{
	struct desk *desk = desk_new(test);
	struct task_struct *thread = desk_start(test, desk);
	struct atw_request *request = job_new(test, desk, 'a');

	((struct job *)request->arg)->result = -EREMOTEIO;
	KUNIT_EXPECT_EQ(test, 0, atw_requests_add(&desk->q, request));
	KUNIT_EXPECT_EQ(test, -EREMOTEIO,
			atw_requests_wait(&desk->q, request, 60 * HZ));
	KUNIT_EXPECT_STREQ(test, "a", desk->order);
	kthread_stop(thread);
	/* Results are read after the end. */
	KUNIT_EXPECT_EQ(test, 0U, desk->released);
	KUNIT_EXPECT_EQ(test, '\0', ((struct job *)request->arg)->name);
	atw_request_put(request);
	KUNIT_EXPECT_EQ(test, 1U, desk->released);
}

static void request_refused(struct kunit *test)
{
	struct desk *desk = desk_new(test);
	struct atw_request *request = job_new(test, desk, 'a');

	atw_requests_init(&desk->q);
	KUNIT_EXPECT_EQ(test, -ENETDOWN, atw_requests_add(&desk->q, request));
	atw_requests_refuse(&desk->q, -ENODEV);
	KUNIT_EXPECT_EQ(test, -ENODEV, atw_requests_add(&desk->q, request));
	KUNIT_EXPECT_FALSE(test, atw_requests_run(&desk->q, NULL, true));
	atw_request_put(request);
	KUNIT_EXPECT_EQ(test, 1U, desk->released);
}

/* Nobody has begun it: it is taken back and will not be. */
static void request_not_begun(struct kunit *test)
{
	struct desk *desk = desk_new(test);
	struct atw_request *request = job_new(test, desk, 'a');

	KUNIT_EXPECT_EQ(test, 0, atw_requests_add(&desk->q, request));
	KUNIT_EXPECT_EQ(test, -EBUSY, atw_requests_wait(&desk->q, request, 1));
	KUNIT_EXPECT_FALSE(test, atw_requests_run(&desk->q, NULL, true));
	KUNIT_EXPECT_STREQ(test, "", desk->order);
	KUNIT_EXPECT_EQ(test, 0U, desk->released);
	atw_request_put(request);
	KUNIT_EXPECT_EQ(test, 1U, desk->released);
}

/* It runs while the caller leaves: its memory stays until it has ended. */
static void request_left_alone(struct kunit *test)
{
	struct desk *desk = desk_new(test);
	struct task_struct *thread = desk_start(test, desk);
	struct atw_request *request = job_new(test, desk, 'a');

	((struct job *)request->arg)->slow = true;
	KUNIT_EXPECT_EQ(test, 0, atw_requests_add(&desk->q, request));
	KUNIT_EXPECT_NE(test, 0UL,
			wait_for_completion_timeout(&desk->begun, 60 * HZ));
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, atw_requests_wait(&desk->q, request, 1));
	atw_request_put(request);
	KUNIT_EXPECT_EQ(test, 0U, desk->released);
	complete(&desk->go);
	kthread_stop(thread);
	KUNIT_EXPECT_STREQ(test, "a", desk->order);
	KUNIT_EXPECT_EQ(test, 1U, desk->released);
}

/* The module or the device goes away while requests wait. */
static void request_ended(struct kunit *test)
{
	struct desk *desk = desk_new(test);
	struct atw_request *waited = job_new(test, desk, 'a');
	struct atw_request *queued = job_new(test, desk, 'b');

	KUNIT_EXPECT_EQ(test, 0, atw_requests_add(&desk->q, waited));
	KUNIT_EXPECT_EQ(test, 0, atw_requests_add(&desk->q, queued));
	atw_request_put(queued);
	atw_requests_refuse(&desk->q, -ENODEV);
	KUNIT_EXPECT_EQ(test, 1U, desk->released);
	KUNIT_EXPECT_EQ(test, -ENODEV,
			atw_requests_wait(&desk->q, waited, 60 * HZ));
	KUNIT_EXPECT_STREQ(test, "", desk->order);
	atw_request_put(waited);
	KUNIT_EXPECT_EQ(test, 2U, desk->released);
}

static void request_order(struct kunit *test)
{
	struct desk *desk = desk_new(test);
	struct atw_request *request;
	const char *name;

	for (name = "Abc"; *name; name++) {
		request = job_new(test, desk, *name);
		request->idle = *name == 'A';
		KUNIT_EXPECT_EQ(test, 0, atw_requests_add(&desk->q, request));
		atw_request_put(request);
	}
	while (atw_requests_run(&desk->q, NULL, false))
		;
	KUNIT_EXPECT_STREQ(test, "bc", desk->order);
	KUNIT_EXPECT_TRUE(test, atw_requests_run(&desk->q, NULL, true));
	KUNIT_EXPECT_STREQ(test, "bcA", desk->order);
	KUNIT_EXPECT_FALSE(test, atw_requests_run(&desk->q, NULL, true));
	KUNIT_EXPECT_EQ(test, 3U, desk->released);
}

/* Who was patient for long enough goes before what came later. */
static void request_hurried(struct kunit *test)
{
	struct desk *desk = desk_new(test);
	struct atw_request *request;
	const char *name;

	for (name = "AbC"; *name; name++) {
		request = job_new(test, desk, *name);
		request->idle = *name != 'b';
		KUNIT_EXPECT_EQ(test, 0, atw_requests_add(&desk->q, request));
		atw_request_put(request);
		if (*name == 'b')
			atw_requests_hurry(&desk->q);
	}
	while (atw_requests_run(&desk->q, NULL, false))
		;
	KUNIT_EXPECT_STREQ(test, "Ab", desk->order);
	KUNIT_EXPECT_TRUE(test, atw_requests_run(&desk->q, NULL, true));
	KUNIT_EXPECT_STREQ(test, "AbC", desk->order);
}

/* What has to wait for something does not keep the thread, nor others from it. */
static void request_again(struct kunit *test)
{
	struct desk *desk = desk_new(test);
	struct atw_request *request = job_new(test, desk, 'a'), *other = job_new(test, desk, 'c');
	struct job *job = (struct job *)request->arg;

	job->result = -EINPROGRESS;
	KUNIT_EXPECT_EQ(test, 0, atw_requests_add(&desk->q, request));
	KUNIT_EXPECT_FALSE(test, atw_requests_run(&desk->q, NULL, false));
	KUNIT_EXPECT_FALSE(test, atw_requests_wait_for(&desk->q, true, false));
	KUNIT_EXPECT_TRUE(test, atw_requests_wait_for(&desk->q, false, true));
	KUNIT_EXPECT_EQ(test, 0, atw_requests_add(&desk->q, other));
	/* It goes first, as it came first, and lets the other one go before it does again. */
	job->name = 'b';
	KUNIT_EXPECT_FALSE(test, atw_requests_run(&desk->q, NULL, false));
	KUNIT_EXPECT_TRUE(test, atw_requests_wait_for(&desk->q, false, false));
	KUNIT_EXPECT_TRUE(test, atw_requests_run(&desk->q, NULL, false));
	KUNIT_EXPECT_STREQ(test, "abc", desk->order);
	KUNIT_EXPECT_FALSE(test, atw_requests_wait_for(&desk->q, true, false));
	job->name = 'd';
	job->result = 0;
	KUNIT_EXPECT_TRUE(test, atw_requests_run(&desk->q, NULL, false));
	KUNIT_EXPECT_STREQ(test, "abcd", desk->order);
	KUNIT_EXPECT_EQ(test, 0, atw_requests_wait(&desk->q, request, 60 * HZ));
	KUNIT_EXPECT_FALSE(test, atw_requests_wait_for(&desk->q, true, true));
	atw_request_put(request);
	atw_request_put(other);
	KUNIT_EXPECT_EQ(test, 2U, desk->released);
}

static void request_bounded(struct kunit *test)
{
	struct desk *desk = desk_new(test);
	struct atw_request *request;
	int n, err = 0;

	for (n = 0; n <= 1000 && !err; n++) {
		request = job_new(test, desk, 'a');
		err = atw_requests_add(&desk->q, request);
		atw_request_put(request);
	}
	KUNIT_EXPECT_EQ(test, -ENOBUFS, err);
	/* What is served makes room. */
	KUNIT_EXPECT_TRUE(test, atw_requests_run(&desk->q, NULL, false));
	request = job_new(test, desk, 'a');
	KUNIT_EXPECT_EQ(test, 0, atw_requests_add(&desk->q, request));
	atw_request_put(request);
	atw_requests_refuse(&desk->q, -ENETDOWN);
	KUNIT_EXPECT_EQ(test, (unsigned int)n + 1, desk->released);
}

/* A device's attributes can be written before its thread was made. */
static void request_before_start(struct kunit *test)
{
	struct atw_module *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	atw_module_init(m, NULL, NULL);
	KUNIT_EXPECT_EQ(test, -ENETDOWN, atw_module_set_recv_mode(m, true, HZ));
	KUNIT_EXPECT_EQ(test, 0U, m->requests.n);
}

static struct kunit_case request_cases[] = {
	KUNIT_CASE(request_result),
	KUNIT_CASE(request_refused),
	KUNIT_CASE(request_not_begun),
	KUNIT_CASE(request_left_alone),
	KUNIT_CASE(request_ended),
	KUNIT_CASE(request_order),
	KUNIT_CASE(request_hurried),
	KUNIT_CASE(request_again),
	KUNIT_CASE(request_bounded),
	KUNIT_CASE(request_before_start),
	{ }
};

static struct kunit_suite request_suite = {
	.name = "atwifi_request",
	.test_cases = request_cases,
};

kunit_test_suites(&request_suite);
