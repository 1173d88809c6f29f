/* Why a request was let in or refused: one closed set of words, the same in the metrics, the audit log
 * and the error that the client reads. */
#ifndef TOLLGATE_GATE_REASON_H
#define TOLLGATE_GATE_REASON_H

enum verdict {
	VERDICT_ADMIT,
	VERDICT_UNAUTHORIZED,
	VERDICT_FORBIDDEN,
	VERDICT_LIMITED,
	VERDICT_INVALID,
	VERDICT_UNAVAILABLE,
	VERDICT_COUNT
};

enum reason {
	REASON_OK,
	REASON_MISSING_KEY,
	REASON_MALFORMED_KEY,
	REASON_INVALID_KEY, /* unknown id or wrong secret: the client must not learn which */
	REASON_EXPIRED_KEY,
	REASON_REVOKED_KEY,
	REASON_SUSPENDED_KEY,
	REASON_SUSPENDED_TENANT,
	REASON_CONFLICTING_KEYS,
	REASON_NETWORK,
	REASON_UNKNOWN_ROUTE,
	REASON_METHOD,
	REASON_ROUTE_DENIED,
	REASON_ROLE,
	REASON_NODE_REQUIRED,
	REASON_NODE_INVALID,
	REASON_BAD_BODY,
	REASON_BODY_REFUSED,
	REASON_MODEL_MISSING,
	REASON_MODEL_INVALID,
	REASON_MODEL_DENIED,
	REASON_CLOUD_DENIED,
	REASON_KEY_RATE,
	REASON_TENANT_RATE,
	REASON_BODY_BUDGET,
	REASON_STORE,    /* Redis cannot say who this is */
	REASON_AUDIT,    /* the audit log cannot be written */
	REASON_OVERLOAD, /* more requests at once than the agent holds */
	REASON_INTERNAL,
	REASON_COUNT
};

const char *verdict_name(enum verdict verdict);

/* The word, e.g. "missing_key". */
const char *reason_name(enum reason reason);
enum verdict reason_verdict(enum reason reason);

/* HTTP status of the refusal; 200 for REASON_OK. */
int reason_status(enum reason reason);

/* What the client is told where nothing more precise is known. Never NULL. */
const char *reason_message(enum reason reason);

#endif
