/* The gate's side of the SPOP engine: what HAProxy tells becomes a request, and what it asks twice gets one
 * answer. */
#include "base/clock.h"
#include "gate/answer.h"
#include "gate/state.h"

enum { QUESTION_MAX_MS = 1000 };

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
	struct request *r = gate_request_take(gate);
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
