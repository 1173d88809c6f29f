"""compose/local, as a newcomer uses it."""

import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess

import pytest
from harness import LOCAL, Gateway, alive, signal, wait_until

PARTS = ["redis", "node1", "node2", "node3", "agent", "haproxy"]


@pytest.fixture(scope="module")
def demo(folders):
    """The first `up` a newcomer sees."""
    gateway = Gateway(folders / "demo", TOLLGATE_DEMO="yes")
    try:
        gateway.first = gateway.local("up").stdout
        gateway.read_env()
        yield gateway
    finally:
        gateway.down()


def test_demo_shows_it_all(demo):
    """Which nodes, the answer, what was written down of it, and how to call the gate."""
    assert "Nodes: three simulated ones" in demo.first
    assert "The gate opens slowly" in demo.first
    lines = demo.first.splitlines()
    records = [json.loads(line) for line in lines if line.startswith("{")]
    assert [record["type"] for record in records] == ["decision", "completion"]
    assert len({record["request_id"] for record in records}) == 1
    assert records[0]["tenant"] == "demo" and records[1]["finish"] == "ok"
    assert f"curl {demo.env['TOLLGATE_URL']}/api/chat" in demo.first
    assert f"OLLAMA_HOST={demo.env['TOLLGATE_URL']}/k/{demo.demo_key} ollama run" in demo.first
    assert f'OpenAI(base_url="{demo.env["TOLLGATE_URL"]}/v1"' in demo.first
    assert f'Anthropic(base_url="{demo.env["TOLLGATE_URL"]}"' in demo.first


def test_the_curl_it_shows_works(demo):
    command = re.search(r"curl        (curl .*?\n.*?)\n", demo.first)[1]
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30, check=True)
    assert '"done":true' in done.stdout


def test_second_up_does_nothing(demo):
    pids = [demo.pid(part) for part in PARTS]
    done = demo.local("up")
    assert "Already running" in done.stdout and demo.env["TOLLGATE_URL"] in done.stdout
    assert [demo.pid(part) for part in PARTS] == pids


def test_env_is_for_a_shell(demo):
    names = ["TOLLGATE_URL", "TOLLGATE_OPS_URL", "TOLLGATE_METRICS_URL", "TOLLGATE_HAPROXY_SOCKET",
             "TOLLGATE_REDIS_URL", "TOLLGATE_AUDIT_DIR", "TOLLGATE_SPOP", "TOLLGATE_RUN_DIR", "TOLLGATE_KEY",
             "TOLLGATE_BIN", "TOLLGATE_PEPPER_FILE"]
    script = f'eval "$({LOCAL} env)"; set -u; ' + "; ".join(f'printf "%s\\n" "${name}"' for name in names)
    plain = {name: value for name, value in demo.environment.items() if name not in names or name in (
        "TOLLGATE_RUN_DIR", "TOLLGATE_BIN")}
    done = subprocess.run(["bash", "-c", script], env=plain, capture_output=True, text=True, timeout=30, check=True)
    values = dict(zip(names, done.stdout.splitlines()))
    assert values["TOLLGATE_URL"].startswith("http://127.0.0.1:")
    for name in ("TOLLGATE_HAPROXY_SOCKET", "TOLLGATE_SPOP", "TOLLGATE_AUDIT_DIR", "TOLLGATE_PEPPER_FILE"):
        assert os.path.exists(values[name]), name
    assert os.access(os.path.join(values["TOLLGATE_BIN"], "tollgate"), os.X_OK)
    assert json.loads(demo.cli("key", "list", "--json").stdout)


def test_status_and_logs(demo):
    done = demo.local("status")
    assert all(re.search(rf"(?m)^{part} +running", done.stdout) for part in PARTS)
    assert demo.env["TOLLGATE_URL"] in done.stdout
    demo.local("stop", "node3")
    broken = demo.local("status", check=False)
    assert broken.returncode == 1 and re.search(r"(?m)^node3 +DOWN", broken.stdout)
    demo.local("start", "node3")
    assert demo.local("status").returncode == 0
    assert "redis" in demo.local("logs").stdout.lower()
    assert demo.local("logs", "nothing", check=False).returncode == 1


def test_wrong_use(demo):
    for words, code in ((["nonsense"], 2), (["stop"], 1), (["stop", "nonsense"], 1), (["start", "node9"], 1)):
        done = demo.local(*words, check=False)
        assert done.returncode == code and done.stderr, words
    assert "Usage" in demo.local("help").stdout


def test_secrets_are_for_their_owner(demo):
    for name in ("secrets/pepper", "secrets/redis-cli", "secrets/demo-key", "redis/users.acl"):
        assert pathlib.Path(demo.folder, name).stat().st_mode & 0o077 == 0, name
    sockets = pathlib.Path(demo.env["TOLLGATE_SPOP"]).parent
    assert sockets.stat().st_mode & 0o077 == 0


def processes(groups):
    """Ids of all processes of these groups, as texts: HAProxy's listeners belong to its worker."""
    found = set()
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rsplit(")", 1)[1].split()[2]) in groups:
                found.add(stat.parent.name)
    return found


def test_all_listens_on_loopback(demo):
    """Nothing of it can be reached from outside. HAProxy only sends from its UDP socket."""
    pids = processes({demo.pid(part) for part in PARTS})
    listening = subprocess.run(["ss", "-Hltunp"], capture_output=True, text=True, check=True).stdout
    own = [line for line in listening.splitlines() if pids & set(re.findall(r"pid=(\d+)", line))
           and not (line.startswith("udp") and '"haproxy"' in line)]
    assert len(own) >= 5
    assert all(re.search(r"\s(127\.0\.0\.1|\[::1\]):\d+\s", line) for line in own), own


def test_two_side_by_side(demo, make_gateway):
    other = make_gateway()
    assert other.port != demo.port
    assert other.request("GET", "/api/tags", key=other.key).status == 200
    assert other.request("GET", "/api/tags", key=demo.demo_key).status == 401
    other.down()
    assert demo.request("GET", "/api/tags", key=demo.demo_key).status == 200


def test_crash_and_up_again(make_gateway):
    gateway = make_gateway()
    key = gateway.new_key(rpm=0)["key"]
    wait_until(lambda: saved(gateway, key), 5, "Redis has written the key to its file")
    before = len(gateway.audit())
    pids = [gateway.pid(part) for part in PARTS]
    for pid in pids:
        os.killpg(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(alive, pids)), 5, "all are dead")
    assert gateway.local("status", check=False).returncode == 1
    assert "Cleaning up" in gateway.local("up").stdout
    gateway.read_env()
    assert gateway.request("GET", "/api/tags", key=key).status == 200
    assert len(gateway.audit()) > before


def saved(gateway, key):
    """The append-only file is synced once a second."""
    return any(key.split("_")[1].encode() in file.read_bytes()
               for file in pathlib.Path(gateway.folder, "redis", "appendonlydir").glob("*.incr.aof"))


def test_down(make_gateway):
    gateway = make_gateway()
    pids = [gateway.pid(part) for part in PARTS]
    assert "Stopped" in gateway.local("down").stdout
    assert not any(map(alive, pids))
    assert gateway.local("status", check=False).returncode == 1
    with pytest.raises(OSError):
        gateway.request("GET", "/")
    gateway.local("down")       # twice does no harm
    gateway.local("up")
    gateway.read_env()
    assert gateway.request("GET", "/api/tags", key=gateway.key).status == 200
    gateway.local("down", "--purge")
    assert not os.path.exists(gateway.folder)


def test_taken_port(folders):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        gateway = Gateway(folders / "taken", TOLLGATE_PORT=str(port))
        done = gateway.local("up", check=False)
    assert done.returncode != 0 and f"port {port} is taken" in done.stderr
    assert gateway.local("status", check=False).returncode == 1
    gateway.down()


def test_run_folder_too_long(folders):
    gateway = Gateway(folders / ("x" * 90))
    done = gateway.local("up", check=False)
    assert done.returncode != 0 and "too long" in done.stderr
