/* The ends of streams: HAProxy's line meets its admission, Redis says who writes it down, and what was
 * never heard of again is given up. */
#include "base/clock.h"
#include "gate/state.h"

#define OPEN_MAX_US (60 * (int64_t)1000000) /* identified, but admit never came */

void ending_forget(struct gate *gate, struct inflight_entry *entry)
{
	if (entry->budget > 0)
		budget_give(gate->budget, slice_of(entry->tenant), entry->budget);
	entry->budget = 0;
	inflight_remove(gate->inflight, entry);
}

/* Names of our own configuration; one that does not fit is left out. */
static void copy_name(struct slice name, char buf[STREAM_END_NAME])
{
	if (!slice_copy(name, buf, STREAM_END_NAME))
		buf[0] = '\0';
}

void stream_end_from(struct stream_end *end, const struct completion *line)
{
	*end = (struct stream_end){
		.finish = line->finish,
		.status = line->status > 0 ? (int)line->status : -1,
		.retries = line->retries,
		.prompt_tokens = line->tokens_in,
		.completion_tokens = line->tokens_out,
		.bytes_in = line->bytes_up,
		.bytes_out = line->bytes_down,
		.queue_ms = line->queue_ms,
		.first_byte_ms = completion_first_byte_ms(line),
		.total_ms = line->total_ms,
	};
	copy_name(line->server, end->server);
	copy_name(line->backend, end->backend);
}

static void count_end(struct gate *gate, const struct stream_end *end)
{
	struct gate_stats *stats = &gate->stats;

	stats->completions[end->finish]++;
	metrics_observe(&stats->first_byte_seconds, (double)end->first_byte_ms / 1e3);
	metrics_observe(&stats->request_seconds, (double)end->total_ms / 1e3);
	metrics_observe(&stats->queue_seconds, (double)end->queue_ms / 1e3);
	if (end->prompt_tokens > 0)
		stats->prompt_tokens += (uint64_t)end->prompt_tokens;
	if (end->completion_tokens > 0)
		stats->completion_tokens += (uint64_t)end->completion_tokens;
}

void ending_record(struct gate *gate, const struct stream_end *end, const struct audit_request *request)
{
	struct audit_completion c;

	audit_completion_init(&c);
	c.request = *request;
	c.verdict = SLICE_LIT("admit");
	c.node = slice_of(end->server);
	c.backend = slice_of(end->backend);
	c.finish = slice_of(completion_finish_name(end->finish));
	c.status = end->status;
	c.retries = end->retries;
	c.prompt_tokens = end->prompt_tokens;
	c.completion_tokens = end->completion_tokens;
	c.bytes_in = end->bytes_in;
	c.bytes_out = end->bytes_out;
	c.queue_ms = end->queue_ms;
	c.ttft_ms = end->first_byte_ms;
	c.duration_ms = end->total_ms;
	count_end(gate, end);
	if (!audit_complete(gate->parts.audit, &c))
		gate->stats.audit_refused++;
}

static void settle(struct inflight_entry *entry)
{
	struct audit_request request = {
		.id = slice_of(entry->id),
		.key_id = slice_of(entry->key_id),
		.tenant = slice_of(entry->tenant),
		.src = slice_of(entry->source),
		.method = slice_of(entry->method),
		.route = slice_of(entry->route->name),
		.model = slice_of(entry->model),
	};
	ending_record(entry->gate, &entry->end, &request);
}

/* Another agent that got the same line may have been first; the record in Redis decides. Without an
 * answer a record twice is better than none. */
static void on_settled(void *ctx, enum admission_fate fate)
{
	struct inflight_entry *entry = ctx;
	struct gate *gate = entry->gate;

	if (fate != ADMISSION_GONE)
		settle(entry);
	inflight_remove(gate->inflight, entry);
}

static void end_admitted(struct gate *gate, struct inflight_entry *entry)
{
	entry->gate = gate;
	inflight_move(gate->inflight, entry, INFLIGHT_ENDING, clock_mono_us());
	if (entry->recorded)
		admission_end(gate->parts.admissions, slice_of(entry->id), on_settled, entry);
	else
		on_settled(entry, ADMISSION_MINE);
}

/* The stream ended while its verdict was being worked out, or HAProxy only ever identified it. */
static void end_open(struct gate *gate, struct inflight_entry *entry)
{
	struct request *r = entry->request;

	ending_forget(gate, entry);
	if (r == NULL)
		return;
	r->entry = NULL;
	if (!r->reading)
		gate_drop(r);
}

void gate_completion(struct gate *gate, char *line, size_t n)
{
	struct completion c;

	if (!completion_parse(line, n, &c)) {
		gate->stats.completions_malformed++;
		return;
	}
	struct inflight_entry *entry = inflight_end(gate->inflight, c.id, c.ticket);
	if (entry == NULL) {
		gate->stats.completions_unmatched++;
		if (slice_is(c.verdict, verdict_name(VERDICT_ADMIT)))
			orphans_add(gate->orphans, &c);
		return;
	}
	if (entry->state == INFLIGHT_OPEN) {
		end_open(gate, entry);
		return;
	}
	stream_end_from(&entry->end, &c);
	end_admitted(gate, entry);
}

void ending_expire(struct gate *gate, int64_t now_us)
{
	struct inflight_entry *entry;

	while ((entry = inflight_oldest(gate->inflight, INFLIGHT_OPEN, now_us - OPEN_MAX_US)) != NULL)
		end_open(gate, entry);
	while ((entry = inflight_oldest(gate->inflight, INFLIGHT_ADMITTED, now_us - gate->config.lease_us)) !=
	       NULL) {
		entry->end = (struct stream_end){
			.finish = COMPLETION_LOST,
			.status = -1,
			.retries = -1,
			.prompt_tokens = -1,
			.completion_tokens = -1,
			.bytes_in = -1,
			.bytes_out = -1,
			.queue_ms = -1,
			.first_byte_ms = -1,
			.total_ms = -1,
		};
		end_admitted(gate, entry);
	}
}
