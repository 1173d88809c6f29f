/* The inside of struct audit, shared by the producers' side (audit.c) and the thread (writer.c). */
#ifndef TOLLGATE_AUDIT_WRITER_H
#define TOLLGATE_AUDIT_WRITER_H

#include <pthread.h>
#include <time.h>

#include "audit/queue.h"
#include "audit/record.h"
#include "audit/refusals.h"
#include "audit/segment.h"

struct audit {
	/* constant */
	enum audit_on_failure on_failure;
	size_t segment_bytes;
	int64_t sync_interval_us;
	pthread_t thread;

	/* under the lock; the writer reads records in the queue without it, see queue.h */
	pthread_mutex_t lock;
	pthread_cond_t work; /* for the writer */
	pthread_cond_t done; /* for who waits for a flush */
	struct audit_queue queue;
	struct audit_refusals *refusals;
	struct audit_loss loss; /* since the last gap record */
	struct audit_stats stats;
	uint64_t flush_asked;
	uint64_t flush_done;
	bool rotate;
	bool stop;
	bool idle; /* nothing taken from the queue waits for the disk */

	/* the writer's alone */
	struct audit_dir dir;
	uint64_t seq; /* of the last record sealed */
	char common[1024];
	char *batch_buf;
	struct strbuf batch; /* sealed lines, kept until they are on disk */
	uint64_t batch_types[AUDIT_TYPES];
	uint64_t segment_records; /* sealed for the open segment */
	uint64_t first_number;    /* of the newest segment at the start */
	bool closing;             /* the batch ends the segment */
	int64_t next_sync_us;     /* monotonic: not before */
	int64_t next_sums_us;
	int64_t retry_us;
};

/* Opens the directory and queues what an earlier agent's end calls for. Sets errno. */
bool audit_writer_init(struct audit *a, const struct audit_config *config)
	__attribute__((warn_unused_result));

/* Takes a half-built object; the thread must have ended. */
void audit_writer_done(struct audit *a);

void *audit_writer_main(void *arg);

static inline struct timespec audit_timespec(int64_t mono_us)
{
	return (struct timespec){.tv_sec = (time_t)(mono_us / 1000000),
				 .tv_nsec = (long)(mono_us % 1000000) * 1000};
}

#endif
