/* A small HTTP server inside the libev loop, for operators and later for the gateway's own routes.
 * libmicrohttpd keeps its connections in an epoll set of its own; the loop watches that one descriptor. */
#ifndef TOLLGATE_HTTP_HTTP_H
#define TOLLGATE_HTTP_HTTP_H

#include <ev.h>

#include "base/slice.h"

struct http_server;

struct http_config {
	struct slice listen;      /* host:port on a loopback address (port 0: any), or unix:/path */
	unsigned socket_mode;     /* of a unix socket */
	unsigned max_connections; /* more wait in the listen queue */
	unsigned timeout_s;       /* without progress; 1 at least */
};

/* What a handler sees; the slices are valid during the call. */
struct http_request {
	bool head;
	struct slice path;
	void *connection; /* for http_header() */
};

/* p == NULL when the request has no such header. */
struct slice http_header(const struct http_request *request, const char *name);

struct http_answer;

/* Exactly once in a handler; the body is copied. Not answering gives a 500. */
void http_answer(struct http_answer *answer, unsigned status, const char *content_type, struct slice body);

typedef void http_handler_fn(void *ctx, const struct http_request *request, struct http_answer *answer);

/* Listens at once, but answers 404 until routes are there. NULL with errno: EINVAL for an address that is
 * not understood or not loopback, else what the kernel said. */
struct http_server *http_new(struct ev_loop *loop, const struct http_config *config);

/* Open connections are closed. Removes the unix socket. NULLs the pointer. */
void http_free(struct http_server **server);

/* GET and HEAD of exactly this path. `path` must stay. False when there are too many routes. */
bool http_route(struct http_server *server, const char *path, http_handler_fn *fn, void *ctx)
	__attribute__((warn_unused_result));

/* The TCP port in use; 0 for a unix socket. */
unsigned http_port(const struct http_server *server);

#endif
