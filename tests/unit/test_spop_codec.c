/* The SPOP codec: golden bytes, their truncations and lies, then what must be read right. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "spop/codec.h"

/* A HAPROXY-HELLO as HAProxy 2.6 sends it, without its length prefix. */
static const uint8_t hello[] = "\x01\x00\x00\x00\x01\x00\x00"
			       "\x12supported-versions\x08\x03"
			       "2.0"
			       "\x0emax-frame-size\x03\xfc\xf0\x06"
			       "\x0c"
			       "capabilities\x08\x0apipelining"
			       "\x09"
			       "engine-id\x08\x04"
			       "abcd";

/* A NOTIFY with every kind of argument and a body. */
static const uint8_t notify[] = "\x03\x00\x00\x00\x01\x05\x01"
				"\x05"
				"admit\x08"
				"\x01"
				"a\x00"
				"\x01"
				"b\x11"
				"\x01"
				"c\x04\x2a"
				"\x01"
				"d\x06\x7f\x00\x00\x01"
				"\x01"
				"e\x08\x03"
				"abc"
				"\x01"
				"f\x07"
				"0123456789abcdef"
				"\x01"
				"g\x05\xf0\x00"
				"\x04"
				"body\x09\x05"
				"{\"m\"}";

static struct spop_cursor whole(const uint8_t *p, size_t n)
{
	return (struct spop_cursor){p, n, n};
}

/* The bytes at the very end of a block of their size, so that the sanitizer sees a read past them. */
static uint8_t *exact(const void *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	memcpy(copy, p, n);
	return copy;
}

Test(varint, refuses)
{
	static const struct {
		struct slice bytes;
		enum spop_parse result;
	} cases[] = {
		{SLICE_LIT(""), SPOP_MORE},
		{SLICE_LIT("\xf0"), SPOP_MORE},
		{SLICE_LIT("\xff\x80"), SPOP_MORE},
		{SLICE_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff"), SPOP_MORE},
		{SLICE_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), SPOP_BAD},
		{SLICE_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x0f\x00"), SPOP_BAD},
		{SLICE_LIT("\xf0\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), SPOP_BAD},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t *p = exact(cases[i].bytes.p, cases[i].bytes.n);
		struct spop_cursor c = {p, cases[i].bytes.n, 100};
		uint64_t v = 77;
		cr_assert_eq(spop_get_varint(&c, &v), cases[i].result, "case %zu", i);
		cr_assert_eq(v, 77, "touched on failure");
		cr_assert_eq(c.p, p, "moved on failure");
		free(p);
	}
}

Test(varint, edges_survive_the_round_trip)
{
	static const uint64_t edges[] = {
		0,         1,        239,      240,        241,        2287,       2288,      264431,
		264432,    33818863, 33818864, UINT32_MAX, 1ULL << 32, 1ULL << 60, INT64_MAX, UINT64_MAX - 1,
		UINT64_MAX};

	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
		uint8_t buf[SPOP_VARINT_MAX];
		uint64_t v = 0;
		size_t n = spop_put_varint(buf, sizeof(buf), edges[i]);
		struct spop_cursor c = whole(buf, n);
		cr_assert_gt(n, 0);
		cr_assert_eq(spop_get_varint(&c, &v), SPOP_OK, "edge %zu", i);
		cr_assert_eq(v, edges[i], "edge %zu gave %llu", i, (unsigned long long)v);
		cr_assert_eq(c.have, 0);
		cr_assert_eq(spop_put_varint(buf, n - 1, edges[i]), 0, "does not fit");
	}
}

Test(varint, lengths_of_the_specification)
{
	static const struct {
		uint64_t v;
		size_t n;
	} cases[] = {{239, 1},    {240, 2},    {2287, 2},     {2288, 3},
		     {264431, 3}, {264432, 4}, {33818863, 4}, {33818864, 5}};
	uint8_t buf[SPOP_VARINT_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_eq(spop_put_varint(buf, sizeof(buf), cases[i].v), cases[i].n, "case %zu", i);
}

Test(notify, every_truncation_wants_more_and_reads_no_further)
{
	size_t length = sizeof(notify) - 1;

	for (size_t cut = 0; cut < length; cut++) {
		uint8_t *p = exact(notify, cut);
		struct spop_cursor c = {p, cut, length};
		struct spop_frame frame;
		struct spop_message head;
		uint64_t body_len;
		enum spop_parse r = spop_get_frame(&c, &frame);
		if (r == SPOP_OK)
			r = spop_get_message(&c, &head, &body_len);
		cr_assert_eq(r, cut >= length - 5 ? SPOP_OK : SPOP_MORE, "cut at %zu", cut);
		free(p);
	}
}

Test(notify, every_shorter_frame_is_bad)
{
	for (size_t cut = 0; cut < sizeof(notify) - 1; cut++) {
		uint8_t *p = exact(notify, cut);
		struct spop_cursor c = whole(p, cut);
		struct spop_frame frame;
		struct spop_message head;
		uint64_t body_len;
		enum spop_parse r = spop_get_frame(&c, &frame);
		if (r == SPOP_OK)
			r = spop_get_message(&c, &head, &body_len);
		cr_assert_eq(r, SPOP_BAD, "cut at %zu", cut);
		free(p);
	}
}

Test(notify, values)
{
	struct spop_cursor c = whole(notify, sizeof(notify) - 1);
	struct spop_frame frame;
	struct spop_message head;
	uint64_t body_len;

	cr_assert_eq(spop_get_frame(&c, &frame), SPOP_OK);
	cr_assert_eq(frame.type, SPOP_NOTIFY);
	cr_assert_eq(frame.stream_id, 5);
	cr_assert_eq(frame.frame_id, 1);
	cr_assert_eq(spop_get_message(&c, &head, &body_len), SPOP_OK);
	cr_assert(slice_is(head.name, "admit"));
	cr_assert_eq(head.count, 8);
	cr_assert_eq(head.args[0].type, SPOP_NULL);
	cr_assert_eq(head.args[1].integer, 1);
	cr_assert_eq(spop_message_find(&head, SLICE_LIT("c"))->integer, 42);
	cr_assert_eq(head.args[3].bytes.n, 4);
	cr_assert(slice_is(head.args[4].bytes, "abc"));
	cr_assert_eq(head.args[5].bytes.n, 16);
	cr_assert_eq(head.args[6].integer, 240);
	cr_assert_null(spop_message_find(&head, SLICE_LIT("z")));
	cr_assert_eq(body_len, 5);
	cr_assert_eq(memcmp(c.p, "{\"m\"}", 5), 0);
}

Test(notify, lies_are_refused)
{
	static const struct slice lies[] = {
		SLICE_LIT("\x05"
			  "admit\x02\x01"
			  "a\x00"), /* one argument less than promised */
		SLICE_LIT("\x05"
			  "admit\x00x"), /* bytes behind the last argument */
		SLICE_LIT("\x05"
			  "admit\x01\x04"
			  "body\x09\x06"
			  "short"), /* the body would pass the frame's end */
		SLICE_LIT("\x05"
			  "admit\x01\x04"
			  "body\x09\x04"
			  "longer"), /* bytes behind the body */
		SLICE_LIT("\x05"
			  "admit\x01\x01"
			  "a\x0a"), /* a type that does not exist */
		SLICE_LIT("\x05"
			  "admit\x21"), /* more arguments than we take */
		SLICE_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x0e"
			  "admit"),
	};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		uint8_t *p = exact(lies[i].p, lies[i].n);
		struct spop_cursor c = whole(p, lies[i].n);
		struct spop_message head;
		uint64_t body_len;
		cr_assert_eq(spop_get_message(&c, &head, &body_len), SPOP_BAD, "lie %zu", i);
		free(p);
	}
}

Test(hello, fields)
{
	struct spop_cursor c = whole(hello, sizeof(hello) - 1);
	struct spop_frame frame;
	struct spop_hello h;

	cr_assert_eq(spop_get_frame(&c, &frame), SPOP_OK);
	cr_assert_eq(frame.type, SPOP_HAPROXY_HELLO);
	cr_assert_eq(spop_get_hello(&c, &h), SPOP_OK);
	cr_assert(h.version_ok && h.have_frame_size && h.pipelining && !h.healthcheck);
	cr_assert_eq(h.max_frame_size, 16380);
}

Test(hello, versions_and_capabilities_are_whole_words)
{
	static const struct {
		struct slice text;
		bool version_ok;
	} cases[] = {
		{SLICE_LIT("\x12supported-versions\x08\x03"
			   "1.0"),
		 false},
		{SLICE_LIT("\x12supported-versions\x08\x02"
			   "2."),
		 false},
		{SLICE_LIT("\x12supported-versions\x08\x04"
			   "12.0"),
		 false},
		{SLICE_LIT("\x12supported-versions\x08\x00"), false},
		{SLICE_LIT("\x12supported-versions\x03\x02"), false},
		{SLICE_LIT("\x12supported-versions\x08\x09"
			   " 1.0, 2.0"),
		 true},
		{SLICE_LIT("\x12supported-versions\x08\x03"
			   "2.7"),
		 true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct spop_cursor c = whole((const uint8_t *)cases[i].text.p, cases[i].text.n);
		struct spop_hello h;
		cr_assert_eq(spop_get_hello(&c, &h), SPOP_OK, "case %zu", i);
		cr_assert_eq(h.version_ok, cases[i].version_ok, "case %zu", i);
	}
	static const char spaced[] = "\x0c"
				     "capabilities\x08\x13 async , pipelining";
	struct spop_cursor c = whole((const uint8_t *)spaced, sizeof(spaced) - 1);
	struct spop_hello h;
	cr_assert_eq(spop_get_hello(&c, &h), SPOP_OK);
	cr_assert(h.pipelining);
}

Test(actions, overflow_is_sticky_and_gives_no_frame)
{
	uint8_t small[8], frame[64];
	struct spop_actions a = spop_actions_over(small, sizeof(small));

	spop_actions_str(&a, "verdict", SLICE_LIT("admit"));
	spop_actions_int(&a, "x", 1);
	cr_assert(a.overflow);
	cr_assert_eq(spop_put_ack(frame, sizeof(frame), 1, 1, &a), 0);
}

Test(actions, ack_bytes)
{
	static const char golden[] = "\x00\x00\x00\x27\x67\x00\x00\x00\x01\x05\x01"
				     "\x01\x03\x02\x07verdict\x08\x05"
				     "admit"
				     "\x01\x03\x02\x01n\x04\x07"
				     "\x01\x03\x02\x02ok\x11";
	uint8_t buf[64], frame[128];
	struct spop_actions a = spop_actions_over(buf, sizeof(buf));

	spop_actions_str(&a, "verdict", SLICE_LIT("admit"));
	spop_actions_int(&a, "n", 7);
	spop_actions_bool(&a, "ok", true);
	size_t n = spop_put_ack(frame, sizeof(frame), 5, 1, &a);
	cr_assert_eq(n, sizeof(golden) - 1, "%zu bytes", n);
	cr_assert_eq(memcmp(frame, golden, n), 0);
	cr_assert_eq(spop_put_ack(frame, n - 1, 5, 1, &a), 0, "does not fit");
}

/* The answer that HAProxy's tcp-check expects begins like this. */
Test(agent_hello, begins_as_the_health_check_expects)
{
	uint8_t buf[SPOP_CONTROL_MAX];
	size_t n = spop_put_hello(buf, sizeof(buf), 16380);

	cr_assert_gt(n, 11);
	cr_assert_eq(memcmp(buf + 4, "\x65\x00\x00\x00\x01\x00\x00", 7), 0);
	cr_assert_eq(spop_get_length(buf), n - 4);
}

Test(agent_disconnect, fits_for_every_status)
{
	uint8_t buf[SPOP_CONTROL_MAX];

	for (int status = SPOP_STATUS_NORMAL; status <= SPOP_STATUS_RESOURCES; status++)
		cr_assert_gt(spop_put_disconnect(buf, sizeof(buf), (enum spop_status)status), 0);
}
