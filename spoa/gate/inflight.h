/* The requests that HAProxy and this agent have in common, from the first NOTIFY to the line at the end
 * of the stream. HAProxy tells of the end by UDP, so a line may overtake the NOTIFY it ends; a tombstone
 * then keeps the late NOTIFY from being admitted for nobody. */
#ifndef TOLLGATE_GATE_INFLIGHT_H
#define TOLLGATE_GATE_INFLIGHT_H

#include "audit/completion.h"
#include "auth/record.h"
#include "base/list.h"
#include "base/table.h"
#include "limit/limiter.h"
#include "ollama/name.h"
#include "ollama/route.h"

enum {
	INFLIGHT_ID_MAX = 64,     /* bytes of HAProxy's unique id and of the ticket */
	INFLIGHT_SOURCE_MAX = 46, /* an address as text */
	INFLIGHT_NODE_MAX = 64,   /* bytes of a node's name */
	STREAM_END_NAME = 64,     /* a server's or backend's name, with its NUL */
};

struct inflight;
struct gate;

enum inflight_state {
	INFLIGHT_OPEN,     /* identified or being decided; HAProxy may still ask */
	INFLIGHT_ADMITTED, /* on its way to a node and back */
	INFLIGHT_ENDING,   /* its end is being settled with Redis */
	INFLIGHT_STATES,
};

/* What is kept of HAProxy's line until Redis has said who writes the completion record; numbers below 0
 * are not known. */
struct stream_end {
	char server[STREAM_END_NAME];
	char backend[STREAM_END_NAME];
	enum completion_finish finish;
	int status;
	int64_t retries;
	int64_t prompt_tokens;
	int64_t completion_tokens;
	int64_t bytes_in;
	int64_t bytes_out;
	int64_t queue_ms;
	int64_t first_byte_ms;
	int64_t total_ms;
};

/* What a completion record needs and what an answer that is given twice says are kept here, since HAProxy's
 * line is not trusted with it. */
struct inflight_entry {
	struct table_node node;
	struct list link; /* on the list of its state, oldest first */
	enum inflight_state state;
	int64_t since_us; /* monotonic; when it entered its state */
	char id[INFLIGHT_ID_MAX + 1];
	char ticket[INFLIGHT_ID_MAX + 1];
	char key_id[KEY_ID_LEN + 1];
	char tenant[RECORD_TENANT_MAX + 1];
	char source[INFLIGHT_SOURCE_MAX + 1];
	char model[NAME_MAX_LEN + 1];
	char wanted_node[INFLIGHT_NODE_MAX + 1]; /* that the client asked for */
	int priority;
	struct limit_verdict limit;
	const char *method;        /* literal */
	const struct route *route; /* NULL until known */
	void *request;             /* the decision in progress, owned by the gate; NULL when there is none */
	uint64_t budget;           /* bytes held in the body budget for `tenant` */
	uint64_t body_len;         /* of the first question; the second must be the same */
	bool asked;                /* `admit` was asked before */
	bool recorded;             /* Redis holds its admission record */
	struct gate *gate;         /* set with `end`, for the callback that settles */
	struct stream_end end;
};

enum inflight_open {
	INFLIGHT_NEW,
	INFLIGHT_AGAIN, /* already there under the same ticket: HAProxy asks again, or admit follows identify
			 */
	INFLIGHT_ENDED, /* the end of the stream was heard before: nobody waits for an answer */
	INFLIGHT_FOREIGN, /* the id is known under another ticket, or one of the two is not usable */
	INFLIGHT_FULL,
};

/* `capacity` entries and as many tombstones. NULL when memory is short. */
struct inflight *inflight_new(unsigned capacity);
void inflight_free(struct inflight **in);

/* *ret is set for INFLIGHT_NEW and INFLIGHT_AGAIN. */
enum inflight_open inflight_open(struct inflight *in, struct slice id, struct slice ticket, int64_t now_us,
				 struct inflight_entry **ret);

/* The entry that a line with this id and ticket ends, NULL when there is none. The line is remembered as a
 * tombstone, so that a question that comes after it is not decided any more. */
struct inflight_entry *inflight_end(struct inflight *in, struct slice id, struct slice ticket);

void inflight_move(struct inflight *in, struct inflight_entry *entry, enum inflight_state state,
		   int64_t now_us);
void inflight_remove(struct inflight *in, struct inflight_entry *entry);

/* The oldest entry of a state, if it entered it before `before_us`; else NULL. */
struct inflight_entry *inflight_oldest(struct inflight *in, enum inflight_state state, int64_t before_us);

unsigned inflight_count(const struct inflight *in, enum inflight_state state);

#endif
