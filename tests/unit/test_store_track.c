/* Invalidations: heard quickly, and their absence noticed. */
#include "test_store_redis.h"

static struct redis redis;
static struct ev_loop *loop;
static struct store *store;

static char last_key[128];
static unsigned keys, flushes, link_ups, link_downs;
static bool link_is_up;

static void on_key(void *ctx, struct slice key)
{
	(void)ctx;
	if (key.p == NULL) {
		cr_expect_not(link_is_up && flushes < link_ups, "a flush precedes the link");
		flushes++;
		return;
	}
	keys++;
	cr_assert(slice_copy(key, last_key, sizeof(last_key)));
}

static void on_link(void *ctx, bool up)
{
	(void)ctx;
	cr_expect(up != link_is_up, "only changes are told");
	link_is_up = up;
	if (up)
		link_ups++;
	else
		link_downs++;
	cr_expect(flushes >= link_ups, "everything is flushed before the link is told up");
}

static void open_store(const struct store_config *config)
{
	static const char *const prefixes[] = {"tg:key:", "tg:tenant:"};

	loop = ev_loop_new(EVFLAG_AUTO);
	store = store_new(loop, config);
	cr_assert(store != NULL);
	cr_assert(store_track(store, prefixes, 2, on_key, on_link, NULL));
}

static void setup(void)
{
	redis_start(&redis, "");
}

static void teardown(void)
{
	store_free(&store);
	if (loop != NULL)
		ev_loop_destroy(loop);
	redis_stop(&redis);
}

TestSuite(store_track, .init = setup, .fini = teardown, .timeout = 60);

static void open_live(void)
{
	struct store_config config = redis_config(&redis);

	config.ping_interval_us = 100000;
	config.stall_us = 200000;
	open_store(&config);
	WAIT_FOR(loop, link_is_up);
}

Test(store_track, refuses_a_second_subscriber_and_unfit_prefixes)
{
	static const char *const good[] = {"a:"};
	static const char *const empty[] = {""};
	static const char *const many[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9"};
	static const char *const lengthy[] = {
		"0123456789012345678901234567890123456789012345678901234567890123"};
	struct store_config config = redis_config(&redis);

	loop = ev_loop_new(EVFLAG_AUTO);
	store = store_new(loop, &config);
	cr_expect_not(store_track(store, good, 0, on_key, on_link, NULL));
	cr_expect_not(store_track(store, empty, 1, on_key, on_link, NULL));
	cr_expect_not(store_track(store, many, 9, on_key, on_link, NULL));
	cr_expect_not(store_track(store, lengthy, 1, on_key, on_link, NULL));
	cr_expect(store_track(store, good, 1, on_key, on_link, NULL));
	cr_expect_not(store_track(store, good, 1, on_key, on_link, NULL));
}

Test(store_track, changes_below_the_prefixes_are_heard_within_100_ms)
{
	static const char *const changes[][2] = {
		{"HSET tg:key:abc v 1", "tg:key:abc"},     {"HDEL tg:key:abc v", "tg:key:abc"},
		{"SET tg:tenant:x 1 PX 1", "tg:tenant:x"}, {"RENAME other tg:key:new", "tg:key:new"},
		{"DEL tg:key:new", "tg:key:new"},
	};

	open_live();
	redis_do(&redis, "SET other 1");
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		keys = 0;
		int64_t at = clock_mono_us();
		redis_do(&redis, changes[i][0]);
		WAIT_FOR(loop, keys > 0);
		cr_expect(clock_mono_us() - at < 100000, "%s took %ld us", changes[i][0],
			  (long)(clock_mono_us() - at));
		cr_expect_str_eq(last_key, changes[i][1]);
	}
}

Test(store_track, other_keys_are_not_heard)
{
	open_live();
	redis_do(&redis, "SET tg:w:x 1");
	redis_do(&redis, "SET tg:keyx 1");
	redis_do(&redis, "SET tg:key:x 1");
	WAIT_FOR(loop, keys > 0);
	cr_expect(keys == 1);
	cr_expect_str_eq(last_key, "tg:key:x");
}

Test(store_track, expired_keys_are_heard)
{
	open_live();
	redis_do(&redis, "SET tg:key:short 1 PX 100");
	WAIT_FOR(loop, keys == 1);
	WAIT_FOR(loop, keys == 2);
}

Test(store_track, flushes_are_heard)
{
	unsigned before;

	open_live();
	redis_do(&redis, "SET tg:key:x 1");
	WAIT_FOR(loop, keys == 1);
	before = flushes;
	int64_t at = clock_mono_us();
	redis_do(&redis, "FLUSHALL");
	WAIT_FOR(loop, flushes == before + 1);
	cr_expect(clock_mono_us() - at < 100000);
	redis_do(&redis, "FLUSHDB");
	WAIT_FOR(loop, flushes == before + 2);
}

Test(store_track, a_killed_link_is_renewed_with_a_flush)
{
	open_live();
	for (unsigned i = 1; i <= 4; i++) {
		cr_assert(redis_do(&redis, "CLIENT KILL TYPE pubsub") == 1);
		WAIT_FOR(loop, link_downs == i);
		WAIT_FOR(loop, link_is_up);
		cr_expect(flushes == i + 1);
		keys = 0;
		redis_do(&redis, "SET tg:key:x 1");
		WAIT_FOR(loop, keys == 1);
	}
	cr_expect(stats_of(store).connects == 1, "the commands' connection was not touched");
}

Test(store_track, the_link_follows_the_commands_connection)
{
	open_live();
	cr_assert(redis_do(&redis, "CLIENT KILL TYPE normal SKIPME yes") == 1);
	WAIT_FOR(loop, link_downs == 1);
	WAIT_FOR(loop, link_is_up);
	cr_expect(stats_of(store).connects == 2 && flushes == 2);
}

Test(store_track, a_stopped_redis_is_noticed_within_three_seconds)
{
	struct store_config config = redis_config(&redis);
	int64_t at;

	open_store(&config); /* the default intervals */
	WAIT_FOR(loop, link_is_up);
	kill(redis.pid, SIGSTOP);
	at = clock_mono_us();
	WAIT_FOR(loop, !link_is_up);
	cr_expect(clock_mono_us() - at < 3000000);
	kill(redis.pid, SIGCONT);
	WAIT_FOR(loop, link_is_up);
}

Test(store_track, a_restarted_redis_is_heard_again)
{
	open_live();
	redis_kill(&redis);
	WAIT_FOR(loop, !link_is_up);
	redis_launch(&redis, "");
	WAIT_FOR(loop, link_is_up);
	redis_do(&redis, "SET tg:key:x 1");
	WAIT_FOR(loop, keys == 1);
}

Test(store_track, an_idle_link_stays)
{
	open_live();
	idle_for(loop, 1500000);
	cr_expect(link_downs == 0 && link_ups == 1, "answered pings keep it");
}

Test(store_track, a_missing_right_is_told)
{
	struct store_config config = redis_config(&redis);

	redis_do(&redis,
		 "ACL SETUSER agent on >pw resetchannels -@all +client|setname +client|id +client|tracking "
		 "+role +ping +time +subscribe");
	snprintf(redis.url, sizeof(redis.url), "unix://agent:pw@%s", redis.socket);
	config.url = slice_of(redis.url);
	open_store(&config);
	WAIT_FOR(loop, store_up(store) && stats_of(store).track_error[0] != '\0');
	cr_expect(strncmp(stats_of(store).track_error, "NOPERM", 6) == 0);
	cr_expect_not(link_is_up || stats_of(store).tracking);
	redis_do(&redis, "ACL SETUSER agent &__redis__:invalidate");
	WAIT_FOR(loop, link_is_up);
}
