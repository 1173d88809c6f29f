/* Lookups of keys and their tenants, shared by all who ask for the same id.
 *
 * A lookup asks for the key, then for its tenant, and looks at the cache after each reply to see what is
 * still missing; so an invalidation in the meantime only makes it ask again. Invalidations come on a
 * connection of their own and can overtake a reply: one that names what is being asked for, or doubts
 * everything, spoils the reply, which is then not kept. */
#include "auth/directory.h"

#include <errno.h>
#include <stdlib.h>

#include "auth/directory_cache.h"
#include "base/clock.h"
#include "store/store.h"

enum {
	ASKS_MAX = 4,    /* questions of one lookup: key, tenant and two that were spoiled */
	FIELDS_MAX = 64, /* of a record in Redis */
};

static const int64_t TOKEN = 1000000; /* one lookup, in millionths */

/* On `active` while its call is in flight, else on `spare`. */
struct lookup {
	struct store_call call;
	struct directory *dir;
	struct list link;
	struct table_node node; /* in by_id while somebody may still join */
	struct list waiters;
	char id[KEY_ID_LEN + 1];
	char name[CACHE_NAME_MAX]; /* asked for */
	enum entry_kind kind;      /* of what is asked for */
	uint64_t epoch;            /* when it was asked for */
	int64_t asked_us;
	int64_t deadline_us;
	unsigned asks;
	bool spoiled;
	bool failed;  /* Redis answered with an error */
	bool charged; /* holds a token of the lookup rate */
};

struct directory {
	struct directory_config config;
	struct store *store;
	struct ev_loop *loop;
	ev_timer sweep;
	struct cache cache;
	struct lookup *lookups;
	struct list spare;
	struct list active;
	struct table by_id;
	int64_t tokens; /* in millionths */
	int64_t tokens_us;
	struct directory_stats stats;
};

void directory_config_defaults(struct directory_config *config)
{
	*config = (struct directory_config){
		.max_entries = 8192,
		.max_negative = 4096,
		.max_lookups = 256,
		.lookup_rate = 5000,
		.negative_ttl_us = 30000000,
		.revalidate_us = 5000000,
		.stale_max_us = 300000000,
		.deadline_us = 30000,
	};
}

static struct lookup *lookup_of(struct store_call *call)
{
	return LIST_ENTRY(call, struct lookup, call);
}

static void count_answer(struct directory *dir, enum directory_outcome outcome,
			 const struct directory_answer *answer)
{
	if (outcome == DIRECTORY_UNAVAILABLE)
		dir->stats.unavailable++;
	else if (outcome == DIRECTORY_FOUND && answer->stale)
		dir->stats.stale_served++;
}

/* Only ids that turn out to be unknown use the lookup rate up. */
static bool take_token(struct directory *dir, int64_t now)
{
	int64_t full = (int64_t)dir->config.lookup_rate * TOKEN;

	if (full == 0)
		return true;
	int64_t passed = now - dir->tokens_us;
	dir->tokens_us = now;
	dir->tokens = passed > 1000000 ? full : dir->tokens + passed * dir->config.lookup_rate;
	if (dir->tokens > full)
		dir->tokens = full;
	if (dir->tokens < TOKEN)
		return false;
	dir->tokens -= TOKEN;
	return true;
}

static void return_token(struct lookup *lookup)
{
	if (lookup->charged)
		lookup->dir->tokens += TOKEN;
	lookup->charged = false;
}

static void retire(struct lookup *lookup)
{
	list_remove(&lookup->link);
	list_append(&lookup->dir->spare, &lookup->link);
}

/* Nobody can join any more, so a callback that asks for the same id again starts a new lookup. */
static void answer(struct lookup *lookup, enum directory_outcome outcome,
		   const struct directory_answer *result)
{
	struct directory *dir = lookup->dir;
	struct list waiters;
	struct list *first;

	table_remove(&dir->by_id, &lookup->node);
	if (outcome != DIRECTORY_UNKNOWN)
		return_token(lookup);
	list_init(&waiters);
	while ((first = list_first(&lookup->waiters)) != NULL) {
		list_remove(first);
		list_append(&waiters, first);
	}
	if (store_call_idle(&lookup->call))
		retire(lookup);
	while ((first = list_first(&waiters)) != NULL) {
		struct directory_ask *ask = LIST_ENTRY(first, struct directory_ask, link);
		directory_cancel(ask);
		count_answer(dir, outcome, result);
		ask->fn(ask, outcome, result);
	}
}

static bool ask_redis(struct lookup *lookup, const struct missing *missing)
{
	const char *argv[] = {"HGETALL", lookup->name};

	if (lookup->asks++ == ASKS_MAX)
		return false;
	memcpy(lookup->name, missing->name, sizeof(lookup->name));
	lookup->kind = missing->kind;
	lookup->epoch = lookup->dir->cache.epoch;
	lookup->asked_us = clock_mono_us();
	lookup->spoiled = false;
	store_begin(lookup->dir->store, &lookup->call, lookup->deadline_us);
	store_command(&lookup->call, 2, argv, (const size_t[]){7, strlen(lookup->name)});
	return store_send(&lookup->call);
}

static void answer_without_redis(struct lookup *lookup)
{
	struct directory_answer result = {.key = NULL};
	enum directory_outcome outcome =
		cache_make_do(&lookup->dir->cache, slice_of(lookup->id), clock_mono_us(), &result);

	answer(lookup, outcome, &result);
}

static void advance(struct lookup *lookup)
{
	struct directory_answer result = {.key = NULL};
	struct missing missing;
	enum directory_outcome outcome =
		cache_recall(&lookup->dir->cache, slice_of(lookup->id), clock_mono_us(), &result, &missing);

	if (outcome != DIRECTORY_PENDING)
		answer(lookup, outcome, &result);
	else if (!ask_redis(lookup, &missing))
		answer_without_redis(lookup);
}

static bool parse_record(struct entry *entry, struct slice id, const struct record_field *fields,
			 size_t count)
{
	if (entry->kind == ENTRY_KEY)
		return record_key_parse(id, fields, count, entry_key(entry), NULL);
	return record_tenant_parse(id, fields, count, entry_tenant(entry), NULL);
}

/* False: the hash cannot be understood. */
static bool keep_record(struct lookup *lookup, const redisReply *reply)
{
	struct record_field fields[FIELDS_MAX];
	size_t count = reply->elements / 2;
	struct slice name = slice_of(lookup->name);
	struct slice id = slice_of(strrchr(lookup->name, ':') + 1);

	if (count > FIELDS_MAX)
		return false;
	for (size_t i = 0; i < count; i++) {
		const redisReply *field = reply->element[2 * i], *value = reply->element[2 * i + 1];
		fields[i] = (struct record_field){{field->str, field->len}, {value->str, value->len}};
	}
	struct entry *entry = cache_put(&lookup->dir->cache, name, lookup->kind, lookup->asked_us);
	if (entry == NULL) {
		lookup->failed = true;
		return true;
	}
	if (parse_record(entry, id, fields, count))
		return true;
	cache_drop(&lookup->dir->cache, name);
	return false;
}

/* A record that cannot be understood lets nobody in and is asked for again like one that is not there. */
static void keep(struct lookup *lookup, const redisReply *reply)
{
	struct directory *dir = lookup->dir;
	bool is_hash = reply->type == REDIS_REPLY_ARRAY;

	if (is_hash && reply->elements > 0 && keep_record(lookup, reply))
		return;
	if (!is_hash || reply->elements > 0)
		dir->stats.malformed++;
	if (cache_put(&dir->cache, slice_of(lookup->name), ENTRY_ABSENT, lookup->asked_us) == NULL)
		lookup->failed = true;
}

/* Also for lookups that were late: the reply is as good for the next who asks. */
static void on_reply(struct store_call *call, unsigned index, const redisReply *reply)
{
	struct lookup *lookup = lookup_of(call);
	struct directory *dir = lookup->dir;

	(void)index;
	if (reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "WRONGTYPE", 9) != 0) {
		lookup->failed = true;
	} else if (lookup->spoiled || lookup->epoch != dir->cache.epoch) {
		dir->stats.overtaken++;
	} else {
		keep(lookup, reply);
	}
}

static void on_done(struct store_call *call, enum store_outcome outcome)
{
	struct lookup *lookup = lookup_of(call);

	if (outcome == STORE_OK && !lookup->failed)
		advance(lookup);
	else
		answer_without_redis(lookup);
}

static void on_late(struct store_call *call, bool complete)
{
	(void)complete;
	retire(lookup_of(call));
}

static void on_key(void *ctx, struct slice key)
{
	struct directory *dir = ctx;

	if (key.p == NULL) {
		dir->stats.flushes++;
		cache_doubt_all(&dir->cache);
		return;
	}
	dir->stats.invalidations++;
	cache_drop(&dir->cache, key);
	for (struct list *at = dir->active.next; at != &dir->active; at = at->next) {
		struct lookup *lookup = LIST_ENTRY(at, struct lookup, link);
		if (slice_eq(slice_of(lookup->name), key))
			lookup->spoiled = true;
	}
}

static void on_link(void *ctx, bool up)
{
	struct directory *dir = ctx;

	cache_link(&dir->cache, up, clock_mono_us());
}

static void on_sweep(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct directory *dir = w->data;

	(void)loop;
	(void)revents;
	cache_sweep(&dir->cache, clock_mono_us());
}

static bool config_sane(const struct directory_config *c)
{
	return c->max_entries >= 16 && c->max_negative > 0 && c->max_lookups > 0 &&
	       c->lookup_rate <= 1000000 && c->negative_ttl_us > 0 && c->revalidate_us > 0 &&
	       c->stale_max_us >= 0 && c->deadline_us > 0;
}

static bool make_lookups(struct directory *dir)
{
	dir->lookups = calloc(dir->config.max_lookups, sizeof(*dir->lookups));
	if (dir->lookups == NULL)
		return false;
	for (unsigned i = 0; i < dir->config.max_lookups; i++) {
		struct lookup *lookup = &dir->lookups[i];
		lookup->dir = dir;
		lookup->call.on_reply = on_reply;
		lookup->call.on_done = on_done;
		lookup->call.on_late = on_late;
		list_init(&lookup->waiters);
		list_append(&dir->spare, &lookup->link);
	}
	return table_init(&dir->by_id, dir->config.max_lookups);
}

struct directory *directory_new(struct store *store, struct ev_loop *loop,
				const struct directory_config *config)
{
	static const char *const prefixes[] = {RECORD_KEY_PREFIX, RECORD_TENANT_PREFIX};
	struct directory *dir = config_sane(config) ? calloc(1, sizeof(*dir)) : NULL;

	if (dir == NULL) {
		errno = config_sane(config) ? ENOMEM : EINVAL;
		return NULL;
	}
	dir->config = *config;
	dir->store = store;
	dir->loop = loop;
	list_init(&dir->spare);
	list_init(&dir->active);
	double period = (double)config->negative_ttl_us / 1e6;
	ev_timer_init(&dir->sweep, on_sweep, period, period);
	dir->sweep.data = dir;
	if (!cache_init(&dir->cache, &dir->config) || !make_lookups(dir)) {
		directory_free(&dir);
		errno = ENOMEM;
		return NULL;
	}
	if (!store_track(store, prefixes, 2, on_key, on_link, dir)) {
		directory_free(&dir);
		errno = EBUSY;
		return NULL;
	}
	ev_timer_start(loop, &dir->sweep);
	return dir;
}

void directory_free(struct directory **dir)
{
	struct directory *d = *dir;

	if (d == NULL)
		return;
	ev_timer_stop(d->loop, &d->sweep);
	cache_done(&d->cache);
	table_done(&d->by_id);
	free(d->lookups);
	free(d);
	*dir = NULL;
}

void directory_cancel(struct directory_ask *ask)
{
	if (!ask->waiting)
		return;
	ask->waiting = false;
	list_remove(&ask->link);
}

/* A new lookup's first question. NULL: there may be no more, or Redis does not take it. */
static struct lookup *start(struct directory *dir, struct slice id, const struct missing *missing, bool known)
{
	struct list *first = list_first(&dir->spare);
	int64_t now = clock_mono_us();

	if (first == NULL || (!known && !take_token(dir, now))) {
		dir->stats.throttled++;
		return NULL;
	}
	struct lookup *lookup = LIST_ENTRY(first, struct lookup, link);
	lookup->asks = 0;
	lookup->failed = false;
	lookup->charged = !known && dir->config.lookup_rate > 0;
	lookup->deadline_us = now + dir->config.deadline_us;
	if (!slice_copy(id, lookup->id, sizeof(lookup->id)) || !ask_redis(lookup, missing)) {
		return_token(lookup);
		return NULL;
	}
	list_remove(&lookup->link);
	list_append(&dir->active, &lookup->link);
	table_insert(&dir->by_id, &lookup->node, slice_of(lookup->id));
	return lookup;
}

/* The lookup that will answer, or NULL when none can. */
static struct lookup *join_or_start(struct directory *dir, struct slice id, const struct missing *missing)
{
	struct table_node *node = table_find(&dir->by_id, id);

	if (node != NULL)
		return TABLE_ENTRY(node, struct lookup, node);
	return store_up(dir->store) ? start(dir, id, missing, cache_knows_key(&dir->cache, id)) : NULL;
}

enum directory_outcome directory_resolve(struct directory *dir, struct slice key_id,
					 struct directory_ask *ask, directory_answer_fn *fn,
					 struct directory_answer *ret)
{
	struct missing missing;

	if (!key_id_valid(key_id))
		return DIRECTORY_UNKNOWN;
	enum directory_outcome outcome = cache_recall(&dir->cache, key_id, clock_mono_us(), ret, &missing);
	if (outcome == DIRECTORY_FOUND)
		dir->stats.hits++;
	else if (outcome == DIRECTORY_UNKNOWN)
		dir->stats.negative_hits++;
	if (outcome != DIRECTORY_PENDING)
		return outcome;
	dir->stats.misses++;
	struct lookup *lookup = join_or_start(dir, key_id, &missing);
	if (lookup == NULL) {
		outcome = cache_make_do(&dir->cache, key_id, clock_mono_us(), ret);
		count_answer(dir, outcome, ret);
		return outcome;
	}
	ask->fn = fn;
	ask->waiting = true;
	list_append(&lookup->waiters, &ask->link);
	return DIRECTORY_PENDING;
}

static unsigned lookups_active(const struct directory *dir)
{
	unsigned n = 0;

	for (const struct list *at = dir->active.next; at != &dir->active; at = at->next)
		n++;
	return n;
}

void directory_stats(const struct directory *dir, struct directory_stats *ret)
{
	*ret = dir->stats;
	ret->evictions = dir->cache.evictions;
	ret->entries = dir->cache.record_count;
	ret->negative_entries = dir->cache.absence_count;
	ret->lookups = lookups_active(dir);
}
