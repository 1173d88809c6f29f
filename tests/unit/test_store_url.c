/* Redis URLs: what is refused, what is understood. */
#include <criterion/criterion.h>
#include <string.h>

#include "store/url.h"

static const char *const refused[] = {
	"",
	"redis",
	"redis:/h",
	"http://h",
	"REDIS://h",
	"rediss://h",
	"redis://",
	"redis://@",
	"redis://:6379",
	"redis://user@",
	"redis://h:",
	"redis://h:0",
	"redis://h:65536",
	"redis://h:+1",
	"redis://h:1x",
	"redis://h:1:2",
	"redis://h/x",
	"redis://h/-1",
	"redis://h/65536",
	"redis://h/1/2",
	"redis://h?db=1",
	"redis://h#1",
	"redis://h%41",
	"redis://h_\xC3\xA4",
	"redis://a b",
	"redis://h\n",
	"redis://[::1",
	"redis://[::1]x",
	"redis://[::1]:",
	"redis://[127.0.0.1]",
	"redis://[]",
	"redis://::1",
	"redis://u:p@w@h",
	"redis://u:p%4@h",
	"redis://u:p%zz@h",
	"redis://u:p%00@h",
	"redis://u%@h",
	"redis://u:p?@h",
	"redis://u:p/w@h",
	"unix://",
	"unix:///",
	"unix://path",
	"unix://user/path",
	"unix:///p?x=1",
	"unix:///p?db=",
	"unix:///p?db=x",
	"unix:///p?db=1&x=2",
	"unix:///p%00q",
	"unix:///p%2",
};

Test(store_url, refuses)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct store_url url = {.db = 77};
		cr_expect(store_url_parse(slice_of(refused[i]), &url) != NULL, "%s", refused[i]);
		cr_expect(url.db == 77, "output touched by %s", refused[i]);
	}
}

Test(store_url, refuses_what_does_not_fit)
{
	char text[600];
	struct store_url url;

	memset(text, 'a', sizeof(text));
	memcpy(text, "redis://", 8);
	cr_expect(store_url_parse((struct slice){text, 8 + 255}, &url) == NULL);
	cr_expect(store_url_parse((struct slice){text, 8 + 256}, &url) != NULL);
	cr_expect(store_url_parse((struct slice){text, sizeof(text)}, &url) != NULL);
	memcpy(text, "unix:///", 8);
	cr_expect(store_url_parse((struct slice){text, 7 + 107}, &url) == NULL);
	cr_expect(strlen(url.path) == 107);
	cr_expect(store_url_parse((struct slice){text, 7 + 108}, &url) != NULL);
	memcpy(text, "redis://:", 9);
	text[9 + 256] = '@';
	cr_expect(store_url_parse((struct slice){text, 300}, &url) != NULL);
}

Test(store_url, quotes_nothing)
{
	struct store_url url;
	const char *wrong = store_url_parse(SLICE_LIT("redis://joe:hunter2@h:port"), &url);

	cr_assert(wrong != NULL);
	cr_expect(strstr(wrong, "hunter2") == NULL && strstr(wrong, "joe") == NULL);
}

struct understood {
	const char *text, *host, *path, *user, *password;
	unsigned port, db;
};

static const struct understood understood[] = {
	{"redis://h", "h", "", "", "", 6379, 0},
	{"redis://h/", "h", "", "", "", 6379, 0},
	{"redis://10.0.0.1:7000/3", "10.0.0.1", "", "", "", 7000, 3},
	{"redis://[::1]", "::1", "", "", "", 6379, 0},
	{"redis://u@[fe80::2]:1/15", "fe80::2", "", "u", "", 1, 15},
	{"redis://:secret@my-redis_1.example", "my-redis_1.example", "", "", "secret", 6379, 0},
	{"redis://u:p:w@h:65535/65535", "h", "", "u", "p:w", 65535, 65535},
	{"redis://u%40x:%2F%3A%40%3f%25%C3%A4@h", "h", "", "u@x", "/:@?%\xC3\xA4", 6379, 0},
	{"redis://@h", "h", "", "", "", 6379, 0},
	{"unix:///run/redis.sock", "", "/run/redis.sock", "", "", 0, 0},
	{"unix://u:p@/run/r@1.sock?db=4", "", "/run/r@1.sock", "u", "p", 0, 4},
	{"unix://:p@/a%20b%3F", "", "/a b?", "", "p", 0, 0},
};

Test(store_url, understands)
{
	for (size_t i = 0; i < sizeof(understood) / sizeof(understood[0]); i++) {
		const struct understood *u = &understood[i];
		struct store_url url;
		const char *wrong = store_url_parse(slice_of(u->text), &url);
		cr_assert(wrong == NULL, "%s: %s", u->text, wrong);
		cr_expect_str_eq(url.host, u->host, "%s", u->text);
		cr_expect_str_eq(url.path, u->path, "%s", u->text);
		cr_expect_str_eq(url.user, u->user, "%s", u->text);
		cr_expect_str_eq(url.password, u->password, "%s", u->text);
		cr_expect(url.port == u->port && url.db == u->db, "%s", u->text);
	}
}

Test(store_url, resolves_without_asking)
{
	static const char *const pairs[][2] = {
		{"redis://localhost", "127.0.0.1"},
		{"redis://LocalHost", "127.0.0.1"},
		{"redis://[::1]", "::1"},
		{"redis://192.0.2.1", "192.0.2.1"},
		{"unix:///x", ""},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct store_url url;
		cr_assert(store_url_parse(slice_of(pairs[i][0]), &url) == NULL);
		cr_expect(store_url_resolve(&url));
		cr_expect_str_eq(url.host, pairs[i][1]);
	}
}

Test(store_url, does_not_resolve_nonsense)
{
	/* A label of 64 characters is no name: nobody is asked. */
	static const char text[] = "redis://0123456789012345678901234567890123456789012345678901234567890123";
	struct store_url url;

	cr_assert(store_url_parse(slice_of(text), &url) == NULL);
	cr_expect_not(store_url_resolve(&url));
}
