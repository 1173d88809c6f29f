/* The store as a whole: its life, and whether it is up. */
#include "store/store.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/internal.h"

void store_config_defaults(struct store_config *config)
{
	*config = (struct store_config){
		.connect_timeout_us = 1000000,
		.stall_us = 1000000,
		.ping_interval_us = 1000000,
		.ping_late_us = 30000,
		.reconnect_min_us = 50000,
		.reconnect_max_us = 2000000,
		.max_pending = 4096,
		.breaker_failures = 5,
	};
}

void store_update(struct store *store)
{
	bool up =
		store->link.state == LINK_READY && store->probed && !store->condemned && !store->breaker_open;

	if (up == store->up)
		return;
	store->up = up;
	for (unsigned i = 0; i < store->listener_count; i++)
		store->listeners[i].fn(store->listeners[i].ctx, up);
}

static void on_ready(struct link *link)
{
	struct store *store = LIST_ENTRY(link, struct store, link);

	probe_start(store);
	if (store->track != NULL)
		track_start(store->track);
}

/* The invalidations' connection is given up too: the next may reach another server, behind a name or
 * address that moved, and both must be connected to the same. */
static void on_lost(struct link *link)
{
	struct store *store = LIST_ENTRY(link, struct store, link);

	probe_stop(store);
	store->probed = false;
	store->condemned = false;
	store->breaker_open = false;
	store->late_run = 0;
	store_update(store);
	calls_lose(store);
	if (store->track != NULL)
		track_stop(store->track);
}

static bool config_sane(const struct store_config *c)
{
	return c->connect_timeout_us > 0 && c->stall_us > 0 && c->ping_interval_us > 0 &&
	       c->ping_late_us > 0 && c->reconnect_min_us > 0 && c->reconnect_max_us >= c->reconnect_min_us &&
	       c->max_pending > 0 && c->max_pending <= 1000000;
}

/* Returns 0 or an errno value. */
static int read_url(struct store *store)
{
	struct store_url *url = &store->url;

	if (!config_sane(&store->config) || store_url_parse(store->config.url, url) != NULL)
		return EINVAL;
	if (store->config.password.n > 0 &&
	    (memchr(store->config.password.p, '\0', store->config.password.n) != NULL ||
	     !slice_copy(store->config.password, url->password, sizeof(url->password))))
		return EINVAL;
	store->config.url = (struct slice){NULL, 0};
	store->config.password = (struct slice){NULL, 0};
	if (url->user[0] != '\0' && url->password[0] == '\0')
		return EINVAL;
	return store_url_resolve(url) ? 0 : EHOSTUNREACH;
}

struct store *store_new(struct ev_loop *loop, const struct store_config *config)
{
	static const struct link_events events = {on_ready, on_lost};
	struct store *store = calloc(1, sizeof(*store));

	if (store == NULL)
		return NULL;
	store->loop = loop;
	store->config = *config;
	store->link.url = &store->url;
	store->link.config = &store->config;
	store->link.events = &events;
	store->link.name = "tollgate";
	int failed = read_url(store);
	link_init(&store->link, loop);
	probe_init(store);
	if (failed == 0 && !calls_init(store))
		failed = ENOMEM;
	if (failed != 0) {
		store_free(&store);
		errno = failed;
		return NULL;
	}
	link_start(&store->link);
	return store;
}

void store_free(struct store **store)
{
	struct store *s = *store;

	if (s == NULL)
		return;
	link_stop(&s->link);
	on_lost(&s->link);
	track_free(&s->track);
	calls_done(s);
	store_url_wipe(&s->url);
	free(s);
	*store = NULL;
}

bool store_up(const struct store *store)
{
	return store->up;
}

void store_on_state(struct store *store, store_state_fn *fn, void *ctx)
{
	if (store->listener_count < STORE_LISTENERS)
		store->listeners[store->listener_count++] = (struct listener){fn, ctx};
}

void store_stats(const struct store *store, struct store_stats *ret)
{
	*ret = store->stats;
	ret->connects = store->link.connects;
	ret->connect_failures = store->link.connect_failures;
	ret->pending = store->calls.pending;
	ret->up = store->up;
	ret->breaker_open = store->breaker_open;
	if (store->track != NULL)
		track_stats(store->track, ret);
	if (store->probe.measured)
		ret->clock_offset_us = clock_mono_us() + store->probe.clock_delta_us - clock_wall_us();
	memcpy(ret->last_error, store->link.error, sizeof(ret->last_error));
}
