/* The record of an admission: its text, its end, and looking it up. */
#include "limit/admission.h"

#include <stdlib.h>

#include "base/clock.h"

/* Nobody waits for these answers, so a slow Redis must not count as one that fails. */
enum { ANSWER_US = 1000000 };

bool admission_id_valid(struct slice id)
{
	if (id.n == 0 || id.n > ADMISSION_ID_MAX)
		return false;
	for (size_t i = 0; i < id.n; i++) {
		char c = id.p[i];
		bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
		if (!alnum && c != '_' && c != '.' && c != ':' && c != '-')
			return false;
	}
	return true;
}

void admission_name(struct strbuf *sb, struct slice id)
{
	strbuf_puts(sb, "tg:adm:");
	strbuf_put(sb, id);
}

/* <second> <n> <charged: k, t, kt or -> <ticket> <key> <tenant> */
void admission_encode(struct strbuf *sb, const struct admission_attempt *attempt)
{
	strbuf_i64(sb, attempt->second);
	strbuf_putc(sb, ' ');
	strbuf_u64(sb, attempt->n);
	strbuf_putc(sb, ' ');
	if (attempt->key_charged)
		strbuf_putc(sb, 'k');
	if (attempt->tenant_charged)
		strbuf_putc(sb, 't');
	if (!attempt->key_charged && !attempt->tenant_charged)
		strbuf_putc(sb, '-');
	strbuf_putc(sb, ' ');
	strbuf_put(sb, attempt->ticket);
	strbuf_putc(sb, ' ');
	strbuf_put(sb, attempt->key);
	strbuf_putc(sb, ' ');
	strbuf_put(sb, attempt->tenant);
}

static bool decode_charged(struct slice word, struct admission_attempt *a)
{
	a->key_charged = slice_is(word, "k") || slice_is(word, "kt");
	a->tenant_charged = slice_is(word, "t") || slice_is(word, "kt");
	return a->key_charged || a->tenant_charged || slice_is(word, "-");
}

bool admission_decode(struct slice text, struct admission_attempt *ret)
{
	struct admission_attempt a;
	struct slice word[6];
	uint64_t n;

	for (size_t i = 0; i < 6; i++)
		if (!slice_next(&text, ' ', &word[i]))
			return false;
	if (text.p != NULL)
		return false;
	if (!slice_to_i64(word[0], 0, INT64_MAX / 1000000, &a.second) ||
	    !slice_to_u64(word[1], UINT32_MAX, &n))
		return false;
	if (!decode_charged(word[2], &a))
		return false;
	a.n = (uint32_t)n;
	a.ticket = word[3];
	a.key = word[4];
	a.tenant = word[5];
	if (!admission_id_valid(a.ticket) || !admission_id_valid(a.key) || !admission_id_valid(a.tenant))
		return false;
	*ret = a;
	return true;
}

struct admission_call {
	struct store_call call;
	struct list link; /* on the free list, or on none */
	struct admissions *adm;
	admission_end_fn *end_fn; /* one of the two is set */
	admission_find_fn *find_fn;
	void *ctx;
	enum admission_fate fate;
	bool answered_by_redis;
	bool found;
	char value[ADMISSION_VALUE_MAX]; /* the attempt found, the newest if there are several */
	size_t value_len;
};

struct admissions {
	struct store *store;
	struct list free;
	struct admission_call calls[];
};

static void finish(struct admission_call *c)
{
	struct admission_attempt attempt;
	struct slice value = {c->value, c->value_len};

	if (c->end_fn != NULL) {
		c->end_fn(c->ctx, c->fate);
	} else {
		bool found = c->found && admission_decode(value, &attempt);
		c->find_fn(c->ctx, c->answered_by_redis, found ? &attempt : NULL);
	}
	list_append(&c->adm->free, &c->link);
}

/* Keeps the attempt that `last` names; without it any. */
static void take_record(struct admission_call *c, const redisReply *reply)
{
	struct slice last = {NULL, 0};

	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		const redisReply *field = reply->element[i];
		if (slice_is((struct slice){field->str, (size_t)field->len}, "last"))
			last = (struct slice){reply->element[i + 1]->str, (size_t)reply->element[i + 1]->len};
	}
	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		struct slice field = {reply->element[i]->str, (size_t)reply->element[i]->len};
		struct slice value = {reply->element[i + 1]->str, (size_t)reply->element[i + 1]->len};
		bool newest = slice_eq(field, last);
		if (!slice_starts(field, SLICE_LIT("a:")) || (c->found && !newest))
			continue;
		c->found = slice_copy(value, c->value, sizeof(c->value));
		c->value_len = c->found ? value.n : 0;
	}
}

static void on_reply(struct store_call *call, unsigned index, const redisReply *reply)
{
	struct admission_call *c = LIST_ENTRY(call, struct admission_call, call);

	(void)index;
	if (c->end_fn != NULL && reply->type == REDIS_REPLY_INTEGER)
		c->fate = reply->integer > 0 ? ADMISSION_MINE : ADMISSION_GONE;
	if (c->find_fn != NULL && reply->type == REDIS_REPLY_ARRAY) {
		c->answered_by_redis = true;
		take_record(c, reply);
	}
}

static void on_done(struct store_call *call, enum store_outcome outcome)
{
	if (outcome != STORE_LATE) /* a late answer is as good */
		finish(LIST_ENTRY(call, struct admission_call, call));
}

static void on_late(struct store_call *call, bool complete)
{
	(void)complete;
	finish(LIST_ENTRY(call, struct admission_call, call));
}

static struct admission_call *call_take(struct admissions *adm, admission_end_fn *end_fn,
					admission_find_fn *find_fn, void *ctx)
{
	struct list *node = list_first(&adm->free);

	if (node == NULL || !store_up(adm->store))
		return NULL;
	struct admission_call *c = LIST_ENTRY(node, struct admission_call, link);
	list_remove(node);
	c->end_fn = end_fn;
	c->find_fn = find_fn;
	c->ctx = ctx;
	c->fate = ADMISSION_UNKNOWN;
	c->answered_by_redis = false;
	c->found = false;
	c->value_len = 0;
	return c;
}

static bool call_send(struct admission_call *c, const char *command, struct slice id)
{
	char name[ADMISSION_NAME_MAX];
	struct strbuf sb = strbuf_over(name, sizeof(name));

	admission_name(&sb, id);
	store_begin(c->adm->store, &c->call, clock_mono_us() + ANSWER_US);
	store_command(&c->call, 2, (const char *[]){command, name}, (size_t[]){strlen(command), sb.len});
	if (store_send(&c->call))
		return true;
	list_append(&c->adm->free, &c->link);
	return false;
}

void admission_end(struct admissions *adm, struct slice id, admission_end_fn *fn, void *ctx)
{
	struct admission_call *c = admission_id_valid(id) ? call_take(adm, fn, NULL, ctx) : NULL;

	if (c == NULL || !call_send(c, "DEL", id))
		fn(ctx, ADMISSION_UNKNOWN);
}

void admission_find(struct admissions *adm, struct slice id, admission_find_fn *fn, void *ctx)
{
	struct admission_call *c = admission_id_valid(id) ? call_take(adm, NULL, fn, ctx) : NULL;

	if (c == NULL || !call_send(c, "HGETALL", id))
		fn(ctx, false, NULL);
}

struct admissions *admissions_new(struct store *store, unsigned max_calls)
{
	struct admissions *adm = calloc(1, sizeof(*adm) + max_calls * sizeof(adm->calls[0]));

	if (adm == NULL)
		return NULL;
	adm->store = store;
	list_init(&adm->free);
	for (unsigned i = 0; i < max_calls; i++) {
		struct admission_call *c = &adm->calls[i];
		c->adm = adm;
		c->call.on_reply = on_reply;
		c->call.on_done = on_done;
		c->call.on_late = on_late;
		list_append(&adm->free, &c->link);
	}
	return adm;
}

void admissions_free(struct admissions **adm)
{
	free(*adm);
	*adm = NULL;
}
