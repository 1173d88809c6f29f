/* What an agent's metrics say of it. */
#ifndef TOLLGATE_CLI_AGENT_VIEW_H
#define TOLLGATE_CLI_AGENT_VIEW_H

#include "base/strbuf.h"
#include "cli/command.h"
#include "gate/reason.h"

/* --metrics-url, for the tables of options. */
#define METRICS_OPTION \
	{ \
		"metrics-url", "URL,...", \
			"where the agents serve their metrics; default: $TOLLGATE_METRICS_URL, else " \
			"http://127.0.0.1:9464", \
			false, false \
	}

enum {
	AGENTS_MAX = 16,
	AGENT_URL_MAX = 256,
	AGENT_BUCKETS_MAX = 40,
};

/* A cumulative histogram as it is exposed. */
struct agent_buckets {
	size_t count;
	double le[AGENT_BUCKETS_MAX];
	double below[AGENT_BUCKETS_MAX];
};

struct agent_view {
	char url[AGENT_URL_MAX];
	char why[256]; /* not reached: the reason */
	bool reached;
	char version[32];
	bool redis_up, tracking, local_limits, audit_broken;
	double inflight, deciding, clock_offset, audit_dropped, started;
	double verdicts[VERDICT_COUNT]; /* decisions since its start */
	struct agent_buckets first_byte;
};

struct agents {
	size_t count;
	struct agent_view agent[AGENTS_MAX];
};

/* The URLs in force. False after a message: too many, too long or with credentials. */
bool agents_urls(const struct cli *cli, struct agents *ret) __attribute__((warn_unused_result));

/* Asks every agent for its metrics. */
void agents_read(struct agents *agents);

/* From the text of /metrics. NULL, or what is wrong with it as a constant text. */
const char *agent_view_parse(struct slice text, struct agent_view *ret) __attribute__((warn_unused_result));

/* Decisions by verdict between two readings of the same agents, all agents together. An agent that was
 * started anew between them counts from 0. */
void agents_verdicts(const struct agents *before, const struct agents *after, double ret[VERDICT_COUNT]);

/* The time to the first byte below which the share q of the requests between two readings stayed, in
 * seconds; -1 when there were none. Linear inside a bucket, as histogram_quantile() has it. */
double agents_quantile(const struct agents *before, const struct agents *after, double q);

double agents_inflight(const struct agents *agents);

#endif
