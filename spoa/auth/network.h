/* Client addresses and the networks a key may be used from. IPv4 and its v4-mapped IPv6 form are one
 * and the same; an IPv6 network that merely spans the mapped range (::/0) does not hold IPv4. */
#ifndef TOLLGATE_AUTH_NETWORK_H
#define TOLLGATE_AUTH_NETWORK_H

#include "base/slice.h"
#include "base/strbuf.h"

enum { NETWORK_TEXT_MAX = 50 }; /* bytes of the longest text of a network with its NUL */

struct netaddr {
	uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
};

struct network {
	uint8_t bytes[16]; /* first address, as above */
	uint8_t bits;      /* of 128; an IPv4 prefix length plus 96 */
};

/* Textual address, no zone, no port. *ret is untouched on failure. */
bool netaddr_parse(struct slice text, struct netaddr *ret) __attribute__((warn_unused_result));

/* Binary address in network order: n is 4 or 16. */
bool netaddr_from_bytes(const void *p, size_t n, struct netaddr *ret) __attribute__((warn_unused_result));

bool netaddr_is_v4(const struct netaddr *a);

/* "10.0.0.0/8", "2001:db8::/32", or a single address. Host bits must be zero ("10.0.0.1/8" is more
 * likely a mistake than meant). *ret is untouched on failure. */
bool network_parse(struct slice text, struct network *ret) __attribute__((warn_unused_result));

bool network_contains(const struct network *net, const struct netaddr *a);

/* The canonical text: IPv4 dotted, IPv6 as in RFC 5952, the length always given. */
void network_put(struct strbuf *sb, const struct network *net);

#endif
