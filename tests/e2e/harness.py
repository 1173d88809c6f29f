"""What the end-to-end tests stand on: a gateway started by compose/local, and the eyes of a user on it."""

import calendar
import collections
import contextlib
import glob
import http.client
import json
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from answers import (  # noqa: F401 - the tests take all from here
    CHAT_ROUTES, EMBEDDER, MODEL, Reply, chat, chat_request, check_error, dialect_of, parse_reply, read_reply,
    refused, whole,
)

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOCAL = str(ROOT / "compose" / "local")

# All that a node may learn of a client; `connection` is HAProxy's own, when a worker that was reloaded says goodbye.
NODE_HEADERS = {"accept", "connection", "content-length", "content-type", "host", "user-agent", "x-request-id"}


def wait_until(condition, seconds=10.0, what="condition"):
    """Polls until condition() is true and returns its value; fails the test when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


# ---- the gateway --------------------------------------------------------------------------------------


class Gateway:
    """One gateway: HAProxy, tollgated, Redis and simulated nodes in a folder of its own.

    key is an unlimited user's key; the one compose/local made is demo_key.
    """

    def __init__(self, folder, **environment):
        self.folder = str(folder)
        self.environment = {
            **os.environ,
            "TOLLGATE_RUN_DIR": self.folder,
            "TOLLGATE_PORT": "",
            "TOLLGATE_DEMO": "no",
            "TOLLGATE_SIM_OPTIONS": "",     # nodes that answer at once
            "TOLLGATE_INSTALL": "no",
            **environment,
        }
        self.env = {}

    def local(self, *words, check=True, timeout=180):
        done = subprocess.run(
            [LOCAL, *words], env=self.environment, capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and done.returncode != 0:
            raise AssertionError(f"compose/local {' '.join(words)}: {done.stdout}\n{done.stderr}")
        return done

    def up(self):
        self.local("up")
        self.read_env()
        self.key = self.new_key(rpm=0)["key"]
        return self

    def read_env(self):
        self.env = {}
        for line in self.local("env").stdout.splitlines():
            name, value = line.removeprefix("export ").split("=", 1)
            self.env[name] = shlex.split(value)[0] if value else ""
        url = urllib.parse.urlsplit(self.env["TOLLGATE_URL"])
        self.host, self.port = url.hostname, url.port
        self.demo_key = self.env["TOLLGATE_KEY"]
        self.sims = [Sim(u) for u in self.env["TOLLGATE_SIM_URLS"].split(",") if u]

    def down(self):
        self.local("down", check=False)

    def pid(self, part):
        return int(pathlib.Path(self.folder, "pids", part).read_text().split()[0])

    def signal(self, part, number):
        os.kill(self.pid(part), number)

    def kill(self, part):
        """kill -9, and waits until the kernel has taken it away."""
        pid = self.pid(part)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not alive(pid), 5, f"the end of {part}")

    @contextlib.contextmanager
    def stopped(self, part):
        self.signal(part, signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(part, signal.SIGCONT)

    def log(self, part):
        return pathlib.Path(self.folder, "log", f"{part}.log").read_text(errors="replace")

    # ---- the command line -------------------------------------------------------------------------

    def cli(self, *words, check=True):
        done = subprocess.run(
            [os.path.join(self.env["TOLLGATE_BIN"], "tollgate"), *words],
            env={**os.environ, **self.env},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"tollgate {' '.join(words)}: {done.stdout}\n{done.stderr}")
        return done

    def new_tenant(self, name, **options):
        words = ["tenant", "create", name]
        for option, value in options.items():
            words += [f"--{option}", str(value)]
        self.cli(*words)
        return name

    def new_key(self, tenant="e2e", **options):
        """Creates a key (and its tenant); returns what the command line says of it."""
        if self.cli("tenant", "show", tenant, check=False).returncode != 0:
            self.cli("tenant", "create", tenant)
        words = ["key", "create", "--tenant", tenant, "--name", "test", "--json"]
        for name, value in options.items():
            words += [f"--{name}", str(value)]
        return json.loads(self.cli(*words).stdout)

    # ---- HTTP -------------------------------------------------------------------------------------

    def open(self, method, path, body=None, key=None, headers=None, timeout=30):
        """Sends one request on a connection of its own. body: an object for JSON, or bytes."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        sent = dict(headers or {})
        if key is not None:
            sent["Authorization"] = f"Bearer {key}"
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        connection.request(method, path, body=body, headers=sent)
        return connection

    def request(self, method, path, body=None, key=None, headers=None, timeout=30):
        """One request and its whole answer."""
        connection = self.open(method, path, body, key, headers, timeout)
        try:
            return read_reply(connection.getresponse())
        finally:
            connection.close()

    def post(self, path, body, key=None, **more):
        return self.request("POST", path, body, key or self.key, **more)

    def chat(self, dialect="native", key=None, headers=None, timeout=30, **more):
        """A chat in a dialect."""
        path, body = chat_request(dialect, **more)
        return self.post(path, body, key, headers=headers, timeout=timeout)

    def raw(self, data, timeout=10):
        """Sends bytes as they are, each on a connection of its own, and returns the answer to them."""
        with socket.create_connection((self.host, self.port), timeout=timeout) as connection:
            connection.sendall(data)
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                while not whole(answer) and (piece := connection.recv(65536)):
                    answer += piece
            return parse_reply(answer)

    def raw_request(self, method, path, headers=(), body=b"", key=None, length=True):
        """A request whose headers are sent as they are: a list of lines."""
        lines = [f"{method} {path} HTTP/1.1", "Host: gate", "Connection: close", *headers]
        if key is not None:
            lines.append(f"Authorization: Bearer {key}")
        if length and (body or method == "POST"):
            lines.append(f"Content-Length: {len(body)}")
        return self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    # ---- nodes ------------------------------------------------------------------------------------

    def fault(self, **fields):
        for sim in self.sims:
            sim.fault(**fields)

    def clear(self):
        for sim in self.sims:
            with contextlib.suppress(OSError):
                sim.clear()

    def reset_nodes(self):
        for sim in self.sims:
            sim.reset()

    def node_events(self, request_id=None):
        """What nodes saw of clients, by node; health checks have no request id."""
        query = f"/state?id={request_id}" if request_id else "/state"
        return [
            {**event, "node": f"node{number}"}
            for number, sim in enumerate(self.sims, 1)
            for event in sim.call("GET", query)["events"]
            if event["request_id"]
        ]

    def slots_used(self):
        return sum(sim.state()["slots_used"] for sim in self.sims)

    def check_nodes_saw_no_secret(self):
        for event in self.node_events():
            assert event["credentials"] == []
            assert set(event["header_names"]) <= NODE_HEADERS, event["header_names"]
            assert "?" not in event["target"] and not event["target"].startswith("/k/")

    def server_state(self, name, backend="be_ollama"):
        """UP, DOWN, MAINT ... as HAProxy sees a server."""
        rows = [line.split(",") for line in self.haproxy("show stat").splitlines() if line]
        column = rows[0].index("status")
        return next(row[column] for row in rows if row[0] == backend and row[1] == name).split()[0]

    def wait_server(self, name, state, seconds=5, backend="be_ollama"):
        wait_until(lambda: self.server_state(name, backend) == state, seconds, f"{name} is {state}")

    # ---- what operators see -----------------------------------------------------------------------

    def audit_files(self):
        return sorted(glob.glob(os.path.join(self.env["TOLLGATE_AUDIT_DIR"], "*.jsonl")))

    def audit(self, request_id=None, kind=None):
        records = []
        for name in self.audit_files():
            with open(name, encoding="utf-8") as lines:
                for line in lines:
                    if not line.endswith("\n"):
                        continue
                    record = json.loads(line)
                    if request_id and record.get("request_id") != request_id:
                        continue
                    if kind and record["type"] != kind:
                        continue
                    records.append(record)
        return records

    def decision(self, request_id, seconds=5):
        return self._one(request_id, "decision", seconds)

    def completion(self, request_id, seconds=5):
        return self._one(request_id, "completion", seconds)

    def _one(self, request_id, kind, seconds):
        found = wait_until(lambda: self.audit(request_id, kind), seconds, f"{kind} of {request_id}")
        assert len(found) == 1, found
        return found[0]

    def get(self, url, path):
        """Status and text of one of the operators' pages."""
        try:
            with urllib.request.urlopen(self.env[url] + path, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self):
        """All samples of tollgated: (name, labels) -> value."""
        status, text = self.get("TOLLGATE_METRICS_URL", "/metrics")
        assert status == 200
        return parse_metrics(text)

    def metric(self, name, **labels):
        """The sum of a metric's samples that carry these labels."""
        return sum_metric(self.metrics(), name, labels)

    @contextlib.contextmanager
    def counts(self, verdict, **labels):
        """One decision of this verdict is taken within. The audit log has refusals in numbers only as sums."""
        before = self.metric("tollgate_requests_total", verdict=verdict, **labels)
        yield
        assert self.metric("tollgate_requests_total", verdict=verdict, **labels) == before + 1, (verdict, labels)

    def wait_idle(self, seconds=5):
        """Every admitted request has been completed."""
        wait_until(lambda: self.metric("tollgate_inflight_requests") == 0, seconds, "inflight requests are 0")

    def haproxy(self, command):
        """A command on HAProxy's admin socket."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(self.env["TOLLGATE_HAPROXY_SOCKET"])
            connection.sendall(command.encode() + b"\n")
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
            return answer.decode()

    def redis(self, *words):
        """A command as Redis' administrator, past the command line's and the agent's rights."""
        folder = self.environment.get("TOLLGATE_JOIN") or self.folder
        secret = pathlib.Path(folder, "secrets", "redis-admin").read_text().strip()
        done = subprocess.run(
            ["redis-cli", "-s", f"{folder}/redis/redis.sock", "--user", "tollgate-admin", "--json", *words],
            env={**os.environ, "REDISCLI_AUTH": secret},
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
        return json.loads(done.stdout)

    def window(self, kind, name):
        """What Redis holds of a key's ('k') or tenant's ('t') last minutes: the sum of all slots."""
        slots = [word for number in range(60) for word in ("GET", "u32", f"#{number}")]
        strings = self.redis("KEYS", f"tg:w:{{{kind}:{name}}}:r:*")
        return sum(sum(self.redis("BITFIELD", string, *slots)) for string in strings)


class Sim:
    """The control side of a simulated node."""

    def __init__(self, url):
        self.url = url

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def state(self):
        return self.call("GET", "/state?events=0")

    def reset(self):
        self.call("POST", "/reset")

    def fault(self, **fields):
        self.call("POST", "/faults", fields)

    def clear(self):
        self.call("DELETE", "/faults")


# ---- small things -------------------------------------------------------------------------------------


def alive(pid):
    """Whether a process runs; a zombie does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def parse_metrics(text):
    samples = collections.OrderedDict()
    for line in text.splitlines():
        if found := re.match(r"^(\w+)(?:\{(.*)\})? (\S+)$", line):
            labels = tuple(sorted(re.findall(r'(\w+)="([^"]*)"', found[2] or "")))
            samples[found[1], labels] = float(found[3])
    return samples


def sum_metric(samples, name, labels):
    found = [value for (own, has), value in samples.items() if own == name and set(labels.items()) <= set(has)]
    assert found, f"no sample of {name} {labels}"
    return sum(found)


def most_in_window(seconds, span=60.0):
    """The most moments that any window of `span` seconds holds."""
    ordered, first, most = sorted(seconds), 0, 0
    for last, moment in enumerate(ordered):
        while moment - ordered[first] >= span:
            first += 1
        most = max(most, last - first + 1)
    return most


def unix_time(text):
    """Seconds of an audit record's time."""
    whole_part, _, rest = text.rstrip("Z").partition(".")
    base = time.strptime(whole_part, "%Y-%m-%dT%H:%M:%S")
    return calendar.timegm(base) + float(f"0.{rest or 0}")


__all__ = [
    "CHAT_ROUTES", "EMBEDDER", "Gateway", "LOCAL", "MODEL", "ROOT", "Reply", "Sim", "alive", "chat", "chat_request",
    "check_error", "dialect_of", "most_in_window", "parse_metrics", "read_reply", "refused", "signal", "sum_metric",
    "unix_time", "wait_until",
]
