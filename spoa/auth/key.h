/* API keys: tg_<id>_<secret>_<check>, how they are made, read and compared.
 *
 * id (12), secret (43) and check (6) are base62: 0-9 A-Z a-z. The check is the CRC-32 (IEEE) of all
 * before the last '_', as six base62 digits, most significant first: it turns typing errors and
 * guesses away before any lookup and protects nothing. The secret (256 bits) is stored only as an
 * HMAC under a pepper that lives outside Redis. */
#ifndef TOLLGATE_AUTH_KEY_H
#define TOLLGATE_AUTH_KEY_H

#include "auth/pepper.h"
#include "base/slice.h"

enum {
	KEY_ID_LEN = 12,
	KEY_SECRET_LEN = 43,
	KEY_CHECK_LEN = 6,
	KEY_TEXT_LEN = 3 + KEY_ID_LEN + 1 + KEY_SECRET_LEN + 1 + KEY_CHECK_LEN,
	KEY_PRESENTED_MAX = 128, /* a presented credential longer than this is not looked at */
	KEY_MAC_LEN = PEPPER_MAC_LEN,
};

struct key {
	struct slice id;     /* safe to log */
	struct slice secret; /* never leaves the comparison */
};

enum key_result { KEY_OK, KEY_MALFORMED };

/* The slices of *ret point into text; untouched unless KEY_OK. */
enum key_result key_parse(struct slice text, struct key *ret) __attribute__((warn_unused_result));

/* True for exactly KEY_ID_LEN base62 characters. */
bool key_id_valid(struct slice id);

/* Fresh random parts, NUL-terminated. False when the kernel gives no randomness. */
bool key_new_id(char id[KEY_ID_LEN + 1]) __attribute__((warn_unused_result));
bool key_new_secret(char secret[KEY_SECRET_LEN + 1]) __attribute__((warn_unused_result));

/* The complete key; the caller cleanses it with OPENSSL_cleanse when it has been shown. */
void key_format(const char id[KEY_ID_LEN + 1], const char secret[KEY_SECRET_LEN + 1],
		char text[KEY_TEXT_LEN + 1]);

/* The check characters of `body`, the text before the last '_'; not NUL-terminated. */
void key_check(struct slice body, char check[KEY_CHECK_LEN]);

/* HMAC-SHA-256(pepper, secret), under a microsecond: the context is keyed when the pepper is read.
 * False when libcrypto fails; mac is then all zeros and must not be compared. Not thread-safe for
 * one pepper. */
bool key_mac(const struct pepper *pepper, struct slice secret, uint8_t mac[KEY_MAC_LEN])
	__attribute__((warn_unused_result));

/* In constant time. */
bool key_mac_equal(const uint8_t a[KEY_MAC_LEN], const uint8_t b[KEY_MAC_LEN]);

/* Spends the time of a verification on a key whose id is not known, so that the answer's timing does
 * not tell which ids exist. */
void key_verify_nothing(const struct peppers *peppers, struct slice secret);

enum credential {
	CREDENTIAL_NONE,      /* none was presented */
	CREDENTIAL_OK,        /* exactly one, perhaps several times */
	CREDENTIAL_CONFLICT,  /* two that differ: refused (400), never chosen between */
	CREDENTIAL_MALFORMED, /* Authorization is not one Bearer token, or one has bytes no token has, or is
				 longer than KEY_PRESENTED_MAX */
};

/* Finds the one credential among the value of Authorization, the value of x-api-key and the key of the
 * path prefix; an absent or empty slice is none. *ret points into the arguments, set only when
 * CREDENTIAL_OK; it has not been parsed as a key yet. */
enum credential credential_find(struct slice authorization, struct slice x_api_key, struct slice path_key,
				struct slice *ret) __attribute__((warn_unused_result));

#endif
