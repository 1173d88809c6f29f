/* The decision. The gate takes what the SPOP engine hears from HAProxy, asks the directory who it is and
 * the limiter whether there is room, writes the audit record and answers with a verdict. */
#ifndef TOLLGATE_GATE_GATE_H
#define TOLLGATE_GATE_GATE_H

#include <ev.h>

#include "audit/audit.h"
#include "audit/completion.h"
#include "auth/directory.h"
#include "auth/pepper.h"
#include "gate/reason.h"
#include "limit/admission.h"
#include "limit/limiter.h"
#include "metrics/histogram.h"
#include "spop/agent.h"

struct gate;

struct gate_config {
	unsigned max_requests;    /* decisions in progress at once; more are refused */
	unsigned max_inflight;    /* requests followed from NOTIFY to the end of their stream */
	int64_t lease_us;         /* a stream whose end was not heard for so long is given up as lost */
	uint64_t byte_budget;     /* declared bytes of large bodies under way at once */
	bool admit_without_audit; /* audit policy `continue` */
};

/* Everything belongs to the caller and must outlive the gate. */
struct gate_parts {
	struct ev_loop *loop;
	struct directory *directory;
	struct limiter *limiter;
	struct admissions *admissions;
	struct audit *audit;
	const struct peppers *peppers;
};

/* NULL when memory is short. */
struct gate *gate_new(const struct gate_config *config, const struct gate_parts *parts);

/* Drops every decision in progress; nothing is asked of the other parts any more. The first step of taking
 * everything down, while they all still live. */
void gate_stop(struct gate *gate);

/* The SPOP server and the store must be gone before. NULLs the pointer. */
void gate_free(struct gate **gate);

/* What the SPOP engine is given, with the gate as its context. */
extern const struct spop_handler gate_handler;

/* After a reload. The old ones are not used any more when this returns. */
void gate_set_peppers(struct gate *gate, const struct peppers *peppers);

/* HAProxy's line at the end of a stream. `line` is modified. */
void gate_completion(struct gate *gate, char *line, size_t n);

struct gate_stats {
	uint64_t decisions[REASON_COUNT]; /* of admit, and refusals of identify */
	uint64_t identified;
	uint64_t repeated;  /* questions that were asked again */
	uint64_t cancelled; /* decisions whose stream ended first */
	uint64_t completions[COMPLETION_FINISHES];
	uint64_t completions_malformed;
	uint64_t completions_unmatched; /* lines of requests that were not admitted here, or forged ones */
	uint64_t
		completions_recovered; /* of requests another agent, or this one before a restart, admitted */
	uint64_t completions_dropped;  /* that could not be looked up: too many, or no Redis */
	uint64_t audit_refused;        /* records the audit log did not take */
	uint64_t prompt_tokens;
	uint64_t completion_tokens;
	unsigned deciding;
	unsigned open;
	unsigned admitted;
	uint64_t budget_bytes;
	struct metrics_histogram decision_seconds;
	struct metrics_histogram first_byte_seconds;
	struct metrics_histogram request_seconds;
	struct metrics_histogram queue_seconds;
};
const struct gate_stats *gate_stats(struct gate *gate);

#endif
