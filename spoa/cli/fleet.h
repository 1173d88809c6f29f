/* The nodes as HAProxy sees them: `show stat` and `show servers state` put together. */
#ifndef TOLLGATE_CLI_FLEET_H
#define TOLLGATE_CLI_FLEET_H

#include <jansson.h>

#include "base/strbuf.h"

enum {
	FLEET_NODES_MAX = 512,
	FLEET_AGENTS_MAX = 32,
	FLEET_NAME_MAX = 128,
};

/* The backends' names in haproxy.cfg. */
#define FLEET_NODES "be_ollama"
#define FLEET_AGENTS "be_tollgated"
#define FLEET_GATE "fe_api"

enum node_state {
	NODE_UP,
	NODE_DRAIN, /* finishes what it has and takes nothing new */
	NODE_MAINT, /* switched off, not checked */
	NODE_DOWN,
};

/* Numbers are -1 where HAProxy says nothing; times are milliseconds but `since`. */
struct node {
	char name[FLEET_NAME_MAX];
	char status[48];  /* as HAProxy words it: "UP 1/3", "MAINT (via be/x)" */
	char check[32];   /* of the last health check: "L7OK", "L4CON"; "" without checks */
	char reason[160]; /* what the check said in words */
	char host[128];   /* "" when it is no IP address */
	int64_t port;
	enum node_state state;
	bool settled; /* neither rising nor falling */
	bool drained; /* set to drain by an operator, also while down */
	int64_t sessions, queue, maxconn, queue_max, total;
	int64_t weight;                                    /* in force, lower during a slow start */
	int64_t wanted_weight;                             /* as last set */
	int64_t initial_weight;                            /* of the configuration */
	int64_t since;                                     /* seconds since the last change of state */
	int64_t check_ms, queue_ms, response_ms, total_ms; /* the last three: averages of 1024 requests */
};

struct fleet {
	struct node nodes[FLEET_NODES_MAX];
	size_t count;
	struct node agents[FLEET_AGENTS_MAX];
	size_t agent_count;
	int64_t clients;  /* connections at the gate */
	int64_t queue;    /* requests that wait for any node */
	int64_t requests; /* at the gate since HAProxy's start */
};

const char *node_state_name(enum node_state state);

/* Takes new requests: up and with a weight. */
bool node_usable(const struct node *node);

/* Per cent of the configured weight. */
int64_t node_percent(const struct node *node);

/* Reads both answers. NULL, or what is wrong with them as a constant text. */
const char *fleet_parse(struct slice stat, struct slice servers, struct fleet *ret)
	__attribute__((warn_unused_result));

/* Asks HAProxy. A new fleet, or NULL with a sentence in *err. */
struct fleet *fleet_read(const char *socket, struct strbuf *err);
void fleet_free(struct fleet **fleet);

const struct node *fleet_find(const struct fleet *fleet, const char *name);

/* How many nodes but this one take new requests. */
size_t fleet_others(const struct fleet *fleet, const struct node *but);

/* "node1, node2" */
void fleet_names(const struct fleet *fleet, struct strbuf *sb);

/* An object with all there is to say; NULL when memory is short. */
json_t *node_json(const struct node *node);

#endif
