/* Any datagram: refused, or understood with slices inside the line and numbers in range. */
#include <stdlib.h>

#include "audit/completion.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct slice s, const char *line, size_t size)
{
	if (s.n > 0 && (s.p < line || s.p + s.n > line + size))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct completion c;
	char *line = malloc(size + 1);

	if (line == NULL)
		return 0;
	if (size > 0)
		memcpy(line, data, size);
	if (completion_parse(line, size, &c)) {
		check_inside(c.id, line, size);
		check_inside(c.model, line, size);
		check_inside(c.path, line, size);
		check_inside(c.server, line, size);
		if (c.id.n == 0 || c.ticket.n == 0 || c.status < -1 || c.status > 999)
			abort();
		if (completion_first_byte_ms(&c) < -1 || completion_finish_name(c.finish) == NULL)
			abort();
	}
	free(line);
	return 0;
}
