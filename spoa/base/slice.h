/* A borrowed run of bytes: never owned, never NUL-terminated by promise. */
#ifndef TOLLGATE_BASE_SLICE_H
#define TOLLGATE_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char *p;
	size_t n;
};

#define SLICE_LIT(text) ((struct slice){(text), sizeof(text) - 1})
#define SLICE_FMT(s) (int)(s).n, (s).p

static inline struct slice slice_of(const char *text)
{
	return (struct slice){text, text ? strlen(text) : 0};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
	return slice_eq(a, slice_of(text));
}

/* ASCII only; other bytes must match exactly. */
bool slice_eq_nocase(struct slice a, struct slice b);

bool slice_starts(struct slice s, struct slice prefix);

/* Cuts spaces and tabs from both ends. */
struct slice slice_trim(struct slice s);

/* Takes the part before the next `sep` from *rest, moves *rest behind it.
 * False when *rest is exhausted; "a,,b" yields three parts, an empty text one empty part. */
bool slice_next(struct slice *rest, char sep, struct slice *ret_part);

/* Decimal digits only, no sign, no overflow, at most `max`. *ret is untouched on failure. */
bool slice_to_u64(struct slice s, uint64_t max, uint64_t *ret) __attribute__((warn_unused_result));

/* Optional leading '-' or '+'. */
bool slice_to_i64(struct slice s, int64_t min, int64_t max, int64_t *ret) __attribute__((warn_unused_result));

/* The value of a hexadecimal digit of either case, -1 for anything else. */
int slice_hex_digit(char c);

/* Copies into a NUL-terminated buffer; false (buffer holds "") when it does not fit. */
bool slice_copy(struct slice s, char *buf, size_t cap) __attribute__((warn_unused_result));

#endif
