/* The checks of `tollgate doctor`: each says what it found and what to do about it. */
#ifndef TOLLGATE_CLI_DOCTOR_H
#define TOLLGATE_CLI_DOCTOR_H

#include <jansson.h>

#include "cli/command.h"
#include "daemon/config.h"

enum finding {
	FINDING_OK,
	FINDING_SKIP, /* could not be looked at, with the reason; no judgement */
	FINDING_WARN,
	FINDING_FAIL,
};

struct doctor {
	const struct cli *cli;
	enum finding worst;
	json_t *checks; /* NULL: findings are printed as they come */
	struct config config;
	bool configured; /* `config` is filled */
};

/* One finding; advice says what to do and is NULL when there is nothing to do. */
void doctor_say(struct doctor *doctor, enum finding finding, const char *check, const char *advice,
		const char *fmt, ...) __attribute__((format(printf, 5, 6)));

void doctor_check_config(struct doctor *doctor);  /* tollgated's configuration; fills doctor->config */
void doctor_check_files(struct doctor *doctor);   /* sockets, pepper */
void doctor_check_haproxy(struct doctor *doctor); /* version, agents as it sees them, its route map */
void doctor_check_agents(struct doctor *doctor);  /* their metrics, clocks included */
void doctor_check_redis(struct doctor *doctor);   /* reachable, rights, clock */
void doctor_check_nodes(struct doctor *doctor);   /* versions and models */

/* The first line in which two route maps differ, comments and order left aside; false: in none.
 * *ret_extra tells whether `map` has a line too many or lacks one; *ret_line is that line. */
bool doctor_maps_differ(struct slice map, struct slice table, struct slice *ret_line, bool *ret_extra);

#endif
