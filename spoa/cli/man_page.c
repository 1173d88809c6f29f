/* tollgate(1) in the man macros of troff. */
#include "cli/commands.h"
#include "cli/man_text.h"
#include "cli/shell_commands.h"

/* Lines of text; an empty one starts a paragraph. */
static void put_paragraphs(const char *text, FILE *out)
{
	struct slice rest = slice_of(text), line;
	bool gap = true;

	while (rest.n > 0 && slice_next(&rest, '\n', &line)) {
		if (line.n == 0) {
			gap = true;
			continue;
		}
		if (gap)
			(void)fputs(".PP\n", out);
		gap = false;
		man_line(line, out);
		(void)fputc('\n', out);
	}
}

static void put_option(const struct cli_option *option, FILE *out)
{
	man_option(option->name, option->value, out);
	man_line(slice_of(option->help), out);
	(void)fputs(option->required ? "; required\n" : "\n", out);
}

static void put_command(const struct cli_command *command, FILE *out)
{
	char text[96];
	struct strbuf sb = strbuf_over(text, sizeof(text));
	const struct cli_option *option;

	cli_synopsis(command, &sb);
	(void)fputs(".SS tollgate ", out);
	man_text(text, out);
	(void)fputc('\n', out);
	man_text(command->summary, out);
	(void)fputs(".\n", out);
	if (command->detail != NULL)
		put_paragraphs(command->detail, out);
	for (size_t i = 0; (option = cli_option_at(command, i)) != NULL; i++)
		put_option(option, out);
	if (command->exits != NULL) {
		(void)fputs(".PP\nExit status: ", out);
		man_text(command->exits, out);
		(void)fputs(".\n", out);
	}
}

void man_page(FILE *out)
{
	(void)fputs(".TH TOLLGATE 1 \"\" \"tollgate " TOLLGATE_VERSION "\" \"Tollgate\"\n"
		    ".SH NAME\ntollgate \\- manage a gateway for Ollama nodes\n"
		    ".SH SYNOPSIS\n\\fBtollgate\\fR \\fICOMMAND\\fR [\\fIoptions\\fR]\n"
		    ".SH DESCRIPTION\n"
		    "Manages the keys, tenants and nodes of a Tollgate gateway and tells how it fares.\n"
		    "An option's value follows as a word of its own or behind an equals sign.\n"
		    ".SH COMMANDS\n",
		    out);
	for (size_t i = 0; i < cli_group_count; i++)
		for (size_t k = 0; k < *cli_groups[i].count; k++)
			put_command(&cli_groups[i].commands[k], out);
	(void)fputs(".SH ENVIRONMENT\n", out);
	for (size_t i = 0; i < cli_variable_count; i++) {
		man_term(cli_variables[i].name, NULL, out);
		man_text(cli_variables[i].help, out);
		(void)fputc('\n', out);
	}
	(void)fputs(".SH EXIT STATUS\n", out);
	man_text(cli_exit_text, out);
	(void)fputs(".\n.SH SEE ALSO\n\\fBtollgated\\fR(8), \\fBhaproxy\\fR(1)\n", out);
}
