// SPDX-License-Identifier: GPL-2.0
/* Calls: whose memory it is, who is told what, and in which order. */
#include <kunit/test.h>
#include <linux/kthread.h>

#include "../call.h"
#include "../module.h"

/* What of a test outlives its calls. */
struct desk {
	struct atw_calls	q;
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
	atw_calls_init(&desk->q);
	atw_calls_refuse(&desk->q, 0);
	return desk;
}

static struct atw_call *job_new(struct kunit *test, struct desk *desk,
				char name)
{
	struct atw_call *call = atw_call_new(sizeof(struct job), job_run);
	struct job *job;

	KUNIT_ASSERT_NOT_NULL(test, call);
	KUNIT_EXPECT_EQ(test, sizeof(struct job), call->size);
	call->release = job_release;
	job = (struct job *)call->arg;
	job->desk = desk;
	job->name = name;
	return call;
}

static int desk_thread(void *data)
{
	struct desk *desk = data;

	while (!kthread_should_stop())
		if (!atw_calls_run(&desk->q, NULL, true))
			schedule_timeout_interruptible(1);
	return 0;
}

static struct task_struct *desk_start(struct kunit *test, struct desk *desk)
{
	struct task_struct *thread = kthread_run(desk_thread, desk, "desk");

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread);
	return thread;
}

static void call_result(struct kunit *test)
{
	struct desk *desk = desk_new(test);
	struct task_struct *thread = desk_start(test, desk);
	struct atw_call *call = job_new(test, desk, 'a');

	((struct job *)call->arg)->result = -EREMOTEIO;
	KUNIT_EXPECT_EQ(test, 0, atw_calls_add(&desk->q, call));
	KUNIT_EXPECT_EQ(test, -EREMOTEIO,
			atw_calls_wait(&desk->q, call, 60 * HZ));
	KUNIT_EXPECT_STREQ(test, "a", desk->order);
	kthread_stop(thread);
	/* Results are read after the end. */
	KUNIT_EXPECT_EQ(test, 0U, desk->released);
	KUNIT_EXPECT_EQ(test, '\0', ((struct job *)call->arg)->name);
	atw_call_put(call);
	KUNIT_EXPECT_EQ(test, 1U, desk->released);
}

static void call_refused(struct kunit *test)
{
	struct desk *desk = desk_new(test);
	struct atw_call *call = job_new(test, desk, 'a');

	atw_calls_init(&desk->q);
	KUNIT_EXPECT_EQ(test, -ENETDOWN, atw_calls_add(&desk->q, call));
	atw_calls_refuse(&desk->q, -ENODEV);
	KUNIT_EXPECT_EQ(test, -ENODEV, atw_calls_add(&desk->q, call));
	KUNIT_EXPECT_FALSE(test, atw_calls_run(&desk->q, NULL, true));
	atw_call_put(call);
	KUNIT_EXPECT_EQ(test, 1U, desk->released);
}

/* Nobody has begun it: it is taken back and will not be. */
static void call_not_begun(struct kunit *test)
{
	struct desk *desk = desk_new(test);
	struct atw_call *call = job_new(test, desk, 'a');

	KUNIT_EXPECT_EQ(test, 0, atw_calls_add(&desk->q, call));
	KUNIT_EXPECT_EQ(test, -EBUSY, atw_calls_wait(&desk->q, call, 1));
	KUNIT_EXPECT_FALSE(test, atw_calls_run(&desk->q, NULL, true));
	KUNIT_EXPECT_STREQ(test, "", desk->order);
	KUNIT_EXPECT_EQ(test, 0U, desk->released);
	atw_call_put(call);
	KUNIT_EXPECT_EQ(test, 1U, desk->released);
}

/* It runs while the caller leaves: its memory stays until it has ended. */
static void call_left_alone(struct kunit *test)
{
	struct desk *desk = desk_new(test);
	struct task_struct *thread = desk_start(test, desk);
	struct atw_call *call = job_new(test, desk, 'a');

	((struct job *)call->arg)->slow = true;
	KUNIT_EXPECT_EQ(test, 0, atw_calls_add(&desk->q, call));
	KUNIT_EXPECT_NE(test, 0UL,
			wait_for_completion_timeout(&desk->begun, 60 * HZ));
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, atw_calls_wait(&desk->q, call, 1));
	atw_call_put(call);
	KUNIT_EXPECT_EQ(test, 0U, desk->released);
	complete(&desk->go);
	kthread_stop(thread);
	KUNIT_EXPECT_STREQ(test, "a", desk->order);
	KUNIT_EXPECT_EQ(test, 1U, desk->released);
}

/* The module or the device goes away while calls wait. */
static void call_ended(struct kunit *test)
{
	struct desk *desk = desk_new(test);
	struct atw_call *waited = job_new(test, desk, 'a');
	struct atw_call *queued = job_new(test, desk, 'b');

	KUNIT_EXPECT_EQ(test, 0, atw_calls_add(&desk->q, waited));
	KUNIT_EXPECT_EQ(test, 0, atw_calls_add(&desk->q, queued));
	atw_call_put(queued);
	atw_calls_refuse(&desk->q, -ENODEV);
	KUNIT_EXPECT_EQ(test, 1U, desk->released);
	KUNIT_EXPECT_EQ(test, -ENODEV,
			atw_calls_wait(&desk->q, waited, 60 * HZ));
	KUNIT_EXPECT_STREQ(test, "", desk->order);
	atw_call_put(waited);
	KUNIT_EXPECT_EQ(test, 2U, desk->released);
}

static void call_order(struct kunit *test)
{
	struct desk *desk = desk_new(test);
	struct atw_call *call;
	const char *name;

	for (name = "Abc"; *name; name++) {
		call = job_new(test, desk, *name);
		call->idle = *name == 'A';
		KUNIT_EXPECT_EQ(test, 0, atw_calls_add(&desk->q, call));
		atw_call_put(call);
	}
	while (atw_calls_run(&desk->q, NULL, false))
		;
	KUNIT_EXPECT_STREQ(test, "bc", desk->order);
	KUNIT_EXPECT_TRUE(test, atw_calls_run(&desk->q, NULL, true));
	KUNIT_EXPECT_STREQ(test, "bcA", desk->order);
	KUNIT_EXPECT_FALSE(test, atw_calls_run(&desk->q, NULL, true));
	KUNIT_EXPECT_EQ(test, 3U, desk->released);
}

/* What has to wait for something does not keep the thread, nor others from it. */
static void call_again(struct kunit *test)
{
	struct desk *desk = desk_new(test);
	struct atw_call *call = job_new(test, desk, 'a'), *other = job_new(test, desk, 'b');
	struct job *job = (struct job *)call->arg;
	unsigned long when;

	job->result = -EINPROGRESS;
	KUNIT_EXPECT_EQ(test, 0, atw_calls_add(&desk->q, call));
	KUNIT_EXPECT_FALSE(test, atw_calls_later(&desk->q, true, &when));
	KUNIT_EXPECT_TRUE(test, atw_calls_run(&desk->q, NULL, false));
	KUNIT_EXPECT_TRUE(test, atw_calls_later(&desk->q, false, &when));
	/* However slow this test is. */
	call->after = jiffies + 60 * HZ;
	KUNIT_EXPECT_FALSE(test, atw_calls_wait_for(&desk->q, true));
	KUNIT_EXPECT_FALSE(test, atw_calls_run(&desk->q, NULL, true));
	KUNIT_EXPECT_EQ(test, 0, atw_calls_add(&desk->q, other));
	KUNIT_EXPECT_TRUE(test, atw_calls_run(&desk->q, NULL, false));
	KUNIT_EXPECT_STREQ(test, "ab", desk->order);
	call->after = jiffies;
	job->name = 'c';
	job->result = 0;
	KUNIT_EXPECT_TRUE(test, atw_calls_wait_for(&desk->q, false));
	KUNIT_EXPECT_TRUE(test, atw_calls_run(&desk->q, NULL, false));
	KUNIT_EXPECT_STREQ(test, "abc", desk->order);
	KUNIT_EXPECT_EQ(test, 0, atw_calls_wait(&desk->q, call, 60 * HZ));
	KUNIT_EXPECT_FALSE(test, atw_calls_later(&desk->q, true, &when));
	atw_call_put(call);
	atw_call_put(other);
	KUNIT_EXPECT_EQ(test, 2U, desk->released);
}

static void call_bounded(struct kunit *test)
{
	struct desk *desk = desk_new(test);
	struct atw_call *call;
	int n, err = 0;

	for (n = 0; n <= 1000 && !err; n++) {
		call = job_new(test, desk, 'a');
		err = atw_calls_add(&desk->q, call);
		atw_call_put(call);
	}
	KUNIT_EXPECT_EQ(test, -ENOBUFS, err);
	/* What is served makes room. */
	KUNIT_EXPECT_TRUE(test, atw_calls_run(&desk->q, NULL, false));
	call = job_new(test, desk, 'a');
	KUNIT_EXPECT_EQ(test, 0, atw_calls_add(&desk->q, call));
	atw_call_put(call);
	atw_calls_refuse(&desk->q, -ENETDOWN);
	KUNIT_EXPECT_EQ(test, (unsigned int)n + 1, desk->released);
}

/* A device's attributes can be written before its thread was made. */
static void call_before_start(struct kunit *test)
{
	struct atw_module *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	atw_module_init(m, NULL, NULL);
	KUNIT_EXPECT_EQ(test, -ENETDOWN, atw_module_set_recv_mode(m, true));
	KUNIT_EXPECT_EQ(test, 0U, m->calls.n);
}

static struct kunit_case call_cases[] = {
	KUNIT_CASE(call_result),
	KUNIT_CASE(call_refused),
	KUNIT_CASE(call_not_begun),
	KUNIT_CASE(call_left_alone),
	KUNIT_CASE(call_ended),
	KUNIT_CASE(call_order),
	KUNIT_CASE(call_again),
	KUNIT_CASE(call_bounded),
	KUNIT_CASE(call_before_start),
	{ }
};

static struct kunit_suite call_suite = {
	.name = "atwifi_call",
	.test_cases = call_cases,
};

kunit_test_suites(&call_suite);
