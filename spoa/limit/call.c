/* The round trips of one admission: what is sent, and what the replies mean. */
#include "limit/call.h"

#include <stdio.h>

#include "base/clock.h"

enum op_kind {
	OP_CHARGE,
	OP_TOUCH,
	OP_RECORD,
	OP_LEASE,
	OP_READ_RECORD,
	OP_READ_WINDOW,
	OP_EXISTS,
	OP_RETIRE,
	OP_WITHDRAW,
	OP_TIDY,
};

enum {
	ARGS_MAX = 8,
	NUMBER_MAX = 24,
	CLEANUP_US = 1000000, /* nobody waits for these rounds */
};

static void lengths(int argc, const char *const *argv, size_t *len)
{
	for (int i = 0; i < argc; i++)
		len[i] = strlen(argv[i]);
}

static void command(struct limit_call *c, enum op_kind kind, unsigned arg, int argc, const char *const *argv)
{
	size_t len[ARGS_MAX];

	lengths(argc, argv, len);
	c->op[c->ops++] = (struct call_op){(uint8_t)kind, (uint8_t)arg};
	store_command(&c->call, argc, argv, len);
}

static void begin(struct limit_call *c, enum call_stage stage)
{
	c->stage = stage;
	c->ops = 0;
	c->error = false;
	store_begin(c->limiter->store, &c->call,
		    c->fn != NULL ? c->deadline_us : clock_mono_us() + CLEANUP_US);
}

static void scope_string(char name[WINDOW_NAME_MAX], char kind, struct slice id, int64_t minute)
{
	struct strbuf sb = strbuf_over(name, WINDOW_NAME_MAX);

	window_name(&sb, kind, id, minute);
}

static void record_name(char name[ADMISSION_NAME_MAX], const struct limit_call *c)
{
	struct strbuf sb = strbuf_over(name, ADMISSION_NAME_MAX);

	admission_name(&sb, slice_of(c->id));
}

/* One MGET a scope, so that its strings, which share a hash tag, stay in one slot of a Cluster. */
static void look(struct limit_call *c)
{
	int64_t minute = c->second / WINDOW_SLOTS;

	for (unsigned i = 0; i < c->scopes; i++) {
		const struct scope *scope = c->scope[i].scope;
		char name[WINDOW_MINUTES][WINDOW_NAME_MAX];
		for (int m = 0; m < WINDOW_MINUTES; m++)
			scope_string(name[m], scope_kind(scope), scope_id(scope), minute - 1 + m);
		command(c, OP_READ_WINDOW, i, 4, (const char *[]){"MGET", name[0], name[1], name[2]});
	}
}

/* BITFIELD with n below zero takes back; saturation keeps both ends from wrapping. */
struct charge_text {
	char name[WINDOW_NAME_MAX];
	char slot[NUMBER_MAX];
	char by[NUMBER_MAX];
	const char *argv[ARGS_MAX];
	const char *expire[4];
};

static void charge_text(struct charge_text *t, char kind, struct slice id, int64_t second, int64_t n)
{
	scope_string(t->name, kind, id, second / WINDOW_SLOTS);
	(void)snprintf(t->slot, sizeof(t->slot), "#%d", (int)(second % WINDOW_SLOTS));
	(void)snprintf(t->by, sizeof(t->by), "%lld", (long long)n);
	const char *argv[ARGS_MAX] = {"BITFIELD", t->name, "OVERFLOW", "SAT",
				      "INCRBY",   "u32",   t->slot,    t->by};
	const char *expire[4] = {"EXPIRE", t->name, "180", "NX"};
	memcpy(t->argv, argv, sizeof(argv));
	memcpy(t->expire, expire, sizeof(expire));
}

static void charge(struct limit_call *c, unsigned i)
{
	struct call_scope *cs = &c->scope[i];
	struct charge_text t;

	charge_text(&t, scope_kind(cs->scope), scope_id(cs->scope), c->second, c->n);
	command(c, OP_CHARGE, i, ARGS_MAX, t.argv);
	cs->charged = false;
	cs->touching =
		cs->scope->touched != c->second / WINDOW_SLOTS || cs->scope->epoch != c->limiter->epoch;
	if (cs->touching)
		command(c, OP_TOUCH, i, 4, t.expire);
}

static struct admission_attempt attempt_of(const struct limit_call *c, bool confirmed)
{
	struct admission_attempt a = {
		.second = c->second,
		.n = c->n,
		.ticket = slice_of(c->ticket),
		.key = slice_of(c->key),
		.tenant = slice_of(c->tenant),
	};

	for (unsigned i = 0; i < c->scopes; i++) {
		bool charged = c->scope[i].charged || !confirmed;
		if (scope_kind(c->scope[i].scope) == 'k')
			a.key_charged = charged;
		else
			a.tenant_charged = charged;
	}
	return a;
}

struct admission_attempt call_attempt(const struct limit_call *c)
{
	return attempt_of(c, true);
}

/* The record is written before the replies are known, so it names every scope that is charged with it. */
static void record(struct limit_call *c)
{
	char name[ADMISSION_NAME_MAX], value[ADMISSION_VALUE_MAX], lease[NUMBER_MAX];
	struct strbuf sb = strbuf_over(value, sizeof(value));
	struct admission_attempt a = attempt_of(c, false);

	admission_encode(&sb, &a);
	record_name(name, c);
	(void)snprintf(lease, sizeof(lease), "%lld",
		       (long long)(c->limiter->config.lease_us / 1000000 + ADMISSION_GRACE_S));
	command(c, OP_RECORD, 0, 6, (const char *[]){"HSET", name, "last", c->field, c->field, value});
	command(c, OP_LEASE, 0, 3, (const char *[]){"EXPIRE", name, lease});
	command(c, OP_READ_RECORD, 0, 2, (const char *[]){"HGETALL", name});
}

bool call_probe(struct limit_call *c)
{
	char name[ADMISSION_NAME_MAX];

	c->second = limiter_now_us(c->limiter) / 1000000;
	c->exists = false;
	begin(c, CALL_PROBE);
	record_name(name, c);
	command(c, OP_EXISTS, 0, 2, (const char *[]){"EXISTS", name});
	look(c);
	return store_send(&c->call);
}

bool call_count(struct limit_call *c)
{
	c->second = limiter_now_us(c->limiter) / 1000000;
	c->recorded = false;
	c->newest = true;
	c->rivals = 0;
	(void)snprintf(c->field, sizeof(c->field), "a:%016llx", (unsigned long long)c->limiter->nonce++);
	begin(c, CALL_COUNT);
	for (unsigned i = 0; i < c->scopes; i++)
		charge(c, i);
	record(c);
	look(c);
	return store_send(&c->call);
}

bool call_retire(struct limit_call *c)
{
	char name[ADMISSION_NAME_MAX];

	begin(c, CALL_RETIRE);
	record_name(name, c);
	for (unsigned i = 0; i < c->rivals; i++)
		command(c, OP_RETIRE, i, 3, (const char *[]){"HDEL", name, c->rival[i].field});
	look(c);
	return store_send(&c->call);
}

bool call_withdraw(struct limit_call *c)
{
	char name[ADMISSION_NAME_MAX];

	c->removed = false;
	begin(c, CALL_WITHDRAW);
	record_name(name, c);
	command(c, OP_WITHDRAW, 0, 3, (const char *[]){"HDEL", name, c->field});
	if (c->newest) /* an empty hash goes at once instead of with its lease */
		command(c, OP_TIDY, 0, 3, (const char *[]){"HDEL", name, "last"});
	if (c->fn != NULL)
		look(c);
	return store_send(&c->call);
}

static void post(struct limiter *l, int argc, const char *const *argv)
{
	size_t len[ARGS_MAX];

	lengths(argc, argv, len);
	(void)!store_post(l->store, argc, argv, len); /* not sent: the charge stays until its slot leaves */
}

static void take_back_one(struct limiter *l, char kind, struct slice id, const struct admission_attempt *a)
{
	struct charge_text t;

	charge_text(&t, kind, id, a->second, -(int64_t)a->n);
	post(l, ARGS_MAX, t.argv);
	post(l, 4, t.expire); /* the string may have expired meanwhile and be new */
}

void call_take_back(struct limiter *l, const struct admission_attempt *a)
{
	if (a->key_charged)
		take_back_one(l, 'k', a->key, a);
	if (a->tenant_charged)
		take_back_one(l, 't', a->tenant, a);
	if (a->key_charged || a->tenant_charged)
		l->stats.takebacks++;
}

void call_mend_expiry(struct limit_call *c)
{
	for (unsigned i = 0; i < c->scopes; i++) {
		struct call_scope *cs = &c->scope[i];
		struct charge_text t;
		if (!cs->charged || cs->touching || cs->upto > c->n ||
		    !window_first_of_minute(&cs->scope->shared, c->second))
			continue;
		charge_text(&t, scope_kind(cs->scope), scope_id(cs->scope), c->second, 0);
		post(c->limiter, 4, t.expire);
	}
}

static void take_window(struct limit_call *c, struct scope *scope, const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != WINDOW_MINUTES) {
		c->error = true;
		return;
	}
	window_clear(&scope->shared, c->second);
	for (unsigned m = 0; m < WINDOW_MINUTES; m++) {
		const redisReply *text = reply->element[m];
		if (text->type == REDIS_REPLY_STRING)
			window_load(&scope->shared, m, (struct slice){text->str, (size_t)text->len});
	}
}

static struct slice text_of(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_STRING ? (struct slice){reply->str, (size_t)reply->len}
						 : (struct slice){NULL, 0};
}

static void take_rival(struct limit_call *c, struct slice field, struct slice value)
{
	struct rival *r = &c->rival[c->rivals];

	if (c->rivals == CALL_RIVALS || slice_is(field, c->field) || !slice_starts(field, SLICE_LIT("a:")))
		return;
	if (!slice_copy(field, r->field, sizeof(r->field)) || !slice_copy(value, r->value, sizeof(r->value)))
		return;
	if (!admission_decode((struct slice){r->value, value.n}, &r->attempt))
		return;
	r->removed = false;
	c->rivals++;
}

static void take_record(struct limit_call *c, const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ARRAY) {
		c->error = true;
		return;
	}
	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		struct slice field = text_of(reply->element[i]);
		struct slice value = text_of(reply->element[i + 1]);
		if (slice_is(field, "last"))
			c->newest = slice_is(value, c->field);
		else
			take_rival(c, field, value);
	}
}

static bool is_number(const redisReply *reply, struct limit_call *c)
{
	c->error = c->error || reply->type != REDIS_REPLY_INTEGER;
	return reply->type == REDIS_REPLY_INTEGER;
}

static void take_charge(struct limit_call *c, struct call_scope *cs, const redisReply *reply)
{
	cs->charged = reply->type == REDIS_REPLY_ARRAY && reply->elements == 1;
	cs->upto = cs->charged ? (uint32_t)reply->element[0]->integer : 0;
	c->error = c->error || !cs->charged;
}

static void take_touch(struct limit_call *c, struct scope *scope, const redisReply *reply)
{
	if (!is_number(reply, c))
		return;
	scope->touched = c->second / WINDOW_SLOTS;
	scope->epoch = c->limiter->epoch;
}

void call_on_reply(struct store_call *store_call, unsigned index, const redisReply *reply)
{
	struct limit_call *c = LIST_ENTRY(store_call, struct limit_call, call);

	if (index >= c->ops)
		return;
	struct call_op op = c->op[index];
	switch ((enum op_kind)op.kind) {
	case OP_CHARGE:
		take_charge(c, &c->scope[op.arg], reply);
		break;
	case OP_TOUCH:
		take_touch(c, c->scope[op.arg].scope, reply);
		break;
	case OP_RECORD:
		c->recorded = is_number(reply, c);
		break;
	case OP_READ_RECORD:
		take_record(c, reply);
		break;
	case OP_READ_WINDOW:
		take_window(c, c->scope[op.arg].scope, reply);
		break;
	case OP_EXISTS:
		c->exists = is_number(reply, c) && reply->integer > 0;
		break;
	case OP_RETIRE:
		c->rival[op.arg].removed = is_number(reply, c) && reply->integer > 0;
		break;
	case OP_WITHDRAW:
		c->removed = is_number(reply, c) && reply->integer > 0;
		break;
	case OP_LEASE:
	case OP_TIDY:
		(void)is_number(reply, c);
		break;
	}
}
