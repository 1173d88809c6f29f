/* Inside the limiter: one admission under way, and the commands it sends. */
#ifndef TOLLGATE_LIMIT_CALL_H
#define TOLLGATE_LIMIT_CALL_H

#include "limit/admission.h"
#include "limit/agents.h"
#include "limit/limiter.h"
#include "limit/scope.h"

enum {
	CALL_SCOPES = 2, /* key and tenant */
	CALL_RIVALS =
		4, /* earlier attempts replaced at once; more than two asks for one id are not expected */
	CALL_COMMANDS = 12,
	CALL_ATTEMPTS = 3, /* charges tried within one deadline */
};

/* What the round trip under way is for. */
enum call_stage {
	CALL_PROBE,    /* looks without charging: the last look said full */
	CALL_COUNT,    /* charges, writes the record, looks */
	CALL_RETIRE,   /* removes earlier attempts for the same id, looks again */
	CALL_WITHDRAW, /* removes its own attempt, looks again */
};

struct call_scope {
	struct scope *scope; /* held */
	uint32_t limit;      /* a minute, not 0 */
	bool charged;        /* Redis confirmed the charge of this attempt */
	uint32_t upto;       /* what its slot held then: what is beyond came later, and will see this one */
	bool touching;       /* the command that gives the string its expiry is sent with it */
};

/* An earlier attempt for the same request id. */
struct rival {
	char field[ADMISSION_FIELD_MAX];
	char value[ADMISSION_VALUE_MAX];
	struct admission_attempt attempt; /* points into value */
	bool removed;                     /* by us, so its charge is ours to take back */
};

/* What a command of the round was, to understand its reply. */
struct call_op {
	uint8_t kind;
	uint8_t arg; /* index of a scope or a rival */
};

struct limit_call {
	struct list link; /* on the free list, or stranded */
	struct store_call call;
	struct limiter *limiter;
	limit_done_fn *fn; /* NULL once answered or cancelled: what follows only cleans up */
	void *ctx;
	char id[ADMISSION_ID_MAX + 1];
	char ticket[ADMISSION_ID_MAX + 1];
	char key[ADMISSION_ID_MAX + 1];
	char tenant[ADMISSION_ID_MAX + 1];
	uint32_t n;
	struct call_scope scope[CALL_SCOPES];
	unsigned scopes;
	int64_t deadline_us; /* monotonic */
	enum call_stage stage;
	unsigned attempts;
	bool repeated;

	/* the attempt under way */
	int64_t second;
	char field[ADMISSION_FIELD_MAX];
	bool recorded; /* its field has been written, or may have been */
	bool newest;   /* no later attempt had been written when we looked */
	struct rival rival[CALL_RIVALS];
	unsigned rivals;

	/* the round under way */
	struct call_op op[CALL_COMMANDS];
	unsigned ops;
	bool error;   /* a reply was not what was asked for */
	bool exists;  /* CALL_PROBE: there is a record */
	bool removed; /* CALL_WITHDRAW: our field was there, so its charge is ours to take back */
};

struct limiter {
	struct store *store;
	struct limiter_config config;
	struct scopes scopes;
	struct slab calls;
	struct list
		stranded; /* calls answered whose attempt must still be withdrawn, when Redis is up again */
	struct agents agents;
	uint64_t nonce;
	unsigned epoch; /* counts connections */
	struct limiter_stats stats;
};

static inline int64_t limiter_now_us(const struct limiter *l)
{
	return l->config.now_us != NULL ? l->config.now_us(l->config.now_ctx) : store_time_us(l->store);
}

/* Each starts a round of `call`; false when the store refused and nothing was sent. */
bool call_probe(struct limit_call *call) __attribute__((warn_unused_result));
bool call_count(struct limit_call *call) __attribute__((warn_unused_result));
bool call_retire(struct limit_call *call) __attribute__((warn_unused_result));
bool call_withdraw(struct limit_call *call) __attribute__((warn_unused_result));

/* The store's on_reply of every round. */
void call_on_reply(struct store_call *store_call, unsigned index, const redisReply *reply);

/* What this call's attempt has charged, as far as it is known. */
struct admission_attempt call_attempt(const struct limit_call *call);

/* Takes a charge back in Redis, without waiting. Only who removed the attempt's field may. */
void call_take_back(struct limiter *limiter, const struct admission_attempt *attempt);

/* Gives the strings just charged their expiry if they turn out to be new although this agent had touched
 * them (Redis was flushed, or evicted them). Of several agents at once, whose charge is the first of the
 * earliest slot sees to it. */
void call_mend_expiry(struct limit_call *call);

#endif
