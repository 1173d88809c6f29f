/* Bodies of audit records: the members of a JSON object without braces. The writer adds the sequence
 * number and what every record carries. No allocation, no I/O. */
#ifndef TOLLGATE_AUDIT_RECORD_H
#define TOLLGATE_AUDIT_RECORD_H

#include "audit/audit.h"
#include "audit/refusals.h"
#include "base/strbuf.h"

/* Longest body: every text is cut to AUDIT_TEXT_MAX bytes and may grow sixfold by escapes. */
enum { AUDIT_BODY_MAX = 16 * 1024, AUDIT_TEXT_MAX = 160 };

/* Records that could not be taken, by type. */
struct audit_loss {
	uint64_t count[AUDIT_TYPES];
	bool broken;     /* the first was lost because the disk refused writes, not for want of room */
	int64_t from_us; /* wall clock; 0: nothing was lost */
	int64_t until_us;
};

void audit_body_decision(struct strbuf *sb, int64_t now_us, const struct audit_decision *d);
void audit_body_completion(struct strbuf *sb, int64_t now_us, const struct audit_completion *c);
void audit_body_event(struct strbuf *sb, int64_t now_us, enum audit_type type, bool ok, struct slice detail);
void audit_body_refusals(struct strbuf *sb, int64_t now_us, const struct audit_refusal_sum *sum);
void audit_body_rotate(struct strbuf *sb, int64_t now_us, struct slice segment, uint64_t records);
void audit_body_loss(struct strbuf *sb, int64_t now_us, const struct audit_loss *loss);

/* `damaged`: the last whole line could not be read as a record, and was left as it is. */
void audit_body_torn(struct strbuf *sb, int64_t now_us, struct slice segment, uint64_t bytes, bool damaged);

#endif
