/* The audit log as its producers see it: records go into the queue, or are counted as lost. */
#include "audit/audit.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "audit/record.h"
#include "audit/writer.h"
#include "base/clock.h"

enum { QUEUE_MIN = 64 * 1024 };

/* Decisions leave an eighth of the queue, so that what was admitted can still be completed. */
static size_t queue_limit(const struct audit *a, enum audit_type type)
{
	bool decision = type == AUDIT_TYPE_DECISION;

	return decision ? a->queue.cap - a->queue.cap / 8 : a->queue.cap;
}

static void count_loss(struct audit *a, enum audit_type type, int64_t now_us)
{
	if (a->loss.from_us == 0) {
		a->loss.from_us = now_us;
		a->loss.broken = a->stats.broken;
	}
	a->loss.until_us = now_us;
	a->loss.count[type]++;
	a->stats.dropped[type]++;
}

/* The writer is woken when it may be asleep, and when it should stop gathering. */
static bool push(struct audit *a, enum audit_type type, const struct strbuf *body, int64_t now_us)
{
	bool refused = type == AUDIT_TYPE_DECISION && a->on_failure == AUDIT_REFUSE && a->stats.broken;
	bool was_idle = a->queue.records == 0;
	bool was_half = audit_queue_used(&a->queue) > a->queue.cap / 2;

	if (refused || body->overflow ||
	    !audit_queue_push(&a->queue, type, strbuf_slice(body), queue_limit(a, type))) {
		count_loss(a, type, now_us);
		return false;
	}
	if (was_idle || (!was_half && audit_queue_used(&a->queue) > a->queue.cap / 2))
		(void)pthread_cond_signal(&a->work);
	return true;
}

static bool push_locked(struct audit *a, enum audit_type type, const struct strbuf *body, int64_t now_us)
{
	(void)pthread_mutex_lock(&a->lock);
	bool ok = push(a, type, body, now_us);
	(void)pthread_mutex_unlock(&a->lock);
	return ok;
}

/* True when the refusal went into a sum. */
static bool summed(struct audit *a, const struct audit_decision *decision, int64_t now_us)
{
	(void)pthread_mutex_lock(&a->lock);
	bool first = !audit_refusals_pending(a->refusals);
	bool single = audit_refusals_single(a->refusals, decision, now_us);
	if (!single) {
		a->stats.summed++;
		if (first)
			(void)pthread_cond_signal(&a->work);
	}
	(void)pthread_mutex_unlock(&a->lock);
	return !single;
}

bool audit_decision(struct audit *a, const struct audit_decision *decision)
{
	char buf[AUDIT_BODY_MAX];
	struct strbuf body = strbuf_over(buf, sizeof(buf));
	int64_t now_us = clock_wall_us();

	if (!decision->admitted && summed(a, decision, now_us))
		return true;
	audit_body_decision(&body, now_us, decision);
	return push_locked(a, AUDIT_TYPE_DECISION, &body, now_us);
}

bool audit_complete(struct audit *a, const struct audit_completion *completion)
{
	char buf[AUDIT_BODY_MAX];
	struct strbuf body = strbuf_over(buf, sizeof(buf));
	int64_t now_us = clock_wall_us();

	audit_body_completion(&body, now_us, completion);
	return push_locked(a, AUDIT_TYPE_COMPLETION, &body, now_us);
}

bool audit_event(struct audit *a, enum audit_event event, bool ok, struct slice detail)
{
	static const enum audit_type types[] = {
		[AUDIT_START] = AUDIT_TYPE_START,
		[AUDIT_STOP] = AUDIT_TYPE_STOP,
		[AUDIT_CONFIG_RELOAD] = AUDIT_TYPE_CONFIG_RELOAD,
	};
	char buf[AUDIT_BODY_MAX];
	struct strbuf body = strbuf_over(buf, sizeof(buf));
	int64_t now_us = clock_wall_us();

	audit_body_event(&body, now_us, types[event], ok, detail);
	return push_locked(a, types[event], &body, now_us);
}

void audit_rotate(struct audit *a)
{
	(void)pthread_mutex_lock(&a->lock);
	a->rotate = true;
	(void)pthread_cond_signal(&a->work);
	(void)pthread_mutex_unlock(&a->lock);
}

bool audit_writable(struct audit *a)
{
	(void)pthread_mutex_lock(&a->lock);
	bool room = audit_queue_used(&a->queue) + AUDIT_BODY_MAX <= queue_limit(a, AUDIT_TYPE_DECISION);
	bool ok = a->on_failure == AUDIT_CONTINUE || (room && !a->stats.broken);
	(void)pthread_mutex_unlock(&a->lock);
	return ok;
}

bool audit_flush_wait(struct audit *a, int64_t timeout_us)
{
	struct timespec until = audit_timespec(clock_mono_us() + timeout_us);
	int rc = 0;

	(void)pthread_mutex_lock(&a->lock);
	uint64_t ticket = ++a->flush_asked;
	(void)pthread_cond_signal(&a->work);
	while (a->flush_done < ticket && rc == 0)
		rc = pthread_cond_timedwait(&a->done, &a->lock, &until);
	bool ok = a->flush_done >= ticket;
	(void)pthread_mutex_unlock(&a->lock);
	return ok;
}

void audit_stats(struct audit *a, struct audit_stats *ret)
{
	(void)pthread_mutex_lock(&a->lock);
	*ret = a->stats;
	ret->queued_bytes = audit_queue_used(&a->queue);
	ret->queue_limit_bytes = a->queue.cap;
	ret->queued_records = a->queue.records;
	if (a->idle && a->queue.records == 0)
		ret->last_sync_us = clock_wall_us();
	(void)pthread_mutex_unlock(&a->lock);
}

static bool init_locks(struct audit *a)
{
	pthread_condattr_t attr;

	/* Waiting must not depend on a wall clock that somebody sets. */
	if (pthread_condattr_init(&attr) != 0)
		return false;
	bool ok = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
		  pthread_mutex_init(&a->lock, NULL) == 0 && pthread_cond_init(&a->work, &attr) == 0 &&
		  pthread_cond_init(&a->done, &attr) == 0;
	(void)pthread_condattr_destroy(&attr);
	return ok;
}

/* Signals are the loop's business. */
static bool start_thread(struct audit *a)
{
	sigset_t all;
	sigset_t before;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&a->thread, NULL, audit_writer_main, a);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = rc;
	return rc == 0;
}

/* Takes what audit_new() got so far. */
static void destroy(struct audit *a)
{
	int saved = errno;

	audit_writer_done(a);
	audit_queue_done(&a->queue);
	audit_refusals_free(&a->refusals);
	free(a);
	errno = saved;
}

struct audit *audit_new(const struct audit_config *config)
{
	if (config->queue_bytes < QUEUE_MIN || config->segment_bytes == 0 || config->directory.n == 0) {
		errno = EINVAL;
		return NULL;
	}
	struct audit *a = calloc(1, sizeof(*a));
	if (a == NULL)
		return NULL;
	a->on_failure = config->on_failure;
	a->segment_bytes = config->segment_bytes;
	a->sync_interval_us = config->sync_interval_us;
	a->idle = true;
	a->dir = (struct audit_dir){.dir_fd = -1, .fd = -1};
	a->refusals = audit_refusals_new();
	if (a->refusals != NULL && audit_queue_init(&a->queue, config->queue_bytes) && init_locks(a) &&
	    audit_writer_init(a, config) && start_thread(a))
		return a;
	destroy(a);
	return NULL;
}

void audit_free(struct audit **audit)
{
	struct audit *a = *audit;

	if (a == NULL)
		return;
	(void)pthread_mutex_lock(&a->lock);
	a->stop = true;
	(void)pthread_cond_signal(&a->work);
	(void)pthread_mutex_unlock(&a->lock);
	(void)pthread_join(a->thread, NULL);
	destroy(a);
	*audit = NULL;
}
