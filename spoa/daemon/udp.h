/* The UDP socket on which HAProxy tells of the ends of streams. */
#ifndef TOLLGATE_DAEMON_UDP_H
#define TOLLGATE_DAEMON_UDP_H

#include <ev.h>

#include "base/slice.h"

struct udp;

/* `line` is writable and valid during the call. */
typedef void udp_line_fn(void *ctx, char *line, size_t n);

/* Binds a loopback host:port. receive_buffer: bytes asked of the kernel, since what does not fit is lost
 * without a trace. NULL with errno (EINVAL: the address is not understood or not loopback). */
struct udp *udp_new(struct ev_loop *loop, struct slice address, size_t receive_buffer, udp_line_fn *fn,
		    void *ctx);
void udp_free(struct udp **udp);

struct udp_stats {
	uint64_t datagrams;
	uint64_t dropped;      /* by the kernel, for want of room (SO_RXQ_OVFL) */
	size_t receive_buffer; /* bytes the kernel granted */
};
const struct udp_stats *udp_stats(const struct udp *udp);

#endif
