/* Window arithmetic: what must not be counted or forgotten, by tables. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "limit/admission.h"
#include "limit/window.h"

enum { MINUTE = 29000000 };
static const int64_t M = (int64_t)MINUTE * 60; /* the start of a minute */

struct charge {
	int64_t second;
	uint32_t n;
};

static void fill(struct window *w, int64_t now, const struct charge *charges, size_t count)
{
	window_clear(w, now);
	for (size_t i = 0; i < count; i++)
		window_add(w, charges[i].second, charges[i].n);
}

Test(window, name_is_the_contract_s)
{
	char buf[WINDOW_NAME_MAX];
	struct strbuf sb = strbuf_over(buf, sizeof(buf));
	char longest[ADMISSION_ID_MAX + 1];

	window_name(&sb, 'k', SLICE_LIT("AbC123"), 29000000);
	cr_assert_str_eq(buf, "tg:w:{k:AbC123}:r:29000000");
	memset(longest, 'x', ADMISSION_ID_MAX);
	longest[ADMISSION_ID_MAX] = '\0';
	sb = strbuf_over(buf, sizeof(buf));
	window_name(&sb, 't', slice_of(longest), INT64_MAX / 60);
	cr_assert_not(sb.overflow);
}

Test(window, sum_runs_from_60_back_to_the_end)
{
	const struct {
		int64_t now, at;
		bool seen;
	} cases[] = {
		{M, M - 61, false},     {M, M - 60, true},       {M, M, true},
		{M, M + 50, true},      {M + 59, M - 2, false},  {M + 59, M - 1, true},
		{M + 59, M + 60, true}, {M + 59, M + 119, true}, {M + 30, M - 31, false},
		{M + 30, M - 30, true}, {M + 30, M + 89, true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct window w;
		fill(&w, cases[i].now, &(struct charge){cases[i].at, 7}, 1);
		cr_expect_eq(window_sum(&w, cases[i].now), cases[i].seen ? 7 : 0, "case %zu", i);
	}
}

Test(window, strings_missing_short_and_whole)
{
	char text[240];
	struct window w;

	memset(text, 0, sizeof(text));
	text[3] = 5;   /* slot 0 */
	text[4] = 1;   /* slot 1: 2^24 */
	text[239] = 9; /* slot 59 */
	const struct {
		size_t len;
		uint64_t sum;
	} cases[] = {{0, 0},
		     {3, 0},
		     {4, 5},
		     {5, 5 + (1 << 24)},
		     {8, 5 + (1 << 24)},
		     {239, 5 + (1 << 24)},
		     {240, 14 + (1 << 24)}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		window_clear(&w, M);
		memset(w.slot, 0xff, sizeof(w.slot));
		for (unsigned m = 0; m < 3; m++)
			window_load(&w, m, (struct slice){m == 1 ? text : NULL, m == 1 ? cases[i].len : 0});
		cr_expect_eq(window_sum(&w, M), cases[i].sum, "case %zu", i);
	}
}

Test(window, trimmed_of_what_cannot_last)
{
	const struct charge charges[] = {{M - 61, 9}, {M - 30, 4}, {M - 2, 2},
					 {M - 1, 2},  {M, 3},      {M + 5, 1}};
	const struct {
		uint32_t limit;
		uint64_t left;
	} cases[] = {{20, 12}, {12, 12}, {11, 11}, {9, 9}, {8, 8}, {7, 7}, {6, 6}, {5, 6}, {0, 6}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct window w;
		fill(&w, M, charges, 6);
		window_trim(&w, M, cases[i].limit);
		cr_expect_eq(window_sum(&w, M), cases[i].left, "case %zu", i);
		cr_expect_eq(window_at(&w, M - 2), 2, "what is older stays");
	}
}

Test(window, first_of_its_minute)
{
	struct window w;

	fill(&w, M, (struct charge[]){{M - 1, 1}, {M + 20, 1}, {M + 60, 1}}, 3);
	cr_expect(window_first_of_minute(&w, M));
	cr_expect(window_first_of_minute(&w, M + 20));
	cr_expect_not(window_first_of_minute(&w, M + 21));
	cr_expect_not(window_first_of_minute(&w, M + 59));
	cr_expect(window_first_of_minute(&w, M + 60));
	cr_expect_not(window_first_of_minute(&w, M + 61));
}

Test(window, slots_saturate_and_strangers_are_ignored)
{
	struct window w;

	fill(&w, M,
	     (struct charge[]){{M, UINT32_MAX}, {M, 5}, {M - 61, 1}, {M + 120, 1}, {INT64_MAX, 1}, {0, 1}},
	     6);
	cr_assert_eq(window_sum(&w, M), UINT32_MAX);
	window_add(&w, M + 1, UINT32_MAX);
	cr_assert_eq(window_sum(&w, M), 2 * (uint64_t)UINT32_MAX);
	window_take(&w, M + 1, 1);
	window_take(&w, M, UINT32_MAX);
	window_take(&w, M, UINT32_MAX);
	window_take(&w, M + 2000, 1);
	cr_assert_eq(window_sum(&w, M), (uint64_t)UINT32_MAX - 1);
}

Test(window, move_keeps_what_is_covered)
{
	struct window w;

	fill(&w, M, (struct charge[]){{M - 60, 1}, {M, 2}, {M + 119, 4}}, 3);
	window_move(&w, M - 500);
	cr_assert_eq(window_sum(&w, M), 7);
	window_move(&w, M + 60);
	cr_assert_eq(window_sum(&w, M + 60), 6);
	cr_assert_eq(window_sum(&w, M + 61), 4);
	window_move(&w, M + 120);
	cr_assert_eq(window_sum(&w, M + 120), 4);
	window_move(&w, M + 100000);
	cr_assert_eq(window_sum(&w, M + 100000), 0);
	cr_assert_eq(w.base, M + 100000 - (M + 100000) % 60 - 60);
}

Test(window, room_comes_61_seconds_after_the_slot)
{
	const struct charge three[] = {{M - 30, 1}, {M - 10, 2}, {M + 40, 1}};
	const struct {
		uint32_t n, limit;
		int64_t room;
	} cases[] = {
		{1, 5, M},
		{1, 4, M + 31},
		{2, 4, M + 51},
		{3, 4, M + 51},
		{4, 4, M + 101},
		{1, 3, M + 51},
		{1, 1, M + 101},
		{2, 1, M + 101}, /* never: when it is empty */
		{1, UINT32_MAX, M},
		{UINT32_MAX, UINT32_MAX, M + 101},
		{UINT32_MAX - 3, UINT32_MAX, M + 31},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct window w;
		fill(&w, M, three, 3);
		struct window_view view = {.shared = &w, .limit = cases[i].limit, .agents = 1};
		cr_expect_eq(window_room_at(&view, M, cases[i].n), cases[i].room, "case %zu", i);
		cr_expect_eq(window_empty_at(&view, M), M + 101);
	}
}

Test(window, a_clock_set_back_is_not_walked_second_by_second)
{
	struct window w;

	fill(&w, M, &(struct charge){M, 1}, 1);
	struct window_view view = {.shared = &w, .limit = 1, .agents = 1};
	cr_assert_eq(window_room_at(&view, 1000, 1), M + 61);
	cr_assert_eq(window_empty_at(&view, 1000), M + 61);
}

Test(window, what_is_free_is_shared_among_the_agents)
{
	const struct {
		uint32_t used, own, limit, agents;
		uint64_t free;
	} cases[] = {
		{0, 0, 60, 1, 60},
		{0, 0, 60, 4, 15},
		{0, 0, 61, 4, 16},
		{0, 16, 61, 4, 0},
		{0, 20, 61, 4, 0},
		{60, 0, 60, 4, 0},
		{70, 0, 60, 1, 0},
		{30, 0, 60, 2, 15},
		{30, 10, 60, 2, 5},
		{59, 0, 60, 9, 1},
		{0, 0, UINT32_MAX, UINT32_MAX, 1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct window shared, own;
		fill(&shared, M, &(struct charge){M - 5, cases[i].used}, 1);
		fill(&own, M, &(struct charge){M - 4, cases[i].own}, 1);
		struct window_view view = {&shared, &own, cases[i].limit, cases[i].agents};
		cr_expect_eq(window_free(&view, M), cases[i].free, "case %zu", i);
	}
}

Test(window, both_windows_must_leave)
{
	struct window shared, own;

	fill(&shared, M, (struct charge[]){{M - 50, 2}, {M - 20, 2}}, 2);
	fill(&own, M, (struct charge[]){{M - 40, 1}, {M - 10, 1}}, 2);
	struct window_view view = {&shared, &own, 6, 1};
	cr_assert_eq(window_room_at(&view, M, 1), M + 11);
	cr_assert_eq(window_room_at(&view, M, 3), M + 21);
	cr_assert_eq(window_room_at(&view, M, 6), M + 51);
	cr_assert_eq(window_empty_at(&view, M), M + 51);
	view.agents = 2; /* (6 - 4) / 2 - 2, (6 - 2) / 2 - 2, (6 - 2) / 2 - 1 */
	cr_assert_eq(window_room_at(&view, M, 1), M + 21);
}

Test(window, wait_is_rounded_up)
{
	const struct {
		int64_t second, now_us;
		uint32_t wait;
	} cases[] = {
		{M, M * 1000000, 0},           {M, M * 1000000 + 1, 0},
		{M, M * 1000000 - 1, 1},       {M, M * 1000000 - 1000000, 1},
		{M, M * 1000000 - 1000001, 2}, {M + 61, M * 1000000 + 999999, 61},
		{M + 61, M * 1000000, 61},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(window_wait_s(cases[i].second, cases[i].now_us), cases[i].wait, "case %zu", i);
}

/* Against the plainest possible reading of the rule. */
Test(window, room_agrees_with_a_walk_through_time)
{
	unsigned seed = 7;

	for (int round = 0; round < 2000; round++) {
		struct window w;
		window_clear(&w, M);
		int64_t now = M + rand_r(&seed) % 60;
		for (int i = rand_r(&seed) % 12; i > 0; i--)
			window_add(&w, now - 70 + rand_r(&seed) % 120, (uint32_t)(rand_r(&seed) % 4));
		struct window_view view = {
			.shared = &w, .limit = (uint32_t)(rand_r(&seed) % 12 + 1), .agents = 1};
		uint32_t n = (uint32_t)(rand_r(&seed) % 3) + 1;
		int64_t t = now;
		for (; t < now + 240; t++) {
			uint64_t sum = 0;
			for (int s = 0; s < 180; s++)
				sum += w.base + s >= t - 60 ? w.slot[s] : 0;
			if (sum + n <= view.limit || sum == 0)
				break;
		}
		cr_assert_eq(window_room_at(&view, now, n), t, "round %d", round);
	}
}
