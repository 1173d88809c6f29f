/* Encoding of commands: an array of bulk strings each (RESP2). */
#include "store/wire.h"

#include <stdlib.h>
#include <string.h>

enum { HEAD_MAX = 24 }; /* a type byte, 20 digits, CR LF */

void wire_reset(struct wire *wire)
{
	wire->len = 0;
	wire->count = 0;
	wire->failed = false;
}

void wire_done(struct wire *wire)
{
	if (wire->p != NULL)
		explicit_bzero(wire->p, wire->cap);
	free(wire->p);
	*wire = (struct wire){.p = NULL};
}

static bool reserve(struct wire *wire, size_t more)
{
	size_t cap = wire->cap > 0 ? wire->cap : 1024;

	if (more > WIRE_BYTES_MAX || wire->len + more > WIRE_BYTES_MAX)
		return false;
	while (cap < wire->len + more)
		cap *= 2;
	if (cap == wire->cap)
		return true;
	char *p = realloc(wire->p, cap);
	if (p == NULL)
		return false;
	wire->p = p;
	wire->cap = cap;
	return true;
}

static void put(struct wire *wire, const char *p, size_t n)
{
	if (n > 0)
		memcpy(wire->p + wire->len, p, n);
	wire->len += n;
}

/* "*3\r\n" or "$11\r\n" */
static void put_head(struct wire *wire, char type, size_t value)
{
	char text[HEAD_MAX];
	size_t at = sizeof(text);

	text[--at] = '\n';
	text[--at] = '\r';
	do {
		text[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	text[--at] = type;
	put(wire, text + at, sizeof(text) - at);
}

static bool add(struct wire *wire, int argc, const char *const *argv, const size_t *argvlen)
{
	if (wire->failed || argc <= 0 || wire->count == WIRE_COMMANDS_MAX || !reserve(wire, HEAD_MAX + 1))
		return false;
	put_head(wire, '*', (size_t)argc);
	for (int i = 0; i < argc; i++) {
		size_t n = argvlen != NULL ? argvlen[i] : strlen(argv[i]);
		if (n > WIRE_BYTES_MAX || !reserve(wire, n + HEAD_MAX + 3))
			return false;
		put_head(wire, '$', n);
		put(wire, argv[i], n);
		put(wire, "\r\n", 2);
	}
	wire->p[wire->len] = '\0';
	wire->ends[wire->count++] = wire->len;
	return true;
}

void wire_add(struct wire *wire, int argc, const char *const *argv, const size_t *argvlen)
{
	if (!add(wire, argc, argv, argvlen))
		wire->failed = true;
}

void wire_add_words(struct wire *wire, int argc, const char *const *argv)
{
	wire_add(wire, argc, argv, NULL);
}

struct slice wire_command(const struct wire *wire, unsigned index)
{
	size_t start = index > 0 ? wire->ends[index - 1] : 0;

	return (struct slice){wire->p + start, wire->ends[index] - start};
}
