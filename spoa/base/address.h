/* Addresses a listener may have: a unix socket, or host:port on this machine's loopback. */
#ifndef TOLLGATE_BASE_ADDRESS_H
#define TOLLGATE_BASE_ADDRESS_H

#include <sys/socket.h>

#include "base/slice.h"

/* unix:/path, 127.x.y.z:port, [::1]:port or localhost:port (127.0.0.1). False for anything else, other
 * hosts included: nothing of ours may be reachable from outside without HAProxy in front. */
bool address_parse(struct slice text, struct sockaddr_storage *ret, socklen_t *ret_len)
	__attribute__((warn_unused_result));

#endif
