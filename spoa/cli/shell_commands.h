/* `tollgate completion SHELL` and `tollgate man`: both written from the tables of commands, so that they
 * never say anything else than --help. */
#ifndef TOLLGATE_CLI_SHELL_COMMANDS_H
#define TOLLGATE_CLI_SHELL_COMMANDS_H

#include "cli/command.h"

extern const struct cli_command completion_command;
extern const struct cli_command man_command;

void shell_bash(FILE *out);
void shell_zsh(FILE *out);
void man_page(FILE *out);  /* tollgate(1) */
void man_agent(FILE *out); /* tollgated(8) */

/* Words that may stand for an option's value or an argument, separated by blanks; NULL when it is free. */
const char *shell_choices(const char *value);

/* Whether a value is the name of a file. */
bool shell_is_file(const char *value);

#endif
