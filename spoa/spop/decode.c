/* Readers. Every length is compared with what is left of its frame before it is believed. */
#include "spop/codec.h"

#define TRY(expression) \
	do { \
		enum spop_parse try_result = (expression); \
		if (try_result != SPOP_OK) \
			return try_result; \
	} while (0)

uint32_t spop_get_length(const uint8_t p[SPOP_LENGTH_SIZE])
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static enum spop_parse want(const struct spop_cursor *c, uint64_t n)
{
	if (n > c->left)
		return SPOP_BAD;
	return n > c->have ? SPOP_MORE : SPOP_OK;
}

static void advance(struct spop_cursor *c, size_t n)
{
	c->p += n;
	c->have -= n;
	c->left -= n;
}

static enum spop_parse get_byte(struct spop_cursor *c, uint8_t *ret)
{
	TRY(want(c, 1));
	*ret = c->p[0];
	advance(c, 1);
	return SPOP_OK;
}

/* "Variable-length integer" of SPOE.txt 3.1: four bits more in the first byte above 240, then seven a
 * byte. */
enum spop_parse spop_get_varint(struct spop_cursor *c, uint64_t *ret)
{
	struct spop_cursor at = *c;
	uint8_t byte;
	uint64_t v;
	unsigned shift = 4;

	TRY(get_byte(&at, &byte));
	v = byte;
	if (byte >= 240) {
		do {
			TRY(get_byte(&at, &byte));
			if (shift > 60 || (uint64_t)byte > (UINT64_MAX - v) >> shift)
				return SPOP_BAD;
			v += (uint64_t)byte << shift;
			shift += 7;
		} while (byte >= 128);
	}
	*c = at;
	*ret = v;
	return SPOP_OK;
}

static enum spop_parse get_bytes(struct spop_cursor *c, uint64_t n, struct slice *ret)
{
	TRY(want(c, n));
	*ret = (struct slice){(const char *)c->p, (size_t)n};
	advance(c, (size_t)n);
	return SPOP_OK;
}

enum spop_parse spop_get_string(struct spop_cursor *c, struct slice *ret)
{
	uint64_t n;

	TRY(spop_get_varint(c, &n));
	return get_bytes(c, n, ret);
}

static enum spop_parse get_integer(struct spop_cursor *c, struct spop_arg *ret)
{
	uint64_t v;

	TRY(spop_get_varint(c, &v));
	switch (ret->type) {
	case SPOP_INT32:
		ret->integer = (int32_t)(uint32_t)v;
		break;
	case SPOP_UINT32:
		ret->integer = (uint32_t)v;
		break;
	case SPOP_INT64:
		ret->integer = (int64_t)v;
		break;
	default:
		ret->integer = v > INT64_MAX ? INT64_MAX : (int64_t)v;
		break;
	}
	return SPOP_OK;
}

/* The type's byte: type in the low four bits, flags in the high ones; a boolean's value is a flag. */
static enum spop_parse get_type(struct spop_cursor *c, struct spop_arg *ret)
{
	uint8_t byte;

	TRY(get_byte(c, &byte));
	if ((byte & 0x0f) > SPOP_BIN)
		return SPOP_BAD;
	ret->type = (enum spop_type)(byte & 0x0f);
	ret->bytes = (struct slice){NULL, 0};
	ret->integer = ret->type == SPOP_BOOL && (byte & 0x10) != 0;
	return SPOP_OK;
}

static enum spop_parse get_content(struct spop_cursor *c, struct spop_arg *ret)
{
	switch (ret->type) {
	case SPOP_NULL:
	case SPOP_BOOL:
		return SPOP_OK;
	case SPOP_INT32:
	case SPOP_UINT32:
	case SPOP_INT64:
	case SPOP_UINT64:
		return get_integer(c, ret);
	case SPOP_IPV4:
		return get_bytes(c, 4, &ret->bytes);
	case SPOP_IPV6:
		return get_bytes(c, 16, &ret->bytes);
	case SPOP_STR:
	case SPOP_BIN:
		return spop_get_string(c, &ret->bytes);
	}
	return SPOP_BAD;
}

enum spop_parse spop_get_value(struct spop_cursor *c, struct spop_arg *ret)
{
	TRY(get_type(c, ret));
	return get_content(c, ret);
}

enum spop_parse spop_get_frame(struct spop_cursor *c, struct spop_frame *ret)
{
	uint8_t type;

	TRY(get_byte(c, &type));
	TRY(want(c, 4));
	ret->type = (enum spop_frame_type)type;
	ret->flags = spop_get_length(c->p);
	advance(c, 4);
	TRY(spop_get_varint(c, &ret->stream_id));
	return spop_get_varint(c, &ret->frame_id);
}

static enum spop_parse get_body_length(struct spop_cursor *c, uint64_t *ret)
{
	TRY(spop_get_varint(c, ret));
	return *ret == c->left ? SPOP_OK : SPOP_BAD;
}

enum spop_parse spop_get_message(struct spop_cursor *c, struct spop_message *ret, uint64_t *ret_body_len)
{
	uint8_t count;

	*ret_body_len = 0;
	TRY(spop_get_string(c, &ret->name));
	TRY(get_byte(c, &count));
	if (count > SPOP_ARGS_MAX)
		return SPOP_BAD;
	ret->count = 0;
	for (unsigned i = 0; i < count; i++) {
		struct spop_arg *arg = &ret->args[i];
		TRY(spop_get_string(c, &arg->name));
		TRY(get_type(c, arg));
		ret->count = i + 1;
		if (i + 1U == count && slice_is(arg->name, "body") &&
		    (arg->type == SPOP_STR || arg->type == SPOP_BIN))
			return get_body_length(c, ret_body_len);
		TRY(get_content(c, arg));
	}
	return c->left == 0 ? SPOP_OK : SPOP_BAD;
}

/* Commas between, spaces around: "2.0, 1.0". */
static bool lists_version_2(struct slice versions)
{
	struct slice part;

	while (slice_next(&versions, ',', &part)) {
		part = slice_trim(part);
		if (slice_starts(part, SLICE_LIT("2.")) && part.n > 2)
			return true;
	}
	return false;
}

static bool lists_word(struct slice list, const char *word)
{
	struct slice part;

	while (slice_next(&list, ',', &part))
		if (slice_is(slice_trim(part), word))
			return true;
	return false;
}

static void take_hello_item(struct spop_hello *h, const struct spop_arg *item)
{
	if (slice_is(item->name, "supported-versions")) {
		h->have_versions = item->type == SPOP_STR;
		h->version_ok = h->have_versions && lists_version_2(item->bytes);
	} else if (slice_is(item->name, "max-frame-size")) {
		h->have_frame_size = item->type == SPOP_UINT32;
		h->max_frame_size = h->have_frame_size ? (uint32_t)item->integer : 0;
	} else if (slice_is(item->name, "capabilities")) {
		h->have_capabilities = item->type == SPOP_STR;
		h->pipelining = h->have_capabilities && lists_word(item->bytes, "pipelining");
	} else if (slice_is(item->name, "healthcheck")) {
		h->healthcheck = item->type == SPOP_BOOL && item->integer != 0;
	}
}

enum spop_parse spop_get_hello(struct spop_cursor *c, struct spop_hello *ret)
{
	*ret = (struct spop_hello){.version_ok = false};
	while (c->left > 0) {
		struct spop_arg item;
		TRY(spop_get_string(c, &item.name));
		TRY(spop_get_value(c, &item));
		take_hello_item(ret, &item);
	}
	return SPOP_OK;
}

enum spop_parse spop_get_disconnect(struct spop_cursor *c, uint32_t *ret_status)
{
	*ret_status = SPOP_STATUS_NORMAL;
	while (c->left > 0) {
		struct spop_arg item;
		TRY(spop_get_string(c, &item.name));
		TRY(spop_get_value(c, &item));
		if (slice_is(item.name, "status-code") && spop_arg_is_integer(&item))
			*ret_status = (uint32_t)item.integer;
	}
	return SPOP_OK;
}

const struct spop_arg *spop_message_find(const struct spop_message *m, struct slice name)
{
	for (unsigned i = 0; i < m->count; i++)
		if (slice_eq(m->args[i].name, name))
			return &m->args[i];
	return NULL;
}

bool spop_arg_is_integer(const struct spop_arg *arg)
{
	return arg->type >= SPOP_INT32 && arg->type <= SPOP_UINT64;
}
