/* tollgate: manages Tollgate's keys and tenants in Redis. */
#include <sys/resource.h>

#include "cli/key_commands.h"
#include "cli/tenant_commands.h"

struct group {
	const char *name;
	const struct cli_command *commands;
	const size_t *count;
};

static const struct group groups[] = {
	{"tenant", tenant_commands, &tenant_command_count},
	{"key", key_commands, &key_command_count},
};

enum { GROUPS = sizeof(groups) / sizeof(groups[0]) };

static void list_group(const struct group *group, FILE *out)
{
	for (size_t i = 0; i < *group->count; i++) {
		const struct cli_command *command = &group->commands[i];
		char left[48];
		(void)snprintf(left, sizeof(left), "%s %s %s", command->group, command->verb,
			       command->argument != NULL ? command->argument : "");
		(void)fprintf(out, "  %-20s %s\n", left, command->summary);
	}
}

static void overview(FILE *out)
{
	(void)fputs(
		"Usage: tollgate COMMAND [options]\n\nManages the keys and tenants of a Tollgate gateway.\n\n"
		"Commands:\n",
		out);
	for (size_t i = 0; i < GROUPS; i++)
		list_group(&groups[i], out);
	(void)fputs(
		"  help [COMMAND]       Explain a command, like `tollgate help key create`\n"
		"  --version            Print the version\n"
		"\nEvery command takes --json, --redis URL and --help.\n"
		"\nEnvironment:\n"
		"  TOLLGATE_REDIS_URL    redis://user:password@host:6379/0 or "
		"unix://user:password@/path?db=0\n"
		"  TOLLGATE_PEPPER_FILE  the pepper file of tollgated; key create and key rotate need it\n"
		"\nExit status: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 conflict.\n",
		out);
}

static const struct group *find_group(const char *name)
{
	for (size_t i = 0; i < GROUPS; i++)
		if (strcmp(groups[i].name, name) == 0)
			return &groups[i];
	return NULL;
}

static const struct cli_command *find_command(const struct group *group, const char *verb)
{
	for (size_t i = 0; i < *group->count; i++)
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
	const struct group *group = argc > 0 ? find_group(argv[0]) : NULL;
	const struct cli_command *command = group != NULL && argc > 1 ? find_command(group, argv[1]) : NULL;

	if (argc > 0 && group == NULL)
		return unknown(argv[0]);
	if (argc > 1 && command == NULL)
		return unknown(argv[1]);
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

static enum cli_exit run_group(const struct group *group, int argc, char **argv)
{
	struct cli cli;
	bool wants_help;

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
	if (command == NULL)
		return unknown(argv[0]);
	enum cli_exit result = cli_parse(command, argc - 1, argv + 1, &cli, &wants_help);
	if (result != CLI_OK)
		return result;
	if (wants_help) {
		cli_help(command, stdout);
		return printed();
	}
	return command->run(&cli);
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
	const struct group *group = find_group(argv[1]);
	return (int)(group != NULL ? run_group(group, argc - 2, argv + 2) : unknown(argv[1]));
}
