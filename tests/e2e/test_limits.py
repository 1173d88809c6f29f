"""Limits are exact: never one request more in any 60 seconds, whoever asks and through whichever gateway.

A window lasts a minute, so all long scenarios run at once, each with keys of its own, in the fixture `runs`.
"""

import collections
import concurrent.futures
import time

import pytest
from harness import chat, check_error, most_in_window, unix_time, wait_until

SPAN = 66       # seconds: longer than a window and the second it may begin late
PAUSE = 0.25    # of a client between two requests once its first burst is over
BURST = 4


@pytest.fixture(scope="module")
def pair(make_gateway):
    """Two gateways on one Redis."""
    first = make_gateway()
    return first, make_gateway(TOLLGATE_JOIN=first.folder)


class Tally:
    """What clients saw: (monotonic time, status, Retry-After or None, request id)."""

    def __init__(self):
        self.seen = []

    def ask(self, gateway, key):
        reply = gateway.chat(key=key, stream=False)
        wait = reply.headers.get("retry-after")
        self.seen.append((time.monotonic(), reply.status, int(wait) if wait else None, reply.id))
        return reply

    def ids(self, status):
        return [request_id for _, own, _, request_id in self.seen if own == status]

    def check_statuses(self):
        """Admitted or limited, and nothing else."""
        counts = collections.Counter(status for _, status, _, _ in self.seen)
        assert counts[200] and counts[429] and set(counts) == {200, 429}, counts


def flood(gateways, keys, clients):
    """Clients that ignore Retry-After: all at once, then steadily until the window has passed."""
    tally, end = Tally(), time.monotonic() + SPAN

    def client(number):
        gateway, key = gateways[number % len(gateways)], keys[number % len(keys)]
        asked = 0
        while time.monotonic() < end:
            tally.ask(gateway, key)
            asked += 1
            if asked >= BURST:
                time.sleep(PAUSE)

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        list(pool.map(client, range(clients)))
    return tally


def obey(gateway, key, end):
    """One client that sends as fast as it may and waits as long as it is told."""
    tally = Tally()
    while time.monotonic() < end:
        reply = tally.ask(gateway, key)
        if reply.status == 429:
            time.sleep(min(int(reply.headers["retry-after"]), max(0.0, end - time.monotonic())))
    return tally


def wait_and_ask(gateway, key, limit, gap, less):
    """Uses a limit up, `gap` seconds between requests, and comes back Retry-After minus `less` seconds later."""
    for number in range(limit):
        assert gateway.chat(key=key).status == 200
        if number < limit - 1:
            time.sleep(gap)
    reply = gateway.chat(key=key)
    assert reply.status == 429, (reply.status, reply.body)
    wait = int(reply.headers["retry-after"])
    asked = time.monotonic()
    time.sleep(max(0.0, asked + wait - less - time.monotonic()))
    return wait, gateway.chat(key=key).status


# the limit, the seconds between its requests, where within a second the scenario begins
EXACT = [(1, 0, 0.0), (1, 0, 0.5), (1, 0, 0.95), (3, 1.3, 0.2), (3, 2.1, 0.7)]


def at_phase(phase, run, *words):
    time.sleep((phase - time.time()) % 1)
    return run(*words)


class Runs:
    """The long scenarios, started together."""

    def __init__(self, first, second):
        new = first.new_key
        self.first, self.second = first, second
        self.alone, self.both, self.polite = new(rpm=60), new(rpm=60), new(rpm=60)
        first.new_tenant("small", rpm=30)
        self.siblings = [new("small", rpm=60), new("small", rpm=60)]
        pool = concurrent.futures.ThreadPoolExecutor(30)
        self.futures = {
            "alone": pool.submit(flood, [first], [self.alone["key"]], 32),
            "both": pool.submit(flood, [first, second], [self.both["key"]], 32),
            "siblings": pool.submit(flood, [first, second], [key["key"] for key in self.siblings], 8),
            "polite": pool.submit(obey, first, self.polite["key"], time.monotonic() + SPAN),
        }
        for number, (limit, gap, phase) in enumerate(EXACT):
            for less in (0, 2):
                key = new(rpm=limit)["key"]
                self.futures[number, less] = pool.submit(
                    at_phase, phase, wait_and_ask, first, key, limit, gap, less)
        pool.shutdown(wait=False)

    def __getitem__(self, name):
        return self.futures[name].result(timeout=SPAN * 2)

    def admitted_at(self, key_ids):
        """By the decision's time in both audit logs; the last one where HAProxy had to ask twice."""
        return list({
            record["request_id"]: unix_time(record["time"]) for gateway in (self.first, self.second)
            for record in gateway.audit(kind="decision")
            if record.get("key_id") in key_ids and record["verdict"] == "admit"
        }.values())


@pytest.fixture(scope="module")
def runs(pair):
    return Runs(*pair)


# ---- short ones first: the long ones go on meanwhile -----------------------------------------------------


def test_headers(runs, pair):
    """Every answer says what is left, in the words the dialect's SDK knows."""
    key = pair[0].new_key(rpm=50)["key"]
    native, openai, anthropic = (pair[0].chat(dialect, key) for dialect in ("native", "openai", "anthropic"))
    for left, reply in ((49, native), (48, openai), (47, anthropic)):
        assert reply.status == 200
        assert reply.headers["ratelimit-policy"] == '"key";q=50;w=60'
        name, rest, reset = reply.headers["ratelimit"].split(";")
        assert (name, rest) == ('"key"', f"r={left}") and 55 <= int(reset.removeprefix("t=")) <= 61
    assert openai.headers["x-ratelimit-limit-requests"] == "50"
    assert openai.headers["x-ratelimit-remaining-requests"] == "48"
    assert openai.headers["x-ratelimit-reset-requests"].endswith("s")
    assert anthropic.headers["anthropic-ratelimit-requests-limit"] == "50"
    assert anthropic.headers["anthropic-ratelimit-requests-remaining"] == "47"
    assert not any("ratelimit-" in name and name != "ratelimit-policy" for name in native.headers)


def test_no_limit_no_headers(runs, pair):
    reply = pair[0].chat()
    assert reply.status == 200 and "ratelimit" not in reply.headers


def test_default_is_100_a_minute(runs, pair):
    assert 'q=100;' in pair[0].chat(key=pair[0].new_key()["key"]).headers["ratelimit-policy"]


def test_limits_change_at_once(runs, pair):
    first, second = pair
    key = first.new_key(rpm=2)
    assert [first.chat(key=key["key"]).status for _ in range(3)] == [200, 200, 429]
    first.cli("key", "set", key["id"], "--rpm", "4")
    for gateway in pair:
        wait_until(lambda: gateway.chat(key=key["key"]).status == 200, 1, "the new limit is in force")
    assert second.chat(key=key["key"]).status == 429
    first.cli("key", "set", key["id"], "--rpm", "0")
    wait_until(lambda: second.chat(key=key["key"]).status == 200, 1, "no limit any more")


def test_tenant_refuses_and_the_key_is_not_charged(runs, pair):
    gateway = pair[0]
    gateway.new_tenant("tiny", rpm=3)
    key = gateway.new_key("tiny", rpm=10)
    assert [gateway.chat(key=key["key"]).status for _ in range(8)] == [200] * 3 + [429] * 5
    reply = gateway.chat(key=key["key"])
    assert "tenant" in check_error(reply, "native", 429)
    assert gateway.decision(reply.id)["reason"] == "tenant_rate"
    wait_until(lambda: gateway.window("k", key["id"]) == 3, 1, "the key's window holds what was admitted")
    assert gateway.window("t", "tiny") == 3
    # more room for the tenant: the key's own room is what its three requests left
    gateway.cli("tenant", "set", "tiny", "--rpm", "100")
    wait_until(lambda: gateway.chat(key=key["key"]).status == 200, 1, "the tenant's new limit is in force")
    assert [gateway.chat(key=key["key"]).status for _ in range(7)] == [200] * 6 + [429]


def test_key_refuses_and_the_tenant_is_not_charged(runs, pair):
    gateway = pair[0]
    gateway.new_tenant("wide", rpm=100)
    key = gateway.new_key("wide", rpm=2)
    assert [gateway.chat(key=key["key"]).status for _ in range(6)] == [200] * 2 + [429] * 4
    wait_until(lambda: gateway.window("t", "wide") == 2, 1, "the tenant's window holds what was admitted")


def test_refusals_are_not_charged(runs, pair):
    """Only what is admitted counts: not a bad body, not a model that is denied."""
    gateway = pair[0]
    key = gateway.new_key(rpm=2, models="llama*")
    for body, status in ((b"{", 400), (chat(model="qwen3"), 403), (chat(), 200), (b"{", 400), (chat(), 200)):
        assert gateway.post("/api/chat", body, key["key"]).status == status
    assert gateway.window("k", key["id"]) == 2


# ---- the long ones ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(EXACT)), ids=[f"{n}-per-min-{p}" for n, _, p in EXACT])
def test_retry_after_is_exact(runs, number):
    wait, status = runs[number, 0]
    assert (1 <= wait <= 61, status) == (True, 200)
    wait, status = runs[number, 2]
    assert (1 <= wait <= 61, status) == (True, 429)


@pytest.mark.parametrize("scenario", ["alone", "both"])
def test_never_more_than_the_limit(runs, scenario):
    tally = runs[scenario]
    tally.check_statuses()
    key_id = getattr(runs, scenario)["id"]
    wait_until(lambda: len(runs.admitted_at([key_id])) >= len(tally.ids(200)), 5, "the audit log is complete")
    admitted = runs.admitted_at([key_id])
    assert most_in_window(admitted) == 60
    assert len(admitted) > 60       # the window went on, it did not just fill once


def test_tenant_limit_holds_over_its_keys(runs):
    tally = runs["siblings"]
    tally.check_statuses()
    assert most_in_window(runs.admitted_at([key["id"] for key in runs.siblings])) == 30


def test_client_that_obeys_gets_its_limit(runs):
    tally = runs["polite"]
    admitted = [moment for moment, status, _, _ in tally.seen if status == 200]
    assert len(admitted) >= 120
    # its first request of the second round comes when the first round's has left: after 61 s, and the
    # part of a second that a whole number of seconds is too long
    assert 60 < admitted[60] - admitted[0] < 62
    # one refusal a round, and one more where the round's requests fell into several seconds
    assert len(tally.ids(429)) <= 5


def test_every_refusal_says_when(runs):
    for scenario in ("alone", "both", "siblings", "polite"):
        assert all(1 <= wait <= 61 for _, status, wait, _ in runs[scenario].seen if status == 429)


def test_all_admitted_were_served_and_ended(runs, pair):
    for gateway in pair:
        gateway.wait_idle()
    events = [event["request_id"] for event in pair[0].node_events()]
    assert len(events) == len(set(events))
    ids = set(runs["both"].ids(200))
    assert ids <= set(events) and not set(runs["both"].ids(429)) & set(events)
