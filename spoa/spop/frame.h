/* SPOP frames: what HAProxy sends taken apart, what an agent answers put together. Frame layout:
 * HAProxy's doc/SPOE.txt section 3.2; a 4-byte length in network order stands before each frame and is
 * not part of it. No sockets, no malloc. */
#ifndef TOLLGATE_SPOP_FRAME_H
#define TOLLGATE_SPOP_FRAME_H

#include "spop/codec.h"

#define SPOP_LENGTH_SIZE 4    /* the length before a frame */
#define SPOP_FRAME_MIN 7      /* type, flags, two one-byte ids */
#define SPOP_FRAME_SIZE_MIN 256 /* the least max-frame-size the protocol allows */
#define SPOP_ARGS_MAX 255     /* NB-ARGS is one byte */
/* Room for any frame of ours but an ACK, with its length. */
#define SPOP_CONTROL_MAX 256
/* Length, type, flags and ids before an ACK's actions. */
#define SPOP_ACK_HEAD_MAX (SPOP_LENGTH_SIZE + 5 + 2 * SPOP_VARINT_MAX)

enum spop_frame_type {
	SPOP_UNSET = 0, /* later fragment of a payload */
	SPOP_HAPROXY_HELLO = 1,
	SPOP_HAPROXY_DISCONNECT = 2,
	SPOP_NOTIFY = 3,
	SPOP_AGENT_HELLO = 101,
	SPOP_AGENT_DISCONNECT = 102,
	SPOP_ACK = 103,
};

#define SPOP_FLAG_FIN 1U
#define SPOP_FLAG_ABORT 2U

/* doc/SPOE.txt section 3.5 */
enum spop_status {
	SPOP_STATUS_NORMAL = 0,
	SPOP_STATUS_IO = 1,
	SPOP_STATUS_TIMEOUT = 2,
	SPOP_STATUS_TOO_BIG = 3,
	SPOP_STATUS_INVALID = 4,
	SPOP_STATUS_NO_VERSION = 5,
	SPOP_STATUS_NO_FRAME_SIZE = 6,
	SPOP_STATUS_NO_CAPABILITIES = 7,
	SPOP_STATUS_BAD_VERSION = 8,
	SPOP_STATUS_BAD_FRAME_SIZE = 9,
	SPOP_STATUS_FRAGMENTED = 10,
	SPOP_STATUS_INTERLACED = 11,
	SPOP_STATUS_FRAME_ID = 12,
	SPOP_STATUS_RESOURCE = 13,
	SPOP_STATUS_UNKNOWN = 99,
};

/* The protocol's own words for a status; "unknown error" for one it does not name. */
const char *spop_status_text(enum spop_status status);

struct spop_frame_head {
	uint8_t type; /* enum spop_frame_type, or anything */
	uint32_t flags;
	uint64_t sid; /* opaque: echoed, never understood (0 is real: HAProxy 2.6's first stream) */
	uint64_t fid;
};

bool spop_read_frame_head(struct spop_cursor *c, struct spop_frame_head *ret) SPOP_MUST_CHECK;

struct spop_hello {
	uint32_t max_frame_size; /* as offered, 256 or more */
	bool pipelining;
	bool healthcheck;
};

/* The payload of a whole HAPROXY-HELLO. SPOP_STATUS_NORMAL and *ret, or the status to disconnect with
 * and *ret untouched. Some version 2.x must be offered. */
enum spop_status spop_parse_hello(struct spop_cursor *c, struct spop_hello *ret) SPOP_MUST_CHECK;

/* The payload of a whole HAPROXY-DISCONNECT. False when it is malformed; a missing status is 99. */
bool spop_parse_disconnect(struct spop_cursor *c, uint32_t *ret_status, struct slice *ret_message) SPOP_MUST_CHECK;

struct spop_arg {
	struct slice name;
	struct spop_value value;
};

/* A NOTIFY's one message. Its last argument, when it is called "body" and is a string or binary, is not
 * among `args`: its bytes follow as they arrive. A body of another type (HAProxy sends NULL when there
 * is none) stands among the arguments like any other, and has_body is false. */
struct spop_message {
	struct slice name;
	const struct spop_arg *args;
	unsigned count;
	bool has_body;
	uint64_t body_len; /* bytes of the body argument, 0 without one */
};

/* The argument of that name, NULL when there is none. */
const struct spop_arg *spop_message_find(const struct spop_message *message, struct slice name);

/* The payload of a NOTIFY as far as the body's bytes, at which the cursor then stands: exactly body_len
 * bytes of the frame are left. `args` is the caller's room for SPOP_ARGS_MAX arguments. SPOP_MORE: too
 * few bytes are here. SPOP_BAD also when the frame's length and its arguments disagree, or when a second
 * message follows. The message's slices point into the frame. */
enum spop_parse spop_parse_notify(struct spop_cursor *c, struct spop_arg *args, struct spop_message *ret)
	SPOP_MUST_CHECK;

/* Each builder writes a whole frame with its length and returns the bytes used, 0 when they do not fit. */
size_t spop_build_hello(uint8_t *buf, size_t cap, uint32_t max_frame_size, bool pipelining);
size_t spop_build_disconnect(uint8_t *buf, size_t cap, enum spop_status status);

/* What comes before `actions` bytes of actions in an ACK. */
size_t spop_build_ack_head(uint8_t *buf, size_t cap, uint64_t sid, uint64_t fid, size_t actions);

#endif
