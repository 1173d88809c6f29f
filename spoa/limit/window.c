/* Sliding window arithmetic. */
#include "limit/window.h"

#include <assert.h>

enum { COVER_S = WINDOW_MINUTES * WINDOW_SLOTS };

void window_name(struct strbuf *sb, char kind, struct slice id, int64_t minute)
{
	strbuf_puts(sb, "tg:w:{");
	strbuf_putc(sb, kind);
	strbuf_putc(sb, ':');
	strbuf_put(sb, id);
	strbuf_puts(sb, "}:r:");
	strbuf_i64(sb, minute);
}

static int64_t base_of(int64_t second)
{
	return (second / WINDOW_SLOTS - 1) * WINDOW_SLOTS;
}

void window_clear(struct window *w, int64_t second)
{
	memset(w->slot, 0, sizeof(w->slot));
	w->base = base_of(second);
}

void window_move(struct window *w, int64_t second)
{
	int64_t gone = base_of(second) - w->base;

	if (gone <= 0)
		return;
	if (gone >= COVER_S) {
		window_clear(w, second);
		return;
	}
	size_t kept = (size_t)(COVER_S - gone);
	memmove(w->slot, w->slot + gone, kept * sizeof(w->slot[0]));
	memset(w->slot + kept, 0, (COVER_S - kept) * sizeof(w->slot[0]));
	w->base += gone;
}

void window_load(struct window *w, unsigned index, struct slice text)
{
	const unsigned char *p = (const unsigned char *)text.p;
	uint32_t *slot = w->slot + (size_t)index * WINDOW_SLOTS;

	assert(index < WINDOW_MINUTES);
	for (size_t i = 0; i < WINDOW_SLOTS; i++, slot++) {
		uint32_t v = 0;
		for (size_t byte = 4 * i; byte < 4 * i + 4; byte++)
			v = v << 8 | (byte < text.n ? p[byte] : 0);
		*slot = v;
	}
}

static uint32_t *slot_of(struct window *w, int64_t second)
{
	int64_t at = second - w->base;

	return at >= 0 && at < COVER_S ? &w->slot[at] : NULL;
}

void window_add(struct window *w, int64_t second, uint32_t n)
{
	uint32_t *slot = slot_of(w, second);

	if (slot != NULL)
		*slot = n > UINT32_MAX - *slot ? UINT32_MAX : *slot + n;
}

void window_take(struct window *w, int64_t second, uint32_t n)
{
	uint32_t *slot = slot_of(w, second);

	if (slot != NULL)
		*slot = n > *slot ? 0 : *slot - n;
}

uint32_t window_at(const struct window *w, int64_t second)
{
	int64_t at = second - w->base;

	return at >= 0 && at < COVER_S ? w->slot[at] : 0;
}

uint64_t window_sum(const struct window *w, int64_t second)
{
	int64_t from = second - WINDOW_REACH_S - w->base;
	uint64_t sum = 0;

	for (int64_t i = from > 0 ? from : 0; i < COVER_S; i++)
		sum += w->slot[i];
	return sum;
}

void window_trim(struct window *w, int64_t second, uint32_t limit)
{
	uint64_t sum = window_sum(w, second);
	uint64_t beyond = sum > limit ? sum - limit : 0;
	int64_t oldest = second - 1 > w->base ? second - 1 - w->base : 0;

	for (int64_t i = COVER_S - 1; i >= oldest && beyond > 0; i--) {
		uint32_t drop = w->slot[i] < beyond ? w->slot[i] : (uint32_t)beyond;
		w->slot[i] -= drop;
		beyond -= drop;
	}
}

bool window_first_of_minute(const struct window *w, int64_t second)
{
	for (int64_t t = second - second % WINDOW_SLOTS; t < second; t++)
		if (window_at(w, t) != 0)
			return false;
	return true;
}

/* free = share of what is not used by all, less what is used by this agent alone */
static uint64_t free_of(const struct window_view *view, uint64_t shared, uint64_t own)
{
	uint64_t left = view->limit > shared ? view->limit - shared : 0;
	uint64_t share = (left + view->agents - 1) / view->agents;

	return share > own ? share - own : 0;
}

uint64_t window_free(const struct window_view *view, int64_t second)
{
	return free_of(view, window_sum(view->shared, second),
		       view->own != NULL ? window_sum(view->own, second) : 0);
}

/* Before this second nothing leaves: lets a clock that was set back not be walked second by second. */
static int64_t first_leaving(const struct window_view *view, uint64_t shared, uint64_t own)
{
	int64_t first = shared > 0 ? view->shared->base : INT64_MAX;

	if (own > 0 && view->own->base < first)
		first = view->own->base;
	return first + WINDOW_REACH_S;
}

int64_t window_room_at(const struct window_view *view, int64_t second, uint32_t n)
{
	uint64_t shared = window_sum(view->shared, second);
	uint64_t own = view->own != NULL ? window_sum(view->own, second) : 0;

	while (free_of(view, shared, own) < n && shared + own > 0) {
		int64_t first = first_leaving(view, shared, own);
		if (second < first)
			second = first;
		shared -= window_at(view->shared, second - WINDOW_REACH_S);
		if (view->own != NULL)
			own -= window_at(view->own, second - WINDOW_REACH_S);
		second++;
	}
	return second;
}

static int64_t last_used(const struct window *w)
{
	int64_t i = COVER_S - 1;

	while (i >= 0 && w->slot[i] == 0)
		i--;
	return i >= 0 ? w->base + i : -1;
}

int64_t window_empty_at(const struct window_view *view, int64_t second)
{
	int64_t last = last_used(view->shared);
	int64_t own = view->own != NULL ? last_used(view->own) : -1;

	last = own > last ? own : last;
	return last >= second - WINDOW_REACH_S ? last + WINDOW_REACH_S + 1 : second;
}

uint32_t window_wait_s(int64_t second, int64_t now_us)
{
	int64_t wait_us = second * 1000000 - now_us;

	return wait_us > 0 ? (uint32_t)((wait_us + 999999) / 1000000) : 0;
}
