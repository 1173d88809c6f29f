/* The gate's life and its pool of requests. */
#include "gate/gate.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "base/clock.h"
#include "gate/state.h"

enum { SLAB_REQUESTS = 64, ORPHANS_MAX = 8192, BUDGET_TENANTS = 4096 };

/* ---- the pool ---- */

static bool slab_add(struct gate *gate)
{
	if (gate->slab_count == gate->slab_max)
		return false;
	struct request *slab = calloc(SLAB_REQUESTS, sizeof(*slab));
	if (slab == NULL)
		return false;
	gate->slabs[gate->slab_count++] = slab;
	for (unsigned i = 0; i < SLAB_REQUESTS; i++)
		list_append(&gate->unused, &slab[i].link);
	return true;
}

struct request *gate_request_take(struct gate *gate)
{
	if (list_empty(&gate->unused) && !slab_add(gate))
		return NULL;
	struct list *link = list_first(&gate->unused);
	struct request *r = LIST_ENTRY(link, struct request, link);
	list_remove(link);
	gate->stats.deciding++;
	return r;
}

void gate_request_release(struct request *r)
{
	OPENSSL_cleanse(r->credential, sizeof(r->credential));
	OPENSSL_cleanse(&r->scan, sizeof(r->scan)); /* holds the last bytes of what it read */
	if (r->entry != NULL && r->entry->request == r)
		r->entry->request = NULL;
	r->entry = NULL;
	r->busy = false;
	r->gate->stats.deciding--;
	list_append(&r->gate->unused, &r->link);
}

/* ---- life ---- */

static void on_tick(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct gate *gate = timer->data;
	int64_t now = clock_mono_us();

	(void)loop;
	(void)revents;
	ending_expire(gate, now);
	orphans_tick(gate->orphans, now);
}

struct gate *gate_new(const struct gate_config *config, const struct gate_parts *parts)
{
	struct gate *gate = calloc(1, sizeof(*gate));

	if (gate == NULL)
		return NULL;
	gate->config = *config;
	gate->parts = *parts;
	list_init(&gate->unused);
	gate->slab_max = (config->max_requests + SLAB_REQUESTS - 1) / SLAB_REQUESTS;
	gate->slabs = calloc(gate->slab_max, sizeof(struct request *));
	gate->inflight = inflight_new(config->max_inflight);
	gate->budget = budget_new(config->byte_budget, BUDGET_TENANTS);
	gate->orphans = orphans_new(gate, ORPHANS_MAX);
	metrics_histogram_init(&gate->stats.decision_seconds, &metrics_bounds_decision);
	metrics_histogram_init(&gate->stats.first_byte_seconds, &metrics_bounds_ttft);
	metrics_histogram_init(&gate->stats.request_seconds, &metrics_bounds_request);
	metrics_histogram_init(&gate->stats.queue_seconds, &metrics_bounds_request);
	ev_timer_init(&gate->tick, on_tick, 1.0, 1.0);
	gate->tick.data = gate;
	if (!gate->slabs || !gate->inflight || !gate->budget || !gate->orphans) {
		gate_free(&gate);
		return NULL;
	}
	ev_timer_start(parts->loop, &gate->tick);
	return gate;
}

void gate_stop(struct gate *gate)
{
	ev_timer_stop(gate->parts.loop, &gate->tick);
	for (unsigned i = 0; i < gate->slab_count; i++) {
		for (unsigned j = 0; j < SLAB_REQUESTS; j++) {
			struct request *r = &gate->slabs[i][j];
			if (r->busy && !r->reading)
				gate_drop(r);
		}
	}
}

void gate_free(struct gate **gate_ptr)
{
	struct gate *gate = *gate_ptr;

	if (gate == NULL)
		return;
	orphans_free(&gate->orphans);
	inflight_free(&gate->inflight);
	budget_free(&gate->budget);
	for (unsigned i = 0; i < gate->slab_count; i++) {
		OPENSSL_cleanse(gate->slabs[i], SLAB_REQUESTS * sizeof(*gate->slabs[i]));
		free(gate->slabs[i]);
	}
	free(gate->slabs);
	free(gate);
	*gate_ptr = NULL;
}

void gate_set_peppers(struct gate *gate, const struct peppers *peppers)
{
	gate->parts.peppers = peppers;
}

const struct gate_stats *gate_stats(struct gate *gate)
{
	gate->stats.open = inflight_count(gate->inflight, INFLIGHT_OPEN);
	gate->stats.admitted = inflight_count(gate->inflight, INFLIGHT_ADMITTED) +
			       inflight_count(gate->inflight, INFLIGHT_ENDING);
	gate->stats.budget_bytes = budget_used(gate->budget);
	return &gate->stats;
}
