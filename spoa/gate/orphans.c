/* Completions of requests that this agent does not know: another agent admitted them, or this one did
 * before it was restarted. After a pause, in which their own agent ends them, Redis is asked. */
#include <openssl/crypto.h>
#include <stdlib.h>

#include "base/clock.h"
#include "gate/state.h"

#define ORPHAN_PAUSE_US ((int64_t)1500000)

struct orphan {
	int64_t heard_us;
	char id[INFLIGHT_ID_MAX + 1];
	char ticket[INFLIGHT_ID_MAX + 1];
	char key_id[KEY_ID_LEN + 1];
	char tenant[RECORD_TENANT_MAX + 1];
	struct stream_end end;
	struct gate *gate;
	bool asking; /* Redis is being asked; the place is not free */
};

struct orphans {
	struct gate *gate;
	struct orphan *ring;
	unsigned capacity;
	unsigned head;  /* oldest that waits */
	unsigned count; /* that wait */
};

struct orphans *orphans_new(struct gate *gate, unsigned capacity)
{
	struct orphans *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->gate = gate;
	o->capacity = capacity;
	o->ring = calloc(capacity, sizeof(*o->ring));
	if (o->ring == NULL)
		orphans_free(&o);
	return o;
}

void orphans_free(struct orphans **orphans)
{
	if (*orphans == NULL)
		return;
	free((*orphans)->ring);
	free(*orphans);
	*orphans = NULL;
}

/* When the ring is full the line is given up: its own agent, if there is one, needs no help. */
void orphans_add(struct orphans *o, const struct completion *line)
{
	struct orphan *slot = &o->ring[(o->head + o->count) % o->capacity];

	if (o->count == o->capacity || slot->asking) {
		o->gate->stats.completions_dropped++;
		return;
	}
	if (!slice_copy(line->id, slot->id, sizeof(slot->id)) ||
	    !slice_copy(line->ticket, slot->ticket, sizeof(slot->ticket)))
		return;
	stream_end_from(&slot->end, line);
	slot->heard_us = clock_mono_us();
	slot->gate = o->gate;
	o->count++;
}

static void on_end(void *ctx, enum admission_fate fate)
{
	struct orphan *orphan = ctx;
	struct audit_request request = {
		.id = slice_of(orphan->id),
		.key_id = slice_of(orphan->key_id),
		.tenant = slice_of(orphan->tenant),
	};

	orphan->asking = false;
	if (fate != ADMISSION_MINE)
		return;
	orphan->gate->stats.completions_recovered++;
	ending_record(orphan->gate, &orphan->end, &request);
}

static void on_found(void *ctx, bool known, const struct admission_attempt *attempt)
{
	struct orphan *orphan = ctx;
	size_t ticket_len = strlen(orphan->ticket);

	if (!known)
		orphan->gate->stats.completions_dropped++;
	if (!known || attempt == NULL || attempt->ticket.n != ticket_len ||
	    CRYPTO_memcmp(attempt->ticket.p, orphan->ticket, ticket_len) != 0 ||
	    !slice_copy(attempt->key, orphan->key_id, sizeof(orphan->key_id)) ||
	    !slice_copy(attempt->tenant, orphan->tenant, sizeof(orphan->tenant))) {
		orphan->asking = false;
		return;
	}
	admission_end(orphan->gate->parts.admissions, slice_of(orphan->id), on_end, orphan);
}

void orphans_tick(struct orphans *o, int64_t now_us)
{
	while (o->count > 0) {
		struct orphan *oldest = &o->ring[o->head];
		if (now_us - oldest->heard_us < ORPHAN_PAUSE_US)
			return;
		o->head = (o->head + 1) % o->capacity;
		o->count--;
		oldest->asking = true;
		admission_find(o->gate->parts.admissions, slice_of(oldest->id), on_found, oldest);
	}
}
