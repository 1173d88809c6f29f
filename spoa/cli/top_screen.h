/* What `tollgate top` shows of two readings. */
#ifndef TOLLGATE_CLI_TOP_SCREEN_H
#define TOLLGATE_CLI_TOP_SCREEN_H

#include "cli/agent_view.h"
#include "cli/fleet.h"

struct top_reading {
	int64_t at_us;
	struct fleet *fleet; /* NULL: HAProxy could not be asked */
	char why[512];       /* the reason */
	struct agents agents;
};

/* Asks HAProxy and the agents whose URLs stand in ret->agents. */
void top_read(const char *socket, struct top_reading *ret);

/* Both need the readings in their order. */
void top_text(const struct top_reading *before, const struct top_reading *after, struct strbuf *sb);

/* NULL when memory is short. */
json_t *top_json(const struct top_reading *before, const struct top_reading *after);

#endif
