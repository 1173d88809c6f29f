/* The connection to Redis: pipelined commands, our own deadlines, reconnection and a breaker.
 *
 * hiredis matches replies to commands by order and has no timeout for one command that works on
 * every version, so deadlines are ours: a call that is late is reported once, and its owner is told
 * again when its last reply has come after all, because what Redis executed must then be undone. */
#ifndef TOLLGATE_STORE_STORE_H
#define TOLLGATE_STORE_STORE_H

#include <ev.h>
#include <hiredis/hiredis.h>

#include "base/list.h"
#include "base/slice.h"

struct store;

struct store_config {
	struct slice url;      /* see store/url.h; a host name is resolved once, by store_new(). Copied. */
	struct slice password; /* when not empty, instead of the URL's (for a password file). Copied. */
	int64_t connect_timeout_us;
	int64_t stall_us;         /* oldest unanswered command older than this: the connection is given up */
	int64_t ping_interval_us; /* ping of both connections; also measures Redis' clock */
	int64_t ping_late_us;     /* a ping answered within this closes the breaker */
	int64_t reconnect_min_us; /* first pause, doubled to reconnect_max_us, each with jitter */
	int64_t reconnect_max_us;
	unsigned max_pending;      /* commands in flight; more are refused at once */
	unsigned breaker_failures; /* consecutive late calls after which calls are refused at once until a
				      ping is answered in time; 0: never */
};

/* Defaults of everything but the URL. */
void store_config_defaults(struct store_config *config);

enum store_outcome {
	STORE_OK,   /* every reply has come; some may be error replies */
	STORE_LATE, /* the deadline passed first */
	STORE_LOST, /* not connected, refused by the breaker, or the connection broke */
};

struct store_call;

/* A reply to command `index` of the call, in order; also after STORE_LATE. The reply is valid during
 * the callback only. Not called for commands whose connection broke. */
typedef void store_reply_fn(struct store_call *call, unsigned index, const redisReply *reply);

/* Exactly once for a call that store_send() took. */
typedef void store_done_fn(struct store_call *call, enum store_outcome outcome);

/* Only after STORE_LATE, exactly once: `complete` tells whether every reply came in the end (and was
 * shown to on_reply) or the connection broke, so that nothing is known. The call is free from here on. */
typedef void store_late_fn(struct store_call *call, bool complete);

/* Embedded in its owner's object, which must stay until on_done (STORE_OK, STORE_LOST) or on_late.
 * The callbacks never run from within store_send(). on_late may be NULL when nothing has to be undone,
 * but the object must still stay until the call is idle (see store_call_idle). Zeroed before its first
 * use. */
struct store_call {
	store_reply_fn *on_reply; /* may be NULL */
	store_done_fn *on_done;
	store_late_fn *on_late;
	/* private */
	struct list link;
	struct store *store;
	int64_t deadline_us;
	unsigned commands;
	unsigned replied;
	bool late;
	bool active;
};

/* Connects in the background; resolving a host name blocks. NULL with errno on failure (EINVAL: the
 * URL or a value is not understood, EHOSTUNREACH: the name does not resolve).
 *
 * The Redis user needs: +auth +select +client|setname +client|id +client|tracking +role +ping +time
 * +subscribe, and the channel &__redis__:invalidate. The process must ignore SIGPIPE. */
struct store *store_new(struct ev_loop *loop, const struct store_config *config);

/* Every call in flight ends with STORE_LOST (or on_late). NULLs the pointer. Not from within a
 * callback of the store. */
void store_free(struct store **store);

/* Connected, authenticated, not a replica, breaker closed. */
bool store_up(const struct store *store);

/* Starts a call: commands are then added by store_command and leave with one write before the loop
 * sleeps. One call is being put together at a time; one that is never sent is forgotten by the next. */
void store_begin(struct store *store, struct store_call *call, int64_t deadline_us /* monotonic */);

/* Adds a command: argv[i] of length argvlen[i]. */
void store_command(struct store_call *call, int argc, const char *const *argv, const size_t *argvlen);

/* Hands the call over. False when it was refused (not connected, breaker, queue full, deadline already
 * over, more than 64 commands): no callback will come and nothing was sent. A caller that gets false
 * from store_up() need not try. */
bool store_send(struct store_call *call) __attribute__((warn_unused_result));

static inline bool store_call_idle(const struct store_call *call)
{
	return !call->active;
}

/* Sends one command whose reply nobody waits for (a refund, a removal). False when it was not sent.
 * Passes an open breaker, since what was late must be undone when it completes. */
bool store_post(struct store *store, int argc, const char *const *argv, const size_t *argvlen);

/* Redis' clock in microseconds since 1970, from the offset last measured (TIME halfway through its
 * round trip); this host's clock before the first measurement. */
int64_t store_time_us(const struct store *store);

/* Told of every change of store_up(): up after (re)connection, down after a loss; the breaker too. Used
 * to reset what was cached about Redis' content. At most STORE_LISTENERS can be added. */
enum { STORE_LISTENERS = 8 };
typedef void store_state_fn(void *ctx, bool up);
void store_on_state(struct store *store, store_state_fn *fn, void *ctx);

/* Names below one of `prefixes` that were written, expired or removed (CLIENT TRACKING … BCAST on a
 * connection of its own). `key` with p == NULL: anything may have changed (flush, or the link was
 * renewed, just before it is told up). link_up tells whether invalidations are being heard now; told on
 * each change. One subscriber; false when there is one already or a prefix is unfit. */
typedef void store_invalidate_fn(void *ctx, struct slice key);
typedef void store_link_fn(void *ctx, bool link_up);
bool store_track(struct store *store, const char *const *prefixes, unsigned count,
		 store_invalidate_fn *on_key, store_link_fn *on_link, void *ctx)
	__attribute__((warn_unused_result));

struct store_stats {
	uint64_t commands;
	uint64_t calls;
	uint64_t late;    /* calls that missed their deadline */
	uint64_t lost;    /* calls that ended with the connection */
	uint64_t refused; /* calls refused at once: down, breaker or full */
	uint64_t error_replies;
	uint64_t connects;
	uint64_t connect_failures;
	uint64_t invalidations;
	unsigned pending; /* commands in flight */
	bool up;
	bool tracking; /* invalidations are heard */
	bool breaker_open;
	int64_t clock_offset_us; /* Redis' clock minus this host's; 0 before the first measurement */
	char last_error[160];    /* why the connection was last given up; holds no credential */
	char track_error[160];   /* the same of the invalidations' connection */
};
void store_stats(const struct store *store, struct store_stats *ret);

#endif
