/* The line HAProxy logs at the end of a stream: one flat JSON object of strings a datagram.
 *
 * It comes by UDP from this host, so anyone on the host can send one: it is parsed as strictly as any
 * client's bytes, and it counts for nothing unless its ticket is the one HAProxy made for the request. */
#ifndef TOLLGATE_AUDIT_COMPLETION_H
#define TOLLGATE_AUDIT_COMPLETION_H

#include "base/slice.h"

enum completion_finish {
	COMPLETION_OK,
	COMPLETION_CLIENT_ABORT,
	COMPLETION_CLIENT_TIMEOUT,
	COMPLETION_SERVER_ABORT,
	COMPLETION_TIMEOUT,        /* the node fell silent */
	COMPLETION_CONNECT_FAILED, /* no node took the connection */
	COMPLETION_QUEUE_TIMEOUT,
	COMPLETION_QUEUE_FULL,
	COMPLETION_DENIED,      /* HAProxy refused the request */
	COMPLETION_LOCAL,       /* HAProxy answered by itself */
	COMPLETION_KILLED,      /* an operator, or a health check that failed, ended the session */
	COMPLETION_PROXY_ERROR, /* HAProxy ran out of something or broke */
	COMPLETION_UNKNOWN,
	COMPLETION_LOST, /* no line ever came; never the result of parsing */
	COMPLETION_FINISHES
};

/* A variable HAProxy did not have ("-") is an empty slice; a time or count it did not have is -1. */
struct completion {
	struct slice id;
	struct slice ticket;
	struct slice key;
	struct slice tenant;
	struct slice model;
	struct slice verdict;
	struct slice method;
	struct slice path;
	struct slice backend;
	struct slice server;
	struct slice term; /* two characters of termination state */
	int64_t status;
	int64_t bytes_up; /* client to node */
	int64_t bytes_down;
	int64_t request_ms;  /* TR: until the whole request was there */
	int64_t queue_ms;    /* Tw */
	int64_t connect_ms;  /* Tc */
	int64_t response_ms; /* Tr: until the node's headers */
	int64_t total_ms;    /* Ta */
	int64_t retries;
	int64_t backend_queue;
	int64_t server_queue;
	int64_t tokens_in;
	int64_t tokens_out;
	enum completion_finish finish;
};

/* Largest line that is looked at; HAProxy logs with `len 65535`. */
#define COMPLETION_LINE_MAX 65535

/* Parses line[0..n); strings are decoded in place and *ret points into the line. Unknown members are
 * skipped. False, with *ret untouched, for anything else than one object of strings with v=1, an id and
 * a ticket, or when a known member comes twice. */
bool completion_parse(char *line, size_t n, struct completion *ret) __attribute__((warn_unused_result));

/* From HAProxy's termination state, e.g. "CD" (configuration manual, "Session state at disconnection"). */
enum completion_finish completion_classify(struct slice term);

const char *completion_finish_name(enum completion_finish finish);

/* Milliseconds from the admitted request to the node's first byte, queue included; -1 when there was
 * none. Nodes send their headers with the first token. */
int64_t completion_first_byte_ms(const struct completion *completion);

#endif
