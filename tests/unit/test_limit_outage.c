/* What goes wrong, over a Redis in memory: late, lost, cancelled, errors, outages. Nothing may stay charged.
 */
#include "test_limit_agents.h"

TestSuite(outage, .init = setup, .fini = teardown);

Test(outage, late_answers_are_taken_back)
{
	net.delay_max_us = 0;
	(void)admit_next(0, 10, 0);
	net.stalls = 1;
	struct limit_verdict v = admit_next(0, 10, 0);
	cr_expect_eq(v.outcome, LIMIT_ADMITTED);
	cr_expect_eq(v.mode, LIMIT_MODE_LOCAL);
	cr_expect_eq(v.remaining, 8, "what Redis showed before is not forgotten");
	cr_expect_eq(fake_charges('k', "key"), 2);
	net.stalls = 0;
	fake_run_until(fake.now_us + 1000000);
	cr_expect_eq(fake_charges('k', "key"), 1);
	cr_expect_eq(fake_count("tg:adm:", false), 1);
	cr_expect_eq(stats_of(0).late, 1);
	cr_expect_eq(stats_of(0).calls, 0);
	v = admit_next(0, 10, 0);
	cr_expect_eq(v.mode, LIMIT_MODE_REDIS);
	cr_expect_eq(v.remaining, 7, "the one let in without Redis counts here");
}

Test(outage, cancelled_asks_are_taken_back)
{
	struct answer a = {0};
	struct limit_ask ask = ask_of("gone", 10, 10);
	struct limit_call *call = limiter_admit(limiters[0], &ask, on_verdict, &a);

	cr_assert_not_null(call);
	limiter_cancel(call);
	settle();
	cr_expect_eq(a.calls, 0);
	cr_expect_eq(fake_charges('k', "key"), 0);
	cr_expect_eq(fake_count("tg:adm:", false), 0);
	cr_expect_eq(stats_of(0).calls, 0);
	cr_expect_eq(stats_of(0).takebacks, 1);
}

Test(outage, errors_are_decided_locally_and_leave_nothing)
{
	static const char *const commands[] = {"BITFIELD", "EXPIRE", "HSET", "HGETALL", "MGET"};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		fake_run_until(fake.now_us + INT64_C(4000) * 1000000);
		fake.fail = commands[i];
		struct limit_verdict v = admit_next(0, 3, 3);
		cr_expect_eq(v.outcome, LIMIT_ADMITTED, "%s", commands[i]);
		cr_expect_eq(v.mode, LIMIT_MODE_LOCAL, "%s", commands[i]);
		settle();
		fake.fail = NULL;
		cr_expect_eq(fake_charges('k', "key"), 0, "%s", commands[i]);
		cr_expect_eq(fake_charges('t', "tenant"), 0, "%s", commands[i]);
		cr_expect_eq(fake_count("tg:adm:", false), 0, "%s", commands[i]);
		cr_expect_eq(stats_of(0).calls, 0, "%s", commands[i]);
	}
	cr_expect_eq(stats_of(0).errors, 5);
}

Test(outage, a_lost_connection_is_answered_at_once)
{
	struct answer a = {0};
	struct limit_ask ask = ask_of("lost", 10, 10);

	cr_assert_not_null(limiter_admit(limiters[0], &ask, on_verdict, &a));
	fake_drop(&stores[0]);
	cr_expect_eq(a.calls, 1);
	cr_expect_eq(a.v.mode, LIMIT_MODE_LOCAL);
	cr_expect_eq(stats_of(0).lost, 1);
	settle();
	cr_expect_eq(fake_charges('k', "key"), 1, "Redis executed what it had been sent");
	fake_connect(&stores[0]);
	settle();
	cr_expect_eq(fake_charges('k', "key"), 0);
	cr_expect_eq(fake_charges('t', "tenant"), 0);
	cr_expect_eq(fake_count("tg:adm:", false), 0);
	cr_expect_eq(stats_of(0).calls, 0);
}

Test(outage, lost_at_any_moment)
{
	for (int64_t at_us = 0; at_us < 6000; at_us += 100) {
		struct answer a = {0};
		struct limit_ask ask = ask_of("lost", 10, 1), full = ask_of("full", 10, 1);
		bool refused = at_us % 200 == 0; /* these withdraw and look again */
		if (refused)
			(void)admit(1, full);
		fake_run_until(fake.now_us + 10000);
		(void)limiter_admit(limiters[0], &ask, on_verdict, &a);
		fake_run_until(fake.now_us + at_us);
		fake_drop(&stores[0]);
		cr_assert_eq(a.calls, 1);
		settle();
		fake_connect(&stores[0]);
		settle();
		cr_expect_eq(stats_of(0).calls, 0);
		bool stays = a.v.outcome == LIMIT_ADMITTED && a.v.mode == LIMIT_MODE_REDIS;
		uint64_t most = (uint64_t)refused + stays;
		cr_expect_geq(fake_charges('k', "key"), most, "at %u", (unsigned)at_us);
		if (at_us < 500) /* a charge whose right was won but whose answer was lost has to stay */
			cr_expect_eq(fake_charges('k', "key"), most, "at %u", (unsigned)at_us);
		cr_expect_eq(fake_count("tg:", true), 0);
		fake_run_until(fake.now_us + INT64_C(4000) * 1000000);
	}
}

Test(outage, late_answers_wait_for_the_breaker)
{
	net.stalls = 1;
	cr_expect_eq(admit_next(0, 10, 0).mode, LIMIT_MODE_LOCAL);
	net.stalls = 0;
	stores[0].up = false; /* replies still come */
	fake_run_until(fake.now_us + 1000000);
	cr_expect_eq(fake_charges('k', "key"), 1);
	cr_expect_eq(stats_of(0).calls, 1);
	stores[0].up = true;
	(void)admit_next(0, 10, 0);
	settle();
	cr_expect_eq(fake_charges('k', "key"), 1, "only the new one");
	cr_expect_eq(stats_of(0).calls, 0);
}

Test(outage, an_outage_shares_what_was_free)
{
	fake.agents = 3;
	for (unsigned i = 0; i < AGENTS; i++)
		fake_connect(&stores[i]);
	settle();
	for (unsigned i = 0; i < 30; i++)
		cr_assert_eq(admit_next(i % AGENTS, 60, 0).outcome, LIMIT_ADMITTED);
	for (unsigned i = 0; i < AGENTS; i++) {
		cr_expect_eq(stats_of(i).agents, 3);
		fake_drop(&stores[i]);
	}
	unsigned admitted[AGENTS] = {0};
	struct limit_verdict v = {0};
	for (unsigned i = 0; i < 90; i++) {
		v = admit_next(i % AGENTS, 60, 0);
		cr_expect_eq(v.mode, LIMIT_MODE_LOCAL);
		admitted[i % AGENTS] += v.outcome == LIMIT_ADMITTED;
	}
	/* the last looks showed 28, 29 and 30 used: ceil(32 / 3), ceil(31 / 3), ceil(30 / 3) */
	cr_expect(admitted[0] == 11 && admitted[1] == 11 && admitted[2] == 10);
	cr_expect_eq(v.outcome, LIMIT_LIMITED);
	cr_expect(stats_of(0).local);
	fake_run_until(fake.now_us + v.retry_after_s * INT64_C(1000000));
	for (unsigned i = 0; i < 30; i++)
		admitted[0] += admit_next(0, 60, 0).outcome == LIMIT_ADMITTED;
	cr_expect_eq(admitted[0], 31, "a share of the whole once the past has left: %u", admitted[0]);
	fake_connect(&stores[0]);
	settle();
	v = admit_next(0, 60, 0);
	cr_expect_eq(v.mode, LIMIT_MODE_REDIS);
	cr_expect_eq(v.remaining, 39, "%u", v.remaining);
	cr_expect_not(stats_of(0).local);
}

Test(outage, a_flush_does_not_leave_strings_for_ever)
{
	(void)admit_next(0, 10, 10);
	(void)admit_next(1, 10, 10);
	settle();
	for (unsigned round = 0; round < 100; round++) {
		struct answer a = {0}, b = {0};
		struct limit_ask ask = ask_of("one", 10, 10), other = ask_of("two", 10, 10);
		fake_flush();
		(void)limiter_admit(limiters[0], &ask, on_verdict, &a);
		(void)limiter_admit(limiters[1], &other, on_verdict, &b);
		settle();
		cr_assert_eq(a.calls + b.calls, 2);
		cr_expect_eq(fake_count("tg:w:", false), 2);
		cr_expect_eq(fake_count("tg:", true), 0);
	}
}

Test(outage, taking_back_from_a_string_that_is_gone)
{
	struct answer a = {0};
	struct limit_ask ask = ask_of("gone", 10, 10);

	limiter_cancel(limiter_admit(limiters[0], &ask, on_verdict, &a));
	while (stats_of(0).takebacks == 0 && fake_step())
		;
	fake_flush();
	settle();
	cr_expect_eq(fake_charges('k', "key"), 0);
	cr_expect_eq(fake_count("tg:", true), 0);
}

/* The agent was stopped for a moment with the first ask in hand; HAProxy has long asked another. */
Test(outage, an_agent_that_slept_does_not_replace_who_came_meanwhile)
{
	cr_expect_eq(admit(1, ask_of("both", 5, 5)).outcome, LIMIT_ADMITTED);
	net.stalls = 1;
	net.no_deadlines = true;
	cr_expect_eq(admit(0, ask_of("both", 5, 5)).mode, LIMIT_MODE_LOCAL);
	net.stalls = 0;
	fake_run_until(fake.now_us + 1000000);
	cr_expect_eq(stats_of(0).late, 1);
	cr_expect_eq(stats_of(0).repeated, 0);
	cr_expect_eq(fake_charges('k', "key"), 1);
	cr_expect_eq(fake_count("tg:adm:", false), 1);
}
