/* API keys: what is no key comes first. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>

#include "auth/key.h"

#define ID "0123456789AB"
#define SECRET "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"

static char good[KEY_TEXT_LEN + 1];

static void make_good(void)
{
	key_format(ID, SECRET, good);
}

TestSuite(auth_key, .init = make_good);

Test(auth_key, every_prefix_is_malformed)
{
	struct key key = {.id = {"x", 1}};

	for (size_t n = 0; n < KEY_TEXT_LEN; n++)
		cr_assert_eq(key_parse((struct slice){good, n}, &key), KEY_MALFORMED, "%zu bytes", n);
	cr_assert_eq(key_parse((struct slice){NULL, 0}, &key), KEY_MALFORMED);
	cr_assert(slice_is(key.id, "x"), "untouched");
}

Test(auth_key, too_long_is_malformed)
{
	char text[256];
	struct key key;

	memset(text, 'a', sizeof(text));
	memcpy(text, good, KEY_TEXT_LEN);
	for (size_t n = KEY_TEXT_LEN + 1; n <= sizeof(text); n++)
		cr_assert_eq(key_parse((struct slice){text, n}, &key), KEY_MALFORMED);
}

/* A CRC-32 finds every change of one byte, so each must be refused wherever it is. */
Test(auth_key, every_changed_byte_is_malformed)
{
	for (size_t at = 0; at < KEY_TEXT_LEN; at++) {
		for (int c = 0; c < 256; c++) {
			char text[KEY_TEXT_LEN];
			struct key key;
			memcpy(text, good, sizeof(text));
			if ((char)c == text[at])
				continue;
			text[at] = (char)c;
			cr_assert_eq(key_parse((struct slice){text, sizeof(text)}, &key), KEY_MALFORMED,
				     "byte %zu, %d", at, c);
		}
	}
}

/* The check is right in these, the form is not. */
Test(auth_key, right_check_does_not_excuse_wrong_form)
{
	static const char *const bodies[] = {
		"tg-" ID "_" SECRET,
		"TG_" ID "_" SECRET,
		"tg_0123456789A__" SECRET,
		"tg_" ID "-" SECRET,
		"tg_" ID "_0123456789abcdefghijklmnopqrstuvwxyzABCDE__",
		"tg_" ID "_0123456789abcdefghijklmnopqrstuvwxyzABCDE G",
		"tg_0123456789a\xC3_" SECRET,
		"tg_0123456789a._" SECRET,
		"tg_" ID "_" SECRET "x",
		"tg_" ID "_0123456789abcdefghijklmnopqrstuvwxyzABCDE",
	};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		char text[128];
		size_t n = strlen(bodies[i]);
		struct key key;
		memcpy(text, bodies[i], n);
		text[n] = '_';
		key_check((struct slice){text, n}, text + n + 1);
		cr_assert_eq(key_parse((struct slice){text, n + 1 + KEY_CHECK_LEN}, &key), KEY_MALFORMED,
			     "%s", bodies[i]);
	}
}

Test(auth_key, good_key_gives_its_parts)
{
	struct key key;

	cr_assert_eq(key_parse(slice_of(good), &key), KEY_OK);
	cr_assert(slice_is(key.id, ID));
	cr_assert(slice_is(key.secret, SECRET));
}

/* Known values: zlib.crc32 of Python, written in base62. */
Test(auth_key, check_is_crc32_in_base62)
{
	static const struct {
		const char *body;
		const char *check;
	} rows[] = {{"", "000000"}, {"123456789", "3jZRME"}, {"a", "4GEHKN"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char check[KEY_CHECK_LEN];
		key_check(slice_of(rows[i].body), check);
		cr_assert(slice_eq((struct slice){check, sizeof(check)}, slice_of(rows[i].check)), "%s",
			  rows[i].body);
	}
}

/* 200 000 characters over 62: each is expected 3225 times, with a deviation of 56. */
Test(auth_key, generation_has_no_bias)
{
	unsigned seen[256] = {0};
	char secret[KEY_SECRET_LEN + 1];
	unsigned total = 0;

	for (; total < 200000; total += KEY_SECRET_LEN) {
		cr_assert(key_new_secret(secret));
		for (const char *c = secret; *c != '\0'; c++)
			seen[(unsigned char)*c]++;
	}
	unsigned kinds = 0;
	for (int c = 0; c < 256; c++) {
		kinds += seen[c] > 0;
		cr_assert(seen[c] == 0 || (seen[c] > 2850 && seen[c] < 3600), "%c: %u", c, seen[c]);
	}
	cr_assert_eq(kinds, 62);
}

Test(auth_key, generated_keys_parse)
{
	for (int i = 0; i < 1000; i++) {
		char id[KEY_ID_LEN + 1], secret[KEY_SECRET_LEN + 1], text[KEY_TEXT_LEN + 1];
		struct key key;
		cr_assert(key_new_id(id) && key_new_secret(secret));
		key_format(id, secret, text);
		cr_assert_eq(strlen(text), KEY_TEXT_LEN);
		cr_assert_eq(key_parse(slice_of(text), &key), KEY_OK);
		cr_assert(slice_is(key.id, id) && slice_is(key.secret, secret));
		cr_assert(key_id_valid(key.id));
	}
}

struct credential_row {
	const char *authorization, *x_api_key, *path_key;
	enum credential expected;
	const char *found;
};

static const struct credential_row credential_rows[] = {
	/* conflicts */
	{"Bearer a", "b", NULL, CREDENTIAL_CONFLICT, NULL},
	{"Bearer a", NULL, "b", CREDENTIAL_CONFLICT, NULL},
	{NULL, "a", "b", CREDENTIAL_CONFLICT, NULL},
	{"Bearer a", "a", "b", CREDENTIAL_CONFLICT, NULL},
	{"Bearer a", "A", NULL, CREDENTIAL_CONFLICT, NULL},
	{"Bearer a", "aa", NULL, CREDENTIAL_CONFLICT, NULL},
	/* malformed */
	{"Bearer", NULL, NULL, CREDENTIAL_MALFORMED, NULL},
	{"Bearer ", NULL, NULL, CREDENTIAL_MALFORMED, NULL},
	{"Bearera", NULL, NULL, CREDENTIAL_MALFORMED, NULL},
	{"Bearer\ta", NULL, NULL, CREDENTIAL_MALFORMED, NULL},
	{"Bearer a b", NULL, NULL, CREDENTIAL_MALFORMED, NULL},
	{"Bearer a,b", NULL, NULL, CREDENTIAL_MALFORMED, NULL},
	{"Bearer a, Bearer a", NULL, NULL, CREDENTIAL_MALFORMED, NULL},
	{"Bearer Bearer a", NULL, NULL, CREDENTIAL_MALFORMED, NULL},
	{"Basic dXNlcjpwYXNz", NULL, NULL, CREDENTIAL_MALFORMED, NULL},
	{"Basic dXNlcjpwYXNz", "a", NULL, CREDENTIAL_MALFORMED, NULL},
	{"a", NULL, NULL, CREDENTIAL_MALFORMED, NULL},
	{NULL, "a b", NULL, CREDENTIAL_MALFORMED, NULL},
	{NULL, "Bearer a", NULL, CREDENTIAL_MALFORMED, NULL},
	{NULL, NULL, "a%2f", CREDENTIAL_MALFORMED, NULL},
	{NULL, "a\x01", NULL, CREDENTIAL_MALFORMED, NULL},
	{NULL, "\xC3\xA4", NULL, CREDENTIAL_MALFORMED, NULL},
	/* none */
	{NULL, NULL, NULL, CREDENTIAL_NONE, NULL},
	{"", "", "", CREDENTIAL_NONE, NULL},
	{" ", "\t", NULL, CREDENTIAL_NONE, NULL},
	/* good */
	{"Bearer a", NULL, NULL, CREDENTIAL_OK, "a"},
	{"bEARER   a", NULL, NULL, CREDENTIAL_OK, "a"},
	{" Bearer a ", NULL, NULL, CREDENTIAL_OK, "a"},
	{"Bearer eyJh.b-_~+/==", NULL, NULL, CREDENTIAL_OK, "eyJh.b-_~+/=="},
	{NULL, " a ", NULL, CREDENTIAL_OK, "a"},
	{NULL, NULL, "a", CREDENTIAL_OK, "a"},
	{"Bearer a", "a", "a", CREDENTIAL_OK, "a"},
	{"", "a", "", CREDENTIAL_OK, "a"},
};

Test(auth_key, credentials)
{
	for (size_t i = 0; i < sizeof(credential_rows) / sizeof(credential_rows[0]); i++) {
		const struct credential_row *row = &credential_rows[i];
		struct slice found = {NULL, 0};
		enum credential got = credential_find(slice_of(row->authorization), slice_of(row->x_api_key),
						      slice_of(row->path_key), &found);
		cr_assert_eq(got, row->expected, "row %zu: %d", i, (int)got);
		cr_assert(row->found == NULL ? found.p == NULL : slice_is(found, row->found), "row %zu", i);
	}
}

Test(auth_key, credential_with_nul_or_too_long_is_malformed)
{
	char text[KEY_PRESENTED_MAX + 1];
	struct slice none = {NULL, 0}, found;

	memset(text, 'a', sizeof(text));
	cr_assert_eq(credential_find(none, (struct slice){text, sizeof(text)}, none, &found),
		     CREDENTIAL_MALFORMED);
	cr_assert_eq(credential_find(none, (struct slice){text, KEY_PRESENTED_MAX}, none, &found),
		     CREDENTIAL_OK);
	cr_assert_eq(credential_find(none, (struct slice){"a\0b", 3}, none, &found), CREDENTIAL_MALFORMED);
	cr_assert_eq(credential_find((struct slice){"Bearer a\0b", 10}, none, none, &found),
		     CREDENTIAL_MALFORMED);
}
