/* What the registry's two halves share: what differs between keys and tenants. */
#ifndef TOLLGATE_CLI_REGISTRY_KIND_H
#define TOLLGATE_CLI_REGISTRY_KIND_H

#include "cli/registry.h"

struct registry_kind {
	const char *noun;
	const char *prefix;
	size_t field_count;
	bool (*id_valid)(struct slice id);
	bool (*parse)(struct slice id, const struct record_field *fields, size_t count, void *ret,
		      struct strbuf *err);
	void (*emit)(const void *rec, struct record_field *fields, struct strbuf *text);
};

struct registry_name {
	char text[sizeof(RECORD_TENANT_PREFIX) + RECORD_TENANT_MAX];
};

/* The Redis key of a record; the slice points into *ret. */
struct slice registry_name(const struct registry_kind *kind, struct slice id, struct registry_name *ret);

/* A reply to HGETALL as a record; an unusable one is reported. */
enum cli_exit registry_parse(const struct registry_kind *kind, struct slice id, const redisReply *hash,
			     void *ret);

#endif
