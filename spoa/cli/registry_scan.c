/* SCAN and batched reads, with progress on a terminal when there is much to do. */
#include "cli/registry_scan.h"

#include <stdlib.h>
#include <unistd.h>

#include "cli/registry_kind.h"

enum {
	BATCH = 100,          /* reads in one round trip */
	PROGRESS_FROM = 2000, /* records; below, it is over before one has read it */
};

static void show_progress(const char *what, size_t n)
{
	if (n >= PROGRESS_FROM && n % 1000 == 0 && isatty(STDERR_FILENO))
		(void)fprintf(stderr, "\r%s %zu … ", what, n);
}

static void end_progress(size_t n)
{
	if (n >= PROGRESS_FROM && isatty(STDERR_FILENO))
		(void)fputs("\r\033[K", stderr);
}

void registry_ids_free(struct registry_ids *ids)
{
	free(ids->ids);
	*ids = (struct registry_ids){0};
}

static bool ids_add(struct registry_ids *ids, struct slice id)
{
	if (ids->count == ids->cap) {
		size_t cap = ids->cap == 0 ? 256 : ids->cap * 2;
		void *grown = reallocarray(ids->ids, cap, sizeof(ids->ids[0]));
		if (grown == NULL) {
			cli_error("out of memory");
			return false;
		}
		ids->ids = grown;
		ids->cap = cap;
	}
	/* A foreign name below our prefix may be longer than any id. */
	if (!slice_copy(id, ids->ids[ids->count], sizeof(ids->ids[0])))
		return true;
	ids->count++;
	return true;
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* SCAN may show a key more than once. */
static void sort_unique(struct registry_ids *ids)
{
	size_t kept = 0;

	if (ids->count == 0)
		return;
	qsort(ids->ids, ids->count, sizeof(ids->ids[0]), compare_ids);
	for (size_t i = 1; i < ids->count; i++)
		if (strcmp(ids->ids[kept], ids->ids[i]) != 0)
			memmove(ids->ids[++kept], ids->ids[i], sizeof(ids->ids[0]));
	ids->count = kept + 1;
}

static bool add_page(const struct registry_kind *kind, const redisReply *names, struct registry_ids *ids)
{
	size_t prefix = strlen(kind->prefix);

	for (size_t i = 0; i < names->elements; i++) {
		const redisReply *name = names->element[i];
		if (name->len > prefix &&
		    !ids_add(ids, (struct slice){name->str + prefix, name->len - prefix}))
			return false;
		show_progress("found", ids->count);
	}
	return true;
}

/* One step; *cursor moves on and is "0" behind the last. */
static bool scan_page(struct client *client, const struct registry_kind *kind, char cursor[32],
		      struct registry_ids *ids)
{
	char pattern[32];
	struct strbuf sb = strbuf_over(pattern, sizeof(pattern));

	strbuf_puts(&sb, kind->prefix);
	strbuf_putc(&sb, '*');
	struct slice argv[] = {SLICE_LIT("SCAN"),  slice_of(cursor),  SLICE_LIT("MATCH"), strbuf_slice(&sb),
			       SLICE_LIT("COUNT"), SLICE_LIT("1000"), SLICE_LIT("TYPE"),  SLICE_LIT("hash")};
	redisReply *reply = client_call(client, argv, sizeof(argv) / sizeof(argv[0]));
	if (reply == NULL)
		return false;
	bool ok = reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
		  slice_copy((struct slice){reply->element[0]->str, reply->element[0]->len}, cursor, 32);
	if (!ok)
		cli_error("Redis answered SCAN with something else");
	ok = ok && add_page(kind, reply->element[1], ids);
	freeReplyObject(reply);
	return ok;
}

static enum cli_exit scan(struct client *client, const struct registry_kind *kind, struct registry_ids *ids)
{
	char cursor[32] = "0";

	do {
		if (!scan_page(client, kind, cursor, ids))
			return CLI_FAILED;
	} while (strcmp(cursor, "0") != 0);
	end_progress(ids->count);
	sort_unique(ids);
	return CLI_OK;
}

static bool queue_read(struct client *client, const struct registry_kind *kind, const char *id,
		       bool tenant_only)
{
	struct registry_name name;
	struct slice argv[] = {tenant_only ? SLICE_LIT("HGET") : SLICE_LIT("HGETALL"),
			       registry_name(kind, slice_of(id), &name), SLICE_LIT("tenant")};

	return client_queue(client, argv, tenant_only ? 3 : 2);
}

/* What came of one record. */
enum step {
	STEP_ON,
	STEP_BAD, /* this one cannot be used, and that was said; go on */
	STEP_END, /* no use in going on */
};

struct walk {
	const struct registry_kind *kind;
	bool tenant_only; /* ask for the tenant's id instead of the whole record */
	enum step (*fn)(const struct walk *walk, const char *id, const redisReply *reply);
	registry_each_fn *each;
	void *ctx;
};

static enum step walk_batch(struct client *client, const struct walk *walk, const struct registry_ids *ids,
			    size_t from, size_t to)
{
	enum step worst = STEP_ON;

	for (size_t i = from; i < to; i++)
		if (!queue_read(client, walk->kind, ids->ids[i], walk->tenant_only))
			return STEP_END;
	for (size_t i = from; i < to && worst != STEP_END; i++) {
		redisReply *reply = client_reply(client);
		enum step one = reply == NULL ? STEP_END : walk->fn(walk, ids->ids[i], reply);
		worst = one > worst ? one : worst;
		freeReplyObject(reply);
	}
	return worst;
}

static enum cli_exit walk_all(struct client *client, const struct walk *walk, const struct registry_ids *ids)
{
	enum step worst = STEP_ON;

	for (size_t i = 0; i < ids->count && worst != STEP_END; i += BATCH) {
		size_t to = ids->count - i < BATCH ? ids->count : i + BATCH;
		enum step one = walk_batch(client, walk, ids, i, to);
		worst = one > worst ? one : worst;
		show_progress("read", i);
	}
	end_progress(ids->count);
	return worst == STEP_ON ? CLI_OK : CLI_FAILED;
}

static enum step show_record(const struct walk *walk, const char *id, const redisReply *reply)
{
	union {
		struct key_record key;
		struct tenant_record tenant;
	} rec;

	if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 0)
		return STEP_ON; /* removed since it was found */
	if (registry_parse(walk->kind, slice_of(id), reply, &rec) != CLI_OK)
		return STEP_BAD;
	return walk->each(walk->ctx, &rec) ? STEP_ON : STEP_END;
}

enum cli_exit registry_each(struct client *client, const struct registry_kind *kind, registry_each_fn *fn,
			    void *ctx)
{
	struct registry_ids ids = {0};
	struct walk walk = {.kind = kind, .fn = show_record, .each = fn, .ctx = ctx};
	enum cli_exit result = scan(client, kind, &ids);

	if (result == CLI_OK)
		result = walk_all(client, &walk, &ids);
	registry_ids_free(&ids);
	return result;
}

struct tenant_filter {
	struct slice tenant;
	struct registry_ids *found;
};

static enum step keep_of_tenant(const struct walk *walk, const char *id, const redisReply *reply)
{
	const struct tenant_filter *filter = walk->ctx;

	if (reply->type != REDIS_REPLY_STRING ||
	    !slice_eq(filter->tenant, (struct slice){reply->str, reply->len}))
		return STEP_ON;
	return ids_add(filter->found, slice_of(id)) ? STEP_ON : STEP_END;
}

enum cli_exit registry_scan_tenant(struct client *client, const char *tenant, struct registry_ids *ret)
{
	struct registry_ids all = {0};
	struct tenant_filter filter = {.tenant = slice_of(tenant), .found = ret};
	struct walk walk = {
		.kind = &registry_keys, .tenant_only = true, .fn = keep_of_tenant, .ctx = &filter};
	enum cli_exit result = scan(client, &registry_keys, &all);

	if (result == CLI_OK)
		result = walk_all(client, &walk, &all);
	registry_ids_free(&all);
	return result;
}
