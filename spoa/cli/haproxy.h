/* HAProxy's admin socket: one command a connection, as its management guide (9.3) has it. The socket can
 * show credentials of clients; only the commands below are ever sent. */
#ifndef TOLLGATE_CLI_HAPROXY_H
#define TOLLGATE_CLI_HAPROXY_H

#include "base/strbuf.h"
#include "cli/command.h"

/* --haproxy-socket, for the tables of options. */
#define HAPROXY_OPTION \
	{ \
		"haproxy-socket", "PATH", \
			"HAProxy's admin socket; default: $TOLLGATE_HAPROXY_SOCKET, else " \
			"/run/tollgate/haproxy.sock", \
			false, false \
	}

struct haproxy_answer {
	char *p; /* NUL-terminated, owned */
	size_t n;
};

/* The path in force. */
const char *haproxy_socket(const struct cli *cli);

/* Asks one command within five seconds; the answer is at most 16 MiB. False with a sentence in *err. */
bool haproxy_ask(const char *path, const char *command, struct haproxy_answer *ret, struct strbuf *err)
	__attribute__((warn_unused_result));

/* NULLs the text. */
void haproxy_answer_free(struct haproxy_answer *answer);

/* For commands that say nothing when all is well: false with HAProxy's objection in *err otherwise. */
bool haproxy_do(const char *path, const char *command, struct strbuf *err)
	__attribute__((warn_unused_result));

struct haproxy_info {
	char version[64];
	int64_t uptime_s;
};

/* From `show info`. */
bool haproxy_info(const char *path, struct haproxy_info *ret, struct strbuf *err)
	__attribute__((warn_unused_result));

#endif
