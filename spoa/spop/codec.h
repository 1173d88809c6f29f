/* SPOP's alphabet: varints, typed data and names, read from and written to memory that is not owned.
 * Encoding: HAProxy's doc/SPOE.txt section 3.1. No sockets, no malloc.
 *
 * A reader that fails leaves its output and its position untouched and tells in `state` whether the
 * bytes are wrong (SPOP_BAD) or only not here yet (SPOP_MORE). */
#ifndef TOLLGATE_SPOP_CODEC_H
#define TOLLGATE_SPOP_CODEC_H

#include "base/slice.h"

#define SPOP_MUST_CHECK __attribute__((warn_unused_result))
#define SPOP_VARINT_MAX 10 /* bytes of the longest 64-bit varint */

enum spop_parse { SPOP_OK, SPOP_MORE, SPOP_BAD };

/* A place in one frame of which `end - p` bytes are here and `beyond` are still to come. */
struct spop_cursor {
	const uint8_t *p;
	const uint8_t *end;
	size_t beyond;
	enum spop_parse state;
};

enum spop_type {
	SPOP_NULL = 0,
	SPOP_BOOL = 1,
	SPOP_INT32 = 2,
	SPOP_UINT32 = 3,
	SPOP_INT64 = 4,
	SPOP_UINT64 = 5,
	SPOP_IPV4 = 6,
	SPOP_IPV6 = 7,
	SPOP_STR = 8,
	SPOP_BIN = 9,
};

struct spop_value {
	enum spop_type type;
	union {
		bool flag;       /* SPOP_BOOL */
		int64_t i;       /* SPOP_INT32, SPOP_INT64 */
		uint64_t u;      /* SPOP_UINT32 (not cut to 32 bits), SPOP_UINT64 */
		uint8_t ip[16];  /* SPOP_IPV4 (the first 4), SPOP_IPV6; network order */
		struct slice s;  /* SPOP_STR, SPOP_BIN */
	};
};

static inline struct spop_cursor spop_cursor_over(const void *p, size_t n)
{
	return (struct spop_cursor){.p = p, .end = (const uint8_t *)p + n};
}

static inline size_t spop_cursor_here(const struct spop_cursor *c)
{
	return (size_t)(c->end - c->p);
}

/* At the frame's last byte, nothing left over. */
static inline bool spop_cursor_done(const struct spop_cursor *c)
{
	return c->p == c->end && c->beyond == 0;
}

bool spop_read_u8(struct spop_cursor *c, uint8_t *ret) SPOP_MUST_CHECK;
bool spop_read_u32(struct spop_cursor *c, uint32_t *ret) SPOP_MUST_CHECK; /* network order */

/* At most 10 bytes, and never more than 64 bits. */
bool spop_read_varint(struct spop_cursor *c, uint64_t *ret) SPOP_MUST_CHECK;

/* Length (varint) and as many bytes; the slice points into the frame. */
bool spop_read_string(struct spop_cursor *c, struct slice *ret) SPOP_MUST_CHECK;

bool spop_read_value(struct spop_cursor *c, struct spop_value *ret) SPOP_MUST_CHECK;

/* The type and length of a SPOP_STR or SPOP_BIN without its bytes; false with SPOP_OK in c->state,
 * nothing consumed, when the value is of another type. */
bool spop_read_value_head(struct spop_cursor *c, enum spop_type *ret_type, uint64_t *ret_len) SPOP_MUST_CHECK;

/* Text being encoded into the caller's memory; overflow is sticky and writes nothing. */
struct spop_writer {
	uint8_t *p;
	size_t cap;
	size_t len;
	bool overflow;
};

static inline struct spop_writer spop_writer_over(void *buf, size_t cap)
{
	return (struct spop_writer){.p = buf, .cap = cap};
}

void spop_write_u8(struct spop_writer *w, uint8_t v);
void spop_write_u32(struct spop_writer *w, uint32_t v); /* network order */
void spop_write_varint(struct spop_writer *w, uint64_t v);
void spop_write_string(struct spop_writer *w, struct slice s);
void spop_write_value(struct spop_writer *w, const struct spop_value *value);

/* Bytes spop_write_varint would need. */
size_t spop_varint_size(uint64_t v);

#endif
