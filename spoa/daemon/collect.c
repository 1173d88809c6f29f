/* One function a part. Every label combination is written from the first scrape on. */
#include "daemon/collect.h"

static const struct metrics_label *label(struct metrics_label pair[2], const char *name, const char *value)
{
	pair[0] = (struct metrics_label){name, slice_of(value)};
	pair[1] = (struct metrics_label){NULL, {NULL, 0}};
	return pair;
}

static void collect_decisions(const struct gate_stats *s, struct metrics_out *out)
{
	metrics_family(out, "tollgate_requests_total", "Decisions by verdict and reason.", METRICS_COUNTER);
	for (int i = 0; i < REASON_COUNT; i++) {
		enum reason reason = (enum reason)i;
		metrics_sample_u64(out,
				   METRICS_LABELS({"verdict", slice_of(verdict_name(reason_verdict(reason)))},
						  {"reason", slice_of(reason_name(reason))}),
				   s->decisions[i]);
	}
	metrics_counter(out, "tollgate_identified_total", "Keys found good before a large body was awaited.",
			s->identified);
	metrics_counter(out, "tollgate_questions_repeated_total",
			"Questions that HAProxy asked again because an answer took too long.", s->repeated);
	metrics_counter(out, "tollgate_decisions_cancelled_total", "Decisions whose request ended first.",
			s->cancelled);
	metrics_family(out, "tollgate_decision_duration_seconds",
		       "Time from the first byte of a question to its answer.", METRICS_HISTOGRAM);
	metrics_sample_histogram(out, NULL, &s->decision_seconds);
}

static void collect_streams(const struct gate_stats *s, struct metrics_out *out)
{
	struct metrics_label pair[2];

	metrics_family(out, "tollgate_completions_total", "Admitted requests that ended, by how.",
		       METRICS_COUNTER);
	for (int i = 0; i < COMPLETION_FINISHES; i++)
		metrics_sample_u64(out,
				   label(pair, "finish", completion_finish_name((enum completion_finish)i)),
				   s->completions[i]);
	metrics_counter(out, "tollgate_completion_lines_malformed_total",
			"Lines from HAProxy that are not understood.", s->completions_malformed);
	metrics_counter(
		out, "tollgate_completion_lines_unmatched_total",
		"Lines of requests that were refused, or are not this agent's, or carry a wrong ticket.",
		s->completions_unmatched);
	metrics_counter(out, "tollgate_completions_recovered_total",
			"Completions of requests that this process did not admit itself.",
			s->completions_recovered);
	metrics_counter(out, "tollgate_completions_dropped_total",
			"Completions of other processes' requests that could not be looked up.",
			s->completions_dropped);
	metrics_gauge(out, "tollgate_inflight_requests", "Admitted requests whose stream has not ended.",
		      s->admitted);
	metrics_gauge(out, "tollgate_deciding_requests", "Requests being decided.", s->deciding);
	metrics_gauge(out, "tollgate_open_requests", "Requests being decided or identified.", s->open);
	metrics_gauge(out, "tollgate_body_budget_used_bytes", "Declared bytes of large bodies under way.",
		      (double)s->budget_bytes);
	metrics_family(out, "tollgate_tokens_total", "Tokens that nodes reported in plain JSON answers.",
		       METRICS_COUNTER);
	metrics_sample_u64(out, label(pair, "kind", "prompt"), s->prompt_tokens);
	metrics_sample_u64(out, label(pair, "kind", "completion"), s->completion_tokens);
	metrics_family(out, "tollgate_time_to_first_token_seconds",
		       "From the admitted request to the node's first byte, queue included.",
		       METRICS_HISTOGRAM);
	metrics_sample_histogram(out, NULL, &s->first_byte_seconds);
	metrics_family(out, "tollgate_request_duration_seconds", "Whole requests, as HAProxy measured them.",
		       METRICS_HISTOGRAM);
	metrics_sample_histogram(out, NULL, &s->request_seconds);
	metrics_family(out, "tollgate_queue_wait_seconds", "Time in HAProxy's queues.", METRICS_HISTOGRAM);
	metrics_sample_histogram(out, NULL, &s->queue_seconds);
}

static void collect_gate(void *ctx, struct metrics_out *out)
{
	const struct collect *c = ctx;
	const struct gate_stats *s = gate_stats(c->gate);

	collect_decisions(s, out);
	collect_streams(s, out);
}

static void collect_spop(void *ctx, struct metrics_out *out)
{
	const struct collect *c = ctx;
	const struct spop_stats *s = spop_server_stats(c->spop);
	struct metrics_label pair[2];

	metrics_gauge(out, "tollgate_spoe_connections", "Connections from HAProxy.", s->open);
	metrics_gauge(out, "tollgate_spoe_inflight", "Questions from HAProxy that are not answered yet.",
		      s->inflight);
	metrics_counter(out, "tollgate_spoe_connections_total", "Connections accepted.", s->connections);
	metrics_counter(out, "tollgate_spoe_accept_failures_total", "Connections that could not be taken.",
			s->accept_failures);
	metrics_counter(out, "tollgate_spoe_stale_acks_total", "Answers that nobody waited for any more.",
			s->acks_stale);
	metrics_counter(out, "tollgate_spoe_reads_total", "Reads from HAProxy's connections.", s->reads);
	metrics_counter(out, "tollgate_spoe_writes_total", "Writes to HAProxy's connections.", s->writes);
	metrics_counter(out, "tollgate_spoe_received_bytes_total", "Bytes from HAProxy.", s->bytes_in);
	metrics_counter(out, "tollgate_spoe_sent_bytes_total", "Bytes to HAProxy.", s->bytes_out);
	metrics_family(out, "tollgate_spoe_frames_total", "Frames by type.", METRICS_COUNTER);
	metrics_sample_u64(out, label(pair, "type", "healthcheck"), s->healthchecks);
	metrics_sample_u64(out, label(pair, "type", "notify"), s->notifies);
	metrics_sample_u64(out, label(pair, "type", "ack"), s->acks);
	metrics_sample_u64(out, label(pair, "type", "disconnect"), s->disconnects);
	metrics_family(out, "tollgate_spoe_errors_total", "Connections ended for an error, by kind.",
		       METRICS_COUNTER);
	for (int i = 0; i < SPOP_ERRORS; i++)
		metrics_sample_u64(out, label(pair, "kind", spop_error_name((enum spop_error)i)),
				   s->errors[i]);
}

static void collect_udp(void *ctx, struct metrics_out *out)
{
	const struct collect *c = ctx;
	const struct udp_stats *s = udp_stats(c->udp);

	metrics_counter(out, "tollgate_completion_datagrams_total", "Datagrams from HAProxy.", s->datagrams);
	metrics_counter(out, "tollgate_completion_datagrams_dropped_total",
			"Datagrams the kernel dropped because the agent did not read in time.", s->dropped);
}

static void collect_store(void *ctx, struct metrics_out *out)
{
	const struct collect *c = ctx;
	struct metrics_label pair[2];
	struct store_stats s;

	store_stats(c->store, &s);
	metrics_gauge(out, "tollgate_redis_up", "Redis is connected and answers in time.", s.up);
	metrics_gauge(out, "tollgate_redis_tracking", "Changes of keys in Redis are being heard of.",
		      s.tracking);
	metrics_gauge(out, "tollgate_redis_pending_commands", "Commands whose reply is awaited.", s.pending);
	metrics_gauge(out, "tollgate_redis_clock_offset_seconds", "Redis' clock minus this host's.",
		      (double)s.clock_offset_us / 1e6);
	metrics_counter(out, "tollgate_redis_commands_total", "Commands sent.", s.commands);
	metrics_counter(out, "tollgate_redis_connects_total", "Connections made.", s.connects);
	metrics_counter(out, "tollgate_redis_invalidations_total", "Changes heard of.", s.invalidations);
	metrics_family(out, "tollgate_redis_errors_total", "What went wrong with Redis.", METRICS_COUNTER);
	metrics_sample_u64(out, label(pair, "kind", "timeout"), s.late);
	metrics_sample_u64(out, label(pair, "kind", "lost"), s.lost);
	metrics_sample_u64(out, label(pair, "kind", "refused"), s.refused);
	metrics_sample_u64(out, label(pair, "kind", "reply"), s.error_replies);
	metrics_sample_u64(out, label(pair, "kind", "connect"), s.connect_failures);
}

static void collect_directory(void *ctx, struct metrics_out *out)
{
	const struct collect *c = ctx;
	struct metrics_label pair[2];
	struct directory_stats s;

	directory_stats(c->directory, &s);
	metrics_family(out, "tollgate_key_lookups_total", "Lookups of keys by where the answer came from.",
		       METRICS_COUNTER);
	metrics_sample_u64(out, label(pair, "result", "hit"), s.hits);
	metrics_sample_u64(out, label(pair, "result", "miss"), s.misses);
	metrics_sample_u64(out, label(pair, "result", "negative_hit"), s.negative_hits);
	metrics_sample_u64(out, label(pair, "result", "stale"), s.stale_served);
	metrics_sample_u64(out, label(pair, "result", "throttled"), s.throttled);
	metrics_sample_u64(out, label(pair, "result", "unavailable"), s.unavailable);
	metrics_counter(out, "tollgate_key_records_malformed_total",
			"Records in Redis that are not understood.", s.malformed);
	metrics_gauge(out, "tollgate_key_cache_entries", "Key and tenant records held.", s.entries);
}

static void collect_verdicts(const struct limiter_stats *s, struct metrics_out *out)
{
	static const char *const outcomes[] = {[LIMIT_ADMITTED] = "admitted",
					       [LIMIT_LIMITED] = "limited",
					       [LIMIT_UNAVAILABLE] = "unavailable"};
	static const char *const modes[] = {[LIMIT_MODE_REDIS] = "redis", [LIMIT_MODE_LOCAL] = "local"};

	metrics_family(out, "tollgate_ratelimit_decisions_total",
		       "Limit decisions by outcome and where it was counted.", METRICS_COUNTER);
	for (int o = LIMIT_ADMITTED; o <= LIMIT_UNAVAILABLE; o++)
		for (int m = LIMIT_MODE_REDIS; m <= LIMIT_MODE_LOCAL; m++)
			metrics_sample_u64(out,
					   METRICS_LABELS({"outcome", slice_of(outcomes[o])},
							  {"mode", slice_of(modes[m])}),
					   s->verdicts[o][m]);
}

static void collect_limiter(void *ctx, struct metrics_out *out)
{
	const struct collect *c = ctx;
	struct metrics_label pair[2];
	struct limiter_stats s;

	limiter_stats(c->limiter, &s);
	collect_verdicts(&s, out);
	metrics_family(out, "tollgate_ratelimit_events_total", "What happened to charges on their way.",
		       METRICS_COUNTER);
	metrics_sample_u64(out, label(pair, "event", "denied_cached"), s.denied_cached);
	metrics_sample_u64(out, label(pair, "event", "taken_back"), s.takebacks);
	metrics_sample_u64(out, label(pair, "event", "retried"), s.retries);
	metrics_sample_u64(out, label(pair, "event", "repeated"), s.repeated);
	metrics_sample_u64(out, label(pair, "event", "superseded"), s.superseded);
	metrics_sample_u64(out, label(pair, "event", "late"), s.late);
	metrics_sample_u64(out, label(pair, "event", "lost"), s.lost);
	metrics_sample_u64(out, label(pair, "event", "error"), s.errors);
	metrics_sample_u64(out, label(pair, "event", "cancelled"), s.cancelled);
	metrics_gauge(out, "tollgate_agents", "Agents on this Redis, as last seen.", s.agents);
	metrics_family(out, "tollgate_fail_mode_active",
		       "1 while decisions are made without what they should have.", METRICS_GAUGE);
	metrics_sample(out, label(pair, "mode", "local_limits"), s.local);
}

static void collect_audit(void *ctx, struct metrics_out *out)
{
	const struct collect *c = ctx;
	struct metrics_label pair[2];
	struct audit_stats s;

	audit_stats(c->audit, &s);
	metrics_family(out, "tollgate_audit_records_total", "Records on disk by type.", METRICS_COUNTER);
	for (int i = 0; i < AUDIT_TYPES; i++)
		metrics_sample_u64(out, label(pair, "type", audit_type_name((enum audit_type)i)),
				   s.written[i]);
	metrics_family(out, "tollgate_audit_dropped_total", "Records lost by type.", METRICS_COUNTER);
	for (int i = 0; i < AUDIT_TYPES; i++)
		metrics_sample_u64(out, label(pair, "type", audit_type_name((enum audit_type)i)),
				   s.dropped[i]);
	metrics_counter(out, "tollgate_audit_summed_total", "Refusals that were written as sums.", s.summed);
	metrics_counter(out, "tollgate_audit_write_errors_total", "Failed attempts to write or sync.",
			s.write_errors);
	metrics_counter(out, "tollgate_audit_segments_total", "Segments opened.", s.segments);
	metrics_gauge(out, "tollgate_audit_queue_bytes", "Bytes that wait for the disk.",
		      (double)s.queued_bytes);
	metrics_gauge(out, "tollgate_audit_queue_limit_bytes", "Bytes that may wait.",
		      (double)s.queue_limit_bytes);
	metrics_gauge(out, "tollgate_audit_broken", "1 while the disk refuses writes.", s.broken);
	metrics_gauge(out, "tollgate_audit_last_sync_timestamp_seconds",
		      "When nothing waited for the disk last.", (double)s.last_sync_us / 1e6);
	metrics_family(out, "tollgate_audit_sync_duration_seconds", "Time of a write and its sync.",
		       METRICS_HISTOGRAM);
	metrics_sample_histogram(out, NULL, &s.sync_seconds);
}

bool collect_register(struct collect *c, struct metrics *metrics)
{
	static metrics_collect_fn *const collectors[] = {
		collect_gate,      collect_spop,    collect_udp,   collect_store,
		collect_directory, collect_limiter, collect_audit,
	};

	for (size_t i = 0; i < sizeof(collectors) / sizeof(collectors[0]); i++)
		if (!metrics_register(metrics, collectors[i], c))
			return false;
	return metrics_register_process(metrics, TOLLGATE_VERSION);
}
