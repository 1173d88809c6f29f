/* Commands in Redis' wire format, put together before they are handed to hiredis, so that a call is
 * sent whole or not at all. The memory is kept for the next request. */
#ifndef TOLLGATE_STORE_REQUEST_H
#define TOLLGATE_STORE_REQUEST_H

#include "base/slice.h"

enum {
	REQUEST_COMMANDS_MAX = 64,
	REQUEST_BYTES_MAX = 1 << 20,
};

struct request {
	char *p;
	size_t len;
	size_t cap;
	unsigned count;
	bool failed; /* too large, or no memory: must not be sent */
	size_t ends[REQUEST_COMMANDS_MAX];
};

void request_reset(struct request *req);

/* Frees the memory and wipes what it held. */
void request_done(struct request *req);

void request_add(struct request *req, int argc, const char *const *argv, const size_t *argvlen);

/* NUL-terminated words. */
void request_add_words(struct request *req, int argc, const char *const *argv);

/* Command `index`. The byte behind it can be read, which hiredis' look at the first word needs. */
struct slice request_command(const struct request *req, unsigned index);

#endif
