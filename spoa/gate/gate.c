/* The gate's life and its side of the SPOP engine: what HAProxy tells becomes a request, a request
 * becomes an answer. */
#include "gate/gate.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "base/clock.h"
#include "gate/answer.h"
#include "gate/state.h"

enum { SLAB_REQUESTS = 64, ORPHANS_MAX = 8192, BUDGET_TENANTS = 4096, QUESTION_MAX_MS = 1000 };

/* ---- the pool ---- */

static bool slab_add(struct gate *gate)
{
	if (gate->slab_count == gate->slab_max)
		return false;
	struct request *slab = calloc(SLAB_REQUESTS, sizeof(*slab));
	if (slab == NULL)
		return false;
	gate->slabs[gate->slab_count++] = slab;
	for (unsigned i = 0; i < SLAB_REQUESTS; i++)
		list_append(&gate->unused, &slab[i].link);
	return true;
}

static struct request *request_take(struct gate *gate)
{
	if (list_empty(&gate->unused) && !slab_add(gate))
		return NULL;
	struct list *link = list_first(&gate->unused);
	struct request *r = LIST_ENTRY(link, struct request, link);
	list_remove(link);
	gate->stats.deciding++;
	return r;
}

static void request_release(struct request *r)
{
	OPENSSL_cleanse(r->credential, sizeof(r->credential));
	OPENSSL_cleanse(&r->scan, sizeof(r->scan)); /* holds the last bytes of what it read */
	if (r->entry != NULL && r->entry->request == r)
		r->entry->request = NULL;
	r->entry = NULL;
	r->busy = false;
	r->gate->stats.deciding--;
	list_append(&r->gate->unused, &r->link);
}

/* ---- what HAProxy tells ---- */

static struct slice arg_text(const struct spop_message *head, const char *name)
{
	const struct spop_arg *arg = spop_message_find(head, slice_of(name));

	return arg && arg->type == SPOP_STR ? arg->bytes : (struct slice){NULL, 0};
}

static uint64_t arg_size(const struct spop_message *head, const char *name)
{
	const struct spop_arg *arg = spop_message_find(head, slice_of(name));

	return arg && spop_arg_is_integer(arg) && arg->integer > 0 ? (uint64_t)arg->integer : 0;
}

static void read_source(struct request *r, const struct spop_message *head)
{
	const struct spop_arg *arg = spop_message_find(head, SLICE_LIT("src"));
	struct network whole = {.bits = 128};
	struct strbuf sb = strbuf_over(r->source, sizeof(r->source));

	r->source_known = arg && (arg->type == SPOP_IPV4 || arg->type == SPOP_IPV6) &&
			  netaddr_from_bytes(arg->bytes.p, arg->bytes.n, &r->address);
	if (!r->source_known)
		return;
	memcpy(whole.bytes, r->address.bytes, sizeof(whole.bytes));
	char text[NETWORK_TEXT_MAX];
	struct strbuf full = strbuf_over(text, sizeof(text));
	network_put(&full, &whole);
	const char *slash = strchr(text, '/');
	strbuf_put(&sb, (struct slice){text, slash ? (size_t)(slash - text) : full.len});
}

static void read_credential(struct request *r, const struct spop_message *head)
{
	struct slice found = {NULL, 0};

	r->credential_state = credential_find(arg_text(head, "authorization"), arg_text(head, "x_api_key"),
					      arg_text(head, "path_key"), &found);
	if (!slice_copy(found, r->credential, sizeof(r->credential)))
		r->credential_state = CREDENTIAL_MALFORMED;
}

static bool node_name_valid(struct slice name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!plain && c != '-' && c != '_' && c != '.')
			return false;
	}
	return name.n > 0;
}

static void read_node(struct request *r, const struct spop_message *head)
{
	struct slice name = arg_text(head, "node");

	r->node_given = name.n > 0;
	r->node_valid = node_name_valid(name) && slice_copy(name, r->node, sizeof(r->node));
}

/* Methods as literals, because what the client sent is not kept. */
static const char *method_literal(struct slice method)
{
	static const char *const known[] = {"GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (slice_is(method, known[i]))
			return known[i];
	return "other";
}

static void read_head(struct request *r, const struct spop_message *head)
{
	struct slice method = arg_text(head, "method");
	struct slice path = arg_text(head, "path");
	bool anthropic = arg_text(head, "anthropic_version").n > 0;

	r->started_us = clock_mono_us();
	r->method = method_literal(method);
	r->route_status = route_find(method, path, &r->match);
	r->dialect = r->match.route ? route_dialect(r->match.route, anthropic) : dialect_of(path, anthropic);
	r->body_size = arg_size(head, "body_size");
	read_source(r, head);
	read_credential(r, head);
	read_node(r, head);
}

/* HAProxy asks again because the first answer took too long. False when the first question is not whole
 * yet, perhaps never will be, or is another one. */
static bool join(struct request *r, struct spop_ref ref, bool admit)
{
	if (r->reading || r->admit != admit || r->ref_count == REQUEST_REFS_MAX)
		return false;
	r->refs[r->ref_count++] = ref;
	return true;
}

/* What is asked twice must be the same both times. */
static bool same_question(const struct inflight_entry *entry, const struct spop_message *head,
			  uint64_t body_len)
{
	struct route_match match;

	(void)route_find(arg_text(head, "method"), arg_text(head, "path"), &match);
	return entry->route == match.route && entry->method == method_literal(arg_text(head, "method")) &&
	       entry->body_len == body_len;
}

/* HAProxy has long given up on a question that lay in a socket for so long; on this host the clocks are
 * one. */
static bool too_old(const struct spop_message *head)
{
	uint64_t ts = arg_size(head, "ts");

	return ts > 0 && clock_wall_us() / 1000 - (int64_t)ts > QUESTION_MAX_MS;
}

/* `admit` arrives while `identify` is still being decided: HAProxy has given up on that one. */
static void supersede(struct request *old)
{
	directory_cancel(&old->ask);
	old->entry->request = NULL;
	old->entry = NULL;
	if (!old->reading)
		gate_drop(old);
}

static void entry_fill(struct inflight_entry *entry, const struct request *r)
{
	entry->route = r->match.route;
	entry->method = r->method;
	entry->body_len = r->body_len;
	memcpy(entry->source, r->source, sizeof(entry->source));
}

static void *refuse(struct gate *gate, struct spop_ref ref, const struct spop_message *head,
		    enum reason reason)
{
	bool anthropic = arg_text(head, "anthropic_version").n > 0;

	answer_refusal(ref, reason, dialect_of(arg_text(head, "path"), anthropic), arg_text(head, "id"));
	gate->stats.decisions[reason]++;
	return NULL;
}

/* The entry was there before. True when the question has its answer, or will get that of the first. */
static bool asked_again(struct gate *gate, struct inflight_entry *entry, struct spop_ref ref,
			const struct spop_message *head, uint64_t body_len, bool admit)
{
	if (!entry->asked)
		return false;
	gate->stats.repeated++;
	if (!admit || !same_question(entry, head, body_len)) {
		(void)refuse(gate, ref, head, REASON_INTERNAL);
		return true;
	}
	if (entry->state == INFLIGHT_ADMITTED) {
		answer_again(ref, entry);
		return true;
	}
	return entry->request != NULL && join(entry->request, ref, admit);
}

static struct request *request_begin(struct gate *gate, struct inflight_entry *entry, struct spop_ref ref,
				     bool admit)
{
	if (entry->request != NULL)
		supersede(entry->request);
	struct request *r = request_take(gate);
	if (r == NULL)
		return NULL;
	*r = (struct request){.gate = gate, .refs = {ref}, .ref_count = 1, .entry = entry, .admit = admit};
	r->busy = true;
	r->reading = true;
	r->again = entry->asked;
	entry->request = r;
	entry->asked = entry->asked || admit;
	return r;
}

static void *gate_begin(void *ctx, struct spop_ref ref, const struct spop_message *head, uint64_t body_len)
{
	struct gate *gate = ctx;
	struct inflight_entry *entry = NULL;
	bool admit = slice_is(head->name, "admit");
	enum inflight_open how = INFLIGHT_ENDED;

	if ((admit || slice_is(head->name, "identify")) && !too_old(head))
		how = inflight_open(gate->inflight, arg_text(head, "id"), arg_text(head, "ticket"),
				    clock_mono_us(), &entry);
	if (entry == NULL)
		return refuse(gate, ref, head, how == INFLIGHT_FULL ? REASON_OVERLOAD : REASON_INTERNAL);
	if (how == INFLIGHT_AGAIN && asked_again(gate, entry, ref, head, body_len, admit))
		return NULL;
	struct request *r = request_begin(gate, entry, ref, admit);
	if (r == NULL) {
		ending_forget(gate, entry);
		return refuse(gate, ref, head, REASON_OVERLOAD);
	}
	r->body_len = body_len;
	read_head(r, head);
	entry_fill(entry, r);
	scan_init(&r->scan, r->match.route ? r->match.route->names : 0);
	return r;
}

static void gate_body(void *request, struct slice chunk)
{
	struct request *r = request;

	if (r->entry != NULL && r->match.route != NULL && r->match.route->body == ROUTE_BODY_JSON)
		(void)scan_feed(&r->scan, chunk); /* the result is asked for at the end */
}

static void gate_end(void *request)
{
	struct request *r = request;

	r->reading = false;
	if (r->entry == NULL)
		gate_drop(r);
	else
		decide(r);
}

/* The connection broke within the frame. */
static void gate_gone(void *request)
{
	struct request *r = request;

	r->reading = false;
	gate_drop(r);
}

const struct spop_handler gate_handler = {
	.begin = gate_begin,
	.body = gate_body,
	.end = gate_end,
	.gone = gate_gone,
};

/* ---- the end of a decision ---- */

static void record_decision(struct request *r, bool *ret_taken)
{
	struct audit_decision d;

	audit_decision_init(&d);
	d.request.id = slice_of(r->entry->id);
	d.request.key_id = slice_of(r->grant.key_id);
	d.request.tenant = slice_of(r->grant.tenant);
	d.request.src = slice_of(r->source);
	d.request.method = slice_of(r->method);
	d.request.route = r->match.route ? slice_of(r->match.route->name) : (struct slice){NULL, 0};
	d.request.model = r->has_model ? name_slice(&r->model) : (struct slice){NULL, 0};
	d.admitted = r->reason == REASON_OK;
	d.verdict = slice_of(verdict_name(reason_verdict(r->reason)));
	d.reason = slice_of(reason_name(r->reason));
	d.status = reason_status(r->reason);
	/* Of a request that is refused it is only a client's header. */
	d.node = d.admitted ? slice_of(r->node) : (struct slice){NULL, 0};
	d.bytes_in = (int64_t)r->body_size;
	d.duration_us = clock_mono_us() - r->started_us;
	if (r->limit.limit > 0) {
		d.policy = slice_of(r->limit.scope == LIMIT_SCOPE_TENANT ? "tenant" : "key");
		d.mode = slice_of(r->limit.mode == LIMIT_MODE_LOCAL ? "local" : "redis");
		d.limit = r->limit.limit;
		d.remaining = r->limit.remaining;
		d.used = (int64_t)r->limit.limit - r->limit.remaining;
	}
	*ret_taken = audit_decision(r->gate->parts.audit, &d);
	if (!*ret_taken)
		r->gate->stats.audit_refused++;
}

static void ignore_end(void *ctx, enum admission_fate fate)
{
	(void)ctx;
	(void)fate;
}

/* An admission that cannot be written down is not given, and what Redis knows of it is removed. */
static void withdraw(struct request *r)
{
	if (r->limit.mode == LIMIT_MODE_REDIS)
		admission_end(r->gate->parts.admissions, slice_of(r->entry->id), ignore_end, NULL);
	r->reason = REASON_AUDIT;
}

static void entry_admit(struct request *r)
{
	struct gate *gate = r->gate;
	struct inflight_entry *entry = r->entry;

	if (entry->budget > 0)
		budget_give(gate->budget, slice_of(entry->tenant), entry->budget);
	entry->budget = 0;
	memcpy(entry->key_id, r->grant.key_id, sizeof(entry->key_id));
	memcpy(entry->tenant, r->grant.tenant, sizeof(entry->tenant));
	memcpy(entry->model, r->model.text, r->has_model ? sizeof(entry->model) : 1);
	memcpy(entry->wanted_node, r->node, sizeof(entry->wanted_node));
	entry->priority = r->grant.priority;
	entry->limit = r->limit;
	entry->recorded = r->limit.mode == LIMIT_MODE_REDIS;
	inflight_move(gate->inflight, entry, INFLIGHT_ADMITTED, clock_mono_us());
}

void gate_finish(struct request *r, enum reason reason)
{
	struct gate *gate = r->gate;
	bool identified = !r->admit && reason == REASON_OK;
	bool recorded = true;

	r->reason = reason;
	if (!identified)
		record_decision(r, &recorded);
	if (!recorded && reason == REASON_OK && !gate->config.admit_without_audit)
		withdraw(r);
	if (identified)
		gate->stats.identified++;
	else
		gate->stats.decisions[r->reason]++;
	metrics_observe(&gate->stats.decision_seconds, (double)(clock_mono_us() - r->started_us) / 1e6);
	if (r->reason == REASON_OK && r->admit)
		entry_admit(r);
	answer_request(r);
	if (r->reason != REASON_OK)
		ending_forget(gate, r->entry);
	request_release(r);
}

void gate_drop(struct request *r)
{
	directory_cancel(&r->ask);
	if (r->limit_call != NULL)
		limiter_cancel(r->limit_call);
	r->limit_call = NULL;
	r->gate->stats.cancelled++;
	/* Nobody waits for it, but the connection counts what it has not answered. */
	r->reason = REASON_INTERNAL;
	answer_request(r);
	request_release(r);
}

/* ---- life ---- */

static void on_tick(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct gate *gate = timer->data;
	int64_t now = clock_mono_us();

	(void)loop;
	(void)revents;
	ending_expire(gate, now);
	orphans_tick(gate->orphans, now);
}

struct gate *gate_new(const struct gate_config *config, const struct gate_parts *parts)
{
	struct gate *gate = calloc(1, sizeof(*gate));

	if (gate == NULL)
		return NULL;
	gate->config = *config;
	gate->parts = *parts;
	list_init(&gate->unused);
	gate->slab_max = (config->max_requests + SLAB_REQUESTS - 1) / SLAB_REQUESTS;
	gate->slabs = calloc(gate->slab_max, sizeof(struct request *));
	gate->inflight = inflight_new(config->max_inflight);
	gate->budget = budget_new(config->byte_budget, BUDGET_TENANTS);
	gate->orphans = orphans_new(gate, ORPHANS_MAX);
	metrics_histogram_init(&gate->stats.decision_seconds, &metrics_bounds_decision);
	metrics_histogram_init(&gate->stats.first_byte_seconds, &metrics_bounds_ttft);
	metrics_histogram_init(&gate->stats.request_seconds, &metrics_bounds_request);
	metrics_histogram_init(&gate->stats.queue_seconds, &metrics_bounds_request);
	ev_timer_init(&gate->tick, on_tick, 1.0, 1.0);
	gate->tick.data = gate;
	if (!gate->slabs || !gate->inflight || !gate->budget || !gate->orphans) {
		gate_free(&gate);
		return NULL;
	}
	ev_timer_start(parts->loop, &gate->tick);
	return gate;
}

void gate_stop(struct gate *gate)
{
	ev_timer_stop(gate->parts.loop, &gate->tick);
	for (unsigned i = 0; i < gate->slab_count; i++) {
		for (unsigned j = 0; j < SLAB_REQUESTS; j++) {
			struct request *r = &gate->slabs[i][j];
			if (r->busy && !r->reading)
				gate_drop(r);
		}
	}
}

void gate_free(struct gate **gate_ptr)
{
	struct gate *gate = *gate_ptr;

	if (gate == NULL)
		return;
	orphans_free(&gate->orphans);
	inflight_free(&gate->inflight);
	budget_free(&gate->budget);
	for (unsigned i = 0; i < gate->slab_count; i++) {
		OPENSSL_cleanse(gate->slabs[i], SLAB_REQUESTS * sizeof(*gate->slabs[i]));
		free(gate->slabs[i]);
	}
	free(gate->slabs);
	free(gate);
	*gate_ptr = NULL;
}

void gate_set_peppers(struct gate *gate, const struct peppers *peppers)
{
	gate->parts.peppers = peppers;
}

const struct gate_stats *gate_stats(struct gate *gate)
{
	gate->stats.open = inflight_count(gate->inflight, INFLIGHT_OPEN);
	gate->stats.admitted = inflight_count(gate->inflight, INFLIGHT_ADMITTED) +
			       inflight_count(gate->inflight, INFLIGHT_ENDING);
	gate->stats.budget_bytes = budget_used(gate->budget);
	return &gate->stats;
}
