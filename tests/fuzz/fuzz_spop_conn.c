/* A connection of the real server in the real loop: the input's first byte says how the rest is cut. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "spop/agent.h"

static struct ev_loop *loop;
static struct spop_server *server;
static struct sockaddr_un addr = {.sun_family = AF_UNIX};
static int requests;
static uint64_t body_due;

static void reply(struct spop_ref ref)
{
	uint8_t buf[64];
	struct spop_actions a = spop_actions_over(buf, sizeof(buf));

	spop_actions_str(&a, "verdict", SLICE_LIT("admit"));
	(void)spop_reply(ref, &a);
}

static struct spop_ref last;

static void *on_begin(void *ctx, struct spop_ref ref, const struct spop_message *head, uint64_t body_len)
{
	(void)ctx;
	if (head->name.n % 2 == 0) {
		reply(ref);
		return NULL;
	}
	requests++;
	body_due = body_len;
	last = ref;
	return &last;
}

static void on_body(void *request, struct slice chunk)
{
	if (request != &last || chunk.n > body_due)
		abort();
	body_due -= chunk.n;
}

static void on_end(void *request)
{
	if (request != &last || body_due != 0)
		abort();
	requests--;
	reply(last);
}

static void on_gone(void *request)
{
	if (request != &last)
		abort();
	requests--;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct spop_handler handler = {on_begin, on_body, on_end, on_gone};
	struct spop_limits limits;
	char address[128];

	(void)argc;
	(void)argv;
	spop_limits_defaults(&limits);
	limits.max_head = 4096;
	limits.max_inflight = 2;
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "/tmp/tg-fuzz-%d.sock", getpid());
	(void)snprintf(address, sizeof(address), "unix:%s", addr.sun_path);
	loop = ev_loop_new(EVFLAG_AUTO);
	server = spop_server_new(loop, &limits, &handler, NULL);
	if (!spop_server_listen(server, slice_of(address), 0600, SLICE_LIT("")))
		abort();
	return 0;
}

static void turn(void)
{
	for (int i = 0; i < 3; i++)
		ev_run(loop, EVRUN_NOWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char answers[4096];

	if (size < 2 || size > 4096)
		return 0;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0)
		abort();
	size_t step = (size_t)data[0] + 1;
	for (size_t at = 1; at < size; at += step) {
		size_t n = size - at < step ? size - at : step;
		if (send(fd, data + at, n, MSG_NOSIGNAL) < 0)
			break;
		turn();
		(void)recv(fd, answers, sizeof(answers), 0);
	}
	close(fd);
	turn();
	turn();
	if (requests != 0 || spop_server_stats(server)->open != 0 || spop_server_stats(server)->inflight != 0)
		abort();
	return 0;
}
