/* What the fields of a request mean, and which of them matter. Images are looked for only where Ollama
 * looks for them: text hidden in an `images` array elsewhere still counts as text. */
#include "ollama/number.h"
#include "ollama/scan_private.h"

struct key {
	const char *text;
	uint8_t role;
	uint8_t arg;
};

static const struct key top_keys[] = {
	{"model", ROLE_NAME, NAME_MODEL},
	{"name", ROLE_NAME, NAME_NAME},
	{"from", ROLE_NAME, NAME_FROM},
	{"source", ROLE_NAME, NAME_SOURCE},
	{"destination", ROLE_NAME, NAME_DESTINATION},
	{"stream", ROLE_FLAG, FLAG_STREAM},
	{"raw", ROLE_FLAG, FLAG_RAW},
	{"insecure", ROLE_FLAG, FLAG_INSECURE},
	{"_debug_render_only", ROLE_FLAG, FLAG_DEBUG_RENDER_ONLY},
	{"max_tokens", ROLE_INTEGER, SCAN_MAX_TOKENS},
	{"max_completion_tokens", ROLE_INTEGER, SCAN_MAX_COMPLETION_TOKENS},
	{"max_output_tokens", ROLE_INTEGER, SCAN_MAX_OUTPUT_TOKENS},
	{"n", ROLE_INTEGER, SCAN_N},
	{"keep_alive", ROLE_KEEP_ALIVE, 0},
	{"template", ROLE_TEMPLATE, 0},
	{"options", ROLE_OPTIONS, 0},
	{"tools", ROLE_TOOLS, 0},
	{"messages", ROLE_MESSAGES, 0},
	{"input", ROLE_MESSAGES, 0},
	{"system", ROLE_CONTENT, 0},
	{"prompt", ROLE_TEXT, 0},
	{"suffix", ROLE_TEXT, 0},
	{"instructions", ROLE_TEXT, 0},
	{"context", ROLE_TEXT, 0},
	{"images", ROLE_IMAGES, 0},
};

static const struct key option_keys[] = {
	{"num_predict", ROLE_WHOLE, SCAN_NUM_PREDICT}, {"num_ctx", ROLE_WHOLE, SCAN_NUM_CTX},
	{"num_batch", ROLE_WHOLE, SCAN_NUM_BATCH},     {"num_gpu", ROLE_WHOLE, SCAN_NUM_GPU},
	{"num_thread", ROLE_WHOLE, SCAN_NUM_THREAD},
};

/* Where a prompt may hold images: {the container's role, key, the value's role}. */
static const struct {
	uint8_t in;
	uint8_t role;
	const char *key;
} nested_keys[] = {
	{ROLE_MESSAGE, ROLE_IMAGES, "images"},     {ROLE_MESSAGE, ROLE_CONTENT, "content"},
	{ROLE_MESSAGE, ROLE_CONTENT, "output"}, /* of a function call, in /v1/responses */
	{ROLE_BLOCK, ROLE_CONTENT, "content"},  /* of a tool's result, in /v1/messages */
	{ROLE_BLOCK, ROLE_IMAGE_URL, "image_url"}, {ROLE_BLOCK, ROLE_SOURCE, "source"},
	{ROLE_IMAGE_URL, ROLE_IMAGE, "url"},       {ROLE_SOURCE, ROLE_IMAGE, "data"},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

_Static_assert(COUNT(top_keys) <= 32, "scan.seen has a bit for each");

static bool token_fits(const struct scan *s)
{
	return s->string_len <= sizeof(s->token);
}

/* Only when it fits. */
static struct slice token(const struct scan *s)
{
	return (struct slice){s->token, (size_t)s->string_len};
}

/* The key as Go's decoder compares it: ASCII case, long s and the Kelvin sign folded. False when it
 * cannot be a key of a table anyway. */
static bool fold_key(const struct scan *s, char *out, size_t cap, size_t *ret_len)
{
	size_t n = 0;

	if (!token_fits(s))
		return false;
	for (size_t i = 0; i < s->string_len; i++) {
		struct slice rest = {s->token + i, s->string_len - i};
		char c = rest.p[0];
		if (slice_starts(rest, SLICE_LIT("\xC5\xBF"))) {
			c = 's';
			i += 1;
		} else if (slice_starts(rest, SLICE_LIT("\xE2\x84\xAA"))) {
			c = 'k';
			i += 2;
		} else if (c >= 'A' && c <= 'Z') {
			c = (char)(c - 'A' + 'a');
		}
		if (n == cap)
			return false;
		out[n++] = c;
	}
	*ret_len = n;
	return true;
}

/* Sets *ret to the entry this key means, NULL when it is none; refuses one that only folds to it. */
static bool look_up(struct scan *s, const struct key *keys, size_t count, const struct key **ret)
{
	char folded[24];
	size_t n;

	*ret = NULL;
	if (!fold_key(s, folded, sizeof(folded), &n))
		return true;
	for (size_t i = 0; i < count && *ret == NULL; i++)
		if (slice_is((struct slice){folded, n}, keys[i].text))
			*ret = &keys[i];
	if (*ret == NULL || ((*ret)->role == ROLE_NAME && !(s->names & 1U << (*ret)->arg))) {
		*ret = NULL;
		return true;
	}
	if (!slice_is(token(s), (*ret)->text))
		return scan_fail(s, SCAN_KEY_CASE, (*ret)->text);
	return true;
}

static void take_role(struct scan *s, const struct key *k)
{
	s->role = k == NULL ? ROLE_SKIP : k->role;
	s->arg = k == NULL ? 0 : k->arg;
	s->key = k == NULL ? NULL : k->text;
}

static bool top_key(struct scan *s)
{
	const struct key *k;

	if (!look_up(s, top_keys, COUNT(top_keys), &k))
		return false;
	take_role(s, k);
	if (k == NULL)
		return true;
	uint32_t bit = 1U << (k - top_keys);
	if (s->seen & bit)
		return scan_fail(s, SCAN_DUPLICATE_KEY, k->text);
	s->seen |= bit;
	return true;
}

static bool option_key(struct scan *s)
{
	const struct key *k;

	if (!look_up(s, option_keys, COUNT(option_keys), &k))
		return false;
	take_role(s, k);
	if (k == NULL)
		return true;
	unsigned bit = 1U << (k - option_keys);
	if (s->options_seen & bit)
		return scan_fail(s, SCAN_DUPLICATE_KEY, k->text);
	s->options_seen = (uint8_t)(s->options_seen | bit);
	return true;
}

/* A key that is not matched here leaves its value text, which counts for more, never for less. */
static enum scan_role nested_key(const struct scan *s, enum scan_role in)
{
	if (s->key_escaped || !token_fits(s))
		return ROLE_TEXT;
	for (size_t i = 0; i < COUNT(nested_keys); i++)
		if (nested_keys[i].in == in && slice_is(token(s), nested_keys[i].key))
			return (enum scan_role)nested_keys[i].role;
	return ROLE_TEXT;
}

/* Any spelling that Go would take for `type` counts, so that none can hide the others. */
static enum scan_role tool_key(const struct scan *s)
{
	char folded[8];
	size_t n;

	if (fold_key(s, folded, sizeof(folded), &n) && slice_is((struct slice){folded, n}, "type"))
		return ROLE_TOOL_TYPE;
	return ROLE_TEXT;
}

bool field_key_plain(const struct scan *s)
{
	enum scan_role in = scan_container(s);

	return in == ROLE_TOP || in == ROLE_OPTIONS || in == ROLE_TOOL;
}

bool field_key(struct scan *s)
{
	enum scan_role in = scan_container(s);

	switch (in) {
	case ROLE_TOP:
		return top_key(s);
	case ROLE_OPTIONS:
		return option_key(s);
	case ROLE_SKIP:
		s->role = ROLE_SKIP;
		return true;
	case ROLE_TOOL:
		s->role = (uint8_t)tool_key(s);
		return true;
	case ROLE_TEXT:
		s->result.prompt_bytes += s->string_len; /* names of parameters and arguments */
		s->role = ROLE_TEXT;
		return true;
	default:
		s->role = (uint8_t)nested_key(s, in);
		return true;
	}
}

void field_element(struct scan *s)
{
	switch (scan_container(s)) {
	case ROLE_SKIP:
		s->role = ROLE_SKIP;
		return;
	case ROLE_TOOLS:
		s->role = ROLE_TOOL;
		return;
	case ROLE_MESSAGES:
		s->role = ROLE_MESSAGE;
		return;
	case ROLE_CONTENT:
		s->role = ROLE_BLOCK;
		return;
	case ROLE_IMAGES:
		s->role = ROLE_IMAGE;
		return;
	default:
		s->role = ROLE_TEXT;
	}
}

static unsigned types_of(enum scan_role role)
{
	switch (role) {
	case ROLE_TOP:
		return TYPE_OBJECT;
	case ROLE_NAME:
	case ROLE_TEMPLATE:
		return TYPE_STRING | TYPE_NULL;
	case ROLE_INTEGER:
	case ROLE_WHOLE:
		return TYPE_NUMBER | TYPE_NULL;
	case ROLE_FLAG:
		return TYPE_BOOL | TYPE_NULL;
	case ROLE_KEEP_ALIVE:
		return TYPE_STRING | TYPE_NUMBER | TYPE_NULL;
	case ROLE_OPTIONS:
		return TYPE_OBJECT | TYPE_NULL;
	case ROLE_TOOLS:
		return TYPE_ARRAY | TYPE_NULL;
	default:
		return TYPE_NULL | TYPE_BOOL | TYPE_NUMBER | TYPE_STRING | TYPE_ARRAY | TYPE_OBJECT;
	}
}

static enum scan_string string_of(enum scan_role role)
{
	switch (role) {
	case ROLE_SKIP:
		return STRING_SKIP;
	case ROLE_NAME:
		return STRING_NAME;
	case ROLE_KEEP_ALIVE:
	case ROLE_TOOL_TYPE:
		return STRING_TOKEN;
	case ROLE_IMAGES:
	case ROLE_IMAGE:
	case ROLE_IMAGE_URL:
		return STRING_IMAGE;
	default:
		return STRING_TEXT;
	}
}

bool field_begin(struct scan *s, enum scan_type type)
{
	if (!(types_of(s->role) & type))
		return scan_fail(s, s->role == ROLE_TOP ? SCAN_NOT_OBJECT : SCAN_TYPE, s->key);
	if (type == TYPE_STRING)
		s->string = (uint8_t)string_of(s->role);
	if (s->role == ROLE_TOOL_TYPE && type != TYPE_STRING && type != TYPE_NULL)
		s->result.server_tool = true;
	return true;
}

static bool take_tool_type(struct scan *s)
{
	struct slice type = {s->token, s->string_len};

	s->result.prompt_bytes += s->string_len;
	if (type.n > sizeof(s->token) ||
	    (type.n > 0 && !slice_is(type, "function") && !slice_is(type, "custom")))
		s->result.server_tool = true;
	return true;
}

static bool take_keep_alive(struct scan *s, bool (*parse)(struct slice, int64_t *))
{
	if (!token_fits(s))
		return scan_fail(s, SCAN_TOO_LONG, s->key);
	if (!parse(token(s), &s->result.keep_alive_ms))
		return scan_fail(s, SCAN_RANGE, s->key);
	s->result.have_keep_alive = true;
	return true;
}

bool field_string(struct scan *s)
{
	switch (s->string) {
	case STRING_TEXT:
		s->result.prompt_bytes += s->string_len;
		if (s->role == ROLE_TEMPLATE && s->string_len > 0)
			s->result.template = true;
		return true;
	case STRING_IMAGE:
		s->result.images++;
		return true;
	case STRING_NAME:
		if (s->string_len > SCAN_NAME_MAX)
			return scan_fail(s, SCAN_TOO_LONG, s->key);
		s->result.name_len[s->arg] = (uint16_t)s->string_len;
		return true;
	case STRING_TOKEN:
		return s->role == ROLE_TOOL_TYPE ? take_tool_type(s) : take_keep_alive(s, duration_parse);
	default:
		return true;
	}
}

static bool take_number(struct scan *s, bool (*parse)(struct slice, int64_t *))
{
	if (!token_fits(s))
		return scan_fail(s, SCAN_TOO_LONG, s->key);
	if (!parse(token(s), &s->result.number[s->arg]))
		return scan_fail(s, SCAN_RANGE, s->key);
	s->result.have = (uint16_t)(s->result.have | 1U << s->arg);
	return true;
}

bool field_number(struct scan *s)
{
	switch (s->role) {
	case ROLE_SKIP:
		return true;
	case ROLE_INTEGER:
		return take_number(s, number_integer);
	case ROLE_WHOLE:
		return take_number(s, number_whole);
	case ROLE_KEEP_ALIVE:
		return take_keep_alive(s, number_seconds);
	default:
		s->result.prompt_tokens++;
		return true;
	}
}

void field_bool(struct scan *s, bool value)
{
	if (s->role != ROLE_FLAG)
		return;
	switch (s->arg) {
	case FLAG_STREAM:
		s->result.stream = value ? SCAN_TRUE : SCAN_FALSE;
		return;
	case FLAG_RAW:
		s->result.raw = value;
		return;
	case FLAG_INSECURE:
		s->result.insecure = value;
		return;
	case FLAG_DEBUG_RENDER_ONLY:
		s->result.debug_render_only = value;
		return;
	}
}
