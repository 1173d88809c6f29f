/* Addresses and CIDR networks, both kept as 16 bytes. */
#include "auth/network.h"

#include <arpa/inet.h>

enum { V4_PREFIX = 96 };

static const uint8_t v4_mapped[12] = {[10] = 0xFF, [11] = 0xFF};

bool netaddr_from_bytes(const void *p, size_t n, struct netaddr *ret)
{
	if (n != 4 && n != 16)
		return false;
	memcpy(ret->bytes, v4_mapped, sizeof(v4_mapped));
	memcpy(ret->bytes + 16 - n, p, n);
	return true;
}

bool netaddr_parse(struct slice text, struct netaddr *ret)
{
	char buf[INET6_ADDRSTRLEN];
	uint8_t bytes[16];
	bool v6 = text.n > 0 && memchr(text.p, ':', text.n) != NULL;

	/* inet_pton reads up to a NUL, which a slice may hold anywhere. */
	if (text.n == 0 || memchr(text.p, '\0', text.n) != NULL || !slice_copy(text, buf, sizeof(buf)))
		return false;
	if (inet_pton(v6 ? AF_INET6 : AF_INET, buf, bytes) != 1)
		return false;
	return netaddr_from_bytes(bytes, v6 ? 16 : 4, ret);
}

bool netaddr_is_v4(const struct netaddr *a)
{
	return memcmp(a->bytes, v4_mapped, sizeof(v4_mapped)) == 0;
}

/* The bits of byte i that a prefix of `bits` covers. */
static uint8_t mask_byte(unsigned bits, unsigned i)
{
	if (bits >= 8 * (i + 1))
		return 0xFF;
	if (bits <= 8 * i)
		return 0;
	return (uint8_t)(0xFF << (8 * (i + 1) - bits));
}

static bool host_bits_zero(const uint8_t bytes[16], unsigned bits)
{
	for (unsigned i = 0; i < 16; i++)
		if ((bytes[i] & ~mask_byte(bits, i)) != 0)
			return false;
	return true;
}

bool network_parse(struct slice text, struct network *ret)
{
	struct slice rest = text, part;
	struct netaddr addr;
	uint64_t bits;

	if (!slice_next(&rest, '/', &part) || !netaddr_parse(part, &addr))
		return false;
	/* "::ffff:10.0.0.0/104" is written in IPv6, so its length counts from the front of 128. */
	bool dotted = memchr(part.p, ':', part.n) == NULL;
	unsigned width = dotted ? 32 : 128;
	bits = width;
	if (rest.p != NULL && (rest.n > 3 || !slice_to_u64(rest, width, &bits)))
		return false;
	if (rest.n > 1 && rest.p[0] == '0')
		return false;
	bits += 128 - width;
	if (!host_bits_zero(addr.bytes, (unsigned)bits))
		return false;
	memcpy(ret->bytes, addr.bytes, sizeof(ret->bytes));
	ret->bits = (uint8_t)bits;
	return true;
}

static bool network_is_v4(const struct network *net)
{
	return net->bits >= V4_PREFIX && memcmp(net->bytes, v4_mapped, sizeof(v4_mapped)) == 0;
}

bool network_contains(const struct network *net, const struct netaddr *a)
{
	if (network_is_v4(net) != netaddr_is_v4(a))
		return false;
	for (unsigned i = 0; i < 16; i++)
		if (((net->bytes[i] ^ a->bytes[i]) & mask_byte(net->bits, i)) != 0)
			return false;
	return true;
}

void network_put(struct strbuf *sb, const struct network *net)
{
	char text[INET6_ADDRSTRLEN];
	bool v4 = network_is_v4(net);

	(void)inet_ntop(v4 ? AF_INET : AF_INET6, net->bytes + (v4 ? 12 : 0), text, sizeof(text));
	strbuf_printf(sb, "%s/%u", text, (unsigned)net->bits - (v4 ? V4_PREFIX : 0));
}
