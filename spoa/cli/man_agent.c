/* tollgated(8): its options, and its settings out of the agent's own table. */
#include "cli/man_text.h"
#include "cli/shell_commands.h"
#include "daemon/settings.h"

static const struct {
	const char *name;
	const char *value;
	const char *help;
} options[] = {
	{"config", "FILE", "the configuration"},
	{"check", NULL, "read the configuration, name every error with its line, and end"},
	{"dump-config", NULL, "print every setting in force, with its help and default, and end"},
	{"print-routes", NULL, "print the map of routes that HAProxy's configuration needs, and end"},
	{"version", NULL, "print the version and end"},
	{"help", NULL, "print a short help and end"},
};

static void put_setting(const struct setting *s, FILE *out)
{
	static const struct slice expected = {"expected ", 9};
	char wants[256];
	struct strbuf sb = strbuf_over(wants, sizeof(wants));

	setting_expect(s, &sb);
	bool prefixed = slice_starts(strbuf_slice(&sb), expected);
	man_term(s->name, NULL, out);
	man_text(s->help, out);
	(void)fputs("\nIt must be ", out);
	man_text(prefixed ? wants + expected.n : wants, out);
	if (s->initial == NULL) {
		(void)fputs("; there is no default.", out);
	} else {
		(void)fputs("; default: ", out);
		man_text(s->initial[0] != '\0' ? s->initial : "empty", out);
		(void)fputc('.', out);
	}
	(void)fputs(s->reload ? "\nA reload changes it.\n" : "\n", out);
}

void man_agent(FILE *out)
{
	const char *section = "";

	(void)fputs(
		".TH TOLLGATED 8 \"\" \"tollgate " TOLLGATE_VERSION "\" \"Tollgate\"\n"
		".SH NAME\ntollgated \\- decide for HAProxy which requests reach an Ollama node\n"
		".SH SYNOPSIS\n\\fBtollgated \\-\\-config\\fR \\fIFILE\\fR [\\fB\\-\\-check\\fR | "
		"\\fB\\-\\-dump\\-config\\fR]\n"
		".SH DESCRIPTION\n"
		"The SPOE agent of Tollgate. HAProxy asks it about every request; it authenticates keys,\n"
		"counts what they use in Redis, writes the audit log and serves metrics.\n"
		".PP\n"
		"TERM and INT finish what is being decided and end it; HUP reads the configuration again.\n"
		".SH OPTIONS\n",
		out);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		man_option(options[i].name, options[i].value, out);
		man_text(options[i].help, out);
		(void)fputc('\n', out);
	}
	(void)fputs(".SH CONFIGURATION\nAn INI file.\n", out);
	for (unsigned i = 0; i < settings_count; i++) {
		if (strcmp(section, settings[i].section) != 0) {
			section = settings[i].section;
			(void)fprintf(out, ".SS [%s]\n", section);
		}
		put_setting(&settings[i], out);
	}
	(void)fputs(
		".SH EXIT STATUS\n0 ended on request, 1 the configuration is wrong, 2 wrong usage, 3 a part "
		"could not start.\n"
		".SH SEE ALSO\n\\fBtollgate\\fR(1), \\fBhaproxy\\fR(1)\n",
		out);
}
