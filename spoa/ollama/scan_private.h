/* What the scanner's three files share: scan.c has JSON's structure, scan_string.c its strings, and
 * scan_field.c knows what the fields mean. */
#ifndef TOLLGATE_OLLAMA_SCAN_PRIVATE_H
#define TOLLGATE_OLLAMA_SCAN_PRIVATE_H

#include "ollama/scan.h"

/* What a value is taken for. It follows from the role of what it is in, and its key there. */
enum scan_role {
	ROLE_SKIP, /* nothing, nor anything in it */
	ROLE_TEXT, /* part of the prompt, with all in it */
	ROLE_TOP,
	ROLE_NAME,    /* arg: enum name_field */
	ROLE_INTEGER, /* arg: enum scan_number */
	ROLE_WHOLE,   /* the same, in options */
	ROLE_FLAG,    /* arg: enum scan_flag */
	ROLE_KEEP_ALIVE,
	ROLE_TEMPLATE,
	ROLE_OPTIONS,
	ROLE_TOOLS,
	ROLE_TOOL,
	ROLE_TOOL_TYPE,
	ROLE_MESSAGES, /* an array of them, or a text */
	ROLE_MESSAGE,
	ROLE_CONTENT, /* a text or an array of blocks */
	ROLE_BLOCK,
	ROLE_IMAGES, /* an array, or one */
	ROLE_IMAGE,
	ROLE_IMAGE_URL, /* the URL, or an object with it */
	ROLE_SOURCE,
};

enum scan_flag { FLAG_STREAM, FLAG_RAW, FLAG_INSECURE, FLAG_DEBUG_RENDER_ONLY };

enum scan_type {
	TYPE_NULL = 1,
	TYPE_BOOL = 2,
	TYPE_NUMBER = 4,
	TYPE_STRING = 8,
	TYPE_ARRAY = 16,
	TYPE_OBJECT = 32,
};

enum scan_string {
	STRING_KEY,
	STRING_SKIP,
	STRING_TEXT,  /* its length counts as prompt */
	STRING_IMAGE, /* counts as one image */
	STRING_NAME,  /* goes to result.name[arg] */
	STRING_TOKEN, /* goes to token[] */
};

/* Poisons the scanner; always false, for `return scan_fail(...)`. */
bool scan_fail(struct scan *s, enum scan_reason reason, const char *field);

/* Role of the innermost open container. */
enum scan_role scan_container(const struct scan *s);

/* Reads on in a string from *p; false when refused. *ret_closed: its closing quote was read. */
bool scan_string_read(struct scan *s, const char **p, const char *end, bool *ret_closed)
	__attribute__((warn_unused_result));

/* A value of this type is about to be read: is that right for its role? Sets up its string. */
bool field_begin(struct scan *s, enum scan_type type) __attribute__((warn_unused_result));

/* Its role in the container that is open, before an array's element is read. */
void field_element(struct scan *s);

/* The same from the key in token[] and key_escaped. */
bool field_key(struct scan *s) __attribute__((warn_unused_result));

/* Escapes are refused in keys of the container that is open. */
bool field_key_plain(const struct scan *s);

/* A value was read: token[] holds a number's text or a string that was asked for. */
bool field_string(struct scan *s) __attribute__((warn_unused_result));
bool field_number(struct scan *s) __attribute__((warn_unused_result));
void field_bool(struct scan *s, bool value);

#endif
