/* The HTTP server in a loop: hostile clients first, then the operators' routes. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/address.h"
#include "http/ops.h"

static struct http_config config_for(const char *listen)
{
	return (struct http_config){
		.listen = slice_of(listen), .socket_mode = 0660, .max_connections = 4, .timeout_s = 1};
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

/* Turns the loop for a while. */
static void spin(struct ev_loop *loop, double seconds)
{
	ev_timer timer;

	ev_timer_init(&timer, on_deadline, seconds, 0.0);
	ev_timer_start(loop, &timer);
	ev_run(loop, 0);
	ev_timer_stop(loop, &timer);
}

static int dial(unsigned port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What has come by now. */
static const char *hear(int fd)
{
	static char buf[65536];
	size_t n = 0;
	ssize_t got;

	while ((got = recv(fd, buf + n, sizeof(buf) - 1 - n, MSG_DONTWAIT)) > 0)
		n += (size_t)got;
	buf[n] = '\0';
	return buf;
}

static const char *ask(struct ev_loop *loop, unsigned port, const char *request)
{
	int fd = dial(port);

	say(fd, request);
	spin(loop, 0.05);
	const char *answer = hear(fd);
	close(fd);
	return answer;
}

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool tell(void *ctx)
{
	return *(const bool *)ctx;
}

static void collect(void *ctx, struct metrics_out *out)
{
	(void)ctx;
	metrics_counter(out, "t_total", "T.", 7);
}

struct fixture {
	struct ev_loop *loop;
	struct http_server *server;
	struct http_ops ops;
	bool redis;
	bool audit;
};

static void setup(struct fixture *f, const char *listen)
{
	struct http_config config = config_for(listen);

	*f = (struct fixture){.loop = ev_loop_new(EVFLAG_AUTO), .redis = true, .audit = true};
	f->server = http_new(f->loop, &config);
	cr_assert_not_null(f->server, "%s", strerror(errno));
	f->ops.metrics = metrics_new(65536);
	f->ops.checks[0] = (struct http_check){"redis", tell, &f->redis};
	f->ops.checks[1] = (struct http_check){"audit", tell, &f->audit};
	f->ops.check_count = 2;
	cr_assert(metrics_register(f->ops.metrics, collect, NULL));
	cr_assert(http_ops_routes(f->server, &f->ops));
}

static void teardown(struct fixture *f)
{
	http_free(&f->server);
	cr_expect_null(f->server);
	metrics_free(&f->ops.metrics);
	ev_loop_destroy(f->loop);
}

static const struct {
	const char *text;
	bool ok;
	int family;
} addresses[] = {
	{"", false, 0},
	{":", false, 0},
	{":80", false, 0},
	{"127.0.0.1", false, 0},
	{"127.0.0.1:", false, 0},
	{"127.0.0.1:-1", false, 0},
	{"127.0.0.1:65536", false, 0},
	{"127.0.0.1:80 ", false, 0},
	{"10.0.0.1:80", false, 0},
	{"0.0.0.0:80", false, 0},
	{"128.0.0.1:80", false, 0},
	{"[::]:80", false, 0},
	{"[::ffff:127.0.0.1]:80", false, 0},
	{"::1:80", false, 0},
	{"[::1]", false, 0},
	{"example.org:80", false, 0},
	{"unix:", false, 0},
	{"unix:x", false, 0},
	{"127.255.0.9:0", true, AF_INET},
	{"localhost:80", true, AF_INET},
	{"[::1]:80", true, AF_INET6},
	{"unix:/run/x", true, AF_UNIX},
};

Test(http_server, addresses)
{
	char longest[256] = "unix:/";

	memset(longest + 6, 'a', 108);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct sockaddr_storage addr = {.ss_family = 77};
		socklen_t len;
		bool ok = address_parse(slice_of(addresses[i].text), &addr, &len);
		cr_expect_eq(ok, addresses[i].ok, "%s", addresses[i].text);
		cr_expect_eq(addr.ss_family, addresses[i].ok ? addresses[i].family : 77, "%s",
			     addresses[i].text);
	}
	struct sockaddr_storage addr;
	socklen_t len;
	cr_expect(!address_parse(slice_of(longest), &addr, &len));
}

Test(http_server, only_loopback)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct http_config config = config_for("0.0.0.0:0");

	errno = 0;
	cr_expect_null(http_new(loop, &config));
	cr_expect_eq(errno, EINVAL);
	ev_loop_destroy(loop);
}

Test(http_server, a_taken_address_is_refused)
{
	struct fixture f;
	char listen[64];

	setup(&f, "127.0.0.1:0");
	snprintf(listen, sizeof(listen), "127.0.0.1:%u", http_port(f.server));
	struct http_config config = config_for(listen);
	cr_expect_null(http_new(f.loop, &config));
	cr_expect_eq(errno, EADDRINUSE);
	teardown(&f);
}

static const struct {
	const char *request;
	const char *answer;
} requests[] = {
	{"rubbish\r\n\r\n", ""}, /* closed, or 400 by newer libraries */
	{"GET /healthz HTTP/1.1\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 400"},
	{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404"},
	{"GET /metricsx HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404"},
	{"GET //metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404"},
	{"GET /metrics/../healthz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404"},
	{"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 405"},
	{"DELETE /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405"},
	{"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404"},
	{"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 200"},
	{"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200"},
	{"GET /healthz?x=1 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200"},
	{"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200"},
	{"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200"},
};

Test(http_server, requests)
{
	struct fixture f;

	setup(&f, "127.0.0.1:0");
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		const char *answer = ask(f.loop, http_port(f.server), requests[i].request);
		cr_expect(starts(answer, requests[i].answer), "%s -> %s", requests[i].request, answer);
	}
	teardown(&f);
}

Test(http_server, a_405_names_what_is_allowed)
{
	struct fixture f;

	setup(&f, "127.0.0.1:0");
	const char *answer = ask(f.loop, http_port(f.server), "PUT /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
	cr_expect_not_null(strstr(answer, "Allow: GET, HEAD\r\n"), "%s", answer);
	teardown(&f);
}

Test(http_server, metrics)
{
	struct fixture f;

	setup(&f, "127.0.0.1:0");
	const char *answer = ask(f.loop, http_port(f.server), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
	cr_expect_not_null(strstr(answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), "%s",
			   answer);
	cr_expect_not_null(strstr(answer, "\r\n\r\n# HELP t_total T.\n# TYPE t_total counter\nt_total 7\n"),
			   "%s", answer);
	answer = ask(f.loop, http_port(f.server), "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
	cr_expect_not_null(strstr(answer, "Content-Length: 51\r\n"), "%s", answer);
	cr_expect_null(strstr(answer, "t_total"), "%s", answer);
	teardown(&f);
}

Test(http_server, readiness_names_each_check)
{
	struct fixture f;

	setup(&f, "127.0.0.1:0");
	f.audit = false;
	const char *answer = ask(f.loop, http_port(f.server), "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
	cr_expect(starts(answer, "HTTP/1.1 503"), "%s", answer);
	cr_expect_not_null(
		strstr(answer, "{\"checks\":{\"redis\":\"ok\",\"audit\":\"failed\"},\"ready\":false}\n"),
		"%s", answer);
	f.audit = true;
	answer = ask(f.loop, http_port(f.server), "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
	cr_expect_not_null(
		strstr(answer, "{\"checks\":{\"redis\":\"ok\",\"audit\":\"ok\"},\"ready\":true}\n"), "%s",
		answer);
	teardown(&f);
}

Test(http_server, a_silent_client_is_closed)
{
	struct fixture f;
	char byte;

	setup(&f, "127.0.0.1:0");
	int fd = dial(http_port(f.server));
	say(fd, "GET /healthz HT");
	spin(f.loop, 2.5);
	cr_expect_eq(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
	close(fd);
	teardown(&f);
}

Test(http_server, connections_are_limited_and_come_back)
{
	struct fixture f;
	int idle[4];

	setup(&f, "127.0.0.1:0");
	for (int i = 0; i < 4; i++)
		idle[i] = dial(http_port(f.server));
	spin(f.loop, 0.05);
	int fd = dial(http_port(f.server));
	say(fd, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
	spin(f.loop, 0.1);
	cr_expect_str_eq(hear(fd), "");
	close(idle[0]);
	spin(f.loop, 0.2);
	cr_expect(starts(hear(fd), "HTTP/1.1 200"));
	for (int i = 1; i < 4; i++)
		close(idle[i]);
	close(fd);
	teardown(&f);
}

Test(http_server, pipelined_and_split_requests)
{
	struct fixture f;

	setup(&f, "127.0.0.1:0");
	int fd = dial(http_port(f.server));
	say(fd, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /nosuch HTTP/1.1\r\nHost: x\r\n\r\nGET /hea");
	spin(f.loop, 0.1);
	const char *answers = hear(fd);
	cr_expect(starts(answers, "HTTP/1.1 200"));
	cr_expect_not_null(strstr(answers, "HTTP/1.1 404"));
	say(fd, "lthz HTTP/1.1\r\nHost: x\r\n\r\n");
	spin(f.loop, 0.1);
	cr_expect(starts(hear(fd), "HTTP/1.1 200"));
	close(fd);
	teardown(&f);
}

static void echo_header(void *ctx, const struct http_request *request, struct http_answer *answer)
{
	struct slice value = http_header(request, "X-Key");

	(void)ctx;
	http_answer(answer, 200, "text/plain", value.p == NULL ? SLICE_LIT("none") : value);
	http_answer(answer, 500, "text/plain", SLICE_LIT("never"));
}

static void no_answer(void *ctx, const struct http_request *request, struct http_answer *answer)
{
	(void)ctx;
	(void)request;
	(void)answer;
}

Test(http_server, other_routes)
{
	struct fixture f;

	setup(&f, "127.0.0.1:0");
	cr_assert(http_route(f.server, "/h", echo_header, NULL));
	cr_assert(http_route(f.server, "/n", no_answer, NULL));
	const char *answer =
		ask(f.loop, http_port(f.server), "GET /h HTTP/1.1\r\nHost: x\r\nx-key: v\r\n\r\n");
	cr_expect_not_null(strstr(answer, "\r\n\r\nv"), "%s", answer);
	answer = ask(f.loop, http_port(f.server), "GET /h HTTP/1.1\r\nHost: x\r\n\r\n");
	cr_expect_not_null(strstr(answer, "\r\n\r\nnone"), "%s", answer);
	answer = ask(f.loop, http_port(f.server), "GET /n HTTP/1.1\r\nHost: x\r\n\r\n");
	cr_expect(starts(answer, "HTTP/1.1 500"), "%s", answer);
	bool room = true;
	for (int i = 0; i < 100 && room; i++)
		room = http_route(f.server, "/x", no_answer, NULL);
	cr_expect(!room);
	teardown(&f);
}

Test(http_server, unix_socket)
{
	char dir[] = "/tmp/tollgate-test-XXXXXX";
	char listen[128];
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct fixture f;
	struct stat st;

	cr_assert_not_null(mkdtemp(dir));
	snprintf(listen, sizeof(listen), "unix:%s/h.sock", dir);
	snprintf(to.sun_path, sizeof(to.sun_path), "%s/h.sock", dir);
	/* one that a dead process left */
	int stale = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(bind(stale, (struct sockaddr *)&to, sizeof(to)), 0);
	close(stale);
	setup(&f, listen);
	cr_expect_eq(http_port(f.server), 0);
	cr_assert_eq(stat(to.sun_path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0660);
	struct http_config config = config_for(listen);
	cr_expect_null(http_new(f.loop, &config), "a living one is not taken over");
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	say(fd, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
	spin(f.loop, 0.1);
	cr_expect(starts(hear(fd), "HTTP/1.1 200"));
	close(fd);
	teardown(&f);
	cr_expect_neq(stat(to.sun_path, &st), 0);
	rmdir(dir);
}
