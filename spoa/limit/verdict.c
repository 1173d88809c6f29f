/* Verdicts over one or two windows. */
#include "limit/verdict.h"

/* Beyond what a window can hold: an answer from a clock that was set back. */
enum { WAIT_MAX_S = WINDOW_MINUTES * WINDOW_SLOTS };

static struct window_view view_of(const struct call_scope *cs, int64_t second, unsigned agents)
{
	return scope_view(cs->scope, second, cs->limit, agents);
}

static uint32_t wait_s(int64_t second, int64_t now_us)
{
	uint32_t wait = window_wait_s(second, now_us);

	return wait < WAIT_MAX_S ? wait : WAIT_MAX_S;
}

bool verdict_admits(const struct call_scope *scope, unsigned scopes, int64_t second)
{
	for (unsigned i = 0; i < scopes; i++) {
		struct window_view view = view_of(&scope[i], second, 1);
		uint64_t used = window_sum(view.shared, second);
		uint32_t slot = window_at(view.shared, second);
		if (slot > scope[i].upto)
			used -= slot - scope[i].upto;
		if (view.own != NULL)
			used += window_sum(view.own, second);
		if (used > view.limit)
			return false;
	}
	return true;
}

static bool fits(const struct call_scope *cs, uint32_t n, int64_t second, unsigned agents)
{
	struct window_view view = view_of(cs, second, agents);

	return window_free(&view, second) >= n;
}

bool verdict_room(const struct call_scope *scope, unsigned scopes, uint32_t n, int64_t second)
{
	for (unsigned i = 0; i < scopes; i++)
		if (!fits(&scope[i], n, second, 1))
			return false;
	return true;
}

void verdict_forget_charge(const struct call_scope *scope, unsigned scopes, const struct admission_attempt *a)
{
	for (unsigned i = 0; i < scopes; i++) {
		struct scope *s = scope[i].scope;
		bool key = scope_kind(s) == 'k';
		bool charged = key ? a->key_charged : a->tenant_charged;
		if (charged && slice_eq(scope_id(s), key ? a->key : a->tenant))
			window_take(&s->shared, a->second, a->n);
	}
}

static enum limit_scope scope_word(const struct call_scope *cs)
{
	return scope_kind(cs->scope) == 'k' ? LIMIT_SCOPE_KEY : LIMIT_SCOPE_TENANT;
}

static void describe(const struct call_scope *cs, unsigned agents, int64_t now_us, struct limit_verdict *v)
{
	int64_t second = now_us / 1000000;
	struct window_view view = view_of(cs, second, agents);
	uint64_t left = window_free(&view, second);

	v->scope = scope_word(cs);
	v->limit = cs->limit;
	v->remaining = left < cs->limit ? (uint32_t)left : cs->limit;
	v->reset_s = wait_s(window_empty_at(&view, second), now_us);
}

/* Of the policies that let pass, the one with the least left. */
static void admit(const struct call_scope *scope, unsigned scopes, unsigned agents, int64_t now_us,
		  struct limit_verdict *ret)
{
	*ret = (struct limit_verdict){.outcome = LIMIT_ADMITTED};
	for (unsigned i = 0; i < scopes; i++) {
		struct limit_verdict v = *ret;
		describe(&scope[i], agents, now_us, &v);
		if (i == 0 || v.remaining < ret->remaining)
			*ret = v;
	}
}

/* Of the policies that refuse, the one that refuses longest. */
static void limit(const struct call_scope *scope, unsigned scopes, uint32_t n, unsigned agents,
		  int64_t now_us, struct limit_verdict *ret)
{
	int64_t second = now_us / 1000000;
	int64_t latest = second;

	admit(scope, scopes, agents, now_us, ret);
	for (unsigned i = 0; i < scopes; i++) {
		struct window_view view = view_of(&scope[i], second, agents);
		int64_t room_at = window_room_at(&view, second, n);
		if (room_at <= latest)
			continue;
		latest = room_at;
		describe(&scope[i], agents, now_us, ret);
	}
	ret->outcome = LIMIT_LIMITED;
	ret->retry_after_s = wait_s(latest, now_us);
	if (ret->retry_after_s == 0)
		ret->retry_after_s = 1;
}

void verdict_admitted(const struct call_scope *scope, unsigned scopes, int64_t now_us,
		      struct limit_verdict *ret)
{
	admit(scope, scopes, 1, now_us, ret);
}

void verdict_limited(const struct call_scope *scope, unsigned scopes, uint32_t n, int64_t now_us,
		     struct limit_verdict *ret)
{
	limit(scope, scopes, n, 1, now_us, ret);
}

void verdict_deny(const struct call_scope *scope, unsigned scopes, uint32_t n, int64_t now_us)
{
	int64_t second = now_us / 1000000;

	for (unsigned i = 0; i < scopes; i++) {
		window_trim(&scope[i].scope->shared, second, scope[i].limit);
		if (!fits(&scope[i], n, second, 1))
			scope[i].scope->denied_at_us = now_us;
	}
}

bool verdict_denied(const struct call_scope *scope, unsigned scopes, uint32_t n, int64_t now_us,
		    int64_t max_age_us, struct limit_verdict *ret)
{
	bool denied = false;

	for (unsigned i = 0; i < scopes; i++) {
		int64_t age_us = now_us - scope[i].scope->denied_at_us;
		if (age_us >= 0 && age_us < max_age_us && !fits(&scope[i], n, now_us / 1000000, 1))
			denied = true;
	}
	if (denied)
		verdict_limited(scope, scopes, n, now_us, ret);
	return denied;
}

void verdict_local(const struct call_scope *scope, unsigned scopes, uint32_t n, unsigned agents,
		   int64_t now_us, struct limit_verdict *ret)
{
	int64_t second = now_us / 1000000;
	bool room = true;

	for (unsigned i = 0; i < scopes; i++)
		room = room && fits(&scope[i], n, second, agents);
	if (room) {
		for (unsigned i = 0; i < scopes; i++)
			scope_add_own(scope[i].scope, second, n);
		admit(scope, scopes, agents, now_us, ret);
	} else {
		limit(scope, scopes, n, agents, now_us, ret);
	}
	ret->mode = LIMIT_MODE_LOCAL;
}
