/* The parts of tollgated in the order they need each other. */
#include "daemon/agent.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "auth/directory.h"
#include "auth/pepper.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/collect.h"
#include "daemon/udp.h"
#include "gate/gate.h"
#include "http/ops.h"
#include "limit/admission.h"
#include "limit/limiter.h"
#include "spop/agent.h"
#include "store/store.h"

enum { METRICS_MAX = 1 << 20, URL_MAX = 1024 };

/* What operators must hear of when it changes. */
struct modes {
	bool audit_broken;
	bool local_limits;
	bool deaf; /* changes of keys are not heard of */
};

struct agent {
	struct ev_loop *loop;
	struct config *config;
	const char *config_path;
	struct peppers *peppers;
	struct store *store;
	struct directory *directory;
	struct limiter *limiter;
	struct admissions *admissions;
	struct audit *audit;
	struct gate *gate;
	struct spop_server *spop;
	struct udp *udp;
	struct metrics *metrics;
	struct http_server *http;
	struct http_ops ops;
	struct collect collect;
	ev_timer watch;
	struct modes modes;
	bool draining;
};

static bool failed(const char *part, const char *why)
{
	log_error("part.failed", "part=%s err=\"%s\"", part, why);
	return false;
}

/* ---- secrets ---- */

static bool peppers_open(const char *path, struct peppers **ret)
{
	char text[256];
	struct strbuf err = strbuf_over(text, sizeof(text));
	struct peppers *peppers = peppers_load(path, &err);

	if (peppers == NULL)
		return failed("pepper", text);
	*ret = peppers;
	return true;
}

/* ---- the parts ---- */

static void on_store_state(void *ctx, bool up)
{
	(void)ctx;
	if (up)
		log_info("redis.up", "%s", "");
	else
		log_warn("redis.down",
			 "effect=\"known keys go on under local limits, unknown ones get 503\"");
}

static bool start_store(struct agent *a)
{
	const struct config *c = a->config;
	struct store_config sc;
	char text[URL_MAX];
	struct strbuf url = strbuf_over(text, sizeof(text));
	const char *wrong = config_redis_url(c, &url);

	if (wrong != NULL)
		return failed("redis.password_file", wrong);
	store_config_defaults(&sc);
	sc.url = strbuf_slice(&url);
	sc.connect_timeout_us = c->redis.connect_timeout;
	sc.stall_us = c->redis.stall;
	sc.ping_late_us = c->redis.deadline;
	sc.ping_interval_us = c->redis.ping_interval;
	sc.reconnect_min_us = c->redis.reconnect_min;
	sc.reconnect_max_us = c->redis.reconnect_max;
	sc.max_pending = c->redis.max_pending;
	sc.breaker_failures = c->redis.breaker_failures;
	a->store = store_new(a->loop, &sc);
	int err = errno;
	OPENSSL_cleanse(text, sizeof(text));
	if (a->store == NULL)
		return failed("redis.url", strerror(err));
	store_on_state(a->store, on_store_state, NULL);
	return true;
}

static bool start_directory(struct agent *a)
{
	const struct config *c = a->config;
	struct directory_config dc;

	directory_config_defaults(&dc);
	dc.max_entries = c->auth.cache_keys;
	dc.max_negative = c->auth.negative_keys;
	dc.lookup_rate = c->auth.lookup_rate;
	dc.negative_ttl_us = c->auth.negative_ttl;
	dc.revalidate_us = c->auth.revalidate;
	dc.stale_max_us = c->auth.stale_max;
	dc.max_lookups = c->auth.max_lookups;
	dc.deadline_us = c->redis.deadline;
	a->directory = directory_new(a->store, a->loop, &dc);
	return a->directory != NULL || failed("directory", strerror(errno));
}

static bool start_limiter(struct agent *a)
{
	const struct config *c = a->config;
	struct limiter_config lc;

	limiter_config_defaults(&lc);
	lc.deadline_us = c->redis.deadline;
	lc.lease_us = c->limits.lease_max;
	lc.deny_cache_us = c->limits.deny_cache;
	lc.max_scopes = c->limits.max_scopes;
	lc.max_calls = c->limits.max_requests;
	a->limiter = limiter_new(a->store, a->loop, &lc);
	a->admissions = admissions_new(a->store, c->limits.max_requests);
	return (a->limiter != NULL && a->admissions != NULL) || failed("limiter", strerror(errno));
}

static bool start_audit(struct agent *a)
{
	const struct config *c = a->config;
	struct audit_config ac = {
		.directory = slice_of(c->audit.directory),
		.version = SLICE_LIT(TOLLGATE_VERSION),
		.on_failure = c->audit.on_failure,
		.queue_bytes = c->audit.queue_bytes,
		.segment_bytes = c->audit.segment_size,
		.sync_interval_us = c->audit.sync_interval,
	};

	a->audit = audit_new(&ac);
	if (a->audit == NULL)
		return failed("audit.directory",
			      errno == EWOULDBLOCK ? "another agent writes there" : strerror(errno));
	(void)audit_event(a->audit, AUDIT_START, true, slice_of(a->config_path));
	return true;
}

static bool start_gate(struct agent *a)
{
	const struct config *c = a->config;
	struct gate_config gc = {
		.max_requests = c->limits.max_requests,
		.max_inflight = c->limits.max_inflight,
		.lease_us = c->limits.lease_max,
		.byte_budget = c->limits.byte_budget,
		.admit_without_audit = c->audit.on_failure == AUDIT_CONTINUE,
	};
	struct gate_parts parts = {
		.loop = a->loop,
		.directory = a->directory,
		.limiter = a->limiter,
		.admissions = a->admissions,
		.audit = a->audit,
		.peppers = a->peppers,
	};

	a->gate = gate_new(&gc, &parts);
	return a->gate != NULL || failed("gate", strerror(ENOMEM));
}

static void on_line(void *ctx, char *line, size_t n)
{
	struct agent *a = ctx;

	gate_completion(a->gate, line, n);
}

static bool start_udp(struct agent *a)
{
	const struct config *c = a->config;

	a->udp = udp_new(a->loop, slice_of(c->completion.listen), c->completion.receive_buffer, on_line, a);
	return a->udp != NULL || failed("completion.listen", strerror(errno));
}

static bool start_spop(struct agent *a)
{
	const struct config *c = a->config;
	struct spop_limits limits;

	spop_limits_defaults(&limits);
	limits.max_frame_size = (uint32_t)c->spop.max_frame_size;
	limits.max_connections = c->spop.max_connections;
	limits.max_inflight = c->spop.max_inflight_per_connection;
	limits.hello_timeout_us = c->spop.hello_timeout;
	a->spop = spop_server_new(a->loop, &limits, &gate_handler, a->gate);
	if (a->spop == NULL)
		return failed("spop", strerror(ENOMEM));
	for (unsigned i = 0; i < c->spop.listen.count; i++) {
		const char *address = c->spop.listen.item[i];
		if (spop_server_listen(a->spop, slice_of(address), c->spop.socket_mode,
				       slice_of(c->spop.socket_group)))
			continue;
		log_error("part.failed", "part=spop.listen address=%s err=\"%s\"", address, strerror(errno));
		return false;
	}
	return true;
}

static bool check_redis(void *ctx)
{
	return store_up(((struct agent *)ctx)->store);
}

static bool check_audit(void *ctx)
{
	return audit_writable(((struct agent *)ctx)->audit);
}

static bool check_serving(void *ctx)
{
	return !((struct agent *)ctx)->draining;
}

static bool start_http(struct agent *a)
{
	const struct config *c = a->config;
	struct http_config hc = {
		.listen = slice_of(c->http.listen),
		.socket_mode = c->http.socket_mode,
		.max_connections = c->http.max_connections,
		.timeout_s = (unsigned)(c->http.timeout / 1000000),
	};

	a->collect = (struct collect){a->gate, a->spop, a->store, a->directory, a->limiter, a->audit, a->udp};
	a->metrics = metrics_new(METRICS_MAX);
	if (a->metrics == NULL || !collect_register(&a->collect, a->metrics))
		return failed("metrics", strerror(ENOMEM));
	a->ops = (struct http_ops){
		.metrics = a->metrics,
		.checks = {{"redis", check_redis, a},
			   {"audit", check_audit, a},
			   {"serving", check_serving, a}},
		.check_count = 3,
	};
	a->http = http_new(a->loop, &hc);
	if (a->http == NULL || !http_ops_routes(a->http, &a->ops))
		return failed("http.listen", strerror(errno));
	return true;
}

/* ---- what changes while it runs ---- */

static void say_change(bool *was, bool is, const char *event, const char *effect)
{
	if (*was == is)
		return;
	*was = is;
	if (is)
		log_warn(event, "state=begin effect=\"%s\"", effect);
	else
		log_info(event, "state=end");
}

static void on_watch(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct agent *a = timer->data;
	struct audit_stats audit;
	struct limiter_stats limits;
	struct store_stats store;

	(void)loop;
	(void)revents;
	audit_stats(a->audit, &audit);
	limiter_stats(a->limiter, &limits);
	store_stats(a->store, &store);
	say_change(&a->modes.audit_broken, audit.broken, "audit.broken",
		   a->config->audit.on_failure == AUDIT_REFUSE ? "requests are refused" : "records are lost");
	say_change(&a->modes.local_limits, limits.local, "limits.local",
		   "limits are kept by this agent alone");
	say_change(&a->modes.deaf, !store.tracking, "redis.deaf",
		   "a revoked key may be honoured for auth.stale_max");
}

/* ---- life ---- */

struct agent *agent_new(struct ev_loop *loop, struct config *config, const char *config_path)
{
	struct agent *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->loop = loop;
	a->config = config;
	a->config_path = config_path;
	if (!peppers_open(config->auth.pepper_file, &a->peppers) || !start_store(a) || !start_directory(a) ||
	    !start_limiter(a) || !start_audit(a) || !start_gate(a) || !start_udp(a) || !start_spop(a) ||
	    !start_http(a)) {
		agent_free(&a);
		return NULL;
	}
	ev_timer_init(&a->watch, on_watch, 1.0, 1.0);
	a->watch.data = a;
	ev_timer_start(loop, &a->watch);
	log_info("started", "version=%s config=%s", TOLLGATE_VERSION, config_path);
	return a;
}

/* The gate lets go first, while all live. Then the store ends the calls that others hold in it, before they
 * go themselves. */
void agent_free(struct agent **agent)
{
	struct agent *a = *agent;

	if (a == NULL)
		return;
	ev_timer_stop(a->loop, &a->watch);
	http_free(&a->http);
	metrics_free(&a->metrics);
	if (a->gate != NULL)
		gate_stop(a->gate);
	spop_server_free(&a->spop);
	udp_free(&a->udp);
	store_free(&a->store);
	gate_free(&a->gate);
	admissions_free(&a->admissions);
	limiter_free(&a->limiter);
	directory_free(&a->directory);
	if (a->audit != NULL)
		(void)audit_event(a->audit, AUDIT_STOP, true, (struct slice){NULL, 0});
	audit_free(&a->audit);
	peppers_free(&a->peppers);
	free(a);
	*agent = NULL;
}

static void on_drained(void *ctx)
{
	struct agent *a = ctx;

	log_info("drained", "%s", "");
	ev_break(a->loop, EVBREAK_ALL);
}

void agent_drain(struct agent *a)
{
	if (a->draining)
		return;
	a->draining = true;
	spop_server_drain(a->spop, a->config->spop.drain_timeout, on_drained, a);
}

static void on_change(void *ctx, const char *section, const char *name, bool applied)
{
	bool *restart = ctx;

	log_info("config.changed", "setting=%s.%s applied=%s", section, name,
		 applied ? "yes" : "restart-needed");
	*restart = *restart || !applied;
}

static bool reload_peppers(struct agent *a)
{
	struct peppers *fresh;

	if (!peppers_open(a->config->auth.pepper_file, &fresh))
		return false;
	gate_set_peppers(a->gate, fresh);
	peppers_free(&a->peppers);
	a->peppers = fresh;
	return true;
}

void agent_reload(struct agent *a)
{
	struct config fresh;
	struct config_errors errors = {.count = 0};
	bool restart = false;

	if (!config_load(a->config_path, &fresh, &errors)) {
		for (unsigned i = 0; i < errors.count && i < CONFIG_ERRORS_MAX; i++)
			log_error("config.error", "err=\"%s\"", errors.text[i]);
		(void)audit_event(a->audit, AUDIT_CONFIG_RELOAD, false, slice_of(a->config_path));
		return;
	}
	config_reload(a->config, &fresh, on_change, &restart);
	config_free(&fresh);
	log_threshold = a->config->log.level;
	bool ok = reload_peppers(a);
	(void)audit_event(a->audit, AUDIT_CONFIG_RELOAD, ok, slice_of(a->config_path));
	log_info("config.reloaded", "config=%s peppers=%s restart_needed=%s", a->config_path,
		 ok ? "reloaded" : "kept", restart ? "yes" : "no");
}
