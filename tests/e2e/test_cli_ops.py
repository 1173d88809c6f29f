"""The day-two commands: node, status, top, doctor, completion and man, on a whole gateway."""

import contextlib
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import termios
import threading
import time

import pytest
from harness import chat_request, wait_until

FAILED, USAGE, NOT_FOUND, CONFLICT = 1, 2, 3, 4
DEGRADED, DOWN = 1, 2
NODES = ["node1", "node2", "node3"]
SINGLES = ["status", "top", "doctor", "completion", "man"]
NODE_VERBS = ["list", "show", "drain", "ready", "maint", "weight"]


@pytest.fixture(scope="module")
def ops(make_gateway):
    """A gateway of this module's own: its nodes come and go."""
    return make_gateway()


@pytest.fixture
def g(ops):
    """All nodes in service before and after."""
    ops.clear()
    restore(ops)
    yield ops
    ops.clear()
    restore(ops)


def restore(gateway):
    for node in NODES:
        gateway.haproxy(f"set server be_ollama/{node} state ready")
        gateway.haproxy(f"set server be_ollama/{node} weight 100%")
    for node in NODES:
        wait_until(lambda n=node: row(gateway, n)["status"] == "UP", 10, f"{node} is up")


def row(gateway, name):
    return next(node for node in nodes(gateway) if node["name"] == name)


def nodes(gateway):
    return json.loads(gateway.cli("node", "list", "--json").stdout)


def start(gateway, *words, **more):
    return subprocess.Popen(
        [os.path.join(gateway.env["TOLLGATE_BIN"], "tollgate"), *words],
        env={**os.environ, **gateway.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


def run(gateway, *words, expect=0, **env):
    done = subprocess.run(
        [os.path.join(gateway.env["TOLLGATE_BIN"], "tollgate"), *words],
        env={**os.environ, **gateway.env, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == expect, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    no_secret(gateway, done.stdout + done.stderr)
    return done


def no_secret(gateway, text):
    password = gateway.env["TOLLGATE_REDIS_URL"].split(":")[2].split("@")[0]
    pepper = pathlib.Path(gateway.env["TOLLGATE_PEPPER_FILE"]).read_text().split()[1]
    for secret in (password, pepper, gateway.env["TOLLGATE_KEY"], gateway.key):
        assert secret not in text


@contextlib.contextmanager
def streams(gateway, count, seconds):
    """So many chats run at once, each for some seconds; all must end whole."""
    gateway.fault(chunk_delay=seconds / 16)  # an answer has 16 tokens
    path, body = chat_request("native", stream=True)
    replies, threads = [], []
    for _ in range(count):
        thread = threading.Thread(target=lambda: replies.append(gateway.post(path, body)))
        thread.start()
        threads.append(thread)
    try:
        wait_until(lambda: sum(node["sessions"] for node in nodes(gateway)) >= count, 5, "all streams run")
        yield
    finally:
        for thread in threads:
            thread.join()
        gateway.clear()
    assert [reply.status for reply in replies] == [200] * count


# ---- node ---------------------------------------------------------------------------------------------


def test_node_mistakes(g):
    for words in (
        ["node"], ["node", "bogus"], ["node", "drain"], ["node", "weight", "node1"], ["node", "list", "x"],
        ["node", "weight", "node1", "-1"], ["node", "weight", "node1", "1.5"], ["node", "weight", "node1", "25601"],
        ["node", "weight", "node1", "10", "20"], ["node", "drain", "node1", "--timeout", "soon"],
        ["node", "list", "--redis", "redis://x"],
    ):
        assert run(g, *words, expect=USAGE).stderr.startswith("tollgate: ")


def test_unknown_node(g):
    for words in (["show"], ["drain"], ["ready"], ["maint"], ["weight"]):
        more = ["50"] if words == ["weight"] else []
        done = run(g, "node", *words, "tg_secret", *more, expect=NOT_FOUND)
        assert "node1, node2, node3" in done.stderr
        assert "tg_secret" not in done.stderr


def test_socket_problems(g, tmp_path):
    missing = run(g, "node", "list", "--haproxy-socket", str(tmp_path / "none"), expect=FAILED)
    assert "No such file" in missing.stderr and "TOLLGATE_HAPROXY_SOCKET" in missing.stderr
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / "dead"))
    assert "not running" in run(g, "node", "list", "--haproxy-socket", str(tmp_path / "dead"), expect=FAILED).stderr
    long = run(g, "node", "list", TOLLGATE_HAPROXY_SOCKET="/" + "x" * 200, expect=FAILED)
    assert "too long" in long.stderr


@pytest.mark.parametrize("answer", [
    pytest.param(b"", id="nothing"),
    pytest.param(b"Permission denied\n", id="refusal"),
    pytest.param(b"# pxname\n\"open\n", id="open quote"),
    pytest.param(b"\0" * 100, id="zeros"),
    pytest.param(b"# " + b"," * 1000, id="many columns"),
    pytest.param(b"x" * (17 << 20), id="17 MiB"),
])
def test_socket_that_talks_nonsense(g, tmp_path, answer):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()

    def serve():
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            connection.recv(100)
            connection.sendall(answer)
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    done = run(g, "node", "list", "--haproxy-socket", str(tmp_path / "s"), expect=FAILED)
    thread.join()
    listener.close()
    assert "tollgate: HAProxy" in done.stderr


def test_list_and_show(g):
    table = run(g, "node", "list").stdout.splitlines()
    assert table[0].split() == "NAME STATE CHECK SESSIONS MAXCONN QUEUE WEIGHT % SINCE ADDRESS".split()
    assert [line.split()[:4] for line in table[1:]] == [[node, "UP", "L7OK", "0"] for node in NODES]
    for number, node in enumerate(nodes(g), 1):
        assert node["name"] == f"node{number}"
        assert node["state"] == "up" and node["weight_percent"] == 100 and node["maxconn"] == 4
        assert node["address"].startswith("127.0.0.1:")
    assert json.loads(run(g, "node", "show", "node2", "--json").stdout)["name"] == "node2"
    assert "Layer7 check passed" in run(g, "node", "show", "node2").stdout


def test_drain_waits_for_streams(g):
    with streams(g, 6, 3):
        busy = next(node["name"] for node in nodes(g) if node["sessions"] > 0)
        began = time.monotonic()
        done = run(g, "node", "drain", busy, "--json")
        assert time.monotonic() - began > 0.5
        assert f"{busy}: " in done.stderr and "running" in done.stderr
        after = json.loads(done.stdout)
        assert after["state"] == "drain" and after["sessions"] == 0 and after["drained"]
    for _ in range(6):
        assert g.chat().status == 200
    assert row(g, busy)["sessions"] == 0
    assert json.loads(run(g, "node", "ready", busy, "--json").stdout)["state"] == "up"


def test_drain_gives_up_and_says_what_it_left(g):
    with streams(g, 6, 4):
        busy = next(node["name"] for node in nodes(g) if node["sessions"] > 0)
        done = run(g, "node", "drain", busy, "--timeout", "1s", expect=FAILED)
        assert "stays draining" in done.stderr and done.stdout == ""
        assert row(g, busy)["state"] == "drain"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_drain_interrupted(g, number):
    with streams(g, 6, 4):
        busy = next(node["name"] for node in nodes(g) if node["sessions"] > 0)
        process = start(g, "node", "drain", busy)
        wait_until(lambda: row(g, busy)["state"] == "drain", 5, "it drains")
        time.sleep(0.3)
        process.send_signal(number)
        _, errors = process.communicate(timeout=5)
        assert process.returncode == FAILED
        assert "interrupted" in errors and "stays draining" in errors
        assert row(g, busy)["state"] == "drain"


def test_drain_that_somebody_undoes(g):
    with streams(g, 6, 4):
        busy = next(node["name"] for node in nodes(g) if node["sessions"] > 0)
        process = start(g, "node", "drain", busy)
        wait_until(lambda: row(g, busy)["state"] == "drain", 5, "it drains")
        run(g, "node", "ready", busy, "--no-wait")
        _, errors = process.communicate(timeout=5)
        assert process.returncode == CONFLICT and "no longer draining" in errors


def test_drain_over_a_reload(g):
    """The new HAProxy knows nothing of it, and the one who waits is told."""
    with streams(g, 6, 4):
        busy = next(node["name"] for node in nodes(g) if node["sessions"] > 0)
        process = start(g, "node", "drain", busy)
        wait_until(lambda: row(g, busy)["state"] == "drain", 5, "it drains")
        g.local("reload")
        _, errors = process.communicate(timeout=10)
        assert process.returncode == CONFLICT and "HAProxy was reloaded" in errors


def test_drain_without_waiting(g):
    with streams(g, 6, 2):
        began = time.monotonic()
        run(g, "node", "drain", "node1", "--no-wait")
        assert time.monotonic() - began < 1


def test_the_last_node_stays(g):
    run(g, "node", "maint", "node1")
    run(g, "node", "drain", "node2")
    for words in (["drain", "node3"], ["maint", "node3"], ["weight", "node3", "0"]):
        done = run(g, "node", *words, expect=CONFLICT)
        assert "last node" in done.stderr and "--force" in done.stderr
        assert row(g, "node3")["state"] == "up" and row(g, "node3")["weight"] == 100
    assert g.chat().status == 200
    # what takes no requests anyway may go
    run(g, "node", "maint", "node2")
    run(g, "node", "maint", "node3", "--force")
    assert [node["state"] for node in nodes(g)] == ["maint"] * 3


def test_ready_waits_until_it_is_up(g):
    run(g, "node", "maint", "node1")
    g.signal("node1", signal.SIGSTOP)
    try:
        done = run(g, "node", "ready", "node1", "--timeout", "4s", expect=FAILED)
        assert "not within the time given" in done.stderr and "as soon as its checks pass" in done.stderr
        process = start(g, "node", "ready", "node1", "--timeout", "20s", "--json")
        time.sleep(0.5)
        assert process.poll() is None
    finally:
        g.signal("node1", signal.SIGCONT)
    out, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert json.loads(out)["state"] == "up"


def test_weight(g):
    assert json.loads(run(g, "node", "weight", "node1", "200%", "--json").stdout)["weight_percent"] == 200
    run(g, "node", "weight", "node1", "0")
    assert row(g, "node1")["weight_percent"] == 0
    before = row(g, "node1")["requests_total"]
    for _ in range(6):
        assert g.chat().status == 200
    assert row(g, "node1")["requests_total"] == before
    run(g, "node", "weight", "node1", "100")
    run(g, "node", "weight", "node1", "50")
    assert row(g, "node1")["weight_percent"] == 50
    run(g, "node", "weight", "node1", "100")


# ---- status -------------------------------------------------------------------------------------------


def status(gateway, expect=0, **env):
    return json.loads(run(gateway, "status", "--json", expect=expect, **env).stdout)


def test_status_healthy(g):
    text = run(g, "status").stdout
    assert "healthy" in text and "3 of 3 take requests" in text and "1 of 1 up" in text
    said = status(g)
    assert said["health"] == "healthy" and said["problems"] == []
    assert said["agents"][0]["redis_up"] and not said["agents"][0]["audit_broken"]
    assert len(said["nodes"]) == 3 and said["redis"]["state"] == "up"
    assert said["haproxy"]["version"][0] in "23"


def test_status_counts_requests(g):
    process = start(g, "status", "--json", "--interval", "3s")
    time.sleep(1)
    for _ in range(3):
        assert g.chat().status == 200
    assert g.request("POST", "/api/chat", {}, key="nonsense").status == 401
    out, _ = process.communicate(timeout=20)
    requests = json.loads(out)["requests"]
    assert requests["admit"] == 3 and requests["unauthorized"] == 1 and requests["seconds"] == 3


def test_status_mistakes(g):
    for words in (
        ["x"], ["--interval", "0"], ["--interval", "61s"], ["--metrics-url", "ftp://x"],
        ["--metrics-url", "http://user:hunter2@127.0.0.1:1"], ["--metrics-url", ",".join(["http://a"] * 17)],
    ):
        done = run(g, "status", *words, expect=USAGE)
        assert done.stderr.startswith("tollgate: ") and "hunter2" not in done.stderr


def test_status_without_redis_rights(g):
    said = status(g, DEGRADED, TOLLGATE_REDIS_URL="redis://tollgate-cli:wrong@127.0.0.1:" + redis_port(g))
    assert "refuses the user name or the password" in said["problems"][0]
    assert status(g, TOLLGATE_REDIS_URL="")["redis"]["state"] == "not asked"


def redis_port(gateway):
    return gateway.env["TOLLGATE_REDIS_URL"].rsplit(":", 1)[1].split("/")[0]


def test_status_node_down_and_maintenance(g):
    run(g, "node", "maint", "node2")
    assert status(g)["health"] == "healthy", "an operator took it out on purpose"
    with g.stopped("node1"):
        wait_until(lambda: row(g, "node1")["state"] == "down", 10, "node1 is down")
        said = status(g, DEGRADED)
        assert said["problems"][0].startswith("node node1 is down: its check says L")
    wait_until(lambda: row(g, "node1")["state"] == "up", 10, "node1 is back")
    for node in NODES:
        run(g, "node", "maint", node, "--force")
    assert "no node takes requests" in status(g, DOWN)["problems"][0]


def test_status_agent_unreachable(g):
    said = status(g, DEGRADED, TOLLGATE_METRICS_URL=g.env["TOLLGATE_METRICS_URL"] + ",http://127.0.0.1:1/")
    assert len(said["agents"]) == 2 and not said["agents"][1]["reached"]
    assert "http://127.0.0.1:1 does not tell its metrics" in said["problems"][0]
    # something else answers there
    said = status(g, DEGRADED, TOLLGATE_METRICS_URL=g.env["TOLLGATE_OPS_URL"])
    assert "no tollgated" in said["problems"][0]


def test_status_redis_stopped(g):
    with g.stopped("redis"):
        g.chat()
        wait_until(lambda: g.metric("tollgate_redis_up") == 0, 15, "the agent has lost Redis")
        said = status(g, DEGRADED, TOLLGATE_REDIS_URL="")
        assert any("has no Redis" in problem for problem in said["problems"])
    wait_until(lambda: g.metric("tollgate_redis_up") == 1, 20, "the agent has found Redis")
    wait_until(lambda: g.chat().status == 200, 10, "all is well again")
    wait_until(lambda: status_code(g) == 0, 15, "healthy again")


def status_code(gateway):
    return gateway.cli("status", check=False).returncode


def test_status_without_an_agent(g):
    with g.stopped("agent"):
        wait_until(lambda: g.server_state("agent1", "be_tollgated") == "DOWN", 10, "HAProxy has seen it")
        said = status(g, DOWN)
        assert any("no agent is up" in problem for problem in said["problems"])
    wait_until(lambda: g.server_state("agent1", "be_tollgated") == "UP", 10, "the agent is back")


def test_status_without_haproxy(g):
    said = status(g, DOWN, TOLLGATE_HAPROXY_SOCKET="/nonexistent")
    assert said["haproxy"] == {"up": False} and said["health"] == "down"


# ---- top ----------------------------------------------------------------------------------------------


def test_top_once(g):
    process = start(g, "top", "--once", "--interval", "2s")
    time.sleep(0.5)
    for _ in range(4):
        assert g.chat().status == 200
    out, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert "\033" not in out
    assert "requests/s   admit 0.0" not in out and "p50 -" not in out
    assert [line.split()[0] for line in out.splitlines()[-3:]] == NODES


def test_top_json(g):
    process = start(g, "top", "--json", "--interval", "2s")
    time.sleep(0.5)
    for _ in range(4):
        assert g.chat().status == 200
    out, _ = process.communicate(timeout=20)
    said = json.loads(out)
    assert 1 < said["requests_per_second"]["admit"] <= 2.1
    assert 0 < said["first_token_p50_seconds"] <= said["first_token_p95_seconds"] < 1
    assert 1 < sum(node["requests_per_second"] for node in said["nodes"]) <= 2.1
    assert said["inflight"] == 0 and said["queue"] == 0


def test_top_mistakes(g):
    for words in (["x"], ["--interval", "0"], ["--interval", "2h"], ["--redis", "x"]):
        run(g, "top", *words, expect=USAGE)
    done = run(g, "top", "--once", "--interval", "1s", TOLLGATE_HAPROXY_SOCKET="/none",
               TOLLGATE_METRICS_URL="http://127.0.0.1:1", expect=FAILED)
    assert "/none" in done.stderr


@pytest.mark.parametrize("leave", [b"q", b"\x03", signal.SIGTERM])
def test_top_live(g, leave):
    """On a terminal: redrawn, left by q, Ctrl-C or a signal, and the terminal is as before."""
    leader, follower = pty.openpty()
    before = termios.tcgetattr(follower)
    process = subprocess.Popen(
        [os.path.join(g.env["TOLLGATE_BIN"], "tollgate"), "top", "--interval", "1s"],
        env={**os.environ, **g.env}, stdin=follower, stdout=follower, stderr=subprocess.PIPE,
    )
    seen = read_until(leader, lambda text: text.count(b"tollgate top") >= 2)
    assert seen.startswith(b"\033[?1049h\033[?25l") and b"node3" in seen
    assert termios.tcgetattr(follower) != before
    if isinstance(leave, bytes):
        os.write(leader, leave)
    else:
        process.send_signal(leave)
    seen = read_until(leader, lambda text: b"\033[?1049l" in text)
    assert seen.endswith(b"\033[?25h\033[?1049l")
    assert process.wait(5) == 0
    assert termios.tcgetattr(follower) == before
    os.close(leader)
    os.close(follower)


def read_until(fd, condition, seconds=10):
    text, deadline = b"", time.monotonic() + seconds
    while not condition(text):
        left = deadline - time.monotonic()
        assert left > 0 and select.select([fd], [], [], left)[0], text
        text += os.read(fd, 65536)
    return text


# ---- doctor -------------------------------------------------------------------------------------------


def doctor(gateway, *words, expect=0, config=True, **env):
    if config:
        words = ("--config", f"{gateway.folder}/tollgated.conf", *words)
    return json.loads(run(gateway, "doctor", "--json", *words, expect=expect, **env).stdout)


def findings(said, result):
    return [finding for finding in said["checks"] if finding["result"] == result]


def test_doctor_finds_nothing(g):
    said = doctor(g)
    assert said["result"] == "ok" and not findings(said, "warn") and not findings(said, "fail")
    assert {finding["check"] for finding in findings(said, "ok")} == {
        "config", "socket", "pepper", "haproxy", "routes", "agent", "clock", "redis", "nodes", "models"
    }
    lines = run(g, "doctor").stdout.splitlines()
    assert all(line.split()[0] in ("ok", "skip", ">") for line in lines)


def test_doctor_config(g, tmp_path):
    wrong = tmp_path / "wrong.conf"
    wrong.write_text("[spop]\nlisten = 10.0.0.1:1\nnonsense = 1\n")
    said = doctor(g, "--config", str(wrong), expect=2, config=False)
    texts = [finding["text"] for finding in findings(said, "fail")]
    assert any(f"{wrong}:2" in text for text in texts) and any(f"{wrong}:3" in text for text in texts)


def test_doctor_modes(g, tmp_path):
    pepper = tmp_path / "pepper"
    pepper.write_text("1 " + "ab" * 31 + "cd\n")
    pepper.chmod(0o644)
    said = doctor(g, "--pepper", str(pepper), expect=2)
    (finding,) = findings(said, "fail")
    assert finding["check"] == "pepper" and "chmod 600" in finding["advice"]
    path = g.env["TOLLGATE_HAPROXY_SOCKET"]
    mode = os.stat(path).st_mode & 0o777
    os.chmod(path, 0o666)
    try:
        (finding,) = findings(doctor(g, expect=2), "fail")
        assert finding["check"] == "socket" and "666" in finding["text"]
    finally:
        os.chmod(path, mode)


def test_doctor_routes(g, tmp_path):
    routes = pathlib.Path(__file__).resolve().parents[2] / "haproxy" / "maps" / "routes.map"
    assert doctor(g, "--routes-map", str(routes))["result"] == "ok"
    for text in (routes.read_text() + "/api/secret GET none\n", routes.read_text().replace("/api/chat POST body\n", "")):
        changed = tmp_path / "routes.map"
        changed.write_text(text)
        (finding,) = findings(doctor(g, "--routes-map", str(changed), expect=2), "fail")
        assert finding["check"] == "routes" and "--print-routes" in finding["advice"]
        assert "/api/secret" in finding["text"] or "/api/chat" in finding["text"]
    # what HAProxy has loaded counts without a file
    entry = g.haproxy(f"add map {routes} /api/extra GET")
    assert entry.strip() == ""
    try:
        (finding,) = findings(doctor(g, expect=2), "fail")
        assert "/api/extra" in finding["text"]
    finally:
        g.haproxy(f"del map {routes} /api/extra")


def test_doctor_redis_rights(g):
    url = g.env["TOLLGATE_REDIS_URL"]
    wrong = doctor(g, expect=2, TOLLGATE_REDIS_URL=url.replace("tollgate-cli", "nobody"))
    assert findings(wrong, "fail")[0]["check"] == "redis"
    before = g.redis("DBSIZE")
    g.redis("ACL", "SETUSER", "tollgate-cli", "-hset")
    try:
        (finding,) = findings(doctor(g, expect=2), "fail")
        assert finding["text"].startswith("HSET: ") and "+hset" in finding["advice"]
    finally:
        g.redis("ACL", "SETUSER", "tollgate-cli", "+hset")
    assert doctor(g)["result"] == "ok"
    assert g.redis("DBSIZE") == before and g.redis("EXISTS", "tg:key:doctor") == 0
    g.redis("ACL", "SETUSER", "tollgate-cli", "+time")
    try:
        assert any("this host's" in finding["text"] for finding in findings(doctor(g), "ok"))
    finally:
        g.redis("ACL", "SETUSER", "tollgate-cli", "-time")


def test_doctor_nodes(g):
    with g.stopped("node1"):
        wait_until(lambda: row(g, "node1")["state"] == "down", 10, "node1 is down")
        said = doctor(g, expect=1)
        assert any(f["check"] == "nodes" and f["text"].startswith("node1 (DOWN") for f in findings(said, "warn"))
    wait_until(lambda: row(g, "node1")["state"] == "up", 10, "node1 is back")
    run(g, "node", "maint", "node2")
    assert any("node2 is switched off" in finding["text"] for finding in findings(doctor(g), "skip"))


def test_doctor_skew(g, tmp_path):
    """Another version and other digests on one node are named."""
    sim = pathlib.Path(__file__).resolve().parents[1] / "ollama-sim" / "ollama-sim"
    ready = tmp_path / "ready"
    process = subprocess.Popen(
        [sim, "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--version", "0.1.0\033[2J",
         "--models", "llama3.2:latest@other,only-here:latest", "--ready-file", ready]
    )
    try:
        wait_until(lambda: ready.exists() and ready.read_text(), 10, "the simulator serves")
        port = json.loads(ready.read_text())["listen"].rsplit(":", 1)[1]
        old = row(g, "node3")["address"].rsplit(":", 1)
        g.haproxy(f"set server be_ollama/node3 addr 127.0.0.1 port {port}")
        try:
            said = doctor(g, expect=1)
        finally:
            g.haproxy(f"set server be_ollama/node3 addr {old[0]} port {old[1]}")
    finally:
        process.terminate()
        process.wait()
    texts = [finding["text"] for finding in findings(said, "warn")]
    assert any(text.startswith("versions of Ollama differ: 0.33.0 (node1, node2), 0.1.0?[2J (node3)") for text in texts)
    assert any(text.startswith("llama3.2:latest is not the same everywhere") for text in texts)
    assert any(text.startswith("only-here:latest is on 1 of 3 nodes only") for text in texts)


def test_doctor_without_anything(g):
    said = doctor(g, expect=2, config=False, TOLLGATE_HAPROXY_SOCKET="/none", TOLLGATE_REDIS_URL="",
                  TOLLGATE_METRICS_URL="http://127.0.0.1:1", TOLLGATE_PEPPER_FILE="")
    assert {finding["check"] for finding in findings(said, "fail")} == {"socket", "haproxy", "agent"}
    assert {finding["check"] for finding in findings(said, "skip")} == {"config", "pepper", "redis", "nodes"}


# ---- help, completion, manual -------------------------------------------------------------------------


def test_help_of_every_command(g):
    overview = run(g, "help").stdout
    for words in [["node", verb] for verb in NODE_VERBS] + [[single] for single in SINGLES]:
        assert " ".join(words) in overview
        text = run(g, *words, "--help").stdout
        assert text.startswith(f"Usage: tollgate {' '.join(words)}") and "Exit status: " in text
        assert run(g, "help", *words).stdout == text


def complete(gateway, tmp_path, *words):
    """What bash offers for the last word."""
    script = tmp_path / "completion"
    script.write_text(run(gateway, "completion", "bash").stdout)
    line = " ".join(f"'{word}'" for word in words)
    program = f'''
        set -u
        source {script}
        COMP_WORDS=(tollgate {line}) COMP_CWORD={len(words)}
        _tollgate
        ((${{#COMPREPLY[@]}} == 0)) || printf '%s\\n' "${{COMPREPLY[@]}}"
    '''
    done = subprocess.run(
        ["bash", "-c", program], capture_output=True, text=True, check=False, timeout=20, cwd=tmp_path,
        env={**os.environ, **gateway.env, "PATH": gateway.env["TOLLGATE_BIN"] + ":" + os.environ["PATH"]},
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout.split()


def test_bash_completion(g, tmp_path):
    (tmp_path / "some.conf").write_text("")
    for words, offered in (
        (["no"], ["node"]),
        (["st"], ["status"]),
        (["node", ""], NODE_VERBS),
        (["node", "d"], ["drain"]),
        (["node", "drain", ""], NODES),
        (["node", "drain", "--f"], ["--force"]),
        (["node", "drain", "--timeout", ""], []),
        (["node", "list", "--r"], []),
        (["key", "create", "--role", "op"], ["operator"]),
        (["key", "create", "--rp"], ["--rpm"]),
        (["tenant", "show", ""], ["demo", "e2e"]),
        (["doctor", "--config", "so"], ["some.conf"]),
        (["completion", ""], ["bash", "zsh"]),
        (["help", "node", "re"], ["ready"]),
        (["man", ""], []),
        (["man", "--page", "tollgated"], ["tollgated"]),
        (["bogus", ""], []),
    ):
        assert complete(g, tmp_path, *words) == offered, words
    assert "help" in complete(g, tmp_path, "")


def test_scripts_are_clean(g, tmp_path):
    (tmp_path / "bash").write_text(run(g, "completion", "bash").stdout)
    (tmp_path / "zsh").write_text(run(g, "completion", "zsh").stdout)
    subprocess.run(["bash", "-n", tmp_path / "bash"], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", "-s", "bash", tmp_path / "bash"], check=True)
    if shutil.which("zsh"):
        subprocess.run(["zsh", "-n", tmp_path / "zsh"], check=True)
        subprocess.run(
            ["zsh", "-f", "-c", f"autoload -U compinit; compinit -D -u; source {tmp_path}/zsh; (( $+functions[_tollgate] ))"
             " && [[ $_comps[tollgate] == _tollgate ]]"],
            check=True, env={**os.environ, "HOME": str(tmp_path)},
        )
    assert run(g, "completion", "fish", expect=USAGE).stderr == "tollgate: SHELL must be bash or zsh\n"
    run(g, "completion", expect=USAGE)


@pytest.mark.parametrize("name", ["tollgate", "tollgated"])
def test_manual_pages(g, tmp_path, name):
    page = tmp_path / name
    page.write_text(run(g, "man", "--page", name).stdout)
    for checker in (["groff", "-man", "-ww", "-Tutf8", "-z"], ["mandoc", "-Tlint", "-Wwarning"]):
        if not shutil.which(checker[0]):
            continue
        done = subprocess.run([*checker, page], capture_output=True, text=True, check=False)
        said = [line for line in (done.stdout + done.stderr).splitlines() if "missing date" not in line]
        assert said == []
    if not shutil.which("groff"):
        return
    text = subprocess.run(
        ["groff", "-man", "-Tascii", "-P-cbou", page], capture_output=True, text=True, check=True
    ).stdout
    if name == "tollgate":
        for words in [f"node {verb}" for verb in NODE_VERBS] + SINGLES:
            assert f"tollgate {words}" in text
        assert "--haproxy-socket PATH" in text and "--expires 90d" in text
    else:
        agent = os.path.join(g.env["TOLLGATE_BIN"], "tollgated")
        said = subprocess.run([agent, "--help"], capture_output=True, text=True, check=True).stdout
        options = set(re.findall(r"--[a-z-]+", said))
        assert options and options <= set(re.findall(r"--[a-z-]+", text))
        assert "[spop]" in text and "pepper_file" in text and "on_failure" in text


def test_manual_page_mistakes(g):
    assert run(g, "man").stdout == run(g, "man", "--page", "tollgate").stdout
    run(g, "man", "--page", "other", expect=USAGE)
    run(g, "man", "x", expect=USAGE)
