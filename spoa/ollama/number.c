/* Decimal arithmetic on digits. */
#include "ollama/number.h"

#define MS_MAX ((uint64_t)(INT64_MAX / 1000000)) /* what Go's nanoseconds can hold */
#define EXPONENT_MAX 300                         /* beyond, float64 over- or underflows */

struct decimal {
	bool negative;
	bool exact; /* nothing was cut off */
	uint64_t magnitude;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Splits off the exponent; false when it is out of bounds. */
static bool take_exponent(struct slice *text, int64_t *ret)
{
	size_t at = 0;

	while (at < text->n && text->p[at] != 'e' && text->p[at] != 'E')
		at++;
	*ret = 0;
	if (at == text->n)
		return true;
	struct slice digits = {text->p + at + 1, text->n - at - 1};
	text->n = at;
	return slice_to_i64(digits, -EXPONENT_MAX, EXPONENT_MAX, ret);
}

/* text * 10^shift, cut to an integer. False when it exceeds max. */
static bool scale(struct slice text, int shift, uint64_t max, struct decimal *ret)
{
	struct decimal d = {.exact = true};
	int64_t places;

	if (!take_exponent(&text, &places))
		return false;
	places += shift;
	bool fraction = false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '-') {
			d.negative = true;
		} else if (text.p[i] == '.') {
			fraction = true;
		} else if (!fraction || places > 0) {
			unsigned digit = (unsigned)(text.p[i] - '0');
			if (d.magnitude > (max - digit) / 10)
				return false;
			d.magnitude = d.magnitude * 10 + digit;
			places -= fraction;
		} else {
			d.exact = d.exact && text.p[i] == '0';
		}
	}
	for (; places > 0 && d.magnitude > 0; places--) {
		if (d.magnitude > max / 10)
			return false;
		d.magnitude *= 10;
	}
	for (; places < 0 && d.magnitude > 0; places++) {
		d.exact = d.exact && d.magnitude % 10 == 0;
		d.magnitude /= 10;
	}
	*ret = d;
	return true;
}

bool number_integer(struct slice text, int64_t *ret)
{
	return slice_to_i64(text, INT64_MIN, INT64_MAX, ret);
}

bool number_whole(struct slice text, int64_t *ret)
{
	struct decimal d;

	if (!scale(text, 0, NUMBER_WHOLE_MAX, &d) || !d.exact)
		return false;
	*ret = d.negative ? -(int64_t)d.magnitude : (int64_t)d.magnitude;
	return true;
}

bool number_seconds(struct slice text, int64_t *ret_ms)
{
	struct decimal d;

	if (!scale(text, 3, MS_MAX, &d))
		return false;
	bool below_zero = d.negative && (d.magnitude > 0 || !d.exact);
	*ret_ms = below_zero ? -1 : (int64_t)d.magnitude;
	return true;
}

struct unit {
	const char *name;
	uint64_t ns;
};

static uint64_t unit_ns(struct slice name)
{
	static const struct unit units[] = {
		{"ns", 1},           {"us", 1000},      {"\xC2\xB5s", 1000}, /* U+00B5 micro sign */
		{"\xCE\xBCs", 1000},                                         /* U+03BC Greek mu */
		{"ms", 1000000},     {"s", 1000000000}, {"m", 60000000000},  {"h", 3600000000000},
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (slice_is(name, units[i].name))
			return units[i].ns;
	return 0;
}

static struct slice take_while(struct slice *rest, bool (*want)(char))
{
	struct slice part = {rest->p, 0};

	while (part.n < rest->n && want(part.p[part.n]))
		part.n++;
	rest->p += part.n;
	rest->n -= part.n;
	return part;
}

static bool is_unit(char c)
{
	return c != '.' && !is_digit(c);
}

/* One number with its unit, added to *ns. Go's own arithmetic, its float included. */
static bool take_term(struct slice *rest, uint64_t *ns)
{
	const uint64_t limit = (uint64_t)1 << 63;
	struct slice whole = take_while(rest, is_digit);
	struct slice fraction = {NULL, 0};
	uint64_t v = 0;
	uint64_t f = 0;
	double f_scale = 1;

	if (rest->n > 0 && rest->p[0] == '.') {
		rest->p++;
		rest->n--;
		fraction = take_while(rest, is_digit);
	}
	struct slice name = take_while(rest, is_unit);
	uint64_t unit = unit_ns(name);
	if (whole.n + fraction.n == 0 || unit == 0)
		return false;
	if (whole.n > 0 && !slice_to_u64(whole, limit / unit, &v))
		return false;
	v *= unit;
	for (size_t i = 0; i < fraction.n && f < limit / 10 - 1; i++) {
		f = f * 10 + (uint64_t)(fraction.p[i] - '0');
		f_scale *= 10;
	}
	v += (uint64_t)((double)f * ((double)unit / f_scale));
	*ns += v; /* both are at most 2^63 and a little */
	return *ns <= limit;
}

bool duration_parse(struct slice text, int64_t *ret_ms)
{
	uint64_t ns = 0;
	bool negative = text.n > 0 && text.p[0] == '-';

	if (text.n > 0 && (text.p[0] == '-' || text.p[0] == '+')) {
		text.p++;
		text.n--;
	}
	if (slice_is(text, "0")) {
		*ret_ms = 0;
		return true;
	}
	if (text.n == 0)
		return false;
	while (text.n > 0)
		if (!take_term(&text, &ns))
			return false;
	if (!negative && ns > INT64_MAX)
		return false;
	*ret_ms = negative && ns > 0 ? -1 : (int64_t)(ns / 1000000);
	return true;
}
