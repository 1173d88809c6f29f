/* Keeps a stranger from filling the disk: refusals of one key or source are recorded singly up to a
 * rate, then counted by reason, and the sums are recorded once a second. Memory is fixed; sources that
 * find no place share one sum. Not locked. */
#ifndef TOLLGATE_AUDIT_REFUSALS_H
#define TOLLGATE_AUDIT_REFUSALS_H

#include "audit/audit.h"
#include "base/table.h"

enum {
	AUDIT_REFUSALS_EACH = 10,  /* single records a second for one key or source */
	AUDIT_REFUSALS_ALL = 500,  /* and for all of them together */
	AUDIT_REFUSALS_WHO = 256,  /* keys and sources told apart */
	AUDIT_REFUSALS_REASONS = 8 /* the last place counts what finds no other */
};

struct audit_refusal_sum {
	bool by_key; /* who is a key id, else an address or a /64 */
	char who[64];
	uint64_t count;
	int64_t from_us;
	int64_t until_us;
	unsigned reason_count;
	struct {
		char name[32];
		uint64_t count;
	} reasons[AUDIT_REFUSALS_REASONS];
};

struct audit_refusals;

/* NULL when memory is short. */
struct audit_refusals *audit_refusals_new(void);
void audit_refusals_free(struct audit_refusals **refusals);

/* True: record it singly. False: it was counted. */
bool audit_refusals_single(struct audit_refusals *refusals, const struct audit_decision *decision,
			   int64_t now_us);

/* Some sum waits to be taken. */
bool audit_refusals_pending(const struct audit_refusals *refusals);

/* Takes one waiting sum, false when there is none. */
bool audit_refusals_take(struct audit_refusals *refusals, struct audit_refusal_sum *ret);

#endif
