/* Records as tables of fields: one row parses, checks, describes and writes one field. */
#include "auth/record.h"

#include "base/utf8.h"

/* 9999-12-31T23:59:59Z: every later second is a mistake. */
static const int64_t time_max = 253402300799;

struct field {
	const char *name;
	const char *expected; /* for errors: "rpm must be …" */
	/* A record without this field is refused: it is a restriction, or the record means nothing without.
	 */
	bool required;
	bool (*set)(const struct field *field, void *rec, struct slice value);
	void (*put)(const struct field *field, const void *rec, struct strbuf *sb);
	size_t at; /* offset in the record */
	int64_t min;
	int64_t max; /* of the number, or bytes of the text */
};

static void *member(const struct field *field, void *rec)
{
	return (char *)rec + field->at;
}

static const void *const_member(const struct field *field, const void *rec)
{
	return (const char *)rec + field->at;
}

static bool set_version(const struct field *field, void *rec, struct slice value)
{
	(void)field;
	(void)rec;
	return slice_is(value, "1");
}

static void put_version(const struct field *field, const void *rec, struct strbuf *sb)
{
	(void)field;
	(void)rec;
	strbuf_u64(sb, RECORD_VERSION);
}

static bool set_tenant(const struct field *field, void *rec, struct slice value)
{
	return record_tenant_id_valid(value) && slice_copy(value, member(field, rec), RECORD_TENANT_MAX + 1);
}

static void put_text(const struct field *field, const void *rec, struct strbuf *sb)
{
	strbuf_puts(sb, const_member(field, rec));
}

/* Control characters (C0, DEL, C1) forge lines; separators and direction marks forge what a terminal shows.
 */
static bool printable(struct slice c)
{
	const unsigned char *p = (const unsigned char *)c.p;

	if (c.n == 1)
		return p[0] >= 0x20 && p[0] != 0x7F;
	if (c.n == 2)
		return p[0] != 0xC2 || p[1] >= 0xA0;
	if (c.n == 3 && p[0] == 0xE2 && p[1] == 0x80) /* U+200E, U+200F, U+2028 to U+202E */
		return p[2] != 0x8E && p[2] != 0x8F && (p[2] < 0xA8 || p[2] > 0xAE);
	if (c.n == 3 && p[0] == 0xE2 && p[1] == 0x81) /* U+2066 to U+2069 */
		return p[2] < 0xA6 || p[2] > 0xA9;
	return true;
}

static bool set_name(const struct field *field, void *rec, struct slice value)
{
	for (struct slice rest = value; rest.n > 0;) {
		size_t n = utf8_next(rest);
		if (n == 0 || !printable((struct slice){rest.p, n}))
			return false;
		rest.p += n;
		rest.n -= n;
	}
	return slice_copy(value, member(field, rec), RECORD_NAME_MAX + 1);
}

static const char *const role_names[] = {"user", "operator", "monitor"};
static const char *const state_names[] = {"active", "suspended", "revoked"};

/* Index of value among the first `count` names, -1 when it is none of them. */
static int find_name(struct slice value, const char *const *names, int64_t count)
{
	for (int i = 0; i < count; i++)
		if (slice_is(value, names[i]))
			return i;
	return -1;
}

static bool set_role(const struct field *field, void *rec, struct slice value)
{
	int i = find_name(value, role_names, field->max + 1);

	if (i >= 0)
		*(enum record_role *)member(field, rec) = (enum record_role)i;
	return i >= 0;
}

static void put_role(const struct field *field, const void *rec, struct strbuf *sb)
{
	strbuf_puts(sb, record_role_name(*(const enum record_role *)const_member(field, rec)));
}

static bool set_state(const struct field *field, void *rec, struct slice value)
{
	int i = find_name(value, state_names, field->max + 1);

	if (i >= 0)
		*(enum record_state *)member(field, rec) = (enum record_state)i;
	return i >= 0;
}

static void put_state(const struct field *field, const void *rec, struct strbuf *sb)
{
	strbuf_puts(sb, record_state_name(*(const enum record_state *)const_member(field, rec)));
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* An empty text is no MAC, where the row allows it (min 0). */
static bool set_mac(const struct field *field, void *rec, struct slice value)
{
	uint8_t mac[KEY_MAC_LEN] = {0};

	if (value.n != 2 * KEY_MAC_LEN && (value.n != 0 || field->min > 0))
		return false;
	for (size_t i = 0; i < value.n; i++) {
		int digit = hex_digit(value.p[i]);
		if (digit < 0)
			return false;
		mac[i / 2] = (uint8_t)(mac[i / 2] * 16 + digit);
	}
	memcpy(member(field, rec), mac, sizeof(mac));
	return true;
}

static bool mac_is_none(const uint8_t mac[KEY_MAC_LEN])
{
	static const uint8_t none[KEY_MAC_LEN];

	return memcmp(mac, none, sizeof(none)) == 0;
}

static void put_mac(const struct field *field, const void *rec, struct strbuf *sb)
{
	if (!mac_is_none(const_member(field, rec)))
		strbuf_hex(sb, const_member(field, rec), KEY_MAC_LEN);
}

static bool set_i64(const struct field *field, void *rec, struct slice value)
{
	int64_t v;

	if (!slice_to_i64(value, field->min, field->max, &v))
		return false;
	*(int64_t *)member(field, rec) = v;
	return true;
}

static void put_i64(const struct field *field, const void *rec, struct strbuf *sb)
{
	strbuf_i64(sb, *(const int64_t *)const_member(field, rec));
}

static bool set_u32(const struct field *field, void *rec, struct slice value)
{
	int64_t v;

	if (!slice_to_i64(value, field->min, field->max, &v))
		return false;
	*(uint32_t *)member(field, rec) = (uint32_t)v;
	return true;
}

static void put_u32(const struct field *field, const void *rec, struct strbuf *sb)
{
	strbuf_u64(sb, *(const uint32_t *)const_member(field, rec));
}

static bool set_int(const struct field *field, void *rec, struct slice value)
{
	int64_t v;

	if (!slice_to_i64(value, field->min, field->max, &v))
		return false;
	*(int *)member(field, rec) = (int)v;
	return true;
}

static void put_int(const struct field *field, const void *rec, struct strbuf *sb)
{
	strbuf_i64(sb, *(const int *)const_member(field, rec));
}

/* What model names consist of, and the wildcards. */
static bool glob_valid(struct slice glob)
{
	for (size_t i = 0; i < glob.n; i++) {
		char c = glob.p[i];
		bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
		if (!alnum && (c == '\0' || strchr("._-:/@*?", c) == NULL))
			return false;
	}
	return glob.n > 0;
}

static bool set_models(const struct field *field, void *at, struct slice value)
{
	struct key_record *rec = at;
	struct slice part;
	unsigned count = 0;

	(void)field;
	if (value.n > RECORD_MODELS_TEXT)
		return false;
	for (struct slice rest = value; value.n > 0 && slice_next(&rest, ',', &part); count++)
		if (count == RECORD_MODELS_MAX || !glob_valid(part))
			return false;
	if (value.n > 0)
		memcpy(rec->models, value.p, value.n);
	rec->models_len = (unsigned)value.n;
	return true;
}

static void put_models(const struct field *field, const void *at, struct strbuf *sb)
{
	(void)field;
	strbuf_put(sb, record_key_models(at));
}

static bool set_networks(const struct field *field, void *at, struct slice value)
{
	struct key_record *rec = at;
	struct slice part;
	unsigned count = 0;

	(void)field;
	for (struct slice rest = value; value.n > 0 && slice_next(&rest, ',', &part); count++)
		if (count == RECORD_NETWORKS_MAX || !network_parse(part, &rec->networks[count]))
			return false;
	rec->network_count = count;
	return true;
}

static void put_networks(const struct field *field, const void *at, struct strbuf *sb)
{
	const struct key_record *rec = at;

	(void)field;
	for (unsigned i = 0; i < rec->network_count; i++) {
		strbuf_puts(sb, i > 0 ? "," : "");
		network_put(sb, &rec->networks[i]);
	}
}

#define EXPECT_TIME "must be unix seconds up to the year 9999"
#define EXPECT_NAME "must be UTF-8 of at most 128 bytes without control characters"
#define EXPECT_RPM "must be a whole number from 0 (unlimited) to 1000000000"
#define EXPECT_TENANT "must be 1 to 64 of a-z, 0-9, '_' and '-', the first no '_' or '-'"
#define EXPECT_PEPPER "must be a version from 1"
#define EXPECT_VERSION "must be 1; a newer version wrote this record"
#define AT(member) offsetof(struct key_record, member)
#define TENANT_AT(member) offsetof(struct tenant_record, member)

static const struct field key_fields[RECORD_KEY_FIELDS] = {
	{"v", EXPECT_VERSION, true, set_version, put_version, 0, 0, 0},
	{"tenant", EXPECT_TENANT, true, set_tenant, put_text, AT(tenant), 0, 0},
	{"name", EXPECT_NAME, false, set_name, put_text, AT(name), 0, 0},
	{"role", "must be user, operator or monitor", true, set_role, put_role, AT(role), 0, RECORD_MONITOR},
	{"state", "must be active, suspended or revoked", true, set_state, put_state, AT(state), 0,
	 RECORD_REVOKED},
	{"mac1", "must be 64 hexadecimal digits", true, set_mac, put_mac, AT(current.mac), 1, 0},
	{"pep1", EXPECT_PEPPER, true, set_u32, put_u32, AT(current.pepper), 1, UINT32_MAX},
	{"mac2", "must be 64 hexadecimal digits or empty", false, set_mac, put_mac, AT(previous.mac), 0, 0},
	{"pep2", EXPECT_PEPPER ", or 0", false, set_u32, put_u32, AT(previous.pepper), 0, UINT32_MAX},
	{"mac2_exp", EXPECT_TIME, false, set_i64, put_i64, AT(previous_until), 0, time_max},
	{"created", EXPECT_TIME, false, set_i64, put_i64, AT(created), 0, time_max},
	{"expires", EXPECT_TIME, true, set_i64, put_i64, AT(expires), 0, time_max},
	{"rpm", EXPECT_RPM, true, set_u32, put_u32, AT(rpm), 0, RECORD_RPM_MAX},
	{"models", "must be up to 64 globs of model names with commas between, 4096 bytes in all", true,
	 set_models, put_models, 0, 0, 0},
	{"networks",
	 "must be up to 64 networks (10.0.0.0/8, 2001:db8::/32) or addresses with commas between, host bits "
	 "zero",
	 true, set_networks, put_networks, 0, 0, 0},
	{"priority", "must be a whole number from -2047 to 2047", false, set_int, put_int, AT(priority),
	 -RECORD_PRIORITY_MAX, RECORD_PRIORITY_MAX},
};

static const struct field tenant_fields[RECORD_TENANT_FIELDS] = {
	{"v", EXPECT_VERSION, true, set_version, put_version, 0, 0, 0},
	{"name", EXPECT_NAME, false, set_name, put_text, TENANT_AT(name), 0, 0},
	{"state", "must be active or suspended", true, set_state, put_state, TENANT_AT(state), 0,
	 RECORD_SUSPENDED},
	{"created", EXPECT_TIME, false, set_i64, put_i64, TENANT_AT(created), 0, time_max},
	{"rpm", EXPECT_RPM, true, set_u32, put_u32, TENANT_AT(rpm), 0, RECORD_RPM_MAX},
};

static bool fail(struct strbuf *err, const char *subject, const char *text)
{
	if (err != NULL)
		strbuf_printf(err, "%s %s", subject, text);
	return false;
}

static const struct field *find_field(const struct field *table, size_t count, struct slice name)
{
	for (size_t i = 0; i < count; i++)
		if (slice_is(name, table[i].name))
			return &table[i];
	return NULL;
}

static bool set_field(const struct field *field, void *rec, struct slice value, struct strbuf *err)
{
	return field->set(field, rec, value) || fail(err, field->name, field->expected);
}

static bool parse(const struct field *table, size_t table_count, const struct record_field *fields,
		  size_t count, void *rec, struct strbuf *err)
{
	uint32_t seen = 0;

	for (size_t i = 0; i < count; i++) {
		const struct field *field = find_field(table, table_count, fields[i].name);
		if (field == NULL)
			continue;
		uint32_t bit = UINT32_C(1) << (field - table);
		if ((seen & bit) != 0)
			return fail(err, field->name, "is there twice");
		if (!set_field(field, rec, fields[i].value, err))
			return false;
		seen |= bit;
	}
	for (size_t i = 0; i < table_count; i++)
		if (table[i].required && (seen & (UINT32_C(1) << i)) == 0)
			return fail(err, table[i].name, "is missing");
	return true;
}

static void emit(const struct field *table, size_t count, const void *rec, struct record_field *fields,
		 struct strbuf *text)
{
	for (size_t i = 0; i < count; i++) {
		size_t start = text->len;
		table[i].put(&table[i], rec, text);
		fields[i].name = slice_of(table[i].name);
		fields[i].value = (struct slice){text->p + start, text->len - start};
	}
}

bool record_key_parse(struct slice id, const struct record_field *fields, size_t count,
		      struct key_record *ret, struct strbuf *err)
{
	memset(ret, 0, sizeof(*ret));
	if (!key_id_valid(id) || !slice_copy(id, ret->id, sizeof(ret->id)))
		return fail(err, "the id", "must be 12 letters and digits");
	if (!parse(key_fields, RECORD_KEY_FIELDS, fields, count, ret, err))
		return false;
	if (mac_is_none(ret->previous.mac) != (ret->previous.pepper == 0))
		return fail(err, "mac2", "and pep2 must be there together");
	return true;
}

bool record_tenant_parse(struct slice id, const struct record_field *fields, size_t count,
			 struct tenant_record *ret, struct strbuf *err)
{
	memset(ret, 0, sizeof(*ret));
	if (!record_tenant_id_valid(id) || !slice_copy(id, ret->id, sizeof(ret->id)))
		return fail(err, "the id", EXPECT_TENANT);
	return parse(tenant_fields, RECORD_TENANT_FIELDS, fields, count, ret, err);
}

void record_key_emit(const struct key_record *rec, struct record_field fields[RECORD_KEY_FIELDS],
		     struct strbuf *text)
{
	emit(key_fields, RECORD_KEY_FIELDS, rec, fields, text);
}

void record_tenant_emit(const struct tenant_record *rec, struct record_field fields[RECORD_TENANT_FIELDS],
			struct strbuf *text)
{
	emit(tenant_fields, RECORD_TENANT_FIELDS, rec, fields, text);
}

bool record_key_set(struct key_record *rec, const char *name, struct slice value, struct strbuf *err)
{
	const struct field *field = find_field(key_fields, RECORD_KEY_FIELDS, slice_of(name));

	return field != NULL ? set_field(field, rec, value, err) : fail(err, name, "is no field of a key");
}

bool record_tenant_set(struct tenant_record *rec, const char *name, struct slice value, struct strbuf *err)
{
	const struct field *field = find_field(tenant_fields, RECORD_TENANT_FIELDS, slice_of(name));

	return field != NULL ? set_field(field, rec, value, err) : fail(err, name, "is no field of a tenant");
}

bool record_tenant_id_valid(struct slice id)
{
	if (id.n == 0 || id.n > RECORD_TENANT_MAX)
		return false;
	for (size_t i = 0; i < id.n; i++) {
		char c = id.p[i];
		bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
		if (!alnum && (i == 0 || (c != '_' && c != '-')))
			return false;
	}
	return true;
}

struct slice record_key_models(const struct key_record *rec)
{
	return (struct slice){rec->models, rec->models_len};
}

const char *record_role_name(enum record_role role)
{
	return role_names[role];
}

const char *record_state_name(enum record_state state)
{
	return state_names[state];
}
