/* Listeners, the turn's end, and the end of it all. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clock.h"
#include "spop/server.h"

enum { BACKLOG = 4096 };

static const double SWEEP_SECONDS = 0.1;

void spop_limits_defaults(struct spop_limits *limits)
{
	*limits = (struct spop_limits){
		.max_frame_size = 33 << 20,
		.max_head = 128 << 10,
		.max_connections = 4096,
		.max_inflight = 64,
		.hello_timeout_us = 10 * 1000000,
	};
}

const char *spop_error_name(enum spop_error error)
{
	static const char *const names[SPOP_ERRORS] = {
		[SPOP_ERROR_INVALID] = "invalid", [SPOP_ERROR_TOO_BIG] = "too_big",
		[SPOP_ERROR_HELLO] = "hello",     [SPOP_ERROR_TIMEOUT] = "timeout",
		[SPOP_ERROR_IO] = "io",           [SPOP_ERROR_RESOURCES] = "resources",
	};

	return names[error];
}

/* ---- accepting ---- */

static void pause_accepting(struct spop_server *server, bool pause)
{
	for (unsigned i = 0; i < server->listener_count; i++) {
		if (pause)
			ev_io_stop(server->loop, &server->listeners[i].io);
		else
			ev_io_start(server->loop, &server->listeners[i].io);
	}
}

/* Out of descriptors: with the spare one the caller is taken and turned away, so that it does not wait in
 * vain. Then a pause until the next sweep, so that the loop does not spin. */
static void turn_away(struct spop_server *server, int listen_fd)
{
	server->stats.accept_failures++;
	pause_accepting(server, true);
	if (server->spare_fd < 0)
		return;
	close(server->spare_fd);
	int fd = accept(listen_fd, NULL, NULL);
	if (fd >= 0)
		close(fd);
	server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_acceptable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct spop_listener *listener = io->data;
	struct spop_server *server = listener->server;
	int on = 1;

	(void)loop;
	(void)revents;
	while (server->stats.open < server->limits.max_connections) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE))
			turn_away(server, listener->fd);
		if (fd < 0)
			return;
		if (listener->path[0] == '\0')
			(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (!spop_conn_open(server, fd))
			server->stats.accept_failures++;
	}
	pause_accepting(server, true);
}

/* ---- listening ---- */

static int listen_on(int family, const void *addr, socklen_t len)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		return -1;
	if (family != AF_UNIX)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, addr, len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int err = errno;
	close(fd);
	errno = err;
	return -1;
}

/* Whether a process has the socket open. Only a refusal says that it has not. */
static bool somebody_serves(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return true;
	bool serves = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 || errno != ECONNREFUSED;
	close(fd);
	return serves;
}

static bool set_owner(const char *path, unsigned mode, struct slice group)
{
	char name[64];
	struct group *entry = NULL;

	if (group.n > 0) {
		entry = slice_copy(group, name, sizeof(name)) ? getgrnam(name) : NULL;
		if (entry == NULL) {
			errno = ENOENT;
			return false;
		}
		if (chown(path, (uid_t)-1, entry->gr_gid) != 0)
			return false;
	}
	return chmod(path, mode) == 0;
}

static int listen_unix(const struct sockaddr_un *addr, unsigned mode, struct slice group)
{
	struct stat st;

	if (lstat(addr->sun_path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode) || somebody_serves(addr)) {
			errno = EADDRINUSE;
			return -1;
		}
		(void)unlink(addr->sun_path);
	}
	/* Nobody may connect before the mode is right. */
	mode_t mask = umask(0777);
	int fd = listen_on(AF_UNIX, addr, sizeof(*addr));
	umask(mask);
	if (fd < 0 || set_owner(addr->sun_path, mode, group))
		return fd;
	int err = errno;
	close(fd);
	(void)unlink(addr->sun_path);
	errno = err;
	return -1;
}

static void remember_socket(struct spop_listener *listener, const struct sockaddr_un *addr)
{
	struct stat st;

	if (stat(addr->sun_path, &st) != 0)
		return;
	memcpy(listener->path, addr->sun_path, sizeof(listener->path));
	listener->device = st.st_dev;
	listener->inode = st.st_ino;
}

/* A successor may have put its own socket at the path. */
static void close_listeners(struct spop_server *server)
{
	struct stat st;

	for (unsigned i = 0; i < server->listener_count; i++) {
		struct spop_listener *l = &server->listeners[i];
		ev_io_stop(server->loop, &l->io);
		if (l->path[0] != '\0' && stat(l->path, &st) == 0 && st.st_dev == l->device &&
		    st.st_ino == l->inode)
			(void)unlink(l->path);
		close(l->fd);
	}
	server->listener_count = 0;
}

bool spop_server_listen(struct spop_server *server, struct slice address, unsigned mode, struct slice group)
{
	struct spop_listener *listener = &server->listeners[server->listener_count];
	struct sockaddr_storage addr;
	socklen_t len;

	if (server->listener_count == SPOP_LISTENERS_MAX || !address_parse(address, &addr, &len)) {
		errno = server->listener_count == SPOP_LISTENERS_MAX ? ENFILE : EINVAL;
		return false;
	}
	*listener = (struct spop_listener){.server = server};
	if (addr.ss_family == AF_UNIX)
		listener->fd = listen_unix((struct sockaddr_un *)&addr, mode, group);
	else
		listener->fd = listen_on(addr.ss_family, &addr, len);
	if (listener->fd < 0)
		return false;
	if (addr.ss_family == AF_UNIX)
		remember_socket(listener, (struct sockaddr_un *)&addr);
	ev_io_init(&listener->io, on_acceptable, listener->fd, EV_READ);
	listener->io.data = listener;
	ev_io_start(server->loop, &listener->io);
	server->listener_count++;
	return true;
}

/* ---- the turn's end, and the slow clock ---- */

static void on_prepare(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
	struct spop_server *server = prepare->data;
	struct list *link;

	(void)loop;
	(void)revents;
	while ((link = list_first(&server->dirty)) != NULL)
		spop_conn_flush(LIST_ENTRY(link, struct spop_conn, dirty));
}

static void finish_drain(struct spop_server *server)
{
	void (*fn)(void *) = server->drained;

	server->drained = NULL;
	if (fn != NULL)
		fn(server->drained_ctx);
}

static void on_sweep(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct spop_server *server = timer->data;
	int64_t now = clock_mono_us();

	(void)loop;
	(void)revents;
	if (server->spare_fd < 0)
		server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (struct list *at = server->open.next, *next = at->next; at != &server->open;
	     at = next, next = at->next) {
		struct spop_conn *conn = LIST_ENTRY(at, struct spop_conn, link);
		if (server->draining)
			spop_conn_goodbye(conn);
		else
			spop_conn_sweep(conn, now);
	}
	if (server->draining && (server->stats.open == 0 || now >= server->drain_until_us))
		finish_drain(server);
	else if (!server->draining && server->stats.open < server->limits.max_connections)
		pause_accepting(server, false);
}

void spop_server_drain(struct spop_server *server, int64_t timeout_us, void (*fn)(void *ctx), void *ctx)
{
	server->draining = true;
	server->drain_until_us = clock_mono_us() + timeout_us;
	server->drained = fn;
	server->drained_ctx = ctx;
	close_listeners(server);
	ev_feed_event(server->loop, &server->sweep, EV_TIMER);
}

/* ---- life ---- */

struct spop_server *spop_server_new(struct ev_loop *loop, const struct spop_limits *limits,
				    const struct spop_handler *handler, void *ctx)
{
	struct spop_server *server = calloc(1, sizeof(*server));

	if (server == NULL)
		return NULL;
	server->loop = loop;
	server->limits = *limits;
	server->handler = handler;
	server->ctx = ctx;
	server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	list_init(&server->open);
	list_init(&server->unused);
	list_init(&server->dirty);
	ev_prepare_init(&server->flush, on_prepare);
	ev_set_priority(&server->flush, EV_MINPRI); /* after every other watcher of the turn has answered */
	server->flush.data = server;
	ev_prepare_start(loop, &server->flush);
	ev_timer_init(&server->sweep, on_sweep, SWEEP_SECONDS, SWEEP_SECONDS);
	server->sweep.data = server;
	ev_timer_start(loop, &server->sweep);
	return server;
}

void spop_server_free(struct spop_server **server_ptr)
{
	struct spop_server *server = *server_ptr;
	struct list *link;

	if (server == NULL)
		return;
	while ((link = list_first(&server->open)) != NULL)
		spop_conn_close(LIST_ENTRY(link, struct spop_conn, link));
	close_listeners(server);
	ev_prepare_stop(server->loop, &server->flush);
	ev_timer_stop(server->loop, &server->sweep);
	while ((link = list_first(&server->unused)) != NULL) {
		struct spop_conn *conn = LIST_ENTRY(link, struct spop_conn, link);
		list_remove(link);
		free(conn->out);
		free(conn);
	}
	if (server->spare_fd >= 0)
		close(server->spare_fd);
	free(server);
	*server_ptr = NULL;
}

const struct spop_stats *spop_server_stats(const struct spop_server *server)
{
	return &server->stats;
}
