/* Several limiters over one Redis in memory, for the tests that ask them. */
#ifndef TOLLGATE_TEST_LIMIT_AGENTS_H
#define TOLLGATE_TEST_LIMIT_AGENTS_H

#include <criterion/criterion.h>

#include "limit/limiter.h"
#include "limit/window.h"
#include "test_limit_fake_store.h"

enum { AGENTS = 3 };
static const int64_t START_US = INT64_C(29000000) * 60 * 1000000;

static struct ev_loop *loop;
static struct store stores[AGENTS];
static struct limiter *limiters[AGENTS];

struct answer {
	unsigned calls;
	struct limit_verdict v;
};

static void on_verdict(void *ctx, const struct limit_verdict *v)
{
	struct answer *a = ctx;
	a->calls++;
	a->v = *v;
}

static void setup(void)
{
	struct limiter_config config;

	limiter_config_defaults(&config);
	fake_reset(1, START_US);
	loop = ev_loop_new(0);
	for (unsigned i = 0; i < AGENTS; i++) {
		stores[i] = (struct store){.up = true};
		limiters[i] = limiter_new(&stores[i], loop, &config);
		cr_assert_not_null(limiters[i]);
	}
}

static void teardown(void)
{
	fake_done();
	for (unsigned i = 0; i < AGENTS; i++)
		limiter_free(&limiters[i]);
	ev_loop_destroy(loop);
}

static struct limit_ask ask_of(const char *id, uint64_t key_rpm, uint64_t tenant_rpm)
{
	return (struct limit_ask){
		.id = slice_of(id),
		.ticket = SLICE_LIT("ticket"),
		.key = SLICE_LIT("key"),
		.tenant = SLICE_LIT("tenant"),
		.key_rpm = key_rpm,
		.tenant_rpm = tenant_rpm,
		.n = 1,
	};
}

/* Asks and waits for the verdict, not for what follows it. */
static struct limit_verdict admit(unsigned agent, struct limit_ask ask)
{
	struct answer a = {0};

	(void)limiter_admit(limiters[agent], &ask, on_verdict, &a);
	while (a.calls == 0 && fake_step())
		;
	cr_assert_eq(a.calls, 1);
	return a.v;
}

static inline struct limit_verdict admit_next(unsigned agent, uint64_t key_rpm, uint64_t tenant_rpm)
{
	static unsigned count;
	char id[32];

	(void)snprintf(id, sizeof(id), "request-%u", count++);
	return admit(agent, ask_of(id, key_rpm, tenant_rpm));
}

static inline void settle(void)
{
	fake_run_until(fake.now_us + 20000);
}

static inline struct limiter_stats stats_of(unsigned agent)
{
	struct limiter_stats stats;
	limiter_stats(limiters[agent], &stats);
	return stats;
}

#endif
