/* Strings: the only place where a body's megabytes are, so plain ASCII goes eight bytes at a time. */
#include "ollama/scan_private.h"

enum { STRING_PLAIN, STRING_ESCAPE, STRING_HEX };

#define ONES 0x0101010101010101U
#define HIGHS 0x8080808080808080U

/* The high bit of each byte that is zero (and maybe of bytes above such a one). */
static uint64_t zero_bytes(uint64_t w)
{
	return (w - ONES) & ~w & HIGHS;
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static const char *skip_plain(const char *p, const char *end)
{
	uint64_t w;

	while ((size_t)(end - p) >= sizeof(w)) {
		memcpy(&w, p, sizeof(w));
		uint64_t control = (w - ONES * 0x20) & ~w;
		uint64_t special = zero_bytes(w ^ ONES * '"') | zero_bytes(w ^ ONES * '\\');
		if (((w | control) & HIGHS) | special)
			break;
		p += sizeof(w);
	}
	while (p < end && is_plain((unsigned char)*p))
		p++;
	return p;
}

/* Takes decoded bytes. What does not fit is only counted and judged when the string ends, so that the
 * reason for a refusal does not depend on where chunks end. */
static void emit(struct scan *s, const char *p, size_t n)
{
	char *to;
	size_t cap;

	if (s->string == STRING_KEY || s->string == STRING_TOKEN) {
		to = s->token;
		cap = sizeof(s->token);
	} else if (s->string == STRING_NAME) {
		to = s->result.name[s->arg];
		cap = sizeof(s->result.name[s->arg]);
	} else {
		s->string_len += n;
		return;
	}
	if (s->string_len < cap) {
		size_t room = cap - (size_t)s->string_len;
		memcpy(to + s->string_len, p, n < room ? n : room);
	}
	s->string_len += n;
}

static void emit_code_point(struct scan *s, uint32_t c)
{
	static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	char out[4];

	for (size_t i = n; i-- > 1; c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3F));
	out[0] = (char)(lead[n] | c);
	emit(s, out, n);
}

/* A first half whose second half did not come becomes U+FFFD, as in Go. */
static void flush_surrogate(struct scan *s)
{
	if (s->surrogate != 0)
		emit_code_point(s, 0xFFFD);
	s->surrogate = 0;
}

static void code_unit(struct scan *s, uint16_t unit)
{
	bool low = unit >= 0xDC00 && unit <= 0xDFFF;

	if (low && s->surrogate != 0) {
		emit_code_point(s, 0x10000 + ((s->surrogate - 0xD800U) << 10) + (unit - 0xDC00U));
		s->surrogate = 0;
		return;
	}
	flush_surrogate(s);
	if (unit >= 0xD800 && unit <= 0xDBFF)
		s->surrogate = unit;
	else
		emit_code_point(s, low ? 0xFFFD : unit);
}

/* The second byte's range rules out overlong forms, surrogates and code points too large (RFC 3629). */
static bool utf8_begin(struct scan *s, unsigned char c)
{
	s->utf8_low = 0x80;
	s->utf8_high = 0xBF;
	if (c >= 0xC2 && c <= 0xDF) {
		s->utf8_need = 1;
	} else if (c >= 0xE0 && c <= 0xEF) {
		s->utf8_need = 2;
		s->utf8_low = c == 0xE0 ? 0xA0 : 0x80;
		s->utf8_high = c == 0xED ? 0x9F : 0xBF;
	} else if (c >= 0xF0 && c <= 0xF4) {
		s->utf8_need = 3;
		s->utf8_low = c == 0xF0 ? 0x90 : 0x80;
		s->utf8_high = c == 0xF4 ? 0x8F : 0xBF;
	} else {
		return scan_fail(s, SCAN_UTF8, NULL);
	}
	return true;
}

static bool utf8_continue(struct scan *s, unsigned char c)
{
	if (c < s->utf8_low || c > s->utf8_high)
		return scan_fail(s, SCAN_UTF8, NULL);
	s->utf8_low = 0x80;
	s->utf8_high = 0xBF;
	s->utf8_need--;
	return true;
}

/* Moves over everything that stands for itself: ASCII and valid UTF-8. */
static bool skip_literal(struct scan *s, const char **at, const char *end)
{
	const char *p = *at;
	bool ok = true;

	while (ok && p < end) {
		if (s->utf8_need > 0) {
			ok = utf8_continue(s, (unsigned char)*p);
		} else {
			p = skip_plain(p, end);
			if (p == end || (unsigned char)*p < 0x80)
				break;
			ok = utf8_begin(s, (unsigned char)*p);
		}
		p += ok;
	}
	*at = p;
	return ok;
}

static bool read_escape(struct scan *s, char c)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";

	if (c == 'u') {
		s->escape = STRING_HEX;
		s->hex_need = 4;
		s->hex = 0;
		return true;
	}
	const char *hit = c == '\0' ? NULL : strchr(from, c);
	if (hit == NULL)
		return scan_fail(s, SCAN_ESCAPE, NULL);
	s->escape = STRING_PLAIN;
	flush_surrogate(s);
	emit(s, to + (hit - from), 1);
	return true;
}

static bool read_hex(struct scan *s, char c)
{
	unsigned digit = (unsigned)(unsigned char)c - '0';

	if (digit > 9) {
		digit = ((unsigned)(unsigned char)c | 0x20) - 'a' + 10;
		if (digit < 10 || digit > 15)
			return scan_fail(s, SCAN_ESCAPE, NULL);
	}
	s->hex = (uint16_t)((unsigned)s->hex << 4 | digit);
	if (--s->hex_need > 0)
		return true;
	s->escape = STRING_PLAIN;
	code_unit(s, s->hex);
	return true;
}

/* A byte that does not stand for itself. */
static bool read_special(struct scan *s, char c, bool *ret_closed)
{
	if (c == '"') {
		flush_surrogate(s);
		*ret_closed = true;
		return true;
	}
	if (c != '\\')
		return scan_fail(s, SCAN_CONTROL, NULL);
	if (s->string == STRING_KEY) {
		if (field_key_plain(s))
			return scan_fail(s, SCAN_KEY_ESCAPE, NULL);
		s->key_escaped = true;
	}
	s->escape = STRING_ESCAPE;
	return true;
}

bool scan_string_read(struct scan *s, const char **at, const char *end, bool *ret_closed)
{
	bool ok = true;

	*ret_closed = false;
	while (ok && !*ret_closed && *at < end) {
		const char *from = *at;
		switch (s->escape) {
		case STRING_ESCAPE:
			ok = read_escape(s, *from);
			*at += ok;
			break;
		case STRING_HEX:
			ok = read_hex(s, *from);
			*at += ok;
			break;
		default:
			ok = skip_literal(s, at, end);
			if (!ok)
				break;
			if (*at > from) {
				flush_surrogate(s);
				emit(s, from, (size_t)(*at - from));
			} else {
				ok = read_special(s, *from, ret_closed);
				*at += ok;
			}
		}
	}
	return ok;
}
