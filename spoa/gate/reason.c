/* The table of reasons. */
#include "gate/reason.h"

struct description {
	const char *name;
	enum verdict verdict;
	int status;
	const char *message;
};

static const struct description reasons[REASON_COUNT] = {
	[REASON_OK] = {"ok", VERDICT_ADMIT, 200, "admitted"},
	[REASON_MISSING_KEY] = {"missing_key", VERDICT_UNAUTHORIZED, 401,
				"no API key was given; send it as 'Authorization: Bearer <key>', as "
				"'x-api-key', or as /k/<key>/ before the path"},
	[REASON_MALFORMED_KEY] = {"malformed_key", VERDICT_UNAUTHORIZED, 401,
				  "the API key is not one of this gateway; check that it was copied whole"},
	[REASON_INVALID_KEY] = {"invalid_key", VERDICT_UNAUTHORIZED, 401, "the API key is not valid"},
	[REASON_EXPIRED_KEY] = {"expired_key", VERDICT_UNAUTHORIZED, 401,
				"the API key has expired; ask the operator for a new one"},
	[REASON_REVOKED_KEY] = {"revoked_key", VERDICT_UNAUTHORIZED, 401,
				"the API key was revoked; ask the operator for a new one"},
	[REASON_SUSPENDED_KEY] = {"suspended_key", VERDICT_FORBIDDEN, 403,
				  "the API key is suspended; ask the operator"},
	[REASON_SUSPENDED_TENANT] = {"suspended_tenant", VERDICT_FORBIDDEN, 403,
				     "the tenant of this API key is suspended; ask the operator"},
	[REASON_CONFLICTING_KEYS] = {"conflicting_keys", VERDICT_INVALID, 400,
				     "two different credentials were given; send one"},
	[REASON_NETWORK] = {"network", VERDICT_FORBIDDEN, 403,
			    "the API key may not be used from this address"},
	[REASON_UNKNOWN_ROUTE] = {"unknown_route", VERDICT_FORBIDDEN, 404, "there is no such route"},
	[REASON_METHOD] = {"method", VERDICT_FORBIDDEN, 405, "the method is not allowed on this route"},
	[REASON_ROUTE_DENIED] = {"route_denied", VERDICT_FORBIDDEN, 403,
				 "this route is not served through the gateway"},
	[REASON_ROLE] = {"role", VERDICT_FORBIDDEN, 403,
			 "the role of this API key does not allow this route"},
	[REASON_NODE_REQUIRED] = {"node_required", VERDICT_INVALID, 400,
				  "model management works on one node; name it in 'X-Tollgate-Node'"},
	[REASON_NODE_INVALID] = {"node_invalid", VERDICT_INVALID, 400,
				 "X-Tollgate-Node is not a node's name"},
	[REASON_BAD_BODY] = {"bad_body", VERDICT_INVALID, 400, "the body is not what this route takes"},
	[REASON_BODY_REFUSED] = {"body_refused", VERDICT_INVALID, 400, "this route takes no body"},
	[REASON_MODEL_MISSING] = {"model_missing", VERDICT_INVALID, 400, "the body names no model"},
	[REASON_MODEL_INVALID] = {"model_invalid", VERDICT_INVALID, 400, "the model's name is not valid"},
	[REASON_MODEL_DENIED] = {"model_denied", VERDICT_FORBIDDEN, 403,
				 "this API key may not use this model"},
	[REASON_CLOUD_DENIED] = {"cloud_denied", VERDICT_FORBIDDEN, 403,
				 "models that run in the cloud are not served through the gateway"},
	[REASON_KEY_RATE] = {"key_rate", VERDICT_LIMITED, 429, "the API key's limit is reached"},
	[REASON_TENANT_RATE] = {"tenant_rate", VERDICT_LIMITED, 429, "the tenant's limit is reached"},
	[REASON_BODY_BUDGET] = {"body_budget", VERDICT_UNAVAILABLE, 503,
				"too many large requests are being received; retry shortly"},
	[REASON_STORE] = {"store", VERDICT_UNAVAILABLE, 503,
			  "the API key cannot be checked at the moment; retry shortly"},
	[REASON_AUDIT] = {"audit", VERDICT_UNAVAILABLE, 503,
			  "the request cannot be recorded at the moment; retry shortly"},
	[REASON_OVERLOAD] = {"overload", VERDICT_UNAVAILABLE, 503,
			     "the gateway is overloaded; retry shortly"},
	[REASON_INTERNAL] = {"internal", VERDICT_UNAVAILABLE, 503,
			     "the gateway could not decide; retry shortly"},
};

static const char *const verdicts[VERDICT_COUNT] = {
	[VERDICT_ADMIT] = "admit",         [VERDICT_UNAUTHORIZED] = "unauthorized",
	[VERDICT_FORBIDDEN] = "forbidden", [VERDICT_LIMITED] = "limited",
	[VERDICT_INVALID] = "invalid",     [VERDICT_UNAVAILABLE] = "unavailable",
};

const char *verdict_name(enum verdict verdict)
{
	return verdicts[verdict];
}

const char *reason_name(enum reason reason)
{
	return reasons[reason].name;
}

enum verdict reason_verdict(enum reason reason)
{
	return reasons[reason].verdict;
}

int reason_status(enum reason reason)
{
	return reasons[reason].status;
}

const char *reason_message(enum reason reason)
{
	return reasons[reason].message;
}
