/* Reading Redis URLs and resolving their host. */
#include "store/url.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>

/* Percent-decodes into a NUL-terminated buffer, so that %00 could hide what follows: refused. */
static bool decode(struct slice s, char *buf, size_t cap)
{
	size_t len = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c == '%') {
			if (s.n - i < 3 || slice_hex_digit(s.p[i + 1]) < 0 || slice_hex_digit(s.p[i + 2]) < 0)
				return false;
			c = (char)(slice_hex_digit(s.p[i + 1]) * 16 + slice_hex_digit(s.p[i + 2]));
			i += 2;
		}
		if (c == '\0' || len + 1 >= cap)
			return false;
		buf[len++] = c;
	}
	buf[len] = '\0';
	return true;
}

/* Cuts s before the first `sep`; what is behind it goes to *ret_rest. False when there is none. */
static bool cut(struct slice *s, char sep, struct slice *ret_rest)
{
	const char *hit = s->n > 0 ? memchr(s->p, sep, s->n) : NULL;

	if (hit == NULL)
		return false;
	size_t at = (size_t)(hit - s->p);
	*ret_rest = (struct slice){hit + 1, s->n - at - 1};
	s->n = at;
	return true;
}

static const char *parse_userinfo(struct slice info, struct store_url *url)
{
	struct slice password = {NULL, 0};

	(void)cut(&info, ':', &password);
	if (!decode(info, url->user, sizeof(url->user)))
		return "the user is too long or badly percent-encoded";
	if (!decode(password, url->password, sizeof(url->password)))
		return "the password is too long or badly percent-encoded";
	return NULL;
}

static const char *parse_db(struct slice text, struct store_url *url)
{
	uint64_t db;

	if (!slice_to_u64(text, STORE_URL_DB_MAX, &db))
		return "the database must be a number from 0 to 65535";
	url->db = (unsigned)db;
	return NULL;
}

static bool is_host_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
	       c == '-' || c == '_';
}

static const char *parse_host(struct slice host, struct store_url *url)
{
	if (host.n == 0)
		return "the host is missing";
	for (size_t i = 0; i < host.n; i++)
		if (!is_host_char(host.p[i]))
			return "the host has a character that no host name or IPv4 address has";
	return slice_copy(host, url->host, sizeof(url->host)) ? NULL : "the host is too long";
}

/* Behind the '[': an IPv6 address, ']', and what follows in *rest. */
static const char *parse_ipv6(struct slice *rest, struct store_url *url)
{
	struct slice address = {rest->p + 1, rest->n - 1};
	struct in6_addr ignored;

	if (!cut(&address, ']', rest) || !slice_copy(address, url->host, sizeof(url->host)) ||
	    inet_pton(AF_INET6, url->host, &ignored) != 1)
		return "the brackets do not hold an IPv6 address";
	return NULL;
}

static const char *parse_port(struct slice text, struct store_url *url)
{
	uint64_t port;

	if (!slice_to_u64(text, 65535, &port) || port == 0)
		return "the port must be a number from 1 to 65535";
	url->port = (uint16_t)port;
	return NULL;
}

static const char *parse_hostport(struct slice authority, struct store_url *url)
{
	struct slice port = {NULL, 0};
	const char *wrong;

	url->port = STORE_URL_PORT;
	if (authority.n > 0 && authority.p[0] == '[') {
		wrong = parse_ipv6(&authority, url);
		if (wrong != NULL || authority.n == 0)
			return wrong;
		if (authority.p[0] != ':')
			return "only a port may follow the address";
		return parse_port((struct slice){authority.p + 1, authority.n - 1}, url);
	}
	bool has_port = cut(&authority, ':', &port);
	wrong = parse_host(authority, url);
	return wrong == NULL && has_port ? parse_port(port, url) : wrong;
}

static const char *parse_tcp(struct slice rest, struct store_url *url)
{
	struct slice db = {NULL, 0};
	struct slice hostport;
	const char *wrong = NULL;

	if (rest.n > 0 && (memchr(rest.p, '?', rest.n) != NULL || memchr(rest.p, '#', rest.n) != NULL))
		return "'?' and '#' have no meaning here; percent-encode them";
	bool has_path = cut(&rest, '/', &db);
	if (cut(&rest, '@', &hostport)) {
		wrong = parse_userinfo(rest, url);
		rest = hostport;
	}
	if (wrong == NULL && rest.n > 0 && memchr(rest.p, '@', rest.n) != NULL)
		wrong = "'@' in a password must be percent-encoded";
	if (wrong == NULL)
		wrong = parse_hostport(rest, url);
	return wrong == NULL && has_path && db.n > 0 ? parse_db(db, url) : wrong;
}

static const char *parse_unix(struct slice rest, struct store_url *url)
{
	const char *slash = rest.n > 0 ? memchr(rest.p, '/', rest.n) : NULL;

	if (slash == NULL)
		return "the socket's path is missing";
	struct slice before = {rest.p, (size_t)(slash - rest.p)};
	struct slice path = {slash, rest.n - before.n};
	struct slice query;
	const char *wrong = NULL;

	if (before.n > 0) {
		if (before.p[before.n - 1] != '@')
			return "the socket's path must be absolute";
		before.n--;
		wrong = parse_userinfo(before, url);
	}
	if (wrong == NULL && cut(&path, '?', &query)) {
		if (!slice_starts(query, SLICE_LIT("db=")))
			return "the only parameter is db";
		wrong = parse_db((struct slice){query.p + 3, query.n - 3}, url);
	}
	if (wrong == NULL && (path.n < 2 || !decode(path, url->path, sizeof(url->path))))
		wrong = "the socket's path is missing, too long or badly percent-encoded";
	return wrong;
}

static bool has_unprintable(struct slice text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] <= ' ' || (unsigned char)text.p[i] >= 0x7F)
			return true;
	return false;
}

static const char *parse_any(struct slice text, struct store_url *url)
{
	static const struct slice tcp = {"redis://", 8};
	static const struct slice local = {"unix://", 7};

	if (text.n > STORE_URL_TEXT_MAX)
		return "it is too long";
	if (has_unprintable(text))
		return "spaces, control characters and non-ASCII bytes must be percent-encoded";
	if (slice_starts(text, tcp))
		return parse_tcp((struct slice){text.p + tcp.n, text.n - tcp.n}, url);
	if (slice_starts(text, local))
		return parse_unix((struct slice){text.p + local.n, text.n - local.n}, url);
	if (slice_starts(text, SLICE_LIT("rediss://")))
		return "TLS is not spoken: use a unix socket or a tunnel";
	return "it must begin with redis:// or unix://";
}

const char *store_url_parse(struct slice text, struct store_url *ret)
{
	struct store_url url = {.port = 0};
	const char *wrong = parse_any(text, &url);

	if (wrong == NULL)
		*ret = url;
	store_url_wipe(&url);
	return wrong;
}

bool store_url_resolve(struct store_url *url)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	unsigned char address[sizeof(struct in6_addr)];

	if (url->path[0] != '\0' || inet_pton(AF_INET, url->host, address) == 1 ||
	    inet_pton(AF_INET6, url->host, address) == 1)
		return true;
	if (strcasecmp(url->host, "localhost") == 0)
		return slice_copy(SLICE_LIT("127.0.0.1"), url->host, sizeof(url->host));
	if (getaddrinfo(url->host, NULL, &hints, &found) != 0)
		return false;
	int failed = getnameinfo(found->ai_addr, found->ai_addrlen, url->host, sizeof(url->host), NULL, 0,
				 NI_NUMERICHOST);
	freeaddrinfo(found);
	return failed == 0;
}

void store_url_wipe(struct store_url *url)
{
	explicit_bzero(url, sizeof(*url));
}
