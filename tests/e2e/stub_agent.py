"""A SPOP agent that does not do its work: it answers health checks, and the rest as a test wants it.

StubAgent(path, answers): answers maps a message's name to a list of (variable, value) that are set in scope txn,
or to None for no answer at all. Frames: 4 bytes of length, type, 4 bytes of flags, stream and frame id.
"""

import socketserver
import struct
import threading

HELLO, DISCONNECT, NOTIFY = 1, 2, 3
AGENT_HELLO, AGENT_DISCONNECT, ACK = 101, 102, 103
FIN = 1
SET_VAR, SCOPE_TXN = 1, 2
BOOL, INT32, UINT32, INT64, UINT64, IPV4, IPV6, STRING, BINARY = range(1, 10)


def put_varint(number):
    if number < 240:
        return bytes([number])
    out = bytes([(number | 240) & 255])
    number = (number - 240) >> 4
    while number >= 128:
        out += bytes([(number | 128) & 255])
        number = (number - 128) >> 7
    return out + bytes([number])


def get_varint(data, at):
    number, shift = data[at], 4
    at += 1
    if number < 240:
        return number, at
    while True:
        byte = data[at]
        number += byte << shift
        at += 1
        shift += 7
        if byte < 128:
            return number, at


def put_text(text):
    return put_varint(len(text)) + text.encode()


def put_value(value):
    if isinstance(value, int):
        return bytes([INT64]) + put_varint(value)
    return bytes([STRING]) + put_text(value)


def skip_value(data, at):
    """The value and where the next one begins; only texts and booleans are kept."""
    kind, flags = data[at] & 15, data[at] >> 4
    at += 1
    if kind == BOOL:
        return bool(flags), at
    if kind in (INT32, UINT32, INT64, UINT64):
        return get_varint(data, at)
    if kind in (IPV4, IPV6):
        return None, at + (4 if kind == IPV4 else 16)
    if kind in (STRING, BINARY):
        length, at = get_varint(data, at)
        return data[at : at + length], at + length
    return None, at


def pairs(data, at):
    """The key-value list of a HELLO."""
    found = {}
    while at < len(data):
        length, at = get_varint(data, at)
        name = data[at : at + length].decode()
        found[name], at = skip_value(data, at + length)
    return found


def frame(kind, stream, number, payload):
    body = bytes([kind]) + struct.pack(">I", FIN) + put_varint(stream) + put_varint(number) + payload
    return struct.pack(">I", len(body)) + body


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        while (size := self.read(4)) and (data := self.read(struct.unpack(">I", size)[0])):
            stream, at = get_varint(data, 5)
            number, at = get_varint(data, at)
            if data[0] == HELLO:
                asked = pairs(data, at)
                self.request.sendall(frame(AGENT_HELLO, 0, 0, self.hello(asked)))
                if asked.get("healthcheck"):
                    return
            elif data[0] == DISCONNECT:
                return
            elif data[0] == NOTIFY:
                self.notify(data, at, stream, number)

    def hello(self, asked):
        return (put_text("version") + put_value("2.0") + put_text("max-frame-size")
                + bytes([UINT32]) + put_varint(asked["max-frame-size"]) + put_text("capabilities")
                + put_value("pipelining"))

    def notify(self, data, at, stream, number):
        length, at = get_varint(data, at)
        name = data[at : at + length].decode()
        self.server.asked.append(name)
        answer = self.server.answers.get(name)
        if answer is not None:
            actions = b"".join(
                bytes([SET_VAR, 3, SCOPE_TXN]) + put_text(variable) + put_value(value) for variable, value in answer)
            self.request.sendall(frame(ACK, stream, number, actions))

    def read(self, size):
        data = b""
        while len(data) < size:
            try:
                piece = self.request.recv(size - len(data))
            except OSError:
                return b""
            if not piece:
                return b""
            data += piece
        return data


class StubAgent(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, path, answers):
        self.answers = answers
        self.asked = []     # names of the messages that came
        super().__init__(path, Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()
