"""What happens when a part fails: the gate closes rather than leaks, and opens again by itself."""

import concurrent.futures
import contextlib
import os
import socket
import subprocess
import threading
import time
import types

import pytest
from harness import CHAT_ROUTES, ROOT, Gateway, chat, chat_request, check_error, read_reply, signal, wait_until
from stub_agent import StubAgent

DIALECTS = list(CHAT_ROUTES)
LARGE = "x" * 100_000


@pytest.fixture(scope="module")
def own(make_gateway):
    return make_gateway()


@pytest.fixture
def gate(own):
    """A gateway whose parts may be broken; at the end all run, and nothing is left in flight."""
    own.clear()
    own.reset_nodes()
    own.known = own.new_key(rpm=0)["key"]
    assert own.chat(key=own.known).status == 200        # the agent has it in memory
    own.reset_nodes()
    yield own
    own.clear()
    for part in ("redis", "agent", "haproxy", "node1", "node2", "node3"):
        own.local("start", part)
    for node in ("node1", "node2", "node3"):
        own.wait_server(node, "UP", 10)
    wait_until(lambda: own.chat(key=own.known).status == 200, 5, "it serves again")
    own.wait_idle(10)
    own.check_nodes_saw_no_secret()


def refused_everywhere(gate, within=1.0, key=None, **body):
    """503 in every dialect, soon, and no node knows of it."""
    for dialect in DIALECTS:
        before = time.monotonic()
        reply = gate.chat(dialect, key or gate.known, **body)
        assert time.monotonic() - before < within
        check_error(reply, dialect, 503)
    assert gate.node_events() == []


class Load:
    """Clients that stream chats one after another until told to stop."""

    def __init__(self, gate, clients, **fault):
        gate.fault(**fault)
        self.gate, self.end, self.replies = gate, threading.Event(), []
        self.pool = concurrent.futures.ThreadPoolExecutor(clients)
        self.clients = [self.pool.submit(self.run) for _ in range(clients)]

    def run(self):
        while not self.end.is_set():
            connection = self.gate.open("POST", "/api/chat", chat(), self.gate.known)
            began = time.time()
            reply = read_reply(connection.getresponse())
            reply.began = began
            connection.close()
            reply.whole = not reply.broken and b'"done":true' in reply.body
            self.replies.append(reply)

    def stop(self):
        self.end.set()
        for client in self.clients:
            client.result(timeout=30)
        self.pool.shutdown()
        return self.replies


# ---- the agent ------------------------------------------------------------------------------------------


def test_asked_twice_is_charged_once(gate):
    """An agent that is late by one question's time: HAProxy asks again, and Redis holds one charge.

    First of all, while HAProxy has few connections to the agent and both questions may share one.
    """
    key = gate.new_key(rpm=1000)
    admitted = []
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for late in (0.16, 0.2, 0.24, 0.28):
            with gate.stopped("agent"):
                replies = [pool.submit(gate.chat, key=key["key"]) for _ in range(8)]
                time.sleep(late)
            admitted += [reply.id for reply in (future.result() for future in replies) if reply.status == 200]
            gate.wait_server("agent1", "UP", backend="be_tollgated")
    assert len(admitted) == 32
    assert gate.metric("tollgate_questions_repeated_total") > 0
    gate.wait_idle()
    for request_id in admitted:
        gate.completion(request_id)
    modes = {gate.audit(request_id, "decision")[-1]["mode"] for request_id in admitted}
    assert (modes, gate.window("k", key["id"])) == ({"redis"}, 32)


@pytest.mark.parametrize("size", ["small", "large"])
def test_agent_killed(gate, size):
    text = {"small": "x", "large": LARGE}[size]
    gate.kill("agent")
    refused_everywhere(gate, text=text)
    wait_until(lambda: gate.get("TOLLGATE_OPS_URL", "/healthz")[0] == 503, 5, "HAProxy knows")
    refused_everywhere(gate, text=text)
    gate.local("start", "agent")
    wait_until(lambda: gate.chat(key=gate.known).status == 200, 3, "it serves again")


@pytest.mark.parametrize("size", ["small", "large"])
def test_agent_stopped(gate, size):
    """It still accepts connections, but nobody is there."""
    text = {"small": "x", "large": LARGE}[size]
    with gate.stopped("agent"):
        refused_everywhere(gate, text=text)
        gate.wait_server("agent1", "DOWN", 5, "be_tollgated")
        refused_everywhere(gate, text=text)
    wait_until(lambda: gate.chat(key=gate.known).status == 200, 3, "it serves again")
    # what it reads now was asked long ago, and nobody may be charged or let in for it
    time.sleep(0.5)
    assert gate.slots_used() == 0


def test_streams_outlive_the_agent(gate):
    """It decides, it does not carry; what it had admitted before it was killed is completed by the next one."""
    gate.fault(chunk_delay=0.15)
    connection = gate.open("POST", "/api/chat", chat(), gate.known)
    answer = connection.getresponse()
    gate.kill("agent")
    gate.local("start", "agent")
    reply = read_reply(answer)
    assert (reply.status, reply.broken) == (200, False) and b'"done":true' in reply.body
    record = gate.completion(reply.id)
    assert (record["finish"], record["status"]) == ("ok", 200) and record["key_id"] == gate.known.split("_")[1]
    assert gate.metric("tollgate_completions_recovered_total") == 1


# ---- an agent that does not decide ------------------------------------------------------------------------


@contextlib.contextmanager
def haproxy_with(gate, folder, answers):
    """The shipped HAProxy before the gate's nodes and a stub in the agent's place."""
    folder.mkdir()
    stub = StubAgent(str(folder / "spop.sock"), answers)
    ports = [free_port() for _ in range(2)]
    environment = {
        **os.environ,
        "TOLLGATE_BIND": f"127.0.0.1:{ports[0]}", "TOLLGATE_OPS_BIND": f"127.0.0.1:{ports[1]}",
        "TOLLGATE_SPOP": f"unix@{folder}/spop.sock", "TOLLGATE_LOG": "127.0.0.1:9",
        "TOLLGATE_HAPROXY_SOCKET": f"{folder}/haproxy.sock", "TOLLGATE_HAPROXY_DIR": str(ROOT / "haproxy"),
    }
    process = subprocess.Popen(
        ["haproxy", "-db", "-f", str(ROOT / "haproxy" / "haproxy.cfg"), "-f", f"{gate.folder}/nodes.cfg"],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    beside = Gateway(folder)
    beside.env = {"TOLLGATE_HAPROXY_SOCKET": f"{folder}/haproxy.sock",
                  "TOLLGATE_OPS_URL": f"http://127.0.0.1:{ports[1]}"}
    beside.host, beside.port, beside.known, beside.sims = "127.0.0.1", ports[0], gate.known, gate.sims
    try:
        wait_until(lambda: reachable(beside), 10, "HAProxy sees the stub and the nodes")
        yield types.SimpleNamespace(gate=beside, stub=stub)
    finally:
        process.terminate()
        process.wait(10)
        stub.stop()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def reachable(gateway):
    with contextlib.suppress(OSError):
        return gateway.get("TOLLGATE_OPS_URL", "/healthz")[0] == 200
    return False


KNOWN = [("who", "known")]
ADMIT = [("verdict", "admit"), ("route", "ollama"), ("key", "x"), ("tenant", "x")]

# what the stub says, and of which request
UNDECIDED = {
    "identify passes, admit never answers": ({"identify": KNOWN}, LARGE),
    "admit never answers": ({}, "x"),
    "identify never answers": ({"admit": ADMIT}, LARGE),
    "identify says nothing": ({"identify": [], "admit": ADMIT}, LARGE),
    "identify does not know": ({"identify": [("who", "nobody")], "admit": ADMIT}, LARGE),
    "no verdict": ({"identify": KNOWN, "admit": ADMIT[1:]}, "x"),
    "empty answer": ({"identify": KNOWN, "admit": []}, "x"),
    "unknown verdict": ({"admit": [("verdict", "yes"), ("route", "ollama")]}, "x"),
    "verdict in capitals": ({"admit": [("verdict", "ADMIT"), ("route", "ollama")]}, "x"),
    "verdict is a number": ({"admit": [("verdict", 1), ("route", "ollama")]}, "x"),
    "unknown route": ({"admit": [("verdict", "admit"), ("route", "elsewhere")]}, "x"),
    "no route": ({"admit": [("verdict", "admit")]}, "x"),
    "refusal with a strange status": (
        {"admit": [("verdict", "forbidden"), ("status", 200), ("error", "{}"), ("route", "ollama")]}, "x"),
}


def test_no_verdict_no_passage(gate, folders):
    with haproxy_with(gate, folders / "stub", {"identify": KNOWN, "admit": ADMIT}) as setup:
        for text in ("x", LARGE):       # this stub does let pass
            assert setup.gate.chat(key=gate.known, text=text).status == 200
        gate.reset_nodes()
        for name, (answers, text) in UNDECIDED.items():
            setup.stub.answers = answers
            setup.stub.asked.clear()
            print(name)
            refused_everywhere(setup.gate, text=text)
            assert setup.stub.asked
            if name.startswith("identify passes"):
                assert {"identify", "admit"} == set(setup.stub.asked)
            elif name.startswith("identify"):
                assert "admit" not in setup.stub.asked
    assert gate.node_events() == []


# ---- Redis --------------------------------------------------------------------------------------------------


def ask_without_redis(gate, unknown):
    """Known keys go on and nobody waits; who is not known cannot be checked."""
    slowest = 0.0
    for dialect in DIALECTS * 10:
        before = time.monotonic()
        reply = gate.chat(dialect, gate.known)
        slowest = max(slowest, time.monotonic() - before)
        assert reply.status == 200
    assert slowest < 0.2
    assert gate.metric("tollgate_fail_mode_active", mode="local_limits") == 1
    seen = len(gate.node_events())
    before = time.monotonic()
    for dialect in DIALECTS:
        reply = gate.chat(dialect, unknown)
        check_error(reply, dialect, 503)
        assert gate.decision(reply.id)["reason"] == "store"
    assert (time.monotonic() - before) / len(DIALECTS) < 0.2
    assert len(gate.node_events()) == seen
    record = gate.decision(gate.chat(key=gate.limited).id)
    assert (record["verdict"], record["mode"]) == ("admit", "local")


def limits_hold_without_redis(gate):
    """What Redis last showed to be free may still be used, and no more."""
    statuses = [gate.chat(key=gate.limited).status for _ in range(12)]
    assert statuses == sorted(statuses) and {200, 429} == set(statuses)


@pytest.fixture
def keys(gate):
    """A key the agent knows, with a limit of which a little is used, and one it has never seen."""
    unknown = gate.new_key(rpm=0)["key"]
    gate.limited = gate.new_key(rpm=10)["key"]
    # the command line touched the tenant's record: the agent reads it again while it can
    assert gate.chat(key=gate.known).status == 200
    assert [gate.chat(key=gate.limited).status for _ in range(3)] == [200] * 3
    return unknown


def recovered(gate, unknown):
    wait_until(lambda: gate.get("TOLLGATE_METRICS_URL", "/readyz")[0] == 200, 5, "it is ready")
    wait_until(lambda: gate.chat(key=unknown).status == 200, 5, "the unknown key works")
    wait_until(
        lambda: gate.chat(key=gate.known).status == 200
        and gate.chat(key=unknown) and gate.decision(gate.chat(key=gate.new_key(rpm=9)["key"]).id).get("mode") == "redis",
        5, "limits are counted in Redis")
    wait_until(lambda: gate.metric("tollgate_fail_mode_active", mode="local_limits") == 0, 3, "no fail mode")


def test_redis_stopped(gate, keys):
    with gate.stopped("redis"):
        began = time.monotonic()
        ask_without_redis(gate, keys)
        wait_until(lambda: gate.get("TOLLGATE_METRICS_URL", "/readyz")[0] == 503, 3, "not ready")
        assert '"redis":"failed"' in gate.get("TOLLGATE_METRICS_URL", "/readyz")[1]
        limits_hold_without_redis(gate)
        time.sleep(max(0.0, began + 3 - time.monotonic()))
        ask = time.monotonic()
        assert gate.chat(key=gate.known).status == 200 and time.monotonic() - ask < 0.2
    recovered(gate, keys)


def test_redis_killed(gate, keys):
    gate.kill("redis")
    ask_without_redis(gate, keys)
    limits_hold_without_redis(gate)
    gate.local("start", "redis")
    recovered(gate, keys)


# ---- nodes --------------------------------------------------------------------------------------------------


def test_node_killed_under_load(gate):
    """Only streams that had begun on it may break; it takes its share again by itself."""
    load = Load(gate, 8, chunk_delay=0.02)
    wait_until(lambda: gate.sims[1].state()["slots_used"] >= 2, 5, "node2 works")
    gate.kill("node2")
    killed = time.time()
    wait_until(lambda: sum(reply.began > killed for reply in load.replies) >= 40, 15, "others take over")
    gate.wait_server("node2", "DOWN", 3)
    gate.local("start", "node2")
    began = time.monotonic()
    wait_until(lambda: gate.sims[1].state()["routes"].get("POST /api/chat"), 8, "node2 gets requests")
    print(f"node2 got a request {time.monotonic() - began:.1f} s after it was back")
    replies = load.stop()
    assert {reply.status for reply in replies} == {200}
    broken = [reply for reply in replies if not reply.whole]
    assert len(broken) <= 4
    for reply in broken:
        assert reply.began < killed + 0.5 and reply.body
        record = gate.completion(reply.id)
        assert (record["finish"], record["node"]) == ("server_abort", "node2")


def test_node_that_hangs_up_before_it_answers(gate):
    """Another one answers instead."""
    gate.sims[0].fault(reset="before_headers")
    replies = [gate.chat(stream=False) for _ in range(12)]
    assert {reply.status for reply in replies} == {200}
    retried = [reply for reply in replies if gate.completion(reply.id)["retries"]]
    assert retried and all(gate.completion(reply.id)["node"] != "node1" for reply in replies)


def test_node_that_is_busy_at_once_does_not_answer_for_the_fleet(gate):
    gate.sims[0].fault(status_503=True)
    gate.sims[1].fault(first_byte_delay=0.05)
    gate.sims[2].fault(first_byte_delay=0.05)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda _: gate.chat(stream=False), range(60)))
    assert {reply.status for reply in replies} == {200}


def test_node_that_breaks_off(gate):
    """A stream that had begun ends where the node ended it, visibly, and is not begun again elsewhere."""
    gate.fault(reset="mid_stream", after=3)
    reply = gate.chat()
    assert (reply.status, reply.broken, len(reply.lines)) == (200, True, 3)
    assert gate.completion(reply.id)["finish"] == "server_abort"
    assert len(gate.node_events(reply.id)) == 1


def test_all_nodes_down(gate):
    gate.fault(refuse=True)
    for node in ("node1", "node2", "node3"):
        gate.wait_server(node, "DOWN")
    refused_everywhere(gate)
    assert gate.get("TOLLGATE_OPS_URL", "/healthz")[0] == 503
    gate.clear()
    wait_until(lambda: gate.chat().status == 200, 5, "nodes are back")


# ---- HAProxy ------------------------------------------------------------------------------------------------


def test_reload_breaks_no_stream(gate):
    gate.fault(chunk_delay=0.12)
    opened = []
    for dialect in DIALECTS * 2:
        path, body = chat_request(dialect, stream=True)
        connection = gate.open("POST", path, body, gate.known)
        opened.append((connection, connection.getresponse()))
    workers = gate.haproxy("show info")
    gate.local("reload")
    wait_until(lambda: gate.haproxy("show info").split("Pid: ")[1].split()[0]
               != workers.split("Pid: ")[1].split()[0], 5, "a new worker")
    wait_until(lambda: gate.chat(stream=False).status == 200, 5, "the new worker serves")
    for connection, answer in opened:
        reply = read_reply(answer)
        connection.close()
        assert (reply.status, reply.broken) == (200, False)
        assert gate.completion(reply.id)["finish"] == "ok"
    gate.wait_idle()


def test_agent_ends_in_order(gate):
    """SIGTERM: nothing that was asked before goes unanswered for longer than it takes to start again."""
    gate.signal("agent", signal.SIGTERM)
    wait_until(lambda: gate.audit()[-1]["type"] == "stop", 5, "its last record")
    gate.local("start", "agent")
    assert gate.chat(key=gate.known).status == 200
