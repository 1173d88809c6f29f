"""The OpenAI routes under /v1, except responses: chat, completions, embeddings, models and audio."""

import base64
import binascii
import random
import re
import struct
import time

from . import gojson
from .generate import ApiError, Dialect, Job, quoted, run, with_runner
from .models import newest_first
from .native import JSON_UTF8, embedding_job, find_model, not_found, tools_of, vector

CHAT = {"model": "str", "messages": "list", "stream": "bool", "stream_options": "struct", "max_tokens": "int?",
        "response_format": "struct", "tools": "list", "reasoning": "struct", "reasoning_effort": "any",
        "stop": "any"}
COMPLETION = {"model": "str", "prompt": "str", "stream": "bool", "stream_options": "struct",
              "max_tokens": "int?", "suffix": "str"}
EMBED = {"model": "str", "input": "any", "dimensions": "int", "encoding_format": "str"}
MESSAGE = {"role": "str", "content": "any", "reasoning": "str", "tool_calls": "list", "name": "str",
           "tool_call_id": "str"}
OPTIONS = {"include_usage": "bool"}
IMAGE_PREFIX = re.compile(r"data:(image/(jpeg|jpg|png|webp))?;base64,")
AUDIO_FIELD = re.compile(rb'name="([^"]*)"')


def read(exchange, fields, where):
    """The bound body; unlike native routes an empty one is just EOF."""
    try:
        return gojson.bind(gojson.parse(exchange.body), fields, where)
    except gojson.DecodeError as error:
        raise ApiError(400, str(error), bound=True) from None


def bind(value, fields, where):
    try:
        return gojson.bind(value, fields, where)
    except gojson.DecodeError as error:
        raise ApiError(400, str(error), bound=True) from None


def include_usage(request):
    return bind(request.get("stream_options"), OPTIONS, "StreamOptions").get("include_usage", False)


def usage_of(result):
    return {"prompt_tokens": result.prompt_tokens, "completion_tokens": result.eval_count,
            "total_tokens": result.prompt_tokens + result.eval_count}


def calls_of(calls):
    return [{"id": call["id"], "index": index, "type": "function",
             "function": {"name": call["name"], "arguments": gojson.dump(call["arguments"]).decode()}}
            for index, call in enumerate(calls)]


class Chat(Dialect):
    """chat.completion and its chunks; an error in the stream is swallowed into an empty chunk."""

    def __init__(self, model, usage):
        self.id = f"chatcmpl-{random.randrange(999)}"
        self.model = model
        self.usage = usage
        self.created = int(time.time())
        self.tool_sent = False

    def prefix(self, model):
        return (f'{{"id":"{self.id}","object":"chat.completion.chunk","created":{self.created},'
                f'"model":{quoted(model)},"system_fingerprint":"fp_ollama","choices":[')

    def chunk(self, delta, reason="null", model=None):
        prefix = self.prefix(self.model if model is None else model)
        return (f'data: {prefix}{{"index":0,"delta":{{"role":"assistant",{delta}}},'
                f'"finish_reason":{reason}}}]}}\n\n').encode()

    def piece(self, kind, text):
        if kind == "think":
            return (self.chunk(f'"content":"","reasoning":{quoted(text)}'),)
        return (self.chunk(f'"content":{quoted(text)}'),)

    def tool(self, calls):
        self.tool_sent = True
        return (self.chunk(f'"content":"","tool_calls":{gojson.dump(calls_of(calls)).decode()}'),)

    def done(self, result):
        reason = "tool_calls" if self.tool_sent else result.reason
        text = self.chunk('"content":""', f'"{reason}"')
        if self.usage:
            text += f'data: {self.prefix(self.model)}],"usage":{gojson.dump(usage_of(result)).decode()}}}\n\n'.encode()
        return (text + b"data: [DONE]\n\n",)

    def stream_error(self, message):
        return (self.chunk('"content":""', model=""),)

    def whole(self, result):
        message = {"role": "assistant", "content": result.text}
        if result.thinking:
            message["reasoning"] = result.thinking
        if result.calls:
            message["tool_calls"] = calls_of(result.calls)
        return gojson.dump({
            "id": self.id, "object": "chat.completion", "created": int(time.time()), "model": self.model,
            "system_fingerprint": "fp_ollama",
            "choices": [{"index": 0, "message": message,
                         "finish_reason": "tool_calls" if result.calls else result.reason}],
            "usage": usage_of(result)}) + b"\n"


class Completion(Dialect):
    """text_completion and its chunks; with include_usage every chunk carries a zero usage."""

    def __init__(self, model, usage):
        self.id = f"cmpl-{random.randrange(999)}"
        self.model = model
        self.usage = usage
        self.created = int(time.time())

    def chunk(self, choices, usage=None, model=None):
        tail = ""
        if self.usage:
            zero = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
            tail = f',"usage":{gojson.dump(usage or zero).decode()}'
        return (f'data: {{"id":"{self.id}","object":"text_completion","created":{self.created},'
                f'"choices":[{choices}],"model":{quoted(self.model if model is None else model)},'
                f'"system_fingerprint":"fp_ollama"{tail}}}\n\n').encode()

    def choice(self, text, reason="null"):
        return f'{{"text":{quoted(text)},"index":0,"finish_reason":{reason}}}'

    def piece(self, kind, text):
        return (self.chunk(self.choice(text if kind == "text" else "")),)

    def tool(self, calls):
        return ()

    def done(self, result):
        text = self.chunk(self.choice("", f'"{result.reason}"'))
        if self.usage:
            text += self.chunk("", usage_of(result))
        return (text + b"data: [DONE]\n\n",)

    def stream_error(self, message):
        return (self.chunk(self.choice(""), model=""),)

    def whole(self, result):
        return gojson.dump({
            "id": self.id, "object": "text_completion", "created": int(time.time()), "model": self.model,
            "system_fingerprint": "fp_ollama",
            "choices": [{"text": result.text, "index": 0, "finish_reason": result.reason}],
            "usage": usage_of(result)}) + b"\n"


def image(url):
    """Count an image given as a data URL."""
    match = IMAGE_PREFIX.match(url) if isinstance(url, str) else None
    if match is None:
        raise ApiError(400, "invalid image input", bound=True)
    try:
        base64.b64decode(url[match.end():], validate=True)
    except binascii.Error:
        raise ApiError(400, "invalid message format", bound=True) from None


def content_parts(job, content):
    """Add a message's content to the job and return its text."""
    if isinstance(content, str):
        job.texts.append(content)
        return content
    texts = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind == "image_url":
            url = part.get("image_url")
            image(url.get("url") if isinstance(url, dict) else url)
            job.images += 1
        else:
            raise ApiError(400, "invalid message format", bound=True)
    job.texts += texts
    return " ".join(texts)


def chat(app, exchange):
    request = read(exchange, CHAT, "ChatCompletionRequest")
    messages = [bind(item, MESSAGE, "Message") for item in request.get("messages") or ()]
    if not messages:
        raise ApiError(400, "[] is too short - 'messages'", bound=True)
    asked = request.get("model", "")
    job = Job(None, request.get("stream", False))
    for message in messages:
        content = message.get("content")
        if isinstance(content, (str, list)):
            text = content_parts(job, content)
            if message.get("role") == "user":
                job.last_user = text
        elif not message.get("tool_calls"):
            what = {"null": "<nil>", "number": "float64", "object": "map[string]interface {}"}
            kind = gojson.kind_of(content)
            raise ApiError(400, f"invalid message content type: {what.get(kind, kind)}", bound=True)
    wanted = request.get("response_format") or {}
    if wanted.get("type") == "json_object":
        job.schema = True
    elif wanted.get("type") == "json_schema":
        job.schema = (wanted.get("json_schema") or {}).get("schema") or True
    effort = (request.get("reasoning") or {}).get("effort") or request.get("reasoning_effort")
    job.think = effort not in (None, "", "none")
    job.limit = request.get("max_tokens") or 0
    tools_of(request.get("tools"), job)
    job.model = find_model(app, asked, ApiError(400, "model is required"))
    if job.model.embedding_only:
        raise ApiError(400, f'"{asked}" does not support chat')
    return run(app, exchange, job, Chat(asked, include_usage(request)))


def completions(app, exchange):
    request = read(exchange, COMPLETION, "CompletionRequest")
    asked, prompt = request.get("model", ""), request.get("prompt", "")
    model = find_model(app, asked, not_found(asked))
    job = Job(model, request.get("stream", False))
    job.texts, job.limit = [prompt], request.get("max_tokens") or 0
    dialect = Completion(asked, include_usage(request))
    if model.embedding_only:
        raise ApiError(400, f'"{asked}" does not support generate')
    return run(app, exchange, job, dialect)


def embeddings(app, exchange):
    request = read(exchange, EMBED, "EmbedRequest")
    asked, given, form = request.get("model", ""), request.get("input"), request.get("encoding_format", "")
    if form and form.lower() not in ("float", "base64"):
        raise ApiError(400, f"Invalid value for 'encoding_format' = {form}. "
                            "Supported values: ['float', 'base64'].", bound=True)
    if given == "":
        given = [""]
    if given is None or given == []:
        raise ApiError(400, "invalid input", bound=True)
    texts = given if isinstance(given, list) else [given]
    model = find_model(app, asked, not_found(asked))
    if not all(isinstance(text, str) for text in texts):
        raise ApiError(400, "invalid input type")


    def answer(result):
        data = []
        for index, text in enumerate(texts):
            values = vector(text, request.get("dimensions", 0))
            if form.lower() == "base64":
                values = base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
            data.append({"object": "embedding", "embedding": values, "index": index})
        return gojson.dump({"object": "list", "data": data, "model": asked, "usage": {
            "prompt_tokens": result.prompt_tokens, "total_tokens": result.prompt_tokens}}) + b"\n", "application/json"
    return embedding_job(app, exchange, model, texts, answer)


def _entry(model, shown):
    return {"id": shown, "object": "model", "created": model.modified, "owned_by": model.name.namespace}


def models(app, exchange):
    data = [_entry(model, model.display) for model in newest_first(app)]
    exchange.reply(200, gojson.dump({"object": "list", "data": data or None}) + b"\n", "application/json")


def model(app, exchange):
    asked = exchange.path[len("/v1/models/"):]
    found = find_model(app, asked, ApiError(400, "invalid model name"))
    exchange.reply(200, gojson.dump(_entry(found, asked)) + b"\n", "application/json")


def form_fields(exchange):
    """The fields of a multipart/form-data body, as bytes."""
    kind = exchange.headers.get("content-type", "")
    match = re.search(r'boundary="?([^";]+)', kind)
    if not kind.startswith("multipart/form-data") or match is None:
        raise ApiError(400, "request Content-Type isn't multipart/form-data", bound=True)
    fields = {}
    for part in exchange.body.split(b"--" + match[1].encode("latin-1"))[1:]:
        head, blank, value = part.partition(b"\r\n\r\n")
        name = AUDIO_FIELD.search(head)
        if blank and name:
            fields[name[1].decode("latin-1")] = value.removesuffix(b"\r\n")
    return fields


def transcriptions(app, exchange):
    fields = form_fields(exchange)
    asked = fields.get("model", b"").decode("utf-8", "replace")
    if not asked:
        raise ApiError(400, "model is required", bound=True)
    if "file" not in fields:
        raise ApiError(400, "file is required", bound=True)
    job = Job(find_model(app, asked, not_found(asked)), False)

    async def work(_result):
        await app.prompt_time(exchange, "application/json")
        if fields.get("response_format") == b"text":
            exchange.reply(200, b"a quiet word", "text/plain; charset=utf-8")
        else:
            exchange.reply(200, gojson.dump({"text": "a quiet word"}), JSON_UTF8)
    return with_runner(app, exchange, job, work)
