"""Requests and answers in the three dialects, and what an error must look like in each."""

import http.client
import json
import re
import time
import uuid

MODEL = "llama3.2"
EMBEDDER = "nomic-embed-text"


def chat(model=MODEL, text="Why is the sky blue?", **more):
    """The body of a chat; all three dialects take it when max_tokens is given."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


# The chat route of each dialect and what its body needs besides.
CHAT_ROUTES = {
    "native": ("/api/chat", {}),
    "openai": ("/v1/chat/completions", {}),
    "anthropic": ("/v1/messages", {"max_tokens": 1000}),
}

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    411: "invalid_request_error",
    415: "invalid_request_error",
    429: "rate_limit_error",
    431: "invalid_request_error",
}


def chat_request(dialect, **more):
    """Path and body of a chat in a dialect."""
    path, extra = CHAT_ROUTES[dialect]
    return path, chat(**{**extra, **more})


def dialect_of(path):
    """The dialect in which a path is answered."""
    if path == "/v1/messages" or path.startswith("/v1/messages/"):
        return "anthropic"
    return "openai" if path.startswith("/v1/") else "native"


def error_type(dialect, status):
    if status == 413:
        return "request_too_large" if dialect == "anthropic" else "invalid_request_error"
    if status >= 500:
        return "overloaded_error" if dialect == "anthropic" and status == 503 else "api_error"
    return ERROR_TYPES[status]


def check_error(reply, dialect, status):
    """A refusal as the SDKs of the dialect expect it; returns its message."""
    assert reply.status == status, (reply.status, reply.body)
    assert reply.headers["content-type"].startswith("application/json")
    assert str(uuid.UUID(reply.id)) == reply.id
    assert ("www-authenticate" in reply.headers) == (status == 401)
    assert ("retry-after" in reply.headers) == (status in (429, 503))
    if status in (429, 503):
        assert int(reply.headers["retry-after"]) >= 1
    if status == 405:
        assert reply.headers["allow"]
    assert b"\n" not in reply.body.strip()
    error = reply.json
    if dialect == "native":
        assert set(error) == {"error"}
        message = error["error"]
    elif dialect == "openai":
        assert set(error) == {"error"} and set(error["error"]) == {"message", "type", "param", "code"}
        assert error["error"]["type"] == error_type(dialect, status)
        message = error["error"]["message"]
    else:
        assert set(error) == {"type", "error", "request_id"} and error["type"] == "error"
        assert error["error"]["type"] == error_type(dialect, status)
        assert error["request_id"] == reply.id
        message = error["error"]["message"]
    assert isinstance(message, str) and message
    return message


def refused(gate, reply, dialect, status):
    """A complete refusal, of which no node knows."""
    message = check_error(reply, dialect, status)
    assert gate.node_events() == []
    assert gate.key not in message
    return message


# ---- answers ------------------------------------------------------------------------------------------


class Reply:
    """An answer read to its end, with the time each piece arrived. broken: it ended before it was whole."""

    def __init__(self, status, headers, body, arrivals, broken=False):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body
        self.arrivals = arrivals
        self.broken = broken

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def id(self):
        return self.headers.get("x-request-id")

    @property
    def lines(self):
        """The objects of a native stream."""
        return [json.loads(line) for line in self.body.splitlines()]

    @property
    def events(self):
        """The data of an SSE stream, parsed where it is JSON."""
        found = [line[6:] for line in self.body.decode().splitlines() if line.startswith("data: ")]
        return [data if data == "[DONE]" else json.loads(data) for data in found]

    def arrived(self, separator):
        """When each separator of the stream had arrived."""
        times, body = [], b""
        for moment, piece in self.arrivals:
            before = body.count(separator)
            body += piece
            times += [moment] * (body.count(separator) - before)
        return times


def read_reply(answer):
    """Reads an answer to its end, piece by piece."""
    pieces, arrivals, broken = [], [], False
    try:
        while piece := answer.read1(65536):
            pieces.append(piece)
            arrivals.append((time.time(), piece))
    except (http.client.HTTPException, OSError):
        broken = True
    return Reply(answer.status, answer.getheaders(), b"".join(pieces), arrivals, broken)


def parse_reply(data):
    """The first answer in bytes that came over a raw connection."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = [line.split(": ", 1) for line in lines]
    return Reply(int(first.split()[1]) if first else 0, headers, body, [])


def whole(answer):
    """Whether bytes hold an answer with a length to its end."""
    head, found, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    return bool(found and length and len(body) >= int(length[1]))
