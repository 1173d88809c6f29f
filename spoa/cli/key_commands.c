/* The commands that make, show and change keys. */
#include "cli/key_commands.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <time.h>

#include "cli/moment.h"
#include "cli/output.h"
#include "cli/registry.h"
#include "ollama/name.h"

enum {
	DEFAULT_RPM = 100,
	DEFAULT_OVERLAP = 86400, /* seconds */
};

static const struct output_column key_columns[] = {
	{"ID", "id", NULL},
	{"TENANT", "tenant", NULL},
	{"NAME", "name", "-"},
	{"ROLE", "role", NULL},
	{"STATE", "state", NULL},
	{"EXPIRED", "expired", NULL},
	{"EXPIRES", "expires", "never"},
	{"RPM", "rpm", "unlimited"},
};

static const struct output_column key_lines[] = {
	{"id", "id", NULL},
	{"tenant", "tenant", NULL},
	{"name", "name", "-"},
	{"role", "role", NULL},
	{"state", "state", NULL},
	{"created", "created", "-"},
	{"expires", "expires", "never"},
	{"expired", "expired", NULL},
	{"requests a minute", "rpm", "unlimited"},
	{"priority", "priority", NULL},
	{"models", "models", "all"},
	{"networks", "networks", "all"},
	{"pepper version", "pepper", NULL},
	{"old secret until", "previous_until", "-"},
	{"key", "key", NULL},
};

enum {
	KEY_COLUMNS = sizeof(key_columns) / sizeof(key_columns[0]),
	KEY_LINES = sizeof(key_lines) / sizeof(key_lines[0]),
};

static bool as_json(const struct cli *cli)
{
	return cli_value(cli, "json") != NULL;
}

static int64_t now_seconds(void)
{
	return (int64_t)time(NULL);
}

/* The agent's own rules for patterns, so that a key does not get one that never matches. */
static bool models_usable(const struct key_record *rec)
{
	struct slice rest = record_key_models(rec), part;

	while (rest.n > 0 && slice_next(&rest, ',', &part)) {
		if (!name_pattern_valid(part)) {
			cli_error("--models has a pattern that no model's name can match: %.*s",
				  SLICE_FMT(part));
			return false;
		}
	}
	return true;
}

/* Puts the options that are fields, and --expires, into the record. */
static bool apply_options(const struct cli *cli, struct key_record *rec)
{
	const struct cli_option *option;
	char reason[256];
	struct strbuf err = strbuf_over(reason, sizeof(reason));

	for (size_t i = 0; (option = cli_option_at(cli->command, i)) != NULL; i++) {
		if (!option->field || cli->values[i] == NULL)
			continue;
		if (!record_key_set(rec, option->name, slice_of(cli->values[i]), &err)) {
			cli_error("--%s", reason);
			return false;
		}
	}
	const char *expires = cli_value(cli, "expires");
	const char *wrong =
		expires != NULL ? moment_expiry(slice_of(expires), now_seconds(), &rec->expires) : NULL;
	if (wrong != NULL) {
		cli_error("--expires %s", wrong);
		return false;
	}
	if (rec->name[0] == '\0' && cli_value(cli, "name") != NULL) {
		cli_error("--name must not be empty");
		return false;
	}
	return models_usable(rec);
}

static enum cli_exit show_key(const struct cli *cli, const struct key_record *rec)
{
	bool shown = output_object(as_json(cli), output_key(rec, now_seconds()), key_lines, KEY_LINES);

	return shown ? CLI_OK : CLI_FAILED;
}

/* Shows the record with the secret, for the only time. Takes the reference to json, which may be NULL. */
static enum cli_exit show_secret(const struct cli *cli, json_t *json, const struct key_record *rec,
				 const char *secret)
{
	char text[KEY_TEXT_LEN + 1];

	key_format(rec->id, secret, text);
	if (json_object_set_new(json, "key", json_string(text)) != 0) {
		json_decref(json);
		json = NULL;
	}
	OPENSSL_cleanse(text, sizeof(text));
	if (!output_object(as_json(cli), json, key_lines, KEY_LINES)) {
		cli_error(
			"the key is stored but was not shown; get a new secret with `tollgate key rotate %s`",
			rec->id);
		return CLI_FAILED;
	}
	cli_note("this is the only time the key is shown; keep it in a safe place now");
	return CLI_OK;
}

/* A new secret as the record's current one. */
static bool sign_secret(const struct cli *cli, struct key_record *rec, char secret[KEY_SECRET_LEN + 1])
{
	const char *given = cli_value(cli, "pepper");
	const char *path = given != NULL ? given : getenv("TOLLGATE_PEPPER_FILE");
	char reason[512];
	struct strbuf err = strbuf_over(reason, sizeof(reason));

	if (path == NULL || path[0] == '\0') {
		cli_error("which pepper? Set TOLLGATE_PEPPER_FILE or give --pepper FILE, the file tollgated "
			  "uses");
		return false;
	}
	struct peppers *peppers = peppers_load(path, &err);
	if (peppers == NULL) {
		cli_error("%s", reason);
		return false;
	}
	const struct pepper *pepper = peppers_current(peppers);
	bool ok = key_new_secret(secret) && key_mac(pepper, slice_of(secret), rec->current.mac);
	rec->current.pepper = pepper_version(pepper);
	peppers_free(&peppers);
	if (!ok)
		cli_error("no secret could be made: the system's random numbers or libcrypto failed");
	return ok;
}

static enum cli_exit key_create(const struct cli *cli)
{
	struct key_record rec = {.role = RECORD_USER, .rpm = DEFAULT_RPM, .created = now_seconds()};
	char secret[KEY_SECRET_LEN + 1];
	enum cli_exit result = CLI_FAILED;

	if (!apply_options(cli, &rec))
		return CLI_USAGE;
	if (!key_new_id(rec.id) || !sign_secret(cli, &rec, secret))
		return CLI_FAILED;
	struct client *client = client_open(cli, &result);
	if (client != NULL)
		result = registry_add_key(client, &rec);
	client_close(&client);
	if (result == CLI_OK)
		result = show_secret(cli, output_key(&rec, now_seconds()), &rec, secret);
	OPENSSL_cleanse(secret, sizeof(secret));
	return result;
}

struct key_list {
	const char *tenant; /* NULL: all */
	json_t *array;
};

static bool add_to_list(void *ctx, const void *rec)
{
	struct key_list *list = ctx;
	const struct key_record *key = rec;

	if (list->tenant != NULL && strcmp(list->tenant, key->tenant) != 0)
		return true;
	if (json_array_append_new(list->array, output_key(key, now_seconds())) == 0)
		return true;
	cli_error("out of memory");
	return false;
}

static enum cli_exit key_list(const struct cli *cli)
{
	struct key_list list = {.tenant = cli_value(cli, "tenant"), .array = json_array()};
	enum cli_exit result = CLI_USAGE;
	struct client *client = NULL;

	if (list.tenant == NULL || registry_id_valid(&registry_tenants, list.tenant))
		client = client_open(cli, &result);
	if (client == NULL) {
		json_decref(list.array);
		return result;
	}
	result = registry_each(client, &registry_keys, add_to_list, &list);
	client_close(&client);
	output_sort(list.array, "tenant", "name");
	if (!output_list(as_json(cli), list.array, key_columns, KEY_COLUMNS))
		result = CLI_FAILED;
	return result;
}

static enum cli_exit key_show(const struct cli *cli)
{
	struct key_record rec;
	enum cli_exit result = CLI_USAGE;

	if (!registry_id_valid(&registry_keys, cli->argument))
		return CLI_USAGE;
	struct client *client = client_open(cli, &result);
	if (client != NULL)
		result = registry_read(client, &registry_keys, cli->argument, &rec);
	client_close(&client);
	return result == CLI_OK ? show_key(cli, &rec) : result;
}

/* Changes one key; `rec` is what it has become. */
static enum cli_exit change_key(const struct cli *cli, bool once, registry_change_fn *change, void *ctx,
				struct key_record *rec)
{
	enum cli_exit result = CLI_USAGE;

	if (!registry_id_valid(&registry_keys, cli->argument))
		return CLI_USAGE;
	struct client *client = client_open(cli, &result);
	if (client != NULL)
		result = registry_update(client, &registry_keys, cli->argument, once, change, ctx, rec);
	client_close(&client);
	return result;
}

static enum cli_exit apply_set(void *rec, void *ctx)
{
	const struct cli *cli = ctx;

	return apply_options(cli, rec) ? CLI_OK : CLI_USAGE;
}

static enum cli_exit key_set(const struct cli *cli)
{
	struct key_record rec = {.id = ""};
	struct cli copy = *cli;
	bool any = false;

	for (size_t i = 0; i < cli->command->option_count; i++)
		any = any || cli->values[i] != NULL;
	if (!any) {
		cli_error("nothing to set: give at least one option");
		return CLI_USAGE;
	}
	/* Mistakes are told without asking Redis first. */
	if (!apply_options(cli, &rec))
		return CLI_USAGE;
	enum cli_exit result = change_key(cli, false, apply_set, &copy, &rec);
	return result == CLI_OK ? show_key(cli, &rec) : result;
}

static enum cli_exit apply_state(void *record, void *ctx)
{
	struct key_record *rec = record;
	const enum record_state *wanted = ctx;

	if (rec->state == RECORD_REVOKED && *wanted != RECORD_REVOKED) {
		cli_error("key %s is revoked, which is for ever; create a new key instead", rec->id);
		return CLI_CONFLICT;
	}
	rec->state = *wanted;
	return CLI_OK;
}

static enum cli_exit key_state(const struct cli *cli, enum record_state state)
{
	struct key_record rec;
	enum cli_exit result = change_key(cli, false, apply_state, &state, &rec);

	return result == CLI_OK ? show_key(cli, &rec) : result;
}

static enum cli_exit key_revoke(const struct cli *cli)
{
	return key_state(cli, RECORD_REVOKED);
}

static enum cli_exit key_suspend(const struct cli *cli)
{
	return key_state(cli, RECORD_SUSPENDED);
}

static enum cli_exit key_resume(const struct cli *cli)
{
	return key_state(cli, RECORD_ACTIVE);
}

struct rotation {
	struct record_secret fresh;
	int64_t now;
	int64_t overlap;
	bool dropped; /* a secret that still worked does no more */
};

static enum cli_exit apply_rotation(void *record, void *ctx)
{
	struct key_record *rec = record;
	struct rotation *rotation = ctx;

	if (rec->state == RECORD_REVOKED) {
		cli_error("key %s is revoked, which is for ever; create a new key instead", rec->id);
		return CLI_CONFLICT;
	}
	rotation->dropped = rec->previous.pepper != 0 && rec->previous_until > rotation->now;
	rec->previous = rec->current;
	rec->previous_until = rotation->now + rotation->overlap;
	if (rotation->overlap == 0) {
		rec->previous = (struct record_secret){.pepper = 0};
		rec->previous_until = 0;
	}
	rec->current = rotation->fresh;
	return CLI_OK;
}

static enum cli_exit key_rotate(const struct cli *cli)
{
	struct rotation rotation = {.now = now_seconds(), .overlap = DEFAULT_OVERLAP};
	const char *overlap = cli_value(cli, "overlap");
	struct key_record rec = {.id = ""};
	char secret[KEY_SECRET_LEN + 1];

	if (overlap != NULL && !moment_duration(slice_of(overlap), &rotation.overlap)) {
		cli_error("--overlap must be a duration like 24h, 30m or 7d, or 0");
		return CLI_USAGE;
	}
	if (!registry_id_valid(&registry_keys, cli->argument))
		return CLI_USAGE;
	if (!sign_secret(cli, &rec, secret))
		return CLI_FAILED;
	rotation.fresh = rec.current;
	/* Once: a rotation on top of somebody else's would end the secret they were just given. */
	enum cli_exit result = change_key(cli, true, apply_rotation, &rotation, &rec);
	if (result == CLI_OK && rotation.dropped)
		cli_note("the secret before the last one was still valid and has ended now: a key holds two "
			 "at most");
	if (result == CLI_OK) {
		json_t *json = output_key(&rec, rotation.now);
		(void)json_object_set_new(json, "dropped_previous", json_boolean(rotation.dropped));
		result = show_secret(cli, json, &rec, secret);
	}
	OPENSSL_cleanse(secret, sizeof(secret));
	return result;
}

static enum cli_exit key_delete(const struct cli *cli)
{
	enum cli_exit result = CLI_USAGE;

	if (!registry_id_valid(&registry_keys, cli->argument))
		return CLI_USAGE;
	if (cli_value(cli, "yes") == NULL)
		result = output_confirm("Delete this key and all that is known about it?");
	else
		result = CLI_OK;
	if (result != CLI_OK)
		return result;
	struct client *client = client_open(cli, &result);
	if (client != NULL)
		result = registry_remove_key(client, cli->argument);
	client_close(&client);
	if (result != CLI_OK)
		return result;
	static const struct output_column lines[] = {{"deleted key", "id", NULL}};
	json_t *json = json_pack("{ss sb}", "id", cli->argument, "deleted", 1);
	return output_object(as_json(cli), json, lines, 1) ? CLI_OK : CLI_FAILED;
}

#define LIMIT_OPTIONS \
	{"role", "ROLE", "user, operator (may also manage models) or monitor (may only look)", false, true}, \
		{"rpm", "N", "requests a minute, 0: unlimited", false, true}, \
		{"models", "GLOB,...", "models it may use, like llama3*,gemma3:27b; '' for all", false, \
		 true}, \
		{"networks", "CIDR,...", "where it may be used from, like 10.0.0.0/8; '' for everywhere", \
		 false, true}, \
		{"expires", "WHEN", "90d, 12h, 2026-12-31 (last day, UTC), 2026-12-31T18:00:00Z or never", \
		 false, false}, \
	{ \
		"priority", "N", "-2047 to 2047, lower is served first", false, true \
	}

#define PEPPER_OPTION \
	{ \
		"pepper", "FILE", "pepper file of tollgated; default: $TOLLGATE_PEPPER_FILE", false, false \
	}

static const struct cli_option create_options[] = {
	{"tenant", "T", "tenant the key belongs to; it must exist", true, true},
	{"name", "N", "what the key is for, shown in lists", true, true},
	LIMIT_OPTIONS,
	PEPPER_OPTION,
};

static const struct cli_option set_options[] = {
	{"name", "N", "what the key is for, shown in lists", false, true},
	LIMIT_OPTIONS,
};

static const struct cli_option list_options[] = {
	{"tenant", "T", "only keys of this tenant", false, false},
};

static const struct cli_option rotate_options[] = {
	{"overlap", "DURATION", "how long the old secret still works; 0: ends at once; default: 24h", false,
	 false},
	PEPPER_OPTION,
};

static const struct cli_option delete_options[] = {
	{"yes", NULL, "do not ask", false, false},
};

#define OPTIONS(table) .options = (table), .option_count = sizeof(table) / sizeof((table)[0])

const struct cli_command key_commands[] = {
	{.group = "key",
	 .verb = "create",
	 .run = key_create,
	 OPTIONS(create_options),
	 .summary = "Make a key and show it, for the only time",
	 .detail = "Without options it is a user's key with 100 requests a minute, for all models, from\n"
		   "everywhere, and never expires.\n"
		   "\nExample: tollgate key create --tenant acme --name ci --rpm 60 --models 'llama3*' "
		   "--expires 90d\n"},
	{.group = "key", .verb = "list", .run = key_list, OPTIONS(list_options), .summary = "List keys"},
	{.group = "key",
	 .verb = "show",
	 .argument = "ID",
	 .run = key_show,
	 .summary = "Show one key's record"},
	{.group = "key",
	 .verb = "set",
	 .argument = "ID",
	 .run = key_set,
	 OPTIONS(set_options),
	 .summary = "Change what a key may do",
	 .detail = "What is not named stays as it is. The change works at once.\n"},
	{.group = "key",
	 .verb = "rotate",
	 .argument = "ID",
	 .run = key_rotate,
	 OPTIONS(rotate_options),
	 .summary = "Give a key a new secret and show it, for the only time",
	 .detail = "Id, limits and usage stay. Two secrets are valid during the overlap; rotating again "
		   "within it\n"
		   "ends the older one at once.\n"},
	{.group = "key",
	 .verb = "suspend",
	 .argument = "ID",
	 .run = key_suspend,
	 .summary = "Refuse a key until it is resumed"},
	{.group = "key",
	 .verb = "resume",
	 .argument = "ID",
	 .run = key_resume,
	 .summary = "Let a suspended key in again"},
	{.group = "key",
	 .verb = "revoke",
	 .argument = "ID",
	 .run = key_revoke,
	 .summary = "Refuse a key for ever",
	 .detail = "This cannot be undone. The record stays, so that its id still has a name in lists.\n"},
	{.group = "key",
	 .verb = "delete",
	 .argument = "ID",
	 .run = key_delete,
	 OPTIONS(delete_options),
	 .summary = "Remove a key's record",
	 .detail = "The key is refused from then on, as with revoke, but nothing remembers whose it was.\n"},
};

const size_t key_command_count = sizeof(key_commands) / sizeof(key_commands[0]);
