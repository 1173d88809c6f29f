/* The audit log: JSON Lines in a directory this process owns, one line a decision, completion or event.
 *
 * The caller's thread serialises a record into a bounded queue and never waits for a disk. A writer
 * thread gives each record its sequence number, writes what has gathered and syncs it as one commit.
 * Records name people's keys and addresses, never what they said: no prompt, answer, credential, header
 * or query string, and no ticket. */
#ifndef TOLLGATE_AUDIT_AUDIT_H
#define TOLLGATE_AUDIT_AUDIT_H

#include "base/slice.h"
#include "metrics/histogram.h"

struct audit;

enum audit_on_failure {
	AUDIT_REFUSE,   /* nothing is decided that cannot be written down: audit_decision() says no at once */
	AUDIT_CONTINUE, /* decisions go on; what was lost is counted and written down as a gap */
};

struct audit_config {
	struct slice directory; /* must exist; one agent a directory */
	struct slice version;   /* of the agent, for every record */
	enum audit_on_failure on_failure;
	size_t queue_bytes; /* memory of the queue, 64 KiB at least; an eighth is kept for what is no decision
			     */
	size_t segment_bytes;     /* a segment that has grown past this is closed; so is yesterday's (UTC) */
	int64_t sync_interval_us; /* pause between two syncs, so that records gather; 0: none */
};

/* Takes the directory's lock, cuts a torn last line and starts the writer thread (so: after any fork).
 * NULL with errno: EWOULDBLOCK when another agent has the directory, EINVAL for a bad configuration. */
struct audit *audit_new(const struct audit_config *config);

/* Writes what is queued, if the disk lets it, and ends the thread. NULLs the pointer. */
void audit_free(struct audit **audit);

/* Numbers below 0 mean "not known"; they and empty slices are left out of the record. */

struct audit_request {
	struct slice id;     /* HAProxy's unique id, never the ticket */
	struct slice key_id; /* of a key whose secret was right; a claimed id is nobody's */
	struct slice tenant;
	struct slice src; /* address as text */
	struct slice method;
	struct slice route; /* the route's template, never the path as sent */
	struct slice model; /* canonical */
};

struct audit_decision {
	struct audit_request request;
	bool admitted;
	struct slice verdict; /* closed set of the gate */
	struct slice reason;  /* closed set of the gate */
	int status;
	struct slice node;   /* node the client asked for */
	struct slice policy; /* name of the tightest limit */
	struct slice mode;   /* where it was counted: redis, local */
	int64_t limit;
	int64_t used;
	int64_t remaining;
	int64_t bytes_in;    /* declared length of the body */
	int64_t duration_us; /* taken to decide */
};

struct audit_completion {
	struct audit_request request;
	struct slice verdict;
	struct slice node; /* that answered */
	struct slice backend;
	struct slice finish; /* completion_finish_name(), or lost */
	int status;
	int64_t retries;
	int64_t prompt_tokens;
	int64_t completion_tokens;
	int64_t bytes_in;
	int64_t bytes_out;
	int64_t queue_ms;
	int64_t ttft_ms;
	int64_t duration_ms;
};

/* All numbers "not known". */
void audit_decision_init(struct audit_decision *decision);
void audit_completion_init(struct audit_completion *completion);

/* False: the record could not be taken (queue full; with AUDIT_REFUSE also while the disk refuses
 * writes) and is counted towards the next gap record. The caller must then not admit, unless the policy
 * is AUDIT_CONTINUE. Refusals beyond ten a second of one key or source are summed into one record a
 * second; admissions never. */
bool audit_decision(struct audit *audit, const struct audit_decision *decision);

/* False: lost and counted. Taken as long as the queue has room, whatever the policy. */
bool audit_complete(struct audit *audit, const struct audit_completion *completion);

enum audit_event { AUDIT_START, AUDIT_STOP, AUDIT_CONFIG_RELOAD };

/* `detail` is text of our own making (a file's name, a signal), may be empty. Rotation and gaps are
 * recorded by the writer itself. */
bool audit_event(struct audit *audit, enum audit_event event, bool ok, struct slice detail);

/* Asks for a new segment; it starts with the next record. */
void audit_rotate(struct audit *audit);

/* The policy lets decisions be taken at this moment; for readiness. */
bool audit_writable(struct audit *audit);

/* Waits until all that was queued before is on disk; false when `timeout_us` passed first. */
bool audit_flush_wait(struct audit *audit, int64_t timeout_us);

enum audit_type {
	AUDIT_TYPE_DECISION,
	AUDIT_TYPE_REFUSALS, /* the sum of refusals that were not written singly */
	AUDIT_TYPE_COMPLETION,
	AUDIT_TYPE_START,
	AUDIT_TYPE_STOP,
	AUDIT_TYPE_CONFIG_RELOAD,
	AUDIT_TYPE_ROTATE,
	AUDIT_TYPE_GAP,
	AUDIT_TYPES
};
const char *audit_type_name(enum audit_type type);

struct audit_stats {
	uint64_t written[AUDIT_TYPES]; /* on disk and synced */
	uint64_t dropped[AUDIT_TYPES]; /* lost for want of room or disk */
	uint64_t summed;               /* refusals that went into sums */
	uint64_t write_errors;         /* failed attempts to write, sync or open */
	uint64_t syncs;
	uint64_t segments; /* opened since the start */
	size_t queued_bytes;
	size_t queue_limit_bytes;
	uint64_t queued_records;
	int64_t last_sync_us; /* wall clock of the last moment when nothing waited for the disk; now when idle
			       */
	bool broken;          /* the disk refuses writes; retried every second */
	int last_error;       /* errno of the last failed attempt */
	struct metrics_histogram sync_seconds;
};
void audit_stats(struct audit *audit, struct audit_stats *ret);

#endif
