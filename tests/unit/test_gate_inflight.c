/* Requests in flight: forged and overtaking lines first. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "gate/inflight.h"

static struct inflight *in;
static struct inflight_entry *entry;

static void setup(void)
{
	in = inflight_new(4);
}

static void teardown(void)
{
	inflight_free(&in);
}

TestSuite(inflight, .init = setup, .fini = teardown);

static enum inflight_open open_as(const char *id, const char *ticket)
{
	return inflight_open(in, slice_of(id), slice_of(ticket), 1000, &entry);
}

Test(inflight, wrong_tickets_change_nothing)
{
	char longest[INFLIGHT_ID_MAX + 2];

	cr_assert_eq(open_as("id", "ticket"), INFLIGHT_NEW);
	cr_assert_eq(open_as("id", "other"), INFLIGHT_FOREIGN);
	cr_assert_null(inflight_end(in, SLICE_LIT("id"), SLICE_LIT("tick")));
	cr_assert_null(inflight_end(in, SLICE_LIT("id"), SLICE_LIT("")));
	cr_assert_null(inflight_end(in, SLICE_LIT(""), SLICE_LIT("ticket")));
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	cr_assert_eq(open_as(longest, "ticket"), INFLIGHT_FOREIGN);
	cr_assert_eq(open_as("id", "ticket"), INFLIGHT_AGAIN);
	cr_assert_not_null(inflight_end(in, SLICE_LIT("id"), SLICE_LIT("ticket")));
}

Test(inflight, a_line_that_overtakes_leaves_a_tombstone)
{
	cr_assert_null(inflight_end(in, SLICE_LIT("id"), SLICE_LIT("ticket")));
	cr_assert_eq(open_as("id", "ticket"), INFLIGHT_ENDED);
	cr_assert_eq(inflight_count(in, INFLIGHT_OPEN), 0);
}

Test(inflight, a_forged_line_does_not_bury_a_request_nor_hide_the_real_line)
{
	cr_assert_null(inflight_end(in, SLICE_LIT("id"), SLICE_LIT("forged")));
	cr_assert_eq(open_as("id", "ticket"), INFLIGHT_NEW);
	cr_assert_not_null(inflight_end(in, SLICE_LIT("id"), SLICE_LIT("ticket")));
}

Test(inflight, tombstones_and_entries_are_bounded)
{
	char id[16];

	for (int i = 0; i < 100; i++) {
		(void)snprintf(id, sizeof(id), "gone%d", i);
		cr_assert_null(inflight_end(in, slice_of(id), SLICE_LIT("t")));
	}
	cr_assert_eq(open_as("gone99", "t"), INFLIGHT_ENDED);
	cr_assert_eq(open_as("gone0", "t"), INFLIGHT_NEW, "the oldest tombstones make room");
	for (int i = 1; i < 4; i++) {
		(void)snprintf(id, sizeof(id), "live%d", i);
		cr_assert_eq(open_as(id, "t"), INFLIGHT_NEW);
	}
	cr_assert_eq(open_as("one-more", "t"), INFLIGHT_FULL);
	inflight_remove(in, entry);
	cr_assert_eq(open_as("one-more", "t"), INFLIGHT_NEW);
}

Test(inflight, states_and_their_ages)
{
	cr_assert_eq(open_as("a", "t"), INFLIGHT_NEW);
	struct inflight_entry *a = entry;
	cr_assert_eq(open_as("b", "t"), INFLIGHT_NEW);
	inflight_move(in, a, INFLIGHT_ADMITTED, 5000);
	cr_assert_eq(inflight_count(in, INFLIGHT_OPEN), 1);
	cr_assert_eq(inflight_count(in, INFLIGHT_ADMITTED), 1);
	cr_assert_null(inflight_oldest(in, INFLIGHT_ADMITTED, 5000));
	cr_assert_eq(inflight_oldest(in, INFLIGHT_ADMITTED, 5001), a);
	inflight_move(in, a, INFLIGHT_ENDING, 6000);
	cr_assert_null(inflight_end(in, SLICE_LIT("a"), SLICE_LIT("t")), "a second line of the same stream");
	cr_assert_eq(open_as("a", "t"), INFLIGHT_FOREIGN, "nothing is admitted under an id that is ending");
	inflight_remove(in, a);
	cr_assert_eq(inflight_count(in, INFLIGHT_ENDING), 0);
}

Test(inflight, a_reused_entry_starts_clean)
{
	cr_assert_eq(open_as("a", "t"), INFLIGHT_NEW);
	entry->budget = 77;
	(void)snprintf(entry->tenant, sizeof(entry->tenant), "acme");
	inflight_remove(in, entry);
	for (int i = 0; i < 4; i++) {
		char id[8];
		(void)snprintf(id, sizeof(id), "n%d", i);
		cr_assert_eq(open_as(id, "t"), INFLIGHT_NEW);
		cr_assert_eq(entry->budget, 0);
		cr_assert_str_eq(entry->tenant, "");
	}
}
