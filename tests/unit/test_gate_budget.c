/* The byte budget: what must be refused, and that everything comes back. */
#include <criterion/criterion.h>

#include "gate/budget.h"

Test(budget, refuses_what_is_too_much_and_takes_nothing)
{
	struct budget *b = budget_new(1000, 8);

	cr_assert(!budget_take(b, SLICE_LIT("a"), 1001), "above the total");
	cr_assert(budget_take(b, SLICE_LIT("a"), 200));
	cr_assert(!budget_take(b, SLICE_LIT("a"), 51), "above the tenant's quarter");
	cr_assert_eq(budget_used(b), 200);
	cr_assert(budget_take(b, SLICE_LIT("a"), 50));
	cr_assert(budget_take(b, SLICE_LIT("b"), 750),
		  "one body above the share, while nothing else is held");
	cr_assert(!budget_take(b, SLICE_LIT("c"), 1), "the total is used up");
	cr_assert_eq(budget_used(b), 1000);
	budget_free(&b);
	cr_assert_null(b);
}

Test(budget, everything_comes_back)
{
	struct budget *b = budget_new(1 << 20, 4);

	for (int round = 0; round < 100; round++) {
		char name[] = {'t', (char)('0' + round % 10)};
		cr_assert(budget_take(b, (struct slice){name, sizeof(name)}, 1000));
		budget_give(b, (struct slice){name, sizeof(name)}, 1000);
	}
	cr_assert_eq(budget_used(b), 0);
	budget_free(&b);
}

Test(budget, giving_back_more_than_was_taken_does_not_help)
{
	struct budget *b = budget_new(1000, 4);

	cr_assert(budget_take(b, SLICE_LIT("a"), 100));
	budget_give(b, SLICE_LIT("a"), 500);
	budget_give(b, SLICE_LIT("stranger"), 500);
	cr_assert_eq(budget_used(b), 0);
	cr_assert(!budget_take(b, SLICE_LIT("a"), 1001));
	budget_free(&b);
}

Test(budget, tenants_that_hold_bytes_are_bounded)
{
	struct budget *b = budget_new(1000, 2);

	cr_assert(budget_take(b, SLICE_LIT("a"), 1));
	cr_assert(budget_take(b, SLICE_LIT("b"), 1));
	cr_assert(!budget_take(b, SLICE_LIT("c"), 1));
	budget_give(b, SLICE_LIT("a"), 1);
	cr_assert(budget_take(b, SLICE_LIT("c"), 1));
	budget_free(&b);
}
