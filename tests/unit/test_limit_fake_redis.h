/* A Redis in memory, as far as the limiter asks it: strings of counters, hashes, expiry, in a time that
 * the test moves. */
#ifndef TOLLGATE_TEST_LIMIT_FAKE_REDIS_H
#define TOLLGATE_TEST_LIMIT_FAKE_REDIS_H

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/table.h"

enum { FAKE_FIELDS = 8 };

struct fake_key {
	struct table_node node;
	char name[128];
	int64_t expires_us; /* 0 = never */
	unsigned char slots[240];
	size_t slots_len;
	char field[FAKE_FIELDS][32];
	char value[FAKE_FIELDS][256];
	unsigned fields;
	bool live;
};

/* A command, and the second it is by its sender's clock. */
struct fake_words {
	int argc;
	const char *const *argv;
	int64_t second;
};

static struct {
	int64_t now_us;
	uint64_t random;
	bool blind_to_later; /* MGET hides slots later than the asking agent's second: the mistake to be
				caught */
	const char *fail;    /* this command answers with an error */
	unsigned agents;     /* what ZCOUNT says */
	unsigned asked;      /* commands executed */
	struct table keys;
} fake;

static uint64_t fake_random(uint64_t below)
{
	fake.random ^= fake.random << 13;
	fake.random ^= fake.random >> 7;
	fake.random ^= fake.random << 17;
	return (fake.random >> 11) % below;
}

static void fake_copy(char *to, size_t cap, const char *text)
{
	if (!slice_copy(slice_of(text), to, cap))
		abort();
}

static bool fake_lives(const struct fake_key *key)
{
	return key->live && (key->expires_us == 0 || key->expires_us > fake.now_us);
}

/* The key, if it exists now; made if asked for. */
static struct fake_key *fake_key(const char *name, bool make)
{
	struct table_node *node = table_find(&fake.keys, slice_of(name));
	struct fake_key *key = node != NULL ? TABLE_ENTRY(node, struct fake_key, node) : NULL;

	if (key != NULL && fake_lives(key))
		return key;
	if (!make)
		return NULL;
	if (key == NULL) {
		key = calloc(1, sizeof(*key));
		fake_copy(key->name, sizeof(key->name), name);
		table_insert(&fake.keys, &key->node, slice_of(key->name));
	}
	key->live = true;
	key->expires_us = 0;
	key->slots_len = 0;
	key->fields = 0;
	memset(key->slots, 0, sizeof(key->slots));
	return key;
}

static redisReply *fake_reply(int type)
{
	redisReply *r = calloc(1, sizeof(*r));
	r->type = type;
	return r;
}

static redisReply *fake_integer(long long v)
{
	redisReply *r = fake_reply(REDIS_REPLY_INTEGER);
	r->integer = v;
	return r;
}

static redisReply *fake_string(const void *p, size_t n)
{
	redisReply *r = fake_reply(REDIS_REPLY_STRING);
	r->str = calloc(1, n + 1);
	memcpy(r->str, p, n);
	r->len = n;
	return r;
}

static redisReply *fake_array(size_t n)
{
	redisReply *r = fake_reply(REDIS_REPLY_ARRAY);
	r->elements = n;
	r->element = calloc(n > 0 ? n : 1, sizeof(*r->element));
	return r;
}

static uint32_t fake_slot(const struct fake_key *key, unsigned slot)
{
	const unsigned char *p = key->slots + 4 * (size_t)slot;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static redisReply *fake_bitfield(const struct fake_words *c)
{
	struct fake_key *key = fake_key(c->argv[1], true);
	unsigned slot = (unsigned)atoi(c->argv[6] + 1);
	long long v = (long long)fake_slot(key, slot) + atoll(c->argv[7]);
	unsigned char *p = key->slots + 4 * (size_t)slot;
	redisReply *r = fake_array(1);

	v = v < 0 ? 0 : v > UINT32_MAX ? UINT32_MAX : v;
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> (24 - 8 * i));
	if (key->slots_len < 4 * (size_t)slot + 4)
		key->slots_len = 4 * (size_t)slot + 4;
	r->element[0] = fake_integer(v);
	return r;
}

/* What the mistaken algorithm would read: nothing after its own second. */
static void fake_blind(const struct fake_words *c, const char *name, redisReply *text)
{
	int64_t start = atoll(strrchr(name, ':') + 1) * 60;

	for (size_t i = 0; i < text->len; i++)
		if (start + (int64_t)(i / 4) > c->second)
			text->str[i] = 0;
}

static redisReply *fake_mget(const struct fake_words *c)
{
	redisReply *r = fake_array((size_t)c->argc - 1);

	for (int i = 1; i < c->argc; i++) {
		const struct fake_key *key = fake_key(c->argv[i], false);
		redisReply *text =
			key != NULL ? fake_string(key->slots, key->slots_len) : fake_reply(REDIS_REPLY_NIL);
		if (fake.blind_to_later && key != NULL)
			fake_blind(c, c->argv[i], text);
		r->element[i - 1] = text;
	}
	return r;
}

static int fake_field(const struct fake_key *key, const char *field)
{
	for (unsigned i = 0; key != NULL && i < key->fields; i++)
		if (strcmp(key->field[i], field) == 0)
			return (int)i;
	return -1;
}

static redisReply *fake_hset(const struct fake_words *c)
{
	struct fake_key *key = fake_key(c->argv[1], true);
	int added = 0;

	for (int a = 2; a + 1 < c->argc; a += 2) {
		int i = fake_field(key, c->argv[a]);
		if (i < 0) {
			if (key->fields == FAKE_FIELDS)
				abort();
			i = (int)key->fields++;
			added++;
		}
		fake_copy(key->field[i], sizeof(key->field[i]), c->argv[a]);
		fake_copy(key->value[i], sizeof(key->value[i]), c->argv[a + 1]);
	}
	return fake_integer(added);
}

static redisReply *fake_hdel(const struct fake_words *c)
{
	struct fake_key *key = fake_key(c->argv[1], false);
	int i = fake_field(key, c->argv[2]);

	if (i < 0)
		return fake_integer(0);
	key->fields--;
	memmove(key->field[i], key->field[key->fields], sizeof(key->field[i]));
	memmove(key->value[i], key->value[key->fields], sizeof(key->value[i]));
	key->live = key->fields > 0;
	return fake_integer(1);
}

static redisReply *fake_hgetall(const struct fake_words *c)
{
	const struct fake_key *key = fake_key(c->argv[1], false);
	unsigned n = key != NULL ? key->fields : 0;
	redisReply *r = fake_array(2 * (size_t)n);

	for (unsigned i = 0; i < n; i++) {
		r->element[2 * i] = fake_string(key->field[i], strlen(key->field[i]));
		r->element[2 * i + 1] = fake_string(key->value[i], strlen(key->value[i]));
	}
	return r;
}

static redisReply *fake_expire(const struct fake_words *c)
{
	struct fake_key *key = fake_key(c->argv[1], false);

	if (key == NULL || (c->argc == 4 && key->expires_us != 0))
		return fake_integer(0);
	key->expires_us = fake.now_us + atoll(c->argv[2]) * 1000000;
	return fake_integer(1);
}

static redisReply *fake_execute(const struct fake_words *c)
{
	struct fake_key *key = fake_key(c->argv[1], false);

	fake.asked++;
	if (fake.fail != NULL && strcmp(c->argv[0], fake.fail) == 0) {
		redisReply *r = fake_string("OOM", 3);
		r->type = REDIS_REPLY_ERROR;
		return r;
	}
	if (strcmp(c->argv[0], "BITFIELD") == 0)
		return fake_bitfield(c);
	if (strcmp(c->argv[0], "MGET") == 0)
		return fake_mget(c);
	if (strcmp(c->argv[0], "HSET") == 0)
		return fake_hset(c);
	if (strcmp(c->argv[0], "HDEL") == 0)
		return fake_hdel(c);
	if (strcmp(c->argv[0], "HGETALL") == 0)
		return fake_hgetall(c);
	if (strcmp(c->argv[0], "EXPIRE") == 0)
		return strcmp(c->argv[1], "tg:agents") == 0 ? fake_integer(1) : fake_expire(c);
	if (strcmp(c->argv[0], "EXISTS") == 0)
		return fake_integer(key != NULL);
	if (strcmp(c->argv[0], "DEL") == 0) {
		if (key != NULL)
			key->live = false;
		return fake_integer(key != NULL);
	}
	if (strcmp(c->argv[0], "ZCOUNT") == 0)
		return fake_integer(fake.agents);
	if (c->argv[0][0] == 'Z')
		return fake_integer(1);
	abort();
}

/* Everything a scope is charged with in strings that have not expired. */
static inline uint64_t fake_charges(char kind, const char *id)
{
	char prefix[64];
	uint64_t sum = 0;
	struct strbuf sb = strbuf_over(prefix, sizeof(prefix));

	strbuf_printf(&sb, "tg:w:{%c:%s}", kind, id);
	for (size_t i = 0; i <= fake.keys.mask; i++)
		for (struct table_node *n = fake.keys.buckets[i]; n != NULL; n = n->next) {
			const struct fake_key *key = TABLE_ENTRY(n, struct fake_key, node);
			for (unsigned s = 0;
			     s < 60 && fake_lives(key) && slice_starts(n->key, strbuf_slice(&sb)); s++)
				sum += fake_slot(key, s);
		}
	return sum;
}

/* Keys that live: below a prefix, or only those that would live for ever. */
static inline unsigned fake_count(const char *prefix, bool only_eternal)
{
	unsigned count = 0;

	for (size_t i = 0; i <= fake.keys.mask; i++)
		for (struct table_node *n = fake.keys.buckets[i]; n != NULL; n = n->next) {
			const struct fake_key *key = TABLE_ENTRY(n, struct fake_key, node);
			if (fake_lives(key) && slice_starts(n->key, slice_of(prefix)) &&
			    (!only_eternal || key->expires_us == 0))
				count++;
		}
	return count;
}

/* Everything a flush or an empty restart forgets. */
static inline void fake_flush(void)
{
	for (size_t i = 0; i <= fake.keys.mask; i++)
		for (struct table_node *n = fake.keys.buckets[i]; n != NULL; n = n->next)
			TABLE_ENTRY(n, struct fake_key, node)->live = false;
}

static inline void fake_free_keys(void)
{
	for (size_t i = 0; i <= fake.keys.mask; i++) {
		while (fake.keys.buckets[i] != NULL) {
			struct table_node *node = fake.keys.buckets[i];
			table_remove(&fake.keys, node);
			free(TABLE_ENTRY(node, struct fake_key, node));
		}
	}
	table_done(&fake.keys);
}

#endif
