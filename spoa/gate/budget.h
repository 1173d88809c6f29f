/* The bytes of large bodies that HAProxy may be holding at once. `identify` takes a body's declared
 * length before HAProxy waits for it, so that one tenant's uploads cannot pin all buffers. */
#ifndef TOLLGATE_GATE_BUDGET_H
#define TOLLGATE_GATE_BUDGET_H

#include "base/slice.h"

struct budget;

/* total: bytes for all; one tenant gets at most a quarter of it. tenants: how many can hold bytes at
 * once. NULL when memory is short. */
struct budget *budget_new(uint64_t total, unsigned tenants);
void budget_free(struct budget **budget);

/* False, and nothing is taken, when it would be too much for all or for this tenant. A single body
 * above a tenant's share is let in while the tenant holds nothing else. */
bool budget_take(struct budget *budget, struct slice tenant, uint64_t bytes)
	__attribute__((warn_unused_result));
void budget_give(struct budget *budget, struct slice tenant, uint64_t bytes);

uint64_t budget_used(const struct budget *budget);

#endif
