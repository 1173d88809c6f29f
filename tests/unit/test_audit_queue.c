/* The ring of records: when it is full, and that what goes in comes out whatever the sizes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/queue.h"

Test(audit_queue, full)
{
	struct audit_queue q;
	char big[1024] = "";
	unsigned n = 0;

	cr_assert(audit_queue_init(&q, 1000));
	cr_expect_eq(q.cap, 1000);
	cr_expect(!audit_queue_push(&q, 0, (struct slice){big, 1001}, SIZE_MAX));
	cr_expect(!audit_queue_push(&q, 0, (struct slice){big, 993}, SIZE_MAX), "a header needs room, too");
	cr_expect(!audit_queue_push(&q, 0, (struct slice){big, 100}, 100), "the limit is lower");
	cr_expect(audit_queue_push(&q, 0, (struct slice){big, 100}, 112));
	while (audit_queue_push(&q, 0, (struct slice){big, 92}, SIZE_MAX))
		n++;
	cr_expect_eq(n, 8);
	cr_expect_eq(q.records, 9);
	cr_expect_leq(audit_queue_used(&q), q.cap);
	audit_queue_done(&q);
}

Test(audit_queue, empty)
{
	struct audit_queue q;
	uint64_t at = 0;
	unsigned tag;
	struct slice record;

	cr_assert(audit_queue_init(&q, 64));
	cr_expect(!audit_queue_next(&q, &at, q.head, &tag, &record));
	cr_expect(audit_queue_push(&q, 7, (struct slice){NULL, 0}, SIZE_MAX));
	cr_assert(audit_queue_next(&q, &at, q.head, &tag, &record));
	cr_expect_eq(tag, 7);
	cr_expect_eq(record.n, 0);
	cr_expect(!audit_queue_next(&q, &at, q.head, &tag, &record));
	audit_queue_done(&q);
}

/* The n-th record is of a size and content that n gives. */
static struct slice made(unsigned n, char *buf)
{
	size_t len = (n * 37u) % 211;

	for (size_t i = 0; i < len; i++)
		buf[i] = (char)(n + i);
	return (struct slice){buf, len};
}

Test(audit_queue, any_mix_of_sizes_comes_out_in_order)
{
	for (size_t cap = 512; cap < 1200; cap += 8) {
		struct audit_queue q;
		char buf[256];
		unsigned in = 0, out = 0;
		cr_assert(audit_queue_init(&q, cap));
		while (out < 3000) {
			while (in < out + 1 + out % 7 && audit_queue_push(&q, in, made(in, buf), SIZE_MAX))
				in++;
			uint64_t at = q.tail;
			uint64_t count = 0;
			unsigned tag;
			struct slice record;
			cr_assert_gt(in, out, "%zu: an empty queue takes any record that fits half of it",
				     cap);
			while (count < 1 + out % 3 && audit_queue_next(&q, &at, q.head, &tag, &record)) {
				cr_assert_eq(tag, out);
				cr_assert(slice_eq(record, made(out, buf)));
				out++;
				count++;
			}
			audit_queue_release(&q, at, count);
			cr_assert_eq(q.records, in - out);
		}
		audit_queue_done(&q);
	}
}
