/* A decision put into words: the variables of HAProxy's transaction and the error in the client's
 * dialect. Internal to the gate. */
#ifndef TOLLGATE_GATE_ANSWER_H
#define TOLLGATE_GATE_ANSWER_H

#include "gate/request.h"

/* Answers r->ref with r->reason. False when the connection is gone. */
bool answer_request(const struct request *r);

/* Answers a NOTIFY for which there is no request object. */
bool answer_refusal(struct spop_ref ref, enum reason reason, enum dialect dialect, struct slice id);

#endif
