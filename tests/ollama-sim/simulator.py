"""Starts a simulator and talks to it; for the tests beside it and for others that need a node."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
BUSY = "server busy, please try again.  maximum pending requests exceeded"
CHAT = {"model": "llama3", "messages": [{"role": "user", "content": "hello"}]}
DEADLINE = 5.0


def read_all(sock):
    data = b""
    while part := sock.recv(65536):
        data += part
    return data


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def lines(self):
        return [json.loads(line) for line in self.body.splitlines()]

    def events(self):
        """The data of an SSE stream, parsed where it is JSON."""
        found = [line[6:] for line in self.body.decode().splitlines() if line.startswith("data: ")]
        return [data if data == "[DONE]" else json.loads(data) for data in found]

    def names(self):
        return [line[7:] for line in self.body.decode().splitlines() if line.startswith("event: ")]


class Sim:
    """A running simulator."""

    def __init__(self, directory, *arguments):
        ready = str(directory / "ready.json")
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "ollama-sim"), "--ready-file", ready,
             "--models", "llama3,qwen3,mistral,nomic-embed-text", "--tokens", "4", *arguments],
            stdout=subprocess.PIPE, text=True)
        try:
            self.facts = json.loads(self.process.stdout.readline())
            with open(ready, encoding="utf-8") as handle:
                assert json.load(handle) == self.facts
        except BaseException:
            self.process.kill()
            raise

    def stop(self):
        self.process.terminate()
        assert self.process.wait(DEADLINE) == 0
        self.process.stdout.close()

    def call(self, method, path, body=None, headers=None, where="listen"):
        connection = http.client.HTTPConnection(self.facts[where], timeout=DEADLINE)
        try:
            data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
            connection.putrequest(method, path, skip_accept_encoding=True)
            if data is not None:
                connection.putheader("Content-Length", str(len(data)))
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders(data)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def post(self, path, body, **headers):
        return self.call("POST", path, body, headers)

    def state(self):
        return self.call("GET", "/state", where="control").json()

    def fault(self, **fields):
        answer = self.call("POST", "/faults", fields, where="control")
        assert answer.status == 200, answer.body
        return answer.json()

    def clear(self):
        self.call("DELETE", "/faults", where="control")

    def until(self, condition):
        """Ask for the state until the condition holds."""
        end = time.monotonic() + DEADLINE
        while True:
            state = self.state()
            if condition(state):
                return state
            assert time.monotonic() < end, state
            time.sleep(0.005)

    def open(self, path, body, chunked=False):
        """A raw connection with one request under way."""
        host, port = self.facts["listen"].rsplit(":", 1)
        sock = socket.create_connection((host, int(port)), DEADLINE)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(data)
        if chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        sock.sendall(b"POST %b HTTP/1.1\r\nHost: node\r\n%b\r\n\r\n%b" % (path.encode(), framing, data))
        return sock

    def raw(self, data):
        """Everything that comes back for these bytes until the node closes."""
        host, port = self.facts["listen"].rsplit(":", 1)
        with socket.create_connection((host, int(port)), DEADLINE) as sock:
            sock.sendall(data)
            return read_all(sock)
