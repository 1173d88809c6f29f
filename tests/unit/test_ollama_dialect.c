/* Error bodies in each dialect. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "ollama/dialect.h"

static const char *error(enum dialect d, int status, const char *message, const char *code, const char *id)
{
	static char buf[1024];
	struct strbuf sb = strbuf_over(buf, sizeof(buf));

	dialect_error(&sb, d, status, slice_of(message), code, slice_of(id));
	cr_assert_not(sb.overflow);
	return buf;
}

Test(ollama_dialect, hostile_text_stays_inside_its_string)
{
	cr_expect_str_eq(error(DIALECT_OLLAMA, 400, "a\"b\\c\n\x01\xFF", NULL, ""),
			 "{\"error\":\"a\\\"b\\\\c\\n\\u0001\xEF\xBF\xBD\"}");
	cr_expect_str_eq(
		error(DIALECT_ANTHROPIC, 400, "m", NULL, "x\"y"),
		"{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"m\"},"
		"\"request_id\":\"x\\\"y\"}");
}

Test(ollama_dialect, shapes)
{
	cr_expect_str_eq(error(DIALECT_OLLAMA, 429, "slow down", "rate", "id"), "{\"error\":\"slow down\"}");
	cr_expect_str_eq(error(DIALECT_OPENAI, 429, "slow down", NULL, "id"),
			 "{\"error\":{\"message\":\"slow down\",\"type\":\"rate_limit_error\",\"param\":null,"
			 "\"code\":\"rate_limit_exceeded\"}}");
	cr_expect_str_eq(
		error(DIALECT_OPENAI, 500, "m", NULL, ""),
		"{\"error\":{\"message\":\"m\",\"type\":\"api_error\",\"param\":null,\"code\":null}}");
	cr_expect_str_eq(error(DIALECT_OPENAI, 403, "m", "model_denied", ""),
			 "{\"error\":{\"message\":\"m\",\"type\":\"permission_error\",\"param\":null,"
			 "\"code\":\"model_denied\"}}");
	cr_expect_str_eq(error(DIALECT_ANTHROPIC, 529, "m", "x", ""),
			 "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}");
}

Test(ollama_dialect, types)
{
	static const struct {
		int status;
		const char *openai;
		const char *anthropic;
	} cases[] = {
		{400, "invalid_request_error", "invalid_request_error"},
		{401, "authentication_error", "authentication_error"},
		{403, "permission_error", "permission_error"},
		{404, "not_found_error", "not_found_error"},
		{405, "invalid_request_error", "invalid_request_error"},
		{408, "timeout_error", "timeout_error"},
		{409, "invalid_request_error", "invalid_request_error"},
		{411, "invalid_request_error", "invalid_request_error"},
		{413, "invalid_request_error", "request_too_large"},
		{415, "invalid_request_error", "invalid_request_error"},
		{429, "rate_limit_error", "rate_limit_error"},
		{500, "api_error", "api_error"},
		{502, "api_error", "api_error"},
		{503, "api_error", "overloaded_error"},
		{504, "api_error", "timeout_error"},
		{529, "api_error", "overloaded_error"},
	};
	char want[64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(want, sizeof(want), "\"type\":\"%s\"", cases[i].openai);
		cr_expect_not_null(strstr(error(DIALECT_OPENAI, cases[i].status, "m", NULL, ""), want),
				   "%d %s", cases[i].status, want);
		(void)snprintf(want, sizeof(want), "\"type\":\"%s\"", cases[i].anthropic);
		cr_expect_not_null(strstr(error(DIALECT_ANTHROPIC, cases[i].status, "m", NULL, ""), want),
				   "%d %s", cases[i].status, want);
	}
}

Test(ollama_dialect, of_paths)
{
	static const struct {
		const char *path;
		enum dialect plain, with_version;
	} cases[] = {
		{"", DIALECT_OLLAMA, DIALECT_OLLAMA},
		{"/", DIALECT_OLLAMA, DIALECT_OLLAMA},
		{"/v1x", DIALECT_OLLAMA, DIALECT_OLLAMA},
		{"/api/chat", DIALECT_OLLAMA, DIALECT_OLLAMA},
		{"/v1", DIALECT_OPENAI, DIALECT_OPENAI},
		{"/v1/nothing", DIALECT_OPENAI, DIALECT_OPENAI},
		{"/v1/messagesx", DIALECT_OPENAI, DIALECT_OPENAI},
		{"/v1/messages", DIALECT_ANTHROPIC, DIALECT_ANTHROPIC},
		{"/v1/messages/count_tokens", DIALECT_ANTHROPIC, DIALECT_ANTHROPIC},
		{"/v1/models", DIALECT_OPENAI, DIALECT_ANTHROPIC},
		{"/v1/models/x", DIALECT_OPENAI, DIALECT_ANTHROPIC},
		{"/v1/chat/completions", DIALECT_OPENAI, DIALECT_OPENAI},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_eq(dialect_of(slice_of(cases[i].path), false), cases[i].plain, "%s", cases[i].path);
		cr_expect_eq(dialect_of(slice_of(cases[i].path), true), cases[i].with_version, "%s",
			     cases[i].path);
	}
	cr_expect_str_eq(dialect_name(DIALECT_ANTHROPIC), "anthropic");
}
