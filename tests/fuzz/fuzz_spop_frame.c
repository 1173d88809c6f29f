/* The SPOP codec: any bytes, cut at any place, must be read within their bounds; what is whole and good
 * must be found good with every byte count before it. */
#include <stdlib.h>

#include "spop/codec.h"

static enum spop_parse read_frame(const uint8_t *data, size_t have, size_t left)
{
	struct spop_cursor c = {data, have, left};
	struct spop_frame frame;
	struct spop_message head;
	struct spop_hello hello;
	uint64_t body_len;
	uint32_t status;
	enum spop_parse r = spop_get_frame(&c, &frame);

	if (r != SPOP_OK)
		return r;
	struct spop_cursor again = c;
	if (spop_get_hello(&again, &hello) == SPOP_OK && hello.version_ok && !hello.have_versions)
		abort();
	again = c;
	(void)spop_get_disconnect(&again, &status);
	r = spop_get_message(&c, &head, &body_len);
	if (r == SPOP_OK && (body_len != c.left || head.count > SPOP_ARGS_MAX))
		abort();
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1);

	memcpy(exact, data, size);
	enum spop_parse whole = read_frame(exact, size, size);
	if (whole == SPOP_MORE)
		abort();
	/* The same frame while it arrives: MORE, until the verdict is the one of the whole. */
	for (size_t have = 0; have < size && size < 512; have++) {
		enum spop_parse part = read_frame(exact, have, size);
		if (part != SPOP_MORE && part != whole)
			abort();
	}
	(void)read_frame(exact, size, size + 1000);
	free(exact);
	return 0;
}
