/* Parser of HAProxy's end-of-stream line. A table names the members; numbers and absence follow
 * log-format's habits: "-" where a sample had no value, -1 where a timer never ran, "+" before values
 * logged early. */
#include "audit/completion.h"

#include <stddef.h>

enum { ID_MAX = 64 };

#define NUMBER_MAX (INT64_C(1) << 53) /* so that sums of a few cannot overflow */

struct cursor {
	char *p;
	char *end;
};

struct member {
	const char *name;
	size_t offset;
	bool number;
};

#define TEXT(json, field) \
	{ \
		json, offsetof(struct completion, field), false \
	}
#define NUMBER(json, field) \
	{ \
		json, offsetof(struct completion, field), true \
	}

static const struct member members[] = {
	TEXT("id", id),
	TEXT("ticket", ticket),
	TEXT("key", key),
	TEXT("tenant", tenant),
	TEXT("model", model),
	TEXT("verdict", verdict),
	TEXT("method", method),
	TEXT("path", path),
	TEXT("term", term),
	TEXT("backend", backend),
	TEXT("server", server),
	NUMBER("status", status),
	NUMBER("up", bytes_up),
	NUMBER("down", bytes_down),
	NUMBER("tr", request_ms),
	NUMBER("tw", queue_ms),
	NUMBER("tc", connect_ms),
	NUMBER("trs", response_ms),
	NUMBER("ta", total_ms),
	NUMBER("retries", retries),
	NUMBER("bq", backend_queue),
	NUMBER("sq", server_queue),
	NUMBER("tok_in", tokens_in),
	NUMBER("tok_out", tokens_out),
};

enum { MEMBERS = sizeof(members) / sizeof(members[0]) };

static void skip_space(struct cursor *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\r' || *c->p == '\n'))
		c->p++;
}

static bool take(struct cursor *c, char wanted)
{
	skip_space(c);
	if (c->p == c->end || *c->p != wanted)
		return false;
	c->p++;
	return true;
}

static bool read_hex4(struct cursor *c, unsigned *ret)
{
	unsigned v = 0;

	if (c->end - c->p < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char h = *c->p++;
		unsigned digit;
		if (h >= '0' && h <= '9')
			digit = (unsigned)(h - '0');
		else if ((h >= 'a' && h <= 'f') || (h >= 'A' && h <= 'F'))
			digit = (unsigned)((h | 0x20) - 'a') + 10;
		else
			return false;
		v = v << 4 | digit;
	}
	*ret = v;
	return true;
}

/* The second half of a surrogate pair, if it follows; a half alone is U+FFFD. */
static bool read_code_point(struct cursor *c, unsigned *ret)
{
	unsigned low;

	if (!read_hex4(c, ret))
		return false;
	if (*ret < 0xD800 || *ret > 0xDFFF)
		return true;
	struct cursor ahead = *c;
	bool paired = *ret < 0xDC00 && ahead.end - ahead.p >= 2 && ahead.p[0] == '\\' && ahead.p[1] == 'u';
	ahead.p += paired ? 2 : 0;
	if (paired && read_hex4(&ahead, &low) && low >= 0xDC00 && low <= 0xDFFF) {
		*ret = 0x10000 + ((*ret - 0xD800) << 10) + (low - 0xDC00);
		*c = ahead;
	} else {
		*ret = 0xFFFD;
	}
	return true;
}

/* Never longer than the escape it came from. */
static char *put_utf8(char *to, unsigned v)
{
	if (v < 0x80) {
		*to++ = (char)v;
	} else if (v < 0x800) {
		*to++ = (char)(0xC0 | v >> 6);
		*to++ = (char)(0x80 | (v & 0x3F));
	} else if (v < 0x10000) {
		*to++ = (char)(0xE0 | v >> 12);
		*to++ = (char)(0x80 | (v >> 6 & 0x3F));
		*to++ = (char)(0x80 | (v & 0x3F));
	} else {
		*to++ = (char)(0xF0 | v >> 18);
		*to++ = (char)(0x80 | (v >> 12 & 0x3F));
		*to++ = (char)(0x80 | (v >> 6 & 0x3F));
		*to++ = (char)(0x80 | (v & 0x3F));
	}
	return to;
}

static bool read_escape(struct cursor *c, char **to)
{
	static const char names[] = "\"\\/bfnrt";
	static const char values[] = "\"\\/\b\f\n\r\t";
	unsigned v;

	if (c->p == c->end)
		return false;
	char name = *c->p++;
	if (name == 'u') {
		if (!read_code_point(c, &v))
			return false;
		*to = put_utf8(*to, v);
		return true;
	}
	const char *hit = memchr(names, name, sizeof(names) - 1);
	if (hit == NULL)
		return false;
	*(*to)++ = values[hit - names];
	return true;
}

/* Decodes over the bytes it came from. */
static bool read_string(struct cursor *c, struct slice *ret)
{
	if (!take(c, '"'))
		return false;
	char *start = c->p;
	char *to = start;
	while (c->p < c->end && *c->p != '"') {
		char b = *c->p++;
		if ((unsigned char)b < 0x20)
			return false;
		if (b != '\\')
			*to++ = b;
		else if (!read_escape(c, &to))
			return false;
	}
	if (c->p == c->end)
		return false;
	c->p++;
	*ret = (struct slice){start, (size_t)(to - start)};
	return true;
}

static bool set_number(int64_t *number, struct slice value)
{
	*number = -1;
	if (value.n == 0 || slice_is(value, "-"))
		return true;
	return slice_to_i64(value, -1, NUMBER_MAX, number);
}

static bool set_member(struct completion *c, const struct member *m, struct slice value)
{
	void *field = (char *)c + m->offset;

	if (m->number)
		return set_number(field, value);
	*(struct slice *)field = slice_is(value, "-") ? (struct slice){NULL, 0} : value;
	return true;
}

/* `seen` has a bit for every known member, the last for the version. */
static bool read_member(struct cursor *cursor, struct completion *c, uint32_t *seen)
{
	struct slice name;
	struct slice value;
	unsigned i = 0;

	if (!read_string(cursor, &name) || !take(cursor, ':') || !read_string(cursor, &value))
		return false;
	while (i < MEMBERS && !slice_is(name, members[i].name))
		i++;
	if (i == MEMBERS && !slice_is(name, "v"))
		return true;
	if ((*seen & UINT32_C(1) << i) != 0)
		return false;
	*seen |= UINT32_C(1) << i;
	return i == MEMBERS ? slice_is(value, "1") : set_member(c, &members[i], value);
}

static bool read_object(struct cursor *cursor, struct completion *c)
{
	uint32_t seen = 0;

	if (!take(cursor, '{'))
		return false;
	do {
		if (!read_member(cursor, c, &seen))
			return false;
	} while (take(cursor, ','));
	if (!take(cursor, '}'))
		return false;
	skip_space(cursor);
	return cursor->p == cursor->end && (seen & UINT32_C(1) << MEMBERS) != 0;
}

bool completion_parse(char *line, size_t n, struct completion *ret)
{
	struct cursor cursor = {line, line + n};
	struct completion c = {0};

	if (n > COMPLETION_LINE_MAX)
		return false;
	for (unsigned i = 0; i < MEMBERS; i++)
		if (members[i].number)
			*(int64_t *)(void *)((char *)&c + members[i].offset) = -1;
	if (!read_object(&cursor, &c))
		return false;
	if (c.id.n == 0 || c.id.n > ID_MAX || c.ticket.n == 0 || c.ticket.n > ID_MAX)
		return false;
	if (c.status > 999)
		return false;
	c.finish = completion_classify(c.term);
	*ret = c;
	return true;
}

static const char *const finish_names[COMPLETION_FINISHES] = {
	[COMPLETION_OK] = "ok",
	[COMPLETION_CLIENT_ABORT] = "client_abort",
	[COMPLETION_CLIENT_TIMEOUT] = "client_timeout",
	[COMPLETION_SERVER_ABORT] = "server_abort",
	[COMPLETION_TIMEOUT] = "timeout",
	[COMPLETION_CONNECT_FAILED] = "connect_failed",
	[COMPLETION_QUEUE_TIMEOUT] = "queue_timeout",
	[COMPLETION_QUEUE_FULL] = "queue_full",
	[COMPLETION_DENIED] = "denied",
	[COMPLETION_LOCAL] = "local",
	[COMPLETION_KILLED] = "killed",
	[COMPLETION_PROXY_ERROR] = "proxy_error",
	[COMPLETION_UNKNOWN] = "unknown",
	[COMPLETION_LOST] = "lost",
};

const char *completion_finish_name(enum completion_finish finish)
{
	return finish_names[finish];
}

/* 's': a server-side timeout expired, 'S': the server closed or refused; the phase tells what it was at. */
static enum completion_finish classify_server(bool timeout, char phase)
{
	switch (phase) {
	case 'Q':
		return timeout ? COMPLETION_QUEUE_TIMEOUT : COMPLETION_QUEUE_FULL;
	case 'C':
		return COMPLETION_CONNECT_FAILED;
	default:
		return timeout ? COMPLETION_TIMEOUT : COMPLETION_SERVER_ABORT;
	}
}

enum completion_finish completion_classify(struct slice term)
{
	if (term.n != 2)
		return COMPLETION_UNKNOWN;
	switch (term.p[0]) {
	case '-':
		return COMPLETION_OK;
	case 'C':
		return COMPLETION_CLIENT_ABORT;
	case 'c':
		return COMPLETION_CLIENT_TIMEOUT;
	case 'S':
	case 's':
		return classify_server(term.p[0] == 's', term.p[1]);
	case 'P':
		/* "PH" is the node's answer that HAProxy would not let through. */
		return term.p[1] == 'H' || term.p[1] == 'D' ? COMPLETION_SERVER_ABORT : COMPLETION_DENIED;
	case 'L':
		return COMPLETION_LOCAL;
	case 'D':
	case 'U':
	case 'K':
		return COMPLETION_KILLED;
	case 'R':
	case 'I':
		return COMPLETION_PROXY_ERROR;
	default:
		return COMPLETION_UNKNOWN;
	}
}

int64_t completion_first_byte_ms(const struct completion *c)
{
	if (c->response_ms < 0)
		return -1;
	return (c->queue_ms > 0 ? c->queue_ms : 0) + (c->connect_ms > 0 ? c->connect_ms : 0) + c->response_ms;
}
