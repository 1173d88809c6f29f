/* Records of keys and tenants: the Redis hashes tg:key:<id> and tg:tenant:<id>.
 *
 * All values are text. Fields this version does not know are ignored (and kept by who writes); a record
 * with another `v`, with a value that does not parse or without a field that restricts its holder is
 * refused as a whole, since half a restriction is none. */
#ifndef TOLLGATE_AUTH_RECORD_H
#define TOLLGATE_AUTH_RECORD_H

#include "auth/key.h"
#include "auth/network.h"
#include "auth/pepper.h"
#include "base/slice.h"
#include "base/strbuf.h"

enum {
	RECORD_VERSION = 1,
	RECORD_TENANT_MAX = 64,    /* bytes of a tenant's id */
	RECORD_NAME_MAX = 128,     /* bytes of a name, UTF-8 */
	RECORD_MODELS_MAX = 64,    /* globs */
	RECORD_MODELS_TEXT = 4096, /* bytes of all globs with their commas */
	RECORD_NETWORKS_MAX = 64,
	RECORD_PRIORITY_MAX = 2047, /* and -2047 */
	RECORD_RPM_MAX = 1000000000,
	RECORD_KEY_FIELDS = 16, /* what record_key_emit() writes */
	RECORD_TENANT_FIELDS = 5,
	RECORD_TEXT_MAX = 9216, /* bytes that hold all values of any record */
};

#define RECORD_KEY_PREFIX "tg:key:"
#define RECORD_TENANT_PREFIX "tg:tenant:"

struct record_field {
	struct slice name;
	struct slice value;
};

enum record_role { RECORD_USER, RECORD_OPERATOR, RECORD_MONITOR };
enum record_state {
	RECORD_ACTIVE,
	RECORD_SUSPENDED, /* until somebody resumes it */
	RECORD_REVOKED,   /* for ever; tenants have no such state */
};

struct record_secret {
	uint8_t mac[KEY_MAC_LEN];
	uint32_t pepper; /* version; 0: there is no secret here */
};

/* No pointers: copied and cached as it is (about 6 KiB, most of it at the end and seldom used). */
struct key_record {
	char id[KEY_ID_LEN + 1];
	char tenant[RECORD_TENANT_MAX + 1];
	char name[RECORD_NAME_MAX + 1];
	enum record_role role;
	enum record_state state;
	struct record_secret current;
	struct record_secret previous; /* valid before previous_until: the overlap of a rotation */
	int64_t previous_until;        /* unix seconds */
	int64_t created;               /* unix seconds */
	int64_t expires;               /* unix seconds, 0: never */
	uint32_t rpm;                  /* requests a minute, 0: unlimited */
	int priority;                  /* lower is served first */
	unsigned network_count;        /* 0: from everywhere */
	unsigned models_len;           /* 0: all models; read by record_key_models() */
	struct network networks[RECORD_NETWORKS_MAX];
	char models[RECORD_MODELS_TEXT];
};

struct tenant_record {
	char id[RECORD_TENANT_MAX + 1];
	char name[RECORD_NAME_MAX + 1];
	enum record_state state; /* never RECORD_REVOKED */
	int64_t created;         /* unix seconds */
	uint32_t rpm;            /* 0: unlimited */
};

/* `id` is the part of the Redis key behind the prefix. On failure *ret is undefined and *err (which may
 * be NULL) names the field and what it should be, without its value. */
bool record_key_parse(struct slice id, const struct record_field *fields, size_t count,
		      struct key_record *ret, struct strbuf *err) __attribute__((warn_unused_result));
bool record_tenant_parse(struct slice id, const struct record_field *fields, size_t count,
			 struct tenant_record *ret, struct strbuf *err) __attribute__((warn_unused_result));

/* Field by field for HSET; the values are appended to *text (RECORD_TEXT_MAX bytes are enough) and the
 * slices point into it. */
void record_key_emit(const struct key_record *rec, struct record_field fields[RECORD_KEY_FIELDS],
		     struct strbuf *text);
void record_tenant_emit(const struct tenant_record *rec, struct record_field fields[RECORD_TENANT_FIELDS],
			struct strbuf *text);

/* Sets one field from text as record_key_parse() would; for the command line. False when the value is
 * refused, and the record is then not to be used, or when `name` is no field. */
bool record_key_set(struct key_record *rec, const char *name, struct slice value, struct strbuf *err)
	__attribute__((warn_unused_result));
bool record_tenant_set(struct tenant_record *rec, const char *name, struct slice value, struct strbuf *err)
	__attribute__((warn_unused_result));

bool record_tenant_id_valid(struct slice id);

enum record_verdict {
	RECORD_SECRET_OK,
	RECORD_SECRET_WRONG,
	RECORD_SECRET_ROTATED,   /* it was right until the overlap of a rotation ended */
	RECORD_SECRET_NO_PEPPER, /* the pepper of this record is not in the file: ours to repair, a 503 */
};

/* Takes the same time whatever the result. `now` in unix seconds. */
enum record_verdict record_key_verify(const struct key_record *rec, const struct peppers *peppers,
				      struct slice secret, int64_t now) __attribute__((warn_unused_result));

enum record_status {
	RECORD_USABLE,
	RECORD_IS_REVOKED,
	RECORD_IS_SUSPENDED,
	RECORD_IS_EXPIRED,
};

/* Ask only after the secret was verified, or the answer tells strangers about keys. */
enum record_status record_key_status(const struct key_record *rec, int64_t now);
enum record_status record_tenant_status(const struct tenant_record *rec);

/* The globs with commas between, for name_list_matches() of ollama/name.h; empty: all models. Each glob
 * has only characters of model names and wildcards; none is empty. */
struct slice record_key_models(const struct key_record *rec);

bool record_key_allows_address(const struct key_record *rec, const struct netaddr *source);

const char *record_role_name(enum record_role role);
const char *record_state_name(enum record_state state);

#endif
