/* Error bodies. The types are those that Ollama and the vendors' own services send, which the SDKs turn
 * into their exception classes. */
#include "ollama/dialect.h"

const char *dialect_name(enum dialect d)
{
	static const char *const names[] = {
		[DIALECT_OLLAMA] = "ollama",
		[DIALECT_OPENAI] = "openai",
		[DIALECT_ANTHROPIC] = "anthropic",
	};

	return names[d];
}

/* The path itself or anything below it. */
static bool at_or_below(struct slice path, struct slice parent)
{
	return slice_starts(path, parent) && (path.n == parent.n || path.p[parent.n] == '/');
}

enum dialect dialect_of(struct slice path, bool anthropic_version)
{
	if (at_or_below(path, SLICE_LIT("/v1/messages")))
		return DIALECT_ANTHROPIC;
	if (anthropic_version && at_or_below(path, SLICE_LIT("/v1/models")))
		return DIALECT_ANTHROPIC;
	return at_or_below(path, SLICE_LIT("/v1")) ? DIALECT_OPENAI : DIALECT_OLLAMA;
}

/* What all dialects with types agree on, NULL where they differ. */
static const char *common_type(int status)
{
	switch (status) {
	case 400:
	case 405:
	case 411:
	case 415:
	case 422:
		return "invalid_request_error";
	case 401:
		return "authentication_error";
	case 403:
		return "permission_error";
	case 404:
		return "not_found_error";
	case 408:
		return "timeout_error";
	case 429:
		return "rate_limit_error";
	default:
		return NULL;
	}
}

static const char *openai_type(int status)
{
	const char *type = common_type(status);

	if (type != NULL)
		return type;
	return status < 500 ? "invalid_request_error" : "api_error";
}

static const char *anthropic_type(int status)
{
	const char *type = common_type(status);

	if (type != NULL)
		return type;
	switch (status) {
	case 413:
		return "request_too_large";
	case 503:
	case 529:
		return "overloaded_error";
	case 504:
		return "timeout_error";
	default:
		return status < 500 ? "invalid_request_error" : "api_error";
	}
}

static const char *usual_code(int status)
{
	switch (status) {
	case 401:
		return "invalid_api_key";
	case 429:
		return "rate_limit_exceeded";
	default:
		return NULL;
	}
}

static void put_openai(struct strbuf *sb, int status, struct slice message, const char *code)
{
	strbuf_puts(sb, "{\"error\":{\"message\":");
	strbuf_json(sb, message);
	strbuf_puts(sb, ",\"type\":\"");
	strbuf_puts(sb, openai_type(status));
	strbuf_puts(sb, "\",\"param\":null,\"code\":");
	if (code == NULL)
		code = usual_code(status);
	if (code == NULL)
		strbuf_puts(sb, "null");
	else
		strbuf_json(sb, slice_of(code));
	strbuf_puts(sb, "}}");
}

static void put_anthropic(struct strbuf *sb, int status, struct slice message, struct slice request_id)
{
	strbuf_puts(sb, "{\"type\":\"error\",\"error\":{\"type\":\"");
	strbuf_puts(sb, anthropic_type(status));
	strbuf_puts(sb, "\",\"message\":");
	strbuf_json(sb, message);
	strbuf_putc(sb, '}');
	if (request_id.n > 0) {
		strbuf_puts(sb, ",\"request_id\":");
		strbuf_json(sb, request_id);
	}
	strbuf_putc(sb, '}');
}

void dialect_error(struct strbuf *sb, enum dialect d, int status, struct slice message, const char *code,
		   struct slice request_id)
{
	switch (d) {
	case DIALECT_OPENAI:
		put_openai(sb, status, message, code);
		return;
	case DIALECT_ANTHROPIC:
		put_anthropic(sb, status, message, request_id);
		return;
	case DIALECT_OLLAMA:
		strbuf_puts(sb, "{\"error\":");
		strbuf_json(sb, message);
		strbuf_putc(sb, '}');
		return;
	}
}
