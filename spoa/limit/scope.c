/* Bounded table of scopes. */
#include "limit/scope.h"

bool scopes_init(struct scopes *scopes, unsigned max)
{
	list_init(&scopes->by_use);
	scopes->max = max;
	if (!slab_init(&scopes->slab, sizeof(struct scope), max))
		return false;
	if (table_init(&scopes->table, max))
		return true;
	slab_done(&scopes->slab);
	return false;
}

void scopes_done(struct scopes *scopes)
{
	table_done(&scopes->table);
	slab_done(&scopes->slab);
}

/* Whoever is held is in use, so those not held gather at the front. */
static struct scope *forget_oldest(struct scopes *scopes)
{
	for (struct list *node = scopes->by_use.next; node != &scopes->by_use; node = node->next) {
		struct scope *scope = LIST_ENTRY(node, struct scope, link);
		if (scope->refs > 0)
			continue;
		list_remove(&scope->link);
		table_remove(&scopes->table, &scope->node);
		return scope;
	}
	return NULL;
}

static struct scope *scope_new(struct scopes *scopes, struct slice name)
{
	struct scope *scope = scopes->table.count < scopes->max ? slab_take(&scopes->slab) : NULL;

	if (scope == NULL)
		scope = forget_oldest(scopes);
	if (scope == NULL)
		return NULL;
	*scope = (struct scope){.name_len = name.n};
	memcpy(scope->name, name.p, name.n);
	list_init(&scope->link);
	table_insert(&scopes->table, &scope->node, (struct slice){scope->name, name.n});
	return scope;
}

struct scope *scopes_hold(struct scopes *scopes, char kind, struct slice id)
{
	char name[ADMISSION_ID_MAX + 3];
	struct strbuf sb = strbuf_over(name, sizeof(name));

	strbuf_putc(&sb, kind);
	strbuf_putc(&sb, ':');
	strbuf_put(&sb, id);
	if (sb.overflow)
		return NULL;
	struct table_node *node = table_find(&scopes->table, strbuf_slice(&sb));
	struct scope *scope =
		node != NULL ? TABLE_ENTRY(node, struct scope, node) : scope_new(scopes, strbuf_slice(&sb));
	if (scope == NULL)
		return NULL;
	list_remove(&scope->link);
	list_append(&scopes->by_use, &scope->link);
	scope->refs++;
	return scope;
}

void scope_release(struct scope *scope)
{
	scope->refs--;
}

struct window_view scope_view(const struct scope *scope, int64_t second, uint32_t limit, unsigned agents)
{
	return (struct window_view){
		.shared = &scope->shared,
		.own = scope->own_until > second ? &scope->own : NULL,
		.limit = limit,
		.agents = agents,
	};
}

void scope_add_own(struct scope *scope, int64_t second, uint32_t n)
{
	window_move(&scope->own, second);
	window_add(&scope->own, second, n);
	if (scope->own_until < second + WINDOW_REACH_S + 1)
		scope->own_until = second + WINDOW_REACH_S + 1;
}
