/* HTTP GET by libcurl: bounded in time and size, no redirects, no proxies, no credentials. */
#ifndef TOLLGATE_CLI_FETCH_H
#define TOLLGATE_CLI_FETCH_H

#include "base/strbuf.h"

enum { FETCH_MAX = 8 << 20 };

struct fetched {
	char *p; /* NUL-terminated, owned */
	size_t n;
};

/* The body of a 200 answer. False with a sentence in *err that names neither path nor credentials. */
bool fetch_get(const char *url, long timeout_ms, struct fetched *ret, struct strbuf *err)
	__attribute__((warn_unused_result));

/* NULLs the text. */
void fetched_free(struct fetched *fetched);

#endif
