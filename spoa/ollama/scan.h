/* The request body, read as it arrives: a streaming JSON scanner that sees what Go's encoding/json would
 * see in Ollama. It is the security boundary, so it refuses whatever could be read in two ways.
 *
 * Stricter than Go, on purpose:
 *   - a key that matters may appear once and only in lower case (Go folds case, and U+017F to s, U+212A
 *     to k; of duplicates the last wins, and maps and slices are merged);
 *   - no escape in a key of the top level, of `options` or of a tool: no client writes one;
 *   - nothing but white space after the object, which Go would ignore;
 *   - valid UTF-8 only, nesting to SCAN_DEPTH_MAX, an object at the top;
 *   - fields have their types on every route, also where Ollama would not look at them;
 *   - integers in `options` must be whole (Go cuts the fraction off) and within 2^53.
 * null is the same as absent, as in Go. Lone surrogate escapes in values pass and become U+FFFD. */
#ifndef TOLLGATE_OLLAMA_SCAN_H
#define TOLLGATE_OLLAMA_SCAN_H

#include "base/slice.h"
#include "base/strbuf.h"
#include "ollama/route.h"

#define SCAN_DEPTH_MAX 1000
#define SCAN_NAME_MAX 256 /* bytes of a model name as sent; longer is refused */

enum scan_status {
	SCAN_MORE, /* the object is not complete */
	SCAN_DONE, /* complete so far; what else the body holds must still be fed */
	SCAN_BAD,  /* refused; further input is ignored */
};

/* Why a body was refused. */
enum scan_reason {
	SCAN_OK,
	SCAN_EMPTY,         /* no value at all */
	SCAN_TRUNCATED,     /* the body ends inside the value */
	SCAN_SYNTAX,        /* not JSON: a character where none such may stand */
	SCAN_BOM,           /* starts with a byte order mark */
	SCAN_TRAILING,      /* data after the value */
	SCAN_NOT_OBJECT,    /* the top level is no object */
	SCAN_DEPTH,         /* nested too deeply */
	SCAN_UTF8,          /* invalid UTF-8 */
	SCAN_CONTROL,       /* unescaped control character in a string */
	SCAN_ESCAPE,        /* bad escape sequence */
	SCAN_DUPLICATE_KEY, /* a key that matters appears twice */
	SCAN_KEY_CASE,      /* a key that Ollama would take for one that matters, spelt differently */
	SCAN_KEY_ESCAPE,    /* an escape in a key that must be plain */
	SCAN_TYPE,          /* a field that matters has the wrong type */
	SCAN_RANGE,         /* a number that does not fit, or is not whole */
	SCAN_TOO_LONG,      /* a value longer than is taken */
	SCAN_REASONS,       /* their number */
};

enum scan_tri { SCAN_UNSET, SCAN_FALSE, SCAN_TRUE };

enum scan_number {
	SCAN_MAX_TOKENS,
	SCAN_MAX_COMPLETION_TOKENS,
	SCAN_MAX_OUTPUT_TOKENS,
	SCAN_N,
	SCAN_NUM_PREDICT, /* this and the following from `options` */
	SCAN_NUM_CTX,
	SCAN_NUM_BATCH,
	SCAN_NUM_GPU,
	SCAN_NUM_THREAD,
	SCAN_NUMBERS, /* their number */
};

#define SCAN_KEEP_ALIVE_FOREVER (-1)

struct scan_result {
	/* Unescaped, not terminated, may hold any byte. Only the fields asked for in scan_init are filled.
	 * An empty string is the same as an absent one, for Ollama too: length 0. */
	char name[NAME_FIELDS][SCAN_NAME_MAX];
	uint16_t name_len[NAME_FIELDS];
	uint16_t have;                /* bits 1 << enum scan_number */
	int64_t number[SCAN_NUMBERS]; /* 0 when absent */
	bool have_keep_alive;
	int64_t keep_alive_ms; /* rounded down; SCAN_KEEP_ALIVE_FOREVER for any negative value. Old nodes
				* cut to whole seconds, so less than 1000 may evict like 0 */
	enum scan_tri stream;  /* unset: Ollama's own routes stream, the others do not */
	bool raw;
	bool insecure;
	bool debug_render_only;
	bool template;          /* a prompt template of the client's own */
	bool server_tool;       /* tools[].type is neither `function` nor `custom`: web_search and the like */
	uint64_t prompt_bytes;  /* decoded text under prompt, messages, input, system, tools ... */
	uint64_t prompt_tokens; /* numbers there: tokens given as such (`context`, arrays in `input`) */
	uint64_t images;        /* not counted as text */
};

struct scan {
	struct scan_result result;
	enum scan_reason reason; /* SCAN_OK unless refused */
	const char *field;       /* the key it is about, a literal, or NULL */
	uint64_t offset;         /* bytes read; when refused, the offending byte or what follows a bad key
				  * or value */

	/* The rest is private: what has to be known between two chunks. */
	uint32_t seen;        /* top-level keys met, by index in their table */
	uint8_t options_seen; /* the same of `options` */
	uint8_t names;
	uint8_t state;
	uint8_t role;      /* what the value being read is taken for */
	uint8_t arg;       /* which one of those */
	uint8_t string;    /* what the string being read is */
	uint8_t utf8_need; /* continuation bytes still due, and the range of the next */
	uint8_t utf8_low;
	uint8_t utf8_high;
	uint8_t escape;   /* where in an escape sequence */
	uint8_t hex_need; /* hexadecimal digits still due */
	bool key_escaped;
	uint16_t hex;
	uint16_t surrogate; /* first half of a pair whose second half may follow, else 0 */
	uint16_t depth;
	const char *key;     /* the field's name when it is one that matters */
	const char *literal; /* rest of true, false or null */
	uint64_t string_len; /* decoded bytes of the string or number being read, whether they fit or not */
	char token[64];      /* key, number or short string */
	uint8_t roles[12];   /* of the outer containers; the deeper ones follow the last */
	uint64_t objects[SCAN_DEPTH_MAX / 64 + 1]; /* a bit a level: object, not array */
};

/* `names`: bits 1 << enum name_field, as in struct route; other names are skipped as unknown keys. */
void scan_init(struct scan *s, unsigned names);

/* Any sizes of chunk, also empty, give the same result. */
enum scan_status scan_feed(struct scan *s, struct slice chunk);

/* The body's end: SCAN_DONE or SCAN_BAD. Without SCAN_DONE from here the result must not be used. */
enum scan_status scan_finish(struct scan *s);

static inline struct slice scan_name(const struct scan *s, enum name_field f)
{
	return (struct slice){s->result.name[f], s->result.name_len[f]};
}

/* One word: "duplicate_key". */
const char *scan_reason_name(enum scan_reason r);

/* A sentence for the client, without a byte of what it sent:
 * "model" is given twice in the request body (byte 17) */
void scan_message(const struct scan *s, struct strbuf *sb);

#endif
