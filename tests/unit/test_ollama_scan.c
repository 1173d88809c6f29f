/* The body scanner: what must be refused comes first. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "ollama/scan.h"

#define ALL ((1U << NAME_FIELDS) - 1)

/* Feeds `body` in pieces of `step` bytes (0: whole). */
static enum scan_status scan_in(struct scan *s, struct slice body, size_t step)
{
	scan_init(s, ALL);
	while (body.n > 0) {
		size_t n = step == 0 || step > body.n ? body.n : step;
		(void)scan_feed(s, (struct slice){body.p, n});
		body.p += n;
		body.n -= n;
	}
	return scan_finish(s);
}

static enum scan_status scan_text(struct scan *s, const char *text)
{
	return scan_in(s, slice_of(text), 0);
}

static void expect_bad(struct slice body, enum scan_reason reason, uint64_t offset, const char *field)
{
	for (size_t step = 0; step < 3; step++) {
		struct scan s;
		cr_expect_eq(scan_in(&s, body, step), SCAN_BAD, "%.*s", SLICE_FMT(body));
		cr_expect_eq(s.reason, reason, "%.*s: %s", SLICE_FMT(body), scan_reason_name(s.reason));
		cr_expect_eq(s.offset, offset, "%.*s: offset %d", SLICE_FMT(body), (int)s.offset);
		cr_expect(field == NULL ? s.field == NULL : s.field != NULL && strcmp(s.field, field) == 0,
			  "%.*s: field %s", SLICE_FMT(body), s.field ? s.field : "none");
	}
}

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A256 A64 A64 A64 A64

Test(ollama_scan, not_json)
{
	static const struct {
		const char *text;
		enum scan_reason reason;
		uint64_t offset;
	} cases[] = {
		{"", SCAN_EMPTY, 0},
		{" \t\r\n", SCAN_EMPTY, 4},
		{"{", SCAN_TRUNCATED, 1},
		{"{\"model\":\"x\"", SCAN_TRUNCATED, 12},
		{"{\"model\":\"x", SCAN_TRUNCATED, 11},
		{"{\"a\":1", SCAN_TRUNCATED, 6},
		{"{\"a\":\"\\u00", SCAN_TRUNCATED, 10},
		{"{\"a\":\"\xE2\x82", SCAN_TRUNCATED, 8},
		{"x", SCAN_SYNTAX, 0},
		{"\f{}", SCAN_SYNTAX, 0},
		{"{,}", SCAN_SYNTAX, 1},
		{"{\"a\"}", SCAN_SYNTAX, 4},
		{"{\"a\":}", SCAN_SYNTAX, 5},
		{"{\"a\":1,}", SCAN_SYNTAX, 7},
		{"{\"a\":1 \"b\":2}", SCAN_SYNTAX, 7},
		{"{'a':1}", SCAN_SYNTAX, 1},
		{"{a:1}", SCAN_SYNTAX, 1},
		{"{\"a\":[1,]}", SCAN_SYNTAX, 8},
		{"{\"a\":[,1]}", SCAN_SYNTAX, 6},
		{"{\"a\":[1}", SCAN_SYNTAX, 7},
		{"{\"a\":1]", SCAN_SYNTAX, 6},
		{"{\"a\":nul}", SCAN_SYNTAX, 8},
		{"{\"a\":nulL}", SCAN_SYNTAX, 8},
		{"{\"a\":truee}", SCAN_SYNTAX, 9},
		{"{\"a\":True}", SCAN_SYNTAX, 5},
		{"{\"a\":NaN}", SCAN_SYNTAX, 5},
		{"{\"a\":01}", SCAN_SYNTAX, 6},
		{"{\"a\":-}", SCAN_SYNTAX, 6},
		{"{\"a\":+1}", SCAN_SYNTAX, 5},
		{"{\"a\":1.}", SCAN_SYNTAX, 7},
		{"{\"a\":.5}", SCAN_SYNTAX, 5},
		{"{\"a\":1e}", SCAN_SYNTAX, 7},
		{"{\"a\":1e+}", SCAN_SYNTAX, 8},
		{"{\"a\":0x1}", SCAN_SYNTAX, 6},
		{"{\"a\":1-}", SCAN_SYNTAX, 6},
		{"{/**/}", SCAN_SYNTAX, 1},
		{"{}\x0B", SCAN_TRAILING, 2},
		{"{} {}", SCAN_TRAILING, 3},
		{"{}x", SCAN_TRAILING, 2},
		{"{}}", SCAN_TRAILING, 2},
		{"\xEF\xBB\xBF{}", SCAN_BOM, 0},
		{"[]", SCAN_NOT_OBJECT, 0},
		{" null", SCAN_NOT_OBJECT, 1},
		{"true", SCAN_NOT_OBJECT, 0},
		{"\"{}\"", SCAN_NOT_OBJECT, 0},
		{"1", SCAN_NOT_OBJECT, 0},
		{"{\"a\":\"\n\"}", SCAN_CONTROL, 6},
		{"{\"a\":\"\x1F\"}", SCAN_CONTROL, 6},
		{"{\"\t\":1}", SCAN_CONTROL, 2},
		{"{\"a\":\"\\x\"}", SCAN_ESCAPE, 7},
		{"{\"a\":\"\\'\"}", SCAN_ESCAPE, 7},
		{"{\"a\":\"\\u00g0\"}", SCAN_ESCAPE, 10},
		{"{\"a\":\"\\u00:0\"}", SCAN_ESCAPE, 10},
		{"{\"a\":\"\\U0041\"}", SCAN_ESCAPE, 7},
		{"{\"a\":\"\\u12\"}", SCAN_ESCAPE, 10},
		{"{\"a\":\"\\\n\"}", SCAN_ESCAPE, 7},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_bad(slice_of(cases[i].text), cases[i].reason, cases[i].offset, NULL);
	expect_bad((struct slice){"{\"a\":\"\0\"}", 9}, SCAN_CONTROL, 6, NULL);
	expect_bad((struct slice){"{\"a\":\"\\\0\"}", 10}, SCAN_ESCAPE, 7, NULL);
	expect_bad((struct slice){"{}\0", 3}, SCAN_TRAILING, 2, NULL);
}

Test(ollama_scan, invalid_utf8)
{
	static const struct {
		const char *text;
		uint64_t offset;
	} cases[] = {
		{"{\"a\":\"\xFF\"}", 6},
		{"{\"a\":\"\x80\"}", 6},
		{"{\"a\":\"\xC0\x80\"}", 6},
		{"{\"a\":\"\xC1\xBF\"}", 6},
		{"{\"a\":\"\xC3\"}", 7},
		{"{\"a\":\"\xE0\x9F\xBF\"}", 7},
		{"{\"a\":\"\xED\xA0\x80\"}", 7},
		{"{\"a\":\"\xE2\x82\"}", 8},
		{"{\"a\":\"\xF0\x8F\xBF\xBF\"}", 7},
		{"{\"a\":\"\xF4\x90\x80\x80\"}", 7},
		{"{\"a\":\"\xF5\x80\x80\x80\"}", 6},
		{"{\"a\":\"12345678\xE2\x28\xA1\"}", 15},
		{"{\"\xFF\":1}", 2},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_bad(slice_of(cases[i].text), SCAN_UTF8, cases[i].offset, NULL);
}

Test(ollama_scan, keys_that_matter)
{
	static const struct {
		const char *text;
		enum scan_reason reason;
		uint64_t offset;
		const char *field;
	} cases[] = {
		{"{\"model\":\"a\",\"model\":\"b\"}", SCAN_DUPLICATE_KEY, 20, "model"},
		{"{\"model\":\"a\",\"model\":null}", SCAN_DUPLICATE_KEY, 20, "model"},
		{"{\"model\":null,\"model\":\"a\"}", SCAN_DUPLICATE_KEY, 21, "model"},
		{"{\"stream\":true,\"x\":1,\"stream\":true}", SCAN_DUPLICATE_KEY, 29, "stream"},
		{"{\"messages\":[],\"messages\":[]}", SCAN_DUPLICATE_KEY, 25, "messages"},
		{"{\"options\":{},\"options\":{}}", SCAN_DUPLICATE_KEY, 23, "options"},
		{"{\"options\":{\"num_ctx\":1,\"num_ctx\":2}}", SCAN_DUPLICATE_KEY, 33, "num_ctx"},
		{"{\"tools\":[],\"tools\":[]}", SCAN_DUPLICATE_KEY, 19, "tools"},
		{"{\"prompt\":\"\",\"prompt\":\"\"}", SCAN_DUPLICATE_KEY, 21, "prompt"},
		{"{\"Model\":\"a\"}", SCAN_KEY_CASE, 8, "model"},
		{"{\"MODEL\":\"a\"}", SCAN_KEY_CASE, 8, "model"},
		{"{\"\xC5\xBFtream\":true}", SCAN_KEY_CASE, 10, "stream"},
		{"{\"\xE2\x84\xAA"
		 "eep_alive\":0}",
		 SCAN_KEY_CASE, 15, "keep_alive"},
		{"{\"me\xC5\xBF\xC5\xBF"
		 "ages\":[]}",
		 SCAN_KEY_CASE, 13, "messages"},
		{"{\"max_completion_to\xE2\x84\xAA"
		 "en\xC5\xBF\":1}",
		 SCAN_KEY_CASE, 27, "max_completion_tokens"},
		{"{\"N\":1}", SCAN_KEY_CASE, 4, "n"},
		{"{\"Options\":{}}", SCAN_KEY_CASE, 10, "options"},
		{"{\"options\":{\"Num_ctx\":1}}", SCAN_KEY_CASE, 21, "num_ctx"},
		{"{\"m\\u006fdel\":\"a\"}", SCAN_KEY_ESCAPE, 3, NULL},
		{"{\"\\u017ftream\":true}", SCAN_KEY_ESCAPE, 2, NULL},
		{"{\"anything\\n\":1}", SCAN_KEY_ESCAPE, 10, NULL},
		{"{\"options\":{\"num\\u005fctx\":1}}", SCAN_KEY_ESCAPE, 16, NULL},
		{"{\"tools\":[{\"t\\u0079pe\":\"x\"}]}", SCAN_KEY_ESCAPE, 13, NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_bad(slice_of(cases[i].text), cases[i].reason, cases[i].offset, cases[i].field);
}

Test(ollama_scan, wrong_types_and_values)
{
	static const struct {
		const char *member;
		enum scan_reason reason;
		const char *field;
	} cases[] = {
		{"\"model\":1", SCAN_TYPE, "model"},
		{"\"model\":[\"a\"]", SCAN_TYPE, "model"},
		{"\"model\":{}", SCAN_TYPE, "model"},
		{"\"model\":true", SCAN_TYPE, "model"},
		{"\"name\":0", SCAN_TYPE, "name"},
		{"\"stream\":\"false\"", SCAN_TYPE, "stream"},
		{"\"stream\":0", SCAN_TYPE, "stream"},
		{"\"raw\":1", SCAN_TYPE, "raw"},
		{"\"insecure\":\"\"", SCAN_TYPE, "insecure"},
		{"\"_debug_render_only\":{}", SCAN_TYPE, "_debug_render_only"},
		{"\"max_tokens\":\"1\"", SCAN_TYPE, "max_tokens"},
		{"\"max_tokens\":1.0", SCAN_RANGE, "max_tokens"},
		{"\"max_tokens\":1e3", SCAN_RANGE, "max_tokens"},
		{"\"max_tokens\":9223372036854775808", SCAN_RANGE, "max_tokens"},
		{"\"n\":99999999999999999999", SCAN_RANGE, "n"},
		{"\"keep_alive\":true", SCAN_TYPE, "keep_alive"},
		{"\"keep_alive\":[]", SCAN_TYPE, "keep_alive"},
		{"\"keep_alive\":\"\"", SCAN_RANGE, "keep_alive"},
		{"\"keep_alive\":\"5\"", SCAN_RANGE, "keep_alive"},
		{"\"keep_alive\":\"-1\"", SCAN_RANGE, "keep_alive"},
		{"\"keep_alive\":\"5 m\"", SCAN_RANGE, "keep_alive"},
		{"\"keep_alive\":\"1d\"", SCAN_RANGE, "keep_alive"},
		{"\"keep_alive\":\"2562048h\"", SCAN_RANGE, "keep_alive"},
		{"\"keep_alive\":\"" A64 "s\"", SCAN_TOO_LONG, "keep_alive"},
		{"\"keep_alive\":1e300", SCAN_RANGE, "keep_alive"},
		{"\"keep_alive\":1e400", SCAN_RANGE, "keep_alive"},
		{"\"keep_alive\":-1e-400", SCAN_RANGE, "keep_alive"},
		{"\"keep_alive\":9223372037", SCAN_RANGE, "keep_alive"},
		{"\"options\":[]", SCAN_TYPE, "options"},
		{"\"options\":\"\"", SCAN_TYPE, "options"},
		{"\"options\":{\"num_ctx\":\"1\"}", SCAN_TYPE, "num_ctx"},
		{"\"options\":{\"num_ctx\":true}", SCAN_TYPE, "num_ctx"},
		{"\"options\":{\"num_ctx\":4096.5}", SCAN_RANGE, "num_ctx"},
		{"\"options\":{\"num_ctx\":1e-1}", SCAN_RANGE, "num_ctx"},
		{"\"options\":{\"num_ctx\":9007199254740993}", SCAN_RANGE, "num_ctx"},
		{"\"options\":{\"num_ctx\":1e16}", SCAN_RANGE, "num_ctx"},
		{"\"options\":{\"num_predict\":-9007199254740993}", SCAN_RANGE, "num_predict"},
		{"\"tools\":{}", SCAN_TYPE, "tools"},
		{"\"tools\":\"x\"", SCAN_TYPE, "tools"},
		{"\"template\":1", SCAN_TYPE, "template"},
		{"\"model\":\"a" A256 "\"", SCAN_TOO_LONG, "model"},
		{"\"from\":\"" A256 "\\u00e9\"", SCAN_TOO_LONG, "from"},
	};
	char body[512];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scan whole;
		struct scan pieces;
		(void)snprintf(body, sizeof(body), "{%s}", cases[i].member);
		cr_expect_eq(scan_in(&whole, slice_of(body), 0), SCAN_BAD, "%s", body);
		cr_expect_eq(whole.reason, cases[i].reason, "%s: %s", body, scan_reason_name(whole.reason));
		cr_assert_not_null(whole.field);
		cr_expect_str_eq(whole.field, cases[i].field);
		cr_expect_eq(scan_in(&pieces, slice_of(body), 1), SCAN_BAD);
		cr_expect(pieces.reason == whole.reason && pieces.offset == whole.offset, "%s", body);
	}
}

Test(ollama_scan, depth)
{
	char body[2 * SCAN_DEPTH_MAX + 64];

	for (int levels = SCAN_DEPTH_MAX; levels <= SCAN_DEPTH_MAX + 1; levels++) {
		struct strbuf sb = strbuf_over(body, sizeof(body));
		struct scan s;
		strbuf_puts(&sb, "{\"a\":");
		for (int i = 1; i < levels; i++)
			strbuf_putc(&sb, '[');
		for (int i = 1; i < levels; i++)
			strbuf_putc(&sb, ']');
		strbuf_puts(&sb, ",\"model\":\"m\"}");
		bool fits = levels <= SCAN_DEPTH_MAX;
		cr_expect_eq(scan_in(&s, strbuf_slice(&sb), 0), fits ? SCAN_DONE : SCAN_BAD);
		cr_expect_eq(s.reason, fits ? SCAN_OK : SCAN_DEPTH);
		cr_expect_eq(s.result.name_len[NAME_MODEL], fits ? 1 : 0);
	}
}

/* Only the name fields of the route are looked at; elsewhere they are keys like any other. */
Test(ollama_scan, names_not_asked_for)
{
	struct scan s;
	struct slice body = SLICE_LIT("{\"model\":\"m\",\"name\":1,\"Name\":2,\"source\":{},\"from\":[]}");

	scan_init(&s, 1U << NAME_MODEL);
	cr_expect_eq(scan_feed(&s, body), SCAN_DONE);
	cr_expect_eq(scan_finish(&s), SCAN_DONE);
	cr_expect_eq(s.result.name_len[NAME_NAME], 0);
	scan_init(&s, 0);
	cr_expect_eq(scan_feed(&s, SLICE_LIT("{\"model\":1,\"model\":2}")), SCAN_DONE);
}

Test(ollama_scan, bad_stays_bad)
{
	struct scan s;

	scan_init(&s, ALL);
	cr_expect_eq(scan_feed(&s, SLICE_LIT("{x")), SCAN_BAD);
	cr_expect_eq(scan_feed(&s, SLICE_LIT("{}")), SCAN_BAD);
	cr_expect_eq(scan_finish(&s), SCAN_BAD);
	cr_expect_eq(s.offset, 1);
}

Test(ollama_scan, takes_the_fields)
{
	static const char text[] =
		"{ \"model\" : \"llama3:8b\", "
		"\"name\":\"n\",\"from\":\"f\",\"source\":\"s\",\"destination\":\"d\","
		"\"stream\":false,\"raw\":true,\"insecure\":true,\"_debug_render_only\":true,\"template\":\"{"
		"{.}}\","
		"\"max_tokens\":1,\"max_completion_tokens\":2,\"max_output_tokens\":-3,\"n\":4,\"keep_"
		"alive\":\"1h30m\","
		"\"options\":{\"num_predict\":-1,\"num_ctx\":4.096e3,\"num_batch\":512.0,\"num_gpu\":0,\"num_"
		"thread\":8,"
		"\"temperature\":0.7,\"stop\":[\"a\"]},\"unknown\":{\"model\":[true,null,{}]} }\r\n";

	for (size_t step = 0; step < 5; step++) {
		struct scan s;
		cr_assert_eq(scan_in(&s, slice_of(text), step), SCAN_DONE);
		const struct scan_result *r = &s.result;
		cr_expect(slice_is(scan_name(&s, NAME_MODEL), "llama3:8b"));
		cr_expect(slice_is(scan_name(&s, NAME_NAME), "n"));
		cr_expect(slice_is(scan_name(&s, NAME_FROM), "f"));
		cr_expect(slice_is(scan_name(&s, NAME_SOURCE), "s"));
		cr_expect(slice_is(scan_name(&s, NAME_DESTINATION), "d"));
		cr_expect(r->stream == SCAN_FALSE && r->raw && r->insecure && r->debug_render_only &&
			  r->template);
		static const int64_t want[SCAN_NUMBERS] = {1, 2, -3, 4, -1, 4096, 512, 0, 8};
		cr_expect_eq(r->have, (1U << SCAN_NUMBERS) - 1);
		cr_expect_arr_eq(r->number, want, sizeof(want));
		cr_expect(r->have_keep_alive && r->keep_alive_ms == 5400000);
		cr_expect_eq(s.offset, strlen(text));
	}
}

Test(ollama_scan, null_and_empty_are_absent)
{
	struct scan s;

	cr_assert_eq(scan_text(&s, "{\"model\":null,\"name\":\"\",\"stream\":null,\"raw\":null,\"n\":null,"
				   "\"keep_alive\":null,\"options\":null,\"tools\":null,\"template\":\"\","
				   "\"max_tokens\":null,\"messages\":null}"),
		     SCAN_DONE);
	cr_expect_eq(s.result.name_len[NAME_MODEL], 0);
	cr_expect(s.result.stream == SCAN_UNSET && s.result.have == 0 && !s.result.have_keep_alive &&
		  !s.result.template && s.result.prompt_bytes == 0);
	cr_assert_eq(scan_text(&s, "{}"), SCAN_DONE);
	cr_assert_eq(scan_text(&s, "{\"options\":{\"num_ctx\":null}}"), SCAN_DONE);
	cr_expect_eq(s.result.have, 0);
}

Test(ollama_scan, keep_alive)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{"0", 0},
		{"-0", 0},
		{"-0.0", 0},
		{"300", 300000},
		{"0.5", 500},
		{"1.0015", 1001},
		{"1e3", 1000000},
		{"12.5E+1", 125000},
		{"1500e-3", 1500},
		{"0.0001", 0},
		{"-1", -1},
		{"-0.0001", -1},
		{"-3600", -1},
		{"9223372036", 9223372036000},
		{"0e299", 0},
		{"\"0\"", 0},
		{"\"-0\"", 0},
		{"\"+0\"", 0},
		{"\"0s\"", 0},
		{"\"-0s\"", 0},
		{"\"5m\"", 300000},
		{"\"+5m\"", 300000},
		{"\"1.5h\"", 5400000},
		{"\"1h2m3s4ms5us6ns\"", 3723004},
		{"\"10\xC2\xB5s\"", 0},
		{"\"2500\\u03bcs\"", 2},
		{"\".5s\"", 500},
		{"\"1.s\"", 1000},
		{"\"-1s\"", -1},
		{"\"-1ns\"", -1},
		{"\"2562047h47m16s854ms775us807ns\"", 9223372036854},
		{"\"\\u0035m\"", 300000},
	};
	char body[128];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scan s;
		(void)snprintf(body, sizeof(body), "{\"keep_alive\":%s}", cases[i].text);
		cr_expect_eq(scan_text(&s, body), SCAN_DONE, "%s", body);
		cr_expect_eq(s.result.keep_alive_ms, cases[i].ms, "%s: %lld", body,
			     (long long)s.result.keep_alive_ms);
	}
}

Test(ollama_scan, unescapes)
{
	static const struct {
		const char *text;
		const char *decoded;
	} cases[] = {
		{"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t"},
		{"\\u0041\\u00e9\\u20AC", "A\xC3\xA9\xE2\x82\xAC"},
		{"\\ud83d\\ude00", "\xF0\x9F\x98\x80"},
		{"\\uDBFF\\uDFFF", "\xF4\x8F\xBF\xBF"},
		{"\\ud83d", "\xEF\xBF\xBD"},
		{"\\ud83dx", "\xEF\xBF\xBDx"},
		{"\\ud83d\\n", "\xEF\xBF\xBD\n"},
		{"\\ud83d\\u0041", "\xEF\xBF\xBD"
				   "A"},
		{"\\ude00\\ud83d", "\xEF\xBF\xBD\xEF\xBF\xBD"},
		{"\\ud83d\\ud83d\\ude00", "\xEF\xBF\xBD\xF0\x9F\x98\x80"},
		{"\\uffff", "\xEF\xBF\xBF"},
		{"\xF0\x9F\x98\x80\xE2\x82\xAC\x7F", "\xF0\x9F\x98\x80\xE2\x82\xAC\x7F"},
		{A256, A256},
	};
	char body[512];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t step = 0; step < 4; step++) {
			struct scan s;
			(void)snprintf(body, sizeof(body), "{\"model\":\"%s\"}", cases[i].text);
			cr_assert_eq(scan_in(&s, slice_of(body), step), SCAN_DONE, "%s", body);
			cr_expect(slice_is(scan_name(&s, NAME_MODEL), cases[i].decoded), "%s", body);
		}
	}
	struct scan s;
	cr_assert_eq(scan_text(&s, "{\"model\":\"a\\u0000b\"}"), SCAN_DONE);
	cr_expect(slice_eq(scan_name(&s, NAME_MODEL), (struct slice){"a\0b", 3}));
}

Test(ollama_scan, counts_the_prompt)
{
	static const struct {
		const char *text;
		uint64_t bytes, tokens, images;
	} cases[] = {
		{"{\"prompt\":\"hello\",\"suffix\":\"!\",\"system\":\"be\",\"context\":[1,2,3]}", 8, 3, 0},
		{"{\"prompt\":\"\\u00e9\\n\xE2\x82\xAC\\ud83d\\ude00\"}", 10, 0, 0},
		{"{\"prompt\":[\"ab\",\"c\"]}", 3, 0, 0},
		{"{\"prompt\":[[1,2],[3]]}", 0, 3, 0},
		{"{\"input\":\"abc\"}", 3, 0, 0},
		{"{\"input\":[\"abc\",\"d\"]}", 4, 0, 0},
		{"{\"x\":\"abc\",\"format\":{\"a\":[\"b\",1]},\"prompt\":\"\"}", 0, 0, 0},
		{"{\"images\":[\"QUJD\",\"REVG\"],\"prompt\":\"x\"}", 1, 0, 2},
		{"{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}", 9, 0, 0},
		{"{\"messages\":[{\"role\":\"\",\"content\":\"hi\",\"images\":[\"QUJD\"]}]}", 2, 0, 1},
		{"{\"messages\":[{\"content\":[{\"type\":\"\",\"text\":\"abc\"},{\"type\":\"\",\"image_url\":"
		 "{\"url\":\"data:image/png;base64,AAAA\",\"detail\":\"low\"}}]}]}",
		 6, 0, 1},
		{"{\"messages\":[{\"content\":[{\"image_url\":\"data:x\"}]}]}", 0, 0, 1},
		{"{\"messages\":[{\"content\":[{\"source\":{\"type\":\"base64\",\"data\":\"AAAA\"}}]}]}", 6,
		 0, 1},
		{"{\"messages\":[{\"content\":[{\"type\":\"\",\"content\":[{\"source\":{\"data\":\"AAAA\"}}]}"
		 "]}]}",
		 0, 0, 1},
		{"{\"input\":[{\"content\":[{\"text\":\"ab\"},{\"image_url\":\"data:x\"}]},{\"output\":"
		 "\"cd\"}]}",
		 4, 0, 1},
		/* text where Ollama looks for no image is text, whatever its key */
		{"{\"messages\":[{\"tool_calls\":[{\"function\":{\"arguments\":{\"images\":[\"abcd\"]}}}]}]}",
		 27, 0, 0},
		{"{\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"abc\"}}]}", 15, 0, 0},
		{"{\"system\":[{\"type\":\"text\",\"text\":\"abc\"}],\"instructions\":\"de\"}", 9, 0, 0},
		{"{\"messages\":[{\"\\u0069mages\":[\"abcd\"]}]}", 4, 0, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t step = 0; step < 3; step++) {
			struct scan s;
			cr_assert_eq(scan_in(&s, slice_of(cases[i].text), step), SCAN_DONE, "%s",
				     cases[i].text);
			cr_expect_eq(s.result.prompt_bytes, cases[i].bytes, "%s: %d bytes", cases[i].text,
				     (int)s.result.prompt_bytes);
			cr_expect_eq(s.result.prompt_tokens, cases[i].tokens, "%s", cases[i].text);
			cr_expect_eq(s.result.images, cases[i].images, "%s: %d images", cases[i].text,
				     (int)s.result.images);
		}
	}
}

Test(ollama_scan, server_tools)
{
	static const struct {
		const char *tools;
		bool server;
	} cases[] = {
		{"[{\"type\":\"web_search\"}]", true},
		{"[{\"type\":\"function\"},{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}]",
		 true},
		{"[{\"Type\":\"mcp\"}]", true},
		{"[{\"type\":\"web_search\",\"type\":\"function\"}]", true},
		{"[{\"type\":\"function\",\"TYPE\":\"web_search\"}]", true},
		{"[{\"type\":1}]", true},
		{"[{\"type\":{\"a\":\"function\"}}]", true},
		{"[{\"type\":\"Function\"}]", true},
		{"[{\"type\":\"" A64 "a\"}]", true},
		{"[]", false},
		{"null", false},
		{"[{}]", false},
		{"[{\"type\":null},{\"type\":\"\"}]", false},
		{"[{\"type\":\"function\"},{\"type\":\"custom\"}]", false},
		{"[{\"type\":\"f\\u0075nction\"}]", false},
		{"[{\"name\":\"x\",\"input_schema\":{\"type\":\"object\"}}]", false},
		{"[{\"function\":{\"parameters\":{\"properties\":{\"type\":{\"type\":\"string\"}}}}}]",
		 false},
		{"[5,\"web_search\",[{\"type\":\"x\"}]]", false},
	};
	char body[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scan s;
		(void)snprintf(body, sizeof(body), "{\"tools\":%s}", cases[i].tools);
		cr_assert_eq(scan_text(&s, body), SCAN_DONE, "%s", body);
		cr_expect_eq(s.result.server_tool, cases[i].server, "%s", body);
	}
}

/* Keys with escapes deep in a schema are what Python's json.dumps makes of any language but English. */
Test(ollama_scan, harmless_bodies_pass)
{
	static const char *const bodies[] = {
		"{\"tools\":[{\"type\":\"function\",\"function\":{\"parameters\":{\"properties\":{"
		"\"citt\\u00e0\":{}}}}}]}",
		"{\"metadata\":{\"Model\":1,\"model\":2,\"model\":3,\"\\u006d\":4}}",
		"{\"unknown\":1,\"unknown\":2,\"Unknown\":3}",
		"{\"models\":[],\"mode\":1,\"\":0,\"nn\":1,\"\xD0\xBC\":1,\"streams\":1}",
		"{\"options\":{\"seed\":1,\"seed\":2,\"Seed\":3,\"x\":1e999}}",
		"{\"messages\":\"text\"}",
		"{\"a\":-0.0e-0,\"b\":1E5,\"c\":123456789012345678901234567890.123e+99}",
	};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct scan s;
		cr_expect_eq(scan_text(&s, bodies[i]), SCAN_DONE, "%s: %s", bodies[i],
			     scan_reason_name(s.reason));
	}
}

Test(ollama_scan, split_anywhere)
{
	static const char text[] = "{\"messages\":[{\"role\":\"user\",\"content\":"
				   "\"h\\u00e9\xE2\x82\xAC\\ud83d\\ude00 \\\\\",\"images\":[\"QQ==\"]}],"
				   "\"options\":{\"num_ctx\":-1.50e2,\"x\":[true,false,null]},\"model\":"
				   "\"a\\/b:\xC3\xA9\",\"keep_alive\":\"5m\"}";
	struct scan want;

	cr_assert_eq(scan_text(&want, text), SCAN_DONE);
	for (size_t first = 0; first <= sizeof(text) - 1; first++) {
		for (size_t second = first; second <= sizeof(text) - 1; second += 3) {
			struct scan s;
			scan_init(&s, ALL);
			(void)scan_feed(&s, (struct slice){text, first});
			(void)scan_feed(&s, (struct slice){NULL, 0});
			(void)scan_feed(&s, (struct slice){text + first, second - first});
			(void)scan_feed(&s, (struct slice){text + second, sizeof(text) - 1 - second});
			cr_assert_eq(scan_finish(&s), SCAN_DONE);
			cr_assert(slice_eq(scan_name(&s, NAME_MODEL), scan_name(&want, NAME_MODEL)));
			cr_assert_eq(s.result.prompt_bytes, want.result.prompt_bytes);
			cr_assert_eq(s.result.images, 1);
			cr_assert_eq(s.result.number[SCAN_NUM_CTX], -150);
			cr_assert_eq(s.result.keep_alive_ms, 300000);
		}
	}
}

Test(ollama_scan, done_is_only_so_far)
{
	struct scan s;

	scan_init(&s, ALL);
	cr_expect_eq(scan_feed(&s, SLICE_LIT("{\"model\":\"a\"")), SCAN_MORE);
	cr_expect_eq(scan_feed(&s, SLICE_LIT("}")), SCAN_DONE);
	cr_expect_eq(scan_feed(&s, SLICE_LIT(" \n")), SCAN_DONE);
	cr_expect_eq(scan_feed(&s, SLICE_LIT(",")), SCAN_BAD);
	cr_expect_eq(s.reason, SCAN_TRAILING);
}

Test(ollama_scan, messages)
{
	char text[256];
	struct strbuf sb = strbuf_over(text, sizeof(text));
	struct scan s;

	(void)scan_text(&s, "{\"model\":\"secret\",\"model\":\"b\"}");
	scan_message(&s, &sb);
	cr_expect_str_eq(text, "\"model\" is given twice in the request body (byte 25)");
	sb = strbuf_over(text, sizeof(text));
	(void)scan_text(&s, "");
	scan_message(&s, &sb);
	cr_expect_str_eq(text, "the request body is empty; this route takes a JSON object");
	for (unsigned i = 0; i < SCAN_REASONS; i++)
		cr_expect_not_null(scan_reason_name((enum scan_reason)i));
	cr_expect_leq(sizeof(struct scan), 2560);
}
