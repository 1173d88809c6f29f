/* Serialisation of audit records. */
#include "audit/record.h"

#include "base/clock.h"

static const char *const type_names[AUDIT_TYPES] = {
	[AUDIT_TYPE_DECISION] = "decision",
	[AUDIT_TYPE_REFUSALS] = "refusals",
	[AUDIT_TYPE_COMPLETION] = "completion",
	[AUDIT_TYPE_START] = "start",
	[AUDIT_TYPE_STOP] = "stop",
	[AUDIT_TYPE_CONFIG_RELOAD] = "config.reload",
	[AUDIT_TYPE_ROTATE] = "rotate",
	[AUDIT_TYPE_GAP] = "gap",
};

const char *audit_type_name(enum audit_type type)
{
	return type_names[type];
}

void audit_decision_init(struct audit_decision *d)
{
	*d = (struct audit_decision){
		.status = -1, .limit = -1, .used = -1, .remaining = -1, .bytes_in = -1, .duration_us = -1};
}

void audit_completion_init(struct audit_completion *c)
{
	*c = (struct audit_completion){.status = -1,
				       .retries = -1,
				       .prompt_tokens = -1,
				       .completion_tokens = -1,
				       .bytes_in = -1,
				       .bytes_out = -1,
				       .queue_ms = -1,
				       .ttft_ms = -1,
				       .duration_ms = -1};
}

static void put_name(struct strbuf *sb, const char *name)
{
	strbuf_puts(sb, ",\"");
	strbuf_puts(sb, name);
	strbuf_puts(sb, "\":");
}

static void put_text(struct strbuf *sb, const char *name, struct slice text)
{
	if (text.n == 0)
		return;
	if (text.n > AUDIT_TEXT_MAX)
		text.n = AUDIT_TEXT_MAX;
	put_name(sb, name);
	strbuf_json(sb, text);
}

static void put_number(struct strbuf *sb, const char *name, int64_t value)
{
	if (value < 0)
		return;
	put_name(sb, name);
	strbuf_i64(sb, value);
}

static void put_count(struct strbuf *sb, const char *name, uint64_t value)
{
	put_name(sb, name);
	strbuf_u64(sb, value);
}

static void put_time(struct strbuf *sb, const char *name, int64_t wall_us)
{
	put_name(sb, name);
	strbuf_putc(sb, '"');
	clock_rfc3339(sb, wall_us);
	strbuf_putc(sb, '"');
}

static void put_head(struct strbuf *sb, int64_t now_us, enum audit_type type)
{
	strbuf_puts(sb, "\"time\":\"");
	clock_rfc3339(sb, now_us);
	strbuf_puts(sb, "\",\"type\":\"");
	strbuf_puts(sb, type_names[type]);
	strbuf_putc(sb, '"');
}

static void put_request(struct strbuf *sb, const struct audit_request *r)
{
	put_text(sb, "request_id", r->id);
	put_text(sb, "key_id", r->key_id);
	put_text(sb, "tenant", r->tenant);
	put_text(sb, "src", r->src);
	put_text(sb, "method", r->method);
	put_text(sb, "route", r->route);
	put_text(sb, "model", r->model);
}

void audit_body_decision(struct strbuf *sb, int64_t now_us, const struct audit_decision *d)
{
	put_head(sb, now_us, AUDIT_TYPE_DECISION);
	put_request(sb, &d->request);
	put_text(sb, "verdict", d->verdict);
	put_text(sb, "reason", d->reason);
	put_number(sb, "status", d->status);
	put_text(sb, "node", d->node);
	put_text(sb, "policy", d->policy);
	put_text(sb, "mode", d->mode);
	put_number(sb, "limit", d->limit);
	put_number(sb, "used", d->used);
	put_number(sb, "remaining", d->remaining);
	put_number(sb, "bytes_in", d->bytes_in);
	put_number(sb, "decision_us", d->duration_us);
}

void audit_body_completion(struct strbuf *sb, int64_t now_us, const struct audit_completion *c)
{
	put_head(sb, now_us, AUDIT_TYPE_COMPLETION);
	put_request(sb, &c->request);
	put_text(sb, "verdict", c->verdict);
	put_text(sb, "node", c->node);
	put_text(sb, "backend", c->backend);
	put_text(sb, "finish", c->finish);
	put_number(sb, "status", c->status);
	put_number(sb, "retries", c->retries);
	put_number(sb, "prompt_tokens", c->prompt_tokens);
	put_number(sb, "completion_tokens", c->completion_tokens);
	put_number(sb, "bytes_in", c->bytes_in);
	put_number(sb, "bytes_out", c->bytes_out);
	put_number(sb, "queue_ms", c->queue_ms);
	put_number(sb, "ttft_ms", c->ttft_ms);
	put_number(sb, "duration_ms", c->duration_ms);
}

void audit_body_event(struct strbuf *sb, int64_t now_us, enum audit_type type, bool ok, struct slice detail)
{
	put_head(sb, now_us, type);
	put_text(sb, "outcome", ok ? SLICE_LIT("ok") : SLICE_LIT("failed"));
	put_text(sb, "detail", detail);
}

void audit_body_refusals(struct strbuf *sb, int64_t now_us, const struct audit_refusal_sum *sum)
{
	put_head(sb, now_us, AUDIT_TYPE_REFUSALS);
	put_text(sb, sum->by_key ? "key_id" : "src", slice_of(sum->who));
	put_time(sb, "from", sum->from_us);
	put_time(sb, "until", sum->until_us);
	put_count(sb, "count", sum->count);
	put_name(sb, "reasons");
	strbuf_putc(sb, '{');
	for (unsigned i = 0; i < sum->reason_count; i++) {
		if (i > 0)
			strbuf_putc(sb, ',');
		strbuf_json(sb, slice_of(sum->reasons[i].name));
		strbuf_putc(sb, ':');
		strbuf_u64(sb, sum->reasons[i].count);
	}
	strbuf_putc(sb, '}');
}

void audit_body_rotate(struct strbuf *sb, int64_t now_us, struct slice segment, uint64_t records)
{
	put_head(sb, now_us, AUDIT_TYPE_ROTATE);
	put_text(sb, "segment", segment);
	put_count(sb, "records", records);
}

void audit_body_loss(struct strbuf *sb, int64_t now_us, const struct audit_loss *loss)
{
	put_head(sb, now_us, AUDIT_TYPE_GAP);
	put_text(sb, "cause", loss->broken ? SLICE_LIT("write_error") : SLICE_LIT("queue_full"));
	put_time(sb, "from", loss->from_us);
	put_time(sb, "until", loss->until_us);
	put_name(sb, "lost");
	char separator = '{';
	for (unsigned i = 0; i < AUDIT_TYPES; i++) {
		if (loss->count[i] == 0)
			continue;
		strbuf_putc(sb, separator);
		strbuf_json(sb, slice_of(type_names[i]));
		strbuf_putc(sb, ':');
		strbuf_u64(sb, loss->count[i]);
		separator = ',';
	}
	strbuf_putc(sb, '}');
}

void audit_body_torn(struct strbuf *sb, int64_t now_us, struct slice segment, uint64_t bytes, bool damaged)
{
	put_head(sb, now_us, AUDIT_TYPE_GAP);
	put_text(sb, "cause", damaged ? SLICE_LIT("damaged_tail") : SLICE_LIT("torn_tail"));
	put_text(sb, "segment", segment);
	put_count(sb, "bytes", bytes);
}
