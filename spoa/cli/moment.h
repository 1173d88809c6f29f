/* Times as people write them on a command line: 24h, 90d, 2026-12-31, never. */
#ifndef TOLLGATE_CLI_MOMENT_H
#define TOLLGATE_CLI_MOMENT_H

#include "base/slice.h"
#include "base/strbuf.h"

/* A whole number with its unit s, m, h, d or w, or a plain 0; at most 36525 days. Seconds in *ret. */
bool moment_duration(struct slice text, int64_t *ret) __attribute__((warn_unused_result));

/* When something expires, in unix seconds: `never` (0), a duration from `now` on, a date (the whole day
 * still counts, UTC) or a time like 2026-12-31T18:00:00Z. Returns NULL, or what is wrong with the text;
 * *ret is then untouched. */
const char *moment_expiry(struct slice text, int64_t now, int64_t *ret) __attribute__((warn_unused_result));

/* RFC 3339 in UTC to the second. */
void moment_put(struct strbuf *sb, int64_t seconds);

/* A number of seconds as people say it: 45s, 12m, 3h12m, 4d7h. Negative ones are 0s. */
void moment_put_age(struct strbuf *sb, int64_t seconds);

#endif
