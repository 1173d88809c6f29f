/* Parsing and help of one command, from its table. */
#include "cli/command.h"

#include <assert.h>
#include <stdarg.h>

static const struct common_option {
	struct cli_option option;
	unsigned without; /* the bit that leaves it out */
} common_options[] = {
	{{"redis", "URL",
	  "Redis to work on; default: $TOLLGATE_REDIS_URL (better there, others can read arguments)", false,
	  false},
	 CLI_WITHOUT_REDIS},
	{{"json", NULL, "print JSON instead of text", false, false}, CLI_WITHOUT_JSON},
	{{"help", NULL, "print this help", false, false}, 0},
};

enum { COMMON = sizeof(common_options) / sizeof(common_options[0]) };

const char cli_exit_text[] = "0 done, 1 failed, 2 wrong usage, 3 not found, 4 conflict";

static struct strbuf *captured;

void cli_capture(struct strbuf *to)
{
	captured = to;
}

__attribute__((format(printf, 2, 0))) static void say(const char *prefix, const char *fmt, va_list ap)
{
	(void)fflush(stdout);
	(void)fputs(prefix, stderr);
	(void)vfprintf(stderr, fmt, ap);
	(void)fputc('\n', stderr);
}

__attribute__((format(printf, 1, 0))) static void collect(const char *fmt, va_list ap)
{
	char text[512];

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	strbuf_puts(captured, captured->len > 0 ? "; " : "");
	strbuf_puts(captured, text);
}

void cli_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (captured != NULL)
		collect(fmt, ap);
	else
		say("tollgate: ", fmt, ap);
	va_end(ap);
}

void cli_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("note: ", fmt, ap);
	va_end(ap);
}

const struct cli_option *cli_option_at(const struct cli_command *command, size_t i)
{
	assert(command->option_count + COMMON <= CLI_OPTIONS_MAX);
	if (i < command->option_count)
		return &command->options[i];
	i -= command->option_count;
	for (size_t k = 0; k < COMMON; k++)
		if ((common_options[k].without & command->without) == 0 && i-- == 0)
			return &common_options[k].option;
	return NULL;
}

void cli_name(const struct cli_command *command, struct strbuf *sb)
{
	strbuf_puts(sb, command->group);
	strbuf_puts(sb, command->verb != NULL ? " " : "");
	strbuf_puts(sb, command->verb != NULL ? command->verb : "");
}

void cli_synopsis(const struct cli_command *command, struct strbuf *sb)
{
	cli_name(command, sb);
	for (int i = 0; i < 2; i++) {
		const char *argument = i == 0 ? command->argument : command->second;
		strbuf_puts(sb, argument != NULL ? " " : "");
		strbuf_puts(sb, argument != NULL ? argument : "");
	}
}

static const struct cli_option *find_option(const struct cli_command *command, struct slice name,
					    size_t *ret_at)
{
	const struct cli_option *option;

	for (size_t i = 0; (option = cli_option_at(command, i)) != NULL; i++) {
		if (slice_is(name, option->name)) {
			*ret_at = i;
			return option;
		}
	}
	return NULL;
}

const char *cli_value(const struct cli *cli, const char *name)
{
	size_t at = 0;
	const struct cli_option *option = find_option(cli->command, slice_of(name), &at);

	assert(option != NULL);
	return option != NULL ? cli->values[at] : NULL;
}

bool cli_word_safe(struct slice word)
{
	for (size_t i = 0; i < word.n; i++)
		if ((word.p[i] < 'a' || word.p[i] > 'z') && word.p[i] != '-')
			return false;
	return word.n > 0 && word.n <= 24;
}

/* Takes "--name", "--name=value" or "--name value". Returns false after a message. */
static bool take_option(struct cli *cli, int argc, char *const *argv, int *at)
{
	const char *text = argv[*at] + 2;
	const char *equals = strchr(text, '=');
	struct slice name = {text, equals != NULL ? (size_t)(equals - text) : strlen(text)};
	size_t i = 0;
	const struct cli_option *option = argv[*at][1] == '-' ? find_option(cli->command, name, &i) : NULL;

	if (option == NULL) {
		bool safe = cli_word_safe(name);
		cli_error("unknown option%s%.*s", safe ? " --" : "", safe ? (int)name.n : 0, name.p);
		return false;
	}
	if (cli->values[i] != NULL) {
		cli_error("--%s is given twice", option->name);
		return false;
	}
	if (option->value == NULL && equals != NULL) {
		cli_error("--%s takes no value", option->name);
		return false;
	}
	if (option->value != NULL && equals == NULL && *at + 1 >= argc) {
		cli_error("--%s needs a value: %s", option->name, option->value);
		return false;
	}
	if (option->value == NULL)
		cli->values[i] = "";
	else
		cli->values[i] = equals != NULL ? equals + 1 : argv[++*at];
	return true;
}

static bool take_argument(struct cli *cli, const char *text)
{
	if (cli->command->argument == NULL) {
		cli_error("this command takes no argument, only options");
		return false;
	}
	if (cli->argument == NULL) {
		cli->argument = text;
		return true;
	}
	if (cli->command->second == NULL) {
		cli_error("there is more than one %s", cli->command->argument);
		return false;
	}
	if (cli->second != NULL) {
		cli_error("there is more than %s and %s", cli->command->argument, cli->command->second);
		return false;
	}
	cli->second = text;
	return true;
}

static bool complete(const struct cli *cli)
{
	const struct cli_option *option;

	if (cli->command->argument != NULL && cli->argument == NULL) {
		cli_error("%s is missing", cli->command->argument);
		return false;
	}
	if (cli->command->second != NULL && cli->second == NULL) {
		cli_error("%s is missing", cli->command->second);
		return false;
	}
	for (size_t i = 0; (option = cli_option_at(cli->command, i)) != NULL; i++) {
		if (option->required && cli->values[i] == NULL) {
			cli_error("--%s %s is missing", option->name, option->value);
			return false;
		}
	}
	return true;
}

enum cli_exit cli_parse(const struct cli_command *command, int argc, char *const *argv, struct cli *ret,
			bool *ret_help)
{
	bool ok = true, options = true;
	char name[64];
	struct strbuf sb = strbuf_over(name, sizeof(name));

	*ret = (struct cli){.command = command};
	*ret_help = false;
	for (int i = 0; i < argc && ok; i++) {
		if (options && strcmp(argv[i], "--") == 0)
			options = false;
		else if (options && argv[i][0] == '-' && argv[i][1] != '\0')
			ok = take_option(ret, argc, argv, &i);
		else
			ok = take_argument(ret, argv[i]);
	}
	*ret_help = ok && cli_value(ret, "help") != NULL;
	if (*ret_help || (ok && complete(ret)))
		return CLI_OK;
	cli_name(command, &sb);
	(void)fprintf(stderr, "Try `tollgate %s --help`.\n", name);
	return CLI_USAGE;
}

static void usage_line(const struct cli_command *command, FILE *out)
{
	char synopsis[96];
	struct strbuf sb = strbuf_over(synopsis, sizeof(synopsis));

	cli_synopsis(command, &sb);
	(void)fprintf(out, "Usage: tollgate %s", synopsis);
	for (size_t i = 0; i < command->option_count; i++)
		if (command->options[i].required)
			(void)fprintf(out, " --%s %s", command->options[i].name, command->options[i].value);
	(void)fputs(" [options]\n", out);
}

void cli_help(const struct cli_command *command, FILE *out)
{
	const struct cli_option *option;

	usage_line(command, out);
	(void)fprintf(out, "\n%s.\n", command->summary);
	if (command->detail != NULL)
		(void)fprintf(out, "%s", command->detail);
	(void)fputs("\nOptions:\n", out);
	for (size_t i = 0; (option = cli_option_at(command, i)) != NULL; i++) {
		char left[64];
		(void)snprintf(left, sizeof(left), "--%s %s", option->name,
			       option->value != NULL ? option->value : "");
		(void)fprintf(out, "  %-20s %s\n", left, option->help);
	}
	(void)fprintf(out, "\nExit status: %s.\n", command->exits != NULL ? command->exits : cli_exit_text);
}
