/* Heartbeats of agents. */
#include "limit/agents.h"

#include <stdio.h>
#include <sys/random.h>

#include "base/clock.h"

enum { COMMAND_COUNT_ALIVE = 2, BEAT_DEADLINE_US = 1000000 };

static void command(struct agents *a, int argc, const char *const *argv)
{
	size_t len[5];

	for (int i = 0; i < argc; i++)
		len[i] = strlen(argv[i]);
	store_command(&a->call, argc, argv, len);
}

void agents_beat(struct agents *a)
{
	char now[24], dead[24];
	int64_t now_s = store_time_us(a->store) / 1000000;

	if (!store_call_idle(&a->call) || !store_up(a->store))
		return;
	(void)snprintf(now, sizeof(now), "%lld", (long long)now_s);
	(void)snprintf(dead, sizeof(dead), "(%lld", (long long)(now_s - AGENTS_DEAD_S));
	store_begin(a->store, &a->call, clock_mono_us() + BEAT_DEADLINE_US);
	command(a, 4, (const char *[]){"ZADD", "tg:agents", now, a->id});
	command(a, 4, (const char *[]){"ZREMRANGEBYSCORE", "tg:agents", "-inf", dead});
	command(a, 4, (const char *[]){"ZCOUNT", "tg:agents", dead + 1, "+inf"});
	command(a, 3, (const char *[]){"EXPIRE", "tg:agents", "60"});
	(void)!store_send(&a->call); /* the next beat comes anyway */
}

static void on_reply(struct store_call *call, unsigned index, const redisReply *reply)
{
	struct agents *a = LIST_ENTRY(call, struct agents, call);

	if (index == COMMAND_COUNT_ALIVE && reply->type == REDIS_REPLY_INTEGER)
		a->alive = reply->integer > 1 ? (unsigned)reply->integer : 1;
}

static void on_done(struct store_call *call, enum store_outcome outcome)
{
	(void)call;
	(void)outcome;
}

static void on_beat(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	agents_beat(timer->data);
}

bool agents_start(struct agents *a, struct store *store, struct ev_loop *loop)
{
	uint64_t id;

	if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
		return false;
	*a = (struct agents){.store = store, .loop = loop, .alive = 1};
	(void)snprintf(a->id, sizeof(a->id), "%016llx", (unsigned long long)id);
	a->call.on_reply = on_reply;
	a->call.on_done = on_done;
	ev_timer_init(&a->beat, on_beat, 0, AGENTS_BEAT_S);
	a->beat.data = a;
	ev_timer_start(loop, &a->beat);
	return true;
}

void agents_stop(struct agents *a)
{
	ev_timer_stop(a->loop, &a->beat);
}
