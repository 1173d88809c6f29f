/* All commands of the tollgate program, for main(), the shell completion and the manual page. */
#ifndef TOLLGATE_CLI_COMMANDS_H
#define TOLLGATE_CLI_COMMANDS_H

#include "cli/command.h"

struct cli_group {
	const char *name;
	const struct cli_command *commands; /* one without a verb: the group is that command */
	const size_t *count;
};

extern const struct cli_group cli_groups[];
extern const size_t cli_group_count;

/* A variable of the environment that commands read. */
struct cli_variable {
	const char *name;
	const char *help;
};

extern const struct cli_variable cli_variables[];
extern const size_t cli_variable_count;

/* Whether the group is one command by itself. */
bool cli_group_single(const struct cli_group *group);

#endif
