/* From what is known of the scopes of one request to its verdict. No I/O. */
#ifndef TOLLGATE_LIMIT_VERDICT_H
#define TOLLGATE_LIMIT_VERDICT_H

#include "limit/call.h"

/* The windows include this request's charge: do all limits hold? Charges that came later to the same slot
 * are left out: their owners look after this one was charged, so it is they who must give way. Of two
 * that race for the last place the first gets it, instead of neither. */
bool verdict_admits(const struct call_scope *scope, unsigned scopes, int64_t second);

/* The windows do not include it: would n more fit everywhere? */
bool verdict_room(const struct call_scope *scope, unsigned scopes, uint32_t n, int64_t second);

/* Takes an attempt's charge out of what is remembered; Redis is told by call_take_back(). */
void verdict_forget_charge(const struct call_scope *scope, unsigned scopes,
			   const struct admission_attempt *attempt);

void verdict_admitted(const struct call_scope *scope, unsigned scopes, int64_t now_us,
		      struct limit_verdict *ret);

/* The windows do not include the refused charge. When all fits after all, it says to come back in a second.
 */
void verdict_limited(const struct call_scope *scope, unsigned scopes, uint32_t n, int64_t now_us,
		     struct limit_verdict *ret);

/* Redis has just confirmed that n do not fit: remembers where, without charges that will not last. */
void verdict_deny(const struct call_scope *scope, unsigned scopes, uint32_t n, int64_t now_us);

/* Such a refusal is not older than max_age_us and its room has not come: *ret repeats it. */
bool verdict_denied(const struct call_scope *scope, unsigned scopes, uint32_t n, int64_t now_us,
		    int64_t max_age_us, struct limit_verdict *ret);

/* Decides from memory for one of `agents`, and charges memory when it admits. */
void verdict_local(const struct call_scope *scope, unsigned scopes, uint32_t n, unsigned agents,
		   int64_t now_us, struct limit_verdict *ret);

#endif
