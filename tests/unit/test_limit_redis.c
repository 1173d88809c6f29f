/* The limiter with the real store against a real Redis, which this test starts on a unix socket. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "limit/admission.h"
#include "limit/limiter.h"

enum { INSTANCES = 4, ASKS = 32 };

static char dir[64];
static char path[96];
static pid_t redis;
static struct ev_loop *loop;
static struct ev_timer tick;
static struct store *stores[INSTANCES];
static struct limiter *limiters[INSTANCES];
static struct admissions *admissions[INSTANCES];
static int64_t fixed_us; /* the clock the limiters are shown, 0 = Redis' */

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

static int64_t now_hook(void *ctx)
{
	struct store **store = ctx;
	return fixed_us != 0 ? fixed_us : store_time_us(*store);
}

static redisContext *connect_plain(void)
{
	redisContext *c = NULL;

	for (unsigned i = 0; i < 500; i++) {
		c = redisConnectUnix(path);
		if (c != NULL && c->err == 0)
			return c;
		if (c != NULL)
			redisFree(c);
		(void)usleep(10000);
	}
	cr_assert_fail("redis-server must be installed and start");
	return NULL;
}

static void start_redis(void)
{
	redis = fork();
	cr_assert_geq(redis, 0);
	if (redis == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)!freopen("/dev/null", "w", stdout);
		(void)execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path, "--save",
			     "", "--appendonly", "no", "--dir", dir, (char *)NULL);
		_exit(127);
	}
	redisFree(connect_plain());
}

static void stop_redis(void)
{
	(void)kill(redis, SIGKILL);
	(void)waitpid(redis, NULL, 0);
	(void)unlink(path);
}

static void on_tick(struct ev_loop *l, struct ev_timer *t, int events)
{
	(void)l;
	(void)t;
	(void)events;
}

static void pass(int64_t us)
{
	for (int64_t end = clock_mono_us() + us; clock_mono_us() < end;)
		(void)ev_run(loop, EVRUN_ONCE);
}

static void await_up(unsigned instance, bool up)
{
	for (unsigned i = 0; i < 5000 && store_up(stores[instance]) != up; i++)
		pass(1000);
	cr_assert_eq(store_up(stores[instance]), up);
}

static void setup(void)
{
	struct store_config config;
	struct limiter_config limits;
	char url[128];

	(void)snprintf(dir, sizeof(dir), "/tmp/tollgate-limit-%ld", (long)getpid());
	cr_assert_eq(mkdir(dir, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/redis.sock", dir);
	(void)snprintf(url, sizeof(url), "unix://%s", path);
	start_redis();
	loop = ev_loop_new(0);
	ev_timer_init(&tick, on_tick, 0.001, 0.001);
	ev_timer_start(loop, &tick);
	store_config_defaults(&config);
	config.url = slice_of(url);
	config.reconnect_min_us = 10000;
	config.reconnect_max_us = 50000;
	limiter_config_defaults(&limits);
	limits.deadline_us = 500000; /* this machine may be slow; what is late has a test of its own */
	limits.now_us = now_hook;
	for (unsigned i = 0; i < INSTANCES; i++) {
		stores[i] = store_new(loop, &config);
		cr_assert_not_null(stores[i]);
		limits.now_ctx = &stores[i];
		limiters[i] = limiter_new(stores[i], loop, &limits);
		admissions[i] = admissions_new(stores[i], 16);
		await_up(i, true);
	}
}

static void teardown(void)
{
	for (unsigned i = 0; i < INSTANCES; i++) {
		store_free(&stores[i]);
		limiter_free(&limiters[i]);
		admissions_free(&admissions[i]);
	}
	ev_timer_stop(loop, &tick);
	ev_loop_destroy(loop);
	stop_redis();
	(void)rmdir(dir);
}

TestSuite(redis, .init = setup, .fini = teardown, .timeout = 60);

static struct limit_ask ask_of(const char *id, uint64_t rpm)
{
	return (struct limit_ask){
		.id = slice_of(id),
		.ticket = SLICE_LIT("3f0c1a52-7d0e-4a43-9a11-0c5f3b0a9d11"),
		.key = SLICE_LIT("AbCdEf123456"),
		.tenant = SLICE_LIT("team-a"),
		.key_rpm = rpm,
		.tenant_rpm = 2 * rpm,
		.n = 1,
	};
}

static struct limit_verdict admit(unsigned instance, const char *id, uint64_t rpm)
{
	struct limit_ask ask = ask_of(id, rpm);
	struct answer a = {0};

	(void)limiter_admit(limiters[instance], &ask, on_verdict, &a);
	for (unsigned i = 0; i < 3000 && a.calls == 0; i++)
		pass(500);
	cr_assert_eq(a.calls, 1);
	return a.v;
}

static struct limiter_stats stats_of(unsigned instance)
{
	struct limiter_stats stats;
	limiter_stats(limiters[instance], &stats);
	return stats;
}

/* Sums up every window string of a scope; counts the keys that would live for ever. */
static uint64_t charges(const char *pattern, unsigned *ret_eternal)
{
	redisContext *c = connect_plain();
	redisReply *keys = redisCommand(c, "KEYS %s", pattern);
	uint64_t sum = 0;

	*ret_eternal = 0;
	for (size_t i = 0; i < keys->elements; i++) {
		redisReply *ttl = redisCommand(c, "TTL %s", keys->element[i]->str);
		redisReply *text = redisCommand(c, "GET %s", keys->element[i]->str);
		*ret_eternal += ttl->integer < 0;
		for (size_t b = 0; text->type == REDIS_REPLY_STRING && b < (size_t)text->len; b++)
			sum += (uint64_t)(unsigned char)text->str[b] << (24 - 8 * (b % 4));
		freeReplyObject(ttl);
		freeReplyObject(text);
	}
	freeReplyObject(keys);
	redisFree(c);
	return sum;
}

static uint64_t charged(char kind)
{
	unsigned eternal;
	uint64_t sum = charges(kind == 'k' ? "tg:w:{k:*" : "tg:w:{t:*", &eternal);

	cr_expect_eq(eternal, 0);
	return sum;
}

static unsigned records(void)
{
	redisContext *c = connect_plain();
	redisReply *keys = redisCommand(c, "KEYS tg:adm:*");
	unsigned n = (unsigned)keys->elements;

	freeReplyObject(keys);
	redisFree(c);
	return n;
}

Test(redis, sixty_a_minute_whatever_the_concurrency)
{
	static struct answer answers[INSTANCES][ASKS];
	unsigned admitted = 0, eternal;

	for (unsigned round = 0; round < 6; round++) {
		memset(answers, 0, sizeof(answers));
		for (unsigned a = 0; a < ASKS; a++)
			for (unsigned i = 0; i < INSTANCES; i++) {
				char id[32];
				(void)snprintf(id, sizeof(id), "r%u-%u-%u", round, i, a);
				struct limit_ask ask = ask_of(id, 60);
				(void)limiter_admit(limiters[i], &ask, on_verdict, &answers[i][a]);
			}
		pass(700000);
		for (unsigned i = 0; i < INSTANCES; i++)
			for (unsigned a = 0; a < ASKS; a++) {
				cr_assert_eq(answers[i][a].calls, 1);
				cr_assert_eq(answers[i][a].v.mode, LIMIT_MODE_REDIS);
				admitted += answers[i][a].v.outcome == LIMIT_ADMITTED;
			}
		cr_expect_leq(admitted, 60, "round %u: %u", round, admitted);
	}
	cr_expect_eq(admitted, 60, "and used in full: %u", admitted);
	cr_expect_eq(charged('k'), 60);
	cr_expect_eq(charged('t'), 60);
	cr_expect_eq(records(), 60);
	(void)charges("tg:*", &eternal);
	cr_expect_eq(eternal, 0);
	for (unsigned i = 0; i < INSTANCES; i++)
		cr_expect_eq(stats_of(i).calls, 0);
}

Test(redis, asked_twice_is_charged_once)
{
	cr_expect_eq(admit(0, "twice", 1).outcome, LIMIT_ADMITTED);
	struct limit_verdict v = admit(1, "twice", 1);
	cr_expect_eq(v.outcome, LIMIT_ADMITTED);
	cr_expect(v.repeated);
	pass(20000);
	cr_expect_eq(charged('k'), 1);
	cr_expect_eq(charged('t'), 1);
	cr_expect_eq(records(), 1);
	cr_expect_eq(admit(2, "other", 1).outcome, LIMIT_LIMITED);
}

Test(redis, a_stopped_redis_is_answered_for_and_its_charges_taken_back)
{
	struct answer a[8] = {{0}};

	(void)admit(0, "before", 10);
	(void)kill(redis, SIGSTOP);
	for (unsigned i = 0; i < 8; i++) {
		char id[16];
		(void)snprintf(id, sizeof(id), "late-%u", i);
		struct limit_ask ask = ask_of(id, 10);
		(void)limiter_admit(limiters[i % 2], &ask, on_verdict, &a[i]);
	}
	/* Answered while Redis is stopped; how soon is tested on a virtual clock. */
	for (unsigned turn = 0; turn < 100 && a[7].calls == 0; turn++)
		pass(50000);
	for (unsigned i = 0; i < 8; i++) {
		cr_assert_eq(a[i].calls, 1);
		cr_expect_eq(a[i].v.mode, LIMIT_MODE_LOCAL);
	}
	(void)kill(redis, SIGCONT);
	pass(1000000);
	for (unsigned i = 0; i < INSTANCES; i++)
		await_up(i, true);
	pass(100000);
	cr_expect_eq(stats_of(0).calls + stats_of(1).calls, 0);
	cr_expect_eq(charged('k'), 1);
	cr_expect_eq(records(), 1);
	cr_expect_eq(admit(0, "after", 100).mode, LIMIT_MODE_REDIS);
}

Test(redis, a_redis_that_comes_back_empty)
{
	unsigned eternal;

	for (unsigned i = 0; i < 5; i++) {
		char id[16];
		(void)snprintf(id, sizeof(id), "first-%u", i);
		(void)admit(0, id, 10);
	}
	stop_redis();
	await_up(0, false);
	struct limit_verdict v = admit(0, "without", 10);
	cr_expect_eq(v.outcome, LIMIT_ADMITTED);
	cr_expect_eq(v.mode, LIMIT_MODE_LOCAL);
	start_redis();
	await_up(0, true);
	v = admit(0, "again", 10);
	cr_expect_eq(v.mode, LIMIT_MODE_REDIS);
	cr_expect_eq(v.remaining, 8, "the one let in meanwhile is remembered: %u", v.remaining);
	(void)charges("tg:*", &eternal);
	cr_expect_eq(eternal, 0);
	cr_expect_eq(charged('k'), 1);
}

Test(redis, flushed_while_connected)
{
	unsigned eternal;
	redisContext *c = connect_plain();

	(void)admit(0, "one", 10);
	freeReplyObject(redisCommand(c, "FLUSHALL"));
	redisFree(c);
	(void)admit(0, "two", 10);
	pass(50000);
	cr_expect_eq(charges("tg:w:*", &eternal), 2);
	cr_expect_eq(eternal, 0);
}

Test(redis, retry_after_is_exact)
{
	const int64_t minute = INT64_C(29000000) * 60 * 1000000;

	for (int64_t part_us = 1; part_us < 1000000; part_us += 333333) {
		char id[4][24];
		for (unsigned i = 0; i < 4; i++)
			(void)snprintf(id[i], sizeof(id[i]), "exact-%u-%u", (unsigned)part_us, i);
		fixed_us = minute + part_us * 1000000 + 59000000 + part_us;
		cr_expect_eq(admit(0, id[0], 1).outcome, LIMIT_ADMITTED);
		fixed_us += 20700000;
		int64_t slot_s = (fixed_us - 20700000) / 1000000;
		struct limit_verdict v = admit(1, id[1], 1);
		cr_assert_eq(v.outcome, LIMIT_LIMITED);
		cr_expect_eq(v.retry_after_s, ((slot_s + 61) * 1000000 - fixed_us + 999999) / 1000000);
		fixed_us += (int64_t)(v.retry_after_s - 2) * 1000000;
		cr_expect_eq(admit(2, id[2], 1).outcome, LIMIT_LIMITED);
		fixed_us += 2000000;
		cr_expect_eq(admit(1, id[3], 1).outcome, LIMIT_ADMITTED);
	}
	fixed_us = 0;
}

struct ended {
	unsigned calls, mine;
};

static void on_end(void *ctx, enum admission_fate fate)
{
	struct ended *e = ctx;
	e->calls++;
	e->mine += fate == ADMISSION_MINE;
	cr_expect_neq(fate, ADMISSION_UNKNOWN);
}

static void on_found(void *ctx, bool known, const struct admission_attempt *attempt)
{
	unsigned *found = ctx;
	cr_expect(known);
	*found = 1 + (attempt != NULL);
	if (attempt == NULL)
		return;
	cr_expect(slice_is(attempt->ticket, "3f0c1a52-7d0e-4a43-9a11-0c5f3b0a9d11"));
	cr_expect(slice_is(attempt->key, "AbCdEf123456"));
	cr_expect(slice_is(attempt->tenant, "team-a"));
	cr_expect(attempt->key_charged && attempt->tenant_charged);
}

static void on_unknown(void *ctx, enum admission_fate fate)
{
	unsigned *unknown = ctx;
	*unknown += fate == ADMISSION_UNKNOWN;
}

Test(redis, an_admission_is_found_and_ended_once)
{
	struct ended ended = {0};
	unsigned found = 0, unknown = 0;

	(void)admit(0, "ending", 10);
	admission_find(admissions[1], SLICE_LIT("ending"), on_found, &found);
	pass(50000);
	cr_expect_eq(found, 2);
	for (unsigned i = 0; i < INSTANCES; i++)
		admission_end(admissions[i], SLICE_LIT("ending"), on_end, &ended);
	pass(50000);
	cr_expect_eq(ended.calls, INSTANCES);
	cr_expect_eq(ended.mine, 1);
	admission_find(admissions[1], SLICE_LIT("ending"), on_found, &found);
	pass(50000);
	cr_expect_eq(found, 1);
	cr_expect_eq(charged('k'), 1, "what was used stays used");
	admission_end(admissions[0], SLICE_LIT("not an id"), on_unknown, &unknown);
	stop_redis();
	await_up(0, false);
	admission_end(admissions[0], SLICE_LIT("ending"), on_unknown, &unknown);
	cr_expect_eq(unknown, 2);
	start_redis();
}

Test(redis, agents_count_each_other)
{
	unsigned eternal;

	for (unsigned i = 0; i < 700 && stats_of(0).agents != INSTANCES; i++)
		pass(10000);
	cr_expect_eq(stats_of(0).agents, INSTANCES);
	(void)charges("tg:agents", &eternal);
	cr_expect_eq(eternal, 0);
}
