/* Chunked pool of equal objects. */
#include "limit/slab.h"

#include <stdlib.h>

enum { CHUNK = 64 };

bool slab_init(struct slab *slab, size_t size, unsigned max)
{
	list_init(&slab->free);
	slab->size = size;
	slab->chunk_count = 0;
	slab->chunk_max = max / CHUNK + (max % CHUNK != 0);
	slab->chunks = calloc(slab->chunk_max > 0 ? slab->chunk_max : 1, sizeof(*slab->chunks));
	return slab->chunks != NULL;
}

void slab_done(struct slab *slab)
{
	while (slab->chunk_count > 0)
		free(slab->chunks[--slab->chunk_count]);
	free(slab->chunks);
	slab->chunks = NULL;
	list_init(&slab->free);
}

static void grow(struct slab *slab)
{
	if (slab->chunk_count == slab->chunk_max)
		return;
	char *chunk = calloc(CHUNK, slab->size);
	if (chunk == NULL)
		return;
	slab->chunks[slab->chunk_count++] = chunk;
	for (size_t i = 0; i < CHUNK; i++)
		slab_give(slab, chunk + i * slab->size);
}

void *slab_take(struct slab *slab)
{
	if (list_empty(&slab->free))
		grow(slab);
	struct list *node = list_first(&slab->free);
	if (node != NULL)
		list_remove(node);
	return node;
}

void slab_give(struct slab *slab, void *object)
{
	list_append(&slab->free, object);
}
