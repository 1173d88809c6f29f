/* Entries, their age and their eviction. */
#include "auth/directory_cache.h"

#include <stdlib.h>

bool cache_init(struct cache *cache, const struct directory_config *config)
{
	cache->config = config;
	list_init(&cache->records);
	list_init(&cache->absences);
	return table_init(&cache->table, (size_t)config->max_entries + config->max_negative);
}

static void discard(struct cache *cache, struct entry *entry)
{
	table_remove(&cache->table, &entry->node);
	list_remove(&entry->lru);
	if (entry->kind == ENTRY_ABSENT)
		cache->absence_count--;
	else
		cache->record_count--;
	free(entry);
}

static struct entry *entry_of(struct list *lru)
{
	return LIST_ENTRY(lru, struct entry, lru);
}

static void discard_all(struct cache *cache, struct list *list)
{
	while (!list_empty(list))
		discard(cache, entry_of(list->next));
}

void cache_done(struct cache *cache)
{
	if (cache->table.buckets == NULL)
		return;
	discard_all(cache, &cache->records);
	discard_all(cache, &cache->absences);
	table_done(&cache->table);
}

static struct entry *lookup(const struct cache *cache, struct slice name)
{
	struct table_node *node = table_find(&cache->table, name);

	return node != NULL ? TABLE_ENTRY(node, struct entry, node) : NULL;
}

static struct list *list_of(struct cache *cache, const struct entry *entry)
{
	return entry->kind == ENTRY_ABSENT ? &cache->absences : &cache->records;
}

struct entry *cache_find(struct cache *cache, struct slice name)
{
	struct entry *entry = lookup(cache, name);

	if (entry != NULL) {
		list_remove(&entry->lru);
		list_append(list_of(cache, entry), &entry->lru);
	}
	return entry;
}

/* The latest moment at which the record is known to have been current: when it was asked for, or the
 * loss of the link through which it would have been heard to change. */
static int64_t last_known(const struct cache *cache, const struct entry *entry)
{
	int64_t us = entry->verified_us;

	for (unsigned i = 0; i < CACHE_LOSSES && i < cache->loss_count; i++)
		if (cache->losses[i].epoch == entry->epoch && cache->losses[i].us > us)
			us = cache->losses[i].us;
	return us;
}

bool cache_fresh(const struct cache *cache, const struct entry *entry, int64_t now)
{
	if (entry->epoch != cache->epoch)
		return false;
	if (entry->kind == ENTRY_ABSENT)
		return now - entry->verified_us < cache->config->negative_ttl_us;
	return cache->link_up || now - last_known(cache, entry) < cache->config->revalidate_us;
}

bool cache_usable(const struct cache *cache, const struct entry *entry, int64_t now)
{
	if (entry->kind == ENTRY_ABSENT || cache_fresh(cache, entry, now))
		return cache_fresh(cache, entry, now);
	return now - last_known(cache, entry) < cache->config->stale_max_us;
}

static void make_room(struct cache *cache, enum entry_kind kind)
{
	bool absent = kind == ENTRY_ABSENT;
	struct list *list = absent ? &cache->absences : &cache->records;
	unsigned count = absent ? cache->absence_count : cache->record_count;
	unsigned max = absent ? cache->config->max_negative : cache->config->max_entries;

	if (count < max)
		return;
	discard(cache, entry_of(list->next));
	cache->evictions++;
}

struct entry *cache_put(struct cache *cache, struct slice name, enum entry_kind kind, int64_t asked_us)
{
	static const size_t sizes[] = {
		[ENTRY_KEY] = sizeof(struct key_entry),
		[ENTRY_TENANT] = sizeof(struct tenant_entry),
		[ENTRY_ABSENT] = sizeof(struct entry),
	};

	cache_drop(cache, name);
	struct entry *entry = calloc(1, sizes[kind]);
	if (entry == NULL || !slice_copy(name, entry->name, sizeof(entry->name))) {
		free(entry);
		return NULL;
	}
	make_room(cache, kind);
	entry->kind = kind;
	entry->epoch = cache->epoch;
	entry->verified_us = asked_us;
	list_append(list_of(cache, entry), &entry->lru);
	table_insert(&cache->table, &entry->node, (struct slice){entry->name, name.n});
	if (kind == ENTRY_ABSENT)
		cache->absence_count++;
	else
		cache->record_count++;
	return entry;
}

void cache_drop(struct cache *cache, struct slice name)
{
	struct entry *entry = lookup(cache, name);

	if (entry != NULL)
		discard(cache, entry);
}

void cache_doubt_all(struct cache *cache)
{
	cache->epoch++;
}

/* The link may have been dead for some time before that was noticed, so records are asked for again at
 * once after a loss, and count as known until revalidate_us before it. */
void cache_link(struct cache *cache, bool up, int64_t now)
{
	if (cache->link_up && !up)
		cache->losses[cache->loss_count++ % CACHE_LOSSES] =
			(struct link_loss){cache->epoch, now - cache->config->revalidate_us};
	cache->link_up = up;
}

void cache_sweep(struct cache *cache, int64_t now)
{
	struct list *next;

	for (struct list *at = cache->absences.next; at != &cache->absences; at = next) {
		next = at->next;
		if (!cache_fresh(cache, entry_of(at), now))
			discard(cache, entry_of(at));
	}
}

/* Redis' name of a record; the prefixes and the ids' bounds keep it below CACHE_NAME_MAX. */
static struct slice name_record(char name[CACHE_NAME_MAX], const char *prefix, struct slice id)
{
	struct strbuf sb = strbuf_over(name, CACHE_NAME_MAX);

	strbuf_puts(&sb, prefix);
	strbuf_put(&sb, id);
	return strbuf_slice(&sb);
}

static enum directory_outcome recall_tenant(struct cache *cache, const struct key_record *key, int64_t now,
					    struct directory_answer *ret, struct missing *missing)
{
	struct slice name = name_record(missing->name, RECORD_TENANT_PREFIX, slice_of(key->tenant));
	struct entry *entry = cache_find(cache, name);

	if (entry == NULL || !cache_fresh(cache, entry, now)) {
		missing->kind = ENTRY_TENANT;
		return DIRECTORY_PENDING;
	}
	*ret = (struct directory_answer){.key = key};
	if (entry->kind == ENTRY_TENANT)
		ret->tenant = entry_tenant(entry);
	return DIRECTORY_FOUND;
}

enum directory_outcome cache_recall(struct cache *cache, struct slice id, int64_t now,
				    struct directory_answer *ret, struct missing *missing)
{
	struct slice name = name_record(missing->name, RECORD_KEY_PREFIX, id);
	struct entry *entry = cache_find(cache, name);

	if (entry == NULL || !cache_fresh(cache, entry, now)) {
		missing->kind = ENTRY_KEY;
		return DIRECTORY_PENDING;
	}
	if (entry->kind == ENTRY_ABSENT)
		return DIRECTORY_UNKNOWN;
	return recall_tenant(cache, entry_key(entry), now, ret, missing);
}

enum directory_outcome cache_make_do(struct cache *cache, struct slice id, int64_t now,
				     struct directory_answer *ret)
{
	char name[CACHE_NAME_MAX];
	struct entry *key = cache_find(cache, name_record(name, RECORD_KEY_PREFIX, id));

	if (key == NULL || key->kind != ENTRY_KEY || !cache_usable(cache, key, now))
		return DIRECTORY_UNAVAILABLE;
	struct slice tenant_name = name_record(name, RECORD_TENANT_PREFIX, slice_of(entry_key(key)->tenant));
	struct entry *tenant = cache_find(cache, tenant_name);
	if (tenant == NULL || !cache_usable(cache, tenant, now))
		return DIRECTORY_UNAVAILABLE;
	*ret = (struct directory_answer){.key = entry_key(key), .stale = true};
	if (tenant->kind == ENTRY_TENANT)
		ret->tenant = entry_tenant(tenant);
	return DIRECTORY_FOUND;
}

bool cache_knows_key(struct cache *cache, struct slice id)
{
	char name[CACHE_NAME_MAX];
	struct entry *entry = cache_find(cache, name_record(name, RECORD_KEY_PREFIX, id));

	return entry != NULL && entry->kind == ENTRY_KEY;
}
