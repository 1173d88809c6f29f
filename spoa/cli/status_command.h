/* `tollgate status` */
#ifndef TOLLGATE_CLI_STATUS_COMMAND_H
#define TOLLGATE_CLI_STATUS_COMMAND_H

#include "cli/command.h"

extern const struct cli_command status_command;

#endif
