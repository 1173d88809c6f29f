/* The registry and the writer of the text format. */
#include "metrics/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct collector {
	metrics_collect_fn *fn;
	void *ctx;
};

struct metrics_out {
	char *buf;
	size_t len;
	size_t cap;
	size_t max;
	bool failed;      /* what follows is thrown away */
	const char *name; /* of the family being written */
};

struct metrics {
	struct metrics_out out;
	struct collector *collectors;
	size_t count;
};

struct metrics *metrics_new(size_t max_bytes)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (m != NULL)
		m->out.max = max_bytes;
	return m;
}

void metrics_free(struct metrics **metrics)
{
	struct metrics *m = *metrics;

	if (m == NULL)
		return;
	free(m->out.buf);
	free(m->collectors);
	free(m);
	*metrics = NULL;
}

bool metrics_register(struct metrics *m, metrics_collect_fn *fn, void *ctx)
{
	struct collector *grown = realloc(m->collectors, (m->count + 1) * sizeof(*grown));

	if (grown == NULL)
		return false;
	m->collectors = grown;
	m->collectors[m->count++] = (struct collector){fn, ctx};
	return true;
}

bool metrics_render(struct metrics *m, struct slice *ret)
{
	m->out.len = 0;
	m->out.failed = false;
	for (size_t i = 0; i < m->count; i++)
		m->collectors[i].fn(m->collectors[i].ctx, &m->out);
	*ret = (struct slice){m->out.buf, m->out.len};
	return !m->out.failed;
}

static bool reserve(struct metrics_out *out, size_t n)
{
	if (out->failed || n > out->max - out->len) {
		out->failed = true;
		return false;
	}
	if (n <= out->cap - out->len)
		return true;
	size_t cap = out->cap > 0 ? out->cap : 16384;
	while (cap - out->len < n)
		cap *= 2;
	char *grown = realloc(out->buf, cap);
	if (grown == NULL) {
		out->failed = true;
		return false;
	}
	out->buf = grown;
	out->cap = cap;
	return true;
}

static void put(struct metrics_out *out, struct slice s)
{
	if (s.n > 0 && reserve(out, s.n)) {
		memcpy(out->buf + out->len, s.p, s.n);
		out->len += s.n;
	}
}

static void put_text(struct metrics_out *out, const char *text)
{
	put(out, slice_of(text));
}

/* Backslash, newline and, in label values, the double quote. */
static void put_escaped(struct metrics_out *out, struct slice s, bool quotes)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c == '\n')
			put(out, SLICE_LIT("\\n"));
		else if (c == '\\' || (quotes && c == '"'))
			put(out, (struct slice){(const char[]){'\\', c}, 2});
		else
			put(out, (struct slice){&s.p[i], 1});
	}
}

/* The shortest of two forms that reads back as the same number. */
static void put_double(struct metrics_out *out, double v)
{
	char text[40];

	if (isnan(v)) {
		put_text(out, "NaN");
		return;
	}
	if (isinf(v)) {
		put_text(out, v > 0 ? "+Inf" : "-Inf");
		return;
	}
	(void)snprintf(text, sizeof(text), "%.15g", v);
	double back = strtod(text, NULL);
	if (back < v || back > v)
		(void)snprintf(text, sizeof(text), "%.17g", v);
	put_text(out, text);
}

static void put_u64(struct metrics_out *out, uint64_t v)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
	put_text(out, text);
}

/* `le` is the bound of a histogram's bucket, NULL for other samples. */
static void put_labels(struct metrics_out *out, const struct metrics_label *labels, const double *le)
{
	const char *separator = "{";

	for (; labels != NULL && labels->name != NULL; labels++) {
		put_text(out, separator);
		put_text(out, labels->name);
		put_text(out, "=\"");
		put_escaped(out, labels->value, true);
		put_text(out, "\"");
		separator = ",";
	}
	if (le != NULL) {
		put_text(out, separator);
		put_text(out, "le=\"");
		put_double(out, *le);
		put_text(out, "\"");
		separator = ",";
	}
	put_text(out, *separator == '{' ? " " : "} ");
}

static void put_name(struct metrics_out *out, const char *suffix, const struct metrics_label *labels,
		     const double *le)
{
	put_text(out, out->name);
	put_text(out, suffix);
	put_labels(out, labels, le);
}

void metrics_family(struct metrics_out *out, const char *name, const char *help, enum metrics_type type)
{
	static const char *const types[] = {
		[METRICS_COUNTER] = "counter", [METRICS_GAUGE] = "gauge", [METRICS_HISTOGRAM] = "histogram"};

	out->name = name;
	put_text(out, "# HELP ");
	put_text(out, name);
	put_text(out, " ");
	put_escaped(out, slice_of(help), false);
	put_text(out, "\n# TYPE ");
	put_text(out, name);
	put_text(out, " ");
	put_text(out, types[type]);
	put_text(out, "\n");
}

void metrics_sample(struct metrics_out *out, const struct metrics_label *labels, double value)
{
	put_name(out, "", labels, NULL);
	put_double(out, value);
	put_text(out, "\n");
}

void metrics_sample_u64(struct metrics_out *out, const struct metrics_label *labels, uint64_t value)
{
	put_name(out, "", labels, NULL);
	put_u64(out, value);
	put_text(out, "\n");
}

void metrics_sample_histogram(struct metrics_out *out, const struct metrics_label *labels,
			      const struct metrics_histogram *h)
{
	uint64_t below = 0;

	for (unsigned i = 0; i <= h->bounds->count; i++) {
		double le = i < h->bounds->count ? h->bounds->le[i] : (double)INFINITY;
		below += h->counts[i];
		put_name(out, "_bucket", labels, &le);
		put_u64(out, below);
		put_text(out, "\n");
	}
	put_name(out, "_sum", labels, NULL);
	put_double(out, h->sum);
	put_text(out, "\n");
	put_name(out, "_count", labels, NULL);
	put_u64(out, below);
	put_text(out, "\n");
}

void metrics_counter(struct metrics_out *out, const char *name, const char *help, uint64_t value)
{
	metrics_family(out, name, help, METRICS_COUNTER);
	metrics_sample_u64(out, NULL, value);
}

void metrics_gauge(struct metrics_out *out, const char *name, const char *help, double value)
{
	metrics_family(out, name, help, METRICS_GAUGE);
	metrics_sample(out, NULL, value);
}
