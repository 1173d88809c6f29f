/* Routes: what is not in the table is denied. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "ollama/route.h"

static enum route_status find(const char *method, const char *path, struct route_match *m)
{
	return route_find(slice_of(method), slice_of(path), m);
}

Test(ollama_route, unclean_and_unknown_paths_are_unknown)
{
	static const char *const paths[] = {
		"",
		"api/chat",
		"//api/chat",
		"/api//chat",
		"/api/chat/",
		"/api/chat//",
		"/API/chat",
		"/api/Chat",
		"/api/chat;x=1",
		"/api/%63hat",
		"/api%2Fchat",
		"/api/chat%2f..%2fpull",
		"/x/../api/chat",
		"/./api/chat",
		"/api/chat%00",
		"/api/chat ",
		"/api",
		"/api/",
		"/metrics",
		"/health",
		"/v1",
		"/v1/",
		"/v1/messages/count_tokens",
		"/v1/responses/resp_1",
		"/debug/pprof/",
		"/api/blobs",
		"/api/blobs/",
		"/api/user/keys",
		"/api/user/keys/",
		"/api/web_search",
		"*",
		"/v1/models/",
		"/v1/models/a/b",
		"/v1/models/a%2Fb",
		"/v1/models/a%2fb",
		"/v1/models/a%5cb",
		"/v1/models/a%00",
		"/v1/models/a%",
		"/v1/models/a%3",
		"/v1/models/a%3g",
		"/v1/models/a%253A",
		"/v1/models/..",
		"/v1/models/%2e%2e",
		"/v1/models/.",
		"/v1/models/a b",
		"/v1/models/a%20b",
		"/v1/models/\xC3\xA9",
		"/v1/models/%C3%A9",
		"/v1/models/a?b",
		"/v1/models/:latest",
	};
	struct route_match m;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		cr_expect_eq(find("POST", paths[i], &m), ROUTE_UNKNOWN, "%s", paths[i]);
		cr_expect_eq(find("GET", paths[i], &m), ROUTE_UNKNOWN, "%s", paths[i]);
		cr_expect_null(m.route, "%s", paths[i]);
	}
}

Test(ollama_route, wrong_methods)
{
	static const char *const cases[][2] = {
		{"GET", "/api/chat"},
		{"PUT", "/api/chat"},
		{"post", "/api/chat"},
		{"", "/api/chat"},
		{"HEAD", "/api/ps"},
		{"OPTIONS", "/"},
		{"POST", "/api/delete"},
		{"HEAD", "/v1/models"},
		{"POST", "/v1/models"},
		{"DELETE", "/api/me"},
		{"HEAD", "/v1/models/a"},
		{"GETX", "/"},
		{"GE", "/"},
		{"CONNECT", "/api/ps"},
		{"PATCH", "/api/blobs/sha256-1"},
	};
	struct route_match m;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_eq(find(cases[i][0], cases[i][1], &m), ROUTE_METHOD, "%s %s", cases[i][0],
			     cases[i][1]);
		cr_expect_not_null(m.route);
	}
}

Test(ollama_route, classes)
{
	static const struct {
		const char *method;
		const char *path;
		enum route_class class;
		unsigned names;
	} cases[] = {
		{"HEAD", "/", ROUTE_PUBLIC, 0},
		{"GET", "/api/version", ROUTE_PUBLIC, 0},
		{"GET", "/api/tags", ROUTE_METADATA, 0},
		{"HEAD", "/api/tags", ROUTE_METADATA, 0},
		{"GET", "/api/ps", ROUTE_METADATA, 0},
		{"GET", "/api/status", ROUTE_METADATA, 0},
		{"POST", "/api/show", ROUTE_METADATA, 1U << NAME_MODEL | 1U << NAME_NAME},
		{"GET", "/v1/models", ROUTE_METADATA, 0},
		{"GET", "/v1/models/llama3", ROUTE_METADATA, 0},
		{"POST", "/api/generate", ROUTE_INFERENCE, 1U << NAME_MODEL},
		{"POST", "/api/chat", ROUTE_INFERENCE, 1U << NAME_MODEL},
		{"POST", "/api/embed", ROUTE_INFERENCE, 1U << NAME_MODEL},
		{"POST", "/api/embeddings", ROUTE_INFERENCE, 1U << NAME_MODEL},
		{"POST", "/v1/chat/completions", ROUTE_INFERENCE, 1U << NAME_MODEL},
		{"POST", "/v1/completions", ROUTE_INFERENCE, 1U << NAME_MODEL},
		{"POST", "/v1/embeddings", ROUTE_INFERENCE, 1U << NAME_MODEL},
		{"POST", "/v1/responses", ROUTE_INFERENCE, 1U << NAME_MODEL},
		{"POST", "/v1/messages", ROUTE_INFERENCE, 1U << NAME_MODEL},
		{"POST", "/api/pull", ROUTE_MANAGE, 1U << NAME_MODEL | 1U << NAME_NAME},
		{"POST", "/api/create", ROUTE_MANAGE, 1U << NAME_MODEL | 1U << NAME_NAME | 1U << NAME_FROM},
		{"POST", "/api/copy", ROUTE_MANAGE, 1U << NAME_SOURCE | 1U << NAME_DESTINATION},
		{"DELETE", "/api/delete", ROUTE_MANAGE, 1U << NAME_MODEL | 1U << NAME_NAME},
		{"POST", "/api/push", ROUTE_DENIED, 1U << NAME_MODEL | 1U << NAME_NAME},
		{"POST", "/api/blobs/sha256:00", ROUTE_DENIED, 0},
		{"HEAD", "/api/blobs/%2e%2e/x", ROUTE_DENIED, 0},
		{"POST", "/api/me", ROUTE_DENIED, 0},
		{"POST", "/api/signout", ROUTE_DENIED, 0},
		{"DELETE", "/api/user/keys/abc", ROUTE_DENIED, 0},
		{"POST", "/api/experimental/web_search", ROUTE_DENIED, 0},
		{"POST", "/api/experimental/web_fetch", ROUTE_DENIED, 0},
		{"GET", "/api/experimental/model-recommendations", ROUTE_DENIED, 0},
		{"DELETE", "/api/experimental/aliases", ROUTE_DENIED, 0},
		{"POST", "/v1/audio/transcriptions", ROUTE_DENIED, 0},
		{"POST", "/v1/images/generations", ROUTE_DENIED, 0},
		{"POST", "/v1/images/edits", ROUTE_DENIED, 0},
	};
	struct route_match m;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert_eq(find(cases[i].method, cases[i].path, &m), ROUTE_OK, "%s", cases[i].path);
		cr_expect_eq(m.route->class, cases[i].class, "%s", cases[i].path);
		cr_expect_eq(m.route->names, cases[i].names, "%s", cases[i].path);
	}
}

Test(ollama_route, model_in_path)
{
	static const char *const cases[][2] = {
		{"/v1/models/llama3", "llama3"},
		{"/v1/models/llama3:8b", "llama3:8b"},
		{"/v1/models/llama3%3A8b", "llama3:8b"},
		{"/v1/models/qwen2.5-coder%3a7b", "qwen2.5-coder:7b"},
		{"/v1/models/%6clama3", "llama3"},
	};
	struct route_match m;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert_eq(find("GET", cases[i][0], &m), ROUTE_OK, "%s", cases[i][0]);
		cr_expect(slice_is((struct slice){m.model, m.model_len}, cases[i][1]), "%s", cases[i][0]);
		cr_expect_str_eq(m.route->name, "/v1/models/{model}");
	}
	(void)find("GET", "/v1/models", &m);
	cr_expect_eq(m.model_len, 0);
}

Test(ollama_route, model_in_path_is_bounded)
{
	char path[sizeof("/v1/models/") + ROUTE_MODEL_MAX + 1] = "/v1/models/";
	size_t skip = strlen(path);
	struct route_match m;

	memset(path + skip, 'a', ROUTE_MODEL_MAX + 1);
	cr_expect_eq(route_find(SLICE_LIT("GET"), (struct slice){path, skip + ROUTE_MODEL_MAX + 1}, &m),
		     ROUTE_UNKNOWN);
	cr_expect_eq(route_find(SLICE_LIT("GET"), (struct slice){path, skip + ROUTE_MODEL_MAX}, &m),
		     ROUTE_OK);
	cr_expect_eq(m.model_len, ROUTE_MODEL_MAX);
}

Test(ollama_route, table_is_sorted_and_consistent)
{
	size_t count;
	const struct route *table = route_table(&count);

	cr_assert_gt(count, 30);
	for (size_t i = 0; i < count; i++) {
		const struct route *r = &table[i];
		if (i > 0)
			cr_expect_lt(strcmp(table[i - 1].path, r->path), 0, "%s", r->path);
		cr_expect_neq(r->methods, 0);
		cr_expect_eq(r->dialect, dialect_of(slice_of(r->path), false), "%s", r->path);
		cr_expect_eq(r->prefix, r->path[strlen(r->path) - 1] == '/' && r->path[1] != '\0', "%s",
			     r->path);
		if (r->class == ROUTE_INFERENCE)
			cr_expect(r->body == ROUTE_BODY_JSON && r->names == 1U << NAME_MODEL, "%s", r->path);
		if (r->body == ROUTE_BODY_RAW)
			cr_expect_eq(r->class, ROUTE_DENIED, "%s", r->path);
	}
}

Test(ollama_route, dialect_of_models_follows_the_header)
{
	struct route_match m;

	(void)find("GET", "/v1/models/a", &m);
	cr_expect_eq(route_dialect(m.route, false), DIALECT_OPENAI);
	cr_expect_eq(route_dialect(m.route, true), DIALECT_ANTHROPIC);
	(void)find("POST", "/api/chat", &m);
	cr_expect_eq(route_dialect(m.route, true), DIALECT_OLLAMA);
}

Test(ollama_route, printed_map)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	route_print_map(out);
	(void)fclose(out);
	cr_expect_eq(
		strncmp(text, "/ GET,HEAD none\n/api/blobs/* HEAD,POST closed\n/api/chat POST body\n", 66),
		0);
	cr_expect_not_null(strstr(text, "\n/v1/models GET none\n/v1/models/* GET none\n"));
	cr_expect_not_null(strstr(text, "\n/api/delete DELETE body\n"));
	free(text);
}
