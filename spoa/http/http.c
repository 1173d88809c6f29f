/* libmicrohttpd driven from libev: no thread, no select. */
#include "http/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/address.h"

enum { ROUTES_MAX = 32, BACKLOG = 128, CONNECTION_MEMORY = 32 * 1024 };

struct route {
	struct slice path;
	http_handler_fn *fn;
	void *ctx;
};

struct http_server {
	struct ev_loop *loop;
	struct MHD_Daemon *mhd;
	ev_io io;
	ev_timer timer;
	struct sockaddr_storage addr; /* as bound */
	unsigned route_count;
	struct route routes[ROUTES_MAX];
};

struct http_answer {
	struct MHD_Connection *connection;
	const char *allow; /* for the Allow header, may be NULL */
	bool given;
	enum MHD_Result result;
};

struct slice http_header(const struct http_request *request, const char *name)
{
	return slice_of(MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name));
}

void http_answer(struct http_answer *answer, unsigned status, const char *content_type, struct slice body)
{
	if (answer->given)
		return;
	answer->given = true;
	/* The copy is made before the call returns; the parameter is not const for other modes' sake. */
	struct MHD_Response *response = MHD_create_response_from_buffer(
		body.n, (void *)(uintptr_t)(body.n > 0 ? body.p : ""), MHD_RESPMEM_MUST_COPY);
	if (response == NULL)
		return;
	bool ok = MHD_add_response_header(response, "Content-Type", content_type) == MHD_YES &&
		  MHD_add_response_header(response, "Cache-Control", "no-store") == MHD_YES &&
		  (answer->allow == NULL ||
		   MHD_add_response_header(response, "Allow", answer->allow) == MHD_YES);
	if (ok)
		answer->result = MHD_queue_response(answer->connection, status, response);
	MHD_destroy_response(response);
}

static const struct route *find_route(const struct http_server *server, struct slice path)
{
	for (unsigned i = 0; i < server->route_count; i++)
		if (slice_eq(server->routes[i].path, path))
			return &server->routes[i];
	return NULL;
}

static void dispatch(const struct http_server *server, struct http_answer *answer, struct slice method,
		     struct slice path)
{
	struct http_request request = {slice_is(method, "HEAD"), path, answer->connection};
	const struct route *route = find_route(server, path);

	if (route == NULL) {
		http_answer(answer, MHD_HTTP_NOT_FOUND, "text/plain", SLICE_LIT("not found\n"));
	} else if (!request.head && !slice_is(method, "GET")) {
		answer->allow = "GET, HEAD";
		http_answer(answer, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain",
			    SLICE_LIT("method not allowed\n"));
	} else {
		route->fn(route->ctx, &request, answer);
		http_answer(answer, MHD_HTTP_INTERNAL_SERVER_ERROR, "text/plain", SLICE_LIT("no answer\n"));
	}
}

/* Called once with the headers, once for each piece of a body, which is thrown away, and once at the end.
 * Answering at the end keeps the connection usable. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **state)
{
	struct http_answer answer = {.connection = connection, .result = MHD_NO};

	(void)version;
	(void)upload;
	if (*state == NULL || *upload_size > 0) {
		*state = ctx;
		*upload_size = 0;
		return MHD_YES;
	}
	dispatch(ctx, &answer, slice_of(method), slice_of(url));
	return answer.result;
}

static unsigned connections(const struct http_server *server)
{
	return MHD_get_daemon_info(server->mhd, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;
}

/* Lets the library work off what is ready; it then says when it wants to be called without any event:
 * at a timeout, or at once when it stopped halfway. At its limit of connections it takes the listening
 * socket out of its set, and puts it back only at the start of a run, so one must follow a close. */
static void run(struct http_server *server)
{
	unsigned long long ms;
	unsigned before;

	do {
		before = connections(server);
		(void)MHD_run(server->mhd);
	} while (connections(server) < before);
	ev_timer_stop(server->loop, &server->timer);
	if (MHD_get_timeout(server->mhd, &ms) == MHD_YES) {
		ev_timer_set(&server->timer, (double)ms / 1000.0, 0.0);
		ev_timer_start(server->loop, &server->timer);
	}
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	run(w->data);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	run(w->data);
}

/* A socket left by a process that died is in nobody's use: connecting to it is refused. */
static void remove_stale(const struct sockaddr *addr, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (connect(fd, addr, len) != 0 && errno == ECONNREFUSED)
		(void)unlink(((const struct sockaddr_un *)(const void *)addr)->sun_path);
	(void)close(fd);
}

static bool bind_address(int fd, const struct sockaddr *addr, socklen_t len, unsigned socket_mode)
{
	if (addr->sa_family == AF_UNIX) {
		remove_stale(addr, len);
		/* Nobody can connect before listen(), so the mode comes in time. */
		return bind(fd, addr, len) == 0 &&
		       chmod(((const struct sockaddr_un *)(const void *)addr)->sun_path, socket_mode) == 0;
	}
	int on = 1;
	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 && bind(fd, addr, len) == 0;
}

static int open_listener(struct http_server *server, const struct http_config *config)
{
	struct sockaddr *addr = (struct sockaddr *)&server->addr;
	socklen_t len;

	if (!address_parse(config->listen, &server->addr, &len)) {
		errno = EINVAL;
		return -1;
	}
	int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (bind_address(fd, addr, len, config->socket_mode) && listen(fd, BACKLOG) == 0 &&
	    getsockname(fd, addr, &len) == 0)
		return fd;
	int saved = errno;
	(void)close(fd);
	errno = saved;
	return -1;
}

static void watch(struct http_server *server, int epoll_fd)
{
	ev_io_init(&server->io, on_io, epoll_fd, EV_READ);
	ev_timer_init(&server->timer, on_timer, 0.0, 0.0);
	server->io.data = server;
	server->timer.data = server;
	ev_io_start(server->loop, &server->io);
	run(server);
}

struct http_server *http_new(struct ev_loop *loop, const struct http_config *config)
{
	struct http_server *server = calloc(1, sizeof(*server));
	const union MHD_DaemonInfo *info = NULL;

	if (server == NULL)
		return NULL;
	server->loop = loop;
	int fd = open_listener(server, config);
	if (fd >= 0)
		/* From here on the library closes the socket. */
		server->mhd = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, server,
					       MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
					       config->max_connections, MHD_OPTION_CONNECTION_TIMEOUT,
					       config->timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
					       (size_t)CONNECTION_MEMORY, MHD_OPTION_END);
	if (server->mhd != NULL)
		info = MHD_get_daemon_info(server->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL) {
		int saved = errno;
		http_free(&server);
		errno = saved;
		return NULL;
	}
	watch(server, info->epoll_fd);
	return server;
}

void http_free(struct http_server **http)
{
	struct http_server *server = *http;

	if (server == NULL)
		return;
	ev_io_stop(server->loop, &server->io);
	ev_timer_stop(server->loop, &server->timer);
	if (server->mhd != NULL) {
		MHD_stop_daemon(server->mhd);
		if (server->addr.ss_family == AF_UNIX)
			(void)unlink(((struct sockaddr_un *)&server->addr)->sun_path);
	}
	free(server);
	*http = NULL;
}

bool http_route(struct http_server *server, const char *path, http_handler_fn *fn, void *ctx)
{
	if (server->route_count == ROUTES_MAX)
		return false;
	server->routes[server->route_count++] = (struct route){slice_of(path), fn, ctx};
	return true;
}

unsigned http_port(const struct http_server *server)
{
	switch (server->addr.ss_family) {
	case AF_INET:
		return ntohs(((const struct sockaddr_in *)&server->addr)->sin_port);
	case AF_INET6:
		return ntohs(((const struct sockaddr_in6 *)&server->addr)->sin6_port);
	default:
		return 0;
	}
}
