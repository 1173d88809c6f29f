/* Connecting, logging in and reconnecting.
 *
 * Rules that hiredis imposes, seen in 0.14.1 and 1.2.0:
 * - After a failed connect the connect callback is called with an error and the context freed behind
 *   it; the disconnect callback is not called.
 * - Before the disconnect callback every queued command's callback runs with a NULL reply. They are
 *   ignored: who sent what is known here, and its owner is told once.
 * - redisAsyncFree() may be called in a reply callback, where it is put off, but not in 0.14's connect
 *   callback, where it frees at once what its caller goes on using.
 * - Contexts given up keep calling: `ac->data` is cleared first. */
#include "store/link.h"

#include <fcntl.h>
#include <hiredis/adapters/libev.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/strbuf.h"

static void keep_error(struct link *link, const char *why, struct slice word)
{
	struct strbuf sb = strbuf_over(link->error, sizeof(link->error));

	strbuf_puts(&sb, why);
	if (word.n > 0)
		strbuf_printf(&sb, ": %.*s", SLICE_FMT(word));
}

/* Half of the pause is certain, half is chance, so that agents do not come back in step. */
static double pause_s(const struct link *link)
{
	int64_t us = link->config->reconnect_min_us;
	uint32_t chance = 0;

	for (unsigned i = 1; i < link->failures && us < link->config->reconnect_max_us; i++)
		us *= 2;
	if (us > link->config->reconnect_max_us)
		us = link->config->reconnect_max_us;
	if (getrandom(&chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
		chance = UINT32_MAX / 2;
	return (double)us / 2e6 * (1 + chance / (double)UINT32_MAX);
}

/* The context is gone or going. A connection that did not last is a failure too, or one that Redis
 * closes again and again would be opened without a growing pause. */
static void gone(struct link *link)
{
	bool was_ready = link->state == LINK_READY;

	if (!was_ready)
		link->connect_failures++;
	if (was_ready && clock_mono_us() - link->ready_us > link->config->reconnect_max_us)
		link->failures = 0;
	link->failures++;
	link->ac = NULL;
	link->dirty = false;
	link->state = LINK_PAUSED;
	ev_timer_stop(link->loop, &link->limit);
	ev_timer_set(&link->pause, pause_s(link), 0.);
	ev_timer_start(link->loop, &link->pause);
	if (was_ready)
		link->events->lost(link);
}

static void close_context(struct link *link)
{
	redisAsyncContext *ac = link->ac;

	link->ac = NULL;
	if (ac == NULL)
		return;
	ac->data = NULL;
	redisAsyncFree(ac);
}

static void give_up(struct link *link, const char *why, struct slice word)
{
	if (link->ac == NULL)
		return;
	keep_error(link, why, word);
	close_context(link);
	gone(link);
}

void link_drop(struct link *link, const char *why)
{
	give_up(link, why, (struct slice){NULL, 0});
}

struct slice link_error_word(const redisReply *reply)
{
	struct slice word = {reply->str, 0};

	if (reply->type != REDIS_REPLY_ERROR)
		return word;
	while (word.n < reply->len && word.n < 24 && word.p[word.n] >= 'A' && word.p[word.n] <= 'Z')
		word.n++;
	return word;
}

void link_refuse(struct link *link, const char *what, const redisReply *reply)
{
	give_up(link, what, link_error_word(reply));
}

static void limit_time(struct link *link, int64_t us)
{
	ev_timer_stop(link->loop, &link->limit);
	ev_timer_set(&link->limit, (double)us / 1e6, 0.);
	ev_timer_start(link->loop, &link->limit);
}

static void on_reply(redisAsyncContext *ac, void *reply, void *privdata)
{
	struct link *link = ac->data;
	struct link_command *command = privdata;

	if (link != NULL && reply != NULL)
		command->on_reply(link, reply);
}

bool link_send(struct link *link, struct link_command *command, struct slice text)
{
	if (link->ac == NULL || link->state < LINK_GREETING)
		return false;
	if (redisAsyncFormattedCommand(link->ac, on_reply, command, text.p, text.n) != REDIS_OK) {
		limit_time(link, 0);
		return false;
	}
	link->dirty = true;
	return true;
}

static void on_auth(struct link *link, const redisReply *reply)
{
	if (reply->type == REDIS_REPLY_ERROR)
		link_refuse(link, "login refused", reply);
}

static void on_select(struct link *link, const redisReply *reply)
{
	if (reply->type == REDIS_REPLY_ERROR)
		link_refuse(link, "database refused", reply);
}

/* A name is a courtesy to who reads CLIENT LIST; a user without that right may work. */
static void on_setname(struct link *link, const redisReply *reply)
{
	(void)link;
	(void)reply;
}

static void on_role(struct link *link, const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0 ||
	    reply->element[0]->type != REDIS_REPLY_STRING)
		link_refuse(link, "role not told", reply);
	else if (strcmp(reply->element[0]->str, "master") != 0)
		link_drop(link, "it is not a master");
}

/* PING, unlike ROLE, is refused while Redis loads its data. */
static void on_ping(struct link *link, const redisReply *reply)
{
	if (reply->type == REDIS_REPLY_ERROR) {
		link_refuse(link, "not ready", reply);
		return;
	}
	ev_timer_stop(link->loop, &link->limit);
	link->state = LINK_READY;
	link->ready_us = clock_mono_us();
	link->connects++;
	link->events->ready(link);
}

/* Sends one command of the greeting; what fails is noticed by the limit on its time. */
static void greet_with(struct link *link, struct link_command *command, int argc, const char *const *argv)
{
	struct wire wire = {.p = NULL};

	wire_add_words(&wire, argc, argv);
	if (!wire.failed)
		link_send(link, command, wire_command(&wire, 0));
	wire_done(&wire);
}

static void log_in(struct link *link)
{
	static struct link_command auth = {on_auth};
	const struct store_url *url = link->url;

	if (url->user[0] != '\0')
		greet_with(link, &auth, 3, (const char *const[]){"AUTH", url->user, url->password});
	else if (url->password[0] != '\0')
		greet_with(link, &auth, 2, (const char *const[]){"AUTH", url->password});
}

static void greet(struct link *link)
{
	static struct link_command select = {on_select}, setname = {on_setname}, role = {on_role},
				   ping = {on_ping};
	char number[16];
	struct strbuf db = strbuf_over(number, sizeof(number));

	log_in(link);
	strbuf_u64(&db, link->url->db);
	if (link->url->db != 0)
		greet_with(link, &select, 2, (const char *const[]){"SELECT", number});
	greet_with(link, &setname, 3, (const char *const[]){"CLIENT", "SETNAME", link->name});
	greet_with(link, &role, 1, (const char *const[]){"ROLE"});
	greet_with(link, &ping, 1, (const char *const[]){"PING"});
}

static void on_connect(const redisAsyncContext *ac, int status)
{
	struct link *link = ac->data;

	if (link == NULL)
		return;
	if (status != REDIS_OK) {
		keep_error(link, ac->c.errstr, (struct slice){NULL, 0});
		gone(link);
		return;
	}
	link->state = LINK_GREETING;
	greet(link);
}

static void on_disconnect(const redisAsyncContext *ac, int status)
{
	struct link *link = ac->data;

	(void)status;
	if (link == NULL)
		return;
	keep_error(link, ac->c.errstr, (struct slice){NULL, 0});
	gone(link);
}

static bool attach(struct link *link, redisAsyncContext *ac)
{
	(void)fcntl(ac->c.fd, F_SETFD, FD_CLOEXEC); /* hiredis does not */
	ac->data = link;
	return redisLibevAttach(link->loop, ac) == REDIS_OK &&
	       redisAsyncSetConnectCallback(ac, on_connect) == REDIS_OK &&
	       redisAsyncSetDisconnectCallback(ac, on_disconnect) == REDIS_OK;
}

/* Addresses are numbers by now, so hiredis' getaddrinfo() asks nobody. */
static void connect_now(struct link *link)
{
	const struct store_url *url = link->url;

	link->state = LINK_CONNECTING;
	link->ac = url->path[0] != '\0' ? redisAsyncConnectUnix(url->path)
					: redisAsyncConnect(url->host, url->port);
	if (link->ac == NULL) {
		keep_error(link, "out of memory", (struct slice){NULL, 0});
		gone(link);
	} else if (link->ac->err != 0) {
		link_drop(link, link->ac->c.errstr);
	} else if (!attach(link, link->ac)) {
		link_drop(link, "out of memory");
	} else {
		limit_time(link, link->config->connect_timeout_us);
	}
}

static void on_pause_over(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	connect_now(w->data);
}

static void on_limit(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct link *link = w->data;

	(void)loop;
	(void)revents;
	link_drop(link, link->state == LINK_READY ? "out of memory" : "no answer while connecting");
}

static void on_flush(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct link *link = w->data;

	(void)loop;
	(void)revents;
	if (!link->dirty || link->ac == NULL)
		return;
	link->dirty = false;
	redisAsyncHandleWrite(link->ac);
}

void link_init(struct link *link, struct ev_loop *loop)
{
	link->loop = loop;
	link->state = LINK_OFF;
	ev_timer_init(&link->pause, on_pause_over, 0., 0.);
	ev_timer_init(&link->limit, on_limit, 0., 0.);
	ev_prepare_init(&link->flush, on_flush);
	link->pause.data = link;
	link->limit.data = link;
	link->flush.data = link;
	/* First of those who prepare for sleep: a write that fails ends calls, and what their owners answer
	 * must still be flushed by the others. */
	ev_set_priority(&link->flush, EV_MAXPRI);
}

void link_start(struct link *link)
{
	if (link->state != LINK_OFF)
		return;
	link->state = LINK_PAUSED;
	link->failures = 0;
	ev_prepare_start(link->loop, &link->flush);
	ev_timer_set(&link->pause, 0., 0.);
	ev_timer_start(link->loop, &link->pause);
}

void link_stop(struct link *link)
{
	close_context(link);
	link->state = LINK_OFF;
	link->dirty = false;
	ev_timer_stop(link->loop, &link->pause);
	ev_timer_stop(link->loop, &link->limit);
	ev_prepare_stop(link->loop, &link->flush);
}
