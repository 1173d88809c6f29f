/* Inside the limiter: how an admission goes on after each round trip.
 *
 *   probe --room, or known--> count --fits--> admitted
 *     |full                     |earlier asks--> retire --fits--> admitted
 *     v                         |full              |full
 *   limited                     v                  v
 *                             withdraw --room again--> count
 *                               |full
 *                               v
 *                             limited
 *
 * A call whose verdict has been given otherwise (late, cancelled, an error) goes on to withdraw. */
#ifndef TOLLGATE_LIMIT_FLOW_H
#define TOLLGATE_LIMIT_FLOW_H

#include "limit/call.h"

/* Takes a filled call on its way; false when the store refused, then nothing has happened. Otherwise fn
 * runs once, unless it is cleared, and the call returns to its slab. */
bool flow_start(struct limit_call *call, bool probe) __attribute__((warn_unused_result));

/* Withdraws what could not be withdrawn while Redis was away. */
void flow_drain(struct limiter *limiter);

/* Counts a verdict and hands it over. */
void flow_deliver(struct limiter *limiter, limit_done_fn *fn, void *ctx, const struct limit_verdict *verdict);

void flow_release_scopes(struct call_scope *scope, unsigned count);

#endif
