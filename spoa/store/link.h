/* One connection to Redis that keeps coming back: connect, log in, see that it is a master that has
 * loaded its data, then `ready`; after a loss a pause that grows, with jitter, and again.
 *
 * What is peculiar to hiredis, 0.14 and 1.x alike, stays in link.c. The process must ignore SIGPIPE:
 * hiredis 0.14 writes with write(2). */
#ifndef TOLLGATE_STORE_LINK_H
#define TOLLGATE_STORE_LINK_H

#include <ev.h>
#include <hiredis/async.h>

#include "store/store.h"
#include "store/url.h"
#include "store/wire.h"

enum link_state {
	LINK_OFF,        /* not wanted */
	LINK_PAUSED,     /* the timer will try again */
	LINK_CONNECTING, /* the kernel is at it */
	LINK_GREETING,   /* logging in and asking who is there */
	LINK_READY,
};

struct link;

/* Neither may free the link. `lost` comes only after `ready`. */
struct link_events {
	void (*ready)(struct link *link);
	void (*lost)(struct link *link);
};

/* Never called for a command whose connection broke. May drop the link. */
typedef void link_reply_fn(struct link *link, const redisReply *reply);

struct link_command {
	link_reply_fn *on_reply;
};

struct link {
	const struct store_url *url;
	const struct store_config *config;
	const struct link_events *events;
	const char *name; /* for CLIENT SETNAME */
	/* readable */
	enum link_state state;
	uint64_t connects;
	uint64_t connect_failures;
	char error[160]; /* why it was last given up */
	/* private */
	struct ev_loop *loop;
	redisAsyncContext *ac;
	ev_timer pause;
	ev_timer limit;   /* of connecting and greeting */
	ev_prepare flush; /* one write for all commands of a turn */
	bool dirty;
	unsigned failures; /* in a row */
	int64_t ready_us;
};

/* url, config, events and name are set before. */
void link_init(struct link *link, struct ev_loop *loop);

/* Connects when the loop turns; nothing when already started. */
void link_start(struct link *link);

/* Closes without `lost` and stays off. */
void link_stop(struct link *link);

/* Gives the connection up: `lost` if it was ready, then a new attempt after a pause. */
void link_drop(struct link *link, const char *why);

/* The same because of an unwanted reply to `what`; of the reply only its first word is kept, since
 * Redis quotes arguments in some errors. */
void link_refuse(struct link *link, const char *what, const redisReply *reply);

/* Queues one command; `command` must stay for ever. False: not connected, or no memory; in the second
 * case the connection is dropped when the loop turns and nothing more may be sent. */
bool link_send(struct link *link, struct link_command *command, struct slice text);

/* The first word of an error reply, "" for others. */
struct slice link_error_word(const redisReply *reply);

#endif
