/* Pepper files: refused ones first. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/key.h"
#include "auth/pepper.h"

#define HEX32 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define OTHER "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eFF"

Test(auth_pepper, refused_texts)
{
	static const struct {
		const char *text;
		const char *error;
	} rows[] = {
		{"", "it has no pepper"},
		{"# 1 " HEX32 "\n\n", "it has no pepper"},
		{HEX32, "line 1: expected `<version>"},
		{"0 " HEX32, "line 1: expected `<version>"},
		{"-1 " HEX32, "line 1: expected `<version>"},
		{"4294967296 " HEX32, "line 1: expected `<version>"},
		{"1\t" HEX32, "line 1: expected `<version>"},
		{"#\n1", "line 2: expected 32 to 128"},
		{"1 " HEX32 "0", "line 1: expected 32 to 128"},
		{"1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
		 "line 1: expected 32 to 128"},
		{"1 g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		 "line 1: expected 32 to 128"},
		{"1 " HEX32 HEX32 HEX32 HEX32 "00", "line 1: expected 32 to 128"},
		{"1 " HEX32 " 2", "line 1: expected 32 to 128"},
		{"1 0000000000000000000000000000000000000000000000000000000000000000",
		 "line 1: all bytes are equal"},
		{"1 " HEX32 "\n1 " OTHER, "line 2: this version is already there"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char reason[256];
		struct strbuf err = strbuf_over(reason, sizeof(reason));
		cr_assert_null(peppers_parse(slice_of(rows[i].text), &err), "row %zu", i);
		cr_assert(slice_starts(slice_of(reason), slice_of(rows[i].error)), "row %zu: %s", i, reason);
		cr_assert_null(strstr(reason, "0001"), "the content is not in the error");
	}
}

Test(auth_pepper, too_many_versions)
{
	char text[4096], reason[256];
	struct strbuf sb = strbuf_over(text, sizeof(text)), err = strbuf_over(reason, sizeof(reason));

	for (int i = 1; i <= PEPPER_MAX; i++)
		strbuf_printf(&sb, "%d %s\n", i, HEX32);
	struct peppers *peppers = peppers_parse(strbuf_slice(&sb), &err);
	cr_assert_not_null(peppers);
	peppers_free(&peppers);
	strbuf_printf(&sb, "%d %s\n", PEPPER_MAX + 1, HEX32);
	cr_assert_null(peppers_parse(strbuf_slice(&sb), &err));
	cr_assert_not_null(strstr(reason, "more than 16"));
}

Test(auth_pepper, versions_and_macs)
{
	/* Computed by Python's hmac. */
	static const uint8_t expected[KEY_MAC_LEN] = {
		0x72, 0x3F, 0x22, 0x8D, 0x66, 0xD0, 0xF9, 0x8D, 0xD0, 0xB4, 0x3D,
		0x22, 0x39, 0x6E, 0xDA, 0x39, 0x38, 0x36, 0x50, 0x77, 0xED, 0x17,
		0x37, 0x63, 0x1B, 0x6C, 0xA6, 0x2D, 0x2D, 0xCA, 0x6B, 0x43,
	};
	char reason[256];
	struct strbuf err = strbuf_over(reason, sizeof(reason));
	struct peppers *peppers =
		peppers_parse(SLICE_LIT("# ours\r\n7 " OTHER "\n  3 " HEX32 "\r\n\n"), &err);
	uint8_t mac[KEY_MAC_LEN];

	cr_assert_not_null(peppers, "%s", reason);
	cr_assert_eq(pepper_version(peppers_current(peppers)), 7);
	cr_assert_null(peppers_find(peppers, 0));
	cr_assert_null(peppers_find(peppers, 1));
	const struct pepper *old = peppers_find(peppers, 3);
	for (int round = 0; round < 3; round++) {
		cr_assert(key_mac(old, SLICE_LIT("secret"), mac));
		cr_assert(key_mac_equal(mac, expected));
		cr_assert(key_mac(peppers_current(peppers), SLICE_LIT("secret"), mac));
		cr_assert_not(key_mac_equal(mac, expected));
	}
	key_verify_nothing(peppers, SLICE_LIT("secret"));
	peppers_free(&peppers);
	cr_assert_null(peppers);
	peppers_free(&peppers);
}

static char path[64];

static void make_file(void)
{
	(void)snprintf(path, sizeof(path), "/tmp/tollgate-pepper-%ld", (long)getpid());
	FILE *f = fopen(path, "w");
	cr_assert_not_null(f);
	(void)fputs("1 " HEX32 "\n", f);
	(void)fclose(f);
}

static void remove_file(void)
{
	(void)unlink(path);
}

TestSuite(auth_pepper_file, .init = make_file, .fini = remove_file);

static bool loads(mode_t mode, char *reason, size_t cap)
{
	struct strbuf err = strbuf_over(reason, cap);

	cr_assert_eq(chmod(path, mode), 0);
	struct peppers *peppers = peppers_load(path, &err);
	bool ok = peppers != NULL;
	peppers_free(&peppers);
	return ok;
}

Test(auth_pepper_file, modes)
{
	static const struct {
		mode_t mode;
		bool ok;
	} rows[] = {{0644, false}, {0604, false}, {0602, false}, {0601, false}, {0660, false},
		    {0620, false}, {0600, true},  {0400, true},  {0440, true},  {0640, true}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char reason[256] = "";
		cr_assert_eq(loads(rows[i].mode, reason, sizeof(reason)), rows[i].ok, "%o: %s", rows[i].mode,
			     reason);
		cr_assert(rows[i].ok || strstr(reason, path) != NULL, "%s", reason);
	}
}

Test(auth_pepper_file, what_is_no_pepper_file)
{
	char reason[256];
	struct strbuf err = strbuf_over(reason, sizeof(reason));

	cr_assert_null(peppers_load("/nonexistent/pepper", &err));
	cr_assert_not_null(strstr(reason, "No such file"));
	err = strbuf_over(reason, sizeof(reason));
	cr_assert_null(peppers_load("/", &err));
	cr_assert_not_null(strstr(reason, "not a regular file"), "%s", reason);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(mkfifo(path, 0600), 0);
	err = strbuf_over(reason, sizeof(reason));
	cr_assert_null(peppers_load(path, &err), "and does not hang");
}

Test(auth_pepper_file, too_large)
{
	char reason[256];
	struct strbuf err = strbuf_over(reason, sizeof(reason));

	cr_assert_eq(chmod(path, 0600), 0);
	cr_assert_eq(truncate(path, PEPPER_FILE_MAX), 0);
	cr_assert_null(peppers_load(path, &err));
	cr_assert_not_null(strstr(reason, "too large"), "%s", reason);
}
