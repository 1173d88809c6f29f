/* Listener addresses. */
#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static bool parse_unix(struct slice path, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_un *un = (struct sockaddr_un *)ret;

	if (path.n == 0 || path.p[0] != '/' || memchr(path.p, '\0', path.n) != NULL ||
	    !slice_copy(path, un->sun_path, sizeof(un->sun_path)))
		return false;
	un->sun_family = AF_UNIX;
	*ret_len = sizeof(*un);
	return true;
}

static bool parse_v4(const char *host, uint16_t port, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret;

	if (inet_pton(AF_INET, host, &in->sin_addr) != 1 ||
	    ntohl(in->sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
		return false;
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	*ret_len = sizeof(*in);
	return true;
}

static bool parse_v6(const char *host, uint16_t port, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	if (inet_pton(AF_INET6, host, &in6->sin6_addr) != 1 || !IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr))
		return false;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	*ret_len = sizeof(*in6);
	return true;
}

bool address_parse(struct slice text, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	static const struct slice unix_prefix = {"unix:", 5};
	struct sockaddr_storage parsed = {0};
	char host[64];
	uint64_t port;
	bool ok;

	if (slice_starts(text, unix_prefix)) {
		ok = parse_unix((struct slice){text.p + unix_prefix.n, text.n - unix_prefix.n}, &parsed,
				ret_len);
	} else {
		const char *colon = text.n > 0 ? memrchr(text.p, ':', text.n) : NULL;
		if (colon == NULL)
			return false;
		struct slice name = {text.p, (size_t)(colon - text.p)};
		struct slice digits = {colon + 1, text.n - name.n - 1};
		bool v6 = name.n > 2 && name.p[0] == '[' && name.p[name.n - 1] == ']';
		if (v6)
			name = (struct slice){name.p + 1, name.n - 2};
		if (slice_is(name, "localhost"))
			name = SLICE_LIT("127.0.0.1");
		if (!slice_to_u64(digits, UINT16_MAX, &port) || !slice_copy(name, host, sizeof(host)))
			return false;
		ok = (v6 ? parse_v6 : parse_v4)(host, (uint16_t)port, &parsed, ret_len);
	}
	if (ok)
		*ret = parsed;
	return ok;
}
