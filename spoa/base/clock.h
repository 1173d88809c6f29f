/* Time. Monotonic time measures, wall-clock time is written down; they are never mixed. */
#ifndef TOLLGATE_BASE_CLOCK_H
#define TOLLGATE_BASE_CLOCK_H

#include <stdint.h>

#include "base/strbuf.h"

/* Microseconds since an arbitrary start. */
int64_t clock_mono_us(void);

/* Microseconds since 1970-01-01 UTC, as this host believes. */
int64_t clock_wall_us(void);

/* RFC 3339 in UTC with microseconds: 2026-01-02T03:04:05.000006Z */
void clock_rfc3339(struct strbuf *sb, int64_t wall_us);

#endif
