/* `tollgate doctor` */
#ifndef TOLLGATE_CLI_DOCTOR_COMMAND_H
#define TOLLGATE_CLI_DOCTOR_COMMAND_H

#include "cli/command.h"

extern const struct cli_command doctor_command;

#endif
