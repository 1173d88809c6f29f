"""What the node saw, for tests to ask about: one record a request, bounded in number and in size."""

import array
import collections
import hashlib
import time

EVENTS_MAX = 20_000
STAMPS_MAX = 1_000_000      # chunk times kept in all events together
STAMPS_PER_EVENT = 10_000
IDS_PER_ROUTE = 1_000
ROUTES_MAX = 200
CREDENTIALS = ("authorization", "x-api-key", "api-key", "cookie", "proxy-authorization")


class Record:
    """One request. Times are time.monotonic(); the unix offset is taken at arrival."""

    __slots__ = ("seq", "request_id", "connection", "method", "target", "route", "model", "stream", "arrival",
                 "unix_offset", "slot_at", "first_byte", "chunk_count", "stamps", "end", "status", "outcome",
                 "header_names", "credentials", "bytes_in", "body_bytes", "body_sha256", "bytes_out",
                 "tokens", "images", "fault")

    def __init__(self, seq, exchange, route):
        headers = exchange.headers
        self.seq = seq
        self.request_id = headers.get("x-request-id")
        self.connection = exchange.connection.number
        self.method = exchange.method
        self.target = exchange.target
        self.route = route
        self.model = None
        self.stream = None
        self.arrival = time.monotonic()
        self.unix_offset = time.time() - self.arrival
        self.slot_at = None
        self.first_byte = None
        self.chunk_count = 0
        self.stamps = None
        self.end = None
        self.status = 0
        self.outcome = None
        self.header_names = exchange.header_names
        self.credentials = tuple(name for name in CREDENTIALS if name in headers)
        self.bytes_in = exchange.bytes_in
        self.body_bytes = len(exchange.body)
        self.body_sha256 = hashlib.sha256(exchange.body).hexdigest() if exchange.body else None
        self.bytes_out = 0
        self.tokens = 0
        self.images = 0
        self.fault = None

    def sent(self, wire_bytes, body_bytes):
        """Called for every write; a write with body bytes is a chunk."""
        self.bytes_out += wire_bytes
        if not body_bytes and self.first_byte is not None:
            return
        now = time.monotonic()
        if self.first_byte is None:
            self.first_byte = now
        if body_bytes:
            self.chunk_count += 1
            if self.stamps is None:
                self.stamps = array.array("d")
            if len(self.stamps) < STAMPS_PER_EVENT:
                self.stamps.append(now)

    def as_dict(self):
        offset = self.unix_offset

        def unix(value):
            return None if value is None else value + offset

        stamps = list(self.stamps or ())
        return {
            "seq": self.seq, "request_id": self.request_id, "connection": self.connection,
            "method": self.method, "target": self.target, "route": self.route, "model": self.model,
            "stream": self.stream, "status": self.status, "outcome": self.outcome, "fault": self.fault,
            "arrival_mono": self.arrival, "arrival_unix": unix(self.arrival),
            "slot_mono": self.slot_at, "slot_unix": unix(self.slot_at),
            "first_byte_mono": self.first_byte, "first_byte_unix": unix(self.first_byte),
            "end_mono": self.end, "end_unix": unix(self.end),
            "chunks": self.chunk_count, "chunk_mono": stamps, "chunk_unix": [unix(stamp) for stamp in stamps],
            "header_names": list(self.header_names), "credentials": list(self.credentials),
            "bytes_in": self.bytes_in, "body_bytes": self.body_bytes, "body_sha256": self.body_sha256,
            "bytes_out": self.bytes_out, "tokens": self.tokens, "images": self.images,
        }


class Recorder:
    """All records: those at work and the finished ones, oldest first."""

    def __init__(self):
        self.seq = 0
        self.reset()
        self.active = {}

    def reset(self):
        self.events = collections.deque()
        self.stamps = 0
        self.total = 0
        self.cancelled = 0
        self.outcomes = collections.Counter()
        self.routes = {}

    def begin(self, exchange, route):
        self.seq += 1
        self.total += 1
        record = exchange.record = Record(self.seq, exchange, route)
        self.active[record.seq] = record
        count = self.routes.get(route)
        if count is None:
            if len(self.routes) >= ROUTES_MAX:
                return record
            count = self.routes[route] = [0, collections.deque(maxlen=IDS_PER_ROUTE)]
        count[0] += 1
        if record.request_id is not None:
            count[1].append(record.request_id)
        return record

    def finish(self, exchange):
        record = exchange.record
        record.end = time.monotonic()
        record.status = exchange.status
        if record.outcome is None:
            record.outcome = "rejected" if record.status >= 400 else "complete" if record.status else "cancelled"
        self.outcomes[record.outcome] += 1
        if record.outcome == "cancelled":
            self.cancelled += 1
        self.active.pop(record.seq, None)
        self.events.append(record)
        self.stamps += len(record.stamps or ())
        while len(self.events) > EVENTS_MAX or self.stamps > STAMPS_MAX:
            self.stamps -= len(self.events.popleft().stamps or ())

    def select(self, since=0, last=EVENTS_MAX, request_id=None):
        """Finished and running records as dicts, by sequence number."""
        chosen = [record for record in (*self.events, *self.active.values())
                  if record.seq > since and (request_id is None or record.request_id == request_id)]
        chosen.sort(key=lambda record: record.seq)
        return [record.as_dict() for record in chosen[max(0, len(chosen) - last):]]
