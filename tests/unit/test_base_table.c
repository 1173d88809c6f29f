/* The hash table against a plain array. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/list.h"
#include "base/table.h"

enum { ENTRIES = 1000 };

struct entry {
	struct table_node node;
	char key[16];
};

static struct entry entries[ENTRIES];

Test(table, finds_what_was_inserted_and_nothing_else)
{
	struct table t;

	cr_assert(table_init(&t, 64)); /* far fewer buckets than entries: chains must work */
	for (int i = 0; i < ENTRIES; i++) {
		int n = snprintf(entries[i].key, sizeof(entries[i].key), "key-%d", i);
		cr_assert_null(table_find(&t, (struct slice){entries[i].key, (size_t)n}));
		table_insert(&t, &entries[i].node, (struct slice){entries[i].key, (size_t)n});
	}
	cr_assert_eq(t.count, ENTRIES);
	for (int i = 0; i < ENTRIES; i += 2)
		table_remove(&t, &entries[i].node);
	cr_assert_eq(t.count, ENTRIES / 2);
	for (int i = 0; i < ENTRIES; i++) {
		struct table_node *hit = table_find(&t, slice_of(entries[i].key));
		cr_assert_eq(hit, i % 2 ? &entries[i].node : NULL, "entry %d", i);
	}
	cr_assert_null(table_find(&t, SLICE_LIT("")));
	table_done(&t);
}

Test(table, two_tables_hash_differently)
{
	struct table a, b;
	struct entry one = {.key = "x"}, two = {.key = "x"};

	cr_assert(table_init(&a, 16) && table_init(&b, 16));
	table_insert(&a, &one.node, slice_of(one.key));
	table_insert(&b, &two.node, slice_of(two.key));
	cr_assert_neq(one.node.hash, two.node.hash);
	table_done(&a);
	table_done(&b);
}

Test(list, removing_twice_is_harmless)
{
	struct list head, a, b;

	list_init(&head);
	cr_assert(list_empty(&head));
	list_append(&head, &a);
	list_append(&head, &b);
	cr_assert_eq(list_first(&head), &a);
	list_remove(&a);
	list_remove(&a);
	cr_assert_eq(list_first(&head), &b);
	list_remove(&b);
	cr_assert_null(list_first(&head));
}
