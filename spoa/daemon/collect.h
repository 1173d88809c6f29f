/* The agent's metrics: what every part counted, in Prometheus' families. */
#ifndef TOLLGATE_DAEMON_COLLECT_H
#define TOLLGATE_DAEMON_COLLECT_H

#include "audit/audit.h"
#include "auth/directory.h"
#include "daemon/udp.h"
#include "gate/gate.h"
#include "limit/limiter.h"
#include "metrics/metrics.h"
#include "spop/agent.h"
#include "store/store.h"

/* All belong to the caller and outlive the registry. */
struct collect {
	struct gate *gate;
	struct spop_server *spop;
	struct store *store;
	struct directory *directory;
	struct limiter *limiter;
	struct audit *audit;
	struct udp *udp;
};

bool collect_register(struct collect *collect, struct metrics *metrics) __attribute__((warn_unused_result));

#endif
