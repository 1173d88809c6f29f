/* Prometheus' text format: samples lie inside the input and the cursor always moves on. */
#include <stdlib.h>

#include "cli/agent_view.h"
#include "cli/exposition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static bool inside(struct slice part, struct slice whole)
{
	return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size}, rest = text, label;
	enum exposition_status status;
	struct sample sample;

	for (size_t left = size + 1; left > rest.n;) {
		left = rest.n;
		status = exposition_next(&rest, &sample);
		if (status == EXPOSITION_END)
			break;
		must(rest.n < left);
		if (status != EXPOSITION_OK)
			continue;
		must(sample.name.n > 0 && inside(sample.name, text) && inside(sample.labels, text));
		if (sample_label(&sample, "le", &label))
			must(inside(label, sample.labels));
	}
	struct agent_view view = {.reached = true};
	if (agent_view_parse(text, &view) == NULL)
		must(view.version[0] != '\0' && view.first_byte.count <= AGENT_BUCKETS_MAX);
	return 0;
}
