/* How many agents live: each writes its heartbeat into the sorted set tg:agents, scored by Redis' time. */
#ifndef TOLLGATE_LIMIT_AGENTS_H
#define TOLLGATE_LIMIT_AGENTS_H

#include <ev.h>

#include "store/store.h"

enum { AGENTS_BEAT_S = 5, AGENTS_DEAD_S = 15 };

struct agents {
	struct store *store;
	struct ev_loop *loop;
	struct ev_timer beat;
	struct store_call call;
	char id[17];    /* random a start, so that a restarted agent is not taken for two for longer than
			   its old heartbeat lasts */
	unsigned alive; /* last known, 1 or more */
};

/* False with errno when there is no randomness. The first heartbeat leaves when the loop first turns. */
bool agents_start(struct agents *agents, struct store *store, struct ev_loop *loop)
	__attribute__((warn_unused_result));
void agents_stop(struct agents *agents);

/* Beats now: after the connection came back. */
void agents_beat(struct agents *agents);

#endif
