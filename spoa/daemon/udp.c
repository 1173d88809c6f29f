/* Datagrams from HAProxy, read in turns that leave time for the SPOP connections. */
#include "daemon/udp.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"

enum { DATAGRAM_MAX = 65536, DATAGRAMS_A_TURN = 64 };

struct udp {
	struct ev_loop *loop;
	ev_io io;
	udp_line_fn *fn;
	void *ctx;
	struct udp_stats stats;
	uint32_t overflow; /* the kernel's running count */
	char buf[DATAGRAM_MAX];
};

static void count_overflow(struct udp *udp, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		uint32_t now;
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL)
			continue;
		memcpy(&now, CMSG_DATA(c), sizeof(now));
		udp->stats.dropped += now - udp->overflow;
		udp->overflow = now;
	}
}

static void on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct udp *udp = io->data;

	(void)loop;
	(void)revents;
	for (int i = 0; i < DATAGRAMS_A_TURN; i++) {
		char control[CMSG_SPACE(sizeof(uint32_t))];
		struct iovec iov = {udp->buf, sizeof(udp->buf)};
		struct msghdr msg = {.msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = control,
				     .msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(io->fd, &msg, MSG_DONTWAIT);
		if (n < 0)
			return;
		udp->stats.datagrams++;
		count_overflow(udp, &msg);
		udp->fn(udp->ctx, udp->buf, (size_t)n);
	}
}

static bool udp_open(struct udp *udp, struct slice address, size_t receive_buffer)
{
	struct sockaddr_storage addr;
	socklen_t len, size_len = sizeof(int);
	int size = (int)receive_buffer, granted = 0, on = 1;

	if (!address_parse(address, &addr, &len) || addr.ss_family == AF_UNIX) {
		errno = EINVAL;
		return false;
	}
	int fd = socket(addr.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	/* FORCE passes net.core.rmem_max where the process may; else the kernel grants what it allows. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	(void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &size_len) == 0)
		udp->stats.receive_buffer = (size_t)granted;
	if (bind(fd, (struct sockaddr *)&addr, len) != 0) {
		int err = errno;
		close(fd);
		errno = err;
		return false;
	}
	ev_io_init(&udp->io, on_readable, fd, EV_READ);
	udp->io.data = udp;
	ev_io_start(udp->loop, &udp->io);
	return true;
}

struct udp *udp_new(struct ev_loop *loop, struct slice address, size_t receive_buffer, udp_line_fn *fn,
		    void *ctx)
{
	struct udp *udp = calloc(1, sizeof(*udp));

	if (udp == NULL)
		return NULL;
	udp->loop = loop;
	udp->fn = fn;
	udp->ctx = ctx;
	if (!udp_open(udp, address, receive_buffer)) {
		int err = errno;
		free(udp);
		errno = err;
		return NULL;
	}
	return udp;
}

void udp_free(struct udp **udp)
{
	if (*udp == NULL)
		return;
	ev_io_stop((*udp)->loop, &(*udp)->io);
	close((*udp)->io.fd);
	free(*udp);
	*udp = NULL;
}

const struct udp_stats *udp_stats(const struct udp *udp)
{
	return &udp->stats;
}
