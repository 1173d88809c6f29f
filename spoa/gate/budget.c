/* Byte budget: one total and a share a tenant, in a fixed pool of tenants that hold bytes. */
#include "gate/budget.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/table.h"

enum { SHARE = 4, TENANT_MAX = 64 };

struct holder {
	struct table_node node;
	struct list link; /* on the free list while nothing is held */
	char name[TENANT_MAX + 1];
	uint64_t bytes;
};

struct budget {
	uint64_t total;
	uint64_t used;
	struct table tenants;
	struct list unused;
	struct holder *holders;
};

struct budget *budget_new(uint64_t total, unsigned tenants)
{
	struct budget *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->total = total;
	list_init(&b->unused);
	b->holders = calloc(tenants, sizeof(*b->holders));
	if (b->holders == NULL || !table_init(&b->tenants, tenants)) {
		budget_free(&b);
		return NULL;
	}
	for (unsigned i = 0; i < tenants; i++)
		list_append(&b->unused, &b->holders[i].link);
	return b;
}

void budget_free(struct budget **budget)
{
	if (*budget == NULL)
		return;
	table_done(&(*budget)->tenants);
	free((*budget)->holders);
	free(*budget);
	*budget = NULL;
}

static struct holder *holder_find(struct budget *b, struct slice tenant)
{
	struct table_node *node = table_find(&b->tenants, tenant);

	return node ? TABLE_ENTRY(node, struct holder, node) : NULL;
}

static struct holder *holder_new(struct budget *b, struct slice tenant)
{
	struct list *link = list_first(&b->unused);

	if (link == NULL)
		return NULL;
	struct holder *h = LIST_ENTRY(link, struct holder, link);
	if (!slice_copy(tenant, h->name, sizeof(h->name)))
		return NULL;
	list_remove(link);
	h->bytes = 0;
	table_insert(&b->tenants, &h->node, (struct slice){h->name, tenant.n});
	return h;
}

bool budget_take(struct budget *b, struct slice tenant, uint64_t bytes)
{
	struct holder *h = holder_find(b, tenant);
	uint64_t held = h ? h->bytes : 0;

	if (bytes > b->total - b->used || (held > 0 && bytes + held > b->total / SHARE))
		return false;
	if (h == NULL)
		h = holder_new(b, tenant);
	if (h == NULL)
		return false;
	h->bytes += bytes;
	b->used += bytes;
	return true;
}

void budget_give(struct budget *b, struct slice tenant, uint64_t bytes)
{
	struct holder *h = holder_find(b, tenant);

	if (h == NULL)
		return;
	if (bytes > h->bytes)
		bytes = h->bytes;
	h->bytes -= bytes;
	b->used -= bytes;
	if (h->bytes == 0) {
		table_remove(&b->tenants, &h->node);
		list_append(&b->unused, &h->link);
	}
}

uint64_t budget_used(const struct budget *b)
{
	return b->used;
}
