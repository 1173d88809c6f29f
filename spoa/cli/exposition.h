/* Reader of the Prometheus text format 0.0.4: a cursor over memory, one sample after the other. */
#ifndef TOLLGATE_CLI_EXPOSITION_H
#define TOLLGATE_CLI_EXPOSITION_H

#include "base/slice.h"

struct sample {
	struct slice name;
	struct slice labels; /* what stands between the braces, raw; see sample_label() */
	double value;        /* may be NaN or infinite */
};

enum exposition_status {
	EXPOSITION_OK,
	EXPOSITION_END,
	EXPOSITION_BAD, /* the line is no sample; *rest stands behind it */
};

/* Skips comments and empty lines. *rest moves behind what was read; *ret is filled for OK only. */
enum exposition_status exposition_next(struct slice *rest, struct sample *ret);

/* The label's value between its quotes, escapes left as they are. */
bool sample_label(const struct sample *sample, const char *name, struct slice *ret);

#endif
