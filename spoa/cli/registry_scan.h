/* Walking over all records without blocking Redis: SCAN, then batches of reads. */
#ifndef TOLLGATE_CLI_REGISTRY_SCAN_H
#define TOLLGATE_CLI_REGISTRY_SCAN_H

#include "cli/registry.h"

struct registry_ids {
	char (*ids)[RECORD_TENANT_MAX + 1];
	size_t count;
	size_t cap;
};

/* The ids of the keys of one tenant, readable records or not. *ret is freed by registry_ids_free(). */
enum cli_exit registry_scan_tenant(struct client *client, const char *tenant, struct registry_ids *ret);

void registry_ids_free(struct registry_ids *ids);

#endif
