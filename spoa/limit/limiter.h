/* Requests a minute for a key and its tenant: both let the request pass or neither is charged.
 *
 * Counts first, then looks, in one pipelined round trip; see window.h for why that is exact and
 * admission.h for requests that are asked about twice. "Exact" is in seconds of Redis' clock: agents
 * whose idea of it is d seconds apart hold the limit over any 60 - d seconds of real time.
 * While Redis is down, refuses or is late, a window in memory lets through what Redis last showed to be
 * free, divided by the agents last known to live; every such verdict says LIMIT_MODE_LOCAL. */
#ifndef TOLLGATE_LIMIT_LIMITER_H
#define TOLLGATE_LIMIT_LIMITER_H

#include <ev.h>

#include "base/slice.h"
#include "store/store.h"

struct limiter;
struct limit_call;

struct limiter_config {
	int64_t deadline_us;   /* for one admission, all its round trips together */
	int64_t deny_cache_us; /* a refusal may be repeated without asking Redis for so long; at most 1 s */
	int64_t lease_us;      /* lifetime of an admission record = the longest time a stream is followed */
	unsigned max_scopes;   /* keys and tenants remembered; the least recently used is forgotten */
	unsigned max_calls; /* admissions under way at once, late ones included; more are decided locally */
	int64_t (*now_us)(void *ctx); /* for tests; NULL: store_time_us() */
	void *now_ctx;
};

void limiter_config_defaults(struct limiter_config *config);

/* Ids are copied. Valid ids are what admission_id_valid() says. */
struct limit_ask {
	struct slice id; /* HAProxy's unique-id */
	struct slice ticket;
	struct slice key; /* key id */
	struct slice tenant;
	uint64_t key_rpm;    /* 0 = unlimited */
	uint64_t tenant_rpm; /* 0 = unlimited */
	uint32_t n;          /* what it costs, 1 or more */
	bool again;          /* the caller has seen this id before: the deny cache is passed over, since the
				request may have been charged already */
};

enum limit_outcome {
	LIMIT_ADMITTED,
	LIMIT_LIMITED,
	LIMIT_UNAVAILABLE, /* superseded by a newer ask for the same id, no memory left, or invalid ids */
};

enum limit_scope { LIMIT_SCOPE_NONE, LIMIT_SCOPE_KEY, LIMIT_SCOPE_TENANT };

enum limit_mode {
	LIMIT_MODE_REDIS,
	LIMIT_MODE_LOCAL, /* decided by this agent alone; an admission has no record in Redis */
};

struct limit_verdict {
	enum limit_outcome outcome;
	enum limit_mode mode;
	enum limit_scope scope; /* who refused; when admitted, whose limit the numbers below are */
	uint32_t retry_after_s; /* 1 or more when limited, else 0 */
	uint32_t limit;         /* of the tightest policy, a minute; 0 when nothing is limited */
	uint32_t remaining;
	uint32_t reset_s; /* until the whole limit is free again */
	bool repeated;    /* an earlier ask for this id was found and its charge replaced */
};

typedef void limit_done_fn(void *ctx, const struct limit_verdict *verdict);

/* The store must outlive every admission: free the store first, then the limiter. NULL with errno.
 * Starts the heartbeat by which agents count each other. */
struct limiter *limiter_new(struct store *store, struct ev_loop *loop, const struct limiter_config *config);
void limiter_free(struct limiter **limiter);

/* fn runs exactly once unless cancelled. Returns NULL when it has run already (deny cache, outage,
 * invalid ask), else a handle that is valid until fn runs. */
struct limit_call *limiter_admit(struct limiter *limiter, const struct limit_ask *ask, limit_done_fn *fn,
				 void *ctx);

/* The asker is gone: fn will not run, and what was charged is taken back. */
void limiter_cancel(struct limit_call *call);

struct limiter_stats {
	uint64_t verdicts[3][2]; /* by limit_outcome and limit_mode */
	uint64_t denied_cached;  /* of the limited, answered without asking Redis */
	uint64_t takebacks;      /* charges taken back */
	uint64_t retries;        /* attempts repeated because room appeared after a refusal */
	uint64_t repeated;       /* asks that replaced an earlier one's charge */
	uint64_t superseded;     /* asks that a newer one replaced */
	uint64_t late;           /* asks answered without Redis because it was late */
	uint64_t lost;           /* asks whose connection broke; settled when it is back */
	uint64_t errors;         /* asks that Redis answered with an error */
	uint64_t cancelled;
	unsigned calls;  /* under way */
	unsigned scopes; /* remembered */
	unsigned agents; /* last known to live, this one included */
	bool local;      /* the last verdict that was not cached was local */
};
void limiter_stats(const struct limiter *limiter, struct limiter_stats *ret);

#endif
