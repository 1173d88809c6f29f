/* The SPOE agent's engine: listeners, connections and framing on one libev loop. The handler sees
 * requests, never sockets.
 *
 * A NOTIFY becomes begin(), body() for each run of the body's bytes as they come from the socket, and
 * end(). The answer may be given at any time from begin() on, by spop_reply() with the request's
 * spop_ref, in any order; the engine gathers answers and writes each connection once before the loop
 * sleeps. No call of the handler is made from within spop_reply().
 *
 * Memory is bounded by struct spop_limits; nothing is allocated for a request once warm. */
#ifndef TOLLGATE_SPOP_AGENT_H
#define TOLLGATE_SPOP_AGENT_H

#include <ev.h>

#include "spop/actions.h"
#include "spop/frame.h"

struct spop_server;

struct spop_limits {
	uint32_t max_frame_size;    /* bytes; 256 to 64 MiB; negotiated down to HAProxy's offer */
	uint32_t max_head;          /* bytes of a frame before its body argument; 1 KiB to 1 MiB */
	uint32_t max_output;        /* bytes of answers waiting for one connection; one ACK must fit */
	unsigned max_connections;   /* more are accepted and closed at once */
	unsigned max_inflight;      /* unanswered requests of one connection (1 to 1024); at the limit it is
				       not read */
	unsigned hello_timeout_ms;  /* from accept to a whole HAPROXY-HELLO */
	unsigned stall_timeout_ms;  /* without a byte in the middle of a frame */
	unsigned idle_timeout_ms;   /* without a byte between frames, nothing in flight; 0 = never. HAProxy
				       closes idle connections itself, so this should be the longer */
	unsigned close_timeout_ms;  /* for answers in flight after HAProxy's DISCONNECT, and then again for
				       HAProxy to close after ours */
};

void spop_limits_defaults(struct spop_limits *limits);

/* A request waiting for its answer. A value: keep it as long as you like; when the connection has died
 * or the answer was given it refers to nothing and replies are ignored. All zero refers to nothing. */
struct spop_ref {
	uint32_t connection;
	uint32_t slot;
	uint64_t ticket;
};

struct spop_handler {
	/* The message's name and arguments are valid during the call only. Returns what the further calls
	 * shall get, or NULL when nothing more is wanted: the body is skipped, and end() and gone() are not
	 * called. A NULL without an answer given before leaves HAProxy to its timeout; the ref is then
	 * dead. Answer first (spop_reply within begin()) and return NULL to refuse at once. */
	void *(*begin)(void *ctx, struct spop_ref ref, const struct spop_message *message);
	/* The next bytes of the body, valid during the call; never empty. Goes on after an early answer. */
	void (*body)(void *request, struct slice chunk);
	/* The frame is complete: body_len bytes were given. Always called after a begin() that did not return
	 * NULL, with or without a body, unless gone() is. */
	void (*end)(void *request);
	/* The connection died before end(). */
	void (*gone)(void *request);
};

enum spop_sent {
	SPOP_SENT,    /* queued; the ref is dead from here on */
	SPOP_GONE,    /* nobody waits for it any more */
	SPOP_REFUSED, /* no action, overflow, or larger than HAProxy accepts: the request still waits */
};

enum spop_sent spop_reply(struct spop_server *server, struct spop_ref ref, const struct spop_actions *actions);

/* Whether an answer would still reach somebody. */
bool spop_ref_alive(const struct spop_server *server, struct spop_ref ref);

/* `handler` must stay for the server's life. NULL with errno when memory is short or a limit is out of
 * its range (EINVAL). */
struct spop_server *spop_server_new(struct ev_loop *loop, const struct spop_limits *limits,
				    const struct spop_handler *handler, void *ctx);

struct spop_listen_options {
	unsigned mode;     /* of a unix socket, e.g. 0660 */
	const char *group; /* of a unix socket; NULL leaves it */
};

#define SPOP_ERROR_TEXT 160

/* Listens on `unix:/path`, or on `host:port` where host is an address of the loopback (127.0.0.1, [::1])
 * or `localhost`. A socket nobody answers on is replaced, anything else at the path is left alone. May be
 * called several times. False with a text that names what failed. */
bool spop_server_listen(struct spop_server *server, struct slice address, const struct spop_listen_options *options,
			char error[static SPOP_ERROR_TEXT]) SPOP_MUST_CHECK;

/* Takes over a connected stream socket as if it had been accepted (tests, socket activation). The
 * descriptor is the server's also on failure, when it is closed. */
bool spop_server_adopt(struct spop_server *server, int fd);

/* Ends gracefully: stops listening, answers what is in flight, takes leave of each connection with
 * AGENT-DISCONNECT 0 at its first quiet moment, from half the time on without reading further requests,
 * and when `grace_ms` are over whatever is in flight. `drained` (may be NULL) is called once from the
 * loop when no connection is left. May be called from within the handler; a second call does nothing. */
void spop_server_drain(struct spop_server *server, unsigned grace_ms, void (*drained)(void *ctx));

/* Closes everything at once, without a word; gone() is called where it is due. NULLs the pointer. Not from
 * within the handler. */
void spop_server_free(struct spop_server **server);

enum spop_error {
	SPOP_ERROR_LENGTH,    /* frame shorter than its own header */
	SPOP_ERROR_TOO_BIG,   /* frame above max-frame-size, or head above max_head */
	SPOP_ERROR_MALFORMED, /* payload does not parse or does not fill its frame */
	SPOP_ERROR_FRAGMENT,  /* fragmented payload */
	SPOP_ERROR_TYPE,      /* frame type that HAProxy does not send */
	SPOP_ERROR_SEQUENCE,  /* anything before HELLO, second HELLO */
	SPOP_ERROR_NEGOTIATE, /* HELLO without what is needed, or without common ground */
	SPOP_ERROR_TIMEOUT,   /* HELLO did not come, or a frame stopped in the middle */
	SPOP_ERROR_TRUNCATED, /* connection ended in the middle of a frame */
	SPOP_ERROR_SLOW,      /* answers were not read */
	SPOP_ERROR_PEER,      /* HAProxy disconnected with an error status */
	SPOP_ERROR_IO,        /* read, write or accept failed */
	SPOP_ERROR_RESOURCE,  /* no memory or no descriptor */
	SPOP_ERROR_UNANSWERED, /* begin() returned NULL without an answer, or an answer did not come in time */
	SPOP_ERRORS,
};

/* Lower-case word for a metric's label. */
const char *spop_error_name(enum spop_error error);

struct spop_stats {
	uint64_t accepted;
	uint64_t refused;  /* above max_connections, or no descriptor left */
	uint64_t closed;
	uint64_t hellos;   /* without health checks */
	uint64_t healthchecks;
	uint64_t notifies;
	uint64_t disconnects_in;
	uint64_t acks;
	uint64_t acks_late; /* spop_reply() found nobody */
	uint64_t disconnects_out;
	uint64_t errors[SPOP_ERRORS];
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t reads;
	uint64_t writes;
	uint64_t pauses;   /* a connection reached max_inflight */
	unsigned open;     /* connections */
	unsigned inflight; /* requests begun and not answered */
};

const struct spop_stats *spop_server_stats(const struct spop_server *server);

#endif
