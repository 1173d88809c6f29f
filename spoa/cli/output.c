/* Printing of results. */
#include "cli/output.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/moment.h"

enum {
	CELL_MAX = 2 * RECORD_MODELS_TEXT, /* a comma becomes a comma and a space */
	COLUMNS_MAX = 16,
};

static bool is_nothing(const json_t *v)
{
	return v == NULL || json_is_null(v) || (json_is_integer(v) && json_integer_value(v) == 0) ||
	       (json_is_string(v) && json_string_length(v) == 0) ||
	       (json_is_array(v) && json_array_size(v) == 0);
}

/* The text of one value; a priority of 0 is a value like others, so its column has no `nothing`. */
static struct slice cell_text(const json_t *row, const struct output_column *column, char buf[CELL_MAX])
{
	struct strbuf sb = strbuf_over(buf, CELL_MAX);
	const json_t *v = json_object_get(row, column->member);

	if (column->nothing != NULL && is_nothing(v))
		strbuf_puts(&sb, column->nothing);
	else if (json_is_string(v))
		strbuf_puts(&sb, json_string_value(v));
	else if (json_is_integer(v))
		strbuf_i64(&sb, json_integer_value(v));
	else if (json_is_boolean(v))
		strbuf_puts(&sb, json_is_true(v) ? "yes" : "no");
	for (size_t i = 0; i < json_array_size(v) && !is_nothing(v); i++) {
		strbuf_puts(&sb, i > 0 ? ", " : "");
		strbuf_puts(&sb, json_string_value(json_array_get(v, i)));
	}
	return strbuf_slice(&sb);
}

/* Characters, not bytes: names are UTF-8. Wide ones count as one. */
static size_t text_width(struct slice s)
{
	size_t width = 0;

	for (size_t i = 0; i < s.n; i++)
		width += ((unsigned char)s.p[i] & 0xC0) != 0x80;
	return width;
}

static void put_padded(struct slice s, size_t width, bool last)
{
	(void)fwrite(s.p, 1, s.n, stdout);
	for (size_t w = text_width(s); w < width + 2 && !last; w++)
		(void)fputc(' ', stdout);
}

static void print_table(const json_t *array, const struct output_column *columns, size_t count)
{
	char buf[CELL_MAX];
	size_t width[COLUMNS_MAX] = {0};

	assert(count <= COLUMNS_MAX);
	for (size_t c = 0; c < count; c++) {
		width[c] = strlen(columns[c].title);
		for (size_t i = 0; i < json_array_size(array); i++) {
			size_t w = text_width(cell_text(json_array_get(array, i), &columns[c], buf));
			width[c] = w > width[c] ? w : width[c];
		}
	}
	for (size_t c = 0; c < count; c++)
		put_padded(slice_of(columns[c].title), width[c], c + 1 == count);
	(void)fputc('\n', stdout);
	for (size_t i = 0; i < json_array_size(array); i++) {
		for (size_t c = 0; c < count; c++)
			put_padded(cell_text(json_array_get(array, i), &columns[c], buf), width[c],
				   c + 1 == count);
		(void)fputc('\n', stdout);
	}
}

static void print_lines(const json_t *object, const struct output_column *lines, size_t count)
{
	char buf[CELL_MAX];
	size_t width = 0;

	for (size_t i = 0; i < count; i++)
		width = strlen(lines[i].title) > width ? strlen(lines[i].title) : width;
	for (size_t i = 0; i < count; i++) {
		if (json_object_get(object, lines[i].member) == NULL)
			continue;
		put_padded(slice_of(lines[i].title), width, false);
		put_padded(cell_text(object, &lines[i], buf), 0, true);
		(void)fputc('\n', stdout);
	}
}

struct sort_row {
	const char *first;
	const char *second;
	size_t at; /* keeps the order of equals */
	json_t *json;
};

static int compare_rows(const void *left, const void *right)
{
	const struct sort_row *a = left, *b = right;
	int order = strcmp(a->first, b->first);

	order = order != 0 ? order : strcmp(a->second, b->second);
	return order != 0 ? order : (a->at > b->at) - (a->at < b->at);
}

void output_sort(json_t *array, const char *first, const char *second)
{
	size_t n = json_array_size(array);
	struct sort_row *rows = calloc(n + 1, sizeof(*rows));

	if (rows == NULL)
		return; /* unsorted is still right */
	for (size_t i = 0; i < n; i++) {
		json_t *json = json_incref(json_array_get(array, i));
		rows[i] = (struct sort_row){json_string_value(json_object_get(json, first)),
					    json_string_value(json_object_get(json, second)), i, json};
	}
	qsort(rows, n, sizeof(*rows), compare_rows);
	for (size_t i = 0; i < n; i++)
		(void)json_array_set_new(array, i, rows[i].json);
	free(rows);
}

static bool finish(json_t *json, bool as_json)
{
	bool ok = true;

	if (as_json)
		ok = json_dumpf(json, stdout, JSON_INDENT(2)) == 0 && fputc('\n', stdout) != EOF;
	json_decref(json);
	if (fflush(stdout) == 0 && !ferror(stdout) && ok)
		return true;
	cli_error("the result could not be written to standard output");
	return false;
}

bool output_list(bool as_json, json_t *array, const struct output_column *columns, size_t count)
{
	if (!as_json)
		print_table(array, columns, count);
	return finish(array, as_json);
}

bool output_object(bool as_json, json_t *object, const struct output_column *lines, size_t count)
{
	if (object == NULL) {
		cli_error("out of memory");
		return false;
	}
	if (!as_json)
		print_lines(object, lines, count);
	return finish(object, as_json);
}

/* null for 0: never, or not known. */
static json_t *json_moment(int64_t seconds)
{
	char buf[32];
	struct strbuf sb = strbuf_over(buf, sizeof(buf));

	if (seconds == 0)
		return json_null();
	moment_put(&sb, seconds);
	return json_string(buf);
}

static json_t *json_models(const struct key_record *rec)
{
	json_t *array = json_array();
	struct slice rest = record_key_models(rec), part;

	while (rest.n > 0 && slice_next(&rest, ',', &part))
		(void)json_array_append_new(array, json_stringn(part.p, part.n));
	return array;
}

static json_t *json_networks(const struct key_record *rec)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < rec->network_count; i++) {
		char buf[NETWORK_TEXT_MAX];
		struct strbuf sb = strbuf_over(buf, sizeof(buf));
		network_put(&sb, &rec->networks[i]);
		(void)json_array_append_new(array, json_string(buf));
	}
	return array;
}

json_t *output_key(const struct key_record *rec, int64_t now)
{
	bool expired = rec->expires != 0 && rec->expires <= now;
	bool overlap = rec->previous.pepper != 0 && rec->previous_until > now;

	return json_pack("{ss ss ss ss ss sb so so sI si so so sI so}", "id", rec->id, "tenant", rec->tenant,
			 "name", rec->name, "role", record_role_name(rec->role), "state",
			 record_state_name(rec->state), "expired", expired, "created",
			 json_moment(rec->created), "expires", json_moment(rec->expires), "rpm",
			 (json_int_t)rec->rpm, "priority", rec->priority, "models", json_models(rec),
			 "networks", json_networks(rec), "pepper", (json_int_t)rec->current.pepper,
			 "previous_until", json_moment(overlap ? rec->previous_until : 0));
}

json_t *output_tenant(const struct tenant_record *rec)
{
	return json_pack("{ss ss ss so sI}", "id", rec->id, "name", rec->name, "state",
			 record_state_name(rec->state), "created", json_moment(rec->created), "rpm",
			 (json_int_t)rec->rpm);
}

enum cli_exit output_confirm(const char *question)
{
	char answer[16] = "";

	if (!isatty(STDIN_FILENO)) {
		cli_error("there is no terminal to ask on; add --yes if you mean it");
		return CLI_USAGE;
	}
	(void)fprintf(stderr, "%s [y/N] ", question);
	if (fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y'))
		return CLI_OK;
	cli_error("nothing was changed");
	return CLI_FAILED;
}
