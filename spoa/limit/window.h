/* The arithmetic of an exact sliding window: one counter a second, no I/O.
 *
 * A request of second s is let in while the slots from s-60 on hold no more than the limit, its own
 * charge included. Slots later than s count too: they belong to agents whose clock is ahead. So
 * whichever of two requests within 60 seconds of each other looks last sees the other, and admitted
 * seconds never hold more than the limit in any 61. A slot x has left when the second is x + 61. */
#ifndef TOLLGATE_LIMIT_WINDOW_H
#define TOLLGATE_LIMIT_WINDOW_H

#include "base/strbuf.h"

enum {
	WINDOW_MINUTES = 3,    /* the minute before, this one, and the next for clocks that are ahead */
	WINDOW_SLOTS = 60,     /* a minute's string in Redis: that many big-endian u32 */
	WINDOW_REACH_S = 60,   /* how far back a request looks */
	WINDOW_TTL_S = 180,    /* of a minute's string */
	WINDOW_NAME_MAX = 128, /* a string's name with its NUL */
};

/* Three minutes of slots. Seconds are whole unix seconds of Redis' clock, never negative. */
struct window {
	int64_t base; /* the second of slot[0], the start of a minute */
	uint32_t slot[WINDOW_MINUTES * WINDOW_SLOTS];
};

/* Writes tg:w:{k:<id>}:r:<minute>; kind is 'k' (key) or 't' (tenant). */
void window_name(struct strbuf *sb, char kind, struct slice id, int64_t minute);

/* Empty, covering the minute of `second` and its neighbours. */
void window_clear(struct window *w, int64_t second);

/* The same cover for a later second; what is still covered is kept. Never moves back. */
void window_move(struct window *w, int64_t second);

/* Takes over minute `index` (0 to 2) from its string; a missing or short string is zeros at its end. */
void window_load(struct window *w, unsigned index, struct slice text);

/* Both stop at the ends of u32; a second that is not covered is ignored. */
void window_add(struct window *w, int64_t second, uint32_t n);
void window_take(struct window *w, int64_t second, uint32_t n);

/* What a request of `second` sees: every slot from second - 60 on. */
uint64_t window_sum(const struct window *w, int64_t second);

/* What one slot holds. */
uint32_t window_at(const struct window *w, int64_t second);

/* Forgets what is beyond the limit: never more is admitted, so that is charges of others about to be
 * taken back. Newest first, and nothing older than a second, which may be from a higher limit. */
void window_trim(struct window *w, int64_t second, uint32_t limit);

/* True when nothing precedes `second` in its minute. */
bool window_first_of_minute(const struct window *w, int64_t second);

/* A limit and what is known to be used of it. */
struct window_view {
	const struct window *shared; /* what all agents were let do, as Redis last showed it */
	const struct window *own;    /* what this agent let in without Redis; may be NULL */
	uint32_t limit;
	uint32_t agents; /* what Redis shows to be free is divided by so many, rounded up; 1 or more */
};

/* How much more this agent may let in at `second`. */
uint64_t window_free(const struct window_view *view, int64_t second);

/* The first second, not before `second`, at which n more may be let in if nothing else comes; when n is
 * more than can ever be, the second at which the window is empty. */
int64_t window_room_at(const struct window_view *view, int64_t second, uint32_t n);

/* The first second, not before `second`, at which the window is empty. */
int64_t window_empty_at(const struct window_view *view, int64_t second);

/* Whole seconds from now until `second` begins, rounded up; 0 when it has begun. */
uint32_t window_wait_s(int64_t second, int64_t now_us);

#endif
