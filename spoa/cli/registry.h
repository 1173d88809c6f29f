/* Reading and changing the records in Redis. Changes are optimistic transactions (WATCH … EXEC), so
 * that two operators never overwrite each other. Every function that does not return CLI_OK has
 * printed why. */
#ifndef TOLLGATE_CLI_REGISTRY_H
#define TOLLGATE_CLI_REGISTRY_H

#include "auth/record.h"
#include "cli/client.h"

/* Keys with struct key_record, tenants with struct tenant_record; `void *rec` below is one of them. */
struct registry_kind;
extern const struct registry_kind registry_keys;
extern const struct registry_kind registry_tenants;

/* Also says what a mistyped id should look like; the id is not repeated, it may be a whole key. */
bool registry_id_valid(const struct registry_kind *kind, const char *id);

enum cli_exit registry_read(struct client *client, const struct registry_kind *kind, const char *id,
			    void *ret);

/* CLI_CONFLICT when the id is taken; a key's tenant must exist. */
enum cli_exit registry_add_key(struct client *client, const struct key_record *rec);
enum cli_exit registry_add_tenant(struct client *client, const struct tenant_record *rec);

/* Changes the record it is shown, or refuses with a message and an exit status. May run again on what
 * somebody else wrote meanwhile. */
typedef enum cli_exit registry_change_fn(void *rec, void *ctx);

/* Reads, changes and writes as one step. With `once` a record that somebody else changed meanwhile is a
 * conflict; otherwise the change is made again on top. *rec is the record as written. */
enum cli_exit registry_update(struct client *client, const struct registry_kind *kind, const char *id,
			      bool once, registry_change_fn *change, void *ctx, void *rec);

enum cli_exit registry_remove_key(struct client *client, const char *id);

/* With `force` its keys are removed first; without, a tenant that has keys stays (CLI_CONFLICT). */
enum cli_exit registry_remove_tenant(struct client *client, const char *id, bool force, size_t *ret_keys);

/* Shows every record in the order of ids; false ends the walk as failed. A record that cannot be read is
 * reported on stderr and makes the result CLI_FAILED, but does not end the walk. */
typedef bool registry_each_fn(void *ctx, const void *rec);
enum cli_exit registry_each(struct client *client, const struct registry_kind *kind, registry_each_fn *fn,
			    void *ctx);

#endif
