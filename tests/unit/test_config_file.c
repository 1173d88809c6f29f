/* The configuration file: what is refused and how it is reported, then what comes out. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config.h"

#define NEEDED \
	"[spop]\nlisten = unix:/run/t/spop.sock\n[redis]\nurl = redis://127.0.0.1\n" \
	"[auth]\npepper_file = /etc/t/pepper\n[audit]\ndirectory = /var/log/t\n"

static bool parse(const char *text, struct config *config, struct config_errors *errors)
{
	return config_parse(slice_of(text), "test.ini", config, errors);
}

struct bad {
	const char *tail; /* behind NEEDED, which has 8 lines */
	const char *error;
};

static const struct bad bads[] = {
	{"[nosuch]\na = 1\n", "test.ini:10: there is no section of this name"},
	{"[log]\nlevels = info\n", "test.ini:10: [log] has no setting of this name"},
	{"[log]\nLevel = info\n", "test.ini:10: [log] has no setting of this name"},
	{"[log]\nlevel = loud\n", "test.ini:10: [log] level: expected debug or info or warn or error"},
	{"[log]\nlevel = info\nlevel = info\n", "test.ini:11: [log] level was given in line 10 already"},
	{"[log]\nlevel\n", "test.ini:10: expected [section], name = value or a comment"},
	{"[log\nlevel = info\n", "test.ini:10: [audit] has no setting of this name"},
	{"[log]\nlevel = info\n debug\n", "test.ini:11: the line must not start with a space"},
	{"[redis]\ndeadline = 30\n", "test.ini:10: [redis] deadline: expected a duration from 1ms to 10s"},
	{"[redis]\ndeadline = 30 ms\n", "test.ini:10: [redis] deadline: expected a duration from 1ms to 10s"},
	{"[redis]\ndeadline = -30ms\n", "test.ini:10: [redis] deadline: expected a duration from 1ms to 10s"},
	{"[redis]\ndeadline = 11s\n", "test.ini:10: [redis] deadline: expected a duration from 1ms to 10s"},
	{"[redis]\ndeadline = 0\n", "test.ini:10: [redis] deadline: expected a duration from 1ms to 10s"},
	{"[redis]\ndeadline =\n", "test.ini:10: [redis] deadline: expected a duration from 1ms to 10s"},
	{"[auth]\nstale_max = 9223372036854775807h\n",
	 "test.ini:10: [auth] stale_max: expected a duration from 0us to 24h"},
	{"[audit]\nqueue_bytes = 1MB\n",
	 "test.ini:10: [audit] queue_bytes: expected a size from 64KiB to 1GiB"},
	{"[audit]\nqueue_bytes = 63KiB\n",
	 "test.ini:10: [audit] queue_bytes: expected a size from 64KiB to 1GiB"},
	{"[audit]\non_failure = ignore\n", "test.ini:10: [audit] on_failure: expected refuse or continue"},
	{"[auth]\ncache_keys = 0x10\n",
	 "test.ini:10: [auth] cache_keys: expected a number from 16 to 10000000"},
	{"[auth]\ncache_keys = 99999999999999999999\n",
	 "test.ini:10: [auth] cache_keys: expected a number from 16 to 10000000"},
	{"[spop]\nsocket_mode = 0888\n",
	 "test.ini:10: [spop] socket_mode: expected octal permissions such as 0660"},
	{"[spop]\nsocket_mode = 7777\n",
	 "test.ini:10: [spop] socket_mode: expected octal permissions such as 0660"},
	{"[http]\nlisten = 0.0.0.0:9464\n",
	 "test.ini:10: [http] listen: expected unix:/path or a loopback address with its port"},
	{"[http]\nlisten = 127.0.0.1\n",
	 "test.ini:10: [http] listen: expected unix:/path or a loopback address with its port"},
	{"[http]\nlisten = 127.0.0.1:65536\n",
	 "test.ini:10: [http] listen: expected unix:/path or a loopback address with its port"},
	{"[http]\nlisten = [::2]:80\n",
	 "test.ini:10: [http] listen: expected unix:/path or a loopback address with its port"},
	{"[http]\nlisten = unix:relative\n",
	 "test.ini:10: [http] listen: expected unix:/path or a loopback address with its port"},
	{"[completion]\nlisten = unix:/run/x\n",
	 "test.ini:10: [completion] listen: expected a loopback address with its port"},
	{"[redis]\npassword_file = secret\n",
	 "test.ini:10: [redis] password_file: expected an absolute path"},
	{"[redis]\nreconnect_min = 3s\n", "test.ini: [redis] reconnect_min is more than reconnect_max"},
	{"[redis]\nstall = 20ms\n", "test.ini: [redis] stall is less than deadline"},
};

Test(config_file, refused_with_file_and_line)
{
	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		struct config config;
		struct config_errors errors;
		char text[1024];
		snprintf(text, sizeof(text), "%s%s", NEEDED, bads[i].tail);
		cr_assert(!parse(text, &config, &errors), "%s", bads[i].tail);
		cr_expect_str_eq(errors.text[0], bads[i].error, "%s: %s", bads[i].tail, errors.text[0]);
	}
}

Test(config_file, all_errors_are_collected)
{
	struct config config;
	struct config_errors errors;

	cr_assert(!parse("x = 1\n[spop]\nlisten = tcp\nfoo = 1\n", &config, &errors));
	cr_expect_eq(errors.count, 6, "%u", errors.count);
	cr_expect_str_eq(errors.text[0], "test.ini:1: a setting must stand in a [section]");
	cr_expect(strstr(errors.text[1], "test.ini:3: [spop] listen: expected at most 8 of") ==
		  errors.text[1]);
	cr_expect_str_eq(errors.text[2], "test.ini:4: [spop] has no setting of this name");
	cr_expect_str_eq(errors.text[3], "test.ini: [redis] url must be given");
	cr_expect_str_eq(errors.text[4], "test.ini: [auth] pepper_file must be given");
	cr_expect_str_eq(errors.text[5], "test.ini: [audit] directory must be given");
}

Test(config_file, more_errors_than_are_kept_are_counted)
{
	char text[4096] = "[log]\n";
	struct config config;
	struct config_errors errors;

	for (int i = 0; i < 100; i++)
		strcat(text, "a=1\n");
	cr_assert(!parse(text, &config, &errors));
	cr_expect_eq(errors.count, 104);
	cr_expect_str_eq(errors.text[15], "test.ini:17: [log] has no setting of this name");
}

Test(config_file, no_value_is_ever_quoted)
{
	static const char *const texts[] = {
		"[redis]\nurl = redis://u:canary-5ecret@h:99999/0\n",
		"[auth]\ncanary-5ecret = canary-5ecret\n",
		"[canary-5ecret]\nx = 1\n",
		"[auth]\npepper_file = canary-5ecret\n",
		"canary-5ecret\n",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct config config;
		struct config_errors errors;
		cr_assert(!parse(texts[i], &config, &errors));
		for (unsigned k = 0; k < errors.count; k++)
			cr_expect(strstr(errors.text[k], "canary") == NULL, "%s", errors.text[k]);
	}
}

Test(config_file, lines_inih_would_cut_are_refused)
{
	static char text[2048] = NEEDED "[redis]\npassword_file = /";
	struct config config;
	struct config_errors errors;

	memset(text + strlen(text), 'a', 300);
	cr_assert(!parse(text, &config, &errors));
	cr_expect(strstr(errors.text[0], "test.ini:10: the line is longer than") == errors.text[0], "%s",
		  errors.text[0]);
	cr_assert(!config_parse((struct slice){"[log]\nlevel = in\0fo\n", 20}, "test.ini", &config, &errors));
	cr_expect_str_eq(errors.text[0], "test.ini:2: the line holds a NUL byte");
}

Test(config_file, a_file_that_is_not_there)
{
	struct config config;
	struct config_errors errors;

	cr_assert(!config_load("/nonexistent/t.ini", &config, &errors));
	cr_expect_str_eq(errors.text[0], "/nonexistent/t.ini: No such file or directory");
	cr_assert(!config_load("/dev", &config, &errors));
	cr_expect_eq(errors.count, 1);
}

Test(config_file, defaults)
{
	struct config c;
	struct config_errors errors;

	cr_assert(parse(NEEDED, &c, &errors), "%s", errors.text[0]);
	cr_expect_eq(c.spop.listen.count, 1);
	cr_expect_str_eq(c.spop.listen.item[0], "unix:/run/t/spop.sock");
	cr_expect_eq(c.spop.socket_mode, 0660);
	cr_expect_str_eq(c.spop.socket_group, "");
	cr_expect_eq(c.spop.max_frame_size, 33u * 1024 * 1024);
	cr_expect_str_eq(c.completion.listen, "127.0.0.1:5514");
	cr_expect_eq(c.redis.deadline, 30000);
	cr_expect_eq(c.auth.stale_max, 300000000);
	cr_expect_eq(c.auth.cache_keys, 20000);
	cr_expect_eq(c.limits.byte_budget, (size_t)1 << 30);
	cr_expect_eq(c.limits.lease_max, INT64_C(1800000000));
	cr_expect_eq(c.audit.on_failure, AUDIT_REFUSE);
	cr_expect_eq(c.audit.segment_size, 64u * 1024 * 1024);
	cr_expect_str_eq(c.http.listen, "127.0.0.1:9464");
	cr_expect_eq(c.log.level, LOG_LEVEL_INFO);
	config_free(&c);
}

Test(config_file, values)
{
	struct config c;
	struct config_errors errors;

	cr_assert(parse("; comment\r\n# comment\n\n[spop]\r\nlisten = unix:/a , "
			"127.0.0.1:1,[::1]:2,localhost:3\r\n"
			"socket_mode=600\n[redis]\nurl = unix:///run/redis.sock?db=3\ndeadline = 1500us ; "
			"inline\n"
			"[auth]\npepper_file = /p\nlookup_rate = 0\n[audit]\ndirectory = /a b\non_failure = "
			"continue\n"
			"segment_size = 1GiB\nsync_interval = 0\n[limits]\nlease_max = 2h\n[log]\nlevel = "
			"error",
			&c, &errors),
		  "%s", errors.text[0]);
	cr_expect_eq(c.spop.listen.count, 4);
	cr_expect_str_eq(c.spop.listen.item[3], "localhost:3");
	cr_expect_eq(c.spop.socket_mode, 0600);
	cr_expect_eq(c.redis.deadline, 1500);
	cr_expect_eq(c.auth.lookup_rate, 0);
	cr_expect_str_eq(c.audit.directory, "/a b");
	cr_expect_eq(c.audit.on_failure, AUDIT_CONTINUE);
	cr_expect_eq(c.audit.segment_size, (size_t)1 << 30);
	cr_expect_eq(c.audit.sync_interval, 0);
	cr_expect_eq(c.limits.lease_max, INT64_C(7200000000));
	cr_expect_eq(c.log.level, LOG_LEVEL_ERROR);
	config_free(&c);
}

static char *dump(const struct config *config)
{
	char *text = NULL;
	size_t n;
	FILE *to = open_memstream(&text, &n);

	config_dump(config, to);
	fclose(to);
	return text;
}

Test(config_file, a_dump_reads_back_the_same)
{
	struct config a, b;
	struct config_errors errors;

	cr_assert(parse(NEEDED "[redis]\ndeadline = 1500us\n[spop]\nsocket_mode = 0600\n[log]\nlevel = warn\n"
			       "[audit]\nqueue_bytes = 65537B\n",
			&a, &errors),
		  "%s", errors.text[0]);
	char *first = dump(&a);
	cr_expect(strstr(first, "\ndeadline = 1500us\n") != NULL);
	cr_expect(strstr(first, "\nqueue_bytes = 65537B\n") != NULL);
	cr_expect(strstr(first, "\nsegment_size = 64MiB\n") != NULL);
	cr_expect(strstr(first, "\n[audit]\n") != NULL);
	cr_assert(parse(first, &b, &errors), "%s", errors.text[0]);
	char *second = dump(&b);
	cr_expect_str_eq(first, second);
	free(first);
	free(second);
	config_free(&a);
	config_free(&b);
}

Test(config_file, a_dump_masks_the_password)
{
	static const struct {
		const char *url, *shown;
	} cases[] = {
		{"redis://user:pa@ss@h:1/0", NULL}, /* not a URL of ours; must never be accepted half-read */
		{"redis://user:canary%40x@h:1/2", "url = redis://user:***@h:1/2\n"},
		{"redis://:canary@127.0.0.1", "url = redis://:***@127.0.0.1\n"},
		{"unix://user:canary@/run/r.sock?db=1", "url = unix://user:***@/run/r.sock?db=1\n"},
		{"redis://user@h", "url = redis://user@h\n"},
		{"redis://[::1]:6379", "url = redis://[::1]:6379\n"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config c;
		struct config_errors errors;
		char text[1024];
		snprintf(text, sizeof(text),
			 "[spop]\nlisten = unix:/s\n[auth]\npepper_file = /p\n[audit]\ndirectory = "
			 "/a\n[redis]\nurl = %s\n",
			 cases[i].url);
		bool ok = parse(text, &c, &errors);
		cr_assert_eq(ok, cases[i].shown != NULL, "%s", cases[i].url);
		if (!ok)
			continue;
		char *shown = dump(&c);
		cr_expect(strstr(shown, cases[i].shown) != NULL, "%s", cases[i].url);
		cr_expect(strstr(shown, "canary") == NULL);
		free(shown);
		config_free(&c);
	}
}

static void note_change(void *ctx, const char *section, const char *name, bool applied)
{
	char *seen = ctx;

	snprintf(seen + strlen(seen), 256 - strlen(seen), "%s.%s=%d ", section, name, applied);
}

Test(config_file, a_reload_takes_what_it_may)
{
	struct config running, fresh;
	struct config_errors errors;
	char seen[256] = "";

	cr_assert(parse(NEEDED, &running, &errors));
	cr_assert(parse(
		"[spop]\nlisten = unix:/other\n[redis]\nurl = redis://127.0.0.1\n[auth]\npepper_file = /new\n"
		"[audit]\ndirectory = /var/log/t\n[log]\nlevel = debug\n",
		&fresh, &errors));
	config_reload(&running, &fresh, note_change, seen);
	cr_expect_str_eq(seen, "spop.listen=0 auth.pepper_file=1 log.level=1 ");
	cr_expect_str_eq(running.spop.listen.item[0], "unix:/run/t/spop.sock");
	cr_expect_str_eq(running.auth.pepper_file, "/new");
	cr_expect_eq(running.log.level, LOG_LEVEL_DEBUG);
	config_free(&fresh);
	config_free(&running);
}

Test(config_file, the_password_file_goes_into_the_url)
{
	static const struct {
		const char *url, *password, *result; /* NULL: refused */
	} cases[] = {
		{"redis://agent@h:1/0", "", NULL},
		{"redis://agent@h:1/0", "two\nlines\n", NULL},
		{"redis://agent@h:1/0", "p@s/s", "redis://agent:%70%40%73%2F%73@h:1/0"},
		{"redis://agent:@h:1/0", "x\n", "redis://agent:%78@h:1/0"},
		{"redis://h", "x", "redis://:%78@h"},
		{"unix:///r.sock", "x", "unix://:%78@/r.sock"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char path[] = "/tmp/tollgate-test-XXXXXX";
		char url[512];
		struct strbuf sb = strbuf_over(url, sizeof(url));
		struct config c = {.redis = {.url = (char *)(uintptr_t)cases[i].url, .password_file = path}};
		int fd = mkstemp(path);
		cr_assert(write(fd, cases[i].password, strlen(cases[i].password)) >= 0);
		close(fd);
		const char *error = config_redis_url(&c, &sb);
		unlink(path);
		cr_assert_eq(error == NULL, cases[i].result != NULL, "%s", cases[i].url);
		if (error == NULL)
			cr_expect_str_eq(url, cases[i].result);
	}
}
