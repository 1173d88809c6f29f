/* The chain of a decision: route and credential, then the records, then the limits. Each stage goes on
 * at once when the answer is at hand and from a callback when it is not. */
#include "base/clock.h"
#include "gate/state.h"

static void on_limit(void *ctx, const struct limit_verdict *verdict)
{
	struct request *r = ctx;

	r->limit_call = NULL;
	r->limit = *verdict;
	switch (verdict->outcome) {
	case LIMIT_ADMITTED:
		gate_finish(r, REASON_OK);
		return;
	case LIMIT_LIMITED:
		gate_finish(r, verdict->scope == LIMIT_SCOPE_TENANT ? REASON_TENANT_RATE : REASON_KEY_RATE);
		return;
	case LIMIT_UNAVAILABLE:
		break;
	}
	gate_finish(r, REASON_INTERNAL);
}

static void ask_limiter(struct request *r)
{
	struct limit_ask ask = {
		.id = slice_of(r->entry->id),
		.ticket = slice_of(r->entry->ticket),
		.key = slice_of(r->grant.key_id),
		.tenant = slice_of(r->grant.tenant),
		.key_rpm = r->grant.key_rpm,
		.tenant_rpm = r->grant.tenant_rpm,
		.n = 1,
		.again = r->again,
	};
	/* When the verdict comes at once, r belongs to another request by the time the call returns. */
	struct limit_call *call = limiter_admit(r->gate->parts.limiter, &ask, on_limit, r);

	if (call != NULL)
		r->limit_call = call;
}

/* `identify` holds the body's declared bytes until the request is admitted, refused or gone. */
static enum reason take_budget(struct request *r)
{
	struct inflight_entry *entry = r->entry;

	if (entry->budget > 0 || r->body_size == 0)
		return REASON_OK;
	if (!budget_take(r->gate->budget, slice_of(r->grant.tenant), r->body_size))
		return REASON_BODY_BUDGET;
	memcpy(entry->tenant, r->grant.tenant, sizeof(entry->tenant));
	entry->budget = r->body_size;
	return REASON_OK;
}

static void on_records(struct request *r, enum directory_outcome outcome,
		       const struct directory_answer *answer)
{
	if (outcome == DIRECTORY_UNKNOWN) {
		key_verify_nothing(r->gate->parts.peppers, r->secret);
		gate_finish(r, REASON_INVALID_KEY);
		return;
	}
	if (outcome != DIRECTORY_FOUND) {
		gate_finish(r, REASON_STORE);
		return;
	}
	enum reason reason = check_records(r, r->gate->parts.peppers, answer->key, answer->tenant,
					   clock_wall_us() / 1000000);
	if (reason == REASON_OK && !r->admit)
		reason = take_budget(r);
	/* Before the limits are charged: a refusal for the audit log's sake costs the client nothing. */
	if (reason == REASON_OK && !r->gate->config.admit_without_audit &&
	    !audit_writable(r->gate->parts.audit))
		reason = REASON_AUDIT;
	if (reason == REASON_OK && r->admit)
		ask_limiter(r);
	else
		gate_finish(r, reason);
}

static void on_directory(struct directory_ask *ask, enum directory_outcome outcome,
			 const struct directory_answer *answer)
{
	on_records(LIST_ENTRY(ask, struct request, ask), outcome, answer);
}

void decide(struct request *r)
{
	struct key key;
	struct directory_answer answer;
	enum reason reason = check_request(r, &key);

	if (reason != REASON_OK) {
		gate_finish(r, reason);
		return;
	}
	r->secret = key.secret;
	enum directory_outcome outcome =
		directory_resolve(r->gate->parts.directory, key.id, &r->ask, on_directory, &answer);
	if (outcome != DIRECTORY_PENDING)
		on_records(r, outcome, &answer);
}
