/* Bounded text building. */
#include "base/strbuf.h"

#include <stdio.h>

#include "base/utf8.h"

void strbuf_put(struct strbuf *sb, struct slice s)
{
	if (sb->overflow || s.n >= sb->cap - sb->len) {
		sb->overflow = sb->overflow || s.n > 0 || sb->cap == 0;
		return;
	}
	if (s.n > 0)
		memcpy(sb->p + sb->len, s.p, s.n);
	sb->len += s.n;
	sb->p[sb->len] = '\0';
}

void strbuf_puts(struct strbuf *sb, const char *text)
{
	strbuf_put(sb, slice_of(text));
}

void strbuf_putc(struct strbuf *sb, char c)
{
	strbuf_put(sb, (struct slice){&c, 1});
}

void strbuf_u64(struct strbuf *sb, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	strbuf_put(sb, (struct slice){digits + at, sizeof(digits) - at});
}

void strbuf_i64(struct strbuf *sb, int64_t v)
{
	if (v < 0)
		strbuf_putc(sb, '-');
	strbuf_u64(sb, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void strbuf_printf(struct strbuf *sb, const char *fmt, ...)
{
	if (sb->overflow)
		return;
	va_list ap;
	va_start(ap, fmt);
	size_t room = sb->cap - sb->len;
	int n = vsnprintf(sb->p + sb->len, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room) {
		if (room > 0)
			sb->p[sb->len] = '\0';
		sb->overflow = true;
		return;
	}
	sb->len += (size_t)n;
}

static void json_byte(struct strbuf *sb, unsigned char c)
{
	switch (c) {
	case '"':
		strbuf_puts(sb, "\\\"");
		return;
	case '\\':
		strbuf_puts(sb, "\\\\");
		return;
	case '\n':
		strbuf_puts(sb, "\\n");
		return;
	default:
		break;
	}
	if (c < 0x20 || c == 0x7F)
		strbuf_printf(sb, "\\u%04x", c);
	else
		strbuf_putc(sb, (char)c);
}

void strbuf_json(struct strbuf *sb, struct slice s)
{
	strbuf_putc(sb, '"');
	while (s.n > 0) {
		size_t n = utf8_next(s);
		if (n == 0) {
			strbuf_puts(sb, "\xEF\xBF\xBD");
			n = 1;
		} else if (n == 1) {
			json_byte(sb, (unsigned char)s.p[0]);
		} else {
			strbuf_put(sb, (struct slice){s.p, n});
		}
		s.p += n;
		s.n -= n;
	}
	strbuf_putc(sb, '"');
}

void strbuf_hex(struct strbuf *sb, const uint8_t *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		strbuf_putc(sb, digits[p[i] >> 4]);
		strbuf_putc(sb, digits[p[i] & 15]);
	}
}
