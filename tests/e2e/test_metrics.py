"""What operators watch: metrics, health and readiness, and HAProxy's own."""

import re
import subprocess

import pytest
from harness import ROOT, chat, parse_metrics, sum_metric, wait_until

VERDICTS = {"admit", "unauthorized", "forbidden", "limited", "invalid", "unavailable"}


@pytest.fixture(scope="module")
def own(make_gateway):
    return make_gateway()


@pytest.fixture(scope="module")
def first_scrape(own):
    """What a newly started agent says before it has decided anything."""
    own.local("restart", "agent")
    return own.get("TOLLGATE_METRICS_URL", "/metrics")[1]


def reasons():
    """The closed set, from the table that has it."""
    source = (ROOT / "spoa" / "gate" / "reason.c").read_text()
    found = re.findall(r'\[REASON_\w+\] = \{"(\w+)",\s*VERDICT_(\w+)', source)
    return {(verdict.lower(), name) for name, verdict in found}


def test_every_combination_is_there_from_the_start(first_scrape):
    samples = parse_metrics(first_scrape)
    seen = {(dict(labels)["verdict"], dict(labels)["reason"]): value
            for (name, labels), value in samples.items() if name == "tollgate_requests_total"}
    assert set(seen) == reasons() and len(seen) > 20
    assert {verdict for verdict, _ in seen} == VERDICTS
    assert set(seen.values()) == {0}
    ends = {dict(labels)["finish"] for name, labels in samples if name == "tollgate_completions_total"}
    assert {"ok", "client_abort", "server_abort", "timeout", "queue_full", "lost"} <= ends


@pytest.mark.parametrize("when", ["fresh", "used"])
def test_promtool_is_content(own, first_scrape, when):
    text = first_scrape
    if when == "used":
        for key in (own.key, "nonsense", own.new_key(rpm=1)["key"]):
            own.chat(key=key)
            own.chat(key=key)
        text = own.get("TOLLGATE_METRICS_URL", "/metrics")[1]
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


COUNTED = [
    (lambda own: own.chat(), "admit", "ok", None),
    (lambda own: own.request("POST", "/api/chat", chat()), "unauthorized", "missing_key", "be_denied_auth"),
    (lambda own: own.chat(key=own.new_key(role="monitor")["key"]), "forbidden", "role", "be_denied_forbidden"),
    (lambda own: own.post("/api/chat", b"{"), "invalid", "bad_body", "be_denied_request"),
    (lambda own: [own.chat(key=key) for key in [own.new_key(rpm=1)["key"]] * 2], "limited", "key_rate",
     "be_denied_limit"),
]


def promex(own, backend):
    samples = parse_metrics(own.get("TOLLGATE_OPS_URL", "/metrics")[1])
    return sum_metric(samples, "haproxy_backend_http_requests_total", {"proxy": backend})


@pytest.mark.parametrize("ask,verdict,reason,backend", COUNTED, ids=[row[2] for row in COUNTED])
def test_verdicts_are_counted(own, ask, verdict, reason, backend):
    before = own.metric("tollgate_requests_total", verdict=verdict, reason=reason)
    denied = promex(own, backend) if backend else 0
    ask(own)
    assert own.metric("tollgate_requests_total", verdict=verdict, reason=reason) == before + 1
    if backend:
        wait_until(lambda: promex(own, backend) == denied + 1, 2, f"{backend} counts it")


def test_completions_and_tokens(own):
    before = own.metrics()
    reply = own.chat(stream=False)
    own.completion(reply.id)
    after = own.metrics()

    def grown(name, **labels):
        return sum_metric(after, name, labels) - sum_metric(before, name, labels)

    assert grown("tollgate_completions_total", finish="ok") == 1
    assert grown("tollgate_tokens_total", kind="prompt") == reply.json["prompt_eval_count"]
    assert grown("tollgate_tokens_total", kind="completion") == reply.json["eval_count"]
    assert grown("tollgate_request_duration_seconds_count") == 1
    assert grown("tollgate_time_to_first_token_seconds_count") == 1
    assert grown("tollgate_decision_duration_seconds_count") == 1


def test_no_label_of_a_client(own):
    """No key, path, address or model as sent: a stranger must not be able to make series."""
    own.chat(model="canary-model")
    own.request("GET", "/canary-path", key=own.key)
    text = own.get("TOLLGATE_METRICS_URL", "/metrics")[1] + own.get("TOLLGATE_OPS_URL", "/metrics")[1]
    assert "canary" not in text and own.key.split("_")[1] not in text and "127.0.0.1" not in text


def test_pages(own):
    for url, path, status in [("TOLLGATE_METRICS_URL", "/healthz", 200), ("TOLLGATE_METRICS_URL", "/readyz", 200),
                              ("TOLLGATE_METRICS_URL", "/nothing", 404), ("TOLLGATE_OPS_URL", "/healthz", 200),
                              ("TOLLGATE_OPS_URL", "/stats", 200), ("TOLLGATE_OPS_URL", "/metrics", 200)]:
        assert own.get(url, path)[0] == status, path


def test_readiness_names_redis(own):
    own.local("stop", "redis")
    wait_until(lambda: own.get("TOLLGATE_METRICS_URL", "/readyz")[0] == 503, 3, "not ready")
    assert '"redis":"failed"' in own.get("TOLLGATE_METRICS_URL", "/readyz")[1]
    assert own.get("TOLLGATE_METRICS_URL", "/healthz")[0] == 200
    assert own.metric("tollgate_redis_up") == 0
    own.local("start", "redis")
    wait_until(lambda: own.get("TOLLGATE_METRICS_URL", "/readyz")[0] == 200, 5, "ready again")
