/* Redis URLs: redis://[user[:password]@]host[:port][/db] and unix://[user[:password]@]/path[?db=N].
 * User, password and path are percent-decoded. TLS (rediss://) is not spoken. */
#ifndef TOLLGATE_STORE_URL_H
#define TOLLGATE_STORE_URL_H

#include "base/slice.h"

enum {
	STORE_URL_TEXT_MAX = 512,
	STORE_URL_DB_MAX = 65535,
	STORE_URL_PORT = 6379, /* when the URL names none */
};

struct store_url {
	char host[256]; /* name or address without brackets; "" for a unix socket */
	char path[108]; /* of the unix socket, fits sockaddr_un; "" for TCP */
	char user[128];
	char password[256];
	uint16_t port; /* 0 for a unix socket */
	unsigned db;
};

/* Returns NULL and fills *ret, or returns what is wrong as a constant text that quotes nothing of
 * the URL, so that it may be logged; *ret is then untouched. */
const char *store_url_parse(struct slice text, struct store_url *ret) __attribute__((warn_unused_result));

/* Turns a host name into an address, blocking: for start-up only. Addresses and unix sockets are left
 * alone, `localhost` becomes 127.0.0.1. False when the name does not resolve. */
bool store_url_resolve(struct store_url *url) __attribute__((warn_unused_result));

/* Wipes the credentials. */
void store_url_wipe(struct store_url *url);

#endif
