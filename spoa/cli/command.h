/* Commands of the tollgate program as tables: one table of options parses, checks and documents. */
#ifndef TOLLGATE_CLI_COMMAND_H
#define TOLLGATE_CLI_COMMAND_H

#include <stdio.h>

#include "base/strbuf.h"

/* The program's exit status; scripts rely on it and --help documents it. */
enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1, /* Redis, a file, the output */
	CLI_USAGE = 2,  /* the command line */
	CLI_NOT_FOUND = 3,
	CLI_CONFLICT = 4, /* the state of things forbids it, or somebody else changed them meanwhile */
};

enum { CLI_OPTIONS_MAX = 16 /* of one command, common ones included */ };

/* Common options that a command has no use for. */
enum { CLI_WITHOUT_REDIS = 1, CLI_WITHOUT_JSON = 2 };

struct cli_option {
	const char *name;  /* without its dashes */
	const char *value; /* what help calls its value; NULL: a switch */
	const char *help;
	bool required;
	bool field; /* the record's field of the same name takes the value as text */
};

struct cli;

struct cli_command {
	const char *group;    /* "key" */
	const char *verb;     /* "create"; NULL: the group is a command by itself, like "status" */
	const char *argument; /* what help calls the first argument; NULL: there is none */
	const char *second;   /* the second one; NULL: there is none */
	const char *summary;  /* one line */
	const char *detail;   /* further lines of the help, ending in a newline; may be NULL */
	const char *exits;    /* what its exit status says; NULL: as enum cli_exit has it */
	unsigned without;     /* CLI_WITHOUT_ bits */
	const struct cli_option *options;
	size_t option_count;
	enum cli_exit (*run)(const struct cli *cli);
};

/* A parsed command line; everything points into argv. */
struct cli {
	const struct cli_command *command;
	const char *argument; /* set when the command has one */
	const char *second;   /* likewise */
	const char *values[CLI_OPTIONS_MAX];
};

/* Parses what follows the verb. CLI_OK with *ret filled, or CLI_USAGE with the reason on stderr; asked
 * for with --help: *ret_help is true and nothing else counts. Values given are never repeated in
 * messages, since one of them may be a credential in the wrong place. */
enum cli_exit cli_parse(const struct cli_command *command, int argc, char *const *argv, struct cli *ret,
			bool *ret_help);

/* The option's value, "" for a switch, NULL when it was not given. The command must have the option. */
const char *cli_value(const struct cli *cli, const char *name);

/* May a word of the command line be repeated in a message? Short lower-case words are no credentials. */
bool cli_word_safe(struct slice word);

/* Row i of the command's options and then the common ones; NULL behind the last. */
const struct cli_option *cli_option_at(const struct cli_command *command, size_t i);

void cli_help(const struct cli_command *command, FILE *out);

/* The end of every help that has no `exits` of its own. */
extern const char cli_exit_text[];

/* "key create", or "status". */
void cli_name(const struct cli_command *command, struct strbuf *sb);

/* The command and its arguments: "node weight NAME PERCENT". */
void cli_synopsis(const struct cli_command *command, struct strbuf *sb);

/* "tollgate: …" and a newline on stderr. */
void cli_error(const char *fmt, ...) __attribute__((format(printf, 1, 2), cold));

/* From now on errors are collected in *to instead, without the prefix, joined by "; ". NULL ends that. */
void cli_capture(struct strbuf *to);

/* The same without an error: "note: …". */
void cli_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
