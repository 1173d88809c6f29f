"""What a client's tests stand on: the gate and its keys, what the nodes and the audit log saw, and shared checks.

TOLLGATE_CLIENTS_CONFIG names the file that matrix.py wrote.
"""

import glob
import hashlib
import importlib
import json
import os
import random
import time
import types
import urllib.request

with open(os.environ["TOLLGATE_CLIENTS_CONFIG"], encoding="utf-8") as _config:
    gate = json.load(_config, object_hook=lambda fields: types.SimpleNamespace(**fields))

# A JSON schema that the simulated model fills with the names and kinds of its fields.
CITY_SCHEMA = {
    "title": "City",
    "description": "Finds it.",
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["city", "people"],
    "additionalProperties": False,
}
CITY = {"city": "city", "people": 7}
IMAGE = random.Random(1).randbytes(4_000_000)


class NotOffered(Exception):
    """Raised by a test of something that the client, or Ollama behind it, does not have."""


def not_offered(missing, note):
    """Ends a test as "not offered", after making sure that it is so."""
    assert missing, f"offered after all: {note}"
    raise NotOffered(note)


class Remark(str):
    """What a test returns when the table's reader should know it, too."""


class Sent:
    """The body that was sent last, noted as it leaves, to look for exactly these bytes at a node."""

    sha256 = None
    size = 0


def _note_bodies(library):
    send = library.Client.send

    def noted(self, request, **options):
        body = request.read()
        Sent.sha256, Sent.size = hashlib.sha256(body).hexdigest(), len(body)
        return send(self, request, **options)

    library.Client.send = noted


for _name in ("httpx", "httpx2"):
    try:
        _note_bodies(importlib.import_module(_name))
    except ModuleNotFoundError:
        pass


# ---- answers ------------------------------------------------------------------------------------------


def check_stream(pieces):
    """A streamed answer: the node's words in their order, in several pieces."""
    texts = [piece for piece in pieces if piece]
    assert "".join(texts) == gate.answer, texts
    assert len(texts) > 3, texts


def check_vector(vector):
    assert len(vector) == len(gate.vector)
    assert all(abs(a - b) < 1e-5 for a, b in zip(vector, gate.vector))


def check_error(call, kind, status, text):
    """The call fails with this class of error and status, and the text reaches the program."""
    try:
        call()
    except kind as error:
        assert getattr(error, "status_code", status) == status, error.status_code
        assert text in str(error), str(error)
        return type(error).__name__
    raise AssertionError("no error was raised")


def error_tests(call, kinds):
    """The five refusals a program meets. call(key, model) does not retry; kinds: the class of error a status."""

    def refused(status, key, model, text):
        return lambda: check_error(lambda: call(key, model), kinds[status], status, text)

    def limited():
        try:
            call(gate.limited, gate.model)
        except kinds[429]:
            pass
        return refused(429, gate.limited, gate.model, "limit of 1 requests a minute is reached")()

    return {
        "error_400": refused(400, gate.keys.user, "not a name", "the model's name is not valid"),
        "error_401": refused(401, "tg_wrong", gate.model, "the API key is not one of this gateway"),
        "error_403": refused(403, gate.keys.forbidden, gate.model, "this API key may not use this model"),
        "error_404": refused(404, gate.keys.user, "absent", "model 'absent' not found"),
        "error_429": limited,
    }


# ---- what others saw ----------------------------------------------------------------------------------


def until(what, seconds, look):
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def node_events():
    """The nodes' records of the body that was sent last."""
    events = []
    for url in gate.sims:
        with urllib.request.urlopen(f"{url}/state", timeout=5) as answer:
            events += json.load(answer)["events"]
    return [event for event in events if event["body_sha256"] == Sent.sha256]


def check_intact():
    """The last request reached exactly one node, byte for byte; returns the node's record of it."""
    events = until("the body at a node", 5, node_events)
    assert len(events) == 1, events
    assert events[0]["body_bytes"] == Sent.size
    return events[0]


def check_image():
    event = check_intact()
    assert event["images"] == 1 and event["body_bytes"] > len(IMAGE) * 4 / 3
    return f"{event['body_bytes'] / 1e6:.1f} MB whole at the node"


def check_leaves(stream, stop):
    """Reads some pieces of a stream that takes minutes, calls stop, and expects the node to be free within a second."""
    pieces = iter(stream)
    for _ in range(3):
        next(pieces)
    running = node_events()
    assert len(running) == 1 and running[0]["outcome"] is None, running
    left = time.time()
    stop(pieces)

    def ended():
        event = node_events()[0]
        return event if event["outcome"] else None

    event = until("the node is free", 5, ended)
    seconds = event["end_unix"] - left
    assert event["outcome"] == "cancelled", event
    assert seconds < 1, f"free only after {seconds} s"
    return f"node free after {max(0, seconds * 1000):.0f} ms"


# ---- retries ------------------------------------------------------------------------------------------


def decisions(key):
    key_id = key.split("_")[1]
    lines = []
    for name in sorted(glob.glob(os.path.join(gate.audit, "*.jsonl"))):
        with open(name, encoding="utf-8") as log:
            lines += [line for line in log if key_id in line and '"decision"' in line and line.endswith("\n")]
    return [json.loads(line) for line in lines]


def check_retry(call, retries=True):
    """Calls with a key whose one request a minute is used up, as a program with default settings would.

    The attempts are those the audit log knows. Without `retries` the client must give up at once.
    """
    key = gate.limited
    first = urllib.request.Request(
        f"{gate.url}/api/chat",
        json.dumps({"model": gate.model, "messages": [{"role": "user", "content": "first"}], "stream": False}).encode(),
        {"Authorization": f"Bearer {key}"},
    )
    with urllib.request.urlopen(first, timeout=10) as answer:
        assert answer.status == 200
    # so that what is left to wait is below a minute: some clients obey no longer Retry-After
    time.sleep(4)
    start, error = time.monotonic(), None
    try:
        call(key)
    except Exception as raised:  # pylint: disable=broad-except
        error = raised
    seconds = time.monotonic() - start

    def attempts_seen():
        found = decisions(key)
        return found if len(found) > 1 and (error or found[-1]["status"] == 200) else None

    # the log's writer works in groups, so the last attempt may be a moment late
    time.sleep(1 if error else 0)
    seen = until("the attempts in the audit log", 5, attempts_seen)
    attempts = len(seen) - 1
    if not retries:
        assert error is not None and attempts == 1, (attempts, error)
        raise NotOffered("it does not retry: one attempt, then its error")
    assert error is None, f"{attempts} attempts in {seconds:.1f} s, then {error}"
    assert [record["status"] for record in seen] == [200, 429, 200], seen
    assert 50 < seconds < 75, seconds
    return f"{attempts} attempts, the second after {seconds:.0f} s, as Retry-After said"
