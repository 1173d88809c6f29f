/* The record's text: what is refused comes first. */
#include <criterion/criterion.h>

#include "limit/admission.h"

Test(admission, ids_that_could_break_a_name_or_a_field)
{
	static const char *const bad[] = {
		"",    " ",
		"a b", "a}",
		"{a",  "a\n",
		"a*",  "\xc3\xa4",
		"a/b", "12345678901234567890123456789012345678901234567890123456789012345"};
	static const char *const good[] = {
		"a", "0-9_.:Z", "3f0c1a52-7d0e-4a43-9a11-0c5f3b0a9d11",
		"1234567890123456789012345678901234567890123456789012345678901234"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_not(admission_id_valid(slice_of(bad[i])), "bad %zu", i);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_expect(admission_id_valid(slice_of(good[i])), "good %zu", i);
	cr_expect_not(admission_id_valid((struct slice){"a\0b", 3}));
}

Test(admission, fields_that_are_not_ours)
{
	static const char *const bad[] = {
		"",
		"1",
		"1 1 kt t k",
		"1 1 kt t k n x",
		"1 1 kt t k n ",
		"1 1  t k n",
		"-1 1 kt t k n",
		"x 1 kt t k n",
		"1 -1 kt t k n",
		"1 4294967296 kt t k n",
		"1 1 tk t k n",
		"1 1 x t k n",
		"1 1 kt  k n",
		"1 1 kt t k {n}",
		"9223372036855 1 kt t k n",
		"99999999999999999999 1 kt t k n",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct admission_attempt a = {.second = 42};
		cr_expect_not(admission_decode(slice_of(bad[i]), &a), "%s", bad[i]);
		cr_expect_eq(a.second, 42, "untouched on failure");
	}
}

Test(admission, what_is_written_is_read)
{
	for (unsigned charged = 0; charged < 4; charged++) {
		char buf[ADMISSION_VALUE_MAX];
		struct strbuf sb = strbuf_over(buf, sizeof(buf));
		struct admission_attempt back, a = {
						       .second = 1740000000 + charged,
						       .n = UINT32_MAX,
						       .key_charged = (charged & 1) != 0,
						       .tenant_charged = (charged & 2) != 0,
						       .ticket = SLICE_LIT("ticket-1"),
						       .key = SLICE_LIT("AbCdEf123456"),
						       .tenant = SLICE_LIT("team-a"),
					       };
		admission_encode(&sb, &a);
		cr_assert(admission_decode(strbuf_slice(&sb), &back), "%s", buf);
		cr_expect_eq(back.second, a.second);
		cr_expect_eq(back.n, a.n);
		cr_expect_eq(back.key_charged, a.key_charged);
		cr_expect_eq(back.tenant_charged, a.tenant_charged);
		cr_expect(slice_eq(back.ticket, a.ticket) && slice_eq(back.key, a.key) &&
			  slice_eq(back.tenant, a.tenant));
	}
}

Test(admission, the_longest_record_fits)
{
	char id[ADMISSION_ID_MAX + 1], name[ADMISSION_NAME_MAX], value[ADMISSION_VALUE_MAX];
	struct strbuf sb = strbuf_over(value, sizeof(value));

	memset(id, 'x', ADMISSION_ID_MAX);
	id[ADMISSION_ID_MAX] = '\0';
	struct admission_attempt a = {INT64_MAX / 1000000, UINT32_MAX,   true,        true,
				      slice_of(id),        slice_of(id), slice_of(id)};
	admission_encode(&sb, &a);
	cr_assert_not(sb.overflow);
	sb = strbuf_over(name, sizeof(name));
	admission_name(&sb, slice_of(id));
	cr_assert_not(sb.overflow);
}
