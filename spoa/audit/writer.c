/* The thread that gives records their numbers and brings them to the disk, a commit at a time.
 *
 * What it has taken from the queue stays in the batch until it is synced. When the disk refuses, the
 * same batch is tried again every second, so that a record that was taken is never lost to an error. */
#include "audit/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

enum {
	SECOND_US = 1000000,
	BATCH_BYTES = 256 * 1024,
	LINE_BYTES = AUDIT_BODY_MAX + sizeof(((struct audit *)0)->common) + 64, /* longest sealed record */
};

/* The one place where a record becomes a line of the log: whatever ties lines together belongs here. */
static void seal(struct audit *a, enum audit_type type, struct slice body)
{
	strbuf_puts(&a->batch, "{\"v\":1,\"seq\":");
	strbuf_u64(&a->batch, ++a->seq);
	strbuf_putc(&a->batch, ',');
	strbuf_put(&a->batch, body);
	strbuf_puts(&a->batch, a->common);
	strbuf_puts(&a->batch, "}\n");
	a->batch_types[type]++;
	a->segment_records++;
}

static bool batch_has_room(const struct audit *a)
{
	return a->batch.cap - a->batch.len > LINE_BYTES;
}

static void seal_rotate(struct audit *a, int64_t wall_us)
{
	char buf[1024];
	struct strbuf body = strbuf_over(buf, sizeof(buf));

	audit_body_rotate(&body, wall_us, slice_of(a->dir.name), a->segment_records + 1);
	seal(a, AUDIT_TYPE_ROTATE, strbuf_slice(&body));
	a->closing = true;
}

static void seal_loss(struct audit *a, int64_t wall_us)
{
	char buf[1024];
	struct strbuf body = strbuf_over(buf, sizeof(buf));

	audit_body_loss(&body, wall_us, &a->loss);
	seal(a, AUDIT_TYPE_GAP, strbuf_slice(&body));
	a->loss = (struct audit_loss){0};
}

/* Everything that waits, or as much as there is room for; then *sums stays true. */
static void seal_sums(struct audit *a, int64_t wall_us, bool *sums)
{
	char buf[4096];
	struct audit_refusal_sum sum;

	while (*sums && batch_has_room(a)) {
		struct strbuf body = strbuf_over(buf, sizeof(buf));
		*sums = audit_refusals_take(a->refusals, &sum);
		if (!*sums)
			break;
		audit_body_refusals(&body, wall_us, &sum);
		seal(a, AUDIT_TYPE_REFUSALS, strbuf_slice(&body));
	}
	if (!*sums)
		a->next_sums_us = 0;
}

/* Called with the lock, which is let go while records are copied: producers do not touch them. */
static void seal_queued(struct audit *a, uint64_t end)
{
	uint64_t at = a->queue.tail;
	uint64_t count = 0;
	unsigned type;
	struct slice body;

	(void)pthread_mutex_unlock(&a->lock);
	while (batch_has_room(a) && audit_queue_next(&a->queue, &at, end, &type, &body)) {
		seal(a, (enum audit_type)type, body);
		count++;
	}
	(void)pthread_mutex_lock(&a->lock);
	audit_queue_release(&a->queue, at, count);
}

/* Fills the batch. A rotation is a batch of its own, since its record is the segment's last. */
static void gather(struct audit *a, uint64_t end, bool *sums)
{
	int64_t wall_us = clock_wall_us();
	bool rotate = a->rotate;

	a->rotate = false;
	if (a->dir.fd >= 0 && (rotate || audit_dir_due(&a->dir, a->segment_bytes, wall_us))) {
		seal_rotate(a, wall_us);
		return;
	}
	if (a->loss.from_us != 0)
		seal_loss(a, wall_us);
	seal_queued(a, end);
	seal_sums(a, wall_us, sums);
}

static bool commit(struct audit *a)
{
	if (a->dir.fd < 0 && !audit_dir_begin(&a->dir, clock_wall_us()))
		return false;
	return audit_dir_commit(&a->dir, strbuf_slice(&a->batch));
}

/* The batch is on disk. */
static void settle(struct audit *a, int64_t started_us)
{
	int64_t now_us = clock_mono_us();

	for (unsigned i = 0; i < AUDIT_TYPES; i++) {
		a->stats.written[i] += a->batch_types[i];
		a->batch_types[i] = 0;
	}
	a->batch = strbuf_over(a->batch.p, a->batch.cap);
	if (a->closing) {
		audit_dir_end(&a->dir);
		a->segment_records = 0;
		a->closing = false;
	}
	a->stats.syncs++;
	a->stats.segments = a->dir.number - a->first_number;
	a->stats.broken = false;
	a->stats.last_sync_us = clock_wall_us();
	metrics_observe(&a->stats.sync_seconds, (double)(now_us - started_us) / SECOND_US);
	a->next_sync_us = now_us + a->sync_interval_us;
}

static void fail(struct audit *a, int error)
{
	a->stats.write_errors++;
	a->stats.last_error = error;
	a->stats.broken = true;
	a->retry_us = clock_mono_us() + SECOND_US;
}

/* One commit; called with the lock, which is not held while the disk works. */
static bool turn(struct audit *a, uint64_t end, bool *sums)
{
	if (a->batch.len == 0)
		gather(a, end, sums);
	if (a->batch.len == 0)
		return true;
	(void)pthread_mutex_unlock(&a->lock);
	int64_t started_us = clock_mono_us();
	bool ok = commit(a);
	int error = errno;
	(void)pthread_mutex_lock(&a->lock);
	if (ok)
		settle(a, started_us);
	else
		fail(a, error);
	return ok;
}

/* Brings to the disk what waits now; what comes meanwhile is the next cycle's. */
static void cycle(struct audit *a)
{
	uint64_t end = a->queue.head;
	uint64_t ticket = a->flush_asked;
	bool sums = a->stop || a->flush_done < ticket ||
		    (a->next_sums_us != 0 && clock_mono_us() >= a->next_sums_us);
	bool ok;

	a->idle = false;
	do {
		ok = turn(a, end, &sums);
	} while (ok && (a->queue.tail != end || sums));
	a->idle = ok;
	if (ok && a->flush_done < ticket) {
		a->flush_done = ticket;
		(void)pthread_cond_broadcast(&a->done);
	}
}

static bool work_waits(const struct audit *a)
{
	return a->batch.len > 0 || a->queue.records > 0 || a->loss.from_us != 0 || a->rotate;
}

/* Monotonic time of the next cycle; INT64_MAX: when somebody calls. */
static int64_t next_cycle(struct audit *a, int64_t now_us)
{
	bool sums = audit_refusals_pending(a->refusals);

	if (sums && a->next_sums_us == 0)
		a->next_sums_us = now_us + SECOND_US;
	if (a->stop)
		return now_us;
	if (a->stats.broken)
		return a->retry_us;
	if (a->flush_done < a->flush_asked)
		return now_us;
	if (work_waits(a))
		return audit_queue_used(&a->queue) > a->queue.cap / 2 ? now_us : a->next_sync_us;
	return sums ? a->next_sums_us : INT64_MAX;
}

static void wait_for_work(struct audit *a)
{
	for (;;) {
		int64_t now_us = clock_mono_us();
		int64_t at_us = next_cycle(a, now_us);
		if (at_us <= now_us)
			return;
		if (at_us == INT64_MAX) {
			(void)pthread_cond_wait(&a->work, &a->lock);
		} else {
			struct timespec at = audit_timespec(at_us);
			(void)pthread_cond_timedwait(&a->work, &a->lock, &at);
		}
	}
}

void *audit_writer_main(void *arg)
{
	struct audit *a = arg;

	(void)pthread_setname_np(pthread_self(), "audit");
	(void)pthread_mutex_lock(&a->lock);
	do {
		wait_for_work(a);
		cycle(a);
	} while (!a->stop || (!a->stats.broken && (work_waits(a) || audit_refusals_pending(a->refusals))));
	(void)pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* Joins times of several machines and boots. Empty where /proc does not show it. */
static struct slice read_boot_id(char *buf, size_t cap)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, cap);

	if (fd >= 0)
		(void)close(fd);
	if (n > 0 && buf[n - 1] == '\n')
		n--;
	return (struct slice){buf, n > 0 ? (size_t)n : 0};
}

static void fill_common(struct audit *a, struct slice version)
{
	char host[256] = "";
	char boot[64];
	struct strbuf sb = strbuf_over(a->common, sizeof(a->common));

	(void)gethostname(host, sizeof(host) - 1);
	strbuf_puts(&sb, ",\"boot_id\":");
	strbuf_json(&sb, read_boot_id(boot, sizeof(boot)));
	strbuf_puts(&sb, ",\"host\":");
	strbuf_json(&sb, (struct slice){host, strnlen(host, 128)});
	strbuf_puts(&sb, ",\"agent_version\":");
	strbuf_json(&sb, version);
}

static void seal_torn(struct audit *a, const struct audit_tail *tail)
{
	char buf[1024];
	struct strbuf body = strbuf_over(buf, sizeof(buf));

	audit_body_torn(&body, clock_wall_us(), slice_of(tail->segment), tail->torn, tail->damaged);
	seal(a, AUDIT_TYPE_GAP, strbuf_slice(&body));
}

bool audit_writer_init(struct audit *a, const struct audit_config *config)
{
	char path[4096];
	struct audit_tail tail;

	if (!slice_copy(config->directory, path, sizeof(path)) || config->version.n > AUDIT_TEXT_MAX) {
		errno = EINVAL;
		return false;
	}
	a->batch_buf = malloc(BATCH_BYTES);
	if (a->batch_buf == NULL)
		return false;
	a->batch = strbuf_over(a->batch_buf, BATCH_BYTES);
	metrics_histogram_init(&a->stats.sync_seconds, &metrics_bounds_sync);
	fill_common(a, config->version);
	if (!audit_dir_open(&a->dir, path, &tail))
		return false;
	a->seq = tail.seq;
	a->first_number = a->dir.number;
	if (tail.torn > 0 || tail.damaged)
		seal_torn(a, &tail);
	return true;
}

void audit_writer_done(struct audit *a)
{
	audit_dir_close(&a->dir);
	free(a->batch_buf);
	a->batch_buf = NULL;
}
