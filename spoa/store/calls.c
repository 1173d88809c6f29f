/* Calls in flight: a ring of commands in the order of their replies, and a list of deadlines with one
 * timer. The timer is never moved for a call that ends in time: it fires at most once a deadline's
 * length, finds what is due and is set for the soonest left. */
#include <stdlib.h>

#include "base/clock.h"
#include "store/internal.h"

enum {
	OWN_RESERVE = 8,      /* slots of the ring for the store's own commands */
	TIMER_FLOOR_US = 200, /* early by less than this: wait at least as long again, do not spin */
};

static void on_reply(struct link *link, const redisReply *reply);
static struct link_command command = {on_reply};

static struct store *store_of(struct link *link)
{
	return LIST_ENTRY(link, struct store, link);
}

static struct slot ring_pop(struct calls *calls)
{
	struct slot slot = calls->ring[calls->head];

	calls->head = (calls->head + 1) % calls->size;
	calls->pending--;
	return slot;
}

static void ring_push(struct calls *calls, struct slot slot)
{
	calls->ring[(calls->head + calls->pending) % calls->size] = slot;
	calls->pending++;
}

/* Redis will not serve on this connection: it became a replica or lost its master or data. */
static bool condemns(struct slice word)
{
	return slice_is(word, "READONLY") || slice_is(word, "LOADING") || slice_is(word, "MASTERDOWN");
}

static void note_error(struct store *store, const redisReply *reply)
{
	store->stats.error_replies++;
	if (condemns(link_error_word(reply)) && !store->condemned) {
		store->condemned = true;
		store_update(store);
	}
}

static void late_end(struct store_call *call, bool complete)
{
	call->active = false;
	if (call->on_late != NULL)
		call->on_late(call, complete);
}

static void end_in_time(struct store *store, struct store_call *call)
{
	list_remove(&call->link);
	call->active = false;
	store->late_run = 0;
	call->on_done(call, STORE_OK);
}

static void call_reply(struct store *store, struct store_call *call, const redisReply *reply)
{
	unsigned index = call->replied++;

	if (call->on_reply != NULL)
		call->on_reply(call, index, reply);
	if (call->replied < call->commands)
		return;
	if (call->late)
		late_end(call, true);
	else
		end_in_time(store, call);
}

static void on_reply(struct link *link, const redisReply *reply)
{
	struct store *store = store_of(link);
	struct slot slot = ring_pop(&store->calls);

	if (reply->type == REDIS_REPLY_ERROR)
		note_error(store, reply);
	if (slot.call != NULL)
		call_reply(store, slot.call, reply);
	else if (slot.own != NULL)
		slot.own(store, slot.sent_us, reply);
	if (store->condemned && store->calls.pending == 0)
		link_drop(link, "Redis cannot serve: loading, or no longer a master");
}

/* Commands of one call lie side by side, so the call is not looked at again once it has ended and its
 * owner may have freed it. */
void calls_lose(struct store *store)
{
	struct calls *calls = &store->calls;

	while (calls->pending > 0) {
		struct store_call *call = ring_pop(calls).call;
		if (call == NULL)
			continue;
		for (unsigned left = call->commands - call->replied; left > 1; left--)
			(void)ring_pop(calls);
		if (call->late) {
			late_end(call, false);
			continue;
		}
		list_remove(&call->link);
		call->active = false;
		store->stats.lost++;
		call->on_done(call, STORE_LOST);
	}
	ev_timer_stop(store->loop, &calls->timer);
}

static int64_t next_due(const struct store *store)
{
	const struct calls *calls = &store->calls;
	int64_t due = calls->ring[calls->head].sent_us + store->config.stall_us;

	if (!list_empty(&calls->deadlines)) {
		const struct store_call *call = LIST_ENTRY(calls->deadlines.next, struct store_call, link);
		if (call->deadline_us < due)
			due = call->deadline_us;
	}
	return due;
}

static void arm_timer(struct store *store)
{
	struct calls *calls = &store->calls;

	if (calls->pending == 0)
		return;
	int64_t due = next_due(store);
	if (ev_is_active(&calls->timer) && calls->timer_us <= due)
		return;
	int64_t wait = due - clock_mono_us();
	ev_timer_stop(store->loop, &calls->timer);
	ev_timer_set(&calls->timer, (double)(wait > TIMER_FLOOR_US ? wait : TIMER_FLOOR_US) / 1e6, 0.);
	ev_timer_start(store->loop, &calls->timer);
	calls->timer_us = due;
}

static void expire(struct store *store, int64_t now)
{
	struct list *first;

	while ((first = list_first(&store->calls.deadlines)) != NULL) {
		struct store_call *call = LIST_ENTRY(first, struct store_call, link);
		if (call->deadline_us > now)
			return;
		list_remove(&call->link);
		call->late = true;
		store->stats.late++;
		probe_late(store);
		call->on_done(call, STORE_LATE);
	}
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct store *store = w->data;
	struct calls *calls = &store->calls;
	int64_t now = clock_mono_us();

	(void)loop;
	(void)revents;
	expire(store, now);
	if (calls->pending > 0 && now - calls->ring[calls->head].sent_us >= store->config.stall_us)
		link_drop(&store->link, "stalled");
	else
		arm_timer(store);
}

bool calls_init(struct store *store)
{
	struct calls *calls = &store->calls;

	calls->size = store->config.max_pending + OWN_RESERVE;
	calls->ring = calloc(calls->size, sizeof(*calls->ring));
	list_init(&calls->deadlines);
	ev_timer_init(&calls->timer, on_timer, 0., 0.);
	calls->timer.data = store;
	/* After the sockets: a reply that has arrived is not late because the loop was. */
	ev_set_priority(&calls->timer, -1);
	return calls->ring != NULL;
}

void calls_done(struct store *store)
{
	ev_timer_stop(store->loop, &store->calls.timer);
	free(store->calls.ring);
	wire_done(&store->calls.wire);
}

/* Hands the request to hiredis. When memory is short in the midst of it the link is dropped by the
 * loop, and until then nothing more may be sent or replies would be taken for others'. */
static void transmit(struct store *store, struct slot slot)
{
	struct wire *wire = &store->calls.wire;

	slot.sent_us = clock_mono_us();
	for (unsigned i = 0; i < wire->count; i++) {
		ring_push(&store->calls, slot);
		if (!store->condemned && !link_send(&store->link, &command, wire_command(wire, i)))
			store->condemned = true;
	}
	store->stats.commands += wire->count;
	arm_timer(store);
}

static bool has_room(const struct store *store, unsigned room)
{
	return store->link.state == LINK_READY && !store->condemned &&
	       store->calls.pending + store->calls.wire.count <= store->config.max_pending + room &&
	       store->calls.wire.count > 0 && !store->calls.wire.failed;
}

bool calls_send_own(struct store *store, own_reply_fn *own, int argc, const char *const *argv)
{
	store->calls.building = NULL;
	wire_reset(&store->calls.wire);
	wire_add_words(&store->calls.wire, argc, argv);
	if (!has_room(store, OWN_RESERVE))
		return false;
	transmit(store, (struct slot){.own = own});
	return true;
}

void store_begin(struct store *store, struct store_call *call, int64_t deadline_us)
{
	store->calls.building = NULL;
	wire_reset(&store->calls.wire);
	if (call->active)
		return;
	call->store = store;
	call->deadline_us = deadline_us;
	call->commands = 0;
	call->replied = 0;
	call->late = false;
	list_init(&call->link);
	if (store->up)
		store->calls.building = call;
}

void store_command(struct store_call *call, int argc, const char *const *argv, const size_t *argvlen)
{
	struct calls *calls = &call->store->calls;

	if (calls->building == call)
		wire_add(&calls->wire, argc, argv, argvlen);
}

/* Calls mostly have the same time to live, so the place is found at the end at once. */
static void insert_by_deadline(struct list *deadlines, struct store_call *call)
{
	struct list *after = deadlines->prev;

	while (after != deadlines &&
	       LIST_ENTRY(after, struct store_call, link)->deadline_us > call->deadline_us)
		after = after->prev;
	list_append(after->next, &call->link);
}

bool store_send(struct store_call *call)
{
	struct store *store = call->store;
	bool wanted = store->calls.building == call;

	store->calls.building = NULL;
	if (!wanted || !store->up || !has_room(store, 0) || call->deadline_us <= clock_mono_us()) {
		store->stats.refused++;
		return false;
	}
	store->stats.calls++;
	call->active = true;
	call->commands = store->calls.wire.count;
	insert_by_deadline(&store->calls.deadlines, call);
	transmit(store, (struct slot){.call = call});
	return true;
}

bool store_post(struct store *store, int argc, const char *const *argv, const size_t *argvlen)
{
	store->calls.building = NULL;
	wire_reset(&store->calls.wire);
	wire_add(&store->calls.wire, argc, argv, argvlen);
	if (!store->probed || !has_room(store, 0)) {
		store->stats.refused++;
		return false;
	}
	transmit(store, (struct slot){.call = NULL});
	return true;
}
