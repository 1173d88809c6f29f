/* The ring: records keep in one piece, so the end of the memory may be left unused for a turn. */
#include "audit/queue.h"

#include <stdlib.h>

struct header {
	uint32_t len; /* SKIP: go on at the start of the memory */
	uint32_t tag;
};

#define SKIP UINT32_MAX

static size_t padded(size_t n)
{
	return (n + sizeof(struct header) - 1) / sizeof(struct header) * sizeof(struct header);
}

bool audit_queue_init(struct audit_queue *q, size_t bytes)
{
	*q = (struct audit_queue){.cap = padded(bytes)};
	q->buf = malloc(q->cap);
	return q->buf != NULL;
}

void audit_queue_done(struct audit_queue *q)
{
	free(q->buf);
	q->buf = NULL;
}

bool audit_queue_push(struct audit_queue *q, unsigned tag, struct slice record, size_t limit)
{
	if (record.n > q->cap)
		return false;
	size_t at = (size_t)(q->head % q->cap);
	size_t need = sizeof(struct header) + padded(record.n);
	size_t skipped = q->cap - at < need ? q->cap - at : 0;

	if (limit > q->cap)
		limit = q->cap;
	if (audit_queue_used(q) + skipped + need > limit)
		return false;
	if (skipped > 0) {
		memcpy(q->buf + at, &(struct header){.len = SKIP}, sizeof(struct header));
		at = 0;
	}
	memcpy(q->buf + at, &(struct header){(uint32_t)record.n, tag}, sizeof(struct header));
	if (record.n > 0)
		memcpy(q->buf + at + sizeof(struct header), record.p, record.n);
	q->head += skipped + need;
	q->records++;
	return true;
}

bool audit_queue_next(const struct audit_queue *q, uint64_t *at, uint64_t end, unsigned *ret_tag,
		      struct slice *ret_record)
{
	struct header h;

	if (*at == end)
		return false;
	size_t pos = (size_t)(*at % q->cap);
	memcpy(&h, q->buf + pos, sizeof(h));
	if (h.len == SKIP) {
		*at += q->cap - pos;
		pos = 0;
		memcpy(&h, q->buf, sizeof(h));
	}
	*ret_tag = h.tag;
	*ret_record = (struct slice){q->buf + pos + sizeof(h), h.len};
	*at += sizeof(h) + padded(h.len);
	return true;
}

void audit_queue_release(struct audit_queue *q, uint64_t at, uint64_t records)
{
	q->tail = at;
	q->records -= records;
}
