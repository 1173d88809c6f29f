"""HTTP/1.1 server side over asyncio.Protocol, with the habits of Go's net/http.

Headers leave with the first byte of the body, never before. A whole answer of up to 2 KiB carries a
Content-Length and a longer one is chunked; every streamed piece is one chunk and one write. The end of
the client's side, even a half-close, cancels the request that is being served.
"""

import asyncio
import email.utils
import socket
import struct
import time
from urllib.parse import unquote_to_bytes

HEAD_MAX = 1 << 20
BODY_MAX = 256 << 20
PIPELINE_MAX = 256 << 10
GO_BUFFER = 2048

REASONS = {
    100: "Continue", 200: "OK", 201: "Created", 204: "No Content", 301: "Moved Permanently",
    307: "Temporary Redirect", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 413: "Request Entity Too Large", 431: "Request Header Fields Too Large",
    499: "", 500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway",
    503: "Service Unavailable", 505: "HTTP Version Not Supported",
}
STATUS_LINES = {code: f"HTTP/1.1 {code} {text}\r\n" for code, text in REASONS.items()}
LINGER_ZERO = struct.pack("ii", 1, 0)


class BadRequest(Exception):
    """The bytes are no HTTP request; args are the status and the text after it."""


class Clock:
    """The Date header, formatted once a second."""

    second = 0
    text = ""

    @classmethod
    def date(cls):
        now = int(time.time())
        if now != cls.second:
            cls.second = now
            cls.text = email.utils.formatdate(now, usegmt=True)
        return cls.text


class Exchange:
    """One request with its answer. The record, when there is one, hears of every write."""

    __slots__ = ("connection", "method", "target", "path", "headers", "header_names", "body", "minor",
                 "watch", "late_end", "record", "fault", "status", "streaming", "closing", "bytes_in")

    def __init__(self, connection, method, target, minor, headers, header_names):
        self.connection = connection
        self.method = method
        self.target = target
        self.minor = minor
        self.headers = headers
        self.header_names = header_names
        self.body = b""
        self.bytes_in = 0
        self.watch = True       # a lost connection cancels the work
        self.late_end = False   # chunked, and the last chunk came after the data
        self.record = None
        self.fault = None
        self.status = 0
        self.streaming = False
        token = headers.get("connection", "").lower()
        self.closing = "close" in token or (minor == 0 and "keep-alive" not in token)
        raw = target.partition("?")[0]
        if raw.startswith(("http://", "https://")):
            raw = "/" + raw.split("/", 3)[3] if raw.count("/") > 2 else "/"
        self.path = raw
        if "%" in raw:
            self.path = unquote_to_bytes(raw).decode("utf-8", "replace")

    def _head(self, status, content_type, headers, framing):
        parts = [STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n"]
        fields = list(headers)
        if content_type:
            fields.append(("Content-Type", content_type))
        parts += [f"{name}: {value}\r\n" for name, value in sorted(fields)]
        close = "Connection: close\r\n" if self.closing and self.minor else ""
        parts.append(f"Date: {Clock.date()}\r\n{framing}{close}\r\n")
        self.status = status
        return "".join(parts).encode("latin-1", "replace")

    def _write(self, data, body_bytes):
        if self.record is not None:
            self.record.sent(len(data), body_bytes)
        transport = self.connection.transport
        if transport is not None:
            transport.write(data)

    def reply(self, status, body=b"", content_type=None, headers=()):
        """Send a whole answer, or what a fault leaves of it."""
        if self.fault is not None and self.fault.mid_stream and body:
            self.reply_partly(status, body, content_type, 0.5)
            return
        if len(body) > GO_BUFFER and self.minor and self.method != "HEAD":
            head = self._head(status, content_type, headers, "Transfer-Encoding: chunked\r\n")
            self._write(b"%b%x\r\n%b\r\n0\r\n\r\n" % (head, len(body), body), len(body))
            return
        framing = "" if status == 204 else f"Content-Length: {len(body)}\r\n"
        head = self._head(status, content_type, headers, framing)
        if self.method == "HEAD":
            body = b""
        self._write(head + body, len(body))

    def reply_partly(self, status, body, content_type, share):
        """Send the head and only a share (0..1) of the body it promises; for faults."""
        head = self._head(status, content_type, (), f"Content-Length: {len(body)}\r\n")
        part = body[:int(len(body) * share)]
        self.closing = True
        self._write(head + part, len(part))

    def chunk(self, data, content_type="", headers=(), status=200):
        """Send one streamed piece; the first one takes the head with it."""
        framed = b"%x\r\n%b\r\n" % (len(data), data) if self.minor and data else data
        if not self.streaming:
            self.streaming = True
            framing = "Transfer-Encoding: chunked\r\n"
            if not self.minor:
                framing, self.closing = "", True
            framed = self._head(status, content_type, headers, framing) + framed
        self._write(framed, len(data))

    def end(self):
        """Close a streamed answer as Go does when the handler returns."""
        if self.streaming and self.minor:
            self._write(b"0\r\n\r\n", 0)

    async def drain(self):
        waiter = self.connection.write_waiter
        if waiter is not None:
            await waiter

    def reset(self):
        """End the connection with RST."""
        self.connection.reset()


class Connection(asyncio.Protocol):
    """Reads requests one after the other and hands each to app.handle(exchange)."""

    def __init__(self, app, number):
        self.app = app
        self.number = number
        self.transport = None
        self.buffer = bytearray()
        self.exchange = None
        self.pending = None         # head parsed, body still arriving
        self.chunks = None
        self.chunked_bytes = 0
        self.task = None
        self.write_waiter = None
        self.held = False           # accepted but never read, see Faults
        self.data_end_turn = 0
        self.turn = 0

    def connection_made(self, transport):
        self.transport = transport
        sock = transport.get_extra_info("socket")
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app.opened(self)

    def connection_lost(self, exc):
        self.transport = None
        if self.write_waiter is not None and not self.write_waiter.done():
            self.write_waiter.set_result(None)
        self.write_waiter = None
        self._client_left()
        self.app.closed(self)

    def eof_received(self):
        self._client_left()
        return False

    def _client_left(self):
        if self.exchange is not None and self.exchange.watch and self.task is not None:
            self.task.cancel()

    def pause_writing(self):
        self.write_waiter = asyncio.get_running_loop().create_future()

    def resume_writing(self):
        waiter, self.write_waiter = self.write_waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def reset(self):
        if self.transport is None:
            return
        sock = self.transport.get_extra_info("socket")
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        self.transport.abort()

    def hold(self, held):
        """Stop reading, or go on: the state of a process that accepts and no more."""
        self.held = held
        if self.transport is not None:
            if held:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()
                self._pump()

    def data_received(self, data):
        self.buffer += data
        self.turn += 1
        if self.exchange is None:
            self._pump()
        elif len(self.buffer) > PIPELINE_MAX:
            self.transport.pause_reading()

    def _pump(self):
        try:
            while self.exchange is None and self.transport is not None and not self.held:
                request = self._next_request()
                if request is None:
                    return
                self._serve(request)
        except BadRequest as error:
            self._refuse(*error.args)

    def _refuse(self, status, detail):
        text = f"{status} {REASONS[status]}" + (f": {detail}" if detail else "")
        self.transport.write((f"{STATUS_LINES[status]}Content-Type: text/plain; charset=utf-8\r\n"
                              f"Connection: close\r\n\r\n{text}").encode())
        self.transport.close()

    def _next_request(self):
        if self.pending is None:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self.buffer) > HEAD_MAX:
                    raise BadRequest(431, "")
                return None
            self.pending = parse_head(self, bytes(self.buffer[:end]))
            self.pending.bytes_in = end + 4
            del self.buffer[:end + 4]
            if "transfer-encoding" in self.pending.headers:
                self.chunks, self.chunked_bytes = [], 0
            if self.pending.headers.get("expect", "").lower() == "100-continue":
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        done = self._read_chunks() if self.chunks is not None else self._read_length()
        if not done:
            return None
        request, self.pending = self.pending, None
        return request

    def _read_length(self):
        need = int(self.pending.headers.get("content-length", 0))
        if need > BODY_MAX:
            raise BadRequest(413, "")
        if len(self.buffer) < need:
            return False
        if need:
            self.pending.body = bytes(self.buffer[:need])
            del self.buffer[:need]
            self.pending.bytes_in += need
        return True

    def _read_chunks(self):
        """Take whole chunks from the buffer; True after the last one and its trailers."""
        while True:
            line_end = self.buffer.find(b"\r\n")
            if line_end < 0:
                return False
            try:
                size = int(bytes(self.buffer[:line_end]).partition(b";")[0], 16)
            except ValueError:
                raise BadRequest(400, "") from None
            if size == 0:
                end = line_end if self.buffer[line_end:line_end + 4] == b"\r\n\r\n" else \
                    self.buffer.find(b"\r\n\r\n", line_end)
                if end < 0:
                    return False
                del self.buffer[:end + 4]
                self.pending.late_end = self.turn != self.data_end_turn
                self.pending.body = b"".join(self.chunks)
                self.pending.bytes_in += len(self.pending.body)
                self.chunks = None
                return True
            stop = line_end + 2 + size
            if self.chunked_bytes + size > BODY_MAX:
                raise BadRequest(413, "")
            if len(self.buffer) < stop + 2:
                return False
            self.chunks.append(bytes(self.buffer[line_end + 2:stop]))
            self.chunked_bytes += size
            self.data_end_turn = self.turn
            del self.buffer[:stop + 2]

    def _serve(self, exchange):
        self.exchange = exchange
        work = self.app.handle(exchange)
        if work is None:
            self._finish()
            return
        self.task = asyncio.get_running_loop().create_task(work)
        self.task.add_done_callback(self._task_done)

    def _task_done(self, task):
        self.task = None
        self._finish()
        if not task.cancelled() and task.exception() is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "request handler failed", "exception": task.exception()})
        self._pump()

    def _finish(self):
        exchange, self.exchange = self.exchange, None
        self.app.finished(exchange)
        if self.transport is None:
            return
        if exchange.closing or exchange.status == 0:
            self.transport.close()
        elif not self.held and not self.transport.is_reading():
            self.transport.resume_reading()


def parse_head(connection, head):
    """Build an Exchange from the bytes before the empty line; raises BadRequest as Go answers."""
    lines = head.decode("latin-1").split("\r\n")
    first = lines[0].split(" ")
    if len(first) != 3 or not first[0] or not first[2].startswith("HTTP/"):
        raise BadRequest(400, "")
    if first[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadRequest(505, "unsupported protocol version")
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest(400, "")
        name = name.lower()
        value = value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    minor = 1 if first[2] == "HTTP/1.1" else 0
    if minor and "host" not in headers:
        raise BadRequest(400, "missing required Host header")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise BadRequest(400, "")
    if headers.get("transfer-encoding", "chunked").lower() != "chunked":
        raise BadRequest(501, "Unsupported transfer encoding")
    return Exchange(connection, first[0], first[1], minor, headers, tuple(headers))


def bound(host, port):
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setblocking(False)
    sock.bind((host, port))
    return sock


class Listener:
    """A listening socket that can stop listening and start again on the same port.

    shutdown() takes a Linux socket out of LISTEN but leaves it bound when it was bound to a port by
    number, so nobody can take the port while connections are refused.
    """

    def __init__(self, app, host, port):
        self.app = app
        if port:
            self.socket = bound(host, port)
        else:
            with bound(host, 0) as any_port:
                self.socket = bound(host, any_port.getsockname()[1])
        self.address = self.socket.getsockname()[:2]
        self.accepted = 0
        self.listening = False
        self.starting = set()
        self.connections = {}

    def __str__(self):
        host, port = self.address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def open(self):
        if not self.listening:
            self.listening = True
            self.socket.listen(1024)
            asyncio.get_running_loop().add_reader(self.socket, self._accept)

    def refuse(self):
        """Refuse new connections and close the idle ones; those at work go on."""
        if self.listening:
            self.listening = False
            asyncio.get_running_loop().remove_reader(self.socket)
            self.socket.shutdown(socket.SHUT_RD)
            for connection in list(self.connections.values()):
                if connection.exchange is None and connection.transport is not None:
                    connection.transport.close()

    def _accept(self):
        for _ in range(64):
            try:
                sock, _ = self.socket.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            sock.setblocking(False)
            self.accepted += 1
            connection = Connection(self.app, self.accepted)
            loop = asyncio.get_running_loop()
            task = loop.create_task(loop.connect_accepted_socket(lambda made=connection: made, sock))
            self.starting.add(task)
            task.add_done_callback(self.starting.discard)
