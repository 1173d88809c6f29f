/* Model names: parsing, the canonical text, patterns. */
#include "ollama/name.h"

#include "base/strbuf.h"
#include "base/utf8.h"

#define PART_MAX 80
#define HOST_MAX 350

struct parts {
	struct slice host;
	struct slice namespace;
	struct slice model;
	struct slice tag;
	bool has_tag; /* it was given, not the default */
};

static char lower(char c)
{
	return (c >= 'A' && c <= 'Z') ? (char)(c + ('a' - 'A')) : c;
}

static uint32_t code_point(struct slice s)
{
	static const uint8_t lead_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
	const unsigned char *p = (const unsigned char *)s.p;
	uint32_t c = p[0] & lead_bits[s.n];

	for (size_t i = 1; i < s.n; i++)
		c = c << 6 | (p[i] & 0x3F);
	return c;
}

/* Unicode's White_Space, which Go's strings.TrimSpace goes by. */
static bool is_space(struct slice c)
{
	uint32_t u = code_point(c);

	return (u >= 0x09 && u <= 0x0D) || u == 0x20 || u == 0x85 || u == 0xA0 || u == 0x1680 ||
	       (u >= 0x2000 && u <= 0x200A) || u == 0x2028 || u == 0x2029 || u == 0x202F || u == 0x205F ||
	       u == 0x3000;
}

static struct slice last_character(struct slice s)
{
	for (size_t n = 1; n <= 4 && n <= s.n; n++) {
		struct slice c = {s.p + s.n - n, n};
		if (utf8_next(c) == n)
			return c;
	}
	return (struct slice){s.p, 0};
}

static struct slice trim_space(struct slice s)
{
	size_t n;

	while ((n = utf8_next(s)) > 0 && is_space((struct slice){s.p, n})) {
		s.p += n;
		s.n -= n;
	}
	for (;;) {
		struct slice c = last_character(s);
		if (c.n == 0 || !is_space(c))
			return s;
		s.n -= c.n;
	}
}

/* Position of the last c, s.n when there is none. */
static size_t find_last(struct slice s, char c)
{
	for (size_t i = s.n; i-- > 0;)
		if (s.p[i] == c)
			return i;
	return s.n;
}

/* Cuts s at its last c; a part that is missing then leaves an empty slice, which is not valid. */
static bool cut_last(struct slice *s, char c, struct slice *ret_after)
{
	size_t at = find_last(*s, c);

	if (at == s->n)
		return false;
	*ret_after = (struct slice){s->p + at + 1, s->n - at - 1};
	s->n = at;
	return true;
}

enum source { SOURCE_NONE, SOURCE_LOCAL, SOURCE_CLOUD };

/* Ollama's source suffix. It looks behind the last colon, also one that belongs to a host's port. */
static enum source source_of(struct slice s, struct slice *ret_base)
{
	struct slice suffix;
	struct slice base = s;

	*ret_base = s;
	if (!cut_last(&base, ':', &suffix))
		return SOURCE_NONE;
	suffix = trim_space(suffix);
	*ret_base = base;
	if (slice_eq_nocase(suffix, SLICE_LIT("cloud")))
		return SOURCE_CLOUD;
	if (slice_eq_nocase(suffix, SLICE_LIT("local")))
		return SOURCE_LOCAL;
	*ret_base = s;
	struct slice dash = SLICE_LIT("-cloud");
	if (suffix.n < dash.n || find_last(suffix, '/') < suffix.n)
		return SOURCE_NONE;
	struct slice tail = {suffix.p + suffix.n - dash.n, dash.n};
	if (!slice_eq_nocase(tail, dash))
		return SOURCE_NONE;
	*ret_base = (struct slice){s.p, (size_t)(tail.p - s.p)};
	return SOURCE_CLOUD;
}

static bool is_word(char c)
{
	c = lower(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static bool part_valid(struct slice s, size_t max, const char *extra)
{
	if (s.n == 0 || s.n > max || !is_word(s.p[0]))
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (!is_word(s.p[i]) && (s.p[i] == '\0' || strchr(extra, s.p[i]) == NULL))
			return false;
	return true;
}

static bool starts_nocase(struct slice s, struct slice prefix)
{
	return s.n >= prefix.n && slice_eq_nocase((struct slice){s.p, prefix.n}, prefix);
}

static void drop_scheme(struct slice *host)
{
	static const char *const schemes[] = {"http://", "https://"};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		struct slice scheme = slice_of(schemes[i]);
		if (starts_nocase(*host, scheme)) {
			host->p += scheme.n;
			host->n -= scheme.n;
			return;
		}
	}
}

static bool split(struct slice s, struct parts *ret)
{
	struct parts parts = {
		.host = SLICE_LIT("registry.ollama.ai"),
		.namespace = SLICE_LIT("library"),
		.tag = SLICE_LIT("latest"),
	};
	size_t colon = find_last(s, ':');
	size_t slash = find_last(s, '/');

	if (colon < s.n && (slash == s.n || colon > slash))
		parts.has_tag = cut_last(&s, ':', &parts.tag);
	if (!cut_last(&s, '/', &parts.model)) {
		parts.model = s;
	} else if (!cut_last(&s, '/', &parts.namespace)) {
		parts.namespace = s;
	} else {
		parts.host = s;
		drop_scheme(&parts.host);
	}
	*ret = parts;
	return part_valid(parts.host, HOST_MAX, "-.:") && part_valid(parts.namespace, PART_MAX, "-") &&
	       part_valid(parts.model, PART_MAX, "-.") && part_valid(parts.tag, PART_MAX, "-.");
}

static void put_lower(struct strbuf *sb, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		strbuf_putc(sb, lower(s.p[i]));
}

static void write_canonical(const struct parts *parts, struct model_name *ret)
{
	struct strbuf sb = strbuf_over(ret->text, sizeof(ret->text));
	bool library = slice_eq_nocase(parts->namespace, SLICE_LIT("library"));

	ret->registry = !slice_eq_nocase(parts->host, SLICE_LIT("registry.ollama.ai"));
	if (ret->registry) {
		put_lower(&sb, parts->host);
		strbuf_putc(&sb, '/');
	}
	if (ret->registry || !library) {
		put_lower(&sb, parts->namespace);
		strbuf_putc(&sb, '/');
	}
	put_lower(&sb, parts->model);
	strbuf_putc(&sb, ':');
	if (!ret->cloud || parts->has_tag)
		put_lower(&sb, parts->tag);
	if (ret->cloud)
		strbuf_puts(&sb, parts->has_tag ? "-cloud" : "cloud");
	ret->len = (uint16_t)sb.len;
}

bool name_parse(struct slice raw, struct model_name *ret)
{
	struct slice s = trim_space(raw);
	struct slice base;
	struct slice unused;
	struct parts parts;
	enum source source = source_of(s, &base);

	ret->cloud = source == SOURCE_CLOUD;
	ret->local = source == SOURCE_LOCAL;
	if (source != SOURCE_NONE && source_of(base, &unused) != SOURCE_NONE)
		return false;
	if (!split(base, &parts) || (ret->cloud && parts.tag.n > PART_MAX - strlen("-cloud")))
		return false;
	write_canonical(&parts, ret);
	return true;
}

/* Greedy with one point of return, the last star: linear for each star, never exponential. */
static bool glob(struct slice pattern, struct slice text)
{
	size_t p = 0;
	size_t t = 0;
	size_t star = SIZE_MAX;
	size_t star_text = 0;

	while (t < text.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			star_text = t;
		} else if (p < pattern.n &&
			   (pattern.p[p] == '?' || lower(pattern.p[p]) == lower(text.p[t]))) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++star_text;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

static bool has_wildcard(struct slice pattern)
{
	return find_last(pattern, '*') < pattern.n || find_last(pattern, '?') < pattern.n;
}

bool name_matches(struct slice pattern, struct slice canonical)
{
	struct model_name name;

	if (has_wildcard(pattern))
		return glob(pattern, canonical);
	return name_parse(pattern, &name) && slice_eq(name_slice(&name), canonical);
}

bool name_pattern_valid(struct slice pattern)
{
	struct model_name name;

	if (!has_wildcard(pattern))
		return name_parse(pattern, &name);
	for (size_t i = 0; i < pattern.n; i++)
		if (!is_word(pattern.p[i]) &&
		    (pattern.p[i] == '\0' || strchr("-.:/*?", pattern.p[i]) == NULL))
			return false;
	return pattern.n <= NAME_MAX_LEN && !starts_nocase(pattern, SLICE_LIT("library/")) &&
	       !starts_nocase(pattern, SLICE_LIT("registry.ollama.ai/"));
}

bool name_list_matches(struct slice patterns, struct slice canonical)
{
	struct slice part;

	if (slice_trim(patterns).n == 0)
		return true;
	while (slice_next(&patterns, ',', &part))
		if (name_matches(slice_trim(part), canonical))
			return true;
	return false;
}
