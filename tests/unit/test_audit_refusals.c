/* Sums of refusals: what floods them, then what they tell apart. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "audit/refusals.h"

#define SECOND INT64_C(1000000)

static struct audit_decision refusal(const char *key_id, const char *src, const char *reason)
{
	struct audit_decision d;

	audit_decision_init(&d);
	d.request.key_id = slice_of(key_id);
	d.request.src = slice_of(src);
	d.reason = slice_of(reason);
	return d;
}

/* How many of n refusals were to be recorded singly. */
static unsigned feed(struct audit_refusals *r, const struct audit_decision *d, unsigned n, int64_t now_us)
{
	unsigned singles = 0;

	for (unsigned i = 0; i < n; i++)
		singles += audit_refusals_single(r, d, now_us);
	return singles;
}

Test(audit_refusals, a_thousand_sources_need_no_more_memory_or_records)
{
	struct audit_refusals *r = audit_refusals_new();
	struct audit_refusal_sum sum;
	unsigned singles = 0, sums = 0;
	uint64_t counted = 0;

	for (int i = 0; i < 1000; i++) {
		char src[32];
		snprintf(src, sizeof(src), "10.0.%d.%d", i / 256, i % 256);
		struct audit_decision d = refusal(NULL, src, "unknown_key");
		singles += feed(r, &d, 50, SECOND);
	}
	cr_expect_leq(singles, AUDIT_REFUSALS_ALL);
	while (audit_refusals_take(r, &sum)) {
		sums++;
		counted += sum.count;
	}
	cr_expect_leq(sums, AUDIT_REFUSALS_WHO + 1);
	cr_expect_eq(counted + singles, 50000);
	cr_expect_str_eq(sum.who, "others");
	cr_expect(!audit_refusals_pending(r));
	audit_refusals_free(&r);
	cr_expect_null(r);
}

Test(audit_refusals, places_are_free_again_in_the_next_second)
{
	struct audit_refusals *r = audit_refusals_new();
	struct audit_refusal_sum sum;

	for (int second = 1; second < 50; second++) {
		char src[32];
		for (int i = 0; i < AUDIT_REFUSALS_WHO; i++) {
			snprintf(src, sizeof(src), "10.%d.%d.%d", second, i / 256, i % 256);
			struct audit_decision d = refusal(NULL, src, "x");
			cr_assert_eq(feed(r, &d, 1, second * SECOND), 1);
		}
	}
	struct audit_decision d = refusal("key", "10.0.0.1", "x");
	cr_expect_eq(feed(r, &d, 100, 60 * SECOND), AUDIT_REFUSALS_EACH);
	cr_assert(audit_refusals_take(r, &sum));
	cr_expect_str_eq(sum.who, "key");
	audit_refusals_free(&r);
}

Test(audit_refusals, many_reasons_share_the_last_place)
{
	struct audit_refusals *r = audit_refusals_new();
	struct audit_refusal_sum sum;
	uint64_t total = 0;
	unsigned others = 0;

	for (int i = 0; i < 40; i++) {
		char reason[64];
		snprintf(reason, sizeof(reason),
			 i % 10 == 9 ? "a reason that is longer than there is room %d" : "r%d", i);
		struct audit_decision d = refusal("k", "10.0.0.1", reason);
		feed(r, &d, 1, SECOND);
	}
	cr_assert(audit_refusals_take(r, &sum));
	cr_expect_leq(sum.reason_count, AUDIT_REFUSALS_REASONS);
	for (unsigned i = 0; i < sum.reason_count; i++) {
		total += sum.reasons[i].count;
		others += strcmp(sum.reasons[i].name, "other") == 0;
	}
	cr_expect_eq(sum.count, 30);
	cr_expect_eq(total, 30);
	cr_expect_eq(others, 1);
	audit_refusals_free(&r);
}

static const struct {
	const char *key_a, *src_a, *key_b, *src_b;
	bool same;
	const char *who;
} pairs[] = {
	{NULL, "192.0.2.1", NULL, "192.0.2.2", false, "192.0.2.1"},
	{"k1", "192.0.2.1", "k1", "192.0.2.2", true, "k1"},
	{"k1", "192.0.2.1", "k2", "192.0.2.1", false, "k1"},
	{"192.0.2.1", NULL, NULL, "192.0.2.1", false, "192.0.2.1"}, /* a key is no source */
	{NULL, "2001:db8:1:2::1", NULL, "2001:db8:1:2:ffff::9", true, "2001:db8:1:2::/64"},
	{NULL, "2001:db8:1:2::1", NULL, "2001:db8:1:3::1", false, "2001:db8:1:2::/64"},
	{NULL, "::ffff:192.0.2.1", NULL, "::ffff:192.0.2.2", false, "::ffff:192.0.2.1"},
	{NULL, "", NULL, "rubbish", false, ""},
};

Test(audit_refusals, who_is_told_apart)
{
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct audit_refusals *r = audit_refusals_new();
		struct audit_refusal_sum sum;
		struct audit_decision a = refusal(pairs[i].key_a, pairs[i].src_a, "x");
		struct audit_decision b = refusal(pairs[i].key_b, pairs[i].src_b, "x");
		cr_expect_eq(feed(r, &a, 20, SECOND), AUDIT_REFUSALS_EACH);
		cr_expect_eq(feed(r, &b, 20, SECOND), pairs[i].same ? 0 : AUDIT_REFUSALS_EACH, "%zu", i);
		cr_assert(audit_refusals_take(r, &sum));
		cr_expect_eq(sum.count, pairs[i].same ? 30 : 10);
		bool either = strcmp(sum.who, pairs[i].who) == 0 || !pairs[i].same;
		cr_expect(either, "%s", sum.who);
		audit_refusals_free(&r);
	}
}

Test(audit_refusals, times_and_the_next_sum)
{
	struct audit_refusals *r = audit_refusals_new();
	struct audit_refusal_sum sum;
	struct audit_decision d = refusal("k", "s", "x");

	feed(r, &d, 11, SECOND);
	feed(r, &d, 12, 2 * SECOND);
	cr_assert(audit_refusals_take(r, &sum));
	cr_expect_eq(sum.count, 3);
	cr_expect_eq(sum.from_us, SECOND);
	cr_expect_eq(sum.until_us, 2 * SECOND);
	cr_expect(!audit_refusals_take(r, &sum));
	feed(r, &d, 1, 2 * SECOND);
	cr_assert(audit_refusals_take(r, &sum));
	cr_expect_eq(sum.count, 1);
	cr_expect_eq(sum.from_us, 2 * SECOND);
	audit_refusals_free(&r);
}
