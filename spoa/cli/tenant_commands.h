/* tollgate tenant … */
#ifndef TOLLGATE_CLI_TENANT_COMMANDS_H
#define TOLLGATE_CLI_TENANT_COMMANDS_H

#include "cli/command.h"

extern const struct cli_command tenant_commands[];
extern const size_t tenant_command_count;

#endif
