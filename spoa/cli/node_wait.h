/* Waiting for a node with progress on stderr. */
#ifndef TOLLGATE_CLI_NODE_WAIT_H
#define TOLLGATE_CLI_NODE_WAIT_H

#include "cli/command.h"

/* Until nothing runs or waits at a draining node. CLI_CONFLICT when it is no longer draining. Whatever
 * else ends the wait, it stays draining and the message says so. */
enum cli_exit node_wait_drained(const char *socket, const char *name, int64_t timeout_s);

/* Until the node is up and its checks pass. */
enum cli_exit node_wait_up(const char *socket, const char *name, int64_t timeout_s);

#endif
