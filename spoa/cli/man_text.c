/* Escaping and entries. */
#include "cli/man_text.h"

static void put(struct slice text, FILE *out)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\\')
			(void)fputs("\\e", out);
		else if (text.p[i] == '-')
			(void)fputs("\\-", out);
		else
			(void)fputc(text.p[i], out);
	}
}

void man_text(const char *text, FILE *out)
{
	put(slice_of(text), out);
}

void man_line(struct slice line, FILE *out)
{
	if (line.n > 0 && (line.p[0] == '.' || line.p[0] == '\''))
		(void)fputs("\\&", out);
	put(line, out);
}

static void put_term(const char *dashes, const char *name, const char *value, FILE *out)
{
	(void)fprintf(out, ".TP\n\\fB%s", dashes);
	man_text(name, out);
	(void)fputs("\\fR", out);
	if (value != NULL) {
		(void)fputs(" \\fI", out);
		man_text(value, out);
		(void)fputs("\\fR", out);
	}
	(void)fputc('\n', out);
}

void man_term(const char *name, const char *value, FILE *out)
{
	put_term("", name, value, out);
}

void man_option(const char *name, const char *value, FILE *out)
{
	put_term("\\-\\-", name, value, out);
}
