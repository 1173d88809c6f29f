/* Samples: name{label="value",…} value [timestamp] */
#include "cli/exposition.h"

#include <stdlib.h>

enum { NUMBER_MAX = 64 };

static bool is_name(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' ||
	       (!first && c >= '0' && c <= '9');
}

static void advance(struct slice *s, size_t n)
{
	*s = (struct slice){s->p + n, s->n - n};
}

static void skip_blanks(struct slice *s)
{
	while (s->n > 0 && (s->p[0] == ' ' || s->p[0] == '\t'))
		advance(s, 1);
}

static bool take_char(struct slice *s, char c)
{
	skip_blanks(s);
	if (s->n == 0 || s->p[0] != c)
		return false;
	advance(s, 1);
	return true;
}

static bool take_name(struct slice *s, struct slice *ret)
{
	size_t n = 0;

	skip_blanks(s);
	while (n < s->n && is_name(s->p[n], n == 0))
		n++;
	*ret = (struct slice){s->p, n};
	advance(s, n);
	return n > 0;
}

/* From the opening quote to behind the closing one. */
static bool take_string(struct slice *s, struct slice *ret)
{
	size_t n = 0;

	if (!take_char(s, '"'))
		return false;
	while (n < s->n && s->p[n] != '"')
		n += s->p[n] == '\\' ? 2 : 1;
	if (n >= s->n)
		return false;
	*ret = (struct slice){s->p, n};
	advance(s, n + 1);
	return true;
}

static bool take_pair(struct slice *s, struct slice *name, struct slice *value)
{
	return take_name(s, name) && take_char(s, '=') && take_string(s, value);
}

static bool take_labels(struct slice *s, struct slice *ret)
{
	const char *start = s->p;
	struct slice name, value;

	for (bool more = true; more && !take_char(s, '}');) {
		if (!take_pair(s, &name, &value))
			return false;
		more = take_char(s, ',');
		if (!more && !take_char(s, '}'))
			return false;
	}
	*ret = (struct slice){start, (size_t)(s->p - start) - 1};
	return true;
}

static bool take_value(struct slice *s, double *ret)
{
	char text[NUMBER_MAX], *end;
	struct slice word;

	skip_blanks(s);
	if (!slice_next(s, ' ', &word) || word.n == 0 || !slice_copy(word, text, sizeof(text)))
		return false;
	*ret = strtod(text, &end);
	return end == text + word.n;
}

static bool take_sample(struct slice line, struct sample *ret)
{
	struct sample sample = {.labels = {"", 0}};
	int64_t when;

	if (!take_name(&line, &sample.name))
		return false;
	if (take_char(&line, '{') && !take_labels(&line, &sample.labels))
		return false;
	if (!take_value(&line, &sample.value))
		return false;
	line = slice_trim(line);
	if (line.n > 0 && !slice_to_i64(line, INT64_MIN, INT64_MAX, &when))
		return false;
	*ret = sample;
	return true;
}

enum exposition_status exposition_next(struct slice *rest, struct sample *ret)
{
	struct slice line;

	while (rest->n > 0 && slice_next(rest, '\n', &line)) {
		line = slice_trim(line);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		return take_sample(line, ret) ? EXPOSITION_OK : EXPOSITION_BAD;
	}
	return EXPOSITION_END;
}

bool sample_label(const struct sample *sample, const char *name, struct slice *ret)
{
	struct slice rest = sample->labels, own, value;

	while (take_pair(&rest, &own, &value)) {
		if (slice_is(own, name)) {
			*ret = value;
			return true;
		}
		(void)take_char(&rest, ',');
	}
	return false;
}
