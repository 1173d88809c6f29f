/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef TOLLGATE_BASE_UTF8_H
#define TOLLGATE_BASE_UTF8_H

#include "base/slice.h"

/* Length in bytes (1 to 4) of the valid sequence at the start of s, 0 when there is none. */
size_t utf8_next(struct slice s);

bool utf8_valid(struct slice s);

#endif
