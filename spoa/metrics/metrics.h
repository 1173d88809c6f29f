/* Prometheus text exposition 0.0.4. Each module keeps its own counters; a collector it registers writes
 * them out when a scrape comes. Every label combination must be written from the start, also at 0, and
 * label values come from closed sets only: no key, path, address or model as a client sent it. */
#ifndef TOLLGATE_METRICS_METRICS_H
#define TOLLGATE_METRICS_METRICS_H

#include "base/slice.h"
#include "metrics/histogram.h"

struct metrics;
struct metrics_out;

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

struct metrics_label {
	const char *name; /* NULL ends the list */
	struct slice value;
};

/* metrics_sample(out, METRICS_LABELS({"verdict", slice_of(v)}, {"reason", slice_of(r)}), 3.0);
 * NULL stands for no labels. */
#define METRICS_LABELS(...) ((const struct metrics_label[]){__VA_ARGS__, {NULL, {NULL, 0}}})

typedef void metrics_collect_fn(void *ctx, struct metrics_out *out);

/* The exposition may grow to `max_bytes`. NULL when memory is short. */
struct metrics *metrics_new(size_t max_bytes);
void metrics_free(struct metrics **metrics);

/* Collectors are called in the order of registration. False when memory is short. */
bool metrics_register(struct metrics *metrics, metrics_collect_fn *fn, void *ctx)
	__attribute__((warn_unused_result));

/* Runs all collectors. *ret is valid until the next call. False when the text would pass max_bytes or
 * memory is short. */
bool metrics_render(struct metrics *metrics, struct slice *ret) __attribute__((warn_unused_result));

/* Starts a family; the samples that follow belong to it. Names end in _total for counters and in the
 * base unit else (_seconds, _bytes). */
void metrics_family(struct metrics_out *out, const char *name, const char *help, enum metrics_type type);

/* One sample of a counter or gauge. */
void metrics_sample(struct metrics_out *out, const struct metrics_label *labels, double value);
void metrics_sample_u64(struct metrics_out *out, const struct metrics_label *labels, uint64_t value);

/* All samples of a histogram. */
void metrics_sample_histogram(struct metrics_out *out, const struct metrics_label *labels,
			      const struct metrics_histogram *h);

/* A family of one sample without labels. */
void metrics_counter(struct metrics_out *out, const char *name, const char *help, uint64_t value);
void metrics_gauge(struct metrics_out *out, const char *name, const char *help, double value);

/* The standard process_* families and tollgate_build_info{version}; `version` must stay. */
bool metrics_register_process(struct metrics *metrics, const char *version)
	__attribute__((warn_unused_result));

#endif
