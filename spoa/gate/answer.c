/* Variables and error bodies. The verdict is the first variable of every answer: HAProxy stops at the
 * first action it does not like, and without a verdict nothing passes. */
#include "gate/answer.h"

#include "base/strbuf.h"

enum { ANSWER_MAX = 4096, ERROR_MAX = 2048, UNAVAILABLE_RETRY_S = 1 };

static struct slice refusal_message(const struct request *r, char *buf, size_t cap)
{
	struct strbuf sb = strbuf_over(buf, cap);

	if (r->message[0] != '\0')
		return slice_of(r->message);
	if (r->reason != REASON_KEY_RATE && r->reason != REASON_TENANT_RATE)
		return slice_of(reason_message(r->reason));
	strbuf_printf(&sb, "%s limit of %u requests a minute is reached; retry in %u s",
		      r->reason == REASON_KEY_RATE ? "the API key's" : "the tenant's", r->limit.limit,
		      r->limit.retry_after_s);
	return strbuf_slice(&sb);
}

static void put_refusal(struct spop_actions *out, enum reason reason, enum dialect dialect,
			struct slice message, struct slice id)
{
	char error[ERROR_MAX];
	struct strbuf sb = strbuf_over(error, sizeof(error));

	dialect_error(&sb, dialect, reason_status(reason), message, NULL, id);
	spop_actions_int(out, "status", reason_status(reason));
	spop_actions_str(out, "reason", slice_of(reason_name(reason)));
	spop_actions_str(out, "error", strbuf_slice(&sb));
	if (reason_verdict(reason) == VERDICT_UNAVAILABLE)
		spop_actions_int(out, "retry_after", UNAVAILABLE_RETRY_S);
}

static void put_verdict(struct spop_actions *out, enum reason reason)
{
	spop_actions_str(out, "verdict", slice_of(verdict_name(reason_verdict(reason))));
}

/* The policy that is nearest to refusing; HAProxy makes the header families of it. */
static void put_limit(struct spop_actions *out, const struct limit_verdict *limit)
{
	if (limit->limit == 0)
		return;
	spop_actions_str(out, "rate_policy", slice_of(limit->scope == LIMIT_SCOPE_TENANT ? "tenant" : "key"));
	spop_actions_int(out, "rate_limit", limit->limit);
	spop_actions_int(out, "rate_remaining", limit->remaining);
	spop_actions_int(out, "rate_reset", limit->reset_s);
	if (limit->retry_after_s > 0)
		spop_actions_int(out, "retry_after", limit->retry_after_s);
}

static void put_identity(struct spop_actions *out, const char *key_id, const char *tenant)
{
	if (key_id[0] == '\0')
		return;
	spop_actions_str(out, "key", slice_of(key_id));
	spop_actions_str(out, "tenant", slice_of(tenant));
}

/* The entry holds all that an admission says, so that it can be said twice. */
static void put_admitted(struct spop_actions *out, const struct inflight_entry *entry)
{
	put_verdict(out, REASON_OK);
	spop_actions_str(out, "route", SLICE_LIT("ollama"));
	spop_actions_int(out, "priority", entry->priority);
	if (entry->model[0] != '\0')
		spop_actions_str(out, "model", slice_of(entry->model));
	if (entry->wanted_node[0] != '\0')
		spop_actions_str(out, "node", slice_of(entry->wanted_node));
	put_identity(out, entry->key_id, entry->tenant);
	put_limit(out, &entry->limit);
}

static void put_refused(struct spop_actions *out, const struct request *r)
{
	char message[REQUEST_MESSAGE_MAX];

	put_verdict(out, r->reason);
	put_refusal(out, r->reason, r->dialect, refusal_message(r, message, sizeof(message)),
		    r->entry ? slice_of(r->entry->id) : (struct slice){NULL, 0});
	put_identity(out, r->grant.key_id, r->grant.tenant);
	put_limit(out, &r->limit);
}

/* A connection that is gone has nobody waiting. */
static void reply_to(const struct spop_ref *refs, unsigned count, const struct spop_actions *out)
{
	for (unsigned i = 0; i < count; i++)
		(void)spop_reply(refs[i], out);
}

void answer_request(const struct request *r)
{
	uint8_t buf[ANSWER_MAX];
	struct spop_actions out = spop_actions_over(buf, sizeof(buf));

	if (r->reason != REASON_OK) {
		put_refused(&out, r);
	} else if (r->admit) {
		put_admitted(&out, r->entry);
	} else {
		spop_actions_str(&out, "who", SLICE_LIT("known"));
		put_identity(&out, r->grant.key_id, r->grant.tenant);
	}
	reply_to(r->refs, r->ref_count, &out);
}

void answer_again(struct spop_ref ref, const struct inflight_entry *entry)
{
	uint8_t buf[ANSWER_MAX];
	struct spop_actions out = spop_actions_over(buf, sizeof(buf));

	put_admitted(&out, entry);
	reply_to(&ref, 1, &out);
}

void answer_refusal(struct spop_ref ref, enum reason reason, enum dialect dialect, struct slice id)
{
	uint8_t buf[ANSWER_MAX];
	struct spop_actions out = spop_actions_over(buf, sizeof(buf));

	put_verdict(&out, reason);
	put_refusal(&out, reason, dialect, slice_of(reason_message(reason)), id);
	reply_to(&ref, 1, &out);
}
