/* The agent's side of SPOP: listeners, connections, and the handler that decides.
 *
 * One thread, one libev loop. A NOTIFY's arguments are handed over when they are complete; a last argument
 * `body` follows piece by piece as it arrives, so no body is ever held here. Answers are gathered and each
 * connection is written to once before the loop sleeps. */
#ifndef TOLLGATE_SPOP_AGENT_H
#define TOLLGATE_SPOP_AGENT_H

#include <ev.h>

#include "spop/codec.h"

struct spop_server;
struct spop_conn;

/* Names a NOTIFY. Stays a valid value when its connection is gone: replying then does nothing. */
struct spop_ref {
	struct spop_conn *conn;
	uint64_t generation;
	uint64_t stream_id;
	uint64_t frame_id;
};

struct spop_handler {
	/* A NOTIFY whose arguments are complete; body_len bytes of body follow. The slices of `head` are
	 * valid during the call. Returns what the other calls get, or NULL when it has replied already (then
	 * the body is skipped). */
	void *(*begin)(void *ctx, struct spop_ref ref, const struct spop_message *head, uint64_t body_len);
	void (*body)(void *request, struct slice chunk);
	void (*end)(void *request);  /* the frame is complete; a reply is due, now or later */
	void (*gone)(void *request); /* instead of end(): the connection broke within the frame */
};

struct spop_limits {
	uint32_t max_frame_size;  /* bytes; the smaller of ours and HAProxy's counts */
	size_t max_head;          /* bytes of a NOTIFY without its body, and of any other frame */
	unsigned max_connections; /* more wait in the kernel's queue */
	unsigned max_inflight;    /* unanswered NOTIFYs of one connection; then it is not read any more */
	int64_t hello_timeout_us; /* to the first complete HELLO, and for any frame to become complete */
};

void spop_limits_defaults(struct spop_limits *limits);

/* NULL when memory is short. Listens nowhere yet. */
struct spop_server *spop_server_new(struct ev_loop *loop, const struct spop_limits *limits,
				    const struct spop_handler *handler, void *ctx);

/* `address` is unix:/path or host:port on a loopback address. A unix socket gets `mode`, and `group` unless
 * that is empty; one that nobody serves any more is replaced. False with errno: EINVAL for an address that is
 * not understood or not loopback, ENOENT for an unknown group, EADDRINUSE when somebody serves it. */
bool spop_server_listen(struct spop_server *server, struct slice address, unsigned mode, struct slice group)
	__attribute__((warn_unused_result));

/* Stops accepting, lets what is in flight be answered, says DISCONNECT on each connection, then calls fn
 * once; at the latest after timeout_us. */
void spop_server_drain(struct spop_server *server, int64_t timeout_us, void (*fn)(void *ctx), void *ctx);

/* Closes everything at once; removes the unix sockets. NULLs the pointer. */
void spop_server_free(struct spop_server **server);

/* Answers a NOTIFY. False when nobody hears it any more, or the answer does not fit a frame. */
bool spop_reply(struct spop_ref ref, const struct spop_actions *actions);

enum spop_error {
	SPOP_ERROR_INVALID, /* frames that are none */
	SPOP_ERROR_TOO_BIG,
	SPOP_ERROR_HELLO, /* a negotiation that failed */
	SPOP_ERROR_TIMEOUT,
	SPOP_ERROR_IO, /* broken within a frame, or not read by its peer */
	SPOP_ERROR_RESOURCES,
	SPOP_ERRORS
};
const char *spop_error_name(enum spop_error error);

struct spop_stats {
	uint64_t connections; /* accepted */
	uint64_t healthchecks;
	uint64_t notifies;
	uint64_t acks;
	uint64_t acks_stale;  /* replies nobody heard */
	uint64_t disconnects; /* HAProxy said goodbye */
	uint64_t errors[SPOP_ERRORS];
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t reads;
	uint64_t writes;
	uint64_t accept_failures; /* out of descriptors and the like */
	unsigned open;
	unsigned inflight;
};
const struct spop_stats *spop_server_stats(const struct spop_server *server);

#endif
