"""Makes the answer of a model: which tokens, when they come, and how a dialect writes them down."""

import asyncio
import functools
import re
import time
import zlib

from . import gojson
from .node import BUSY, Busy

MODEL_ERROR = "an error was encountered while running the model: unexpected EOF"
WORDS = ("The", "gate", "opens", "slowly", "and", "a", "quiet", "queue", "of", "small", "requests", "moves",
         "past", "it", "toward", "warm", "nodes", "where", "answers", "grow", "word", "by", "word", "until",
         "nothing", "is", "left", "to", "say", "today", "friend", ".")
IMAGE_TOKENS = 256
YIELD_EVERY = 16        # without delays, others get a turn after so many tokens


class ApiError(Exception):
    """An answer other than 200 in the dialect of the route."""

    def __init__(self, status, message, bound=False):
        super().__init__(message)
        self.status = status
        self.bound = bound      # made while the body was read, before Ollama's dialect writer took over


class Dialect:
    """How one API writes a generation. Every bytes object of a list becomes one HTTP chunk."""

    stream_type = "text/event-stream"
    whole_type = "application/json"
    headers = ()

    def piece(self, kind, text):
        """A token: kind is "text" or "think"."""
        raise NotImplementedError

    def tool(self, calls):
        """Tool calls: a list of {id, name, arguments}."""
        raise NotImplementedError

    def done(self, result):
        raise NotImplementedError

    def stream_error(self, message):
        """What is written when generation fails after the first byte."""
        raise NotImplementedError

    def whole(self, result):
        """The body of an answer that is not streamed."""
        raise NotImplementedError


class Job:
    """One generation as all dialects understand it."""

    def __init__(self, model, stream):
        self.model = model
        self.stream = stream
        self.texts = []         # prompt texts, for counting
        self.last_user = ""
        self.images = 0
        self.limit = 0          # tokens asked for; 0 or less is as many as the model wants
        self.schema = None      # JSON mode: True or a schema
        self.think = False
        self.tools = []         # (name, parameters)
        self.options = None
        self.keep_alive = None

    def prompt_tokens(self):
        """Four bytes a token, eight tokens a message, and a constant for an image."""
        length = sum(len(text.encode("utf-8", "replace")) for text in self.texts)
        return length // 4 + 8 * len(self.texts) + IMAGE_TOKENS * self.images

    def wanted_tool(self):
        """The tool that the last message asks for: by its name, or by the word tool."""
        text = self.last_user.lower()
        for name, parameters in self.tools:
            if name.lower() in text:
                return name, parameters
        return self.tools[0] if self.tools and "tool" in text else None


class Result:
    """Everything a finished generation reports; times in nanoseconds."""

    def __init__(self, started, loaded):
        self.started = started
        self.load_ns = int((loaded - started) * 1e9)
        self.prompt_tokens = 0
        self.eval_count = 0
        self.prompt_ns = 1
        self.eval_ns = 1
        self.reason = "stop"
        self.texts = []
        self.thoughts = []
        self.calls = []

    @property
    def total_ns(self):
        return int((time.monotonic() - self.started) * 1e9)

    @property
    def text(self):
        return "".join(self.texts)

    @property
    def thinking(self):
        return "".join(self.thoughts)


@functools.lru_cache(maxsize=8192)
def quoted(text):
    """A JSON string, cached: tokens repeat."""
    return gojson.dump(text).decode()


def sample(schema, name="value"):
    """A value that fits a JSON schema loosely."""
    if not isinstance(schema, dict):
        return name
    kind = schema.get("type")
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return schema["enum"][0]
    if kind == "object" or isinstance(schema.get("properties"), dict):
        return {key: sample(value, key) for key, value in (schema.get("properties") or {}).items()}
    if kind == "array":
        return [sample(schema.get("items"), name)]
    return {"integer": 7, "number": 7.5, "boolean": True, "null": None}.get(kind, name)


def plan(job, tokens):
    """The pieces of the answer and its done_reason."""
    limited = 0 < job.limit < tokens
    count = job.limit if limited else tokens
    thoughts = max(1, count // 4) if job.think and count > 1 else 0
    pieces = [("think", (" " if i else "") + WORDS[i % len(WORDS)]) for i in range(thoughts)]
    room = count - thoughts
    tool = job.wanted_tool()
    if tool is not None:
        name, parameters = tool
        pieces.append(("tool", [{"id": f"call_{zlib.crc32(name.encode()):08x}", "name": name,
                                 "arguments": sample(parameters or {"type": "object"})}]))
        return pieces, "stop"
    if job.schema is not None:
        schema = job.schema if isinstance(job.schema, dict) else \
            {"type": "object", "properties": {"answer": {"type": "string"}, "ok": {"type": "boolean"}}}
        parts = re.findall(r".{1,4}", gojson.dump(sample(schema)).decode(), re.S)
        cut = 0 < job.limit < len(parts) + thoughts
        return pieces + [("text", part) for part in (parts[:room] if cut else parts)], "length" if cut else "stop"
    pieces += [("text", (" " if i else "") + WORDS[i % len(WORDS)]) for i in range(room)]
    return pieces, "length" if limited else "stop"


async def with_runner(app, exchange, job, work, slot=True):
    """Run work(result) while the model is loaded and a slot is held."""
    node, record = app.node, exchange.record
    record.model, record.stream, record.images = job.model.display, job.stream, job.images
    started = time.monotonic()
    try:
        runner = await node.acquire(job.model, job.options, job.keep_alive, slot)
    except Busy:
        raise ApiError(503, BUSY) from None
    record.slot_at = time.monotonic()
    leak = False
    try:
        await work(Result(started, record.slot_at))
    except asyncio.CancelledError:
        leak = slot and exchange.fault is not None and exchange.fault.leak_slot
        raise
    finally:
        node.release(runner, slot, leak)


def run(app, exchange, job, dialect):
    """Generate and answer: the coroutine for a handler to return."""
    # Go learns of a lost client only after it has read the body to its end; a native handler stops at
    # the end of the JSON value, so a later last chunk leaves a request that is not streamed running.
    if exchange.late_end and not job.stream and exchange.path.startswith("/api/"):
        exchange.watch = False
    return with_runner(app, exchange, job, lambda result: _produce(app, exchange, job, dialect, result))


async def _produce(app, exchange, job, dialect, result):
    fault = exchange.fault
    tokens = app.tokens if fault is None or fault.tokens is None else fault.tokens
    pieces, result.reason = plan(job, tokens)
    result.prompt_tokens = job.prompt_tokens()
    begin = time.monotonic()
    if app.first_token_time:
        await asyncio.sleep(app.first_token_time)
    if fault is not None:
        await fault.before_headers(exchange)
        await fault.after_headers(exchange, dialect.stream_type if job.stream else dialect.whole_type,
                                  dialect.headers)
    first = time.monotonic()
    result.prompt_ns = max(int((first - begin) * 1e9), 1)
    await _emit(app, exchange, job, dialect, result, pieces, first)
    result.eval_ns = max(int((time.monotonic() - first) * 1e9), 1)
    exchange.record.tokens = result.eval_count
    if exchange.record.outcome == "error":
        return
    if not job.stream:
        exchange.reply(200, dialect.whole(result), dialect.whole_type)
        if fault is not None and fault.mid_stream:
            await fault.middle(exchange)
        return
    for data in dialect.done(result):
        exchange.chunk(data, dialect.stream_type, dialect.headers)
    exchange.end()


async def _emit(app, exchange, job, dialect, result, pieces, due):
    """Make the tokens, and send them when the answer is streamed."""
    fault, step = exchange.fault, app.token_time
    connection = exchange.connection
    for index, (kind, value) in enumerate(pieces):
        if index:
            due += step
            wait = due - time.monotonic() if step else 0.0
            if wait > 0 or index % YIELD_EVERY == 0:
                await asyncio.sleep(max(wait, 0.0))
        if fault is not None:
            if fault.error_after == index:
                _fail(exchange, job, dialect)
                return
            if job.stream:
                await fault.before_piece(exchange, index)
        result.eval_count += 1
        if kind == "tool":
            result.calls += value
        else:
            (result.texts if kind == "text" else result.thoughts).append(value)
        if job.stream:
            for data in dialect.tool(value) if kind == "tool" else dialect.piece(kind, value):
                exchange.chunk(data, dialect.stream_type, dialect.headers)
            if connection.write_waiter is not None:
                await exchange.drain()


def _fail(exchange, job, dialect):
    """The model died: a status when nothing was sent yet, else the dialect's way to end the stream."""
    if not job.stream or not exchange.streaming:
        raise ApiError(500, MODEL_ERROR)
    for data in dialect.stream_error(MODEL_ERROR):
        exchange.chunk(data, dialect.stream_type)
    exchange.end()
    exchange.record.outcome = "error"
