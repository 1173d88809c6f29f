/* Admissions in Redis: one hash tg:adm:<request id>, so that a request asked about twice is charged
 * once, and so that exactly one party writes its completion.
 *
 * Every attempt to admit has a field of its own, a:<nonce>, that holds what it charged; the field
 * `last` names the attempt that wrote last. Both are set by one HSET, after the charge. Who removes a
 * field (HDEL answered 1), and nobody else, may and must take its charge back.
 *
 *  - Asked twice, the first answer was lost: the second attempt finds itself `last`, removes the first's
 *    field, and decides as if that charge were gone. HAProxy asks again only when it has dropped the
 *    first answer, so the first runs nowhere.
 *  - The first is still in flight in another agent: it looks either before the second's HSET (then the
 *    second sees its field) or after (then `last` is not itself and it withdraws). If both happen, HDEL
 *    lets only one of them take the charge back.
 *  - A charge is only subtracted from a sum that was read after its HDEL had answered 1: before that,
 *    its owner might have taken it back between two reads.
 *  - The agent dies between HDEL and taking back: the charge stays for its 61 seconds. Errors always
 *    fall to the side of counting too much.
 *  - The completion was written (DEL) before a stray first attempt executes: it recreates the hash, is
 *    late, and withdraws.
 *  - Left open: an agent that got a request 120 ms or more after HAProxy sent it can be `last` although
 *    HAProxy listens to the other. One charge remains all the same, unless that one is refused.
 *
 * The hash lives for the lease and a minute: the lease equals the longest time a stream is followed, so
 * there is nothing to renew, and who ends it at the lease's end still finds it. */
#ifndef TOLLGATE_LIMIT_ADMISSION_H
#define TOLLGATE_LIMIT_ADMISSION_H

#include "base/strbuf.h"
#include "store/store.h"

enum {
	ADMISSION_ID_MAX = 64,     /* bytes of a request id, ticket, key id or tenant id */
	ADMISSION_FIELD_MAX = 20,  /* "a:", 16 hexadecimal digits, NUL */
	ADMISSION_NAME_MAX = 80,   /* "tg:adm:", request id, NUL */
	ADMISSION_VALUE_MAX = 256, /* an attempt's field with its NUL */
	ADMISSION_GRACE_S = 60,
};

/* True for 1 to ADMISSION_ID_MAX bytes of [0-9A-Za-z_.:-]: nothing that could break a name or a field. */
bool admission_id_valid(struct slice id);

/* What one attempt charged; the slices point into the text it was read from. */
struct admission_attempt {
	int64_t second;   /* the slot */
	uint32_t n;       /* how much */
	bool key_charged; /* a scope without a limit is not charged */
	bool tenant_charged;
	struct slice ticket;
	struct slice key;
	struct slice tenant;
};

void admission_name(struct strbuf *sb, struct slice id);
void admission_encode(struct strbuf *sb, const struct admission_attempt *attempt);
bool admission_decode(struct slice text, struct admission_attempt *ret) __attribute__((warn_unused_result));

struct admissions;

/* NULL when memory is short. At most max_calls are under way at once; the store must outlive the calls:
 * free the store first, then this. */
struct admissions *admissions_new(struct store *store, unsigned max_calls);
void admissions_free(struct admissions **adm);

enum admission_fate {
	ADMISSION_MINE,    /* this caller removed it: it writes the completion */
	ADMISSION_GONE,    /* there was none (any more) */
	ADMISSION_UNKNOWN, /* Redis could not be asked or its answer was lost */
};
typedef void admission_end_fn(void *ctx, enum admission_fate fate);

/* Removes the admission. fn runs exactly once, perhaps before this returns. */
void admission_end(struct admissions *adm, struct slice id, admission_end_fn *fn, void *ctx);

/* attempt is NULL unless an admission was found; `known` tells "there is none" from "could not ask". */
typedef void admission_find_fn(void *ctx, bool known, const struct admission_attempt *attempt);

/* Looks an admission up (for the completion of a request this agent does not know). fn as above. */
void admission_find(struct admissions *adm, struct slice id, admission_find_fn *fn, void *ctx);

#endif
