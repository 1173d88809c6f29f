/* The completion for zsh: _describe for commands, _arguments for what follows them. */
#include "cli/commands.h"
#include "cli/shell_commands.h"

/* Inside single quotes: a quote ends and reopens them; brackets and colons are _arguments' own. */
static void put_text(const char *text, FILE *out)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			(void)fputs("'\\''", out);
		else if (*text == '[' || *text == ']' || *text == ':' || *text == '\\')
			(void)fprintf(out, "\\%c", *text);
		else
			(void)fputc(*text, out);
	}
}

static void put_described(const char *word, const char *text, FILE *out)
{
	(void)fprintf(out, "\t\t\t'%s:", word);
	put_text(text, out);
	(void)fputs("'\n", out);
}

/* The action behind a value's name: ":FILE:_files". */
static void put_action(const char *value, const char *group, FILE *out)
{
	const char *choices = shell_choices(value);

	(void)fputc(':', out);
	put_text(value, out);
	if (choices != NULL)
		(void)fprintf(out, ":(%s)", choices);
	else if (shell_is_file(value))
		(void)fputs(":_files", out);
	else if (group != NULL)
		(void)fprintf(out, ":_tollgate_names %s", group);
	else
		(void)fputs(": ", out);
	(void)fputs("'", out);
}

static void put_arguments(const struct cli_command *command, FILE *out)
{
	const struct cli_option *option;

	(void)fputs("_arguments", out);
	for (size_t i = 0; (option = cli_option_at(command, i)) != NULL; i++) {
		(void)fprintf(out, " \\\n\t\t\t'--%s[", option->name);
		put_text(option->help, out);
		(void)fputs("]", out);
		if (option->value != NULL)
			put_action(option->value, NULL, out);
		else
			(void)fputs("'", out);
	}
	if (command->argument != NULL) {
		bool fresh = command->verb == NULL || strcmp(command->verb, "create") == 0;
		(void)fputs(" \\\n\t\t\t'1", out);
		put_action(command->argument, fresh ? NULL : command->group, out);
	}
	if (command->second != NULL) {
		(void)fputs(" \\\n\t\t\t'2", out);
		put_action(command->second, NULL, out);
	}
	(void)fputs("\n", out);
}

static void put_group(const struct cli_group *group, FILE *out)
{
	(void)fprintf(out, "\t%s)\n", group->name);
	if (cli_group_single(group)) {
		(void)fputs("\t\tshift words; (( CURRENT-- ))\n\t\t", out);
		put_arguments(&group->commands[0], out);
		(void)fputs("\t\t;;\n", out);
		return;
	}
	(void)fputs("\t\tif (( CURRENT == 3 )); then\n\t\t\tlist=(\n", out);
	for (size_t i = 0; i < *group->count; i++)
		put_described(group->commands[i].verb, group->commands[i].summary, out);
	(void)fputs("\t\t\t)\n\t\t\t_describe command list\n\t\t\treturn\n\t\tfi\n"
		    "\t\tshift 2 words; (( CURRENT -= 2 ))\n\t\tcase $words[1] in\n",
		    out);
	for (size_t i = 0; i < *group->count; i++) {
		(void)fprintf(out, "\t\t%s) ", group->commands[i].verb);
		put_arguments(&group->commands[i], out);
		(void)fputs("\t\t\t;;\n", out);
	}
	(void)fputs("\t\tesac\n\t\t;;\n", out);
}

void shell_zsh(FILE *out)
{
	(void)fputs("#compdef tollgate\n"
		    "# zsh completion of tollgate " TOLLGATE_VERSION
		    ", written by `tollgate completion zsh`\n"
		    "_tollgate_names() {\n"
		    "\tlocal -a names\n"
		    "\tnames=(${(f)\"$(tollgate $1 list 2>/dev/null </dev/null | sed '1d;s/ .*//')\"})\n"
		    "\tcompadd -a names\n"
		    "}\n"
		    "_tollgate() {\n"
		    "\tlocal -a list\n"
		    "\tif (( CURRENT > 2 )) && [[ $words[2] == help ]]; then\n"
		    "\t\tshift words; (( CURRENT-- ))\n"
		    "\tfi\n"
		    "\tif (( CURRENT == 2 )); then\n\t\tlist=(\n",
		    out);
	for (size_t i = 0; i < cli_group_count; i++)
		put_described(cli_groups[i].name,
			      cli_group_single(&cli_groups[i]) ? cli_groups[i].commands[0].summary
							       : "commands of this group",
			      out);
	put_described("help", "Explain a command", out);
	(void)fputs("\t\t)\n\t\t_describe command list\n\t\treturn\n\tfi\n\tcase $words[2] in\n", out);
	for (size_t i = 0; i < cli_group_count; i++)
		put_group(&cli_groups[i], out);
	(void)fputs(
		"\tesac\n}\n"
		"if [[ $funcstack[1] == _tollgate ]]; then\n\t_tollgate \"$@\"\nelse\n\tcompdef _tollgate "
		"tollgate\nfi\n",
		out);
}
