/* What the files of the store share: calls.c keeps what is in flight, probe.c asks how Redis does,
 * track.c hears of changed keys, store.c holds them together. */
#ifndef TOLLGATE_STORE_INTERNAL_H
#define TOLLGATE_STORE_INTERNAL_H

#include "store/link.h"

struct track;

/* Reply to a command of the store itself; sent_us is monotonic. */
typedef void own_reply_fn(struct store *store, int64_t sent_us, const redisReply *reply);

/* A command in flight: part of a call, or the store's own, or (neither) posted. */
struct slot {
	int64_t sent_us;
	struct store_call *call;
	own_reply_fn *own;
};

struct calls {
	struct slot *ring; /* oldest first; replies come in this order */
	unsigned size;
	unsigned head;
	unsigned pending;
	struct list deadlines; /* calls not yet late, soonest first */
	ev_timer timer;        /* for the soonest deadline or the oldest command's stall */
	int64_t timer_us;      /* when it will fire */
	struct wire wire;
	struct store_call *building;
};

struct probe {
	ev_timer next;
	bool waiting;
	bool measured;          /* clock_delta_us is known */
	int64_t best_trip_us;   /* of TIME, slowly forgotten */
	int64_t clock_delta_us; /* Redis' clock minus this host's monotonic one */
};

struct listener {
	store_state_fn *fn;
	void *ctx;
};

struct store {
	struct ev_loop *loop;
	struct store_config config;
	struct store_url url;
	struct link link;
	struct calls calls;
	struct probe probe;
	struct track *track; /* NULL until somebody wants to hear */
	bool up;             /* as the listeners were told */
	bool probed;         /* this connection has answered a probe */
	bool condemned;      /* Redis said that it cannot serve: drop the link when nothing is in flight */
	bool breaker_open;
	unsigned late_run; /* calls late in a row */
	struct listener listeners[STORE_LISTENERS];
	unsigned listener_count;
	struct store_stats stats;
};

/* store.c: recomputes `up` and tells its listeners of a change. */
void store_update(struct store *store);

bool calls_init(struct store *store);
void calls_done(struct store *store);

/* Ends every call in flight after the connection broke. */
void calls_lose(struct store *store);

/* A command of the store's own; `own` may be NULL. */
bool calls_send_own(struct store *store, own_reply_fn *own, int argc, const char *const *argv);

void probe_init(struct store *store);
void probe_start(struct store *store);
void probe_stop(struct store *store);

/* A call was late: opens the breaker after too many in a row. */
void probe_late(struct store *store);

void track_start(struct track *track);
void track_stop(struct track *track);
void track_free(struct track **track);

/* The fields of the statistics that are the track's. */
void track_stats(const struct track *track, struct store_stats *ret);

#endif
