/* Text built in memory the caller owns: no malloc, always NUL-terminated, overflow is sticky. */
#ifndef TOLLGATE_BASE_STRBUF_H
#define TOLLGATE_BASE_STRBUF_H

#include <stdarg.h>
#include <stdint.h>

#include "base/slice.h"

struct strbuf {
	char *p;
	size_t cap;
	size_t len;
	bool overflow; /* something did not fit; what fitted stands, later writes do nothing */
};

static inline struct strbuf strbuf_over(char *buf, size_t cap)
{
	if (cap > 0)
		buf[0] = '\0';
	return (struct strbuf){.p = buf, .cap = cap};
}

static inline struct slice strbuf_slice(const struct strbuf *sb)
{
	return (struct slice){sb->p, sb->len};
}

void strbuf_put(struct strbuf *sb, struct slice s);
void strbuf_puts(struct strbuf *sb, const char *text);
void strbuf_putc(struct strbuf *sb, char c);
void strbuf_u64(struct strbuf *sb, uint64_t v);
void strbuf_i64(struct strbuf *sb, int64_t v);
void strbuf_printf(struct strbuf *sb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A JSON string with its quotes. Control characters become \u00XX, bytes that are not valid UTF-8
 * become U+FFFD, so the result is valid JSON whatever goes in. */
void strbuf_json(struct strbuf *sb, struct slice s);

/* Lower-case hexadecimal. */
void strbuf_hex(struct strbuf *sb, const uint8_t *p, size_t n);

#endif
