/* JSON numbers and Go durations as exact integers: floating point would round what a limit is about. */
#ifndef TOLLGATE_OLLAMA_NUMBER_H
#define TOLLGATE_OLLAMA_NUMBER_H

#include "base/slice.h"

/* The largest magnitude below which every integer is a float64, which is what Go reads numbers into. */
#define NUMBER_WHOLE_MAX ((int64_t)1 << 53)

/* All three take the text of a valid JSON number, and leave *ret alone when they fail. */

/* An integer without point and exponent, as Go demands of an int field. */
bool number_integer(struct slice text, int64_t *ret) __attribute__((warn_unused_result));

/* A whole number in any notation (4096, 4096.0, 4.096e3) up to NUMBER_WHOLE_MAX. */
bool number_whole(struct slice text, int64_t *ret) __attribute__((warn_unused_result));

/* Seconds to milliseconds, rounded down; any negative number gives -1. */
bool number_seconds(struct slice text, int64_t *ret_ms) __attribute__((warn_unused_result));

/* A duration as Go's time.ParseDuration reads it ("1h30m", "-1s", "0"), in milliseconds, rounded down;
 * any negative one gives -1. */
bool duration_parse(struct slice text, int64_t *ret_ms) __attribute__((warn_unused_result));

#endif
