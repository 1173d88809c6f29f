/* The tables of HAProxy's admin socket: `show stat` (CSV, management guide 9.1) and `show servers state`
 * (words separated by a blank, after a line with the format's version). Both name their columns in a line
 * that starts with '#'; columns are found by these names, since versions add to them. */
#ifndef TOLLGATE_CLI_STAT_CSV_H
#define TOLLGATE_CLI_STAT_CSV_H

#include "base/slice.h"

enum {
	STAT_COLUMNS_MAX = 256, /* HAProxy 3.4 has about 120 */
	STAT_FIELD_MAX = 8192,  /* bytes of one field */
};

/* Everything points into the text it was opened on. */
struct stat_table {
	struct slice rest;
	char separator;
	size_t columns;
	struct slice names[STAT_COLUMNS_MAX];
	struct slice fields[STAT_COLUMNS_MAX]; /* of the current row; raw, see stat_text() */
};

enum stat_status {
	STAT_OK,
	STAT_END,
	STAT_BAD, /* an open quote, too many columns or a field that is too long */
};

/* Reads the line of names. */
enum stat_status stat_csv_open(struct slice text, struct stat_table *ret);
enum stat_status stat_servers_open(struct slice text, struct stat_table *ret);

/* The next row. Columns that it lacks at its end are empty. */
enum stat_status stat_next(struct stat_table *table);

/* The field as it stands, quotes included; empty when there is no such column. */
struct slice stat_field(const struct stat_table *table, const char *name);

bool stat_is(const struct stat_table *table, const char *name, const char *text);

/* The field without its quotes, cut to fit, never with a control character: it goes to a terminal. */
void stat_text(const struct stat_table *table, const char *name, char *buf, size_t cap);

/* Enough for bytes, and still a number that can be multiplied by 100. */
#define STAT_NUMBER_MAX (INT64_MAX / 1024)

/* -1 when the field is empty or no number to STAT_NUMBER_MAX. */
int64_t stat_number(const struct stat_table *table, const char *name);

#endif
