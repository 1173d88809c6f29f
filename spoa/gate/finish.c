/* The end of a decision: it is written down, answered, and followed to the end of its stream. */
#include "base/clock.h"
#include "gate/answer.h"
#include "gate/state.h"

/* False when the audit log did not take it. */
static bool record_decision(struct request *r)
{
	struct audit_decision d;

	audit_decision_init(&d);
	d.request.id = slice_of(r->entry->id);
	d.request.key_id = slice_of(r->grant.key_id);
	d.request.tenant = slice_of(r->grant.tenant);
	d.request.src = slice_of(r->source);
	d.request.method = slice_of(r->method);
	d.request.route = r->match.route ? slice_of(r->match.route->name) : (struct slice){NULL, 0};
	d.request.model = r->has_model ? name_slice(&r->model) : (struct slice){NULL, 0};
	d.admitted = r->reason == REASON_OK;
	d.verdict = slice_of(verdict_name(reason_verdict(r->reason)));
	d.reason = slice_of(reason_name(r->reason));
	d.status = reason_status(r->reason);
	/* Of a request that is refused it is only a client's header. */
	d.node = d.admitted ? slice_of(r->node) : (struct slice){NULL, 0};
	d.bytes_in = (int64_t)r->body_size;
	d.duration_us = clock_mono_us() - r->started_us;
	if (r->limit.limit > 0) {
		d.policy = slice_of(r->limit.scope == LIMIT_SCOPE_TENANT ? "tenant" : "key");
		d.mode = slice_of(r->limit.mode == LIMIT_MODE_LOCAL ? "local" : "redis");
		d.limit = r->limit.limit;
		d.remaining = r->limit.remaining;
		d.used = (int64_t)r->limit.limit - r->limit.remaining;
	}
	if (audit_decision(r->gate->parts.audit, &d))
		return true;
	r->gate->stats.audit_refused++;
	return false;
}

static void ignore_end(void *ctx, enum admission_fate fate)
{
	(void)ctx;
	(void)fate;
}

/* An admission that cannot be written down is not given, and what Redis knows of it is removed. */
static void withdraw(struct request *r)
{
	if (r->limit.mode == LIMIT_MODE_REDIS)
		admission_end(r->gate->parts.admissions, slice_of(r->entry->id), ignore_end, NULL);
	r->reason = REASON_AUDIT;
}

static void entry_admit(struct request *r)
{
	struct gate *gate = r->gate;
	struct inflight_entry *entry = r->entry;

	if (entry->budget > 0)
		budget_give(gate->budget, slice_of(entry->tenant), entry->budget);
	entry->budget = 0;
	memcpy(entry->key_id, r->grant.key_id, sizeof(entry->key_id));
	memcpy(entry->tenant, r->grant.tenant, sizeof(entry->tenant));
	memcpy(entry->model, r->model.text, r->has_model ? sizeof(entry->model) : 1);
	memcpy(entry->wanted_node, r->node, sizeof(entry->wanted_node));
	entry->priority = r->grant.priority;
	entry->limit = r->limit;
	entry->recorded = r->limit.mode == LIMIT_MODE_REDIS;
	inflight_move(gate->inflight, entry, INFLIGHT_ADMITTED, clock_mono_us());
}

void gate_finish(struct request *r, enum reason reason)
{
	struct gate *gate = r->gate;
	bool identified = !r->admit && reason == REASON_OK;

	r->reason = reason;
	bool recorded = identified || record_decision(r);
	if (!recorded && reason == REASON_OK && !gate->config.admit_without_audit)
		withdraw(r);
	if (identified)
		gate->stats.identified++;
	else
		gate->stats.decisions[r->reason]++;
	metrics_observe(&gate->stats.decision_seconds, (double)(clock_mono_us() - r->started_us) / 1e6);
	if (r->reason == REASON_OK && r->admit)
		entry_admit(r);
	answer_request(r);
	if (r->reason != REASON_OK)
		ending_forget(gate, r->entry);
	gate_request_release(r);
}

void gate_drop(struct request *r)
{
	directory_cancel(&r->ask);
	if (r->limit_call != NULL)
		limiter_cancel(r->limit_call);
	r->limit_call = NULL;
	r->gate->stats.cancelled++;
	/* Nobody waits for it, but the connection counts what it has not answered. */
	r->reason = REASON_INTERNAL;
	answer_request(r);
	gate_request_release(r);
}
