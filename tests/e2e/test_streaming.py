"""Answers pass through the gate as the node gives them, at the moment it gives them, and end when the client does."""

import json
import socket
import statistics
import time

import pytest
from harness import CHAT_ROUTES, EMBEDDER, MODEL, chat, chat_request, wait_until

WORDS = "The gate opens slowly and a quiet queue of small requests moves past it toward"


def native_text(reply):
    return "".join(line.get("response") or line.get("message", {}).get("content", "") for line in reply.lines)


def openai_text(reply):
    choices = [event["choices"][0] for event in reply.events[:-1] if event["choices"]]
    return "".join(choice.get("text") or choice.get("delta", {}).get("content", "") for choice in choices)


def delta_text(kind):
    def text(reply):
        found = [event["delta"] for event in reply.events if event["type"] == kind]
        return "".join(delta if isinstance(delta, str) else delta["text"] for delta in found)

    return text


NDJSON, SSE, JSON = "application/x-ndjson", "text/event-stream", "application/json"

# path, body, content type, the text of the answer, its end
STREAMS = {
    "chat": ("/api/chat", chat(), NDJSON, native_text, b'"done":true'),
    "chat with stream": ("/api/chat", chat(stream=True), NDJSON, native_text, b'"done":true'),
    "generate": ("/api/generate", {"model": MODEL, "prompt": "x"}, NDJSON, native_text, b'"done":true'),
    "openai chat": ("/v1/chat/completions", chat(stream=True), SSE, openai_text, b"data: [DONE]\n\n"),
    "completions": (
        "/v1/completions", {"model": MODEL, "prompt": "x", "stream": True}, SSE, openai_text, b"data: [DONE]\n\n"),
    "responses": (
        "/v1/responses", {"model": MODEL, "input": "x", "stream": True}, SSE,
        delta_text("response.output_text.delta"), b"event: response.completed\n"),
    "messages": (
        "/v1/messages", chat(stream=True, max_tokens=1000), SSE, delta_text("content_block_delta"),
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n'),
}

# path, body, where the text stands, where the token counts stand
PLAIN = {
    "chat": ("/api/chat", chat(stream=False), lambda a: a["message"]["content"],
             lambda a: (a["prompt_eval_count"], a["eval_count"])),
    "generate": ("/api/generate", {"model": MODEL, "prompt": "x", "stream": False}, lambda a: a["response"],
                 lambda a: (a["prompt_eval_count"], a["eval_count"])),
    "openai chat": ("/v1/chat/completions", chat(), lambda a: a["choices"][0]["message"]["content"],
                    lambda a: (a["usage"]["prompt_tokens"], a["usage"]["completion_tokens"])),
    "completions": ("/v1/completions", {"model": MODEL, "prompt": "x"}, lambda a: a["choices"][0]["text"],
                    lambda a: (a["usage"]["prompt_tokens"], a["usage"]["completion_tokens"])),
    "responses": ("/v1/responses", {"model": MODEL, "input": "x"}, lambda a: a["output"][0]["content"][0]["text"],
                  lambda a: (a["usage"]["input_tokens"], a["usage"]["output_tokens"])),
    "messages": ("/v1/messages", chat(max_tokens=1000), lambda a: a["content"][0]["text"],
                 lambda a: (a["usage"]["input_tokens"], a["usage"]["output_tokens"])),
}

EMBEDDINGS = {
    "embed": ("/api/embed", {"model": EMBEDDER, "input": ["a", "b"]}, lambda a: a["embeddings"][1]),
    "embeddings": ("/api/embeddings", {"model": EMBEDDER, "prompt": "a"}, lambda a: a["embedding"]),
    "openai": ("/v1/embeddings", {"model": EMBEDDER, "input": ["a", "b"]}, lambda a: a["data"][1]["embedding"]),
}

LISTINGS = {
    "/api/tags": lambda a: a["models"][0]["name"],
    "/api/ps": lambda a: a["models"] is not None,
    "/api/version": lambda a: a["version"],
    "/api/status": lambda a: a["cloud"]["disabled"],
    "/v1/models": lambda a: a["data"][0]["id"],
    f"/v1/models/{MODEL}": lambda a: a["id"],
    f"/v1/models/{MODEL}%3Alatest": lambda a: a["id"],
}


@pytest.mark.parametrize("path,body,kind,text,end", STREAMS.values(), ids=STREAMS)
def test_streams(gate, path, body, kind, text, end):
    reply = gate.post(path, body)
    assert (reply.status, reply.broken) == (200, False)
    assert reply.headers["content-type"].split(";")[0] == kind
    assert text(reply).startswith(WORDS)
    assert reply.body.count(end) == 1
    seen, = gate.node_events(reply.id)
    assert (seen["stream"], seen["outcome"], seen["bytes_out"] > len(reply.body)) == (True, "complete", True)
    record = gate.completion(reply.id)
    assert (record["finish"], record["status"], record["node"]) == ("ok", 200, seen["node"])


@pytest.mark.parametrize("path,body,text,tokens", PLAIN.values(), ids=PLAIN)
def test_plain_answers(gate, path, body, text, tokens):
    reply = gate.post(path, body)
    assert reply.status == 200 and reply.headers["content-type"].startswith(JSON)
    assert text(reply.json).startswith(WORDS)
    seen, = gate.node_events(reply.id)
    assert seen["stream"] is False and seen["body_sha256"] and seen["target"] == path
    record = gate.completion(reply.id)
    assert (record["prompt_tokens"], record["completion_tokens"]) == tokens(reply.json)
    assert record["finish"] == "ok"


@pytest.mark.parametrize("path,body,vector", EMBEDDINGS.values(), ids=EMBEDDINGS)
def test_embeddings(gate, path, body, vector):
    reply = gate.post(path, body)
    assert reply.status == 200
    assert all(isinstance(number, float) for number in vector(reply.json))


@pytest.mark.parametrize("path,what", LISTINGS.items(), ids=LISTINGS)
def test_listings(gate, path, what):
    reply = gate.request("GET", path, key=gate.key)
    assert reply.status == 200 and what(reply.json)
    assert len(gate.node_events(reply.id)) == 1


def test_show(gate):
    reply = gate.post("/api/show", {"model": MODEL})
    assert reply.status == 200 and reply.json["details"]["family"]


@pytest.mark.parametrize("size", [60_000, 70_000, 1_000_000, 8_000_000])
def test_large_bodies_arrive_whole(gate, size):
    """Below and above the 64 KiB from which the key is checked before the body is awaited."""
    body = json.dumps(chat(text="x" * size, stream=False)).encode()
    reply = gate.post("/api/chat", body)
    assert reply.status == 200
    assert gate.node_events(reply.id)[0]["body_bytes"] == len(body)


def test_node_errors_pass(gate):
    """What a node says of a request is the client's to read."""
    reply = gate.post("/api/chat", chat(model="no-such-model"))
    assert (reply.status, reply.json) == (404, {"error": "model 'no-such-model' not found"})
    gate.fault(error_mid_stream_after=2)
    assert set(gate.chat().lines[-1]) == {"error"}


# ---- time ---------------------------------------------------------------------------------------------

TIMED = {
    "native": ("/api/chat", chat(), b"\n"),
    "openai": ("/v1/chat/completions", chat(stream=True), b"\n\n"),
    "responses": ("/v1/responses", {"model": MODEL, "input": "x", "stream": True}, b"\n\n"),
    "anthropic": ("/v1/messages", chat(stream=True, max_tokens=1000), b"\n\n"),
}


@pytest.mark.parametrize("path,body,separator", TIMED.values(), ids=TIMED)
def test_chunks_arrive_as_they_are_sent(gate, path, body, separator):
    gate.fault(chunk_delay=0.08)
    reply = gate.post(path, body)
    event, = gate.node_events(reply.id)
    sent, arrived = event["chunk_unix"], reply.arrived(separator)
    arrived = arrived[: len(sent)]      # the last chunk of some dialects holds more than one event
    assert len(sent) == len(arrived) >= 16
    added = [there - here for here, there in zip(sent, arrived)]
    assert statistics.median(added) < 0.005, added
    gathered = [
        number for number in range(1, len(sent))
        if sent[number] - sent[number - 1] >= 0.05 and arrived[number] - arrived[number - 1] < 0.02
    ]
    assert gathered == []


def test_first_byte_is_not_held(gate):
    """The answer's head comes with its first chunk, long before its end."""
    gate.fault(chunk_delay=0.1)
    begin = time.time()
    connection = gate.open("POST", "/api/chat", chat(), gate.key)
    answer = connection.getresponse()
    assert answer.status == 200 and answer.read1(65536)
    assert time.time() - begin < 0.5
    connection.close()


# ---- clients that leave ---------------------------------------------------------------------------------

LEAVERS = [(dialect, stream, when) for dialect in CHAT_ROUTES for stream, when in
           ((True, "before"), (False, "before"), (True, "middle"))]


@pytest.mark.parametrize("dialect,stream,when", LEAVERS, ids=["-".join(map(str, row)) for row in LEAVERS])
def test_client_that_leaves_frees_the_node(gate, dialect, stream, when):
    gate.fault(hang="before_headers" if when == "before" else "mid_stream", after=2)
    path, body = chat_request(dialect, stream=stream)
    connection = gate.open("POST", path, body, gate.key)
    wait_until(lambda: gate.slots_used() == 1, 5, "the node works")
    if when == "middle":
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read1(65536)
        answer.close()
    connection.close()
    left = time.monotonic()
    wait_until(lambda: gate.slots_used() == 0, 1, "the slot is free")
    assert time.monotonic() - left < 1
    event, = gate.node_events()
    assert event["outcome"] == "cancelled"
    record = gate.completion(event["request_id"])
    assert (record["finish"], record["node"]) == ("client_abort", event["node"])
    gate.wait_idle()


def test_client_that_leaves_the_queue(gate):
    """A request that waits for a free node and is given up never reaches one."""
    gate.fault(hang="before_headers")
    slots = 4 * len(gate.sims)
    busy = [gate.open("POST", "/api/chat", chat(), gate.key) for _ in range(slots)]
    wait_until(lambda: gate.slots_used() == slots, 5, "all nodes work")
    waiting = gate.open("POST", "/api/chat", chat(text="in vain"), gate.key)
    wait_until(lambda: gate.metric("tollgate_inflight_requests") == slots + 1, 5, "one waits")
    waiting.sock.shutdown(socket.SHUT_RDWR)
    waiting.close()
    wait_until(lambda: gate.metric("tollgate_inflight_requests") == slots, 1, "it is given up")
    gate.clear()
    for connection in busy:
        assert connection.getresponse().status == 200
        connection.close()
    assert len(gate.node_events()) == slots
    gate.wait_idle()
