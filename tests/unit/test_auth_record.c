/* Records: what is refused first, then what they mean. */
#include <criterion/criterion.h>

#include "auth/record.h"

#define ID SLICE_LIT("0123456789AB")
#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define ROW(n, v) \
	{ \
		{(n), sizeof(n) - 1}, \
		{ \
			(v), sizeof(v) - 1 \
		} \
	}

static const struct record_field whole[] = {
	ROW("v", "1"),
	ROW("tenant", "acme"),
	ROW("name", "ci"),
	ROW("role", "user"),
	ROW("state", "active"),
	ROW("mac1", HEX),
	ROW("pep1", "3"),
	ROW("mac2", HEX),
	ROW("pep2", "2"),
	ROW("mac2_exp", "2000"),
	ROW("created", "1000"),
	ROW("expires", "3000"),
	ROW("rpm", "60"),
	ROW("models", "llama3*,gemma3:27b"),
	ROW("networks", "10.0.0.0/8,::1"),
	ROW("priority", "-5"),
};

enum { WHOLE = sizeof(whole) / sizeof(whole[0]) };

/* The whole record with one value replaced (NULL: the field left out). */
static bool parse_with(const char *name, struct slice value, struct key_record *rec, char reason[256])
{
	struct record_field fields[WHOLE + 1];
	struct strbuf err = strbuf_over(reason, 256);
	size_t n = 0;

	for (size_t i = 0; i < WHOLE; i++) {
		fields[n] = whole[i];
		if (slice_is(whole[i].name, name))
			fields[n].value = value;
		n += fields[n].value.p != NULL;
	}
	return record_key_parse(ID, fields, n, rec, &err);
}

static const struct {
	const char *name;
	const char *value;
	const char *error; /* how it starts */
} refused[] = {
	{"v", NULL, "v is missing"},
	{"v", "2", "v must be 1"},
	{"v", "", "v must be 1"},
	{"v", "01", "v must be 1"},
	{"tenant", NULL, "tenant is missing"},
	{"tenant", "", "tenant must be"},
	{"tenant", "-acme", "tenant must be"},
	{"tenant", "Acme", "tenant must be"},
	{"tenant", "a}b", "tenant must be"},
	{"tenant", "a:b", "tenant must be"},
	{"tenant", "12345678901234567890123456789012345678901234567890123456789012345", "tenant must be"},
	{"name", "a\nb", "name must be"},
	{"name", "a\x7F", "name must be"},
	{"name", "a\x1B[2J", "name must be"},
	{"name", "\xC2\x9B", "name must be"},
	{"name", "\xE2\x80\xAE", "name must be"},
	{"name", "\xE2\x81\xA6", "name must be"},
	{"name", "\xFF", "name must be"},
	{"role", NULL, "role is missing"},
	{"role", "admin", "role must be"},
	{"role", "User", "role must be"},
	{"role", "", "role must be"},
	{"state", NULL, "state is missing"},
	{"state", "deleted", "state must be"},
	{"state", "", "state must be"},
	{"mac1", NULL, "mac1 is missing"},
	{"mac1", "", "mac1 must be"},
	{"mac1", "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff", "mac1 must be"},
	{"mac1", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeef", "mac1 must be"},
	{"mac1", "g0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "mac1 must be"},
	{"pep1", NULL, "pep1 is missing"},
	{"pep1", "0", "pep1 must be"},
	{"pep1", "", "pep1 must be"},
	{"pep1", "4294967296", "pep1 must be"},
	{"mac2", "00", "mac2 must be"},
	{"mac2", "", "mac2 and pep2 must be there together"},
	{"mac2", NULL, "mac2 and pep2 must be there together"},
	{"pep2", "0", "mac2 and pep2 must be there together"},
	{"pep2", NULL, "mac2 and pep2 must be there together"},
	{"mac2_exp", "-1", "mac2_exp must be"},
	{"created", "x", "created must be"},
	{"expires", NULL, "expires is missing"},
	{"expires", "", "expires must be"},
	{"expires", "-1", "expires must be"},
	{"expires", "253402300800", "expires must be"},
	{"expires", "1e9", "expires must be"},
	{"rpm", NULL, "rpm is missing"},
	{"rpm", "", "rpm must be"},
	{"rpm", "-1", "rpm must be"},
	{"rpm", "1000000001", "rpm must be"},
	{"rpm", " 1", "rpm must be"},
	{"models", NULL, "models is missing"},
	{"models", ",", "models must be"},
	{"models", "a,", "models must be"},
	{"models", ",a", "models must be"},
	{"models", "a,,b", "models must be"},
	{"models", "a, b", "models must be"},
	{"models", "a\xC3\xA4", "models must be"},
	{"networks", NULL, "networks is missing"},
	{"networks", ",", "networks must be"},
	{"networks", "10.0.0.0/8,", "networks must be"},
	{"networks", "10.0.0.1/8", "networks must be"},
	{"networks", "all", "networks must be"},
	{"priority", "2048", "priority must be"},
	{"priority", "-2048", "priority must be"},
};

Test(auth_record, refused_values)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct key_record rec;
		char reason[256] = "";
		cr_assert_not(parse_with(refused[i].name, slice_of(refused[i].value), &rec, reason),
			      "row %zu", i);
		cr_assert(slice_starts(slice_of(reason), slice_of(refused[i].error)), "row %zu: %s", i,
			  reason);
	}
}

Test(auth_record, refused_as_a_whole)
{
	struct record_field twice[] = {ROW("v", "1"), ROW("v", "1")};
	struct key_record rec;
	char reason[256];
	struct strbuf err = strbuf_over(reason, sizeof(reason));

	cr_assert_not(record_key_parse(ID, NULL, 0, &rec, &err));
	cr_assert_str_eq(reason, "v is missing");
	cr_assert_not(record_key_parse(ID, NULL, 0, &rec, NULL), "nobody has to hear why");
	cr_assert_not(record_key_parse(SLICE_LIT("short"), whole, WHOLE, &rec, NULL));
	cr_assert_not(record_key_parse(SLICE_LIT("0123456789A-"), whole, WHOLE, &rec, NULL));
	err = strbuf_over(reason, sizeof(reason));
	cr_assert_not(record_key_parse(ID, twice, 2, &rec, &err));
	cr_assert_str_eq(reason, "v is there twice");
}

Test(auth_record, bounds_of_lists)
{
	static char text[RECORD_MODELS_TEXT + 2];
	struct key_record rec;
	char reason[256];

	memset(text, 'a', sizeof(text));
	cr_assert(parse_with("models", (struct slice){text, RECORD_MODELS_TEXT}, &rec, reason));
	cr_assert_not(parse_with("models", (struct slice){text, RECORD_MODELS_TEXT + 1}, &rec, reason));
	for (size_t i = 1; i < 2 * RECORD_MODELS_MAX; i += 2)
		text[i] = ',';
	cr_assert(parse_with("models", (struct slice){text, 2 * RECORD_MODELS_MAX - 1}, &rec, reason));
	cr_assert_not(parse_with("models", (struct slice){text, 2 * RECORD_MODELS_MAX + 1}, &rec, reason));
	struct strbuf sb = strbuf_over(text, sizeof(text));
	for (int i = 0; i < RECORD_NETWORKS_MAX; i++)
		strbuf_printf(&sb, "%s10.0.0.%d", i > 0 ? "," : "", i);
	cr_assert(parse_with("networks", strbuf_slice(&sb), &rec, reason));
	cr_assert_eq(rec.network_count, RECORD_NETWORKS_MAX);
	strbuf_puts(&sb, ",::1");
	cr_assert_not(parse_with("networks", strbuf_slice(&sb), &rec, reason));
}

Test(auth_record, refused_tenants)
{
	static const struct {
		const char *id;
		struct record_field fields[3];
		size_t count;
	} rows[] = {
		{"", {ROW("v", "1"), ROW("state", "active"), ROW("rpm", "0")}, 3},
		{"acme", {ROW("v", "1"), ROW("state", "active")}, 2},
		{"acme", {ROW("v", "1"), ROW("rpm", "0")}, 2},
		{"acme", {ROW("state", "active"), ROW("rpm", "0")}, 2},
		{"acme", {ROW("v", "2"), ROW("state", "active"), ROW("rpm", "0")}, 3},
		{"acme", {ROW("v", "1"), ROW("state", "revoked"), ROW("rpm", "0")}, 3},
		{"acme", {ROW("v", "1"), ROW("state", "active"), ROW("rpm", "many")}, 3},
	};
	struct tenant_record rec;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_not(
			record_tenant_parse(slice_of(rows[i].id), rows[i].fields, rows[i].count, &rec, NULL),
			"row %zu", i);
	cr_assert(record_tenant_parse(SLICE_LIT("acme"), rows[0].fields, 3, &rec, NULL));
	cr_assert_str_eq(rec.id, "acme");
	cr_assert_eq(record_tenant_status(&rec), RECORD_USABLE);
	cr_assert(record_tenant_set(&rec, "state", SLICE_LIT("suspended"), NULL));
	cr_assert_eq(record_tenant_status(&rec), RECORD_IS_SUSPENDED);
	cr_assert_not(record_tenant_set(&rec, "tenant", SLICE_LIT("x"), NULL));
}

Test(auth_record, parsed_as_written)
{
	struct key_record rec, again;
	struct record_field fields[RECORD_KEY_FIELDS];
	char text[RECORD_TEXT_MAX], reason[256];
	struct strbuf sb = strbuf_over(text, sizeof(text));

	cr_assert(parse_with("", SLICE_LIT(""), &rec, reason), "%s", reason);
	cr_assert_str_eq(rec.id, "0123456789AB");
	cr_assert_str_eq(rec.tenant, "acme");
	cr_assert_eq(rec.current.pepper, 3);
	cr_assert_eq(rec.current.mac[31], 0xFF);
	cr_assert_eq(rec.previous_until, 2000);
	cr_assert_eq(rec.expires, 3000);
	cr_assert_eq(rec.rpm, 60);
	cr_assert_eq(rec.priority, -5);
	cr_assert(slice_is(record_key_models(&rec), "llama3*,gemma3:27b"));
	record_key_emit(&rec, fields, &sb);
	cr_assert_not(sb.overflow);
	cr_assert(record_key_parse(ID, fields, RECORD_KEY_FIELDS, &again, NULL));
	cr_assert_eq(memcmp(&rec, &again, sizeof(rec)), 0);
	for (size_t i = 0; i < WHOLE; i++) {
		cr_assert(slice_eq(fields[i].name, whole[i].name));
		if (!slice_is(fields[i].name, "networks"))
			cr_assert(slice_eq(fields[i].value, whole[i].value), "%.*s",
				  SLICE_FMT(fields[i].value));
	}
}

Test(auth_record, largest_record_fits_the_text)
{
	static char models[RECORD_MODELS_TEXT];
	struct record_field fields[RECORD_KEY_FIELDS];
	char text[RECORD_TEXT_MAX], reason[256];
	struct strbuf sb = strbuf_over(text, sizeof(text));
	struct key_record rec;

	memset(models, 'a', sizeof(models));
	cr_assert(parse_with("models", (struct slice){models, sizeof(models)}, &rec, reason));
	memset(rec.tenant, 'a', RECORD_TENANT_MAX);
	memset(rec.name, 'a', RECORD_NAME_MAX);
	rec.network_count = RECORD_NETWORKS_MAX;
	for (unsigned i = 0; i < RECORD_NETWORKS_MAX; i++)
		cr_assert(network_parse(SLICE_LIT("1111:2222:3333:4444:5555:6666:7777:8888"),
					&rec.networks[i]));
	record_key_emit(&rec, fields, &sb);
	cr_assert_not(sb.overflow);
}

Test(auth_record, unknown_fields_are_ignored)
{
	struct record_field fields[WHOLE + 1];
	struct key_record rec;

	memcpy(fields, whole, sizeof(whole));
	fields[WHOLE] = (struct record_field){SLICE_LIT("tpm"), SLICE_LIT("whatever")};
	cr_assert(record_key_parse(ID, fields, WHOLE + 1, &rec, NULL));
	cr_assert_not(record_key_set(&rec, "tpm", SLICE_LIT("1"), NULL));
}

Test(auth_record, status)
{
	static const struct {
		enum record_state state;
		int64_t expires, now;
		enum record_status expected;
	} rows[] = {
		{RECORD_REVOKED, 0, 0, RECORD_IS_REVOKED},     {RECORD_REVOKED, 5, 9, RECORD_IS_REVOKED},
		{RECORD_SUSPENDED, 5, 9, RECORD_IS_SUSPENDED}, {RECORD_ACTIVE, 5, 5, RECORD_IS_EXPIRED},
		{RECORD_ACTIVE, 5, 6, RECORD_IS_EXPIRED},      {RECORD_ACTIVE, 5, 4, RECORD_USABLE},
		{RECORD_ACTIVE, 0, INT64_MAX, RECORD_USABLE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct key_record rec = {.state = rows[i].state, .expires = rows[i].expires};
		cr_assert_eq(record_key_status(&rec, rows[i].now), rows[i].expected, "row %zu", i);
	}
}

#define PEPPERS "1 " HEX "\n2 ff112233445566778899aabbccddeeff00112233445566778899aabbccddee00\n"

static struct record_secret sign(const struct peppers *peppers, uint32_t version, const char *secret)
{
	struct record_secret signed_secret = {.pepper = version};

	cr_assert(key_mac(peppers_find(peppers, version), slice_of(secret), signed_secret.mac));
	return signed_secret;
}

Test(auth_record, verification)
{
	char reason[256];
	struct strbuf err = strbuf_over(reason, sizeof(reason));
	struct peppers *peppers = peppers_parse(SLICE_LIT(PEPPERS), &err);
	struct record_secret none = {.pepper = 0}, lost = {.pepper = 9};
	struct record_secret new1 = sign(peppers, 1, "new"), new2 = sign(peppers, 2, "new"),
			     old1 = sign(peppers, 1, "old");
	struct record_secret mixed = new2;
	mixed.pepper = 1; /* the MAC under another pepper */
	const struct {
		struct record_secret current, previous;
		const char *secret;
		int64_t now; /* the overlap ends at 100 */
		enum record_verdict expected;
	} rows[] = {
		{new1, none, "old", 0, RECORD_SECRET_WRONG},
		{new1, none, "", 0, RECORD_SECRET_WRONG},
		{new1, none, "newx", 0, RECORD_SECRET_WRONG},
		{mixed, none, "new", 0, RECORD_SECRET_WRONG},
		{new1, old1, "other", 0, RECORD_SECRET_WRONG},
		{new2, old1, "other", 0, RECORD_SECRET_WRONG},
		{new2, old1, "old", 100, RECORD_SECRET_ROTATED},
		{new1, old1, "old", 101, RECORD_SECRET_ROTATED},
		{lost, none, "new", 0, RECORD_SECRET_NO_PEPPER},
		{lost, old1, "other", 0, RECORD_SECRET_NO_PEPPER},
		{new1, lost, "other", 0, RECORD_SECRET_NO_PEPPER},
		{new1, lost, "other", 100, RECORD_SECRET_WRONG},
		{new1, none, "new", 0, RECORD_SECRET_OK},
		{new2, none, "new", 0, RECORD_SECRET_OK},
		{new2, old1, "new", 1000, RECORD_SECRET_OK},
		{new2, old1, "old", 99, RECORD_SECRET_OK},
		{new1, old1, "old", 99, RECORD_SECRET_OK},
		{lost, old1, "old", 99, RECORD_SECRET_OK},
		{new1, lost, "new", 0, RECORD_SECRET_OK},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct key_record rec = {
			.current = rows[i].current, .previous = rows[i].previous, .previous_until = 100};
		cr_assert_eq(record_key_verify(&rec, peppers, slice_of(rows[i].secret), rows[i].now),
			     rows[i].expected, "row %zu", i);
	}
	peppers_free(&peppers);
}

Test(auth_record, networks)
{
	struct key_record rec;
	struct netaddr in, out;
	char reason[256];

	cr_assert(netaddr_parse(SLICE_LIT("10.1.1.1"), &in) && netaddr_parse(SLICE_LIT("192.0.2.1"), &out));
	cr_assert(parse_with("", SLICE_LIT(""), &rec, reason));
	cr_assert_not(record_key_allows_address(&rec, &out));
	cr_assert(record_key_allows_address(&rec, &in));
	cr_assert(parse_with("networks", SLICE_LIT(""), &rec, reason));
	cr_assert(record_key_allows_address(&rec, &out));
	cr_assert(parse_with("models", SLICE_LIT(""), &rec, reason));
	cr_assert_eq(record_key_models(&rec).n, 0);
}
