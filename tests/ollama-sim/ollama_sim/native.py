"""The /api routes that run a model: generate, chat, embed and embeddings."""

import functools
import hashlib
import math
import time

from . import gojson, names
from .generate import ApiError, Dialect, Job, quoted, run, with_runner

JSON_UTF8 = "application/json; charset=utf-8"
NDJSON = "application/x-ndjson"
CLOUD_OFF = "ollama cloud is disabled: remote model is unavailable"
DIMENSIONS = 64

MESSAGE = {"role": "str", "content": "str", "thinking": "str", "images": "list", "tool_calls": "list",
           "tool_name": "str", "tool_call_id": "str"}
COMMON = {"model": "str", "stream": "bool?", "format": "any", "keep_alive": "keep_alive", "options": "map",
          "think": "think", "truncate": "bool?", "shift": "bool?", "_debug_render_only": "bool",
          "logprobs": "bool", "top_logprobs": "int"}
GENERATE = {**COMMON, "prompt": "str", "suffix": "str", "system": "str", "template": "str", "context": "list",
            "raw": "bool", "images": "list"}
CHAT = {**COMMON, "messages": "list", "tools": "list"}
EMBED = {"model": "str", "input": "any", "keep_alive": "keep_alive", "truncate": "bool?", "dimensions": "int",
         "options": "map"}
EMBEDDINGS = {"model": "str", "prompt": "str", "keep_alive": "keep_alive", "options": "map"}


class Second:
    """The whole-second part of a timestamp, kept until the second is over."""

    value = -1
    text = ""


def stamp(seconds=None):
    """RFC 3339 in UTC with nanoseconds and without trailing zeros, as Go prints time.Time."""
    now = time.time_ns() if seconds is None else int(seconds * 1e9)
    whole, rest = divmod(now, 1_000_000_000)
    if whole != Second.value:
        Second.value = whole
        Second.text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
    return f"{Second.text}.{rest:09d}".rstrip("0").rstrip(".") + "Z"


def read(exchange, fields, where):
    """The bound body of a native request; raises ApiError as Ollama words it."""
    try:
        return gojson.bind(gojson.parse(exchange.body), fields, where)
    except gojson.DecodeError as error:
        raise ApiError(400, "missing request body" if error.empty else str(error), bound=True) from None


def not_found(text):
    return ApiError(404, f"model '{text}' not found")


def find_model(app, text, invalid):
    """The model a request names; invalid is the error for what is no name at all."""
    name = names.parse(text or "")
    if name is None:
        raise invalid
    if name.cloud:
        raise ApiError(403, CLOUD_OFF)
    model = app.node.models.get(name.key)
    if model is None:
        raise not_found(text)
    return model


class Native(Dialect):
    """Newline-delimited objects; chat and generate differ in where the text stands."""

    stream_type = NDJSON
    whole_type = JSON_UTF8

    def __init__(self, model, chat, raw=False):
        self.model = model
        self.chat = chat
        self.raw = raw
        self.prefix = f'{{"model":{quoted(model)},"created_at":"'

    def body(self, text, thinking="", calls=()):
        if not self.chat:
            extra = f',"thinking":{quoted(thinking)}' if thinking else ""
            return f'"response":{quoted(text)}{extra}'
        extra = f',"thinking":{quoted(thinking)}' if thinking else ""
        if calls:
            listed = [{"id": call["id"], "function": {"index": i, "name": call["name"],
                                                      "arguments": call["arguments"]}}
                      for i, call in enumerate(calls)]
            extra += f',"tool_calls":{gojson.dump(listed).decode()}'
        return f'"message":{{"role":"assistant","content":{quoted(text)}{extra}}}'

    def line(self, body, tail='"done":false'):
        return f'{self.prefix}{stamp()}",{body},{tail}}}'.encode()

    def piece(self, kind, text):
        body = self.body(text) if kind == "text" else self.body("", text)
        return (self.line(body) + b"\n",)

    def tool(self, calls):
        return (self.line(self.body("", "", calls)) + b"\n",)

    def tail(self, result):
        context = "" if self.chat or self.raw else ',"context":[1,2,3]'
        prompt = f',"prompt_eval_count":{result.prompt_tokens}' if result.prompt_tokens else ""
        count = f',"eval_count":{result.eval_count}' if result.eval_count else ""
        return (f'"done":true,"done_reason":"{result.reason}"{context},"total_duration":{result.total_ns},'
                f'"load_duration":{max(result.load_ns, 1)}{prompt},"prompt_eval_duration":{result.prompt_ns}'
                f'{count},"eval_duration":{result.eval_ns}')

    def done(self, result):
        return (self.line(self.body(""), self.tail(result)) + b"\n",)

    def stream_error(self, message):
        return (gojson.dump({"error": message}) + b"\n",)

    def whole(self, result):
        return self.line(self.body(result.text, result.thinking, result.calls), self.tail(result))

    def empty(self, reason):
        """The single object that answers a load or an unload."""
        return self.line(self.body(""), f'"done":true,"done_reason":"{reason}"')


def _job(model, request):
    job = Job(model, request.get("stream") is not False)
    job.options = request.get("options")
    job.keep_alive = request.get("keep_alive")
    limit = (job.options or {}).get("num_predict", 0)
    job.limit = int(limit) if isinstance(limit, (int, float)) else 0
    wanted = request.get("format")
    if wanted not in (None, ""):
        if wanted != "json" and not isinstance(wanted, dict):
            raise ApiError(400, f'invalid format: {gojson.dump(wanted).decode()}; '
                                'expected "json" or a JSON schema')
        job.schema = True if wanted == "json" else wanted
    job.think = bool(request.get("think"))
    return job


def tools_of(items, job):
    """Function tools in OpenAI's shape, which Ollama shares."""
    for item in items or ():
        function = item.get("function") if isinstance(item, dict) else None
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            job.tools.append((function["name"], function.get("parameters")))


def _load_or_unload(app, exchange, job, dialect, unload):
    if unload:
        app.node.unload(job.model)
        exchange.record.model = job.model.display
        exchange.reply(200, dialect.empty("unload"), JSON_UTF8)
        return None

    async def loaded(_result):
        exchange.reply(200, dialect.empty("load"), JSON_UTF8)
    return with_runner(app, exchange, job, loaded, slot=False)


def generate(app, exchange):
    request = read(exchange, GENERATE, "GenerateRequest")
    asked = request.get("model", "")
    model = find_model(app, asked, not_found(asked))
    dialect = Native(asked, chat=False, raw=request.get("raw", False))
    job = _job(model, request)
    prompt = request.get("prompt", "")
    if not prompt and job.keep_alive == 0:
        return _load_or_unload(app, exchange, job, dialect, unload=True)
    if request.get("raw") and (request.get("template") or request.get("system") or request.get("context")):
        raise ApiError(400, "raw mode does not support template, system, or context")
    if model.embedding_only:
        raise ApiError(400, f'"{asked}" does not support generate')
    if not prompt:
        return _load_or_unload(app, exchange, job, dialect, unload=False)
    job.texts = [prompt] + ([request["system"]] if request.get("system") else [])
    job.last_user = prompt
    job.images = len(request.get("images") or ())
    return run(app, exchange, job, dialect)


def chat(app, exchange):
    request = read(exchange, CHAT, "ChatRequest")
    asked = request.get("model", "")
    messages = []
    for item in request.get("messages") or ():
        try:
            messages.append(gojson.bind(item, MESSAGE, "Message"))
        except gojson.DecodeError as error:
            raise ApiError(400, str(error), bound=True) from None
    model = find_model(app, asked, ApiError(400, "model is required"))
    dialect = Native(asked, chat=True)
    job = _job(model, request)
    if not messages and job.keep_alive == 0:
        return _load_or_unload(app, exchange, job, dialect, unload=True)
    if model.embedding_only:
        raise ApiError(400, f'"{asked}" does not support chat')
    if not messages:
        return _load_or_unload(app, exchange, job, dialect, unload=False)
    tools_of(request.get("tools"), job)
    for message in messages:
        job.texts.append(message.get("content", ""))
        job.images += len(message.get("images") or ())
        if message.get("role") == "user":
            job.last_user = message.get("content", "")
    return run(app, exchange, job, dialect)


@functools.lru_cache(maxsize=1024)
def vector(text, dimensions=0):
    """A unit vector that depends on the text alone."""
    seed = hashlib.shake_128(text.encode("utf-8", "replace")).digest(DIMENSIONS)
    values = [byte / 127.5 - 1.0 for byte in seed]
    if 0 < dimensions < DIMENSIONS:
        values = values[:dimensions]
    norm = math.sqrt(sum(value * value for value in values)) or 1.0
    return [round(value / norm, 8) for value in values]


def embedding_job(app, exchange, model, texts, answer, options=None, keep_alive=None):
    """The coroutine that embeds texts; answer(result) makes the body."""
    job = Job(model, False)
    job.texts, job.options, job.keep_alive = texts, options, keep_alive

    async def work(result):
        await app.prompt_time(exchange, JSON_UTF8)
        result.prompt_tokens = sum(max(1, len(text.encode("utf-8", "replace")) // 4) for text in texts)
        exchange.reply(200, *answer(result))
        if exchange.fault is not None:
            await exchange.fault.middle(exchange)
    return with_runner(app, exchange, job, work, slot=bool(texts))


def embed(app, exchange):
    request = read(exchange, EMBED, "EmbedRequest")
    asked, given = request.get("model", ""), request.get("input")
    model = find_model(app, asked, not_found(asked))
    texts = given if isinstance(given, list) else [given] if given else []
    if not all(isinstance(text, str) for text in texts):
        raise ApiError(400, "invalid input type")

    def answer(result):
        body = {"model": asked, "embeddings": [vector(text, request.get("dimensions", 0)) for text in texts]}
        if texts:
            body.update(total_duration=result.total_ns, load_duration=max(result.load_ns, 1),
                        prompt_eval_count=result.prompt_tokens)
        return gojson.dump(body), JSON_UTF8
    return embedding_job(app, exchange, model, texts, answer, request.get("options"), request.get("keep_alive"))


def embeddings(app, exchange):
    request = read(exchange, EMBEDDINGS, "EmbeddingRequest")
    model = find_model(app, request.get("model", ""), ApiError(400, "model is required"))
    prompt = request.get("prompt", "")

    def answer(_result):
        return gojson.dump({"embedding": vector(prompt) if prompt else []}), JSON_UTF8
    texts = [prompt] if prompt else []
    return embedding_job(app, exchange, model, texts, answer, request.get("options"), request.get("keep_alive"))
