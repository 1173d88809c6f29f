/* tollgate key … */
#ifndef TOLLGATE_CLI_KEY_COMMANDS_H
#define TOLLGATE_CLI_KEY_COMMANDS_H

#include "cli/command.h"

extern const struct cli_command key_commands[];
extern const size_t key_command_count;

#endif
