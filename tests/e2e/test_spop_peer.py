"""The agent's socket from a peer's side: questions that HAProxy asks twice, late or by halves, and lines that are forged."""

import json
import pathlib
import resource
import socket
import struct
import time
import uuid

import pytest
from harness import wait_until


def varint(number):
    if number < 240:
        return bytes([number])
    out, number = bytes([number & 255 | 240]), (number - 240) >> 4
    while number >= 128:
        out, number = out + bytes([number & 127 | 128]), (number - 128) >> 7
    return out + bytes([number])


def text(value):
    return varint(len(value)) + value


def frame(kind, stream, number, payload):
    data = bytes([kind, 0, 0, 0, 1]) + varint(stream) + varint(number) + payload
    return struct.pack(">I", len(data)) + data


HELLO = frame(1, 0, 0, b"".join((
    text(b"supported-versions"), b"\x08", text(b"2.0"), text(b"max-frame-size"), b"\x03", varint(1 << 20),
    text(b"capabilities"), b"\x08", text(b"pipelining"))))


class Peer:
    """A connection as HAProxy makes one."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(5)
        self.socket.connect(path)
        self.socket.sendall(HELLO)
        assert self.read()[0] == 101

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def read(self):
        head = b""
        while len(head) < 4:
            piece = self.socket.recv(4 - len(head))
            assert piece, "closed by the agent"
            head += piece
        data, length = b"", struct.unpack(">I", head)[0]
        while len(data) < length:
            data += self.socket.recv(length - len(data))
        return data

    def verdict(self):
        """The first variable of the next ACK."""
        data = self.read()
        assert data[0] == 103
        at = data.index(b"\x07verdict\x08") + 9
        return data[at + 1:at + 1 + data[at]].decode()

    def silent(self, seconds=0.2):
        self.socket.settimeout(seconds)
        try:
            return not self.socket.recv(1)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(5)


def question(key, request_id, ticket, path=b"/api/chat", body=b'{"model":"llama3.2"}', stream=1, age=0.0):
    arguments = [
        (b"id", b"\x08" + text(request_id)), (b"ticket", b"\x08" + text(ticket)),
        (b"src", b"\x06" + bytes([127, 0, 0, 1])), (b"method", b"\x08" + text(b"POST")),
        (b"path", b"\x08" + text(path)), (b"path_key", b"\x00"),
        (b"ts", b"\x04" + varint(int((time.time() - age) * 1000))),
        (b"authorization", b"\x08" + text(b"Bearer " + key.encode())), (b"x_api_key", b"\x00"),
        (b"body_size", b"\x04" + varint(len(body))), (b"body_len", b"\x04" + varint(len(body))),
        (b"body", b"\x09" + text(body)),
    ]
    payload = text(b"admit") + bytes([len(arguments)]) + b"".join(text(name) + value for name, value in arguments)
    return frame(3, stream, 1, payload)


class Talk:
    """One request's id and ticket, and the ways to speak of it."""

    def __init__(self, gate, key):
        self.gate, self.key = gate, key
        self.id, self.ticket = str(uuid.uuid4()).encode(), str(uuid.uuid4()).encode()
        state = pathlib.Path(gate.folder, "state").read_text().splitlines()
        self.port = int(next(line for line in state if line.startswith("COMPLETION_PORT=")).split("=")[1])

    def peer(self):
        return Peer(self.gate.env["TOLLGATE_SPOP"])

    def ask(self, **more):
        return question(self.key, self.id, self.ticket, **more)

    def end(self, ticket=None):
        line = {"v": "1", "id": self.id.decode(), "ticket": (ticket or self.ticket).decode(), "verdict": "admit",
                "status": "200", "term": "--"}
        before = self.lines()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(json.dumps(line).encode(), ("127.0.0.1", self.port))
        wait_until(lambda: self.lines() > before, 2, "the agent has read the line")

    def lines(self):
        return self.gate.metric("tollgate_completion_datagrams_total")


@pytest.fixture
def talk(gate):
    return Talk(gate, gate.new_key(rpm=50)["key"])


def charged(talk):
    return talk.gate.window("k", talk.key.split("_")[1])


def test_admitted_and_ended(talk):
    with talk.peer() as peer:
        peer.socket.sendall(talk.ask())
        assert peer.verdict() == "admit"
    assert talk.gate.metric("tollgate_inflight_requests") == 1
    talk.end()
    assert talk.gate.completion(talk.id.decode())["finish"] == "ok"
    talk.gate.wait_idle()
    assert charged(talk) == 1


def test_forged_line_ends_nothing(talk):
    with talk.peer() as peer:
        peer.socket.sendall(talk.ask())
        assert peer.verdict() == "admit"
    talk.end(ticket=str(uuid.uuid4()).encode())
    assert talk.gate.metric("tollgate_inflight_requests") == 1
    assert not talk.gate.audit(talk.id.decode(), "completion")
    talk.end()
    talk.gate.wait_idle()


def test_both_questions_get_the_answer(talk):
    with talk.peer() as first, talk.peer() as second:
        first.socket.sendall(talk.ask())
        second.socket.sendall(talk.ask(stream=3))
        assert (first.verdict(), second.verdict()) == ("admit", "admit")
    assert charged(talk) == 1
    talk.end()
    talk.gate.completion(talk.id.decode())
    assert len(talk.gate.audit(talk.id.decode(), "decision")) == 1
    talk.gate.wait_idle()


def test_first_question_that_never_becomes_whole_does_not_hold_the_second(talk):
    with talk.peer() as first, talk.peer() as second:
        first.socket.sendall(talk.ask()[:-5])
        assert first.silent(0.05)
        second.socket.sendall(talk.ask())
        assert second.verdict() == "admit"
        talk.end()
    talk.gate.wait_idle()
    assert charged(talk) == 1


def test_question_that_comes_after_the_end_is_not_admitted(talk):
    talk.end()
    with talk.peer() as peer:
        peer.socket.sendall(talk.ask())
        assert peer.verdict() == "unavailable"
    talk.gate.wait_idle()
    assert charged(talk) == 0


def test_second_question_that_comes_after_the_end_is_not_admitted(talk):
    with talk.peer() as peer:
        peer.socket.sendall(talk.ask())
        assert peer.verdict() == "admit"
        talk.end()
        talk.gate.completion(talk.id.decode())
        peer.socket.sendall(talk.ask(stream=3))
        assert peer.verdict() == "unavailable"
    talk.gate.wait_idle()
    assert charged(talk) == 1


def test_question_that_lay_in_the_socket_is_not_admitted(talk):
    with talk.peer() as peer:
        peer.socket.sendall(talk.ask(age=5))
        assert peer.verdict() == "unavailable"
    assert charged(talk) == 0


def test_second_question_must_be_the_same(talk):
    with talk.peer() as peer:
        peer.socket.sendall(talk.ask())
        assert peer.verdict() == "admit"
        for other in ({"path": b"/api/generate"}, {"body": b'{"model":"llama3.2","keep_alive":-1}'}):
            peer.socket.sendall(talk.ask(stream=3, **other))
            assert peer.verdict() == "unavailable"
        foreign = question(talk.key, talk.id, b"another ticket")
        peer.socket.sendall(foreign)
        assert peer.verdict() == "unavailable"
    talk.end()
    talk.gate.wait_idle()


def test_unwritable_audit_log_costs_no_quota(make_gateway):
    """The disk is full for the audit log: refused before the limits are charged."""
    gate = make_gateway()
    key = gate.new_key(rpm=50)["key"]
    talk = Talk(gate, key)
    resource.prlimit(gate.pid("agent"), resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    gate.chat(key=key)
    wait_until(lambda: gate.metric("tollgate_audit_broken") == 1, 5, "the audit log is broken")
    before = charged(talk)
    replies = [gate.chat(key=key) for _ in range(10)]
    assert {reply.status for reply in replies} == {503}
    assert charged(talk) == before
    resource.prlimit(gate.pid("agent"), resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    wait_until(lambda: gate.chat(key=key).status == 200, 5, "it serves again by itself")
