/* Admissions and refusals over a Redis in memory: limits, waiting, crowds, asking twice. */
#include "test_limit_agents.h"

TestSuite(flow, .init = setup, .fini = teardown);

Test(flow, asks_that_make_no_sense)
{
	struct limit_ask bad[5];

	for (unsigned i = 0; i < 5; i++)
		bad[i] = ask_of("id", 5, 5);
	bad[0].id = SLICE_LIT("");
	bad[1].ticket = SLICE_LIT("a b");
	bad[2].key = SLICE_LIT("}");
	bad[3].tenant = (struct slice){NULL, 0};
	bad[4].n = 0;
	for (unsigned i = 0; i < 5; i++)
		cr_expect_eq(admit(0, bad[i]).outcome, LIMIT_UNAVAILABLE, "ask %u", i);
	cr_expect_eq(fake.asked, 0);
}

Test(flow, the_limit_holds_and_refusals_cost_nothing)
{
	for (unsigned i = 0; i < 20; i++) {
		struct limit_verdict v = admit_next(i % AGENTS, 5, 0);
		cr_expect_eq(v.outcome, i < 5 ? LIMIT_ADMITTED : LIMIT_LIMITED, "ask %u", i);
		cr_expect_eq(v.mode, LIMIT_MODE_REDIS);
		cr_expect_eq(v.scope, LIMIT_SCOPE_KEY);
		cr_expect_eq(v.limit, 5);
		cr_expect_eq(v.remaining, i < 5 ? 4 - i : 0);
		cr_expect_eq(v.retry_after_s, i < 5 ? 0 : 61);
		cr_expect_eq(v.reset_s, 61);
	}
	settle();
	cr_expect_eq(fake_charges('k', "key"), 5);
	cr_expect_eq(fake_count("tg:adm:", false), 5);
	cr_expect_eq(fake_count("tg:", true), 0, "nothing without an expiry");
}

Test(flow, waiting_as_told_is_enough_and_less_is_not)
{
	for (int64_t part_us = 0; part_us < 1000000; part_us += 99991) {
		fake_run_until(fake.now_us / 1000000 * 1000000 + 200 * INT64_C(1000000) + part_us);
		net.delay_max_us = 0;
		for (unsigned i = 0; i < 3; i++) {
			cr_expect_eq(admit_next(0, 3, 0).outcome, LIMIT_ADMITTED);
			fake_run_until(fake.now_us + 700000);
		}
		struct limit_verdict v = admit_next(0, 3, 0);
		int64_t refused_us = fake.now_us;
		cr_assert_eq(v.outcome, LIMIT_LIMITED);
		fake_run_until(refused_us + (v.retry_after_s - 2) * INT64_C(1000000));
		struct limit_verdict early = admit_next(1, 3, 0);
		cr_expect_eq(early.outcome, LIMIT_LIMITED);
		cr_expect_leq(early.retry_after_s, 2);
		fake_run_until(refused_us + v.retry_after_s * INT64_C(1000000));
		cr_expect_eq(admit_next(0, 3, 0).outcome, LIMIT_ADMITTED, "after %u s", v.retry_after_s);
	}
}

Test(flow, a_crowd_is_told_the_truth)
{
	static struct answer answers[64];

	net.delay_max_us = 0;
	for (unsigned i = 0; i < 20; i++) {
		(void)admit_next(i % AGENTS, 20, 0);
		fake_run_until(fake.now_us + 2000000);
	}
	memset(answers, 0, sizeof(answers));
	for (unsigned i = 0; i < 64; i++) {
		char id[16];
		(void)snprintf(id, sizeof(id), "crowd-%u", i);
		struct limit_ask ask = ask_of(id, 20, 0);
		ask.again = true; /* all charge at once */
		(void)limiter_admit(limiters[i % AGENTS], &ask, on_verdict, &answers[i]);
	}
	settle();
	for (unsigned i = 0; i < 64; i++) {
		cr_expect_eq(answers[i].v.outcome, LIMIT_LIMITED);
		cr_expect_eq(answers[i].v.retry_after_s, 21, "ask %u: %u", i, answers[i].v.retry_after_s);
	}
	struct limit_verdict v = admit_next(0, 20, 0);
	cr_expect_eq(v.retry_after_s, 21);
	fake_run_until(fake.now_us + 21 * INT64_C(1000000));
	cr_expect_eq(admit_next(0, 20, 0).outcome, LIMIT_ADMITTED);
}

static unsigned crowd(const char *name, uint64_t key_rpm, uint64_t tenant_rpm)
{
	static struct answer answers[64];
	unsigned admitted = 0;

	memset(answers, 0, sizeof(answers));
	for (unsigned i = 0; i < 64; i++) {
		char id[24];
		(void)snprintf(id, sizeof(id), "%s-%u", name, i);
		struct limit_ask ask = ask_of(id, key_rpm, tenant_rpm);
		(void)limiter_admit(limiters[i % AGENTS], &ask, on_verdict, &answers[i]);
	}
	settle();
	for (unsigned i = 0; i < 64; i++)
		admitted += answers[i].v.outcome == LIMIT_ADMITTED;
	cr_expect_eq(fake_charges('k', "key"), admitted);
	cr_expect_eq(fake_charges('t', "tenant"), tenant_rpm > 0 ? admitted : 0);
	fake_run_until(fake.now_us + INT64_C(4000) * 1000000);
	return admitted;
}

Test(flow, a_crowd_takes_what_there_is)
{
	for (unsigned round = 0; round < 20; round++) {
		char name[16];
		(void)snprintf(name, sizeof(name), "one-%u", round);
		cr_expect_eq(crowd(name, 20, 0), 20, "one limit: in the order of charging");
		(void)snprintf(name, sizeof(name), "both-%u", round);
		unsigned admitted = crowd(name, 20, 25);
		cr_expect(admitted <= 20 && admitted >= 16, "two orders may cross: %u", admitted);
	}
}

Test(flow, all_limits_or_none_are_charged)
{
	cr_expect_eq(admit_next(0, 9, 1).outcome, LIMIT_ADMITTED);
	struct limit_verdict v = admit_next(1, 9, 1);
	cr_expect_eq(v.outcome, LIMIT_LIMITED);
	cr_expect_eq(v.scope, LIMIT_SCOPE_TENANT);
	cr_expect_eq(v.limit, 1);
	settle();
	cr_expect_eq(fake_charges('k', "key"), 1);
	cr_expect_eq(fake_charges('t', "tenant"), 1);
	v = admit_next(2, 1, 9);
	cr_expect_eq(v.scope, LIMIT_SCOPE_KEY);
	settle();
	cr_expect_eq(fake_charges('t', "tenant"), 1);
}

Test(flow, numbers_are_of_the_tightest_policy)
{
	struct limit_verdict v = admit_next(0, 5, 100);
	cr_expect_eq(v.scope, LIMIT_SCOPE_KEY);
	cr_expect_eq(v.remaining, 4);
	v = admit_next(0, 0, 100);
	cr_expect_eq(v.scope, LIMIT_SCOPE_TENANT);
	cr_expect_eq(v.remaining, 98);
	v = admit_next(0, 0, 0);
	cr_expect_eq(v.outcome, LIMIT_ADMITTED);
	cr_expect_eq(v.scope, LIMIT_SCOPE_NONE);
	cr_expect_eq(v.limit, 0);
	cr_expect_eq(fake_count("tg:adm:", false), 3, "also without a limit there is a record");
}

Test(flow, huge_limits_and_costs)
{
	struct limit_ask ask = ask_of("a", UINT64_MAX, 0);

	ask.n = UINT32_MAX;
	struct limit_verdict v = admit(0, ask);
	cr_expect_eq(v.outcome, LIMIT_ADMITTED);
	cr_expect_eq(v.limit, UINT32_MAX);
	cr_expect_eq(v.remaining, 0);
	cr_expect_eq(admit_next(0, UINT64_MAX, 0).outcome, LIMIT_LIMITED);
	settle();
	ask = ask_of("b", 0, 4);
	ask.n = 5;
	v = admit(0, ask);
	cr_expect_eq(v.outcome, LIMIT_LIMITED, "can never be");
	cr_expect_geq(v.retry_after_s, 1);
	settle();
	cr_expect_eq(fake_charges('t', "tenant"), 0);
}

Test(flow, refusals_are_repeated_from_memory_for_a_second_then_only_looked_up)
{
	net.delay_max_us = 0;
	for (unsigned i = 0; i < 3; i++)
		(void)admit_next(0, 2, 0);
	settle();
	unsigned before = fake.asked;
	cr_expect_eq(admit_next(0, 2, 0).outcome, LIMIT_LIMITED);
	cr_expect_eq(fake.asked, before, "no command");
	cr_expect_eq(stats_of(0).denied_cached, 1);
	fake_run_until(fake.now_us + 1000000);
	cr_expect_eq(admit_next(0, 2, 0).outcome, LIMIT_LIMITED);
	cr_expect_eq(fake.asked, before + 2, "EXISTS and MGET");
	settle();
	cr_expect_eq(fake_charges('k', "key"), 2);
	cr_expect_eq(admit_next(0, 3, 0).outcome, LIMIT_ADMITTED, "a raised limit holds at once");
}

Test(flow, asked_twice_is_charged_once)
{
	for (unsigned agent = 0; agent < AGENTS; agent++) {
		struct limit_ask ask = ask_of("twice", 1, 1);
		ask.again = agent == 0;
		struct limit_verdict v = admit(agent, ask);
		cr_expect_eq(v.outcome, LIMIT_ADMITTED, "agent %u", agent);
		cr_expect_eq(v.repeated, agent > 0);
		settle();
		cr_expect_eq(fake_charges('k', "key"), 1);
		cr_expect_eq(fake_charges('t', "tenant"), 1);
		cr_expect_eq(fake_count("tg:adm:", false), 1);
		fake_run_until(fake.now_us + 150000);
	}
	cr_expect_eq(stats_of(2).repeated, 1);
	cr_expect_eq(stats_of(2).takebacks, 1);
}

Test(flow, asked_again_when_the_agent_believes_the_window_full)
{
	cr_expect_eq(admit(0, ask_of("first", 1, 0)).outcome, LIMIT_ADMITTED);
	cr_expect_eq(admit(0, ask_of("other", 1, 0)).outcome, LIMIT_LIMITED);
	settle();
	struct limit_ask ask = ask_of("first", 1, 0);
	ask.again = true;
	cr_expect_eq(admit(0, ask).outcome, LIMIT_ADMITTED, "passes over the deny cache");
	settle();
	fake_run_until(fake.now_us + 1000001);
	cr_expect_eq(admit(0, ask_of("first", 1, 0)).outcome, LIMIT_ADMITTED, "the look finds its record");
	settle();
	cr_expect_eq(fake_charges('k', "key"), 1);
}

Test(flow, both_attempts_in_flight)
{
	for (unsigned round = 0; round < 300; round++) {
		struct answer a = {0}, b = {0};
		char id[32];
		(void)snprintf(id, sizeof(id), "race-%u", round);
		struct limit_ask ask = ask_of(id, 1, 1);
		net.delay_max_us = 3000;
		(void)limiter_admit(limiters[0], &ask, on_verdict, &a);
		fake_run_until(fake.now_us + (int64_t)fake_random(6000));
		(void)limiter_admit(limiters[1], &ask, on_verdict, &b);
		fake_run_until(fake.now_us + 200000);
		cr_assert_eq(a.calls + b.calls, 2);
		unsigned admitted = 0;
		admitted += a.v.outcome == LIMIT_ADMITTED;
		admitted += b.v.outcome == LIMIT_ADMITTED;
		uint64_t charged = fake_charges('k', "key");
		cr_expect(admitted > 0 ? charged == 1 : charged == 0, "round %u: %u admitted, charged %u",
			  round, admitted, (unsigned)charged);
		cr_expect_eq(fake_charges('t', "tenant"), charged);
		cr_expect_eq(fake_count("tg:adm:", false), charged);
		fake_run_until(fake.now_us + INT64_C(4000) * 1000000);
	}
	cr_expect_gt(stats_of(0).superseded, 0, "the race was met");
	cr_expect_gt(stats_of(1).repeated, 0);
}

Test(flow, the_last_place_goes_to_whoever_stays)
{
	unsigned admitted = 0;

	for (unsigned round = 0; round < 200; round++) {
		struct answer a = {0}, b = {0};
		struct limit_ask ask = ask_of("leaves", 1, 0), other = ask_of("stays", 1, 0);
		limiter_cancel(limiter_admit(limiters[0], &ask, on_verdict, &a));
		fake_run_until(fake.now_us + round * 10);
		(void)limiter_admit(limiters[1], &other, on_verdict, &b);
		settle();
		cr_assert_eq(b.calls, 1);
		admitted += b.v.outcome == LIMIT_ADMITTED;
		cr_expect_eq(fake_charges('k', "key"), b.v.outcome == LIMIT_ADMITTED);
		fake_run_until(fake.now_us + INT64_C(4000) * 1000000);
	}
	cr_expect_gt(stats_of(1).retries, 10);
	cr_expect_gt(admitted, 100, "%u", admitted);
}

Test(flow, commands_of_an_admission)
{
	(void)admit_next(0, 10, 10);
	settle();
	unsigned before = fake.asked;
	(void)admit_next(0, 10, 10);
	settle();
	cr_expect_eq(fake.asked - before, 7, "BITFIELD and MGET twice; HSET, EXPIRE, HGETALL");
	fake_connect(&stores[0]);
	settle();
	before = fake.asked;
	(void)admit_next(0, 10, 10);
	settle();
	cr_expect_eq(fake.asked - before, 9, "and EXPIRE twice: this may be another Redis");
}

Test(flow, more_scopes_than_there_is_room_for)
{
	struct limiter_config config;
	struct limiter *small;
	struct store store = {.up = true};

	limiter_config_defaults(&config);
	config.max_scopes = 4;
	small = limiter_new(&store, loop, &config);
	for (unsigned i = 0; i < 40; i++) {
		char key[16];
		struct answer a = {0};
		(void)snprintf(key, sizeof(key), "key-%u", i);
		struct limit_ask ask = ask_of("id", 10, 10);
		ask.key = slice_of(key);
		(void)limiter_admit(small, &ask, on_verdict, &a);
		settle();
		cr_expect_eq(a.v.outcome, LIMIT_ADMITTED);
	}
	struct limiter_stats stats;
	limiter_stats(small, &stats);
	cr_expect_eq(stats.scopes, 4);
	fake_done();
	limiter_free(&small);
	fake_reset(1, START_US);
}
