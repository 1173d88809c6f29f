/* What listeners and connections share. Internal to spop. */
#ifndef TOLLGATE_SPOP_SERVER_H
#define TOLLGATE_SPOP_SERVER_H

#include <sys/types.h>

#include "base/list.h"
#include "spop/agent.h"

enum { SPOP_SCRATCH = 65536, SPOP_LISTENERS_MAX = 8 };

/* A connection is on exactly one of the server's lists: unused, or open. */
struct spop_conn {
	struct list link;
	struct list dirty; /* on the server's dirty list: something is to be done before the loop sleeps */
	struct spop_server *server;
	uint64_t generation; /* of its use; a connection's memory is never given back */
	enum {
		CONN_HELLO,   /* nothing but a HELLO may come */
		CONN_FRAMES,  /* between frames, or a frame's head is incomplete */
		CONN_BODY,    /* within a body */
		CONN_GOODBYE, /* DISCONNECT was heard or a drain began: answers only, then DISCONNECT */
		CONN_LAST,    /* the last bytes are being written; then it is closed */
		CONN_CLOSED,
	} state;
	int fd;
	ev_io readable;
	ev_io writable;
	int64_t since_us; /* when the frame being waited for began */
	uint32_t max_frame_size;
	unsigned inflight;
	bool paused; /* not read, since too much is in flight */
	bool broken; /* its peer does not read; closed when that is safe */
	uint8_t *in; /* the beginning of an incomplete frame */
	size_t in_len;
	size_t in_cap;
	size_t next_try; /* bytes of the frame that must be there before its head is looked at again */
	void *request;   /* whose body is being read; NULL: it is skipped */
	uint64_t body_left;
	uint8_t *out;
	size_t out_len;
	size_t out_cap;
};

struct spop_listener {
	ev_io io;
	int fd;
	struct spop_server *server;
	char path[108]; /* of a unix socket */
	dev_t device;   /* and which one it is: what is removed must still be ours */
	ino_t inode;
};

struct spop_server {
	struct ev_loop *loop;
	struct spop_limits limits;
	const struct spop_handler *handler;
	void *ctx;
	struct spop_stats stats;
	struct list open;
	struct list unused;
	struct list dirty;
	ev_prepare flush;
	ev_timer sweep;
	struct spop_listener listeners[SPOP_LISTENERS_MAX];
	unsigned listener_count;
	int spare_fd; /* given up for a moment when descriptors run out */
	bool draining;
	int64_t drain_until_us;
	void (*drained)(void *ctx);
	void *drained_ctx;
	uint8_t scratch[SPOP_SCRATCH];
};

/* Takes over the descriptor. False when memory is short; the descriptor is then closed. */
bool spop_conn_open(struct spop_server *server, int fd);
void spop_conn_close(struct spop_conn *conn);

/* Before the loop sleeps: writes, goes on reading, says goodbye, closes. */
void spop_conn_flush(struct spop_conn *conn);

/* No new frame is taken; when all is answered it says DISCONNECT and ends. */
void spop_conn_goodbye(struct spop_conn *conn);

/* Ends a connection whose frame has been incomplete for too long. */
void spop_conn_sweep(struct spop_conn *conn, int64_t now_us);

#endif
