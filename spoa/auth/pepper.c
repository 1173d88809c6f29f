/* Reading the pepper file and keeping one keyed HMAC context a version. */
#include "auth/pepper.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct pepper {
	uint32_t version;
	EVP_MAC_CTX *ctx; /* keyed; each MAC starts by winding it back to that state */
};

struct peppers {
	unsigned count;
	struct pepper versions[PEPPER_MAX];
};

struct pepper_bytes {
	uint8_t p[PEPPER_BYTES_MAX];
	size_t n;
};

bool pepper_mac(const struct pepper *pepper, struct slice text, uint8_t mac[PEPPER_MAC_LEN])
{
	size_t len = 0;

	return EVP_MAC_init(pepper->ctx, NULL, 0, NULL) == 1 &&
	       EVP_MAC_update(pepper->ctx, (const unsigned char *)text.p, text.n) == 1 &&
	       EVP_MAC_final(pepper->ctx, mac, &len, PEPPER_MAC_LEN) == 1 && len == PEPPER_MAC_LEN;
}

/* Whether winding back without a key restores the keyed state is the library's affair and was wrong in
 * some releases; a wrong MAC would lock every key out or, worse, be stored. */
static bool self_test(const struct pepper *pepper, const struct pepper_bytes *bytes)
{
	static const unsigned char text[] = "tollgate";
	uint8_t expected[EVP_MAX_MD_SIZE];
	uint8_t mac[PEPPER_MAC_LEN];
	struct slice input = {(const char *)text, sizeof(text)};

	if (HMAC(EVP_sha256(), bytes->p, (int)bytes->n, text, sizeof(text), expected, NULL) == NULL)
		return false;
	for (int round = 0; round < 2; round++)
		if (!pepper_mac(pepper, input, mac) || memcmp(mac, expected, sizeof(mac)) != 0)
			return false;
	return true;
}

static bool pepper_open(struct pepper *pepper, uint32_t version, const struct pepper_bytes *bytes)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	*pepper = (struct pepper){.version = version, .ctx = EVP_MAC_CTX_new(hmac)};
	EVP_MAC_free(hmac); /* the context holds its own reference */
	return pepper->ctx != NULL && EVP_MAC_init(pepper->ctx, bytes->p, bytes->n, params) == 1 &&
	       self_test(pepper, bytes);
}

static bool parse_hex(struct slice hex, struct pepper_bytes *ret)
{
	if (hex.n % 2 != 0 || hex.n / 2 < PEPPER_BYTES_MIN || hex.n / 2 > PEPPER_BYTES_MAX)
		return false;
	ret->n = hex.n / 2;
	for (size_t i = 0; i < ret->n; i++) {
		int high = slice_hex_digit(hex.p[2 * i]);
		int low = slice_hex_digit(hex.p[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		ret->p[i] = (uint8_t)(high * 16 + low);
	}
	return true;
}

/* A row of equal bytes is a placeholder somebody forgot to replace. */
static bool is_placeholder(const struct pepper_bytes *bytes)
{
	for (size_t i = 1; i < bytes->n; i++)
		if (bytes->p[i] != bytes->p[0])
			return false;
	return true;
}

/* Returns what is wrong with the line, NULL when it was taken. */
static const char *add_line(struct peppers *peppers, struct slice line)
{
	struct pepper_bytes bytes;
	struct slice rest = line, number;
	uint64_t version;
	const char *wrong = NULL;

	(void)slice_next(&rest, ' ', &number);
	if (!slice_to_u64(number, UINT32_MAX, &version) || version == 0)
		return "expected `<version> <hex>` with a version from 1";
	if (peppers_find(peppers, (uint32_t)version) != NULL)
		return "this version is already there";
	if (peppers->count == PEPPER_MAX)
		return "more than 16 versions; remove those that no key uses";
	if (!parse_hex(slice_trim(rest), &bytes))
		wrong = "expected 32 to 128 bytes in hex behind the version, as `openssl rand -hex 32` "
			"prints";
	else if (is_placeholder(&bytes))
		wrong = "all bytes are equal; make a random pepper with `openssl rand -hex 32`";
	else if (!pepper_open(&peppers->versions[peppers->count++], (uint32_t)version, &bytes))
		wrong = "libcrypto cannot compute HMAC-SHA-256";
	OPENSSL_cleanse(&bytes, sizeof(bytes));
	return wrong;
}

static const char *add_lines(struct peppers *peppers, struct slice text, unsigned *ret_line)
{
	struct slice line;

	for (*ret_line = 1; slice_next(&text, '\n', &line); (*ret_line)++) {
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		line = slice_trim(line);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		const char *wrong = add_line(peppers, line);
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

struct peppers *peppers_parse(struct slice text, struct strbuf *err)
{
	struct peppers *peppers = calloc(1, sizeof(*peppers));
	unsigned line = 0;

	if (peppers == NULL) {
		strbuf_puts(err, "out of memory");
		return NULL;
	}
	const char *wrong = add_lines(peppers, text, &line);
	if (wrong != NULL)
		strbuf_printf(err, "line %u: %s", line, wrong);
	else if (peppers->count == 0)
		strbuf_puts(err, "it has no pepper; write one with `echo \"1 $(openssl rand -hex 32)\"`");
	else
		return peppers;
	peppers_free(&peppers);
	return NULL;
}

void peppers_free(struct peppers **peppers)
{
	if (*peppers == NULL)
		return;
	for (unsigned i = 0; i < (*peppers)->count; i++)
		EVP_MAC_CTX_free((*peppers)->versions[i].ctx);
	free(*peppers);
	*peppers = NULL;
}

const struct pepper *peppers_current(const struct peppers *peppers)
{
	const struct pepper *best = &peppers->versions[0];

	for (unsigned i = 1; i < peppers->count; i++)
		if (peppers->versions[i].version > best->version)
			best = &peppers->versions[i];
	return best;
}

const struct pepper *peppers_find(const struct peppers *peppers, uint32_t version)
{
	for (unsigned i = 0; i < peppers->count; i++)
		if (peppers->versions[i].version == version)
			return &peppers->versions[i];
	return NULL;
}

uint32_t pepper_version(const struct pepper *pepper)
{
	return pepper->version;
}

/* Who may read the file may forge keys together with a copy of Redis; who may write it may lock all out.
 * Reading by its group is how a service gets at it. */
static const char *mode_wrong(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "not a regular file";
	if ((st.st_mode & S_IRWXO) != 0)
		return "others may use it; run chmod o= on it";
	if ((st.st_mode & S_IWGRP) != 0)
		return "its group may write it; run chmod g-w on it";
	return NULL;
}

/* Bytes read, -1 with errno; a file that does not fit is EFBIG. */
static ssize_t read_all(int fd, char *buf, size_t cap)
{
	size_t len = 0;

	while (len < cap) {
		ssize_t got = read(fd, buf + len, cap - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -1 : (ssize_t)len;
		len += (size_t)got;
	}
	errno = EFBIG;
	return -1;
}

static struct peppers *load_fd(int fd, struct strbuf *err)
{
	char text[PEPPER_FILE_MAX];
	struct peppers *peppers = NULL;
	const char *wrong = mode_wrong(fd);
	ssize_t len = wrong == NULL ? read_all(fd, text, sizeof(text)) : 0;

	if (wrong != NULL)
		strbuf_puts(err, wrong);
	else if (len < 0)
		strbuf_puts(err, strerror(errno));
	else
		peppers = peppers_parse((struct slice){text, (size_t)len}, err);
	OPENSSL_cleanse(text, sizeof(text));
	return peppers;
}

struct peppers *peppers_load(const char *path, struct strbuf *err)
{
	char reason[256];
	struct strbuf why = strbuf_over(reason, sizeof(reason));
	struct peppers *peppers = NULL;
	/* O_NONBLOCK: a FIFO in its place must not hang the start. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		strbuf_puts(&why, strerror(errno));
	} else {
		peppers = load_fd(fd, &why);
		close(fd);
	}
	if (peppers == NULL)
		strbuf_printf(err, "pepper file %s: %s", path, reason);
	return peppers;
}
