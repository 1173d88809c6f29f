"""Faults that a test asks for over the control listener. One set of faults is active at a time.

Health paths (GET / and /api/version) feel only what a dead or frozen process does to them: refuse, reset
on_accept and hang accept. A hung runner keeps answering `/`, as in Ollama.
"""

import asyncio
import time

from . import names

HANGS = ("accept", "before_headers", "after_headers", "mid_stream")
RESETS = ("on_accept", "before_headers", "mid_stream")
HEALTH = ("/", "/api/version")


class FaultReset(Exception):
    """The connection was ended with RST."""


def _seconds(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 86_400


def _count(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1_000_000_000


def _text(value):
    return isinstance(value, str) and value != ""


def _flag(value):
    return isinstance(value, bool)


FIELDS = {
    "first_byte_delay": (_seconds, "seconds"),
    "chunk_delay": (_seconds, "seconds"),
    "error_mid_stream_after": (_count, "a number of tokens"),
    "hang": (HANGS.__contains__, "one of " + ", ".join(HANGS)),
    "reset": (RESETS.__contains__, "one of " + ", ".join(RESETS)),
    "after": (_count, "a number of tokens"),
    "status_503": (lambda value: _flag(value) or _seconds(value), "true, or for how many milliseconds"),
    "refuse": (_flag, "true or false"),
    "leak_slot": (_flag, "true or false"),
    "tokens": (_count, "a number of tokens"),
    "count": (_count, "a number of requests"),
    "model": (lambda value: _text(value) and names.parse(value) is not None, "a model name"),
    "route": (_text, "a path, or METHOD and path"),
}


class Fault:
    """One set of faults, immutable; requests it was applied to keep it until it is cleared."""

    def __init__(self, spec):
        self.spec = spec
        self.cleared = asyncio.Event()      # whoever hangs goes on
        self.first_byte_delay = spec.get("first_byte_delay", 0)
        self.chunk_delay = spec.get("chunk_delay", 0)
        self.error_after = spec.get("error_mid_stream_after")
        self.hang = spec.get("hang")
        self.reset = spec.get("reset")
        self.after = spec.get("after", 1)
        self.leak_slot = spec.get("leak_slot", False)
        self.tokens = spec.get("tokens")
        self.mid_stream = "mid_stream" in (self.hang, self.reset)
        limit = spec.get("status_503")
        self.busy_until = 0.0
        if limit:
            self.busy_until = float("inf") if limit is True else time.monotonic() + limit / 1000

    @property
    def busy(self):
        return self.busy_until > time.monotonic()

    async def before_headers(self, exchange):
        """Delays, hangs and resets that come before any byte of the answer."""
        if self.first_byte_delay:
            await asyncio.sleep(self.first_byte_delay)
        if self.hang == "before_headers":
            await self.cleared.wait()
        if self.reset == "before_headers":
            exchange.reset()
            raise FaultReset

    async def after_headers(self, exchange, content_type, headers=()):
        """The head goes out alone and nothing follows."""
        if self.hang == "after_headers":
            exchange.chunk(b"", content_type, headers)
            await self.cleared.wait()

    async def before_piece(self, exchange, index):
        """What happens before piece number index of a stream."""
        if self.mid_stream and self.after == index:
            await self.middle(exchange)
        if self.chunk_delay and index and not self.cleared.is_set():
            await asyncio.sleep(self.chunk_delay)

    async def middle(self, exchange):
        """What happens in the middle of an answer."""
        if self.reset == "mid_stream":
            exchange.reset()
            raise FaultReset
        if self.hang == "mid_stream":
            await self.cleared.wait()


class Faults:
    """The active set, if any, and which requests it takes."""

    def __init__(self, listener):
        self.listener = listener
        self._set(None)

    def _set(self, fault):
        self.fault = fault
        spec = fault.spec if fault is not None else {}
        self.left = spec.get("count")
        self.route = spec.get("route")
        self.model_key = names.parse(spec["model"]).key if "model" in spec else None

    @property
    def active(self):
        return self.fault is not None

    def replace(self, spec):
        """Validate and take a new set; raises ValueError with what is wrong."""
        if not isinstance(spec, dict):
            raise ValueError("faults are a JSON object")
        for field, value in spec.items():
            if field not in FIELDS:
                raise ValueError(f"unknown field {field!r}; fields: {', '.join(FIELDS)}")
            valid, what = FIELDS[field]
            if not valid(value):
                raise ValueError(f"{field} must be {what}")
        self.clear()
        if spec:
            self._set(Fault(spec))
        if spec.get("refuse"):
            self.listener.refuse()

    def clear(self):
        """Back to health: listen again, let go whatever hangs."""
        if self.fault is not None:
            self.fault.cleared.set()
        self._set(None)
        self.listener.open()
        for connection in list(self.listener.connections.values()):
            if connection.held:
                connection.hold(False)

    def as_dict(self):
        if self.fault is None:
            return {}
        return {**self.fault.spec, **({} if self.left is None else {"left": self.left})}

    def _take(self):
        if self.left is None:
            return True
        if self.left == 0:
            return False
        self.left -= 1
        return True

    def on_accept(self, connection):
        """Apply what happens to a new connection."""
        if self.fault is None:
            return
        if self.fault.reset == "on_accept" and self._take():
            connection.reset()
        elif self.fault.hang == "accept" and self._take():
            connection.hold(True)

    def pick(self, method, path, model_of):
        """The set, when it applies to the request; counts it. model_of() is called only if needed."""
        fault = self.fault
        if path in HEALTH or fault.reset == "on_accept" or fault.hang == "accept":
            return None
        if self.route is not None and self.route not in (path, f"{method} {path}"):
            return None
        if self.model_key is not None:
            name = names.parse(model_of() or "")
            if name is None or name.key != self.model_key:
                return None
        return fault if self._take() else None
