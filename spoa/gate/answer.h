/* A decision put into words: the variables of HAProxy's transaction and the error in the client's
 * dialect. Internal to the gate. */
#ifndef TOLLGATE_GATE_ANSWER_H
#define TOLLGATE_GATE_ANSWER_H

#include "gate/request.h"

/* Answers all of r->refs with r->reason. */
void answer_request(const struct request *r);

/* Says again that the request of `entry` was admitted. */
void answer_again(struct spop_ref ref, const struct inflight_entry *entry);

/* Answers a NOTIFY for which there is no request object. */
void answer_refusal(struct spop_ref ref, enum reason reason, enum dialect dialect, struct slice id);

#endif
