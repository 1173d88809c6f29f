/* /metrics, /healthz, /readyz. */
#include "http/ops.h"

#include "base/strbuf.h"

static void on_metrics(void *ctx, const struct http_request *request, struct http_answer *answer)
{
	struct http_ops *ops = ctx;
	struct slice text;

	(void)request;
	if (metrics_render(ops->metrics, &text))
		http_answer(answer, 200, "text/plain; version=0.0.4; charset=utf-8", text);
	else
		http_answer(answer, 500, "text/plain", SLICE_LIT("the metrics do not fit\n"));
}

static void on_health(void *ctx, const struct http_request *request, struct http_answer *answer)
{
	(void)ctx;
	(void)request;
	http_answer(answer, 200, "text/plain", SLICE_LIT("ok\n"));
}

static void on_ready(void *ctx, const struct http_request *request, struct http_answer *answer)
{
	const struct http_ops *ops = ctx;
	char buf[2048];
	struct strbuf sb = strbuf_over(buf, sizeof(buf));
	bool ready = true;

	(void)request;
	strbuf_puts(&sb, "{\"checks\":{");
	for (unsigned i = 0; i < ops->check_count; i++) {
		bool ok = ops->checks[i].ok(ops->checks[i].ctx);
		ready = ready && ok;
		if (i > 0)
			strbuf_putc(&sb, ',');
		strbuf_json(&sb, slice_of(ops->checks[i].name));
		strbuf_puts(&sb, ok ? ":\"ok\"" : ":\"failed\"");
	}
	strbuf_puts(&sb, ready ? "},\"ready\":true}\n" : "},\"ready\":false}\n");
	http_answer(answer, ready ? 200 : 503, "application/json", strbuf_slice(&sb));
}

bool http_ops_routes(struct http_server *server, struct http_ops *ops)
{
	return http_route(server, "/metrics", on_metrics, ops) &&
	       http_route(server, "/healthz", on_health, ops) && http_route(server, "/readyz", on_ready, ops);
}
