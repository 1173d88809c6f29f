"""Which paths lead anywhere, and what is answered without a key."""

import json
import urllib.parse
import uuid

import pytest
from conftest import ORIGIN
from harness import CHAT_ROUTES, chat, chat_request, check_error, dialect_of, refused

DIALECTS = list(CHAT_ROUTES)

# ---- 404 ------------------------------------------------------------------------------------------------

UNKNOWN = ["/metrics", "/debug/pprof/", "/health", "/api", "/api/", "/v1", "/v1/messages/count_tokens",
           "/v1/responses/resp_1", "/v1/chat", "/auth/token", "/stats", "/.env"]
TRICKS = ["//api/chat", "/api//chat", "/api/chat/", "/api/./chat", "/x/../api/chat", "/api/../api/chat",
          "/api/%63hat", "/api/%70ull", "/api%2Fchat", "/api%2fpull", "/api/chat%2f..%2fpull", "/api/chat;x=1",
          "/api;x/chat", "/API/chat", "/api/Chat", "/api/chat%00", "/api/chat%20", "/api\\chat", "/%2e%2e/api/chat",
          "//v1/messages", "/v1/messages/", "/v1//chat/completions", "/v1/./messages",
          "/v1/models/a%2fb", "/v1/models/..%2f..%2fapi%2fpull", "/v1/models/../../api/pull", "/v1/models/%2e%2e",
          "/v1/models/", "/v1/models/a%2561"]


@pytest.mark.parametrize("prefix", ["", "/k/{key}"], ids=["plain", "key-in-path"])
@pytest.mark.parametrize("path", UNKNOWN + TRICKS)
def test_unknown_routes(gate, path, prefix):
    """Also with a good key and a good body, so that only the path can be at fault."""
    body = json.dumps(chat(max_tokens=9)).encode()
    method = "GET" if path.startswith("/v1/models") else "POST"
    key = None if prefix else gate.key
    target = prefix.format(key=gate.key) + path
    reply = gate.raw_request(method, target, key=key, body=body if method == "POST" else b"")
    refused(gate, reply, dialect_of(path), 404)


def test_query_does_not_reach_a_node(gate):
    reply = gate.post("/api/chat?key=secret&model=other", chat())
    assert reply.status == 200
    assert [event["target"] for event in gate.node_events()] == ["/api/chat"]


def test_absolute_form(gate):
    """A proxy's way to name the route is the same route, or none."""
    body = json.dumps(chat(stream=False)).encode()
    reply = gate.raw_request("POST", "http://gate/api/chat?x=1", key=gate.key, body=body)
    assert reply.status in (200, 400, 404)
    targets = [urllib.parse.urlsplit(event["target"]) for event in gate.node_events()]
    assert [(target.path, target.query) for target in targets] == [("/api/chat", "")] * (reply.status == 200)
    gate.reset_nodes()
    refused(gate, gate.raw_request("POST", "http://gate//api/chat", key=gate.key, body=body), "native", 404)


# ---- what needs no key ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/k/{key}", "/k/{key}/", "/k/nonsense/"])
def test_root(gate, path):
    path = path.format(key=gate.key)
    reply = gate.request("GET", path)
    assert (reply.status, reply.body) == (200, b"Ollama is running")
    assert reply.headers["content-type"].startswith("text/plain") and str(uuid.UUID(reply.id))
    head = gate.raw_request("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert gate.node_events() == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_key_in_the_path(gate, dialect):
    path, body = chat_request(dialect)
    reply = gate.request("POST", f"/k/{gate.key}{path}", body)
    assert reply.status == 200
    assert [event["target"] for event in gate.node_events()] == [path]
    refused_reply = gate.request("POST", f"/k/nonsense{path}", body)
    check_error(refused_reply, dialect, 401)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("header", ["x-api-key", "X-Api-Key"])
def test_key_in_x_api_key(gate, dialect, header):
    path, body = chat_request(dialect)
    assert gate.request("POST", path, body, headers={header: gate.key}).status == 200


def test_preflight(gate):
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    reply = gate.request("OPTIONS", "/v1/chat/completions", headers={"Origin": ORIGIN, **asks})
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["access-control-allow-origin"] == ORIGIN
    assert "POST" in reply.headers["access-control-allow-methods"]
    allowed = {name.strip().lower() for name in reply.headers["access-control-allow-headers"].split(",")}
    assert {"authorization", "x-api-key", "content-type", "anthropic-version"} <= allowed
    assert "Origin" in reply.headers["vary"]
    other = gate.request("OPTIONS", "/v1/chat/completions", headers={"Origin": "https://evil.example", **asks})
    check_error(other, "openai", 403)
    assert not any(name.startswith("access-control-") for name in other.headers)
    check_error(gate.request("OPTIONS", "/api/chat"), "native", 405)


def test_origins(gate):
    reply = gate.chat(headers={"Origin": ORIGIN})
    assert reply.status == 200 and reply.headers["access-control-allow-origin"] == ORIGIN
    unlisted = gate.chat(headers={"Origin": "http://localhost"})
    assert unlisted.status == 403
    denied = gate.request("POST", "/api/chat", chat(), headers={"Origin": ORIGIN})
    assert denied.status == 401 and denied.headers["access-control-allow-origin"] == ORIGIN


def test_nodes_see_nothing_of_the_client(gate):
    """Names and secrets that must stay outside; the fixture looks at every request of every test, too."""
    headers = {"Cookie": "session=1", "X-Api-Key": gate.key, "Proxy-Authorization": "Basic x", "Origin": ORIGIN,
               "Referer": "http://x/", "X-Forwarded-For": "1.2.3.4", "X-Tollgate-Secret": "x", "Upgrade": "h2c",
               "Anthropic-Version": "2023-06-01", "OpenAI-Organization": "o", "Api-Key": "k"}
    for dialect in DIALECTS:
        assert gate.chat(dialect, headers=headers).status == 200
    assert len(gate.node_events()) == 3
    gate.check_nodes_saw_no_secret()
