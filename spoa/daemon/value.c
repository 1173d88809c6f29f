/* Values of settings: text to member and back. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/address.h"
#include "daemon/settings.h"
#include "store/url.h"

struct unit {
	const char *name;
	int64_t factor;
};

/* Ascending, so that printing can look for the largest that divides the value. */
static const struct unit duration_units[] = {
	{"us", 1}, {"ms", 1000}, {"s", 1000000}, {"m", 60000000}, {"h", INT64_C(3600000000)}, {NULL, 0},
};
static const struct unit size_units[] = {
	{"B", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}, {NULL, 0},
};

static void *member_of(const struct setting *s, struct config *config)
{
	return (char *)config + s->offset;
}

static const void *member_in(const struct setting *s, const struct config *config)
{
	return (const char *)config + s->offset;
}

/* Digits and a unit; a bare 0 needs none. */
static bool parse_units(const struct unit *units, struct slice text, int64_t *ret)
{
	size_t digits = 0;
	uint64_t number;

	while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9')
		digits++;
	if (!slice_to_u64((struct slice){text.p, digits}, INT64_MAX, &number))
		return false;
	struct slice unit = {text.p + digits, text.n - digits};
	if (unit.n == 0 && number == 0) {
		*ret = 0;
		return true;
	}
	while (units->name != NULL && !slice_is(unit, units->name))
		units++;
	return units->name != NULL && !__builtin_mul_overflow(number, units->factor, ret);
}

static void print_units(const struct unit *units, int64_t value, struct strbuf *sb)
{
	const struct unit *best = units;

	for (; units->name != NULL; units++)
		if (value != 0 && value % units->factor == 0)
			best = units;
	strbuf_i64(sb, value / best->factor);
	strbuf_puts(sb, best->name);
}

/* Of numbers in the member's unit. */
static bool parse_number(const struct setting *s, struct slice text, int64_t *ret)
{
	bool ok;

	switch (s->kind) {
	case SETTING_SIZE:
		ok = parse_units(size_units, text, ret);
		break;
	case SETTING_DURATION:
		ok = parse_units(duration_units, text, ret);
		break;
	default:
		ok = slice_to_i64(text, 0, INT64_MAX, ret);
		break;
	}
	return ok && *ret >= s->min && *ret <= s->max;
}

static bool parse_mode(struct slice text, unsigned *ret)
{
	unsigned mode = 0;

	if (text.n < 3 || text.n > 4)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '7')
			return false;
		mode = mode << 3 | (unsigned)(text.p[i] - '0');
	}
	*ret = mode;
	return mode <= 0777;
}

static bool address_ok(struct slice text, bool unix_too)
{
	struct sockaddr_storage addr;
	socklen_t len;

	return address_parse(text, &addr, &len) && (unix_too || addr.ss_family != AF_UNIX);
}

static bool text_ok(const struct setting *s, struct slice text)
{
	struct store_url url;
	bool ok;

	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7F)
			return false;
	if (text.n == 0)
		return s->initial != NULL && s->initial[0] == '\0';
	switch (s->kind) {
	case SETTING_PATH:
		return text.p[0] == '/';
	case SETTING_ADDRESS:
	case SETTING_ADDRESSES:
		return address_ok(text, true);
	case SETTING_UDP:
		return address_ok(text, false);
	case SETTING_REDIS_URL:
		ok = store_url_parse(text, &url) == NULL;
		store_url_wipe(&url);
		return ok;
	default:
		return true;
	}
}

static bool parse_text(const struct setting *s, struct slice text, char **ret)
{
	if (!text_ok(s, text))
		return false;
	*ret = strndup(text.n > 0 ? text.p : "", text.n);
	return *ret != NULL;
}

static bool parse_list(const struct setting *s, struct slice text, struct config_list *ret)
{
	struct slice part;

	while (slice_next(&text, ',', &part)) {
		if (ret->count == CONFIG_LIST_MAX || !parse_text(s, slice_trim(part), &ret->item[ret->count]))
			return false;
		ret->count++;
	}
	return ret->count > 0;
}

static bool parse_choice(const struct setting *s, struct slice text, int *ret)
{
	for (int i = 0; s->choices[i] != NULL; i++) {
		if (slice_is(text, s->choices[i])) {
			*ret = i;
			return true;
		}
	}
	return false;
}

bool setting_parse(const struct setting *s, struct slice text, struct config *config)
{
	void *member = member_of(s, config);
	int64_t number;

	switch (s->kind) {
	case SETTING_ADDRESSES:
		return parse_list(s, text, member);
	case SETTING_MODE:
		return parse_mode(text, member);
	case SETTING_CHOICE:
		return parse_choice(s, text, member);
	case SETTING_COUNT:
		if (!parse_number(s, text, &number))
			return false;
		*(unsigned *)member = (unsigned)number;
		return true;
	case SETTING_SIZE:
		if (!parse_number(s, text, &number))
			return false;
		*(size_t *)member = (size_t)number;
		return true;
	case SETTING_DURATION:
		return parse_number(s, text, member);
	default:
		return parse_text(s, text, member);
	}
}

/* The password lies between the first ':' behind "//" and the last '@' before the host. */
static void print_url(struct slice url, struct strbuf *sb)
{
	const char *at = url.n > 0 ? memrchr(url.p, '@', url.n) : NULL;
	const char *user = at == NULL ? NULL : memmem(url.p, url.n, "//", 2);
	const char *colon = user == NULL || user > at ? NULL : memchr(user, ':', (size_t)(at - user));

	if (colon == NULL) {
		strbuf_put(sb, url);
		return;
	}
	strbuf_put(sb, (struct slice){url.p, (size_t)(colon + 1 - url.p)});
	strbuf_puts(sb, "***");
	strbuf_put(sb, (struct slice){at, url.n - (size_t)(at - url.p)});
}

static void print_list(const struct config_list *list, struct strbuf *sb)
{
	for (unsigned i = 0; i < list->count; i++) {
		strbuf_puts(sb, i > 0 ? ", " : "");
		strbuf_puts(sb, list->item[i]);
	}
}

void setting_print(const struct setting *s, const struct config *config, struct strbuf *sb)
{
	const void *member = member_in(s, config);

	switch (s->kind) {
	case SETTING_ADDRESSES:
		print_list(member, sb);
		break;
	case SETTING_MODE:
		strbuf_printf(sb, "%04o", *(const unsigned *)member);
		break;
	case SETTING_CHOICE:
		strbuf_puts(sb, s->choices[*(const int *)member]);
		break;
	case SETTING_COUNT:
		strbuf_u64(sb, *(const unsigned *)member);
		break;
	case SETTING_SIZE:
		print_units(size_units, (int64_t) * (const size_t *)member, sb);
		break;
	case SETTING_DURATION:
		print_units(duration_units, *(const int64_t *)member, sb);
		break;
	case SETTING_REDIS_URL:
		print_url(slice_of(*(char *const *)member), sb);
		break;
	default:
		strbuf_puts(sb, *(char *const *)member);
		break;
	}
}

static void expect_range(const struct setting *s, const struct unit *units, const char *what,
			 struct strbuf *sb)
{
	strbuf_printf(sb, "expected %s from ", what);
	print_units(units, s->min, sb);
	strbuf_puts(sb, " to ");
	print_units(units, s->max, sb);
}

void setting_expect(const struct setting *s, struct strbuf *sb)
{
	switch (s->kind) {
	case SETTING_TEXT:
		strbuf_puts(sb, "expected text without control characters");
		break;
	case SETTING_PATH:
		strbuf_puts(sb, "expected an absolute path");
		break;
	case SETTING_ADDRESS:
		strbuf_puts(sb, "expected unix:/path or a loopback address with its port");
		break;
	case SETTING_ADDRESSES:
		strbuf_printf(sb, "expected at most %d of unix:/path or a loopback address with its port",
			      CONFIG_LIST_MAX);
		break;
	case SETTING_UDP:
		strbuf_puts(sb, "expected a loopback address with its port");
		break;
	case SETTING_REDIS_URL:
		strbuf_puts(sb, "expected redis://[user[:password]@]host[:port][/db] or "
				"unix://[user[:password]@]/path[?db=N]");
		break;
	case SETTING_COUNT:
		strbuf_printf(sb, "expected a number from %" PRId64 " to %" PRId64, s->min, s->max);
		break;
	case SETTING_MODE:
		strbuf_puts(sb, "expected octal permissions such as 0660");
		break;
	case SETTING_SIZE:
		expect_range(s, size_units, "a size", sb);
		break;
	case SETTING_DURATION:
		expect_range(s, duration_units, "a duration", sb);
		break;
	case SETTING_CHOICE:
		strbuf_puts(sb, "expected");
		for (unsigned i = 0; s->choices[i] != NULL; i++)
			strbuf_printf(sb, "%s %s", i > 0 ? " or" : "", s->choices[i]);
		break;
	}
}

static size_t member_size(const struct setting *s)
{
	switch (s->kind) {
	case SETTING_ADDRESSES:
		return sizeof(struct config_list);
	case SETTING_COUNT:
	case SETTING_MODE:
		return sizeof(unsigned);
	case SETTING_SIZE:
		return sizeof(size_t);
	case SETTING_DURATION:
		return sizeof(int64_t);
	case SETTING_CHOICE:
		return sizeof(int);
	default:
		return sizeof(char *);
	}
}

static bool is_text(const struct setting *s)
{
	return s->kind <= SETTING_REDIS_URL;
}

bool setting_equal(const struct setting *s, const struct config *a, const struct config *b)
{
	const void *x = member_in(s, a);
	const void *y = member_in(s, b);

	if (is_text(s))
		return strcmp(*(char *const *)x, *(char *const *)y) == 0;
	if (s->kind != SETTING_ADDRESSES)
		return memcmp(x, y, member_size(s)) == 0;
	const struct config_list *p = x;
	const struct config_list *q = y;
	for (unsigned i = 0; p->count == q->count && i < p->count; i++)
		if (strcmp(p->item[i], q->item[i]) != 0)
			return false;
	return p->count == q->count;
}

void setting_swap(const struct setting *s, struct config *a, struct config *b)
{
	char kept[sizeof(struct config_list)];
	size_t n = member_size(s);

	memcpy(kept, member_of(s, a), n);
	memcpy(member_of(s, a), member_of(s, b), n);
	memcpy(member_of(s, b), kept, n);
}

void setting_clear(const struct setting *s, struct config *config)
{
	void *member = member_of(s, config);

	if (is_text(s))
		free(*(char **)member);
	if (s->kind == SETTING_ADDRESSES) {
		struct config_list *list = member;
		for (unsigned i = 0; i < list->count; i++)
			free(list->item[i]);
	}
	memset(member, 0, member_size(s));
}
