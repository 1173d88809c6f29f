/* The commands, and the completion for bash. */
#include "cli/shell_commands.h"

#include "cli/commands.h"

const char *shell_choices(const char *value)
{
	if (strcmp(value, "ROLE") == 0)
		return "user operator monitor";
	if (strcmp(value, "PAGE") == 0)
		return "tollgate tollgated";
	return strcmp(value, "SHELL") == 0 ? "bash zsh" : NULL;
}

bool shell_is_file(const char *value)
{
	return strcmp(value, "FILE") == 0 || strcmp(value, "PATH") == 0;
}

static void put_commands(FILE *out)
{
	(void)fputs("\tif ((at == 0)); then\n\t\t_tollgate_words '", out);
	for (size_t i = 0; i < cli_group_count; i++)
		(void)fprintf(out, "%s ", cli_groups[i].name);
	(void)fputs("help --help --version'\n\t\treturn\n\tfi\n", out);
}

static void put_verbs(FILE *out)
{
	(void)fputs("\tcase ${words[0]} in\n", out);
	for (size_t i = 0; i < cli_group_count; i++) {
		const struct cli_group *group = &cli_groups[i];
		if (cli_group_single(group))
			continue;
		(void)fprintf(out,
			      "\t%s)\n\t\tcommand=\"%s ${words[1]-}\"\n\t\tif ((at == 1)); then\n"
			      "\t\t\t_tollgate_words '",
			      group->name, group->name);
		for (size_t k = 0; k < *group->count; k++)
			(void)fprintf(out, "%s%s", k > 0 ? " " : "", group->commands[k].verb);
		(void)fputs("'\n\t\t\treturn\n\t\tfi\n\t\t;;\n", out);
	}
	(void)fputs("\tesac\n", out);
}

/* What may follow an option that takes a value. The same option means the same in all commands. */
static void put_values(const struct cli_command *command, FILE *out)
{
	const struct cli_option *option;

	for (size_t i = 0; (option = cli_option_at(command, i)) != NULL; i++) {
		const char *choices = option->value != NULL ? shell_choices(option->value) : NULL;
		if (option->value == NULL)
			continue;
		if (choices != NULL)
			(void)fprintf(out, "\t\t--%s) _tollgate_words '%s' ;;\n", option->name, choices);
		else if (shell_is_file(option->value))
			(void)fprintf(out, "\t\t--%s) _tollgate_files ;;\n", option->name);
		else
			(void)fprintf(out, "\t\t--%s) ;;\n", option->name);
	}
}

/* The first argument, once: names out of the list of the same group where there is one. */
static void put_argument(const struct cli_command *command, FILE *out)
{
	const char *choices = command->argument != NULL ? shell_choices(command->argument) : NULL;

	if (choices != NULL)
		(void)fprintf(out, "\t\t_tollgate_words '%s'\n", choices);
	else if (command->argument != NULL && command->verb != NULL && strcmp(command->verb, "create") != 0)
		(void)fprintf(out, "\t\t_tollgate_names %s\n", command->group);
	else
		(void)fputs("\t\t:\n", out);
}

static void put_command(const struct cli_command *command, FILE *out)
{
	char name[64];
	struct strbuf sb = strbuf_over(name, sizeof(name));
	const struct cli_option *option;

	cli_name(command, &sb);
	(void)fprintf(out, "\t'%s')\n\t\tcase $prev in\n", name);
	put_values(command, out);
	(void)fputs("\t\t*) prev='' ;;\n\t\tesac\n\t\t[[ -z $prev ]] || return 0\n"
		    "\t\tif [[ $cur == -* ]]; then\n\t\t\t_tollgate_words '",
		    out);
	for (size_t i = 0; (option = cli_option_at(command, i)) != NULL; i++)
		(void)fprintf(out, "%s--%s", i > 0 ? " " : "", option->name);
	(void)fputs("'\n\t\t\treturn\n\t\tfi\n", out);
	put_argument(command, out);
	(void)fputs("\t\t;;\n", out);
}

void shell_bash(FILE *out)
{
	(void)fputs("# bash completion of tollgate " TOLLGATE_VERSION
		    ", written by `tollgate completion bash`\n"
		    "_tollgate_words() { mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$cur\"); }\n"
		    "_tollgate_files() {\n"
		    "\tcompopt -o filenames 2>/dev/null\n"
		    "\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
		    "}\n"
		    "_tollgate_names() {\n"
		    "\t_tollgate_words \"$(\"${COMP_WORDS[0]}\" \"$1\" list 2>/dev/null </dev/null |\n"
		    "\t\tsed '1d;s/ .*//')\"\n"
		    "}\n"
		    "_tollgate() {\n"
		    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
		    "\tlocal words=(\"${COMP_WORDS[@]:1}\") at=$((COMP_CWORD - 1)) command\n"
		    "\tCOMPREPLY=()\n"
		    "\tif ((at > 0)) && [[ ${words[0]} == help ]]; then\n"
		    "\t\twords=(\"${words[@]:1}\") at=$((at - 1))\n"
		    "\tfi\n"
		    "\tcommand=${words[0]-}\n",
		    out);
	put_commands(out);
	put_verbs(out);
	(void)fputs("\tcase $command in\n", out);
	for (size_t i = 0; i < cli_group_count; i++)
		for (size_t k = 0; k < *cli_groups[i].count; k++)
			put_command(&cli_groups[i].commands[k], out);
	(void)fputs("\tesac\n}\ncomplete -F _tollgate tollgate\n", out);
}

static enum cli_exit written(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return CLI_OK;
	cli_error("the result could not be written to standard output");
	return CLI_FAILED;
}

static enum cli_exit completion_run(const struct cli *cli)
{
	if (strcmp(cli->argument, "bash") == 0) {
		shell_bash(stdout);
	} else if (strcmp(cli->argument, "zsh") == 0) {
		shell_zsh(stdout);
	} else {
		cli_error("SHELL must be bash or zsh");
		return CLI_USAGE;
	}
	return written();
}

static enum cli_exit man_run(const struct cli *cli)
{
	const char *page = cli_value(cli, "page");

	if (page == NULL || strcmp(page, "tollgate") == 0) {
		man_page(stdout);
	} else if (strcmp(page, "tollgated") == 0) {
		man_agent(stdout);
	} else {
		cli_error("--page must be tollgate or tollgated");
		return CLI_USAGE;
	}
	return written();
}

const struct cli_command completion_command = {
	.group = "completion",
	.argument = "SHELL",
	.run = completion_run,
	.summary = "Print the completion for bash or zsh",
	.detail = "\nbash: tollgate completion bash > /etc/bash_completion.d/tollgate\n"
		  "\nzsh: tollgate completion zsh > /usr/local/share/zsh/site-functions/_tollgate\n",
	.without = CLI_WITHOUT_REDIS | CLI_WITHOUT_JSON,
};

static const struct cli_option man_options[] = {
	{"page", "PAGE", "tollgate, which is the default, or tollgated", false, false},
};

const struct cli_command man_command = {
	.group = "man",
	.run = man_run,
	.options = man_options,
	.option_count = 1,
	.summary = "Print the manual page of tollgate or of tollgated",
	.detail = "\nRead it: tollgate man | man -l -\n"
		  "\nInstall both: tollgate man > /usr/local/share/man/man1/tollgate.1;\n"
		  "tollgate man --page tollgated > /usr/local/share/man/man8/tollgated.8\n",
	.without = CLI_WITHOUT_REDIS | CLI_WITHOUT_JSON,
};
