/* The gate's own state, shared by its files. Internal to the gate. */
#ifndef TOLLGATE_GATE_STATE_H
#define TOLLGATE_GATE_STATE_H

#include "gate/budget.h"
#include "gate/gate.h"
#include "gate/inflight.h"
#include "gate/request.h"

struct orphans;

struct gate {
	struct gate_config config;
	struct gate_parts parts;
	struct gate_stats stats;
	struct inflight *inflight;
	struct budget *budget;
	struct orphans *orphans;
	struct list unused;     /* requests */
	struct request **slabs; /* requests are made a slab at a time, when they are first needed */
	unsigned slab_count;
	unsigned slab_max;
	ev_timer tick;
};

/* decide.c: the frame of `r` is complete. */
void decide(struct request *r);

/* gate.c: NULL when as many are in progress as may be. What is in it is of an earlier request. */
struct request *gate_request_take(struct gate *gate);
void gate_request_release(struct request *r);

/* finish.c: answers with `reason` and ends the decision. */
void gate_finish(struct request *r, enum reason reason);

/* finish.c: ends a decision that nobody waits for. */
void gate_drop(struct request *r);

/* ending.c: gives back what an entry holds and forgets it. */
void ending_forget(struct gate *gate, struct inflight_entry *entry);

/* ending.c: once a second; gives up streams whose end was never heard. */
void ending_expire(struct gate *gate, int64_t now_us);

/* orphans.c: completions of requests that this agent does not know. They are looked up in Redis after
 * a pause, in which the agent that does know them has ended them. NULL when memory is short. */
struct orphans *orphans_new(struct gate *gate, unsigned capacity);
void orphans_free(struct orphans **orphans);
void orphans_add(struct orphans *orphans, const struct completion *line);
void orphans_tick(struct orphans *orphans, int64_t now_us);

/* ending.c: writes the completion record. */
void ending_record(struct gate *gate, const struct stream_end *end, const struct audit_request *request);
void stream_end_from(struct stream_end *end, const struct completion *line);

#endif
