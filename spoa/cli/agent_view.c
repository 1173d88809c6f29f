/* Reading metrics and their differences. */
#include "cli/agent_view.h"

#include <math.h>
#include <stdlib.h>

#include "cli/exposition.h"
#include "cli/fetch.h"

enum { TIMEOUT_MS = 3000 };

static bool add_url(struct slice url, struct agents *ret)
{
	struct strbuf sb = strbuf_over(ret->agent[ret->count].url, AGENT_URL_MAX);

	while (url.n > 0 && url.p[url.n - 1] == '/')
		url.n--;
	bool plain = slice_starts(url, SLICE_LIT("http://")) || slice_starts(url, SLICE_LIT("https://"));
	if (!plain || memchr(url.p, '@', url.n) != NULL) {
		cli_error("the agents' metrics need URLs like http://127.0.0.1:9464, without credentials");
		return false;
	}
	strbuf_put(&sb, url);
	if (sb.overflow)
		cli_error("a URL of the agents' metrics is too long");
	ret->count++;
	return !sb.overflow;
}

bool agents_urls(const struct cli *cli, struct agents *ret)
{
	const char *text = cli_value(cli, "metrics-url");
	struct slice rest, url;

	memset(ret, 0, sizeof(*ret));
	if (text == NULL)
		text = getenv("TOLLGATE_METRICS_URL");
	rest = slice_of(text != NULL && text[0] != '\0' ? text : "http://127.0.0.1:9464");
	while (slice_next(&rest, ',', &url)) {
		if (ret->count == AGENTS_MAX) {
			cli_error("there are more than %d URLs of agents' metrics", AGENTS_MAX);
			return false;
		}
		if (!add_url(slice_trim(url), ret))
			return false;
	}
	return true;
}

static void take_verdict(const struct sample *s, struct agent_view *view)
{
	struct slice verdict;

	if (!sample_label(s, "verdict", &verdict))
		return;
	for (int i = 0; i < VERDICT_COUNT; i++)
		if (slice_is(verdict, verdict_name((enum verdict)i)))
			view->verdicts[i] += s->value;
}

static void take_bucket(const struct sample *s, struct agent_buckets *b)
{
	struct slice le;
	char text[32];

	if (b->count == AGENT_BUCKETS_MAX || !sample_label(s, "le", &le) ||
	    !slice_copy(le, text, sizeof(text)))
		return;
	b->le[b->count] = strtod(text, NULL);
	b->below[b->count] = s->value;
	b->count++;
}

static void take_version(const struct sample *s, struct agent_view *view)
{
	struct slice version;

	if (!sample_label(s, "version", &version))
		return;
	struct strbuf sb = strbuf_over(view->version, sizeof(view->version));
	strbuf_put(&sb, version);
}

static void take(const struct sample *s, struct agent_view *view)
{
	const struct {
		const char *name;
		double *number;
		bool *flag;
	} plain[] = {
		{"tollgate_redis_up", NULL, &view->redis_up},
		{"tollgate_redis_tracking", NULL, &view->tracking},
		{"tollgate_fail_mode_active", NULL, &view->local_limits},
		{"tollgate_audit_broken", NULL, &view->audit_broken},
		{"tollgate_inflight_requests", &view->inflight, NULL},
		{"tollgate_deciding_requests", &view->deciding, NULL},
		{"tollgate_redis_clock_offset_seconds", &view->clock_offset, NULL},
		{"process_start_time_seconds", &view->started, NULL},
	};

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (!slice_is(s->name, plain[i].name))
			continue;
		if (plain[i].flag != NULL)
			*plain[i].flag = *plain[i].flag || s->value > 0;
		else
			*plain[i].number = s->value;
		return;
	}
	if (slice_is(s->name, "tollgate_requests_total"))
		take_verdict(s, view);
	else if (slice_is(s->name, "tollgate_time_to_first_token_seconds_bucket"))
		take_bucket(s, &view->first_byte);
	else if (slice_is(s->name, "tollgate_audit_dropped_total"))
		view->audit_dropped += s->value;
	else if (slice_is(s->name, "tollgate_build_info"))
		take_version(s, view);
}

const char *agent_view_parse(struct slice text, struct agent_view *ret)
{
	struct sample sample;
	enum exposition_status status;

	while ((status = exposition_next(&text, &sample)) == EXPOSITION_OK)
		take(&sample, ret);
	if (status == EXPOSITION_BAD)
		return "its answer is not Prometheus' text format";
	return ret->version[0] != '\0' ? NULL : "it is no tollgated: tollgate_build_info is missing";
}

static void read_agent(struct agent_view *view)
{
	char url[AGENT_URL_MAX + 16];
	struct strbuf sb = strbuf_over(url, sizeof(url));
	struct fetched body;
	struct agent_view fresh = {.reached = true};
	struct strbuf why = strbuf_over(fresh.why, sizeof(fresh.why));

	memcpy(fresh.url, view->url, sizeof(fresh.url));
	strbuf_printf(&sb, "%s/metrics", view->url);
	if (!fetch_get(url, TIMEOUT_MS, &body, &why)) {
		fresh.reached = false;
	} else {
		const char *wrong = agent_view_parse((struct slice){body.p, body.n}, &fresh);
		fresh.reached = wrong == NULL;
		strbuf_puts(&why, wrong != NULL ? wrong : "");
		fetched_free(&body);
	}
	*view = fresh;
}

void agents_read(struct agents *agents)
{
	for (size_t i = 0; i < agents->count; i++)
		read_agent(&agents->agent[i]);
}

/* Whether `before` is the same process, so that differences mean something. */
static bool same_run(const struct agent_view *before, const struct agent_view *after)
{
	return before->reached && fabs(before->started - after->started) < 0.005;
}

void agents_verdicts(const struct agents *before, const struct agents *after, double ret[VERDICT_COUNT])
{
	memset(ret, 0, VERDICT_COUNT * sizeof(*ret));
	for (size_t i = 0; i < after->count; i++) {
		const struct agent_view *a = &after->agent[i], *b = &before->agent[i];
		/* one that was not reached before would count its whole life as this moment's */
		if (!a->reached || !b->reached)
			continue;
		for (int v = 0; v < VERDICT_COUNT; v++)
			ret[v] += a->verdicts[v] - (same_run(b, a) ? b->verdicts[v] : 0);
	}
}

/* All agents have the same buckets: they are of one version, or the sum is of those that agree. */
static void sum_buckets(const struct agents *before, const struct agents *after, struct agent_buckets *ret)
{
	ret->count = 0;
	for (size_t i = 0; i < after->count; i++) {
		const struct agent_view *a = &after->agent[i], *b = &before->agent[i];
		if (!a->reached || !b->reached || a->first_byte.count == 0)
			continue;
		if (ret->count == 0) {
			*ret = a->first_byte;
			memset(ret->below, 0, sizeof(ret->below));
		}
		if (a->first_byte.count != ret->count)
			continue;
		bool same = same_run(b, a) && b->first_byte.count == ret->count;
		for (size_t k = 0; k < ret->count; k++)
			ret->below[k] += a->first_byte.below[k] - (same ? b->first_byte.below[k] : 0);
	}
}

double agents_quantile(const struct agents *before, const struct agents *after, double q)
{
	struct agent_buckets sum;

	sum_buckets(before, after, &sum);
	double all = sum.count > 0 ? sum.below[sum.count - 1] : 0;
	if (!(all > 0))
		return -1;
	for (size_t i = 0; i < sum.count; i++) {
		if (sum.below[i] < q * all)
			continue;
		double low = i > 0 ? sum.le[i - 1] : 0, under = i > 0 ? sum.below[i - 1] : 0;
		if (isinf(sum.le[i])) /* beyond the last bound nothing is known */
			return low;
		double inside = sum.below[i] - under;
		return inside > 0 ? low + (sum.le[i] - low) * (q * all - under) / inside : sum.le[i];
	}
	return -1;
}

double agents_inflight(const struct agents *agents)
{
	double sum = 0;

	for (size_t i = 0; i < agents->count; i++)
		sum += agents->agent[i].reached ? agents->agent[i].inflight : 0;
	return sum;
}
