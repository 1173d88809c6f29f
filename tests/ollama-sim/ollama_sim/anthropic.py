"""POST /v1/messages: Anthropic's messages as Ollama writes them."""

import os

from . import gojson
from .generate import ApiError, Dialect, Job, quoted, run
from .native import find_model
from .openai import bind, read

REQUEST = {"model": "str", "max_tokens": "int", "messages": "list", "system": "any", "stream": "bool",
           "tools": "list", "thinking": "struct", "metadata": "any", "stop_sequences": "list",
           "temperature": "any", "top_p": "any", "top_k": "any", "tool_choice": "any"}
MESSAGE = {"role": "str", "content": "any"}
STOP = {"stop": "end_turn", "length": "max_tokens"}


def event(kind, rest):
    return f'event: {kind}\ndata: {{"type":"{kind}",{rest}}}\n\n'.encode()


class Messages(Dialect):
    """message_start, content blocks, message_delta, message_stop; errors in the stream are swallowed."""

    def __init__(self, model, estimate):
        self.id = f"msg_{os.urandom(12).hex()}"
        self.model = model
        self.estimate = estimate
        self.started = False
        self.block = None       # "think" or "text" while such a block is open
        self.index = 0
        self.tool_sent = False

    def begin(self):
        if self.started:
            return []
        self.started = True
        return [event("message_start", f'"message":{{"id":"{self.id}","type":"message","role":"assistant",'
                                       f'"model":{quoted(self.model)},"content":[],'
                                       f'"usage":{{"input_tokens":{self.estimate},"output_tokens":0}}}}')]

    def close(self):
        if self.block is None:
            return []
        self.block = None
        self.index += 1
        return [event("content_block_stop", f'"index":{self.index - 1}')]

    def piece(self, kind, text):
        events = self.begin()
        field = "thinking" if kind == "think" else "text"
        if self.block != kind:
            events += self.close()
            self.block = kind
            events.append(event("content_block_start",
                                f'"index":{self.index},"content_block":{{"type":"{field}","{field}":""}}'))
        events.append(event("content_block_delta", f'"index":{self.index},"delta":'
                                                   f'{{"type":"{field}_delta","{field}":{quoted(text)}}}'))
        return events

    def tool(self, calls):
        events = self.begin() + self.close()
        self.tool_sent = True
        for call in calls:
            arguments = gojson.dump(gojson.dump(call["arguments"]).decode()).decode()
            events += [
                event("content_block_start", f'"index":{self.index},"content_block":{{"type":"tool_use",'
                                             f'"id":"{call["id"]}","name":{quoted(call["name"])},"input":{{}}}}'),
                event("content_block_delta", f'"index":{self.index},"delta":'
                                             f'{{"type":"input_json_delta","partial_json":{arguments}}}'),
                event("content_block_stop", f'"index":{self.index}')]
            self.index += 1
        return events

    def done(self, result):
        reason = "tool_use" if self.tool_sent else STOP[result.reason]
        return [*self.begin(), *self.close(),
                event("message_delta", f'"delta":{{"stop_reason":"{reason}"}},"usage":{{"input_tokens":'
                                       f'{result.prompt_tokens},"output_tokens":{result.eval_count}}}'),
                b'event: message_stop\ndata: {"type":"message_stop"}\n\n']

    def stream_error(self, message):
        return ()

    def whole(self, result):
        content = []
        if result.thinking:
            content.append({"type": "thinking", "thinking": result.thinking})
        if result.text:
            content.append({"type": "text", "text": result.text})
        content += [{"type": "tool_use", "id": call["id"], "name": call["name"], "input": call["arguments"]}
                    for call in result.calls]
        return gojson.dump({
            "id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": content,
            "stop_reason": "tool_use" if result.calls else STOP[result.reason],
            "usage": {"input_tokens": result.prompt_tokens, "output_tokens": result.eval_count}}) + b"\n"


def _blocks(job, content):
    """Add a message's content to the job; returns its text."""
    if isinstance(content, str):
        job.texts.append(content)
        return content
    if not isinstance(content, list):
        raise ApiError(400, "invalid message content type", bound=True)
    texts = []
    for block in content:
        if not isinstance(block, dict):
            raise ApiError(400, "invalid message format", bound=True)
        kind = block.get("type")
        if kind == "text":
            texts.append(str(block.get("text", "")))
        elif kind == "image":
            source = block.get("source") or {}
            if source.get("type") != "base64":
                raise ApiError(400, f"invalid image source type: {source.get('type')}. "
                                    "Only base64 images are supported.", bound=True)
            job.images += 1
        elif kind == "tool_result":
            inner = block.get("content")
            _blocks(job, inner if isinstance(inner, (str, list)) else "")
    job.texts += texts
    return " ".join(texts)


def messages(app, exchange):
    request = read(exchange, REQUEST, "MessagesRequest")
    asked = request.get("model", "")
    if not asked:
        raise ApiError(400, "model is required", bound=True)
    if request.get("max_tokens", 0) <= 0:
        raise ApiError(400, "max_tokens is required and must be positive", bound=True)
    if not request.get("messages"):
        raise ApiError(400, "messages is required", bound=True)
    job = Job(None, request.get("stream", False))
    if request.get("system"):
        _blocks(job, request["system"])
    for item in request["messages"]:
        message = bind(item, MESSAGE, "MessageParam")
        text = _blocks(job, message.get("content"))
        if message.get("role") == "user":
            job.last_user = text
    job.limit = request["max_tokens"]
    job.think = (request.get("thinking") or {}).get("type") in ("enabled", "adaptive")
    for tool in request.get("tools") or ():
        if isinstance(tool, dict) and isinstance(tool.get("name"), str):
            job.tools.append((tool["name"], tool.get("input_schema")))
    job.model = find_model(app, asked, ApiError(400, "model is required"))
    if job.model.embedding_only:
        raise ApiError(400, f'"{asked}" does not support chat')
    estimate = max(1, sum(map(len, job.texts)) // 4)
    return run(app, exchange, job, Messages(asked, estimate))
