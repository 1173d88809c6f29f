/* Objects of one size, taken in chunks as they are first needed and never more than a maximum. Memory
 * stays with the slab, so nothing is allocated once it is warm. An object starts with a struct list. */
#ifndef TOLLGATE_LIMIT_SLAB_H
#define TOLLGATE_LIMIT_SLAB_H

#include "base/list.h"

struct slab {
	struct list free;
	void **chunks;
	size_t size;
	unsigned chunk_count;
	unsigned chunk_max;
};

/* The maximum is rounded up to whole chunks. False when memory is short. */
bool slab_init(struct slab *slab, size_t size, unsigned max) __attribute__((warn_unused_result));
void slab_done(struct slab *slab);

/* NULL at the maximum or when memory is short. Zeroed when new, else as it was given back; on no list. */
void *slab_take(struct slab *slab);
void slab_give(struct slab *slab, void *object);

#endif
