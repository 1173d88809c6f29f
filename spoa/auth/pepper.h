/* The peppers: secrets outside Redis under which key secrets are HMACed. A copy of Redis alone lets
 * nobody test or mint keys.
 *
 * The file has lines `<version> <hex of 32 to 128 bytes>`; '#' starts a comment line. The highest version
 * signs new secrets, all of them verify. */
#ifndef TOLLGATE_AUTH_PEPPER_H
#define TOLLGATE_AUTH_PEPPER_H

#include "base/slice.h"
#include "base/strbuf.h"

enum {
	PEPPER_MAX = 16, /* versions in one file */
	PEPPER_BYTES_MIN = 32,
	PEPPER_BYTES_MAX = 128,
	PEPPER_FILE_MAX = 16384, /* bytes */
	PEPPER_MAC_LEN = 32,
};

struct pepper;  /* one version, keyed and ready */
struct peppers; /* those of one file */

/* Reads the file. NULL on failure with a sentence in *err that names the path and what to do, never a
 * byte of the content. Refused when others can read it or anybody but the owner can write it. */
struct peppers *peppers_load(const char *path, struct strbuf *err);

/* The same from text, whose secrets the caller cleanses. */
struct peppers *peppers_parse(struct slice text, struct strbuf *err);

/* NULLs the pointer. */
void peppers_free(struct peppers **peppers);

/* The highest version; there is always one. */
const struct pepper *peppers_current(const struct peppers *peppers);

/* NULL when the version is not in the file. */
const struct pepper *peppers_find(const struct peppers *peppers, uint32_t version);

uint32_t pepper_version(const struct pepper *pepper);

/* HMAC-SHA-256; see key_mac(). */
bool pepper_mac(const struct pepper *pepper, struct slice text, uint8_t mac[PEPPER_MAC_LEN])
	__attribute__((warn_unused_result));

#endif
