/* What commands answer: JSON objects, printed as JSON or laid out for people. */
#ifndef TOLLGATE_CLI_OUTPUT_H
#define TOLLGATE_CLI_OUTPUT_H

#include <jansson.h>

#include "auth/record.h"
#include "cli/command.h"

struct output_column {
	const char *title;
	const char *member;
	const char *nothing; /* shown for null, 0, "" and [] */
};

/* The printing functions take the reference to the JSON and return false when memory is short or stdout
 * cannot be written; the message has then been printed. */

/* By two members that are strings; what is equal in both stays in its order. */
void output_sort(json_t *array, const char *first, const char *second);

/* An array as a table, or as JSON. */
bool output_list(bool as_json, json_t *array, const struct output_column *columns, size_t count);

/* An object as lines "title  value", or as JSON. */
bool output_object(bool as_json, json_t *object, const struct output_column *lines, size_t count);

/* Everything about a key or a tenant but its MACs. NULL when memory is short. */
json_t *output_key(const struct key_record *rec, int64_t now);
json_t *output_tenant(const struct tenant_record *rec);

/* Asks on the terminal. CLI_OK for yes, CLI_USAGE when there is no terminal to ask on, else CLI_FAILED. */
enum cli_exit output_confirm(const char *question);

#endif
