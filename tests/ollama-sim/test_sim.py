"""The simulated HTTP surface is Ollama's where a gateway could be caught out.

Run: /usr/bin/python3 -m pytest tests/ollama-sim
"""

import json
import time

import pytest
from simulator import CHAT, DEADLINE

PATHS = [
    ("GET", "/", 200, b"Ollama is running", "text/plain; charset=utf-8"),
    ("HEAD", "/", 200, b"", "text/plain; charset=utf-8"),
    ("HEAD", "/api/version", 200, b"", "application/json; charset=utf-8"),
    ("HEAD", "/api/tags", 200, b"", "application/json; charset=utf-8"),
    ("HEAD", "/api/ps", 405, b"", "text/plain"),
    ("HEAD", "/v1/models", 405, b"", "text/plain"),
    ("GET", "/api/status", 200, b'{"cloud":{"disabled":true,"source":"env"}}', "application/json; charset=utf-8"),
    ("GET", "/metrics", 404, b"404 page not found", "text/plain"),
    ("GET", "/API/tags", 404, b"404 page not found", "text/plain"),
    ("POST", "/v1/messages/count_tokens", 404, b"404 page not found", "text/plain"),
    ("POST", "/v1/images/generations", 404, b"404 page not found", "text/plain"),
    ("POST", "/api/pull;x=1", 404, b"404 page not found", "text/plain"),
    ("GET", "/v1/models/a%2Fb", 404, b"404 page not found", "text/plain"),
    ("PUT", "/api/tags", 405, b"405 method not allowed", "text/plain"),
    ("OPTIONS", "/api/tags", 405, b"405 method not allowed", "text/plain"),
    ("POST", "//api/pull", 301, b"", None),
    ("POST", "/api//pull", 301, b"", None),
    ("POST", "/x/../api/pull", 301, b"", None),
    ("POST", "/api/chat%2f..%2fpull", 301, b"", None),
    ("POST", "/api/pull/", 307, b"", None),
    ("POST", "/api/%70ull", 400, b'{"error":"missing request body"}', "application/json; charset=utf-8"),
    ("POST", "/api%2Fpull", 400, b'{"error":"missing request body"}', "application/json; charset=utf-8"),
    ("GET", "/api/version?x=/../", 200, b'{"version":"0.33.0"}', "application/json; charset=utf-8"),
]


@pytest.mark.parametrize("method,path,status,body,kind", PATHS)
def test_path(sim, method, path, status, body, kind):
    answer = sim.call(method, path)
    assert (answer.status, answer.body, answer.headers.get("content-type")) == (status, body, kind)
    if status in (301, 307):
        assert answer.headers["location"] == "/api/pull"


@pytest.mark.parametrize("method,origin,status", [
    ("GET", "http://evil.example", 403), ("POST", "http://evil.example", 403), ("OPTIONS", "null", 403),
    ("GET", "http://localhost:3000", 200), ("OPTIONS", "https://127.0.0.1", 204), ("GET", "app://x", 200)])
def test_origin(sim, method, origin, status):
    assert sim.call(method, "/api/tags", headers={"Origin": origin}).status == status


@pytest.mark.parametrize("host,status", [("evil.example", 403), ("localhost:11434", 200), ("10.1.2.3", 200),
                                         ("node.internal", 200), ("8.8.8.8", 403)])
def test_host_check(start, host, status):
    sim = start("--check-host")
    data = sim.raw(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert data.startswith(b"HTTP/1.1 %d " % status)
    assert status == 200 or data.endswith(b"Content-Length: 0\r\nConnection: close\r\n\r\n")


LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
RAW = [     # bytes, the status of every answer
    (b"GET / HTTP/1.0\r\n\r\n", [b"200"]),
    (b"GET / HTTP/1.1\r\n\r\n", [b"400"]),
    (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", [b"505"]),
    (b"GET /\r\n\r\n", [b"400"]),
    (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", [b"400"]),
    (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", [b"501"]),
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + LAST, [b"200", b"200"]),
    (b"POST /api/me HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}" + LAST,
     [b"100", b"401", b"200"]),
    (b"POST /api/show HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
     b"8;x=y\r\n{\"model\"\r\n9\r\n:\"qwen3\"}\r\n0\r\nTrailer: x\r\n\r\n" + LAST, [b"200", b"200"]),
]


@pytest.mark.parametrize("data,statuses", RAW)
def test_wire(sim, data, statuses):
    answer = sim.raw(data)
    assert [part[2:5] for part in answer.split(b"HTTP/1.")[1:]] == statuses


GOOD = [    # what Go's decoder reads out of unusual bodies: (body, model in the answer, streamed)
    (b'{"MODEL":"llama3","Messages":[{"ROLE":"user","Content":"x"}]}', "llama3", True),
    (b'{"m\\u006fdel":"llama3","messages":[{"role":"user"}],"\\u017ftream":false}', "llama3", False),
    ('{"model":"llama3","messages":[{"role":"user"}],"\u017ftream":false}'.encode(), "llama3", False),
    (b'{"model":"none","Model":"qwen3","messages":[{"role":"user"}]}', "qwen3", True),
    (b'{"model":"qwen3","Model":"none","model":"mistral","messages":[{"role":"user"}]}', "mistral", True),
    (b'{"model":"llama3","model":null,"messages":[{"role":"user"}],"stream":null}', "llama3", True),
    (b'{"stream":false,"stream":null,"model":"llama3","messages":[{"role":"user"}]}', "llama3", True),
    (b' \n{"model":"llama3","messages":[{"role":"user"}],"stream":false}{"model":1} trailing', "llama3", False),
    (b'{"model":"llama3","messages":[{"role":"user","content":"\xff \\ud800"}]}', "llama3", True),
    (b'{"model":"registry.ollama.ai/library/LLAMA3:LATEST","messages":[{}]}',
     "registry.ollama.ai/library/LLAMA3:LATEST", True),
    (b'{"model":"library/llama3","messages":[{}]}', "library/llama3", True),
    (b'{"model":" llama3:latest:local ","messages":[{}]}', " llama3:latest:local ", True),
]


@pytest.mark.parametrize("body,model,streamed", GOOD)
def test_body_read(sim, body, model, streamed):
    answer = sim.post("/api/chat", body)
    assert answer.status == 200, answer.body
    assert (answer.headers["content-type"] == "application/x-ndjson") is streamed
    assert answer.lines()[0]["model"] == model


BAD = [
    ("/api/chat", b"", 400, "missing request body"),
    ("/api/chat", b"\xef\xbb\xbf{}", 400, "invalid character '\u00ef' looking for beginning of value"),
    ("/api/chat", b'{"model":', 400, "unexpected EOF"),
    ("/api/chat", b"{}", 400, "model is required"),
    ("/api/chat", b'{"model":1}', 400,
     "json: cannot unmarshal number into Go struct field ChatRequest.model of type string"),
    ("/api/generate", b"{}", 404, "model '' not found"),
    ("/api/generate", b'{"model":"a/b/c/d"}', 404, "model 'a/b/c/d' not found"),
    ("/api/chat", b'{"model":"none","messages":[{}]}', 404, "model 'none' not found"),
    ("/api/chat", b'{"model":"llama3:cloud","messages":[{}]}', 403,
     "ollama cloud is disabled: remote model is unavailable"),
    ("/api/chat", b'{"model":"nomic-embed-text","messages":[{}]}', 400,
     '"nomic-embed-text" does not support chat'),
    ("/api/chat", b'{"model":"llama3","keep_alive":"5 parsecs"}', 400, 'time: invalid duration "5 parsecs"'),
    ("/api/embed", b'{"model":"llama3","input":[1]}', 400, "invalid input type"),
    ("/api/show", b"{}", 400, "model is required"),
    ("/api/create", b'{"model":"x"}', 400, "neither 'from' or 'files' was specified"),
    ("/api/copy", b'{"source":"none","destination":"x"}', 404, 'model "none" not found'),
    ("/v1/chat/completions", b"", 400, "EOF"),
    ("/v1/chat/completions", b'{"model":"llama3","messages":[]}', 400, "[] is too short - 'messages'"),
    ("/v1/chat/completions", b'{"model":"none","messages":[{"content":"x"}]}', 404, "model 'none' not found"),
    ("/v1/chat/completions", b'{"model":"llama3","messages":[{"role":"user"}]}', 400,
     "invalid message content type: <nil>"),
    ("/v1/embeddings", b'{"model":"llama3","input":[]}', 400, "invalid input"),
    ("/v1/messages", b'{"model":"llama3","messages":[{}]}', 400, "max_tokens is required and must be positive"),
    ("/v1/messages", b'{"model":"none","max_tokens":1,"messages":[{"content":"x"}]}', 404, "model 'none' not found"),
    ("/v1/audio/transcriptions", b"{}", 400, "request Content-Type isn't multipart/form-data"),
]


@pytest.mark.parametrize("path,body,status,text", BAD)
def test_error_dialects(sim, path, body, status, text):
    answer = sim.post(path, body)
    kind = {400: "invalid_request_error", 403: "permission_error", 404: "not_found_error"}[status]
    value = answer.json()
    assert answer.status == status
    if path == "/v1/messages":
        assert value.pop("request_id").startswith("req_")
        assert value == {"type": "error", "error": {"type": kind, "message": text}}
    elif path.startswith("/v1/"):
        assert value == {"error": {"message": text, "type": kind, "param": None, "code": None}}
    else:
        assert value == {"error": text}


def test_streams_are_one_chunk_a_token(sim):
    with sim.open("/api/chat", CHAT) as sock:
        data = b""
        while not data.endswith(b"0\r\n\r\n"):
            data += sock.recv(65536)
    head, _, rest = data.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head and b"Content-Length" not in head
    sizes = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        sizes.append(int(size, 16))
        piece, rest = rest[:sizes[-1]], rest[sizes[-1] + 2:]
        assert piece == b"" or json.loads(piece)
    assert len(sizes) == 4 + 1 + 1 and sizes[-1] == 0


def test_native_chat(sim):
    lines = sim.post("/api/chat", CHAT).lines()
    assert [line["done"] for line in lines] == [False] * 4 + [True]
    last = lines[-1]
    assert (last["done_reason"], last["eval_count"]) == ("stop", 4) and last["prompt_eval_count"] == 9
    assert all("eval_count" not in line for line in lines[:-1])
    whole = sim.post("/api/chat", {**CHAT, "stream": False})
    assert whole.headers["content-type"] == "application/json; charset=utf-8"
    assert whole.json()["message"]["content"] == "".join(line["message"]["content"] for line in lines)
    short = sim.post("/api/chat", {**CHAT, "options": {"num_predict": 2}}).lines()[-1]
    assert (short["done_reason"], short["eval_count"]) == ("length", 2)


@pytest.mark.parametrize("path,body,reason", [
    ("/api/generate", {"model": "llama3"}, "load"), ("/api/chat", {"model": "llama3"}, "load"),
    ("/api/generate", {"model": "llama3", "keep_alive": 0}, "unload"),
    ("/api/chat", {"model": "llama3", "keep_alive": "0s"}, "unload")])
def test_load_and_unload(sim, path, body, reason):
    sim.post("/api/generate", {"model": "llama3"})
    answer = sim.post(path, body)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert (answer.json()["done"], answer.json()["done_reason"]) == (True, reason)
    listed = [model["name"] for model in sim.call("GET", "/api/ps").json()["models"]]
    assert listed == (["llama3:latest"] if reason == "load" else [])


def test_openai_usage_only_when_asked(sim):
    whole = sim.post("/v1/chat/completions", CHAT)
    assert whole.headers["content-type"] == "application/json"
    assert whole.json()["usage"] == {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
    plain = sim.post("/v1/chat/completions", {**CHAT, "stream": True}).events()
    assert plain[-1] == "[DONE]" and not any("usage" in event for event in plain[:-1])
    asked = sim.post("/v1/chat/completions", {**CHAT, "stream": True, "stream_options": {"include_usage": True}})
    assert asked.headers["content-type"] == "text/event-stream"
    assert asked.events()[-2]["choices"] == [] and asked.events()[-2]["usage"]["completion_tokens"] == 4
    assert [event["choices"][0]["finish_reason"] for event in asked.events()[:-2]] == [None] * 4 + ["stop"]
    text = sim.post("/v1/completions", {"model": "llama3", "prompt": "x", "stream": True,
                                        "stream_options": {"include_usage": True}}).events()
    assert [event["usage"]["total_tokens"] for event in text[:-1]] == [0] * 5 + [12]


def test_event_order(sim):
    answer = sim.post("/v1/messages", {**CHAT, "max_tokens": 9, "stream": True, "thinking": {"type": "enabled"}})
    block = ["content_block_start", "content_block_delta", "content_block_stop"]
    assert answer.names() == ["message_start", *block, block[0], *block[1:2] * 3, block[2],
                              "message_delta", "message_stop"]
    assert answer.events()[-2]["usage"] == {"input_tokens": 9, "output_tokens": 4}
    answer = sim.post("/v1/responses", {"model": "llama3", "input": "hello", "stream": True})
    assert answer.names()[:4] == ["response.created", "response.in_progress", "response.output_item.added",
                                  "response.content_part.added"]
    assert answer.names()[-1] == "response.completed" and answer.headers["cache-control"] == "no-cache"
    events = answer.events()
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["response"]["usage"]["total_tokens"] == 13


TOOL = {"type": "function", "function": {"name": "get_time", "parameters": {
    "type": "object", "properties": {"zone": {"type": "string"}}}}}
ASK = [{"role": "user", "content": "call get_time please"}]


def test_tools_json_thinking_images(sim):
    call = sim.post("/api/chat", {"model": "llama3", "messages": ASK, "tools": [TOOL], "stream": False}).json()
    assert call["message"]["tool_calls"][0]["function"] == {"index": 0, "name": "get_time",
                                                            "arguments": {"zone": "zone"}}
    call = sim.post("/v1/chat/completions", {"model": "llama3", "messages": ASK, "tools": [TOOL]}).json()["choices"][0]
    assert call["finish_reason"] == "tool_calls"
    assert call["message"]["tool_calls"][0]["function"]["arguments"] == '{"zone":"zone"}'
    call = sim.post("/v1/messages", {"model": "llama3", "messages": ASK, "max_tokens": 9, "tools": [
        {"name": "get_time", "input_schema": TOOL["function"]["parameters"]}]}).json()
    assert (call["stop_reason"], call["content"][0]["type"]) == ("tool_use", "tool_use")
    assert not sim.post("/api/chat", {"model": "llama3", "messages": ASK, "stream": False}
                        ).json()["message"].get("tool_calls")
    text = sim.post("/api/chat", {**CHAT, "format": "json", "stream": False}).json()["message"]["content"]
    assert json.loads(text) == {"answer": "answer", "ok": True}
    message = sim.post("/api/chat", {**CHAT, "think": True, "stream": False}).json()["message"]
    assert message["thinking"] and message["content"]
    body = {**CHAT, "messages": [{"role": "user", "content": "x", "images": ["aGk=", "aGk="]}], "stream": False}
    assert sim.post("/api/chat", body).json()["prompt_eval_count"] == 8 + 2 * 256
    assert sim.state()["events"][-1]["images"] == 2


def test_embeddings(sim):
    answer = sim.post("/api/embed", {"model": "nomic-embed-text", "input": ["a", "b"], "dimensions": 4}).json()
    assert [len(vector) for vector in answer["embeddings"]] == [4, 4] and answer["prompt_eval_count"] == 2
    assert set(sim.post("/api/embeddings", {"model": "nomic-embed-text", "prompt": "a"}).json()) == {"embedding"}
    answer = sim.post("/v1/embeddings", {"model": "nomic-embed-text", "input": "a", "encoding_format": "base64"})
    assert isinstance(answer.json()["data"][0]["embedding"], str)
    assert answer.json()["usage"] == {"prompt_tokens": 1, "total_tokens": 1}


def test_models_in_memory(sim, start):
    def listed():
        return {model["name"]: model["digest"] for model in sim.call("GET", "/api/tags").json()["models"]}
    before = listed()
    assert sim.post("/api/pull", {"name": "phi"}).lines()[-1] == {"status": "success"}
    assert sim.post("/api/copy", {"source": "PHI", "destination": "me/phi2"}).body == b""
    assert sim.post("/api/create", {"model": "mine", "from": "llama3", "stream": False}).json() == {"status": "success"}
    assert set(listed()) - set(before) == {"phi:latest", "me/phi2:latest", "mine:latest"}
    assert sim.call("DELETE", "/api/delete", {"model": "phi"}).status == 200
    assert sim.call("DELETE", "/api/delete", {"model": "phi"}).json() == {"error": "model 'phi' not found"}
    failed = sim.post("/api/pull", {"model": "missing"}).lines()
    assert "error" in failed[-1]
    assert sim.call("GET", "/v1/models/LLAMA3%3Alatest").json()["id"] == "LLAMA3:latest"
    other = start("--models", "llama3,qwen3@other").call("GET", "/api/tags").json()["models"]
    digests = {model["name"]: model["digest"] for model in other}
    assert digests["llama3:latest"] == before["llama3:latest"]
    assert digests["qwen3:latest"] != before["qwen3:latest"]


def test_records(sim):
    headers = {"X-Request-Id": "id-1", "Authorization": "Bearer x", "x-api-key": "y"}
    sim.post("/api/chat", CHAT, **headers)
    state = sim.call("GET", "/state?id=id-1", where="control").json()
    event, = state["events"]
    assert state["routes"]["POST /api/chat"] == {"count": 1, "request_ids": ["id-1"]}
    assert event["credentials"] == ["authorization", "x-api-key"] and "x-request-id" in event["header_names"]
    assert (event["outcome"], event["chunks"], event["model"], event["tokens"]) == ("complete", 5, "llama3:latest", 4)
    times = [event["arrival_mono"], event["slot_mono"], event["first_byte_mono"], *event["chunk_mono"][1:],
             event["end_mono"]]
    assert times == sorted(times)
    assert abs(event["arrival_unix"] - time.time()) < DEADLINE and "Bearer" not in json.dumps(state)
