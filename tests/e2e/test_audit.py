"""The audit log: who asked for what and what became of it, complete, in order, and without a word of content."""

import concurrent.futures
import pathlib
import secrets
import subprocess
import time

import pytest
from harness import CHAT_ROUTES, chat, chat_request, unix_time, wait_until

DIALECTS = list(CHAT_ROUTES)


@pytest.fixture(scope="module")
def own(make_gateway):
    return make_gateway()


@pytest.fixture
def gate(own):
    own.clear()
    own.reset_nodes()
    yield own
    own.wait_idle()
    check_sequence(own)


def check_sequence(gate):
    """Numbers have no gap, from the first record on and over restarts."""
    numbers = [record["seq"] for record in gate.audit()]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_refusals_name_no_key_that_was_not_proven(gate):
    """Whoever guesses an id must not be able to write under it. First of all: later refusals come in sums."""
    own_id = gate.key.split("_")[1]
    replies = [gate.chat(key=gate.key[:-1] + ("0" if gate.key[-1] != "0" else "1")),
               gate.request("GET", "/api/tags")]
    for reply in replies:
        record = gate.decision(reply.id)
        assert "key_id" not in record and own_id not in str(record)


def test_as_many_admissions_as_nodes_saw_requests(gate):
    """And one completion for each, of the same request."""
    before = {record["request_id"] for record in gate.audit(kind="decision")}
    limited = gate.new_key(rpm=10)["key"]

    def ask(number):
        dialect = DIALECTS[number % 3]
        if number % 10 == 0:
            return gate.chat(dialect, "nonsense")
        if number % 10 == 1:
            return gate.post(CHAT_ROUTES[dialect][0], b"{")
        return gate.chat(dialect, limited if number % 10 == 2 else None, stream=bool(number % 2))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(ask, range(300)))
    assert {reply.status for reply in replies} == {200, 400, 401, 429}
    gate.wait_idle()
    wait_until(lambda: len(gate.audit(kind="completion")) >= sum(r.status == 200 for r in replies), 5, "the log")
    decisions = [record for record in gate.audit(kind="decision") if record["request_id"] not in before]
    admitted = [record["request_id"] for record in decisions if record["verdict"] == "admit"]
    completed = [record["request_id"] for record in gate.audit(kind="completion")
                 if record["request_id"] not in before]
    seen = [event["request_id"] for event in gate.node_events()]
    served = [reply.id for reply in replies if reply.status == 200]
    assert sorted(admitted) == sorted(completed) == sorted(seen) == sorted(served)


def test_fields(gate):
    key = gate.new_key("fields", rpm=50)
    began = time.time()
    body = chat(model="LLAMA3.2", stream=False)
    reply = gate.post("/api/chat", body, key["key"])
    done = gate.completion(reply.id)
    decision = gate.decision(reply.id)
    same = {"request_id": reply.id, "key_id": key["id"], "tenant": "fields", "src": "127.0.0.1", "method": "POST",
            "route": "/api/chat", "model": "llama3.2:latest"}
    for name, value in same.items():
        assert (decision[name], done[name]) == (value, value), name
    assert {name: decision[name] for name in ("verdict", "reason", "policy", "mode", "limit", "remaining", "used")} == {
        "verdict": "admit", "reason": "ok", "policy": "key", "mode": "redis", "limit": 50, "remaining": 49, "used": 1}
    assert decision["bytes_in"] > 0 and 0 < decision["decision_us"] < 1_000_000
    event, = gate.node_events(reply.id)
    assert (done["node"], done["status"], done["finish"], done["retries"]) == (event["node"], 200, "ok", 0)
    assert (done["prompt_tokens"], done["completion_tokens"]) == (
        reply.json["prompt_eval_count"], reply.json["eval_count"])
    assert done["bytes_out"] >= len(reply.body) and 0 <= done["ttft_ms"] <= done["duration_ms"]
    for record in (decision, done):
        assert began - 1 < unix_time(record["time"]) < time.time() + 1


def test_refusals_in_numbers_are_summed(gate):
    """A stranger cannot fill the disk; admissions stay single."""
    before = len(gate.audit())
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: gate.request("GET", "/api/tags"), range(400)))
    assert {reply.status for reply in replies} == {401}

    def counted():
        fresh = gate.audit()[before:]
        single = sum(record["type"] == "decision" for record in fresh)
        return single, sum(record["reasons"].get("missing_key", 0) for record in fresh if record["type"] == "refusals")

    wait_until(lambda: sum(counted()) >= 400, 5, "all are accounted for")
    single, summed = counted()
    assert single + summed == 400 and summed > single


def test_no_secret_anywhere(gate):
    """Canaries in everything a client sends never come out at any other end."""
    canaries = {name: f"canary{secrets.token_hex(12)}" for name in (
        "prompt", "system", "header", "cookie", "query", "user_agent", "path", "bad_key", "node", "encoded")}
    key, path_key = gate.new_key(rpm=0)["key"], gate.new_key(rpm=0)["key"]
    headers = {"X-Custom": canaries["header"], "Cookie": canaries["cookie"], "User-Agent": canaries["user_agent"],
               "Referer": f"http://x/?{canaries['query']}"}
    for dialect in DIALECTS:
        path, body = chat_request(dialect, text=canaries["prompt"], system=canaries["system"])
        for target in (path, f"{path}?q={canaries['query']}"):
            assert gate.request("POST", target, body, key, headers).status == 200
        assert gate.request("POST", f"/k/{path_key}{path}?{canaries['query']}", body, headers=headers).status == 200
        assert gate.request("POST", f"/k/{canaries['bad_key']}{path}", body, headers=headers).status == 401
        gate.request("POST", path, {"model": canaries["prompt"], "messages": canaries["prompt"]}, "x" + key, headers)
        gate.request("POST", path, b'{"' + canaries["prompt"].encode(), key, headers=headers)
        gate.request("POST", f"/{canaries['path']}", body, key, headers=headers)
        gate.request("POST", f"{path}/{canaries['path']}%2f{path_key}", body, headers=headers)
        gate.request("GET", f"/api/tags?{key}", None, key, {"X-Tollgate-Node": canaries["node"]})
        gate.request("POST", path, body, key, {"Content-Encoding": canaries["encoded"]})
        gate.request(canaries["header"].upper(), path, None, key)
    gate.raw(b"GET /k/" + path_key.encode() + b" " + canaries["path"].encode() + b"\r\n\r\n")
    gate.wait_idle()
    everything = [path for folder in ("log", "audit") for path in pathlib.Path(gate.folder, folder).iterdir()]
    assert len(everything) > 5
    texts = {str(path): path.read_text(errors="replace") for path in everything}
    for url, page in (("TOLLGATE_METRICS_URL", "/metrics"), ("TOLLGATE_OPS_URL", "/metrics"),
                      ("TOLLGATE_OPS_URL", "/stats"), ("TOLLGATE_OPS_URL", "/stats;csv")):
        texts[f"{url}{page}"] = gate.get(url, page)[1]
    words = [*canaries.values(), key, path_key, key.split("_")[2], path_key.split("_")[2]]
    names = {word: name for name, word in canaries.items()}
    found = [(name, names.get(word, "a key")) for name, text in texts.items() for word in words
             if word.lower() in text.lower()]
    assert found == []


def test_torn_tail(gate):
    """A crash in the middle of a write: the half line is cut and the cut is written down; nothing else is lost."""
    ids = [gate.chat().id for _ in range(5)]
    for request_id in ids:
        gate.completion(request_id)
    gate.kill("agent")
    last = pathlib.Path(gate.audit_files()[-1])
    before = len(gate.audit())
    with last.open("a", encoding="utf-8") as file:
        file.write('{"seq":99,"time":"2026-01-01T00:00:00Z","type":"deci')
    gate.local("start", "agent")
    wait_until(lambda: len(gate.audit(kind="start")) >= 2, 5, "the agent's start is recorded")
    gaps = gate.audit(kind="gap")
    assert [gap["cause"] for gap in gaps] == ["torn_tail"] and gaps[0]["bytes"] == 52
    assert all(text.endswith("\n") for text in (pathlib.Path(name).read_text() for name in gate.audit_files()) if text)
    assert len(gate.audit()) > before
    for request_id in ids:
        assert gate.audit(request_id, "decision") and gate.audit(request_id, "completion")


def test_killed_while_it_writes(gate):
    """kill -9 under load: the log stays readable, and what nodes saw is in it but for the last moments."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(gate.chat, stream=False) for _ in range(100)]
        wait_until(lambda: sum(future.done() for future in futures) >= 30, 10, "load")
        gate.kill("agent")
        replies = [future.result() for future in futures]
    assert {reply.status for reply in replies} <= {200, 503}
    gate.local("start", "agent")
    check_sequence(gate)
    decided = {record["request_id"] for record in gate.audit(kind="decision") if record["verdict"] == "admit"}
    missing = [event["request_id"] for event in gate.node_events() if event["request_id"] not in decided]
    # the writer syncs every 50 ms: no more than what was decided since may be missing
    assert len(missing) <= 30


def test_one_agent_a_directory(gate):
    """A second agent must not write into the same log."""
    done = subprocess.run([f"{gate.env['TOLLGATE_BIN']}/tollgated", "--config", f"{gate.folder}/tollgated.conf"],
                          capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 3 and "audit" in done.stderr
