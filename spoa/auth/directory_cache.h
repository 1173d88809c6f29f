/* The directory's memory: records and known absences by their Redis name, each bounded, and what is
 * known of how current they are. Knows nothing of lookups. */
#ifndef TOLLGATE_AUTH_DIRECTORY_CACHE_H
#define TOLLGATE_AUTH_DIRECTORY_CACHE_H

#include "auth/directory.h"
#include "auth/record.h"
#include "base/table.h"

enum {
	CACHE_NAME_MAX = 80, /* of a Redis key, with its NUL */
	CACHE_LOSSES = 16,   /* losses of the link that are remembered */
};

enum entry_kind { ENTRY_KEY, ENTRY_TENANT, ENTRY_ABSENT };

struct entry {
	struct table_node node;
	struct list lru;
	enum entry_kind kind;
	uint64_t epoch;      /* when it was asked for */
	int64_t verified_us; /* monotonic; when it was asked for */
	char name[CACHE_NAME_MAX];
};

struct key_entry {
	struct entry entry;
	struct key_record record;
};

struct tenant_entry {
	struct entry entry;
	struct tenant_record record;
};

/* Records of `epoch` were current until `us`, when the link was lost. */
struct link_loss {
	uint64_t epoch;
	int64_t us;
};

struct cache {
	const struct directory_config *config;
	struct table table;
	struct list records; /* least recently used first */
	struct list absences;
	unsigned record_count;
	unsigned absence_count;
	uint64_t evictions;
	uint64_t epoch; /* moves when anything may have changed */
	bool link_up;
	struct link_loss losses[CACHE_LOSSES];
	unsigned loss_count; /* ever */
};

bool cache_init(struct cache *cache, const struct directory_config *config)
	__attribute__((warn_unused_result));
void cache_done(struct cache *cache);

/* NULL when nothing is held under that name. What is found counts as used. */
struct entry *cache_find(struct cache *cache, struct slice name);

/* True when the entry needs no asking. */
bool cache_fresh(const struct cache *cache, const struct entry *entry, int64_t now);

/* True when a record may be served although Redis does not answer. */
bool cache_usable(const struct cache *cache, const struct entry *entry, int64_t now);

/* Makes an entry for `name`, replacing what is held and evicting when full. The caller fills the
 * record. NULL without memory. */
struct entry *cache_put(struct cache *cache, struct slice name, enum entry_kind kind, int64_t asked_us);

void cache_drop(struct cache *cache, struct slice name);

/* Nothing held is fresh any more. */
void cache_doubt_all(struct cache *cache);

void cache_link(struct cache *cache, bool up, int64_t now);

/* Frees absences whose time is over. */
void cache_sweep(struct cache *cache, int64_t now);

/* What is to be asked for next. */
struct missing {
	enum entry_kind kind; /* ENTRY_KEY or ENTRY_TENANT */
	char name[CACHE_NAME_MAX];
};

/* The answer when all of it is fresh; DIRECTORY_PENDING with what is missing otherwise. */
enum directory_outcome cache_recall(struct cache *cache, struct slice id, int64_t now,
				    struct directory_answer *ret, struct missing *missing);

/* The answer when Redis does not give one: what was known lately, or DIRECTORY_UNAVAILABLE. */
enum directory_outcome cache_make_do(struct cache *cache, struct slice id, int64_t now,
				     struct directory_answer *ret);

/* True when a record of this key is held, fresh or not. */
bool cache_knows_key(struct cache *cache, struct slice id);

static inline struct key_record *entry_key(struct entry *entry)
{
	return &LIST_ENTRY(entry, struct key_entry, entry)->record;
}

static inline struct tenant_record *entry_tenant(struct entry *entry)
{
	return &LIST_ENTRY(entry, struct tenant_entry, entry)->record;
}

#endif
