/* Calls over a real Redis: order, deadlines, the breaker, bounds, and what happens to calls in flight
 * when the connection ends. */
#include "test_store_redis.h"

enum { TAKEN = 64, DEADLINE_US = 2000000 };

/* A call that writes down what it was told. */
struct probe_call {
	struct store_call call; /* first: callbacks cast back */
	unsigned replies;
	unsigned disorder;
	long long values[TAKEN];
	char error[64];
	int done; /* -1 before */
	unsigned dones;
	int late; /* -1 before, else `complete` */
	unsigned lates;
};

static struct redis redis;
static struct ev_loop *loop;
static struct store *store;

static void on_reply(struct store_call *call, unsigned index, const redisReply *reply)
{
	struct probe_call *p = (struct probe_call *)(void *)call;

	if (index != p->replies)
		p->disorder++;
	if (p->replies < TAKEN)
		p->values[p->replies] = reply->integer;
	if (reply->type == REDIS_REPLY_ERROR)
		snprintf(p->error, sizeof(p->error), "%s", reply->str);
	p->replies++;
}

static void on_done(struct store_call *call, enum store_outcome outcome)
{
	struct probe_call *p = (struct probe_call *)(void *)call;

	p->done = (int)outcome;
	p->dones++;
}

static void on_late(struct store_call *call, bool complete)
{
	struct probe_call *p = (struct probe_call *)(void *)call;

	p->late = complete;
	p->lates++;
}

static void probe_init(struct probe_call *p)
{
	memset(p, 0, sizeof(*p));
	p->call.on_reply = on_reply;
	p->call.on_done = on_done;
	p->call.on_late = on_late;
	p->done = -1;
	p->late = -1;
}

static void command(struct probe_call *p, const char *a, const char *b, const char *c)
{
	const char *argv[3] = {a, b, c};
	size_t lens[3] = {strlen(a), b ? strlen(b) : 0, c ? strlen(c) : 0};

	store_command(&p->call, b == NULL ? 1 : c == NULL ? 2 : 3, argv, lens);
}

static bool send_incr(struct probe_call *p, unsigned times, int64_t within_us)
{
	probe_init(p);
	store_begin(store, &p->call, clock_mono_us() + within_us);
	for (unsigned i = 0; i < times; i++)
		command(p, "INCR", "n", NULL);
	return store_send(&p->call);
}

static void open_store(const struct store_config *config)
{
	loop = ev_loop_new(EVFLAG_AUTO);
	store = store_new(loop, config);
	cr_assert(store != NULL);
	WAIT_FOR(loop, store_up(store));
}

static void setup(void)
{
	redis_start(&redis, "");
}

static void teardown(void)
{
	store_free(&store);
	cr_expect(store == NULL);
	if (loop != NULL)
		ev_loop_destroy(loop);
	loop = NULL;
	redis_stop(&redis);
}

TestSuite(store_calls, .init = setup, .fini = teardown, .timeout = 60);

static void open_default(void)
{
	struct store_config config = redis_config(&redis);

	open_store(&config);
}

Test(store_calls, refuses_before_up)
{
	struct store_config config = redis_config(&redis);
	struct probe_call p;
	const char *argv[] = {"SET", "a", "b"};

	loop = ev_loop_new(EVFLAG_AUTO);
	store = store_new(loop, &config);
	cr_expect_not(store_up(store));
	cr_expect_not(send_incr(&p, 1, DEADLINE_US));
	cr_expect_not(store_post(store, 3, argv, (const size_t[]){3, 1, 1}));
	cr_expect(store_call_idle(&p.call));
	WAIT_FOR(loop, store_up(store));
	cr_expect(p.dones == 0 && stats_of(store).refused == 2);
}

Test(store_calls, refuses_the_impossible)
{
	struct probe_call p;

	open_default();
	cr_expect_not(send_incr(&p, 0, DEADLINE_US), "no command");
	cr_expect_not(send_incr(&p, 65, DEADLINE_US), "too many commands");
	cr_expect_not(send_incr(&p, 1, -1), "the deadline is over");
	cr_assert(send_incr(&p, 64, DEADLINE_US));
	cr_expect_not(store_call_idle(&p.call));
	WAIT_FOR(loop, p.dones == 1);
	cr_expect(p.replies == 64 && p.disorder == 0 && p.values[63] == 64);
}

Test(store_calls, refuses_too_much_text)
{
	static char big[(1 << 20) + 1];
	struct probe_call p;
	const char *argv[] = {"SET", "n", big};

	open_default();
	probe_init(&p);
	store_begin(store, &p.call, clock_mono_us() + DEADLINE_US);
	store_command(&p.call, 3, argv, (const size_t[]){3, 1, sizeof(big)});
	cr_expect_not(store_send(&p.call));
	cr_assert(send_incr(&p, 1, DEADLINE_US));
	WAIT_FOR(loop, p.dones == 1 && p.done == STORE_OK);
}

Test(store_calls, refuses_a_call_in_flight)
{
	struct probe_call p;

	open_default();
	cr_assert(send_incr(&p, 2, DEADLINE_US));
	store_begin(store, &p.call, clock_mono_us() + DEADLINE_US);
	command(&p, "INCR", "n", NULL);
	cr_expect_not(store_send(&p.call));
	WAIT_FOR(loop, p.dones == 1);
	cr_expect(p.replies == 2 && redis_do(&redis, "GET n") == 1);
}

Test(store_calls, callbacks_never_run_from_send)
{
	struct probe_call p;

	open_default();
	cr_assert(send_incr(&p, 3, DEADLINE_US));
	cr_expect(p.replies == 0 && p.dones == 0);
	WAIT_FOR(loop, p.dones == 1);
	cr_expect(p.done == STORE_OK && p.lates == 0 && p.replies == 3);
	cr_expect(store_call_idle(&p.call));
}

Test(store_calls, replies_come_in_order_over_a_thousand_commands)
{
	enum { CALLS = 300 };
	static struct probe_call calls[CALLS];
	long long expected = 0;

	open_default();
	for (unsigned i = 0; i < CALLS; i++)
		cr_assert(send_incr(&calls[i], 1 + i % 7, DEADLINE_US));
	WAIT_FOR(loop, calls[CALLS - 1].dones == 1);
	for (unsigned i = 0; i < CALLS; i++) {
		cr_assert(calls[i].dones == 1 && calls[i].done == STORE_OK && calls[i].disorder == 0);
		for (unsigned k = 0; k < 1 + i % 7; k++)
			cr_assert(calls[i].values[k] == ++expected);
	}
	cr_expect(stats_of(store).pending == 0 || stats_of(store).pending <= 2, "only a ping may be left");
	cr_expect(stats_of(store).calls == CALLS);
}

Test(store_calls, binary_arguments_arrive_whole)
{
	static const char value[] = "a\0b\r\n$5\r\nc";
	struct probe_call p;
	const char *argv[] = {"SET", "bin", value};
	redisReply *reply;

	open_default();
	probe_init(&p);
	store_begin(store, &p.call, clock_mono_us() + DEADLINE_US);
	store_command(&p.call, 3, argv, (const size_t[]){3, 3, sizeof(value) - 1});
	command(&p, "STRLEN", "bin", NULL);
	cr_assert(store_send(&p.call));
	WAIT_FOR(loop, p.dones == 1);
	cr_expect(p.values[1] == sizeof(value) - 1);
	reply = redisCommand(redis.admin, "GET bin");
	cr_expect(reply->len == sizeof(value) - 1 && memcmp(reply->str, value, reply->len) == 0);
	freeReplyObject(reply);
}

Test(store_calls, error_replies_are_shown_and_counted)
{
	struct probe_call p;

	open_default();
	redis_do(&redis, "SET text x");
	probe_init(&p);
	store_begin(store, &p.call, clock_mono_us() + DEADLINE_US);
	command(&p, "INCR", "text", NULL);
	command(&p, "INCR", "n", NULL);
	cr_assert(store_send(&p.call));
	WAIT_FOR(loop, p.dones == 1);
	cr_expect(p.done == STORE_OK && p.values[1] == 1 && p.error[0] != '\0');
	cr_expect(stats_of(store).error_replies == 1 && store_up(store));
}

Test(store_calls, posts_are_executed)
{
	const char *argv[] = {"INCRBY", "n", "5"};

	open_default();
	cr_assert(store_post(store, 3, argv, (const size_t[]){6, 1, 1}));
	WAIT_FOR(loop, redis_do(&redis, "EXISTS n") == 1);
	cr_expect(redis_do(&redis, "INCR n") == 6);
}

Test(store_calls, max_pending_refuses_at_once)
{
	struct store_config config = redis_config(&redis);
	struct probe_call p[4], refused;
	const char *argv[] = {"INCR", "n"};

	config.max_pending = 8;
	open_store(&config);
	WAIT_FOR(loop, stats_of(store).pending == 0);
	for (unsigned i = 0; i < 3; i++)
		cr_assert(send_incr(&p[i], 2, DEADLINE_US));
	cr_expect_not(send_incr(&refused, 3, DEADLINE_US), "9 of 8");
	cr_assert(send_incr(&p[3], 2, DEADLINE_US), "8 of 8");
	cr_expect_not(store_post(store, 2, argv, (const size_t[]){4, 1}));
	WAIT_FOR(loop, p[3].dones == 1);
	cr_expect(refused.dones == 0 && stats_of(store).refused == 2);
	cr_expect(redis_do(&redis, "INCR n") == 9, "the refused were not sent");
	cr_expect(send_incr(&refused, 3, DEADLINE_US));
	WAIT_FOR(loop, refused.dones == 1);
}

Test(store_calls, a_stopped_redis_makes_calls_late_and_complete_later)
{
	struct probe_call p, quick;
	int64_t sent;

	open_default();
	kill(redis.pid, SIGSTOP);
	sent = clock_mono_us();
	cr_assert(send_incr(&p, 3, 60000));
	cr_assert(send_incr(&quick, 1, 30000), "a sooner deadline behind a later one");
	WAIT_FOR(loop, quick.dones == 1);
	cr_expect(p.dones == 0 && quick.done == STORE_LATE);
	WAIT_FOR(loop, p.dones == 1);
	cr_expect(p.done == STORE_LATE && p.lates == 0);
	cr_expect(clock_mono_us() - sent >= 60000);
	cr_expect_not(store_call_idle(&p.call));
	kill(redis.pid, SIGCONT);
	WAIT_FOR(loop, p.lates == 1 && quick.lates == 1);
	cr_expect(p.late == 1 && p.replies == 3 && p.disorder == 0 && p.values[2] == 3);
	cr_expect(quick.late == 1 && quick.values[0] == 4);
	cr_expect(p.dones == 1 && store_call_idle(&p.call) && stats_of(store).late == 2);
	cr_expect(store_up(store), "two late calls do not open the breaker");
}

Test(store_calls, late_calls_open_the_breaker_and_a_ping_closes_it)
{
	struct store_config config = redis_config(&redis);
	struct probe_call p[3], refused;
	const char *argv[] = {"DECR", "n"};

	config.breaker_failures = 3;
	config.stall_us = 30000000;
	config.ping_interval_us = 200000;
	open_store(&config);
	kill(redis.pid, SIGSTOP);
	for (unsigned i = 0; i < 3; i++)
		cr_assert(send_incr(&p[i], 1, 20000));
	WAIT_FOR(loop, p[2].dones == 1);
	cr_expect_not(store_up(store));
	cr_expect(stats_of(store).breaker_open);
	cr_expect_not(send_incr(&refused, 1, DEADLINE_US));
	cr_expect(store_post(store, 2, argv, (const size_t[]){4, 1}), "refunds pass the breaker");
	idle_for(loop, 300000);
	cr_expect_not(store_up(store), "pings that are not answered do not close it");
	kill(redis.pid, SIGCONT);
	WAIT_FOR(loop, store_up(store));
	cr_expect(p[0].late == 1 && p[1].late == 1 && p[2].late == 1);
	cr_expect(stats_of(store).connects == 1, "the connection was kept");
	cr_assert(send_incr(&refused, 1, DEADLINE_US));
	WAIT_FOR(loop, refused.dones == 1);
	cr_expect(refused.values[0] == 3, "three late, one refunded");
}

Test(store_calls, one_call_in_time_between_keeps_the_breaker_closed)
{
	struct store_config config = redis_config(&redis);
	struct probe_call p;

	config.breaker_failures = 2;
	open_store(&config);
	for (unsigned i = 0; i < 4; i++) {
		kill(redis.pid, SIGSTOP);
		cr_assert(send_incr(&p, 1, 10000));
		WAIT_FOR(loop, p.dones == 1);
		kill(redis.pid, SIGCONT);
		WAIT_FOR(loop, p.lates == 1);
		cr_assert(store_up(store));
		cr_assert(send_incr(&p, 1, DEADLINE_US));
		WAIT_FOR(loop, p.dones == 1);
		cr_assert(p.done == STORE_OK);
	}
}

Test(store_calls, a_killed_redis_loses_calls_and_is_found_again)
{
	struct probe_call waiting, late;

	open_default();
	kill(redis.pid, SIGSTOP);
	cr_assert(send_incr(&late, 2, 10000));
	WAIT_FOR(loop, late.dones == 1);
	cr_assert(send_incr(&waiting, 5, DEADLINE_US));
	turn(loop);
	redis_kill(&redis);
	WAIT_FOR(loop, waiting.dones == 1 && late.lates == 1);
	cr_expect(waiting.done == STORE_LOST && waiting.replies == 0 && waiting.lates == 0);
	cr_expect(late.late == 0 && late.dones == 1);
	cr_expect_not(store_up(store));
	cr_expect(stats_of(store).lost == 1 && stats_of(store).pending == 0);
	redis_launch(&redis, "");
	WAIT_FOR(loop, store_up(store));
	cr_assert(send_incr(&waiting, 1, DEADLINE_US));
	WAIT_FOR(loop, waiting.dones == 1);
	cr_expect(waiting.done == STORE_OK && waiting.values[0] == 1);
	cr_expect(stats_of(store).connects == 2);
}

Test(store_calls, a_stalled_connection_is_given_up)
{
	struct store_config config = redis_config(&redis);
	struct probe_call p;
	int64_t sent;

	config.stall_us = 300000;
	config.breaker_failures = 0;
	open_store(&config);
	kill(redis.pid, SIGSTOP);
	sent = clock_mono_us();
	cr_assert(send_incr(&p, 2, 10000));
	WAIT_FOR(loop, p.lates == 1);
	cr_expect(p.late == 0, "nothing is known");
	cr_expect(clock_mono_us() - sent >= 300000);
	cr_expect_not(store_up(store));
	cr_expect_str_eq(stats_of(store).last_error, "stalled");
	kill(redis.pid, SIGCONT);
	WAIT_FOR(loop, store_up(store));
}

Test(store_calls, freeing_ends_every_call)
{
	struct probe_call p[3], late;

	open_default();
	kill(redis.pid, SIGSTOP);
	cr_assert(send_incr(&late, 2, 10000));
	WAIT_FOR(loop, late.dones == 1);
	for (unsigned i = 0; i < 3; i++)
		cr_assert(send_incr(&p[i], 1 + i, DEADLINE_US));
	store_free(&store);
	kill(redis.pid, SIGCONT);
	for (unsigned i = 0; i < 3; i++)
		cr_expect(p[i].dones == 1 && p[i].done == STORE_LOST && store_call_idle(&p[i].call));
	cr_expect(late.lates == 1 && late.late == 0 && late.dones == 1);
	idle_for(loop, 50000);
}

/* The owner frees the call's memory in its last callback. */
static unsigned freed;

static void free_on_done(struct store_call *call, enum store_outcome outcome)
{
	if (outcome == STORE_LATE)
		return;
	freed++;
	free(call);
}

static void free_on_late(struct store_call *call, bool complete)
{
	(void)complete;
	freed++;
	free(call);
}

static void send_mortal(int64_t within_us)
{
	struct store_call *call = calloc(1, sizeof(*call));
	const char *argv[] = {"INCR", "n"};

	call->on_done = free_on_done;
	call->on_late = free_on_late;
	store_begin(store, call, clock_mono_us() + within_us);
	for (unsigned i = 0; i < 5; i++)
		store_command(call, 2, argv, (const size_t[]){4, 1});
	cr_assert(store_send(call));
}

Test(store_calls, owners_may_free_in_their_last_callback)
{
	freed = 0;
	open_default();
	for (unsigned i = 0; i < 10; i++)
		send_mortal(DEADLINE_US);
	WAIT_FOR(loop, freed == 10);
	kill(redis.pid, SIGSTOP);
	send_mortal(10000);
	WAIT_FOR(loop, stats_of(store).late == 1);
	for (unsigned i = 0; i < 10; i++)
		send_mortal(DEADLINE_US);
	redis_kill(&redis);
	WAIT_FOR(loop, freed == 21);
}

/* The owner sends the next call from on_done, with the same object. */
static unsigned chained;

static void chain(struct store_call *call, enum store_outcome outcome)
{
	const char *argv[] = {"INCR", "n"};

	cr_assert(outcome == STORE_OK);
	if (++chained == 100)
		return;
	store_begin(store, call, clock_mono_us() + DEADLINE_US);
	store_command(call, 2, argv, (const size_t[]){4, 1});
	cr_assert(store_send(call));
}

Test(store_calls, a_call_can_be_reused_in_its_callback)
{
	struct store_call call = {.on_done = chain};
	const char *argv[] = {"INCR", "n"};

	chained = 0;
	open_default();
	store_begin(store, &call, clock_mono_us() + DEADLINE_US);
	store_command(&call, 2, argv, (const size_t[]){4, 1});
	cr_assert(store_send(&call));
	WAIT_FOR(loop, chained == 100);
	cr_expect(redis_do(&redis, "INCR n") == 101);
}

Test(store_calls, time_is_that_of_redis)
{
	redisReply *reply;
	int64_t before, there, after;

	open_default();
	before = store_time_us(store);
	reply = redisCommand(redis.admin, "TIME");
	there = atoll(reply->element[0]->str) * 1000000 + atoll(reply->element[1]->str);
	freeReplyObject(reply);
	after = store_time_us(store);
	cr_expect(there > before - 50000 && there < after + 50000);
	cr_expect(llabs(stats_of(store).clock_offset_us) < 50000);
}
