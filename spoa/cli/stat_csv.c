/* Readers of HAProxy's tables: a cursor over memory that copies nothing. */
#include "cli/stat_csv.h"

/* Cuts a field that opens with a quote, up to its closing one; "" inside stands for a quote. */
static bool take_quoted(struct slice *rest, struct slice *ret)
{
	size_t at = 1;

	while (at < rest->n && (rest->p[at] != '"' || (at + 1 < rest->n && rest->p[at + 1] == '"')))
		at += rest->p[at] == '"' ? 2 : 1;
	if (at >= rest->n)
		return false;
	*ret = (struct slice){rest->p, at + 1};
	*rest = (struct slice){rest->p + at + 1, rest->n - at - 1};
	return rest->n == 0 || rest->p[0] == ',' || rest->p[0] == '\n';
}

static void take_plain(struct slice *rest, char separator, struct slice *ret)
{
	size_t at = 0;

	while (at < rest->n && rest->p[at] != separator && rest->p[at] != '\n')
		at++;
	*ret = (struct slice){rest->p, at};
	*rest = (struct slice){rest->p + at, rest->n - at};
}

/* Takes a line's fields and its end. */
static bool take_line(struct slice *rest, char separator, struct slice fields[STAT_COLUMNS_MAX], size_t *ret)
{
	for (*ret = 0; *ret < STAT_COLUMNS_MAX;) {
		struct slice *field = &fields[*ret];
		if (separator == ',' && rest->n > 0 && rest->p[0] == '"') {
			if (!take_quoted(rest, field))
				return false;
		} else {
			take_plain(rest, separator, field);
		}
		if (field->n > STAT_FIELD_MAX)
			return false;
		(*ret)++;
		bool more = rest->n > 0 && rest->p[0] == separator;
		if (rest->n > 0)
			*rest = (struct slice){rest->p + 1, rest->n - 1};
		if (!more)
			return true;
	}
	return false;
}

static enum stat_status open_table(struct slice text, char separator, struct stat_table *ret)
{
	static const struct slice mark = {"# ", 2};

	ret->rest = text;
	ret->separator = separator;
	ret->columns = 0;
	if (!slice_starts(text, mark))
		return STAT_BAD;
	ret->rest = (struct slice){text.p + mark.n, text.n - mark.n};
	return take_line(&ret->rest, separator, ret->names, &ret->columns) ? STAT_OK : STAT_BAD;
}

enum stat_status stat_csv_open(struct slice text, struct stat_table *ret)
{
	return open_table(text, ',', ret);
}

enum stat_status stat_servers_open(struct slice text, struct stat_table *ret)
{
	struct slice version;

	if (!slice_next(&text, '\n', &version) || !slice_is(version, "1"))
		text.n = 0;
	return open_table(text, ' ', ret);
}

enum stat_status stat_next(struct stat_table *table)
{
	size_t count;

	while (table->rest.n > 0 && table->rest.p[0] == '\n')
		table->rest = (struct slice){table->rest.p + 1, table->rest.n - 1};
	if (table->rest.n == 0)
		return STAT_END;
	if (!take_line(&table->rest, table->separator, table->fields, &count))
		return STAT_BAD;
	for (; count < table->columns; count++)
		table->fields[count] = (struct slice){"", 0};
	return STAT_OK;
}

struct slice stat_field(const struct stat_table *table, const char *name)
{
	struct slice wanted = slice_of(name);

	for (size_t i = 0; i < table->columns; i++)
		if (slice_eq(table->names[i], wanted))
			return table->fields[i];
	return (struct slice){"", 0};
}

bool stat_is(const struct stat_table *table, const char *name, const char *text)
{
	return slice_is(stat_field(table, name), text);
}

void stat_text(const struct stat_table *table, const char *name, char *buf, size_t cap)
{
	struct slice field = stat_field(table, name);
	bool quoted = field.n >= 2 && field.p[0] == '"' && table->separator == ',';
	size_t len = 0;

	if (quoted)
		field = (struct slice){field.p + 1, field.n - 2};
	for (size_t i = 0; i < field.n && len + 1 < cap; i++) {
		unsigned char c = (unsigned char)field.p[i];
		buf[len++] = c < 0x20 || c >= 0x7F ? '?' : (char)c;
		if (quoted && c == '"')
			i++; /* the second of two quotes */
	}
	buf[len] = '\0';
}

int64_t stat_number(const struct stat_table *table, const char *name)
{
	int64_t v;

	return slice_to_i64(stat_field(table, name), 0, STAT_NUMBER_MAX, &v) ? v : -1;
}
