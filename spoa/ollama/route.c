/* The route table. Paths are those of Ollama's server/routes.go up to 0.33, with the ones that older
 * versions still in use have: images (0.14 to 0.32) and aliases (0.15 to 0.17). */
#include "ollama/route.h"

#define MODEL (1U << NAME_MODEL)
#define EITHER (1U << NAME_MODEL | 1U << NAME_NAME)
#define CREATE (EITHER | 1U << NAME_FROM)
#define COPY (1U << NAME_SOURCE | 1U << NAME_DESTINATION)

#define PUBLIC ROUTE_PUBLIC, ROUTE_BODY_NONE
#define LISTING ROUTE_METADATA, ROUTE_BODY_NONE
#define DESCRIBE ROUTE_METADATA, ROUTE_BODY_JSON
#define INFER ROUTE_INFERENCE, ROUTE_BODY_JSON
#define MANAGE ROUTE_MANAGE, ROUTE_BODY_JSON
#define DENIED ROUTE_DENIED, ROUTE_BODY_JSON
#define DENIED_RAW ROUTE_DENIED, ROUTE_BODY_RAW
#define DENIED_BARE ROUTE_DENIED, ROUTE_BODY_NONE

#define EXACT(path) path, path, false
#define BELOW(path, parameter) path parameter, path, true

/* In the order of the printed map: by path, a prefix behind what it is a prefix of. */
static const struct route routes[] = {
	{EXACT("/"), ROUTE_GET | ROUTE_HEAD, 0, DIALECT_OLLAMA, PUBLIC},
	{BELOW("/api/blobs/", "{digest}"), ROUTE_HEAD | ROUTE_POST, 0, DIALECT_OLLAMA, DENIED_RAW},
	{EXACT("/api/chat"), ROUTE_POST, MODEL, DIALECT_OLLAMA, INFER},
	{EXACT("/api/copy"), ROUTE_POST, COPY, DIALECT_OLLAMA, MANAGE},
	{EXACT("/api/create"), ROUTE_POST, CREATE, DIALECT_OLLAMA, MANAGE},
	{EXACT("/api/delete"), ROUTE_DELETE, EITHER, DIALECT_OLLAMA, MANAGE},
	{EXACT("/api/embed"), ROUTE_POST, MODEL, DIALECT_OLLAMA, INFER},
	{EXACT("/api/embeddings"), ROUTE_POST, MODEL, DIALECT_OLLAMA, INFER},
	{EXACT("/api/experimental/aliases"), ROUTE_GET | ROUTE_POST | ROUTE_DELETE, 0, DIALECT_OLLAMA,
	 DENIED},
	{EXACT("/api/experimental/model-recommendations"), ROUTE_GET, 0, DIALECT_OLLAMA, DENIED_BARE},
	{EXACT("/api/experimental/web_fetch"), ROUTE_POST, 0, DIALECT_OLLAMA, DENIED},
	{EXACT("/api/experimental/web_search"), ROUTE_POST, 0, DIALECT_OLLAMA, DENIED},
	{EXACT("/api/generate"), ROUTE_POST, MODEL, DIALECT_OLLAMA, INFER},
	{EXACT("/api/me"), ROUTE_POST, 0, DIALECT_OLLAMA, DENIED},
	{EXACT("/api/ps"), ROUTE_GET, 0, DIALECT_OLLAMA, LISTING},
	{EXACT("/api/pull"), ROUTE_POST, EITHER, DIALECT_OLLAMA, MANAGE},
	{EXACT("/api/push"), ROUTE_POST, EITHER, DIALECT_OLLAMA, DENIED},
	{EXACT("/api/show"), ROUTE_POST, EITHER, DIALECT_OLLAMA, DESCRIBE},
	{EXACT("/api/signout"), ROUTE_POST, 0, DIALECT_OLLAMA, DENIED},
	{EXACT("/api/status"), ROUTE_GET, 0, DIALECT_OLLAMA, LISTING},
	{EXACT("/api/tags"), ROUTE_GET | ROUTE_HEAD, 0, DIALECT_OLLAMA, LISTING},
	{BELOW("/api/user/keys/", "{key}"), ROUTE_DELETE, 0, DIALECT_OLLAMA, DENIED_BARE},
	{EXACT("/api/version"), ROUTE_GET | ROUTE_HEAD, 0, DIALECT_OLLAMA, PUBLIC},
	{EXACT("/v1/audio/transcriptions"), ROUTE_POST, 0, DIALECT_OPENAI, DENIED},
	{EXACT("/v1/chat/completions"), ROUTE_POST, MODEL, DIALECT_OPENAI, INFER},
	{EXACT("/v1/completions"), ROUTE_POST, MODEL, DIALECT_OPENAI, INFER},
	{EXACT("/v1/embeddings"), ROUTE_POST, MODEL, DIALECT_OPENAI, INFER},
	{EXACT("/v1/images/edits"), ROUTE_POST, 0, DIALECT_OPENAI, DENIED},
	{EXACT("/v1/images/generations"), ROUTE_POST, 0, DIALECT_OPENAI, DENIED},
	{EXACT("/v1/messages"), ROUTE_POST, MODEL, DIALECT_ANTHROPIC, INFER},
	{EXACT("/v1/models"), ROUTE_GET, 0, DIALECT_OPENAI, LISTING},
	{BELOW("/v1/models/", "{model}"), ROUTE_GET, 0, DIALECT_OPENAI, LISTING},
	{EXACT("/v1/responses"), ROUTE_POST, MODEL, DIALECT_OPENAI, INFER},
};

#define ROUTES (sizeof(routes) / sizeof(routes[0]))

static const struct {
	uint8_t bit;
	const char *name;
} methods[] = {
	{ROUTE_GET, "GET"},
	{ROUTE_HEAD, "HEAD"},
	{ROUTE_POST, "POST"},
	{ROUTE_DELETE, "DELETE"},
};

#define METHODS (sizeof(methods) / sizeof(methods[0]))

static uint8_t method_bit(struct slice method)
{
	for (size_t i = 0; i < METHODS; i++)
		if (slice_is(method, methods[i].name))
			return methods[i].bit;
	return 0;
}

static const struct route *find(struct slice path)
{
	for (size_t i = 0; i < ROUTES; i++) {
		struct slice own = slice_of(routes[i].path);
		if (routes[i].prefix ? path.n > own.n && slice_starts(path, own) : slice_eq(path, own))
			return &routes[i];
	}
	return NULL;
}

/* Characters of a model's name and tag. Neither a slash, which Ollama's router would not put into the
 * parameter, nor a percent sign, which would decode again further on. */
static bool model_character(int c, bool first)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')
		return true;
	return !first && (c == '-' || c == '.' || c == ':');
}

static bool decode_model(struct slice s, struct route_match *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		int c = (unsigned char)s.p[i];
		if (c == '%') {
			if (s.n - i < 3)
				return false;
			int high = slice_hex_digit(s.p[i + 1]);
			int low = slice_hex_digit(s.p[i + 2]);
			if (high < 0 || low < 0)
				return false;
			c = high * 16 + low;
			i += 2;
		}
		if (!model_character(c, n == 0) || n == sizeof(ret->model))
			return false;
		ret->model[n++] = (char)c;
	}
	ret->model_len = n;
	return true;
}

enum route_status route_find(struct slice method, struct slice path, struct route_match *ret)
{
	const struct route *r = find(path);

	ret->route = NULL;
	ret->model_len = 0;
	if (r == NULL)
		return ROUTE_UNKNOWN;
	if (r->prefix && r->class != ROUTE_DENIED) {
		size_t skip = strlen(r->path);
		if (!decode_model((struct slice){path.p + skip, path.n - skip}, ret))
			return ROUTE_UNKNOWN;
	}
	ret->route = r;
	return r->methods & method_bit(method) ? ROUTE_OK : ROUTE_METHOD;
}

enum dialect route_dialect(const struct route *r, bool anthropic_version)
{
	return dialect_of(slice_of(r->path), anthropic_version);
}

const struct route *route_table(size_t *ret_count)
{
	*ret_count = ROUTES;
	return routes;
}

void route_print_map(FILE *out)
{
	static const char *const bodies[] = {
		[ROUTE_BODY_NONE] = "none",
		[ROUTE_BODY_JSON] = "body",
		[ROUTE_BODY_RAW] = "closed",
	};

	for (size_t i = 0; i < ROUTES; i++) {
		const char *separator = " ";
		(void)fprintf(out, "%s%s", routes[i].path, routes[i].prefix ? "*" : "");
		for (size_t m = 0; m < METHODS; m++) {
			if (routes[i].methods & methods[m].bit) {
				(void)fprintf(out, "%s%s", separator, methods[m].name);
				separator = ",";
			}
		}
		(void)fprintf(out, " %s\n", bodies[routes[i].body]);
	}
}
