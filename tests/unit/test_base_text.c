/* Bounded text, JSON escaping and UTF-8. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/utf8.h"

static struct strbuf exact(char **buf, size_t cap)
{
	*buf = malloc(cap); /* exact size, so that the sanitizer sees a byte too many */
	return strbuf_over(*buf, cap);
}

Test(strbuf, overflow_is_sticky_and_never_writes_past_the_end)
{
	char *buf;
	struct strbuf sb = exact(&buf, 6);

	strbuf_puts(&sb, "abcde");
	cr_assert(!sb.overflow);
	strbuf_putc(&sb, 'f');
	cr_assert(sb.overflow);
	strbuf_puts(&sb, "");
	strbuf_printf(&sb, "%d", 1);
	cr_assert_str_eq(buf, "abcde");
	free(buf);
}

Test(strbuf, printf_that_does_not_fit_leaves_what_stood)
{
	char *buf;
	struct strbuf sb = exact(&buf, 8);

	strbuf_puts(&sb, "abc");
	strbuf_printf(&sb, "%s", "defgh");
	cr_assert(sb.overflow);
	cr_assert_str_eq(buf, "abc");
	free(buf);
}

Test(strbuf, numbers)
{
	char buf[64];
	struct strbuf sb = strbuf_over(buf, sizeof(buf));

	strbuf_u64(&sb, 0);
	strbuf_putc(&sb, ' ');
	strbuf_u64(&sb, UINT64_MAX);
	strbuf_putc(&sb, ' ');
	strbuf_i64(&sb, INT64_MIN);
	cr_assert_str_eq(buf, "0 18446744073709551615 -9223372036854775808");
}

Test(strbuf, json_is_valid_whatever_goes_in)
{
	static const struct {
		struct slice in;
		const char *out;
	} cases[] = {
		{SLICE_LIT(""), "\"\""},
		{SLICE_LIT("a\"b\\c\n"), "\"a\\\"b\\\\c\\n\""},
		{SLICE_LIT("\x00\x1f\x7f"), "\"\\u0000\\u001f\\u007f\""},
		{SLICE_LIT("caf\xc3\xa9"), "\"caf\xc3\xa9\""},
		{SLICE_LIT("\xff\xc3"), "\"\xef\xbf\xbd\xef\xbf\xbd\""},
		{SLICE_LIT("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
	};
	char buf[64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct strbuf sb = strbuf_over(buf, sizeof(buf));
		strbuf_json(&sb, cases[i].in);
		cr_assert_str_eq(buf, cases[i].out, "case %zu gave %s", i, buf);
	}
}

Test(strbuf, hex)
{
	char buf[8];
	struct strbuf sb = strbuf_over(buf, sizeof(buf));

	strbuf_hex(&sb, (const uint8_t *)"\x00\xaf\x1b", 3);
	cr_assert_str_eq(buf, "00af1b");
}

Test(utf8, refuses)
{
	static const struct slice bad[] = {
		SLICE_LIT("\x80"),             /* a tail alone */
		SLICE_LIT("\xc0\x80"),         /* overlong NUL */
		SLICE_LIT("\xc1\xbf"),         /* overlong */
		SLICE_LIT("\xe0\x9f\xbf"),     /* overlong */
		SLICE_LIT("\xf0\x8f\xbf\xbf"), /* overlong */
		SLICE_LIT("\xed\xa0\x80"),     /* surrogate */
		SLICE_LIT("\xf4\x90\x80\x80"), /* above U+10FFFF */
		SLICE_LIT("\xf5\x80\x80\x80"),
		SLICE_LIT("\xff"),
		SLICE_LIT("\xe2\x82"),
		SLICE_LIT("\xe2\x82\x41"),
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert(!utf8_valid(bad[i]), "case %zu", i);
}

Test(utf8, accepts_the_edges)
{
	cr_assert(utf8_valid(SLICE_LIT("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"
				       "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")));
	cr_assert(utf8_valid(SLICE_LIT("")));
}

Test(clock, rfc3339)
{
	char buf[40];
	struct strbuf sb = strbuf_over(buf, sizeof(buf));

	clock_rfc3339(&sb, 1767323045000006);
	cr_assert_str_eq(buf, "2026-01-02T03:04:05.000006Z");
}
