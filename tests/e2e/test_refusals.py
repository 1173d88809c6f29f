"""What may not pass is refused in the client's dialect and seen by no node."""

import json
import zlib

import pytest
from harness import CHAT_ROUTES, MODEL, chat, chat_request, check_error, dialect_of, refused, wait_until

DIALECTS = list(CHAT_ROUTES)


# ---- 401 ------------------------------------------------------------------------------------------------


def wrong_secret(key):
    """A well-formed key of the same id: another secret, and the checksum that goes with it."""
    prefix, key_id, secret, _ = key.split("_")
    text = f"{prefix}_{key_id}_{secret[::-1]}"
    digits, left = "", zlib.crc32(text.encode())
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    for _ in range(6):
        left, digit = divmod(left, 62)
        digits = alphabet[digit] + digits
    return f"{text}_{digits}"


@pytest.fixture(scope="module")
def bad_keys(shared):
    """Keys that must not work: what is sent, and the reason that is counted."""
    revoked, expired, unknown = (shared.new_key(rpm=0) for _ in range(3))
    shared.cli("key", "revoke", revoked["id"])
    shared.cli("key", "set", expired["id"], "--expires", "1s")
    shared.cli("key", "delete", unknown["id"], "--yes")
    wait_until(lambda: shared.chat(key=expired["key"]).status == 401, 5, "the key has expired")
    key = shared.key
    return {
        "missing": (None, "missing_key"),
        "empty": ("", "malformed_key"),
        "garbage": ("sk-1234567890", "malformed_key"),
        "one character changed": (key[:-1] + ("0" if key[-1] != "0" else "1"), "malformed_key"),
        "cut": (key[:-4], "malformed_key"),
        "too long": (key * 40, "malformed_key"),
        "wrong secret": (wrong_secret(key), "invalid_key"),
        "unknown": (unknown["key"], "invalid_key"),
        "revoked": (revoked["key"], "revoked_key"),
        "expired": (expired["key"], "expired_key"),
    }


BAD_KEYS = ["missing", "empty", "garbage", "one character changed", "cut", "too long", "wrong secret", "unknown",
            "revoked", "expired"]


@pytest.mark.parametrize("which", BAD_KEYS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_unauthorized(gate, bad_keys, dialect, which):
    key, reason = bad_keys[which]
    path, body = chat_request(dialect)
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    with gate.counts("unauthorized", reason=reason):
        reply = gate.request("POST", path, body, headers=headers)
    refused(gate, reply, dialect, 401)
    assert reply.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("scheme", ["Basic dXNlcjpwYXNz", "Digest x", "Bearer", "tg_x"])
def test_other_schemes(gate, scheme):
    reply = gate.request("POST", "/api/chat", chat(), headers={"Authorization": scheme})
    refused(gate, reply, "native", 401)


def test_head_has_no_body(gate):
    answer = gate.raw_request("HEAD", "/api/tags")
    assert (answer.status, answer.body) == (401, b"") and answer.headers["www-authenticate"]
    answer = gate.raw_request("HEAD", "/api/tags", key=gate.key)
    assert (answer.status, answer.body) == (200, b"")


# ---- 403 ------------------------------------------------------------------------------------------------

FORBIDDEN = {
    "model": ({"models": "qwen3,gemma*"}, {}, "model_denied"),
    "model by another name": ({"models": "qwen3"}, {"model": "registry.ollama.ai/library/LLAMA3.2:latest"},
                              "model_denied"),
    "network": ({"networks": "10.0.0.0/8,2001:db8::/32"}, {}, "network"),
    "role": ({"role": "monitor"}, {}, "role"),
    "cloud tag": ({}, {"model": "gpt-oss:120b-cloud"}, "cloud_denied"),
    "cloud": ({}, {"model": "deepseek-v3.1:CLOUD"}, "cloud_denied"),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("options,body,reason", FORBIDDEN.values(), ids=FORBIDDEN)
def test_forbidden(gate, dialect, options, body, reason):
    key = gate.new_key(rpm=0, **options)["key"]
    # an address that a client claims is not believed
    with gate.counts("forbidden", reason=reason):
        reply = gate.chat(dialect, key, headers={"X-Forwarded-For": "10.1.2.3"}, **body)
    refused(gate, reply, dialect, 403)


# method, path, body; the class of facts/ollama.md: what manages models, and what is closed to everybody
DIGEST = "sha256:" + "0" * 64
MANAGE = [
    ("POST", "/api/pull", {"model": MODEL}),
    ("POST", "/api/pull", {"name": MODEL}),
    ("POST", "/api/create", {"model": "mine", "from": MODEL}),
    ("POST", "/api/copy", {"source": MODEL, "destination": "mine"}),
    ("DELETE", "/api/delete", {"model": MODEL}),
]
CLOSED = [
    ("POST", "/api/push", {"model": MODEL}),
    ("POST", f"/api/blobs/{DIGEST}", b"x"),
    ("HEAD", f"/api/blobs/{DIGEST}", None),
    ("POST", "/api/me", {}),
    ("POST", "/api/signout", {}),
    ("DELETE", "/api/user/keys/abc", None),
    ("POST", "/api/experimental/web_search", {"query": "x"}),
    ("POST", "/api/experimental/web_fetch", {"url": "http://127.0.0.1/"}),
    ("GET", "/api/experimental/model-recommendations", None),
    ("POST", "/api/experimental/aliases", {}),
    ("POST", "/v1/audio/transcriptions", {}),
    ("POST", "/v1/images/generations", {"model": MODEL}),
    ("POST", "/v1/images/edits", {"model": MODEL}),
]


@pytest.mark.parametrize("node", [None, "node1"], ids=["anywhere", "on-a-node"])
@pytest.mark.parametrize("role", ["user", "monitor"])
@pytest.mark.parametrize("method,path,body", MANAGE + CLOSED, ids=lambda value: str(value)[:32])
def test_model_management_is_for_operators(gate, roles, method, path, body, role, node):
    headers = {"X-Tollgate-Node": node} if node else {}
    reply = gate.request(method, path, body, roles[role], headers)
    assert reply.status == 403 and gate.node_events() == []
    if method != "HEAD":
        check_error(reply, "openai" if path.startswith("/v1/") else "native", 403)


@pytest.mark.parametrize("method,path,body", CLOSED, ids=lambda value: str(value)[:32])
def test_closed_to_everybody(gate, roles, method, path, body):
    reply = gate.request(method, path, body, roles["operator"], {"X-Tollgate-Node": "node1"})
    assert reply.status == 403 and gate.node_events() == []


@pytest.mark.parametrize("path", ["/api/tags", "/api/ps", "/v1/models", "/api/version"])
def test_monitor_may_look(gate, roles, path):
    assert gate.request("GET", path, key=roles["monitor"]).status == 200


# ---- operators ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("node", ["node1", "node2", "node3"])
@pytest.mark.parametrize("method,path,body", MANAGE, ids=lambda value: str(value)[:32])
def test_operator_reaches_exactly_that_node(gate, roles, method, path, body, node):
    try:
        reply = gate.request(method, path, body, roles["operator"], {"X-Tollgate-Node": node})
        assert reply.status == 200, reply.body
        assert [event["node"] for event in gate.node_events()] == [node]
        assert gate.completion(reply.id)["node"] == node
    finally:
        for sim in gate.sims:
            sim.call("POST", "/reset", {"models": True})


@pytest.mark.parametrize("node,status", [(None, 400), ("", 400), ("node9", 404), ("no de", 400), ("node1,node2", 400),
                                         ("x" * 100, 400)])
def test_operator_must_name_a_node(gate, roles, node, status):
    headers = {} if node is None else {"X-Tollgate-Node": node}
    reply = gate.post("/api/pull", {"model": MODEL}, roles["operator"], headers=headers)
    refused(gate, reply, "native", status)


def test_operator_and_a_node_that_is_down(gate, roles):
    gate.sims[1].fault(refuse=True)
    gate.wait_server("node2", "DOWN")
    reply = gate.post("/api/pull", {"model": MODEL}, roles["operator"], headers={"X-Tollgate-Node": "node2"})
    refused(gate, reply, "native", 503)
    gate.clear()
    gate.wait_server("node2", "UP")


@pytest.mark.parametrize("role", ["user", "monitor"])
def test_node_is_for_operators_to_choose(gate, roles, role):
    reply = gate.request("GET", "/api/tags", key=roles[role], headers={"X-Tollgate-Node": "node1"})
    refused(gate, reply, "native", 403)


# ---- 400 ------------------------------------------------------------------------------------------------

REST = b'"max_tokens":9,"messages":[{"role":"user","content":"x"}]'
MODEL_PAIR = b'"model":"%s"' % MODEL.encode()
BODIES = {
    "empty": b"",
    "white space": b"  \n",
    "not JSON": b"hello",
    "an array": b"[]",
    "a string": b'"x"',
    "no model": b"{%s}" % REST,
    "model empty": b'{"model":"",%s}' % REST,
    "model null": b'{"model":null,%s}' % REST,
    "model not text": b'{"model":1,%s}' % REST,
    "model invalid": b'{"model":"a b/../c",%s}' % REST,
    "model too long": b'{"model":"%s",%s}' % (b"x" * 400, REST),
    "duplicate model": b'{%s,"model":"other",%s}' % (MODEL_PAIR, REST),
    "duplicate model behind": b'{%s,%s,%s}' % (MODEL_PAIR, REST, MODEL_PAIR),
    "Model": b'{"Model":"%s",%s}' % (MODEL.encode(), REST),
    "model and MODEL": b'{%s,"MODEL":"other",%s}' % (MODEL_PAIR, REST),
    "escape in a key": b'{"mod\\u0065l":"%s",%s}' % (MODEL.encode(), REST),
    "long s": '{"\u017ftream":false,"model":"llama3.2",'.encode() + REST + b"}",
    "Kelvin sign": '{"\u212aeep_alive":0,"model":"llama3.2",'.encode() + REST + b"}",
    "duplicate stream": b'{%s,"stream":true,"stream":false,%s}' % (MODEL_PAIR, REST),
    "trailing data": b'{%s,%s}{"model":"other"}' % (MODEL_PAIR, REST),
    "trailing comma": b"{%s,%s,}" % (MODEL_PAIR, REST),
    "cut short": b"{%s,%s" % (MODEL_PAIR, REST),
    "invalid UTF-8": b'{%s,"x":"\xff",%s}' % (MODEL_PAIR, REST),
    "overlong UTF-8": b'{%s,"x":"\xc0\xaf",%s}' % (MODEL_PAIR, REST),
    "surrogate in UTF-8": b'{%s,"x":"\xed\xa0\x80",%s}' % (MODEL_PAIR, REST),
    "control character": b'{%s,"x":"a\nb",%s}' % (MODEL_PAIR, REST),
    "bad escape": b'{%s,"x":"\\q",%s}' % (MODEL_PAIR, REST),
    "NUL": b'{%s,"x":1\x00,%s}' % (MODEL_PAIR, REST),
    "byte order mark": b"\xef\xbb\xbf{%s,%s}" % (MODEL_PAIR, REST),
    "too deep": b'{%s,%s,"x":%s%s}' % (MODEL_PAIR, REST, b"[" * 1001, b"]" * 1001),
    "bomb": b'{%s,%s,"x":%s' % (MODEL_PAIR, REST, b"[" * 100_000),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_bodies_that_could_be_read_in_two_ways(gate, dialect, body):
    with gate.counts("invalid"):
        reply = gate.post(CHAT_ROUTES[dialect][0], body)
    refused(gate, reply, dialect, 400)


GOOD_BODIES = {
    "lone surrogate": b'{%s,"x":"\\ud800",%s}' % (MODEL_PAIR, REST),
    "escapes in values": b'{"model":"\\u006clama3.2",%s}' % REST,
    "depth 900": b'{%s,%s,"x":%s%s}' % (MODEL_PAIR, REST, b"[" * 900, b"]" * 900),
    "unknown keys twice": b'{%s,"x":1,"x":2,%s}' % (MODEL_PAIR, REST),
    "white space behind": b"{%s,%s} \r\n" % (MODEL_PAIR, REST),
    "model behind": b"{%s,%s}" % (REST, MODEL_PAIR),
    "astral": '{"model":"llama3.2","x":"\U0001f600",'.encode() + REST + b"}",
}


@pytest.mark.parametrize("body", GOOD_BODIES.values(), ids=GOOD_BODIES)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_bodies_that_pass(gate, dialect, body):
    assert gate.post(CHAT_ROUTES[dialect][0], body).status == 200


@pytest.mark.parametrize("dialect", DIALECTS)
def test_two_credentials(gate, roles, dialect):
    path, body = chat_request(dialect)
    both = gate.request("POST", path, body, gate.key, {"x-api-key": roles["operator"]})
    refused(gate, both, dialect, 400)
    in_path = gate.request("POST", f"/k/{roles['operator']}{path}", body, gate.key)
    refused(gate, in_path, dialect, 400)
    same = gate.request("POST", path, body, gate.key, {"x-api-key": gate.key})
    assert same.status == 200


DUPLICATES = {
    "Authorization": ["Authorization: Bearer {key}", "Authorization: Bearer {key}"],
    "x-api-key": ["x-api-key: {key}", "X-API-Key: {key}"],
    "X-Tollgate-Node": ["Authorization: Bearer {key}", "X-Tollgate-Node: node1", "X-Tollgate-Node: node2"],
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("lines", DUPLICATES.values(), ids=DUPLICATES)
def test_duplicate_headers(gate, dialect, lines):
    path, body = chat_request(dialect)
    reply = gate.raw_request("POST", path, [line.format(key=gate.key) for line in lines], json.dumps(body).encode())
    refused(gate, reply, dialect, 400)


SMUGGLING = {
    "two lengths": ["Content-Length: 5", "Content-Length: 6"],
    "length and chunked": ["Content-Length: 5", "Transfer-Encoding: chunked"],
    "length not a number": ["Content-Length: 5x"],
    "length negative": ["Content-Length: -5"],
    "space before the colon": ["Content-Length : 5"],
    "unknown coding": ["Transfer-Encoding: xchunked"],
}


@pytest.mark.parametrize("lines", SMUGGLING.values(), ids=SMUGGLING)
def test_ambiguous_framing(gate, lines):
    body = b"0\r\n\r\nPOST /api/pull HTTP/1.1\r\nHost: x\r\n\r\n"
    reply = gate.raw_request("POST", "/api/chat", lines, body, gate.key, length=False)
    assert 400 <= reply.status < 500 and gate.node_events() == []


def test_body_where_none_belongs(gate):
    for path in ("/api/tags", "/v1/models", "/"):
        reply = gate.raw_request("GET", path, key=gate.key, body=b"{}")
        refused(gate, reply, dialect_of(path), 400)


# ---- the others -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method,path,allow", [
    ("GET", "/api/chat", "POST"), ("PUT", "/api/chat", "POST"), ("POST", "/api/tags", "GET,HEAD"),
    ("GET", "/v1/chat/completions", "POST"), ("DELETE", "/v1/models", "GET"), ("PATCH", "/v1/messages", "POST"),
    ("GET", "/v1/messages", "POST"), ("POST", "/api/delete", "DELETE"), ("TRACE", "/api/tags", "GET,HEAD"),
    ("BREW", "/api/chat", "POST"), ("get", "/api/tags", "GET,HEAD")])
def test_method_not_allowed(gate, method, path, allow):
    reply = gate.raw_request(method, path, key=gate.key)
    refused(gate, reply, dialect_of(path), 405)
    assert reply.headers["allow"].replace(" ", "") == allow


OTHERS = {
    "chunked": (411, ["Transfer-Encoding: chunked"], b"2\r\n{}\r\n0\r\n\r\n"),
    "too large": (413, ["Content-Length: 8388609"], b"{"),
    "absurdly large": (413, ["Content-Length: 99999999999999"], b"{"),
    "gzip": (415, ["Content-Encoding: gzip", "Content-Length: 2"], b"{}"),
    "zstd": (415, ["Content-Encoding: zstd", "Content-Length: 2"], b"{}"),
    "identity": (415, ["Content-Encoding: identity", "Content-Length: 2"], b"{}"),
    "headers too large": (431, ["X-Filler: " + "x" * 70_000, "Content-Length: 2"], b"{}"),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("status,lines,body", OTHERS.values(), ids=OTHERS)
def test_framing_refusals(gate, dialect, status, lines, body):
    reply = gate.raw_request("POST", CHAT_ROUTES[dialect][0], lines, body, gate.key, length=False)
    refused(gate, reply, dialect, status)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_too_many_requests(gate, dialect):
    key = gate.new_key(rpm=2)["key"]
    for left in (1, 0):
        reply = gate.chat(dialect, key)
        assert reply.status == 200 and f"r={left};" in reply.headers["ratelimit"]
    gate.reset_nodes()
    reply = gate.chat(dialect, key)
    message = refused(gate, reply, dialect, 429)
    assert 55 <= int(reply.headers["retry-after"]) <= 61
    assert "2" in message and reply.headers["retry-after"] in message
