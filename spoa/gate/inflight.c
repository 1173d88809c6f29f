/* A fixed pool of entries and a ring of tombstones, both found by the request's id. */
#include "gate/inflight.h"

#include <openssl/crypto.h>
#include <stdlib.h>

struct tombstone {
	struct table_node node;
	char id[INFLIGHT_ID_MAX + 1];
	char ticket[INFLIGHT_ID_MAX + 1];
};

struct inflight {
	struct table entries;
	struct table tombstones;
	struct list unused;
	struct list states[INFLIGHT_STATES];
	unsigned counts[INFLIGHT_STATES];
	struct inflight_entry *pool;
	struct tombstone *ring;
	unsigned capacity;
	unsigned fresh; /* entries below were in use at some time; the rest costs no memory yet */
	unsigned next_tombstone;
};

struct inflight *inflight_new(unsigned capacity)
{
	struct inflight *in = calloc(1, sizeof(*in));

	if (in == NULL)
		return NULL;
	list_init(&in->unused);
	for (int i = 0; i < INFLIGHT_STATES; i++)
		list_init(&in->states[i]);
	in->capacity = capacity;
	in->pool = calloc(capacity, sizeof(*in->pool));
	in->ring = calloc(capacity, sizeof(*in->ring));
	if (in->pool == NULL || in->ring == NULL || !table_init(&in->entries, capacity) ||
	    !table_init(&in->tombstones, capacity)) {
		inflight_free(&in);
		return NULL;
	}
	return in;
}

void inflight_free(struct inflight **in)
{
	if (*in == NULL)
		return;
	table_done(&(*in)->entries);
	table_done(&(*in)->tombstones);
	free((*in)->pool);
	free((*in)->ring);
	free(*in);
	*in = NULL;
}

static bool id_usable(struct slice s)
{
	return s.n > 0 && s.n <= INFLIGHT_ID_MAX;
}

/* The ticket is what only HAProxy knows, so it is compared like a secret. */
static bool ticket_equal(const char *known, struct slice ticket)
{
	return strlen(known) == ticket.n && CRYPTO_memcmp(known, ticket.p, ticket.n) == 0;
}

static struct inflight_entry *entry_find(const struct inflight *in, struct slice id)
{
	struct table_node *node = table_find(&in->entries, id);

	return node ? TABLE_ENTRY(node, struct inflight_entry, node) : NULL;
}

static struct tombstone *tombstone_find(const struct inflight *in, struct slice id)
{
	struct table_node *node = table_find(&in->tombstones, id);

	return node ? TABLE_ENTRY(node, struct tombstone, node) : NULL;
}

static struct inflight_entry *entry_take(struct inflight *in)
{
	struct list *link = list_first(&in->unused);

	if (link == NULL)
		return in->fresh < in->capacity ? &in->pool[in->fresh++] : NULL;
	struct inflight_entry *entry = LIST_ENTRY(link, struct inflight_entry, link);
	list_remove(link);
	memset(entry, 0, sizeof(*entry));
	return entry;
}

enum inflight_open inflight_open(struct inflight *in, struct slice id, struct slice ticket, int64_t now_us,
				 struct inflight_entry **ret)
{
	if (!id_usable(id) || !id_usable(ticket))
		return INFLIGHT_FOREIGN;
	struct inflight_entry *entry = entry_find(in, id);
	if (entry != NULL) {
		if (!ticket_equal(entry->ticket, ticket) || entry->state == INFLIGHT_ENDING)
			return INFLIGHT_FOREIGN;
		*ret = entry;
		return INFLIGHT_AGAIN;
	}
	struct tombstone *stone = tombstone_find(in, id);
	if (stone != NULL && ticket_equal(stone->ticket, ticket))
		return INFLIGHT_ENDED;
	entry = entry_take(in);
	if (entry == NULL)
		return INFLIGHT_FULL;
	memcpy(entry->id, id.p, id.n);
	memcpy(entry->ticket, ticket.p, ticket.n);
	entry->since_us = now_us;
	list_append(&in->states[INFLIGHT_OPEN], &entry->link);
	in->counts[INFLIGHT_OPEN]++;
	table_insert(&in->entries, &entry->node, (struct slice){entry->id, id.n});
	*ret = entry;
	return INFLIGHT_NEW;
}

static void tombstone_set(struct inflight *in, struct slice id, struct slice ticket)
{
	struct tombstone *stone = &in->ring[in->next_tombstone];

	/* A second line for the same id must not take the place of the first: it may be forged. */
	if (tombstone_find(in, id) != NULL)
		return;
	in->next_tombstone = (in->next_tombstone + 1) % in->capacity;
	if (stone->id[0] != '\0')
		table_remove(&in->tombstones, &stone->node);
	memset(stone, 0, sizeof(*stone));
	memcpy(stone->id, id.p, id.n);
	memcpy(stone->ticket, ticket.p, ticket.n);
	table_insert(&in->tombstones, &stone->node, (struct slice){stone->id, id.n});
}

struct inflight_entry *inflight_end(struct inflight *in, struct slice id, struct slice ticket)
{
	if (!id_usable(id) || !id_usable(ticket))
		return NULL;
	struct inflight_entry *entry = entry_find(in, id);
	if (entry == NULL) {
		tombstone_set(in, id, ticket);
		return NULL;
	}
	if (!ticket_equal(entry->ticket, ticket) || entry->state == INFLIGHT_ENDING)
		return NULL;
	tombstone_set(in, id, ticket); /* the second question about it may still be on its way */
	return entry;
}

void inflight_move(struct inflight *in, struct inflight_entry *entry, enum inflight_state state,
		   int64_t now_us)
{
	list_remove(&entry->link);
	in->counts[entry->state]--;
	entry->state = state;
	entry->since_us = now_us;
	list_append(&in->states[state], &entry->link);
	in->counts[state]++;
}

void inflight_remove(struct inflight *in, struct inflight_entry *entry)
{
	table_remove(&in->entries, &entry->node);
	list_remove(&entry->link);
	in->counts[entry->state]--;
	list_append(&in->unused, &entry->link);
}

struct inflight_entry *inflight_oldest(struct inflight *in, enum inflight_state state, int64_t before_us)
{
	struct list *link = list_first(&in->states[state]);

	if (link == NULL)
		return NULL;
	struct inflight_entry *entry = LIST_ENTRY(link, struct inflight_entry, link);
	return entry->since_us < before_us ? entry : NULL;
}

unsigned inflight_count(const struct inflight *in, enum inflight_state state)
{
	return in->counts[state];
}
