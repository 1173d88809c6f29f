/* Several agents with clocks apart, random delays and stalls, requests asked about twice: whatever
 * happens, admitted seconds never hold more than a limit in any 61, and the limit is used in full. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "limit/admission.h"
#include "limit/limiter.h"
#include "limit/window.h"
#include "test_limit_fake_store.h"

enum { AGENTS = 4, KEYS = 2, SCOPES = KEYS + 1, TENANT = KEYS, RUN_S = 600, ASKS_MAX = 1 << 14, SEEDS = 8 };
static const int64_t START_US = INT64_C(29000000) * 60 * 1000000;

struct setting {
	int64_t skew_s; /* clocks differ by up to so much */
	int64_t delay_us;
	unsigned stalls;
	unsigned twice; /* one ask in so many is asked again, 0 = none */
	bool blind;
	int64_t pause_us;  /* between bursts, on average */
	unsigned used_min; /* of the tenant's 150 that 600 s allow: late and dropped answers cost some */
};

struct request {
	char id[24];
	unsigned key;
	bool repeat; /* its first answer is dropped */
	unsigned asks;
	uint64_t agent; /* last asked */
};

struct admitted {
	int64_t second[ASKS_MAX]; /* slots */
	int64_t true_us[ASKS_MAX];
	unsigned count;
};

static const uint64_t limits[SCOPES] = {10, 10, 15};
static const struct setting *setting;
static struct ev_loop *loop;
static struct store stores[AGENTS];
static struct limiter *limiters[AGENTS];
static struct request requests[ASKS_MAX];
static unsigned asked;
static unsigned local;
static struct admitted scopes[SCOPES];

static void ask_for(struct request *r);

static int64_t slot_of(const struct request *r)
{
	char name[ADMISSION_NAME_MAX];
	struct strbuf sb = strbuf_over(name, sizeof(name));
	struct admission_attempt attempt;

	admission_name(&sb, slice_of(r->id));
	const struct fake_key *key = fake_key(name, false);
	cr_assert_not_null(key, "an admission has its record");
	int last = fake_field(key, "last");
	cr_assert_geq(last, 0);
	int field = fake_field(key, key->value[last]);
	cr_assert_geq(field, 0);
	cr_assert(admission_decode(slice_of(key->value[field]), &attempt));
	return attempt.second;
}

static void note(unsigned scope, int64_t second)
{
	struct admitted *a = &scopes[scope];

	a->true_us[a->count] = fake.now_us;
	a->second[a->count++] = second;
}

static void on_verdict(void *ctx, const struct limit_verdict *v)
{
	struct request *r = ctx;
	bool dropped = r->repeat && r->asks == 1;

	if (v->mode == LIMIT_MODE_LOCAL)
		local++;
	if (dropped || v->outcome != LIMIT_ADMITTED || v->mode != LIMIT_MODE_REDIS)
		return;
	int64_t second = slot_of(r);
	note(r->key, second);
	note(TENANT, second);
}

static void ask_again(void *arg)
{
	ask_for(arg);
}

static void ask_for(struct request *r)
{
	uint64_t agent = fake_random(AGENTS);
	char key[8];
	struct limit_ask ask = {
		.id = slice_of(r->id),
		.ticket = SLICE_LIT("ticket"),
		.tenant = SLICE_LIT("tenant"),
		.key_rpm = limits[r->key],
		.tenant_rpm = limits[TENANT],
		.n = 1,
		.again = r->asks > 0 && r->agent == agent,
	};

	r->agent = agent;
	(void)snprintf(key, sizeof(key), "key-%u", r->key);
	ask.key = slice_of(key);
	r->asks++;
	if (r->repeat && r->asks == 1)
		fake_at(fake.now_us + 150000, ask_again, r);
	(void)limiter_admit(limiters[agent], &ask, on_verdict, r);
}

/* Asks come in bursts of up to eight. */
static void on_arrival(void *arg)
{
	(void)arg;
	for (uint64_t burst = fake_random(8) + 1; burst > 0 && asked < ASKS_MAX; burst--) {
		struct request *r = &requests[asked++];
		(void)snprintf(r->id, sizeof(r->id), "request-%u", asked);
		r->key = (unsigned)fake_random(KEYS);
		r->repeat = setting->twice != 0 && fake_random(setting->twice) == 0;
		ask_for(r);
	}
	if (fake.now_us < START_US + RUN_S * INT64_C(1000000))
		fake_at(fake.now_us + (int64_t)fake_random(2 * (uint64_t)setting->pause_us), on_arrival,
			NULL);
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* The most that lie within `span` of each other. */
static unsigned crowd(const int64_t *values, unsigned count, int64_t span)
{
	static int64_t sorted[ASKS_MAX];
	unsigned worst = 0;

	memcpy(sorted, values, count * sizeof(values[0]));
	qsort(sorted, count, sizeof(sorted[0]), by_value);
	for (unsigned from = 0, to = 0; to < count; to++) {
		while (sorted[to] - sorted[from] > span)
			from++;
		worst = to - from + 1 > worst ? to - from + 1 : worst;
	}
	return worst;
}

struct outcome {
	unsigned worst[SCOPES];      /* in 61 slots */
	unsigned worst_true[SCOPES]; /* in 60 s less the clocks' distance, of true time */
	unsigned total[SCOPES];
	unsigned minutes; /* of the tenant that Redis still holds in the end */
	unsigned wrong;   /* of them, those that hold something else than what was admitted */
	struct limiter_stats stats;
};

static void add_stats(struct limiter_stats *sum, unsigned agent)
{
	struct limiter_stats s;

	limiter_stats(limiters[agent], &s);
	sum->retries += s.retries;
	sum->late += s.late;
	sum->repeated += s.repeated;
	sum->superseded += s.superseded;
	sum->takebacks += s.takebacks;
	sum->calls += s.calls;
}

static void compare_minutes(struct outcome *o)
{
	for (int64_t minute = START_US / 60000000; minute <= fake.now_us / 60000000 + 1; minute++) {
		char name[WINDOW_NAME_MAX];
		struct strbuf sb = strbuf_over(name, sizeof(name));
		int64_t difference = 0;
		window_name(&sb, 't', SLICE_LIT("tenant"), minute);
		const struct fake_key *key = fake_key(name, false);
		if (key == NULL)
			continue;
		for (unsigned slot = 0; slot < 60; slot++)
			difference += fake_slot(key, slot);
		for (unsigned i = 0; i < scopes[TENANT].count; i++)
			difference -= scopes[TENANT].second[i] / 60 == minute;
		o->minutes++;
		o->wrong += difference != 0;
	}
}

static void start(uint64_t seed)
{
	struct limiter_config config;

	limiter_config_defaults(&config);
	fake_reset(seed, START_US);
	net.delay_max_us = setting->delay_us;
	net.stalls = setting->stalls;
	fake.blind_to_later = setting->blind;
	asked = local = 0;
	memset(requests, 0, sizeof(requests));
	memset(scopes, 0, sizeof(scopes));
	loop = ev_loop_new(0);
	for (unsigned i = 0; i < AGENTS; i++) {
		int64_t skew = setting->skew_s * (int64_t)i / (AGENTS - 1);
		stores[i] = (struct store){.up = true, .skew_us = skew * 1000000};
		limiters[i] = limiter_new(&stores[i], loop, &config);
	}
}

static struct outcome run(uint64_t seed, const struct setting *s)
{
	struct outcome o = {.minutes = 0};

	setting = s;
	start(seed);
	on_arrival(NULL);
	fake_run_until(START_US + (RUN_S + 1) * INT64_C(1000000));
	compare_minutes(&o);
	for (unsigned i = 0; i < SCOPES; i++) {
		int64_t span = (60 - s->skew_s) * 1000000 - 100000;
		o.worst[i] = crowd(scopes[i].second, scopes[i].count, 60);
		o.worst_true[i] = crowd(scopes[i].true_us, scopes[i].count, span);
		o.total[i] = scopes[i].count;
	}
	fake_done();
	for (unsigned i = 0; i < AGENTS; i++) {
		add_stats(&o.stats, i);
		limiter_free(&limiters[i]);
	}
	ev_loop_destroy(loop);
	return o;
}

static const struct setting table[] = {
	{.delay_us = 300, .pause_us = 500000, .used_min = 145},
	{.delay_us = 6000, .pause_us = 200000, .used_min = 145},
	{.skew_s = 2, .delay_us = 3000, .pause_us = 300000, .twice = 5, .used_min = 110},
	{.skew_s = 50, .delay_us = 3000, .pause_us = 500000, .used_min = 140},
	{.skew_s = 50, .delay_us = 6000, .pause_us = 200000, .twice = 4, .stalls = 400, .used_min = 100},
	{.skew_s = 10, .delay_us = 11000, .pause_us = 500000, .twice = 3, .stalls = 50, .used_min = 75},
};

Test(sim, never_more_than_the_limit)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct limiter_stats sum = {.calls = 0};
		unsigned least = UINT32_MAX;
		for (uint64_t seed = 1; seed <= SEEDS; seed++) {
			struct outcome o = run(seed, &table[i]);
			for (unsigned scope = 0; scope < SCOPES; scope++) {
				cr_expect_leq(o.worst[scope], limits[scope],
					      "setting %zu seed %u scope %u: %u", i, (unsigned)seed, scope,
					      o.worst[scope]);
				cr_expect_leq(o.worst_true[scope], limits[scope],
					      "setting %zu seed %u scope %u: %u in true time", i,
					      (unsigned)seed, scope, o.worst_true[scope]);
			}
			cr_expect_geq(o.total[TENANT], table[i].used_min, "setting %zu seed %u: %u used", i,
				      (unsigned)seed, o.total[TENANT]);
			least = o.total[TENANT] < least ? o.total[TENANT] : least;
			cr_expect_eq(o.stats.calls, 0, "every call returns");
			sum.retries += o.stats.retries;
			sum.late += o.stats.late;
			sum.repeated += o.stats.repeated;
		}
		cr_expect(table[i].stalls == 0 || sum.late > 0);
		cr_expect(table[i].twice == 0 || sum.repeated > 0);
		cr_log_info("setting %zu: %u used, %u retries, %u late, %u repeated", i, least,
			    (unsigned)sum.retries, (unsigned)sum.late, (unsigned)sum.repeated);
	}
}

/* What stays charged is what was admitted: nothing leaks in either direction. */
Test(sim, charges_match_admissions)
{
	static const struct setting stalling = {.delay_us = 5000, .pause_us = 200000, .stalls = 40};

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct outcome o = run(seed, &stalling);
		cr_expect_geq(o.minutes, 3);
		cr_expect_eq(o.wrong, 0, "seed %u: %u of %u minutes", (unsigned)seed, o.wrong, o.minutes);
		cr_expect_gt(o.stats.takebacks, 0);
	}
}

/* The same proof must fail for the algorithm that adds up only to its own second. */
Test(sim, summing_only_to_the_own_second_is_caught)
{
	static const struct setting blind = {
		.skew_s = 50, .delay_us = 3000, .pause_us = 500000, .blind = true};
	static const struct setting blind_close = {
		.skew_s = 2, .delay_us = 3000, .pause_us = 300000, .blind = true};
	unsigned caught = 0, caught_close = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct outcome o = run(seed, &blind);
		caught += o.worst[TENANT] > limits[TENANT];
		o = run(seed, &blind_close);
		caught_close += o.worst[TENANT] > limits[TENANT];
	}
	cr_expect_eq(caught, SEEDS);
	cr_expect_gt(caught_close, 0);
}
