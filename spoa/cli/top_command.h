/* `tollgate top` */
#ifndef TOLLGATE_CLI_TOP_COMMAND_H
#define TOLLGATE_CLI_TOP_COMMAND_H

#include "cli/command.h"

extern const struct cli_command top_command;

#endif
