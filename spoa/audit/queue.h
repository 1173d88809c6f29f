/* A ring of records in a fixed piece of memory. Not locked: producers push and the consumer releases
 * under the owner's lock, but what lies between two offsets taken under it may be read without. */
#ifndef TOLLGATE_AUDIT_QUEUE_H
#define TOLLGATE_AUDIT_QUEUE_H

#include "base/slice.h"

struct audit_queue {
	char *buf;
	size_t cap;
	uint64_t head;    /* offset behind the newest record; offsets only ever grow */
	uint64_t tail;    /* offset of the oldest */
	uint64_t records; /* between the two */
};

bool audit_queue_init(struct audit_queue *q, size_t bytes) __attribute__((warn_unused_result));
void audit_queue_done(struct audit_queue *q);

static inline size_t audit_queue_used(const struct audit_queue *q)
{
	return (size_t)(q->head - q->tail);
}

/* False when the record does not fit below `limit` bytes of use. */
bool audit_queue_push(struct audit_queue *q, unsigned tag, struct slice record, size_t limit)
	__attribute__((warn_unused_result));

/* Reads the record at *at and moves *at behind it. False at `end`, an offset that was once the head.
 * Touches neither head nor tail. */
bool audit_queue_next(const struct audit_queue *q, uint64_t *at, uint64_t end, unsigned *ret_tag,
		      struct slice *ret_record) __attribute__((warn_unused_result));

/* Gives up everything before offset `at`, which held `records` records. */
void audit_queue_release(struct audit_queue *q, uint64_t at, uint64_t records);

#endif
