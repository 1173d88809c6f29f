/* Who may do what: one table, refusals first. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "gate/request.h"

static struct peppers *peppers;
static struct key_record record;
static struct tenant_record tenant;
static struct request r;
static char secret[KEY_SECRET_LEN + 1];

static const int64_t now_s = 1800000000;

static void setup(void)
{
	char err[256];
	struct strbuf sb = strbuf_over(err, sizeof(err));

	peppers = peppers_parse(
		SLICE_LIT("1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"), &sb);
	cr_assert_not_null(peppers, "%s", err);
	memset(&record, 0, sizeof(record));
	memset(&tenant, 0, sizeof(tenant));
	cr_assert(key_new_id(record.id) && key_new_secret(secret));
	record.current.pepper = 1;
	cr_assert(key_mac(peppers_current(peppers), slice_of(secret), record.current.mac));
	(void)snprintf(record.tenant, sizeof(record.tenant), "acme");
	(void)snprintf(tenant.id, sizeof(tenant.id), "acme");
	record.rpm = 60;
}

static void teardown(void)
{
	peppers_free(&peppers);
}

TestSuite(check, .init = setup, .fini = teardown);

/* A request as it stands when the frame is complete. */
static void ask(const char *method, const char *path, const char *body)
{
	char text[KEY_TEXT_LEN + 1];

	memset(&r, 0, sizeof(r));
	r.admit = true;
	r.source_known = netaddr_parse(SLICE_LIT("192.0.2.7"), &r.address);
	r.credential_state = CREDENTIAL_OK;
	key_format(record.id, secret, text);
	memcpy(r.credential, text, sizeof(text));
	r.route_status = route_find(slice_of(method), slice_of(path), &r.match);
	r.body_size = r.body_len = strlen(body);
	scan_init(&r.scan, r.match.route ? r.match.route->names : 0);
	(void)scan_feed(&r.scan, slice_of(body));
}

static enum reason decide_it(const struct tenant_record *t)
{
	struct key key;
	enum reason reason = check_request(&r, &key);

	if (reason != REASON_OK)
		return reason;
	r.secret = key.secret;
	return check_records(&r, peppers, &record, t, now_s);
}

#define CHAT "{\"model\":\"llama3\",\"messages\":[]}"

static void expect(enum reason wanted, const char *what)
{
	enum reason got = decide_it(&tenant);

	cr_assert_eq(got, wanted, "%s: %s instead of %s", what, reason_name(got), reason_name(wanted));
}

Test(check, routes_before_anything_else)
{
	ask("POST", "/api/chat2", CHAT);
	r.credential_state = CREDENTIAL_NONE;
	expect(REASON_UNKNOWN_ROUTE, "unknown path");
	ask("GET", "/api/chat", "");
	expect(REASON_METHOD, "wrong method");
}

Test(check, credentials)
{
	ask("POST", "/api/chat", CHAT);
	r.credential_state = CREDENTIAL_NONE;
	expect(REASON_MISSING_KEY, "none");
	ask("POST", "/api/chat", CHAT);
	r.credential_state = CREDENTIAL_CONFLICT;
	expect(REASON_CONFLICTING_KEYS, "two");
	ask("POST", "/api/chat", CHAT);
	r.credential[20] ^= 1;
	expect(REASON_MALFORMED_KEY, "a typing error");
	ask("POST", "/api/chat", CHAT);
	record.current.mac[0] ^= 1;
	expect(REASON_INVALID_KEY, "a wrong secret");
	cr_assert_str_eq(r.grant.key_id, "", "nothing is recorded under an id that was only claimed");
}

Test(check, the_credential_does_not_outlive_the_check)
{
	ask("POST", "/api/chat", CHAT);
	expect(REASON_OK, "good");
	for (size_t i = 0; i < sizeof(r.credential); i++)
		cr_assert_eq(r.credential[i], 0);
}

Test(check, states)
{
	ask("POST", "/api/chat", CHAT);
	record.state = RECORD_REVOKED;
	expect(REASON_REVOKED_KEY, "revoked");
	ask("POST", "/api/chat", CHAT);
	record.state = RECORD_SUSPENDED;
	expect(REASON_SUSPENDED_KEY, "suspended");
	ask("POST", "/api/chat", CHAT);
	record.state = RECORD_ACTIVE;
	record.expires = now_s;
	expect(REASON_EXPIRED_KEY, "expired");
	ask("POST", "/api/chat", CHAT);
	record.expires = now_s + 1;
	expect(REASON_OK, "not yet");
	ask("POST", "/api/chat", CHAT);
	tenant.state = RECORD_SUSPENDED;
	expect(REASON_SUSPENDED_TENANT, "the tenant");
	ask("POST", "/api/chat", CHAT);
	cr_assert_eq(decide_it(NULL), REASON_SUSPENDED_TENANT, "a tenant that does not exist");
}

Test(check, networks)
{
	record.network_count = 1;
	cr_assert(network_parse(SLICE_LIT("198.51.100.0/24"), &record.networks[0]));
	ask("POST", "/api/chat", CHAT);
	expect(REASON_NETWORK, "another network");
	ask("POST", "/api/chat", CHAT);
	r.source_known = false;
	expect(REASON_NETWORK, "an address that is not known");
	cr_assert(network_parse(SLICE_LIT("192.0.2.0/24"), &record.networks[0]));
	ask("POST", "/api/chat", CHAT);
	expect(REASON_OK, "its network");
}

Test(check, roles)
{
	static const struct {
		const char *method, *path, *body;
		enum reason user, monitor, operator_bare, operator_on_node;
	} cases[] = {
		{"POST", "/api/chat", CHAT, REASON_OK, REASON_ROLE, REASON_OK, REASON_OK},
		{"GET", "/api/tags", "", REASON_OK, REASON_OK, REASON_OK, REASON_OK},
		{"POST", "/api/pull", "{\"model\":\"x\"}", REASON_ROLE, REASON_ROLE, REASON_NODE_REQUIRED,
		 REASON_OK},
		{"POST", "/api/create", "{\"model\":\"x\"}", REASON_ROLE, REASON_ROLE, REASON_NODE_REQUIRED,
		 REASON_OK},
		{"DELETE", "/api/delete", "{\"model\":\"x\"}", REASON_ROLE, REASON_ROLE, REASON_NODE_REQUIRED,
		 REASON_OK},
		{"POST", "/api/copy", "{\"source\":\"x\",\"destination\":\"y\"}", REASON_ROLE, REASON_ROLE,
		 REASON_NODE_REQUIRED, REASON_OK},
		{"POST", "/api/push", "{\"model\":\"x\"}", REASON_ROUTE_DENIED, REASON_ROUTE_DENIED,
		 REASON_ROUTE_DENIED, REASON_ROUTE_DENIED},
		{"POST", "/api/me", "", REASON_ROUTE_DENIED, REASON_ROUTE_DENIED, REASON_ROUTE_DENIED,
		 REASON_ROUTE_DENIED},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		record.role = RECORD_USER;
		ask(cases[i].method, cases[i].path, cases[i].body);
		expect(cases[i].user, cases[i].path);
		record.role = RECORD_MONITOR;
		ask(cases[i].method, cases[i].path, cases[i].body);
		expect(cases[i].monitor, cases[i].path);
		record.role = RECORD_OPERATOR;
		ask(cases[i].method, cases[i].path, cases[i].body);
		expect(cases[i].operator_bare, cases[i].path);
		ask(cases[i].method, cases[i].path, cases[i].body);
		r.node_given = r.node_valid = true;
		expect(cases[i].operator_on_node, cases[i].path);
	}
	record.role = RECORD_USER;
	ask("POST", "/api/chat", CHAT);
	r.node_given = r.node_valid = true;
	expect(REASON_ROLE, "a user may not choose the node");
	record.role = RECORD_OPERATOR;
	ask("POST", "/api/chat", CHAT);
	r.node_given = true;
	expect(REASON_NODE_INVALID, "not a name");
}

Test(check, bodies)
{
	ask("POST", "/api/chat", "{\"model\":\"llama3\",\"model\":\"other\"}");
	expect(REASON_BAD_BODY, "a duplicate key");
	cr_assert_neq(r.message[0], '\0', "the client is told what is wrong");
	ask("POST", "/api/chat", CHAT);
	r.body_size++;
	expect(REASON_BAD_BODY, "a part that was not read");
	ask("POST", "/api/chat", "");
	expect(REASON_BAD_BODY, "no body");
	ask("GET", "/api/tags", "{}");
	expect(REASON_BODY_REFUSED, "a body where none belongs");
	ask("POST", "/api/generate", "{\"model\":\"llama3\",\"_debug_render_only\":true}");
	expect(REASON_ROLE, "the rendered prompt holds the system prompt");
}

Test(check, models)
{
	record.models_len = (unsigned)snprintf(record.models, sizeof(record.models), "llama3,qwen3:*");
	static const struct {
		const char *body;
		enum reason reason;
		const char *model;
	} cases[] = {
		{"{\"messages\":[]}", REASON_MODEL_MISSING, NULL},
		{"{\"model\":\"\"}", REASON_MODEL_MISSING, NULL},
		{"{\"model\":\"../x\"}", REASON_MODEL_INVALID, NULL},
		{"{\"model\":\"mistral\"}", REASON_MODEL_DENIED, "mistral:latest"},
		{"{\"model\":\"llama3:70b\"}", REASON_MODEL_DENIED, "llama3:70b"},
		{"{\"model\":\"qwen3:cloud\"}", REASON_CLOUD_DENIED, NULL},
		{"{\"model\":\"LLAMA3\"}", REASON_OK, "llama3:latest"},
		{"{\"model\":\"library/llama3:latest\"}", REASON_OK, "llama3:latest"},
		{"{\"model\":\"Qwen3:8B\"}", REASON_OK, "qwen3:8b"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ask("POST", "/api/chat", cases[i].body);
		expect(cases[i].reason, cases[i].body);
		if (cases[i].model != NULL)
			cr_assert(slice_is(name_slice(&r.model), cases[i].model), "%s gave %s", cases[i].body,
				  r.model.text);
	}
	ask("POST", "/api/show", "{\"model\":\"llama3\",\"name\":\"mistral\"}");
	expect(REASON_MODEL_INVALID, "two names that differ");
	ask("POST", "/api/show", "{\"model\":\"llama3\",\"name\":\"LLAMA3:latest\"}");
	expect(REASON_OK, "two names of one model");
	ask("GET", "/v1/models/mistral", "");
	expect(REASON_MODEL_DENIED, "the model in the path");
	ask("GET", "/v1/models/llama3", "");
	expect(REASON_OK, "the model in the path");
}

Test(check, identify_needs_no_body)
{
	ask("POST", "/api/chat", "");
	r.admit = false;
	r.body_size = 1000000;
	expect(REASON_OK, "headers only");
}

Test(reasons, every_one_has_its_words)
{
	for (int i = 0; i < REASON_COUNT; i++) {
		cr_assert_not_null(reason_name((enum reason)i));
		cr_assert_not_null(reason_message((enum reason)i));
		cr_assert_not_null(verdict_name(reason_verdict((enum reason)i)));
		cr_assert_geq(reason_status((enum reason)i), 200);
	}
}
