/* The operators' routes: /metrics, /healthz (the process lives and its loop turns) and /readyz (it can do
 * its work), which answers 503 and names the failed check when it cannot. */
#ifndef TOLLGATE_HTTP_OPS_H
#define TOLLGATE_HTTP_OPS_H

#include "http/http.h"
#include "metrics/metrics.h"

struct http_check {
	const char *name; /* plain word, shown to operators */
	bool (*ok)(void *ctx);
	void *ctx;
};

#define HTTP_CHECKS_MAX 16

struct http_ops {
	struct metrics *metrics;
	struct http_check checks[HTTP_CHECKS_MAX];
	unsigned check_count;
};

/* Adds the three routes. `ops` belongs to the caller and must outlive the server. */
bool http_ops_routes(struct http_server *server, struct http_ops *ops) __attribute__((warn_unused_result));

#endif
