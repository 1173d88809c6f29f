/* HAProxy's line at the end of a stream: what is refused, what is read, and what it means. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/completion.h"

#define LEAST "{\"v\":\"1\",\"id\":\"i\",\"ticket\":\"t\""

/* Parses from memory of exactly the text's size, so that reading past it is caught. */
static char *parse(const char *text, size_t n, struct completion *ret, bool *ret_ok)
{
	char *copy = malloc(n + (n == 0));

	memcpy(copy, text, n);
	*ret_ok = completion_parse(copy, n, ret);
	return copy;
}

static const char *const bads[] = {
	"",
	" ",
	"{",
	"{}",
	"[]",
	"null",
	"\"v\"",
	"{\"v\":\"1\"}",
	"{\"v\":\"1\",\"id\":\"i\"}",
	"{\"v\":\"1\",\"ticket\":\"t\"}",
	"{\"id\":\"i\",\"ticket\":\"t\"}",
	"{\"v\":\"2\",\"id\":\"i\",\"ticket\":\"t\"}",
	"{\"v\":1,\"id\":\"i\",\"ticket\":\"t\"}",
	"{\"v\":\"1\",\"id\":\"\",\"ticket\":\"t\"}",
	"{\"v\":\"1\",\"id\":\"-\",\"ticket\":\"t\"}",
	"{\"v\":\"1\",\"id\":\"i\",\"ticket\":\"-\"}",
	LEAST,
	LEAST ",}",
	LEAST "}}",
	LEAST "}{",
	LEAST "} x",
	LEAST ",\"x\"}",
	LEAST ",\"x\":}",
	LEAST ",\"x\":1}",
	LEAST ",\"x\":null}",
	LEAST ",\"x\":{}}",
	LEAST ",\"x\":[\"a\"]}",
	LEAST ",x:\"1\"}",
	LEAST ",\"x\" \"1\"}",
	LEAST " \"x\":\"1\"}",
	LEAST ",\"id\":\"i\"}",
	LEAST ",\"i\\u0064\":\"i\"}",
	LEAST ",\"v\":\"1\"}",
	LEAST ",\"status\":\"200\",\"status\":\"200\"}",
	LEAST ",\"status\":\"x\"}",
	LEAST ",\"status\":\"1000\"}",
	LEAST ",\"status\":\"200 \"}",
	LEAST ",\"down\":\"-2\"}",
	LEAST ",\"down\":\"9007199254740993\"}",
	LEAST ",\"down\":\"99999999999999999999\"}",
	LEAST ",\"down\":\"+\"}",
	LEAST ",\"x\":\"\\\"}",
	LEAST ",\"x\":\"\\x\"}",
	LEAST ",\"x\":\"\\u12\"}",
	LEAST ",\"x\":\"\\u123g\"}",
	LEAST ",\"x\":\"\\ud800\\u12\"}",
	LEAST ",\"x\":\"a\nb\"}",
	LEAST ",\"x\":\"a",
};

Test(audit_completion, refused)
{
	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		struct completion c = {.status = 4711};
		bool ok;
		char *copy = parse(bads[i], strlen(bads[i]), &c, &ok);
		cr_expect(!ok, "%s", bads[i]);
		cr_expect_eq(c.status, 4711, "%s", bads[i]);
		free(copy);
	}
}

Test(audit_completion, too_long)
{
	char *text = malloc(100000);
	struct completion c;
	int n = snprintf(text, 100000, "%s,\"x\":\"", LEAST);

	memset(text + n, 'a', 70000);
	strcpy(text + n + 70000, "\"}");
	cr_expect(!completion_parse(text, strlen(text), &c));
	strcpy(text + n + 60000, "\"}");
	cr_expect(completion_parse(text, strlen(text), &c));
	snprintf(text, 100000, "{\"v\":\"1\",\"ticket\":\"t\",\"id\":\"%065d\"}", 0);
	cr_expect(!completion_parse(text, strlen(text), &c));
	free(text);
}

static const char whole[] =
	"{\"v\":\"1\",\"id\":\"7f0f3c1e-0001\",\"ticket\":\"aaaa-bbbb\",\"key\":\"k1\",\"tenant\":\"acme\","
	"\"model\":\"llama3:8b\",\"verdict\":\"admit\",\"method\":\"POST\",\"path\":\"/api/"
	"chat\",\"status\":\"200\","
	"\"up\":\"512\",\"down\":\"20480\",\"tr\":\"1\",\"tw\":\"20\",\"tc\":\"3\",\"trs\":\"400\",\"ta\":\"+"
	"5000\","
	"\"term\":\"CD\",\"backend\":\"be_ollama\",\"server\":\"gpu1\",\"retries\":\"+2\",\"bq\":\"0\","
	"\"sq\":\"4\","
	"\"tok_in\":\"-\",\"tok_out\":\"-1\",\"later\":\"x\"}";

Test(audit_completion, every_prefix_is_refused)
{
	for (size_t n = 0; n + 1 < sizeof(whole); n++) {
		struct completion c;
		bool ok;
		char *copy = parse(whole, n, &c, &ok);
		cr_expect(!ok, "%zu", n);
		free(copy);
	}
}

Test(audit_completion, whole_line)
{
	struct completion c;
	bool ok;
	char *copy = parse(whole, sizeof(whole) - 1, &c, &ok);

	cr_assert(ok);
	cr_expect(slice_is(c.id, "7f0f3c1e-0001"));
	cr_expect(slice_is(c.ticket, "aaaa-bbbb"));
	cr_expect(slice_is(c.key, "k1"));
	cr_expect(slice_is(c.tenant, "acme"));
	cr_expect(slice_is(c.model, "llama3:8b"));
	cr_expect(slice_is(c.verdict, "admit"));
	cr_expect(slice_is(c.method, "POST"));
	cr_expect(slice_is(c.path, "/api/chat"));
	cr_expect(slice_is(c.backend, "be_ollama"));
	cr_expect(slice_is(c.server, "gpu1"));
	cr_expect_eq(c.status, 200);
	cr_expect_eq(c.bytes_up, 512);
	cr_expect_eq(c.bytes_down, 20480);
	cr_expect_eq(c.request_ms, 1);
	cr_expect_eq(c.queue_ms, 20);
	cr_expect_eq(c.total_ms, 5000);
	cr_expect_eq(c.retries, 2);
	cr_expect_eq(c.server_queue, 4);
	cr_expect_eq(c.tokens_in, -1);
	cr_expect_eq(c.tokens_out, -1);
	cr_expect_eq(c.finish, COMPLETION_CLIENT_ABORT);
	cr_expect_eq(completion_first_byte_ms(&c), 423);
	free(copy);
}

Test(audit_completion, what_is_missing_is_not_known)
{
	struct completion c;
	bool ok;
	const char text[] = " " LEAST ",\"model\":\"-\",\"tr\":\"\"} \r\n";
	char *copy = parse(text, sizeof(text) - 1, &c, &ok);

	cr_assert(ok);
	cr_expect_eq(c.model.n, 0);
	cr_expect_eq(c.key.n, 0);
	cr_expect_eq(c.status, -1);
	cr_expect_eq(c.request_ms, -1);
	cr_expect_eq(c.finish, COMPLETION_UNKNOWN);
	cr_expect_eq(completion_first_byte_ms(&c), -1);
	free(copy);
}

static const struct {
	const char *json, *text;
} strings[] = {
	{"a\\\"b\\\\c\\/d", "a\"b\\c/d"},
	{"\\b\\f\\n\\r\\t", "\b\f\n\r\t"},
	{"\\u0041\\u00e9\\u20ac", "A\xC3\xA9\xE2\x82\xAC"},
	{"\\ud83d\\ude00", "\xF0\x9F\x98\x80"},
	{"\\uD83D\\uDE00!", "\xF0\x9F\x98\x80!"},
	{"\\ud83d", "\xEF\xBF\xBD"},
	{"\\ude00x", "\xEF\xBF\xBDx"},
	{"\\ud83d\\n", "\xEF\xBF\xBD\n"},
	{"\\ud83d\\u0041", "\xEF\xBF\xBD"
			   "A"},
	{"\\ud83d\\ud83d\\ude00", "\xEF\xBF\xBD\xF0\x9F\x98\x80"},
	{"\xFF", "\xFF"},
};

Test(audit_completion, strings_are_decoded)
{
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		char text[256];
		struct completion c;
		bool ok;
		int n = snprintf(text, sizeof(text), "%s,\"model\":\"%s\",\"path\":\"p\"}", LEAST,
				 strings[i].json);
		char *copy = parse(text, (size_t)n, &c, &ok);
		cr_assert(ok, "%s", strings[i].json);
		cr_expect(slice_is(c.model, strings[i].text), "%s", strings[i].json);
		cr_expect(slice_is(c.path, "p"));
		free(copy);
	}
}

static const struct {
	const char *term;
	enum completion_finish finish;
	const char *name;
} terms[] = {
	{"", COMPLETION_UNKNOWN, "unknown"},
	{"-", COMPLETION_UNKNOWN, "unknown"},
	{"----", COMPLETION_UNKNOWN, "unknown"},
	{"XX", COMPLETION_UNKNOWN, "unknown"},
	{"--", COMPLETION_OK, "ok"},
	{"CD", COMPLETION_CLIENT_ABORT, "client_abort"},
	{"CH", COMPLETION_CLIENT_ABORT, "client_abort"},
	{"CQ", COMPLETION_CLIENT_ABORT, "client_abort"},
	{"CR", COMPLETION_CLIENT_ABORT, "client_abort"},
	{"cD", COMPLETION_CLIENT_TIMEOUT, "client_timeout"},
	{"cR", COMPLETION_CLIENT_TIMEOUT, "client_timeout"},
	{"SD", COMPLETION_SERVER_ABORT, "server_abort"},
	{"SH", COMPLETION_SERVER_ABORT, "server_abort"},
	{"SL", COMPLETION_SERVER_ABORT, "server_abort"},
	{"sD", COMPLETION_TIMEOUT, "timeout"},
	{"sH", COMPLETION_TIMEOUT, "timeout"},
	{"SC", COMPLETION_CONNECT_FAILED, "connect_failed"},
	{"sC", COMPLETION_CONNECT_FAILED, "connect_failed"},
	{"sQ", COMPLETION_QUEUE_TIMEOUT, "queue_timeout"},
	{"SQ", COMPLETION_QUEUE_FULL, "queue_full"},
	{"PR", COMPLETION_DENIED, "denied"},
	{"PT", COMPLETION_DENIED, "denied"},
	{"PH", COMPLETION_SERVER_ABORT, "server_abort"},
	{"LR", COMPLETION_LOCAL, "local"},
	{"KD", COMPLETION_KILLED, "killed"},
	{"DD", COMPLETION_KILLED, "killed"},
	{"UD", COMPLETION_KILLED, "killed"},
	{"RC", COMPLETION_PROXY_ERROR, "proxy_error"},
	{"ID", COMPLETION_PROXY_ERROR, "proxy_error"},
};

Test(audit_completion, termination_states)
{
	for (size_t i = 0; i < sizeof(terms) / sizeof(terms[0]); i++) {
		enum completion_finish finish = completion_classify(slice_of(terms[i].term));
		cr_expect_eq(finish, terms[i].finish, "%s", terms[i].term);
		cr_expect_str_eq(completion_finish_name(finish), terms[i].name);
	}
	for (int i = 0; i < COMPLETION_FINISHES; i++)
		cr_expect_not_null(completion_finish_name((enum completion_finish)i));
}
