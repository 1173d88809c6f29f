/* Compares the scanner with Go's encoding/json on documents made up here: what the scanner accepts Go must
 * accept and see the same in, and what the scanner calls no JSON must be none for Go.
 * Usage: compare <go program> <seconds> [seed] */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ollama/scan.h"

#define BATCH 512
#define DOC_MAX 6000
#define ALL_NAMES ((1U << NAME_FIELDS) - 1)

struct doc {
	char text[DOC_MAX];
	struct strbuf sb;
};

static struct doc docs[BATCH];
static uint64_t random_state;

/* splitmix64 */
static uint64_t next_random(void)
{
	uint64_t z = random_state += 0x9E3779B97F4A7C15;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
	z = (z ^ z >> 27) * 0x94D049BB133111EB;
	return z ^ z >> 31;
}

static size_t below(size_t n)
{
	return (size_t)(next_random() % n);
}

#define PICK(list) list[below(sizeof(list) / sizeof(list[0]))]

static const char *const keys[] = {
	"model",
	"name",
	"from",
	"source",
	"destination",
	"stream",
	"raw",
	"insecure",
	"_debug_render_only",
	"max_tokens",
	"max_completion_tokens",
	"max_output_tokens",
	"n",
	"keep_alive",
	"template",
	"options",
	"options",
	"options",
	"tools",
	"tools",
	"messages",
	"input",
	"system",
	"prompt",
	"images",
	"context",
	"num_ctx",
	"num_predict",
	"num_batch",
	"num_gpu",
	"num_thread",
	"type",
	"x",
	"",
	"temperature",
};

static const char *const odd_keys[] = {
	"Model",
	"MODEL",
	"model ",
	"m\\u006fdel",
	"\\u006dodel",
	"\xC5\xBFtream",
	"\\u017ftream",
	"\xE2\x84\xAA"
	"eep_alive",
	"\\u212aeep_alive",
	"option\xC5\xBF",
	"Options",
	"Num_ctx",
	"num\\u005fctx",
	"Tools",
	"Type",
	"t\\u0079pe",
	"mo\xCC\x88"
	"del",
	"\xEF\xBF\xBF",
	"k\xC3\xA9y",
	"n\\u0000",
	"N",
	"\\ud800",
	"\xD0\xBC\xD0\xBE\xD0\xB4\xD0\xB5\xD0\xBB",
	"\\\"model",
	"model\\\\",
};

static const char *const values[] = {
	"\"llama3\"",
	"\"llama3:8b\"",
	"\"\"",
	"\"a\\u0041\\n\"",
	"\"\\ud83d\\ude00\"",
	"\"\\ud83d\"",
	"\"\\ude00\\ud83d x\"",
	"\"\\ud800\\ud800\\udc00\"",
	"\"\\ud800\\u0041\"",
	"\"\\/\\b\\f\\r\\t\\\\\\\"\"",
	"\"\xF0\x9F\x98\x80\"",
	"\"\xED\xA0\x80\"",
	"\"\xFF\"",
	"\"\\u0000\"",
	"\"\xC3\xA9\"",
	"true",
	"false",
	"null",
	"0",
	"-0",
	"1",
	"-1",
	"4096",
	"4096.0",
	"4.096e3",
	"4096.5",
	"1e3",
	"1E+2",
	"1e-1",
	"0.5",
	"-0.5",
	"-0.0",
	"9007199254740992",
	"9007199254740993",
	"9223372036854775807",
	"9223372036854775808",
	"-9223372036854775808",
	"1e19",
	"1e308",
	"1e309",
	"-1e309",
	"1e-400",
	"-1e-400",
	"123456789012345678901234567890",
	"01",
	"1.",
	".5",
	"+1",
	"1e",
	"--1",
	"0x10",
	"300",
	"0.001",
	"0.0001",
	"1800",
	"9223372036",
	"9223372037",
	"2.5",
	"\"5m\"",
	"\"-1\"",
	"\"0\"",
	"\"-1s\"",
	"\"1h30m\"",
	"\"1.5h\"",
	"\"300ms\"",
	"\"10us\"",
	"\"10\\u00b5s\"",
	"\"10\xCE\xBCs\"",
	"\"1d\"",
	"\"5\"",
	"\"+5m\"",
	"\"-0s\"",
	"\".5s\"",
	"\"5.s\"",
	"\".s\"",
	"\"1h1\"",
	"\"9223372036854775807ns\"",
	"\"9223372036854775808ns\"",
	"\"-9223372036854775808ns\"",
	"\"2562047h47m\"",
	"\"2562048h\"",
	"\"0.000000001s\"",
	"\"1.0000000000000000000001s\"",
	"\"m5\"",
	"\"- 5m\"",
	"\"--5m\"",
	"\"9999999999999999999999h\"",
	"\"3000000h1ns\"",
	"[]",
	"{}",
	"[1,2,3]",
	"[{\"type\":\"function\"}]",
	"[{\"type\":\"web_search\"}]",
	"[{\"Type\":\"mcp\"}]",
	"[{\"type\":\"function\",\"type\":\"web_search\"}]",
	"[{\"type\":null}]",
	"[{\"type\":1}]",
	"[5,\"a\",[]]",
	"{\"num_ctx\":8192}",
	"{\"num_ctx\":null,\"num_gpu\":-1}",
	"{\"num_ctx\":1,\"num_ctx\":2}",
	"nul",
	"tru",
	"[",
	"{",
	"[1,]",
	"{\"a\":1,}",
	"[,1]",
	"{,}",
	"[1 2]",
};

static const char *const fragments[] = {
	"\"",
	"\\",
	"{",
	"}",
	"[",
	"]",
	",",
	":",
	" ",
	"\n",
	"\t",
	"\r",
	"null",
	"true",
	"\\u",
	"\\ud83d",
	"\xEF\xBB\xBF",
	"\x01",
	"\x7F",
	"\xC0\x80",
	"\xE2\x84",
	"\xAA",
	"1",
	"-",
	".",
	"e",
	"\"model\":\"evil\"",
	",\"stream\":false",
	"//",
	"/* */",
	"\xC2\xA0",
	"\f",
	"'",
	"NaN",
	"Infinity",
	"\"Model\":\"evil\",",
	"\x00",
};

static void put_space(struct strbuf *sb)
{
	static const char *const spaces[] = {"", "", "", "", " ", "\n", "\t ", "\r\n"};

	strbuf_puts(sb, PICK(spaces));
}

static void put_value(struct strbuf *sb, int depth);

static void put_object(struct strbuf *sb, int depth)
{
	size_t members = below(6);

	strbuf_putc(sb, '{');
	for (size_t i = 0; i < members; i++) {
		if (i > 0)
			strbuf_putc(sb, ',');
		put_space(sb);
		strbuf_putc(sb, '"');
		strbuf_puts(sb, below(25) == 0 ? PICK(odd_keys) : PICK(keys));
		strbuf_putc(sb, '"');
		put_space(sb);
		strbuf_putc(sb, ':');
		put_space(sb);
		put_value(sb, depth + 1);
		put_space(sb);
	}
	strbuf_putc(sb, '}');
}

static void put_array(struct strbuf *sb, int depth)
{
	size_t elements = below(4);

	strbuf_putc(sb, '[');
	for (size_t i = 0; i < elements; i++) {
		if (i > 0)
			strbuf_putc(sb, ',');
		put_value(sb, depth + 1);
	}
	strbuf_putc(sb, ']');
}

static void put_long_string(struct strbuf *sb)
{
	size_t n = below(600);

	strbuf_putc(sb, '"');
	for (size_t i = 0; i < n; i++)
		strbuf_putc(sb, (char)('a' + below(26)));
	strbuf_putc(sb, '"');
}

static void put_value(struct strbuf *sb, int depth)
{
	size_t kind = below(20);

	if (kind == 0 && depth < 6)
		put_object(sb, depth);
	else if (kind == 1 && depth < 6)
		put_array(sb, depth);
	else if (kind == 2 && below(4) == 0)
		put_long_string(sb);
	else
		strbuf_puts(sb, PICK(values));
}

/* A type that suits the key, so that many documents are accepted. */
static void put_fitting(struct strbuf *sb)
{
	static const char *const members[] = {
		"\"model\":\"llama3\"",
		"\"model\":\"\\u004clama3\\ud83d\"",
		"\"name\":\"x\"",
		"\"from\":\"y\"",
		"\"stream\":false",
		"\"stream\":null",
		"\"raw\":true",
		"\"max_tokens\":12",
		"\"n\":1",
		"\"keep_alive\":\"5m\"",
		"\"keep_alive\":-1",
		"\"keep_alive\":1800.25",
		"\"template\":\"t\"",
		"\"options\":{\"num_ctx\":4096,\"temperature\":0.5}",
		"\"options\":{\"num_predict\":-1.0e0}",
		"\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]",
		"\"tools\":[{\"type\":\"web_search\"}]",
		"\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]",
		"\"insecure\":true",
		"\"source\":\"a\"",
		"\"_debug_render_only\":true",
		"\"max_output_tokens\":-0",
		"\"destination\":\"b\"",
		"\"context\":[1,2,3]",
		"\"max_completion_tokens\":null",
	};
	size_t count = 1 + below(6);

	strbuf_putc(sb, '{');
	for (size_t i = 0; i < count; i++) {
		strbuf_puts(sb, i > 0 ? "," : "");
		put_space(sb);
		if (below(6) == 0) {
			strbuf_printf(sb, "\"%s\":", PICK(keys));
			put_value(sb, 1);
		} else {
			strbuf_puts(sb, PICK(members));
		}
		put_space(sb);
	}
	strbuf_putc(sb, '}');
}

static void insert(struct doc *d, size_t at, const char *p, size_t n)
{
	if (d->sb.len + n >= sizeof(d->text))
		return;
	memmove(d->text + at + n, d->text + at, d->sb.len - at);
	memcpy(d->text + at, p, n);
	d->sb.len += n;
}

static void mutate(struct doc *d)
{
	size_t len = d->sb.len;
	size_t at = below(len + 1);
	const char *fragment = PICK(fragments);

	switch (below(6)) {
	case 0:
		insert(d, at, fragment, fragment[0] == '\0' ? 1 : strlen(fragment));
		break;
	case 1: /* lose some bytes */
		if (at < len) {
			size_t n = 1 + below(len - at < 8 ? len - at : 8);
			memmove(d->text + at, d->text + at + n, len - at - n);
			d->sb.len -= n;
		}
		break;
	case 2:
		if (at < len)
			d->text[at] = (char)below(256);
		break;
	case 3: /* repeat a part */
		if (at < len) {
			char part[64];
			size_t n = 1 + below(len - at < sizeof(part) ? len - at : sizeof(part));
			memcpy(part, d->text + at, n);
			insert(d, below(len + 1), part, n);
		}
		break;
	case 4: /* end early */
		d->sb.len = at;
		break;
	default: /* flip the case of a letter */
		if (at < len && (d->text[at] | 0x20) >= 'a' && (d->text[at] | 0x20) <= 'z')
			d->text[at] = (char)(d->text[at] ^ 0x20);
	}
}

static void make(struct doc *d)
{
	d->sb = strbuf_over(d->text, sizeof(d->text));
	if (below(3) > 0)
		put_fitting(&d->sb);
	else
		put_object(&d->sb, 0);
	for (size_t n = below(3) == 0 ? 1 + below(4) : 0; n > 0; n--)
		mutate(d);
	if (below(50) == 0)
		strbuf_puts(&d->sb, " {}");
}

/* The line that the Go program writes for the same document. */
static void describe(const struct scan *s, struct strbuf *sb)
{
	const struct scan_result *r = &s->result;

	for (int i = 0; i < NAME_FIELDS; i++) {
		strbuf_hex(sb, (const uint8_t *)r->name[i], r->name_len[i]);
		strbuf_putc(sb, ' ');
	}
	strbuf_putc(sb, r->stream == SCAN_UNSET ? '-' : r->stream == SCAN_TRUE ? '1' : '0');
	strbuf_printf(sb, " %d%d%d%d", r->raw, r->insecure, r->debug_render_only, r->template);
	for (unsigned i = 0; i < SCAN_NUMBERS; i++) {
		strbuf_putc(sb, ' ');
		if (r->have & 1U << i)
			strbuf_i64(sb, r->number[i]);
		else
			strbuf_putc(sb, '-');
	}
}

/* Go computes seconds in float64: a millisecond more or less is no difference. A tool that Go takes for a
 * server's must be one for the scanner, not the other way round. */
static bool tail_agrees(const struct scan_result *r, const char *tail)
{
	char alive[32];
	int server_tool;

	if (sscanf(tail, "%31s %d", alive, &server_tool) != 2 || server_tool > r->server_tool)
		return false;
	if (strcmp(alive, "-") == 0)
		return !r->have_keep_alive;
	int64_t ms = strtoll(alive, NULL, 10);
	if (!r->have_keep_alive || (ms < 0) != (r->keep_alive_ms < 0))
		return false;
	return llabs(ms - r->keep_alive_ms) <= 1;
}

/* Refusals that say Go could not read it either; the others are the documented extra strictness. */
static bool go_must_refuse(enum scan_reason r)
{
	return r == SCAN_EMPTY || r == SCAN_TRUNCATED || r == SCAN_SYNTAX || r == SCAN_BOM ||
	       r == SCAN_CONTROL || r == SCAN_ESCAPE;
}

static bool agree(const struct doc *d, char *line, unsigned long *reasons)
{
	struct scan s;
	char text[3000];
	struct strbuf sb = strbuf_over(text, sizeof(text));
	bool error = strncmp(line, "error ", 6) == 0;

	scan_init(&s, ALL_NAMES);
	(void)scan_feed(&s, strbuf_slice(&d->sb));
	(void)scan_finish(&s);
	reasons[s.reason]++;
	if (s.reason != SCAN_OK)
		return error || !go_must_refuse(s.reason);
	char *tail = strchr(line, '|');
	if (error || tail == NULL)
		return false;
	*tail++ = '\0';
	describe(&s, &sb);
	if (strcmp(text, line) == 0 && tail_agrees(&s.result, tail))
		return true;
	tail[-1] = '|';
	(void)printf("scanner: %s|%d %lld %d\n", text, s.result.have_keep_alive,
		     (long long)s.result.keep_alive_ms, s.result.server_tool);
	return false;
}

static void write_u32(FILE *to, size_t n)
{
	uint8_t le[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24)};

	(void)fwrite(le, 1, sizeof(le), to);
}

static bool run_batch(FILE *to, FILE *from, unsigned long *reasons)
{
	static char line[8192];

	write_u32(to, BATCH);
	for (size_t i = 0; i < BATCH; i++) {
		make(&docs[i]);
		write_u32(to, docs[i].sb.len);
		(void)fwrite(docs[i].text, 1, docs[i].sb.len, to);
	}
	(void)fflush(to);
	for (size_t i = 0; i < BATCH; i++) {
		if (fgets(line, sizeof(line), from) == NULL) {
			(void)printf("the Go program ended\n");
			return false;
		}
		line[strcspn(line, "\n")] = '\0';
		if (agree(&docs[i], line, reasons))
			continue;
		(void)printf("go:      %s\ndocument (%zu bytes):\n", line, docs[i].sb.len);
		(void)fwrite(docs[i].text, 1, docs[i].sb.len, stdout);
		(void)printf("\n");
		return false;
	}
	return true;
}

static bool start(const char *program, FILE **ret_to, FILE **ret_from)
{
	int in[2];
	int out[2];

	if (pipe(in) != 0 || pipe(out) != 0)
		return false;
	pid_t pid = fork();
	if (pid < 0)
		return false;
	if (pid == 0) {
		(void)dup2(in[0], STDIN_FILENO);
		(void)dup2(out[1], STDOUT_FILENO);
		(void)close(in[1]);
		(void)close(out[0]);
		(void)execl(program, program, (char *)NULL);
		_exit(127);
	}
	(void)close(in[0]);
	(void)close(out[1]);
	*ret_to = fdopen(in[1], "w");
	*ret_from = fdopen(out[0], "r");
	return *ret_to != NULL && *ret_from != NULL;
}

int main(int argc, char **argv)
{
	unsigned long reasons[SCAN_REASONS] = {0};
	unsigned long total = 0;
	bool ok = true;
	FILE *to;
	FILE *from;

	if (argc < 3) {
		(void)fprintf(stderr, "usage: compare <go program> <seconds> [seed]\n");
		return 2;
	}
	random_state = argc > 3 ? strtoull(argv[3], NULL, 10) : (uint64_t)time(NULL);
	(void)printf("seed %llu\n", (unsigned long long)random_state);
	(void)signal(SIGPIPE, SIG_IGN);
	if (!start(argv[1], &to, &from)) {
		perror("compare");
		return 2;
	}
	for (time_t end = time(NULL) + atoi(argv[2]); ok && time(NULL) < end; total += BATCH)
		ok = run_batch(to, from, reasons);
	(void)fclose(to);
	(void)wait(NULL);
	for (unsigned i = 0; i < SCAN_REASONS; i++)
		(void)printf("%10lu %s\n", reasons[i], scan_reason_name((enum scan_reason)i));
	(void)printf("%s: %lu documents\n", ok ? "agree" : "DIFFER", total);
	return ok ? 0 : 1;
}
