/* tollgated put together: every part made in order, wired, and taken down again. */
#ifndef TOLLGATE_DAEMON_AGENT_H
#define TOLLGATE_DAEMON_AGENT_H

#include <ev.h>

#include "daemon/config.h"

struct agent;

/* Opens every listener and file. NULL when a part cannot be had; it has then been logged which and why. */
struct agent *agent_new(struct ev_loop *loop, struct config *config, const char *config_path);

/* Flushes the audit log, if the disk lets it. NULLs the pointer. */
void agent_free(struct agent **agent);

/* Takes no new connection, answers what is being decided, says goodbye to HAProxy, and stops the loop; at
 * the drain timeout at the latest. Harmless when repeated. */
void agent_drain(struct agent *agent);

/* Reads the configuration file and the pepper file again; says what changed and what needs a restart.
 * Errors leave everything as it was. */
void agent_reload(struct agent *agent);

#endif
