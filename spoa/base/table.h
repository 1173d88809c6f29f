/* Hash table of intrusive nodes keyed by bytes. The seed is random, so a client cannot choose
 * colliding keys. Nodes belong to the caller and must carry the key for as long as they are in. */
#ifndef TOLLGATE_BASE_TABLE_H
#define TOLLGATE_BASE_TABLE_H

#include "base/slice.h"

struct table_node {
	struct table_node *next;
	uint64_t hash;
	struct slice key;
};

struct table {
	struct table_node **buckets;
	size_t mask;  /* number of buckets less one */
	size_t count; /* nodes held */
	uint64_t seed[2];
};

#define TABLE_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Room for about `expected` nodes; the table never grows: callers bound what they put in.
 * False when memory is short. */
bool table_init(struct table *t, size_t expected) __attribute__((warn_unused_result));
void table_done(struct table *t);

struct table_node *table_find(const struct table *t, struct slice key);

/* The key must not be in the table yet. */
void table_insert(struct table *t, struct table_node *node, struct slice key);
void table_remove(struct table *t, struct table_node *node);

#endif
