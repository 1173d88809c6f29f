"""Slots, loads, lost clients and faults."""

import pytest
from simulator import BUSY, CHAT, read_all


def test_only_loads_queue(start):
    sim = start("--max-queue", "1", "--load-time", "3600")
    first = sim.open("/api/chat", CHAT)
    sim.until(lambda state: state["loaded"].get("llama3:latest", {}).get("state") == "loading")
    second = sim.open("/api/chat", {**CHAT, "model": "qwen3"})
    sim.until(lambda state: state["loads_queued"] == 1)
    refused = sim.post("/api/chat", {**CHAT, "model": "mistral"})
    assert (refused.status, refused.json()) == (503, {"error": BUSY})
    same = sim.open("/api/chat", CHAT)      # waits for the load under way, outside the queue
    sim.until(lambda state: state["in_flight"] == 3)
    for sock in (same, second, first):
        sock.close()
    state = sim.until(lambda state: state["in_flight"] == 0)
    assert (state["cancelled"], state["loads_queued"], state["loaded"]) == (3, 0, {})


def test_loaded_model_waits_without_bound(start):
    sim = start("--slots", "2", "--max-queue", "0")
    sim.fault(hang="before_headers")
    busy = [sim.open("/api/chat", CHAT) for _ in range(8)]
    state = sim.until(lambda state: state["slots_waiting"] == 6)
    assert state["slots_used"] == 2 and state["loads"] == 1
    assert sim.call("GET", "/").body == b"Ollama is running"
    assert sim.post("/api/generate", {"model": "llama3"}).json()["done_reason"] == "load"
    busy.pop().close()
    sim.until(lambda state: state["slots_waiting"] == 5 and state["slots_used"] == 2)
    sim.clear()
    for sock in busy:
        with sock:
            assert sock.recv(12) == b"HTTP/1.1 200"
    sim.until(lambda state: state["slots_used"] == 0)


def test_options_that_reload(sim):
    before = sim.state()["loads"]
    for options, loads in (({}, 1), ({"temperature": 1}, 1), ({"num_ctx": 8192}, 2), ({"num_ctx": 8192}, 2), ({}, 2)):
        sim.post("/api/chat", {**CHAT, "options": options})
        assert sim.state()["loads"] - before == loads
    listed = sim.call("GET", "/api/ps").json()["models"][0]
    assert (listed["context_length"], listed["size_vram"]) == (8192, listed["size"])
    sim.post("/api/chat", {**CHAT, "keep_alive": -1})
    assert sim.call("GET", "/api/ps").json()["models"][0]["expires_at"] > "2300"


CANCEL = [("before", "/api/chat", {}), ("before", "/api/chat", {"stream": False}), ("after", "/api/chat", {}),
          ("before", "/v1/chat/completions", {}), ("after", "/v1/chat/completions", {"stream": True}),
          ("after", "/v1/messages", {"stream": True, "max_tokens": 9})]


@pytest.mark.parametrize("when,path,extra", CANCEL)
def test_disconnect_frees_the_slot(sim, when, path, extra):
    sim.fault(hang="before_headers" if when == "before" else "mid_stream")
    sock = sim.open(path, {**CHAT, **extra})
    if when == "after":
        assert sock.recv(12) == b"HTTP/1.1 200"
    sim.until(lambda state: state["slots_used"] == 1)
    sock.close()
    state = sim.until(lambda state: state["cancelled"] == 1)
    assert state["slots_used"] == 0 and state["events"][-1]["outcome"] == "cancelled"
    assert (state["events"][-1]["first_byte_mono"] is None) is (when == "before")
    sim.clear()
    assert sim.post("/api/chat", CHAT).status == 200


def test_late_last_chunk_hides_a_disconnect(sim):
    sim.fault(hang="before_headers")
    sock = sim.open("/api/chat", {**CHAT, "stream": False}, chunked=True)
    sim.until(lambda state: state["connections"]["open"] == 1)
    sock.sendall(b"0\r\n\r\n")
    sim.until(lambda state: state["in_flight"] == 1)
    sock.close()
    assert sim.until(lambda state: state["connections"]["open"] == 0)["in_flight"] == 1
    sim.clear()
    state = sim.until(lambda state: state["in_flight"] == 0)
    assert (state["cancelled"], state["outcomes"]) == (0, {"complete": 1})


def test_leaked_slot_until_unload(sim):
    sim.fault(leak_slot=True, hang="mid_stream", count=1)
    sock = sim.open("/api/chat", CHAT)
    assert sock.recv(12) == b"HTTP/1.1 200"
    sock.close()
    sim.until(lambda state: state["loaded"]["llama3:latest"]["leaked"] == 1)
    hung = sim.open("/api/chat", CHAT)
    sim.until(lambda state: state["slots_waiting"] == 1)
    hung.close()
    sim.until(lambda state: state["slots_waiting"] == 0)
    assert sim.post("/api/generate", {"model": "llama3", "keep_alive": 0}).json()["done_reason"] == "unload"
    assert sim.post("/api/chat", CHAT).status == 200


def test_error_in_the_middle(sim):
    sim.fault(error_mid_stream_after=2)
    lines = sim.post("/api/chat", CHAT)
    assert lines.status == 200 and set(lines.lines()[-1]) == {"error"} and len(lines.lines()) == 3
    assert sim.post("/api/chat", {**CHAT, "stream": False}).status == 500
    events = sim.post("/v1/chat/completions", {**CHAT, "stream": True}).events()
    assert (len(events), events[-1]["model"], events[-1]["choices"][0]["finish_reason"]) == (3, "", None)
    assert sim.post("/v1/messages", {**CHAT, "max_tokens": 9, "stream": True}).names()[-1] == "content_block_delta"
    assert sim.post("/v1/responses", {"model": "llama3", "input": "x", "stream": True}
                    ).names()[-1] == "response.output_text.delta"
    sim.fault(error_mid_stream_after=0)
    assert sim.post("/api/chat", CHAT).status == 500
    assert sim.post("/v1/messages", {**CHAT, "max_tokens": 9}).json()["error"]["type"] == "api_error"


def test_busy_counts_and_filters(sim):
    sim.fault(status_503=True, count=1, route="POST /api/chat", model="LLAMA3:latest")
    assert sim.post("/api/chat", {**CHAT, "model": "qwen3"}).status == 200
    assert sim.post("/v1/chat/completions", CHAT).status == 200
    assert sim.post("/api/chat", CHAT).json() == {"error": BUSY}
    assert sim.post("/api/chat", CHAT).status == 200
    sim.fault(status_503=True)
    assert sim.call("GET", "/api/version").status == 200
    assert sim.post("/v1/messages", {**CHAT, "max_tokens": 9}).json()["error"]["type"] == "overloaded_error"
    assert sim.call("GET", "/api/tags").status == 503
    assert sim.call("POST", "/faults", {"hang": "now"}, where="control").status == 400
    assert sim.call("POST", "/faults", {"nope": 1}, where="control").status == 400


def test_refuse_and_back(sim):
    with sim.open("/api/version", b"") as idle:
        assert idle.recv(12) == b"HTTP/1.1 405"
        sim.fault(refuse=True)
        read_all(idle)
    with pytest.raises(ConnectionRefusedError):
        sim.call("GET", "/")
    sim.clear()
    assert sim.call("GET", "/").status == 200


@pytest.mark.parametrize("fault,path,stream,got", [
    ("on_accept", "/", True, None), ("before_headers", "/api/chat", True, None),
    ("before_headers", "/api/tags", True, None), ("mid_stream", "/api/chat", True, b"HTTP/1.1 200"),
    ("mid_stream", "/api/chat", False, b"HTTP/1.1 200")])
def test_reset(sim, fault, path, stream, got):
    sim.fault(reset=fault, after=2)
    data = b""
    with pytest.raises(ConnectionResetError):
        if path == "/api/tags":
            sim.call("GET", path)
        with sim.open(path, {**CHAT, "stream": stream}) as sock:
            while part := sock.recv(1):
                data += part
    assert data[:12] == (got or b"")


def test_hangs(sim):
    sim.fault(hang="accept")
    held = sim.open("/", b"")
    sim.until(lambda state: state["connections"]["open"] == 1)
    assert sim.state()["requests"] == 0
    sim.clear()
    assert held.recv(12) == b"HTTP/1.1 405"
    held.close()
    sim.fault(hang="after_headers")
    sock = sim.open("/api/chat", CHAT)
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(1)
    assert sim.call("GET", "/").status == 200 and sim.state()["in_flight"] == 1
    sim.clear()
    assert sock.recv(1)
    sock.close()
