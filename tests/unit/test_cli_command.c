/* Command lines: wrong ones first. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/key_commands.h"
#include "cli/tenant_commands.h"

static const struct cli_option options[] = {
	{"name", "N", "needed", true, true},
	{"rpm", "N", "not needed", false, true},
	{"yes", NULL, "a switch", false, false},
};

static const struct cli_command with_id = {.group = "test",
					   .verb = "it",
					   .argument = "ID",
					   .summary = "Test",
					   .options = options,
					   .option_count = 3};
static const struct cli_command without_id = {
	.group = "test", .verb = "it", .summary = "Test", .options = options, .option_count = 3};

enum { WORDS = 8 };

static enum cli_exit parse(const struct cli_command *command, const char *const words[WORDS], struct cli *cli,
			   bool *help)
{
	static char copies[WORDS][64];
	char *argv[WORDS];
	int argc = 0;

	for (; argc < WORDS && words[argc] != NULL; argc++) {
		(void)snprintf(copies[argc], sizeof(copies[argc]), "%s", words[argc]);
		argv[argc] = copies[argc];
	}
	return cli_parse(command, argc, argv, cli, help);
}

Test(cli_command, wrong, .init = cr_redirect_stderr)
{
	static const struct {
		bool id;
		const char *words[WORDS];
	} rows[] = {
		{true, {NULL}},
		{true, {"a"}},
		{true, {"--name", "x"}},
		{true, {"a", "b", "--name", "x"}},
		{true, {"a", "--name"}},
		{true, {"a", "--name", "x", "--name", "y"}},
		{true, {"a", "--name=x", "--name=y"}},
		{true, {"a", "--name", "x", "--nam", "y"}},
		{true, {"a", "--name", "x", "--nameless", "y"}},
		{true, {"a", "--name", "x", "--yes=1"}},
		{true, {"a", "--name", "x", "--yes", "--yes"}},
		{true, {"a", "--name", "x", "-y"}},
		{true, {"a", "--name", "x", "---yes"}},
		{true, {"a", "--name", "x", "--", "--yes"}},
		{true, {"a", "--", "--name", "x"}},
		{false, {"a", "--name", "x"}},
		{false, {"--name", "x", "--", "a"}},
		{false, {"--name", "x", "-"}},
		{false, {"--name", "x", ""}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cli cli;
		bool help;
		cr_assert_eq(parse(rows[i].id ? &with_id : &without_id, rows[i].words, &cli, &help),
			     CLI_USAGE, "row %zu", i);
		cr_assert_not(help);
	}
}

Test(cli_command, right)
{
	static const struct {
		const char *words[WORDS];
		const char *id, *name, *rpm, *yes;
	} rows[] = {
		{{"a", "--name", "x"}, "a", "x", NULL, NULL},
		{{"--name=x", "a"}, "a", "x", NULL, NULL},
		{{"--name=", "a"}, "a", "", NULL, NULL},
		{{"--name", "--rpm", "a"}, "a", "--rpm", NULL, NULL},
		{{"--name", "x=y", "--rpm=1=2", "a"}, "a", "x=y", "1=2", NULL},
		{{"--rpm", "-5", "a", "--name", "x", "--yes"}, "a", "x", "-5", ""},
		{{"--name", "x", "--yes", "--", "--yes"}, "--yes", "x", NULL, ""},
		{{"--name", "x", "-"}, "-", "x", NULL, NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cli cli;
		bool help;
		cr_assert_eq(parse(&with_id, rows[i].words, &cli, &help), CLI_OK, "row %zu", i);
		cr_assert_str_eq(cli.argument, rows[i].id);
		const char *got[] = {cli_value(&cli, "name"), cli_value(&cli, "rpm"), cli_value(&cli, "yes")};
		const char *want[] = {rows[i].name, rows[i].rpm, rows[i].yes};
		for (size_t k = 0; k < 3; k++)
			cr_assert(got[k] == want[k] || (got[k] && want[k] && strcmp(got[k], want[k]) == 0),
				  "row %zu", i);
	}
}

Test(cli_command, help_needs_nothing_else)
{
	static const char *const words[WORDS] = {"--help"};
	struct cli cli;
	bool help;

	cr_assert_eq(parse(&with_id, words, &cli, &help), CLI_OK);
	cr_assert(help);
}

Test(cli_command, words_that_may_be_repeated)
{
	static const char *const unsafe[] = {
		"", "tg_abc", "Abc", "a1", "a b", "a\n", "abcdefghijklmnopqrstuvwxyz"};

	for (size_t i = 0; i < sizeof(unsafe) / sizeof(unsafe[0]); i++)
		cr_assert_not(cli_word_safe(slice_of(unsafe[i])), "%s", unsafe[i]);
	cr_assert(cli_word_safe(SLICE_LIT("--nonsense")));
}

/* Every table is consistent: nothing a person can type may meet an assertion. */
static void check(const struct cli_command *command)
{
	const struct cli_option *option, *other;

	cr_assert_not_null(command->run, "%s", command->verb);
	cr_assert_not_null(command->summary, "%s", command->verb);
	cr_assert(command->option_count + 3 <= CLI_OPTIONS_MAX, "%s", command->verb);
	for (size_t i = 0; (option = cli_option_at(command, i)) != NULL; i++) {
		cr_assert(!(option->required || option->field) || option->value != NULL, "%s", option->name);
		for (size_t k = 0; k < i && (other = cli_option_at(command, k)) != NULL; k++)
			cr_assert_str_neq(option->name, other->name);
	}
}

Test(cli_command, tables_are_consistent)
{
	for (size_t i = 0; i < key_command_count; i++)
		check(&key_commands[i]);
	for (size_t i = 0; i < tenant_command_count; i++)
		check(&tenant_commands[i]);
}
