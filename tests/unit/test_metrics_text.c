/* The exposition's text, its bounds, and what promtool says about it when it is installed. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/metrics.h"

static void collect_huge(void *ctx, struct metrics_out *out)
{
	metrics_family(out, "t_total", "Help.", METRICS_COUNTER);
	for (int i = 0; i < *(int *)ctx; i++)
		metrics_sample_u64(out, METRICS_LABELS({"a", SLICE_LIT("0123456789")}), 1);
}

Test(metrics_text, too_much_is_refused_and_forgotten)
{
	struct metrics *m = metrics_new(100000);
	struct slice text;
	int lines = 100000;

	cr_assert(metrics_register(m, collect_huge, &lines));
	cr_expect(!metrics_render(m, &text));
	lines = 1;
	cr_assert(metrics_render(m, &text));
	cr_expect(slice_is(text,
			   "# HELP t_total Help.\n# TYPE t_total counter\nt_total{a=\"0123456789\"} 1\n"));
	metrics_free(&m);
	cr_expect_null(m);
}

static void collect_escapes(void *ctx, struct metrics_out *out)
{
	(void)ctx;
	metrics_family(out, "a", "One \\ two\nthree \"four\".", METRICS_GAUGE);
	metrics_sample(out, METRICS_LABELS({"x", SLICE_LIT("q\"b\\n\nz")}, {"y", {NULL, 0}}), 1);
}

Test(metrics_text, escapes)
{
	struct metrics *m = metrics_new(65536);
	struct slice text;

	cr_assert(metrics_register(m, collect_escapes, NULL));
	cr_assert(metrics_render(m, &text));
	cr_expect(slice_is(text, "# HELP a One \\\\ two\\nthree \"four\".\n# TYPE a gauge\n"
				 "a{x=\"q\\\"b\\\\n\\nz\",y=\"\"} 1\n"),
		  "%.*s", SLICE_FMT(text));
	metrics_free(&m);
}

static const double numbers[] = {0,
				 0.1,
				 -2.5,
				 1e15,
				 1700000000.123456,
				 9007199254740993.0,
				 1.0 / 3,
				 5e-324,
				 1.7976931348623157e308,
				 NAN,
				 INFINITY,
				 -INFINITY};

static void collect_number(void *ctx, struct metrics_out *out)
{
	metrics_gauge(out, "v", "V.", *(const double *)ctx);
}

Test(metrics_text, numbers_read_back)
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct metrics *m = metrics_new(4096);
		struct slice text;
		double value = numbers[i];
		cr_assert(metrics_register(m, collect_number, &value));
		cr_assert(metrics_render(m, &text));
		const char *line = memmem(text.p, text.n, "\nv ", 3);
		cr_assert_not_null(line);
		double back = strtod(line + 3, NULL);
		cr_expect(back == value || (isnan(back) && isnan(value)), "%.*s", SLICE_FMT(text));
		metrics_free(&m);
	}
}

Test(metrics_text, histograms_count_up)
{
	static const struct metrics_bounds bounds = {2, {1, 2.5}};
	struct metrics_histogram h;

	metrics_histogram_init(&h, &bounds);
	metrics_observe(&h, NAN);
	metrics_observe(&h, -1);
	cr_expect_eq(metrics_histogram_count(&h), 0);
	metrics_observe(&h, 0);
	metrics_observe(&h, 1); /* a bound is inside */
	metrics_observe(&h, 2);
	metrics_observe(&h, 100);
	cr_expect_eq(metrics_histogram_count(&h), 4);
	cr_expect_eq(h.counts[0], 2);
	cr_expect_eq(h.counts[1], 1);
	cr_expect_eq(h.counts[2], 1);
	cr_expect_float_eq(h.sum, 103, 1e-9);
}

static void collect_all(void *ctx, struct metrics_out *out)
{
	metrics_counter(out, "t_requests_total", "Requests.", 18446744073709551615U);
	metrics_family(out, "t_wait_seconds", "Wait.", METRICS_HISTOGRAM);
	metrics_sample_histogram(out, METRICS_LABELS({"kind", SLICE_LIT("a")}), ctx);
	metrics_sample_histogram(out, METRICS_LABELS({"kind", SLICE_LIT("b\n\"")}), ctx);
	metrics_family(out, "t_age_seconds", "Age.", METRICS_HISTOGRAM);
	metrics_sample_histogram(out, NULL, ctx);
}

static bool has(struct slice text, const char *line)
{
	return memmem(text.p, text.n, line, strlen(line)) != NULL;
}

static int promtool(struct slice text)
{
	FILE *to = popen("promtool check metrics >&2", "w");

	cr_assert_not_null(to);
	cr_assert_eq(fwrite(text.p, 1, text.n, to), text.n);
	return pclose(to);
}

Test(metrics_text, a_whole_exposition_is_clean)
{
	struct metrics *m = metrics_new(65536);
	struct metrics_histogram h;
	struct slice text;

	metrics_histogram_init(&h, &metrics_bounds_ttft);
	metrics_observe(&h, 0.3);
	cr_assert(metrics_register(m, collect_all, &h));
	cr_assert(metrics_register_process(m, "1.2.3"));
	cr_assert(metrics_render(m, &text));
	cr_expect(has(text, "\nt_requests_total 18446744073709551615\n"));
	cr_expect(has(text, "\nt_wait_seconds_bucket{kind=\"a\",le=\"0.25\"} 0\n"));
	cr_expect(has(text, "\nt_wait_seconds_bucket{kind=\"a\",le=\"+Inf\"} 1\n"));
	cr_expect(has(text, "\nt_age_seconds_bucket{le=\"120\"} 1\n"));
	cr_expect(has(text, "\nt_age_seconds_sum 0.3\nt_age_seconds_count 1\n"));
	cr_expect(has(text, "\ntollgate_build_info{version=\"1.2.3\"} 1\n"));
	if (system("command -v promtool >/dev/null 2>&1") == 0)
		cr_expect_eq(promtool(text), 0);
	metrics_free(&m);
}

static double sample(struct slice text, const char *name)
{
	char wanted[128];

	snprintf(wanted, sizeof(wanted), "\n%s ", name);
	const char *at = memmem(text.p, text.n, wanted, strlen(wanted));
	cr_assert_not_null(at, "%s", name);
	return strtod(at + strlen(wanted), NULL);
}

Test(metrics_text, the_process_measures_itself)
{
	struct metrics *m = metrics_new(65536);
	struct slice text;

	cr_assert(metrics_register_process(m, "0"));
	cr_assert(metrics_render(m, &text));
	cr_expect_gt(sample(text, "process_resident_memory_bytes"), 500000);
	cr_expect_geq(sample(text, "process_cpu_seconds_total"), 0);
	cr_expect_geq(sample(text, "process_open_fds"), 2);
	cr_expect_gt(sample(text, "process_max_fds"), sample(text, "process_open_fds"));
	cr_expect_gt(sample(text, "process_start_time_seconds"), 1600000000);
	double started = sample(text, "process_start_time_seconds");
	cr_assert(metrics_render(m, &text));
	cr_expect_float_eq(sample(text, "process_start_time_seconds"), started, 0);
	metrics_free(&m);
}
