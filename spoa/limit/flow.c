/* An admission under way, from round trip to round trip, and the cleaning up behind it. */
#include "limit/flow.h"

#include "base/clock.h"
#include "limit/verdict.h"

void flow_deliver(struct limiter *l, limit_done_fn *fn, void *ctx, const struct limit_verdict *v)
{
	l->stats.verdicts[v->outcome][v->mode]++;
	fn(ctx, v);
}

static void answer(struct limit_call *c, const struct limit_verdict *v)
{
	limit_done_fn *fn = c->fn;

	if (fn == NULL)
		return;
	c->fn = NULL;
	c->limiter->stats.local = v->mode == LIMIT_MODE_LOCAL;
	flow_deliver(c->limiter, fn, c->ctx, v);
}

static void answer_local(struct limit_call *c)
{
	struct limiter *l = c->limiter;
	struct limit_verdict v;

	if (c->fn == NULL)
		return;
	verdict_local(c->scope, c->scopes, c->n, l->agents.alive, limiter_now_us(l), &v);
	answer(c, &v);
}

static void answer_limited(struct limit_call *c)
{
	struct limit_verdict v;

	if (c->fn == NULL)
		return;
	verdict_limited(c->scope, c->scopes, c->n, limiter_now_us(c->limiter), &v);
	v.repeated = c->repeated;
	answer(c, &v);
}

static void answer_superseded(struct limit_call *c)
{
	const struct limit_verdict v = {.outcome = LIMIT_UNAVAILABLE, .repeated = true};

	c->limiter->stats.superseded++;
	answer(c, &v);
}

void flow_release_scopes(struct call_scope *scope, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		scope_release(scope[i].scope);
}

static void release(struct limit_call *c)
{
	struct limiter *l = c->limiter;

	flow_release_scopes(c->scope, c->scopes);
	c->scopes = 0;
	c->fn = NULL;
	l->stats.calls--;
	slab_give(&l->calls, c);
}

static bool in_time(const struct limit_call *c)
{
	return clock_mono_us() <= c->deadline_us;
}

static void count(struct limit_call *c)
{
	c->attempts++;
	if (call_count(c))
		return;
	answer_local(c);
	release(c);
}

/* To be withdrawn when Redis can be asked again: also after its connection was lost, since what it had
 * been sent may have been executed. */
static void strand(struct limit_call *c)
{
	list_append(&c->limiter->stranded, &c->link);
}

void flow_drain(struct limiter *l)
{
	struct list *node;

	while (store_up(l->store) && (node = list_first(&l->stranded)) != NULL) {
		struct limit_call *c = LIST_ENTRY(node, struct limit_call, link);
		list_remove(node);
		if (call_withdraw(c))
			continue;
		strand(c);
		return;
	}
}

/* Refused, cancelled, late or superseded: the attempt goes, and its charge if it was still there. */
static void withdraw(struct limit_call *c)
{
	struct admission_attempt mine = call_attempt(c);

	if (c->recorded && call_withdraw(c))
		return;
	verdict_forget_charge(c->scope, c->scopes, &mine);
	answer_limited(c);
	if (c->recorded) {
		strand(c);
		return;
	}
	call_take_back(c->limiter, &mine);
	release(c);
}

static void decide(struct limit_call *c)
{
	struct limit_verdict v;

	if (!verdict_admits(c->scope, c->scopes, c->second)) {
		withdraw(c);
		return;
	}
	verdict_admitted(c->scope, c->scopes, limiter_now_us(c->limiter), &v);
	v.repeated = c->repeated;
	answer(c, &v);
	release(c);
}

static void after_probe(struct limit_call *c)
{
	int64_t now_us = limiter_now_us(c->limiter);

	if (c->fn == NULL) {
		release(c);
	} else if (c->error) {
		c->limiter->stats.errors++;
		answer_local(c);
		release(c);
	} else if (c->exists || verdict_room(c->scope, c->scopes, c->n, now_us / 1000000)) {
		count(c);
	} else {
		verdict_deny(c->scope, c->scopes, c->n, now_us);
		answer_limited(c);
		release(c);
	}
}

static void after_count(struct limit_call *c)
{
	struct limiter *l = c->limiter;

	call_mend_expiry(c);
	if (c->fn != NULL && c->error) {
		l->stats.errors++;
		answer_local(c);
	}
	if (c->fn != NULL && c->rivals > 0 && !in_time(c)) { /* HAProxy may listen to the rival by now */
		l->stats.late++;
		answer_local(c);
	}
	if (c->fn != NULL && !c->newest)
		answer_superseded(c);
	if (c->fn == NULL) {
		withdraw(c);
	} else if (c->rivals == 0) {
		decide(c);
	} else if (!call_retire(c)) {
		answer_local(c);
		withdraw(c);
	}
}

static void after_retire(struct limit_call *c)
{
	struct limiter *l = c->limiter;

	for (unsigned i = 0; i < c->rivals; i++) {
		if (!c->rival[i].removed)
			continue;
		call_take_back(l, &c->rival[i].attempt);
		verdict_forget_charge(c->scope, c->scopes, &c->rival[i].attempt);
	}
	if (!c->repeated)
		l->stats.repeated++;
	c->repeated = true;
	if (c->fn != NULL && c->error) {
		l->stats.errors++;
		answer_local(c);
	}
	if (c->fn == NULL)
		withdraw(c);
	else
		decide(c);
}

static void after_withdraw(struct limit_call *c)
{
	struct limiter *l = c->limiter;
	struct admission_attempt mine = call_attempt(c);
	int64_t now_us = limiter_now_us(l);

	if (c->removed) {
		call_take_back(l, &mine);
		verdict_forget_charge(c->scope, c->scopes, &mine);
	} else if (c->fn != NULL && !c->error) {
		answer_superseded(c);
	}
	if (c->fn == NULL) {
		release(c);
		return;
	}
	if (!c->error && c->attempts < CALL_ATTEMPTS && in_time(c) &&
	    verdict_room(c->scope, c->scopes, c->n, now_us / 1000000)) {
		l->stats.retries++;
		count(c);
		return;
	}
	if (!c->error)
		verdict_deny(c->scope, c->scopes, c->n, now_us);
	answer_limited(c);
	release(c);
}

static void advance(struct limit_call *c)
{
	switch (c->stage) {
	case CALL_PROBE:
		after_probe(c);
		break;
	case CALL_COUNT:
		after_count(c);
		break;
	case CALL_RETIRE:
		after_retire(c);
		break;
	case CALL_WITHDRAW:
		after_withdraw(c);
		break;
	}
}

/* The verdict when Redis has not answered the round under way: what it said before it, or our own. */
static void answer_without(struct limit_call *c)
{
	struct admission_attempt mine = call_attempt(c);

	if (c->stage != CALL_WITHDRAW) {
		answer_local(c);
		return;
	}
	if (c->fn != NULL)
		verdict_forget_charge(c->scope, c->scopes, &mine);
	answer_limited(c);
}

static void lose(struct limit_call *c)
{
	c->limiter->stats.lost++;
	if (c->stage == CALL_PROBE) {
		release(c);
		return;
	}
	if (c->stage == CALL_COUNT) { /* if the record was written, then after every charge it names */
		c->recorded = true;
		for (unsigned i = 0; i < c->scopes; i++)
			c->scope[i].charged = true;
	}
	strand(c);
}

static void on_done(struct store_call *call, enum store_outcome outcome)
{
	struct limit_call *c = LIST_ENTRY(call, struct limit_call, call);

	switch (outcome) {
	case STORE_OK:
		advance(c);
		break;
	case STORE_LATE:
		if (c->fn != NULL)
			c->limiter->stats.late++;
		answer_without(c);
		break;
	case STORE_LOST:
		answer_without(c);
		lose(c);
		break;
	}
}

static void on_late(struct store_call *call, bool complete)
{
	struct limit_call *c = LIST_ENTRY(call, struct limit_call, call);

	if (complete)
		advance(c);
	else
		lose(c);
}

bool flow_start(struct limit_call *c, bool probe)
{
	c->call.on_reply = call_on_reply;
	c->call.on_done = on_done;
	c->call.on_late = on_late;
	c->deadline_us = clock_mono_us() + c->limiter->config.deadline_us;
	c->attempts = probe ? 0 : 1;
	c->repeated = false;
	return probe ? call_probe(c) : call_count(c);
}
