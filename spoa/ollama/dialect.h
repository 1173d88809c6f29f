/* Errors in the three JSON dialects that clients of Ollama speak. */
#ifndef TOLLGATE_OLLAMA_DIALECT_H
#define TOLLGATE_OLLAMA_DIALECT_H

#include "base/slice.h"
#include "base/strbuf.h"

enum dialect {
	DIALECT_OLLAMA,    /* {"error":"text"}; clients parse the value as a string */
	DIALECT_OPENAI,    /* {"error":{"message","type","param","code"}} */
	DIALECT_ANTHROPIC, /* {"type":"error","error":{"type","message"},"request_id"} */
};

/* "ollama", "openai", "anthropic". */
const char *dialect_name(enum dialect d);

/* The dialect of a path, also of one that no route has: /v1/messages and what is below it speak
 * Anthropic, /v1/models and below when the request carries an anthropic-version header, the rest of
 * /v1/ OpenAI, everything else Ollama's own. */
enum dialect dialect_of(struct slice path, bool anthropic_version);

/* Appends one line of valid JSON whatever `message` and `request_id` hold. `code` is a word of the
 * caller's closed set and appears in OpenAI's dialect only; NULL gives the status' usual code (401
 * invalid_api_key, 429 rate_limit_exceeded) or null. An empty request_id is left out. */
void dialect_error(struct strbuf *sb, enum dialect d, int status, struct slice message, const char *code,
		   struct slice request_id);

#endif
