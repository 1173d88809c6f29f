/* The files of the audit log: a locked directory and the segment that is being written.
 *
 * A commit is on disk as a whole or not at all: when writing or syncing fails, the segment is cut back
 * to what was synced before, so that the same bytes can be tried again. (After a failed sync the kernel
 * takes the lost pages for clean; only writing them anew brings them back.) */
#ifndef TOLLGATE_AUDIT_SEGMENT_H
#define TOLLGATE_AUDIT_SEGMENT_H

#include "base/slice.h"

struct audit_dir {
	int dir_fd;      /* also holds the lock */
	int fd;          /* of the open segment, -1 when there is none */
	char name[64];   /* of the open segment, or of the last one */
	uint64_t number; /* of that segment; 0 before the first */
	uint64_t size;   /* bytes known to be on disk */
	int64_t day;     /* since 1970 (UTC), when the segment was opened */
	bool dirty;      /* there may be bytes behind `size` */
};

/* What an earlier agent left. */
struct audit_tail {
	uint64_t seq;     /* of the last record; 0: no record was found */
	uint64_t torn;    /* bytes that were cut off since they were no whole line */
	bool damaged;     /* the last whole line is no record of ours; it stays */
	char segment[64]; /* where that was */
};

/* Every function that returns false sets errno. */

/* Opens and locks the directory and looks at the newest segments. */
bool audit_dir_open(struct audit_dir *dir, const char *path, struct audit_tail *ret)
	__attribute__((warn_unused_result));
void audit_dir_close(struct audit_dir *dir);

/* Opens the next segment. */
bool audit_dir_begin(struct audit_dir *dir, int64_t wall_us) __attribute__((warn_unused_result));

/* Closes the open segment, whose bytes are all on disk. */
void audit_dir_end(struct audit_dir *dir);

/* The open segment is past `limit` bytes, of another day, or was removed by somebody. */
bool audit_dir_due(const struct audit_dir *dir, uint64_t limit, int64_t wall_us);

/* Appends and syncs. */
bool audit_dir_commit(struct audit_dir *dir, struct slice bytes) __attribute__((warn_unused_result));

/* Reads `{"v":1,"seq":N,` and a closing brace; the line is without its newline. */
bool audit_line_seq(struct slice line, uint64_t *ret) __attribute__((warn_unused_result));

#endif
