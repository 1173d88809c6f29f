/* Connecting: what is not accepted, what is tried again, and when the store says that it is up. */
#include <arpa/inet.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "test_store_redis.h"

static struct redis redis;
static struct ev_loop *loop;
static struct store *store;
static unsigned ups, downs;

static void on_state(void *ctx, bool up)
{
	(void)ctx;
	if (up)
		ups++;
	else
		downs++;
}

static void setup(void)
{
	ups = downs = 0;
	loop = ev_loop_new(EVFLAG_AUTO);
	redis_start(&redis, "");
}

static void teardown(void)
{
	store_free(&store);
	ev_loop_destroy(loop);
	redis_stop(&redis);
}

TestSuite(store_link, .init = setup, .fini = teardown, .timeout = 60);

static void open_store(const struct store_config *config)
{
	store = store_new(loop, config);
	cr_assert(store != NULL);
	store_on_state(store, on_state, NULL);
}

static int64_t cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (int64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec +
	       u.ru_stime.tv_usec;
}

Test(store_link, refuses_bad_configurations)
{
	struct store_config config = redis_config(&redis);

	config.url = SLICE_LIT("redis://u:p@w@h");
	cr_expect(store_new(loop, &config) == NULL && errno == EINVAL);
	config.url = SLICE_LIT("redis://user@localhost");
	cr_expect(store_new(loop, &config) == NULL && errno == EINVAL, "a user without password");
	/* A label of 64 characters is no name: nobody is asked. */
	config.url = SLICE_LIT("redis://0123456789012345678901234567890123456789012345678901234567890123");
	cr_expect(store_new(loop, &config) == NULL && errno == EHOSTUNREACH);
	config = redis_config(&redis);
	config.max_pending = 0;
	cr_expect(store_new(loop, &config) == NULL && errno == EINVAL);
	config = redis_config(&redis);
	config.password = SLICE_LIT("a\0b");
	cr_expect(store_new(loop, &config) == NULL && errno == EINVAL);
}

Test(store_link, wrong_password_is_never_up_and_does_not_spin)
{
	struct store_config config = redis_config(&redis);
	int64_t cpu;

	redis_do(&redis, "ACL SETUSER agent on >right ~* &* +@all");
	snprintf(redis.url, sizeof(redis.url), "unix://agent:wrong@%s", redis.socket);
	config.url = slice_of(redis.url);
	open_store(&config);
	WAIT_FOR(loop, stats_of(store).connect_failures >= 3);
	cpu = cpu_us();
	uint64_t failures = stats_of(store).connect_failures;
	idle_for(loop, 500000);
	failures = stats_of(store).connect_failures - failures;
	cr_expect(failures >= 5 && failures <= 25, "%lu attempts in 0.5 s at 25 to 50 ms",
		  (unsigned long)failures);
	cr_expect(cpu_us() - cpu < 250000);
	cr_expect(ups == 0 && !store_up(store) && stats_of(store).connects == 0);
	cr_expect_str_eq(stats_of(store).last_error, "login refused: WRONGPASS");
	cr_expect(strstr(stats_of(store).last_error, "wrong") == NULL);
}

Test(store_link, a_corrected_password_is_noticed)
{
	struct store_config config = redis_config(&redis);

	redis_do(&redis, "ACL SETUSER agent on >other ~* &* +@all");
	snprintf(redis.url, sizeof(redis.url), "unix://agent:ignored@%s?db=2", redis.socket);
	config.url = slice_of(redis.url);
	config.password = SLICE_LIT("right");
	open_store(&config);
	WAIT_FOR(loop, stats_of(store).connect_failures >= 1);
	redis_do(&redis, "ACL SETUSER agent >right");
	WAIT_FOR(loop, store_up(store));
	const char *argv[] = {"SET", "where", "db2"};
	cr_assert(store_post(store, 3, argv, (const size_t[]){3, 5, 3}));
	redis_do(&redis, "SELECT 2");
	WAIT_FOR(loop, redis_do(&redis, "EXISTS where") == 1);
}

Test(store_link, the_documented_rights_are_enough)
{
	struct store_config config = redis_config(&redis);

	redis_do(&redis, "ACL SETUSER agent on >pw resetchannels &__redis__:invalidate -@all +auth +select "
			 "+client|setname +client|id +client|tracking +role +ping +time +subscribe");
	redis_do(&redis, "CONFIG SET requirepass defaultpw");
	snprintf(redis.url, sizeof(redis.url), "unix://agent:pw@%s?db=1", redis.socket);
	config.url = slice_of(redis.url);
	open_store(&config);
	WAIT_FOR(loop, store_up(store));
	cr_expect(stats_of(store).error_replies == 0);
}

Test(store_link, a_password_of_the_default_user)
{
	struct store_config config = redis_config(&redis);

	redis_do(&redis, "CONFIG SET requirepass p@ss");
	snprintf(redis.url, sizeof(redis.url), "unix://:p%%40ss@%s", redis.socket);
	config.url = slice_of(redis.url);
	open_store(&config);
	WAIT_FOR(loop, store_up(store));
}

Test(store_link, missing_rights_say_what_is_missing)
{
	struct store_config config = redis_config(&redis);

	redis_do(&redis, "ACL SETUSER agent on >pw -@all +ping +client|setname");
	snprintf(redis.url, sizeof(redis.url), "unix://agent:pw@%s", redis.socket);
	config.url = slice_of(redis.url);
	open_store(&config);
	WAIT_FOR(loop, stats_of(store).connect_failures >= 2);
	cr_expect_str_eq(stats_of(store).last_error, "role not told: NOPERM");
	redis_do(&redis, "ACL SETUSER agent +role");
	WAIT_FOR(loop, strcmp(stats_of(store).last_error, "time not told: NOPERM") == 0);
	cr_expect(ups == 0);
}

Test(store_link, a_replica_is_not_up)
{
	struct store_config config = redis_config(&redis);

	redis_do(&redis, "REPLICAOF 127.0.0.1 1");
	open_store(&config);
	WAIT_FOR(loop, stats_of(store).connect_failures >= 3);
	cr_expect(ups == 0 && !store_up(store));
	cr_expect_str_eq(stats_of(store).last_error, "it is not a master");
	redis_do(&redis, "REPLICAOF NO ONE");
	WAIT_FOR(loop, store_up(store));
}

static char readonly_error[64];
static unsigned readonly_done;

static void keep_error(struct store_call *call, unsigned index, const redisReply *reply)
{
	(void)index;
	if (reply->type == REDIS_REPLY_ERROR)
		snprintf(readonly_error, sizeof(readonly_error), "%s", reply->str);
	cr_expect_not(store_up(call->store), "the owner sees that the store is down already");
}

static void count_done(struct store_call *call, enum store_outcome outcome)
{
	(void)call;
	cr_expect(outcome == STORE_OK);
	readonly_done++;
}

Test(store_link, a_master_that_becomes_a_replica_goes_down)
{
	struct store_config config = redis_config(&redis);
	struct store_call call = {.on_reply = keep_error, .on_done = count_done};
	const char *argv[] = {"SET", "a", "b"};

	open_store(&config);
	WAIT_FOR(loop, store_up(store));
	redis_do(&redis, "REPLICAOF 127.0.0.1 1");
	store_begin(store, &call, clock_mono_us() + 2000000);
	store_command(&call, 3, argv, (const size_t[]){3, 1, 1});
	cr_assert(store_send(&call));
	WAIT_FOR(loop, readonly_done == 1);
	cr_expect(strncmp(readonly_error, "READONLY", 8) == 0);
	WAIT_FOR(loop, stats_of(store).connect_failures >= 1);
	cr_expect(downs == 1 && ups == 1 && !store_up(store));
	redis_do(&redis, "REPLICAOF NO ONE");
	WAIT_FOR(loop, store_up(store));
	cr_expect(ups == 2);
}

Test(store_link, a_redis_that_appears_later_is_found)
{
	struct store_config config = redis_config(&redis);

	redis_kill(&redis);
	open_store(&config);
	WAIT_FOR(loop, stats_of(store).connect_failures >= 3);
	redis_launch(&redis, "");
	WAIT_FOR(loop, store_up(store));
	cr_expect(ups == 1 && downs == 0);
}

Test(store_link, a_redis_that_loads_its_data_is_not_up)
{
	struct store_config config = redis_config(&redis);

	for (unsigned i = 0; i < 500; i++)
		redis_do(&redis, "SET key-%d %s", (int)i, "some text, so that loading is interrupted often");
	redis_do(&redis, "SAVE");
	redis_kill(&redis);
	redis_launch(&redis, "key-load-delay 1000\nloading-process-events-interval-bytes 1024");
	open_store(&config);
	WAIT_FOR(loop, strcmp(stats_of(store).last_error, "not ready: LOADING") == 0);
	cr_expect(ups == 0);
	WAIT_FOR(loop, store_up(store));
	cr_expect(ups == 1 && downs == 0);
}

Test(store_link, a_stopped_redis_times_out_while_connecting)
{
	struct store_config config = redis_config(&redis);

	config.connect_timeout_us = 100000;
	kill(redis.pid, SIGSTOP);
	open_store(&config);
	WAIT_FOR(loop, stats_of(store).connect_failures >= 2);
	cr_expect_str_eq(stats_of(store).last_error, "no answer while connecting");
	kill(redis.pid, SIGCONT);
	WAIT_FOR(loop, store_up(store));
}

Test(store_link, an_idle_link_notices_a_stopped_redis)
{
	struct store_config config = redis_config(&redis);
	int64_t stopped;

	config.ping_interval_us = 100000;
	config.stall_us = 200000;
	open_store(&config);
	WAIT_FOR(loop, store_up(store));
	kill(redis.pid, SIGSTOP);
	stopped = clock_mono_us();
	WAIT_FOR(loop, !store_up(store));
	cr_expect(clock_mono_us() - stopped < 3000000);
	kill(redis.pid, SIGCONT);
	WAIT_FOR(loop, store_up(store));
	cr_expect(ups == 2 && downs == 1);
}

Test(store_link, clients_killed_by_the_administrator_come_back)
{
	struct store_config config = redis_config(&redis);

	open_store(&config);
	for (unsigned i = 1; i <= 5; i++) {
		WAIT_FOR(loop, ups == i && store_up(store));
		cr_assert(redis_do(&redis, "CLIENT KILL TYPE normal SKIPME yes") == 1);
		WAIT_FOR(loop, downs == i);
	}
	WAIT_FOR(loop, ups == 6);
}

Test(store_link, refused_tcp_connections_are_retried_and_freeing_is_clean)
{
	struct store_config config = redis_config(&redis);

	config.url = SLICE_LIT("redis://127.0.0.1:1");
	open_store(&config);
	WAIT_FOR(loop, stats_of(store).connect_failures >= 3);
	cr_expect(ups == 0);
	store_free(&store);
	idle_for(loop, 50000);
}

static unsigned free_port(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert(bind(fd, (struct sockaddr *)&sa, len) == 0);
	cr_assert(getsockname(fd, (struct sockaddr *)&sa, &len) == 0);
	close(fd);
	return ntohs(sa.sin_port);
}

Test(store_link, tcp_with_login_and_database)
{
	struct store_config config = redis_config(&redis);
	const char *argv[] = {"SET", "where", "tcp"};
	unsigned port = free_port();

	redis_do(&redis, "CONFIG SET requirepass pw");
	redis_do(&redis, "CONFIG SET port %d", (int)port);
	snprintf(redis.url, sizeof(redis.url), "redis://:pw@localhost:%u/3", port);
	config.url = slice_of(redis.url);
	open_store(&config);
	WAIT_FOR(loop, store_up(store));
	cr_assert(store_post(store, 3, argv, (const size_t[]){3, 5, 3}));
	redis_do(&redis, "SELECT 3");
	WAIT_FOR(loop, redis_do(&redis, "EXISTS where") == 1);
	redis_kill(&redis);
	WAIT_FOR(loop, !store_up(store));
}

Test(store_link, freeing_at_every_stage_of_connecting_is_clean)
{
	struct store_config config = redis_config(&redis);

	for (unsigned turns = 0; turns < 12; turns++) {
		open_store(&config);
		for (unsigned i = 0; i < turns; i++)
			turn(loop);
		store_free(&store);
	}
	cr_expect(redis_do(&redis, "PING") == 4);
}
