/* All tables of commands, and what is written from them. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/doctor.h"
#include "cli/moment.h"
#include "cli/shell_commands.h"

typedef void writer_fn(FILE *out);

static char *written(writer_fn *fn)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	cr_assert_not_null(out);
	fn(out);
	cr_assert_eq(fclose(out), 0);
	return text;
}

Test(cli_commands, tables_are_consistent)
{
	for (size_t i = 0; i < cli_group_count; i++) {
		for (size_t k = 0; k < *cli_groups[i].count; k++) {
			const struct cli_command *c = &cli_groups[i].commands[k];
			const struct cli_option *option, *other;
			cr_assert_str_eq(c->group, cli_groups[i].name);
			cr_assert(c->run != NULL && c->summary != NULL, "%s", c->group);
			cr_assert(c->second == NULL || c->argument != NULL, "%s", c->group);
			cr_assert((c->verb == NULL) == cli_group_single(&cli_groups[i]), "%s", c->group);
			cr_assert(c->detail == NULL || c->detail[strlen(c->detail) - 1] == '\n');
			for (size_t a = 0; (option = cli_option_at(c, a)) != NULL; a++)
				for (size_t b = 0; b < a && (other = cli_option_at(c, b)) != NULL; b++)
					cr_assert_str_neq(option->name, other->name);
		}
	}
}

Test(cli_commands, every_option_is_completed_and_described)
{
	char *texts[] = {written(shell_bash), written(shell_zsh), written(man_page)};

	for (size_t i = 0; i < cli_group_count; i++) {
		for (size_t k = 0; k < *cli_groups[i].count; k++) {
			const struct cli_command *c = &cli_groups[i].commands[k];
			const struct cli_option *option;
			for (size_t a = 0; (option = cli_option_at(c, a)) != NULL; a++) {
				char dashes[64], troff[96];
				struct strbuf sb = strbuf_over(troff, sizeof(troff));
				(void)snprintf(dashes, sizeof(dashes), "--%s", option->name);
				for (const char *p = dashes; *p != '\0'; p++) {
					strbuf_puts(&sb, *p == '-' ? "\\" : "");
					strbuf_putc(&sb, *p);
				}
				cr_assert_not_null(strstr(texts[0], dashes), "%s", dashes);
				cr_assert_not_null(strstr(texts[1], dashes), "%s", dashes);
				cr_assert_not_null(strstr(texts[2], troff), "%s", troff);
			}
		}
	}
	for (size_t i = 0; i < 3; i++)
		free(texts[i]);
}

static const struct cli_command weight = {.group = "node",
					  .verb = "weight",
					  .argument = "NAME",
					  .second = "PERCENT",
					  .without = CLI_WITHOUT_REDIS};
static const struct cli_command single = {.group = "man", .without = CLI_WITHOUT_REDIS | CLI_WITHOUT_JSON};

Test(cli_commands, two_arguments)
{
	static const struct {
		int argc;
		const char *argv[3];
		enum cli_exit result;
	} rows[] = {
		{0, {NULL}, CLI_USAGE},           {1, {"a"}, CLI_USAGE},   {3, {"a", "b", "c"}, CLI_USAGE},
		{2, {"--redis", "x"}, CLI_USAGE}, {2, {"a", "b"}, CLI_OK},
	};
	char errors[512];
	struct strbuf sb = strbuf_over(errors, sizeof(errors));

	cli_capture(&sb);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char words[3][16], *argv[3];
		struct cli cli;
		bool help;
		for (int k = 0; k < rows[i].argc; k++) {
			(void)snprintf(words[k], sizeof(words[k]), "%s", rows[i].argv[k]);
			argv[k] = words[k];
		}
		cr_assert_eq(cli_parse(&weight, rows[i].argc, argv, &cli, &help), rows[i].result, "row %zu",
			     i);
		if (rows[i].result == CLI_OK)
			cr_assert_str_eq(cli.second, "b");
	}
	cli_capture(NULL);
	cr_assert_str_eq(errors, "NAME is missing; PERCENT is missing; there is more than NAME and PERCENT; "
				 "unknown option --redis");
}

Test(cli_commands, common_options)
{
	cr_assert_str_eq(cli_option_at(&weight, 0)->name, "json");
	cr_assert_str_eq(cli_option_at(&weight, 1)->name, "help");
	cr_assert_null(cli_option_at(&weight, 2));
	cr_assert_str_eq(cli_option_at(&single, 0)->name, "help");
	cr_assert_null(cli_option_at(&single, 1));
}

Test(cli_commands, names)
{
	char text[64];
	struct strbuf sb = strbuf_over(text, sizeof(text));

	cli_synopsis(&weight, &sb);
	strbuf_puts(&sb, "; ");
	cli_synopsis(&single, &sb);
	cr_assert_str_eq(text, "node weight NAME PERCENT; man");
}

Test(cli_commands, ages)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} rows[] = {{-1, "0s"},        {0, "0s"},       {59, "59s"},
		    {60, "1m"},        {3599, "59m"},   {3600, "1h0m"},
		    {86399, "23h59m"}, {86400, "1d0h"}, {INT64_C(86400) * 400 + 7200, "400d2h"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[32];
		struct strbuf sb = strbuf_over(text, sizeof(text));
		moment_put_age(&sb, rows[i].seconds);
		cr_assert_str_eq(text, rows[i].text);
	}
}

Test(cli_doctor, maps)
{
	static const struct {
		const char *map, *table, *line;
		bool differ, extra;
	} rows[] = {
		{"/a GET none\n", "/a GET none\n/b GET none\n", "/b GET none", true, false},
		{"", "/a GET none\n", "/a GET none", true, false},
		{"/a GET none\n/b POST body\n", "/a GET none\n", "/b POST body", true, true},
		{"/a GET,POST none\n", "/a GET none\n", "/a GET,POST none", true, true},
		{"/a GET none", "/a GET none\n", NULL, false, false},
		{"# a map\n\n /b GET none \n/a GET none\r\n", "/a GET none\n/b GET none\n", NULL, false,
		 false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice line;
		bool extra;
		cr_assert_eq(
			doctor_maps_differ(slice_of(rows[i].map), slice_of(rows[i].table), &line, &extra),
			rows[i].differ, "row %zu", i);
		cr_assert_eq(extra, rows[i].extra, "row %zu", i);
		if (rows[i].differ)
			cr_assert(slice_is(line, rows[i].line), "row %zu", i);
	}
}
