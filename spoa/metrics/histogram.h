/* A histogram with fixed bounds, updated by one thread. */
#ifndef TOLLGATE_METRICS_HISTOGRAM_H
#define TOLLGATE_METRICS_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define METRICS_BOUNDS_MAX 20

/* Ascending upper bounds, in the metric's unit; the bucket for +Inf is implied. */
struct metrics_bounds {
	unsigned count;
	double le[METRICS_BOUNDS_MAX];
};

extern const struct metrics_bounds metrics_bounds_decision; /* 0.5 ms to 500 ms: decisions, Redis */
extern const struct metrics_bounds metrics_bounds_sync;     /* 0.5 ms to 5 s: disks */
extern const struct metrics_bounds metrics_bounds_ttft;     /* 0.1 s to 120 s; long tail for cold loads */
extern const struct metrics_bounds metrics_bounds_request;  /* 0.1 s to 600 s: whole requests, queues */

struct metrics_histogram {
	const struct metrics_bounds *bounds; /* static */
	uint64_t counts[METRICS_BOUNDS_MAX + 1];
	double sum;
};

/* All zero. */
void metrics_histogram_init(struct metrics_histogram *h, const struct metrics_bounds *bounds);

/* Values below 0 and NaN are not counted. */
void metrics_observe(struct metrics_histogram *h, double value);

uint64_t metrics_histogram_count(const struct metrics_histogram *h);

#endif
