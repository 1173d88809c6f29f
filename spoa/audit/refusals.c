/* Sums of refusals by key or source. */
#include "audit/refusals.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

struct entry {
	struct table_node node;
	unsigned singles; /* recorded in this second */
	char name[80];    /* kind and who: the key in the table */
	struct audit_refusal_sum sum;
};

struct audit_refusals {
	int64_t second;
	unsigned singles; /* recorded in this second, all entries */
	unsigned pending; /* entries with a sum */
	struct table index;
	unsigned free_count;
	struct entry *free[AUDIT_REFUSALS_WHO];
	struct entry entries[AUDIT_REFUSALS_WHO];
	struct entry others; /* not in the index */
};

struct audit_refusals *audit_refusals_new(void)
{
	struct audit_refusals *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	for (unsigned i = 0; i < AUDIT_REFUSALS_WHO; i++)
		r->free[r->free_count++] = &r->entries[i];
	(void)snprintf(r->others.sum.who, sizeof(r->others.sum.who), "others");
	if (!table_init(&r->index, AUDIT_REFUSALS_WHO))
		audit_refusals_free(&r);
	return r;
}

void audit_refusals_free(struct audit_refusals **refusals)
{
	if (*refusals == NULL)
		return;
	table_done(&(*refusals)->index);
	free(*refusals);
	*refusals = NULL;
}

/* One subscriber holds a whole IPv6 /64, so it counts as one source. */
static void source_name(struct slice src, char *ret, size_t cap)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr addr;

	if (slice_copy(src, text, sizeof(text)) && inet_pton(AF_INET6, text, &addr) == 1 &&
	    !IN6_IS_ADDR_V4MAPPED(&addr)) {
		memset(addr.s6_addr + 8, 0, 8);
		if (inet_ntop(AF_INET6, &addr, text, sizeof(text)) != NULL) {
			(void)snprintf(ret, cap, "%s/64", text);
			return;
		}
	}
	if (src.n >= cap)
		src.n = cap - 1;
	if (!slice_copy(src, ret, cap))
		ret[0] = '\0';
}

/* A new second: entries without a sum are free again. */
static void turn_second(struct audit_refusals *r, int64_t second)
{
	if (r->second == second)
		return;
	r->second = second;
	r->singles = 0;
	r->others.singles = 0;
	for (unsigned i = 0; i < AUDIT_REFUSALS_WHO; i++) {
		struct entry *e = &r->entries[i];
		bool used = e->name[0] != '\0';
		e->singles = 0;
		if (used && e->sum.count == 0) {
			table_remove(&r->index, &e->node);
			e->name[0] = '\0';
			r->free[r->free_count++] = e;
		}
	}
}

static struct entry *find_entry(struct audit_refusals *r, const struct audit_request *request)
{
	bool by_key = request->key_id.n > 0;
	char who[sizeof(r->others.sum.who)];
	char name[sizeof(r->others.name)];

	if (by_key)
		(void)snprintf(who, sizeof(who), "%.*s", SLICE_FMT(request->key_id));
	else
		source_name(request->src, who, sizeof(who));
	(void)snprintf(name, sizeof(name), "%c%s", by_key ? 'k' : 's', who);
	struct table_node *node = table_find(&r->index, slice_of(name));
	if (node != NULL)
		return TABLE_ENTRY(node, struct entry, node);
	if (r->free_count == 0)
		return &r->others;
	struct entry *e = r->free[--r->free_count];
	memcpy(e->name, name, sizeof(e->name));
	memcpy(e->sum.who, who, sizeof(e->sum.who));
	e->sum.by_key = by_key;
	table_insert(&r->index, &e->node, slice_of(e->name));
	return e;
}

/* Where the reason is counted, or the first free place. */
static unsigned find_reason(const struct audit_refusal_sum *sum, const char *name)
{
	unsigned i = 0;

	while (i < sum->reason_count && strcmp(sum->reasons[i].name, name) != 0)
		i++;
	return i;
}

static void count_reason(struct audit_refusal_sum *sum, struct slice reason)
{
	static const char other[] = "other";
	char name[sizeof(sum->reasons[0].name)];

	if (!slice_copy(reason, name, sizeof(name)))
		memcpy(name, other, sizeof(other));
	unsigned i = find_reason(sum, name);
	if (i == sum->reason_count && i >= AUDIT_REFUSALS_REASONS - 1) {
		memcpy(name, other, sizeof(other));
		i = find_reason(sum, name);
	}
	if (i == sum->reason_count) {
		memcpy(sum->reasons[i].name, name, sizeof(name));
		sum->reasons[i].count = 0;
		sum->reason_count++;
	}
	sum->reasons[i].count++;
}

bool audit_refusals_single(struct audit_refusals *r, const struct audit_decision *decision, int64_t now_us)
{
	turn_second(r, now_us / 1000000);
	struct entry *e = find_entry(r, &decision->request);

	if (e->singles < AUDIT_REFUSALS_EACH && r->singles < AUDIT_REFUSALS_ALL) {
		e->singles++;
		r->singles++;
		return true;
	}
	if (e->sum.count == 0) {
		r->pending++;
		e->sum.from_us = now_us;
	}
	e->sum.count++;
	e->sum.until_us = now_us;
	count_reason(&e->sum, decision->reason);
	return false;
}

bool audit_refusals_pending(const struct audit_refusals *r)
{
	return r->pending > 0;
}

bool audit_refusals_take(struct audit_refusals *r, struct audit_refusal_sum *ret)
{
	for (unsigned i = 0; r->pending > 0 && i <= AUDIT_REFUSALS_WHO; i++) {
		struct entry *e = i < AUDIT_REFUSALS_WHO ? &r->entries[i] : &r->others;
		if (e->sum.count == 0)
			continue;
		*ret = e->sum;
		e->sum.count = 0;
		e->sum.reason_count = 0;
		r->pending--;
		return true;
	}
	return false;
}
