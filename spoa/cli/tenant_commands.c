/* The commands that make, show and change tenants. */
#include "cli/tenant_commands.h"

#include <time.h>

#include "cli/output.h"
#include "cli/registry.h"

static const struct output_column tenant_columns[] = {
	{"ID", "id", NULL},          {"NAME", "name", "-"},       {"STATE", "state", NULL},
	{"CREATED", "created", "-"}, {"RPM", "rpm", "unlimited"},
};

static const struct output_column tenant_lines[] = {
	{"id", "id", NULL},
	{"name", "name", "-"},
	{"state", "state", NULL},
	{"created", "created", "-"},
	{"requests a minute", "rpm", "unlimited"},
};

enum { COLUMNS = sizeof(tenant_columns) / sizeof(tenant_columns[0]) };

static bool as_json(const struct cli *cli)
{
	return cli_value(cli, "json") != NULL;
}

static enum cli_exit show_tenant(const struct cli *cli, const struct tenant_record *rec)
{
	return output_object(as_json(cli), output_tenant(rec), tenant_lines, COLUMNS) ? CLI_OK : CLI_FAILED;
}

static bool apply_options(const struct cli *cli, struct tenant_record *rec)
{
	const struct cli_option *option;
	char reason[256];
	struct strbuf err = strbuf_over(reason, sizeof(reason));

	for (size_t i = 0; (option = cli_option_at(cli->command, i)) != NULL; i++) {
		if (!option->field || cli->values[i] == NULL)
			continue;
		if (!record_tenant_set(rec, option->name, slice_of(cli->values[i]), &err)) {
			cli_error("--%s", reason);
			return false;
		}
	}
	return true;
}

static enum cli_exit tenant_create(const struct cli *cli)
{
	struct tenant_record rec = {.created = (int64_t)time(NULL)};
	enum cli_exit result = CLI_USAGE;

	if (!registry_id_valid(&registry_tenants, cli->argument) || !apply_options(cli, &rec) ||
	    !slice_copy(slice_of(cli->argument), rec.id, sizeof(rec.id)))
		return CLI_USAGE;
	struct client *client = client_open(cli, &result);
	if (client != NULL)
		result = registry_add_tenant(client, &rec);
	client_close(&client);
	return result == CLI_OK ? show_tenant(cli, &rec) : result;
}

static bool add_to_list(void *ctx, const void *rec)
{
	json_t *array = ctx;

	if (json_array_append_new(array, output_tenant(rec)) == 0)
		return true;
	cli_error("out of memory");
	return false;
}

static enum cli_exit tenant_list(const struct cli *cli)
{
	enum cli_exit result = CLI_FAILED;
	struct client *client = client_open(cli, &result);

	if (client == NULL)
		return result;
	json_t *array = json_array();
	result = registry_each(client, &registry_tenants, add_to_list, array);
	client_close(&client);
	if (!output_list(as_json(cli), array, tenant_columns, COLUMNS))
		result = CLI_FAILED;
	return result;
}

static enum cli_exit tenant_show(const struct cli *cli)
{
	struct tenant_record rec;
	enum cli_exit result = CLI_USAGE;

	if (!registry_id_valid(&registry_tenants, cli->argument))
		return CLI_USAGE;
	struct client *client = client_open(cli, &result);
	if (client != NULL)
		result = registry_read(client, &registry_tenants, cli->argument, &rec);
	client_close(&client);
	return result == CLI_OK ? show_tenant(cli, &rec) : result;
}

static enum cli_exit change_tenant(const struct cli *cli, registry_change_fn *change, void *ctx)
{
	struct tenant_record rec;
	enum cli_exit result = CLI_USAGE;

	if (!registry_id_valid(&registry_tenants, cli->argument))
		return CLI_USAGE;
	struct client *client = client_open(cli, &result);
	if (client != NULL)
		result = registry_update(client, &registry_tenants, cli->argument, false, change, ctx, &rec);
	client_close(&client);
	return result == CLI_OK ? show_tenant(cli, &rec) : result;
}

static enum cli_exit apply_set(void *rec, void *ctx)
{
	const struct cli *cli = ctx;

	return apply_options(cli, rec) ? CLI_OK : CLI_USAGE;
}

static enum cli_exit tenant_set(const struct cli *cli)
{
	struct tenant_record rec = {.id = ""};
	struct cli copy = *cli;

	if (cli_value(cli, "name") == NULL && cli_value(cli, "rpm") == NULL) {
		cli_error("nothing to set: give at least one option");
		return CLI_USAGE;
	}
	/* Mistakes are told without asking Redis first. */
	if (!apply_options(cli, &rec))
		return CLI_USAGE;
	return change_tenant(cli, apply_set, &copy);
}

static enum cli_exit apply_state(void *rec, void *ctx)
{
	const enum record_state *wanted = ctx;
	struct tenant_record *tenant = rec;

	tenant->state = *wanted;
	return CLI_OK;
}

static enum cli_exit tenant_suspend(const struct cli *cli)
{
	enum record_state state = RECORD_SUSPENDED;

	return change_tenant(cli, apply_state, &state);
}

static enum cli_exit tenant_resume(const struct cli *cli)
{
	enum record_state state = RECORD_ACTIVE;

	return change_tenant(cli, apply_state, &state);
}

static enum cli_exit tenant_delete(const struct cli *cli)
{
	static const struct output_column lines[] = {{"deleted tenant", "id", NULL},
						     {"deleted keys", "deleted_keys", NULL}};
	enum cli_exit result = CLI_USAGE;
	size_t keys = 0;

	if (!registry_id_valid(&registry_tenants, cli->argument))
		return CLI_USAGE;
	struct client *client = client_open(cli, &result);
	if (client != NULL)
		result =
			registry_remove_tenant(client, cli->argument, cli_value(cli, "force") != NULL, &keys);
	client_close(&client);
	if (result != CLI_OK)
		return result;
	json_t *json =
		json_pack("{ss sb sI}", "id", cli->argument, "deleted", 1, "deleted_keys", (json_int_t)keys);
	return output_object(as_json(cli), json, lines, 2) ? CLI_OK : CLI_FAILED;
}

static const struct cli_option field_options[] = {
	{"name", "N", "a name for people", false, true},
	{"rpm", "N", "requests a minute of all its keys together, 0: unlimited (default)", false, true},
};

static const struct cli_option delete_options[] = {
	{"force", NULL, "delete its keys too", false, false},
};

#define OPTIONS(table) .options = (table), .option_count = sizeof(table) / sizeof((table)[0])

const struct cli_command tenant_commands[] = {
	{.group = "tenant",
	 .verb = "create",
	 .argument = "ID",
	 .run = tenant_create,
	 OPTIONS(field_options),
	 .summary = "Make a tenant",
	 .detail = "Every key belongs to a tenant, whose limit its keys share.\n"
		   "\nExample: tollgate tenant create acme --name 'ACME Inc.' --rpm 600\n"},
	{.group = "tenant", .verb = "list", .run = tenant_list, .summary = "List tenants"},
	{.group = "tenant",
	 .verb = "show",
	 .argument = "ID",
	 .run = tenant_show,
	 .summary = "Show one tenant"},
	{.group = "tenant",
	 .verb = "set",
	 .argument = "ID",
	 .run = tenant_set,
	 OPTIONS(field_options),
	 .summary = "Change a tenant",
	 .detail = "What is not named stays as it is. The change works at once.\n"},
	{.group = "tenant",
	 .verb = "suspend",
	 .argument = "ID",
	 .run = tenant_suspend,
	 .summary = "Refuse all keys of a tenant until it is resumed"},
	{.group = "tenant",
	 .verb = "resume",
	 .argument = "ID",
	 .run = tenant_resume,
	 .summary = "Let a suspended tenant in again"},
	{.group = "tenant",
	 .verb = "delete",
	 .argument = "ID",
	 .run = tenant_delete,
	 OPTIONS(delete_options),
	 .summary = "Remove a tenant",
	 .detail = "A tenant that still has keys is kept unless --force is given; its keys go first then.\n"},
};

const size_t tenant_command_count = sizeof(tenant_commands) / sizeof(tenant_commands[0]);
