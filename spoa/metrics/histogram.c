/* Histograms and the bounds in use. Bounds are part of the metrics' contract: dashboards and objectives
 * name them, e.g. 5 s to the first token. */
#include "metrics/histogram.h"

const struct metrics_bounds metrics_bounds_decision = {
	11, {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5}};
const struct metrics_bounds metrics_bounds_sync = {
	12, {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5}};
const struct metrics_bounds metrics_bounds_ttft = {11, {0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120}};
const struct metrics_bounds metrics_bounds_request = {
	13, {0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600}};

void metrics_histogram_init(struct metrics_histogram *h, const struct metrics_bounds *bounds)
{
	*h = (struct metrics_histogram){.bounds = bounds};
}

void metrics_observe(struct metrics_histogram *h, double value)
{
	unsigned i = 0;

	if (!(value >= 0))
		return;
	while (i < h->bounds->count && value > h->bounds->le[i])
		i++;
	h->counts[i]++;
	h->sum += value;
}

uint64_t metrics_histogram_count(const struct metrics_histogram *h)
{
	uint64_t total = 0;

	for (unsigned i = 0; i <= h->bounds->count; i++)
		total += h->counts[i];
	return total;
}
