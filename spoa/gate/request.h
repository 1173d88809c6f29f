/* One NOTIFY being decided. Internal to the gate. */
#ifndef TOLLGATE_GATE_REQUEST_H
#define TOLLGATE_GATE_REQUEST_H

#include "auth/directory.h"
#include "auth/key.h"
#include "auth/record.h"
#include "gate/gate.h"
#include "gate/inflight.h"
#include "gate/reason.h"
#include "limit/limiter.h"
#include "ollama/dialect.h"
#include "ollama/name.h"
#include "ollama/route.h"
#include "ollama/scan.h"
#include "spop/agent.h"

enum {
	REQUEST_MESSAGE_MAX = 512, /* bytes of the sentence for the client */
	REQUEST_REFS_MAX = 4,      /* times HAProxy may ask about one request while it is being decided */
};

/* What the key's record allows this request, copied because records do not outlive the loop's turn. */
struct grant {
	char key_id[KEY_ID_LEN + 1];
	char tenant[RECORD_TENANT_MAX + 1];
	uint32_t key_rpm;
	uint32_t tenant_rpm;
	int priority;
};

struct request {
	struct list link; /* on the pool's free list */
	struct gate *gate;
	/* Everybody who asks about this request gets its answer: which of them HAProxy still listens to
	 * cannot be known, since frames on two connections may be read in either order. */
	struct spop_ref refs[REQUEST_REFS_MAX];
	unsigned ref_count;
	struct inflight_entry *entry; /* NULL once its stream has ended: then nobody waits for an answer */
	bool admit;                   /* else identify */
	bool again;                   /* HAProxy asks for the second time */
	bool busy;                    /* taken from the pool */
	bool reading;                 /* the frame is not complete: the connection still holds this request */
	int64_t started_us;

	enum credential credential_state;
	char credential[KEY_PRESENTED_MAX + 1]; /* cleansed as soon as it has been verified */
	struct slice secret;                    /* within credential */
	char source[INFLIGHT_SOURCE_MAX + 1];
	bool source_known;
	struct netaddr address;
	char node[INFLIGHT_NODE_MAX + 1];
	bool node_given;
	bool node_valid;
	const char *method; /* literal */
	enum route_status route_status;
	struct route_match match;
	enum dialect dialect;
	uint64_t body_size; /* as the client declared it */
	uint64_t body_len;  /* as it arrived here */
	struct scan scan;

	struct directory_ask ask;
	struct limit_call *limit_call;
	struct limit_verdict limit;

	struct grant grant;
	struct model_name model;
	bool has_model;
	enum reason reason;
	char message[REQUEST_MESSAGE_MAX]; /* empty: the reason's own sentence */
};

/* The stages of a decision that need nothing but memory. Each gives REASON_OK to go on. */

/* Before anybody is asked: the route exists and exactly one credential that could be a key is there. */
enum reason check_request(struct request *r, struct key *ret_key);

/* The key's secret, state, network, role and, for admit, what the body asks for. Fills r->grant and
 * r->model. */
enum reason check_records(struct request *r, const struct peppers *peppers, const struct key_record *key,
			  const struct tenant_record *tenant, int64_t now_s);

#endif
