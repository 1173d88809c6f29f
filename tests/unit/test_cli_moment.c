/* Times on the command line: what is no time comes first. */
#include <criterion/criterion.h>

#include "cli/moment.h"

Test(cli_moment, refused_durations)
{
	static const char *const rows[] = {"",
					   "d",
					   "1",
					   "00",
					   "-1d",
					   "+1d",
					   "1.5h",
					   "1 d",
					   " 1d",
					   "1d ",
					   "1D",
					   "1y",
					   "1dh",
					   "1d1h",
					   "x1d",
					   "never",
					   "36526d",
					   "99999999999999999999s",
					   "18446744073709551615w"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t v = 42;
		cr_assert_not(moment_duration(slice_of(rows[i]), &v), "%s", rows[i]);
		cr_assert_eq(v, 42, "untouched");
	}
}

Test(cli_moment, durations)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = {{"0", 0},       {"0s", 0},           {"45s", 45},        {"30m", 1800},
		    {"24h", 86400}, {"90d", 90 * 86400}, {"2w", 14 * 86400}, {"36525d", INT64_C(3155760000)}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t v;
		cr_assert(moment_duration(slice_of(rows[i].text), &v), "%s", rows[i].text);
		cr_assert_eq(v, rows[i].seconds, "%s", rows[i].text);
	}
}

enum { NOW = 1700000000 }; /* 2023-11-14T22:13:20Z */

Test(cli_moment, refused_expiries)
{
	static const char *const rows[] = {
		"",
		"soon",
		"Never",
		"0",
		"0s",
		"1",
		"2023-11-13",
		"2023-11-14T22:13:20Z",
		"1969-12-31",
		"0000-00-00",
		"2031-02-29",
		"2031-13-01",
		"2031-00-01",
		"2031-01-00",
		"2031-01-32",
		"2031-04-31",
		"2031-1-1",
		"31-01-01",
		"2031/01/01",
		"2031-01-01 ",
		"2031-01-01T00:00:00",
		"2031-01-01T00:00:00+00:00",
		"2031-01-01T24:00:00Z",
		"2031-01-01T00:60:00Z",
		"2031-01-01T00:00:60Z",
		"2031-01-01t00:00:00z",
		"10000-01-01",
		"9999-12-31",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t v = 42;
		cr_assert_not_null(moment_expiry(slice_of(rows[i]), NOW, &v), "%s", rows[i]);
		cr_assert_eq(v, 42, "untouched");
	}
}

Test(cli_moment, expiries)
{
	static const struct {
		const char *text;
		int64_t expected;
		const char *shown;
	} rows[] = {
		{"1s", NOW + 1, "2023-11-14T22:13:21Z"},
		{"90d", NOW + 90 * 86400, "2024-02-12T22:13:20Z"},
		{"2023-11-14", 1700006400, "2023-11-15T00:00:00Z"}, /* today still has hours left */
		{"2024-02-29", 1709251200, "2024-03-01T00:00:00Z"},
		{"2026-12-31", 1798761600, "2027-01-01T00:00:00Z"},
		{"2023-11-14T22:13:21Z", NOW + 1, "2023-11-14T22:13:21Z"},
		{"9999-12-31T23:59:59Z", INT64_C(253402300799), "9999-12-31T23:59:59Z"},
	};
	int64_t v;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[32];
		struct strbuf sb = strbuf_over(text, sizeof(text));
		cr_assert_null(moment_expiry(slice_of(rows[i].text), NOW, &v), "%s", rows[i].text);
		cr_assert_eq(v, rows[i].expected, "%s", rows[i].text);
		moment_put(&sb, v);
		cr_assert_str_eq(text, rows[i].shown);
	}
	cr_assert_null(moment_expiry(SLICE_LIT("never"), NOW, &v));
	cr_assert_eq(v, 0);
}
