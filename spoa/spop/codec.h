/* The Stream Processing Offload Protocol, version 2.0, as HAProxy's doc/SPOE.txt section 3 has it: readers
 * over memory that may still be arriving, and writers into memory of the caller. No sockets, no malloc. */
#ifndef TOLLGATE_SPOP_CODEC_H
#define TOLLGATE_SPOP_CODEC_H

#include "base/slice.h"

enum spop_parse {
	SPOP_OK,
	SPOP_MORE, /* the bytes are fine, but there are not enough of them yet */
	SPOP_BAD,  /* no continuation can make this right */
};

/* Nothing is read past `have`; nothing is believed that would need more than `left`. */
struct spop_cursor {
	const uint8_t *p;
	size_t have; /* bytes in memory */
	size_t left; /* bytes to the end of the frame, at least `have` */
};

enum spop_frame_type {
	SPOP_HAPROXY_HELLO = 1,
	SPOP_HAPROXY_DISCONNECT = 2,
	SPOP_NOTIFY = 3,
	SPOP_AGENT_HELLO = 101,
	SPOP_AGENT_DISCONNECT = 102,
	SPOP_ACK = 103,
};

enum { SPOP_FLAG_FIN = 1, SPOP_FLAG_ABORT = 2 };

/* Status codes of DISCONNECT frames (SPOE.txt 3.3). */
enum spop_status {
	SPOP_STATUS_NORMAL = 0,
	SPOP_STATUS_TIMEOUT = 2,
	SPOP_STATUS_TOO_BIG = 3,
	SPOP_STATUS_INVALID = 4,
	SPOP_STATUS_NO_VERSION = 5,
	SPOP_STATUS_NO_FRAME_SIZE = 6,
	SPOP_STATUS_NO_CAPABILITIES = 7,
	SPOP_STATUS_BAD_VERSION = 8,
	SPOP_STATUS_BAD_FRAME_SIZE = 9,
	SPOP_STATUS_FRAGMENT = 10,
	SPOP_STATUS_RESOURCES = 13,
};

enum spop_type {
	SPOP_NULL,
	SPOP_BOOL,
	SPOP_INT32,
	SPOP_UINT32,
	SPOP_INT64,
	SPOP_UINT64,
	SPOP_IPV4,
	SPOP_IPV6,
	SPOP_STR,
	SPOP_BIN,
};

enum {
	SPOP_LENGTH_SIZE = 4,
	SPOP_FRAME_MIN = 7,        /* type, flags, and two identifiers of a byte */
	SPOP_FRAME_SIZE_MIN = 256, /* smallest max-frame-size that may be agreed on */
	SPOP_VARINT_MAX = 10,      /* bytes */
	SPOP_ARGS_MAX = 32,        /* arguments of a message */
	SPOP_CONTROL_MAX = 256,    /* bytes that hold any HELLO or DISCONNECT of ours */
};

struct spop_arg {
	struct slice name;
	enum spop_type type;
	struct slice bytes; /* of STR, BIN, IPV4 and IPV6 */
	int64_t integer;    /* of BOOL and the integers; a UINT64 above INT64_MAX is INT64_MAX */
};

struct spop_message {
	struct slice name;
	unsigned count;
	struct spop_arg args[SPOP_ARGS_MAX];
};

struct spop_frame {
	enum spop_frame_type type;
	uint32_t flags;
	uint64_t stream_id;
	uint64_t frame_id;
};

struct spop_hello {
	bool version_ok; /* a 2.x is among the supported ones */
	bool have_versions;
	bool have_frame_size;
	bool have_capabilities;
	bool pipelining;
	bool healthcheck;
	uint32_t max_frame_size;
};

enum spop_parse spop_get_varint(struct spop_cursor *c, uint64_t *ret) __attribute__((warn_unused_result));
enum spop_parse spop_get_string(struct spop_cursor *c, struct slice *ret) __attribute__((warn_unused_result));
enum spop_parse spop_get_value(struct spop_cursor *c, struct spop_arg *ret)
	__attribute__((warn_unused_result));
enum spop_parse spop_get_frame(struct spop_cursor *c, struct spop_frame *ret)
	__attribute__((warn_unused_result));

/* The one message of a NOTIFY. A last argument named `body` of type STR or BIN is left unread: the cursor
 * then stands at its first byte and *ret_body_len bytes, all that is left of the frame, follow. Else the
 * cursor stands at the frame's end and *ret_body_len is 0. */
enum spop_parse spop_get_message(struct spop_cursor *c, struct spop_message *ret, uint64_t *ret_body_len)
	__attribute__((warn_unused_result));

/* The payload of a complete HAPROXY-HELLO. */
enum spop_parse spop_get_hello(struct spop_cursor *c, struct spop_hello *ret)
	__attribute__((warn_unused_result));

/* The payload of a complete HAPROXY-DISCONNECT. */
enum spop_parse spop_get_disconnect(struct spop_cursor *c, uint32_t *ret_status)
	__attribute__((warn_unused_result));

const struct spop_arg *spop_message_find(const struct spop_message *m, struct slice name);
bool spop_arg_is_integer(const struct spop_arg *arg);

/* What an ACK tells HAProxy to do, built in memory of the caller; overflow is sticky. */
struct spop_actions {
	uint8_t *p;
	size_t cap;
	size_t len;
	bool overflow;
};

struct spop_actions spop_actions_over(uint8_t *buf, size_t cap);

/* Set txn.<prefix>.<name>; scope and full name must stay under 64 bytes. */
void spop_actions_str(struct spop_actions *a, const char *name, struct slice value);
void spop_actions_int(struct spop_actions *a, const char *name, int64_t value);
void spop_actions_bool(struct spop_actions *a, const char *name, bool value);

/* Whole frames with their length prefix. Each gives the number of bytes, 0 when they do not fit. */
size_t spop_put_ack(uint8_t *buf, size_t cap, uint64_t stream_id, uint64_t frame_id,
		    const struct spop_actions *a);
size_t spop_put_hello(uint8_t *buf, size_t cap, uint32_t max_frame_size);
size_t spop_put_disconnect(uint8_t *buf, size_t cap, enum spop_status status);
size_t spop_put_varint(uint8_t *buf, size_t cap, uint64_t v);

const char *spop_status_text(enum spop_status status);
uint32_t spop_get_length(const uint8_t p[SPOP_LENGTH_SIZE]);

#endif
