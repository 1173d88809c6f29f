/* The directory against a store and a clock of the test's own, so that replies, invalidations and losses
 * come in exactly the order that a test wants. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "auth/directory.h"
#include "auth/record.h"
#include "base/clock.h"
#include "store/store.h"

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define S(seconds) ((int64_t)((seconds)*1e6))

/* ---- the fake store and clock ---- */

static int64_t now_us;
static bool up, link_busy;
static store_invalidate_fn *tell_key;
static store_link_fn *tell_link;
static void *tell_ctx;

enum { QUEUE = 600 };
static struct {
	struct store_call *call;
	char name[96];
	bool late;
} queue[QUEUE];
static unsigned queued, answered;
static struct store_call *building;
static char building_name[96];

int64_t clock_mono_us(void)
{
	return now_us;
}

int64_t clock_wall_us(void)
{
	return now_us;
}

void clock_rfc3339(struct strbuf *sb, int64_t wall_us)
{
	strbuf_i64(sb, wall_us);
}

bool store_up(const struct store *store)
{
	(void)store;
	return up;
}

void store_begin(struct store *store, struct store_call *call, int64_t deadline_us)
{
	cr_assert(!call->active, "a call in flight is used again");
	call->store = store;
	call->deadline_us = deadline_us;
	building = call;
}

void store_command(struct store_call *call, int argc, const char *const *argv, const size_t *argvlen)
{
	cr_assert(call == building && argc == 2 && strcmp(argv[0], "HGETALL") == 0 && argvlen[0] == 7);
	cr_assert(slice_copy((struct slice){argv[1], argvlen[1]}, building_name, sizeof(building_name)));
}

bool store_send(struct store_call *call)
{
	cr_assert(call == building);
	if (!up || call->deadline_us <= now_us)
		return false;
	cr_assert(queued < QUEUE);
	call->active = true;
	queue[queued].call = call;
	queue[queued].late = false;
	strcpy(queue[queued++].name, building_name);
	return true;
}

bool store_track(struct store *store, const char *const *prefixes, unsigned count,
		 store_invalidate_fn *on_key, store_link_fn *on_link, void *ctx)
{
	(void)store;
	cr_assert(count == 2 && strcmp(prefixes[0], "tg:key:") == 0 &&
		  strcmp(prefixes[1], "tg:tenant:") == 0);
	tell_key = on_key;
	tell_link = on_link;
	tell_ctx = ctx;
	return !link_busy;
}

/* ---- replies ---- */

static const char *const key_fields[] = {
	"v",      "1",    "tenant", "acme", "name",     "ci",      "role",     "user",    "state",
	"active", "mac1", HEX,      "pep1", "3",        "created", "1000",     "expires", "0",
	"rpm",    "60",   "models", "",     "networks", "",        "priority", "0"};
static const char *const tenant_fields[] = {"v",      "1",       "name", "Acme", "state",
					    "active", "created", "5",    "rpm",  "0"};

enum { REPLY_MAX = 140 };

struct reply {
	redisReply array;
	redisReply elements[REPLY_MAX];
	redisReply *pointers[REPLY_MAX];
};

static void text_reply(redisReply *r, int type, const char *text)
{
	char *copy = strdup(text);

	*r = (redisReply){.type = type, .str = copy, .len = strlen(copy)};
}

static void make_reply(struct reply *r, const char *const *words, size_t n)
{
	memset(r, 0, sizeof(*r));
	for (size_t i = 0; i < n; i++) {
		text_reply(&r->elements[i], REDIS_REPLY_STRING, words[i]);
		r->pointers[i] = &r->elements[i];
	}
	r->array.type = REDIS_REPLY_ARRAY;
	r->array.elements = n;
	r->array.element = r->pointers;
}

static void done_reply(struct reply *r)
{
	for (size_t i = 0; i < r->array.elements; i++)
		free(r->elements[i].str);
}

/* The oldest question gets `reply`. */
static void answer_with(const redisReply *reply)
{
	cr_assert(answered < queued, "nothing was asked");
	struct store_call *call = queue[answered].call;
	bool late = queue[answered++].late;

	call->on_reply(call, 0, reply);
	call->active = false;
	if (late)
		call->on_late(call, true);
	else
		call->on_done(call, STORE_OK);
}

static void answer_words(const char *const *words, size_t n)
{
	struct reply r;

	make_reply(&r, words, n);
	answer_with(&r.array);
	done_reply(&r);
}

static void answer_error(const char *text)
{
	redisReply r;

	text_reply(&r, REDIS_REPLY_ERROR, text);
	answer_with(&r);
	free(r.str);
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ANSWER_KEY() answer_words(key_fields, COUNT(key_fields))
#define ANSWER_TENANT() answer_words(tenant_fields, COUNT(tenant_fields))
#define ANSWER_NOTHING() answer_words(NULL, 0)

/* The oldest question that is not late becomes so. */
static void make_late(void)
{
	unsigned at = answered;

	while (queue[at].late)
		at++;
	cr_assert(at < queued);
	queue[at].late = true;
	queue[at].call->on_done(queue[at].call, STORE_LATE);
}

static void lose_all(void)
{
	up = false;
	while (answered < queued) {
		struct store_call *call = queue[answered].call;
		bool late = queue[answered++].late;
		call->active = false;
		if (late)
			call->on_late(call, false);
		else
			call->on_done(call, STORE_LOST);
	}
}

static void invalidate(const char *name)
{
	tell_key(tell_ctx, slice_of(name));
}

static void renew_link(void)
{
	tell_key(tell_ctx, (struct slice){NULL, 0});
	tell_link(tell_ctx, true);
}

/* ---- who asks ---- */

struct asker {
	struct directory_ask ask; /* first: the callback casts back */
	enum directory_outcome outcome;
	unsigned answers;
	bool stale, has_key, has_tenant;
	char key_id[16];
	enum record_state state;
};

static struct directory *dir;
static struct directory_config config;

static void note(struct asker *a, enum directory_outcome outcome, const struct directory_answer *answer)
{
	a->outcome = outcome;
	if (outcome != DIRECTORY_FOUND)
		return;
	a->stale = answer->stale;
	a->has_key = answer->key != NULL;
	a->has_tenant = answer->tenant != NULL;
	cr_assert(a->has_key);
	strcpy(a->key_id, answer->key->id);
	a->state = answer->key->state;
	if (a->has_tenant)
		cr_expect_str_eq(answer->tenant->id, answer->key->tenant);
}

static void on_answer(struct directory_ask *ask, enum directory_outcome outcome,
		      const struct directory_answer *answer)
{
	struct asker *a = (struct asker *)(void *)ask;

	a->answers++;
	cr_expect_not(ask->waiting);
	note(a, outcome, answer);
}

static enum directory_outcome resolve(struct asker *a, const char *id)
{
	struct directory_answer answer = {.key = NULL};

	memset(a, 0, sizeof(*a));
	a->outcome = directory_resolve(dir, slice_of(id), &a->ask, on_answer, &answer);
	if (a->outcome != DIRECTORY_PENDING)
		note(a, a->outcome, &answer);
	cr_expect(a->ask.waiting == (a->outcome == DIRECTORY_PENDING));
	return a->outcome;
}

static struct directory_stats stats(void)
{
	struct directory_stats s;

	directory_stats(dir, &s);
	return s;
}

#define A "AAAAAAAAAAAA"
#define B "BBBBBBBBBBBB"

static void open_dir(void)
{
	dir = directory_new((struct store *)(void *)&up, EV_DEFAULT, &config);
	cr_assert(dir != NULL);
	renew_link();
}

static void setup(void)
{
	now_us = S(1000);
	up = true;
	directory_config_defaults(&config);
}

static void teardown(void)
{
	directory_free(&dir);
	cr_expect(dir == NULL);
}

TestSuite(auth_directory, .init = setup, .fini = teardown, .timeout = 30);

/* Puts A and its tenant into the cache, long enough ago that only the link vouches for them. */
static void warm(void)
{
	struct asker a;

	cr_assert(resolve(&a, A) == DIRECTORY_PENDING);
	ANSWER_KEY();
	if (answered < queued)
		ANSWER_TENANT();
	cr_assert(a.answers == 1 && a.outcome == DIRECTORY_FOUND);
	now_us += S(60);
}

Test(auth_directory, refuses_bad_configurations)
{
	config.max_entries = 15;
	cr_expect(directory_new(NULL, EV_DEFAULT, &config) == NULL && errno == EINVAL);
	directory_config_defaults(&config);
	config.negative_ttl_us = 0;
	cr_expect(directory_new(NULL, EV_DEFAULT, &config) == NULL && errno == EINVAL);
	directory_config_defaults(&config);
	link_busy = true;
	cr_expect(directory_new(NULL, EV_DEFAULT, &config) == NULL && errno == EBUSY);
}

Test(auth_directory, ids_that_cannot_exist_are_not_asked_for)
{
	static const char *const ids[] = {"", "AAAAAAAAAAA", "AAAAAAAAAAAAA", "AAAAAAAAAAA*", "AAAAAAAAAAA:"};
	struct asker a;

	open_dir();
	for (size_t i = 0; i < COUNT(ids); i++)
		cr_expect(resolve(&a, ids[i]) == DIRECTORY_UNKNOWN);
	cr_expect(queued == 0);
}

Test(auth_directory, an_unknown_id_is_remembered_until_it_appears_or_the_time_is_over)
{
	struct asker a;

	open_dir();
	cr_expect(resolve(&a, A) == DIRECTORY_PENDING);
	ANSWER_NOTHING();
	cr_expect(a.answers == 1 && a.outcome == DIRECTORY_UNKNOWN);
	cr_expect(resolve(&a, A) == DIRECTORY_UNKNOWN && queued == 1);
	now_us += S(29);
	cr_expect(resolve(&a, A) == DIRECTORY_UNKNOWN && stats().negative_hits == 2);
	now_us += S(1);
	cr_expect(resolve(&a, A) == DIRECTORY_PENDING);
	ANSWER_NOTHING();
	invalidate("tg:key:" A);
	cr_expect(resolve(&a, A) == DIRECTORY_PENDING, "the key was made");
	ANSWER_KEY();
	ANSWER_TENANT();
	cr_expect(a.outcome == DIRECTORY_FOUND && stats().negative_entries == 0);
}

Test(auth_directory, an_unknown_id_is_unavailable_once_its_time_is_over_and_redis_is_gone)
{
	struct asker a;

	open_dir();
	cr_expect(resolve(&a, A) == DIRECTORY_PENDING);
	ANSWER_NOTHING();
	up = false;
	tell_link(tell_ctx, false);
	cr_expect(resolve(&a, A) == DIRECTORY_UNKNOWN);
	now_us += S(30);
	cr_expect(resolve(&a, A) == DIRECTORY_UNAVAILABLE);
	cr_expect(resolve(&a, B) == DIRECTORY_UNAVAILABLE);
	cr_expect(stats().unavailable == 2);
}

Test(auth_directory, records_that_cannot_be_understood_let_nobody_in)
{
	static const char *const newer[] = {"v", "2", "tenant", "acme"};
	static const char *many[REPLY_MAX];
	struct asker a;

	open_dir();
	for (size_t i = 0; i < REPLY_MAX; i++)
		many[i] = "x";
	cr_assert(resolve(&a, A) == DIRECTORY_PENDING);
	answer_words(newer, COUNT(newer));
	cr_expect(a.outcome == DIRECTORY_UNKNOWN);
	cr_assert(resolve(&a, B) == DIRECTORY_PENDING);
	answer_words(many, COUNT(many));
	cr_expect(a.outcome == DIRECTORY_UNKNOWN);
	cr_assert(resolve(&a, "CCCCCCCCCCCC") == DIRECTORY_PENDING);
	answer_error("WRONGTYPE Operation against a key holding the wrong kind of value");
	cr_expect(a.outcome == DIRECTORY_UNKNOWN);
	cr_expect(stats().malformed == 3 && stats().entries == 0 && stats().negative_entries == 3);
}

Test(auth_directory, errors_of_redis_are_not_answers)
{
	struct asker a;

	open_dir();
	cr_assert(resolve(&a, A) == DIRECTORY_PENDING);
	answer_error("NOPERM this user has no permissions");
	cr_expect(a.outcome == DIRECTORY_UNAVAILABLE && stats().negative_entries == 0);
	cr_expect(resolve(&a, A) == DIRECTORY_PENDING);
}

Test(auth_directory, a_key_without_its_tenant_is_found_with_none)
{
	struct asker a;

	open_dir();
	cr_assert(resolve(&a, A) == DIRECTORY_PENDING);
	ANSWER_KEY();
	cr_expect_str_eq(queue[1].name, "tg:tenant:acme");
	ANSWER_NOTHING();
	cr_expect(a.outcome == DIRECTORY_FOUND && a.has_key && !a.has_tenant);
	cr_expect(resolve(&a, A) == DIRECTORY_FOUND && !a.has_tenant);
	invalidate("tg:tenant:acme");
	cr_assert(resolve(&a, A) == DIRECTORY_PENDING);
	cr_expect_str_eq(queue[2].name, "tg:tenant:acme", "only the tenant is asked for");
	ANSWER_TENANT();
	cr_expect(a.outcome == DIRECTORY_FOUND && a.has_tenant);
}

Test(auth_directory, found_records_are_kept_while_the_link_is_up)
{
	struct asker a;

	open_dir();
	cr_assert(resolve(&a, A) == DIRECTORY_PENDING);
	cr_expect_str_eq(queue[0].name, "tg:key:" A);
	cr_expect(a.answers == 0);
	ANSWER_KEY();
	cr_expect(a.answers == 0);
	ANSWER_TENANT();
	cr_expect(a.answers == 1 && a.outcome == DIRECTORY_FOUND && a.has_tenant && !a.stale);
	cr_expect_str_eq(a.key_id, A);
	now_us += S(100000);
	cr_expect(resolve(&a, A) == DIRECTORY_FOUND && queued == 2);
	cr_expect(stats().hits == 1 && stats().misses == 1 && stats().entries == 2 && stats().lookups == 0);
}

Test(auth_directory, a_changed_record_is_asked_for_again)
{
	static const char *revoked[COUNT(key_fields)];
	struct asker a;

	open_dir();
	warm();
	memcpy(revoked, key_fields, sizeof(revoked));
	revoked[9] = "revoked";
	invalidate("tg:key:" A);
	cr_assert(resolve(&a, A) == DIRECTORY_PENDING);
	answer_words(revoked, COUNT(revoked));
	cr_expect(a.outcome == DIRECTORY_FOUND && a.state == RECORD_REVOKED);
	cr_expect(stats().invalidations == 1);
}

Test(auth_directory, a_changed_record_is_never_served_stale)
{
	struct asker a;

	open_dir();
	warm();
	invalidate("tg:key:" A);
	up = false;
	tell_link(tell_ctx, false);
	cr_expect(resolve(&a, A) == DIRECTORY_UNAVAILABLE);
}

Test(auth_directory, concurrent_asks_share_one_lookup_and_can_leave_it)
{
	struct asker a[5], other;

	open_dir();
	for (unsigned i = 0; i < 5; i++)
		cr_assert(resolve(&a[i], A) == DIRECTORY_PENDING);
	cr_assert(resolve(&other, B) == DIRECTORY_PENDING);
	cr_expect(queued == 2 && stats().lookups == 2);
	directory_cancel(&a[1].ask);
	directory_cancel(&a[1].ask);
	ANSWER_KEY();
	directory_cancel(&a[4].ask);
	ANSWER_NOTHING();
	cr_expect(other.outcome == DIRECTORY_UNKNOWN);
	ANSWER_TENANT();
	for (unsigned i = 0; i < 5; i++)
		cr_expect(a[i].answers == (i != 1 && i != 4), "ask %u", i);
	cr_expect(stats().misses == 6 && stats().lookups == 0);
}

Test(auth_directory, a_lookup_that_everybody_left_ends_quietly)
{
	struct asker a;

	open_dir();
	cr_assert(resolve(&a, A) == DIRECTORY_PENDING);
	directory_cancel(&a.ask);
	ANSWER_KEY();
	ANSWER_TENANT();
	cr_expect(a.answers == 0 && resolve(&a, A) == DIRECTORY_FOUND);
}

/* Asks again, cancels its neighbour and counts, from within an answer. */
static struct asker again, neighbour;

static void on_answer_busy(struct directory_ask *ask, enum directory_outcome outcome,
			   const struct directory_answer *answer)
{
	on_answer(ask, outcome, answer);
	directory_cancel(&neighbour.ask);
	cr_expect(resolve(&again, A) == DIRECTORY_PENDING);
}

Test(auth_directory, callbacks_may_ask_and_cancel)
{
	struct directory_answer answer;
	struct asker a = {.answers = 0};

	open_dir();
	cr_assert(directory_resolve(dir, slice_of(A), &a.ask, on_answer_busy, &answer) == DIRECTORY_PENDING);
	cr_assert(resolve(&neighbour, A) == DIRECTORY_PENDING);
	answer_error("ERR no");
	cr_expect(a.answers == 1 && a.outcome == DIRECTORY_UNAVAILABLE);
	cr_expect(neighbour.answers == 0 && again.answers == 0 && again.ask.waiting && queued == 2);
	ANSWER_NOTHING();
	cr_expect(again.answers == 1 && again.outcome == DIRECTORY_UNKNOWN);
}

Test(auth_directory, an_invalidation_that_overtakes_the_reply_spoils_it)
{
	struct asker a;

	open_dir();
	cr_assert(resolve(&a, A) == DIRECTORY_PENDING);
	invalidate("tg:key:" A);
	ANSWER_KEY(); /* read before the change */
	cr_expect(a.answers == 0 && queued == 2, "asked again");
	cr_expect_str_eq(queue[1].name, "tg:key:" A);
	ANSWER_KEY();
	invalidate("tg:tenant:acme");
	ANSWER_TENANT();
	cr_expect(a.answers == 0 && queued == 4);
	ANSWER_TENANT();
	cr_expect(a.answers == 1 && a.outcome == DIRECTORY_FOUND && stats().overtaken == 2);
}

Test(auth_directory, a_key_that_changes_while_its_tenant_is_asked_for_is_asked_for_again)
{
	struct asker a;

	open_dir();
	cr_assert(resolve(&a, A) == DIRECTORY_PENDING);
	ANSWER_KEY();
	invalidate("tg:key:" A);
	ANSWER_TENANT();
	cr_expect(a.answers == 0);
	cr_expect_str_eq(queue[2].name, "tg:key:" A);
	ANSWER_NOTHING();
	cr_expect(a.outcome == DIRECTORY_UNKNOWN);
}

Test(auth_directory, other_invalidations_spoil_nothing)
{
	struct asker a;

	open_dir();
	cr_assert(resolve(&a, A) == DIRECTORY_PENDING);
	invalidate("tg:key:" B);
	invalidate("tg:tenant:other");
	ANSWER_KEY();
	ANSWER_TENANT();
	cr_expect(a.answers == 1 && queued == 2 && stats().overtaken == 0);
}

Test(auth_directory, a_record_that_changes_all_the_time_is_unavailable)
{
	struct asker a;

	open_dir();
	cr_assert(resolve(&a, A) == DIRECTORY_PENDING);
	for (unsigned i = 0; i < 4; i++) {
		invalidate("tg:key:" A);
		ANSWER_KEY();
	}
	cr_expect(a.answers == 1 && a.outcome == DIRECTORY_UNAVAILABLE && queued == 4);
}

Test(auth_directory, a_flush_doubts_everything_and_replies_on_their_way)
{
	struct asker a, b;

	open_dir();
	warm();
	cr_assert(resolve(&b, B) == DIRECTORY_PENDING);
	tell_key(tell_ctx, (struct slice){NULL, 0});
	ANSWER_KEY();
	cr_expect(b.answers == 0, "the reply may be older than the flush");
	ANSWER_NOTHING();
	cr_expect(b.outcome == DIRECTORY_UNKNOWN);
	cr_expect(resolve(&a, A) == DIRECTORY_PENDING);
	ANSWER_NOTHING();
	cr_expect(a.outcome == DIRECTORY_UNKNOWN);
}

Test(auth_directory, without_the_link_records_are_asked_for_again)
{
	struct asker a;

	open_dir();
	warm();
	tell_link(tell_ctx, false);
	cr_assert(resolve(&a, A) == DIRECTORY_PENDING, "at once, since the loss may have been noticed late");
	ANSWER_KEY();
	ANSWER_TENANT();
	now_us += S(4.9);
	cr_expect(resolve(&a, A) == DIRECTORY_FOUND && !a.stale);
	now_us += S(0.2);
	cr_assert(resolve(&a, A) == DIRECTORY_PENDING);
	ANSWER_KEY();
	ANSWER_TENANT();
	renew_link();
	cr_assert(resolve(&a, A) == DIRECTORY_PENDING, "a renewed link has not heard what was before");
	ANSWER_KEY();
	ANSWER_TENANT();
	now_us += S(1000);
	cr_expect(resolve(&a, A) == DIRECTORY_FOUND);
}

Test(auth_directory, without_redis_records_are_served_for_stale_max)
{
	struct asker a;

	open_dir();
	warm();
	now_us += S(5000); /* the link vouched for it all the time */
	up = false;
	tell_link(tell_ctx, false);
	cr_expect(resolve(&a, A) == DIRECTORY_FOUND && a.stale && a.has_tenant);
	now_us += S(294);
	cr_expect(resolve(&a, A) == DIRECTORY_FOUND && a.stale);
	now_us += S(2);
	cr_expect(resolve(&a, A) == DIRECTORY_UNAVAILABLE);
	cr_expect(stats().stale_served == 2 && stats().unavailable == 1);
	up = true;
	cr_expect(resolve(&a, A) == DIRECTORY_PENDING);
}

Test(auth_directory, stale_max_zero_serves_nothing_stale)
{
	struct asker a;

	config.stale_max_us = 0;
	open_dir();
	warm();
	up = false;
	cr_expect(resolve(&a, A) == DIRECTORY_FOUND && !a.stale, "the link still vouches");
	tell_link(tell_ctx, false);
	cr_expect(resolve(&a, A) == DIRECTORY_UNAVAILABLE);
}

Test(auth_directory, a_redis_that_comes_and_goes_does_not_lose_the_records)
{
	struct asker a;

	open_dir();
	warm();
	now_us += S(5000);
	for (unsigned i = 0; i < 10; i++) {
		tell_link(tell_ctx, false);
		now_us += S(10);
		renew_link();
	}
	up = false;
	tell_link(tell_ctx, false);
	cr_expect(resolve(&a, A) == DIRECTORY_FOUND && a.stale);
	now_us += S(200);
	cr_expect(resolve(&a, A) == DIRECTORY_UNAVAILABLE, "counted from the first loss");
}

Test(auth_directory, a_late_lookup_is_answered_with_what_is_known)
{
	struct asker a, b;

	open_dir();
	warm();
	tell_link(tell_ctx, false);
	cr_assert(resolve(&a, A) == DIRECTORY_PENDING && resolve(&b, B) == DIRECTORY_PENDING);
	now_us += S(0.03);
	make_late();
	make_late();
	cr_expect(a.outcome == DIRECTORY_FOUND && a.stale && b.outcome == DIRECTORY_UNAVAILABLE);
	cr_expect(stats().lookups == 2, "their replies are still to come");
	ANSWER_KEY();
	ANSWER_NOTHING();
	cr_expect(a.answers == 1 && b.answers == 1 && stats().lookups == 0);
	cr_expect(resolve(&b, B) == DIRECTORY_UNKNOWN, "a late reply is kept");
	cr_expect(resolve(&a, A) == DIRECTORY_PENDING);
	cr_expect_str_eq(queue[answered].name, "tg:tenant:acme");
}

Test(auth_directory, a_late_reply_can_be_overtaken_too)
{
	struct asker a;

	open_dir();
	cr_assert(resolve(&a, A) == DIRECTORY_PENDING);
	make_late();
	invalidate("tg:key:" A);
	ANSWER_KEY();
	cr_expect(stats().entries == 0 && stats().overtaken == 1);
	cr_expect(resolve(&a, A) == DIRECTORY_PENDING);
}

Test(auth_directory, the_deadline_is_for_key_and_tenant_together)
{
	struct asker a;

	open_dir();
	cr_assert(resolve(&a, A) == DIRECTORY_PENDING);
	now_us += S(0.031);
	ANSWER_KEY();
	cr_expect(a.outcome == DIRECTORY_UNAVAILABLE && a.answers == 1 && queued == 1);
}

Test(auth_directory, lost_lookups_are_answered)
{
	struct asker a, b;

	open_dir();
	warm();
	tell_link(tell_ctx, false);
	cr_assert(resolve(&a, A) == DIRECTORY_PENDING && resolve(&b, B) == DIRECTORY_PENDING);
	lose_all();
	cr_expect(a.outcome == DIRECTORY_FOUND && a.stale && b.outcome == DIRECTORY_UNAVAILABLE);
	cr_expect(stats().lookups == 0);
}

static void random_id(char id[KEY_ID_LEN + 1], unsigned n)
{
	snprintf(id, KEY_ID_LEN + 1, "Z%011u", n);
}

Test(auth_directory, unknown_ids_are_capped_and_known_ones_are_not)
{
	char id[KEY_ID_LEN + 1];
	struct asker a;

	config.lookup_rate = 10;
	open_dir();
	warm();
	for (unsigned i = 0; i < 10; i++) {
		random_id(id, i);
		cr_assert(resolve(&a, id) == DIRECTORY_PENDING);
		ANSWER_NOTHING();
	}
	cr_expect(resolve(&a, B) == DIRECTORY_UNAVAILABLE && stats().throttled == 1);
	random_id(id, 0);
	cr_expect(resolve(&a, id) == DIRECTORY_UNKNOWN, "the negative cache is not capped");
	tell_link(tell_ctx, false);
	cr_assert(resolve(&a, A) == DIRECTORY_PENDING, "nor is a record that is held");
	ANSWER_KEY();
	ANSWER_TENANT();
	now_us += S(0.1);
	cr_assert(resolve(&a, B) == DIRECTORY_PENDING);
	ANSWER_NOTHING();
	cr_expect(resolve(&a, "CCCCCCCCCCCC") == DIRECTORY_UNAVAILABLE);
}

Test(auth_directory, ids_that_exist_use_nothing_of_the_cap)
{
	char id[KEY_ID_LEN + 1];
	struct asker a;

	config.lookup_rate = 1;
	open_dir();
	for (unsigned i = 0; i < 50; i++) {
		random_id(id, i);
		cr_assert(resolve(&a, id) == DIRECTORY_PENDING, "%u", i);
		ANSWER_KEY();
		if (i == 0)
			ANSWER_TENANT();
		cr_assert(a.outcome == DIRECTORY_FOUND);
	}
	cr_expect(stats().throttled == 0);
}

Test(auth_directory, memory_is_bounded_and_the_oldest_goes)
{
	char id[KEY_ID_LEN + 1];
	struct asker a;

	config.max_entries = 16;
	config.max_negative = 8;
	config.lookup_rate = 0;
	open_dir();
	warm();
	for (unsigned i = 0; i < 100; i++) {
		random_id(id, i);
		cr_assert(resolve(&a, id) == DIRECTORY_PENDING);
		if (i % 2)
			ANSWER_NOTHING();
		else
			ANSWER_KEY();
		cr_assert(a.answers == 1);
		cr_assert(resolve(&a, A) == DIRECTORY_FOUND, "what is used stays");
	}
	cr_expect(stats().entries == 16 && stats().negative_entries == 8);
	cr_expect(stats().evictions == 50 - 14 + 50 - 8);
	random_id(id, 0);
	cr_expect(resolve(&a, id) == DIRECTORY_PENDING);
}

Test(auth_directory, lookups_are_bounded)
{
	char id[KEY_ID_LEN + 1];
	static struct asker a[5];

	config.max_lookups = 4;
	open_dir();
	for (unsigned i = 0; i < 4; i++) {
		random_id(id, i);
		cr_assert(resolve(&a[i], id) == DIRECTORY_PENDING);
	}
	cr_expect(resolve(&a[4], A) == DIRECTORY_UNAVAILABLE && stats().throttled == 1);
	make_late();
	cr_expect(resolve(&a[4], A) == DIRECTORY_UNAVAILABLE, "a late one is still in flight");
	ANSWER_NOTHING();
	cr_expect(resolve(&a[4], A) == DIRECTORY_PENDING);
}

Test(auth_directory, absences_are_swept)
{
	struct asker a;

	config.negative_ttl_us = 20000;
	open_dir();
	cr_assert(resolve(&a, A) == DIRECTORY_PENDING);
	ANSWER_NOTHING();
	cr_expect(stats().negative_entries == 1);
	now_us += S(1);
	ev_run(EV_DEFAULT, EVRUN_ONCE); /* until the timer fires */
	cr_expect(stats().negative_entries == 0);
}
