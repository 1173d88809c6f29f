/* Encoding of commands: an array of bulk strings each (RESP2). */
#include "store/request.h"

#include <stdlib.h>
#include <string.h>

enum { HEAD_MAX = 24 }; /* a type byte, 20 digits, CR LF */

void request_reset(struct request *req)
{
	req->len = 0;
	req->count = 0;
	req->failed = false;
}

void request_done(struct request *req)
{
	if (req->p != NULL)
		explicit_bzero(req->p, req->cap);
	free(req->p);
	*req = (struct request){.p = NULL};
}

static bool reserve(struct request *req, size_t more)
{
	size_t cap = req->cap > 0 ? req->cap : 1024;

	if (more > REQUEST_BYTES_MAX || req->len + more > REQUEST_BYTES_MAX)
		return false;
	while (cap < req->len + more)
		cap *= 2;
	if (cap == req->cap)
		return true;
	char *p = realloc(req->p, cap);
	if (p == NULL)
		return false;
	req->p = p;
	req->cap = cap;
	return true;
}

static void put(struct request *req, const char *p, size_t n)
{
	if (n > 0)
		memcpy(req->p + req->len, p, n);
	req->len += n;
}

/* "*3\r\n" or "$11\r\n" */
static void put_head(struct request *req, char type, size_t value)
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
	put(req, text + at, sizeof(text) - at);
}

static bool add(struct request *req, int argc, const char *const *argv, const size_t *argvlen)
{
	if (req->failed || argc <= 0 || req->count == REQUEST_COMMANDS_MAX || !reserve(req, HEAD_MAX + 1))
		return false;
	put_head(req, '*', (size_t)argc);
	for (int i = 0; i < argc; i++) {
		size_t n = argvlen != NULL ? argvlen[i] : strlen(argv[i]);
		if (n > REQUEST_BYTES_MAX || !reserve(req, n + HEAD_MAX + 3))
			return false;
		put_head(req, '$', n);
		put(req, argv[i], n);
		put(req, "\r\n", 2);
	}
	req->p[req->len] = '\0';
	req->ends[req->count++] = req->len;
	return true;
}

void request_add(struct request *req, int argc, const char *const *argv, const size_t *argvlen)
{
	if (!add(req, argc, argv, argvlen))
		req->failed = true;
}

void request_add_words(struct request *req, int argc, const char *const *argv)
{
	request_add(req, argc, argv, NULL);
}

struct slice request_command(const struct request *req, unsigned index)
{
	size_t start = index > 0 ? req->ends[index - 1] : 0;

	return (struct slice){req->p + start, req->ends[index] - start};
}
