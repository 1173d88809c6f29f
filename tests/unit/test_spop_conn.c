/* Connections over a real unix socket and the real loop: hostile peers first. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "spop/agent.h"

enum { PENDING_MAX = 256 };

static struct ev_loop *loop;
static struct spop_server *server;
static char path[64];
static char address[80];

/* What the handler saw, as text, so that two ways of sending can be compared. */
static char seen[65536];
static size_t seen_len;
static struct spop_ref pending[PENDING_MAX];
static unsigned pending_count;
static bool hold_answers;
static bool refuse_in_begin;
static int token;

static void note(const char *what, const void *p, size_t n)
{
	struct strbuf sb = {.p = seen, .cap = sizeof(seen), .len = seen_len};

	strbuf_puts(&sb, what);
	strbuf_put(&sb, (struct slice){p, n});
	seen_len = sb.len;
}

static bool answer(struct spop_ref ref)
{
	uint8_t buf[256];
	struct spop_actions a = spop_actions_over(buf, sizeof(buf));

	spop_actions_str(&a, "verdict", SLICE_LIT("admit"));
	return spop_reply(ref, &a);
}

static void *on_begin(void *ctx, struct spop_ref ref, const struct spop_message *head, uint64_t body_len)
{
	char text[64];

	(void)ctx;
	(void)snprintf(text, sizeof(text), "[%llu.%llu %llu ", (unsigned long long)ref.stream_id,
		       (unsigned long long)ref.frame_id, (unsigned long long)body_len);
	note(text, head->name.p, head->name.n);
	if (refuse_in_begin) {
		cr_assert(answer(ref));
		return NULL;
	}
	cr_assert_lt(pending_count, PENDING_MAX);
	pending[pending_count++] = ref;
	note("|", NULL, 0);
	return &token;
}

static void on_body(void *request, struct slice chunk)
{
	cr_assert_eq(request, &token);
	note("", chunk.p, chunk.n);
}

static void answer_all(void)
{
	for (unsigned i = 0; i < pending_count; i++)
		(void)answer(pending[i]);
	pending_count = 0;
}

static void on_end(void *request)
{
	cr_assert_eq(request, &token);
	note("]", NULL, 0);
	if (!hold_answers)
		answer_all();
}

static void on_gone(void *request)
{
	cr_assert_eq(request, &token);
	note("!gone]", NULL, 0);
}

static const struct spop_handler handler = {on_begin, on_body, on_end, on_gone};

static void start(void)
{
	struct spop_limits limits;

	spop_limits_defaults(&limits);
	limits.max_frame_size = 1 << 20;
	limits.max_head = 8192;
	limits.max_connections = 8;
	limits.max_inflight = 4;
	limits.hello_timeout_us = 300000;
	(void)snprintf(path, sizeof(path), "/tmp/tg-spop-test-%d.sock", getpid());
	(void)snprintf(address, sizeof(address), "unix:%s", path);
	loop = ev_loop_new(EVFLAG_AUTO);
	server = spop_server_new(loop, &limits, &handler, NULL);
	cr_assert(spop_server_listen(server, slice_of(address), 0600, SLICE_LIT("")));
}

static void stop(void)
{
	spop_server_free(&server);
	cr_assert_neq(access(path, F_OK), 0, "the socket is removed");
	ev_loop_destroy(loop);
}

TestSuite(conn, .init = start, .fini = stop, .timeout = 20);

static int dial(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	cr_assert_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* Turns the loop until the peer has `want` bytes or is at its end; returns what it got, -1 - n at the end. */
static ssize_t hear(int fd, uint8_t *buf, size_t want)
{
	size_t got = 0;

	for (int turn = 0; turn < 4000; turn++) {
		ev_run(loop, EVRUN_NOWAIT);
		ssize_t n = recv(fd, buf + got, want - got, 0);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return -1 - (ssize_t)got;
		got += n > 0 ? (size_t)n : 0;
		if (got == want)
			return (ssize_t)got;
		if (n < 0)
			(void)poll(NULL, 0, 1);
	}
	return (ssize_t)got;
}

static void turn(int times)
{
	for (int i = 0; i < times; i++)
		ev_run(loop, EVRUN_NOWAIT);
}

static size_t put_frame(uint8_t *at, uint8_t type, const char *ids, struct slice payload)
{
	size_t n = 5 + 2 + payload.n;
	uint8_t head[] = {0, 0, (uint8_t)(n >> 8), (uint8_t)n,     type, 0, 0,
			  0, 1, (uint8_t)ids[0],   (uint8_t)ids[1]};

	memcpy(at, head, sizeof(head));
	memcpy(at + sizeof(head), payload.p, payload.n);
	return sizeof(head) + payload.n;
}

#define HELLO_OK \
	"\x12supported-versions\x08\x03" \
	"2.0" \
	"\x0emax-frame-size\x03\xfc\xf0\x06" \
	"\x0c" \
	"capabilities\x08\x0apipelining"

static size_t put_hello(uint8_t *at)
{
	return put_frame(at, SPOP_HAPROXY_HELLO, "\0", SLICE_LIT(HELLO_OK));
}

static size_t put_notify(uint8_t *at, char sid, const char *body)
{
	char payload[256];
	int n = snprintf(payload, sizeof(payload),
			 "\x05"
			 "admit%c\x02id\x08\x03"
			 "abc\x04"
			 "body\x09%c%s",
			 2, (char)strlen(body), body);

	return put_frame(at, SPOP_NOTIFY, (char[]){sid, 1}, (struct slice){payload, (size_t)n});
}

/* Reads one frame; its type, or 0 when the connection ended instead. */
static int hear_frame(int fd, uint8_t *buf, size_t cap, size_t *ret_len)
{
	uint8_t length[4];

	if (hear(fd, length, 4) != 4)
		return 0;
	*ret_len = spop_get_length(length);
	cr_assert_leq(*ret_len, cap);
	cr_assert_eq(hear(fd, buf, *ret_len), (ssize_t)*ret_len);
	return buf[0];
}

static void greet(int fd)
{
	uint8_t buf[512];
	size_t n = put_hello(buf), len;

	cr_assert_eq(write(fd, buf, n), (ssize_t)n);
	cr_assert_eq(hear_frame(fd, buf, sizeof(buf), &len), SPOP_AGENT_HELLO);
}

/* The status code of a DISCONNECT is the first value of its payload. */
static int hear_disconnect(int fd)
{
	uint8_t buf[512];
	size_t len;

	if (hear_frame(fd, buf, sizeof(buf), &len) != SPOP_AGENT_DISCONNECT)
		return -1;
	cr_assert_eq(memcmp(buf + 7, "\x0bstatus-code\x03", 13), 0);
	int status = buf[20];
	cr_assert_eq(hear(fd, buf, 1), -1, "closed behind the DISCONNECT");
	return status;
}

Test(conn, hostile_before_hello)
{
	static const struct {
		const char *what;
		struct slice bytes;
		int status;
	} cases[] = {
		{"length 0", SLICE_LIT("\x00\x00\x00\x00"), SPOP_STATUS_INVALID},
		{"length 1", SLICE_LIT("\x00\x00\x00\x01\x01"), SPOP_STATUS_INVALID},
		{"length 6", SLICE_LIT("\x00\x00\x00\x06\x01\x00\x00\x00\x01\x00"), SPOP_STATUS_INVALID},
		{"length 2^31", SLICE_LIT("\x80\x00\x00\x00"), SPOP_STATUS_TOO_BIG},
		{"length 2^32-1", SLICE_LIT("\xff\xff\xff\xff"), SPOP_STATUS_TOO_BIG},
		{"length 30000", SLICE_LIT("\x00\x00\x75\x30"), SPOP_STATUS_TOO_BIG},
		{"HTTP", SLICE_LIT("GET / HTTP/1.1\r\n\r\n"), SPOP_STATUS_TOO_BIG},
		{"NOTIFY first", SLICE_LIT("\x00\x00\x00\x07\x03\x00\x00\x00\x01\x01\x01"),
		 SPOP_STATUS_INVALID},
		{"unknown type", SLICE_LIT("\x00\x00\x00\x07\x63\x00\x00\x00\x01\x00\x00"),
		 SPOP_STATUS_INVALID},
		{"ACK from HAProxy", SLICE_LIT("\x00\x00\x00\x07\x67\x00\x00\x00\x01\x00\x00"),
		 SPOP_STATUS_INVALID},
		{"a fragment", SLICE_LIT("\x00\x00\x00\x07\x01\x00\x00\x00\x00\x00\x00"),
		 SPOP_STATUS_FRAGMENT},
		{"no version", SLICE_LIT("\x00\x00\x00\x07\x01\x00\x00\x00\x01\x00\x00"),
		 SPOP_STATUS_NO_VERSION},
		{"over-long varint",
		 SLICE_LIT("\x00\x00\x00\x12\x01\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
			   "\xff\x01"),
		 SPOP_STATUS_INVALID},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = dial();
		cr_assert_eq(write(fd, cases[i].bytes.p, cases[i].bytes.n), (ssize_t)cases[i].bytes.n);
		int status = hear_disconnect(fd);
		cr_assert_eq(status, cases[i].status, "%s: status %d", cases[i].what, status);
		close(fd);
	}
	turn(5);
	cr_assert_eq(spop_server_stats(server)->open, 0);
	cr_assert_eq(seen_len, 0, "the handler heard of it: %s", seen);
}

Test(conn, negotiations_that_fail)
{
	static const struct {
		const char *what;
		struct slice payload;
		int status;
	} cases[] = {
		{"version 1.0",
		 SLICE_LIT("\x12supported-versions\x08\x03"
			   "1.0\x0emax-frame-size\x03\xfc\xf0\x06\x0c"
			   "capabilities\x08\x00"),
		 SPOP_STATUS_BAD_VERSION},
		{"frame size 0",
		 SLICE_LIT("\x12supported-versions\x08\x03"
			   "2.0\x0emax-frame-size\x03\x00\x0c"
			   "capabilities\x08\x00"),
		 SPOP_STATUS_BAD_FRAME_SIZE},
		{"frame size 10",
		 SLICE_LIT("\x12supported-versions\x08\x03"
			   "2.0\x0emax-frame-size\x03\x0a\x0c"
			   "capabilities\x08\x00"),
		 SPOP_STATUS_BAD_FRAME_SIZE},
		{"frame size 2^32",
		 SLICE_LIT("\x12supported-versions\x08\x03"
			   "2.0\x0emax-frame-size\x03\xf0\xf1\xfe\xfe\x7e\x0c"
			   "capabilities\x08\x00"),
		 SPOP_STATUS_BAD_FRAME_SIZE},
		{"frame size as text",
		 SLICE_LIT("\x12supported-versions\x08\x03"
			   "2.0\x0emax-frame-size\x08\x03"
			   "999\x0c"
			   "capabilities\x08\x00"),
		 SPOP_STATUS_NO_FRAME_SIZE},
		{"no capabilities",
		 SLICE_LIT("\x12supported-versions\x08\x03"
			   "2.0\x0emax-frame-size\x03\xfc\xf0\x06"),
		 SPOP_STATUS_NO_CAPABILITIES},
		{"a length that lies",
		 SLICE_LIT("\x12supported-versions\x08\x7f"
			   "2.0"),
		 SPOP_STATUS_INVALID},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t buf[512];
		int fd = dial();
		size_t n = put_frame(buf, SPOP_HAPROXY_HELLO, "\0", cases[i].payload);
		cr_assert_eq(write(fd, buf, n), (ssize_t)n);
		int status = hear_disconnect(fd);
		cr_assert_eq(status, cases[i].status, "%s: status %d", cases[i].what, status);
		close(fd);
	}
}

Test(conn, a_health_check_is_answered_and_closed)
{
	uint8_t buf[512];
	size_t len;
	int fd = dial();
	size_t n = put_frame(buf, SPOP_HAPROXY_HELLO, "\0",
			     SLICE_LIT("\x12supported-versions\x08\x03"
				       "2.0\x0emax-frame-size\x03\xfc\xf0\x06\x0c"
				       "capabilities\x08\x00\x0bhealthcheck\x11"));

	cr_assert_eq(write(fd, buf, n), (ssize_t)n);
	cr_assert_eq(hear_frame(fd, buf, sizeof(buf), &len), SPOP_AGENT_HELLO);
	cr_assert_eq(hear(fd, buf, 1), -1);
	cr_assert_eq(spop_server_stats(server)->healthchecks, 1);
	close(fd);
}

Test(conn, hostile_after_hello)
{
	static const struct {
		const char *what;
		struct slice bytes;
		int status;
	} cases[] = {
		{"above the agreed size", SLICE_LIT("\x00\x00\x40\x00"), SPOP_STATUS_TOO_BIG},
		{"a fragment", SLICE_LIT("\x00\x00\x00\x07\x03\x00\x00\x00\x00\x01\x01"),
		 SPOP_STATUS_FRAGMENT},
		{"no payload", SLICE_LIT("\x00\x00\x00\x07\x03\x00\x00\x00\x01\x01\x01"),
		 SPOP_STATUS_INVALID},
		{"too many arguments", SLICE_LIT("\x00\x00\x00\x0a\x03\x00\x00\x00\x01\x01\x01\x01x\xff"),
		 SPOP_STATUS_INVALID},
	};
	uint8_t buf[512];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = dial();
		greet(fd);
		cr_assert_eq(write(fd, cases[i].bytes.p, cases[i].bytes.n), (ssize_t)cases[i].bytes.n);
		int status = hear_disconnect(fd);
		cr_assert_eq(status, cases[i].status, "%s: status %d", cases[i].what, status);
		close(fd);
	}
	int fd = dial();
	greet(fd);
	size_t n = put_hello(buf);
	cr_assert_eq(write(fd, buf, n), (ssize_t)n);
	cr_assert_eq(hear_disconnect(fd), SPOP_STATUS_INVALID, "a second HELLO");
	close(fd);
}

Test(conn, a_stream_cut_anywhere_gives_the_same_calls)
{
	uint8_t bytes[1024], buf[512];
	char golden[1024];
	size_t n = put_hello(bytes), len;

	n += put_notify(bytes + n, 1, "first");
	n += put_notify(bytes + n, 3, "");
	n += put_notify(bytes + n, 5, "{\"model\":\"x\"}");
	for (size_t cut = 0; cut <= n; cut++) {
		int fd = dial();
		seen_len = 0;
		if (cut > 0)
			cr_assert_eq(write(fd, bytes, cut), (ssize_t)cut);
		turn(3);
		if (cut < n)
			cr_assert_eq(write(fd, bytes + cut, n - cut), (ssize_t)(n - cut));
		cr_assert_eq(hear_frame(fd, buf, sizeof(buf), &len), SPOP_AGENT_HELLO, "cut at %zu", cut);
		for (int i = 0; i < 3; i++)
			cr_assert_eq(hear_frame(fd, buf, sizeof(buf), &len), SPOP_ACK, "cut at %zu", cut);
		if (cut == 0)
			memcpy(golden, seen, seen_len + 1);
		cr_assert_str_eq(seen, golden, "cut at %zu", cut);
		close(fd);
		turn(2);
	}
	cr_assert_str_eq(golden, "[1.1 5 admit|first][3.1 0 admit|][5.1 13 admit|{\"model\":\"x\"}]");
}

Test(conn, byte_by_byte)
{
	uint8_t bytes[512], buf[512];
	size_t n = put_hello(bytes), len;
	int fd = dial();

	n += put_notify(bytes + n, 1, "body");
	for (size_t i = 0; i < n; i++) {
		cr_assert_eq(write(fd, bytes + i, 1), 1);
		turn(2);
	}
	cr_assert_eq(hear_frame(fd, buf, sizeof(buf), &len), SPOP_AGENT_HELLO);
	cr_assert_eq(hear_frame(fd, buf, sizeof(buf), &len), SPOP_ACK);
	cr_assert_str_eq(seen, "[1.1 4 admit|body]");
	close(fd);
}

Test(conn, too_much_in_flight_stops_reading_until_answers_go_out)
{
	uint8_t bytes[2048], buf[512];
	size_t n = 0, len;
	int fd = dial();

	hold_answers = true;
	greet(fd);
	for (char i = 0; i < 10; i++)
		n += put_notify(bytes + n, (char)(1 + 2 * i), "x");
	cr_assert_eq(write(fd, bytes, n), (ssize_t)n);
	turn(20);
	cr_assert_eq(pending_count, 4);
	for (int round = 0; round < 3; round++) {
		unsigned due = pending_count;
		answer_all();
		for (unsigned i = 0; i < due; i++)
			cr_assert_eq(hear_frame(fd, buf, sizeof(buf), &len), SPOP_ACK);
		turn(5);
	}
	cr_assert_eq(spop_server_stats(server)->acks, 10);
	cr_assert_eq(spop_server_stats(server)->inflight, 0);
	close(fd);
}

Test(conn, goodbye_waits_for_what_is_in_flight)
{
	uint8_t bytes[512], buf[512];
	size_t len, n = put_notify(bytes, 7, "x");
	int fd = dial();

	hold_answers = true;
	greet(fd);
	n += put_frame(bytes + n, SPOP_HAPROXY_DISCONNECT, "\0",
		       SLICE_LIT("\x0bstatus-code\x03\x00\x07message\x08\x00"));
	cr_assert_eq(write(fd, bytes, n), (ssize_t)n);
	turn(50);
	cr_assert_eq(recv(fd, buf, 1, 0), -1, "nothing is said while an answer is due");
	answer_all();
	cr_assert_eq(hear_frame(fd, buf, sizeof(buf), &len), SPOP_ACK);
	cr_assert_eq(hear_disconnect(fd), SPOP_STATUS_NORMAL);
	close(fd);
}

Test(conn, an_answer_to_a_dead_connection_goes_nowhere)
{
	uint8_t bytes[512];
	size_t n = put_notify(bytes, 1, "x");
	int fd = dial();

	hold_answers = true;
	greet(fd);
	cr_assert_eq(write(fd, bytes, n), (ssize_t)n);
	turn(10);
	cr_assert_eq(pending_count, 1);
	close(fd);
	turn(10);
	int other = dial(); /* takes over the dead one's memory */
	greet(other);
	cr_assert(!answer(pending[0]));
	cr_assert_eq(spop_server_stats(server)->acks_stale, 1);
	cr_assert_eq(spop_server_stats(server)->inflight, 0);
	close(other);
}

Test(conn, a_connection_that_dies_within_a_body_says_so)
{
	uint8_t bytes[512];
	size_t n = put_notify(bytes, 1, "0123456789");
	int fd = dial();

	greet(fd);
	cr_assert_eq(write(fd, bytes, n - 4), (ssize_t)n - 4);
	turn(10);
	close(fd);
	turn(10);
	cr_assert_str_eq(seen, "[1.1 10 admit|012345!gone]");
	cr_assert_eq(spop_server_stats(server)->errors[SPOP_ERROR_IO], 1);
}

Test(conn, refused_in_begin_the_body_is_skipped)
{
	uint8_t bytes[512], buf[512];
	size_t n = put_notify(bytes, 1, "skipped"), len;
	int fd = dial();

	refuse_in_begin = true;
	greet(fd);
	n += put_notify(bytes + n, 3, "skipped, too");
	cr_assert_eq(write(fd, bytes, n), (ssize_t)n);
	cr_assert_eq(hear_frame(fd, buf, sizeof(buf), &len), SPOP_ACK);
	cr_assert_eq(hear_frame(fd, buf, sizeof(buf), &len), SPOP_ACK);
	cr_assert_str_eq(seen, "[1.1 7 admit[3.1 12 admit");
	close(fd);
}

Test(conn, silence_ends_in_a_timeout)
{
	int fd = dial();
	int half = dial();

	cr_assert_eq(write(half, "\x00\x00\x00\x20\x01", 5), 5);
	cr_assert_eq(hear_disconnect(fd), SPOP_STATUS_TIMEOUT);
	cr_assert_eq(hear_disconnect(half), SPOP_STATUS_TIMEOUT);
	close(fd);
	close(half);
}

Test(conn, more_connections_than_allowed_wait_and_are_served)
{
	int fds[10];
	uint8_t buf[512];
	size_t len, n = put_hello(buf);

	for (int i = 0; i < 8; i++) {
		fds[i] = dial();
		greet(fds[i]);
	}
	fds[8] = dial();
	cr_assert_eq(write(fds[8], buf, n), (ssize_t)n);
	turn(20);
	cr_assert_eq(spop_server_stats(server)->open, 8);
	close(fds[0]);
	cr_assert_eq(hear_frame(fds[8], buf, sizeof(buf), &len), SPOP_AGENT_HELLO);
	for (int i = 1; i < 9; i++)
		close(fds[i]);
}

static void on_drained(void *ctx)
{
	*(bool *)ctx = true;
}

Test(conn, drain_answers_first_and_says_goodbye)
{
	uint8_t bytes[512], buf[512];
	size_t n = put_notify(bytes, 1, "x"), len;
	bool drained = false;
	int fd = dial();

	hold_answers = true;
	greet(fd);
	cr_assert_eq(write(fd, bytes, n), (ssize_t)n);
	turn(10);
	spop_server_drain(server, 5000000, on_drained, &drained);
	turn(10);
	cr_assert(!drained);
	answer_all();
	cr_assert_eq(hear_frame(fd, buf, sizeof(buf), &len), SPOP_ACK);
	cr_assert_eq(hear_disconnect(fd), SPOP_STATUS_NORMAL);
	for (int i = 0; i < 1000 && !drained; i++) {
		ev_run(loop, EVRUN_NOWAIT);
		(void)poll(NULL, 0, 1);
	}
	cr_assert(drained);
	close(fd);
}

Test(conn, a_peer_that_does_not_read_is_closed)
{
	uint8_t bytes[512];
	int fd = dial(), small = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	greet(fd);
	size_t n = put_notify(bytes, 1, "x");
	for (int i = 0; i < 200000 && spop_server_stats(server)->open == 1; i++) {
		(void)send(fd, bytes, n, MSG_NOSIGNAL);
		turn(1);
	}
	cr_assert_eq(spop_server_stats(server)->open, 0);
	cr_assert_eq(spop_server_stats(server)->errors[SPOP_ERROR_IO], 1);
	close(fd);
}

Test(conn, a_dead_peer_with_an_answer_due_does_not_stay)
{
	uint8_t bytes[512];
	size_t n = put_notify(bytes, 1, "x");
	int fd = dial();

	hold_answers = true;
	greet(fd);
	n += put_frame(bytes + n, SPOP_HAPROXY_DISCONNECT, "\0",
		       SLICE_LIT("\x0bstatus-code\x03\x00\x07message\x08\x00"));
	cr_assert_eq(write(fd, bytes, n), (ssize_t)n);
	turn(10);
	close(fd);
	for (int i = 0; i < 2000 && spop_server_stats(server)->open > 0; i++) {
		turn(1);
		(void)poll(NULL, 0, 1);
	}
	cr_assert_eq(spop_server_stats(server)->open, 0);
	cr_assert_eq(spop_server_stats(server)->inflight, 0);
}

Test(conn, after_a_drain_callers_are_refused_and_a_successor_may_listen)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct spop_limits limits;
	bool drained = false;

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	spop_limits_defaults(&limits);
	spop_server_drain(server, 5000000, on_drained, &drained);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), -1);
	close(fd);
	struct spop_server *successor = spop_server_new(loop, &limits, &handler, NULL);
	cr_assert(spop_server_listen(successor, slice_of(address), 0600, SLICE_LIT("")));
	turn(3);
	cr_assert(drained);
	spop_server_free(&server);
	cr_assert_eq(access(path, F_OK), 0, "the successor's socket stays");
	server = successor;
}

Test(conn, a_served_socket_is_not_taken_over)
{
	struct spop_limits limits;

	spop_limits_defaults(&limits);
	struct spop_server *second = spop_server_new(loop, &limits, &handler, NULL);
	cr_assert(!spop_server_listen(second, slice_of(address), 0600, SLICE_LIT("")));
	cr_assert_eq(errno, EADDRINUSE);
	cr_assert(!spop_server_listen(second, SLICE_LIT("0.0.0.0:0"), 0, SLICE_LIT("")), "not loopback");
	cr_assert(!spop_server_listen(second, SLICE_LIT("nonsense"), 0, SLICE_LIT("")));
	cr_assert(spop_server_listen(second, SLICE_LIT("127.0.0.1:0"), 0, SLICE_LIT("")));
	spop_server_free(&second);
	cr_assert_eq(access(path, F_OK), 0, "the first one's socket stays");
}
