/* What the agent remembers of a key's or a tenant's window: what Redis last showed, what was let in
 * without Redis, and whether a refusal may be repeated. A bounded table; the least recently used goes. */
#ifndef TOLLGATE_LIMIT_SCOPE_H
#define TOLLGATE_LIMIT_SCOPE_H

#include "base/list.h"
#include "base/table.h"
#include "limit/admission.h"
#include "limit/slab.h"
#include "limit/window.h"

struct scope {
	struct list link; /* by use, the least recent first */
	struct table_node node;
	unsigned refs;                   /* calls that hold it; it is not forgotten meanwhile */
	char name[ADMISSION_ID_MAX + 3]; /* <kind>:<id>, the table's key */
	size_t name_len;
	struct window shared;
	struct window own;
	int64_t own_until;    /* second at which `own` is empty */
	int64_t denied_at_us; /* time of the last refusal that Redis confirmed, 0 = none */
	int64_t touched;      /* minute whose string was given its expiry, 0 = none */
	unsigned epoch;       /* the connection `touched` is about */
};

struct scopes {
	struct table table;
	struct slab slab;
	struct list by_use;
	unsigned max;
};

bool scopes_init(struct scopes *scopes, unsigned max) __attribute__((warn_unused_result));
void scopes_done(struct scopes *scopes);

/* Found or new, held until scope_release(). NULL when memory is short or everything is held. */
struct scope *scopes_hold(struct scopes *scopes, char kind, struct slice id);
void scope_release(struct scope *scope);

static inline char scope_kind(const struct scope *scope)
{
	return scope->name[0];
}

static inline struct slice scope_id(const struct scope *scope)
{
	return (struct slice){scope->name + 2, scope->name_len - 2};
}

/* What is known of the window under `limit`, shared among `agents`. */
struct window_view scope_view(const struct scope *scope, int64_t second, uint32_t limit, unsigned agents);

/* n let in at `second` without Redis. */
void scope_add_own(struct scope *scope, int64_t second, uint32_t n);

#endif
