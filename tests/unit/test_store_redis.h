/* A Redis of the test's own, on a unix socket in a temporary directory, and waiting for events. */
#ifndef TOLLGATE_TEST_STORE_REDIS_H
#define TOLLGATE_TEST_STORE_REDIS_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/store.h"

#define WAIT_US 10000000

struct redis {
	char dir[64];
	char socket[96];
	char url[160];
	pid_t pid;
	redisContext *admin; /* blocking */
};

static inline void redis_exec(const struct redis *r, const char *extra)
{
	char config[256];
	FILE *f;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(config, sizeof(config), "%s/redis.conf", r->dir);
	f = fopen(config, "w");
	if (f == NULL)
		_exit(126);
	fprintf(f, "port 0\nunixsocket %s\ndir %s\nsave \"\"\nappendonly no\nlogfile %s/log\n%s\n", r->socket,
		r->dir, r->dir, extra);
	fclose(f);
	execlp("redis-server", "redis-server", config, (char *)NULL);
	_exit(127);
}

static inline bool redis_connect_admin(struct redis *r)
{
	r->admin = redisConnectUnix(r->socket);
	if (r->admin != NULL && r->admin->err == 0)
		return true;
	redisFree(r->admin);
	r->admin = NULL;
	return false;
}

/* Waits until the socket accepts; a Redis that cannot be started fails the test. */
static inline void redis_launch(struct redis *r, const char *extra)
{
	int64_t end = clock_mono_us() + WAIT_US;
	int status = 0;

	unlink(r->socket);
	r->pid = fork();
	cr_assert(r->pid >= 0);
	if (r->pid == 0)
		redis_exec(r, extra);
	while (!redis_connect_admin(r)) {
		cr_assert(waitpid(r->pid, &status, WNOHANG) == 0,
			  "redis-server did not start: is it installed?");
		cr_assert(clock_mono_us() < end, "redis-server does not answer");
		usleep(2000);
	}
}

static inline void redis_start(struct redis *r, const char *extra)
{
	memset(r, 0, sizeof(*r));
	signal(SIGPIPE, SIG_IGN);
	strcpy(r->dir, "/tmp/tollgate-test-XXXXXX");
	cr_assert(mkdtemp(r->dir) != NULL);
	snprintf(r->socket, sizeof(r->socket), "%s/redis.sock", r->dir);
	snprintf(r->url, sizeof(r->url), "unix://%s", r->socket);
	redis_launch(r, extra);
}

static inline void redis_kill(struct redis *r)
{
	if (r->admin != NULL)
		redisFree(r->admin);
	r->admin = NULL;
	if (r->pid > 0) {
		kill(r->pid, SIGKILL);
		waitpid(r->pid, NULL, 0);
	}
	r->pid = 0;
}

static inline void redis_stop(struct redis *r)
{
	char path[400];
	DIR *d;
	struct dirent *e;

	redis_kill(r);
	d = opendir(r->dir);
	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", r->dir, e->d_name);
		unlink(path);
	}
	if (d != NULL)
		closedir(d);
	rmdir(r->dir);
}

/* A command of the administrator; its integer result, or the length of its text or array. An error
 * reply fails the test. */
static inline long long redis_do(struct redis *r, const char *format, ...)
{
	va_list ap;
	redisReply *reply;
	long long result;

	va_start(ap, format);
	reply = redisvCommand(r->admin, format, ap);
	va_end(ap);
	cr_assert(reply != NULL, "%s", r->admin->errstr);
	cr_assert(reply->type != REDIS_REPLY_ERROR, "%s", reply->str);
	result = reply->type == REDIS_REPLY_INTEGER ? reply->integer
		 : reply->type == REDIS_REPLY_ARRAY ? (long long)reply->elements
						    : (long long)reply->len;
	freeReplyObject(reply);
	return result;
}

static inline void nothing_happened(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
}

/* One turn of the loop, which sleeps 20 ms at most. */
static inline void turn(struct ev_loop *loop)
{
	ev_timer guard;

	ev_timer_init(&guard, nothing_happened, 0.02, 0.);
	ev_now_update(loop);
	ev_timer_start(loop, &guard);
	ev_run(loop, EVRUN_ONCE);
	ev_timer_stop(loop, &guard);
}

#define WAIT_FOR(loop, condition) \
	do { \
		int64_t wait_end = clock_mono_us() + WAIT_US; \
		while (!(condition) && clock_mono_us() < wait_end) \
			turn(loop); \
		cr_assert(condition, "waited in vain for " #condition); \
	} while (0)

/* Turns the loop for a time in which something must not happen. */
static inline void idle_for(struct ev_loop *loop, int64_t us)
{
	int64_t end = clock_mono_us() + us;

	while (clock_mono_us() < end)
		turn(loop);
}

static inline struct store_config redis_config(const struct redis *r)
{
	struct store_config config;

	store_config_defaults(&config);
	config.url = slice_of(r->url);
	config.reconnect_min_us = 5000;
	config.reconnect_max_us = 50000;
	return config;
}

static inline struct store_stats stats_of(const struct store *store)
{
	struct store_stats stats;

	store_stats(store, &stats);
	return stats;
}

#endif
