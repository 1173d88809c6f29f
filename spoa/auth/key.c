/* API keys: text form, generation, MAC, and finding the credential among a request's headers. */
#include "auth/key.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <sys/random.h>

static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static bool is_base62(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool all_base62(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_base62(s.p[i]))
			return false;
	return true;
}

/* CRC-32 of IEEE 802.3 (reflected, polynomial 0xEDB88320), four bits at a time: keys are short. */
static uint32_t crc32_ieee(struct slice s)
{
	static const uint32_t nibble[16] = {
		0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4,
		0x4DB26158, 0x5005713C, 0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
		0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
	};
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < s.n; i++) {
		crc ^= (unsigned char)s.p[i];
		crc = nibble[crc & 15] ^ (crc >> 4);
		crc = nibble[crc & 15] ^ (crc >> 4);
	}
	return ~crc;
}

void key_check(struct slice body, char check[KEY_CHECK_LEN])
{
	uint32_t crc = crc32_ieee(body);

	for (size_t i = KEY_CHECK_LEN; i-- > 0; crc /= 62)
		check[i] = base62[crc % 62];
}

bool key_id_valid(struct slice id)
{
	return id.n == KEY_ID_LEN && all_base62(id);
}

enum key_result key_parse(struct slice text, struct key *ret)
{
	char expected[KEY_CHECK_LEN];

	if (text.n != KEY_TEXT_LEN || !slice_starts(text, SLICE_LIT("tg_")))
		return KEY_MALFORMED;
	struct slice id = {text.p + 3, KEY_ID_LEN};
	struct slice secret = {id.p + id.n + 1, KEY_SECRET_LEN};
	struct slice check = {secret.p + secret.n + 1, KEY_CHECK_LEN};
	if (id.p[id.n] != '_' || secret.p[secret.n] != '_')
		return KEY_MALFORMED;
	if (!all_base62(id) || !all_base62(secret))
		return KEY_MALFORMED;
	key_check((struct slice){text.p, KEY_TEXT_LEN - KEY_CHECK_LEN - 1}, expected);
	if (!slice_eq(check, (struct slice){expected, KEY_CHECK_LEN}))
		return KEY_MALFORMED;
	*ret = (struct key){.id = id, .secret = secret};
	return KEY_OK;
}

static bool fill_random(uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		p += got;
		n -= (size_t)got;
	}
	return true;
}

/* Bytes from 248 = 4 * 62 on are thrown away: folding them in would favour the first characters. */
static bool random_base62(char *p, size_t n)
{
	uint8_t pool[64];
	size_t used = sizeof(pool);
	bool ok = true;

	for (size_t i = 0; i < n && ok;) {
		if (used == sizeof(pool)) {
			ok = fill_random(pool, sizeof(pool));
			used = 0;
			continue;
		}
		uint8_t byte = pool[used++];
		if (byte < 248)
			p[i++] = base62[byte % 62];
	}
	p[ok ? n : 0] = '\0';
	OPENSSL_cleanse(pool, sizeof(pool));
	return ok;
}

bool key_new_id(char id[KEY_ID_LEN + 1])
{
	return random_base62(id, KEY_ID_LEN);
}

bool key_new_secret(char secret[KEY_SECRET_LEN + 1])
{
	return random_base62(secret, KEY_SECRET_LEN);
}

void key_format(const char id[KEY_ID_LEN + 1], const char secret[KEY_SECRET_LEN + 1],
		char text[KEY_TEXT_LEN + 1])
{
	char *p = text;

	memcpy(p, "tg_", 3);
	p += 3;
	memcpy(p, id, KEY_ID_LEN);
	p += KEY_ID_LEN;
	*p++ = '_';
	memcpy(p, secret, KEY_SECRET_LEN);
	p += KEY_SECRET_LEN;
	key_check((struct slice){text, (size_t)(p - text)}, p + 1);
	*p = '_';
	text[KEY_TEXT_LEN] = '\0';
}

bool key_mac(const struct pepper *pepper, struct slice secret, uint8_t mac[KEY_MAC_LEN])
{
	if (pepper_mac(pepper, secret, mac))
		return true;
	memset(mac, 0, KEY_MAC_LEN);
	return false;
}

bool key_mac_equal(const uint8_t a[KEY_MAC_LEN], const uint8_t b[KEY_MAC_LEN])
{
	return CRYPTO_memcmp(a, b, KEY_MAC_LEN) == 0;
}

void key_verify_nothing(const struct peppers *peppers, struct slice secret)
{
	static const uint8_t nobody[KEY_MAC_LEN];
	uint8_t mac[KEY_MAC_LEN];

	/* volatile, so that no compiler finds out that nobody wants the result. */
	volatile bool equal = key_mac(peppers_current(peppers), secret, mac) && key_mac_equal(mac, nobody);
	(void)equal;
}

/* token68 of RFC 9110 section 11.2, which is also what RFC 6750 lets a Bearer token be. */
static bool is_token(struct slice s)
{
	if (s.n == 0 || s.n > KEY_PRESENTED_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!is_base62(s.p[i]) && (s.p[i] == '\0' || strchr("-._~+/=", s.p[i]) == NULL))
			return false;
	return true;
}

static struct slice bearer_token(struct slice authorization)
{
	static const struct slice scheme = {"Bearer ", 7};
	struct slice value = slice_trim(authorization);

	if (value.n <= scheme.n || !slice_eq_nocase((struct slice){value.p, scheme.n}, scheme))
		return (struct slice){NULL, 0};
	return slice_trim((struct slice){value.p + scheme.n, value.n - scheme.n});
}

enum credential credential_find(struct slice authorization, struct slice x_api_key, struct slice path_key,
				struct slice *ret)
{
	struct slice found = {NULL, 0};
	struct slice given[] = {authorization, slice_trim(x_api_key), path_key};
	bool malformed = false;

	if (slice_trim(authorization).n > 0) {
		given[0] = bearer_token(authorization);
		malformed = given[0].n == 0;
	} else {
		given[0].n = 0;
	}
	for (size_t i = 0; i < 3; i++) {
		if (given[i].n == 0)
			continue;
		malformed = malformed || !is_token(given[i]);
		if (found.n > 0 && !slice_eq(found, given[i]))
			return CREDENTIAL_CONFLICT;
		found = given[i];
	}
	if (malformed)
		return CREDENTIAL_MALFORMED;
	if (found.n == 0)
		return CREDENTIAL_NONE;
	*ret = found;
	return CREDENTIAL_OK;
}
