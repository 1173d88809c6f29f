/* logfmt on stderr, one write a line so that lines of several processes do not mix. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/strbuf.h"

enum log_level log_threshold = LOG_LEVEL_INFO;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_write(enum log_level level, const char *event, const char *fmt, ...)
{
	char detail[1024];
	char line[1280];
	struct strbuf sb = strbuf_over(line, sizeof(line) - 1);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	/* One event is one line, whatever an error text brings along. */
	for (char *c = detail; *c != '\0'; c++)
		if (*c == '\n' || *c == '\r')
			*c = ' ';
	strbuf_puts(&sb, "time=");
	clock_rfc3339(&sb, clock_wall_us());
	strbuf_printf(&sb, " level=%s event=%s", level_names[level], event);
	if (detail[0] != '\0')
		strbuf_printf(&sb, " %s", detail);
	line[sb.len] = '\n';
	ssize_t written = write(STDERR_FILENO, line, sb.len + 1);
	(void)written; /* there is no better place to complain */
}
