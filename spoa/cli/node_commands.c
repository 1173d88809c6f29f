/* The commands that show nodes and take them out of service and back. */
#include "cli/node_commands.h"

#include "cli/fleet.h"
#include "cli/haproxy.h"
#include "cli/moment.h"
#include "cli/node_wait.h"
#include "cli/output.h"

static const struct output_column node_columns[] = {
	{"NAME", "name", NULL},         {"STATE", "status", NULL},           {"CHECK", "check", "-"},
	{"SESSIONS", "sessions", NULL}, {"MAXCONN", "maxconn", "unlimited"}, {"QUEUE", "queue", NULL},
	{"WEIGHT", "weight", NULL},     {"%", "weight_percent", NULL},       {"SINCE", "since", NULL},
	{"ADDRESS", "address", "-"},
};

static const struct output_column node_lines[] = {
	{"name", "name", NULL},
	{"state", "status", NULL},
	{"health check", "check", "-"},
	{"check says", "check_says", "-"},
	{"sessions", "sessions", NULL},
	{"most sessions", "maxconn", "unlimited"},
	{"queued for it", "queue", NULL},
	{"most queued", "maxqueue", "unlimited"},
	{"weight in force", "weight", NULL},
	{"per cent of its configured weight", "weight_percent", NULL},
	{"in this state since", "since", NULL},
	{"requests since HAProxy's start", "requests_total", NULL},
	{"milliseconds to an answer", "response_ms", "-"},
	{"address", "address", "-"},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static bool as_json(const struct cli *cli)
{
	return cli_value(cli, "json") != NULL;
}

/* JSON has the seconds, people read an age. */
static json_t *node_row(const struct node *node, bool json)
{
	char age[32];
	struct strbuf sb = strbuf_over(age, sizeof(age));
	json_t *row = node_json(node);

	moment_put_age(&sb, node->since);
	if (row != NULL && !json)
		(void)json_object_set_new(row, "since", json_string(age));
	return row;
}

static struct fleet *read_fleet(const struct cli *cli)
{
	char reason[512];
	struct strbuf err = strbuf_over(reason, sizeof(reason));
	struct fleet *fleet = fleet_read(haproxy_socket(cli), &err);

	if (fleet == NULL)
		cli_error("%s", reason);
	else if (fleet->count == 0)
		cli_note("HAProxy has no nodes: the backend " FLEET_NODES " is empty or missing");
	return fleet;
}

/* The name may be a credential in the wrong place: it is not repeated, the ones that exist are. */
static const struct node *find_node(const struct cli *cli, const struct fleet *fleet)
{
	char names[2048];
	struct strbuf sb = strbuf_over(names, sizeof(names));
	const struct node *node = fleet_find(fleet, cli->argument);

	if (node != NULL)
		return node;
	fleet_names(fleet, &sb);
	cli_error("there is no such node; the nodes are: %s", names);
	return NULL;
}

static enum cli_exit show_node(const struct cli *cli, const struct node *node)
{
	json_t *row = node_row(node, as_json(cli));

	return output_object(as_json(cli), row, node_lines, COUNT(node_lines)) ? CLI_OK : CLI_FAILED;
}

static enum cli_exit node_list(const struct cli *cli)
{
	struct fleet *fleet = read_fleet(cli);
	json_t *array = json_array();

	if (fleet == NULL) {
		json_decref(array);
		return CLI_FAILED;
	}
	for (size_t i = 0; i < fleet->count; i++)
		(void)json_array_append_new(array, node_row(&fleet->nodes[i], as_json(cli)));
	fleet_free(&fleet);
	return output_list(as_json(cli), array, node_columns, COUNT(node_columns)) ? CLI_OK : CLI_FAILED;
}

static enum cli_exit node_show(const struct cli *cli)
{
	struct fleet *fleet = read_fleet(cli);
	enum cli_exit result = CLI_FAILED;

	if (fleet != NULL) {
		const struct node *node = find_node(cli, fleet);
		result = node != NULL ? show_node(cli, node) : CLI_NOT_FOUND;
	}
	fleet_free(&fleet);
	return result;
}

/* The node must exist; with `leaves` it must not be the last one that takes requests. */
static enum cli_exit check_change(const struct cli *cli, bool leaves)
{
	struct fleet *fleet = read_fleet(cli);
	enum cli_exit result = CLI_FAILED;

	if (fleet != NULL) {
		const struct node *node = find_node(cli, fleet);
		result = node != NULL ? CLI_OK : CLI_NOT_FOUND;
		if (node != NULL && leaves && node_usable(node) && fleet_others(fleet, node) == 0 &&
		    cli_value(cli, "force") == NULL) {
			cli_error("%s is the last node that takes requests; make another one ready first, or "
				  "add --force",
				  node->name);
			result = CLI_CONFLICT;
		}
	}
	fleet_free(&fleet);
	return result;
}

static enum cli_exit set_node(const struct cli *cli, const char *what, const char *value)
{
	char command[256], reason[512];
	struct strbuf sb = strbuf_over(command, sizeof(command));
	struct strbuf err = strbuf_over(reason, sizeof(reason));

	strbuf_printf(&sb, "set server " FLEET_NODES "/%s %s %s", cli->argument, what, value);
	if (haproxy_do(haproxy_socket(cli), command, &err))
		return CLI_OK;
	cli_error("%s", reason);
	return CLI_FAILED;
}

/* --timeout in seconds. */
static bool take_timeout(const struct cli *cli, int64_t standard, int64_t *ret)
{
	const char *text = cli_value(cli, "timeout");

	*ret = standard;
	if (text == NULL || moment_duration(slice_of(text), ret))
		return true;
	cli_error("--timeout must be a duration like 90s, 30m or 2h");
	return false;
}

static enum cli_exit node_drain(const struct cli *cli)
{
	int64_t timeout;

	if (!take_timeout(cli, 30 * 60, &timeout))
		return CLI_USAGE;
	enum cli_exit result = check_change(cli, true);
	if (result == CLI_OK)
		result = set_node(cli, "state", "drain");
	if (result == CLI_OK && cli_value(cli, "no-wait") == NULL)
		result = node_wait_drained(haproxy_socket(cli), cli->argument, timeout);
	return result == CLI_OK ? node_show(cli) : result;
}

static enum cli_exit node_ready(const struct cli *cli)
{
	int64_t timeout;

	if (!take_timeout(cli, 60, &timeout))
		return CLI_USAGE;
	enum cli_exit result = check_change(cli, false);
	if (result == CLI_OK)
		result = set_node(cli, "state", "ready");
	if (result == CLI_OK && cli_value(cli, "no-wait") == NULL)
		result = node_wait_up(haproxy_socket(cli), cli->argument, timeout);
	return result == CLI_OK ? node_show(cli) : result;
}

static enum cli_exit node_maint(const struct cli *cli)
{
	enum cli_exit result = check_change(cli, true);

	if (result == CLI_OK)
		result = set_node(cli, "state", "maint");
	return result == CLI_OK ? node_show(cli) : result;
}

/* Weights are whole numbers, so half of 1 does not exist. HAProxy itself would make it 0, which takes the
 * node out without saying so. False when nothing within a tenth of what was asked can be set. */
static bool scale_weight(uint64_t initial, uint64_t percent, uint64_t *ret)
{
	uint64_t wanted = initial * percent;
	uint64_t weight = (wanted + 50) / 100;
	uint64_t error = weight * 100 > wanted ? weight * 100 - wanted : wanted - weight * 100;

	if (initial == 0 || weight > 256 || error * 10 > wanted)
		return false;
	*ret = weight;
	return true;
}

static enum cli_exit weight_of(const struct cli *cli, uint64_t percent, uint64_t *ret)
{
	struct fleet *fleet = read_fleet(cli);
	const struct node *node = fleet != NULL ? find_node(cli, fleet) : NULL;
	enum cli_exit result = fleet == NULL ? CLI_FAILED : node == NULL ? CLI_NOT_FOUND : CLI_OK;

	if (node != NULL) {
		uint64_t initial = node->initial_weight > 0 ? (uint64_t)node->initial_weight : 0;
		if (!scale_weight(initial, percent, ret)) {
			cli_error(
				"%llu %% of its configured weight, which is %llu, is no whole number from 0 "
				"to "
				"256; `weight 100` on the server line in HAProxy's configuration allows fine "
				"steps",
				(unsigned long long)percent, (unsigned long long)initial);
			result = CLI_CONFLICT;
		} else if (*ret * 100 != initial * percent) {
			cli_note("its configured weight is %llu: rounded to %llu %%",
				 (unsigned long long)initial, (unsigned long long)(*ret * 100 / initial));
		}
	}
	fleet_free(&fleet);
	return result;
}

static enum cli_exit node_weight(const struct cli *cli)
{
	struct slice text = slice_of(cli->second);
	uint64_t percent, weight = 0;
	char number[24];
	struct strbuf sb = strbuf_over(number, sizeof(number));

	if (text.n > 0 && text.p[text.n - 1] == '%')
		text.n--;
	if (!slice_to_u64(text, 25600, &percent)) {
		cli_error("PERCENT must be a whole number from 0 to 25600; 100 is the configured weight");
		return CLI_USAGE;
	}
	enum cli_exit result = check_change(cli, percent == 0);
	if (result == CLI_OK)
		result = weight_of(cli, percent, &weight);
	strbuf_u64(&sb, weight);
	if (result == CLI_OK)
		result = set_node(cli, "weight", number);
	return result == CLI_OK ? node_show(cli) : result;
}

#define FORCE_OPTION \
	{ \
		"force", NULL, "also when it is the last node that takes requests", false, false \
	}

static const struct cli_option show_options[] = {HAPROXY_OPTION};

static const struct cli_option drain_options[] = {
	HAPROXY_OPTION,
	FORCE_OPTION,
	{"no-wait", NULL, "do not wait until its requests have ended", false, false},
	{"timeout", "DURATION", "how long to wait; default: 30m", false, false},
};

static const struct cli_option ready_options[] = {
	HAPROXY_OPTION,
	{"no-wait", NULL, "do not wait until its health checks pass", false, false},
	{"timeout", "DURATION", "how long to wait; default: 1m", false, false},
};

static const struct cli_option force_options[] = {HAPROXY_OPTION, FORCE_OPTION};

#define OPTIONS(table) .options = (table), .option_count = COUNT(table), .without = CLI_WITHOUT_REDIS

const struct cli_command node_commands[] = {
	{.group = "node",
	 .verb = "list",
	 .run = node_list,
	 OPTIONS(show_options),
	 .summary = "List the nodes as HAProxy sees them"},
	{.group = "node",
	 .verb = "show",
	 .argument = "NAME",
	 .run = node_show,
	 OPTIONS(show_options),
	 .summary = "Show one node"},
	{.group = "node",
	 .verb = "drain",
	 .argument = "NAME",
	 .run = node_drain,
	 OPTIONS(drain_options),
	 .summary = "Give a node no new requests and wait until its last one has ended",
	 .detail =
		 "Running streams are not cut. When the wait ends early, by --timeout or Ctrl-C, the node "
		 "stays\n"
		 "draining. A restart or reload of HAProxy makes every node ready again.\n"
		 "\nExample: tollgate node drain node2 && ssh node2 systemctl restart ollama; tollgate node "
		 "ready node2\n"},
	{.group = "node",
	 .verb = "ready",
	 .argument = "NAME",
	 .run = node_ready,
	 OPTIONS(ready_options),
	 .summary = "Put a node back into service and wait until it is up"},
	{.group = "node",
	 .verb = "maint",
	 .argument = "NAME",
	 .run = node_maint,
	 OPTIONS(force_options),
	 .summary = "Switch a node off: no requests, no health checks",
	 .detail = "Running streams are not cut; `node drain` first waits for them.\n"},
	{.group = "node",
	 .verb = "weight",
	 .argument = "NAME",
	 .second = "PERCENT",
	 .run = node_weight,
	 OPTIONS(force_options),
	 .summary = "Set a node's share of the requests, in per cent of its configured weight",
	 .detail = "0 gives it no new requests, 100 is what the configuration says. It lasts until HAProxy "
		   "is\nreloaded.\n"},
};

const size_t node_command_count = COUNT(node_commands);
