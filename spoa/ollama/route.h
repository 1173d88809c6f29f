/* Every route of every Ollama version in use, and who may take it. What is not in the table is denied:
 * Ollama matches the decoded path and redirects unclean ones, so nothing but an exact match is safe. */
#ifndef TOLLGATE_OLLAMA_ROUTE_H
#define TOLLGATE_OLLAMA_ROUTE_H

#include <stdio.h>

#include "base/slice.h"
#include "ollama/dialect.h"

enum route_class {
	ROUTE_PUBLIC,    /* liveness and version, no key needed */
	ROUTE_INFERENCE, /* costs GPU time */
	ROUTE_METADATA,  /* listings and descriptions */
	ROUTE_MANAGE,    /* changes a node's models: operators only */
	ROUTE_DENIED,    /* nobody: exfiltration, the node's own account, multipart bodies */
};

/* Bits of route.methods. */
enum route_method {
	ROUTE_GET = 1,
	ROUTE_HEAD = 2,
	ROUTE_POST = 4,
	ROUTE_DELETE = 8,
};

enum route_body {
	ROUTE_BODY_NONE, /* a body must be refused */
	ROUTE_BODY_JSON, /* one JSON object must be there */
	ROUTE_BODY_RAW,  /* gigabytes of anything: never awaited; such routes are all denied */
};

/* The top-level fields that can name a model, in the order of scan_result.name[]. */
enum name_field {
	NAME_MODEL,
	NAME_NAME, /* legacy spelling of `model` */
	NAME_FROM,
	NAME_SOURCE,
	NAME_DESTINATION,
	NAME_FIELDS, /* their number */
};

struct route {
	const char *name; /* template for logs and metrics: a closed set; two methods may share one */
	const char *path; /* exact, or everything that starts with it when `prefix` */
	bool prefix;
	uint8_t methods;
	uint8_t names; /* bits 1 << enum name_field: which fields of the body name models here */
	enum dialect dialect;
	enum route_class class;
	enum route_body body;
};

enum route_status {
	ROUTE_OK,
	ROUTE_UNKNOWN, /* 404 */
	ROUTE_METHOD,  /* 405: the path exists, not with this method */
};

/* Longest model name a path can carry, decoded. */
#define ROUTE_MODEL_MAX 256

struct route_match {
	const struct route *route; /* also set for ROUTE_METHOD, NULL for ROUTE_UNKNOWN */
	char model[ROUTE_MODEL_MAX];
	size_t model_len; /* of the name in /v1/models/<name>, percent-decoded; 0 when there is none */
};

/* `path` is raw, without a query. In /v1/models/<name> escapes are decoded once and must give
 * characters a model name can have; anything else is ROUTE_UNKNOWN. */
enum route_status route_find(struct slice method, struct slice path, struct route_match *ret);

/* The dialect to answer this route in: that of /v1/models follows the anthropic-version header. */
enum dialect route_dialect(const struct route *r, bool anthropic_version);

const struct route *route_table(size_t *ret_count);

/* The map by which the proxy in front turns away paths that no route has, sorted, one line a path:
 * `path method[,method] none|body|closed`, a prefix written with a `*` at its end. */
void route_print_map(FILE *out);

#endif
