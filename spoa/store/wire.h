/* Commands in Redis' wire format, put together before they are handed to hiredis, so that a call is
 * sent whole or not at all. The memory is kept for the next request. */
#ifndef TOLLGATE_STORE_WIRE_H
#define TOLLGATE_STORE_WIRE_H

#include "base/slice.h"

enum {
	WIRE_COMMANDS_MAX = 64,
	WIRE_BYTES_MAX = 1 << 20,
};

struct wire {
	char *p;
	size_t len;
	size_t cap;
	unsigned count;
	bool failed; /* too large, or no memory: must not be sent */
	size_t ends[WIRE_COMMANDS_MAX];
};

void wire_reset(struct wire *wire);

/* Frees the memory and wipes what it held. */
void wire_done(struct wire *wire);

void wire_add(struct wire *wire, int argc, const char *const *argv, const size_t *argvlen);

/* NUL-terminated words. */
void wire_add_words(struct wire *wire, int argc, const char *const *argv);

/* Command `index`. The byte behind it can be read, which hiredis' look at the first word needs. */
struct slice wire_command(const struct wire *wire, unsigned index);

#endif
