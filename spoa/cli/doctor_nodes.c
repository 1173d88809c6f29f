/* Checks of the nodes: that all run one version and hold the same models under the same names. */
#include "cli/doctor.h"
#include "cli/fetch.h"
#include "cli/fleet.h"
#include "cli/haproxy.h"

enum {
	TIMEOUT_MS = 3000,
	TEXT_MAX = 400,
	MODELS_MAX = 4096, /* of one node; more are not compared */
};

/* What nodes say: {"node": "0.5.1"} and {"model": {"node": "digest"}}. */
struct inventory {
	json_t *versions;
	json_t *models;
	size_t asked; /* nodes that told their models */
};

static json_t *ask(const struct node *node, const char *path, struct strbuf *err)
{
	char url[256];
	struct strbuf sb = strbuf_over(url, sizeof(url));
	struct fetched body;

	strbuf_printf(&sb, strchr(node->host, ':') != NULL ? "http://[%s]:%lld%s" : "http://%s:%lld%s",
		      node->host, (long long)node->port, path);
	if (!fetch_get(url, TIMEOUT_MS, &body, err))
		return NULL;
	json_t *json = json_loadb(body.p, body.n, 0, NULL);
	fetched_free(&body);
	if (json == NULL)
		strbuf_puts(err, "the answer is not JSON");
	return json;
}

static void add_model(struct inventory *inventory, const struct node *node, const json_t *model)
{
	const char *name = json_string_value(json_object_get(model, "name"));
	const char *digest = json_string_value(json_object_get(model, "digest"));

	if (name == NULL || digest == NULL)
		return;
	json_t *holders = json_object_get(inventory->models, name);
	if (holders == NULL) {
		holders = json_object();
		(void)json_object_set_new(inventory->models, name, holders);
	}
	(void)json_object_set_new(holders, node->name, json_string(digest));
}

static bool ask_node(struct inventory *inventory, const struct node *node, struct strbuf *err)
{
	json_t *version = ask(node, "/api/version", err);
	json_t *tags = version != NULL ? ask(node, "/api/tags", err) : NULL;
	json_t *models = json_object_get(tags, "models");
	const char *text = json_string_value(json_object_get(version, "version"));

	if (text != NULL)
		(void)json_object_set_new(inventory->versions, node->name, json_string(text));
	for (size_t i = 0; i < json_array_size(models) && i < MODELS_MAX; i++)
		add_model(inventory, node, json_array_get(models, i));
	bool ok = tags != NULL && text != NULL && json_is_array(models);
	if (tags != NULL && !ok)
		strbuf_puts(err, "the answers are not those of Ollama");
	json_decref(version);
	json_decref(tags);
	return ok;
}

static void check_node(struct doctor *doctor, struct inventory *inventory, const struct node *node)
{
	char reason[256];
	struct strbuf err = strbuf_over(reason, sizeof(reason));

	if (node->state == NODE_MAINT) {
		doctor_say(doctor, FINDING_SKIP, "nodes", "`tollgate node ready` puts it back",
			   "%s is switched off", node->name);
	} else if (node->host[0] == '\0' || node->port <= 0) {
		doctor_say(doctor, FINDING_SKIP, "nodes", NULL, "%s has no IP address", node->name);
	} else if (!ask_node(inventory, node, &err)) {
		doctor_say(doctor, node->state == NODE_UP ? FINDING_FAIL : FINDING_WARN, "nodes",
			   "is Ollama running there, and does it listen for this host (OLLAMA_HOST)?",
			   "%s (%s): %s", node->name, node->status, reason);
	} else {
		inventory->asked++;
		if (node->state == NODE_DOWN)
			doctor_say(doctor, FINDING_WARN, "nodes",
				   "see what HAProxy's check says: `tollgate node show`",
				   "%s answers, but HAProxy calls it %s", node->name, node->status);
	}
}

/* "a (node1, node2), b (node3)": the nodes by what they say. */
static void put_groups(struct strbuf *sb, json_t *said, size_t value_max)
{
	const char *node, *other;
	json_t *value, *same;
	json_t *groups = json_object();

	json_object_foreach(said, node, value)
	{
		const char *text = json_string_value(value);
		same = json_object_get(groups, text);
		if (same == NULL) {
			same = json_array();
			(void)json_object_set_new(groups, text, same);
		}
		(void)json_array_append_new(same, json_string(node));
	}
	json_object_foreach(groups, other, same)
	{
		strbuf_printf(sb, "%s%.*s (", sb->len > 0 ? ", " : "", (int)value_max, other);
		for (size_t i = 0; i < json_array_size(same); i++)
			strbuf_printf(sb, "%s%s", i > 0 ? ", " : "",
				      json_string_value(json_array_get(same, i)));
		strbuf_puts(sb, ")");
	}
	json_decref(groups);
}

static bool all_same(json_t *said)
{
	const char *node;
	json_t *value;
	const json_t *first = NULL;

	json_object_foreach(said, node, value)
	{
		if (first != NULL && !json_equal(first, value))
			return false;
		first = value;
	}
	return true;
}

static void check_versions(struct doctor *doctor, const struct inventory *inventory)
{
	char text[TEXT_MAX];
	struct strbuf sb = strbuf_over(text, sizeof(text));

	if (json_object_size(inventory->versions) == 0)
		return;
	put_groups(&sb, inventory->versions, 40);
	if (all_same(inventory->versions))
		doctor_say(doctor, FINDING_OK, "nodes", NULL, "one version of Ollama: %s", text);
	else
		doctor_say(doctor, FINDING_WARN, "nodes",
			   "bring all nodes to one version, one after the other: "
			   "`tollgate node drain`, upgrade, `tollgate node ready`",
			   "versions of Ollama differ: %s", text);
}

/* A model that differs or is not everywhere. True when something was said. */
static bool check_model(struct doctor *doctor, const struct inventory *inventory, const char *name,
			json_t *holders)
{
	char text[TEXT_MAX];
	struct strbuf sb = strbuf_over(text, sizeof(text));

	put_groups(&sb, holders, 12);
	if (!all_same(holders))
		doctor_say(doctor, FINDING_WARN, "models",
			   "pull it again on the nodes that have the older one",
			   "%s is not the same everywhere: %s", name, text);
	else if (json_object_size(holders) < inventory->asked)
		doctor_say(doctor, FINDING_WARN, "models",
			   "pull it on the others too; requests that meet a node without it get 404",
			   "%s is on %zu of %zu nodes only: %s", name, json_object_size(holders),
			   inventory->asked, text);
	else
		return false;
	return true;
}

static void check_models(struct doctor *doctor, const struct inventory *inventory)
{
	const char *name;
	json_t *holders;
	bool said = false;

	json_object_foreach(inventory->models, name, holders) said =
		check_model(doctor, inventory, name, holders) || said;
	if (!said && inventory->asked > 0)
		doctor_say(doctor, FINDING_OK, "models", NULL, "%zu models, the same on %zu nodes",
			   json_object_size(inventory->models), inventory->asked);
}

void doctor_check_nodes(struct doctor *doctor)
{
	char reason[512];
	struct strbuf err = strbuf_over(reason, sizeof(reason));
	struct fleet *fleet = fleet_read(haproxy_socket(doctor->cli), &err);
	struct inventory inventory = {json_object(), json_object(), 0};

	if (fleet == NULL)
		doctor_say(doctor, FINDING_SKIP, "nodes", NULL, "HAProxy, which knows them, cannot be asked");
	else if (fleet->count == 0)
		doctor_say(doctor, FINDING_FAIL, "nodes",
			   "add `server` lines to nodes.cfg and reload HAProxy", "there are no nodes");
	for (size_t i = 0; fleet != NULL && i < fleet->count; i++)
		check_node(doctor, &inventory, &fleet->nodes[i]);
	check_versions(doctor, &inventory);
	check_models(doctor, &inventory);
	json_decref(inventory.versions);
	json_decref(inventory.models);
	fleet_free(&fleet);
}
