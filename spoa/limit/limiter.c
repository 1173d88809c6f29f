/* The limiter as others see it: asks are checked, answered at once where that can be, or sent on their way.
 */
#include "limit/limiter.h"

#include <stdlib.h>
#include <sys/random.h>

#include "limit/flow.h"
#include "limit/verdict.h"

void limiter_config_defaults(struct limiter_config *config)
{
	*config = (struct limiter_config){
		.deadline_us = 30000,
		.deny_cache_us = 1000000,
		.lease_us = INT64_C(1800) * 1000000,
		.max_scopes = 16384,
		.max_calls = 4096,
	};
}

/* The scopes that have a limit, held. False when there is no memory to remember them. */
static bool hold_scopes(struct limiter *l, const struct limit_ask *ask, struct call_scope *scope,
			unsigned *ret_count)
{
	const struct {
		char kind;
		struct slice id;
		uint64_t rpm;
	} want[CALL_SCOPES] = {{'k', ask->key, ask->key_rpm}, {'t', ask->tenant, ask->tenant_rpm}};
	unsigned count = 0;

	for (unsigned i = 0; i < CALL_SCOPES; i++) {
		if (want[i].rpm == 0)
			continue;
		struct scope *held = scopes_hold(&l->scopes, want[i].kind, want[i].id);
		if (held == NULL) {
			flow_release_scopes(scope, count);
			return false;
		}
		scope[count++] = (struct call_scope){
			.scope = held,
			.limit = want[i].rpm > UINT32_MAX ? UINT32_MAX : (uint32_t)want[i].rpm,
		};
	}
	*ret_count = count;
	return true;
}

static struct limit_call *call_new(struct limiter *l, const struct limit_ask *ask)
{
	struct limit_call *c = store_up(l->store) ? slab_take(&l->calls) : NULL;

	if (c == NULL)
		return NULL;
	c->limiter = l;
	c->n = ask->n;
	if (slice_copy(ask->id, c->id, sizeof(c->id)) &&
	    slice_copy(ask->ticket, c->ticket, sizeof(c->ticket)) &&
	    slice_copy(ask->key, c->key, sizeof(c->key)) &&
	    slice_copy(ask->tenant, c->tenant, sizeof(c->tenant)))
		return c;
	slab_give(&l->calls, c);
	return NULL;
}

/* Asks Redis. NULL when that cannot be, then nothing has happened. */
static struct limit_call *start(struct limiter *l, const struct limit_ask *ask,
				const struct call_scope *scope, unsigned scopes, limit_done_fn *fn, void *ctx)
{
	struct limit_call *c = call_new(l, ask);

	if (c == NULL)
		return NULL;
	c->fn = fn;
	c->ctx = ctx;
	memcpy(c->scope, scope, sizeof(c->scope));
	c->scopes = scopes;
	bool full = !verdict_room(scope, scopes, ask->n, limiter_now_us(l) / 1000000);
	if (flow_start(c, full && !ask->again)) {
		l->stats.calls++;
		return c;
	}
	slab_give(&l->calls, c);
	return NULL;
}

static bool ask_valid(const struct limit_ask *ask)
{
	return ask->n > 0 && admission_id_valid(ask->id) && admission_id_valid(ask->ticket) &&
	       admission_id_valid(ask->key) && admission_id_valid(ask->tenant);
}

struct limit_call *limiter_admit(struct limiter *l, const struct limit_ask *ask, limit_done_fn *fn, void *ctx)
{
	struct call_scope scope[CALL_SCOPES] = {{.scope = NULL}};
	struct limit_verdict v = {.outcome = LIMIT_UNAVAILABLE};
	unsigned scopes = 0;

	if (!ask_valid(ask) || !hold_scopes(l, ask, scope, &scopes)) {
		flow_deliver(l, fn, ctx, &v);
		return NULL;
	}
	flow_drain(l);
	int64_t now_us = limiter_now_us(l);
	if (!ask->again && verdict_denied(scope, scopes, ask->n, now_us, l->config.deny_cache_us, &v)) {
		l->stats.denied_cached++;
	} else {
		struct limit_call *c = start(l, ask, scope, scopes, fn, ctx);
		if (c != NULL)
			return c;
		verdict_local(scope, scopes, ask->n, l->agents.alive, now_us, &v);
		l->stats.local = true;
	}
	flow_release_scopes(scope, scopes);
	flow_deliver(l, fn, ctx, &v);
	return NULL;
}

void limiter_cancel(struct limit_call *c)
{
	c->fn = NULL;
	c->limiter->stats.cancelled++;
}

static void on_state(void *ctx, bool up)
{
	struct limiter *l = ctx;

	l->epoch++;
	if (!up)
		return;
	agents_beat(&l->agents);
	flow_drain(l);
}

static bool init(struct limiter *l, struct store *store, struct ev_loop *loop)
{
	if (getrandom(&l->nonce, sizeof(l->nonce), 0) != (ssize_t)sizeof(l->nonce))
		return false;
	if (!scopes_init(&l->scopes, l->config.max_scopes))
		return false;
	if (!slab_init(&l->calls, sizeof(struct limit_call), l->config.max_calls)) {
		scopes_done(&l->scopes);
		return false;
	}
	if (agents_start(&l->agents, store, loop))
		return true;
	slab_done(&l->calls);
	scopes_done(&l->scopes);
	return false;
}

struct limiter *limiter_new(struct store *store, struct ev_loop *loop, const struct limiter_config *config)
{
	struct limiter *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->store = store;
	l->config = *config;
	list_init(&l->stranded);
	if (l->config.deny_cache_us > 1000000)
		l->config.deny_cache_us = 1000000;
	if (!init(l, store, loop)) {
		free(l);
		return NULL;
	}
	store_on_state(store, on_state, l);
	return l;
}

void limiter_free(struct limiter **limiter)
{
	struct limiter *l = *limiter;

	if (l == NULL)
		return;
	agents_stop(&l->agents);
	slab_done(&l->calls);
	scopes_done(&l->scopes);
	free(l);
	*limiter = NULL;
}

void limiter_stats(const struct limiter *l, struct limiter_stats *ret)
{
	*ret = l->stats;
	ret->scopes = (unsigned)l->scopes.table.count;
	ret->agents = l->agents.alive;
}
