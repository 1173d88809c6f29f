/* From HAProxy's tables to nodes. */
#include "cli/fleet.h"

#include <stdlib.h>

#include "cli/haproxy.h"
#include "cli/stat_csv.h"

/* Bits of srv_admin_state (management guide, `show servers state`). */
enum { ADMIN_MAINT = 0x01 | 0x02 | 0x04 | 0x20 | 0x40, ADMIN_DRAIN = 0x08 | 0x10 };

const char *node_state_name(enum node_state state)
{
	static const char *const names[] = {
		[NODE_UP] = "up", [NODE_DRAIN] = "drain", [NODE_MAINT] = "maint", [NODE_DOWN] = "down"};

	return names[state];
}

bool node_usable(const struct node *node)
{
	return node->state == NODE_UP && node->weight != 0;
}

int64_t node_percent(const struct node *node)
{
	return node->initial_weight > 0 && node->wanted_weight >= 0
		       ? node->wanted_weight * 100 / node->initial_weight
		       : -1;
}

static bool starts(const char *text, const char *prefix)
{
	return slice_starts(slice_of(text), slice_of(prefix));
}

static enum node_state state_of(const char *status)
{
	if (starts(status, "UP") || starts(status, "no check"))
		return NODE_UP;
	if (starts(status, "DRAIN") || starts(status, "NOLB"))
		return NODE_DRAIN;
	return starts(status, "MAINT") ? NODE_MAINT : NODE_DOWN;
}

static void fill(const struct stat_table *t, struct node *node)
{
	char check[sizeof(node->check)];

	memset(node, 0, sizeof(*node));
	stat_text(t, "svname", node->name, sizeof(node->name));
	stat_text(t, "status", node->status, sizeof(node->status));
	/* "* L7OK" while the next check is running */
	stat_text(t, "check_status", check, sizeof(check));
	const char *word = starts(check, "* ") ? check + 2 : check;
	memcpy(node->check, word, strlen(word) + 1);
	stat_text(t, "last_chk", node->reason, sizeof(node->reason));
	if (node->reason[0] == '\0')
		stat_text(t, "check_desc", node->reason, sizeof(node->reason));
	node->state = state_of(node->status);
	node->settled = strchr(node->status, '/') == NULL || node->state == NODE_MAINT;
	node->drained = node->state == NODE_DRAIN;
	node->sessions = stat_number(t, "scur");
	node->queue = stat_number(t, "qcur");
	node->maxconn = stat_number(t, "slim");
	node->queue_max = stat_number(t, "qlimit");
	node->total = stat_number(t, "stot");
	node->weight = stat_number(t, "weight");
	node->wanted_weight = stat_number(t, "uweight");
	node->initial_weight = -1;
	node->since = stat_number(t, "lastchg");
	node->check_ms = stat_number(t, "check_duration");
	node->queue_ms = stat_number(t, "qtime");
	node->response_ms = stat_number(t, "rtime");
	node->total_ms = stat_number(t, "ttime");
	node->port = -1;
}

/* The rows of a proxy itself; they carry what belongs to no node. */
static void take_proxy(const struct stat_table *t, struct fleet *fleet)
{
	if (stat_is(t, "pxname", FLEET_GATE) && stat_is(t, "svname", "FRONTEND")) {
		fleet->clients = stat_number(t, "scur");
		fleet->requests = stat_number(t, "req_tot");
	}
	if (stat_is(t, "pxname", FLEET_NODES) && stat_is(t, "svname", "BACKEND"))
		fleet->queue = stat_number(t, "qcur");
}

static const char *take_stat(struct slice text, struct fleet *fleet)
{
	struct stat_table t;
	enum stat_status status = stat_csv_open(text, &t);

	while (status == STAT_OK && (status = stat_next(&t)) == STAT_OK) {
		bool node = stat_is(&t, "pxname", FLEET_NODES), agent = stat_is(&t, "pxname", FLEET_AGENTS);
		if (!stat_is(&t, "type", "2")) { /* 2: a server */
			take_proxy(&t, fleet);
		} else if (node) {
			if (fleet->count == FLEET_NODES_MAX)
				return "there are more than 512 nodes";
			fill(&t, &fleet->nodes[fleet->count++]);
		} else if (agent) {
			if (fleet->agent_count == FLEET_AGENTS_MAX)
				return "there are more than 32 agents";
			fill(&t, &fleet->agents[fleet->agent_count++]);
		}
	}
	return status == STAT_END ? NULL : "HAProxy's answer to `show stat` is not understood";
}

static struct node *find(struct fleet *fleet, const char *name)
{
	for (size_t i = 0; i < fleet->count; i++)
		if (strcmp(fleet->nodes[i].name, name) == 0)
			return &fleet->nodes[i];
	return NULL;
}

static const char *take_servers(struct slice text, struct fleet *fleet)
{
	struct stat_table t;
	char name[FLEET_NAME_MAX];
	enum stat_status status = stat_servers_open(text, &t);

	while (status == STAT_OK && (status = stat_next(&t)) == STAT_OK) {
		stat_text(&t, "srv_name", name, sizeof(name));
		struct node *node = stat_is(&t, "be_name", FLEET_NODES) ? find(fleet, name) : NULL;
		if (node == NULL)
			continue;
		int64_t admin = stat_number(&t, "srv_admin_state");
		node->drained = admin > 0 && (admin & ADMIN_DRAIN) != 0 && (admin & ADMIN_MAINT) == 0;
		node->initial_weight = stat_number(&t, "srv_iweight");
		node->wanted_weight = stat_number(&t, "srv_uweight");
		node->port = stat_number(&t, "srv_port");
		stat_text(&t, "srv_addr", node->host, sizeof(node->host));
		if (strcmp(node->host, "-") == 0)
			node->host[0] = '\0';
	}
	return status == STAT_END ? NULL : "HAProxy's answer to `show servers state` is not understood";
}

const char *fleet_parse(struct slice stat, struct slice servers, struct fleet *ret)
{
	ret->count = ret->agent_count = 0;
	ret->clients = ret->queue = ret->requests = -1;
	const char *wrong = take_stat(stat, ret);
	return wrong != NULL ? wrong : take_servers(servers, ret);
}

struct fleet *fleet_read(const char *socket, struct strbuf *err)
{
	struct haproxy_answer stat = {NULL, 0}, servers = {NULL, 0};
	struct fleet *fleet = malloc(sizeof(*fleet));
	bool ok = false;

	if (fleet == NULL) {
		strbuf_puts(err, "out of memory");
	} else if (haproxy_ask(socket, "show stat", &stat, err) &&
		   haproxy_ask(socket, "show servers state " FLEET_NODES, &servers, err)) {
		const char *wrong = fleet_parse((struct slice){stat.p, stat.n},
						(struct slice){servers.p, servers.n}, fleet);
		ok = wrong == NULL;
		strbuf_puts(err, ok ? "" : wrong);
	}
	haproxy_answer_free(&stat);
	haproxy_answer_free(&servers);
	if (!ok)
		fleet_free(&fleet);
	return fleet;
}

void fleet_free(struct fleet **fleet)
{
	free(*fleet);
	*fleet = NULL;
}

const struct node *fleet_find(const struct fleet *fleet, const char *name)
{
	for (size_t i = 0; i < fleet->count; i++)
		if (strcmp(fleet->nodes[i].name, name) == 0)
			return &fleet->nodes[i];
	return NULL;
}

size_t fleet_others(const struct fleet *fleet, const struct node *but)
{
	size_t count = 0;

	for (size_t i = 0; i < fleet->count; i++)
		count += node_usable(&fleet->nodes[i]) && strcmp(fleet->nodes[i].name, but->name) != 0;
	return count;
}

void fleet_names(const struct fleet *fleet, struct strbuf *sb)
{
	for (size_t i = 0; i < fleet->count; i++) {
		strbuf_puts(sb, i > 0 ? ", " : "");
		strbuf_puts(sb, fleet->nodes[i].name);
	}
}

static json_t *number_or_null(int64_t v)
{
	return v >= 0 ? json_integer(v) : json_null();
}

json_t *node_json(const struct node *n)
{
	char address[160];
	struct strbuf sb = strbuf_over(address, sizeof(address));

	if (n->host[0] != '\0')
		strbuf_printf(&sb, strchr(n->host, ':') != NULL ? "[%s]:%lld" : "%s:%lld", n->host,
			      (long long)n->port);
	return json_pack("{ss ss ss ss ss so so so so so so so so so so so}", "name", n->name, "state",
			 node_state_name(n->state), "status", n->status, "check", n->check, "check_says",
			 n->reason, "sessions", number_or_null(n->sessions), "maxconn",
			 number_or_null(n->maxconn), "queue", number_or_null(n->queue), "maxqueue",
			 number_or_null(n->queue_max), "weight", number_or_null(n->weight), "weight_percent",
			 number_or_null(node_percent(n)), "since_seconds", number_or_null(n->since),
			 "requests_total", number_or_null(n->total), "response_ms",
			 number_or_null(n->response_ms), "drained", json_boolean(n->drained), "address",
			 json_string(address));
}
