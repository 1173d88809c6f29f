/* How Redis does: PING and TIME each interval, Redis' clock, and the breaker. */
#include <stdlib.h>

#include "base/clock.h"
#include "store/internal.h"

enum { HASTE = 10 }; /* pings come this many times as often while the breaker is open */

static const int64_t TRIP_UNKNOWN_US = INT64_MAX / 4;

/* A sample is as wrong as half its round trip at worst. One much longer than the best is ignored, and
 * the best is forgotten bit by bit so that a slower network is accepted in the end. */
static void take_sample(struct probe *probe, int64_t redis_us, int64_t sent_us, int64_t now_us)
{
	int64_t trip = now_us - sent_us;

	if (trip > 2 * probe->best_trip_us + 1000) {
		probe->best_trip_us += probe->best_trip_us / 8 + 100;
		return;
	}
	if (trip < probe->best_trip_us)
		probe->best_trip_us = trip;
	else
		probe->best_trip_us += (trip - probe->best_trip_us) / 8;
	probe->clock_delta_us = redis_us - (sent_us + trip / 2);
	probe->measured = true;
}

static bool read_time(const redisReply *reply, int64_t *ret)
{
	uint64_t s, us;

	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
	    reply->element[0]->type != REDIS_REPLY_STRING || reply->element[1]->type != REDIS_REPLY_STRING)
		return false;
	if (!slice_to_u64((struct slice){reply->element[0]->str, reply->element[0]->len}, INT64_MAX / 2000000,
			  &s) ||
	    !slice_to_u64((struct slice){reply->element[1]->str, reply->element[1]->len}, 999999, &us))
		return false;
	*ret = (int64_t)s * 1000000 + (int64_t)us;
	return true;
}

static void plan_next(struct store *store)
{
	int64_t us = store->config.ping_interval_us / (store->breaker_open ? HASTE : 1);

	ev_timer_stop(store->loop, &store->probe.next);
	ev_timer_set(&store->probe.next, (double)us / 1e6, 0.);
	ev_timer_start(store->loop, &store->probe.next);
}

static void on_ping(struct store *store, int64_t sent_us, const redisReply *reply)
{
	if (reply->type == REDIS_REPLY_ERROR || clock_mono_us() - sent_us > store->config.ping_late_us)
		return;
	if (store->breaker_open) {
		store->breaker_open = false;
		store->late_run = 0;
	}
}

static void on_time(struct store *store, int64_t sent_us, const redisReply *reply)
{
	int64_t redis_us;

	store->probe.waiting = false;
	if (!read_time(reply, &redis_us)) {
		link_refuse(&store->link, "time not told", reply);
		return;
	}
	take_sample(&store->probe, redis_us, sent_us, clock_mono_us());
	store->probed = true;
	plan_next(store);
	store_update(store);
}

/* An unanswered probe is not repeated: it ends by its answer or by the link's stall. */
static void send_probe(struct store *store)
{
	if (store->probe.waiting)
		return;
	if (calls_send_own(store, on_ping, 1, (const char *const[]){"PING"}) &&
	    calls_send_own(store, on_time, 1, (const char *const[]){"TIME"}))
		store->probe.waiting = true;
	else
		plan_next(store);
}

static void on_next(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	send_probe(w->data);
}

void probe_init(struct store *store)
{
	ev_timer_init(&store->probe.next, on_next, 0., 0.);
	store->probe.next.data = store;
}

void probe_start(struct store *store)
{
	store->probe.waiting = false;
	store->probe.best_trip_us = TRIP_UNKNOWN_US; /* it may be another server: its first sample counts */
	send_probe(store);
}

void probe_stop(struct store *store)
{
	ev_timer_stop(store->loop, &store->probe.next);
	store->probe.waiting = false;
}

void probe_late(struct store *store)
{
	unsigned limit = store->config.breaker_failures;

	store->late_run++;
	if (limit == 0 || store->late_run < limit || store->breaker_open)
		return;
	store->breaker_open = true;
	send_probe(store);
	store_update(store);
}

int64_t store_time_us(const struct store *store)
{
	return store->probe.measured ? clock_mono_us() + store->probe.clock_delta_us : clock_wall_us();
}
