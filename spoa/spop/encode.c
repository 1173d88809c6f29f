/* Writers. A frame is built whole, so that it can leave with one write. */
#include "spop/codec.h"

enum { ACTION_SET_VAR = 1, ACTION_SET_VAR_ARGS = 3, SCOPE_TXN = 2, TYPE_BOOL_TRUE = 0x11 };

size_t spop_put_varint(uint8_t *buf, size_t cap, uint64_t v)
{
	uint8_t bytes[SPOP_VARINT_MAX];
	size_t n = 0;

	if (v < 240) {
		bytes[n++] = (uint8_t)v;
	} else {
		bytes[n++] = (uint8_t)(v | 240);
		v = (v - 240) >> 4;
		for (; v >= 128; v = (v - 128) >> 7)
			bytes[n++] = (uint8_t)(v | 128);
		bytes[n++] = (uint8_t)v;
	}
	if (n > cap)
		return 0;
	memcpy(buf, bytes, n);
	return n;
}

struct spop_actions spop_actions_over(uint8_t *buf, size_t cap)
{
	return (struct spop_actions){.p = buf, .cap = cap};
}

static void put(struct spop_actions *a, const void *p, size_t n)
{
	if (a->overflow || n > a->cap - a->len) {
		a->overflow = true;
		return;
	}
	if (n > 0)
		memcpy(a->p + a->len, p, n);
	a->len += n;
}

static void put_byte(struct spop_actions *a, uint8_t byte)
{
	put(a, &byte, 1);
}

static void put_varint(struct spop_actions *a, uint64_t v)
{
	uint8_t bytes[SPOP_VARINT_MAX];

	put(a, bytes, spop_put_varint(bytes, sizeof(bytes), v));
}

static void put_string(struct spop_actions *a, struct slice s)
{
	put_varint(a, s.n);
	put(a, s.p, s.n);
}

static void put_set_var(struct spop_actions *a, const char *name)
{
	put_byte(a, ACTION_SET_VAR);
	put_byte(a, ACTION_SET_VAR_ARGS);
	put_byte(a, SCOPE_TXN);
	put_string(a, slice_of(name));
}

void spop_actions_str(struct spop_actions *a, const char *name, struct slice value)
{
	put_set_var(a, name);
	put_byte(a, SPOP_STR);
	put_string(a, value);
}

void spop_actions_int(struct spop_actions *a, const char *name, int64_t value)
{
	put_set_var(a, name);
	put_byte(a, SPOP_INT64);
	put_varint(a, (uint64_t)value);
}

void spop_actions_bool(struct spop_actions *a, const char *name, bool value)
{
	put_set_var(a, name);
	put_byte(a, value ? TYPE_BOOL_TRUE : SPOP_BOOL);
}

/* The header of a frame; its length is filled in by finish(). */
static void begin(struct spop_actions *a, enum spop_frame_type type, uint64_t stream_id, uint64_t frame_id)
{
	static const uint8_t length_and_flags[] = {0, 0, 0, 0, 0, 0, 0, 0, SPOP_FLAG_FIN};

	put(a, length_and_flags, SPOP_LENGTH_SIZE);
	put_byte(a, (uint8_t)type);
	put(a, length_and_flags + 5, 4);
	put_varint(a, stream_id);
	put_varint(a, frame_id);
}

static size_t finish(struct spop_actions *a)
{
	if (a->overflow)
		return 0;
	uint32_t n = (uint32_t)(a->len - SPOP_LENGTH_SIZE);
	for (unsigned i = 0; i < SPOP_LENGTH_SIZE; i++)
		a->p[i] = (uint8_t)(n >> (24 - 8 * i));
	return a->len;
}

size_t spop_put_ack(uint8_t *buf, size_t cap, uint64_t stream_id, uint64_t frame_id,
		    const struct spop_actions *a)
{
	struct spop_actions out = spop_actions_over(buf, cap);

	if (a->overflow)
		return 0;
	begin(&out, SPOP_ACK, stream_id, frame_id);
	put(&out, a->p, a->len);
	return finish(&out);
}

static void put_named(struct spop_actions *a, const char *name, enum spop_type type)
{
	put_string(a, slice_of(name));
	put_byte(a, (uint8_t)type);
}

size_t spop_put_hello(uint8_t *buf, size_t cap, uint32_t max_frame_size)
{
	struct spop_actions out = spop_actions_over(buf, cap);

	begin(&out, SPOP_AGENT_HELLO, 0, 0);
	put_named(&out, "version", SPOP_STR);
	put_string(&out, SLICE_LIT("2.0"));
	put_named(&out, "max-frame-size", SPOP_UINT32);
	put_varint(&out, max_frame_size);
	put_named(&out, "capabilities", SPOP_STR);
	put_string(&out, SLICE_LIT("pipelining"));
	return finish(&out);
}

size_t spop_put_disconnect(uint8_t *buf, size_t cap, enum spop_status status)
{
	struct spop_actions out = spop_actions_over(buf, cap);

	begin(&out, SPOP_AGENT_DISCONNECT, 0, 0);
	put_named(&out, "status-code", SPOP_UINT32);
	put_varint(&out, (uint64_t)status);
	put_named(&out, "message", SPOP_STR);
	put_string(&out, slice_of(spop_status_text(status)));
	return finish(&out);
}

const char *spop_status_text(enum spop_status status)
{
	switch (status) {
	case SPOP_STATUS_NORMAL:
		return "normal";
	case SPOP_STATUS_TIMEOUT:
		return "a timeout occurred";
	case SPOP_STATUS_TOO_BIG:
		return "frame is too big";
	case SPOP_STATUS_INVALID:
		return "invalid frame received";
	case SPOP_STATUS_NO_VERSION:
		return "version value not found";
	case SPOP_STATUS_NO_FRAME_SIZE:
		return "max-frame-size value not found";
	case SPOP_STATUS_NO_CAPABILITIES:
		return "capabilities value not found";
	case SPOP_STATUS_BAD_VERSION:
		return "unsupported version";
	case SPOP_STATUS_BAD_FRAME_SIZE:
		return "max-frame-size too big or too small";
	case SPOP_STATUS_FRAGMENT:
		return "payload fragmentation is not supported";
	case SPOP_STATUS_RESOURCES:
		return "resource allocation error";
	}
	return "unknown error";
}
