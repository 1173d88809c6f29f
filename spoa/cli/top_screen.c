/* Differences of two readings as text and as JSON. */
#include "cli/top_screen.h"

#include <time.h>

#include "base/clock.h"
#include "cli/moment.h"

void top_read(const char *socket, struct top_reading *ret)
{
	struct strbuf err = strbuf_over(ret->why, sizeof(ret->why));

	ret->fleet = fleet_read(socket, &err);
	agents_read(&ret->agents);
	ret->at_us = clock_mono_us();
}

static double seconds_between(const struct top_reading *before, const struct top_reading *after)
{
	double s = (double)(after->at_us - before->at_us) / 1e6;

	return s > 0.001 ? s : 0.001;
}

/* Requests a second that the node was given; a reloaded HAProxy counts from 0. */
static double node_rate(const struct top_reading *before, const struct top_reading *after,
			const struct node *n)
{
	const struct node *was = before->fleet != NULL ? fleet_find(before->fleet, n->name) : NULL;

	if (was == NULL || n->total < 0 || was->total < 0)
		return 0;
	int64_t count = n->total >= was->total ? n->total - was->total : n->total;
	return (double)count / seconds_between(before, after);
}

static void put_header(const struct top_reading *r, struct strbuf *sb)
{
	char now[32];
	struct strbuf time_sb = strbuf_over(now, sizeof(now));
	size_t reached = 0;

	for (size_t i = 0; i < r->agents.count; i++)
		reached += r->agents.agent[i].reached;
	moment_put(&time_sb, (int64_t)time(NULL));
	strbuf_printf(sb, "tollgate top   %s   agents %zu of %zu", now, reached, r->agents.count);
	if (r->fleet != NULL)
		strbuf_printf(sb, "   clients %lld   queued %lld", (long long)r->fleet->clients,
			      (long long)r->fleet->queue);
	strbuf_puts(sb, "\n");
	for (size_t i = 0; i < r->agents.count; i++)
		if (!r->agents.agent[i].reached)
			strbuf_printf(sb, "agent %s: %s\n", r->agents.agent[i].url, r->agents.agent[i].why);
}

static void put_seconds(struct strbuf *sb, const char *what, double s)
{
	if (s < 0)
		strbuf_printf(sb, "   %s -", what);
	else
		strbuf_printf(sb, "   %s %.2fs", what, s);
}

static void put_requests(const struct top_reading *before, const struct top_reading *after, struct strbuf *sb)
{
	double verdicts[VERDICT_COUNT], seconds = seconds_between(before, after);

	agents_verdicts(&before->agents, &after->agents, verdicts);
	strbuf_puts(sb, "requests/s");
	for (int v = 0; v < VERDICT_COUNT; v++)
		strbuf_printf(sb, "   %s %.1f", verdict_name((enum verdict)v), verdicts[v] / seconds);
	strbuf_printf(sb, "\nin flight %.0f   first token", agents_inflight(&after->agents));
	put_seconds(sb, "p50", agents_quantile(&before->agents, &after->agents, 0.5));
	put_seconds(sb, "p95", agents_quantile(&before->agents, &after->agents, 0.95));
	strbuf_puts(sb, "\n\n");
}

static void put_nodes(const struct top_reading *before, const struct top_reading *after, struct strbuf *sb)
{
	if (after->fleet == NULL) {
		strbuf_printf(sb, "%s\n", after->why);
		return;
	}
	strbuf_printf(sb, "%-16s %-10s %9s %8s %6s %10s %11s %10s\n", "NODE", "STATE", "RUNNING", "MAXCONN",
		      "QUEUE", "REQUESTS/S", "FIRST BYTE", "WHOLE");
	for (size_t i = 0; i < after->fleet->count; i++) {
		const struct node *n = &after->fleet->nodes[i];
		strbuf_printf(sb, "%-16s %-10s %9lld %8lld %6lld %10.1f %9lldms %8lldms\n", n->name,
			      n->status, (long long)n->sessions, (long long)n->maxconn, (long long)n->queue,
			      node_rate(before, after, n), (long long)n->response_ms, (long long)n->total_ms);
	}
}

void top_text(const struct top_reading *before, const struct top_reading *after, struct strbuf *sb)
{
	put_header(after, sb);
	put_requests(before, after, sb);
	put_nodes(before, after, sb);
}

static json_t *seconds_or_null(double s)
{
	return s < 0 ? json_null() : json_real(s);
}

static json_t *nodes_json(const struct top_reading *before, const struct top_reading *after)
{
	json_t *array = json_array();

	for (size_t i = 0; after->fleet != NULL && i < after->fleet->count; i++) {
		json_t *node = node_json(&after->fleet->nodes[i]);
		(void)json_object_set_new(node, "requests_per_second",
					  json_real(node_rate(before, after, &after->fleet->nodes[i])));
		(void)json_array_append_new(array, node);
	}
	return array;
}

json_t *top_json(const struct top_reading *before, const struct top_reading *after)
{
	double verdicts[VERDICT_COUNT], seconds = seconds_between(before, after);
	json_t *rates = json_object();

	agents_verdicts(&before->agents, &after->agents, verdicts);
	for (int v = 0; v < VERDICT_COUNT; v++)
		(void)json_object_set_new(rates, verdict_name((enum verdict)v),
					  json_real(verdicts[v] / seconds));
	return json_pack("{sf so sf so so so so}", "seconds", seconds, "requests_per_second", rates,
			 "inflight", agents_inflight(&after->agents), "queue",
			 after->fleet != NULL ? json_integer(after->fleet->queue) : json_null(),
			 "first_token_p50_seconds",
			 seconds_or_null(agents_quantile(&before->agents, &after->agents, 0.5)),
			 "first_token_p95_seconds",
			 seconds_or_null(agents_quantile(&before->agents, &after->agents, 0.95)), "nodes",
			 nodes_json(before, after));
}
