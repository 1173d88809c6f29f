/* Durations and dates. */
#include "cli/moment.h"

#include <time.h>

enum { DAY = 86400 };

static const int64_t duration_max = INT64_C(36525) * DAY;

bool moment_duration(struct slice text, int64_t *ret)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', DAY}, {'w', 7 * DAY}};
	uint64_t n;

	if (slice_is(text, "0")) {
		*ret = 0;
		return true;
	}
	if (text.n < 2)
		return false;
	char unit = text.p[text.n - 1];
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (unit != units[i].unit)
			continue;
		uint64_t max = (uint64_t)(duration_max / units[i].seconds);
		if (!slice_to_u64((struct slice){text.p, text.n - 1}, max, &n))
			return false;
		*ret = (int64_t)n * units[i].seconds;
		return true;
	}
	return false;
}

/* The number that stands in the pattern's place of n digits from `at` on. */
static int digits(struct slice text, size_t at, size_t n)
{
	int v = 0;

	for (size_t i = at; i < at + n; i++)
		v = v * 10 + (text.p[i] - '0');
	return v;
}

/* True when text has a digit wherever the pattern has '0' and the pattern's character elsewhere. */
static bool looks_like(struct slice text, const char *pattern)
{
	if (text.n != strlen(pattern))
		return false;
	for (size_t i = 0; i < text.n; i++) {
		bool digit = text.p[i] >= '0' && text.p[i] <= '9';
		if (pattern[i] == '0' ? !digit : text.p[i] != pattern[i])
			return false;
	}
	return true;
}

static bool parse_calendar(struct slice text, int64_t *ret)
{
	bool date_only = looks_like(text, "0000-00-00");

	if (!date_only && !looks_like(text, "0000-00-00T00:00:00Z"))
		return false;
	struct tm tm = {
		.tm_year = digits(text, 0, 4) - 1900,
		.tm_mon = digits(text, 5, 2) - 1,
		.tm_mday = digits(text, 8, 2),
	};
	if (!date_only) {
		tm.tm_hour = digits(text, 11, 2);
		tm.tm_min = digits(text, 14, 2);
		tm.tm_sec = digits(text, 17, 2);
	}
	/* timegm() makes 3 March of 31 February; a date that changes under it was none. */
	struct tm given = tm;
	time_t seconds = timegm(&tm);
	if (tm.tm_year != given.tm_year || tm.tm_mon != given.tm_mon || tm.tm_mday != given.tm_mday ||
	    tm.tm_hour != given.tm_hour || tm.tm_min != given.tm_min || tm.tm_sec != given.tm_sec)
		return false;
	*ret = (int64_t)seconds + (date_only ? DAY : 0);
	return true;
}

const char *moment_expiry(struct slice text, int64_t now, int64_t *ret)
{
	int64_t v;

	if (slice_is(text, "never")) {
		*ret = 0;
		return NULL;
	}
	if (moment_duration(text, &v))
		v += now;
	else if (!parse_calendar(text, &v))
		return "must be never, a duration like 90d or 12h, a date like 2026-12-31, or a time like "
		       "2026-12-31T18:00:00Z";
	if (v <= now)
		return "must lie in the future; to end a key now, revoke it";
	if (v > INT64_C(253402300799))
		return "must lie before the year 10000; write never for no expiry";
	*ret = v;
	return NULL;
}

void moment_put(struct strbuf *sb, int64_t seconds)
{
	time_t s = (time_t)seconds;
	struct tm tm;

	(void)gmtime_r(&s, &tm);
	strbuf_printf(sb, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		      tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void moment_put_age(struct strbuf *sb, int64_t seconds)
{
	long long n = seconds < 0 ? 0 : (long long)seconds;

	if (n < 60)
		strbuf_printf(sb, "%llds", n);
	else if (n < 3600)
		strbuf_printf(sb, "%lldm", n / 60);
	else if (n < DAY)
		strbuf_printf(sb, "%lldh%lldm", n / 3600, n / 60 % 60);
	else
		strbuf_printf(sb, "%lldd%lldh", n / DAY, n / 3600 % 24);
}
