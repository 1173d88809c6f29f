/* The admin socket's client. */
#include "cli/haproxy.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	TIMEOUT_SECONDS = 5,
	ANSWER_MAX = 16 << 20,
	CHUNK = 65536,
};

const char *haproxy_socket(const struct cli *cli)
{
	const char *path = cli_value(cli, "haproxy-socket");

	if (path == NULL)
		path = getenv("TOLLGATE_HAPROXY_SOCKET");
	return path != NULL && path[0] != '\0' ? path : "/run/tollgate/haproxy.sock";
}

static const char *advice_for(int error)
{
	switch (error) {
	case ENOENT:
		return "is HAProxy running, and is --haproxy-socket or TOLLGATE_HAPROXY_SOCKET right?";
	case ECONNREFUSED:
		return "HAProxy is not running";
	case EACCES:
		return "its owner or group must run this command";
	case EAGAIN:
		return "HAProxy does not answer in time; it hangs or is overloaded";
	default:
		return "see HAProxy's log";
	}
}

static bool fail(const char *path, int error, struct strbuf *err)
{
	strbuf_printf(err, "HAProxy's socket %s cannot be used: %s; %s", path,
		      error == EAGAIN ? "timed out" : strerror(error), advice_for(error));
	return false;
}

static int connect_to(const char *path)
{
	struct timeval patience = {.tv_sec = TIMEOUT_SECONDS};
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (!slice_copy(slice_of(path), address.sun_path, sizeof(address.sun_path))) {
		errno = ENAMETOOLONG;
		return -1;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0 &&
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	int error = errno;
	(void)close(fd);
	errno = error;
	return -1;
}

static bool send_all(int fd, const char *command)
{
	char line[512];
	struct strbuf sb = strbuf_over(line, sizeof(line));

	strbuf_puts(&sb, command);
	strbuf_putc(&sb, '\n');
	for (size_t at = 0; at < sb.len;) {
		ssize_t n = send(fd, line + at, sb.len - at, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		at += (size_t)n;
	}
	return !sb.overflow;
}

/* Reads until HAProxy closes the connection. */
static bool read_all(int fd, struct haproxy_answer *ret)
{
	size_t cap = 0;

	for (;;) {
		if (cap - ret->n < CHUNK) {
			cap = cap > 0 ? cap * 2 : (size_t)2 * CHUNK;
			char *grown = cap <= ANSWER_MAX ? realloc(ret->p, cap) : NULL;
			if (grown == NULL) {
				errno = EMSGSIZE;
				return false;
			}
			ret->p = grown;
		}
		ssize_t n = recv(fd, ret->p + ret->n, CHUNK - 1, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		if (n == 0)
			break;
		ret->n += (size_t)n;
	}
	ret->p[ret->n] = '\0';
	return true;
}

bool haproxy_ask(const char *path, const char *command, struct haproxy_answer *ret, struct strbuf *err)
{
	int fd = connect_to(path);

	*ret = (struct haproxy_answer){NULL, 0};
	if (fd < 0)
		return fail(path, errno, err);
	bool ok = send_all(fd, command) && read_all(fd, ret);
	int error = errno;
	(void)close(fd);
	if (ok)
		return true;
	haproxy_answer_free(ret);
	return fail(path, error, err);
}

void haproxy_answer_free(struct haproxy_answer *answer)
{
	free(answer->p);
	*answer = (struct haproxy_answer){NULL, 0};
}

bool haproxy_do(const char *path, const char *command, struct strbuf *err)
{
	struct haproxy_answer answer;
	struct slice rest, line = {"", 0};

	if (!haproxy_ask(path, command, &answer, err))
		return false;
	rest = (struct slice){answer.p, answer.n};
	while (slice_next(&rest, '\n', &line) && slice_trim(line).n == 0)
		continue;
	bool silent = slice_trim(line).n == 0;
	if (!silent) {
		line.n = line.n < 200 ? line.n : 200;
		strbuf_printf(err, "HAProxy refuses: %.*s", SLICE_FMT(line));
	}
	haproxy_answer_free(&answer);
	return silent;
}

static void take_info(struct slice line, struct haproxy_info *ret)
{
	struct slice name;

	if (!slice_next(&line, ':', &name))
		return;
	line = slice_trim(line);
	if (slice_is(name, "Version")) {
		struct strbuf sb = strbuf_over(ret->version, sizeof(ret->version));
		strbuf_put(&sb, line);
	} else if (slice_is(name, "Uptime_sec") && !slice_to_i64(line, 0, INT64_MAX, &ret->uptime_s)) {
		ret->uptime_s = 0;
	}
}

bool haproxy_info(const char *path, struct haproxy_info *ret, struct strbuf *err)
{
	struct haproxy_answer answer;
	struct slice rest, line;

	*ret = (struct haproxy_info){.uptime_s = 0};
	if (!haproxy_ask(path, "show info", &answer, err))
		return false;
	rest = (struct slice){answer.p, answer.n};
	while (slice_next(&rest, '\n', &line))
		take_info(line, ret);
	haproxy_answer_free(&answer);
	if (ret->version[0] == '\0')
		strbuf_puts(err, "HAProxy's answer to `show info` is not understood");
	return ret->version[0] != '\0';
}
