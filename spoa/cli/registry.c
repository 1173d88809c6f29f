/* Records in Redis: single reads and transactions. */
#include "cli/registry.h"

#include "cli/registry_kind.h"
#include "cli/registry_scan.h"

enum {
	ATTEMPTS = 10,    /* at a change that others keep getting in the way of */
	HASH_FIELDS = 64, /* of a record, with those that later versions may add */
};

static bool parse_key(struct slice id, const struct record_field *fields, size_t count, void *ret,
		      struct strbuf *err)
{
	return record_key_parse(id, fields, count, ret, err);
}

static bool parse_tenant(struct slice id, const struct record_field *fields, size_t count, void *ret,
			 struct strbuf *err)
{
	return record_tenant_parse(id, fields, count, ret, err);
}

static void emit_key(const void *rec, struct record_field *fields, struct strbuf *text)
{
	record_key_emit(rec, fields, text);
}

static void emit_tenant(const void *rec, struct record_field *fields, struct strbuf *text)
{
	record_tenant_emit(rec, fields, text);
}

const struct registry_kind registry_keys = {
	.noun = "key",
	.prefix = RECORD_KEY_PREFIX,
	.field_count = RECORD_KEY_FIELDS,
	.id_valid = key_id_valid,
	.parse = parse_key,
	.emit = emit_key,
};

const struct registry_kind registry_tenants = {
	.noun = "tenant",
	.prefix = RECORD_TENANT_PREFIX,
	.field_count = RECORD_TENANT_FIELDS,
	.id_valid = record_tenant_id_valid,
	.parse = parse_tenant,
	.emit = emit_tenant,
};

struct slice registry_name(const struct registry_kind *kind, struct slice id, struct registry_name *ret)
{
	struct strbuf sb = strbuf_over(ret->text, sizeof(ret->text));

	strbuf_puts(&sb, kind->prefix);
	strbuf_put(&sb, id);
	return strbuf_slice(&sb);
}

bool registry_id_valid(const struct registry_kind *kind, const char *id)
{
	if (kind->id_valid(slice_of(id)))
		return true;
	if (kind == &registry_tenants)
		cli_error("a tenant's id is 1 to 64 of a-z, 0-9, '_' and '-', the first no '_' or '-'");
	else if (slice_starts(slice_of(id), SLICE_LIT("tg_")))
		cli_error("that looks like a whole key; give only its id, the 12 characters behind tg_");
	else
		cli_error("a key's id is 12 letters and digits, as `tollgate key list` shows it");
	return false;
}

static enum cli_exit not_found(const struct registry_kind *kind, const char *id)
{
	cli_error("there is no %s %s; `tollgate %s list` shows those there are", kind->noun, id, kind->noun);
	return CLI_NOT_FOUND;
}

enum cli_exit registry_parse(const struct registry_kind *kind, struct slice id, const redisReply *hash,
			     void *ret)
{
	struct record_field fields[HASH_FIELDS];
	char reason[256];
	struct strbuf err = strbuf_over(reason, sizeof(reason));
	size_t count = hash->elements / 2;
	bool ok = hash->type == REDIS_REPLY_ARRAY && count <= HASH_FIELDS;

	for (size_t i = 0; ok && i < count; i++) {
		const redisReply *name = hash->element[2 * i], *value = hash->element[2 * i + 1];
		fields[i].name = (struct slice){name->str, name->len};
		fields[i].value = (struct slice){value->str, value->len};
	}
	if (!ok)
		strbuf_puts(&err, "it is not a hash of at most 64 fields");
	if (ok && kind->parse(id, fields, count, ret, &err))
		return CLI_OK;
	bool safe = kind->id_valid(id); /* what else stands below our prefix may hold anything */
	cli_error("the record of %s %.*s cannot be used: %s", kind->noun, safe ? (int)id.n : 1,
		  safe ? id.p : "?", reason);
	return CLI_FAILED;
}

enum cli_exit registry_read(struct client *client, const struct registry_kind *kind, const char *id,
			    void *ret)
{
	struct registry_name name;
	struct slice argv[] = {SLICE_LIT("HGETALL"), registry_name(kind, slice_of(id), &name)};
	redisReply *hash = client_call(client, argv, 2);
	enum cli_exit result = CLI_FAILED;

	if (hash != NULL && hash->type == REDIS_REPLY_ARRAY && hash->elements == 0)
		result = not_found(kind, id);
	else if (hash != NULL)
		result = registry_parse(kind, slice_of(id), hash, ret);
	freeReplyObject(hash);
	return result;
}

static bool call_ok(struct client *client, const struct slice *argv, size_t argc)
{
	redisReply *reply = client_call(client, argv, argc);

	freeReplyObject(reply);
	return reply != NULL;
}

static bool watch(struct client *client, const struct registry_kind *kind, const char *id)
{
	struct registry_name name;
	struct slice argv[] = {SLICE_LIT("WATCH"), registry_name(kind, slice_of(id), &name)};

	return call_ok(client, argv, 2);
}

static bool queue_word(struct client *client, const char *word)
{
	struct slice argv[] = {slice_of(word)};

	return client_queue(client, argv, 1);
}

static bool queue_record(struct client *client, const struct registry_kind *kind, const char *id,
			 const void *rec)
{
	char text[RECORD_TEXT_MAX];
	struct strbuf sb = strbuf_over(text, sizeof(text));
	struct record_field fields[RECORD_KEY_FIELDS];
	struct slice argv[2 + 2 * RECORD_KEY_FIELDS];
	struct registry_name name;
	size_t argc = 0;

	kind->emit(rec, fields, &sb);
	argv[argc++] = SLICE_LIT("HSET");
	argv[argc++] = registry_name(kind, slice_of(id), &name);
	for (size_t i = 0; i < kind->field_count; i++) {
		argv[argc++] = fields[i].name;
		argv[argc++] = fields[i].value;
	}
	return client_queue(client, argv, argc);
}

/* Whether the key or tenant is there, without looking at its content: -1 when Redis failed. */
static int exists(struct client *client, const struct registry_kind *kind, const char *id)
{
	struct registry_name name;
	struct slice argv[] = {SLICE_LIT("EXISTS"), registry_name(kind, slice_of(id), &name)};
	redisReply *reply = client_call(client, argv, 2);
	int result = reply == NULL ? -1 : reply->integer == 1;

	freeReplyObject(reply);
	return result;
}

enum commit { COMMIT_DONE, COMMIT_RACED, COMMIT_FAILED };

static bool array_has_error(const redisReply *array)
{
	for (size_t i = 0; i < array->elements; i++)
		if (array->element[i]->type == REDIS_REPLY_ERROR)
			return true;
	return false;
}

/* Sends EXEC behind MULTI and `queued` commands and takes all their replies. */
static enum commit commit(struct client *client, unsigned queued)
{
	if (!queue_word(client, "EXEC"))
		return COMMIT_FAILED;
	for (unsigned i = 0; i < queued + 1; i++) {
		redisReply *reply = client_reply(client);
		freeReplyObject(reply);
		if (reply == NULL)
			return COMMIT_FAILED; /* EXEC is then refused by Redis too */
	}
	redisReply *reply = client_reply(client);
	enum commit result = COMMIT_FAILED;
	if (reply != NULL && reply->type == REDIS_REPLY_NIL)
		result = COMMIT_RACED;
	else if (reply != NULL && !array_has_error(reply))
		result = COMMIT_DONE;
	else if (reply != NULL)
		cli_error("Redis refused a part of the change; look at the record with show");
	freeReplyObject(reply);
	return result;
}

static enum cli_exit lost_race(const struct registry_kind *kind, const char *id)
{
	cli_error("%s %s was changed by somebody else at the same time; look at it and try again", kind->noun,
		  id);
	return CLI_CONFLICT;
}

static enum cli_exit taken(const struct registry_kind *kind, const char *id)
{
	cli_error("there already is a %s %s", kind->noun, id);
	return CLI_CONFLICT;
}

/* Touches the tenant with the value it has: a removal of the tenant that is on its way watches it and
 * must notice the new key. */
static bool queue_tenant_touch(struct client *client, const char *tenant)
{
	struct registry_name name;
	struct slice argv[] = {SLICE_LIT("HSET"), registry_name(&registry_tenants, slice_of(tenant), &name),
			       SLICE_LIT("v"), SLICE_LIT("1")};

	return client_queue(client, argv, sizeof(argv) / sizeof(argv[0]));
}

static enum cli_exit check_tenant(struct client *client, const char *id)
{
	struct tenant_record tenant;
	int there = exists(client, &registry_tenants, id);

	if (there < 0)
		return CLI_FAILED;
	if (there == 0) {
		cli_error("there is no tenant %s; make it first with `tollgate tenant create %s`", id, id);
		return CLI_NOT_FOUND;
	}
	enum cli_exit result = registry_read(client, &registry_tenants, id, &tenant);
	if (result == CLI_OK && tenant.state != RECORD_ACTIVE)
		cli_note("tenant %s is suspended: its keys do not work until it is resumed", id);
	return result;
}

enum cli_exit registry_add_key(struct client *client, const struct key_record *rec)
{
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		if (!watch(client, &registry_tenants, rec->tenant) || !watch(client, &registry_keys, rec->id))
			return CLI_FAILED;
		enum cli_exit result = check_tenant(client, rec->tenant);
		if (result != CLI_OK)
			return result;
		int there = exists(client, &registry_keys, rec->id);
		if (there != 0)
			return there < 0 ? CLI_FAILED : taken(&registry_keys, rec->id);
		if (!queue_word(client, "MULTI") || !queue_record(client, &registry_keys, rec->id, rec) ||
		    !queue_tenant_touch(client, rec->tenant))
			return CLI_FAILED;
		enum commit done = commit(client, 2);
		if (done != COMMIT_RACED)
			return done == COMMIT_DONE ? CLI_OK : CLI_FAILED;
	}
	return lost_race(&registry_tenants, rec->tenant);
}

enum cli_exit registry_add_tenant(struct client *client, const struct tenant_record *rec)
{
	if (!watch(client, &registry_tenants, rec->id))
		return CLI_FAILED;
	int there = exists(client, &registry_tenants, rec->id);
	if (there != 0)
		return there < 0 ? CLI_FAILED : taken(&registry_tenants, rec->id);
	if (!queue_word(client, "MULTI") || !queue_record(client, &registry_tenants, rec->id, rec))
		return CLI_FAILED;
	enum commit done = commit(client, 1);
	if (done == COMMIT_RACED)
		return taken(&registry_tenants, rec->id);
	return done == COMMIT_DONE ? CLI_OK : CLI_FAILED;
}

enum cli_exit registry_update(struct client *client, const struct registry_kind *kind, const char *id,
			      bool once, registry_change_fn *change, void *ctx, void *rec)
{
	for (int attempt = 0; attempt < (once ? 1 : ATTEMPTS); attempt++) {
		if (!watch(client, kind, id))
			return CLI_FAILED;
		enum cli_exit result = registry_read(client, kind, id, rec);
		if (result == CLI_OK)
			result = change(rec, ctx);
		if (result != CLI_OK)
			return result;
		if (!queue_word(client, "MULTI") || !queue_record(client, kind, id, rec))
			return CLI_FAILED;
		enum commit done = commit(client, 1);
		if (done != COMMIT_RACED)
			return done == COMMIT_DONE ? CLI_OK : CLI_FAILED;
	}
	return lost_race(kind, id);
}

static bool queue_del(struct client *client, const struct registry_kind *kind, const char *id)
{
	struct registry_name name;
	struct slice argv[] = {SLICE_LIT("DEL"), registry_name(kind, slice_of(id), &name)};

	return client_queue(client, argv, 2);
}

/* Takes the reply of a DEL: how many were there, -1 when Redis failed. */
static int deleted(struct client *client)
{
	redisReply *reply = client_reply(client);
	int result = reply == NULL ? -1 : reply->integer == 1;

	freeReplyObject(reply);
	return result;
}

enum cli_exit registry_remove_key(struct client *client, const char *id)
{
	int gone = queue_del(client, &registry_keys, id) ? deleted(client) : -1;

	if (gone < 0)
		return CLI_FAILED;
	return gone == 1 ? CLI_OK : not_found(&registry_keys, id);
}

static enum cli_exit remove_keys(struct client *client, const struct registry_ids *ids)
{
	for (size_t i = 0; i < ids->count; i++)
		if (!queue_del(client, &registry_keys, ids->ids[i]) || deleted(client) < 0)
			return CLI_FAILED;
	return CLI_OK;
}

/* Between WATCH and EXEC: deals with the tenant's keys. */
static enum cli_exit clear_keys(struct client *client, const char *id, bool force, size_t *ret_keys)
{
	struct registry_ids ids = {0};
	enum cli_exit result = registry_scan_tenant(client, id, &ids);

	if (result == CLI_OK && ids.count > 0 && !force) {
		cli_error("tenant %s still has keys (%zu); delete them first, or give --force to delete them "
			  "with it",
			  id, ids.count);
		result = CLI_CONFLICT;
	} else if (result == CLI_OK) {
		result = remove_keys(client, &ids);
		*ret_keys += ids.count;
	}
	registry_ids_free(&ids);
	return result;
}

enum cli_exit registry_remove_tenant(struct client *client, const char *id, bool force, size_t *ret_keys)
{
	*ret_keys = 0;
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		if (!watch(client, &registry_tenants, id))
			return CLI_FAILED;
		int there = exists(client, &registry_tenants, id);
		if (there != 1)
			return there < 0 ? CLI_FAILED : not_found(&registry_tenants, id);
		enum cli_exit result = clear_keys(client, id, force, ret_keys);
		if (result != CLI_OK)
			return result;
		if (!queue_word(client, "MULTI") || !queue_del(client, &registry_tenants, id))
			return CLI_FAILED;
		enum commit done = commit(client, 1);
		if (done != COMMIT_RACED)
			return done == COMMIT_DONE ? CLI_OK : CLI_FAILED;
	}
	return lost_race(&registry_tenants, id);
}
