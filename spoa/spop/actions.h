/* The actions of one ACK, encoded into memory the caller owns: SET-VAR of transaction variables.
 * Scope txn is the only one, since HAProxy resets it with each request while sess leaks into the next.
 * Put the decisive variable first: HAProxy stops at the first action that it does not understand. */
#ifndef TOLLGATE_SPOP_ACTIONS_H
#define TOLLGATE_SPOP_ACTIONS_H

#include "spop/codec.h"

/* HAProxy formats scope, prefix and name into 64 bytes and drops what is longer. */
#define SPOP_VAR_NAME_MAX 48

struct spop_actions {
	struct spop_writer w;
	unsigned count;
};

static inline struct spop_actions spop_actions_over(void *buf, size_t cap)
{
	return (struct spop_actions){.w = spop_writer_over(buf, cap)};
}

/* An action is written whole or not at all; after one that did not fit (or whose name is empty or too
 * long) the buffer refuses all others, so that spop_reply() cannot send half a verdict. */
void spop_actions_str(struct spop_actions *a, const char *name, struct slice value);
void spop_actions_int(struct spop_actions *a, const char *name, int64_t value);
void spop_actions_bool(struct spop_actions *a, const char *name, bool value);

/* Makes a later `var(…) -m found` false again. */
void spop_actions_unset(struct spop_actions *a, const char *name);

/* Something did not fit. */
static inline bool spop_actions_overflow(const struct spop_actions *a)
{
	return a->w.overflow;
}

/* Forgets everything, the overflow too: another, shorter answer can be built in the same memory. */
static inline void spop_actions_reset(struct spop_actions *a)
{
	*a = spop_actions_over(a->w.p, a->w.cap);
}

#endif
