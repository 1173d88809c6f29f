/* A connection from HAProxy: bytes in, frames, answers out. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "spop/server.h"

enum { OUT_MAX = 1 << 20, FIRST_TRY = 1024, KEEP_BUFFER = 16384 };

/* ---- life ---- */

static void mark_dirty(struct spop_conn *conn)
{
	if (list_empty(&conn->dirty))
		list_append(&conn->server->dirty, &conn->dirty);
}

/* What lay in it may have been a credential or a prompt. */
static void drop_buffer(uint8_t **p, size_t *cap, size_t keep)
{
	if (*cap > 0)
		explicit_bzero(*p, *cap);
	if (*cap <= keep)
		return;
	free(*p);
	*p = NULL;
	*cap = 0;
}

void spop_conn_close(struct spop_conn *conn)
{
	struct spop_server *server = conn->server;

	if (conn->state == CONN_BODY && conn->request != NULL)
		server->handler->gone(conn->request);
	conn->request = NULL;
	conn->state = CONN_CLOSED;
	conn->generation++;
	ev_io_stop(server->loop, &conn->readable);
	ev_io_stop(server->loop, &conn->writable);
	close(conn->fd);
	server->stats.open--;
	server->stats.inflight -= conn->inflight;
	drop_buffer(&conn->in, &conn->in_cap, 0);
	drop_buffer(&conn->out, &conn->out_cap, KEEP_BUFFER);
	list_remove(&conn->dirty);
	list_remove(&conn->link);
	list_append(&server->unused, &conn->link);
}

static void fail(struct spop_conn *conn, enum spop_error error)
{
	conn->server->stats.errors[error]++;
	spop_conn_close(conn);
}

/* ---- out ---- */

static bool out_room(struct spop_conn *conn, size_t n)
{
	if (n <= conn->out_cap - conn->out_len)
		return true;
	size_t cap = conn->out_cap ? conn->out_cap : 4096;
	while (cap < conn->out_len + n)
		cap *= 2;
	uint8_t *grown = cap <= OUT_MAX ? realloc(conn->out, cap) : NULL;
	if (grown == NULL)
		return false;
	conn->out = grown;
	conn->out_cap = cap;
	return true;
}

/* The last frame of this connection: it is sent, then the connection is closed. */
static void say_disconnect(struct spop_conn *conn, enum spop_status status)
{
	if (conn->state == CONN_BODY && conn->request != NULL)
		conn->server->handler->gone(conn->request);
	conn->request = NULL;
	if (out_room(conn, SPOP_CONTROL_MAX))
		conn->out_len += spop_put_disconnect(conn->out + conn->out_len, SPOP_CONTROL_MAX, status);
	conn->state = CONN_LAST;
	ev_io_stop(conn->server->loop, &conn->readable);
	mark_dirty(conn);
}

static void refuse(struct spop_conn *conn, enum spop_error error, enum spop_status status)
{
	conn->server->stats.errors[error]++;
	say_disconnect(conn, status);
}

bool spop_reply(struct spop_ref ref, const struct spop_actions *actions)
{
	struct spop_conn *conn = ref.conn;
	struct spop_server *server = conn->server;

	if (conn->generation != ref.generation || conn->state > CONN_GOODBYE) {
		server->stats.acks_stale++;
		return false;
	}
	conn->inflight--;
	server->stats.inflight--;
	mark_dirty(conn);
	size_t room = actions->len + SPOP_CONTROL_MAX;
	if (actions->len + SPOP_FRAME_MIN + 2 * SPOP_VARINT_MAX > conn->max_frame_size)
		return false;
	if (!out_room(conn, room)) {
		conn->broken = true; /* closed before the loop sleeps, when no handler is under way */
		return false;
	}
	size_t n = spop_put_ack(conn->out + conn->out_len, room, ref.stream_id, ref.frame_id, actions);
	conn->out_len += n;
	server->stats.acks += n > 0;
	return n > 0;
}

/* ---- in ---- */

static void on_hello(struct spop_conn *conn, struct spop_cursor *c)
{
	const struct spop_limits *limits = &conn->server->limits;
	struct spop_hello hello;

	if (spop_get_hello(c, &hello) != SPOP_OK) {
		refuse(conn, SPOP_ERROR_INVALID, SPOP_STATUS_INVALID);
	} else if (!hello.have_versions) {
		refuse(conn, SPOP_ERROR_HELLO, SPOP_STATUS_NO_VERSION);
	} else if (!hello.version_ok) {
		refuse(conn, SPOP_ERROR_HELLO, SPOP_STATUS_BAD_VERSION);
	} else if (!hello.have_frame_size) {
		refuse(conn, SPOP_ERROR_HELLO, SPOP_STATUS_NO_FRAME_SIZE);
	} else if (hello.max_frame_size < SPOP_FRAME_SIZE_MIN) {
		refuse(conn, SPOP_ERROR_HELLO, SPOP_STATUS_BAD_FRAME_SIZE);
	} else if (!hello.have_capabilities) {
		refuse(conn, SPOP_ERROR_HELLO, SPOP_STATUS_NO_CAPABILITIES);
	} else if (!out_room(conn, SPOP_CONTROL_MAX)) {
		fail(conn, SPOP_ERROR_RESOURCES);
	} else {
		conn->max_frame_size = hello.max_frame_size < limits->max_frame_size ? hello.max_frame_size
										     : limits->max_frame_size;
		conn->out_len +=
			spop_put_hello(conn->out + conn->out_len, SPOP_CONTROL_MAX, conn->max_frame_size);
		conn->server->stats.healthchecks += hello.healthcheck;
		conn->state = hello.healthcheck ? CONN_LAST : CONN_FRAMES;
		mark_dirty(conn);
	}
}

static void on_disconnect(struct spop_conn *conn, struct spop_cursor *c)
{
	uint32_t status;

	if (spop_get_disconnect(c, &status) != SPOP_OK) {
		refuse(conn, SPOP_ERROR_INVALID, SPOP_STATUS_INVALID);
		return;
	}
	conn->server->stats.disconnects++;
	spop_conn_goodbye(conn);
}

static void end_body(struct spop_conn *conn)
{
	void *request = conn->request;

	conn->state = CONN_FRAMES;
	conn->request = NULL;
	if (request != NULL)
		conn->server->handler->end(request);
}

static void on_notify(struct spop_conn *conn, const struct spop_frame *frame, const struct spop_message *head,
		      uint64_t body_len)
{
	struct spop_server *server = conn->server;
	struct spop_ref ref = {conn, conn->generation, frame->stream_id, frame->frame_id};

	server->stats.notifies++;
	server->stats.inflight++;
	conn->inflight++;
	conn->state = CONN_BODY;
	conn->body_left = body_len;
	conn->request = server->handler->begin(server->ctx, ref, head, body_len);
	if (body_len == 0)
		end_body(conn);
}

/* Bytes taken of p[0..n); 0 when the body is complete or nothing is there. */
static size_t take_body(struct spop_conn *conn, const uint8_t *p, size_t n)
{
	size_t take = n < conn->body_left ? n : (size_t)conn->body_left;

	if (conn->request != NULL && take > 0)
		conn->server->handler->body(conn->request, (struct slice){(const char *)p, take});
	conn->body_left -= take;
	if (conn->body_left == 0)
		end_body(conn);
	return take;
}

/* A NOTIFY's head, or the whole of any other frame, is at hand or it is not yet. Returns the bytes used,
 * without the length prefix. */
static size_t take_frame(struct spop_conn *conn, const uint8_t *p, size_t have, size_t length)
{
	struct spop_cursor c = {p, have < length ? have : length, length};
	struct spop_frame frame;
	struct spop_message head;
	uint64_t body_len = 0;
	enum spop_parse parsed = spop_get_frame(&c, &frame);

	if (parsed == SPOP_OK && (frame.flags & SPOP_FLAG_FIN) == 0) {
		refuse(conn, SPOP_ERROR_INVALID, SPOP_STATUS_FRAGMENT);
		return 0;
	}
	if (parsed == SPOP_OK && frame.type == SPOP_NOTIFY && conn->state == CONN_FRAMES) {
		parsed = spop_get_message(&c, &head, &body_len);
	} else if (parsed == SPOP_OK && c.have < c.left) {
		parsed = SPOP_MORE; /* the others are small and taken whole */
	}
	if (parsed == SPOP_MORE)
		return 0;
	if (parsed == SPOP_OK && frame.type == SPOP_NOTIFY && conn->state == CONN_FRAMES) {
		on_notify(conn, &frame, &head, body_len);
		return length - (size_t)body_len;
	}
	if (parsed == SPOP_OK && frame.type == SPOP_HAPROXY_HELLO && conn->state == CONN_HELLO) {
		on_hello(conn, &c);
		return length;
	}
	if (parsed == SPOP_OK && frame.type == SPOP_HAPROXY_DISCONNECT && conn->state == CONN_FRAMES) {
		on_disconnect(conn, &c);
		return length;
	}
	refuse(conn, SPOP_ERROR_INVALID, SPOP_STATUS_INVALID);
	return 0;
}

static bool length_ok(struct spop_conn *conn, size_t length)
{
	size_t limit = conn->state == CONN_HELLO ? conn->server->limits.max_head : conn->max_frame_size;

	if (length >= SPOP_FRAME_MIN && length <= limit)
		return true;
	if (length > limit)
		refuse(conn, SPOP_ERROR_TOO_BIG, SPOP_STATUS_TOO_BIG);
	else
		refuse(conn, SPOP_ERROR_INVALID, SPOP_STATUS_INVALID);
	return false;
}

/* One frame's beginning. Returns the bytes used, 0 to wait for more or when the connection is done. A head
 * that is incomplete is looked at again when the frame is whole or twice the bytes are there, so that a
 * peer that sends byte by byte costs no more than one that does not. */
static size_t take_head(struct spop_conn *conn, const uint8_t *p, size_t n)
{
	if (n < SPOP_LENGTH_SIZE)
		return 0;
	size_t length = spop_get_length(p);
	size_t have = n - SPOP_LENGTH_SIZE;
	if (!length_ok(conn, length) || (have < length && have < conn->next_try))
		return 0;
	size_t used = take_frame(conn, p + SPOP_LENGTH_SIZE, have, length);
	if (used > 0) {
		conn->next_try = 0;
		conn->since_us = clock_mono_us();
		return used + SPOP_LENGTH_SIZE;
	}
	if (conn->state <= CONN_FRAMES && have >= conn->server->limits.max_head)
		refuse(conn, SPOP_ERROR_TOO_BIG, SPOP_STATUS_TOO_BIG);
	conn->next_try = have * 2 > FIRST_TRY ? have * 2 : FIRST_TRY;
	return 0;
}

/* Returns the bytes used; the rest is the beginning of a frame, or waits because too much is in flight. */
static size_t take(struct spop_conn *conn, const uint8_t *p, size_t n)
{
	size_t used = 0;

	while (used < n || conn->state == CONN_BODY) {
		size_t step;
		if (conn->state == CONN_BODY) {
			step = take_body(conn, p + used, n - used);
			if (conn->state == CONN_BODY)
				return used + step;
			used += step;
			continue;
		}
		conn->paused = conn->inflight >= conn->server->limits.max_inflight;
		if (conn->paused || (conn->state != CONN_HELLO && conn->state != CONN_FRAMES))
			return used;
		step = take_head(conn, p + used, n - used);
		if (step == 0)
			return used;
		used += step;
	}
	return used;
}

static bool keep(struct spop_conn *conn, const uint8_t *p, size_t n)
{
	if (conn->in_len + n > conn->in_cap) {
		size_t cap = conn->in_len + n < 4096 ? 4096 : conn->in_len + n;
		uint8_t *grown = malloc(cap);
		if (grown == NULL)
			return false;
		if (conn->in_len > 0)
			memcpy(grown, conn->in, conn->in_len);
		drop_buffer(&conn->in, &conn->in_cap, 0);
		conn->in = grown;
		conn->in_cap = cap;
	}
	memcpy(conn->in + conn->in_len, p, n);
	conn->in_len += n;
	return true;
}

/* What was kept of earlier reads, as far as it goes now. */
static void take_kept(struct spop_conn *conn)
{
	uint64_t generation = conn->generation;
	size_t used = take(conn, conn->in, conn->in_len);

	if (conn->generation != generation)
		return;
	conn->in_len -= used;
	if (conn->in_len == 0)
		drop_buffer(&conn->in, &conn->in_cap, KEEP_BUFFER);
	else if (used > 0)
		memmove(conn->in, conn->in + used, conn->in_len);
}

static void take_read(struct spop_conn *conn, size_t n)
{
	const uint8_t *p = conn->server->scratch;
	uint64_t generation = conn->generation;

	if (conn->in_len > 0) {
		if (keep(conn, p, n))
			take_kept(conn);
		else
			fail(conn, SPOP_ERROR_RESOURCES);
		return;
	}
	size_t used = take(conn, p, n);
	if (conn->generation == generation && used < n && conn->state <= CONN_BODY &&
	    !keep(conn, p + used, n - used))
		fail(conn, SPOP_ERROR_RESOURCES);
}

static void update_reading(struct spop_conn *conn)
{
	bool wanted = !conn->paused && conn->state <= CONN_BODY;

	if (wanted)
		ev_io_start(conn->server->loop, &conn->readable);
	else
		ev_io_stop(conn->server->loop, &conn->readable);
}

/* HAProxy 3.x ends idle connections without a word; only an end within a frame is an error. */
static void on_eof(struct spop_conn *conn)
{
	if (conn->state == CONN_BODY || conn->in_len > 0)
		fail(conn, SPOP_ERROR_IO);
	else
		spop_conn_close(conn);
}

static void on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct spop_conn *conn = io->data;
	struct spop_server *server = conn->server;
	uint64_t generation = conn->generation;
	ssize_t n = recv(conn->fd, server->scratch, sizeof(server->scratch), 0);

	(void)loop;
	(void)revents;
	server->stats.reads++;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		on_eof(conn);
		return;
	}
	server->stats.bytes_in += (uint64_t)n;
	if (conn->in_len == 0 && conn->state != CONN_BODY)
		conn->since_us = clock_mono_us();
	take_read(conn, (size_t)n);
	explicit_bzero(server->scratch, (size_t)n);
	if (conn->generation == generation)
		update_reading(conn);
}

/* ---- before the loop sleeps ---- */

static void on_writable(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)loop;
	(void)revents;
	mark_dirty(io->data);
}

/* False when the connection is gone. */
static bool write_out(struct spop_conn *conn)
{
	struct spop_server *server = conn->server;

	if (conn->out_len == 0)
		return true;
	ssize_t n = send(conn->fd, conn->out, conn->out_len, MSG_NOSIGNAL);
	server->stats.writes++;
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		spop_conn_close(conn);
		return false;
	}
	if (n > 0) {
		server->stats.bytes_out += (uint64_t)n;
		conn->out_len -= (size_t)n;
		memmove(conn->out, conn->out + n, conn->out_len);
	}
	if (conn->out_len > 0)
		ev_io_start(server->loop, &conn->writable);
	else
		ev_io_stop(server->loop, &conn->writable);
	return true;
}

void spop_conn_flush(struct spop_conn *conn)
{
	uint64_t generation = conn->generation;

	if (conn->broken) {
		fail(conn, SPOP_ERROR_IO);
		return;
	}
	if (conn->paused && conn->inflight < conn->server->limits.max_inflight) {
		conn->paused = false;
		take_kept(conn);
		if (conn->generation != generation)
			return;
	}
	if (conn->state == CONN_GOODBYE && conn->inflight == 0)
		say_disconnect(conn, SPOP_STATUS_NORMAL);
	list_remove(&conn->dirty);
	if (!write_out(conn))
		return;
	if (conn->state == CONN_LAST && conn->out_len == 0)
		spop_conn_close(conn);
	else
		update_reading(conn);
}

void spop_conn_goodbye(struct spop_conn *conn)
{
	if (conn->state == CONN_HELLO) {
		spop_conn_close(conn);
		return;
	}
	/* What was received in full is still answered: a paused connection goes on first. */
	if (conn->state == CONN_FRAMES && !conn->paused) {
		conn->state = CONN_GOODBYE;
		conn->since_us = clock_mono_us();
	}
	mark_dirty(conn);
}

void spop_conn_sweep(struct spop_conn *conn, int64_t now_us)
{
	bool waiting = conn->state == CONN_FRAMES ? conn->in_len > 0 && !conn->paused : true;

	if (!waiting || now_us - conn->since_us < conn->server->limits.hello_timeout_us)
		return;
	if (conn->state >= CONN_GOODBYE)
		fail(conn, SPOP_ERROR_IO);
	else
		refuse(conn, SPOP_ERROR_TIMEOUT, SPOP_STATUS_TIMEOUT);
}

bool spop_conn_open(struct spop_server *server, int fd)
{
	struct list *link = list_first(&server->unused);
	struct spop_conn *conn = link ? LIST_ENTRY(link, struct spop_conn, link) : calloc(1, sizeof(*conn));

	if (conn == NULL) {
		close(fd);
		return false;
	}
	if (link != NULL)
		list_remove(link);
	*conn = (struct spop_conn){
		.server = server,
		.generation = conn->generation + 1,
		.fd = fd,
		.since_us = clock_mono_us(),
		.out = conn->out,
		.out_cap = conn->out_cap,
	};
	list_init(&conn->dirty);
	list_append(&server->open, &conn->link);
	ev_io_init(&conn->readable, on_readable, fd, EV_READ);
	ev_io_init(&conn->writable, on_writable, fd, EV_WRITE);
	conn->readable.data = conn;
	conn->writable.data = conn;
	ev_io_start(server->loop, &conn->readable);
	server->stats.connections++;
	server->stats.open++;
	return true;
}
