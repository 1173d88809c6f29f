/* Slices: what must be refused first, then what must pass. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "base/slice.h"

Test(slice, u64_refuses)
{
	static const char *const bad[] = {"",
					  "-1",
					  "+1",
					  " 1",
					  "1 ",
					  "0x10",
					  "18446744073709551616",
					  "99999999999999999999",
					  "100000000000000000000",
					  "1e3",
					  "1.0"};
	uint64_t v = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert(!slice_to_u64(slice_of(bad[i]), UINT64_MAX, &v), "accepted '%s'", bad[i]);
	cr_assert(!slice_to_u64(SLICE_LIT("11"), 10, &v), "above the maximum");
	cr_assert_eq(v, 7, "touched on failure");
}

Test(slice, u64_accepts)
{
	uint64_t v = 0;

	cr_assert(slice_to_u64(SLICE_LIT("18446744073709551615"), UINT64_MAX, &v));
	cr_assert_eq(v, UINT64_MAX);
	cr_assert(slice_to_u64(SLICE_LIT("0"), 0, &v));
	cr_assert_eq(v, 0);
	cr_assert(slice_to_u64(SLICE_LIT("10"), 10, &v));
	cr_assert_eq(v, 10);
}

Test(slice, i64_signs_and_ranges)
{
	int64_t v = 7;

	cr_assert(!slice_to_i64(SLICE_LIT("--1"), -10, 10, &v));
	cr_assert(!slice_to_i64(SLICE_LIT("-"), -10, 10, &v));
	cr_assert(!slice_to_i64(SLICE_LIT("-11"), -10, 10, &v));
	cr_assert_eq(v, 7);
	cr_assert(slice_to_i64(SLICE_LIT("-10"), -10, 10, &v));
	cr_assert_eq(v, -10);
	cr_assert(slice_to_i64(SLICE_LIT("+3"), -10, 10, &v));
	cr_assert_eq(v, 3);
}

Test(slice, next_keeps_empty_parts)
{
	struct slice rest = SLICE_LIT(",a,,b,");
	static const char *const parts[] = {"", "a", "", "b", ""};
	struct slice part = {NULL, 0};
	size_t count = 0;

	while (slice_next(&rest, ',', &part)) {
		cr_assert_lt(count, 5);
		cr_assert(slice_is(part, parts[count]), "part %zu", count);
		count++;
	}
	cr_assert_eq(count, 5);
}

Test(slice, copy_needs_room_for_the_terminator)
{
	char buf[4];

	cr_assert(!slice_copy(SLICE_LIT("abcd"), buf, sizeof(buf)));
	cr_assert_str_eq(buf, "");
	cr_assert(slice_copy(SLICE_LIT("abc"), buf, sizeof(buf)));
	cr_assert_str_eq(buf, "abc");
}

Test(slice, comparisons)
{
	cr_assert(slice_eq_nocase(SLICE_LIT("BeArEr"), SLICE_LIT("bearer")));
	cr_assert(!slice_eq_nocase(SLICE_LIT("bearer"), SLICE_LIT("bearer ")));
	cr_assert(!slice_eq_nocase(SLICE_LIT("["), SLICE_LIT("{")), "only letters have case");
	cr_assert(slice_starts(SLICE_LIT("/v1/models"), SLICE_LIT("/v1/")));
	cr_assert(!slice_starts(SLICE_LIT("/v1"), SLICE_LIT("/v1/")));
	cr_assert(slice_is(slice_trim(SLICE_LIT(" \tx y\t ")), "x y"));
	cr_assert_eq(slice_trim(SLICE_LIT(" \t ")).n, 0);
}
