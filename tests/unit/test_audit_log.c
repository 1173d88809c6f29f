/* The audit log on a real directory: what it refuses and survives first, then its records. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/completion.h"

#define CANARY "tg_0123456789ab_CANARYSECRETCANARYSECRETCANARYSECRETCANARY1_abcdef"
#define FLUSH_US 5000000
#define NAME_BYTES 400

static char dir[64];

static void make_dir(void)
{
	strcpy(dir, "/tmp/tollgate-audit-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
}

static void remove_dir(void)
{
	char command[256];

	snprintf(command, sizeof(command), "umount '%s' 2>/dev/null; rm -rf '%s'", dir, dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(audit_log, .init = make_dir, .fini = remove_dir, .timeout = 60);

static struct audit_config config(void)
{
	return (struct audit_config){.directory = slice_of(dir),
				     .version = SLICE_LIT("1.2.3"),
				     .queue_bytes = 1 << 20,
				     .segment_bytes = 1 << 20,
				     .sync_interval_us = 1000};
}

static struct audit *open_with(struct audit_config c)
{
	struct audit *a = audit_new(&c);

	cr_assert_not_null(a, "%s", strerror(errno));
	return a;
}

static struct audit_decision decision(bool admitted)
{
	struct audit_decision d;

	audit_decision_init(&d);
	d.admitted = admitted;
	d.verdict = admitted ? SLICE_LIT("admit") : SLICE_LIT("limited");
	d.reason = admitted ? SLICE_LIT("ok") : SLICE_LIT("key_rpm");
	d.request.id = SLICE_LIT("r1");
	d.request.key_id = SLICE_LIT("k1");
	d.request.src = SLICE_LIT("192.0.2.1");
	return d;
}

static void close_flushed(struct audit **a)
{
	cr_assert(audit_flush_wait(*a, FLUSH_US));
	audit_free(a);
	cr_assert_null(*a);
}

/* Segments by name, which is in order of their numbers here. */
static int segments(char names[64][NAME_BYTES])
{
	struct dirent **list;
	int n = scandir(dir, &list, NULL, alphasort);
	int count = 0;

	cr_assert_geq(n, 0);
	for (int i = 0; i < n; i++) {
		if (strncmp(list[i]->d_name, "audit-", 6) == 0 && count < 64)
			snprintf(names[count++], NAME_BYTES, "%s/%s", dir, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return count;
}

/* All records, in order, each checked to be one JSON object a line with the next number. */
static json_t *records(void)
{
	char names[64][NAME_BYTES];
	int count = segments(names);
	json_t *all = json_array();
	json_int_t seq = 0;

	for (int i = 0; i < count; i++) {
		char *line = NULL;
		size_t cap = 0;
		ssize_t n;
		FILE *from = fopen(names[i], "r");
		while ((n = getline(&line, &cap, from)) > 0) {
			json_t *r =
				json_loadb(line, (size_t)n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
			cr_assert(r != NULL && line[n - 1] == '\n', "%s", line);
			cr_assert_eq(json_integer_value(json_object_get(r, "seq")), ++seq, "%s", line);
			json_array_append_new(all, r);
		}
		free(line);
		fclose(from);
	}
	return all;
}

static const char *text_of(const json_t *record, const char *name)
{
	const char *text = json_string_value(json_object_get(record, name));

	return text == NULL ? "" : text;
}

static json_int_t number_of(const json_t *record, const char *name)
{
	return json_integer_value(json_object_get(record, name));
}

static const json_t *find(const json_t *all, const char *type)
{
	size_t i;
	json_t *r;

	json_array_foreach(all, i, r) if (strcmp(text_of(r, "type"), type) == 0) return r;
	return NULL;
}

static size_t count_of(const json_t *all, const char *type)
{
	size_t i, count = 0;
	json_t *r;

	json_array_foreach(all, i, r) count += strcmp(text_of(r, "type"), type) == 0;
	return count;
}

/* ---- refused at the start ---- */

Test(audit_log, bad_configurations)
{
	struct audit_config c = config();

	c.directory = SLICE_LIT("/nonexistent/x");
	cr_expect_null(audit_new(&c));
	cr_expect_eq(errno, ENOENT);
	c = config();
	c.queue_bytes = 1000;
	cr_expect_null(audit_new(&c));
	cr_expect_eq(errno, EINVAL);
	c = config();
	cr_assert_eq(chmod(dir, 0777), 0);
	cr_expect_null(audit_new(&c));
	cr_expect_eq(errno, EACCES, "anybody could put files there");
}

Test(audit_log, one_agent_a_directory)
{
	struct audit *a = open_with(config());
	struct audit_config c = config();

	cr_expect_null(audit_new(&c));
	cr_expect_eq(errno, EWOULDBLOCK);
	audit_free(&a);
	a = open_with(c);
	audit_free(&a);
}

Test(audit_log, a_link_in_the_directory_is_not_followed)
{
	char name[128];
	struct audit_config c = config();

	snprintf(name, sizeof(name), "%s/audit-20260101T000000Z-000007.jsonl", dir);
	cr_assert_eq(symlink("/etc/passwd", name), 0);
	cr_expect_null(audit_new(&c));
	cr_expect_eq(errno, ELOOP);
	cr_assert_eq(unlink(name), 0);
	cr_assert_eq(mkfifo(name, 0600), 0);
	cr_expect_null(audit_new(&c));
	cr_expect_eq(errno, EINVAL);
}

/* ---- the queue ---- */

/* Files may not grow: as a full disk, but for this process only. */
static void disk_full(bool full)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = full ? 0 : limit.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void wait_broken(struct audit *a, bool broken)
{
	struct audit_stats s;

	for (int i = 0; i < 500; i++) {
		audit_stats(a, &s);
		if (s.broken == broken)
			return;
		usleep(10000);
	}
	cr_assert_fail("still %s", broken ? "writing" : "broken");
}

Test(audit_log, refuse_says_no_while_the_disk_does)
{
	struct audit *a = open_with(config());
	struct audit_decision d = decision(true);
	struct audit_completion done;
	struct audit_stats s;

	cr_assert(audit_writable(a));
	disk_full(true);
	cr_assert(audit_decision(a, &d));
	wait_broken(a, true);
	cr_expect(!audit_writable(a));
	cr_expect(!audit_decision(a, &d));
	cr_expect(!audit_decision(a, &d));
	audit_completion_init(&done);
	cr_expect(audit_complete(a, &done), "a stream that ended cannot be refused any more");
	cr_expect(!audit_flush_wait(a, 50000));
	audit_stats(a, &s);
	cr_expect_geq(s.write_errors, 1);
	cr_expect_eq(s.last_error, EFBIG);
	cr_expect_eq(s.dropped[AUDIT_TYPE_DECISION], 2);
	disk_full(false);
	wait_broken(a, false);
	cr_expect(audit_writable(a));
	cr_expect(audit_decision(a, &d));
	close_flushed(&a);

	json_t *all = records();
	const json_t *gap = find(all, "gap");
	cr_assert_eq(json_array_size(all), 4);
	cr_expect_str_eq(text_of(json_array_get(all, 0), "type"), "decision", "kept through the outage");
	cr_assert_not_null(gap);
	cr_expect_str_eq(text_of(gap, "cause"), "write_error");
	cr_expect_eq(number_of(json_object_get(gap, "lost"), "decision"), 2);
	cr_expect_eq(count_of(all, "completion"), 1);
	cr_expect_eq(count_of(all, "decision"), 2);
	json_decref(all);
}

Test(audit_log, continue_takes_until_the_queue_is_full)
{
	struct audit_config c = config();
	c.queue_bytes = 65536;
	c.on_failure = AUDIT_CONTINUE;
	struct audit *a = open_with(c);
	struct audit_decision d = decision(true);
	struct audit_completion done;
	struct audit_stats s;
	unsigned taken = 0;

	audit_completion_init(&done);
	disk_full(true);
	cr_assert(audit_decision(a, &d));
	wait_broken(a, true);
	cr_expect(audit_writable(a));
	while (audit_decision(a, &d))
		taken++;
	cr_expect_gt(taken, 100);
	cr_expect(audit_complete(a, &done), "an eighth is kept for completions");
	unsigned completed = 1;
	while (audit_complete(a, &done))
		completed++;
	audit_stats(a, &s);
	cr_expect_leq(s.queued_bytes, s.queue_limit_bytes);
	cr_expect_eq(s.queued_records, taken + completed);
	disk_full(false);
	wait_broken(a, false);
	close_flushed(&a);

	json_t *all = records();
	const json_t *gap = find(all, "gap");
	cr_expect_eq(count_of(all, "decision"), taken + 1);
	cr_expect_eq(count_of(all, "completion"), completed);
	cr_assert_not_null(gap);
	cr_expect_eq(number_of(json_object_get(gap, "lost"), "decision"), 1);
	cr_expect_eq(number_of(json_object_get(gap, "lost"), "completion"), 1);
	json_decref(all);
}

Test(audit_log, a_write_that_fails_halfway_leaves_no_half_line)
{
	struct audit *a = open_with(config());
	struct audit_decision d = decision(true);
	struct rlimit limit;
	char names[64][NAME_BYTES];
	struct stat st;

	cr_assert(audit_decision(a, &d));
	cr_assert(audit_flush_wait(a, FLUSH_US));
	cr_assert_eq(segments(names), 1);
	cr_assert_eq(stat(names[0], &st), 0);
	off_t before = st.st_size;
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = (rlim_t)before + 100;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_assert(audit_decision(a, &d));
	wait_broken(a, true);
	cr_assert_eq(stat(names[0], &st), 0);
	cr_expect_eq(st.st_size, before);
	disk_full(false);
	wait_broken(a, false);
	close_flushed(&a);
	json_t *all = records();
	cr_expect_eq(json_array_size(all), 2);
	json_decref(all);
}

Test(audit_log, a_full_file_system, .timeout = 60)
{
	char command[256];

	/* Only root may mount; RLIMIT_FSIZE above covers the same path elsewhere. */
	snprintf(command, sizeof(command), "mount -t tmpfs -o size=128k,mode=0700 tmpfs '%s' 2>/dev/null",
		 dir);
	if (system(command) != 0)
		cr_skip_test("a tmpfs cannot be mounted here");
	struct audit_config c = config();
	c.on_failure = AUDIT_CONTINUE;
	struct audit *a = open_with(c);
	struct audit_decision d = decision(true);
	char filler[128];
	struct audit_stats s;
	for (int i = 0; i < 200; i++)
		cr_expect(audit_decision(a, &d));
	cr_expect(audit_flush_wait(a, FLUSH_US));
	snprintf(filler, sizeof(filler), "%s/filler", dir);
	snprintf(command, sizeof(command), "dd if=/dev/zero of='%s' bs=1k 2>/dev/null; true", filler);
	cr_expect_eq(system(command), 0);
	for (int i = 0; i < 200; i++)
		cr_expect(audit_decision(a, &d));
	wait_broken(a, true);
	audit_stats(a, &s);
	cr_expect_eq(s.last_error, ENOSPC);
	cr_expect_eq(unlink(filler), 0);
	wait_broken(a, false);
	close_flushed(&a);
	json_t *all = records();
	cr_expect_eq(count_of(all, "decision"), 400);
	cr_expect_eq(count_of(all, "gap"), 0);
	json_decref(all);
}

/* ---- what an earlier agent left ---- */

static void append(const char *path, const char *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0640);

	cr_assert_eq(write(fd, bytes, n), (ssize_t)n);
	close(fd);
}

static void one_record(void)
{
	struct audit *a = open_with(config());
	struct audit_decision d = decision(true);

	cr_assert(audit_decision(a, &d));
	close_flushed(&a);
}

Test(audit_log, numbers_go_on_after_a_restart)
{
	char names[64][NAME_BYTES];

	one_record();
	one_record();
	json_t *all = records();
	cr_expect_eq(json_array_size(all), 2);
	cr_expect_eq(segments(names), 2);
	cr_expect_not_null(strstr(names[0], "-000001.jsonl"));
	cr_expect_not_null(strstr(names[1], "-000002.jsonl"));
	json_decref(all);
}

Test(audit_log, a_torn_line_is_cut_and_recorded)
{
	char names[64][NAME_BYTES];

	one_record();
	cr_assert_eq(segments(names), 1);
	append(names[0], "{\"v\":1,\"seq\":2,\"ty", 18);
	one_record();
	json_t *all = records();
	const json_t *gap = find(all, "gap");
	cr_assert_eq(json_array_size(all), 3);
	cr_assert_not_null(gap);
	cr_expect_eq(number_of(gap, "seq"), 2);
	cr_expect_str_eq(text_of(gap, "cause"), "torn_tail");
	cr_expect_eq(number_of(gap, "bytes"), 18);
	cr_expect_str_eq(text_of(gap, "segment"), strrchr(names[0], '/') + 1);
	json_decref(all);
}

Test(audit_log, a_segment_that_never_got_a_line)
{
	char name[128], names[64][NAME_BYTES];

	one_record();
	snprintf(name, sizeof(name), "%s/audit-20990101T000000Z-000005.jsonl", dir);
	append(name, "", 0);
	snprintf(name, sizeof(name), "%s/audit-20990101T000000Z-000006.jsonl", dir);
	append(name, "{\"v\"", 4);
	one_record();
	cr_assert_eq(segments(names), 2);
	json_t *all = records();
	cr_expect_eq(json_array_size(all), 3);
	cr_expect_eq(count_of(all, "gap"), 1);
	json_decref(all);
}

Test(audit_log, a_damaged_line_is_left_alone)
{
	char names[64][NAME_BYTES];
	struct stat st;

	one_record();
	cr_assert_eq(segments(names), 1);
	append(names[0], "\0\0\0\0\n", 5);
	cr_assert_eq(stat(names[0], &st), 0);
	off_t size = st.st_size;
	struct audit *a = open_with(config());
	struct audit_decision d = decision(true);
	cr_assert(audit_decision(a, &d));
	close_flushed(&a);
	cr_assert_eq(stat(names[0], &st), 0);
	cr_expect_eq(st.st_size, size);
	cr_assert_eq(segments(names), 2);
	char text[2048] = "";
	int fd = open(names[1], O_RDONLY);
	cr_assert_gt(read(fd, text, sizeof(text) - 1), 0);
	close(fd);
	cr_expect_eq(strncmp(text, "{\"v\":1,\"seq\":2,", 15), 0, "%s", text);
	cr_expect_not_null(strstr(text, "\"cause\":\"damaged_tail\""));
}

/* ---- rotation ---- */

Test(audit_log, rotation_by_size)
{
	struct audit_config c = config();
	c.segment_bytes = 4096;
	struct audit *a = open_with(c);
	struct audit_decision d = decision(true);
	struct audit_stats s;
	char names[64][NAME_BYTES];
	struct stat st;

	for (int i = 0; i < 100; i++) {
		cr_assert(audit_decision(a, &d));
		if (i % 10 == 0)
			cr_assert(audit_flush_wait(a, FLUSH_US));
	}
	cr_assert(audit_flush_wait(a, FLUSH_US));
	audit_stats(a, &s);
	audit_free(&a);
	int count = segments(names);
	cr_expect_geq(count, 4);
	cr_expect_eq(s.segments, (uint64_t)count);
	json_t *all = records();
	cr_expect_eq(count_of(all, "decision"), 100);
	size_t rotations = count_of(all, "rotate"); /* the last one may have been due as well */
	cr_expect(rotations == (size_t)count - 1 || rotations == (size_t)count, "%zu", rotations);
	const json_t *rotate = find(all, "rotate");
	cr_expect_str_eq(text_of(rotate, "segment"), strrchr(names[0], '/') + 1);
	cr_expect_eq(number_of(rotate, "records"), number_of(rotate, "seq"));
	cr_assert_eq(stat(names[0], &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0640);
	json_decref(all);
}

Test(audit_log, rotation_on_request)
{
	struct audit *a = open_with(config());
	struct audit_decision d = decision(true);
	char names[64][NAME_BYTES];

	audit_rotate(a); /* there is nothing to close yet */
	cr_assert(audit_decision(a, &d));
	cr_assert(audit_flush_wait(a, FLUSH_US));
	audit_rotate(a);
	cr_assert(audit_flush_wait(a, FLUSH_US));
	cr_assert(audit_decision(a, &d));
	close_flushed(&a);
	cr_expect_eq(segments(names), 2);
	json_t *all = records();
	cr_expect_eq(json_array_size(all), 3);
	cr_expect_str_eq(text_of(json_array_get(all, 1), "type"), "rotate");
	json_decref(all);
}

Test(audit_log, a_removed_segment_is_replaced)
{
	struct audit *a = open_with(config());
	struct audit_decision d = decision(true);
	char names[64][NAME_BYTES];

	cr_assert(audit_decision(a, &d));
	cr_assert(audit_flush_wait(a, FLUSH_US));
	cr_assert_eq(segments(names), 1);
	cr_assert_eq(unlink(names[0]), 0);
	cr_assert(audit_decision(a, &d));
	cr_assert(audit_flush_wait(a, FLUSH_US));
	cr_expect_eq(segments(names), 1);
	cr_expect_not_null(strstr(names[0], "-000002.jsonl"));
	audit_free(&a);
}

/* ---- content ---- */

Test(audit_log, nothing_can_break_out_of_a_record)
{
	static const char evil[] =
		"\"},\n{\"v\":1,\"seq\":99,\"type\":\"decision\"}\r\n\x00\x01\xff\xc0\x80\xe2\x28\xa1\\";
	struct audit *a = open_with(config());
	struct audit_decision d = decision(true);
	struct audit_completion done;
	struct slice s = {evil, sizeof(evil) - 1};
	static char huge[1 << 20];

	memset(huge, '\n', sizeof(huge));
	audit_completion_init(&done);
	d.request = (struct audit_request){s, s, s, s, s, s, s};
	d.verdict = d.reason = d.node = d.policy = d.mode = s;
	cr_expect(audit_decision(a, &d));
	s = (struct slice){huge, sizeof(huge)};
	d.request = (struct audit_request){s, s, s, s, s, s, s};
	d.verdict = d.reason = d.node = d.policy = d.mode = s;
	cr_expect(audit_decision(a, &d));
	done.request = d.request;
	done.verdict = done.node = done.backend = done.finish = s;
	cr_expect(audit_complete(a, &done));
	cr_expect(audit_event(a, AUDIT_CONFIG_RELOAD, false, s));
	d.admitted = false;
	for (int i = 0; i < 30; i++)
		cr_expect(audit_decision(a, &d));
	close_flushed(&a);
	json_t *all = records(); /* checks each line */
	size_t singles = json_array_size(all) - 4 - 1;
	cr_expect(singles >= 10 && singles <= 20, "a second may have turned: %zu", singles);
	cr_expect_eq(strncmp(text_of(json_array_get(all, 0), "route"), "\"},\n{\"v\":1,", 11), 0);
	json_decref(all);
}

Test(audit_log, whole_records)
{
	struct audit *a = open_with(config());
	struct audit_decision d = decision(true);
	struct audit_completion c;

	d.request.tenant = SLICE_LIT("acme");
	d.request.method = SLICE_LIT("POST");
	d.request.route = SLICE_LIT("/api/chat");
	d.request.model = SLICE_LIT("llama3:8b");
	d.policy = SLICE_LIT("key");
	d.mode = SLICE_LIT("redis");
	d.limit = 60;
	d.used = 1;
	d.remaining = 59;
	d.bytes_in = 0;
	d.duration_us = 812;
	audit_completion_init(&c);
	c.request = d.request;
	c.node = SLICE_LIT("gpu1");
	c.finish = SLICE_LIT("ok");
	c.status = 200;
	c.prompt_tokens = 12;
	c.completion_tokens = 345;
	c.ttft_ms = 400;
	cr_assert(audit_event(a, AUDIT_START, true, (struct slice){NULL, 0}));
	cr_assert(audit_decision(a, &d));
	cr_assert(audit_complete(a, &c));
	cr_assert(audit_event(a, AUDIT_CONFIG_RELOAD, false, SLICE_LIT("the file")));
	cr_assert(audit_event(a, AUDIT_STOP, true, SLICE_LIT("SIGTERM")));
	close_flushed(&a);

	json_t *all = records();
	cr_assert_eq(json_array_size(all), 5);
	const json_t *r = json_array_get(all, 1);
	cr_expect_eq(number_of(r, "v"), 1);
	cr_expect_eq(strlen(text_of(r, "time")), 27);
	cr_expect_str_eq(text_of(r, "type"), "decision");
	cr_expect_str_eq(text_of(r, "request_id"), "r1");
	cr_expect_str_eq(text_of(r, "key_id"), "k1");
	cr_expect_str_eq(text_of(r, "tenant"), "acme");
	cr_expect_str_eq(text_of(r, "src"), "192.0.2.1");
	cr_expect_str_eq(text_of(r, "method"), "POST");
	cr_expect_str_eq(text_of(r, "route"), "/api/chat");
	cr_expect_str_eq(text_of(r, "model"), "llama3:8b");
	cr_expect_str_eq(text_of(r, "verdict"), "admit");
	cr_expect_str_eq(text_of(r, "mode"), "redis");
	cr_expect_eq(number_of(r, "remaining"), 59);
	cr_expect_not_null(json_object_get(r, "bytes_in"), "0 is a number");
	cr_expect_null(json_object_get(r, "status"), "what is not known is left out");
	cr_expect_null(json_object_get(r, "node"));
	cr_expect_str_eq(text_of(r, "agent_version"), "1.2.3");
	cr_expect_neq(text_of(r, "host")[0], '\0');
	r = json_array_get(all, 2);
	cr_expect_str_eq(text_of(r, "type"), "completion");
	cr_expect_str_eq(text_of(r, "finish"), "ok");
	cr_expect_eq(number_of(r, "completion_tokens"), 345);
	cr_expect_null(json_object_get(r, "queue_ms"));
	cr_expect_str_eq(text_of(json_array_get(all, 3), "outcome"), "failed");
	cr_expect_str_eq(text_of(json_array_get(all, 4), "detail"), "SIGTERM");
	json_decref(all);
}

/* Members are a closed set, so that nobody adds a field that holds content or a credential. */
Test(audit_log, records_have_no_other_members)
{
	static const char *const known[] = {
		"v",          "seq",       "time",     "type",       "boot_id", "host",  "agent_version",
		"request_id", "key_id",    "tenant",   "src",        "method",  "route", "model",
		"verdict",    "reason",    "status",   "node",       "policy",  "mode",  "limit",
		"used",       "remaining", "bytes_in", "decision_us"};
	struct audit *a = open_with(config());
	struct audit_decision d = decision(true);
	struct slice s = SLICE_LIT("x");

	d.request = (struct audit_request){s, s, s, s, s, s, s};
	d.verdict = d.reason = d.node = d.policy = d.mode = s;
	d.limit = d.used = d.remaining = d.bytes_in = d.duration_us = d.status = 1;
	cr_assert(audit_decision(a, &d));
	close_flushed(&a);
	json_t *all = records();
	json_t *value;
	const char *key;
	size_t seen = 0;
	json_object_foreach(json_array_get(all, 0), key, value)
	{
		bool found = false;
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			found = found || strcmp(known[i], key) == 0;
		cr_expect(found, "%s", key);
		seen++;
	}
	cr_expect_eq(seen, sizeof(known) / sizeof(known[0]));
	json_decref(all);
}

/* A line from HAProxy that carries a secret wherever one could be; what the gate copies into the record
 * of a completion are the members that are not free text of a client. */
Test(audit_log, a_secret_in_a_line_never_reaches_the_log)
{
	char line[] =
		"{\"v\":\"1\",\"id\":\"r1\",\"ticket\":\"CANARY-ticket\",\"path\":\"/k/" CANARY "/api\","
		"\"later\":\"" CANARY
		"\",\"term\":\"--\",\"status\":\"200\",\"server\":\"gpu1\",\"backend\":\"b\"}";
	struct audit *a = open_with(config());
	struct completion from;
	struct audit_completion done;
	char command[128];

	cr_assert(completion_parse(line, sizeof(line) - 1, &from));
	cr_assert(slice_is(from.ticket, "CANARY-ticket"));
	audit_completion_init(&done);
	done.request.id = from.id;
	done.request.method = from.method;
	done.request.model = from.model;
	done.node = from.server;
	done.backend = from.backend;
	done.finish = slice_of(completion_finish_name(from.finish));
	done.status = (int)from.status;
	cr_assert(audit_complete(a, &done));
	close_flushed(&a);
	json_t *all = records();
	cr_expect_eq(json_array_size(all), 1);
	json_decref(all);
	snprintf(command, sizeof(command), "grep -rq CANARY '%s'", dir);
	cr_expect_neq(system(command), 0);
}

/* ---- sums of refusals ---- */

Test(audit_log, refusals_of_one_key_are_summed)
{
	struct audit *a = open_with(config());
	struct audit_decision d = decision(false);
	struct audit_stats s;

	for (int i = 0; i < 1000; i++) {
		d.reason = i % 4 == 0 ? SLICE_LIT("tenant_rpm") : SLICE_LIT("key_rpm");
		cr_assert(audit_decision(a, &d));
	}
	d = decision(true);
	for (int i = 0; i < 50; i++)
		cr_assert(audit_decision(a, &d));
	cr_assert(audit_flush_wait(a, FLUSH_US));
	audit_stats(a, &s);
	audit_free(&a);
	json_t *all = records();
	const json_t *sum = find(all, "refusals");
	size_t singles = count_of(all, "decision") - 50;
	cr_assert_not_null(sum);
	cr_expect(singles >= 10 && singles <= 20, "a second may have turned: %zu", singles);
	cr_expect_eq(s.summed + singles, 1000);
	cr_expect_str_eq(text_of(sum, "key_id"), "k1");
	cr_expect_eq(strlen(text_of(sum, "from")), 27);
	json_int_t total = 0, by_reason = 0;
	size_t i;
	json_t *r, *n;
	const char *name;
	json_array_foreach(all, i, r)
	{
		if (strcmp(text_of(r, "type"), "refusals") != 0)
			continue;
		total += number_of(r, "count");
		json_object_foreach(json_object_get(r, "reasons"), name, n) by_reason +=
			json_integer_value(n);
	}
	cr_expect_eq(total, (json_int_t)s.summed);
	cr_expect_eq(by_reason, total);
	json_decref(all);
}

Test(audit_log, sums_come_by_themselves_after_a_second)
{
	struct audit *a = open_with(config());
	struct audit_decision d = decision(false);
	struct audit_stats s;

	for (int i = 0; i < 100; i++)
		cr_assert(audit_decision(a, &d));
	usleep(1500000);
	audit_stats(a, &s);
	cr_expect_geq(s.written[AUDIT_TYPE_REFUSALS], 1);
	cr_expect_leq(s.written[AUDIT_TYPE_REFUSALS], 2);
	cr_expect_eq(s.queued_records, 0);
	audit_free(&a);
}
