/* Prometheus' text format and what is made of an agent's: broken lines first. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "cli/agent_view.h"
#include "cli/exposition.h"

Test(cli_exposition, refused)
{
	static const char *const rows[] = {
		"a",
		"a ",
		"1a 1",
		"a{ 1",
		"a{} ",
		"a{b} 1",
		"a{b=} 1",
		"a{b=\"c} 1",
		"a{b=\"c\\\"} 1",
		"a{b=\"c\"d=\"e\"} 1",
		"a{,} 1",
		"a{b=\"c\"",
		"a x",
		"a 1x",
		"a 1 x",
		"a 1 2 3",
		"{} 1",
		"a} 1",
		"a 1111111111111111111111111111111111111111111111111111111111111111111111",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice rest = slice_of(rows[i]);
		struct sample sample;
		cr_assert_eq(exposition_next(&rest, &sample), EXPOSITION_BAD, "%s", rows[i]);
		cr_assert_eq(exposition_next(&rest, &sample), EXPOSITION_END, "%s", rows[i]);
	}
}

Test(cli_exposition, samples)
{
	static const struct {
		const char *line, *name;
		double value;
		const char *b; /* the label b; NULL: none */
	} rows[] = {
		{"a 1", "a", 1, NULL},
		{"# HELP a x\n\na 1.5 ", "a", 1.5, NULL},
		{"a{} -2e3", "a", -2000, NULL},
		{"a{b=\"c\"} 0", "a", 0, "c"},
		{"a{b=\"c\",} 0", "a", 0, "c"},
		{"a { b = \"c\" , d = \"e\" } 0", "a", 0, "c"},
		{"a{d=\"b=\\\"x\\\"\",b=\"\"} 7 1700000000000", "a", 7, ""},
		{"a:b_c9{d=\"}\",b=\"\\\\\"} +Inf", "a:b_c9", (double)INFINITY, "\\\\"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice rest = slice_of(rows[i].line), label;
		struct sample sample;
		cr_assert_eq(exposition_next(&rest, &sample), EXPOSITION_OK, "%s", rows[i].line);
		cr_assert(slice_is(sample.name, rows[i].name), "%s", rows[i].line);
		cr_assert(sample.value >= rows[i].value && sample.value <= rows[i].value, "%s", rows[i].line);
		cr_assert_eq(sample_label(&sample, "b", &label), rows[i].b != NULL, "%s", rows[i].line);
		if (rows[i].b != NULL)
			cr_assert(slice_is(label, rows[i].b), "%s", rows[i].line);
		cr_assert_not(sample_label(&sample, "absent", &label));
		cr_assert_eq(exposition_next(&rest, &sample), EXPOSITION_END);
	}
}

#define BUILD "tollgate_build_info{version=\"1.2.3\"} 1\n"

Test(cli_agent_view, refused)
{
	static const char *const rows[] = {"", "# nothing\n", "up 1\n", "<html>\n", BUILD "nonsense\n"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct agent_view view = {.reached = true};
		cr_assert_not_null(agent_view_parse(slice_of(rows[i]), &view), "row %zu", i);
	}
}

Test(cli_agent_view, read)
{
	static const char text[] = BUILD "tollgate_redis_up 1\n"
					 "tollgate_fail_mode_active{mode=\"local_limits\"} 1\n"
					 "tollgate_audit_broken 0\n"
					 "tollgate_inflight_requests 3\n"
					 "tollgate_redis_clock_offset_seconds -0.25\n"
					 "tollgate_audit_dropped_total{type=\"a\"} 1\n"
					 "tollgate_audit_dropped_total{type=\"b\"} 2\n"
					 "tollgate_requests_total{verdict=\"limited\",reason=\"x\"} 4\n"
					 "tollgate_requests_total{verdict=\"limited\",reason=\"y\"} 5\n"
					 "tollgate_requests_total{verdict=\"new\",reason=\"y\"} 5\n"
					 "process_start_time_seconds 1000.5\n";
	struct agent_view view = {.reached = true};

	cr_assert_null(agent_view_parse(slice_of(text), &view));
	cr_assert_str_eq(view.version, "1.2.3");
	cr_assert(view.redis_up && view.local_limits && !view.audit_broken && !view.tracking);
	cr_assert_eq((int)view.inflight, 3);
	cr_assert_eq((int)(view.clock_offset * 100), -25);
	cr_assert_eq((int)view.audit_dropped, 3);
	cr_assert_eq((int)view.verdicts[VERDICT_LIMITED], 9);
	cr_assert_eq((int)view.verdicts[VERDICT_ADMIT], 0);
}

/* A reading with buckets to 1, 2, +Inf. */
static struct agents *reading(double started, double one, double two, double all, double admitted)
{
	struct agents *agents = calloc(1, sizeof(*agents));

	cr_assert_not_null(agents);
	agents->count = 1;
	struct agent_view *a = &agents->agent[0];
	a->reached = true;
	a->started = started;
	a->verdicts[VERDICT_ADMIT] = admitted;
	a->first_byte = (struct agent_buckets){3, {1, 2, (double)INFINITY}, {one, two, all}};
	return agents;
}

Test(cli_agent_view, differences)
{
	static const struct {
		double before[4], after[4], started;
		int p50_ms, admitted;
	} rows[] = {
		{{0, 0, 0, 0}, {0, 0, 0, 0}, 1, -1000, 0},
		{{5, 5, 5, 5}, {5, 5, 5, 5}, 1, -1000, 0},
		{{0, 0, 0, 0}, {10, 10, 10, 10}, 1, 500, 10},
		{{10, 10, 10, 10}, {10, 20, 20, 20}, 1, 1500, 10},
		{{0, 0, 0, 0}, {0, 0, 4, 4}, 1, 2000, 4},
		{{90, 90, 90, 90}, {10, 10, 10, 10}, 2, 500, 10}, /* started anew */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const double *b = rows[i].before, *a = rows[i].after;
		struct agents *before = reading(1, b[0], b[1], b[2], b[3]);
		struct agents *after = reading(rows[i].started, a[0], a[1], a[2], a[3]);
		double verdicts[VERDICT_COUNT];
		cr_assert_eq((int)(agents_quantile(before, after, 0.5) * 1000), rows[i].p50_ms, "row %zu", i);
		agents_verdicts(before, after, verdicts);
		cr_assert_eq((int)verdicts[VERDICT_ADMIT], rows[i].admitted, "row %zu", i);
		before->agent[0].reached = false;
		agents_verdicts(before, after, verdicts);
		cr_assert_eq((int)verdicts[VERDICT_ADMIT], 0, "not reached before");
		free(before);
		free(after);
	}
}
