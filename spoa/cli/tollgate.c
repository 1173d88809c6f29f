/* tollgate: manages Tollgate's keys and tenants in Redis, its nodes, and tells how it fares. */
#include <sys/resource.h>

#include "cli/commands.h"

static void list_group(const struct cli_group *group, FILE *out)
{
	for (size_t i = 0; i < *group->count; i++) {
		char left[64];
		struct strbuf sb = strbuf_over(left, sizeof(left));
		cli_synopsis(&group->commands[i], &sb);
		(void)fprintf(out, "  %-24s %s\n", left, group->commands[i].summary);
	}
}

static void overview(FILE *out)
{
	(void)fputs("Usage: tollgate COMMAND [options]\n\n"
		    "Manages the keys, tenants and nodes of a Tollgate gateway and tells how it fares.\n\n"
		    "Commands:\n",
		    out);
	for (size_t i = 0; i < cli_group_count; i++)
		list_group(&cli_groups[i], out);
	(void)fputs("  help [COMMAND]           Explain a command, like `tollgate help key create`\n"
		    "  --version                Print the version\n"
		    "\nEvery command takes --help, those that answer with data --json.\n"
		    "\nEnvironment:\n",
		    out);
	for (size_t i = 0; i < cli_variable_count; i++)
		(void)fprintf(out, "  %-24s %s\n", cli_variables[i].name, cli_variables[i].help);
	(void)fprintf(out, "\nExit status: %s.\n", cli_exit_text);
}

static const struct cli_group *find_group(const char *name)
{
	for (size_t i = 0; i < cli_group_count; i++)
		if (strcmp(cli_groups[i].name, name) == 0)
			return &cli_groups[i];
	return NULL;
}

static const struct cli_command *find_command(const struct cli_group *group, const char *verb)
{
	for (size_t i = 0; i < *group->count && !cli_group_single(group); i++)
		if (strcmp(group->commands[i].verb, verb) == 0)
			return &group->commands[i];
	return NULL;
}

static enum cli_exit unknown(const char *word)
{
	bool safe = cli_word_safe(slice_of(word));

	cli_error("unknown command%s%s; `tollgate help` lists them", safe ? " " : "", safe ? word : "");
	return CLI_USAGE;
}

/* A help that could not be written is a failure like any other. */
static enum cli_exit printed(void)
{
	return fflush(stdout) == 0 && !ferror(stdout) ? CLI_OK : CLI_FAILED;
}

static enum cli_exit help(int argc, char **argv)
{
	const struct cli_group *group = argc > 0 ? find_group(argv[0]) : NULL;
	const struct cli_command *command = group != NULL && argc > 1 ? find_command(group, argv[1]) : NULL;

	if (argc > 0 && group == NULL)
		return unknown(argv[0]);
	if (argc > 1 && command == NULL)
		return unknown(argv[1]);
	if (group != NULL && cli_group_single(group))
		command = &group->commands[0];
	if (command != NULL)
		cli_help(command, stdout);
	else if (group != NULL)
		list_group(group, stdout);
	else
		overview(stdout);
	return printed();
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static enum cli_exit run_command(const struct cli_command *command, int argc, char **argv)
{
	struct cli cli;
	bool wants_help;
	enum cli_exit result = cli_parse(command, argc, argv, &cli, &wants_help);

	if (result != CLI_OK)
		return result;
	if (wants_help) {
		cli_help(command, stdout);
		return printed();
	}
	return command->run(&cli);
}

static enum cli_exit run_group(const struct cli_group *group, int argc, char **argv)
{
	if (cli_group_single(group))
		return run_command(&group->commands[0], argc, argv);
	if (argc == 0) {
		cli_error("what about the %s? The commands are:", group->name);
		list_group(group, stderr);
		return CLI_USAGE;
	}
	if (is_help(argv[0])) {
		list_group(group, stdout);
		return printed();
	}
	const struct cli_command *command = find_command(group, argv[0]);
	return command != NULL ? run_command(command, argc - 1, argv + 1) : unknown(argv[0]);
}

int main(int argc, char **argv)
{
	/* A core file would hold secrets. */
	(void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});

	if (argc < 2) {
		overview(stderr);
		return CLI_USAGE;
	}
	if (is_help(argv[1])) {
		overview(stdout);
		return (int)printed();
	}
	if (strcmp(argv[1], "--version") == 0) {
		(void)puts("tollgate " TOLLGATE_VERSION);
		return (int)printed();
	}
	if (strcmp(argv[1], "help") == 0)
		return (int)help(argc - 2, argv + 2);
	const struct cli_group *group = find_group(argv[1]);
	return (int)(group != NULL ? run_group(group, argc - 2, argv + 2) : unknown(argv[1]));
}
