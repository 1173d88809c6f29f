/* Who may do what: the stages of a decision that need nothing but memory. */
#include <openssl/crypto.h>

#include "gate/request.h"

static enum reason check_route(const struct request *r)
{
	if (r->route_status == ROUTE_UNKNOWN)
		return REASON_UNKNOWN_ROUTE;
	return r->route_status == ROUTE_METHOD ? REASON_METHOD : REASON_OK;
}

enum reason check_request(struct request *r, struct key *ret_key)
{
	enum reason reason = check_route(r);

	if (reason != REASON_OK)
		return reason;
	switch (r->credential_state) {
	case CREDENTIAL_NONE:
		return REASON_MISSING_KEY;
	case CREDENTIAL_CONFLICT:
		return REASON_CONFLICTING_KEYS;
	case CREDENTIAL_MALFORMED:
		return REASON_MALFORMED_KEY;
	case CREDENTIAL_OK:
		break;
	}
	return key_parse(slice_of(r->credential), ret_key) == KEY_OK ? REASON_OK : REASON_MALFORMED_KEY;
}

static enum reason check_secret(const struct request *r, const struct peppers *peppers,
				const struct key_record *key, int64_t now_s)
{
	switch (record_key_verify(key, peppers, r->secret, now_s)) {
	case RECORD_SECRET_OK:
		break;
	case RECORD_SECRET_WRONG:
		return REASON_INVALID_KEY;
	case RECORD_SECRET_ROTATED:
		return REASON_EXPIRED_KEY;
	case RECORD_SECRET_NO_PEPPER:
		return REASON_INTERNAL;
	}
	switch (record_key_status(key, now_s)) {
	case RECORD_USABLE:
		break;
	case RECORD_IS_REVOKED:
		return REASON_REVOKED_KEY;
	case RECORD_IS_EXPIRED:
		return REASON_EXPIRED_KEY;
	case RECORD_IS_SUSPENDED:
		return REASON_SUSPENDED_KEY;
	}
	return REASON_OK;
}

/* What a role may do; model management also needs to say on which node, since a pull or a delete on
 * "some node" is never meant. */
static enum reason check_role(const struct request *r, enum record_role role)
{
	enum route_class class = r->match.route->class;

	if (class == ROUTE_DENIED)
		return REASON_ROUTE_DENIED;
	if ((class == ROUTE_INFERENCE && role == RECORD_MONITOR) ||
	    (class == ROUTE_MANAGE && role != RECORD_OPERATOR))
		return REASON_ROLE;
	if (r->node_given && role != RECORD_OPERATOR)
		return REASON_ROLE;
	if (r->node_given && !r->node_valid)
		return REASON_NODE_INVALID;
	return class == ROUTE_MANAGE && !r->node_given ? REASON_NODE_REQUIRED : REASON_OK;
}

static void say_bad_body(struct request *r)
{
	struct strbuf sb = strbuf_over(r->message, sizeof(r->message));

	scan_message(&r->scan, &sb);
}

static enum reason check_body(struct request *r)
{
	if (r->match.route->body == ROUTE_BODY_NONE)
		return r->body_len == 0 && r->body_size == 0 ? REASON_OK : REASON_BODY_REFUSED;
	/* What lies behind the part that was read would reach the node unread. */
	if (r->body_len != r->body_size)
		return REASON_BAD_BODY;
	if (scan_finish(&r->scan) == SCAN_DONE)
		return REASON_OK;
	say_bad_body(r);
	return REASON_BAD_BODY;
}

/* One name, wherever it stood. The first of a request becomes the model of its records. */
static enum reason check_model(struct request *r, const struct key_record *key, struct slice raw)
{
	struct model_name name;

	if (!name_parse(raw, &name))
		return REASON_MODEL_INVALID;
	if (!r->has_model) {
		r->model = name;
		r->has_model = true;
	}
	if (name.cloud)
		return REASON_CLOUD_DENIED;
	return name_list_matches(record_key_models(key), name_slice(&name)) ? REASON_OK : REASON_MODEL_DENIED;
}

/* Ollama takes `model` and falls back to `name`; two that differ could be read in two ways. */
static enum reason check_same_name(const struct request *r)
{
	struct model_name a, b;

	if (r->scan.result.name_len[NAME_MODEL] == 0 || r->scan.result.name_len[NAME_NAME] == 0)
		return REASON_OK;
	if (!name_parse(scan_name(&r->scan, NAME_MODEL), &a) ||
	    !name_parse(scan_name(&r->scan, NAME_NAME), &b))
		return REASON_MODEL_INVALID;
	return slice_eq(name_slice(&a), name_slice(&b)) ? REASON_OK : REASON_MODEL_INVALID;
}

static enum reason check_models(struct request *r, const struct key_record *key)
{
	const struct route *route = r->match.route;

	if (r->match.model_len > 0)
		return check_model(r, key, (struct slice){r->match.model, r->match.model_len});
	if (route->names == 0)
		return REASON_OK;
	enum reason reason = check_same_name(r);
	for (int f = 0; f < NAME_FIELDS && reason == REASON_OK; f++)
		if (r->scan.result.name_len[f] > 0)
			reason = check_model(r, key, scan_name(&r->scan, (enum name_field)f));
	if (reason == REASON_OK && !r->has_model)
		return REASON_MODEL_MISSING;
	return reason;
}

static void grant_fill(struct grant *g, const struct key_record *key, const struct tenant_record *tenant)
{
	memcpy(g->key_id, key->id, sizeof(g->key_id));
	memcpy(g->tenant, key->tenant, sizeof(g->tenant));
	g->key_rpm = key->rpm;
	g->tenant_rpm = tenant ? tenant->rpm : 0;
	g->priority = key->priority;
}

enum reason check_records(struct request *r, const struct peppers *peppers, const struct key_record *key,
			  const struct tenant_record *tenant, int64_t now_s)
{
	enum reason reason = check_secret(r, peppers, key, now_s);

	OPENSSL_cleanse(r->credential, sizeof(r->credential));
	if (reason == REASON_INVALID_KEY)
		return reason; /* whoever this is, it is not the key's holder: nothing is recorded under its
				  id */
	grant_fill(&r->grant, key, tenant);
	if (reason != REASON_OK)
		return reason;
	if (tenant == NULL || record_tenant_status(tenant) != RECORD_USABLE)
		return REASON_SUSPENDED_TENANT;
	if (!r->source_known ? key->network_count > 0 : !record_key_allows_address(key, &r->address))
		return REASON_NETWORK;
	reason = check_role(r, key->role);
	if (reason != REASON_OK || !r->admit)
		return reason;
	reason = check_body(r);
	if (reason == REASON_OK)
		reason = check_models(r, key);
	if (reason == REASON_OK && r->scan.result.debug_render_only && key->role != RECORD_OPERATOR)
		return REASON_ROLE; /* it would show the model's system prompt */
	return reason;
}
