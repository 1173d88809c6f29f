/* The connection on which Redis tells of changed keys.
 *
 * CLIENT TRACKING … BCAST redirected to the connection itself, which then subscribes to the channel of
 * invalidations: that works in RESP2, so with hiredis 0.14, and link and tracking can only die
 * together. Its ping is SUBSCRIBE to the same channel, answered like the first one, because hiredis
 * 0.14 keeps a callback for ever for each PING on a subscribed connection. */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "store/internal.h"

#define CHANNEL "__redis__:invalidate"

enum {
	PREFIXES_MAX = 8,
	PREFIX_LEN_MAX = 63,
};

struct track {
	struct store *store;
	struct link link;
	ev_timer beat; /* sends the next ping, or gives up waiting for its answer */
	bool waiting;
	bool live; /* subscribed: invalidations are heard */
	char prefixes[PREFIXES_MAX][PREFIX_LEN_MAX + 1];
	unsigned count;
	uint64_t invalidations;
	store_invalidate_fn *on_key;
	store_link_fn *on_link;
	void *ctx;
};

static struct track *track_of(struct link *link)
{
	return LIST_ENTRY(link, struct track, link);
}

static void plan_beat(struct track *track, int64_t us, bool waiting)
{
	track->waiting = waiting;
	ev_timer_stop(track->store->loop, &track->beat);
	ev_timer_set(&track->beat, (double)us / 1e6, 0.);
	ev_timer_start(track->store->loop, &track->beat);
}

/* What changed before this moment was not heard. */
static void become_live(struct track *track)
{
	track->live = true;
	track->on_key(track->ctx, (struct slice){NULL, 0});
	track->on_link(track->ctx, true);
}

static void become_deaf(struct track *track)
{
	bool was = track->live;

	ev_timer_stop(track->store->loop, &track->beat);
	track->live = false;
	if (was)
		track->on_link(track->ctx, false);
}

static void tell_keys(struct track *track, const redisReply *keys)
{
	track->invalidations++;
	if (keys->type != REDIS_REPLY_ARRAY) { /* nil: a flush */
		track->on_key(track->ctx, (struct slice){NULL, 0});
		return;
	}
	for (size_t i = 0; i < keys->elements; i++)
		if (keys->element[i]->type == REDIS_REPLY_STRING)
			track->on_key(track->ctx,
				      (struct slice){keys->element[i]->str, keys->element[i]->len});
}

/* [subscribe, channel, 1] or [message, channel, keys or nil] */
static void on_message(struct link *link, const redisReply *reply)
{
	struct track *track = track_of(link);

	if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 3 ||
	    reply->element[0]->type != REDIS_REPLY_STRING) {
		link_refuse(link, "no subscription", reply);
	} else if (strcmp(reply->element[0]->str, "message") == 0) {
		tell_keys(track, reply->element[2]);
	} else {
		plan_beat(track, track->store->config.ping_interval_us, false);
		if (!track->live)
			become_live(track);
	}
}

static void on_tracking(struct link *link, const redisReply *reply)
{
	if (reply->type == REDIS_REPLY_ERROR)
		link_refuse(link, "tracking refused", reply);
}

static void send_words(struct track *track, struct link_command *command, int argc, const char *const *argv)
{
	struct wire wire = {.p = NULL};

	wire_add_words(&wire, argc, argv);
	if (!wire.failed)
		link_send(&track->link, command, wire_command(&wire, 0));
	wire_done(&wire);
}

static void subscribe(struct track *track)
{
	static struct link_command message = {on_message};

	send_words(track, &message, 2, (const char *const[]){"SUBSCRIBE", CHANNEL});
}

static void on_id(struct link *link, const redisReply *reply)
{
	static struct link_command tracking = {on_tracking};
	struct track *track = track_of(link);
	const char *argv[6 + 2 * PREFIXES_MAX] = {"CLIENT", "TRACKING", "ON", "REDIRECT"};
	char id[24];
	struct strbuf sb = strbuf_over(id, sizeof(id));
	int argc = 4;

	if (reply->type != REDIS_REPLY_INTEGER) {
		link_refuse(link, "id not told", reply);
		return;
	}
	strbuf_i64(&sb, reply->integer);
	argv[argc++] = id;
	argv[argc++] = "BCAST";
	for (unsigned i = 0; i < track->count; i++) {
		argv[argc++] = "PREFIX";
		argv[argc++] = track->prefixes[i];
	}
	send_words(track, &tracking, argc, argv);
	subscribe(track);
}

static void on_ready(struct link *link)
{
	static struct link_command id = {on_id};
	struct track *track = track_of(link);

	plan_beat(track, track->store->config.stall_us, true);
	send_words(track, &id, 2, (const char *const[]){"CLIENT", "ID"});
}

static void on_lost(struct link *link)
{
	become_deaf(track_of(link));
}

static void on_beat(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct track *track = w->data;

	(void)loop;
	(void)revents;
	if (track->waiting) {
		link_drop(&track->link, "stalled");
		return;
	}
	plan_beat(track, track->store->config.stall_us, true);
	subscribe(track);
}

void track_start(struct track *track)
{
	link_start(&track->link);
}

void track_stop(struct track *track)
{
	link_stop(&track->link);
	become_deaf(track);
}

void track_stats(const struct track *track, struct store_stats *ret)
{
	ret->tracking = track->live;
	ret->invalidations = track->invalidations;
	memcpy(ret->track_error, track->link.error, sizeof(ret->track_error));
}

void track_free(struct track **track)
{
	if (*track == NULL)
		return;
	track_stop(*track);
	free(*track);
	*track = NULL;
}

static bool copy_prefixes(struct track *track, const char *const *prefixes, unsigned count)
{
	if (count == 0 || count > PREFIXES_MAX)
		return false;
	for (unsigned i = 0; i < count; i++)
		if (prefixes[i][0] == '\0' ||
		    !slice_copy(slice_of(prefixes[i]), track->prefixes[i], sizeof(track->prefixes[i])))
			return false;
	track->count = count;
	return true;
}

bool store_track(struct store *store, const char *const *prefixes, unsigned count,
		 store_invalidate_fn *on_key, store_link_fn *on_link, void *ctx)
{
	static const struct link_events events = {on_ready, on_lost};
	struct track *track = store->track == NULL ? calloc(1, sizeof(*track)) : NULL;

	if (track == NULL || !copy_prefixes(track, prefixes, count)) {
		free(track);
		return false;
	}
	track->store = store;
	track->on_key = on_key;
	track->on_link = on_link;
	track->ctx = ctx;
	track->link.url = &store->url;
	track->link.config = &store->config;
	track->link.events = &events;
	track->link.name = "tollgate-track";
	link_init(&track->link, store->loop);
	ev_timer_init(&track->beat, on_beat, 0., 0.);
	ev_set_priority(&track->beat, -1); /* after the socket: an answer may have come */
	track->beat.data = track;
	store->track = track;
	if (store->link.state == LINK_READY)
		track_start(track);
	return true;
}
