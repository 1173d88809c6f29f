/* The scanner must say the same of a body fed whole and in pieces. The first byte asks for names, the
 * second seeds the sizes of the pieces. */
#include <stdint.h>
#include <stdlib.h>

#include "ollama/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static bool same_result(const struct scan_result *a, const struct scan_result *b)
{
	for (int i = 0; i < NAME_FIELDS; i++)
		if (a->name_len[i] != b->name_len[i] || memcmp(a->name[i], b->name[i], a->name_len[i]) != 0)
			return false;
	return a->have == b->have && memcmp(a->number, b->number, sizeof(a->number)) == 0 &&
	       a->have_keep_alive == b->have_keep_alive && a->keep_alive_ms == b->keep_alive_ms &&
	       a->stream == b->stream && a->raw == b->raw && a->insecure == b->insecure &&
	       a->debug_render_only == b->debug_render_only && a->template == b->template &&
	       a->server_tool == b->server_tool && a->prompt_bytes == b->prompt_bytes &&
	       a->prompt_tokens == b->prompt_tokens && a->images == b->images;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct slice body = {(const char *)data + 2, size - 2};
	uint32_t random = data[1];
	struct scan whole;
	struct scan pieces;
	char text[256];
	struct strbuf sb = strbuf_over(text, sizeof(text));

	scan_init(&whole, data[0]);
	scan_init(&pieces, data[0]);
	(void)scan_feed(&whole, body);
	while (body.n > 0) {
		random = random * 1664525 + 1013904223;
		size_t n = data[1] == 0 ? 1 : (random >> 24) % 24;
		n = n < body.n ? n : body.n;
		(void)scan_feed(&pieces, (struct slice){body.p, n});
		body.p += n;
		body.n -= n;
	}
	require(scan_finish(&whole) == scan_finish(&pieces));
	require(whole.reason == pieces.reason && whole.field == pieces.field);
	require(whole.offset == pieces.offset && whole.offset <= size - 2);
	require(whole.reason != SCAN_OK || same_result(&whole.result, &pieces.result));
	require(whole.reason == SCAN_OK || whole.result.prompt_bytes <= 3 * size);
	scan_message(&whole, &sb);
	require(!sb.overflow);
	return 0;
}
