/* Chained hash table with SipHash-1-3, which resists chosen keys at the cost of a few nanoseconds. */
#include "base/table.h"

#include <stdlib.h>
#include <sys/random.h>

static uint64_t rotl(uint64_t v, int bits)
{
	return (v << bits) | (v >> (64 - bits));
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

/* SipHash by Aumasson and Bernstein, 1 compression and 3 finalisation rounds. */
static uint64_t hash_bytes(const uint64_t seed[2], struct slice key)
{
	uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575U, seed[1] ^ 0x646f72616e646f6dU,
			 seed[0] ^ 0x6c7967656e657261U, seed[1] ^ 0x7465646279746573U};
	uint64_t word;
	size_t n = key.n;
	const char *p = key.p;

	for (; n >= sizeof(word); n -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = (uint64_t)key.n << 56;
	for (size_t i = 0; i < n; i++)
		word |= (uint64_t)(unsigned char)p[i] << (8 * i);
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

bool table_init(struct table *t, size_t expected)
{
	size_t buckets = 16;

	while (buckets < expected)
		buckets *= 2;
	t->buckets = calloc(buckets, sizeof(*t->buckets));
	t->mask = buckets - 1;
	t->count = 0;
	if (t->buckets == NULL)
		return false;
	return getrandom(t->seed, sizeof(t->seed), 0) == (ssize_t)sizeof(t->seed);
}

void table_done(struct table *t)
{
	free(t->buckets);
	t->buckets = NULL;
	t->count = 0;
}

struct table_node *table_find(const struct table *t, struct slice key)
{
	uint64_t hash = hash_bytes(t->seed, key);
	struct table_node *node = t->buckets[hash & t->mask];

	while (node != NULL && (node->hash != hash || !slice_eq(node->key, key)))
		node = node->next;
	return node;
}

void table_insert(struct table *t, struct table_node *node, struct slice key)
{
	node->key = key;
	node->hash = hash_bytes(t->seed, key);
	struct table_node **bucket = &t->buckets[node->hash & t->mask];
	node->next = *bucket;
	*bucket = node;
	t->count++;
}

void table_remove(struct table *t, struct table_node *node)
{
	struct table_node **at = &t->buckets[node->hash & t->mask];

	while (*at != NULL && *at != node)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = node->next;
	node->next = NULL;
	t->count--;
}
