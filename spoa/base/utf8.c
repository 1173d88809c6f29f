/* UTF-8 validation by the well-formed byte table of RFC 3629 section 4. */
#include "base/utf8.h"

static bool is_tail(unsigned char c)
{
	return c >= 0x80 && c <= 0xBF;
}

/* The second byte's range is what rules out overlong forms, surrogates and code points too large. */
static bool second_ok(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xE0:
		return second >= 0xA0 && second <= 0xBF;
	case 0xED:
		return second >= 0x80 && second <= 0x9F;
	case 0xF0:
		return second >= 0x90 && second <= 0xBF;
	case 0xF4:
		return second >= 0x80 && second <= 0x8F;
	default:
		return is_tail(second);
	}
}

static size_t length_of(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xC2 && first <= 0xDF)
		return 2;
	if (first >= 0xE0 && first <= 0xEF)
		return 3;
	if (first >= 0xF0 && first <= 0xF4)
		return 4;
	return 0;
}

size_t utf8_next(struct slice s)
{
	if (s.n == 0)
		return 0;
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n = length_of(p[0]);
	if (n <= 1)
		return n;
	if (n > s.n || !second_ok(p[0], p[1]))
		return 0;
	for (size_t i = 2; i < n; i++)
		if (!is_tail(p[i]))
			return 0;
	return n;
}

bool utf8_valid(struct slice s)
{
	while (s.n > 0) {
		size_t n = utf8_next(s);
		if (n == 0)
			return false;
		s.p += n;
		s.n -= n;
	}
	return true;
}
