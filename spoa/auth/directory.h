/* The agent's copy of key and tenant records, kept current by Redis' invalidations.
 *
 * While invalidations are heard a record is valid without limit. While they are not it is asked for
 * again after revalidate_us, and when Redis does not answer it is served for at most stale_max_us
 * since it was last known to be current. An id that is not in Redis is remembered for negative_ttl_us. */
#ifndef TOLLGATE_AUTH_DIRECTORY_H
#define TOLLGATE_AUTH_DIRECTORY_H

#include <ev.h>

#include "base/list.h"
#include "base/slice.h"

struct directory;
struct key_record;
struct store;
struct tenant_record;

struct directory_config {
	unsigned max_entries;  /* key and tenant records held, about 6 KiB a key; the least recently used
				  goes; at least 16 */
	unsigned max_negative; /* names held that are known not to exist */
	unsigned max_lookups;  /* ids being asked for at one time */
	unsigned lookup_rate;  /* lookups a second, and at once, that may turn out to be of unknown ids;
				  0: no cap */
	int64_t negative_ttl_us;
	int64_t revalidate_us; /* age at which a record is asked for again while the link is down */
	int64_t stale_max_us;  /* since it was last known to be current; 0: never served stale */
	int64_t deadline_us;   /* for one lookup, key and tenant together */
};

void directory_config_defaults(struct directory_config *config);

enum directory_outcome {
	DIRECTORY_FOUND,
	DIRECTORY_UNKNOWN,     /* no such key, or its record cannot be understood */
	DIRECTORY_UNAVAILABLE, /* Redis cannot be asked and nothing usable is held, or too many unknown ids
				  are being asked for */
	DIRECTORY_PENDING,     /* the ask's callback will tell */
};

/* Records stay valid until control returns to the event loop. */
struct directory_answer {
	const struct key_record *key;
	const struct tenant_record *tenant; /* NULL: the key names a tenant that does not exist; refuse */
	bool stale;                         /* served because Redis does not answer */
};

struct directory_ask;

/* Exactly once for an ask that is pending and not cancelled, never from within directory_resolve().
 * `answer` is meaningful for DIRECTORY_FOUND only. */
typedef void directory_answer_fn(struct directory_ask *ask, enum directory_outcome outcome,
				 const struct directory_answer *answer);

/* Embedded in its owner's object, which must stay until the callback or directory_cancel().
 * Zeroed before its first use. */
struct directory_ask {
	/* private */
	struct list link;
	directory_answer_fn *fn;
	bool waiting;
};

/* Takes the store's one invalidation subscription. The store is freed first, since it ends the
 * directory's calls. NULL with errno on failure. */
struct directory *directory_new(struct store *store, struct ev_loop *loop,
				const struct directory_config *config);

/* Pending asks are forgotten without an answer. NULLs the pointer. */
void directory_free(struct directory **dir);

/* The record of `key_id` and that of its tenant. Everything but DIRECTORY_PENDING is final and *ret is
 * filled for DIRECTORY_FOUND; the ask is then unused. Asks for one id share one lookup. */
enum directory_outcome directory_resolve(struct directory *dir, struct slice key_id,
					 struct directory_ask *ask, directory_answer_fn *fn,
					 struct directory_answer *ret) __attribute__((warn_unused_result));

/* Harmless for an ask that is not pending. */
void directory_cancel(struct directory_ask *ask);

struct directory_stats {
	uint64_t hits;
	uint64_t misses; /* had to be asked for (joining a lookup included) */
	uint64_t negative_hits;
	uint64_t stale_served;
	uint64_t throttled;   /* refused by lookup_rate or max_lookups */
	uint64_t unavailable; /* answers, throttled ones included */
	uint64_t overtaken;   /* replies not kept because an invalidation came first */
	uint64_t malformed;   /* records that could not be understood */
	uint64_t invalidations;
	uint64_t flushes; /* everything held had to be checked again */
	uint64_t evictions;
	unsigned entries;
	unsigned negative_entries;
	unsigned lookups; /* in flight */
};
void directory_stats(const struct directory *dir, struct directory_stats *ret);

#endif
