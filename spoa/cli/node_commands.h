/* `tollgate node …` */
#ifndef TOLLGATE_CLI_NODE_COMMANDS_H
#define TOLLGATE_CLI_NODE_COMMANDS_H

#include "cli/command.h"

extern const struct cli_command node_commands[];
extern const size_t node_command_count;

#endif
