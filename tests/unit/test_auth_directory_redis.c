/* The directory over a real Redis: found, changed, flushed, gone. */
#include "auth/directory.h"
#include "auth/record.h"
#include "test_store_redis.h"

#define A "AAAAAAAAAAAA"
#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct asker {
	struct directory_ask ask; /* first: the callback casts back */
	enum directory_outcome outcome;
	enum record_state state;
	bool has_tenant, stale;
};

static struct redis redis;
static struct ev_loop *loop;
static struct store *store;
static struct directory *dir;
static struct asker asker;

static void note(enum directory_outcome outcome, const struct directory_answer *answer)
{
	asker.outcome = outcome;
	if (outcome != DIRECTORY_FOUND)
		return;
	asker.state = answer->key->state;
	asker.has_tenant = answer->tenant != NULL;
	asker.stale = answer->stale;
}

static void on_answer(struct directory_ask *ask, enum directory_outcome outcome,
		      const struct directory_answer *answer)
{
	cr_assert(ask == &asker.ask);
	note(outcome, answer);
}

/* Waits for the answer. */
static enum directory_outcome resolve(const char *id)
{
	struct directory_answer answer;

	asker.outcome = directory_resolve(dir, slice_of(id), &asker.ask, on_answer, &answer);
	if (asker.outcome != DIRECTORY_PENDING)
		note(asker.outcome, &answer);
	WAIT_FOR(loop, asker.outcome != DIRECTORY_PENDING);
	return asker.outcome;
}

static void make_key(void)
{
	redis_do(&redis, "HSET tg:tenant:acme v 1 name Acme state active created 5 rpm 0");
	redis_do(&redis,
		 "HSET tg:key:" A " v 1 tenant acme name ci role user state active mac1 " HEX
		 " pep1 1 created 1 expires 0 rpm 60 models %s networks %s priority 0",
		 "", "");
}

static struct directory_stats stats(void)
{
	struct directory_stats s;

	directory_stats(dir, &s);
	return s;
}

static void setup(void)
{
	struct store_config config;
	struct directory_config directory;

	redis_start(&redis, "");
	loop = ev_loop_new(EVFLAG_AUTO);
	config = redis_config(&redis);
	config.ping_interval_us = 100000;
	config.stall_us = 300000;
	store = store_new(loop, &config);
	cr_assert(store != NULL);
	directory_config_defaults(&directory);
	directory.deadline_us = 1000000;
	dir = directory_new(store, loop, &directory);
	cr_assert(dir != NULL);
	WAIT_FOR(loop, store_up(store) && stats_of(store).tracking);
}

static void teardown(void)
{
	store_free(&store);
	directory_free(&dir);
	ev_loop_destroy(loop);
	redis_stop(&redis);
}

TestSuite(auth_directory_redis, .init = setup, .fini = teardown, .timeout = 60);

Test(auth_directory_redis, a_key_is_unknown_until_it_is_made)
{
	cr_expect(resolve(A) == DIRECTORY_UNKNOWN);
	cr_expect(resolve(A) == DIRECTORY_UNKNOWN && stats().negative_hits == 1);
	make_key();
	WAIT_FOR(loop, stats().negative_entries == 0);
	cr_expect(resolve(A) == DIRECTORY_FOUND && asker.has_tenant && asker.state == RECORD_ACTIVE);
	cr_expect(resolve(A) == DIRECTORY_FOUND && stats().hits == 1);
}

Test(auth_directory_redis, a_revocation_arrives_within_100_ms)
{
	int64_t at;

	make_key();
	cr_assert(resolve(A) == DIRECTORY_FOUND);
	at = clock_mono_us();
	redis_do(&redis, "HSET tg:key:" A " state revoked");
	do {
		turn(loop);
		cr_assert(resolve(A) == DIRECTORY_FOUND);
	} while (asker.state == RECORD_ACTIVE && clock_mono_us() - at < 1000000);
	cr_expect(asker.state == RECORD_REVOKED && clock_mono_us() - at < 100000);
}

Test(auth_directory_redis, tenants_come_and_go)
{
	make_key();
	redis_do(&redis, "DEL tg:tenant:acme");
	cr_expect(resolve(A) == DIRECTORY_FOUND && !asker.has_tenant);
	make_key();
	WAIT_FOR(loop, resolve(A) == DIRECTORY_FOUND && asker.has_tenant);
}

Test(auth_directory_redis, after_a_flush_nothing_is_known)
{
	make_key();
	cr_assert(resolve(A) == DIRECTORY_FOUND);
	redis_do(&redis, "FLUSHALL");
	WAIT_FOR(loop, resolve(A) == DIRECTORY_UNKNOWN);
}

Test(auth_directory_redis, without_redis_what_is_known_is_served)
{
	make_key();
	cr_assert(resolve(A) == DIRECTORY_FOUND);
	redis_kill(&redis);
	WAIT_FOR(loop, !store_up(store) && !stats_of(store).tracking);
	cr_expect(resolve(A) == DIRECTORY_FOUND);
	cr_expect(resolve("BBBBBBBBBBBB") == DIRECTORY_UNAVAILABLE);
	redis_launch(&redis, "");
	WAIT_FOR(loop, store_up(store) && stats_of(store).tracking);
	cr_expect(resolve(A) == DIRECTORY_UNKNOWN, "the new Redis is empty");
}

Test(auth_directory_redis, a_stopped_redis_is_not_waited_for)
{
	make_key();
	cr_assert(resolve(A) == DIRECTORY_FOUND);
	kill(redis.pid, SIGSTOP);
	cr_expect(resolve("BBBBBBBBBBBB") == DIRECTORY_UNAVAILABLE, "given up with the link");
	cr_expect(resolve(A) == DIRECTORY_FOUND);
	kill(redis.pid, SIGCONT);
	WAIT_FOR(loop, store_up(store) && stats_of(store).tracking);
	cr_expect(resolve("BBBBBBBBBBBB") == DIRECTORY_UNKNOWN);
}

Test(auth_directory_redis, freeing_with_lookups_in_flight_is_clean)
{
	struct directory_answer answer;

	kill(redis.pid, SIGSTOP);
	cr_assert(directory_resolve(dir, slice_of(A), &asker.ask, on_answer, &answer) == DIRECTORY_PENDING);
	turn(loop);
	directory_cancel(&asker.ask);
}
