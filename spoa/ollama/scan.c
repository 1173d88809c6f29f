/* JSON's structure (RFC 8259), one state a place where a chunk may end. */
#include "ollama/scan.h"

#include "ollama/scan_private.h"

enum state {
	STATE_START,       /* white space, then the top-level value */
	STATE_VALUE,       /* after a colon or, in an array, a comma */
	STATE_FIRST_VALUE, /* after `[`: a value or `]` */
	STATE_FIRST_KEY,   /* after `{`: a key or `}` */
	STATE_KEY,         /* after a comma in an object */
	STATE_COLON,
	STATE_AFTER, /* after a value: a comma or the container's end */
	STATE_STRING,
	STATE_LITERAL,
	STATE_NUMBER_MINUS, /* the part of the number that was read last */
	STATE_NUMBER_ZERO,
	STATE_NUMBER_INTEGER,
	STATE_NUMBER_POINT,
	STATE_NUMBER_FRACTION,
	STATE_NUMBER_E,
	STATE_NUMBER_E_SIGN,
	STATE_NUMBER_EXPONENT,
	STATE_END, /* the object is complete; white space may follow */
	STATE_BAD,
};

void scan_init(struct scan *s, unsigned names)
{
	memset(s, 0, sizeof(*s));
	s->names = (uint8_t)names;
	s->role = ROLE_TOP;
}

bool scan_fail(struct scan *s, enum scan_reason reason, const char *field)
{
	s->reason = reason;
	s->field = field;
	s->state = STATE_BAD;
	return false;
}

enum scan_role scan_container(const struct scan *s)
{
	const size_t kept = sizeof(s->roles);

	if (s->depth <= kept)
		return (enum scan_role)s->roles[s->depth - 1];
	return s->roles[kept - 1] == ROLE_SKIP ? ROLE_SKIP : ROLE_TEXT;
}

static bool in_object(const struct scan *s)
{
	unsigned level = s->depth - 1U;

	return s->objects[level / 64] >> (level % 64) & 1;
}

static bool open_container(struct scan *s, bool object)
{
	unsigned level = s->depth;
	uint64_t bit = (uint64_t)1 << (level % 64);

	if (level == SCAN_DEPTH_MAX)
		return scan_fail(s, SCAN_DEPTH, NULL);
	if (level < sizeof(s->roles))
		s->roles[level] = s->role;
	if (object)
		s->objects[level / 64] |= bit;
	else
		s->objects[level / 64] &= ~bit;
	s->depth++;
	s->state = object ? STATE_FIRST_KEY : STATE_FIRST_VALUE;
	return true;
}

static bool close_container(struct scan *s)
{
	s->depth--;
	s->state = s->depth == 0 ? STATE_END : STATE_AFTER;
	return true;
}

static void open_string(struct scan *s)
{
	s->state = STATE_STRING;
	s->string_len = 0;
	s->key_escaped = false;
}

static bool begin_literal(struct scan *s, char c)
{
	if (!field_begin(s, c == 'n' ? TYPE_NULL : TYPE_BOOL))
		return false;
	if (c != 'n')
		field_bool(s, c == 't');
	s->literal = c == 't' ? "rue" : c == 'f' ? "alse" : "ull";
	s->state = STATE_LITERAL;
	return true;
}

static bool begin_number(struct scan *s, char c)
{
	if (!field_begin(s, TYPE_NUMBER))
		return false;
	s->token[0] = c;
	s->string_len = 1;
	s->state = c == '-' ? STATE_NUMBER_MINUS : c == '0' ? STATE_NUMBER_ZERO : STATE_NUMBER_INTEGER;
	return true;
}

static bool begin_value(struct scan *s, char c)
{
	switch (c) {
	case '{':
		return field_begin(s, TYPE_OBJECT) && open_container(s, true);
	case '[':
		return field_begin(s, TYPE_ARRAY) && open_container(s, false);
	case '"':
		if (!field_begin(s, TYPE_STRING))
			return false;
		open_string(s);
		return true;
	case 't':
	case 'f':
	case 'n':
		return begin_literal(s, c);
	default:
		if (c == '-' || (c >= '0' && c <= '9'))
			return begin_number(s, c);
		return scan_fail(s, SCAN_SYNTAX, NULL);
	}
}

static bool begin_key(struct scan *s, char c)
{
	if (c != '"')
		return scan_fail(s, SCAN_SYNTAX, NULL);
	s->string = STRING_KEY;
	open_string(s);
	return true;
}

static bool after_value(struct scan *s, char c)
{
	bool object = in_object(s);

	if (c == (object ? '}' : ']'))
		return close_container(s);
	if (c != ',')
		return scan_fail(s, SCAN_SYNTAX, NULL);
	if (!object)
		field_element(s);
	s->state = object ? STATE_KEY : STATE_VALUE;
	return true;
}

/* Any byte between values that is not white space. */
static bool structural(struct scan *s, char c)
{
	switch (s->state) {
	case STATE_START:
		if (c == '\xEF')
			return scan_fail(s, SCAN_BOM, NULL);
		return begin_value(s, c);
	case STATE_VALUE:
		return begin_value(s, c);
	case STATE_FIRST_VALUE:
		if (c == ']')
			return close_container(s);
		field_element(s);
		return begin_value(s, c);
	case STATE_FIRST_KEY:
		return c == '}' ? close_container(s) : begin_key(s, c);
	case STATE_KEY:
		return begin_key(s, c);
	case STATE_COLON:
		if (c != ':')
			return scan_fail(s, SCAN_SYNTAX, NULL);
		s->state = STATE_VALUE;
		return true;
	case STATE_AFTER:
		return after_value(s, c);
	default:
		return scan_fail(s, SCAN_TRAILING, NULL);
	}
}

static bool read_structure(struct scan *s, const char **p, const char *end)
{
	while (*p < end && (**p == ' ' || **p == '\n' || **p == '\t' || **p == '\r'))
		(*p)++;
	if (*p == end)
		return true;
	if (!structural(s, **p))
		return false;
	(*p)++;
	return true;
}

static bool read_string(struct scan *s, const char **p, const char *end)
{
	bool closed;

	if (!scan_string_read(s, p, end, &closed))
		return false;
	if (!closed)
		return true;
	if (s->string != STRING_KEY) {
		s->state = STATE_AFTER;
		return field_string(s);
	}
	s->state = STATE_COLON;
	return field_key(s);
}

static bool read_literal(struct scan *s, const char **p, const char *end)
{
	for (; *p < end && *s->literal != '\0'; (*p)++, s->literal++)
		if (**p != *s->literal)
			return scan_fail(s, SCAN_SYNTAX, NULL);
	if (*s->literal == '\0')
		s->state = STATE_AFTER;
	return true;
}

/* The part of a number that c leads to; STATE_AFTER when the number ends before c, STATE_BAD when it
 * cannot. */
static enum state number_next(enum state now, char c)
{
	bool digit = c >= '0' && c <= '9';
	bool e = c == 'e' || c == 'E';

	switch (now) {
	case STATE_NUMBER_MINUS:
		return c == '0' ? STATE_NUMBER_ZERO : digit ? STATE_NUMBER_INTEGER : STATE_BAD;
	case STATE_NUMBER_INTEGER:
		if (digit)
			return STATE_NUMBER_INTEGER;
		return c == '.' ? STATE_NUMBER_POINT : e ? STATE_NUMBER_E : STATE_AFTER;
	case STATE_NUMBER_ZERO:
		return c == '.' ? STATE_NUMBER_POINT : e ? STATE_NUMBER_E : STATE_AFTER;
	case STATE_NUMBER_POINT:
		return digit ? STATE_NUMBER_FRACTION : STATE_BAD;
	case STATE_NUMBER_FRACTION:
		return digit ? STATE_NUMBER_FRACTION : e ? STATE_NUMBER_E : STATE_AFTER;
	case STATE_NUMBER_E:
		if (c == '+' || c == '-')
			return STATE_NUMBER_E_SIGN;
		return digit ? STATE_NUMBER_EXPONENT : STATE_BAD;
	case STATE_NUMBER_E_SIGN:
		return digit ? STATE_NUMBER_EXPONENT : STATE_BAD;
	default:
		return digit ? STATE_NUMBER_EXPONENT : STATE_AFTER;
	}
}

static bool read_number(struct scan *s, const char **p, const char *end)
{
	for (; *p < end; (*p)++) {
		enum state next = number_next((enum state)s->state, **p);
		if (next == STATE_BAD)
			return scan_fail(s, SCAN_SYNTAX, NULL);
		s->state = (uint8_t)next;
		if (next == STATE_AFTER)
			return field_number(s);
		if (s->string_len < sizeof(s->token))
			s->token[s->string_len] = **p;
		s->string_len++;
	}
	return true;
}

static bool read_some(struct scan *s, const char **p, const char *end)
{
	switch (s->state) {
	case STATE_STRING:
		return read_string(s, p, end);
	case STATE_LITERAL:
		return read_literal(s, p, end);
	case STATE_NUMBER_MINUS:
	case STATE_NUMBER_ZERO:
	case STATE_NUMBER_INTEGER:
	case STATE_NUMBER_POINT:
	case STATE_NUMBER_FRACTION:
	case STATE_NUMBER_E:
	case STATE_NUMBER_E_SIGN:
	case STATE_NUMBER_EXPONENT:
		return read_number(s, p, end);
	default:
		return read_structure(s, p, end);
	}
}

enum scan_status scan_feed(struct scan *s, struct slice chunk)
{
	const char *p = chunk.p;

	if (s->state == STATE_BAD)
		return SCAN_BAD;
	if (chunk.n > 0) {
		const char *end = chunk.p + chunk.n;
		while (p < end && read_some(s, &p, end))
			;
		s->offset += (uint64_t)(p - chunk.p);
	}
	if (s->state == STATE_BAD)
		return SCAN_BAD;
	return s->state == STATE_END ? SCAN_DONE : SCAN_MORE;
}

enum scan_status scan_finish(struct scan *s)
{
	if (s->state == STATE_END)
		return SCAN_DONE;
	if (s->state != STATE_BAD)
		(void)scan_fail(s, s->state == STATE_START ? SCAN_EMPTY : SCAN_TRUNCATED, NULL);
	return SCAN_BAD;
}

/* With a field, its key in quotes precedes the text. */
static const struct {
	const char *name;
	const char *text;
} reasons[SCAN_REASONS] = {
	[SCAN_OK] = {"ok", "the request body is accepted"},
	[SCAN_EMPTY] = {"empty", "the request body is empty; this route takes a JSON object"},
	[SCAN_TRUNCATED] = {"truncated", "the request body ends before its JSON object does"},
	[SCAN_SYNTAX] = {"syntax", "the request body is not valid JSON"},
	[SCAN_BOM] = {"bom", "the request body starts with a byte order mark; send plain UTF-8"},
	[SCAN_TRAILING] = {"trailing_data", "the request body goes on after its JSON object"},
	[SCAN_NOT_OBJECT] = {"not_object", "the request body must be a JSON object"},
	[SCAN_DEPTH] = {"depth", "the request body is nested too deeply"},
	[SCAN_UTF8] = {"utf8", "the request body is not valid UTF-8"},
	[SCAN_CONTROL] = {"control_character",
			  "a string in the request body holds a control character that is not escaped"},
	[SCAN_ESCAPE] = {"escape", "a string in the request body holds an invalid escape sequence"},
	[SCAN_DUPLICATE_KEY] = {"duplicate_key", "is given twice in the request body"},
	[SCAN_KEY_CASE] = {"key_case", "must be written in exactly this way in the request body"},
	[SCAN_KEY_ESCAPE] =
		{"key_escape",
		 "a key in the request body is written with an escape sequence; write it plainly"},
	[SCAN_TYPE] = {"type", "in the request body has the wrong type"},
	[SCAN_RANGE] = {"range", "in the request body has a value that is not possible"},
	[SCAN_TOO_LONG] = {"too_long", "in the request body is too long"},
};

const char *scan_reason_name(enum scan_reason r)
{
	return reasons[r].name;
}

void scan_message(const struct scan *s, struct strbuf *sb)
{
	if (s->field != NULL)
		strbuf_printf(sb, "\"%s\" ", s->field);
	strbuf_puts(sb, reasons[s->reason].text);
	if (s->reason > SCAN_TRUNCATED)
		strbuf_printf(sb, " (byte %llu)", (unsigned long long)s->offset);
}
