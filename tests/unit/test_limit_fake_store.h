/* Stands in for spoa/store: several agents' connections to one Redis in memory, in virtual time.
 * Each command of a pipeline executes at a time of its own, so pipelines of different agents interleave;
 * every connection keeps its order both ways, and calls are late as the real store has it. */
#ifndef TOLLGATE_TEST_LIMIT_FAKE_STORE_H
#define TOLLGATE_TEST_LIMIT_FAKE_STORE_H

#include "base/clock.h"
#include "store/store.h"
#include "test_limit_fake_redis.h"

enum { FAKE_ARGS = 8, FAKE_TEXT = 400, FAKE_EVENTS = 1 << 16, FAKE_COMMANDS = 12 };

struct store {
	int64_t skew_us; /* this agent's clock less the true time */
	bool up;
	int64_t executed_us; /* of the latest command, so that order is kept */
	int64_t replied_us;
	struct fake_command *building[FAKE_COMMANDS];
	unsigned built;
	store_state_fn *state_fn;
	void *state_ctx;
};

struct fake_command {
	struct store *store;
	struct store_call *call; /* NULL: posted */
	unsigned index;
	int64_t generation;
	int argc;
	char text[FAKE_TEXT];
	const char *argv[FAKE_ARGS];
	redisReply *reply;
};

enum fake_event_kind { FAKE_EXECUTE, FAKE_REPLY, FAKE_DEADLINE, FAKE_USER };

struct fake_event {
	int64_t at_us;
	uint64_t order;
	enum fake_event_kind kind;
	struct fake_command *command;
	struct store_call *call;
	int64_t generation;
	void (*user_fn)(void *arg);
	void *user_arg;
};

static struct {
	uint64_t order;
	int64_t generation;
	int64_t delay_max_us; /* one way */
	unsigned stalls;      /* one in so many replies is held up by 100 ms; 0 = none */
	bool no_deadlines; /* as for an agent that was stopped itself: it finds replies, not that it is late
			    */
	struct fake_event heap[FAKE_EVENTS];
	size_t events;
} net;

static bool fake_earlier(const struct fake_event *a, const struct fake_event *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void fake_push(struct fake_event event)
{
	size_t at = net.events++;

	if (at >= FAKE_EVENTS)
		abort();
	event.order = net.order++;
	while (at > 0 && fake_earlier(&event, &net.heap[(at - 1) / 2])) {
		net.heap[at] = net.heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	net.heap[at] = event;
}

static struct fake_event fake_pop(void)
{
	struct fake_event top = net.heap[0], last = net.heap[--net.events];
	size_t at = 0;

	for (;;) {
		size_t child = 2 * at + 1;
		if (child >= net.events)
			break;
		if (child + 1 < net.events && fake_earlier(&net.heap[child + 1], &net.heap[child]))
			child++;
		if (!fake_earlier(&net.heap[child], &last))
			break;
		net.heap[at] = net.heap[child];
		at = child;
	}
	net.heap[at] = last;
	return top;
}

static inline void fake_at(int64_t at_us, void (*fn)(void *arg), void *arg)
{
	fake_push((struct fake_event){.at_us = at_us, .kind = FAKE_USER, .user_fn = fn, .user_arg = arg});
}

static void fake_run_execute(struct fake_command *c)
{
	int64_t delay = (int64_t)fake_random((uint64_t)net.delay_max_us + 1);

	const struct fake_words words = {c->argc, c->argv, (fake.now_us + c->store->skew_us) / 1000000};

	c->reply = fake_execute(&words);
	if (net.stalls != 0 && fake_random(net.stalls) == 0)
		delay += 100000;
	int64_t at = fake.now_us + delay;
	c->store->replied_us = at > c->store->replied_us ? at : c->store->replied_us;
	fake_push((struct fake_event){.at_us = c->store->replied_us, .kind = FAKE_REPLY, .command = c});
}

static void fake_run_reply(struct fake_command *c)
{
	struct store_call *call = c->call;

	if (call != NULL && call->active && call->deadline_us == c->generation) {
		if (call->on_reply != NULL)
			call->on_reply(call, c->index, c->reply);
		if (++call->replied == call->commands) {
			call->active = false;
			if (!call->late)
				call->on_done(call, STORE_OK);
			else if (call->on_late != NULL)
				call->on_late(call, true);
		}
	}
	freeReplyObject(c->reply);
	free(c);
}

static bool fake_step(void)
{
	if (net.events == 0)
		return false;
	struct fake_event e = fake_pop();
	fake.now_us = e.at_us > fake.now_us ? e.at_us : fake.now_us;
	switch (e.kind) {
	case FAKE_EXECUTE:
		fake_run_execute(e.command);
		break;
	case FAKE_REPLY:
		fake_run_reply(e.command);
		break;
	case FAKE_DEADLINE:
		if (!net.no_deadlines && e.call->active && !e.call->late &&
		    e.call->deadline_us == e.generation) {
			e.call->late = true;
			e.call->on_done(e.call, STORE_LATE);
		}
		break;
	case FAKE_USER:
		e.user_fn(e.user_arg);
		break;
	}
	return true;
}

static void fake_reset(uint64_t seed, int64_t start_us)
{
	memset(&fake, 0, sizeof(fake));
	memset(&net, 0, sizeof(net));
	fake.random = seed * 0x9e3779b97f4a7c15U + 1;
	fake.now_us = start_us;
	net.delay_max_us = 500;
	fake.agents = 1;
	if (!table_init(&fake.keys, 1 << 14))
		abort();
}

static void fake_done(void)
{
	while (fake_step())
		;
	fake_free_keys();
}

/* The connection breaks: calls in flight are lost. */
static inline void fake_drop(struct store *store)
{
	store->up = false;
	for (bool found = true; found;) {
		found = false;
		for (size_t i = 0; i < net.events && !found; i++) {
			const struct fake_command *c = net.heap[i].command;
			if (c == NULL || c->store != store || c->call == NULL || !c->call->active ||
			    c->call->deadline_us != c->generation)
				continue;
			found = true;
			c->call->active = false;
			if (!c->call->late)
				c->call->on_done(c->call, STORE_LOST);
			else if (c->call->on_late != NULL)
				c->call->on_late(c->call, false);
		}
	}
	if (store->state_fn != NULL)
		store->state_fn(store->state_ctx, false);
}

static inline void fake_connect(struct store *store)
{
	store->up = true;
	store->executed_us = store->replied_us = fake.now_us;
	if (store->state_fn != NULL)
		store->state_fn(store->state_ctx, true);
}

/* Lets time pass; what is due meanwhile happens. */
static inline void fake_run_until(int64_t at_us)
{
	while (net.events > 0 && net.heap[0].at_us <= at_us)
		(void)fake_step();
	fake.now_us = at_us > fake.now_us ? at_us : fake.now_us;
}

/* The clock of base/clock.h: the archive's own is not linked when these stand before it. */

int64_t clock_mono_us(void)
{
	return fake.now_us;
}

int64_t clock_wall_us(void)
{
	return fake.now_us;
}

void clock_rfc3339(struct strbuf *sb, int64_t wall_us)
{
	strbuf_i64(sb, wall_us);
}

/* The connection's interface, as store.h has it. */

bool store_up(const struct store *store)
{
	return store->up;
}

int64_t store_time_us(const struct store *store)
{
	return fake.now_us + store->skew_us;
}

void store_on_state(struct store *store, store_state_fn *fn, void *ctx)
{
	store->state_fn = fn;
	store->state_ctx = ctx;
}

void store_begin(struct store *store, struct store_call *call, int64_t deadline_us)
{
	if (call->active || store->built != 0)
		abort();
	call->store = store;
	call->commands = 0;
	call->replied = 0;
	call->late = false;
	call->deadline_us = ++net.generation;
	call->active = store->up;
	if (call->active)
		fake_push((struct fake_event){.at_us = deadline_us,
					      .kind = FAKE_DEADLINE,
					      .call = call,
					      .generation = call->deadline_us});
}

static struct fake_command *fake_command(struct store *store, int argc, const char *const *argv,
					 const size_t *len)
{
	struct fake_command *c = calloc(1, sizeof(*c));
	size_t at = 0;

	c->store = store;
	c->argc = argc;
	for (int i = 0; i < argc; i++) {
		c->argv[i] = c->text + at;
		memcpy(c->text + at, argv[i], len[i]);
		at += len[i] + 1;
	}
	return c;
}

static void fake_send(struct fake_command *c)
{
	struct store *store = c->store;
	int64_t at = fake.now_us + (int64_t)fake_random((uint64_t)net.delay_max_us + 1);

	store->executed_us = at > store->executed_us ? at : store->executed_us;
	fake_push((struct fake_event){.at_us = store->executed_us, .kind = FAKE_EXECUTE, .command = c});
}

void store_command(struct store_call *call, int argc, const char *const *argv, const size_t *argvlen)
{
	struct fake_command *c = fake_command(call->store, argc, argv, argvlen);

	c->call = call;
	c->index = call->commands++;
	c->generation = call->deadline_us;
	call->store->building[call->store->built++] = c;
}

bool store_send(struct store_call *call)
{
	struct store *store = call->store;

	for (unsigned i = 0; i < store->built; i++) {
		if (store->up)
			fake_send(store->building[i]);
		else
			free(store->building[i]);
	}
	store->built = 0;
	return store->up;
}

bool store_post(struct store *store, int argc, const char *const *argv, const size_t *argvlen)
{
	if (store->up)
		fake_send(fake_command(store, argc, argv, argvlen));
	return store->up;
}

#endif
